"""Spam: codes of messages from which few labels suffice, and a score of how strange they are.

    python demos/spam.py                             4,000 built-in messages, under a minute
    python demos/spam.py --messages sms_spam.tsv     a line "ham<TAB>text" or "spam<TAB>text" each
    MINIAE_DATA=<folder> python demos/spam.py        text/sms_spam.tsv in there, a minute

A VAE with a multinomial likelihood learns codes of 20 numbers from the word counts of half of the
messages, without labels. Softmax regression, a linear classifier, then learns from 50, 200 or all
labels of that half; the other half judges it. The baseline learns from the raw bag of words, and a
second one from as many PCA scores. ± is the standard deviation over draws of the labelled messages.
The codes are best when labels are few, because which words go together is known before the first
label. With all labels the raw bag is at least as good. On the SMS Spam Collection (Almeida and
Hidalgo 2011) the lead of the codes is smaller. The raw bag is given what suits it, or it would do
worse with few labels: ten times the weight decay that is usual in these demos, and each word
divided by its own standard deviation. (Codes and scores are divided by one number.)

The second table and the ROC curves ask how strange a message is to a VAE that has met ham, the
legitimate messages, only. AUROC is the chance that a spam message scores above a legitimate one.
The rivals need no VAE: the number of words, that of unknown words, and minus the log probability by
word frequencies. The VAE is just ahead of the last, and on the SMS Spam Collection the unknown
words alone do better. The built-in messages draw words from lists of a few themes, and some names:
they show how the method works, not how well it does in life.
"""

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from bag_of_words import Vocabulary
from common import SoftmaxRegression, options, save, show, train
from messages import read_messages

from miniae import VAE
from miniae.metrics import accuracy, auroc
from miniae.proof.oracles import PCA

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


# %%
def built_in(n, rng):
    """Return n texts, and 1 for spam and 0 for ham; some end in a name that nobody has met."""
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


def judge(features, labels, rows, n, one_scale):
    """Return the accuracy on the rows from n on of a classifier that learned from some before."""
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
    ax.set_title("New messages judged by what knows ham only")
    ax.legend(loc="lower right")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=(), messages="")
    rng = np.random.default_rng([chosen.seed, 1])
    path, folder = chosen.messages, os.environ.get("MINIAE_DATA")
    if not path and folder and (sms := Path(folder) / "text" / "sms_spam.tsv").exists():
        path = sms
    epochs, most, draws = (5, 400, 1) if chosen.quick else (40, None, 20)
    texts, labels = read_messages(path) if path else built_in(most or 4000, rng)
    order = rng.permutation(len(texts))[:most]
    texts, labels, n = [texts[i] for i in order], labels[order], len(order) // 2
    name = str(path or "built-in messages")
    print(f"{name}: {n:,} to train on, {len(order) - n:,} held out")

    X = Vocabulary(texts[:n], min_count=3, least=CODE, name=name).counts(texts)
    features = {
        f"raw bag of {X.shape[1]:,} words": X,
        f"{CODE} PCA scores": PCA(CODE).fit(X[:n]).transform(X),
        f"{CODE} codes of a VAE": trained(X[:n], epochs, chosen.seed).encode(X),
    }
    table = [("always ham", *3 * [f"{1 - labels[n:].mean():.3f}"])]
    subsets = [[rng.permutation(n)[:count] for _ in range(draws)] for count in (50, 200)]
    for kind, F in features.items():
        one_scale = F is not X  # words differ in how frequent they are, by far
        found = [[judge(F, labels, rows, n, one_scale) for rows in some] for some in subsets]
        cells = [f"{np.mean(values):.3f} ± {np.std(values):.3f}" for values in found]
        table.append((kind, *cells, f"{judge(F, labels, np.arange(n), n, one_scale):.3f}"))
    show(("accuracy on new messages", "50 labels", "200 labels", f"all {n:,} labels"), table)

    ham = [text for text, label in zip(texts[:n], labels, strict=False) if not label]
    vocabulary = Vocabulary(ham, min_count=1, name=name)  # a word is unknown only if no ham has it
    X_ham, X_new = vocabulary.counts(ham), vocabulary.counts(texts[n:])
    frequency = X_ham.mean(axis=0) + 0.5 / len(ham)  # of a word in a message, none 0
    scores = {
        "number of words": X_new.sum(axis=1),
        "number of unknown words": X_new[:, 0],
        "word frequencies": -X_new @ np.log(frequency / frequency.sum()),
        "VAE": trained(X_ham, epochs // 2, chosen.seed).anomaly_score(X_new),
    }
    rows = [(name, auroc(values, labels[n:])) for name, values in scores.items()]
    show(("score of strangeness to ham", "AUROC"), rows, digits=3)
    save(chosen.out, spam=draw(scores, labels[n:]))


# %%
if __name__ == "__main__":
    main()
