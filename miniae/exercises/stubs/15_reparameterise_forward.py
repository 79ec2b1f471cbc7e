"""reparameterise_forward: the reparameterisation trick, forward.

A VAE's encoder outputs mu and log_var = log(std^2) for every latent, and z is drawn from
N(mu, std^2). A random draw has no gradient. But z = mu + std eps, with eps drawn from N(0, 1), has
the same distribution. With eps fixed, z is an ordinary function of mu and log_var.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . reparameterise_forward
    python -m miniae.exercises hint reparameterise_forward
"""

import numpy as np


def reparameterise(h, eps):
    """h (n, 2 d) = [mu, log_var], mu first; eps (n, d), drawn already -> z (n, d)."""
    raise NotImplementedError("reparameterise_forward: not started yet")
