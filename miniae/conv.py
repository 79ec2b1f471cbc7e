"""Convolutions: layers that apply the same weights to every small window of an image.

Images are (n, h, w, c): samples, rows, columns, channels. Two linear maps do all the work. Each is
the adjoint of the other, <correlate(x, W), y> = <x, scatter(y, W^T)>:

* `correlate` multiplies every window of an image by W: many pixels become one.
* `scatter` multiplies every pixel by W and adds the result to a window: one becomes many.
  `scatter_by_phases` computes the same in fewer passes over memory; `spread` chooses one of them.

The forward pass of `Conv2D` is `correlate`, and its backward pass is `scatter`. For
`ConvTranspose2D` it is the other way round. As in Keras and PyTorch, "convolution" means
correlation: the kernel is not flipped. Dumoulin and Visin (2016) have drawings of kernel, stride
and padding.

The functions are for any number of axes between samples and channels. Signals (n, T, c) have one,
time: see `miniae.conv1d`. Below, "pixels" are then steps.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from miniae.layers import Layer, weight_limit
from miniae.numerics import as_float
from miniae.plumbing.first_draw import draw_first
from miniae.plumbing.layer_checks import check_padding, check_sizes, check_weights, is_whole

ENTRIES = 2**18  # of one matrix of windows or products: it fits the cache (docs/10_speed.md)


def few_samples(n, entries):
    """Yield slices of n samples with `entries` numbers each: together at most ENTRIES, or one."""
    step = max(1, ENTRIES // entries)
    for start in range(0, n, step):
        yield slice(start, start + step)


def windows(x, kernel, stride):
    """Yield (samples, matrix): a slice of the n samples of x (n, h, w, c), and their windows.

    There is a window every `stride` pixels. Each window is a row of kernel * kernel * c numbers.
    The windows overlap, so the matrices together have up to kernel^2 times the size of x. Backward
    computes them again, which takes about a tenth of the time of both passes: to keep them would
    take too much memory.

    With many channels, the numbers of a window are copied one after the other: the k * c numbers
    of one of its rows are side by side in x. With one channel these are few, so each place in the
    window is copied for all windows, and the matrix is the transpose of what is in memory.
    """
    n_axes, c = x.ndim - 2, x.shape[-1]
    view = sliding_window_view(x, [kernel] * n_axes, axis=range(1, 1 + n_axes))
    view = view[inner([slice(None, None, stride)] * n_axes)]  # (n, rows, columns, c, k, k)
    image, window = range(1 + n_axes), range(2 + n_axes, 2 + 2 * n_axes)
    for samples in few_samples(len(x), view[0].size):
        if c == 1:
            places_first = view[samples].transpose(1 + n_axes, *window, *image)
            yield samples, places_first.reshape(kernel**n_axes, -1).T
        else:
            channels_last = view[samples].transpose(*image, *window, 1 + n_axes)
            yield samples, channels_last.reshape(-1, kernel**n_axes * c)


def inner(slices):
    """Return an index that takes a slice of each axis between samples and channels."""
    return slice(None), *slices


def correlate(x, W, stride):
    """x (n, h, w, c), W (k, k, c, d) -> (n, (h - k) // stride + 1, (w - k) // stride + 1, d)."""
    kernel, d = len(W), W.shape[-1]
    size = ((length - kernel) // stride + 1 for length in x.shape[1:-1])
    out = np.empty((len(x), *size, d), np.result_type(x, W))
    for samples, matrix in windows(x, kernel, stride):
        np.matmul(matrix, W.reshape(-1, d), out=out[samples].reshape(-1, d))
    return out


def scatter(y, W, stride, size):
    """y (n, rows, columns, c), W (k, k, c, d) -> (n, *size, d), zero where there is no window.

    One product gives what each pixel adds to its window. It is computed for a few samples at a
    time, so it is still in the cache when it is added.
    """
    n, *counts, c = y.shape
    *window, _, d = W.shape
    out = np.zeros((n, *size, d), np.result_type(y, W))
    table = W.reshape(-1, c, d).swapaxes(0, 1).reshape(c, -1)  # (c, k * k * d)
    for samples in few_samples(n, math.prod(counts) * table.shape[1]):
        products = (y[samples].reshape(-1, c) @ table).reshape(-1, *counts, *window, d)
        for place in np.ndindex(*window):
            starts = zip(place, counts, strict=True)
            here = inner(slice(i, i + stride * count, stride) for i, count in starts)
            out[samples][here] += products[(..., *place, slice(None))]
    return out


def scatter_by_phases(y, W, stride, size, margins):
    """Return crop(scatter(y, W, stride, ...), margins), shape (n, *size, d), without additions.

    On one axis, y_r W_i is added to pixel rs + i. So pixel qs + a, with 0 <= a < s, is

        sum_m y_(q-m) W_(ms+a), over all m >= 0 with ms + a < k.

    For one phase a this is a correlation of y with every s-th entry of W, the last one first. All
    phases have the same windows: the t = ceil(k / s) pixels of y that end with q. So one
    correlation with stride 1 computes the s * s phases of an image, as s * s * d channels, and
    each number is written once, to its pixel. Shi et al. (2016), section 3.2, call this a sub-pixel
    convolution.

    Zeros make W ts long: for a phase a >= k they are the whole kernel. Zeros before W move all
    pixels. They are chosen, if there are enough, so that the first pixel of the result has phase 0;
    then no window lies in the margin. Zeros around y are for the windows that reach beyond it.
    """
    n_axes, (c, d) = y.ndim - 2, W.shape[-2:]
    taps = -(-len(W) // stride)
    around_W, around_y, starts = [], [], []
    for count, length, (margin, _) in zip(y.shape[1:-1], size, margins, strict=True):
        zeros = min(-margin % stride, taps * stride - len(W))
        start = margin + zeros  # the result: pixels start to start + length - 1
        first, end = start // stride, -(-(start + length) // stride)  # q is in range(first, end)
        around_W.append((zeros, taps * stride - len(W) - zeros))
        around_y.append((taps - 1 - first, end - count))
        starts.append(start % stride)

    W = pad(W.reshape(1, *W.shape[:-2], c * d), around_W).reshape(*[taps, stride] * n_axes, c, d)
    even, odd = range(0, 2 * n_axes + 1, 2), range(1, 2 * n_axes + 2, 2)
    W = W[(slice(None, None, -1), slice(None)) * n_axes]  # the last entry first
    W = W.transpose(*even, *odd)  # (t, s, t, s, c, d) to (t, t, c, s, s, d)
    W = W.reshape(*[taps] * n_axes, c, -1)
    y = pad(y, around_y)

    counts = [length - taps + 1 for length in y.shape[1:-1]]
    sizes = [number for count in counts for number in (count, stride)]
    out = np.empty((len(y), *sizes, d), np.result_type(y, W))  # (n, rows, s, columns, s, d)
    phases = out.transpose(0, *odd[:-1], *even[1:], -1)  # (n, rows, columns, s, s, d)
    for samples in few_samples(len(y), out[0].size):
        here = phases[samples]
        here[...] = correlate(y[samples], W, 1).reshape(here.shape)
    out = out.reshape(len(y), *(stride * count for count in counts), d)
    return out[inner(slice(i, i + length) for i, length in zip(starts, size, strict=True))]


def spread(y, W, stride, size, margins):
    """Return crop(scatter(y, W, ...), margins), shape (n, *size, d), the faster way.

    That is by phases, but with one channel `scatter` adds whole rows of pixels at once, and with
    windows of one pixel it adds only once (docs/10_speed.md).
    """
    if len(W) > 1 and W.shape[-1] > 1:
        return scatter_by_phases(y, W, stride, size, margins)
    framed = [length + sum(zeros) for length, zeros in zip(size, margins, strict=True)]
    return crop(scatter(y, W, stride, framed), margins)


def kernel_gradient(x, dout, kernel, stride):
    """Return dW (k, k, c, d) of out = correlate(x, W, stride), given dout (n, rows, columns, d)."""
    c, d = x.shape[-1], dout.shape[-1]
    parts = windows(x, kernel, stride)
    dW = sum(matrix.T @ dout[samples].reshape(-1, d) for samples, matrix in parts)
    return dW.reshape(*[kernel] * (x.ndim - 2), c, d)


def correlate_both(x, W, y, stride):
    """Return correlate(x, W, stride), which has the shape of y, and kernel_gradient(x, y, ...).

    Both use the same windows, so they are copied only once.
    """
    d = y.shape[-1]
    out, products = np.empty(y.shape, np.result_type(x, W)), 0
    for samples, matrix in windows(x, len(W), stride):
        np.matmul(matrix, W.reshape(-1, d), out=out[samples].reshape(-1, d))
        products += matrix.T @ y[samples].reshape(-1, d)
    return out, products.reshape(W.shape)


def pad(x, margins):
    """Return x (n, h, w, c) in a frame of zeros; margins are ((top, bottom), (left, right)).

    Where a margin is negative, as many pixels of x are left out. Without any margin it is x itself.
    """
    if all(zeros == (0, 0) for zeros in margins):
        return x
    n, *size, c = x.shape
    size = [length + sum(zeros) for length, zeros in zip(size, margins, strict=True)]
    out = np.zeros((n, *size, c), x.dtype)  # for a small x np.pad is several times slower
    added = [(max(before, 0), max(after, 0)) for before, after in margins]
    less = [(max(-before, 0), max(-after, 0)) for before, after in margins]
    crop(out, added)[...] = crop(x, less)
    return out


def crop(x, margins):
    """Return x without its frame, as a view: the adjoint of `pad`."""
    lengths = zip(margins, x.shape[1:-1], strict=True)
    return x[inner(slice(before, length - after) for (before, after), length in lengths)]


def adjoint(W):
    """W (k, k, c, d) -> (k, k, d, c)."""
    return W.swapaxes(-1, -2)


def sum_pixels(dout):
    """Return the sum over samples and pixels, (c,); 3 times as fast as one sum over all axes."""
    return dout.sum(axis=0).reshape(-1, dout.shape[-1]).sum(axis=0)


class Convolution(Layer):
    """The common part of both layers: arguments, weights, the frame of zeros. See Conv2D."""

    n_axes, shape_of_x = 2, "n, h, w"  # the axes that a window moves along
    config = ("c_in", "c_out", "kernel", "stride", "padding", "init")

    def __init__(self, c_in, c_out=None, kernel=None, stride=1, padding=0, *,
                 bias=True, init="glorot", rng=None, dtype="float32"):  # fmt: skip
        sizes = check_sizes(self, c_in=c_in, c_out=c_out, kernel=kernel)
        self.c_in, self.c_out, self.kernel = sizes
        (self.stride,) = check_sizes(self, stride=stride)
        self.padding = check_padding(self, padding)
        self.init = check_weights(self, init, dtype, bias)
        shape = *[self.kernel] * self.n_axes, self.c_in, self.c_out
        b = {"b": np.zeros(self.c_out, dtype)} if bias else {}
        super().__init__(W=np.zeros(shape, dtype), **b)
        draw_first(self, rng, *shape)

    def draw(self, rng):
        """Draw W from a Generator."""
        n_in, n_out = self._products()  # products in an entry of out, and of dx, on average
        limit = weight_limit(self.init, n_in, n_out)
        self.params["W"] = rng.uniform(-limit, limit, self.params["W"].shape)

    def margins(self, size):
        """Return the frame ((top, bottom), (left, right)) of the larger image, size (h, w).

        "same" has ceil(size / stride) windows, and as many zeros as the last window needs: half of
        them before the image and half after it; an odd one is after it, as in Keras.
        """
        if self.padding != "same":
            return ((self.padding, self.padding),) * self.n_axes
        ends = [
            (math.ceil(length / self.stride) - 1) * self.stride + self.kernel for length in size
        ]
        zeros = [max(end - length, 0) for end, length in zip(ends, size, strict=True)]
        return tuple((extra // 2, extra - extra // 2) for extra in zeros)

    def _fill(self, dW, dout):
        """Assign grads. db is the sum of dout over samples and pixels."""
        self.grads["W"] = dW
        if "b" in self.params:
            self.grads["b"] = sum_pixels(dout)

    def _images(self, x):
        """Return x as floats; raise ValueError unless it is images with c_in channels."""
        x = as_float(x)
        right = self.n_axes + 2
        if x.ndim != right or x.shape[-1] != self.c_in or not x.size:
            size = self.shape_of_x.replace("n, ", "")
            hint = f"a Reshape({size}, channels) before this layer gives rows the right shape"
            if x.ndim == right - 1:
                hint = "x[..., None] adds a channel, x[None] is a batch of one sample"
            elif x.ndim == right:
                hint = "channels come last, and no axis may be empty"
            raise ValueError(
                f"{self}: x must have shape ({self.shape_of_x}, {self.c_in}), got {x.shape}; {hint}"
            )
        return x


class Conv2D(Convolution):
    """Each output pixel is a weighted sum of a window: out_rc = b + sum_ij x_(rs+i, cs+j) W_ij.

    s is the stride, x_rc and out_rc are vectors of channels, and W_ij is a matrix. On each axis
    out = (in + 2 padding - kernel) // stride + 1, or ceil(in / stride) if padding is "same".

    Parameters
    ----------
    c_in, c_out : int, channels in and out
    kernel : int, rows and columns of the window
    stride : int, pixels from one window to the next
    padding : int >= 0, zeros on every side of the image, or "same"
    bias, init, rng, dtype : as in Dense
        Here n_in is the number of products in one entry of out, n_out the mean number in one of dx.

    Attributes
    ----------
    params, grads : W of shape (kernel, kernel, c_in, c_out), b of shape (c_out,)
    """

    def _products(self):
        windows, n = self.kernel / self.stride, self.n_axes
        return self.kernel**n * self.c_in, windows**n * self.c_out

    def forward(self, x, training=False):
        """x (n, h, w, c_in) -> out (n, rows, columns, c_out)."""
        x = self._images(x)
        margins = self.margins(x.shape[1:-1])
        for length, zeros in zip(x.shape[1:-1], margins, strict=True):
            if length + sum(zeros) < self.kernel:
                numbers = f"({length} + {sum(zeros)} - {self.kernel}) // {self.stride} + 1"
                raise ValueError(
                    f"{self}: x has shape {x.shape}, which is smaller than the kernel: "
                    f"out = (in + 2 padding - kernel) // stride + 1 = {numbers} is below 1"
                )
        out = correlate(pad(x, margins), self.params["W"], self.stride)
        if "b" in self.params:
            out += self.params["b"]
        return self.remember(x, out)

    def backward(self, dout):
        """dout (n, rows, columns, c_out) -> dx (n, h, w, c_in).

        For one entry (i, j) of the window this is Dense: pixel (r, c) of out gets x W_ij from
        pixel (rs + i, cs + j) of the padded x, so dout_rc W_ij^T goes back to this pixel. A pixel
        is in several windows, and its dx is the sum over them. The zeros of the padding are
        constants: their part of dx is cut off.

        The same sum, seen from pixel (p, q) of the padded x: it is over all windows (r, c) with
        0 <= p - rs, q - cs < kernel. Pixels with the same p % s and q % s, a phase, use the same
        entries of the kernel. `scatter_by_phases` computes dx phase by phase.
        """
        x = self.recall(dout)
        self.backward_params(dout)
        margins = self.margins(x.shape[1:-1])
        return spread(dout, adjoint(self.params["W"]), self.stride, x.shape[1:-1], margins)

    def backward_params(self, dout):
        """dout -> grads. All pixels use the same W_ij: dW_ij = sum_nrc x_(rs+i, cs+j)^T dout_rc.

        As in Dense, dW = x^T dout and db = sum dout; here the sums are also over pixels.
        """
        x = self.recall(dout)
        padded = pad(x, self.margins(x.shape[1:-1]))
        self._fill(kernel_gradient(padded, dout, self.kernel, self.stride), dout)


class ConvTranspose2D(Convolution):
    """Each input pixel adds to a window of out: out_(rs+i, cs+j) += x_rc W_ij; then b everywhere.

    It is the adjoint of Conv2D: it restores the size that a Conv2D with the same arguments made
    smaller. On each axis out = (in - 1) stride - 2 padding + kernel + output_padding, or
    in * stride if padding is "same".

    Parameters
    ----------
    c_in, c_out, kernel, stride : int, as in Conv2D
    padding : int >= 0, pixels that are cut off on every side, which Conv2D adds; or "same"
    output_padding : int or pair (rows, columns), 0 or more, below the stride
        A Conv2D maps up to `stride` sizes to the same size. This chooses one of them.
    bias, init, rng, dtype : as in Conv2D

    Attributes
    ----------
    params, grads : W of shape (kernel, kernel, c_in, c_out), b of shape (c_out,)
    """

    config = ("c_in", "c_out", "kernel", "stride", "padding", "output_padding", "init")

    def __init__(self, c_in, c_out=None, kernel=None, stride=1, padding=0, output_padding=0, *,
                 bias=True, init="glorot", rng=None, dtype="float32"):  # fmt: skip
        options = {"bias": bias, "init": init, "rng": rng, "dtype": dtype}
        super().__init__(c_in, c_out, kernel, stride, padding, **options)
        extra = np.ravel(output_padding).tolist()
        highest = 0 if padding == "same" else self.stride - 1
        if np.shape(output_padding) not in ((), (self.n_axes,)) or not all(
            is_whole(n, 0) and n <= highest for n in extra
        ):
            raise ValueError(
                f"{type(self).__name__}: output_padding={output_padding!r} must be an integer, or "
                f"one for each axis, from 0 to {highest} with stride={stride} and "
                f"padding={padding!r}"
            )
        self.output_padding = extra[0] if len(extra) == 1 else tuple(extra)

    def _products(self):
        windows, n = self.kernel / self.stride, self.n_axes
        return windows**n * self.c_in, self.kernel**n * self.c_out

    def forward(self, x, training=False):
        """x (n, rows, columns, c_in) -> out (n, h, w, c_out)."""
        x = self._images(x)
        size = [n * self.stride for n in x.shape[1:-1]]
        if self.padding != "same":
            less = 2 * self.padding - self.kernel + self.stride
            more = np.broadcast_to(self.output_padding, self.n_axes).tolist()
            size = [n - less + extra for n, extra in zip(size, more, strict=True)]
        if min(size) < 1:
            raise ValueError(
                f"{self}: x has shape {x.shape}, which is too small: on each axis "
                f"out = (in - 1) stride - 2 padding + kernel + output_padding = {size} must be "
                "1 or more"
            )
        out = spread(x, self.params["W"], self.stride, size, self.margins(size))
        if "b" in self.params:
            out += self.params["b"]
        return self.remember(x, out)

    def backward(self, dout):
        """dout (n, h, w, c_out) -> dx (n, rows, columns, c_in).

        Pixel (r, c) of x, times W_ij, was added to pixel (rs + i, cs + j) of out. So
        dx_rc = sum_ij dout_(rs+i, cs+j) W_ij^T, which is the forward pass of Conv2D. The pixels
        that were cut off are not in out: their dout is 0, the padding.
        """
        x = self.recall(dout)
        padded = pad(dout, self.margins(dout.shape[1:-1]))
        dx, dW = correlate_both(padded, adjoint(self.params["W"]), x, self.stride)
        self._fill(adjoint(dW), dout)
        return dx

    def backward_params(self, dout):
        """dout -> grads: dW_ij = sum_nrc x_rc^T dout_(rs+i, cs+j), db = sum dout over all pixels.

        As in Conv2D, with x and dout exchanged.
        """
        x = self.recall(dout)
        padded = pad(dout, self.margins(dout.shape[1:-1]))
        self._fill(adjoint(kernel_gradient(padded, x, self.kernel, self.stride)), dout)
