"""The detector around a model: copies, parameters, files, units, warnings, other scores."""

import warnings

import numpy as np
import pytest

from miniae import VAE, Adam, AnomalyDetector, Autoencoder, ConditionalVAE, GaussianNoise, Masked
from miniae.losses import SquaredError
from miniae.plumbing import archives
from miniae.scores import rolling_threshold

QUICK = {"epochs": 3, "verbose": 0}


def table(n=120, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 2)) @ rng.standard_normal((2, d)) + 0.1 * rng.standard_normal(
        (n, d)
    )


def fitted(X=None, **arguments):
    return AnomalyDetector(Autoencoder(6, 2, (5,), loss="mse"), **arguments).fit(
        table() if X is None else X, **QUICK
    )


# Without a model.


def test_without_a_model_columns_of_any_scale_are_judged_alike():
    X = table(200)
    X[:10] = np.random.default_rng(1).permuted(X[:10], axis=0) * 1.5
    scores = AnomalyDetector().fit(X, epochs=8).decision_scores_
    other = AnomalyDetector().fit(X * [1e4, 1, 1e-3, 1, 1, 1] + 7, epochs=8).decision_scores_
    assert np.allclose(scores, other, rtol=1e-2, atol=1e-2)
    assert scores[:10].mean() > 2 * scores[10:].mean() > 0


def test_without_a_model_fit_shows_what_was_chosen():
    detector = AnomalyDetector().fit(table(), epochs=2)
    assert detector.suggestion_.purpose == "anomaly" and detector.suggestion_.standardize
    assert type(detector.model_).__name__ == detector.suggestion_.model
    assert detector.model is None and detector.model_.latent_dim == 3
    with pytest.raises(ValueError, match="nothing trained"):
        AnomalyDetector().fit(table(), epochs=0)


@pytest.mark.parametrize("X", [np.random.default_rng(0).random((60, 5, 5)), table(60, 1),
                               np.random.default_rng(0).integers(0, 2, (60, 4))])  # fmt: skip
def test_without_a_model_images_one_column_and_flags_are_judged(X):
    detector = AnomalyDetector().fit(X, epochs=2)
    assert detector.predict(X).shape == (60,) and np.isfinite(detector.decision_scores_).all()


def test_missing_entries_need_a_model_that_understands_them():
    X = table()
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"X\[3, 2\] is nan.*Masked"):
        AnomalyDetector().fit(X)
    model = Autoencoder(6, 2, (5,), loss=Masked(SquaredError()))
    assert np.isfinite(AnomalyDetector(model).fit(X, **QUICK).decision_scores_).all()


def test_trimming_fits_again_without_the_strangest_rows():
    seen = []

    class Watched(Autoencoder):
        def fit(self, X, *args, **options):
            seen.append(np.array(X))
            return super().fit(X, *args, **options)

    X = table(100)
    X[:10] += 30
    detector = AnomalyDetector(Watched(6, 2, (5,), loss="mse"), holdout=0, trim=0.25)
    detector.fit(X, optimizer=Adam(0.01), **QUICK)
    assert [len(rows) for rows in seen] == [100, 75]
    assert (seen[1] < 15).all()  # the rows far out are gone
    again = Autoencoder(6, 2, (5,), loss="mse").fit(seen[1], optimizer=Adam(0.01), **QUICK)
    assert np.array_equal(detector.model_.theta, again.theta)  # from the start, not continued


@pytest.mark.parametrize("trim", [-0.1, 0.6, "0.2", np.nan])
def test_a_share_to_trim_is_between_0_and_a_half(trim):
    with pytest.raises(ValueError, match="trim="):
        AnomalyDetector(trim=trim)


def test_validation_rows_are_brought_to_the_units_of_the_model_too():
    X, held = table() * 1e3 + 5e4, table(seed=0)[:20] * 1e3 + 5e4
    for given in (held, (held, None), (held, held)):
        detector = AnomalyDetector(trim=0).fit(X, epochs=10, validation_data=given)
        history = detector.model_.history
        assert history["val_loss"][-1] < 2 * abs(history["loss"][-1])


# The model given.


def test_fit_leaves_the_model_and_the_optimiser_given_as_they_were():
    model, X, adam = Autoencoder(6, 2, (5,), loss="mse"), table(), Adam(0.01)
    before = model.theta.copy()
    first, second = AnomalyDetector(model), AnomalyDetector(model)
    first.fit(X, optimizer=adam, **QUICK)
    scores = first.decision_function(X)
    second.fit(10 * X, optimizer=adam, **QUICK)
    assert np.array_equal(model.theta, before) and not model.history and adam.t == 0
    assert np.array_equal(first.decision_function(X), scores)
    assert np.array_equal(first.fit(X, optimizer=adam, **QUICK).decision_function(X), scores)


def test_a_trained_model_goes_on_from_its_weights_in_a_copy():
    model, X = Autoencoder(6, 2, (5,), loss="mse").fit(table(), **QUICK), table(seed=1)
    before = model.theta.copy()
    detector = AnomalyDetector(model, holdout=0).fit(X, **QUICK)
    assert len(detector.model_.history["loss"]) == 6 and np.array_equal(model.theta, before)


@pytest.mark.parametrize("changes", [{"contamination": 0.2}, {"model__latent_dim": 3},
                                     {"model": VAE(6)}, {"holdout": 0.5}])  # fmt: skip
def test_set_params_forgets_the_threshold(changes):
    detector = fitted()
    detector.set_params(**changes)
    assert not [name for name in vars(detector) if name.endswith("_")]
    calls = "predict", "decision_function", "predict_proba", "score_samples", "feature_scores"
    for call in (*(getattr(detector, name) for name in calls), detector.save):
        with pytest.raises(ValueError, match="call fit before") as caught:
            call(table())
        assert isinstance(caught.value, AttributeError)


def test_a_refit_that_fails_leaves_no_threshold_behind():
    detector = fitted()
    with pytest.raises(ValueError, match="must have shape"):
        detector.fit(table(d=5))
    with pytest.raises(ValueError, match="call fit before"):
        detector.predict(table())


def test_parameters_of_the_model_are_searched_by_a_prefix():
    model = Autoencoder(6, 2, (5,), loss="mse")
    detector = AnomalyDetector(model)
    assert detector.get_params()["model__latent_dim"] == 2
    assert "model__latent_dim" not in detector.get_params(deep=False)
    assert "model__latent_dim" not in AnomalyDetector().get_params()
    detector.set_params(model__latent_dim=1, contamination=0.2)
    assert detector.model.latent_dim == 1 and model.latent_dim == 2
    assert detector.contamination == 0.2
    for name in ("model__latent_dims", "models__latent_dim", "contaminatoin"):
        with pytest.raises((ValueError, TypeError), match="did you mean|here it is called"):
            detector.set_params(**{name: 1})
    with pytest.raises(ValueError, match="model=None"):
        AnomalyDetector().set_params(model__latent_dim=1)


@pytest.mark.slow
def test_grid_search_tries_sizes_of_the_code():
    search = pytest.importorskip("sklearn.model_selection").GridSearchCV
    y = np.arange(120) % 10 == 0

    def area(detector, X, y):
        return -detector.decision_function(X).mean()

    found = search(
        AnomalyDetector(Autoencoder(6, 2, (), loss="mse")),
        {"model__latent_dim": [1, 2]}, scoring=area, cv=2,
    )  # fmt: skip
    found.fit(table(), y, epochs=25, batch_size=16, optimizer=Adam(0.03), verbose=0)
    assert found.best_params_ == {"model__latent_dim": 2}
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_a_conditional_model_of_one_label_sets_a_threshold():
    X = np.random.default_rng(0).random((60, 6))
    cvae = ConditionalVAE(6, 2, (5,), n_classes=2)
    cvae.fit(X, labels=np.arange(60) % 2, **QUICK)
    detector = AnomalyDetector(cvae.given(1)).fit(X, epochs=0)
    assert np.array_equal(detector.decision_scores_, cvae.given(1).anomaly_score(X))
    assert detector.predict(X).mean() < 0.5
    with pytest.raises(ValueError, match=r"fixed label 1.*epochs=0"):
        AnomalyDetector(cvae.given(1)).fit(X, **QUICK)


# New rows.


@pytest.mark.parametrize("bad", [1.5, -0.5, 300.0, 1e38, 1e300])
def test_a_row_outside_the_bounds_of_the_loss_scores_high(bad):
    X = np.random.default_rng(0).random((80, 4))
    detector = AnomalyDetector(Autoencoder(4, 2, (5,))).fit(X, **QUICK)
    new = X[:5].copy()
    new[2, 1] = bad
    scores = detector.decision_function(new)
    assert scores[2] > detector.decision_scores_.max() + 10 and detector.predict(new)[2] == 1
    same = np.delete(np.arange(5), 2)
    assert np.allclose(scores[same], detector.decision_scores_[same], rtol=1e-5)
    assert np.allclose(detector.feature_scores(new).sum(axis=1), scores, rtol=1e-5)
    for wrong in (np.nan, np.inf):
        new[2, 1] = wrong
        with pytest.raises(ValueError, match="finite"):
            detector.predict(new)


def test_the_further_outside_the_stranger():
    X = np.random.default_rng(0).random((80, 4))
    detector = AnomalyDetector(VAE(4, 2, (5,))).fit(X, **QUICK)
    new = np.full((4, 4), 0.5)
    new[:, 0] = [1.0, 1.001, 1.5, 7]
    assert (np.diff(detector.decision_function(new)) > 0).all()
    assert np.ptp(detector.decision_function(new)[:2]) < 0.2  # a little outside is a little strange


@pytest.mark.parametrize("model", [Autoencoder(6, 2, (5,), loss="mse", dtype="float64"),
                                   VAE(6, 2, (5,), likelihood="gaussian", dtype="float64"),
                                   None])  # fmt: skip
def test_the_scores_of_the_features_sum_to_the_score(model):
    X = table()
    detector = AnomalyDetector(model).fit(X, **QUICK)
    parts = detector.feature_scores(X)
    assert parts.shape == X.shape
    assert np.allclose(parts.sum(axis=1), detector.decision_function(X), rtol=1e-5)
    X[0, 4] += 50
    assert detector.feature_scores(X)[0].argmax() == 4
    assert np.array_equal(detector.score_samples(X), -detector.decision_function(X))


def test_probabilities_are_shares_of_the_held_out_scores():
    X, new = table(400), table(300, seed=3)
    new[0] *= 1e30
    detector = AnomalyDetector(Autoencoder(6, 2, (5,), loss="mse"), 0.1, holdout=0.5)
    detector.fit(X, epochs=0)
    p = detector.predict_proba(new)
    assert p.shape == (300, 2) and np.allclose(p.sum(axis=1), 1) and (p >= 0).all()
    assert np.array_equal(p[:, 1] > 1 - detector.false_alarm_rate_ + 1e-12, detector.predict(new))
    held = detector.holdout_scores_
    below = (held[:, None] <= detector.decision_function(new)).sum(axis=0)
    assert np.abs(p[:, 1] - below / 201).max() <= 1 / 201 + 1e-9
    assert p[0, 1] == pytest.approx(200 / 201)


# Columns.


def test_columns_of_a_data_frame_must_come_in_the_order_of_fit():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table(), columns=list("abcdef"))
    detector = fitted(frame)
    assert list(detector.feature_names_in_) == list("abcdef") and detector.n_features_in_ == 6
    assert detector.predict(frame).shape == (120,)
    with pytest.raises(ValueError, match="same order"):
        detector.predict(frame[list("bacdef")])
    with pytest.raises(ValueError, match="unseen at fit time:\n- z"):
        detector.predict(frame.rename(columns={"a": "z"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        detector.predict(frame.to_numpy())
    with pytest.warns(UserWarning, match="fitted without feature names"):
        fitted(frame.to_numpy()).predict(frame)


def test_sparse_rows_are_judged_as_dense_ones():
    sparse = pytest.importorskip("scipy.sparse")
    X = np.where(table() > 0.5, table(), 0)
    assert np.array_equal(fitted(sparse.csr_matrix(X)).decision_scores_, fitted(X).decision_scores_)


# Warnings.


def test_columns_of_very_different_scales_are_warned_of():
    with pytest.warns(UserWarning, match="Scale the columns alike") as caught:
        fitted(table() * [1e4, 1, 1, 1, 1, 1])
    assert len(caught) == 1 and caught[0].filename == __file__


@pytest.mark.parametrize("latent_dim", [6, 32])
def test_an_autoencoder_that_can_copy_is_warned_of(latent_dim):
    with pytest.warns(UserWarning, match=f"latent_dim={latent_dim} is not below the 6") as caught:
        AnomalyDetector(Autoencoder(6, latent_dim, (9,), loss="mse")).fit(table(), **QUICK)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_what_cannot_copy_or_needs_no_scale_is_not_warned_of():
    X = table()
    X[:, 2] = 5  # constant: no scale at all
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(X * 1e6)
        noisy = Autoencoder(6, 9, (9,), loss="mse", corruption=GaussianNoise(0.5))
        AnomalyDetector(noisy).fit(X, **QUICK)
        AnomalyDetector(VAE(6, 8, (9,), likelihood="gaussian")).fit(X, **QUICK)
        AnomalyDetector().fit(X * [1e6, 1, 1, 1, 1, 1], **QUICK)


# Files.


DETECTORS = {
    "none": lambda: AnomalyDetector(contamination=0.2).fit(table(), **QUICK),
    "autoencoder": fitted,
    "vae": lambda: AnomalyDetector(VAE(6, 2, (5,), likelihood="gaussian"), trim=0.1).fit(
        table(), **QUICK
    ),
    "given": lambda: AnomalyDetector(ConditionalVAE(6, 2, n_classes=3).given(2)).fit(
        np.random.default_rng(0).random((60, 6)), epochs=0
    ),
    "images": lambda: AnomalyDetector(Autoencoder((3, 2), 2, (5,), loss="mse")).fit(
        table().reshape(-1, 3, 2), **QUICK
    ),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_comes_back_from_its_file(name, tmp_path):
    detector = DETECTORS[name]()
    detector.save(tmp_path / "d.npz")
    loaded = AnomalyDetector.load(tmp_path / "d.npz")
    rng = np.random.default_rng(1)
    new = rng.random((9, *detector.model_.input_shape))
    assert np.array_equal(loaded.decision_function(new), detector.decision_function(new))
    for attribute in ("threshold_", "false_alarm_rate_", "contamination", "holdout", "trim"):
        assert getattr(loaded, attribute) == getattr(detector, attribute)
    for attribute in ("labels_", "decision_scores_", "holdout_scores_"):
        assert np.array_equal(getattr(loaded, attribute), getattr(detector, attribute))
    assert (loaded.model is None) == (detector.model is None)
    assert np.array_equal(loaded.predict_proba(new), detector.predict_proba(new))
    loaded.save(tmp_path / "again.npz")


def test_names_of_columns_are_in_the_file(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table(), columns=list("abcdef"))
    fitted(frame).save(tmp_path / "d.npz")
    loaded = AnomalyDetector.load(tmp_path / "d.npz")
    with pytest.raises(ValueError, match="same order"):
        loaded.predict(frame[list("bacdef")])


def test_a_file_holds_no_class_that_it_could_not_build_again(tmp_path):
    class Mine(Autoencoder):
        pass

    detector = AnomalyDetector(Mine(6, 2, (5,), loss="mse")).fit(table(), **QUICK)
    with pytest.raises(TypeError, match="Mine"):
        detector.save(tmp_path / "d.npz")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the bytes of a detector's file."""
    path = tmp_path_factory.mktemp("saved") / "d.npz"
    AnomalyDetector().fit(table(), **QUICK).save(path)
    return path.read_bytes()


def without(name):
    return lambda arrays: arrays.pop(name)


def changed(name, value):
    return lambda arrays: arrays.update({name: np.array(value)})


@pytest.mark.parametrize(
    "damage",
    [
        without("detector"), without("holdout_scores_"), without("model.theta"),
        without("center_"), changed("detector", "[]"), changed("detector", "{"),
        changed("holdout_scores_", []), changed("holdout_scores_", [np.nan]),
        changed("decision_scores_", [[1.0]]), changed("decision_scores_", ["a"]),
        changed("spread_", np.zeros(6)), changed("spread_", np.ones(5)),
        changed("center_", np.full(6, np.inf)), changed("more", [1.0]),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(damage, saved, tmp_path):
    (tmp_path / "d.npz").write_bytes(saved)
    arrays = archives.read(tmp_path / "d.npz")
    damage(arrays)
    archives.write(tmp_path / "d.npz", arrays)
    with pytest.raises(ValueError, match="d.npz is not a detector that miniae can read"):
        AnomalyDetector.load(tmp_path / "d.npz")


def test_a_model_is_not_a_detector_and_a_missing_file_is_missing(tmp_path):
    Autoencoder(6, 2).save(tmp_path / "m.npz")
    with pytest.raises(ValueError, match="not a detector"):
        AnomalyDetector.load(tmp_path / "m.npz")
    with pytest.raises(FileNotFoundError):
        AnomalyDetector.load(tmp_path / "none.npz")


# Thresholds that follow a series.


def test_a_rolling_threshold_is_a_quantile_of_the_scores_before():
    scores = np.random.default_rng(0).random(50)
    thresholds = rolling_threshold(scores, 19, 0.1)
    assert np.isinf(thresholds[:19]).all()
    for i in range(19, 50):
        assert thresholds[i] == np.sort(scores[i - 19 : i])[-2]  # 2 of 20 ranks are above it


def test_a_rolling_threshold_keeps_its_promise_where_scores_drift():
    rng, t = np.random.default_rng(1), np.arange(20_000)
    scores = rng.exponential(size=len(t)) * (1 + t / 4000)  # grows sixfold
    alarms = (scores > rolling_threshold(scores, 499, 0.02))[499:]
    # Standard error sqrt(0.02 * 0.98 / 19,501) = 0.001, and twice that since windows overlap;
    # within a window the scale moves by up to 12 %, the rate by a tenth.
    assert alarms.mean() == pytest.approx(0.02, abs=0.006)
    fixed = np.sort(scores[:499])[-10]
    assert (scores > fixed)[499:].mean() > 0.1  # where a fixed threshold fails


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((3, 2)), 2), r"\(3, 2\)"),
        (([1.0, np.nan], 1), "NaN"),
        (([1.0, 2.0], 0), "window=0"),
        (([1.0, 2.0], 1.5), "window=1.5"),
        (([1.0, 2.0], 1, 0.7), "contamination=0.7"),
    ],
)
def test_what_has_no_rolling_threshold_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        rolling_threshold(*arguments)


def test_a_series_shorter_than_the_window_raises_no_alarm():
    assert np.isinf(rolling_threshold(np.ones(5), 9)).all()
