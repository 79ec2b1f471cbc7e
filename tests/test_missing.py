import numpy as np
import pytest

from miniae import (
    VAE,
    Autoencoder,
    BernoulliNLL,
    GaussianNLL,
    Masked,
    MultinomialNLL,
    SquaredError,
)

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
    assert np.array_equal(masked.per_sample(out, target), loss.per_sample(out, target))
    loss.forward(out, target), masked.forward(out, target)
    assert np.array_equal(masked.backward(), loss.backward())
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


def test_rows_with_holes_train_and_the_holes_do_not_matter():
    X = with_holes(np.random.default_rng(0).random((60, 8)), 0.3)
    for model in (
        VAE(8, 2, (6,), likelihood=Masked(BernoulliNLL())),
        VAE((2, 4), 2, (6,), likelihood=Masked(GaussianNLL(learn_sigma=True))),
        Autoencoder(8, 2, (6,), loss=Masked(SquaredError())),
    ):
        data = X.reshape(-1, *model.input_shape)
        model.fit(data, epochs=3, validation_split=0.2, verbose=0)
        assert np.isfinite(model.theta).all() and np.isfinite(model.history["val_loss"]).all()
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
    with pytest.raises(TypeError, match="takes a Loss"):
        Masked("bernoulli")
    with pytest.raises(ValueError, match="squared error is no likelihood"):
        VAE(3, 2, likelihood=Masked(SquaredError()))


def test_a_masked_model_survives_its_file(tmp_path):
    X = with_holes(np.random.default_rng(0).random((9, 5)), 0.5)
    vae = VAE(5, 2, (6,), likelihood=Masked(GaussianNLL(0.3))).fit(X, epochs=1, verbose=0)
    vae.save(tmp_path / "a.npz")
    again = VAE.load(tmp_path / "a.npz")
    assert np.array_equal(again.elbo(X), vae.elbo(X))
