# %% [markdown]
"""Tunes: a sequence VAE on melodies of known keys and rhythms, beside n-grams; it writes MIDI.

    python demos/uses/tunes.py      4,000 built-in melodies of four bars, under a minute

The generator chooses a key, then a rhythm for each bar, then walks up and down the scale. A model
sees notes only: each pair of pitch and length is a token. The table has the perplexity of new
melodies (that of the generator is the lowest possible one), and of melodies that each model writes
the share of notes that are in one scale, and of tunes in which every bar has a rhythm of the
generator.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import SequenceVAE, pad_sequences
from miniae.plumbing.archives import atomic

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support import melodies
from support.common import options, save, show, timed, train
from support.language_models import NGram, WriterAlone

LATENT, HIDDEN, EMBEDDING, BATCH, LR, DROPOUT = 8, 48, 24, 64, 1.5e-2, 0.3
FREE_BITS = 0.5  # nats of each latent, against posterior collapse
LENGTH = 4 * max(map(len, melodies.RHYTHMS)) + 1  # notes and the end


# %%
def quality(tunes):
    """Return the mean share of notes in one scale, and the share of tunes with right rhythms."""
    return (
        float(np.mean([melodies.in_key(notes) for notes in tunes])),
        float(np.mean([melodies.has_rhythm(notes) for notes in tunes])),
    )


def draw(tunes):
    """Draw tunes as piano rolls, one below the other, and return the figure."""
    figure, axes = plt.subplots(
        len(tunes), figsize=(8, 1.1 * len(tunes) + 0.5), sharex=True, layout="constrained"
    )
    for ax, (name, notes) in zip(axes, tunes.items(), strict=True):
        starts = np.cumsum([0, *(length for _, length in notes)])[:-1]
        for start, (pitch, length) in zip(starts, notes, strict=True):
            ax.barh(pitch, length - 0.15, left=start, height=1.0, color="C0")
        for bar in range(1, melodies.BARS):
            ax.axvline(bar * melodies.BAR, color="0.8", linewidth=1, zorder=0)
        ax.set(ylim=(-1, melodies.PITCHES), xlim=(0, 40), yticks=(0, 12), yticklabels=("C", "c"))
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    axes[-1].set_xlabel("eighths; a line begins each bar")
    figure.suptitle("From one tune to another in the latent space")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("tunes", __doc__, argv, data=())
    n, n_test, epochs = (300, 100, 3) if chosen.quick else (4000, 1000, 14)
    rng = np.random.default_rng([chosen.seed, 1])
    tunes = [melodies.draw(rng) for _ in range(n + n_test)]
    rows = pad_sequences([melodies.as_words(notes) for notes in tunes], LENGTH)
    X_test, X = rows[:n_test], rows[n_test:]
    print(f"{n:,} tunes to train on, {n_test:,} new ones; {melodies.N_TOKENS} tokens")

    nats = -sum(melodies.log_p(notes) for notes in tunes[:n_test])
    table = [("the generator", float(np.exp(nats / (X_test > 0).sum())), *quality(tunes[:n_test]))]
    n_drawn = 100 if chosen.quick else 500

    def compare(name, perplexity, tokens):
        """Add a line to the table."""
        drawn = [melodies.as_notes(row) for row in tokens]
        table.append((name, perplexity, *quality([notes for notes in drawn if notes])))

    for order in (2, 3, 4):
        model = NGram(order, melodies.N_TOKENS).fit(X)
        drawn = model.sample(n_drawn, LENGTH, rng)
        compare(f"{order}-gram model", model.perplexity(X_test), drawn)
    with timed(f"LSTM without a code, {epochs} epochs"):
        alone = WriterAlone(melodies.N_TOKENS, LENGTH, EMBEDDING, HIDDEN, chosen.seed)
        alone.fit(X, epochs=epochs, batch_size=BATCH, lr=LR)
    compare("LSTM without a code", alone.perplexity(X_test), alone.sample(n_drawn, rng))
    vae = SequenceVAE(
        melodies.N_TOKENS, LENGTH, LATENT, (HIDDEN,), embedding_dim=EMBEDDING,
        word_dropout=DROPOUT, kl_warmup=epochs // 2, free_bits=FREE_BITS, seed=chosen.seed,
    )  # fmt: skip
    train("VAE", vae, X, lr=LR, epochs=epochs, batch_size=BATCH)
    drawn = vae.sample(n_drawn, seed=chosen.seed)
    compare("VAE (perplexity: of the bound)", vae.perplexity(X_test), drawn)
    compare("VAE, temperature 0.5", "-", vae.sample(n_drawn, seed=chosen.seed, temperature=0.5))
    show(("", "perplexity", "notes in one scale", "tunes with right rhythms"), table)
    kl = vae.elbo(X_test, split=True)[1].mean()
    print(f"KL {kl:.2f} nats; latents in use: {vae.active_units(X_test)} of {LATENT}")

    start, end = vae.encode(X_test[:2])
    path = start + np.linspace(0, 1, 5)[:, None] * (end - start)
    # Greedy decoding repeats itself, so the notes are drawn. Each step takes the same random
    # numbers, so that only the code changes.
    written = [vae.write(z[None], temperature=0.5, seed=chosen.seed)[0] for z in path]
    between = {f"step {i}": melodies.as_notes(row) for i, row in enumerate(written)}
    shown = {"from": tunes[0], **between, "to": tunes[1]}
    save(chosen.out, tunes=draw(shown))
    notes = [note for tune in shown.values() for note in tune]
    with atomic(chosen.out / "tunes.mid") as file:
        file.write(melodies.midi(notes))
    with atomic(chosen.out / "tunes.wav") as file:
        melodies.write_wav(file, notes)
    print(f"The same to hear: {chosen.out / 'tunes.mid'}, {chosen.out / 'tunes.wav'}")


# %%
if __name__ == "__main__":
    main()
