"""Name a wrong answer: patterns that are possible in any exercise, and the ids of all diagnoses.

Each exercise has a dict `mistakes`, from a key to a sentence for the student. The key never
changes, the sentence may. The id of a diagnosis is "<id of the exercise>.<key>". The keys of
`GENERIC` are possible in every exercise. A key "one__two" stands for two mistakes at once; its id
is that of the first.
"""

import functools
import itertools

import numpy as np

# Relative to the largest entry. A right answer in float64 has an error of about 1e-13, one in
# float32 an error of 1e-8 to 1e-6. A bound between them gives the same result for all inputs.
MATCH = 1e-11
NEAR = 1e-5
GENERIC = {
    "sign": "the sign is wrong",
    "scaled": "every entry has the same factor too many",
    "shifted": "every entry is too large by the same number",
    "squared": "it is the square of the right answer",
    "absolute": "it is the absolute value of the right answer",
    "inverted": "it is 1 divided by the right answer",
    "zero": "it is 0 everywhere",
    "one_number": "every entry is the same number: a sum or a mean of the right answer",
    "first_missing": "the first entry of an axis is 0, all others are right",
    "last_missing": "the last entry of an axis is 0, all others are right",
    "only_first": "only the first entry of an axis is right, all others are 0",
    "only_last": "only the last entry of an axis is right, all others are 0",
    "running_sum": "each entry also has the entries before it",
    "moved": "every entry is one place too far along an axis",
    "differences": "it has the differences of neighbours",
    "more_beside": "the right answer is a part of it",
    "other_added": "the right answer for another of the returned values is added",
    "rounded": "the answer is rounded",
    "whole_numbers": "the answer is rounded to whole numbers",
    "reversed": "the entries are in reverse order along an axis",
    "transposed": "it is the transpose of the right answer",
    "summed": "it is summed over an axis that must stay",
    "averaged": "it is the mean over an axis that must stay",
    "not_summed": "it is not summed over an axis",
    "not_averaged": "it is not the mean over an axis",
    "one_sample": "it is the answer for one entry of an axis only",
    "reshaped": "the numbers are right, but their shape is wrong",
    "shape": "the shape is wrong",
    "float32": "only about six digits are right",
    "not_finite": "it has NaN or infinity in it",
    "exchanged": "two of the returned values are exchanged",
    "other_value": "it is the right answer for another of the returned values",
    "order": "the returned values are right, but in another order",
    "several_values": "the number of returned values is wrong",
    "not_numbers": "the answer is not numbers",
    "none": "the answer is None",
    "name_missing": "the file does not define this name",
    "argument_changed": "an argument was changed",
    "unknown": "the answer is wrong in a way that has no name",
    "still_open": "the line that raises NotImplementedError is still there",
    "error": "the code stops with an error",
    "time": "the code takes too long",
    "memory": "the code needs too much memory",
    "crash": "the code ends Python",
}


class Wrong(Exception):
    """An answer is wrong.

    message : str, for the student
    diagnosis : str, the stable id of the mistake, such as "dense_backward.db_is_mean", or ""
        A check gives the key alone; `with_ids` makes the id.
    """

    def __init__(self, message, diagnosis=""):
        super().__init__(message)
        self.diagnosis = diagnosis


class Named(Wrong):
    """An answer agrees with mistakes of the exercise's own table, known by their keys.

    `with_ids` puts their sentences before the message.
    """

    def __init__(self, message, keys, factor=""):
        super().__init__(message, keys[0])
        self.keys, self.factor = keys, factor

    def explain(self, sentences):
        """Return the sentences of the keys, what is known of a factor, and the message."""
        said = ["; and: ".join(sentences.get(k, k) for k in key.split("__")) for key in self.keys]
        words = "; or: ".join(list(dict.fromkeys(said))[:2])  # some keys share a sentence
        if self.factor:
            words += f"; and it has a factor of {self.factor} too many"
        if not words.endswith("?"):
            words += "."
        return f"{words} {self}"


def with_ids(id, check, sentences):
    """Return a check that raises `Wrong` with the whole message and the id of the diagnosis."""

    @functools.wraps(check)
    def run(ask):
        try:
            check(ask)
        except Wrong as wrong:
            message = wrong.explain(sentences) if isinstance(wrong, Named) else str(wrong)
            key = (wrong.diagnosis or "unknown").split("__")[0]
            raise Wrong(message, f"{id}.{key}") from None

    return run


def shortest(keys):
    """Return the keys with the fewest mistakes: of a and a__b only a."""
    fewest = min((key.count("__") for key in keys), default=0)
    return [key for key in keys if key.count("__") == fewest]


def agree(a, b, tolerance=MATCH):
    """Return whether two arrays have the same shape, are finite, and are equal to rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    return np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=0)


def factor_between(got, value):
    """Return the number c with got = c value in every entry, or None.

    None also if the values are so few that some c always fits: at least two that differ and are
    not 0.
    """
    value = np.asarray(value)
    if value.shape != got.shape or np.unique(value[value != 0]).size < 2 or not got.any():
        return None
    if not (np.isfinite(value).all() and np.isfinite(got).all()):
        return None
    factor = (got * value).sum() / (value**2).sum()
    return factor if agree(factor * value, got) else None


def factor_words(factor, shape):
    """Return a factor as text; if it has to do with the length of an axis, this is said."""
    size = abs(factor) if abs(factor) > 1 else 1 / abs(factor)
    text = f"{factor:.6g}"
    lengths = [f"axis {axis}" for axis, length in enumerate(shape) if abs(size - length) < 1e-9]
    if lengths:
        how = "multiplied" if abs(factor) > 1 else "divided"
        text += f" ({how} by {size:.0f}, the length of {' or '.join(lengths)}?)"
    elif abs(size - np.prod(shape)) < 1e-9:
        text += f" ({size:.0f} is the number of all entries)"
    return text


def generic(got, right):
    """Return the key and the sentence of a mistake that is possible in any exercise, or None."""
    if not np.isfinite(got).all():
        return None
    if got.shape != right.shape:
        return other_shape(got, right)
    if agree(got, right, NEAR):
        return "float32", (
            "only about six digits are right: is a small number added, is something rounded to "
            "float32, or clipped?"
        )
    if agree(-got, right):
        return "sign", "the sign is wrong: it is minus the right answer"
    if not right.size or not right.any():
        return None
    if not got.any():
        return "zero", "it is 0 everywhere, but the right answer is not"
    if agree(got, right**2):
        return "squared", "it is the square of the right answer"
    if agree(got, np.abs(right)):
        return "absolute", "it is the absolute value of the right answer: the signs are lost"
    if right.all() and agree(got, 1 / right):
        return "inverted", "it is 1 divided by the right answer"
    return same_shape(got, right) if right.size > 1 else None


def same_shape(got, right):
    """Return what `generic` returns, for arrays of more than one entry."""
    factor = factor_between(got, right)
    if factor is not None:
        words = factor_words(factor, right.shape)
        return "scaled", (
            f"it has a factor too many: it is {words} times the right answer in every entry"
        )
    if agree(got, np.full(right.shape, right.sum())):
        return "one_number", "every entry is the sum of all entries of the right answer"
    if agree(got, np.full(right.shape, right.mean())):
        return "one_number", "every entry is the mean of all entries of the right answer"
    if agree(got, right + (got - right).mean()):
        return "shifted", (
            f"every entry is too large by {(got - right).mean():.6g}: is a number added, or a "
            "bracket in the wrong place?"
        )
    for words, rounded in ("rounded", np.round), ("cut", np.trunc), ("rounded down", np.floor):
        if agree(got, rounded(right)):
            return "whole_numbers", (
                f"it is {words} to whole numbers: is it kept in an array of int, or divided by //?"
            )
    for digits in range(1, 6):
        if agree(got, np.round(right, digits)):
            return "rounded", f"it is rounded to {digits} digits"
    for axis in range(right.ndim):
        found = part_along(got, right, axis)
        if found:
            return found
        if agree(got, np.cumsum(right, axis)):
            return "running_sum", (
                f"each entry also has those before it along axis {axis}: is something not set "
                "back before the next one?"
            )
        for by, words in (1, "late"), (-1, "early"):
            if right.shape[axis] > 2 and agree(got, np.roll(right, by, axis)):
                return "moved", f"every entry is one place too {words} along axis {axis}"
        if agree(got, np.flip(right, axis)):
            return "reversed", f"the entries are in reverse order along axis {axis}"
        for words, reduce in ("sum", np.sum), ("mean", np.mean):
            if agree(got, np.broadcast_to(reduce(right, axis, keepdims=True), right.shape)):
                return "one_number", (
                    f"each entry is the {words} over axis {axis}, the same number along this axis"
                )
    if right.ndim == 2 and agree(got.T, right):
        return "transposed", "it is the transpose of the right answer"
    return None


def part_along(got, right, axis):
    """Return what `generic` returns, for an answer that is 0 at one end of an axis or beside it."""
    ends = {}
    for name, place in ("first", 0), ("last", -1):
        here = (slice(None),) * axis + (place,)
        ends[name] = np.zeros_like(right)
        ends[name][here] = right[here]
    ends = {name: end for name, end in ends.items() if end.any() and not agree(end, right)}
    for name, end in ends.items():
        if agree(got, right - end):
            return f"{name}_missing", (
                f"the {name} entry along axis {axis} is 0, all others are right: does a loop "
                f"{'begin too late' if name == 'first' else 'end too early'}?"
            )
    for name, end in ends.items():
        if agree(got, end):
            return f"only_{name}", (
                f"only the {name} entry along axis {axis} is right, all others are 0: is a line "
                "in the loop that must be after it, or after it that must be in it?"
            )
    return None


def axes_of(array):
    """Return all sets of axes of an array, from one axis to all."""
    sizes = range(1, array.ndim + 1)
    return [axes for size in sizes for axes in itertools.combinations(range(array.ndim), size)]


def other_shape(got, right):
    """Return what `generic` returns, for an answer with a wrong shape."""
    if got.ndim > 1 and got.shape == right.T.shape and agree(got.T, right):
        return "transposed", "it is the transpose of the right answer"
    if got.size == right.size and agree(got.reshape(right.shape), right):
        return "reshaped", "the numbers are right, but their shape is wrong"
    for axes in axes_of(right):
        said = f"axis {', '.join(map(str, axes))}"
        for keep in False, True:
            if agree(got, right.sum(axes, keepdims=keep)):
                return "summed", f"it is summed over {said}, which must stay"
            if agree(got, right.mean(axes, keepdims=keep)):
                return "averaged", f"it is the mean over {said}, which must stay"
    for axes in axes_of(got):
        said = f"axis {', '.join(map(str, axes))}"
        if agree(got.sum(axes), right):
            return "not_summed", f"it is not summed over {said}"
        if agree(got.mean(axes), right):
            return "not_averaged", f"take the mean over {said}"
    for axis in range(got.ndim):
        others = [np.take(got, i, axis) for i in range(min(got.shape[axis], 10))]
        if others and others[0].shape == right.shape:
            for i, other in enumerate(others):
                if agree(other, right):
                    return "more_beside", f"the right answer is entry {i} of it along axis {axis}"
    for axis in range(right.ndim):
        if agree(got, np.diff(right, axis=axis)):
            return "differences", f"it has the differences along axis {axis}, not the values"
    if right.ndim and got.shape == right.shape[1:] and len(right):
        for words, place in ("first", 0), ("last", -1):
            if agree(got, right[place]):
                return "one_sample", f"it is the {words} entry of the right answer along axis 0"
    return None
