"""The demos on top: a VAE, its gradients, denoising, generation."""

import math
import re

import numpy as np
import pytest
from demo_runs import MNIST, Run, on_mnist, quick, run

from miniae import VAE

PICTURES = {"codes", "loss", "manifold", "reconstructions", "samples"}


def table_of(done):
    """Return the run without what is printed before its table."""
    return Run(done.text[done.text.index("\n\nheld-out") :], done.out)


def rows(done):
    """Return the rows of the VAE, of independent pixels and of PCA."""
    names = ("VAE", "independent", "PCA")
    return [next(row for key, row in done.table.items() if key.startswith(n)) for n in names]


@pytest.mark.demo
def test_train_vae_quick_prints_its_table_and_saves_its_pictures(tmp_path):
    done = quick(tmp_path, "train_vae")
    vae, independent, pca = rows(table_of(done))
    bound, reconstruction, kl, _ = vae
    assert bound == pytest.approx(-reconstruction - kl, abs=0.11)
    assert bound > independent[0] and len(pca) == 1
    assert done.pictures == PICTURES
    assert VAE.load(done.out / "vae.npz").sample(2).shape == (2, 28, 28)


@pytest.mark.slow
def test_train_vae_takes_its_options_and_repeats_by_seed(tmp_path):
    options = ("--quick", "--epochs", "1", "--latent", "3", "--seed", "4")
    for name in ("a", "b"):
        run(tmp_path, "train_vae", *options, "--out", name)
    a, b = (VAE.load(tmp_path / name / "vae.npz") for name in ("a", "b"))
    assert a.latent_dim == 3 and len(a.history["loss"]) == 1
    assert np.array_equal(a.theta, b.theta)


@pytest.mark.demo
def test_train_vae_without_the_data_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="MINIAE_DATA"):
        quick(tmp_path, "train_vae", "--data", "mnist")


@pytest.mark.full
def test_train_vae_beats_both_baselines_on_the_embedded_digits(tmp_path):
    vae, independent, pca = rows(table_of(run(tmp_path, "train_vae")))
    assert vae[0] > independent[0] + 40
    assert vae[3] < 0.8 * pca[0] < independent[3]


@pytest.mark.full
@on_mnist
def test_train_vae_learns_mnist(tmp_path):
    done = run(tmp_path, "train_vae", "--data", "mnist", data=MNIST)
    vae, independent, pca = rows(table_of(done))
    assert vae[0] > -107.5 and vae[3] < pca[0] < independent[3]


@pytest.mark.slow
def test_gradient_check_shows_a_right_model_a_wrong_one_and_its_diagnosis(tmp_path):
    done = run(tmp_path, "gradient_check", "--quick")
    assert done.text.count("all ok") == 1 and done.text.count("WRONG: largest error") == 1
    assert "diagnosis: encoder.1, BrokenTanh() is wrong" in done.text
    errors = [float(x) for x in re.findall(r"smallest error (\S+),", done.text)]
    assert errors[0] > 1e-9 > errors[1] > 1e-13 > errors[2]
    assert done.pictures == {"error_by_step"}


@pytest.mark.slow
def test_denoise_digits_quick_prints_its_baselines_and_saves_its_pictures(tmp_path):
    table, pictures = quick(tmp_path, "denoise_digits")
    noisy, pca, _, denoising = table.values()
    # Noise of std 1/2 on black or white, clipped to [0, 1], leaves (1/4) of the integral of u^2 phi
    # from 0 to 2, and 1 beyond: 0.1151; on the middle grey, from -1 to 1, and 1/4 beyond: 0.1290.
    assert 0.1151 < noisy[0] < 0.1290
    for mse, psnr in table.values():  # both are printed to 5e-5; d psnr / d mse = -4.343 / mse
        assert psnr == pytest.approx(-10 * math.log10(mse), abs=5e-5 * (1 + 4.4 / mse))
    assert max(pca[0], denoising[0]) < noisy[0] and pictures == {"plain", "denoising"}


def check_denoising(table):
    """Hold the claim: the denoiser beats the best PCA projection and the plain autoencoder."""
    assert [name.split()[0] for name in table] == ["noisy", "PCA,", "plain", "denoising"]
    noisy, pca, plain, denoising = table.values()
    for other in (noisy, pca, plain):
        assert denoising[0] < 0.75 * other[0] and denoising[1] > other[1] + 1.25


def check_generate(table):
    naive, gaussian = (
        table[f"autoencoder, z from {source}"] for source in ("N(0, I)", "its Gaussian")
    )
    assert all(ours < theirs for ours, theirs in zip(gaussian, naive, strict=True))
    for judged in (gaussian, table["VAE, z from N(0, I)"]):
        floor = table["independent pixels"]
        assert all(ours < theirs for ours, theirs in zip(judged, floor, strict=True))
    assert table["real images"][2] == pytest.approx(50, abs=6)  # per cent, of 2000 images


@pytest.mark.slow
def test_generate_quick_prints_real_images_and_a_floor_and_saves_its_picture(tmp_path):
    table, pictures = quick(tmp_path, "generate")
    assert table["real images"][0] < table["independent pixels"][0]
    assert pictures == {"samples"}


@pytest.mark.full
def test_codes_drawn_from_their_own_gaussian_decode_better_than_from_the_prior(tmp_path):
    check_generate(run(tmp_path, "generate").table)


@pytest.mark.full
@on_mnist
def test_codes_drawn_from_their_own_gaussian_decode_better_on_mnist(tmp_path):
    check_generate(run(tmp_path, "generate", data=MNIST).table)


@pytest.mark.full
def test_denoising_beats_pca_and_the_plain_autoencoder_on_the_embedded_digits(tmp_path):
    check_denoising(run(tmp_path, "denoise_digits").table)


@pytest.mark.full
@on_mnist
def test_denoising_beats_pca_and_the_plain_autoencoder_on_mnist(tmp_path):
    check_denoising(run(tmp_path, "denoise_digits", data=MNIST).table)
