"""batchnorm: batch normalisation, forward and backward.

In training each feature is normalised over the batch, then scaled and shifted:

    m = mean of x over the n samples,    v = mean of (x - m)^2,    s = sqrt(v + eps),
    xhat = (x - m) / s,    out = gamma xhat + beta.

You get dout, the gradient of the loss with respect to out. Return the gradients with respect to x,
gamma and beta. One x_i acts on every xhat_j of its feature: directly, through the mean, and through
the variance.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . batchnorm
    python -m miniae.exercises hint batchnorm
"""

import numpy as np


def batchnorm(x, gamma, beta, eps):
    """x (n, d), gamma (d,), beta (d,), eps a number -> out (n, d), as in training."""
    raise NotImplementedError("batchnorm: not started yet")


def batchnorm_backward(dout, x, gamma, eps):
    """dout (n, d), x (n, d), gamma (d,), eps -> dx, dgamma, dbeta, of the shapes of x, gamma, beta.

    x is the input of the forward pass: compute m, s and xhat again.
    """
    raise NotImplementedError("batchnorm: not started yet")
