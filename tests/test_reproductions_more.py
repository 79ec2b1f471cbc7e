"""Reproductions of papers: linear models, a deep autoencoder, denoising features, KL warm-up."""

from itertools import combinations

import numpy as np
import pytest
from demo_runs import DEMOS, load, quick

from miniae import Autoencoder, gradient_check
from miniae.losses import gaussian_kl
from miniae.proof.oracles import PCA

pytestmark = pytest.mark.demo

EPS = np.finfo(float).eps


@pytest.fixture
def script(monkeypatch):
    """Load a script of demos/reproduce by its name."""
    monkeypatch.syspath_prepend(str(DEMOS / "reproduce"))

    def open_script(name):
        with load(f"reproduce/{name}") as module:
            return module

    return open_script


@pytest.fixture
def run_quick(monkeypatch, tmp_path):
    """Run a script of demos/reproduce with --quick, by its name."""
    monkeypatch.syspath_prepend(str(DEMOS / "reproduce"))
    return lambda name: quick(tmp_path, f"reproduce/{name}")


def paper_table(text):
    """Return the last table of a run: the paper's figure and ours by row, both as text."""
    block = [part for part in text.split("\n\n") if "  paper  " in part][-1]
    rows = [line.rsplit(maxsplit=2) for line in block.strip().splitlines()[1:]]
    return {name.strip(): figures for name, *figures in rows}


# Linear models.


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


# The deep autoencoder.


def test_the_squared_error_behind_a_sigmoid_has_the_right_value_and_gradient(script):
    loss = script("hinton_2006").SquaredErrorOfSigmoid()
    rng = np.random.default_rng(0)
    out, target = 2 * rng.standard_normal((5, 4)), rng.random((5, 4))
    p = 1 / (1 + np.exp(-out))
    assert loss.forward(out, target) == pytest.approx(((p - target) ** 2).sum() / 5, rel=1e-14)
    assert np.abs(loss.mean(out) - p).max() < 4 * EPS
    assert gradient_check(loss, out, target).max_error < 1e-12


@pytest.mark.demo
def test_hinton_quick_prints_the_papers_figures_beside_ours_and_ends_as_before_when_run_again(
    run_quick,
):
    done = run_quick("hinton_2006")
    table = paper_table(done.text)
    papers = {paper for paper, _ in table.values()}
    assert {"3.00", "8.01", "13.87"} < papers
    assert done.pictures == {"errors", "reconstructions"}
    assert paper_table(run_quick("hinton_2006").text) == table  # by checkpoints, nothing trained


# Denoising autoencoders.


def small_stack(module, X):
    """Three autoencoders of one layer, untrained, each on the codes of the one below."""
    sizes = [X.shape[1]] + [module.UNITS] * (module.LAYERS - 1)
    return [
        Autoencoder(n, module.UNITS, (), code_activation="sigmoid", seed=i)
        for i, n in enumerate(sizes)
    ]


def test_a_stack_becomes_a_network_that_starts_from_its_codes_and_leaves_it_as_it_is(
    script, monkeypatch
):
    module = script("vincent_2008")
    monkeypatch.setattr(module, "UNITS", 20)
    rng = np.random.default_rng(0)
    X, labels = rng.random((60, 9), dtype=np.float32), rng.integers(10, size=60)
    models = small_stack(module, X)
    before, network = module.codes(models, X), module.network(models)
    hidden = X
    for layer in network.layers[:-1]:
        hidden = layer.forward(hidden)
    assert np.array_equal(hidden, before)
    parts = [(X[i : i + 20], labels[i : i + 20]) for i in (0, 20, 40)]
    result = module.tune(network, parts, epochs=3, seed=0)
    assert module.error_rate(network, *parts[1]) == result["chosen by"]
    assert module.error_rate(network, *parts[2]) == result["test"]
    assert np.array_equal(module.codes(models, X), before)


@pytest.mark.demo
def test_vincent_quick_prints_features_beside_pixels_and_the_papers_errors(run_quick):
    done = run_quick("vincent_2008")
    assert "raw pixels" in done.text and "random weights" in done.text
    papers = [paper for paper, _ in paper_table(done.text).values()]
    assert papers == ["-", "3.46", "2.80"]
    assert done.pictures == {"few_labels", "filters"}


# Layers of latents, and warm-up.


def layered(module, features=6, latents=(4, 3, 2), scale=0.4):
    """A LayeredVAE at a generic point, in float64."""
    model = module.LayeredVAE(features, latents, range(5, 5 + len(latents))).astype(np.float64)
    model.theta = scale * np.random.default_rng(7).standard_normal(model.theta.size)
    return model


def test_a_vae_with_layers_of_latents_has_the_right_gradient_at_any_weight_of_the_kl(script):
    model = layered(script("warm_up"))
    x = np.random.default_rng(0).integers(2, size=(5, 6)).astype(float)
    model.beta = 0.3
    report = gradient_check(model, x, method="projection")
    assert report.max_error < 1e-12, report


def test_the_probabilities_of_all_images_add_up_to_one_under_layers_of_latents(script):
    module = script("warm_up")
    model, draws = layered(module, features=3, scale=0.25), 3000
    every = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    rows = np.tile(every, (draws, 1))
    weights = np.exp(module.weigh(model, rows, 2, seed=0)[0]).reshape(2 * draws, 8)
    total, error = weights.mean(axis=0).sum(), (weights.var(axis=0).sum() / len(weights)) ** 0.5
    assert error < 0.01 and abs(total - 1) < 5 * error


def test_one_layer_of_latents_has_the_kl_of_a_vae(script):
    module = script("warm_up")
    model = layered(module, latents=(4,))
    X = np.random.default_rng(1).integers(2, size=(7, 6)).astype(float)
    exact = gaussian_kl(*model.posterior(X)).sum(axis=1).mean()
    rows = np.tile(X, (40, 1))
    draws = np.array([module.weigh(model, rows, 2, seed)[1][0].sum() for seed in range(20)])
    assert abs(draws.mean() - exact) < 5 * draws.std() / len(draws) ** 0.5


def test_noise_of_the_layers_below_makes_no_unit_active(script):
    module = script("warm_up")
    model, rng = layered(module), np.random.default_rng(2)
    X = rng.integers(2, size=(400, 6)).astype(float)
    moved = [module.active_units(half) for half in module.weigh(model, X, 8, seed=0)[2]]
    assert moved[0] > 0
    model.encoder.layers[0].params["W"] *= 0  # now z_1 tells nothing of x, and nor do the others
    means = module.weigh(model, X, 8, seed=0)[2]
    assert means[1][0].var(axis=0).max() > module.ACTIVE  # all of it noise
    assert [module.active_units(half) for half in means] == [0, 0, 0]


def test_a_layered_vae_goes_on_from_a_checkpoint_to_the_same_weights(script, tmp_path):
    module, X = script("warm_up"), np.random.default_rng(3).random((30, 6), dtype=np.float32)

    def train(epochs, file):
        model = module.LayeredVAE(6, (4, 3), (5, 5), kl_warmup=2, seed=1)
        return model.fit(X, epochs=epochs, batch_size=10, checkpoint=file, verbose=0)

    train(1, tmp_path / "broken.npz")
    whole, resumed = train(3, tmp_path / "whole.npz"), train(3, tmp_path / "broken.npz")
    assert np.array_equal(whole.theta, resumed.theta)
    assert whole.history == resumed.history


@pytest.mark.demo
def test_warm_up_quick_prints_active_units_by_layer(run_quick):
    done = run_quick("warm_up")
    rows = [line for line in done.text.splitlines() if "seed 0  " in line]
    assert len(rows) >= 4
    assert "independent pixels" in done.text
    assert done.pictures == {"kl"}
