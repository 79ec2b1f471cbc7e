"""Metrics of results: errors, PSNR, rankings, clusterings.

A loss is a sum over features, because it is a log-likelihood. A metric here is a mean per entry, as
in papers.
"""

import numpy as np

from miniae.plumbing.inputs import as_array


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
