"""dense_forward: a dense layer, forward.

Each unit multiplies every feature of a sample by a weight, adds up the products, and adds a bias:
out_ij = sum_k x_ik W_kj + b_j, for sample i and unit j. You need no loops.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . dense_forward
    python -m miniae.exercises hint dense_forward
"""

import numpy as np


def dense_forward(x, W, b):
    """x (n, n_in), W (n_in, n_out), b (n_out,) -> out (n, n_out)."""
    raise NotImplementedError("dense_forward: not started yet")
