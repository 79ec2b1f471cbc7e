"""The demos on drawing new data, and on the factors behind the codes."""

import importlib

import numpy as np
import pytest
from demo_runs import DEMOS, MNIST, Run, on_mnist, quick, run

from miniae import datasets


@pytest.fixture
def demo(monkeypatch):
    """Import a demo as a module, as Python finds it for a script in its folder."""
    monkeypatch.syspath_prepend(str(DEMOS))
    return importlib.import_module


@pytest.mark.slow
def test_augmentation_quick_prints_every_way_of_adding_images(tmp_path):
    table, pictures = quick(tmp_path, "augmentation")
    assert next(iter(table)) == "plus nothing" and len(table) == 7
    # An accuracy and its spread in each of four columns; one draw of the images has no spread.
    assert all(10 < x <= 100 for row in table.values() for x in row[::2])
    assert all(row[1::2] == [0, 0, 0, 0] for row in table.values())
    assert pictures == {"samples", "accuracy"}


@pytest.mark.slow
def test_shifted_images_help_more_than_samples_of_a_vae_fitted_to_the_same_few(tmp_path):
    table, _ = run(tmp_path, "augmentation")
    means = {name: np.array(row[::2]) for name, row in table.items()}
    nothing, shifts = means["plus nothing"], means["plus shifts by a pixel"]
    assert (shifts > nothing).all() and (means["plus 50 real images"] > shifts).all()
    for name in ("plus VAE, from the prior", "plus VAE, variations"):
        assert (means[name] < shifts).all()
    by_nearest = slice(1, None, 2)
    assert (means["plus VAE, variations"] > nothing)[by_nearest].all()


@pytest.mark.slow
@on_mnist
def test_on_mnist_too_shifts_help_most_over_both_classifiers_and_both_sizes(tmp_path):
    table, _ = run(tmp_path, "augmentation", data=MNIST)
    # Shifts help less there: by less than the spread over draws, in a column by itself.
    mean = {name: np.mean(row[::2]) for name, row in table.items()}
    for name in ("plus nothing", "plus VAE, from the prior", "plus VAE, variations"):
        assert mean["plus 50 real images"] > mean["plus shifts by a pixel"] > mean[name]


def test_few_images_and_added_ones_never_meet(demo):
    labels = np.random.default_rng(3).permutation(np.arange(200) % 10)
    picked = demo("common").pick(labels, 7, np.random.default_rng(4))
    assert len(set(picked)) == 70
    assert (labels[picked].reshape(10, 7) == np.arange(10)[:, None]).all()


def test_each_way_makes_as_many_images_of_each_digit_and_shifts_lose_no_ink(demo):
    module = demo("augmentation")
    images, labels, _ = datasets.synthetic_digits(300, seed=5)
    real = demo("common").pick(labels, 2, np.random.default_rng(6))
    ways = module.additions(images[real], labels[real], 1, np.random.default_rng(7))
    assert len(ways.pop("nothing")) == 0
    for made in ways.values():
        assert made.shape == (10 * module.ADDED, 28, 28) and 0 <= made.min() and made.max() <= 1
    ink = images[real].sum(axis=(1, 2)).reshape(10, 2)
    shifted = ways["shifts by a pixel"].sum(axis=(1, 2)).reshape(10, module.ADDED)
    # The sums of 784 float32 numbers, in other orders, differ by 784 roundings of 6e-8 at most.
    nearest = np.abs(shifted[:, :, None] / ink[:, None] - 1).min(axis=2)
    assert nearest.max() < 784 * 6e-8


def arithmetic(done):
    """Return the second table of the demo on factors."""
    return Run("\n\n" + done.text[done.text.index("stroke of thin digits") :], done.out).table


@pytest.mark.slow
def test_factors_quick_prints_both_tables_with_pca_in_them(tmp_path):
    done = quick(tmp_path, "factors")
    assert next(iter(done.table)) == "PCA, best latent" and len(done.table) == 10
    assert all(len(row) == 8 and 0 <= min(row) <= max(row) <= 1 for row in done.table.values())
    assert list(arithmetic(done))[:2] == ["real: thin, thick", "PCA"]
    assert done.pictures == {"correlations", "traversal", "interpolation", "arithmetic"}


@pytest.mark.slow
def test_a_large_beta_gathers_slant_in_one_latent_and_loses_thickness_and_position(tmp_path):
    done = run(tmp_path, "factors")
    # The standard error of a correlation over 2000 digits is 1 / sqrt(2000) = 0.022 at most.
    slant, _, _, _, x, y, thickness, _ = (
        {name: row[i] for name, row in done.table.items()} for i in range(8)
    )
    assert slant["beta = 10, best latent"] > slant["beta = 1, best latent"] + 0.1
    assert abs(slant["beta = 10, best latent"] - slant["PCA, best latent"]) < 0.1
    assert slant["beta = 10, all 10"] < slant["beta = 10, best latent"] + 0.05
    for beta in ("beta = 1", "beta = 4", "beta = 10"):
        assert thickness["PCA, best latent"] > thickness[f"{beta}, best latent"] + 0.1
    for factor in (x, y, thickness):
        assert factor["beta = 10, all 10"] < factor["beta = 1, all 10"] / 2
        assert factor["beta = 10, means, all 10"] > factor["beta = 10, all 10"] + 0.1
    assert thickness["beta = 1, all 10"] < thickness["PCA, all 10"]

    stroke = arithmetic(done)
    thin, thick = stroke["real: thin, thick"]
    gain = {name: after - before for name, (before, after) in stroke.items()}
    assert abs(stroke["beta = 1"][1] - thick) < abs(stroke["PCA"][1] - thick)
    assert gain["beta = 1"] > 0.5 * (thick - thin) and gain["beta = 10"] < 0.2 * (thick - thin)


def test_the_measured_thickness_is_the_pens(demo):
    factors = demo("factors")
    images, _, known = datasets.synthetic_digits(500, seed=6)
    assert np.corrcoef(factors.thickness(images), known["thickness"])[0, 1] > 0.95
    bar = np.zeros((1, 28, 28))
    bar[:, 10:13, 4:24] = 1  # ink 60; the edge is 2 (19 + 2) long, and half sqrt 2 at each corner
    assert factors.thickness(bar) == pytest.approx(120 / (42 + 2 * 2**0.5), rel=1e-14)


def test_pca_told_the_class_takes_the_classes_means_out_of_the_codes(demo):
    images, labels, _ = datasets.synthetic_digits(300, seed=7)
    model = demo("factors").ConditionalPCA().fit(images, labels)
    codes = model.encode(images, labels)
    of_class = np.stack([codes[labels == c].mean(axis=0) for c in range(10)])
    assert np.abs(of_class).max() < 1e-4  # the images are float32: 784 roundings of 6e-8
    nothing = model.decode(np.zeros((10, 10)), np.arange(10))
    assert np.allclose(nothing[3], images[labels == 3].mean(axis=0), atol=1e-5)
