"""Denoise images: an autoencoder that learns to repair, beside one that learns to copy, and PCA.

    python demos/denoise_digits.py                  10,000 embedded digits, under a minute
    python demos/denoise_digits.py --data mnist     60,000 images, a few minutes

Normal noise of standard deviation 0.5 is laid on images with pixels from 0 to 1. It is not clipped,
neither in training nor in the test. The denoising autoencoder meets new noise in every batch, with
the clean image as its target (Vincent et al. 2008). The plain one has the same layers and epochs
and meets clean images only: it has learned to copy those, and nothing about any others.

The baselines are the noisy image as it is, its projection on the principal components of clean
images, and the plain autoencoder. How many components to keep is chosen on noisy validation images,
a tenth of the training images that no model is trained on. What comes out is clipped to [0, 1]
before it is measured, in every row alike: that pixels lie there is no secret to any method. (So
the noisy image counts 0.12, not 0.5^2 as in the pictures.) PSNR is 10 log10(1 / MSE), of the mean
squared error of all test images together.
"""

# %%
import numpy as np
from common import images, options, save, show, timed

from miniae import Autoencoder, GaussianNoise, metrics, plots
from miniae.proof.oracles import PCA

NOISE = GaussianNoise(0.5)
HIDDEN, CODE = (512,), 256
EPOCHS = {"digits": 20, "mnist": 12}
COMPONENTS = range(5, 200, 5)


# %%
def quality(restored, clean):
    """Return the mean squared error per pixel, and the PSNR in decibels."""
    restored = np.clip(restored, 0, 1)
    return metrics.mse(restored, clean), metrics.psnr(restored, clean)


def project(pca, X, k):
    """Return X projected on the mean plus the first k principal components."""
    V = pca.components_[:k]
    rows = X.reshape(len(X), -1) - pca.mean_
    return (rows @ V.T @ V + pca.mean_).reshape(X.shape)


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
    X, clean, *_ = images(chosen)
    kept = len(X) * 9 // 10
    X, X_val = X[:kept], X[kept:]
    rng = np.random.default_rng([chosen.seed, 1])  # other noise than the models meet
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
