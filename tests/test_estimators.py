import subprocess
import sys

import numpy as np
import pytest

from miniae import VAE, Autoencoder, AutoencoderTransformer, GaussianNoise, VAETransformer, suggest

RNG = np.random.default_rng(7)
X = RNG.standard_normal((60, 2)) @ RNG.standard_normal((2, 6)) + 0.1 * RNG.standard_normal((60, 6))
both = pytest.mark.parametrize("cls", [AutoencoderTransformer, VAETransformer])


@both
def test_sizes_come_from_the_data_and_every_fit_starts_again(cls):
    estimator = cls(epochs=2)
    codes = estimator.fit_transform(X)
    latent_dim = suggest(X).model_arguments["latent_dim"]
    assert codes.shape == (60, latent_dim) and estimator.n_features_in_ == 6
    assert estimator.model_.latent_dim == latent_dim and len(estimator.model_.history["loss"]) == 2
    assert np.array_equal(estimator.fit(X).transform(X), codes)  # the same seed, and no more epochs
    assert estimator.fit(X[:, :4]).transform(X[:, :4]).shape == (60, 2)
    assert estimator.inverse_transform(np.zeros((5, 2))).shape == (5, 4)
    assert np.isfinite(estimator.score(X[:, :4]))


@both
def test_the_model_inside_is_the_one_that_the_arguments_describe(cls):
    options = {"epochs": 3, "batch_size": 20, "lr": 0.01, "seed": 5, "hidden": (7,)}
    ours = cls(2, **options).fit(X).model_
    bare = {AutoencoderTransformer: Autoencoder, VAETransformer: VAE}[cls]
    from miniae import Adam

    loss = {"loss": "mse"} if bare is Autoencoder else {"likelihood": "gaussian"}
    theirs = bare(6, 2, (7,), dtype="float64", seed=5, **loss)
    theirs.fit(X, epochs=3, batch_size=20, optimizer=Adam(0.01), verbose=0)
    assert type(ours) is bare and np.array_equal(ours.theta, theirs.theta)


@both
def test_nothing_is_answered_before_fit(cls):
    names = ["transform", "inverse_transform", "score", "get_feature_names_out"]
    for name in names:
        with pytest.raises((ValueError, AttributeError), match="not fitted yet") as error:
            getattr(cls(), name)(*([] if name.startswith("get") else [X]))
        assert type(error.value).__name__ == "NotFittedError"


@pytest.mark.slow
def test_without_scikit_learn_everything_but_its_own_error_class_is_there():
    code = """
import sys
sys.modules["sklearn"] = None  # importing it fails
import numpy as np
from miniae import AutoencoderTransformer
try:
    AutoencoderTransformer().transform(np.zeros((2, 3)))
except ValueError as error:
    print(type(error).__module__, type(error).__name__)
print(AutoencoderTransformer(1, epochs=1).fit_transform(np.zeros((4, 3))).shape)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == ["miniae.plumbing.estimator NotFittedError", "(4, 1)"]


def test_arguments_are_kept_as_given_and_checked_at_fit():
    estimator = AutoencoderTransformer(0, lr=-1.0, batch_size=0)
    assert estimator.get_params()["lr"] == -1.0
    for changes, words in (
        ({}, "batch_size=0"),
        ({"batch_size": 20}, "lr=-1.0"),
        ({"lr": 0.1}, "latent_dim=0"),
        ({"latent_dim": 2, "verbose": 0, "epochs": "many"}, "epochs='many'"),
    ):
        with pytest.raises(ValueError, match=words):
            estimator.set_params(**changes).fit(X)
    with pytest.raises(ValueError, match="'qwerty' is unknown"):
        estimator.set_params(qwerty=0.1)
    with pytest.raises(TypeError, match="no argument 'learning_rate': here it is called lr"):
        estimator.set_params(learning_rate=0.1)


def test_set_params_keeps_the_trained_model_until_the_next_fit():
    estimator = AutoencoderTransformer(2, epochs=1).fit(X)
    codes = estimator.transform(X)
    assert np.array_equal(estimator.set_params(latent_dim=1).transform(X), codes)
    assert estimator.fit(X).transform(X).shape == (60, 1)


def test_a_repr_shows_what_was_set():
    noise = GaussianNoise(0.1)
    estimator = AutoencoderTransformer(2, corruption=noise, lr=0.01)
    assert repr(estimator) == f"AutoencoderTransformer(latent_dim=2, corruption={noise}, lr=0.01)"
    assert repr(VAETransformer()) == "VAETransformer()"


def test_images_and_float32_stay_what_they_are():
    images = RNG.random((9, 4, 5)).astype(np.float32)
    estimator = AutoencoderTransformer(2, loss="bce", epochs=1).fit(images)
    assert estimator.transform(images).dtype == np.float32 and estimator.n_features_in_ == 20
    assert estimator.inverse_transform(np.zeros((3, 2), np.float32)).shape == (3, 4, 5)


@both
def test_names_of_columns_are_kept_and_checked(cls):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    estimator = cls(3, epochs=1).fit(frame)
    assert list(estimator.feature_names_in_) == list("abcdef")
    assert list(estimator.model_.feature_names_in_) == list("abcdef")
    name = cls.__name__.lower()
    assert list(estimator.get_feature_names_out()) == [f"{name}{i}" for i in range(3)]
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        estimator.transform(frame[list("fabcde")])
    with pytest.raises(ValueError, match="now missing:\n- f"):
        estimator.score(frame[list("abcde")])
    with pytest.warns(UserWarning, match="does not have valid feature names") as caught:
        estimator.transform(X)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        estimator.fit(X).transform(frame)
    with pytest.raises(ValueError, match="X has 5 features, but"):
        estimator.transform(X[:, :5])


@pytest.mark.slow
def test_a_search_finds_epochs_batch_size_and_rate_in_a_pipeline():
    pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(2, hidden=(8,)))
    name = "autoencodertransformer__"
    grid = {f"{name}epochs": [1, 30], f"{name}batch_size": [8], f"{name}lr": [1e-6, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X)
    assert search.best_params_[f"{name}epochs"] == 30
    assert search.best_params_[f"{name}lr"] == 1e-2
    codes = search.transform(X)
    again = search.best_estimator_.inverse_transform(codes)  # in the units of X
    assert ((again - X) ** 2).mean() < 0.5 * X.var(axis=0).mean()
