"""Views: a second object with the same arrays, which one call can change for itself alone."""


def view(thing):
    """Return a new object of the same class with the same attributes. Nothing is copied."""
    other = object.__new__(type(thing))
    vars(other).update(vars(thing))  # not setattr, which would lay out the parameters again
    return other


def with_parts(thing, cls):
    """Return a view of an object in which each part of class `cls` is replaced by a view of it.

    The objects that hold such a part, directly or not, become views too; all others are shared. A
    part is found where an attribute holds it, alone or in a tuple, list or dict.
    """
    if isinstance(thing, cls):
        return view(thing)
    new = {id(part): with_parts(part, cls) for part in thing.parts.values()}
    new = {id(part): new[id(part)] for part in thing.parts.values() if new[id(part)] is not part}
    if not new:
        return thing
    other = view(thing)
    for name, value in vars(thing).items():
        if id(value) in new:
            vars(other)[name] = new[id(value)]
        elif isinstance(value, (tuple, list)) and any(id(item) in new for item in value):
            vars(other)[name] = type(value)(new.get(id(item), item) for item in value)
        elif isinstance(value, dict) and any(id(item) in new for item in value.values()):
            vars(other)[name] = {key: new.get(id(item), item) for key, item in value.items()}
    return other
