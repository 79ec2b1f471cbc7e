"""The demos on drawing new data, and on the factors behind the codes."""

import numpy as np
import pytest
from demo_runs import MNIST, Run, load, on_mnist, quick, run

from miniae import datasets


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
    assert (prior - nothing < unclear["plus VAE, from the prior"]).all()
    assert (variations - nothing < unclear["plus VAE, variations"])[::2].all()  # softmax
    by_nearest = slice(1, None, 2)
    assert (variations > nothing)[by_nearest].all()
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


def test_pca_told_the_class_takes_the_classes_means_out_of_the_codes():
    images, labels, _ = datasets.synthetic_digits(300, seed=7)
    with load("factors") as demo:
        model = demo.ConditionalPCA().fit(images, labels)
    codes = model.encode(images, labels)
    of_class = np.stack([codes[labels == c].mean(axis=0) for c in range(10)])
    assert np.abs(of_class).max() < 1e-4  # the images are float32: 784 roundings of 6e-8
    nothing = model.decode(np.zeros((10, 10)), np.arange(10))
    assert np.allclose(nothing[3], images[labels == 3].mean(axis=0), atol=1e-5)
