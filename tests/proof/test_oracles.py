import itertools

import numpy as np
import pytest

from miniae import (
    VAE,
    Adam,
    Autoencoder,
    BernoulliNLL,
    Dense,
    GaussianNLL,
    Sequential,
    SquaredError,
    StandardNormal,
    Tanh,
    gaussian_kl,
    gaussian_kl_grad,
)
from miniae.proof.estimates import (
    Gap,
    bound_gaps,
    grid_log_likelihood,
    log_normal,
    moment_z_scores,
    monte_carlo_kl,
    sampler_of,
    weight_z_scores,
    worst_step,
)
from miniae.proof.oracle_certificate import certificate, compare, minimise, train_to_optimum
from miniae.proof.oracles import (
    PCA,
    ProbabilisticPCA,
    conditional_gaussian,
    exact_elbo,
    gaussian_log_density,
    gaussian_marginal,
    joint_gaussian,
    principal_angles,
    sigma_points,
)

pytestmark = pytest.mark.slow  # seconds in all, and far from what a reader changes first

SIGMA = 5  # standard errors: exceeded once in 1.7 million comparisons, and the seeds are fixed


def rotation(size, rng):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def data(n=200, seed=0, stds=(2.0, 1.4, 0.6, 0.5, 0.4, 0.3)):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, len(stds))) * stds
    return X @ rotation(len(stds), rng) + rng.standard_normal(len(stds))


def covariance(size, rng):
    A = rng.standard_normal((size, size))
    return A @ A.T + 0.3 * np.eye(size)


def linear_vae(features=5, latent_dim=2, seed=3, sigma=0.6, **options):
    """At a random point, q near the prior."""
    likelihood = GaussianNLL(sigma)
    vae = VAE(features, latent_dim, (), likelihood=likelihood, dtype="float64", **options)
    vae.theta = 0.5 * np.random.default_rng(seed).standard_normal(vae.theta.size)
    vae.encoder.theta *= 0.2
    return vae


def set_posterior(vae, widen=0.0):
    """Make q(z|x) the exact posterior of a linear VAE, apart from its off-diagonal part."""
    d, (mean, C) = vae.latent_dim, joint_gaussian(vae)
    shift = np.concatenate([np.full(d, np.nan), mean[d:]])
    conditional = conditional_gaussian(mean, C, shift)[1]
    to_mu = np.linalg.solve(C[d:, d:], C[d:, :d])
    encoder = vae.encoder.layers[0]
    encoder.params["W"] = np.concatenate([to_mu, np.zeros_like(to_mu)], axis=1)
    log_var = np.log(np.diag(conditional)) + widen
    encoder.params["b"] = np.concatenate([-mean[d:] @ to_mu, log_var])
    return vae


def own_samples(vae, n=20, seed=0):
    joint = np.random.default_rng(seed).multivariate_normal(*joint_gaussian(vae), size=n)
    return joint[:, vae.latent_dim :]


@pytest.fixture(scope="module")
def trained():
    """A Bernoulli VAE of two latents, q widened for weights of finite variance; X; log p(x)."""
    rng = np.random.default_rng(2)
    p = 0.5 + 0.45 * np.tanh(rng.standard_normal((300, 2)) @ rng.standard_normal((2, 6)) * 1.5)
    X = (rng.random(p.shape) < p).astype(float)
    vae = VAE(6, 2, (12,), dtype="float64")
    vae.fit(X, epochs=40, batch_size=50, optimizer=Adam(1e-2), verbose=0)
    vae.encoder.layers[-1].params["b"][2:] += 0.5
    X = X[:20]
    return vae, X, grid_log_likelihood(vae, X, points=121)[0]


class TestPCA:
    def test_its_error_is_that_of_squared_error_and_the_variance_left_out(self):
        X, k = data(), 2
        pca = PCA(k).fit(X)
        again = pca.inverse_transform(pca.transform(X))
        assert pca.reconstruction_error(X) == pytest.approx(SquaredError().forward(again, X))
        variances = np.linalg.eigvalsh(np.cov(X.T, bias=True))[::-1]
        assert np.allclose(pca.variances_, variances, rtol=1e-12)
        assert pca.reconstruction_error(X) == pytest.approx(variances[k:].sum(), rel=1e-12)

    def test_no_other_projection_has_a_smaller_error(self):
        X, rng = data(), np.random.default_rng(1)
        pca = PCA(2).fit(X)
        best, components = pca.reconstruction_error(X), pca.components_
        for size in (1e-3, 0.1, 10.0):
            for _ in range(20):
                other = components + size * rng.standard_normal(components.shape)
                pca.components_ = np.linalg.qr(other.T)[0].T
                assert pca.reconstruction_error(X) > best

    def test_all_components_lose_nothing(self):
        X = data()
        assert PCA(6).fit(X).reconstruction_error(X) < 1e-25

    @pytest.mark.parametrize("k", [0, 7, 2.5])
    def test_an_impossible_number_of_components_is_refused(self, k):
        with pytest.raises(ValueError, match=f"n_components={k} must be an integer from 1 to 6"):
            PCA(k).fit(data())

    @pytest.mark.parametrize("fit", [PCA(1).fit, ProbabilisticPCA(1).fit])
    def test_data_of_another_shape_or_not_finite_are_refused(self, fit):
        for bad in (np.ones(6), np.ones((2, 3, 4)), np.ones((0, 3))):
            with pytest.raises(ValueError, match=r"X must have shape \(n, features\), got \("):
                fit(bad)
        X = data()
        X[17, 2] = np.nan
        with pytest.raises(ValueError, match="X must be finite; row 17"):
            fit(X)

    def test_other_features_than_those_fitted_are_refused(self):
        pca, ppca = PCA(2).fit(data()), ProbabilisticPCA(2).fit(data())
        for call in (pca.transform, pca.reconstruction_error, ppca.log_likelihood, ppca.posterior):
            with pytest.raises(ValueError, match=r"X must have shape \(n, 6\), got \(3, 5\)"):
                call(np.ones((3, 5)))
        with pytest.raises(ValueError, match=r"Z must have shape \(n, 2\), got \(3, 6\)"):
            pca.inverse_transform(np.ones((3, 6)))


class TestPrincipalAngles:
    def planes(self, angles, features=7, seed=0):
        """Two spaces at these angles, with bases and coordinates at random."""
        rng, k = np.random.default_rng(seed), len(angles)
        A, B = np.zeros((k, features)), np.zeros((k, features))
        A[range(k), range(k)] = 1
        B[range(k), range(k)] = np.cos(angles)
        B[range(k), range(k, 2 * k)] = np.sin(angles)
        everything = rotation(features, rng)
        bases = (rng.standard_normal((k, k)) + 2 * np.eye(k) for _ in range(2))
        return [basis @ M @ everything for basis, M in zip(bases, (A, B), strict=True)]

    @pytest.mark.parametrize(
        "angles",
        [(1e-12, 1e-7), (1e-3, 0.5), (np.pi / 4, 1.2), (0.3, np.pi / 2 - 1e-9), (0, np.pi / 2)],
    )
    def test_they_are_right_to_rounding_from_zero_to_a_right_angle(self, angles):
        # A rounding error of 1e-16 in a basis of condition number c turns it by c * 1e-16.
        assert np.abs(principal_angles(*self.planes(angles)) - angles).max() < 5e-15

    def test_order_of_the_arguments_does_not_matter(self):
        A, B = self.planes((0.2, 0.9, 1.4))
        assert np.allclose(principal_angles(A, B), principal_angles(B, A), atol=1e-15)

    def test_a_space_within_another_is_at_angle_zero(self):
        A = np.random.default_rng(0).standard_normal((4, 7))
        for angles in (principal_angles(A, A[:2]), principal_angles(A[:2], A)):
            assert angles.shape == (2,) and np.abs(angles).max() < 5e-15

    def test_spaces_that_cannot_be_compared_are_refused(self):
        with pytest.raises(ValueError, match=r"A has shape \(2, 4\) and B \(2, 5\)"):
            principal_angles(np.eye(2, 4), np.eye(2, 5))
        with pytest.raises(ValueError, match=r"B of shape \(2, 4\) has rank 1"):
            principal_angles(np.eye(2, 4), np.ones((2, 4)))


class TestGaussians:
    def test_the_density_is_a_product_for_independent_entries(self):
        rng = np.random.default_rng(0)
        X, mean, variance = rng.standard_normal((9, 4)), rng.standard_normal(4), rng.random(4) + 0.1
        univariate = np.exp(-((X - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        density = gaussian_log_density(X, mean, np.diag(variance))
        assert np.allclose(density, np.log(univariate).sum(axis=1), rtol=1e-13)

    def test_the_density_integrates_to_one(self):
        axis = np.linspace(-9, 9, 181)
        X = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        density = np.exp(gaussian_log_density(X, [0.3, -0.2], [[1.0, 0.7], [0.7, 0.9]]))
        assert density.sum() * 0.1**2 == pytest.approx(1, abs=1e-12)

    def test_the_conditional_of_two_variables_is_that_worked_by_hand(self):
        # mean 1 + 2 / 3 (5 - 2) = 3, variance 4 - 2^2 / 3 = 8 / 3
        filled, C = conditional_gaussian([1.0, 2.0], [[4.0, 2.0], [2.0, 3.0]], [np.nan, 5.0])
        assert np.allclose(filled, [3, 5], rtol=1e-15) and np.allclose(C, 8 / 3, rtol=1e-15)

    @pytest.mark.parametrize("seed", range(5))
    def test_conditional_times_marginal_is_the_joint_density(self, seed):
        rng = np.random.default_rng(seed)
        mean, C, x = rng.standard_normal(6), covariance(6, rng), rng.standard_normal(6)
        lost = rng.permutation(6) < 1 + seed % 5
        filled, conditional = conditional_gaussian(mean, C, np.where(lost, np.nan, x))
        assert np.array_equal(filled[~lost], x[~lost])
        product = gaussian_log_density(x[None, lost], filled[lost], conditional)
        product += gaussian_log_density(x[None, ~lost], mean[~lost], C[~lost][:, ~lost])
        assert np.allclose(product, gaussian_log_density(x[None], mean, C), rtol=1e-11)

    def test_with_everything_or_nothing_missing_the_conditional_is_plain(self):
        rng = np.random.default_rng(0)
        mean, C, x = rng.standard_normal(4), covariance(4, rng), rng.standard_normal(4)
        filled, conditional = conditional_gaussian(mean, C, np.full(4, np.nan))
        assert np.array_equal(filled, mean) and np.array_equal(conditional, C)
        filled, conditional = conditional_gaussian(mean, C, x)
        assert np.array_equal(filled, x) and conditional.shape == (0, 0)

    def test_the_arguments_stay_as_they_are(self):
        x, mean, C = np.array([np.nan, 1.0]), np.zeros(2), np.eye(2)
        conditional_gaussian(mean, C, x)[0][:] = 7
        assert np.isnan(x[0]) and x[1] == 1 and not mean.any()

    @pytest.mark.parametrize(
        ("C", "words"),
        [
            ([[1.0, 2.0], [2.0, 1.0]], "positive definite; its smallest eigenvalue is -1"),
            ([[1.0, 0.5], [0.0, 1.0]], "not symmetric: entries differ by 0.5"),
        ],
    )
    def test_what_is_no_covariance_is_refused(self, C, words):
        with pytest.raises(ValueError, match=f"covariance.* {words}"):
            gaussian_log_density(np.ones((3, 2)), np.zeros(2), C)
        with pytest.raises(ValueError, match=f"covariance.* {words}"):
            conditional_gaussian(np.zeros(2), C, np.ones(2))

    def test_shapes_that_do_not_fit_are_refused(self):
        with pytest.raises(ValueError, match=r"mean \(3,\) and covariance \(2, 2\)"):
            gaussian_log_density(np.ones((3, 2)), np.zeros(3), np.eye(2))
        with pytest.raises(ValueError, match=r"mean \(2,\), covariance \(2, 2\) and x \(1, 2\)"):
            conditional_gaussian(np.zeros(2), np.eye(2), np.ones((1, 2)))
        with pytest.raises(ValueError, match=r"x\[1\] is infinite; NaN marks missing"):
            conditional_gaussian(np.zeros(2), np.eye(2), [np.nan, np.inf])


class TestProbabilisticPCA:
    @pytest.mark.parametrize("k", [1, 2, 5])
    def test_the_maximum_is_the_one_in_the_paper(self, k):
        X = data()
        ppca = ProbabilisticPCA(k).fit(X)
        variances = np.linalg.eigvalsh(np.cov(X.T, bias=True))[::-1]
        sigma2 = variances[k:].mean()
        assert ppca.sigma2_ == pytest.approx(sigma2, rel=1e-12)
        assert np.allclose(ppca.W_ @ ppca.W_.T, np.diag(variances[:k] - sigma2), atol=1e-12)
        logs = np.log(variances[:k]).sum() + (6 - k) * np.log(sigma2)
        maximum = -0.5 * (6 * np.log(2 * np.pi) + logs + 6)
        assert ppca.log_likelihood(X).mean() == pytest.approx(maximum, rel=1e-12)

    def test_no_other_parameters_are_likelier(self):
        X, rng = data(), np.random.default_rng(1)
        ppca = ProbabilisticPCA(2).fit(X)
        best, fitted = ppca.log_likelihood(X).mean(), vars(ppca).copy()
        for size, name in itertools.product((1e-3, 0.1), ("mean_", "W_", "sigma2_")):
            for _ in range(20):
                noise = size * rng.standard_normal(np.shape(fitted[name]))
                vars(ppca).update({**fitted, name: fitted[name] * np.exp(noise)})
                assert ppca.log_likelihood(X).mean() < best

    def test_a_rotation_of_the_latents_changes_no_likelihood(self):
        X = data()
        ppca = ProbabilisticPCA(2).fit(X)
        before = ppca.log_likelihood(X)
        ppca.W_ = rotation(2, np.random.default_rng(0)) @ ppca.W_
        assert np.allclose(ppca.log_likelihood(X), before, rtol=1e-12)

    def test_the_posterior_is_the_conditional_of_the_joint_gaussian(self):
        X = data()
        ppca = ProbabilisticPCA(2).fit(X)
        W = ppca.W_
        joint = np.block([[np.eye(2), W], [W.T, W.T @ W + ppca.sigma2_ * np.eye(6)]])
        mean, C = ppca.posterior(X)
        for x, m in zip(X[:5], mean, strict=False):
            point = np.concatenate([[np.nan, np.nan], x])
            filled, expected = conditional_gaussian(np.append([0, 0], ppca.mean_), joint, point)
            assert np.allclose(m, filled[:2], atol=1e-12)
            assert np.allclose(C, expected, atol=1e-12)

    def test_equal_variances_leave_no_direction_and_no_warning(self):
        X = np.concatenate([np.eye(4), -np.eye(4)])
        ppca = ProbabilisticPCA(2).fit(X)
        assert ppca.sigma2_ == pytest.approx(0.25) and np.abs(ppca.W_).max() < 1e-7

    def test_a_likelihood_without_a_maximum_is_refused(self):
        with pytest.raises(ValueError, match="n_components=6 must be less than X's 6 features"):
            ProbabilisticPCA(6).fit(data())
        flat = data() @ np.diag([1, 1, 0, 0, 0, 0]) @ rotation(6, np.random.default_rng(0))
        with pytest.raises(ValueError, match=r"no variance beyond 2 .*likelihood is unbounded"):
            ProbabilisticPCA(2).fit(flat)


class TestLinearVAE:
    @pytest.mark.parametrize("d", [1, 2, 3, 7])
    def test_sigma_points_integrate_every_quadratic(self, d):
        rng, points = np.random.default_rng(d), sigma_points(d)
        A, b, c = rng.standard_normal((d, d)), rng.standard_normal(d), 0.7
        values = ((points @ A) * points).sum(axis=1) + points @ b + c
        assert points.shape == (2 * d, d)
        assert values.mean() == pytest.approx(np.trace(A) + c, rel=1e-12, abs=1e-12)

    def test_sigma_points_do_not_integrate_a_fourth_power(self):
        assert (sigma_points(2) ** 4).mean(axis=0) == pytest.approx(2)  # not 3

    @pytest.mark.parametrize("d", [0, -1, 1.5])
    def test_an_impossible_number_of_latents_is_refused(self, d):
        with pytest.raises(ValueError, match=f"latent_dim={d} must be 1 or more"):
            sigma_points(d)

    def test_the_exact_elbo_is_the_closed_form_for_any_encoder(self):
        encoder = Sequential(Dense(5, 7, rng=1), Tanh(), Dense(7, 4, rng=2))
        vae = linear_vae(encoder=encoder)
        X = own_samples(vae)
        W, b = (vae.decoder.layers[0].params[name] for name in "Wb")
        mu, log_var = vae.posterior(X)
        squares = ((X - mu @ W - b) ** 2).sum(axis=1) + np.exp(log_var) @ (W**2).sum(axis=1)
        log_p = -0.5 * (squares / 0.36 + 5 * np.log(2 * np.pi * 0.36))
        kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
        assert np.allclose(exact_elbo(vae, X), log_p - kl, rtol=1e-13)

    def test_the_exact_elbo_is_the_expectation_of_elbo(self):
        vae = set_posterior(linear_vae(), widen=0.5)
        X = own_samples(vae)
        (gap,) = bound_gaps(vae, X, exact_elbo(vae, X), ks=(), repeats=200)
        assert abs(gap.value) < SIGMA * gap.standard_error < 0.2

    def test_elbo_is_below_the_marginal_and_meets_it_at_the_exact_posterior(self):
        vae = linear_vae()
        X = own_samples(vae)
        assert (exact_elbo(vae, X) < gaussian_marginal(vae, X) - 1e-3).all()
        one = set_posterior(linear_vae(latent_dim=1))  # of one latent: no off-diagonal part
        assert np.allclose(exact_elbo(one, X), gaussian_marginal(one, X), rtol=1e-13)

    @pytest.mark.parametrize("k", [1, 20])
    def test_the_importance_weighted_estimate_is_unbiased_for_the_marginal(self, k):
        vae = set_posterior(linear_vae(), widen=0.5)
        X = own_samples(vae)
        assert np.abs(weight_z_scores(vae, X, gaussian_marginal(vae, X), k)).max() < SIGMA

    def test_a_tenth_of_a_nat_too_much_is_seen(self):
        vae = set_posterior(linear_vae(), widen=0.5)
        X = own_samples(vae)
        assert weight_z_scores(vae, X, gaussian_marginal(vae, X) - 0.1).min() > SIGMA

    def test_images_and_float32_models_are_served_and_stay_as_they_are(self):
        vae = VAE((2, 3), 2, (), likelihood="gaussian")
        X = np.random.default_rng(0).standard_normal((8, 2, 3))
        vae.loss(X)
        vae.backward()
        before, gradient = vae.theta.copy(), vae.dtheta.copy()
        elbo, log_p = exact_elbo(vae, X), gaussian_marginal(vae, X)
        assert elbo.shape == log_p.shape == (8,) and elbo.dtype == log_p.dtype == np.float64
        assert (elbo < log_p).all() and vae.theta.dtype == np.float32
        vae.backward()
        assert np.array_equal(before, vae.theta) and np.array_equal(gradient, vae.dtheta)

    @pytest.mark.parametrize(
        ("model", "words"),
        [
            (VAE(5, 2, (3,), likelihood="gaussian"), "must have a linear decoder"),
            (VAE(5, 2, ()), "must be a VAE with a Gaussian likelihood"),
            (Autoencoder(5, 2, (), loss="gaussian"), "must be a VAE with a Gaussian likelihood"),
        ],
    )
    def test_models_whose_marginal_is_no_gaussian_are_refused(self, model, words):
        for oracle in (exact_elbo, gaussian_marginal):
            with pytest.raises(ValueError, match=words):
                oracle(model, np.zeros((3, 5)))

    def test_data_of_another_shape_are_refused(self):
        for oracle in (exact_elbo, gaussian_marginal):
            with pytest.raises(ValueError, match=r"X must have shape \(n, 5\).* got \(3, 4\)"):
                oracle(linear_vae(), np.zeros((3, 4)))


class TestTrainingToTheOptimum:
    def test_minimise_finds_the_bottom_of_a_curved_valley(self):
        def rosenbrock(x):
            a, b = 1 - x[0], x[1] - x[0] ** 2
            return a**2 + 100 * b**2, np.array([-2 * a - 400 * x[0] * b, 200 * b])

        x, value, gradient = minimise(rosenbrock, np.array([-1.2, 1.0]))
        assert np.allclose(x, 1, atol=1e-9) and value < 1e-18 and np.abs(gradient).max() < 1e-8

    def test_minimise_turns_back_from_where_there_is_no_value(self):
        def barrier(x):
            return (x - np.log(x)).item() if x > 0 else np.inf, 1 - 1 / x

        assert minimise(barrier, np.array([0.01]))[0] == pytest.approx(1, abs=1e-8)

    @pytest.mark.parametrize(("seed", "k"), [(0, 2), (1, 1), (2, 3), (3, 5)])
    def test_a_linear_autoencoder_reaches_pca(self, seed, k):
        X = data(seed=seed)
        model, pca = Autoencoder(6, k, (), loss="mse", dtype="float64", seed=seed), PCA(k).fit(X)
        assert train_to_optimum(model, X) < 1e-8
        assert model.evaluate(X) == pytest.approx(pca.reconstruction_error(X), rel=1e-6)
        assert model.evaluate(X) > pca.reconstruction_error(X) * (1 - 1e-12)
        W = model.decoder.layers[0].params["W"]
        assert principal_angles(W, pca.components_).max() < 1e-3

    @pytest.mark.parametrize(("seed", "d"), [(0, 2), (1, 1), (2, 3), (3, 2)])
    def test_a_linear_vae_reaches_probabilistic_pca(self, seed, d):
        X = data(seed=seed, stds=(2.0, 1.4, 0.9, 0.5, 0.4, 0.3))
        vae = VAE(6, d, (), likelihood="gaussian", dtype="float64", seed=seed)
        assert train_to_optimum(vae, X) < 1e-8
        ppca = ProbabilisticPCA(d).fit(X)
        maximum = ppca.log_likelihood(X).mean()
        # In nats per sample. Two decimals above rounding, which is 1e-15 of some 6 nats.
        assert exact_elbo(vae, X).mean() == pytest.approx(maximum, abs=1e-12)
        assert np.abs(exact_elbo(vae, X) - ppca.log_likelihood(X)).max() < 1e-8
        assert np.abs(gaussian_marginal(vae, X) - ppca.log_likelihood(X)).max() < 1e-8
        assert vae.reconstruction_loss.sigma**2 == pytest.approx(ppca.sigma2_, rel=1e-8)
        W = vae.decoder.layers[0].params["W"]
        gram, order = W @ W.T, np.argsort(-(W**2).sum(axis=1))
        assert np.allclose(gram[np.ix_(order, order)], ppca.W_ @ ppca.W_.T, atol=1e-8)
        mean, C = ppca.posterior(X)
        mu, log_var = (array[:, order] for array in vae.posterior(X))
        signs = np.sign((mu * mean).sum(axis=0))
        assert np.allclose(mu * signs, mean, atol=1e-8)
        assert np.allclose(np.exp(log_var), np.diag(C), atol=1e-8)

    def test_another_weight_of_the_kl_does_not_reach_it(self):
        X = data()
        vae = VAE(6, 2, (), likelihood="gaussian", dtype="float64", beta=1.1)
        train_to_optimum(vae, X)
        assert (
            exact_elbo(vae, X).mean() < ProbabilisticPCA(2).fit(X).log_likelihood(X).mean() - 1e-3
        )

    def test_an_elbo_with_the_kl_averaged_over_latents_is_seen(self, monkeypatch):
        class Averaged(StandardNormal):
            def kl(self, mu, log_var):
                return gaussian_kl(mu, log_var) / 2

            def kl_grad(self, mu, log_var):
                return [g / 2 for g in gaussian_kl_grad(mu, log_var)]

        X = data()
        vae = VAE(6, 2, (), likelihood="gaussian", prior=Averaged(), dtype="float64")
        train_to_optimum(vae, X)
        maximum = ProbabilisticPCA(2).fit(X).log_likelihood(X).mean()
        eps = np.repeat(sigma_points(2), len(X), axis=0)
        assert -vae.loss(np.tile(X, (4, 1)), eps=eps) > maximum + 0.1  # better than the best

    def test_models_it_cannot_train_exactly_are_refused(self):
        X = data()
        with pytest.raises(ValueError, match="model has dtype float32, not float64"):
            train_to_optimum(Autoencoder(6, 2, (), loss="mse"), X)
        with pytest.raises(ValueError, match="must have a linear decoder"):
            train_to_optimum(VAE(6, 2, (4,), likelihood="gaussian", dtype="float64"), X)


# Generic points: at mu = 1, log_var = 0 a std of exp(log_var) or exp(log_var / 2) is the same.
MU = np.array([[0.3, -1.0], [1.7, 0.4], [-0.6, 0.1]])
LOG_VAR = np.array([[-1.5, 0.8], [0.6, -0.7], [-3.1, 1.2]])
KL = gaussian_kl(MU, LOG_VAR).sum(axis=1)
N = 40_000


class ExpStd(VAE):
    """Draws with std = exp(log_var), as two public VAEs do."""

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        _, log_var = self.posterior(x)
        eps = rng.standard_normal(log_var.shape) if eps is None else eps
        return super().loss(x, target, eps=eps * np.exp(log_var / 2), training=training)


class TestSampling:
    def test_the_default_sampler_is_the_one_in_the_loss_of_vae(self):
        z = sampler_of()(MU, LOG_VAR, np.random.default_rng(0))
        eps = np.random.default_rng(0).standard_normal(MU.shape)
        assert np.array_equal(z, MU + eps * np.exp(0.5 * LOG_VAR))

    @pytest.mark.parametrize("seed", range(3))
    def test_monte_carlo_kl_agrees_with_the_analytic_one(self, seed):
        rng = np.random.default_rng(seed)
        mu, log_var = rng.standard_normal((2, 6, 3)) * [[[1.0]], [[1.5]]]
        estimate, error = monte_carlo_kl(mu, log_var, N, rng)
        assert estimate.shape == error.shape == (6,)
        assert (np.abs(estimate - gaussian_kl(mu, log_var).sum(axis=1)) < SIGMA * error).all()
        assert (error < 0.1).all()

    def test_sampled_z_has_the_stated_mean_and_std(self):
        of_mean, of_std = moment_z_scores(MU, LOG_VAR, N, 0)
        assert np.abs(of_mean).max() < SIGMA and np.abs(of_std).max() < SIGMA

    def test_the_standard_error_is_honest(self):
        # 300 estimates: their spread is known to 4 percent.
        mu, log_var = np.tile(MU[:1], (300, 1)), np.tile(LOG_VAR[:1], (300, 1))
        estimate, error = monte_carlo_kl(mu, log_var, 500, 1)
        assert 0.8 < ((estimate - KL[0]) / error).std() < 1.2
        scores = np.array(moment_z_scores(mu, log_var, 500, 2))
        assert (np.abs(scores.std(axis=1) - 1) < 0.2).all()

    @pytest.mark.parametrize(
        "sampler",
        [
            sampler_of(ExpStd),
            lambda mu, lv, rng: mu + np.exp(lv) * rng.standard_normal(mu.shape),
            lambda mu, lv, rng: mu + 0.01 * np.exp(lv / 2) * rng.standard_normal(mu.shape),
            lambda mu, lv, rng: mu + np.exp(lv / 2) * (2 * rng.random(mu.shape) - 1),
        ],
        ids=["a VAE with std = exp(log_var)", "std = exp(log_var)", "noise / 100", "uniform"],
    )
    def test_a_sampler_of_another_spread_is_seen_by_kl_and_moments(self, sampler):
        estimate, error = monte_carlo_kl(MU, LOG_VAR, N, 0, sampler)
        assert (np.abs(estimate - KL) > SIGMA * error).all()
        assert (np.abs(moment_z_scores(MU, LOG_VAR, N, 0, sampler)[1]) > SIGMA).all()

    def test_a_sampler_of_another_mean_is_seen_by_the_moments(self):
        def sampler(mu, log_var, rng):
            return 0.9 * mu + np.exp(log_var / 2) * rng.standard_normal(mu.shape)

        assert np.abs(moment_z_scores(MU, LOG_VAR, N, 0, sampler)[0]).max(axis=1).min() > SIGMA

    def test_noise_of_the_right_mean_and_variance_does_not_move_the_kl(self):
        def sampler(mu, log_var, rng):
            return mu + np.exp(log_var / 2) * rng.choice([-1.0, 1.0], mu.shape)

        estimate, error = monte_carlo_kl(MU, LOG_VAR, N, 0, sampler)
        assert (np.abs(estimate - KL) < SIGMA * error).all()
        assert np.abs(moment_z_scores(MU, LOG_VAR, N, 0, sampler)[0]).max() < SIGMA

    def test_the_figures_of_the_public_bug_are_reproduced(self):
        wrong, _ = monte_carlo_kl(MU[:1], LOG_VAR[:1], N, 0, sampler_of(ExpStd))
        right, _ = monte_carlo_kl(MU[:1], LOG_VAR[:1], N, 0)
        assert KL[0] == pytest.approx(1.119, abs=5e-4)
        assert wrong[0] == pytest.approx(2.17, abs=0.05)
        assert right[0] == pytest.approx(1.12, abs=0.02)

    @pytest.mark.parametrize(
        "wrong",
        [
            gaussian_kl(MU, LOG_VAR).mean(axis=1),
            2 * KL,
            -KL,
            0.5 * (MU**2 + np.exp(LOG_VAR) - LOG_VAR).sum(axis=1),
            0.5 * (MU**2 + np.exp(2 * LOG_VAR) - 1 - LOG_VAR).sum(axis=1),
        ],
        ids=["averaged over latents", "without the half", "sign", "without the 1", "variance"],
    )
    def test_a_wrong_analytic_kl_is_seen(self, wrong):
        estimate, error = monte_carlo_kl(MU, LOG_VAR, N, 0)
        assert (np.abs(estimate - wrong) > SIGMA * error).all()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((MU, LOG_VAR[:2], 9, 0), r"mu \(3, 2\) and log_var \(2, 2\) must both be"),
            ((MU[0], LOG_VAR[0], 9, 0), r"mu \(2,\) and log_var \(2,\) must both be"),
            ((MU, LOG_VAR, 1, 0), "n=1 must be an integer above 1"),
            ((MU, LOG_VAR, 9, 0, lambda m, v, r: m[0]), r"sampler returned shape \(2,\), not \(27"),
        ],
    )
    def test_arguments_that_do_not_fit_are_refused(self, arguments, words):
        for estimate in (monte_carlo_kl, moment_z_scores):
            with pytest.raises(ValueError, match=words):
                estimate(*arguments)


class WithoutTheHalf(VAE):
    """Both of its KLs lack their half: the analytic one, and that of the importance weights."""

    def elbo(self, X):
        return super().elbo(X) - gaussian_kl(*self.posterior(X)).sum(axis=1)

    def log_likelihood(self, X, k=1000):
        mu, log_var = self.posterior(X)
        eps = np.random.default_rng(0).standard_normal((k, *mu.shape))
        z = mu + eps * np.exp(log_var / 2)
        out = self.decoder.forward(z.reshape(-1, self.latent_dim))
        nll = BernoulliNLL().per_sample(out, np.tile(X, (k, 1))).reshape(k, -1)
        weights = (eps**2 - z**2 + log_var).sum(axis=2) - nll
        return np.logaddexp.reduce(weights, axis=0) - np.log(k)


class TestBounds:
    KS = (1, 3, 10, 100, 1000)

    def test_bounds_rise_to_log_p_in_order(self, trained):
        vae, X, log_p = trained
        gaps = bound_gaps(vae, X, log_p, self.KS)
        assert [gap.name for gap in gaps] == ["ELBO", *(f"k={k}" for k in self.KS)]
        assert worst_step(gaps) < SIGMA
        assert gaps[0].value > 0.05 and abs(gaps[-1].value) < 0.01

    def test_more_draws_bring_the_bound_closer_beyond_doubt(self, trained):
        gaps = bound_gaps(*trained, ks=(1, 10), repeats=500)[1:]
        assert worst_step(gaps) < -SIGMA

    def test_log_likelihood_converges_to_the_quadrature(self, trained):
        # the standard error of the logarithm of a mean of k weights is std(weight / p) / sqrt(k)
        vae, X, log_p = trained
        k = 20_000
        spread = np.exp(vae.log_likelihood(np.repeat(X, 500, axis=0), k=1).reshape(20, -1))
        error = (spread / np.exp(log_p)[:, None]).std(axis=1) / np.sqrt(k)
        assert (np.abs(vae.log_likelihood(X, k) - log_p) < SIGMA * error).all()
        assert error.max() < 0.01

    def test_the_elbo_and_the_bound_of_one_draw_are_the_same(self, trained):
        a, b = bound_gaps(*trained, ks=(1,))
        assert abs(a.value - b.value) < SIGMA * (a.standard_error + b.standard_error) < 0.5

    def test_the_estimate_is_unbiased_for_the_quadrature(self, trained):
        assert np.abs(weight_z_scores(*trained)).max() < SIGMA

    def test_a_kl_without_its_half_is_seen_by_the_quadrature(self, trained):
        vae, X, log_p = trained
        wrong = WithoutTheHalf(6, 2, (12,), dtype="float64")
        wrong.theta = vae.theta
        gaps = bound_gaps(wrong, X, log_p, (10, 100))
        assert abs(gaps[-1].value) > 0.1 + SIGMA * gaps[-1].standard_error
        elbo, one = bound_gaps(wrong, X, log_p, ks=())[0], bound_gaps(vae, X, log_p, ks=(1,))[1]
        assert elbo.value - one.value > SIGMA * (elbo.standard_error + one.standard_error)

    def test_a_bound_that_exceeds_log_p_is_seen(self, trained):
        vae, X, log_p = trained
        assert worst_step(bound_gaps(vae, X, log_p - 0.05)) > SIGMA

    def test_a_chain_out_of_order_is_seen(self):
        assert worst_step([Gap("a", 0.2, 0.01), Gap("b", 0.4, 0.01)]) == pytest.approx(10)
        assert worst_step([Gap("a", 0.2, 0.01), Gap("b", -0.1, 0.01)]) == pytest.approx(10)
        assert worst_step([Gap("a", 0.2, 0.01), Gap("b", 0.1, 0.01)]) == pytest.approx(-5)

    def test_arguments_that_do_not_fit_are_refused(self, trained):
        vae, X, log_p = trained
        for check in (bound_gaps, weight_z_scores):
            with pytest.raises(ValueError, match=r"log_p has shape \(3,\), but X \(20, 6\)"):
                check(vae, X, log_p[:3])
            with pytest.raises(ValueError, match="repeats=1 must be an integer above 1"):
                check(vae, X, log_p, repeats=1)


class TestWeights:
    """Importance weights p(x, z) / q(z) of a linear VAE, where q has a multiple of p's variance."""

    def narrow(self, share):
        vae = set_posterior(linear_vae(latent_dim=1), widen=np.log(share))
        return vae, own_samples(vae, n=4)

    def second_moment(self, share, width):
        """E_q w^2 over p(x)^2, the integral cut off at so many standard deviations of p(z|x)."""
        z = np.linspace(-width, width, 100_001)
        log_ratio = 2 * log_normal(z, 0.0, 0.0) - log_normal(z, 0.0, np.log(share))
        return np.exp(log_ratio).sum() * (z[1] - z[0])

    def test_their_variance_is_finite_where_q_has_more_than_half_of_the_variance(self):
        # int p^2 / q = share / sqrt(2 share - 1), for normal p and q
        for share in (0.6, 1.5):
            finite = share / np.sqrt(2 * share - 1)
            assert self.second_moment(share, 20) == pytest.approx(finite, rel=1e-6)
        assert self.second_moment(0.45, 20) < 1e-3 * self.second_moment(0.45, 30)
        assert self.second_moment(0.5, 40) == pytest.approx(2 * self.second_moment(0.5, 20))

    def test_the_bound_rises_to_log_p_all_the_same_where_the_elbo_is_finite(self):
        vae, X = self.narrow(0.4)
        assert np.isfinite(exact_elbo(vae, X)).all()
        gaps = [
            np.mean(gaussian_marginal(vae, X)) - np.mean(vae.log_likelihood(X, k=k))
            for k in (1, 100, 100_000)
        ]
        assert gaps[0] > gaps[1] and abs(gaps[2]) < 0.02 < gaps[0]


def test_with_a_variance_for_each_feature_a_linear_model_may_be_likelier_than_ppca():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5)) * [1.0, 1.0, 0.5, 0.3, 0.2]
    X[:, :2] += rng.standard_normal((300, 1))
    mean, S = X.mean(axis=0), np.cov(X.T, bias=True)
    W, psi = 0.5 * rng.standard_normal((1, 5)), np.diag(S).copy()
    for _ in range(500):  # EM for factor analysis: Bishop (2006), eqs. 12.66 to 12.70
        B = W @ np.linalg.inv(W.T @ W + np.diag(psi))
        W = np.linalg.solve(np.eye(1) - B @ W.T + B @ S @ B.T, B @ S)
        psi = np.diag(S - W.T @ B @ S)
    factors = gaussian_log_density(X, mean, W.T @ W + np.diag(psi)).mean()
    assert factors > ProbabilisticPCA(1).fit(X).log_likelihood(X).mean() + 0.1


@pytest.mark.slow
def test_every_line_of_the_certificate_is_ok():
    lines = certificate()
    assert len({line.name for line in lines}) == len(lines) >= 20
    wrong = [line for line in lines if not line.ok]
    assert not wrong
    assert all(line.note and line.measured <= line.bound for line in lines)


def test_what_is_not_a_number_is_not_ok():
    assert not compare("x", np.nan, 1.0, "").ok and not compare("x", 2.0, 1.0, "").ok
    assert compare("x", 1.0, 1.0, "").ok
