"""Calls that would otherwise give a wrong answer, or do nothing, without a word."""

import json
import warnings

import numpy as np
import pytest
from sampled import often

from miniae import (
    VAE,
    AnomalyDetector,
    Autoencoder,
    ColumnGaussianNLL,
    Dense,
    Frozen,
    GaussianNLL,
    GaussianPrior,
    Sequential,
    check_sampler,
    suggest,
)
from miniae.metrics import auroc, mse, psnr
from miniae.plumbing import archives
from miniae.scores import rolling_threshold

RNG = np.random.default_rng(7)
X = RNG.standard_normal((60, 3)) @ RNG.standard_normal((3, 6))
X = (X - X.mean(axis=0)) / X.std(axis=0)
HIDDEN = np.ma.masked_array(X, mask=X > 1.5)


def in_other_units(vae, unit):
    """Return the same VAE with latents that are unit (2,) times as large, and their prior."""
    other = VAE(6, 2, (16,), likelihood="gaussian", prior=GaussianPrior(0, unit))
    other.theta = vae.theta
    first, last = other.decoder.layers[0].params, other.encoder.layers[-1].params
    first["W"] = first["W"] / unit[:, None]
    factors, shifts = np.append(unit, np.ones(2)), np.append(np.zeros(2), 2 * np.log(unit))
    last["W"], last["b"] = last["W"] * factors, last["b"] * factors + shifts
    return other


@pytest.mark.parametrize("unit", often(2, [np.array([0.05, 400.0]), np.array([0.003, 0.003])]))
def test_imputation_does_not_depend_on_the_units_of_the_latents(unit):
    vae = VAE(6, 2, (16,), likelihood="gaussian").fit(X, epochs=40, batch_size=20, verbose=0)
    other, holes = in_other_units(vae, unit), np.where(RNG.random(X.shape) < 0.4, np.nan, X)[:20]
    np.testing.assert_allclose(other.elbo(X), vae.elbo(X), rtol=1e-3, atol=1e-3)
    filled = [model.impute(holes, steps=100) for model in (other, vae)]
    np.testing.assert_allclose(*filled, atol=0.05)


def test_a_detector_checks_a_contamination_that_was_set_later():
    detector = AnomalyDetector(Autoencoder(6, 2, loss="mse"))
    detector.contamination = 7
    with pytest.raises(ValueError, match="contamination=7"):
        detector.fit(X, epochs=1, verbose=0)


def test_a_detector_refuses_validation_data_with_other_columns():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcdef"))
    detector = AnomalyDetector(Autoencoder(6, 2, loss="mse"))
    detector.fit(table, epochs=1, verbose=0, validation_data=table)
    with pytest.raises(ValueError, match="validation_data has the columns"):
        detector.fit(table, epochs=1, verbose=0, validation_data=table[list("fedcba")])


def test_a_suggestion_prepares_no_other_columns_than_it_has_seen():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X * 3 + 5, columns=list("abcdef"))
    suggestion = suggest(table)
    np.testing.assert_allclose(suggestion.prepare(table), X, atol=1e-9)
    with pytest.raises(ValueError, match="same order"):
        suggestion.prepare(table[list("fedcba")])


def test_a_suggestion_does_not_use_hidden_entries():
    prepared = suggest(HIDDEN * 3 + 5).prepare(HIDDEN * 3 + 5)
    assert np.array_equal(np.isnan(prepared), HIDDEN.mask)


def test_interpolate_refuses_columns_in_another_order():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcdef"))
    vae = VAE(6, 2, likelihood="gaussian").fit(table, epochs=1, verbose=0)
    with pytest.raises(ValueError, match="same order"):
        vae.interpolate(table[:2], table[list("fedcba")][2:4])


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.interpolate(HIDDEN, X),
        lambda model: model.fit(X, sample_weight=np.abs(HIDDEN[:, 0]), epochs=1, verbose=0),
        lambda model: rolling_threshold(HIDDEN[:, 0], 5),
        lambda model: auroc(HIDDEN[:, 0], X[:, 1] > 0),
        lambda model: mse(X, HIDDEN),
        lambda model: GaussianPrior(HIDDEN[X.argmax() // 6]),
        lambda model: ColumnGaussianNLL(np.abs(HIDDEN[X.argmax() // 6])),
    ],
)
def test_hidden_entries_of_a_masked_array_are_not_used(call):
    with pytest.raises(ValueError, match="masked array with hidden entries"):
        call(VAE(6, 2, likelihood="gaussian"))


def test_fit_says_that_there_is_nothing_to_train():
    trained = Autoencoder(6, 2, (5,), loss="mse")
    frozen = Autoencoder(
        6, 2, loss="mse", encoder=Frozen(trained.encoder), decoder=Frozen(trained.decoder)
    )
    with pytest.warns(UserWarning, match="changes nothing"):
        frozen.fit(X, epochs=1, verbose=0)
    half = Autoencoder(6, 2, (5,), loss="mse", encoder=Frozen(trained.encoder))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        half.fit(X, epochs=1, verbose=0)
        frozen.fit(X, epochs=0, verbose=0)


def test_a_narrow_layer_of_an_own_network_counts_as_a_bottleneck():
    def networks(width):
        narrow = Sequential(Dense(6, width), Dense(width, 6))
        return {"encoder": narrow, "decoder": Sequential(Dense(6, 6))}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Autoencoder(6, 6, loss="mse", **networks(3)).fit(X, epochs=1, verbose=0)
    with pytest.warns(UserWarning, match="can copy its input"):
        Autoencoder(6, 6, loss="mse", **networks(7)).fit(X, epochs=1, verbose=0)


@pytest.mark.parametrize("loss", ["mae", "huber", "laplace"])
def test_losses_of_absolute_errors_need_columns_of_one_scale_too(loss):
    with pytest.warns(UserWarning, match=r"1 of 6 columns \(2\) have .* sum of the standard"):
        Autoencoder(6, 2, loss=loss).fit(X * [1, 1, 1e4, 1, 1, 1], epochs=1, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Autoencoder(6, 2, loss=loss).fit(X * [1, 1, 20, 1, 1, 1], epochs=1, verbose=0)


@pytest.mark.parametrize("change", ["no best_theta", "best_loss"])
def test_a_checkpoint_whose_best_weights_do_not_fit_their_loss_is_refused(tmp_path, change):
    def fit(epochs):
        model = Autoencoder(6, 2, (5,), loss="mse")
        options = {"validation_split": 0.2, "early_stopping": 3, "verbose": 0}
        return model.fit(X, epochs=epochs, checkpoint=tmp_path / "run.npz", **options)

    fit(2)
    arrays = archives.read(tmp_path / "run.npz")
    if change == "best_loss":  # no later loss is lower
        state = json.loads(str(arrays["run"])) | {"best_loss": -np.inf}
        arrays["run"] = np.array(json.dumps(state))
    else:
        del arrays["best_theta"]
    np.savez(tmp_path / "run.npz", **arrays)
    with pytest.raises(ValueError, match="best_loss is"):
        fit(4)


def test_metrics_ignore_the_errors_that_numpy_is_told_to_raise():
    small = np.full((1, 2), 1e-30, np.float32)
    with np.errstate(all="raise"):
        assert mse(small * np.float64(1e-150), 0 * small) == 0
        assert psnr(X * 1e200, X) == -np.inf


@pytest.mark.slow
def test_sampler_checks_ignore_the_errors_that_numpy_is_told_to_raise():
    with np.errstate(all="raise"):
        assert check_sampler(VAE(4, 2)).ok


def test_a_detector_splits_the_weights_with_its_rows():
    """Rows of weight 0 have no effect, whatever they hold."""
    weights = np.ones(60)
    weights[::3] = 0
    other = np.where(weights[:, None] == 0, 50.0, X)
    detectors = [
        AnomalyDetector(Autoencoder(6, 2, loss="mse")).fit(
            rows, epochs=3, verbose=0, sample_weight=weights
        )
        for rows in (X, other)
    ]
    assert np.array_equal(*[each.model_.theta for each in detectors])
    with pytest.raises(ValueError, match=r"sample_weight .* shape \(60,\)"):
        detectors[0].fit(X, epochs=1, verbose=0, sample_weight=np.ones(48))


def low(arrays):
    return {"holdout_scores_": np.full_like(arrays["holdout_scores_"], -np.inf)}


def many(arrays):
    return {"holdout_scores_": np.ones(61)}


def columns(names):
    def change(arrays):
        header = json.loads(str(arrays["detector"])) | {"columns": names}
        return {"detector": np.array(json.dumps(header))}

    return change


@pytest.mark.parametrize("change", [low, many, columns(["a"]), columns("abcdef"), columns([1] * 6)])
def test_a_file_with_scores_or_columns_of_no_detector_is_refused(tmp_path, change):
    detector = AnomalyDetector(Autoencoder(6, 2, loss="mse")).fit(X, epochs=1, verbose=0)
    detector.save(tmp_path / "detector.npz")
    arrays = archives.read(tmp_path / "detector.npz")
    np.savez(tmp_path / "detector.npz", **arrays)
    AnomalyDetector.load(tmp_path / "detector.npz")
    np.savez(tmp_path / "detector.npz", **{**arrays, **change(arrays)})
    with pytest.raises(ValueError, match="is not a detector that miniae can read"):
        AnomalyDetector.load(tmp_path / "detector.npz")


@pytest.mark.slow
def test_draws_follow_the_model_if_its_latents_have_different_units():
    """For a linear decoder, x is Gaussian: so is p(x_missing | x_observed), in closed form."""
    std, sigma = np.array([0.05, 4.0]), 0.4
    prior = GaussianPrior([3, -1], std)
    vae = VAE(4, 2, (), likelihood=GaussianNLL(sigma), prior=prior, dtype="float64")
    W = np.array([[20.0, -10, 10, 0], [0.1, 0.3, 0, 0.3]])
    vae.decoder.layers[0].params.update(W=W, b=-prior.mean @ W)  # so that x has the mean 0
    x = np.array([[1.0, np.nan, 0.5, np.nan]])
    seen = ~np.isnan(x[0])
    covariance = W.T @ np.diag(std**2) @ W + sigma**2 * np.eye(4)
    gain = covariance[~seen][:, seen] @ np.linalg.inv(covariance[seen][:, seen])
    expected = gain @ x[0, seen]
    spread = covariance[~seen][:, ~seen] - gain @ covariance[seen][:, ~seen]
    draws = vae.impute(x, n_draws=500, steps=400)[:, 0, ~seen]
    error = np.sqrt(np.diag(spread) / 500)
    assert (np.abs(draws.mean(axis=0) - expected) < 5 * error).all()
    np.testing.assert_allclose(np.cov(draws.T), spread, atol=5 * np.sqrt(2 / 500) * spread.max())
