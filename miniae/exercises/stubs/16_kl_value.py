"""kl_value: the KL of a Gaussian from the standard normal.

For one latent, q = N(mu, std^2) is the posterior and p = N(0, 1) the prior. The KL is the mean of

    log q(z) - log p(z), with z drawn from q.

The log density of N(m, s^2) at z is -(z - m)^2 / (2 s^2) - log(s) - log(2 pi) / 2. Derive a formula
in mu and log_var = log(std^2) on paper, without sampling (Kingma and Welling 2014, appendix B). It
must be 0 at mu = 0, log_var = 0, where q is p. Then take the sum over latents and the mean over
samples, in nats.
Leave the arguments unchanged.

    python -m miniae.exercises check . kl_value
    python -m miniae.exercises hint kl_value
"""

import numpy as np


def gaussian_kl(mu, log_var):
    """mu, log_var (n, d) -> the KL, a number."""
    raise NotImplementedError("kl_value: not started yet")
