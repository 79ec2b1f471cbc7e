"""Check of the backward pass of softmax attention."""

import numpy as np

from miniae.attention import Attention, softmax


def draw(ask, n, T, S, d, e):
    """Return dout (n, T, e), q (n, T, d), k (n, S, d) and v (n, S, e)."""
    shapes = (n, T, e), (n, T, d), (n, S, d), (n, S, e)
    return [ask.rng.standard_normal(shape) for shape in shapes]


def check(ask):
    """First all sizes are equal, so that a missing transpose gives a number; then with a mask."""
    size = int(ask.rng.choice([3, 5]))
    arrays = draw(ask, *[size] * 5)
    got = ask("attention_backward", *arrays, None)
    ask.equal(got, exact(*arrays), slips(*arrays))

    n, T, d, e = ask.rng.permutation([2, 3, 4, 5]).tolist()
    S = 6
    arrays = draw(ask, n, T, S, d, e)
    mask = ask.rng.random((n, T, S)) < 0.5
    # Each query sees two keys, because with one key p is 1 and ds is 0. Each misses two.
    mask[..., :2], mask[..., 2:4] = True, False
    mask = ask.rng.permuted(mask, axis=2)
    got = ask("attention_backward", *arrays, mask)
    ask.equal(got, exact(*arrays, mask), slips_with_mask(*arrays, mask))


def exact(dout, q, k, v, mask=None):
    """Return dq, dk and dv of the library's layer."""
    layer = Attention()
    layer.forward(q, keys=k, values=v, mask=mask)
    return {"dq": layer.backward(dout), "dk": layer.dkeys, "dv": layer.dvalues}


def turn(x):
    """Transpose each sample."""
    return x.swapaxes(1, 2)


def gradients(dout, q, k, v, p, root):
    """Return dq, dk and dv with weights p and a division by root, right or not."""
    dp = dout @ turn(v)
    dq, dk = through(p * (dp - (p * dp).sum(axis=2, keepdims=True)), q, k, root)
    return {"dq": dq, "dk": dk, "dv": turn(p) @ dout}


def through(ds, q, k, root):
    """Return dq and dk from ds, the gradient with respect to the scores, right or not."""
    return ds @ k / root, turn(ds) @ q / root


def slips(dout, q, k, v):
    """Return the answers of typical mistakes, without a mask, where all sizes are equal."""
    n, d = len(q), q.shape[2]
    root = np.sqrt(d)
    products = q @ turn(k)
    p = softmax(products / root)
    dp = dout @ turn(v)
    mean = (p * dp).sum(axis=2, keepdims=True)
    ds = p * (dp - mean)
    right = exact(dout, q, k, v)
    scale = "the factor 1 / sqrt(d) is missing: s = q k^T / sqrt(d)"
    twice = "the factor 1 / sqrt(d) is applied twice: s contains it once"
    multiplied = "it is multiplied by sqrt(d): divide, as in s = q k^T / sqrt(d)"
    axes = "reverses all three axes: swap the last two, to transpose each sample"
    found = {
        "dq": {
            scale: ds @ k,
            twice: ds @ k / d,
            multiplied: ds @ k * root,
            "dq = ds q / sqrt(d) has q instead of k: s = q k^T / sqrt(d)": ds @ q / root,
            "dq has v instead of k: s = q k^T / sqrt(d)": ds @ v / root,
            "ds is transposed in dq: dq = ds k / sqrt(d)": turn(ds) @ k / root,
            "k is transposed in dq: dq = ds k / sqrt(d)": ds @ turn(k) / root,
            "p stands in dq where ds must stand": p @ k / root,
        },
        "dk": {
            scale: turn(ds) @ q,
            twice: turn(ds) @ q / d,
            multiplied: turn(ds) @ q * root,
            "dk = ds^T k / sqrt(d) has k instead of q: s = q k^T / sqrt(d)": turn(ds) @ k / root,
            "dk has v instead of q: s = q k^T / sqrt(d)": turn(ds) @ v / root,
            "ds is not transposed in dk: dk = ds^T q / sqrt(d)": ds @ q / root,
            "dk is transposed: dk = ds^T q / sqrt(d), not q^T ds": turn(q) @ ds / root,
            f"ds.T in dk {axes}": ds.T @ q / root,
            "p stands in dk where ds must stand": turn(p) @ q / root,
        },
        "dv": {
            "p is not transposed in dv: dv = p^T dout": p @ dout,
            f"p.T in dv {axes}": p.T @ dout,
            "dv is transposed: dv = p^T dout, not dout^T p": turn(dout) @ p,
            "ds stands in dv where p must stand: out = p v": turn(ds) @ dout,
            "dv has a factor 1 / sqrt(d): only the scores are divided by it": right["dv"] / root,
            "dv has v instead of dout: dv = p^T dout": turn(p) @ v,
            "dv is dout: p is missing, out = p v": dout,
        },
    }
    total = dp.sum(axis=2, keepdims=True)
    slopes = {
        "the softmax is treated as elementwise, with slope p (1 - p): s_i acts on every p_j of its "
        "row": p * (1 - p) * dp,
        "the mean term is missing: ds = p (dp - sum_j p_j dp_j)": p * dp,
        "the mean term has the wrong sign: ds = p (dp - sum_j p_j dp_j)": p * (dp + mean),
        "the mean term is the plain mean of dp over the keys: weight dp with p, and sum": (
            p * (dp - total / d)
        ),
        "the mean term is the sum of dp: weight dp with p": p * (dp - total),
        "the mean term is the mean of p dp: take the sum, because p sums to 1": p * (dp - mean / d),
        "the mean term sums over the queries (axis 1): sum over the keys (axis 2)": (
            p * (dp - (p * dp).sum(axis=1, keepdims=True))
        ),
        "the mean term sums over the samples (axis 0): sum over the keys (axis 2)": (
            p * (dp - (p * dp).sum(axis=0, keepdims=True))
        ),
        "the mean term sums over queries and keys: sum over the keys only": (
            p * (dp - (p * dp).sum(axis=(1, 2), keepdims=True))
        ),
        "the mean term is one sum for all samples: sum over the keys (axis 2)": (
            p * (dp - (p * dp).sum())
        ),
        "the mean term lost an axis and meets the wrong entries: sum with keepdims=True": (
            p * (dp - mean[..., 0])
        ),
        "the factor p before the mean term is missing: ds = p (dp - mean)": p * dp - mean,
        "the factor p before dp is missing: ds = p (dp - mean)": dp - p * mean,
        "the factor p is missing: ds = p (dp - mean)": dp - mean,
        "ds is dp: the softmax needs its own backward pass": dp,
    }
    others = {
        "v is not transposed in dp: dp = dout v^T": dout @ v,
        f"v.T in dp {axes}": dout @ v.T,
        "dp is transposed: dp = dout v^T, not v dout^T": turn(dp),
        "dp is dout: v is missing, dp = dout v^T": dout,
    }
    for words, dp in others.items():
        slopes[words] = p * (dp - (p * dp).sum(axis=2, keepdims=True))
    for words, ds in slopes.items():
        found["dq"][words], found["dk"][words] = through(ds, q, k, root)
        found["dq"][f"{words}; and {scale}"], found["dk"][f"{words}; and {scale}"] = through(
            ds, q, k, 1
        )
    weights = {
        "p has no factor 1 / sqrt(d): p = softmax(q k^T / sqrt(d))": (softmax(products), root),
        "the factor 1 / sqrt(d) is missing in p and in the gradient": (softmax(products), 1),
        "the scores in p are divided by d: divide by sqrt(d)": (softmax(products / d), root),
        "the scores are divided by d, in p and in the gradient: divide by sqrt(d)": (
            softmax(products / d),
            d,
        ),
        "the softmax in p is over the queries (axis 1): take it over the keys (axis 2)": (
            turn(softmax(turn(products) / root)),
            root,
        ),
        "the softmax in p is over the samples (axis 0): take it over the keys (axis 2)": (
            softmax(products.swapaxes(0, 2) / root).swapaxes(0, 2),
            root,
        ),
        "the softmax in p is over all entries: take it over the keys (axis 2)": (
            softmax(products.reshape(1, -1) / root).reshape(p.shape),
            root,
        ),
        f"k.T in p {axes}": (softmax(q @ k.T / root), root),
        "the scores in p are k q^T: they are q k^T": (softmax(turn(products) / root), root),
        "k is not transposed in p: the scores are q k^T": (softmax(q @ k / root), root),
    }
    collect(found, weights, dout, q, k, v)
    for name, value in right.items():
        words = f"{name} is divided by n: dout already contains the 1 / n of the loss"
        found[name][words] = value / n
        words = f"{name} is summed over the samples: each sample has its own q, k and v"
        found[name][words] = value.sum(axis=0)
    return found


def slips_with_mask(dout, q, k, v, mask):
    """Return the answers of mistakes with the mask or with a size."""
    (_, T, d), S = q.shape, k.shape[1]
    products, root = q @ turn(k), np.sqrt(d)
    p = softmax(products / root)
    away = np.exp(np.where(mask, products / root, 0))
    ignored = "the mask is ignored in p: where it is False, the score is -inf"
    weights = {
        ignored: (p, root),
        "the mask is inverted: it is True where a query may see the key": (
            softmax(np.where(mask, -np.inf, products / root)),
            root,
        ),
        "a masked score is 0, which still has weight exp(0) = 1: make it -inf": (
            away / away.sum(axis=2, keepdims=True),
            root,
        ),
        "p is masked after the softmax, so its rows do not sum to 1: mask the scores before": (
            p * mask,
            root,
        ),
    }
    masked = np.where(mask, products, -np.inf)
    for size, text in ((S, "S, the number of keys"), (T, "T"), (v.shape[2], "e, the width of v")):
        words = f"divided by the square root of {text}: divide by sqrt(d), the width of q"
        other = np.sqrt(size)
        weights[f"p and the gradient are {words}"] = softmax(masked / other), other
        weights[f"the scores in p are {words}"] = softmax(masked / other), root
        weights[f"the gradient is {words}"] = softmax(masked / root), other
    found = {"dq": {}, "dk": {}, "dv": {}}
    collect(found, weights, dout, q, k, v)
    # The mask is used in ds, but not in p.
    dp = dout @ turn(v)
    ds = np.where(mask, p * (dp - (p * dp).sum(axis=2, keepdims=True)), 0)
    words = "p ignores the mask, which is used in ds only: where it is False, the score is -inf"
    found["dq"][words], found["dk"][words] = through(ds, q, k, root)
    return found


def collect(found, weights, dout, q, k, v):
    """Add to found, by name, the gradients with each wrong (p, root)."""
    for words, (p, root) in weights.items():
        for name, value in gradients(dout, q, k, v, p, root).items():
            found[name][words] = value


EXERCISES = {
    "attention_backward": {
        "title": "Softmax attention, backward",
        "minutes": 45,
        "parts": {"attention_backward": check},
        "hints": (
            "Work on one sample, backwards. out = p v is a product, as in a Dense layer: dv = "
            "p^T dout and dp = dout v^T. s = q k^T / sqrt(d) is a product too: dq = ds k / "
            "sqrt(d) and dk = ds^T q / sqrt(d). Only ds needs more work.",
            "Take one row, p_j = e^(s_j) / sum_k e^(s_k). Moving s_i changes p_i with slope p_i "
            "(1 - p_i), and every other p_j with slope -p_j p_i. Add up dp_j times the slopes.",
            "ds_i = p_i (dp_i - sum_j p_j dp_j). The sum is over the keys, axis 2 with "
            "keepdims=True. Compute p with the mask: np.where(mask, s, -np.inf). Then p and ds are "
            "0 at masked keys.",
        ),
    },
}
