"""dense_backward: a dense layer, backward.

Given dout, the gradient of the loss L for out = x W + b, return those for x, W and b. Derive them
by the entries: which entries of out does x_ik move, and by how much? The loss has put the 1/n of
its mean over samples into dout already.
Leave the arguments as they are, and return new arrays.

    python -m miniae.exercises check . dense_backward
    python -m miniae.exercises hint dense_backward
"""

import numpy as np


def dense_backward(dout, x, W):
    """dout (n, n_out), x (n, n_in), W (n_in, n_out) -> dx, dW, db, of the shapes of x, W, b."""
    raise NotImplementedError("dense_backward: not started yet")
