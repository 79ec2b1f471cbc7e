"""squared_error: the squared error and its gradient.

In miniae every loss is a sum over features and a mean over samples:
L = 1/n sum_i sum_j (out_ij - target_ij)^2.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . squared_error
    python -m miniae.exercises hint squared_error
"""

import numpy as np


def squared_error(out, target):
    """out, target (n, features) -> L, a number."""
    raise NotImplementedError("squared_error: not started yet")


def squared_error_backward(out, target):
    """out, target (n, features) -> dout (n, features), the gradient of L with respect to out."""
    raise NotImplementedError("squared_error: not started yet")
