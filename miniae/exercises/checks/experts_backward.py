"""Check of the product of Gaussian experts, backward, and the exercise."""

import itertools

import numpy as np

from miniae.exercises.checks.experts import (
    CLIPPED as FORWARD_CLIPPED,
)
from miniae.exercises.checks.experts import (
    EVERYONE,
    FORWARD_SLIPS,
    SURE,
    check_forward,
    mean,
    total,
)
from miniae.exercises.checks.experts_inputs import (
    EQUAL_SIZES,
    cases,
    compare_case,
    product,
    sizes_of,
)
from miniae.exercises.checks.formulas import compute, sentences, wrong_answers

NAMES = "dmus", "dlog_vars"
BACKWARD = {
    "mask": lambda v: v.present[:, :, None],
    "w": lambda v: np.where(v.mask, np.exp(v.log_var - v.log_vars), 0),  # T_i / T
    "dmus": lambda v: v.w * v.dmu,
    "through_mu": lambda v: v.w * v.dmu * np.where(v.mask, v.mu - v.mus, 0),
    "through_log_var": lambda v: v.w * v.dlog_var,
    "factor": lambda v: 1,
    "dlog_vars": lambda v: v.factor * (v.through_mu + v.through_log_var),
}
EXACT = "log_vars_i acts on mu with slope w_i (mu - mu_i)"
WEIGHT = "the weight is w_i = T_i / T = exp(log_var - log_vars_i)"
PARTS = {
    "gradient_through_weights_is_forgotten": (
        "the gradient through the weights is forgotten: mu depends on log_vars too",
        {"through_mu": lambda v: 0},
    ),
    "gradient_through_log_var_is_forgotten": (
        "the gradient through log_var is forgotten: log_var = -log T depends on log_vars",
        {"through_log_var": lambda v: 0},
    ),
    "part_through_mu_has_wrong_sign": (
        f"the part through mu has the wrong sign, mu_i - mu: {EXACT}",
        {"through_mu": lambda v: -BACKWARD["through_mu"](v)},
    ),
    "part_through_log_var_has_wrong_sign": (
        "the part through log_var has the wrong sign: a larger log_vars_i makes log_var larger",
        {"through_log_var": lambda v: -BACKWARD["through_log_var"](v)},
    ),
    "only_numerator_sum_t_i_mu_i_is_differentiated": (
        f"only the numerator sum T_i mu_i is differentiated, and T is not: {EXACT}",
        {"through_mu": lambda v: -v.w * v.dmu * v.mus},
    ),
    "only_numerator_is_differentiated": (
        f"only the numerator is differentiated, and with the wrong sign: {EXACT}",
        {"through_mu": lambda v: v.w * v.dmu * v.mus},
    ),
    "only_denominator_t_is_differentiated": (
        f"only the denominator T is differentiated, and sum T_i mu_i is not: {EXACT}",
        {"through_mu": lambda v: v.w * v.dmu * v.mu},
    ),
    "only_denominator_is_differentiated": (
        f"only the denominator is differentiated, and with the wrong sign: {EXACT}",
        {"through_mu": lambda v: -v.w * v.dmu * v.mu},
    ),
}
FACTORS = {
    "is_gradient_with_respect_to_precisions_t_i": (
        "this is the gradient with respect to the precisions T_i: multiply by the slope -T_i",
        {"factor": lambda v: -np.exp(v.log_vars)},
    ),
    "is_gradient_with_respect_to_variances": (
        "this is the gradient with respect to the variances: multiply by exp(log_vars)",
        {"factor": lambda v: np.exp(-v.log_vars)},
    ),
    "has_factor_2": (
        "it has a factor 2: this is the gradient with respect to the log of the std",
        {"factor": lambda v: 2},
    ),
    "has_factor_half": (
        "it has a factor 1/2, which belongs to exp(log_var / 2): here is exp(-log_var)",
        {"factor": lambda v: 0.5},
    ),
}
BACKWARD_SLIPS = {
    **PARTS,
    **FACTORS,
    "absent_experts_get_gradient": ("absent experts get a gradient: it is 0 for them", EVERYONE),
    "present_is_inverted": (
        "present is inverted: it is True where an expert is there",
        {"mask": lambda v: ~v.present[:, :, None]},
    ),
    "weights_leave_out_prior": (
        "the weights leave out the prior: T = 1 + sum T_i",
        {"w": lambda v: np.where(v.mask, np.exp(-v.log_vars), 0) / total(v, np.exp(-v.log_vars))},
    ),
    "denominator_weights_has_absent_experts_too": (
        "the denominator of the weights has the absent experts too",
        {
            "w": lambda v: (
                np.where(v.mask, np.exp(-v.log_vars), 0) / (1 + np.exp(-v.log_vars).sum(axis=0))
            )
        },
    ),
    "weight_is_upside_down": (
        f"the weight is upside down, T / T_i: {WEIGHT}",
        {"w": lambda v: np.where(v.mask, np.exp(v.log_vars - v.log_var), 0)},
    ),
    "weight_has_standard_deviations": (
        f"the weight has standard deviations: {WEIGHT}",
        {"w": lambda v: np.where(v.mask, np.exp((v.log_var - v.log_vars) / 2), 0)},
    ),
    "weight_is_t_i": (
        f"the weight is T_i, without the division by T: {WEIGHT}",
        {"w": lambda v: np.where(v.mask, np.exp(-v.log_vars), 0)},
    ),
    "weight_is_one_over_t": (
        f"the weight is 1 / T, without T_i: {WEIGHT}",
        {"w": lambda v: np.where(v.mask, np.exp(v.log_var), 0)},
    ),
    "exp_is_missing_in_weight": (
        f"exp is missing in the weight: {WEIGHT}",
        {"w": lambda v: np.where(v.mask, v.log_var / v.log_vars, 0)},
    ),
    "weight_is_one_over_m": (
        f"the weight of each expert is 1 / m: {WEIGHT}",
        {"w": lambda v: np.where(v.mask, 1 / len(v.mus), 0)},
    ),
    "weight_is_one_over_present": (
        f"the weight of each expert is 1 / (number of experts that are present): {WEIGHT}",
        {"w": lambda v: np.where(v.mask, 1 / v.mask.sum(axis=0), 0)},
    ),
    "weight_is_missing": (
        f"the weight is missing: {WEIGHT}",
        {"w": lambda v: np.where(v.mask, 1, 0)},
    ),
    "divided_by_a_number": (
        "it is divided by the number of samples, experts or latents: dmu and dlog_var already "
        "contain the 1 / n of the loss",
        {"w": lambda v: BACKWARD["w"](v) / len(v.dmu)},
    ),
    "weight_is_squared": (
        "the weight is squared: it is there once",
        {"w": lambda v: BACKWARD["w"](v) ** 2},
    ),
    "dmus_is_w_i_mu_i": ("dmus is w_i mu_i: dmu is missing", {"dmus": lambda v: v.w * v.mus}),
    "dmus_is_w_i": ("dmus is w_i: dmu is missing", {"dmus": lambda v: v.w}),
    "dmus_has_factor_mu_i": (
        "dmus has a factor mu_i: the slope of w_i mu_i in mu_i is w_i",
        {"dmus": lambda v: v.w * v.dmu * v.mus},
    ),
    "dmus_has_factor_of_difference": (
        "dmus has a factor mu_i - mu: that belongs to dlog_vars",
        {"dmus": lambda v: v.w * v.dmu * (v.mus - v.mu)},
    ),
    "dmus_has_dlog_var_instead_dmu": (
        "dmus has dlog_var instead of dmu",
        {"dmus": lambda v: v.w * v.dlog_var},
    ),
    "dmus_has_dmu_dlog_var": (
        "dmus has dmu + dlog_var: log_var does not depend on the mus",
        {"dmus": lambda v: v.w * (v.dmu + v.dlog_var)},
    ),
    "has_wrong_sign": (
        "it has the wrong sign: T_i = exp(-log_vars_i) has slope -T_i",
        {"factor": lambda v: -1},
    ),
    "only_weight_w_i_is_differentiated": (
        "only the weight w_i is differentiated: log_vars_i changes the weights of all experts",
        {"through_mu": lambda v: -v.w * (1 - v.w) * v.dmu * v.mus},
    ),
    "has_factor_one_minus_w": (
        "it has a factor 1 - w_i: the slope of log T in log T_i is w_i",
        {"factor": lambda v: 1 - v.w},
    ),
    "factor_mu_mu_i_is_missing": (
        f"the factor mu - mu_i is missing: {EXACT}",
        {"through_mu": lambda v: v.w * v.dmu},
    ),
    "difference_mu_mu_i_is_squared": (
        f"the difference mu - mu_i is squared: {EXACT}",
        {"through_mu": lambda v: v.w * v.dmu * (v.mu - v.mus) ** 2},
    ),
    "dmu_is_missing": (f"dmu is missing: {EXACT}", {"through_mu": lambda v: v.w * (v.mu - v.mus)}),
    "weight_is_missing_in_part_through_mu": (
        f"the weight is missing in the part through mu: {EXACT}",
        {"through_mu": lambda v: v.mask * v.dmu * (v.mu - v.mus)},
    ),
    "has_mean_mus_instead_mu": (
        f"it has the mean of the mus instead of mu: {EXACT}",
        {"through_mu": lambda v: v.w * v.dmu * (mean(v, v.mus) - v.mus)},
    ),
    "weight_is_missing_in_part_through_log_var": (
        "the weight is missing in the part through log_var",
        {"through_log_var": lambda v: v.mask * v.dlog_var},
    ),
    "weight_not_on_log_var_at_all": (
        "the weight multiplies the part through mu only: w_i (dmu (mu - mu_i) + dlog_var)",
        {"through_log_var": lambda v: v.dlog_var + 0 * v.mus},
    ),
    "weight_not_on_mu_part_at_all": (
        "the weight multiplies dlog_var only: w_i (dmu (mu - mu_i) + dlog_var)",
        {"through_mu": lambda v: v.dmu * (v.mu - v.mus)},
    ),
    "no_weight_and_no_mask": (
        "the weight is missing: the weight is w_i = T_i / T, and 0 for an absent expert",
        {"w": lambda v: np.ones(v.mus.shape)},
    ),
    "weight_is_squared_in_part_through_log_var": (
        "the weight is squared in the part through log_var: it is there once",
        {"through_log_var": lambda v: v.w**2 * v.dlog_var},
    ),
    "weight_is_squared_in_part_through_mu": (
        "the weight is squared in the part through mu: it is there once",
        {"through_mu": lambda v: v.w**2 * v.dmu * (v.mu - v.mus)},
    ),
    "part_through_log_var_is_not_divided_by": (
        "the part through log_var is not divided by T: log T has the slope 1 / T",
        {"through_log_var": lambda v: v.mask * np.exp(-v.log_vars) * v.dlog_var},
    ),
    "part_through_mu_is_not_divided_by": (
        "the part through mu is not divided by T",
        {"through_mu": lambda v: v.mask * np.exp(-v.log_vars) * v.dmu * (v.mu - v.mus)},
    ),
    "part_through_log_var_is_w_i": (
        "the part through log_var is w_i: dlog_var is missing",
        {"through_log_var": lambda v: v.w},
    ),
    "part_through_log_var_has_factor_exp": (
        "the part through log_var has a factor exp(log_var): you get dlog_var, not the gradient "
        "with respect to the variance",
        {"through_log_var": lambda v: v.w * v.dlog_var * np.exp(v.log_var)},
    ),
    "part_through_log_var_has_factor_half": (
        "the part through log_var has a factor 1/2",
        {"through_log_var": lambda v: v.w * v.dlog_var / 2},
    ),
    "dmu_and_dlog_var_are_exchanged": (
        "dmu and dlog_var are exchanged",
        {"dlog_vars": lambda v: v.w * (v.dlog_var * (v.mu - v.mus) + v.dmu)},
    ),
}
BACKWARD_SLIPS |= {
    f"{one}__{two}": ("", PARTS[one][1] | FACTORS[two][1])
    for one, two in itertools.product(PARTS, FACTORS)
}
CLIPPED = {  # above 25 all weights are 0 to rounding
    f"weight_clipped_to_{limit}": (
        f"log_vars is clipped to {text}: {SURE}",
        {"w": lambda v, limit=limit: np.exp(v.log_var - np.clip(v.log_vars, -limit, limit))},
    )
    for limit, text in ((5, "5"), (10, "10"), (20, "20"), (100, "some number"))
}
AXES = "summed over the experts", "summed over the samples"
BACKWARD_SLIPS |= {
    f"{name}_{words.replace(' ', '_')}": (
        f"{name} is {words}: it has the shape of mus",
        {name: lambda v, name=name, axis=axis: BACKWARD[name](v).sum(axis=axis)},
    )
    for name in NAMES
    for axis, words in enumerate(AXES)
}


W = "where(here, exp(log_var - log_vars), 0)"
OUTPUTS = {"dmus": "w * dmu", "dlog_vars": "w * (dmu * (mu - mus) + dlog_var)"}


def check_backward(ask):
    """dmus and dlog_vars, for all cases."""
    for description, inputs, slips in cases(ask, BACKWARD_SLIPS):
        mus, log_vars, present = inputs
        dmu, dlog_var = ask.rng.standard_normal((2, *mus.shape[1:]))
        given = {
            "dmu": dmu, "dlog_var": dlog_var, "mus": mus, "log_vars": log_vars, "present": present,
            **product(*inputs),
        }  # fmt: skip
        got = ask("product_of_experts_backward", *given.values())
        right = compute(BACKWARD, given, NAMES)
        mistakes = wrong_answers(BACKWARD, given, NAMES, slips or CLIPPED)
        start = {name: given[name] for name in ("dmu", "dlog_var", "mus", "log_vars")}
        start |= {"mu": given["mu"], "log_var": given["log_var"], "here": present[:, :, None]}
        start |= sizes_of(mus)
        formulas = [(name, {"w": W, name: text}, start) for name, text in OUTPUTS.items()]
        compare_case(ask, got, right, mistakes, description, formulas)


EXERCISES = {
    "product_of_experts": {
        "title": "A product of Gaussian experts, forward and backward",
        "minutes": 45,
        "parts": {
            "product_of_experts": check_forward,
            "product_of_experts_backward": check_backward,
        },
        "mistakes": sentences(
            FORWARD_SLIPS | EQUAL_SIZES | FORWARD_CLIPPED | BACKWARD_SLIPS | CLIPPED
        ),
        "hints": (
            "present is (m, n) and mus is (m, n, d): present[:, :, None] is (m, n, 1), and goes "
            "with both. log T_i is -log_var_i, and -inf where the expert is absent. The prior has "
            "log T_i = 0: np.logaddexp.reduce(..., axis=0, initial=0) is log T.",
            "With the weights w_i = T_i / T = exp(log T_i - log T), mu is the sum of w_i mu_i. In "
            "backward log_var is -log T. Differentiate mu and log_var with respect to T_i first: "
            "the slopes are (mu_i - mu) / T and -1 / T. Then T_i has slope -T_i in log_var_i.",
            "dmus_i = w_i dmu and dlog_vars_i = w_i (dmu (mu - mu_i) + dlog_var), with w_i = "
            "exp(log_var - log_var_i). Both are 0 where the expert is absent.",
        ),
    },
}
