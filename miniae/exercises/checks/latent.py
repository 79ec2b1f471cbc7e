"""Checks of what a VAE adds: noise with a gradient, and the KL."""

import numpy as np

from miniae.exercises.questions import Wrong, numbers

MEAN = "take the sum over latents, the mean over samples"


def check_reparameterise(ask):
    """z = mu + exp(log_var / 2) eps, from h = [mu, log_var]."""
    h, eps = ask.rng.standard_normal((4, 6)), ask.rng.standard_normal((4, 3))
    mu, log_var = h[:, :3], h[:, 3:]
    right = mu + np.exp(log_var / 2) * eps
    mistakes = {
        "exp(log_var) is the variance: multiply eps by the standard deviation, exp(log_var / 2)": mu
        + np.exp(log_var) * eps,
        "log_var is not the standard deviation: use exp(log_var / 2)": mu + log_var * eps,
        "mu and log_var are exchanged: the first half of h is mu": log_var + np.exp(mu / 2) * eps,
        "h is split into even and odd columns: mu is its first half, log_var the second": (
            h[:, ::2] + np.exp(h[:, 1::2] / 2) * eps
        ),
        "eps is missing": mu + np.exp(log_var / 2),
        "this is mu alone: the noise is missing": mu,
        "it is exp(2 log_var): divide log_var by 2, do not multiply": mu
        + np.exp(2 * log_var) * eps,
        "mu is missing": np.exp(log_var / 2) * eps,
        "eps must multiply std only, not mu: mu + std * eps": (mu + np.exp(log_var / 2)) * eps,
    }
    got, again = (numbers(ask("reparameterise", h, eps), "z") for _ in range(2))
    if got.shape == again.shape and not np.array_equal(got, again, equal_nan=True):
        raise Wrong("two calls with the same eps differ: use the given eps, do not draw your own")
    ask.equal(got, right, mistakes, "z")


def check_reparameterise_backward(ask):
    """dmu = dz, dlog_var = dz eps std / 2."""
    dz, log_var, eps = ask.rng.standard_normal((3, 4, 3))
    std = np.exp(log_var / 2)
    mistakes = {
        "dmu": {
            "dmu must be dz, without eps: z = mu + ... has slope 1 in mu": dz * eps,
            "dmu must be dz, without std: z = mu + ... has slope 1 in mu": dz * std,
        },
        "dlog_var": {
            "this is the gradient with respect to std: multiply by d std / d log_var = std / 2": dz
            * eps,
            "the 1/2 of exp(log_var / 2) is missing": dz * eps * std,
            "eps is missing: the slope of std eps in std is eps": dz * std / 2,
            "it has the variance, but it must have std": dz * eps * std**2 / 2,
            "this is the slope of exp(log_var), but z has std = exp(log_var / 2)": dz
            * eps
            * std**2,
            "dz is missing: the chain rule multiplies by it": eps * std / 2,
            "it is 0, but z depends on log_var through std": 0 * dz,
        },
    }
    got = ask("reparameterise_backward", dz, log_var, eps)
    ask.equal(got, {"dmu": dz, "dlog_var": dz * eps * std / 2}, mistakes)


def check_kl(ask):
    """KL(N(mu, std^2) || N(0, 1)), summed over latents, mean over samples."""
    mu, log_var = ask.rng.standard_normal((2, 4, 3))
    variance = np.exp(log_var)
    terms = 0.5 * (mu**2 + variance - log_var - 1)
    n = len(mu)
    mistakes = {
        f"it is also a mean over latents: {MEAN}": terms.mean(),
        f"it is also a sum over samples: {MEAN}": terms.sum(),
        "it is minus the KL: a KL is never below 0": -terms.sum() / n,
        "it is minus the KL, and also a mean over latents": -terms.mean(),
        "the 1/2 is missing": 2 * terms.sum() / n,
        "the -1 is missing: the KL must be 0 at mu = 0, log_var = 0": (terms + 0.5).sum() / n,
        "log_var is used as the log of the standard deviation, but it is the log of the variance": (
            0.5 * (mu**2 + np.exp(2 * log_var) - 2 * log_var - 1)
        ).sum()
        / n,
        "the variance is exp(log_var), not exp(log_var / 2)": (
            (0.5 * (mu**2 + np.exp(log_var / 2) - log_var - 1)).sum() / n
        ),
        "mu must be squared": (0.5 * (mu + variance - log_var - 1)).sum() / n,
        "the sign of log_var is wrong: it must be - log_var": (
            (0.5 * (mu**2 + variance + log_var - 1)).sum() / n
        ),
        "the log_var term is missing": (0.5 * (mu**2 + variance - 1)).sum() / n,
        "exp is missing: the variance is exp(log_var)": (0.5 * (mu**2 - 1)).sum() / n,
        "it is one number per sample: take the mean over samples": terms.sum(axis=1),
    }
    ask.equal(ask("gaussian_kl", mu, log_var), terms.sum() / n, mistakes, "the KL")


def check_kl_gradient(ask):
    """dmu = mu / n, dlog_var = (exp(log_var) - 1) / (2 n)."""
    mu, log_var = ask.rng.standard_normal((2, 4, 3))
    n, d = mu.shape
    right = {"dmu": mu / n, "dlog_var": (np.exp(log_var) - 1) / (2 * n)}
    missing = "1/n is missing: the KL is a mean over n samples"
    over = "it is also divided by the number of latents: the KL is a sum over latents"
    mistakes = {
        "dmu": {
            missing: mu,
            over: mu / n / d,
            "remove the factor 2: the slope of 1/2 mu^2 is mu": 2 * mu / n,
            "remove the factor 1/2: the slope of 1/2 mu^2 is mu": mu / (2 * n),
        },
        "dlog_var": {
            missing: (np.exp(log_var) - 1) / 2,
            over: right["dlog_var"] / d,
            "the 1/2 is missing": (np.exp(log_var) - 1) / n,
            "the -1 is missing: it is the slope of -log_var": np.exp(log_var) / (2 * n),
            "this is the gradient with respect to the variance, not to log_var": (
                (1 - np.exp(-log_var)) / (2 * n)
            ),
            "it has exp(log_var / 2), but the slope of exp(log_var) is exp(log_var)": (
                (np.exp(log_var / 2) - 1) / (2 * n)
            ),
        },
    }
    ask.equal(ask("gaussian_kl_backward", mu, log_var), right, mistakes)


EXERCISES = {
    "reparameterise_forward": {
        "title": "The reparameterisation trick, forward",
        "minutes": 15,
        "parts": {"reparameterise": check_reparameterise},
        "hints": (
            "The encoder outputs h (n, 2 d): its first d columns are mu, the other d are log_var.",
            "If eps is standard normal, mu + std eps is normal with mean mu and standard deviation "
            "std. log_var is the log of the variance, std^2.",
            "std = exp(log_var / 2), because std^2 = exp(log_var).",
        ),
    },
    "reparameterise_backward": {
        "title": "The reparameterisation trick, backward",
        "minutes": 20,
        "parts": {"reparameterise_backward": check_reparameterise_backward},
        "hints": (
            "z = mu + exp(log_var / 2) eps, and eps is a constant here. What is the slope of z "
            "with respect to mu, and what with respect to log_var?",
            "The slope of exp(log_var / 2) is exp(log_var / 2) / 2.",
        ),
    },
    "kl_value": {
        "title": "The KL of a Gaussian from the standard normal",
        "minutes": 15,
        "parts": {"gaussian_kl": check_kl},
        "hints": (
            "For one latent: 1/2 (mu^2 + variance - log(variance) - 1).",
            "The encoder outputs log_var, so the variance is exp(log_var). Sum over latents, then "
            "take the mean over samples.",
        ),
    },
    "kl_gradient": {
        "title": "The gradient of the KL",
        "minutes": 15,
        "parts": {"gaussian_kl_backward": check_kl_gradient},
        "hints": (
            "Differentiate 1/2 (mu^2 + exp(log_var) - log_var - 1) with respect to mu, then with "
            "respect to log_var.",
            "The mean over samples puts 1/n in front of both. The sum over latents adds no factor.",
        ),
    },
}
