"""Frozen: a layer or a network that keeps its weights while the rest of the model is trained."""

import copy

from miniae.layers import Layer, Sequential
from miniae.parameters import Views
from miniae.plumbing.first_draw import settle


class Frozen(Sequential):
    """A copy of a layer or a network, with fixed weights. It passes gradients on to earlier layers.

    The weights are buffers: they are saved, copied and restored with the model, but they are not
    in theta. So no optimiser changes them, not by momentum or weight decay either.

    The copy always computes as in evaluation, in training too: its Dropout drops nothing and its
    running means stay as they are. It is one fixed function.

    Parameters
    ----------
    layer : Layer or Sequential, such as the encoder of a trained model

    Attributes
    ----------
    layer : the copy; to train it again, build a model with a copy of it

    Examples
    --------
    >>> fresh = Autoencoder(784, 32, encoder=Frozen(trained.encoder))  # trains a new decoder
    >>> tuned = Autoencoder(784, 32, encoder=fresh.encoder.layer, decoder=fresh.decoder)
    """

    config = ("layer",)

    def __init__(self, layer):
        if not isinstance(layer, Layer):
            raise TypeError(
                f"Frozen takes a layer or a network, got {layer!r}; of a model, freeze "
                "model.encoder or model.decoder"
            )
        self.layers = (copy.deepcopy(layer),)  # in a tuple: it does not become a part
        settle(self.layer)
        Layer.__init__(self)

    @property
    def layer(self):
        """The copy of the layer or network."""
        return self.layers[0]

    def lay_out(self, dtype=None):
        """As in other layers; alone, it keeps the dtype of its weights."""
        super().lay_out(dtype or self.layer.theta.dtype)

    def bind(self, theta, dtheta):
        """Take the dtype of theta. The buffers are views of the weights, which are not in theta."""
        self.layer.lay_out(theta.dtype)
        self.buffers = {}
        super().bind(theta, dtheta)
        arrays = {name: value for name, value, _ in self.layer.named_params()}
        self.buffers = Views({**arrays, **dict(self.layer.named_buffers())})

    def forward(self, x, training=False, **side):
        """Return out of the layer inside, in evaluation mode; it gets side, such as a mask."""
        return self.remember((), self.layer.forward(x, **side))

    def backward(self, dout):
        """Return dx of the layer inside. Its weights are constants and have no gradient."""
        self.recall(dout)
        return self.layer.backward(dout)

    def backward_params(self, dout):
        """There is nothing to fill."""
        self.recall(dout)
