# %% [markdown]
"""Spam: codes of messages that need few labels, and a score of how unusual a message is.

    python demos/uses/spam.py                             4,000 built-in messages, under a minute
    python demos/uses/spam.py --messages sms_spam.tsv     lines "ham<TAB>text" or "spam<TAB>text"
    MINIAE_DATA=<folder> python demos/uses/spam.py        text/sms_spam.tsv in that folder

A multinomial VAE learns codes of 20 numbers from word counts, without labels. Softmax regression
then learns from 50, 200 or all labels. The baselines learn from the raw word counts and from PCA
scores. The second table asks how unusual a message is to a VAE that has seen legitimate ones only.
"""

# %%
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE
from miniae.metrics import accuracy, auroc
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.bag_of_words import Vocabulary
from support.baselines import SoftmaxRegression
from support.common import options, save, show, train

CODE, BATCH, LR, DECAY = 20, 64, 2e-3, 0.01
HAM = (
    "meet later tonight home come wait bus train late soon station walk",
    "dinner eat lunch cook pizza rice hungry coffee cake food kitchen tea",
    "love miss sweet dear happy birthday kiss smile dream night hug heart",
    "class exam study lecture book notes library paper teacher test finish read",
    "work boss office meeting project money pay busy job leave send email",
)
SPAM = (
    "win prize claim cash award draw winner selected call code valid guaranteed",
    "free ringtone mobile text tone download club reply weekly poly phone stop",
    "loan credit offer apply rate debt approved pay account urgent bank call",
    "date singles chat girls meet tonight sexy waiting reply send text pics",
)
SHARED = "i you to the a and is in me my for your it of have on that are now so at can be with"


def read_messages(path):
    """Return the texts and labels (1 spam, 0 ham) of a file. A repeated text counts once.

    Each line is "ham" or "spam", a tab and a text, with a line end as in Unix or Windows. A first
    line "label<TAB>text" is skipped. If a text has two labels, the last one counts. Bytes that are
    not UTF-8 separate words, as spaces do.

    Raises
    ------
    OSError : the file is missing, is a folder, or is not readable
    ValueError : a line is wrong, or there are too few messages
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="\n") as file:
            lines = file.read().rstrip("\r\n").split("\n")
    except OSError as error:
        wanted = "give a text file with a message in each line"
        raise type(error)(f"{path} cannot be read ({error.strerror}): {wanted}") from None
    messages = {}
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        label, *text = line.split("\t")
        if label in ("ham", "spam") and len(text) == 1 and text[0].strip():
            messages[text[0]] = int(label == "spam")
        elif number > 1 or line != "label\ttext":
            wanted = '"ham" or "spam", a tab and a text'
            raise ValueError(f"{path}, line {number}: must be {wanted}, got {line[:40]!r}")
    labels = np.array(list(messages.values()), int)
    n_ham, n_spam = np.bincount(labels, minlength=2)
    if min(n_ham, n_spam) < 20 or n_ham + n_spam < 400:
        raise ValueError(f"{path}: {n_ham} ham, {n_spam} spam; needs 20 of each, 400 in all")
    return list(messages), labels


# %%
def built_in(n, rng):
    """Return n texts, and 1 for spam and 0 for ham. Some texts end in names that are made up."""
    themes = [theme.split() for theme in HAM + SPAM]
    every, shared = sorted(set(" ".join(HAM + SPAM).split())), SHARED.split()
    texts, labels = [], (rng.random(n) < 0.15).astype(int)
    for label in labels:
        theme = themes[rng.integers(len(HAM), len(themes)) if label else rng.integers(len(HAM))]
        sources = rng.choice(3, 1 + rng.poisson(14 if label else 9), p=(0.5, 0.35, 0.15))
        lists = [(shared, theme, every)[source] for source in sources]
        words = [known[rng.integers(len(known))] for known in lists]
        names = ["".join(rng.choice(list("aegiklnorstu"), 6)) for _ in range(rng.poisson(0.4))]
        texts.append(" ".join(words + names))
    return texts, labels


def trained(X, epochs, seed):
    """Return a VAE trained on word counts."""
    vae = VAE(X.shape[1], CODE, likelihood="multinomial", dropout=0.3, seed=seed)
    name = f"VAE of {len(X):,} messages"
    return train(name, vae, X, lr=LR, epochs=epochs, batch_size=BATCH)


def test_accuracy(features, labels, rows, n, one_scale):
    """Train a classifier on some of the first n rows, and return its accuracy on the others."""
    classifier = SoftmaxRegression(DECAY, one_scale=one_scale).fit(features[rows], labels[rows])
    return accuracy(labels[n:], classifier.predict(features[n:]))


def draw(scores, labels):
    """Draw the ROC curves of scores by name, and return the figure."""
    figure, ax = plt.subplots(figsize=(5.5, 4.2), layout="constrained")
    for name, values in scores.items():
        spam = labels[np.argsort(-values, kind="stable")]
        shares = [np.append(0, np.cumsum(kind) / kind.sum()) for kind in (1 - spam, spam)]
        ax.plot(*shares, label=f"{name}, AUROC {auroc(values, labels):.2f}")
    ax.set(xlabel="share of ham above the threshold", ylabel="share of spam above the threshold")
    ax.set_title("New messages, scored by methods that know ham only")
    ax.legend(loc="lower right")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "spam",
        __doc__,
        argv,
        data=(),
        messages=("", "file of messages, in place of the built-in ones"),
    )
    rng = np.random.default_rng([chosen.seed, 1])
    path, folder = chosen.messages, os.environ.get("MINIAE_DATA")
    if not path and folder and (sms := Path(folder) / "text" / "sms_spam.tsv").exists():
        path = sms
    epochs, most, draws = (5, 400, 1) if chosen.quick else (40, None, 20)
    texts, labels = read_messages(path) if path else built_in(most or 4000, rng)
    order = rng.permutation(len(texts))[:most]
    texts, labels, n = [texts[i] for i in order], labels[order], len(order) // 2
    name = str(path or "built-in messages")
    print(f"{name}: {n:,} training messages, {len(order) - n:,} held out")

    X = Vocabulary(texts[:n], min_count=3, least=CODE, name=name).counts(texts)
    features = {
        f"raw bag of {X.shape[1]:,} words": X,
        f"{CODE} PCA scores": PCA(CODE).fit(X[:n]).transform(X),
        f"{CODE} codes of a VAE": trained(X[:n], epochs, chosen.seed).encode(X),
    }
    always_ham = f"{1 - labels[n:].mean():.3f}"
    table = [("always ham", always_ham, always_ham, always_ham)]
    subsets = [[rng.permutation(n)[:count] for _ in range(draws)] for count in (50, 200)]
    for kind, F in features.items():
        one_scale = F is not X  # some words are far more frequent than others
        cells = []
        for draws_of_rows in subsets:
            found = [test_accuracy(F, labels, rows, n, one_scale) for rows in draws_of_rows]
            cells.append(f"{np.mean(found):.3f} ± {np.std(found):.3f}")
        all_labels = test_accuracy(F, labels, np.arange(n), n, one_scale)
        table.append((kind, *cells, f"{all_labels:.3f}"))
    show(("accuracy on new messages", "50 labels", "200 labels", f"all {n:,} labels"), table)

    ham = [text for text, label in zip(texts[:n], labels, strict=False) if not label]
    vocabulary = Vocabulary(ham, min_count=1, name=name)  # a word is unknown only if no ham has it
    X_ham, X_new = vocabulary.counts(ham), vocabulary.counts(texts[n:])
    frequency = X_ham.mean(axis=0) + 0.5 / len(ham)  # of a word in a message; never 0
    scores = {
        "number of words": X_new.sum(axis=1),
        "number of unknown words": X_new[:, 0],
        "word frequencies": -X_new @ np.log(frequency / frequency.sum()),
        "VAE": trained(X_ham, epochs // 2, chosen.seed).anomaly_score(X_new),
    }
    rows = [(name, auroc(values, labels[n:])) for name, values in scores.items()]
    show(("score: how unlike ham", "AUROC"), rows, digits=3)
    save(chosen.out, spam=draw(scores, labels[n:]))


# %%
if __name__ == "__main__":
    main()
