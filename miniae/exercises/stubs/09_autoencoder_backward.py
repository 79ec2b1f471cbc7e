"""autoencoder_backward: an autoencoder's backward pass, layer by layer.

An autoencoder is a list of layers, the encoder's and then the decoder's. The layers here are those
of miniae: layer.forward(x) returns out; layer.backward(dout), after that, returns dx and puts the
gradient of the layer's weights, all in one vector, into layer.dtheta; the weights are layer.theta.
Weights are changed in place; leave x, dout and the list of layers as they are.

    python -m miniae.exercises check . autoencoder_backward
    python -m miniae.exercises hint autoencoder_backward
"""

import numpy as np


def forward(layers, x):
    """Layers and x (n, features) -> out (n, features), through all layers."""
    raise NotImplementedError("autoencoder_backward: not started yet")


def backward(layers, dout):
    """Layers and dout (n, features) -> dx (n, features); fills dtheta of every layer."""
    raise NotImplementedError("autoencoder_backward: not started yet")


def train_step(layers, x, lr):
    """One step of plain gradient descent, in place, on L = 1/n sum (out - x)^2 -> L before it."""
    raise NotImplementedError("autoencoder_backward: not started yet")
