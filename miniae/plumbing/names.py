"""Names: looked up in tables, and those of version 0.1, which still work."""

from miniae.plumbing.glossary import ELSEWHERE


def choose(table, name, argument, more=()):
    """Look a name up in a table. The error for an unknown name suggests the nearest known one.

    more : names that are valid too, though they are not in the table
    """
    if isinstance(name, str) and name in table:
        return table[name]
    import difflib  # needed for the error only, and slow to import

    known, given = sorted([*table, *more]), str(name).lower()
    answer = ELSEWHERE.get(argument, {}).get(given)
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    if answer is None and isinstance(name, str) and near:
        answer = f"did you mean {near[0]!r}?"
    elif answer is None:
        own = argument in ("loss", "likelihood") and not isinstance(name, str)
        answer = f"use {'a Loss (see docs/11_extending.md), or ' if own else ''}one of"
    elif answer in known:
        answer = f"here it is called {answer!r};"
    elif " " in answer:
        answer += ";"
    else:  # called so in other libraries, and there is none here
        answer = "it is not here; docs/11_extending.md shows how to write it;"
    raise ValueError(f"{argument}={name!r} is unknown; {answer} {known}")


EARLIER = {  # class: names of version 0.1, and those of today
    "Parameterized": {"_own": "lay_out"},
    "Loss": {"mean": "expected", "missing": "takes_nan", "remember": "keep_pair"},
    "Model": {
        "_inputs": "prepare",
        "_code": "infer",
        "_record": "record",
        "draws": "n_draws",
    },
}


def keep_earlier_names(cls):
    """Give a class the names of version 0.1 too, so that a subclass may use or override them."""
    names = {}
    for base in cls.__mro__:
        names |= EARLIER.get(base.__name__, {})
    for old, new in names.items():
        # The class nearest to cls that defines one of the two, a mixin too, decides about both.
        nearest = next((vars(c) for c in cls.__mro__ if old in vars(c) or new in vars(c)), {})
        if old in nearest and new not in nearest:
            setattr(cls, new, nearest[old])
        elif new in nearest and old not in nearest:
            is_value = not callable(nearest[new])
            setattr(cls, old, same_as(new) if is_value else nearest[new])


def same_as(name):
    """Return a property that is another attribute."""
    return property(
        lambda self: getattr(self, name), lambda self, value: setattr(self, name, value)
    )
