"""Imputation: a VAE's best guess and its draws, an autoencoder, PCA, and the exact answer.

Two kinds of data have holes knocked into rows that no model has seen. The first is a table of 12
columns, each of mean 0 and variance 1, drawn from a linear-Gaussian model with three factors, hence
from a Gaussian: there the conditional Gaussian is the exact answer, which no method beats but by
chance. 10, 30 or 50 % of its entries are missing. The second is digits with a block of 14 x 14
pixels missing. The baselines are the column means, which know nothing of the rest of the row, and
the conditional mean of probabilistic PCA, a closed form: with as many components as the models
have latents, 3 for the table and 20 for digits, and with more, 6 and 100. On digits all that is
filled in is clipped to [0, 1].

The autoencoder and the VAE learn from complete rows. The autoencoder looks for the code that comes
closest to what was observed, and decodes it. The VAE draws z from q(z|x), then the missing entries
from p(x|z), and so on in turn; its best guess is the mean along that chain, and the ends of 19
chains are 19 draws. Another VAE has never met a complete row: it learns from rows with holes of the
same kind, by the loss of observed entries alone (Masked). It sees 0 where an entry is missing and
needs no chain: each of its draws is made afresh.

Draws say how sure the model is. Where they have the law that they should have, the truth lies
between the least and the greatest of 19 in 90 % of cases; the last column counts that in the table
with half of the entries missing. There both VAEs are as sure as they should be, and the VAE comes
near the exact answer. Probabilistic PCA, which has the table's own law, is as good as exact. The
VAE of incomplete rows, which cannot tell a missing entry from a 0, pays for that.

On digits probabilistic PCA beats both VAEs once it has 100 components. On the built-in ones it and
the autoencoder are the closest, with little between them, and the VAE may be hardly better than the
means: its chain moves slowly, since what it has once put into a block it takes as given in the next
step. On MNIST, less regular, probabilistic PCA is the closest, and both VAEs beat the autoencoder.

    python demos/imputation.py                  embedded digits, under a minute
    python demos/imputation.py --data mnist     4,000 images of MNIST
"""

# %%
import numpy as np
from common import draw_rows, images, options, save, show, timed, train

from miniae import VAE, Autoencoder, BernoulliNLL, GaussianNLL, Masked, metrics
from miniae.proof.oracles import ProbabilisticPCA, conditional_gaussian

COLUMNS, FACTORS, SIGMA = 12, 3, 0.5
PPCA = "probabilistic PCA, 3 and 20", "probabilistic PCA, 6 and 100"  # components
DRAWS, PICTURED = 19, 10


# %%
def gaussian_table(n, rng):
    """Return n rows of a linear-Gaussian model with mean 0 and variances 1, and the covariance."""
    W = rng.standard_normal((FACTORS, COLUMNS))
    W *= np.sqrt((1 - SIGMA**2) / (W**2).sum(axis=0))
    X = rng.standard_normal((n, FACTORS)) @ W + SIGMA * rng.standard_normal((n, COLUMNS))
    return X, W.T @ W + SIGMA**2 * np.eye(COLUMNS)


def at_random(share):
    """Return a function that knocks out a share of the entries."""
    return lambda X, rng: np.where(rng.random(X.shape) < share, np.nan, X)


def block(X, rng, side=14):
    """Return images (n, 784) without a block of pixels, away from the outermost two."""
    corner = rng.integers(2, 27 - side, (2, len(X), 1))
    rows, columns = ((np.arange(28) >= c) & (np.arange(28) < c + side) for c in corner)
    return np.where((rows[:, :, None] & columns[:, None]).reshape(X.shape), np.nan, X)


def most_likely(model, H):
    """Fill in a ProbabilisticPCA's conditional mean: z W + mean, z the posterior's mean given what
    is observed of the row.
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
    """Learn from X; fill the holes in T by every method, for one kind of holes after the other.

    Returns a dict of lists of the RMSE by method, and of what it filled in and drew in the last.
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
            drawn = H if covariance is not None else H[:PICTURED]
            draws = model.impute(drawn, n_draws=DRAWS, **how)
            last[name] = model.impute(H, **how), draws
        if covariance is not None:
            last["exact conditional Gaussian"] = exact(covariance, H, rng)
        for name, (F, _) in last.items():
            F = F if covariance is not None else F.clip(0, 1)  # pixels
            error = metrics.rmse(np.where(np.isnan(H), F, np.nan), T)
            errors.setdefault(name, []).append(error)
    return errors, last, H


def coverage(draws, H, T):
    """Return how often the truth lies within the draws, in per cent of the missing entries."""
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
    chosen = options(__doc__, argv)
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
    show(("RMSE of what is missing", *header), rows, digits=3)
    save(chosen.out, digits=draw(*pictured, X_test))


# %%
if __name__ == "__main__":
    main()
