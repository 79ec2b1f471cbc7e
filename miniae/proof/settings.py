"""Settings of 1 hide mistakes: at beta = 1 or sigma = 1 a missing factor changes nothing."""

import inspect

import numpy as np

from miniae.parameters import Parameterized

GENERIC = 1.37  # replaces a setting of 1
FACTORS = ("alpha", "beta", "gamma", "scale", "sigma", "strength", "temperature", "weight")


def generic_settings(obj):
    """Return a copy of obj with GENERIC for each setting of 1.0, and a list of the changes.

    The constructor builds the copy, from the attributes that have the names of its arguments. So
    everything that the constructor computes from them agrees with the new settings.
    """
    changed = []

    def rebuilt(value):
        if isinstance(value, (list, tuple)):
            return type(value)(rebuilt(each) for each in value)
        if not hasattr(value, "forward") and not hasattr(value, "loss"):
            return value
        before, arguments = len(changed), arguments_of(value)
        for name, argument in arguments.items():
            number = type(argument) in (float, np.float64, np.float32)
            if number or (name in FACTORS and type(argument) is int):
                if argument == 1 and name not in ("p", "lr"):
                    changed.append(f"{name}={GENERIC}")
                    arguments[name] = GENERIC
            else:
                arguments[name] = rebuilt(argument)
        if len(changed) == before:
            return value
        stars = [p for p in parameters_of(value) if p.kind is p.VAR_POSITIONAL]
        clone = (
            type(value)(*arguments.pop(stars[0].name), **arguments)
            if stars
            else type(value)(**arguments)
        )
        if isinstance(value, Parameterized):
            clone = clone.astype(value.theta.dtype)
            clone.theta = value.theta
        return clone

    clone = rebuilt(obj)
    if changed and hasattr(obj, "start_epoch"):
        clone.start_epoch(1)
    return clone, changed


def parameters_of(obj):
    """Return the parameters of an object's constructor."""
    return list(inspect.signature(type(obj)).parameters.values())


def arguments_of(obj):
    """Return the constructor arguments of obj, by name."""
    if hasattr(obj, "get_params"):
        return dict(obj.get_params())
    names = [p.name for p in parameters_of(obj) if p.kind is not p.VAR_KEYWORD]
    found = {name: getattr(obj, name, getattr(obj, f"_{name}", None)) for name in names}
    return {name: value for name, value in found.items() if value is not None}
