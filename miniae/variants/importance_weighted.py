"""ImportanceWeightedVAE: a VAE trained on a tighter bound of log p(x)."""

import numpy as np

from miniae.model import EVALUATION_SEED
from miniae.plumbing.checks import whole
from miniae.priors import has_kl
from miniae.vae import ACTIVE, VAE

WEIGHTS_OF_KL = {"beta", "kl_warmup", "free_bits"}


class ImportanceWeightedVAE(VAE):
    """A VAE trained on a tighter bound, from k draws per sample. Burda et al. (2016), eq. 8 and 14.

    loss = -E log (1/k) sum_j w_j with w_j = p(x|z_j) p(z_j) / q(z_j|x). Its expectation falls
    towards -log p(x) as k grows. At k = 1 it is minus the ELBO, with the KL estimated from draws.

    Parameters
    ----------
    k : int, draws of z per sample, in training and in `evaluate`
    all others : as in VAE, without beta, kl_warmup and free_bits: the bound has no KL to weigh
        The prior needs no KL in closed form. Without one, such as for a MixturePrior, "kl" in the
        history and the terms of `elbo` are estimates from the draws of z.
    """

    def __init__(self, input_dim, latent_dim=2, hidden=(128,), *, k=5, **options):
        weighed = sorted(WEIGHTS_OF_KL & set(options))
        if weighed:
            raise ValueError(
                f"{weighed}: the importance-weighted bound has no KL to weigh; use VAE"
            )
        self.k = self.n_draws = whole(k, "k")
        super().__init__(input_dim, latent_dim, hidden, **options)

    def get_params(self, deep=True):
        """Return the constructor's arguments, without those that weigh a KL."""
        params = super().get_params(deep)
        return {name: value for name, value in params.items() if name not in WEIGHTS_OF_KL}

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """Return minus the importance-weighted bound of a batch, a scalar in nats.

        As VAE.loss, with eps of shape (k, n, latent_dim).
        """
        x, target, rng = self.prepare(x, target, rng, training)
        mu, log_var = self.infer(x, training)
        shape = (self.k, *mu.shape)
        if eps is None:
            eps = rng.standard_normal(shape, dtype=mu.real.dtype)
        if np.shape(eps) != shape:
            raise ValueError(f"eps has shape {np.shape(eps)}, expected {shape}")
        z, nll, log_w = self.log_weight(target, mu, log_var, eps, training)
        highest = log_w.real.max(axis=0)
        w = np.exp(log_w - highest)  # the largest of the k weights is 1: nothing overflows
        total = w.sum(axis=0)
        self.cache = log_var, eps, z, w / total
        loss = -(highest + np.log(total / self.k)).mean()
        if has_kl(self.prior):
            kl = self.prior.kl(mu, log_var).sum(axis=1).mean()
        else:  # E_q[log q(z|x) - log p(z)], from the draws
            kl = -(log_w + nll).mean()
        active = (mu.real.var(axis=0) > ACTIVE).sum()
        return self.record(loss, reconstruction=nll.mean(), kl=kl, active_units=active)

    def backward(self):
        """Fill dtheta with the gradient of the last loss, the noise eps held fixed.

        d log sum_j w_j = sum_j (w_j / sum w) d log w_j: the gradients of the k draws, weighted by
        their shares v_j. With z = mu + eps std, log q(z|x) = -(eps^2 + log_var) / 2 + constant, so

            -log w_j = -log p(x|z_j) + z_j^2 / 2 - log_var / 2 + constant:

        dz_j is v_j / n times (the decoder's gradient + z_j). As in VAE, z reaches mu with the
        factor 1 and log_var with eps std / 2. The term -log_var / 2 adds -1/2, because the shares
        sum to 1. For another prior than N(0, I), z_j is replaced by the gradient of -log p(z_j).
        """
        log_var, eps, z, share = self.cached()
        share = share / len(log_var)
        dout = self.reconstruction_loss.backward(share.ravel())
        dz = self.decoder.backward(dout).reshape(z.shape)
        dz = dz + share[:, :, None] * self.prior.nll_grad(z)
        dmu = dz.sum(axis=0)
        dlog_var = (dz * (0.5 * eps * np.exp(0.5 * log_var))).sum(axis=0) - 0.5 / len(log_var)
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))

    def elbo(self, X, split=False):
        """As VAE.elbo. If the prior has no KL in closed form, the KL is that of one draw of z."""
        if has_kl(self.prior):
            return super().elbo(X, split)
        rng = np.random.default_rng(EVALUATION_SEED)

        def bound(x):
            mu, log_var = self.infer(x)
            eps = rng.standard_normal((1, *mu.shape), dtype=mu.dtype)
            _, nll, log_w = self.log_weight(x, mu, log_var, eps)
            return np.concatenate([-nll, -log_w - nll]).T

        log_p, kl = self.map_rows(bound, X, bounds=self.reconstruction_loss.bounds).T
        return (log_p, kl) if split else log_p - kl
