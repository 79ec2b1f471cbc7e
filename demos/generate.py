"""A plain autoencoder that generates: fit a Gaussian to its codes, draw from that, decode.

    python demos/generate.py                  10,000 embedded digits, under a minute
    python demos/generate.py --data mnist     60,000 images, a few minutes

The codes of an autoencoder lie where training has left them: their mean is not 0, their spread is
not 1, they are correlated. Codes drawn from N(0, I) are none of theirs, and decode to smudges.
The mean and the full covariance of the codes of the training images are all that is needed to
draw better ones. (Ghosh et al. 2020 do so in earnest, with a penalty on the decoder.) A VAE needs
no such repair: its KL has pulled the codes towards N(0, I) all through training.

The judges are squared distances between pixels, of samples and as many held-out images:
  fidelity: from a sample to the nearest held-out image; large if it looks like none;
  coverage: from a held-out image to the nearest sample; large if nothing like it is ever drawn;
  told apart: how many held-out images are nearer to another of them than to any sample.
Real images (the training set) show what to hope for: small distances, and 50 % told apart. The
floor is a model that draws every pixel by itself. The judges have limits. Distance in pixels is
not likeness, and it favours blur: the mean image, drawn again and again, is nearer to the images
than most that are drawn well. So fidelity counts only beside coverage, and the pictures decide.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import images, options, save, show, train

from miniae import VAE, Autoencoder

LATENT = 10
EPOCHS = {"digits": 20, "mnist": 12}


# %%
def distances(A, B):
    """Return the squared distance of each image of A from each of B."""
    A, B = A.reshape(len(A), -1), B.reshape(len(B), -1)
    return (A**2).sum(axis=1, keepdims=True) - 2 * A @ B.T + (B**2).sum(axis=1)


def judge(drawn, real):
    """Return fidelity and coverage, in squared distance, and how many real ones are told apart."""
    between, within = distances(drawn, real), distances(real, real)
    np.fill_diagonal(within, np.inf)  # an image is not its own neighbour
    fidelity, coverage = between.min(axis=1).mean(), between.min(axis=0).mean()
    apart = (within.min(axis=0) < between.min(axis=0)).mean()
    return float(fidelity), float(coverage), f"{apart:.0%}"


def draw(sets, side=8):
    """Draw a square grid of each named set of images, and return the figure."""
    figure, axes = plt.subplots(1, len(sets), figsize=(3 * len(sets), 3.4), layout="constrained")
    for ax, (name, drawn) in zip(axes, sets.items(), strict=True):
        grid = drawn[: side * side].reshape(side, side, *drawn.shape[1:])
        ax.imshow(np.block([list(row) for row in grid]), cmap="gray_r", vmin=0, vmax=1)
        ax.set(title=name, xticks=[], yticks=[])
    figure.suptitle("Images held out, and images drawn")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
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
    print(f"Codes of the autoencoder: standard deviations {std.min():.1f} to {std.max():.1f}, "
          f"correlations to {np.abs(np.corrcoef(codes.T) - np.eye(LATENT)).max():.2f}")  # fmt: skip
    header = (f"{n:,} of each, squared distances", "fidelity", "coverage", "told apart")
    show(header, [(name, *judge(drawn, X_test)) for name, drawn in sets.items()], digits=1)
    drawn = {name: drawn for name, drawn in sets.items() if "z from" in name}
    save(chosen.out, samples=draw({"held-out images": X_test, **drawn}))


# %%
if __name__ == "__main__":
    main()
