# %% [markdown]
"""A deep autoencoder against PCA: what a nonlinear code of 30 numbers can hold.

    python demos/family/deep.py                    20,000 built-in digits, a minute or two
    python demos/family/deep.py --data mnist       60,000 images, some five minutes

The network is that of Hinton and Salakhutdinov (2006), 784-1000-500-250-30 and its mirror image,
trained from random weights. The baselines are PCA with 30 components, the best linear code, and an
autoencoder without hidden layers, 784-30-784.
"""

# %%
import sys
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt

from miniae import Autoencoder, plots
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import decaying_adam, draw_rows, images, options, save, show, squared_error

CODE, BATCH = 30, 128
EPOCHS = {"digits": 7, "mnist": 20}
NETWORKS = {"784-30": ((), 1e-2), "784-1000-500-250-30": ((1000, 500, 250), 1e-3)}


# %%
def train(hidden, lr, X, X_test, epochs, seed):
    """Train an autoencoder; return it and its squared error on the test images by epoch."""
    model = Autoencoder(X.shape[1:], CODE, hidden, loss="bce", seed=seed)
    errors = []

    def measure(model, epoch, logs):
        errors.append(squared_error(X_test, model.reconstruct(X_test)))

    adam = decaying_adam(lr, epochs, len(X), BATCH)
    model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=adam, callback=measure,
              validation_data=X_test)  # fmt: skip
    return model, errors


def draw_errors(curves, pca_error):
    """Draw the squared error by epoch, and that of PCA as a line; return the figure."""
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for (name, errors), style in zip(curves.items(), ("s--", "o-"), strict=True):
        ax.plot(range(1, len(errors) + 1), errors, style, label=name, markersize=4)
    ax.axhline(pca_error, color="k", linewidth=1, label=f"PCA, {CODE} components")
    ax.set(xlabel="epoch", ylabel="squared error per held-out image")
    ax.set(title=f"Codes of {CODE} numbers", ylim=(0, 1.5 * pca_error))
    ax.legend(frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("deep", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen, n_train=20_000)
    epochs = 2 if chosen.quick else EPOCHS[chosen.data]
    flat, flat_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)

    start = perf_counter()
    pca = PCA(CODE).fit(flat)
    seconds = perf_counter() - start
    error, error_train = (float(pca.reconstruction_error(x)) for x in (flat_test, flat))
    size = pca.components_.size + pca.mean_.size
    rows, curves = [("PCA", size, error_train, error, 1.0, seconds)], {}
    for name, (hidden, lr) in NETWORKS.items():
        start = perf_counter()
        model, curves[name] = train(hidden, lr, X, X_test, epochs, chosen.seed)
        seconds = perf_counter() - start
        error, error_train = curves[name][-1], squared_error(X, model.reconstruct(X))
        rows.append((name, model.theta.size, error_train, error, rows[0][3] / error, seconds))
    header = ("parameters", "train error", "held-out error", "times better than PCA", "seconds")
    show(("squared error per image", *header), rows)

    decoded = pca.inverse_transform(pca.transform(flat_test[:12])).reshape(-1, *X.shape[1:])
    pictures = {"input": X_test[:12], "PCA": decoded, "deep": model.reconstruct(X_test[:12])}
    history = {name: model.history[name] for name in ("loss", "val_loss")}
    title = f"What codes of {CODE} numbers keep of held-out images"
    save(
        chosen.out,
        reconstructions=draw_rows(pictures, title),
        errors=draw_errors(curves, rows[0][3]),
        loss=plots.loss_curves(history, unit="nats per image"),
    )


# %%
if __name__ == "__main__":
    main()
