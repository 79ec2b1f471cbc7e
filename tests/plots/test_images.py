"""Curves, reconstructions, samples, filters and denoising show the right numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from stand_ins import HISTORY, Codes, Negative, Ramp, picture, ticks

from miniae import (
    VAE,
    Autoencoder,
    ConditionalVAE,
    Conv2D,
    Dense,
    Flatten,
    Sequential,
    plots,
)

pytestmark = pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")


def test_curves_are_the_history_against_epochs_counted_from_one():
    fig = plots.loss_curves(HISTORY)
    assert len(fig.axes) == 3
    for ax, name in zip(fig.axes, ("loss", "reconstruction", "kl"), strict=True):
        train, validation = ax.lines
        assert list(train.get_xdata()) == list(validation.get_xdata()) == [1, 2, 3]
        assert list(train.get_ydata()) == HISTORY[name]
        assert list(validation.get_ydata()) == HISTORY["val_" + name]
        assert (train.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert ax.get_xlabel() == "epoch"
        assert ax.get_ylabel() == f"{name}\n(nats per sample)"
    legend = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    assert legend == ["train", "validation"]


def test_one_epoch_is_a_visible_marker_at_a_whole_epoch():
    fig = plots.loss_curves({"loss": [2.0]})
    fig.canvas.draw()
    (line,) = fig.axes[0].lines
    assert line.get_marker() not in ("", "None", None)
    low, high = fig.axes[0].get_xlim()
    assert [x for x in fig.axes[0].get_xticks() if low <= x <= high] == [1]


def test_the_unit_applies_to_loss_terms_and_other_keys_get_a_panel_without_one():
    history = {"kl_weight": [0.5, 1.0], "loss": [2.0, 1.0], "kl": [0.1, 0.2], "lr": [1e-3, 1e-4]}
    fig = plots.loss_curves(history, unit="bits")
    labels = [ax.get_ylabel() for ax in fig.axes]
    assert labels == ["loss\n(bits)", "kl\n(bits)", "kl_weight", "lr"]


def test_curves_without_validation_skip_empty_lists_and_leave_gaps_at_nan():
    fig = plots.loss_curves({"loss": [2.0, np.nan, 1.0], "val_loss": []})
    (line,) = fig.axes[0].lines
    assert np.array_equal(line.get_ydata(), [2.0, np.nan, 1.0], equal_nan=True)


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ({}, "call fit first"),
        ({"loss": []}, "call fit first"),
        ({"loss": [1.0, 2.0], "val_loss": [1.0]}, r"val_loss.*\(1,\)"),
        ({"loss": 1.0}, "one number per epoch"),
        ({"loss": [[1.0, 2.0]]}, "one number per epoch"),
    ],
)
def test_a_history_without_epochs_or_of_ragged_lists_is_refused(history, words):
    with pytest.raises(ValueError, match=words):
        plots.loss_curves(history)


def test_originals_are_drawn_unscaled_above_their_reconstructions(images):
    fig = plots.reconstructions(Negative(), images, n=3)
    sheet = picture(fig)
    assert sheet.shape == (4 + 1 + 4, 3 * 4 + 2)
    for i in range(3):
        column = sheet[:, 5 * i : 5 * i + 4]
        assert np.array_equal(column[:4], images[i])
        assert np.array_equal(column[5:], 1 - images[i])
    ax = fig.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["input", "output"]
    assert list(ax.get_yticks()) == [1.5, 6.5]
    assert ax.images[0].get_clim() == (0, 1)
    assert ax.images[0].get_cmap().name == "gray_r"


def test_fewer_images_than_asked_for_are_all_drawn(images):
    assert picture(plots.reconstructions(Negative(), images, n=10)).shape == (9, 5 * 5 - 1)


def test_flat_square_and_one_channel_images_give_the_same_picture(images):
    expected = picture(plots.reconstructions(Negative(), images))
    for X in (images.reshape(5, 16), images[..., None], images.tolist()):
        model = Negative()
        model.reconstruct = lambda X: 1.0 - np.asarray(X)
        assert np.array_equal(picture(plots.reconstructions(model, X)), expected)


def test_the_model_receives_the_data_in_the_shape_they_came(images):
    seen = []
    model = Negative()
    model.reconstruct = lambda X: seen.append(X.shape) or X
    plots.reconstructions(model, images.reshape(5, 16), n=2)
    plots.reconstructions(model, images[..., None], n=2)
    assert seen == [(2, 16), (2, 4, 4, 1)]


def test_colour_images_are_drawn_in_colour_on_white_paper():
    fig = plots.samples(Negative((2, 3, 3)), n=3, seed=5)
    sheet, expected = picture(fig), Negative((2, 3, 3)).sample(3, seed=5)
    assert sheet.shape == (2 + 1 + 2, 3 + 1 + 3, 3)
    assert np.array_equal(sheet[:2, :3], expected[0])
    assert np.array_equal(sheet[:2, 4:], expected[1])
    assert np.array_equal(sheet[3:, :3], expected[2])
    assert np.all(sheet[2] == 1) and np.all(sheet[3:, 4:] == 1)


def test_flat_images_that_are_not_square_need_image_shape():
    X = np.random.default_rng(0).random((2, 6))
    with pytest.raises(ValueError, match=r"X has shape \(2, 6\).*image_shape"):
        plots.reconstructions(Negative(), X)
    sheet = picture(plots.reconstructions(Negative(), X, image_shape=(2, 3)))
    assert np.array_equal(sheet[:2, :3], X[0].reshape(2, 3))
    with pytest.raises(ValueError, match=r"\(2, 6\).*\(2, 4\)"):
        plots.reconstructions(Negative(), X, image_shape=(2, 4))


def test_values_outside_zero_to_one_are_clipped_but_bytes_are_refused(images):
    sheet = picture(plots.reconstructions(Negative(), 3 * images - 1))
    assert sheet.min() == 0 and sheet.max() == 1
    with pytest.raises(ValueError, match="X reaches 200"):
        plots.reconstructions(Negative(), np.full((2, 4, 4), 200, np.uint8))


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((0, 4, 4)), r"X has shape \(0, 4, 4\)"),
        (np.full((2, 4, 4), np.nan), r"X of shape \(2, 4, 4\) has 32 NaN"),
        (np.zeros(16), r"X has shape \(16,\)"),
        (np.zeros((2, 4, 4, 2)), r"X has shape \(2, 4, 4, 2\)"),
        (np.array(["a", "b"]), "X has .*dtype <U1"),
    ],
)
def test_data_that_are_not_images_are_refused_by_name_and_shape(X, words):
    with pytest.raises(ValueError, match=words):
        plots.reconstructions(Negative(), X)


def test_samples_fill_a_square_grid_row_by_row_and_leave_the_rest_blank():
    fig = plots.samples(Negative(), n=7, seed=3)
    sheet, expected = picture(fig), Negative().sample(7, seed=3)
    assert sheet.shape == (14, 14)
    for i in range(7):
        row, col = divmod(i, 3)
        assert np.array_equal(sheet[5 * row : 5 * row + 4, 5 * col : 5 * col + 4], expected[i])
    assert np.all(sheet[10:, 5:] == 0)


def test_the_seed_reaches_the_model():
    first, again, other = (picture(plots.samples(Negative(), 4, seed=s)) for s in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_model_without_a_prior_cannot_be_sampled():
    with pytest.raises(ValueError, match="Codes has no sample method"):
        plots.samples(Codes())


def test_a_diverged_model_is_named_rather_than_drawn_blank():
    model = Negative()
    model.sample = lambda n, seed: np.full((n, 4, 4), np.nan)
    with pytest.raises(ValueError, match=r"model.sample\(2\).*diverged"):
        plots.samples(model, 2)


def test_filters_are_the_columns_of_w_on_one_scale_centred_on_zero():
    layer = Dense(6, 5, rng=1)
    W = layer.params["W"]
    fig = plots.filters(layer, n=4, image_shape=(2, 3))
    sheet, ax = picture(fig), fig.axes[0]
    assert sheet.shape == (2 + 1 + 2, 3 + 1 + 3)
    for j, (top, left) in enumerate(((0, 0), (0, 4), (3, 0), (3, 4))):
        assert np.array_equal(sheet[top : top + 2, left : left + 3], W[:, j].reshape(2, 3))
    assert np.isnan(sheet[2]).all() and np.isnan(sheet[:, 3]).all()
    low, high = ax.images[0].get_clim()
    assert -low == high == pytest.approx(np.abs(W[:, :4]).max())
    assert "First 4 of 5 filters" in ax.get_title() and str(layer) in ax.get_title()
    assert fig.axes[1].get_ylabel() == "weight"
    assert not ax.patches
    fig = plots.filters(layer, image_shape=(2, 3))
    assert "5 of 5" in fig.axes[0].get_title() and "First" not in fig.axes[0].get_title()
    (blank,) = fig.axes[0].patches  # the last place of the last row has no filter
    assert blank.get_xy() == (7.5, 2.5) and blank.get_width() == 4


def test_a_model_gives_its_first_layer_with_weights_in_the_shape_of_its_images():
    model = VAE((10, 9), 2, (3,))
    sheet = picture(plots.filters(model))
    W = model.encoder.layers[1].params["W"]
    assert sheet.shape == (22, 20)  # two pixels apart
    assert np.array_equal(sheet[:10, 11:], W[:, 1].reshape(10, 9))
    flat = Autoencoder(16, 2, (70,))
    assert picture(plots.filters(flat)).shape == (8 * 5 - 1, 8 * 5 - 1)
    assert picture(plots.filters(Autoencoder(6, 2, (4,)), image_shape=(3, 2))).shape == (7, 5)
    nested = Sequential(Flatten(), Sequential(Sequential(Dense(16, 2))))
    assert picture(plots.filters(Autoencoder((4, 4), 2, encoder=nested))).shape == (4, 9)


def test_filters_of_a_conditional_model_leave_the_weights_of_the_label_out():
    model = ConditionalVAE((4, 4), 2, (3,), n_classes=5)
    sheet = picture(plots.filters(model))
    W = model.encoder.layers[2].params["W"]
    assert W.shape == (21, 3) and np.array_equal(sheet[:4, :4], W[:16, 0].reshape(4, 4))


def test_kernels_of_a_convolution_are_drawn_by_channel_or_in_colour():
    one = Conv2D(1, 7, 3)
    sheet = picture(plots.filters(one))
    assert sheet.shape == (11, 11)
    assert np.array_equal(sheet[:3, 4:7], one.params["W"][:, :, 0, 1])
    many = Conv2D(4, 5, 3)
    fig = plots.filters(many, n=2)
    sheet = picture(fig)
    assert sheet.shape == (7, 15)
    assert np.array_equal(sheet[4:, 8:11], many.params["W"][:, :, 2, 1])
    assert (fig.axes[0].get_xlabel(), fig.axes[0].get_ylabel()) == (
        "channel of the input",
        "filter",
    )
    colour = Conv2D(3, 4, 5)
    sheet, W = picture(plots.filters(colour)), colour.params["W"]
    assert sheet.shape == (11, 11, 3)
    expected = 0.5 + W[:, :, :, 1] / (2 * np.abs(W).max())
    np.testing.assert_allclose(sheet[:5, 6:], expected, atol=1e-6)
    assert sheet.min() >= 0 and sheet.max() == 1.0
    encoder = Sequential(Conv2D(1, 6, 3), Flatten(), Dense(24, 2))
    model = Autoencoder((4, 4, 1), 2, encoder=encoder)
    assert "6 of 6 filters of\nConv2D" in plots.filters(model).axes[0].get_title()


def test_colour_images_have_filters_in_colour_with_grey_for_zero():
    model = VAE((4, 4, 3), 2, (5,))
    model.encoder.layers[1].params["W"][:, 0] = 0
    fig = plots.filters(model)
    assert np.all(picture(fig)[:4, :4] == 0.5)
    assert "grey is 0" in fig.axes[0].get_title()


def test_weights_that_are_all_zero_are_drawn_white():
    layer = Dense(4, 4)
    layer.params["W"] = np.zeros((4, 4))
    assert np.nanmax(np.abs(picture(plots.filters(layer)))) == 0


def test_what_has_no_weights_to_draw_is_refused():
    broken = Dense(4, 4)
    broken.params["W"][0, 0] = np.nan
    for thing, words in (
        (Flatten(), r"a Dense or Conv2D layer.*Flatten\(\)"),
        (3, "a Dense or Conv2D layer"),
        (Dense(6, 4), r"not images \(6,\).*image_shape"),
        (broken, "W of Dense.* has 1 NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.filters(thing)
    with pytest.raises(ValueError, match="n must be a whole number"):
        plots.filters(Dense(4, 4), n=0)
    assert plt.get_fignums() == []


def test_noisy_images_are_above_the_denoised_and_the_clean_ones(wide):
    noisy = np.clip(wide + 0.1, 0, 1)
    fig = plots.denoising(Ramp(), noisy, wide, n=3)
    sheet, ax = picture(fig), fig.axes[0]
    assert sheet.shape == (2 + 1 + 2 + 1 + 2, 3 * 3 + 2)
    for i in range(3):
        column = sheet[:, 4 * i : 4 * i + 3]
        assert np.array_equal(column[:2], noisy[i])
        assert np.array_equal(column[3:5], noisy[i] / 2)
        assert np.array_equal(column[6:], wide[i])
    assert ticks(ax.yaxis) == {0.5: "noisy", 3.5: "denoised", 6.5: "clean"}
    before = np.mean((noisy[:3] - wide[:3]) ** 2)
    after = np.mean((noisy[:3] / 2 - wide[:3]) ** 2)
    assert ax.get_title().endswith(f"{before:.2g} before, {after:.2g} after")


def test_noise_beyond_the_range_counts_in_the_error_though_the_picture_clips_it(wide):
    noisy = wide + np.where(np.arange(3) == 1, 2.0, -2.0)
    fig = plots.denoising(Ramp(), noisy, wide)
    assert "4 before" in fig.axes[0].get_title()
    assert picture(fig).min() == 0 and picture(fig).max() == 1


def test_denoising_refuses_images_that_do_not_match(wide):
    for noisy, clean, words in (
        (wide, wide[:2], r"noisy has shape \(4, 2, 3\) and clean \(2, 2, 3\)"),
        (255 * wide, wide, "noisy reaches"),
        (wide, 255 * wide, "clean reaches"),
        (wide, np.full_like(wide, np.nan), "clean of shape .* NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.denoising(Ramp(), noisy, clean)
    with pytest.raises(ValueError, match="n must be"):
        plots.denoising(Ramp(), wide, wide, n=0)
    assert plt.get_fignums() == []


def test_loss_curves_take_a_model_its_history_or_a_list():
    model = Autoencoder(6, 2, (4,))
    X = np.random.default_rng(0).random((20, 6), dtype=np.float32)
    with pytest.raises(ValueError, match="call fit first"):
        plots.loss_curves(model)
    model.fit(X, epochs=3, validation_split=0.2, verbose=0)
    for given in (model, model.history):
        lines = plots.loss_curves(given).axes[0].lines
        assert lines[0].get_ydata().tolist() == model.history["loss"]
    (line,) = plots.loss_curves([3.0, 2.0]).axes[0].lines
    assert line.get_ydata().tolist() == [3.0, 2.0]
    for wrong in ("loss", 3.0, X, None):
        with pytest.raises(ValueError, match="history must be a model, its history, or a list"):
            plots.loss_curves(wrong)


def test_a_grid_shows_the_first_images_of_a_bare_array():
    images = np.random.default_rng(0).random((7, 4, 4))
    fig = plots.grid(images, 5)
    sheet = fig.axes[0].images[0].get_array()
    assert sheet.shape == (2 * 4 + 1, 3 * 4 + 2) and fig.axes[0].get_title() == "5 images"
    np.testing.assert_array_equal(sheet[:4, 5:9], images[1])
    np.testing.assert_array_equal(sheet[5:, :4], images[3])
    flat = plots.grid(images.reshape(7, 16), 5, title="mine")
    np.testing.assert_array_equal(flat.axes[0].images[0].get_array(), sheet)
    assert flat.axes[0].get_title() == "mine"
    with pytest.raises(ValueError, match=r"reaches 255.*expected \[0, 1\]"):
        plots.grid(images * 0 + 255)
    with pytest.raises(ValueError, match=r"array of shape \(7, 4, 4\): plots.grid draws"):
        plots.samples(images)
    with pytest.raises(ValueError, match=r"array of shape \(7, 4, 4\): plots.grid draws"):
        plots.reconstructions(images, images)


@pytest.mark.parametrize("name", ["plot_history", "imshow", "plot_latent_space", "make_grid"])
def test_a_name_of_another_library_says_which_plot_it_is(name):
    with pytest.raises(AttributeError, match=f"miniae.plots has no '{name}': here it is called"):
        getattr(plots, name)
