# %% [markdown]
"""Hinton and Salakhutdinov (2006): 784-1000-500-250-30 and its mirror image, without pretraining.

    MINIAE_DATA=<folder> python demos/reproduce/hinton_2006.py     60,000 images, some 35 minutes

The paper pretrains the layers as restricted Boltzmann machines. Its squared errors per test image
are 3.00 for the autoencoder, 8.01 for logistic PCA and 13.87 for PCA. Here all weights start at
random. The activation and the loss are chosen on the last 10,000 training images. The best network
is then trained on all 60,000 images.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from miniae import Autoencoder, SquaredError
from miniae.numerics import as_float, sigmoid
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import decaying_adam, draw_rows, images, save, squared_error, timed
from support.paper import start

HIDDEN, CODE, BATCH, RATE = (1000, 500, 250), 30, 128, 1e-3
EPOCHS, TRIAL, KEPT = 80, 5, 10_000  # of the run, of each candidate; validation images


class SquaredErrorOfSigmoid(SquaredError):
    """Sum over pixels of (target - sigmoid(out))^2, mean over samples. out are logits."""

    bounds = (0.0, 1.0)

    def entries(self, out, target):
        """Logits and targets (n, ...) -> (n, ...)."""
        return (sigmoid(out) - target) ** 2

    def slopes(self, out, target, weight):
        """With p = sigmoid(out), whose derivative is p (1 - p): 2 (p - target) p (1 - p)."""
        p = sigmoid(out)
        return 2 * (p - target) * p * (1 - p) * weight

    def mean(self, out):
        """Logits -> pixels."""
        return sigmoid(as_float(out))


LOSSES = {"cross-entropy": "bce", "squared error": SquaredErrorOfSigmoid()}
# The paper uses sigmoids. It says of an even deeper network, for images of curves, that it always
# outputs the mean image if it is not pretrained.
CANDIDATES = [
    ("sigmoid", "cross-entropy"),
    ("tanh", "cross-entropy"),
    ("tanh", "squared error"),
    ("relu", "cross-entropy"),
    ("relu", "squared error"),
]


# %%
def build(activation, loss, shape, seed, hidden=HIDDEN):
    """Return an autoencoder with random weights."""
    loss = LOSSES[loss]
    return Autoencoder(shape, CODE, hidden, activation=activation, loss=loss, seed=seed)


def train(model, X, epochs, rate, **options):
    """Train with a learning rate that falls to 0; return the model."""
    adam = decaying_adam(rate, epochs, len(X), BATCH)
    return model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=adam, verbose=2, **options)


def error_on(model, X):
    """Return the squared error per image, summed over pixels."""
    return squared_error(X, model.reconstruct(X))


def try_out(candidate, X, epochs, chosen, record):
    """Train a candidate on all images but the last ones, and return its error on those."""
    name, kept = ", ".join(candidate), len(X) * KEPT // 60_000

    def run():
        model = build(*candidate, X.shape[1:], chosen.seed)
        file = chosen.out / f"try_{'_'.join(candidate).replace(' ', '_')}.npz"
        with timed(f"{name}, {epochs} epochs"):
            train(model, X[:-kept], epochs, RATE, checkpoint=file, callback=record.save)
        return error_on(model, X[-kept:])

    return record.measure(f"validation: {name}", run)


def draw(errors, published):
    """Draw the squared error on test images by epoch, and the paper's; return the figure."""
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    ax.semilogy(range(1, len(errors) + 1), errors, label="784-1000-500-250-30, here")
    for (name, error), style in zip(published.items(), ("-", "--", ":"), strict=True):
        ax.axhline(error, color="k", linestyle=style, linewidth=1, label=f"{name}, paper")
    ax.set(xlabel="epoch", ylabel="squared error per test image", title="Codes of 30 numbers")
    ticks = (2, 3, 5, 10, 20)
    ax.set_yticks(ticks, ticks)
    ax.set_ylim(2, 40)  # with room for the legend above the lines
    ax.minorticks_off()
    ax.legend(frameon=False, loc="upper right")
    return figure


# %%
def main(argv=None):
    """Run the reproduction; see the top of the file."""
    chosen, record = start("hinton_2006", __doc__, argv)
    X, X_test, _, _ = images(chosen, quick=(300, 200))
    epochs, trial = (2, 1) if chosen.quick else (EPOCHS, TRIAL)
    flat, flat_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    pca = PCA(CODE).fit(flat)
    linear = float(pca.reconstruction_error(flat_test))

    logistic = build("relu", "cross-entropy", X.shape[1:], chosen.seed, hidden=())
    with timed("logistic PCA, 20 epochs"):
        file = chosen.out / "logistic.npz"
        train(logistic, X, min(epochs, 20), 1e-2, checkpoint=file, callback=record.save)
    trials = {pair: try_out(pair, X, trial, chosen, record) for pair in CANDIDATES}
    best = min(trials, key=trials.get)

    model, by_epoch = build(*best, X.shape[1:], chosen.seed), record.results.setdefault("test", [])

    def follow(model, epoch, logs):
        by_epoch[epoch:] = [error_on(model, X_test)]  # after a break an epoch can run twice
        record.save()

    with timed(f"the autoencoder, {epochs} epochs"):
        train(model, X, epochs, RATE, checkpoint=chosen.out / "model.npz", callback=follow)

    test, trained = error_on(model, X_test), error_on(model, X)
    rows = [
        *((f"{trial} epochs, images kept from them: {', '.join(pair)}", "-", error)
          for pair, error in trials.items()),
        ("PCA, 30 components", 13.87, linear),
        ("logistic PCA, 30 components", 8.01, error_on(logistic, X_test)),
        (f"784-1000-500-250-30, {epochs} epochs, {', '.join(best)}", 3.00, test),
        ("the same, on its training images", "-", trained),
    ]  # fmt: skip
    record.results["final"] = {"test": test, "train": trained, "of": list(best)}
    record.table("squared error per test image", rows)
    decoded = pca.inverse_transform(pca.transform(flat_test[:12])).reshape(-1, *X.shape[1:])
    pictures = {
        "input": X_test[:12],
        "deep": model.reconstruct(X_test[:12]),
        "logistic PCA": logistic.reconstruct(X_test[:12]),
        "PCA": decoded,
    }
    published = {"autoencoder": 3.00, "logistic PCA": 8.01, "PCA": 13.87}
    save(
        chosen.out,
        errors=draw(by_epoch, published),
        reconstructions=draw_rows(pictures, "What codes of 30 numbers keep of test images"),
    )


# %%
if __name__ == "__main__":
    main()
