"""Layers of latents, and warm-up of the KL."""

import numpy as np
import pytest

from miniae import gradient_check
from miniae.losses import gaussian_kl

pytestmark = pytest.mark.demo


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
