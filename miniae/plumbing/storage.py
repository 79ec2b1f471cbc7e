"""Storage: a model in one .npz file, which is read without executing anything in it.

The file holds `theta`, the buffers and a JSON header: the class, its arguments, a table of
parameter names and shapes, the history. Networks, losses, corruptions and penalties are written as
constructor calls of miniae's own classes. Nothing is pickled.
"""

import importlib
import itertools
import json
import math
import os

import numpy as np

from miniae.plumbing import archives
from miniae.plumbing.estimator import argument_names
from miniae.plumbing.tables import set_columns

FORMAT = "miniae model"
VERSION = 1
# Modules whose classes a file may name; they are imported when a file is read or written.
KNOWN = """
    layers activations normalization losses likelihoods conv conv1d pooling recurrent steps
    attention frozen missing regularizers variants.labels variants.sequence
    variants.token_layers priors
""".split()
OWN = [f"miniae.{name}" for name in KNOWN]
KEYS = {"format", "version", "class", "arguments", "shapes", "history"}
OPTIONAL = {"feature_names"}  # of a model that was trained on a table with named columns


def as_json(value):
    """Return a JSON form of a constructor's argument; of other objects, only the class name."""
    if hasattr(value, "config") and type(value).__module__ in OWN:
        arguments = {name: as_json(getattr(value, name)) for name in value.config}
        return {"class": type(value).__name__, "arguments": arguments}
    if isinstance(value, dict):  # by modality
        return {"class": "dict", "arguments": {name: as_json(v) for name, v in value.items()}}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [as_json(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"class": type(value).__name__, "arguments": None}


def rebuild(value, name):
    """Return the argument that `as_json` wrote."""
    if isinstance(value, list):
        return tuple(rebuild(item, name) for item in value)
    if not isinstance(value, dict):
        return value
    if value["class"] == "dict":
        return {key: rebuild(item, f"{name}[{key!r}]") for key, item in value["arguments"].items()}
    found = [getattr(importlib.import_module(name), value["class"], None) for name in OWN]
    cls = next((c for c in found if isinstance(c, type) and hasattr(c, "config")), None)
    if cls is None or value["arguments"] is None:
        raise ValueError(
            f"its {name} has a {value['class']}, which is not one of miniae's own classes: "
            f"build that argument yourself and pass it, load(path, {name}=...)"
        )
    arguments = {key: rebuild(item, name) for key, item in value["arguments"].items()}
    # Sequential and Reshape collect theirs with a star, but take one tuple as well.
    return cls(*arguments.values()) if len(arguments) == 1 else cls(**arguments)


def check_size(arguments, size):
    """Refuse arguments that would build networks of far more than `size` parameters.

    So a file with absurd numbers is refused before memory is allocated for them.
    """

    def whole(value):
        if isinstance(value, list) and any(isinstance(item, (list, dict)) for item in value):
            return []  # objects, or pairs of them: no sizes of one array
        return [int(n) for n in np.ravel(value) if isinstance(n, (int, np.integer))]

    def layers_in(value):
        if isinstance(value, dict):
            sizes = [whole(v) for v in (value["arguments"] or {}).values()]
            together = [[n for each in sizes for n in each]]
            yield from sizes if value["class"] == "dict" else together
            for inside in (value["arguments"] or {}).values():
                yield from layers_in(inside)
        elif isinstance(value, list):
            for item in value:
                yield from layers_in(item)

    products = [math.prod(numbers) for value in arguments.values() for numbers in layers_in(value)]
    own_networks = None not in (arguments.get("encoder"), arguments.get("decoder"))
    if not own_networks and "input_dim" in arguments:  # a subclass may name its sizes otherwise
        units = [math.prod(whole(arguments["input_dim"])), *whole(arguments.get("hidden", ()))]
        sizes = ("latent_dim", "n_classes", "n_condition")
        units += [n for name in sizes for n in whole(arguments.get(name, 1))]
        products += [a * b for a, b in itertools.pairwise(units)]
    if max(products, default=0) > 64 * max(size, 1):
        raise ValueError(
            f"it has {size:,} parameters, but describes networks of {max(products, default=0):,}"
        )


def header(model):
    """Return the header of a model's file: how to build it, and the shapes of its parameters."""
    arguments = {name: as_json(value) for name, value in model.get_params().items()}
    if "dtype" in arguments:
        arguments["dtype"] = model.theta.dtype.name
    names = getattr(model, "feature_names_in_", None)
    return {
        "format": FORMAT,
        "version": VERSION,
        "class": type(model).__name__,
        "arguments": arguments,
        "shapes": {name: list(value.shape) for name, value, _ in model.named_params()},
        "history": model.history,
        **({} if names is None else {"feature_names": list(names)}),
    }


def learned(model):
    """Return the arrays that training changes, a dict by name; they are not copies."""
    return {"theta": model.theta, **{f"buffer.{k}": v for k, v in model.named_buffers()}}


def learned_in(arrays, prefix=""):
    """Return the arrays of a file that `learned` named, without the prefix of their names."""
    starts = (f"{prefix}theta", f"{prefix}buffer.")
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(starts)}


def is_known(name):
    """Return whether a file of a model or of a run may have an array of this name."""
    starts = ("buffer.", "best_buffer.", "optimizer.")
    return name in ("header", "theta", "run", "best_theta") or name.startswith(starts)


def check_learned(model, arrays):
    """Raise ValueError if arrays do not have the names, shapes and dtypes of `learned(model)`.

    All parameters must be finite. A buffer may hold inf, such as the lowest number so far, but NaN
    only if the model's buffer has one now.
    """
    here = learned(model)
    for name in sorted({*here, *arrays}):
        ours, its = (
            f"of dtype {a[name].dtype} and shape {a[name].shape}" if name in a else "missing"
            for a in (here, arrays)
        )
        if ours != its:
            raise ValueError(f"its {name} is {its}, the model's is {ours}")
        if name != "theta" and here[name].dtype.kind in "fc":
            if np.isnan(arrays[name]).any() and not np.isnan(here[name]).any():
                raise ValueError(f"its {name} has a NaN")
    start = 0
    for name, value, _ in model.named_params():  # in the order of theta
        if not np.isfinite(arrays["theta"][start : start + value.size]).all():
            raise ValueError(f"its parameter {name} is not finite")
        start += value.size


def check_history(history):
    """Return the history of a file; raise ValueError if it is not lists of numbers by name."""
    if not isinstance(history, dict):
        raise ValueError(f"its history is {history!r:.60}, but must be a dict of lists")
    for name, values in history.items():
        if not isinstance(values, list) or any(type(v) not in (int, float) for v in values):
            raise ValueError(f"its history of {name!r} is not a list of numbers")
    return history


def restore(model, arrays):
    """Copy the arrays of `learned` into a model; ValueError if they do not fit."""
    check_learned(model, arrays)
    for name, array in learned(model).items():
        array[...] = arrays[name]


def model_arrays(model):
    """Return the arrays of a model's file."""
    return {**learned(model), "header": np.array(json.dumps(header(model), default=float))}


def save(model, path):
    """Write a model to a file, completely or not at all.

    Raises
    ------
    OSError : the file cannot be written; an existing file is unchanged
    """
    archives.write(path, model_arrays(model))


def load(cls, path, **given):
    """Return the model of class `cls` in the file; `given` replaces arguments of its constructor.

    The optimiser and the state of the random generator are not in the file: the next `fit` starts
    with a new optimiser and with the random numbers of a new model.

    Raises
    ------
    ValueError : the file is not a model that miniae can read; says why
    FileNotFoundError : there is no such file
    """
    with archives.reading(f"{os.fspath(path)} is not a model that miniae can read"):
        return model_from(cls, archives.read(path, is_known), given)


def model_from(cls, arrays, given):
    """Return the model of class `cls` in the arrays of a file; raise ValueError if it is not one.

    Arrays that do not fit can also raise errors of other types.
    """
    header = json.loads(str(arrays["header"]))
    its = learned_in(arrays)
    strange = sorted(set(arrays) - {"header", *its})
    if strange and "run" not in arrays:  # what only the file of a run may have
        raise ValueError(f"it has entries that are not known: {strange}")
    if header["format"] != FORMAT:
        raise ValueError(f"its format is {header['format']!r}")
    if header["version"] != VERSION:
        raise ValueError(f"its version is {header['version']}, not {VERSION}")
    odd = sorted(set(header) - OPTIONAL ^ KEYS)
    if odd:
        raise ValueError(f"its header has missing or unknown entries: {odd}")
    name = header["class"]
    if name != cls.__name__:
        raise ValueError(f"it holds a {name}: use {name}.load")
    strange = sorted(set(given) - set(argument_names(cls)))
    if strange:
        raise ValueError(f"{name} has no arguments {strange}")
    check_size(header["arguments"], sum(array.size for array in its.values()))
    written = header["arguments"]
    model = cls(**{k: rebuild(v, k) for k, v in written.items() if k not in given} | given)
    shapes = {name: list(value.shape) for name, value, _ in model.named_params()}
    if list(shapes.items()) != list(header["shapes"].items()):
        raise ValueError(f"its parameters are {header['shapes']}, but the networks have {shapes}")
    restore(model, its)
    set_columns(model, header.get("feature_names"))
    model.history = check_history(header["history"])
    model.start_epoch(len(model.history.get("loss", ())))
    return model
