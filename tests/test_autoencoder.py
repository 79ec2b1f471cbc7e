import numpy as np
import pytest

from miniae import (
    Adam,
    Autoencoder,
    BernoulliNLL,
    Dense,
    GaussianNoise,
    KLSparsity,
    L1Penalty,
    ReLU,
    Sequential,
    Sigmoid,
    SquaredError,
    Tanh,
    gradient_check,
)


class HalfSquares:
    """A penalty as a reader might write it: half the squared norm of the code."""

    def forward(self, code):
        self.code = code
        return 0.5 * (code * code).sum() / len(code)

    def backward(self):
        return self.code / len(self.code)


def data(n=40, features=8, seed=0):
    return np.random.default_rng(seed).random((n, features))


def test_training_lowers_the_loss_and_reconstructions_come_closer():
    X = data(200)
    model = Autoencoder(8, 6, (32,))
    before = ((model.reconstruct(X) - X) ** 2).mean()
    model.fit(X, epochs=20, batch_size=20, optimizer=Adam(1e-2), verbose=0)
    loss = model.history["loss"]
    assert loss[-1] < loss[0] and ((model.reconstruct(X) - X) ** 2).mean() < 0.5 * before


def test_the_loss_is_the_reconstruction_loss_of_what_the_networks_give():
    X, model = data(), Autoencoder(8, 3, loss="mse", dtype="float64")
    out = model.decoder.forward(model.encoder.forward(X))
    assert model.loss(X) == pytest.approx(((X - out) ** 2).sum(axis=1).mean(), rel=1e-14)
    assert np.allclose(model.reconstruct(X), out, rtol=1e-14)
    assert model.terms["reconstruction"] == model.terms["loss"]


def test_a_target_of_its_own_makes_a_denoiser():
    clean = data(100)
    noisy = clean + 0.1 * np.random.default_rng(1).standard_normal(clean.shape)
    model = Autoencoder(8, 4).fit(noisy, clean, epochs=2, verbose=0)
    assert model.evaluate(noisy, clean) == pytest.approx(model.loss(noisy, clean), rel=1e-6)
    assert model.evaluate(noisy, clean) != model.evaluate(clean)


@pytest.mark.parametrize("code_activation", ["linear", "relu", "sigmoid", "tanh", "softplus"])
def test_the_code_has_the_range_of_its_activation(code_activation):
    code = Autoencoder(8, 5, code_activation=code_activation).encode(data() * 10 - 5)
    low = {"linear": -np.inf, "tanh": -1}.get(code_activation, 0)
    high = {"sigmoid": 1, "tanh": 1}.get(code_activation, np.inf)
    assert code.shape == (40, 5) and code.min() >= low and code.max() <= high
    assert (code < 0).any() == (low < 0)


def test_hidden_layers_are_mirrored():
    model = Autoencoder(784, 16, (64, 32))
    shapes = [value.shape for name, value, _ in model.named_params() if name.endswith("W")]
    assert shapes == [(784, 64), (64, 32), (32, 16), (16, 32), (32, 64), (64, 784)]


def test_no_hidden_layers_make_it_linear():
    model = Autoencoder(8, 3, (), loss="mse", dtype="float64")
    X, Y = data(seed=1), data(seed=2)
    middle = model.reconstruct((X + Y) / 2)
    assert np.allclose(middle, (model.reconstruct(X) + model.reconstruct(Y)) / 2, rtol=1e-12)


def test_networks_given_are_copied_and_live_under_their_names():
    encoder = Sequential(Dense(8, 3, rng=1), ReLU())
    decoder = Sequential(Dense(3, 8, rng=2))
    model = Autoencoder(8, 3, encoder=encoder, decoder=decoder, loss=SquaredError())
    assert np.array_equal(model.encoder.theta, encoder.theta)
    model.theta = np.zeros_like(model.theta)
    assert encoder.theta.any() and not model.encoder.theta.any()
    X = data()
    assert not model.encoder.forward(X).any()
    assert model.get_params()["encoder"] is encoder


def test_a_decoder_that_ends_in_sigmoid_is_refused_for_bce_and_welcome_for_mse():
    decoder = Sequential(Dense(3, 8), Sigmoid())
    with pytest.raises(ValueError, match="decoder ends in Sigmoid, but BernoulliNLL.. takes"):
        Autoencoder(8, 3, decoder=decoder)
    assert Autoencoder(8, 3, decoder=decoder, loss="mse").reconstruct(data()).max() < 1


@pytest.mark.parametrize("where", ["encoder", "decoder"])
def test_networks_that_do_not_fit_are_refused_with_both_shapes(where):
    network = {"encoder": Sequential(Dense(8, 4)), "decoder": Sequential(Dense(3, 7), Tanh())}
    with pytest.raises(ValueError, match=rf"{where} maps samples of shape .* needs"):
        Autoencoder(8, 3, **{where: network[where]})


def test_corruption_damages_the_input_in_training_only_and_the_target_never():
    seen = []

    def blackout(x, rng):
        seen.append(rng)
        return np.zeros_like(x)

    X = data()
    plain, denoiser = Autoencoder(8, 3), Autoencoder(8, 3, corruption=blackout)
    for model in (plain, denoiser):  # biases, or the output for a black image knows no target
        model.theta = np.random.default_rng(1).standard_normal(model.theta.size)
    assert denoiser.loss(X) == plain.loss(X) and not seen
    assert denoiser.loss(X, training=True) == plain.loss(np.zeros_like(X), X)
    assert seen == [denoiser.rng]


def test_a_corruption_that_works_in_place_changes_neither_target_nor_data():
    def in_place(x, rng):
        x[rng.random(x.shape) < 0.5] = 0
        return x.astype("float64")

    X = data().astype("float32")
    before = X.copy()
    model = Autoencoder(8, 3, corruption=in_place)
    model.loss(X, training=True)
    model.backward()
    assert np.array_equal(X, before) and model.decoder.layers[0].cache.dtype == "float32"


def test_a_penalty_adds_to_the_loss_and_to_the_gradient():
    X = data()
    plain, penalised = (Autoencoder(8, 3, (5,), penalty=p) for p in (None, HalfSquares()))
    expected = 0.5 * (plain.encode(X) ** 2).sum(axis=1).mean()
    assert penalised.loss(X) - plain.loss(X) == pytest.approx(expected, rel=1e-5)
    assert penalised.terms["penalty"] == pytest.approx(expected, rel=1e-5)
    report = gradient_check(penalised, X, tolerance=1e-12)
    assert report.ok, report


def test_images_come_out_as_they_go_in():
    X = data(10, 12).reshape(10, 3, 4)
    model = Autoencoder((3, 4), 2).fit(X, epochs=1, verbose=0)
    assert model.reconstruct(X).shape == (10, 3, 4) and model.encode(X).shape == (10, 2)
    flat = Autoencoder(12, 2)
    flat.theta = model.theta
    assert np.allclose(flat.reconstruct(X.reshape(10, 12)).reshape(10, 3, 4), model.reconstruct(X))


def test_models_do_not_share_a_penalty():
    X, penalty = np.random.default_rng(0).random((2, 9, 6)), KLSparsity(0.1, 3.0)
    options = {"code_activation": "sigmoid", "penalty": penalty, "dtype": "float64"}
    a, b = Autoencoder(6, 3, **options), Autoencoder(6, 3, seed=1, **options)
    a.loss(X[0])
    a.backward()
    alone = a.dtheta.copy()
    a.loss(X[0])
    b.loss(X[1])
    a.backward()
    assert np.array_equal(a.dtheta, alone)


OWN = {"encoder": Sequential(Dense(6, 2)), "decoder": Sequential(Dense(2, 6))}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"corruption": "gaussian"}, "object such as GaussianNoise"),
        ({"corruption": GaussianNoise}, "object such as GaussianNoise"),
        ({"penalty": 0.01}, "object such as L1Penalty"),
        ({"penalty": KLSparsity}, "object such as L1Penalty"),
        ({"loss": BernoulliNLL}, "is a class: write"),
        ({"encoder": Sequential(Dense(6, 2)), "code_activation": "relu"}, "no effect with an enc"),
        (
            {
                "encoder": Sequential(Dense(6, 2)),
                "decoder": Sequential(Dense(2, 6)),
                "dropout": 0.1,
            },
            "put Dropout layers",
        ),
    ],
)
def test_arguments_that_would_do_nothing_or_fail_later_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(6, 2, **options)


def test_a_penalty_put_in_later_is_saved_and_one_that_was_given_is_given_back(tmp_path):
    given = L1Penalty(0.1)
    model = Autoencoder(6, 2, code_activation="sigmoid", penalty=given)
    assert model.get_params()["penalty"] is given is not model.penalty
    model.penalty = KLSparsity(0.2, 0.5)
    assert model.get_params()["penalty"] is model.penalty
    model.save(tmp_path / "m")
    assert repr(Autoencoder.load(tmp_path / "m").penalty) == repr(model.penalty)
    model.penalty = None
    assert model.get_params()["penalty"] is None
