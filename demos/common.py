"""What the demos share: the options, the images, the tables, the folder for pictures."""

import argparse
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import matplotlib

# Pictures go to files, and no display is needed; a notebook shows them too.
matplotlib.use(matplotlib.get_backend() if "ipykernel" in sys.modules else "Agg")
import matplotlib.pyplot as plt
import numpy as np

from miniae import Adam, Dense, MultinomialNLL, datasets
from miniae.plumbing.text import aligned
from miniae.proof.oracles import PCA

NOTEBOOK = "ipykernel" in sys.modules  # demos open as notebooks: each "# %%" begins a cell


def options(description, argv=None, data=("digits", "mnist", "fashion"), **more):
    """Return the parsed options that every demo has, and those in `more` (name=default).

    Parameters
    ----------
    description : str, the demo's docstring
    argv : list of str, by default the command line
    data : tuple of str
        What the demo runs on. The first is built in; MNIST is taken by default where
        $MINIAE_DATA says that it is at hand.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if data:
        default = "mnist" if "mnist" in data and os.environ.get("MINIAE_DATA") else data[0]
        parser.add_argument("--data", choices=data, default=default, help=f"default: {default}")
    for name, value in more.items():
        kind = {"type": type(value), "default": value, "help": f"default: {value}"}
        parser.add_argument(f"--{name}", **kind)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few samples and epochs, for a try")
    parser.add_argument("--out", type=Path, help="folder for pictures; default: out/NAME")
    if argv is None and NOTEBOOK:
        argv = []  # the command line is the kernel's
    parsed = parser.parse_args(argv)
    if parsed.out is None:
        parsed.out = Path("out") / Path(parser.prog).stem
    if parsed.seed < 0:
        parser.error(f"--seed must be 0 or more, got {parsed.seed}")
    if file := next((path for path in (parsed.out, *parsed.out.parents) if path.is_file()), None):
        parser.error(f"--out must be a folder, but {file} is a file")
    return parsed


def images(chosen, n_train=10_000, n_test=2000, quick=(1000, 500)):
    """Return train and test images (n, 28, 28) in [0, 1], and the labels of both.

    Of the embedded digits there are n_train and n_test; MNIST and Fashion-MNIST are taken whole;
    with --quick there are `quick` of either.
    """
    if chosen.quick:
        n_train, n_test = quick
    if chosen.data == "digits":
        x, labels, _ = datasets.synthetic_digits(n_train + n_test, seed=chosen.seed)
        split = (x[:n_train], x[n_train:], labels[:n_train], labels[n_train:])
    else:
        read = datasets.mnist if chosen.data == "mnist" else datasets.fashion_mnist
        (x, labels), (x_test, labels_test) = read("train"), read("test")
        split = (x, x_test, labels, labels_test)
        if chosen.quick:
            split = tuple(a[: quick[i % 2]] for i, a in enumerate(split))
    print(f"{chosen.data}: {len(split[0]):,} images to train on, {len(split[1]):,} held out")
    return split


def show(header, rows, digits=2):
    """Print a table: a line per row, numbers with so many digits after the point."""

    def text(cell):
        if isinstance(cell, str):
            return cell
        return f"{cell:,}" if isinstance(cell, int) else f"{cell:.{digits}f}"

    print()
    print("\n".join(aligned([header, *([text(cell) for cell in row] for row in rows)])))
    print(flush=True)


def squared_error(X, Y):
    """Return the squared error per image, summed over pixels."""
    return float(((X - Y) ** 2).reshape(len(X), -1).sum(axis=1).mean())


def independent_pixels(X, X_test):
    """Return the mean log probability of test images if each pixel were a coin of its own, in nats.

    It is the bound of a VAE whose latents have all collapsed.
    """
    p = X.mean(axis=0).clip(1e-3, 1 - 1e-3)
    log_p = X_test * np.log(p) + (1 - X_test) * np.log(1 - p)
    return float(log_p.reshape(len(X_test), -1).sum(axis=1).mean())


def falling(lr, epochs, n, batch_size, **more):
    """Return Adam with steps that shrink from lr to 0 over a run, so that the weights settle."""
    steps = epochs * -(-n // batch_size)
    return Adam(lambda step: lr * max(1 - step / steps, 0.0), **more)


def draw_rows(rows, title):
    """Draw named rows of grey images (n, h, w) below one another, and return the figure."""
    height = next(iter(rows.values())).shape[1]
    figure, ax = plt.subplots(figsize=(8, 0.8 * len(rows) + 0.5), layout="constrained")
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows.values()])
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=1)
    ax.set(title=title, xticks=[])
    ax.set_yticks(height * np.arange(len(rows)) + (height - 1) / 2, rows)
    return figure


def train(name, model, X, *target, lr, epochs, batch_size=100, **fit):
    """Fit a model by Adam, with steps that shrink from lr to 0; say how long it took, return it."""
    adam = falling(lr, epochs, len(X), batch_size)
    with timed(f"{name}, {epochs} epochs"):
        return model.fit(
            X, *target, epochs=epochs, batch_size=batch_size, optimizer=adam, verbose=0, **fit
        )


@contextmanager
def timed(what):
    """Print how long a step took, so that a person who waits knows what for."""
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def save(out, **figures):
    """Write figures as out/NAME.png, and say so."""
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=120)
        if NOTEBOOK:
            from IPython.display import display

            display(figure)
        plt.close(figure)
    print(f"Pictures in {out}: {', '.join(figures)}")


def pick(labels, n, rng):
    """Return the indices of n rows of each class, in the order of the classes."""
    of_class = (np.flatnonzero(labels == c) for c in np.unique(labels))
    return np.concatenate([rng.choice(rows, n, replace=False) for rows in of_class])


def nearest(X, labels, X_test):
    """Return the label of each test row's nearest neighbour among the rows of X."""
    X, X_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    return labels[((X**2).sum(axis=1) - 2 * X_test @ X.T).argmin(axis=1)]


class SoftmaxRegression:
    """A linear classifier: one Dense layer under the multinomial loss of one-hot labels.

    Trained on all rows at once by Adam, on inputs scaled to mean 0 and standard deviation 1 over
    the training rows, with the squared weights penalised by `decay`. With `one_scale` all features
    are divided by one number: for pixels of few images, some of them almost constant, far better.
    """

    def __init__(self, decay=1e-3, steps=300, one_scale=False):
        self.decay, self.steps, self.one_scale = decay, steps, one_scale

    def fit(self, X, labels):
        """Fit to rows X (n, features) and labels (n,) of any kind."""
        X = np.asarray(X, np.float64).reshape(len(X), -1)
        self.classes, index = np.unique(labels, return_inverse=True)
        self.mean, self.std = X.mean(axis=0), X.std(axis=0) + 1e-6
        if self.one_scale:
            self.std = np.sqrt((self.std**2).mean())
        X, targets = (X - self.mean) / self.std, np.eye(len(self.classes))[index]
        self.layer, loss = Dense(X.shape[1], len(self.classes), dtype="float64"), MultinomialNLL()
        self.layer.theta = np.zeros_like(self.layer.theta)
        optimizer = Adam(0.05)
        for _ in range(self.steps):
            loss.forward(self.layer.forward(X), targets)
            self.layer.backward_params(loss.backward())
            optimizer.step(self.layer.theta, self.layer.dtheta + self.decay * self.layer.theta)
        return self

    def predict(self, X):
        """Return the likeliest label of each row."""
        X = (np.asarray(X, np.float64).reshape(len(X), -1) - self.mean) / self.std
        return self.classes[self.layer.forward(X).argmax(axis=1)]


class Projection:
    """PCA as AnomalyDetector asks for a model: its score is the squared error that k components
    leave of a row, and for k = 0 the squared distance to the mean.
    """

    def __init__(self, k):
        self.k = k

    def fit(self, X, epochs=None, **options):
        """Find the mean and the first k components of rows X; with epochs=0 keep those it has."""
        if epochs == 0:
            return self
        pca = PCA(max(self.k, 1)).fit(X)
        self.mean, self.V = pca.mean_, pca.components_[: self.k]
        return self

    def anomaly_score(self, X):
        """Return the squared error of each row."""
        rows = X - self.mean
        return ((rows - rows @ self.V.T @ self.V) ** 2).sum(axis=1)
