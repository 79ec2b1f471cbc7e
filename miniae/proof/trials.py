"""Trials: what one forward and backward pass does not run, each in a few extra passes.

The other mode, other batch sizes, settings other than 1, float32, arrays in another order of
memory, calls after other calls, the methods besides `backward`, parts that nobody registered.
"""

import copy
import inspect

import numpy as np

from miniae.losses import Loss
from miniae.parameters import Parameterized
from miniae.proof.differences import complex_slope, rounding_noise, slope
from miniae.proof.likelihoods import likelihood_failures
from miniae.proof.report import SAFETY

SINGLE = 1e-3  # of a block's largest entry: how far float32 may be off
SINGLE_ROUNDING = 1e-4  # of the largest entry of all
AS_GIVEN = ("arguments", "copies", "parts")  # of a model: what it was built from, and its parts
GENERIC = 1.37  # in place of a setting that is 1, where a missing factor hides


def trials(subject, report):
    """Yield (what is wrong in words, Subject to diagnose or None) for each trial that fails."""
    for find in (unregistered, history, modes, batch_sizes, settings, memory_order, single):
        yield from find(subject, report)
    if subject.is_layer:
        yield from params_alone(subject)
    if subject.is_loss:
        yield from weights(subject, report)
        for words in likelihood_failures(subject):
            yield words, None


def direction(sizes, blocks, seed):
    """Return a random direction along which blocks of gradients of such sizes count alike."""
    rng, u = np.random.default_rng(seed), np.zeros(sizes.size)
    largest = sizes.max(initial=0)
    for here, _ in blocks.values():
        size = max(sizes[here].max(initial=0), 1e-3 * largest) or 1.0
        u[here] = rng.standard_normal(here.stop - here.start) / size
    u /= np.abs(u).max(initial=0) or 1.0
    return u * min(1.0, 3 / (np.linalg.norm(u) or 1.0))


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
    for seed in range(3):
        u = direction(np.abs(gradient), subject.blocks, subject.seed + seed)
        exact, size = complex_slope(subject, subject.point, u), np.abs(gradient) @ np.abs(u)
        noise = rounding_noise(subject, subject.point, u)
        real, error = slope(subject, subject.point, u, noise)
        size = max(size, abs(real) if np.isfinite(real) else 0)
        agree = abs(exact - real) <= SAFETY * error + 1e-12 * size
        numeric = exact if agree else real
        allowed = max(tolerance, 1e-11) * size + (0 if agree else SAFETY * error)
        if agree or allowed < 0.01 * size:
            off = abs(gradient @ u - numeric)
            return None if off <= allowed + 1e-15 else off / (size or 1.0)
    return None


def attempt_slope(words, variant, report):
    """Yield a failure if the gradient of the Subject that variant() returns is wrong."""
    try:
        subject = variant()
        off = wrong_slope(subject, report.tolerance)
    except Exception as error:
        yield f"{words}: {type(error).__name__}: {error}", None
        return
    if off is not None:
        yield f"{words}: the gradient is wrong, off by {off:.1e} along a random direction", subject


def modes(subject, report):
    """The other of training=True and training=False."""
    if not subject.is_loss:
        other = not subject.training
        words = f"with training={other}"
        yield from attempt_slope(words, lambda: subject.like(training=other), report)


def batch_sizes(subject, report):
    """A batch of one, which may be refused, and one sample more than was given."""
    n = len(subject.x)
    for rows in ([0], [*range(n), 0]):
        words = f"with a batch of {len(rows)}, where {n} is right"
        for words, variant in attempt_slope(
            words, lambda rows=rows: subject.like(rows=rows), report
        ):
            if variant is not None or len(rows) > 1:
                yield words, variant


def settings(subject, report):
    """Settings of 1, such as beta or sigma: at 1 a factor may be missing, or squared."""
    try:
        twin, changed = generic_settings(subject.start)
    except Exception:  # an object that its arguments do not rebuild
        return
    if changed:
        words = f"with {', '.join(changed)}"
        yield from attempt_slope(words, lambda: subject.like(obj=twin), report)


def generic_settings(obj):
    """Return a copy of obj whose settings of 1.0 are another number, and which they are.

    The copy is built by the constructor, from attributes of its arguments' names, so that what
    the constructor derives from them fits.
    """
    changed = []

    def rebuilt(value):
        if isinstance(value, (list, tuple)):
            return type(value)(rebuilt(each) for each in value)
        if not hasattr(value, "forward") and not hasattr(value, "loss"):
            return value
        before, arguments = len(changed), arguments_of(value)
        for name, argument in arguments.items():
            if type(argument) in (float, np.float64, np.float32) or name == "beta":
                if argument == 1 and name not in ("p", "lr"):
                    changed.append(f"{name}={GENERIC}")
                    arguments[name] = GENERIC
            else:
                arguments[name] = rebuilt(argument)
        if len(changed) == before:
            return value
        stars = [p for p in parameters_of(value) if p.kind is p.VAR_POSITIONAL]
        twin = (
            type(value)(*arguments.pop(stars[0].name), **arguments)
            if stars
            else type(value)(**arguments)
        )
        if isinstance(value, Parameterized):
            twin = twin.astype(value.theta.dtype)
            twin.theta = value.theta
        return twin

    twin = rebuilt(obj)
    if changed and hasattr(obj, "start_epoch"):
        twin.start_epoch(1)
    return twin, changed


def parameters_of(obj):
    """Return the parameters of an object's constructor."""
    return list(inspect.signature(type(obj)).parameters.values())


def arguments_of(obj):
    """Return the arguments that build an object like obj, by name."""
    if hasattr(obj, "get_params"):
        return dict(obj.get_params())
    names = [p.name for p in parameters_of(obj) if p.kind is not p.VAR_KEYWORD]
    return {name: getattr(obj, name) for name in names if hasattr(obj, name)}


def close(a, b, limit=1e-10):
    """Tell whether two gradients are equal but for rounding."""
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= limit * scale)


def history(subject, report):
    """A copy that has seen other batches and other noise must give what a fresh one gives."""
    fresh, used = subject.start.astype(subject.dtype), subject.start.astype(subject.dtype)
    other = subject.like(rows=list(range(len(subject.x)))[::-1], dout=subject.dout)
    try:
        for seed in range(1, 5):
            other.seed = subject.seed + seed
            other.gradient(used)
        value, gradient = subject.gradient(fresh)
        later, again = subject.gradient(used)
    except Exception as error:
        yield f"after other batches of the same size: {type(error).__name__}: {error}", None
        return
    if not close(np.atleast_1d(value), np.atleast_1d(later)):
        yield (
            (
                f"the result depends on earlier calls: {later:.9g} after four other batches, "
                f"{value:.9g} in a fresh copy, with the same x and the same noise"
            ),
            None,
        )
    elif not close(gradient, again):
        yield "the gradient depends on earlier calls, though the result does not", None


def memory_order(subject, report):
    """Arrays whose entries lie in memory in another order, or with gaps."""
    if subject.x.ndim < 2:
        return
    _, right = subject.gradient(subject.start.astype(subject.dtype))
    orders = {"Fortran order": np.asfortranarray, "gaps between its rows": with_gaps}
    for words, reorder in orders.items():
        other = copy.copy(subject)
        other.x = reorder(subject.x)
        if subject.is_layer and np.ndim(subject.dout) > 1:
            other.dout = reorder(subject.dout)
        if subject.target is not None:
            other.target = reorder(subject.target)
        try:
            _, gradient = other.gradient(subject.start.astype(subject.dtype))
        except Exception as error:
            yield f"given arrays with {words}: {type(error).__name__}: {error}", None
            continue
        if not close(right, gradient):
            yield f"given arrays with {words}, equal in all entries: another gradient", None


def with_gaps(array):
    """Return an equal array, a view of every second entry of each axis of a larger one."""
    larger = np.full([2 * n for n in array.shape], np.nan, array.dtype)
    view = larger[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def single(subject, report):
    """The backward pass in float32, which is what trains, against the one in float64."""
    try:
        rough = subject.like(dtype=np.float32)
        fine = rough.like(dtype=np.float64, dout=rough.dout)
        _, right = fine.gradient()
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = rough.gradient()
    except Exception as error:
        yield f"in float32: {type(error).__name__}: {error}", None
        return
    if not np.isfinite(value):
        return
    largest = np.abs(right).max(initial=0)
    for name, (here, _) in subject.blocks.items():
        off = np.abs(gradient[here] - right[here]).max(initial=0)
        scale = np.abs(right[here]).max(initial=0)
        if not off <= SINGLE * scale + SINGLE_ROUNDING * largest:
            yield f"in float32: {name} is off by {off / (scale or largest or 1):.1e}", None


def params_alone(subject):
    """`backward_params` must fill grads as `backward` does."""
    obj = subject.start.astype(subject.dtype)
    if not obj.theta.size:
        return
    subject.gradient(obj)
    right = obj.dtheta.copy()
    obj.dtheta[...] = 0
    try:
        subject.run(obj, subject.x)
        obj.backward_params(subject.dout)
    except Exception as error:
        yield f"backward_params: {type(error).__name__}: {error}", None
        return
    if not close(right, obj.dtheta):
        yield "backward_params leaves other grads than backward: call it from backward", None


def weights(subject, report):
    """`loss.backward(weight)` must be the gradient of sum_i weight_i per_sample_i."""
    cls = type(subject.start)
    if subject.x.ndim < 2 or "weight" not in inspect.signature(cls.backward).parameters:
        return
    rng, n = np.random.default_rng(subject.seed), len(subject.x)
    weight = rng.uniform(0.5, 2, n)
    obj = subject.start.astype(subject.dtype)
    mean, each = obj.forward(subject.x, subject.target), obj.per_sample(subject.x, subject.target)
    if np.shape(each) != (n,):
        yield f"per_sample returns shape {np.shape(each)} for {n} samples", None
    elif not abs(mean - each.mean()) <= 1e-10 * max(np.abs(each).max(), abs(mean)):
        yield f"forward returns {mean:.9g}, but the mean of per_sample is {each.mean():.9g}", None
    else:
        words = "backward(weight), the gradient of sum_i weight_i per_sample_i"
        yield from attempt_slope(words, lambda: subject.like(weight=weight), report)


def unregistered(subject, report):
    """Parts with parameters that are not in theta: never trained, never saved."""
    inside = {id(part) for _, part in subject.start.walk()}
    for owner, part in subject.start.walk():
        for name, value in vars(part).items():
            if name in AS_GIVEN:
                continue
            for held in held_in(value):
                if id(held) not in inside and held.theta.size:
                    where = f"{owner}.{name}".lstrip(".")
                    yield (
                        (
                            f"{where} holds {held}, which is not among the parts: it is not trained "
                            "and not saved; pass it to super().__init__(parts={...})"
                        ),
                        None,
                    )


def held_in(value):
    """Yield the objects with parameters that an attribute is, or holds in a list, tuple or dict."""
    if isinstance(value, Parameterized):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from held_in(each)
    elif isinstance(value, dict):
        yield from held_in(list(value.values()))
    elif hasattr(value, "forward") and hasattr(value, "__dict__") and not isinstance(value, Loss):
        yield from held_in(vars(value))
