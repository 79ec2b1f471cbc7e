"""Data for categorical likelihoods: rows that hold no category are refused by name."""

import numpy as np
import pytest

from miniae import (
    VAE,
    AnomalyDetector,
    Autoencoder,
    CategoricalNLL,
    Masked,
    Mixed,
    check_training,
    gradient_check,
)

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(3, size=(40, 2))
X = np.eye(3)[CLASSES].reshape(40, 6)  # two features of three classes
QUIET = {"epochs": 1, "verbose": 0}
LOSSES = {
    "categorical": CategoricalNLL(3),
    "masked": Masked(CategoricalNLL(3)),
    "mixed": Mixed([("bernoulli", 3), (CategoricalNLL(3), 3)]),
    "masked mixed": Masked(Mixed([("gaussian", 3), (CategoricalNLL(3), 3)])),
}
WAYS_IN = {
    "fit": lambda model, X: model.fit(X, **QUIET),
    "fit y": lambda model, X: model.fit(np.zeros_like(X), X, **QUIET),
    "validation": lambda model, bad: model.fit(X, validation_data=bad, **QUIET),
    "batches": lambda model, X: model.fit(lambda: [X[:9], X[9:]], **QUIET),
    "evaluate": lambda model, X: model.evaluate(X),
    "score": lambda model, X: model.score(X),
    "elbo": lambda model, X: model.elbo(X),
    "log_likelihood": lambda model, X: model.log_likelihood(X, 3),
    "anomaly_score": lambda model, X: model.anomaly_score(X),
    "impute": lambda model, X: model.impute(np.where(np.arange(6) < 3, np.nan, X)),
    "detector": lambda model, X: AnomalyDetector(model).fit(X, epochs=1),
}


def with_row(row, columns, values):
    bad = X.copy()
    bad[row, columns] = values
    return bad


def vae(name):
    return VAE(6, 2, (5,), likelihood=LOSSES[name])


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("values", [(1, 1, 0), (0, 0, 0), (0.5, 0.2, 0.2)], ids=str)
def test_a_row_without_a_category_is_refused_by_row_and_column_and_told_what_to_do(name, values):
    bad = with_row(17, slice(3, 6), values)
    words = rf"X\[17\]: the entries from column 3 add up to {sum(values):.4g}, .*; np\.eye\(3\)"
    with pytest.raises(ValueError, match=words):
        vae(name).elbo(bad)


@pytest.mark.parametrize("way", WAYS_IN)
def test_every_way_in_refuses_it(way):
    with pytest.raises(ValueError, match=r"from column 3 add up to 2, .* one-hot"):
        WAYS_IN[way](vae("categorical"), with_row(5, slice(3, 6), (1, 1, 0)))


def test_the_row_is_that_of_the_data_and_not_of_a_slice():
    many = np.tile(X, (150, 1))
    many[5000, :3] = 0
    for method in ("fit", "evaluate", "elbo"):
        with pytest.raises(ValueError, match=r"X\[5000\]: the entries from column 0"):
            getattr(vae("categorical"), method)(many)


def test_a_refused_fit_leaves_the_model_as_it_was():
    model = vae("categorical")
    theta = model.theta.copy()
    with pytest.raises(ValueError, match="one-hot"):
        model.fit(with_row(39, slice(0, 3), 0), **QUIET)
    assert np.array_equal(model.theta, theta) and not model.history.get("loss")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_probabilities_that_sum_to_one_are_targets_too(name, dtype):
    smooth = (0.9 * X + 0.1 / 3).astype(dtype)
    model = vae(name).fit(smooth, **QUIET)
    assert np.isfinite(model.elbo(smooth)).all() and np.isfinite(model.evaluate(smooth))


def test_whole_numbers_and_booleans_are_one_hot_too():
    for dtype in (bool, np.uint8, np.int64):
        assert np.isfinite(vae("categorical").elbo(X.astype(dtype))).all()


@pytest.mark.parametrize("name", ["masked", "masked mixed"])
def test_a_missing_category_is_no_wrong_one(name):
    holed = with_row(slice(0, 40, 2), slice(3, 6), np.nan)
    model = vae(name).fit(holed, **QUIET)
    assert np.isfinite(model.elbo(holed)).all() and np.isfinite(model.impute(holed)).all()


def test_images_have_a_category_in_each_pixel():
    images = np.eye(3)[RNG.integers(3, size=(8, 2, 2))]  # (8, 2, 2, 3)
    model = Autoencoder((2, 2, 3), 2, (5,), loss=CategoricalNLL(3))
    assert np.isfinite(model.evaluate(images))
    images[6, 1, 0] = 0
    with pytest.raises(ValueError, match=r"X\[6\]: the entries from column 6 add up to 0"):
        model.evaluate(images)


def test_what_is_not_a_target_may_be_anything():
    anything = RNG.random((7, 6))
    model = vae("categorical")
    assert model.encode(anything).shape == (7, 2) and model.reconstruct(anything).shape == (7, 6)
    model.fit(RNG.random((40, 6)), X, **QUIET)  # from noisy inputs to categories
    assert gradient_check(model, anything).ok  # a gradient is right for any target


@pytest.mark.parametrize("name", ["categorical", "masked mixed"])
def test_check_training_reports_it(name):
    text = " ".join(str(check_training(vae(name), with_row(5, slice(3, 6), 0))).split())
    assert "PROBLEM X[5]: the entries from column 3 add up to 0" in text
    assert "np.eye(3)[classes]" in text and "X[5]" not in str(check_training(vae(name), X))
