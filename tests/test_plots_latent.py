"""Pictures of codes, filters and denoising hold what they claim to show; see test_plots.py."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from miniae import VAE, Autoencoder, ConditionalVAE, Conv2D, Dense, Flatten, Sequential, plots

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning"),
]
MINUS = "\N{MINUS SIGN}"


class Ramp:
    """A stand-in whose images have one value each, so that every tile of a sheet can be told.

    Along latent d a traversal at step s is (d + s / 10) / 10; half way from a to b is their mean.
    """

    latent_dim = 3

    def __init__(self, shape=(2, 3)):
        self.shape = shape

    def traverse(self, x=None, dims=None, span=(-3, 3), steps=11):
        self.given = (x, dims, span, steps)
        dims = range(self.latent_dim) if dims is None else dims
        values = np.array([[(d + s / 10) / 10 for s in range(steps)] for d in dims])
        return np.broadcast_to(
            values.reshape(*values.shape, *[1] * len(self.shape)), (*values.shape, *self.shape)
        )

    def interpolate(self, a, b, steps=10):
        t = np.linspace(0, 1, steps).reshape(1, -1, *[1] * (a.ndim - 1))
        return (1 - t) * a[:, None] + t * b[:, None]

    def reconstruct(self, X):
        return X / 2

    def kl_per_dimension(self, X, **side):
        self.side = side
        return np.array([2.0, 0.001, 0.5])

    def encode(self, X, **side):
        self.side = side
        return np.outer(np.linspace(-1, 1, len(X)), [1.0, 0.001, 0.5])


@pytest.fixture(autouse=True)
def _no_show_and_no_figure_left(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a plotting function called show()")

    monkeypatch.setattr(plt, "show", refuse)
    monkeypatch.setattr(Figure, "show", refuse)
    yield
    plt.close("all")


@pytest.fixture
def images():
    return np.random.default_rng(0).random((4, 2, 3))


def picture(fig):
    """The image array of a figure, with NaN between filters."""
    return np.ma.filled(fig.axes[0].images[0].get_array(), np.nan)


def words(fig):
    return [text.get_text() for text in fig.texts]


def ticks(axis):
    texts = [text.get_text().replace(MINUS, "-") for text in axis.get_ticklabels()]
    return dict(zip(axis.get_ticklocs(), texts, strict=True))


def draw_all(images):
    return [
        plots.traversal(Ramp()),
        plots.interpolation(Ramp(), images, images[::-1]),
        plots.kl_per_dimension(Ramp(), images),
        plots.code_activity(Ramp(), images),
        plots.filters(Dense(6, 5), image_shape=(2, 3)),
        plots.denoising(Ramp(), images, images),
    ]


def test_each_function_returns_a_new_figure_with_words_and_leaves_all_else_alone(images):
    settings, state = dict(matplotlib.rcParams), np.random.get_state()[1].copy()
    before = images.copy()
    images.flags.writeable = False
    figs = draw_all(images)
    assert dict(matplotlib.rcParams) == settings
    assert np.array_equal(np.random.get_state()[1], state) and np.array_equal(images, before)
    assert [plt.figure(number) for number in plt.get_fignums()] == figs
    for fig in figs:
        assert fig.axes[0].get_title() or words(fig)
    for fig in figs[:1] + figs[2:4]:
        assert fig.axes[0].get_xlabel()
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figs[2].axes + figs[3].axes)


def test_the_public_names_are_in_miniae_plots():
    assert {"traversal", "interpolation", "filters", "samples"} < set(plots.__all__)
    assert all(getattr(plots, name).__doc__.count("---") >= 2 for name in plots.__all__)


def test_a_traversal_has_a_row_per_latent_and_a_column_per_value():
    model = Ramp()
    fig = plots.traversal(model, dims=[2, 0], span=(-1, 2), steps=4)
    sheet, ax = picture(fig), fig.axes[0]
    assert sheet.shape == (2 + 1 + 2, 4 * 3 + 3)
    for row, d in enumerate((2, 0)):
        for s in range(4):
            assert np.all(sheet[3 * row : 3 * row + 2, 4 * s : 4 * s + 3] == (d + s / 10) / 10)
    assert ticks(ax.yaxis) == {0.5: "z[2]", 3.5: "z[0]"}
    assert ticks(ax.xaxis) == {1.0: "-1.00", 5.0: "0.00", 9.0: "1.00", 13.0: "2.00"}
    assert model.given == (None, [2, 0], (-1, 2), 4)
    assert "all others at 0" in ax.get_title()
    assert "the code of x" in plots.traversal(model, np.ones((2, 3))).axes[0].get_title()


@pytest.mark.parametrize("steps", [2, 11, 20, 31])
def test_labelled_columns_show_the_value_that_they_stand_at(steps):
    fig = plots.traversal(Ramp(), steps=steps)
    labels, values = ticks(fig.axes[0].xaxis), np.linspace(-3, 3, steps)
    for place, text in labels.items():
        assert float(text) == pytest.approx(values[round((place - 1) / 4)], abs=0.0051)
    assert 2 <= len(labels) <= 8 and float(labels[1.0]) == -3
    assert float(labels[4 * (steps - 1) + 1]) == 3


def test_a_real_vae_is_traversed_in_all_its_latents():
    model = VAE((4, 4), 20, (5,))
    fig = plots.traversal(model)
    sheet = picture(fig)
    assert sheet.shape == (20 * 5 - 1, 11 * 5 - 1)
    np.testing.assert_allclose(sheet[5:9, 5:9], model.traverse()[1, 1], rtol=1e-6)
    assert len(ticks(fig.axes[0].yaxis)) == 20
    assert picture(plots.traversal(VAE((4, 4), 1, (5,)))).shape == (4, 54)
    colour = VAE((4, 4, 3), 2, (5,))
    assert picture(plots.traversal(colour, np.zeros((4, 4, 3)))).shape == (9, 54, 3)
    flat = VAE(6, 2, (5,))
    assert picture(plots.traversal(flat, image_shape=(2, 3))).shape == (5, 43)
    with pytest.raises(ValueError, match="image_shape"):
        plots.traversal(flat)
    with pytest.raises(ValueError, match="dims"):
        plots.traversal(model, dims=[20])
    with pytest.raises(ValueError, match="Autoencoder has no traverse method"):
        plots.traversal(Autoencoder((4, 4), 2))


def test_an_interpolation_leads_from_the_original_a_to_the_original_b(images):
    fig = plots.interpolation(Ramp(), images[:2], images[2:], steps=3)
    sheet, ax = picture(fig), fig.axes[0]
    assert sheet.shape == (2 + 1 + 2, 5 * 3 + 4)
    for i in range(2):
        a, b = images[i], images[2 + i]
        for column, image in enumerate((a, a, (a + b) / 2, b, b)):
            tile = sheet[3 * i : 3 * i + 2, 4 * column : 4 * column + 3]
            np.testing.assert_allclose(tile, image, rtol=1e-12)
    assert list(ticks(ax.xaxis).values()) == ["a", "0.00", "0.50", "1.00", "b"]
    assert len(ax.patches) == 4  # a frame around each original
    frames = {patch.get_xy() for patch in ax.patches}
    assert frames == {(-1, -1), (-1, 2), (15, -1), (15, 2)}


def test_a_real_model_is_interpolated_in_colour_and_flat(images):
    X = np.random.default_rng(0).random((4, 3, 3, 3))
    fig = plots.interpolation(VAE((3, 3, 3), 2, (5,)), X[:2], X[2:], steps=20)
    assert picture(fig).shape == (7, 22 * 4 - 1, 3)
    flat = images.reshape(4, 6)
    fig = plots.interpolation(Autoencoder(6, 2, (5,)), flat[:1], flat[1:2], image_shape=(2, 3))
    assert picture(fig).shape == (2, 12 * 4 - 1)


def test_pairs_that_are_none_are_refused(images):
    for A, B, words in (
        (images, images[:2], r"A has shape \(4, 2, 3\) and B \(2, 2, 3\)"),
        (images, np.full_like(images, np.nan), "B of shape .* NaN"),
        (images, 255 * images, "B reaches"),
        (images[0], images[1], "A has shape"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.interpolation(Ramp(), A, B)
    for steps in (1, 2.5, None):
        with pytest.raises(ValueError, match="steps must be a whole number, 2 or more"):
            plots.interpolation(Ramp(), images, images, steps=steps)
    assert plt.get_fignums() == []


def test_bars_are_the_kl_of_each_latent_in_order_with_the_active_ones_marked(images):
    fig = plots.kl_per_dimension(Ramp(), images)
    ax = fig.axes[0]
    bars = {round(bar.get_center()[0]): bar for bar in ax.patches}
    assert {j: bar.get_height() for j, bar in bars.items()} == {0: 2.0, 1: 0.001, 2: 0.5}
    assert bars[0].get_facecolor() == bars[2].get_facecolor() != bars[1].get_facecolor()
    (legend,) = fig.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["active: 2 of 3", "not in use: 1 of 3"]
    assert "2.5 nats in all" in ax.get_title() and "mean over 4 inputs" in ax.get_title()
    assert "nats" in ax.get_ylabel()


def test_bars_of_a_collapsed_vae_are_low_on_an_axis_that_does_not_blow_them_up():
    model = Ramp()
    model.kl_per_dimension = lambda X: np.array([1e-4, 2e-4])
    model.encode = lambda X: np.zeros((len(X), 2))
    fig = plots.kl_per_dimension(model, np.zeros((3, 2)))
    assert fig.axes[0].get_ylim() == (0, 0.05)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["not in use: 2 of 2"]


@pytest.mark.parametrize("latent_dim", [1, pytest.param(70, marks=pytest.mark.slow)])
def test_bars_agree_with_the_model_at_any_number_of_latents(latent_dim):
    X, model = np.random.default_rng(0).random((30, 6)), VAE(6, latent_dim, (8,))
    fig = plots.kl_per_dimension(model, X)
    fig.canvas.draw()
    heights = [bar.get_height() for bar in sorted(fig.axes[0].patches, key=lambda b: b.get_x())]
    np.testing.assert_allclose(heights, model.kl_per_dimension(X), rtol=1e-6)
    shown = [float(t) for t in fig.axes[0].get_xticks() if 0 <= t < latent_dim]
    assert shown and all(t == round(t) for t in shown) and len(shown) <= 21


def test_labels_reach_a_conditional_model(images):
    X, labels = np.random.default_rng(0).random((30, 6)), np.arange(30) % 3
    model = ConditionalVAE(6, 2, (8,), n_classes=3)
    plots.kl_per_dimension(model, X, labels=labels)
    plots.code_activity(model, X, labels=labels)
    with pytest.raises(ValueError, match="pass labels="):
        plots.kl_per_dimension(model, X)
    with pytest.raises(ValueError, match="Autoencoder has no kl_per_dimension"):
        plots.kl_per_dimension(Autoencoder(6, 2), X)


def test_activity_counts_every_entry_and_orders_the_units_by_their_means():
    codes = np.array([[0.0, 4.0, 1.0], [0.0, 8.0, 2.0]])
    model = Ramp()
    model.encode = lambda X: codes
    fig = plots.code_activity(model, np.zeros((2, 1)), bins=4)
    left, right = fig.axes
    assert [bar.get_height() for bar in left.patches] == [3, 1, 1, 1]
    assert left.get_yscale() == "log" and "33.3% exactly 0" in left.get_title()
    (outline,) = right.patches
    assert outline.get_data().values.tolist() == [6.0, 1.5, 0.0]
    assert outline.get_data().edges.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert list(left.lines[0].get_xdata()) == [2.5, 2.5]
    assert list(right.lines[0].get_ydata()) == [2.5, 2.5]
    assert left.get_legend().get_texts()[0].get_text() == "mean 2.5"
    assert words(fig) == ["Activity of 3 code units over 2 inputs"]


@pytest.mark.slow
def test_activity_of_a_real_model_of_one_unit_or_many_is_drawn():
    X = np.random.default_rng(0).random((30, 6))
    for d in (1, 300):
        plots.code_activity(Autoencoder(6, d, (), code_activation="sigmoid"), X)
    dead = Autoencoder(6, 3, (), code_activation="relu")
    dead.encoder.layers[0].params["b"][...] = -100
    fig = plots.code_activity(dead, X)
    fig.canvas.draw()  # a histogram of one value, on a logarithmic axis
    assert "100.0% exactly 0" in fig.axes[0].get_title()
    with pytest.raises(ValueError, match="bins must be a whole number"):
        plots.code_activity(dead, X, bins=0)
    with pytest.raises(ValueError, match="diverged"):
        broken = Ramp()
        broken.encode = lambda X: np.full((len(X), 2), np.nan)
        plots.code_activity(broken, X)


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
        (Dense(6, 4), r"no images of shape \(6,\).*image_shape"),
        (broken, "W of Dense.* has 1 NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.filters(thing)
    with pytest.raises(ValueError, match="n must be a whole number"):
        plots.filters(Dense(4, 4), n=0)
    assert plt.get_fignums() == []


def test_noisy_images_stand_above_their_repairs_and_the_clean_ones(images):
    noisy = np.clip(images + 0.1, 0, 1)
    fig = plots.denoising(Ramp(), noisy, images, n=3)
    sheet, ax = picture(fig), fig.axes[0]
    assert sheet.shape == (2 + 1 + 2 + 1 + 2, 3 * 3 + 2)
    for i in range(3):
        column = sheet[:, 4 * i : 4 * i + 3]
        assert np.array_equal(column[:2], noisy[i])
        assert np.array_equal(column[3:5], noisy[i] / 2)
        assert np.array_equal(column[6:], images[i])
    assert ticks(ax.yaxis) == {0.5: "noisy", 3.5: "denoised", 6.5: "clean"}
    before = np.mean((noisy[:3] - images[:3]) ** 2)
    after = np.mean((noisy[:3] / 2 - images[:3]) ** 2)
    assert ax.get_title().endswith(f"{before:.2g} before, {after:.2g} after")


def test_noise_beyond_the_range_counts_in_the_error_though_the_picture_clips_it(images):
    noisy = images + np.where(np.arange(3) == 1, 2.0, -2.0)
    fig = plots.denoising(Ramp(), noisy, images)
    assert "4 before" in fig.axes[0].get_title()
    assert picture(fig).min() == 0 and picture(fig).max() == 1


def test_denoising_pairs_that_are_none_are_refused(images):
    for noisy, clean, words in (
        (images, images[:2], r"noisy has shape \(4, 2, 3\) and clean \(2, 2, 3\)"),
        (255 * images, images, "noisy reaches"),
        (images, 255 * images, "clean reaches"),
        (images, np.full_like(images, np.nan), "clean of shape .* NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.denoising(Ramp(), noisy, clean)
    with pytest.raises(ValueError, match="n must be"):
        plots.denoising(Ramp(), images, images, n=0)
    assert plt.get_fignums() == []
