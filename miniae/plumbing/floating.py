"""What NumPy does at an overflow or an underflow, while a model computes.

A program may have set ``np.seterr(all="raise")``. A model's numbers underflow all the time (the
tail of a sigmoid, the square of a small gradient), which is right: such a number is 0. And it looks
at its own results, so an overflow need not stop it. So a model computes under settings of its own.
"""

import functools
import inspect

import numpy as np

# The methods of a training step. A loop of your own that calls them keeps its settings, except that
# an underflow is never an error.
STEP = {"loss", "backward", "prepare", "infer", "record", "use_rows", "start_epoch"}


def at_most_warn():
    """Return a context in which NumPy raises no error: an overflow is a warning, or ignored."""
    now = np.geterr()
    modes = {name: mode if mode == "ignore" else "warn" for name, mode in now.items()}
    return np.errstate(**{**modes, "under": "ignore"})


def calm(function):
    """Return a function that does the same within `at_most_warn`."""
    explain = getattr(function, "explain", None)  # see `foreign.explained`
    inside = function if explain is None else function.__wrapped__

    @functools.wraps(function)
    def inner(*args, **options):
        if explain is not None:
            explain(*args, **options)
        with at_most_warn():
            return inside(*args, **options)

    return inner


def calm_methods(cls):
    """Let the public methods that a class defines compute within `at_most_warn`."""
    for name, value in list(vars(cls).items()):
        if inspect.isfunction(value) and not name.startswith("_"):
            wrapped = np.errstate(under="ignore")(value) if name in STEP else calm(value)
            setattr(cls, name, wrapped)
