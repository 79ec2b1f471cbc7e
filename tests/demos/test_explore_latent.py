"""The window of explore_latent, moved by made-up events."""

import gc

import matplotlib.pyplot as plt
import numpy as np
import pytest
from demo_runs import load, quick
from matplotlib.backend_bases import KeyEvent, MouseEvent, NavigationToolbar2

from miniae import VAE

pytestmark = pytest.mark.demo


@pytest.fixture
def window():
    """A window on a VAE of 4 latents and random weights, with 30 images of 3 classes."""
    rng = np.random.default_rng(0)
    vae = VAE((6, 5), 4, (8,), seed=1)
    vae.theta = rng.standard_normal(vae.theta.shape)
    with load("explore_latent") as module:
        yield module.Explorer(vae, rng.random((30, 6, 5)), np.arange(30) % 3)
    gc.collect()  # now: Python 3.10 warns where the callbacks of matplotlib 3.7 are freed later


def send(window, kind, event):
    """Let the window's canvas handle an event, as a backend does."""
    window.figure.canvas.callbacks.process(kind, event)


def check(window):
    """The picture, the cross and the title are those of z."""
    right = window.vae.decode(window.z[None])[0]
    np.testing.assert_array_equal(window.image.get_array(), right)
    assert [float(v[0]) for v in window.cross.get_data()] == list(window.z[:2])
    assert f"({window.z[0]:.2f}, {window.z[1]:.2f}, " in window.picture.get_title()


def test_the_pointer_moves_the_point_and_the_picture_follows(window):
    canvas = window.figure.canvas
    canvas.draw()
    for share in ([0.7, 0.2], [0.4, 0.3]):
        x, y = window.plane.transAxes.transform(share)
        goal = window.plane.transData.inverted().transform((x, y))
        send(window, "motion_notify_event", MouseEvent("motion_notify_event", canvas, x, y))
        np.testing.assert_allclose(window.z, [*goal, 0, 0], atol=1e-9)
        check(window)
    x, y = window.picture.transData.transform((2, 2))
    send(window, "motion_notify_event", MouseEvent("motion_notify_event", canvas, x, y))
    np.testing.assert_allclose(window.z, [*goal, 0, 0], atol=1e-9)  # outside of the plane


def test_arrow_keys_and_sliders_move_it_too(window):
    canvas = window.figure.canvas
    for key in ("right", "right", "up", "left", "down", "down", "q"):
        send(window, "key_press_event", KeyEvent("key_press_event", canvas, key))
    np.testing.assert_allclose(window.z, [0.1, -0.1, 0, 0], atol=1e-12)
    assert len(window.sliders) == 2
    window.sliders[1].set_val(1.5)
    np.testing.assert_allclose(window.z, [0.1, -0.1, 0, 1.5], atol=1e-12)
    check(window)


@pytest.mark.slow
def test_the_title_names_the_most_common_class_nearby(window):
    window.codes = np.repeat(np.eye(3, 4) * 5, 10, axis=0)
    window.labels = np.repeat([3, 1, 2], 10)
    window.move({0: 0.0, 1: 5.0})
    assert window.nearest() == 1 and window.picture.get_title().endswith("nearest codes: 1")


@pytest.mark.slow
def test_a_single_latent_goes_across_and_lies_at_mid_height():
    vae = VAE((6, 5), 1, (8,), seed=1)
    X = np.random.default_rng(0).random((30, 6, 5))
    with load("explore_latent") as module:
        window = module.Explorer(vae, X, np.arange(30) % 3)
        canvas = window.figure.canvas
        canvas.draw()
        x, y = window.plane.transAxes.transform((0.7, 0.2))
        goal, _ = window.plane.transData.inverted().transform((x, y))
        send(window, "motion_notify_event", MouseEvent("motion_notify_event", canvas, x, y))
        for key in ("up", "right"):
            send(window, "key_press_event", KeyEvent("key_press_event", canvas, key))
        np.testing.assert_allclose(window.z, [goal + 0.1])
        assert [float(v[0]) for v in window.cross.get_data()] == [window.z[0], 0]
        low, high = window.plane.get_ylim()
        points = window.plane.collections[0].get_offsets()
        np.testing.assert_allclose(points[:, 0], vae.encode(X)[:, 0], atol=1e-6)
        assert low + high == 0 and (abs(points[:, 1]) < high / 2).all()


@pytest.mark.slow
def test_arrow_keys_do_not_step_back_in_the_toolbars_views_and_others_do_as_ever(window):
    canvas, called = window.figure.canvas, []
    toolbar = NavigationToolbar2(canvas)
    for name in ("back", "forward", "home"):
        setattr(toolbar, name, lambda name=name: called.append(name))
    for key in ("left", "right", "h", "backspace"):
        send(window, "key_press_event", KeyEvent("key_press_event", canvas, key))
    assert called == ["home", "back"]
    assert "left" in plt.rcParams["keymap.back"]  # for the other windows


@pytest.mark.slow
def test_a_model_of_flat_images_is_shown_as_squares():
    vae = VAE(36, 2, (8,), seed=1)
    with load("explore_latent") as module:
        window = module.Explorer(vae, np.random.default_rng(0).random((30, 36)), np.arange(30) % 3)
        assert window.decode().shape == window.image.get_array().shape == (6, 6)


@pytest.mark.slow
def test_explore_latent_takes_a_saved_model_of_flat_images_and_refuses_one_of_others(tmp_path):
    for shape in (784, (5, 4)):
        VAE(shape, 2, (8,), seed=1).save(tmp_path / f"{shape}.npz")
    _, pictures = quick(tmp_path, "explore_latent", "--model", str(tmp_path / "784.npz"))
    assert pictures == {"window", "walk"}
    with pytest.raises(ValueError, match=r"is for data of shape \(5, 4\), but the images are"):
        quick(tmp_path, "explore_latent", "--model", str(tmp_path / "(5, 4).npz"))


@pytest.mark.slow
@pytest.mark.parametrize("latent", ["1", "3"])
def test_explore_latent_quick_saves_pictures_where_there_is_no_display(tmp_path, latent):
    _, pictures = quick(tmp_path, "explore_latent", "--latent", latent)
    assert pictures == {"window", "walk"}


@pytest.mark.slow
def test_explore_latent_writes_a_page(tmp_path):
    page = tmp_path / "page.html"
    quick(tmp_path, "explore_latent", "--html", str(page))
    assert page.stat().st_size > 100_000
