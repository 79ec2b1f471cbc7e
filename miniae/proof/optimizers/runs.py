"""Runs: gradients without blind spots, and an optimiser that is watched step by step."""

from dataclasses import dataclass

import numpy as np

from miniae.proof.optimizers.rules import Problem, lengths, rates
from miniae.proof.optimizers.subject import said

GUARD = 4  # numbers on either side of theta that must stay


def draw(rng, steps, scales, dtype="float64"):
    """Return gradients (steps, n) of the given scales, which vary from step to step as well.

    They are normal times log-normal: now and then one is much larger or smaller than the others,
    so that a running maximum is not a running mean.
    """
    shape = steps, len(scales)
    return (scales * rng.standard_normal(shape) * np.exp(rng.standard_normal(shape))).astype(dtype)


def with_zeros(rng, gradients):
    """Put zeros into the last three columns: all of it, half of it, and the first five steps."""
    gradients[:, -3] = 0
    gradients[rng.random(len(gradients)) < 0.5, -2] = 0
    gradients[:5, -1] = 0
    gradients[3] = 0  # and one step that has nothing else
    return gradients


def start(rng, gradients, settings):
    """Draw theta about ten steps from 0: the larger it is, the more of a step rounding hides."""
    size = np.sqrt(np.mean(np.square(gradients, dtype=np.longdouble), axis=0))
    if settings["clip_norm"] is not None:
        size = size * min(1.0, settings["clip_norm"] / (np.median(lengths(gradients)) or 1.0))
    if "eps" in settings:
        size = size / (size + (settings["eps"] or 1.0))
    size = np.where(size == 0, 1.0, size)
    rate = np.abs(rates(settings["lr"], min(50, len(gradients)))).max() or 1.0
    return (10 * rate * size * rng.standard_normal(len(size))).astype(gradients.dtype)


class Walk:
    """An optimiser and its theta, watched.

    Theta is a stretch of a longer array. With refill, all gradients come in one array, which holds
    something else as soon as the step is made, as in a loop over batches. Otherwise each has an
    array of its own, which only the optimiser could write to.

    Attributes
    ----------
    before, after : list of ndarray, theta before and after each step
    trouble : str, what a step raised, "" if none did
    """

    def __init__(self, optimizer, theta, refill=False):
        self.optimizer, self.buffer = optimizer, np.empty_like(theta) if refill else None
        self.memory = np.pad(theta, GUARD, constant_values=7)
        self.theta = self.memory[GUARD:-GUARD]
        self.before, self.after, self.seen, self.handed, self.trouble = [], [], [], [], ""

    def step(self, gradient):
        """Make one step with a gradient."""
        if self.trouble:
            return
        dtheta = gradient.copy()
        if self.buffer is not None:
            self.buffer[...] = gradient
            dtheta = self.buffer
        self.before.append(self.theta.copy())
        try:
            self.optimizer.step(self.theta, dtheta)
        except Exception as error:
            self.trouble = f"step {len(self.before)} raised {said(error)}"
        self.after.append(self.theta.copy())
        lost = ~np.isfinite(self.theta)
        if lost.any():  # noted above; from here the other entries can still be followed
            self.theta[lost] = self.before[-1][lost]
        self.seen.append(gradient)
        self.handed.append(dtheta if self.buffer is None else dtheta.copy())
        if self.buffer is not None:
            self.buffer[...] = -3 * gradient[::-1] + 1

    def run(self, gradients, meddle=None):
        """Make a step with each gradient; ``meddle(t, walk)`` comes before step t = 0, 1, ..."""
        for t, gradient in enumerate(gradients):
            if meddle is not None:
                meddle(t, self)
            self.step(gradient)
        return self

    def gradient_changed(self):
        """Return the first step whose dtheta is not what was handed over; 0 if there is none."""
        same = [np.array_equal(a, b) for a, b in zip(self.handed, self.seen, strict=True)]
        return 0 if all(same) else same.index(False) + 1

    def neighbours_changed(self):
        """Return whether something beside theta was written to."""
        return bool((self.memory[:GUARD] != 7).any() or (self.memory[-GUARD:] != 7).any())


class Trial:
    """A walk, the problem that it solves, and where it must end up after each step.

    Parameters
    ----------
    period : int or None
        The vectors repeat themselves after so many entries; the problem is that of the first.
    """

    def __init__(self, walk, rule, settings, period=None):
        before, gradients = np.array(walk.before), np.array(walk.seen)
        self.walk, self.after = walk, np.array(walk.after)[:, :period]
        norms = lengths(gradients) if settings["clip_norm"] and period else None
        self.follow(Problem(rule, gradients[:, :period], before[:, :period], settings, norms,
                            gradients.shape[1]))  # fmt: skip

    def follow(self, problem):
        """Take this for the problem; `expected` is theta after each step by the rule."""
        self.problem, self.expected = problem, problem.solve()


@dataclass
class Deviation:
    """The worst of a comparison: the entry that is furthest off, measured by its limit.

    error, limit : float, in units of the step's right length, of theta if it stands still
    step, entry : int, from 1 and from 0
    first : int, the first wrong step; 0 if all are right
    seen : bool, whether there is a step that rounding does not hide
    lost : bool, whether theta becomes NaN or infinite there
    """

    ratio: float
    error: float
    limit: float
    step: int
    entry: int
    first: int
    seen: bool
    lost: bool


def compare(expected, before, after, columns=slice(None)):
    """Compare some columns of theta after each step with what they must be."""
    value, error = expected.value[:, columns], expected.error[:, columns]
    before, after = before[:, columns], after[:, columns]
    off = np.abs(after - value)
    off[np.isnan(after) & np.isnan(value)] = 0
    ratio = np.where(off == 0, 0, off / error)
    ratio[np.isnan(ratio)] = np.inf
    change = value - before
    step, entry = np.unravel_index(np.argmax(ratio), ratio.shape)
    size = abs(change[step, entry]) or abs(before[step, entry]) or 1.0
    wrong = (ratio > 1).any(axis=1)
    seen = error < 0.1 * np.abs(change)
    return Deviation(
        float(ratio[step, entry]),
        float(off[step, entry] / size),
        float(error[step, entry] / size),
        int(step) + 1,
        int(entry),
        int(np.argmax(wrong)) + 1 if wrong.any() else 0,
        bool(seen.any()),
        not np.isfinite(after[step, entry]),
    )
