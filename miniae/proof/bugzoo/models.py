"""Wrong models: each docstring says in one sentence what is wrong."""

import numpy as np

from miniae.autoencoder import Autoencoder
from miniae.losses import gaussian_kl, gaussian_kl_grad
from miniae.model import EVALUATION_SEED
from miniae.proof.bugzoo.instruments import (
    duplicated_latents,
    exact_marginal,
    gradient_check,
    importance_estimate,
    monte_carlo_kl,
    parts_add_up,
    train_and_evaluation,
    two_batch_sizes,
    two_calls,
)
from miniae.proof.bugzoo.specimen import specimen
from miniae.vae import VAE


class OpenVAE(VAE):
    """The VAE with each term in a method of its own, which a specimen can replace.

    Its loss and gradient are those of `VAE`, without warm-up and free bits. A test checks this.
    """

    def std(self, log_var):
        """Return the std of the noise, and its derivative with respect to log_var."""
        std = np.exp(0.5 * log_var)
        return std, 0.5 * std

    def kl(self, mu, log_var):
        """Return the mean KL, and its gradients with respect to mu and log_var."""
        dmu, dlog_var = gaussian_kl_grad(mu, log_var)
        return gaussian_kl(mu, log_var).sum() / len(mu), dmu / len(mu), dlog_var / len(mu)

    def likelihood(self, out, target):
        """Return the reconstruction loss."""
        return self.reconstruction_loss.forward(out, target)

    def dlikelihood(self):
        """Return dout of the reconstruction loss."""
        return self.reconstruction_loss.backward()

    def weight(self, training):
        """Return the weight of the KL."""
        return self.beta

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        x, target, rng = self.prepare(x, target, rng, training)
        mu, log_var = self.infer(x, training)
        std, slope = self.std(log_var)
        if eps is None:
            eps = rng.standard_normal(mu.shape, dtype=mu.real.dtype)
        out = self.decoder.forward(mu + eps * std, training)
        reconstruction = self.likelihood(out, target)
        kl, dmu, dlog_var = self.kl(mu, log_var)
        weight = self.weight(training)
        self.cache = mu, log_var, std, eps, np.full(mu.shape[1], weight)
        self.terms_of_gradient = eps * slope, weight * dmu, weight * dlog_var
        return self.record(reconstruction + weight * kl, reconstruction=reconstruction, kl=kl)

    def backward(self):
        dz = self.decoder.backward(self.dlikelihood())
        dmu, dlog_var = self.upstream(dz, *self.terms_of_gradient)
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        """Return dmu and dlog_var, from dz, path = dz/dlog_var, and the gradients of the KL."""
        return dz + kl_dmu, dz * path + kl_dlog_var


# What a gradient check catches: backward is not the derivative of forward.


@specimen("vae-kl-half-missing", gradient_check, VAE, "1/2")
class KLHalfMissing(OpenVAE):
    """The KL's gradient lacks the factor 1/2: it is 2 mu and exp(log_var) - 1."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz + 2 * kl_dmu, dz * path + 2 * kl_dlog_var


@specimen("vae-minus-1-missing", gradient_check, VAE, "missing term")
class MinusOneMissing(OpenVAE):
    """The KL's gradient with respect to log_var is exp(log_var) / 2, without the - 1."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz + kl_dmu, dz * path + kl_dlog_var + self.beta / 2 / len(dz)


@specimen("vae-path-missing", gradient_check, VAE, "missing term")
class PathMissing(OpenVAE):
    """dlog_var lacks dz eps std / 2: log_var does not learn the effect of the noise."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz + kl_dmu, kl_dlog_var


@specimen("vae-dz-missing-in-dmu", gradient_check, VAE, "missing term")
class DzMissingInDmu(OpenVAE):
    """dmu lacks dz: mu does not learn what the decoder needs."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return kl_dmu, dz * path + kl_dlog_var


@specimen("vae-kl-gradient-missing", gradient_check, VAE, "missing term")
class KLGradientMissing(OpenVAE):
    """The KL is in the printed loss, but not in the gradient."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz, dz * path


@specimen("vae-encoder-detached", gradient_check, VAE, "missing term")
class EncoderDetached(OpenVAE):
    """No gradient comes back through z: the encoder sees the KL only."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return kl_dmu, kl_dlog_var


@specimen("vae-path-half-missing", gradient_check, VAE, "1/2")
class PathHalfMissing(OpenVAE):
    """d std / d log_var is std / 2; the half is missing."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz + kl_dmu, 2 * dz * path + kl_dlog_var


@specimen("vae-path-without-eps", gradient_check, VAE, "missing term")
class PathWithoutEps(OpenVAE):
    """dlog_var contains dz std / 2, without the factor eps."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz + kl_dmu, dz * path / self.cache[3] + kl_dlog_var


@specimen("vae-kl-sign", gradient_check, VAE, "sign")
class KLSign(OpenVAE):
    """The KL's gradient is subtracted, as if the ELBO were minimised."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz - kl_dmu, dz * path - kl_dlog_var


@specimen("vae-kl-gradient-summed", gradient_check, VAE, "n samples")
class KLGradientSummed(OpenVAE):
    """The KL's gradient is not divided by the batch size, but the likelihood's is."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz + len(dz) * kl_dmu, dz * path + len(dz) * kl_dlog_var


@specimen("vae-beta-missing", gradient_check, VAE, "beta")
class BetaMissing(OpenVAE):
    """beta multiplies the KL in the loss, but not in the gradient."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz + kl_dmu / self.beta, dz * path + kl_dlog_var / self.beta


@specimen("vae-swapped", gradient_check, VAE, "swapped")
class MuAndLogVarSwapped(OpenVAE):
    """The encoder's output is mu, log_var, but its gradient is dlog_var, dmu."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return dz * path + kl_dlog_var, dz + kl_dmu


@specimen("vae-std-mixed", gradient_check, VAE, "std")
class StdMixed(OpenVAE):
    """forward uses std = exp(log_var / 2), backward differentiates exp(log_var)."""

    def std(self, log_var):
        std, _ = super().std(log_var)
        return std, std**2


@specimen(
    "vae-noise-redrawn", gradient_check, VAE, "redrawn", "kwj2104/Simple-Variational-Autoencoder"
)  # fmt: skip
class NoiseRedrawn(OpenVAE):
    """The noise is drawn twice, and backward uses the draw that forward did not use."""

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        rng = np.random.default_rng(EVALUATION_SEED) if rng is None else rng
        loss = super().loss(x, target, eps=eps, rng=rng, training=training)
        mu, log_var, std, used, weight = self.cache
        eps = rng.standard_normal(used.shape)
        self.cache = mu, log_var, std, eps, weight
        self.terms_of_gradient = eps * std / 2, *self.terms_of_gradient[1:]
        return loss


@specimen("autoencoder-penalty-gradient-missing", gradient_check, Autoencoder, "missing term")
class PenaltyGradientMissing(Autoencoder):
    """The penalty on the code is in the loss but not in the gradient."""

    def backward(self):
        dcode = self.decoder.backward(self.reconstruction_loss.backward())
        self.encoder.backward_params(dcode)


@specimen("autoencoder-encoder-untrained", gradient_check, Autoencoder, "zero")
class EncoderUntrained(Autoencoder):
    """backward stops at the decoder: the encoder is never trained."""

    def backward(self):
        self.decoder.backward(self.reconstruction_loss.backward())


# What a gradient check cannot catch: backward is the derivative of a wrong forward.


@specimen("vae-std-is-variance", monte_carlo_kl, VAE, source="ddbourgin/numpy-ml, models/vae.py")
class StdIsVariance(OpenVAE):
    """z is drawn with std = exp(log_var), but the KL treats log_var as a log variance."""

    def std(self, log_var):
        return np.exp(log_var), np.exp(log_var)


@specimen("vae-noise-scale", exact_marginal, VAE, source="keras, pull request 4211")
class NoiseScale(OpenVAE):
    """The noise is scaled by 0.01: a "bound" better than the exact answer."""

    def std(self, log_var):
        std, slope = super().std(log_var)
        return 0.01 * std, 0.01 * slope


@specimen("vae-kl-mean-over-latents", duplicated_latents, VAE, source="keras-io, issue 270")
class KLMeanOverLatents(OpenVAE):
    """The KL is averaged over latent dimensions instead of summed."""

    def kl(self, mu, log_var):
        return tuple(part / mu.shape[1] for part in super().kl(mu, log_var))


@specimen("vae-kl-clamped", monte_carlo_kl, VAE, source="PyOD, models/vae.py")
class KLClamped(OpenVAE):
    """The KL is clamped between 0 and a capacity whose default is 0: it is always 0."""

    def kl(self, mu, log_var, capacity=0.0):
        kl, dmu, dlog_var = super().kl(mu, log_var)
        inside = 0 < kl.real < capacity
        return (kl if inside else capacity + 0 * kl), inside * dmu, inside * dlog_var


@specimen("vae-kl-summed-over-batch", two_batch_sizes, VAE)
class KLSummedOverBatch(OpenVAE):
    """The KL is summed over the batch, the likelihood is a mean: beta is the batch size."""

    def kl(self, mu, log_var):
        return tuple(part * len(mu) for part in super().kl(mu, log_var))


@specimen("vae-log-var-squashed", monte_carlo_kl, VAE)
class LogVarSquashed(OpenVAE):
    """log_var goes through a tanh for the noise, but not for the KL."""

    def std(self, log_var):
        squashed = np.tanh(log_var)
        std = np.exp(0.5 * squashed)
        return std, 0.5 * std * (1 - squashed**2)


@specimen("vae-likelihood-per-pixel", exact_marginal, VAE, source="keras, pull request 3383")
class LikelihoodPerPixel(OpenVAE):
    """The likelihood is a mean over features, the KL a sum over latents."""

    def likelihood(self, out, target):
        return super().likelihood(out, target) / out[0].size

    def dlikelihood(self):
        dout = super().dlikelihood()
        return dout / dout[0].size


@specimen("vae-logs-minus-kl", parts_add_up, VAE, source="AntixK/PyTorch-VAE")
class LogsMinusKL(OpenVAE):
    """The KL is logged with the wrong sign."""

    def record(self, loss, *, reconstruction, kl):
        return super().record(loss, reconstruction=reconstruction, kl=-kl)


@specimen("vae-two-kl-weights", train_and_evaluation, VAE, source="AntixK/PyTorch-VAE")
class TwoKLWeights(OpenVAE):
    """Training and validation use different weights of the KL: their losses are not comparable."""

    def weight(self, training):
        return self.beta * (0.1 if training else 1.0)


@specimen("vae-score-redrawn", two_calls, VAE, source="PyOD, models/vae.py")
class ScoreRedrawn(VAE):
    """Each call of elbo draws new noise: no score can be reproduced."""

    def elbo(self, X):
        eps = self.rng.standard_normal((len(X), self.latent_dim))
        return np.array([-self.loss(x[None], eps=e[None]) for x, e in zip(X, eps, strict=True)])


@specimen("vae-nll-sign", importance_estimate, VAE, source="pythae, get_nll")
class NLLSign(VAE):
    """The log-likelihood is returned with the sign of the negative one."""

    def log_likelihood(self, X, k=1000):
        return -super().log_likelihood(X, k)


@specimen("vae-nll-ignores-k", importance_estimate, VAE)
class NLLIgnoresK(VAE):
    """The number of draws k is ignored: one draw is used, and the estimate is a noisy ELBO."""

    def log_likelihood(self, X, k=1000):
        return super().log_likelihood(X, 1)


@specimen("vae-mean-of-logs", importance_estimate, VAE)
class MeanOfLogs(VAE):
    """The logarithms of the weights are averaged, not the weights: that is the ELBO again."""

    def log_likelihood(self, X, k=1000):
        tiled = np.tile(X, (k, 1))
        return self.elbo(tiled).reshape(k, len(X)).mean(axis=0)


@specimen("dropout-left-on", two_calls, Autoencoder)
class DropoutLeftOn(Autoencoder):
    """reconstruct runs in training mode: units are dropped in the evaluation."""

    def reconstruct(self, X):
        code = self.encoder.forward(X.astype(self.theta.dtype), training=True)
        return self.reconstruction_loss.expected(self.decoder.forward(code, training=True))
