"""Layers for a gradient check to judge: right ones, and each kind of wrong gradient.

All are subclasses of the library's layers, made in the same way, with the same names. So only their
numbers tell which of them are right.
"""

import numpy as np

from miniae.layers import Dense, ReLU, Sigmoid, Tanh


def layer(kind, *sizes, **changes):
    """Return a layer whose backward is right except for `changes`.

    Parameters
    ----------
    kind : class of the library
    *sizes : its arguments
    **changes : functions of the right "dx" or of the right gradient of a parameter, by its name
    """

    def backward(self, dout):
        """Return dx, and fill grads."""
        dx = kind.backward(self, dout)
        for name, change in changes.items():
            if name != "dx":
                self.grads[name] = change(self.grads[name])
        return changes.get("dx", np.copy)(dx)

    names = ("__module__", "__qualname__", "__doc__")
    own = {name: getattr(kind, name) for name in names}
    found = type(kind.__name__, (kind,), {**own, "backward": backward})
    return found(*sizes, dtype="float64") if sizes else found()


def doubled(kind, *sizes, name):
    """Return a right layer with a name that the library does not have: out is doubled."""

    def forward(self, x, training=False):
        """Return out."""
        return 2 * kind.forward(self, x, training)

    def backward(self, dout):
        """Return dx, and fill grads."""
        return kind.backward(self, 2 * dout)

    found = type(name, (kind,), {"forward": forward, "backward": backward})
    return found(*sizes, dtype="float64") if sizes else found()


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


def right_layers():
    """Return right layers, by what is said if one is refused."""
    return {
        "a Dense layer": layer(Dense, 4, 3),
        "a square Dense layer": layer(Dense, 4, 4),
        "Tanh": layer(Tanh),
        "ReLU": layer(ReLU),
        "Sigmoid": layer(Sigmoid),
        "a layer of an unknown class": doubled(Dense, 4, 3, name="Broken"),
        "a layer of an unknown class without parameters": doubled(Tanh, name="Unscaled"),
    }


def wrong_layers():
    """Return wrong layers by (which gradient is wrong, what is wrong with it)."""
    found = {}
    for words, change in CHANGES.items():
        found["dW", words] = layer(Dense, 4, 3, W=change)
        found["db", words] = layer(Dense, 4, 3, b=change)
        found["dx", words] = layer(Dense, 4, 4, dx=change)
    for words, change in SQUARE.items():
        found["dW", words] = layer(Dense, 4, 3, W=change)
        found["dx", words] = layer(Tanh, dx=change)
    for words in ("has the wrong sign", "is half of what it should be", "has a wrong last entry"):
        for kind in Tanh, Sigmoid, ReLU:
            found["dx", f"{words} ({kind.__name__})"] = layer(kind, dx=CHANGES[words])
    found["db", "is the mean over samples"] = layer(Dense, 4, 3, b=lambda x: x / 5)
    found["dW", "is the mean over samples"] = layer(Dense, 4, 3, W=lambda x: x / 5)
    return found
