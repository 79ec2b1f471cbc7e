"""Ready-made convolutional networks: an encoder and a decoder for images of one shape."""

import numpy as np

from miniae.conv import Conv2D, ConvTranspose2D
from miniae.layers import Dense, Dropout, Flatten, Reshape, Sequential
from miniae.networks import ACTIVATIONS, HE
from miniae.plumbing.foreign import explains
from miniae.plumbing.glossary import CONV
from miniae.plumbing.names import choose


@explains(CONV)
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
    rng=None,
    dtype="float32",
):
    """Return a convolutional encoder and decoder for images of one shape.

    Parameters
    ----------
    input_dim : (h, w) or (h, w, channels), the shape of an image, of any size
    latent_dim : int, size of the code
    channels : tuple of int, the output channels of each Conv2D
    kernel, stride : int, for all convolutions; each Conv2D divides height and width by the stride
    activation : "relu", "tanh", "sigmoid", "softplus", "leaky_relu", "elu" or "gelu"
    dropout : float in [0, 1), after each activation
    variational : bool; True for a VAE, whose encoder has 2 * latent_dim outputs
    rng : Generator, int or None, the generator of all weights or its seed
        With None, the model that the networks are given to draws them from its own seed.
    dtype : float32 or float64

    Returns
    -------
    encoder, decoder : Sequential; the decoder has the layers of the encoder in reverse order

    Examples
    --------
    >>> encoder, decoder = conv_networks((28, 28), 32)
    >>> model = Autoencoder((28, 28), 32, encoder=encoder, decoder=decoder)
    """
    if np.ndim(input_dim) != 1 or len(input_dim) not in (2, 3) or min(input_dim) < 1:
        raise ValueError(
            f"input_dim={input_dim!r} must be an image shape, (h, w) or (h, w, channels)"
        )
    if np.ndim(channels) != 1 or len(channels) == 0:
        raise ValueError(
            f"channels={channels!r} must be a tuple with an integer per Conv2D, such as (32, 64)"
        )
    for name, value in (("latent_dim", latent_dim), ("kernel", kernel), ("stride", stride)):
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name}={value!r} must be one integer, 1 or more")
    if stride > kernel:
        raise ValueError(
            f"stride={stride} is above kernel={kernel}: then no window covers the pixels between "
            "two windows; use a smaller stride or a larger kernel"
        )
    Activation = choose(ACTIVATIONS, activation, "activation")
    options = {"rng": None if rng is None else np.random.default_rng(rng), "dtype": dtype}
    init = "he" if activation in HE else "glorot"
    height, width, c_in = (int(n) for n in (*input_dim, 1)[:3])
    grey = len(input_dim) == 2  # the networks add the axis of channels, and remove it at the end
    image, size = (height, width, c_in), [height, width]
    down, up = [], []
    for number, c_out in enumerate(channels, 1):
        conv = Conv2D(c_in, c_out, kernel, stride, (kernel - 1) // 2, init=init, **options)
        free = [n + 2 * conv.padding - kernel for n in size]  # pixels after the first window
        if min(free) < 0:
            raise ValueError(
                f"input_dim={input_dim!r}: only {size} pixels are left for convolution {number} "
                f"of {len(channels)}, too few for kernel={kernel} with padding {conv.padding}; "
                "use fewer convolutions, or a kernel of odd size"
            )
        uncovered = tuple(n % stride for n in free)  # rows and columns that no window covers
        transposed = ConvTranspose2D(c_out, c_in, kernel, stride, conv.padding, uncovered,
                               init=init if up else "glorot", **options)  # fmt: skip
        down += [conv, Activation()]
        up = [transposed, Activation(), *up] if up else [transposed]
        if dropout:
            down.append(Dropout(dropout, rng=options["rng"]))
            up = [Dropout(dropout, rng=options["rng"]), *up]
        size, c_in = [n // stride + 1 for n in free], c_out
    features = size[0] * size[1] * c_in
    code_size = 2 * latent_dim if variational else latent_dim
    encoder = [*down, Flatten(), Dense(features, code_size, **options)]
    decoder = [Dense(latent_dim, features, init=init, **options), Activation()]
    decoder += [Reshape(*size, c_in), *up]
    if grey:
        encoder = [Reshape(*image), *encoder]
        decoder += [Reshape(height, width)]
    return Sequential(encoder), Sequential(decoder)
