"""Checks of the reparameterisation trick: noise with a gradient."""

import numpy as np

from miniae.exercises.checks.slips import of_product, sentences_of_product
from miniae.exercises.questions import FORMULAS, Wrong, numbers


def check_reparameterise(ask):
    """z = mu + exp(log_var / 2) eps, from h = [mu, log_var]."""
    h, eps = ask.rng.standard_normal((4, 6)), ask.rng.standard_normal((4, 3))
    mu, log_var = h[:, :3], h[:, 3:]
    right = mu + np.exp(log_var / 2) * eps
    std = np.exp(log_var / 2)
    with np.errstate(invalid="ignore"):
        roots = np.sqrt(log_var), np.exp(np.sqrt(log_var))
    noises = {  # instead of std eps
        **of_product(std=std, eps=eps),
        "variance_for_std": np.exp(log_var) * eps,
        "log_var_for_std": log_var * eps,
        "exp_is_missing": log_var / 2 * eps,
        "exp_of_double": np.exp(2 * log_var) * eps,
        "half_outside": np.exp(log_var) / 2 * eps,
        "twice_outside": 2 * std * eps,
        "one_over_std": eps / std,
        "one_over_variance": np.exp(-log_var) * eps,
        "minus_noise": -std * eps,
        "half_of_noise": std * eps / 2,
        "noise_is_missing": 0 * eps,
        "root_of_log_var": roots[0] * eps,
        "root_in_exp": roots[1] * eps,
        "root_of_std": np.sqrt(std) * eps,
        "abs_of_log_var": np.abs(log_var) * eps,
        "std_of_first_sample": std[0] * eps,
        "std_of_first_latent": std[:, :1] * eps,
        "eps_of_first_sample": std * eps[0],
        "eps_squared": std * eps**2,
        "std_of_mu": np.exp(mu / 2) * eps,
        "two_to_the_log_var": 2 ** (log_var / 2) * eps,
        "log_of_log_var": np.log(np.abs(log_var)) * eps,
        "one_plus_std": (1 + std) * eps,
        "expm1": (std - 1) * eps,
    }
    mistakes = {
        **{key: mu + noise for key, noise in noises.items()},
        "mu_is_missing": std * eps,
        "mu_times_noise": mu * std * eps,
        "mu_is_subtracted": std * eps - mu,
        "mu_times_eps": mu * eps + std,
        "mu_is_multiplied": mu * (std + eps),
        "eps_times_all": (mu + std) * eps,
        "halves_exchanged": log_var + np.exp(mu / 2) * eps,
        "even_and_odd": h[:, ::2] + np.exp(h[:, 1::2] / 2) * eps,
        "standardised": (eps - mu) / std,
        "mean_over_samples": right.mean(axis=0),
        "sum_over_latents": right.sum(axis=1),
    }
    given = {"mu": mu, "log_var": log_var, "eps": eps, "n": len(h)}
    mistakes[FORMULAS] = [
        ({"std": std, "z": "mu + std * eps"}, given)
        for std in ("exp(log_var / 2)", "sqrt(exp(log_var))")
    ]
    got, again = (numbers(ask("reparameterise", h, eps), "z") for _ in range(2))
    if got.shape == again.shape and not np.array_equal(got, again, equal_nan=True):
        raise Wrong(
            "two calls with the same eps differ: use the given eps, do not draw your own",
            "own_noise",
        )
    ask.equal(got, right, mistakes, "z")


def check_reparameterise_backward(ask):
    """dmu = dz, dlog_var = dz eps std / 2."""
    dz, log_var, eps = ask.rng.standard_normal((3, 4, 3))
    std = np.exp(log_var / 2)
    right = {"dmu": dz, "dlog_var": dz * eps * std / 2}
    n = len(dz)
    mistakes = {
        "dmu": {
            "dmu_has_eps": dz * eps,
            "dmu_has_std": dz * std,
            "dmu_has_noise": dz * eps * std,
            "dz_is_missing": np.ones(dz.shape),
            "dmu_is_0": 0 * dz,
            "dmu_has_both_paths": dz + right["dlog_var"],
            "dmu_has_n": dz / n,
            "dmu_has_half": dz / 2,
            "dmu_has_one_plus_eps": dz * (1 + eps),
            "dmu_over_std": dz / std,
        },
        "dlog_var": {
            **of_product(dz=dz, eps=eps, std=std, half=0.5),
            "variance_for_std": dz * eps * std**2 / 2,
            "slope_of_variance": dz * eps * std**2,
            "log_var_for_std": dz * eps * log_var / 2,
            "half_log_var_is_slope": dz * eps * std * log_var / 2,
            "log_var_is_slope": dz * eps * std * log_var,
            "minus_path": -dz * eps * std / 2,
            "doubled_not_halved": 2 * dz * eps * std,
            "gradient_for_std": dz * eps,
            "gradient_for_variance": dz * eps / std / 2,
            "eps_and_half_missing": dz * std,
            "std_and_half_missing": dz * eps,
            "eps_and_std_missing": dz / 2,
            "dlog_var_is_dz": dz,
            "dlog_var_is_0": 0 * dz,
            "added_one": dz * (1 + eps * std / 2),
            "kl_is_added": right["dlog_var"] + (std**2 - 1) / 2,
            "kl_is_added_over_n": right["dlog_var"] + (std**2 - 1) / (2 * n),
        },
    }
    for name, value in right.items():
        mistakes[name] |= {
            f"{name}_divided_by_n": value / n,
            f"{name}_summed_over_samples": value.sum(axis=0),
            f"{name}_averaged_over_samples": value.mean(axis=0),
            f"{name}_is_one_number": value.sum(),
        }
    given = {"dz": dz, "log_var": log_var, "eps": eps, "n": n}
    mistakes["dmu"][FORMULAS] = [({"dmu": "dz"}, {**given, "std": std})]
    steps = {"std": "exp(log_var / 2)", "dlog_var": "dz * eps * std / 2"}
    mistakes["dlog_var"][FORMULAS] = [(steps, given)]
    got = ask("reparameterise_backward", dz, log_var, eps)
    ask.equal(got, right, mistakes)


EXERCISES = {
    "reparameterise_forward": {
        "title": "The reparameterisation trick, forward",
        "minutes": 15,
        "parts": {"reparameterise": check_reparameterise},
        "mistakes": {
            **sentences_of_product(std="std = exp(log_var / 2)", eps="eps"),
            "own_noise": "the function draws its own noise",
            "variance_for_std": (
                "exp(log_var) is the variance: multiply eps by the standard deviation, "
                "exp(log_var / 2)"
            ),
            "log_var_for_std": "log_var is not the standard deviation: use exp(log_var / 2)",
            "exp_is_missing": "exp is missing: the standard deviation is exp(log_var / 2)",
            "exp_of_double": "it is exp(2 log_var): divide log_var by 2, do not multiply",
            "half_outside": "the 1/2 is outside exp: exp(log_var / 2), not exp(log_var) / 2",
            "twice_outside": "the noise is doubled: it is exp(log_var / 2) eps",
            "one_over_std": "it has exp(-log_var / 2), which is 1 / std: the sign is wrong",
            "one_over_variance": "it has exp(-log_var), which is 1 / variance",
            "minus_noise": "the noise is subtracted: it is added, z = mu + std eps",
            "half_of_noise": "the noise is halved: it is exp(log_var / 2) eps",
            "noise_is_missing": "this is mu alone: the noise is missing",
            "root_of_log_var": "it has sqrt(log_var): the standard deviation is exp(log_var / 2)",
            "root_in_exp": (
                "it has exp(sqrt(log_var)): the root of exp(log_var) is exp(log_var / 2)"
            ),
            "root_of_std": "it has the root of the standard deviation, exp(log_var / 4)",
            "abs_of_log_var": "it has |log_var|: the standard deviation is exp(log_var / 2)",
            "std_of_first_sample": "all samples have the standard deviation of the first one",
            "std_of_first_latent": "all latents have the standard deviation of the first one",
            "eps_of_first_sample": "all samples have the eps of the first one",
            "eps_squared": "eps is squared",
            "std_of_mu": "the standard deviation is computed from mu: it is exp(log_var / 2)",
            "two_to_the_log_var": "it is a power of 2: use exp",
            "log_of_log_var": "it has log(log_var): exp undoes the log, exp(log_var / 2)",
            "one_plus_std": "1 is added to the standard deviation",
            "expm1": "1 is subtracted from the standard deviation",
            "mu_is_missing": "mu is missing",
            "mu_times_noise": "mu is multiplied by the noise: add them",
            "mu_is_subtracted": "mu is subtracted: z = mu + std eps",
            "mu_times_eps": "eps multiplies mu: it must multiply std, mu + std eps",
            "mu_is_multiplied": "mu multiplies the noise: z = mu + std eps",
            "eps_times_all": "eps must multiply std only, not mu: mu + std * eps",
            "halves_exchanged": "mu and log_var are exchanged: the first half of h is mu",
            "even_and_odd": (
                "h is split into even and odd columns: mu is its first half, log_var the second"
            ),
            "standardised": "this is (eps - mu) / std: z = mu + std eps",
            "mean_over_samples": "z is averaged over the samples: each sample has its own z",
            "sum_over_latents": "z is summed over the latents: keep them apart",
        },
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
        "mistakes": {
            "dmu_has_eps": "dmu must be dz, without eps: z = mu + ... has slope 1 in mu",
            "dmu_has_std": "dmu must be dz, without std: z = mu + ... has slope 1 in mu",
            "dmu_has_noise": "dmu must be dz, without std eps: z = mu + ... has slope 1 in mu",
            "dz_is_missing": "dz is missing: the chain rule multiplies by it",
            "dmu_is_0": "dmu is 0, but z depends on mu with slope 1",
            "dmu_has_both_paths": "dmu contains dlog_var: they are two gradients",
            "dmu_has_n": "it is divided by n: dz already contains the 1/n of the loss",
            "dmu_has_half": "dmu has a factor 1/2: z = mu + ... has slope 1 in mu",
            "dmu_has_one_plus_eps": "dmu must be dz: z = mu + std eps has slope 1 in mu",
            "dmu_over_std": "dmu is divided by std: z = mu + ... has slope 1 in mu",
            **sentences_of_product(dz="dz", eps="eps", std="std", half="1/2"),
            "no_half": "the 1/2 of exp(log_var / 2) is missing",
            "no_eps": "eps is missing: the slope of std eps in std is eps",
            "no_dz": "dz is missing: the chain rule multiplies by it",
            "variance_for_std": "it has the variance, but it must have std",
            "slope_of_variance": (
                "this is the slope of exp(log_var), but z has std = exp(log_var / 2)"
            ),
            "log_var_for_std": "it has log_var, but it must have std = exp(log_var / 2)",
            "half_log_var_is_slope": "the inner slope of exp(log_var / 2) is 1/2, not log_var / 2",
            "log_var_is_slope": "the inner slope of exp(log_var / 2) is 1/2, not log_var",
            "minus_path": "the sign is wrong: a larger log_var makes std larger",
            "doubled_not_halved": (
                "it has a factor 2: the slope of exp(log_var / 2) has a factor 1/2"
            ),
            "gradient_for_std": (
                "this is the gradient with respect to std: multiply by d std / d log_var = std / 2"
            ),
            "gradient_for_variance": (
                "this is the gradient with respect to the variance: multiply by the variance"
            ),
            "eps_and_half_missing": "this is dz std: eps and the 1/2 are missing",
            "std_and_half_missing": (
                "this is the gradient with respect to std: multiply by d std / d log_var = std / 2"
            ),
            "eps_and_std_missing": "this is dz / 2: eps and std are missing",
            "dlog_var_is_dz": "this is dz: the slope eps std / 2 is missing",
            "dlog_var_is_0": "it is 0, but z depends on log_var through std",
            "added_one": "1 is added to the slope: mu does not depend on log_var",
            "kl_is_added": "it contains the gradient of a KL: there is no KL in this exercise",
            "kl_is_added_over_n": (
                "it contains the gradient of a KL: there is no KL in this exercise"
            ),
            **{
                f"{name}_{key}": f"{name} is {words}"
                for name in ("dmu", "dlog_var")
                for key, words in {
                    "divided_by_n": "divided by n: dz already contains the 1/n of the loss",
                    "summed_over_samples": "summed over the samples: each has its own gradient",
                    "averaged_over_samples": "averaged over the samples: each has its own gradient",
                    "is_one_number": "summed to one number: it has the shape of dz",
                }.items()
            },
        },
        "hints": (
            "z = mu + exp(log_var / 2) eps, and eps is a constant here. What is the slope of z "
            "with respect to mu, and what with respect to log_var?",
            "The slope of exp(log_var / 2) is exp(log_var / 2) / 2.",
        ),
    },
}
