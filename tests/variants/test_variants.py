import numpy as np
import pytest

from miniae import (
    VAE,
    BernoulliNLL,
    ConditionalVAE,
    ImportanceWeightedVAE,
    Masked,
    gradient_check,
)

LABELS = np.array([2, 0, 1, 1, 0, 2, 2, 0])


@pytest.mark.parametrize(
    "model",
    [
        ConditionalVAE(6, 2, (5,), n_classes=3, beta=2.0, seed=3),
        ImportanceWeightedVAE(6, 2, (5,), k=4, likelihood="gaussian", seed=3),
    ],
)
def test_a_variant_survives_its_file_and_get_params(model, tmp_path):
    X = np.random.default_rng(0).random((8, 6))
    side = {"labels": LABELS} if isinstance(model, ConditionalVAE) else {}
    model.fit(X, epochs=1, verbose=0, **side)
    model.save(tmp_path / "a.npz")
    again = type(model).load(tmp_path / "a.npz")
    assert np.array_equal(again.elbo(X, **side), model.elbo(X, **side))
    assert type(model)(**model.get_params()).get_params() == model.get_params()
    assert model.set_params(latent_dim=3).latent_dim == 3


@pytest.mark.slow
def test_masked_entries_train_the_variants_too():
    rng = np.random.default_rng(0)
    X = rng.random((8, 6))
    X[rng.random(X.shape) < 0.3] = np.nan
    likelihood = Masked(BernoulliNLL())
    report = gradient_check(
        ImportanceWeightedVAE(6, 2, (5,), k=3, likelihood=likelihood), X, tolerance=1e-12
    )
    assert report.ok, report
    model = ConditionalVAE(6, 2, (5,), n_classes=3, likelihood=likelihood)
    assert gradient_check(model, X, labels=LABELS, tolerance=1e-12).ok


@pytest.mark.parametrize(
    "model",
    [
        ConditionalVAE(6, 2, (5,), n_classes=3, beta=2.0),
        ImportanceWeightedVAE(6, 2, k=3),
        VAE(6, 2, likelihood=Masked(BernoulliNLL())),
    ],
    ids=repr,
)
def test_scikit_learn_clones_a_variant(model):
    base = pytest.importorskip("sklearn.base")
    clone = base.clone(model)
    assert type(clone) is type(model) and clone is not model
    assert repr(clone.get_params()) == repr(model.get_params())
