import inspect

import numpy as np
import pytest

from miniae import VAE, BernoulliNLL, Dense, Sequential, Sigmoid, SquaredError, Tanh, gradient_check
from miniae.proof import check_function, diagnosis, hypotheses
from miniae.proof.bugzoo import ZOO, instruments

pytestmark = pytest.mark.slow  # seconds in all, and far from what a reader changes first

DIAGNOSED = [each for each in ZOO if each.instrument is instruments.gradient_check]


@pytest.mark.slow
def test_the_cause_of_at_least_80_percent_is_named_and_the_others_get_no_name():
    findings = [each.examine(2) for each in DIAGNOSED]
    named = [f.cause == each.cause for f, each in zip(findings, DIAGNOSED, strict=True)]
    unknown = [finding.cause == "unknown" for finding in findings]
    assert np.mean(named) >= 0.8 and len(named) >= 40
    assert all(np.logical_or(named, unknown))


@pytest.mark.slow
@pytest.mark.parametrize("each", DIAGNOSED, ids=lambda each: each.id)
def test_the_same_cause_is_named_at_every_seed(each):
    assert {each.examine(seed).cause for seed in range(20, 40)} == {each.cause}


def spoil(gradient, how, seed):
    rng = np.random.default_rng(seed)
    if how == "shuffled":
        return rng.permutation(gradient.ravel()).reshape(gradient.shape)
    noise = rng.standard_normal(gradient.shape)
    return gradient + float(how) * np.abs(gradient).max(initial=0) * noise


def spoiled(cls, how, seed):
    """A class whose gradients are right but for noise, or in a random order."""

    class Spoiled(cls):
        def backward(self, *dout):
            dx = super().backward(*dout)
            self.dtheta[...] = spoil(self.dtheta, how, seed)
            return None if dx is None else spoil(dx, how, seed + 1)

    Spoiled.__name__ = f"Spoiled{cls.__name__}"
    return Spoiled


@pytest.mark.parametrize("how", ["shuffled", "1", "1e-2", "1e-5", "1e-8"])
@pytest.mark.parametrize("cls", [Dense, Sigmoid, SquaredError, BernoulliNLL, Sequential, VAE])
def test_a_random_error_is_given_no_name(cls, how):
    for seed in range(3):
        finding = instruments.gradient_check(spoiled(cls, how, seed), seed)
        assert finding.caught and finding.cause == "unknown"


@pytest.mark.parametrize("how", ["shuffled", "1e-2", "1e-7"])
def test_a_random_error_of_a_function_is_given_no_name(how):
    theta = np.random.default_rng(0).standard_normal((4, 3))
    report = check_function(
        lambda v: (v**3).sum(), lambda v: spoil(3 * v**2, how, 0), theta, tolerance=1e-9
    )
    assert not report.ok and report.cause == "unknown"
    assert "no known pattern" in report.diagnosis


def test_an_error_in_one_number_is_no_proof_of_a_factor():
    report = check_function(
        lambda v: (v**3).sum(), lambda v: 3 * v**2 + 0.1, np.array([[1.3]]), tolerance=1e-9
    )
    assert not report.ok and report.cause == "unknown"


def test_a_gradient_off_by_a_constant_factor_is_told_so():
    theta = np.random.default_rng(0).standard_normal((4, 3))
    for c, cause in ((2, "2"), (0.5, "1/2"), (-1, "sign"), (3.7, "factor"), (1 + 1e-6, "factor")):
        report = check_function(
            lambda v: (v**3).sum(), lambda v, c=c: c * 3 * v**2, theta, tolerance=1e-9
        )
        assert report.cause == cause
    assert "1.000001 times" in report.diagnosis


class Summed(SquaredError):
    def backward(self):
        return super().backward() * len(self.cached()[0])


def test_where_two_sizes_coincide_both_are_named():
    rng = np.random.default_rng(0)
    for n, cause in ((5, "n samples"), (6, "n samples or features"), (2, "n samples or 2")):
        out, target = rng.standard_normal((2, n, 6))
        report = gradient_check(Summed(), out, target)
        assert report.cause == cause
    assert "mean" in report.diagnosis and "1/2" in report.diagnosis


def test_a_wrong_layer_within_a_model_is_located():
    wrong = next(each.wrong for each in ZOO if each.id == "sigmoid-with-tanh-slope")
    network = Sequential(Dense(2, 4), wrong(), Dense(4, 6, rng=1))
    vae = VAE(6, 2, (5,), decoder=network)
    report = gradient_check(vae, np.random.default_rng(0).random((5, 6)))
    assert report.cause == "other activation"
    assert "decoder.1" in report.diagnosis and "tanh" in report.diagnosis


@pytest.mark.parametrize("method", ["complex step", "central difference"])
def test_the_diagnosis_is_the_same_by_central_differences(method):
    wrong = next(each.wrong for each in ZOO if each.id == "tanh-ignores-dout")
    x = np.random.default_rng(0).standard_normal((4, 3))
    report = gradient_check(wrong(), x, method=method, tolerance=1e-7)
    assert report.cause == "dout ignored"


class NotComplexSafe(Tanh):
    def forward(self, x, training=False):
        out = np.sign(x) * np.tanh(np.abs(x))
        return self.remember(out, out)

    def backward(self, dout):
        return -super().backward(dout)


def test_code_that_takes_no_complex_numbers_is_diagnosed_too():
    x = np.random.default_rng(0).standard_normal((4, 3))
    report = gradient_check(NotComplexSafe(), x, method="central difference", tolerance=1e-7)
    assert report.cause == "sign"


def test_a_projection_says_how_to_learn_more():
    wrong = next(each.wrong for each in ZOO if each.id == "db-mean")
    report = gradient_check(
        wrong(4, 3), np.random.default_rng(0).random((5, 4)), method="projection"
    )
    assert report.cause == "unknown" and "complex step" in report.diagnosis


class SpendsItsCache(Tanh):
    def backward(self, dout):
        dx = super().backward(dout)
        self.cache *= 0.9
        return dx


def test_a_backward_that_spends_its_cache_is_not_said_to_add_up_or_draw():
    report = gradient_check(SpendsItsCache(), np.random.default_rng(0).standard_normal((4, 3)))
    assert not report.ok and report.cause == "unknown"
    assert "changes what forward kept" in report.diagnosis


class NotANumber(Tanh):
    def backward(self, dout):
        return super().backward(dout) / 0.0 * 0.0


def test_a_gradient_that_is_not_a_number_is_told_so():
    with np.errstate(all="ignore"):
        report = gradient_check(NotANumber(), np.random.default_rng(0).standard_normal((4, 3)))
    assert report.cause == "not finite"


@pytest.mark.parametrize("each", DIAGNOSED, ids=lambda each: each.id)
def test_the_words_fit_in_one_or_two_sentences(each, monkeypatch):
    reports = []
    check = instruments.gradcheck.gradient_check
    monkeypatch.setattr(
        instruments.gradcheck,
        "gradient_check",
        lambda *args, **options: reports.append(check(*args, **options)) or reports[-1],
    )
    each.examine(0)
    assert 20 < len(reports[-1].diagnosis) < 250, reports[-1].diagnosis


def test_diagnosis_imports_no_checker():
    for module in (diagnosis, hypotheses):
        assert "gradcheck" not in inspect.getsource(module)
