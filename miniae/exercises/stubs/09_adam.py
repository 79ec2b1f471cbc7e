"""adam: Adam with its bias corrections (Kingma and Ba 2015, algorithm 1).

    m <- beta1 m + (1 - beta1) dtheta,    v <- beta2 v + (1 - beta2) dtheta^2,

m and v start at zero. After t steps both are too small by the factor 1 - beta^t, so divide by it:

    theta <- theta - lr m_hat / (sqrt(v_hat) + eps),    m_hat = m / (1 - beta1^t), v_hat likewise.

Change theta in place, and leave dtheta unchanged.

    python -m miniae.exercises check . adam
    python -m miniae.exercises hint adam
"""

import numpy as np


class Adam:
    """Adam on one vector theta."""

    def __init__(self, lr, beta1, beta2, eps):
        raise NotImplementedError("adam: not started yet")

    def step(self, theta, dtheta):
        """Change theta (size,) in place, given its gradient dtheta (size,); return nothing."""
        raise NotImplementedError("adam: not started yet")
