"""Answers that do not do the work, or work only by luck, are refused."""

import numpy as np
import pytest
from solutions import replace, solved

from miniae.exercises import find
from miniae.exercises.checks.elbo_train import check_noise, draws_between
from miniae.exercises.checks.judged import right_layers, wrong_layers
from miniae.exercises.grader.worker import examine, load
from miniae.exercises.questions import Named
from miniae.proof.gradcheck import gradient_check

VERDICT = "return bool(np.abs(got - right).max() < 1e-9 * np.abs(right).max())"
VELOCITY = "self.velocity = self.momentum * self.velocity + dtheta"
M = "self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta"
EPS = "rng.standard_normal((len(batch), 2))"


def first_fault(tmp_path, id, edits, student=""):
    """Return the diagnosis of the first part that is not done, and its message."""
    text = solved(id)
    for old, new in edits:
        text = replace(text, old, new)
    path = tmp_path / find(id).file
    path.write_text(text, "utf-8")
    rows = examine(find(id), load(path), student)
    return next(((row[3], row[2]) for row in rows if row[1] != "done"), ("", ""))


@pytest.mark.slow
@pytest.mark.gradient_check
@pytest.mark.parametrize("student", ["", "ada", "bob", "eve"])
@pytest.mark.parametrize(
    ("verdict", "key"),
    [
        ("(got - right).max() < 1e-9", "abs_is_missing"),
        ("(right - got).max() < 1e-9", "abs_is_missing"),
        ("(got - right).min() > -1e-9", "abs_is_missing"),
        ("np.abs(np.abs(got) - np.abs(right)).max() < 1e-9", "sign_is_lost"),
        ("np.allclose(got**2, right**2)", "sign_is_lost"),
        ("np.allclose(np.sort(got), np.sort(right))", "order_is_lost"),
        ("np.isclose(np.linalg.norm(got), np.linalg.norm(right), rtol=1e-9)", "only_norms"),
        ("abs((got**2).mean() - (right**2).mean()) < 1e-9", "only_norms"),
        ("abs(got.sum() - right.sum()) < 1e-9", "only_sums"),
        ("abs(got.mean() - right.mean()) < 1e-9", "only_sums"),
        ("np.isclose(got @ right, np.linalg.norm(got) * np.linalg.norm(right), rtol=1e-9)",
         "only_directions"),
        ("np.abs(got - right).max() < 0.1 * np.abs(right).max()", "too_loose"),
        ("np.abs(got - right)[0] < 1e-9", "few_entries"),
        ("np.abs(got - right)[:5].max() < 1e-9", "few_entries"),
        ("True", "always_true"),
        ("type(layer).__name__ in ('Dense', 'Tanh', 'ReLU', 'Sigmoid')", "judged_by_class"),
        ("type(layer).__module__ == 'miniae.layers'", "judged_by_class"),
        ("False", "right_layer_refused"),
    ],
)  # fmt: skip
def test_a_gradient_check_that_does_not_see_every_error_is_refused(tmp_path, verdict, key, student):
    edits = [(VERDICT, f"return bool({verdict})")]
    assert first_fault(tmp_path, "gradient_check", edits, student)[0] == f"gradient_check.{key}"


@pytest.mark.slow
@pytest.mark.gradient_check
def test_a_gradient_check_that_counts_its_calls_is_refused(tmp_path):
    edits = [(VERDICT, "CALLS.append(1)\n    return len(CALLS) < 8"),
             ("def layer_is_right", "CALLS = []\n\n\ndef layer_is_right")]  # fmt: skip
    assert first_fault(tmp_path, "gradient_check", edits)[0]


@pytest.mark.slow
def test_the_library_agrees_on_which_layers_are_right():
    rng = np.random.default_rng(0)
    layers = {**right_layers(), **wrong_layers()}
    for which, layer in layers.items():
        layer.theta = rng.standard_normal(layer.theta.shape)
        report = gradient_check(layer, rng.standard_normal((4, 3)))
        assert report.ok == (which in right_layers()), which


@pytest.mark.parametrize(
    ("id", "edits", "key"),
    [
        (
            "sgd_momentum",
            [(VELOCITY, "if np.ndim(self.velocity) == 0:\n            self.velocity = dtheta\n"
              "        else:\n            self.velocity = self.momentum * self.velocity + dtheta")],
            "keeps_dtheta",
        ),
        (
            "sgd_momentum",
            [("self.lr, self.momentum, self.velocity = lr, momentum, 0.0",
              "self.lr, self.momentum = lr, momentum"),
             ("    def __init__", "    velocity = {}\n\n    def __init__"),
             (VELOCITY, "self.velocity['v'] = self.momentum * self.velocity.get('v', 0) + dtheta"),
             ("self.lr * self.velocity\n", "self.lr * self.velocity['v']\n")],
            "shared_state",
        ),
        (
            "sgd_momentum",
            [("import numpy as np", "import numpy as np\n\nkept = [0.0]"),
             (VELOCITY, "kept[0] = self.momentum * kept[0] + dtheta"),
             ("self.lr * self.velocity\n", "self.lr * kept[0]\n")],
            "shared_state",
        ),
        (
            "adam",
            [(M, "Adam.m = self.m = self.beta1 * getattr(Adam, 'm', 0.0) + "
              "(1 - self.beta1) * dtheta")],
            "shared_state",
        ),
        (
            "adam",
            [("self.t += 1", "Adam.t = self.t = getattr(Adam, 't', 0) + 1"),
             ("self.t = 0", "pass")],
            "shared_state",
        ),
        (
            "adam",
            [(M, "self.m = dtheta if self.t == 1 else self.m\n        "
              "self.m = (1 - self.beta1) * self.m if self.t == 1 else "
              "self.beta1 * self.m + (1 - self.beta1) * dtheta")],
            "",
        ),
    ],
)  # fmt: skip
def test_what_an_optimiser_keeps_is_a_copy_and_its_own(tmp_path, id, edits, key):
    found = first_fault(tmp_path, id, edits)[0]
    assert found in ((f"{id}.{key}", f"{id}.argument_changed") if key else ("",))


@pytest.mark.slow
@pytest.mark.elbo
@pytest.mark.parametrize(
    ("edits", "key"),
    [
        ([("networks, losses = (encoder, decoder), []",
           "networks, losses = (encoder, decoder), []\n    kept = rng.standard_normal((50, 2))"),
          (EPS, "kept[:len(batch)]")], "eps_reused"),
        ([(EPS, "np.random.default_rng(0).standard_normal((len(batch), 2))")], "eps_reused"),
        ([(EPS, "np.random.standard_normal((len(batch), 2))"),
          ("rng.permutation(X)", "X"),
          ("rng.standard_normal((len(X), 2))", "np.random.standard_normal((len(X), 2))")],
         "rng_not_used"),
        ([(EPS, "np.zeros((len(batch), 2))")], "eps_is_0"),
        ([(EPS, "np.ones((len(batch), 2)) * rng.standard_normal(2)")], "eps_alike_in_batch"),
        ([(EPS, "rng.random((len(batch), 2))")], "eps_not_normal"),
        ([("optimizer.step(network.theta, network.dtheta)",
           "optimizer.step(network.theta, -network.dtheta)")], "training_got_worse"),
        ([("return losses", "return losses[:1]")], "one_epoch_in_list"),
        ([("return losses", "return losses[0]")], "losses_not_a_list"),
    ],
)  # fmt: skip
def test_a_training_with_noise_that_is_not_new_or_not_normal_is_refused(tmp_path, edits, key):
    assert first_fault(tmp_path, "elbo", edits)[0] == f"elbo.{key}"


@pytest.mark.slow
@pytest.mark.elbo
def test_a_training_without_noise_is_found_by_its_result_too(tmp_path, monkeypatch):
    monkeypatch.setattr("miniae.exercises.checks.elbo_train.noises_of", lambda *networks: [])
    found, said = first_fault(tmp_path, "elbo", [(EPS, "np.zeros((len(batch), 2))")])
    assert found == "elbo.good_without_noise_only" and "with eps = 0" in said


def test_the_numbers_that_a_generator_has_drawn_are_counted():
    rng = np.random.default_rng(3)
    for count in (0, 1, 7, 1000):
        before = rng.bit_generator.state
        rng.random(count)
        assert draws_between(before, rng.bit_generator.state) == count


def test_noise_that_repeats_is_told_from_new_noise():
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((50, 2)) for _ in range(40)]
    check_noise(batches, 400)
    check_noise([batches[0]] * 40, 4000)  # too few samples to judge
    for noises, key in (
        ([batches[0]] * 40, "eps_reused"),
        ([0 * b for b in batches], "eps_is_0"),
        ([0 * b + b[0] for b in batches], "eps_alike_in_batch"),
        ([2 * b for b in batches], "eps_not_normal"),
    ):
        with pytest.raises(Named) as named:
            check_noise(noises, 400)
        assert named.value.keys == [key]


def test_a_sentence_that_two_mistakes_share_is_said_once():
    sentences = {"a": "the bias is missing", "b": "the bias is missing", "c": "the sign is wrong"}
    assert Named("x is 1", ["a", "b"]).explain(sentences) == "the bias is missing. x is 1"
    both = "the bias is missing; or: the sign is wrong. x is 1"
    assert Named("x is 1", ["a", "b", "c"]).explain(sentences) == both
