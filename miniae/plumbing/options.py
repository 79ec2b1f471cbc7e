"""Checks of the options of `fit`."""

import inspect
import os
import sys

import numpy as np

from miniae.plumbing.checks import is_whole


def check_options(epochs, batch_size, shuffle, verbose, checkpoint, checkpoint_every):
    """Refuse options of a wrong kind, such as shuffle="no", which Python would take as True."""
    wholes = ("epochs", epochs, 0), ("batch_size", batch_size, 1)
    for name, value, least in (*wholes, ("checkpoint_every", checkpoint_every, 1)):
        if not is_whole(value, least):
            raise ValueError(f"{name}={value!r} must be an integer, {least} or more")
    if not isinstance(shuffle, (bool, np.bool_)):
        raise ValueError(f"shuffle={shuffle!r} must be True or False")
    if not isinstance(verbose, (int, np.integer, np.bool_)) or verbose not in (0, 1, 2):
        raise ValueError(
            f"verbose={verbose!r} must be 0 (silent), 1 (a progress bar) or 2 (a line per epoch)"
        )
    if not isinstance(checkpoint, (str, os.PathLike, type(None))):
        raise ValueError(f"checkpoint={checkpoint!r} must be the path of a file, or None")


def check_workers(workers, checkpoint):
    """Refuse what is not a number of workers, or one that may change when a run is continued."""
    if not is_whole(workers, 1) and workers != "auto":
        raise ValueError(f'workers={workers!r} must be an integer, 1 or more, or "auto"')
    if workers != 1 and sys.platform == "emscripten":
        raise ValueError(f"workers={workers!r}: a browser starts no processes; use workers=1")
    if workers == "auto" and checkpoint is not None:
        raise ValueError(
            'workers="auto" may choose another number when the run is continued from its '
            "checkpoint: give the number, such as workers=2"
        )


def as_patience(early_stopping):
    """Return (patience, min_delta) of early_stopping, (None, 0) without; or raise ValueError."""
    if early_stopping is None:
        return None, 0.0
    if hasattr(early_stopping, "patience") and not hasattr(early_stopping, "on_epoch_end"):
        return early_stopping.patience, early_stopping.min_delta
    if not is_whole(early_stopping, 1):
        raise ValueError(
            f"early_stopping={early_stopping!r} must be how many epochs to wait for a lower "
            "validation loss, an integer above 0, such as early_stopping=5; None turns it off"
        )
    return int(early_stopping), 0.0


def as_callbacks(callback):
    """Return a list of the functions in callback=; raise TypeError for anything else."""
    if callback is None:
        return []
    callbacks = list(callback) if isinstance(callback, (list, tuple)) else [callback]
    for each in callbacks:
        if hasattr(each, "on_epoch_end"):
            raise TypeError(
                f"callback={each!r} has a method on_epoch_end, but here a callback is a function "
                "of (model, epoch, logs): pass lambda model, epoch, logs: "
                "that_object.on_epoch_end(epoch, logs)"
            )
        if isinstance(each, type):
            raise TypeError(f"callback={each.__name__} is a class: pass an object of it")
        if not callable(each):
            hint = "; pass it as early_stopping=" if hasattr(each, "patience") else ""
            raise TypeError(
                f"callback={each!r} must be a function of (model, epoch, logs), or a list of such "
                f"functions{hint}"
            )
        check_signature(each)
    return callbacks


def check_signature(callback):
    """Refuse a function that does not take (model, epoch, logs): before the training, not in it."""
    try:
        takes = inspect.signature(callback)
    except (TypeError, ValueError):  # a function in C, which does not say what it takes
        return
    try:
        takes.bind("model", "epoch", "logs")
    except TypeError:
        name = getattr(callback, "__name__", repr(callback))
        raise TypeError(
            f"callback: {name}{takes} must take three arguments, (model, epoch, logs)"
        ) from None


def asks_to_stop(answer):
    """Return whether a callback's return value is True; a figure or a number is not."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)
