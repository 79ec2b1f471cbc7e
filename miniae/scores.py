"""Scores of how strange a sample is to a model, and thresholds for them."""

import numpy as np

from miniae.missing import without_nan
from miniae.plumbing.checks import diverged, is_number, whole
from miniae.plumbing.inputs import as_array


def anomaly_score(model, X):
    """Return how strange each sample is, shape (n,): larger is stranger.

    The score is the reconstruction loss of the sample from its code, in nats (or squared units of
    the data). For a VAE the code is the posterior's mean, and the KL is added. There is no noise: a
    row has the same score at each call and, apart from rounding, next to any other rows. A row so
    far out that its score overflows has an infinite score. Missing entries, with a Masked loss, add
    nothing: compare only rows with the same number of them.

    Raises
    ------
    FloatingPointError : the model's weights are not finite
    """
    return _map_scores(
        model, X, lambda out, x, kl: model.reconstruction_loss.per_sample(out, x) + kl
    )


def feature_scores(model, X):
    """Return what each feature adds to the `anomaly_score` of each sample, of the shape of X.

    It is the loss of each entry. A VAE's KL is of the sample as a whole: each feature gets an equal
    share of it. The sum over features is the score.
    """
    loss = model.reconstruction_loss

    def score(out, x, kl):
        entries = loss.entries(*loss.keep_pair(out, x))
        return entries + np.expand_dims(kl / entries[0].size, tuple(range(1, entries.ndim)))

    return _map_scores(model, X, score)


def _map_scores(model, X, score):
    """Return score(out, x, kl) of all rows, kl (n,); NaN, after an overflow, is infinite."""
    if not np.isfinite(model.theta).all():
        raise diverged(model, "the model cannot score anything")

    def score_rows(x):
        # Not model.infer(x): that of a VAE would refuse all rows for one that is far out.
        code = model.encoder.forward(without_nan(model, x))
        mu, log_var = code[:, : model.latent_dim], code[:, model.latent_dim :]
        kl = model.prior.kl(mu, log_var).sum(axis=1) if log_var.size else np.zeros(len(x), x.dtype)
        return score(model.decoder.forward(mu), x, kl)

    with np.errstate(over="ignore", invalid="ignore"):
        scores = model.map_rows(score_rows, X, bounds=model.reconstruction_loss.bounds)
    return np.where(np.isnan(scores), np.inf, scores)


def rolling_threshold(scores, window, contamination=0.1):
    """Return a threshold for each score from the `window` scores before it, shape (n,).

    A fixed threshold keeps its promise for exchangeable rows only: if the scores drift, as in many
    series, it raises too many alarms or none. This one follows a drift that is slow compared with
    the window. An anomaly that lasts raises the threshold too: the window must be much longer.

    Parameters
    ----------
    scores : (n,) in the order of time
    window : int, how many earlier scores set the threshold
    contamination : float, 0 < contamination < 0.5, the share of false alarms if the window's
        scores and the present one are exchangeable; at least 1 / (window + 1)

    Returns
    -------
    (n,); infinite, that is without alarms, for the first `window` scores

    Examples
    --------
    >>> alarms = scores > rolling_threshold(scores, 500, 0.01)
    """
    scores = np.asarray(as_array(scores, "scores"), np.float64)
    check_contamination(contamination)
    if scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(f"scores must be (n,) numbers without NaN, got shape {scores.shape}")
    whole(window, "window")
    thresholds = np.full(len(scores), np.inf)
    if window < len(scores):
        rows = np.lib.stride_tricks.sliding_window_view(scores[:-1], window)
        k = rank_of_threshold(window, contamination)
        for start in range(0, len(rows), 1024):  # a partition copies its rows: bound the memory
            block = np.partition(rows[start : start + 1024], k - 1, axis=1)
            thresholds[window + start : window + start + len(block)] = block[:, k - 1]
    return thresholds


def rank_of_threshold(m, contamination):
    """Return k: a threshold at the k-th smallest of m scores has `contamination` above it.

    Among m exchangeable scores and a new one every order is equally likely: the chance that the
    new one exceeds the k-th smallest is (m + 1 - k) / (m + 1).
    """
    # 1e-9, because a product such as 0.45 * 100 may round to just below 45
    return min(m, m + 1 - int(contamination * (m + 1) + 1e-9))


def check_contamination(contamination):
    """Refuse a share of anomalies that is not above 0 and below 0.5."""
    if not is_number(contamination) or not 0 < contamination < 0.5:
        raise ValueError(
            f"contamination={contamination!r} is the share of anomalies, above 0 and below 0.5"
        )
