"""Feature extraction: are the codes of an autoencoder better to classify by than raw pixels?

    python demos/features.py                  10,000 embedded digits, under a minute
    python demos/features.py --data mnist     60,000 images, some two minutes

An autoencoder and a VAE learn codes of 10 numbers from all training images, without labels. Then
labels come in: 10, 100 or 1000 of them, as many of each digit, and softmax regression, a linear
classifier, learns from the labelled images: from their codes, or, the baselines, from their raw
pixels and from as many PCA scores, the best linear code. The accuracy is that on images held out,
mean and standard deviation over draws of the labelled images; all rows use the same draws.

With few labels the autoencoder's codes are the best to learn from: what varies together in all the
images need not be learned from the few. PCA scores are worse than the pixels: the small number
alone does not help. With 1000 labels the pixels of the embedded digits win, for they have what a
code of 10 numbers has lost; MNIST is harder, and there the codes are still ahead. The KL keeps the
codes of the VAE from telling as much of an image: they help on MNIST, but not on the embedded
digits. In semi_supervised.py the KL has a smaller weight.

The last column uses labels only to score: k-means looks for 10 clusters in the held-out images, and
the adjusted Rand index (ARI) says how far they are the digits, 1 for all of them and 0 for chance.
Nothing in the training asks for clusters. Those of the codes are better than those of the pixels on
MNIST, and no better on the embedded digits.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import SoftmaxRegression, images, options, pick, save, show, timed, train

from miniae import VAE, Autoencoder
from miniae.metrics import accuracy, adjusted_rand_index
from miniae.proof.oracles import PCA

CODE, CLASSES = 10, 10
LABELS = {10: 10, 100: 10, 1000: 3}  # so many labels, drawn so many times
EPOCHS = {"digits": 20, "mnist": 6, "fashion": 6}


# %%
def k_means(X, k, rng, restarts=10):
    """Return the cluster of each row of X (n, features): the tightest of several results."""
    squares, results = (X**2).sum(axis=1), []

    def distances(centres):
        return squares - 2 * centres @ X.T + (centres**2).sum(axis=1, keepdims=True)

    for _ in range(restarts):
        centres = X[rng.integers(len(X), size=1)]
        while len(centres) < k:  # k-means++: likelier where far away. Arthur and Vassilvitskii 2007
            p = np.maximum(distances(centres).min(axis=0), 0)
            centres = np.vstack([centres, X[rng.choice(len(X), p=p / p.sum())]])
        before, which = None, distances(centres).argmin(axis=0)
        while not np.array_equal(before, which):
            members = [X[which == j] for j in range(k)]
            means = [m.mean(axis=0) if len(m) else centres[j] for j, m in enumerate(members)]
            centres = np.stack(means)
            before, which = which, distances(centres).argmin(axis=0)
        results.append((distances(centres).min(axis=0).sum(), which))
    return min(results, key=lambda result: result[0])[1]


def accuracies(Z, labels, Z_test, labels_test, n, draws, seed):
    """Return the accuracy (%) of a classifier of codes from n labels, for several draws of them."""
    result = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, n, draw])  # the same images for every kind of code
        rows = pick(labels, n // CLASSES, rng)
        classifier = SoftmaxRegression(one_scale=True).fit(Z[rows], labels[rows])
        result.append(100 * accuracy(labels_test, classifier.predict(Z_test)))
    return result


def draw(results, index):
    """Draw accuracy by number of labels, and the agreement of clusters; return the figure."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 4), layout="constrained")
    colours = dict(zip(results, ("k", "C7", "C0", "C1"), strict=True))
    for name, by_labels in results.items():
        mean, std = ([f(a) for a in by_labels.values()] for f in (np.mean, np.std))
        left.errorbar(list(by_labels), mean, std, color=colours[name], label=name, marker="o")
    left.set(xscale="log", xlabel="labels", ylabel="accuracy on held-out images (%)")
    left.set(title="Softmax regression")
    left.set_xticks(list(by_labels), list(by_labels))
    left.minorticks_off()
    left.legend(frameon=False)
    right.barh(list(index), list(index.values()), color=list(colours.values()))
    right.invert_yaxis()
    right.set(title="k-means", xlabel="adjusted Rand index of clusters and classes", xlim=(0, 1))
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
    X, X_test, labels, labels_test = images(chosen, quick=(300, 200))
    X_test, labels_test = X_test[:2000], labels_test[:2000]
    counts, epochs = ({10: 1, 50: 1}, 2) if chosen.quick else (LABELS, EPOCHS[chosen.data])
    size, more = (X.shape[1:], CODE, (256, 128)), {"activation": "relu", "seed": chosen.seed}
    models = {cls.__name__: cls(*size, **more) for cls in (Autoencoder, VAE)}
    for name, model in models.items():
        train(name, model, X, lr=3e-3, epochs=epochs)
    autoencoder, vae = models.values()
    flat, flat_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    pca = PCA(CODE).fit(flat)
    codes = {
        f"raw pixels, {flat.shape[1]}": (flat, flat_test),
        f"PCA scores, {CODE}": (pca.transform(flat), pca.transform(flat_test)),
        f"autoencoder, {CODE}": (autoencoder.encode(X), autoencoder.encode(X_test)),
        f"VAE, {CODE}": (vae.encode(X), vae.encode(X_test)),
    }
    results, index = {name: {} for name in codes}, {}
    with timed("classifiers and clusters"):
        for name, (Z, Z_test) in codes.items():
            for n, draws in counts.items():
                drawn = n, draws, chosen.seed
                results[name][n] = accuracies(Z, labels, Z_test, labels_test, *drawn)
            clusters = k_means(Z_test, CLASSES, np.random.default_rng(chosen.seed))
            index[name] = adjusted_rand_index(labels_test, clusters)

    rows = [
        (name, *(f"{np.mean(a):.1f} ± {np.std(a):.1f}" for a in by.values()), index[name])
        for name, by in results.items()
    ]
    show(("accuracy (%)", *(f"{n} labels" for n in counts), "k-means, ARI"), rows)
    save(chosen.out, features=draw(results, index))


# %%
if __name__ == "__main__":
    main()
