"""Names: looked up in tables, and those of version 0.1, which still work."""


def choose(table, name, argument, more=()):
    """Look a name up in a table. The error for an unknown name suggests the nearest known one.

    more : names that are valid too, though they are not in the table
    """
    if isinstance(name, str) and name in table:
        return table[name]
    import difflib  # needed for the error only, and slow to import

    known = sorted([*table, *more])
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4) or known
    raise ValueError(f"{argument}={name!r} is unknown; did you mean {near[0]!r}? {known}")


def keep_earlier_names(cls):
    """Give a class the earlier names of its attributes, in ``cls.earlier_names``, old to new.

    So a subclass may override either, and both mean the same.
    """
    for old, new in cls.earlier_names.items():
        if old in vars(cls) and new not in vars(cls):
            setattr(cls, new, vars(cls)[old])
        elif new in vars(cls):
            setattr(cls, old, vars(cls)[new])
