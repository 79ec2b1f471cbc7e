"""ConditionalVAE: a VAE that is told a label or a vector, and learns what that does not say."""

import copy

import numpy as np

from miniae.layers import Flatten, Reshape
from miniae.networks import mlp
from miniae.plumbing.inputs import as_array, is_loader
from miniae.plumbing.signatures import short
from miniae.plumbing.views import with_parts
from miniae.vae import VAE
from miniae.variants.labels import (
    Classes,
    Condition,
    Vectors,
    check_conditions,
    conditions,
    count_rows,
    spread,
)


class ConditionalVAE(VAE):
    """A VAE of x given a label: q(z|x, label), p(x|z, label). Sohn et al. (2015).

    The label is a class, one-hot, or a vector of numbers. It is appended to the input of the
    encoder and of the decoder. So z does not need to encode what the label says, and encodes
    everything else: the handwriting, not the digit; the colours of a patch, not its grey levels.

    Call ``fit(X, labels=labels)``. encode, decode, reconstruct, posterior, sample, elbo,
    log_likelihood, anomaly_score, evaluate and score take ``labels=``, one per row. For other
    methods (pictures, impute, interpolate, traverse) `given` fixes one label and returns a model to
    use as a plain VAE: ``model.given(3).traverse()``.

    Each of these calls carries its labels with it, so several threads can call them at once. `loss`
    and `backward` use the model's own layers: train in one thread.

    Parameters
    ----------
    n_classes : int; labels are integers from 0 to n_classes - 1, (n,), one for each row
    n_condition : int, in place of n_classes; labels are vectors of so many numbers, (n,
        n_condition), one for each row
    label : the label of all rows, as `given` fixes it, or None; such a model is not trained
    all others : as in VAE. An encoder or decoder of your own needs a Condition(n_classes) or
        Condition(n_condition) layer where the label is appended. A layer of your own may hold it,
        as an attribute or in a tuple, list or dict.

    Examples
    --------
    >>> model = ConditionalVAE((28, 28), 10, n_classes=10).fit(images, labels=labels)
    >>> sevens = model.sample(16, labels=7)
    >>> model = ConditionalVAE((8, 8, 2), 8, n_condition=64, likelihood="gaussian")
    >>> model.fit(colours, labels=greys)
    >>> answers = model.sample(5, labels=greys[0])
    """

    def __init__(
        self,
        input_dim,
        latent_dim=2,
        hidden=(128,),
        *,
        n_classes=None,
        n_condition=None,
        label=None,
        **options,
    ):
        if (n_classes is None) == (n_condition is None):
            raise TypeError(
                f"n_classes={n_classes!r} and n_condition={n_condition!r}: pass one of them, "
                "n_classes= for labels that are integers, n_condition= for labels that are vectors"
            )
        self.kind = Classes(n_classes) if n_condition is None else Vectors(n_condition)
        self.n_classes, self.n_condition = n_classes, n_condition
        self.label, self.rows = None, None
        super().__init__(input_dim, latent_dim, hidden, **options)
        self.arguments.update(n_classes=n_classes, n_condition=n_condition)
        check_conditions(self)
        if label is not None:
            self.fix(label)

    def build(self, code_size, *options):
        """As Model.build, with the label appended to the input of both networks."""
        hidden, features = self.hidden, int(np.prod(self.input_shape))
        width = self.kind.width
        n_x, n_z = features + width, self.latent_dim + width
        encoder = mlp([n_x, *hidden, code_size], *options)
        decoder = mlp([n_z, *reversed(hidden), features], *options)
        return (
            [Flatten(), Condition(width), *encoder],
            [Condition(width), *decoder, Reshape(*self.input_shape)],
        )

    def label_rows(self, labels, n):
        """Return labels, or the one that `given` fixed, as checked rows: (n or 1, width)."""
        labels = self.label if labels is None else labels
        if labels is None:
            raise ValueError(
                "labels=None, but this model is conditional: pass labels=, one per row, or fix one "
                "for all with model.given(label)"
            )
        if isinstance(labels, np.ma.MaskedArray) and np.ma.getmaskarray(labels).any():
            raise ValueError(
                "labels is a masked array with hidden entries, but each row needs a label: leave "
                "out the rows without one"
            )
        return self.kind.rows(self, labels, n)

    def given(self, label):
        """Return p(x|label): a copy whose label is fixed, to use as a plain VAE.

        Its samples, traversals, interpolations, likelihoods and pictures are all of that label, and
        its file keeps it. To train, use the original model.
        """
        copied = copy.deepcopy(self)
        copied.fix(label)
        return copied

    def fix(self, label):
        """Fix the label of all rows."""
        if label is None or np.shape(label) != self.kind.shape:
            raise ValueError(
                f"label={short(label)} must be {self.kind.one}; labels= of a method takes one for "
                "each row"
            )
        self.label_rows(label, 1)  # refuses a label that does not fit
        self.label = self.kind.plain(label)
        self.set_labels(self.label_rows(None, 1))

    def set_labels(self, rows):
        """Give all Condition layers these labels, (n or 1, width), or None."""
        for part in conditions(self):
            part.labels = rows

    def labelled(self, labels, n):
        """Return a view of this model in which the n rows have these labels.

        It shares the parameters and all layers but the Condition layers. So calls in several
        threads do not see each other's labels.
        """
        rows = self.label_rows(labels, n)
        self.cache = None  # the shared layers lose what loss() left for backward()
        other = with_parts(self, Condition)
        other.rows = rows
        other.set_labels(rows)
        return other

    def plain(self, labels, X):
        """Return the methods of VAE for rows X with these labels."""
        return super(ConditionalVAE, self.labelled(labels, count_rows(X)))

    def use_rows(self, rows):
        """Give the Condition layers of a view the labels of these rows."""
        if self.rows is not None and len(self.rows) > 1:
            self.set_labels(self.rows[rows])

    def infer(self, x, training=False):
        """As VAE.infer; refuses a call without labels."""
        if any(part.labels is None for part in conditions(self.encoder)):
            self.label_rows(None, len(x))  # a method without labels was called: raise the error
        return super().infer(x, training)

    def loss(self, x, target=None, *, labels=None, eps=None, rng=None, training=False):
        """As VAE.loss, of x given labels, one for each row."""
        self.set_labels(self.label_rows(labels, count_rows(x)))
        try:
            return super().loss(x, target, eps=eps, rng=rng, training=training)
        finally:
            self.set_labels(None if self.label is None else self.label_rows(None, 1))

    def mean_terms(self, data):
        """As VAE.mean_terms, with Condition layers of this call's own."""
        other = with_parts(self, Condition)
        means = super(ConditionalVAE, other).mean_terms(data)
        self.cache, self.terms = None, other.terms
        return means

    def fit(self, X, y=None, *, labels=None, **options):
        """As VAE.fit, with labels; validation_data is then (X, y, labels), y may be None."""
        if self.label is not None:
            raise ValueError(
                f"this copy has the fixed label {short(self.label)}: call fit on the original model"
            )
        if (callable(X) or is_loader(X)) and labels is None:  # they come with its batches
            return super().fit(X, y, **options)
        n = count_rows(X)
        self.label_rows(labels, n)  # refuses labels before any training
        return super().fit(X, y, labels=spread(self.kind, labels, (n,)), **options)

    def fit_transform(self, X, y=None, *, labels=None, **options):
        """Fit to X and return its codes."""
        return self.fit(X, labels=labels, **options).encode(X, labels=labels)

    def encode(self, X, labels=None):
        """As VAE.encode, given labels."""
        return self.plain(labels, X).encode(X)

    def decode(self, Z, labels=None):
        """As VAE.decode, given labels: one for each Z[i], or with more axes for each Z[..., i, :].

        So the draws (n_draws, n, latent_dim) of `posterior_sample` take the n labels of their rows.
        """
        Z = as_array(Z, "Z")
        if labels is not None and Z.ndim > 2:
            labels = as_array(labels, "labels")
            try:
                labels = spread(self.kind, labels, Z.shape[:-1]).reshape(-1, *self.kind.shape)
            except ValueError:
                raise ValueError(
                    f"labels of shape {labels.shape} do not fit Z of shape {Z.shape}: there must "
                    f"be one for each row, {(Z.shape[-2], *self.kind.shape)}"
                ) from None
        return self.plain(labels, Z.reshape(-1, *Z.shape[-1:])).decode(Z)

    def reconstruct(self, X, labels=None):
        """As VAE.reconstruct, given labels."""
        return self.decode(self.encode(X, labels), labels)

    def posterior(self, X, labels=None):
        """As VAE.posterior, given labels."""
        return self.plain(labels, X).posterior(X)

    def elbo(self, X, split=False, labels=None):
        """As VAE.elbo, given labels."""
        return self.plain(labels, X).elbo(X, split)

    def log_likelihood(self, X, k=1000, labels=None):
        """As VAE.log_likelihood, of X given labels."""
        return self.plain(labels, X).log_likelihood(X, k)

    def anomaly_score(self, X, labels=None):
        """As VAE.anomaly_score, given labels."""
        return self.plain(labels, X).anomaly_score(X)
