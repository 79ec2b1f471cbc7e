"""autoencoder_backward: an autoencoder's backward pass, layer by layer.

Here an autoencoder is a list of miniae's layers: first those of the encoder, then those of the
decoder. layer.forward(x) returns out. After that, layer.backward(dout) returns dx and puts the
gradient of the layer's weights into layer.dtheta, as one vector. The weights are layer.theta.
Change the weights in place, and leave x, dout and the list of layers unchanged.

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
    """One step of gradient descent on L = 1/n sum (out - x)^2, in place -> L before the step."""
    raise NotImplementedError("autoencoder_backward: not started yet")
