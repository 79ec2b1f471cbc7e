"""Monte-Carlo estimates of the KL and of bounds of log p(x), each with its standard error.

The error of a correct program exceeds 5 standard errors once in 1.7 million comparisons.
"""

import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from miniae.layers import Layer, Reshape, Sequential
from miniae.losses import GaussianNLL
from miniae.numerics import LOG_2PI
from miniae.plumbing.checks import whole
from miniae.proof.quadrature import grid_log_likelihood  # noqa: F401 (beside the other estimates)
from miniae.vae import VAE


class Tap(Layer):
    """Store the input z, (n, d), and return zeros, (n, 2 d)."""

    def forward(self, x, training=False):
        """z (n, d) -> zeros (n, 2 d)."""
        self.z = np.array(x)
        return np.zeros((len(x), 2 * x.shape[1]), x.dtype)

    def backward(self, dout):
        """(n, 2 d) -> zeros (n, d)."""
        return np.zeros_like(self.z)


def transparent(model, latent_dim):
    """Return a copy of a VAE, or a new VAE of a class, that shows the z it draws.

    Its encoder returns its input x = (mu, log_var), (n, 2 latent_dim), as the posterior, and its
    decoder is a `Tap`. The methods, settings and dtype are those of the model.
    """
    if isinstance(model, type):
        try:
            model = model(2 * latent_dim, latent_dim, (), likelihood=GaussianNLL(), dtype="float64")
        except (TypeError, ValueError) as error:
            message = f"{model.__name__} needs more to be built ({error}): pass a model of it"
            raise TypeError(message) from None
    clone, size = copy.deepcopy(model), 2 * model.latent_dim
    clone.input_shape = (size,)
    if hasattr(clone, "pack"):  # all of x is one modality, so each row is one term
        clone.columns, clone.sizes = {"x": slice(0, size)}, [size]
    networks = {"encoder": Sequential(Reshape(size)), "decoder": Sequential(Tap())}
    clone.parts.update(networks, loss=GaussianNLL())
    clone.lay_out(clone.theta.dtype)
    return clone


def sampler_of(model=VAE, training=False):
    """Return sampler(mu, log_var, rng) -> z, the reparameterisation in the model's `loss`.

    Parameters
    ----------
    model : VAE class, or a VAE, whose class and settings are used
    training : bool
        How `loss` is called: True calls it with training=True, as `fit` does, and with rng as the
        model's own generator; False calls it with rng=rng.

    Returns
    -------
    sampler : function of mu and log_var, both (n, latent_dim), and a Generator
        It returns z of that shape, or (k, n, latent_dim) if `loss` draws k times for each row.

    Raises
    ------
    TypeError : model is neither
    """
    is_class = isinstance(model, type)
    if not (issubclass(model, VAE) if is_class else isinstance(model, VAE)):
        raise TypeError(f"model={model!r} must be a VAE or a subclass of it")
    clones = {}  # one for each number of latents; it keeps its state between calls

    def sampler(mu, log_var, rng):
        d = mu.shape[1]
        if not is_class and d != model.latent_dim:
            raise ValueError(
                f"mu has shape {mu.shape}, but {model} has {getattr(model, 'latent_dim', d)} "
                "latents"
            )
        if d not in clones:
            clones[d] = transparent(model, d)
        clone = clones[d]
        x = np.concatenate([mu, log_var], axis=1)
        if training:
            clone.rng = rng
            clone.loss(x, training=True)
        else:
            clone.loss(x, rng=rng)
        z = clone.decoder.layers[0].z
        return z if len(z) == len(mu) else z.reshape(-1, *mu.shape)

    return sampler


def _draw(mu, log_var, n, rng, sampler):
    """Return mu and log_var (rows, latent) as float64, and n draws z (n, rows, latent)."""
    mu, log_var = np.asarray(mu, dtype=np.float64), np.asarray(log_var, dtype=np.float64)
    if mu.ndim != 2 or mu.shape != log_var.shape:
        raise ValueError(f"mu {mu.shape} and log_var {log_var.shape} must both be (rows, latent)")
    whole(n, "n", 2)
    tiled = (np.tile(array, (n, 1)) for array in (mu, log_var))
    z = (sampler or sampler_of())(*tiled, np.random.default_rng(rng))
    expected = (n * len(mu), mu.shape[1])
    if z.shape != expected:
        raise ValueError(f"sampler returned shape {z.shape}, not {expected}")
    return mu, log_var, z.reshape(n, *mu.shape)


def log_normal(z, mu, log_var):
    """Return log N(z; mu, exp(log_var)) of each entry, in nats."""
    return -0.5 * ((z - mu) ** 2 * np.exp(-log_var) + log_var + LOG_2PI)


def monte_carlo_kl(mu, log_var, n, rng, sampler=None):
    """Estimate KL(N(mu, exp(log_var)) || N(0, I)), summed over latents, from n draws a row.

    It is the mean of log q(z) - log p(z) over draws from q. It uses the two log densities, but not
    the analytic KL or the way in which z is drawn. The difference is quadratic in z, so only the
    mean and variance of the draws matter. If they are not those of mu and log_var (exp(log_var) is
    used as the standard deviation, for example), the estimate differs from the analytic KL, though
    every gradient is right. Noise of +-1 gives the same estimate: `check_sampler` detects it.

    Parameters
    ----------
    mu, log_var : (rows, latent)
    n : int, draws of each row, 2 or more
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
    """Return how far samples z are from the stated mean and std, in standard errors.

    With u = (z - mu) / std, the mean of u has the standard error 1 / sqrt(n). The mean of u^2 is
    chi-square: it should be 1, with the standard error sqrt(2 / n). Arguments as in
    `monte_carlo_kl`.

    Returns
    -------
    of_mean, of_std : (rows, latent) each; of_std is positive where z varies too much
    """
    mu, log_var, z = _draw(mu, log_var, n, rng, sampler)
    u = (z - mu) * np.exp(-0.5 * log_var)
    return u.mean(axis=0) * np.sqrt(n), ((u**2).mean(axis=0) - 1) * np.sqrt(n / 2)


@dataclass
class Gap:
    """The gap between log p(x) and the mean of a bound over samples, in nats, and its error."""

    name: str
    value: float
    standard_error: float


def _repeat(X, log_p, repeats):
    """Return X repeated; the models draw new noise for each row."""
    if np.shape(log_p) != (len(X),):
        shapes = f"log_p has shape {np.shape(log_p)}, but X {np.shape(X)}"
        raise ValueError(f"{shapes}: pass one log_p per sample")
    whole(repeats, "repeats", 2)
    return np.concatenate([X] * repeats)


def bound_gaps(vae, X, log_p, ks=(1, 10, 100), repeats=50):
    """Return the gaps of the ELBO and of the importance-weighted bounds of k draws, in order.

    In expectation ELBO = bound of 1 draw <= bound of more draws <= log p(x). Burda et al. (2016),
    theorem 1. The estimates are those of `VAE.elbo` and `VAE.log_likelihood`. Each is made
    `repeats` times with independent noise, for the standard error.

    Parameters
    ----------
    vae : VAE
    X : (n, *input_shape)
    log_p : (n,), the exact log p(x) in nats, from `gaussian_marginal` or `grid_log_likelihood`
    ks : tuple of int, numbers of draws
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
    """Return the bias of the importance-weighted estimate of p(x), in standard errors, (n,).

    log_likelihood(X, k) is the logarithm of a mean of k weights, each with expectation p(x). So
    exp(log_likelihood - log p) has expectation 1 for any k, which is an exact test; the logarithm
    itself is right only in the limit. The weights must have a finite variance. If q and the true
    posterior are normal with variances v_q and v_p, E_q w^2 is int p(x, z)^2 / q dz, and the
    integrand is proportional to exp(-z^2 / v_p + z^2 / (2 v_q)). So v_q must be above v_p / 2 in
    every direction. Arguments as in `bound_gaps`.
    """
    estimate = vae.log_likelihood(_repeat(X, log_p, repeats), k).reshape(repeats, -1)
    ratio = np.exp(estimate - log_p)
    return (ratio.mean(axis=0) - 1) / (ratio.std(axis=0, ddof=1) / np.sqrt(repeats))


def worst_step(gaps):
    """Return by how many standard errors a chain of gaps rises, or ends below zero.

    The result is negative if neither happens. The bounds share their noise, so the errors may add
    up, and their sum is the error of a step.
    """
    steps = [(b.value - a.value) / (a.standard_error + b.standard_error) for a, b in pairwise(gaps)]
    return max(*steps, -gaps[-1].value / gaps[-1].standard_error)
