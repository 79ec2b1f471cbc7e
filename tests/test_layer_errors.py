"""Mistakes in layers, losses and penalties of a reader's own, and in the arguments of layers."""

import copy

import numpy as np
import pytest

from miniae import (
    VAE,
    Autoencoder,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    GaussianNLL,
    L1Penalty,
    Layer,
    LayerNorm,
    Loss,
    Masked,
    MaskingNoise,
    Reshape,
    Sequential,
    UpSample2D,
    gradient_check,
)
from miniae.regularizers import Penalty

X = np.random.default_rng(0).random((9, 6))


class Bare(Layer):
    def __init__(self, size):
        self.size = size

    def forward(self, x, training=False):
        return self.remember(x, x * self.params["a"])

    def backward(self, dout):
        self.grads["a"] = (dout * self.recall(dout)).sum(axis=0)
        return dout * self.params["a"]


class Holder(Bare):
    def __init__(self):
        self.inner = Dense(6, 6)

    def forward(self, x, training=False):
        return self.inner(x)


class BareLoss(Loss):
    def __init__(self, scale):
        self.scale = scale

    def entries(self, out, target):
        return self.scale * (out - target) ** 2 * np.exp(self.params["s"])


class BareModel(VAE):
    def __init__(self, input_dim):
        self.input_dim = input_dim


class BarePenalty(Penalty):
    def __init__(self, power):
        self.power = power

    def forward(self, code):
        return self.weight * (self.checked(code) ** self.power).mean(axis=0).sum()


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda: Bare(6).theta, "Bare"),
        (lambda: Bare(6).forward(X), "Bare"),
        (lambda: Bare(6)(X), "Bare"),
        (lambda: Bare(6).backward(X), "Bare"),
        (lambda: Bare(6).params["a"], "Bare"),
        (lambda: Bare(6).astype("float64"), "Bare"),
        (lambda: copy.deepcopy(Bare(6)), "Bare"),
        (lambda: list(Bare(6).named_params()), "Bare"),
        (lambda: Sequential(Dense(6, 6), Bare(6)), "Bare"),
        (lambda: Autoencoder(6, 2, encoder=Sequential(Bare(6), Dense(6, 2))), "Bare"),
        (lambda: gradient_check(Bare(6), X), "Bare"),
        (lambda: Sequential(Holder()), "Holder"),
        (lambda: Holder().theta, "Holder"),
        (lambda: BareLoss(2).forward(X, X), "BareLoss"),
        (lambda: BareLoss(2).theta, "BareLoss"),
        (lambda: Masked(BareLoss(2)), "BareLoss"),
        (lambda: Autoencoder(6, 2, loss=BareLoss(2)), "BareLoss"),
        (lambda: gradient_check(BareLoss(2), X, X), "BareLoss"),
        (lambda: BareModel(6).fit(X), "BareModel"),
        (lambda: BareModel(6).encode(X), "BareModel"),
        (lambda: BarePenalty(2).forward(X), "BarePenalty"),
        (lambda: BarePenalty(2).backward(), "BarePenalty"),
        (lambda: Autoencoder(6, 2, penalty=BarePenalty(2)).fit(X, verbose=0), "BarePenalty"),
    ],
)
def test_a_constructor_without_super_is_named_with_what_to_write(use, name):
    with pytest.raises(
        AttributeError,
        match=rf"{name} has no '\w+' yet: call super\(\).__init__\(\) in {name}\.__init",
    ):
        use()


def test_an_attribute_that_is_missing_for_another_reason_gets_pythons_own_error():
    for obj in (Dense(2, 2), GaussianNLL(), L1Penalty(0.1), Autoencoder(6, 2)):
        with pytest.raises(AttributeError, match="has no attribute 'colour'"):
            obj.colour  # noqa: B018
        assert not hasattr(obj, "colour")

    class Late(Layer):
        def __init__(self):
            assert not hasattr(self, "size")  # a question before the parts exist is answered
            super().__init__()

        @property
        def total(self):
            return self.sise + 1

    with pytest.raises(AttributeError, match="'sise'"):
        Late().total  # noqa: B018


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dense(64), r"Dense\(64\): n_out is missing; write Dense\(n_in, n_out\)"),
        (
            lambda: Conv2D(32, 3),
            r"Conv2D\(32, 3\): kernel is missing; write Conv2D\(c_in, c_out, kernel\)",
        ),
        (lambda: Conv2D(32), r"c_out is missing"),
        (lambda: ConvTranspose2D(32, 3), r"ConvTranspose2D\(32, 3\): kernel is missing"),
        (lambda: Dense(None, 3), "n_in is missing"),
    ],
)
def test_sizes_that_are_left_out_as_in_keras_are_named(make, words):
    with pytest.raises(TypeError, match=words):
        make()


def test_a_layer_of_a_readers_own_may_use_those_names():
    class Activated(Dense):
        def __init__(self, units, activation):
            self.activation = activation
            super().__init__(6, units)

    class Passing(Dense):
        def __init__(self, *sizes, **more):
            super().__init__(*sizes, rng=more["seed"])

    assert Activated(units=3, activation="relu").activation == "relu"
    assert Passing(3, 2, seed=1).theta.size == 8


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dense("64", 3), "Dense: n_in='64' must be an integer"),
        (lambda: Dense(3, "relu"), "n_out='relu'"),
        (lambda: Dense(784, (128,)), r"n_out=\(128,\)"),
        (lambda: Dense(3.0, 2), "n_in=3.0"),
        (lambda: Dense((28, 28), 2), r"n_in=\(28, 28\)"),
        (lambda: Dense(3, 2, dtype="int32"), "dtype='int32' must be a floating-point type"),
        (lambda: Conv2D(1, 2, 3, dtype="int32"), "Conv2D: dtype='int32'"),
        (lambda: Conv2D(1, 32, (3, 3)), r"kernel=\(3, 3\) must be one integer.*windows are square"),
        (lambda: Conv2D(1, 32, 3, (2, 2)), r"stride=\(2, 2\) must be one integer.*both axes"),
        (lambda: Conv2D(32, (3, 3), 2), r"c_out=\(3, 3\)"),
        (lambda: Conv2D(1, 32, 3, "same"), "stride='same'"),
        (lambda: Conv2D(1, 32, 3, padding="valid"), '"valid" is padding=0'),
        (lambda: ConvTranspose2D(1, 3, 3, padding="VALID"), '"valid" is padding=0'),
        (lambda: Conv2D(1, 32, 3, padding="SAME"), "padding='SAME' must be .* or \"same\""),
        (lambda: Conv2D(1, 32, 3, padding=(1, 1)), r"padding=\(1, 1\) must be an integer"),
        (lambda: Conv2D(1, 32, 3, padding=None), "padding=None"),
        (lambda: Reshape("7", 7), "Reshape: shape=.*'7'.* must be integers above 0"),
        (lambda: Reshape(7, 7.5), r"shape=\(7, 7.5\)"),
        (lambda: Reshape((None, 28, 28)), r"shape=\(None, 28, 28\)"),
        (lambda: Reshape(-1, 7, -1), "has -1 more than once"),
        (lambda: Reshape(-2), r"shape=\(-2,\)"),
        (lambda: Dropout("0.5"), "p='0.5' is the probability"),
        (lambda: Dropout(None), "p=None"),
    ],
)
def test_arguments_of_layers_that_cannot_work_are_refused_by_name_and_value(make, words):
    with pytest.raises((ValueError, TypeError), match=words):
        make()


def test_a_shape_may_be_a_tuple_a_list_or_separate_numbers():
    x = np.zeros((2, 392))
    for layer in (Reshape((7, 7, 8)), Reshape([7, 7, 8]), Reshape(7, 7, np.int64(8))):
        assert layer.forward(x).shape == (2, 7, 7, 8)
        assert eval(repr(layer)).shape == (7, 7, 8)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("relu", r"got 'relu'; an activation is a layer of its own, such as ReLU\(\)"),
        (
            L1Penalty(0.1),
            r"got L1Penalty\(0.1\); a penalty acts on the code: Autoencoder\(..., pen",
        ),
        (Autoencoder(4, 2), r"the networks of a model are model.encoder and model.decoder"),
        (Dense, r"is a \(\) missing"),
        (MaskingNoise(0.1), r"a corruption acts on the input: Autoencoder\(..., corruption=...\)"),
        (GaussianNLL(), "a loss is an argument of the model"),
        (np.tanh, "write it as a layer"),
        (None, "got None"),
    ],
)
def test_what_is_not_a_layer_is_refused_with_its_place(wrong, words):
    for make in (lambda: Sequential(Dense(4, 4), wrong), lambda: Sequential([Dense(4, 4), wrong])):
        with pytest.raises(TypeError, match=words):
            make()


def halves(model):
    return model.encoder, model.decoder


@pytest.mark.parametrize("loss", ["bce", "mse", "multinomial", "gaussian"])
def test_predict_of_the_decoder_is_in_data_space_and_of_the_encoder_is_its_output(loss):
    model = Autoencoder(6, 2, loss=loss, seed=3)
    model.theta *= 3
    Z = model.encode(X) * 5
    encoder, decoder = halves(model)
    assert np.array_equal(decoder.predict(Z), model.decode(Z))
    assert np.array_equal(decoder.predict(Z), decoder(Z)) == (loss in ("mse", "gaussian"))
    assert np.array_equal(encoder.predict(X), encoder(X))
    vae = VAE(6, 2)
    assert vae.encoder.predict(X).shape == (9, 4)
    assert np.allclose(vae.encoder.predict(X), np.hstack(vae.posterior(X)), atol=1e-6)


def test_predict_survives_copies_files_and_new_models(tmp_path):
    import pickle

    model = Autoencoder((2, 3), 2, seed=3)
    Z = 5 * np.random.default_rng(1).standard_normal((1500, 2)).astype("float32")
    expected = model.decode(Z)
    assert expected.min() >= 0 and (model.decoder(Z) < 0).any()
    model.save(tmp_path / "m.npz")
    same = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    same += [Autoencoder.load(tmp_path / "m.npz"), Autoencoder((2, 3), 2, decoder=model.decoder)]
    for each in same:
        assert np.array_equal(each.decoder.predict(Z), expected)
    for half in (copy.deepcopy(model.decoder), pickle.loads(pickle.dumps(model.decoder))):
        assert np.array_equal(half.predict(Z), expected)
    double = model.astype("complex128").decoder.predict(Z.astype("complex128"))
    assert np.allclose(double, expected, atol=1e-6)
    squared = Autoencoder((2, 3), 2, decoder=model.decoder, loss="mse")
    assert np.allclose(squared.decoder.predict(Z), model.decoder(Z), rtol=1e-4, atol=1e-4)
    assert np.array_equal(Sequential(Dense(2, 3, rng=1)).predict(Z), Dense(2, 3, rng=1)(Z))


def test_predict_takes_many_rows_without_keeping_them():
    net = Sequential(Dense(6, 3), Dense(3, 2))
    many = np.random.default_rng(0).random((3000, 6))
    out = net.predict(many)
    assert np.allclose(out, net.forward(many), rtol=1e-12) and out.shape == (3000, 2)
    assert net.predict(many[:0]).shape == (0, 2)
    assert len(net.layers[0].cache) <= 3000
    net.predict(many)
    assert len(net.layers[0].cache) <= 1024


@pytest.mark.parametrize(
    "make", [lambda: Dense(True, 3), lambda: BatchNorm(True), lambda: Conv2D(1, 1, 3, 1, True),
             lambda: Reshape(True), lambda: UpSample2D(True)],
)  # fmt: skip
def test_true_is_not_a_size(make):
    with pytest.raises(ValueError, match=r"True.* must be"):
        make()


def test_the_hint_on_square_windows_is_for_windows_only():
    with pytest.raises(ValueError, match="windows are square"):
        Conv2D(1, 1, (3, 5))
    with pytest.raises(ValueError, match="it is the size of the last axis: Flatten()"):
        LayerNorm((28, 28))  # PyTorch takes a shape here
    with pytest.raises(ValueError, match="must be one integer, 1 or more$"):
        Dense((28, 28), 10)
