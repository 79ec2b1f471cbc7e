"""Linear models: Baldi and Hornik (1989), Lucas et al. (2019)."""

from itertools import combinations

import numpy as np
import pytest
from reproduction import EPS, paper_table

from miniae.proof.oracles import PCA

pytestmark = pytest.mark.demo


def skewed(seed, n=60, features=7):
    """Rows with variances that all differ, and with correlations."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, features)) * np.geomspace(2, 0.5, features)
    X = X @ np.linalg.qr(rng.standard_normal((features, features)))[0]
    return X - X.mean(axis=0)


def test_few_points_stand_for_the_mean_and_the_covariance_of_the_data(script):
    X = skewed(0) + 3.0
    points = script("linear_models").same_moments(X)
    assert points.shape == (14, 7)
    scale = np.abs(X).max() ** 2
    assert np.abs(points.mean(axis=0) - X.mean(axis=0)).max() < 100 * EPS * scale
    assert np.abs(np.cov(points.T, bias=True) - np.cov(X.T, bias=True)).max() < 100 * EPS * scale


def test_each_set_of_components_is_a_critical_point_with_the_curvatures_of_theory(script):
    module, X = script("linear_models"), skewed(1)
    model, pca = module.linear_autoencoder(X, seed=0), PCA(7).fit(X)
    sets = [kept for size in range(module.CODE + 1) for kept in combinations(range(7), size)]
    for kept in sets[::20]:  # five of 99
        module.keep(model, pca.components_[list(kept)])
        left_out = pca.variances_.sum() - pca.variances_[list(kept)].sum()
        assert model.evaluate(X) == pytest.approx(left_out, rel=1e3 * EPS)
        slope = np.abs(module.gradient(model, model.theta.copy(), X)).max()
        assert slope < 1e3 * EPS * pca.variances_[0]
        found = module.curvatures(model, X)
        # The others are 0, to rounding, or no smaller than a difference of two variances.
        counted = (found < -1e-9 * found.max()).sum()
        assert counted == module.negative_by_theory(kept, pca.variances_)


@pytest.mark.slow
def test_linear_models_quick_agree_with_theory_to_rounding(run_quick):
    done = run_quick("linear_models")
    table = paper_table(done.text)
    worst = [ours for paper, ours in table.values() if paper == "0" and "e" in ours]
    assert len(worst) >= 8 and max(map(float, worst)) < 1e-6
    exact = [(paper, ours) for paper, ours in table.values() if "." in paper or paper.isdigit()]
    assert all(paper == ours for paper, ours in exact if "e" not in ours)
    assert done.pictures == {"linear_models"}
