"""Losses: how far an output is from its target, in nats or in squared units of the data.

One convention: a loss **sums over features and takes the mean over samples**. So the likelihood
and the KL of a VAE are on one scale, and their weights are 1 and beta for every batch size and
image size.
"""

import numpy as np

from miniae.numerics import LOG_2PI, as_float, log_softmax, sigmoid, softplus_terms
from miniae.parameters import Parameterized


class Loss(Parameterized):
    """Base of the losses: a scalar function of (out, target), and its gradient with respect to out.

    A subclass writes two formulas: `entries`, the loss of each entry, and `slopes`, its derivative.
    ``forward(out, target)`` takes two arrays of one shape (n, ...) and returns the mean over the n
    samples of `per_sample`; ``backward()`` returns dout, of that shape. `expected` turns what a
    decoder outputs (logits, say) into data, `draw` samples data from it.
    """

    bounds = (-np.inf, np.inf)  # between which targets must lie
    is_likelihood = True  # whether it is -log p of a distribution: a VAE needs one
    takes_nan = False  # whether NaN in a target means "not observed", as in Masked
    base = property(lambda self: self)  # this loss; in Masked, the loss inside

    def forward(self, out, target):
        """Return the loss, a scalar: summed over features, the mean over samples."""
        return self.per_sample(out, target).mean()

    def per_sample(self, out, target):
        """Return the loss of each sample, shape (n,)."""
        entries = self.entries(*self.keep_pair(out, target))
        # sum over features: log probabilities of independent entries add up
        return entries.reshape(len(entries), -1).sum(axis=1)

    def backward(self, weight=None):
        """Return dout, the gradient of sum_i weight_i per_sample_i of the last forward.

        weight has shape (n,) or (n, 1, ...), or that of out: a weight for each entry. By default
        each is 1 / n, since the loss is a mean over samples.
        """
        out, target, *_ = self.cached()
        if weight is None:
            weight = 1 / len(out)
        elif np.ndim(weight) == 1:
            weight = np.expand_dims(weight, tuple(range(1, out.ndim)))
        return self.slopes(out, target, weight)

    def entries(self, out, target):
        """Return the loss of each entry, of the shape of out."""
        raise NotImplementedError(f"{type(self).__name__} has no value yet")

    def slopes(self, out, target, weight):
        """Return weight * d entries / d out, of the shape of out; weight broadcasts to it.

        weight is a number, or an array (n, 1, ...) or of the shape of out.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradient yet")

    def expected(self, out):
        """Return the expected data, given out, as a new array."""
        return np.array(out)

    def draw(self, out, rng):
        """Draw data from the distribution that out describes."""
        raise NotImplementedError(f"{type(self).__name__} cannot draw data")

    def keep_pair(self, out, target):
        """Store (out, target) for `backward`, and return them as floating-point numbers."""
        out, target = np.asarray(out), np.asarray(target)
        if out.shape != target.shape or out.ndim < 2 or not out.size:
            raise ValueError(
                f"{self}: out has shape {out.shape} and target {target.shape}; both must be "
                "(n, features) or (n, *image_shape), and equal"
            )
        dtype = np.result_type(out, target, np.float32)
        pair = self.cache = out.astype(dtype, copy=False), target.astype(dtype, copy=False)
        return pair  # not self.cache, which another thread may have replaced


class SquaredError(Loss):
    """Sum over features of (target - out)^2, without a half, mean over samples."""

    is_likelihood = False

    def entries(self, out, target):
        """out, target (n, ...) -> (n, ...), in squared units of the data."""
        return (out - target) ** 2

    def slopes(self, out, target, weight):
        """The slope of (out - target)^2 is 2 (out - target)."""
        return (out - target) * (2 * weight)


class BernoulliNLL(Loss):
    """-log p(target) in nats for pixels that are 1 with probability sigmoid(out): out are logits.

    With p = sigmoid(l): -t log p - (1 - t) log(1 - p) = softplus(l) - t l. No probability is ever
    formed, so no logarithm of zero either. Targets between 0 and 1 (grey pixels) are allowed and
    treated as averages of zeros and ones. Their loss cannot reach 0.
    """

    bounds = (0.0, 1.0)  # beyond them the loss has no lower bound

    def entries(self, out, target):
        """Logits and targets (n, ...) -> (n, ...), in nats.

        The terms of softplus(l) = max(l, 0) + log(1 + exp(-|l|)) are kept apart, because
        max(l, 0) - t l is exact where t is 0 or 1, however large l is.
        """
        positive, rest = softplus_terms(out)
        # the large terms first, so that they cancel before anything is rounded
        return (positive - target * out) + rest

    def slopes(self, out, target, weight):
        """The slope of softplus(l) - t l is sigmoid(l) - t."""
        return (sigmoid(out) - target) * weight

    formulas = entries, slopes  # what the next two methods compute

    def per_sample(self, out, target):
        """Sum `entries` over features, in fewer passes: see `miniae.fused.per_sample`."""
        from miniae.fused import per_sample

        return per_sample(self, out, target)

    def backward(self, weight=None):
        """Return `slopes` of the last forward, in fewer passes: see `miniae.fused.backward`."""
        from miniae.fused import backward

        return backward(self, weight)

    def expected(self, out):
        """Logits -> probabilities."""
        return sigmoid(as_float(out))

    def draw(self, out, rng):
        """Logits -> zeros and ones."""
        p = self.expected(out)
        return (rng.random(p.shape, dtype=np.float32) < p).astype(p.dtype)


class MultinomialNLL(Loss):
    """-log p(target) in nats for counts of things drawn with probabilities softmax(out).

    The sum over features of -t log softmax(out): the probability of the draws in their order, such
    as the words of a text. The multinomial coefficient, which counts the possible orders, is left
    out, since it depends on no parameter. Liang et al. (2018), eq. 2.
    """

    bounds = (0.0, np.inf)

    def entries(self, out, target):
        """Logits and counts (n, ...) -> (n, ...), in nats."""
        return -target * log_softmax(out)

    def slopes(self, out, target, weight):
        """With N = sum_j t_j, the loss is N log sum_k e^l_k - sum_j t_j l_j.

        Its derivative with respect to l_i is N e^l_i / sum_k e^l_k - t_i = N softmax_i - t_i. A
        weight of each entry multiplies its t.
        """
        target = target * weight
        total = target.sum(axis=tuple(range(1, target.ndim)), keepdims=True)
        return total * np.exp(log_softmax(out)) - target

    def expected(self, out):
        """Logits -> probabilities, which sum to 1: the expected share of each feature."""
        return np.exp(log_softmax(as_float(out)))


class GaussianNLL(Loss):
    """-log N(target; out, sigma^2 I) in nats: out are means, sigma is one number for all features.

    Parameters
    ----------
    sigma : float > 0, the standard deviation, in units of the data
    learn_sigma : bool
        Whether sigma is trained too, as log_sigma in `params`. At the optimum, sigma^2 is the mean
        squared error per feature.
    """

    config = ("sigma", "learn_sigma")

    def __init__(self, sigma=1.0, learn_sigma=False):
        if np.ndim(sigma) or np.asarray(sigma).dtype.kind not in "iuf" or not 0 < sigma < np.inf:
            raise ValueError(
                f"GaussianNLL: sigma={sigma!r} is not one number above 0; see ColumnGaussianNLL"
            )
        self.fixed, self.learn_sigma = float(sigma), learn_sigma
        super().__init__({"log_sigma": np.log([self.fixed])} if learn_sigma else {})

    @property
    def sigma(self):
        """The standard deviation as it is now, in units of the data."""
        return np.exp(self.params["log_sigma"]).real.item() if self.learn_sigma else self.fixed

    def log_sigma(self, out):
        """Return the logarithm of sigma as it is now, shape (1,); a fixed one in out's dtype."""
        if self.learn_sigma:
            return self.params["log_sigma"]
        return np.log([self.fixed], dtype=out.dtype)

    def entries(self, out, target):
        """Means and targets (n, ...) -> (n, ...), in nats."""
        log_sigma = self.log_sigma(out)
        return (target - out) ** 2 * (0.5 * np.exp(-2 * log_sigma)) + (log_sigma + 0.5 * LOG_2PI)

    def slopes(self, out, target, weight):
        """Per entry the loss is r^2 e^(-2s) / 2 + s, with r = target - out and s = log sigma.

        d/d out = (out - target) / sigma^2.
        d/ds = 1 - r^2 / sigma^2, summed over entries; it is zero where sigma^2 = mean of r^2.
        """
        precision = np.exp(-2 * self.log_sigma(out))
        residual = out - target
        if self.learn_sigma:
            self.grads["log_sigma"] = [(weight * (1 - residual**2 * precision)).sum()]
        return residual * (precision * weight)

    def draw(self, out, rng):
        """Means -> means plus noise of standard deviation sigma."""
        out = as_float(out)
        return out + self.sigma * rng.standard_normal(out.shape, dtype=out.dtype)


def gaussian_kl(mu, log_var):
    """KL divergence of N(mu, exp(log_var)) from N(0, 1), for each entry.

    Parameters
    ----------
    mu, log_var : (n, latent), mean and log variance

    Returns
    -------
    kl : (n, latent), in nats, >= 0; sum over axis 1 for the KL of each sample

    Notes
    -----
    E_q[log q(z) - log p(z)], with E(z - mu)^2 = s^2 and E z^2 = mu^2 + s^2, is
    (mu^2 + s^2 - 1 - log s^2) / 2. Kingma and Welling (2014), appendix B. s^2 - 1 is computed as
    expm1(log s^2), which is accurate near the prior. It is at least log s^2, even after rounding,
    so the KL is never below 0.
    """
    return 0.5 * (mu**2 + (np.expm1(log_var) - log_var))


def gaussian_kl_grad(mu, log_var):
    """Gradient of `gaussian_kl`, each (n, latent): dmu = mu, dlog_var = (exp(log_var) - 1) / 2."""
    return mu.copy(), 0.5 * np.expm1(log_var)


class StandardNormal:
    """The prior N(0, I) of a VAE. Others, and what a prior of your own needs: `miniae.priors`."""

    config = ()
    mean = 0.0
    kl, kl_grad = staticmethod(gaussian_kl), staticmethod(gaussian_kl_grad)

    def nll(self, z):
        """Return -log p(z) of codes z (..., latent_dim), shape (...), in nats."""
        return 0.5 * (z**2 + LOG_2PI).sum(axis=-1)

    def nll_grad(self, z):
        """Return the gradient of `nll` with respect to z, of the shape of z."""
        return z

    def draw(self, shape, rng):
        """Draw codes of shape (n, latent_dim)."""
        return rng.standard_normal(shape)


LOSSES = {  # by name: add yours
    "bce": BernoulliNLL,
    "bernoulli": BernoulliNLL,
    "binary_crossentropy": BernoulliNLL,
    "gaussian": lambda: GaussianNLL(learn_sigma=True),
    "mean_squared_error": SquaredError,
    "mse": SquaredError,
    "multinomial": MultinomialNLL,
}
