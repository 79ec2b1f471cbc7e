"""Checks of the two losses: the sum over features, the mean over samples, in nats."""

import numpy as np

from miniae.exercises.questions import NEAR, Wrong, agree, numbers
from miniae.numerics import sigmoid, softplus

MEAN = "take the sum over features, the mean over samples"


def check_squared_error(ask):
    """L = 1/n sum (out - target)^2."""
    out, target = ask.rng.standard_normal((2, 4, 5))
    e, n = out - target, len(out)
    mistakes = {
        f"it is also a mean over features: {MEAN}": (e**2).mean(),
        f"it is also a sum over samples: {MEAN}": (e**2).sum(),
        "remove the factor 1/2: this loss has none": (e**2).sum() / (2 * n),
        "it uses absolute differences: square the differences": np.abs(e).sum() / n,
        "it is one number per sample: take the mean over samples": (e**2).sum(axis=1),
        "it is the mean over features and the sum over samples: exchange sum and mean": (
            (e**2).sum() / e.shape[1]
        ),
        "do not take the square root: the loss is the squared error itself": np.sqrt(
            (e**2).sum() / n
        ),
        "the sum is squared: square each difference, then sum": (e.sum(axis=1) ** 2).mean(),
    }
    ask.equal(ask("squared_error", out, target), (e**2).sum() / n, mistakes, "the loss")


def check_squared_error_backward(ask):
    """dout = 2 (out - target) / n."""
    out, target = ask.rng.standard_normal((2, 4, 5))
    e, n = out - target, len(out)
    mistakes = {
        "1/n is missing: the loss is a mean over n samples": 2 * e,
        "the factor 2 of the square is missing": e / n,
        "it is divided by the number of all entries: divide by n only": 2 * e / e.size,
        "the factors 2 and 1/n are both missing": e,
        "the sign is wrong: the derivative with respect to out has out - target": -2 * e / n,
        "this is the gradient of |out - target|: take that of the square": np.sign(e) / n,
    }
    got = ask("squared_error_backward", out, target)
    ask.equal(got, 2 * e / n, mistakes, "dout")


def bernoulli(logits, target):
    """Return -log p of each entry: softplus(logits) - target logits."""
    return softplus(logits) - target * logits


def check_bernoulli(ask):
    """Moderate logits, then those at which a sigmoid rounds to 0 or 1."""
    logits, target = 2 * ask.rng.standard_normal((4, 5)), ask.rng.uniform(0, 1, (4, 5))
    p, n, nll = sigmoid(logits), len(logits), bernoulli(logits, target)
    mistakes = {
        f"it is also a mean over features: {MEAN}": nll.mean(),
        f"it is also a sum over samples: {MEAN}": nll.sum(),
        "it is log p, not -log p": -nll.sum() / n,
        "the term (1 - target) log(1 - p) is missing": (-(target * np.log(p)).sum() / n),
        "the term target log p is missing": (-((1 - target) * np.log(1 - p)).sum() / n),
        "target and 1 - target are exchanged": bernoulli(-logits, target).sum() / n,
        "the sigmoid is applied twice: give the logits to softplus": bernoulli(p, target).sum() / n,
        "it is one number per sample: take the mean over samples": nll.sum(axis=1),
        "logits and target are exchanged": bernoulli(target, logits).sum() / n,
    }
    loss = numbers(ask("bernoulli_nll", logits, target), "the loss")
    if not agree(loss, nll.sum() / n, NEAR):
        ask.equal(loss, nll.sum() / n, mistakes, "the loss")
    logits = np.array([[-1000.0, -50, 50, 1000]]) + ask.rng.uniform(0, 1, 4)
    target = ask.rng.uniform(0, 1, (1, 4))
    got = numbers(ask("bernoulli_nll", logits, target), "the loss")
    right = bernoulli(logits, target).sum()
    most = 40 * np.where(logits > 0, 1 - target, target).sum()  # log of a rounded p: -37
    if got.shape == () and got < most:
        raise Wrong(f"this is the log of a rounded (or clipped) probability: compute the loss from "
                    f"the logits, not from p. For logits of about -1000 to 1000 the loss is "
                    f"{got:.6g}, should be {right:.6g}")  # fmt: skip
    ask.equal(got, right, name="the loss for logits of about -1000 to 1000")
    ask.equal(loss, nll.sum() / n, mistakes, "the loss")


def check_bernoulli_backward(ask):
    """d logits = (sigmoid(logits) - target) / n."""
    logits, target = 2 * ask.rng.standard_normal((4, 5)), ask.rng.uniform(0, 1, (4, 5))
    p, n = sigmoid(logits), len(logits)
    mistakes = {
        "1/n is missing: the loss is a mean over n samples": p - target,
        "it is divided by the number of all entries: divide by n only": ((p - target) / p.size),
        "this is the gradient with respect to p: for the logits multiply by p (1 - p)": (
            (p - target) / (p * (1 - p)) / n
        ),
        "remove p (1 - p): p - target contains the slope of the sigmoid already": (
            (p - target) * p * (1 - p) / n
        ),
        "apply the sigmoid to the logits first: the gradient has p - target": (logits - target) / n,
        "the sign is wrong: it must be p - target": (target - p) / n,
        "logits and target are exchanged": (sigmoid(target) - logits) / n,
    }
    got = ask("bernoulli_nll_backward", logits, target)
    ask.equal(got, (p - target) / n, mistakes, "dlogits")
    logits = np.array([[-1000.0, -50, 50, 1000]]) + ask.rng.uniform(0, 1, 4)
    target = ask.rng.uniform(0, 1, (1, 4))
    got = ask("bernoulli_nll_backward", logits, target)
    ask.equal(got, sigmoid(logits) - target, name="dlogits for logits of about -1000 to 1000")


EXERCISES = {
    "squared_error": {
        "title": "The squared error and its gradient",
        "minutes": 15,
        "parts": {
            "squared_error": check_squared_error,
            "squared_error_backward": check_squared_error_backward,
        },
        "hints": (
            "Sum over features, mean over samples: L = 1/n sum_i sum_j (out_ij - target_ij)^2.",
            "Each entry of out is in one term of the sum only. The slope of that term is "
            "2 (out - target), and the 1/n of the mean stays in front.",
        ),
    },
    "bernoulli_nll": {
        "title": "The Bernoulli loss from logits, and its gradient",
        "minutes": 25,
        "parts": {
            "bernoulli_nll": check_bernoulli,
            "bernoulli_nll_backward": check_bernoulli_backward,
        },
        "hints": (
            "-log p(target) = -target log p - (1 - target) log(1 - p) with p = sigmoid(logits).",
            "-log sigmoid(a) = softplus(-a) and softplus(-a) = softplus(a) - a. With both, the "
            "loss of an entry becomes softplus(logits) - target logits.",
            "The slope of softplus is the sigmoid. Without overflow, softplus(a) = max(a, 0) + "
            "log1p(exp(-|a|)).",
        ),
    },
}
