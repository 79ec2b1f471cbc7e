"""Denoise a photograph: an autoencoder on overlapping patches against the best blur and PCA.

    python demos/photo_denoising.py
    python demos/photo_denoising.py --noise 0.2

The photograph is the one that matplotlib ships, in grey from 0 to 1. The autoencoder is trained on
clean 8 x 8 patches of its left half, with new normal noise in every batch, and judged on the right
half, of which it has seen nothing. Every patch of the noisy half is repaired, at all positions, and
each pixel is the mean of the up to 64 patches that cover it. The baselines are a Gaussian blur and
the projection of the same patches on principal components, averaged likewise; both may choose
their width and their number of components on the test half itself, by the clean picture, which
flatters them. What comes out is clipped to [0, 1] before it is measured, in every row alike.

A blur takes edges for noise; the autoencoder has learned what edges look like. But one photograph
is all that it has learned from, and the noise must be as strong as in training.
"""

# %%
import common
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cbook
from numpy.lib.stride_tricks import sliding_window_view

from miniae import Autoencoder, GaussianNoise, metrics
from miniae.proof.oracles import PCA

SIZE, BATCH = 8, 128
SHOWN, DETAIL = np.s_[10:330], np.s_[150:230, 20:104]  # rows and columns of the right half


# %%
def photograph():
    """Return the sample photograph of matplotlib in grey, (600, 512) float32 in [0, 1]."""
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        colours = plt.imread(file)
    return (colours @ np.array([0.299, 0.587, 0.114]) / 255).astype(np.float32)


def patches(image):
    """Return every SIZE x SIZE patch of an image as a row: (positions, SIZE^2)."""
    return sliding_window_view(image, (SIZE, SIZE)).reshape(-1, SIZE**2)


def average(rows, shape):
    """Return the image of this shape in which each pixel is the mean of the patches over it."""
    height, width = (n - SIZE + 1 for n in shape)
    total, count = np.zeros(shape), np.zeros(shape)
    for place, pixels in enumerate(rows.T):  # one pixel of all patches at once
        top, left = divmod(place, SIZE)
        total[top : top + height, left : left + width] += pixels.reshape(height, width)
        count[top : top + height, left : left + width] += 1
    return total / count


def blur(image, width):
    """Return the image under a Gaussian of this standard deviation in pixels, mirrored outside."""
    reach = int(4 * width) + 1
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    for axis in (0, 1):  # a Gaussian of two variables is one of each
        mirrored = np.pad(
            image, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], "reflect"
        )
        image = sliding_window_view(mirrored, len(weights), axis) @ (weights / weights.sum())
    return image


def draw(pictures, clean):
    """Draw the named pictures side by side, a detail of each below, and return the figure."""
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
    chosen = common.options(__doc__, argv, data=(), noise=0.1)
    corruption, rng = GaussianNoise(chosen.noise), np.random.default_rng([chosen.seed, 1])
    left, clean = np.split(photograph(), 2, axis=1)
    X, epochs = patches(left), 14
    if chosen.quick:
        X, epochs, clean = X[rng.permutation(len(X))[:10_000]], 2, clean[:240, :128]
    noisy = corruption(clean, rng)
    X_noisy = patches(noisy)
    print(f"{len(X):,} patches of the left half to train on, {len(X_noisy):,} noisy ones to repair")

    def best(restore, values):
        tries = {value: restore(value).clip(0, 1) for value in values}
        value = max(tries, key=lambda value: metrics.psnr(tries[value], clean))
        return value, tries[value]

    pca = PCA(SIZE**2).fit(X)
    V, scores = pca.components_, pca.transform(X_noisy)
    width, blurred = best(lambda w: blur(noisy, w), np.arange(0.3, 3, 0.1))
    k, projected = best(
        lambda k: average(scores[:, :k] @ V[:k] + pca.mean_, clean.shape),
        range(5, 20, 5) if chosen.quick else range(1, SIZE**2 + 1),
    )
    model = Autoencoder(SIZE**2, 64, (256,), loss="mse", corruption=corruption, seed=chosen.seed)
    with common.timed(f"autoencoder, {epochs} epochs"):
        adam = common.falling(2e-3, epochs, len(X), BATCH)
        model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=adam, verbose=0)
    repaired = average(model.reconstruct(X_noisy), clean.shape).clip(0, 1)

    rows = [
        ("noisy as it is", noisy.clip(0, 1)),
        (f"Gaussian blur, width {width:.1f} pixels", blurred),
        (f"PCA, {k} of {SIZE**2} components", projected),
        ("denoising autoencoder", repaired),
    ]
    common.show(
        ("right half of the photograph", "PSNR (dB)", "RMSE (of 255)"),
        [(n, metrics.psnr(p, clean), 255 * metrics.rmse(p, clean)) for n, p in rows],
    )
    names = ("noisy", "Gaussian blur", "PCA", "autoencoder")
    pictures = {"clean": clean} | {n: p for n, (_, p) in zip(names, rows, strict=True)}
    common.save(chosen.out, denoised=draw(pictures, clean))


# %%
if __name__ == "__main__":
    main()
