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

from miniae.proof.comparison import compare
from miniae.proof.diagnosis import NONE, diagnose_block, diagnose_gradient
from miniae.proof.differences import central_difference, complex_step
from miniae.proof.report import GradientReport
from miniae.proof.subject import Subject
from miniae.proof.suspects import suspects
from miniae.proof.trials import trials

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
    if method not in METHODS:
        raise ValueError(f"method={method!r} must be one of {METHODS}")
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
        if report.cause in ("", "unknown") or (
            cause in ("earlier calls", "noise") and report.cause != "stale"
        ):
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

        report.cause, report.diagnosis = diagnose_gradient(
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
    if method not in METHODS:
        raise ValueError(f"method={method!r} must be one of {METHODS}")
    theta = np.array(theta, dtype=np.float64)
    report = GradientReport("gradient check of a function", method, tolerance)
    argument = theta.copy()
    gradient = np.array(grad(argument), dtype=np.float64)
    if not np.array_equal(argument, theta):
        report.side_effects.append("grad changed theta")
    if gradient.shape != theta.shape:
        raise ValueError(f"grad returned shape {gradient.shape} for theta of shape {theta.shape}")
    again = np.array(grad(theta.copy()), dtype=np.float64)
    if not same(gradient, again):
        report.side_effects.append("a second call of grad gave another gradient: fix its noise")
    first, second = (number(f(theta.copy())) for _ in range(2))
    if first != second and second == second:
        report.side_effects.append("a second call of f gave another value: fix its noise")
    blocks = {"theta": (slice(0, theta.size), theta.shape)}

    def flat(v):
        return number(f(v.reshape(theta.shape)))

    numeric = compare(report, flat, theta.ravel(), blocks, gradient.ravel(), seed)
    if report.method != method:
        report.notes.append(suspects(f))
    if report.verdict == "WRONG" and numeric is not None:
        numeric = numeric.reshape(theta.shape)
        report.cause, report.diagnosis = diagnose_block(gradient, numeric, {}) or NONE
    return report


def number(value):
    """Return what f returned as a number, which an array of one entry is too."""
    value = np.asarray(value)
    if value.size != 1:
        raise ValueError(f"f must return a number, got an array of shape {value.shape}")
    return value.reshape(())[()]
