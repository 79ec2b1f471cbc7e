"""elbo: the ELBO, assembled and trained.

loss = -ELBO = reconstruction + kl; kl is 1/2 (mu^2 + exp(log_var) - log_var - 1), the sum over
latents and the mean over samples. The encoder maps x to h = [mu, log_var], the decoder z to logits
of the pixels. Both are networks of miniae: forward(x) returns out; backward(dout), after that,
returns dx and fills dtheta, the gradient of all their weights; the weights are theta.

BernoulliNLL is miniae's: loss.forward(logits, x) returns the reconstruction term, and after that
loss.backward() its gradient for the logits. Adam(lr).step(theta, dtheta) makes a step.
Weights are changed in place; leave x, X and eps as they are.

    python -m miniae.exercises check . elbo
    python -m miniae.exercises hint elbo
"""

import numpy as np

from miniae import Adam, BernoulliNLL


def elbo_loss(encoder, decoder, x, eps):
    """Networks, x (n, pixels) in [0, 1], eps (n, d) -> loss, reconstruction, kl: three numbers."""
    raise NotImplementedError("elbo: not started yet")


def elbo_backward(encoder, decoder, x, eps):
    """Fill dtheta of both networks with the gradient of the loss; it runs forward itself."""
    raise NotImplementedError("elbo: not started yet")


def train(encoder, decoder, X, rng):
    """Train both networks, in place, on X (n, pixels); d = 2 -> a list: the loss of each epoch.

    Draw batches and eps from rng, and give each network an Adam of its own. At the end the loss
    must be at most 90 % of that of pixels by themselves, without a VAE; a few seconds are enough.
    """
    raise NotImplementedError("elbo: not started yet")
