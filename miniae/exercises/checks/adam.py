"""Check of Adam."""

from types import SimpleNamespace

import numpy as np

from miniae.exercises.checks.formulas import sentences
from miniae.exercises.checks.optimisers import STEPS_SENTENCES, check_steps

ADAM = {  # in the order in which they are computed; s has what was given and computed before
    "m": lambda s: s.beta1 * s.m + (1 - s.beta1) * s.g,
    "v": lambda s: s.beta2 * s.v + (1 - s.beta2) * s.g**2,
    "m_hat": lambda s: s.m / (1 - s.beta1**s.t),
    "v_hat": lambda s: s.v / (1 - s.beta2**s.t),
    "bottom": lambda s: np.sqrt(s.v_hat) + s.eps,
    "step": lambda s: -s.lr * s.m_hat / s.bottom,
}
ADAM_SLIPS = {
    "uncorrected": (
        "the bias corrections are missing: m / (1 - beta1^t) and v / (1 - beta2^t)",
        {"m_hat": lambda s: s.m, "v_hat": lambda s: s.v},
    ),
    "v_uncorrected": ("v is not corrected: v / (1 - beta2^t)", {"v_hat": lambda s: s.v}),
    "m_uncorrected": ("m is not corrected: m / (1 - beta1^t)", {"m_hat": lambda s: s.m}),
    "t_stays_1": (
        "t does not count the steps: it must be 1 in the first step, then 2, 3, ...",
        {"m_hat": lambda s: s.m / (1 - s.beta1), "v_hat": lambda s: s.v / (1 - s.beta2)},
    ),
    "t_stays_1_for_m": (
        "beta1 has no power t: m / (1 - beta1^t)",
        {"m_hat": lambda s: s.m / (1 - s.beta1)},
    ),
    "t_stays_1_for_v": (
        "beta2 has no power t: v / (1 - beta2^t)",
        {"v_hat": lambda s: s.v / (1 - s.beta2)},
    ),
    "t_too_large": (
        "t is too large by 1: it must be 1 in the first step",
        {
            "m_hat": lambda s: s.m / (1 - s.beta1 ** (s.t + 1)),
            "v_hat": lambda s: s.v / (1 - s.beta2 ** (s.t + 1)),
        },
    ),
    "t_twice": (
        "t grows by 2 in each step: it must be 1, 2, 3, ...",
        {
            "m_hat": lambda s: s.m / (1 - s.beta1 ** (2 * s.t)),
            "v_hat": lambda s: s.v / (1 - s.beta2 ** (2 * s.t)),
        },
    ),
    "beta_times_t": (
        "beta is multiplied by t: take the power, beta^t",
        {
            "m_hat": lambda s: s.m / (1 - s.beta1 * s.t),
            "v_hat": lambda s: s.v / (1 - s.beta2 * s.t),
        },
    ),
    "beta1_times_t": (
        "beta1 is multiplied by t: take the power, beta1^t",
        {"m_hat": lambda s: s.m / (1 - s.beta1 * s.t)},
    ),
    "beta2_times_t": (
        "beta2 is multiplied by t: take the power, beta2^t",
        {"v_hat": lambda s: s.v / (1 - s.beta2 * s.t)},
    ),
    "power_outside": (
        "the power is outside the bracket: 1 - beta^t, not (1 - beta)^t",
        {
            "m_hat": lambda s: s.m / (1 - s.beta1) ** s.t,
            "v_hat": lambda s: s.v / (1 - s.beta2) ** s.t,
        },
    ),
    "power_outside_for_m": (
        "the power is outside the bracket: 1 - beta1^t, not (1 - beta1)^t",
        {"m_hat": lambda s: s.m / (1 - s.beta1) ** s.t},
    ),
    "power_outside_for_v": (
        "the power is outside the bracket: 1 - beta2^t, not (1 - beta2)^t",
        {"v_hat": lambda s: s.v / (1 - s.beta2) ** s.t},
    ),
    "one_minus_is_missing": (
        "it is divided by beta^t: divide by 1 - beta^t",
        {"m_hat": lambda s: s.m / s.beta1**s.t, "v_hat": lambda s: s.v / s.beta2**s.t},
    ),
    "one_minus_is_missing_for_m": (
        "m is divided by beta1^t: divide by 1 - beta1^t",
        {"m_hat": lambda s: s.m / s.beta1**s.t},
    ),
    "one_minus_is_missing_for_v": (
        "v is divided by beta2^t: divide by 1 - beta2^t",
        {"v_hat": lambda s: s.v / s.beta2**s.t},
    ),
    "one_plus_power": (
        "it is divided by 1 + beta^t: divide by 1 - beta^t",
        {
            "m_hat": lambda s: s.m / (1 + s.beta1**s.t),
            "v_hat": lambda s: s.v / (1 + s.beta2**s.t),
        },
    ),
    "multiplied_by_correction": (
        "m and v are multiplied by 1 - beta^t: divide",
        {
            "m_hat": lambda s: s.m * (1 - s.beta1**s.t),
            "v_hat": lambda s: s.v * (1 - s.beta2**s.t),
        },
    ),
    "m_multiplied_by_correction": (
        "m is multiplied by 1 - beta1^t: divide",
        {"m_hat": lambda s: s.m * (1 - s.beta1**s.t)},
    ),
    "v_multiplied_by_correction": (
        "v is multiplied by 1 - beta2^t: divide",
        {"v_hat": lambda s: s.v * (1 - s.beta2**s.t)},
    ),
    "v_corrected_with_beta1": (
        "v is corrected with beta1: it is 1 - beta2^t",
        {"v_hat": lambda s: s.v / (1 - s.beta1**s.t)},
    ),
    "m_corrected_with_beta2": (
        "m is corrected with beta2: it is 1 - beta1^t",
        {"m_hat": lambda s: s.m / (1 - s.beta2**s.t)},
    ),
    "corrections_exchanged": (
        "the corrections are exchanged: beta1 belongs to m, beta2 to v",
        {
            "m_hat": lambda s: s.m / (1 - s.beta2**s.t),
            "v_hat": lambda s: s.v / (1 - s.beta1**s.t),
        },
    ),
    "corrected_m_is_kept": (
        "m is corrected in place, so the next step starts from the corrected m: keep m as it is",
        {"m": lambda s: ADAM["m"](s) / (1 - s.beta1**s.t), "m_hat": lambda s: s.m},
    ),
    "corrected_v_is_kept": (
        "v is corrected in place, so the next step starts from the corrected v: keep v as it is",
        {"v": lambda s: ADAM["v"](s) / (1 - s.beta2**s.t), "v_hat": lambda s: s.v},
    ),
    "corrected_are_kept": (
        "m and v are corrected in place, so the next step starts from them: keep them as they are",
        {
            "m": lambda s: ADAM["m"](s) / (1 - s.beta1**s.t),
            "m_hat": lambda s: s.m,
            "v": lambda s: ADAM["v"](s) / (1 - s.beta2**s.t),
            "v_hat": lambda s: s.v,
        },
    ),
    "not_squared": (
        "dtheta must be squared in v",
        {"v": lambda s: s.beta2 * s.v + (1 - s.beta2) * s.g},
    ),
    "absolute_for_square": (
        "v has |dtheta|: dtheta must be squared",
        {"v": lambda s: s.beta2 * s.v + (1 - s.beta2) * np.abs(s.g)},
    ),
    "sum_of_squares": (
        "v is one number, with the sum of all squares: each entry has its own v",
        {"v": lambda s: s.beta2 * s.v + (1 - s.beta2) * (s.g**2).sum()},
    ),
    "mean_of_squares": (
        "v is one number, with the mean of all squares: each entry has its own v",
        {"v": lambda s: s.beta2 * s.v + (1 - s.beta2) * (s.g**2).mean()},
    ),
    "v_of_m": (
        "v has m^2: it is a running mean of dtheta^2",
        {"v": lambda s: s.beta2 * s.v + (1 - s.beta2) * s.m**2},
    ),
    "m_of_squares": (
        "m has dtheta^2: it is a running mean of dtheta",
        {"m": lambda s: s.beta1 * s.m + (1 - s.beta1) * s.g**2},
    ),
    "m_without_one_minus_beta": (
        "the factor 1 - beta1 is missing in m: m = beta1 m + (1 - beta1) dtheta",
        {"m": lambda s: s.beta1 * s.m + s.g},
    ),
    "v_without_one_minus_beta": (
        "the factor 1 - beta2 is missing in v: v = beta2 v + (1 - beta2) dtheta^2",
        {"v": lambda s: s.beta2 * s.v + s.g**2},
    ),
    "both_without_one_minus_beta": (
        "the factors 1 - beta1 and 1 - beta2 are missing in m and v",
        {"m": lambda s: s.beta1 * s.m + s.g, "v": lambda s: s.beta2 * s.v + s.g**2},
    ),
    "m_is_sum": (
        "m is the sum of all dtheta: m = beta1 m + (1 - beta1) dtheta",
        {"m": lambda s: s.m + s.g},
    ),
    "m_without_beta": (
        "the factor beta1 is missing in m: m = beta1 m + (1 - beta1) dtheta",
        {"m": lambda s: s.m + (1 - s.beta1) * s.g},
    ),
    "v_without_beta": (
        "the factor beta2 is missing in v: v = beta2 v + (1 - beta2) dtheta^2",
        {"v": lambda s: s.v + (1 - s.beta2) * s.g**2},
    ),
    "m_beta_the_other_way": (
        "beta1 and 1 - beta1 are exchanged in m",
        {"m": lambda s: (1 - s.beta1) * s.m + s.beta1 * s.g},
    ),
    "v_beta_the_other_way": (
        "beta2 and 1 - beta2 are exchanged in v",
        {"v": lambda s: (1 - s.beta2) * s.v + s.beta2 * s.g**2},
    ),
    "both_beta_the_other_way": (
        "beta and 1 - beta are exchanged in m and v",
        {
            "m": lambda s: (1 - s.beta1) * s.m + s.beta1 * s.g,
            "v": lambda s: (1 - s.beta2) * s.v + s.beta2 * s.g**2,
        },
    ),
    "v_with_beta1": (
        "v has beta1: it must have beta2",
        {"v": lambda s: s.beta1 * s.v + (1 - s.beta1) * s.g**2},
    ),
    "m_with_beta2": (
        "m has beta2: it must have beta1",
        {"m": lambda s: s.beta2 * s.m + (1 - s.beta2) * s.g},
    ),
    "m_is_not_kept": (
        "m starts at 0 in every step: keep it in self",
        {"m": lambda s: (1 - s.beta1) * s.g},
    ),
    "v_is_not_kept": (
        "v starts at 0 in every step: keep it in self",
        {"v": lambda s: (1 - s.beta2) * s.g**2},
    ),
    "neither_is_kept": (
        "m and v start at 0 in every step: keep them in self",
        {"m": lambda s: (1 - s.beta1) * s.g, "v": lambda s: (1 - s.beta2) * s.g**2},
    ),
    "m_is_subtracted": (
        "dtheta is subtracted in m: m = beta1 m + (1 - beta1) dtheta",
        {"m": lambda s: s.beta1 * s.m - (1 - s.beta1) * s.g},
    ),
    "no_root": (
        "the square root is missing: divide by sqrt(v)",
        {"bottom": lambda s: s.v_hat + s.eps},
    ),
    "v_squared": ("v is squared: take its square root", {"bottom": lambda s: s.v_hat**2 + s.eps}),
    "eps_inside": (
        "eps must be outside the square root: sqrt(v) + eps",
        {"bottom": lambda s: np.sqrt(s.v_hat + s.eps)},
    ),
    "eps_is_missing": ("eps is missing", {"bottom": lambda s: np.sqrt(s.v_hat)}),
    "eps_is_subtracted": (
        "eps is subtracted: add it to the square root",
        {"bottom": lambda s: np.sqrt(s.v_hat) - s.eps},
    ),
    "eps_twice": ("eps is added twice", {"bottom": lambda s: np.sqrt(s.v_hat) + 2 * s.eps}),
    "eps_is_multiplied": (
        "the square root is multiplied by eps: add eps",
        {"bottom": lambda s: np.sqrt(s.v_hat) * s.eps},
    ),
    "eps_for_all": (
        "the denominator is the larger of sqrt(v) and eps: add them",
        {"bottom": lambda s: np.maximum(np.sqrt(s.v_hat), s.eps)},
    ),
    "eps_outside_fraction": (
        "a bracket is missing: divide by (sqrt(v) + eps), not by sqrt(v), then add eps",
        {"step": lambda s: -(s.lr * s.m_hat / np.sqrt(s.v_hat) + s.eps)},
    ),
    "eps_is_1e_08": (
        "eps is 1e-08, not the given eps",
        {"bottom": lambda s: np.sqrt(s.v_hat) + 1e-8},
    ),
    "eps_is_1e_07": (
        "eps is 1e-07, not the given eps",
        {"bottom": lambda s: np.sqrt(s.v_hat) + 1e-7},
    ),
    "eps_not_scaled": (
        "both corrections are in the learning rate: then eps must be scaled too",
        {
            "step": lambda s: (
                -s.lr
                * np.sqrt(1 - s.beta2**s.t)
                / (1 - s.beta1**s.t)
                * s.m
                / (np.sqrt(s.v) + s.eps)
            )
        },
    ),
    "cube_root": (
        "it has the cube root: take the square root",
        {"bottom": lambda s: np.cbrt(s.v_hat) + s.eps},
    ),
    "eps_squared_inside": (
        "eps^2 is inside the square root: sqrt(v) + eps",
        {"bottom": lambda s: np.sqrt(s.v_hat + s.eps**2)},
    ),
    "adagrad": (
        "v is the sum of all dtheta^2, as in AdaGrad: v = beta2 v + (1 - beta2) dtheta^2",
        {"v": lambda s: s.v + s.g**2},
    ),
    "adamax": (
        "v is a maximum, as in AdaMax: v = beta2 v + (1 - beta2) dtheta^2",
        {
            "v": lambda s: np.maximum(s.beta2 * s.v, np.abs(s.g)),
            "v_hat": lambda s: s.v,
            "bottom": lambda s: s.v_hat + s.eps,
        },
    ),
    "adabelief": (
        "v has (dtheta - m)^2, as in AdaBelief: take dtheta^2",
        {"v": lambda s: s.beta2 * s.v + (1 - s.beta2) * (s.g - s.m) ** 2},
    ),
    "nesterov_in_m": (
        "the step has Nesterov's mean of m and dtheta, as in NAdam: take m",
        {
            "step": lambda s: (
                -s.lr * (s.beta1 * s.m_hat + (1 - s.beta1) * s.g / (1 - s.beta1**s.t)) / s.bottom
            )
        },
    ),
    "rmsprop": (
        "this is RMSProp: m and the corrections are missing",
        {"v_hat": lambda s: s.v, "step": lambda s: -s.lr * s.g / s.bottom},
    ),
    "m_is_late": (
        "the step has the m of the step before: update m first",
        {"m_hat": lambda s: s.m_before / (1 - s.beta1**s.t)},
    ),
    "v_is_late": (
        "the step has the v of the step before: update v first",
        {"v_hat": lambda s: s.v_before / (1 - s.beta2**s.t)},
    ),
    "both_are_late": (
        "the step has the m and v of the step before: update both first",
        {
            "m_hat": lambda s: s.m_before / (1 - s.beta1**s.t),
            "v_hat": lambda s: s.v_before / (1 - s.beta2**s.t),
        },
    ),
    "moves_along_dtheta": (
        "theta moves along dtheta: it must move along m, the running mean",
        {"step": lambda s: -s.lr * s.g / s.bottom},
    ),
    "multiplied_by_root": (
        "the step is multiplied by sqrt(v) + eps: divide by it",
        {"step": lambda s: -s.lr * s.m_hat * s.bottom},
    ),
    "denominator_is_missing": (
        "it is not divided by sqrt(v) + eps",
        {"step": lambda s: -s.lr * s.m_hat},
    ),
    "lr_is_missing": ("lr is missing", {"step": lambda s: -s.m_hat / s.bottom}),
    "lr_decays": (
        "lr is divided by t or sqrt(t): Adam's lr stays the same",
        {"step": lambda s: -s.lr / np.sqrt(s.t) * s.m_hat / s.bottom},
    ),
    "lr_over_t": (
        "lr is divided by t or sqrt(t): Adam's lr stays the same",
        {"step": lambda s: -s.lr / s.t * s.m_hat / s.bottom},
    ),
    "m_squared": (
        "the step has m^2: it is m / (sqrt(v) + eps)",
        {"step": lambda s: -s.lr * s.m_hat**2 / s.bottom},
    ),
    "sign_of_m": (
        "the step has the sign of m only: it is m / (sqrt(v) + eps)",
        {"step": lambda s: -s.lr * np.sign(s.m_hat)},
    ),
}


STARTS = {  # key: sentence, and m and v before the first step, functions of its gradient
    "m_starts_at_dtheta": ("m starts at dtheta: it must start at 0", lambda g: (g, 0)),
    "v_starts_at_square": ("v starts at dtheta^2: it must start at 0", lambda g: (0, g**2)),
    "both_start_at_dtheta": (
        "m and v start at dtheta and dtheta^2: both must start at 0",
        lambda g: (g, g**2),
    ),
    "m_starts_at_1": ("m starts at 1: it must start at 0", lambda g: (1, 0)),
    "v_starts_at_1": ("v starts at 1: it must start at 0", lambda g: (0, 1)),
    "both_start_at_1": ("m and v start at 1: they must start at 0", lambda g: (1, 1)),
    "v_starts_at_dtheta": ("m and v start at dtheta: they must start at 0", lambda g: (g, g)),
}


def adam(lr, beta1, beta2, eps, start=lambda g: (0.0, 0.0), **wrong):
    """Return Adam's rule, with formulas of `wrong` in place of the right ones."""

    def rule(gradients):
        m, v = (value + 0 * gradients[0] for value in start(gradients[0]))
        s = SimpleNamespace(lr=lr, beta1=beta1, beta2=beta2, eps=eps, m=m, v=v)
        steps = []
        for t, g in enumerate(gradients, 1):
            s.t, s.g, s.m_before, s.v_before = t, g, s.m, s.v
            with np.errstate(all="ignore"):  # wrong formulas may overflow
                for name, formula in {**ADAM, **wrong}.items():
                    setattr(s, name, formula(s))
            steps.append(s.step)
        return steps

    return rule


def formulas(settings):
    """Return the state before the first step, and the formulas of a step."""
    state = dict(zip(("lr", "beta1", "beta2", "eps"), settings, strict=True))
    steps = {
        "m": "beta1 * m + (1 - beta1) * dtheta",
        "v": "beta2 * v + (1 - beta2) * dtheta**2",
        "m_hat": "m / (1 - beta1**t)",
        "v_hat": "v / (1 - beta2**t)",
        "change": "-lr * m_hat / (sqrt(v_hat) + eps)",
    }
    return {**state, "m": np.zeros(6), "v": np.zeros(6)}, steps


def check_adam(ask):
    """Kingma and Ba (2015), algorithm 1; eps is large enough to be seen."""
    uniform = ask.rng.uniform
    settings = uniform(0.01, 0.1), uniform(0.8, 0.9), uniform(0.95, 0.99), uniform(0.05, 0.1)
    lr, beta1, beta2, eps = settings
    mistakes = {key: adam(*settings, **wrong) for key, (_, wrong) in ADAM_SLIPS.items()}
    mistakes |= {key: adam(*settings, start=start) for key, (_, start) in STARTS.items()}
    mistakes["betas_exchanged"] = adam(lr, beta2, beta1, eps)
    mistakes["lr_and_eps_exchanged"] = adam(eps, beta1, beta2, lr)
    check_steps(ask, "Adam", settings, adam(*settings), mistakes, formulas(settings))


EXERCISES = {
    "adam": {
        "title": "Adam with its bias corrections",
        "minutes": 25,
        "parts": {"Adam": check_adam},
        "mistakes": {
            **STEPS_SENTENCES,
            **sentences(ADAM_SLIPS),
            **sentences(STARTS),
            "betas_exchanged": "beta1 and beta2 are exchanged",
            "lr_and_eps_exchanged": "lr and eps are exchanged",
        },
        "hints": (
            "m is a running mean of dtheta, v is a running mean of dtheta squared. Both start at "
            "zero.",
            "Because they start at zero, they are too small at first: by the factor 1 - beta^t "
            "after t steps. Count the steps, and divide by this factor.",
            "theta -= lr * m_hat / (sqrt(v_hat) + eps), where m_hat and v_hat are corrected. Keep "
            "m and v themselves uncorrected.",
        ),
    },
}
