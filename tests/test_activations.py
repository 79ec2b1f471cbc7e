"""LeakyReLU, ELU, GELU: against PyTorch and exact numbers, by name in models; Dense without b."""

import copy
import pickle

import numpy as np
import pytest

from miniae import (
    ELU,
    GELU,
    VAE,
    Autoencoder,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    conv_networks,
    explorer,
    gradient_check,
)

LAYERS = {
    "leaky_relu": LeakyReLU(),
    "leaky_relu, 0.2": LeakyReLU(0.2),
    "elu": ELU(),
    "elu, 1.7": ELU(1.7),
    "gelu": GELU(),
}
each_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
NAMES = {"leaky_relu": LeakyReLU, "elu": ELU, "gelu": GELU}
each_name = pytest.mark.parametrize("name", NAMES)
FAR = np.array([-1e30, -1e4, -800.0, -30, -10, -1e-8, 1e-8, 10, 30, 800, 1e4, 1e30])


@each_layer
def test_out_and_dx_are_those_of_pytorch(layer):
    torch = pytest.importorskip("torch")
    F, (x, dout) = torch.nn.functional, np.random.default_rng(0).standard_normal((2, 4, 3, 5))
    theirs = {
        LeakyReLU: lambda t: F.leaky_relu(t, layer.slope),
        ELU: lambda t: F.elu(t, layer.alpha),
        GELU: lambda t: F.gelu(t, approximate="tanh"),
    }[type(layer)]
    t = torch.from_numpy(3 * x).requires_grad_()
    out = theirs(t)
    out.backward(torch.from_numpy(dout))
    assert np.allclose(layer.forward(3 * x), out.detach().numpy(), rtol=1e-12, atol=1e-14)
    assert np.allclose(layer.backward(dout), t.grad.numpy(), rtol=1e-12, atol=1e-14)


@each_layer
@pytest.mark.parametrize("shape", [(7, 6), (3, 2, 4, 2)])
def test_the_complex_step_agrees(layer, shape):
    x = 3 * np.random.default_rng(1).standard_normal(shape)
    for training in (True, False):
        report = gradient_check(layer, x, training=training, tolerance=1e-12)
        assert report.ok and report.method == "complex step", report


def test_at_zero_the_slope_is_that_of_the_negative_side_as_in_pytorch():
    for layer, slope in ((LeakyReLU(0.2), 0.2), (ELU(1.7), 1.7), (GELU(), 0.5)):
        assert layer.forward(np.zeros(2)).tolist() == [0, 0]
        assert layer.backward(np.ones(2)).tolist() == [slope, slope]


@each_layer
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_far_from_zero_nothing_overflows_and_the_dtype_stays(layer, dtype):
    x = FAR.astype(dtype)
    with np.errstate(over="raise", invalid="raise"):
        out, dx = layer.forward(x), layer.backward(np.ones_like(x))
    assert out.dtype == dx.dtype == x.dtype and np.isfinite(out).all()
    assert np.array_equal(out[-4:], x[-4:]) and (dx[-4:] == 1).all()
    low = {LeakyReLU: getattr(layer, "slope", 0), ELU: 0, GELU: 0}[type(layer)]
    assert np.allclose(dx[:3], low, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinity_has_its_limit_and_nan_stays(dtype):
    x = np.array([np.inf, -np.inf, np.nan], dtype)
    with np.errstate(invalid="raise"):
        for layer, low, slope in ((LeakyReLU(0.25), -np.inf, 0.25), (ELU(2.0), -2, 0)):
            assert np.array_equal(layer.forward(x), np.array([np.inf, low, np.nan]), equal_nan=True)
            assert layer.backward(np.ones(3, dtype))[:2].tolist() == [1, slope]


def test_values_worked_out_by_hand():
    x = np.array([-1.0, 0, 2])
    assert np.array_equal(LeakyReLU(0.25).forward(x), [-0.25, 0, 2])
    assert np.allclose(ELU(2).forward(x), [2 / np.e - 2, 0, 2], rtol=1e-15)
    # x Phi(x), which the form with tanh approximates to 5e-4
    assert np.allclose(GELU().forward(x), [-0.158655, 0, 1.954500], atol=5e-4)
    assert ELU().forward(np.array([-1e-20]))[0] == -1e-20  # expm1: exp(x) - 1 would be 0


@each_layer
def test_x_and_dout_stay_and_results_are_new_arrays(layer):
    x, dout = np.random.default_rng(2).standard_normal((2, 5, 4))
    before = x.copy(), dout.copy()
    out, dx = layer.forward(x), layer.backward(dout)
    assert np.array_equal(x, before[0]) and np.array_equal(dout, before[1])
    assert not np.shares_memory(out, x) and not np.shares_memory(dx, dout)
    assert layer.forward(np.array([[-2, 3]])).dtype == np.float64  # whole numbers


@pytest.mark.slow
@each_name
def test_models_take_it_by_name_with_the_initial_weights_of_he(name, tmp_path):
    X = np.random.default_rng(3).random((20, 4))
    for model in (
        Autoencoder(4, 2, (3,), activation=name, code_activation=name, loss="mse"),
        VAE(4, 2, (3, 3), activation=name),
    ):
        assert type(model.encoder.layers[1]) is NAMES[name]
        dense = [layer for layer in model.encoder.layers if isinstance(layer, Dense)]
        assert {layer.init for layer in dense[:-1]} == {"he"} and dense[-1].init == "glorot"
        model.fit(X, epochs=1, verbose=0).save(tmp_path / "m.npz")
        same = type(model).load(tmp_path / "m.npz")
        assert np.array_equal(same.encode(X), model.encode(X))
        assert gradient_check(model, X[:5], training=True, tolerance=1e-12).ok
    encoder, _ = conv_networks((8, 8), 2, (3,), activation=name)
    assert [layer.init for layer in encoder.layers if isinstance(layer, Conv2D)] == ["he"]


def test_layers_with_settings_come_back_from_a_file_and_from_copies(tmp_path):
    X = np.random.default_rng(4).random((20, 6))
    encoder = Sequential(Dense(6, 5), LeakyReLU(0.2), Dense(5, 5), ELU(1.7), GELU(), Dense(5, 2))
    model = Autoencoder(6, 2, encoder=encoder, loss="mse").fit(X, epochs=1, verbose=0)
    model.save(tmp_path / "m.npz")
    for same in (Autoencoder.load(tmp_path / "m.npz"), pickle.loads(pickle.dumps(model))):
        assert "LeakyReLU(0.2)" in str(same.encoder) and "ELU(1.7)" in str(same.encoder)
        assert np.array_equal(same.encode(X), model.encode(X))


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda: LeakyReLU(-0.1), "slope=-0.1 must be a finite number, 0 or more"),
        (lambda: LeakyReLU("0.1"), "slope='0.1'"),
        (lambda: LeakyReLU(np.inf), "slope=inf"),
        (lambda: ELU(0), "alpha=0 must be a finite number, above 0"),
        (lambda: ELU(True), "alpha=True"),
        (lambda: ELU([1.0]), r"alpha=\[1.0\]"),
        (lambda: LeakyReLU(negative_slope=0.2), "called slope"),
        (lambda: VAE(6, 2, activation="leaky"), "here it is called 'leaky_relu'"),
        (lambda: VAE(6, 2, activation="LeakyReLU"), "here it is called 'leaky_relu'"),
        (lambda: VAE(6, 2, activation="gleu"), "did you mean 'gelu'"),
        (lambda: Dense(3, 2, bias=np.zeros(2)), "must be True or False"),
        (lambda: Dense(3, 2, use_bias=False), "called bias"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(do, words):
    with pytest.raises((ValueError, TypeError), match=words):
        do()


def test_dense_without_a_bias_is_x_W_and_has_no_b():
    x = np.random.default_rng(5).standard_normal((4, 6))
    layer, plain = Dense(6, 3, bias=False, rng=1), Dense(6, 3, rng=1)
    assert list(layer.params) == list(layer.grads) == ["W"] and layer.theta.size == 18
    assert np.array_equal(layer.params["W"], plain.params["W"])
    assert np.array_equal(layer.forward(x), plain.forward(x))  # b is 0 at first
    dout = np.random.default_rng(6).standard_normal((4, 3))
    assert np.array_equal(layer.backward(dout), plain.backward(dout))
    assert np.array_equal(layer.grads["W"], plain.grads["W"])
    assert gradient_check(layer, x, training=True, tolerance=1e-12).ok
    assert "False" in repr(layer) and repr(plain) == "Dense(6, 3, 'glorot')"


@pytest.mark.slow
@pytest.mark.parametrize("make", [Conv2D, ConvTranspose2D])
@pytest.mark.parametrize("padding", [1, "same"])
def test_convolutions_without_a_bias_have_no_b_either(make, padding):
    layer = make(2, 3, 3, 2, padding, bias=False, rng=1).astype("float64")
    plain = make(2, 3, 3, 2, padding, rng=1).astype("float64")
    x = np.random.default_rng(8).standard_normal((2, 5, 4, 2))
    out = layer.forward(x)
    assert list(layer.params) == ["W"] and np.array_equal(out, plain.forward(x))
    dout = np.random.default_rng(9).standard_normal(out.shape)
    assert np.array_equal(layer.backward(dout), plain.backward(dout))
    assert np.array_equal(layer.grads["W"], plain.grads["W"])
    assert gradient_check(layer, x, training=True, tolerance=1e-12).ok and "False" in repr(layer)


def test_dense_without_a_bias_is_saved_copied_and_listed(tmp_path):
    X, lines = np.random.default_rng(7).random((20, 6)), []
    encoder = Sequential(Dense(6, 5, bias=False), BatchNorm(5), ReLU(), Dense(5, 2, bias=False))
    model = Autoencoder(6, 2, encoder=encoder, loss="mse").fit(X, epochs=2, verbose=0)
    names = [name for name, _, _ in model.named_params() if name.startswith("encoder")]
    assert names == ["encoder.0.W", "encoder.1.gamma", "encoder.1.beta", "encoder.3.W"]
    model.save(tmp_path / "m.npz")
    for same in (
        Autoencoder.load(tmp_path / "m.npz"),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        assert np.array_equal(same.theta, model.theta) and str(same.encoder) == str(model.encoder)
        assert np.array_equal(same.encode(X), model.encode(X))
    model.summary(print_fn=lines.append)
    assert any("Dense(6, 5, 'glorot', False)" in line and line.endswith("30") for line in lines)


def test_the_page_to_walk_in_latent_space_takes_a_decoder_without_biases(tmp_path):
    layers = Dense(2, 5, bias=False), ReLU(), Dense(5, 9, bias=False), Reshape(3, 3)
    explorer.export_html(VAE((3, 3), 2, decoder=Sequential(*layers)), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert text.count('"kind": "Dense"') == text.count('"b": "') == 2
