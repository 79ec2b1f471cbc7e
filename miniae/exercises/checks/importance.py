"""Checks of the importance-weighted bound and its gradient."""

import numpy as np

from miniae.exercises.checks.slips import gradients, sentences_of_gradients
from miniae.exercises.questions import FORMULAS, Named, agree, numbers, overflows


def log_mean_exp(log_w, axis=0):
    """Return the log of the mean of exp(log_w) along an axis."""
    top = log_w.max(axis=axis, keepdims=True)
    return np.log(np.exp(log_w - top).mean(axis=axis)) + np.squeeze(top, axis)


SIZES = {"k": 5, "n": 7}
BOUND = {
    "w": "exp(log_w)",
    "average": "sum(w, axis=0) / k",
    "bound": "log(average)",
    "loss": "-(sum(bound) / n)",
}
SHIFTED = {
    "top": "max(log_w, axis=0)",
    "w": "exp(log_w - top)",
    "average": "sum(w, axis=0) / k",
    "bound": "top + log(average)",
    "loss": "-(sum(bound) / n)",
}
LOG_SUM = {
    "top": "max(log_w, axis=0)",
    "total": "sum(exp(log_w - top), axis=0)",
    "bound": "log(total) + top - log(k)",
    "loss": "-(sum(bound) / n)",
}
SHARES = {"w": "exp(log_w)", "share": "w / sum(w, axis=0)", "dlog_w": "-share / n"}
SHIFTED_SHARES = {
    "w": "exp(log_w - max(log_w, axis=0))",
    "share": "w / sum(w, axis=0)",
    "dlog_w": "-share / n",
}


def check_far(ask, name, log_w, right_of, clipped_of):
    """Move log_w to where exp overflows or is 0.

    First by the same number for all samples; then by another one for each; then by another one for
    all draws but one, so that only its own maximum is a good shift. This one is neither the first
    draw nor the last, which code may subtract in place of the maximum.
    """
    far = log_w + ask.rng.permutation([-1200.0, -1000, -800, 0, 20, 720, 800])
    wide = log_w - 1000
    wide[ask.rng.integers(1, len(log_w) - 1)] += 1000
    for moved, key in (
        (log_w - 1000, "no_maximum"),
        (log_w + 900, "no_maximum"),
        (far, "one_maximum_for_all"),
        (wide, "other_than_maximum"),
    ):
        where = f"with log_w from {moved.min():.0f} to {moved.max():.0f}"
        try:
            got = numbers(ask(name, moved), "the answer")
        except Exception as error:
            if overflows(error):
                raise Named(f"It fails {where}", [key]) from None
            raise
        powers = got / np.log(10) if got.shape == () else np.zeros(())
        if powers > 5 and agree(powers, np.round(powers), 1e-9) and not agree(got, right_of(moved)):
            raise Named(f"The answer is {got:.6g} {where}", ["small_number_added"])
        ask.equal(got, right_of(moved), clipped_of(moved), f"the answer {where}")


def shares(log_w, axis=0):
    """Return the weights, divided by their sum along an axis."""
    w = np.exp(log_w - log_w.max(axis=axis, keepdims=True))
    return w / w.sum(axis=axis, keepdims=True)


@np.errstate(all="ignore")
def check_loss(ask):
    """Minus the mean over samples of the log of the mean of the weights."""
    k, n = SIZES.values()
    log_w = ask.rng.standard_normal((k, n)) - ask.rng.uniform(2, 3, n)
    bound, w = log_mean_exp(log_w), np.exp(log_w)
    top = log_w.max(axis=0)
    right = -bound.mean()
    mistakes = {
        "elbo": -log_w.mean(),
        "elbo__log_k_too": -log_w.mean() + np.log(k),
        "elbo__sum_over_samples": -log_w.mean(axis=0).sum(),
        "elbo__sum_over_draws": -log_w.sum(axis=0).mean(),
        "no_minus": bound.mean(),
        "no_minus__sum_over_draws": bound.mean() + np.log(k),
        "sum_over_draws": right - np.log(k),
        "k_has_wrong_sign": right - 2 * np.log(k),
        "divided_by_k_outside": -(bound + np.log(k)).mean() / k,
        "k_outside_log": -(top + (bound - top + np.log(k)) / k).mean(),
        "k_is_not_logged": right - np.log(k) + k,
        "log_of_n": right - np.log(k) + np.log(n),
        "sum_over_samples": n * right,
        "sum_over_samples__sum_over_draws": n * (right - np.log(k)),
        "sum_of_all": -bound.sum() - np.log(k),
        "over_samples": -log_mean_exp(log_w, 1).mean(),
        "over_samples_by_k": -log_mean_exp(log_w, 1).mean() - np.log(n) + np.log(k),
        "over_samples__sum_over_draws": -log_mean_exp(log_w, 1).mean() - np.log(n),
        "log_of_mean_of_all": -np.log(w.mean()),
        "log_of_sum_of_all": -np.log(w.sum()),
        "no_log": -w.mean(),
        "no_log__sum_over_draws": -w.sum(axis=0).mean(),
        "best_draw": -top.mean(),
        "worst_draw": -log_w.min(axis=0).mean(),
        "first_draw": -log_w[0].mean(),
        "median_draw": -np.median(log_w, axis=0).mean(),
        "maximum_not_added": -(bound - top).mean(),
        "maximum_not_added__sum_over_draws": -(bound - top).mean() - np.log(k),
        "maximum_subtracted_again": -(bound - 2 * top).mean(),
        "maximum_not_subtracted": -(bound + top).mean(),
        "maximum_of_all_added": -(bound - top).mean() - log_w.max(),
        "no_log_but_maximum": -(np.exp(log_w - top).mean(axis=0) + top).mean(),
        "maximum_is_multiplied": -(top * (bound - top)).mean(),
        "maximum_has_wrong_sign": -(top - (bound - top)).mean(),
        "divided_by_k_too": right / k,
        "divided_by_n_twice": right / n,
        "best_sample": -bound.max(),
        "worst_sample": -bound.min(),
        "first_sample": -bound[0],
        "median_sample": -np.median(bound),
        "bits": right / np.log(2),
        "log10": right / np.log(10),
        "log_of_k_minus_one": right - np.log(k) + np.log(k - 1),
        "minus_inside": np.log(np.exp(-log_w).mean(axis=0)).mean(),
        "minus_inside__no_minus": -np.log(np.exp(-log_w).mean(axis=0)).mean(),
        "log_of_log_w": -np.log(np.abs(log_w.mean(axis=0))).mean(),
        "weighted_mean": -(shares(log_w) * log_w).sum(axis=0).mean(),
        "log1p": -np.log1p(w.mean(axis=0)).mean(),
        "one_number_per_sample": -bound,
        "one_number_per_sample__no_minus": bound,
        "one_number_per_draw": -log_mean_exp(log_w, 1),
    }
    given = {"log_w": log_w, **SIZES}
    mistakes[FORMULAS] = [(BOUND, given), (SHIFTED, given), (LOG_SUM, given)]
    ask.equal(ask("iwae_loss", log_w), right, mistakes, "the loss")

    def clipped(far):
        found = {
            f"clipped_at_{bound}": -np.log(np.exp(far.clip(-bound, bound)).mean(axis=0)).mean()
            for bound in (50, 100, 500, 700)
        }
        return {**found, "absolute_bound": np.abs(log_mean_exp(far)).mean()}

    check_far(ask, "iwae_loss", log_w, lambda far: -log_mean_exp(far).mean(), clipped)


@np.errstate(all="ignore")
def check_loss_backward(ask):
    """Minus the normalised weights, divided by n."""
    k, n = SIZES.values()
    log_w = ask.rng.standard_normal((k, n)) - ask.rng.uniform(2, 3, n)
    w, share = np.exp(log_w), shares(log_w)
    best, shifted = log_w == log_w.max(axis=0), np.exp(log_w - log_w.max(axis=0))
    entries = {
        "elbo": np.full((k, n), -1 / (k * n)),
        "equal_weights": np.full((k, n), -1 / n),
        "over_samples": -shares(log_w, 1) / n,
        "over_samples_by_k": -shares(log_w, 1) / k,
        "over_samples_shifted": -shifted / shifted.sum(axis=1, keepdims=True) / n,
        "over_all": -shares(log_w, (0, 1)),
        "over_all_shifted": -shifted / shifted.sum(),
        "not_normalised": -w / n,
        "not_normalised_by_mean": -np.exp(log_w - log_w.mean(axis=0)) / n,
        "not_normalised_shifted": -np.exp(log_w - log_w.max(axis=0)) / n,
        "divided_by_mean": -k * share / n,
        "shares_squared": -(share**2) / n,
        "squares_normalised": -shares(2 * log_w) / n,
        "roots_normalised": -shares(log_w / 2) / n,
        "best_draw": np.where(best, -1.0, 0.0) / n,
        "one_minus_share": -(1 - share) / n,
        "divided_by_norm": -shifted / np.sqrt((shifted**2).sum(axis=0)) / n,
        "inverted": -shares(-log_w) / n,
        "divided_by_w": -share / w / n,
        "times_w": -share * w / n,
        "times_log_w": -share * log_w / n,
        "softmax_slope": -share * (1 - share) / n,
        "log_of_share": -np.log(share) / n,
        "log_w_itself": -log_w / n,
        "log_w_normalised": -log_w / log_w.sum(axis=0) / n,
        "mean_is_subtracted": -(share - 1 / k) / n,
        "share_minus_best": -(share - best) / n,
        "divided_by_bound": -share / log_mean_exp(log_w) / n,
    }
    by_sample = gradients({key: value.T for key, value in entries.items()}, -share.T / n)
    mistakes = {key: value.T for key, value in by_sample.items()}
    given = {"log_w": log_w, **SIZES}
    mistakes[FORMULAS] = [(SHARES, given), (SHIFTED_SHARES, given)]
    ask.equal(ask("iwae_loss_backward", log_w), -share / n, mistakes, "dlog_w")

    def clipped(far):
        return {
            f"clipped_at_{bound}": -shares(far.clip(-bound, bound)) / n
            for bound in (50, 100, 500, 700)
        }

    check_far(ask, "iwae_loss_backward", log_w, lambda far: -shares(far) / n, clipped)


EXERCISES = {
    "importance_weighted": {
        "title": "The importance-weighted bound and its gradient",
        "minutes": 25,
        "parts": {"iwae_loss": check_loss, "iwae_loss_backward": check_loss_backward},
        "mistakes": {
            **sentences_of_gradients("draws"),
            "elbo": (
                "every draw counts the same, as in the ELBO: the log comes after the mean of the "
                "weights"
            ),
            "log_k_too": "log(k) is subtracted too: a mean of logs needs none",
            "no_minus": "this is the bound: the loss is minus the bound",
            "sum_over_draws": "the weights are summed: take their mean, which subtracts log(k)",
            "k_has_wrong_sign": "log(k) has the wrong sign: the mean subtracts log(k)",
            "divided_by_k_outside": "1/k is outside the log: the mean is inside",
            "k_outside_log": "1/k is outside the log: the mean is inside",
            "k_is_not_logged": "k is subtracted: 1/k inside the log becomes log(k) outside",
            "log_of_n": "it is divided by n inside the log: divide by k, the number of draws",
            "sum_over_samples": "it is a sum over samples: take the mean",
            "sum_of_all": "it is a sum over samples: take the mean",
            "over_samples": "the axes are exchanged: axis 0 has the draws, axis 1 the samples",
            "over_samples_shifted": (
                "the weights are divided by their sum over samples: sum over draws, axis 0"
            ),
            "over_samples_by_k": "the axes are exchanged: axis 0 has the draws, axis 1 the samples",
            "log_of_mean_of_all": (
                "the log comes after a mean over everything: take the log for each sample"
            ),
            "log_of_sum_of_all": (
                "the log comes after a sum over everything: take the log for each sample"
            ),
            "no_log": "the log is missing",
            "best_draw": "only the best draw counts: all draws count, by their weights",
            "worst_draw": "only the worst draw counts: all draws count, by their weights",
            "first_draw": "only the first draw counts: all draws count, by their weights",
            "median_draw": "this is the median draw: take the mean of the weights",
            "maximum_not_added": "the maximum was subtracted before exp, but is not added again",
            "maximum_subtracted_again": "the maximum is subtracted twice: add it after the log",
            "maximum_not_subtracted": "the maximum is added, but was not subtracted before exp",
            "maximum_of_all_added": (
                "the maximum of each sample is subtracted, but the maximum of all is added"
            ),
            "no_log_but_maximum": "the log is missing before the maximum is added",
            "maximum_is_multiplied": "it is multiplied by the maximum: add it",
            "maximum_has_wrong_sign": "the log is subtracted from the maximum: add the two",
            "divided_by_k_too": "it is divided by k once more: the mean is inside the log",
            "divided_by_n_twice": "it is divided by n twice",
            "best_sample": "this is the best sample only: take the mean over samples",
            "worst_sample": "this is the worst sample only: take the mean over samples",
            "first_sample": "this is the first sample only: take the mean over samples",
            "median_sample": "this is the median sample: take the mean over samples",
            "bits": "it is in bits: take the natural logarithm",
            "log10": "it has log10: take the natural logarithm",
            "log_of_k_minus_one": "it is divided by k - 1: divide by k",
            "minus_inside": "the minus is inside exp: it belongs before the log",
            "log_of_log_w": "log w is averaged and logged again: take exp first",
            "weighted_mean": (
                "this is the mean of log w by the weights: take the log of the mean of w"
            ),
            "log1p": "it has log(1 + w): take log(w)",
            "one_number_per_sample": "it is one number per sample: take the mean over samples",
            "one_number_per_draw": "it is one number per draw: the axes are exchanged",
            **{
                f"clipped_at_{bound}": (
                    f"log_w is clipped at {bound}: subtract the maximum of each sample instead"
                )
                for bound in (50, 100, 500, 700)
            },
            "no_maximum": (
                "exp(log_w) overflows or is 0: subtract the maximum of each sample before exp"
            ),
            "one_maximum_for_all": (
                "one number is subtracted from all samples: each sample needs its own maximum"
            ),
            "other_than_maximum": (
                "something other than the maximum is subtracted: exp(log_w - maximum) is at most 1"
            ),
            "small_number_added": (
                "a small number is added in the log, so a small mean is lost: subtract the maximum "
                "of each sample before exp instead"
            ),
            "equal_weights": "every draw has the share 1: the shares of a sample add up to 1",
            "over_all": "the shares are of all samples together: they add up to 1 in each sample",
            "over_all_shifted": (
                "the weights are divided by the sum of all: divide by the sum in each sample"
            ),
            "not_normalised": "the weights are not divided by their sum",
            "not_normalised_shifted": "the weights are not divided by their sum",
            "not_normalised_by_mean": (
                "the mean of log w is subtracted, and the weights are not divided by their sum"
            ),
            "divided_by_mean": "the weights are divided by their mean: divide by their sum",
            "shares_squared": "the shares are squared: the gradient of the bound has them once",
            "squares_normalised": "the weights are squared before they are divided by their sum",
            "roots_normalised": "the roots of the weights are taken: use exp(log_w)",
            "one_minus_share": "it is 1 - share: the share itself is the gradient",
            "divided_by_norm": "the weights are divided by their norm: divide by their sum",
            "absolute_bound": "the absolute value is taken: the bound may have either sign",
            "inverted": "the sign inside exp is wrong: a large weight has a large share",
            "divided_by_w": "this is the gradient with respect to w, not to log w",
            "times_w": "it is multiplied by w once more",
            "times_log_w": "it is multiplied by log w: the slope of log w is 1",
            "softmax_slope": "this is the slope of the shares: the shares are the gradient already",
            "log_of_share": "this is the log of the shares: take the shares themselves",
            "log_w_itself": "this is log w: take the shares of the weights",
            "log_w_normalised": "log w is divided by its sum: take exp first",
            "mean_is_subtracted": "1/k is subtracted: the shares themselves are the gradient",
            "share_minus_best": "1 is subtracted from the best share: this is another loss",
            "divided_by_bound": "it is divided by the bound: the log is differentiated already",
        },
        "hints": (
            "log mean w = m + log mean exp(log_w - m), for any m. If m is the maximum of the "
            "sample, exp cannot overflow, and the sum is at least 1.",
            "keepdims=True keeps the shape for the subtraction. The draws are on axis 0.",
            "The slope of log(sum of w) with respect to log w_j is w_j / (sum of w): the share of "
            "the draw. The mean over samples divides by n, and the loss has a minus.",
        ),
    },
}
