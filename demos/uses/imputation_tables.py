# %% [markdown]
"""Imputation of real tables: column means, probabilistic PCA, neighbours, an autoencoder, VAEs.

    python demos/uses/imputation_tables.py           four tables, some five minutes

This demo needs scikit-learn, which has the tables: wine, breast cancer, diabetes and digits. In
each, 10, 30 or 50 % of the entries are hidden. Methods learn from two thirds of the rows and fill
in the others. The figure is the RMSE of hidden entries, in standard deviations of their columns.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Adam, Autoencoder, ColumnGaussianNLL, Masked, metrics
from miniae.proof.oracles import conditional_gaussian

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import incomplete_pca
from support.common import options, save, show, timed

TABLES = "wine", "breast_cancer", "diabetes", "digits"
SHARES = 10, 30, 50  # % of the entries that are hidden
BATCH = 64


# %%
def load(name):
    """Return a table of scikit-learn, its columns with mean 0 and variance 1."""
    from sklearn import datasets

    X = getattr(datasets, f"load_{name}")().data
    X = X[:, X.std(axis=0) > 0]  # some pixels of the digits are always 0
    return (X - X.mean(axis=0)) / X.std(axis=0)


def learn(model, X, quick):
    """Train a model for 250 epochs, or fewer if they are more than 2,000 steps."""
    epochs = 1 if quick else min(250, 2000 * BATCH // len(X))
    return model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=Adam(3e-3), verbose=0)


# %%
def fill(X, H, T, seed, quick):
    """Return the rows T with each NaN filled in, for each method, a dict.

    X : (n, columns), complete training rows, for the methods that say so
    H : the same with NaN where an entry is hidden, for the others
    """
    from sklearn.impute import KNNImputer

    d, mean = X.shape[1], np.nanmean(H, axis=0)
    latent, hidden, steps = max(2, d // 2), (64 if len(X) < 1000 else 128,), 10 if quick else 100
    filled = {"column means": np.where(np.isnan(T), mean, T)}
    m, C = incomplete_pca(H, latent, 2 if quick else 15)
    filled["probabilistic PCA"] = np.array([conditional_gaussian(m, C, row)[0] for row in T])
    filled["nearest neighbours"] = KNNImputer().fit(H).transform(T)
    plain = Autoencoder(d, max(2, d // 4), hidden, activation="tanh", loss="mse", seed=seed)
    filled["autoencoder, of complete rows"] = learn(plain, X, quick).impute(T, steps=steps)
    for rows, kind in ((X, "complete"), (H, "incomplete")):
        likelihood = Masked(ColumnGaussianNLL(np.ones(d), learn_sigma=True))
        vae = VAE(d, latent, hidden, likelihood=likelihood, seed=seed)
        filled[f"VAE, of {kind} rows"] = learn(vae, rows, quick).impute(T, steps=steps)
    return filled


def compare(X, share, seed, quick):
    """Return the RMSE of each method over the hidden entries of a third of the rows, a dict."""
    rng = np.random.default_rng([seed, share])
    X = rng.permutation(X)[: 90 if quick else None]
    H = np.where(rng.random(X.shape) < share / 100, np.nan, X)
    n = 2 * len(X) // 3
    filled = fill(X[:n], H[:n], H[n:], seed, quick)
    hidden = np.isnan(H[n:])
    return {k: metrics.rmse(np.where(hidden, F, np.nan), X[n:]) for k, F in filled.items()}


def draw(errors):
    """Draw the mean error of each method against the share of hidden entries, a panel a table."""
    figure, axes = plt.subplots(1, len(errors), figsize=(11, 3.6), layout="constrained")
    for ax, (name, by_share) in zip(axes, errors.items(), strict=True):
        for method in by_share[SHARES[0]]:
            ax.plot(SHARES, [by_share[share][method] for share in SHARES], marker="o", label=method)
        ax.set(title=name.replace("_", " "), xlabel="entries hidden (%)", xticks=SHARES)
    axes[0].set_ylabel("RMSE of hidden entries")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    seeds = (3, "seeds that each figure is a mean of")
    chosen = options("imputation_tables", __doc__, argv, data=(), seeds=seeds)
    errors = {}
    for name in TABLES:
        X, errors[name] = load(name), {}
        for share in SHARES:
            with timed(f"{name}, {share} %"):
                runs = [
                    compare(X, share, chosen.seed + i, chosen.quick) for i in range(chosen.seeds)
                ]
            errors[name][share] = {k: np.mean([run[k] for run in runs]) for k in runs[0]}
        rows = [(method, *(errors[name][s][method] for s in SHARES)) for method in runs[0]]
        show((f"{name.replace('_', ' ')}, RMSE", *(f"{s} %" for s in SHARES)), rows, digits=3)
    save(chosen.out, errors=draw(errors))


# %%
if __name__ == "__main__":
    main()
