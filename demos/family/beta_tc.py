# %% [markdown]
"""beta-TC-VAE: a weight on the dependence between latents alone. Does it separate the factors?

    python demos/family/beta_tc.py

The mean KL is the information of the code on the image, plus the total correlation (TC) of the
latents, plus the KL of each latent from the prior. beta weighs all three; Chen et al. (2018) weigh
the TC alone. The mutual information gap (MIG) with the factors that made the images judges both.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import VAE, ConditionalVAE, GaussianNLL, datasets, metrics
from miniae.numerics import LOG_2PI

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save, show, train
from support.discs import discs
from support.heatmaps import heatmaps

BETAS, TC = (1.0, 2.0, 4.0), "beta-TC-VAE, beta = 4"
GIVEN = {"n_classes": 10, "likelihood": GaussianNLL(0.2), "activation": "relu"}


# %%
class TotalCorrelation:
    """TC = KL(q(z) || q(z_1) ... q(z_d)) of a mixture q(z) = sum_j w_j N(z; mu_j, var_j)."""

    def forward(self, z, mu, log_var, log_w):
        """Draws z (m, d); mu, log_var (n, d); log_w (n, m) or (n or 1, 1) -> mean over draws."""
        std, log_var = np.exp(0.5 * log_var)[:, None], log_var[:, None]
        u = (z - mu[:, None]) / std  # (n, m, d)
        log_q = -0.5 * (u**2 + log_var + LOG_2PI)  # log N(z_ik; mu_jk, var_jk) at [j, i, k]
        self.log_q_z, P = log_sum(log_w + log_q.sum(axis=2))  # (m,), (n, m)
        self.log_q_zk, R = log_sum(log_w[..., None] + log_q)  # (m, d), (n, m, d)
        self.cache = u, std, (P[..., None] - R) / len(z)
        return (self.log_q_z - self.log_q_zk.sum(axis=1)).mean()

    def backward(self):
        """Return dz (m, d), dmu and dlog_var (n, d).

        The slope of log sum_j e^(l_j) in l_j is the share of e^(l_j): P_ji in log q(z_i), R_jik in
        log q(z_ik). So dTC / dlog_q_jik = (P_ji - R_jik) / m. log_q is -(u^2 + log_var) / 2 +
        constant: its slope is -u / std in z, u / std in mu, and (u^2 - 1) / 2 in log_var.
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
    """Return log_w (n, n) with which n of n_data samples estimate the aggregate q(z) without bias.

    The own sample of z_i has the weight 1 / n_data; the n - 1 others stand for n_data - 1. In Chen
    et al. (2018), C.2, one of them weighs less, which adds variance. The logarithms are too low
    (Jensen). If the code has more than log n nats, no other is near z_i, and the TC is far off.
    """
    others = (n_data - 1) / (n_data * max(n - 1, 1))
    return np.log(np.where(np.eye(n, dtype=bool), 1 / n_data, others))


class BetaTCVAE(VAE):
    """A VAE with tc_weight TC added to its loss; in Chen et al. (2018) 1 + tc_weight is beta."""

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
        weight = (weight / len(mu)).astype(mu.dtype)
        kl_dmu, kl_dlog_var = (weight * d for d in self.prior.kl_grad(mu, log_var))
        dmu = dz + kl_dmu + tc_dmu
        dlog_var = dz * (0.5 * eps * std) + kl_dlog_var + tc_dlog_var
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))


class ConditionalBetaTCVAE(ConditionalVAE, BetaTCVAE):
    """The same, given the digit, so that the latents are left to the handwriting."""


# %%
def measure(model, X, labels, F, n):
    """Return held-out reconstruction, KL, the training data's TC and MIG; and all information."""
    log_p, kl = model.elbo(X[n:], split=True, labels=labels[n:])
    Z = model.posterior_sample(X, labels=labels, seed=0)[0]
    mu, log_var = model.posterior(X[:n], labels=labels[:n])
    tc = TotalCorrelation().forward(Z[:200], mu, log_var, np.full((1, 1), -np.log(n), Z.dtype))
    row = (-log_p.mean(), kl.mean(), tc, metrics.mutual_information_gap(Z[n:], F[n:]))
    return row, metrics.mutual_information(Z[n:], F[n:])


def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("beta_tc", __doc__, argv, data=(), seeds=(3, "number of seeds"))
    n, n_test, epochs = (500, 2000, 1) if chosen.quick else (6000, 4000, 12)
    seeds, pictures = range(chosen.seed, chosen.seed + chosen.seeds), {}
    models = {f"beta-VAE, beta = {beta:g}": (ConditionalVAE, {"beta": beta}) for beta in BETAS}
    models[TC] = ConditionalBetaTCVAE, {"tc_weight": 3.0, "n_data": n}
    for draw in (discs, datasets.synthetic_digits):
        found = {name: [] for name in models}
        for seed in seeds:
            X, labels, factors = draw(n + n_test, seed=seed)
            X = X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))  # small images take little time
            F = np.column_stack(list(factors.values()))
            for name, (kind, weights) in models.items():
                vae = kind((14, 14), 8, seed=seed, **weights, **GIVEN)
                train(name, vae, X[:n], labels=labels[:n], lr=2e-3, epochs=epochs)
                found[name].append(measure(vae, X, labels, F, n))
        tables = {name: each[0][1] for name, each in found.items()}  # of the first seed
        pictures[draw.__name__] = heatmaps(tables, list(factors), "mutual information (nats)")
        rows = {name: [row for row, _ in each] for name, each in found.items()}
        curves = np.stack(list(rows.values())[: len(BETAS)], axis=1)  # (seeds, BETAS, columns)
        rows["beta-VAE, equal reconstruction"] = [
            [np.interp(row[0], curve[:, 0], column) for column in curve.T]
            for row, curve in zip(rows[TC], curves, strict=True)
        ]
        header = (f"{draw.__name__}, mean", "reconstruction", "KL", "TC", "MIG")
        table = [(k, *np.mean(v, axis=0), *np.array(v)[:, -1]) for k, v in rows.items()]
        show((*header, *(f"seed {seed}" for seed in seeds)), table, digits=3)
    save(chosen.out, **pictures)


# %%
if __name__ == "__main__":
    main()
