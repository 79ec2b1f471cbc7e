"""Kingma and Welling (2014)."""

from itertools import pairwise

import numpy as np
import pytest
from demo_runs import load, quick
from reproduction import choose

pytestmark = pytest.mark.demo


@pytest.fixture
def kingma():
    with load("kingma_2014") as module:
        return module


def test_adagrad_divides_by_the_root_of_all_squares_so_far(kingma):
    rng = np.random.default_rng(6)
    theta, adagrad = rng.standard_normal(5), kingma.Adagrad(0.1, weight_decay=0.3)
    expected, squares, smallest = theta.copy(), np.zeros(5), np.inf
    for _ in range(10):
        dtheta = rng.standard_normal(5)
        adagrad.step(theta, dtheta)
        total = dtheta + 0.3 * expected
        squares += total**2
        smallest = min(smallest, np.sqrt(squares).min())
        expected -= 0.1 * total / np.sqrt(squares)
    # A step, at most 0.1, differs by the 1e-10 beside the root, and 10 of them feed on each other.
    np.testing.assert_allclose(theta, expected, rtol=0, atol=10 * 2 * 0.1 * 1e-10 / smallest)


def test_the_model_starts_with_weights_of_variance_a_hundredth(kingma):
    theta = kingma.build((28, 28), 3, seed=0).theta
    # The variance of n normals is known to sqrt(2 / n) of itself.
    assert theta.var() == pytest.approx(0.01, rel=4 * np.sqrt(2 / theta.size))
    assert not np.array_equal(theta[:100], kingma.build((28, 28), 3, seed=1).theta[:100])


def test_curves_are_measured_at_epochs_that_grow_by_a_factor_up_to_the_last(kingma):
    assert kingma.epochs_to_measure(1) == [1]
    for last in (2, 3, 50, 1667):
        epochs = kingma.epochs_to_measure(last)
        assert epochs[0] == 1 and epochs[-1] == last
        assert all(a < b < 1.5 * a + 1 for a, b in pairwise(epochs))


@pytest.mark.slow
def test_a_step_size_that_blows_up_is_not_chosen(kingma, monkeypatch):
    X = np.random.default_rng(7).random((200, 4, 4), dtype=np.float32)
    monkeypatch.setattr(kingma, "STEP_SIZES", (0.01, 1e4))
    assert kingma.choose_step_size(X, 3, seed=0) == 0.01


def test_a_curve_is_the_same_after_a_break_and_measured_once(tmp_path, kingma, paper, monkeypatch):
    monkeypatch.setattr(kingma, "HIDDEN", 6)
    X = np.random.default_rng(8).random((200, 4, 4), dtype=np.float32)
    curves = {}
    for name, runs in {"whole": [5], "broken": [2, 5, 5]}.items():
        for epochs in runs:
            chosen = choose(tmp_path / name)
            record = paper.Record(chosen, "kingma_2014", [])
            vae, curves[name] = kingma.train(X, X[:50], 3, epochs, chosen, record)
    np.testing.assert_array_equal(curves["broken"], curves["whole"])
    samples, train, test = curves["whole"].T
    assert samples.tolist() == [200, 400, 600, 1000]
    assert train[-1] == vae.elbo(X).mean() and test[-1] == vae.elbo(X[:50]).mean()


@pytest.mark.demo
def test_kingma_quick_draws_both_figures(tmp_path):
    done = quick(tmp_path, "kingma_2014")
    assert done.pictures == {"bound", "manifold"}
    assert list(done.table) == ["independent pixels", "Nz = 3", "Nz = 20"]
    for train, test, difference in done.table.values():
        assert difference == pytest.approx(train - test, abs=0.011)  # each rounded to 0.005
