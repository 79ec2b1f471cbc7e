"""Wrong losses, KLs and penalties: each docstring says in one sentence what is wrong."""

import numpy as np

from miniae.losses import BernoulliNLL, GaussianNLL, SquaredError, gaussian_kl
from miniae.numerics import sigmoid
from miniae.proof.bugzoo.instruments import (
    batch_mean_on_target,
    extreme_inputs,
    gradient_check,
    monte_carlo_kl,
    refusal,
    two_batch_sizes,
)
from miniae.proof.bugzoo.specimen import specimen
from miniae.regularizers import KLSparsity, L1Penalty


@specimen("bce-divided-by-p-twice", gradient_check, BernoulliNLL, "probability")
class BernoulliDividedByPTwice(BernoulliNLL):
    """p - target is divided by p (1 - p), which the sigmoid's slope has already cancelled."""

    def backward(self, weight=None):
        p = sigmoid(self.cached()[0])
        return super().backward(weight) / (p * (1 - p))


@specimen("bce-sigmoid-slope-twice", gradient_check, BernoulliNLL, "probability")
class BernoulliSigmoidSlopeTwice(BernoulliNLL):
    """p - target is multiplied by the sigmoid's slope, which it already contains."""

    def backward(self, weight=None):
        p = sigmoid(self.cached()[0])
        return super().backward(weight) * p * (1 - p)


@specimen("bce-logits-as-probabilities", gradient_check, BernoulliNLL, "missing sigmoid")
class BernoulliLogitsAsProbabilities(BernoulliNLL):
    """The gradient is logits - target: the sigmoid is missing."""

    def backward(self, weight=None):
        logits, target, *_ = self.cached()
        return (logits - target) / len(logits)


@specimen("squared-error-sign", gradient_check, SquaredError, "sign")
class SquaredErrorSign(SquaredError):
    """The gradient is that of target - out."""

    def backward(self, weight=None):
        return -super().backward(weight)


@specimen("squared-error-2-missing", gradient_check, SquaredError, "1/2")
class SquaredErrorTwoMissing(SquaredError):
    """The 2 of the square is missing in the gradient."""

    def backward(self, weight=None):
        return super().backward(weight) / 2


@specimen("squared-error-half-missing", gradient_check, SquaredError, "2")
class SquaredErrorHalfMissing(SquaredError):
    """forward has a factor 1/2 that is missing in backward."""

    def per_sample(self, out, target):
        return 0.5 * super().per_sample(out, target)


@specimen("mean-over-features-forward-only", gradient_check, SquaredError, "features",
          "kgw-wilson/numpy-autoencoder")  # fmt: skip
class MeanOverFeaturesForwardOnly(SquaredError):
    """The loss is a mean over samples and features, its gradient over samples only."""

    def per_sample(self, out, target):
        return super().per_sample(out, target) / out[0].size


@specimen("loss-gradient-summed", gradient_check, BernoulliNLL, "n samples")
class LossGradientSummed(BernoulliNLL):
    """The gradient is not divided by the batch size, though the loss is a mean."""

    def backward(self, weight=None):
        return super().backward(weight) * len(self.cached()[0])


@specimen("sigma-not-squared", gradient_check, GaussianNLL, "sigma")
class SigmaNotSquared(GaussianNLL):
    """The gradient is divided by sigma instead of sigma^2."""

    def backward(self, weight=None):
        return super().backward(weight) * self.sigma


@specimen("log-sigma-term-missing", gradient_check, GaussianNLL, "missing term")
class LogSigmaTermMissing(GaussianNLL):
    """The gradient of log sigma lacks the number of features, from the normalising constant."""

    def backward(self, weight=None):
        dout = super().backward(weight)
        self.grads["log_sigma"] -= self.cached()[0][0].size
        return dout


@specimen("targets-broadcast", refusal, SquaredError)
class TargetsBroadcast(SquaredError):
    """out (n, 1) and target (n,) are accepted and broadcast: every out against every target."""

    def per_sample(self, out, target):
        self.cache = out, target
        return ((out - target) ** 2).sum(axis=1)


@specimen("log-of-probability", extreme_inputs, BernoulliNLL)
class LogOfProbability(BernoulliNLL):
    """The logarithm is taken of a clipped probability: no pixel costs more than 18.4 nats."""

    def per_sample(self, out, target):
        logits, target = self.remember(out, target)
        p = sigmoid(logits)
        on, off = (np.where(q.real > 1e-8, q, 1e-8) for q in (p, 1 - p))
        return -(target * np.log(on) + (1 - target) * np.log(off)).sum(axis=1)


@specimen("kl-half-log-var", monte_carlo_kl, gaussian_kl, source="EECS-598, VAE assignment")
def kl_half_log_var(mu, log_var):
    """exp(log_var / 2) instead of exp(log_var); a check at mu = 1, log_var = 0 cannot see it."""
    return 0.5 * (mu**2 + np.exp(log_var / 2) - 1 - log_var)


@specimen("kl-log-std", monte_carlo_kl, gaussian_kl)
def kl_log_std(mu, log_var):
    """The last term treats log_var as log std; at log_var = 0 this has no effect."""
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - 2 * log_var)


@specimen("penalty-not-per-sample", two_batch_sizes, L1Penalty, source="keras, issue 22018")
class PenaltyNotPerSample(L1Penalty):
    """The activity penalty is summed over the batch, the loss is its mean."""

    def forward(self, code):
        return self.weight * np.abs(code).sum()


@specimen("sparsity-per-element", batch_mean_on_target, KLSparsity,
          source="wblgers, sparse autoencoder 1")  # fmt: skip
class SparsityPerElement(KLSparsity):
    """The KL is computed for each activation instead of a unit's mean over the batch."""

    def forward(self, code):
        return self.weight * self.divergence(code).sum(axis=1).mean()
