"""hunt_dense: a bug hunt. Gradients that are almost right.

There is one fault in the code below. It comes from real public code. Find it, correct it, and
delete the line that raises NotImplementedError. Change nothing else. A gradient check shows which
gradients are wrong.

    python -m miniae.exercises check . hunt_dense
    python -m miniae.exercises hint hunt_dense
"""

import numpy as np


class Network:
    """Dense, ReLU, Dense: out = max(x W1 + b1, 0) W2 + b2."""

    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x):
        """x (n, n_in) -> out (n, n_out)."""
        raise NotImplementedError("hunt_dense: not started yet")
        self.x = x
        self.hidden = np.maximum(x @ self.W1 + self.b1, 0)
        return self.hidden @ self.W2 + self.b2

    def backward(self, dout):
        """dout (n, n_out) -> dx, dW1, db1, dW2, db2."""
        dW2, db2 = self.hidden.T @ dout, dout.sum(axis=0)
        dhidden = dout @ self.W2.T
        dhidden = dhidden * (self.hidden >= 0)
        dW1, db1 = self.x.T @ dhidden, dhidden.sum(axis=0)
        return dhidden @ self.W1.T, dW1, db1, dW2, db2
