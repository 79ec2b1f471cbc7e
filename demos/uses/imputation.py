# %% [markdown]
"""Imputation: missing entries filled in by a VAE, an autoencoder, PCA, and the exact answer.

    python demos/uses/imputation.py                  built-in digits, under a minute
    python demos/uses/imputation.py --data mnist     4,000 images of MNIST

In a table with Gaussian rows, 10, 30 or 50 % of the entries are missing. The exact answer is the
conditional Gaussian. In digits, a block of 14 x 14 pixels is missing. The VAE gives a best guess
and 19 draws. The last column counts how often the truth lies within the draws; 90 % is right.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import VAE, Autoencoder, BernoulliNLL, GaussianNLL, Masked, metrics
from miniae.proof.oracles import ProbabilisticPCA, conditional_gaussian

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import draw_rows, images, options, save, show, timed, train

COLUMNS, FACTORS, SIGMA = 12, 3, 0.5
PPCA = "probabilistic PCA, 3 and 20", "probabilistic PCA, 6 and 100"  # components
DRAWS, PICTURED = 19, 10


# %%
def gaussian_table(n, rng):
    """Return n rows of a linear-Gaussian model, means 0 and variances 1, and their covariance."""
    W = rng.standard_normal((FACTORS, COLUMNS))
    W *= np.sqrt((1 - SIGMA**2) / (W**2).sum(axis=0))
    X = rng.standard_normal((n, FACTORS)) @ W + SIGMA * rng.standard_normal((n, COLUMNS))
    return X, W.T @ W + SIGMA**2 * np.eye(COLUMNS)


def at_random(share):
    """Return a function that removes a share of the entries."""
    return lambda X, rng: np.where(rng.random(X.shape) < share, np.nan, X)


def block(X, rng, side=14):
    """Return images (n, 784) without a block of pixels; the outer two rows and columns stay."""
    corner = rng.integers(2, 27 - side, (2, len(X), 1))
    rows, columns = ((np.arange(28) >= c) & (np.arange(28) < c + side) for c in corner)
    return np.where((rows[:, :, None] & columns[:, None]).reshape(X.shape), np.nan, X)


def most_likely(model, H):
    """Fill in the conditional mean of a ProbabilisticPCA.

    It is z W + mean, where z is the posterior mean given the observed entries of the row.
    """
    F = np.where(np.isnan(H), model.mean_, H)
    for row, gone in zip(F, np.isnan(H), strict=True):
        W = model.W_[:, ~gone]
        M = W @ W.T + model.sigma2_ * np.eye(len(W))
        row[gone] += np.linalg.solve(M, W @ (row - model.mean_)[~gone]) @ model.W_[:, gone]
    return F


def exact(covariance, H, rng):
    """Return the conditional mean of each row, and draws from the conditional Gaussian."""
    filled, draws = H.copy(), np.repeat(H[None], DRAWS, axis=0)
    for i in np.flatnonzero(np.isnan(H).any(axis=1)):
        filled[i], spread = conditional_gaussian(np.zeros(COLUMNS), covariance, H[i])
        gone = np.isnan(H[i])
        draws[:, i, gone] = rng.multivariate_normal(filled[i, gone], spread, DRAWS)
    return filled, draws


def compare(X, T, holes, network, chosen, covariance=None):
    """Train every method on X, and fill the holes in T, for each kind of holes in turn.

    Parameters
    ----------
    X, T : (n, columns) training rows and test rows, both complete
    holes : functions (rows, rng) -> rows with NaN where an entry is removed
    network : latents, components of the larger PCA, hidden layers, loss, learning rate
    covariance : the covariance of the rows where it is known, which gives the exact answer

    Returns
    -------
    errors : dict of name to the RMSE for each kind of holes
    last : dict of name to (filled rows, draws or None) for the last kind of holes
    H : T with the last kind of holes
    """
    (latent, more, hidden, loss, lr), mean = network, X.mean(axis=0)
    rng, errors = np.random.default_rng([chosen.seed, 1]), {}
    how = {"start": mean, "steps": 5 if chosen.quick else 100}

    def learn(name, cls, X, **loss):
        model = cls(X.shape[1], latent, hidden, activation="relu", seed=chosen.seed, **loss)
        return train(name, model, X, lr=lr, epochs=1 if chosen.quick else 25, batch_size=64)

    linear = {
        name: ProbabilisticPCA(k).fit(X) for name, k in zip(PPCA, (latent, more), strict=True)
    }
    autoencoder = learn("autoencoder", Autoencoder, X, loss=loss)
    vae = learn("VAE", VAE, X, likelihood=loss)
    for hole in holes:
        H = hole(T, rng)
        masked = learn("VAE, of incomplete rows", VAE, hole(X, rng), likelihood=Masked(loss))
        last = {"column means": (np.where(np.isnan(H), mean, H), None)}
        last |= {name: (most_likely(model, H), None) for name, model in linear.items()}
        last["autoencoder"] = autoencoder.impute(H, **how), None
        for name, model in (("VAE", vae), ("VAE, of incomplete rows", masked)):
            draws = None
            if hole is holes[-1]:  # the others' are not shown
                drawn = H if covariance is not None else H[:PICTURED]
                draws = model.impute(drawn, n_draws=DRAWS, **how)
            last[name] = model.impute(H, **how), draws
        if covariance is not None:
            last["exact conditional Gaussian"] = exact(covariance, H, rng)
        for name, (F, _) in last.items():
            F = F if covariance is not None else F.clip(0, 1)  # pixels: in every row alike
            error = metrics.rmse(np.where(np.isnan(H), F, np.nan), T)
            errors.setdefault(name, []).append(error)
    return errors, last, H


def coverage(draws, H, T):
    """Return for how many (%) of the missing entries the truth lies within the draws."""
    within = (draws.min(axis=0) < T) & (T < draws.max(axis=0))
    return 100 * within[np.isnan(H)].mean()


def draw(last, H, T):
    """Draw digits with holes, what was filled in, two draws, and the truth; return the figure."""
    best, draws = last["VAE"]
    sheets = {"given": H, "PCA, 100": last[PPCA[1]][0], "autoencoder": last["autoencoder"][0]}
    sheets |= {"VAE, best guess": best, "VAE, a draw": draws[0], "another": draws[1], "truth": T}
    rows = {name: sheet[:PICTURED].reshape(-1, 28, 28) for name, sheet in sheets.items()}
    rows["given"] = np.nan_to_num(rows["given"], nan=0.3)
    return draw_rows(rows, "Digits with a block of 14 x 14 pixels missing (grey)")


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("imputation", __doc__, argv)
    rng = np.random.default_rng(chosen.seed)
    n, n_test = (200, 30) if chosen.quick else (2000, 500)
    table, covariance = gaussian_table(n + n_test, rng)
    network = FACTORS, 6, (64,), GaussianNLL(learn_sigma=True), 1e-2
    holes = [at_random(share) for share in (0.1, 0.3, 0.5)]
    with timed("table"):
        table, T = table[:n], table[n:]
        errors, last, H = compare(table, T, holes, network, chosen, covariance)
    X, X_test, *_ = images(chosen, 4000, 200, quick=(150, 10))
    X, X_test = (a.reshape(len(a), -1) for a in (X[:4000], X_test[:200]))
    network = 20, 100, (256,), BernoulliNLL(), 3e-3
    with timed("digits"):
        more, *pictured = compare(X, X_test, [block], network, chosen)
    rows = []
    for name, (_, draws) in last.items():
        digits = more.get(name, ["-"])
        within = "-" if draws is None else f"{coverage(draws, H, T):.0f}"
        rows.append((name, *errors[name], *digits, within))
    header = ("10 %", "30 %", "50 %", "digits, a block", "within draws (%)")
    show(("RMSE of missing entries", *header), rows, digits=3)
    save(chosen.out, digits=draw(*pictured, X_test))


# %%
if __name__ == "__main__":
    main()
