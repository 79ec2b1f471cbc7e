"""Arrays and layers in the student's process are like those that a check passes."""

import sys

import pytest
from solutions import replace, solved

from miniae.exercises import check_file, find
from miniae.exercises.grader import processes

VELOCITY = "self.velocity = self.momentum * self.velocity + dtheta"
M = "self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta"
V = "self.beta2 * self.v + (1 - self.beta2) * dtheta**2"
FIRST = "if np.ndim(self.velocity) == 0:\n            self.velocity = dtheta"
LATER = f"else:\n            {VELOCITY}"
KEPT = {
    "velocity": ("sgd_momentum", VELOCITY, f"{FIRST}\n        {LATER}"),
    "a view of it": ("sgd_momentum", VELOCITY, f"{FIRST}[:]\n        {LATER}"),
    "a copy of it": ("sgd_momentum", VELOCITY, f"{FIRST}.copy()\n        {LATER}"),
    "the last gradient": (
        "adam",
        M,
        "last = getattr(self, 'last', None)\n        "
        "m = 0.0 if last is None else self.old + (1 - self.beta1) * last\n        "
        "self.last, self.old, self.m = dtheta, self.beta1 * m, "
        "self.beta1 * m + (1 - self.beta1) * dtheta",
    ),
    "m": (
        "adam",
        f"{M}\n        self.v = {V}\n        m_hat = self.m",
        f"self.m = dtheta if self.t == 1 else self.beta1 * self.m + dtheta\n"
        f"        self.v = {V}\n        m_hat = (1 - self.beta1) * self.m",
    ),
}


def diagnosis(folder, id, edits):
    """Return the state and the diagnosis of a file, checked in a process of its own."""
    text = solved(id)
    for old, new in edits:
        text = replace(text, old, new)
    path = folder / find(id).file
    path.write_text(text, "utf-8")
    result = check_file(find(id), path)
    return result.state, result.diagnosis


@pytest.mark.slow
@pytest.mark.parametrize("forks", [True, False])
@pytest.mark.parametrize("name", KEPT)
def test_a_gradient_that_is_kept_is_overwritten_by_the_next(tmp_path, monkeypatch, name, forks):
    if forks and sys.platform != "linux":
        pytest.skip("no server forks here")
    monkeypatch.setattr(processes, "FORKS", forks)
    id, old, new = KEPT[name]
    found = diagnosis(tmp_path, id, [(old, new)])
    right = ("done", "") if name == "a copy of it" else ("wrong", f"{id}.keeps_dtheta")
    assert found == right


@pytest.mark.slow
def test_a_gradient_check_that_judges_by_names_is_named_across_processes(tmp_path):
    right = "return bool(np.abs(got - right).max() < 1e-9 * np.abs(right).max())"
    names = "('Dense', 'Tanh', 'ReLU', 'Sigmoid')"
    for verdict in (f"__name__ in {names}", "__module__ == 'miniae.layers'"):
        edits = [(right, f"return type(layer).{verdict}")]
        wanted = ("wrong", "gradient_check.judged_by_class")
        assert diagnosis(tmp_path, "gradient_check", edits) == wanted
