"""A run of `fit`: checks, data, history, early stopping, checkpoint."""

from contextlib import contextmanager

import numpy as np

from miniae.optim import Optimizer
from miniae.plumbing import storage
from miniae.plumbing.advice import advise, advise_on_frozen
from miniae.plumbing.batches import Rows, Stream, unpack
from miniae.plumbing.checkpoint import Checkpoint, describe_data
from miniae.plumbing.checks import check_changeable, diverged
from miniae.plumbing.cores import choose_workers
from miniae.plumbing.inputs import check_data, is_loader, select_rows, side_names
from miniae.plumbing.memory import reuse_memory
from miniae.plumbing.optimizers import choose_optimizer
from miniae.plumbing.options import (
    as_callbacks,
    as_patience,
    asks_to_stop,
    check_options,
    check_workers,
)
from miniae.plumbing.progress import Progress
from miniae.plumbing.tables import keep_columns
from miniae.plumbing.watch import first_not_finite
from miniae.plumbing.weights import WeightedRows, check_weights, without_zeros


class Run:
    """What `fit` keeps while it trains; the arguments are those of `Model.fit`.

    Attributes
    ----------
    first, end : int, epochs of training before the run, and after it
    source : Rows or Stream, the batches
    workers : int, processes that make the steps
    validation : dict of arrays, or None
    best_loss, best_epoch, best : what early stopping remembers, best as `storage.learned` gives it
    stopped : bool, whether early stopping or a callback has ended the run
    """

    def __init__(self, model, X, y, *, epochs, batch_size, optimizer, validation_data,
                 validation_split, early_stopping, shuffle, callback, checkpoint,
                 checkpoint_every, workers, verbose, side):  # fmt: skip
        check_options(epochs, batch_size, shuffle, verbose, checkpoint, checkpoint_every)
        check_workers(workers, checkpoint)
        self.patience, self.min_delta = as_patience(early_stopping)
        self.callbacks = as_callbacks(callback)
        weights = None
        if "sample_weight" not in side_names(model):  # a loss of your own may take it
            weights, side = side.get("sample_weight"), {**side}
            side.pop("sample_weight", None)
        if "min_delta" in side:
            raise TypeError(
                "min_delta: write early_stopping=callbacks.EarlyStopping(5, min_delta=...), after "
                "from miniae import callbacks"
            )
        if hasattr(X, "__next__"):
            raise ValueError(
                f"X is an iterator, {type(X).__name__}, and would be empty after one epoch: give "
                "the function that makes it, without calling it"
            )
        if callable(X) or is_loader(X):
            if y is not None or side or weights is not None:
                raise ValueError(
                    f"X is {'a function' if callable(X) else 'a loader'}: its batches must hold y "
                    "and labels, and sample_weight needs arrays"
                )
            data, side = None, side_names(model)
        else:
            keep_columns(model, X)
            data = check_data(model, X, y, side)
        if weights is not None:
            data, weights = without_zeros(data, check_weights(weights, len(data["x"])))
        data, self.validation = split(model, data, side, validation_data, validation_split)
        if data is None:
            self.source = Stream(model, X)
        elif weights is None or (weights == 1).all():
            self.source = Rows(data, batch_size, shuffle)
        else:
            weights = weights[: len(data["x"])]
            self.source = WeightedRows(data, batch_size, shuffle, weights)
        if self.patience is not None and self.validation is None:
            raise ValueError("early_stopping needs validation_data or a validation_split")
        optimizer = choose_optimizer(model, optimizer)
        self.model, self.workers = model, workers
        if workers == "auto":
            self.workers = choose_workers(model, optimizer, self.source, epochs)
        self.first, self.stopped = len(model.history.get("loss", ())), False
        self.end = self.first + epochs
        self.best_loss, self.best_epoch, self.best = np.inf, self.first, None
        self.file = None
        if checkpoint is not None:
            more = {"min_delta": self.min_delta} if self.min_delta else {}
            more |= {"workers": int(workers)} if workers > 1 else {}
            if weights is not None:
                more |= describe_data({"sample_weight": weights})
            self.file = Checkpoint(
                checkpoint, checkpoint_every, model, optimizer, self,
                data=describe_data(data), validation=describe_data(self.validation),
                shuffle=bool(shuffle), batch_size=int(batch_size), early_stopping=self.patience,
                **more,
            )  # fmt: skip
            self.file.resume(self.end)
        model.optimizer = optimizer
        advise_on_frozen(model, epochs)
        if data is not None and self.first == 0:
            advise(model, data)
        self.progress = Progress(verbose, self.end, self.source)
        reuse_memory()

    def epochs(self):
        """Yield the numbers of the epochs that are still to come, counted from 0.

        Before each one, settings that a callback or the user may have changed are checked.
        """
        for epoch in range(len(self.model.history.get("loss", ())), self.end):
            if self.stopped:
                break
            check_changeable(self.model)
            if isinstance(self.model.optimizer, Optimizer):
                self.model.optimizer.check()
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
        self.call_back(epoch, logs)
        if self.patience is not None:
            self.look_for_best(logs["val_loss"], epoch)
        last = self.stopped or epoch + 1 == self.end
        if self.file is not None and (last or (epoch + 1 - self.first) % self.file.every == 0):
            self.file.write()

    def call_back(self, epoch, logs):
        """Call all callbacks; the run ends after this epoch if one asks for it."""
        for callback in self.callbacks:
            try:
                stops = asks_to_stop(callback(self.model, epoch, logs))
            except StopIteration:
                stops = True
            if stops:
                self.stopped = True
                self.progress.stopped(epoch, callback)

    def look_for_best(self, loss, epoch):
        """Keep the weights of the lowest validation loss so far, and decide whether to stop.

        The wait begins at the last loss that was lower than the one before it by min_delta.
        """
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            arrays = storage.learned(self.model)
            self.best = {name: array.copy() for name, array in arrays.items()}
        lowest, since = np.inf, self.first
        for at, value in enumerate(self.model.history["val_loss"][self.first :], self.first):
            if value < lowest - self.min_delta:
                lowest, since = value, at
        if epoch - since >= self.patience:
            self.stopped = True

    def restore_best(self):
        """Restore the weights of the best epoch, if early stopping is used."""
        if self.best is not None:
            storage.restore(self.model, self.best)


def split(model, data, side, validation_data, validation_split):
    """Return the data to train on, None for a function's, and those to validate on or None.

    side : names of what the model's loss takes of the data besides x and target
    """
    if np.asarray(validation_split).dtype.kind not in "iuf" or not 0 <= validation_split < 1:
        raise ValueError(f"validation_split={validation_split!r} must be a number in [0, 1)")
    if validation_data is not None:
        if validation_split:
            raise ValueError("give validation_data or validation_split, not both")
        X, y, more = unpack(validation_data, side, "validation_data")
        return data, check_data(model, X, y, more, "validation_data", "validation_data[1]")
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
