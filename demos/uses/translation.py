# %% [markdown]
"""Translate dates from human notations into ISO 8601, character by character, with attention.

    python demos/uses/translation.py             one seed, under a minute
    python demos/uses/translation.py --seeds 3   seeds 0, 1, 2

An encoder LSTM reads "the third of march 1998", and a decoder LSTM writes "1998-03-03". With
attention, the decoder looks at all states of the encoder. Without, it sees one vector, made of the
encoder's last states; that model has more units and more parameters. The trivial baseline copies
the answer of the most similar training text. No month of a test is in the training data.
"""

# %%
import datetime
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import nearest
from support.common import decaying_adam, options, save, show, timed
from support.dates import NOTATIONS, Alphabet, draw_dates, write
from support.translator import Translator

UNITS = {"with attention": 48, "without attention": 56}
BATCH, LR, LONGEST = 50, 5e-3, 12
COPY = "copy from the most similar text"
EXAMPLE = datetime.date(1998, 3, 3)
SHOWN = ("the third of march 1998", "tuesday, march 3rd, 1998", "3.12.1998", "mar 3, 98")


# %%
def trained(model, source, target, epochs, seed):
    """Train a translator on token numbers, and return it."""
    rng, adam = np.random.default_rng(seed), decaying_adam(LR, epochs, len(source), BATCH)
    for _ in range(epochs):
        order = rng.permutation(len(source))
        for rows in np.split(order, range(BATCH, len(order), BATCH)):
            longest = (source[rows] > 0).sum(axis=1).max()
            model.loss(source[rows, :longest], target[rows])
            model.backward()
            adam.step(model.theta, model.dtheta)
    return model


def similar(texts, answers, new_texts):
    """Return for each new text the answer of the training text that is most like it.

    The likeness is the cosine of the counts of pairs of letters.
    """
    pairs = [[a + b for a, b in zip(f" {t}", f"{t} ", strict=True)] for t in texts + new_texts]
    names, index = np.unique([pair for row in pairs for pair in row], return_inverse=True)
    counts = np.zeros((len(pairs), len(names)), np.float32)
    np.add.at(counts, (np.repeat(np.arange(len(pairs)), [len(row) for row in pairs]), index), 1)
    counts /= np.linalg.norm(counts, axis=1, keepdims=True)
    return nearest(counts[: len(texts)], np.array(answers), counts[len(texts) :]).tolist()


def right_letters(said, answer):
    """Return how many characters of an answer are right, each at its place."""
    return sum(a == b for a, b in zip(said, answer, strict=False))


def draw(weights, texts, said):
    """Draw where the decoder looks while it writes, weights (T, S) for each text."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    for ax, a, text, answer in zip(axes.flat, weights, texts, said, strict=True):
        picture = ax.imshow(a[: len(answer) + 1, : len(text)], cmap="Blues", vmin=0, vmax=1,
                            aspect="auto")  # fmt: skip
        ax.set_xticks(range(len(text)), text.replace(" ", "\u2423"))
        ax.set_yticks(range(len(answer) + 1), [*answer, "end"])
        ax.set(xlabel="input", ylabel="output")
    figure.colorbar(picture, ax=axes, label="attention", shrink=0.5)
    figure.suptitle("Where the decoder looks while it writes a date")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "translation",
        __doc__,
        argv,
        data=(),
        texts=(4000, "number of training texts"),
        epochs=(6, "number of epochs"),
        seeds=(1, "number of seeds, from --seed on"),
    )
    n, n_test, epochs = chosen.texts, 1000, chosen.epochs
    if chosen.quick:
        n, n_test, epochs = 300, 50, 2
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    said, sizes, tests = {name: [] for name in (*UNITS, COPY)}, {COPY: "-"}, []
    for seed in seeds:
        train, test = draw_dates(n, n_test, np.random.default_rng(seed))
        texts, answers, _ = map(list, zip(*train, strict=True))
        new_texts = [text for text, _, _ in test]
        tests += test
        sources, targets = Alphabet(texts), Alphabet(answers, end="\n")
        end = targets.number["\n"]
        for name, units in UNITS.items():
            attention = name == "with attention"
            model = Translator(sources.size, targets.size, units, attention=attention, seed=seed)
            with timed(f"{name}, seed {seed}, {epochs} epochs"):
                trained(model, sources.encode(texts), targets.encode(answers), epochs, seed)
            tokens, _ = model.translate(sources.encode(new_texts), LONGEST, end)
            said[name] += targets.decode(tokens)
            sizes[name] = model.theta.size
            if attention and seed == chosen.seed:
                tokens, weights = model.translate(sources.encode(SHOWN), LONGEST, end)
                figure = draw(weights, SHOWN, targets.decode(tokens))
        said[COPY] += similar(texts, answers, new_texts)

    rows, exact, wanted = [], {}, [answer for _, answer, _ in tests]
    for name, answers in said.items():
        right = [right_letters(a, b) for a, b in zip(answers, wanted, strict=True)]
        exact[name] = np.array([a == b for a, b in zip(answers, wanted, strict=True)])
        shares = [f"{part.mean():.1%}" for part in np.split(exact[name], len(seeds))]
        letters = sum(right) / sum(map(len, wanted))
        rows.append((name, sizes[name], *shares, f"{letters:.1%}"))
    header = [f"exact, seed {seed}" for seed in seeds]
    show((f"{n_test:,} new dates", "parameters", *header, "characters"), rows)
    kinds, rows = np.array([kind for _, _, kind in tests]), []
    for kind in range(len(NOTATIONS)):
        example, _ = write(EXAMPLE, kind)
        shares = (exact[name][kinds == kind].mean() for name in said)
        rows.append((example, *(f"{share:.1%}" for share in shares)))
    show(("exact, by notation", *said), rows)
    save(chosen.out, attention=figure)


# %%
if __name__ == "__main__":
    main()
