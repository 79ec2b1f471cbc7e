"""Plots of codes show the right numbers, for stand-ins with known answers and for models."""

from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba
from stand_ins import Codes, Ramp, Slopes, picture, texts, ticks

from miniae import VAE, Autoencoder, ConditionalVAE, plots

pytestmark = pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")


def test_scatter_points_are_the_codes_in_the_order_of_the_data(points):
    fig = plots.latent_scatter(Codes(3), points, dims=(2, 0))
    ax = fig.axes[0]
    assert np.array_equal(ax.collections[0].get_offsets(), points[:, [2, 0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z[2]", "z[0]")
    assert ax.get_aspect() == 1
    assert ax.collections[0].get_rasterized()
    assert not fig.legends


def test_scatter_colours_are_the_classes_named_in_the_legend(points):
    labels = np.array(["cat", "dog", "ant"] * 4)
    fig = plots.latent_scatter(Codes(), points, labels)
    (legend,) = fig.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["ant", "cat", "dog"]
    colour_of = {
        name: to_hex(key.get_color())
        for name, key in zip(names, legend.legend_handles, strict=True)
    }
    drawn = [to_hex(colour) for colour in fig.axes[0].collections[0].get_facecolors()]
    assert drawn == [colour_of[label] for label in labels]


def test_ten_classes_get_ten_colours_and_more_numbers_a_colour_bar(points):
    fig = plots.latent_scatter(Codes(), points, np.arange(12) % 10)
    keys = fig.legends[0].legend_handles
    assert len({to_rgba(key.get_color()) for key in keys}) == 10
    quantity = np.linspace(-1, 1, 12)
    fig = plots.latent_scatter(Codes(), points, quantity)
    assert not fig.legends and len(fig.axes) == 2
    assert np.array_equal(fig.axes[0].collections[0].get_array(), quantity)


@pytest.mark.slow
def test_a_scatter_of_many_points_is_quick_and_of_one_point_possible():
    X = np.random.default_rng(0).standard_normal((60000, 2)).astype("float32")
    plots.latent_scatter(Codes(), X, np.arange(60000) % 10).canvas.draw()
    plots.latent_scatter(Codes(), X[:1], [3]).canvas.draw()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(11), r"labels has shape \(11,\), X has shape \(12, 3\)"),
        (np.eye(12), r"labels has shape \(12, 12\).*argmax"),
        (np.full(12, np.nan), "labels of shape .* NaN"),
        (np.array(list("abcdefghijkl")), "labels has 12 classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(points, labels, words):
    with pytest.raises(ValueError, match=words):
        plots.latent_scatter(Codes(), points, labels)


@pytest.mark.parametrize("dims", [(0, 2), (-1, 0), (1, 1), (0,), (0, 1, 2), 0, (0.0, 1.0), (-2, 5)])
def test_dims_that_are_not_two_dimensions_of_the_code_are_refused(points, dims):
    for draw in (
        lambda: plots.latent_scatter(Codes(), points, dims=dims),
        lambda: plots.latent_manifold(Slopes(), dims=dims),
    ):
        with pytest.raises(ValueError, match="dims must be two different ints from 0 to 1"):
            draw()


def test_one_latent_dimension_is_too_few_for_a_plane(points):
    with pytest.raises(ValueError, match="two latent dimensions, got 1"):
        plots.latent_scatter(Codes(1), points)
    with pytest.raises(ValueError, match="two latent dimensions, got 1"):
        plots.latent_manifold(Slopes(1))


def test_a_scatter_of_nothing_or_of_nan_is_refused(points):
    with pytest.raises(ValueError, match=r"X has shape \(0, 3\)"):
        plots.latent_scatter(Codes(), points[:0])
    points[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"X of shape \(12, 3\) has 1 NaN"):
        plots.latent_scatter(Codes(), points)


def test_on_the_manifold_z0_grows_rightward_and_z1_upward_by_equal_probability():
    fig = plots.latent_manifold(Slopes(), n=5)
    sheet = picture(fig)
    assert sheet.shape == (5 * 2, 5 * 3)
    ax = fig.axes[0]
    assert ax.yaxis_inverted()  # the first row of the array is the top of the picture
    # Pixel 0 is Phi(z[0]) and pixel 1 is Phi(z[1]): the probabilities 0.1, 0.3, ... 0.9.
    share = (np.arange(5) + 0.5) / 5
    np.testing.assert_allclose(sheet[::2, 0::3], np.tile(share, (5, 1)), atol=1e-12)
    np.testing.assert_allclose(sheet[::2, 1::3], np.tile(share[::-1, None], (1, 5)), atol=1e-12)


@pytest.mark.parametrize(
    "n", [1, 13, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 5, 20))]
)
def test_manifold_ticks_are_at_the_images_whose_z_they_show(n):
    fig = plots.latent_manifold(Slopes(), n=n)
    sheet, ax = picture(fig), fig.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z[0]", "z[1]")
    shown = []
    for axis, size, pixel in ((ax.xaxis, 3, 0), (ax.yaxis, 2, 1)):
        for at, text in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
            tile = int(at // size)
            assert at == size * tile + (size - 1) / 2
            probability = sheet[0, 3 * tile] if pixel == 0 else sheet[2 * tile, 1]
            z = float(text.get_text().replace("\N{MINUS SIGN}", "-"))
            assert z == pytest.approx(NormalDist().inv_cdf(probability), abs=0.0051)
            shown.append(z)
    assert sum(shown) == pytest.approx(0)  # the ticks are symmetric about zero
    assert len(shown) == 2 * (n if n <= 12 else 6 + n % 2)


def test_a_style_sheet_neither_turns_pictures_over_nor_draws_a_grid_on_them():
    with plt.rc_context({"image.origin": "lower", "axes.grid": True}):
        ax = plots.latent_manifold(Slopes(), n=2).axes[0]
    assert ax.yaxis_inverted()
    assert not any(line.get_visible() for line in ax.get_xgridlines() + ax.get_ygridlines())


def test_the_manifold_varies_the_chosen_dimensions_and_keeps_the_others_at_zero():
    model = Slopes(4)
    fig = plots.latent_manifold(model, n=3, dims=(3, 1), span=(-2, 4))
    assert model.z.shape == (9, 4)
    assert np.all(model.z[:, [0, 2]] == 0)
    assert np.array_equal(model.z[:3, 3], [-2, 1, 4]) and np.all(model.z[:3, 1] == 4)
    assert (fig.axes[0].get_xlabel(), fig.axes[0].get_ylabel()) == ("z[3]", "z[1]")
    assert "other z at 0" in fig.axes[0].get_title()


def test_latent_dim_may_be_given_where_the_model_has_none():
    model = Slopes()
    del model.latent_dim
    plots.latent_manifold(model, n=2, latent_dim=3)
    assert model.z.shape == (4, 3)


@pytest.mark.parametrize("span", [(1, 1), (2, -2), (0, np.inf), (0, np.nan), 3, (1, 2, 3)])
def test_a_span_that_is_not_an_interval_is_refused(span):
    with pytest.raises(ValueError, match="span must be two finite numbers"):
        plots.latent_manifold(Slopes(), n=3, span=span)


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
def test_labels_of_columns_show_the_value_of_the_column(steps):
    fig = plots.traversal(Ramp(), steps=steps)
    labels, values = ticks(fig.axes[0].xaxis), np.linspace(-3, 3, steps)
    for place, text in labels.items():
        assert float(text) == pytest.approx(values[round((place - 1) / 4)], abs=0.0051)
    assert 2 <= len(labels) <= 8 and float(labels[1.0]) == -3
    assert float(labels[4 * (steps - 1) + 1]) == 3


@pytest.mark.slow
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


def test_an_interpolation_leads_from_the_original_a_to_the_original_b(wide):
    fig = plots.interpolation(Ramp(), wide[:2], wide[2:], steps=3)
    sheet, ax = picture(fig), fig.axes[0]
    assert sheet.shape == (2 + 1 + 2, 5 * 3 + 4)
    for i in range(2):
        a, b = wide[i], wide[2 + i]
        for column, image in enumerate((a, a, (a + b) / 2, b, b)):
            tile = sheet[3 * i : 3 * i + 2, 4 * column : 4 * column + 3]
            np.testing.assert_allclose(tile, image, rtol=1e-12)
    assert list(ticks(ax.xaxis).values()) == ["a", "0.00", "0.50", "1.00", "b"]
    assert len(ax.patches) == 4  # a frame around each original
    frames = {patch.get_xy() for patch in ax.patches}
    assert frames == {(-1, -1), (-1, 2), (15, -1), (15, 2)}


def test_a_real_model_is_interpolated_in_colour_and_flat(wide):
    X = np.random.default_rng(0).random((4, 3, 3, 3))
    fig = plots.interpolation(VAE((3, 3, 3), 2, (5,)), X[:2], X[2:], steps=20)
    assert picture(fig).shape == (7, 22 * 4 - 1, 3)
    flat = wide.reshape(4, 6)
    fig = plots.interpolation(Autoencoder(6, 2, (5,)), flat[:1], flat[1:2], image_shape=(2, 3))
    assert picture(fig).shape == (2, 12 * 4 - 1)


def test_pairs_that_do_not_match_are_refused(wide):
    for A, B, words in (
        (wide, wide[:2], r"A has shape \(4, 2, 3\) and B \(2, 2, 3\)"),
        (wide, np.full_like(wide, np.nan), "B of shape .* NaN"),
        (wide, 255 * wide, "B reaches"),
        (wide[0], wide[1], "A has shape"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.interpolation(Ramp(), A, B)
    for steps in (1, 2.5, None):
        with pytest.raises(ValueError, match="steps must be a whole number, 2 or more"):
            plots.interpolation(Ramp(), wide, wide, steps=steps)
    assert plt.get_fignums() == []


def test_bars_are_the_kl_of_each_latent_in_order_with_the_active_ones_marked(wide):
    fig = plots.kl_per_dimension(Ramp(), wide)
    ax = fig.axes[0]
    bars = {round(bar.get_center()[0]): bar for bar in ax.patches}
    assert {j: bar.get_height() for j, bar in bars.items()} == {0: 2.0, 1: 0.001, 2: 0.5}
    assert bars[0].get_facecolor() == bars[2].get_facecolor() != bars[1].get_facecolor()
    (legend,) = fig.legends
    entries = [text.get_text() for text in legend.get_texts()]
    assert entries == ["active: 2 of 3", "not in use: 1 of 3"]
    assert "2.5 nats in all" in ax.get_title() and "mean over 4 inputs" in ax.get_title()
    assert "nats" in ax.get_ylabel()


def test_bars_of_a_collapsed_vae_are_low_on_an_axis_with_a_fixed_scale():
    model = Ramp()
    model.kl_per_dimension = lambda X: np.array([1e-4, 2e-4])
    model.encode = lambda X: np.zeros((len(X), 2))
    fig = plots.kl_per_dimension(model, np.zeros((3, 2)))
    assert fig.axes[0].get_ylim() == (0, 0.05)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["not in use: 2 of 2"]


@pytest.mark.slow
@pytest.mark.parametrize("latent_dim", [1, 70])
def test_bars_agree_with_the_model_at_any_number_of_latents(latent_dim):
    X, model = np.random.default_rng(0).random((30, 6)), VAE(6, latent_dim, (8,))
    fig = plots.kl_per_dimension(model, X)
    fig.canvas.draw()
    heights = [bar.get_height() for bar in sorted(fig.axes[0].patches, key=lambda b: b.get_x())]
    np.testing.assert_allclose(heights, model.kl_per_dimension(X), rtol=1e-6)
    shown = [float(t) for t in fig.axes[0].get_xticks() if 0 <= t < latent_dim]
    assert shown and all(t == round(t) for t in shown) and len(shown) <= 21


@pytest.mark.slow
def test_labels_reach_a_conditional_model(wide):
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
    assert texts(fig) == ["Activity of 3 code units over 2 inputs"]


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
