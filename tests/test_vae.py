import numpy as np
import pytest

from miniae import (
    VAE,
    Adam,
    BernoulliNLL,
    Dense,
    GaussianNLL,
    Sequential,
    SquaredError,
    gradient_check,
)


def data(n=40, features=8, seed=0):
    return np.random.default_rng(seed).random((n, features))


def test_the_loss_is_minus_the_elbo_written_out():
    X, vae = data(), VAE(8, 3, (5,), beta=2.5, dtype="float64")
    eps = np.random.default_rng(1).standard_normal((40, 3))
    mu, log_var = vae.posterior(X)
    z = mu + eps * np.exp(log_var / 2)
    p = vae.decode(z)
    log_p = (X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1)
    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    assert vae.loss(X, eps=eps) == pytest.approx((-log_p + 2.5 * kl).mean(), rel=1e-12)
    assert vae.terms["kl"] == pytest.approx(kl.mean(), rel=1e-12)
    assert vae.terms["reconstruction"] == pytest.approx(-log_p.mean(), rel=1e-12)


def test_z_has_the_mean_and_the_standard_deviation_of_the_posterior():
    class Spy(Sequential):
        def forward(self, x, training=False):
            self.z = x
            return super().forward(x, training)

    vae = VAE(4, 2, (), decoder=Spy(Dense(2, 4)), dtype="float64")
    vae.encoder.layers[0].params["W"] = np.zeros((4, 4))
    mu, log_var = np.array([0.3, -1.0]), np.array([-1.5, 0.8])
    vae.encoder.layers[0].params["b"] = np.concatenate([mu, log_var])
    n = 40_000
    vae.loss(np.full((n, 4), 0.5), rng=np.random.default_rng(0))
    std = np.exp(log_var / 2)
    assert (np.abs(vae.decoder.z.mean(axis=0) - mu) < 5 * std / np.sqrt(n)).all()
    assert (np.abs(vae.decoder.z.std(axis=0) - std) < 5 * std / np.sqrt(2 * n)).all()


def test_encode_is_the_posterior_mean_and_repeats():
    X, vae = data(), VAE(8, 3)
    assert np.array_equal(vae.encode(X), vae.posterior(X)[0])
    assert np.array_equal(vae.encode(X), vae.encode(X))


def test_without_options_it_is_the_vae_of_the_paper_with_two_latents():
    options = VAE(6).get_params()
    for name in ("input_dim", "encoder", "decoder"):
        options.pop(name)
    assert options == {
        "latent_dim": 2,
        "hidden": (128,),
        "activation": "tanh",
        "likelihood": "bernoulli",
        "beta": 1.0,
        "kl_warmup": 0,
        "free_bits": 0.0,
        "prior": None,
        "dropout": 0.0,
        "dtype": "float32",
        "seed": 0,
    }


def test_nothing_is_dropped_and_the_kl_has_its_whole_weight_unless_in_training():
    X, options = data(), {"beta": 3.0, "dtype": "float64"}
    plain, dropping = VAE(8, 2, **options), VAE(8, 2, dropout=0.5, kl_warmup=9, **options)
    dropping.theta = plain.theta
    for call in (VAE.loss, VAE.encode, VAE.elbo, lambda vae, X: vae.log_likelihood(X, 5)):
        assert np.array_equal(call(plain, X), call(dropping, X))
    assert np.array_equal(np.stack(plain.posterior(X)), np.stack(dropping.posterior(X)))
    assert dropping.loss(X, training=True) != dropping.loss(X, training=True)


def test_derivative_of_the_loss_for_beta_is_the_kl():
    X, eps = data(), np.random.default_rng(1).standard_normal((40, 2))
    vae = VAE(8, 2, beta=1.0, dtype="float64")
    low = vae.loss(X, eps=eps)
    vae.beta = 3.0
    assert (vae.loss(X, eps=eps) - low) / 2 == pytest.approx(vae.terms["kl"], rel=1e-12)


def test_warm_up_raises_the_weight_in_equal_steps_from_zero_in_training_only():
    vae = VAE(8, 2, beta=2.0, kl_warmup=4)
    weights = []
    vae.fit(
        data(),
        epochs=3,
        verbose=0,
        callback=lambda model, epoch, logs: weights.append(model.kl_weight),
    )
    vae.fit(
        data(),
        epochs=3,
        verbose=0,
        callback=lambda model, epoch, logs: weights.append(model.kl_weight),
    )
    assert weights == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    vae.start_epoch(0)
    X, eps = data(), np.zeros((40, 2))
    training = vae.loss(X, eps=eps, training=True)
    assert training == pytest.approx(vae.terms["reconstruction"])
    assert vae.loss(X, eps=eps) == pytest.approx(training + 2 * vae.terms["kl"])


@pytest.mark.parametrize("training", [True, False])
def test_backward_is_the_complex_step_derivative_of_the_loss(training):
    vae = VAE(5, 2, (4,), beta=1.7, free_bits=0.2)
    rng = np.random.default_rng(3)
    vae.theta = rng.standard_normal(vae.theta.shape)  # far from the prior: no latent is free
    report = gradient_check(
        vae, data(6, 5), training=training, eps=rng.standard_normal((6, 2)), tolerance=1e-12
    )
    assert report.ok, report


def test_before_its_first_epoch_a_model_has_the_weight_of_epoch_zero():
    assert VAE(8, 2, beta=2.0, kl_warmup=4).kl_weight == 0 and VAE(8, 2, beta=2.0).kl_weight == 2


def test_free_bits_set_a_floor_under_each_latent_in_training_only():
    X, eps = data(), np.zeros((40, 3))
    vae = VAE(8, 3, free_bits=100.0, beta=0.5)
    assert vae.loss(X, eps=eps, training=True) == pytest.approx(
        vae.terms["reconstruction"] + 0.5 * 300
    )
    assert vae.loss(X, eps=eps) == pytest.approx(
        vae.terms["reconstruction"] + 0.5 * vae.terms["kl"]
    )


@pytest.mark.parametrize("beta", [0.2, 1.0])
def test_elbo_has_the_whole_kl_at_any_beta(beta):
    X, vae = data(), VAE(8, 2, beta=beta)
    parts = vae.evaluate(X, return_dict=True)
    assert vae.elbo(X).mean() == pytest.approx(-parts["reconstruction"] - parts["kl"], rel=1e-6)


def test_elbo_is_at_beta_one_whatever_beta_is_and_repeats():
    X, vae = data(), VAE(8, 2, beta=7.0)
    bound = vae.elbo(X)
    assert bound.shape == (40,) and np.array_equal(bound, vae.elbo(X))
    vae.beta = 1.0
    assert bound.mean() == pytest.approx(-vae.evaluate(X), rel=1e-6)


@pytest.fixture(scope="module")
def linear():
    """A linear VAE with a Gaussian likelihood: p(x) = N(b, W W' + sigma^2 I), exactly."""
    rng = np.random.default_rng(3)
    vae = VAE(5, 2, (), likelihood=GaussianNLL(0.6), dtype="float64")
    vae.theta = 0.5 * rng.standard_normal(vae.theta.size)
    vae.encoder.theta *= 0.2  # near the prior, where importance weights have a small variance
    W, b = vae.decoder.layers[0].params["W"], vae.decoder.layers[0].params["b"]
    covariance = W.T @ W + 0.36 * np.eye(5)
    X = rng.multivariate_normal(b, covariance, size=30)
    centred = X - b
    squares = (centred @ np.linalg.inv(covariance) * centred).sum(axis=1)
    log_p = -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])
    return vae, X, log_p


def test_log_likelihood_converges_to_the_exact_marginal_of_a_linear_vae(linear):
    vae, X, log_p = linear
    X, log_p = X[:10], log_p[:10]
    errors = [np.abs(vae.log_likelihood(X, k) - log_p).mean() for k in (10, 1000, 50_000)]
    # the error of a mean of k weights falls as 1 / sqrt(k)
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.05


def test_elbo_then_importance_bound_then_log_p_rise_in_this_order(linear):
    vae, X, log_p = linear
    means = [vae.elbo(X).mean(), *(vae.log_likelihood(X, k).mean() for k in (1, 5, 50))]
    # k = 1 estimates the same bound as the ELBO, with noise in its KL as well
    assert means[0] < means[2] < means[3] < log_p.mean() + 0.05


def test_the_exact_posterior_makes_every_importance_weight_log_p(linear):
    vae, X, log_p = linear
    W, b = vae.decoder.layers[0].params["W"], vae.decoder.layers[0].params["b"]
    sigma2 = 0.36
    # Posterior of a linear-Gaussian model; diagonal when the rows of W are orthogonal.
    Q = np.linalg.qr(W.T)[0].T * np.array([[1.5], [0.7]])
    exact = VAE(5, 2, (), likelihood=GaussianNLL(0.6), dtype="float64")
    exact.decoder.layers[0].params["W"], exact.decoder.layers[0].params["b"] = Q, b
    variance = 1 / (1 + (Q**2).sum(axis=1) / sigma2)
    encoder = exact.encoder.layers[0]
    encoder.params["W"] = np.concatenate([Q.T * variance / sigma2, np.zeros((5, 2))], axis=1)
    shift = -(b @ Q.T) * variance / sigma2
    encoder.params["b"] = np.concatenate([shift, np.log(variance)])
    covariance = Q.T @ Q + sigma2 * np.eye(5)
    centred = X - b
    squares = (centred @ np.linalg.inv(covariance) * centred).sum(axis=1)
    log_p = -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])
    assert np.allclose(exact.log_likelihood(X, k=1), log_p, rtol=1e-12)
    for k in (7, 50):  # 50 do not go through at once, and are no multiple of those that do
        assert np.allclose(exact.log_likelihood(X, k), log_p, rtol=1e-12)
    # and the analytic bound, its noise integrated by eps = +-sqrt(d) e_j, is log p(x) too
    points = np.sqrt(2) * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    bound = [-exact.loss(X, eps=np.tile(eps, (len(X), 1))) for eps in points]
    assert np.mean(bound) == pytest.approx(log_p.mean(), rel=1e-12)


def test_log_likelihood_agrees_with_quadrature_over_one_latent():
    vae = VAE(6, 1, (8,), dtype="float64", seed=4)
    vae.decoder.theta *= 2
    vae.encoder.theta *= 0.1  # near the prior: see above
    X = (data(12, 6) > 0.5).astype(float)
    z = np.linspace(-9, 9, 4001)
    out = vae.decoder.forward(z[:, None])
    log_joint = np.array(
        [-BernoulliNLL().per_sample(out, np.tile(x, (len(z), 1))) for x in X]
    ) - 0.5 * (z**2 + np.log(2 * np.pi))
    log_p = np.log(np.exp(log_joint).sum(axis=1) * (z[1] - z[0]))  # trapezoid; ends are e^-40
    estimate = vae.log_likelihood(X, 20_000)
    assert np.abs(estimate - log_p).max() < 0.05
    assert vae.elbo(X).mean() < log_p.mean()


def test_log_likelihood_stays_finite_where_all_weights_underflow():
    vae = VAE(784, 2, (4,))
    value = vae.log_likelihood(np.ones((3, 784)), k=50)
    assert np.isfinite(value).all() and (value < -300).all()


def test_log_likelihood_needs_no_memory_for_k(monkeypatch):
    import tracemalloc

    vae, X = VAE(100, 2, (10,)), data(20, 100)
    peaks = []
    for k in (100, 5000):
        tracemalloc.start()
        vae.log_likelihood(X, k)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_log_likelihood_has_1000_draws_unless_told_and_no_pass_of_more_than_1024_rows():
    class Spy(Sequential):
        rows = ()

        def forward(self, x, training=False):
            self.rows = (*self.rows, len(x))
            return super().forward(x, training)

    vae, X = VAE(4, 2, (), decoder=Spy(Dense(2, 4))), data(1500, 4)
    vae.decoder.rows = ()
    vae.log_likelihood(X[:3])
    assert sum(vae.decoder.rows) == 3 * 1000 and max(vae.decoder.rows) <= 1024
    vae.decoder.rows = ()
    vae.log_likelihood(X, k=2)
    assert sum(vae.decoder.rows) == 1500 * 2 and max(vae.decoder.rows) <= 1024


def test_samples_are_means_in_data_space_and_follow_the_seed():
    vae = VAE((2, 4), 2)
    a, b = vae.sample(5, seed=1), vae.sample(5, seed=1)
    assert a.shape == (5, 2, 4) and np.array_equal(a, b) and 0 < a.min() and a.max() < 1
    assert not np.array_equal(vae.sample(5), vae.sample(5))


def test_samples_have_the_moments_that_the_prior_gives_them():
    vae = VAE(2, 2, (), likelihood=GaussianNLL(0.1), dtype="float64")
    W = vae.decoder.layers[0].params["W"]
    X = vae.sample(40_000, seed=0)
    covariance = W.T @ W
    assert np.abs(X.mean(axis=0)).max() < 5 * np.sqrt(covariance.max() / 40_000)
    assert np.abs(np.cov(X.T) - covariance).max() < 5 * 2 * covariance.max() / np.sqrt(40_000)
    kurtosis = (X[:, 0] ** 4).mean() / (X[:, 0] ** 2).mean() ** 2
    assert abs(kurtosis - 3) < 5 * np.sqrt(24 / 40_000)


def test_evaluation_draws_other_noise_for_every_row_and_the_same_at_every_call(monkeypatch):
    vae, X = VAE(8, 2), np.tile(data(1), (2100, 1))
    bounds = vae.elbo(X)
    assert len(np.unique(bounds)) > 2000
    assert np.array_equal(vae.log_likelihood(X[:9], 5), vae.log_likelihood(X[:9], 5))
    seen = []

    class Spy(VAE):
        def loss(self, x, *args, **options):
            value = super().loss(x, *args, **options)
            seen.append((value, len(x)))
            return value

    value = Spy(8, 2).evaluate(X)
    assert [n for _, n in seen] == [1024, 1024, 52] and len({v for v, _ in seen}) == 3
    assert value == pytest.approx(sum(v * n for v, n in seen) / 2100, rel=1e-12)


def test_sampling_and_evaluating_do_not_disturb_training():
    X = data()

    def meddle(model, epoch, logs):
        model.sample(3)
        model.elbo(X)
        model.loss(X)

    quiet = VAE(8, 2).fit(X, epochs=3, verbose=0)
    busy = VAE(8, 2).fit(X, epochs=3, verbose=0, callback=meddle)
    assert np.array_equal(quiet.theta, busy.theta)


@pytest.mark.slow
def test_a_gaussian_vae_learns_its_sigma():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 1)) @ rng.standard_normal((1, 6))
    X += 0.2 * rng.standard_normal(X.shape)
    vae = VAE(6, 1, (), likelihood="gaussian")
    for lr in (1e-2, 1e-3):
        vae.fit(X, epochs=150, batch_size=50, optimizer=Adam(lr), verbose=0)
    # at the optimum sigma^2 is the expected squared error per feature, z drawn from q(z|x)
    mu, log_var = vae.posterior(X)
    eps = rng.standard_normal((50, *mu.shape))
    z = (mu + eps * np.exp(log_var / 2)).reshape(-1, 1)
    mse = ((np.tile(X, (50, 1)) - vae.decode(z)) ** 2).mean()
    assert vae.reconstruction_loss.sigma**2 == pytest.approx(mse, rel=0.02)
    assert vae.reconstruction_loss.sigma == pytest.approx(0.2, rel=0.1)


def test_a_runaway_log_var_stops_with_the_likely_cause():
    vae = VAE(4, 2, (), likelihood="gaussian")
    with pytest.raises(FloatingPointError, match="log_var reaches .*unit scale"):
        vae.fit(data(20, 4) * 1e4, epochs=1, verbose=0)
    assert not vae.history


def test_a_log_var_of_fifty_is_refused_by_name_and_value():
    vae = VAE(4, 2, ())
    vae.encoder.layers[0].params["b"] = np.array([0.5, -0.5, 50.0, 0.0])
    vae.encoder.layers[0].params["W"] = np.zeros((4, 4))
    for call in (vae.loss, vae.elbo, vae.posterior, vae.log_likelihood):
        with pytest.raises(FloatingPointError, match="log_var reaches 50, .*below 40"):
            call(data(6, 4))


def test_the_limit_itself_is_refused_and_what_lies_below_it_is_not():
    vae = VAE(4, 2, ())
    vae.encoder.theta[...] = 0
    for log_var in (40.0, np.nextafter(np.float32(40), np.float32(0))):
        vae.encoder.layers[0].params["b"] = np.array([0.5, -0.5, log_var, 0.0])
        if log_var < 40:
            assert np.isfinite(vae.loss(data(6, 4)))
        else:
            with pytest.raises(FloatingPointError, match="log_var reaches 40"):
                vae.loss(data(6, 4))


def test_beta_may_be_zero_and_then_only_the_reconstruction_counts():
    vae = VAE(4, 2, beta=0)
    assert vae.loss(data(6, 4)) == vae.terms["reconstruction"]


@pytest.mark.parametrize("log_var", [-50.0, -1e4, 30.0])
def test_extreme_log_var_within_the_limit_gives_finite_loss_and_gradient(log_var):
    vae = VAE(4, 2, ())
    vae.encoder.layers[0].params["b"] = np.array([0.5, -0.5, log_var, log_var])
    X = data(6, 4)
    assert np.isfinite(vae.loss(X, training=True))
    vae.backward()
    assert np.isfinite(vae.dtheta).all()


def test_a_squared_error_is_refused_as_a_likelihood():
    for likelihood in ("mse", SquaredError()):
        with pytest.raises(ValueError, match="likelihood: a squared error is not a likelihood"):
            VAE(4, 2, likelihood=likelihood)


def test_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"eps has shape \(2,\), mu and z \(6, 2\)"):
        VAE(4, 2).loss(data(6, 4), eps=np.zeros(2))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beta": -1}, "beta=-1"),
        ({"kl_warmup": -1}, "kl_warmup=-1"),
        ({"free_bits": -0.5}, "free_bits=-0.5"),
        ({"beta": np.inf}, "beta=inf"),
        ({"free_bits": np.inf}, "free_bits=inf"),
        ({"likelihood": "bernouli"}, "likelihood='bernouli' is unknown; did you mean 'bernoulli'"),
        ({"encoder": Sequential(Dense(4, 2))}, r"encoder maps samples of shape \(4,\) to \(2,\)"),
    ],
)
def test_impossible_arguments_are_refused_by_name_and_value(options, words):
    with pytest.raises(ValueError, match=words):
        VAE(4, 2, **options)


@pytest.mark.parametrize("call", [lambda v: v.sample(0), lambda v: v.sample(2.5)])
def test_an_impossible_number_of_samples_is_refused(call):
    with pytest.raises(ValueError, match="n="):
        call(VAE(4, 2))


def test_an_impossible_number_of_draws_is_refused():
    for k in (0, 2.5):
        with pytest.raises(ValueError, match=f"k={k}"):
            VAE(4, 2).log_likelihood(data(3, 4), k=k)
    assert VAE(4, 2).log_likelihood(data(3, 4), k=1).shape == (3,)
    assert VAE(4, 2).sample(1).shape == (1, 4)
