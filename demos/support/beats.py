"""A periodic signal with faults whose places are known."""

import numpy as np

KINDS = ("spike", "too fast", "constant", "no low wave", "noisy")


def beats(n, rng, kinds=()):
    """Return a signal of n samples with a fault of each kind in turn, and the faults' slices.

    Each beat has a high pulse and a low wave. Rate and height vary slowly, and there is noise.
    """
    knots = np.arange(0, n + 200, 200)
    wander = [np.interp(np.arange(n), knots, rng.uniform(-1, 1, len(knots))) for _ in range(2)]
    rate, height, low = 1 + 0.15 * wander[0], 1 + 0.2 * wander[1], np.full(n, 0.35)
    starts = 500 * np.arange(len(kinds)) + rng.integers(200, 400, len(kinds))
    faults = [slice(a, a + (1 if k == "spike" else 80)) for k, a in zip(kinds, starts, strict=True)]
    for kind, here in zip(kinds, faults, strict=True):
        if kind == "too fast":
            rate[here] *= 1.5
        elif kind == "no low wave":
            low[here] = 0
    phase = (np.cumsum(rate) / 40 + rng.random()) % 1  # a beat takes 40 samples on average
    waves = ((1, 0.3, 0.05), (-0.3, 0.42, 0.04), (low, 0.7, 0.08))  # height, place, width
    x = height * sum(h * np.exp(-(((phase - at) / w) ** 2) / 2) for h, at, w in waves)
    for kind, here in zip(kinds, faults, strict=True):
        if kind == "spike":
            x[here] += rng.choice([-0.6, 0.6])
        elif kind == "constant":
            x[here] = x[here.start]
        elif kind == "noisy":
            x[here] += 0.15 * rng.standard_normal(80)
    return x + 0.05 * rng.standard_normal(n), faults
