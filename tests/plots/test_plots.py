"""What all figures have in common: each is new, and nothing else is changed."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from stand_ins import HISTORY, Codes, Negative, Ramp, Slopes, texts

import miniae
from miniae import VAE, Autoencoder, Conv2D, Dense, plots

pytestmark = pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")


def draw_all(images, wide, points):
    """Draw every figure once, and the scatter with classes and with a quantity."""
    labels = np.arange(len(points)) % 3
    return [
        plots.loss_curves(HISTORY),
        plots.reconstructions(Negative(), images),
        plots.samples(Negative(), 5),
        plots.grid(images),
        plots.latent_scatter(Codes(), points, labels),
        plots.latent_scatter(Codes(), points, np.linspace(0, 1, len(points))),
        plots.latent_manifold(Slopes(), 4),
        plots.traversal(Ramp()),
        plots.interpolation(Ramp(), wide, wide[::-1]),
        plots.kl_per_dimension(Ramp(), wide),
        plots.code_activity(Ramp(), wide),
        plots.filters(Dense(6, 5), image_shape=(2, 3)),
        plots.denoising(Ramp(), wide, wide),
    ]


@pytest.mark.slow
def test_each_function_returns_a_new_open_figure_with_a_title(images, wide, points):
    figs = draw_all(images, wide, points)
    assert all(isinstance(fig, Figure) for fig in figs)
    # Registered with pyplot, so a later plt.show() in the caller's script shows each of them.
    assert [plt.figure(number) for number in plt.get_fignums()] == figs
    for fig in figs:
        fig.canvas.draw()
        assert fig.axes[0].get_title() or any(texts(fig))


@pytest.mark.slow
def test_figures_of_unusual_shapes_are_drawn_without_warnings(images):
    """The tests of test_images.py look at the arrays, and do not draw."""
    colour = np.random.default_rng(0).random((3, 2, 3, 3))
    for fig in (
        plots.loss_curves({"loss": [1.0, np.nan], "kl": [2.0, 1.0], "val_loss": []}),
        plots.loss_curves([3.0]),
        plots.reconstructions(Negative(), images, n=10),
        plots.reconstructions(Negative((2, 3, 3)), colour),
        plots.reconstructions(Negative(), 3 * images - 1),
        plots.samples(Negative((2, 3, 3)), 3),
        plots.samples(Negative(), 7),
        plots.filters(VAE((10, 9), 2, (3,))),
        plots.filters(Autoencoder(16, 2, (70,))),
        plots.filters(Conv2D(1, 7, 3)),
        plots.filters(Conv2D(4, 5, 3), n=2),
        plots.filters(Conv2D(3, 4, 5)),
    ):
        fig.canvas.draw()


@pytest.mark.slow
def test_settings_backend_data_and_global_random_state_are_left_alone(images, wide, points):
    # The backend is an entry of rcParams.
    settings, state = dict(matplotlib.rcParams), np.random.get_state()[1].copy()
    data = images, wide, points
    before = [array.copy() for array in data]
    for array in data:
        array.flags.writeable = False
    draw_all(*data)
    assert dict(matplotlib.rcParams) == settings
    assert np.array_equal(np.random.get_state()[1], state)
    for array, old in zip(data, before, strict=True):
        assert np.array_equal(array, old)


def test_axes_of_codes_have_names(wide):
    assert plots.traversal(Ramp()).axes[0].get_xlabel()
    for fig in (plots.kl_per_dimension(Ramp(), wide), plots.code_activity(Ramp(), wide)):
        assert all(ax.get_xlabel() and ax.get_ylabel() for ax in fig.axes)


@pytest.mark.slow
def test_figures_are_drawn_and_saved_without_a_display_and_without_warnings(tmp_path):
    script = """
import warnings
import numpy as np
import miniae
from miniae import plots
warnings.simplefilter("error")  # after the imports: an old matplotlib may warn there
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


@pytest.mark.parametrize("n", [0, -1, 2.5, None])
def test_a_count_below_one_or_not_whole_is_refused(images, n):
    for draw in (
        lambda: plots.reconstructions(Negative(), images, n=n),
        lambda: plots.samples(Negative(), n=n),
        lambda: plots.latent_manifold(Slopes(), n=n),
    ):
        with pytest.raises(ValueError, match=f"n must be a whole number.*{n}"):
            draw()


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


def test_the_public_names_are_in_miniae_plots():
    assert {"traversal", "interpolation", "filters", "samples"} < set(plots.__all__)
    assert all(getattr(plots, name).__doc__.count("---") >= 2 for name in plots.__all__)
