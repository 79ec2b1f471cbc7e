"""Does the complex step give the right derivative? A second method must agree with it.

The complex step is exact where the code of the function keeps the imaginary part. Differences of
real values show where it does not. `compare_projections` does the same for random directions.
"""

import numpy as np

from miniae.proof.differences import complex_slope, discards, slope
from miniae.proof.report import SAFETY

KINKS = 500  # the largest number of entries that are tested for a kink


def direction(sizes, blocks, seed):
    """Return a random direction in which all blocks count alike.

    sizes : the size of each entry of the gradient
    """
    rng, u = np.random.default_rng(seed), np.zeros(sizes.size)
    largest = sizes.max(initial=0)
    for here, _ in blocks.values():
        size = max(sizes[here].max(initial=0), 1e-3 * largest) or 1.0
        u[here] = rng.standard_normal(here.stop - here.start) / size
    u /= np.abs(u).max(initial=0) or 1.0
    return u * min(1.0, 3 / (np.linalg.norm(u) or 1.0))


def kink_errors(f, v, numeric, differ, tolerance):
    """Return inf for the entries that `differ` because f has a kink there, and 0 for the others.

    At a kink the gradient is a convention: at x = 0 the slope of a ReLU may be 0 or 1. Returns
    None if a difference refutes the complex step at such an entry.
    """
    errors = np.zeros(v.size)
    largest = np.abs(numeric).max(initial=0)
    for k in np.flatnonzero(differ)[:KINKS]:
        u = np.zeros(v.size)
        u[k] = max(1.0, abs(v[k]))
        found, error = slope(f, v, u)
        if np.isinf(error):
            errors[k] = np.inf
        elif abs(found - numeric[k] * u[k]) > SAFETY * error + tolerance * largest * u[k]:
            return None
    return errors


def agrees(f, v, numeric, gradient, blocks, seed):
    """Return whether differences of real values confirm a complex-step gradient; None at a kink.

    Along a random direction the two slopes may differ by no more than the error of the difference.
    Every block has a similar share in this slope, so that an error in a small one shows.
    """
    sizes = np.maximum(np.abs(numeric), np.abs(gradient))
    for u in (direction(sizes, blocks, seed + i) for i in range(3)):
        here, error = slope(f, v, u)
        rounding = 1e-12 * (np.abs(numeric) @ np.abs(u))
        if np.isfinite(error):
            return bool(abs(numeric @ u - here) <= SAFETY * error + rounding)
    return False if discards(f, v) else None  # differences cannot decide


def compare_projections(report, f, v, blocks, gradient, seed):
    """Add to the report the slopes along two random directions within each block."""
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
    # The slope along all blocks at once is the sum of theirs: one difference checks them all.
    found = np.array([exact for exact, _ in slopes.values()])
    together = np.concatenate(list(directions.values()), axis=1) if directions else np.zeros((2, 0))
    for u, exact, size in zip(together, found.sum(axis=0), np.abs(found).sum(axis=0), strict=True):
        real, error = slope(f, v, u)
        if np.isinf(error):
            refuted = discards(f, v)
        else:
            refuted = abs(exact - real) > SAFETY * error + 1e-12 * size or np.isnan(exact)
        if refuted:
            report.method = "projection by differences"
    if report.method != "projection":
        for name, U in directions.items():
            lines = [within(name, u) for u in U]
            pairs = [slope(f, v, line) for line in lines]
            slopes[name] = np.array(pairs).T
    else:
        for name, U in directions.items():
            off = np.abs(U @ gradient[blocks[name][0]] - slopes[name][0])
            for k in np.flatnonzero(
                off > report.tolerance * np.abs(slopes[name][0]).max(initial=0)
            ):
                u = within(name, U[k])
                if np.isinf(slope(f, v, u)[1]):
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
    """Return, by layer, how many ReLU units change sign near v along the undecided entries."""
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
