"""Trials: a few extra passes for what one forward and backward pass does not run.

They try the other mode, other batch sizes, settings other than 1, float32, other memory orders,
calls after other calls, and methods other than `backward`; and they look for unregistered parts.
"""

import copy
from collections import deque
from functools import partial
from types import FunctionType, MethodType, ModuleType

import numpy as np

from miniae.losses import Loss
from miniae.parameters import Parameterized
from miniae.proof.comparison import direction
from miniae.proof.differences import complex_slope, rounding_noise, slope
from miniae.proof.likelihoods import likelihood_failures, takes_weight
from miniae.proof.report import SAFETY
from miniae.proof.settings import generic_settings

SINGLE = 1e-3  # of a block's largest entry: the error that float32 may have
SINGLE_ROUNDING = 1e-4  # the same, of the largest entry of all blocks
SLIPS = ("IndexError", "TypeError", "AttributeError")  # not an intended refusal of a batch of one
CODE = (type, FunctionType, ModuleType)
AS_GIVEN = ("arguments", "parts")  # attributes of a model: its arguments, and its parts
CALLS = 12  # calls before the one that is compared with a first call
ROUNDINGS = 50  # all rounding errors together, in units of the effect of rounding the data


def trials(subject, report):
    """Yield (cause, a sentence, Subject to diagnose or None) for each trial that fails.

    If the gradient is already wrong, only the trials that may explain it run. If training and
    evaluation differ, all trials run in both modes.
    """
    if report.side_effects:
        return  # a call changes the next one, so every trial would fail for this reason
    yield from unregistered(subject)
    right = report.verdict != "WRONG"
    runs = {"": subject}
    if not subject.is_loss:
        prefix = f"with training={not subject.training}"
        try:
            other = subject.like(training=not subject.training)
            pairs = zip(subject.gradient(), other.gradient(), strict=True)
            if not all(close(a, b) for a, b in pairs):
                runs[f"{prefix}, "] = other
        except Exception as error:
            yield "mode", f"{prefix}: {described(error)}", None
    for prefix, run in runs.items():
        words = "after other batches of the same size"
        failures = list(guarded("earlier calls", words, history(run)))
        if right and not failures and run is not subject:
            words = prefix.removesuffix(", ")
            failures += attempt_slope("mode", words, lambda run=run: run, report.tolerance)
            prefix = prefix if not failures else ""
        if right and not failures:
            failures += trials_of(run, report.tolerance)
        for cause, words, variant in failures:
            yield cause, prefix + words, variant


def trials_of(subject, tolerance):
    """Yield the failures of the trials that run in each mode, as `trials` does."""
    yield from batch_sizes(subject, tolerance)
    yield from settings(subject, tolerance)
    yield from memory_order(subject)
    yield from guarded("float32", "in float32", single(subject))
    if subject.is_layer:
        n = len(subject.x)
        for where, changes in (
            ("", {}),
            ("in float32, ", {"dtype": np.float32}),
            (f"with a batch of {n + 1}, ", {"rows": [*range(n), 0]}),
        ):
            trial = params_alone(subject, where, **changes)
            yield from guarded("backward_params", f"{where}backward_params", trial)
    loss = subject if subject.is_loss else None
    if not (subject.is_layer or subject.is_loss):
        loss = inner_loss(subject)
    if loss is not None:
        yield from weights(loss, tolerance)
        for words in likelihood_failures(loss):
            yield "likelihood", words, None


def inner_loss(subject):
    """Return the Subject of a model's reconstruction loss at a random out; None if it has none."""
    model, target = subject.start, subject.x if subject.target is None else subject.target
    if not isinstance(getattr(model, "reconstruction_loss", None), Loss):
        return None
    shape = getattr(model.reconstruction_loss, "shape_of_out", np.shape)(target)
    out = np.random.default_rng(subject.seed).standard_normal(shape)
    return subject.like(obj=model.reconstruction_loss, x=out, target=target, given={})


def guarded(cause, words, trial):
    """Yield the failures of a trial, and one more if it raises an error."""
    try:
        yield from trial
    except Exception as error:
        yield cause, f"{words}: {described(error)}", None


def described(error):
    """Return an error as text, with its type."""
    return f"{type(error).__name__}: {error}"


def wrong_slope(subject, tolerance):
    """Return the relative error of the gradient along a random direction; None if it is right.

    If the complex step and differences agree, the complex step decides; else the differences
    decide, unless there is a kink. Errors that the object raises are passed on.
    """
    value, gradient = subject.gradient()
    if not np.isfinite(value):
        return None  # there is nothing to differentiate
    if not np.isfinite(gradient).all():
        return np.inf
    noise = 0.0
    for seed in range(3):
        u = direction(np.abs(gradient), subject.blocks, subject.seed + seed)
        exact, size = complex_slope(subject, subject.point, u), np.abs(gradient) @ np.abs(u)
        noise = noise or rounding_noise(subject, subject.point, u)
        real, error = slope(subject, subject.point, u, noise)
        size = max(size, abs(real) if np.isfinite(real) else 0)
        if np.isinf(error):
            continue  # a kink
        agree = abs(exact - real) <= SAFETY * error + 1e-12 * size
        numeric = exact if agree else real
        allowed = max(tolerance, 1e-11) * size + (0 if agree else SAFETY * error)
        if agree or allowed < 0.01 * size:
            off = abs(gradient @ u - numeric)
            return None if off <= allowed + 1e-15 else off / (size or 1.0)
    return None


def attempt_slope(cause, words, variant, tolerance):
    """Yield a failure if variant() raises an error or returns a Subject with a wrong gradient."""
    try:
        subject = variant()
        off = wrong_slope(subject, tolerance)
    except Exception as error:
        yield cause, f"{words}: {described(error)}", None
        return
    if off is not None and np.isinf(off):
        yield cause, f"{words}: the gradient contains NaN or inf", subject
    elif off is not None:
        words += f": the gradient is wrong, off by {off:.1e} along a random direction"
        yield cause, words, subject


def batch_sizes(subject, tolerance):
    """Try a batch of one, which the object may refuse, and a batch with one more sample."""
    n = len(subject.x)
    for rows in ([0], [*range(n), 0]):
        words = f"with a batch of {len(rows)}, though a batch of {n} is right"
        variant = partial(subject.like, rows=rows)
        for failure in attempt_slope("batch size", words, variant, tolerance):
            refused = failure[2] is None and not any(name in failure[1] for name in SLIPS)
            if len(rows) > 1 or not refused:
                yield failure


def settings(subject, tolerance):
    """Try other values for settings of 1, such as beta or sigma: 1 hides a missing factor."""
    try:
        clone, changed = generic_settings(subject.start)
    except Exception:  # the object cannot be rebuilt from its arguments
        return
    if changed:
        variant = partial(subject.like, obj=clone)
        yield from attempt_slope("settings", f"with {', '.join(changed)}", variant, tolerance)


def close(a, b, limit=1e-10):
    """Return whether two gradients are equal up to rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if np.array_equal(a, b, equal_nan=True):
        return True
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= limit * scale)


def history(subject):
    """Compare a copy that has seen other batches and other noise with a new copy."""
    fresh, used = (subject.start.astype(subject.dtype) for _ in range(2))
    other = subject.like(rows=list(range(len(subject.x)))[::-1], dout=subject.dout)
    for seed in range(1, CALLS + 1):
        other.seed = subject.seed + seed
        other.gradient(used)
    value, gradient = subject.gradient(fresh)
    for (_, then), (_, now) in zip(used.named_buffers(), fresh.named_buffers(), strict=True):
        then[...] = now  # a buffer is allowed to change the results of later calls
    twice, _ = subject.gradient(subject.start.astype(subject.dtype))
    later, again = subject.gradient(used)
    if not close(value, twice):
        words = "two new copies differ, with the same x and rng: all noise must come from rng"
        yield "noise", words, None
    elif not close(value, later):
        words = (
            f"the result depends on earlier calls: with the same x and noise it is {value:.9g} in "
            f"a new copy, and {later:.9g} after {CALLS} other batches"
        )
        yield "earlier calls", words, None
    elif not close(gradient, again):
        words = "the gradient depends on earlier calls, though the result does not"
        yield "earlier calls", words, None


def memory_order(subject):
    """Try equal arrays with another order of entries in memory, or with gaps between them."""
    if subject.x.ndim < 2:
        return
    right = subject.gradient()
    for order, reorder in ORDERS.items():
        other = copy.copy(subject)
        for name in ("x", "dout", "target"):
            array = getattr(subject, name)
            setattr(other, name, reorder(array) if np.ndim(array) > 1 else array)
        words = f"with equal arrays that are stored {order} in memory"
        try:
            found = other.gradient()
        except Exception as error:
            yield "memory order", f"{words}: {described(error)}", None
            continue
        for what, a, b in zip(("result", "gradient"), right, found, strict=True):
            if not close(a, b):
                yield "memory order", f"{words}, the {what} is different", None
                break


def with_gaps(array):
    """Return an equal array: a view of every second entry, along each axis, of a larger one."""
    larger = np.full([2 * n for n in array.shape], np.nan, array.dtype)
    view = larger[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


ORDERS = {
    "in Fortran order": np.asfortranarray,
    "with gaps": with_gaps,
    "backwards": lambda array: array[::-1].copy()[::-1],
}


def single(subject):
    """Compare the passes in float32, in which models train, with those in float64."""
    rough = subject.like(dtype=np.float32)
    fine = rough.like(dtype=np.float64, dout=rough.dout)
    exact_value, right = fine.gradient()
    # The effect of a rounding error in each number shows how large errors in float32 may be.
    rng = np.random.default_rng(subject.seed)
    errors = 1e-7 * rng.standard_normal((3, fine.point.size))
    moved = [fine.gradient(point=fine.point * (1 + e))[1] - right for e in errors]
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradient = rough.gradient()
    size = max(abs(exact_value), np.abs(right) @ np.abs(fine.point))
    size = max(size, np.abs(subject.dout).sum()) if subject.is_layer else size
    if np.isfinite(exact_value) and not abs(value - exact_value) <= SINGLE * size:
        words = f"in float32 forward gives {value:.6g}, in float64 {exact_value:.6g}"
        yield "float32", f"{words} (does some noise not come from rng?)", None
        return
    largest = np.abs(right).max(initial=0)
    if subject.is_layer:  # its terms may cancel, as those of a normalisation of two features do
        largest = max(largest, np.abs(subject.dout).max())
    for name, (here, _) in subject.blocks.items():
        off = np.abs(gradient[here] - right[here]).max(initial=0)
        scale = np.abs(right[here]).max(initial=0)
        sensitive = max(np.abs(each[here]).max(initial=0) for each in moved)
        if not off <= SINGLE * scale + SINGLE_ROUNDING * largest + ROUNDINGS * sensitive:
            words = f"in float32 {name} is off by {off / (scale or largest or 1):.1e}"
            yield "float32", f"{words}; in float64 it is right", None


def params_alone(subject, where="", **changes):
    """Check that `backward_params` fills grads as `backward` does."""
    if not subject.exact.theta.size:
        return
    one = subject.like(**changes) if changes else subject
    one.gradient()
    right = one.exact.dtheta.copy()
    one.exact.dtheta[...] = 0
    one.run(one.exact, one.x)
    one.exact.backward_params(one.dout)
    if not close(right, one.exact.dtheta, 1e-4 if one.dtype == np.float32 else 1e-10):
        words = f"{where}backward_params and backward give different grads: let backward call it"
        yield "backward_params", words, None


def weights(subject, tolerance):
    """Check that `loss.backward(weight)` is the gradient of sum_i weight_i per_sample_i."""
    if subject.x.ndim < 2:
        return
    rng, n = np.random.default_rng(subject.seed), len(subject.x)
    obj = subject.start.astype(subject.dtype)
    mean = obj.forward(subject.x, subject.target)
    try:
        each = np.asarray(obj.per_sample(subject.x, subject.target))
    except NotImplementedError:  # the loss has a forward pass only
        return
    if each.shape != (n,):
        yield "weight", f"per_sample returns shape {each.shape} for {n} samples", None
    elif not abs(mean - each.mean()) <= 1e-10 * max(np.abs(each).max(), abs(mean)):
        words = f"forward returns {mean:.9g}, but the mean of per_sample is {each.mean():.9g}"
        yield "weight", words, None
    elif takes_weight(obj):
        words = "in backward(weight)"
        variant = partial(subject.like, weight=rng.uniform(0.5, 2, n))
        yield from attempt_slope("weight", words, variant, tolerance)


def unregistered(subject):
    """Find parts whose parameters are not in theta: they are neither trained nor saved."""
    inside = {id(part) for _, part in subject.start.walk()}
    for where, owner in subject.start.walk():
        attributes = {}
        for cls in type(owner).__mro__[:-1]:
            attributes |= {k: v for k, v in vars(cls).items() if not k.startswith("_")}
        for name, value in {**attributes, **vars(owner)}.items():
            if name in AS_GIVEN:
                continue
            for held in held_in(value, top=True):
                if id(held) not in inside and held.theta.size:
                    place = f"{where}.{name}".lstrip(".")
                    yield (
                        "unregistered",
                        f"{place} contains {held}, which is not a registered part: it is neither "
                        "trained nor saved; pass it to super().__init__(parts={...})",
                        None,
                    )


def held_in(value, depth=3, top=False):
    """Yield the objects with parameters among the value of an attribute and what it contains."""
    if isinstance(value, Parameterized):
        yield value
    elif isinstance(value, tuple) and top:
        return  # a reference, which `Parameterized` recommends for a layer that is only read
    elif isinstance(value, (list, tuple, set, deque)):
        for each in value:
            yield from held_in(each, depth)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from held_in(value.ravel().tolist(), depth)
    elif isinstance(value, partial):
        yield from held_in([value.func, *value.args, value.keywords], depth)
    elif isinstance(value, MethodType):
        yield from held_in(value.__self__, depth)
    elif isinstance(value, dict):
        yield from held_in(list(value.values()), depth)
    elif depth and hasattr(value, "__dict__") and not isinstance(value, CODE):
        yield from held_in(vars(value), depth - 1)
