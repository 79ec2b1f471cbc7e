# %% [markdown]
"""Sequence or window: an LSTM autoencoder of a signal against a dense one.

    python demos/uses/signals.py             one seed, under a minute
    python demos/uses/signals.py --seeds 3   seeds 0, 1, 2

Both are fitted to the same windows of a normal periodic signal, with codes of the same size, and
tested on a signal with faults of five kinds, as in time_series.py. The LSTM reads a window in
order, a few samples at a step, and its decoder writes the window in order. The baselines are PCA,
the distance to the mean window, and the largest |z| in the window.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from miniae import Autoencoder, Dense, Sequential, metrics
from miniae.recurrent import LSTM
from miniae.steps import Repeat, TimeDistributed

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import LargestZ, Projection
from support.beats import KINDS, beats
from support.common import options, save, show, train

STEPS, SAMPLES = 8, 8  # steps of a window, samples of a step
WIDTH, UNITS, CODE, LARGER = STEPS * SAMPLES, 64, 4, 20
LSTM_NAME, DENSE_NAME = f"LSTM, code of {CODE}", f"dense, code of {CODE}"


# %%
def sequence_autoencoder(seed):
    """Return an autoencoder of sequences (n, STEPS, SAMPLES).

    The encoder's last state becomes the code. The decoder reads the code at each step.
    """
    encoder = Sequential(LSTM(SAMPLES, UNITS), Dense(UNITS, CODE))
    decoder = Sequential(
        Repeat(STEPS),
        LSTM(CODE, UNITS, return_sequences=True),
        TimeDistributed(Dense(UNITS, SAMPLES)),
    )
    shape = (STEPS, SAMPLES)
    return Autoencoder(shape, CODE, encoder=encoder, decoder=decoder, loss="mse", seed=seed)


def fitted(X, seed, epochs):
    """Return the two autoencoders and the baselines by name, fitted to windows X."""
    dense = Autoencoder(WIDTH, CODE, (128, 64), loss="mse", seed=seed)
    sequence = sequence_autoencoder(seed)
    train(f"seed {seed}: dense", dense, X, lr=2e-3, epochs=2 * epochs)
    train(f"seed {seed}: LSTM", sequence, in_steps(X), lr=4e-3, epochs=epochs)
    models = {LSTM_NAME: sequence, DENSE_NAME: dense}
    models.update((f"PCA, code of {k}", Projection(k).fit(X)) for k in (CODE, LARGER))
    models["squared distance to the mean"] = Projection(0).fit(X)
    return {**models, "largest |z| in the window": LargestZ().fit(X)}


def in_steps(X):
    """Windows (n, WIDTH) -> sequences (n, STEPS, SAMPLES)."""
    return np.reshape(X, (len(X), STEPS, SAMPLES))


def draw(x, faults, scores):
    """Draw a signal with its faults, and two scores of its windows; return the figure."""
    figure, axes = plt.subplots(3, sharex=True, figsize=(8, 6), layout="constrained")
    axes[0].plot(x, "k", lw=0.6)
    axes[0].margins(y=0.25)
    axes[0].set(title="A signal and its faults", ylabel="signal")
    for kind, here in zip(KINDS, faults, strict=False):
        place = {"x": (here.start + here.stop) / 2, "y": 0.96, "ha": "center", "va": "top"}
        axes[0].text(s=kind, transform=axes[0].get_xaxis_transform(), **place)
        for ax in axes:
            ax.axvspan(here.start - 3, here.stop + 3, color="tab:red", alpha=0.2, lw=0)
    for ax, name in zip(axes[1:], (LSTM_NAME, DENSE_NAME), strict=True):
        ax.semilogy(np.arange(len(scores[name])) + WIDTH / 2, scores[name], lw=0.8)
        ax.set(ylabel="squared error", title=f"score of windows: {name}")
    axes[2].set(xlabel="time (samples); the score of a window is drawn at its middle")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    n_seeds = (1, "number of seeds, from --seed on")
    chosen = options("signals", __doc__, argv, data=(), seeds=n_seeds)
    n, each, epochs = (8000, 1, 1) if chosen.quick else (80_000, 10, 20)
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    areas, sizes, shown = {}, {}, {}
    for seed in seeds:
        rng, kinds = np.random.default_rng(seed), np.array(KINDS * each)
        normal, _ = beats(n, rng)
        test, faults = beats(500 * len(kinds) + 200, rng, kinds)
        X, X_test = (sliding_window_view(x, WIDTH) for x in (normal, test))
        start = np.arange(len(X_test))
        strange = np.any([(f.start - WIDTH < start) & (start < f.stop) for f in faults], axis=0)
        for name, model in fitted(X[::4], seed, epochs).items():
            scores = model.anomaly_score(in_steps(X_test) if name == LSTM_NAME else X_test)
            areas.setdefault(name, []).append(metrics.auroc(scores, strange.astype(int)))
            sizes[name] = model.theta.size if name in (LSTM_NAME, DENSE_NAME) else "-"
            if seed == chosen.seed:
                shown[name] = scores[: 2700 - WIDTH + 1]
        if seed == chosen.seed:
            figure = draw(test[:2700], faults, shown)
    header = ("AUROC of windows with faults", "parameters", *(f"seed {seed}" for seed in seeds))
    show(header, [(name, sizes[name], *values) for name, values in areas.items()], digits=3)
    save(chosen.out, signals=figure)


# %%
if __name__ == "__main__":
    main()
