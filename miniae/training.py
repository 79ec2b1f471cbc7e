"""Training: mini-batches, the loop over epochs, history, early stopping, the progress line."""

import sys
import time

import numpy as np

from miniae import storage
from miniae.batches import Rows, Stream, unpack
from miniae.checkpoint import Checkpoint, Run, describe_data
from miniae.inputs import check_data, side_names, take
from miniae.inspection import first_not_finite
from miniae.optim import SGD, Adam, Optimizer
from miniae.parameters import require

BAR = 24  # characters
OPTIMIZERS = {"adam": Adam, "sgd": lambda: SGD(lr=0.01)}


class Means:
    """Running means of named numbers, weighted by the samples that each stands for."""

    def __init__(self):
        self.totals, self.samples = {}, 0

    def add(self, values, samples):
        """Count `values`, a dict of means over so many samples."""
        self.samples += samples
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + value * samples

    def values(self):
        """Return the means so far, a dict."""
        return {name: total / self.samples for name, total in self.totals.items()}


def describe(values):
    """Return "loss 101.2  kl 25.0 ..." for a dict of numbers."""
    return "  ".join(f"{name} {value:.5g}" for name, value in values.items())


class Progress:
    """What a person sees while a model trains, on stderr: a bar on a terminal, else lines."""

    def __init__(self, verbose, last, source):
        self.stream = sys.stderr
        self.verbose = bool(verbose) and self.stream is not None
        self.bar = self.verbose and verbose == 1 and self.stream.isatty()
        self.last, self.source = last, source
        self.start = self.epoch_start = self.shown = time.perf_counter()
        self.width = self.before = self.done = 0  # of the line; batches in and before this epoch

    def batch(self, epoch, done, means):
        """Redraw the bar, ten times a second at most."""
        now, self.done = time.perf_counter(), done
        if not self.bar or now - self.shown < 0.1:
            return
        self.shown = now
        rate, count = (self.before + done) / (now - self.start), self.source.count
        line = f"epoch {epoch + 1}/{self.last} "
        if count:
            filled = min(BAR * done // count, BAR)
            line += f"[{'=' * filled}{' ' * (BAR - filled)}] {done}/{count}  "
        else:  # not known in the first epoch of a stream
            line += f"batch {done}  "
        line += f"{rate:.0f} batches/s  "
        if count:
            left = ((self.last - epoch) * count - done) / rate
            line += f"ETA {left // 60:.0f}:{left % 60:02.0f}  "
        line += f"loss {means.values()['loss']:.5g}"
        self._write(line, end="")

    def epoch(self, epoch, logs):
        """Write the line that stays, at the end of an epoch."""
        now = time.perf_counter()
        if self.verbose:
            width = len(str(self.last))
            line = f"epoch {epoch + 1:{width}}/{self.last}  {now - self.epoch_start:.1f} s  "
            self._write(line + describe(logs), end="\n")
        self.epoch_start, self.before = now, self.before + self.done

    def _write(self, line, end):
        if self.bar:
            line, self.width = "\r" + line.ljust(self.width), 0 if end else len(line)
        self.stream.write(line + end)
        self.stream.flush()


def keep_memory():
    """Let the C library keep the memory that a step gives back, for the next step.

    The arrays of a batch come and go at each step, and glibc returns such memory to the system and
    asks for it anew, page by page, which took 42 % of the time of a small VAE (docs/10_speed.md).
    It stops doing so for blocks up to the largest that was ever freed, 32 MiB at most (mallopt(3)).
    This one is freed at once and never touched: it costs nothing. Elsewhere it does nothing.
    """
    np.empty(2**25 - 2**16, np.uint8)


def _choose_optimizer(model, optimizer):
    if optimizer is None:
        return model.optimizer or Adam()
    if isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer]()
    require(
        isinstance(optimizer, Optimizer),
        f"optimizer={optimizer!r} must be one of {sorted(OPTIMIZERS)}, or an object like Adam()",
    )
    require(
        optimizer is model.optimizer
        or getattr(optimizer, "owner", None) is None
        or optimizer.owner is model.theta,
        f"optimizer={optimizer!r} holds the averages of another model: make a new one for this",
    )
    optimizer.owner = model.theta  # its weights, which set_params replaces
    return optimizer


def _split(model, data, side, validation_data, validation_split):
    """Return the data to train on, None for a function's, and those to validate on or None.

    side : names of what the model's loss takes of the data besides x and target
    """
    if validation_data is not None:
        require(not validation_split, "give validation_data or validation_split, not both")
        X, y, more = unpack(validation_data, side, "validation_data")
        return data, check_data(model, X, y, more, "validation_data", "validation_data[1]")
    require(0 <= validation_split < 1, f"validation_split={validation_split!r} must be in [0, 1)")
    if data is None:
        require(not validation_split, "validation_split needs arrays: give validation_data")
        return None, None
    n = len(data["x"])
    kept = n - int(n * validation_split)
    require(kept, f"validation_split={validation_split} leaves none of {n} samples to train")
    if kept == n:
        require(not validation_split, f"validation_split={validation_split} of {n} is nothing")
        return data, None
    return take(data, slice(kept)), take(data, slice(kept, None))


def fit(
    model,
    X,
    y=None,
    *,
    epochs=10,
    batch_size=128,
    optimizer=None,
    validation_data=None,
    validation_split=0.0,
    early_stopping=None,
    shuffle=True,
    callback=None,
    checkpoint=None,
    checkpoint_every=1,
    verbose=1,
    **side,
):
    """Train for `epochs` further epochs, from the weights as they are.

    Parameters
    ----------
    X : (n, *input_shape) real numbers, or a function that returns batches
        Of an np.memmap a batch is read at a time. A function is called once an epoch, without
        arguments, and returns an iterator of batches, each x or a tuple (x, y), (x, y, labels) as
        in validation_data; the batches are then its own, and batch_size and shuffle of no account.
    y : like X, or None for X itself
        What to reconstruct: ``fit(noisy, clean)`` trains a denoiser.
    epochs, batch_size : int
        The last batch of an epoch is the smaller one that remains.
    optimizer : Optimizer, "adam" or "sgd"
        By default the one of the last `fit`, with its state, or else Adam(1e-3).
    validation_data : X, or a tuple (X, y)
        For a conditional model (X, None, labels) or (X, y, labels).
    validation_split : float in [0, 1)
        Hold this fraction of the rows out, the last ones, before shuffling (as in Keras).
    early_stopping : int or None
        Stop when the validation loss has not improved for so many epochs. Either way the weights
        and buffers of the best epoch of this call are restored at its end.
    shuffle : bool, draw a new order of the rows in each epoch
    callback : function of (model, epoch, logs), called after each epoch, counted from 0
    checkpoint : path or None
        Keep the run in this file. Where there is one, of the same call, go on from it, and end
        with the same bytes as without the break; one of another call is refused. `epochs` may be
        raised; functions (a schedule, a corruption, a callback) and what layers of your own keep
        are yours to repeat, and a callback may see an epoch twice. `load` reads the file too, and
        gives the weights of the last epoch written, where early stopping returns the best.
    checkpoint_every : int, epochs from one writing of the file to the next
    verbose : 0 is silent, 1 a progress bar (a line per epoch where stderr is no terminal), 2 a
        line per epoch
    **side : (n,) arrays that the model's loss takes besides, such as a conditional VAE's labels

    Returns
    -------
    self; `history` has the mean over each epoch of "loss" and its parts, and "val_..." twins

    Raises
    ------
    ValueError, TypeError : an argument does not fit; says which, and what would
    FloatingPointError : the loss stopped being a number; says in which epoch and batch
    """
    for name, value, least in (("epochs", epochs, 0), ("batch_size", batch_size, 1)):
        require(
            isinstance(value, (int, np.integer)) and value >= least,
            f"{name}={value!r} must be an integer, {least} or more",
        )
    require(
        not hasattr(X, "__next__"),
        f"X is an iterator, {type(X).__name__}, which the first epoch would use up: give the "
        "function that makes it, without calling it",
    )
    if callable(X):
        require(y is None and not side, "X is a function: y and labels come with its batches")
        data, side = None, side_names(model)
    else:
        data = check_data(model, X, y, side)
    data, validation = _split(model, data, side, validation_data, validation_split)
    source = Stream(model, X) if data is None else Rows(data, batch_size, shuffle)
    if early_stopping is not None:
        require(
            validation is not None, "early_stopping needs validation_data or a validation_split"
        )
        require(early_stopping > 0, f"early_stopping={early_stopping!r} epochs must be above 0")
    model.optimizer = optimizer = _choose_optimizer(model, optimizer)

    run = Run(len(model.history.get("loss", ())))
    end, keeper = run.first + epochs, None
    if checkpoint is not None:
        keeper = Checkpoint(
            checkpoint, checkpoint_every, model, optimizer, run,
            data=describe_data(data), validation=describe_data(validation),
            shuffle=bool(shuffle), batch_size=int(batch_size), early_stopping=early_stopping,
        )  # fmt: skip
        keeper.resume(end)
    first = len(model.history.get("loss", ()))
    progress = Progress(verbose, end, source)
    keep_memory()
    try:
        for epoch in range(end if run.stopped else first, end):
            model.start_epoch(epoch)
            logs = run_epoch(model, source, optimizer, epoch, progress)
            model._refuse(
                not np.isfinite(model.theta).all(),
                f"epoch {epoch + 1}: its last step left weights that are no numbers",
            )
            if validation is not None:
                means = model.mean_terms(validation)
                logs.update({f"val_{name}": value for name, value in means.items()})
            for name in {**model.history, **logs}:  # what was not measured in an epoch is NaN
                values = model.history.setdefault(name, [np.nan] * epoch)
                values.append(logs.get(name, np.nan))
            progress.epoch(epoch, logs)
            if callback is not None:
                callback(model, epoch, logs)
            if early_stopping is not None:
                run.judge(logs["val_loss"], epoch, model, early_stopping)
            last = run.stopped or epoch + 1 == end
            if keeper is not None and (last or (epoch + 1 - run.first) % checkpoint_every == 0):
                keeper.write()
            if run.stopped:
                break
    finally:
        if run.best is not None:
            storage.restore(model, run.best)
    return model


def run_epoch(model, source, optimizer, epoch, progress):
    """Pass once over the data, a step per batch; return the mean loss and its parts."""
    means = Means()
    for count, batch in enumerate(source.epoch(model.rng), 1):
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # loss() looks at the result
                model.loss(**batch, training=True)
        except FloatingPointError as error:
            where = first_not_finite(model, batch)
            raise FloatingPointError(
                f"epoch {epoch + 1}, batch {count}: {error}. {where + '. ' if where else ''}"
                "The weights are of no use any more: build the model anew"
            ) from None
        model.backward()
        optimizer.step(model.theta, model.dtheta)
        means.add(model.terms, len(batch["x"]))
        progress.batch(epoch, count, means)
    return means.values()
