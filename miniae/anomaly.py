"""AnomalyDetector: a model, the score of its losses, and a threshold for new rows."""

import copy
import math
from functools import partial

import numpy as np

from miniae.autoencoder import Autoencoder
from miniae.plumbing import detectors
from miniae.plumbing.checks import is_number
from miniae.plumbing.estimator import Estimator, check_changes, check_fitted
from miniae.plumbing.samples import as_samples, keep_samples, known_samples
from miniae.plumbing.signatures import short
from miniae.plumbing.tables import check_columns, column_names
from miniae.plumbing.weights import check_weights
from miniae.scores import anomaly_score as anomaly_score  # also under the name of this module
from miniae.scores import check_contamination, feature_scores, rank_of_threshold
from miniae.scores import rolling_threshold as rolling_threshold
from miniae.suggest import suggest
from miniae.vae import VAE
from miniae.variants import ConditionalVAE, ImportanceWeightedVAE

OUTSIDE = 100.0  # added to a score for each unit by which an entry lies outside the loss's bounds
HIGHEST = 1e300  # stands for an infinite score where scores are interpolated
TRIM = 0.2  # the share of the training rows left out, without a model
MODELS = (Autoencoder, VAE, ConditionalVAE, ImportanceWeightedVAE)  # those that a file may hold


class AnomalyDetector(Estimator):
    """A model, a threshold and a verdict, with the interface of PyOD's detectors.

    Parameters
    ----------
    model : Autoencoder or VAE, trained already or not, or None
        `fit` trains a copy, `model_`: the model given stays as it is, and each `fit` starts from
        it. A model that is trained already goes on from its weights; ``fit(X, epochs=0)`` takes it
        as it is. It sees X in the units given.
        None takes the settings of ``suggest(X, "anomaly")``, which may standardise the columns.
    contamination : float, 0 < contamination < 0.5
        The share of samples to call anomalies. Of data that are all normal, this is the share of
        false alarms.
    holdout : float in [0, 1)
        The share of the rows (the last ones after a shuffle) that are not used for training and set
        the threshold. A model reconstructs rows that it was trained on better than new ones, so a
        threshold from those would raise more alarms than stated. 0 uses all rows for both.
    trim : float in [0, 0.5], or None
        If above 0, the model is trained twice: after the first time this share of the training
        rows, those with the highest scores, is left out, and the training starts again. It helps if
        there are anomalies among the rows. None is 0 with a model and 0.2 without.

    Attributes
    ----------
    model_ : the trained copy of the model
    suggestion_ : what `suggest` returned, or None if a model was given
    threshold_ : float, the score above which a sample is an anomaly
    false_alarm_rate_ : float, the expected share of false alarms among new normal samples
        Near `contamination`; with m rows held out, at least 1 / (m + 1). It is correct if the rows
        held out are normal and exchangeable with new rows, which a drifting series is not (see
        `rolling_threshold`); with holdout=0 only if the model was not trained on these rows
        (``fit(X, epochs=0)``).
    decision_scores_, labels_ : (n,), scores of the rows given to `fit`, and 0 or 1
    holdout_scores_ : (m,), the scores, sorted, that set the threshold
    n_features_in_, feature_names_in_ : numbers in a sample; names of a table's columns

    Notes
    -----
    The model of a ConditionalVAE with one label, ``cvae.given(1)``, is not trained further: train
    ``cvae`` with its labels first, then call ``AnomalyDetector(cvae.given(1)).fit(X, epochs=0)``.

    Examples
    --------
    >>> detector = AnomalyDetector(contamination=0.05).fit(X)  # mostly normal rows
    >>> detector.predict(X_new)  # 1 is an anomaly
    """

    def __init__(self, model=None, contamination=0.1, holdout=0.2, trim=None):
        has = not isinstance(model, type) and hasattr(model, "fit")
        if model is not None and (not has or not hasattr(model, "anomaly_score")):
            raise ValueError(
                f"model={model!r} must be a model, such as Autoencoder(64, 8), or None: it has no "
                "fit, or no anomaly_score"
            )
        check_contamination(contamination)
        if not is_number(holdout) or not 0 <= holdout < 1:
            raise ValueError(f"holdout={holdout!r} is a share of the rows, in [0, 1)")
        if trim is not None and (not is_number(trim) or not 0 <= trim <= 0.5):
            raise ValueError(f"trim={trim!r} is a share of the training rows, in [0, 0.5], or None")
        self.model, self.contamination, self.holdout = model, contamination, holdout
        self.trim = trim

    def get_params(self, deep=True):
        """Return the constructor's arguments, and with deep=True the model's as model__NAME."""
        params = super().get_params()
        if deep and hasattr(self.model, "get_params"):
            inner = self.model.get_params()
            params |= {f"model__{name}": value for name, value in inner.items()}
        return params

    def set_params(self, **changes):
        """Change arguments, those of the model as model__NAME; what `fit` has set is lost.

        A change of the model's arguments makes a new model: the one given stays as it is.
        """
        known, start = self.get_params(deep=False), "model__"
        own = {name: value for name, value in changes.items() if not name.startswith(start)}
        check_changes(self, own, known, self.get_params().keys() - known.keys())
        self.__init__(**{**known, **own})
        inner = {k.removeprefix(start): v for k, v in changes.items() if k not in own}
        if inner:
            if not hasattr(self.model, "set_params"):
                raise ValueError(f"set_params: {sorted(changes)}, but model={self.model!r}")
            self.model = copy.deepcopy(self.model).set_params(**inner)
        if changes:
            self._forget()
        return self

    def _forget(self):
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "threshold_")

    def __sklearn_tags__(self):
        """Tell scikit-learn also that sparse rows are taken, and that predict_proba is (n, 2)."""
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.input_tags.sparse, tags.classifier_tags = True, ClassifierTags(multi_class=False)
        return tags

    def fit(self, X, y=None, **options):
        """Train the model on X, mostly normal samples, and set the threshold; y is ignored.

        options are those of the model's `fit`, such as epochs; without a model those of
        `suggest` are the default, and nothing is printed. A sample_weight has a number for each row
        of X; the rows that set the threshold all count alike. Labels of a ConditionalVAE are not
        split with the rows: see the class's notes.
        """
        self._forget()
        type(self)(**self.get_params(deep=False))  # an attribute may have been changed
        names, X = column_names(X), np.asarray(as_samples(X))  # sparse rows become dense
        n_out = int(len(X) * self.holdout)
        if self.holdout and n_out == 0:
            raise ValueError(
                f"holdout={self.holdout} of {len(X)} rows leaves no row to set the threshold "
                f"(n_samples={len(X)}): give more rows, or holdout=0"
            )
        keep_samples(self, X.shape[1:], names)
        order = np.random.default_rng(0).permutation(len(X))
        kept, out = np.sort(order[: len(X) - n_out]), order[len(X) - n_out :]
        self._train(X, kept, options)
        self.decision_scores_ = self._score(X)
        self.holdout_scores_ = self.decision_scores_[out if n_out else kept]
        self._set_threshold()
        return self

    def _train(self, X, kept, options):
        """Set model_, trained on the rows kept, and center_ and spread_, the units it sees."""
        start, self.center_, self.spread_, self.suggestion_ = self.model, None, None, None
        is_trained = options.get("epochs") == 0
        if start is None:
            if is_trained:
                raise ValueError("epochs=0, but without a model there is nothing trained")
            if X.dtype.kind == "f" and np.isnan(X).any():
                place = [int(i) for i in np.argwhere(np.isnan(X))[0]]
                raise ValueError(
                    f"X{place} is nan, but without a model X must be finite: fill in what is "
                    "missing (NaN), or give a model whose loss is Masked"
                )
            self.suggestion_ = suggest(X[kept], "anomaly")
            if self.suggestion_.standardize:
                self.center_, self.spread_ = self.suggestion_.center, self.suggestion_.spread
            start = self.suggestion_.build()
            options = {**self.suggestion_.fit_arguments, "verbose": 0, **options}
        elif not is_trained and getattr(start, "label", None) is not None:
            raise ValueError(
                f"this model has the fixed label {short(start.label)}: train the original model "
                "with its labels, then call AnomalyDetector(model.given(label)).fit(X, epochs=0)"
            )
        self.model_ = copy.deepcopy(start)
        if is_trained:
            return
        self._fit_model(X, kept, options)
        trim = self.trim
        if trim is None:
            trim = TRIM if self.model is None else 0.0
        if trim:
            best = np.argsort(self._score(X[kept]), kind="stable")
            best = np.sort(best[: math.ceil((1 - trim) * len(kept))])
            self.model_ = copy.deepcopy(start)
            self._fit_model(X, kept[best], options)

    def _fit_model(self, X, rows, options):
        weights = options.get("sample_weight")
        if weights is not None:
            options = {**options, "sample_weight": check_weights(weights, len(X))[rows]}
        if "optimizer" in options:  # a copy, so that each training starts with a new one
            options = {**options, "optimizer": copy.deepcopy(options["optimizer"])}
        held = options.get("validation_data")
        if isinstance(held, tuple):
            options = {**options, "validation_data": tuple(map(self._prepare, held))}
        elif held is not None:
            options = {**options, "validation_data": self._prepare(held)}
        self.model_.fit(self._prepare(X[rows]), **options)

    def _prepare(self, X):
        """Return X in the units of the model, (n, ...); None stays None."""
        check_columns(self, X, "validation_data")
        if self.center_ is None or X is None:
            return X
        with np.errstate(over="ignore"):
            return (X - self.center_) / self.spread_

    def _score(self, X, by_feature=False):
        """Return the scores of rows, (n,), or with by_feature those of the entries, (n, ...).

        An entry outside the loss's bounds is scored as the nearest one inside, and OUTSIDE times
        its distance is added: beyond the bounds the loss itself means nothing.
        """
        model, Z = self.model_, self._prepare(X)
        score = partial(feature_scores, model) if by_feature else model.anomaly_score
        if not hasattr(model, "reconstruction_loss") or Z.dtype.kind not in "biuf":
            return score(Z)
        largest = np.finfo(model.theta.dtype).max  # a number too large for the dtype is cut
        low, high = np.clip(model.reconstruction_loss.bounds, -largest, largest)
        if Z.size and low <= Z.min() and Z.max() <= high:
            return score(Z)
        inside = np.where(np.isfinite(X), np.clip(Z, low, high), X)  # the model refuses the others
        scores = score(inside)
        if np.array_equal(inside, Z, equal_nan=True):
            return scores
        with np.errstate(over="ignore", invalid="ignore"):
            extra = OUTSIDE * np.abs(np.nan_to_num(Z - inside))
            if not by_feature:
                extra = extra.reshape(len(Z), -1).sum(axis=1)
            return scores + extra

    def _set_threshold(self):
        self.holdout_scores_ = np.sort(self.holdout_scores_).astype(np.float64)
        m = len(self.holdout_scores_)
        k = rank_of_threshold(m, self.contamination)
        self.threshold_ = float(self.holdout_scores_[k - 1])
        self.false_alarm_rate_ = (m + 1 - k) / (m + 1)
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)

    def decision_function(self, X):
        """Return the anomaly score of each row, (n,); larger is stranger.

        A row with entries outside the bounds of the model's loss, such as [0, 1], has a high score:
        it is not refused, as the model alone would do. A score that overflows is infinite.
        """
        return self._score(np.asarray(known_samples(self, X)))

    def score_samples(self, X):
        """Return minus the `decision_function`, (n,): lower is stranger, as in scikit-learn."""
        return -self.decision_function(X)

    def feature_scores(self, X):
        """Return what each feature adds to the score of each row, of the shape of X.

        The sum over features is the `decision_function`; a VAE's KL is spread equally. See
        `miniae.scores.feature_scores`.
        """
        X = np.asarray(known_samples(self, X))
        if not hasattr(self.model_, "reconstruction_loss"):
            raise TypeError(f"feature_scores: {self.model_!r} has no reconstruction_loss")
        return self._score(X, by_feature=True)

    def predict(self, X):
        """Return 1 for anomalies and 0 for the rest, (n,)."""
        return (self.decision_function(X) > self.threshold_).astype(int)

    def predict_proba(self, X):
        """Return two numbers for each row, (n, 2), that sum to 1, as PyOD's detectors do.

        The second is the share of the held-out scores that are not above the row's score, from
        1 / (m + 1) to m / (m + 1), linear between two scores. It says how unusual the row is among
        those, and is not the probability of an anomaly, which nobody knows without labels. It is
        above 1 - false_alarm_rate_ where `predict` returns 1.
        """
        scores, m = np.float64(self.decision_function(X)), len(self.holdout_scores_)
        share = np.arange(1, m + 1) / (m + 1)
        last = np.append(np.diff(self.holdout_scores_) > 0, True)  # of each group of ties
        known = np.nan_to_num(self.holdout_scores_[last], posinf=HIGHEST)
        strange = np.interp(np.minimum(scores, HIGHEST), known, share[last])
        return np.stack([1 - strange, strange], axis=1)

    def fit_predict(self, X, y=None, **options):
        """Fit, and return the verdict on X itself."""
        return self.fit(X, **options).labels_

    def save(self, path):
        """Write the fitted detector to one .npz file: model, units, scores and threshold.

        Raises
        ------
        ValueError, TypeError : it is not fitted, or its model is not one of miniae's own
        OSError : the file cannot be written; an existing file is unchanged
        """
        check_fitted(self)
        detectors.save(self, path, MODELS)

    @classmethod
    def load(cls, path):
        """Return the detector in a file, which is read without executing anything in it.

        `suggestion_` is not in the file. If a model had been given, `model` is the trained one, so
        another `fit` goes on from it.

        Raises
        ------
        ValueError : the file is not a detector that miniae can read; says why
        FileNotFoundError : there is no such file
        """
        return detectors.load(cls, path, MODELS)

    def restore(self, model, center, spread, scores, holdout_scores, columns):
        """Set what `fit` sets, from a file; `load` calls it."""
        self.model_, self.suggestion_ = copy.deepcopy(model), None
        self.center_, self.spread_ = center, spread
        keep_samples(self, model.input_shape, np.array(columns, object) if columns else None)
        self.decision_scores_, self.holdout_scores_ = scores, holdout_scores
        self._set_threshold()
