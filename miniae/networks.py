"""Dense networks, and the activations by name: add yours to `ACTIVATIONS`."""

from miniae.layers import Dense, Dropout, ReLU, Sigmoid, Softplus, Tanh
from miniae.plumbing.names import choose

# To add one, write its class in layers.py, import it above, and name it here. activations.py adds
# three more to both tables.
ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "softplus": Softplus, "tanh": Tanh}
HE = {"relu"}  # those that are 0 or small for half of all x, which He's range of W makes up for


def mlp(sizes, activation, dropout, rng, dtype):
    """Return a list of Dense layers of these sizes, with activation and dropout between them."""
    between = choose(ACTIVATIONS, activation, "activation")
    init = "he" if activation in HE else "glorot"
    layers = []
    for n_in, n_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [Dense(n_in, n_out, init=init, rng=rng, dtype=dtype), between()]
        if dropout:
            layers.append(Dropout(dropout, rng=rng))
    return [*layers, Dense(sizes[-2], sizes[-1], rng=rng, dtype=dtype)]
