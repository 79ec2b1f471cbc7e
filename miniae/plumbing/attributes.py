"""Attributes and arguments that do not exist or have no effect: errors that say what to do."""

import inspect

FREEZE = "to keep weights fixed, wrap their layer or network: Frozen(layer), Frozen(model.encoder)"
HINTS = dict.fromkeys(
    ["trainable", "requires_grad", "requires_grad_", "freeze", "unfreeze", "frozen"], FREEZE
)

PENALTY = "a penalty acts on the code: Autoencoder(..., penalty=...)"
ARGUMENTS = {  # of layers elsewhere, and what to write here
    "activation": "an activation is a layer of its own: Sequential(Dense(784, 64), ReLU())",
    "activity_regularizer": PENALTY,
    "bias": "there is always a bias",
    "filters": "write c_out",
    "in_channels": "write c_in",
    "in_features": "write n_in",
    "input_dim": "the first argument is the size of the input",
    "input_shape": "the first argument is the size of the input",
    "kernel_initializer": 'write init="glorot" or init="he"',
    "kernel_regularizer": "use the weight_decay of the optimiser",
    "kernel_size": "write kernel",
    "name": "a layer is named by its place, such as encoder.0",
    "out_channels": "write c_out",
    "out_features": "write n_out",
    "random_state": "write rng",
    "rate": "write p",
    "seed": "write rng",
    "strides": "write stride",
    "target_shape": "write the sizes alone, Reshape(7, 7, 8)",
    "trainable": FREEZE,
    "units": "write n_out",
    "use_bias": "there is always a bias",
}


def check_keywords(cls, names):
    """Raise TypeError for arguments that a layer does not take and that have another name here."""
    foreign = [name for name in names if name in ARGUMENTS]
    if not foreign or not hasattr(cls, "backward_params"):  # not a layer
        return
    known = inspect.signature(cls.__init__).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    for name in foreign:
        if name not in known and not takes_any:
            raise TypeError(f"{cls.__name__} takes no argument {name!r}: {ARGUMENTS[name]}")


def refused(name):
    """Return a property that cannot be set, since that would have no effect."""

    def refuse(self, value):
        raise AttributeError(f"{type(self).__name__}.{name} has no effect: {HINTS[name]}")

    return property(fset=refuse)


class Explained:
    """Base of classes whose missing attributes are explained."""

    set_by_init = "_theta"  # an attribute that the constructor of the base class sets
    trainable, requires_grad = refused("trainable"), refused("requires_grad")

    def __new__(cls, *arguments, **keywords):
        """Look at the keywords before the constructor does."""
        check_keywords(cls, keywords)
        return super().__new__(cls)

    def __getattr__(self, name):
        """Python calls this for an attribute that is missing."""
        kind = type(self).__name__
        if self.set_by_init not in vars(self) and not name.startswith("__"):
            raise AttributeError(
                f"{kind} has no {name!r} yet: call super().__init__() in {kind}.__init__, before "
                "this attribute is used"
            )
        if name in HINTS:
            raise AttributeError(f"{kind!r} object has no attribute {name!r}: {HINTS[name]}")
        return object.__getattribute__(self, name)  # raises Python's own error
