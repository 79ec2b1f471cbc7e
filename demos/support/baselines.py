"""Simple methods that a demo compares its model with."""

import numpy as np

from miniae import VAE, Adam, Dense, MultinomialNLL
from miniae.proof.oracles import PCA, conditional_gaussian


def independent_pixels(X, X_test):
    """Return the mean log probability of test images if all pixels were independent, in nats.

    Each pixel is 1 with a probability of its own. This is the bound of a VAE whose latents have
    all collapsed.
    """
    p = X.mean(axis=0).clip(1e-3, 1 - 1e-3)
    log_p = X_test * np.log(p) + (1 - X_test) * np.log(1 - p)
    return float(log_p.reshape(len(X_test), -1).sum(axis=1).mean())


class HeVAE(VAE):
    """A VAE whose weights before ReLUs start in He's range, as those of other models do."""

    relu_init = "he"


def pick(labels, n, rng):
    """Return the indices of n random rows of each class, class by class."""
    of_class = (np.flatnonzero(labels == c) for c in np.unique(labels))
    return np.concatenate([rng.choice(rows, n, replace=False) for rows in of_class])


def nearest(X, labels, X_test):
    """Return the label of each test row's nearest neighbour among the rows of X."""
    X, X_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    return labels[((X**2).sum(axis=1) - 2 * X_test @ X.T).argmin(axis=1)]


def incomplete_pca(H, k, steps):
    """Fit probabilistic PCA with k components to rows with missing entries, by EM.

    Each step completes every row by its conditional mean, given the observed entries, and adds the
    conditional covariance of what was missing to the covariance of the completed rows. To that the
    maximum of the likelihood is known in closed form: see `ProbabilisticPCA`.

    H : (n, features), NaN where missing

    Returns
    -------
    mean, covariance : (features,), (features, features) of the Gaussian that was fitted
    """
    mean, C = np.nanmean(H, axis=0), np.diag(np.nanvar(H, axis=0) + 1e-6)
    for _ in range(steps):
        F, extra = np.empty_like(H), np.zeros_like(C)
        for i, row in enumerate(H):
            gone = np.isnan(row)
            F[i], spread = conditional_gaussian(mean, C, row)
            extra[np.ix_(gone, gone)] += spread / len(H)
        mean = F.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(F.T, bias=True) + extra)
        noise = values[:-k].mean()
        W = vectors[:, -k:] * np.sqrt(values[-k:] - noise)
        C = W @ W.T + noise * np.eye(len(C))
    return mean, C


class SoftmaxRegression:
    """A linear classifier: one Dense layer under the multinomial loss of one-hot labels.

    It is trained on all rows at once by Adam, on inputs scaled to mean 0 and standard deviation 1
    over the training rows, with `decay` times the squared weights as a penalty. With `one_scale`
    all features are divided by one number. That is far better for the pixels of a few images, some
    of which are almost constant.
    """

    def __init__(self, decay=1e-3, steps=300, one_scale=False):
        self.decay, self.steps, self.one_scale = decay, steps, one_scale

    def fit(self, X, labels):
        """Fit to rows X (n, features) and labels (n,) of any kind."""
        X = np.asarray(X, np.float64).reshape(len(X), -1)
        self.classes, index = np.unique(labels, return_inverse=True)
        self.mean, self.std = X.mean(axis=0), X.std(axis=0) + 1e-6
        if self.one_scale:
            self.std = np.sqrt((self.std**2).mean())
        X, targets = (X - self.mean) / self.std, np.eye(len(self.classes))[index]
        self.layer, loss = Dense(X.shape[1], len(self.classes), dtype="float64"), MultinomialNLL()
        self.layer.theta = np.zeros_like(self.layer.theta)
        optimizer = Adam(0.05)
        for _ in range(self.steps):
            loss.forward(self.layer.forward(X), targets)
            self.layer.backward_params(loss.backward())
            optimizer.step(self.layer.theta, self.layer.dtheta + self.decay * self.layer.theta)
        return self

    def predict(self, X):
        """Return the most likely label of each row."""
        X = (np.asarray(X, np.float64).reshape(len(X), -1) - self.mean) / self.std
        return self.classes[self.layer.forward(X).argmax(axis=1)]


class Projection:
    """PCA with the methods that AnomalyDetector needs.

    The score of a row is the squared error that k components leave. For k = 0 it is the squared
    distance to the mean.
    """

    def __init__(self, k):
        self.k = k

    def fit(self, X, epochs=None, **options):
        """Find the mean and the first k components of rows X; with epochs=0 change nothing."""
        if epochs == 0:
            return self
        pca = PCA(max(self.k, 1)).fit(X)
        self.mean, self.V = pca.mean_, pca.components_[: self.k]
        return self

    def anomaly_score(self, X):
        """Return the squared error of each row."""
        rows = X - self.mean
        return ((rows - rows @ self.V.T @ self.V) ** 2).sum(axis=1)


class LargestZ:
    """The score is the largest |z| in the window, z = (x - mean) / std over all samples seen."""

    def fit(self, X, epochs=None, **options):
        """Find mean and standard deviation of the samples; with epochs=0 change nothing."""
        if epochs != 0:
            self.mean, self.std = X.mean(), X.std()
        return self

    def anomaly_score(self, X):
        """Return the score of each window."""
        return np.abs((X - self.mean) / self.std).max(axis=1)
