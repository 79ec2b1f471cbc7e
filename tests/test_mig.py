"""Mutual information of latents and factors, and its gap, where the true values are known."""

import itertools

import numpy as np
import pytest

from miniae import metrics
from miniae.metrics import mutual_information, mutual_information_gap


def normal(n, correlation, rng):
    """Return two normal columns (n, 1) with this correlation."""
    a, b = rng.standard_normal((2, n, 1))
    return a, correlation * a + np.sqrt(1 - correlation**2) * b


def rotated(angle, x):
    cos, sin = np.cos(angle), np.sin(angle)
    return x @ np.array([[cos, sin], [-sin, cos]])


def test_latents_that_are_the_factors_have_the_entropy_of_the_factors_and_a_gap_of_one():
    factors = np.random.default_rng(0).random((4000, 3))
    Z = np.column_stack([np.exp(factors[:, 2]), -factors[:, 0], factors[:, 1] ** 3])
    information = mutual_information(Z, factors)
    # 20 intervals of 200 samples each, and Miller's 19 / (2 n), exact but for rounding
    entropy = np.log(20) + 19 / 8000
    matches = [(0, 2), (1, 0), (2, 1)]
    assert [information[match] for match in matches] == pytest.approx([entropy] * 3, rel=1e-12)
    others = [information[pair] for pair in itertools.product(range(3), repeat=2)
              if pair not in matches]  # fmt: skip
    # 361 / (2 n) = 0.045 without the correction; the sample's own spread is sqrt(2 * 361) / (2 n)
    assert np.abs(others).max() < 4 * 26.9 / 8000
    assert mutual_information_gap(Z, factors) == pytest.approx(1, abs=4 * 26.9 / 8000 / 3)


def test_discrete_columns_agree_with_an_enumeration_of_all_combinations():
    # two fair dice of 3 and 4 faces and a coin; the latents are functions of them
    grid = np.array(list(itertools.product(range(3), range(4), range(2))))
    a, b, c = grid.T
    Z = np.column_stack([a + c, b == 3, (a + b) % 2, np.zeros(24)])
    p = 1 / 24

    def enumerated(x, y):
        total = 0.0
        for u, v in set(zip(x, y, strict=True)):
            both, one, other = (p * w.sum() for w in ((x == u) & (y == v), x == u, y == v))
            total += both * np.log(both / (one * other))
        return total

    exact = np.array([[enumerated(z, f) for f in grid.T] for z in Z.T])
    n = 24 * 1000
    cells = [[len(set(zip(z, f, strict=True))) for f in grid.T] for z in Z.T]
    correction = np.array([4, 2, 2, 1])[:, None] + np.array([3, 4, 2]) - 1 - np.array(cells)
    found = mutual_information(np.tile(Z, (1000, 1)), np.tile(grid, (1000, 1)))
    assert np.abs(found - exact - correction / (2 * n)).max() < 1e-13
    # by hand: a + c has H = log 6 - (4 / 6) log 2 over 4 values, b == 3 has the entropy of 1 / 4
    assert exact[0, 0] == pytest.approx(np.log(6) - 2 / 3 * np.log(2) - np.log(2), rel=1e-13)
    assert exact[1, 1] == pytest.approx(np.log(4) - 0.75 * np.log(3), rel=1e-13)
    second, best = np.sort(exact, axis=0)[-2:]
    gap = ((best - second) / np.log([3, 4, 2])).mean()
    found = mutual_information_gap(np.tile(Z, (1000, 1)), np.tile(grid, (1000, 1)))
    assert found == pytest.approx(gap, abs=20 / (2 * n))


def test_the_gap_falls_from_one_to_zero_as_two_factors_are_rotated_by_45_degrees():
    factors = np.random.default_rng(1).uniform(-1, 1, (20_000, 2))
    gaps = [mutual_information_gap(rotated(np.pi * t / 180, factors), factors)
            for t in (0, 10, 20, 30, 40, 45)]  # fmt: skip
    assert gaps[0] > 0.995 and gaps[-1] < 0.01
    assert all(one > other for one, other in itertools.pairwise(gaps))
    assert mutual_information_gap(rotated(np.pi / 2, factors), factors) > 0.995


def test_the_gap_of_two_normal_latents_is_the_closed_form_that_the_bins_leave():
    # I(a; b) = -log(1 - r^2) / 2. With few bins less is found: the limit for r = 0.9 from 2e6 draws
    known = {5: 0.6025, 10: 0.7280, 20: 0.7856}
    a, b = normal(20_000, 0.9, np.random.default_rng(2))
    found = [mutual_information(a, b, bins=bins)[0, 0] for bins in known]
    assert found == pytest.approx(list(known.values()), abs=0.02)
    assert all(np.diff(found) > 0) and found[-1] < -np.log(1 - 0.81) / 2


@pytest.mark.parametrize(("n", "bins"), [(2000, 20), (500, 10), (125, 5)])
def test_independent_columns_share_about_nothing_even_with_the_fewest_rows_allowed(n, bins):
    rng = np.random.default_rng(3)
    shared = mutual_information(rng.random((n, 15)), rng.standard_normal((n, 15)), bins)
    assert shared.min() < 0 < shared.max()
    assert abs(shared.mean()) < 0.01 < 0.7 * (bins - 1) ** 2 / (2 * n)  # the uncorrected bias


def test_noise_has_a_gap_of_almost_nothing_and_so_has_a_collapsed_code():
    rng = np.random.default_rng(4)
    factors = rng.random((2000, 5))
    gap = mutual_information_gap(rng.standard_normal((2000, 10)), factors)
    assert 0 <= gap < 0.006
    assert mutual_information_gap(np.zeros((2000, 3)), factors) == pytest.approx(0, abs=1e-12)


def test_noise_latents_beside_a_true_one_do_not_lower_the_gap():
    rng = np.random.default_rng(5)
    factor = rng.random((2000, 1))
    gap = mutual_information_gap(np.hstack([factor, rng.random((2000, 8))]), factor)
    assert gap == pytest.approx(1, abs=0.012)


def test_a_factor_that_two_latents_share_has_no_gap_and_one_that_one_latent_has_a_whole_one():
    factors = np.random.default_rng(6).random((4000, 2))
    Z = factors[:, [0, 0, 1]]
    assert mutual_information_gap(Z, factors) == pytest.approx(0.5, abs=0.01)
    assert mutual_information_gap(Z, factors[:, :1]) == 0


def test_units_order_and_sign_of_the_columns_do_not_matter():
    rng = np.random.default_rng(7)
    factors = rng.random((2000, 3))
    Z = factors @ rng.standard_normal((3, 4)) + 0.1 * rng.standard_normal((2000, 4))
    before = mutual_information_gap(Z, factors)
    changed = (np.exp(Z) * 1e-3)[:, ::-1]  # sums of the same terms in another order: rounding only
    assert mutual_information_gap(changed, factors[:, ::-1]) == pytest.approx(before, rel=1e-12)
    order = rng.permutation(2000)
    assert mutual_information_gap(Z[order], factors[order]) == pytest.approx(before, rel=1e-12)


def test_ties_are_never_divided_and_few_values_are_kept_apart():
    rng = np.random.default_rng(8)
    half = np.maximum(rng.standard_normal((4000, 1)), 0)  # as a ReLU code: half of it is 0
    is_on = half > 0
    assert mutual_information(half, is_on)[0, 0] == pytest.approx(np.log(2), abs=0.01)
    rare = rng.random((4000, 1)) < 0.003  # rarer than a twentieth
    p = rare.mean()
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p) + 1 / 8000
    assert mutual_information(rare * 2.5, rare)[0, 0] == pytest.approx(entropy, rel=1e-12)


def test_uncorrected_counts_agree_with_scikit_learn():
    theirs = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(9)
    a = rng.integers(0, 4, 600)
    b = (a + rng.integers(0, 3, 600)) % 5
    cells = [len(np.unique(x)) for x in (a, b, 5 * a + b)]
    correction = (cells[0] + cells[1] - 1 - cells[2]) / 1200
    found = mutual_information(a[:, None], b[:, None])[0, 0] - correction
    assert found == pytest.approx(theirs.mutual_info_score(a, b), rel=1e-12)


def test_what_does_not_fit_is_refused_and_says_what_to_do():
    rng = np.random.default_rng(10)
    Z, factors = rng.random((2000, 3)), rng.random((2000, 2))
    with pytest.raises(ValueError, match=r"too few for a table of 20 x 20 .*2000.*bins=20"):
        metrics.mutual_information(Z[:1999], factors[:1999])
    assert metrics.mutual_information(Z[:1999], factors[:1999] > 0.5).shape == (3, 2)
    with pytest.raises(ValueError, match=r"Z has shape \(2000,\).*Z\[:, None\]"):
        metrics.mutual_information(Z[:, 0], factors)
    with pytest.raises(ValueError, match="2000 rows and factors 1990"):
        metrics.mutual_information(Z, factors[:1990])
    with pytest.raises(ValueError, match="at least 2"):
        metrics.mutual_information_gap(Z[:, :1], factors)
    with pytest.raises(ValueError, match="column 1 has one value"):
        metrics.mutual_information_gap(Z, np.column_stack([factors[:, 0], np.ones(2000)]))
    for bins in (1, 2.5, True, "20"):
        with pytest.raises(ValueError, match="bins="):
            metrics.mutual_information(Z, factors, bins)
    for wrong in (np.nan, np.inf):
        broken = factors.copy()
        broken[3, 1] = wrong
        with pytest.raises(ValueError, match="factors has entries that are NaN or inf"):
            metrics.mutual_information(Z, broken)
    with pytest.raises(ValueError, match="factors must be numbers, got <U5"):
        metrics.mutual_information(Z, np.full((2000, 1), "slant"))
