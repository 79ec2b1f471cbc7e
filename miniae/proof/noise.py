"""Noise: are numbers u (calls, draws, rows, latents) independent draws from N(0, 1)?

Each test returns a p-value and a few words. The tests of independence use ranks only, so they hold
for any distribution: noise that is not normal is not reported as dependent.
"""

import math
from dataclasses import dataclass

import numpy as np

from miniae.proof.significance import (
    binomial,
    chi_square_score,
    kolmogorov_smirnov,
    normal_scores,
    poisson_at_least,
    two_sided,
)

TAILS = (2.0, 3.0, 4.0)
RESOLUTION = 2.0**-21  # of float32 noise: 24 bits, for |u| up to 8
LAG = 3  # the largest distance, in calls, of draws that are compared
BLOCK = 8  # the largest number of values in a sum


@dataclass
class Property:
    """One property of a sampler.

    Attributes
    ----------
    name : str
    verdict : "ok", "WRONG", or "-" if it cannot be judged
    p : float, the p-value, times the number of tests of this property (Bonferroni)
    seen : str, the most extreme result
    """

    name: str
    verdict: str
    p: float
    seen: str


def summarize(name, tests, alpha):
    """Return the Property for a list of tests, each (p-value, words, number of tests)."""
    if not tests:
        return Property(name, "-", 1.0, "there is only one")
    p, seen, _ = min(tests, key=lambda test: test[0])
    p = min(1.0, p * sum(test[2] for test in tests))
    return Property(name, "WRONG" if p < alpha else "ok", p, seen)


def scores_of(u, rng):
    """Replace each u by the normal score of its rank among all draws of its row and latent.

    If the draws are independent, every order of them is equally likely. Then the scores are like
    normal noise, whatever the distribution of u. Equal values get their ranks in random order.
    """
    flat = u.reshape(-1, u[0, 0].size)
    mixed = rng.permuted(np.broadcast_to(np.arange(len(flat))[:, None], flat.shape), axis=0)
    order = np.argsort(np.take_along_axis(flat, mixed, axis=0), axis=0, kind="stable")
    scores = np.empty(flat.shape)
    places = np.take_along_axis(mixed, order, axis=0)
    np.put_along_axis(scores, places, normal_scores(len(flat))[:, None], axis=0)
    return scores.reshape(u.shape)


def correlation(products, count, *words):
    """Test sums of `count` products of scores: divided by sqrt(count), each sum is N(0, 1).

    words : a name for each row of products (rows, ...)
    """
    place = np.unravel_index(np.argmax(np.abs(products)), products.shape)
    r = float(products[place]) / count
    return (
        two_sided(r * math.sqrt(count)),
        f"{words[place[0]]}, correlation {r:+.2g}",
        products.size,
    )


def sums(scores, rng, words):
    """Test blocks of scores (..., size): a sum of independent N(0, 1), with signs, is normal.

    This detects what no correlation of two numbers shows, such as three dependent latents of which
    any two are independent.
    """
    size = min(BLOCK, scores.shape[-1])
    if size < 2:
        return []
    signs = rng.choice([-1.0, 1.0], size)
    distance, p = kolmogorov_smirnov((scores[..., :size] @ signs).ravel() / math.sqrt(size))
    return [(p, f"sums of {size} {words}, off the normal curve by {distance:.2g}", 1)]


def independence(u, rng, alpha):
    """Return the properties "latents", "rows" and "calls": is u independent over each?

    The test computes correlations of u and |u|, in all pairs, because noise may depend in its size
    alone: between latents, between rows that are at most one cycle of all rows, or half a batch,
    apart, and between calls that are at most LAG apart.
    """
    calls, draws, rows, latents = u.shape
    centred = np.abs(u - u.mean(axis=(0, 1)))
    both = np.stack([scores_of(u, rng), scores_of(centred, rng)])  # of u and of |u|
    tests = {"latents": [], "rows": [], "calls": []}

    columns = both.reshape(2, -1, latents).transpose(1, 0, 2).reshape(-1, 2 * latents)
    products = (columns.T @ columns).reshape(2, latents, 2, latents).transpose(1, 3, 0, 2)
    j, k = np.triu_indices(latents, 1)
    if latents > 1:
        words = [f"latents {a}, {b}" for a, b in zip(j, k, strict=True)]
        tests["latents"] = [correlation(products[j, k], len(columns), *words)]
        tests["latents"] += sums(both[0], rng, "latents")

    batch = both.reshape(2, calls, -1)
    n = draws * rows
    for lag in (*range(1, rows + 1), n // 2):
        near, far = batch[..., : -lag * latents], batch[..., lag * latents :]
        products = sum(near[:, t] @ far[:, t].T for t in range(calls))
        tests["rows"].append(correlation(products[None], near[0].size, f"distance {lag} rows"))
    blocks = both[0].reshape(calls, n, latents)[:, : n // 4 * 4].reshape(calls, -1, 4, latents)
    tests["rows"] += sums(np.moveaxis(blocks, 2, -1), rng, "rows")

    for lag in range(1, min(LAG, calls - 1) + 1):
        products = sum(batch[:, t] @ batch[:, t + lag].T for t in range(calls - lag))
        count = (calls - lag) * batch.shape[-1]
        tests["calls"].append(correlation(products[None], count, f"distance {lag} calls"))
    tests["calls"] += sums(np.moveaxis(both[0], 0, -1), rng, "calls")
    return [summarize(name, found, alpha) for name, found in tests.items()]


def repeats(u, rounding, alpha):
    """Return the property "repeats": do values of |u| repeat more often than by chance?

    The test compares the draws of one row and latent, and all numbers with all. Among n independent
    numbers, n^2 tol / sqrt(pi) pairs of |u| differ by at most tol, since the density f of |u| has
    int f(x)^2 dx = 1 / sqrt(pi). There are half as many more if the values are on a grid of step
    tol. Here tol is the rounding of z, but at least RESOLUTION, because float32 noise is allowed.

    Parameters
    ----------
    u : (calls, draws, rows, latents)
    rounding : (rows, latents), of z, in units of u
    alpha : float, the p-value below which the property is WRONG
    """
    tests, size, rounding = [], np.abs(u).reshape(-1, rounding.size), np.ravel(rounding)
    # Between rows and latents, std also differs by the rounding of log_var / 2, up to 13.
    for x, tol, words in (
        (size, rounding, "of one row and latent"),
        (size.reshape(-1, 1), 13 * rounding.max(keepdims=True), "of all numbers"),
    ):
        ties = int((np.diff(np.sort(x, axis=0), axis=0) <= tol).sum())
        pairs = 1.5 * len(x) ** 2 / math.sqrt(math.pi) * np.maximum(tol, RESOLUTION)
        tests.append((poisson_at_least(ties, pairs.sum()), f"{ties:,} repeats {words}", 1))
    return summarize("repeats", tests, alpha)


def spread(u, alpha, normal=True):
    """Return the property "std", of each row and latent, of each latent, and of all u.

    If u is `normal`, the sum of n squares is chi-square. If not, the variance of the squares is
    estimated from the squares, and their sum is treated as normal.
    """
    squares, tests = (u - u.mean(axis=(0, 1))) ** 2, []
    freedom = u.shape[0] * u.shape[1] - 1
    deviations = ((squares - 1) ** 2).sum(axis=(0, 1))
    for (total, n, words), (variance, _, _) in zip(
        _pooled(squares.sum(axis=(0, 1)), freedom), _pooled(deviations, freedom), strict=True
    ):
        z = chi_square_score(total, n) if normal else (total - n) / math.sqrt(variance)
        seen = f"{math.sqrt(total / n):.4g} times the stated one{words}"
        tests.append((two_sided(z), seen, 1))
    return summarize("std", tests, alpha)


def location(u, alpha):
    """Return the property "mean", of each row and latent, of each latent, and of all u."""
    tests = []
    for total, n, words in _pooled(u.sum(axis=(0, 1)), u.shape[0] * u.shape[1]):
        z = total / math.sqrt(n)
        tests.append((two_sided(z), f"off by {z:+.2g} standard errors{words}", 1))
    return summarize("mean", tests, alpha)


def _pooled(sums, n):
    """Yield (sum, count, place) for each row and latent, for each latent, and for all."""
    for (row, latent), value in np.ndenumerate(sums):
        yield float(value), n, f" at [{row}, {latent}]"
    for latent, value in enumerate(sums.sum(axis=0)):
        yield float(value), n * len(sums), f" at [:, {latent}]"
    yield float(sums.sum()), n * sums.size, ""


def shape(u, alpha, together):
    """Return the properties "normal" and "tails" of each latent, and `together` of all u."""
    groups = {f" at [:, {j}]": u[..., j].ravel() for j in range(u.shape[-1])}
    if together:
        groups[""] = u.ravel()
    normal, tails = [], []
    for words, x in groups.items():
        distance, p = kolmogorov_smirnov(x)
        normal.append((p, f"off the normal curve by {distance:.2g}{words}", 1))
        for limit in TAILS:
            share = math.erfc(limit / math.sqrt(2))
            count = int((np.abs(x) > limit).sum())
            seen = f"{count:,} beyond {limit:g} std, {share * x.size:,.0f} expected{words}"
            tails.append((binomial(count, x.size, share), seen, 1))
    return summarize("normal", normal, alpha), summarize("tails", tails, alpha)
