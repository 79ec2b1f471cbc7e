"""Convolutions along time: layers that apply the same weights to every short window of a signal.

Signals are (n, T, c): samples, steps, channels. As in `miniae.conv`, two linear maps do all the
work, and each is the adjoint of the other, <correlate(x, W), y> = <x, scatter(y, W^T)>.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from miniae.layers import Layer
from miniae.numerics import as_float
from miniae.plumbing.first_draw import draw_first
from miniae.plumbing.layer_checks import check_padding, check_sizes, check_weights


def windows(x, kernel, stride):
    """Return the windows of x (n, T, c), one every `stride` steps, as rows of k * c numbers."""
    view = sliding_window_view(x, kernel, axis=1)[:, ::stride]
    return view.swapaxes(2, 3).reshape(-1, kernel * x.shape[2])


def correlate(x, W, stride):
    """x (n, T, c), W (k, c, d) -> (n, (T - k) // stride + 1, d): each window becomes one step."""
    out = windows(x, len(W), stride) @ W.reshape(-1, W.shape[2])
    return out.reshape(len(x), -1, W.shape[2])


def scatter(y, W, stride, size):
    """y (n, steps, c), W (k, c, d) -> (n, size, d): each step is added to a window."""
    out = np.zeros((len(y), size, W.shape[2]), np.result_type(y, W))
    for i in range(len(W)):
        out[:, i : i + stride * y.shape[1] : stride] += y @ W[i]
    return out


def kernel_gradient(x, dout, kernel, stride):
    """Return dW (k, c, d) of out = correlate(x, W, stride), given dout (n, steps, d)."""
    dW = windows(x, kernel, stride).T @ dout.reshape(-1, dout.shape[2])
    return dW.reshape(kernel, x.shape[2], dout.shape[2])


class Conv1D(Layer):
    """Each step of out is a weighted sum of a window: out_r = b + sum_i x_(rs+i) W_i.

    s is the stride, x_t and out_r are vectors of channels, and W_i is a matrix. out has
    (T + 2 padding - kernel) // stride + 1 steps, or ceil(T / stride) if padding is "same".

    Parameters
    ----------
    c_in, c_out : int, channels in and out
    kernel, stride : int, steps of a window, and from one window to the next
    padding : int >= 0, zeros at both ends of the signal, or "same"
    init, rng, dtype : as in Dense
        Here n_in is the number of products in one entry of out, n_out the mean number in one of dx.

    Attributes
    ----------
    params, grads : W of shape (kernel, c_in, c_out), b of shape (c_out,)
    """

    config = ("c_in", "c_out", "kernel", "stride", "padding", "init")

    def __init__(self, c_in, c_out=None, kernel=None, stride=1, padding=0, *,
                 init="glorot", rng=None, dtype="float32"):  # fmt: skip
        sizes = check_sizes(self, c_in=c_in, c_out=c_out, kernel=kernel)
        self.c_in, self.c_out, self.kernel = sizes
        (self.stride,) = check_sizes(self, stride=stride)
        self.padding, self.init = check_padding(self, padding), check_weights(self, init, dtype)
        shape = self.kernel, self.c_in, self.c_out
        super().__init__(W=np.zeros(shape, dtype), b=np.zeros(self.c_out, dtype))
        draw_first(self, rng, *shape)

    def products(self):
        """Return how many products are in an entry of out, and in one of dx on average."""
        return self.kernel * self.c_in, self.kernel / self.stride * self.c_out

    def draw(self, rng):
        """Draw W from a Generator."""
        n_in, n_out = self.products()
        squares = {"glorot": 6 / (n_in + n_out), "he": 6 / n_in, "pytorch": 1 / n_in}
        limit = np.sqrt(squares[self.init])
        self.params["W"] = rng.uniform(-limit, limit, self.params["W"].shape)

    def margins(self, length):
        """Return the zeros (before, after) the longer signal: see `Convolution.margins`."""
        if self.padding != "same":
            return self.padding, self.padding
        end = (math.ceil(length / self.stride) - 1) * self.stride + self.kernel
        extra = max(end - length, 0)
        return extra // 2, extra - extra // 2

    def signals(self, x):
        """Return x as floats; raise ValueError unless it is signals with c_in channels."""
        x = as_float(x)
        if x.ndim != 3 or x.shape[2] != self.c_in or not x.size:
            hint = "channels come last, and no axis may be empty"
            if x.ndim == 2:
                hint = "x[..., None] adds a channel to single signals, x[None] is a batch of one"
            raise ValueError(
                f"{self}: x must have shape (n, T, {self.c_in}), got {x.shape}; {hint}"
            )
        return x

    def forward(self, x, training=False):
        """x (n, T, c_in) -> out (n, steps, c_out)."""
        x = self.signals(x)
        before, after = self.margins(x.shape[1])
        if x.shape[1] + before + after < self.kernel:
            raise ValueError(
                f"{self}: x has shape {x.shape}, {x.shape[1]} steps and {before + after} zeros, "
                f"fewer than kernel={self.kernel}"
            )
        padded = np.pad(x, ((0, 0), (before, after), (0, 0)))
        out = correlate(padded, self.params["W"], self.stride) + self.params["b"]
        return self.remember((padded, before, x.shape[1]), out)

    def backward(self, dout):
        """dout (n, steps, c_out) -> dx (n, T, c_in), and grads.

        For one entry i of the window this is Dense: step r of out gets x W_i from step rs + i of
        the padded x, so dout_r W_i^T goes back there, and dx is the sum over all windows that a
        step is in. The zeros of the padding are constants: their part is cut off. All steps use the
        same W_i, so dW_i = sum_nr x_(rs+i)^T dout_r, and db sums dout over samples and steps.
        """
        padded, before, length = self.recall(dout)
        self.grads["W"] = kernel_gradient(padded, dout, self.kernel, self.stride)
        self.grads["b"] = dout.sum(axis=(0, 1))
        WT = self.params["W"].swapaxes(1, 2)
        return scatter(dout, WT, self.stride, padded.shape[1])[:, before : before + length]


class ConvTranspose1D(Conv1D):
    """Each step of x adds to a window of out: out_(rs+i) += x_r W_i; then b everywhere.

    It is the adjoint of Conv1D: it restores the length that a Conv1D with the same arguments made
    shorter. out has (T - 1) stride - 2 padding + kernel + output_padding steps, or T * stride if
    padding is "same".

    Parameters
    ----------
    c_in, c_out, kernel, stride, padding, init, rng, dtype : as in Conv1D
        padding is cut off at both ends here.
    output_padding : int, 0 or more, below the stride
        A Conv1D maps up to `stride` lengths to the same length. This chooses one of them.

    Attributes
    ----------
    params, grads : W of shape (kernel, c_in, c_out), b of shape (c_out,)
    """

    config = ("c_in", "c_out", "kernel", "stride", "padding", "output_padding", "init")

    def __init__(self, c_in, c_out=None, kernel=None, stride=1, padding=0, output_padding=0, *,
                 init="glorot", rng=None, dtype="float32"):  # fmt: skip
        super().__init__(c_in, c_out, kernel, stride, padding, init=init, rng=rng, dtype=dtype)
        highest = 0 if padding == "same" else self.stride - 1
        if not isinstance(output_padding, (int, np.integer)) or not 0 <= output_padding <= highest:
            raise ValueError(
                f"ConvTranspose1D: output_padding={output_padding!r} must be an integer from 0 to "
                f"{highest} with stride={stride} and padding={padding!r}"
            )
        self.output_padding = output_padding

    def products(self):
        """Return how many products are in an entry of out on average, and in one of dx."""
        return self.kernel / self.stride * self.c_in, self.kernel * self.c_out

    def forward(self, x, training=False):
        """x (n, steps, c_in) -> out (n, T, c_out)."""
        x = self.signals(x)
        length = x.shape[1] * self.stride
        if self.padding != "same":
            length += self.kernel - self.stride - 2 * self.padding + self.output_padding
        if length < 1:
            raise ValueError(
                f"{self}: x has shape {x.shape}, which is too short: out = (T - 1) stride - "
                f"2 padding + kernel + output_padding = {length} must be 1 or more"
            )
        before, after = self.margins(length)
        out = scatter(x, self.params["W"], self.stride, before + length + after)
        out = out[:, before : before + length] + self.params["b"]
        return self.remember((x, before, after), out)

    def backward(self, dout):
        """dout (n, T, c_out) -> dx (n, steps, c_in), and grads.

        Step r of x, times W_i, was added to step rs + i of out. So dx_r = sum_i dout_(rs+i) W_i^T,
        the forward pass of Conv1D, and dW_i = sum_nr x_r^T dout_(rs+i), as in Conv1D with x and
        dout exchanged. The steps that were cut off are not in out: their dout is 0.
        """
        x, before, after = self.recall(dout)
        padded = np.pad(dout, ((0, 0), (before, after), (0, 0)))
        dW = kernel_gradient(padded, x, self.kernel, self.stride)
        self.grads["W"] = dW.swapaxes(1, 2)
        self.grads["b"] = dout.sum(axis=(0, 1))
        return correlate(padded, self.params["W"].swapaxes(1, 2), self.stride)
