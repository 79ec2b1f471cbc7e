"""reparameterise_forward: the reparameterisation trick, forward.

A VAE's encoder gives mu and log_var = log(std^2) for every latent; z is drawn from N(mu, std^2).
A draw has no slope. But z = mu + std eps, with eps drawn from N(0, 1) beforehand, has that very
distribution, and with eps fixed it is an ordinary function of mu and log_var.
Leave the arguments as they are, and return new arrays.

    python -m miniae.exercises check . reparameterise_forward
    python -m miniae.exercises hint reparameterise_forward
"""

import numpy as np


def reparameterise(h, eps):
    """h (n, 2 d) = [mu, log_var], mu first; eps (n, d), drawn already -> z (n, d)."""
    raise NotImplementedError("reparameterise_forward: not started yet")
