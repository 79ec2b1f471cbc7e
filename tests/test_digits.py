"""The synthetic digits: their shapes, their factors, and the effect of each factor."""

import numpy as np
import pytest

from miniae import digits as pen
from miniae.digits import synthetic_digits


@pytest.fixture(scope="module")
def digits():
    return synthetic_digits(1500, seed=1)


def test_digits_have_the_documented_shapes_and_dtypes_and_use_the_whole_range(digits):
    images, labels, factors = digits
    assert images.shape == (1500, 28, 28) and images.dtype == np.float32
    assert labels.shape == (1500,) and labels.dtype == np.int64
    assert images.flags.c_contiguous and images.min() == 0 and images.max() == 1
    assert set(factors) == set(pen._FACTORS)
    assert all(f.shape == (1500,) and f.dtype == np.float64 for f in factors.values())


@pytest.mark.parametrize("n", [1, 7, 257, pytest.param(1003, marks=pytest.mark.slow)])
def test_labels_are_as_balanced_as_n_allows_and_in_random_order(n):
    images, labels, _ = synthetic_digits(n)
    counts = np.bincount(labels, minlength=10)
    assert len(images) == n and counts.max() - counts.min() <= 1
    assert n < 10 or (labels != np.arange(n) % 10).any()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others():
    first, second, other = (synthetic_digits(60, seed=seed) for seed in (5, 5, 6))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()
    assert all(first[2][name].tobytes() == second[2][name].tobytes() for name in first[2])
    assert first[0].tobytes() != other[0].tobytes()


def test_the_global_random_state_is_neither_used_nor_changed():
    np.random.seed(0)
    before = np.random.get_state()[1].tobytes()
    first = synthetic_digits(20)[0]
    assert np.random.get_state()[1].tobytes() == before
    np.random.seed(1)
    assert (synthetic_digits(20)[0] == first).all()


def test_every_digit_is_inked_and_none_is_cut_off_by_the_border(digits):
    images = digits[0]
    assert images.max(axis=(1, 2)).min() > 0.8
    inner = images.copy()
    inner[:, 1:-1, 1:-1] = 0
    assert not inner.any()


def test_every_digit_is_drawn_whole_whatever_the_factors(monkeypatch):
    # At a scale that is too large the digit is made smaller, and the factor is the real scale.
    monkeypatch.setitem(pen._FACTORS, "scale", (2.5, 3))
    images, _, factors = synthetic_digits(500)
    assert not images[:, [0, -1]].any() and not images[:, :, [0, -1]].any()
    assert factors["scale"].max() < 2.5


def test_factors_spread_over_their_ranges(digits):
    factors = digits[2]
    for name in ("slant", "rotation", "aspect", "thickness", "wobble"):
        low, high = pen._FACTORS[name]
        assert low <= factors[name].min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < factors[name].max() <= high


def moments(images):
    """Return ink, centre and second moments of each image: ink, x, y, xx, xy, yy."""
    y, x = np.mgrid[:28, :28]
    ink = images.sum(axis=(1, 2), dtype=float)
    mean_x, mean_y = ((images * axis).sum(axis=(1, 2)) / ink for axis in (x, y))
    dx, dy = x - mean_x[:, None, None], y - mean_y[:, None, None]
    second = ((images * a * b).sum(axis=(1, 2)) / ink for a, b in ((dx, dx), (dx, dy), (dy, dy)))
    return ink, mean_x, mean_y, *second


def correlations(labels, a, b):
    return [np.corrcoef(a[labels == digit], b[labels == digit])[0, 1] for digit in range(10)]


def test_slant_shows_in_the_shear_of_every_digit(digits):
    images, labels, factors = digits
    _, _, _, _, xy, yy = moments(images)
    # A digit that leans right is further right where it is higher (smaller y).
    assert min(correlations(labels, np.tan(np.radians(factors["slant"])), -xy / yy)) > 0.6


def test_thickness_shows_in_the_ink_of_every_digit(digits):
    images, labels, factors = digits
    assert min(correlations(labels, factors["thickness"], moments(images)[0])) > 0.7


def test_shift_shows_in_the_centre_of_every_digit(digits):
    images, labels, factors = digits
    _, x, y, *_ = moments(images)
    assert min(correlations(labels, factors["shift_x"], x)) > 0.75
    assert min(correlations(labels, factors["shift_y"], y)) > 0.75
    assert abs(x.mean() - 13.5) < 0.5 and abs(y.mean() - 13.5) < 0.5


def draw_with(monkeypatch, name, value):
    """Return 300 images whose factor `name` is `value`, and their moments; the seed is fixed."""
    monkeypatch.setitem(pen._FACTORS, name, (value, value))
    images, _, factors = synthetic_digits(300, seed=2)
    assert (factors[name] == value).mean() > 0.95  # a few may be smaller, so that they fit
    return images, moments(images)


def test_a_larger_scale_makes_every_digit_larger(monkeypatch):
    _, (_, _, _, xx, _, yy) = draw_with(monkeypatch, "scale", 0.8)
    _, (_, _, _, xx2, _, yy2) = draw_with(monkeypatch, "scale", 1.0)
    assert np.median(np.sqrt((xx2 + yy2) / (xx + yy))) == pytest.approx(1.25, abs=0.03)


def test_a_larger_aspect_makes_every_digit_wider_and_lower(monkeypatch):
    _, (_, _, _, xx, _, yy) = draw_with(monkeypatch, "aspect", 0.8)
    _, (_, _, _, xx2, _, yy2) = draw_with(monkeypatch, "aspect", 1.2)
    assert (xx2 > xx)[yy > 2 * xx].mean() > 0.9 and (yy2 < yy).mean() > 0.95


def test_a_positive_rotation_turns_clockwise(monkeypatch):
    monkeypatch.setitem(pen._FACTORS, "slant", (0, 0))
    angles = []
    for degrees in (0, 20):
        _, (_, _, _, xx, xy, yy) = draw_with(monkeypatch, "rotation", degrees)
        angles.append(0.5 * np.degrees(np.arctan2(2 * xy, xx - yy)))  # of the longest axis, y down
    turn = (angles[1] - angles[0] + 90) % 180 - 90
    assert np.median(turn) == pytest.approx(20, abs=2)


@pytest.mark.slow
def test_wobble_bends_the_digit_and_none_leaves_it_alone(monkeypatch):
    for name in pen._FACTORS:
        value = 1 if name in ("scale", "aspect") else 2 if name == "thickness" else 0
        monkeypatch.setitem(pen._FACTORS, name, (value, value))
    images, labels, _ = synthetic_digits(300)
    ways = [len(np.unique(images[labels == digit], axis=0)) for digit in range(10)]
    assert ways == [len(digit) for digit in pen._DIGITS]
    bent, _ = draw_with(monkeypatch, "wobble", 1)
    assert len(np.unique(bent, axis=0)) == 300


def test_thickness_is_the_width_of_the_stroke_in_pixels(monkeypatch):
    for name, value in (("slant", 0), ("rotation", 0), ("wobble", 0), ("thickness", 3)):
        monkeypatch.setitem(pen._FACTORS, name, (value, value))
    images, labels, _ = synthetic_digits(200)
    middle_row = images[labels == 1][:, 14]  # across the vertical stroke of the ones
    assert np.abs(middle_row.sum(axis=1) - 3).max() < 0.1


def test_the_mean_pixel_is_that_of_mnist_within_a_tenth(digits):
    assert digits[0].mean() == pytest.approx(0.1307, rel=0.1)


def test_the_nearest_class_mean_recognises_most_digits(digits):
    images, labels, _ = digits
    flat = images.reshape(len(images), -1)
    train, test = slice(0, 1000), slice(1000, None)
    means = np.stack([flat[train][labels[train] == digit].mean(axis=0) for digit in range(10)])
    distance = ((flat[test][:, None] - means) ** 2).sum(axis=2)
    assert (distance.argmin(axis=1) == labels[test]).mean() > 0.82  # MNIST itself gives 0.81


@pytest.mark.parametrize("n", [0, -3])
def test_a_count_below_one_is_refused_with_the_value(n):
    with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
        synthetic_digits(n)


@pytest.mark.parametrize("n", [10.0, "10", None, True])
def test_a_count_that_is_not_an_int_is_refused_with_its_type(n):
    with pytest.raises(TypeError, match=f"n must be an int.*{type(n).__name__}"):
        synthetic_digits(n)


def test_a_numpy_integer_is_a_good_count():
    assert len(synthetic_digits(np.int32(3))[0]) == 3
