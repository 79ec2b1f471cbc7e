import numpy as np
import pytest
from some_models import each_model

from miniae import (
    VAE,
    Autoencoder,
)


@each_model
def test_get_params_gives_what_was_given_and_rebuilds_the_model(model):
    clone = type(model)(**model.get_params())
    assert np.array_equal(clone.theta, type(model)(**model.get_params()).theta)
    assert clone.get_params() == model.get_params()


def test_set_params_rebuilds_with_the_change_and_refuses_unknown_names():
    model = VAE(6, 2, hidden=(5,)).fit(np.random.default_rng(0).random((9, 6)), verbose=0)
    assert model.set_params(latent_dim=3, seed=1) is model
    assert model.encode(np.zeros((1, 6))).shape == (1, 3) and not model.history
    assert np.array_equal(model.theta, VAE(6, 3, hidden=(5,), seed=1).theta)
    with pytest.raises(ValueError, match="'laten_dim' is unknown; did you mean 'latent_dim'"):
        model.set_params(laten_dim=4)


def test_a_set_params_that_fails_leaves_the_model_as_it_was():
    X = np.random.default_rng(0).random((9, 6))
    model = VAE(6, 2).fit(X, epochs=1, verbose=0)
    codes = model.encode(X)
    for bad in ({"latent_dim": 0}, {"beta": -1}):
        with pytest.raises(ValueError):
            model.set_params(**bad)
    assert model.set_params() is model
    assert np.array_equal(model.encode(X), codes) and model.history
    assert model.get_params()["beta"] == 1.0


def test_get_params_knows_what_was_set_since_and_a_subclass_own_arguments():
    class Mine(VAE):
        def __init__(self, input_dim, latent_dim=2, *, gamma=1.0, **options):
            super().__init__(input_dim, latent_dim, **options)
            self.gamma = gamma

    model = Mine(6, gamma=5.0, beta=2.0)
    model.beta = 3.0
    params = model.get_params()
    assert (params["gamma"], params["beta"], params["input_dim"]) == (5.0, 3.0, 6)
    assert model.set_params(gamma=7.0).gamma == 7.0 and model.beta == 3.0


def test_scikit_learn_takes_a_model_for_one_of_its_own():
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    X = np.random.default_rng(0).random((40, 6))
    model = Autoencoder(6, 2, hidden=(5,), seed=3)
    assert clone(model).get_params() == model.get_params()
    search = GridSearchCV(model, {"latent_dim": [2, 3]}, cv=2)
    search.fit(X, epochs=2, verbose=0)
    assert search.best_params_["latent_dim"] in (2, 3)
    pipeline = make_pipeline(MinMaxScaler(), Autoencoder(6, 2))
    pipeline.fit(X, autoencoder__epochs=1, autoencoder__verbose=0)
    assert pipeline.transform(X).shape == (40, 2) and np.isfinite(pipeline.score(X))


def test_only_what_takes_effect_when_it_is_assigned_counts_as_an_argument():
    vae = VAE(6, 2, (5,))
    vae.beta, vae.latent = 3.0, 7
    assert vae.get_params()["beta"] == 3.0 and vae.get_params()["latent_dim"] == 2


def test_an_attribute_that_took_effect_at_construction_is_saved_as_it_was_given(tmp_path):
    model = Autoencoder(6, 2, (5,), activation="tanh", loss="mse")
    model.hidden, model.activation = (50,), "relu"
    model.save(tmp_path / "m.npz")
    X = np.random.default_rng(0).random((4, 6))
    assert np.array_equal(Autoencoder.load(tmp_path / "m.npz").encode(X), model.encode(X))
