"""Layers: the steps of a network, each with its forward pass and its hand-derived backward pass.

A layer computes ``out = forward(x)``. Given ``dout``, the gradient of a scalar loss L with respect
to ``out``, ``backward(dout)`` fills ``grads`` with dL/d(parameter) and returns ``dx`` = dL/dx. This
is all of backpropagation: a network calls the ``forward`` of its layers in order and their
``backward`` in reverse order.

Two rules hold for all layers:

* ``backward`` assigns to ``grads`` (calling it twice gives the same answer) and never changes
  ``x``, ``dout`` or ``params``.
* ``forward`` accepts complex numbers and compares ``x.real`` only, so that the complex step of
  `miniae.proof` can differentiate the same code that trains.
"""

import numpy as np

from miniae.numerics import relu, sigmoid, softplus
from miniae.parameters import Parameterized
from miniae.plumbing.batches import in_slices
from miniae.plumbing.first_draw import draw_first, mark_first
from miniae.plumbing.layer_checks import check_layers, check_shape, check_sizes, check_weights


class Layer(Parameterized):
    """One step of a network. Subclasses write `forward` and `backward`.

    ``super().__init__(W=..., b=...)`` names the parameters; then ``self.params["W"]`` is the
    array to use and ``self.grads["W"] = ...`` the assignment to make in `backward`.
    """

    out_shape = None  # the shape that the last forward returned

    def __init__(self, *, parts=None, buffers=None, **params):
        super().__init__(params, parts, buffers)

    def __call__(self, x, training=False, **side):
        return self.forward(x, training, **side)

    def forward(self, x, training=False):
        """Return out, and keep what `backward` needs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward pass yet")

    def backward(self, dout):
        """Fill grads from dout = dL/dout, and return dx = dL/dx."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass yet")

    def backward_params(self, dout):
        """Fill grads only. For the first layer of a network, whose dx is not needed."""
        self.backward(dout)

    def remember(self, cache, out):
        """Keep what backward needs, and the shape that dout must have; return out."""
        # Not self.cache = ...: that would search for layers in it, here in every pass.
        vars(self).update(cache=cache, out_shape=out.shape)
        return out

    def recall(self, dout):
        """Return what forward kept; refuse a dout whose shape is not that of out."""
        if self.cache is None:
            return self.cached()  # raises
        if np.shape(dout) != self.out_shape:
            raise ValueError(f"{self}: dout has shape {np.shape(dout)}, but out {self.out_shape}")
        return self.cache


class Dense(Layer):
    """A fully connected layer, out = x W + b.

    Parameters
    ----------
    n_in, n_out : int, features in and out
    bias : bool; False leaves b out, such as before a normalisation, which would subtract it again
    init : "glorot", "he" or "pytorch"
        W is uniform on [-limit, limit], with variance limit^2 / 3, so that signals neither grow
        nor fade with depth; b is zero. Glorot and Bengio (2010), eq. 16: variance
        2 / (n_in + n_out), a compromise between forward and backward, for layers followed by
        tanh, sigmoid or nothing. He et al. (2015), eq. 10: 2 / n_in, twice what a linear layer
        needs, because the ReLU that follows sets half of the units to 0. "pytorch": 1 / (3 n_in),
        as in PyTorch's nn.Linear, for VAEs with one hidden layer (docs/02_layers.md).
    rng : Generator, int or None, the source of W
        The same int gives layers of the same shape the same W. With None, the layer has a fixed W
        as long as it is alone; a Sequential draws the W of its layers again, and a model draws
        them from its seed, unless they were trained or assigned before (docs/02_layers.md).
    dtype : float32 or float64

    Attributes
    ----------
    params, grads : W of shape (n_in, n_out), b of shape (n_out,)
    """

    config = ("n_in", "n_out", "init")

    def __init__(self, n_in, n_out=None, *, bias=True, init="glorot", rng=None, dtype="float32"):
        self.n_in, self.n_out = check_sizes(self, n_in=n_in, n_out=n_out)
        self.init = check_weights(self, init, dtype, bias)
        b = {"b": np.zeros(n_out, dtype)} if bias else {}
        super().__init__(W=np.zeros((n_in, n_out), dtype), **b)
        draw_first(self, rng, n_in, n_out)

    def draw(self, rng):
        """Draw W from a Generator."""
        n_in, n_out = self.params["W"].shape
        limit = weight_limit(self.init, n_in, n_out)
        self.params["W"] = rng.uniform(-limit, limit, (n_in, n_out))

    def forward(self, x, training=False):
        """x (n, n_in) -> out (n, n_out)."""
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise ValueError(
                f"{self} takes x of shape (n, {self.n_in}), got {x.shape}; "
                "rows are samples: use x[None] for one sample, Flatten() before it for images"
            )
        out = x @ self.params["W"]
        if "b" in self.params:
            out += self.params["b"]
        return self.remember(x, out)

    def backward(self, dout):
        """dout (n, n_out) -> dx (n, n_in), and grads.

        out_ij = sum_k x_ik W_kj + b_j. The chain rule multiplies dout_ij by the slope of out_ij
        and sums over all i and j:

        dx_ik: x_ik acts on all out_ij of row i, with slope W_kj: sum_j dout_ij W_kj = dout W^T.
        dW_kj: W_kj acts on out_ij in every row i, with slope x_ik: sum_i x_ik dout_ij = x^T dout.
        db_j: b_j acts on out_ij in every row i, with slope 1: sum_i dout_ij.

        The sums run over samples; the 1 / n of a mean over samples is in dout already, from the
        loss.
        """
        self.backward_params(dout)
        return dout @ self.params["W"].T

    def backward_params(self, dout):
        """dout (n, n_out) -> grads, as `backward`."""
        x = self.recall(dout)
        # As self.grads["W"] = x.T @ dout, but without a temporary array of the size of W.
        np.matmul(x.T, dout, out=self.grads["W"], casting="same_kind")
        if "b" in self.params:
            np.sum(dout, axis=0, out=self.grads["b"])


def weight_limit(init, n_in, n_out):
    """Return the limit of uniform weights, sqrt(3 variance): see `init` of `Dense`."""
    squares = {"glorot": 6 / (n_in + n_out), "he": 6 / n_in, "pytorch": 1 / n_in}
    return np.sqrt(squares[init])


class ReLU(Layer):
    """out = max(x, 0)."""

    def forward(self, x, training=False):
        """x of any shape -> out of the same shape."""
        out = relu(np.asarray(x))
        return self.remember(out, out)

    def backward(self, dout):
        """The slope is 1 where x > 0, and 0 elsewhere.

        At 0 there is no slope; any number from 0 to 1 would do.

        out > 0 exactly where x > 0, so out serves as the mask. The > is strict: out >= 0 is true
        everywhere.
        """
        out = self.recall(dout)
        return dout * (out > 0)


class Sigmoid(Layer):
    """out = 1 / (1 + exp(-x))."""

    def forward(self, x, training=False):
        """x of any shape -> out in (0, 1), of the same shape."""
        out = sigmoid(np.asarray(x))
        return self.remember(out, out)

    def backward(self, dout):
        """The slope of out = 1 / (1 + e^-x) is e^-x / (1 + e^-x)^2 = out (1 - out)."""
        out = self.recall(dout)
        return dout * out * (1 - out)


class Tanh(Layer):
    """out = tanh(x)."""

    def forward(self, x, training=False):
        """x of any shape -> out in (-1, 1), of the same shape."""
        out = np.tanh(np.asarray(x))
        return self.remember(out, out)

    def backward(self, dout):
        """The slope of out = sinh / cosh is (cosh^2 - sinh^2) / cosh^2 = 1 - out^2."""
        out = self.recall(dout)
        return dout * (1 - out * out)


class Softplus(Layer):
    """out = log(1 + exp(x)), a smooth ReLU."""

    def forward(self, x, training=False):
        """x of any shape -> out > 0, of the same shape."""
        x = np.asarray(x)
        return self.remember(x, softplus(x))

    def backward(self, dout):
        """The slope of log(1 + e^x) is e^x / (1 + e^x) = sigmoid(x)."""
        x = self.recall(dout)
        return dout * sigmoid(x)


class Dropout(Layer):
    """In training, set each entry to 0 with probability p and divide the others by 1 - p.

    Because of the division, the expectation of out is x, so evaluation needs no factor: there
    out = x. Srivastava et al. (2014), in the "inverted" form.

    Parameters
    ----------
    p : float, 0 <= p < 1, the probability of dropping
    rng : Generator, int or None, the source of the masks; a model replaces it by its own
    """

    config = ("p",)

    def __init__(self, p=0.5, *, rng=None):
        if not isinstance(p, (int, float, np.floating)) or not 0 <= p < 1:
            raise ValueError(f"Dropout: p={p!r} is the probability of dropping, 0 <= p < 1")
        self.p, self.rng = float(p), np.random.default_rng(0 if rng is None else rng)
        super().__init__()
        mark_first(self, rng)

    def draw(self, rng):
        """Take a generator of its own, so that two layers of a network drop other entries."""
        self.rng = np.random.default_rng(rng.integers(2**63))

    def forward(self, x, training=False):
        """x of any shape -> out of the same shape."""
        x = np.asarray(x)
        mask = 1
        if training:
            keep = self.rng.random(x.shape, dtype=np.float32) >= self.p
            mask = keep.astype(x.real.dtype) / (1 - self.p)
        return self.remember(mask, x * mask)

    def backward(self, dout):
        """out = mask x, so dx = mask dout, with the mask that forward drew: the same one."""
        return dout * self.recall(dout)


class Reshape(Layer):
    """Give each sample another shape: x (n, ...) -> out (n, *shape).

    Parameters
    ----------
    *shape : int, the new shape of one sample; one of them may be -1
    """

    config = ("shape",)

    def __init__(self, *shape):
        self.shape = check_shape(self, shape)
        super().__init__()

    def forward(self, x, training=False):
        """x (n, ...) -> out (n, *shape), a view of x."""
        x = np.asarray(x)
        try:
            return self.remember(x.shape, x.reshape(len(x), *self.shape))
        except (ValueError, TypeError):
            raise ValueError(f"{self}: samples of shape {x.shape[1:]} do not fit") from None

    def backward(self, dout):
        """forward only changes the shape, so dx is dout in the shape of x."""
        shape = self.recall(dout)
        return dout.reshape(shape)


class Flatten(Reshape):
    """Make each sample a row: x (n, ...) -> out (n, features), a view of x."""

    config = ()

    def __init__(self):
        super().__init__(-1)


class Sequential(Layer):
    """Layers one after the other. A Sequential is a layer too.

    Calling it returns the out of the last layer. For the decoder of a model with a Bernoulli loss
    these are logits, not pixels: `predict` returns pixels.

    Parameters
    ----------
    *layers : Layer, or one list of them
        Layers that were given no rng get different weights, the same ones in each program.
    """

    config = ("layers",)
    to_data = staticmethod(np.asarray)  # out -> data; a model sets that of its loss

    def __init__(self, *layers):
        self.layers = check_layers(self, layers, Layer)
        super().__init__(parts={str(i): layer for i, layer in enumerate(self.layers)})

    def forward(self, x, training=False):
        """Each layer's out is the next one's x."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dout):
        """Each layer's dx is the dout of the one before it: the chain rule, from the end."""
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout

    def predict(self, x):
        """Return out, for a decoder in data space: probabilities of pixels where out are logits.

        The model sets `to_data`, so ``model.decoder.predict(z)`` returns what ``model.decode(z)``
        does. ``model.encoder.predict(x)`` is ``model.encoder(x)``: codes, or for a VAE mu and
        log_var side by side. x passes through in evaluation mode, some rows at a time.
        """
        return in_slices(lambda rows: self.to_data(self.forward(rows)), x)

    def backward_params(self, dout):
        """As backward, but stop at the first layer that has parameters: its dx is not needed."""
        first = 0  # skip Flatten, and what else has no parameters
        while first < len(self.layers) - 1 and not self.layers[first].theta.size:
            first += 1
        for layer in reversed(self.layers[first + 1 :]):
            dout = layer.backward(dout)
        if self.layers:
            self.layers[first].backward_params(dout)
