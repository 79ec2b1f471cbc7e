"""Wrong methods of VAEs outside the two passes: noise, warm-up, bounds, samples, scores."""

import numpy as np

from miniae.losses import gaussian_kl
from miniae.model import EVALUATION_SEED
from miniae.plumbing.batches import ROWS
from miniae.proof.bugzoo.models import OpenVAE
from miniae.proof.bugzoo.specimen import specimen
from miniae.proof.bugzoo.vae_instruments import (
    bound_of_one_draw,
    elbo_of_linear,
    evaluation_by_hand,
    kl_schedule,
    noise_in_fit,
    noise_test,
    passes_by_hand,
    posterior_draws,
    prior_draws,
    stated_posterior,
)
from miniae.vae import VAE
from miniae.variants import ImportanceWeightedVAE

# The noise in the loss.


@specimen("vae-eps-reseeded", noise_test, VAE)
class EpsReseeded(VAE):
    """Each training step seeds its generator again: the same eps at every step."""

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        rng = np.random.default_rng(0) if training else rng
        return super().loss(x, target, eps=eps, rng=rng, training=training)


@specimen("vae-eps-reseeded-by-epoch", noise_in_fit, VAE)
class EpsReseededByEpoch(VAE):
    """Each epoch seeds the generator again: the same eps and the same order of rows each time."""

    def start_epoch(self, epoch):
        super().start_epoch(epoch)
        self.rng = np.random.default_rng(0)


@specimen("vae-no-noise-in-evaluation", noise_test, VAE)
class NoNoiseInEvaluation(VAE):
    """In evaluation z is mu: the reported loss is not a bound of the log-likelihood."""

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        if eps is None and not training:
            eps = np.zeros((len(x), self.latent_dim))
        return super().loss(x, target, eps=eps, rng=rng, training=training)


@specimen("vae-log-var-clamped", noise_test, VAE)
class LogVarClamped(OpenVAE):
    """log_var is clamped to [-6, 6] for noise and KL: z does not have the stated posterior."""

    def infer(self, x, training=False):
        mu, log_var = super().infer(x, training)
        self.inside = np.abs(log_var.real) < 6
        return mu, np.where(self.inside, log_var, 6 * np.sign(log_var.real))

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        dmu, dlog_var = super().upstream(dz, path, kl_dmu, kl_dlog_var)
        return dmu, dlog_var * self.inside


@specimen("iwae-eps-shared", noise_test, ImportanceWeightedVAE)
class IWAEEpsShared(ImportanceWeightedVAE):
    """The k draws of a row share one eps: the k weights are equal, and the bound is the ELBO."""

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        if eps is None:
            source = rng or (self.rng if training else np.random.default_rng(EVALUATION_SEED))
            eps = np.tile(source.standard_normal((1, len(x), self.latent_dim)), (self.k, 1, 1))
        return super().loss(x, target, eps=eps, rng=rng, training=training)


# The weight of the KL.


@specimen("vae-warm-up-off-by-one", kl_schedule, VAE)
class WarmUpOffByOne(VAE):
    """The warm-up counts epochs from 1: it starts above 0 and ends one epoch too early."""

    def start_epoch(self, epoch):
        super().start_epoch(epoch + 1)


@specimen("vae-warm-up-never-ends", kl_schedule, VAE, source="scverse/scvi-tools, issue 1569")
class WarmUpNeverEnds(VAE):
    """The warm-up takes 400 epochs, longer than the training: a hidden beta below 1."""

    def start_epoch(self, epoch):
        self.kl_weight = self.beta * min(1.0, epoch / 400 if self.kl_warmup else 1.0)


@specimen("vae-warm-up-not-in-force", kl_schedule, VAE)
class WarmUpNotInForce(VAE):
    """The weight of the warm-up is computed and reported, but the loss uses beta."""

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        reported, self.kl_weight = self.kl_weight, self.beta
        loss = super().loss(x, target, eps=eps, rng=rng, training=training)
        self.kl_weight = reported
        return loss


@specimen("vae-warm-up-in-evaluation", evaluation_by_hand, VAE)
class WarmUpInEvaluation(VAE):
    """The warm-up also applies in evaluation: the validation loss rises with the weight."""

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        full, self.beta = self.beta, self.kl_weight
        loss = super().loss(x, target, eps=eps, rng=rng, training=training)
        self.beta = full
        return loss


@specimen("vae-mean-of-batch-means", evaluation_by_hand, VAE)
class MeanOfBatchMeans(VAE):
    """evaluate averages the means of batches: a short last batch counts as much as a full one."""

    def evaluate(self, X, y=None, *, verbose=0, return_dict=False, **side):
        parts = [X[start : start + ROWS] for start in range(0, len(X), ROWS)]
        return float(np.mean([super(MeanOfBatchMeans, self).evaluate(part) for part in parts]))


# Bounds.


@specimen("vae-elbo-without-kl", elbo_of_linear, VAE)
class ElboWithoutKL(VAE):
    """elbo returns the reconstruction term alone."""

    def elbo(self, X, split=False):
        log_p, kl = super().elbo(X, split=True)
        return (log_p, kl) if split else log_p


@specimen("vae-elbo-weighs-kl", elbo_of_linear, VAE)
class ElboWeighsKL(VAE):
    """elbo multiplies the KL by beta: for beta above 1 it is a looser bound than the ELBO."""

    def elbo(self, X, split=False):
        log_p, kl = super().elbo(X, split=True)
        return (log_p, self.beta * kl) if split else log_p - self.beta * kl


@specimen("vae-elbo-at-the-mean", elbo_of_linear, VAE)
class ElboAtTheMean(VAE):
    """elbo uses z = mu instead of an expectation over z: it is too high."""

    def elbo(self, X, split=False):
        mu, log_var = self.posterior(X)
        log_p = -self.reconstruction_loss.per_sample(self.decoder.forward(mu), X)
        kl = gaussian_kl(mu, log_var).sum(axis=1)
        return (log_p, kl) if split else log_p - kl


@specimen("vae-nll-draws-a-batch", bound_of_one_draw, VAE, source="pythae, get_nll")
class NLLDrawsABatch(VAE):
    """The draws come in whole batches: 100 of them are used if k is smaller."""

    def log_likelihood(self, X, k=1000):
        return super().log_likelihood(X, max(k, 100))


# Samples.


@specimen("vae-sample-wide", prior_draws, VAE)
class SampleWide(VAE):
    """sample draws codes from N(0, 2 I), but the prior is N(0, I)."""

    def sample(self, n, seed=None):
        z = np.random.default_rng(seed).standard_normal((n, self.latent_dim))
        return self.decode(2**0.5 * z)


@specimen("vae-sample-uniform", prior_draws, VAE)
class SampleUniform(VAE):
    """sample draws codes from the uniform distribution on [0, 1]."""

    def sample(self, n, seed=None):
        return self.decode(np.random.default_rng(seed).random((n, self.latent_dim)))


@specimen("vae-sample-diagonal", prior_draws, VAE)
class SampleDiagonal(VAE):
    """sample draws one number for each code, and all its latents share it."""

    def sample(self, n, seed=None):
        z = np.random.default_rng(seed).standard_normal((n, 1))
        return self.decode(np.tile(z, (1, self.latent_dim)))


@specimen("vae-sample-ignores-seed", prior_draws, VAE)
class SampleIgnoresSeed(VAE):
    """sample draws from the model's own generator, whatever the seed."""

    def sample(self, n, seed=None):
        return self.decode(self.rng.standard_normal((n, self.latent_dim)))


@specimen("vae-sample-logits", prior_draws, VAE)
class SampleLogits(VAE):
    """sample returns the decoder's output, logits, as if they were pixels."""

    def sample(self, n, seed=None):
        z = np.random.default_rng(seed).standard_normal((n, self.latent_dim))
        return self.decoder.forward(z)


@specimen("vae-posterior-sample-variance", posterior_draws, VAE)
class PosteriorSampleVariance(VAE):
    """posterior_sample multiplies the noise by exp(log_var), but loss by its root."""

    def posterior_sample(self, X, n_draws=1, seed=None):
        mu, log_var = self.posterior(X)
        rng = np.random.default_rng(seed)
        return mu + rng.standard_normal((n_draws, *mu.shape)) * np.exp(log_var)


@specimen("vae-posterior-sample-copied", posterior_draws, VAE)
class PosteriorSampleCopied(VAE):
    """posterior_sample draws once and returns n_draws copies."""

    def posterior_sample(self, X, n_draws=1, seed=None):
        return np.tile(super().posterior_sample(X, 1, seed), (n_draws, 1, 1))


# The posterior, and the methods that use it.


@specimen("vae-posterior-std", stated_posterior, VAE)
class PosteriorStd(VAE):
    """posterior returns the standard deviation as its second result instead of log_var."""

    def posterior(self, X):
        mu, log_var = super().posterior(X)
        return mu, np.exp(log_var / 2)


@specimen("vae-log-var-is-mu", stated_posterior, VAE, source="kaist-dmlab/TRAP, pull request 1")
class LogVarIsMu(OpenVAE):
    """The half of the encoder's output that is mu is also used as log_var."""

    def infer(self, x, training=False):
        mu, _ = super().infer(x, training)
        return mu, mu.copy()

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        dmu, dlog_var = super().upstream(dz, path, kl_dmu, kl_dlog_var)
        return dmu + dlog_var, np.zeros_like(dlog_var)


@specimen("vae-kl-per-dimension-summed", stated_posterior, VAE)
class KLPerDimensionSummed(VAE):
    """kl_per_dimension is a sum over the samples instead of a mean."""

    def kl_per_dimension(self, X):
        return gaussian_kl(*self.posterior(X)).sum(axis=0)


@specimen("vae-reconstruct-draws", passes_by_hand, VAE,
          source="cellarium-ai/cellarium-ml, pull request 328")  # fmt: skip
class ReconstructDraws(VAE):
    """reconstruct decodes a draw of z instead of the posterior's mean."""

    def reconstruct(self, X):
        return self.decode(self.posterior_sample(X)[0])


@specimen("vae-anomaly-score-without-kl", passes_by_hand, VAE)
class AnomalyScoreWithoutKL(VAE):
    """anomaly_score lacks the KL: a code far from the prior does not count as strange."""

    def anomaly_score(self, X):
        return self.reconstruction_loss.per_sample(self.decoder.forward(self.encode(X)), X)
