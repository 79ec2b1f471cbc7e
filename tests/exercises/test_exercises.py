"""Every exercise: its stub is not started, its solution passes, wrong answers get a diagnosis."""

import inspect

import numpy as np
import pytest
from solutions import replace, solved, stub
from wrong_answers import WRONG

from miniae.exercises import EXERCISES, assert_solved, find
from miniae.exercises.grader.worker import examine, load, verdict
from miniae.exercises.questions import Named, compare

each_exercise = pytest.mark.parametrize(
    "id", [pytest.param(id, marks=getattr(pytest.mark, id)) for id in EXERCISES]
)
a_third = pytest.mark.parametrize(  # the others with the slow tests
    "id",
    [
        pytest.param(id, marks=[getattr(pytest.mark, id), *([pytest.mark.slow] if i % 3 else [])])
        for i, id in enumerate(EXERCISES)
    ],
)
ANSWERS = [
    pytest.param(id, *row, marks=getattr(pytest.mark, id), id=f"{id}-{i}")
    for id, rows in WRONG.items()
    for i, row in enumerate(rows)
]


def load_text(tmp_path, id, text):
    """Return the names that a file with this text defines."""
    path = tmp_path / find(id).file
    path.write_text(text, "utf-8")
    return load(path)


def answers(tmp_path, id, text, student=""):
    """Yield the results of a file with this text: (part, state, message, diagnosis)."""
    return examine(find(id), load_text(tmp_path, id, text), student)


@each_exercise
def test_a_stub_is_not_started_and_names_its_exercise(tmp_path, id):
    assert {row[1:] for row in answers(tmp_path, id, stub(id))} == {("not started", "", "")}
    assert f'raise NotImplementedError("{id}: not started yet")' in stub(id)
    assert stub(id).startswith(f'"""{id}: ') and f"exercises hint {id}" in stub(id)
    assert "eave " in stub(id) or id in ("hunt_dense", "hunt_vae")  # leave ... unchanged


@each_exercise
@pytest.mark.parametrize("student", ["", pytest.param("ada", marks=pytest.mark.slow)])
def test_a_solution_passes_whoever_hands_it_in(tmp_path, id, student):
    assert {row[1:] for row in answers(tmp_path, id, solved(id), student)} == {("done", "", "")}


@pytest.mark.slow
@each_exercise
def test_a_solution_passes_with_the_inputs_of_50_more_students(tmp_path, id):
    path = tmp_path / find(id).file
    path.write_text(solved(id), "utf-8")
    names = load(path)
    for number in range(4 if id == "elbo" else 50):
        assert_solved(id, names, f"student {number}")


@pytest.mark.slow
@pytest.mark.parametrize(("id", "old", "new", "words"), ANSWERS)
def test_a_wrong_answer_is_found_and_named(tmp_path, id, old, new, words):
    found = answers(tmp_path, id, replace(solved(id), old, new))
    said = next(
        (f"{part}: {m}" for part, state, m, _ in found if state in ("wrong", "error")), "passed"
    )
    assert words in said


@pytest.mark.slow
def test_inputs_depend_on_the_student_except_in_train_of_elbo(tmp_path, monkeypatch):
    class Called(Exception):
        pass

    def call(self, function, name, *arguments, changes=()):
        raise Called([a for a in arguments if isinstance(a, (np.ndarray, float))])

    def first_call(exercise, part, student):
        with pytest.raises(Called) as called:
            exercise.parts[part](exercise.ask(names, part, student))
        return repr(called.value)

    monkeypatch.setattr("miniae.exercises.questions.Ask.call", call)
    alike = []
    for id, exercise in EXERCISES.items():
        names = load_text(tmp_path, id, solved(id))
        for part in exercise.parts:
            if first_call(exercise, part, "ada") == first_call(exercise, part, "bob"):
                alike.append((id, part))
    assert [(id, part) for id, part in alike if id != "concepts"] == [("elbo", "train")]


def test_there_are_at_least_sixty_wrong_answers_and_some_for_every_exercise():
    assert set(WRONG) == set(EXERCISES) and len(ANSWERS) >= 60


RIGHT = [  # unusual, but right: id, the old code, the new code
    ("dense_backward", "return dout @ W.T, x.T @ dout, dout.sum(axis=0)",
     "return [(dout @ W.T).tolist(), x.T @ dout, np.ones(len(x)) @ dout]"),
    ("reparameterise_backward", "return dz, dz * eps * np.exp(log_var / 2) / 2",
     "return np.stack([dz, dz * eps * np.exp(log_var / 2) / 2])"),
    ("dropout", "return x, np.ones(x.shape)", "return x, 1.0"),
    ("dropout", "rng.random(x.shape) >= p", "rng.binomial(1, 1 - p, x.shape)"),
    ("gradient_check",
     "        up, down = v.copy(), v.copy()\n        up[k] += h\n        down[k] -= h\n"
     "        gradient[k] = (f(up) - f(down)) / (2 * h)\n",
     "        v[k] += h\n        up = f(v)\n        v[k] -= 2 * h\n"
     "        gradient[k] = (up - f(v)) / (2 * h)\n        v[k] += h\n"),
    ("product_of_experts", "log_total = np.logaddexp.reduce(log_T, axis=0, initial=0)",
     "log_total = np.zeros(mus.shape[1:])\n    for row in log_T:\n"
     "        log_total = np.logaddexp(log_total, row)"),
    ("product_of_experts", "mu = (w * np.where(here, mus, 0)).sum(axis=0)",
     "mu = (w * mus).sum(axis=0, where=here)"),
    ("sigmoid_softplus", "0.5 * (np.tanh(0.5 * x) + 1)",
     "np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))"),
    ("sigmoid_softplus", "np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "np.logaddexp(0, x)"),
    ("activations_backward", "dout * (x > 0)", "np.where(x > 0, dout, 0)"),
    ("activations_backward", "dout * out * (1 - out)", "dout * (out - out * out) + 0j"),
    ("activations_backward", "dout * (1 - out**2)", "dout * (1 - out) * (1 + out)"),
    ("dense_forward", "x @ W + b", "np.einsum('ij,jk->ik', x, W) + b"),
    ("dense_forward", "x @ W + b", "np.array([[r @ w + c for w, c in zip(W.T, b)] for r in x])"),
    ("dense_forward", "x @ W + b", "(x @ W + b).tolist()"),
    ("dense_backward", "x.T @ dout, dout.sum(axis=0)",
     "sum(np.outer(a, d) for a, d in zip(x, dout)), sum(dout)"),
    ("squared_error", "((out - target) ** 2).sum() / len(out)",
     "np.mean([np.dot(e, e) for e in out - target])"),
    ("squared_error", "2 * (out - target) / len(out)", "(out - target) / (len(out) / 2)"),
    ("bernoulli_nll", "(p - target) / len(logits)",
     "(p * (1 - target) - (1 - p) * target) / len(p)"),
    ("sgd_momentum", "self.velocity = self.momentum * self.velocity + dtheta\n"
     "        theta -= self.lr * self.velocity",
     "self.velocity = self.momentum * self.velocity - self.lr * dtheta\n"
     "        theta += self.velocity"),
    ("sgd_momentum", "self.velocity = self.momentum * self.velocity + dtheta",
     "self.velocity = dtheta.copy() if np.ndim(self.velocity) == 0 else "
     "self.momentum * self.velocity + dtheta"),
    ("adam", "self.m = self.v = 0.0", "self.m, self.v = None, None"
     "\n        self.begin = lambda like: (np.zeros_like(like), np.zeros_like(like))"
     "\n        self.m, self.v = 0.0, 0.0"),
    ("adam", "self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta",
     "self.m = self.m + (1 - self.beta1) * (dtheta - self.m)"),
    ("autoencoder_backward", "in reversed(layers)", "in layers[::-1]"),
    ("autoencoder_backward", "layer.theta -= lr * layer.dtheta",
     "layer.theta = layer.theta - lr * layer.dtheta"),
    ("reparameterise_forward", "np.exp(log_var / 2)", "np.sqrt(np.exp(log_var))"),
    ("reparameterise_forward", "np.exp(log_var / 2)", "np.exp(log_var) ** 0.5"),
    ("reparameterise_backward", "dz * eps * np.exp(log_var / 2) / 2",
     "0.5 * dz * (eps * np.sqrt(np.exp(log_var)))"),
    ("kl_value", "0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(mu)",
     "-0.5 * np.mean(np.sum(1 + log_var - mu**2 - np.exp(log_var), axis=1))"),
    ("kl_value", "0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(mu)",
     "(mu**2 / 2 + np.expm1(log_var) / 2 - log_var / 2).mean(axis=0).sum()"),
    ("kl_gradient", "(np.exp(log_var) - 1) / (2 * len(mu))", "np.expm1(log_var) / len(mu) / 2"),
    ("elbo", "np.concatenate([dmu, dlog_var], axis=1)", "np.hstack((dmu, dlog_var))"),
    ("elbo", "return losses", "return np.array(losses)"),
    ("gradient_check", "np.random.default_rng(0).standard_normal(out.shape)",
     "np.random.default_rng(3).uniform(-1, 1, out.shape)"),
    ("gradient_check", "return bool(np.abs(got - right).max() < 1e-9 * np.abs(right).max())",
     "return np.allclose(got, right, rtol=1e-7, atol=1e-9)"),
    ("gradient_check", "return bool(np.abs(got - right).max() < 1e-9 * np.abs(right).max())",
     "return bool(np.linalg.norm(got - right) < 1e-8 * np.linalg.norm(right))"),
    ("dropout", "(rng.random(x.shape) >= p) / (1 - p)",
     "np.where(rng.uniform(size=x.shape) < p, 0, 1 / (1 - p))"),
    ("convolution", "np.einsum(\"nhwi,nhwo->io\", pixels, dout)",
     "np.tensordot(pixels, dout, axes=([0, 1, 2], [0, 1, 2]))"),
    ("batchnorm", "((x - m) ** 2).mean(axis=0)", "x.var(axis=0)"),
    ("hunt_dense", "self.hidden > 0", "np.sign(self.hidden)"),
    ("hunt_vae", "std = np.exp(log_var / 2)\n    return mu",
     "std = np.sqrt(np.exp(log_var))\n    return mu"),
    ("sgd_momentum", "import numpy as np", "from __future__ import annotations\n\n"
     "from dataclasses import dataclass\n\n\n@dataclass\nclass Rate:\n    lr: float"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("id", "old", "new"),
    [
        pytest.param(*row, marks=[pytest.mark.slow] if row[0] in ("elbo", "gradient_check") else [])
        for row in RIGHT
    ],
)
def test_an_unusual_answer_that_is_right_passes(tmp_path, id, old, new):
    found = answers(tmp_path, id, replace(solved(id), old, new))
    assert {row[1:] for row in found} == {("done", "", "")}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_a_file_may_begin_with_its_encoding(tmp_path, encoding):
    path = tmp_path / find("kl_value").file
    text = f"# -*- coding: {encoding} -*-\n# \xe4\n" + solved("kl_value")
    path.write_text(text, encoding)
    assert_solved("kl_value", load(path))


@a_third
def test_an_answer_of_another_type_is_wrong_and_not_an_error(tmp_path, id):
    names, exercise = load_text(tmp_path, id, solved(id)), find(id)
    for name, theirs in list(names.items()):
        if getattr(theirs, "__module__", "") != "answer" or name in ("SGD", "Adam"):
            continue
        part = name if name in exercise.parts else next(iter(exercise.parts))
        for none in (None, "text", {}, [1, [2, 3]], (None, None, None), lambda: 0):
            others = [lambda *_, none=none: none]
            if inspect.isclass(theirs):
                methods = ("forward", "backward")
                others = [type(name, (theirs,), {method: others[0]}) for method in methods]
            for other in others:
                state, said, _ = verdict(exercise, part, {**names, name: other}, "")
                assert state == "wrong" and said


@pytest.mark.parametrize("id", ["autoencoder_backward", "gradient_check"])
def test_what_another_part_calls_is_filled_by_the_library_while_it_is_open(tmp_path, id):
    last = list(find(id).parts)[-1]
    text = stub(id)[: stub(id).index(f"def {last}")] + solved(id)[solved(id).index(f"def {last}") :]
    names = load_text(tmp_path, id, text)
    before = dict(names)
    *open_, last = examine(find(id), names)
    assert last[1] == "done" and {row[1] for row in open_} == {"not started"}
    assert names == before


def test_code_below_the_line_that_raises_gets_a_message_about_that_line(tmp_path):
    id = "activations_backward"
    text = stub(id).replace('started yet")\n', 'started yet")\n    return dout * (x > 0)\n', 1)
    said = list(answers(tmp_path, id, text))
    assert said[0][1] == "wrong" and "line 17 still raises NotImplementedError" in said[0][2]
    assert [row[1] for row in said[1:]] == ["not started"] * 2
    text = stub("hunt_vae").replace("return dz, dz * eps * std", "return dz, dz * eps * std / 2")
    assert "still raises" in next(iter(answers(tmp_path, "hunt_vae", text)))[2]


def test_a_part_that_calls_another_which_is_open_says_so(tmp_path):
    id = "activations_backward"
    text = replace(solved(id), "dout * (1 - out**2)", "relu_backward(dout, out)")
    text = replace(text, "    return dout * (x > 0)", f'    raise NotImplementedError("{id}: no")')
    *_, last = answers(tmp_path, id, text)
    assert last[1:3] == ("wrong", "it calls relu_backward, which is not started")


def test_a_second_mistake_that_changes_nothing_is_not_named():
    mistakes = {"a": 2.0, "a__b": 2.0, "c": 2.0, "d": 3.0}
    with pytest.raises(Named, match="^the result is 2, should be 1$") as named:
        compare("the result", 2.0, 1.0, mistakes)
    assert named.value.keys == ["a", "c"] and named.value.diagnosis == "a"
    said = named.value.explain({"a": "A", "c": "C"})
    assert said == "A; or: C. the result is 2, should be 1"


def test_an_examination_can_be_left_half_way():
    half = examine(find("dense_backward"), {"dense_backward": lambda *_: None})
    next(half)
    half.close()


@pytest.mark.slow
@pytest.mark.elbo
@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("[0.0] * 60", "must fall"),
        ("list(range(60))", "must fall"),
        ("[float('nan')] * 3", "must fall"),
        ("[2 * loss for loss in losses]", "the last loss that train returns"),
        ("None", "is None"),
        ("'text'", "must be numbers"),
    ],
)
def test_a_list_that_is_not_the_losses_of_the_training_is_refused(tmp_path, returned, words):
    text = replace(solved("elbo"), "return losses", f"return {returned}")
    assert words in list(answers(tmp_path, "elbo", text))[-1][2]
