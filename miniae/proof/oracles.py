"""Exact answers, to hold trained models against."""

import numpy as np

from miniae.parameters import require


class PCA:
    """Principal component analysis: the best linear code of a given size, in closed form.

    No linear autoencoder reaches a smaller squared error. Baldi and Hornik (1989).

    Parameters
    ----------
    n_components : int, from 1 to the number of features

    Attributes
    ----------
    mean_ : (features,)
    components_ : (n_components, features), orthonormal rows, the largest variance first
    """

    def __init__(self, n_components):
        self.n_components = n_components

    def fit(self, X):
        """Find the components of X (n, features), from the eigenvectors of its covariance."""
        X = np.asarray(X, dtype=np.float64)
        require(X.ndim == 2 and len(X), f"X must have shape (n, features), got {X.shape}")
        k, features = self.n_components, X.shape[1]
        require(0 < k <= features, f"n_components={k} must be from 1 to {features}, X's features")
        self.mean_ = X.mean(axis=0)
        centred = X - self.mean_
        vectors = np.linalg.eigh(centred.T @ centred)[1]  # in order of rising variance
        self.components_ = vectors[:, ::-1][:, :k].T
        return self

    def transform(self, X):
        """X (n, features) -> codes (n, n_components)."""
        return (X - self.mean_) @ self.components_.T

    def inverse_transform(self, Z):
        """Codes (n, n_components) -> X (n, features)."""
        return Z @ self.components_ + self.mean_
