import numpy as np
import pytest

from miniae import (
    VAE,
    Adam,
    BernoulliNLL,
    Condition,
    ConditionalVAE,
    Dense,
    GaussianNLL,
    ImportanceWeightedVAE,
    Masked,
    Sequential,
    gradient_check,
)

LABELS = np.array([2, 0, 1, 1, 0, 2, 2, 0])


def conditional(shape=6, **options):
    rng = np.random.default_rng(0)
    sizes = shape if np.ndim(shape) else (shape,)
    model = ConditionalVAE(shape, 2, (5,), n_classes=3, dtype="float64", **options)
    return model, rng.random((8, *sizes))


def test_the_one_hot_label_goes_into_both_halves():
    model, X = conditional()
    one_hot = np.eye(3)[LABELS]
    h = np.hstack([X, one_hot])
    for layer in model.encoder.layers[2:]:
        h = layer.forward(h)
    assert np.allclose(model.encode(X, labels=LABELS), h[:, :2], rtol=1e-12)
    assert np.allclose(model.posterior(X, labels=LABELS)[1], h[:, 2:], rtol=1e-12)
    logits = np.hstack([h[:, :2], one_hot])
    for layer in model.decoder.layers[1:-1]:
        logits = layer.forward(logits)
    p = 1 / (1 + np.exp(-logits))
    assert np.allclose(model.decode(h[:, :2], labels=LABELS), p, rtol=1e-12)
    assert np.allclose(model.reconstruct(X, labels=LABELS), p, rtol=1e-12)


def test_the_loss_of_a_mixed_batch_is_the_mean_of_its_classes():
    model, X = conditional((2, 3))
    eps = np.random.default_rng(1).standard_normal((8, 2))
    whole = model.loss(X, labels=LABELS, eps=eps)
    parts = [
        model.given(c).loss(X[LABELS == c], eps=eps[LABELS == c]) * (LABELS == c).sum()
        for c in range(3)
    ]
    assert whole == pytest.approx(sum(parts) / 8, rel=1e-12)


def test_gradients_of_a_conditional_vae_are_right_for_networks_of_ones_own_too():
    encoder = Sequential(Condition(3), Dense(9, 4, rng=1))
    decoder = Sequential(Dense(2, 4, rng=2), Condition(3), Dense(7, 6, rng=3))
    model = ConditionalVAE(6, 2, n_classes=3, encoder=encoder, decoder=decoder)
    X = np.random.default_rng(0).random((8, 6))
    report = gradient_check(model, X, labels=LABELS, tolerance=1e-12)
    assert report.ok, report


def test_a_model_given_a_label_is_a_plain_vae():
    model, X = conditional((2, 3))
    ones = model.given(1)
    assert np.array_equal(ones.sample(4, seed=3), model.sample(4, seed=3, labels=1))
    assert np.array_equal(ones.encode(X), model.encode(X, labels=np.ones(8, int)))
    assert ones.elbo(X).shape == ones.log_likelihood(X, k=3).shape == (8,)
    assert ones.traverse(steps=3).shape == (2, 3, 2, 3)
    assert ones.interpolate(X[0], X[1]).shape == (10, 2, 3)
    assert np.isfinite(ones.evaluate(X)) and np.isfinite(ones.score(X))
    ones.summary(print_fn=lambda line: None)


def test_samples_may_each_have_their_label():
    model, _ = conditional()
    labels = np.array([0, 1, 2, 0])
    mixed = model.sample(4, seed=3, labels=labels)
    for i, label in enumerate(labels):
        assert np.allclose(mixed[i], model.sample(4, seed=3, labels=label)[i], rtol=1e-12)


def test_fit_takes_labels_splits_and_shuffles_them_with_the_rows():
    # Rows of class c are c / 2 throughout: with labels and a latent that is switched off by beta,
    # the decoder can know the class from the label alone.
    labels = np.random.default_rng(0).integers(3, size=300)
    X = np.repeat(labels[:, None] / 2, 4, axis=1).astype(np.float32)
    model = ConditionalVAE(4, 1, (), n_classes=3, beta=100.0)
    model.fit(X, labels=labels, epochs=60, optimizer=Adam(0.03), validation_split=0.2, verbose=0)
    out = model.sample(3, labels=[0, 1, 2])
    assert np.abs(out - [[0], [0.5], [1]]).max() < 0.1
    assert len(model.history["val_loss"]) == 60
    again = ConditionalVAE(4, 1, (), n_classes=3)
    validation = X[:9], None, labels[:9]
    again.fit(X, labels=labels, epochs=1, validation_data=validation, verbose=0)
    assert again.history["val_loss"][0] == pytest.approx(again.evaluate(X[:9], labels=labels[:9]))
    codes = again.fit_transform(X, labels=labels, epochs=1, verbose=0)
    assert np.array_equal(codes, again.encode(X, labels))
    assert again.kl_per_dimension(X, labels=labels).shape == (1,)
    assert again.active_units(X, labels=labels) in (0, 1)
    assert again.posterior_sample(X, 2, labels=labels).shape == (2, 300, 1)


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, "pass labels=, one per row"),
        ([0, 1], r"shape \(8,\), got int64 of shape \(2,\)"),
        (LABELS + 1, "from 1 to 3, but there are n_classes=3"),
        (LABELS - 1, "from -1 to 1"),
        (LABELS / 1.0, "must be integers"),
        (np.eye(3)[LABELS], "must be integers"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_any_training(labels, message):
    model, X = conditional()
    before = model.theta.copy()
    for call in (
        lambda: model.fit(X, labels=labels, verbose=0),
        lambda: model.encode(X, labels=labels),
        lambda: model.loss(X, labels=labels),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert np.array_equal(model.theta, before)


def test_a_model_without_use_for_labels_says_so():
    X = np.random.default_rng(0).random((8, 6))
    with pytest.raises(TypeError, match="VAE takes no argument 'labels'"):
        VAE(6).fit(X, labels=LABELS, verbose=0)
    with pytest.raises(TypeError, match="takes no argument 'epoch'"):
        VAE(6).fit(X, epoch=3, verbose=0)


def test_networks_without_a_place_for_the_label_are_refused():
    with pytest.raises(ValueError, match=r"encoder needs a Condition\(3\) layer"):
        ConditionalVAE(6, 2, n_classes=3, encoder=Sequential(Dense(6, 4)))
    with pytest.raises(ValueError, match="n_classes=0"):
        ConditionalVAE(6, 2, n_classes=0)


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


@pytest.mark.parametrize("n_draws", [3, 5])
def test_posterior_draws_decode_with_the_labels_of_their_rows(n_draws):
    model, X = conditional()
    labels = LABELS[:3]
    Z = model.posterior_sample(X[:3], n_draws, seed=0, labels=labels)
    decoded = model.decode(Z, labels=labels)
    for i in range(n_draws):
        assert np.allclose(decoded[i], model.decode(Z[i], labels=labels), rtol=1e-12)


def test_labels_reach_the_rows_of_every_block(monkeypatch):
    model, X = conditional()
    X, labels = np.tile(X, (4, 1)), np.tile(LABELS, 4)
    whole = model.posterior(X, labels)[1], model.decode(model.encode(X, labels), labels)
    log_p = model.log_likelihood(X, 5, labels=labels)
    monkeypatch.setattr("miniae.plumbing.batches.ROWS", 5)
    assert np.allclose(model.posterior(X, labels)[1], whole[0], rtol=1e-12)
    assert np.allclose(model.decode(model.encode(X, labels), labels), whole[1], rtol=1e-12)
    assert model.log_likelihood(X, 5, labels=labels).shape == log_p.shape


def test_log_likelihood_takes_each_rows_label():
    model, X = conditional()
    model.encoder.theta = np.zeros_like(model.encoder.theta)  # q is the prior: w = p(x|z)
    model.decoder.layers[1].params["W"][2:] *= 5  # the label has a great effect
    log_p = model.log_likelihood(X, 4000, labels=LABELS)
    other = model.log_likelihood(X, 4000, labels=(LABELS + 1) % 3)
    # log of a mean of 4000 draws, whose standard deviation is about their mean: 5 standard errors
    bound = 5 / np.sqrt(4000)
    assert np.abs(log_p - other).max() > 6 * bound
    for c in range(3):
        alone = model.given(c).log_likelihood(X[LABELS == c], 4000)
        assert np.allclose(log_p[LABELS == c], alone, rtol=0, atol=bound)


def test_a_given_model_keeps_its_label_and_is_for_looking_only():
    model, X = conditional()
    ones = model.given(1)
    sample = ones.sample(2, seed=0)
    ones.loss(X[:1], labels=[2])
    ones.evaluate(X)
    assert np.array_equal(ones.sample(2, seed=0), sample)
    with pytest.raises(ValueError, match="original model"):
        ones.fit(X, labels=LABELS, verbose=0)
    model.loss(X, labels=LABELS)
    with pytest.raises(ValueError, match="pass labels="):
        model.impute(X)
    assert model.given(2).impute(X, steps=2).shape == X.shape


def test_evaluation_of_many_draws_takes_fewer_rows_at_a_time(monkeypatch):
    rows = []
    model = ImportanceWeightedVAE(6, 2, (5,), k=300)
    forward = model.decoder.forward
    monkeypatch.setattr(model.decoder, "forward", lambda z, t: rows.append(len(z)) or forward(z, t))
    model.evaluate(np.random.default_rng(0).random((50, 6)))
    assert max(rows) <= 1024
