import numpy as np
import pytest

from miniae.numerics import sigmoid, softplus, softplus_terms

EPS = np.finfo(float).eps


def test_sigmoid_and_softplus_are_accurate_over_their_whole_range():
    mpmath = pytest.importorskip("mpmath")
    x = np.concatenate([np.linspace(-40, 40, 161), [-1e4, -700.0, 700.0, 1e4, 1e-12]])
    exact_sigmoid = np.array([float(1 / (1 + mpmath.exp(-mpmath.mpf(v)))) for v in x])
    exact_softplus = np.array([float(mpmath.log1p(mpmath.exp(mpmath.mpf(v)))) for v in x])
    # The tanh form rounds at the scale of 1/2: absolute accuracy, all that a loss needs.
    assert np.abs(sigmoid(x) - exact_sigmoid).max() <= EPS
    assert np.allclose(softplus(x), exact_softplus, rtol=8 * EPS, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_terms_of_softplus_keep_all_their_digits(dtype):
    far = np.geomspace(1e-6, 60, 400)
    x = np.concatenate([-far, [0.0], far]).astype(dtype)
    positive, rest = softplus_terms(x)
    t = np.exp(-np.abs(x).astype(np.longdouble))
    # exp's argument error |x| eps dominates far out; log and the correction add a few eps.
    bound = np.finfo(dtype).eps * (4 + np.abs(x))
    assert np.array_equal(positive, np.maximum(x, 0))
    assert (np.abs(rest - np.log1p(t)) <= bound * np.log1p(t)).all()
    exact = np.where(x > 0, 1, t) / (1 + t)
    assert (np.abs(sigmoid(x) - exact) <= 2 * np.finfo(dtype).eps).all()  # tanh, + 1, * 0.5


def test_a_complex_softplus_keeps_its_digits_and_those_of_its_derivative():
    # np.log1p takes log |1 + t| of a complex t: of t = 1e-13 it keeps 3 digits.
    x = np.linspace(-36, 36, 145)
    out, t = softplus(x + 1e-30j), np.exp(-np.abs(x))
    bound = EPS * (4 + np.abs(x))  # as above
    assert (np.abs(out.real / softplus(x) - 1) <= bound).all()
    assert (np.abs(out.imag / 1e-30 * (1 + t) / np.where(x > 0, 1, t) - 1) <= bound).all()
