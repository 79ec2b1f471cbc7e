"""A run of `fit`: checks, data, history, early stopping, checkpoint."""

from contextlib import contextmanager

import numpy as np

from miniae.plumbing import storage
from miniae.plumbing.advice import advise
from miniae.plumbing.batches import Rows, Stream, unpack
from miniae.plumbing.checkpoint import Checkpoint, describe_data
from miniae.plumbing.checks import diverged, is_whole
from miniae.plumbing.inputs import check_data, select_rows, side_names
from miniae.plumbing.memory import reuse_memory
from miniae.plumbing.optimizers import choose_optimizer
from miniae.plumbing.progress import Progress
from miniae.plumbing.tables import keep_columns
from miniae.plumbing.watch import first_not_finite


class Run:
    """What `fit` keeps while it trains; the arguments are those of `Model.fit`.

    Attributes
    ----------
    first, end : int, epochs of training before the run, and after it
    source : Rows or Stream, the batches
    validation : dict of arrays, or None
    best_loss, best_epoch, best : what early stopping remembers, best as `storage.learned` gives it
    stopped : bool, whether early stopping has ended the run
    """

    def __init__(self, model, X, y, *, epochs, batch_size, optimizer, validation_data,
                 validation_split, early_stopping, shuffle, callback, checkpoint,
                 checkpoint_every, verbose, side):  # fmt: skip
        for name, value, least in (("epochs", epochs, 0), ("batch_size", batch_size, 1)):
            if not is_whole(value, least):
                raise ValueError(f"{name}={value!r} must be an integer, {least} or more")
        if hasattr(X, "__next__"):
            raise ValueError(
                f"X is an iterator, {type(X).__name__}, and would be empty after one epoch: give "
                "the function that makes it, without calling it"
            )
        if callable(X):
            if y is not None or side:
                raise ValueError("X is a function: its batches must hold y and labels")
            data, side = None, side_names(model)
        else:
            keep_columns(model, X)
            data = check_data(model, X, y, side)
        data, self.validation = split(model, data, side, validation_data, validation_split)
        self.source = Stream(model, X) if data is None else Rows(data, batch_size, shuffle)
        if early_stopping is not None:
            if self.validation is None:
                raise ValueError("early_stopping needs validation_data or a validation_split")
            if not early_stopping > 0:
                raise ValueError(f"early_stopping={early_stopping!r} epochs must be above 0")
        model.optimizer = choose_optimizer(model, optimizer, checkpoint)
        self.model, self.patience, self.callback = model, early_stopping, callback
        self.first, self.stopped = len(model.history.get("loss", ())), False
        self.end = self.first + epochs
        self.best_loss, self.best_epoch, self.best = np.inf, self.first, None
        self.file = None
        if checkpoint is not None:
            self.file = Checkpoint(
                checkpoint, checkpoint_every, model, model.optimizer, self,
                data=describe_data(data), validation=describe_data(self.validation),
                shuffle=bool(shuffle), batch_size=int(batch_size), early_stopping=early_stopping,
            )  # fmt: skip
            self.file.resume(self.end)
        if data is not None and self.first == 0:
            advise(model, data)
        self.progress = Progress(verbose, self.end, self.source)
        reuse_memory()

    def epochs(self):
        """Yield the numbers of the epochs that are still to come, counted from 0."""
        for epoch in range(len(self.model.history.get("loss", ())), self.end):
            if self.stopped:
                break
            yield epoch

    @contextmanager
    def errors_explained(self, epoch, count, batch):
        """Add to the error of a loss that is not a number in which batch and layer it arose."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # the model looks at the result
                yield
        except FloatingPointError as error:
            where = first_not_finite(self.model, batch)
            raise FloatingPointError(
                f"epoch {epoch + 1}, batch {count}: {error}. "
                + (f"{where}. " if where else "")
                + "The weights cannot be used any more: build a new model"
            ) from None

    def finish_epoch(self, epoch, logs):
        """Keep what was measured in an epoch, and decide whether to stop."""
        model = self.model
        if not np.isfinite(model.theta).all():
            raise diverged(model, f"epoch {epoch + 1}: after its last step, weights are NaN or inf")
        if self.validation is not None:
            means = model.mean_terms(self.validation)
            logs.update({f"val_{name}": value for name, value in means.items()})
        for name in {**model.history, **logs}:  # what was not measured in an epoch is NaN
            values = model.history.setdefault(name, [np.nan] * epoch)
            values.append(logs.get(name, np.nan))
        self.progress.epoch(epoch, logs)
        if self.callback is not None:
            self.callback(model, epoch, logs)
        if self.patience is not None:
            self.look_for_best(logs["val_loss"], epoch)
        last = self.stopped or epoch + 1 == self.end
        if self.file is not None and (last or (epoch + 1 - self.first) % self.file.every == 0):
            self.file.write()

    def look_for_best(self, loss, epoch):
        """Keep the weights of the lowest validation loss so far, and decide whether to stop."""
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            arrays = storage.learned(self.model)
            self.best = {name: array.copy() for name, array in arrays.items()}
        self.stopped = epoch - self.best_epoch >= self.patience

    def restore_best(self):
        """Restore the weights of the best epoch, if early stopping is used."""
        if self.best is not None:
            storage.restore(self.model, self.best)


def split(model, data, side, validation_data, validation_split):
    """Return the data to train on, None for a function's, and those to validate on or None.

    side : names of what the model's loss takes of the data besides x and target
    """
    if validation_data is not None:
        if validation_split:
            raise ValueError("give validation_data or validation_split, not both")
        X, y, more = unpack(validation_data, side, "validation_data")
        return data, check_data(model, X, y, more, "validation_data", "validation_data[1]")
    if not 0 <= validation_split < 1:
        raise ValueError(f"validation_split={validation_split!r} must be in [0, 1)")
    if data is None:
        if validation_split:
            raise ValueError("validation_split needs arrays: give validation_data")
        return None, None
    n = len(data["x"])
    kept = n - int(n * validation_split)
    if kept == 0:
        raise ValueError(f"validation_split={validation_split} leaves none of {n} samples to train")
    if kept == n:
        if validation_split:
            raise ValueError(
                f"validation_split={validation_split} leaves none of {n} samples to validate on"
            )
        return data, None
    return select_rows(data, slice(kept)), select_rows(data, slice(kept, None))
