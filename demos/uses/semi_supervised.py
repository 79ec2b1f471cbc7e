# %% [markdown]
"""Semi-supervised learning: few labels, many images, and a VAE fitted to all of them.

    python demos/uses/semi_supervised.py                  10,000 built-in digits, under a minute
    python demos/uses/semi_supervised.py --data mnist     60,000 images, some two minutes

Only 20, 50 or 100 images have a label. A VAE is fitted to all images, and classifiers then learn
from the codes of the labelled ones (M1 of Kingma et al. 2014). The baselines learn from the pixels,
and from PCA scores. The last column counts in how many draws a row beats the same classifier on
pixels.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE
from miniae.metrics import accuracy
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import SoftmaxRegression, nearest, pick
from support.common import images, options, save, show, timed, train

CODE, BETA, CLASSES = 10, 0.25, 10
LABELS = (20, 50, 100)
EPOCHS = {"digits": 30, "mnist": 8, "fashion": 8}
COLOURS = {"pixels": "k", "PCA scores": "C7", "VAE codes": "C0", "VAE reconstructions": "C1"}


# %%
def softmax_regression(Z, labels, Z_test):
    """Return the labels that a linear classifier, trained on few rows Z, gives to rows Z_test."""
    return SoftmaxRegression(one_scale=True).fit(Z, labels).predict(Z_test)


WAYS = {"softmax regression": softmax_regression, "nearest neighbour": nearest}


def draw(results, few, counts):
    """Draw some labelled images, and accuracy by number of labels; return the figure."""
    figure, axes = plt.subplot_mosaic([["few", "few"], list(WAYS)], figsize=(8.5, 6),
                                      height_ratios=(1, 3), layout="constrained")  # fmt: skip
    columns = [np.vstack(list(of_class)) for of_class in few.reshape(CLASSES, -1, *few.shape[1:])]
    axes["few"].imshow(np.hstack(columns), cmap="gray_r")
    axes["few"].set(title=f"{len(few)} labelled images, one draw", xticks=[], yticks=[])
    for (way, name), of in results.items():
        axes[way].errorbar(counts, of.mean(axis=1), of.std(axis=1), color=COLOURS[name], label=name)
    lowest = min(of.mean(axis=1).min() for of in results.values())
    for way in WAYS:
        axes[way].set(title=f"{way}\nmean and standard deviation over draws", xlabel="labels")
        axes[way].set(xscale="log", ylabel="accuracy on held-out images (%)", ylim=(lowest - 6, 96))
        axes[way].set_xticks(counts, counts)
        axes[way].minorticks_off()
        axes[way].legend(frameon=False, loc="upper left")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("semi_supervised", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, labels, labels_test = images(chosen, quick=(300, 200))
    X_test, labels_test = X_test[:2000], labels_test[:2000]
    epochs, draws = (2, 1) if chosen.quick else (EPOCHS[chosen.data], 10)
    counts = LABELS[:2] if chosen.quick else LABELS
    pca, both = PCA(CODE).fit(X.reshape(len(X), -1)), (X, X_test)
    vae = VAE(X.shape[1:], CODE, (256, 128), activation="relu", beta=BETA, seed=chosen.seed)
    train(f"VAE on {len(X):,} images", vae, X, lr=3e-3, epochs=epochs)
    codes = [vae.encode(x) for x in both]
    inputs = {
        "pixels": both,
        "PCA scores": [pca.transform(x.reshape(len(x), -1)) for x in both],
        "VAE codes": codes,
        "VAE reconstructions": [vae.decode(z) for z in codes],
    }
    results = {(way, name): np.zeros((len(counts), draws)) for way in WAYS for name in inputs}
    with timed(f"classifiers, {draws} draws of the labelled images"):
        for i, j in np.ndindex(len(counts), draws):
            rng = np.random.default_rng([chosen.seed, counts[i], j])
            rows = pick(labels, counts[i] // CLASSES, rng)
            if i == j == 0:
                few = X[rows]
            for (way, name), of in results.items():
                Z, Z_test = inputs[name]
                of[i, j] = 100 * accuracy(labels_test, WAYS[way](Z[rows], labels[rows], Z_test))

    table = []
    for (way, name), of in results.items():
        alone = results[way, "pixels"]
        won = "-" if of is alone else f"{(of > alone).sum()} of {of.size}"
        table.append((f"{way}, {name}", *(f"{a.mean():.1f} ± {a.std():.1f}" for a in of), won))
    show(("accuracy (%)", *(f"{n} labels" for n in counts), "beats pixels in"), table)
    save(chosen.out, semi_supervised=draw(results, few, counts))


# %%
if __name__ == "__main__":
    main()
