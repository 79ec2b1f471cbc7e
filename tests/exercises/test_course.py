"""Exercises on training loops, free bits, importance weights, and the questions on concepts."""

import pytest
from solutions import replace, solved, stub
from wrong_course import KEYS

from miniae.exercises import find
from miniae.exercises.checks import concepts
from miniae.exercises.concepts import show
from miniae.exercises.grader.worker import examine, load, verdict

ROWS = [
    pytest.param(id, *row, id=f"{id}-{i}")
    for id, rows in KEYS.items()
    for i, row in enumerate(rows)
]


def diagnosis(tmp_path, id, text, student=""):
    """Return the id of the first diagnosis, and its message."""
    path = tmp_path / find(id).file
    path.write_text(text, "utf-8")
    found = examine(find(id), load(path), student)
    return next(((d, m) for _, state, m, d in found if state in ("wrong", "error")), ("", ""))


@pytest.mark.slow
@pytest.mark.parametrize(("id", "old", "new", "key"), ROWS)
def test_a_wrong_answer_has_its_diagnosis_for_each_student(tmp_path, id, old, new, key):
    text = replace(solved(id), old, new)
    for student in ("", "ada", "bob"):
        found, message = diagnosis(tmp_path, id, text, student)
        assert found == f"{id}.{key}" and message


RIGHT = [  # unusual, but right
    ("minibatch_loop", "shuffled = rng.permutation(X)", "shuffled = X[rng.permutation(len(X))]"),
    ("minibatch_loop", "shuffled = rng.permutation(X)",
     "shuffled = X.copy()\n    rng.shuffle(shuffled)"),
    ("minibatch_loop", "[shuffled[i : i + size] for i in range(0, len(X), size)]",
     "np.array_split(shuffled, range(size, len(X), size))"),
    ("minibatch_loop", "[shuffled[i : i + size] for i in range(0, len(X), size)]",
     "tuple(shuffled[i * size : (i + 1) * size] for i in range(-(-len(X) // size)))"),
    ("minibatch_loop", "return losses", "return np.array(losses)"),
    ("minibatch_loop", "for batch in batches(X, size, rng):",
     "order = rng.permutation(len(X))\n"
     "        for batch in (X[order[i : i + size]] for i in range(0, len(X), size)):"),
    ("free_bits", "np.maximum(kl.mean(axis=0), floor).sum()",
     "sum(max(k, floor) for k in kl.mean(axis=0))"),
    ("free_bits", "np.maximum(kl.mean(axis=0), floor).sum()",
     "float(np.where(kl.mean(0) > floor, kl.mean(0), floor).sum())"),
    ("free_bits", "counted = kl.mean(axis=0) > floor",
     "counted = (kl.mean(axis=0, keepdims=True) >= floor).astype(float)"),
    ("importance_weighted", "bound = top + np.log(np.exp(log_w - top).mean(axis=0))",
     "bound = np.logaddexp.reduce(log_w, axis=0) - np.log(len(log_w))"),
    ("importance_weighted", "bound = top + np.log(np.exp(log_w - top).mean(axis=0))",
     "from scipy.special import logsumexp\n"
     "    bound = logsumexp(log_w, axis=0) - np.log(log_w.shape[0])"),
    ("importance_weighted", "return -w / w.sum(axis=0) / log_w.shape[1]",
     "return -np.exp(log_w - np.logaddexp.reduce(log_w, axis=0)) / log_w.shape[1]"),
    ("concepts", "return 188.944", "return 0.241 * 784"),
    ("concepts", "return 0.1585", "return 112.5 / 0.693 / 1024"),
]  # fmt: skip


@pytest.mark.parametrize(("id", "old", "new"), RIGHT)
def test_an_unusual_right_answer_passes(tmp_path, id, old, new):
    if "scipy" in new:
        pytest.importorskip("scipy")
    assert diagnosis(tmp_path, id, replace(solved(id), old, new)) == ("", "")


@pytest.mark.parametrize("id", KEYS)
def test_each_exercise_has_at_least_ten_wrong_answers(id):
    assert len({key for *_, key in KEYS[id]}) >= 10


def answered(student, **others):
    """Return the text of an answer to all questions of a student, right except for `others`."""
    right = {part: concepts.question_of(student, part).right for part in concepts.QUESTIONS}
    parts = "\n".join(f"def {p}():\n    return {float(v)}\n" for p, v in (right | others).items())
    return f"STUDENT = {student!r}\n{parts}"


@pytest.mark.parametrize("student", ["", "ada", "bob", "s1", "s2"])
def test_right_answers_pass_and_every_wrong_one_is_answered_with_its_reason(tmp_path, student):
    assert diagnosis(tmp_path, "concepts", answered(student), student) == ("", "")
    assert diagnosis(tmp_path, "concepts", answered(student)) == ("", "")  # graded without an id
    exercise = find("concepts")
    for part in concepts.QUESTIONS:
        question = concepts.question_of(student, part)
        assert len(question.choices) in (0, 4) and len(question.wrong) >= 2
        for key, value in question.wrong.items():
            names = {"STUDENT": student, part: lambda value=value: value}
            _, message, found = verdict(exercise, part, names, student)
            assert found == f"concepts.{key}" and exercise.mistakes[key] in message


def test_questions_depend_on_the_student_and_the_file_prints_them(capsys):
    for part in concepts.QUESTIONS:
        drawn = [concepts.question_of(f"s{i}", part) for i in range(8)]
        assert len({(q.text, q.choices) for q in drawn}) > 2
    show("ada")
    printed = capsys.readouterr().out
    assert "'ada'" in printed and "11. gap" in printed and "1: " in printed


def test_the_answers_of_another_student_are_refused_and_those_without_an_id_are_not(tmp_path):
    found, message = diagnosis(tmp_path, "concepts", answered("ada"), "bob")
    assert found == "concepts.other_student" and "write your id in STUDENT" in message
    assert diagnosis(tmp_path, "concepts", answered(""), "bob") == ("", "")


def test_the_questions_state_what_their_answers_are_computed_from():
    for i in range(50):
        q = concepts.question_of(f"s{i}", "stop_epoch")
        rows = [line.split() for line in q.text.split("\n")[2:]]
        valid = [float(row[2]) for row in rows]
        assert valid.index(min(valid)) + 1 == q.right and valid.count(min(valid)) == 1
        assert all(float(row[1]) < float(row[2]) for row in rows)
        q = concepts.question_of(f"s{i}", "latent_size")
        kl = [float(v) for v in q.text.split("nats: ")[1].split(". How")[0].split(", ")]
        assert sum(v > 0.1 for v in kl) == q.right and not any(0.05 < v < 0.5 for v in kl)


def test_the_loop_can_be_checked_while_batches_is_open(tmp_path):
    id = "minibatch_loop"
    first, second = solved(id), stub(id)
    text = second[: second.index("def fit")] + first[first.index("def fit") :]
    path = tmp_path / find(id).file
    path.write_text(text, "utf-8")
    found = {row[0]: row[1] for row in examine(find(id), load(path))}
    assert found == {"batches": "not started", "fit": "done"}


@pytest.mark.parametrize("id", ["kl_value", "kl_gradient", "elbo", "free_bits"])
def test_no_stub_of_the_lesson_hands_over_the_kl(id):
    text = stub(id)
    assert "mu^2" not in text and "exp(log_var)" not in text
    assert not any("- log_var - 1" in hint for hint in find("kl_value").hints)
