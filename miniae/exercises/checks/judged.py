"""Layers for a gradient check to judge: right ones, and each kind of wrong gradient.

Most are subclasses of the library's layers, made in the same way, with the same names; some right
ones are of unknown classes. So only their numbers tell which of them are right.
"""

import numpy as np

from miniae.layers import Dense, Layer, ReLU, Sigmoid, Tanh

SAMPLES, FEATURES = 4, 3  # of x


def layer(kind, *sizes, from_dout=None, **changes):
    """Return a layer whose backward is right except for `changes`.

    Parameters
    ----------
    kind : class of the library
    *sizes : its arguments
    from_dout : function of the layer and dout that returns a wrong dx, or None
    **changes : functions of the right "dx" or of the right gradient of a parameter, by its name
    """

    def backward(self, dout):
        """Return dx, and fill grads."""
        dx = kind.backward(self, dout)
        for name, change in changes.items():
            if name != "dx":
                self.grads[name] = change(self.grads[name])
        if from_dout:
            return from_dout(self, dout)
        return changes.get("dx", np.copy)(dx)

    names = ("__module__", "__qualname__", "__doc__")
    own = {name: getattr(kind, name) for name in names}
    found = type(kind.__name__, (kind,), {**own, "backward": backward})
    return found(*sizes, dtype="float64") if sizes else found()


class Cube(Layer):
    """A right layer that the library does not have: out = x^3."""

    def forward(self, x, training=False):
        """x of any shape -> out, the same shape."""
        x = np.asarray(x)
        return self.remember(x, x**3)

    def backward(self, dout):
        """The slope is 3 x^2."""
        return 3 * dout * self.recall(dout) ** 2


class Scale(Layer):
    """A right layer that the library does not have: out = x g, with a number for each feature."""

    def __init__(self, n):
        super().__init__(g=np.ones(n))

    def forward(self, x, training=False):
        """x (n, d) -> out (n, d)."""
        x = np.asarray(x)
        return self.remember(x, x * self.params["g"])

    def backward(self, dout):
        """The slope is g in x, and x in g."""
        self.grads["g"] = (dout * self.recall(dout)).sum(axis=0)
        return dout * self.params["g"]


def largest(x, change):
    """Return x with `change` made to its largest entry."""
    x = x.copy()
    place = np.unravel_index(np.abs(x).argmax(), x.shape)
    x[place] = change(x[place])
    return x


def added(x, share):
    """Return x with a share of its largest entry added everywhere."""
    return x + share * np.abs(x).max()


def two_entries(x, change):
    """Return x with its smallest and largest entries replaced by `change` of both."""
    x = x.copy()
    places = np.abs(x.ravel()).argsort()[[0, -1]]
    x.flat[places] = change(*x.flat[places])
    return x


def moved(x):
    """Return x with a number moved from its last entry to its first: the sum stays."""
    x = x.copy()
    by = 0.5 * np.abs(x).max()
    x.flat[0] += by
    x.flat[-1] -= by
    return x


def one(x, place):
    """Return x with a wrong entry."""
    x = x.copy()
    x.flat[place] += 0.5 * np.abs(x).max()
    return x


CHANGES = {  # what is wrong with a gradient
    "has the wrong sign": lambda x: -x,
    "has one entry with the wrong sign": lambda x: largest(x, lambda entry: -entry),
    "has its entries in reverse order": lambda x: x.ravel()[::-1].reshape(x.shape),
    "has two entries exchanged": lambda x: two_entries(x, lambda a, b: (b, a)),
    "has two entries rotated, with the right norm": lambda x: two_entries(
        x, lambda a, b: (0.6 * a - 0.8 * b, 0.8 * a + 0.6 * b)
    ),
    "has the right sum and wrong entries": moved,
    "is half of what it should be": lambda x: x / 2,
    "is twice what it should be": lambda x: 2 * x,
    "is too large everywhere": lambda x: added(x, 0.5),
    "is too small everywhere": lambda x: added(x, -0.5),
    "has one entry that is too large": lambda x: largest(x, lambda entry: entry + abs(entry) / 2),
    "has one entry that is too small": lambda x: largest(x, lambda entry: entry - abs(entry) / 2),
    "has a wrong first entry": lambda x: one(x, 0),
    "has a wrong last entry": lambda x: one(x, -1),
    "is one number everywhere": lambda x: np.full(x.shape, x.mean()),
    "is 0": lambda x: 0 * x,
    "has one entry that is 1 % off": lambda x: largest(x, lambda entry: 1.01 * entry),
    "has one entry that is 1 % less": lambda x: largest(x, lambda entry: 0.99 * entry),
}
SQUARE = {  # of gradients with rows and columns
    "has two rows exchanged": lambda x: np.r_[x[1::-1], x[2:]],
    "has two columns exchanged": lambda x: np.c_[x[:, 1::-1], x[:, 2:]],
}


OF_DX = (  # those that dx has too; a gradient check of each layer takes time
    "has the wrong sign",
    "has one entry with the wrong sign",
    "has its entries in reverse order",
    "has two entries rotated, with the right norm",
    "has the right sum and wrong entries",
    "is half of what it should be",
    "is too large everywhere",
    "is too small everywhere",
    "has a wrong last entry",
    "has one entry that is 1 % off",
)
OF_DB = (
    "has the wrong sign",
    "has its entries in reverse order",
    "is half of what it should be",
    "is too large everywhere",
    "is too small everywhere",
    "is one number everywhere",
)


def right_layers():
    """Return right layers, by what is said if one is refused."""
    return {
        "a Dense layer": layer(Dense, FEATURES, 2),
        "a square Dense layer": layer(Dense, FEATURES, FEATURES),
        "Tanh": layer(Tanh),
        "ReLU": layer(ReLU),
        "Sigmoid": layer(Sigmoid),
        "a layer of an unknown class": Scale(FEATURES),
        "a layer of an unknown class without parameters": Cube(),
    }


def wrong_layers():
    """Return wrong layers by (which gradient is wrong, what is wrong with it)."""
    found = {}
    for words, change in CHANGES.items():
        found["dW", words] = layer(Dense, FEATURES, 2, W=change)
        if words in OF_DB:
            found["db", words] = layer(Dense, FEATURES, 2, b=change)
        if words in OF_DX:
            found["dx", words] = layer(Tanh, dx=change)
    for words, change in SQUARE.items():
        found["dW", words] = layer(Dense, FEATURES, 2, W=change)
    found["dx", "has two rows exchanged"] = layer(Sigmoid, dx=SQUARE["has two rows exchanged"])
    found["dx", "of ReLU has the wrong sign"] = layer(ReLU, dx=lambda x: -x)
    found["dx", "is not multiplied by the slope"] = layer(
        Tanh, from_dout=lambda layer, dout: dout.copy()
    )
    found["dx", "uses W, not its transpose"] = layer(
        Dense, FEATURES, FEATURES, from_dout=lambda layer, dout: dout @ layer.params["W"]
    )
    found["db", "is the mean over samples"] = layer(Dense, FEATURES, 2, b=lambda x: x / SAMPLES)
    found["dW", "is the mean over samples"] = layer(Dense, FEATURES, 2, W=lambda x: x / SAMPLES)
    return found
