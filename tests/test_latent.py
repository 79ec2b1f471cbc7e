import numpy as np
import pytest

from miniae import VAE, Autoencoder


def vae_and_data(shape=(8,), latent=3, **options):
    X = np.random.default_rng(0).random((40, *shape))
    return VAE(shape if len(shape) > 1 else shape[0], latent, (5,), dtype="float64", **options), X


@pytest.mark.parametrize("shape", [(8,), (2, 4), (2, 2, 3)])
def test_a_path_between_two_samples_goes_from_one_reconstruction_to_the_other(shape):
    vae, X = vae_and_data(shape)
    path = vae.interpolate(X[0], X[1], steps=5)
    assert path.shape == (5, *shape)
    ends = vae.reconstruct(X[:2])
    assert np.allclose(path[[0, -1]], ends, rtol=1e-12)
    middle = vae.decode(vae.encode(X[:2]).mean(axis=0)[None])
    assert np.allclose(path[2], middle[0], rtol=1e-12)


def test_paths_between_batches_are_those_between_their_samples():
    X = np.random.default_rng(0).random((6, 8))
    ae = Autoencoder(8, 3, (5,), dtype="float64")
    paths = ae.interpolate(X[:3], X[3:], steps=4)
    assert paths.shape == (3, 4, 8)
    for i in range(3):
        assert np.allclose(paths[i], ae.interpolate(X[i], X[3 + i], steps=4), rtol=1e-12)


def test_interpolate_refuses_what_does_not_fit():
    vae, X = vae_and_data()
    with pytest.raises(ValueError, match=r"a has shape \(8,\) and b \(1, 8\)"):
        vae.interpolate(X[0], X[:1])
    with pytest.raises(ValueError, match="steps=1"):
        vae.interpolate(X[0], X[1], steps=1)
    with pytest.raises(ValueError, match="must have shape"):
        vae.interpolate(X[0, :4], X[1, :4])


def test_a_traversal_moves_one_latent_and_leaves_the_others():
    vae, X = vae_and_data((2, 4))
    images = vae.traverse(dims=[2, 0], span=(-1, 1), steps=3)
    assert images.shape == (2, 3, 2, 4)
    expected = vae.decode([[0, 0, -1], [0, 0, 0], [0, 0, 1]])
    assert np.allclose(images[0], expected, rtol=1e-12)
    z = vae.encode(X[:1])[0]
    there = vae.traverse(X[0], steps=5)
    assert there.shape == (3, 5, 2, 4)
    z[1] = 1.5
    assert np.allclose(there[1, 3], vae.decode(z[None])[0], rtol=1e-12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dims": [3]}, "between 0 and 2"),
        ({"dims": [-1]}, "between 0 and 2"),
        ({"dims": []}, "list of latents"),
        ({"dims": [0.5]}, "list of latents"),
        ({"span": (1, -1)}, "low < high"),
        ({"span": (0, np.nan)}, "two finite numbers"),
        ({"steps": 1}, "steps=1"),
        ({"x": np.zeros(3)}, "must have shape"),
    ],
)
def test_traverse_refuses_what_does_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        vae_and_data()[0].traverse(**options)


def test_posterior_draws_have_the_posteriors_mean_and_standard_deviation():
    vae, X = vae_and_data()
    mu, log_var = vae.posterior(X[:4])
    n = 20_000
    Z = vae.posterior_sample(X[:4], n_draws=n, seed=1)
    assert Z.shape == (n, 4, 3)
    std = np.exp(log_var / 2)
    # 12 means and 12 standard deviations: 5 standard errors leave a chance of about 1e-5
    assert (np.abs(Z.mean(axis=0) - mu) < 5 * std / np.sqrt(n)).all()
    assert (np.abs(Z.std(axis=0) - std) < 5 * std / np.sqrt(2 * n)).all()


def test_posterior_draws_decode_as_they_are_and_repeat_by_seed():
    vae, X = vae_and_data((2, 4))
    Z = vae.posterior_sample(X[:4], n_draws=6, seed=1)
    assert vae.decode(Z).shape == (6, 4, 2, 4)
    assert np.array_equal(Z, vae.posterior_sample(X[:4], n_draws=6, seed=1))
    assert not np.array_equal(Z, vae.posterior_sample(X[:4], n_draws=6))
    assert np.allclose(vae.decode(Z)[2, 3], vae.decode(Z[2, 3:4])[0], rtol=1e-12)
    with pytest.raises(ValueError, match="n_draws=0"):
        vae.posterior_sample(X, n_draws=0)


def test_kl_per_dimension_sums_to_the_kl():
    vae, X = vae_and_data()
    kl = vae.kl_per_dimension(X)
    assert kl.shape == (3,)
    assert kl.sum() == pytest.approx(vae.evaluate(X, return_dict=True)["kl"], rel=1e-12)


def test_a_latent_is_active_if_the_variance_of_its_mean_is_above_a_hundredth():
    vae, X = vae_and_data((8,), 3)
    last = vae.encoder.layers[-1].params
    spread = (vae.encoder.layers[1].forward(vae.encoder.layers[0].forward(X)) @ last["W"]).var(0)
    last["W"] = last["W"] * np.sqrt([0.0101, 0.0099, 4, 1, 1, 1]) / np.sqrt(spread)
    assert vae.active_units(X) == 2
    assert vae.evaluate(X, return_dict=True)["active_units"] == 2
    assert isinstance(vae.active_units(X), int)


def test_history_of_a_vae_has_the_weight_in_force_and_the_active_units():
    vae, X = vae_and_data(kl_warmup=4, beta=2.0)
    vae.fit(X, epochs=3, validation_split=0.25, verbose=0)
    assert vae.history["kl_weight"] == [0.0, 0.5, 1.0]
    assert "val_kl_weight" not in vae.history  # evaluation uses the full beta
    assert len(vae.history["val_active_units"]) == 3


def test_a_latent_that_is_not_active_may_tell_all_the_same():
    # one bit in two narrow peaks, 16 standard deviations apart: see `active_units`
    vae, X = VAE(1, 1, (), dtype="float64"), np.array([[0.0], [1.0]] * 20)
    vae.encoder.layers[0].params["W"] = [[0.18, 0.0]]
    vae.encoder.layers[0].params["b"] = [-0.09, -9.0]
    assert vae.active_units(X) == 0 and vae.encode(X).var() == pytest.approx(0.0081)
    assert vae.kl_per_dimension(X)[0] == pytest.approx(4.0, abs=0.01)
    Z = vae.posterior_sample(X, 1000, seed=0)
    assert ((Z[..., 0] > 0) == (X[:, 0] == 1)).all()
