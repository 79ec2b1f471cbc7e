"""The demo on VAE-GANs: its scores have known values where there are any."""

import numpy as np
import pytest
from demo_runs import load, quick, run


@pytest.mark.demo
def test_vae_gan_quick_prints_scores_of_all_models_and_of_real_images(tmp_path):
    done = quick(tmp_path, "vae_gan", "--data", "digits")
    assert done.pictures == {"samples", "training"}
    real = done.table["half of the held-out images"]
    others = [row for name, row in done.table.items() if name != "half of the held-out images"]
    assert len(others) >= 5 and all(row[2] > real[2] for row in others)  # Frechet distance


@pytest.mark.full
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_samples_are_sharper_than_a_vaes_and_modes_collapse_without_reconstruction(tmp_path, seed):
    table = run(tmp_path, "vae_gan", "--data", "digits", "--seed", seed).table
    edges, grey, _, _, classes, _, variety = zip(*table.values(), strict=True)
    rows = {name: i for i, name in enumerate(table)}
    vae, gan = rows["VAE"], rows["VAE-GAN"]
    assert edges[vae] + 0.1 < edges[gan] < 1.1 and grey[gan] < grey[vae]
    for speed in ("fast", "slow"):
        kept, lost = (rows[f"{speed} discriminator, gamma {gamma}"] for gamma in (1, 0))
        assert classes[lost] + 1 < classes[kept]
    assert variety[rows["slow discriminator, gamma 0"]] < 0.4 < variety[gan]


def test_the_frechet_distance_of_gaussians_is_the_closed_form():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((500, 4))
    A = (A - A.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(A.T))).T  # covariance I
    turn, scale = np.linalg.qr(rng.standard_normal((4, 4)))[0], np.array([2.0, 0.5, 1.0, 3.0])
    with load("sample_scores") as scores:
        assert scores.frechet_distance(A, A) == pytest.approx(0, abs=1e-12)
        moved = A * scale @ turn + [1, 2, 0, 0]  # C = turn^T scale^2 turn
        expected = 5 + ((scale - 1) ** 2).sum()
        assert scores.frechet_distance(A, moved) == pytest.approx(expected, rel=1e-10)
        assert scores.frechet_distance(moved, A) == pytest.approx(expected, rel=1e-10)
        assert scores.spread(A) == pytest.approx(4 * 499 / 500)


def test_the_scores_of_classes_count_classes_that_are_sure_and_even():
    sure = np.eye(5)[np.arange(20) % 5]
    with load("sample_scores") as scores:
        assert scores.classifier_score(sure) == pytest.approx(5)
        assert scores.classifier_score(np.full((20, 5), 0.2)) == pytest.approx(1)
        assert scores.classifier_score(sure[:1].repeat(20, axis=0)) == pytest.approx(1)
        assert scores.classes_in_use(sure) == pytest.approx(5)
        assert scores.classes_in_use(sure[[0, 1, 5, 6]]) == pytest.approx(2)
        assert scores.classes_in_use(0.6 * sure + 0.08) == pytest.approx(5)


def test_the_edges_of_a_ramp_are_its_slope_and_blur_makes_them_weaker():
    ramp = np.add.outer(3 * np.arange(6), 4 * np.arange(7))[None] / 100
    edge = (np.arange(10) > 4).astype(float) * np.ones((2, 10, 1))
    with load("sample_scores") as scores:
        assert scores.edge_strength(ramp) == pytest.approx(0.05)
        both = np.array([[[0.0, 3.0], [4.0, 9.0]]])  # both slopes of one pixel, the upper left one
        assert scores.edge_strength(both) == pytest.approx(5)
        assert scores.grey_share(edge) == 0 and scores.grey_share(0.5 * edge) == 0.5
        noise = np.random.default_rng(0).random(edge.shape)
        assert scores.edge_strength(0.5 * edge) < scores.edge_strength(edge)
        assert scores.edge_strength(edge) < scores.edge_strength(noise)


def test_the_classifier_learns_and_its_probabilities_sum_to_one():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    X = (np.eye(3)[labels] + 0.1 * rng.standard_normal((300, 3))).reshape(300, 1, 3)
    with load("sample_scores") as scores:
        judge = scores.Judge(3, 3, hidden=8).fit(X.astype(np.float32), labels, epochs=30, lr=1e-2)
        p = judge.p(X)
        assert (p.argmax(axis=1) == labels).mean() > 0.97
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
        assert judge.features(X).shape == (300, 8)
