"""hunt_adam: a bug hunt. An optimiser that starts well.

There is one fault in the code below. It comes from real public code. Find it, correct it, and
delete the line that raises NotImplementedError. The first step is right. Training works too, but
not as well as it should.
Change theta in place, and leave dtheta unchanged.

    python -m miniae.exercises check . hunt_adam
    python -m miniae.exercises hint hunt_adam
"""

import numpy as np


class Adam:
    """Adam on one vector theta (Kingma and Ba 2015, algorithm 1)."""

    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = self.v = 0.0
        self.t = 0

    def step(self, theta, dtheta):
        """Change theta (size,) in place, given its gradient dtheta (size,)."""
        raise NotImplementedError("hunt_adam: not started yet")
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * dtheta
        self.v = self.beta2 * self.v + (1 - self.beta2) * dtheta**2
        self.m = self.m / (1 - self.beta1**self.t)
        self.v = self.v / (1 - self.beta2**self.t)
        theta -= self.lr * self.m / (np.sqrt(self.v) + self.eps)
