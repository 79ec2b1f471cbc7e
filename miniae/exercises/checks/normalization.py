"""Checks of batch normalisation, forward and backward."""

import numpy as np

from miniae.exercises.questions import FORMULAS


def draw(ask):
    """Return x, dout (n, d), gamma, beta (d,) and eps, large enough to be seen; n is not d."""
    n, d = ask.rng.permutation([4, 5, 6])[:2].tolist()
    x, dout = ask.rng.standard_normal((2, n, d))
    gamma = ask.rng.uniform(0.5, 1.5, d) * ask.rng.choice([-1, 1], d)
    spread, mean = ask.rng.uniform(0.7, 1.5, d), ask.rng.uniform(1, 2, d)
    return mean + spread * x, dout, gamma, ask.rng.standard_normal(d), ask.rng.uniform(0.1, 0.3)


def normal(x, eps, axis=0, ddof=0):
    """Return c = x - mean, the variance v, s = sqrt(v + eps) and xhat = c / s."""
    c = x - x.mean(axis, keepdims=True)
    v = (c**2).sum(axis, keepdims=True) / (x.shape[axis] - ddof)
    return c, v, np.sqrt(v + eps), c / np.sqrt(v + eps)


def check_forward(ask):
    """out = gamma (x - m) / sqrt(v + eps) + beta."""
    x, _, gamma, beta, eps = draw(ask)
    c, v, s, xhat = normal(x, eps)
    mistakes = {
        "over_features": normal(x, eps, axis=1)[3],
        "over_everything": ((x - x.mean()) / np.sqrt(x.var() + eps)),
        "n_minus_one": normal(x, eps, ddof=1)[3],
        "eps_outside": c / (np.sqrt(v) + eps),
        "eps_is_missing": c / np.sqrt(v),
        "divided_by_variance": c / s**2,
        "mean_not_subtracted": x / s,
        "v_is_sum": c / np.sqrt((c**2).sum(axis=0) + eps),
        "v_is_absolute": c / np.sqrt(np.abs(c).mean(axis=0) + eps),
        "s_is_absolute": c / (np.abs(c).mean(axis=0) + eps),
        "m_is_sum": (x - x.sum(axis=0)) / np.sqrt(((x - x.sum(axis=0)) ** 2).mean(axis=0) + eps),
        "m_is_added": (x + x.mean(axis=0)) / s,
        "mean_minus_x": -xhat,
        "not_divided": c,
        "multiplied_by_s": c * s,
        "eps_is_squared": c / np.sqrt(v + eps**2),
        "eps_is_subtracted": c / np.sqrt(np.abs(v - eps)),
        "eps_is_1e_05": c / np.sqrt(v + 1e-5),
        "eps_is_1e_08": c / np.sqrt(v + 1e-8),
        "median_for_mean": (x - np.median(x, axis=0)) / s,
        "min_max": (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0) + eps),
        "v_not_centred": c / np.sqrt((x**2).mean(axis=0) + eps),
    }
    mistakes = {key: gamma * value + beta for key, value in mistakes.items()}
    mistakes["beta_is_subtracted"] = gamma * xhat - beta
    mistakes["gamma_on_beta"] = gamma * (xhat + beta)
    mistakes["gamma_is_added"] = gamma + xhat + beta
    mistakes["divided_by_gamma"] = xhat / gamma + beta
    mistakes["beta_in_xhat"] = gamma * (c + beta) / s
    mistakes["gamma_squared"] = gamma**2 * xhat + beta
    mistakes["gamma_and_beta_are_missing"] = xhat
    mistakes["beta_is_missing"] = gamma * xhat
    mistakes["gamma_is_missing"] = xhat + beta
    mistakes["gamma_and_beta_exchanged"] = beta * xhat + gamma
    given = {"x": x, "gamma": gamma, "beta": beta, "eps": eps, "n": len(x), "d": x.shape[1]}
    steps = {
        "m": "mean(x, axis=0)",
        "v": "mean((x - m) ** 2, axis=0)",
        "s": "sqrt(v + eps)",
        "out": "gamma * (x - m) / s + beta",
    }
    own_mean = {**steps, "v": "std(x, axis=0) ** 2"}  # np.var does not use m
    mistakes[FORMULAS] = [(steps, given), (own_mean, given)]
    ask.equal(ask("batchnorm", x, gamma, beta, eps), gamma * xhat + beta, mistakes, "out")


def check_backward(ask):
    """dx = (dxhat - mean(dxhat) - xhat mean(dxhat xhat)) / s."""
    x, dout, gamma, _, eps = draw(ask)
    n, dxhat = len(x), gamma * dout
    c, v, s, xhat = normal(x, eps)
    mean, along = dxhat.mean(axis=0), (dxhat * xhat).mean(axis=0)
    exact = (dxhat - mean - xhat * along) / s
    over = {"axis": 1, "keepdims": True}
    without = (dout - dout.mean(axis=0) - xhat * (dout * xhat).mean(axis=0)) / s
    outside = np.sqrt(v) + eps
    other = c / outside
    mistakes = {
        "dx": {
            "no_path_of_mean": ((dxhat - xhat * along) / s),
            "no_path_of_variance": ((dxhat - mean) / s),
            "divided_by_gamma": normal_gradient(dout / gamma, xhat, s),
            "gamma_squared": normal_gradient(dxhat * gamma, xhat, s),
            "mean_of_dout_without_gamma": (dxhat - dout.mean(axis=0) - xhat * along) / s,
            "variance_of_dout_without_gamma": (
                (dxhat - mean - xhat * (dout * xhat).mean(axis=0)) / s
            ),
            "dx_is_dout": dout,
            "dx_is_dxhat": dxhat,
            "mean_path_not_divided": dxhat / s - mean - xhat * along / s,
            "variance_path_not_divided": (dxhat - mean) / s - xhat * along,
            "only_first_divided": dxhat / s - mean - xhat * along,
            "c_for_outer_xhat": (dxhat - mean - c * along) / s,
            "c_for_inner_xhat": (dxhat - mean - xhat * (dxhat * c).mean(axis=0)) / s,
            "one_path_divided_by_s_cubed": (dxhat - mean) / s - c * (dxhat * c).mean(axis=0) / s,
            "no_paths": dxhat / s,
            "gamma_missing_in_dxhat": without,
            "no_gamma_no_paths": dout / s,
            "two_means_are_sums": ((dxhat - n * mean - n * xhat * along) / s),
            "term_mean_is_sum": ((dxhat - n * mean - xhat * along) / s),
            "term_variance_is_sum": ((dxhat - mean - n * xhat * along) / s),
            "variance_without_xhat": ((dxhat - mean - along) / s),
            "variance_without_inner_xhat": ((dxhat - mean - xhat * mean) / s),
            "variance_doubled": (dxhat - mean - 2 * xhat * along) / s,
            "variance_halved": (dxhat - mean - 0.5 * xhat * along) / s,
            "variance_sign": ((dxhat - mean + xhat * along) / s),
            "mean_sign": ((dxhat + mean - xhat * along) / s),
            "divided_by_s_squared": exact / s,
            "not_divided_by_s": exact * s,
            "c_for_xhat": ((dxhat - mean - c * (dxhat * c).mean(axis=0)) / s),
            "x_for_xhat": ((dxhat - mean - x * (dxhat * x).mean(axis=0)) / s),
            "means_are_over_features": (
                (dxhat - dxhat.mean(**over) - xhat * (dxhat * xhat).mean(**over)) / s
            ),
            "eps_is_missing_in_s": (
                (dxhat - mean - c / np.sqrt(v) * (dxhat * c / np.sqrt(v)).mean(axis=0)) / np.sqrt(v)
            ),
            "eps_outside": ((dxhat - mean - other * (dxhat * other).mean(axis=0)) / outside),
            "n_minus_one": unbiased(x, dxhat, eps),
        },
        "dgamma": {
            "dgamma_is_one_number": (dout * xhat).sum(),
            "dgamma_is_0": 0 * gamma,
            "dgamma_is_sum_dout": dout.sum(axis=0),
            "dgamma_has_x": (dout * x).sum(axis=0),
            "dgamma_has_c": (dout * c).sum(axis=0),
            "dgamma_has_factor_gamma": (dxhat * xhat).sum(axis=0),
            "dgamma_is_mean": (dout * xhat).mean(axis=0),
            "dgamma_is_not_summed": dout * xhat,
            "dgamma_is_summed_over_features": ((dout * xhat).sum(axis=1)),
            "dgamma_is_sum_xhat": xhat.sum(axis=0),
        },
        "dbeta": {
            "dbeta_is_mean": dout.mean(axis=0),
            "dbeta_is_not_summed": dout,
            "dbeta_is_summed_over_features": dout.sum(axis=1),
            "dbeta_has_factor_gamma": dxhat.sum(axis=0),
            "dbeta_is_one_number": dout.sum(),
        },
    }
    given = {"x": x, "dout": dout, "gamma": gamma, "s": s, "xhat": xhat, "c": c, "n": n}
    given["d"] = x.shape[1]
    dx = "(dxhat - mean(dxhat, axis=0) - xhat * mean(dxhat * xhat, axis=0)) / s"
    forward = {
        "m": "mean(x, axis=0)",
        "v": "std(x, axis=0) ** 2",  # np.var does not use m
        "s": "sqrt(v + eps)",
        "c": "x - m",
        "xhat": "c / s",
    }
    chain = {  # the same through v and m
        "dxhat": "gamma * dout",
        "dv": "sum(dxhat * c * -0.5 / s**3, axis=0)",
        "dm": "-sum(dxhat / s, axis=0)",
        "dx": "dxhat / s + dv * 2 * c / n + dm / n",
    }
    first = {name: given[name] for name in ("x", "dout", "gamma", "n", "d")} | {"eps": eps}
    mistakes["dx"][FORMULAS] = [
        ({"dxhat": "gamma * dout", "dx": dx}, given),
        ({**forward, **chain}, first),
        ({**forward, "dxhat": "gamma * dout", "dx": dx}, first),
    ]
    mistakes["dgamma"][FORMULAS] = [({**forward, "dgamma": "sum(dout * xhat, axis=0)"}, first)]
    mistakes["dbeta"][FORMULAS] = [({"dbeta": "sum(dout, axis=0)"}, given)]
    right = {"dx": exact, "dgamma": (dout * xhat).sum(axis=0), "dbeta": dout.sum(axis=0)}
    ask.equal(ask("batchnorm_backward", dout, x, gamma, eps), right, mistakes)


def normal_gradient(dxhat, xhat, s):
    """Return dx from dxhat, right or not."""
    return (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / s


def unbiased(x, dxhat, eps):
    """Return dx with a v that divides by n - 1."""
    _, _, s, xhat = normal(x, eps, ddof=1)
    return normal_gradient(dxhat, xhat, s)


EXERCISES = {
    "batchnorm": {
        "title": "Batch normalisation, forward and backward",
        "minutes": 45,
        "parts": {"batchnorm": check_forward, "batchnorm_backward": check_backward},
        "mistakes": {
            "v_is_sum": "v is a sum: take the mean over the samples",
            "v_is_absolute": "v is the mean of |x - m|: square the differences",
            "s_is_absolute": "s is the mean of |x - m|: it is sqrt(v + eps)",
            "m_is_sum": "m is a sum: take the mean over the samples",
            "m_is_added": "the mean is added: subtract it",
            "mean_minus_x": "it has m - x: the sign is wrong, x - m",
            "not_divided": "it is not divided by s",
            "multiplied_by_s": "it is multiplied by s: divide",
            "eps_is_squared": "eps is squared",
            "eps_is_subtracted": "eps is subtracted: add it",
            "eps_is_1e_05": "eps is 1e-05, not the given eps",
            "eps_is_1e_08": "eps is 1e-08, not the given eps",
            "median_for_mean": "the median is subtracted: subtract the mean",
            "min_max": "it is scaled to the range from 0 to 1: subtract m, divide by s",
            "beta_is_subtracted": "beta is subtracted: add it",
            "gamma_on_beta": "gamma multiplies beta too: gamma xhat + beta, without a bracket",
            "gamma_is_added": "gamma is added: multiply xhat by it",
            "divided_by_gamma": "it is divided by gamma: multiply by it",
            "beta_in_xhat": "beta is added before the division: gamma xhat + beta",
            "gamma_squared": "gamma is there twice",
            "dgamma_is_one_number": "dgamma is one number: sum over the samples only (axis 0)",
            "dgamma_is_0": "dgamma is 0, but gamma acts on out with slope xhat",
            "mean_of_dout_without_gamma": "gamma is missing in the term of the mean: mean(dxhat)",
            "variance_of_dout_without_gamma": (
                "gamma is missing in the term of the variance: mean(dxhat xhat)"
            ),
            "dx_is_dout": "this is dout: gamma, s and both paths are missing",
            "dx_is_dxhat": "this is dxhat: s and both paths are missing",
            "mean_path_not_divided": "the term of the mean is not divided by s",
            "variance_path_not_divided": "the term of the variance is not divided by s",
            "only_first_divided": "a bracket is missing: 1 / s multiplies all three terms",
            "c_for_outer_xhat": "the term of the variance has x - m instead of xhat, outside",
            "c_for_inner_xhat": (
                "the term of the variance has x - m instead of xhat, inside the mean"
            ),
            "one_path_divided_by_s_cubed": (
                "the term of the variance must be divided by s^3, not by s"
            ),
            "over_features": (
                "the mean and variance are those of each sample (axis 1), as in a LayerNorm: take "
                "them over the samples (axis 0)"
            ),
            "over_everything": (
                "the mean and variance are one number for all features: take them over axis 0"
            ),
            "n_minus_one": "v divides by n - 1: here it divides by n",
            "eps_outside": "eps is outside the square root: s = sqrt(v + eps)",
            "eps_is_missing": "eps is missing",
            "divided_by_variance": "it is divided by v + eps: divide by the square root, s",
            "mean_not_subtracted": "the mean is not subtracted",
            "v_not_centred": "v is the mean of x^2: subtract the mean first",
            "gamma_and_beta_are_missing": "gamma and beta are missing: this is xhat",
            "beta_is_missing": "beta is missing",
            "gamma_missing_in_dxhat": (
                "gamma is missing: out = gamma xhat + beta, so dxhat = gamma dout"
            ),
            "gamma_is_missing": "gamma is missing",
            "gamma_and_beta_exchanged": "gamma and beta are exchanged",
            "no_path_of_mean": (
                "the path through the mean is missing: x_i lowers every xhat_j by 1 / (n s)"
            ),
            "no_path_of_variance": (
                "the path through the variance is missing: subtract xhat mean(dxhat xhat)"
            ),
            "no_paths": "mean and variance are treated as constants, but both depend on x",
            "no_gamma_no_paths": "gamma and both paths are missing",
            "two_means_are_sums": "the two means are sums: each has a factor 1 / n",
            "term_mean_is_sum": "the term of the mean is a sum: it has a factor 1 / n",
            "term_variance_is_sum": "the term of the variance is a sum: it has a factor 1 / n",
            "variance_without_xhat": "the factor xhat before the term of the variance is missing",
            "variance_without_inner_xhat": (
                "the term of the variance is mean(dxhat): inside it is mean(dxhat xhat)"
            ),
            "variance_doubled": (
                "the term of the variance is doubled: the 2 of (x - m)^2 cancels the 1/2 of the "
                "square root"
            ),
            "variance_halved": (
                "the term of the variance is halved: the 1/2 of the square root cancels the 2 of "
                "(x - m)^2"
            ),
            "variance_sign": (
                "the term of the variance has the wrong sign: a larger s makes xhat smaller"
            ),
            "mean_sign": "the term of the mean has the wrong sign: a larger mean lowers xhat",
            "divided_by_s_squared": "it is divided by s^2 = v + eps: divide by s",
            "not_divided_by_s": "it is not divided by s",
            "c_for_xhat": "x - m stands where xhat = (x - m) / s must stand",
            "x_for_xhat": "x stands where xhat must stand",
            "means_are_over_features": (
                "the means are over the features (axis 1): take them over the samples (axis 0)"
            ),
            "eps_is_missing_in_s": "eps is missing in s",
            "dgamma_is_sum_dout": (
                "dgamma is the sum of dout: xhat is missing, out = gamma xhat + beta"
            ),
            "dgamma_has_x": "dgamma has x instead of xhat",
            "dgamma_has_c": "dgamma has x - m instead of xhat: divide by s",
            "dgamma_has_factor_gamma": (
                "dgamma has a factor gamma: gamma acts on out with slope xhat"
            ),
            "dgamma_is_mean": (
                "dgamma is a mean: dout already contains the 1 / n of the loss, so here take the "
                "sum"
            ),
            "dgamma_is_not_summed": "dgamma is not summed: all samples share gamma",
            "dgamma_is_summed_over_features": (
                "dgamma is summed over the features (axis 1): sum over the samples"
            ),
            "dgamma_is_sum_xhat": "dgamma is the sum of xhat, which is 0: dout is missing",
            "dbeta_is_mean": (
                "dbeta is a mean: dout already contains the 1 / n of the loss, so here take the sum"
            ),
            "dbeta_is_not_summed": "dbeta is not summed: all samples share beta",
            "dbeta_is_summed_over_features": (
                "dbeta is summed over the features (axis 1): sum over the samples"
            ),
            "dbeta_has_factor_gamma": "dbeta has a factor gamma: beta acts on out with slope 1",
            "dbeta_is_one_number": "dbeta is one number: sum over the samples only (axis 0)",
        },
        "hints": (
            "Work on one feature, a column of n numbers. dbeta = sum_i dout_i, dgamma = sum_i "
            "dout_i xhat_i, and dxhat_i = gamma dout_i. Only dx needs more work.",
            "x_i acts on xhat_j = (x_j - m) / s in three ways: directly if i = j, with slope 1 / "
            "s; through m, with slope -1 / (n s); through s, with slope -xhat_j / s times ds/dx_i.",
            "ds/dx_i = xhat_i / n, since dv/dx_i = 2 (x_i - m) / n and ds/dv = 1 / (2 s). Sum over "
            "j: dx_i = (dxhat_i - mean_j dxhat_j - xhat_i mean_j(dxhat_j xhat_j)) / s.",
        ),
    },
}
