"""Noise: are numbers u (calls, draws, rows, latents) independent draws from N(0, 1)?

Each test gives a p-value and a few words. The tests of independence look at ranks only, so that
they hold whatever the distribution is: what is dependent is not confused with what is not normal.
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
LAG = 3  # calls, how far apart are compared
BLOCK = 8  # numbers that are added up, at most


@dataclass
class Property:
    """One property of a sampler.

    Attributes
    ----------
    name : str
    verdict : "ok", "WRONG", or "-" where it cannot be judged
    p : float, the p-value, times the number of tests made of this property (Bonferroni)
    seen : str, the figure that is furthest out
    """

    name: str
    verdict: str
    p: float
    seen: str


def summarize(name, tests, alpha):
    """Return the Property that tests, a list of (p-value, words, how many tests), speak of."""
    if not tests:
        return Property(name, "-", 1.0, "there is only one")
    p, seen, _ = min(tests, key=lambda test: test[0])
    p = min(1.0, p * sum(test[2] for test in tests))
    return Property(name, "WRONG" if p < alpha else "ok", p, seen)


def scores_of(u, rng):
    """Replace each u by the normal score of its rank among all draws of its row and latent.

    Under independence every order of the draws is equally likely, so that the scores are like
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
    """Return the test of sums of `count` products of scores: over sqrt(count), each is N(0, 1).

    words : what each row of products (rows, ...) is about
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

    It sees what no correlation of two numbers does, such as three latents any two of which are
    independent.
    """
    size = min(BLOCK, scores.shape[-1])
    if size < 2:
        return []
    signs = rng.choice([-1.0, 1.0], size)
    distance, p = kolmogorov_smirnov((scores[..., :size] @ signs).ravel() / math.sqrt(size))
    return [(p, f"sums of {size} {words}, off the normal curve by {distance:.2g}", 1)]


def independence(u, rng, alpha):
    """Return the properties "latents", "rows" and "calls": is u independent over each?

    Correlated are u and |u|, each with each, since noise may be dependent in its size alone: of
    two latents, of rows up to a round of all rows apart, or half a batch, and of calls up to LAG
    apart.
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
        words = f"{lag} row{'s' * (lag > 1)} apart"
        tests["rows"].append(correlation(products[None], near[0].size, words))
    blocks = both[0].reshape(calls, n, latents)[:, : n // 4 * 4].reshape(calls, -1, 4, latents)
    tests["rows"] += sums(np.moveaxis(blocks, 2, -1), rng, "rows")

    for lag in range(1, min(LAG, calls - 1) + 1):
        products = sum(batch[:, t] @ batch[:, t + lag].T for t in range(calls - lag))
        count = (calls - lag) * batch.shape[-1]
        words = f"{lag} call{'s' * (lag > 1)} apart"
        tests["calls"].append(correlation(products[None], count, words))
    tests["calls"] += sums(np.moveaxis(both[0], 0, -1), rng, "calls")
    return [summarize(name, found, alpha) for name, found in tests.items()]


def repeats(u, rounding, alpha):
    """Return the property "repeats": does |u| come back more often than by chance?

    Compared are the draws of one row and latent, and all numbers with all. Of n independent
    numbers, n^2 tol / sqrt(pi) pairs of |u| are no further apart than tol, since the density f of
    |u| has int f(x)^2 dx = 1 / sqrt(pi); half as many again if they lie on a grid of step tol.
    Here tol is the rounding of z, but no less than RESOLUTION, as noise as coarse as float32's is
    no fault.

    Parameters
    ----------
    u : (calls, draws, rows, latents)
    rounding : (rows, latents), that of z, in units of u
    alpha : float, p-value of a fault
    """
    tests, size, rounding = [], np.abs(u).reshape(-1, rounding.size), np.ravel(rounding)
    # Between rows and latents std differs too, by the rounding of log_var / 2, up to 13.
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

    The sum of n squares is chi-square where u is `normal`; where it is not, the squares tell
    themselves how much they vary, and their sum is taken as normal.
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
    """Yield sums over n numbers (rows, latents), their count and where: each, by latent, all."""
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
