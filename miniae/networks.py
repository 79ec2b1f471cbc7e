"""Networks ready to use: the encoders and decoders that a model builds when it is given none."""

import copy

import numpy as np

from miniae.conv import Conv2D, ConvTranspose2D
from miniae.layers import (
    Dense,
    Dropout,
    Flatten,
    Layer,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)
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
    one_hot : (m, n_classes), which a model sets: a label for each row, or one for all
        Of x with several times m rows, each m of them have these labels: draws of the same rows.
    """

    config = ("n_classes",)

    def __init__(self, n_classes):
        super().__init__()
        self.n_classes, self.one_hot = n_classes, np.zeros((1, n_classes), np.float32)

    def forward(self, x, training=False):
        """x (n, d) -> out (n, d + n_classes)."""
        x = as_float(x)
        n, labels = len(x), len(self.one_hot)
        require(n % labels == 0, f"{self}: x has {n} rows, but there are {labels} labels")
        one_hot = np.tile(self.one_hot, (n // labels, 1)).astype(x.dtype)
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


def conv_networks(
    input_dim,
    latent_dim,
    channels=(32, 64),
    kernel=3,
    *,
    stride=2,
    activation="relu",
    dropout=0.0,
    variational=False,
    rng=0,
    dtype="float32",
):
    """Return a convolutional encoder and decoder for images of one shape, each a mirror image.

    Parameters
    ----------
    input_dim : (h, w) or (h, w, channels), the shape of an image, of any size
    latent_dim : int, size of the code
    channels : tuple of int, channels out of each Conv2D
    kernel, stride : int, of all of them; each one divides height and width by the stride
    activation : "relu", "tanh", "sigmoid" or "softplus"
    dropout : float in [0, 1), after each activation
    variational : bool, whether the encoder is a VAE's and ends in 2 * latent_dim outputs
    rng : Generator or int, where all weights are drawn from
    dtype : float32 or float64

    Returns
    -------
    encoder, decoder : Sequential

    Examples
    --------
    >>> encoder, decoder = conv_networks((28, 28), 32)
    >>> model = Autoencoder((28, 28), 32, encoder=encoder, decoder=decoder)
    """
    require(
        np.ndim(input_dim) == 1 and len(input_dim) in (2, 3) and min(input_dim) >= 1,
        f"input_dim={input_dim!r} must be an image shape, (h, w) or (h, w, channels)",
    )
    require(
        np.ndim(channels) == 1 and len(channels) > 0,
        f"channels={channels!r} must be a tuple with an integer per Conv2D, such as (32, 64)",
    )
    for name, value in (("latent_dim", latent_dim), ("kernel", kernel), ("stride", stride)):
        valid = isinstance(value, (int, np.integer)) and value >= 1
        require(valid, f"{name}={value!r} must be one integer, 1 or more")
    require(
        stride <= kernel,
        f"stride={stride} is above kernel={kernel}: no window would see the pixels in between",
    )
    between = choose(ACTIVATIONS, activation, "activation")
    options = {"rng": np.random.default_rng(rng), "dtype": dtype}
    init = "he" if activation == "relu" else "glorot"
    image, grey = tuple(int(n) for n in (*input_dim, 1)[:3]), len(input_dim) == 2
    (*size, c_in), down, up = image, [], []
    for number, c_out in enumerate(channels, 1):
        conv = Conv2D(c_in, c_out, kernel, stride, (kernel - 1) // 2, init=init, **options)
        beyond = [n + 2 * conv.padding - kernel for n in size]  # the first window
        require(
            min(beyond) >= 0,
            f"input_dim={input_dim!r}: only {size} pixels reach convolution {number} "
            f"of {len(channels)}, too few for kernel={kernel} with padding {conv.padding}; take "
            "fewer convolutions, or a kernel of odd size",
        )
        rest = tuple(n % stride for n in beyond)  # the last rows and columns: no window gets there
        back = ConvTranspose2D(c_out, c_in, kernel, stride, conv.padding, rest,
                               init=init if up else "glorot", **options)  # fmt: skip
        drop = [Dropout(dropout)] if dropout else []
        down, up = [*down, conv, between(), *drop], [between(), *copy.deepcopy(drop), back, *up]
        size, c_in = [n // stride + 1 for n in beyond], c_out
    features, code_size = size[0] * size[1] * c_in, latent_dim * (2 if variational else 1)
    encoder = [Reshape(*image)] * grey + [*down, Flatten(), Dense(features, code_size, **options)]
    first = Dense(latent_dim, features, init=init, **options), up[0], Reshape(*size, c_in)
    return Sequential(encoder), Sequential(*first, *up[1:], *[Reshape(*input_dim)] * grey)


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
