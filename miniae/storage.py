"""Storage: a model in one .npz file, readable without running anything that the file says.

The file holds `theta` and a JSON header: the class, its arguments, a table of parameter names and
shapes, the history. Networks, losses, corruptions and penalties are written as constructor calls of
miniae's own classes; nothing is pickled.
"""

import json
import os

import numpy as np

from miniae import conv, layers, losses, missing, networks, regularizers
from miniae.parameters import require

FORMAT = "miniae model"
VERSION = 1
# Modules whose classes a file may name.
KNOWN = (conv, layers, losses, missing, networks, regularizers)
OWN = [module.__name__ for module in KNOWN]


def describe(value):
    """Return a JSON form of a constructor's argument; other people's objects are only named."""
    if hasattr(value, "config") and type(value).__module__ in OWN:
        arguments = {name: describe(getattr(value, name)) for name in value.config}
        return {"class": type(value).__name__, "arguments": arguments}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [describe(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"class": type(value).__name__, "arguments": None}


def rebuild(value, name):
    """Return the argument that `describe` described."""
    if isinstance(value, list):
        return tuple(rebuild(item, name) for item in value)
    if not isinstance(value, dict):
        return value
    found = [getattr(module, value["class"], None) for module in KNOWN]
    cls = next((c for c in found if isinstance(c, type) and hasattr(c, "config")), None)
    if cls is None or value["arguments"] is None:
        raise ValueError(
            f"its {name} has a {value['class']}, which is not one of miniae's own classes: "
            f"build that argument yourself and pass it, load(path, {name}=...)"
        )
    arguments = {key: rebuild(item, name) for key, item in value["arguments"].items()}
    # Sequential and Reshape collect theirs with a star, but take one tuple as well.
    return cls(*arguments.values()) if len(arguments) == 1 else cls(**arguments)


def save(model, path):
    """Write a model: into a temporary file beside `path` first, which then takes its name."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "class": type(model).__name__,
        "arguments": {
            **{name: describe(value) for name, value in model.get_params().items()},
            "dtype": model.theta.dtype.name,
        },
        "shapes": {name: list(value.shape) for name, value, _ in model.named_params()},
        "history": model.history,
    }
    path = os.fspath(path)
    temporary = f"{path}.{os.urandom(4).hex()}.tmp"  # in the same folder, so that a rename does
    file = open(temporary, "xb")
    try:
        with file:
            np.savez(file, theta=model.theta, header=np.array(json.dumps(header, default=float)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(cls, path, **given):
    """Return the model of class `cls` in the file; `given` replaces arguments of its constructor.

    The optimiser and the state of the random generator are not in the file: a further `fit` starts
    with a new optimiser, and draws as the first one did.

    Raises
    ------
    ValueError : whatever is wrong with the file
    FileNotFoundError : there is none
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            theta, header = file["theta"], json.loads(str(file["header"]))
        require(header["format"] == FORMAT, f"its format is {header['format']!r}")
        require(header["version"] == VERSION, f"its version is {header['version']}, not {VERSION}")
        name = header["class"]
        require(name == cls.__name__, f"it holds a {name}: use {name}.load")
        strange = sorted(set(given) - set(header["arguments"]))
        require(not strange, f"{name} has no arguments {strange}")
        arguments = {
            key: given[key] if key in given else rebuild(value, key)
            for key, value in header["arguments"].items()
        }
        model = cls(**arguments)
        shapes = {name: list(value.shape) for name, value, _ in model.named_params()}
        require(
            shapes == header["shapes"],
            f"its parameters are {header['shapes']}, but the networks have {shapes}",
        )
        require(
            np.isrealobj(theta) and theta.dtype == model.theta.dtype,
            f"its theta is of dtype {theta.dtype}, not {model.theta.dtype}",
        )
        model.theta = theta
        model.history = {str(key): list(values) for key, values in header["history"].items()}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can make any step above fail in any way
        reason = f"no entry {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{os.fspath(path)} is not a model that miniae can read: {reason}"
        ) from error
    model.start_epoch(len(model.history.get("loss", ())))
    return model
