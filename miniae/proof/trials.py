"""Trials: what one forward and backward pass does not run, each in a few extra passes.

The other mode, other batch sizes, settings other than 1, float32, arrays in another order of
memory, calls after other calls, the methods besides `backward`, parts that nobody registered.
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

SINGLE = 1e-3  # of a block's largest entry: how far float32 may be off
SINGLE_ROUNDING = 1e-4  # of the largest entry of all
SLIPS = ("IndexError", "TypeError", "AttributeError")  # no way to refuse a batch of one
CODE = (type, FunctionType, ModuleType)
AS_GIVEN = ("arguments", "parts")  # of a model: what it was built from, and its parts
CALLS = 12  # before the one that is compared with the first
ROUNDINGS = 50  # rounding errors of the data that those on the way amount to


def trials(subject, report):
    """Yield (cause, what is wrong in words, Subject to diagnose or None) per trial that fails.

    Where the gradient is wrong as it is, only the trials that may say why. Where training and
    evaluation differ, both go through all of them.
    """
    if report.side_effects:
        return  # a call leaves its traces in the next: nothing that follows would be fair
    yield from unregistered(subject)
    right = report.verdict != "WRONG"
    runs = {"": subject}
    if not subject.is_loss:
        other, prefix = None, f"with training={not subject.training}"
        try:
            other = subject.like(training=not subject.training)
            if mode_matters(subject, other):
                runs[f"{prefix}, "] = other
        except Exception as error:
            yield "mode", f"{prefix}: {type(error).__name__}: {error}", None
    for prefix, run in runs.items():
        failures = list(history(run))
        if right and not failures and run is not subject:
            words = prefix.removesuffix(", ")
            failures += attempt_slope("mode", words, lambda run=run: run, report.tolerance)
            prefix = prefix if not failures else ""
        if right and not failures:
            failures += trials_of(run, report.tolerance)
        for cause, words, variant in failures:
            yield cause, prefix + words, variant


def trials_of(subject, tolerance):
    """Yield as `trials` does, of those that each mode goes through."""
    yield from batch_sizes(subject, tolerance)
    yield from settings(subject, tolerance)
    yield from memory_order(subject)
    yield from single(subject)
    if subject.is_layer:
        n = len(subject.x)
        yield from params_alone(subject)
        yield from params_alone(subject, "in float32, ", dtype=np.float32)
        yield from params_alone(subject, f"with a batch of {n + 1}, ", rows=[*range(n), 0])
    loss = subject if subject.is_loss else None
    if not (subject.is_layer or subject.is_loss):
        loss = inner_loss(subject)
    if loss is not None:
        yield from weights(loss, tolerance)
        for words in likelihood_failures(loss):
            yield "likelihood", words, None


def inner_loss(subject):
    """Return the Subject of a model's reconstruction loss, at a random out; None if it has none."""
    model, target = subject.start, subject.x if subject.target is None else subject.target
    if not isinstance(getattr(model, "reconstruction_loss", None), Loss):
        return None
    out = np.random.default_rng(subject.seed).standard_normal(target.shape)
    return subject.like(obj=model.reconstruction_loss, x=out, target=target, given={})


def mode_matters(subject, other):
    """Tell whether forward or backward in the other mode gives something else."""
    return not all(close(a, b) for a, b in zip(subject.gradient(), other.gradient(), strict=True))


def wrong_slope(subject, tolerance):
    """Return how far the gradient is off along a random direction, relative; None if it is right.

    Where the complex step and differences agree, the complex step decides, else the differences,
    unless they have no say.

    Raises
    ------
    whatever the object raises
    """
    value, gradient = subject.gradient()
    if not np.isfinite(value):
        return None  # the forward pass has nothing to differentiate
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
    """Yield a failure if the gradient of the Subject that variant() returns is wrong."""
    try:
        subject = variant()
        off = wrong_slope(subject, tolerance)
    except Exception as error:
        yield cause, f"{words}: {type(error).__name__}: {error}", None
        return
    if off is not None and np.isinf(off):
        yield cause, f"{words}: the gradient holds NaN or inf", subject
    elif off is not None:
        words += f": the gradient is wrong, off by {off:.1e} along a random direction"
        yield cause, words, subject


def batch_sizes(subject, tolerance):
    """A batch of one, which may be refused, and one sample more than was given."""
    n = len(subject.x)
    for rows in ([0], [*range(n), 0]):
        words = f"with a batch of {len(rows)}, where {n} is right"
        variant = partial(subject.like, rows=rows)
        for failure in attempt_slope("batch size", words, variant, tolerance):
            refused = failure[2] is None and not any(name in failure[1] for name in SLIPS)
            if len(rows) > 1 or not refused:
                yield failure


def settings(subject, tolerance):
    """Settings of 1, such as beta or sigma: at 1 a factor may be missing, or squared."""
    try:
        clone, changed = generic_settings(subject.start)
    except Exception:  # an object that its arguments do not rebuild
        return
    if changed:
        variant = partial(subject.like, obj=clone)
        yield from attempt_slope("settings", f"with {', '.join(changed)}", variant, tolerance)


def close(a, b, limit=1e-10):
    """Tell whether two gradients are equal but for rounding."""
    a, b = np.asarray(a), np.asarray(b)
    if np.array_equal(a, b, equal_nan=True):
        return True
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= limit * scale)


def history(subject):
    """A copy that has seen other batches and other noise must give what a fresh one gives."""
    fresh, used = (subject.start.astype(subject.dtype) for _ in range(2))
    other = subject.like(rows=list(range(len(subject.x)))[::-1], dout=subject.dout)
    try:
        for seed in range(1, CALLS + 1):
            other.seed = subject.seed + seed
            other.gradient(used)
        value, gradient = subject.gradient(fresh)
        for (_, then), (_, now) in zip(used.named_buffers(), fresh.named_buffers(), strict=True):
            then[...] = now  # what a buffer keeps from call to call is meant to count
        twice, _ = subject.gradient(subject.start.astype(subject.dtype))
        later, again = subject.gradient(used)
    except Exception as error:
        words = f"after other batches of the same size: {type(error).__name__}: {error}"
        yield "earlier calls", words, None
        return
    if not close(value, twice):
        words = "two fresh copies differ, with the same x and rng: all noise must come from rng"
        yield "noise", words, None
    elif not close(value, later):
        words = (
            f"the result depends on earlier calls: with the same x and noise it is {value:.9g} in "
            f"a fresh copy, {later:.9g} after {CALLS} other batches"
        )
        yield "earlier calls", words, None
    elif not close(gradient, again):
        words = "the gradient depends on earlier calls, though the result does not"
        yield "earlier calls", words, None


def memory_order(subject):
    """Arrays whose entries lie in memory in another order, or with gaps."""
    if subject.x.ndim < 2:
        return
    right = subject.gradient()
    for order, reorder in (
        ("in Fortran order", np.asfortranarray),
        ("with gaps", with_gaps),
        ("backwards", backwards),
    ):
        other = copy.copy(subject)
        for name in ("x", "dout", "target"):
            array = getattr(subject, name)
            setattr(other, name, reorder(array) if np.ndim(array) > 1 else array)
        try:
            found = other.gradient()
        except Exception as error:
            words = f"with arrays {order} in memory: {type(error).__name__}: {error}"
            yield "memory order", words, None
            continue
        for what, a, b in zip(("result", "gradient"), right, found, strict=True):
            if not close(a, b):
                words = f"with equal arrays that lie {order} in memory, the {what} is different"
                yield "memory order", words, None
                break


def backwards(array):
    """Return an equal array, a view of one whose rows are in reverse order."""
    return array[::-1].copy()[::-1]


def with_gaps(array):
    """Return an equal array, a view of every second entry of each axis of a larger one."""
    larger = np.full([2 * n for n in array.shape], np.nan, array.dtype)
    view = larger[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def single(subject):
    """The backward pass in float32, which is what trains, against the one in float64."""
    try:
        rough = subject.like(dtype=np.float32)
        fine = rough.like(dtype=np.float64, dout=rough.dout)
        exact_value, right = fine.gradient()
        # What a rounding error in each number does tells how far float32 may be off here.
        rng = np.random.default_rng(subject.seed)
        errors = 1e-7 * rng.standard_normal((3, fine.point.size))
        moved = [fine.gradient(point=fine.point * (1 + e))[1] - right for e in errors]
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = rough.gradient()
    except Exception as error:
        yield "float32", f"in float32: {type(error).__name__}: {error}", None
        return
    size = max(abs(exact_value), np.abs(right) @ np.abs(fine.point))
    size = max(size, np.abs(subject.dout).sum()) if subject.is_layer else size
    if np.isfinite(exact_value) and not abs(value - exact_value) <= SINGLE * size:
        words = f"in float32 forward gives {value:.6g}, in float64 {exact_value:.6g}"
        yield "float32", f"{words} (is there noise that does not come from rng?)", None
        return
    largest = np.abs(right).max(initial=0)
    if subject.is_layer:  # whose terms may cancel: of two features, a normalisation's do
        largest = max(largest, np.abs(subject.dout).max())
    for name, (here, _) in subject.blocks.items():
        off = np.abs(gradient[here] - right[here]).max(initial=0)
        scale = np.abs(right[here]).max(initial=0)
        sensitive = max(np.abs(each[here]).max(initial=0) for each in moved)
        if not off <= SINGLE * scale + SINGLE_ROUNDING * largest + ROUNDINGS * sensitive:
            words = f"in float32 {name} is off by {off / (scale or largest or 1):.1e}"
            yield "float32", f"{words}, in float64 it is right", None


ORDERS = {"in Fortran order": np.asfortranarray, "with gaps": with_gaps, "backwards": backwards}


def params_alone(subject, where="", **changes):
    """`backward_params` must fill grads as `backward` does."""
    if not subject.exact.theta.size:
        return
    try:
        one = subject.like(**changes) if changes else subject
        one.gradient()
        right = one.exact.dtheta.copy()
        one.exact.dtheta[...] = 0
        one.run(one.exact, one.x)
        one.exact.backward_params(one.dout)
    except Exception as error:
        yield "backward_params", f"{where}backward_params: {type(error).__name__}: {error}", None
        return
    if not close(right, one.exact.dtheta, 1e-4 if one.dtype == np.float32 else 1e-10):
        words = f"{where}backward_params leaves other grads than backward: let backward call it"
        yield "backward_params", words, None


def weights(subject, tolerance):
    """`loss.backward(weight)` must be the gradient of sum_i weight_i per_sample_i."""
    if subject.x.ndim < 2:
        return
    rng, n = np.random.default_rng(subject.seed), len(subject.x)
    obj = subject.start.astype(subject.dtype)
    mean = obj.forward(subject.x, subject.target)
    try:
        each = np.asarray(obj.per_sample(subject.x, subject.target))
    except NotImplementedError:  # a loss that has a forward pass only
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
    """Parts with parameters that are not in theta: never trained, never saved."""
    inside = {id(part) for _, part in subject.start.walk()}
    for where, owner in subject.start.walk():
        own = {
            k: v for cls in type(owner).__mro__[:-1] for k, v in vars(cls).items() if k[0] != "_"
        }
        for name, value in {**own, **vars(owner)}.items():
            for held in held_in(value, top=True) if name not in AS_GIVEN else ():
                if id(held) not in inside and held.theta.size:
                    words = (
                        f"{where}.{name}".lstrip(".")
                        + f" holds {held}, which is not among the parts: it is neither trained nor "
                        "saved; pass it to super().__init__(parts={...})"
                    )
                    yield "unregistered", words, None


def held_in(value, depth=3, top=False):
    """Yield the objects with parameters that an attribute is, or holds inside it."""
    if isinstance(value, Parameterized):
        yield value
    elif isinstance(value, tuple) and top:
        return  # a reference: what `Parameterized` advises for what is only looked at
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
