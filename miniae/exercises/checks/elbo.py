"""Checks of the ELBO: its two terms, its gradient, and a training."""

import copy

import numpy as np

from miniae.exercises.checks.latent import MEAN
from miniae.exercises.questions import Wrong, compare, numbers, unpack
from miniae.layers import Dense, Sequential, Tanh
from miniae.losses import BernoulliNLL
from miniae.numerics import sigmoid

LATENT = 2


def networks(rng, pixels=6):
    """Return a small encoder and decoder with random weights; the encoder outputs mu, log_var."""
    sizes = (pixels, 5, 2 * LATENT), (LATENT, 5, pixels)
    pair = []
    for a, b, c in sizes:
        network = Sequential(Dense(a, b, dtype="float64"), Tanh(), Dense(b, c, dtype="float64"))
        network.theta = 0.7 * rng.standard_normal(network.theta.shape)
        pair.append(network)
    return pair


def two_terms(encoder, decoder, x, eps):
    """Return the two terms of the loss, and what backward needs."""
    h = encoder.forward(x)
    mu, log_var = h[:, :LATENT], h[:, LATENT:]
    std, loss = np.exp(log_var / 2), BernoulliNLL()
    reconstruction = loss.forward(decoder.forward(mu + std * eps), x)
    kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(x)
    return reconstruction, kl, (mu, log_var, std, loss)


def terms_of_loss(encoder, decoder, x, eps):
    """Return the loss, its reconstruction and its KL."""
    reconstruction, kl, _ = two_terms(encoder, decoder, x, eps)
    return reconstruction + kl, reconstruction, kl


def gradients(encoder, decoder, x, eps, *, path=1.0, kl=1.0, swapped=False):
    """Return the gradient of both networks, with parts of it left out or weighted."""
    _, _, (mu, log_var, std, loss) = two_terms(encoder, decoder, x, eps)
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
    reconstruction, kl, (mu, _, std, _) = two_terms(encoder, decoder, x, eps)
    p = sigmoid(decoder.forward(mu + std * eps))
    mistakes = {
        "loss": {
            "it is reconstruction - kl, but the loss is -ELBO = reconstruction + kl": (
                reconstruction - kl
            ),
            "it is the ELBO: the loss is minus the ELBO": (-reconstruction - kl),
        },
        "reconstruction": {
            "mu is decoded: decode z = mu + std eps": (
                BernoulliNLL().forward(decoder.forward(mu), x)
            ),
            "BernoulliNLL got probabilities: give it the logits, without a sigmoid": (
                BernoulliNLL().forward(p, x)
            ),
            "reconstruction and kl are exchanged": kl,
            "it is a mean over pixels: take the sum over pixels, the mean over samples": (
                reconstruction / x.shape[1]
            ),
            "it is a sum over samples: take the mean over samples": reconstruction * len(x),
        },
        "kl": {
            f"it is a mean over latents: {MEAN}": kl / LATENT,
            "it is a sum over samples: take the mean over samples": kl * len(x),
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
    copies = copy.deepcopy((encoder, decoder))
    right = gradients(*copies, x, eps)
    cut = len(encoder.theta)
    ask("elbo_backward", encoder, decoder, x, eps)
    wrong = {
        "the gradient of the KL is missing: add mu / n and (exp(log_var) - 1) / (2 n)": {"kl": 0.0},
        "the gradient of log_var through z is missing: add dz eps std / 2": {"path": 0.0},
        "the 1/2 of std = exp(log_var / 2) is missing in the path through z": {"path": 2.0},
        "the gradient of the KL has no 1/n": {"kl": float(len(x))},
        "the gradient of the KL is subtracted: add it": {"kl": -1.0},
        "the gradient of the KL is divided by the number of latents: the KL is a sum": {
            "kl": 1 / LATENT
        },
        "dmu and dlog_var are exchanged: mu is the first half of h": {"swapped": True},
    }
    vectors = {words: gradients(*copies, x, eps, **kind) for words, kind in wrong.items()}
    none = {"it is 0: call encoder.backward with [dmu, dlog_var]": 0 * right[:cut]}
    unused = {"it is 0: call decoder.backward with the gradient of the logits": (
        0 * right[cut:]
    )}  # fmt: skip
    compare("decoder.dtheta", decoder.dtheta, right[cut:], unused)
    known = {**none, **{words: vector[:cut] for words, vector in vectors.items()}}
    compare("encoder.dtheta", encoder.dtheta, right[:cut], known)


def bars(rng, n, side=4):
    """Return images of side x side pixels with some noise; in a row all pixels are on, or off."""
    on = rng.random((n, side, 1)) < 0.5
    flip = rng.random((n, side, side)) < 0.02
    return (on ^ flip).reshape(n, -1).astype(np.float64)


def check_train(ask):
    """After training the ELBO must be above the log-likelihood of independent pixels.

    All students start from the same weights: from a few starts in a hundred even right code ends
    in a poor optimum, and the result must not depend on the student's id.
    """
    rng = np.random.default_rng(0)
    X = bars(rng, 400)
    encoder, decoder = networks(rng, X.shape[1])
    before = np.concatenate([encoder.theta, decoder.theta])
    losses = ask("train", encoder, decoder, X, rng)
    after = np.concatenate([encoder.theta, decoder.theta])
    if np.array_equal(before, after):
        raise Wrong("the weights have not changed: optimizer.step(network.theta, network.dtheta)")
    if np.array_equal(encoder.theta, before[: len(encoder.theta)]):
        raise Wrong("the encoder has not changed: call step for both networks")
    if np.array_equal(decoder.theta, before[len(encoder.theta) :]):
        raise Wrong("the decoder has not changed: call step for both networks")
    losses = numbers(losses, "the list of losses")
    if losses.ndim != 1 or len(losses) < 2:
        raise Wrong("train must return the losses, a list with one number per epoch")
    rng = np.random.default_rng(0)
    eps = rng.standard_normal((len(X), LATENT))
    reconstruction, kl, _ = two_terms(encoder, decoder, X, eps)
    p = X.mean(axis=0).clip(0.01, 0.99)
    floor = -(X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1).mean()
    loss = reconstruction + kl
    if not np.isfinite(loss) or loss > 0.9 * floor:
        raise Wrong(
            f"after training the loss is {loss:.3g}, but must be below {0.9 * floor:.3g}: that is "
            f"90 % of {floor:.3g}, the loss of a model in which every pixel is independent. Train "
            "for longer, or try another learning rate"
        )
    if not np.isfinite(losses).all() or losses[-1] >= losses[0]:
        raise Wrong(f"the losses that train returns must fall, but the first is "
                    f"{losses[0]:.6g} and the last {losses[-1]:.6g}")  # fmt: skip
    if not 0.8 < losses[-1] / loss < 1.25:
        raise Wrong(f"the last loss that train returns is {losses[-1]:.3g}, but the loss of the "
                    f"trained networks is {loss:.3g}: return the loss of each epoch, as the mean "
                    "over its samples")  # fmt: skip


EXERCISES = {
    "elbo": {
        "title": "The ELBO, assembled and trained",
        "minutes": 60,
        "parts": {"elbo_loss": check_loss, "elbo_backward": check_backward, "train": check_train},
        "library": {"elbo_loss": terms_of_loss, "elbo_backward": gradients},
        "hints": (
            "Forward: h = encoder.forward(x); mu and log_var are its halves; z = mu + std eps; "
            "logits = decoder.forward(z). The loss is reconstruction + kl.",
            "Backward: dz = decoder.backward(dlogits). mu and log_var each change the loss in two "
            "ways, through z and through the KL: add the two gradients.",
            "dmu = dz + mu / n; dlog_var = dz eps std / 2 + (exp(log_var) - 1) / (2 n); then "
            "encoder.backward(np.concatenate([dmu, dlog_var], axis=1)).",
            "train: use Adam(1e-2), one optimiser for each network, batches of 50, and 60 epochs.",
        ),
    },
}
