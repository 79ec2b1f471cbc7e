"""Checks of free bits: a floor under the KL of each latent."""

import numpy as np

from miniae.exercises.checks.slips import gradients, sentences_of_gradients
from miniae.exercises.questions import FORMULAS, Named, Wrong, agree, differs, numbers, unpack


def kl_terms(mu, log_var):
    """Return the KL of each sample and latent from the standard normal, (n, d)."""
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1)


def draw(rng):
    """Return mu, log_var (n, d), and a floor.

    The first and the last latent are above the floor, as is one between them, which has the
    largest mean, but a small median.
    Another one is 1.4 times the floor, only because of both mu and log_var. Of the others, the mean
    over samples is 0.85, 0.6, 0.3, 0.3 or 0.05 of the floor: so another mean, a sum, a factor 2 or
    bits give another result. One of the two with 0.3 has a sample above the floor. The total of the
    first sample is below the floor.
    """
    floor, n, d = float(rng.uniform(0.2, 0.3)), 12, 9
    sign = rng.choice([-1.0, 1.0], (n, d))
    mu, log_var = sign * rng.uniform(0.98, 1.02, (n, d)), 0.01 * rng.standard_normal((n, d))
    mu[2:, 4] *= 0.1  # one sample is above the floor
    log_var[1:, 0] = 0.8 * sign[1:, 3]
    for j in (6, 7, 8):
        log_var[1:, j] = rng.standard_normal(n - 1)
    log_var[6:, 8] *= 0.01
    mu[0], log_var[0] = 0.1 * mu[0], 0.1 * log_var[0]
    share = np.array([1.4, 0.85, 0.6, 0.3, 0.3, 0.05])
    rest = share * floor - kl_terms(0, log_var[:, :6]).mean(axis=0)
    mu[:, :6] *= np.sqrt(rest / kl_terms(mu[:, :6], 0).mean(axis=0))
    mu[1:, 6:] = sign[1:, 6:] * rng.uniform([1.2, 1.2, 3], [2.5, 2.5, 4], (n - 1, 3))
    mu[6:, 8] *= 0.05
    order = np.concatenate([[6], rng.permutation([0, 1, 2, 3, 4, 5, 8]), [7]])
    return mu[:, order], log_var[:, order], floor


KL = {"kl": "0.5 * (mu**2 + exp(log_var) - log_var - 1)", "latent": "mean(kl, axis=0)"}
LOOP = {**KL, "latent": "sum(kl, axis=0) / n"}
VALUES = [
    {**KL, "counted": "maximum(latent, floor)", "loss": "sum(counted)"},
    {**LOOP, "counted": "where(latent > floor, latent, floor)", "loss": "sum(counted)"},
]
GRADIENTS = {
    "dmu": {"dmu": "counted * mu / n"},
    "dlog_var": {"dlog_var": "counted * (exp(log_var) - 1) / (2 * n)"},
}


def check_free_bits(ask):
    """Sum over latents of max(floor, mean over samples of the KL)."""
    mu, log_var, floor = draw(ask.rng)
    terms = kl_terms(mu, log_var)
    latents, samples = terms.mean(axis=0), terms.sum(axis=1)
    n, d = terms.shape
    total = latents.sum()
    right = np.maximum(latents, floor).sum()
    mistakes = {
        "floor_for_each_sample": np.maximum(terms, floor).sum() / n,
        "floor_for_each_sample__mean_over_latents": np.maximum(terms, floor).mean(),
        "floor_for_each_sample__sum_over_samples": np.maximum(terms, floor).sum(),
        "floor_for_total_per_sample": np.maximum(samples, floor).mean(),
        "floor_after_sum_over_samples": np.maximum(terms.sum(axis=0), floor).sum(),
        "floor_after_sum_over_samples__n": np.maximum(terms.sum(axis=0), floor).sum() / n,
        "floor_for_mean_over_latents": np.maximum(terms.mean(axis=1), floor).sum() / n,
        "floor_for_mean_over_latents__sum_over_samples": np.maximum(
            terms.mean(axis=1), floor
        ).sum(),
        "floor_divided_by_d": np.maximum(latents, floor / d).sum(),
        "floor_times_n": np.maximum(latents, floor * n).sum(),
        "n_twice": right / n,
        "excess_or_floor": np.maximum(latents - floor, floor).sum(),
        "median_sample": np.maximum(np.median(terms, axis=0), floor).sum(),
        "largest_sample": np.maximum(terms.max(axis=0), floor).sum(),
        "largest_latent": max(latents.max(), floor),
        "first_latent": max(latents[0], floor),
        "last_latent": max(latents[-1], floor),
        "absolute_excess": np.abs(latents - floor).sum(),
        "no_floor__sum_over_samples": terms.sum(),
        "no_floor__mean_over_latents": terms.mean(),
        "minimum": np.minimum(latents, floor).sum(),
        "floor_is_added": latents.sum() + floor,
        "floor_is_added_to_each": (latents + floor).sum(),
        "floor_is_subtracted": (latents - floor).sum(),
        "floor_added_below": latents.sum() + floor * (latents < floor).sum(),
        "excess": np.maximum(latents - floor, 0).sum(),
        "excess_of_each_sample": np.maximum(terms - floor, 0).sum() / n,
        "zero_below": latents[latents > floor].sum(),
        "floor_times_number": floor * d,
        "masked_wrong_way": np.where(latents < floor, latents, floor).sum(),
        "mean_over_latents": np.maximum(latents, floor).mean(),
        "sum_over_samples": n * right,
        "minus": -right,
        "floor_in_bits": np.maximum(latents, floor * np.log(2)).sum(),
        "result_in_bits": right / np.log(2),
        "half_is_missing": np.maximum(2 * latents, floor).sum(),
        "one_is_missing": np.maximum(latents + 0.5, floor).sum(),
        "log_std": np.maximum(
            (0.5 * (mu**2 + np.exp(2 * log_var) - 2 * log_var - 1)).mean(0), floor
        ).sum(),
        "std_for_variance": np.maximum(
            (0.5 * (mu**2 + np.exp(log_var / 2) - log_var - 1)).mean(0), floor
        ).sum(),
        "not_summed_over_latents": np.maximum(latents, floor),
    }
    given = {"mu": mu, "log_var": log_var, "floor": floor, "n": n, "d": d}
    mistakes[FORMULAS] = [(value, given) for value in VALUES]
    got = numbers(ask("free_bits_kl", mu, log_var, floor), "the KL")
    if agree(got, total):
        again = numbers(ask("free_bits_kl", mu, log_var, 2 * total), "the KL")
        found = {"floor_for_total": 2 * total, "floor_times_d_for_total": 2 * d * total}
        keys = [key for key, value in found.items() if agree(again, value)]
        raise Named(differs("the KL", got, np.asarray(right)), keys or ["no_floor"])
    ask.equal(got, right, mistakes, "the KL")


def answers_of_backward(mu, log_var, floor):
    """Return the right gradients, those without a floor, and the wrong ones: dicts by name."""
    terms = kl_terms(mu, log_var)
    counted = terms.mean(axis=0) > floor
    n, d = terms.shape
    plain = {"dmu": mu / n, "dlog_var": (np.exp(log_var) - 1) / (2 * n)}
    masks = {
        "no_floor": np.ones(d),
        "mask_wrong_way": ~counted,
        "mask_for_each_sample": terms > floor,
        "mask_for_each_sample_wrong_way": terms <= floor,
        "mask_of_sum_over_samples": terms.sum(axis=0) > floor,
        "mask_per_sample": (terms.sum(axis=1) > floor)[:, None],
        "mask_per_sample_mean": (terms.mean(axis=1) > floor)[:, None],
        "mask_of_largest_sample": terms.max(axis=0) > floor,
        "mask_of_median_sample": np.median(terms, axis=0) > floor,
        "mask_is_the_kl": terms.mean(axis=0),
        "mask_is_the_larger": np.maximum(terms.mean(axis=0), floor),
        "mask_is_the_excess": terms.mean(axis=0) - floor,
        "mask_is_the_positive_excess": np.maximum(terms.mean(axis=0) - floor, 0),
        "mask_is_a_sign": np.sign(terms.mean(axis=0) - floor),
        "mask_without_half": 2 * terms.mean(axis=0) > floor,
        "mask_of_log_var_only": kl_terms(0, log_var).mean(axis=0) > floor,
        "mask_of_mu_only": (mu**2 / 2).mean(axis=0) > floor,
        "mask_in_bits": terms.mean(axis=0) > floor * np.log(2),
    }
    others = {
        "dmu": {
            "square_is_there": mu**2 / n,
            "not_differentiated": mu**2 / (2 * n),
            "half_in_dmu": mu / (2 * n),
        },
        "dlog_var": {
            "one_is_missing": np.exp(log_var) / (2 * n),
            "half_is_missing": (np.exp(log_var) - 1) / n,
            "not_differentiated": kl_terms(0, log_var) / n,
            "log_var_not_differentiated": (np.exp(log_var) - log_var) / (2 * n),
            "exp_is_missing": (log_var - 1) / (2 * n),
            "std_for_variance": (np.exp(log_var / 2) - 1) / (2 * n),
            "gradient_for_variance": (1 - np.exp(-log_var)) / (2 * n),
            "log_std": (np.exp(2 * log_var) - 1) / n,
        },
    }
    right = {name: value * counted for name, value in plain.items()}
    mistakes = {}
    for name, value in plain.items():
        wrong = {key: value * mask for key, mask in masks.items()}
        wrong |= {key: other * counted for key, other in others[name].items()}
        wrong |= {f"no_floor__{key}": other for key, other in others[name].items()}
        wrong["floor_below"] = np.where(counted, value, floor)
        wrong["floor_below_by_n"] = np.where(counted, value, floor / n)
        wrong["columns_left_out"] = value[:, counted]
        wrong["divided_by_number_counted"] = right[name] * n / counted.sum()
        wrong["one_below"] = np.where(counted, value, 1.0)
        wrong["larger_than_floor"] = np.maximum(value, floor)
        wrong["larger_than_floor__n_is_missing"] = np.maximum(n * value, floor)
        same_shape = {key: v for key, v in wrong.items() if v.shape == value.shape}
        mistakes[name] = {**wrong, **gradients(same_shape, right[name])}
        given = {"mu": mu, "log_var": log_var, "floor": floor, "n": n, "d": d}
        given |= {"kl": terms, "latent": terms.mean(axis=0), "counted": counted}
        mistakes[name][FORMULAS] = [(GRADIENTS[name], given)]
    return right, plain, mistakes


def is_masked(value, plain):
    """Return whether each column is 0 or that of the gradient without a floor."""
    return value.shape == plain.shape and all(
        not column.any() or agree(column, other)
        for column, other in zip(value.T, plain.T, strict=True)
    )


def check_free_bits_backward(ask):
    """The gradient of the KL, 0 for the latents below the floor."""
    mu, log_var, floor = draw(ask.rng)
    right, plain, mistakes = answers_of_backward(mu, log_var, floor)
    got = unpack(ask("free_bits_kl_backward", mu, log_var, floor), right)
    got = [numbers(value, name) for name, value in zip(right, got, strict=True)]
    if all(agree(value, plain[name]) for name, value in zip(plain, got, strict=True)):
        d = mu.shape[1]
        far = 2 * d * kl_terms(mu, log_var).mean(axis=0).sum()  # above the total, and d times it
        again = numbers(unpack(ask("free_bits_kl_backward", mu, log_var, far), right)[0], "dmu")
        key = "no_floor" if agree(again, plain["dmu"]) else "mask_for_total"
        raise Named("No latent has a gradient of 0", [key])
    others = []  # one floor alone does not tell apart all rules by which latents count
    for other in (0.08 * floor, 0.5 * floor, 1.15 * floor, 2.5 * floor, 6 * floor):
        answer = unpack(ask("free_bits_kl_backward", mu, log_var, other), right)
        values = {name: numbers(v, name) for name, v in zip(right, answer, strict=True)}
        others.append((other, values, *answers_of_backward(mu, log_var, other)))
    try:
        ask.equal(got, right, mistakes)
    except Named as named:
        wrong = next(name for name, v in zip(right, got, strict=True) if not agree(v, right[name]))
        keys = [
            key
            for key in named.keys
            if all(agree(values[wrong], table[wrong][key]) for _, values, _, _, table in others)
        ]
        if keys or named.factor:
            raise Named(str(named), keys or named.keys, named.factor) from None
        raise Named(str(named), ["other_mask"]) from None
    except Wrong as wrong:
        if wrong.diagnosis == "unknown" and all(map(is_masked, got, plain.values())):
            raise Named(str(wrong), ["other_mask"]) from None
        raise
    for other, values, expected, _, _ in others:
        for name, value in values.items():
            if not agree(value, expected[name]):
                where = differs(name, value, expected[name])
                raise Named(f"With a floor of {other:.3g}, {where}", ["other_mask"])


EXERCISES = {
    "free_bits": {
        "title": "Free bits: a floor under the KL of each latent",
        "minutes": 20,
        "parts": {
            "free_bits_kl": check_free_bits,
            "free_bits_kl_backward": check_free_bits_backward,
        },
        "mistakes": {
            **sentences_of_gradients("latents"),
            "floor_for_each_sample": (
                "the floor is taken for each sample: take the mean over samples first"
            ),
            "floor_for_total": "the floor is taken for the total: each latent has its own floor",
            "floor_for_total_per_sample": (
                "the floor is taken for the total of each sample: each latent has its own floor"
            ),
            "floor_times_d_for_total": (
                "the total is compared with d times the floor: compare each latent with the floor"
            ),
            "floor_after_sum_over_samples": (
                "the KL is summed over samples before the floor: take the mean over samples"
            ),
            "n": "the division by n comes after the floor: divide before",
            "floor_for_mean_over_latents": (
                "the floor is taken for the mean over latents: take the mean over samples"
            ),
            "no_floor": "this is without the floor",
            "floor_divided_by_d": "the floor is divided by d: it is the floor of one latent",
            "floor_times_n": "the floor is multiplied by n: compare it with the mean over samples",
            "excess_or_floor": "the floor is subtracted from the KL: compare the KL itself",
            "median_sample": "this is the median over samples: take the mean",
            "largest_sample": "this is the largest KL of a sample: take the mean over samples",
            "first_latent": "only the first latent counts: take the sum over latents",
            "last_latent": "only the last latent counts: take the sum over latents",
            "mask_of_largest_sample": (
                "the floor is compared with the largest KL of a sample: compare the mean"
            ),
            "mask_of_median_sample": (
                "the floor is compared with the median over samples: compare the mean"
            ),
            "log_var_not_differentiated": "log_var is still there: the slope of -log_var is -1",
            "largest_latent": "only the largest latent counts: take the sum over latents",
            "absolute_excess": "this is the distance from the floor: take the larger of the two",
            "minimum": "this is the minimum: the KL counts at least as the floor, so take max",
            "floor_is_added": "the floor is added: take the larger of the two",
            "floor_is_added_to_each": "the floor is added: take the larger of the two",
            "floor_is_subtracted": "the floor is subtracted: take the larger of the two",
            "floor_added_below": (
                "below the floor, the floor is added to the KL: it takes the place of the KL"
            ),
            "excess": "this is what exceeds the floor: below it, the floor itself counts",
            "excess_of_each_sample": (
                "this is what exceeds the floor in each sample: take the larger of the two, after "
                "the mean over samples"
            ),
            "zero_below": "a latent below the floor counts as 0: it must count as the floor",
            "floor_times_number": (
                "every latent counts as the floor: is the KL below 0, or not compared?"
            ),
            "masked_wrong_way": "the comparison is the wrong way round",
            "mean_over_latents": "it is a mean over latents: take the sum",
            "sum_over_samples": "it is a sum over samples: take the mean",
            "minus": "it has the wrong sign",
            "floor_in_bits": "the floor is used in bits: it is in nats already",
            "result_in_bits": "the result is in bits: give it in nats",
            "half_is_missing": "the 1/2 of the KL is missing",
            "one_is_missing": "the -1 of the KL is missing",
            "log_std": (
                "log_var is used as the log of the standard deviation, but it is the log of the "
                "variance"
            ),
            "std_for_variance": "the variance is exp(log_var), not exp(log_var / 2)",
            "not_summed_over_latents": "it is one number for each latent: take the sum",
            "mask_wrong_way": (
                "the gradient is 0 above the floor: it must be 0 below, where the KL is constant"
            ),
            "mask_for_each_sample": (
                "the floor is compared with the KL of each sample: compare the mean over samples"
            ),
            "mask_for_each_sample_wrong_way": (
                "the floor is compared with the KL of each sample, and the wrong way round"
            ),
            "mask_for_total": "the floor is compared with the total: compare each latent",
            "mask_of_sum_over_samples": (
                "the floor is compared with the sum over samples: compare the mean"
            ),
            "mask_per_sample": "the floor is compared with the total of a sample, not of a latent",
            "mask_per_sample_mean": (
                "the floor is compared with the mean over latents: take the mean over samples"
            ),
            "mask_is_the_kl": "it is multiplied by the KL: multiply by 1 or 0",
            "mask_is_the_larger": (
                "it is multiplied by the KL that counts: multiply by 1 above the floor, else by 0"
            ),
            "mask_is_the_excess": (
                "it is multiplied by KL - floor: multiply by 1 above the floor, else by 0"
            ),
            "mask_is_the_positive_excess": (
                "it is multiplied by KL - floor: multiply by 1 above the floor"
            ),
            "mask_is_a_sign": "below the floor it has the wrong sign: it must be 0",
            "columns_left_out": (
                "the latents below the floor are left out: keep them, with a gradient of 0"
            ),
            "other_mask": (
                "the gradient is 0 for the wrong latents: compare the mean over samples of the KL "
                "with the floor"
            ),
            "mask_without_half": "the KL that is compared with the floor has no factor 1/2",
            "mask_of_mu_only": "only mu^2 / 2 is compared with the floor: compare the whole KL",
            "mask_of_log_var_only": "mu is missing in the KL that is compared with the floor",
            "divided_by_number_counted": (
                "it is divided by the number of latents above the floor: divide by n"
            ),
            "mask_in_bits": "the floor is used in bits: it is in nats already",
            "square_is_there": "the square is still there: the slope of 1/2 mu^2 is mu",
            "not_differentiated": "this is a term of the KL, not its slope",
            "half_in_dmu": "there is a factor 1/2 too many: the slope of 1/2 mu^2 is mu",
            "exp_is_missing": "exp is missing: the slope of exp(log_var) is exp(log_var)",
            "gradient_for_variance": (
                "this is the gradient with respect to the variance, not to log_var"
            ),
            "floor_below": "below the floor the gradient is the floor: it must be 0",
            "floor_below_by_n": "below the floor the gradient is floor / n: it must be 0",
            "larger_than_floor": (
                "the larger of gradient and floor is taken: the floor is compared with the KL"
            ),
            "one_below": "below the floor the gradient is 1: it must be 0",
        },
        "hints": (
            "Compute the KL of each sample and latent, an array (n, d). Take the mean over "
            "samples: d numbers. np.maximum compares each with the floor.",
            "counted = mean > floor is true for the latents that have a gradient. Their gradient "
            "is that of the KL without a floor.",
            "Multiply both gradients of the plain KL, (n, d), by counted, (d,).",
        ),
    },
}
