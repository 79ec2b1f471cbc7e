"""The maps between images and windows, by phases or by additions, against one plain formulation."""

import copy
import importlib.util
import itertools
import tracemalloc

import numpy as np
import pytest
from sampled import often

from miniae import (
    Autoencoder,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    Frozen,
    MaxPool2D,
    Reshape,
    Sequential,
    Tanh,
    conv,
)
from miniae.proof import gradient_check

GRID = list(itertools.product((1, 2, 3, 4, 5, 7), (1, 2, 3, 4)))  # kernels and strides


def plain_scatter(y, W, stride, size):
    """Return what `scatter` returns: a product for each entry of the window, added in its place."""
    out = np.zeros((len(y), *size, W.shape[-1]), np.result_type(y, W))
    for place in np.ndindex(W.shape[:-2]):
        lengths = zip(place, y.shape[1:-1], strict=True)
        here = (slice(None), *(slice(i, i + stride * n, stride) for i, n in lengths))
        out[here] += y @ W[place]
    return out


def without(frame, margins):
    """Return the image inside a frame."""
    for axis, (before, after) in enumerate(margins, 1):
        frame = np.take(frame, range(before, frame.shape[axis] - after), axis)
    return frame


def sizes(counts, kernel, stride, padding, extra):
    """Return the lengths of the larger image of a transposed layer; some may be below 1."""
    return [(n - 1) * stride + kernel + extra - 2 * padding for n in counts]


def assert_equal_sums(found, right, bound):
    """Assert equality up to rounding; bound is the same sum of absolute values.

    A sum of m products in any order is off by at most m eps bound, and here m is below 500.
    """
    assert found.shape == right.shape
    assert (np.abs(found - right) <= 1e-12 * bound).all()


@pytest.mark.parametrize(("kernel", "stride"), often(7, GRID))
def test_phases_and_additions_give_what_the_plain_formulation_gives(kernel, stride):
    rng = np.random.default_rng(kernel)
    extras = range(stride)  # the output_padding of a transposed layer
    counted = itertools.product(((4, 7), (1, 2), (9,), (2, 3, 2)), (0, 1, 2, 3, 6), extras)
    for counts, padding, extra in counted:
        size = sizes(counts, kernel, stride, padding, extra)
        if min(size) < 1:
            continue
        margins = [(padding, padding)] * len(counts)
        framed = [n + 2 * padding for n in size]
        y = rng.standard_normal((3, *counts, 2))
        for d in (1, 3):
            W = rng.standard_normal((*[kernel] * len(counts), 2, d))
            right = without(plain_scatter(y, W, stride, framed), margins)
            bound = without(plain_scatter(np.abs(y), np.abs(W), stride, framed), margins)
            added = conv.crop(conv.scatter(y, W, stride, framed), margins)
            assert_equal_sums(added, right, bound)
            by_phases = conv.scatter_by_phases(y, W, stride, size, margins)
            assert_equal_sums(by_phases, right, bound)
            assert_equal_sums(conv.spread(y, W, stride, size, margins), right, bound)


def test_margins_may_differ_from_side_to_side_and_from_axis_to_axis():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((2, 5, 4, 2))
    for kernel, stride in itertools.product((2, 3, 4), (1, 2, 3)):
        W = rng.standard_normal((kernel, kernel, 2, 3))
        framed = [4 * stride + kernel, 3 * stride + kernel + stride - 1]
        for top, bottom, left, right in itertools.product((0, 3), (1, 2), (0, 2), (0, 1)):
            margins = ((top, bottom), (left, right))
            size = [framed[0] - top - bottom, framed[1] - left - right]
            if min(size) < 1:
                continue
            expected = without(plain_scatter(y, W, stride, framed), margins)
            found = conv.scatter_by_phases(y, W, stride, size, margins)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("way", ["phases", "additions"])
def test_pixels_that_no_window_reaches_are_zero_to_the_last_bit(way):
    y, W = np.full((2, 3, 3, 2), np.pi), np.full((2, 2, 2, 3), np.e)
    margins, size = ((0, 0), (0, 0)), (14, 13)  # windows of 2 pixels at 0, 4 and 8
    if way == "phases":
        out = conv.scatter_by_phases(y, W, 4, size, margins)
    else:
        out = conv.scatter(y, W, 4, size)
    reached = np.isin(np.arange(14), (0, 1, 4, 5, 8, 9))
    assert np.array_equal(out.all(axis=(0, 3)), np.outer(reached, reached[:13]))
    assert not out[:, ~reached].any() and not out[:, :, ~reached[:13]].any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("d", [1, 3])
def test_the_dtype_of_the_result_is_that_of_the_numbers(dtype, d):
    y, W = np.ones((2, 3, 3, 2), dtype), np.ones((3, 3, 2, d), np.dtype(dtype).char.lower())
    for size in ((5, 5), (6, 5)):
        assert conv.spread(y, W, 2, size, ((1, 1), (1, 1))).dtype == dtype
    assert conv.correlate(y[..., :1], W[:, :, :1], 1).dtype == dtype


@pytest.mark.parametrize("c", [1, 2])
@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_windows_are_rows_in_the_order_of_the_kernel(n_axes, c):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, *(6, 7, 5)[:n_axes], c))
    for kernel, stride in itertools.product((1, 2, 3), (1, 2)):
        rows = [
            x[(i, *(slice(r * stride, r * stride + kernel) for r in corner))].ravel()
            for i in range(3)
            for corner in np.ndindex(*((n - kernel) // stride + 1 for n in x.shape[1:-1]))
        ]
        found = np.concatenate([matrix for _, matrix in conv.windows(x, kernel, stride)])
        assert np.array_equal(found, rows)


@pytest.mark.parametrize("c", [1, 3])
def test_one_pass_over_the_windows_gives_the_correlation_and_the_gradient(c):
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((5, 9, 8, c)), rng.standard_normal((3, 3, c, 2))
    y = rng.standard_normal((5, 4, 3, 2))
    out, dW = conv.correlate_both(x, W, y, 2)
    np.testing.assert_allclose(out, conv.correlate(x, W, 2), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(dW, conv.kernel_gradient(x, y, 3, 2), rtol=1e-12, atol=1e-12)


def test_a_negative_margin_cuts_off_and_no_margin_copies_nothing():
    x = np.arange(24.0).reshape(1, 4, 6, 1)
    assert conv.pad(x, [(0, 0), (0, 0)]) is x
    found = conv.pad(x, [(-1, 2), (1, -3)])[0, :, :, 0]
    right = [[0, 6, 7, 8], [0, 12, 13, 14], [0, 18, 19, 20], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert np.array_equal(found, right)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("y", "W", "stride", "size"),
    [
        ((64, 16, 16, 8), (4, 4, 8, 8), 2, (34, 34)),
        ((64, 16, 16, 1), (4, 4, 1, 64), 4, (64, 64)),  # few windows, large products
        ((64, 16, 16, 64), (5, 5, 64, 2), 1, (20, 20)),  # large windows, small products
        ((64, 16, 16, 16), (5, 5, 16, 1), 1, (20, 20)),  # by additions
    ],
)
def test_beyond_its_result_a_layer_needs_a_bounded_amount_of_memory(y, W, stride, size):
    y, W = np.ones(y, "float32"), np.ones(W, "float32")
    none = ((0, 0), (0, 0))
    conv.spread(y[:1], W, stride, size, none)
    tracemalloc.start()
    out = conv.spread(y, W, stride, size, none)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    framed = 4 * conv.pad(y, [(4, 4), (4, 4)]).size
    # A few samples at a time, or one: their windows, their products, and one more for operands.
    taps = -(-len(W) // stride)
    one = max(taps**2 * W.shape[2] * 20**2, W.shape[3] * size[0] * size[1])
    bound = out.base.nbytes + framed + 3 * 4 * max(conv.ENTRIES, one)
    assert peak <= bound < 4 * len(y) * one * 3


LAYERS = [
    (cls, kernel, stride, channels, padding)
    for cls in (Conv2D, ConvTranspose2D, Conv1D, ConvTranspose1D)
    for kernel in (1, 2, 3, 4, 5)
    for stride in (1, 2, 3, 4)
    for channels, padding in itertools.product(((2, 3), (1, 2), (2, 1)), (0, 1, 2, "same"))
]
QUICK = LAYERS[::193]


@pytest.mark.parametrize(("cls", "kernel", "stride", "channels", "padding"), QUICK)
def test_gradients_are_exact_and_equal_those_of_pytorch(cls, kernel, stride, channels, padding):
    assert_exact_and_as_in_pytorch(cls, kernel, stride, channels, padding)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [Conv2D, ConvTranspose2D, Conv1D, ConvTranspose1D])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_gradients_are_exact_and_equal_those_of_pytorch_for_all_settings(cls, kernel):
    for layer in LAYERS:
        if layer[:2] == (cls, kernel):
            assert_exact_and_as_in_pytorch(*layer)


def assert_exact_and_as_in_pytorch(cls, kernel, stride, channels, padding):
    """Compare a layer's gradients with the complex step, and its results with PyTorch's."""
    (c_in, c_out), rng = channels, np.random.default_rng(kernel)
    size = (7, 6) if cls in (Conv2D, ConvTranspose2D) else (9,)
    layer = cls(c_in, c_out, kernel, stride, padding, rng=rng, dtype="float64")
    layer.theta = rng.standard_normal(layer.theta.shape)
    x = rng.standard_normal((2, *size, c_in))
    gradient_check(layer, x, tolerance=1e-12).raise_if_wrong()
    if padding == "same" or not importlib.util.find_spec("torch"):
        return
    import torch

    is_transposed = cls in (ConvTranspose2D, ConvTranspose1D)
    name = f"conv_transpose{len(size)}d" if is_transposed else f"conv{len(size)}d"
    order = (2, 3, 0, 1) if is_transposed else (3, 2, 0, 1)
    order = order if len(size) == 2 else ((1, 2, 0) if is_transposed else (2, 1, 0))
    for dtype, close in (("float64", 1e-12), ("float32", 1e-4)):  # sums of up to 100 products
        layer = layer.astype(dtype)
        images = x.astype(dtype)
        out = layer.forward(images)
        dout = rng.standard_normal(out.shape).astype(dtype)
        dx = layer.backward(dout)
        W = torch.tensor(layer.params["W"].transpose(order).copy(), requires_grad=True)
        given = torch.tensor(np.moveaxis(images, -1, 1).copy(), requires_grad=True)
        b = torch.tensor(layer.params["b"].copy())
        theirs = getattr(torch.nn.functional, name)(given, W, b, stride=stride, padding=padding)
        theirs.backward(torch.tensor(np.moveaxis(dout, -1, 1).copy()))
        for mine, other in (
            (out, np.moveaxis(theirs.detach().numpy(), 1, -1)),
            (dx, np.moveaxis(given.grad.numpy(), 1, -1)),
            (layer.grads["W"], W.grad.numpy().transpose(np.argsort(order))),
        ):
            assert mine.dtype == dtype
            np.testing.assert_allclose(mine, other, rtol=close, atol=close)


def first_layers():
    """Return lists of layers that begin a network for images (8, 8), and contain no Dense."""
    return [
        [Reshape(8, 8, 1), Conv2D(1, 2, 3)],
        [Reshape(8, 8, 1), Dropout(0.1), MaxPool2D(2), Conv2D(1, 2, 3, 2, 1)],
        [Reshape(8, 8, 1), ConvTranspose2D(1, 2, 3, 2)],
        [Reshape(64, 1), Conv1D(1, 2, 5, 2)],
        [Sequential(Reshape(8, 8, 1), Sequential(Conv2D(1, 2, 3), Tanh()))],
        [Reshape(8, 8, 1), Frozen(Conv2D(1, 2, 3, rng=0)), Conv2D(2, 2, 3)],
    ]


@pytest.mark.parametrize("layers", first_layers(), ids=repr)
def test_the_first_convolution_of_a_model_computes_no_dx(monkeypatch, layers):
    whole = Sequential(*copy.deepcopy(layers), Flatten())
    features = whole.forward(np.zeros((1, 8, 8))).shape[1]
    encoder = Sequential(*copy.deepcopy(layers), Tanh(), Flatten(), Dense(features, 3))
    decoder = Sequential(Dense(3, 64), Reshape(8, 8))
    model = Autoencoder((8, 8), 3, encoder=encoder, decoder=decoder)
    x = np.random.default_rng(0).random((4, 8, 8))
    model.loss(x, training=True)

    def refuse(*arguments):
        raise AssertionError("dx of the first layer is computed")

    monkeypatch.setattr(conv, "spread", refuse)
    monkeypatch.setattr(conv, "correlate_both", refuse)
    model.backward()
    assert np.isfinite(model.dtheta).all() and model.dtheta.any()
