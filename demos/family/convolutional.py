# %% [markdown]
"""A convolutional autoencoder against a dense one: a better code of 32 numbers from fewer weights.

    python demos/family/convolutional.py                    built-in digits, under a minute
    python demos/family/convolutional.py --data mnist       60,000 images, some five minutes

A stroke looks the same wherever it stands, but a Dense layer has to learn it separately for every
position. A convolution learns one small filter for all positions. PCA with 32 components, the best
linear code, is the baseline.
"""

# %%
import sys
from pathlib import Path
from time import perf_counter

from miniae import Autoencoder, conv_networks, plots
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import decaying_adam, draw_rows, images, options, save, show, squared_error

CODE, BATCH, CHANNELS, HIDDEN = 32, 128, (16, 32, 32), (128,)
EPOCHS = {"digits": (16, 16), "mnist": (30, 10)}  # of the dense network, of the convolutional one


# %%
def train(model, lr, X, epochs):
    """Train a model, and return the seconds that it took."""
    adam, start = decaying_adam(lr, epochs, len(X), BATCH), perf_counter()
    model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=adam)
    return perf_counter() - start


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("convolutional", __doc__, argv, data=tuple(EPOCHS))
    X, X_test, _, _ = images(chosen)
    epochs = (1, 1) if chosen.quick else EPOCHS[chosen.data]
    shape, flat, flat_test = X.shape[1:], *(x.reshape(len(x), -1) for x in (X, X_test))

    start = perf_counter()
    pca = PCA(CODE).fit(flat)
    seconds = perf_counter() - start
    rebuilt = {"PCA": pca.inverse_transform(pca.transform(flat_test)).reshape(X_test.shape)}
    rows = [("PCA", pca.components_.size + pca.mean_.size, "", seconds)]

    encoder, decoder = conv_networks(shape, CODE, CHANNELS, rng=chosen.seed)
    dense = Autoencoder(shape, CODE, HIDDEN, seed=chosen.seed)
    conv = Autoencoder(shape, CODE, encoder=encoder, decoder=decoder, seed=chosen.seed)
    models = ("dense", dense, 1e-3), ("conv", conv, 3e-3)
    for (name, model, lr), count in zip(models, epochs, strict=True):
        seconds = train(model, lr, X, count)
        rebuilt[name] = model.reconstruct(X_test)
        rows.append((name, model.theta.size, str(count), seconds))
    errors = {name: squared_error(X_test, Y) for name, Y in rebuilt.items()}
    show(
        (f"codes of {CODE} numbers", "parameters", "epochs", "seconds", "squared error per image"),
        [(*row, errors[row[0]]) for row in rows],
    )
    pictures = {f"{name}\nerror {errors[name]:.1f}": Y[:12] for name, Y in rebuilt.items()}
    title = f"Held-out images, and what codes of {CODE} numbers keep of them"
    save(
        chosen.out,
        reconstructions=draw_rows({"input": X_test[:12], **pictures}, title),
        filters_dense=plots.filters(dense),
        filters_conv=plots.filters(conv),
    )


# %%
if __name__ == "__main__":
    main()
