import json
import math

import numpy as np
import pytest

from miniae import VAE, Autoencoder, ConditionalVAE, ImportanceWeightedVAE, ReLU
from miniae.proof import check_sampler, noise
from miniae.proof.bugzoo.models import OpenVAE
from miniae.proof.significance import (
    binomial,
    chi_square_score,
    kolmogorov_smirnov,
    normal_cdf,
    normal_scores,
    poisson_at_least,
    two_sided,
)

EIGHT = ("mean", "std", "normal", "tails", "latents", "rows", "calls", "repeats")


def std(log_var):
    return np.exp(log_var / 2)


def by(eps):
    """A sampler whose noise is eps(shape, rng)."""
    return lambda mu, log_var, rng: mu + std(log_var) * eps(mu.shape, rng)


def by_log_var(change):
    """A sampler that takes change(log_var) for log_var."""
    return lambda mu, log_var, rng: mu + std(change(log_var)) * rng.standard_normal(mu.shape)


def normal(shape, rng):
    return rng.standard_normal(shape)


def float32(mu, log_var, rng):
    """All of it in float32."""
    mu, log_var = mu.astype("f4"), log_var.astype("f4")
    return mu + std(log_var) * rng.standard_normal(mu.shape, dtype="f4")


RIGHT = {
    "as in the papers": by(normal),
    "rng.normal": lambda mu, log_var, rng: rng.normal(mu, std(log_var)),
    "root of the variance": lambda mu, lv, rng: mu + np.sqrt(np.exp(lv)) * normal(mu.shape, rng),
    "minus": lambda mu, log_var, rng: mu - std(log_var) * normal(mu.shape, rng),
    "noise of float32": by(lambda shape, rng: rng.standard_normal(shape, dtype="f4")),
    "float32": float32,
    "MT19937": by(
        lambda s, r: normal(s, np.random.Generator(np.random.MT19937(r.integers(2**63))))
    ),
    "Philox": by(lambda s, r: normal(s, np.random.Generator(np.random.Philox(r.integers(2**63))))),
    "transposed": by(lambda shape, rng: normal(shape[::-1], rng).T),
    "Box and Muller": by(
        lambda s, r: np.sqrt(-2 * np.log1p(-r.random(s))) * np.cos(2 * np.pi * r.random(s))
    ),
    "three draws a row": lambda mu, lv, rng: mu + std(lv) * rng.standard_normal((3, *mu.shape)),
}


def truncated(shape, rng):
    eps = normal(shape, rng)
    while (far := np.abs(eps) > 3).any():
        eps[far] = rng.standard_normal(far.sum())
    return eps


def pairs_of_minus(shape, rng):
    eps = normal((shape[0] // 2, shape[1]), rng)
    return np.stack([eps, -eps], axis=1).reshape(shape)


def signs_of_a_product(shape, rng):
    """Any two latents are independent, three are not."""
    eps = normal(shape, rng)
    eps[:, 2] = np.abs(eps[:, 2]) * np.sign(eps[:, 0] * eps[:, 1])
    return eps


def size_of_the_first(shape, rng):
    eps = normal(shape, rng)
    eps[:, -1] = np.abs(eps[:, 0]) * np.sign(eps[:, -1])
    return eps


def correlated_rows(shape, rng):
    eps = normal(shape, rng)
    eps[1:] = 0.1 * eps[:-1] + 0.99**0.5 * eps[1:]
    return eps


def a_correlation_of_5_percent(shape, rng):
    eps = normal(shape, rng)
    eps[:, 1] = 0.05 * eps[:, 0] + (1 - 0.05**2) ** 0.5 * eps[:, 1]
    return eps


class DrawnOnce:
    """The noise is drawn at the first call; later ones use it again, perhaps changed."""

    def __init__(self, change):
        self.change, self.eps = change, {}

    def __call__(self, mu, log_var, rng):
        eps = self.eps.setdefault(mu.shape, rng.standard_normal(mu.shape))
        self.eps[mu.shape] = self.change(eps, rng)
        return mu + std(log_var) * eps


def own_rng(seed):
    return by(lambda shape, rng: normal(shape, np.random.default_rng(seed)))


def doubled_in_place(mu, log_var, rng):
    np.multiply(log_var, 0.5, out=log_var)
    return mu + np.exp(log_var) * normal(mu.shape, rng)


# sampler, the property that is wrong, and words of the cause, "" where none is certain
WRONG = {
    "+-1": (by(lambda s, r: r.choice([-1.0, 1.0], s)), "normal", "the noise is not normal"),
    "Laplace": (by(lambda s, r: r.laplace(0, 0.5**0.5, s)), "normal", "the noise is not normal"),
    "uniform": (by(lambda s, r: r.uniform(-(3**0.5), 3**0.5, s)), "normal", "is not normal"),
    "t, 5": (by(lambda s, r: r.standard_t(5, s) * 0.6**0.5), "normal", "the noise is not normal"),
    "t, 20": (by(lambda s, r: r.standard_t(20, s) * 0.9**0.5), "tails", "the noise is not normal"),
    "12 uniforms": (by(lambda s, r: r.random((12, *s)).sum(axis=0) - 6), "tails", "not normal"),
    "truncated at 3": (by(truncated), "tails", "the noise is not normal"),
    "one decimal": (by(lambda s, r: normal(s, r).round(1)), "repeats", "73 differ"),
    "two decimals": (by(lambda s, r: normal(s, r).round(2)), "repeats", "differ"),
    "five decimals": (by(lambda s, r: normal(s, r).round(5)), "repeats", ""),
    "float16": (by(lambda s, r: normal(s, r).astype(np.float16)), "repeats", "differ"),
    "0.98": (by(lambda s, r: 0.98 * normal(s, r)), "std", "the noise has std 0.979"),
    "mean 0.05": (by(lambda s, r: 0.05 + normal(s, r)), "mean", "the noise has mean 0.05"),
    "no noise": (by(lambda s, r: np.zeros(s)), "std", "there is no noise"),
    "no mu": (lambda mu, lv, rng: std(lv) * normal(mu.shape, rng), "mean", "mu is not added"),
    "0.9 mu": (lambda mu, lv, rng: 0.9 * mu + std(lv) * normal(mu.shape, rng), "mean", "by 0.90"),
    "variance": (by_log_var(lambda lv: 2 * lv), "std", "std is exp(log_var)"),
    "inverse": (by_log_var(lambda lv: -lv), "std", "std is exp(-log_var / 2)"),
    "std 1": (by_log_var(np.zeros_like), "std", "whatever log_var is"),
    "clamp 5": (by_log_var(lambda lv: np.clip(lv, -5, 5)), "std", "only between -5 and 5"),
    "clamp 20": (by_log_var(lambda lv: np.clip(lv, -30, 20)), "std", "only below 20"),
    "clamp -8": (by_log_var(lambda lv: np.maximum(lv, -8)), "std", "only above -8"),
    "tanh": (by_log_var(lambda lv: 8 * np.tanh(lv / 8)), "std", ""),
    "eps of a row": (by(lambda s, r: normal((s[0], 1), r).repeat(s[1], 1)), "latents", "share one"),
    "eps of a latent": (by(lambda s, r: normal((1, s[1]), r).repeat(s[0], 0)), "rows", "all rows"),
    "one eps": (by(lambda s, r: np.full(s, normal((), r))), "rows", "all rows share one eps"),
    "seeded inside": (own_rng(0), "calls", "that of the one before"),
    "drawn once": (DrawnOnce(lambda eps, rng: eps), "calls", "that of the one before"),
    "minus the last": (DrawnOnce(lambda eps, rng: -eps), "calls", "is minus that of the one"),
    "shuffled": (DrawnOnce(lambda eps, rng: rng.permuted(eps)), "repeats", ""),
    "antithetic": (by(pairs_of_minus), "rows", "every second row is minus"),
    "sizes": (by(size_of_the_first), "latents", "latents 0 and 2 share one |eps|"),
    "three latents": (by(signs_of_a_product), "latents", ""),
    "5 percent": (by(a_correlation_of_5_percent), "latents", ""),
    "rows": (by(correlated_rows), "rows", ""),
    "half shared": (by(lambda s, r: (normal((s[0], 1), r) + normal(s, r)) / 2**0.5), "latents", ""),
    "of the system": (own_rng(None), "same rng", ""),
    "changes log_var": (doubled_in_place, "arguments", ""),
    "NaN": (lambda mu, log_var, rng: mu * np.nan, "finite", ""),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sampler_is_called_wrong_for_the_right_reason(name):
    sampler, property_, cause = WRONG[name]
    report = check_sampler(sampler)
    assert not report.ok and report.about(property_).verdict == "WRONG", report
    assert any(cause in each for each in report.causes) if cause else True, report.causes


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_sampler_is_not(name):
    for seed in range(10):
        report = check_sampler(RIGHT[name], seed=seed)
        assert report.ok and not report.causes, f"seed {seed}\n{report}"


@pytest.mark.parametrize("name", ["+-1", "variance", "eps of a row", "seeded inside"])
def test_what_is_far_off_is_seen_with_few_draws(name):
    report = check_sampler(WRONG[name][0], n=1000)
    assert report.about(WRONG[name][1]).verdict == "WRONG", report
    assert check_sampler(RIGHT["as in the papers"], n=1000).ok


@pytest.mark.slow
@pytest.mark.parametrize("name", ["as in the papers", "float32"])
def test_p_values_of_a_right_sampler_come_up_as_often_as_they_say(name):
    # A p-value of m tests, times m, is below a in at most a of the checks. The shares below are
    # 3 binomial standard errors of 400 checks above a, and far enough from 0 to show that the test
    # is not a formality; `repeats` is a bound, which hardly comes up.
    seeds = 400
    found = [check_sampler(RIGHT[name], n=1000, seed=seed).properties for seed in range(seeds)]
    p = {each: [] for each in EIGHT}
    for properties in found:
        for each in properties:
            p.get(each.name, []).append(each.p)
    for each in EIGHT[:-1]:
        for a in (0.05, 0.2):
            share = np.mean(np.array(p[each]) <= a)
            assert a / 4 < share < a + 3 * math.sqrt(a * (1 - a) / seeds), (each, a, share)
    assert np.mean(np.array(p["repeats"]) <= 0.05) <= 0.05


class IgnoresRngInTraining(VAE):
    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        rng = np.random.default_rng(1) if training else rng
        return super().loss(x, target, eps=eps, rng=rng, training=training)


class Clamped(OpenVAE):
    def infer(self, x, training=False):
        mu, log_var = super().infer(x, training)
        return mu, np.clip(log_var, -7, 7)


class OneEps(ImportanceWeightedVAE):
    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        eps = (rng or self.rng).standard_normal((1, len(x), self.latent_dim)).repeat(self.k, axis=0)
        return super().loss(x, target, eps=eps, rng=rng, training=training)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        VAE,
        VAE(6, 4, kl_warmup=3, free_bits=0.1),
        VAE((2, 3), 1, dtype="float64", dropout=0.2),
        ImportanceWeightedVAE(6, 2, k=3),
        ConditionalVAE(6, 2, n_classes=3).given(1),
    ],
)
def test_the_loss_of_a_vae_draws_what_it_states_in_training_and_in_evaluation(model):
    for seed in range(3):
        report = check_sampler(model, seed=seed)
        assert report.ok, report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "property_", "cause"),
    [
        (IgnoresRngInTraining, "calls", "the noise of a draw is that of the one before (in train"),
        (Clamped, "std", "std is as stated only between -7 and 7"),
        (Clamped(6, 2), "std", "std is as stated only between -7 and 7"),
        (OneEps(6, 2, k=3), "calls", "the noise of a draw is that of the one before"),
    ],
)
def test_what_a_loss_gets_wrong_is_named_with_the_mode_where_only_one_is(model, property_, cause):
    report = check_sampler(model)
    assert report.about(property_).verdict == "WRONG", report
    assert any(cause in each for each in report.causes), report.causes


def test_a_model_stays_as_it_is():
    vae, x = VAE(6, 2), np.random.default_rng(0).random((5, 6))
    theta, state, loss = vae.theta.copy(), vae.rng.bit_generator.state, vae.loss(x)
    check_sampler(vae, n=1000)
    assert np.array_equal(vae.theta, theta) and vae.rng.bit_generator.state == state
    assert vae.loss(x) == loss


@pytest.mark.parametrize("name", ["as in the papers", "variance", "eps of a latent", "no noise"])
def test_a_report_fits_80_columns_and_turns_into_plain_data(name):
    sampler = RIGHT[name] if name in RIGHT else WRONG[name][0]
    report = check_sampler(sampler, n=1000)
    text = str(report)
    assert max(map(len, text.splitlines())) <= 80
    assert all(any(line.split()[0] == each for line in text.splitlines()) for each in EIGHT)
    assert "called wrong in one of 1,000,000 checks at most" in text
    assert ("WRONG" in text) != report.ok
    assert json.loads(json.dumps(report.to_dict()))["ok"] == report.ok
    if report.ok:
        report.raise_if_wrong()
    else:
        with pytest.raises(AssertionError, match="wrong sampler"):
            report.raise_if_wrong()


@pytest.mark.parametrize(
    "sampler", [3, "VAE", np.ones(3), ReLU, ReLU(), Autoencoder, Autoencoder(4, 2), None]
)
def test_what_is_no_sampler_is_refused(sampler):
    with pytest.raises(TypeError, match="must be a function of .*, or a VAE, or a VAE class"):
        check_sampler(sampler)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((by(normal),), {"n": 999}, ValueError, "n=999 must be an integer, 1000 or more"),
        ((by(normal),), {"false_alarm": 0}, ValueError, "false_alarm=0 must be between 0 and 1"),
        ((by(normal), np.ones(3)), {}, ValueError, r"\(rows, latent\), got shape \(3,\)"),
        ((by(normal), np.ones((2, 3)), np.ones((3, 2))), {}, ValueError, "the same shape"),
        ((by(normal), np.full((2, 3), np.nan)), {}, ValueError, "must be finite"),
        ((lambda mu, log_var, rng: mu[0],), {}, ValueError, r"sampler returned float64 \(3,\)"),
        ((VAE(6, 2), np.ones((2, 3))), {}, ValueError, r"mu has shape \(8, 3\), but VAE.* 2 lat"),
        ((ConditionalVAE,), {}, TypeError, "ConditionalVAE needs more to be built"),
        ((ConditionalVAE(6, 2, n_classes=3),), {}, ValueError, "model.given"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, options, error, words):
    with pytest.raises(error, match=words):
        check_sampler(*arguments, **options)


def test_ones_own_points_are_used():
    seen = []

    def sampler(mu, log_var, rng):
        seen.append((mu[:2], log_var[:2]))
        return mu + std(log_var) * normal(mu.shape, rng)

    mu, log_var = np.array([[0.5], [2.0]]), np.array([[-1.0], [1.0]])
    report = check_sampler(sampler, mu, log_var, n=1000)
    assert report.ok and report.about("latents").verdict == "-"
    assert all(np.array_equal(a, mu) and np.array_equal(b, log_var) for a, b in seen)


# The p-values, by hand.


def test_the_normal_distribution_function_is_that_of_the_library():
    x = np.random.default_rng(0).uniform(-6, 6, 200)
    exact = [0.5 * math.erfc(-v / math.sqrt(2)) for v in x]
    assert np.abs(normal_cdf(x) - exact).max() < 3.1e-8  # h^2 / 8 max |Phi''| at h = 1e-3
    assert two_sided(1.959964) == pytest.approx(0.05, abs=1e-6)
    scores = normal_scores(1000)
    assert scores.std() == pytest.approx(1) and np.allclose(scores, -scores[::-1])


def test_binomial_tails_are_sums_of_their_terms():
    for n, q in ((12, 0.3), (40, 0.05)):
        terms = [math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(n + 1)]
        for k in range(n + 1):
            expected = min(1.0, 2 * min(sum(terms[: k + 1]), sum(terms[k:])))
            assert binomial(k, n, q) == pytest.approx(expected, rel=1e-10)


def test_the_bound_of_a_poisson_tail_is_one():
    for mean in (0.5, 5.0, 60.0):
        for count in range(int(mean), int(3 * mean) + 9):
            terms = [math.exp(-mean + i * math.log(mean) - math.lgamma(i + 1)) for i in range(400)]
            assert sum(terms[count:]) <= poisson_at_least(count, mean) * (1 + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 3000])
def test_p_values_of_kolmogorov_and_smirnov_and_of_the_variance_are_uniform(n):
    rng, trials = np.random.default_rng(n), 4000
    draws = [rng.standard_normal(n) for _ in range(trials)]
    for p in (
        [kolmogorov_smirnov(x)[1] for x in draws],
        [two_sided(chi_square_score((x**2).sum(), n)) for x in draws],
    ):
        for a in (0.01, 0.1, 0.5):  # 4 binomial standard errors, and 5 % for the approximation
            error = 4 * math.sqrt(a * (1 - a) / trials) + 0.05 * a
            assert abs(np.mean(np.array(p) < a) - a) < error, (a, np.mean(np.array(p) < a))


def test_scores_depend_on_the_ranks_only_and_break_ties_at_random():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((2, 50, 3, 2))
    a, b = (noise.scores_of(x, np.random.default_rng(1)) for x in (u, np.exp(u)))
    assert np.array_equal(a, b)
    equal = noise.scores_of(np.zeros((2, 50, 3, 2)), rng).reshape(100, -1)
    assert np.allclose(np.sort(equal, axis=0), normal_scores(100)[:, None])
    assert np.abs(np.corrcoef(equal.T) - np.eye(6)).max() < 0.5
