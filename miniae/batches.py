"""Batches: what each training step is given, rows of arrays, or what a function returns."""

import numpy as np

from miniae.inputs import check_data, side_names, take
from miniae.parameters import require


def unpack(parts, names, what):
    """Return (x, y, dict of the rest) for X or a tuple (X, y, *rest); y may be None or left out."""
    parts = parts if isinstance(parts, tuple) else (parts,)
    require(parts, f"{what} must be X or a tuple (X, y), got ()")
    x, y, *more = (*parts, None) if len(parts) == 1 else parts
    require(
        len(more) == len(names),
        f"{what} must be {', '.join(['X or a tuple (X, y', *names])}), got {len(parts)} arrays",
    )
    return x, y, dict(zip(names, more, strict=True))


class Rows:
    """Batches of rows of arrays, which may be np.memmap: a batch at a time is read.

    data : dict of arrays of one length, as `check_data` returns it
    """

    def __init__(self, data, batch_size, shuffle):
        self.data, self.batch_size, self.shuffle = data, batch_size, shuffle
        self.count = -(-len(data["x"]) // batch_size)  # batches in an epoch

    def epoch(self, rng):
        """Yield the batches of an epoch, each a dict of `loss`'s arguments."""
        n = len(self.data["x"])
        order = rng.permutation(n) if self.shuffle else np.arange(n)
        for start in range(0, n, self.batch_size):
            yield take(self.data, order[start : start + self.batch_size])


class Stream:
    """Batches from a function, called once an epoch, which returns an iterable of them."""

    def __init__(self, model, function):
        self.model, self.function, self.names = model, function, side_names(model)
        self.count = 0  # not known before the first epoch is over

    def epoch(self, rng):
        """Yield the batches of an epoch, each checked, a dict of `loss`'s arguments."""
        count = 0
        for count, batch in enumerate(self.function(), 1):
            what = f"X(), batch {count}"
            x, y, side = unpack(batch, self.names, what)
            yield check_data(self.model, x, y, side, f"{what}: x", f"{what}: y")
        require(
            count,
            "X() gave no batches: at each call it must return a new iterator, since each is over "
            "after one epoch",
        )
        self.count = count
