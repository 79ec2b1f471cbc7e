# %% [markdown]
"""VAE-GAN: are its samples sharper than a VAE's, and what makes its modes collapse?

    python demos/uses/vae_gan.py                   4,000 built-in digits, a minute
    python demos/uses/vae_gan.py --data fashion    Fashion-MNIST; or mnist

A VAE, an adversarial autoencoder and a VAE-GAN are trained on the same images. The first table
compares their samples with held-out images: how strong edges are, and what a small classifier sees.
The second one has the reconstructions, which the VAE-GAN does not measure in pixels. Two more runs
of the VAE-GAN lack what keeps the game in balance.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, VAEGAN, Adam, AdversarialAutoencoder
from miniae.metrics import accuracy

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import draw_rows, images, options, save, show, squared_error, timed
from support.sample_scores import (
    Judge,
    classes_in_use,
    classifier_score,
    edge_strength,
    frechet_distance,
    grey_share,
    spread,
)

LATENT, HIDDEN, BATCH, LR = 10, (128,), 100, 1e-3
N_TRAIN, EPOCHS, VAE_EPOCHS = 4000, 15, 30
BETAS = 0.5, 0.999  # of Adam


# %%
def runs(shape, seed):
    """Return the models by name, and the options of `fit` that are not the default's."""
    options = {"latent_dim": LATENT, "hidden": HIDDEN, "seed": seed}
    rules = {player: Adam(LR, BETAS) for player in ("encoder", "decoder", "discriminator")}
    fast = {**rules, "discriminator": Adam(10 * LR, BETAS)}
    return {
        "VAE": (VAE(shape, activation="relu", **options), Adam(LR)),
        "adversarial autoencoder": (AdversarialAutoencoder(shape, **options), rules),
        "VAE-GAN": (VAEGAN(shape, **options), rules),
        "VAE-GAN, gamma 0": (VAEGAN(shape, gamma=0.0, **options), rules),
        "VAE-GAN, fast discriminator": (VAEGAN(shape, **options), fast),
    }


def score(judge, X, real):
    """Return a row of the first table for images X beside real ones."""
    p, f, f_real = judge.p(X), judge.features(X), judge.features(real)
    shares = np.bincount(p.argmax(axis=1), minlength=p.shape[1]) / len(X)
    return (
        edge_strength(X) / edge_strength(real),
        100 * grey_share(X),
        frechet_distance(f, f_real) / spread(f_real),
        classifier_score(p),
        classes_in_use(p),
        100 * float(shares.min()),
        spread(f) / spread(f_real),
    )


def draw_game(models, judge, X_test):
    """Draw D during training, and the share of each class in samples; return the figure."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    games = {name: model for name, (model, _) in models.items() if name.startswith("VAE-GAN")}
    for i, (name, model) in enumerate(games.items()):
        epochs = range(1, 1 + len(model.history["d_real"]))
        axes[0].plot(epochs, model.history["d_real"], f"C{i}-", label=name)
        axes[0].plot(epochs, model.history["d_fake"], f"C{i}--")
    axes[0].axhline(0.5, color="k", lw=0.8, ls=":")
    axes[0].set(xlabel="epoch", ylabel="mean of D", ylim=(0, 1),
                title="D of real images (solid) and of fakes (dashed)")  # fmt: skip
    axes[0].legend(fontsize="small")
    shown = {"held-out images": X_test, **{n: m.sample(2000, seed=0) for n, m in games.items()}}
    for i, (name, X) in enumerate(shown.items()):
        shares = np.bincount(judge.p(X).argmax(axis=1), minlength=10) / len(X)
        colour = f"C{i - 1}" if i else "k"
        axes[1].bar(np.arange(10) + 0.2 * (i - 1.5), 100 * shares, 0.2, color=colour, label=name)
    axes[1].set(xlabel="class", ylabel="% of samples", xticks=range(10),
                title="classes that the classifier sees")  # fmt: skip
    axes[1].legend(fontsize="small")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("vae_gan", __doc__, argv)
    X, X_test, labels, labels_test = images(chosen, N_TRAIN)
    X, labels = X[:N_TRAIN], labels[:N_TRAIN]
    X_test, labels_test = X_test[:2000], labels_test[:2000]
    judge = Judge(X[0].size, 10, seed=chosen.seed).fit(X, labels)
    found = judge.p(X_test).argmax(axis=1)
    print(f"the classifier is right on {100 * accuracy(labels_test, found):.1f} % of them")

    half = len(X_test) // 2
    table = [("half of the held-out images", *score(judge, X_test[:half], X_test[half:]))]
    again, drawn, models = [], {"held-out images": X_test[:16]}, runs(X.shape[1:], chosen.seed)
    for name, (model, rule) in models.items():
        epochs = 1 if chosen.quick else VAE_EPOCHS if name == "VAE" else EPOCHS
        with timed(f"{name}, {epochs} epochs"):
            model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=rule, verbose=0)
        samples = model.sample(2000, seed=chosen.seed)
        table.append((name, *score(judge, samples, X_test)))
        drawn[name] = samples[:16]
        back = model.reconstruct(X_test)
        right = 100 * accuracy(found, judge.p(back).argmax(axis=1))
        edges = edge_strength(back) / edge_strength(X_test)
        ends = [model.history[key][-1] for key in ("d_real", "d_fake") if key in model.history]
        again.append((name, squared_error(X_test, back), right, edges, *(ends or "--")))
    header = ("edges, of data", "grey %", "Frechet", "score", "classes", "rarest %", "variety")
    show(("2,000 samples", *header), table)
    header = ("held-out, reconstructed", "squared error", "same class %", "edges, of data")
    show((*header, "D(real)", "D(fake)"), again)
    save(chosen.out, samples=draw_rows(drawn, "Samples, and held-out images on top"),
         training=draw_game(models, judge, X_test))  # fmt: skip


# %%
if __name__ == "__main__":
    main()
