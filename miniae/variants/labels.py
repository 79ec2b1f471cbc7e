"""Labels: what a conditional model is told of each row, and the layer that appends it."""

import numpy as np

from miniae.layers import Layer
from miniae.numerics import as_float
from miniae.plumbing.checks import whole
from miniae.plumbing.inputs import as_array, check_batch


class Condition(Layer):
    """Append each sample's label, one-hot or a vector: x (n, d) -> out (n, d + n_classes).

    Parameters
    ----------
    n_classes : int, the numbers to append: the classes, or the length of a vector

    Attributes
    ----------
    labels : (m, n_classes), set by the model: a row for each sample, or one for all
        If x has several times m rows, such as several draws for each sample, the rows repeat. None
        before a model sets it: then zeros are appended.
    """

    config = ("n_classes",)

    def __init__(self, n_classes):
        super().__init__()
        self.n_classes, self.labels = n_classes, None

    def forward(self, x, training=False):
        """x (n, d) -> out (n, d + n_classes)."""
        x = as_float(x)
        labels = np.zeros((1, self.n_classes)) if self.labels is None else self.labels
        n, m = len(x), len(labels)
        if n % m != 0:
            raise ValueError(f"{self}: x has {n} rows, but there are {m} labels")
        labels = np.tile(labels, (n // m, 1)).astype(x.dtype)
        return self.remember(x.shape, np.concatenate([x, labels], axis=1))

    def backward(self, dout):
        """out holds x as it is. The label is a constant: it has no gradient."""
        self.recall(dout)
        return dout[:, : -self.n_classes]


def conditions(part):
    """Return the Condition layers inside a model or network."""
    return [inside for _, inside in part.walk() if isinstance(inside, Condition)]


def check_conditions(model):
    """Refuse networks without Condition layers, or with layers that the labels do not reach.

    A layer must append as many numbers as a label has. `labelled` must be able to replace it, and
    its network must use it.
    """
    other, width = model.labelled(np.zeros(model.kind.shape, int), 1), model.kind.width
    for name, shape in (("encoder", model.input_shape), ("decoder", (model.latent_dim,))):
        network = getattr(other, name)
        parts = conditions(network)
        sizes = [part.n_classes for part in parts]
        if not sizes or set(sizes) != {width}:
            raise ValueError(
                f"{name} needs a Condition({width}) layer to append the label; it has "
                f"Condition layers of {sizes} numbers"
            )
        for part in parts:
            part.out_shape = None
        network.forward(np.zeros((1, *shape), model.theta.dtype))
        if any(part.out_shape is None for part in parts):
            raise ValueError(
                f"{name}: a Condition layer is not used, or is kept where its labels cannot be "
                "set: let the layer that holds it keep it as an attribute, or in a tuple, list "
                "or dict, and call its forward"
            )


class Classes:
    """Labels that are integers from 0 to n_classes - 1. The networks read them one-hot.

    Attributes
    ----------
    shape : tuple of int, of one label
    width : int, the numbers that the networks read for it
    """

    shape, one = (), "one integer"

    def __init__(self, n_classes):
        self.width = whole(n_classes, "n_classes")

    def rows(self, model, labels, n):
        """Return labels (n,), or one for all, as rows of one 1 among zeros: (n or 1, width)."""
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.shape not in ((), (n,)) or not labels.size:
            raise ValueError(
                f"labels must be integers, one per row: shape ({n},), got {labels.dtype} of shape "
                f"{labels.shape}{hint_for(labels)}"
            )
        low, high = labels.min(), labels.max()
        if low < 0 or high >= self.width:
            raise ValueError(
                f"labels from {low} to {high}, but there are n_classes={self.width}, from 0"
            )
        return np.eye(self.width, dtype=np.float32)[np.atleast_1d(labels)]

    def plain(self, label):
        """Return one label as a file keeps it."""
        return int(label)


class Vectors:
    """Labels that are vectors of n_condition numbers, such as the grey levels of a patch.

    The networks read them as they are: scale them as you scale data.

    Attributes
    ----------
    shape, width : as of Classes
    """

    def __init__(self, n_condition):
        self.width = whole(n_condition, "n_condition")
        self.shape, self.one = (self.width,), f"one vector, of shape ({self.width},)"

    def rows(self, model, labels, n):
        """Return labels (n, width), or one (width,) for all, checked, as rows: (n or 1, width)."""
        labels = np.asarray(as_array(labels, "labels"))
        if labels.shape not in (self.shape, (n, self.width)):
            raise ValueError(
                f"labels must be vectors, one per row: shape ({n}, {self.width}), or "
                f"({self.width},) for all rows, got shape {labels.shape}{self.hint(labels, n)}"
            )
        rows = np.atleast_2d(labels)
        check_batch(model, rows, "labels", shape=self.shape)
        return rows

    def plain(self, label):
        """Return one label as a file keeps it: a tuple, the same one if it is a tuple already."""
        return label if isinstance(label, tuple) else tuple(np.asarray(label).tolist())

    def hint(self, labels, n):
        """Return what to write in place of labels of another shape, for the end of an error."""
        if labels.shape == (n,) and self.width == 1:
            return "; labels[:, None] makes rows of one number"
        if labels.shape == (n,) and labels.dtype.kind in "iu":
            return "; for one integer per row, build the model with n_classes="
        if labels.ndim > 2 and labels.size == n * self.width:
            return f"; labels.reshape({n}, {self.width}) makes a row of each"
        return ""


def spread(kind, labels, sizes):
    """Return a label for each of `sizes` rows, from one for all or fewer axes: (*sizes, *shape)."""
    return np.broadcast_to(as_array(labels, "labels"), (*sizes, *kind.shape))


def count_rows(X):
    """Return the length of X, which may be a list, an array or a table; 1 for a single number."""
    return (*np.shape(X if hasattr(X, "shape") else as_array(X, "X")), 1)[0]


def hint_for(labels):
    """Return what to write in place of labels that are not integers (n,), for the end of an error.

    "" if there is no such way.
    """
    shape, kind = labels.shape, labels.dtype.kind
    if kind in "iu" and len(shape) < 2:
        return ""
    if len(shape) == 2 and shape[1] == 1:
        return "; ravel() makes a row of a column"
    if len(shape) == 2:
        is_one_hot = kind in "biuf" and (np.sort(labels, axis=1) == np.eye(shape[1])[-1:]).all()
        if is_one_hot:
            return "; argmax(axis=1) undoes a one-hot"
        return (
            "; a row has exactly one class here, so several labels per row cannot be used; for "
            f"vectors of numbers build the model with n_condition={shape[1]}"
        )
    if len(shape) != 1 or not labels.size:
        return ""
    if any(label is None or label != label for label in labels.tolist()):  # only NaN != itself
        return "; leave out the rows without a label, None or NaN"
    if kind == "b":
        return "; astype(int) makes them 0 and 1"
    if kind == "f" and not (np.isfinite(labels) & (labels == np.floor(labels))).all():
        return "; they are not whole numbers, so they are not classes"
    if kind == "f" or all(isinstance(label, (int, np.integer)) for label in labels):
        return "; astype(int) makes integers of them"
    if kind in "OUS":
        return "; np.unique(labels, return_inverse=True)[1] numbers the classes"
    return ""
