"""Call a student's code with random inputs, compare its answers, and say what is wrong.

A check is a function of an `Ask`. It draws inputs from ``ask.rng``, calls the student's functions
with ``ask("dense_forward", x, W, b)``, and compares with ``ask.equal(got, right, mistakes)``.
`mistakes` is a dict: from the key of a mistake to the answer of code with that mistake. The
exercise has the sentence for each key; see `naming`. The grader names a mistake only if the answer
agrees with this mistake and is not right.
"""

import contextlib
import inspect
import itertools

import numpy as np

from miniae.exercises.edits import explain
from miniae.exercises.grader.stand_ins import is_alone, stand_in_of
from miniae.exercises.naming import (
    MATCH,
    NEAR,
    Named,
    Wrong,
    agree,
    factor_between,
    factor_words,
    generic,
    shortest,
)
from miniae.layers import Layer

KEPT = 1 << 16  # numbers of a student's answers that an Ask keeps

__all__ = ["MATCH", "NEAR", "Ask", "Named", "Wrong", "agree", "compare", "numbers", "unpack"]


def numbers(got, name):
    """Return an answer as an array of real or complex numbers; raise Wrong if it is not one."""
    if got is None:
        raise Wrong(f"{name} is None: is the return missing at the end?", "none")
    try:
        array = np.asarray(got)
        if array.dtype.kind not in "USM":  # text and dates
            return array if array.dtype.kind in "fc" else array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise Wrong(f"{name} must be numbers, got {type(got).__name__}", "not_numbers")


def unpack(got, right):
    """Return an answer of several values as a list; raise Wrong if it has not len(right) values.

    `right` is a dict. An array may hold the values stacked along its first axis, if they have the
    shape of the first value of `right`.
    """
    names, what = list(right), type(got).__name__
    if isinstance(got, np.ndarray):
        what = f"an array {got.shape}"
        if got.ndim and got.shape[1:] == np.shape(right[names[0]]):
            got = list(got)
    if isinstance(got, tuple | list):
        what = f"{len(got)} values"
        if len(got) == len(names):
            empty = [name for name, value in zip(names, got, strict=True) if value is None]
            if empty:
                raise Wrong(f"the returned {empty[0]} is None", "none")
            return list(got)
    if got is None:
        what = "None: is the return missing at the end?"
    message = f"return {len(names)} values: {', '.join(names)}; got {what}"
    raise Wrong(message, "none" if got is None else "several_values")


def parameters(function):
    """Return the names of a function's parameters; an empty list if it is not a function."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def shapes(function, arguments):
    """Return as text: the names of the arguments, with the shapes of the arrays."""
    named = itertools.zip_longest(parameters(function)[: len(arguments)], arguments)
    return ", ".join(
        f"{name or 'an argument'} {value.shape if isinstance(value, np.ndarray) else ''}".rstrip()
        for name, value in named
    )


def unchanged(before, after):
    """Return whether an argument is unchanged, up to the rounding of ``v += h; v -= h``."""
    if isinstance(before, np.ndarray):
        return before.shape == after.shape and np.allclose(
            before, after, rtol=0, atol=1e-12, equal_nan=True
        )
    return not isinstance(before, list) or before == after


LOG_OF_0 = ("math domain error", "expected a positive input")  # what math.log says, by version


def overflows(error):
    """Return whether a student's code stopped at an overflow, a log of 0 or the like.

    NumPy raises FloatingPointError; `math` and Python's own numbers raise other errors.
    """
    what = getattr(error, "problem", None)
    bases = what["bases"] if what else [base.__name__ for base in type(error).__mro__]
    said = what["said"] if what else str(error)
    return "ArithmeticError" in bases or said.startswith(LOG_OF_0)


FORMULAS = "formulas"  # the key of right formulas among mistakes; see `edits.explain`


def given(value):
    """Return what the student's function gets for an argument that it must not change."""
    if isinstance(value, np.ndarray | list):
        return value.copy()
    return stand_in_of(value) if is_alone(value) else value


def several(answer):
    """Return the values of an answer as a list."""
    values = answer if isinstance(answer, tuple | list) else [answer]
    return [value for value in values if value is not None]


def gradients(arguments):
    """Return the gradients of the networks among the arguments."""
    flat = [b for a in arguments for b in (a if isinstance(a, list) else [a])]
    return [a.dtheta for a in flat if isinstance(a, Layer) and a.dtheta.size]


class Ask:
    """What the student's file defines, and the random inputs of this student and exercise.

    Parameters
    ----------
    names : mapping, what the student's file defines, by name; in this process or another
    seed : int or sequence of int

    Attributes
    ----------
    answers : list of arrays, the numbers that the student's functions returned
    """

    def __init__(self, names, seed):
        self.names = names
        self.rng = np.random.default_rng(seed)
        self.answers = []

    def find(self, name):
        """Return what the student's file defines under this name."""
        if name not in self.names:
            raise Wrong(f"the file has no {name}: keep the names of the stub", "name_missing")
        return self.names[name]

    def __call__(self, name, *arguments, changes=()):
        """Call the student's function of this name, and return its answer; see `call`."""
        return self.call(self.find(name), name, *arguments, changes=changes)

    def call(self, function, name, *arguments, changes=()):
        """Call a function of the student, and return its answer.

        Overflow, division by zero and invalid values are errors. The function gets copies of
        arrays and lists, and must not change them. In place of a layer it gets one that has
        the name of its class alone; see `stand_ins`.

        Parameters
        ----------
        function : the function to call
        name : str, its name in messages
        changes : positions of the arguments that the function must change; these are not copied
        """
        copies = [given(a) if i not in changes else a for i, a in enumerate(arguments)]
        try:
            with np.errstate(all="raise", under="ignore"):
                answer = function(*copies)
        except Exception as error:
            error.called_with = f"{name} was called with {shapes(function, arguments)}"
            raise
        for place, (before, after) in enumerate(zip(arguments, copies, strict=True)):
            if not unchanged(before, after):
                known = dict(enumerate(parameters(function)))
                raise Wrong(
                    f"{name} changed its argument {known.get(place, f'number {place + 1}')}: work "
                    "on a copy, because the caller still needs the argument",
                    "argument_changed",
                )
        self.keep([*several(answer), *(arguments[i] for i in changes), *gradients(arguments)])
        return answer

    def keep(self, values):
        """Keep the numbers of an answer, as long as they are not too many."""
        for value in values:
            with contextlib.suppress(Exception):  # not a number
                array = np.array(value, complex if np.iscomplexobj(value) else float)
                if array.size + sum(kept.size for kept in self.answers) <= KEPT:
                    self.answers.append(array)

    def equal(self, got, right, mistakes=None, name="the result"):
        """Raise Wrong unless got equals right.

        Parameters
        ----------
        got : the answer: an array or number, or a tuple of them if `right` is a dict
        right : array or number, or a dict of them in the order of the tuple
        mistakes : dict, from the key of a mistake to the answer with that mistake
            At `FORMULAS` it has a list of right formulas: the arguments of `edits.explain`.
            If `right` is a dict: a dict with such a dict for each name.
        name : str, the name of the answer in messages
        """
        if isinstance(right, dict):
            compare_all(unpack(got, right), right, mistakes or {})
        else:
            compare(name, got, right, mistakes or {})


def compare_all(got, right, mistakes):
    """Raise Wrong unless the values in a list equal those in a dict, in order."""
    arrays = [numbers(value, name) for value, name in zip(got, right, strict=True)]
    names = [  # the values of which each one agrees with one of the right values
        next((name for name, value in right.items() if agree(array, value)), None)
        for array in arrays
    ]
    moved = [name for name, other in zip(right, names, strict=True) if name != other]
    if set(names) == set(right) and len(moved) > 2:
        raise Wrong(
            f"the values are right, but in the order {', '.join(names)}: return {', '.join(right)}",
            "order",
        )
    if set(names) == set(right) and moved:
        where = differs(moved[0], arrays[list(right).index(moved[0])], np.asarray(right[moved[0]]))
        raise Wrong(f"{moved[0]} and {moved[1]} are exchanged. {where}", "exchanged")
    for array, (name, value) in zip(arrays, right.items(), strict=True):
        others = {other: right[other] for other in right if not agree(right[other], value)}
        compare(name, array, value, mistakes.get(name, {}), others)


@np.errstate(all="ignore")  # wrong answers may overflow here without a warning
def compare(name, got, right, mistakes, others=None):
    """Raise Wrong unless got equals right; the message names the mistake if it is known.

    Parameters
    ----------
    name : str, the name of the answer in messages
    got, right : the answer and the right one
    mistakes : dict, from the key of a mistake to its answer
        A value may be a function that returns the array: it is called only if needed.
    others : dict, the right answers of other names, which may be returned in place of this one
    """
    got, right = numbers(got, name), np.asarray(right)
    if agree(got, right):
        return
    where = differs(name, got, right)
    values = {
        key: value() if callable(value) else value
        for key, value in mistakes.items()
        if key != FORMULAS
    }
    keys = [key for key, value in values.items() if agree(got, value)]
    if keys:
        raise Named(where, shortest(keys))
    for other, value in (others or {}).items():
        if agree(got, value):
            raise Wrong(f"{name} is the right answer for {other}. {where}", "other_value")
        if np.shape(value) == right.shape and agree(got, right + value):
            raise Wrong(f"{name} also has {other} added. {where}", "other_added")
    found = generic(got, right)
    if found:
        key, words = found
        raise Wrong(f"{words}{'' if words.endswith('?') else '.'} {where}", key)
    if FORMULAS in mistakes:
        for formulas in mistakes[FORMULAS]:
            edit = explain(got, *formulas)
            if edit:
                raise Wrong(f"{edit[1]}. {where}", edit[0])
    factors = {key: factor_between(got, value) for key, value in values.items()}
    keys = shortest([key for key, factor in factors.items() if factor is not None])
    if keys:
        raise Named(where, keys[:1], factor_words(factors[keys[0]], right.shape))
    if got.shape != right.shape:
        raise Wrong(where, "shape")
    raise Wrong(where, "unknown" if np.isfinite(got).all() else "not_finite")


def differs(name, got, right):
    """Return the first difference as text: the shapes, or the first wrong entry and both values."""
    if got.shape != right.shape:
        return f"{name} has shape {got.shape}, should be {right.shape}"
    if not right.shape:
        return f"{name} is {both(got, right)}"
    wrong = ~(np.abs(got - right) <= MATCH * np.abs(right).max(initial=0))
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = f"[{', '.join(map(str, first))}]"
    entry = f"entry {place} of {name}" if " " in name else f"{name}{place}"
    return (
        f"{entry} is {both(got[first], right[first])} "
        f"(shape {right.shape}, {wrong.sum()} of {right.size} entries differ)"
    )


def both(got, right):
    """Return two numbers as text, with enough digits to see the difference; -0 becomes 0."""
    for digits in (6, 9, 12, 17):
        a, b = f"{got + 0.0:.{digits}g}", f"{right + 0.0:.{digits}g}"
        if a != b:
            break
    return f"{a}, should be {b}"
