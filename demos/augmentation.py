"""Augmentation by a VAE: do its samples help a classifier that has few images? Mostly they do not.

Of each digit there are 5 or 20 real images. A conditional VAE is fitted to these few and nothing
else, and 50 of its samples per digit are added to them: drawn from the prior, or from the
posteriors of the real images, which makes variations of each. Softmax regression on pixels and the
nearest neighbour, the label of the closest image, are trained with and without, and tested on
images that none of them has seen. Each number is the mean over five draws of the few images, with
the standard deviation over draws behind it. The baselines add as many images by other means: the
real ones with noise; mixtures of two real images of a digit; the real ones shifted by a pixel. The
last row adds real images, which shows what there is to be gained.

The model knows nothing of digits that is not in the few images it was fitted to, and it adds its
own blur and mistakes. Samples from the prior do harm or make no clear difference. Variations are of
no use to softmax regression. They help the nearest neighbour somewhat, but mixtures of two images,
which need no model, help it more. That a digit moved by a pixel is still that digit is new
information: plain shifts help both classifiers, and more than all that the VAE draws.

    python demos/augmentation.py                  embedded digits
    python demos/augmentation.py --data mnist     MNIST, where shifts help less
"""

# %%
from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
from common import SoftmaxRegression, draw_rows, images, nearest, options, pick, save, show, timed

from miniae import Adam, ConditionalVAE
from miniae.metrics import accuracy

FEW, ADDED, CLASSES = (5, 20), 50, 10  # images per class


# %%
def softmax(X, labels, X_test):
    """Return the labels that softmax regression on X gives to X_test."""
    return SoftmaxRegression(steps=100, one_scale=True).fit(X, labels).predict(X_test)


def additions(X, y, added, steps, rng):
    """Return by name what each way makes of few images X: so many of each class, in order."""
    y_new = np.repeat(np.arange(CLASSES), added)
    one, other = (
        np.concatenate([rng.choice(np.flatnonzero(y == c), added) for c in range(CLASSES)])
        for _ in range(2)
    )
    t = rng.random((len(one), 1, 1), dtype=X.dtype)
    moves = rng.integers(-1, 2, (len(one), 2))
    batch = min(100, len(X))
    epochs, seed = steps // -(-len(X) // batch), int(rng.integers(1000))
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


def samples(few, ways):
    """Draw four images of each digit, real ones and what some ways make; return the figure."""
    names = ("shifts by a pixel", "mixtures of two", "VAE, variations", "VAE, from the prior")
    rows = {}
    for name, made in {"few real": few, **{name: ways[name] for name in names}}.items():
        fours = made.reshape(CLASSES, -1, *few.shape[1:])[:, :4]
        rows[name] = np.stack([np.block([[a, b], [c, d]]) for a, b, c, d in fours])
    figure = draw_rows(
        rows, f"Four of each digit, made from {len(few) // CLASSES} real ones of each"
    )
    figure.set_figheight(4)
    return figure


def dots(results):
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
    figure.supxlabel("accuracy on images held out (%), mean and standard deviation over draws")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=("digits", "mnist"))  # they have room to be shifted
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
    save(chosen.out, samples=samples(*drawn[0]), accuracy=dots(results))


# %%
if __name__ == "__main__":
    main()
