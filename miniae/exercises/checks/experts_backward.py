"""Check of the product of Gaussian experts, backward, and the exercise."""

import itertools

import numpy as np

from miniae.exercises.checks.experts import EVERYONE, SURE, check_forward, mean, total
from miniae.exercises.checks.experts_inputs import cases, compare_case, product
from miniae.exercises.checks.formulas import compute, wrong_answers

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
    "the gradient through the weights is forgotten: mu depends on log_vars too": {
        "through_mu": lambda v: 0
    },
    "the gradient through log_var is forgotten: log_var = -log T depends on log_vars": {
        "through_log_var": lambda v: 0
    },
    f"the part through mu has the wrong sign, mu_i - mu: {EXACT}": {
        "through_mu": lambda v: -BACKWARD["through_mu"](v)
    },
    "the part through log_var has the wrong sign: a larger log_vars_i makes log_var larger": {
        "through_log_var": lambda v: -BACKWARD["through_log_var"](v)
    },
    f"only the numerator sum T_i mu_i is differentiated, and T is not: {EXACT}": {
        "through_mu": lambda v: -v.w * v.dmu * v.mus
    },
    f"only the numerator is differentiated, and with the wrong sign: {EXACT}": {
        "through_mu": lambda v: v.w * v.dmu * v.mus
    },
    f"only the denominator T is differentiated, and sum T_i mu_i is not: {EXACT}": {
        "through_mu": lambda v: v.w * v.dmu * v.mu
    },
    f"only the denominator is differentiated, and with the wrong sign: {EXACT}": {
        "through_mu": lambda v: -v.w * v.dmu * v.mu
    },
}
FACTORS = {
    "this is the gradient with respect to the precisions T_i: multiply by the slope -T_i": {
        "factor": lambda v: -np.exp(v.log_vars)
    },
    "this is the gradient with respect to the variances: multiply by exp(log_vars)": {
        "factor": lambda v: np.exp(-v.log_vars)
    },
    "it has a factor 2: this is the gradient with respect to the log of the std": {
        "factor": lambda v: 2
    },
    "it has a factor 1/2, which belongs to exp(log_var / 2): here is exp(-log_var)": {
        "factor": lambda v: 0.5
    },
}
BACKWARD_SLIPS = {
    **PARTS, **FACTORS,
    "absent experts get a gradient: it is 0 for them": EVERYONE,
    "present is inverted: it is True where an expert is there": {
        "mask": lambda v: ~v.present[:, :, None]
    },
    "the weights leave out the prior: T = 1 + sum T_i": {
        "w": lambda v: np.where(v.mask, np.exp(-v.log_vars), 0) / total(v, np.exp(-v.log_vars))
    },
    "the denominator of the weights has the absent experts too": {
        "w": lambda v: np.where(v.mask, np.exp(-v.log_vars), 0)
        / (1 + np.exp(-v.log_vars).sum(axis=0))
    },
    f"the weight is upside down, T / T_i: {WEIGHT}": {
        "w": lambda v: np.where(v.mask, np.exp(v.log_vars - v.log_var), 0)
    },
    f"the weight has standard deviations: {WEIGHT}": {
        "w": lambda v: np.where(v.mask, np.exp((v.log_var - v.log_vars) / 2), 0)
    },
    f"the weight is T_i, without the division by T: {WEIGHT}": {
        "w": lambda v: np.where(v.mask, np.exp(-v.log_vars), 0)
    },
    f"the weight is 1 / T, without T_i: {WEIGHT}": {
        "w": lambda v: np.where(v.mask, np.exp(v.log_var), 0)
    },
    f"exp is missing in the weight: {WEIGHT}": {
        "w": lambda v: np.where(v.mask, v.log_var / v.log_vars, 0)
    },
    f"the weight of each expert is 1 / m: {WEIGHT}": {
        "w": lambda v: np.where(v.mask, 1 / len(v.mus), 0)
    },
    f"the weight of each expert is 1 / (number of experts that are present): {WEIGHT}": {
        "w": lambda v: np.where(v.mask, 1 / v.mask.sum(axis=0), 0)
    },
    f"the weight is missing: {WEIGHT}": {"w": lambda v: np.where(v.mask, 1, 0)},
    "it is divided by the number of samples, experts or latents: dmu and dlog_var already contain "
    "the 1 / n of the loss": {"w": lambda v: BACKWARD["w"](v) / len(v.dmu)},
    "the weight is squared: it is there once": {"w": lambda v: BACKWARD["w"](v) ** 2},
    "dmus is w_i mu_i: dmu is missing": {"dmus": lambda v: v.w * v.mus},
    "dmus is w_i: dmu is missing": {"dmus": lambda v: v.w},
    "dmus has a factor mu_i: the slope of w_i mu_i in mu_i is w_i": {
        "dmus": lambda v: v.w * v.dmu * v.mus
    },
    "dmus has a factor mu_i - mu: that belongs to dlog_vars": {
        "dmus": lambda v: v.w * v.dmu * (v.mus - v.mu)
    },
    "dmus has dlog_var instead of dmu": {"dmus": lambda v: v.w * v.dlog_var},
    "dmus has dmu + dlog_var: log_var does not depend on the mus": {
        "dmus": lambda v: v.w * (v.dmu + v.dlog_var)
    },
    "it has the wrong sign: T_i = exp(-log_vars_i) has slope -T_i": {
        "factor": lambda v: -1
    },
    "only the weight w_i is differentiated: log_vars_i changes the weights of all experts": {
        "through_mu": lambda v: -v.w * (1 - v.w) * v.dmu * v.mus
    },
    "it has a factor 1 - w_i: the slope of log T in log T_i is w_i": {"factor": lambda v: 1 - v.w},
    f"the factor mu - mu_i is missing: {EXACT}": {"through_mu": lambda v: v.w * v.dmu},
    f"the difference mu - mu_i is squared: {EXACT}": {
        "through_mu": lambda v: v.w * v.dmu * (v.mu - v.mus) ** 2
    },
    f"dmu is missing: {EXACT}": {"through_mu": lambda v: v.w * (v.mu - v.mus)},
    f"the weight is missing in the part through mu: {EXACT}": {
        "through_mu": lambda v: v.mask * v.dmu * (v.mu - v.mus)
    },
    f"it has the mean of the mus instead of mu: {EXACT}": {
        "through_mu": lambda v: v.w * v.dmu * (mean(v, v.mus) - v.mus)
    },
    "the weight is missing in the part through log_var": {
        "through_log_var": lambda v: v.mask * v.dlog_var
    },
    "the weight is squared in the part through log_var: it is there once": {
        "through_log_var": lambda v: v.w**2 * v.dlog_var
    },
    "the weight is squared in the part through mu: it is there once": {
        "through_mu": lambda v: v.w**2 * v.dmu * (v.mu - v.mus)
    },
    "the part through log_var is not divided by T: log T has the slope 1 / T": {
        "through_log_var": lambda v: v.mask * np.exp(-v.log_vars) * v.dlog_var
    },
    "the part through mu is not divided by T": {
        "through_mu": lambda v: v.mask * np.exp(-v.log_vars) * v.dmu * (v.mu - v.mus)
    },
    "the part through log_var is w_i: dlog_var is missing": {"through_log_var": lambda v: v.w},
    "the part through log_var has a factor exp(log_var): you get dlog_var, not the gradient with "
    "respect to the variance": {"through_log_var": lambda v: v.w * v.dlog_var * np.exp(v.log_var)},
    "the part through log_var has a factor 1/2": {
        "through_log_var": lambda v: v.w * v.dlog_var / 2
    },
    "dmu and dlog_var are exchanged": {
        "dlog_vars": lambda v: v.w * (v.dlog_var * (v.mu - v.mus) + v.dmu)
    },
}  # fmt: skip
BACKWARD_SLIPS |= {
    f"{one}; and: {two}": PARTS[one] | FACTORS[two]
    for one, two in itertools.product(PARTS, FACTORS)
}
CLIPPED = {  # above 25 all weights are 0 to rounding
    f"log_vars is clipped to {text}: {SURE}": {
        "w": lambda v, limit=limit: np.exp(v.log_var - np.clip(v.log_vars, -limit, limit))
    }
    for limit, text in ((5, "5"), (10, "10"), (20, "20"), (100, "some number"))
}
AXES = "summed over the experts", "summed over the samples"
BACKWARD_SLIPS |= {
    f"{name} is {words}: it has the shape of mus": {
        name: lambda v, name=name, axis=axis: BACKWARD[name](v).sum(axis=axis)
    }
    for name in NAMES
    for axis, words in enumerate(AXES)
}


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
        compare_case(ask, got, right, mistakes, description)


EXERCISES = {
    "product_of_experts": {
        "title": "A product of Gaussian experts, forward and backward",
        "minutes": 45,
        "parts": {
            "product_of_experts": check_forward,
            "product_of_experts_backward": check_backward,
        },
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
