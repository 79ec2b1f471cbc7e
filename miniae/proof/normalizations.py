"""Hypotheses on layers that normalise: which path, of the mean or the spread, is missing in dx?

A layer divides c = x - mean (or c = x) by a spread s, over some axes, and multiplies by gamma. The
spread is s = sqrt(avg c^2 + eps), with ds/dc = c / (n s), or s = q + eps with q = sqrt(avg c^2) and
ds/dc = c / (n q). With dxhat = gamma dout, r = s or r = q, and the path through the mean,

    dx = (dxhat - mean(dxhat)) / s - c avg(dxhat c) / (s^2 r).

Ioffe and Szegedy (2015), section 3. The axes, eps and gamma of a layer are not known. So all
combinations are tried; for the one whose formula gives the numeric gradient, its slips are offered.
"""

from itertools import product

import numpy as np

MATCH = 1e-6  # of the largest entry
EPS = (0.0, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


def of_normalization(subject, numeric):
    """Return (cause, words, dx) for each slip in the normalisation whose dx is `numeric`."""
    x, dout = subject.x, subject.dout
    if x.shape != dout.shape or x.ndim < 2 or not np.isfinite(numeric).all():
        return []
    for formula in formulas(subject.exact, x, dout):
        with np.errstate(all="ignore"):
            right = formula()
        if np.abs(right - numeric).max() <= MATCH * np.abs(numeric).max():
            constant = "is treated as constant, but it depends on x: its path is missing in dx"
            found = [("variance constant", f"the spread {constant}", formula(spread=False))]
            if formula.centre:
                found += [
                    ("mean constant", f"the mean {constant}", formula(mean=False)),
                    ("mean and variance constant", f"mean and spread: each {constant}",
                     formula(mean=False, spread=False)),
                ]  # fmt: skip
            if formula.gamma is not None:
                words = "gamma is missing in dx: out = gamma xhat, so dxhat = gamma dout"
                found.append(("gamma forgotten", words, formula(scale=False)))
            return found
    return []


def formulas(layer, x, dout):
    """Yield the formula for each combination of axes, centring, average, eps and gamma."""
    last = x.ndim - 1
    sets = [(0,), (last,), tuple(range(last)), tuple(range(1, x.ndim)), tuple(range(1, last))]
    sets = dict.fromkeys([axes for axes in sets if axes] + [tuple(range(x.ndim))])
    floats = [value for value in vars(layer).values() if type(value) is float and 0 < value < 0.1]
    shapes = {(x.shape[-1],), x.shape[1:]}
    gammas = [None, *(p for p in layer.params.values() if p.shape in shapes or p.size == 1)]
    for axes, (centre, rows), gamma in product(
        sets, ((True, "n"), (True, "n - 1"), (False, "n"), (False, "1")), gammas
    ):
        count = np.prod([x.shape[axis] for axis in axes])
        divisor = {"n": count, "n - 1": count - 1, "1": 1}[rows]
        if divisor:
            for eps, inside in product(dict.fromkeys((*floats, *EPS)), (True, False)):
                yield Formula(x, dout, axes, centre, divisor, gamma, eps, inside)


class Formula:
    """dx of one normalisation; with mean, spread or scale False, that path is left out."""

    def __init__(self, x, dout, axes, centre, divisor, gamma, eps, inside):
        self.dout, self.axes, self.centre, self.gamma = dout, axes, centre, gamma
        self.divisor = divisor
        self.c = x - x.mean(axis=axes, keepdims=True) if centre else x
        squares = self.total(self.c**2) / divisor
        root = np.sqrt(squares)
        self.s = (np.sqrt(squares + eps) if inside else root + eps) + 1e-300
        self.r = self.s if inside else root + 1e-300

    def total(self, array):
        """Return the sum over the axes, which remain as axes of length 1."""
        return array.sum(axis=self.axes, keepdims=True)

    def __call__(self, mean=True, spread=True, scale=True):
        dxhat = self.dout * (self.gamma if scale and self.gamma is not None else 1)
        dx = dxhat / self.s
        if mean and self.centre:
            dx = dx - dx.mean(axis=self.axes, keepdims=True)
        if spread:
            dx = dx - self.c * self.total(dxhat * self.c) / (self.divisor * self.s**2 * self.r)
        return dx
