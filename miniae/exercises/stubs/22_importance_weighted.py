"""importance_weighted: the bound of an importance-weighted autoencoder, and its gradient.

Draw k codes for each sample x. Each has a weight w = p(x|z) p(z) / q(z|x). The bound of one sample
is the log of the mean of its k weights (Burda et al. 2016, equation 8). With k = 1 it is the ELBO,
and with a larger k it is closer to log p(x). The loss is minus the bound, a mean over samples.

You get log w. A log w of -1000 is common, and exp(-1000) is 0 in floating point. The result must
be exact there too.
Leave the argument unchanged, and return a new array.

    python -m miniae.exercises check . importance_weighted
    python -m miniae.exercises hint importance_weighted
"""

import numpy as np


def iwae_loss(log_w):
    """log_w (k, n), a row for each draw -> the loss, a number in nats."""
    raise NotImplementedError("importance_weighted: not started yet")


def iwae_loss_backward(log_w):
    """log_w (k, n) -> dlog_w (k, n), the gradient of the loss."""
    raise NotImplementedError("importance_weighted: not started yet")
