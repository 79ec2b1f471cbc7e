# %% [markdown]
"""Vincent et al. (2008): the features of denoising autoencoders, and how useful they are.

    MINIAE_DATA=<folder> python demos/reproduce/vincent_2008.py     70,000 images, some 20 minutes

Three autoencoders of one sigmoid layer are stacked. Each learns to repair inputs, of which a share
nu is set to 0. The run draws the filters of the first layer, trains softmax regression on the codes
with few labels, and trains the whole stack on 10,000 labels. The paper's test errors are 3.46 %
(plain) and 2.80 % (nu = 10 %).
"""

# %%
import copy
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import Autoencoder, Dense, MaskingNoise, MultinomialNLL, Sequential
from miniae.metrics import accuracy

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import SoftmaxRegression, pick
from support.common import decaying_adam, images, save, show, timed
from support.paper import start

LEVELS = (0.0, 0.10, 0.25, 0.50)
UNITS, LAYERS, CLASSES, BATCH = 500, 3, 10, 100
EPOCHS, TUNING, RATE = 50, 20, 1e-3  # epochs without labels, with labels; learning rate
LABELS = {100: 10, 1000: 5, 5000: 2}  # number of labels: number of draws
SIZES = (10_000, 2000, 50_000)  # training, validation and test images
PUBLISHED = {"nu = 0": "3.46", "nu = 0.1": "2.80"}


# %%
def split(chosen):
    """Return rows and labels for training, validation and test, in the paper's sizes."""
    X, X_test, labels, labels_test = images(chosen, quick=(300, 200))
    X = np.concatenate([X, X_test]).reshape(len(X) + len(X_test), -1)
    labels, sizes = np.concatenate([labels, labels_test]), (200, 50, 250) if chosen.quick else SIZES
    n, kept, tested = sizes
    parts = slice(n), slice(n, n + kept), slice(-tested, None)
    return [(X[part], labels[part]) for part in parts]


def denoiser(X, nu, layer, epochs, chosen, record):
    """Return an autoencoder of one layer, trained on rows X of which a share nu is set to 0."""
    model = Autoencoder(X.shape[1], UNITS, (), code_activation="sigmoid", loss="bce",
                        corruption=MaskingNoise(nu) if nu else None, seed=chosen.seed)  # fmt: skip
    with warnings.catch_warnings(), timed(f"nu = {nu:g}, layer {layer}, {epochs} epochs"):
        # nu = 0 is the paper's baseline: a code with room to copy the input, and nothing against it
        warnings.filterwarnings("ignore", "latent_dim=.* is not below")
        return model.fit(
            X,
            epochs=epochs,
            batch_size=BATCH,
            optimizer=decaying_adam(RATE, epochs, len(X), BATCH),
            checkpoint=chosen.out / f"layer_{layer}_nu_{nu:g}.npz",
            callback=record.save,
            verbose=0,
        )


def stack(X, nu, epochs, chosen, record):
    """Return LAYERS denoising autoencoders, each trained on the codes of the one below."""
    models = []
    for layer in range(1, LAYERS + 1):
        models.append(denoiser(X, nu, layer, epochs, chosen, record))
        X = models[-1].encode(X)
    return models


def codes(models, X):
    """Return the codes of rows X in the last of a stack of autoencoders."""
    for model in models:
        X = model.encode(X)
    return X


def network(models):
    """Return the encoders of a stack as one network, with an output for each class on top."""
    layers = [copy.deepcopy(layer) for model in models for layer in model.encoder.layers]
    top = Dense(UNITS, CLASSES)
    top.theta = np.zeros_like(top.theta)
    return Sequential(*layers, top)


# %%
def error_rate(classifier, X, labels):
    """Return how many rows a network classifies wrongly, in per cent."""
    parts = [classifier.forward(X[i : i + 1000]).argmax(axis=1) for i in range(0, len(X), 1000)]
    return 100 * (1 - accuracy(labels, np.concatenate(parts)))


def tune(classifier, parts, epochs, seed):
    """Train a network on labels, and keep the epoch with the smallest validation error.

    Returns its test error, its validation error, and the epoch.
    """
    (X, labels), validation, test = parts
    targets, loss = np.eye(CLASSES, dtype=X.dtype)[labels], MultinomialNLL()
    rng, best = np.random.default_rng(seed), (np.inf, 0, None)
    adam = decaying_adam(RATE, epochs, len(X), BATCH)
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(X))
        for rows in (order[i : i + BATCH] for i in range(0, len(X), BATCH)):
            loss.forward(classifier.forward(X[rows], training=True), targets[rows])
            classifier.backward_params(loss.backward())
            adam.step(classifier.theta, classifier.dtheta)
        error = error_rate(classifier, *validation)
        if error < best[0]:
            best = error, epoch, classifier.theta.copy()
    classifier.theta = best[2]
    return {"test": error_rate(classifier, *test), "chosen by": best[0], "epoch": best[1]}


def few_labels(Z, labels, Z_test, labels_test, counts, seed):
    """Return the test errors (%) of softmax regression: a list over draws, by number of labels."""
    errors = {}
    for n, draws in counts.items():
        errors[str(n)] = []
        for draw in range(draws):
            rows = pick(labels, n // CLASSES, np.random.default_rng([seed, n, draw]))
            classifier = SoftmaxRegression(one_scale=True).fit(Z[rows], labels[rows])
            errors[str(n)].append(100 * (1 - accuracy(labels_test, classifier.predict(Z_test))))
    return errors


# %%
def draw_filters(stacks, units=100):
    """Draw the weights of the same units of the first layer at each nu, and return the figure."""
    size = (3.6 * len(stacks), 4)
    figure, axes = plt.subplots(1, len(stacks), figsize=size, layout="constrained")
    for ax, (nu, models) in zip(axes, stacks.items(), strict=True):
        W = models[0].encoder.layers[0].params["W"].T[:units]
        side = int(W.shape[1] ** 0.5)
        W = W / np.abs(W).max(axis=1, keepdims=True)  # each unit has its own scale
        W = np.pad(W.reshape(-1, side, side), ((0, 0), (1, 1), (1, 1)), constant_values=1)
        sheet = np.block([list(row) for row in W.reshape(-1, 10, side + 2, side + 2)])
        ax.imshow(sheet, cmap="gray", vmin=-1, vmax=1)
        ax.set(title=f"nu = {nu:.0%}", xticks=[], yticks=[])
    figure.suptitle("Weights of 100 units of the first layer, from the same initial weights")
    return figure


def draw_errors(few, counts):
    """Draw the test error by number of labels, a line for each input; return the figure."""
    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for number, (name, by) in enumerate(few.items()):
        mean = [np.mean(by[str(n)]) for n in counts]
        if name == "raw pixels":
            style = "k-"
        else:  # a colour for each nu; one layer is solid, the stack dashed
            style = f"C{(number - 1) // 2}" + ("--", "-")[number % 2]
        ax.loglog(list(counts), mean, style, marker="o", label=name)
    ax.set_xticks(list(counts), list(counts))
    ticks = (5, 10, 20, 30)
    ax.set_yticks(ticks, ticks)
    ax.minorticks_off()
    ax.set(xlabel="labels", ylabel="test error (%)", title="Softmax regression")
    ax.legend(frameon=False, fontsize="small", loc="lower left")
    return figure


# %%
def main(argv=None):
    """Run the reproduction; see the top of the file."""
    chosen, record = start("vincent_2008", __doc__, argv)
    parts = split(chosen)
    (X, labels), _, (X_test, labels_test) = parts
    print(", ".join(f"{len(rows):,}" for rows, _ in parts), "training, validation, test images")
    counts, levels = ({20: 1}, LEVELS[:2]) if chosen.quick else (LABELS, LEVELS)
    epochs, tuning = (2, 2) if chosen.quick else (EPOCHS, TUNING)
    stacks = {nu: stack(X, nu, epochs, chosen, record) for nu in levels}

    inputs = {"raw pixels": lambda x: x}
    for nu, models in stacks.items():
        inputs[f"nu = {nu:g}, one layer"] = lambda x, models=models: codes(models[:1], x)
        inputs[f"nu = {nu:g}, {LAYERS} layers"] = lambda x, models=models: codes(models, x)
    test = X_test[-10_000:], labels_test[-10_000:]
    few = {}
    for name, encode in inputs.items():
        with timed(f"softmax regression, {name}"):
            few[name] = record.measure(
                f"few labels, {name}",
                lambda encode=encode: few_labels(
                    encode(X), labels, encode(test[0]), test[1], counts, chosen.seed
                ),
            )
    untrained = [
        Autoencoder(n, UNITS, (), code_activation="sigmoid", seed=chosen.seed + i)
        for i, n in enumerate([X.shape[1]] + [UNITS] * (LAYERS - 1))
    ]
    starts = {"random weights": untrained, **{f"nu = {nu:g}": m for nu, m in stacks.items()}}
    tuned = {}
    for name, models in starts.items():
        with timed(f"all labels, {name}"):
            tuned[name] = record.measure(
                f"all labels, {name}",
                lambda models=models: tune(network(models), parts, tuning, chosen.seed),
            )

    header = ("test error (%), softmax regression", *(f"{n} labels" for n in counts))
    show(header, [
        (name, *(f"{np.mean(errors):.2f} ± {np.std(errors):.2f}" for errors in by.values()))
        for name, by in few.items()
    ])  # fmt: skip
    rows = [
        (f"{LAYERS} layers, {name}, all trained on {len(X):,} labels", PUBLISHED.get(name, "-"),
         f"{result['test']:.2f}") for name, result in tuned.items()
    ]  # fmt: skip
    record.table("test error (%)", rows)
    save(chosen.out, filters=draw_filters(stacks), few_labels=draw_errors(few, counts))


# %%
if __name__ == "__main__":
    main()
