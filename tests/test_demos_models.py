"""The demos on what a model can do: a deep code, the weight of the KL, collapse, generation."""

import pytest
from demo_runs import MNIST, on_mnist, quick, run

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


CURES = [
    "warm-up over 8 epochs",
    "free bits, 0.1 nats",
    "free bits, 0.5 nats",
    "free bits, 1 nat",
    "plain, steps / 5",
]


def check_collapse(table):
    """Columns: active latents, of how many, live units, of how many, bound, reconstruction, KL."""
    plain, floor = table["plain"], table["independent pixels"]
    assert plain[0] <= 0.25 * plain[1] and plain[4] == pytest.approx(floor[0], abs=3)
    for free_bits in CURES[1:4]:
        active, of, *_ = table[free_bits]
        assert active >= 0.9 * of
    for cure in CURES[:-1]:  # smaller steps cure MNIST, and not the embedded digits
        assert table[cure][0] >= 0.5 * table[cure][1] and table[cure][4] > plain[4] + 40


@pytest.mark.slow
def test_collapse_quick_prints_each_cure_beside_plain_training_and_saves_its_pictures(tmp_path):
    table, pictures = quick(tmp_path, "collapse")
    assert set(table) == {"plain", *CURES, "independent pixels"}
    for name in ["plain", *CURES]:
        _, _, _, _, bound, reconstruction, kl = table[name]
        assert bound == pytest.approx(-reconstruction - kl, abs=0.11)
    assert pictures == {"active_units", "kl"}


@pytest.mark.full
def test_free_bits_keep_nine_latents_in_ten_active_where_plain_training_collapses(tmp_path):
    check_collapse(run(tmp_path, "collapse").table)


@pytest.mark.full
@on_mnist
def test_free_bits_keep_nine_latents_in_ten_active_on_mnist(tmp_path):
    check_collapse(run(tmp_path, "collapse", data=MNIST).table)


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
