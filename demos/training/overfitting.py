# %% [markdown]
"""Overfitting: a large network on 1,000 images, its validation curve, and two remedies.

    python demos/training/overfitting.py                  1,000 built-in digits, under a minute
    python demos/training/overfitting.py --data mnist     the first 1,000 images of MNIST

The network 784-512-256-10 and its mirror image has about a million weights, a thousand for each
image. The baseline is trained to the end. The two remedies are dropout (Srivastava et al. 2014) and
early stopping (Prechelt 1998).
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import Adam, Autoencoder

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import images, options, save, show, timed

TRAIN, HIDDEN, CODE = 1000, (512, 256), 10
WAYS = {
    "plain, to the end": ({}, {}),
    "dropout 0.1": ({"dropout": 0.1}, {}),
    "early stopping": ({}, {"early_stopping": 10}),
}


# %%
def draw(histories):
    """Draw the validation loss of each way by epoch, and the training loss of the baseline."""
    figure, ax = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
    plain, dropout, early = histories.values()
    epochs = np.arange(1, len(plain["loss"]) + 1)
    ax.plot(epochs, plain["val_loss"], color="C3", label="plain, validation")
    ax.plot(epochs, plain["loss"], "--", color="C3", label="plain, training")
    ax.plot(epochs, dropout["val_loss"], color="C0", label="dropout, validation")
    best = int(np.argmin(early["val_loss"]))
    ax.plot(best + 1, early["val_loss"][best], "ko", label="early stopping restores this epoch")
    ax.axvline(len(early["loss"]), color="k", linewidth=0.8, linestyle=":", label="and stops here")
    ax.set(
        xlabel="epoch", ylabel="loss (nats per image)", title=f"A million weights, {TRAIN:,} images"
    )
    ax.set_ylim(0.9 * min(plain["loss"]), 1.5 * min(plain["val_loss"]))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("overfitting", __doc__, argv, data=("digits", "mnist"))
    X, X_test, *_ = images(chosen, n_train=2 * TRAIN, quick=(2 * TRAIN, 500))
    X, X_val = X[:TRAIN], X[TRAIN : 2 * TRAIN]
    print(f"Used: {TRAIN:,} training, {TRAIN:,} validation and {len(X_test):,} test images")

    rows, histories = [], {}
    for name, (of_model, of_fit) in WAYS.items():
        model = Autoencoder(X.shape[1:], CODE, HIDDEN, seed=chosen.seed, **of_model)
        with timed(name):
            model.fit(X, epochs=4 if chosen.quick else 80, batch_size=50, optimizer=Adam(2e-3),
                      validation_data=X_val, verbose=0, **of_fit)  # fmt: skip
        histories[name] = model.history
        curve = model.history["val_loss"]
        final = [model.evaluate(data) for data in (X, X_val, X_test)]
        rows.append((name, len(curve), *final, min(curve), int(np.argmin(curve)) + 1))
    header = "epochs", "final train", "validation", "test", "best validation", "at epoch"
    show(("loss, nats per image", *header), rows)
    save(chosen.out, curves=draw(histories))


# %%
if __name__ == "__main__":
    main()
