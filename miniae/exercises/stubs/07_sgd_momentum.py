"""sgd_momentum: gradient descent with momentum.

A velocity collects the gradients of all steps, older ones less and less:

    velocity <- momentum velocity + dtheta,    theta <- theta - lr velocity,

from a velocity of zeros.

Only theta is changed in place; leave dtheta as it is.

    python -m miniae.exercises check . sgd_momentum
    python -m miniae.exercises hint sgd_momentum
"""

import numpy as np


class SGD:
    """Gradient descent with momentum on one vector theta."""

    def __init__(self, lr, momentum):
        raise NotImplementedError("sgd_momentum: not started yet")

    def step(self, theta, dtheta):
        """Change theta (size,) in place, given its gradient dtheta (size,); return nothing."""
        raise NotImplementedError("sgd_momentum: not started yet")
