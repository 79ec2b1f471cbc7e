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


EARLIER = {  # class: names of version 0.1, and those of today
    "Loss": {"mean": "expected", "missing": "takes_nan", "remember": "keep_pair"},
    "Model": {
        "_own": "lay_out",
        "_inputs": "prepare",
        "_code": "infer",
        "_record": "record",
        "draws": "n_draws",
    },
}


def keep_earlier_names(cls):
    """Give a class the names of version 0.1 too, so that a subclass may use or override them."""
    for base in cls.__mro__:
        for old, new in EARLIER.get(base.__name__, {}).items():
            if old in vars(cls) and new not in vars(cls):
                setattr(cls, new, vars(cls)[old])
            elif new in vars(cls):
                setattr(cls, old, vars(cls)[new])
