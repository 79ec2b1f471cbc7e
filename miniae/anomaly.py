"""Anomaly detection: samples that a model reconstructs badly are strange."""

from numbers import Real

import numpy as np

from miniae.model import Model
from miniae.plumbing.checks import diverged
from miniae.plumbing.estimator import Estimator
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
    if not np.isfinite(model.theta).all():
        raise diverged(model, "the model cannot score anything")
    loss = model.reconstruction_loss

    def score(x):
        code = Model.infer(model, x)  # VAE.infer would refuse all rows for one that is far out
        mu, log_var = code[:, : model.latent_dim], code[:, model.latent_dim :]
        nll = loss.per_sample(model.decoder.forward(mu), x)
        return nll + model.prior.kl(mu, log_var).sum(axis=1) if log_var.size else nll

    with np.errstate(over="ignore", invalid="ignore"):
        scores = model.map_rows(score, X, bounds=loss.bounds)
    return np.where(np.isnan(scores), np.inf, scores)


class AnomalyDetector(Estimator):
    """A model, a threshold and a verdict, with the interface of PyOD's detectors.

    Parameters
    ----------
    model : Autoencoder or VAE, trained already or not
    contamination : float, 0 < contamination < 0.5
        The share of samples to call anomalies. Of data that are all normal, this is the share of
        false alarms.
    holdout : float in [0, 1)
        The share of the rows (the last ones after a shuffle) that are not used for training and set
        the threshold. A model reconstructs rows that it was trained on better than new ones, so a
        threshold from those would raise more alarms than stated. 0 uses all rows for both.

    Attributes
    ----------
    threshold_ : float, the score above which a sample is an anomaly
    false_alarm_rate_ : float, the expected share of false alarms among new normal samples
        Near `contamination`; with m rows held out, at least 1 / (m + 1). It is correct if the rows
        held out are normal and new rows have the same distribution; with holdout=0 only if the
        model was not trained on these rows (``fit(X, epochs=0)``).
    decision_scores_, labels_ : (n,), scores of the rows given to `fit`, and 0 or 1

    Examples
    --------
    >>> detector = AnomalyDetector(Autoencoder(64, 8), contamination=0.05).fit(X_normal)
    >>> detector.predict(X_new)  # 1 is an anomaly
    """

    def __init__(self, model, contamination=0.1, holdout=0.2):
        has = not isinstance(model, type) and hasattr(model, "fit")
        if not has or not hasattr(model, "anomaly_score"):
            raise ValueError(
                f"model={model!r} must be a model, such as Autoencoder(64, 8): it has no fit, or "
                "no anomaly_score"
            )
        if not isinstance(contamination, Real) or not 0 < contamination < 0.5:
            raise ValueError(
                f"contamination={contamination!r} is the share of anomalies, above 0 and below 0.5"
            )
        if not isinstance(holdout, Real) or not 0 <= holdout < 1:
            raise ValueError(f"holdout={holdout!r} is a share of the rows, in [0, 1)")
        self.model, self.contamination, self.holdout = model, contamination, holdout

    def __sklearn_is_fitted__(self):
        return hasattr(self, "threshold_")

    def fit(self, X, y=None, **options):
        """Train the model on X, mostly normal samples, and set the threshold; y is ignored.

        options are those of the model's `fit`, such as epochs; epochs=0 leaves a trained model as
        it is. Labels of a ConditionalVAE are not split with the rows: give ``model.given(label)``.
        """
        X = as_array(X, "X")
        if X.ndim < 2:
            raise ValueError(f"X must be (n, features) or images, got shape {X.shape}")
        n_out = int(len(X) * self.holdout)
        if self.holdout and n_out == 0:
            raise ValueError(
                f"holdout={self.holdout} of {len(X)} rows leaves no row to set the threshold: give "
                "more rows, or holdout=0"
            )
        order = np.random.default_rng(0).permutation(len(X))
        kept, out = order[: len(X) - n_out], order[len(X) - n_out :]
        self.model.fit(X[np.sort(kept)], **options)
        self.decision_scores_ = self.decision_function(X)
        scores = np.sort(self.decision_scores_[out] if n_out else self.decision_scores_)
        # Among m held-out normal scores and a new one every order is equally likely: the chance
        # that the new one exceeds the k-th smallest is (m + 1 - k) / (m + 1).
        m = len(scores)
        # 1e-9, because a product such as 0.45 * 100 may round to just below 45
        k = min(m, m + 1 - int(self.contamination * (m + 1) + 1e-9))
        self.threshold_ = float(scores[k - 1])
        self.false_alarm_rate_ = (m + 1 - k) / (m + 1)
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X):
        """Return the anomaly score of each row, (n,); larger is stranger."""
        return self.model.anomaly_score(X)

    def predict(self, X):
        """Return 1 for anomalies and 0 for the rest, (n,)."""
        if not hasattr(self, "threshold_"):
            raise ValueError("AnomalyDetector: call fit before predict")
        return (self.decision_function(X) > self.threshold_).astype(int)

    def fit_predict(self, X, y=None, **options):
        """Fit, and return the verdict on X itself."""
        return self.fit(X, **options).labels_
