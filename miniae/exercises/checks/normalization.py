"""Checks of batch normalisation, forward and backward."""

import numpy as np


def draw(ask):
    """Return x, dout (n, d), gamma, beta (d,) and eps, large enough to be seen; n is not d."""
    n, d = ask.rng.permutation([4, 5, 6])[:2].tolist()
    x, dout = ask.rng.standard_normal((2, n, d))
    gamma = ask.rng.uniform(0.5, 1.5, d) * ask.rng.choice([-1, 1], d)
    spread, mean = ask.rng.uniform(0.7, 1.5, d), ask.rng.uniform(1, 2, d)
    return mean + spread * x, dout, gamma, ask.rng.standard_normal(d), ask.rng.uniform(0.1, 0.3)


def normal(x, eps, axis=0, ddof=0):
    """Return c = x - mean, the variance v, s = sqrt(v + eps) and xhat = c / s."""
    c = x - x.mean(axis, keepdims=True)
    v = (c**2).sum(axis, keepdims=True) / (x.shape[axis] - ddof)
    return c, v, np.sqrt(v + eps), c / np.sqrt(v + eps)


def check_forward(ask):
    """out = gamma (x - m) / sqrt(v + eps) + beta."""
    x, _, gamma, beta, eps = draw(ask)
    c, v, s, xhat = normal(x, eps)
    mistakes = {
        "the mean and variance are those of each sample (axis 1), as in a LayerNorm: take them "
        "over the samples (axis 0)": normal(x, eps, axis=1)[3],
        "the mean and variance are one number for all features: take them over axis 0": (
            (x - x.mean()) / np.sqrt(x.var() + eps)
        ),
        "v divides by n - 1: here it divides by n": normal(x, eps, ddof=1)[3],
        "eps is outside the square root: s = sqrt(v + eps)": c / (np.sqrt(v) + eps),
        "eps is missing": c / np.sqrt(v),
        "it is divided by v + eps: divide by the square root, s": c / s**2,
        "the mean is not subtracted": x / s,
        "v is the mean of x^2: subtract the mean first": c / np.sqrt((x**2).mean(axis=0) + eps),
    }
    mistakes = {words: gamma * value + beta for words, value in mistakes.items()}
    mistakes["gamma and beta are missing: this is xhat"] = xhat
    mistakes["beta is missing"] = gamma * xhat
    mistakes["gamma is missing"] = xhat + beta
    mistakes["gamma and beta are exchanged"] = beta * xhat + gamma
    ask.equal(ask("batchnorm", x, gamma, beta, eps), gamma * xhat + beta, mistakes, "out")


def check_backward(ask):
    """dx = (dxhat - mean(dxhat) - xhat mean(dxhat xhat)) / s."""
    x, dout, gamma, _, eps = draw(ask)
    n, dxhat = len(x), gamma * dout
    c, v, s, xhat = normal(x, eps)
    mean, along = dxhat.mean(axis=0), (dxhat * xhat).mean(axis=0)
    exact = (dxhat - mean - xhat * along) / s
    over = {"axis": 1, "keepdims": True}
    without = (dout - dout.mean(axis=0) - xhat * (dout * xhat).mean(axis=0)) / s
    outside = np.sqrt(v) + eps
    other = c / outside
    sums = "dout already contains the 1 / n of the loss, so here take the sum"
    mistakes = {
        "dx": {
            "the path through the mean is missing: x_i lowers every xhat_j by 1 / (n s)": (
                (dxhat - xhat * along) / s
            ),
            "the path through the variance is missing: subtract xhat mean(dxhat xhat)": (
                (dxhat - mean) / s
            ),
            "mean and variance are treated as constants, but both depend on x": dxhat / s,
            "gamma is missing: out = gamma xhat + beta, so dxhat = gamma dout": without,
            "gamma and both paths are missing": dout / s,
            "the two means are sums: each has a factor 1 / n": (
                (dxhat - n * mean - n * xhat * along) / s
            ),
            "the term of the mean is a sum: it has a factor 1 / n": (
                (dxhat - n * mean - xhat * along) / s
            ),
            "the term of the variance is a sum: it has a factor 1 / n": (
                (dxhat - mean - n * xhat * along) / s
            ),
            "the factor xhat before the term of the variance is missing": (
                (dxhat - mean - along) / s
            ),
            "the term of the variance is mean(dxhat): inside it is mean(dxhat xhat)": (
                (dxhat - mean - xhat * mean) / s
            ),
            "the term of the variance is doubled: the 2 of (x - m)^2 cancels the 1/2 of the square "
            "root": (dxhat - mean - 2 * xhat * along) / s,
            "the term of the variance is halved: the 1/2 of the square root cancels the 2 of "
            "(x - m)^2": (dxhat - mean - 0.5 * xhat * along) / s,
            "the term of the variance has the wrong sign: a larger s makes xhat smaller": (
                (dxhat - mean + xhat * along) / s
            ),
            "the term of the mean has the wrong sign: a larger mean lowers xhat": (
                (dxhat + mean - xhat * along) / s
            ),
            "it is divided by s^2 = v + eps: divide by s": exact / s,
            "it is not divided by s": exact * s,
            "x - m stands where xhat = (x - m) / s must stand": (
                (dxhat - mean - c * (dxhat * c).mean(axis=0)) / s
            ),
            "x stands where xhat must stand": ((dxhat - mean - x * (dxhat * x).mean(axis=0)) / s),
            "the means are over the features (axis 1): take them over the samples (axis 0)": (
                (dxhat - dxhat.mean(**over) - xhat * (dxhat * xhat).mean(**over)) / s
            ),
            "eps is missing in s": (
                (dxhat - mean - c / np.sqrt(v) * (dxhat * c / np.sqrt(v)).mean(axis=0)) / np.sqrt(v)
            ),
            "eps is outside the square root: s = sqrt(v + eps)": (
                (dxhat - mean - other * (dxhat * other).mean(axis=0)) / outside
            ),
            "v divides by n - 1: here it divides by n": unbiased(x, dxhat, eps),
        },
        "dgamma": {
            "dgamma is the sum of dout: xhat is missing, out = gamma xhat + beta": dout.sum(axis=0),
            "dgamma has x instead of xhat": (dout * x).sum(axis=0),
            "dgamma has x - m instead of xhat: divide by s": (dout * c).sum(axis=0),
            "dgamma has a factor gamma: gamma acts on out with slope xhat": (dxhat * xhat).sum(
                axis=0
            ),
            f"dgamma is a mean: {sums}": (dout * xhat).mean(axis=0),
            "dgamma is not summed: all samples share gamma": dout * xhat,
            "dgamma is summed over the features (axis 1): sum over the samples": (
                (dout * xhat).sum(axis=1)
            ),
            "dgamma is the sum of xhat, which is 0: dout is missing": xhat.sum(axis=0),
        },
        "dbeta": {
            f"dbeta is a mean: {sums}": dout.mean(axis=0),
            "dbeta is not summed: all samples share beta": dout,
            "dbeta is summed over the features (axis 1): sum over the samples": dout.sum(axis=1),
            "dbeta has a factor gamma: beta acts on out with slope 1": dxhat.sum(axis=0),
            "dbeta is one number: sum over the samples only (axis 0)": dout.sum(),
        },
    }
    right = {"dx": exact, "dgamma": (dout * xhat).sum(axis=0), "dbeta": dout.sum(axis=0)}
    ask.equal(ask("batchnorm_backward", dout, x, gamma, eps), right, mistakes)


def unbiased(x, dxhat, eps):
    """Return dx with a v that divides by n - 1."""
    _, _, s, xhat = normal(x, eps, ddof=1)
    return (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / s


EXERCISES = {
    "batchnorm": {
        "title": "Batch normalisation, forward and backward",
        "minutes": 45,
        "parts": {"batchnorm": check_forward, "batchnorm_backward": check_backward},
        "hints": (
            "Work on one feature, a column of n numbers. dbeta = sum_i dout_i, dgamma = sum_i "
            "dout_i xhat_i, and dxhat_i = gamma dout_i. Only dx needs more work.",
            "x_i acts on xhat_j = (x_j - m) / s in three ways: directly if i = j, with slope 1 / "
            "s; through m, with slope -1 / (n s); through s, with slope -xhat_j / s times ds/dx_i.",
            "ds/dx_i = xhat_i / n, since dv/dx_i = 2 (x_i - m) / n and ds/dv = 1 / (2 s). Sum over "
            "j: dx_i = (dxhat_i - mean_j dxhat_j - xhat_i mean_j(dxhat_j xhat_j)) / s.",
        ),
    },
}
