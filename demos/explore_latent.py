# %% [markdown]
"""Explore a latent space: move through the codes, and see what each of them decodes to.

    python demos/explore_latent.py                         trains for half a minute, then opens
    python demos/explore_latent.py --model my_vae.npz      a model that you have saved
    python demos/explore_latent.py --html walk.html        a page for a browser instead

The window shows the plane of two latents with the codes of held-out images, coloured by class, and
the image that the decoder makes of the point under the pointer. The arrow keys move the point too.
Each further latent has a slider. The title names the class of the nearest codes. Without a display,
and in a notebook, there are pictures instead of the window.
"""

# %%
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import key_press_handler
from matplotlib.widgets import Slider

from miniae import VAE, Adam, explorer, plots

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
BACKEND = matplotlib.get_backend()  # support.common selects one that only writes files
from support.common import NOTEBOOK, images, options, save, show, timed  # noqa: E402

STEP = 0.1  # by which an arrow key moves the point
SLIDERS = 10  # at most, for the latents beyond the first two


# %%
class Explorer:
    """A figure with a point z that the pointer, the arrow keys and the sliders move."""

    def __init__(self, vae, X, labels):
        self.vae, self.labels = vae, labels
        self.codes, self.z = vae.encode(X), np.zeros(vae.latent_dim)
        n = min(max(vae.latent_dim - 2, 0), SLIDERS)
        self.figure = plt.figure(figsize=(9, 4.6 + 0.3 * n))
        bottom = 0.12 + 0.3 * n / (4.6 + 0.3 * n)
        self.plane = self.figure.add_axes([0.07, bottom, 0.42, 0.9 - bottom])
        self.picture = self.figure.add_axes([0.55, bottom, 0.42, 0.9 - bottom])
        across, up = self.codes[:, 0], self.codes[:, 1:2].ravel()
        if not up.size:  # one latent: spread the points around mid-height, to tell them apart
            up = 0.3 * (np.arange(len(X)) * 0.618 % 1 - 0.5)
        points = self.plane.scatter(across, up, c=labels, s=4, cmap="tab10")
        self.plane.legend(*points.legend_elements(), title="class", fontsize=7, loc="upper right")
        self.plane.set(xlabel="z[0]", ylabel="z[1]", title="codes of held-out images")
        if vae.latent_dim == 1:
            self.plane.set(ylabel="", yticks=[], ylim=(-0.5, 0.5))
        (self.cross,) = self.plane.plot([0], [0], "k+", markersize=16, markeredgewidth=2)
        self.image = self.picture.imshow(self.decode(), cmap="gray_r", vmin=0, vmax=1)
        self.picture.set(xticks=[], yticks=[])
        self.sliders = []
        for i in range(n):
            ax = self.figure.add_axes([0.12, 0.02 + 0.3 * i / (4.6 + 0.3 * n), 0.75, 0.03])
            slider = Slider(ax, f"z[{i + 2}]", -3, 3, valinit=0)
            slider.on_changed(lambda value, dim=i + 2: self.move({dim: value}))
            self.sliders.append(slider)
        self.figure.canvas.mpl_connect("motion_notify_event", self.on_pointer)
        manager = self.figure.canvas.manager
        if manager is not None and manager.key_press_handler_id is not None:
            # Matplotlib's own handler uses the arrow keys for something else.
            self.figure.canvas.mpl_disconnect(manager.key_press_handler_id)
        self.figure.canvas.mpl_connect("key_press_event", self.on_key)
        self.move({})

    def decode(self):
        """Return the image that z decodes to, (height, width)."""
        return self.vae.decode(self.z[None])[0].reshape(explorer.image_shape(self.vae.input_shape))

    def nearest(self, k=15):
        """Return the most common class among the k codes nearest to z."""
        near = ((self.codes - self.z) ** 2).sum(axis=1).argsort()[:k]
        classes, counts = np.unique(self.labels[near], return_counts=True)
        return classes[counts.argmax()]

    def move(self, to):
        """Set entries of z, a dict of index to value, and draw the change."""
        for dim, value in to.items():
            if dim < len(self.z):  # a single latent moves along one axis only
                self.z[dim] = value
        self.cross.set_data(self.z[:1], self.z[1:2] if len(self.z) > 1 else [0])
        self.image.set_data(self.decode())
        shown = [f"{value:.2f}" for value in self.z[:4]]
        if len(self.z) > 4:
            shown.append("...")
        self.picture.set_title(f"z = ({', '.join(shown)}), nearest codes: {self.nearest()}")
        self.figure.canvas.draw_idle()

    def on_pointer(self, event):
        """Follow the pointer in the plane."""
        if event.inaxes is self.plane:
            self.move({0: event.xdata, 1: event.ydata})

    def on_key(self, event):
        """Follow the arrow keys; other keys work as in every window, such as s for save."""
        steps = {"right": (0, 1), "left": (0, -1), "up": (1, 1), "down": (1, -1)}
        if event.key in steps:
            dim, sign = steps[event.key]
            if dim < len(self.z):
                self.move({dim: self.z[dim] + sign * STEP})
        else:
            key_press_handler(event)


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "explore_latent",
        __doc__,
        argv,
        latent=(2, "number of latents"),
        model=("", "file of a saved VAE, which is then not trained"),
        html=("", "file for a page that a browser opens, in place of the window"),
    )
    X, X_test, _, labels = images(chosen)
    if chosen.model:
        vae = VAE.load(chosen.model)
    else:
        epochs = 2 if chosen.quick else 30
        vae = VAE(X.shape[1:], chosen.latent, (256, 128), activation="relu", seed=chosen.seed)
        with timed(f"VAE, {epochs} epochs"):
            vae.fit(X, epochs=epochs, optimizer=Adam(2e-3), verbose=0)
    if X_test[0].size != np.prod(vae.input_shape):
        raise ValueError(
            f"--model {chosen.model} is for data of shape {vae.input_shape}, but the images are "
            "28 x 28: give a model of such images"
        )
    X_test, labels = X_test[:2000].reshape(-1, *vae.input_shape), labels[:2000]
    bound = float(vae.elbo(X_test).mean())
    show((f"{len(X_test):,} held-out images", "bound (nats)"), [("VAE", bound)], digits=1)
    if chosen.html:
        explorer.export_html(vae, chosen.html, X_test, labels)
        print(f"Open {chosen.html} in a browser")
        return
    if not (chosen.quick or NOTEBOOK):
        plt.switch_backend(BACKEND)
    window = Explorer(vae, X_test, labels)
    if NOTEBOOK or plt.get_backend().lower() == "agg":
        first, last = (X_test[labels == k][:1] for k in (labels.min(), labels.max()))
        middle = (vae.encode(first)[0] + vae.encode(last)[0]) / 2
        window.move(dict(enumerate(middle)))
        walk = plots.interpolation(vae, first, last)
        save(chosen.out, window=window.figure, walk=walk)
        print("There is no window to open here: see the pictures instead")
    else:
        plt.show()


# %%
if __name__ == "__main__":
    main()
