"""The networks of the exercise on the ELBO, and its two terms."""

import numpy as np

from miniae.layers import Dense, Sequential, Tanh
from miniae.losses import BernoulliNLL


def networks(rng, pixels=6, latent=3):
    """Return a small encoder and decoder with random weights; the encoder outputs mu, log_var."""
    sizes = (pixels, 5, 2 * latent), (latent, 5, pixels)
    pair = []
    for a, b, c in sizes:
        network = Sequential(Dense(a, b, dtype="float64"), Tanh(), Dense(b, c, dtype="float64"))
        network.theta = 0.7 * rng.standard_normal(network.theta.shape)
        pair.append(network)
    return pair


def two_terms(encoder, decoder, x, eps):
    """Return the two terms of the loss, and what backward needs."""
    mu, log_var = np.split(encoder.forward(x), 2, axis=1)
    std, loss = np.exp(log_var / 2), BernoulliNLL()
    reconstruction = loss.forward(decoder.forward(mu + std * eps), x)
    kl = 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(x)
    return reconstruction, kl, (mu, log_var, std, loss)


def terms_of_loss(encoder, decoder, x, eps):
    """Return the loss, its reconstruction and its KL."""
    reconstruction, kl, _ = two_terms(encoder, decoder, x, eps)
    return reconstruction + kl, reconstruction, kl
