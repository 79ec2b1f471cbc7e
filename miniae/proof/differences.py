"""Differences of real values with an error estimate, and the slope by one complex step.

* difference: (f(v + h) - f(v - h)) / 2h needs real values only. Its error falls with h^2, h^4, ...
  until rounding takes over; `slope` removes these terms one by one and estimates what is left.
* complex step: Im f(v + ihu) / h is the slope along u, exact to rounding, as in
  `gradcheck.complex_step`. It is wrong, without an error message, where the code of f drops the
  imaginary part, as np.abs, np.var and an array of real numbers do.
"""

import warnings

import numpy as np

STEP = 1e-30
LADDER = 0.05 / 4.0 ** np.arange(8)  # steps of the differences, 5e-2 to 3e-6
ComplexWarning = getattr(np, "exceptions", np).ComplexWarning  # NumPy 1.24 has no exceptions


def complex_slope(f, v, u):
    """Return the slope of f at v along u by the complex step; NaN if f refuses complex numbers."""
    return attempt(lambda: float(np.imag(f(v + 1j * STEP * u))) / STEP, np.nan)


def attempt(evaluate, otherwise):
    """Return evaluate(), or `otherwise` if it fails.

    Code that accepts no complex numbers can fail in any way. Warnings that NumPy discards an
    imaginary part are ignored here.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", ComplexWarning)
            return evaluate()
    except Exception:
        return otherwise


def discards(f, v):
    """Return whether f fails on complex numbers or, as NumPy warns, drops their imaginary part."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", ComplexWarning)
        try:
            f(v + 1j * STEP)
        except Exception:
            return True
    return False


def value(f, v):
    """Return f(v), or NaN where f raises an error, as a density does outside its range."""
    try:
        return f(v)
    except (ArithmeticError, ValueError):
        return np.nan


def rounding_noise(f, v, u):
    """Return how far values of f near v are from a smooth curve: roughly its rounding error.

    Over steps of 1e-7 a smooth f is straight to some 1e-14, so second differences are rounding
    noise, of float64 or, where the code casts to it, of float32. The largest one is left out,
    because there may be a kink at v.
    """
    values = np.array([value(f, v + t * 1e-7 * u) for t in range(-5, 6)])
    bends = np.sort(np.nan_to_num(np.abs(np.diff(values, 2))))
    return max(bends[-2], 2e-16 * np.nan_to_num(np.abs([f(v), *values])).max())


def slope(f, v, u, noise=None):
    """Return the slope of f at v along u by real differences, and an estimate of its error.

    Each row of Ridders' tableau uses a step a quarter as long as the row before, and each column
    removes one more even power of h. The result is the entry that differs least from its two
    neighbours; its error is that difference plus rounding over the step. Ridders (1982).

    At a kink the slopes on the two sides differ by the same amount for all steps that reach it,
    while for a smooth f the difference shrinks with h. Such steps are left out, and so are those
    at which f fails. If no step remains, the error is infinite.

    noise : float, the rounding error of values of f; measured by default
    """
    noise = rounding_noise(f, v, u) if noise is None else noise
    values = np.array([[value(f, v + h * u), value(f, v - h * u)] for h in LADDER])
    bends = np.abs(values.sum(axis=1) - 2 * f(v)) / LADDER
    unclear = 30 * noise / LADDER + 1e-9 * np.abs(values[:, 0] - values[:, 1]) / LADDER
    useless = ~np.isfinite(bends)  # out of the range of f
    useless[1:] |= bends[1:] > np.maximum(0.5 * bends[:-1], unclear[1:])
    first = np.flatnonzero(useless).max(initial=-1) + 1
    best, error, row = (values[-1, 0] - values[-1, 1]) / (2 * LADDER[-1]), np.inf, []
    for h, (ahead, behind) in zip(LADDER[first:], values[first:], strict=True):
        above, row = row, [(ahead - behind) / (2 * h)]
        for j, old in enumerate(above, 1):
            row.append(row[-1] + (row[-1] - old) / (16.0**j - 1))
            apart = max(abs(row[-1] - row[-2]), abs(row[-1] - old)) + noise / h
            if apart < error:  # not for NaN
                best, error = row[-1], apart
    return best, error


def central_difference(f, v):
    """Return the gradient of f at v by `slope`, and the error of each entry."""
    gradient, errors, u = np.empty(v.size), np.empty(v.size), np.zeros(v.size)
    noise = rounding_noise(f, v, np.ones(v.size)) if v.size else 0.0
    for k in range(v.size):
        u[k] = max(1.0, abs(v[k]))
        value, error = slope(f, v, u, noise)
        gradient[k], errors[k] = value / u[k], error / u[k]
        u[k] = 0.0
    return gradient, errors
