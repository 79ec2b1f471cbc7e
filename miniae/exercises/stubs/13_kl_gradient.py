"""kl_gradient: the gradient of the KL.

You can differentiate the KL of the last exercise without sampling. Derive the gradient of
1/n sum_i sum_j 1/2 (mu^2 + exp(log_var) - log_var - 1).
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . kl_gradient
    python -m miniae.exercises hint kl_gradient
"""

import numpy as np


def gaussian_kl_backward(mu, log_var):
    """mu, log_var (n, d) -> dmu, dlog_var, each (n, d)."""
    raise NotImplementedError("kl_gradient: not started yet")
