"""A fitted AnomalyDetector in one .npz file: its model, the units that it sees, and its scores."""

import json
import os

import numpy as np

from miniae.plumbing import archives, storage

FORMAT, VERSION = "miniae detector", 1
SCORES, UNITS = ("decision_scores_", "holdout_scores_"), ("center_", "spread_")


def save(detector, path, models):
    """Write a fitted detector, whole or not at all; TypeError if its class is not in models."""
    model = detector.model_
    if type(model) not in models:
        raise TypeError(
            f"a file cannot hold a {type(model).__name__}, only "
            f"{', '.join(cls.__name__ for cls in models)}"
        )
    header = {
        "format": FORMAT,
        "version": VERSION,
        "class": type(model).__name__,
        "label": getattr(model, "label", None),
        "arguments": {**detector.get_params(deep=False), "model": None},
        "has_model": detector.model is not None,
        "columns": list(getattr(detector, "feature_names_in_", [])),
    }
    arrays = {f"model.{name}": array for name, array in storage.model_arrays(model).items()}
    arrays |= {name: getattr(detector, name) for name in SCORES}
    if detector.center_ is not None:
        arrays |= {name: getattr(detector, name) for name in UNITS}
    text = json.dumps(header, default=lambda number: number.item())
    archives.write(path, {"detector": np.array(text), **arrays})


def is_known(name):
    """Return whether the file of a detector may have an array of this name."""
    start, _, inside = name.partition(".")
    return name in ("detector", *SCORES, *UNITS) or (start == "model" and storage.is_known(inside))


def load(cls, path, models):
    """Return the detector of class `cls` in a file.

    Raises
    ------
    ValueError : the file is not a detector that miniae can read; says why
    FileNotFoundError : there is no such file
    """
    with archives.reading(f"{os.fspath(path)} is not a detector that miniae can read"):
        arrays = archives.read(path, is_known)
        header = json.loads(str(arrays.pop("detector")))
        if (header["format"], header["version"]) != (FORMAT, VERSION):
            raise ValueError(f"its format is {header['format']!r}, version {header['version']!r}")
        return build(cls, header, arrays, {each.__name__: each for each in models})


def build(cls, header, arrays, models):
    """Return the detector that a header and arrays describe, all checked."""
    inside = {name: arrays.pop(name) for name in list(arrays) if name.startswith("model.")}
    inside = {name.removeprefix("model."): array for name, array in inside.items()}
    model = storage.model_from(models[header["class"]], inside, {})
    if header["label"] is not None:
        model = model.given(header["label"])
    if set(arrays) not in (set(SCORES), {*SCORES, *UNITS}):
        raise ValueError(f"its entries are {sorted(arrays)}")
    for name, array in arrays.items():
        if array.dtype.kind != "f" or (name in SCORES and (array.ndim != 1 or not len(array))):
            raise ValueError(f"its {name} is of dtype {array.dtype} and shape {array.shape}")
        if np.isnan(array).any() or (array == -np.inf).any():
            raise ValueError(f"its {name} has NaN or -inf")
    if len(arrays["holdout_scores_"]) > len(arrays["decision_scores_"]):
        raise ValueError("it has more holdout_scores_ than decision_scores_")
    center, spread = (arrays.get(name) for name in UNITS)
    if center is not None:
        np.broadcast_to(center, model.input_shape), np.broadcast_to(spread, model.input_shape)
        if not np.isfinite(center).all() or not (np.isfinite(spread) & (spread > 0)).all():
            raise ValueError("its center_ must be finite, and its spread_ finite and above 0")
    given = model if header["has_model"] else None
    detector = cls(**{**header["arguments"], "model": given})
    columns = header["columns"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise ValueError(f"its columns are {columns!r:.60}, but must be a list of names")
    if columns and model.input_shape != (len(columns),):
        raise ValueError(f"its columns are {columns}, for samples of {model.input_shape}")
    detector.restore(model, center, spread, *(arrays[name] for name in SCORES), columns)
    return detector
