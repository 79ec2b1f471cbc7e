"""The markers of the exercises: ``pytest -m dense_backward`` runs what belongs to that one."""

from miniae.exercises import EXERCISES


def pytest_configure(config):
    for exercise in EXERCISES.values():
        config.addinivalue_line("markers", f"{exercise.id}: exercise {exercise.number}")
