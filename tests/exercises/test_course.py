"""Exercises on training loops, free bits, importance weights, and the questions on concepts."""

import pytest
from solutions import replace, solved
from wrong_course import KEYS

from miniae.exercises import find
from miniae.exercises.worker import examine, load

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
