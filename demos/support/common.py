"""What every demo uses: options, images, tables, training with a falling rate, saved pictures."""

import argparse
import math
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from miniae import Adam, datasets
from miniae.plumbing.archives import atomic
from miniae.plumbing.text import aligned

# Demos also run as notebooks, where each "# %%" begins a cell.
NOTEBOOK = "ipykernel" in sys.modules
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
if not NOTEBOOK:
    matplotlib.use("Agg")  # pictures go to files: no display is needed


def options(name, description, argv=None, data=("digits", "mnist", "fashion"), **more):
    """Return the parsed options that every demo has, and those in `more`.

    In a notebook there is no command line: the defaults are used, and pictures are shown there too.

    Parameters
    ----------
    name : str, the demo's name; pictures go to out/NAME unless --out says otherwise
    description : str, the demo's docstring
    argv : list of str, by default the command line
    data : tuple of str
        The data sets that the demo runs on. The first one is built in. MNIST is the default where
        $MINIAE_DATA says that it is available.
    more : option=(default, help), whose type is that of the default
        A list takes one or more values of the type of its first, as in ``--workers 1 2``. False is
        a switch.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if data:
        default = "mnist" if "mnist" in data and os.environ.get("MINIAE_DATA") else data[0]
        parser.add_argument("--data", choices=data, default=default, help=f"default: {default}")
    for option, (value, meaning) in more.items():
        if isinstance(value, bool):
            parser.add_argument(f"--{option}", action="store_true", help=meaning)
            continue
        text = meaning if value == "" else f"{meaning}; default: {value}"
        several = {"nargs": "+"} if isinstance(value, list) else {}
        kind = type(value[0] if several else value)
        parser.add_argument(f"--{option}", type=kind, default=value, help=text, **several)
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--quick",
        action="store_true",
        default=os.environ.get("MINIAE_QUICK", "0") not in ("", "0"),
        help="little data and few epochs, to try the code; MINIAE_QUICK=1 has the same effect",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out", name),
        help=f"folder for pictures; default: out/{name}",
    )
    if argv is None and NOTEBOOK:
        argv = []  # sys.argv is the command line of the kernel
    parsed = parser.parse_args(argv)
    if argv is None and Path(sys.argv[0]).resolve().parent.name != "speed":
        one_thread()
    if parsed.seed < 0:
        parser.error(f"--seed must be 0 or more, got {parsed.seed}")
    for path in (parsed.out, *parsed.out.parents):
        if path.is_file():
            parser.error(f"--out must be a folder, but {path} is a file")
    return parsed


def one_thread():
    """Start this program again with one BLAS thread, unless a variable sets the number already.

    BLAS reads the number when NumPy is imported, so it is too late to set it here. The matrices of
    the demos are small: a second thread gains little, and on a busy machine the threads wait for
    each other, which can take ten times as long. ``OPENBLAS_NUM_THREADS=4 python demos/...`` has
    another number. On Windows set the variable yourself. The demos in demos/speed do not call this:
    they measure threads.
    """
    is_command = sys.argv[0] in sys.orig_argv and sys.gettrace() is None  # no shell, no debugger
    if os.name == "posix" and is_command and not any(name in os.environ for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def images(chosen, n_train=10_000, n_test=2000, quick=(1000, 500)):
    """Return train and test images (n, 28, 28) in [0, 1], and the labels of both.

    There are n_train and n_test of the built-in digits; MNIST and Fashion-MNIST are used whole.
    With --quick there are `quick` images of either.
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
            split = (x[:n_train], x_test[:n_test], labels[:n_train], labels_test[:n_test])
    print(f"{chosen.data}: {len(split[0]):,} training images, {len(split[1]):,} held-out images")
    return split


def show(header, rows, digits=2):
    """Print a table, a line for each row; numbers have `digits` decimal places."""

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


def mean_image_logits(X):
    """Return the logits of the mean image, to start a decoder's last bias from.

    No epoch is then spent on learning that the margins are empty. Means are kept away from 0 and
    1, where the logit is infinite.
    """
    p = X.mean(axis=0).clip(1e-3, 1 - 1e-3)
    return np.log(p / (1 - p)).ravel()


def decaying_adam(lr, epochs, n, batch_size, **more):
    """Return Adam with a learning rate that falls linearly from lr to 0, so that weights settle."""
    steps = epochs * math.ceil(n / batch_size)
    return Adam(lambda step: lr * max(1 - step / steps, 0.0), **more)


def train(name, model, X, *target, lr, epochs, batch_size=100, **fit):
    """Fit a model by Adam with a learning rate that falls to 0, and return it; print the time."""
    adam = decaying_adam(lr, epochs, len(X), batch_size)
    with timed(f"{name}, {epochs} epochs"):
        return model.fit(
            X, *target, epochs=epochs, batch_size=batch_size, optimizer=adam, verbose=0, **fit
        )


@contextmanager
def timed(what):
    """Print how long a step takes, so that the reader knows what the program is doing."""
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def draw_rows(rows, title):
    """Draw named rows of grey images (n, h, w), one below the other, and return the figure."""
    height = next(iter(rows.values())).shape[1]
    figure, ax = plt.subplots(figsize=(8, 0.8 * len(rows) + 0.5), layout="constrained")
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows.values()])
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=1)
    ax.set(title=title, xticks=[])
    ax.set_yticks(height * np.arange(len(rows)) + (height - 1) / 2, rows)
    return figure


def save(out, **figures):
    """Write figures as out/NAME.png, show them if this is a notebook, and close them."""
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        with atomic(out / f"{name}.png") as file:
            figure.savefig(file, dpi=120, format="png")
        if NOTEBOOK:
            from IPython.display import display

            display(figure)
        plt.close(figure)
    print(f"Pictures in {out}: {', '.join(figures)}")
