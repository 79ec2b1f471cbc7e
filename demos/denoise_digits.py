# %% [markdown]
"""Denoise images: an autoencoder that learns to repair, one that learns to copy, and PCA.

    python demos/denoise_digits.py                  10,000 built-in digits, under a minute
    python demos/denoise_digits.py --data mnist     60,000 images, a few minutes

The denoising autoencoder sees noisy images and has the clean ones as its target (Vincent et al.
2008). The plain autoencoder has the same layers and epochs but sees clean images only. The table
compares both with the noisy image as it is, and with its projection on the principal components.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import Autoencoder, GaussianNoise, metrics, plots
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import images, options, save, show, timed

NOISE = GaussianNoise(0.5)
HIDDEN, CODE = (512,), 256
EPOCHS = {"digits": 20, "mnist": 12}
COMPONENTS = range(5, 200, 5)


# %%
def quality(restored, clean):
    """Return the mean squared error per pixel, and the PSNR in decibels, both after clipping."""
    restored = np.clip(restored, 0, 1)
    return metrics.mse(restored, clean), metrics.psnr(restored, clean)


def project(pca, X, k):
    """Return the projection of X on the mean and the first k principal components."""
    V = pca.components_[:k]
    rows = X.reshape(len(X), -1) - pca.mean_
    return (rows @ V.T @ V + pca.mean_).reshape(X.shape)


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("denoise_digits", __doc__, argv, data=tuple(EPOCHS))
    X, clean, *_ = images(chosen)
    kept = len(X) * 9 // 10
    X, X_val = X[:kept], X[kept:]
    rng = np.random.default_rng([chosen.seed, 1])  # not the noise of the training
    noisy, noisy_val = NOISE(clean, rng), NOISE(X_val, rng)

    pca = PCA(max(COMPONENTS)).fit(X.reshape(kept, -1))
    k = min(COMPONENTS, key=lambda k: quality(project(pca, noisy_val, k), X_val))
    restored = {"noisy image": noisy, f"PCA, {k} components": project(pca, noisy, k)}
    epochs, models = 2 if chosen.quick else EPOCHS[chosen.data], {}
    for name, corruption in (("plain", None), ("denoising", NOISE)):
        model = Autoencoder(X.shape[1:], CODE, HIDDEN, corruption=corruption, seed=chosen.seed)
        with timed(f"{name} autoencoder, {epochs} epochs"):
            models[name] = model.fit(X, epochs=epochs, verbose=0)
        restored[f"{name} autoencoder"] = model.reconstruct(noisy)

    rows = [(name, *quality(Y, clean)) for name, Y in restored.items()]
    show((f"{len(clean):,} test images", "MSE per pixel", "PSNR (dB)"), rows, digits=4)
    figures = {name: plots.denoising(model, noisy, clean) for name, model in models.items()}
    save(chosen.out, **figures)


# %%
if __name__ == "__main__":
    main()
