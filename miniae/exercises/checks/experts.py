"""Check of the product of Gaussian experts, forward."""

import numpy as np

from miniae.exercises.checks.experts_inputs import cases, compare_case, product, sizes_of
from miniae.exercises.checks.formulas import pairs, wrong_answers

FORWARD = {  # T is the precision of each expert; no care about overflow
    "mask": lambda v: v.present[:, :, None],
    "prior": lambda v: 1,
    "T": lambda v: np.exp(-v.log_vars),
    "seen": lambda v: np.where(v.mask, v.T, 0),
    "total": lambda v: v.prior + v.seen.sum(axis=0),
    "weighted": lambda v: (v.seen * v.mus).sum(axis=0),
    "mu": lambda v: v.weighted / v.total,
    "log_var": lambda v: -np.log(v.total),
}
EVERYONE = {"mask": lambda v: np.full((*v.present.shape, 1), True)}
COMMON = {  # key: sentence and wrong formulas; two of them are often seen together
    "prior_is_forgotten": (
        "the prior is forgotten: it is an expert with precision 1 and mean 0",
        {"prior": lambda v: 0},
    ),
    "absent_experts_are_counted": (
        "absent experts are counted: sum over those that are present",
        EVERYONE,
    ),
    "absent_left_out_of_weighted_sum_only": (
        "absent experts are left out of the sum of T_i mu_i, but not of T",
        {
            "mask": FORWARD["mask"],  # not to be combined with another slip of the mask
            "total": lambda v: v.prior + v.T.sum(axis=0),
        },
    ),
    "absent_left_out_of_total_only": (
        "absent experts are left out of T, but not of the sum of T_i mu_i",
        {
            "mask": FORWARD["mask"],
            "weighted": lambda v: (v.T * v.mus).sum(axis=0),
        },
    ),
    "std_for_variance": (
        "exp(log_var / 2) is the standard deviation: the precision is exp(-log_var)",
        {"T": lambda v: np.exp(-v.log_vars / 2)},
    ),
    "precision_has_wrong_sign": (
        "the precision has the wrong sign, exp(log_var): it is 1 / variance, exp(-log_var)",
        {"T": lambda v: np.exp(v.log_vars)},
    ),
}
FORWARD_SLIPS = {
    **COMMON,
    "mu_is_not_divided_by_t": ("mu is not divided by T", {"mu": lambda v: v.weighted}),
    "log_var_is_log_t": (
        "log_var is log T: the variance is 1 / T, so log_var = -log T",
        {"log_var": lambda v: np.log(v.total)},
    ),
    "log_var_is_variance": (
        "log_var is the variance, 1 / T: take the log",
        {"log_var": lambda v: 1 / v.total},
    ),
    "present_is_inverted": (
        "present is inverted: it is True where an expert is there",
        {"mask": lambda v: ~v.present[:, :, None]},
    ),
    "expert_that_is_absent_for_one_sample": (
        "an expert that is absent for one sample is ignored for all: use present[i, j]",
        {"mask": lambda v: v.present.all(axis=1)[:, None, None]},
    ),
    "expert_that_is_there_for_one_sample": (
        "an expert that is there for one sample is counted for all: use present[i, j]",
        {"mask": lambda v: v.present.any(axis=1)[:, None, None]},
    ),
    "absent_expert_counts_as_n": (
        "an absent expert counts as N(0, I), which pulls z towards 0: leave it out",
        {
            "seen": lambda v: np.where(v.mask, v.T, 1),
            "weighted": lambda v: (v.seen * v.mus * v.mask).sum(axis=0),
        },
    ),
    "prior_is_counted_once_for_each_expert": (
        "the prior is counted once for each expert: it is one expert",
        {"total": lambda v: np.where(v.mask, 1 + v.T, 0).sum(axis=0)},
    ),
    "prior_is_counted_m_times": (
        "the prior is counted m times: it is one expert",
        {"total": lambda v: (1 + v.seen).sum(axis=0)},
    ),
    "prior_is_counted_twice": ("the prior is counted twice", {"prior": lambda v: 2}),
    "prior_has_log_precision_1": (
        "the log precision of the prior is 1: its precision is 1, so the log is 0",
        {"prior": lambda v: np.e},
    ),
    "prior_has_mean_1": (
        "the prior has mean 1: its mean is 0",
        {"mu": lambda v: (1 + v.weighted) / v.total},
    ),
    "exp_is_missing": (
        "exp is missing: the precision is exp(-log_var)",
        {"T": lambda v: -v.log_vars},
    ),
    "log_var_for_variance": (
        "exp is missing: log_var is the log of the variance, not the variance",
        {"T": lambda v: 1 / v.log_vars},
    ),
    "log_var_is_used_as_log_standard_deviation": (
        "log_var is used as the log of the standard deviation: it is that of the variance",
        {"T": lambda v: np.exp(-2 * v.log_vars)},
    ),
    "precisions_are_averaged_over_experts": (
        "the precisions are averaged over the experts: a product of densities adds them",
        {"total": lambda v: (1 + v.seen.sum(axis=0)) / (1 + v.mask.sum(axis=0))},
    ),
    "precisions_mean_with_prior": (
        "the precisions are a mean over all m experts and the prior: add them",
        {"total": lambda v: (1 + v.seen.sum(axis=0)) / (1 + len(v.mus))},
    ),
    "precisions_are_averaged_over_experts_without_prior": (
        "the precisions are averaged over the experts without the prior: add them",
        {
            "total": lambda v: 1 + v.seen.sum(axis=0) / v.mask.sum(axis=0),
            "weighted": lambda v: (v.seen * v.mus).sum(axis=0) / v.mask.sum(axis=0),
        },
    ),
    "precisions_mean_with_prior_added": (
        "the precisions are a mean over all m experts, with the prior added: add them",
        {"total": lambda v: 1 + v.seen.mean(axis=0)},
    ),
    "precisions_mean_without_prior": (
        "the precisions are a mean over all m experts: add them",
        {"total": lambda v: v.seen.mean(axis=0)},
    ),
    "variances_are_averaged": (
        "the variances are averaged: the precisions add up",
        {
            "log_var": lambda v: np.log(
                (1 + total(v, np.exp(v.log_vars))) / (1 + v.mask.sum(axis=0))
            )
        },
    ),
    "variances_experts_are_averaged": (
        "the variances of the experts are averaged: the precisions add up",
        {"log_var": lambda v: np.log(mean(v, np.exp(v.log_vars)))},
    ),
    "variances_are_added": (
        "the variances are added: the precisions add up",
        {"log_var": lambda v: np.log(1 + total(v, np.exp(v.log_vars)))},
    ),
    "variances_experts_are_added": (
        "the variances of the experts are added: the precisions add up",
        {"log_var": lambda v: np.log(total(v, np.exp(v.log_vars)))},
    ),
    "log_var_is_sum_log_vars": (
        "log_var is the sum of the log_vars: -log T is the log of a sum, not a sum of logs",
        {"log_var": lambda v: total(v, v.log_vars)},
    ),
    "log_var_is_minus_sum_log": (
        "log_var is minus the sum of log(1 + T_i): first add the T_i, then take the log",
        {"log_var": lambda v: -total(v, np.log1p(v.T))},
    ),
    "log_var_is_mean_log_vars": (
        "log_var is the mean of the log_vars: the precisions add up",
        {"log_var": lambda v: mean(v, v.log_vars)},
    ),
    "log_var_is_mean_with_prior": (
        "log_var is the mean of the log_vars, with 0 for the prior: the precisions add up",
        {"log_var": lambda v: total(v, v.log_vars) / (1 + v.mask.sum(axis=0))},
    ),
    "log_var_is_precision_t": (
        "log_var is the precision T: it is -log T",
        {"log_var": lambda v: v.total},
    ),
    "log_var_is_log_standard_deviation": (
        "log_var is the log of the standard deviation: remove the factor 1/2",
        {"log_var": lambda v: -np.log(v.total) / 2},
    ),
    "log_var_is_standard_deviation": (
        "log_var is the standard deviation: it is the log of the variance",
        {"log_var": lambda v: v.total**-0.5},
    ),
    "prior_again_in_log_var": (
        "log_var is -log(1 + T), with 1 for the prior a second time",
        {"log_var": lambda v: -np.log1p(v.total)},
    ),
    "mu_is_plain_mean_mus": (
        "mu is the plain mean of the mus: weight them with the precisions",
        {"mu": lambda v: mean(v, v.mus)},
    ),
    "mu_is_plain_mean_with_prior": (
        "mu is the plain mean, with 0 for the prior: weight the mus with the precisions",
        {"mu": lambda v: total(v, v.mus) / (1 + v.mask.sum(axis=0))},
    ),
    "mu_is_plain_sum_mus": (
        "mu is the plain sum of the mus: weight them with the precisions",
        {"mu": lambda v: total(v, v.mus)},
    ),
    "mu_is_sum_mus_divided_by_t": (
        "mu is the sum of the mus divided by T: the weight T_i is missing",
        {"mu": lambda v: total(v, v.mus) / v.total},
    ),
    "mu_is_weighted_with_variances": (
        "mu is weighted with the variances: a sure expert, with a small variance, counts more",
        {"mu": lambda v: total(v, v.mus / v.T) / total(v, 1 / v.T)},
    ),
    "mu_weighted_with_variances_and_prior": (
        "mu is weighted with variances, 1 for the prior: a sure expert counts more",
        {"mu": lambda v: total(v, v.mus / v.T) / (1 + total(v, 1 / v.T))},
    ),
    "mu_weighted_with_one_over_std": (
        "mu is weighted with 1 / std: the weight is the precision, 1 / variance",
        {"mu": lambda v: total(v, v.mus * v.T**0.5) / (1 + total(v, v.T**0.5))},
    ),
    "mu_is_divided_by_product_t_i": (
        "mu is divided by the product of the T_i: T is their sum, with 1 for the prior",
        {"mu": lambda v: v.weighted / np.where(v.mask, v.T, 1).prod(axis=0)},
    ),
    "mu_is_multiplied_by_t": (
        "mu is multiplied by T: divide by it",
        {"mu": lambda v: v.weighted * v.total},
    ),
    "mu_is_mean_over_experts": (
        "mu is a mean over the experts: the weights T_i / T already add up to 1, with the prior's",
        {"mu": lambda v: v.weighted / v.total / len(v.mus)},
    ),
    "mu_divided_by_number_of_experts": (
        "mu is divided by the number of experts that are present: divide by T only",
        {"mu": lambda v: v.weighted / v.total / v.mask.sum(axis=0)},
    ),
    "is_variance_mixture_experts": (
        "this is the variance of a mixture of the experts: their product has precision T",
        {"log_var": lambda v: np.log(mean(v, np.exp(v.log_vars) + v.mus**2) - mean(v, v.mus) ** 2)},
    ),
    "only_last_expert_is_used": (
        "only the last expert is used: is the return, or a sum, outside the loop?",
        {
            "seen": lambda v: np.where(v.mask, v.T, 0)[-1:],
            "weighted": lambda v: v.seen[0] * v.mus[-1],
        },
    ),
    "only_first_expert_is_used": (
        "only the first expert is used: is the return inside the loop?",
        {
            "seen": lambda v: np.where(v.mask, v.T, 0)[:1],
            "weighted": lambda v: v.seen[0] * v.mus[0],
        },
    ),
    "small_number_is_added_to_each_variance": (
        "a small number is added to each variance: T is at least 1, so nothing can divide by 0",
        {"T": lambda v: 1 / (np.exp(v.log_vars) + 1e-8)},
    ),
    "small_number_is_added_to_t": (
        "a small number is added to T: T is at least 1, so nothing can divide by 0",
        {"total": lambda v: 1 + v.seen.sum(axis=0) + 1e-8},
    ),
    "axis_experts_is_kept": (
        "the axis of the experts is kept: sum without keepdims",
        {
            "mu": lambda v: (v.weighted / v.total)[None],
            "log_var": lambda v: -np.log(v.total)[None],
        },
    ),
    "weighted_mus_are_not_summed_over_experts": (
        "the weighted mus are not summed over the experts (axis 0)",
        {"mu": lambda v: v.seen * v.mus / v.total},
    ),
    "sum_is_over_everything": (
        "the sum is over everything: sum over the experts only (axis 0)",
        {
            "total": lambda v: v.prior + v.seen.sum(),
            "weighted": lambda v: (v.seen * v.mus).sum(),
        },
    ),
    "sum_is_over_samples": (
        "the sum is over the samples (axis 1): sum over the experts (axis 0)",
        {
            "total": lambda v: v.prior + v.seen.sum(axis=1),
            "weighted": lambda v: (v.seen * v.mus).sum(axis=1),
        },
    ),
    "sum_is_over_latents": (
        "the sum is over the latents (axis 2): sum over the experts (axis 0)",
        {
            "total": lambda v: v.prior + v.seen.sum(axis=2),
            "weighted": lambda v: (v.seen * v.mus).sum(axis=2),
        },
    ),
}
FORWARD_SLIPS |= pairs(COMMON)
SURE = "an expert can be surer than that"
CLIPPED = {
    f"clipped_to_{limit}": (
        f"log_vars is clipped to {limit}: {SURE}",
        {"T": lambda v, limit=limit: np.exp(-np.clip(v.log_vars, -limit, limit))},
    )
    for limit in (5, 10, 20, 30, 50, 80, 100, 500, 700)
}


FORMULAS = {
    "T": "exp(-log_vars)",
    "seen": "where(here, T, 0)",
    "total": "1 + sum(seen, axis=0)",
    "weighted": "sum(seen * mus, axis=0)",
}
OUTPUTS = {"mu": "weighted / total", "log_var": "-log(total)"}


def total(v, x):
    """Return the sum of x over the experts that are present."""
    return np.where(v.mask, x, 0).sum(axis=0)


def mean(v, x):
    """Return the mean of x over the experts that are present."""
    return total(v, x) / v.mask.sum(axis=0)


def check_forward(ask):
    """mu and log_var of the product, for all cases."""
    for description, inputs, slips in cases(ask, FORWARD_SLIPS):
        given = dict(zip(("mus", "log_vars", "present"), inputs, strict=True))
        mistakes = wrong_answers(FORWARD, given, ("mu", "log_var"), slips or CLIPPED)
        got = ask("product_of_experts", *inputs)
        mus, log_vars, present = inputs
        start = {"mus": mus, "log_vars": log_vars, "here": present[:, :, None]}
        start |= sizes_of(mus)
        formulas = [(name, FORMULAS | {name: text}, start) for name, text in OUTPUTS.items()]
        compare_case(ask, got, product(*inputs), mistakes, description, formulas)
