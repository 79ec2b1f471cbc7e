import copy

import numpy as np
import pytest

from miniae import (
    VAE,
    Adam,
    Autoencoder,
    BernoulliNLL,
    ConditionalVAE,
    GaussianNLL,
    Masked,
    MultinomialNLL,
    SquaredError,
    conv_networks,
    missing,
)
from miniae.proof.oracles import conditional_gaussian

NAN = np.nan


def with_holes(X, p, seed=0):
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < p] = NAN
    return X


@pytest.mark.parametrize("loss", [SquaredError(), BernoulliNLL(), GaussianNLL(0.6, True)])
def test_a_column_that_is_missing_throughout_is_as_if_it_were_not_there(loss):
    rng = np.random.default_rng(0)
    out, target = rng.standard_normal((5, 4)), rng.random((5, 4))
    target[:, 2] = NAN
    rest, masked = [0, 1, 3], Masked(loss)
    expected = loss.forward(out[:, rest], target[:, rest])
    assert masked.forward(out, target) == pytest.approx(expected, rel=1e-14)
    dout = masked.backward()
    assert np.allclose(dout[:, rest], loss.backward(), rtol=1e-14)
    assert not dout[:, 2].any()
    assert np.allclose(masked.dtheta, loss.dtheta, rtol=1e-13)


def test_without_holes_it_is_the_loss_itself():
    rng = np.random.default_rng(1)
    out, target = rng.standard_normal((5, 2, 3)), rng.random((5, 2, 3))
    loss, masked = BernoulliNLL(), Masked(BernoulliNLL())
    eps = np.finfo(float).eps  # Masked takes the formulas, the loss itself `miniae.fused`
    values = masked.per_sample(out, target), loss.per_sample(out, target)
    assert np.allclose(*values, rtol=8 * eps, atol=0)
    loss.forward(out, target), masked.forward(out, target)
    assert np.abs(masked.backward() - loss.backward()).max() <= 3 * eps / 5
    assert np.array_equal(masked.mean(out), loss.mean(out))


def test_at_the_optimum_sigma_squared_is_the_mean_squared_error_of_what_was_observed():
    rng = np.random.default_rng(2)
    out, target = rng.standard_normal((50, 6)), with_holes(rng.standard_normal((50, 6)), 0.4)
    mse = np.nanmean((out - target) ** 2)
    loss = Masked(GaussianNLL(np.sqrt(mse), learn_sigma=True))
    loss.forward(out, target)
    loss.backward()
    assert abs(loss.dtheta[0]) < 1e-13


def test_float32_stays_float32():
    rng = np.random.default_rng(3)
    out, target = rng.random((2, 5, 4), dtype=np.float32)
    target[0, 1] = NAN
    masked = Masked(GaussianNLL(0.5))
    masked.forward(out, target)
    assert masked.backward().dtype == np.float32


@pytest.mark.parametrize("likelihood", [BernoulliNLL(), GaussianNLL(0.5, learn_sigma=True)])
def without_feature(vae, feature, likelihood):
    """Return a VAE of one feature less, whose weights and noise are those of `vae`."""
    first, _, last = vae.decoder.layers
    keep = np.delete(np.arange(vae.input_shape[0]), feature)
    small = VAE(len(keep), 2, (6,), likelihood=likelihood, dtype="float64")
    small.encoder.theta = np.concatenate(
        [vae.encoder.layers[0].params["W"][keep].ravel(), vae.encoder.theta[8 * 6 :]]
    )
    small.decoder.layers[0].theta = first.theta
    small.decoder.layers[2].params.update(W=last.params["W"][:, keep], b=last.params["b"][keep])
    small.rng = copy.deepcopy(vae.rng)
    return small, keep


@pytest.mark.parametrize("likelihood", [BernoulliNLL(), GaussianNLL(0.5, learn_sigma=True)])
def test_a_feature_that_nobody_observed_has_no_effect_on_what_is_learned(likelihood):
    X = np.random.default_rng(0).random((60, 8))
    X[:, 5] = NAN
    masked = VAE(8, 2, (6,), likelihood=Masked(likelihood), dtype="float64")
    small, keep = without_feature(masked, 5, likelihood)
    before = masked.theta.copy()
    masked.fit(X, epochs=3, verbose=0)
    small.fit(X[:, keep], epochs=3, verbose=0)
    assert np.abs(masked.theta - before).max() > 1e-3
    # Where a gradient is 0 but for rounding, Adam makes a step of it: eps = 1e-8 damps those.
    assert np.allclose(masked.encode(X), small.encode(X[:, keep]), atol=1e-6)
    assert np.allclose(masked.reconstruct(X)[:, keep], small.reconstruct(X[:, keep]), atol=1e-6)


def test_images_and_autoencoders_with_holes_train_and_validate():
    X = with_holes(np.random.default_rng(0).random((60, 8)), 0.3)
    for model in (
        VAE((2, 4), 2, (6,), likelihood=Masked(GaussianNLL(learn_sigma=True))),
        Autoencoder(8, 2, (6,), loss=Masked(SquaredError())),
    ):
        data = X.reshape(-1, *model.input_shape)
        model.fit(data, epochs=30, validation_split=0.2, verbose=0)
        assert model.history["val_loss"][-1] < model.history["val_loss"][0]
        assert np.isfinite(model.reconstruct(data)).all()
        assert np.isfinite(model.score(data))


def test_elbo_and_likelihood_of_a_row_with_holes_are_those_of_what_was_observed():
    X = np.random.default_rng(0).random((20, 5))
    holed = X.copy()
    holed[:, 3] = NAN
    vae = VAE(5, 2, (6,), likelihood=Masked(BernoulliNLL()), dtype="float64")
    p = vae.decode(vae.encode(holed)[None])  # decode takes any leading axes
    assert p.shape == (1, 20, 5)
    narrow = VAE(5, 2, (6,), dtype="float64")
    narrow.theta = vae.theta
    zero = np.where(np.isnan(holed), 0, holed)
    # A pixel of 0 that is counted costs softplus(logit): make that nothing with a logit of -800.
    narrow.decoder.layers[-1].params["W"][:, 3] = 0
    narrow.decoder.layers[-1].params["b"][3] = -800
    assert np.allclose(vae.elbo(holed), narrow.elbo(zero), rtol=1e-12)
    assert np.allclose(vae.log_likelihood(holed, 20), narrow.log_likelihood(zero, 20), rtol=1e-12)


def test_a_missing_entry_enters_the_encoder_as_zero():
    X = with_holes(np.random.default_rng(0).random((9, 5)), 0.5)
    vae = VAE(5, 2, (6,), likelihood=Masked(BernoulliNLL()))
    assert np.array_equal(vae.encode(X), vae.encode(np.where(np.isnan(X), 0, X)))


def test_the_bounds_of_the_loss_hold_for_what_was_observed():
    vae = VAE(3, 2, (), likelihood=Masked(BernoulliNLL()))
    with pytest.raises(ValueError, match=r"X\[1, 2\] is 1.5"):
        vae.fit([[0.5, NAN, 0.1], [NAN, 0.2, 1.5]], verbose=0)
    with pytest.raises(ValueError, match=r"X\[0, 1\] is inf"):
        vae.fit([[0.5, np.inf, 0.1], [NAN, 0.2, 0.5]], verbose=0)


def test_nan_without_a_mask_is_refused_and_the_mask_is_named():
    with pytest.raises(ValueError, match=r"X\[0, 1\] is nan.*wrap the loss in Masked"):
        VAE(3, 2, ()).fit([[0.5, NAN, 0.1]], verbose=0)


def test_what_cannot_be_masked_is_refused():
    with pytest.raises(ValueError, match="not independent"):
        Masked(MultinomialNLL())
    with pytest.raises(ValueError, match="not independent"):
        Masked(Masked(BernoulliNLL()))
    with pytest.raises(TypeError, match="must be a Loss such as"):
        Masked(BernoulliNLL)
    with pytest.raises(ValueError, match="loss='gauss' is unknown; did you mean 'gaussian'"):
        Masked("gauss")
    with pytest.raises(ValueError, match="squared error is not a likelihood"):
        VAE(3, 2, likelihood=Masked(SquaredError()))


def test_a_masked_model_survives_its_file(tmp_path):
    X = with_holes(np.random.default_rng(0).random((9, 5)), 0.5)
    vae = VAE(5, 2, (6,), likelihood=Masked(GaussianNLL(0.3))).fit(X, epochs=1, verbose=0)
    vae.save(tmp_path / "a.npz")
    again = VAE.load(tmp_path / "a.npz")
    assert np.array_equal(again.elbo(X), vae.elbo(X))


def exact_vae(masked=False):
    """Return a linear VAE whose encoder is its exact posterior, and its mean and covariance.

    With `masked`, the loss is Masked, and the encoder is exact for complete rows only.
    """
    rng = np.random.default_rng(0)
    sigma, scale, b = 0.5, np.array([1.5, 0.8]), rng.standard_normal(5)
    W = (np.linalg.qr(rng.standard_normal((5, 2)))[0] * scale).T
    precision = 1 + scale**2 / sigma**2
    likelihood = Masked(GaussianNLL(sigma)) if masked else GaussianNLL(sigma)
    vae = VAE(5, 2, (), likelihood=likelihood, dtype="float64")
    to_mu = W.T / sigma**2 / precision
    vae.encoder.layers[0].params["W"] = np.hstack([to_mu, np.zeros((5, 2))])
    vae.encoder.layers[0].params["b"] = np.concatenate([-b @ to_mu, -np.log(precision)])
    vae.decoder.layers[0].params.update(W=W, b=b)
    return vae, b, W.T @ W + sigma**2 * np.eye(5)


def spoil(vae, how):
    """Make the encoder of `exact_vae` wrong on purpose."""
    params = vae.encoder.layers[0].params
    if how == "too wide":
        params["b"][2:] += np.log(4)  # twice the standard deviation
    elif how == "too narrow, elsewhere":
        params["b"][:2] += 2
        params["b"][2:] -= np.log(100)
    elif how == "pseudo-Gibbs diverges":
        params["W"][:, :2] *= -30
    elif how == "overflows":
        params["W"][:] = 1e308


SPOILT = ["exact", "too wide", "too narrow, elsewhere", "pseudo-Gibbs diverges", "overflows"]
ROW = np.array([0.7, np.nan, -1.0, np.nan, 0.2])


def assert_moments(draws, mean, covariance):
    """Compare draws (n, d) with a Gaussian: each figure within 5 of its standard errors.

    The variance of a sample mean is c_ii / n, that of a sample covariance, for Gaussian draws,
    (c_ii c_jj + c_ij^2) / n.
    """
    n, var = len(draws), np.diag(covariance)
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(var / n)).all()
    error = np.sqrt((np.outer(var, var) + covariance**2) / n)
    assert (np.abs(np.cov(draws.T) - covariance) < 5 * error).all()


@pytest.mark.slow
@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("masked", [False, True])
def test_draws_have_the_law_of_the_conditional_gaussian_however_wrong_the_encoder(how, masked):
    vae, mean, covariance = exact_vae(masked)
    spoil(vae, how)
    expected, spread = conditional_gaussian(mean, covariance, ROW)
    draws = vae.impute(ROW[None], steps=60, n_draws=4000, seed=1)[:, 0]
    assert np.array_equal(draws[:, [0, 2, 4]], np.tile(ROW[[0, 2, 4]], (4000, 1)))
    assert_moments(draws[:, [1, 3]], expected[[1, 3]], spread)


@pytest.mark.slow
def test_a_row_without_observed_entries_is_drawn_from_the_model():
    vae, mean, covariance = exact_vae()
    draws = vae.impute(np.full((1, 5), NAN), steps=60, n_draws=4000, seed=1)[:, 0]
    assert_moments(draws, mean, covariance)


@pytest.mark.slow
def test_zeros_and_ones_are_drawn_with_the_probabilities_that_quadrature_gives():
    vae = VAE(6, 1, (5,), dtype="float64", seed=3)
    vae.theta = 2 * vae.theta + 0.3
    x = np.array([1.0, NAN, 0.0, NAN, 1.0, NAN])
    z = np.linspace(-8, 8, 4001)[:, None]  # the posterior is smooth and 0 at both ends
    p, seen = vae.decode(z), ~np.isnan(x)
    log_p = (
        np.log(np.where(x[seen] == 1, p[:, seen], 1 - p[:, seen])).sum(axis=1) - z[:, 0] ** 2 / 2
    )
    weight = np.exp(log_p - log_p.max())
    pair = p[:, ~seen].T @ (weight[:, None] * p[:, ~seen]) / weight.sum()  # P(both are 1)
    single = (weight @ p[:, ~seen]) / weight.sum()
    n = 4000
    draws = vae.impute(x[None], steps=60, n_draws=n, seed=2)[:, 0][:, ~seen]
    assert set(np.unique(draws)) == {0, 1}
    both = draws.T @ draws / n
    np.fill_diagonal(pair, single)
    assert (np.abs(both - pair) < 5 * np.sqrt(pair * (1 - pair) / n)).all()


@pytest.mark.parametrize(
    "how",
    [pytest.param(h, marks=pytest.mark.slow if h.startswith("too") else ()) for h in SPOILT],
)
@pytest.mark.parametrize("masked", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_best_guess_is_the_conditional_mean_however_wrong_the_encoder(how, masked):
    vae, mean, covariance = exact_vae(masked)
    spoil(vae, how)
    X = np.random.default_rng(0).multivariate_normal(mean, covariance, 20)
    X[np.random.default_rng(1).random(X.shape) < 0.4] = NAN
    X[3] = NAN
    guess = vae.impute(X)
    expected = [conditional_gaussian(mean, covariance, x)[0] for x in X]
    # z is the mode of a Gaussian, so it is the mean, and a linear decoder keeps means. The last
    # steps of Adam, of length 0.1 / 300 and less, leave an error of that size.
    assert np.abs(guess - expected).max() < 1e-3


def test_a_row_far_out_is_filled_in_and_changes_no_other_row():
    rng = np.random.default_rng(0)
    X = with_holes(rng.standard_normal((30, 6)).astype(np.float32), 0.4)
    far = X.copy()
    far[4] = np.where(np.isnan(X[4]), NAN, 1e30)
    far[7] = np.where(np.isnan(X[7]), NAN, -3e4)
    others = np.delete(np.arange(30), [4, 7])
    for model in (
        VAE(6, 2, (8,), activation="relu", likelihood="gaussian"),
        VAE(6, 2, (8,), activation="relu", likelihood=Masked("gaussian")),
        Autoencoder(6, 2, (8,), loss="mse"),
        Autoencoder(6, 2, (8,), loss=Masked("mse")),
    ):
        filled = model.impute(far, steps=30)
        assert np.isfinite(filled).all()
        # BLAS may add up the same row in another order
        assert np.allclose(filled[others], model.impute(X, steps=30)[others], atol=1e-4)
        if isinstance(model, VAE):
            assert np.isfinite(model.impute(far, steps=6, n_draws=2)).all()


def test_imputing_leaves_the_model_as_it_was():
    X = np.random.default_rng(0).random((20, 6))
    vae = VAE(6, 2, (8,), likelihood="gaussian").fit(X, epochs=1, verbose=0)
    vae.loss(X, training=True)
    vae.backward()
    theta, dtheta, state = vae.theta.copy(), vae.dtheta.copy(), vae.rng.bit_generator.state
    vae.impute(with_holes(X, 0.3), steps=4, n_draws=2)
    assert np.array_equal(vae.theta, theta) and np.array_equal(vae.dtheta, dtheta)
    assert vae.rng.bit_generator.state == state


def test_an_autoencoder_imputes_what_its_reconstruction_repeats():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((6, 2)))[0]  # rows in a plane, which it projects on
    ae = Autoencoder(6, 2, (), loss="mse", dtype="float64")
    ae.encoder.layers[0].params["W"], ae.decoder.layers[0].params["W"] = basis, basis.T
    X = rng.standard_normal((8, 2)) @ basis.T
    holed = X.copy()
    holed[:, 4] = np.nan
    assert np.allclose(ae.impute(holed, steps=500), X, atol=1e-9)


def test_observed_entries_come_back_untouched_and_nothing_is_left_missing():
    X = np.random.default_rng(0).random((30, 8)).astype(np.float32)
    holed = with_holes(X, 0.4)
    holed[3] = np.nan  # a row with nothing observed
    seen = ~np.isnan(holed)
    for model in (
        VAE(8, 2),
        VAE(8, 2, likelihood=Masked(BernoulliNLL())),
        Autoencoder(8, 2),
        VAE((2, 4), 2),
    ):
        given = holed.reshape(-1, *model.input_shape)
        filled = model.impute(given, steps=4)
        assert filled.dtype == np.float32 and np.isfinite(filled).all()
        assert np.array_equal(filled.reshape(30, 8)[seen], X[seen])
        assert np.array_equal(model.impute(given, steps=4), filled)
    assert np.array_equal(Autoencoder(8, 2).impute(X), X)
    draws = VAE(8, 2).impute(holed, steps=4, n_draws=3)
    assert draws.shape == (3, 30, 8)
    assert not np.array_equal(draws[0], draws[1])


@pytest.mark.parametrize(
    "model, X, options, message",
    [
        (VAE(3), [[0.5, NAN, 2.0]], {}, r"X\[0, 2\] is 2.0"),
        (VAE(3), [[0.5, NAN, np.inf]], {}, r"X\[0, 2\] is inf"),
        (VAE(3), [[0.5, NAN]], {}, "must have shape"),
        (VAE(3), [0.5, NAN, 0.1], {}, "must have shape"),
        (VAE(3), [[0.5, NAN, 0.1]], {"steps": 1}, "steps=1"),
        (VAE(3), [[0.5, NAN, 0.1]], {"n_draws": 0}, "n_draws=0"),
        (Autoencoder(3), [[0.5, NAN, 0.1]], {"n_draws": 2}, "Autoencoder does not draw"),
        (VAE(3), [[0.5, NAN, 0.1]], {"start": 7.0}, r"X\[0, 1\] is 7.0"),
    ],
)
def test_impute_refuses_what_does_not_fit(model, X, options, message):
    with pytest.raises(ValueError, match=message):
        model.impute(X, **options)


def rank_two(seed=0):
    """Return rows of rank 2 in 8 dimensions, and the same with 40 % missing."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((400, 2)) @ rng.standard_normal((2, 8)) / 2
    return X, with_holes(X, 0.4, seed + 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_trained_autoencoder_imputes_better_than_the_mean_whatever_its_networks(seed):
    X, holed = rank_two(seed)
    gone = np.isnan(holed)
    zeros = np.sqrt(np.mean(X[gone] ** 2))  # of rows whose mean is 0
    for loss, data in ((SquaredError(), X), (Masked(SquaredError()), holed)):
        ae = Autoencoder(8, 2, (), loss=loss, seed=seed)
        ae.fit(data, epochs=40, optimizer=Adam(0.01), verbose=0)
        filled = ae.impute(holed)
        assert np.sqrt(np.mean((filled - X)[gone] ** 2)) < zeros


@pytest.mark.slow
def test_a_masked_autoencoder_fits_the_observed_entries_better_than_one_pass_does():
    _, holed = rank_two()
    ae = Autoencoder(8, 2, (6,), loss=Masked(SquaredError()), dtype="float64")
    ae.fit(holed, epochs=10, optimizer=Adam(0.01), verbose=0)
    gone = np.isnan(holed)
    filled = ae.impute(holed)
    assert not gone[:, 0].all() and np.isfinite(filled).all()
    # What is filled in is the decoding of a code: that of the encoder, or a better one.
    z, _ = missing.encoded(ae, holed, holed)
    found = missing.find_codes(ae, holed, holed, 100)
    energy, better = (
        missing.code_energy(ae, codes, missing.Observed(ae.reconstruction_loss, holed))[0]
        for codes in (z, found)
    )
    assert (better <= energy).all() and better.sum() < 0.9 * energy.sum()
    some = gone.any(axis=1)  # rows without holes are not searched
    found = missing.find_codes(ae, holed[some], holed[some], 300)
    assert np.allclose(filled[some][gone[some]], ae.decode(found)[gone[some]])


def test_counts_cannot_be_imputed_and_codes_cannot_be_missing():
    with pytest.raises(ValueError, match="shares of counts, not their sum"):
        Autoencoder(3, 2, loss="multinomial").impute([[1.0, NAN, 2.0]])
    with pytest.raises(ValueError, match=r"Z\[0, 1\] is nan, but Z must be finite$"):
        VAE(3, 2, likelihood=Masked(BernoulliNLL())).decode([[0.1, NAN]])


def test_a_masked_array_is_missing_where_it_is_masked_and_refused_where_nothing_may_be_missing():
    model, X = Autoencoder(4, 2, (5,)), np.random.default_rng(0).random((6, 4))
    hidden = np.ma.array(X, mask=X > 0.8)
    np.testing.assert_array_equal(model.impute(hidden), model.impute(np.where(X > 0.8, np.nan, X)))
    for call in (model.encode, model.evaluate, model.fit, model.anomaly_score):
        with pytest.raises(ValueError, match=r"filled\(np.nan\)"):
            call(hidden)
    np.testing.assert_array_equal(model.encode(np.ma.array(X)), model.encode(X))


@pytest.mark.parametrize("start", [np.ones((7, 4)), np.nan, np.ones((2, 6, 4)), np.inf, np.ones(3)])
def test_a_start_that_does_not_fit_is_refused_by_name(start):
    with pytest.raises(ValueError, match="start of shape .* broadcast to X"):
        Autoencoder(4, 2, (5,)).impute(np.full((6, 4), 0.5), start=start)


def test_imputed_data_have_the_dtype_of_those_given_and_words_are_no_numbers():
    model, X = Autoencoder(4, 2, (5,)), np.random.default_rng(0).random((6, 4))
    for dtype in (np.float16, np.float32, np.float64):
        assert model.impute(X.astype(dtype), steps=3).dtype == dtype
    assert model.impute(np.ones((2, 4), int), steps=3).dtype == np.float64
    for bad in (np.full((2, 4), "0.5"), np.full((2, 4), 1j)):
        with pytest.raises(TypeError, match="X must hold real numbers, NaN where missing"):
            model.impute(bad)


def test_data_far_out_are_imputed_without_a_warning():
    X = np.random.default_rng(0).random((6, 4)) * 1e30
    X[:, 1] = np.nan
    with pytest.raises(ValueError, match="within"):
        Autoencoder(4, 2, (5,)).impute(X)  # of the cross-entropy, data are in [0, 1]
    Autoencoder(4, 2, (5,), loss="mse").impute(X)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes", "digits"])
def test_a_vae_of_complete_rows_imputes_real_tables_better_than_column_means(name):
    X = getattr(pytest.importorskip("sklearn.datasets"), f"load_{name}")().data
    X = np.random.default_rng(0).permutation(X)[:300]
    X = X[:, X.std(axis=0) > 0.3 * X.std()] if name == "digits" else X  # not the empty pixels
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    n = 2 * len(X) // 3
    vae = VAE(X.shape[1], X.shape[1] // 2, (64,), likelihood="gaussian")
    vae.fit(X[:n], epochs=100, batch_size=32, optimizer=Adam(3e-3), verbose=0)
    for share in (0.1, 0.3, 0.5):
        holed = with_holes(X[n:], share)
        gone = np.isnan(holed)
        rmse = np.sqrt(np.mean((vae.impute(holed, steps=100) - X[n:])[gone] ** 2))
        assert rmse < 0.97 * np.sqrt(np.mean((X[n:] - X[:n].mean(axis=0))[gone] ** 2)), share
    assert np.isfinite(vae.impute(holed, steps=10, n_draws=2)).all()


@pytest.mark.slow
def test_a_conditional_model_imputes_with_its_label_and_refuses_without():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200)
    X = np.where(labels[:, None] == 1, 3.0, -3.0) + 0.1 * rng.standard_normal((200, 4))
    cvae = ConditionalVAE(4, 1, (8,), n_classes=2, likelihood=GaussianNLL(0.3))
    cvae.fit(X, labels=labels, epochs=20, batch_size=20, optimizer=Adam(0.02), verbose=0)
    empty = np.full((3, 4), NAN)
    for label, mean in ((0, -3), (1, 3)):
        assert np.abs(cvae.given(label).impute(empty) - mean).max() < 1
        assert abs(cvae.given(label).impute(empty, n_draws=20, steps=4).mean() - mean) < 1.5
    with pytest.raises(ValueError, match="labels=None"):
        cvae.impute(empty)


@pytest.mark.parametrize("masked", [False, True])
def test_convolutional_models_impute(masked):
    likelihood = Masked("bernoulli") if masked else "bernoulli"
    encoder, decoder = conv_networks((8, 8), 3, channels=(4, 4), variational=True)
    vae = VAE((8, 8), 3, encoder=encoder, decoder=decoder, likelihood=likelihood)
    X = with_holes(np.random.default_rng(0).random((20, 8, 8)), 0.3)
    draws = vae.impute(X, steps=4, n_draws=2)
    assert draws.shape == (2, 20, 8, 8) and np.isin(draws[:, np.isnan(X)], [0, 1]).all()
    guess = vae.impute(X, steps=4)
    assert ((guess >= 0) & (guess <= 1)).all()
    assert np.array_equal(guess[~np.isnan(X)], X[~np.isnan(X)])


def test_draws_of_more_rows_than_one_slice_keep_their_order():
    X = with_holes(np.random.default_rng(0).random((600, 3)), 0.3)
    draws = VAE(3, 1, (4,)).impute(X, steps=2, n_draws=3)  # 1800 chains, 1024 at a time
    seen = ~np.isnan(X)
    assert all(np.array_equal(draw[seen], X[seen]) for draw in draws)
    assert np.isin(draws[:, ~seen], [0, 1]).all()


def test_start_may_be_a_masked_array_without_hidden_entries_only():
    model, X = Autoencoder(4, 2, (5,)), np.full((6, 4), 0.5)
    X[0, 0] = NAN
    start = np.ma.array(np.full((6, 4), 0.3), mask=np.zeros((6, 4), bool))
    assert np.array_equal(model.impute(X, start=start), model.impute(X, start=0.3))
    start[2, 2] = np.ma.masked
    with pytest.raises(ValueError, match="start is a masked array with hidden entries"):
        model.impute(X, start=start)


def test_rows_without_holes_come_back_at_once(monkeypatch):
    X = np.random.default_rng(0).random((5000, 4))
    model, rows = VAE(4, 1, (4,)), []
    search = missing.find_codes
    monkeypatch.setattr(
        missing, "find_codes", lambda m, x, *rest: rows.append(len(x)) or search(m, x, *rest)
    )
    assert np.array_equal(model.impute(X), X)
    assert np.array_equal(model.impute(X, n_draws=2, steps=4), np.stack([X, X])) and not rows
    X[[3, 4000], 2] = NAN
    filled = model.impute(X, steps=4)
    assert rows == [2] and np.isfinite(filled).all()
