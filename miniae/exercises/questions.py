"""Questions to a student's code: call it at random points, compare, and say what went wrong.

A check is a function of an `Ask`. It draws inputs from ``ask.rng``, calls the student's functions
by ``ask("dense_forward", x, W, b)``, and compares by ``ask.equal(got, right, mistakes)``, where
`mistakes` maps a sentence for the student to what code with that mistake would have answered. A
mistake is named only if the answer agrees with it and not with the right one.
"""

import inspect
import itertools

import numpy as np

# Relative to the largest entry. A right answer in float64 is exact to 1e-13 or so, float32 is off
# by 1e-8 to 1e-6: a bound between the two gives one verdict, whatever the random points.
MATCH = 1e-11
NEAR = 1e-5


class Wrong(Exception):
    """The answer is wrong; the message is for the student."""


def agree(a, b, tolerance=MATCH):
    """Tell whether two arrays have one shape, are finite, and are equal to rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    return np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=0)


def numbers(got, name):
    """Return an answer as an array of real or complex numbers; raise Wrong if it is none."""
    if got is None:
        raise Wrong(f"{name} is None: is there a return at the end?")
    try:
        array = np.asarray(got)
        if array.dtype.kind not in "USM":  # text and dates
            return array if array.dtype.kind in "fc" else array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise Wrong(f"{name} must be numbers, got {type(got).__name__}")


def unpack(got, right):
    """Return an answer of several values as a list; raise Wrong if they are not as many as `right`.

    An array counts as what is stacked in it, if that has the shape of the first of `right`, a dict.
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
                raise Wrong(f"{empty[0]} is None among the values that are returned")
            return list(got)
    if got is None:
        what = "None: is there a return at the end?"
    raise Wrong(f"{', '.join(names)} must be returned, {len(names)} values; got {what}")


def parameters(function):
    """Return the names of a function's parameters; of what is none, no names."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def shapes(function, arguments):
    """Return the names of arguments, with the shapes of those that are arrays, as words."""
    named = itertools.zip_longest(parameters(function)[: len(arguments)], arguments)
    return ", ".join(
        f"{name or 'an argument'} {value.shape if isinstance(value, np.ndarray) else ''}".rstrip()
        for name, value in named
    )


def unchanged(before, after):
    """Tell whether an argument is as it was, but for what ``v += h; v -= h`` leaves in an array."""
    if isinstance(before, np.ndarray):
        return before.shape == after.shape and np.abs(before - after).max(initial=0) <= 1e-12
    return not isinstance(before, list) or before == after


class Ask:
    """The student's names, and the random points of this student and exercise.

    Parameters
    ----------
    names : dict of what the student's file defines
    seed : int or sequence of int
    """

    def __init__(self, names, seed):
        self.names = names
        self.rng = np.random.default_rng(seed)

    def find(self, name):
        """Return what the student calls by this name."""
        if name not in self.names:
            raise Wrong(f"there is no {name} in the file; keep the names of the stub")
        return self.names[name]

    def __call__(self, name, *arguments, changes=()):
        """Return what the student's function says; see `call`."""
        return self.call(self.find(name), name, *arguments, changes=changes)

    def call(self, function, name, *arguments, changes=()):
        """Call something of the student's, and return its answer.

        Overflow, division by zero and invalid values are errors. It gets copies of arrays and
        lists, and must leave them as they are.

        Parameters
        ----------
        function : what is called
        name : str, what messages call it
        changes : places of arguments that it shall change, and so gets itself
        """
        copies = [
            a.copy() if isinstance(a, np.ndarray | list) and i not in changes else a
            for i, a in enumerate(arguments)
        ]
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
                    "on a copy, since whoever calls it still needs that one"
                )
        return answer

    def equal(self, got, right, mistakes=None, name="the result"):
        """Raise Wrong unless got equals right.

        Parameters
        ----------
        got : the answer, an array or number; a tuple of them if `right` is a dict
        right : array, number, or dict of str to array in the order of the tuple
        mistakes : dict of str to array, or for a dict `right`, dict of its names to such dicts
        name : str, what a message calls it
        """
        if not isinstance(right, dict):
            compare(name, got, right, mistakes or {})
            return
        for part, (key, value) in zip(unpack(got, right), right.items(), strict=True):
            others = {
                f"{key} and {other} stand in each other's place": right[other]
                for other in right
                if other != key and not agree(right[other], value)
            }
            compare(key, part, value, {**(mistakes or {}).get(key, {}), **others})


@np.errstate(all="ignore")  # a wrong answer, or what a mistake gives, may overflow in silence
def compare(name, got, right, mistakes):
    """Raise Wrong, with the misconception if it is a known one, unless got equals right.

    A mistake may be a function that returns an array; it is called only if there is need.
    """
    got, right = numbers(got, name), np.asarray(right)
    if agree(got, right):
        return
    where = differs(name, got, right)
    named = [
        w for w, value in mistakes.items() if agree(got, value() if callable(value) else value)
    ]
    if not named and got.shape == right.shape:
        named = generic(got, right)
    elif not named and got.shape == right.T.shape and agree(got.T, right):
        named = ["it is the transpose of the right answer"]
    words = "; or: ".join(named[:2])
    raise Wrong(f"{words}{'' if words.endswith('?') else '.'} {where}" if named else where)


def generic(got, right):
    """Return what is wrong, in words, of mistakes that any answer may have."""
    if not np.isfinite(got).all():
        return []
    if agree(got, right, NEAR):
        return ["right to about six digits: is something rounded to float32, or clipped?"]
    if agree(-got, right):
        return ["the sign is wrong: it is minus the right answer"]
    ratio = (got * right).sum() / max((right**2).sum(), 1e-300)
    if right.size > 1 and got.any() and agree(ratio * right, got):
        return [f"it is {ratio:.6g} times the right answer in every entry"]
    return []


def differs(name, got, right):
    """Return the first difference in words: shapes, or the first wrong entry and both values."""
    if got.shape != right.shape:
        return f"{name} has shape {got.shape}, should have {right.shape}"
    if not right.shape:
        return f"{name} is {both(got, right)}"
    wrong = ~(np.abs(got - right) <= MATCH * np.abs(right).max(initial=0))
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{name}[{', '.join(map(str, first))}] is {both(got[first], right[first])} "
        f"(shape {right.shape}, {wrong.sum()} of {right.size} entries differ)"
    )


def both(got, right):
    """Return two numbers in words, in as many digits as tell them apart; -0 is written 0."""
    for digits in (6, 9, 12, 17):
        a, b = f"{got + 0.0:.{digits}g}", f"{right + 0.0:.{digits}g}"
        if a != b:
            break
    return f"{a}, should be {b}"
