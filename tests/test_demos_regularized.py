"""The demos on corruptions and penalties: denoising, sparse codes, overfitting."""

import math

import pytest
from demo_runs import MNIST, on_mnist, quick, run


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


@pytest.mark.slow
def test_sparse_quick_prints_its_table_and_saves_its_pictures(tmp_path):
    table, pictures = quick(tmp_path, "sparse")
    plain, kl, l1 = table.values()
    assert max(kl[0], l1[0]) < plain[0] and plain[-1] == 1
    ways = ("plain", "KL", "L1")
    assert pictures == {f"{kind}_{way}" for kind in ("activity", "filters") for way in ways}


@pytest.mark.slow
def test_overfitting_quick_prints_its_table_and_saves_its_picture(tmp_path):
    table, pictures = quick(tmp_path, "overfitting")
    plain, dropout, early = table.values()
    assert plain[0] == dropout[0] == early[0] == 4 and plain == early
    assert pictures == {"curves"}


def check_denoising(table):
    """Hold the claim: the denoiser beats the best PCA projection and the plain autoencoder."""
    assert [name.split()[0] for name in table] == ["noisy", "PCA,", "plain", "denoising"]
    noisy, pca, plain, denoising = table.values()
    for other in (noisy, pca, plain):
        assert denoising[0] < 0.75 * other[0] and denoising[1] > other[1] + 1.25


def check_sparsity(table):
    """Hold the claim: mean activation within 20 % of rho, at most 1.3 times the plain error."""
    kl, plain = table["KLSparsity(0.1, 2.0)"], table["plain"]
    assert 0.08 < kl[0] < 0.12 < 0.3 < plain[0]
    assert kl[4] <= 1.3 * plain[4] and kl[5] == pytest.approx(kl[4] / plain[4], abs=1e-3)
    assert kl[3] == 0 < table["L1Penalty(0.25)"][3]


def check_overfitting(table):
    """Hold the claim: the plain curve turns round, and either way ends well below its end."""
    plain, dropout, early = table.values()
    epochs, train, final, test, best, best_epoch = plain
    assert epochs == 80 and best_epoch < 40 and final > best + 3 and final > train + 20
    for way in (dropout, early):
        assert way[2] < final - 2 and way[3] < test - 2
    assert early[0] < 80 and early[2] == early[4] == best and early[5] == best_epoch
    assert dropout[2] < dropout[4] + 0.5 * (final - best)


CLAIMS = {
    "denoise_digits": check_denoising,
    "sparse": check_sparsity,
    "overfitting": check_overfitting,
}


@pytest.mark.full
@pytest.mark.parametrize("name", CLAIMS)
def test_the_claim_holds_on_the_embedded_digits(tmp_path, name):
    CLAIMS[name](run(tmp_path, name).table)


@pytest.mark.full
@on_mnist
@pytest.mark.parametrize("name", CLAIMS)
def test_the_claim_holds_on_mnist(tmp_path, name):
    CLAIMS[name](run(tmp_path, name, data=MNIST).table)
