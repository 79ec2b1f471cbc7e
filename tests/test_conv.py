"""Conv2D and ConvTranspose2D: against plain loops, against each other, against PyTorch."""

import copy

import numpy as np
import pytest
from sampled import often

from miniae import (
    Conv2D,
    ConvTranspose2D,
    Dense,
    Sequential,
    Tanh,
    conv,
)
from miniae.proof.gradcheck import gradient_check

SIZES = [(7, 5), (6, 9), (8, 8)]
GRID = [
    (kernel, stride, padding, SIZES[i % 3])
    for i, (kernel, stride, padding) in enumerate(
        (k, s, p) for k in (1, 2, 3, 5) for s in (1, 2, 3) for p in (0, 1, 2, "same")
    )
]
# Sums of up to 500 products of order 1 in float64, in two orders: below 500 eps = 1e-13 each.
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def frame(size, kernel, stride, padding):
    """Return the zeros before and after each axis; "same" as Keras documents it."""
    if padding != "same":
        return [(padding, padding)] * 2
    pairs = []
    for n in size:
        rest = n % stride or stride
        total = max(kernel - rest, 0)
        pairs.append((total // 2, total - total // 2))
    return pairs


def conv_loops(x, W, b, stride, zeros, dout=None):
    """Return out, dx, dW, db of a convolution, one output number at a time."""
    kernel, _, _, c_out = W.shape
    (top, bottom), (left, right) = zeros
    n, h, w, c_in = x.shape
    padded = np.zeros((n, top + h + bottom, left + w + right, c_in))
    padded[:, top : top + h, left : left + w] = x
    rows = (top + h + bottom - kernel) // stride + 1
    columns = (left + w + right - kernel) // stride + 1
    out = np.zeros((n, rows, columns, c_out))
    dpadded, dW, db = np.zeros_like(padded), np.zeros_like(W), np.zeros(c_out)
    for i in range(n):
        for r in range(rows):
            for c in range(columns):
                here = (i, slice(r * stride, r * stride + kernel),
                        slice(c * stride, c * stride + kernel))  # fmt: skip
                for o in range(c_out):
                    out[i, r, c, o] = b[o] + (padded[here] * W[..., o]).sum()
                    if dout is not None:
                        dpadded[here] += W[..., o] * dout[i, r, c, o]
                        dW[..., o] += padded[here] * dout[i, r, c, o]
                        db[o] += dout[i, r, c, o]
    return out, dpadded[:, top : top + h, left : left + w], dW, db


def transpose_loops(x, W, b, stride, zeros, size, dout):
    """Return out, dx, dW, db of a transposed convolution, one input number at a time."""
    kernel, _, _, c_out = W.shape
    (top, bottom), (left, right) = zeros
    h, w = size
    n, rows, columns, c_in = x.shape
    canvas = np.zeros((n, top + h + bottom, left + w + right, c_out))
    dcanvas = np.zeros_like(canvas)
    dcanvas[:, top : top + h, left : left + w] = dout
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for i in range(n):
        for r in range(rows):
            for c in range(columns):
                here = (i, slice(r * stride, r * stride + kernel),
                        slice(c * stride, c * stride + kernel))  # fmt: skip
                for m in range(c_in):
                    canvas[here] += x[i, r, c, m] * W[:, :, m]
                    dx[i, r, c, m] = (dcanvas[here] * W[:, :, m]).sum()
                    dW[:, :, m] += x[i, r, c, m] * dcanvas[here]
    out = canvas[:, top : top + h, left : left + w] + b
    return out, dx, dW, dout.sum(axis=(0, 1, 2))


def generic(layer, rng):
    """Return the layer in float64 with random parameters, so that the bias is not zero."""
    layer = layer.astype("float64")
    layer.theta = rng.standard_normal(layer.theta.shape)
    return layer


def layers():
    """Return layers that take images of 5 by 4 pixels and two channels."""
    return [
        Conv2D(2, 3, 3, stride=2, padding=1),
        Conv2D(2, 3, 2, stride=3, padding="same"),
        Conv2D(2, 1, 4, padding=2),
        ConvTranspose2D(2, 3, 3, stride=2, padding=1, output_padding=(1, 0)),
        ConvTranspose2D(2, 3, 4, stride=3, padding="same"),
        ConvTranspose2D(2, 1, 2, stride=3, output_padding=2),
        Sequential(Conv2D(2, 3, 3, rng=1), Tanh(), ConvTranspose2D(3, 2, 3, rng=2)),
    ]


def named(things):
    return pytest.mark.parametrize("layer", things, ids=[repr(thing) for thing in things])


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), often(7, GRID))
def test_conv2d_is_what_plain_loops_compute(kernel, stride, padding, size):
    rng = np.random.default_rng(kernel)
    layer = generic(Conv2D(2, 3, kernel, stride, padding), rng)
    x = rng.standard_normal((2, *size, 2))
    out = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout)
    W, b = layer.params["W"], layer.params["b"]
    expected = conv_loops(x, W, b, stride, frame(size, kernel, stride, padding), dout)
    assert out.shape == expected[0].shape
    if padding == "same":
        assert out.shape[1:3] == tuple(-(-n // stride) for n in size)
    for found, right in zip((out, dx, layer.grads["W"], layer.grads["b"]), expected, strict=True):
        np.testing.assert_allclose(found, right, **EXACT)


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), often(7, GRID))
def test_conv_transpose2d_is_what_plain_loops_compute(kernel, stride, padding, size):
    rng = np.random.default_rng(kernel)
    extra = (0, 0) if padding == "same" else (stride - 1, (stride - 1) // 2)
    layer = generic(ConvTranspose2D(3, 2, kernel, stride, padding, extra), rng)
    x = rng.standard_normal((2, *size, 3))
    if padding == "same":
        large = [n * stride for n in size]
    else:
        large = [
            (n - 1) * stride - 2 * padding + kernel + more
            for n, more in zip(size, extra, strict=True)
        ]
    out = layer.forward(x)
    assert out.shape == (2, *large, 2)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout)
    W, b = layer.params["W"], layer.params["b"]
    zeros = frame(large, kernel, stride, padding)
    expected = transpose_loops(x, W, b, stride, zeros, large, dout)
    for found, right in zip((out, dx, layer.grads["W"], layer.grads["b"]), expected, strict=True):
        np.testing.assert_allclose(found, right, **EXACT)


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), often(7, GRID))
def test_the_transposed_layer_is_the_adjoint_of_the_convolution(kernel, stride, padding, size):
    rng = np.random.default_rng(0)
    if padding == "same":
        size = [n * stride for n in size]
        rest = 0
    else:
        rest = tuple((n + 2 * padding - kernel) % stride for n in size)
    down = Conv2D(2, 3, kernel, stride, padding, dtype="float64")
    up = ConvTranspose2D(3, 2, kernel, stride, padding, rest, dtype="float64")
    up.params["W"] = down.params["W"].swapaxes(2, 3)
    x = rng.standard_normal((2, *size, 2))
    out = down.forward(x)
    y = rng.standard_normal(out.shape)
    back = up.forward(y)
    assert back.shape == x.shape
    # Two sums of the same 1,000 products of order 1, in two orders: 1,000 eps = 1e-13.
    assert np.vdot(out, y) == pytest.approx(np.vdot(x, back), rel=0, abs=1e-11)


@pytest.mark.parametrize("n", [4, 5])
def test_images_taken_a_few_at_a_time_give_the_same(monkeypatch, n):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 6, 5, 2))
    for layer in (Conv2D(2, 3, 3, 2, 1), ConvTranspose2D(2, 3, 3, 2, 1)):
        layer = generic(layer, rng)
        found = []
        for entries in (1, 2 * 9 * 30 * 3, 10**6):
            monkeypatch.setattr(conv, "ENTRIES", entries)
            out = layer.forward(x)
            dx = layer.backward(np.cos(out))
            found.append(np.concatenate([out.ravel(), dx.ravel(), layer.dtheta]))
        np.testing.assert_allclose(found[0], found[2], **EXACT)
        np.testing.assert_allclose(found[1], found[2], **EXACT)


def test_the_matrix_of_windows_stays_within_its_bound_unless_one_image_needs_more():
    x = np.zeros((300, 30, 30, 8), "float32")
    sizes = [matrix.size for _, matrix in conv.windows(x, 3, 1)]
    assert len(sizes) > 1 and max(sizes) <= conv.ENTRIES
    assert sum(sizes) == 300 * 28 * 28 * 72
    assert len(list(conv.windows(np.zeros((2, 600, 600, 1), "float32"), 3, 1))) == 2


@pytest.mark.parametrize(
    ("layer", "seed"),
    [
        pytest.param(layer, seed, marks=pytest.mark.slow if seed or i % 6 else ())
        for i, layer in enumerate(layers())
        for seed in (0, 1)
    ],
    ids=repr,
)
def test_the_gradient_is_exact(layer, seed):
    x = np.random.default_rng(seed).standard_normal((3, 5, 4, 2))
    gradient_check(layer, x, seed=seed, tolerance=1e-12).raise_if_wrong()


@named(layers())
def test_forward_and_backward_leave_x_dout_and_params_unchanged(layer):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5, 4, 2))
    out = layer.forward(x, training=True)
    dout = rng.standard_normal(out.shape)
    before = x.copy(), dout.copy(), layer.theta.copy(), out.copy()
    layer.backward(dout)
    for old, new in zip(before, (x, dout, layer.theta, out), strict=True):
        assert np.array_equal(old, new)


@named(layers())
def test_backward_twice_gives_the_same_answer(layer):
    rng = np.random.default_rng(0)
    out = layer.forward(rng.standard_normal((3, 5, 4, 2)))
    dout = rng.standard_normal(out.shape)
    dx, dtheta = layer.backward(dout).copy(), layer.dtheta.copy()
    assert np.array_equal(layer.backward(dout), dx)
    assert np.array_equal(layer.dtheta, dtheta)


@named(layers())
def test_backward_params_fills_the_same_grads_without_dx(layer):
    rng = np.random.default_rng(0)
    out = layer.forward(rng.standard_normal((3, 5, 4, 2)))
    dout = rng.standard_normal(out.shape)
    layer.backward(dout)
    dtheta = layer.dtheta.copy()
    layer.dtheta[...] = 0
    assert layer.backward_params(dout) is None
    assert np.array_equal(layer.dtheta, dtheta)


@named(layers())
def test_float32_stays_float32_and_is_close_to_float64(layer):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5, 4, 2))
    exact = layer.astype("float64")
    out, right = layer.forward(x.astype("float32")), exact.forward(x)
    dout = rng.standard_normal(out.shape)
    dx, dx_right = layer.backward(dout.astype("float32")), exact.backward(dout)
    assert out.dtype == dx.dtype == layer.dtheta.dtype == np.float32
    # Sums of up to 100 products of order 1.
    for a, b in ((out, right), (dx, dx_right), (layer.dtheta, exact.dtheta)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@named(layers()[:-1])
def test_nothing_is_kept_for_backward_but_x_itself(layer):
    x = np.random.default_rng(0).standard_normal((3, 5, 4, 2), dtype="float32")
    layer.forward(x)
    assert layer.cache is x


@named(layers())
def test_out_and_dx_are_arrays_of_their_own(layer):
    x = np.random.default_rng(0).standard_normal((3, 5, 4, 2))
    out = layer.forward(x)
    first, dx = out.copy(), layer.backward(np.cos(out))
    dx_first = dx.copy()
    layer.backward(layer.forward(-x))
    assert np.array_equal(out, first) and np.array_equal(dx, dx_first)
    assert not np.shares_memory(out, x)


@named(layers())
def test_a_view_with_odd_strides_or_integers_give_what_a_copy_gives(layer):
    numbers = np.arange(-60, 60).reshape(3, 5, 4, 2) % 7
    for view in (numbers, numbers[::2], numbers[:, ::-1], np.asfortranarray(numbers)):
        whole = np.ascontiguousarray(view, dtype="float64")
        out = layer.forward(view)
        np.testing.assert_allclose(out, layer.forward(whole), **EXACT)
        dout = np.asfortranarray(np.cos(out))
        dx, dtheta = layer.backward(dout).copy(), layer.dtheta.copy()
        layer.forward(whole)
        np.testing.assert_allclose(dx, layer.backward(np.cos(out)), **EXACT)
        np.testing.assert_allclose(dtheta, layer.dtheta, rtol=1e-5, atol=1e-5)


@named(layers())
def test_a_copy_and_its_repr_are_the_layer_again(layer):
    clone = copy.deepcopy(layer)
    x = np.random.default_rng(0).standard_normal((3, 5, 4, 2))
    assert repr(clone) == repr(layer)
    assert np.array_equal(clone.forward(x), layer.forward(x))
    for one in getattr(layer, "layers", [layer]):
        rebuilt = type(one)(**{name: getattr(one, name) for name in one.config})
        assert repr(rebuilt) == repr(one)


def test_a_layer_of_one_pixel_windows_is_a_dense_layer_at_every_pixel():
    rng = np.random.default_rng(0)
    dense = generic(Dense(3, 4), rng)
    x = rng.standard_normal((2, 5, 6, 3))
    rows = dense.forward(x.reshape(-1, 3)).reshape(2, 5, 6, 4)
    for cls in (Conv2D, ConvTranspose2D):
        layer = cls(3, 4, 1, dtype="float64")
        layer.params["W"], layer.params["b"] = dense.params["W"][None, None], dense.params["b"]
        np.testing.assert_allclose(layer.forward(x), rows, **EXACT)


@pytest.mark.parametrize("output_padding", [0, 1])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (5, 2, 0), (4, 3, 2)])
def test_torch_computes_the_same(kernel, stride, padding, output_padding):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 9, 8, 2))
    for layer, function, order, more in (
        (Conv2D(2, 4, kernel, stride, padding), torch.nn.functional.conv2d, (3, 2, 0, 1), {}),
        (
            ConvTranspose2D(2, 4, kernel, stride, padding, output_padding),
            torch.nn.functional.conv_transpose2d,
            (2, 3, 0, 1),
            {"output_padding": output_padding},
        ),
    ):
        layer = generic(layer, rng)
        out = layer.forward(x)
        dout = rng.standard_normal(out.shape)
        dx = layer.backward(dout)
        W = torch.tensor(layer.params["W"].transpose(order).copy(), requires_grad=True)
        b = torch.tensor(layer.params["b"].copy(), requires_grad=True)
        images = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
        theirs = function(images, W, b, stride=stride, padding=padding, **more)
        theirs.backward(torch.tensor(dout.transpose(0, 3, 1, 2).copy()))
        back = np.argsort(order)
        for mine, other in (
            (out, theirs.detach().numpy().transpose(0, 2, 3, 1)),
            (dx, images.grad.numpy().transpose(0, 2, 3, 1)),
            (layer.grads["W"], W.grad.numpy().transpose(back)),
            (layer.grads["b"], b.grad.numpy()),
        ):
            np.testing.assert_allclose(mine, other, **EXACT)


@pytest.mark.parametrize("cls", [Conv2D, ConvTranspose2D])
@pytest.mark.parametrize("stride", [1, 2])
def test_weights_keep_the_size_of_signals(cls, stride):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((8, 16, 16, 64))
    for init, expectation in (("he", 2), ("pytorch", 1 / 3)):
        layer = cls(64, 64, 3, stride, init=init, rng=rng)
        out = layer.forward(x)[:, 2:-2, 2:-2]  # the border has fewer products
        # The mean of 200,000 squares, which are correlated over 9 x 64.
        assert (out**2).mean() == pytest.approx(expectation, rel=0.15)
    glorot = cls(40, 20, 3, stride, rng=rng)
    fans = {40: 1.0, 20: 1.0}
    fans[20 if cls is Conv2D else 40] /= stride**2
    variance = 2 / (9 * (40 * fans[40] + 20 * fans[20]))
    # A uniform sample's variance has relative standard error sqrt(0.8 / 7,200) = 0.011.
    assert glorot.params["W"].var() == pytest.approx(variance, rel=0.05)
    assert not glorot.params["b"].any()


def test_weights_repeat_by_seed_in_either_dtype():
    for cls in (Conv2D, ConvTranspose2D):
        a, b = cls(2, 3, 3, rng=7), cls(2, 3, 3, rng=7, dtype="float64")
        assert np.array_equal(a.params["W"], b.params["W"].astype("float32"))
        assert not np.array_equal(a.params["W"], cls(2, 3, 3, rng=8).params["W"])
        rng = np.random.default_rng(7)
        one, other = cls(2, 3, 3, rng=rng), cls(2, 3, 3, rng=rng)
        assert not np.array_equal(one.params["W"], other.params["W"])


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((5, 7, 7), r"x must have shape \(n, h, w, 2\), got \(5, 7, 7\); x\[\.\.\., None\] adds"),
        ((5, 7, 7, 3), r"got \(5, 7, 7, 3\); channels come last"),
        ((5, 2, 7, 7), r"got \(5, 2, 7, 7\); channels come last"),
        ((0, 7, 7, 2), r"got \(0, 7, 7, 2\); channels come last, and no axis may be empty"),
        ((5, 98), r"got \(5, 98\); a Reshape\(h, w, channels\) before this"),
        ((2,), r"got \(2,\)"),
    ],
)
def test_an_x_that_is_not_a_batch_of_images_is_refused_with_a_hint(shape, words):
    for layer in (Conv2D(2, 3, 3), ConvTranspose2D(2, 3, 3)):
        with pytest.raises(ValueError, match=words):
            layer.forward(np.zeros(shape))


def test_an_image_below_the_kernel_is_refused_with_the_formula_and_its_numbers():
    with pytest.raises(ValueError) as error:
        Conv2D(1, 4, 5, stride=2, padding=1).forward(np.zeros((3, 9, 2, 1)))
    words = str(error.value)
    assert "Conv2D(1, 4, 5, 2, 1, 'glorot')" in words and "(3, 9, 2, 1)" in words
    assert "out = (in + 2 padding - kernel) // stride + 1 = (2 + 2 - 5) // 2 + 1" in words


def test_a_transposed_layer_that_cuts_everything_off_is_refused_with_the_formula():
    with pytest.raises(ValueError, match=r"\(3, 1, 4, 1\).*out = \(in - 1\) stride.*= \[-1, 2\]"):
        ConvTranspose2D(1, 4, 3, padding=2).forward(np.zeros((3, 1, 4, 1)))


@named(layers())
def test_a_dout_of_another_shape_is_refused(layer):
    out = layer.forward(np.zeros((3, 5, 4, 2)))
    for wrong in (np.ones(out.shape[1:]), np.ones((1, *out.shape[1:])), 1.0):
        with pytest.raises(ValueError, match="dout has shape"):
            layer.backward(wrong)
        with pytest.raises(ValueError, match="dout has shape"):
            layer.backward_params(wrong)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv2D(0, 3, 3), "Conv2D: c_in=0 must be one integer, 1 or more"),
        (lambda: Conv2D(1, 2.0, 3), "c_out=2.0"),
        (lambda: Conv2D(1, 3, (3, 3)), r"kernel=\(3, 3\) must be one integer"),
        (lambda: ConvTranspose2D(1, 3, 3, stride=0), "ConvTranspose2D: stride=0"),
        (lambda: Conv2D(1, 3, 3, padding=-1), "padding=-1 must be an integer"),
        (
            lambda: Conv2D(1, 3, 3, padding="valid"),
            'padding=\'valid\' must be .* or "same"; what Keras calls "valid" is padding=0',
        ),
        (lambda: Conv2D(1, 3, 3, padding=1.0), "padding=1.0"),
        (lambda: Conv2D(1, 3, 3, init="lecun"), "init='lecun'"),
        (lambda: ConvTranspose2D(1, 3, 3, 2, 1, 2), r"output_padding=2 must .* from 0 to 1"),
        (lambda: ConvTranspose2D(1, 3, 3, 2, 1, (0, -1)), r"output_padding=\(0, -1\)"),
        (lambda: ConvTranspose2D(1, 3, 3, 2, 1, (0, 0, 0)), r"output_padding=\(0, 0, 0\)"),
        (lambda: ConvTranspose2D(1, 3, 3, 2, 1, 0.5), "output_padding=0.5"),
        (lambda: ConvTranspose2D(1, 3, 3, 2, "same", 1), "output_padding=1 .* padding='same'"),
    ],
)
def test_impossible_arguments_are_refused_by_name_and_value(make, words):
    with pytest.raises(ValueError, match=words):
        make()
