import numpy as np
import pytest
from sampled import often

from miniae import (
    VAE,
    AnomalyDetector,
    ConditionalVAE,
    Dense,
    GaussianNLL,
    GaussianPrior,
    ImportanceWeightedVAE,
    MixturePrior,
    Prior,
    Sequential,
    StandardNormal,
    Tanh,
    check_training,
    gradient_check,
)
from miniae.proof.estimates import grid_log_likelihood
from miniae.proof.oracles import exact_elbo, gaussian_marginal

MEAN, STD = np.array([1.5, -0.7]), np.array([0.4, 2.5])
GAUSSIAN = GaussianPrior(MEAN, STD)
MIXTURE = MixturePrior(
    [[-2.0, 0.5], [1.0, 1.0], [0.3, -3.0]], [[0.5, 1.0], [1.2, 0.8], [0.4, 0.4]], [0.5, 0.3, 0.2]
)
PRIORS = [StandardNormal(), GAUSSIAN, MIXTURE]
H = 1e-30


def codes(n=7, seed=0):
    return 2 * np.random.default_rng(seed).standard_normal((n, 2))


def complex_step(f, x):
    """Return df_i/dx_ij for f (n, d) -> (n,), whose value i depends on row i only."""
    slopes = np.empty(x.shape)
    for j in range(x.shape[1]):
        moved = x.astype(np.complex128)
        moved[:, j] += 1j * H
        slopes[:, j] = f(moved).imag / H
    return slopes


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_nll_has_the_complex_steps_gradient_and_integrates_to_one(prior):
    z = codes()
    slopes = complex_step(prior.nll, z)
    assert np.abs(prior.nll_grad(z) - slopes).max() < 1e-12 * np.abs(slopes).max()
    # the trapezoidal rule: a step of 0.1 is a quarter of the smallest std, so its error is
    # 2 exp(-2 (4 pi)^2); the grid reaches 5.9 standard deviations in each direction, 4e-9
    axes = np.arange(-16, 16, 0.1)
    grid = np.stack(np.meshgrid(axes, axes), axis=-1)
    assert np.exp(-prior.nll(grid)).sum() * 0.01 == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_draws_have_the_mean_and_the_density_of_the_prior(prior):
    z = prior.draw((40_000, 2), np.random.default_rng(0))
    error = z.std(axis=0) / 200
    assert (np.abs(z.mean(axis=0) - prior.mean) < 5 * error).all()
    # E_p[q(z) / p(z)] = 1 for any density q within the support; here N(0, 0.3^2 I)
    q = GaussianPrior(prior.mean, 0.3)
    ratio = np.exp(prior.nll(z) - q.nll(z))
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / 200


@pytest.mark.parametrize("prior", [StandardNormal(), GAUSSIAN, GaussianPrior(0.3, 2.0)])
def test_the_kl_has_the_complex_steps_gradient_and_agrees_with_draws(prior):
    mu, log_var = codes(), codes(seed=1) / 2
    dmu, dlog_var = prior.kl_grad(mu, log_var)
    for grad, slopes in (
        (dmu, complex_step(lambda m: prior.kl(m, log_var).sum(axis=1), mu)),
        (dlog_var, complex_step(lambda v: prior.kl(mu, v).sum(axis=1), log_var)),
    ):
        assert np.abs(grad - slopes).max() < 1e-12 * np.abs(slopes).max()
    z = mu + np.exp(log_var / 2) * np.random.default_rng(2).standard_normal((20_000, *mu.shape))
    log_q = -np.stack(
        [
            GaussianPrior(m, np.exp(v / 2)).nll(z[:, i])
            for i, (m, v) in enumerate(zip(mu, log_var, strict=True))
        ],
        axis=1,
    )
    draws = log_q + prior.nll(z)
    error = draws.std(axis=0) / 20_000**0.5
    assert (np.abs(draws.mean(axis=0) - prior.kl(mu, log_var).sum(axis=1)) < 5 * error).all()
    assert (prior.kl(mu, log_var) >= 0).all()
    same = np.zeros((1, 2)) + prior.mean
    at_prior = 2 * np.log(np.zeros((1, 2)) + getattr(prior, "std", 1.0))
    assert np.abs(prior.kl(same, at_prior)).max() < 1e-15


def linear(prior=None, cls=VAE, **options):
    rng = np.random.default_rng(3)
    model = cls(5, 2, (), likelihood=GaussianNLL(0.7), prior=prior, dtype="float64", **options)
    model.theta = 0.6 * rng.standard_normal(model.theta.size)
    return model, rng.standard_normal((9, 5))


def exact_posterior(model, X):
    """Give a linear model the encoder whose q(z|x) is p(z|x); W of the decoder is orthogonal."""
    W = np.linalg.qr(np.random.default_rng(5).standard_normal((5, 2)))[0].T * [[1.4], [0.6]]
    b, s2 = np.linspace(-1, 1, 5), 0.7**2
    mean, std = np.zeros(2) + model.prior.mean, np.zeros(2) + getattr(model.prior, "std", 1.0)
    precision = 1 / std**2 + (W**2).sum(axis=1) / s2
    to_mu = W.T / s2 / precision
    model.decoder.layers[0].params.update(W=W, b=b)
    model.encoder.layers[0].params.update(
        W=np.hstack([to_mu, np.zeros((5, 2))]),
        b=np.concatenate([mean / std**2 / precision - b @ to_mu, -np.log(precision)]),
    )


@pytest.mark.parametrize("prior", [None, GAUSSIAN])
def test_with_the_exact_posterior_every_bound_is_the_exact_marginal(prior):
    model, X = linear(prior)
    exact_posterior(model, X)
    log_p = gaussian_marginal(model, X)
    assert np.allclose(exact_elbo(model, X), log_p, rtol=0, atol=1e-12)
    assert np.allclose(model.log_likelihood(X, k=3), log_p, rtol=0, atol=1e-12)
    weighted, _ = linear(prior, ImportanceWeightedVAE, k=4)
    weighted.theta = model.theta
    assert -weighted.loss(X) == pytest.approx(log_p.mean(), abs=1e-12)


def test_log_p_of_a_linear_model_is_the_density_written_out():
    model, X = linear(GAUSSIAN)
    W, b = (model.decoder.layers[0].params[name] for name in "Wb")
    C = W.T @ np.diag(STD**2) @ W + 0.7**2 * np.eye(5)
    r = X - MEAN @ W - b
    log_p = -0.5 * (
        np.einsum("ij,jk,ik->i", r, np.linalg.inv(C), r) + np.linalg.slogdet(2 * np.pi * C)[1]
    )
    assert np.allclose(gaussian_marginal(model, X), log_p, rtol=0, atol=1e-11)
    assert (exact_elbo(model, X) < log_p).all()


def pair(cls=VAE, **options):
    """Return a model with a Gaussian prior, the same model in units of N(0, I), and data.

    With u = (z - MEAN) / STD, the decoder of u starts with the affine layer z = MEAN + STD u. The
    encoder's mu and log_var are those of u, in an affine last layer.
    """

    def layers():
        sizes = [(6, 5), (5, 4), (2, 5), (5, 6)]
        a, b, c, d = (Dense(*size, rng=i, dtype="float64") for i, size in enumerate(sizes))
        return [a, Tanh(), b], [c, Tanh(), d]

    to_z, to_u = Dense(2, 2, dtype="float64"), Dense(4, 4, dtype="float64")
    to_z.params.update(W=np.diag(STD), b=MEAN)
    shift = np.concatenate([-MEAN / STD, -2 * np.log(STD)])
    to_u.params.update(W=np.diag([*1 / STD, 1, 1]), b=shift)
    options["dtype"] = "float64"
    encoder, decoder = layers()
    networks = {"encoder": Sequential(encoder), "decoder": Sequential(decoder)}
    one = cls(6, 2, prior=GAUSSIAN, **networks, **options)
    encoder, decoder = layers()
    networks = {"encoder": Sequential(*encoder, to_u), "decoder": Sequential(to_z, *decoder)}
    other = cls(6, 2, **networks, **options)
    return one, other, np.random.default_rng(6).random((8, 6))


@pytest.mark.parametrize(
    "cls, options, draws",
    [
        (VAE, {"beta": 0.7}, ()),
        (VAE, {"free_bits": 0.5, "likelihood": "gaussian"}, ()),
        (ImportanceWeightedVAE, {"k": 3}, (3,)),
    ],
)
def test_a_gaussian_prior_is_a_standard_one_in_other_units_of_z(cls, options, draws):
    one, other, X = pair(cls, **options)
    eps = np.random.default_rng(7).standard_normal((*draws, 8, 2))
    losses = [model.loss(X, eps=eps, training=True) for model in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-13)
    assert one.terms["kl"] == pytest.approx(other.terms["kl"], rel=1e-12)
    one.backward()
    other.backward()
    for i in (0, 2):
        for ours, its in (
            (one.encoder.layers[i], other.encoder.layers[i]),
            (one.decoder.layers[i], other.decoder.layers[i + 1]),
        ):
            for name in "Wb":
                error = np.abs(ours.grads[name] - its.grads[name]).max()
                assert error < 1e-12 * np.abs(its.grads[name]).max()
    for method in ("elbo", "anomaly_score", "reconstruct", "kl_per_dimension"):
        assert np.allclose(getattr(one, method)(X), getattr(other, method)(X), rtol=1e-11), method
    assert np.allclose(one.log_likelihood(X, 20), other.log_likelihood(X, 20), rtol=1e-11)
    assert np.allclose(one.sample(5, seed=0), other.sample(5, seed=0), rtol=1e-12)
    middle = one.traverse(dims=[1], span=(-1, 1), steps=3)[0, 1]
    assert np.allclose(middle, one.decode([[MEAN[0], 0.0]])[0], rtol=1e-12)


MODELS = {
    "vae": lambda: VAE(6, 2, (4,), prior=GAUSSIAN, beta=0.6, seed=3),
    "weighted": lambda: ImportanceWeightedVAE(6, 2, (4,), k=3, prior=GAUSSIAN, seed=3),
    "mixture": lambda: ImportanceWeightedVAE(6, 2, (4,), k=3, prior=MIXTURE, seed=3),
    "conditional": lambda: ConditionalVAE(6, 2, (4,), n_classes=3, prior=GAUSSIAN, seed=3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", often(4, ["mixture", "vae", "weighted", "conditional"]))
def test_models_with_a_prior_have_exact_gradients_and_survive_their_file(name, tmp_path):
    model, X = MODELS[name](), np.random.default_rng(0).random((9, 6))
    side = {"labels": np.arange(9) % 3} if name == "conditional" else {}
    report = gradient_check(model, X, tolerance=1e-12, **side)
    assert report.ok, report
    before = model.evaluate(X, **side)
    model.fit(X, epochs=3, verbose=0, **side)
    assert model.evaluate(X, **side) < before and model.theta.dtype == np.float32
    model.save(tmp_path / "m.npz")
    again = type(model).load(tmp_path / "m.npz")
    assert repr(again.prior) == repr(model.prior)
    assert np.array_equal(again.elbo(X, **side), model.elbo(X, **side))
    assert np.array_equal(again.sample(3, seed=0, **({"labels": 1} if side else {})),
                          model.sample(3, seed=0, **({"labels": 1} if side else {})))  # fmt: skip
    params = model.get_params()
    assert type(model)(**params).get_params() == params
    assert model.set_params(prior=None).prior.mean == 0


def test_float32_stays_float32():
    for prior in PRIORS:
        z = codes().astype(np.float32)
        assert prior.nll(z).dtype == prior.nll_grad(z).dtype == np.float32
    assert GAUSSIAN.kl(z, z).dtype == GAUSSIAN.kl_grad(z, z)[0].dtype == np.float32


def test_a_mixture_has_one_estimate_of_log_p_by_every_method():
    X = np.random.default_rng(0).random((30, 6))
    model = ImportanceWeightedVAE(6, 2, (4,), k=5, prior=MIXTURE, dtype="float64")
    log_p, kl = model.elbo(X, split=True)
    assert np.allclose(model.elbo(X), log_p - kl)
    assert model.elbo(X).mean() < -model.evaluate(X) < model.log_likelihood(X, 2000).mean()
    # a mixture of one component is a Gaussian, whose KL is known
    one = ImportanceWeightedVAE(6, 2, (4,), k=5, prior=MixturePrior([MEAN], [STD]))
    gaussian = ImportanceWeightedVAE(6, 2, (4,), k=5, prior=GAUSSIAN)
    rows = np.tile(X, (40, 1))
    for model in (one, gaussian):
        model.loss(rows)
    assert one.terms["loss"] == pytest.approx(gaussian.terms["loss"], rel=1e-6)
    assert one.terms["kl"] == pytest.approx(gaussian.terms["kl"], rel=0.05)
    assert np.allclose(one.log_likelihood(X, 5), gaussian.log_likelihood(X, 5), atol=1e-4)


def test_a_mixture_far_from_all_means_has_a_finite_slope():
    z = np.array([[1e4, -1e4]])
    assert np.isfinite(MIXTURE.nll(z)).all() and np.isfinite(MIXTURE.nll_grad(z)).all()


def test_a_prior_without_a_kl_is_refused_where_a_kl_is_needed():
    with pytest.raises(ValueError, match="no KL in closed form.* train an ImportanceWeightedVAE"):
        VAE(6, 2, prior=MIXTURE)
    with pytest.raises(ValueError, match="no KL in closed form"):
        ConditionalVAE(6, 2, n_classes=3, prior=MIXTURE)
    model, X = ImportanceWeightedVAE(6, 2, prior=MIXTURE), np.full((3, 6), 0.5)
    for method in (model.kl_per_dimension, model.anomaly_score):
        with pytest.raises(ValueError, match="no KL in closed form.* rank samples by log_lik"):
            method(X)


@pytest.mark.parametrize(
    "prior, message",
    [
        (GaussianPrior, "it is a class"),
        ("normal", "must be an object such as GaussianPrior"),
        (GaussianPrior([0.0, 1.0, 2.0]), "latent_dim=2"),
        (MixturePrior([[0.0, 1.0, 2.0]]), "latent_dim=2"),
        (object(), "it lacks nll"),
    ],
)
def test_a_prior_that_does_not_fit_is_refused(prior, message):
    for cls in (VAE, ImportanceWeightedVAE):
        with pytest.raises(ValueError, match=message):
            cls(6, 2, prior=prior)
    with pytest.raises(ValueError, match="latent_dim=1"):
        ImportanceWeightedVAE(6, 1, prior=GaussianPrior([0.0, 1.0, 2.0]))


def test_a_prior_with_parameters_is_refused_since_nothing_would_train_it():
    class Learned(Dense, GaussianPrior):
        def __init__(self):
            Dense.__init__(self, 2, 2)
            self.mean = self.std = np.ones(2)

    with pytest.raises(ValueError, match="a prior is not trained"):
        VAE(6, 2, prior=Learned())


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: GaussianPrior(std=0.0), "std=0.0 must be above 0"),
        (lambda: GaussianPrior(np.nan), "mean=nan must be a finite number"),
        (lambda: GaussianPrior("a"), "mean='a' must be a finite number"),
        (lambda: GaussianPrior([[1.0]]), "mean"),
        (lambda: GaussianPrior([1.0, 2.0], [1.0, 2.0, 3.0]), r"\(2,\) and std \(3,\)"),
        (lambda: MixturePrior([1.0, 2.0]), r"\(K, latent_dim\)"),
        (lambda: MixturePrior([[1.0, 2.0]], -1.0), "stds=-1.0"),
        (lambda: MixturePrior([[1.0, 2.0]], [1.0, 2.0]), "of the shape of means"),
        (lambda: MixturePrior([[1.0], [2.0]], weights=[0.5, 0.6]), "sum 1"),
        (lambda: MixturePrior([[1.0], [2.0]], weights=[1.0]), "2 numbers"),
    ],
)
def test_arguments_of_a_prior_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_prior_of_ones_own_needs_four_things_for_the_importance_weighted_bound():
    class Laplace(Prior):
        """p(z) = exp(-sqrt(1 + z^2)) / (2 K_1(1)) for each latent, a smooth Laplace density."""

        def nll(self, z):
            return (np.sqrt(1 + z**2) + np.log(2 * 0.6019072301972346)).sum(axis=-1)

        def nll_grad(self, z):
            return z / np.sqrt(1 + z**2)

        def draw(self, shape, rng):
            return rng.laplace(size=shape)

    X = np.random.default_rng(0).random((9, 6))
    model = ImportanceWeightedVAE(6, 2, (4,), k=3, prior=Laplace())
    assert gradient_check(model, X, tolerance=1e-12).ok
    assert np.isfinite(model.elbo(X)).all() and model.sample(3).shape == (3, 6)
    with pytest.raises(NotImplementedError, match="Prior has no nll yet"):
        VAE(6, 2, prior=Prior())


def test_an_assignment_that_would_not_be_saved_is_refused():
    with pytest.raises(AttributeError):
        VAE(6, 2).prior = GAUSSIAN


def test_a_detector_scores_with_the_kl_from_the_prior():
    X = np.random.default_rng(0).random((40, 6))
    model = VAE(6, 2, (4,), prior=GAUSSIAN, dtype="float64")
    detector = AnomalyDetector(model).fit(X, epochs=0, verbose=0)
    mu, log_var = model.posterior(X)
    nll = model.reconstruction_loss.per_sample(model.decoder.forward(mu), X)
    expected = nll + GAUSSIAN.kl(mu, log_var).sum(axis=1)
    assert np.allclose(detector.decision_function(X), expected, rtol=1e-12)


def test_a_manifold_at_quantiles_of_n01_is_refused_for_another_prior():
    from miniae import plots

    model = VAE(16, 2, (4,), prior=GAUSSIAN)
    with pytest.raises(ValueError, match=r"not of GaussianPrior\(.*give span=\(low, high\)"):
        plots.latent_manifold(model, 2)


def test_an_empty_prior_is_not_the_standard_one():
    for prior in (0, "", [], False):
        with pytest.raises(ValueError, match="must be an object such as GaussianPrior"):
            VAE(6, 2, prior=prior)


def test_oracles_for_other_priors_refuse_instead_of_answering_for_n01():
    with pytest.raises(ValueError, match=r"the grid is for the prior N\(0, I\)"):
        grid_log_likelihood(linear(GAUSSIAN)[0], linear()[1])
    model, X = linear(MIXTURE, ImportanceWeightedVAE)
    with pytest.raises(ValueError, match="must have a Gaussian prior"):
        gaussian_marginal(model, X)


def test_check_training_draws_from_the_models_prior():
    X = np.random.default_rng(0).random((60, 6))
    model, drawn = VAE(6, 2, (4,), prior=GaussianPrior(MEAN, STD)), []
    draw = model.prior.draw
    model.prior.draw = lambda shape, rng: drawn.append(shape) or draw(shape, rng)
    check_training(model.fit(X, epochs=1, verbose=0), X)
    assert drawn == [(60, 2)]
