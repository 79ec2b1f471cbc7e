"""Metrics of results: errors, PSNR, rankings, clusterings, disentangled codes.

A loss is a sum over features, because it is a log-likelihood. A metric here is a mean per entry, as
in papers.
"""

import numpy as np

from miniae.plumbing.inputs import as_array
from miniae.plumbing.layer_checks import is_whole


def _pair(a, b, names=("X", "Y")):
    a, b = (np.asarray(as_array(x, name)) for x, name in zip((a, b), names, strict=True))
    if a.shape != b.shape or not a.size:
        raise ValueError(
            f"{names[0]} has shape {a.shape} and {names[1]} {b.shape}: the shapes must be equal "
            "and not empty"
        )
    return a, b


@np.errstate(over="ignore", under="ignore")
def mse(X, Y):
    """Return the mean squared error per entry. Entries that are NaN in X or Y are ignored."""
    X, Y = _pair(X, Y)
    difference = X.astype(np.float64) - Y  # small integers and float16 would overflow
    seen = ~np.isnan(difference)
    if not seen.any():
        raise ValueError("in every entry X or Y is NaN: there is no entry to compare")
    return float(np.mean(difference[seen] ** 2))


def rmse(X, Y):
    """Return the square root of `mse`, in units of the data."""
    return mse(X, Y) ** 0.5


def psnr(X, Y, peak=1.0):
    """Return the peak signal-to-noise ratio 10 log10(peak^2 / mse) of all entries, in decibels."""
    error = mse(X, Y)
    return 10 * (np.log10(peak) * 2 - np.log10(error)) if error else np.inf


def _ranking(scores, labels):
    scores, labels = _pair(scores, labels, ("scores", "labels"))
    scores = scores.astype(np.float64)
    if scores.ndim != 1:
        raise ValueError(f"scores has shape {scores.shape}, must be (n,)")
    if np.isnan(scores).any():
        raise ValueError("scores must be numbers, but some are NaN")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 (normal) and 1 (anomalous)")
    n_positive = int(labels.sum())
    if not 0 < n_positive < len(labels):
        raise ValueError("all labels are equal: a ranking needs both 0 and 1")
    return scores, labels.astype(bool), n_positive


def auroc(scores, labels):
    """Return the area under the ROC curve: the chance that an anomaly has the higher score.

    Parameters
    ----------
    scores : (n,), larger is stranger; may be infinite, but not NaN
    labels : (n,), 1 for anomalies, 0 for normal samples

    Returns
    -------
    float, 0.5 for random scores and 1 for a perfect ranking. Ties count one half. It is Mann and
    Whitney's U divided by the number of pairs.
    """
    scores, positive, n_positive = _ranking(scores, labels)
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # from 1; ties get their mean rank
    above = ranks[where][positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * (len(scores) - n_positive)))


def average_precision(scores, labels):
    """Return the mean over the anomalies of the precision at the rank of each.

    Ties share one rank. scores and labels are as in `auroc`. Random scores give about the share of
    anomalies.
    """
    scores, positive, n_positive = _ranking(scores, labels)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # the last of each group of ties
    hits = np.cumsum(positive[order])[last]
    precision = hits / (np.flatnonzero(last) + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / n_positive)


def adjusted_rand_index(a, b):
    """Return how well two clusterings of the same samples agree: 1 completely, 0 by chance.

    It is the share of pairs of samples on which both agree, scaled by the expected share of random
    clusterings with the same cluster sizes. Hubert and Arabie (1985), eq. 5.

    Parameters
    ----------
    a, b : (n,) cluster or class of each sample, numbers or text
    """
    a, b = _pair(a, b, ("a", "b"))
    if a.ndim != 1:
        raise ValueError(f"a has shape {a.shape}, must be (n,)")
    (_, rows), (_, columns) = (np.unique(v, return_inverse=True) for v in (a, b))
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)

    def pairs(counts):
        return (counts * (counts - 1) / 2).sum()

    both, in_a, in_b = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    every = pairs(np.array(len(a)))
    expected = in_a * in_b / every if every else 0.0
    largest = (in_a + in_b) / 2
    if largest == expected:
        return 1.0
    return float((both - expected) / (largest - expected))


def accuracy(labels, predicted):
    """Return the share of labels that are predicted correctly."""
    labels, predicted = _pair(labels, predicted, ("labels", "predicted"))
    return float(np.mean(labels == predicted))


def mutual_information(Z, factors, bins=20):
    """Estimate the mutual information of each latent and each factor, (latent_dim, k), in nats.

    I(a; b) = H(a) + H(b) - H(a, b). A column with more than `bins` different values is divided into
    `bins` intervals with equal numbers of samples, so its units do not matter. The entropies are
    those of the counts plus (cells that are not empty - 1) / (2 n), the correction of Miller
    (1955). Without it, two independent columns seem to share (bins - 1)^2 / (2 n) nats, which is
    0.09 for 20 bins and 2000 samples. With it, the bias is below 0.01, and estimates of 0 are
    scattered around 0.

    Parameters
    ----------
    Z : (n, latent_dim) codes; pass draws from q(z|x), such as ``posterior_sample(X)[0]``
        The means alone say too much: a mean that moves less than the noise counts like any other.
    factors : (n, k) numbers, what is known of each sample
    bins : int, at least 2. A table of bins x bins cells needs 5 samples per cell, which is 2000
        for the default. Fewer bins need fewer samples, and see less of the dependence: for two
        normal variables with correlation 0.9, which share 0.83 nats, 5 bins find 0.60, and 20 bins
        0.79.

    Raises
    ------
    ValueError : the rows do not match or are too few; an entry is not finite
    """
    return _information(Z, factors, bins)[0]


def _information(Z, factors, bins):
    """Return the mutual information (latent_dim, k), and the entropies of the factors (k,)."""
    (Z, n_Z), (factors, n_factors) = _binned(Z, "Z", bins), _binned(factors, "factors", bins)
    if len(Z) != len(factors):
        raise ValueError(f"Z has {len(Z)} rows and factors {len(factors)}: they must be the same")
    needed = 5 * max(n_Z) * max(n_factors)
    if len(Z) < needed:
        raise ValueError(
            f"Z has {len(Z)} rows, too few for a table of {max(n_Z)} x {max(n_factors)} cells: it "
            f"needs 5 per cell, {needed}; use more rows, or fewer bins than bins={bins}"
        )
    both = [[_entropy(a * bins + b) for b in factors.T] for a in Z.T]
    of_Z, of_factors = (np.array([_entropy(a) for a in x.T]) for x in (Z, factors))
    return of_Z[:, None] + of_factors - np.array(both), of_factors


def mutual_information_gap(Z, factors, bins=20):
    """Return how far single latents stand for single factors: 1 if one for one, 0 if not at all.

    For each factor: the information that the best latent has on it, minus that of the second best,
    as a share of the factor's entropy. The result is the mean over the factors. Chen et al. (2018),
    eq. 6. A code that mixes the factors, such as a rotation by 45 degrees, is near 0 although
    it keeps all information.

    Parameters
    ----------
    Z : (n, latent_dim), at least 2 latents; draws from q(z|x), see `mutual_information`
    factors : (n, k) numbers, each column with at least 2 different values
    bins : int, as in `mutual_information`, which makes the estimates
        Compare only results with the same number of bins: a continuous factor has the entropy
        log(bins).

    Returns
    -------
    float. The gap of a sorted pair is not below 0, so independent codes give a little more than 0:
        about 0.0015 for 10 latents, 20 bins and 2000 samples.
    """
    information, entropies = _information(Z, factors, bins)
    if len(information) < 2:
        raise ValueError("Z has 1 column: a gap between latents needs at least 2")
    if not (entropies > 0).all():
        column = int(entropies.argmin())
        raise ValueError(f"factors: column {column} has one value only: leave it out")
    second, best = np.sort(information, axis=0)[-2:]
    return float(((best - second) / entropies).mean())


def _binned(columns, name, bins):
    """Return the bin of each entry of (n, k) numbers, from 0, and how many bins each column has."""
    if not is_whole(bins, 2):
        raise ValueError(f"bins={bins!r} must be an integer above 1")
    columns = np.asarray(as_array(columns, name))
    if columns.ndim != 2 or not columns.size:
        raise ValueError(
            f"{name} has shape {columns.shape}, must be (n, columns); one column is {name}[:, None]"
        )
    if columns.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers, got {columns.dtype}")
    if not np.isfinite(columns).all():
        raise ValueError(f"{name} has entries that are NaN or infinite: leave out their rows")
    result, used = np.empty(columns.shape, np.int64), []
    for j, column in enumerate(columns.T):
        values, where, counts = np.unique(column, return_inverse=True, return_counts=True)
        bin_of = np.arange(len(values))
        if len(values) > bins:
            ranks = np.cumsum(counts) - (counts + 1) / 2  # from 0; ties get their mean rank
            bin_of = (ranks * bins / len(column)).astype(np.int64)
        result[:, j] = bin_of[where]
        used.append(len(np.unique(bin_of)))
    return result, used


def _entropy(bins):
    """Return the entropy of bin numbers (n,), in nats, by Miller's estimator."""
    counts = np.unique(bins, return_counts=True)[1]
    p = counts / len(bins)
    return (len(p) - 1) / (2 * len(bins)) - (p * np.log(p)).sum()
