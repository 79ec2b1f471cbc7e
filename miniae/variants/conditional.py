"""ConditionalVAE: a VAE that is told the label, and learns what the label does not say."""

import copy

import numpy as np

from miniae.layers import Flatten, Layer, Reshape
from miniae.networks import mlp
from miniae.numerics import as_float
from miniae.plumbing.checks import whole
from miniae.plumbing.inputs import as_array, is_loader
from miniae.plumbing.views import with_parts
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

    Each of these calls carries its labels with it, so several threads can call them at once. `loss`
    and `backward` use the model's own layers: train in one thread.

    Parameters
    ----------
    n_classes : int; labels are integers from 0 to n_classes - 1
    label : int or None, the label of all rows, as `given` fixes it; such a model is not trained
    all others : as in VAE. An encoder or decoder of your own needs a Condition(n_classes) layer
        where the label is appended. A layer of your own may hold it, as an attribute or in a tuple,
        list or dict.

    Examples
    --------
    >>> model = ConditionalVAE((28, 28), 10, n_classes=10).fit(images, labels=labels)
    >>> sevens = model.sample(16, labels=7)
    """

    def __init__(self, input_dim, latent_dim=2, hidden=(128,), *, n_classes, label=None, **options):
        self.n_classes = whole(n_classes, "n_classes")
        self.label, self.rows_one_hot = None, None
        super().__init__(input_dim, latent_dim, hidden, **options)
        self.arguments["n_classes"] = n_classes
        for name, network in (("encoder", self.encoder), ("decoder", self.decoder)):
            sizes = [part.n_classes for part in conditions(network)]
            if not sizes or set(sizes) != {n_classes}:
                raise ValueError(
                    f"{name} needs a Condition({n_classes}) layer to append the label; it has "
                    f"Condition layers of {sizes} classes"
                )
        self.check_reach()
        if label is not None:
            self.fix(label)

    def check_reach(self):
        """Refuse networks whose Condition layers `labelled` cannot replace, or that go unused."""
        other = self.labelled(0, 1)
        for name, shape in (("encoder", self.input_shape), ("decoder", (self.latent_dim,))):
            network = getattr(other, name)
            parts = conditions(network)
            for part in parts:
                part.out_shape = None
            network.forward(np.zeros((1, *shape), self.theta.dtype))
            if any(part.out_shape is None for part in parts):
                raise ValueError(
                    f"{name}: a Condition layer is not used, or is kept where its labels cannot be "
                    "set: let the layer that holds it keep it as an attribute, or in a tuple, list "
                    "or dict, and call its forward"
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
        if isinstance(labels, np.ma.MaskedArray) and np.ma.getmaskarray(labels).any():
            raise ValueError(
                "labels is a masked array with hidden entries, but each row needs a label: leave "
                "out the rows without one"
            )
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.shape not in ((), (n,)) or not labels.size:
            raise ValueError(
                f"labels must be integers, one per row: shape ({n},), got {labels.dtype} of shape "
                f"{labels.shape}{hint_for(labels)}"
            )
        low, high = labels.min(), labels.max()
        if low < 0 or high >= self.n_classes:
            raise ValueError(
                f"labels from {low} to {high}, but there are n_classes={self.n_classes}, from 0"
            )
        return np.eye(self.n_classes, dtype=np.float32)[np.atleast_1d(labels)]

    def given(self, label):
        """Return p(x|label): a copy whose label is fixed, to use as a plain VAE.

        Its samples, traversals, interpolations, likelihoods and pictures are all of that class, and
        its file keeps the label. To train, use the original model.
        """
        copied = copy.deepcopy(self)
        copied.fix(label)
        return copied

    def fix(self, label):
        """Fix the label of all rows."""
        if np.ndim(label):
            raise ValueError(
                f"label={label!r} must be one integer; labels= of a method takes one for each row"
            )
        one_hot = self.one_hot(label, 1)
        self.label = int(label)
        self.set_labels(one_hot)

    def set_labels(self, one_hot):
        """Give all Condition layers these labels, (n or 1, n_classes)."""
        for part in conditions(self):
            part.one_hot = one_hot

    def labelled(self, labels, n):
        """Return a view of this model in which the n rows have these labels.

        It shares the parameters and all layers but the Condition layers. So calls in several
        threads do not see each other's labels.
        """
        one_hot = self.one_hot(labels, n)
        self.cache = None  # the shared layers lose what loss() left for backward()
        other = with_parts(self, Condition)
        other.rows_one_hot = one_hot
        other.set_labels(one_hot)
        return other

    def plain(self, labels, X):
        """Return the methods of VAE for rows X with these labels."""
        return super(ConditionalVAE, self.labelled(labels, count_rows(X)))

    def use_rows(self, rows):
        """Give the Condition layers of a view the labels of these rows."""
        if self.rows_one_hot is not None and len(self.rows_one_hot) > 1:
            self.set_labels(self.rows_one_hot[rows])

    def infer(self, x, training=False):
        """As VAE.infer; refuses a call without labels."""
        if not all(part.one_hot.any() for part in conditions(self.encoder)):
            self.one_hot(None, len(x))  # a method without labels was called: raise the error
        return super().infer(x, training)

    def loss(self, x, target=None, *, labels=None, eps=None, rng=None, training=False):
        """As VAE.loss, of x given labels (n,)."""
        self.set_labels(self.one_hot(labels, count_rows(x)))
        try:
            return super().loss(x, target, eps=eps, rng=rng, training=training)
        finally:
            no_label = np.zeros((1, self.n_classes), np.float32)
            self.set_labels(no_label if self.label is None else self.one_hot(None, 1))

    def mean_terms(self, data):
        """As VAE.mean_terms, with Condition layers of this call's own."""
        other = with_parts(self, Condition)
        means = super(ConditionalVAE, other).mean_terms(data)
        self.cache, self.terms = None, other.terms
        return means

    def fit(self, X, y=None, *, labels=None, **options):
        """As VAE.fit, with labels (n,); validation_data is then (X, y, labels), y may be None."""
        if self.label is not None:
            raise ValueError(
                f"this copy has the fixed label {self.label}: call fit on the original model"
            )
        if (callable(X) or is_loader(X)) and labels is None:  # they come with its batches
            return super().fit(X, y, **options)
        n = count_rows(X)
        self.one_hot(labels, n)  # refuses labels before any training
        return super().fit(X, y, labels=np.broadcast_to(labels, n), **options)

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
                labels = np.broadcast_to(labels, Z.shape[:-1]).ravel()
            except ValueError:
                raise ValueError(
                    f"labels of shape {labels.shape} do not fit Z of shape {Z.shape}: there must "
                    f"be one for each row, ({Z.shape[-2]},)"
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


def conditions(part):
    """Return the Condition layers inside a model or network."""
    return [inside for _, inside in part.walk() if isinstance(inside, Condition)]


def count_rows(X):
    """Return the length of X, which may be a list, an array or a table; 1 for a single number."""
    return (*np.shape(X), 1)[0]


def hint_for(labels):
    """Return what to write in place of labels that are not integers (n,), for the end of an error.

    "" if there is no such way.
    """
    shape, kind = labels.shape, labels.dtype.kind
    if len(shape) == 2 and shape[1] == 1:
        return "; ravel() makes a row of a column"
    if len(shape) == 2:
        is_one_hot = kind in "biuf" and (np.sort(labels, axis=1) == np.eye(shape[1])[-1:]).all()
        if is_one_hot:
            return "; argmax(axis=1) undoes a one-hot"
        return "; a row has exactly one class here, so several labels per row cannot be used"
    if len(shape) != 1 or not labels.size:
        return ""
    if kind == "b":
        return "; astype(int) makes them 0 and 1"
    if kind == "f" and not (np.isfinite(labels) & (labels == np.floor(labels))).all():
        return "; they are not whole numbers, so they are not classes"
    if kind == "f" or all(isinstance(label, (int, np.integer)) for label in labels):
        return "; astype(int) makes integers of them"
    if kind in "OUS":
        return "; np.unique(labels, return_inverse=True)[1] numbers the classes"
    return ""
