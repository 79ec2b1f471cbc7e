"""Exercises: stubs to fill in, and a grader that says what is wrong.

    python -m miniae.exercises start my_answers
    python -m miniae.exercises check my_answers

In a notebook, `assert_solved` checks functions that are defined there.
"""

from miniae.exercises.catalogue import EXERCISES, Exercise, find
from miniae.exercises.grader.here import practise
from miniae.exercises.grader.processes import BROWSER
from miniae.exercises.grader.sandbox import Result, check_file
from miniae.exercises.grader.worker import examine

__all__ = ["EXERCISES", "Exercise", "Result", "assert_solved", "check_file", "find"]


def assert_solved(id, names, student="", part=None):
    """Raise AssertionError with the grader's message unless the exercise is solved.

    In a browser, where nothing can interrupt it, code that runs for a minute is stopped.

    For a test cell of nbgrader: ``assert_solved("dense_backward", globals())``. The checks run in
    the student's own process, so this is practice; marks come from `check_file`.

    Parameters
    ----------
    id : str, the id of the exercise
    names : dict, what the student has defined, by name
    student : str, the student's id; each id gets other random inputs
    part : str, to look at one part of the exercise only
    """
    run = practise if BROWSER else examine
    for name, state, message, _ in run(find(id), names, student):
        if state != "done" and part in (None, name):
            raise AssertionError(f"{name}: {message or state}")
