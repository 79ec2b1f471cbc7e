"""Wrong products of experts: each docstring says in one sentence what is wrong."""

import itertools

import numpy as np

from miniae.losses import GaussianNLL
from miniae.proof.bugzoo.specimen import Finding, specimen
from miniae.proof.oracles import conditional_gaussian, gaussian_log_density, sigma_points
from miniae.variants.experts import (
    ModalitiesNLL,
    ProductEncoder,
    product_of_experts,
    product_of_experts_grad,
)
from miniae.variants.multimodal import MultimodalVAE

SIGMAS = {"a": 0.6, "b": 0.9, "c": 1.3}
SIZES = {"a": 3, "b": 5, "c": 4}


def linear_experts(cls, seed, latent_dim=2):
    """Return a linear Gaussian model with exact experts, and the mean and covariance of (z, x).

    Each modality is x_i = z W_i + b_i + sigma_i noise with orthogonal rows of W_i. As a function of
    z, p(x_i|z) is a Gaussian with precision W_i W_i' / sigma_i^2, here diagonal, and with mean
    (x_i - b_i) W_i' (W_i W_i')^-1. The product of these and the prior is p(z|x) without error, for
    every subset of the modalities.
    """
    rng = np.random.default_rng(seed)
    model = cls(
        SIZES, latent_dim, (), likelihood={k: GaussianNLL(s) for k, s in SIGMAS.items()},
        dtype="float64",
    )  # fmt: skip
    Ws, bs = [], []
    for name, size in SIZES.items():
        Q = np.linalg.qr(rng.standard_normal((size, latent_dim)))[0]
        W, b = rng.uniform(0.7, 1.5, (latent_dim, 1)) * Q.T, rng.standard_normal(size)
        squares = (W**2).sum(axis=1)
        encoder = model.encoder.layers[0].parts[name].layers[0].params
        decoder = model.decoder.layers[0].parts[name].layers[0].params
        decoder["W"], decoder["b"] = W, b
        encoder["W"] = np.hstack([W.T / squares, np.zeros((size, latent_dim))])
        encoder["b"] = np.hstack([-b @ W.T / squares, 2 * np.log(SIGMAS[name]) - np.log(squares)])
        Ws.append(W)
        bs.append(b)
    W, b = np.hstack(Ws), np.concatenate(bs)
    noise = np.diag(np.repeat([SIGMAS[name] ** 2 for name in SIZES], list(SIZES.values())))
    covariance = np.block([[np.eye(latent_dim), W], [W.T, W.T @ W + noise]])
    return model, np.concatenate([np.zeros(latent_dim), b]), covariance


def every_subset(model, mean, covariance, seed):
    """Return draws of x, NaN where missing, a row for each subset of the modalities."""
    d, rng = model.latent_dim, np.random.default_rng([seed, 1])
    keep = np.array(list(itertools.product([True, False], repeat=len(SIZES))))
    x = rng.multivariate_normal(mean[d:], covariance[d:, d:], size=len(keep))
    return np.where(np.repeat(keep, list(SIZES.values()), axis=1), x, np.nan)


def exact_answers(model, mean, covariance, x):
    """Return mean and variance of p(z|x), and log p(x), of what is there in each row of x."""
    d = model.latent_dim
    means, variances, log_p = np.zeros((len(x), d)), np.ones((len(x), d)), np.zeros(len(x))
    for i, row in enumerate(x):
        there = np.flatnonzero(~np.isnan(row)) + d
        if there.size:
            known = np.concatenate([np.arange(d), there])
            part = np.concatenate([np.full(d, np.nan), row[there - d]])
            filled, spread = conditional_gaussian(
                mean[known], covariance[np.ix_(known, known)], part
            )
            means[i], variances[i] = filled[:d], np.diag(spread)
            marginal = mean[there], covariance[np.ix_(there, there)]
            log_p[i] = gaussian_log_density(row[None, there - d], *marginal)[0]
    return means, variances, log_p


def exact_subsets(cls, seed):
    """Compare the posterior of linear experts with p(z|x), for every subset of the modalities."""
    model, mean, covariance = linear_experts(cls, seed)
    x = every_subset(model, mean, covariance, seed)
    mu, log_var = model.posterior(x)
    means, variances, _ = exact_answers(model, mean, covariance, x)
    off = np.abs(mu - means).max(axis=1) + np.abs(np.exp(log_var) / variances - 1).max(axis=1)
    worst = int(off.argmax())
    there = [name for name, here in model.columns.items() if not np.isnan(x[worst, here]).all()]
    evidence = f"given {there or 'nothing'}, the posterior is off by {off[worst]:.2g}"
    return Finding(bool(off.max() > 1e-9), evidence)


def exact_bound(cls, seed):
    """Compare minus the loss of linear experts with log p(x) of what is there, its exact value."""
    model, mean, covariance = linear_experts(cls, seed)
    x = every_subset(model, mean, covariance, seed)
    exact = exact_answers(model, mean, covariance, x)[2].mean()
    points = sigma_points(model.latent_dim)
    bound = -np.mean([model.loss(x, eps=np.tile(eps, (len(x), 1))) for eps in points])
    evidence = f"bound {bound:.3f}, exact log p {exact:.3f}"
    return Finding(bool(abs(bound - exact) > 1e-9 * abs(exact)), evidence)


def extreme_variances(cls, seed):
    """Give experts log variances up to +-2000: the product must be that of the sure one."""
    size = np.random.default_rng(seed).uniform(1500, 2000)
    mu, log_var = np.array([0.0, 2.0, 3.0])[:, None, None], np.array([0.0, -size, size])
    with np.errstate(all="ignore"):
        got, spread, _ = cls.product(mu, log_var[:, None, None])
    evidence = (
        f"mu {got[0, 0]:g} and log_var {spread[0, 0]:g} beside an expert of 2 and {-size:.0f}"
    )
    return Finding(not (got[0, 0] == 2 and abs(spread[0, 0] + size) < 1e-9 * size), evidence)


def slopes(cls, seed):
    """Compare the gradients of the product with complex steps, with one expert missing in a row."""
    rng = np.random.default_rng(seed)
    mu, log_var, step = rng.standard_normal((3, 3, 4, 2))
    mu[1, 0], log_var[1, 0] = 0, np.inf
    dmu, dlog_var = rng.standard_normal((2, 4, 2))

    def f(mu, log_var):
        product_mu, product_log_var, _ = cls.product(mu, log_var)
        return (product_mu * dmu + product_log_var * dlog_var).sum()

    product_mu, _, share = cls.product(mu, log_var)
    gradients = cls.product_grad(dmu, dlog_var, mu, product_mu, share)
    steps = f(mu + 1e-30j * step, log_var), f(mu, log_var + 1e-30j * step)
    worst = ("", 0.0)
    for name, gradient, moved in zip(("dmu", "dlog_var"), gradients, steps, strict=True):
        off = abs((gradient * step).sum() - moved.imag / 1e-30) / np.linalg.norm(gradient * step)
        worst = max(worst, (name, off), key=lambda pair: pair[1])
    return Finding(bool(worst[1] > 1e-10), f"{worst[0]} off by {worst[1]:.1e}")


# What a gradient check catches.


@specimen("experts-weights-detached", slopes, ProductEncoder)
class WeightsDetached(ProductEncoder):
    """The weights of the means are constants: log_var does not learn which expert to trust."""

    @staticmethod
    def product_grad(dmu, dlog_var, mu, product_mu, share):
        return share * dmu, share * dlog_var


@specimen("experts-mean-not-subtracted", slopes, ProductEncoder)
class MeanNotSubtracted(ProductEncoder):
    """The slope of a weight is taken as its own only, as if the weights did not sum to 1."""

    @staticmethod
    def product_grad(dmu, dlog_var, mu, product_mu, share):
        return share * dmu, share * (dlog_var - mu * dmu)


@specimen("experts-gradient-not-shared", slopes, ProductEncoder)
class NotShared(ProductEncoder):
    """Each expert gets the whole of dmu, without the factor of its share."""

    @staticmethod
    def product_grad(dmu, dlog_var, mu, product_mu, share):
        return 0 * share + dmu, product_of_experts_grad(dmu, dlog_var, mu, product_mu, share)[1]


@specimen("experts-precision-for-variance", slopes, ProductEncoder)
class SlopeOfPrecision(ProductEncoder):
    """The slope is with respect to the log precision, and log_var has the opposite sign."""

    @staticmethod
    def product_grad(dmu, dlog_var, mu, product_mu, share):
        dmus, dlog_vars = product_of_experts_grad(dmu, dlog_var, mu, product_mu, share)
        return dmus, -dlog_vars


# What no gradient check catches: backward is the derivative of a wrong forward.


class WithoutPrior(ProductEncoder):
    """An encoder that starts from nothing where an expert is there."""

    def product(self, mu, log_var):
        log_var = log_var.copy()
        log_var[0, np.isfinite(log_var[1:].real).any(axis=(0, 2))] = np.inf
        return product_of_experts(mu, log_var)


@specimen("experts-prior-forgotten", exact_subsets, MultimodalVAE)
class PriorForgotten(MultimodalVAE):
    """The prior is not in the product: q(z|x) is surer than the data of too few experts allow."""

    encoder_class = WithoutPrior


class PriorEachTime(ProductEncoder):
    """An encoder that counts the prior for every expert."""

    def product(self, mu, log_var):
        there = np.isfinite(log_var.real).any(axis=2)
        log_var = log_var.copy()
        log_var[0] -= np.log(np.maximum(there[1:].sum(axis=0), 1))[:, None]
        return product_of_experts(mu, log_var)


@specimen("experts-prior-counted-each-time", exact_subsets, MultimodalVAE)
class PriorCountedEachTime(MultimodalVAE):
    """Each expert is multiplied by the prior first, so the prior counts as often as experts are."""

    encoder_class = PriorEachTime


class MeanVariance(ProductEncoder):
    """An encoder that averages."""

    def product(self, mu, log_var):
        there = np.isfinite(log_var.real)
        product_mu, _, share = product_of_experts(mu, log_var)
        variances = np.where(there, np.exp(np.where(there, log_var, 0)), 0)
        total = variances.sum(axis=0)
        return product_mu, np.log(total / there.sum(axis=0)), (share, variances / total)

    def product_grad(self, dmu, dlog_var, mu, product_mu, shares):
        share, of_variance = shares
        dmus, dlog_vars = product_of_experts_grad(dmu, 0, mu, product_mu, share)
        return dmus, dlog_vars + of_variance * dlog_var


@specimen("experts-variances-averaged", exact_subsets, MultimodalVAE)
class VariancesAveraged(MultimodalVAE):
    """The variances are averaged instead of the precisions summed: more data, no more certainty."""

    encoder_class = MeanVariance


class MeanOfMeans(ProductEncoder):
    """An encoder with equal weights."""

    def product(self, mu, log_var):
        there = np.isfinite(log_var.real)
        _, product_log_var, share = product_of_experts(mu, log_var)
        equal = there / there.sum(axis=0)
        return (equal * mu).sum(axis=0), product_log_var, (share, equal)

    @staticmethod
    def product_grad(dmu, dlog_var, mu, product_mu, shares):
        share, equal = shares
        return equal * dmu, share * dlog_var


@specimen("experts-mean-not-weighted", exact_subsets, MultimodalVAE)
class MeanNotWeighted(MultimodalVAE):
    """The mean is the plain mean of the experts, not weighted by their precisions."""

    encoder_class = MeanOfMeans


class StdForVariance(ProductEncoder):
    """An encoder that sums the wrong thing."""

    def product(self, mu, log_var):
        there = np.isfinite(log_var.real)  # a complex inf times 0.5 would be NaN
        halves = np.where(there, 0.5 * np.where(there, log_var, 0), np.inf)
        product_mu, half, share = product_of_experts(mu, halves)
        return product_mu, 2 * half, share

    def product_grad(self, dmu, dlog_var, *cache):
        dmus, dhalves = product_of_experts_grad(dmu, 2 * dlog_var, *cache)
        return dmus, 0.5 * dhalves


@specimen("experts-std-for-variance", exact_subsets, MultimodalVAE)
class StdsSummed(MultimodalVAE):
    """The inverse standard deviations are summed, not the inverse variances."""

    encoder_class = StdForVariance


class AllThere(ProductEncoder):
    """An encoder that takes a missing modality for zeros."""

    def there(self, x):
        return np.ones((len(x), len(self.columns)), bool)


@specimen("experts-missing-counted", exact_subsets, MultimodalVAE)
class MissingCounted(MultimodalVAE):
    """A missing modality is encoded as zeros: a sure expert on data that nobody has seen."""

    encoder_class = AllThere


class WholeBatch(ProductEncoder):
    """An encoder that decides for all rows at once."""

    def there(self, x):
        return np.repeat(super().there(x)[:1], len(x), axis=0)


@specimen("experts-missing-by-batch", exact_subsets, MultimodalVAE)
class MissingByBatch(MultimodalVAE):
    """Which modalities are missing is read from the first row of a batch, for all its rows."""

    encoder_class = WholeBatch


class MissingAsZero(ModalitiesNLL):
    """A loss without the mask."""

    def entries(self, out, target):
        return self.loss.entries(out, np.nan_to_num(target))

    def slopes(self, out, target, weight):
        return self.loss.slopes(out, np.nan_to_num(target), weight)


@specimen("experts-missing-in-the-likelihood", exact_bound, MultimodalVAE)
class MissingReconstructed(MultimodalVAE):
    """A missing modality is reconstructed as zeros, and the loss counts it."""

    loss_class = MissingAsZero


class MeanOverThere(ModalitiesNLL):
    """A loss that evens out what is missing."""

    @staticmethod
    def share(target):
        found = np.isfinite(target).mean(axis=1, keepdims=True)
        return np.where(found > 0, found, 1)

    def entries(self, out, target):
        return super().entries(out, target) / self.share(target)

    def slopes(self, out, target, weight):
        return super().slopes(out, target, weight) / self.share(target)


@specimen("experts-likelihood-rescaled", exact_bound, MultimodalVAE)
class LikelihoodRescaled(MultimodalVAE):
    """The likelihood is scaled up to the full number of entries, so it is not a bound any more."""

    loss_class = MeanOverThere


class PlainSums(ProductEncoder):
    """An encoder that forms the precisions."""

    @staticmethod
    def product(mu, log_var):
        precision = np.exp(-log_var)
        variance = 1 / precision.sum(axis=0)
        return (precision * mu).sum(axis=0) * variance, np.log(variance), precision * variance


@specimen("experts-precision-overflows", extreme_variances, ProductEncoder)
class PrecisionOverflows(PlainSums):
    """Precisions are formed as exp(-log_var): a very sure expert makes the product NaN."""
