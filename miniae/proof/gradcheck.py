"""Gradient check: is `backward` the derivative of `forward`?

The idea is in the first two functions, `complex_step` and `relative_error`. For any function f of
a vector theta, and a function that claims to return its gradient:

>>> relative_error(gradient(theta), complex_step(f, theta)).max() < 1e-12

`gradient_check` makes such an f of a layer, a loss or a model, `compare` compares the gradients
block by block, and the rest looks for what this comparison alone would miss:

* Code that drops the imaginary part (np.abs, np.var, ...) makes the complex step wrong. So
  differences of real values must agree with it (`comparison`, `differences`).
* One forward and backward pass does not run the other mode, other batch sizes, float32, ...
  (`trials`).

>>> gradient_check(vae, x).raise_if_wrong()
"""

import numpy as np

from miniae.proof.comparison import agrees, compare_projections, crossed, kink_errors
from miniae.proof.diagnosis import NONE, diagnose_block, diagnose_gradient
from miniae.proof.differences import attempt, central_difference
from miniae.proof.report import GradientReport
from miniae.proof.subject import Subject
from miniae.proof.suspects import suspects
from miniae.proof.trials import trials


def complex_step(f, theta, h=1e-30):
    """Return the gradient of f at theta, exact to rounding.

    f(t + ih) = f(t) + ih f'(t) - h^2 f''(t) / 2 - ..., so f'(t) = Im f(t + ih) / h. Nothing is
    subtracted, so h can be so small that the other terms vanish. Squire and Trapp (1998).
    """
    gradient, z = np.empty(theta.size), theta.astype(complex)
    for k in range(theta.size):
        z[k] += 1j * h
        gradient[k] = np.imag(f(z)) / h
        z[k] = theta[k]
    return gradient


def relative_error(gradient, numeric):
    """Return |gradient - numeric| over the largest entry: some 1e-15 if right, 1e-2 if wrong."""
    largest = max(np.abs(gradient).max(initial=0), np.abs(numeric).max(initial=0))
    return np.abs(gradient - numeric) / (largest or 1.0)


METHODS = ("complex step", "central difference", "projection")


def gradient_check(
    obj, x, target=None, *, training=False, method="complex step", seed=0, tolerance=1e-9, **given
):
    """Compare the gradient that `backward` returns with a numeric derivative of `forward`.

    The check works on copies; `obj` is not changed. Parameters that are all zero or all one, such
    as new biases, are moved first, because these values hide mistakes.

    Parameters
    ----------
    obj : Layer, Loss or Model
    x : input of the layer or model, or the loss's `out`; (n, ...)
    target : like x; needed for a loss
    training : bool, passed to forward; every evaluation then draws the same masks
    method : "complex step", "central difference" or "projection"
        The complex step needs one evaluation per entry. A projection checks two random directions
        per block, whatever its size. Where forward does not keep the imaginary part, both are
        replaced by differences.
    seed : int, of the upstream gradient, of all noise and of the directions
    tolerance : float, largest error allowed, relative to the largest entry of the block
        For differences, 10 times their estimated error is allowed in addition.
    **given : other arguments of a model's loss: labels, or a VAE's eps (else drawn from the seed);
        of a layer's forward: mask, state

    Returns
    -------
    GradientReport
        One block for each parameter, and one named "x" for the input of a layer or loss.

    Raises
    ------
    ValueError : the method is unknown
    TypeError : obj is not a layer, loss or model
    """
    check_method(method)
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


def check_method(method):
    """Raise ValueError if there is no such method."""
    if method not in METHODS:
        raise ValueError(f"method={method!r} must be one of {METHODS}")


def check(subject, method="complex step", tolerance=1e-9):
    """Return the report on one forward and backward pass of a Subject, without the trials."""
    report = GradientReport(f"gradient check of {subject.start}", method, tolerance)
    gradient = observe(subject, report)
    numeric = compare(report, subject, subject.point, subject.blocks, gradient, subject.seed)
    if report.method != method:
        report.notes += [suspects(subject)]
    if report.verdict == "WRONG":
        subject(subject.point)  # the differences have moved its parameters

        def derivative(f, v):
            central = report.method == "central difference"
            return central_difference(f, v)[0] if central else complex_step(f, v)

        report.cause, report.diagnosis = diagnose_gradient(
            subject, report, gradient, numeric, check, derivative
        )
    return report


def compare(report, f, theta, blocks, gradient, seed):
    """Add a block to the report for each block of theta; return the numeric gradient.

    blocks : dict of str to (slice of theta, shape)
    gradient : like theta, the gradient that is claimed
    Projections give no gradient, and the function returns None.
    """
    if report.method == "projection":
        return compare_projections(report, f, theta, blocks, gradient, seed)
    numeric, errors = None, np.zeros(theta.size)
    if report.method == "complex step":
        numeric = attempt(lambda: complex_step(f, theta), None)
        confirmed = numeric is not None and agrees(f, theta, numeric, gradient, blocks, seed)
        if confirmed is None:  # every direction meets a kink: look at the entries that differ
            differ = ~(relative_error(gradient, numeric) <= report.tolerance)
            errors = kink_errors(f, theta, numeric, differ, report.tolerance)
        if confirmed is False or errors is None:
            report.method = "central difference"
    if report.method == "central difference":
        numeric, errors = central_difference(f, theta)
        report.kinks = crossed(f, theta, np.isinf(errors))
    largest = np.abs(numeric).max(initial=0)
    for name, (here, shape) in blocks.items():
        parts = (a[here].reshape(shape) for a in (gradient, numeric, errors))
        report.compare(name, *parts, largest=largest)
    return numeric


def observe(subject, report):
    """Run forward and backward, report forbidden side effects, and return the gradient."""

    def arguments():
        own = {"x": subject.x, "params": subject.exact.theta, "dout": subject.dout}
        return {**own, "target": subject.target, **subject.given}

    before = {name: np.copy(value) for name, value in arguments().items()}
    subject.run(subject.exact, subject.x, subject.given)
    dtheta, dx = subject.backward()
    again = subject.backward()
    for name, value in arguments().items():
        if not same(before[name], np.copy(value)):
            report.side_effects.append(f"forward or backward changed {name}")
    if not all(old is None or same(old, new) for old, new in zip((dtheta, dx), again, strict=True)):
        report.side_effects.append(
            "a second backward returned another gradient: assign, do not add or draw again"
        )
    x = subject.x = before["x"]
    if subject.has_dx and np.shape(dx) != x.shape:
        report.side_effects.append(f"backward returned shape {np.shape(dx)} for x {x.shape}")
        dx = np.zeros_like(x)
    subject.dout = None if subject.dout is None else before["dout"]
    subject.target = None if subject.target is None else before["target"]
    subject.given.update({name: before[name] for name in subject.given if before[name].ndim})
    return dtheta if dx is None else np.concatenate([dtheta, dx.ravel()])


def same(a, b):
    """Return whether two arrays are equal; NaN equals NaN."""
    return a.shape == b.shape and bool(np.all((a == b) | ((a != a) & (b != b))))


def check_function(f, grad, theta, *, method="complex step", seed=0, tolerance=1e-9):
    """Compare grad(theta) with a numeric derivative of f, for functions outside miniae.

    Parameters
    ----------
    f : function of an array like theta that returns a number
        If it does not accept complex numbers, or drops their imaginary part (abs, max, float,
        ...), the check uses differences of real values, and a note in the report says so.
    grad : function of an array like theta that returns its gradient, of the same shape
    theta : array of real numbers; choose random ones, since zeros and ones hide mistakes
    method, seed, tolerance : as in `gradient_check`

    Returns
    -------
    GradientReport with one block, "theta"

    Raises
    ------
    ValueError : the method is unknown, or f or grad returns the wrong shape
    """
    check_method(method)
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
        report.side_effects.append(
            "a second call of grad returned a different gradient: fix its noise"
        )
    first, second = (number(f(theta.copy())) for _ in range(2))
    if first != second and second == second:
        report.side_effects.append("a second call of f returned a different value: fix its noise")
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
    """Return what f returned as a number; an array with one entry is accepted."""
    value = np.asarray(value)
    if value.size != 1:
        raise ValueError(f"f must return a number, got an array of shape {value.shape}")
    return value.reshape(())[()]
