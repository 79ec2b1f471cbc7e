"""Batches: rows of arrays, or what a function returns, for one training step after the other."""

import math
from collections.abc import Mapping

import numpy as np

from miniae.plumbing.inputs import (
    as_array,
    as_data,
    check_batch,
    check_data,
    check_target,
    rows_at_once,
    select_rows,
    side_names,
)
from miniae.plumbing.tables import check_columns

ROWS = 1024  # at a time, at most, when data pass through a model without training


def map_rows(model, function, X, name="X", **checks):
    """Apply a function to X, ROWS checked rows at a time, and return the results in one array.

    checks : other arguments of `check_batch`, such as bounds
    """
    if "shape" not in checks:  # data, not codes
        check_columns(model, X, name)
    X, out = as_array(X, name) if "shape" in checks else as_data(model, X, name), None
    model.cache = None  # these passes overwrite what loss() left for backward()
    step = rows_at_once(X, ROWS)
    for start in range(0, max(len(X) if X.ndim else 0, 1), step):
        batch = X[start : start + step] if X.ndim else X
        batch = check_batch(model, batch, name, first_row=start, **checks)
        if "bounds" in checks:  # what the loss is taken of
            check_target(model, batch, name, start)
        model.use_rows(slice(start, start + step))
        part = function(batch)
        if out is None:
            out = np.empty((len(X), *part.shape[1:]), part.dtype)
        out[start : start + len(part)] = part
    return out


def slices(*arrays):
    """Yield the rows of arrays of one length, ROWS at a time: a list of slices, one at least."""
    for start in range(0, max(len(arrays[0]), 1), ROWS):
        yield [array[start : start + ROWS] for array in arrays]


def in_slices(function, x):
    """Apply a function to ROWS rows of x at a time, and return the results in one array."""
    return np.concatenate([function(rows) for (rows,) in slices(np.asarray(x))])


class RunningMean:
    """Running means of named numbers, weighted by the number of samples."""

    def __init__(self):
        self.totals, self.samples = {}, 0

    def add(self, values, samples):
        """Add a dict of means over so many samples."""
        self.samples += samples
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + value * samples

    def values(self):
        """Return the means so far, a dict."""
        return {name: total / self.samples for name, total in self.totals.items()}


def unpack(given, names, what):
    """Return (x, y, dict of the rest) for X or a tuple (X, y, *rest); y may be None or left out."""
    arrays = given if isinstance(given, tuple) else (given,)
    if not arrays:
        raise ValueError(f"{what} must be X or a tuple (X, y), got ()")
    if len(arrays) == 1:
        arrays = (*arrays, None)
    x, y, *more = arrays
    if len(more) != len(names):
        raise ValueError(
            f"{what} must be {', '.join(['X or a tuple (X, y', *names])}), got {len(given)} arrays"
        )
    return x, y, dict(zip(names, more, strict=True))


class Rows:
    """Batches of rows of arrays. An np.memmap is read batch by batch.

    data : dict of arrays of one length, as `check_data` returns it
    """

    def __init__(self, data, batch_size, shuffle):
        self.data, self.batch_size, self.shuffle = data, batch_size, shuffle
        self.count = math.ceil(len(data["x"]) / batch_size)  # batches in an epoch

    def epoch(self, rng):
        """Yield the batches of an epoch, each a dict of `loss`'s arguments."""
        order = self.order(rng)
        for start in range(0, len(order), self.batch_size):
            yield select_rows(self.data, order[start : start + self.batch_size])

    def order(self, rng):
        """Return the numbers of the rows of an epoch, in order, (n,)."""
        n = len(self.data["x"])
        return rng.permutation(n) if self.shuffle else np.arange(n)


class Stream:
    """Batches from a function, called once an epoch, which returns an iterable of them.

    In place of the function it takes an object as `is_loader` describes. Its batches may be lists
    of arrays, as those of PyTorch's DataLoader are.
    """

    def __init__(self, model, function):
        self.model, self.names = model, side_names(model)
        self.function = function if callable(function) else lambda: map(self.as_tuple, function)
        self.count = 0  # not known before the first epoch is over

    def as_tuple(self, batch):
        """Return a loader's batch as a function would: x or (x, y, *side).

        A loader for a conditional model gives (x, labels), since it has no y.
        """
        if hasattr(type(self.model), "pack"):  # of several modalities: a dict, or one after another
            return [*batch] if isinstance(batch, tuple) else batch
        if isinstance(batch, Mapping):
            first = next(iter(batch), "x")
            raise ValueError(
                f"X gives batches that are dicts, with the keys {[*batch]}: pass the one to "
                f"reconstruct, lambda: (batch[{first!r}] for batch in X)"
            )
        shape, is_list = self.model.input_shape, isinstance(batch, (list, tuple)) and len(batch)
        ranks = [np.ndim(each) for each in batch[:3]] if is_list else [0]
        has_labels = len(ranks) == 2 and ranks[0] > 1 and ranks[1] == 1
        if ranks[0] == 1 + len(shape) or has_labels:
            arrays = tuple(map(np.asarray, batch))
            if self.names and len(arrays) == 1 + len(self.names):
                return (arrays[0], None, *arrays[1:])
            if has_labels:
                is_flat = len(shape) == 1 and arrays[0].ndim > 2  # images for a flat model
                x = f"x.reshape(-1, {shape[0]})" if is_flat else "x"
                raise ValueError(
                    f"X gives batches (x, labels), but {type(self.model).__name__} has no labels: "
                    f"pass lambda: ({x} for x, _ in X)"
                )
            return arrays
        return np.asarray(batch)

    def epoch(self, rng):
        """Yield the batches of an epoch, each checked, a dict of `loss`'s arguments."""
        count = 0
        for count, batch in enumerate(self.function(), 1):
            what = f"X(), batch {count}"
            x, y, side = unpack(batch, self.names, what)
            yield check_data(self.model, x, y, side, f"{what}: x", f"{what}: y")
        if not count:
            raise ValueError(
                "X() gave no batches: at each call it must return a new iterator, since each is "
                "over after one epoch"
            )
        self.count = count
