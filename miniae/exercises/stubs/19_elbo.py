"""elbo: the ELBO, assembled and trained.

loss = -ELBO = reconstruction + kl, where kl is the KL of the exercise kl_value, the sum over
latents and the mean over samples. The encoder maps x to h = [mu, log_var]. The decoder maps z to
the logits of the pixels. Both are networks of miniae: forward(x) returns out. After that,
backward(dout) returns dx and fills dtheta, the gradient of all weights. The weights are theta.

BernoulliNLL comes from miniae: loss.forward(logits, x) returns the reconstruction term. After that,
loss.backward() returns its gradient with respect to the logits. Adam(lr).step(theta, dtheta) makes
one step. Change the weights in place, and leave x, X and eps unchanged.

    python -m miniae.exercises check . elbo
    python -m miniae.exercises hint elbo
"""

import numpy as np

from miniae import Adam, BernoulliNLL


def elbo_loss(encoder, decoder, x, eps):
    """Networks, x (n, pixels) in [0, 1], eps (n, d) -> loss, reconstruction, kl: three numbers."""
    raise NotImplementedError("elbo: not started yet")


def elbo_backward(encoder, decoder, x, eps):
    """Run forward and backward: fill dtheta of both networks with the gradient of the loss."""
    raise NotImplementedError("elbo: not started yet")


def train(encoder, decoder, X, rng):
    """Train both networks in place on X (n, pixels), with d = 2 -> list with the loss per epoch.

    Draw batches and eps from rng. Use one Adam for each network. A model in which all pixels are
    independent has a certain loss: yours must be at most 90 % of it. A few seconds are enough.
    """
    raise NotImplementedError("elbo: not started yet")
