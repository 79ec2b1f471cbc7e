"""What no closed form gives, with an error attached: log p(x) by quadrature, the KL by chance.

An estimate by chance comes with its standard error. A correct program is off by more than 5 of
them once in 1.7 million comparisons.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from miniae.layers import Layer, Reshape, Sequential
from miniae.losses import GaussianNLL
from miniae.model import ROWS
from miniae.numerics import LOG_2PI
from miniae.parameters import require
from miniae.vae import VAE

ELEMENTS = 2**20  # numbers per array in flight: bounds the memory


def grid_log_likelihood(vae, X, points=401, width=8.0):
    """Return log p(x) of any VAE with one or two latents, by quadrature over the latents.

    Parameters
    ----------
    vae : VAE, latent_dim 1 or 2; only its decoder and likelihood are used
    X : (n, *input_shape)
    points : int, odd, 5 or more: grid points per latent
    width : float, the grid reaches from -width to width, in the prior's standard deviations

    Returns
    -------
    log_p : (n,), in nats
    error : (n,), in nats: the change on halving the grid (taking every second point), plus the
        share of the sum in the outer eighth of the grid, in case it was cut off there. Right to
        an order of magnitude where the grid is far too narrow or too coarse, else larger than true

    Notes
    -----
    p(x) = int p(x|z) p(z) dz = h^d sum over the grid, the trapezoidal rule. For a smooth integrand
    that fades at both ends its error falls like exp(-c / h): Trefethen and Weideman (2014), sec. 5.
    For a Gaussian peak of standard deviation s it is 2 exp(-2 (pi s / h)^2): 5e-9 at h = s, and
    at h = s / 2 below 1e-30. So halving changes far more than the error that is left.
    What is kept in memory besides the grid does not grow with it.
    """
    fits = isinstance(vae, VAE) and vae.latent_dim in (1, 2)
    require(fits, f"vae={vae} must be a VAE of 1 or 2 latents")
    odd = isinstance(points, (int, np.integer)) and points >= 5 and points % 2
    require(odd, f"points={points!r} must be an odd integer, 5 or more")
    require(0 < width < np.inf, f"width={width!r} must be above 0")
    exact, d = vae.astype(np.float64), vae.latent_dim
    X = exact._batch(X, "X", bounds=exact.reconstruction_loss.bounds)
    index = np.indices((points,) * d).reshape(d, -1).T
    h = 2 * width / (points - 1)
    subsets = (
        np.ones(len(index), bool),
        (index % 2 == 0).all(axis=1),
        (np.abs(index * h - width) > 0.875 * width).any(axis=1),
    )
    sums = np.full((3, len(X)), -np.inf)
    m = int(np.clip(ELEMENTS // X.size, 1, ROWS))
    for here in (slice(start, start + m) for start in range(0, len(index), m)):
        z = index[here] * h - width
        out = exact.decoder.forward(z)
        pairs = np.repeat(X, len(z), axis=0)
        nll = exact.reconstruction_loss.per_sample(np.concatenate([out] * len(X)), pairs)
        log_joint = -nll.reshape(len(X), -1) - 0.5 * (z**2 + LOG_2PI).sum(axis=1)
        for row, subset in zip(sums, subsets, strict=True):
            row[:] = np.logaddexp(row, np.logaddexp.reduce(log_joint[:, subset[here]], axis=1))
    log_p, half, rim = sums + d * np.log([[h], [2 * h], [h]])
    return log_p, np.abs(log_p - half) + np.exp(rim - log_p)


class _Tap(Layer):
    """Keep what comes in, (n, d), and put out zeros, (n, 2 d)."""

    def forward(self, x, training=False):
        self.z = np.array(x)
        return np.zeros((len(x), 2 * x.shape[1]), x.dtype)


def sampler_of(model_class=VAE):
    """Return sampler(mu, log_var, rng) -> z: the very reparameterisation in model_class's `loss`.

    It runs `loss` on a model whose encoder passes its input on, so that mu and log_var are what
    the caller gives, and whose decoder keeps the z that it is fed.
    """

    def sampler(mu, log_var, rng):
        d = mu.shape[1]
        networks = {"encoder": Sequential(Reshape(2 * d)), "decoder": Sequential(_Tap())}
        model = model_class(2 * d, d, (), likelihood=GaussianNLL(), dtype="float64", **networks)
        model.loss(np.concatenate([mu, log_var], axis=1), rng=rng)
        return model.decoder.layers[0].z

    return sampler


def _draw(mu, log_var, n, rng, sampler):
    """Return mu and log_var (rows, latent) as float64, and z of n draws each (n, rows, latent)."""
    mu, log_var = np.asarray(mu, dtype=np.float64), np.asarray(log_var, dtype=np.float64)
    fits = mu.ndim == 2 and mu.shape == log_var.shape
    require(fits, f"mu {mu.shape} and log_var {log_var.shape} must both be (rows, latent)")
    require(isinstance(n, (int, np.integer)) and n > 1, f"n={n!r} must be an integer above 1")
    tiled = (np.tile(array, (n, 1)) for array in (mu, log_var))
    z = (sampler or sampler_of())(*tiled, np.random.default_rng(rng))
    expected = (n * len(mu), mu.shape[1])
    require(z.shape == expected, f"sampler returned shape {z.shape}, not {expected}")
    return mu, log_var, z.reshape(n, *mu.shape)


def log_normal(z, mu, log_var):
    """log N(z; mu, exp(log_var)), each entry for itself, in nats."""
    return -0.5 * ((z - mu) ** 2 * np.exp(-log_var) + log_var + LOG_2PI)


def monte_carlo_kl(mu, log_var, n, rng, sampler=None):
    """Estimate KL(N(mu, exp(log_var)) || N(0, I)), summed over latents, from n draws a row.

    It is the mean of log q(z) - log p(z) over draws from q. It knows the two log densities and
    nothing of the analytic KL or of how z is drawn: where the sampler does not draw from the q
    that mu and log_var state (exp(log_var) taken for the standard deviation, say), the estimate
    leaves the analytic KL, though every gradient is right.

    Parameters
    ----------
    mu, log_var : (rows, latent)
    n : int, draws a row, 2 or more
    rng : Generator or int
    sampler : function of (mu, log_var, rng) that returns z, each (n * rows, latent)
        By default that of VAE; see `sampler_of`.

    Returns
    -------
    estimate, standard_error : (rows,) each, in nats
    """
    mu, log_var, z = _draw(mu, log_var, n, rng, sampler)
    values = (log_normal(z, mu, log_var) - log_normal(z, 0.0, 0.0)).sum(axis=2)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(n)


def moment_z_scores(mu, log_var, n, rng, sampler=None):
    """How far sampled z is from the stated mean and standard deviation, in standard errors.

    With u = (z - mu) / std, the mean of u has standard error 1 / sqrt(n), and the mean of u^2,
    which should be 1, has sqrt(2 / n) (a chi-square's). Arguments as in `monte_carlo_kl`.

    Returns
    -------
    of_mean, of_std : (rows, latent) each; of_std is positive where z spreads too far
    """
    mu, log_var, z = _draw(mu, log_var, n, rng, sampler)
    u = (z - mu) * np.exp(-0.5 * log_var)
    return u.mean(axis=0) * np.sqrt(n), ((u**2).mean(axis=0) - 1) * np.sqrt(n / 2)


@dataclass
class Gap:
    """By how much the mean of a bound over samples lies below log p(x), in nats, and its error."""

    name: str
    value: float
    standard_error: float


def _repeat(X, log_p, repeats):
    """X, so many times; the models draw other noise for each row."""
    shape, valid = np.shape(log_p), isinstance(repeats, (int, np.integer)) and repeats > 1
    require(shape == (len(X),), f"log_p has shape {shape}, but X {np.shape(X)}: one per sample")
    require(valid, f"repeats={repeats!r} must be an integer above 1")
    return np.concatenate([X] * repeats)


def bound_gaps(vae, X, log_p, ks=(1, 10, 100), repeats=50):
    """Return the gaps of the ELBO and of the importance-weighted bounds of k draws, in order.

    In expectation ELBO = bound of 1 draw <= bound of more draws <= log p(x). Burda et al. (2016),
    theorem 1. The estimates are those of `VAE.elbo` and `VAE.log_likelihood`, each made `repeats`
    times with noise of its own, for the standard error.

    Parameters
    ----------
    vae : VAE
    X : (n, *input_shape)
    log_p : (n,), the exact log p(x) in nats, from `gaussian_marginal` or `grid_log_likelihood`
    ks : tuple of int, draws
    repeats : int, 2 or more

    Returns
    -------
    list of Gap
    """
    tiled, gaps = _repeat(X, log_p, repeats), []
    for k in (None, *ks):
        values = vae.elbo(tiled) if k is None else vae.log_likelihood(tiled, k)
        means = np.mean(log_p) - values.reshape(repeats, -1).mean(axis=1, dtype=np.float64)
        error = means.std(ddof=1) / np.sqrt(repeats)
        gaps.append(Gap("ELBO" if k is None else f"k={k}", float(means.mean()), float(error)))
    return gaps


def weight_z_scores(vae, X, log_p, k=20, repeats=200):
    """How far the importance-weighted estimate of p(x) is from unbiased, in standard errors, (n,).

    log_likelihood(X, k) is the logarithm of a mean of k weights, each of expectation p(x). So
    exp(log_likelihood - log p) has expectation 1 at any k: an exact test, where the logarithm
    itself is right in the limit only. It wants weights of finite variance: a posterior q(z|x) no
    narrower than the true one. Arguments as in `bound_gaps`.
    """
    estimate = vae.log_likelihood(_repeat(X, log_p, repeats), k).reshape(repeats, -1)
    ratio = np.exp(estimate - log_p)
    return (ratio.mean(axis=0) - 1) / (ratio.std(axis=0, ddof=1) / np.sqrt(repeats))


def worst_step(gaps):
    """By how many standard errors a chain of gaps rises, or ends below zero: negative if neither.

    The bounds share their noise, so that errors may add up: their sum is the error of a step.
    """
    steps = [(b.value - a.value) / (a.standard_error + b.standard_error) for a, b in pairwise(gaps)]
    return max(*steps, -gaps[-1].value / gaps[-1].standard_error)
