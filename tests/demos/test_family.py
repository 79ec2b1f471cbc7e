"""The kinds of autoencoders: deep, convolutional, sparse, by beta, and the factors behind codes."""

import numpy as np
import pytest
from demo_runs import MNIST, Run, load, on_mnist, quick, run

from miniae import datasets

DEEP = "784-1000-500-250-30"


@pytest.mark.slow
def test_deep_quick_prints_pca_beside_the_networks_and_saves_its_pictures(tmp_path):
    table, pictures = quick(tmp_path, "deep")
    assert table["PCA"][0] == 31 * 784 and table["784-30"][0] == 784 * 30 + 30 + 31 * 784
    for _, _, error, ratio, _ in table.values():
        assert ratio == pytest.approx(table["PCA"][2] / error, abs=0.006)
    assert pictures == {"errors", "loss", "reconstructions"}


@pytest.mark.full
def test_deep_beats_pca_two_and_a_half_times_on_the_embedded_digits(tmp_path):
    table, _ = run(tmp_path, "deep")
    assert table[DEEP][2] < table["PCA"][2] / 2.5
    assert table[DEEP][2] < table["784-30"][2] < table["PCA"][2]


@pytest.mark.full
@on_mnist
def test_deep_beats_pca_two_and_a_half_times_on_mnist(tmp_path):
    table, _ = run(tmp_path, "deep", data=MNIST)
    assert table[DEEP][2] < table["PCA"][2] / 2.5
    assert table["PCA"][2] == pytest.approx(13.9, abs=0.1)


def check_beta(table):
    by_beta = [table[f"VAE, beta = {beta}"] for beta in (1, 4, 10)]
    bounds, reconstructions, kls, active, _, errors = zip(*by_beta, strict=True)
    for falling in (bounds, kls):
        assert falling[0] > falling[1] > falling[2]
    assert active[0] >= active[1] > active[2]
    for rising in (reconstructions, errors):
        assert rising[0] < rising[1] < rising[2]
    assert bounds[0] > table["independent pixels"][0]


@pytest.mark.slow
def test_beta_quick_prints_its_baselines_and_saves_its_pictures(tmp_path):
    table, pictures = quick(tmp_path, "beta")
    bound, reconstruction, kl, *_ = table["VAE, beta = 4"]
    assert bound == pytest.approx(-reconstruction - kl, abs=0.11)
    assert {"independent pixels", "PCA, 20 components"} < set(table)
    bars = {f"kl_beta_{beta}" for beta in (1, 4, 10)}
    assert pictures == bars | {"samples", "traversal_beta_4"}


@pytest.mark.full
def test_a_larger_beta_tells_less_in_fewer_latents_on_the_embedded_digits(tmp_path):
    check_beta(run(tmp_path, "beta").table)


@pytest.mark.full
@on_mnist
def test_a_larger_beta_tells_less_in_fewer_latents_on_mnist(tmp_path):
    check_beta(run(tmp_path, "beta", data=MNIST).table)


def check_convolutional(table):
    """The convolutional one has at most half the parameters, and the smaller error."""
    assert 2 * table["conv"][0] <= table["dense"][0]
    assert table["conv"][-1] < table["dense"][-1] < table["PCA"][-1]


@pytest.mark.demo
def test_convolutional_quick_prints_a_row_for_each_model_and_saves_the_pictures(tmp_path):
    table, pictures = quick(tmp_path, "convolutional")
    assert list(table) == ["PCA", "dense", "conv"]
    assert table["PCA"][0] == 33 * 784 and 2 * table["conv"][0] <= table["dense"][0]
    assert pictures == {"reconstructions", "filters_dense", "filters_conv"}


@pytest.mark.full
def test_the_convolutional_one_beats_the_dense_one_on_the_embedded_digits(tmp_path):
    check_convolutional(run(tmp_path, "convolutional").table)


@pytest.mark.full
@on_mnist
def test_the_convolutional_one_beats_the_dense_one_on_mnist(tmp_path):
    check_convolutional(run(tmp_path, "convolutional", data=MNIST).table)


@pytest.mark.slow
def test_sparse_quick_prints_its_table_and_saves_its_pictures(tmp_path):
    table, pictures = quick(tmp_path, "sparse")
    plain, kl, l1 = table.values()
    assert max(kl[0], l1[0]) < plain[0] and plain[-1] == 1
    ways = ("plain", "KL", "L1")
    assert pictures == {f"{kind}_{way}" for kind in ("activity", "filters") for way in ways}


def check_sparsity(table):
    """Hold the claim: mean activation within 20 % of rho, at most 1.3 times the plain error."""
    kl, plain = table["KLSparsity(0.1, 2.0)"], table["plain"]
    assert 0.08 < kl[0] < 0.12 < 0.3 < plain[0]
    assert kl[4] <= 1.3 * plain[4] and kl[5] == pytest.approx(kl[4] / plain[4], abs=1e-3)
    assert kl[3] == 0 < table["L1Penalty(0.25)"][3]


def arithmetic(done):
    """Return the second table of the demo on factors."""
    return Run("\n\n" + done.text[done.text.index("stroke, mean") :], done.out).table


@pytest.mark.demo
def test_factors_quick_prints_both_tables_with_pca_in_them(tmp_path):
    done = quick(tmp_path, "factors")
    assert next(iter(done.table)) == "PCA, best latent" and len(done.table) == 8
    assert all(len(row) == 8 and 0 <= min(row) <= max(row) <= 1 for row in done.table.values())
    assert list(arithmetic(done)) == ["real", "PCA", "beta = 1", "beta = 10"]
    assert done.pictures == {"correlations", "traversal", "interpolation", "arithmetic"}


def check_factors(done):
    """Hold the claims on both tables."""
    # The standard error of a correlation over 2000 digits is 1 / sqrt(2000) = 0.022 at most.
    slant, _, scale, aspect, x, y, thickness, _ = (
        {name: row[i] for name, row in done.table.items()} for i in range(8)
    )
    for factor in (slant, scale, aspect, x):
        assert factor["beta = 1, all 10"] > factor["PCA, all 10"] - 0.022
    for factor in (y, thickness):
        assert factor["beta = 1, all 10"] < factor["PCA, all 10"]
    one, four, ten = (slant[f"beta = {beta}, best latent"] for beta in (1, 4, 10))
    assert ten > one + 0.1 and one < four < ten
    assert abs(slant["beta = 10, best latent"] - slant["PCA, best latent"]) < 0.1
    assert slant["beta = 10, all 10"] < slant["beta = 10, best latent"] + 0.05
    for beta in ("beta = 1", "beta = 4", "beta = 10"):
        assert thickness["PCA, best latent"] > thickness[f"{beta}, best latent"] + 0.1
    for factor in (x, y, thickness):
        assert factor["beta = 10, all 10"] < factor["beta = 1, all 10"] / 2
        assert factor["beta = 10, means, all 10"] > factor["beta = 10, all 10"] + 0.1
    stroke = arithmetic(done)
    thin, thick = stroke["real"]
    gain = {name: after - before for name, (before, after) in stroke.items()}
    assert abs(stroke["beta = 1"][1] - thick) < abs(stroke["PCA"][1] - thick)
    assert gain["beta = 1"] > 0.5 * (thick - thin) and gain["beta = 10"] < 0.2 * (thick - thin)


@pytest.mark.full
def test_a_large_beta_gathers_slant_in_one_latent_and_loses_thickness_and_position(tmp_path):
    check_factors(run(tmp_path, "factors"))


@pytest.mark.slow
def test_the_measured_thickness_is_the_pens():
    images, _, known = datasets.synthetic_digits(500, seed=6)
    bar = np.zeros((1, 28, 28))
    bar[:, 10:13, 4:24] = 1  # ink 60; the edge is 2 (19 + 2) long, and half sqrt 2 at each corner
    with load("factors") as demo:
        assert np.corrcoef(demo.thickness(images), known["thickness"])[0, 1] > 0.95
        assert demo.thickness(bar) == pytest.approx(120 / (42 + 2 * 2**0.5), rel=1e-14)


@pytest.mark.slow
def test_pca_told_the_class_takes_the_classes_means_out_of_the_codes():
    images, labels, _ = datasets.synthetic_digits(300, seed=7)
    with load("factors") as demo:
        model = demo.ConditionalPCA().fit(images, labels)
    codes = model.encode(images, labels)
    of_class = np.stack([codes[labels == c].mean(axis=0) for c in range(10)])
    assert np.abs(of_class).max() < 1e-4  # the images are float32: 784 roundings of 6e-8
    nothing = model.decode(np.zeros((10, 10)), np.arange(10))
    assert np.allclose(nothing[3], images[labels == 3].mean(axis=0), atol=1e-5)


@pytest.mark.full
def test_sparsity_costs_little_error_and_uses_every_unit_on_the_embedded_digits(tmp_path):
    check_sparsity(run(tmp_path, "sparse").table)


@pytest.mark.full
@on_mnist
def test_sparsity_costs_little_error_and_uses_every_unit_on_mnist(tmp_path):
    check_sparsity(run(tmp_path, "sparse", data=MNIST).table)
