"""Elementwise functions that do not overflow, of real and of complex numbers.

They are accurate to rounding: softplus relative to its value, sigmoid relative to 1.
"""

import numpy as np

LOG_2PI = float(np.log(2 * np.pi))


def as_float(x):
    """Return x as an array of floating-point (or complex) numbers; not copied if it is one.

    float16 becomes float64, since sums over pixels overflow it.
    """
    x = np.asarray(x)
    return x if x.dtype.kind in "fc" and x.dtype != np.float16 else x.astype(np.float64)


def relu(x):
    """max(x, 0), elementwise; of a complex x, by its real part."""
    return x * (x.real > 0) if x.dtype.kind == "c" else np.maximum(x, 0)


def sigmoid(x):
    """1 / (1 + exp(-x)) = (tanh(x / 2) + 1) / 2, which cannot overflow."""
    out = np.tanh(0.5 * x)
    out += 1
    out *= 0.5
    return out


def softplus_terms(x):
    """max(x, 0) and log(1 + exp(-|x|)), whose sum is softplus(x).

    t = exp(-|x|) cannot overflow. |x| is written 2 max(x, 0) - x: np.abs of a complex number would
    lose the imaginary part. Let u be 1 + t after rounding. Then log(1 + t) is
    log(u) + log((1 + t) / u), and the second term is (t - (u - 1)) / u to first order. Without the
    division by u it is wrong by a factor 1 + t. Since t - (u - 1) is at most eps / 2, this is at
    most eps / 2 of log(1 + t). The error that remains is a few eps. np.log1p is as accurate for
    real t, but of a small complex t it loses the real part.
    """
    positive = relu(x)
    t = np.exp(x - 2 * positive)
    u = 1 + t
    t -= u - 1
    t += np.log(u)
    return positive, t


def softplus(x):
    """log(1 + exp(x)) without overflow."""
    positive, rest = softplus_terms(x)
    return positive + rest


def log_softmax(x):
    """log(exp(x) / sum exp(x)) over all axes but the first; the largest x is subtracted."""
    axes = tuple(range(1, x.ndim))
    x = x - x.real.max(axis=axes, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=axes, keepdims=True))
