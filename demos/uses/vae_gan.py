# %% [markdown]
"""VAE-GAN: are its samples sharper than a VAE's, and what makes its modes collapse?

    python demos/uses/vae_gan.py                   4,000 built-in digits, a minute
    python demos/uses/vae_gan.py --data fashion    Fashion-MNIST; or mnist

A VAE, an adversarial autoencoder and a VAE-GAN are trained on the same images, averaged to 14 by
14 pixels. The first table compares samples with held-out images: how strong edges are, and what a
small classifier sees. Then the VAE-GAN is put out of balance: its discriminator makes steps ten
times as large or as small, with the reconstruction in the decoder's loss or without it (gamma 0).
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

LATENT, HIDDEN, BATCH, LR, BETAS = 10, (128,), 100, 2e-3, (0.5, 0.999)  # BETAS of Adam
N_TRAIN, EPOCHS, BETA = 4000, 30, 0.1
SPEEDS = {"fast": 10.0, "slow": 0.1}  # of the discriminator, whose rate is LR times this


# %%
def runs(shape, seed):
    """Return models and their optimisers by name."""
    options = {"latent_dim": LATENT, "hidden": HIDDEN, "seed": seed}

    def rules(speed=1.0):
        """Return an optimiser for each player."""
        speeds = {"encoder": 1.0, "decoder": 1.0, "discriminator": speed}
        return {player: Adam(LR * factor, BETAS) for player, factor in speeds.items()}

    models = {
        "VAE": (VAE(shape, activation="relu", **options), Adam(LR)),
        "adversarial autoencoder": (AdversarialAutoencoder(shape, gamma=3.0, **options), rules()),
        "VAE-GAN": (VAEGAN(shape, beta=BETA, **options), rules()),
    }
    for name, speed in SPEEDS.items():
        for gamma in (1.0, 0.0):
            model = VAEGAN(shape, beta=BETA, gamma=gamma, **options)
            models[f"{name} discriminator, gamma {gamma:g}"] = (model, rules(speed))
    return models


def halved(X):
    """Return images (n, 28, 28) at half their size: means over 2 by 2 pixels."""
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))


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
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    games = {name: model for name, (model, _) in models.items() if isinstance(model, VAEGAN)}
    shown = {"held-out images": X_test, **{n: m.sample(2000, seed=0) for n, m in games.items()}}
    shares = [np.bincount(judge.p(X).argmax(axis=1), minlength=10) / len(X) for X in shown.values()]
    for i, model in enumerate(games.values()):
        epochs = range(1, 1 + len(model.history["d_real"]))
        axes[0].plot(epochs, model.history["d_real"], f"C{i}-")
        axes[0].plot(epochs, model.history["d_fake"], f"C{i}--")
    axes[0].axhline(0.5, color="k", lw=0.8, ls=":")
    axes[0].set(xlabel="epoch", ylabel="mean of D", ylim=(0, 1),
                title="D of real images (solid) and of fakes (dashed)")  # fmt: skip
    left = np.zeros(len(shown))
    for digit, share in enumerate(100 * np.array(shares).T):
        axes[1].barh(range(len(shown)), share, left=left, color=f"C{digit}", label=str(digit))
        left += share
    axes[1].set_yticks(range(len(shown)), shown)
    for i, text in enumerate(axes[1].get_yticklabels()):
        text.set_color(f"C{i - 1}" if i else "k")
    axes[1].invert_yaxis()
    axes[1].set(xlabel="% of samples", title="classes that the classifier sees", xlim=(0, 100))
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower right", ncols=10,
                  fontsize="small", title="class")  # fmt: skip
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("vae_gan", __doc__, argv)
    X, X_test, labels, labels_test = images(chosen, N_TRAIN)
    X, labels = halved(X[:N_TRAIN]), labels[:N_TRAIN]
    X_test, labels_test = halved(X_test[:2000]), labels_test[:2000]
    judge = Judge(X[0].size, 10, seed=chosen.seed).fit(X, labels)
    found = judge.p(X_test).argmax(axis=1)
    print(f"the classifier is right on {100 * accuracy(labels_test, found):.1f} % of them")

    half, epochs = len(X_test) // 2, 1 if chosen.quick else EPOCHS
    table = [("half of the held-out images", *score(judge, X_test[:half], X_test[half:]))]
    again, drawn, models = [], {"held-out images": X_test[:16]}, runs(X.shape[1:], chosen.seed)
    for name, (model, rule) in models.items():
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
    figure = draw_rows(drawn, "Samples, and held-out images on top")
    figure.set_figheight(3.9)
    save(chosen.out, samples=figure, training=draw_game(models, judge, X_test))


# %%
if __name__ == "__main__":
    main()
