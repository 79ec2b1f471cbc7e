"""Images of discs, whose factors are all easy to see and independent."""

import numpy as np

RANGES = {"x": (-6, 6), "y": (-6, 6), "radius": (3, 8), "brightness": (0.3, 1)}


def discs(n, seed=0):
    """Draw n discs, with the contract of `miniae.datasets.synthetic_digits`.

    Returns
    -------
    images : float32, (n, 28, 28), in [0, 1]
    labels : int64, (n,), all 0: there is one class
    factors : dict of float64, each (n,) and uniform: "x" and "y" of the centre, to the right and
        down, and "radius", in pixels; "brightness" of the disc
    """
    rng = np.random.default_rng(seed)
    factors = {name: rng.uniform(*limits, n) for name, limits in RANGES.items()}
    x, y, radius, brightness = (values[:, None, None] for values in factors.values())
    pixel = np.arange(28) - 13.5
    distance = np.hypot(pixel - x, pixel[:, None] - y)
    images = brightness * np.clip(radius + 0.5 - distance, 0, 1)
    return images.astype(np.float32), np.zeros(n, np.int64), factors
