"""How good samples of images are, in the eyes of a small classifier of real images."""

import numpy as np

from miniae import Adam, Dense, Flatten, MultinomialNLL, ReLU, Sequential
from miniae.numerics import log_softmax


class Judge:
    """A classifier with one hidden layer, whose activations are the features of an image.

    As in the scores of GANs that use the Inception network, but trained on the data at hand.
    """

    def __init__(self, n_pixels, n_classes, hidden=64, seed=0):
        rng = np.random.default_rng([seed, 4])
        self.n_classes, self.rng = n_classes, rng
        self.body = Sequential(Flatten(), Dense(n_pixels, hidden, init="he", rng=rng), ReLU())
        self.net = Sequential(self.body, Dense(hidden, n_classes, rng=rng))

    def fit(self, X, labels, epochs=8, batch_size=100, lr=2e-3):
        """Train on images X (n, ...) and labels (n,)."""
        loss, rule, targets = MultinomialNLL(), Adam(lr), np.eye(self.n_classes, dtype=np.float32)
        for _ in range(epochs):
            order = self.rng.permutation(len(X))
            for start in range(0, len(X), batch_size):
                rows = order[start : start + batch_size]
                loss.forward(self.net.forward(X[rows]), targets[labels[rows]])
                self.net.backward_params(loss.backward())
                rule.step(self.net.theta, self.net.dtheta)
        return self

    def features(self, X):
        """Return the activations of the hidden layer, (n, hidden)."""
        return self.body.predict(X).astype(np.float64)

    def p(self, X):
        """Return the probabilities of the classes, (n, n_classes)."""
        return np.exp(log_softmax(self.net.predict(X).astype(np.float64)))


def entropy(p):
    """Return the entropy of probabilities along the last axis, in nats."""
    return -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)


def classifier_score(p):
    """Return exp of the mean KL(p(y|x) || p(y)): between 1 and the number of classes.

    It is high if each image is surely of one class, and all classes are there. Salimans et al.
    (2016), "inception score".

    p : (n, classes), the classifier's probabilities for n images
    """
    return float(np.exp(entropy(p.mean(axis=0)) - entropy(p).mean()))


def classes_in_use(p):
    """Return exp of the entropy of the shares of the predicted classes: 10 if ten are equal.

    p : (n, classes)
    """
    counts = np.bincount(p.argmax(axis=1), minlength=p.shape[1])
    return float(np.exp(entropy(counts / counts.sum())))


def frechet_distance(A, B):
    """Return the squared Frechet distance of Gaussians with the moments of features A and B.

    |mean_A - mean_B|^2 + tr(C_A + C_B - 2 (C_A C_B)^(1/2)). Heusel et al. (2017). The trace of the
    root is the sum of the roots of the eigenvalues of C_A^(1/2) C_B C_A^(1/2), which is symmetric.

    A, B : (n, features), (m, features)
    """
    mean = ((A.mean(axis=0) - B.mean(axis=0)) ** 2).sum()
    C_A, C_B = np.cov(A.T), np.cov(B.T)
    values, vectors = np.linalg.eigh(C_A)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ C_B @ root), 0)).sum()
    return float(mean + np.trace(C_A) + np.trace(C_B) - 2 * cross)


def edge_strength(X):
    """Return the mean size of the gradient of images (n, h, w), over pixels: edges are strong.

    Noise has strong gradients too: more than real images have is not sharper but noisier.
    """
    down = np.diff(X, axis=1)[:, :, :-1]
    right = np.diff(X, axis=2)[:, :-1]
    return float(np.sqrt(down**2 + right**2).mean())


def grey_share(X):
    """Return the share of pixels between 0.2 and 0.8: blurred edges are grey."""
    return float(((X > 0.2) & (X < 0.8)).mean())


def spread(features):
    """Return the variance of features, summed over them: small if all samples look alike."""
    return float(features.var(axis=0).sum())
