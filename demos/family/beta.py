# %% [markdown]
"""The weight of the KL: what beta = 1, 4 and 10 keep of an image, and in how many latents.

    python demos/family/beta.py                    10,000 built-in digits, under a minute
    python demos/family/beta.py --data mnist       60,000 images, a few minutes

A VAE minimises reconstruction + beta KL (Higgins et al. 2017). With a larger beta the KL falls,
fewer latents are active, and the images lose detail. Two baselines mark the two ends: independent
pixels, which have no code at all, and PCA, whose code costs nothing.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Adam, plots
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import independent_pixels
from support.common import images, options, save, show, squared_error, timed

BETAS, LATENT = (1.0, 4.0, 10.0), 20
EPOCHS = {"digits": 20, "mnist": 10}


# %%
def measure(vae, X):
    """Return a row of the table: bound, reconstruction, KL, active units, squared error."""
    parts = vae.evaluate(X, return_dict=True)
    error = squared_error(X, vae.reconstruct(X))
    active = f"{vae.active_units(X)} of {vae.latent_dim}"
    return float(vae.elbo(X).mean()), parts["reconstruction"], parts["kl"], active, error


def baselines(X, X_test):
    """Return the rows of the two baselines."""
    bound = independent_pixels(X, X_test)
    pca = PCA(LATENT).fit(X.reshape(len(X), -1))
    error = float(pca.reconstruction_error(X_test.reshape(len(X_test), -1)))
    return [
        ("independent pixels", bound, -bound, 0.0, "none", squared_error(X_test, X.mean(axis=0))),
        (f"PCA, {LATENT} components", "-", "-", "-", "-", error),
    ]


def draw_samples(models, seed, side=8):
    """Draw a grid of samples from each model, from the same z, and return the figure."""
    figure, axes = plt.subplots(1, len(models), figsize=(9, 3.5), layout="constrained")
    for ax, vae in zip(axes, models, strict=True):
        grid = vae.sample(side * side, seed=seed).reshape(side, side, *vae.input_shape)
        ax.imshow(np.block([list(row) for row in grid]), cmap="gray_r", vmin=0, vmax=1)
        ax.set(title=f"beta = {vae.beta:g}", xticks=[], yticks=[])
    figure.suptitle("Samples from the prior, for each beta of the training")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("beta", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen)
    epochs = 5 if chosen.quick else EPOCHS[chosen.data]

    models = []
    for beta in BETAS:
        vae = VAE(X.shape[1:], LATENT, (256,), activation="relu", beta=beta, seed=chosen.seed)
        with timed(f"beta = {beta:g}, {epochs} epochs"):
            vae.fit(X, epochs=epochs, batch_size=100, optimizer=Adam(1e-3), verbose=0)
        models.append(vae)
    rows = [(f"VAE, beta = {vae.beta:g}", *measure(vae, X_test)) for vae in models]
    header = ("bound on log p", "reconstruction", "KL", "active units", "squared error")
    show(("held-out images, nats per image", *header), rows + baselines(X, X_test), digits=1)

    bars = [plots.kl_per_dimension(vae, X_test) for vae in models]
    top = max(figure.axes[0].get_ylim()[1] for figure in bars)
    for vae, figure in zip(models, bars, strict=True):
        figure.axes[0].set(ylim=(0, top))
        figure.suptitle(f"beta = {vae.beta:g}")
    kl = models[1].kl_per_dimension(X_test)
    largest = np.argsort(kl)[::-1][:10]
    save(
        chosen.out,
        **{f"kl_beta_{vae.beta:g}": figure for vae, figure in zip(models, bars, strict=True)},
        traversal_beta_4=plots.traversal(models[1], dims=largest),
        samples=draw_samples(models, chosen.seed),
    )


# %%
if __name__ == "__main__":
    main()
