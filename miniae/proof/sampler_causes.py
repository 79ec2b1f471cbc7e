"""Sampler causes: sentences on what is wrong with a sampler.

Each function returns a list of causes. It is empty if the draws do not determine the cause.
"""

import math
from itertools import combinations

import numpy as np

SURE = 6.0  # standard errors
MOST = 0.6  # share of equal numbers that is no coincidence; by chance it is 1e-4


def alike(a, b):
    """Compare b with a: "" for b = a, "minus " for b = -a, "|eps|" for |b| = |a|, else None."""
    near = np.abs(np.abs(a) - np.abs(b)) <= 1e-4 * (1 + np.abs(a))
    if near.mean() < MOST:
        return None
    equal = (np.sign(a) == np.sign(b))[near].mean()
    return "" if equal > 0.99 else "minus " if equal < 0.01 else "|eps|"


def of_dependence(u, wrong):
    """Return the causes of dependence, from u (calls, draws, rows, latents).

    wrong : set of str, those of "latents", "rows" and "calls" that are wrong
    """
    values, counts = np.unique(np.round(u[..., 0, 0], 4), return_counts=True)
    if len(counts) == 1:
        return []  # there is no noise, which `of_std` reports
    if counts.max() > MOST * counts.sum():
        return [f"most draws have the same noise, {values[counts.argmax()]:.3g}"]
    causes = _of_rows(u) if "rows" in wrong else []
    if "latents" in wrong:
        pairs = list(combinations(range(min(u.shape[-1], 8)), 2))
        how = {pair: alike(u[..., pair[0]], u[..., pair[1]]) for pair in pairs}
        shared = [pair for pair in pairs if how[pair] is not None]
        if len(shared) == len(pairs):
            sizes = any(how[pair] for pair in pairs)
            causes.append(f"the latents share one {'|eps|' if sizes else 'eps'}")
        else:
            causes += [f"latents {j} and {k} share one |eps|" for j, k in shared]
    if "calls" in wrong and (how := alike(u[:-1], u[1:])) in ("", "minus "):
        causes.append(f"the noise of a draw is {how}that of the one before")
    return causes


def _of_rows(u):
    if alike(u[:, :-1], u[:, 1:]) == "" and alike(u[:, :, :-1], u[:, :, 1:]) == "":
        return ["all rows share one eps"]
    batch = u.reshape(len(u), -1, u.shape[-1])
    half = batch.shape[1] // 2
    for a, b, words in (
        (batch[:, :half], batch[:, half : 2 * half], "the second half of a batch is {}the first"),
        (batch[:, 0::2][:, :half], batch[:, 1::2], "every second row is {}the one before"),
    ):
        how = alike(a, b)
        if how in ("", "minus "):
            cause = words.format(how)
            return [f"the noise is antithetic: {cause}" if how else cause]
    return []


def of_repeats(u, tolerance):
    """Return the causes of repeated numbers, from draws u of one row and latent (n,)."""
    values = 1 + int((np.diff(np.sort(u)) > tolerance).sum())
    if values == 1 or values > 0.9 * len(u):
        return []
    return [f"of {len(u):,} draws with one mu and std only {values:,} differ"]


def of_std(measured, log_var, n):
    """Return the causes of a wrong standard deviation.

    Parameters
    ----------
    measured : (rows, latents), the standard deviation of n draws each
    log_var : (rows, latents), the stated one
    n : int
    """
    if not measured.any():
        return ["there is no noise: z is the same in all draws"]
    if not measured.all():
        return []
    lv, log_std = np.ravel(log_var), np.log(np.ravel(measured))
    error = SURE / math.sqrt(n)  # of log_std: 1 / sqrt(2 n) for normal noise, more for heavy tails

    def agrees(expected):
        return (np.abs(log_std - expected) < error).all()

    if np.ptp(lv) < 1:
        return []  # with equal log_var, all causes agree
    for factor, words in (
        (1.0, "std is exp(log_var): the variance is used as the standard deviation"),
        (-0.5, "std is exp(-log_var / 2): it is inverted"),
        (0.25, "std is exp(log_var / 4): the root is taken twice"),
    ):
        if agrees(factor * lv):
            return [words]
    scale, level = np.mean(log_std - 0.5 * lv), np.mean(log_std)
    if agrees(0.5 * lv + scale) and abs(scale) > error / math.sqrt(lv.size):
        return [f"the noise has std {math.exp(scale):.3g}, not 1, whatever log_var is"]
    if agrees(level):
        return [f"std is {math.exp(level):.3g}, whatever log_var is"]
    return _of_clamp(lv, log_std, error, agrees)


def _of_clamp(lv, log_std, error, agrees):
    """Return the cause if std is as stated between two bounds of log_var and constant beyond."""
    off = log_std - 0.5 * lv
    above, below = off > error, off < -error  # of what is stated
    bounds = [-np.inf, np.inf]
    for i, those in enumerate((above, below)):
        if those.sum() > 1:
            bounds[i] = 2 * log_std[those].mean()
    if np.isfinite(bounds).any() and agrees(0.5 * np.clip(lv, *bounds)):
        low, high = bounds
        ends = f"between {low:.2g} and {high:.2g}"
        if np.isinf(high):
            ends = f"above {low:.2g}"
        elif np.isinf(low):
            ends = f"below {high:.2g}"
        return [f"log_var is clamped: std is as stated only {ends}"]
    return []


def of_mean(mean, std, mu, n):
    """Return the causes of a wrong mean, from n draws of u, in units of the stated std.

    mean, std : (rows, latents), of u, as measured
    mu : (rows, latents), the stated mean of z
    """
    error = SURE * std / math.sqrt(n)

    def agrees(expected):
        return (np.abs(mean - expected) < error).all()

    if agrees(-mu):
        return ["mu is not added"]
    if agrees(mean.mean()):
        return [f"the noise has mean {mean.mean():.3g}, not 0"]
    factor = ((mean + mu) * mu).sum() / (mu**2).sum()
    return [f"mu is multiplied by {factor:.3g}"] if agrees((factor - 1) * mu) else []
