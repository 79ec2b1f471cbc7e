"""ConditionalVAE: a VAE that is told the label, and learns what the label does not say."""

import copy
from contextlib import contextmanager

import numpy as np

from miniae.layers import Flatten, Layer, Reshape
from miniae.networks import mlp
from miniae.numerics import as_float
from miniae.plumbing.batches import is_loader
from miniae.plumbing.checks import is_whole
from miniae.vae import VAE


class Condition(Layer):
    """Append each sample's label, one-hot: x (n, d) -> out (n, d + n_classes).

    Parameters
    ----------
    n_classes : int

    Attributes
    ----------
    one_hot : (m, n_classes), set by the model: a label for each row, or one for all
        If x has several times m rows, such as several draws for each sample, the labels repeat.
    """

    config = ("n_classes",)

    def __init__(self, n_classes):
        super().__init__()
        self.n_classes, self.one_hot = n_classes, np.zeros((1, n_classes), np.float32)

    def forward(self, x, training=False):
        """x (n, d) -> out (n, d + n_classes)."""
        x = as_float(x)
        n, labels = len(x), len(self.one_hot)
        if n % labels != 0:
            raise ValueError(f"{self}: x has {n} rows, but there are {labels} labels")
        one_hot = np.tile(self.one_hot, (n // labels, 1)).astype(x.dtype)
        return self.remember(x.shape, np.concatenate([x, one_hot], axis=1))

    def backward(self, dout):
        """out holds x as it is. The label is a constant: it has no gradient."""
        self.recall(dout)
        return dout[:, : -self.n_classes]


class ConditionalVAE(VAE):
    """A VAE of x given a label: q(z|x, label), p(x|z, label). Sohn et al. (2015).

    The label, one-hot, is appended to the input of the encoder and of the decoder. So z does not
    need to encode the class, and encodes everything else: the handwriting, not the digit.

    Call ``fit(X, labels=labels)``. encode, decode, reconstruct, posterior, sample, elbo,
    log_likelihood, anomaly_score, evaluate and score take ``labels=``, one per row. For other
    methods (pictures, impute, interpolate, traverse) `given` fixes one label and returns a model to
    use as a plain VAE: ``model.given(3).traverse()``.

    Parameters
    ----------
    n_classes : int; labels are integers from 0 to n_classes - 1
    all others : as in VAE. An encoder or decoder of your own needs a Condition(n_classes) layer
        where the label is appended.

    Examples
    --------
    >>> model = ConditionalVAE((28, 28), 10, n_classes=10).fit(images, labels=labels)
    >>> sevens = model.sample(16, labels=7)
    """

    def __init__(self, input_dim, latent_dim=2, hidden=(128,), *, n_classes, **options):
        if not is_whole(n_classes, 1):
            raise ValueError(f"n_classes={n_classes!r} must be an integer above 0")
        self.n_classes, self.label, self.rows_one_hot = n_classes, None, None
        super().__init__(input_dim, latent_dim, hidden, **options)
        self.arguments["n_classes"] = n_classes
        for name, network in (("encoder", self.encoder), ("decoder", self.decoder)):
            sizes = [p.n_classes for _, p in network.walk() if isinstance(p, Condition)]
            if not sizes or set(sizes) != {n_classes}:
                raise ValueError(
                    f"{name} needs a Condition({n_classes}) layer to append the label; it has "
                    f"Condition layers of {sizes} classes"
                )

    def build(self, code_size, *options):
        """As Model.build, with the label appended to the input of both networks."""
        hidden, features = self.hidden, int(np.prod(self.input_shape))
        n_x, n_z = features + self.n_classes, self.latent_dim + self.n_classes
        encoder = mlp([n_x, *hidden, code_size], *options)
        decoder = mlp([n_z, *reversed(hidden), features], *options)
        return (
            [Flatten(), Condition(self.n_classes), *encoder],
            [Condition(self.n_classes), *decoder, Reshape(*self.input_shape)],
        )

    def one_hot(self, labels, n):
        """Return labels (n,), or one for all, as rows of one 1 among zeros: (n or 1, n_classes).

        Without labels, those that `given` fixed.
        """
        labels = self.label if labels is None else labels
        if labels is None:
            raise ValueError(
                "labels=None, but this model is conditional: pass labels=, one per row, or fix one "
                "for all with model.given(label)"
            )
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.shape not in ((), (n,)) or not labels.size:
            hint = ""
            if labels.ndim == 2 and labels.shape[1] == 1:
                hint = "; ravel() makes a row of a column"
            elif labels.ndim == 2:
                hint = "; argmax(axis=1) undoes a one-hot"
            raise ValueError(
                f"labels must be integers, one per row: shape ({n},), got {labels.dtype} of shape "
                f"{labels.shape}{hint}"
            )
        low, high = labels.min(), labels.max()
        if low < 0 or high >= self.n_classes:
            raise ValueError(
                f"labels from {low} to {high}, but there are n_classes={self.n_classes}, from 0"
            )
        return np.eye(self.n_classes, dtype=np.float32)[np.atleast_1d(labels)]

    def given(self, label):
        """Return p(x|label): a copy whose label is fixed, to use as a plain VAE.

        Its samples, traversals, interpolations, likelihoods and pictures are all of that class. To
        save or train, use the original model.
        """
        copied = copy.deepcopy(self)
        copied.label = label
        copied.set_labels(copied.one_hot(None, 1))
        return copied

    def set_labels(self, one_hot):
        """Give all Condition layers these labels, (n or 1, n_classes)."""
        for _, part in self.walk():
            if isinstance(part, Condition):
                part.one_hot = one_hot

    @contextmanager
    def labelled(self, labels, n):
        """Within the block, these are the labels of the n rows."""
        self.rows_one_hot = self.one_hot(labels, n)
        self.set_labels(self.rows_one_hot)
        try:
            yield
        finally:
            self.rows_one_hot = None
            no_label = np.zeros((1, self.n_classes), np.float32)
            self.set_labels(no_label if self.label is None else self.one_hot(None, 1))

    def use_rows(self, rows):
        """Give the Condition layers the labels of these rows."""
        if self.rows_one_hot is not None and len(self.rows_one_hot) > 1:
            self.set_labels(self.rows_one_hot[rows])

    def infer(self, x, training=False):
        """As VAE.infer; refuses a call without labels."""
        conditions = [p for _, p in self.encoder.walk() if isinstance(p, Condition)]
        if not all(p.one_hot.any() for p in conditions):
            self.one_hot(None, len(x))  # a method without labels was called: raise the error
        return super().infer(x, training)

    def loss(self, x, target=None, *, labels=None, eps=None, rng=None, training=False):
        """As VAE.loss, of x given labels (n,)."""
        with self.labelled(labels, len(x)):
            return super().loss(x, target, eps=eps, rng=rng, training=training)

    def fit(self, X, y=None, *, labels=None, **options):
        """As VAE.fit, with labels (n,); validation_data is then (X, y, labels), y may be None."""
        if self.label is not None:
            raise ValueError(
                f"this copy has the fixed label {self.label}: call fit on the original model"
            )
        if (callable(X) or is_loader(X)) and labels is None:  # they come with its batches
            return super().fit(X, y, **options)
        self.one_hot(labels, len(X))  # refuses labels before any training
        return super().fit(X, y, labels=np.broadcast_to(labels, len(X)), **options)

    def fit_transform(self, X, y=None, *, labels=None, **options):
        """Fit to X and return its codes."""
        return self.fit(X, labels=labels, **options).encode(X, labels=labels)

    def encode(self, X, labels=None):
        """As VAE.encode, given labels."""
        with self.labelled(labels, len(X)):
            return super().encode(X)

    def decode(self, Z, labels=None):
        """As VAE.decode, given labels: one for each Z[i], or with more axes for each Z[..., i, :].

        So the draws (n_draws, n, latent_dim) of `posterior_sample` take the n labels of their rows.
        """
        Z = np.asarray(Z)
        if labels is not None and Z.ndim > 2:
            labels = np.broadcast_to(labels, Z.shape[:-1]).ravel()
        with self.labelled(labels, int(np.prod(Z.shape[:-1]))):
            return super().decode(Z)

    def reconstruct(self, X, labels=None):
        """As VAE.reconstruct, given labels."""
        return self.decode(self.encode(X, labels), labels)

    def posterior(self, X, labels=None):
        """As VAE.posterior, given labels."""
        with self.labelled(labels, len(X)):
            return super().posterior(X)

    def elbo(self, X, split=False, labels=None):
        """As VAE.elbo, given labels."""
        with self.labelled(labels, len(X)):
            return super().elbo(X, split)

    def log_likelihood(self, X, k=1000, labels=None):
        """As VAE.log_likelihood, of X given labels."""
        with self.labelled(labels, len(X)):
            return super().log_likelihood(X, k)

    def anomaly_score(self, X, labels=None):
        """As VAE.anomaly_score, given labels."""
        with self.labelled(labels, len(X)):
            return super().anomaly_score(X)
