# %% [markdown]
"""Anomaly detection: an autoencoder and a VAE, compared with neighbours and PCA.

    python demos/anomaly_detection.py                                  built-in data
    MINIAE_DATA=<folder> python demos/anomaly_detection.py --data all  three tables in anomaly/
    MINIAE_DATA=<folder> python demos/anomaly_detection.py --data folder  every table, no tuning

A model that has learned to reproduce normal samples reproduces strange ones badly, so its loss is a
score; labels are used only to measure how good the score is. AUROC is the probability that an
anomaly scores above a normal sample. "All rows" fits the whole table and scores it. "New rows" fits
half of the normal rows and scores the other half and the anomalies. With "--data folder" there is
another table: 60 % of the rows, with their anomalies, are for training, and the rest is scored.
"""

# %%
import contextlib
import copy
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator

from miniae import VAE, Adam, AnomalyDetector, Autoencoder, GaussianNLL, metrics, suggest

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import Projection
from support.common import images, options, save, show, timed

ALARMS = 0.05
DIGITS, SIDE = ("digits", "mnist"), 8  # pixels


TABLES = ("vowels", "letter", "ionosphere")  # from the ODDS collection of outlier data


def read_table(name):
    """Return X (n, d) and y (n,), 1 for outliers, of $MINIAE_DATA/anomaly/NAME.npz.

    Columns with at most two values are left out: they are flags, not measurements. (The flag of
    ionosphere is 0 in outliers only.)

    Raises
    ------
    FileNotFoundError, ValueError : the message has the file, the fault, and what the file must hold
    """
    path = Path(os.environ.get("MINIAE_DATA", "."), "anomaly", f"{name}.npz")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: it must be an .npz with arrays X and y")
    if not path.exists():
        raise FileNotFoundError(f"{path} not found: set MINIAE_DATA=<folder> that has anomaly/")
    try:
        with np.load(path, allow_pickle=False) as file:
            X, y = file["X"], file["y"].ravel()
    except Exception as error:
        raise ValueError(f"{path} must be an .npz with arrays X and y ({error})") from None
    if X.ndim != 2 or X.dtype.kind not in "iuf" or len(X) != len(y) or not X.size:
        raise ValueError(f"{path}: X {X.dtype}{X.shape} must be numbers (n, d), y {y.shape} (n,)")
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(
            f"{path}: X[{row}, {column}] is {X[row, column]}, not a finite number: "
            "drop that row or fill it in"
        )
    if not (np.isin(y, (0, 1)).all() and 0 < y.sum() < len(y) / 2):
        raise ValueError(f"{path}: y must be 0 or 1, with some ones (outliers), but less than half")
    X = X[:, [len(np.unique(column)) > 2 for column in X.T]]
    if X.shape[1] < 4:
        raise ValueError(
            f"{path}: X has {X.shape[1]} columns with more than two values; 4 are needed"
        )
    return X.astype(float), y.astype(int)


def curved_table(n, rng):
    """Return n rows near a curved surface, and y, which is 1 for the first n / 20, the anomalies.

    In the anomalies the values of each column are shuffled: each value is a normal one, but the
    values of a row do not belong together.
    """
    X = np.sin(3 * rng.uniform(-1, 1, (n, 2)) @ rng.standard_normal((2, 12)) + 6 * rng.random(12))
    X[: n // 20] = rng.permuted(X[: n // 20], axis=0)
    return X + 0.1 * rng.standard_normal(X.shape), (np.arange(n) < n // 20).astype(int)


# %%
class BySquaredError(Autoencoder):
    """An autoencoder whose score is the squared error, whatever loss it is trained on.

    For digits it is trained on the cross-entropy. That is no good score: a grey pixel has a large
    cross-entropy even if it is reproduced perfectly, so images with much grey would look strange.
    """

    def anomaly_score(self, X):
        """Return the squared error of each row."""
        return ((self.reconstruct(X) - X) ** 2).sum(axis=1)


class Neighbours:
    """The score is the distance to the 5th nearest of the rows seen; there is no training."""

    def fit(self, X, **options):
        """Keep the rows."""
        self.rows = X
        return self

    def anomaly_score(self, X):
        """Return the distance of each row. A row that was kept is not its own neighbour."""
        squares = (X**2).sum(axis=1)[:, None] - 2 * X @ self.rows.T + (self.rows**2).sum(axis=1)
        if X is self.rows:
            np.fill_diagonal(squares, np.inf)
        return np.sqrt(np.maximum(np.partition(squares, 4)[:, 4], 0))


def new_models(d, digits, seed=0):
    """Return lists of new models for rows of d columns, by their names in the table.

    PCA has seven sizes, of which the best is chosen in hindsight: an advantage for this baseline.
    """
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


def evaluate(models, X, y, seed, digits, epochs):
    """Fit the models to one data set, and evaluate the best of them.

    Returns
    -------
    results : AUROC on all rows, AUROC on new rows; false alarms expected, false alarms measured,
        and anomalies found, in per cent
    shown : scores, threshold and truth, for the picture
    """

    def standardised(rows):
        """Return X with the columns of these rows at mean 0 and variance 1; digits as they are."""
        std = X[rows].std(axis=0)
        return X if digits else (X - X[rows].mean(axis=0)) / np.where(std > 0, std, 1)

    def fit(model, rows):
        adam = Adam(3e-3)
        return model.fit(rows, epochs=epochs, batch_size=64, optimizer=adam, verbose=0)

    on_all = np.nan
    if not digits:
        Z = standardised(np.arange(len(X)))
        fitted = (fit(copy.deepcopy(model), Z) for model in models)
        on_all = max(metrics.auroc(model.anomaly_score(Z), y) for model in fitted)
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    half = normal[: len(normal) // 2]
    rest = np.setdiff1d(np.arange(len(y)), half)
    Z, truth = standardised(half), y[rest]
    detectors = [fit(AnomalyDetector(model, ALARMS), Z[half]) for model in models]
    scores = [detector.decision_function(Z[rest]) for detector in detectors]
    on_new, best = max((metrics.auroc(s, truth), i) for i, s in enumerate(scores))
    detector, alarms = detectors[best], detectors[best].predict(Z[rest])
    rates = detector.false_alarm_rate_, alarms[truth == 0].mean(), alarms[truth == 1].mean()
    results = on_all, on_new, *(100 * rate for rate in rates)
    return results, (scores[best], detector.threshold_, truth)


def compare(data, sets, share):
    """Evaluate all models on sets (X, y, seed); return the rows of the table and what to draw."""
    rows, d, digits = [], sets[0][0].shape[1], data in DIGITS
    epochs = round(share * (80 if digits else 50))
    for name in new_models(d, digits):
        with timed(f"{data}, {name}"):
            runs = [
                evaluate(new_models(d, digits, s)[name], X, y, s, digits, epochs)
                for X, y, s in sets
            ]
        results = np.array([results for results, _ in runs])
        both = zip(results.mean(axis=0), results.std(axis=0), (3, 3, 1, 1, 1), strict=True)
        cells = [f"{mean:.{k}f} ± {std:.{k}f}" for mean, std, k in both]
        cells[2] = cells[2].split()[0]  # the expected rate is the same in every run
        rows.append((f"{data}: {name}", *("-" if "nan" in cell else cell for cell in cells)))
        if name.startswith("autoencoder"):
            shown = runs[-1][1]
    return rows, shown


class Mahalanobis:
    """The score is the squared distance to the mean in units of the covariance."""

    def fit(self, X):
        """Find the mean and the inverse of the covariance."""
        self.mean = X.mean(axis=0)
        self.inverse = np.linalg.pinv(np.cov(X.T) + 1e-6 * np.eye(X.shape[1]))
        return self

    def anomaly_score(self, X):
        """Return the squared distance of each row."""
        rows = X - self.mean
        return (rows @ self.inverse * rows).sum(axis=1)


def recipes(X, seed, epochs):
    """Return functions that score new rows, by name; each is fitted to the rows X as they are.

    The models have the settings of `suggest`, for any table: nothing is tuned. "AnomalyDetector()"
    keeps a fifth of the rows for its threshold, the other two do not.
    """
    mean, std = X.mean(axis=0), X.std(axis=0)
    std = np.where(std > 1e-9, std, 1)
    Z = (X - mean) / std
    S = np.linalg.svd(Z - Z.mean(axis=0), compute_uv=False) ** 2
    k = 1 + int((np.cumsum(S) < 0.9 * S.sum()).sum())  # components with 90 % of the variance
    simple = {
        "squared distance to the mean": Projection(0),
        "Mahalanobis distance": Mahalanobis(),
        "PCA error, 90 % of the variance": Projection(k),
        "distance to the 5th nearest": Neighbours(),
    }
    found = {}
    for name, method in simple.items():
        method.fit(Z)
        found[name] = lambda rows, method=method: method.anomaly_score((rows - mean) / std)
    with contextlib.suppress(ImportError):
        from sklearn.ensemble import IsolationForest

        forest = IsolationForest(random_state=seed).fit(X)
        found["isolation forest (scikit-learn)"] = lambda rows: -forest.score_samples(rows)
    for kind in ("Autoencoder", "VAE"):
        chosen = suggest(X, "anomaly", model=kind)
        detector = AnomalyDetector(chosen.build(seed=seed), holdout=0, trim=0.2)
        arguments = {**chosen.fit_arguments, **epochs, "verbose": 0}
        detector.fit(chosen.prepare(X), **arguments)
        found[f"{kind}, suggested, trimmed"] = lambda rows, detector=detector, chosen=chosen: (
            detector.decision_function(chosen.prepare(rows))
        )
    found["AnomalyDetector()"] = AnomalyDetector().fit(X, **epochs).decision_function
    return found


def compare_folder(n_seeds, epochs):
    """Print the AUROC on 40 % of the rows of every table in the folder, mean over the seeds."""
    folder = Path(os.environ.get("MINIAE_DATA", "."), "anomaly")
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"no tables in {folder}: set MINIAE_DATA=<folder> with anomaly/")
    areas = {}
    for path in paths:
        with timed(path.stem), np.load(path, allow_pickle=False) as file:
            X, y = file["X"].astype(float), file["y"].ravel().astype(int)
            for seed in range(n_seeds):
                order = np.random.default_rng(seed).permutation(len(X))
                train, test = np.split(order, [int(0.6 * len(X))])
                for name, score in recipes(X[train], seed, epochs).items():
                    area = metrics.auroc(score(X[test]), y[test])
                    areas.setdefault(name, {}).setdefault(path.stem, []).append(area)
    rows = []
    for name, by_table in areas.items():
        means = [float(np.mean(area)) for area in by_table.values()]
        rows.append((name, *means, float(np.mean(means))))
    show(("AUROC, new rows", *(path.stem for path in paths), "mean"), rows, digits=3)


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
    """Return n images of digits as rows of SIDE x SIDE pixels, each a mean over 3 x 3 pixels.

    The outer two rows and columns, which are nearly always empty, are cut off.
    """
    X, _, labels, _ = images(chosen, n, 1, quick=(300, 1))
    blocks = X[:n, 2:26, 2:26].reshape(-1, SIDE, 3, SIDE, 3)
    return blocks.mean(axis=(2, 4)).reshape(-1, SIDE**2), labels[:n]


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("anomaly_detection", __doc__, argv, data=(*DIGITS, *TABLES, "all", "folder"))
    if chosen.data == "folder":
        compare_folder(*((1, {"epochs": 1}) if chosen.quick else (5, {})))
        return
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
