"""The demos on missing entries."""

import re

import numpy as np
import pytest
from demo_runs import MNIST, load, on_mnist, quick, run

from miniae.proof.oracles import ProbabilisticPCA, conditional_gaussian


@pytest.mark.slow
def test_imputation_knocks_out_what_it_says_and_its_exact_answer_is_exact():
    rng = np.random.default_rng(0)
    with load("imputation") as demo:
        X, covariance = demo.gaussian_table(800, rng)
        assert np.allclose(np.diag(covariance), 1)
        # The variance of an entry of the sample covariance is at most 2 / n.
        assert np.abs(np.cov(X.T) - covariance).max() < 5 * np.sqrt(2 / 800)
        H = demo.at_random(0.3)(X, rng)
        assert np.isnan(H).mean() == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / X.size))
        filled, draws = demo.exact(covariance, H, rng)
        gone = np.isnan(H)
        assert np.array_equal(filled[~gone], X[~gone]) and (draws[:, ~gone] == X[~gone]).all()
        # Truth and draws have one law: the truth is the least or greatest of 20 in 2 / 20 of cases.
        # Entries of a row go together, at most twelve of them: its rows count as independent.
        assert demo.coverage(draws, H, X) == pytest.approx(90, abs=500 * np.sqrt(0.09 / 800))
        images = demo.block(np.zeros((50, 784)), rng).reshape(50, 28, 28)
        assert (np.isnan(images).sum(axis=(1, 2)) == 14 * 14).all()
        assert not np.isnan(images[:, [0, 1, -2, -1]]).any()
        assert not np.isnan(images[:, :, [0, 1, -2, -1]]).any()


def test_the_fill_of_probabilistic_pca_is_the_conditional_mean_of_its_gaussian():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 8)) + rng.standard_normal((200, 8))
    H = np.where(rng.random((20, 8)) < 0.5, np.nan, X[:20])
    H[0], H[1] = np.nan, X[1]  # nothing, and everything observed
    model = ProbabilisticPCA(3).fit(X)
    C = model.W_.T @ model.W_ + model.sigma2_ * np.eye(8)
    with load("imputation") as demo:
        filled = demo.most_likely(model, H)
    assert np.array_equal(filled[1], X[1])
    for row, F in zip(H, filled, strict=True):
        assert np.allclose(F, conditional_gaussian(model.mean_, C, row)[0])


METHODS = ["column means", "probabilistic PCA, 3 and 20", "probabilistic PCA, 6 and 100"]

METHODS += ["autoencoder", "VAE", "VAE, of incomplete rows"]


@pytest.mark.demo
def test_imputation_quick_prints_every_method_and_draws_the_digits(tmp_path):
    table, pictures = quick(tmp_path, "imputation")
    assert list(table) == [*METHODS, "exact conditional Gaussian"] and pictures == {"digits"}
    assert [len(row) for row in table.values()] == [4, 4, 4, 4, 5, 5, 4]


@pytest.mark.full
def test_a_vae_imputes_nearly_as_well_as_the_exact_conditional_gaussian(tmp_path):
    table = run(tmp_path, "imputation").table
    assert list(table) == [*METHODS, "exact conditional Gaussian"]
    mean, pca, more, autoencoder, vae, masked, exact = table.values()
    for k in range(3):  # shares of the table that are missing
        assert exact[k] < vae[k] < 1.1 * exact[k] and exact[k] < masked[k] < 1.1 * exact[k]
        # Of 2,000 rows, the covariance's entries are known to 1 / sqrt(2000) = 2 %.
        assert max(pca[k], more[k]) < 1.02 * exact[k]
    for *_, within in (vae, masked, exact):
        # 500 rows: a row's entries go together, so that it counts as a single one.
        assert within == pytest.approx(90, abs=500 * np.sqrt(0.09 / 500))
    followers = [row[3] for row in (more, masked, autoencoder)]
    assert vae[3] < min(followers) and max(followers) < pca[3] < mean[3]


@pytest.mark.full
@on_mnist
def test_on_mnist_a_vae_imputes_best_and_an_autoencoder_hardly_better_than_the_means(tmp_path):
    table = run(tmp_path, "imputation", data=MNIST).table
    mean, _, more, autoencoder, vae, masked = (table[name][3] for name in METHODS)
    assert vae < more < masked < autoencoder < mean


@pytest.mark.slow
def test_incomplete_pca_finds_a_known_model_and_without_holes_the_closed_form():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((2, 6))
    n = 100
    X = rng.standard_normal((n, 2)) @ W + 0.5 * rng.standard_normal((n, 6))
    closed = ProbabilisticPCA(2).fit(X)
    with load("imputation_tables") as demo:
        mean, C = demo.incomplete_pca(X, 2, 1)
        assert np.allclose(mean, closed.mean_)
        assert np.allclose(C, closed.W_.T @ closed.W_ + closed.sigma2_ * np.eye(6))
        H = np.where(rng.random(X.shape) < 0.3, np.nan, X)
        _, C = demo.incomplete_pca(H, 2, 15)
    true = W.T @ W + 0.25 * np.eye(6)
    # An entry of a sample covariance of n rows has the variance (c_ii c_jj + c_ij^2) / n. A pair of
    # entries is seen in half of the rows.
    error = np.sqrt((np.outer(np.diag(true), np.diag(true)) + true**2) / (n * 0.49))
    assert (np.abs(C - true) < 4 * error).all()


@pytest.mark.demo
def test_imputation_tables_quick_prints_a_table_for_each_data_set(tmp_path):
    pytest.importorskip("sklearn")
    done = quick(tmp_path, "imputation_tables")
    assert len(done.table) == 6 and all(len(row) == 3 for row in done.table.values())
    assert done.text.count("column means") == 4 and done.pictures == {"errors"}


@pytest.mark.full
def test_imputation_beats_column_means_in_every_cell_and_probabilistic_pca_in_most(tmp_path):
    pytest.importorskip("sklearn")
    lines = run(tmp_path, "imputation_tables").text.splitlines()
    cells = {}
    for line in lines:
        name, *numbers = re.split(r" {2,}", line)
        if len(numbers) == 3 and "%" not in line:
            cells.setdefault(name, []).extend(float(x) for x in numbers)
    cells = {name: np.array(errors) for name, errors in cells.items()}
    means, pca, complete = (
        cells[name] for name in ("column means", "probabilistic PCA", "VAE, of complete rows")
    )
    assert all(len(errors) == 12 for errors in cells.values())
    for name, errors in cells.items():
        if name.startswith(("VAE", "autoencoder")):
            assert (errors < means).all(), name
    assert (complete < pca).sum() > 6
