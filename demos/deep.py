"""A deep autoencoder against PCA: what a code of 30 numbers holds if it need not be linear.

    python demos/deep.py                    20,000 embedded digits, under a minute
    python demos/deep.py --data mnist       60,000 images, some five minutes

The network is that of Hinton and Salakhutdinov (2006), 784-1000-500-250-30 and its mirror image,
trained from random weights: He's initial weights, ReLU and Adam do what pretraining layer by
layer was needed for. Beside it stand PCA with 30 components, which no linear code beats, and an
autoencoder of the same code size without hidden layers, 784-30-784. All are held against each
other in squared error per image, summed over the 784 pixels, of images that none has seen.

The autoencoders are trained on the cross-entropy, not on the squared error that is reported: the
sigmoid that goes with it gets blank paper right at no cost, which is what lets 784-30-784 beat PCA.
Adam's steps shrink to 0 over the run, so that the weights settle.
"""

# %%
from time import perf_counter

import matplotlib.pyplot as plt
from common import draw_rows, falling, images, options, save, show, squared_error

from miniae import Autoencoder, plots
from miniae.proof.oracles import PCA

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

    model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=falling(lr, epochs, len(X), BATCH),
              callback=measure, validation_data=X_test)  # fmt: skip
    return model, errors


def draw_errors(curves, pca_error):
    """Draw squared error by epoch, and that of PCA as a line; return the figure."""
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
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
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
