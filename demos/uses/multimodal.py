# %% [markdown]
"""Pictures of digits and their spoken words: each is generated from the other.

    python demos/uses/multimodal.py             one seed, under a minute
    python demos/uses/multimodal.py --seeds 3   seeds 0, 1, 2

A multi-modal VAE sees pictures of digits beside their words, such as "three", letter by letter.
Some rows are pairs; of the others half are a picture alone, half a word alone. Then each is made
from the other. The table has the words that are right, and those that are no words; the pictures
that a classifier, which has seen all labels, reads as their word, and how much they vary (the mean
standard deviation of a pixel); and the ELBO of new pairs. The baselines are a classifier of the
same size that learns from the pairs, and the mean picture of each word, which never varies.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import CategoricalNLL, Flatten, MultimodalVAE, MultinomialNLL, Sequential, datasets
from miniae.networks import mlp

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import decaying_adam, options, save, show, timed

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ALPHABET = " " + "".join(sorted({letter for word in WORDS for letter in word}))
LENGTH, SIZE = 5, 14  # letters of a word, pixels of a side
HIDDEN, LATENT, BATCH, LR = (128,), 12, 50, 5e-3
SHARES = (1.0, 0.1)  # of the rows that are pairs
TERMS = {"the paper's terms": False, "and words from pictures": True}
DRAWS = 100  # pictures of each word


# %%
def spelled(labels):
    """Return the words of digits, LENGTH one-hot letters side by side, and a blank at the end."""
    letters = [[ALPHABET.index(letter) for letter in word.ljust(LENGTH)] for word in WORDS]
    return np.eye(len(ALPHABET))[letters].reshape(len(WORDS), -1)[labels]


def read(letters):
    """Return the most probable word of each row: the most probable letter at each place."""
    best = letters.reshape(len(letters), LENGTH, -1).argmax(axis=2)
    return np.array(["".join(ALPHABET[letter] for letter in row).rstrip() for row in best])


def digits(data, n, n_test, seed):
    """Return train and test pictures (n, SIZE, SIZE), each the mean of 2 x 2 pixels, and labels."""
    if data == "mnist":
        x, labels = datasets.mnist("train")
        rows = np.random.default_rng(seed).permutation(len(x))[: n + n_test]
        x, labels = x[rows], labels[rows]
    else:
        x, labels, _ = datasets.synthetic_digits(n + n_test, seed=seed)
    x = x.reshape(-1, SIZE, 2, SIZE, 2).mean(axis=(2, 4))
    return x[:n], x[n:], labels[:n], labels[n:]


def with_gaps(x, words, share, rng):
    """Return pictures and words of which only a share are pairs, and the rows that are."""
    order = rng.permutation(len(x))
    pairs, rest = np.split(order, [round(share * len(x))])
    x, words = x.copy(), words.copy()
    x[rest[::2]], words[rest[1::2]] = np.nan, np.nan
    return {"picture": x, "word": words}, pairs


def and_words_from_pictures(X, pairs):
    """Return an input and a target with one more row for each pair: both from the picture alone.

    With the posterior given the picture the ELBO of both is a bound of their log p too.
    """
    target = {name: np.concatenate([each, each[pairs]]) for name, each in X.items()}
    alone = {"picture": target["picture"], "word": target["word"].copy()}
    alone["word"][len(X["word"]) :] = np.nan
    return alone, target


class Classifier:
    """A network as large as the encoder of pictures, trained on pictures and labels."""

    def __init__(self, seed):
        sizes, self.rng = [SIZE**2, *HIDDEN, len(WORDS)], np.random.default_rng(seed)
        layers = mlp(sizes, "relu", 0.0, self.rng, "float32")
        self.network, self.loss = Sequential(Flatten(), *layers), MultinomialNLL()

    def fit(self, x, labels, steps):
        """Take so many steps of Adam, on batches of at most 50 rows."""
        adam, targets = decaying_adam(LR, steps, 1, 1), np.eye(len(WORDS), dtype=np.float32)
        for _ in range(steps):
            rows = self.rng.choice(len(x), min(50, len(x)), replace=False)
            self.loss.forward(self.network(x[rows]), targets[labels[rows]])
            self.network.backward_params(self.loss.backward())
            adam.step(self.network.theta, self.network.dtheta)
        return self

    def predict(self, x):
        """Return the label of each picture."""
        return self.network(x).argmax(axis=1)


def percent(hits):
    """Return the share of hits in per cent, as text."""
    return f"{100 * np.mean(hits):.1f}"


def judged(judge, x):
    """Return the share of pictures x (n, len(WORDS), SIZE, SIZE) that the judge reads right."""
    labels = np.broadcast_to(np.arange(len(WORDS)), x.shape[:2])
    return percent(judge.predict(x.reshape(-1, SIZE, SIZE)).reshape(labels.shape) == labels)


def spread(x):
    """Return the standard deviation of a pixel among pictures of one word, its mean over pixels."""
    return f"{x.std(axis=0).mean():.3f}"


def draw(title, x, words, right, pictures):
    """Draw pictures with the words made of them, red if wrong, and pictures made of words."""
    figure = plt.figure(figsize=(10, 6.5), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 2.2))
    above.suptitle("picture to word")
    figure.suptitle(title)
    for ax, picture, *both in zip(above.subplots(2, 10).flat, x, words, right, strict=True):
        ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(both[0], color="k" if both[0] == both[1] else "r")
    below.suptitle("word to picture")
    for ax, column, word in zip(below.subplots(1, 10), pictures, WORDS, strict=True):
        ax.imshow(np.concatenate(column), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], title=word)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "multimodal", __doc__, argv, data=("digits", "mnist"),
        seeds=(1, "number of seeds, from --seed on"),
    )  # fmt: skip
    n, n_test, steps = (300, 100, 60) if chosen.quick else (4000, 1000, 2400)
    given, rows = {"word": spelled(np.arange(len(WORDS)))}, []
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        x, x_test, labels, labels_test = digits(chosen.data, n, n_test, seed)
        true, real = {"picture": x_test, "word": spelled(labels_test)}, np.array(WORDS)[labels_test]
        judge = Classifier(seed).fit(x, labels, steps)
        for share in SHARES:
            X, pairs = with_gaps(x, spelled(labels), share, np.random.default_rng([seed, 1]))
            name = f"seed {seed}, {len(pairs):,} pairs: "
            for terms, crossed in TERMS.items():
                both = and_words_from_pictures(X, pairs) if crossed else (X,)
                epochs = round(steps * BATCH / len(both[0]["word"]))
                vae = MultimodalVAE(
                    {"picture": (SIZE, SIZE), "word": X["word"].shape[1]}, LATENT, HIDDEN,
                    activation="relu", seed=seed,
                    likelihood={"picture": "bernoulli", "word": CategoricalNLL(len(ALPHABET))},
                )  # fmt: skip
                adam = decaying_adam(LR, epochs, len(both[0]["word"]), BATCH)
                with timed(f"{name}{terms}, {epochs} epochs"):
                    vae.fit(*both, epochs=epochs, batch_size=BATCH, optimizer=adam, verbose=0)
                said = read(vae.generate("word", {"picture": x_test}))
                made = vae.generate("picture", given, n_draws=DRAWS, seed=seed)
                rows.append((
                    name + terms, percent(said == real), percent(~np.isin(said, WORDS)),
                    judged(judge, made), spread(made), f"{vae.elbo(true).mean():.2f}",
                ))  # fmt: skip
            few = Classifier(seed).fit(x[pairs], labels[pairs], steps)
            means = [x[pairs][labels[pairs] == label].mean(axis=0) for label in range(len(WORDS))]
            rows += [
                (name + "classifier", percent(few.predict(x_test) == labels_test), *"----"),
                (name + "mean picture", "-", "-", judged(judge, np.array(means)[None]), "0", "-"),
            ]
        varied = np.mean([x_test[labels_test == label].std(axis=0).mean() for label in range(10)])
        right = percent(judge.predict(x_test) == labels_test)
        rows.append((f"seed {seed}, real pictures", "-", "-", right, f"{varied:.3f}", "-"))
    show((chosen.data, "word (%)", "no word (%)", "picture (%)", "spread", "ELBO, nats"), rows)
    title = f"{len(pairs):,} pairs, {terms}"
    figure = draw(title, x_test[:20], said[:20], real[:20], made[:6].swapaxes(0, 1))
    save(chosen.out, multimodal=figure)


# %%
if __name__ == "__main__":
    main()
