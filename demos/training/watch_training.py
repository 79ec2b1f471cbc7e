# %% [markdown]
"""Watch a VAE learn: an animation of its latent plane and of its samples, epoch by epoch.

    python demos/training/watch_training.py                 30 epochs of built-in digits, a minute
    python demos/training/watch_training.py --data mnist    the same on 60,000 images, some minutes

After every epoch the animation shows the codes of the same held-out images, coloured by class (the
model never sees the class), and what the decoder makes of the same 36 points of the prior. Below is
the bound on log p, with that of independent pixels as the baseline.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

from miniae import VAE, Adam

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import independent_pixels
from support.common import images, options, save, show, timed

SIDE, SHOWN, SPAN = 6, 1000, 4
EPOCHS = {"digits": 30, "mnist": 20}


# %%
class Film:
    """The content of each frame, collected by ``fit(callback=film.record)``."""

    def __init__(self, X, labels, floor, seed):
        self.X, self.labels, self.floor = X, labels, floor
        self.points = np.random.default_rng(seed).standard_normal((SIDE**2, 2))
        self.frames = []

    def record(self, model, epoch, logs):
        """Keep the codes, the decoded points and the bound after this epoch."""
        bound = float(model.elbo(self.X).mean())
        self.frames.append((model.encode(self.X), model.decode(self.points), bound))

    def draw(self, n_frames):
        """Return the figure, and a function that draws frame i into it."""
        layout = [["plane", "samples"], ["bound", "bound"]]
        figure, axes = plt.subplot_mosaic(
            layout, figsize=(8, 5.6), height_ratios=(3, 1), layout="constrained"
        )
        plane, samples, bound = axes.values()
        points = plane.scatter(*self.frames[0][0].T, c=self.labels, s=5, cmap="tab10")
        plane.legend(*points.legend_elements(), title="class", fontsize=7, loc="upper right")
        plane.set(xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN), xlabel="z[0]", ylabel="z[1]")
        sheet = samples.imshow(self.sheet(0), cmap="gray_r", vmin=0, vmax=1)
        samples.set(title="36 points of the prior, decoded", xticks=[], yticks=[])
        bounds = [frame[2] for frame in self.frames]
        bound.axhline(self.floor, color="k", ls="--", lw=1, label="independent pixels")
        (curve,) = bound.plot([], [], "C0o-", markersize=3, label="VAE, held-out images")
        low, high = min(*bounds, self.floor), max(*bounds, self.floor)
        bound.set(xlim=(0.5, n_frames + 0.5), ylim=(low - 3, high + 3))
        bound.set(xlabel="epoch", ylabel="bound (nats)")
        bound.legend(fontsize=7, loc="lower right")

        figure.canvas.draw()
        figure.set_layout_engine("none")  # keep this layout for all frames

        def frame(i):
            points.set_offsets(self.frames[i][0])
            sheet.set_data(self.sheet(i))
            curve.set_data(np.arange(1, i + 2), bounds[: i + 1])
            plane.set_title(f"codes of held-out images, epoch {i + 1}")

        return figure, frame

    def sheet(self, i):
        """Return the decoded points of a frame as one image."""
        decoded = self.frames[i][1].reshape(SIDE, SIDE, 28, 28)
        return decoded.transpose(0, 2, 1, 3).reshape(SIDE * 28, SIDE * 28)


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("watch_training", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, labels = images(chosen)
    epochs = 3 if chosen.quick else EPOCHS[chosen.data]
    floor = independent_pixels(X, X_test[:SHOWN])
    film = Film(X_test[:SHOWN], labels[:SHOWN], floor, chosen.seed)
    vae = VAE(X.shape[1:], 2, (256, 128), activation="relu", seed=chosen.seed)
    with timed(f"VAE, {epochs} epochs"):
        vae.fit(X, epochs=epochs, optimizer=Adam(1e-3), callback=film.record, verbose=0)
    listed = sorted({0, epochs // 8, epochs // 2, epochs - 1})
    rows = [("independent pixels", floor, "-")]
    rows += [(f"VAE, epoch {i + 1}", film.frames[i][2], vae.history["kl"][i]) for i in listed]
    show((f"{len(film.X):,} held-out images", "bound (nats)", "KL in training (nats)"), rows, 1)

    figure, frame = film.draw(epochs)
    chosen.out.mkdir(parents=True, exist_ok=True)
    with timed("animation"):
        stay = [epochs - 1] * 8  # show the last frame for longer
        animation = FuncAnimation(figure, frame, frames=[*range(epochs), *stay])
        animation.save(chosen.out / "training.gif", PillowWriter(fps=5), dpi=80)
    print(f"Animation in {chosen.out / 'training.gif'}")
    save(chosen.out, last_epoch=figure)


# %%
if __name__ == "__main__":
    main()
