# %% [markdown]
"""Train a VAE and look at what it has learned: a table of results, and pictures.

    python demos/train_vae.py                     built-in digits, two latents, under a minute
    python demos/train_vae.py --data mnist        784-500-20 on 60,000 images, 10 epochs

The table compares the VAE with two baselines on held-out images. The pictures show the plane of two
latents, samples, reconstructions and the loss. The trained model is saved beside them.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import VAE, Adam, gaussian_kl, plots
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import independent_pixels
from support.common import images, mean_image_logits, options, save, show, squared_error, timed

SETUPS = {
    "digits": {"hidden": (256, 128), "activation": "relu", "latent": 2, "epochs": 40},
    "mnist": {"hidden": (500,), "activation": "tanh", "latent": 20, "epochs": 10},
    "fashion": {"hidden": (500,), "activation": "tanh", "latent": 20, "epochs": 10},
}


# %%
def compare(vae, pca, X, X_test):
    """Return the rows of the table: the VAE and two baselines, on held-out images."""
    independent, k = independent_pixels(X, X_test), vae.latent_dim
    parts = vae.evaluate(X_test, return_dict=True)
    bound, error = float(vae.elbo(X_test).mean()), squared_error(X_test, vae.reconstruct(X_test))
    pca_error = pca.reconstruction_error(X_test.reshape(len(X_test), -1))
    mean_error = squared_error(X_test, X.mean(axis=0))
    return [
        ("independent pixels", independent, -independent, 0.0, mean_error),
        (f"PCA, {k} components", "-", "-", "-", pca_error),
        (f"VAE, {k} latents", bound, parts["reconstruction"], parts["kl"], error),
    ]


def draw(vae, X_test, labels, seed):
    """Return the figures by name."""
    figures = {}
    if vae.latent_dim > 1:
        # With more than two latents, show the two with the largest KL.
        kl = gaussian_kl(*vae.posterior(X_test)).mean(axis=0)
        dims = tuple(int(d) for d in np.sort(np.argsort(kl)[::-1][:2]))
        figures["manifold"] = plots.latent_manifold(vae, dims=dims)
        figures["codes"] = plots.latent_scatter(vae, X_test, labels, dims=dims)
    figures["loss"] = plots.loss_curves(vae.history)
    figures["reconstructions"] = plots.reconstructions(vae, X_test)
    figures["samples"] = plots.samples(vae, seed=seed)
    return figures


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "train_vae",
        __doc__,
        argv,
        epochs=(0, "0 for 40 on digits and 10 on the others"),
        latent=(0, "number of latents, 0 for 2 on digits and 20 on the others"),
    )
    setup = SETUPS[chosen.data]
    latent = chosen.latent or setup["latent"]
    epochs = chosen.epochs or (3 if chosen.quick else setup["epochs"])
    X, X_test, _, labels = images(chosen)

    vae = VAE(
        X.shape[1:], latent, setup["hidden"], activation=setup["activation"], seed=chosen.seed
    )
    vae.decoder.layers[-2].params["b"] = mean_image_logits(X)
    vae.summary()
    with timed(f"\n{epochs} epochs on {len(X):,} images"):
        vae.fit(X, epochs=epochs, batch_size=100, optimizer=Adam(1e-3),
                validation_data=X_test[:2000])  # fmt: skip
    pca = PCA(latent).fit(X.reshape(len(X), -1))
    header = ("bound on log p", "reconstruction", "KL", "squared error")
    show(("held-out images, nats per image", *header), compare(vae, pca, X, X_test), digits=1)
    save(chosen.out, **draw(vae, X_test, labels, chosen.seed))
    vae.save(chosen.out / "vae.npz")
    print(f"The trained model is {chosen.out / 'vae.npz'}")


# %%
if __name__ == "__main__":
    main()
