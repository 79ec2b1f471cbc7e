"""Wrong functions, penalties and optimisers, each with one sentence that says what is wrong."""

import numpy as np

from miniae.losses import gaussian_kl
from miniae.optim import SGD, Adam
from miniae.proof.bugzoo.instruments import (
    batch_mean_on_target,
    hand_computed_steps,
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


@specimen(
    "adam-without-t", hand_computed_steps, Adam,
    source="eriklindernoren/ML-From-Scratch, optimizers.py",
)  # fmt: skip
class AdamWithoutT(Adam):
    """m and v are divided by 1 - beta in every step, where it is 1 - beta^t."""

    def update(self, theta, dtheta, lr, m, v):
        t, self.t = self.t, 1
        super().update(theta, dtheta, lr, m, v)
        self.t = t


@specimen("adam-t-per-parameter", hand_computed_steps, Adam)
class AdamTPerParameter(Adam):
    """t counts the arrays updated, not the steps: the bias corrections fade too early."""

    def update(self, theta, dtheta, lr, m, v):
        self.t += 1
        super().update(theta, dtheta, lr, m, v)


@specimen("adam-root-missing", hand_computed_steps, Adam)
class AdamRootMissing(Adam):
    """The step is m_hat / v_hat, without the square root: large gradients make small steps."""

    def update(self, theta, dtheta, lr, m, v):
        beta1, beta2 = self.betas
        m[...] = beta1 * m + (1 - beta1) * dtheta
        v[...] = beta2 * v + (1 - beta2) * dtheta**2
        theta -= lr * m / (1 - beta1**self.t) / (v / (1 - beta2**self.t) + self.eps)


@specimen("momentum-sign", hand_computed_steps, SGD)
class MomentumSign(SGD):
    """The velocity is subtracted from the gradient: what should speed up brakes."""

    def update(self, theta, dtheta, lr, velocity):
        velocity *= -1
        super().update(theta, dtheta, lr, velocity)


@specimen("momentum-not-kept", hand_computed_steps, SGD)
class MomentumNotKept(SGD):
    """The velocity is computed for the step and not kept for the next."""

    def update(self, theta, dtheta, lr, velocity):
        super().update(theta, dtheta, lr, velocity.copy())
