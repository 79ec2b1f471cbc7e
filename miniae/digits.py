"""Synthetic digits that look like handwriting: the data set that needs no file."""

import numpy as np

from miniae.plumbing.foreign import explains
from miniae.plumbing.glossary import DIGITS

# Ways of writing each digit: pen positions "x,y" in a box of 100 by 100 (x right, y down). A smooth
# curve goes through them. "/" starts a new stroke, after a corner or when the pen is lifted.
_DIGITS = (
    ("50,0 25,13 13,50 25,87 50,100 75,87 87,50 75,13 50,0",
     "62,5 36,6 16,44 24,88 50,100 80,76 84,36 66,4 40,10"),
    ("50,0 50,50 50,100", "52,0 50,50 47,100",
     "28,24 54,0 / 54,0 54,100", "30,22 52,0 / 52,0 52,100 / 26,100 78,100"),
    ("14,24 28,5 52,0 76,12 78,34 56,64 14,98 / 14,98 50,95 90,98",
     "16,22 34,3 60,1 78,20 68,50 40,84 18,96 10,84 26,76 56,90 92,94"),
    ("18,10 46,0 74,8 76,30 42,47 / 42,47 76,56 86,80 58,100 14,90",
     "16,14 40,0 72,8 70,34 48,46 / 48,46 82,62 76,90 44,100 12,84"),
    ("20,2 16,36 22,54 50,56 80,50 / 80,4 76,50 70,100",
     "62,0 36,32 10,66 / 10,66 50,66 92,64 / 62,0 62,50 60,100"),
    ("82,2 54,2 30,4 / 30,4 26,24 22,44 / 22,44 50,36 78,52 78,84 46,100 12,90",
     "34,4 28,26 24,46 / 24,46 54,38 80,58 72,90 40,100 12,88 / 34,4 60,3 86,0"),
    ("68,0 38,24 18,64 30,96 58,98 78,76 64,52 38,56 20,78",
     "56,0 30,30 20,72 40,100 70,90 74,64 50,54 24,74"),
    ("12,8 46,6 84,4 / 84,4 58,46 42,100", "12,22 14,8 / 14,8 48,8 82,4 / 82,4 66,44 50,100",
     "12,8 46,6 84,4 / 84,4 58,46 42,100 / 34,54 56,52 80,50"),
    ("76,18 54,0 28,10 30,34 64,58 78,82 50,100 24,84 36,58 70,36 76,18",
     "50,46 26,28 36,4 64,2 76,22 50,46 24,72 34,96 62,98 78,76 50,46"),
    ("78,22 52,0 24,14 20,40 46,52 70,40 78,22 / 78,22 76,60 68,100",
     "78,24 56,0 26,12 20,38 46,52 70,42 78,24 / 78,24 80,66 60,96 26,92"),
)  # fmt: skip
_FACTORS = {  # each drawn uniformly from its range
    "slant": (-15, 35), "rotation": (-8, 8), "scale": (0.85, 1.1), "aspect": (0.8, 1.25),
    "shift_x": (-1, 1), "shift_y": (-1, 1), "thickness": (1.4, 3.5), "wobble": (0, 1.2),
}  # fmt: skip
_HEIGHT = 17.0  # pixels from pen position 0 to 100; with the ink about 20, as in MNIST
_SEGMENTS = 28  # straight pieces per digit, each about 2 pixels long


@explains(DIGITS)
def synthetic_digits(n, seed=0):
    """Draw `n` digits that look like handwriting, and return the factors of each image.

    Every image starts with a pen path from a small table, with two or more ways of writing each
    digit. The path is bent by two slow random waves, stretched, slanted, rotated and shifted, and
    then drawn with a round pen. Size, mean ink and slant are close to MNIST's. 10,000 images take
    about a second.

    Parameters
    ----------
    n : int
        Number of images, at least 1.
    seed : int
        The same seed and `n` give the same arrays; NumPy's global random state is not used.

    Returns
    -------
    images : float32, (n, 28, 28)
        0 is paper, 1 is full ink. The pixels at the border are always 0.
    labels : int64, (n,)
        0 to 9 in random order; the counts of two digits differ by at most 1.
    factors : dict of float64, each (n,)
        "slant": degrees, positive leans right; "rotation": degrees, positive is clockwise;
        "scale": 1 is about 20 pixels high; "aspect": width over height, 1 as in the table;
        "shift_x", "shift_y": pixels from the centre of the image to the centre of the path, to
        the right and down; "thickness": pixels, the diameter of the pen; "wobble": pixels, the
        root mean square of the bend in x and in y.

    Raises
    ------
    TypeError, ValueError
        If `n` is not an int, or is below 1.
    """
    if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)):
        raise TypeError(
            f"n must be an int, got {n!r} ({type(n).__name__}); pass n=1000, for example"
        )
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}; pass n=1000, for example")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.int64) % 10)
    factors = {name: rng.uniform(*limits, n) for name, limits in _FACTORS.items()}
    ways = np.array([len(digit) for digit in _DIGITS])
    paths = np.stack([_pen_path(way) for digit in _DIGITS for way in digit])
    which = (np.cumsum(ways) - ways)[labels] + rng.integers(ways[labels])
    # Each wave has up to 0.7 cycles per height of a digit along x and along y.
    waves = rng.uniform(-0.7, 0.7, (n, 2, 2, 2)) * (2 * np.pi / _HEIGHT)
    phases = rng.uniform(0, 2 * np.pi, (n, 2, 1, 1, 2))
    images = np.empty((n, 28, 28), np.float32)
    for start in range(0, n, 256):  # limits the memory; larger blocks are not faster
        part = slice(start, start + 256)
        views = {name: values[part] for name, values in factors.items()}
        path = _pose(paths[which[part]], views, waves[part], phases[part])
        images[part] = _ink(path, views["thickness"])
    return images, labels, factors


def _pen_path(way):
    """Return one way of writing as straight pieces (_SEGMENTS, 2, 2): [piece, end, xy]."""
    curves, travelled = [], []
    for stroke in way.split("/"):
        points = np.array([pair.split(",") for pair in stroke.split()], dtype=float)
        points = (points - 50) * (_HEIGHT / 100)
        before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
        if (points[0] == points[-1]).all():  # a closed loop is smooth at its start
            before, after = points[-2], points[1]
        p = np.vstack([before, points, after])
        # Catmull and Rom's (1974) cubic from b to c, with slopes (c - a) / 2 and (d - b) / 2.
        a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
        t = np.linspace(0, 1, 24)[:, None]
        cubic = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        curves.append(cubic.reshape(-1, 2))
        travelled.append(np.append(0, np.hypot(*np.diff(curves[-1], axis=0).T).cumsum()))
    lengths = np.array([s[-1] for s in travelled])
    pieces = np.maximum(1, np.rint(_SEGMENTS * lengths / lengths.sum()).astype(int))
    pieces[lengths.argmax()] += _SEGMENTS - pieces.sum()  # so that the sum is exact
    path = []
    for curve, s, k in zip(curves, travelled, pieces, strict=True):
        even = np.linspace(0, s[-1], k + 1)
        ends = np.stack([np.interp(even, s, curve[:, 0]), np.interp(even, s, curve[:, 1])], axis=1)
        path.append(np.stack([ends[:-1], ends[1:]], axis=1))
    return np.concatenate(path)


def _pose(path, factors, waves, phases):
    """Bend and place paths (m, _SEGMENTS, 2, 2); change `factors` where a path is too large."""
    # The sum of two sines with independent phases has mean square 1: the wobble is the rms.
    bend = sum(np.sin(path @ waves[:, j, None] + phases[:, j]) for j in (0, 1))
    path = path + factors["wobble"][:, None, None, None] * bend
    wide = factors["scale"] * np.sqrt(factors["aspect"])
    tall = factors["scale"] / np.sqrt(factors["aspect"])
    lean = -np.tan(np.radians(factors["slant"])) * tall  # y points down, so up is negative
    cos, sin = np.cos(np.radians(factors["rotation"])), np.sin(np.radians(factors["rotation"]))
    # Row 0 is where the x unit vector goes, row 1 the y one: first stretch and slant, then rotate.
    matrix = np.array(
        [[wide * cos, wide * sin], [lean * cos - tall * sin, lean * sin + tall * cos]]
    )
    path = path @ matrix.transpose(2, 0, 1)[:, None]
    path -= path.mean(axis=(1, 2), keepdims=True)
    reach = 12.99 - factors["thickness"] / 2  # the largest distance that keeps the border white
    low, high = path.min(axis=(1, 2)), path.max(axis=(1, 2))
    fit = np.minimum(1, 2 * reach / (high - low).max(axis=1))  # below 1 for one image in 300
    factors["scale"] *= fit
    for axis, name in enumerate(("shift_x", "shift_y")):
        shift, edges = factors[name], (fit * low[:, axis], fit * high[:, axis])
        np.clip(shift, -reach - edges[0], reach - edges[1], out=shift)
    shift = np.stack([factors["shift_x"], factors["shift_y"]], axis=1)
    # The image centre lies between pixels 13 and 14.
    return path * fit[:, None, None, None] + (shift + 13.5)[:, None, None]


def _ink(path, thickness):
    """Return the ink (m, 28, 28) of a round pen: 1 inside, 0 outside, linear at the edge."""
    # The images are along the last axis, so that each operation below works on long rows.
    path = path.astype(np.float32).transpose(1, 2, 3, 0)
    pixel = np.arange(28, dtype=np.float32)[:, None]
    nearest = np.full((28, 28, path.shape[-1]), np.inf, np.float32)  # squared distances [y, x]
    for (ax, ay), (bx, by) in path:
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy + np.float32(1e-12)
        x, y = pixel - ax, pixel - ay
        # The nearest point of a piece is a + t (b - a), with t clipped to [0, 1], and
        # |p - a - t (b - a)|^2 = |p - a|^2 - |b - a|^2 t (2 t_unclipped - t).
        t = (y * (dy / length2))[:, None] + (x * (dx / length2))[None]
        gain = 2 * t
        np.clip(t, 0, 1, out=t)
        gain -= t
        gain *= t
        gain *= length2
        distance2 = (y * y)[:, None] + (x * x)[None]
        distance2 -= gain
        np.minimum(nearest, distance2, out=nearest)
    distance = np.sqrt(np.maximum(nearest, 0, out=nearest), out=nearest)  # rounding may give -1e-6
    ink = (thickness / 2 + 0.5).astype(np.float32) - distance
    return np.clip(ink, 0, 1, out=ink).transpose(2, 0, 1)
