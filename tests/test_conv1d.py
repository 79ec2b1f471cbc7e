"""Convolutions of signals, against plain loops, their adjoints and PyTorch."""

import copy

import numpy as np
import pytest
from sampled import often

from miniae import Autoencoder, Conv1D, ConvTranspose1D, Dense, Flatten, Reshape, Sequential, Tanh
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
    before, after = layer.margins(9)
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
        (lambda: Conv1D(1, 3, 5), np.ones((4, 3, 1)), "fewer than kernel=5"),
        (lambda: ConvTranspose1D(1, 3, 1, 1, 2), np.ones((4, 3, 1)), "too short"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_both_shapes(make, x, message):
    with pytest.raises(ValueError, match=message):
        make().forward(x)


@pytest.mark.parametrize("value", [-1, 2, 0.5, "same"])
def test_output_padding_must_be_below_the_stride(value):
    with pytest.raises(ValueError, match="output_padding=.* from 0 to 1"):
        ConvTranspose1D(1, 1, 3, 2, 1, value)


@pytest.mark.parametrize(("init", "square"), [("glorot", 6 / 22), ("he", 0.5), ("pytorch", 1 / 12)])
def test_the_range_of_the_weights_is_that_of_the_init(init, square):
    W = Conv1D(3, 5, 4, 2, init=init, rng=0).params["W"]  # 12 products in an entry of out, 10 of dx
    assert 0.8 * square**0.5 < np.abs(W).max() <= square**0.5
