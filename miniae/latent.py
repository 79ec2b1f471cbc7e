"""What a VAE's code shows: log p(x), walks between two codes and along one, latents in use."""

import numpy as np

from miniae.model import EVALUATION_SEED
from miniae.numerics import as_float
from miniae.plumbing.batches import ROWS
from miniae.plumbing.checks import is_whole, whole
from miniae.plumbing.inputs import as_array, rows_at_once
from miniae.plumbing.tables import check_columns
from miniae.vae import ACTIVE

OPPOSITE = 1e-6  # sine of an angle; codes in float32 are rounded by 6e-8


def interpolate(model, a, b, steps=10, path="line"):
    """Decode the codes on the way from the code of a to the code of b.

    Parameters
    ----------
    a, b : two samples, each of shape input_shape, or two batches (n, *input_shape)
    steps : int, 2 or more; the first is a's reconstruction and the last is b's
    path : "line" or "sphere"
        Draws from N(0, I) in many dimensions have norms near sqrt(latent_dim). The middle of a
        straight line between two of them has a smaller norm, which the decoder has rarely seen in
        training. On the "sphere" the norm stays between those of the ends: see `slerp`.

    Returns
    -------
    images : (steps, *input_shape), or (n, steps, *input_shape) for batches
    """
    for x, name in ((a, "a"), (b, "b")):
        check_columns(model, x, name)
    a, b = np.asarray(as_array(a, "a")), np.asarray(as_array(b, "b"))
    if a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: they must be equal")
    _check_steps(steps)
    if path not in ("line", "sphere"):
        raise ValueError(f'path={path!r} must be "line" or "sphere"')
    single = a.shape == model.input_shape
    start, end = (model.encode(x[None] if single else x) for x in (a, b))
    codes = slerp(start, end, steps) if path == "sphere" else lerp(start, end, steps)
    images = model.decode(codes)
    return images[0] if single else images


def lerp(z0, z1, steps=10):
    """Return `steps` codes on the straight line from z0 to z1, (..., d) -> (..., steps, d)."""
    t = np.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    return (1 - t) * z0[..., None, :] + t * z1[..., None, :]  # exact at both ends


def slerp(z0, z1, steps=10):
    """Return codes on the arc from z0 to z1: spherical linear interpolation. Shoemake (1985).

    The direction turns by equal angles in the plane of both codes, and the norm changes by equal
    steps. So the norm stays constant between codes of equal norm. White (2016), section 2.1, uses
    it for latent spaces. With u0 and u1 the directions, O the angle between them, and e the
    direction of u1 - cos(O) u0, which is orthogonal to u0, the direction at t is
    cos(t O) u0 + sin(t O) e. Equal directions, or one code of zeros, give a straight line.

    Parameters
    ----------
    z0, z1 : (d,), or two batches (n, d)
    steps : int, 2 or more; the first is z0 and the last is z1

    Returns
    -------
    codes : (steps, d), or (n, steps, d) for batches

    Raises
    ------
    ValueError : the shapes differ; or z0 and z1 are opposite, where each direction is as short
    """
    _check_steps(steps)
    z0, z1 = (as_float(z) for z in (z0, z1))
    real = all(z.dtype.kind == "f" and np.isfinite(z).all() for z in (z0, z1))
    if z0.shape != z1.shape or z0.ndim not in (1, 2) or not real:
        raise ValueError(
            f"z0 of shape {z0.shape} and z1 of shape {z1.shape} must be codes of real numbers, "
            "finite, and both (d,) or both (n, d)"
        )
    a, b = z0.astype(np.float64), z1.astype(np.float64)
    norms = [np.linalg.norm(z, axis=-1, keepdims=True) for z in (a, b)]
    units = [z / np.where(norm > 0, norm, 1) for z, norm in zip((a, b), norms, strict=True)]
    u0 = np.where(norms[0] > 0, *units)  # zeros have no direction: they take that of the other
    u1 = np.where(norms[1] > 0, *units[::-1])
    cos = (u0 * u1).sum(axis=-1, keepdims=True)
    e = u1 - cos * u0
    sin = np.linalg.norm(e, axis=-1, keepdims=True)
    if ((sin < OPPOSITE) & (cos < 0)).any():
        raise ValueError(
            "z0 and z1 point in opposite directions: many arcs of equal length join them, and in "
            'one dimension there is none; use the straight line, path="line", or move one of them'
        )
    e, t = e / np.where(sin > 0, sin, 1), np.linspace(0, 1, steps)[:, None]
    u0, e, angle, r0, r1 = (v[..., None, :] for v in (u0, e, np.arctan2(sin, cos), *norms))
    codes = ((1 - t) * r0 + t * r1) * (np.cos(t * angle) * u0 + np.sin(t * angle) * e)
    codes[..., 0, :], codes[..., -1, :] = z0, z1  # exact at both ends
    return codes.astype(np.result_type(z0, z1))


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
        draws = min(k, max(1, rows_at_once(x, ROWS) // len(x)))
        # The rows one below the other as often as there are draws: once, not for every slice.
        repeated = [np.concatenate([rows] * draws) for rows in (x, mu, log_var)]
        for start in range(0, k, draws):
            m = min(draws, k - start)
            here = [rows[: m * len(x)] for rows in repeated]
            eps = rng.standard_normal((1, *here[1].shape), dtype=mu.dtype)
            log_weight = model.log_weight(*here, eps)[2].reshape(m, len(x))
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
