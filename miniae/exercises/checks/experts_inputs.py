"""The inputs of the checks of the product of Gaussian experts, and the comparison."""

import numpy as np

from miniae.exercises.questions import FORMULAS, Wrong, numbers, unpack

NAN = " (absent experts have NaN)"
AXES = "lacks an axis, and NumPy pairs it with samples and latents: use present[:, :, None]"
EQUAL_SIZES = {  # these give a number only if m = n = d
    "present_lacks_axis": (f"present (m, n) {AXES}", {"mask": lambda v: v.present}),
    "present_axis_in_middle": (
        "present[:, None] puts the new axis in the middle: use present[:, :, None]",
        {"mask": lambda v: v.present[:, None]},
    ),
    "present_is_transposed": (
        "present is transposed: its rows are the experts",
        {"mask": lambda v: v.present.T[:, :, None]},
    ),
}


def draw(ask, m, n, d, counts):
    """Return mus, log_vars (m, n, d) and present (m, n), with counts[j] experts for sample j."""
    mus, log_vars = ask.rng.standard_normal((2, m, n, d))
    return mus, log_vars, ask.rng.permuted(np.arange(m)[:, None] < counts, axis=0)


def equal_sizes(ask):
    """Return what `draw` returns for m = n = d; one expert is always present, one never.

    log_vars are so small that a total precision without exp is positive, and has a log.
    """
    m = n = d = int(ask.rng.choice([4, 5]))
    counts = ask.rng.permutation(np.arange(n) % (m - 1))
    *_, others = draw(ask, m - 2, n, d, counts)
    present = np.vstack([others[:1], np.full((1, n), True), np.full((1, n), False), others[1:]])
    return ask.rng.standard_normal((m, n, d)), ask.rng.uniform(0.05, 0.2, (m, n, d)), present


def sizes_of(mus):
    """Return the sizes by name; if all are equal, nobody can tell them apart, so one name."""
    m, n, d = mus.shape
    return {"m_or_n": m} if m == n == d else {"m": m, "n": n, "d": d}


def other_sizes(ask, fewest=1):
    """Return what `draw` returns for m, n, d that differ; a sample has `fewest` experts or more."""
    m, n, d = ask.rng.permutation([3, 4, 5]).tolist()
    return draw(ask, m, n, d, ask.rng.permutation(fewest + np.arange(n) % (m + 1 - fewest)))


def nobody(ask):
    """Return what `draw` returns; no expert is present."""
    mus, log_vars, present = other_sizes(ask)
    return mus, log_vars, np.full(present.shape, False)


def with_nan(ask):
    """Return what `draw` returns, with NaN for absent experts; one sample has no expert."""
    mus, log_vars, present = other_sizes(ask, fewest=0)
    mus[~present] = log_vars[~present] = np.nan
    return mus, log_vars, present


def extreme(ask):
    """Return mus, log_vars near -1000 and 1000, and present; all experts are present.

    For the first sample no expert knows anything, so a clipped log_vars shows where it is clipped.
    """
    mus, log_vars, present = other_sizes(ask)
    signs = ask.rng.choice([-1, 1], log_vars.shape)
    signs[:, 0] = 1
    log_vars += 1000 * signs
    return mus, log_vars, np.full(present.shape, True)


def product(mus, log_vars, present):
    """Return mu and log_var of the product, for any log_vars."""
    log_T = np.where(present[:, :, None], -log_vars, -np.inf)
    log_total = np.logaddexp.reduce(log_T, axis=0, initial=0)
    weights = np.exp(log_T - log_total)
    mu = (weights * np.where(present[:, :, None], mus, 0)).sum(axis=0)
    return {"mu": mu, "log_var": -log_total}


def cases(ask, slips):
    """Yield a description, the inputs and the slips that show there.

    First all sizes are equal, so that a wrong axis gives a number; last, numbers overflow.
    """
    yield "", equal_sizes(ask), slips | EQUAL_SIZES
    yield "", other_sizes(ask), slips
    yield " (no expert is present)", nobody(ask), {}
    yield NAN, with_nan(ask), {}
    yield " (log_vars near -1000 and 1000)", extreme(ask), {}


def compare_case(ask, got, right, mistakes, description, formulas=()):
    """Compare the answers, with the description of the inputs in their names.

    `formulas` has the steps for each name, and what they start from; see `edits.explain`.
    """
    for name, steps, given in formulas:
        if not description:
            mistakes[name][FORMULAS] = [(steps, given)]
    right, mistakes = (
        {f"{name}{description}": value for name, value in values.items()}
        for values in (right, mistakes)
    )
    if description == NAN:
        for name, value in zip(right, unpack(got, right), strict=True):
            if not np.isfinite(numbers(value, name)).all():
                raise Wrong(
                    f"{name} is not finite: 0 * NaN is NaN, so select with np.where", "not_finite"
                )
    ask.equal(got, right, mistakes)
