"""activations_backward: the slopes of ReLU, sigmoid and tanh.

A backward pass gets dout, the gradient of the loss L with respect to out. It returns dx, the
gradient with respect to x. These functions act on each entry alone, so dx is dout times the slope.
For sigmoid and tanh you get out, because the slope is simple in out. For ReLU you get x.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . activations_backward
    python -m miniae.exercises hint activations_backward
"""

import numpy as np


def relu_backward(dout, x):
    """out = max(x, 0): dout and x, of the same shape -> dx."""
    raise NotImplementedError("activations_backward: not started yet")


def sigmoid_backward(dout, out):
    """out = sigmoid(x): dout and out, of the same shape -> dx."""
    raise NotImplementedError("activations_backward: not started yet")


def tanh_backward(dout, out):
    """out = tanh(x): dout and out, of the same shape -> dx."""
    raise NotImplementedError("activations_backward: not started yet")
