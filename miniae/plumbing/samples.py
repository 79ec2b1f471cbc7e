"""Samples as estimators take them: the checks, and the words of the errors, of scikit-learn."""

import math

import numpy as np

from miniae.plumbing.estimator import check_fitted
from miniae.plumbing.hints import shape_hint
from miniae.plumbing.inputs import as_array
from miniae.plumbing.tables import check_columns, warn_about_names


def as_samples(X):
    """Return X as an array of samples (n, ...), or as sparse rows, of one feature at least.

    Raises
    ------
    TypeError : an entry is not a number
    ValueError : complex numbers, a wrong number of axes, or an empty axis
    """
    X = as_array(X, "X")
    if X.dtype.kind == "O":
        X = np.asarray(X).astype(np.float64)  # numbers stored as objects
    if X.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: X must hold real numbers, got dtype {X.dtype}"
        )
    if X.ndim < 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead: X must be (n, features) or images, "
            f"got shape {X.shape}. Reshape your data with X.reshape(-1, 1) if it has a single "
            "feature, or X.reshape(1, -1) if it is a single sample"
        )
    for axis, what in enumerate(("sample(s)", "feature(s)")):
        if X.shape[axis] == 0:
            raise ValueError(
                f"Found array with 0 {what} (shape={X.shape}) while a minimum of 1 is required."
            )
    return X


def keep_samples(estimator, shape, names):
    """Keep the shape of a sample and the names of its columns, which `known_samples` looks at.

    names : (n_features,), or None for no names
    """
    estimator.sample_shape_, estimator.n_features_in_ = shape, math.prod(shape)
    vars(estimator).pop("feature_names_in_", None)
    if names is not None:
        estimator.feature_names_in_ = names


def known_samples(estimator, X):
    """Return X as samples with the columns and the shape of those in `fit`.

    Raises
    ------
    NotFittedError : there was no `fit`
    TypeError, ValueError : X does not fit; says what would
    """
    check_fitted(estimator)
    check_columns(estimator, X)
    warn_about_names(estimator, X)
    X, shape = as_samples(X), estimator.sample_shape_
    if X.shape[1:] != shape:
        raise ValueError(
            f"X has {math.prod(X.shape[1:])} features, but {type(estimator).__name__} is expecting "
            f"{math.prod(shape)} features as input, samples of shape {shape} as in fit, got X of "
            f"shape {X.shape}{shape_hint(X.shape, shape, 'X')}"
        )
    return X
