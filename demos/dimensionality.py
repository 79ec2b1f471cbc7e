"""Dimensionality reduction: codes of autoencoders beside those of PCA, from 1 number to 32.

    python demos/dimensionality.py                  10,000 embedded digits, under a minute
    python demos/dimensionality.py --data mnist     60,000 images, a few minutes

PCA is the best linear code of its size, in closed form (Baldi and Hornik 1989). A linear
autoencoder, one without hidden layers, trained on the squared error of centred images, finds by
gradient descent what PCA computes: its errors lie on PCA's curve. The deep one, 784-256-128-k and
its mirror image, is not bound to a plane through the data, and at every size of the code its error
is smaller. It is trained on the cross-entropy of pixels, which suits black and white, and is judged
by the squared error per held-out image as the others are.

A code of 2 numbers is a map of the data. No method has been told any label, but colouring images by
their digit shows how far each keeps digits apart; the percentage above a map says how often the
nearest neighbour of an image, among those held out, is of its class. Where a digit lies in the
autoencoder's map means nothing: another seed draws another map.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import images, options, save, show, squared_error, train

from miniae import Autoencoder, metrics
from miniae.proof.oracles import PCA

SIZES, LINEAR_EPOCHS = (1, 2, 4, 8, 16, 32), 10
EPOCHS = {"digits": 8, "mnist": 5, "fashion": 5}


# %%
def neighbours(Z, labels):
    """Return how many (%) of the codes Z (n, k) have a nearest neighbour of their label."""
    squares = (Z**2).sum(axis=1)
    distances = squares[:, None] - 2 * Z @ Z.T + squares
    np.fill_diagonal(distances, np.inf)  # a code is no neighbour of its own
    return 100 * metrics.accuracy(labels, labels[distances.argmin(axis=1)])


def draw(maps, near, labels, sizes, table):
    """Draw maps of codes (n, 2) by name, below them the errors by size; return the figure."""
    figure, axes = plt.subplot_mosaic([list(maps), ["errors"] * 2], figsize=(8, 8),
                                      layout="constrained")  # fmt: skip
    for name, Z in maps.items():
        points = axes[name].scatter(*Z.T, c=labels, cmap="tab10", s=4, linewidths=0)
        title = f"{name}, codes of 2\n{near[name]:.0f} % have a neighbour of their class"
        axes[name].set(title=title, xlabel="z[0]", ylabel="z[1]")
    axes[name].legend(*points.legend_elements(), title="class", frameon=False,
                      loc="center left", bbox_to_anchor=(1, 0.5))  # fmt: skip
    ax = axes["errors"]
    for (name, errors), style in zip(table.items(), ("k-", "C1o", "C0s-"), strict=True):
        ax.semilogx(sizes, errors, style, label=name, base=2)
    ax.set(title="What a code of k numbers loses", xlabel="k, numbers in the code", ylim=(0, None))
    ax.set(ylabel="squared error per held-out image", xticks=sizes, xticklabels=sizes)
    ax.legend(frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
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

    nothing = ("0, the mean image", squared_error(flat_test, mean), "-", "-")
    rows = [(f"{k}", *errors) for k, *errors in zip(sizes, *table.values(), strict=True)]
    show(("squared error by size of code", *table), [nothing, *rows])
    near = {name: neighbours(Z, labels) for name, Z in maps.items()}
    shares = ", ".join(f"{name} {share:.1f} %" for name, share in near.items())
    print(f"Images whose neighbour in the map is of their class: {shares}")
    save(chosen.out, dimensionality=draw(maps, near, labels, sizes, table))


# %%
if __name__ == "__main__":
    main()
