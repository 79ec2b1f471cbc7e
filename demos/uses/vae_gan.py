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


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("vae_gan", __doc__, argv)
    X, X_test, labels, labels_test = images(chosen, N_TRAIN)
    X, labels, X_test, labels_test = X[:N_TRAIN], labels[:N_TRAIN], X_test[:2000], labels_test[:2000]
    judge = Judge(X[0].size, 10, seed=chosen.seed).fit(X, labels)
    found = judge.p(X_test).argmax(axis=1)
    print(f"the classifier is right on {100 * accuracy(labels_test, found):.1f} % of them")

    half = len(X_test) // 2
    table = [("half of the held-out images", *score(judge, X_test[:half], X_test[half:]))]
    again, drawn = [], {"held-out images": X_test[:16]}
    for name, (model, rule) in runs(X.shape[1:], chosen.seed).items():
        epochs = VAE_EPOCHS if name == "VAE" else EPOCHS
        epochs = 1 if chosen.quick else epochs
        with timed(f"{name}, {epochs} epochs"):
            model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=rule, verbose=0)
        samples = model.sample(2000, seed=chosen.seed)
        table.append((name, *score(judge, samples, X_test)))
        drawn[name] = samples[:16]
        back = model.reconstruct(X_test)
        right = 100 * accuracy(found, judge.p(back).argmax(axis=1))
        again.append((name, squared_error(X_test, back), right,
                      edge_strength(back) / edge_strength(X_test)))  # fmt: skip
        if hasattr(model, "discriminator"):
            ends = (model.history[key][-1] for key in ("d_real", "d_fake"))
            again[-1] += tuple(ends)
        else:
            again[-1] += ("-", "-")
    show(
        ("2,000 samples", "edges, of data", "grey %", "Frechet", "score", "classes", "rarest %",
         "variety"),
        table,
    )  # fmt: skip
    header = ("held-out, reconstructed", "squared error", "same class %", "edges, of data")
    show((*header, "D(real)", "D(fake)"), again)
    save(chosen.out, samples=draw_rows(drawn, "Samples, and held-out images on top"))


# %%
if __name__ == "__main__":
    main()
