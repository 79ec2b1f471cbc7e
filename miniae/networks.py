"""Networks ready to use: the encoders and decoders that a model builds when it is given none."""

from miniae.layers import Dense, Dropout, ReLU, Sigmoid, Softplus, Tanh
from miniae.parameters import choose

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "softplus": Softplus, "tanh": Tanh}


def mlp(sizes, activation, dropout, rng, dtype):
    """Return a list of Dense layers of these sizes, with activation and dropout between them."""
    between = choose(ACTIVATIONS, activation, "activation")
    layers = []
    for n_in, n_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        init = "he" if activation == "relu" else "glorot"
        layers += [Dense(n_in, n_out, init=init, rng=rng, dtype=dtype), between()]
        layers += [Dropout(dropout)] if dropout else []
    return [*layers, Dense(sizes[-2], sizes[-1], rng=rng, dtype=dtype)]
