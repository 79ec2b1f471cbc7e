import numpy as np
import pytest

from miniae import (
    VAE,
    GaussianNLL,
    ImportanceWeightedVAE,
)


def exact_posterior(k):
    """Return a model whose q(z|x) is p(z|x), and log p(x): x = W z + b + noise, W orthogonal."""
    rng = np.random.default_rng(0)
    sigma, scale, b = 0.7, np.array([1.5, 0.4]), rng.standard_normal(5)
    W = (np.linalg.qr(rng.standard_normal((5, 2)))[0] * scale).T  # (2, 5)
    precision = 1 + scale**2 / sigma**2
    model = ImportanceWeightedVAE(5, 2, (), k=k, likelihood=GaussianNLL(sigma), dtype="float64")
    to_mu = W.T / sigma**2 / precision
    model.encoder.layers[0].params["W"] = np.hstack([to_mu, np.zeros((5, 2))])
    model.encoder.layers[0].params["b"] = np.concatenate([-b @ to_mu, -np.log(precision)])
    model.decoder.layers[0].params.update(W=W, b=b)
    X = rng.standard_normal((9, 5))
    C = W.T @ W + sigma**2 * np.eye(5)
    mahalanobis = np.einsum("ij,jk,ik->i", X - b, np.linalg.inv(C), X - b)
    return model, X, -0.5 * (mahalanobis + np.linalg.slogdet(2 * np.pi * C)[1])


@pytest.mark.parametrize("k", [1, 7])
def test_with_the_exact_posterior_the_bound_is_log_p_whatever_the_noise(k):
    model, X, log_p = exact_posterior(k)
    for seed in range(3):
        eps = np.random.default_rng(seed).standard_normal((k, 9, 2))
        assert -model.loss(X, eps=eps) == pytest.approx(log_p.mean(), rel=1e-13)


@pytest.mark.slow
def test_the_bound_tightens_with_k():
    X, bounds = np.random.default_rng(0).random((200, 6)), []
    for k in (1, 5, 50):
        model = ImportanceWeightedVAE(6, 2, (5,), k=k, dtype="float64")
        model.encoder.layers[-1].params["b"] = [0.5, -0.5, -1.0, 0.7]  # a poor posterior
        bounds.append(-model.evaluate(X))
    log_p = model.log_likelihood(X, k=2000).mean()
    assert bounds[0] < bounds[1] < bounds[2] < log_p + 1e-3


def test_at_one_draw_the_bound_is_the_elbo_with_the_kl_by_draws():
    X, rng = np.random.default_rng(0).random((30, 6)), np.random.default_rng(1)
    vae = VAE(6, 2, (5,), dtype="float64")
    weighted = ImportanceWeightedVAE(6, 2, (5,), k=1, dtype="float64")
    weighted.theta = vae.theta
    eps = rng.standard_normal((30, 2))
    mu, log_var = vae.posterior(X)
    z = mu + eps * np.exp(log_var / 2)
    kl_by_draw = 0.5 * (z**2 - eps**2 - log_var).sum(axis=1).mean()
    vae.loss(X, eps=eps)
    expected = vae.terms["reconstruction"] + kl_by_draw
    assert weighted.loss(X, eps=eps[None]) == pytest.approx(expected, rel=1e-12)


def test_far_out_weights_do_not_overflow():
    model = ImportanceWeightedVAE(6, 2, (5,), k=5, likelihood=GaussianNLL(1e-2))
    X = 30 * np.random.default_rng(0).standard_normal((8, 6))  # log p is about -1e7
    assert np.isfinite(model.loss(X))
    model.backward()
    assert np.isfinite(model.dtheta).all()


def test_the_importance_weighted_model_refuses_what_it_has_no_use_for():
    with pytest.raises(ValueError, match=r"\['beta'\]: the importance-weighted bound"):
        ImportanceWeightedVAE(6, beta=2.0)
    with pytest.raises(ValueError, match="k=0"):
        ImportanceWeightedVAE(6, k=0)
    model = ImportanceWeightedVAE(6, 2, k=3)
    with pytest.raises(ValueError, match=r"eps has shape \(8, 2\), expected \(3, 8, 2\)"):
        model.loss(np.full((8, 6), 0.5), eps=np.zeros((8, 2)))


def test_evaluation_of_many_draws_takes_fewer_rows_at_a_time(monkeypatch):
    rows = []
    model = ImportanceWeightedVAE(6, 2, (5,), k=300)
    forward = model.decoder.forward
    monkeypatch.setattr(model.decoder, "forward", lambda z, t: rows.append(len(z)) or forward(z, t))
    model.evaluate(np.random.default_rng(0).random((50, 6)))
    assert max(rows) <= 1024
