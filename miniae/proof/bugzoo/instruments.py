"""The instruments: each examines a class or function in one way and returns a `Finding`.

They do not depend on the specimens. Points, sizes and weights are drawn from the seed, because
special values hide mistakes: at mu = 1, log_var = 0 or with one latent, half of the specimens give
the right result.
"""

import inspect
import warnings

import numpy as np

from miniae.autoencoder import Autoencoder
from miniae.conv import Convolution
from miniae.layers import Dense, Dropout, Flatten, Layer, Sequential, Tanh
from miniae.losses import BernoulliNLL, GaussianNLL, Loss, gaussian_kl
from miniae.normalization import Normalization
from miniae.pooling import MaxPool2D, UpSample2D
from miniae.proof import estimates, gradcheck, optimizers, oracles
from miniae.proof.bugzoo.specimen import Finding
from miniae.regularizers import Penalty
from miniae.vae import VAE
from miniae.variants import ImportanceWeightedVAE

DRAWS = 20000
SURE = 6.0  # standard errors; a right value is further off once in 500 million comparisons


def build(cls, rng, n, features, units, **given):
    """Return an object of a class, of small sizes, and an input x for it."""
    x = rng.standard_normal((n, features))
    arguments = {"features": features, "batch": n}
    wanted = arguments.keys() & inspect.signature(cls).parameters.keys()
    if wanted:
        return cls(**{name: arguments[name] for name in wanted}), x
    if issubclass(cls, Penalty):
        options = {"activation": "tanh", "code_activation": "sigmoid", "penalty": cls(0.7)}
        return Autoencoder(features, 2, (4,), loss="mse", **options), x
    if issubclass(cls, Dense):
        return cls(features, units, rng=rng), x
    if issubclass(cls, Convolution):
        c_in, c_out = 2, 2 if features == units else 3
        size = (2, 4, 3) if cls.n_axes == 2 else (n, 7)
        return cls(c_in, c_out, 3, stride=2, padding=1, rng=rng), rng.random((*size, c_in))
    if issubclass(cls, (MaxPool2D, UpSample2D)):
        return cls(2), rng.standard_normal((n, 6, 4, 2))
    if issubclass(cls, Normalization):
        return cls(features, eps=0.05), x
    if issubclass(cls, Dropout):
        return cls(0.3), x
    if issubclass(cls, Flatten):
        return cls(), rng.standard_normal((n, features, units))
    if issubclass(cls, Sequential):
        first, last = (Dense(features, features, rng=rng) for _ in range(2))
        return cls(first, Tanh(), last), x
    if issubclass(cls, GaussianNLL):
        return cls(**{"sigma": 0.7, "learn_sigma": True, **given}), x
    if issubclass(cls, VAE):
        options = {"dtype": "float64", "seed": int(rng.integers(99))}
        options |= {} if issubclass(cls, ImportanceWeightedVAE) else {"beta": 1.7}
        options |= given
        return cls(features, 2, (4,), **options), rng.random((n, features))
    if issubclass(cls, Autoencoder):
        # tanh, because a ReLU layer with few units can be dead, and a zero gradient shows nothing
        options = {"activation": "tanh", "code_activation": "sigmoid", "penalty": Pull()}
        return cls(features, 2, (4,), loss="mse", seed=int(rng.integers(99)), **options), x
    return cls(), x


class Pull:
    """A penalty that pulls codes towards 1/4: sum over the code, mean over samples."""

    def forward(self, code):
        """Return the penalty of a code (n, latent), a scalar."""
        self.code = code
        return ((code - 0.25) ** 2).sum(axis=1).mean()

    def backward(self):
        """Return dcode."""
        return 2 / len(self.code) * (self.code - 0.25)


def gradient_check(
    cls, seed, *, square=False, inside=False, training=True, method="complex step", given=None
):
    """Check every gradient of a layer, a loss, a penalty or a model.

    given : settings of the object
    square : use equal numbers of samples, features in and features out; with other sizes, a
        transposed matrix or a wrong axis already raises an error
    inside : put the layer into an autoencoder and check that
    """
    rng = np.random.default_rng(seed)
    n, features, units = (5, 5, 5) if square else rng.permutation([3, 5, 6, 7])[:3]
    if inside:
        x = rng.random((n, features))
        layers = Dense(2, units, rng=rng), cls(), Dense(units, features, rng=rng)
        obj = Autoencoder(features, 2, (4,), activation="tanh", decoder=Sequential(*layers))
    else:
        obj, x = build(cls, rng, n, features, units, **(given or {}))
    target = rng.random(x.shape) if isinstance(obj, Loss) else None
    report = gradcheck.gradient_check(obj, x, target, training=training, method=method, seed=seed)
    wrong = [block for block in report.blocks if not block.ok]
    evidence = f"largest error {report.max_error:.1e}"
    if wrong:
        evidence = ", ".join(f"{block.name} off by {block.error:.1e}" for block in wrong[:2])
        evidence += f", {len(wrong) - 2} more" if len(wrong) > 2 else ""
    elif not report.ok:
        evidence = [*report.side_effects, *report.failures, report.verdict.lower()][0]
    return Finding(not report.ok, evidence, report.cause)


def generic_posterior(rng, latent):
    """Draw mu and log_var of one sample, (1, latent) each, not near values that hide mistakes."""
    mu = rng.uniform(-1, 1, (1, latent))
    return mu, rng.uniform(0.8, 1.6, (1, latent)) * rng.choice([-1, 1], (1, latent))


def stated_kl(cls, mu, log_var):
    """Return the KL that a VAE reports for a posterior; its encoder returns its input."""
    latent = mu.shape[1]
    vae = cls(2 * latent, latent, encoder=Sequential(Flatten()), likelihood="gaussian",
              dtype="float64")  # fmt: skip
    vae.loss(np.concatenate([mu, log_var], axis=1))
    return vae.terms["kl"]


def monte_carlo_kl(thing, seed):
    """Compare the KL with the mean of log q(z) - log p(z) over many draws of z.

    thing : a VAE class, whose KL and draws of z are compared; or a function kl(mu, log_var)
        like `gaussian_kl`, whose entries are compared
    """
    rng = np.random.default_rng(seed)
    mu, log_var = generic_posterior(rng, 2)
    if isinstance(thing, type):
        stated, sampler = stated_kl(thing, mu, log_var), estimates.sampler_of(thing)
    else:
        mu, log_var, sampler = mu.T, log_var.T, None
        stated = thing(mu, log_var)[:, 0]
    mean, error = estimates.monte_carlo_kl(mu, log_var, DRAWS, rng, sampler)
    off = np.abs(stated - mean) / error
    stated, mean, error = (np.ravel(v)[np.argmax(off)] for v in (stated, mean, error))
    evidence = f"KL {stated:.3f}, by Monte Carlo {mean:.3f} +- {error:.3f}"
    return Finding(bool(off.max() > SURE), evidence)


def kept_expectation(cls, seed):
    """Check that dropout does not change the expectation of its input."""
    rng = np.random.default_rng(seed)
    layer, x = cls(0.3, rng=rng), np.full((DRAWS, 1), rng.uniform(1, 3))
    out = layer.forward(x, training=True)
    off = abs(out.mean() - x.mean()) / (out.std() / np.sqrt(DRAWS))
    return Finding(bool(off > SURE), f"mean {out.mean():.3f} in training, {x.mean():.3f} after")


def linear_vae(cls, rng, widen=1.0):
    """Return a linear Gaussian VAE whose encoder gives the exact posterior.

    With x = z W + b + sigma noise and orthogonal rows W_j, the posterior of z_j is normal, with
    variance v_j = 1 / (1 + |W_j|^2 / sigma^2) and mean v_j (x - b) W_j / sigma^2. Bishop (2006),
    eq. 2.116 and 2.117.

    widen : factor on the encoder's standard deviation
    """
    features, latent, sigma = 5, 2, 0.6
    vae = cls(features, latent, (), likelihood=GaussianNLL(sigma), dtype="float64")
    Q = np.linalg.qr(rng.standard_normal((features, latent)))[0]
    W, b = rng.uniform(1, 2, (latent, 1)) * Q.T, rng.standard_normal(features)
    v = 1 / (1 + (W**2).sum(axis=1) / sigma**2)
    to_mu = W.T * v / sigma**2
    encoder, decoder = vae.encoder.layers[0].params, vae.decoder.layers[0].params
    decoder["W"], decoder["b"] = W, b
    encoder["W"] = np.hstack([to_mu, np.zeros_like(to_mu)])
    encoder["b"] = np.hstack([-b @ to_mu, np.log(widen**2 * v)])
    return vae


def exact_marginal(cls, seed):
    """Compare minus the loss of a linear VAE with the exact log p(x); they must be equal.

    At the exact posterior the ELBO is log p(x). Because the loss is quadratic in the noise, its
    mean over the sigma points is its expectation, without sampling error.
    """
    rng = np.random.default_rng(seed)
    vae, x = linear_vae(cls, rng), rng.standard_normal((6, 5))
    exact = oracles.gaussian_marginal(vae, x).mean()
    points = oracles.sigma_points(vae.latent_dim)
    bound = -np.mean([vae.loss(x, eps=np.tile(eps, (len(x), 1))) for eps in points])
    evidence = f"bound {bound:.3f}, exact log p {exact:.3f}"
    evidence += ": better than exact" if bound > exact + 1e-9 * abs(exact) else ""
    return Finding(bool(abs(bound - exact) > 1e-9 * abs(exact)), evidence)


def importance_estimate(cls, seed):
    """Compare `log_likelihood`, with a posterior that is too wide, with the exact log p(x)."""
    rng = np.random.default_rng(seed)
    vae, x = linear_vae(cls, rng, widen=1.5), rng.standard_normal((6, 5))
    estimate, exact = vae.log_likelihood(x, k=2000), oracles.gaussian_marginal(vae, x)
    # The weights' relative variance is 0.44 at this width, so 0.12 is 8 standard errors.
    off = np.abs(estimate - exact).max()
    return Finding(bool(off > 0.12), f"{estimate.mean():.3f}, exact log p {exact.mean():.3f}")


def duplicated_latents(cls, seed):
    """Give a VAE every latent dimension twice: its KL must double."""
    posterior = generic_posterior(np.random.default_rng(seed), 2)
    once, twice = (stated_kl(cls, *(np.tile(v, copies) for v in posterior)) for copies in (1, 2))
    evidence = f"KL {once:.3f}, with every latent twice {twice:.3f}"
    return Finding(bool(abs(twice - 2 * once) > 1e-9 * abs(once)), evidence)


def two_batch_sizes(cls, seed):
    """Give a VAE's loss, or a penalty, every sample twice: its value must not change."""
    rng, values = np.random.default_rng(seed), []
    if issubclass(cls, VAE):
        vae, x = build(cls, rng, 5, 6, 4)
        eps = rng.standard_normal((5, 2))
        values = [vae.loss(np.tile(x, (r, 1)), eps=np.tile(eps, (r, 1))) for r in (1, 2)]
    else:
        code = rng.uniform(0.1, 0.9, (5, 3))
        values = [cls().forward(np.tile(code, (r, 1))) for r in (1, 2)]
    evidence = f"{values[0]:.4f}, with every sample twice {values[1]:.4f}"
    return Finding(bool(abs(values[1] - values[0]) > 1e-9 * abs(values[0])), evidence)


def batch_mean_on_target(cls, seed):
    """Give a KL sparsity codes whose batch mean is its target rho: it must be zero."""
    rng = np.random.default_rng(seed)
    half = rng.uniform(0.01, 0.15, (4, 3))
    value = cls(0.2).forward(np.vstack([0.2 + half, 0.2 - half]))
    return Finding(bool(abs(value) > 1e-9), f"{value:.4f} at the target rho; 0 is right")


def textbook_steps(cls, seed):
    """Compare an optimiser with the textbook's rule, property by property."""
    report = optimizers.examine(cls, seed=seed)
    last = report.properties[-1]  # the first wrong one, if there is one
    evidence = f"{len(report.properties)} properties hold"
    if not last.ok:
        evidence = last.name + ("" if last.error is None else f": off by {last.error:.1e}")
    return Finding(not report.ok, evidence)


def two_calls(cls, seed):
    """Score the same data twice: elbo of a VAE, reconstruct of an autoencoder with dropout."""
    rng = np.random.default_rng(seed)
    model, x = cls(6, 2, (8,), dropout=0.3, seed=seed), rng.random((5, 6))
    call = model.elbo if issubclass(cls, VAE) else model.reconstruct
    off = np.abs(call(x) - call(x)).max()
    return Finding(bool(off > 0), f"two calls on the same data differ by {off:.2g}")


def train_and_evaluation(cls, seed):
    """Compare the loss in training and in evaluation, with the noise given and no dropout."""
    rng = np.random.default_rng(seed)
    vae, x = build(cls, rng, 5, 6, 4)
    eps = rng.standard_normal((5, 2))
    a, b = (vae.loss(x, eps=eps, training=training) for training in (True, False))
    return Finding(bool(abs(a - b) > 1e-9 * abs(b)), f"loss {a:.4f} in training, {b:.4f} after")


def parts_add_up(cls, seed):
    """Check that the reported KL is that of the posterior, and the loss the sum of its parts."""
    rng = np.random.default_rng(seed)
    vae, x = build(cls, rng, 5, 6, 4)
    loss = vae.loss(x, eps=rng.standard_normal((5, 2)))
    kl, right = vae.terms["kl"], gaussian_kl(*vae.posterior(x)).sum(axis=1).mean()
    off = max(abs(kl - right), abs(vae.terms["reconstruction"] + vae.beta * kl - loss))
    return Finding(
        bool(off > 1e-9 * abs(loss)), f"KL reported {kl:.4f}, of the posterior {right:.4f}"
    )


def refusal(cls, seed):
    """Pass an array without its batch axis, which must be refused, not broadcast."""
    rng = np.random.default_rng(seed)
    if issubclass(cls, Layer):
        obj, arrays = cls(4, 3, rng=rng), [rng.standard_normal(4)]
    else:
        obj, arrays = cls(), [rng.standard_normal((4, 1)), rng.random(4)]
    shapes = " and ".join(str(a.shape) for a in arrays)
    try:
        obj.forward(*arrays)
    except ValueError:
        return Finding(False, f"{shapes} refused")
    return Finding(True, f"{shapes} accepted")


def extreme_inputs(cls, seed):
    """Pass values up to +-1000: no warning, and a Bernoulli loss that grows with the logit."""
    size = np.random.default_rng(seed).uniform(800, 1000)
    x = np.array([[size, -size]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if issubclass(cls, BernoulliNLL):
            loss = float(cls().forward(x, np.array([[0.0, 1.0]])))
            wrong = bool(abs(loss - 2 * size) > 1e-9 * size)
            evidence = f"loss {loss:.1f} at two wrong logits of {size:.1f}"
        else:
            out, wrong = cls().forward(x), False
            evidence = f"out {out[0]} at x = {x[0]}"
    if caught:
        return Finding(True, str(caught[0].message))
    return Finding(wrong, evidence)
