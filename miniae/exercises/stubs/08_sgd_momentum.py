"""sgd_momentum: gradient descent with momentum.

The velocity adds up the gradients of all steps; older gradients count less and less:

    velocity <- momentum velocity + dtheta,    theta <- theta - lr velocity.

The velocity starts at zero.

Change theta in place, and leave dtheta unchanged.

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
