"""beta-TC-VAE: gradients, the weights of a batch, and the terms of the KL against closed forms."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from demo_runs import Run, load, quick, run

from miniae import VAE, gaussian_kl, gradient_check
from miniae.numerics import LOG_2PI
from miniae.proof.gradcheck import complex_step, relative_error


@pytest.fixture(scope="module")
def demo():
    with load("beta_tc") as module:
        yield module


def a_batch(rng, n=7, d=3):
    """Return draws z, mu and log_var (n, d) that overlap, and the logarithms of uneven weights."""
    z, mu, log_var = rng.standard_normal((3, n, d))
    w = rng.random((n, n)) + 0.1
    return z, mu, 0.5 * log_var - 0.5, np.log(w / w.sum(axis=0))


def errors(term, z, mu, log_var, log_w):
    """Return the error of each gradient of a term, relative to its largest entry."""
    inputs = [z, mu, log_var]
    term.forward(*inputs, log_w)
    found = []
    for k, (x, dx) in enumerate(zip(inputs, term.backward(), strict=True)):

        def value(flat, k=k):
            moved = [*inputs[:k], flat.reshape(inputs[k].shape), *inputs[k + 1 :]]
            return term.forward(*moved, log_w)

        assert dx.shape == x.shape
        found.append(relative_error(dx.ravel(), complex_step(value, x.ravel())).max())
    return found


def test_the_gradient_of_the_total_correlation_is_exact_in_z_mu_and_log_var(demo):
    rng = np.random.default_rng(0)
    for n, d in ((7, 3), (2, 5), (12, 1)):
        found = errors(demo.TotalCorrelation(), *a_batch(rng, n, d))
        assert max(found) < 1e-12 or d == 1  # one latent has no total correlation
    one = demo.TotalCorrelation()
    one.forward(*a_batch(rng, 4, 1))
    assert max(np.abs(d).max() for d in one.backward()) < 1e-15


def test_more_draws_than_posteriors_have_an_exact_gradient_too(demo):
    rng = np.random.default_rng(1)
    _, mu, log_var, _ = a_batch(rng, 4)
    z = rng.standard_normal((9, 3))
    assert max(errors(demo.TotalCorrelation(), z, mu, log_var, np.full((1, 1), -1.4))) < 1e-12


def test_arguments_stay_as_they_are_and_float32_stays_float32(demo):
    given = [x.astype(np.float32) for x in a_batch(np.random.default_rng(2))]
    before = [x.copy() for x in given]
    term = demo.TotalCorrelation()
    value = term.forward(*given)
    gradients = term.backward()
    assert all((a == b).all() for a, b in zip(given, before, strict=True))
    assert {x.dtype for x in (value, *gradients)} == {np.dtype(np.float32)}


# What people get wrong: the factors of dz, dmu and dlog_var, from the shares divided by m.
WRONG = {
    "without the marginals": lambda P, R, std: (P + 0 * R, P + 0 * R, P + 0 * R),
    "without the joint": lambda P, R, std: (-R, -R, -R),
    "the sign of dz": lambda P, R, std: (R - P, P - R, P - R),
    "log_var as if it were the variance": lambda P, R, std: (P - R, P - R, (P - R) / std**2),
    "log_var as if it were log std": lambda P, R, std: (P - R, P - R, 2 * (P - R)),
    "one share for all latents": lambda P, R, std: (P - R[:, :, :1], P - R, P - R),
    "no path through z": lambda P, R, std: (0 * R, P - R, P - R),
    "sum over the draws": lambda P, R, std: tuple(len(P) * each for each in (P - R, P - R, P - R)),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_complex_step_finds_typical_wrong_gradients(demo, name):
    class Wrong(demo.TotalCorrelation):
        def forward(self, z, mu, log_var, log_w):
            value = super().forward(z, mu, log_var, log_w)
            u, std, share = self.cache
            R = demo.log_sum(log_w[..., None] - 0.5 * (u**2 + log_var[:, None]))[1] / len(z)
            self.cache = u, std, share + R, R
            return value

        def backward(self):
            u, std, P, R = self.cache
            for_z, for_mu, for_log_var = WRONG[name](P, R, std)
            return (
                -(for_z * u / std).sum(axis=0),
                (for_mu * u / std).sum(axis=1),
                0.5 * (for_log_var * (u**2 - 1)).sum(axis=1),
            )

    batch = a_batch(np.random.default_rng(3))
    found = errors(Wrong(), *batch)
    right = {"the sign of dz", "no path through z", "one share for all latents"}
    assert max(found) > 1e-2 and (name not in right or max(found[1:]) < 1e-12)


def whole_model_error(model, x, **given):
    """Return the largest error of the gradient of a model in training and in evaluation."""
    reports = [gradient_check(model, x, training=training, **given) for training in (False, True)]
    assert all(report.ok for report in reports)
    return max(report.max_error for report in reports)


def test_the_gradient_of_a_whole_model_is_exact_with_its_noise_given(demo):
    rng = np.random.default_rng(4)
    model = demo.BetaTCVAE(4, 2, (3,), n_data=40, tc_weight=2.5, dtype="float64")
    report = gradient_check(model, rng.random((6, 4)), eps=rng.standard_normal((6, 2)))
    assert report.ok and report.max_error < 1e-12


MODELS = {
    "weighted KL": {"beta": 0.3},
    "free bits": {"free_bits": 0.4},
    "Gaussian": {"likelihood": "gaussian"},
    "dropout": {"dropout": 0.3},
}


@pytest.mark.slow
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_it_stays_exact_beside_the_other_options_of_a_vae(demo, options):
    rng = np.random.default_rng(4)
    model = demo.BetaTCVAE(6, 3, (5,), n_data=40, tc_weight=2.5, dtype="float64", **options)
    assert whole_model_error(model, rng.random((7, 6)), eps=rng.standard_normal((7, 3))) < 1e-12


@pytest.mark.slow
def test_a_batch_of_one_sample_and_a_conditional_model_have_exact_gradients(demo):
    rng = np.random.default_rng(5)
    options = {"n_data": 40, "tc_weight": 2.5, "dtype": "float64"}
    x, labels = rng.random((5, 3, 2)), np.arange(5) % 4
    model = demo.ConditionalBetaTCVAE((3, 2), 3, (5,), n_classes=4, **options)
    assert whole_model_error(model, x, labels=labels, eps=rng.standard_normal((5, 3))) < 1e-12
    assert whole_model_error(demo.BetaTCVAE(6, 3, (5,), **options), rng.random((1, 6))) < 1e-12


def test_without_a_weight_it_is_a_vae_and_with_one_the_loss_grows_by_the_weighted_term(demo):
    x = np.random.default_rng(6).random((8, 6))
    models = [VAE(6, 3, (5,), dtype="float64")]
    models += [demo.BetaTCVAE(6, 3, (5,), n_data=30, tc_weight=w, dtype="float64") for w in (0, 3)]
    plain, none, three = (model.loss(x) for model in models)
    assert none == plain
    tc = models[2].terms["tc"]
    assert three == pytest.approx(plain + 3 * tc, rel=1e-14) and abs(tc) > 1e-3
    for model in models:
        model.backward()
    assert (models[1].dtheta == models[0].dtheta).all()
    assert np.abs(models[2].dtheta - models[0].dtheta).max() > 1e-3


def densities(demo, z, mu, log_var, log_w):
    """Return q(z) and each q(z_k) of draws z, as the term estimates them: (m, 1 + d)."""
    term = demo.TotalCorrelation()
    term.forward(z, mu, log_var, log_w)
    return np.exp(np.column_stack([term.log_q_z, term.log_q_zk]))


def first_column(n, n_data):
    """The weights of code that many copied: the own weight is in column 0, not on the diagonal."""
    w = np.full((n, n), 1 / (n - 1))
    w[0], w[1] = 1 / n_data, (n_data - n + 1) / (n_data * (n - 1))
    return np.log(w)


def weighted(n, n_data):
    """Minibatch-weighted sampling, Chen et al. (2018), section 4.1, up to its constant."""
    return np.full((n, n), -np.log(n))


def bias_over_all_batches(demo, log_weights, n=3, n_data=6):
    """Return the relative error of the mean estimate of q(z_0) over all batches with sample 0."""
    z, mu, log_var, _ = a_batch(np.random.default_rng(7), n_data)
    mu = 2 * mu  # posteriors that differ
    exact = densities(demo, z, mu, log_var, np.full((1, 1), -np.log(n_data)))[0]
    estimates = []
    for others in itertools.combinations(range(1, n_data), n - 1):
        for rows in itertools.permutations([0, *others]):
            rows = list(rows)
            found = densities(demo, z[rows], mu[rows], log_var[rows], log_weights(n, n_data))
            estimates.append(found[rows.index(0)])
    return np.abs(np.mean(estimates, axis=0) / exact - 1).max()


def test_the_estimate_of_the_aggregate_posterior_has_no_bias_over_all_batches(demo):
    for n, n_data in ((3, 6), (2, 5), (6, 6)):
        assert bias_over_all_batches(demo, demo.log_weights, n, n_data) < 1e-13
    for wrong in (first_column, weighted):
        assert bias_over_all_batches(demo, wrong) > 0.05


def test_the_weights_of_a_batch_sum_to_one_and_those_of_all_samples_are_equal(demo):
    for n, n_data in ((1, 1), (5, 5), (5, 900)):
        w = np.exp(demo.log_weights(n, n_data))
        assert w.sum(axis=0) == pytest.approx(np.ones(n), rel=1e-13)
        assert np.diag(w) == pytest.approx(np.full(n, 1 / n_data), rel=1e-13)


def test_the_terms_of_the_kl_sum_to_it_exactly(demo):
    """KL = information + TC + difference from the prior of each latent; by quadrature, N = 4."""
    rng = np.random.default_rng(8)
    mu, log_var = rng.standard_normal((4, 2)), 0.4 * rng.standard_normal((4, 2)) - 1
    step = 0.2  # of the trapezoidal rule, whose error is e^(-2 (pi std / step)^2); std is above 0.4
    line = np.arange(-9, 9, step)
    z = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    log_p_k = -0.5 * (z**2 + LOG_2PI)
    each = -0.5 * ((z - mu[:, None]) ** 2 / np.exp(log_var)[:, None] + log_var[:, None] + LOG_2PI)
    q = np.exp(each.sum(axis=2)) * step**2  # (4, m): of each sample
    term = demo.TotalCorrelation()
    term.forward(z, mu, log_var, np.full((1, 1), -np.log(4)))
    aggregate = q.mean(axis=0)
    assert aggregate == pytest.approx(np.exp(term.log_q_z) * step**2, rel=1e-10)
    information = (q * (each.sum(axis=2) - term.log_q_z)).sum() / 4
    tc = (aggregate * (term.log_q_z - term.log_q_zk.sum(axis=1))).sum()
    of_each = (aggregate[:, None] * (term.log_q_zk - log_p_k)).sum()
    assert min(information, tc, of_each) > 0.01
    kl = gaussian_kl(mu, log_var).sum(axis=1).mean()
    assert information + tc + of_each == pytest.approx(kl, rel=1e-10)


def gaussian_aggregate(std=0.5):
    """Return posteriors whose aggregate is N(0, A A' + std^2 I), and its covariance.

    The means A v are on a grid of v with the weights of N(0, I), cut where these are below 1e-15.
    The grid is so fine that the smoothed sum is the integral to e^(-2 (pi std / step)^2).
    """
    A = np.array([[0.9, 0.2], [-0.5, 0.6]])
    line = np.arange(-8.5, 8.51, 0.3)
    v = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    log_w = -0.5 * (v**2 + LOG_2PI).sum(axis=1) + 2 * np.log(0.3)
    covariance = A @ A.T + std**2 * np.eye(2)
    posteriors = SimpleNamespace(mu=v @ A.T, log_var=np.full(v.shape, 2 * np.log(std)))
    return posteriors, log_w[:, None], covariance


def test_of_a_gaussian_aggregate_posterior_the_total_correlation_is_the_closed_form(demo):
    posteriors, log_w, covariance = gaussian_aggregate()
    # the log densities are quadratic, so their mean over sigma points is their expectation
    z = np.sqrt(2) * np.vstack([np.eye(2), -np.eye(2)]) @ np.linalg.cholesky(covariance).T
    term = demo.TotalCorrelation()
    tc = term.forward(z, posteriors.mu, posteriors.log_var, log_w)
    variances = np.diag(covariance)
    closed = 0.5 * (np.log(variances).sum() - np.linalg.slogdet(covariance)[1])
    assert closed > 0.03 and tc == pytest.approx(closed, abs=1e-10)
    # the two other terms: information (log|C| - log|std^2 I|) / 2, and a KL of each latent
    log_q_own = -0.5 * (2 + 2 * LOG_2PI + posteriors.log_var[0].sum())  # minus its entropy
    information = 0.5 * (np.linalg.slogdet(covariance)[1] - posteriors.log_var[0].sum())
    assert log_q_own - term.log_q_z.mean() == pytest.approx(information, abs=1e-10)
    of_each = gaussian_kl(np.zeros(2), np.log(variances)).sum()
    log_p = -0.5 * (z**2 + LOG_2PI).sum(axis=1)
    assert (term.log_q_zk.sum(axis=1) - log_p).mean() == pytest.approx(of_each, abs=1e-10)


def mean_estimate(demo, n, n_batches, std=0.5, n_data=4000):
    """Return the mean estimate from batches of n of a Gaussian aggregate posterior, and its TC."""
    rng = np.random.default_rng(9)
    mu = rng.standard_normal((n_data, 2)) @ np.array([[0.9, -0.5], [0.2, 0.6]])
    log_var = np.full((n, 2), 2 * np.log(std))
    found, log_w = [], demo.log_weights(n, n_data)
    for _ in range(n_batches):
        batch = mu[rng.choice(n_data, n, replace=False)]
        z = batch + std * rng.standard_normal(batch.shape)
        found.append(demo.TotalCorrelation().forward(z, batch, log_var, log_w))
    covariance = np.cov(mu.T) + std**2 * np.eye(2)
    variances, log_det = np.diag(covariance), np.linalg.slogdet(covariance)[1]
    return np.mean(found), 0.5 * (np.log(variances).sum() - log_det)


def test_the_estimate_from_a_batch_approaches_the_closed_form_as_the_batch_grows(demo):
    # the bias of a logarithm falls as 1 / n; the mean over 4000 draws has a spread of about 0.005
    small, exact = mean_estimate(demo, 10, 400)
    large, _ = mean_estimate(demo, 200, 20)
    assert abs(large - exact) < 0.02 < 0.05 < abs(small - exact)


def test_the_estimate_is_far_off_where_the_code_has_more_nats_than_log_n(demo):
    # std = 0.01: 8 nats of information, and log n is 3.9
    found, exact = mean_estimate(demo, 50, 20, std=0.01)
    assert abs(found - exact) > 1


def test_posteriors_that_do_not_overlap_have_no_more_information_than_log_n(demo):
    """What limits the estimate where the KL is above log N: each z is recognised with certainty."""
    rng = np.random.default_rng(10)
    mu, log_var = 100 * rng.standard_normal((6, 2)), np.zeros((6, 2))
    eps = rng.standard_normal((6, 2))
    term = demo.TotalCorrelation()
    term.forward(mu + eps, mu, log_var, demo.log_weights(6, 500))
    own = -0.5 * (eps**2 + LOG_2PI).sum(axis=1)
    assert own - term.log_q_z == pytest.approx(np.full(6, np.log(500)), rel=1e-12)


PLAIN = [f"beta-VAE, beta = {beta}" for beta in (1, 2, 4)]
TC, EQUAL = "beta-TC-VAE, beta = 4", "beta-VAE, equal reconstruction"


def tables(done):
    """Return the tables of the discs and of the digits."""
    parts = [f"\n\n{part}" for part in done.text.split("\n\n") if "reconstruction" in part]
    return [Run(part, done.out).table for part in parts]


@pytest.mark.demo
def test_beta_tc_quick_prints_a_table_for_each_data_set_and_saves_its_pictures(tmp_path):
    done = quick(tmp_path, "beta_tc", "--seeds", "2")
    assert done.pictures == {"discs", "synthetic_digits"}
    both = tables(done)
    assert [list(table) for table in both] == [[*PLAIN, TC, EQUAL]] * 2
    for table in both:
        for *_, mean, one, other in table.values():
            assert mean == pytest.approx((one + other) / 2, abs=0.0011)
        reconstructions = [table[name][0] for name in PLAIN]
        assert reconstructions == sorted(reconstructions)


@pytest.mark.full
def test_the_latents_depend_less_on_each_other_than_in_a_beta_vae_of_equal_reconstruction(tmp_path):
    """The gap is not better for it at each seed, and no number here says that it is."""
    for table in tables(run(tmp_path, "beta_tc")):
        reconstruction, kl, tc, *gaps = table[TC]
        assert table[PLAIN[0]][0] < reconstruction < table[PLAIN[2]][0]  # interpolated
        assert tc < 0.8 * table[EQUAL][2] and kl == pytest.approx(table[EQUAL][1], rel=0.2)
        assert max(gaps) < 0.25
