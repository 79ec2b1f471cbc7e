# %% [markdown]
"""Feature extraction: are the codes of an autoencoder better features than raw pixels?

    python demos/uses/features.py                  10,000 built-in digits, under a minute
    python demos/uses/features.py --data mnist     60,000 images, some two minutes

An autoencoder and a VAE learn codes of 10 numbers from all images, without labels. Softmax
regression then learns from 10, 100 or 1000 labelled images. The baselines are the raw pixels and
PCA scores. The last column says how well k-means clusters of the codes agree with the classes.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Autoencoder
from miniae.metrics import accuracy, adjusted_rand_index
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import SoftmaxRegression, pick
from support.common import images, options, save, show, timed, train

CODE, CLASSES = 10, 10
LABELS = {10: 10, 100: 10, 1000: 3}  # number of labels: number of draws
EPOCHS = {"digits": 20, "mnist": 6, "fashion": 6}


# %%
def k_means(X, k, rng, restarts=10):
    """Return the cluster of each row of X (n, features): the best of several runs."""
    squares, results = (X**2).sum(axis=1), []

    def distances(centres):
        return squares - 2 * centres @ X.T + (centres**2).sum(axis=1, keepdims=True)

    for _ in range(restarts):
        centres = X[rng.integers(len(X), size=1)]
        while len(centres) < k:  # k-means++: far rows are likelier. Arthur, Vassilvitskii 2007
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
    """Return the accuracy (%) of a classifier of codes from n labels, for each draw of them."""
    result = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, n, draw])  # the same rows for all codes
        rows = pick(labels, n // CLASSES, rng)
        classifier = SoftmaxRegression(one_scale=True).fit(Z[rows], labels[rows])
        result.append(100 * accuracy(labels_test, classifier.predict(Z_test)))
    return result


def draw(results, index):
    """Draw accuracy by number of labels, and the agreement of the clusters; return the figure."""
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
    chosen = options("features", __doc__, argv, data=tuple(EPOCHS))
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
