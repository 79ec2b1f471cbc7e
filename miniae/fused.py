"""The Bernoulli loss in fewer passes over memory: `BernoulliNLL` calls these two functions.

The formulas to read are `BernoulliNLL.entries` and `BernoulliNLL.slopes`; a test holds both
versions against each other. These functions overwrite their own arrays, and where that is faster
they keep exp(-|l|) of the logits l for the gradient. Complex numbers, and losses that change a
formula, take the formulas themselves: so a complex step of the loss, which is computed by
`entries`, checks the gradient that is computed here. Measurements: docs/10_speed.md.
"""

import numpy as np

from miniae.losses import Loss
from miniae.numerics import sigmoid


def has_vector_log1p():
    """Return whether NumPy's log1p of float32 takes several numbers at once on this processor.

    With AVX-512 it does. Then log1p and tanh take a fraction of the time that they take without.
    NumPy before 2.1 does not say; then the answer is no.
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

    softplus(l) - t l is computed as (max(l, 0) - t l) + log(1 + exp(-|l|)), as in `entries`. The
    terms of a sample are added in pairs by `sum`, and none is negative: the value has a relative
    error of a few eps. Without the largest terms of each entry in one sum (the sum of max(l, 0)
    minus the sum of t l) it would be a few eps of the sum of |l|.
    """
    out, target = pair = loss.keep_pair(out, target)
    changed = {"entries", "slopes"} & vars(loss).keys()
    if changed or (type(loss).entries, type(loss).slopes) != loss.formulas or out.dtype.kind == "c":
        return Loss.per_sample(loss, out, target)
    t = np.abs(out)
    np.negative(t, out=t)
    np.exp(t, out=t)
    entries = np.maximum(out, 0)
    entries -= target * out
    entries += np.log1p(t) if VECTOR_LOG1P or t.dtype != np.float32 else log1p(t)
    loss.cache = (*pair, None if VECTOR_LOG1P else t)
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

    With s = exp(-|l|) of the forward pass, s / (1 + s) is the sigmoid of -|l|: that of l where
    l < 0, and 1 minus that of l where l > 0. A tanh takes twice as long, if it is not vectorised.
    """
    out, target, *kept = loss.cached()
    if not kept:
        return Loss.backward(loss, weight)
    if kept[0] is None:
        p = sigmoid(out)
    else:
        p = 1 + kept[0]
        np.divide(kept[0], p, out=p)
        np.subtract(out > 0, p, out=p)
        np.abs(p, out=p)
    p -= target
    if weight is None:
        p *= 1 / len(out)
    else:  # (n,) -> (n, 1, ...)
        p *= np.expand_dims(weight, tuple(range(np.ndim(weight), out.ndim)))
    return p
