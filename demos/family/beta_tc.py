# %% [markdown]
"""beta-TC-VAE: a weight on the dependence between latents alone. Does it separate the factors?

    python demos/family/beta_tc.py             seeds 0, 1, 2, under a minute
    python demos/family/beta_tc.py --seeds 1   seed 0

The KL of a VAE, mean over the data, is the sum of three terms: the information of the code on the
image, the total correlation (TC) of the latents, and the KL of each latent from the prior. beta
weighs all three; Chen et al. (2018) weigh the TC alone. Judge: the mutual information gap (MIG)
with the factors that made the digits, at equal beta and at equal reconstruction.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, ConditionalVAE, datasets, metrics
from miniae.numerics import LOG_2PI

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save, show, train


# %%
class TotalCorrelation:
    """TC = KL(q(z) || q(z_1) ... q(z_d)) of a mixture q(z) = sum_j w_j N(z; mu_j, var_j).

    If the j are all N training samples, with w_j = 1 / N, q(z) is the aggregate posterior.
    """

    def forward(self, z, mu, log_var, log_w):
        """Draws z (m, d); mu, log_var (n, d); log_w (n, m) or (n or 1, 1) -> mean over draws."""
        std, log_var = np.exp(0.5 * log_var)[:, None], log_var[:, None]
        u = (z - mu[:, None]) / std  # (n, m, d)
        log_q = -0.5 * (u**2 + log_var + LOG_2PI)  # log N(z_ik; mu_jk, var_jk) at [j, i, k]
        joint, P = log_sum(log_w + log_q.sum(axis=2))
        single, R = log_sum(log_w[..., None] + log_q)
        self.cache = u, std, (P[..., None] - R) / len(z)
        self.log_q_z, self.log_q_zk = joint, single  # (m,), (m, d)
        return (joint - single.sum(axis=1)).mean()

    def backward(self):
        """Return dz (m, d), dmu and dlog_var (n, d).

        The slope of log sum_j e^(l_j) in l_j is the share of e^(l_j) in the sum: P_ji in log q(z_i)
        and R_jik in log q(z_ik). So dTC / dlog_q_jik = (P_ji - R_jik) / m. log_q is
        -(u^2 + log_var) / 2 + constant, u = (z - mu) / std: its slope is -u / std in z, u / std in
        mu, and (u^2 - 1) / 2 in log_var.
        """
        u, std, share = self.cache
        slope = share * u / std
        return -slope.sum(axis=0), slope.sum(axis=1), 0.5 * (share * (u**2 - 1)).sum(axis=1)


def log_sum(log_terms):
    """Return log sum_j e^(l_j) over the first axis, and the share of each e^(l_j) in the sum."""
    highest = log_terms.real.max(axis=0)
    terms = np.exp(log_terms - highest)
    total = terms.sum(axis=0)
    return highest + np.log(total), terms / total


def log_weights(n, n_data):
    """Return log_w (n, n) with which a batch of n of n_data samples estimates q(z) without bias.

    The sample that z_i is drawn for has the weight 1 / n_data in q(z). The other n - 1 stand for
    n_data - 1, with equal weights. In Chen et al. (2018), C.2, one of these weighs less, which has
    the same mean and more variance. log q(z) is still too low (Jensen), and is never below
    log q(z|x) - log n_data: where the KL is above log n_data, the estimate fails.
    """
    others = (n_data - 1) / (n_data * max(n - 1, 1))
    return np.log(np.where(np.eye(n, dtype=bool), 1 / n_data, others))


class BetaTCVAE(VAE):
    """A VAE with tc_weight TC, estimated from n_data samples, added to its loss.

    In Chen et al. (2018), eq. 4, that is beta = 1 + tc_weight.
    """

    def __init__(self, input_dim, latent_dim=2, hidden=(128,), *, n_data, tc_weight=0.0, **options):
        super().__init__(input_dim, latent_dim, hidden, **options)
        self.n_data, self.tc_weight, self.tc = n_data, tc_weight, TotalCorrelation()

    def loss(self, x, target=None, **options):
        """As VAE.loss, with one more term."""
        super().loss(x, target, **options)
        mu, log_var, std, eps, _ = self.cached()
        log_w = log_weights(len(mu), self.n_data).astype(mu.real.dtype)
        tc = self.tc.forward(mu + eps * std, mu, log_var, log_w)
        loss = self.terms.pop("loss") + self.tc_weight * tc
        return self.record(loss, **self.terms, tc=tc)

    def backward(self):
        """As VAE.backward, with the gradients of the TC: dz passes on to mu and log_var."""
        mu, log_var, std, eps, weight = self.cached()
        tc_dz, tc_dmu, tc_dlog_var = (self.tc_weight * d for d in self.tc.backward())
        dz = self.decoder.backward(self.reconstruction_loss.backward()) + tc_dz
        kl_dmu, kl_dlog_var = self.prior.kl_grad(mu, log_var)
        weight = (weight / len(mu)).astype(mu.dtype)
        dmu = dz + weight * kl_dmu + tc_dmu
        dlog_var = dz * (0.5 * eps * std) + weight * kl_dlog_var + tc_dlog_var
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))


class ConditionalBetaTCVAE(ConditionalVAE, BetaTCVAE):
    """The same, given the digit, so that the latents are left to the handwriting."""
