"""Gradient check: is `backward` the derivative of `forward`?

The idea is `complex_step`, eight lines: Im f(v + ih) / h is the derivative to rounding. Two more
things make a verdict of it. Code that drops the imaginary part (np.abs, np.var, ...) makes the
complex step wrong, so differences of real values, with an error estimate of their own, must agree
with it; where they do not, they decide. And what a single forward and backward pass does not run
(the other mode, other batch sizes, float32, ...) is run by `trials`.

>>> report = gradient_check(vae, x)
>>> print(report)
>>> report.raise_if_wrong()
"""

import numpy as np

from miniae.parameters import require
from miniae.proof.diagnosis import NONE, diagnose, diagnose_block
from miniae.proof.differences import (
    attempt,
    central_difference,
    complex_slope,
    complex_step,
    discards,
    rounding_noise,
    slope,
)
from miniae.proof.report import SAFETY, GradientReport
from miniae.proof.subject import Subject
from miniae.proof.suspects import suspects
from miniae.proof.trials import direction, trials

METHODS = ("complex step", "central difference", "projection")


def gradient_check(
    obj, x, target=None, *, training=False, method="complex step", seed=0, tolerance=1e-9, **given
):
    """Compare the gradient that `backward` gives with a numeric derivative of `forward`.

    Works on copies; `obj` stays as it is. Parameters that are all zero or all one, such as new
    biases, are moved first: mistakes could hide there.

    Parameters
    ----------
    obj : Layer, Loss or Model
    x : input of the layer or model, or the loss's `out`; (n, ...)
    target : like x; needed for a loss
    training : bool, passed to forward; every evaluation then draws the same masks
    method : "complex step", "central difference" or "projection"
        The complex step takes an evaluation per entry. A projection takes two random directions
        per block, whatever its size. Both become differences where forward is not complex-safe.
    seed : int, of the upstream gradient, of all noise and of the directions
    tolerance : float, largest error allowed, relative to the largest entry of the block
        Of differences 10 times their estimated error is allowed besides.
    **given : what else a model's loss takes: labels, or a VAE's eps (else drawn from the seed)

    Returns
    -------
    GradientReport
        A block for each parameter, and one named "x" for the input of a layer or loss.
    """
    require(method in METHODS, f"method={method!r} must be one of {METHODS}")
    subject = Subject(obj, x, target, training, seed, given)
    report = check(subject, method, tolerance)
    report.title = f"gradient check of {obj}"
    for cause, words, variant in trials(subject, report):
        if variant is not None:
            inner = check(variant, method, tolerance)
            if inner.verdict == "WRONG" and inner.cause != "unknown":
                words += f"; {inner.diagnosis}"
                cause = inner.cause if cause in ("settings", "mode") else cause
        report.failures.append(words)
        if report.cause in ("", "unknown"):
            report.cause, report.diagnosis = cause, words
    return report


def check(subject, method="complex step", tolerance=1e-9):
    """Return the report of a Subject's forward and backward pass, without further trials."""
    report = GradientReport(f"gradient check of {subject.start}", method, tolerance)
    gradient = observe(subject, report)
    numeric = compare(report, subject, subject.point, subject.blocks, gradient, subject.seed)
    if report.method != method:
        report.notes += [suspects(subject)]
    if report.verdict == "WRONG":
        subject(subject.point)  # where the differences have moved it from

        def derivative(f, v):
            central = report.method == "central difference"
            return central_difference(f, v)[0] if central else complex_step(f, v)

        report.cause, report.diagnosis = diagnose(
            subject, report, gradient, numeric, check, derivative
        )
    return report


def observe(subject, report):
    """Run forward and backward; report what they change that they must not; return the gradient."""
    before, x, dout = subject.exact.theta.copy(), subject.x.copy(), np.copy(subject.dout)
    target, given = np.copy(subject.target), {k: np.copy(v) for k, v in subject.given.items()}
    subject.run(subject.exact, subject.x, subject.given)
    dtheta, dx = subject.backward()
    again = subject.backward()
    for name, old, new in (
        ("x", x, subject.x),
        ("params", before, subject.exact.theta),
        ("dout", dout, np.copy(subject.dout)),
        ("target", target, np.copy(subject.target)),
        *((name, old, np.copy(subject.given[name])) for name, old in given.items()),
    ):
        if not same(old, new):
            report.side_effects.append(f"forward or backward changed {name}")
    if not all(old is None or same(old, new) for old, new in zip((dtheta, dx), again, strict=True)):
        report.side_effects.append(
            "a second backward gave another gradient: assign, do not add or draw"
        )
    if subject.has_dx and np.shape(dx) != x.shape:
        report.side_effects.append(f"backward returned shape {np.shape(dx)} for x {x.shape}")
        dx = np.zeros_like(x)
    subject.x, subject.dout = x, None if subject.dout is None else dout
    subject.target = None if subject.target is None else target
    subject.given.update({name: old for name, old in given.items() if old.ndim})
    return dtheta if dx is None else np.concatenate([dtheta, dx.ravel()])


def same(a, b):
    """Tell whether two arrays are equal, NaN where the other has NaN."""
    return a.shape == b.shape and bool(np.all((a == b) | ((a != a) & (b != b))))


def compare(report, f, v, blocks, gradient, seed):
    """Fill a report: `gradient` at v against what the report's method finds of f.

    Returns the numeric gradient, or None for projections.
    """
    if report.method == "projection":
        return compare_projections(report, f, v, blocks, gradient, seed)
    numeric, errors = None, np.zeros(v.size)
    if report.method == "complex step":
        numeric = attempt(lambda: complex_step(f, v), None)
        if numeric is None or not agrees(f, v, numeric, gradient, blocks, seed):
            report.method = "central difference"
    if report.method == "central difference":
        numeric, errors = central_difference(f, v)
        report.kinks = crossed(f, v, np.isinf(errors))
    largest = np.abs(numeric).max(initial=0)
    for name, (here, shape) in blocks.items():
        parts = (a[here].reshape(shape) for a in (gradient, numeric, errors))
        report.compare(name, *parts, largest=largest)
    return numeric


def agrees(f, v, numeric, gradient, blocks, seed):
    """Tell whether differences of real values confirm a complex-step gradient.

    Along a random direction the two slopes must differ by no more than the difference's error.
    The direction gives all blocks a similar part in the slope, so that none is drowned.
    """
    sizes = np.maximum(np.abs(numeric), np.abs(gradient))
    for u in (direction(sizes, blocks, seed + i) for i in range(3)):
        here, error = slope(f, v, u, rounding_noise(f, v, u))
        rounding = 1e-12 * (np.abs(numeric) @ np.abs(u))
        if np.isfinite(error):
            return abs(numeric @ u - here) <= SAFETY * error + rounding
    return not discards(f, v)  # where differences have no say


def compare_projections(report, f, v, blocks, gradient, seed):
    """Fill a report from the slopes along two random directions within each block."""
    rng, directions = np.random.default_rng(seed), {}
    for name, (here, _) in blocks.items():
        U = rng.standard_normal((2, here.stop - here.start))
        directions[name] = U * np.minimum(1, 3 / np.linalg.norm(U, axis=1, keepdims=True))

    def within(name, u):
        whole = np.zeros(v.size)
        whole[blocks[name][0]] = u
        return whole

    slopes = {
        name: (np.array([complex_slope(f, v, within(name, u)) for u in U]), np.zeros(2))
        for name, U in directions.items()
    }
    # By linearity the slope along all blocks at once is the sum of theirs: a check of them all.
    found = np.array([exact for exact, _ in slopes.values()])
    together = np.concatenate(list(directions.values()), axis=1) if directions else np.zeros((2, 0))
    for u, exact, size in zip(together, found.sum(axis=0), np.abs(found).sum(axis=0), strict=True):
        real, error = slope(f, v, u, rounding_noise(f, v, u))
        apart = abs(exact - real) > SAFETY * error + 1e-12 * size or np.isnan(exact)
        if apart if np.isfinite(error) else discards(f, v):
            report.method = "projection by differences"
    if report.method != "projection":
        for name, U in directions.items():
            lines = [within(name, u) for u in U]
            pairs = [slope(f, v, line, rounding_noise(f, v, line)) for line in lines]
            slopes[name] = np.array(pairs).T
    largest = max((np.abs(values).max() for values, _ in slopes.values()), default=0)
    for name, (values, errors) in slopes.items():
        here, shape = blocks[name]
        scale = max(np.abs(gradient[here]).max(initial=0), np.abs(values).max())
        report.compare(
            name, directions[name] @ gradient[here], values, errors,
            largest=largest, scale=scale, shape=shape,
        )  # fmt: skip


def crossed(f, v, undecided):
    """Return, by layer, how many ReLU units change sign near v along the undecided coordinates."""
    signs, units = getattr(f, "signs", dict), {}
    f(v)
    on = signs()
    for k in np.flatnonzero(undecided):
        for h in (-1e-5, 1e-5):
            w = v.copy()
            w[k] += h
            f(w)
            for name, now in signs().items():
                found = np.nonzero(now != on[name])[-1]
                units.setdefault(name, set()).update(found.tolist())
    f(v)
    return {name: len(found) for name, found in units.items() if found}


def check_function(f, grad, theta, *, method="complex step", seed=0, tolerance=1e-9):
    """Compare grad(theta) with a numeric derivative of f: for functions that know no miniae.

    Parameters
    ----------
    f : function of an array like theta that returns a number
        Where it takes no complex numbers, or loses their imaginary part (abs, max, float, ...),
        differences of real values are taken, and a note says so.
    grad : function of an array like theta that returns its gradient, of the same shape
    theta : array of real numbers; a generic point, since zeros and ones hide mistakes
    method, seed, tolerance : as in `gradient_check`

    Returns
    -------
    GradientReport with one block, "theta"
    """
    require(method in METHODS, f"method={method!r} must be one of {METHODS}")
    theta = np.array(theta, dtype=np.float64)
    report = GradientReport("gradient check of a function", method, tolerance)
    argument = theta.copy()
    gradient = np.array(grad(argument), dtype=np.float64)
    if not np.array_equal(argument, theta):
        report.side_effects.append("grad changed theta")
    require(
        gradient.shape == theta.shape,
        f"grad returned shape {gradient.shape} for theta of shape {theta.shape}",
    )
    again = np.array(grad(theta.copy()), dtype=np.float64)
    if not same(gradient, again):
        report.side_effects.append("a second call of grad gave another gradient: fix its noise")
    if f(theta.copy()) != (value := f(theta.copy())) and value == value:
        report.side_effects.append("a second call of f gave another value: fix its noise")
    blocks = {"theta": (slice(0, theta.size), theta.shape)}

    def flat(v):
        return f(v.reshape(theta.shape))

    numeric = compare(report, flat, theta.ravel(), blocks, gradient.ravel(), seed)
    if report.method != method:
        report.notes.append(suspects(f))
    if not report.ok and numeric is not None:
        numeric = numeric.reshape(theta.shape)
        report.cause, report.diagnosis = diagnose_block(gradient, numeric, {}) or NONE
    return report
