"""Checks of the arguments of layers. Errors say what to write."""

from operator import index

import numpy as np

INITS = ("glorot", "he", "pytorch")
WINDOWS = "; windows are square and steps equal on both axes"
HINTS = {"kernel": WINDOWS, "stride": WINDOWS, "size": WINDOWS}
HINTS["n_features"] = "; it is the size of the last axis: Flatten() before it joins several axes"


def is_whole(value, least):
    """Return whether a value is an integer and at least `least`; True and False are not."""
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return is_integer and value >= least


def check_sizes(layer, **sizes):
    """Return these arguments of a layer as integers.

    Raises
    ------
    TypeError : an argument is missing
    ValueError : an argument is not one integer, or is below 1
    """
    kind = type(layer).__name__
    given = ", ".join(f"{value!r}" for value in sizes.values() if value is not None)
    for name, value in sizes.items():
        if value is None:
            raise TypeError(
                f"{kind}({given}): {name} is missing; write {kind}({', '.join(sizes)}), the sizes "
                "of the input first: a layer does not take them from the data"
            )
        if not is_whole(value, 1):
            hint = HINTS.get(name, "") if np.ndim(value) else ""
            raise ValueError(f"{kind}: {name}={value!r} must be one integer, 1 or more{hint}")
    return [index(value) for value in sizes.values()]


def check_weights(layer, init, dtype, bias=True):
    """Return init; refuse one that does not exist, a dtype that cannot be trained, an odd bias.

    A layer without a bias has `bias` in its config, so in its file too. One with a bias has no
    attribute of this name: the array is params["b"].
    """
    kind = type(layer).__name__
    if init not in INITS:
        raise ValueError(f'{kind}: init={init!r}; use "glorot", or before a ReLU "he" or "pytorch"')
    if np.dtype(dtype).kind not in "fc":
        raise ValueError(f"{kind}: dtype={dtype!r} must be a floating-point type")
    if not isinstance(bias, bool):
        raise ValueError(f"{kind}: bias={bias!r} must be True or False; its array is params['b']")
    if not bias:
        layer.bias, layer.config = False, (*layer.config, "bias")
    return init


def check_flag(layer, name, value, hint=""):
    """Return value, True or False; refuse anything else, such as a number meant for a size."""
    if not isinstance(value, (bool, np.bool_)):
        given = repr(value)
        if isinstance(value, np.ndarray):
            given = f"an array of shape {value.shape}"
        elif isinstance(value, (tuple, list)):
            given = f"a {type(value).__name__} of {len(value)}"
        raise ValueError(
            f"{type(layer).__name__}: {name} is {given}, but must be True or False{hint}"
        )
    return bool(value)


def check_mask(layer, mask, *shapes):
    """Return a mask as an array; refuse one that is not bool, or has none of these shapes."""
    mask = np.asarray(mask)
    if mask.shape not in shapes or mask.dtype != bool:
        fitting = " or ".join(map(str, shapes))
        raise ValueError(
            f"{layer}: mask is {mask.dtype} of shape {mask.shape}, but must be bool of shape "
            f"{fitting}, True where a step counts"
        )
    return mask


def check_range(layer, name, value, *, above=None, highest=None):
    """Return a finite number; refuse one that is not above `above` (or below 0), or is too high."""
    kind = type(layer).__name__
    number = np.asarray(value).dtype.kind in "iuf" and not np.ndim(value)
    too_low = not number or not (value >= 0 if above is None else value > above)
    if too_low or value == np.inf or (highest is not None and value > highest):
        least = "0 or more" if above is None else f"above {above}"
        most = "" if highest is None else f" and at most {highest}"
        raise ValueError(f"{kind}: {name}={value!r} must be a finite number, {least}{most}")
    return float(value)


def check_padding(layer, padding):
    """Return padding as an integer, or "same"; refuse anything else with a ValueError."""
    if isinstance(padding, str) and padding == "same":
        return padding
    if not is_whole(padding, 0):
        hint = '; what Keras calls "valid" is padding=0' if str(padding).lower() == "valid" else ""
        raise ValueError(
            f"{type(layer).__name__}: padding={padding!r} must be an integer, 0 or more, or "
            f'"same"{hint}'
        )
    return index(padding)


def check_shape(layer, shape):
    """Return the arguments of Reshape, integers or one tuple, as a tuple; or refuse them."""
    shape = tuple(shape[0]) if len(shape) == 1 and np.ndim(shape[0]) else shape
    for n in shape:
        if not is_whole(n, -1) or n == 0:
            raise ValueError(
                f"{type(layer).__name__}: shape={shape!r} must be integers above 0, the shape of "
                "one sample; one of them may be -1"
            )
    if shape.count(-1) > 1:
        raise ValueError(f"{type(layer).__name__}: shape={shape!r} has -1 more than once")
    return shape


def check_layers(network, layers, base):
    """Return the arguments of Sequential as a tuple of distinct layers, or refuse them.

    base : the class Layer
    """
    kind = type(network).__name__
    if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
        layers = layers[0]
    for layer in layers:
        if not isinstance(layer, base):
            raise TypeError(f"{kind} takes layers, got {layer!r}; {hint_for(layer, base)}")
    if len({id(layer) for layer in layers}) != len(layers):
        raise ValueError(f"{kind}: the same layer is in it twice; make two layers")
    return tuple(layers)


def hint_for(value, base):
    """Return what to write instead of a value that is not a layer."""
    if isinstance(value, type) and issubclass(value, base):
        return "is a () missing?"
    if isinstance(value, str):
        return "an activation is a layer of its own, such as ReLU() or Tanh()"
    if hasattr(value, "encoder"):
        return "the networks of a model are model.encoder and model.decoder"
    if hasattr(value, "weight"):
        return "a penalty acts on the code: Autoencoder(..., penalty=...)"
    if hasattr(value, "damage"):
        return "a corruption acts on the input: Autoencoder(..., corruption=...)"
    if hasattr(value, "entries"):
        return "a loss is an argument of the model: Autoencoder(..., loss=...)"
    return "write it as a layer (docs/11_extending.md), or is a () missing?"
