# %% [markdown]
"""Sentences: a sequence VAE on a grammar of known entropy, beside n-grams and an LSTM.

    python demos/uses/sentences.py                             4,000 built-in sentences, a minute
    MINIAE_DATA=<folder> python demos/uses/sentences.py --data sms     text/sms_spam.tsv there

The first table has perplexities on new sentences: of the grammar itself, which no model can beat,
of n-gram models, of the VAE's writer without a code, and of the VAE by its bound and by importance
sampling. The second one shows what word dropout does to posterior collapse. Then two sentences are
connected by a line in the latent space.
"""

# %%
import os
import sys
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import SequenceVAE, pad_sequences
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support import grammar
from support.bag_of_words import words
from support.common import options, save, show, timed, train
from support.language_models import NGram, WriterAlone

LATENT, HIDDEN, EMBEDDING, BATCH, LR = 8, 48, 24, 64, 5e-3
DROPOUTS = (0.0, 0.5)
K = 50  # draws of importance sampling


# %%
class Corpus:
    """Texts as rows of tokens, train and test; rare words are left out.

    Attributes
    ----------
    X, X_test : (n, length) tokens
    words : list of str, by token number
    """

    def __init__(self, texts, n_test, length, min_count):
        counts = Counter(word for text in texts[n_test:] for word in text)
        kept = sorted(word for word in counts if counts[word] >= min_count)
        self.words = ["", ".", *kept]
        index = {word: i for i, word in enumerate(self.words)}
        known = [[index[word] for word in text if word in index] for text in texts]
        rows = pad_sequences(known, length)
        self.X_test, self.X = rows[:n_test], rows[n_test:]

    def text(self, row):
        """Return the words of a row of tokens."""
        return " ".join(self.words[token] for token in row if token > 1)


def sms(rng):
    """Return the messages of the SMS Spam Collection as lists of words, in random order."""
    path = Path(os.environ.get("MINIAE_DATA", "."), "text", "sms_spam.tsv")
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[1:]
    texts = list(dict.fromkeys(line.split("\t")[-1] for line in lines if "\t" in line))
    return [found for i in rng.permutation(len(texts)) if (found := words(texts[i]))]


def draw(vaes, corpus, labels, histories):
    """Draw the KL during training, and the codes of the test sentences; return the figure."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
    kinds = sorted(set(labels))
    for name, kl in histories.items():
        axes[0].plot(range(1, 1 + len(kl)), kl, label=name)
    axes[0].set(xlabel="epoch", ylabel="KL, nats", title="KL in training", yscale="log")
    axes[0].legend(title="word dropout")
    for ax, (name, vae) in zip(axes[1:], vaes.items(), strict=True):
        codes = PCA(2).fit(vae.encode(corpus.X)).transform(vae.encode(corpus.X_test))
        for label in kinds:
            chosen = np.array([label == other for other in labels])
            ax.scatter(*codes[chosen].T, s=4, label=label)
        ax.margins(0.1, 0.15)
        ax.set(title=f"codes, word dropout {name}", xlabel="component 1", ylabel="component 2")
    figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower right",
                  ncols=len(kinds), markerscale=3, title="the sentence ends with")  # fmt: skip
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("sentences", __doc__, argv, data=("grammar", "sms"))
    rng, rules = np.random.default_rng([chosen.seed, 1]), grammar.sentence_grammar()
    n, n_test, epochs = (300, 100, 3) if chosen.quick else (4000, 1000, 15)
    true = []
    if chosen.data == "grammar":
        derived = [grammar.derive(rules, rng) for _ in range(n + n_test)]
        texts, length, least = [text for text, _ in derived], 13, 1
    else:
        texts, length, least = sms(rng)[: n + n_test], 20, 5
    corpus = Corpus(texts, n_test, length, least)
    X, X_test, n_tokens = corpus.X, corpus.X_test, len(corpus.words)
    print(f"{len(X):,} sentences to train on, {n_test:,} new ones; {n_tokens} tokens")
    if chosen.data == "grammar":
        nats = -sum(log_p for _, log_p in derived[:n_test])
        true = [
            ("the grammar, exact entropy", grammar.perplexity(rules)),
            ("the grammar, on these sentences", float(np.exp(nats / (X_test > 0).sum()))),
        ]

    rows = [
        (f"{order}-gram model", NGram(order, n_tokens).fit(X).perplexity(X_test))
        for order in (1, 2, 3, 4)
    ]
    with timed(f"LSTM without a code, {epochs} epochs"):
        alone = WriterAlone(n_tokens, length, EMBEDDING, HIDDEN, chosen.seed)
        alone.fit(X, epochs=epochs, batch_size=BATCH, lr=LR)
    rows.append(("LSTM without a code", alone.perplexity(X_test)))
    vaes = {}
    for dropout in DROPOUTS:
        name = f"{dropout:g}"
        vaes[name] = SequenceVAE(
            n_tokens, length, LATENT, (HIDDEN,), embedding_dim=EMBEDDING, word_dropout=dropout,
            kl_warmup=2 * epochs // 3, seed=chosen.seed,
        )  # fmt: skip
        train(f"VAE, word dropout {name}", vaes[name], X, lr=LR, epochs=epochs, batch_size=BATCH)
        rows.append((f"VAE, word dropout {name}: bound", vaes[name].perplexity(X_test)))
        few = X_test[:200]
        nats = -vaes[name].log_likelihood(few, K).sum() / (few > 0).sum()
        rows.append((f"VAE, word dropout {name}: {K} draws, 200 sentences", float(np.exp(nats))))
    show(("on new sentences", "perplexity"), true + rows)

    table = []
    for name, vae in vaes.items():
        again, samples = vae.reconstruct(X_test), vae.sample(500, seed=chosen.seed)
        real = X_test > 0
        row = [float(vae.elbo(X_test, split=True)[1].mean()), vae.active_units(X_test)]
        row += [float((again == X_test)[real].mean()), float((again == X_test).all(axis=1).mean())]
        if chosen.data == "grammar":
            written = [corpus.text(row).split() for row in samples]
            row.append(float(np.mean([grammar.is_sentence(rules, text) for text in written])))
        table.append((f"word dropout {name}", *row))
    header = ("", "KL, nats", "latents in use", "tokens right", "sentences right", "grammatical")
    show(header[: len(table[0])], table)

    vae, (a, b) = vaes[f"{DROPOUTS[1]:g}"], X_test[:2]
    print(f"From: {corpus.text(a)}")
    for row in vae.interpolate(a, b, steps=6):
        print(f"      {corpus.text(row)}")
    print(f"To:   {corpus.text(b)}\n\nDrawn from the prior:")
    for row in vae.sample(5, seed=chosen.seed):
        print(f"      {corpus.text(row)}")
    labels = ["message"] * n_test
    if chosen.data == "grammar":
        labels = [grammar.ending(text) for text in texts[:n_test]]
    histories = {name: vae.history["kl"] for name, vae in vaes.items()}
    print()
    save(chosen.out, sentences=draw(vaes, corpus, labels, histories))


# %%
if __name__ == "__main__":
    main()
