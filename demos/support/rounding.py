"""Codes that take few values: k-means rounds real numbers to some, perplexity counts them."""

import numpy as np


def k_means(X, k, rng, steps=30):
    """Return k centres of the rows of X (n, d): Lloyd's algorithm, started from k random rows."""
    centres = rng.choice(X, k, replace=False)
    for _ in range(steps):
        index = nearest(X, centres)
        for c in np.unique(index):
            centres[c] = X[index == c].mean(axis=0)
    return centres


def nearest(X, centres):
    """Return the number of the centre nearest to each row of X, (n,)."""
    return ((centres**2).sum(axis=1) - 2 * X @ centres.T).argmin(axis=1)  # less |X|^2


def rounded(Z, Z_test, n_parts, k, rng):
    """Round each part of the codes Z_test to one of k centres of that part in Z.

    Returns
    -------
    codes : like Z_test, rounded
    index : (n, n_parts), the numbers of the centres: n_parts log2(k) bits for each row
    """
    codes, index = np.empty_like(Z_test), []
    for part in np.array_split(np.arange(Z.shape[1]), n_parts):
        centres = k_means(Z[:, part], k, rng)
        index.append(nearest(Z_test[:, part], centres))
        codes[:, part] = centres[index[-1]]
    return codes, np.stack(index, axis=1)


def perplexity(index):
    """Return exp(entropy) of the numbers in an array: k if k of them are equally frequent."""
    share = np.unique(index, return_counts=True)[1] / index.size
    return float(np.exp(-(share * np.log(share)).sum()))
