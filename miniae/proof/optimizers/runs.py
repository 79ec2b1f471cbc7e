"""Runs: gradients that hide no mistakes, and an optimiser that is watched step by step."""

from dataclasses import dataclass

import numpy as np

from miniae.proof.optimizers.rules import Problem, lengths, rates
from miniae.proof.optimizers.subject import said

GUARD = 4  # numbers on either side of theta that must not change


def draw(rng, steps, scales, dtype="float64"):
    """Return gradients (steps, n) of the given scales; the size also varies between steps.

    They are normal times log-normal: some are much larger or smaller than the others, so a running
    maximum differs from a running mean.
    """
    shape = steps, len(scales)
    return (scales * rng.standard_normal(shape) * np.exp(rng.standard_normal(shape))).astype(dtype)


def with_zeros(rng, gradients):
    """Set zeros in the last three columns: in all steps, in half of them, in the first five."""
    gradients[:, -3] = 0
    gradients[rng.random(len(gradients)) < 0.5, -2] = 0
    gradients[:5, -1] = 0
    gradients[3] = 0  # and one step with zeros only
    return gradients


def start(rng, gradients, settings):
    """Draw theta some ten steps from 0; a larger one would hide steps by rounding."""
    size = np.sqrt(np.mean(np.square(gradients, dtype=np.longdouble), axis=0))
    if settings["clip_norm"] is not None:
        size = size * min(1.0, settings["clip_norm"] / (np.median(lengths(gradients)) or 1.0))
    if "eps" in settings:
        size = size / (size + (settings["eps"] or 1.0))
    size = np.where(size == 0, 1.0, size)
    rate = np.abs(rates(settings["lr"], min(50, len(gradients)))).max() or 1.0
    return (10 * rate * size * rng.standard_normal(len(size))).astype(gradients.dtype)


class Walk:
    """An optimiser and its theta; everything that they do is recorded.

    Theta is a part of a longer array. With refill, all gradients use one array, which is
    overwritten after each step, as in a loop over batches. Otherwise each gradient has an array
    of its own, which only the optimiser can change.

    Attributes
    ----------
    before, after : list of ndarray, theta before and after each step
    trouble : str, the error that a step raised; "" if there was none
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
        if lost.any():  # recorded above; reset, so that the other entries can still be followed
            self.theta[lost] = self.before[-1][lost]
        self.seen.append(gradient)
        self.handed.append(dtheta if self.buffer is None else dtheta.copy())
        if self.buffer is not None:
            self.buffer[...] = -3 * gradient[::-1] + 1

    def run(self, gradients, meddle=None):
        """Make a step with each gradient; call ``meddle(t, walk)`` before step t = 0, 1, ..."""
        for t, gradient in enumerate(gradients):
            if meddle is not None:
                meddle(t, self)
            self.step(gradient)
        return self

    def gradient_changed(self):
        """Return the first step in which dtheta was changed; 0 if there is none."""
        same = [np.array_equal(a, b) for a, b in zip(self.handed, self.seen, strict=True)]
        return 0 if all(same) else same.index(False) + 1

    def neighbours_changed(self):
        """Return whether memory beside theta was changed."""
        return bool((self.memory[:GUARD] != 7).any() or (self.memory[-GUARD:] != 7).any())


class Trial:
    """A walk, its problem, and the right theta after each step.

    Parameters
    ----------
    period : int or None
        The vectors repeat after so many entries; the problem uses the first ones only.
    """

    def __init__(self, walk, rule, settings, period=None):
        before, gradients = np.array(walk.before), np.array(walk.seen)
        self.walk, self.after = walk, np.array(walk.after)[:, :period]
        norms = lengths(gradients) if settings["clip_norm"] and period else None
        self.follow(Problem(rule, gradients[:, :period], before[:, :period], settings, norms,
                            gradients.shape[1]))  # fmt: skip

    def follow(self, problem):
        """Set the problem, and compute `expected`, the right theta after each step."""
        self.problem, self.expected = problem, problem.solve()


@dataclass
class Deviation:
    """The entry with the largest error relative to its limit.

    error, limit : float, relative to the right step, or to theta if that is zero
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
    """Compare some columns of theta after each step with the right values."""
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
