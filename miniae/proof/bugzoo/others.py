"""Wrong functions and penalties, each with one sentence that says what is wrong."""

import numpy as np

from miniae.losses import gaussian_kl
from miniae.proof.bugzoo.instruments import (
    batch_mean_on_target,
    monte_carlo_kl,
    two_batch_sizes,
)
from miniae.proof.bugzoo.specimen import specimen
from miniae.regularizers import KLSparsity, L1Penalty


@specimen(
    "kl-half-log-var", monte_carlo_kl, gaussian_kl, source="EECS-598, VAE assignment"
)  # fmt: skip
def kl_half_log_var(mu, log_var):
    """exp(log_var / 2) stands for exp(log_var); a check at mu = 1, log_var = 0 cannot see it."""
    return 0.5 * (mu**2 + np.exp(log_var / 2) - 1 - log_var)


@specimen("kl-log-std", monte_carlo_kl, gaussian_kl)
def kl_log_std(mu, log_var):
    """log_var is taken for log std in its last term; at log_var = 0 nobody can tell."""
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - 2 * log_var)


@specimen("penalty-not-per-sample", two_batch_sizes, L1Penalty, source="keras, issue 22018")
class PenaltyNotPerSample(L1Penalty):
    """The activity penalty is summed over the batch, the loss is its mean."""

    def forward(self, code):
        return self.weight * np.abs(code).sum()


@specimen(
    "sparsity-per-element", batch_mean_on_target, KLSparsity,
    source="wblgers, sparse autoencoder 1",
)  # fmt: skip
class SparsityPerElement(KLSparsity):
    """The KL is that of each activation, where it is that of a unit's mean over the batch."""

    def forward(self, code):
        return self.weight * self.divergence(code).sum(axis=1).mean()
