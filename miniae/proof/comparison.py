"""A gradient against the derivative of the function that it should be the gradient of.

Two methods have to agree on that derivative: the complex step, exact where the code of the function
keeps the imaginary part, and differences of real values, which tell where it does not.
"""

import numpy as np

from miniae.proof.differences import (
    attempt,
    central_difference,
    complex_slope,
    complex_step,
    discards,
    rounding_noise,
    slope,
)
from miniae.proof.report import SAFETY

KINKS = 500  # entries that are looked at for a kink, at the most


def direction(sizes, blocks, seed):
    """Return a random direction along which blocks of gradients of such sizes count alike."""
    rng, u = np.random.default_rng(seed), np.zeros(sizes.size)
    largest = sizes.max(initial=0)
    for here, _ in blocks.values():
        size = max(sizes[here].max(initial=0), 1e-3 * largest) or 1.0
        u[here] = rng.standard_normal(here.stop - here.start) / size
    u /= np.abs(u).max(initial=0) or 1.0
    return u * min(1.0, 3 / (np.linalg.norm(u) or 1.0))


def compare(report, f, v, blocks, gradient, seed):
    """Fill a report: `gradient` at v against what the report's method finds of f.

    Returns the numeric gradient, or None for projections.
    """
    if report.method == "projection":
        return compare_projections(report, f, v, blocks, gradient, seed)
    numeric, errors = None, np.zeros(v.size)
    if report.method == "complex step":
        numeric = attempt(lambda: complex_step(f, v), None)
        confirmed = numeric is not None and agrees(f, v, numeric, gradient, blocks, seed)
        if confirmed is None:
            errors = kink_errors(f, v, numeric, gradient, report.tolerance)
        if confirmed is False or errors is None:
            report.method = "central difference"
    if report.method == "central difference":
        numeric, errors = central_difference(f, v)
        report.kinks = crossed(f, v, np.isinf(errors))
    largest = np.abs(numeric).max(initial=0)
    for name, (here, shape) in blocks.items():
        parts = (a[here].reshape(shape) for a in (gradient, numeric, errors))
        report.compare(name, *parts, largest=largest)
    return numeric


def kink_errors(f, v, numeric, gradient, tolerance):
    """Return inf for entries where the two gradients differ because f has a kink there, else 0.

    There a gradient is a matter of taste: at x = 0 the slope of a ReLU may be 0 or 1. None if a
    difference refutes the complex step at such an entry.
    """
    errors = np.zeros(v.size)
    scale = max(np.abs(numeric).max(initial=0), np.abs(gradient).max(initial=0))
    differ = np.flatnonzero(~(np.abs(gradient - numeric) <= tolerance * scale))
    for k in differ[:KINKS]:
        u = np.zeros(v.size)
        u[k] = max(1.0, abs(v[k]))
        found, error = slope(f, v, u, rounding_noise(f, v, u))
        if np.isinf(error):
            errors[k] = np.inf
        elif abs(found - numeric[k] * u[k]) > SAFETY * error + tolerance * scale * u[k]:
            return None
    return errors


def agrees(f, v, numeric, gradient, blocks, seed):
    """Tell whether differences of real values confirm a complex-step gradient; None at a kink.

    Along a random direction the two slopes must differ by no more than the difference's error.
    The direction gives all blocks a similar part in the slope, so that none is drowned.
    """
    sizes = np.maximum(np.abs(numeric), np.abs(gradient))
    for u in (direction(sizes, blocks, seed + i) for i in range(3)):
        here, error = slope(f, v, u, rounding_noise(f, v, u))
        rounding = 1e-12 * (np.abs(numeric) @ np.abs(u))
        if np.isfinite(error):
            return bool(abs(numeric @ u - here) <= SAFETY * error + rounding)
    return False if discards(f, v) else None  # differences have no say


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
    else:
        for name, U in directions.items():
            off = np.abs(U @ gradient[blocks[name][0]] - slopes[name][0])
            for k in np.flatnonzero(
                off > report.tolerance * np.abs(slopes[name][0]).max(initial=0)
            ):
                u = within(name, U[k])
                if np.isinf(slope(f, v, u, rounding_noise(f, v, u))[1]):
                    slopes[name][1][k] = np.inf  # a kink
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
