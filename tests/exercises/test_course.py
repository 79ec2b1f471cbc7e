"""Exercises on training loops, free bits, importance weights, and the questions on concepts."""

import pytest
from solutions import replace, solved
from wrong_course import KEYS

from miniae.exercises import find
from miniae.exercises.checks import concepts
from miniae.exercises.concepts import show
from miniae.exercises.worker import examine, load, verdict

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
