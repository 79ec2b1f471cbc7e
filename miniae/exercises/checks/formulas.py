"""A right answer as a list of formulas, and the answers of code in which some of them are wrong."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np

from miniae.exercises.questions import agree


@np.errstate(all="ignore")  # wrong formulas may overflow here without a warning
def compute(formulas, given, names, **wrong):
    """Compute all formulas in order, and return the values of some of them, by name.

    Parameters
    ----------
    formulas : dict, from a name to a function of what was given and computed before
    given : dict, what the formulas start from, by name
    names : the names of the values to return
    **wrong : formulas that replace the right ones
    """
    v = SimpleNamespace(**given)
    for name, formula in {**formulas, **wrong}.items():
        setattr(v, name, formula(v))
    return {name: getattr(v, name) for name in names}


def wrong_answers(formulas, given, names, slips):
    """Return the mistakes that `Ask.equal` takes: by name, from a key to the wrong value.

    `slips` has a sentence and the wrong formulas for each key. A value that a slip leaves right is
    left out.
    """
    right = compute(formulas, given, names)
    found = {name: {} for name in names}
    for key, (_, wrong) in slips.items():
        for name, value in compute(formulas, given, names, **wrong).items():
            if not agree(value, right[name]):
                found[name][key] = value
    return found


def pairs(slips):
    """Return the slips with two mistakes at once, in different formulas."""
    return {
        f"{one}__{two}": ("", slips[one][1] | slips[two][1])
        for one, two in combinations(slips, 2)
        if not slips[one][1].keys() & slips[two][1].keys()
    }


def sentences(slips):
    """Return the sentences of slips by their keys; a pair of slips has the sentences of both."""
    return {key: words for key, (words, _) in slips.items() if words}
