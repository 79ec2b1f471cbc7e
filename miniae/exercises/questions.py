"""Call a student's code with random inputs, compare its answers, and say what is wrong.

A check is a function of an `Ask`. It draws inputs from ``ask.rng``, calls the student's functions
with ``ask("dense_forward", x, W, b)``, and compares with ``ask.equal(got, right, mistakes)``.
`mistakes` is a dict: from a sentence for the student to the answer of code with that mistake. The
grader names a mistake only if the answer agrees with this mistake and is not right.
"""

import contextlib
import inspect
import itertools

import numpy as np

from miniae.exercises.stand_ins import is_alone, stand_in_of
from miniae.layers import Layer

# Relative to the largest entry. A right answer in float64 has an error of about 1e-13, one in
# float32 an error of 1e-8 to 1e-6. A bound between them gives the same result for all inputs.
MATCH = 1e-11
NEAR = 1e-5
KEPT = 1 << 16  # numbers of a student's answers that an Ask keeps


class Wrong(Exception):
    """An answer is wrong.

    message : str, for the student
    diagnosis : str, the stable id of the mistake, such as "dense_backward.db_is_mean", or ""
    """

    def __init__(self, message, diagnosis=""):
        super().__init__(message)
        self.diagnosis = diagnosis


def agree(a, b, tolerance=MATCH):
    """Return whether two arrays have the same shape, are finite, and are equal to rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    return np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=0)


def numbers(got, name):
    """Return an answer as an array of real or complex numbers; raise Wrong if it is not one."""
    if got is None:
        raise Wrong(f"{name} is None: is the return missing at the end?")
    try:
        array = np.asarray(got)
        if array.dtype.kind not in "USM":  # text and dates
            return array if array.dtype.kind in "fc" else array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise Wrong(f"{name} must be numbers, got {type(got).__name__}")


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
                raise Wrong(f"the returned {empty[0]} is None")
            return list(got)
    if got is None:
        what = "None: is the return missing at the end?"
    raise Wrong(f"return {len(names)} values: {', '.join(names)}; got {what}")


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
            raise Wrong(f"the file has no {name}: keep the names of the stub")
        return self.names[name]

    def __call__(self, name, *arguments, changes=()):
        """Call the student's function of this name, and return its answer; see `call`."""
        return self.call(self.find(name), name, *arguments, changes=changes)

    def call(self, function, name, *arguments, changes=()):
        """Call a function of the student, and return its answer.

        Overflow, division by zero and invalid values are errors. The function gets copies of
        arrays and lists, and must not change them. In place of a layer it gets one that does not
        show its class.

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
                    "on a copy, because the caller still needs the argument"
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
        mistakes : dict, from a sentence to the answer with that mistake
            If `right` is a dict: a dict with such a dict for each name.
        name : str, the name of the answer in messages
        """
        if not isinstance(right, dict):
            compare(name, got, right, mistakes or {})
            return
        for part, (key, value) in zip(unpack(got, right), right.items(), strict=True):
            others = {
                f"{key} and {other} are exchanged": right[other]
                for other in right
                if other != key and not agree(right[other], value)
            }
            compare(key, part, value, {**(mistakes or {}).get(key, {}), **others})


@np.errstate(all="ignore")  # wrong answers may overflow here without a warning
def compare(name, got, right, mistakes):
    """Raise Wrong unless got equals right; the message names the mistake if it is known.

    The value of a mistake may be a function that returns the array: it is called only if needed.
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
    if not named:
        raise Wrong(where)
    # Of "A" and "A; and: B" only "A" is said: B changes nothing here.
    named = [w for w in named if not any(other != w and other in w for other in named)]
    words = "; or: ".join(named[:2])
    if not words.endswith("?"):
        words += "."
    raise Wrong(f"{words} {where}")


def generic(got, right):
    """Return sentences on mistakes that are possible in any exercise."""
    if not np.isfinite(got).all():
        return []
    if agree(got, right, NEAR):
        return [
            "only about six digits are right: is a small number added, is something rounded to "
            "float32, or clipped?"
        ]
    if agree(-got, right):
        return ["the sign is wrong: it is minus the right answer"]
    ratio = (got * right).sum() / max((right**2).sum(), 1e-300)
    if right.size > 1 and got.any() and agree(ratio * right, got):
        return [f"it is {ratio:.6g} times the right answer in every entry"]
    return []


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
