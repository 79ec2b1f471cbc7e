"""Every exercise: its stub is open, its solution passes, its wrong answers get their diagnosis."""

import pytest
from solutions import replace, solved, stub
from wrong_answers import WRONG

from miniae.exercises import EXERCISES, assert_solved, find
from miniae.exercises.worker import examine, load

each_exercise = pytest.mark.parametrize(
    "id", [pytest.param(id, marks=getattr(pytest.mark, id)) for id in EXERCISES]
)
ANSWERS = [
    pytest.param(id, *row, marks=getattr(pytest.mark, id), id=f"{id}-{i}")
    for id, rows in WRONG.items()
    for i, row in enumerate(rows)
]


def answers(tmp_path, id, text, student=""):
    """Yield what is said of a file with this text: (part, state, message)."""
    path = tmp_path / find(id).file
    path.write_text(text, "utf-8")
    return examine(find(id), load(path), student)


@each_exercise
def test_a_stub_is_not_started_and_names_its_exercise(tmp_path, id):
    assert {row[1:] for row in answers(tmp_path, id, stub(id))} == {("not started", "")}
    assert f'raise NotImplementedError("{id}: not started yet")' in stub(id)
    assert stub(id).startswith(f'"""{id}: ') and f"exercises hint {id}" in stub(id)


@each_exercise
@pytest.mark.parametrize("student", ["", pytest.param("ada", marks=pytest.mark.slow)])
def test_a_solution_passes_whoever_hands_it_in(tmp_path, id, student):
    assert {row[1:] for row in answers(tmp_path, id, solved(id), student)} == {("done", "")}


@pytest.mark.slow
@each_exercise
def test_a_solution_passes_at_50_more_students_points(tmp_path, id):
    path = tmp_path / find(id).file
    path.write_text(solved(id), "utf-8")
    names = load(path)
    for number in range(4 if id == "elbo" else 50):
        assert_solved(id, names, f"student {number}")


@pytest.mark.parametrize(("id", "old", "new", "words"), ANSWERS)
def test_a_wrong_answer_is_found_and_named(tmp_path, id, old, new, words):
    found = answers(tmp_path, id, replace(solved(id), old, new))
    said = next(
        (f"{part}: {m}" for part, state, m in found if state in ("wrong", "error")), "passed"
    )
    assert words in said


def test_there_are_at_least_sixty_wrong_answers_and_some_for_every_exercise():
    assert set(WRONG) == set(EXERCISES) and len(ANSWERS) >= 60
