# %% [markdown]
"""Find where a signal is strange: an autoencoder of its windows, and their score over time.

    python demos/uses/time_series.py

An autoencoder is fitted to windows of a normal periodic signal. It is tested on a signal with
faults of five kinds; the score of a window is its squared error. The baselines are PCA, the
distance to the mean window, and the largest |z| in the window. The second table is of a normal
signal that slowly grows, with a fixed threshold and with one that rolls with the scores. The third
table and the second picture are of a real EEG recording that comes with matplotlib.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.lib.stride_tricks import sliding_window_view

from miniae import AnomalyDetector, Autoencoder, metrics
from miniae.scores import rolling_threshold

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import LargestZ, Projection
from support.beats import KINDS, beats
from support.common import options, save, show, train

WIDTH, CODE, LARGER = 64, 4, 20
RATE, GROWTH, MEMORY = 0.01, 0.5, 400  # false alarms; of a growing signal; windows
EEG_CHANNELS, EEG_RATE, EEG_WIDTH = ("PG3", "PG5", "PG7", "PG9"), 80, 32  # samples/s, samples


# %%
def fitted(X, seed, epochs):
    """Return the autoencoder and the baselines by name, fitted to windows X."""
    model = Autoencoder(X.shape[1], CODE, (128, 64), loss="mse", seed=seed)
    train(f"autoencoder on {len(X):,} windows", model, X, lr=2e-3, epochs=epochs)
    models = {f"autoencoder, code of {CODE}": model}
    models.update((f"PCA, code of {k}", Projection(k).fit(X)) for k in (CODE, LARGER))
    models["squared distance to the mean"] = Projection(0).fit(X)
    return {**models, "largest |z| in the window": LargestZ().fit(X)}


def draw(t, x, width, detectors, faults=()):
    """Draw a signal with its faults, and two scores with their alarms; return figure and axes."""
    figure, axes = plt.subplots(3, sharex=True, figsize=(8, 6), layout="constrained")
    axes[0].plot(t, x, "k", lw=0.6)
    axes[0].margins(y=0.25)
    for kind, here in zip(KINDS, faults, strict=False):
        place = {"x": (here.start + here.stop) / 2, "y": 0.96, "ha": "center", "va": "top"}
        axes[0].text(s=kind, transform=axes[0].get_xaxis_transform(), **place)
        for ax in axes:
            ax.axvspan(here.start - 3, here.stop + 3, color="tab:red", alpha=0.2, lw=0)
    middle = sliding_window_view(t, width).mean(axis=1)
    for ax, (name, detector) in zip(axes[1:], detectors.items(), strict=False):
        scores = detector.decision_function(sliding_window_view(x, width))
        alarms = np.where(scores > detector.threshold_, scores, np.nan)
        ax.semilogy(middle, scores, lw=0.8)
        ax.semilogy(middle, alarms, lw=2, label="alarm")
        ax.axhline(detector.threshold_, color="k", ls=":", lw=1, label="threshold")
        ax.set(ylabel="squared error", title=f"score of windows: {name}")
    lines = axes[1].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower right", ncols=2, frameon=False)
    return figure, axes


def made_up_signal(seed, n, each, epochs):
    """Print how each score does on a signal with `each` faults of each kind; return the figure."""
    rng, kinds = np.random.default_rng(seed), np.array(KINDS * each)
    (train, _), (normal, _) = beats(n, rng), beats(n, rng)
    test, faults = beats(500 * len(kinds) + 200, rng, kinds)
    X, X_normal, X_test = (sliding_window_view(x, WIDTH) for x in (train, normal, test))
    start = np.arange(len(X_test))
    touched = np.array([(f.start - WIDTH < start) & (start < f.stop) for f in faults])
    strange, rows, drift, detectors = touched.any(axis=0), [], [], {}
    growing = beats(n, rng)[0] * np.linspace(1, 1 + GROWTH, n)
    X_growing = sliding_window_view(growing, WIDTH)[::WIDTH]
    memory = min(MEMORY, len(X_growing) // 2)
    for name, model in fitted(X[::4], seed, epochs).items():
        detector = AnomalyDetector(model, RATE, holdout=0).fit(X_normal[::WIDTH], epochs=0)
        area = metrics.auroc(detector.decision_function(X_test), strange.astype(int))
        alarms = detector.predict(X_test) == 1
        found = (touched & alarms).any(axis=1)
        counts = [int(found[kinds == kind].sum()) for kind in KINDS]
        rows.append((name, area, *counts, f"{alarms[~strange].mean():.1%}"))
        detectors[name] = detector
        scores = detector.decision_function(X_growing)
        rolling = (scores > rolling_threshold(scores, memory, RATE))[memory:]
        drift.append((name, f"{detector.predict(X_growing).mean():.1%}", f"{rolling.mean():.1%}"))
    show((f"faults found, of {each} each", "AUROC", *KINDS, "false alarms"), rows, digits=3)
    show(("false alarms, growing signal", "fixed threshold", "rolling threshold"), drift)
    figure, axes = draw(np.arange(2700), test[:2700], WIDTH, detectors, faults)
    axes[0].set(title="A signal and its faults", ylabel="signal")
    axes[2].set(xlabel="time (samples); the score of a window is drawn at its middle")
    return figure


def recording(x, seed, epochs):
    """Print and draw where each score is highest in the second half of a recording."""
    first, second = (sliding_window_view(h, EEG_WIDTH, axis=0) for h in np.split(x, 2))
    rows, detectors, t = [], {}, np.arange(len(x)) / EEG_RATE
    for name, model in fitted(first.reshape(-1, EEG_WIDTH), seed, epochs).items():
        detectors[name] = detector = AnomalyDetector(model, 0.05, holdout=0)
        scores = detector.fit(second.reshape(-1, EEG_WIDTH), epochs=0).decision_scores_
        peaks = scores.reshape(second.shape[:2]).argmax(axis=0) + (len(x) + EEG_WIDTH) // 2
        rows.append((name, scores.mean(), *t[peaks]))
    header = ("mean error", *(f"{c}: peak (s)" for c in EEG_CHANNELS))
    show(("EEG, second half", *header), rows, digits=1)
    late = len(x) // 2
    figure, axes = draw(t[late:], x[late:, 0], EEG_WIDTH, detectors)
    axes[0].set(title=f"EEG, electrode {EEG_CHANNELS[0]}", ylabel="signal (std. dev.)")
    axes[2].set(xlabel="time (s); the score of a window is drawn at its middle")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("time_series", __doc__, argv, data=())
    n, each, epochs = (8000, 1, 2) if chosen.quick else (80_000, 10, 40)
    with get_sample_data("eeg.dat") as file:
        x = np.frombuffer(file.read(), "<f8").reshape(800, len(EEG_CHANNELS))
    scores = made_up_signal(chosen.seed, n, each, epochs)
    save(chosen.out, scores=scores, eeg=recording(x, chosen.seed, epochs))


# %%
if __name__ == "__main__":
    main()
