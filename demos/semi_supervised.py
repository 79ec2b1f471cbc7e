"""Semi-supervised learning: few labels, many images without, and a VAE fitted to all of them.

    python demos/semi_supervised.py                  10,000 embedded digits, under a minute
    python demos/semi_supervised.py --data mnist     60,000 images, some two minutes

Of all training images only 20, 50 or 100 have a label, as many of each digit. The baselines are
trained on those alone: softmax regression on their pixels, and the nearest neighbour, which gives
an image the label of the labelled image closest to it. M1 of Kingma et al. (2014) first fits a VAE
to all images, labelled or not, and then gives the same classifiers the codes, that is the posterior
means, in place of the pixels. The KL has the weight beta = 0.25: codes to classify by need not be
fit to sample from, and may tell more of the image. Reconstructions can take the place of the pixels
as well; with the nearest neighbour, an image gets the label of the closest labelled reconstruction.
PCA, fitted to all images too, says what a linear code of the same size does.

Accuracies are those on images held out, mean and standard deviation over ten draws of the labelled
images. Much depends on which images are labelled, but they are the same for all rows: the last
column counts the draws in which a row beats the same classifier on pixels. The VAE's codes help
either classifier, by a few points. Reconstructions help less: they are close to the images, and so
their neighbours are mostly the same. PCA scores do not help softmax regression: with
50 or 100 labels it is worse with them than with the pixels.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import SoftmaxRegression, images, nearest, options, pick, save, show, timed, train

from miniae import VAE
from miniae.metrics import accuracy
from miniae.proof.oracles import PCA

CODE, BETA, CLASSES = 10, 0.25, 10
LABELS = (20, 50, 100)
EPOCHS = {"digits": 30, "mnist": 8, "fashion": 8}
COLOURS = {"pixels": "k", "PCA scores": "C7", "VAE codes": "C0", "VAE reconstructions": "C1"}


# %%
def softmax_regression(Z, labels, Z_test):
    """Return what a linear classifier, trained on few labelled rows Z, says of rows Z_test."""
    return SoftmaxRegression(one_scale=True).fit(Z, labels).predict(Z_test)


WAYS = {"softmax regression": softmax_regression, "nearest neighbour": nearest}


def draw(results, few, counts):
    """Draw accuracy by number of labels, below one draw of labelled images; return the figure."""
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
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
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
