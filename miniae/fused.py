"""The Bernoulli loss in fewer passes over memory: `BernoulliNLL` calls these two functions.

The formulas to read are `BernoulliNLL.entries` and `BernoulliNLL.slopes`; tests compare both
versions. These functions overwrite their own arrays. Where it is faster, they keep exp(-|l|) of the
logits l for the gradient. Complex numbers, and losses that change a formula, take the formulas. So
a complex step differentiates `entries`, and checks the gradient that is computed here.
Measurements: docs/10_speed.md.
"""

import numpy as np

from miniae.losses import Loss
from miniae.numerics import sigmoid


def has_vector_log1p():
    """Return whether NumPy's log1p of float32 takes several numbers at once on this processor.

    With AVX-512 it does. Then log1p and tanh take a fraction of the time that they take without.
    Older versions of NumPy do not say which code they use; then the answer is no.
    """
    try:
        from numpy.lib import introspect
    except ImportError:
        return False
    found = introspect.opt_func_info(func_name="^log1p$", signature="float32").get("log1p", {})
    return any(not used["current"].startswith("baseline") for used in found.values())


VECTOR_LOG1P = has_vector_log1p()


def per_sample(loss, out, target):
    """Return the Bernoulli loss of each sample, (n,): the sum over its `entries`.

    As in `entries`, an entry is (max(l, 0) - t l) + log(1 + exp(-|l|)). None is negative, and `sum`
    adds them in pairs, so the relative error is a few eps. The sum of all max(l, 0) minus the sum
    of all t l would be faster, but its error is a few eps of the sum of |l|.
    """
    out, target = pair = loss.keep_pair(out, target)
    changed = {"entries", "slopes"} & vars(loss).keys()
    if changed or (type(loss).entries, type(loss).slopes) != loss.formulas or out.dtype.kind == "c":
        return Loss.per_sample(loss, out, target)
    small = np.abs(out)
    np.negative(small, out=small)
    np.exp(small, out=small)
    entries = np.maximum(out, 0)
    entries -= target * out
    entries += np.log1p(small) if VECTOR_LOG1P or small.dtype != np.float32 else log1p(small)
    loss.cache = (*pair, None if VECTOR_LOG1P else small)
    return entries.reshape(len(entries), -1).sum(axis=1)


def log1p(t):
    """log(1 + t) for t from 0 to 1, as in `miniae.numerics.softplus_terms`."""
    u = 1 + t
    out = np.log(u)
    u -= 1
    u -= t
    out -= u
    return out


def backward(loss, weight):
    """Return the gradient, weight (sigmoid(l) - t), as `Loss.backward` does.

    With small = exp(-|l|) of the forward pass, small / (1 + small) is the sigmoid of -|l|: that of
    l where l < 0, and 1 minus that of l where l > 0. Without a fast tanh this is faster than tanh.
    """
    out, target, *kept = loss.cached()
    if not kept:
        return Loss.backward(loss, weight)
    (small,) = kept
    if small is None:
        p = sigmoid(out)
    else:
        p = 1 + small
        np.divide(small, p, out=p)
        np.subtract(out > 0, p, out=p)
        np.abs(p, out=p)
    p -= target
    if weight is None:
        p *= 1 / len(out)
    else:  # (n,) -> (n, 1, ...)
        p *= np.expand_dims(weight, tuple(range(np.ndim(weight), out.ndim)))
    return p
