"""Priors p(z) of a VAE: what its latents look like before the data are seen.

``VAE(..., prior=GaussianPrior(mean, std))`` uses the prior in its loss and gradient, and in `elbo`,
`log_likelihood`, `sample`, `traverse`, `kl_per_dimension`, `anomaly_score` and `impute`. The
default, `StandardNormal`, is in `miniae.losses`. A prior is fixed: it is not trained.

For a prior of your own, write a subclass of `Prior`.
"""

import numpy as np

from miniae.losses import gaussian_kl, gaussian_kl_grad
from miniae.numerics import LOG_2PI
from miniae.plumbing.inputs import as_array


class Prior:
    """Base of the priors.

    A subclass writes `nll`, `nll_grad`, `draw` and `mean`, the expectation of z, an attribute. With
    these an `ImportanceWeightedVAE` can be trained. A `VAE` also needs `kl` and `kl_grad`. All must
    accept complex z, mu and log_var, and return arrays of their dtype, so that the gradient can be
    checked and float32 stays float32.
    """

    config = ()  # attributes that, as constructor arguments, build the prior again
    mean = 0.0

    def nll(self, z):
        """Return -log p(z) of codes z (..., latent_dim), shape (...), in nats."""
        raise NotImplementedError(f"{type(self).__name__} has no nll yet")

    def nll_grad(self, z):
        """Return the gradient of `nll` with respect to z, of the shape of z."""
        raise NotImplementedError(f"{type(self).__name__} has no nll_grad yet")

    def draw(self, shape, rng):
        """Draw codes of shape (n, latent_dim)."""
        raise NotImplementedError(f"{type(self).__name__} has no draw yet")

    def kl(self, mu, log_var):
        """Return KL(N(mu, exp(log_var)) || p(z)) of each latent, (n, latent_dim), in nats.

        mu and log_var are (n, latent_dim). The sum over latents is the KL of each sample.
        """
        raise ValueError(
            f"{type(self).__name__} has no KL in closed form, which this needs: train an "
            "ImportanceWeightedVAE, which needs log p(z) only; rank samples by log_likelihood"
        )

    def kl_grad(self, mu, log_var):
        """Return the gradients of `kl` with respect to mu and log_var, each (n, latent_dim)."""
        return self.kl(mu, log_var)  # raises

    def __repr__(self):
        values = (getattr(self, name) for name in self.config)
        return f"{type(self).__name__}({', '.join(str(np.asarray(v).tolist()) for v in values)})"


def has_kl(prior):
    """Return whether a prior has a KL in closed form."""
    return getattr(type(prior), "kl", Prior.kl) is not Prior.kl


class GaussianPrior(Prior):
    """Independent normal latents, z_j from N(mean_j, std_j^2).

    A decoder whose first layer is Dense can do the same with N(0, I): z = mean + std u with u from
    N(0, I), so ``W' = diag(std) W`` and ``b' = b + mean W``. A VAE with this prior is that VAE in
    other units of z. So the prior need not be learned: the first layer of the decoder learns it.
    Use it where the units of z matter, such as for a latent that has a meaning.

    Parameters
    ----------
    mean, std : number or (latent_dim,), std > 0
    """

    config = ("mean", "std")

    def __init__(self, mean=0.0, std=1.0):
        self.mean, self.std = _as_numbers(self, mean, "mean", 1), _as_numbers(self, std, "std", 1)
        if not (self.std > 0).all():
            raise ValueError(f"GaussianPrior: std={std!r} must be above 0")
        if self.mean.size != 1 != self.std.size and self.mean.shape != self.std.shape:
            raise ValueError(
                f"GaussianPrior: mean has shape {self.mean.shape} and std {self.std.shape}: each "
                "must be a number or (latent_dim,)"
            )

    def standardised(self, z):
        """Return u = (z - mean) / std, which is N(0, I), and std, in the dtype of z."""
        std = self.std.astype(z.dtype)
        return (z - self.mean.astype(z.dtype)) / std, std

    def nll(self, z):
        """With u = (z - mean) / std, return the sum of u^2 / 2 + log std + log(2 pi) / 2."""
        u, std = self.standardised(z)
        return (0.5 * (u**2 + LOG_2PI) + np.log(std)).sum(axis=-1)

    def nll_grad(self, z):
        """The slope of u^2 / 2 is u, and du/dz = 1 / std."""
        u, std = self.standardised(z)
        return u / std

    def draw(self, shape, rng):
        """Draw z = mean + std u, with u from N(0, I)."""
        return self.mean + self.std * rng.standard_normal(shape)

    def kl(self, mu, log_var):
        """Return the KL from N(0, 1) of u = (z - mean) / std, since a KL has no units.

        If z is from N(mu, s^2), then u has mean (mu - mean) / std and log variance
        log s^2 - 2 log std.
        """
        u, std = self.standardised(mu)
        return gaussian_kl(u, log_var - 2 * np.log(std))

    def kl_grad(self, mu, log_var):
        """As `gaussian_kl_grad`, and du/dmu = 1 / std; log_var is only shifted, with slope 1."""
        u, std = self.standardised(mu)
        du, dlog_var = gaussian_kl_grad(u, log_var - 2 * np.log(std))
        return du / std, dlog_var


class MixturePrior(Prior):
    """K Gaussians: z is from N(means_k, stds_k^2) with probability weights_k.

    The KL of a Gaussian from a mixture has no closed form, so `VAE` refuses this prior. The bound
    of `ImportanceWeightedVAE` needs only log p(z) at the codes drawn.

    Parameters
    ----------
    means : (K, latent_dim)
    stds : number or (K, latent_dim), above 0
    weights : (K,), above 0, with sum 1; equal by default
    """

    config = ("means", "stds", "weights")

    def __init__(self, means, stds=1.0, weights=None):
        self.means = _as_numbers(self, means, "means", 2)
        self.stds = _as_numbers(self, stds, "stds")
        n = len(self.means)
        weights = np.full(n, 1 / n) if weights is None else weights
        self.weights = _as_numbers(self, weights, "weights")
        if not (self.stds > 0).all() or self.stds.shape not in ((1,), self.means.shape):
            raise ValueError(
                f"MixturePrior: stds={stds!r} must be above 0, a number or of the shape of means, "
                f"{self.means.shape}"
            )
        is_share = self.weights.shape == (n,) and (self.weights > 0).all()
        if not is_share or abs(self.weights.sum() - 1) > 1e-6:
            raise ValueError(
                f"MixturePrior: weights={weights!r} must be {n} numbers above 0 with sum 1, one "
                "for each row of means"
            )

    @property
    def mean(self):
        """The expectation of z, (latent_dim,)."""
        return self.weights @ self.means

    def components(self, z):
        """Return u_k = (z - means_k) / stds_k, stds, and log weights_k N(z; means_k, stds_k^2).

        z (..., latent_dim) -> u (..., K, latent_dim), the logarithms (..., K).
        """
        means, stds = self.means.astype(z.dtype), self.stds.astype(z.dtype)
        u = (z[..., None, :] - means) / stds
        log_density = -(0.5 * (u**2 + LOG_2PI) + np.log(stds)).sum(axis=-1)
        return u, stds, np.log(self.weights).astype(z.dtype) + log_density

    def nll(self, z):
        """Return -log sum_k weights_k N(z; means_k, stds_k^2).

        The largest term is taken out of the sum. Otherwise all terms underflow far from the means.
        """
        log_terms = self.components(z)[2]
        highest = log_terms.real.max(axis=-1, keepdims=True)
        return -(highest[..., 0] + np.log(np.exp(log_terms - highest).sum(axis=-1)))

    def nll_grad(self, z):
        """-log sum_k e^(l_k) has the slope -sum_k share_k dl_k/dz, share_k = e^(l_k) / sum e^(l_j).

        l_k is -u_k^2 / 2 + constant with u_k = (z - means_k) / stds_k, so dl_k/dz = -u_k / stds_k.
        share_k is the probability that z is from component k.
        """
        u, stds, log_terms = self.components(z)
        share = np.exp(log_terms - log_terms.real.max(axis=-1, keepdims=True))
        share = share / share.sum(axis=-1, keepdims=True)
        return (share[..., None] * (u / stds)).sum(axis=-2)

    def draw(self, shape, rng):
        """Draw a component for each row, then its code."""
        k = rng.choice(len(self.means), size=shape[0], p=self.weights / self.weights.sum())
        stds = np.broadcast_to(self.stds, self.means.shape)
        return self.means[k] + stds[k] * rng.standard_normal(shape)


def _as_numbers(prior, value, name, ndim=None):
    """Return an argument as finite float64 with `ndim` axes, a number with one; or refuse it."""
    if isinstance(value, np.ma.MaskedArray):
        value = as_array(value, name)  # refuses hidden entries
    try:
        array = np.atleast_1d(np.array(value, dtype=np.float64))
    except (TypeError, ValueError):
        array = np.array([np.nan])
    if not array.size or not np.isfinite(array).all() or array.ndim != (ndim or array.ndim):
        shape = {None: "finite numbers", 1: "a finite number or (latent_dim,)"}
        raise ValueError(
            f"{type(prior).__name__}: {name}={value!r} must be "
            f"{shape.get(ndim, '(K, latent_dim), finite numbers')}"
        )
    return array
