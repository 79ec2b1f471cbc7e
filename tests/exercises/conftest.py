"""A marker for each exercise: ``pytest -m dense_backward`` runs the tests of this exercise."""

from miniae.exercises import EXERCISES


def pytest_configure(config):
    for exercise in EXERCISES.values():
        config.addinivalue_line("markers", f"{exercise.id}: exercise {exercise.number}")
