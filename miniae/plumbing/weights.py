"""sample_weight: some rows count more than others."""

import numpy as np

from miniae.plumbing.batches import Rows
from miniae.plumbing.inputs import as_array, select_rows


def check_weights(weights, n):
    """Return weights as n floats.

    Raises
    ------
    ValueError : they are not one finite number for each row, one is negative, or all are 0
    """
    given = np.asarray(as_array(weights, "sample_weight"))
    if given.shape != (n,) or given.dtype.kind not in "biuf":
        raise ValueError(
            f"sample_weight must hold one number per row of X, shape ({n},), got {given.dtype} of "
            f"shape {given.shape}"
        )
    given = given.astype(np.float64)
    bad = np.argwhere(~(np.isfinite(given) & (given >= 0)))
    if len(bad):
        i = int(bad[0, 0])
        raise ValueError(f"sample_weight[{i}] is {given[i]}, but must be finite, 0 or more")
    if not given.any():
        raise ValueError("sample_weight is 0 for all rows: no row is left to train on")
    return given / given.max()  # so that their sum is finite


def without_zeros(data, weights):
    """Return the rows of data whose weight is not 0, and their weights."""
    kept = weights > 0
    return (data, weights) if kept.all() else (select_rows(data, kept), weights[kept])


class WeightedRows(Rows):
    """Batches of rows that are drawn for each epoch, each as often as its weight says.

    An epoch has as many rows as the data, n. Row i is drawn n * weight[i] / sum(weights) times on
    average, and in each epoch this number rounded down or up. On a line, each row has a part as
    long as its weight. Evenly spaced points, n of them, all shifted by one random number, fall onto
    these parts (systematic resampling, Carpenter et al. 1999). So the mean loss over an epoch is an
    unbiased estimate of the weighted mean, and equal weights draw each row once.
    """

    def __init__(self, data, batch_size, shuffle, weights):
        super().__init__(data, batch_size, shuffle)
        self.ends = weights.cumsum()

    def order(self, rng):
        """Return the numbers of the rows of an epoch, in order, (n,)."""
        n = len(self.ends)
        points = (np.arange(n) + rng.random()) * (self.ends[-1] / n)
        rows = self.ends.searchsorted(points, side="right").clip(max=n - 1)
        return rng.permutation(rows) if self.shuffle else rows
