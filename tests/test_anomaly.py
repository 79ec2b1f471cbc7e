from fractions import Fraction

import numpy as np
import pytest

from miniae import VAE, Adam, AnomalyDetector, Autoencoder, ConditionalVAE, gaussian_kl, metrics


def normal_and_strange(n=400, seed=0):
    """Rows near a line in 6 dimensions, and rows off it."""
    rng = np.random.default_rng(seed)
    t = rng.standard_normal((n + 40, 1))
    X = t @ rng.standard_normal((1, 6)) + 0.05 * rng.standard_normal((n + 40, 6))
    X[n:] += rng.standard_normal((40, 6))
    return X[:n], X[n:]


@pytest.mark.parametrize("options", [{}, {"validation_split": 0.2, "batch_size": 50}])
def test_a_detector_ranks_strange_rows_above_normal_ones(options):
    X, strange = normal_and_strange()
    detector = AnomalyDetector(Autoencoder(6, 1, (), loss="mse", dtype="float64"), 0.05)
    detector.fit(X, epochs=60, optimizer=Adam(0.02), verbose=0, **options)
    scores = detector.decision_function(np.concatenate([X[:100], strange]))
    assert metrics.auroc(scores, np.repeat([0, 1], [100, 40])) > 0.95
    assert detector.predict(strange).mean() > 0.7
    assert np.array_equal(detector.labels_, detector.predict(X))
    assert np.array_equal(detector.decision_scores_, detector.decision_function(X))


@pytest.mark.slow
def test_the_share_of_false_alarms_is_what_was_promised():
    # A model that is not trained at all: scores of the same law, whatever rows they are of.
    rng = np.random.default_rng(0)
    rates, promised = [], []
    for _ in range(40):
        X = rng.random((120, 5))
        detector = AnomalyDetector(VAE(5, 2), contamination=0.1, holdout=0.5).fit(X, epochs=0)
        rates.append(detector.predict(rng.random((500, 5))).mean())
        promised.append(detector.false_alarm_rate_)
    # A rate varies by about sqrt(0.1 * 0.9 / 60) with its threshold: 5 standard errors over 40.
    assert np.mean(rates) == pytest.approx(np.mean(promised), abs=5 * 0.04 / np.sqrt(40))
    assert promised[0] == pytest.approx(0.1, abs=1 / 61)


def test_scores_of_a_vae_repeat_and_do_not_depend_on_the_other_rows():
    X, vae = np.random.default_rng(0).random((30, 6)), VAE(6, 2, dtype="float64")
    score = vae.anomaly_score(X)
    assert np.array_equal(vae.anomaly_score(X), score)
    assert np.allclose(vae.anomaly_score(X[7:9]), score[7:9], rtol=1e-12)
    mu, log_var = vae.posterior(X)
    p = vae.decode(mu)
    nll = -(X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1)
    assert np.allclose(score, nll + gaussian_kl(mu, log_var).sum(axis=1), rtol=1e-12)


def test_a_conditional_vae_scores_rows_given_their_labels():
    X, labels = np.random.default_rng(0).random((9, 6)), np.arange(9) % 3
    model = ConditionalVAE(6, 2, n_classes=3)
    score = model.anomaly_score(X, labels=labels)
    assert np.array_equal(score[labels == 1], model.given(1).anomaly_score(X[labels == 1]))
    with pytest.raises(ValueError, match="pass labels="):
        model.anomaly_score(X)


def test_a_trained_model_may_be_taken_as_it_is():
    X, _ = normal_and_strange(100)
    model = Autoencoder(6, 1, (), loss="mse").fit(X, epochs=1, verbose=0)
    before = model.theta.copy()
    AnomalyDetector(model).fit(X, epochs=0)
    assert np.array_equal(model.theta, before)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: AnomalyDetector(VAE(3), 0.0), "contamination=0.0"),
        (lambda: AnomalyDetector(VAE(3), 0.5), "contamination=0.5"),
        (lambda: AnomalyDetector(VAE(3), holdout=1.0), "holdout=1.0"),
        (
            lambda: AnomalyDetector(VAE(3)).fit(np.full((4, 3), 0.5)),
            "holdout=0.2 of 4 rows",
        ),
        (lambda: AnomalyDetector(VAE(3)).fit(np.full((40, 4), 0.5)), "must have shape"),
        (lambda: AnomalyDetector(VAE(3)).fit(0.5), r"must be \(n, features\)"),
        (lambda: AnomalyDetector(VAE(3)).fit(np.full((40, 3), np.nan)), r"X\[0, 0\] is nan"),
        (lambda: AnomalyDetector(VAE(3)).predict(np.full((4, 3), 0.5)), "call fit before"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_score_beyond_all_numbers_is_an_anomaly_and_a_broken_model_is_refused():
    X, _ = normal_and_strange(100)
    model = Autoencoder(6, 1, (), loss="mse")
    detector = AnomalyDetector(model, 0.1).fit(X, epochs=0)
    assert (detector.predict(1e38 * X[:3]) == 1).all()
    detector.model_.theta = np.full_like(model.theta, np.nan)
    with pytest.raises(FloatingPointError, match="not finite: encoder.0.W"):
        detector.predict(X)


def test_scikit_learn_clones_a_detector():
    base = pytest.importorskip("sklearn.base")
    detector = AnomalyDetector(VAE(6, 2), 0.05)
    clone = base.clone(detector)
    assert clone.contamination == 0.05 and clone.model is not detector.model


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "vae"}, "model='vae' must be a model"),
        ({"model": Autoencoder}, "must be a model"),
        ({"model": Autoencoder(4, 2), "contamination": "0.1"}, "contamination='0.1' is the share"),
        ({"model": Autoencoder(4, 2), "holdout": None}, "holdout=None is a share"),
    ],
)
def test_what_makes_no_detector_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        AnomalyDetector(**arguments)


def test_rows_that_cannot_be_judged_are_refused_and_a_constant_column_can():
    rng = np.random.default_rng(0)
    X = rng.random((60, 4))
    X[:, 2] = 0.5
    detector = AnomalyDetector(Autoencoder(4, 2, (5,))).fit(X, epochs=1, verbose=0)
    assert np.isfinite(detector.decision_scores_).all()
    for bad, words in ((X[:, :3], "shape"), (X[0], "shape"), (np.full((1, 4), np.nan), "finite")):
        with pytest.raises(ValueError, match=words):
            detector.predict(bad)
        with pytest.raises(ValueError, match=words if bad.ndim > 1 else "must be"):
            AnomalyDetector(Autoencoder(4, 2, (5,)), holdout=0).fit(bad, verbose=0)


def test_hidden_entries_of_a_masked_array_are_not_fitted():
    X = np.ma.array(np.random.default_rng(0).random((60, 4)), mask=False)
    X[3, 2] = np.ma.masked
    with pytest.raises(ValueError, match="masked array with hidden entries"):
        AnomalyDetector(Autoencoder(4, 2, (5,))).fit(X, verbose=0)


@pytest.mark.parametrize("contamination", [0.05, 0.1, 0.3, 0.45])
@pytest.mark.parametrize("m", [9, 99, 199])
def test_the_threshold_leaves_as_many_ranks_above_it_as_the_contamination_allows(contamination, m):
    class Given:
        def fit(self, X, **options):
            return self

        def anomaly_score(self, X):
            return X[:, 0]

    X = np.random.default_rng(0).permutation(np.arange(1.0, m + 1))[:, None]
    detector = AnomalyDetector(Given(), contamination, holdout=0).fit(X)
    # A new score has m + 1 ranks, all as likely; alarms are those above the threshold.
    above = max(Fraction(str(contamination)) * (m + 1) // 1, 1)
    assert detector.threshold_ == m + 1 - above
    assert detector.false_alarm_rate_ == pytest.approx(above / (m + 1), abs=1e-15)
