"""Train a VAE and look at what it has learned: a table of figures, and pictures of its world.

python demos/train_vae.py                     embedded digits, two latents, under a minute
python demos/train_vae.py --data mnist        784-500-20 on 60,000 images, 10 epochs
"""

# %%
import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # pictures go to files: no display needed
import numpy as np
from common import independent_pixels, squared_error

from miniae import VAE, Adam, datasets, gaussian_kl, plots
from miniae.proof.oracles import PCA

SETUPS = {
    "digits": {"hidden": (256, 128), "activation": "relu", "latent": 2, "epochs": 40},
    "mnist": {"hidden": (500,), "activation": "tanh", "latent": 20, "epochs": 10},
    "fashion": {"hidden": (500,), "activation": "tanh", "latent": 20, "epochs": 10},
}


# %%
def load(name, quick, seed):
    """Return train images, held-out images and held-out labels; images (n, 28, 28) in [0, 1]."""
    n_train, n_test = (1000, 500) if quick else (10_000, 2000)
    if name == "digits":
        images, labels, _ = datasets.synthetic_digits(n_train + n_test, seed=seed)
        return images[:n_train], images[n_train:], labels[n_train:]
    read = datasets.mnist if name == "mnist" else datasets.fashion_mnist
    (train, _), (test, labels) = read("train"), read("test")
    return (train[:n_train], test[:n_test], labels[:n_test]) if quick else (train, test, labels)


def table(vae, pca, train, test):
    """Return the lines of a table: the VAE beside two baselines, on images held out."""
    mean, independent = train.mean(axis=0), independent_pixels(train, test)
    parts = vae.evaluate(test, return_dict=True)
    flat = test.reshape(len(test), -1)
    k = vae.latent_dim
    rows = [
        (f"{len(test):,} held-out images", "bound on log p", "reconstruction", "KL", "squared"),
        ("", "nats", "nats", "nats", "error"),
        ("independent pixels", independent, -independent, 0.0, squared_error(test, mean)),
        (f"PCA, {k} components", "-", "-", "-", pca.reconstruction_error(flat)),
        (
            f"VAE, {k} latents",
            float(vae.elbo(test).mean()),
            parts["reconstruction"],
            parts["kl"],
            squared_error(test, vae.reconstruct(test)),
        ),
    ]
    text = [[cell if isinstance(cell, str) else f"{cell:.1f}" for cell in row] for row in rows]
    return [f"{a:24}" + "".join(f"{cell:>16}" for cell in rest) for a, *rest in text]


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=SETUPS, default="digits")
    parser.add_argument("--epochs", type=int, help="default: 40 for digits, 10 for the others")
    parser.add_argument("--latent", type=int, help="latent dimensions; default: 2 or 20")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for pictures; default: out/train_vae/DATA")
    parser.add_argument("--quick", action="store_true", help="few images and epochs, for a try")
    options = parser.parse_args(argv)
    setup = SETUPS[options.data]
    epochs = 3 if options.quick else setup["epochs"]
    epochs = epochs if options.epochs is None else options.epochs
    out = options.out or Path("out") / "train_vae" / options.data

    train, test, labels = load(options.data, options.quick, options.seed)
    vae = VAE(
        train.shape[1:],
        options.latent or setup["latent"],
        setup["hidden"],
        activation=setup["activation"],
        seed=options.seed,
    )
    # Start from the mean image, so that no epoch is spent on learning that margins are empty.
    p = train.mean(axis=0).clip(1e-3, 1 - 1e-3)
    vae.decoder.layers[-2].params["b"] = np.log(p / (1 - p)).ravel()
    vae.summary()
    start = time.perf_counter()
    vae.fit(train, epochs=epochs, batch_size=100, optimizer=Adam(1e-3), validation_data=test[:2000])
    print(f"\n{epochs} epochs on {len(train):,} images: {time.perf_counter() - start:.1f} s\n")
    pca = PCA(vae.latent_dim).fit(train.reshape(len(train), -1))
    print("\n".join(table(vae, pca, train, test)))

    # With more than two latents, show the two that say most.
    kl = gaussian_kl(*vae.posterior(test)).mean(axis=0)
    dims = tuple(int(d) for d in np.sort(np.argsort(kl)[::-1][:2]))
    figures = {}
    if vae.latent_dim > 1:
        figures["manifold"] = plots.latent_manifold(vae, dims=dims)
        figures["codes"] = plots.latent_scatter(vae, test, labels, dims=dims)
    figures["loss"] = plots.loss_curves(vae.history)
    figures["reconstructions"] = plots.reconstructions(vae, test)
    figures["samples"] = plots.samples(vae, seed=options.seed)
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=120)
    vae.save(out / "vae.npz")
    print(f"\nPictures and the trained model are in {out}: {', '.join(figures)}")


# %%
if __name__ == "__main__":
    main()
