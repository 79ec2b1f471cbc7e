"""adam: Adam with its bias corrections (Kingma and Ba 2015, algorithm 1).

    m <- beta1 m + (1 - beta1) dtheta,    v <- beta2 v + (1 - beta2) dtheta^2,

from zeros; after t steps both are too small by the factor 1 - beta^t, which is divided out:

    theta <- theta - lr m_hat / (sqrt(v_hat) + eps),    m_hat = m / (1 - beta1^t), v_hat likewise.

Only theta is changed in place; leave dtheta as it is.

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
