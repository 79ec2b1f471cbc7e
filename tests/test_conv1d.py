"""Convolutions of signals, against plain loops, their adjoints and PyTorch."""

import copy

import numpy as np
import pytest
from sampled import often

from miniae import (
    Autoencoder,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    Dense,
    Flatten,
    Reshape,
    Sequential,
    Tanh,
)
from miniae.conv import ENTRIES, windows
from miniae.proof import gradient_check

CASES = [
    (kernel, stride, padding)
    for kernel in (1, 2, 3, 4)
    for stride in (1, 2, 3)
    for padding in (0, 1, 2, "same")
]


def conv(kernel, stride, padding, seed=0):
    rng = np.random.default_rng(seed)
    layer = Conv1D(3, 2, kernel, stride, padding, rng=rng, dtype="float64")
    layer.params["b"] = rng.standard_normal(2)
    return layer, rng.standard_normal((2, 9, 3))


def transposed(layer, output_padding=0):
    """Return the ConvTranspose1D with the same weights, and without b."""
    other = ConvTranspose1D(
        layer.c_out, layer.c_in, layer.kernel, layer.stride, layer.padding, output_padding,
        dtype="float64",
    )  # fmt: skip
    other.params["W"] = layer.params["W"].swapaxes(1, 2)
    return other


@pytest.mark.parametrize(("kernel", "stride", "padding"), often(11, CASES))
def test_conv1d_is_what_plain_loops_compute(kernel, stride, padding):
    layer, x = conv(kernel, stride, padding)
    before = after = padding
    if padding == "same":  # as Keras documents it: the odd zero comes last
        total = max(kernel - (9 % stride or stride), 0)
        before, after = total // 2, total - total // 2
    padded = np.zeros((2, before + 9 + after, 3))
    padded[:, before : before + 9] = x
    steps = (padded.shape[1] - kernel) // stride + 1
    if padding == "same":
        assert steps == -(-9 // stride)
    out = np.zeros((2, steps, 2))
    for r in range(steps):
        out[:, r] = layer.params["b"]
        for i in range(kernel):
            out[:, r] += padded[:, r * stride + i] @ layer.params["W"][i]
    np.testing.assert_allclose(layer.forward(x), out, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("kernel", "stride", "padding"), often(11, CASES))
def test_the_transposed_layer_is_the_adjoint(kernel, stride, padding):
    layer, _ = conv(kernel, stride, padding)
    layer.params["b"] = np.zeros(2)
    x = np.random.default_rng(2).standard_normal((2, 12, 3))  # 12: a multiple of every stride
    out = layer.forward(x)
    y = np.random.default_rng(1).standard_normal(out.shape)
    lost = 0 if padding == "same" else (12 + 2 * padding - kernel) % stride
    back = transposed(layer, lost).forward(y)
    assert back.shape == x.shape
    assert np.vdot(out, y) == pytest.approx(np.vdot(x, back), rel=1e-12)


@pytest.mark.parametrize(("kernel", "stride", "padding"), often(11, CASES))
def test_the_gradients_are_exact(kernel, stride, padding):
    layer, x = conv(kernel, stride, padding)
    gradient_check(layer, x, tolerance=1e-12).raise_if_wrong()
    up = transposed(layer, 0 if padding == "same" else stride - 1)
    up.params["b"] = np.array([0.3, -0.2, 0.7])
    gradient_check(up, x[:, :, :2], tolerance=1e-12).raise_if_wrong()


@pytest.mark.parametrize(("kernel", "stride", "padding"), often(11, CASES))
def test_both_layers_equal_those_of_pytorch(kernel, stride, padding):
    torch = pytest.importorskip("torch")
    if padding == "same":
        pytest.skip("PyTorch has it at stride 1 only, with the odd zero in the same place")
    layer, x = conv(kernel, stride, padding)
    W, b = layer.params["W"], layer.params["b"]
    given = torch.tensor(x.swapaxes(1, 2), requires_grad=True)
    weight = torch.tensor(W.transpose(2, 1, 0).copy(), requires_grad=True)
    bias = torch.tensor(b.copy(), requires_grad=True)
    theirs = torch.nn.functional.conv1d(given, weight, bias, stride, padding)
    ours = layer.forward(x)
    dout = np.random.default_rng(1).standard_normal(ours.shape)
    theirs.backward(torch.tensor(dout.swapaxes(1, 2)))
    dx = layer.backward(dout)
    for mine, other in (
        (ours, theirs.detach().numpy().swapaxes(1, 2)),
        (dx, given.grad.numpy().swapaxes(1, 2)),
        (layer.grads["W"], weight.grad.numpy().transpose(2, 1, 0)),
        (layer.grads["b"], bias.grad.numpy()),
    ):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-10)
    up = transposed(layer, stride - 1)
    y = np.random.default_rng(2).standard_normal((2, 5, 2))
    theirs = torch.nn.functional.conv_transpose1d(
        torch.tensor(y.swapaxes(1, 2)), weight, None, stride, padding, stride - 1
    )
    np.testing.assert_allclose(
        up.forward(y), theirs.detach().numpy().swapaxes(1, 2), rtol=0, atol=1e-10
    )


def test_an_autoencoder_of_signals_trains_and_survives_copies_and_files(tmp_path):
    t = np.linspace(0, 2 * np.pi, 16)
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (200, 1))
    X = np.sin(t + phases)[..., None]
    encoder = Sequential(Conv1D(1, 4, 4, 2, "same"), Tanh(), Flatten(), Dense(32, 2))
    decoder = Sequential(Dense(2, 32), Reshape(8, 4), Tanh(), ConvTranspose1D(4, 1, 4, 2, "same"))
    model = Autoencoder((16, 1), 2, encoder=encoder, decoder=decoder, loss="mse", dtype="float64")
    before = model.evaluate(X)
    model.fit(X, epochs=20, batch_size=20, verbose=0)
    assert model.evaluate(X) < 0.5 * before
    model.save(tmp_path / "model.npz")
    for other in (Autoencoder.load(tmp_path / "model.npz"), copy.deepcopy(model)):
        assert np.array_equal(other.encode(X), model.encode(X))


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: Conv1D(2, 3, 3), np.ones((4, 9)), r"\(n, T, 2\), got \(4, 9\); x\[..., None\]"),
        (lambda: Conv1D(2, 3, 3), np.ones((4, 9, 3)), "channels come last"),
        (lambda: Conv1D(1, 3, 5), np.ones((4, 3, 1)), r"smaller than the kernel: .*\(3 \+ 0 - 5\)"),
        (lambda: ConvTranspose1D(1, 3, 1, 1, 2), np.ones((4, 3, 1)), r"too small: .*= \[-1\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_both_shapes(make, x, message):
    with pytest.raises(ValueError, match=message):
        make().forward(x)


@pytest.mark.parametrize("value", [-1, 2, 0.5, "same", True, (0, 1)])
def test_output_padding_must_be_below_the_stride(value):
    with pytest.raises(ValueError, match="output_padding=.* from 0 to 1"):
        ConvTranspose1D(1, 1, 3, 2, 1, value)


@pytest.mark.parametrize(("init", "square"), [("glorot", 6 / 22), ("he", 0.5), ("pytorch", 1 / 12)])
def test_the_range_of_the_weights_is_that_of_the_init(init, square):
    W = Conv1D(3, 5, 4, 2, init=init, rng=0).params["W"]  # 12 products in an entry of out, 10 of dx
    assert 0.8 * square**0.5 < np.abs(W).max() <= square**0.5


@pytest.mark.parametrize("cls", [Conv1D, ConvTranspose1D])
def test_without_a_bias_the_rest_is_the_same_in_copies_and_files(cls, tmp_path):
    x = np.random.default_rng(1).standard_normal((3, 9, 2))
    layer, plain = (
        cls(2, 3, 3, 2, "same", bias=bias, rng=0, dtype="float64") for bias in (True, False)
    )
    np.testing.assert_array_equal(plain.forward(x), layer.forward(x))  # b starts at 0
    gradient_check(plain, x, tolerance=1e-12).raise_if_wrong()
    out = layer.forward(x)
    layer.backward(np.cos(out)), plain.backward(np.cos(out))
    np.testing.assert_array_equal(plain.grads["W"], layer.grads["W"])
    assert list(plain.params) == ["W"] and "False" in repr(plain)
    encoder = Sequential(
        cls(2, 3, 3, 2, "same", bias=False), Flatten(), Dense(layer.out_shape[1] * 3, 2)
    )
    model = Autoencoder((9, 2), 2, encoder=encoder, loss="mse", dtype="float64")
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(
        Autoencoder.load(tmp_path / "model.npz").encode(x), model.encode(x)
    )


@pytest.mark.parametrize("cls", [Conv1D, ConvTranspose1D])
def test_as_a_first_layer_it_fills_the_same_grads_without_dx(cls, monkeypatch):
    layer = cls(2, 3, 3, 2, 1, rng=0, dtype="float64")
    out = layer.forward(np.random.default_rng(1).standard_normal((3, 9, 2)))
    layer.backward(np.cos(out))
    dtheta = layer.dtheta.copy()
    layer.dtheta[...] = 0
    monkeypatch.setattr(cls, "backward", None)
    layer.backward_params(np.cos(out))
    np.testing.assert_array_equal(layer.dtheta, dtheta)


def test_signals_are_taken_a_few_at_a_time_and_nothing_but_x_is_kept(monkeypatch):
    x = np.zeros((300, 900, 8), "float32")
    sizes = [matrix.size for _, matrix in windows(x, 9, 1)]
    assert len(sizes) > 1 and max(sizes) <= ENTRIES and sum(sizes) == 300 * 892 * 72
    for layer in (Conv1D(3, 2, 4, 2, 1), ConvTranspose1D(3, 2, 4, 2, 1)):
        x, found = np.random.default_rng(0).standard_normal((5, 9, 3)), []
        for entries in (1, 150, 10**6):
            monkeypatch.setattr("miniae.conv.ENTRIES", entries)
            out = layer.forward(x)
            assert layer.cache is x
            found.append(np.concatenate([out.ravel(), layer.backward(np.cos(out)).ravel()]))
        np.testing.assert_allclose(found[0], found[2], rtol=0, atol=1e-13)
        np.testing.assert_allclose(found[1], found[2], rtol=0, atol=1e-13)


def test_a_signal_is_an_image_of_one_row():
    layer, x = conv(3, 2, 0)
    image = Conv2D(3, 2, 3, 2, dtype="float64")
    image.theta = np.random.default_rng(0).standard_normal(image.theta.size)
    layer.params["W"], layer.params["b"] = image.params["W"][1], image.params["b"]
    between = np.zeros((2, 3, 9, 3))
    between[:, 1] = x
    np.testing.assert_allclose(layer.forward(x), image.forward(between)[:, 0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("cls", [Conv1D, ConvTranspose1D])
def test_the_names_of_other_libraries_are_answered(cls):
    for name, ours in (("in_channels", "c_in"), ("filters", "c_out"), ("kernel_size", "kernel")):
        with pytest.raises(TypeError, match=f"'{name}': here it is called {ours}"):
            cls(**{name: 3})
