"""Checks of the fully connected layer."""

import numpy as np


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
        "b is missing": x @ W,
        "b is subtracted": x @ W - b,
        "the sum of b is added everywhere: each unit has its own b": x @ W + b.sum(),
        "a dense layer is linear: ReLU is a separate layer": np.maximum(right, 0),
        "out is averaged over the samples: each row must stay a separate sample": right.mean(
            axis=0
        ),
        "it is divided by the number of features: x W is the sum over features": x @ W / len(W) + b,
    }
    ask.equal(ask("dense_forward", x, W, b), right, mistakes, "out")


def check_backward(ask):
    """dx = dout W^T, dW = x^T dout, db = sum of dout over the samples."""
    x, W, _, dout = draw(ask)
    n = len(x)
    mean = "is divided by n: dout already contains the 1 / n of the loss, so here take the sum"
    mistakes = {
        "dx": {
            f"dx {mean}": dout @ W.T / n,
            "dx uses the mean of W: sum over the units, each with its own W_kj": (
                dout.sum(axis=1, keepdims=True) * W.mean(axis=1)
            ),
        },
        "dW": {f"dW {mean}": x.T @ dout / n},
        "db": {
            "db is not summed: b is added to every row, so its gradient is the sum over rows": dout,
            f"db {mean}": dout.mean(axis=0),
            "db is summed over the units (axis 1): sum over the samples (axis 0)": dout.sum(axis=1),
            "db has one axis too many: without keepdims it has the shape of b": (
                dout.sum(axis=0, keepdims=True)
            ),
            "db is the number of samples: dout is missing": np.full(dout.shape[1], float(n)),
            "db is one number: sum over the samples only (axis 0)": dout.sum(),
        },
    }
    right = {"dx": dout @ W.T, "dW": x.T @ dout, "db": dout.sum(axis=0)}
    ask.equal(ask("dense_backward", dout, x, W), right, mistakes)


EXERCISES = {
    "dense_forward": {
        "title": "A dense layer, forward",
        "minutes": 10,
        "parts": {"dense_forward": check_forward},
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
