"""reparameterise_backward: the reparameterisation trick, backward.

z = mu + exp(log_var / 2) eps, and eps is fixed. You get dz, the gradient of the loss with respect
to z. Return the gradients with respect to mu and log_var.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . reparameterise_backward
    python -m miniae.exercises hint reparameterise_backward
"""

import numpy as np


def reparameterise_backward(dz, log_var, eps):
    """dz, log_var, eps (n, d) -> dmu, dlog_var, each (n, d)."""
    raise NotImplementedError("reparameterise_backward: not started yet")
