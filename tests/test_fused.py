"""The Bernoulli loss of `miniae.fused` against its two formulas, for both kinds of processor."""

import sys

import numpy as np
import pytest

from miniae import BernoulliNLL, fused, gradient_check
from miniae.losses import Loss

HARD = [0.0, 1e-30, 1e-6, 0.3, 5.0, 17.0, 30.0, 80.0, 95.0, 120.0, 1000.0]
both = pytest.mark.parametrize("vector_log1p", [True, False])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


class Plain(BernoulliNLL):
    """The same loss by its formulas, without `miniae.fused`."""

    per_sample, backward = Loss.per_sample, Loss.backward


def pair(dtype, shape=(40, 60), scale=6.0):
    """Return logits, most of them hard to some degree, and targets that are 0, 1 or grey."""
    rng = np.random.default_rng(0)
    out = scale * rng.standard_normal(shape)
    out.flat[: 2 * len(HARD)] = [*HARD, *(-h for h in HARD)]
    grey, target = rng.random(shape), rng.integers(2, size=shape)
    target = np.where(rng.random(shape) < 0.3, grey, target)
    return out.astype(dtype), target.astype(dtype)


@pytest.fixture
def use(monkeypatch):
    """Return a function that sets which kind of processor `fused` takes this one for."""
    return lambda value: monkeypatch.setattr(fused, "VECTOR_LOG1P", value)


@both
@each_dtype
def test_each_entry_has_all_its_digits_and_each_slope_is_right_to_rounding(
    use, vector_log1p, dtype
):
    use(vector_log1p)
    eps = np.finfo(dtype).eps
    logits = np.repeat(np.array([*HARD, *(-h for h in HARD)], dtype), 4)[:, None]
    target = np.tile(np.array([0, 1, 0.3, 0.5], dtype), 2 * len(HARD))[:, None]
    loss = BernoulliNLL()
    value, slope = loss.per_sample(logits, target), loss.backward(1.0)
    logit, t = (a.astype(np.longdouble)[:, 0] for a in (logits, target))
    small = np.exp(-np.abs(logit))
    exact = (np.maximum(logit, 0) - t * logit) + np.log1p(small)
    # exp's argument |l| is exact, so its relative error is that of exp alone; in float32, numbers
    # below 1e-38 are held with fewer digits.
    assert (np.abs(value - exact) <= 6 * eps * exact + 2 * np.finfo(dtype).smallest_subnormal).all()
    assert (
        np.abs(slope[:, 0] - (np.where(logit > 0, 1, small) / (1 + small) - t)) <= 2 * eps
    ).all()
    assert value.dtype == slope.dtype == dtype


@both
@each_dtype
@pytest.mark.parametrize("shape", [(40, 60), (6, 5, 4, 3)])
def test_value_and_gradient_are_those_of_the_formulas(use, vector_log1p, dtype, shape):
    use(vector_log1p)
    (out, target), eps = pair(dtype, shape), float(np.finfo(dtype).eps)
    before = out.copy(), target.copy()
    fast, plain = BernoulliNLL(), Plain()
    assert np.allclose(
        fast.per_sample(out, target), plain.per_sample(out, target), rtol=8 * eps, atol=0
    )
    assert fast.forward(out, target) == pytest.approx(plain.forward(out, target), rel=8 * eps)
    n, rng = len(out), np.random.default_rng(1)
    for weight in (
        None,
        0.7,
        rng.random(n).astype(dtype),
        rng.random(n).astype(dtype).reshape(n, *[1] * (out.ndim - 1)),
        rng.random(shape).astype(dtype),
    ):
        dout = fast.backward(weight)
        assert np.abs(dout - plain.backward(weight)).max() <= 3 * eps
        assert dout.dtype == dtype and np.array_equal(fast.backward(weight), dout)
    assert np.array_equal(out, before[0]) and np.array_equal(target, before[1])


@both
def test_the_gradient_is_the_complex_step_derivative_of_the_formulas(use, vector_log1p):
    use(vector_log1p)
    out, target = pair("float64")
    loss = BernoulliNLL()
    # The entries are independent: one complex step moves all of them.
    expected = loss.entries(out + 1e-30j, target).imag / 1e-30
    loss.forward(out, target)
    assert np.abs(loss.backward(1.0) - expected).max() <= 1e-15
    assert gradient_check(loss, out[:3, :7], target[:3, :7], tolerance=1e-12).ok


@both
def test_a_complex_number_takes_the_formulas(use, vector_log1p):
    use(vector_log1p)
    out, target = pair("float64")
    loss = BernoulliNLL()
    value = loss.per_sample(out + 1e-30j, target)
    assert np.array_equal(value, loss.entries(out + 1e-30j, target).sum(axis=1))
    assert np.iscomplexobj(value) and np.iscomplexobj(loss.backward())


@both
@each_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_comes_out_as_by_the_formulas(use, vector_log1p, dtype, bad):
    use(vector_log1p)
    out, target = (np.repeat(a[None], 3, axis=0) for a in np.zeros((2, 4), dtype))
    out[1, 2], target[:] = bad, [0, 1, 0.5, 0]
    fast, plain = BernoulliNLL(), Plain()
    with np.errstate(invalid="ignore"):
        values = fast.per_sample(out, target), plain.per_sample(out, target)
        slopes = fast.backward(), plain.backward()
    assert np.allclose(*values, equal_nan=True) and np.allclose(*slopes, equal_nan=True)
    assert np.isfinite(values[0]).tolist() == [True, False, True]


@both
def test_in_float32_long_rows_of_certain_pixels_keep_their_digits(use, vector_log1p):
    """The sum of max(l, 0) minus the sum of t l would leave an error of eps times sum |l|."""
    use(vector_log1p)
    eps, features = np.finfo("float32").eps, 64 * 64 * 3
    target = (np.random.default_rng(0).random((5, features)) < 0.5).astype("float32")
    out = (2 * target - 1) * np.array([[3], [8], [12], [18], [40]], "float32")
    exact = Plain().per_sample(out.astype(float), target.astype(float))
    # `sum` adds blocks of 128 in 8 chains, then pairs: 16 + 3 + 7 roundings of eps / 2; entries: 6
    error = np.abs(BernoulliNLL().per_sample(out, target) - exact) / exact
    assert (error <= (13 + 6) * eps).all()


@both
def test_formulas_of_a_subclass_an_object_or_a_test_are_used(use, vector_log1p, monkeypatch):
    use(vector_log1p)

    class Doubled(BernoulliNLL):
        def entries(self, out, target):
            return 2 * super().entries(out, target)

    class Reversed(BernoulliNLL):
        def slopes(self, out, target, weight):
            return -super().slopes(out, target, weight)

    out, target = pair("float64")
    plain = Plain()
    value, slopes = plain.per_sample(out, target), plain.backward()
    assert np.allclose(Doubled().per_sample(out, target), 2 * value)
    loss = Reversed()
    assert np.allclose(loss.per_sample(out, target), value)
    assert np.allclose(loss.backward(), -slopes)
    loss = BernoulliNLL()
    loss.entries = lambda out, target: 0 * out
    assert not loss.per_sample(out, target).any()
    monkeypatch.setattr(BernoulliNLL, "entries", lambda self, out, target: 0 * out)
    assert not BernoulliNLL().per_sample(out, target).any()


def test_the_kind_of_processor_is_what_numpy_says_of_log1p(monkeypatch):
    introspect = pytest.importorskip("numpy.lib.introspect")
    for found, expected in (
        ({}, False),
        ({"log1p": {}}, False),
        ({"log1p": {"ff": {"current": "baseline(X86_V2)", "available": "X86_V4"}}}, False),
        ({"log1p": {"ff": {"current": "AVX512_SKX", "available": "AVX512_SKX"}}}, True),
    ):
        monkeypatch.setattr(introspect, "opt_func_info", lambda found=found, **which: found)
        assert fused.has_vector_log1p() is expected
    monkeypatch.setitem(sys.modules, "numpy.lib.introspect", None)
    monkeypatch.delattr("numpy.lib.introspect")
    assert fused.has_vector_log1p() is False
