# %% [markdown]
"""Colourisation: a conditional VAE draws several answers for the colours of a grey patch.

    python demos/uses/colourisation.py             one seed, under a minute
    python demos/uses/colourisation.py --seeds 3   seeds 0, 1, 2

A photograph is cut into the tiles of a chessboard. The models learn from the patches of the white
tiles, and then colour the black ones from their grey levels; and the other way round. Skin and sky
have the same grey in places, so a single answer must be wrong in some of them. The baselines are
the mean colour, linear regression, a network without a latent, and the nearest neighbours.
"""

# %%
import itertools
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import ConditionalVAE, GaussianNLL, Sequential, SquaredError
from miniae.networks import mlp

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.colours import Chessboard, join, split
from support.common import decaying_adam, options, save, show, timed, train
from support.photographs import SIZE, in_colour

HIDDEN, LATENT, SIGMA, EPOCHS, BATCH, LR = (64, 64), 4, 2.0, 35, 100, 4e-3
ANSWERS, DRAWS = 8, 64  # answers that are judged; draws whose mean is the best guess


# %%
def conditions(grey):
    """Return what the models are told of grey patches: rows (n, SIZE^2).

    The differences within a patch are small, but say what it shows: they count 10 times as much as
    grey levels, and the mean of the patch 4 times.
    """
    rows = grey.reshape(len(grey), -1)
    mean = rows.mean(axis=1, keepdims=True)
    return (10 * (rows - mean) + 4 * (mean - 0.5)).astype(np.float32)


# Each method takes the conditions C and colours X of training patches, and the conditions C_new of
# new ones. It returns its best guess (n, 2 SIZE^2) and its answers (ANSWERS, n, 2 SIZE^2), or None.


def mean_colour(C, X, C_new, epochs, rng):
    """Return the mean colour of the training patches. It has no other answers."""
    return np.tile(X.mean(axis=0), (len(C_new), 1)), None


def linear_regression(C, X, C_new, epochs, rng):
    """Return what least squares predicts; its answers add errors of random training patches."""
    A, A_new = (np.hstack([c, np.ones((len(c), 1))]) for c in (C, C_new))
    W = np.linalg.lstsq(A, X, rcond=None)[0]
    errors = (X - A @ W)[rng.integers(len(X), size=(ANSWERS, len(C_new)))]
    return A_new @ W, A_new @ W + errors


def neighbours(C, X, C_new, epochs, rng):
    """Return the mean colours of the most similar training patches; they are its answers."""
    distance = (C**2).sum(axis=1) - 2 * C_new @ C.T
    nearest = np.argpartition(distance, ANSWERS, axis=1)[:, :ANSWERS]
    return X[nearest].mean(axis=1), X[nearest].swapaxes(0, 1)


def network(C, X, C_new, epochs, rng):
    """Return what the decoder of the VAE learns without z, from the squared error; no answers."""
    net = Sequential(mlp([C.shape[1], *HIDDEN, X.shape[1]], "relu", 0.0, rng, "float32", "he"))
    loss, mean, std = SquaredError(), X.mean(axis=0), X.std()
    targets, adam = (X - mean) / std, decaying_adam(LR, epochs, len(X), BATCH)
    with timed(f"network without a latent, {epochs} epochs"):
        for _ in range(epochs):
            for rows in np.array_split(rng.permutation(len(X)), -(-len(X) // BATCH)):
                loss.forward(net.forward(C[rows], training=True), targets[rows])
                net.backward(loss.backward())
                adam.step(net.theta, net.dtheta)
    return std * net.forward(C_new) + mean, None


def conditional_vae(C, X, C_new, epochs, rng):
    """Return the mean of decoded draws of z from the prior; the first of them are its answers."""
    mean, std = X.mean(axis=0), X.std()
    vae = ConditionalVAE(
        X.shape[1], LATENT, HIDDEN, n_condition=C.shape[1], activation="relu",
        likelihood=GaussianNLL(SIGMA), seed=int(rng.integers(1000)),
    )  # fmt: skip
    options = {"lr": LR, "epochs": epochs, "batch_size": BATCH}
    train("conditional VAE", vae, (X - mean) / std, labels=C, **options)
    print(f"KL {vae.history['kl'][-1]:.2f} nats")
    Z = rng.standard_normal((DRAWS, len(C_new), LATENT), dtype=np.float32)
    colours = std * vae.decode(Z, labels=C_new) + mean
    return colours.mean(axis=0), colours[:ANSWERS]


NEIGHBOURS = f"{ANSWERS} nearest neighbours"
METHODS = {
    "mean colour": mean_colour,
    "linear regression": linear_regression,
    "network without a latent": network,
    NEIGHBOURS: neighbours,
    "conditional VAE": conditional_vae,
}


def coloured(method, board, step, epochs, seed):
    """Colour each half of a board with a model of the other half; white tiles come first.

    Returns
    -------
    guess : (n, SIZE, SIZE, 3) images of all patches
    answers : (ANSWERS, n, SIZE, SIZE, 3), or None
    """
    guesses, answers = [], []
    for black in (False, True):
        grey, X = split(board.patches(not black, step))
        grey_new, _ = split(board.patches(black, SIZE))
        data = conditions(grey), X.reshape(len(X), -1).astype(np.float32), conditions(grey_new)
        guess, several = method(*data, epochs, np.random.default_rng([seed, black]))
        shape = (*grey_new.shape, 2)
        guesses.append(join(grey_new, guess.reshape(shape)))
        if several is not None:
            answers.append(join(grey_new, several.reshape(-1, *shape)))
    return np.concatenate(guesses), np.concatenate(answers, axis=1) if answers else None


# %%
def decibels(error):
    """Return the PSNR, 10 log10(1 / mean) of the squared errors of levels in [0, 1]."""
    return float(-10 * np.log10(error.mean()))


def distance(a, b):
    """Return the root mean square difference of images (..., SIZE, SIZE, 3): (...)."""
    return np.sqrt(((a - b) ** 2).mean(axis=(-3, -2, -1)))


def measure(true, guess, answers):
    """Return the numbers of a row of the table, each over all patches.

    Three are PSNRs: of the guess; of the answers; and of the best answer to each patch. The fourth
    is the spread of the answers, as a root mean square, over the error of the guess: it is 1 if
    the answers are draws of p(colour|grey) and the guess is their mean. The last is the energy
    score, E d(answer, true) - E d(answer, other answer) / 2 with the distance d. On average such
    draws have the lowest. Gneiting and Raftery (2007), section 4.3.
    """
    error = (guess - true) ** 2
    if answers is None:
        return decibels(error), "-", "-", "-", f"{distance(guess, true).mean():.4f}"
    errors = ((answers - true) ** 2).mean(axis=(2, 3, 4))  # (ANSWERS, n)
    ratio = np.sqrt(answers.var(axis=0, ddof=1).mean() / error.mean())
    pairs = itertools.combinations(answers, 2)
    apart = np.mean([distance(one, other).mean() for one, other in pairs])
    energy = distance(answers, true).mean() - apart / 2
    best = decibels(errors.min(axis=0))
    return decibels(error), decibels(errors), best, ratio, f"{energy:.4f}"


def draw_pictures(pictures):
    """Draw named pictures beside each other; return the figure."""
    figure, axes = plt.subplots(2, 4, figsize=(10, 6.1), layout="constrained")
    for ax, (name, picture) in zip(axes.flat, pictures.items(), strict=True):
        ax.imshow(picture, interpolation="nearest")
        ax.set(title=name, xticks=[], yticks=[])
    return figure


def draw_answers(columns, order):
    """Draw named columns of patches (n, SIZE, SIZE, 3), ten of the first half of an order."""
    shown = order[np.linspace(0, len(order) // 2, 10).astype(int)]
    gap = ((1, 1), (1, 1), (0, 0))
    cells = [[np.pad(of[i], gap, constant_values=1) for of in columns.values()] for i in shown]
    figure, ax = plt.subplots(figsize=(8, 7.4), layout="constrained")
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in cells])
    ax.imshow(sheet, interpolation="nearest")
    ax.set_xticks((SIZE + 2) * (np.arange(len(columns)) + 0.5) - 0.5, columns)
    ax.set(yticks=[], title="Draws of the VAE: the most diverse first, the median last")
    ax.tick_params(top=False, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    n_seeds = (1, "number of seeds, from --seed on")
    chosen = options("colourisation", __doc__, argv, data=(), seeds=n_seeds)
    step, epochs = (4, 1) if chosen.quick else (1, EPOCHS)
    board = Chessboard(in_colour().reshape(300, 2, 256, 2, 3).mean(axis=(1, 3)))  # half the size
    white, black = (board.patches(colour, SIZE) for colour in (False, True))
    true, n = np.concatenate([white, black]), len(board.patches(False, step))
    print(f"{n:,} patches to learn from in each half, {len(true):,} to colour")
    header = "PSNR: guess", "answers", f"best of {ANSWERS}", "spread / error", "energy score"
    results = {}
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        found = {name: coloured(m, board, step, epochs, seed) for name, m in METHODS.items()}
        results[seed] = found
        rows = [(name, *measure(true, *images)) for name, images in found.items()]
        show((f"seed {seed}", *header), rows)

    found = results[chosen.seed]
    guess, answers = found["conditional VAE"]
    grey = np.repeat(split(true)[0][..., None], 3, axis=-1)
    shown = {
        "grey": grey,
        "true": true,
        "linear regression": found["linear regression"][0],
        "network without a latent": found["network without a latent"][0],
        "nearest neighbours, mean": found[NEIGHBOURS][0],
        "VAE, mean": guess,
        "VAE, a draw for each patch": answers[0],
        "VAE, other draws": answers[1],
    }
    pictures = {
        name: board.picture(*np.split(images, [len(white)])) for name, images in shown.items()
    }
    columns = {"grey": grey, "true": true, "guess": guess}
    columns.update((f"draw {i}", images) for i, images in enumerate(answers, 1))
    order = np.argsort(-answers.var(axis=0).mean(axis=(1, 2, 3)))
    save(chosen.out, pictures=draw_pictures(pictures), answers=draw_answers(columns, order))


# %%
if __name__ == "__main__":
    main()
