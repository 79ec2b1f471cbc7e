# %% [markdown]
"""Topics in texts: a multinomial VAE on word counts, compared with PCA; the true topics are known.

    python demos/uses/text_topics.py             4,000 built-in documents, under a minute

Each document mixes words of six topics and common words such as "the". The VAE sees word counts
only. For each topic the table gives the correlation of its share with the latent, and with the PCA
component, that match it best, and the words whose probability the latent raises most.
"""

# %%
import sys
from itertools import permutations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.bag_of_words import Vocabulary
from support.common import options, save, show, train

LATENT, HIDDEN, BETA, BATCH, LR = 10, (128,), 2.0, 64, 5e-3
TOPICS = {
    "sea": "ship sail wave harbour anchor tide island captain storm fish scale bank",
    "kitchen": "oven flour butter salt recipe sauce knife bake onion fish season scale",
    "music": "song violin chord rhythm concert piano tune choir note scale pitch key",
    "money": "price market loan interest account profit trade tax bank share note bond",
    "garden": "seed soil flower leaf root prune bulb spade tree storm season share",
    "football": "goal team match coach score player referee pass captain pitch season save",
}
SHARED = "the and of to in a is that it was for on with as at by this from they we"


# %%
def documents(n, rng):
    """Return n texts of about 60 words, and the share of each topic in each, (n, topics)."""
    lists = [text.split() for text in (*TOPICS.values(), SHARED)]
    known = sorted({word for words in lists for word in words})
    p = np.zeros((len(lists), len(known)))  # of each word, given its list
    for row, words in zip(p, lists, strict=True):
        weights = 1 / np.sqrt(np.arange(1, len(words) + 1))  # the first of a list most often
        row[[known.index(word) for word in words]] = weights / weights.sum()
    shared = rng.beta(2, 4, (n, 1))
    shares = (1 - shared) * rng.dirichlet(np.full(len(TOPICS), 0.2), n)  # few topics in each
    p = np.hstack([shares, shared]) @ p
    counts = [rng.multinomial(1 + rng.poisson(60), row) for row in p]
    return [" ".join(np.repeat(known, row)) for row in counts], shares


def match(codes, shares):
    """Match each topic with one latent, none twice: the largest sum of absolute correlations.

    Returns
    -------
    r : (latents, topics), the correlations
    latents : (topics,), the latent of each topic
    """
    r = np.corrcoef(codes.T, shares.T)[: codes.shape[1], codes.shape[1] :]
    choices = np.array(list(permutations(range(len(r)), r.shape[1])))
    sums = np.abs(r[choices, np.arange(r.shape[1])]).sum(axis=1)
    return r, choices[sums.argmax()]


def raised_words(vae, words, latent, sign, n=5):
    """Return the n words whose probability rises most when the latent goes from 0 to 3 or -3."""
    low, middle, high = vae.traverse(dims=[latent], steps=3)[0]
    rise = (high if sign > 0 else low) - middle
    return " ".join(words[i] for i in np.argsort(-rise)[:n])


def draw(matches):
    """Draw the correlations of each method's latents with the topics, and return the figure."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.1), layout="constrained", sharey=True)
    for ax, (name, (r, latents)) in zip(axes, matches.items(), strict=True):
        sheet = ax.imshow(r.T, cmap="RdBu", vmin=-1, vmax=1)
        ax.plot(latents, range(len(latents)), "ks", markersize=17, fillstyle="none")
        ax.set(title=name, xlabel="latent" if name == "VAE" else "component")
        ax.set(xticks=range(len(r)), yticks=range(len(TOPICS)), yticklabels=TOPICS)
    figure.colorbar(sheet, ax=axes, label="correlation with the topic's share")
    figure.suptitle("New documents; a frame marks the latent matched with the topic")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("text_topics", __doc__, argv, data=())
    n, n_test, epochs = (300, 200, 5) if chosen.quick else (4000, 1000, 60)
    texts, shares = documents(n + n_test, np.random.default_rng([chosen.seed, 1]))
    vocabulary = Vocabulary(texts[:n])
    counts = vocabulary.counts(texts)
    X, X_test = np.split(np.log1p(counts), [n])
    print(f"{n:,} documents to train on, {n_test:,} new ones; {len(vocabulary.words)} words")

    vae = VAE(X.shape[1], LATENT, HIDDEN, likelihood="multinomial", beta=BETA, seed=chosen.seed)
    train("VAE", vae, X, counts[:n], lr=LR, epochs=epochs, batch_size=BATCH)
    models = {"VAE": vae, "PCA": PCA(LATENT).fit(X)}
    matches = {name: match(model.transform(X_test), shares[n:]) for name, model in models.items()}
    sizes = [np.abs(r[latents, np.arange(len(TOPICS))]) for r, latents in matches.values()]
    r, latents = matches["VAE"]
    rows = [
        (name, float(a), float(b), raised_words(vae, vocabulary.words, j, r[j, topic]))
        for topic, (name, a, b, j) in enumerate(zip(TOPICS, *sizes, latents, strict=True))
    ]
    means = [float(size.mean()) for size in sizes]
    show(
        ("correlation with the topic's share", "VAE latent", "PCA", "words that the latent raises"),
        [*rows, ("mean", *means, f"({vae.active_units(X_test)} latents in use)")],
    )
    save(chosen.out, topics=draw(matches))


# %%
if __name__ == "__main__":
    main()
