# %% [markdown]
"""Augmentation: do samples of a VAE help a classifier that has few images? Mostly they do not.

    python demos/uses/augmentation.py                  built-in digits
    python demos/uses/augmentation.py --data mnist     MNIST, where shifts help less

There are 5 or 20 real images of each digit. A conditional VAE is fitted to these, and 50 of its
samples per digit are added to them. Softmax regression and the nearest neighbour are trained with
and without them. The baselines add noisy images, mixtures of two images, and shifted images.
"""

# %%
import math
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import Adam, ConditionalVAE
from miniae.metrics import accuracy

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import SoftmaxRegression, nearest, pick
from support.common import draw_rows, images, options, save, show, timed

FEW, ADDED, CLASSES = (5, 20), 50, 10  # images per class


# %%
def softmax(X, labels, X_test):
    """Return the labels that softmax regression on X gives to X_test."""
    return SoftmaxRegression(steps=100, one_scale=True).fit(X, labels).predict(X_test)


def additions(X, y, added, steps, rng):
    """Return the images that each way adds to few images X, by name: `added` of each class."""
    y_new = np.repeat(np.arange(CLASSES), added)
    one, other = (
        np.concatenate([rng.choice(np.flatnonzero(y == c), added) for c in range(CLASSES)])
        for _ in range(2)
    )
    t = rng.random((len(one), 1, 1), dtype=X.dtype)
    moves = rng.integers(-1, 2, (len(one), 2))
    batch = min(100, len(X))
    epochs, seed = steps // math.ceil(len(X) / batch), int(rng.integers(1000))
    vae = ConditionalVAE(
        X.shape[1:], 8, (64,), n_classes=CLASSES, activation="relu", beta=4.0, seed=seed
    )
    vae.fit(X, labels=y, epochs=epochs, batch_size=batch, optimizer=Adam(2e-3), verbose=0)
    Z = vae.posterior_sample(X[one], labels=y[one], seed=rng)[0]
    return {
        "nothing": X[:0],
        "noise": np.clip(X[one] + 0.2 * rng.standard_normal(X[one].shape), 0, 1),
        "mixtures of two": t * X[one] + (1 - t) * X[other],
        "shifts by a pixel": np.stack(
            [np.roll(x, m, (0, 1)) for x, m in zip(X[one], moves, strict=True)]
        ),
        "VAE, from the prior": vae.sample(len(one), seed=rng, labels=y_new),
        "VAE, variations": vae.decode(Z, labels=y_new),
    }


def draw_samples(few, ways):
    """Draw four images of each digit, real ones and added ones; return the figure."""
    names = ("shifts by a pixel", "mixtures of two", "VAE, variations", "VAE, from the prior")
    rows = {}
    for name, made in {"few real": few, **{name: ways[name] for name in names}}.items():
        fours = made.reshape(CLASSES, -1, *few.shape[1:])[:, :4]
        rows[name] = np.stack([np.block([[a, b], [c, d]]) for a, b, c, d in fours])
    figure = draw_rows(
        rows, f"Four of each digit, made from {len(few) // CLASSES} real images of each"
    )
    figure.set_figheight(4)
    return figure


def draw_accuracies(results):
    """Draw accuracies, mean and standard deviation over draws, and return the figure."""
    n = len(results["nothing"]) // 2
    figure, axes = plt.subplots(
        n, 2, figsize=(8, 2.5 * n), sharex=True, sharey=True, layout="constrained", squeeze=False
    )
    for ax, (kind, few) in zip(axes.flat, results["nothing"], strict=True):
        scores = [of[kind, few] for of in results.values()]
        means, spreads = np.mean(scores, axis=1), np.std(scores, axis=1)
        for i, name in enumerate(results):
            colour = "tab:orange" if "VAE" in name else "black"
            ax.errorbar(means[i], i, xerr=spreads[i], fmt="o", color=colour)
        ax.axvline(means[0], color="k", ls=":", lw=1)
        ax.set(title=f"{kind}, {few} real per digit")
        ax.set_yticks(range(len(results)), [f"plus {name}" for name in results])
    axes[0, 0].invert_yaxis()
    figure.supxlabel("accuracy on held-out images (%), mean and standard deviation over draws")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "augmentation", __doc__, argv, data=("digits", "mnist")
    )  # with margins, so that they can be shifted
    X, X_test, labels, labels_test = images(chosen, quick=(300, 200))
    X_test, labels_test = X_test[:2000], labels_test[:2000]
    sizes, added, draws, steps = (FEW[:1], 10, 1, 20) if chosen.quick else (FEW, ADDED, 5, 500)
    results, drawn = defaultdict(lambda: defaultdict(list)), []
    for few in sizes:
        with timed(f"{few} images per class, {draws} draws"):
            for draw in range(draws):
                rng = np.random.default_rng([chosen.seed, few, draw])
                real = pick(labels, few + added, rng).reshape(CLASSES, -1)
                few_real, more_real = real[:, :few].ravel(), real[:, few:].ravel()
                y, y_new = labels[few_real], labels[more_real]
                ways = additions(X[few_real], y, added, steps, rng)
                drawn.append((X[few_real], ways))
                for name, new in {**ways, f"{added} real images": X[more_real]}.items():
                    given = np.concatenate([X[few_real], new])
                    y_given = np.concatenate([y, y_new[: len(new)]])
                    for classify in (softmax, nearest):
                        answer = classify(given, y_given, X_test)
                        score = 100 * accuracy(labels_test, answer)
                        results[name][classify.__name__, few].append(score)

    columns = list(results["nothing"])
    rows = [
        (f"plus {name}", *(f"{np.mean(of[c]):.1f} ± {np.std(of[c]):.1f}" for c in columns))
        for name, of in results.items()
    ]
    show(("accuracy (%), real per digit", *(f"{kind}, {few}" for kind, few in columns)), rows)
    save(chosen.out, samples=draw_samples(*drawn[0]), accuracy=draw_accuracies(results))


# %%
if __name__ == "__main__":
    main()
