"""Variants of the VAE, each a small subclass: conditional, and importance-weighted in training."""

import copy
from contextlib import contextmanager

import numpy as np

from miniae.layers import Flatten, Reshape
from miniae.losses import gaussian_kl
from miniae.networks import Condition, mlp
from miniae.parameters import require
from miniae.vae import VAE


class ConditionalVAE(VAE):
    """A VAE of x given a label: q(z|x, label), p(x|z, label). Sohn et al. (2015).

    The label, one-hot, is appended to what the encoder and the decoder take. So z need not tell the
    class, and is left to tell all else: the handwriting, not the digit.

    ``fit(X, labels=labels)``; and encode, decode, reconstruct, posterior, sample, elbo,
    log_likelihood, anomaly_score, evaluate and score take ``labels=`` with their rows. For all else
    (pictures, impute, interpolate, traverse) `given` fixes one label, which makes it a plain VAE:
    ``model.given(3).traverse()``.

    Parameters
    ----------
    n_classes : int; labels are integers from 0 to n_classes - 1
    all others : as in VAE. An encoder or decoder of your own has a Condition(n_classes) layer where
        the label is to come in.

    Examples
    --------
    >>> model = ConditionalVAE((28, 28), 10, n_classes=10).fit(images, labels=labels)
    >>> sevens = model.sample(16, labels=7)
    """

    def __init__(self, input_dim, latent_dim=2, hidden=(128,), *, n_classes, **options):
        require(
            isinstance(n_classes, (int, np.integer)) and n_classes > 0,
            f"n_classes={n_classes!r} must be an integer above 0",
        )
        self.n_classes, self.label, self.rows_one_hot = n_classes, None, None
        super().__init__(input_dim, latent_dim, hidden, **options)
        self.arguments["n_classes"] = n_classes
        for name, network in (("encoder", self.encoder), ("decoder", self.decoder)):
            sizes = [p.n_classes for _, p in network.walk() if isinstance(p, Condition)]
            require(
                sizes and set(sizes) == {n_classes},
                f"{name} needs a Condition({n_classes}) layer, where the label comes in; it has "
                f"Condition layers of {sizes} classes",
            )

    def build(self, code_size, *options):
        """As Model.build, with the label appended to the input of both networks."""
        hidden, features = self.arguments["hidden"], int(np.prod(self.input_shape))
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
        require(
            labels is not None,
            "labels=None, but this model is conditional: pass labels=, one per row, or fix one for "
            "all with model.given(label)",
        )
        labels = np.asarray(labels)
        require(
            labels.dtype.kind in "iu" and labels.shape in ((), (n,)) and labels.size,
            f"labels must be integers, one per row: shape ({n},), got {labels.dtype} of shape "
            f"{labels.shape}" + ("; argmax(axis=1) undoes a one-hot" if labels.ndim == 2 else ""),
        )
        low, high = labels.min(), labels.max()
        require(
            low >= 0 and high < self.n_classes,
            f"labels from {low} to {high}, but there are n_classes={self.n_classes}, from 0",
        )
        return np.eye(self.n_classes, dtype=np.float32)[np.atleast_1d(labels)]

    def given(self, label):
        """Return p(x|label): a copy whose label is fixed, to be used as a plain VAE.

        Its samples, traversals, interpolations, likelihoods and pictures are all of that class. It
        is made for looking: to keep or to train further, take the model that it came from.
        """
        twin = copy.deepcopy(self)
        twin.label = label
        twin._condition(twin.one_hot(None, 1))
        return twin

    def _condition(self, one_hot):
        for _, part in self.walk():
            if isinstance(part, Condition):
                part.one_hot = one_hot

    @contextmanager
    def _labelled(self, labels, n):
        """Within the block, the n rows that pass through have these labels."""
        self.rows_one_hot = self.one_hot(labels, n)
        self._condition(self.rows_one_hot)
        try:
            yield
        finally:
            self.rows_one_hot = None
            no_label = np.zeros((1, self.n_classes), np.float32)
            self._condition(no_label if self.label is None else self.one_hot(None, 1))

    def _select(self, rows):
        if self.rows_one_hot is not None and len(self.rows_one_hot) > 1:
            self._condition(self.rows_one_hot[rows])

    def _code(self, x, training=False):
        conditions = [p for _, p in self.encoder.walk() if isinstance(p, Condition)]
        if not all(p.one_hot.any() for p in conditions):
            self.one_hot(None, len(x))  # a method of VAE that takes no labels: says what to do
        return super()._code(x, training)

    def loss(self, x, target=None, *, labels=None, eps=None, rng=None, training=False):
        """As VAE.loss, of x given labels (n,)."""
        with self._labelled(labels, len(x)):
            return super().loss(x, target, eps=eps, rng=rng, training=training)

    def fit(self, X, y=None, *, labels=None, **options):
        """As VAE.fit, with labels (n,); validation_data is then (X, y, labels), y maybe None."""
        require(
            self.label is None, f"this copy is for looking at label {self.label}: fit the whole"
        )
        if callable(X) and labels is None:  # they come with its batches
            return super().fit(X, y, **options)
        self.one_hot(labels, len(X))  # refuses labels before any training
        return super().fit(X, y, labels=np.broadcast_to(labels, len(X)), **options)

    def fit_transform(self, X, y=None, *, labels=None, **options):
        """Fit to X and return its codes."""
        return self.fit(X, labels=labels, **options).encode(X, labels=labels)

    def encode(self, X, labels=None):
        """As VAE.encode, given labels."""
        with self._labelled(labels, len(X)):
            return super().encode(X)

    def decode(self, Z, labels=None):
        """As VAE.decode, given labels: one for each Z[i], or with more axes for each Z[..., i, :].

        So the draws (n_draws, n, latent_dim) of `posterior_sample` take the n labels of their rows.
        """
        Z = np.asarray(Z)
        if labels is not None and Z.ndim > 2:
            labels = np.broadcast_to(labels, Z.shape[:-1]).ravel()
        with self._labelled(labels, int(np.prod(Z.shape[:-1]))):
            return super().decode(Z)

    def reconstruct(self, X, labels=None):
        """As VAE.reconstruct, given labels."""
        return self.decode(self.encode(X, labels), labels)

    transform, inverse_transform = encode, decode
    predict = __call__ = reconstruct

    def posterior(self, X, labels=None):
        """As VAE.posterior, given labels."""
        with self._labelled(labels, len(X)):
            return super().posterior(X)

    def elbo(self, X, split=False, labels=None):
        """As VAE.elbo, given labels."""
        with self._labelled(labels, len(X)):
            return super().elbo(X, split)

    def log_likelihood(self, X, k=1000, labels=None):
        """As VAE.log_likelihood, of X given labels."""
        with self._labelled(labels, len(X)):
            return super().log_likelihood(X, k)

    def anomaly_score(self, X, labels=None):
        """As VAE.anomaly_score, given labels."""
        with self._labelled(labels, len(X)):
            return super().anomaly_score(X)


class ImportanceWeightedVAE(VAE):
    """A VAE trained on a tighter bound, of k draws per sample. Burda et al. (2016), eq. 8 and 14.

    loss = -E log (1/k) sum_j w_j with w_j = p(x|z_j) p(z_j) / q(z_j|x). Its expectation falls
    towards -log p(x) as k grows; at k = 1 it is minus the ELBO, with the KL by draws.

    Parameters
    ----------
    k : int, draws of z per sample, in training and in `evaluate`
    all others : as in VAE, without beta, kl_warmup and free_bits: the bound has no KL to weigh
    """

    def __init__(self, input_dim, latent_dim=2, hidden=(128,), *, k=5, **options):
        require(isinstance(k, (int, np.integer)) and k > 0, f"k={k!r} must be an integer above 0")
        weighed = sorted({"beta", "kl_warmup", "free_bits"} & set(options))
        require(
            not weighed, f"{weighed}: the importance-weighted bound has no KL to weigh; use VAE"
        )
        self.k = self.draws = k
        super().__init__(input_dim, latent_dim, hidden, **options)
        self.arguments["k"] = k
        for name in self.adjustable:
            del self.arguments[name]

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """Return minus the importance-weighted bound of a batch, a scalar in nats.

        As VAE.loss, with eps of shape (k, n, latent_dim).
        """
        x, target, rng = self._inputs(x, target, rng, training)
        mu, log_var = self._posterior(x, training)
        shape = (self.k, *mu.shape)
        if eps is None:
            eps = rng.standard_normal(shape, dtype=mu.real.dtype)
        require(np.shape(eps) == shape, f"eps has shape {np.shape(eps)}, expected {shape}")
        z, nll, log_w = self._log_weight(target, mu, log_var, eps, training)
        highest = log_w.real.max(axis=0)
        w = np.exp(log_w - highest)  # of the k draws the largest is 1: nothing overflows
        total = w.sum(axis=0)
        self.cache = log_var, eps, z, w / total
        loss = -(highest + np.log(total / self.k)).mean()
        kl = gaussian_kl(mu, log_var).sum(axis=1).mean()
        return self._record(loss, **self._parts(nll.mean(), kl, mu))

    def backward(self):
        """Fill dtheta with the gradient of the last loss, the noise eps held fixed.

        d log sum_j w_j = sum_j (w_j / sum w) d log w_j: the gradients of the k draws, weighted by
        their shares v_j. With z = mu + eps std, log q(z|x) = -(eps^2 + log_var) / 2 + constant, so

            -log w_j = -log p(x|z_j) + z_j^2 / 2 - log_var / 2 + constant:

        dz_j is v_j / n times (the decoder's gradient + z_j). As in VAE, z reaches mu with the
        factor 1 and log_var with eps std / 2; and log_var itself counts -1/2, times sum v_j = 1.
        """
        log_var, eps, z, share = self.cached()
        share = share / len(log_var)
        dout = self.reconstruction_loss.backward(share.ravel())
        dz = self.decoder.backward(dout).reshape(z.shape) + share[:, :, None] * z
        dmu = dz.sum(axis=0)
        dlog_var = (dz * (0.5 * eps * np.exp(0.5 * log_var))).sum(axis=0) - 0.5 / len(log_var)
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))
