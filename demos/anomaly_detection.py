"""Anomaly detection: autoencoder and VAE beside PCA and the distance to the mean.

A model that has learned to reproduce normal samples reproduces strange ones badly: its loss is the
score, and no labels are needed but to judge it. Of digits of 8 x 8 pixels, each of the ten classes
in turn is the anomaly. In the built-in table, rows of 12 columns lie near a curved surface; in the
5 % that are anomalies every column by itself is as it should be, but they do not belong together.
The baselines are the squared distance to the mean, which needs no model and does well on many a
table, and PCA's squared error with as many components as the models have latents (a quarter of the
columns) and with twice as many. A VAE scores by its posterior's mean: nothing is drawn.

AUROC is the chance that an anomaly scores above a normal sample. "All rows" fits and judges the
whole table, as collections of outlier detectors have it. (Not so for digits: a whole class would be
learned like the others.) "New rows" fits half of the normal rows, and judges the other half and the
anomalies. There AnomalyDetector sets a threshold, by normal rows that it keeps from training; the
rate of false alarms that it expects stands beside the measured one, and the anomalies it found.
± is the standard deviation over the ten classes of digits, or over five seeds.

The digits' autoencoder, 64-32-16-32-64 with ReLU and a sigmoid, is trained on the cross-entropy,
which makes a poor score: a grey pixel costs its entropy however well it is reproduced, so that
what has much grey looks strange. The squared error of the same reconstructions has no such floor.
On the built-in digits it beats all baselines, and on the curved table by far. On MNIST's digits, as
small and as few, it does no better than PCA; on the three real tables better, but on two of them
not by much. The threshold promises a rate on average: where few rows set it, as with ionosphere's,
a single rate may be far from that.

    python demos/anomaly_detection.py                                  what is built in
    MINIAE_DATA=<folder> python demos/anomaly_detection.py --data all  the tables in anomaly/
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import Projection, images, options, save, show, timed
from outlier_tables import TABLES, curved_table, read_table

from miniae import VAE, Adam, AnomalyDetector, Autoencoder, GaussianNLL, metrics

ALARMS = 0.05
SIDE = 8  # pixels, of the small digits
SHOWN = "autoencoder, squared error"  # in the picture


# %%
class BySquaredError(Autoencoder):
    """An autoencoder that judges by the squared error, whatever the loss that it is trained on."""

    def anomaly_score(self, X):
        """Return the squared error of each row."""
        return ((self.reconstruct(X) - X) ** 2).sum(axis=1)


def judges(d, digits, seed=0):
    """Return new models for rows of d columns, by their names in the table."""
    size = {"input_dim": d, "latent_dim": d // 4, "seed": seed}
    baselines = {
        "squared distance to the mean": Projection(0),
        f"PCA error, {d // 4} components": Projection(d // 4),
        f"PCA error, {d // 2} components": Projection(d // 2),
    }
    if digits:
        noise = GaussianNLL(0.1, learn_sigma=True)
        return baselines | {
            "autoencoder, cross-entropy": Autoencoder(**size, hidden=(32,)),
            SHOWN: BySquaredError(**size, hidden=(32,)),
            "VAE": VAE(**size, hidden=(128,), activation="relu", likelihood=noise),
        }
    size |= {"hidden": (64,), "activation": "tanh"}
    return baselines | {
        SHOWN: Autoencoder(**size, loss="mse"),
        "VAE": VAE(**size, likelihood="gaussian"),
    }


def judge(name, X, y, seed, digits, epochs):
    """Return the figures of one class or seed, and what the picture needs."""

    def prepare(rows):
        """Return a new model, all rows in units of those it will fit, and options for its fit."""
        std = X[rows].std(axis=0)
        Z = X if digits else (X - X[rows].mean(axis=0)) / np.where(std > 0, std, 1)
        how = {"epochs": epochs, "batch_size": 64, "optimizer": Adam(3e-3), "verbose": 0}
        return judges(X.shape[1], digits, seed)[name], Z, how

    on_all = np.nan
    if not digits:
        model, Z, how = prepare(np.arange(len(X)))
        on_all = metrics.auroc(model.fit(Z, **how).anomaly_score(Z), y)
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    half = normal[: len(normal) // 2]
    model, Z, how = prepare(half)
    detector = AnomalyDetector(model, ALARMS).fit(Z[half], **how)
    rest = np.setdiff1d(np.arange(len(y)), half)
    scores, alarms, truth = detector.decision_function(Z[rest]), detector.predict(Z[rest]), y[rest]
    rates = detector.false_alarm_rate_, alarms[truth == 0].mean(), alarms[truth == 1].mean()
    figures = on_all, metrics.auroc(scores, truth), *(100 * rate for rate in rates)
    return figures, (detector, Z[rest], truth)


def compare(data, sets, digits, epochs):
    """Judge sets (X, y, seed), one per class or seed; return table rows and what to draw."""
    rows = []
    for name in judges(sets[0][0].shape[1], digits):
        with timed(f"{data}, {name}"):
            runs = [judge(name, X, y, seed, digits, epochs) for X, y, seed in sets]
        figures = np.array([figures for figures, _ in runs])
        both = zip(figures.mean(axis=0), figures.std(axis=0), (3, 3, 1, 1, 1), strict=True)
        cells = [f"{mean:.{k}f} ± {std:.{k}f}" for mean, std, k in both]
        cells[2] = cells[2].split()[0]  # what is expected is the same in every run
        rows.append((f"{data}: {name}", *("-" if "nan" in cell else cell for cell in cells)))
        if name == SHOWN:
            shown = runs[-1][1]
    return rows, shown


def draw(shown):
    """Draw the scores of the autoencoders with their thresholds; return the figure."""
    figure, axes = plt.subplots(1, len(shown), figsize=(4.2 * len(shown) + 0.6, 3.6),
                                squeeze=False, layout="constrained")  # fmt: skip
    for ax, (data, (detector, X, truth)) in zip(axes[0], shown.items(), strict=True):
        scores = detector.decision_function(X)
        bins = np.geomspace(scores.min(), scores.max(), 30)
        for kind, label in enumerate(("normal", "anomalies")):
            share = np.full(np.sum(truth == kind), 100 / np.sum(truth == kind))
            ax.hist(scores[truth == kind], bins, weights=share, alpha=0.6, label=label)
        ax.axvline(detector.threshold_, color="black", ls="--", label="threshold")
        ax.set(title=data, xlabel=SHOWN, ylabel="share of the rows (%)", xscale="log")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def small_digits(chosen, n):
    """Return n images as rows of SIDE x SIDE pixels, means over 3 x 3 (the border is paper)."""
    X, _, labels, _ = images(chosen, n, 1)
    blocks = X[:n, 2:26, 2:26].reshape(-1, SIDE, 3, SIDE, 3)
    return blocks.mean(axis=(2, 4)).reshape(-1, SIDE**2), labels[:n]


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=("digits", "mnist", "fashion", *TABLES, "all"))
    n, quick = (1, 0.1) if chosen.quick else (5, 1)
    seeds = range(n * chosen.seed, n * (chosen.seed + 1))
    if chosen.data in (*TABLES, "all"):
        names = TABLES if chosen.data == "all" else (chosen.data,)
        jobs = {name: ([(*read_table(name), s) for s in seeds], False, 50) for name in names}
    else:
        X, labels = small_digits(chosen, 3000)
        classes = range(9, 10) if chosen.quick else range(10)
        tables = [(*curved_table(2000, np.random.default_rng(s)), s) for s in seeds]
        jobs = {
            chosen.data: ([(X, (labels == k).astype(int), chosen.seed) for k in classes], True, 80),
            "curved table": (tables, False, 50),
        }
    rows, shown = [], {}
    for data, (sets, digits, epochs) in jobs.items():
        more, shown[data] = compare(data, sets, digits, round(quick * epochs))
        rows += more
    header = "AUROC, all rows", "new rows", "expected false alarms (%)", "measured", "found (%)"
    show(("", *header), rows)
    save(chosen.out, scores=draw(shown))


# %%
if __name__ == "__main__":
    main()
