"""What a VAE's code shows: log p(x), walks between two codes and along one, latents in use."""

import numpy as np

from miniae.model import EVALUATION_SEED
from miniae.plumbing.batches import ROWS
from miniae.plumbing.checks import is_whole, whole
from miniae.plumbing.inputs import as_array
from miniae.plumbing.tables import check_columns
from miniae.vae import ACTIVE


def interpolate(model, a, b, steps=10):
    """Decode the codes on the straight line from the code of a to the code of b.

    Parameters
    ----------
    a, b : two samples, each of shape input_shape, or two batches (n, *input_shape)
    steps : int, 2 or more; the first is a's reconstruction and the last is b's

    Returns
    -------
    path : (steps, *input_shape), or (n, steps, *input_shape) for batches
    """
    for x, name in ((a, "a"), (b, "b")):
        check_columns(model, x, name)
    a, b = np.asarray(as_array(a, "a")), np.asarray(as_array(b, "b"))
    if a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: they must be equal")
    _check_steps(steps)
    single = a.shape == model.input_shape
    start, end = (model.encode(x[None] if single else x)[:, None] for x in (a, b))
    t = np.linspace(0, 1, steps, dtype=start.dtype)[:, None]
    path = model.decode((1 - t) * start + t * end)  # exact at both ends
    return path[0] if single else path


def traverse(model, x=None, dims=None, span=(-3.0, 3.0), steps=11):
    """Decode a code while one of its latents moves and the others stay.

    Parameters
    ----------
    x : one sample (*input_shape), whose code is the start; by default the prior's mean
    dims : sequence of int, the latents to move; by default all
    span : (low, high), the values that a latent takes; N(0, I) has standard deviation 1
    steps : int, 2 or more

    Returns
    -------
    images : (len(dims), steps, *input_shape)
    """
    _check_steps(steps)
    dims = np.arange(model.latent_dim) if dims is None else np.asarray(dims)
    if dims.ndim != 1 or not dims.size or dims.dtype.kind not in "iu":
        raise ValueError(f"dims={dims.tolist()!r} must be a list of latents, such as [0, 3]")
    if dims.min() < 0 or dims.max() >= model.latent_dim:
        raise ValueError(f"dims={dims.tolist()} must lie between 0 and {model.latent_dim - 1}")
    if np.shape(span) != (2,) or not np.isfinite(span).all() or not span[0] < span[1]:
        raise ValueError(f"span={span!r} must be two finite numbers, low < high")
    z = model.prior.mean if x is None else model.encode(np.asarray(x)[None])[0]
    Z = np.zeros((len(dims), steps, model.latent_dim)) + z
    Z[np.arange(len(dims)), :, dims] = np.linspace(*span, steps)
    return model.decode(Z)


def _check_steps(steps):
    if not is_whole(steps, 2):
        raise ValueError(f"steps={steps!r} must be an integer, 2 or more")


def log_likelihood(model, X, k=1000):
    """Estimate log p(x) of each sample by importance sampling, shape (n,), in nats.

    log p(x) = log E_q[p(x|z) p(z) / q(z|x)] with q = q(z|x), and the expectation is estimated
    by a mean over k draws. On average, the result is a lower bound. It rises with k, and tends
    to log p(x) if the ELBO is finite. Burda et al. (2016), eq. 8; they assume bounded weights.
    Memory does not grow with k.
    """
    whole(k, "k")
    rng = np.random.default_rng(EVALUATION_SEED)

    def estimate(x):
        mu, log_var = model.infer(x)
        total = np.full(len(x), -np.inf)
        draws = max(1, ROWS // len(x))
        for start in range(0, k, draws):
            m = min(draws, k - start)
            eps = rng.standard_normal((m, *mu.shape), dtype=mu.dtype)
            _, _, log_weight = model.log_weight(x, mu, log_var, eps)
            total = np.logaddexp(total, np.logaddexp.reduce(log_weight, axis=0))
        return total - np.log(k)

    return model.map_rows(estimate, X, bounds=model.reconstruction_loss.bounds)


def posterior_sample(model, X, n_draws=1, seed=None, **side):
    """Draw codes from q(z|x), several for each sample; `decode` accepts this shape.

    Returns
    -------
    Z : (n_draws, n, latent_dim); with seed=None each call draws new ones
    """
    whole(n_draws, "n_draws")
    mu, log_var = model.posterior(X, **side)
    eps = np.random.default_rng(seed).standard_normal((n_draws, *mu.shape), dtype=mu.dtype)
    return mu + eps * np.exp(0.5 * log_var)


def kl_per_dimension(model, X, **side):
    """Return the KL of each latent from the prior, mean over X: (latent_dim,), in nats."""
    return model.prior.kl(*model.posterior(X, **side)).mean(axis=0)


def active_units(model, X, **side):
    """Return how many latents X moves: posterior means of variance above 0.01 over X.

    Burda et al. (2016), section 5.2. The count does not measure information: a latent with mean
    +-0.09 and log_var -9 is not active, but the decoder can still read its sign. Its KL shows
    this (`kl_per_dimension`): it is 4 nats.
    """
    return int(is_active(model.encode(X, **side)).sum())


def is_active(mu):
    """Return which latents posterior means (n, latent_dim) move: (latent_dim,) bools."""
    return mu.var(axis=0) > ACTIVE
