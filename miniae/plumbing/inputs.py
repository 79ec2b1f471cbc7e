"""Checks of data, before anything is computed. Errors say what to do."""

import inspect
import math
from collections.abc import Mapping, Sequence, Set

import numpy as np

from miniae.plumbing.hints import range_hint, shape_hint, target_hint
from miniae.plumbing.sparse import SparseRows, is_sparse
from miniae.plumbing.tables import check_columns, is_table, same_columns, table_as_array

ENTRIES = 2**22  # of the data at a time, if rows are wide: 16 MB in float32


def as_array(x, name):
    """Return x as an array, or as `SparseRows` if it is sparse.

    Raises
    ------
    TypeError : a table with a column that does not hold numbers; a dict; an object that gives
        batches
    ValueError : a masked array with hidden entries, which would count as data; arrays that do not
        fit together
    """
    if is_sparse(x):
        return SparseRows(x)
    if is_table(x):
        return table_as_array(x, name)
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.getmaskarray(x).any():
            raise ValueError(
                f"{name} is a masked array with hidden entries; {name}.filled(np.nan) marks them "
                "as missing, which impute and models with a Masked loss understand"
            )
    if isinstance(x, SparseRows):
        return x
    if isinstance(x, Mapping):
        raise TypeError(
            f"{name} is a {type(x).__name__} with the keys {[*x]}, but must be one array: pass the "
            "array of one key; a MultimodalVAE takes a dict, and its pack(X) returns one array"
        )
    if is_loader(x):
        raise TypeError(
            f"{name} is a {type(x).__name__}, which gives batches: only fit of a model takes one, "
            f"as X; here give one array, such as np.concatenate([np.asarray(x) for x in {name}])"
        )
    try:
        return np.asarray(x)
    except ValueError as error:  # "inhomogeneous shape"
        raise ValueError(
            f"{name} is a {type(x).__name__} whose {len(x)} entries differ in shape, but must be "
            f"one array: {name}[0] is the first entry, such as the images of (images, labels)"
        ) from error


def as_data(model, X, name):
    """Return data as an array; a model of several modalities packs a dict of them into rows."""
    return model.pack(X, name) if hasattr(type(model), "pack") else as_array(X, name)


def is_loader(X):
    """Return whether X is an object that gives batches each time it is iterated over.

    PyTorch's DataLoader is one. Arrays, tables and sparse matrices are not, and neither are lists.
    """
    is_array = any(hasattr(X, name) for name in ("shape", "__array__", "__array_interface__"))
    return hasattr(X, "__iter__") and not is_array and not isinstance(X, (Sequence, Mapping, Set))


def rows_at_once(X, most):
    """Return how many rows of X to take at a time: `most`, or fewer if they are wide."""
    return max(1, min(most, ENTRIES // max(1, math.prod(X.shape[1:]))))


def check_batch(model, x, name, *, shape=None, bounds=(-np.inf, np.inf), first_row=0):
    """Return x as an array of theta's dtype; refuse wrong shapes, NaN, and values out of bounds.

    Raises
    ------
    TypeError : entries that are not real numbers
    ValueError : anything else that does not fit; names both shapes, or the first bad entry
    """
    is_data, shape = shape is None, model.input_shape if shape is None else shape
    if type(x) is not np.ndarray:
        if is_data:
            check_columns(model, x, name)
        x = np.asarray(as_array(x, name))
    if x.dtype.kind not in "biuf":
        hint = f"; {name}.astype(float) converts numbers stored as objects or as text"
        hint = hint if x.dtype.kind in "OUST" and x.ndim else ""
        raise TypeError(f"{name} must hold real numbers, got dtype {x.dtype}{hint}")
    if x.ndim != 1 + len(shape) or x.shape[1:] != shape or not len(x):
        expected = ", ".join(str(s) for s in ("n", *shape))
        hint = shape_hint(x.shape, shape, name)
        raise ValueError(
            f"{name} must have shape ({expected}) with n >= 1 samples, got {x.shape}{hint}"
        )
    with np.errstate(over="ignore"):  # a number too large for the dtype becomes inf: refused
        given, x = x, x.astype(model.theta.dtype, copy=False)
    seen = x.real
    if is_data and model.reconstruction_loss.takes_nan:
        seen = np.where(np.isnan(seen), 0, seen)
    slack = 8 * np.finfo(seen.dtype).eps  # rounding errors of a scaler are allowed
    least, most = bounds[0] - slack, bounds[1] + slack
    low, high = seen.min(), seen.max()
    # NaN, infinite or out of bounds? A NaN makes both the lowest and the highest NaN.
    if not (least <= low and high <= most and math.isfinite(low) and math.isfinite(high)):
        bad = ~(np.isfinite(seen) & (seen >= least) & (seen <= most))
        index = tuple(np.argwhere(bad)[0])
        place = [int(i) for i in (index[0] + first_row, *index[1:])]
        value = given[index]
        message = f"{name}{place} is {value}, but {name} must be finite"
        if np.isfinite(value) and not np.isfinite(seen[index]):
            dtype = model.theta.dtype
            message = f"{name}{place} is {value}, too large for the model's dtype {dtype}: scale it"
            message += ', or build the model with dtype="float64"' if dtype == np.float32 else ""
        elif bounds[0] > -np.inf:
            message += f" and within {list(bounds)}"
        if is_data and np.isnan(value):
            message += "; for missing entries (NaN), wrap the loss in Masked"
        elif np.isfinite(seen[index]):
            message += range_hint(model, bounds)
        raise ValueError(message)
    if is_data and hasattr(type(model), "check_rows"):  # of sequences
        model.check_rows(seen, name, first_row)
    return x


def side_names(model):
    """Return the names of the loss's arguments besides x and target, such as labels."""
    taken = inspect.signature(model.loss).parameters.values()
    common = {"x", "target", "eps", "rng", "training"}
    return [p.name for p in taken if p.name not in common and p.kind != p.VAR_KEYWORD]


def check_data(model, X, y=None, side=None, x_name="X", y_name="y"):
    """Return the arrays whose rows `model.loss` takes, checked, in a dict by name.

    They are x, target if y is given, and other arguments of the model's loss, such as labels. The
    data are read once, a few rows at a time, so that an error names the row of the data set and
    comes before any training.
    """
    check_columns(model, X, x_name)
    data, bounds = {"x": as_data(model, X, x_name)}, model.reconstruction_loss.bounds
    if y is None:
        check_rows(model, data["x"], x_name, bounds, is_target=True)
    else:
        check_rows(model, data["x"], x_name, (-np.inf, np.inf))
    if y is not None:
        if same_columns(model, y):
            check_columns(model, y, y_name)
        data["target"] = as_data(model, y, y_name)
        shape, expected = data["target"].shape, data["x"].shape
        if shape != expected:
            raise ValueError(
                f"{y_name} is what to reconstruct and must have {x_name}'s shape {expected}, got "
                f"{shape}{target_hint(y_name)}"
            )
        check_rows(model, data["target"], y_name, bounds, is_target=True)
    for name, values in (side or {}).items():
        if name not in side_names(model):
            raise TypeError(f"{type(model).__name__} takes no argument {name!r}")
        data[name] = as_array(values, name)
        n = data[name].shape[:1]
        if n != data["x"].shape[:1]:
            raise ValueError(
                f"{name} must hold one entry per row of {x_name}, {len(data['x'])}, got {n}"
            )
    return data


def select_rows(data, rows):
    """Return these rows of every array."""
    return {name: values[rows] for name, values in data.items()}


def check_rows(model, X, name, bounds, is_target=False):
    """Check X as `check_batch` does, a few rows at a time, and as `check_target` if it is one."""
    n, rows = len(X) if X.ndim else 0, rows_at_once(X, 4096)
    for start in range(0, max(n, 1), rows):
        part = X if n <= rows else X[start : start + rows]
        batch = check_batch(model, part, name, bounds=bounds, first_row=start)
        if is_target:
            check_target(model, batch, name, start)


def check_target(model, batch, name, first_row=0):
    """Refuse targets that the loss cannot have, such as a category that is not one-hot.

    `model.loss` does not: a gradient is right for any target, and the checks of it use random ones.

    Raises
    ------
    ValueError : names the row and the columns
    """
    loss = model.reconstruction_loss.base
    found = loss.wrong_target(batch) if hasattr(loss, "wrong_target") else None
    if found:
        row, column, words, remedy = found
        place = f"{name}[{row + first_row}]: the entries from column {column}"
        raise ValueError(f"{place} {words}; {remedy}")
