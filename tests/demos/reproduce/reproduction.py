"""Helpers for the tests of the reproductions."""

from types import SimpleNamespace

import numpy as np

EPS = np.finfo(float).eps


def choose(folder, seed=0, **more):
    """Return options as a script has them."""
    return SimpleNamespace(out=folder, seed=seed, quick=True, **more)


def paper_table(text):
    """Return the last table of a run: the paper's result and ours by row, both as text."""
    block = [part for part in text.split("\n\n") if "  paper  " in part][-1]
    rows = [line.rsplit(maxsplit=2) for line in block.strip().splitlines()[1:]]
    return {name.strip(): results for name, *results in rows}
