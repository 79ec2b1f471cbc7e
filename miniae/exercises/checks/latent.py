"""Checks of what a VAE adds: noise with a gradient, the KL, and the bound."""

import copy

import numpy as np

from miniae.exercises.questions import Wrong, compare, numbers, unpack
from miniae.layers import Dense, Sequential, Tanh
from miniae.losses import BernoulliNLL
from miniae.numerics import sigmoid


def check_reparameterise(ask):
    """z = mu + exp(log_var / 2) eps, from h = [mu, log_var]."""
    h, eps = ask.rng.standard_normal((4, 6)), ask.rng.standard_normal((4, 3))
    mu, log_var = h[:, :3], h[:, 3:]
    right = mu + np.exp(log_var / 2) * eps
    mistakes = {
        "exp(log_var) is the variance: the noise is scaled by the standard deviation, "
        "exp(log_var / 2)": mu + np.exp(log_var) * eps,
        "log_var is not the standard deviation: that is exp(log_var / 2)": mu + log_var * eps,
        "the first half of h is mu, the second log_var": log_var + np.exp(mu / 2) * eps,
        "h is split into even and odd columns: the first half is mu, the second log_var": (
            h[:, ::2] + np.exp(h[:, 1::2] / 2) * eps
        ),
        "eps is missing": mu + np.exp(log_var / 2),
        "this is mu: the noise is missing": mu,
        "it is exp(log_var)^2: halve log_var, do not double it": mu + np.exp(2 * log_var) * eps,
        "mu is missing": np.exp(log_var / 2) * eps,
        "eps is the noise of std alone: mu + std * eps": (mu + np.exp(log_var / 2)) * eps,
    }
    got, again = (numbers(ask("reparameterise", h, eps), "z") for _ in range(2))
    if got.shape == again.shape and not np.array_equal(got, again, equal_nan=True):
        raise Wrong("two calls with one eps differ: use the eps given, do not draw another")
    ask.equal(got, right, mistakes, "z")


def check_reparameterise_backward(ask):
    """dmu = dz, dlog_var = dz eps std / 2."""
    dz, log_var, eps = ask.rng.standard_normal((3, 4, 3))
    std = np.exp(log_var / 2)
    mistakes = {
        "dmu": {
            "dmu is dz alone: z = mu + ... has slope 1 in mu": dz * eps,
            "dmu is dz alone: z = mu + ... has slope 1, no std": dz * std,
        },
        "dlog_var": {
            "this is the gradient for std: d std / d log_var = std / 2 is missing": dz * eps,
            "the 1/2 of exp(log_var / 2) is missing": dz * eps * std,
            "eps is missing: the slope of std eps is eps times that of std": dz * std / 2,
            "it is the variance where std belongs": dz * eps * std**2 / 2,
            "this is the slope of exp(log_var): z has std = exp(log_var / 2)": dz * eps * std**2,
            "dz is missing: the chain rule multiplies with it": eps * std / 2,
            "it is 0: z depends on log_var, through std": 0 * dz,
        },
    }
    got = ask("reparameterise_backward", dz, log_var, eps)
    ask.equal(got, {"dmu": dz, "dlog_var": dz * eps * std / 2}, mistakes)


def check_kl(ask):
    """KL(N(mu, std^2) || N(0, 1)), summed over latents, mean over samples."""
    mu, log_var = ask.rng.standard_normal((2, 4, 3))
    variance = np.exp(log_var)
    terms = 0.5 * (mu**2 + variance - log_var - 1)
    n = len(mu)
    mistakes = {
        "it is the mean over latents too: sum over latents, mean over samples": terms.mean(),
        "it is the sum over samples too: sum over latents, mean over samples": terms.sum(),
        "it is minus the KL, which is never below 0": -terms.sum() / n,
        "it is minus the KL, and the mean over latents too": -terms.mean(),
        "the 1/2 is missing": 2 * terms.sum() / n,
        "the -1 is missing: the KL must be 0 at mu = 0, log_var = 0": (terms + 0.5).sum() / n,
        "log_var is taken for the log of the standard deviation: exp(2 log_var) is not the "
        "variance": (0.5 * (mu**2 + np.exp(2 * log_var) - 2 * log_var - 1)).sum() / n,
        "the variance is exp(log_var), not exp(log_var / 2)": (
            (0.5 * (mu**2 + np.exp(log_var / 2) - log_var - 1)).sum() / n
        ),
        "mu must be squared": (0.5 * (mu + variance - log_var - 1)).sum() / n,
        "the sign of log_var is wrong: - log_var": (
            (0.5 * (mu**2 + variance + log_var - 1)).sum() / n
        ),
        "the log_var term is missing": (0.5 * (mu**2 + variance - 1)).sum() / n,
        "exp is missing: the variance is exp(log_var)": (0.5 * (mu**2 - 1)).sum() / n,
        "it is one number per sample: take their mean": terms.sum(axis=1),
    }
    ask.equal(ask("gaussian_kl", mu, log_var), terms.sum() / n, mistakes, "the KL")


def check_kl_gradient(ask):
    """dmu = mu / n, dlog_var = (exp(log_var) - 1) / (2 n)."""
    mu, log_var = ask.rng.standard_normal((2, 4, 3))
    n, d = mu.shape
    right = {"dmu": mu / n, "dlog_var": (np.exp(log_var) - 1) / (2 * n)}
    missing = "1/n is missing: the KL is a mean over n samples"
    over = "it is divided by the latents too: the KL is a sum over latents"
    mistakes = {
        "dmu": {
            missing: mu,
            over: mu / n / d,
            "the 1/2 of the KL and the 2 of the square cancel: mu / n": 2 * mu / n,
            "1/2 mu^2 has the slope mu: the 1/2 is gone": mu / (2 * n),
        },
        "dlog_var": {
            missing: (np.exp(log_var) - 1) / 2,
            over: right["dlog_var"] / d,
            "the 1/2 is missing": (np.exp(log_var) - 1) / n,
            "the slope of -log_var is missing, -1": np.exp(log_var) / (2 * n),
            "this is the slope for the variance, not for log_var": (
                (1 - np.exp(-log_var)) / (2 * n)
            ),
            "the slope of exp(log_var) is exp(log_var), not that of exp(log_var / 2)": (
                (np.exp(log_var / 2) - 1) / (2 * n)
            ),
        },
    }
    ask.equal(ask("gaussian_kl_backward", mu, log_var), right, mistakes)


LATENT = 2


def networks(rng, pixels=6):
    """Return a small encoder to 2 LATENT numbers and a decoder to logits, at random weights."""
    sizes = (pixels, 5, 2 * LATENT), (LATENT, 5, pixels)
    pair = []
    for a, b, c in sizes:
        network = Sequential(Dense(a, b, dtype="float64"), Tanh(), Dense(b, c, dtype="float64"))
        network.theta = 0.7 * rng.standard_normal(network.theta.shape)
        pair.append(network)
    return pair


def parts_of(encoder, decoder, x, eps):
    """Return the reconstruction and the KL of the bound, with what backward needs."""
    h = encoder.forward(x)
    mu, log_var = h[:, :LATENT], h[:, LATENT:]
    std, loss = np.exp(log_var / 2), BernoulliNLL()
    reconstruction = loss.forward(decoder.forward(mu + std * eps), x)
    kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(x)
    return reconstruction, kl, (mu, log_var, std, loss)


def terms_of_loss(encoder, decoder, x, eps):
    """Return the loss, its reconstruction and its KL."""
    reconstruction, kl, _ = parts_of(encoder, decoder, x, eps)
    return reconstruction + kl, reconstruction, kl


def gradients(encoder, decoder, x, eps, *, path=1.0, kl=1.0, swapped=False):
    """Return the gradient of both networks, with parts of it left out or weighted."""
    _, _, (mu, log_var, std, loss) = parts_of(encoder, decoder, x, eps)
    dz, n = decoder.backward(loss.backward()), len(x)
    dmu = dz + kl * mu / n
    dlog_var = path * dz * eps * std / 2 + kl * (np.exp(log_var) - 1) / (2 * n)
    if swapped:
        dmu, dlog_var = dlog_var, dmu
    encoder.backward(np.concatenate([dmu, dlog_var], axis=1))
    return np.concatenate([encoder.dtheta, decoder.dtheta])


def check_loss(ask):
    """-ELBO and its two terms."""
    encoder, decoder = networks(ask.rng)
    x, eps = ask.rng.uniform(0, 1, (4, 6)), ask.rng.standard_normal((4, LATENT))
    reconstruction, kl, (mu, _, std, _) = parts_of(encoder, decoder, x, eps)
    p = sigmoid(decoder.forward(mu + std * eps))
    mistakes = {
        "loss": {
            "it is reconstruction - kl: the loss is -ELBO = reconstruction + kl": (
                reconstruction - kl
            ),
            "it is the ELBO, which is to be made large: the loss is minus that": (
                -reconstruction - kl
            ),
        },
        "reconstruction": {
            "it is that of mu: z is drawn, mu + std eps": (
                BernoulliNLL().forward(decoder.forward(mu), x)
            ),
            "the loss is given probabilities: it takes the logits, without a sigmoid": (
                BernoulliNLL().forward(p, x)
            ),
            "reconstruction and kl stand in each other's place": kl,
            "it is the mean over pixels: sum over pixels, mean over samples": (
                reconstruction / x.shape[1]
            ),
            "it is the sum over samples: mean over samples": reconstruction * len(x),
        },
        "kl": {
            "it is the mean over latents: sum over latents, mean over samples": kl / LATENT,
            "it is the sum over samples: mean over samples": kl * len(x),
            "the 1/2 is missing": 2 * kl,
        },
    }
    right = {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    got = dict(zip(right, unpack(ask("elbo_loss", encoder, decoder, x, eps), right), strict=True))
    for name in ("reconstruction", "kl", "loss"):  # the two terms first: the loss is their sum
        compare(name, got[name], right[name], mistakes[name])


def check_backward(ask):
    """The gradient of both networks."""
    encoder, decoder = networks(ask.rng)
    x, eps = ask.rng.uniform(0, 1, (4, 6)), ask.rng.standard_normal((4, LATENT))
    twins = copy.deepcopy((encoder, decoder))
    right = gradients(*twins, x, eps)
    cut = len(encoder.theta)
    ask("elbo_backward", encoder, decoder, x, eps)
    wrong = {
        "the KL has no gradient in it: add mu / n and (exp(log_var) - 1) / (2 n)": {"kl": 0.0},
        "log_var gets nothing through z: add dz eps std / 2": {"path": 0.0},
        "the 1/2 of std = exp(log_var / 2) is missing in the path through z": {"path": 2.0},
        "the KL's gradient lacks its 1/n": {"kl": float(len(x))},
        "the KL's gradient is subtracted": {"kl": -1.0},
        "the KL's gradient is divided by the latents: it is a sum over them": {"kl": 1 / LATENT},
        "dmu and dlog_var stand in each other's place: mu is the first half of h": {
            "swapped": True
        },
    }
    vectors = {words: gradients(*twins, x, eps, **kind) for words, kind in wrong.items()}
    none = {"it is 0: encoder.backward must be called, with [dmu, dlog_var]": 0 * right[:cut]}
    unused = {"it is 0: decoder.backward must be called, with the gradient of the logits": (
        0 * right[cut:]
    )}  # fmt: skip
    compare("decoder.dtheta", decoder.dtheta, right[cut:], unused)
    known = {**none, **{words: vector[:cut] for words, vector in vectors.items()}}
    compare("encoder.dtheta", encoder.dtheta, right[:cut], known)


def bars(rng, n, side=4):
    """Return images of side x side pixels, each row on or off as one, with noise."""
    on = rng.random((n, side, 1)) < 0.5
    flip = rng.random((n, side, side)) < 0.02
    return (on ^ flip).reshape(n, -1).astype(np.float64)


def check_train(ask):
    """After training the bound is above that of independent pixels.

    Everybody's begins at the same point: from a few in a hundred the right code ends in a poor
    optimum, and a verdict must not hang on whose points are drawn.
    """
    rng = np.random.default_rng(0)
    X = bars(rng, 400)
    encoder, decoder = networks(rng, X.shape[1])
    before = np.concatenate([encoder.theta, decoder.theta])
    losses = ask("train", encoder, decoder, X, rng)
    after = np.concatenate([encoder.theta, decoder.theta])
    if np.array_equal(before, after):
        raise Wrong("the weights have not moved: optimizer.step(network.theta, network.dtheta)")
    if np.array_equal(encoder.theta, before[: len(encoder.theta)]):
        raise Wrong("the encoder has not moved: step both networks")
    if np.array_equal(decoder.theta, before[len(encoder.theta) :]):
        raise Wrong("the decoder has not moved: step both networks")
    losses = numbers(losses, "the list of losses")
    if losses.ndim != 1 or len(losses) < 2:
        raise Wrong("the losses must be returned, a list with one number per epoch")
    rng = np.random.default_rng(0)
    eps = rng.standard_normal((len(X), LATENT))
    reconstruction, kl, _ = parts_of(encoder, decoder, X, eps)
    p = X.mean(axis=0).clip(0.01, 0.99)
    floor = -(X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1).mean()
    loss = reconstruction + kl
    if not np.isfinite(loss) or loss > 0.9 * floor:
        raise Wrong(
            f"after training the loss is {loss:.3g}; pixels by themselves, without a VAE, give "
            f"{floor:.3g}, and 90 % of that is asked. Train for longer, or with steps that fit"
        )
    if not np.isfinite(losses).all() or losses[-1] >= losses[0]:
        raise Wrong(f"the losses returned must fall; the first is {losses[0]:.6g}, the last "
                    f"{losses[-1]:.6g}")  # fmt: skip
    if not 0.8 < losses[-1] / loss < 1.25:
        raise Wrong(f"the last of the losses returned is {losses[-1]:.3g}, but the loss of the "
                    f"trained networks is {loss:.3g}: return that of each epoch, the mean over its "
                    "samples")  # fmt: skip


EXERCISES = {
    "reparameterise_forward": {
        "title": "The reparameterisation trick, forward",
        "minutes": 15,
        "parts": {"reparameterise": check_reparameterise},
        "hints": (
            "The encoder's output h is (n, 2 d): mu is its first d columns, log_var the rest.",
            "A standard normal number times std plus mu is normal with that mean and standard "
            "deviation. log_var is the log of the variance, std^2.",
            "std = exp(log_var / 2), because std^2 = exp(log_var).",
        ),
    },
    "reparameterise_backward": {
        "title": "The reparameterisation trick, backward",
        "minutes": 20,
        "parts": {"reparameterise_backward": check_reparameterise_backward},
        "hints": (
            "z = mu + exp(log_var / 2) eps, and eps is a constant here. What is the slope of z in "
            "mu, what in log_var?",
            "The slope of exp(log_var / 2) is exp(log_var / 2) / 2.",
        ),
    },
    "kl_value": {
        "title": "The KL of a Gaussian from the standard normal",
        "minutes": 15,
        "parts": {"gaussian_kl": check_kl},
        "hints": (
            "For one latent: 1/2 (mu^2 + variance - log(variance) - 1).",
            "The encoder gives log_var, so the variance is exp(log_var). Sum over latents, then "
            "the mean over samples.",
        ),
    },
    "kl_gradient": {
        "title": "The gradient of the KL",
        "minutes": 15,
        "parts": {"gaussian_kl_backward": check_kl_gradient},
        "hints": (
            "Differentiate 1/2 (mu^2 + exp(log_var) - log_var - 1) by mu, then by log_var.",
            "The mean over samples leaves 1/n in front of both; the sum over latents nothing.",
        ),
    },
    "elbo": {
        "title": "The ELBO, assembled and trained",
        "minutes": 60,
        "parts": {"elbo_loss": check_loss, "elbo_backward": check_backward, "train": check_train},
        "library": {"elbo_loss": terms_of_loss, "elbo_backward": gradients},
        "hints": (
            "Forward: h = encoder.forward(x); mu and log_var are its halves; z = mu + std eps; "
            "logits = decoder.forward(z). The loss is reconstruction + kl.",
            "Backward: dz = decoder.backward(dlogits). mu and log_var each have two ways into the "
            "loss, through z and through the KL: add the gradients of both.",
            "dmu = dz + mu / n; dlog_var = dz eps std / 2 + (exp(log_var) - 1) / (2 n); then "
            "encoder.backward(np.concatenate([dmu, dlog_var], axis=1)).",
            "train: Adam(1e-2), one optimiser for each network, batches of 50, 60 epochs will do.",
        ),
    },
}
