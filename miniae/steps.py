"""Layers for the steps of a sequence (n, T, d), each step by itself.

`Embedding` turns token numbers into vectors. `TimeDistributed` applies a layer to each step, and
`Repeat` makes a sequence of one vector.
"""

import numpy as np

from miniae.layers import Layer
from miniae.plumbing.first_draw import draw_first
from miniae.plumbing.layer_checks import check_sizes, check_weights


class Embedding(Layer):
    """Each token number becomes a row of W, which is learned.

    Parameters
    ----------
    n_tokens, n_out : int, how many tokens there are, from 0, and the length of their vectors
        Token 0, the padding, has a row as others have. A mask makes later layers ignore it, and
        then its gradient is 0.
    rng, dtype : as in Dense; W is uniform on [-0.05, 0.05], as in Keras
    """

    config = ("n_tokens", "n_out")
    takes_tokens = True  # a gradient check varies W, not x

    def __init__(self, n_tokens, n_out=None, *, rng=None, dtype="float32"):
        self.n_tokens, self.n_out = check_sizes(self, n_tokens=n_tokens, n_out=n_out)
        check_weights(self, "glorot", dtype)
        super().__init__(W=np.zeros((n_tokens, n_out), dtype))
        draw_first(self, rng, n_tokens, n_out)

    def draw(self, rng):
        """Draw W from a Generator."""
        self.params["W"] = rng.uniform(-0.05, 0.05, self.params["W"].shape)

    def forward(self, x, training=False):
        """x (n, T) or of any shape, whole numbers -> out (n, T, n_out)."""
        given = np.asarray(x)
        if given.dtype.kind not in "iufc":
            raise ValueError(f"{self}: x is {given.dtype}, but tokens are whole numbers")
        given = given.real  # a model passes token numbers in its own dtype
        with np.errstate(invalid="ignore"):
            tokens = given.astype(np.intp)
        wrong = (tokens != given) | (tokens < 0) | (tokens >= self.n_tokens)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"{self}: x{list(place)} is {given[place]:g}, but tokens are whole numbers from 0 "
                f"to {self.n_tokens - 1}"
            )
        return self.remember((tokens, np.shape(x)), self.params["W"][tokens])

    def backward(self, dout):
        """dout (n, T, n_out) -> grads; dx is 0, since a token number has no slope.

        out_ij = W_(x_ij): the row W_v acts on out wherever x is v, with slope 1. So dW_v is the sum
        of dout over those places. Sorted by token, the places of one token lie side by side, and
        `add.reduceat` sums each run.
        """
        tokens, shape = self.recall(dout)
        dW = np.zeros_like(self.params["W"], dtype=dout.dtype)
        if tokens.size:
            flat = tokens.ravel()
            order = np.argsort(flat, kind="stable")
            values, starts = np.unique(flat[order], return_index=True)
            rows = dout.reshape(-1, self.n_out)[order]
            dW[values] = np.add.reduceat(rows, starts, axis=0)
        self.grads["W"] = dW
        return np.zeros(shape, dout.dtype)


class TimeDistributed(Layer):
    """Apply a layer to each step: x (n, T, ...) -> out (n, T, ...), with the same weights.

    Parameters
    ----------
    layer : Layer, such as Dense(64, 10)
    """

    config = ("layer",)

    def __init__(self, layer):
        if not isinstance(layer, Layer):
            raise TypeError(f"TimeDistributed takes a layer, such as Dense(64, 10), got {layer!r}")
        self.layer = layer
        super().__init__()

    def forward(self, x, training=False):
        """x (n, T, ...) -> out (n, T, ...): n T rows for the layer."""
        x = np.asarray(x)
        if x.ndim < 3:
            raise ValueError(f"{self} takes x of shape (n, T, ...), got {x.shape}")
        out = self.layer.forward(x.reshape(-1, *x.shape[2:]), training)
        return self.remember(x.shape, out.reshape(*x.shape[:2], *out.shape[1:]))

    def backward(self, dout):
        """dout (n, T, ...) -> dx: each step is a sample of its own for the layer."""
        shape = self.recall(dout)
        return self.layer.backward(dout.reshape(-1, *dout.shape[2:])).reshape(shape)


class Repeat(Layer):
    """Repeat each sample n_steps times: x (n, ...) -> out (n, n_steps, ...)."""

    config = ("n_steps",)

    def __init__(self, n_steps):
        (self.n_steps,) = check_sizes(self, n_steps=n_steps)
        super().__init__()

    def forward(self, x, training=False):
        """x (n, ...) -> out (n, n_steps, ...)."""
        x = np.asarray(x)
        return self.remember(x.shape, np.repeat(x[:, None], self.n_steps, axis=1))

    def backward(self, dout):
        """x acts on all n_steps copies, each with slope 1: dx is the sum over them."""
        self.recall(dout)
        return dout.sum(axis=1)
