"""Models with known answers, and functions that read a figure."""

from statistics import NormalDist

import numpy as np

MINUS = "\N{MINUS SIGN}"
HISTORY = {
    "loss": [3.0, 2.0, 1.5],
    "reconstruction": [2.0, 1.2, 0.9],
    "kl": [1.0, 0.8, 0.6],
    "val_loss": [3.1, 2.2, 1.9],
    "val_reconstruction": [2.1, 1.4, 1.2],
    "val_kl": [1.0, 0.8, 0.7],
}


class Negative:
    """Reconstructs an image as its negative; a sample is uniform noise of one shape."""

    def __init__(self, shape=(4, 4)):
        self.shape = shape

    def reconstruct(self, X):
        return 1.0 - X

    def sample(self, n, seed=None):
        return np.random.default_rng(seed).random((n, *self.shape))


class Codes:
    """The code of a sample is its first `latent_dim` features."""

    def __init__(self, latent_dim=2):
        self.latent_dim = latent_dim

    def encode(self, X):
        return X[:, : self.latent_dim]


class Slopes:
    """Decodes z to a 2 by 3 image whose pixel k is Phi(z[k]), and keeps the z it was given."""

    def __init__(self, latent_dim=2):
        self.latent_dim = latent_dim

    def decode(self, z):
        self.z = z.copy()
        images = np.zeros((len(z), 6))
        images[:, : z.shape[1]] = [[NormalDist().cdf(v) for v in row] for row in z]
        return images.reshape(-1, 2, 3)


class Ramp:
    """Images of 2 by 3 pixels with one value each, so that a test knows every tile of a sheet.

    Along latent d, step s of a traversal is (d + s / 10) / 10; half way from a to b is their mean.
    """

    latent_dim = 3

    def traverse(self, x=None, dims=None, span=(-3, 3), steps=11):
        self.given = (x, dims, span, steps)
        dims = range(self.latent_dim) if dims is None else dims
        values = np.array([[(d + s / 10) / 10 for s in range(steps)] for d in dims])
        return np.broadcast_to(values[:, :, None, None], (*values.shape, 2, 3))

    def interpolate(self, a, b, steps=10):
        t = np.linspace(0, 1, steps)[:, None, None]
        return (1 - t) * a[:, None] + t * b[:, None]

    def reconstruct(self, X):
        return X / 2

    def kl_per_dimension(self, X, **side):
        self.side = side
        return np.array([2.0, 0.001, 0.5])

    def encode(self, X, **side):
        self.side = side
        return np.outer(np.linspace(-1, 1, len(X)), [1.0, 0.001, 0.5])


def picture(fig):
    """Return the one image array that a figure shows; NaN between filters."""
    (image,) = fig.axes[0].images
    return np.ma.filled(image.get_array(), np.nan)


def texts(fig):
    """Return the texts of a figure outside its axes."""
    return [text.get_text() for text in fig.texts]


def ticks(axis):
    """Return a dict of position to label."""
    labels = [text.get_text().replace(MINUS, "-") for text in axis.get_ticklabels()]
    return dict(zip(axis.get_ticklocs(), labels, strict=True))
