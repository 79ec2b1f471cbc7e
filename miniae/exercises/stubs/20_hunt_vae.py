"""hunt_vae: a bug hunt. A VAE that every gradient check passes.

There is one misunderstanding in the code below, taken from real public code, and it shows in two
functions. Find it, mend both, and delete the line that raises NotImplementedError. Every function
here has the right gradient for what it computes; the KL is as in the paper. No gradient check can
find what is wrong. What can?

    python -m miniae.exercises check . hunt_vae
    python -m miniae.exercises hint hunt_vae
"""

import numpy as np


def sample(mu, log_var, eps):
    """mu, log_var, eps (n, d) -> z (n, d), a draw from N(mu, std^2); log_var = log(std^2)."""
    raise NotImplementedError("hunt_vae: not started yet")
    std = np.exp(log_var)
    return mu + std * eps


def sample_backward(dz, log_var, eps):
    """dz, log_var, eps (n, d) -> dmu, dlog_var, the gradients for z = sample(mu, log_var, eps)."""
    std = np.exp(log_var)
    return dz, dz * eps * std


def gaussian_kl(mu, log_var):
    """mu, log_var (n, d) -> KL(N(mu, std^2) || N(0, 1)), sum over latents, mean over samples."""
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(mu)
