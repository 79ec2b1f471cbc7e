"""Attributes that are missing or have no effect: errors that say what to do."""

FREEZE = "to keep weights fixed, wrap their layer or network: Frozen(layer), Frozen(model.encoder)"
HINTS = dict.fromkeys(
    ["trainable", "requires_grad", "requires_grad_", "freeze", "unfreeze", "frozen"], FREEZE
)


def refused(name):
    """Return a property that cannot be set, since that would have no effect."""

    def refuse(self, value):
        raise AttributeError(f"{type(self).__name__}.{name} has no effect: {HINTS[name]}")

    return property(fset=refuse)


class Explained:
    """Base of classes whose missing attributes are explained."""

    set_by_init = "_theta"  # an attribute that the constructor of the base class sets
    trainable, requires_grad = refused("trainable"), refused("requires_grad")

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
