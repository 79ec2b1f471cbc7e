"""The demos on classifiers: codes as features, few labels, added images."""

import numpy as np
import pytest
from demo_runs import MNIST, load, on_mnist, quick, run

from miniae import datasets

SEEDS = pytest.mark.parametrize("seed", ["0"])  # 1 and 2 were tried too, by hand

PIXELS, SCORES, AUTOENCODER, VARIATIONAL = CODES = (
    "raw pixels, 784",
    "PCA scores, 10",
    "autoencoder, 10",
    "VAE, 10",
)


def best_by_column(table):
    """Return the row that is best with 10, 100 and 1000 labels, and in the Rand index."""
    return [max(table, key=lambda name: table[name][i]) for i in (0, 2, 4, 6)]


def below_pixels(table, labels):
    """Return the rows that are worse than the pixels with so many labels."""
    i = {10: 0, 100: 2, 1000: 4}[labels]
    return {name for name, row in table.items() if row[i] < table[PIXELS][i]}


def test_k_means_finds_clusters_that_lie_apart():
    rng = np.random.default_rng(3)
    which = rng.permutation(np.arange(300) % 6)
    centres = 100 * np.eye(6, 3) + 50 * np.eye(6, 3, -3)  # 50 apart or more, with noise of 1
    with load("features") as demo:
        found = demo.k_means(centres[which] + rng.standard_normal((300, 3)), 6, rng)
    assert len(set(zip(which.tolist(), found.tolist(), strict=True))) == 6


def test_k_means_puts_equal_rows_into_one_cluster_each():
    X = np.repeat(np.eye(3), 4, axis=0)
    with load("features") as demo:
        found = demo.k_means(X, 3, np.random.default_rng(0))
    assert len(set(found)) == 3 and (found.reshape(3, 4) == found[::4, None]).all()


@pytest.mark.demo
def test_features_quick_has_a_mean_and_a_spread_for_every_code(tmp_path):
    table, pictures = quick(tmp_path, "features")
    assert tuple(table) == CODES and pictures == {"features"}
    assert all(len(row) == 5 and -0.1 < row[4] < 1 for row in table.values())


@pytest.mark.full
@SEEDS
def test_codes_are_best_for_few_labels_and_raw_pixels_for_many(tmp_path, seed):
    table, _ = run(tmp_path, "features", "--seed", seed)
    assert best_by_column(table) == [AUTOENCODER, AUTOENCODER, PIXELS, PIXELS]
    assert below_pixels(table, 100) == {SCORES, VARIATIONAL}


@pytest.mark.full
@on_mnist
def test_on_mnist_the_codes_are_ahead_with_many_labels_too_and_cluster_better(tmp_path):
    table, _ = run(tmp_path, "features", data=MNIST)
    *by_labels, by_clusters = best_by_column(table)
    assert by_labels == 3 * [AUTOENCODER] and by_clusters in (AUTOENCODER, VARIATIONAL)
    assert below_pixels(table, 100) == below_pixels(table, 1000) == {SCORES}


INPUTS = ("pixels", "PCA scores", "VAE codes", "VAE reconstructions")


def check_semi_supervised(table):
    """Columns: accuracy and its spread with 20, 50 and 100 labels, and draws won, of how many."""
    for way in ("softmax regression", "nearest neighbour"):
        pixels, scores, codes, again = (np.array(table[f"{way}, {name}"]) for name in INPUTS)
        assert (codes[:6:2] > pixels[:6:2]).all()
        # Sign test: if codes were no better, 23 draws or more of 30 would be won in 0.3 % of cases.
        assert codes[7] == 30 and codes[6] >= 23
        assert (again[:6:2] < codes[:6:2]).all()
        if way == "softmax regression":
            assert (scores[2:6:2] < pixels[2:6:2]).all()  # with 50 and 100 labels


@pytest.mark.demo
def test_semi_supervised_quick_prints_every_way_beside_the_labels_alone(tmp_path):
    table, pictures = quick(tmp_path, "semi_supervised")
    ways = ("softmax regression", "nearest neighbour")
    assert list(table) == [f"{way}, {name}" for way in ways for name in INPUTS]
    assert pictures == {"semi_supervised"}
    for name, row in table.items():
        assert len(row) == 4 if name.endswith(" pixels") else 0 <= row[4] <= row[5] == 2


@pytest.mark.full
@SEEDS
def test_a_vae_of_all_images_helps_classifiers_that_have_few_labels(tmp_path, seed):
    check_semi_supervised(run(tmp_path, "semi_supervised", "--seed", seed).table)


@pytest.mark.full
@on_mnist
def test_a_vae_of_all_images_helps_classifiers_that_have_few_labels_on_mnist(tmp_path):
    check_semi_supervised(run(tmp_path, "semi_supervised", data=MNIST).table)


@pytest.mark.demo
def test_augmentation_quick_prints_every_way_of_adding_images(tmp_path):
    table, pictures = quick(tmp_path, "augmentation")
    assert next(iter(table)) == "plus nothing" and len(table) == 7
    # An accuracy and its spread in each of two columns; one draw of the images has no spread.
    assert all(10 < x <= 100 for row in table.values() for x in row[::2])
    assert all(row[1::2] == [0, 0] for row in table.values())
    assert pictures == {"samples", "accuracy"}


def check_augmentation(table):
    """Hold the claims; the columns are softmax and nearest, 5 images of each digit and 20."""
    means, spreads = ({name: np.array(row[i::2]) for name, row in table.items()} for i in (0, 1))
    nothing, shifts = means["plus nothing"], means["plus shifts by a pixel"]
    prior, variations = means["plus VAE, from the prior"], means["plus VAE, variations"]
    assert (shifts > nothing).all() and (means["plus 50 real images"] > shifts).all()
    assert (prior < shifts).all() and (variations < shifts).all()
    # No gain beyond two standard errors of a difference of means. A spread over five draws is
    # twice the error of their mean; rows share their draws, so that this overstates the error.
    unclear = {name: np.hypot(s, spreads["plus nothing"]) for name, s in spreads.items()}
    for name, mean in (("plus VAE, from the prior", prior), ("plus VAE, variations", variations)):
        assert (mean - nothing < unclear[name])[::2].all()  # softmax
    by_nearest = slice(1, None, 2)
    assert (variations > nothing)[by_nearest].all()
    assert (variations > prior)[by_nearest].all()
    assert (means["plus mixtures of two"] > variations)[by_nearest].all()


@pytest.mark.full
def test_shifts_help_more_than_a_vae_fitted_to_the_same_few_and_mixtures_do_with_nearest(tmp_path):
    check_augmentation(run(tmp_path, "augmentation").table)


@pytest.mark.full
@on_mnist
def test_on_mnist_too_shifts_help_most_over_both_classifiers_and_both_sizes(tmp_path):
    table, _ = run(tmp_path, "augmentation", data=MNIST)
    # Shifts help less there: by less than the spread over draws, in a column by itself.
    mean = {name: np.mean(row[::2]) for name, row in table.items()}
    for name in ("plus nothing", "plus VAE, from the prior", "plus VAE, variations"):
        assert mean["plus 50 real images"] > mean["plus shifts by a pixel"] > mean[name]
    mixtures, variations = table["plus mixtures of two"], table["plus VAE, variations"]
    assert mixtures[2] > variations[2] and mixtures[6] > variations[6]  # by the nearest neighbour


def test_each_way_makes_as_many_images_of_each_digit_and_shifts_lose_no_ink():
    images, labels, _ = datasets.synthetic_digits(300, seed=5)
    with load("augmentation") as demo:
        real = demo.pick(labels, 2, np.random.default_rng(6))
        ways = demo.additions(images[real], labels[real], 9, 1, np.random.default_rng(7))
    assert len(ways.pop("nothing")) == 0
    for made in ways.values():
        assert made.shape == (10 * 9, 28, 28) and 0 <= made.min() and made.max() <= 1
    ink = images[real].sum(axis=(1, 2)).reshape(10, 2)
    shifted = ways["shifts by a pixel"].sum(axis=(1, 2)).reshape(10, 9)
    # The sums of 784 float32 numbers, in other orders, differ by 784 roundings of 6e-8 at most.
    nearest = np.abs(shifted[:, :, None] / ink[:, None] - 1).min(axis=2)
    assert nearest.max() < 784 * 6e-8
    # No ink leaves on one side and comes in on the other: the outermost pixels are blank.
    assert images[:, [0, -1]].max() == images[:, :, [0, -1]].max() == 0
