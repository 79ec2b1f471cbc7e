# %% [markdown]
"""Denoise a photograph: an autoencoder on overlapping patches, the best blur, and PCA.

    python demos/uses/photo_denoising.py
    python demos/uses/photo_denoising.py --noise 0.2

The photograph is the one that comes with matplotlib. The autoencoder is trained on 8 x 8 patches of
its left half and tested on the right half. The baselines are a Gaussian blur and two kinds of PCA.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from miniae import Autoencoder, GaussianNoise, metrics
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save, show, train
from support.photographs import DETAIL, SIZE, patches, photograph

SHOWN = np.s_[10:330]  # rows of the right half


# %%
def average(rows, shape):
    """Return the image of this shape: each pixel is the mean of all patches that cover it."""
    height, width = (n - SIZE + 1 for n in shape)
    total, count = np.zeros(shape), np.zeros(shape)
    for place, pixels in enumerate(rows.T):  # one pixel of all patches at a time
        top, left = divmod(place, SIZE)
        total[top : top + height, left : left + width] += pixels.reshape(height, width)
        count[top : top + height, left : left + width] += 1
    return total / count


def blur(image, width):
    """Return a blurred image: a Gaussian of this standard deviation in pixels, mirrored outside."""
    reach = int(4 * width) + 1
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    for axis in (0, 1):  # a Gaussian in two dimensions is a product of two in one
        mirrored = np.pad(
            image, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], "reflect"
        )
        image = sliding_window_view(mirrored, len(weights), axis) @ (weights / weights.sum())
    return image


def draw(pictures, clean):
    """Draw the named pictures side by side, with a detail of each below; return the figure."""
    figure, axes = plt.subplots(
        2, len(pictures), figsize=(8, 4.3), layout="constrained", height_ratios=(5, 4)
    )
    for (name, picture), column in zip(pictures.items(), axes.T, strict=True):
        quality = "" if picture is clean else f"\n{metrics.psnr(picture, clean):.2f} dB"
        column[0].set_title(name + quality, fontsize=10)
        for ax, part in zip(column, (SHOWN, DETAIL), strict=True):
            ax.imshow(picture[part], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("photo_denoising", __doc__, argv, data=(), noise=(0.1, "standard deviation"))
    if not 0 < chosen.noise <= 1:
        raise ValueError(f"--noise {chosen.noise} must be a standard deviation above 0, at most 1")
    corruption, rng = GaussianNoise(chosen.noise), np.random.default_rng([chosen.seed, 1])
    left, clean = np.split(photograph(), 2, axis=1)
    X, epochs, every = patches(left), 14, 1  # of the values that the baselines try, every one
    if chosen.quick:
        X, epochs, every, clean = X[rng.permutation(len(X))[:5000]], 2, 5, clean[:240, :112]
    noisy = corruption(clean, rng)
    X_noisy = patches(noisy)
    print(f"{len(X):,} training patches of the left half, {len(X_noisy):,} noisy ones to repair")

    def best(restore, values):
        """Return the value whose picture is closest to the clean one, and that picture."""
        tries = {value: restore(value).clip(0, 1) for value in values[::every]}
        value = max(tries, key=lambda value: metrics.psnr(tries[value], clean))
        return value, tries[value]

    pca = PCA(SIZE**2).fit(X)
    V, scores = pca.components_, pca.transform(X_noisy)

    def shrunk(times):
        kept = np.where(np.abs(scores) > times * chosen.noise, scores, 0)
        return average(kept @ V + pca.mean_, clean.shape)

    def projected(k):
        return average(scores[:, :k] @ V[:k] + pca.mean_, clean.shape)

    width, blurred = best(lambda width: blur(noisy, width), np.arange(0.3, 3, 0.1))
    k, first = best(projected, range(2, SIZE**2 + 1, 4))
    times, large = best(shrunk, np.arange(2, 4, 0.2))
    model = Autoencoder(SIZE**2, 64, (256,), loss="mse", corruption=corruption, seed=chosen.seed)
    train("autoencoder", model, X, lr=2e-3, epochs=epochs, batch_size=128)
    repaired = average(model.reconstruct(X_noisy), clean.shape).clip(0, 1)

    rows = [
        ("noisy as it is", noisy.clip(0, 1)),
        (f"Gaussian blur, width {width:.1f} pixels", blurred),
        (f"PCA, {k} of {SIZE**2} components", first),
        (f"PCA, small scores set to 0 (below {times:.1f} x noise)", large),
        ("denoising autoencoder", repaired),
    ]
    header = "right half of the photograph", "PSNR (dB)", "RMSE (of 255)"
    show(header, [(n, metrics.psnr(p, clean), 255 * metrics.rmse(p, clean)) for n, p in rows])
    shown = {"clean": clean, "noisy": rows[0][1], "Gaussian blur": blurred}
    shown |= {"PCA, small\nscores to 0": large, "autoencoder": repaired}
    save(chosen.out, denoised=draw(shown, clean))


# %%
if __name__ == "__main__":
    main()
