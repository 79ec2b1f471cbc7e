"""What a constructor takes, and an object described by what was set."""

import functools
import inspect

import numpy as np

signature = functools.cache(inspect.signature)  # layers and models are built often


@functools.cache
def argument_defaults(cls):
    """Return a constructor's arguments and their defaults, a dict that is shared: only read it.

    An argument without a default has `inspect.Parameter.empty`; **options are looked up in the base
    class.
    """
    defaults = {}
    for each in cls.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = list(signature(each.__init__).parameters.values())[1:]  # after self
        passed_on = [p for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        for p in parameters:
            if p not in passed_on:
                defaults.setdefault(p.name, p.default)
        if not passed_on:
            break
    return defaults


@functools.cache
def takes_any(cls):
    """Return whether a constructor takes **options that no base class lists."""
    constructors = [each.__init__ for each in cls.__mro__ if "__init__" in vars(each)]
    kinds = [[p.kind for p in signature(c).parameters.values()] for c in constructors]
    return all(inspect.Parameter.VAR_KEYWORD in kind for kind in kinds)


def argument_names(cls):
    """Return the names of a constructor's arguments; **options are looked up in the base class."""
    return list(argument_defaults(cls))


def described(thing, values, first):
    """Return "Adam(lr=0.01, clip_norm=1.0)": the first arguments, and those that are not defaults.

    values : dict of the arguments as they are now
    first : int, how many are shown in any case
    """
    shown = []
    for place, (name, default) in enumerate(argument_defaults(type(thing)).items()):
        if name not in values:
            continue
        value = values[name].item() if isinstance(values[name], np.generic) else values[name]
        if place < first or repr(value) != repr(default):
            shown.append(f"{name}={short(value)}")
    return f"{type(thing).__name__}({', '.join(shown)})"


def short(value, most=80):
    """Return the repr of a value, or for a function its name, for a long one only its type."""
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= most else f"{type(value).__name__}(...)"
