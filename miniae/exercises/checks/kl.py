"""Checks of the KL of a Gaussian from the standard normal, and of its gradient."""

import numpy as np

from miniae.exercises.checks.slips import (
    gradients,
    of_sum,
    reduced,
    sentences_of_gradients,
    sentences_of_reduced,
    sentences_of_sum,
)
from miniae.exercises.questions import FORMULAS


def wrong_kls(mu, log_var):
    """Return the answers of typical mistakes, by key."""
    variance = np.exp(log_var)
    terms = 0.5 * (mu**2 + variance - log_var - 1)
    n = len(mu)
    square = mu**2
    entries = {
        **{
            key: value / 2
            for key, value in of_sum(
                square=square, variance=variance, log_var=-log_var, one=-np.ones(mu.shape)
            ).items()
        },
        "reverse_kl": 0.5 * ((1 + square) / variance + log_var - 1),
        "variance_inverted": 0.5 * (square + 1 / variance - log_var - 1),
        "log_std": 0.5 * (square + variance**2 - 2 * log_var - 1),
        "exp_squared": 0.5 * (square + variance**2 - log_var - 1),
        "std_for_variance": 0.5 * (square + np.sqrt(variance) - log_var - 1),
        "log_var_halved": 0.5 * (square + variance - log_var / 2 - 1),
        "mu_not_squared": 0.5 * (mu + variance - log_var - 1),
        "mu_absolute": 0.5 * (np.abs(mu) + variance - log_var - 1),
        "log_var_is_missing": 0.5 * (square + variance - 1),
        "log_var_and_one_missing": 0.5 * (square + variance),
        "exp_is_missing": 0.5 * (square - 1),
        "log_var_for_variance": 0.5 * (square + log_var - np.log(np.abs(log_var)) - 1),
        "log_var_squared_for_variance": 0.5
        * (square + log_var**2 - 2 * np.log(np.abs(log_var)) - 1),
        "log_var_squared": 0.5 * (square + log_var**2 - log_var - 1),
        "std_for_log_var": 0.5 * (square + variance - np.sqrt(variance) - 1),
        "log_of_log_var": 0.5 * (square + variance - np.log(np.abs(log_var)) - 1),
        "half_of_square_only": square / 2 + variance - log_var - 1,
        "half_of_square_missing": square + 0.5 * (variance - log_var - 1),
        "one_outside_bracket": 0.5 * (square + variance - log_var) - 1,
        "sum_in_square": 0.5 * ((mu + variance) - log_var - 1),
        "divided_by_variance": 0.5 * (square / variance + variance - log_var - 1),
        "bracket_squared": 0.5 * (square + variance - (log_var + 1) ** 2),
        "minus_bracket": 0.5 * (square + variance - (log_var - 1)),
        "log_density": 0.5 * (square + variance + np.log(2 * np.pi)),
        "entropy": 0.5 * (1 + log_var + np.log(2 * np.pi)),
        "prior_density": 0.5 * (square + np.log(2 * np.pi)),
        "terms_squared": terms**2,
    }
    given = {"mu": mu, "log_var": log_var, "n": n}
    text = "0.5 * sum(mu**2 + exp(log_var) - log_var - 1) / n"
    return {
        FORMULAS: [({"kl": text}, given)],
        **reduced(entries, terms),
        "one_only_once": 0.5 * ((terms.sum() * 2 + mu.size) - 1) / n,
        "one_once_per_sample": 0.5 * (terms.sum() * 2 + mu.size - n) / n,
        "one_once_after_n": 0.5 * ((terms.sum() * 2 + mu.size) / n - 1),
        "one_once_after_half": (0.5 * (terms.sum() * 2 + mu.size)) / n - 1,
        "kl_of_mean": 0.5 * (mu.mean(0) ** 2 + np.exp(log_var.mean(0)) - log_var.mean(0) - 1).sum(),
    }


def check_kl(ask):
    """KL(N(mu, std^2) || N(0, 1)), summed over latents, mean over samples."""
    mu, log_var = ask.rng.standard_normal((2, 7, 3))
    right = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(mu)
    ask.equal(ask("gaussian_kl", mu, log_var), right, wrong_kls(mu, log_var), "the KL")


def check_kl_gradient(ask):
    """dmu = mu / n, dlog_var = (exp(log_var) - 1) / (2 n)."""
    mu, log_var = ask.rng.standard_normal((2, 7, 3))
    n = len(mu)
    right = {"dmu": mu / n, "dlog_var": (np.exp(log_var) - 1) / (2 * n)}
    variance = np.exp(log_var)
    dmus = {
        "not_differentiated": mu**2 / (2 * n),
        "square_is_there": mu**2 / n,
        "log_var_in_dmu": (mu + log_var) / n,
        "divided_by_variance": mu / variance / n,
        "dmu_absolute": np.abs(mu) / n,
        "dmu_minus_one": (mu - 1) / n,
        "dmu_has_dlog_var": mu / n + right["dlog_var"],
    }
    dlog_vars = {
        **{
            key: value / (2 * n)
            for key, value in of_sum(variance=variance, one=-np.ones(mu.shape)).items()
        },
        "gradient_for_variance": (1 - 1 / variance) / (2 * n),
        "gradient_for_std": (np.sqrt(variance) - 1 / np.sqrt(variance)) / n,
        "gradient_for_log_std": (variance**2 - 1) / n,
        "std_for_variance": (np.sqrt(variance) - 1) / (2 * n),
        "exp_of_double": (variance**2 - 1) / (2 * n),
        "exp_is_missing": (log_var - 1) / (2 * n),
        "one_over_log_var": (variance - 1 / log_var) / (2 * n),
        "log_var_not_differentiated": (variance - log_var) / (2 * n),
        "not_differentiated": (variance - log_var - 1) / (2 * n),
        "exp_as_power": (log_var * np.exp(log_var - 1) - 1) / (2 * n),
        "times_log_var": (log_var * variance - 1) / (2 * n),
        "half_of_variance_only": (variance / 2 - 1) / n,
        "one_outside": variance / (2 * n) - 1,
        "one_outside_half": variance / (2 * n) - 0.5,
        "half_outside": (variance - 1) / n - 0.5,
        "only_variance": variance / n,
        "variance_inverted": (1 / variance - 1) / (2 * n),
        "variance_shifted": (np.exp(log_var - 1)) / (2 * n),
        "mu_in_dlog_var": (mu**2 + variance - 1) / (2 * n),
        "mu_squared_over_variance": (1 - mu**2 / variance - 1 / variance) / (2 * n),
    }
    mistakes = {
        "dmu": gradients(dmus, right["dmu"]),
        "dlog_var": gradients(dlog_vars, right["dlog_var"]),
    }
    given = {"mu": mu, "log_var": log_var, "n": n}
    mistakes["dmu"][FORMULAS] = [({"dmu": "mu / n"}, given)]
    mistakes["dlog_var"][FORMULAS] = [({"dlog_var": "(exp(log_var) - 1) / (2 * n)"}, given)]
    ask.equal(ask("gaussian_kl_backward", mu, log_var), right, mistakes)


KL_SENTENCES = {
    **sentences_of_reduced("latents"),
    **sentences_of_sum(square="mu^2", variance="exp(log_var)", log_var="- log_var", one="-1"),
    "minus": "it is minus the KL: a KL is never below 0",
    "doubled": "the 1/2 is missing",
    "halved": "there is a factor 1/2 too many: 1/2 is there once",
    "no_one": "the -1 is missing: the KL must be 0 at mu = 0, log_var = 0",
    "minus_log_var": "the sign of log_var is wrong: it must be - log_var",
    "minus_one": "the sign of the 1 is wrong: it must be -1",
    "reverse_kl": (
        "this is the reverse KL, of the standard normal from N(mu, std^2): exchange the two"
    ),
    "variance_inverted": "it has exp(-log_var), which is 1 / variance: the sign is wrong",
    "log_std": (
        "log_var is used as the log of the standard deviation, but it is the log of the variance"
    ),
    "exp_squared": "it has exp(log_var)^2: the variance is exp(log_var), without a square",
    "std_for_variance": "the variance is exp(log_var), not exp(log_var / 2)",
    "log_var_halved": "log_var is halved: it is the log of the variance already",
    "mu_not_squared": "mu must be squared",
    "mu_absolute": "it has |mu|: mu must be squared",
    "log_var_is_missing": "the log_var term is missing",
    "log_var_and_one_missing": "the terms - log_var - 1 are missing",
    "exp_is_missing": "exp is missing: the variance is exp(log_var)",
    "log_var_for_variance": "log_var is used as the variance: the variance is exp(log_var)",
    "log_var_squared_for_variance": (
        "log_var is used as the standard deviation: the variance is exp(log_var)"
    ),
    "log_var_squared": "it has log_var^2: the variance is exp(log_var)",
    "std_for_log_var": "it has - std: it must have - log_var",
    "log_of_log_var": "it has log(log_var): log_var is a log already",
    "half_of_square_only": "the 1/2 multiplies mu^2 only: it multiplies all terms",
    "half_of_square_missing": "the 1/2 is missing before mu^2: it multiplies all terms",
    "one_outside_bracket": "the -1 is outside the bracket: the 1/2 multiplies it too",
    "sum_in_square": "mu must be squared",
    "divided_by_variance": "mu^2 is divided by the variance: the prior has variance 1",
    "bracket_squared": "log_var + 1 is squared: only mu is squared",
    "minus_bracket": "a bracket changes the sign: - log_var - 1, not -(log_var - 1)",
    "log_density": "this is the cross entropy of two Gaussians: subtract the entropy",
    "entropy": "this is the entropy of a Gaussian, not a KL",
    "prior_density": "this is -log p(mu) under the prior, not a KL",
    "terms_squared": "the KL of each latent is squared",
    "one_only_once": "the -1 is outside the sum: it is there for each latent and sample",
    "one_once_per_sample": "the -1 is there once per sample: it is there for each latent",
    "one_once_after_n": "the -1 is outside the sum: it is there for each latent and sample",
    "one_once_after_half": "the -1 is outside the sum: it is there for each latent and sample",
    "kl_of_mean": "mu and log_var are averaged first: take the KL first, then the mean",
}
EXERCISES = {
    "kl_value": {
        "title": "The KL of a Gaussian from the standard normal",
        "minutes": 15,
        "parts": {"gaussian_kl": check_kl},
        "mistakes": {
            **KL_SENTENCES,
        },
        "hints": (
            "With z drawn from q, the mean of (z - mu)^2 is std^2, and the mean of z^2 is "
            "mu^2 + std^2. The terms with log(2 pi) cancel.",
            "For one latent, three terms and a constant remain, in the bracket of 1/2 (...): mu^2, "
            "the variance, minus its log, and a constant that makes the KL 0 at mu = 0, "
            "log_var = 0.",
            "The encoder outputs log_var, so the variance is exp(log_var). Sum over latents, then "
            "take the mean over samples.",
        ),
    },
    "kl_gradient": {
        "title": "The gradient of the KL",
        "minutes": 15,
        "parts": {"gaussian_kl_backward": check_kl_gradient},
        "mistakes": {
            **sentences_of_gradients("latents"),
            **sentences_of_sum(variance="exp(log_var)", one="-1"),
            "gradient_doubled": (
                "the 1/2 is missing, or a 2 is too many: dmu is mu / n, dlog_var has a factor 1/2"
            ),
            "gradient_halved": "there is a factor 1/2 too many: the slope of 1/2 mu^2 is mu",
            "no_one": "the -1 is missing: it is the slope of -log_var",
            "minus_one": "it has +1: the slope of -log_var is -1",
            "not_differentiated": "this is a term of the KL, not its slope",
            "square_is_there": "the square is still there: the slope of 1/2 mu^2 is mu",
            "log_var_in_dmu": "dmu contains log_var: the slope of 1/2 mu^2 is mu",
            "divided_by_variance": "mu is divided by the variance: the prior has variance 1",
            "dmu_absolute": "it has |mu|: the sign is lost",
            "dmu_minus_one": "1 is subtracted from mu: the -1 belongs to dlog_var",
            "dmu_has_dlog_var": "dmu contains dlog_var: they are two gradients",
            "gradient_for_variance": (
                "this is the gradient with respect to the variance, not to log_var"
            ),
            "gradient_for_std": (
                "this is the gradient with respect to the standard deviation, not to log_var"
            ),
            "gradient_for_log_std": (
                "log_var is used as the log of the standard deviation, but it is the log of the "
                "variance"
            ),
            "std_for_variance": (
                "it has exp(log_var / 2), but the slope of exp(log_var) is exp(log_var)"
            ),
            "exp_of_double": "it has exp(2 log_var): the slope of exp(log_var) is exp(log_var)",
            "exp_is_missing": "exp is missing: the slope of exp(log_var) is exp(log_var)",
            "one_over_log_var": "it has 1 / log_var: the slope of -log_var is -1",
            "log_var_not_differentiated": "log_var is still there: the slope of -log_var is -1",
            "exp_as_power": "exp(log_var) is no power: its slope is exp(log_var) itself",
            "times_log_var": "it has a factor log_var: the slope of exp(log_var) is exp(log_var)",
            "half_of_variance_only": "the 1/2 multiplies exp(log_var) only: it multiplies -1 too",
            "one_outside": "the -1 is outside the bracket: 1 / (2 n) multiplies it too",
            "one_outside_half": "the -1 is outside the bracket: 1/n multiplies it too",
            "half_outside": "the 1/2 multiplies -1 only: it multiplies exp(log_var) too",
            "only_variance": "the 1/2 and the -1 are missing",
            "variance_inverted": "it has exp(-log_var): the sign of log_var is wrong",
            "variance_shifted": "the -1 is inside exp: it is exp(log_var) - 1",
            "mu_in_dlog_var": "dlog_var contains mu^2, which does not depend on log_var",
            "mu_squared_over_variance": "this is a gradient of the reverse KL",
        },
        "hints": (
            "Differentiate the KL of kl_value with respect to mu, then with respect to log_var. "
            "The slope of exp(log_var) is exp(log_var).",
            "The mean over samples puts 1/n in front of both. The sum over latents adds no factor.",
        ),
    },
}
