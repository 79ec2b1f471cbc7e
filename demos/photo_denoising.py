"""Denoise a photograph: an autoencoder on overlapping patches against the best blur and PCA.

    python demos/photo_denoising.py
    python demos/photo_denoising.py --noise 0.2

The photograph is the one that matplotlib ships, in grey from 0 to 1. The autoencoder is trained on
clean 8 x 8 patches of its left half, with new normal noise in every batch, and judged on the right
half, of which it has seen nothing. Every patch of the noisy half is repaired, at all positions, and
each pixel is the mean of the up to 64 patches that cover it. The baselines are a Gaussian blur and
two kinds of PCA on the same patches, averaged likewise. One keeps the first few components of every
patch. The other keeps in each patch the scores that stand out of the noise, and sets those to 0
that are smaller than some multiple of its standard deviation. The blur's width, the number of
components and the multiple are chosen on the test half itself, by the clean picture, which flatters
all three. What comes out is clipped to [0, 1] before it is measured, in every row alike.

The autoencoder is far better than the blur and the first components, and worse than the PCA whose
small scores are set to 0. Blur and projection are linear and do the same to every patch: what
smooths the plain background smooths the edges too. The other two treat each patch by itself, a
plain one more strictly than one with an edge. That is what helps, and it need not be learned: the
multiple is one number. The autoencoder has to find its weights from one photograph, and the noise
must be as strong as in training.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import options, save, show, train
from matplotlib import cbook
from numpy.lib.stride_tricks import sliding_window_view

from miniae import Autoencoder, GaussianNoise, metrics
from miniae.proof.oracles import PCA

SIZE = 8
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
    chosen = options(__doc__, argv, data=(), noise=0.1)
    if not 0 < chosen.noise <= 1:
        raise ValueError(f"--noise {chosen.noise}: give its standard deviation, above 0, at most 1")
    corruption, rng = GaussianNoise(chosen.noise), np.random.default_rng([chosen.seed, 1])
    left, clean = np.split(photograph(), 2, axis=1)
    X, epochs, part = patches(left), 14, 1
    if chosen.quick:
        X, epochs, part, clean = X[rng.permutation(len(X))[:5000]], 2, 5, clean[:240, :112]
    noisy = corruption(clean, rng)
    X_noisy = patches(noisy)
    print(f"{len(X):,} patches of the left half to train on, {len(X_noisy):,} noisy ones to repair")

    def best(restore, values):
        tries = {value: restore(value).clip(0, 1) for value in values[::part]}
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
