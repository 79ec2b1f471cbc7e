"""Networks ready to use: the encoders and decoders that a model builds when it is given none."""

import numpy as np

from miniae.layers import Dense, Dropout, Layer, ReLU, Reshape, Sigmoid, Softplus, Tanh
from miniae.losses import BernoulliNLL, MultinomialNLL
from miniae.numerics import as_float
from miniae.parameters import choose, require

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "softplus": Softplus, "tanh": Tanh}


class Condition(Layer):
    """Append each sample's label, one-hot: x (n, d) -> out (n, d + n_classes).

    Parameters
    ----------
    n_classes : int

    Attributes
    ----------
    one_hot : (n, n_classes), or (1, n_classes) for one label for all; a model sets it
    """

    config = ("n_classes",)

    def __init__(self, n_classes):
        super().__init__()
        self.n_classes, self.one_hot = n_classes, np.zeros((1, n_classes), np.float32)

    def forward(self, x, training=False):
        """x (n, d) -> out (n, d + n_classes)."""
        x = as_float(x)
        n, labels = len(x), len(self.one_hot)
        require(labels in (1, n), f"{self}: x has {n} rows, but there are {labels} labels")
        one_hot = np.broadcast_to(self.one_hot, (n, self.n_classes)).astype(x.dtype)
        return self.remember(x.shape, np.concatenate([x, one_hot], axis=1))

    def backward(self, dout):
        """x is passed on as it is; the label is no variable."""
        self.recall(dout)
        return dout[:, : -self.n_classes]


def last_step(network):
    """Return the last layer of a network that computes something: no Reshape, no Dropout."""
    return [part for _, part in network.walk() if not isinstance(part, (Reshape, Dropout))][-1]


def mlp(sizes, activation, dropout, rng, dtype):
    """Return a list of Dense layers of these sizes, with activation and dropout between them."""
    between = choose(ACTIVATIONS, activation, "activation")
    layers = []
    for n_in, n_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        init = "he" if activation == "relu" else "glorot"
        layers += [Dense(n_in, n_out, init=init, rng=rng, dtype=dtype), between()]
        layers += [Dropout(dropout)] if dropout else []
    return [*layers, Dense(sizes[-2], sizes[-1], rng=rng, dtype=dtype)]


def check_networks(model, code_size):
    """Send one row of zeros through a model, to see that its networks fit the shapes and loss."""
    for name, network, n_in, n_out in (
        ("encoder", model.encoder, model.input_shape, (code_size,)),
        ("decoder", model.decoder, (model.latent_dim,), model.input_shape),
    ):
        out = network.forward(np.zeros((1, *n_in), model.theta.dtype))
        require(
            out.shape[1:] == n_out,
            f"{name} maps samples of shape {n_in} to {out.shape[1:]}, but this "
            f"{type(model).__name__} needs {n_out} (latent_dim={model.latent_dim})",
        )
    last, loss = last_step(model.decoder), model.reconstruction_loss.base
    require(
        not (isinstance(loss, (BernoulliNLL, MultinomialNLL)) and isinstance(last, Sigmoid)),
        f"decoder ends in Sigmoid, but {loss} takes logits and turns them into probabilities "
        "itself, which is exact where log(sigmoid) overflows: leave the Sigmoid out",
    )
