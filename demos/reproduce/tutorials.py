# %% [markdown]
"""Well-known tutorials on autoencoders, each with its own settings: the figure it states, and ours.

    python demos/reproduce/tutorials.py                    every tutorial, about half an hour
    python demos/reproduce/tutorials.py --only "simple"    those whose name contains this word
    python demos/reproduce/tutorials.py --quick            a few digits: a try of the code

The unit is that of the tutorial: Keras takes means over pixels, where miniae takes sums. Where an
epoch takes long, the script trains fewer epochs than the tutorial, and the table says how many.
"""

# %%
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from miniae import (
    VAE,
    Adam,
    Autoencoder,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    L1Penalty,
    MaxPool2D,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    UpSample2D,
    datasets,
)

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support import paper
from support.common import show

PIXELS = 784


@dataclass
class Tutorial:
    """A tutorial and what it states.

    name : str
    stated : str, the figure in the tutorial, "-" if there is none
    build : function of the seed that returns the model
    data : str, "mnist", "fashion", "binary" (MNIST, 0 or 1) or "both" (training and test images)
    unit : str
    factor : float, of a figure of miniae in that unit
    term : str, the key of `history` that is compared; "val_..." is of the test images
    epochs, of : int, epochs trained here, and in the tutorial
    batch_size, lr : as in the tutorial
    noise : float, the standard deviation of noise in the images, clipped to [0, 1]
    """

    name: str
    stated: str
    build: object
    data: str = "mnist"
    unit: str = "cross-entropy a pixel"
    factor: float = 1 / PIXELS
    term: str = "val_loss"
    epochs: int = 50
    of: int = 50
    batch_size: int = 256
    lr: float = 1e-3
    noise: float = 0.0


# %%
def simple(seed):
    """Return the blog's first model: one layer each way, a ReLU code."""
    return Autoencoder(PIXELS, 32, hidden=(), code_activation="relu", seed=seed)


def sparse(seed):
    """Return the simple model with activity_regularizer=l1(10e-5); a sum needs 784 times that."""
    penalty = L1Penalty(PIXELS * 10e-5)
    return Autoencoder(
        PIXELS, 32, hidden=(), code_activation="relu", penalty=penalty, seed=seed
    )  # fmt: skip


def deep(seed):
    """Return 784-128-64-32-64-128-784."""
    return Autoencoder(PIXELS, 32, hidden=(128, 64), code_activation="relu", seed=seed)


def convolution(n_in, n_out, rng, padding="same"):
    """Return a 3 x 3 convolution and its ReLU."""
    return Conv2D(n_in, n_out, 3, 1, padding, rng=rng), ReLU()


def convolutional(seed):
    """Return three convolutions and poolings to a code of 4 x 4 x 8, and back."""
    rng = np.random.default_rng(seed)
    encoder = Sequential(
        Reshape(28, 28, 1),
        *convolution(1, 16, rng), MaxPool2D(2, "same"),
        *convolution(16, 8, rng), MaxPool2D(2, "same"),
        *convolution(8, 8, rng), MaxPool2D(2, "same"),
        Flatten(),
    )  # fmt: skip
    decoder = Sequential(
        Reshape(4, 4, 8),
        *convolution(8, 8, rng), UpSample2D(2),
        *convolution(8, 8, rng), UpSample2D(2),
        *convolution(8, 16, rng, padding=0), UpSample2D(2),  # 16 x 16 to 14 x 14 to 28 x 28
        Conv2D(16, 1, 3, padding="same", rng=rng),
        Reshape(28, 28),
    )  # fmt: skip
    return Autoencoder((28, 28), 128, encoder=encoder, decoder=decoder, seed=seed)


def denoising(seed):
    """Return two convolutions of 32 channels and poolings to a code of 7 x 7 x 32, and back."""
    rng = np.random.default_rng(seed)
    encoder = Sequential(
        Reshape(28, 28, 1),
        *convolution(1, 32, rng), MaxPool2D(2, "same"),
        *convolution(32, 32, rng), MaxPool2D(2, "same"),
        Flatten(),
    )  # fmt: skip
    decoder = Sequential(
        Reshape(7, 7, 32),
        *convolution(32, 32, rng), UpSample2D(2),
        *convolution(32, 32, rng), UpSample2D(2),
        Conv2D(32, 1, 3, padding="same", rng=rng),
        Reshape(28, 28),
    )  # fmt: skip
    return Autoencoder((28, 28), 7 * 7 * 32, encoder=encoder, decoder=decoder, seed=seed)


def squared(seed):
    """Return 784-64-784 with a sigmoid at the end and the squared error."""
    rng = np.random.default_rng(seed)
    encoder = Sequential(Flatten(), Dense(PIXELS, 64, init="he", rng=rng), ReLU())
    decoder = Sequential(Dense(64, PIXELS, rng=rng), Sigmoid(), Reshape(28, 28))
    return Autoencoder((28, 28), 64, encoder=encoder, decoder=decoder, loss="mse", seed=seed)


def keras_io(seed):
    """Return the convolutional VAE of keras.io, with a dense layer of 16 before mu and log_var."""
    rng = np.random.default_rng(seed)
    encoder = Sequential(
        Reshape(28, 28, 1),
        Conv2D(1, 32, 3, 2, "same", rng=rng), ReLU(),
        Conv2D(32, 64, 3, 2, "same", rng=rng), ReLU(),
        Flatten(),
        Dense(7 * 7 * 64, 16, rng=rng), ReLU(),
        Dense(16, 2 * 2, rng=rng),
    )  # fmt: skip
    decoder = Sequential(
        Dense(2, 7 * 7 * 64, rng=rng), ReLU(),
        Reshape(7, 7, 64),
        ConvTranspose2D(64, 64, 3, 2, "same", rng=rng), ReLU(),
        ConvTranspose2D(64, 32, 3, 2, "same", rng=rng), ReLU(),
        ConvTranspose2D(32, 1, 3, 1, "same", rng=rng),
        Reshape(28, 28),
    )  # fmt: skip
    return VAE((28, 28), 2, encoder=encoder, decoder=decoder, seed=seed)


def cvae(seed):
    """Return TensorFlow's convolutional VAE: 2 latents, convolutions without padding."""
    rng = np.random.default_rng(seed)
    encoder = Sequential(
        Reshape(28, 28, 1),
        Conv2D(1, 32, 3, 2, rng=rng), ReLU(),
        Conv2D(32, 64, 3, 2, rng=rng), ReLU(),
        Flatten(),
        Dense(6 * 6 * 64, 2 * 2, rng=rng),
    )  # fmt: skip
    decoder = Sequential(
        Dense(2, 7 * 7 * 32, rng=rng), ReLU(),
        Reshape(7, 7, 32),
        ConvTranspose2D(32, 64, 3, 2, "same", rng=rng), ReLU(),
        ConvTranspose2D(64, 32, 3, 2, "same", rng=rng), ReLU(),
        ConvTranspose2D(32, 1, 3, 1, "same", rng=rng),
        Reshape(28, 28),
    )  # fmt: skip
    return VAE((28, 28), 2, encoder=encoder, decoder=decoder, seed=seed)


def pytorch(seed):
    """Return 784-400-20-400-784, all ReLU."""
    return VAE(PIXELS, 20, hidden=(400,), activation="relu", seed=seed)


def michigan(seed):
    """Return three hidden layers each way. The assignment leaves their width open: 400 here."""
    return VAE(PIXELS, 15, hidden=(400, 400, 400), activation="relu", seed=seed)


NATS = {"unit": "nats an image", "factor": 1.0}
TUTORIALS = [
    Tutorial("Keras blog, simple", "0.09", simple),
    Tutorial("Keras blog, sparse", "0.10", sparse, epochs=100, of=100),
    Tutorial("Keras blog, deep", "0.08", deep, epochs=100, of=100),
    Tutorial("Keras blog, convolutional", "0.094", convolutional, epochs=3, batch_size=128),
    Tutorial("Keras blog, denoising", "-", denoising, epochs=1, of=100, batch_size=128,
             noise=0.5),
    Tutorial("TensorFlow, intro", "0.009", squared, "fashion", "squared error a pixel",
             epochs=10, of=10, batch_size=32),
    Tutorial("TensorFlow, CVAE", "155.9", cvae, "binary", **NATS, epochs=1, of=10, batch_size=32,
             lr=1e-4),
    Tutorial("keras.io, VAE", "172.5", keras_io, "both", **NATS, term="loss", epochs=2, of=30,
             batch_size=128),
    Tutorial("pytorch/examples, VAE", "106.7", pytorch, **NATS, epochs=10, of=10, batch_size=128),
    Tutorial("EECS 498, VAE", "below 120", michigan, **NATS, term="loss", epochs=10, of=10,
             batch_size=128),
]  # fmt: skip


# %%
def read(chosen, data):
    """Return the training and the test images of a tutorial, (n, 28, 28) in [0, 1]."""
    if chosen.quick:
        x, _, _ = datasets.synthetic_digits(300, seed=chosen.seed)
        X, X_test = x[:200], x[200:]
    else:
        load = datasets.fashion_mnist if data == "fashion" else datasets.mnist
        X, X_test = load("train")[0], load("test")[0]
    if data == "binary":
        X, X_test = ((x > 0.5).astype(x.dtype) for x in (X, X_test))
    if data == "both":
        X = np.concatenate([X, X_test])
    return X, X_test


def train(tutorial, chosen, epochs):
    """Return the tutorial's figure after each epoch, in its unit, a list."""
    model = tutorial.build(chosen.seed)
    X, X_test = (x.reshape(-1, *model.input_shape) for x in read(chosen, tutorial.data))
    inputs, inputs_test = X, X_test
    if tutorial.noise:
        rng = np.random.default_rng(chosen.seed)
        inputs, inputs_test = (
            np.clip(x + tutorial.noise * rng.standard_normal(x.shape, np.float32), 0, 1)
            for x in (X, X_test)
        )
    validation = (inputs_test, X_test) if tutorial.term.startswith("val") else None
    model.fit(
        inputs, X, epochs=epochs, batch_size=tutorial.batch_size, optimizer=Adam(tutorial.lr),
        validation_data=validation, verbose=0,
    )  # fmt: skip
    return [value * tutorial.factor for value in model.history[tutorial.term]]


# %%
def main(argv=None):
    """Train the models; see the top of the file."""
    chosen, record = paper.start(
        "tutorials", __doc__, argv, only=("", "the tutorials whose name contains this")
    )
    wanted = [t for t in TUTORIALS if chosen.only in t.name]
    if not wanted:
        raise ValueError(f"--only={chosen.only!r} is in none of {[t.name for t in TUTORIALS]}")
    rows = []
    for tutorial in wanted:
        epochs = 1 if chosen.quick else tutorial.epochs
        curve = record.measure(
            f"{tutorial.name}, {epochs} epochs",
            lambda tutorial=tutorial, epochs=epochs: train(tutorial, chosen, epochs),
        )
        digits = 1 if tutorial.factor == 1 else 4
        figure = f"{curve[-1]:.{digits}f}"
        rows.append((tutorial.name, tutorial.stated, figure, f"{epochs} of {tutorial.of}",
                     tutorial.unit))  # fmt: skip
        print(*rows[-1], sep=", ", flush=True)
    show(("tutorial", "stated", "ours", "epochs", "unit"), rows)
    if chosen.quick:
        print("A few built-in digits: do not compare these results with the tutorials.")


# %%
if __name__ == "__main__":
    main()
