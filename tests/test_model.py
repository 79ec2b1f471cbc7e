import copy
import pickle

import numpy as np
import pytest
from some_models import MODELS, each_model

from miniae import (
    VAE,
    Autoencoder,
    Dense,
    GaussianNLL,
    Layer,
    Model,
    ReLU,
    Sequential,
)


def data(model, n=30, seed=0):
    return np.random.default_rng(seed).random((n, *model.input_shape))


@each_model
def test_names_of_keras_scikit_learn_and_pytorch_do_the_same(model):
    X = data(model)
    Z, out = model.encode(X), model.reconstruct(X)
    assert np.array_equal(model.transform(X), Z)
    assert np.array_equal(model.inverse_transform(Z), model.decode(Z))
    assert np.array_equal(model.predict(X), out) and np.array_equal(model(X), out)
    assert np.array_equal(model.decode(Z), out)
    assert Z.shape == (30, 2) and out.shape == X.shape
    assert Z.dtype == out.dtype == model.theta.dtype


@each_model
def test_no_call_changes_its_input_or_the_parameters(model):
    X = data(model).astype(model.theta.dtype)
    before, theta = X.copy(), model.theta.copy()
    model.loss(X, training=True)
    model.backward()
    model.reconstruct(X)
    model.evaluate(X)
    if isinstance(model, VAE):
        model.elbo(X)
        model.log_likelihood(X, 10)
    assert np.array_equal(X, before) and np.array_equal(model.theta, theta)


@each_model
def test_backward_twice_gives_the_same_gradient(model):
    model.loss(data(model), training=True)
    model.backward()
    dtheta = model.dtheta.copy()
    model.backward()
    assert dtheta.any() and np.array_equal(model.dtheta, dtheta)


@each_model
def test_backward_needs_a_loss_just_before(model):
    fresh, X = copy.deepcopy(model), data(model)
    for call in (fresh.encode, fresh.evaluate):
        with pytest.raises(RuntimeError, match="backward was called before"):
            fresh.backward()
        fresh.loss(X)
        fresh.backward()
        call(X)


@pytest.mark.slow
@each_model
def test_evaluation_repeats_and_is_the_mean_over_rows(model):
    X = data(model, n=1100)
    value = model.evaluate(X)
    assert value == model.evaluate(X) and isinstance(value, float)
    assert model.score(X) == model.score(X, y=np.arange(1100)) == -value
    parts = model.evaluate(X, return_dict=True)
    assert parts["loss"] == value and parts["reconstruction"] <= value
    assert model.loss(X) == model.loss(X)
    by_rows = np.mean([model.loss(X[i : i + 1], rng=np.random.default_rng(i)) for i in range(1100)])
    # one draw of the noise per row in both, so they differ by Monte-Carlo error only
    assert value == pytest.approx(by_rows, rel=0.01)


@each_model
def test_results_do_not_depend_on_how_many_rows_go_through_at_once(model, monkeypatch):
    X = data(model, n=50)
    whole = model.reconstruct(X)
    monkeypatch.setattr("miniae.plumbing.batches.ROWS", 7)
    # BLAS may sum 128 products of order 1 in another order for another number of rows
    tolerance = 128 * np.finfo(whole.dtype).eps
    assert np.allclose(model.reconstruct(X), whole, rtol=0, atol=tolerance)


@each_model
@pytest.mark.parametrize("remake", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_trains_on_exactly_as_its_original_would(model, remake):
    X = data(model)
    model = copy.deepcopy(model).fit(X, epochs=1, verbose=0)
    clone = remake(model)
    a, b = (m.fit(X, epochs=2, verbose=0) for m in (model, clone))
    assert np.array_equal(a.theta, b.theta) and a.history == b.history
    clone.theta[...] = 0
    assert not clone.encode(X).any() and model.theta.any()


def test_networks_of_a_model_cannot_be_swapped_behind_its_back():
    with pytest.raises(AttributeError):
        VAE(6, 2).encoder = Sequential(Dense(6, 4))


def test_a_given_loss_is_copied():
    loss = GaussianNLL(0.5, learn_sigma=True)
    a, b = VAE(6, 2, likelihood=loss), VAE(6, 2, likelihood=loss)
    a.theta = np.zeros_like(a.theta)
    assert b.reconstruction_loss.sigma == pytest.approx(0.5) == loss.sigma


def test_summary_between_loss_and_backward_is_no_trap():
    model = VAE(6, 2)
    model.loss(np.full((1, 6), 0.5))
    model.summary(print_fn=lambda line: None)
    with pytest.raises(RuntimeError, match="backward was called before"):
        model.backward()


def test_fit_transform_ignores_labels():
    X = np.random.default_rng(0).random((20, 6))
    codes = Autoencoder(6, 2).fit_transform(X, np.arange(20), epochs=2, verbose=0)
    assert np.array_equal(codes, Autoencoder(6, 2).fit(X, epochs=2, verbose=0).encode(X))


def test_float32_and_float64_agree_to_rounding():
    X = np.random.default_rng(0).random((20, 6))
    a, b = VAE(6, 2), VAE(6, 2, dtype="float64")
    assert a.theta.dtype == "float32" and b.theta.dtype == "float64"
    assert np.allclose(a.reconstruct(X), b.reconstruct(X), atol=1e-5)


@each_model
@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (lambda X: X[0], ValueError, "with n >= 1 samples, got"),
        (lambda X: X[:0], ValueError, "with n >= 1 samples, got"),
        (lambda X: X[..., :-1], ValueError, "with n >= 1 samples, got"),
        (lambda X: 1.0, ValueError, r"with n >= 1 samples, got \(\)"),
        (lambda X: X * np.nan, ValueError, "is nan, but"),
        (lambda X: X / 0, ValueError, "is inf, but"),
        (lambda X: X.astype(object), TypeError, "must hold real numbers, got dtype object"),
    ],
)
def test_bad_input_is_refused_by_every_way_in(model, bad, error, words):
    with np.errstate(all="ignore"):
        X = bad(data(model) + 0.01)
    calls = [model.encode, model.reconstruct, model.evaluate, model.loss]
    calls += [model.elbo, model.log_likelihood] if isinstance(model, VAE) else []
    for call in calls:
        with pytest.raises(error, match=words):
            call(X)


def test_a_single_sample_gets_the_advice_it_needs():
    with pytest.raises(ValueError, match=r"got \(3, 2\); a single sample is x\[None\]"):
        MODELS["image"].encode(np.zeros((3, 2)))


def test_data_outside_the_likelihoods_range_are_refused_by_what_evaluates_them():
    vae, X = VAE(6, 2), np.full((4, 6), 2.0)
    for call in (vae.elbo, vae.log_likelihood, vae.evaluate, vae.loss):
        with pytest.raises(ValueError, match=r"\[0, 0\] is 2.0, but .* within \[0.0, 1.0\]"):
            call(X)
    assert np.isfinite(VAE(6, 2, likelihood="gaussian").elbo(X)).all()


def test_codes_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"Z must have shape \(n, 2\) with n >= 1 samples"):
        VAE(6, 2).decode(np.zeros((4, 3)))


def test_x_and_target_of_different_length_are_refused():
    with pytest.raises(ValueError, match="x has 4 samples but target 5"):
        VAE(6, 2).loss(np.zeros((4, 6)), np.zeros((5, 6)))


@pytest.mark.parametrize("cls", [Autoencoder, VAE])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_dim": 0}, "input_dim=0"),
        ({"input_dim": (28, -1)}, r"input_dim=\(28, -1\)"),
        ({"input_dim": 2.5}, "input_dim=2.5"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"hidden": (5, 0)}, r"hidden=\(5, 0\)"),
        ({"activation": "rellu"}, "activation='rellu' is unknown; did you mean 'relu'"),
        ({"dtype": "float16"}, "dtype=float16 must be float32 or float64"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"hidden": 64}, "hidden=64 must be a tuple"),
    ],
)
def test_impossible_arguments_are_refused_by_name_and_value(cls, arguments, words):
    with pytest.raises(ValueError, match=words):
        cls(**{"input_dim": 6, "latent_dim": 2, **arguments})


def test_networks_that_are_no_sequential_are_refused():
    for bad in (Dense(6, 2), [Dense(6, 2)]):
        with pytest.raises(TypeError, match="encoder must be a Sequential, got"):
            Autoencoder(6, 2, encoder=bad)


def test_unknown_losses_and_code_activations_are_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="loss='msee' is unknown; did you mean 'mse'"):
        Autoencoder(6, 2, loss="msee")
    with pytest.raises(ValueError, match="code_activation='tan' is unknown; did you mean 'tanh'"):
        Autoencoder(6, 2, code_activation="tan")


def test_summary_prints_a_line_per_layer_and_the_total(capsys):
    model = VAE((28, 28), 20, (500,))
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 1 + 4 + 4 + 1 + 1
    assert "encoder.1  Dense(784, 500, 'glorot')" in lines[3] and "392,500" in lines[3]
    assert "(n, 28, 28)" in lines[9] and lines[-1].startswith("815,824 parameters")
    assert model.theta.size == 815_824


def test_a_bare_model_says_what_is_missing():
    class Half(Model):
        def __init__(self, input_dim=4, latent_dim=2, hidden=()):
            super().__init__(input_dim, latent_dim, hidden, loss="mse", code_size=latent_dim)

    with pytest.raises(NotImplementedError, match="Half has no loss yet"):
        Half().loss(np.zeros((1, 4)))
    with pytest.raises(NotImplementedError, match="Half has no backward pass yet"):
        Half().backward()


class Twice(Layer):
    """A reader's own layer inside a model."""

    def forward(self, x, training=False):
        self.cache = True
        return 2 * x

    def backward(self, dout):
        return 2 * dout


def test_a_readers_own_layer_works_inside_a_model():
    encoder = Sequential(Dense(6, 4), Twice(), ReLU(), Dense(4, 2))
    X = np.random.default_rng(0).random((20, 6))
    model = Autoencoder(6, 2, encoder=encoder).fit(X, epochs=3, verbose=0)
    assert model.history["loss"][-1] < model.history["loss"][0]


def test_rounding_at_the_bounds_is_no_mistake():
    X = np.random.default_rng(0).random((9, 6))
    X[0, 0], X[1, 1] = 1 + 1e-7, -1e-7
    assert np.isfinite(Autoencoder(6, 2).evaluate(X.astype(np.float32)))
    X[0, 0] = 1.001
    with pytest.raises(ValueError, match=r"X\[0, 0\] is 1.001"):
        Autoencoder(6, 2).evaluate(X)


def test_the_parts_of_the_elbo_add_up():
    X = np.random.default_rng(0).random((9, 6))
    vae = VAE(6, 2)
    log_p, kl = vae.elbo(X, split=True)
    assert np.array_equal(log_p - kl, vae.elbo(X))
    assert kl.mean() == pytest.approx(vae.evaluate(X, return_dict=True)["kl"], rel=1e-5)
