"""The benchmark of evaluation: PyTorch's versions return what miniae's methods return."""

import numpy as np
import pytest
from demo_runs import load

from miniae.model import EVALUATION_SEED

with load("benchmark_workloads") as workloads:
    WORKLOAD = workloads.Workload((30, 9, 3), "tanh", 10, 40)


@pytest.fixture
def used():
    pytest.importorskip("torch")
    with load("benchmark_evaluation") as module:
        yield module


def pair(used, seed=0):
    """Return both libraries' VAE with the same weights in float64, and rows."""
    rng = np.random.default_rng(seed)
    weights = [
        w + 0.1 * rng.standard_normal(w.shape) for w in workloads.initial(WORKLOAD, "float64")
    ]
    ours, theirs = (cls(WORKLOAD, weights) for cls in used.USERS.values())
    noise = np.random.default_rng(EVALUATION_SEED)  # that of miniae
    theirs.normal = lambda shape, dtype: theirs.torch.from_numpy(noise.standard_normal(shape))
    return ours, theirs, rng.random((41, 30))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["elbo", "encode", "log_likelihood"])
def test_both_libraries_return_the_same_for_the_same_noise(used, method):
    ours, theirs, X = pair(used)
    more = [70] if method == "log_likelihood" else []
    found, expected = (getattr(each, method)(X, *more) for each in (theirs, ours))
    # sums of at most 30 terms near 1, each with a rounding error of 1e-16
    assert found.shape == expected.shape and np.allclose(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.slow
def test_both_libraries_fill_holes_with_the_same_numbers(used):
    ours, theirs, X = pair(used)
    X = used.with_holes(X)
    assert np.isnan(X[:, 15:]).all() and not np.isnan(X[:, :15]).any()
    found, expected = theirs.impute(X, 40), ours.impute(X, 40)
    # A rounding error of a gradient grows in 40 steps of Adam, by less than 10 in each 4 of them.
    assert np.allclose(found, expected, rtol=0, atol=1e-6)
    assert np.abs(expected[:, 15:] - ours.impute(X, 2)[:, 15:]).max() > 1e-3  # it did search


def test_an_evaluation_says_what_it_times(used):
    assert str(used.EVALUATIONS["E2"]) == "log_likelihood(k=5000), VAE 784-500-20 tanh"
    assert list(used.EVALUATIONS) == ["E1", "E2", "E3", "E4"]
