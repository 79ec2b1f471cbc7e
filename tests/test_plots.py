"""The figures hold what they claim to show, checked on stand-in models with known answers."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

import miniae
from miniae import plots

pytestmark = pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")


class Negative:
    """Reconstructs an image as its negative; a sample is uniform noise of one shape."""

    def __init__(self, shape=(4, 4)):
        self.shape = shape

    def reconstruct(self, X):
        return 1.0 - X

    def sample(self, n, seed=None):
        return np.random.default_rng(seed).random((n, *self.shape))


class Codes:
    """The code of a sample is its first `latent_dim` features."""

    def __init__(self, latent_dim=2):
        self.latent_dim = latent_dim

    def encode(self, X):
        return X[:, : self.latent_dim]


class Slopes:
    """Decodes z to a 2 by 3 image whose pixel k is Phi(z[k]), and keeps the z it was given."""

    def __init__(self, latent_dim=2):
        self.latent_dim = latent_dim

    def decode(self, z):
        self.z = z.copy()
        images = np.zeros((len(z), 6))
        images[:, : z.shape[1]] = [[NormalDist().cdf(v) for v in row] for row in z]
        return images.reshape(-1, 2, 3)


HISTORY = {
    "loss": [3.0, 2.0, 1.5],
    "reconstruction": [2.0, 1.2, 0.9],
    "kl": [1.0, 0.8, 0.6],
    "val_loss": [3.1, 2.2, 1.9],
    "val_reconstruction": [2.1, 1.4, 1.2],
    "val_kl": [1.0, 0.8, 0.7],
}


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
    return np.random.default_rng(0).random((5, 4, 4))


@pytest.fixture
def points():
    return np.random.default_rng(1).standard_normal((12, 3))


def picture(fig):
    """The one image array a figure shows, after drawing it."""
    fig.canvas.draw()
    (image,) = fig.axes[0].images
    return np.asarray(image.get_array())


def draw_all(images, points):
    labels = np.arange(len(points)) % 3
    return [
        plots.loss_curves(HISTORY),
        plots.reconstructions(Negative(), images),
        plots.samples(Negative(), 5),
        plots.latent_scatter(Codes(), points, labels),
        plots.latent_scatter(Codes(), points, np.linspace(0, 1, len(points))),
        plots.latent_manifold(Slopes(), 4),
    ]


@pytest.mark.slow
def test_each_function_returns_a_new_open_figure_with_a_title(images, points):
    figs = draw_all(images, points)
    assert all(isinstance(fig, Figure) for fig in figs)
    # Registered with pyplot, so a later plt.show() in the caller's script shows each of them.
    assert [plt.figure(number) for number in plt.get_fignums()] == figs
    for fig in figs:
        fig.canvas.draw()
        titles = [text.get_text() for text in fig.texts] + [fig.axes[0].get_title()]
        assert any(titles)


def test_settings_backend_data_and_global_random_state_are_left_alone(images, points):
    # The backend is an entry of rcParams.
    settings, state = dict(matplotlib.rcParams), np.random.get_state()[1].copy()
    images_before, points_before = images.copy(), points.copy()
    for array in (images, points):
        array.flags.writeable = False
    draw_all(images, points)
    assert dict(matplotlib.rcParams) == settings
    assert np.array_equal(np.random.get_state()[1], state)
    assert np.array_equal(images, images_before) and np.array_equal(points, points_before)


@pytest.mark.slow
def test_figures_are_drawn_and_saved_without_a_display_and_without_warnings(tmp_path):
    script = """
import warnings
import numpy as np
import miniae
from miniae import plots
warnings.simplefilter("error")  # after the imports: an old matplotlib may itself warn there
class Model:
    latent_dim = 2
    def sample(self, n, seed=None): return np.ones((n, 9))
    def encode(self, X): return X[:, :2]
    decode = lambda self, z: np.ones((len(z), 9))
    reconstruct = lambda self, X: X
X = np.eye(9)
plots.loss_curves({"loss": [1.0]}).savefig("a.png")
plots.reconstructions(Model(), X).savefig("b.png")
plots.samples(Model()).savefig("c.png")
plots.latent_scatter(Model(), X, list("abcabcabc")).savefig("d.pdf")
plots.latent_manifold(Model()).savefig("e.png")
"""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    env["PYTHONPATH"] = str(Path(miniae.__file__).parents[1])
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.iterdir())) == 5


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


def test_originals_stand_unscaled_above_their_reconstructions(images):
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
def test_data_that_are_no_images_are_refused_by_name_and_shape(X, words):
    with pytest.raises(ValueError, match=words):
        plots.reconstructions(Negative(), X)


@pytest.mark.parametrize("n", [0, -1, 2.5, None])
def test_a_count_below_one_or_not_whole_is_refused(images, n):
    for draw in (
        lambda: plots.reconstructions(Negative(), images, n=n),
        lambda: plots.samples(Negative(), n=n),
        lambda: plots.latent_manifold(Slopes(), n=n),
    ):
        with pytest.raises(ValueError, match=f"n must be a whole number.*{n}"):
            draw()


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
        (np.array(list("abcdefghijkl")), "labels names 12 classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(points, labels, words):
    with pytest.raises(ValueError, match=words):
        plots.latent_scatter(Codes(), points, labels)


@pytest.mark.parametrize("dims", [(0, 2), (-1, 0), (1, 1), (0,), (0, 1, 2), 0, (0.0, 1.0), (-2, 5)])
def test_dims_that_are_no_two_dimensions_of_the_code_are_refused(points, dims):
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


@pytest.mark.parametrize("n", [1, 2, 5, 13, pytest.param(20, marks=pytest.mark.slow)])
def test_manifold_ticks_stand_at_the_images_whose_z_they_show(n):
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
def test_a_span_that_is_no_interval_is_refused(span):
    with pytest.raises(ValueError, match="span must be two finite numbers"):
        plots.latent_manifold(Slopes(), n=3, span=span)


def test_a_refused_call_leaves_no_figure_behind(images):
    for draw in (
        lambda: plots.loss_curves({}),
        lambda: plots.reconstructions(Negative(), images[:0]),
        lambda: plots.samples(Negative((2, 5, 4))),
        lambda: plots.latent_scatter(Codes(1), images[:, 0]),
        lambda: plots.latent_manifold(Slopes(), span=(1, 0)),
    ):
        with pytest.raises(ValueError):
            draw()
    assert plt.get_fignums() == []
