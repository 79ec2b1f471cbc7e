# %% [markdown]
"""A plain autoencoder that generates: fit a Gaussian to its codes, sample from it, decode.

    python demos/generate.py                  10,000 built-in digits, under a minute
    python demos/generate.py --data mnist     60,000 images, a few minutes

Codes drawn from N(0, I) are unlike the codes of a plain autoencoder and decode to smudges. Codes
drawn from a Gaussian with the mean and covariance of the real codes decode much better. A VAE does
not need this step. The table compares the samples with held-out images, by distances in pixels.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Autoencoder

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import images, options, save, show, train

LATENT = 10
EPOCHS = {"digits": 20, "mnist": 12}


# %%
def distances(A, B):
    """Return the squared distance of each image of A from each image of B."""
    A, B = A.reshape(len(A), -1), B.reshape(len(B), -1)
    return (A**2).sum(axis=1, keepdims=True) - 2 * A @ B.T + (B**2).sum(axis=1)


def compare(drawn, real):
    """Compare samples with as many real images, by squared distances.

    Returns
    -------
    fidelity : from a sample to the nearest real image; large if the sample looks like none of them
    coverage : from a real image to the nearest sample; large if nothing like it is ever drawn
    told_apart : the share of real images that are nearer to another real image than to any sample
    """
    between, within = distances(drawn, real), distances(real, real)
    np.fill_diagonal(within, np.inf)  # an image is not its own neighbour
    fidelity, coverage = between.min(axis=1).mean(), between.min(axis=0).mean()
    told_apart = (within.min(axis=0) < between.min(axis=0)).mean()
    return float(fidelity), float(coverage), f"{told_apart:.0%}"


def draw(sets, side=8):
    """Draw a square grid of each named set of images, and return the figure."""
    figure, axes = plt.subplots(1, len(sets), figsize=(3 * len(sets), 3.4), layout="constrained")
    for ax, (name, drawn) in zip(axes, sets.items(), strict=True):
        grid = drawn[: side * side].reshape(side, side, *drawn.shape[1:])
        ax.imshow(np.block([list(row) for row in grid]), cmap="gray_r", vmin=0, vmax=1)
        ax.set(title=name, xticks=[], yticks=[])
    figure.suptitle("Held-out images and generated images")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("generate", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen)
    X_test = X_test[:2000]
    n, epochs = len(X_test), 15 if chosen.quick else EPOCHS[chosen.data]
    rng = np.random.default_rng(chosen.seed)
    size, more = (X.shape[1:], LATENT, (256, 128)), {"activation": "relu", "seed": chosen.seed}
    models = {cls.__name__: cls(*size, **more) for cls in (Autoencoder, VAE)}
    for name, model in models.items():
        train(name, model, X, lr=1e-3, epochs=epochs)
    autoencoder, vae = models.values()

    codes = autoencoder.encode(X)
    mean, covariance = codes.mean(axis=0), np.cov(codes, rowvar=False)
    Z = rng.multivariate_normal(mean, covariance, n)
    pixels = X.mean(axis=0)
    sets = {
        "real images": X[:n],
        "mean image, always": np.repeat(pixels[None], n, axis=0),
        "independent pixels": (rng.random(X_test.shape) < pixels).astype(X.dtype),
        "autoencoder, z from N(0, I)": autoencoder.decode(rng.standard_normal((n, LATENT))),
        "autoencoder, z from its Gaussian": autoencoder.decode(Z),
        "VAE, z from N(0, I)": vae.sample(n, seed=chosen.seed),
    }
    std = np.sqrt(np.diag(covariance))
    correlated = np.abs(np.corrcoef(codes.T) - np.eye(LATENT)).max()
    print(f"Codes of the autoencoder: standard deviations {std.min():.1f} to {std.max():.1f}, "
          f"correlations up to {correlated:.2f}")  # fmt: skip
    header = (f"{n:,} of each, squared distances", "fidelity", "coverage", "told apart")
    show(header, [(name, *compare(drawn, X_test)) for name, drawn in sets.items()], digits=1)
    drawn = {name: drawn for name, drawn in sets.items() if "z from" in name}
    save(chosen.out, samples=draw({"held-out images": X_test, **drawn}))


# %%
if __name__ == "__main__":
    main()
