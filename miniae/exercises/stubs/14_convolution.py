"""convolution: a convolution, forward and backward.

Channels come last. With stride 1 and no padding

    out[:, i, j] = b + sum over a, d of x[:, i + a, j + d] @ W[a, d].

This is a cross-correlation: the kernel is not flipped. You may loop over a and d; a loop over
pixels is slow.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . convolution
    python -m miniae.exercises hint convolution
"""

import numpy as np


def conv2d(x, W, b):
    """x (n, h, w, c_in), W (k, k, c_in, c_out), b (c_out,) -> out (n, h-k+1, w-k+1, c_out)."""
    raise NotImplementedError("convolution: not started yet")


def conv2d_backward(dout, x, W):
    """dout with the shape of out; x, W as above -> dx, dW, db, with the shapes of x, W, b."""
    raise NotImplementedError("convolution: not started yet")
