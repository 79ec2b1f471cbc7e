"""Questions to a student's code: call it at random points, compare, and say what went wrong.

A check is a function of an `Ask`. It draws inputs from ``ask.rng``, calls the student's functions
by ``ask("dense_forward", x, W, b)``, and compares by ``ask.equal(got, right, mistakes)``, where
`mistakes` maps a sentence for the student to what code with that mistake would have answered. A
mistake is named only if the answer agrees with it and not with the right one.
"""

import inspect
import itertools

import numpy as np

MATCH = 1e-7  # relative to the largest entry; the answers are float64, exact to 1e-12 or so


class Wrong(Exception):
    """The answer is wrong; the message is for the student."""


class NotStarted(Exception):
    """The stub's own NotImplementedError is still there."""


def agree(a, b):
    """Tell whether two arrays have one shape, are finite, and are equal to rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    return np.abs(a - b).max(initial=0) <= MATCH * np.abs(b).max(initial=0)


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


class Ask:
    """The student's names, and the random points of this student and exercise.

    Parameters
    ----------
    names : dict of what the student's file defines
    exercise : str, the id
    seed : int or sequence of int
    """

    def __init__(self, names, exercise, seed):
        self.names, self.exercise = names, exercise
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

        Overflow, division by zero and invalid values are errors. It gets copies of the arrays, and
        must leave them as they are.

        Parameters
        ----------
        function : what is called
        name : str, what messages call it
        changes : places of arguments that it shall change, and so gets itself
        """
        copies = [
            a.copy() if isinstance(a, np.ndarray) and i not in changes else a
            for i, a in enumerate(arguments)
        ]
        try:
            with np.errstate(all="raise", under="ignore"):
                answer = function(*copies)
        except NotImplementedError as error:
            if str(error).startswith(f"{self.exercise}:"):
                raise NotStarted(name) from None
            raise
        except Exception as error:
            error.called_with = f"{name} was called with {shapes(function, arguments)}"
            raise
        for place, (before, after) in enumerate(zip(arguments, copies, strict=True)):
            if isinstance(before, np.ndarray) and not np.array_equal(before, after):
                raise Wrong(
                    f"{name} changed its argument {parameters(function)[place]}: work on new "
                    "arrays, since whoever calls it still needs that one"
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
            return compare(name, got, right, mistakes or {})
        n = len(right)
        if not isinstance(got, tuple | list) or len(got) != n:
            what = f"{len(got)} values" if isinstance(got, tuple | list) else type(got).__name__
            raise Wrong(f"{', '.join(right)} must be returned, {n} values; got {what}")
        for part, (key, value) in zip(got, right.items(), strict=True):
            others = {
                f"{key} and {other} stand in each other's place": right[other]
                for other in right
                if other != key and not agree(right[other], value)
            }
            compare(key, part, value, {**(mistakes or {}).get(key, {}), **others})
        return None


def compare(name, got, right, mistakes):
    """Raise Wrong, with the misconception if it is a known one, unless got equals right."""
    right = np.asarray(right)
    if got is None:
        raise Wrong(f"{name} is None: is there a return at the end?")
    try:
        got = np.asarray(got)
        got = got if got.dtype.kind in "fc" else got.astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{name} must be numbers, got {type(got).__name__}") from None
    if agree(got, right):
        return
    where = differs(name, got, right)
    named = [words for words, value in mistakes.items() if agree(got, resolve(value))]
    if not named and got.shape == right.shape:
        named = generic(got, right)
    elif not named and got.shape == right.T.shape and agree(got.T, right):
        named = ["it is the transpose of the right answer"]
    raise Wrong("; or: ".join(named[:2]) + ". " + where if named else where)


def resolve(value):
    """Return an array, computed now if it is a function; its mistakes may overflow in silence."""
    with np.errstate(all="ignore"):
        return value() if callable(value) else value


def generic(got, right):
    """Return what is wrong, in words, of mistakes that any answer may have."""
    if not np.isfinite(got).all():
        return []
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
    scale = MATCH * np.abs(right).max(initial=0)
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(got - right) <= scale)
    if not right.shape:
        return f"{name} is {got:.6g}, should be {right:.6g}"
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    index = ", ".join(map(str, first))
    return (
        f"{name}[{index}] is {got[first]:.6g}, should be {right[first]:.6g} "
        f"(shape {right.shape}, {wrong.sum()} of {right.size} entries differ)"
    )
