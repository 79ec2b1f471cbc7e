"""p-values: how often chance alone gives a result at least as extreme as the one observed.

In m tests, a p-value below a / m occurs by chance with a probability of at most a, even if the
tests depend on each other (Bonferroni).
"""

import math

import numpy as np

GRID = np.linspace(-9.0, 9.0, 18_001)  # beyond it lie 2e-19 of the normal distribution
CDF = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in GRID])


def normal_cdf(x):
    """Return Phi(x), the distribution function of N(0, 1), with the shape of x.

    It is interpolated on GRID; the error is at most h^2 / 8 max |Phi''| = 3e-8, with h = 1e-3.
    """
    return np.interp(x, GRID, CDF)


def normal_scores(n):
    """Return n quantiles of N(0, 1), Phi^-1(i / (n + 1)), scaled to variance 1."""
    scores = np.interp(np.arange(1, n + 1) / (n + 1), CDF, GRID)
    return scores / scores.std()


def two_sided(z):
    """Return P(|N(0, 1)| >= |z|), a float."""
    return math.erfc(abs(float(z)) / math.sqrt(2))


def chi_square_score(total, n):
    """Turn the sum of n squares of N(0, 1) into an N(0, 1). Wilson and Hilferty (1931).

    (total / n)^(1/3) is nearly normal, with mean 1 - 2 / (9 n) and variance 2 / (9 n).
    """
    return (np.cbrt(total / n) - 1 + 2 / (9 * n)) / np.sqrt(2 / (9 * n))


def kolmogorov_smirnov(x):
    """Test whether numbers x (n,), n >= 100, are draws from N(0, 1).

    Returns
    -------
    distance : float, the largest difference between Phi and the share of x below a point
    p : float
        Kolmogorov's series 2 sum_k (-1)^(k-1) exp(-2 k^2 t^2), with t = (sqrt(n) + 0.12 + 0.11 /
        sqrt(n)) distance, which is also accurate for small n. Stephens (1970)
    """
    n = len(x)
    cdf, steps = normal_cdf(np.sort(x)), np.arange(n + 1) / n
    distance = float(max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max()))
    t = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    if t < 0.3:  # the series converges slowly there; its value is 1 - 9e-6
        return distance, 1.0
    terms = [(-1) ** (k - 1) * math.exp(-2 * (k * t) ** 2) for k in range(1, 30)]
    return distance, min(1.0, 2 * sum(terms))


def binomial(count, n, probability):
    """Test, two-sided, whether `count` successes in n independent trials fit this probability.

    The p-value is twice the smaller tail. It is exact, because each tail is summed term by term:
    the ratio of successive terms is (n - i) / (i + 1) times the odds.
    """
    i, odds = np.arange(n), math.log(probability) - math.log1p(-probability)
    steps = np.log((n - i) / (i + 1)) + odds
    terms = np.exp(n * math.log1p(-probability) + np.concatenate([[0.0], np.cumsum(steps)]))
    return float(min(1.0, 2 * min(terms[: count + 1].sum(), terms[count:].sum())))


def poisson_at_least(count, mean):
    """Return an upper bound of P(N >= count), N Poisson with at most this mean (Chernoff)."""
    if count <= mean:
        return 1.0
    return math.exp(count - mean - count * math.log(count / mean))
