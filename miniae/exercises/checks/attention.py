"""Check of the backward pass of softmax attention."""

import numpy as np

from miniae.attention import Attention, softmax
from miniae.exercises.questions import FORMULAS


def draw(ask, n, T, S, d, e):
    """Return dout (n, T, e), q (n, T, d), k (n, S, d) and v (n, S, e)."""
    shapes = (n, T, e), (n, T, d), (n, S, d), (n, S, e)
    return [ask.rng.standard_normal(shape) for shape in shapes]


def check(ask):
    """First all sizes are equal, so that a missing transpose gives a number; then with a mask."""
    size = int(ask.rng.choice([3, 5]))
    arrays = draw(ask, *[size] * 5)
    got = ask("attention_backward", *arrays, None)
    mistakes, right = slips(*arrays), exact(*arrays)
    given = {**dict(zip(("dout", "q", "k", "v"), arrays, strict=True)), "n": size}
    ds = {
        "s": f"q @ turn(k) / sqrt({size})",
        "p": "softmax(s)",
        "dp": "dout @ turn(v)",
        "ds": "p * (dp - sum(p * dp, axis=2, keepdims=True))",
    }
    for name, steps in {
        "dq": {**ds, "dq": f"ds @ k / sqrt({size})"},
        "dk": {**ds, "dk": f"turn(ds) @ q / sqrt({size})"},
        "dv": {**ds, "dv": "turn(p) @ dout"},
    }.items():
        others = {other: value for other, value in right.items() if other != name}
        mistakes[name][FORMULAS] = [(steps, given | others)]
    ask.equal(got, right, mistakes)

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
    found = {
        "dq": {
            "scale_is_missing": ds @ k,
            "scale_twice": ds @ k / d,
            "scale_multiplied": ds @ k * root,
            "dq_has_q": ds @ q / root,
            "dq_has_v": ds @ v / root,
            "ds_is_transposed_in_dq": turn(ds) @ k / root,
            "k_is_transposed_in_dq": ds @ turn(k) / root,
            "dq_has_p": p @ k / root,
        },
        "dk": {
            "scale_is_missing": turn(ds) @ q,
            "scale_twice": turn(ds) @ q / d,
            "scale_multiplied": turn(ds) @ q * root,
            "dk_has_k": turn(ds) @ k / root,
            "dk_has_v": turn(ds) @ v / root,
            "ds_is_not_transposed_in_dk": ds @ q / root,
            "dk_is_transposed": turn(q) @ ds / root,
            "dk_reverses_axes": ds.T @ q / root,
            "dk_has_p": turn(p) @ q / root,
        },
        "dv": {
            "p_is_not_transposed_in_dv": p @ dout,
            "dv_reverses_axes": p.T @ dout,
            "dv_is_transposed": turn(dout) @ p,
            "dv_has_ds": turn(ds) @ dout,
            "dv_has_scale": right["dv"] / root,
            "dv_has_v": turn(p) @ v,
            "dv_is_dout": dout,
        },
    }
    total = dp.sum(axis=2, keepdims=True)
    slopes = {
        "softmax_elementwise": p * (1 - p) * dp,
        "mean_term_is_missing": p * dp,
        "mean_term_has_wrong_sign": p * (dp + mean),
        "mean_term_is_plain_mean_dp_over": (p * (dp - total / d)),
        "mean_term_is_sum_dp": p * (dp - total),
        "mean_term_is_mean_p_dp": p * (dp - mean / d),
        "mean_term_sums_over_queries": (p * (dp - (p * dp).sum(axis=1, keepdims=True))),
        "mean_term_sums_over_samples": (p * (dp - (p * dp).sum(axis=0, keepdims=True))),
        "mean_term_sums_over_queries_and_keys": (
            p * (dp - (p * dp).sum(axis=(1, 2), keepdims=True))
        ),
        "mean_term_is_one_sum_for_all": (p * (dp - (p * dp).sum())),
        "mean_term_lost_axis": (p * (dp - mean[..., 0])),
        "factor_p_before_mean_term_is_missing": p * dp - mean,
        "factor_p_before_dp_is_missing": dp - p * mean,
        "factor_p_is_missing": dp - mean,
        "ds_is_dp": dp,
        "ds_is_centred_dp": dp - total / d,
    }
    others = {
        "v_is_not_transposed_in_dp": dout @ v,
        "dp_reverses_axes": dout @ v.T,
        "dp_is_transposed": turn(dp),
        "dp_is_dout": dout,
    }
    for key, dp in others.items():
        slopes[key] = p * (dp - (p * dp).sum(axis=2, keepdims=True))
    for key, ds in slopes.items():
        found["dq"][key], found["dk"][key] = through(ds, q, k, root)
        both = f"{key}__scale_is_missing"
        found["dq"][both], found["dk"][both] = through(ds, q, k, 1)
    weights = {
        "p_has_no_scale": (softmax(products), root),
        "no_scale_anywhere": (softmax(products), 1),
        "scores_in_p_are_divided_by_d": (softmax(products / d), root),
        "scores_are_divided_by_d": (
            softmax(products / d),
            d,
        ),
        "softmax_in_p_is_over_queries": (
            turn(softmax(turn(products) / root)),
            root,
        ),
        "softmax_in_p_is_over_samples": (
            softmax(products.swapaxes(0, 2) / root).swapaxes(0, 2),
            root,
        ),
        "softmax_in_p_is_over_all_entries": (
            softmax(products.reshape(1, -1) / root).reshape(p.shape),
            root,
        ),
        "p_reverses_axes": (softmax(q @ k.T / root), root),
        "scores_transposed": (softmax(turn(products) / root), root),
        "k_is_not_transposed_in_p": (softmax(q @ k / root), root),
    }
    collect(found, weights, dout, q, k, v)
    for name, value in right.items():
        found[name][f"{name}_divided_by_n"] = value / n
        found[name][f"{name}_summed_over_samples"] = value.sum(axis=0)
    return found


def slips_with_mask(dout, q, k, v, mask):
    """Return the answers of mistakes with the mask or with a size."""
    (_, T, d), S = q.shape, k.shape[1]
    products, root = q @ turn(k), np.sqrt(d)
    p = softmax(products / root)
    away = np.exp(np.where(mask, products / root, 0))
    weights = {
        "mask_ignored": (p, root),
        "mask_is_inverted": (
            softmax(np.where(mask, -np.inf, products / root)),
            root,
        ),
        "masked_score_is_0": (
            away / away.sum(axis=2, keepdims=True),
            root,
        ),
        "masked_after_exp_not_in_sum": (away * mask / away.sum(axis=2, keepdims=True), root),
        **{
            f"masked_score_is_minus_{size}": (softmax(np.where(mask, products / root, -size)), root)
            for size in (1, 10)
        },
        "mask_is_added": (softmax(products / root + mask), root),
        "scores_are_multiplied_by_mask": (softmax(products / root * mask), root),
        "p_is_masked_after_softmax": (
            p * mask,
            root,
        ),
    }
    masked = np.where(mask, products, -np.inf)
    for size, key in (S, "number_of_keys"), (T, "number_of_queries"), (v.shape[2], "width_of_v"):
        other = np.sqrt(size)
        weights[f"scaled_by_{key}"] = softmax(masked / other), other
        weights[f"p_scaled_by_{key}"] = softmax(masked / other), root
        weights[f"gradient_scaled_by_{key}"] = softmax(masked / root), other
    found = {"dq": {}, "dk": {}, "dv": {}}
    collect(found, weights, dout, q, k, v)
    # The mask is used in ds, but not in p.
    dp = dout @ turn(v)
    ds = np.where(mask, p * (dp - (p * dp).sum(axis=2, keepdims=True)), 0)
    found["dq"]["mask_in_ds_only"], found["dk"]["mask_in_ds_only"] = through(ds, q, k, root)
    return found


def collect(found, weights, dout, q, k, v):
    """Add to found, by name, the gradients with each wrong (p, root)."""
    for key, (p, root) in weights.items():
        for name, value in gradients(dout, q, k, v, p, root).items():
            found[name][key] = value


OTHER_ROOTS = {
    f"{key}_{size}": (
        f"{words} divided by the square root of {text}: divide by sqrt(d), the width of q"
    )
    for size, text in {
        "number_of_keys": "S, the number of keys",
        "number_of_queries": "T",
        "width_of_v": "e, the width of v",
    }.items()
    for key, words in {
        "scaled_by": "p and the gradient are",
        "p_scaled_by": "the scores in p are",
        "gradient_scaled_by": "the gradient is",
    }.items()
}
EXERCISES = {
    "attention_backward": {
        "title": "Softmax attention, backward",
        "minutes": 45,
        "parts": {"attention_backward": check},
        "mistakes": {
            "scale_is_missing": "the factor 1 / sqrt(d) is missing: s = q k^T / sqrt(d)",
            "scale_twice": "the factor 1 / sqrt(d) is applied twice: s contains it once",
            "scale_multiplied": "it is multiplied by sqrt(d): divide, as in s = q k^T / sqrt(d)",
            **{
                f"{name}_{key}": f"{name} is {words}"
                for name in ("dq", "dk", "dv")
                for key, words in {
                    "divided_by_n": "divided by n: dout already contains the 1 / n of the loss",
                    "summed_over_samples": (
                        "summed over the samples: each sample has its own q, k and v"
                    ),
                }.items()
            },
            "mask_ignored": "the mask is ignored in p: where it is False, the score is -inf",
            "mask_in_ds_only": (
                "p ignores the mask, which is used in ds only: where it is False, the score is -inf"
            ),
            **OTHER_ROOTS,
            "dq_has_q": "dq = ds q / sqrt(d) has q instead of k: s = q k^T / sqrt(d)",
            "dq_has_v": "dq has v instead of k: s = q k^T / sqrt(d)",
            "ds_is_transposed_in_dq": "ds is transposed in dq: dq = ds k / sqrt(d)",
            "k_is_transposed_in_dq": "k is transposed in dq: dq = ds k / sqrt(d)",
            "dq_has_p": "p stands in dq where ds must stand",
            "dk_has_k": "dk = ds^T k / sqrt(d) has k instead of q: s = q k^T / sqrt(d)",
            "dk_has_v": "dk has v instead of q: s = q k^T / sqrt(d)",
            "ds_is_not_transposed_in_dk": "ds is not transposed in dk: dk = ds^T q / sqrt(d)",
            "dk_is_transposed": "dk is transposed: dk = ds^T q / sqrt(d), not q^T ds",
            "dk_reverses_axes": (
                "ds.T in dk reverses all three axes: swap the last two, to transpose each sample"
            ),
            "dk_has_p": "p stands in dk where ds must stand",
            "p_is_not_transposed_in_dv": "p is not transposed in dv: dv = p^T dout",
            "dv_reverses_axes": (
                "p.T in dv reverses all three axes: swap the last two, to transpose each sample"
            ),
            "dv_is_transposed": "dv is transposed: dv = p^T dout, not dout^T p",
            "dv_has_ds": "ds stands in dv where p must stand: out = p v",
            "dv_has_scale": "dv has a factor 1 / sqrt(d): only the scores are divided by it",
            "dv_has_v": "dv has v instead of dout: dv = p^T dout",
            "dv_is_dout": "dv is dout: p is missing, out = p v",
            "softmax_elementwise": (
                "the softmax is treated as elementwise, with slope p (1 - p): s_i acts on every "
                "p_j of its row"
            ),
            "mean_term_is_missing": "the mean term is missing: ds = p (dp - sum_j p_j dp_j)",
            "mean_term_has_wrong_sign": (
                "the mean term has the wrong sign: ds = p (dp - sum_j p_j dp_j)"
            ),
            "mean_term_is_plain_mean_dp_over": (
                "the mean term is the plain mean of dp over the keys: weight dp with p, and sum"
            ),
            "mean_term_is_sum_dp": "the mean term is the sum of dp: weight dp with p",
            "mean_term_is_mean_p_dp": (
                "the mean term is the mean of p dp: take the sum, because p sums to 1"
            ),
            "mean_term_sums_over_queries": (
                "the mean term sums over the queries (axis 1): sum over the keys (axis 2)"
            ),
            "mean_term_sums_over_samples": (
                "the mean term sums over the samples (axis 0): sum over the keys (axis 2)"
            ),
            "mean_term_sums_over_queries_and_keys": (
                "the mean term sums over queries and keys: sum over the keys only"
            ),
            "mean_term_is_one_sum_for_all": (
                "the mean term is one sum for all samples: sum over the keys (axis 2)"
            ),
            "mean_term_lost_axis": (
                "the mean term lost an axis and meets the wrong entries: sum with keepdims=True"
            ),
            "factor_p_before_mean_term_is_missing": (
                "the factor p before the mean term is missing: ds = p (dp - mean)"
            ),
            "factor_p_before_dp_is_missing": (
                "the factor p before dp is missing: ds = p (dp - mean)"
            ),
            "factor_p_is_missing": "the factor p is missing: ds = p (dp - mean)",
            "ds_is_centred_dp": "ds is dp minus its plain mean: both need the weights p",
            "ds_is_dp": "ds is dp: the softmax needs its own backward pass",
            "v_is_not_transposed_in_dp": "v is not transposed in dp: dp = dout v^T",
            "dp_reverses_axes": (
                "v.T in dp reverses all three axes: swap the last two, to transpose each sample"
            ),
            "dp_is_transposed": "dp is transposed: dp = dout v^T, not v dout^T",
            "dp_is_dout": "dp is dout: v is missing, dp = dout v^T",
            "p_has_no_scale": "p has no factor 1 / sqrt(d): p = softmax(q k^T / sqrt(d))",
            "no_scale_anywhere": "the factor 1 / sqrt(d) is missing in p and in the gradient",
            "scores_in_p_are_divided_by_d": "the scores in p are divided by d: divide by sqrt(d)",
            "scores_are_divided_by_d": (
                "the scores are divided by d, in p and in the gradient: divide by sqrt(d)"
            ),
            "softmax_in_p_is_over_queries": (
                "the softmax in p is over the queries (axis 1): take it over the keys (axis 2)"
            ),
            "softmax_in_p_is_over_samples": (
                "the softmax in p is over the samples (axis 0): take it over the keys (axis 2)"
            ),
            "softmax_in_p_is_over_all_entries": (
                "the softmax in p is over all entries: take it over the keys (axis 2)"
            ),
            "p_reverses_axes": (
                "k.T in p reverses all three axes: swap the last two, to transpose each sample"
            ),
            "scores_transposed": "the scores in p are k q^T: they are q k^T",
            "k_is_not_transposed_in_p": "k is not transposed in p: the scores are q k^T",
            "mask_is_inverted": "the mask is inverted: it is True where a query may see the key",
            **{
                f"masked_score_is_minus_{size}": (
                    f"a masked score is -{size}, which still has a weight: make it -inf"
                )
                for size in (1, 10)
            },
            "mask_is_added": "the mask is added to the scores: where it is False, make them -inf",
            "scores_are_multiplied_by_mask": (
                "the scores are multiplied by the mask: exp(0) is 1, so make them -inf"
            ),
            "masked_after_exp_not_in_sum": (
                "masked keys still count in the sum of the softmax: mask the scores before"
            ),
            "masked_score_is_0": (
                "a masked score is 0, which still has weight exp(0) = 1: make it -inf"
            ),
            "p_is_masked_after_softmax": (
                "p is masked after the softmax, so its rows do not sum to 1: mask the scores before"
            ),
        },
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
