"""Do the methods `expected` and `draw` of a loss agree with its value?

* expected(out) must be the mean of the draws, and within the bounds of the data.
* For t drawn from p(t|out), the score s = d(-log p)/d out has mean 0. The variance of its part
  along any direction u is the mean of u'Hu, where H is the second derivative. These are the two
  identities of Bartlett (1953). The first fails if the draws have another mean, the second if they
  have another spread; a distribution that differs only in higher moments passes.
"""

import inspect

import numpy as np

from miniae.losses import Loss

DRAWS = 4000  # fewer if samples are large
NUMBERS = 1_000_000  # the largest number of values drawn at once
SURE = 6.5  # standard errors; a right loss exceeds this once in ten thousand million comparisons


def likelihood_failures(subject):
    """Yield a sentence for each mistake in a loss's `expected` or `draw`."""
    loss, out = subject.start.astype(np.float64), subject.x
    if not hasattr(loss, "expected") or out.ndim < 2:
        return
    before = out.copy()
    data = np.asarray(loss.expected(out))
    if not np.array_equal(before, out):
        yield "expected changed out"
        return
    if data.shape == out.shape:
        wrong = list(mean_failures(loss, data))
        yield from wrong or draw_failures(loss, out, subject.seed)


def mean_failures(loss, data):
    """Yield a failure if expected(out) is outside the bounds of the data."""
    low, high = getattr(loss, "bounds", (-np.inf, np.inf))
    if data.min() < low or data.max() > high:
        yield (
            f"expected(out) is between {data.min():.4g} and {data.max():.4g}, outside the loss's "
            f"own bounds of [{low:g}, {high:g}]: it must return data, not logits"
        )


def draw_failures(loss, out, seed):
    """Yield a failure if draws are not from the density p with loss = -log p."""
    if type(loss).draw is Loss.draw:
        return
    row, rng = 1.5 * np.tanh(out[:1]), np.random.default_rng(seed)  # no outcome is nearly certain
    n = int(np.clip(NUMBERS // row.size, 400, DRAWS))
    tiled = np.repeat(row, n, axis=0)
    try:
        draws = np.array(loss.draw(tiled, rng), float)
        others = np.asarray(loss.draw(tiled, np.random.default_rng(seed + 1)), float)
    except NotImplementedError:
        return
    if not (tiled == row).all():
        yield "draw changed out"
        return
    if np.array_equal(draws, others):
        yield "draw returns the same for two generators: all noise must come from rng"
        return
    low, high = getattr(loss, "bounds", (-np.inf, np.inf))
    if draws.min() < low or draws.max() > high:
        yield f"draws are from {draws.min():.4g} to {draws.max():.4g}, outside the loss's bounds"
        return
    if draws.shape != tiled.shape:
        yield f"draw returns shape {draws.shape} for out of shape {tiled.shape}"
        return
    off = z_score(draws.reshape(n, -1) - np.asarray(loss.expected(row)).ravel())
    if off > SURE:
        yield f"the mean of the draws is not expected(out): it is off by {off:.0f} standard errors"
        return
    if not takes_weight(loss):
        return
    u, ones = rng.standard_normal(row.shape), np.ones(n)

    def score(shift):
        loss.per_sample(tiled + shift * u, draws)
        return (loss.backward(ones) * u).reshape(n, -1).sum(axis=1)

    h = 0.03  # wide enough for some draws to be at a kink, such as that of a Laplace density
    bend = (score(h) - score(-h)) / (2 * h)
    for words, values in (
        ("the score", score(0)), ("the spread of the score", score(0) ** 2 - bend)
    ):  # fmt: skip
        off = z_score(values[:, None])
        if off > SURE:
            yield (
                f"draws are not from the density p with loss = -log p: {words} is off by "
                f"{off:.0f} standard errors"
            )
            return


def z_score(values):
    """Return the largest |mean| of the columns, in standard errors; each should have mean 0."""
    spread = values.std(axis=0) / np.sqrt(len(values))
    floor = SURE * np.abs(values).max(initial=0) / len(values)  # rare draws may have been missed
    return float((np.abs(values.mean(axis=0)) / np.maximum(spread, floor + 1e-300)).max())


def takes_weight(loss):
    """Return whether a loss's backward accepts one argument, whatever its name."""
    try:
        inspect.signature(type(loss).backward).bind(loss, 1.0)
    except TypeError:
        return False
    return True
