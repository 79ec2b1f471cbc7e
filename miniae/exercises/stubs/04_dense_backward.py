"""dense_backward: a dense layer, backward.

You get dout, the gradient of the loss L with respect to out = x W + b. Return the gradients with
respect to x, W and b. Derive them for one entry: which entries of out does x_ik change, and by how
much? dout already contains the 1/n of the loss, which is a mean over samples.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . dense_backward
    python -m miniae.exercises hint dense_backward
"""

import numpy as np


def dense_backward(dout, x, W):
    """dout (n, n_out), x (n, n_in), W (n_in, n_out) -> dx, dW, db, with the shapes of x, W, b."""
    raise NotImplementedError("dense_backward: not started yet")
