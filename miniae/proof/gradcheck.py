"""Gradient check: is `backward` the derivative of `forward`? Three ways to find out.

* complex step: for an analytic f, f(v + ih) = f(v) + ih f'(v) - h^2 f''(v) / 2 - ..., so that
  Im f(v + ih) / h is f'(v) up to h^2. Nothing is subtracted, hence nothing cancels, and with
  h = 1e-30 the answer is exact to rounding. Squire and Trapp (1998).
* central difference, for code that is not complex-safe: a fourth-order difference of real values,
  for each coordinate with the step at which two successive steps agree best.
* projection: the complex step along two random directions per block, against the same projections
  of the gradient. Two evaluations a block, whatever its size.

>>> report = gradient_check(vae, x)
>>> print(report)
>>> report.raise_if_wrong()
"""

import warnings

import numpy as np

from miniae.parameters import require
from miniae.proof.diagnosis import NONE, diagnose, diagnose_block
from miniae.proof.report import GradientReport
from miniae.proof.subject import Subject

STEP = 1e-30
METHODS = ("complex step", "central difference", "projection")


def complex_step(f, v):
    """Return the gradient of f at v, exact to rounding."""
    gradient, z = np.empty(v.size), v.astype(np.complex128)
    for k in range(v.size):
        z[k] += 1j * STEP
        gradient[k] = f(z).imag / STEP
        z[k] = v[k]
    return gradient


def central_difference(f, v, signs=dict):
    """Return the gradient of f at v, which entries lie at kinks, and the ReLU units to blame.

    Fourth order: (8 (f(v+h) - f(v-h)) - (f(v+2h) - f(v-2h))) / 12h, whose error is about h^4 f^(5)
    plus rounding of eps f / h. No h suits all functions: of six, the pair of neighbours that
    agree best is taken, among those within which no ReLU crosses zero.
    """
    gradient, kinks, crossed = np.empty(v.size), np.zeros(v.size, bool), {}
    f(v)
    on = signs()
    for k in range(v.size):
        clean, w = [], v.copy()
        for h in max(1.0, abs(v[k])) * np.geomspace(3e-2, 1e-4, 6):
            values, moved = [], {}
            for shift in (h, -h, 2 * h, -2 * h):
                w[k] = v[k] + shift
                values.append(f(w))
                for name, now in signs().items():
                    if (now != on[name]).any():
                        moved.setdefault(name, set()).update(np.nonzero(now != on[name])[-1])
            near, far = values[0] - values[1], values[2] - values[3]
            estimate = (8 * near - far) / (12 * h)
            clean += [] if moved else [estimate]
        kinks[k] = len(clean) < 2
        if kinks[k]:
            gradient[k] = estimate
            for name, units in moved.items():
                crossed.setdefault(name, set()).update(units)
        else:
            gradient[k] = clean[np.argmin(np.abs(np.diff(clean))) + 1]
    return gradient, kinks, {name: len(units) for name, units in crossed.items()}


def projections(f, v, here, seed):
    """Return two random directions within a block of v, and the slopes of f along them."""
    directions = np.random.default_rng(seed).choice([-1.0, 1.0], (2, here.stop - here.start))
    slopes = []
    for direction in directions:
        z = v.astype(np.complex128)
        z[here] += 1j * STEP * direction
        slopes.append(f(z).imag / STEP)
    return directions, np.array(slopes)


def compare(report, f, v, blocks, gradient, seed, signs=dict):
    """Fill a report: `gradient` at v against what the report's method finds of f."""
    kinks = np.zeros(v.size, bool)
    if report.method == "complex step":
        numeric = complex_step(f, v)
    elif report.method == "central difference":
        numeric, kinks, report.kinks = central_difference(f, v, signs)
    for name, (here, shape) in blocks.items():
        if report.method == "projection":
            directions, slopes = projections(f, v, here, seed)
            scale = np.abs(gradient[here]).max(initial=0)
            report.compare(name, directions @ gradient[here], slopes, scale=scale, shape=shape)
        else:
            parts = (a[here].reshape(shape) for a in (gradient, numeric, kinks))
            report.compare(name, *parts)
    return None if report.method == "projection" else numeric


def gradient_check(
    obj, x, target=None, *, training=False, method="complex step", seed=0, tolerance=1e-9, **given
):
    """Compare the gradient that `backward` gives with a numeric derivative of `forward`.

    Works on float64 and complex128 copies; `obj` stays as it is. Parameters that are all zero,
    such as new biases, are moved off zero first, where mistakes could hide.

    Parameters
    ----------
    obj : Layer, Loss or Model
    x : input of the layer or model, or the loss's `out`; (n, ...)
    target : like x; needed for a loss
    training : bool, passed to forward; every evaluation then draws the same masks
    method : "complex step", "central difference" or "projection"; see the top of this file
    seed : int, of the upstream gradient, of all noise and of the projections
    tolerance : float, largest error allowed, relative to the largest entry of the block
    **given : what else a model's loss takes: labels, or a VAE's eps (else drawn from the seed)

    Returns
    -------
    GradientReport
        A block for each parameter, and one named "x" for the input of a layer or loss.
    """
    require(method in METHODS, f"method={method!r} must be one of {METHODS}")
    subject = Subject(obj, x, target, training, seed, given)
    report = GradientReport(f"gradient check of {obj}", method, tolerance)
    exact, before = subject.exact, subject.exact.theta.copy()
    x_before, dout_before = subject.x.copy(), np.copy(subject.dout)
    subject.run(exact, subject.x)
    dtheta, dx = subject.backward()
    again = subject.backward()
    for name, old, new in (
        ("x", x_before, subject.x),
        ("params", before, exact.theta),
        ("dout", dout_before, np.copy(subject.dout)),
    ):
        if not np.array_equal(old, new, equal_nan=name == "x"):
            report.side_effects.append(f"forward or backward changed {name}")
    if not all(
        old is None or np.array_equal(old, new, equal_nan=True)
        for old, new in zip((dtheta, dx), again, strict=True)
    ):
        report.side_effects.append(
            "a second backward gave another gradient: assign, do not add or draw"
        )
    if subject.has_dx and np.shape(dx) != subject.x.shape:
        report.side_effects.append(f"backward returned shape {np.shape(dx)} for x {x_before.shape}")
        dx = np.zeros_like(x_before)
    subject.x, subject.dout = x_before, dout_before
    gradient = dtheta if dx is None else np.concatenate([dtheta, dx.ravel()])
    v = subject.point
    numeric = compare(report, subject, v, subject.blocks, gradient, seed, subject.signs)
    if not report.ok:
        central = method == "central difference"
        derivative = (lambda f, v: central_difference(f, v)[0]) if central else complex_step
        report.cause, report.diagnosis = diagnose(
            subject, report, gradient, numeric, gradient_check, derivative
        )
    return report


def check_function(f, grad, theta, *, method="complex step", seed=0, tolerance=1e-9):
    """Compare grad(theta) with a numeric derivative of f: for functions that know no miniae.

    Parameters
    ----------
    f : function of an array like theta that returns a number
        For the complex step and projection it must accept complex numbers, without abs, max or a
        comparison of them. If it does not, central differences are taken, and a note says so.
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
    blocks = {"theta": (slice(0, theta.size), theta.shape)}
    if method != "central difference" and not complex_safe(f, theta, seed):
        report.method = "central difference"
        report.notes.append("f loses the imaginary part (abs, max, float?): not the complex step")
    numeric = compare(
        report, lambda v: f(v.reshape(theta.shape)), theta.ravel(), blocks, gradient.ravel(), seed
    )
    if not report.ok and numeric is not None:
        numeric = numeric.reshape(theta.shape)
        report.cause, report.diagnosis = diagnose_block(gradient, numeric, {}) or NONE
    return report


def complex_safe(f, theta, seed):
    """Tell whether f's complex step along a random direction agrees with a real difference."""
    direction = np.random.default_rng(seed).standard_normal(theta.shape)
    h = 1e-5 * max(1.0, np.abs(theta).max(initial=0))
    slope = (f(theta + h * direction) - f(theta - h * direction)) / (2 * h)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # NumPy's own, of a discarded imaginary part
            exact = np.imag(f(theta + 1j * STEP * direction)) / STEP
    except (TypeError, ValueError):
        return False
    return abs(exact - slope) <= 1e-3 * max(abs(exact), abs(slope))
