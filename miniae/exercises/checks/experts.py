"""Check of the product of Gaussian experts, forward."""

from itertools import combinations

import numpy as np

from miniae.exercises.checks.formulas import wrong_answers
from miniae.exercises.questions import Wrong, numbers, unpack

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
COMMON = {  # words: wrong formulas instead of those above; two of them are often seen together
    "the prior is forgotten: it is an expert with precision 1 and mean 0": {"prior": lambda v: 0},
    "absent experts are counted: sum over those that are present": EVERYONE,
    "absent experts are left out of the sum of T_i mu_i, but not of T": {
        "mask": FORWARD["mask"],  # not to be combined with another slip of the mask
        "total": lambda v: v.prior + v.T.sum(axis=0),
    },
    "absent experts are left out of T, but not of the sum of T_i mu_i": {
        "mask": FORWARD["mask"],
        "weighted": lambda v: (v.T * v.mus).sum(axis=0),
    },
    "exp(log_var / 2) is the standard deviation: the precision is exp(-log_var)": {
        "T": lambda v: np.exp(-v.log_vars / 2)
    },
    "the precision has the wrong sign, exp(log_var): it is 1 / variance, exp(-log_var)": {
        "T": lambda v: np.exp(v.log_vars)
    },
    "mu is not divided by T": {"mu": lambda v: v.weighted},
    "log_var is log T: the variance is 1 / T, so log_var = -log T": {
        "log_var": lambda v: np.log(v.total)
    },
    "log_var is the variance, 1 / T: take the log": {"log_var": lambda v: 1 / v.total},
}
FORWARD_SLIPS = {
    **COMMON,
    "present is inverted: it is True where an expert is there": {
        "mask": lambda v: ~v.present[:, :, None]
    },
    "an expert that is absent for one sample is ignored for all: use present[i, j]": {
        "mask": lambda v: v.present.all(axis=1)[:, None, None]
    },
    "an expert that is there for one sample is counted for all: use present[i, j]": {
        "mask": lambda v: v.present.any(axis=1)[:, None, None]
    },
    "an absent expert counts as N(0, I), which pulls z towards 0: leave it out": {
        "seen": lambda v: np.where(v.mask, v.T, 1),
        "weighted": lambda v: (v.seen * v.mus * v.mask).sum(axis=0),
    },
    "the prior is counted once for each expert: it is one expert": {
        "total": lambda v: np.where(v.mask, 1 + v.T, 0).sum(axis=0)
    },
    "the prior is counted m times: it is one expert": {
        "total": lambda v: (1 + v.seen).sum(axis=0)
    },
    "the prior is counted twice": {"prior": lambda v: 2},
    "the prior has mean 1: its mean is 0": {"mu": lambda v: (1 + v.weighted) / v.total},
    "exp is missing: the precision is exp(-log_var)": {"T": lambda v: -v.log_vars},
    "exp is missing: log_var is the log of the variance, not the variance": {
        "T": lambda v: 1 / v.log_vars
    },
    "log_var is used as the log of the standard deviation: it is that of the variance": {
        "T": lambda v: np.exp(-2 * v.log_vars)
    },
    "the precisions are averaged over the experts: a product of densities adds them": {
        "log_var": lambda v: -np.log(v.total / (1 + v.mask.sum(axis=0)))
    },
    "the precisions are averaged over the experts without the prior: add them": {
        "total": lambda v: 1 + v.seen.sum(axis=0) / v.mask.sum(axis=0),
        "weighted": lambda v: (v.seen * v.mus).sum(axis=0) / v.mask.sum(axis=0),
    },
    "the precisions are a mean over all m experts, with the prior added: add them": {
        "total": lambda v: 1 + v.seen.mean(axis=0)
    },
    "the precisions are a mean over all m experts: add them": {
        "total": lambda v: v.seen.mean(axis=0)
    },
    "the variances are averaged: the precisions add up": {
        "log_var": lambda v: np.log((1 + total(v, np.exp(v.log_vars))) / (1 + v.mask.sum(axis=0)))
    },
    "the variances of the experts are averaged: the precisions add up": {
        "log_var": lambda v: np.log(mean(v, np.exp(v.log_vars)))
    },
    "the variances are added: the precisions add up": {
        "log_var": lambda v: np.log(1 + total(v, np.exp(v.log_vars)))
    },
    "the variances of the experts are added: the precisions add up": {
        "log_var": lambda v: np.log(total(v, np.exp(v.log_vars)))
    },
    "log_var is the sum of the log_vars: -log T is the log of a sum, not a sum of logs": {
        "log_var": lambda v: total(v, v.log_vars)
    },
    "log_var is minus the sum of log(1 + T_i): first add the T_i, then take the log": {
        "log_var": lambda v: -total(v, np.log1p(v.T))
    },
    "log_var is the mean of the log_vars: the precisions add up": {
        "log_var": lambda v: mean(v, v.log_vars)
    },
    "log_var is the mean of the log_vars, with 0 for the prior: the precisions add up": {
        "log_var": lambda v: total(v, v.log_vars) / (1 + v.mask.sum(axis=0))
    },
    "log_var is the precision T: it is -log T": {"log_var": lambda v: v.total},
    "log_var is the log of the standard deviation: remove the factor 1/2": {
        "log_var": lambda v: -np.log(v.total) / 2
    },
    "log_var is the standard deviation: it is the log of the variance": {
        "log_var": lambda v: v.total**-0.5
    },
    "log_var is -log(1 + T), with 1 for the prior a second time": {
        "log_var": lambda v: -np.log1p(v.total)
    },
    "mu is the plain mean of the mus: weight them with the precisions": {
        "mu": lambda v: mean(v, v.mus)
    },
    "mu is the plain mean, with 0 for the prior: weight the mus with the precisions": {
        "mu": lambda v: total(v, v.mus) / (1 + v.mask.sum(axis=0))
    },
    "mu is the plain sum of the mus: weight them with the precisions": {
        "mu": lambda v: total(v, v.mus)
    },
    "mu is the sum of the mus divided by T: the weight T_i is missing": {
        "mu": lambda v: total(v, v.mus) / v.total
    },
    "mu is weighted with the variances: a sure expert, with a small variance, counts more": {
        "mu": lambda v: total(v, v.mus / v.T) / total(v, 1 / v.T)
    },
    "mu is weighted with variances, 1 for the prior: a sure expert counts more": {
        "mu": lambda v: total(v, v.mus / v.T) / (1 + total(v, 1 / v.T))
    },
    "mu is weighted with 1 / std: the weight is the precision, 1 / variance": {
        "mu": lambda v: total(v, v.mus * v.T**0.5) / (1 + total(v, v.T**0.5))
    },
    "mu is multiplied by T: divide by it": {"mu": lambda v: v.weighted * v.total},
    "mu is a mean over the experts: the weights T_i / T already add up to 1, with the prior's": {
        "mu": lambda v: v.weighted / v.total / len(v.mus)
    },
    "mu is divided by the number of experts that are present: divide by T only": {
        "mu": lambda v: v.weighted / v.total / v.mask.sum(axis=0)
    },
    "this is the variance of a mixture of the experts: their product has precision T": {
        "log_var": lambda v: np.log(
            mean(v, np.exp(v.log_vars) + v.mus**2) - mean(v, v.mus) ** 2
        )
    },
    "only the last expert is used: is the return, or a sum, outside the loop?": {
        "seen": lambda v: np.where(v.mask, v.T, 0)[-1:],
        "weighted": lambda v: v.seen[0] * v.mus[-1],
    },
    "only the first expert is used: is the return inside the loop?": {
        "seen": lambda v: np.where(v.mask, v.T, 0)[:1],
        "weighted": lambda v: v.seen[0] * v.mus[0],
    },
    "a small number is added to each variance: T is at least 1, so nothing can divide by 0": {
        "T": lambda v: 1 / (np.exp(v.log_vars) + 1e-8)
    },
    "a small number is added to T: T is at least 1, so nothing can divide by 0": {
        "total": lambda v: 1 + v.seen.sum(axis=0) + 1e-8
    },
    "the axis of the experts is kept: sum without keepdims": {
        "mu": lambda v: (v.weighted / v.total)[None], "log_var": lambda v: -np.log(v.total)[None],
    },
    "the weighted mus are not summed over the experts (axis 0)": {
        "mu": lambda v: v.seen * v.mus / v.total
    },
    "the sum is over everything: sum over the experts only (axis 0)": {
        "total": lambda v: v.prior + v.seen.sum(), "weighted": lambda v: (v.seen * v.mus).sum(),
    },
    "the sum is over the samples (axis 1): sum over the experts (axis 0)": {
        "total": lambda v: v.prior + v.seen.sum(axis=1),
        "weighted": lambda v: (v.seen * v.mus).sum(axis=1),
    },
    "the sum is over the latents (axis 2): sum over the experts (axis 0)": {
        "total": lambda v: v.prior + v.seen.sum(axis=2),
        "weighted": lambda v: (v.seen * v.mus).sum(axis=2),
    },
}  # fmt: skip
FORWARD_SLIPS |= {
    f"{one}; and: {two}": COMMON[one] | COMMON[two]
    for one, two in combinations(COMMON, 2)
    if not COMMON[one].keys() & COMMON[two].keys()
}
SURE = "an expert can be surer than that"
CLIPPED = {
    f"log_vars is clipped to {limit}: {SURE}": {
        "T": lambda v, limit=limit: np.exp(-np.clip(v.log_vars, -limit, limit))
    }
    for limit in (5, 10, 20, 30, 50, 80, 100, 500, 700)
}
AXES = "lacks an axis, and NumPy pairs it with samples and latents: use present[:, :, None]"
EQUAL_SIZES = {  # these give a number only if m = n = d
    f"present (m, n) {AXES}": {"mask": lambda v: v.present},
    "present[:, None] puts the new axis in the middle: use present[:, :, None]": {
        "mask": lambda v: v.present[:, None]
    },
    "present is transposed: its rows are the experts": {"mask": lambda v: v.present.T[:, :, None]},
}


def total(v, x):
    """Return the sum of x over the experts that are present."""
    return np.where(v.mask, x, 0).sum(axis=0)


def mean(v, x):
    """Return the mean of x over the experts that are present."""
    return total(v, x) / v.mask.sum(axis=0)


def draw(ask, m, n, d, counts):
    """Return mus, log_vars (m, n, d) and present (m, n), with counts[j] experts for sample j."""
    mus, log_vars = ask.rng.standard_normal((2, m, n, d))
    return mus, log_vars, ask.rng.permuted(np.arange(m)[:, None] < counts, axis=0)


def equal_sizes(ask):
    """Return what `draw` returns for m = n = d; one expert is always present, one never.

    log_vars are so small that a total precision without exp is positive, and has a log.
    """
    m = n = d = int(ask.rng.choice([4, 5]))
    counts = ask.rng.permutation(np.arange(n) % (m - 1))
    *_, others = draw(ask, m - 2, n, d, counts)
    present = np.vstack([others[:1], np.full((1, n), True), np.full((1, n), False), others[1:]])
    return ask.rng.standard_normal((m, n, d)), ask.rng.uniform(0.05, 0.2, (m, n, d)), present


def other_sizes(ask, fewest=1):
    """Return what `draw` returns for m, n, d that differ; a sample has `fewest` experts or more."""
    m, n, d = ask.rng.permutation([3, 4, 5]).tolist()
    return draw(ask, m, n, d, ask.rng.permutation(fewest + np.arange(n) % (m + 1 - fewest)))


def nobody(ask):
    """Return what `draw` returns; no expert is present."""
    mus, log_vars, present = other_sizes(ask)
    return mus, log_vars, np.full(present.shape, False)


def with_nan(ask):
    """Return what `draw` returns, with NaN for absent experts; one sample has no expert."""
    mus, log_vars, present = other_sizes(ask, fewest=0)
    mus[~present] = log_vars[~present] = np.nan
    return mus, log_vars, present


def extreme(ask):
    """Return mus, log_vars near -1000 and 1000, and present; all experts are present.

    For the first sample no expert knows anything, so a clipped log_vars shows where it is clipped.
    """
    mus, log_vars, present = other_sizes(ask)
    signs = ask.rng.choice([-1, 1], log_vars.shape)
    signs[:, 0] = 1
    log_vars += 1000 * signs
    return mus, log_vars, np.full(present.shape, True)


def product(mus, log_vars, present):
    """Return mu and log_var of the product, for any log_vars."""
    log_T = np.where(present[:, :, None], -log_vars, -np.inf)
    log_total = np.logaddexp.reduce(log_T, axis=0, initial=0)
    weights = np.exp(log_T - log_total)
    mu = (weights * np.where(present[:, :, None], mus, 0)).sum(axis=0)
    return {"mu": mu, "log_var": -log_total}


def finite_despite_nan(got, right, given):
    """Raise Wrong if absent experts have NaN and an answer is not finite."""
    if not np.isnan(given["mus"]).any():
        return
    for name, value in zip(right, unpack(got, right), strict=True):
        if not np.isfinite(numbers(value, name)).all():
            raise Wrong(
                f"{name} is not finite, because absent experts have NaN here, and 0 * NaN is NaN: "
                "select with np.where"
            )


def check_forward(ask):
    """First all sizes are equal, so that a wrong axis gives a number; last, numbers overflow."""
    for inputs, slips in (
        (equal_sizes(ask), FORWARD_SLIPS | EQUAL_SIZES),
        (other_sizes(ask), FORWARD_SLIPS),
        (nobody(ask), {}),
        (with_nan(ask), {}),
        (extreme(ask), CLIPPED),
    ):
        given = dict(zip(("mus", "log_vars", "present"), inputs, strict=True))
        got, right = ask("product_of_experts", *inputs), product(*inputs)
        if not given["present"].any():
            right = {f"{name} (no expert is present)": value for name, value in right.items()}
        finite_despite_nan(got, right, given)
        ask.equal(got, right, wrong_answers(FORWARD, given, ("mu", "log_var"), slips))
