"""Anomaly detection: autoencoder and VAE beside neighbours, PCA and the distance to the mean.

A model that has learned to reproduce normal samples reproduces strange ones badly: its loss is the
score, and no labels are needed but to judge it. Of digits of 8 x 8 pixels, each of the ten classes
in turn is the anomaly. In the built-in table, rows of 12 columns lie near a curved surface; in the
5 % that are anomalies every column by itself is as it should be, but they do not belong together.
There are three baselines. The squared distance to the mean does well on many a table. PCA's squared
error is given an advantage: of seven numbers of components the best one is taken in hindsight, by
the labels. The distance to the 5th nearest row needs no training.

AUROC is the chance that an anomaly scores above a normal sample. "All rows" fits and judges the
whole table, as collections of outlier detectors have it. (Not so for digits: a whole class would be
learned like the others.) "New rows" fits half of the normal rows, and judges the other half and the
anomalies. There AnomalyDetector sets a threshold, by normal rows that it keeps from training; the
rate of false alarms that it expects stands beside the measured one, and the anomalies it found.
± is the standard deviation over the ten classes of digits, or over five seeds; the picture has the
last of them.

The digits' autoencoder is trained on the cross-entropy and judges by the squared error: a grey
pixel costs its entropy however well it is reproduced, so that what has much grey would look
strange. On the built-in digits it beats PCA at its best, and is about as good as the neighbours. On
the curved table it beats PCA too, but the neighbours, without any training, find nearly all. On new
rows of both the VAE is behind the autoencoder, and of the curved table behind PCA. On MNIST's
digits, as small and as few, PCA at its best is ahead of autoencoder and VAE.

On the three real tables no judge always wins. On vowels the autoencoder is behind the neighbours,
and PCA at its best; on new rows of letter it beats both; on those of ionosphere the four that use
more than the mean are nearly alike. The VAE is behind PCA at its best on new rows of vowels and
letter. The threshold promises a rate on average: where few rows set it, as with ionosphere's, a
single rate may be far from that.

    python demos/anomaly_detection.py                                  what is built in
    MINIAE_DATA=<folder> python demos/anomaly_detection.py --data all  the tables in anomaly/
"""

# %%
import copy

import matplotlib.pyplot as plt
import numpy as np
from common import Projection, images, options, save, show, timed
from matplotlib.ticker import LogLocator
from outlier_tables import TABLES, curved_table, read_table

from miniae import VAE, Adam, AnomalyDetector, Autoencoder, GaussianNLL, metrics

ALARMS = 0.05
DIGITS, SIDE = ("digits", "mnist"), 8  # pixels


# %%
class BySquaredError(Autoencoder):
    """An autoencoder that judges by the squared error, whatever the loss that it is trained on."""

    def anomaly_score(self, X):
        """Return the squared error of each row."""
        return ((self.reconstruct(X) - X) ** 2).sum(axis=1)


class Neighbours:
    """Judges by the distance to the 5th nearest of the rows it has seen; needs no training."""

    def fit(self, X, **options):
        """Keep the rows."""
        self.rows = X
        return self

    def anomaly_score(self, X):
        """Return the distance of each row; a row that was kept is no neighbour of its own."""
        squares = (X**2).sum(axis=1)[:, None] - 2 * X @ self.rows.T + (self.rows**2).sum(axis=1)
        if X is self.rows:
            np.fill_diagonal(squares, np.inf)
        return np.sqrt(np.maximum(np.partition(squares, 4)[:, 4], 0))


def judges(d, digits, seed=0):
    """Return new models for rows of d columns, by their names in the table; of PCA, seven sizes."""
    size = {"input_dim": d, "latent_dim": d // 4, "seed": seed}
    if digits:
        autoencoder = BySquaredError(**size, hidden=(32,))
        noise = GaussianNLL(0.1, learn_sigma=True)
        vae = VAE(**size, hidden=(128,), activation="relu", likelihood=noise)
    else:
        size |= {"hidden": (64,), "activation": "tanh"}
        autoencoder, vae = Autoencoder(**size, loss="mse"), VAE(**size, likelihood="gaussian")
    return {
        "squared distance to the mean": [Projection(0)],
        "PCA error, best of 7 sizes": [Projection(i * d // 8) for i in range(1, 8)],
        "distance to the 5th nearest": [Neighbours()],
        "autoencoder, squared error": [autoencoder],
        "VAE, negative ELBO": [vae],
    }


def judge(models, X, y, seed, digits, epochs):
    """Return the best model's figures on one class or seed, and what the picture needs."""

    def in_units_of(rows):
        std = X[rows].std(axis=0)
        return X if digits else (X - X[rows].mean(axis=0)) / np.where(std > 0, std, 1)

    def fit(model, rows):
        adam = Adam(3e-3)
        return model.fit(rows, epochs=epochs, batch_size=64, optimizer=adam, verbose=0)

    on_all = np.nan
    if not digits:
        Z = in_units_of(np.arange(len(X)))
        fitted = (fit(copy.deepcopy(model), Z) for model in models)
        on_all = max(metrics.auroc(model.anomaly_score(Z), y) for model in fitted)
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    half = normal[: len(normal) // 2]
    rest = np.setdiff1d(np.arange(len(y)), half)
    Z, truth = in_units_of(half), y[rest]
    detectors = [fit(AnomalyDetector(model, ALARMS), Z[half]) for model in models]
    scores = [detector.decision_function(Z[rest]) for detector in detectors]
    on_new, best = max((metrics.auroc(s, truth), i) for i, s in enumerate(scores))
    detector, alarms = detectors[best], detectors[best].predict(Z[rest])
    rates = detector.false_alarm_rate_, alarms[truth == 0].mean(), alarms[truth == 1].mean()
    figures = on_all, on_new, *(100 * rate for rate in rates)
    return figures, (scores[best], detector.threshold_, truth)


def compare(data, sets, share):
    """Judge sets (X, y, seed), one per class or seed; return table rows and what to draw."""
    rows, d, digits = [], sets[0][0].shape[1], data in DIGITS
    epochs = round(share * (80 if digits else 50))
    for name in judges(d, digits):
        with timed(f"{data}, {name}"):
            runs = [judge(judges(d, digits, s)[name], X, y, s, digits, epochs) for X, y, s in sets]
        figures = np.array([figures for figures, _ in runs])
        both = zip(figures.mean(axis=0), figures.std(axis=0), (3, 3, 1, 1, 1), strict=True)
        cells = [f"{mean:.{k}f} ± {std:.{k}f}" for mean, std, k in both]
        cells[2] = cells[2].split()[0]  # what is expected is the same in every run
        rows.append((f"{data}: {name}", *("-" if "nan" in cell else cell for cell in cells)))
        if name.startswith("autoencoder"):
            shown = runs[-1][1]
    return rows, shown


def draw(shown):
    """Draw the scores of the autoencoders with their thresholds; return the figure."""
    figure, axes = plt.subplots(1, len(shown), figsize=(4.2 * len(shown) + 0.6, 3.6),
                                squeeze=False, layout="constrained")  # fmt: skip
    for ax, (data, (scores, threshold, truth)) in zip(axes[0], shown.items(), strict=True):
        bins = np.geomspace(scores.min(), scores.max(), 30)
        for kind, label in enumerate(("normal", "anomalies")):
            share = np.full(np.sum(truth == kind), 100 / np.sum(truth == kind))
            ax.hist(scores[truth == kind], bins, weights=share, alpha=0.6, label=label)
        ax.axvline(threshold, color="black", ls="--", label="threshold")
        units = "pixels from 0 to 1" if data in DIGITS else "columns of variance 1"
        ax.set(title=data, xlabel=f"autoencoder's squared error ({units})")
        ax.set(ylabel="share of the rows (%)", xscale="log")
        ax.minorticks_off()
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        ax.xaxis.set_major_formatter("{x:g}")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def small_digits(chosen, n):
    """Return n images of digits as rows of SIDE x SIDE pixels, means over 3 x 3.

    The two outermost pixels are cut off: of digits, nearly all are empty.
    """
    X, _, labels, _ = images(chosen, n, 1, quick=(300, 1))
    blocks = X[:n, 2:26, 2:26].reshape(-1, SIDE, 3, SIDE, 3)
    return blocks.mean(axis=(2, 4)).reshape(-1, SIDE**2), labels[:n]


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=(*DIGITS, *TABLES, "all"))
    n, n_rows, share = (1, 200, 0.1) if chosen.quick else (5, 2000, 1)
    seeds = range(n * chosen.seed, n * (chosen.seed + 1))
    if chosen.data in DIGITS:
        X, labels = small_digits(chosen, 3000)
        classes = range(9, 10) if chosen.quick else range(10)
        jobs = {chosen.data: [(X, (labels == k).astype(int), chosen.seed) for k in classes]}
        curved = ((*curved_table(n_rows, np.random.default_rng(s)), s) for s in seeds)
        jobs["curved table"] = list(curved)
    else:
        names = TABLES if chosen.data == "all" else (chosen.data,)
        jobs = {name: [(*read_table(name), s) for s in seeds] for name in names}
    found = {data: compare(data, sets, share) for data, sets in jobs.items()}
    header = "AUROC, all rows", "new rows", "expected false alarms (%)", "measured", "found (%)"
    show(("", *header), [row for rows, _ in found.values() for row in rows])
    save(chosen.out, scores=draw({data: shown for data, (_, shown) in found.items()}))


# %%
if __name__ == "__main__":
    main()
