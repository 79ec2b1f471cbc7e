"""Samples of estimators; and the rows that errors name."""

import numpy as np
import pytest

from miniae import VAE, AnomalyDetector, VAETransformer


def test_an_error_names_the_row_of_the_data_and_not_of_a_slice():
    X = np.full((3000, 4), 0.5, np.float32)
    X[2500, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[2500, 1\] is nan"):
        VAE(4, 2, (3,)).encode(X)


@pytest.mark.parametrize(
    "estimator",
    [AnomalyDetector(VAE(6, 2, (4,), likelihood="gaussian")), VAETransformer(2, epochs=1)],
    ids=repr,
)
def test_samples_of_another_shape_than_in_fit_are_refused(estimator):
    X = np.random.default_rng(0).standard_normal((40, 6))
    estimator.fit(X)
    method = getattr(estimator, "predict", None) or estimator.transform
    for bad in (X[:, :5], X.reshape(40, 2, 3)):
        with pytest.raises(ValueError, match=r"features as input, samples of shape \(6,\)"):
            method(bad)
