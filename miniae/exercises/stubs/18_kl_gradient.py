"""kl_gradient: the gradient of the KL.

The KL is that of the exercise kl_value: KL(N(mu, std^2) || N(0, 1)) with log_var = log(std^2), the
sum over latents, the mean over samples. You can differentiate its formula without sampling.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . kl_gradient
    python -m miniae.exercises hint kl_gradient
"""

import numpy as np


def gaussian_kl_backward(mu, log_var):
    """mu, log_var (n, d) -> dmu, dlog_var, each (n, d)."""
    raise NotImplementedError("kl_gradient: not started yet")
