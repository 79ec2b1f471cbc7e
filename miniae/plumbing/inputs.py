"""Checks of data, before anything is computed. Errors say what to do."""

import inspect

import numpy as np


def as_array(x, name):
    """Return x as an array; refuse a masked one, whose hidden entries would count as data."""
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.getmaskarray(x).any():
            raise ValueError(
                f"{name} is a masked array with hidden entries; {name}.filled(np.nan) marks them "
                "as missing, which impute and models with a Masked loss understand"
            )
    return np.asarray(x)


def check_batch(model, x, name, *, shape=None, bounds=(-np.inf, np.inf), first_row=0):
    """Return x as an array of theta's dtype; refuse wrong shapes, NaN, and values out of bounds.

    Raises
    ------
    TypeError : entries that are not real numbers
    ValueError : anything else that does not fit; names both shapes, or the first bad entry
    """
    is_data, shape = shape is None, model.input_shape if shape is None else shape
    x = as_array(x, name) if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {x.dtype}")
    if x.ndim != 1 + len(shape) or x.shape[1:] != shape or not len(x):
        expected = ", ".join(str(s) for s in ("n", *shape))
        hint = "; a single sample is x[None]" if x.shape == shape else ""
        raise ValueError(
            f"{name} must have shape ({expected}) with n >= 1 samples, got {x.shape}{hint}"
        )
    with np.errstate(over="ignore"):  # a number too large for the dtype becomes inf: refused
        x = x.astype(model.theta.dtype, copy=False)
    seen = x.real
    if is_data and model.reconstruction_loss.takes_nan:
        seen = np.where(np.isnan(seen), 0, seen)
    slack = 8 * np.finfo(seen.dtype).eps  # rounding errors of a scaler are allowed
    least, most = bounds[0] - slack, bounds[1] + slack
    low, high = seen.min(), seen.max()
    # NaN, infinite or out of bounds? A NaN makes both the lowest and the highest NaN.
    if not (least <= low and high <= most and np.isfinite([low, high]).all()):
        bad = ~(np.isfinite(seen) & (seen >= least) & (seen <= most))
        index = tuple(np.argwhere(bad)[0])
        place = [int(i) for i in (index[0] + first_row, *index[1:])]
        message = f"{name}{place} is {seen[index]}, but {name} must be finite"
        if bounds[0] > -np.inf:
            message += f" and within {list(bounds)}"
        if is_data and np.isnan(low):
            message += "; for missing entries, wrap the loss in Masked"
        elif bounds[1] < np.inf:
            pixels = bounds[1] == 1 and 0 <= low and high <= 255 and not (seen % 1).any()
            message += "; scale the data" + (", pixels from 0 to 255 as X / 255" if pixels else "")
        raise ValueError(message)
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
    data, bounds = {"x": as_array(X, x_name)}, model.reconstruction_loss.bounds
    check_rows(model, data["x"], x_name, (-np.inf, np.inf) if y is not None else bounds)
    if y is not None:
        data["target"] = as_array(y, y_name)
        shape, expected = data["target"].shape, data["x"].shape
        if shape != expected:
            raise ValueError(
                f"{y_name} is what to reconstruct and must have {x_name}'s shape {expected}, got "
                f"{shape}; labels, which a ConditionalVAE uses, are the keyword labels="
            )
        check_rows(model, data["target"], y_name, bounds)
    for name, values in (side or {}).items():
        if name not in side_names(model):
            raise TypeError(f"{type(model).__name__} takes no argument {name!r}")
        data[name] = np.asarray(values)
        n = data[name].shape[:1]
        if n != data["x"].shape[:1]:
            raise ValueError(
                f"{name} must hold one entry per row of {x_name}, {len(data['x'])}, got {n}"
            )
    return data


def select_rows(data, rows):
    """Return these rows of every array."""
    return {name: values[rows] for name, values in data.items()}


def check_rows(model, X, name, bounds, rows=4096):
    """Check X as `check_batch` does, a few rows at a time."""
    if X.ndim == 0 or len(X) <= rows:
        check_batch(model, X, name, bounds=bounds)
    else:
        for start in range(0, len(X), rows):
            check_batch(model, X[start : start + rows], name, bounds=bounds, first_row=start)
