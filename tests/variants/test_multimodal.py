"""The multi-modal VAE against the closed form, and what it does when modalities are missing."""

import copy
import itertools
import pickle

import numpy as np
import pytest

from miniae import (
    Adam,
    BatchNorm,
    BernoulliNLL,
    CategoricalNLL,
    ColumnGaussianNLL,
    Dense,
    GaussianNLL,
    GaussianPrior,
    Masked,
    MixturePrior,
    MultimodalVAE,
    MultinomialNLL,
    Sequential,
    Sigmoid,
    SquaredError,
    check_function,
    check_training,
    gradient_check,
)
from miniae.proof.bugzoo.multimodal import every_subset, exact_answers, linear_experts
from miniae.proof.oracles import conditional_gaussian, gaussian_log_density, sigma_points
from miniae.variants.experts import ProductEncoder, product_of_experts, product_of_experts_grad

N = 9
SIZES = {"image": (3, 2), "text": 4, "sound": 3}
LIKELIHOOD = {"image": "bernoulli", "text": CategoricalNLL(2), "sound": "gaussian"}


def model(**options):
    """Return a model of three modalities with random weights."""
    made = MultimodalVAE(
        SIZES, 2, (3,), **{"likelihood": LIKELIHOOD, "dtype": "float64", **options}
    )
    made.theta += 0.5 * np.random.default_rng(1).standard_normal(made.theta.size)
    return made


def data(seed=0, n=N):
    """Return complete data of three modalities, a dict."""
    rng = np.random.default_rng(seed)
    text = np.eye(2)[rng.integers(2, size=(n, 2))].reshape(n, 4)
    return {"image": rng.random((n, 3, 2)), "text": text, "sound": rng.standard_normal((n, 3))}


def incomplete(seed=0):
    """Return data with every pattern of missing modalities; row 7 has nothing."""
    X = data(seed)
    for row, gone in enumerate(itertools.product([False, True], repeat=3)):
        for each, is_gone in zip(X.values(), gone, strict=True):
            if is_gone:
                each[row] = np.nan
    return X


def experts(rng, k=3, n=8, d=2):
    """Return means and log variances of k experts, in every pattern of missing: row 0 has all."""
    mu, log_var = rng.standard_normal((2, k, n, d))
    gone = np.array(list(itertools.product([False, True], repeat=k))).T[:, :n]
    mu[gone], log_var[gone] = 0, np.inf
    prior = np.array([0.3, -0.7]), np.array([0.2, -0.5])
    mu = np.concatenate([np.broadcast_to(prior[0], (1, n, d)), mu])
    return mu, np.concatenate([np.broadcast_to(prior[1], (1, n, d)), log_var])


# The product.


def test_the_product_is_the_posterior_of_a_gaussian_seen_by_each_subset_of_experts():
    """An expert N(z; m, v) is what one sees who measured y = m with y = z + noise of variance v."""
    mu, log_var = experts(np.random.default_rng(0))
    got_mu, got_log_var, share = product_of_experts(mu, log_var)
    for row, j in np.ndindex(got_mu.shape):
        there = np.flatnonzero(np.isfinite(log_var[1:, row, j])) + 1
        v = np.exp(log_var[:, row, j])
        mean = np.full(1 + len(there), mu[0, row, j])
        covariance = np.full((len(mean), len(mean)), v[0])
        covariance[np.arange(1, len(mean)), np.arange(1, len(mean))] += v[there]
        y = np.append(np.nan, mu[there, row, j])
        filled, spread = conditional_gaussian(mean, covariance, y)
        assert got_mu[row, j] == pytest.approx(filled[0], abs=1e-12)
        assert np.exp(got_log_var[row, j]) == pytest.approx(spread[0, 0], rel=1e-12)
    np.testing.assert_allclose(share.sum(axis=0), 1, rtol=1e-14)


@pytest.mark.parametrize("which", [0, 1])
def test_the_gradients_of_the_product_are_exact_with_every_subset_missing(which):
    rng = np.random.default_rng(2)
    arrays, there = list(experts(rng)), np.isfinite(experts(np.random.default_rng(2))[1])
    dmu, dlog_var = rng.standard_normal((2, 8, 2))

    def parts(values):
        moved = [np.array(a, values.dtype) for a in arrays]
        moved[which][there] = values
        return moved

    def f(values):
        mu, log_var, _ = product_of_experts(*parts(values))
        return (mu * dmu + log_var * dlog_var).sum()

    def gradient(values):
        mu, log_var = parts(values)
        product_mu, _, share = product_of_experts(mu, log_var)
        both = product_of_experts_grad(dmu, dlog_var, mu, product_mu, share)
        assert not both[0][~there].any() and not both[1][~there].any()
        return both[which][there]

    report = check_function(f, gradient, arrays[which][there], tolerance=1e-12)
    assert report.ok, report


@pytest.mark.parametrize("size", [50.0, 700.0, 1e5])
def test_very_sure_and_very_unsure_experts_do_not_overflow(size):
    mu = np.array([0.0, 2.0, 5.0])[:, None, None]
    log_var = np.array([0.0, -size, size])[:, None, None]
    with np.errstate(all="raise", under="ignore"):
        got, spread, share = product_of_experts(mu, log_var)
        alone, width, _ = product_of_experts(mu[[0, 2]], log_var[[0, 2]])
        gradients = product_of_experts_grad(np.ones((1, 1)), np.ones((1, 1)), mu, got, share)
    assert got[0, 0] == pytest.approx(2) and spread[0, 0] == pytest.approx(-size)
    assert alone[0, 0] == pytest.approx(0, abs=1e-20) and width[0, 0] == pytest.approx(0, abs=1e-20)
    assert np.isfinite(gradients).all()


def test_two_equally_sure_experts_halve_the_variance_and_meet_in_the_middle():
    mu, log_var, share = product_of_experts(
        np.array([[[1.0]], [[4.0]]]), np.full((2, 1, 1), np.log(0.5))
    )
    assert mu[0, 0] == pytest.approx(2.5) and np.exp(log_var[0, 0]) == pytest.approx(0.25)
    assert share.ravel() == pytest.approx([0.5, 0.5])


# The closed form of the whole model.


@pytest.mark.parametrize("seed", range(3))
def test_linear_experts_are_exact_with_every_subset_of_the_modalities_missing(seed):
    made, mean, covariance = linear_experts(MultimodalVAE, seed)
    x = every_subset(made, mean, covariance, seed)
    means, variances, log_p = exact_answers(made, mean, covariance, x)
    mu, log_var = made.posterior(x)
    np.testing.assert_allclose(mu, means, rtol=0, atol=1e-10)
    np.testing.assert_allclose(np.exp(log_var), variances, rtol=1e-10)
    # The ELBO is log p(x) of what is there: the loss is quadratic in the noise.
    for row, exact in zip(x, log_p, strict=True):
        bound = -np.mean([made.loss(row[None], eps=eps[None]) for eps in sigma_points(2)])
        assert bound == pytest.approx(exact, abs=1e-10)
    np.testing.assert_allclose(made.log_likelihood(x, k=2), log_p, rtol=0, atol=1e-10)


def test_the_mean_elbo_over_the_data_is_that_of_the_closed_form():
    made, mean, covariance = linear_experts(MultimodalVAE, 5)
    x = np.tile(every_subset(made, mean, covariance, 5), (500, 1))
    exact = exact_answers(made, mean, covariance, x[:8])[2].mean()
    elbo = made.elbo(x)
    assert abs(elbo.mean() - exact) < 5 * elbo.std() / np.sqrt(len(x))


@pytest.mark.slow
def test_training_reaches_the_likelihood_of_factor_analysis():
    rng = np.random.default_rng(0)
    W = np.array([[1.0, -0.8, 0.9, 0.7]])  # with one latent every posterior is diagonal
    x = rng.standard_normal((3000, 1)) @ W + 0.5 * rng.standard_normal((3000, 4))
    X = {"a": x[:, :2].copy(), "b": x[:, 2:].copy()}
    X["a"][:900], X["b"][900:1800] = np.nan, np.nan
    made = MultimodalVAE({"a": 2, "b": 2}, 1, (), likelihood=GaussianNLL(0.5), dtype="float64")
    adam = Adam(lambda step: 0.02 * (1 - step / 1800))
    made.fit(X, epochs=60, batch_size=100, optimizer=adam, verbose=0)
    C = W.T @ W + 0.25 * np.eye(4)
    exact = gaussian_log_density(x[1800:], np.zeros(4), C).mean()
    rows = {name: each[1800:] for name, each in X.items()}
    # With one draw this is the ELBO, and its noise vanishes as q(z|x) becomes exact.
    assert made.log_likelihood(rows, k=1).mean() == pytest.approx(exact, abs=0.02)
    # The mean of b given a, from a model that saw most pairs in one half only.
    a = x[1800:, :2]
    best = a @ np.linalg.solve(C[:2, :2], C[:2, 2:])
    assert np.abs(made.generate("b", {"a": a}) - best).max() < 0.15


# The gradient of the whole model.


def test_a_complex_copy_has_the_same_loss_so_no_check_falls_back_to_differences():
    made, x = model(n_subsets=1), model().pack(incomplete())
    eps = np.random.default_rng(3).standard_normal((N, 2))
    for training in (False, True):
        losses = [
            each.loss(x, eps=eps, training=training, rng=np.random.default_rng(0))
            for each in (made, made.astype("complex128"))
        ]
        assert losses[1].imag == 0 and losses[1].real == pytest.approx(losses[0], rel=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_subsets": 2, "free_bits": 0.05, "beta": 1.7},
        {"prior": GaussianPrior([0.5, -1.0], [2.0, 0.3]), "dropout": 0.3, "n_subsets": 1},
        {"likelihood": {**LIKELIHOOD, "image": ColumnGaussianNLL(np.ones((3, 2)), True)}},
        {"likelihood": {"image": "poisson", "text": MultinomialNLL(), "sound": "laplace"}},
    ],
    ids=["plain", "subsets", "prior", "images", "other losses"],
)
def test_gradients_of_the_whole_model_are_exact_with_every_subset_missing(training, options):
    made = model(**options)
    report = gradient_check(made, made.pack(incomplete()), training=training, tolerance=1e-12)
    assert report.ok and report.method == "complex step", report


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_is_exact_for_noise_that_is_given(training):
    made, noise = model(), {"eps": np.random.default_rng(3).standard_normal((N, 2))}
    x = made.pack(incomplete())
    report = gradient_check(made, x, training=training, tolerance=1e-12, **noise)
    assert report.ok and report.method == "complex step", report


def test_an_encoder_without_rows_has_gradient_zero_not_that_of_the_batch_before():
    made, X = model(), data()
    made.loss(X, training=True)
    made.backward()
    made.loss({**X, "text": None}, training=True)
    made.backward()
    product = made.encoder.layers[0]
    assert not product.parts["text"].dtheta.any() and product.parts["image"].dtheta.any()
    assert not made.decoder.layers[0].parts["text"].dtheta.any()


@pytest.mark.slow
def test_dx_is_that_of_the_experts_and_zero_where_a_modality_is_missing():
    layer = model().encoder.layers[0]
    x = model().pack(data())
    report = gradient_check(layer, x, tolerance=1e-12)
    assert report.ok, report
    x[2, :6] = np.nan
    out = layer.forward(x)
    dx = layer.backward(np.ones_like(out))
    assert not dx[2, :6].any() and dx[3, :6].any()


# Missing modalities.


def test_nan_none_masked_arrays_and_lists_say_the_same():
    made, X = model(), data()
    gone = np.arange(N) % 3 == 0
    nan = {**X, "text": np.where(gone[:, None], np.nan, X["text"])}
    hidden = np.ma.masked_array(X["text"], np.repeat(gone[:, None], 4, axis=1))
    by_row = [None if g else row for g, row in zip(gone, X["text"], strict=True)]
    for given in (
        {**X, "text": hidden}, {**X, "text": by_row}, [X["image"], by_row, X["sound"]],
        (X["image"], nan["text"], X["sound"]), made.pack(nan),
    ):  # fmt: skip
        np.testing.assert_array_equal(made.encode(given), made.encode(nan))
    without = {**X, "text": np.full((N, 4), np.nan)}
    for given in ({**X, "text": None}, {"image": X["image"], "sound": X["sound"]}):
        np.testing.assert_array_equal(made.elbo(given), made.elbo(without))


def test_a_row_with_nothing_has_the_prior_as_posterior_and_no_loss():
    prior = GaussianPrior([0.5, -1.0], [2.0, 0.3])
    for made, mean, std in ((model(), [0, 0], [1, 1]), (model(prior=prior), prior.mean, prior.std)):
        X = incomplete()
        mu, log_var = made.posterior(X)
        np.testing.assert_allclose(mu[7], mean, rtol=1e-14)
        np.testing.assert_allclose(log_var[7], 2 * np.log(std), rtol=1e-14)
        assert made.elbo(X)[7] == pytest.approx(0, abs=1e-14)
        assert made.anomaly_score(X)[7] == pytest.approx(0, abs=1e-14)


def test_each_modality_that_is_there_makes_the_posterior_surer_than_the_prior():
    made, X = model(), data()
    for there in itertools.combinations(SIZES, 2):
        both = made.posterior({name: X[name] for name in there})[1]
        for name in there:
            one = made.posterior({name: X[name]})[1]
            assert (both < one).all() and (one < 0).all()
        assert (made.posterior(X)[1] < both).all()


def test_a_row_does_not_depend_on_what_other_rows_have():
    encoder = {"text": Sequential(Dense(4, 6), BatchNorm(6), Dense(6, 4))}
    for made in (model(), model(encoder=encoder)):
        X = incomplete()
        rows = made.pack(X)
        alone = np.concatenate([made.encode(rows[i : i + 1]) for i in range(N)])
        np.testing.assert_allclose(made.encode(X), alone, rtol=1e-12)


def test_missing_rows_are_not_in_the_statistics_of_a_batch_normalisation():
    encoder = {"text": Sequential(Dense(4, 6), BatchNorm(6), Dense(6, 4))}
    few, all_rows = (model(encoder=encoder) for _ in range(2))
    X = data()
    gone = {**X, "text": np.where(np.arange(N)[:, None] < 4, np.nan, X["text"])}
    few.loss({name: each[4:] for name, each in gone.items()}, training=True)
    all_rows.loss(gone, training=True)
    norms = [made.encoder.layers[0].parts["text"].layers[1] for made in (few, all_rows)]
    for name in norms[0].buffers:
        np.testing.assert_allclose(norms[0].buffers[name], norms[1].buffers[name], rtol=1e-12)


def test_what_is_missing_adds_nothing_to_the_bound():
    made, X = model(), data()
    log_p, kl = made.elbo({**X, "image": None}, split=True)
    rng = np.random.default_rng(20131220)
    mu, log_var = made.posterior({**X, "image": None})
    z = mu + rng.standard_normal((N, 2)) * np.exp(0.5 * log_var)
    out, losses = made.decoder(z), made.reconstruction_loss.base.parts
    by_hand = -losses["1"].per_sample(out[:, 6:10], X["text"])
    by_hand -= losses["2"].per_sample(out[:, 10:], X["sound"])
    np.testing.assert_allclose(log_p, by_hand, rtol=1e-12)
    np.testing.assert_allclose(kl, made.prior.kl(mu, log_var).sum(axis=1), rtol=1e-12)


@pytest.mark.slow
def test_single_entries_may_be_missing_where_the_likelihood_is_masked():
    X = data()
    X["image"][0, 1, 1] = np.nan
    with pytest.raises(ValueError, match=r'X\["image"\]\[0\] has 1 NaN among 6 .*Masked'):
        model().elbo(X)
    made = model(likelihood={**LIKELIHOOD, "image": Masked(BernoulliNLL())})
    zero = {**X, "image": np.nan_to_num(X["image"])}
    np.testing.assert_array_equal(made.encode(X), made.encode(zero))
    assert made.elbo(X)[0] > made.elbo(zero)[0]  # a probability less
    report = gradient_check(made, made.pack(X), tolerance=1e-12)
    assert report.ok, report


# Training.


def test_the_terms_of_a_row_are_what_it_has_each_modality_alone_and_random_subsets():
    made = model(n_subsets=4)
    x = made.pack(incomplete())
    there = made.encoder.layers[0].there(x)
    rows, keep = made.draw_terms(x, np.random.default_rng(0))
    np.testing.assert_array_equal(rows[:N], np.arange(N))
    assert keep[:N].all()
    for row, kept in zip(rows[N:], keep[N:], strict=True):
        assert kept.any() and (kept <= there[row]).all() and kept.sum() < there[row].sum()
    alone = [tuple(kept) for row, kept in zip(rows[N:], keep[N:], strict=True) if row == 0]
    assert set(map(tuple, np.eye(3, dtype=bool))) <= set(alone)
    assert {sum(kept) for kept in alone} == {1, 2}
    assert 7 not in rows[N:]


def test_the_loss_in_training_is_the_mean_of_the_bounds_of_the_terms():
    made, X = model(), data()
    assert len(made.draw_terms(made.pack(X), None)[0]) == 4 * N
    eps = np.random.default_rng(4).standard_normal((N, 2))
    total = made.loss(X, eps=eps) + sum(made.loss({name: X[name]}, eps=eps) for name in SIZES)
    assert made.loss(X, eps=eps, training=True) == pytest.approx(total / 4, rel=1e-12)
    for wrong in (eps[:5], np.zeros((2 * N, 2)), np.zeros((N, 3))):
        for training in (False, True):
            with pytest.raises(ValueError, match=r"eps has shape"):
                made.loss(X, eps=wrong, training=training)


def test_a_target_may_have_what_the_input_lacks():
    made, X = model(), data()
    eps = np.zeros((N, 2))
    mu, _ = made.posterior({**X, "text": None})
    crossed = made.loss({**X, "text": None}, X, eps=eps)
    out = made.reconstruction_loss.per_sample(made.decoder(mu), made.pack(X)).mean()
    kl = made.prior.kl(*made.posterior({**X, "text": None})).sum(axis=1).mean()
    assert crossed == pytest.approx(out + kl, rel=1e-12)
    made.fit({**X, "text": None}, X, epochs=1, verbose=0)


def test_a_loss_sees_images_in_their_shape():
    sigma = 0.5 + np.random.default_rng(0).random((3, 2))
    likelihood = {**LIKELIHOOD, "image": ColumnGaussianNLL(sigma, learn_sigma=True)}
    made, X = model(likelihood=likelihood), data()
    out = made.decoder(made.encode(X))
    own = made.reconstruction_loss.base.parts["0"].loss
    by_hand = own.per_sample(out[:, :6].reshape(N, 3, 2), X["image"])
    without = made.reconstruction_loss.per_sample(out, made.pack({**X, "image": None}))
    total = made.reconstruction_loss.per_sample(out, made.pack(X))
    np.testing.assert_allclose(total - without, by_hand, rtol=1e-10)
    made.loss(X)
    made.backward()
    assert own.grads["log_sigma"].all() and made.theta.size == made.dtheta.size


def test_modalities_of_one_shape_start_with_different_weights():
    made = MultimodalVAE({"left": 5, "right": 5}, 2, (4,))
    left, right = made.encoder.layers[0].parts.values()
    assert not np.array_equal(left.theta, right.theta)


@pytest.mark.slow
def test_one_modality_is_learned_from_the_other_with_few_pairs():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=1200)
    X = {
        "point": np.eye(3)[labels] * 2 + 0.3 * rng.standard_normal((1200, 3)),
        "name": np.eye(3)[labels],
    }
    X["name"][200:700], X["point"][700:] = np.nan, np.nan
    made = MultimodalVAE(
        {"point": 3, "name": 3}, 2, (16,),
        likelihood={"point": "gaussian", "name": CategoricalNLL(3)},
    )  # fmt: skip
    made.fit(X, epochs=60, batch_size=50, optimizer="adam", verbose=0)
    new = rng.integers(3, size=300)
    point = np.eye(3)[new] * 2 + 0.3 * rng.standard_normal((300, 3))
    assert (made.generate("name", {"point": point}).argmax(axis=1) == new).mean() > 0.95
    assert (made.generate("point", {"name": np.eye(3)[new]}).argmax(axis=1) == new).mean() > 0.95


@pytest.mark.slow
def test_all_sources_of_batches_and_the_options_of_fit_work(tmp_path):
    X, once = incomplete(), {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0}
    arrays, stream = model(kl_warmup=2), model(kl_warmup=2)
    arrays.fit(X, **once)
    batches = [slice(0, 4), slice(4, 8), slice(8, 9)]
    stream.fit(lambda: ({k: v[rows] for k, v in X.items()} for rows in batches), **once)
    np.testing.assert_array_equal(arrays.theta, stream.theta)
    assert arrays.history["kl_weight"] == [0.0, 0.5]
    made = model()
    made.fit(X, validation_data=X, early_stopping=1, sample_weight=np.arange(1, 10), **once)
    made.fit(list(X.values()), validation_split=0.3, **once)
    assert len(made.history["val_loss"]) == 4
    whole, broken = model(n_subsets=1), model(n_subsets=1)
    whole.fit(X, epochs=4, batch_size=4, verbose=0)
    for epochs in (2, 4):
        broken.fit(X, epochs=epochs, batch_size=4, verbose=0, checkpoint=tmp_path / "run.npz")
        broken = model(n_subsets=1) if epochs == 2 else broken
    np.testing.assert_array_equal(whole.theta, broken.theta)


class Loader:
    """Gives dicts of arrays, as a loader of paired data does."""

    def __init__(self, X):
        self.X = X

    def __iter__(self):
        for rows in (slice(0, 5), slice(5, 9)):
            yield {name: each[rows] for name, each in self.X.items()}


def test_a_loader_of_dicts_is_read():
    made = model().fit(Loader(data()), epochs=2, verbose=0)
    assert len(made.history["loss"]) == 2 and np.isfinite(made.history["loss"]).all()


# Using a model.


def test_generate_returns_what_a_missing_modality_would_be():
    made, X = model(), data()
    text = made.generate("text", {"image": X["image"]})
    both = made.decode(made.encode({"image": X["image"]}))
    np.testing.assert_array_equal(text, both["text"])
    np.testing.assert_allclose(text.reshape(N, 2, 2).sum(axis=2), 1)
    several = made.generate(["image", "sound"], {"text": X["text"]})
    assert several["image"].shape == (N, 3, 2) and several["sound"].shape == (N, 3)
    draws = [made.generate("text", {"image": X["image"]}, n_draws=3, seed=s) for s in (1, 1, 2)]
    assert draws[0].shape == (3, N, 4)
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    half = {**X, "text": None, "image": np.where(np.arange(N) < 4, np.nan, X["image"].T).T}
    assert made.generate("text", half).shape == (N, 4)


@pytest.mark.parametrize(
    "target, given, message",
    [
        ("text", ["text", "image"], r"given has 'text', which is a target"),
        ("word", ["image"], r"target: no modality 'word'; there are \['image', 'text', 'sound'\]"),
        (["sound", "image"], ["image"], r"given has 'image', which is a target"),
        ("text", [], r"given must have as many rows in each modality, got \{\}"),
    ],
)
def test_generate_refuses_what_it_cannot_answer(target, given, message):
    X = data()
    with pytest.raises(ValueError, match=message):
        model().generate(target, {name: X[name] for name in given})


def test_the_methods_of_a_vae_work_on_dicts():
    made, X = model(), incomplete()
    made.fit(X, epochs=1, verbose=0)
    rebuilt = made.reconstruct(X)
    for each in (rebuilt, made.predict(X), made(X), made.inverse_transform(made.transform(X))):
        assert {k: v.shape for k, v in each.items()} == {k: v.shape for k, v in X.items()}
        np.testing.assert_array_equal(each["sound"], rebuilt["sound"])
    assert np.isfinite(rebuilt["image"]).all()
    terms = made.evaluate(X, return_dict=True)
    assert terms["loss"] == pytest.approx(-made.score(X)) and "kl" in terms
    ends = {name: each[:1] for name, each in data().items()}
    path = made.interpolate(ends, {name: each[1:2] for name, each in data().items()}, steps=4)
    assert path["image"].shape == (1, 4, 3, 2)
    one = {"image": data()["image"][0], "text": None}
    assert made.traverse(one, dims=[1], steps=3)["text"].shape == (1, 3, 4)
    assert made.traverse(steps=3)["image"].shape == (2, 3, 3, 2)
    assert made.decode(made.posterior_sample(X, 5, seed=0))["sound"].shape == (5, N, 3)
    assert made.log_likelihood(X, k=3).shape == made.anomaly_score(X).shape == (N,)
    assert 0 <= made.active_units(X) <= 2 and made.kl_per_dimension(X).shape == (2,)
    assert made.sample(4, seed=0)["image"].shape == (4, 3, 2)
    np.testing.assert_array_equal(made.sample(4, seed=0)["text"], made.sample(4, seed=0)["text"])
    lines = []
    made.summary(lines.append)
    assert any("ProductEncoder(image, text, sound)" in line for line in lines)
    assert "a batch of 9" in str(made.trace(X, training=True))


def test_the_anomaly_score_is_the_bound_at_the_mean_with_missing_modalities_too():
    made, X = model(), incomplete()
    mu, log_var = made.posterior(X)
    nll = made.reconstruction_loss.per_sample(made.decoder(mu), made.pack(X))
    kl = made.prior.kl(mu, log_var).sum(axis=1)
    np.testing.assert_allclose(made.anomaly_score(X), nll + kl, rtol=1e-12)


def test_impute_fills_what_is_missing_and_keeps_the_rest():
    made, X = model(), incomplete()
    for filled in (made.impute(X, steps=5), made.impute(X, steps=5, n_draws=1)):
        for name, each in X.items():
            assert np.isfinite(filled[name]).all()
            there = np.isfinite(each)
            np.testing.assert_array_equal(np.reshape(filled[name], each.shape)[there], each[there])


def test_imputing_a_linear_model_agrees_with_generating_from_exact_experts():
    made, mean, covariance = linear_experts(MultimodalVAE, 2)
    x = every_subset(made, mean, covariance, 2)
    X = {"a": x[:, :3], "b": np.full((8, 5), np.nan), "c": x[:, 8:]}
    found = made.impute(X, steps=400)["b"]
    given = {"a": X["a"], "c": X["c"]}
    np.testing.assert_allclose(found, made.generate("b", given), rtol=0, atol=2e-3)


def test_files_copies_and_clones_keep_the_model(tmp_path):
    encoder = {"text": Sequential(Dense(4, 3), Dense(3, 4))}
    likelihood = {**LIKELIHOOD, "image": Masked(BernoulliNLL())}
    made = model(encoder=encoder, likelihood=likelihood, prior=GaussianPrior(0.5, 2.0), n_subsets=2)
    X = incomplete()
    made.fit(X, epochs=2, verbose=0)
    made.save(tmp_path / "model.npz")
    loaded = MultimodalVAE.load(tmp_path / "model.npz")
    for other in (loaded, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other.history == made.history and other.n_subsets == 2
        np.testing.assert_array_equal(other.elbo(X), made.elbo(X))
        np.testing.assert_array_equal(other.generate("text", {"sound": X["sound"]}),
                                      made.generate("text", {"sound": X["sound"]}))  # fmt: skip
    assert {**loaded.get_params()["input_dim"]} == SIZES
    assert MultimodalVAE(**made.get_params()).theta.shape == made.theta.shape
    np.testing.assert_allclose(made.astype("float32").encode(X), made.encode(X), atol=1e-5)


@pytest.mark.slow
def test_scikit_learn_clones_a_model():
    base = pytest.importorskip("sklearn.base")
    cloned = base.clone(model(n_subsets=3))
    assert cloned.n_subsets == 3 and cloned.shapes == model().shapes
    assert cloned.set_params(latent_dim=4).latent_dim == 4


def test_a_file_with_absurd_sizes_is_refused(tmp_path):
    from miniae.plumbing import archives

    made = model()
    made.save(tmp_path / "model.npz")
    arrays = dict(np.load(tmp_path / "model.npz", allow_pickle=False))
    arrays["header"] = np.array(str(arrays["header"]).replace('"text": 4', '"text": 4000000000'))
    archives.write(tmp_path / "bad.npz", arrays)
    with pytest.raises(ValueError, match="describes networks of 4,000,000,000"):
        MultimodalVAE.load(tmp_path / "bad.npz")


@pytest.mark.slow
def test_the_instruments_take_dicts():
    made, X = model(), incomplete()
    assert gradient_check(made, {name: each[:3] for name, each in X.items()}).ok
    made.fit(X, epochs=1, verbose=0)
    report = check_training(made, {name: np.tile(each.T, 5).T for name, each in X.items()})
    assert report.about("output") and "missing" in str(report)


# Refusals.


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda X: X | {"word": X["text"]}, r"X: no modality \['word'\]; there are \['image'"),
        (lambda X: X | {"text": X["text"][:5]}, r"as many rows in each modality, got .*'text': 5"),
        (lambda X: dict.fromkeys(X), r"at least one modality that is not None"),
        (lambda X: [X["image"], X["text"]], r"X is a list of 2, but there are 3 modalities"),
        (lambda X: X["image"], r"X is one array of shape \(9, 3, 2\): give \{\"image\": \.\.\."),
        (lambda X: X | {"image": X["image"][0]}, r'X\["image"\] must have shape \(n, 3, 2\)'),
        (
            lambda X: X | {"image": X["image"] + 1},
            r'X\["image"\]\[0\], entry 0, is 1\.\d+, but',
        ),
        (lambda X: X | {"sound": X["sound"] * np.inf}, r'X\["sound"\]\[0\], entry 0, is -?inf'),
        (lambda X: X | {"text": X["text"] * 0}, r'X\["text"\]\[0\]: the entries from column 0 add'),
        (lambda X: X | {"text": np.full((9, 4), "a")}, r'X\["text"\] must hold real numbers'),
    ],
)
def test_wrong_data_are_refused_by_modality_and_row_before_training(change, message):
    made, X = model(), data()
    before = made.theta.copy()
    for method in (made.fit, made.encode, made.elbo, made.evaluate, made.anomaly_score):
        with pytest.raises((ValueError, TypeError), match=message):
            method(change(X))
    if not isinstance(change(X), np.ndarray):
        with pytest.raises((ValueError, TypeError), match=message.replace("X", "x", 1)):
            made.loss(change(X))
    np.testing.assert_array_equal(made.theta, before)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"input_dim": 784}, r"input_dim=784 must be a dict"),
        ({"input_dim": {"image": 4}}, r"two modalities or more"),
        ({"input_dim": {"a.b": 4, "c": 2}}, r"the name 'a.b' must be text without a dot"),
        ({"likelihood": {"image": "bernoulli"}}, r"likelihood: none for \['text', 'sound'\]"),
        ({"likelihood": {**LIKELIHOOD, "x": "gaussian"}}, r"likelihood: no modality \['x'\]"),
        ({"likelihood": {**LIKELIHOOD, "text": SquaredError()}}, r"modality 'text': .*squared"),
        ({"encoder": Sequential(Dense(6, 4))}, r"encoder must be a dict of Sequential"),
        ({"encoder": {"text": Sequential(Dense(4, 3))}}, r"modality 'text': encoder maps"),
        ({"decoder": {"image": Sequential(Dense(2, 6), Sigmoid())}}, r"modality 'image': decoder"),
        ({"latent_dim": 0}, r"modality 'image': latent_dim=0"),
        ({"n_subsets": -1}, r"n_subsets=-1 must be an integer above -1"),
        ({"seed": "x"}, r"seed='x' must be an integer"),
        ({"beta": -1}, r"beta=-1"),
        ({"prior": MixturePrior([[0, 0], [1, 1]])}, r"prior"),
        ({"loss": "mse"}, r"MultimodalVAE has no argument 'loss'"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        MultimodalVAE(**{"input_dim": SIZES, "likelihood": LIKELIHOOD, **arguments})


def test_a_layer_alone_says_what_it_consists_of():
    made = model()
    assert str(made.encoder.layers[0]) == "ProductEncoder(image, text, sound)"
    assert isinstance(made.encoder.layers[0], ProductEncoder)
