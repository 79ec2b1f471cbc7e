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

import numpy as np

from miniae import VAE, ConditionalVAE, datasets, metrics
from miniae.numerics import LOG_2PI

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save, show, train
from support.heatmaps import heatmaps

BETAS, TC_BETAS = (0.5, 1.0, 2.0, 4.0), (2.0, 4.0)
MODELS = {f"beta-VAE, beta = {beta:g}": (beta, 0.0) for beta in BETAS}  # beta, tc_weight
MODELS |= {f"beta-TC, beta = {beta:g}": (1.0, beta - 1) for beta in TC_BETAS}


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
    the same mean and more variance. The logarithms are still too low (Jensen). Where the code has
    more than log n nats, no other sample of the batch is near z_i, and the TC is far off.
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


# %%
def measure(model, X, labels, F, n):
    """Return held-out reconstruction, KL, the training data's TC and MIG; and all information."""
    log_p, kl = model.elbo(X[n:], split=True, labels=labels[n:])
    Z = model.posterior_sample(X, labels=labels, seed=0)[0]
    mu, log_var = model.posterior(X[:n], labels=labels[:n])
    equal = np.full((1, 1), -np.log(n), Z.dtype)
    blocks = np.split(Z[:500], 10)  # limits the memory
    tc = np.mean([TotalCorrelation().forward(z, mu, log_var, equal) for z in blocks])
    gap = metrics.mutual_information_gap(Z[n:], F[n:])
    return (-log_p.mean(), kl.mean(), tc, gap), metrics.mutual_information(Z[n:], F[n:])


def main(argv=None):
    """Run the demo; see the top of the file."""
    n_seeds = (3, "number of seeds, from --seed on")
    chosen = options("beta_tc", __doc__, argv, data=(), seeds=n_seeds)
    n, n_test, epochs = (500, 2000, 1) if chosen.quick else (8000, 4000, 10)
    seeds, found, tables = range(chosen.seed, chosen.seed + chosen.seeds), {}, {}
    for seed in seeds:
        X, labels, factors = datasets.synthetic_digits(n + n_test, seed=seed)
        X = X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))  # smaller images take less time
        F, size = np.column_stack(list(factors.values())), ((14, 14), 10)
        for name, (beta, tc_weight) in MODELS.items():
            given = {"n_classes": 10, "activation": "relu", "beta": beta, "seed": seed}
            vae = ConditionalBetaTCVAE(*size, n_data=n, tc_weight=tc_weight, **given)
            train(name, vae, X[:n], labels=labels[:n], lr=2e-3, epochs=epochs)
            row, tables[name] = measure(vae, X, labels, F, n)
            found.setdefault(name, []).append(row)
    for name in list(found)[len(BETAS) :]:
        curves = np.array([found[other] for other in list(found)[: len(BETAS)]])
        found[f"beta-VAE, as sharp as {name}"] = [
            [np.interp(row[0], curve[:, 0], column) for column in curve.T]
            for row, curve in zip(found[name], curves.swapaxes(0, 1), strict=True)
        ]
    header = ("mean of the seeds", "reconstruction", "KL", "TC", "MIG")
    rows = [(name, *np.mean(each, axis=0), *np.array(each)[:, -1]) for name, each in found.items()]
    show((*header, *(f"MIG, seed {seed}" for seed in seeds)), rows, digits=3)
    save(chosen.out, information=heatmaps(tables, list(factors), "nats", vmax=0.5))


# %%
if __name__ == "__main__":
    main()
