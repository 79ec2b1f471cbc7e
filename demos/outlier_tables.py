"""Tables with outliers: a reader of .npz files with X and y, and a table that is made up."""

import os
from pathlib import Path

import numpy as np

TABLES = ("vowels", "letter", "ionosphere")  # of the ODDS collection


def read_table(name):
    """Return X (n, d) and y (n,), 1 for outliers, of $MINIAE_DATA/anomaly/NAME.npz.

    Columns of two values or fewer are left out: they are flags, not measurements. (The one of
    ionosphere is 0 in outliers only.)

    Raises
    ------
    FileNotFoundError, ValueError : says what is wrong with which file, and what it must hold
    """
    path = Path(os.environ.get("MINIAE_DATA", "."), "anomaly", f"{name}.npz")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: it must be an .npz with arrays X and y")
    if not path.exists():
        raise FileNotFoundError(f"{path} not found: set MINIAE_DATA=<folder> that has anomaly/")
    try:
        with np.load(path, allow_pickle=False) as file:
            X, y = file["X"], file["y"].ravel()
    except Exception as error:
        raise ValueError(f"{path} must be an .npz with arrays X and y ({error})") from None
    if X.ndim != 2 or X.dtype.kind not in "iuf" or len(X) != len(y) or not X.size:
        raise ValueError(f"{path}: X {X.dtype}{X.shape} must be numbers (n, d), y {y.shape} (n,)")
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(
            f"{path}: X[{row}, {column}] is {X[row, column]}, not a finite number: "
            "drop that row or fill it in"
        )
    if not (np.isin(y, (0, 1)).all() and 0 < y.sum() < len(y) / 2):
        raise ValueError(f"{path}: y must be 0 or 1, with some ones (outliers), but below half")
    X = X[:, [len(np.unique(column)) > 2 for column in X.T]]
    if X.shape[1] < 4:
        raise ValueError(f"{path}: X has {X.shape[1]} columns with over two values; 4 are needed")
    return X.astype(float), y.astype(int)


def curved_table(n, rng):
    """Return n rows near a curved surface, of which the n / 20 with y = 1 have shuffled columns."""
    X = np.sin(3 * rng.uniform(-1, 1, (n, 2)) @ rng.standard_normal((2, 12)) + 6 * rng.random(12))
    X[: n // 20] = rng.permuted(X[: n // 20], axis=0)
    return X + 0.1 * rng.standard_normal(X.shape), (np.arange(n) < n // 20).astype(int)
