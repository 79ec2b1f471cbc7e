"""Checks of dropout."""

import math

import numpy as np

from miniae.exercises.checks.slips import of_product, sentences_of_product
from miniae.exercises.questions import Named, Wrong, agree, compare, differs, numbers, unpack


def check_dropout(ask):
    """The student draws which entries are dropped; we check what must hold for any draw."""
    p, seed = ask.rng.uniform(0.2, 0.3), int(ask.rng.integers(1000))
    x, keep = ask.rng.uniform(1, 2, (200, 30)), 1 - p

    def draw(seed=seed, training=True):
        answer = ask("dropout", x, p, np.random.default_rng(seed), training)
        out, mask = unpack(answer, {"out": x, "mask": x})
        return numbers(out, "out"), numbers(mask, "mask")

    out, mask = draw()
    if out.shape != x.shape:
        raise Wrong(differs("out", out, x), "shape")
    if not np.isfinite(out).all():
        raise Wrong("out has NaN or infinity in it", "not_finite")
    dropped = out == 0
    zeros = dropped.mean()
    bound = 6 * np.sqrt(p * keep / x.size)  # six standard deviations of a share
    if zeros in (0, 1):
        entry = "every entry" if zeros else "no entry"
        said = f"{entry} of out is 0 in training, but a share of p = {p:.2f} should be 0"
        if agree(out, x):
            raise Named(f"{said}; out is x", ["nothing_is_dropped"])
        if agree(out - x, mask) or agree(out, x + (mask > 0)):
            raise Named(said, ["mask_is_added"])
        raise Wrong(said, "all_dropped" if zeros else "nothing_is_dropped")
    by_row, by_column = ((dropped.all(axis) == dropped.any(axis)).all() for axis in (1, 0))
    if by_row or by_column:
        what = "a whole row" if by_row else "a whole column"
        raise Wrong(
            f"{what} is dropped or kept together: draw a number for every entry, with "
            "rng.random(x.shape)",
            "whole_rows" if by_row else "whole_columns",
        )
    if abs(zeros - keep) < bound:
        raise Wrong(
            f"p is the chance to drop, not to keep: with p = {p:.2f}, a share of {zeros:.2f} is 0",
            "p_is_to_keep",
        )
    if abs(zeros - p) > bound:
        said = f"a share of {zeros:.3f} is 0, should be p = {p:.3f} up to chance"
        if abs(zeros - normal_below(p)) < bound or abs(zeros - 1 + normal_below(p)) < bound:
            raise Named(said, ["normal_for_uniform"])
        if abs(zeros - 0.5) < bound:
            raise Named(said, ["half_is_dropped"])
        if abs(zeros - (1 - keep**2)) < bound:
            raise Named(said, ["dropped_twice"])
        raise Wrong(said, "wrong_share")
    others = [draw(other)[0] == 0 for other in range(3)]
    counts = [other.sum() for other in others]
    if {*counts} == {dropped.sum()} and (others[0] != others[1]).any():
        raise Named(f"In each of four calls {counts[0]} entries are 0", ["exact_number"])
    kept = out != 0
    mistakes = {
        "mask_alone": np.full(kept.sum(), 1.0),
        "scaled_twice": x[kept] / keep**2,
        "multiplied_by_p": x[kept] * p,
        "one_plus_p": x[kept] / (1 + p),
        "root_of_keep": x[kept] / np.sqrt(keep),
        "mask_is_added": x[kept] + 1 / keep,
        "not_scaled": x[kept],
        "multiplied_by_keep": x[kept] * keep,
        "divided_by_p": x[kept] / p,
        "mask_first": np.full(kept.sum(), 1 / keep),
    }
    compare("the part of out that is kept", out[kept], x[kept] / keep, mistakes)
    if mask.shape != x.shape:
        raise Wrong(differs("mask", mask, x), "shape")
    if not agree(mask * x, out):
        said = "mask must hold the factors of x, 1 / (1 - p) or 0, so that mask * x is out"
        if agree(mask, 1.0 * (out != 0)):
            raise Named(said, ["mask_has_no_factor"])
        if agree(mask, 1.0 * (out == 0)) or agree(mask, (out == 0) / keep):
            raise Named(said, ["mask_inverted"])
        raise Wrong(said, "mask_is_not_the_factors")
    if not np.array_equal(draw()[0], out):
        raise Wrong("two calls with equal generators differ: use rng, not np.random", "own_noise")
    if np.array_equal(draw(seed + 1)[0], out):
        raise Wrong(
            "two different generators give the same draw: use rng, not your own generator",
            "own_generator",
        )
    out, mask = draw(training=False)
    mistakes = {
        "scaled_at_test": x * keep,
        "divided_at_test": x / keep,
        "multiplied_by_p_at_test": x * p,
        "zero_at_test": 0 * x,
    }
    if out.shape == x.shape and (out == 0).any() and not (out == 0).all():
        raise Named(f"a share of {(out == 0).mean():.2f} is 0", ["dropped_at_test"])
    compare("out with training=False", out, x, mistakes)
    if not (mask == 1).all():
        raise Wrong(
            "with training=False the mask must be 1: dropout_backward multiplies by it",
            "mask_at_test",
        )


def normal_below(p):
    """Return the chance that a standard normal number is below p."""
    return 0.5 * (1 + math.erf(p / math.sqrt(2)))


def check_dropout_backward(ask):
    """dx = dout mask."""
    dout, p = ask.rng.standard_normal((4, 5)), 0.3
    mask = (ask.rng.random((4, 5)) > p) / (1 - p)
    mistakes = {
        **of_product(dout=dout, mask=mask),
        "one_minus_mask": dout * (1 - mask),
        "dropped_get_the_gradient": dout * (mask == 0),
        "dropped_get_the_scaled_gradient": dout * (mask == 0) / (1 - p),
        "multiplied_by_keep_backward": dout * (mask > 0) * (1 - p),
        "mask_without_scale": (dout * (mask > 0)),
        "scaled_twice": dout * mask / (1 - p),
    }
    ask.equal(ask("dropout_backward", dout, mask), dout * mask, mistakes, "dx")


EXERCISES = {
    "dropout": {
        "title": "Dropout, so that the mean stays",
        "minutes": 15,
        "parts": {"dropout": check_dropout, "dropout_backward": check_dropout_backward},
        "mistakes": {
            **sentences_of_product(dout="dout", mask="mask"),
            "no_mask": "dropped entries get no gradient: multiply dout by mask",
            "no_dout": "dout is missing: dx = dout * mask",
            "over_mask": "it is divided by mask: multiply dout by mask",
            "not_scaled": (
                "in training divide what is kept by 1 - p: then the mean of x stays the same"
            ),
            "multiplied_by_keep": "what is kept is multiplied by 1 - p: divide by 1 - p",
            "divided_by_p": "what is kept is divided by p: divide by 1 - p",
            "multiplied_by_p": "what is kept is multiplied by p: divide by 1 - p",
            "one_plus_p": "what is kept is divided by 1 + p: divide by 1 - p",
            "root_of_keep": "what is kept is divided by sqrt(1 - p): divide by 1 - p",
            "scaled_twice": "1 / (1 - p) is there twice: it is in the mask, do not divide again",
            "mask_first": "this is the mask: return out first, then mask",
            "mask_alone": "this is the mask without x: out = x * mask",
            "mask_is_added": "the mask is added to x: multiply x by it",
            "nothing_is_dropped": (
                "nothing is dropped in training: is training the wrong way round?"
            ),
            "all_dropped": "everything is dropped",
            "whole_rows": "whole rows are dropped together",
            "whole_columns": "whole columns are dropped together",
            "p_is_to_keep": "p is the chance to drop, not to keep",
            "normal_for_uniform": (
                "the numbers are normal: compare p with uniform ones, rng.random(x.shape)"
            ),
            "half_is_dropped": "half of the entries are dropped, whatever p is",
            "exact_number": (
                "each call drops the same number of entries: drop each one by chance, on its own"
            ),
            "dropped_twice": "entries are dropped twice: draw one mask",
            "wrong_share": "a wrong share of the entries is dropped",
            "mask_has_no_factor": "the mask is 1 or 0: the factor 1 / (1 - p) belongs into it",
            "mask_inverted": "the mask is that of the dropped entries: it must be that of the kept",
            "mask_is_not_the_factors": "the mask is not out / x",
            "own_noise": "rng is not used",
            "own_generator": "rng is not used, but another generator with a fixed seed",
            "scaled_at_test": (
                "with training=False return x as it is: the scaling is done in training"
            ),
            "divided_at_test": "with training=False x is divided by 1 - p: return x as it is",
            "multiplied_by_p_at_test": (
                "with training=False x is multiplied by p: return x as it is"
            ),
            "zero_at_test": "with training=False out is 0: return x as it is",
            "dropped_at_test": "entries are dropped with training=False: return x as it is",
            "mask_at_test": "the mask is wrong with training=False",
            "mask_without_scale": (
                "the factor 1 / (1 - p) is missing: it is in the mask, so multiply dout by mask"
            ),
            "one_minus_mask": "dout is multiplied by 1 - mask: multiply it by mask",
            "dropped_get_the_gradient": (
                "the dropped entries get the gradient: the kept ones get it"
            ),
            "dropped_get_the_scaled_gradient": (
                "the dropped entries get the gradient: the kept ones get it"
            ),
            "multiplied_by_keep_backward": (
                "it is multiplied by 1 - p: the slope of out is 1 / (1 - p), which is in the mask"
            ),
        },
        "hints": (
            "rng.random(x.shape) < p is true with probability p, independently for each entry.",
            "A share of 1 - p is kept. Divide it by 1 - p: then the mean of out is the mean of x, "
            "and there is nothing to do at test time.",
            "Put the division into the mask: mask = (rng.random(x.shape) >= p) / (1 - p). Forward "
            "is x * mask, and backward is dout * mask.",
        ),
    },
}
