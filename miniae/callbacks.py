"""Callbacks: what `fit` calls after each epoch, ready to use.

A callback is a function of (model, epoch, logs), epochs counted from 0; the objects here are such
functions. ``fit(X, callback=[CSVLog("run.csv"), ReduceOnPlateau()])`` calls several, in this order.
A callback ends the training after its epoch if it returns True or raises StopIteration. Any other
value that it returns, such as a figure, is ignored.

The objects here have no state: they read `model.history`. So they continue correctly when a
checkpoint is continued, and when `fit` is called again.
"""

import csv
import itertools

import numpy as np

from miniae.plumbing.archives import atomic
from miniae.plumbing.checks import is_number, is_whole, not_negative
from miniae.plumbing.foreign import Foreign, asked
from miniae.plumbing.glossary import CALLBACKS

__all__ = ["CSVLog", "EarlyStopping", "ReduceOnPlateau"]
__getattr__ = asked("miniae.callbacks", CALLBACKS)


class EarlyStopping(Foreign):
    """Early stopping that ignores small improvements: ``early_stopping=EarlyStopping(5, 1e-3)``.

    It is not a callback. The weights of the epoch with the lowest validation loss are restored at
    the end, even if that loss is less than min_delta below an earlier one.

    Parameters
    ----------
    patience : int, the epochs to wait for a lower validation loss
    min_delta : float >= 0, in units of the loss
        A loss counts as lower if it is more than this below the last one that counted.
    """

    def __init__(self, patience, min_delta=0.0):
        check_patience(patience, min_delta)
        self.patience, self.min_delta = int(patience), float(min_delta)

    def __repr__(self):
        return f"EarlyStopping({self.patience}, min_delta={self.min_delta})"


class CSVLog(Foreign):
    """Write the history to a CSV file after each epoch: a row per epoch, counted from 0.

    The file always holds the model's whole history, so it has no epoch twice and none is missing.
    A field is empty where nothing was measured.

    Parameters
    ----------
    path : str or Path
    """

    def __init__(self, path):
        self.path = path

    def __call__(self, model, epoch, logs):
        """Write the file again."""
        with atomic(self.path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *model.history])
            rows = itertools.zip_longest(*model.history.values(), fillvalue=np.nan)
            for row, values in enumerate(rows):
                writer.writerow([row, *["" if np.isnan(value) else value for value in values]])

    def __repr__(self):
        return f"CSVLog({str(self.path)!r})"


class ReduceOnPlateau(Foreign):
    """Multiply the optimiser's learning rate by `factor` when a loss no longer falls.

    With a checkpoint the rate is kept in the file, and the wait is counted again from the history:
    the continued run has the same rates.

    Parameters
    ----------
    patience : int, the epochs to wait for a lower loss; after a reduction they count again
    factor : float between 0 and 1
    min_delta : float >= 0, a loss counts as lower if it is more than this below the lowest so far
    monitor : str, a name in the history; "loss" is the training loss
    lowest : float >= 0, the rate is not made smaller than this

    Raises
    ------
    ValueError : nothing called `monitor` was measured, or the rate is a function of the step, which
        sets the rate itself
    """

    def __init__(self, patience=5, factor=0.5, min_delta=0.0, monitor="val_loss", lowest=0.0):
        check_patience(patience, min_delta)
        if not is_number(factor) or not 0 < factor < 1:
            raise ValueError(f"factor={factor!r} must be a number between 0 and 1")
        self.patience, self.factor, self.min_delta = patience, factor, min_delta
        self.monitor, self.lowest = monitor, not_negative(lowest, "lowest")

    def __call__(self, model, epoch, logs):
        """Reduce the rate if this epoch is the last one of a wait."""
        if self.monitor not in logs:
            raise ValueError(
                f"ReduceOnPlateau: monitor={self.monitor!r} was not measured, but {sorted(logs)}; "
                "val_... needs validation_data or a validation_split"
            )
        optimizer = model.optimizer
        if not is_number(getattr(optimizer, "lr", None)):
            raise ValueError(
                f"ReduceOnPlateau needs an optimiser whose lr is a number, got {optimizer!r}"
            )
        if self.ends_a_wait(model.history[self.monitor]):
            reduced = max(optimizer.lr * self.factor, self.lowest)
            optimizer.lr = min(optimizer.lr, reduced)

    def ends_a_wait(self, losses):
        """Return whether the last of these losses is the last of `patience` without a lower one."""
        best, waited = np.inf, 0
        for loss in losses:
            if waited == self.patience:
                waited = 0
            if loss < best - self.min_delta:
                best, waited = loss, 0
            elif not np.isnan(loss):  # NaN: not measured in that epoch
                waited += 1
        return waited == self.patience

    def __repr__(self):
        return f"ReduceOnPlateau({self.patience}, {self.factor}, monitor={self.monitor!r})"


def check_patience(patience, min_delta):
    """Refuse what is not a number of epochs and a difference of losses."""
    if not is_whole(patience, 1):
        raise ValueError(f"patience={patience!r} must be a number of epochs, an integer above 0")
    not_negative(min_delta, "min_delta")
