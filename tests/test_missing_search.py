"""The search for codes of incomplete rows does no work that nothing uses, and finds the same."""

import numpy as np
import pytest

from miniae import VAE, Autoencoder, BernoulliNLL, CategoricalNLL, GaussianNLL, Masked, missing
from miniae.likelihoods import Mixed

LOSSES = [BernoulliNLL(), GaussianNLL(0.7), Mixed([("bernoulli", 4), (CategoricalNLL(3), 3)])]


def rows_with_holes(rng):
    x = rng.random((9, 7))
    x[:, 4:] = np.eye(3)[rng.integers(3, size=9)]
    x[rng.random((9, 7)) < 0.3] = np.nan
    category = np.isnan(x[:, 4:]).any(axis=1)
    x[category, 4:] = np.nan
    return x


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_fixed_rows_have_the_loss_and_the_gradient_of_the_masked_loss(loss):
    rng = np.random.default_rng(0)
    x, out = rows_with_holes(rng), rng.standard_normal((9, 7))
    rows, full = missing.Observed(loss, x), Masked(loss)
    assert np.allclose(rows.per_sample(out), full.per_sample(out, x), rtol=1e-14, atol=0)
    assert np.array_equal(rows.slopes(out), full.backward(np.ones(9)))
    assert np.array_equal(missing.Observed(full, x).slopes(out), rows.slopes(out))


def test_an_entry_that_is_missing_adds_nothing_even_if_its_loss_overflows():
    x, out = np.array([[0.5, np.nan]]), np.array([[1.0, 1e200]])
    rows = missing.Observed(GaussianNLL(1.0), x)
    with np.errstate(over="ignore", invalid="ignore"):
        found = rows.per_sample(out)
    assert np.allclose(found, Masked(GaussianNLL(1.0)).per_sample(np.array([[1.0, 0.0]]), x))
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isinf(rows.per_sample(np.array([[1e200, 0.0]]))).all()


def test_a_category_that_is_missing_in_part_is_refused():
    with pytest.raises(ValueError, match="some columns of a one-hot feature are NaN"):
        missing.Observed(CategoricalNLL(3), np.array([[1.0, 0.0, np.nan]]))


@pytest.mark.parametrize("model", [VAE(7, 2, (5,)), Autoencoder(7, 2, (5, 4))], ids=repr)
def test_imputing_leaves_the_model_and_its_gradients_as_they_are(model):
    rng = np.random.default_rng(1)
    x = rng.random((4, 7))
    model.loss(x)
    model.backward()
    before = model.dtheta.copy()
    kinds = [type(part) for _, part in model.walk()]
    model.impute(np.where(rng.random((4, 7)) < 0.4, np.nan, x), steps=3)
    assert np.array_equal(model.dtheta, before) and np.abs(before).max() > 0
    assert [type(part) for _, part in model.walk()] == kinds


def test_a_fixed_layer_passes_the_same_dx_on_and_fills_no_grads():
    rng = np.random.default_rng(2)
    model = VAE(7, 2, (5,), dtype="float64")
    z, dout = rng.standard_normal((3, 2)), rng.standard_normal((3, 7))
    model.decoder.forward(z)
    dz = model.decoder.backward(dout)
    model.dtheta[:] = 0
    missing.fix(model.decoder)
    model.decoder.forward(z)
    assert np.array_equal(model.decoder.backward(dout), dz) and not model.dtheta.any()
    with pytest.raises(ValueError, match="dout has shape"):
        model.decoder.backward(dout[:2])
