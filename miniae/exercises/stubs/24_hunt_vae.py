"""hunt_vae: a bug hunt. A VAE that every gradient check passes.

There is one mistake in the code below, and it affects two functions. It comes from real public
code. Find it, correct both functions, and delete the line that raises NotImplementedError. Each
function has the right gradient of what it computes, and the KL is as in the paper. So no gradient
check can find the mistake. What can?

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
    """dz, log_var, eps (n, d) -> dmu, dlog_var, the gradients of sample."""
    std = np.exp(log_var)
    return dz, dz * eps * std


def gaussian_kl(mu, log_var):
    """mu, log_var (n, d) -> KL(N(mu, std^2) || N(0, 1)), sum over latents, mean over samples."""
    return 0.5 * (mu**2 + np.exp(log_var) - log_var - 1).sum() / len(mu)
