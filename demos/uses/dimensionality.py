# %% [markdown]
"""Dimensionality reduction: codes of autoencoders compared with those of PCA, from 1 number to 32.

    python demos/uses/dimensionality.py                  10,000 built-in digits, under a minute
    python demos/uses/dimensionality.py --data mnist     60,000 images, a few minutes

A linear autoencoder finds by gradient descent what PCA computes in closed form. A deep autoencoder
has a smaller error at every size of the code. A code of 2 numbers is a map of the data.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import Autoencoder, metrics
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import images, options, save, show, squared_error, train

SIZES, LINEAR_EPOCHS = (1, 2, 4, 8, 16, 32), 10
EPOCHS = {"digits": 8, "mnist": 5, "fashion": 5}


# %%
def neighbours(Z, labels):
    """Return how many (%) of the codes Z (n, k) have the same label as their nearest neighbour."""
    squares = (Z**2).sum(axis=1)
    distances = squares[:, None] - 2 * Z @ Z.T + squares
    np.fill_diagonal(distances, np.inf)  # a code is not its own neighbour
    return 100 * metrics.accuracy(labels, labels[distances.argmin(axis=1)])


def draw(maps, near, labels, sizes, table):
    """Draw maps of codes (n, 2) by name, and below them the errors by size; return the figure."""
    figure, axes = plt.subplot_mosaic([list(maps), ["errors"] * 2], figsize=(8, 8),
                                      layout="constrained")  # fmt: skip
    for name, Z in maps.items():
        points = axes[name].scatter(*Z.T, c=labels, cmap="tab10", s=4, linewidths=0)
        title = f"{name}, codes of 2\n{near[name]:.0f} % have a neighbour of the same class"
        axes[name].set(title=title, xlabel="z[0]", ylabel="z[1]")
    axes[name].legend(*points.legend_elements(), title="class", frameon=False,
                      loc="center left", bbox_to_anchor=(1, 0.5))  # fmt: skip
    ax = axes["errors"]
    for (name, errors), style in zip(table.items(), ("k-", "C1o", "C0s-"), strict=True):
        ax.semilogx(sizes, errors, style, label=name, base=2)
    ax.set(title="Error of a code of k numbers", xlabel="k, numbers in the code", ylim=(0, None))
    ax.set(ylabel="squared error per held-out image", xticks=sizes, xticklabels=sizes)
    ax.legend(frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("dimensionality", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, labels = images(chosen, quick=(300, 200))
    sizes, epochs = ((2, 8), 2) if chosen.quick else (SIZES, EPOCHS[chosen.data])
    flat, flat_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    mean = flat.mean(axis=0)
    table, maps = {"PCA": [], "linear autoencoder": [], "deep autoencoder": []}, {}
    for k in sizes:
        pca = PCA(k).fit(flat)
        linear = Autoencoder(flat.shape[1], k, (), loss="mse", seed=chosen.seed)
        train(f"linear, codes of {k}", linear, flat - mean, lr=1e-2, epochs=LINEAR_EPOCHS)
        deep = Autoencoder(X.shape[1:], k, (256, 128), seed=chosen.seed)
        train(f"deep, codes of {k}", deep, X, lr=4e-3, epochs=epochs)
        table["PCA"].append(float(pca.reconstruction_error(flat_test)))
        again = linear.reconstruct(flat_test - mean) + mean
        table["linear autoencoder"].append(squared_error(flat_test, again))
        table["deep autoencoder"].append(squared_error(X_test, deep.reconstruct(X_test)))
        if k == 2:
            maps = {"PCA": pca.transform(flat_test), "deep autoencoder": deep.encode(X_test)}

    no_code = ("0, the mean image", squared_error(flat_test, mean), "-", "-")
    rows = [(f"{k}", *errors) for k, *errors in zip(sizes, *table.values(), strict=True)]
    show(("squared error by size of code", *table), [no_code, *rows])
    near = {name: neighbours(Z, labels) for name, Z in maps.items()}
    shares = ", ".join(f"{name} {share:.1f} %" for name, share in near.items())
    print(f"Images whose nearest neighbour in the map has the same class: {shares}")
    save(chosen.out, dimensionality=draw(maps, near, labels, sizes, table))


# %%
if __name__ == "__main__":
    main()
