"""Checks of the fully connected layer."""

import numpy as np

from miniae.exercises.checks.slips import of_sum, sentences_of_sum
from miniae.exercises.questions import FORMULAS
from miniae.numerics import sigmoid


def draw(ask):
    """Return x (n, n_in), W (n_in, n_out), b (n_out,), dout (n, n_out); the three sizes differ."""
    n, n_in, n_out = ask.rng.permutation([3, 4, 5]).tolist()
    sizes = (n, n_in), (n_in, n_out), (n_out,), (n, n_out)
    return [ask.rng.standard_normal(size) for size in sizes]


def check_forward(ask):
    """out = x W + b."""
    x, W, b, _ = draw(ask)
    right = x @ W + b
    mistakes = {
        **of_sum(xw=x @ W, b=b + 0 * right),
        "b_n_times": x @ W + len(x) * b,
        "b_divided_by_n": x @ W + b / len(x),
        "b_averaged": x @ W + b.mean(),
        "b_multiplied": x @ W * b,
        "b_is_1": x @ W + 1,
        "tanh_inside": np.tanh(right),
        "sigmoid_inside": sigmoid(right),
        "softmax_inside": np.exp(right) / np.exp(right).sum(axis=1, keepdims=True),
        "sum_over_samples": right.sum(axis=0),
        "first_sample": right[0],
        "one_number": right.sum(),
        "w_squared": x @ W**2 + b,
        "b_is_summed": x @ W + b.sum(),
        "relu_inside": np.maximum(right, 0),
        "mean_over_samples": right.mean(axis=0),
        "mean_over_features": x @ W / len(W) + b,
    }
    mistakes[FORMULAS] = [({"out": "x @ W + b"}, {"x": x, "W": W, "b": b, "n": len(x)})]
    ask.equal(ask("dense_forward", x, W, b), right, mistakes, "out")


def check_backward(ask):
    """dx = dout W^T, dW = x^T dout, db = sum of dout over the samples."""
    x, W, _, dout = draw(ask)
    n = len(x)
    mistakes = {
        "dx": {
            "dx_times_x": dout @ W.T * x,
            "dx_is_wt_only": np.tile(W.sum(axis=1), (n, 1)),
            "dx_has_sum_of_dout": dout.sum(axis=1, keepdims=True) + 0 * x,
            "dx_is_divided_by_units": dout @ W.T / dout.shape[1],
            "dx_one_sample": (dout @ W.T).mean(axis=0),
            "dx_is_mean": dout @ W.T / n,
            "dx_has_mean_of_w": (dout.sum(axis=1, keepdims=True) * W.mean(axis=1)),
        },
        "dW": {
            "dw_is_mean": x.T @ dout / n,
            "dw_of_last_sample": np.outer(x[-1], dout[-1]),
            "dw_of_first_sample": np.outer(x[0], dout[0]),
            "dw_of_means": np.outer(x.mean(axis=0), dout.sum(axis=0)),
            "dw_of_sums": np.outer(x.sum(axis=0), dout.sum(axis=0)),
            "dw_has_b": (x + 1).T @ dout,
            "dw_without_dout": np.tile(x.sum(axis=0)[:, None], (1, dout.shape[1])),
            "dw_without_x": np.tile(dout.sum(axis=0), (x.shape[1], 1)),
            "dw_times_w": x.T @ dout * W,
            "dw_of_relu": x.T @ np.maximum(dout, 0),
            "dw_is_w": W,
        },
        "db": {
            "db_is_not_summed": dout,
            "db_is_mean": dout.mean(axis=0),
            "db_over_units": dout.sum(axis=1),
            "db_keepdims": (dout.sum(axis=0, keepdims=True)),
            "db_is_n": np.full(dout.shape[1], float(n)),
            "db_is_one_number": dout.sum(),
            "db_is_mean_of_all": dout.mean(),
            "db_sum_of_all_everywhere": np.full(dout.shape[1], dout.sum()),
            "db_of_first_sample": dout[0],
            "db_of_last_sample": dout[-1],
            "db_is_1": np.ones(dout.shape[1]),
            "db_is_0": np.zeros(dout.shape[1]),
            "db_is_max": dout.max(axis=0),
            "db_is_prod": dout.prod(axis=0),
            "db_is_abs": np.abs(dout).sum(axis=0),
            "db_from_dx": (dout @ W.T).sum(axis=0),
            "db_from_x": x.sum(axis=0),
        },
    }
    given = {"dout": dout, "x": x, "W": W, "n": n}
    for name, text in {"dx": "dout @ W.T", "dW": "x.T @ dout", "db": "sum(dout, axis=0)"}.items():
        mistakes[name][FORMULAS] = [({name: text}, given)]
    right = {"dx": dout @ W.T, "dW": x.T @ dout, "db": dout.sum(axis=0)}
    ask.equal(ask("dense_backward", dout, x, W), right, mistakes)


EXERCISES = {
    "dense_forward": {
        "title": "A dense layer, forward",
        "minutes": 10,
        "parts": {"dense_forward": check_forward},
        "mistakes": {
            **sentences_of_sum(xw="x W", b="b"),
            "b_n_times": "b is multiplied by n: add it once to each row",
            "b_divided_by_n": "b is divided by n: add it once to each row",
            "b_averaged": "the mean of b is added everywhere: each unit has its own b",
            "b_multiplied": "b is multiplied: add it",
            "b_is_1": "1 is added instead of b",
            "tanh_inside": "a dense layer is linear: tanh is a separate layer",
            "sigmoid_inside": "a dense layer is linear: the sigmoid is a separate layer",
            "softmax_inside": "a dense layer is linear: a softmax is a separate layer",
            "sum_over_samples": (
                "out is summed over the samples: each row must stay a separate sample"
            ),
            "first_sample": "this is the first sample only: out has a row for each sample",
            "one_number": "out is summed to one number: each sample has one number for each unit",
            "w_squared": "W is squared: out = x W + b",
            "b_is_summed": "the sum of b is added everywhere: each unit has its own b",
            "relu_inside": "a dense layer is linear: ReLU is a separate layer",
            "mean_over_samples": (
                "out is averaged over the samples: each row must stay a separate sample"
            ),
            "mean_over_features": (
                "it is divided by the number of features: x W is the sum over features"
            ),
        },
        "hints": (
            "Each row of x is a sample. The shapes: x (n, n_in), W (n_in, n_out), b (n_out,).",
            "(n, n_in) times (n_in, n_out) is the matrix product x @ W. NumPy adds b to every row "
            "of it.",
        ),
    },
    "dense_backward": {
        "title": "A dense layer, backward",
        "minutes": 25,
        "parts": {"dense_backward": check_backward},
        "mistakes": {
            "dx_times_x": "dx has a factor x: the slope of x W in x is W",
            "dx_is_wt_only": "dout is missing in dx: dx = dout W^T",
            "dx_has_sum_of_dout": "W is missing in dx: dx = dout W^T",
            "dx_is_divided_by_units": "dx is divided by the number of units: take the sum",
            "dx_one_sample": "dx is averaged over the samples: each sample has its own dx",
            "dw_of_last_sample": "dW is that of the last sample only: is it = where it must be +=?",
            "dw_of_first_sample": "dW is that of the first sample only: sum over the samples",
            "dw_of_means": "x and dout are summed or averaged before the product: sum the products",
            "dw_of_sums": "x and dout are summed before the product: sum the products",
            "dw_has_b": "dW contains db: b has its own gradient",
            "dw_without_dout": "dout is missing in dW: dW = x^T dout",
            "dw_without_x": "x is missing in dW: dW = x^T dout",
            "dw_times_w": "dW has a factor W: the slope of x W in W is x",
            "dw_of_relu": "dW has max(dout, 0): there is no ReLU in this layer",
            "dw_is_w": "this is W itself: dW = x^T dout",
            "db_is_mean_of_all": "db is one number, a mean: sum over the samples only (axis 0)",
            "db_sum_of_all_everywhere": (
                "every entry of db is the sum over all: sum over the samples"
            ),
            "db_of_first_sample": "db is that of the first sample only: sum over the samples",
            "db_of_last_sample": "db is that of the last sample only: is it = where it must be +=?",
            "db_is_1": "db is 1: dout is missing, db is the sum of dout over the samples",
            "db_is_0": "db is 0, but b acts on out with slope 1",
            "db_is_max": "db is the maximum over the samples: take the sum",
            "db_is_prod": "db is the product over the samples: take the sum",
            "db_is_abs": "db is the sum of |dout|: take the sum of dout",
            "db_from_dx": "db is the sum of dx: take the sum of dout",
            "db_from_x": "db is the sum of x: take the sum of dout",
            "dx_is_mean": (
                "dx is divided by n: dout already contains the 1 / n of the loss, so here take the "
                "sum"
            ),
            "dx_has_mean_of_w": "dx uses the mean of W: sum over the units, each with its own W_kj",
            "dw_is_mean": (
                "dW is divided by n: dout already contains the 1 / n of the loss, so here take the "
                "sum"
            ),
            "db_is_not_summed": (
                "db is not summed: b is added to every row, so its gradient is the sum over rows"
            ),
            "db_is_mean": (
                "db is divided by n: dout already contains the 1 / n of the loss, so here take the "
                "sum"
            ),
            "db_over_units": "db is summed over the units (axis 1): sum over the samples (axis 0)",
            "db_keepdims": "db has one axis too many: without keepdims it has the shape of b",
            "db_is_n": "db is the number of samples: dout is missing",
            "db_is_one_number": "db is one number: sum over the samples only (axis 0)",
        },
        "hints": (
            "Write one entry: out_ij = sum_k x_ik W_kj + b_j. Which entries of out does x_ik "
            "change, and with what factor? Which entries does W_kj change? Which does b_j?",
            "dx_ik = sum_j dout_ij W_kj; dW_kj = sum_i x_ik dout_ij; db_j = sum_i dout_ij. dx has "
            "the shape of x, dW of W, and db of b.",
            "A sum over the second index of both factors is A @ B.T. A sum over the first index of "
            "both factors is A.T @ B.",
        ),
    },
}
