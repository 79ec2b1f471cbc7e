"""Checks of the two losses: the sum over features, the mean over samples, in nats."""

import numpy as np

from miniae.exercises.checks.slips import (
    gradients,
    of_sum,
    reduced,
    sentences_of_gradients,
    sentences_of_reduced,
    sentences_of_sum,
)
from miniae.exercises.questions import FORMULAS, NEAR, Wrong, agree, numbers
from miniae.numerics import sigmoid, softplus


def check_squared_error(ask):
    """L = 1/n sum (out - target)^2."""
    out, target = ask.rng.standard_normal((2, 7, 5))
    e, n = out - target, len(out)
    entries = {
        "absolute_differences": np.abs(e),
        "not_squared": e,
        "difference_of_squares": out**2 - target**2,
        "plus_for_minus": (out + target) ** 2,
        "cubed": e**3,
        "fourth_power": e**4,
        "target_is_missing": out**2,
        "product": out * target,
        "root_of_each": np.sqrt(np.abs(e)),
    }
    mistakes = {
        **reduced(entries, e**2),
        "square_root": np.sqrt((e**2).sum() / n),
        "root_of_mean": np.sqrt((e**2).mean()),
        "norm": np.sqrt((e**2).sum()),
        "mean_of_norms": np.sqrt((e**2).sum(axis=1)).mean(),
        "square_after_sum": (e.sum(axis=1) ** 2).mean(),
        "square_after_all": e.sum() ** 2 / n,
        "square_after_mean": e.mean() ** 2,
        "square_of_loss": ((e**2).sum() / n) ** 2,
        "variance": e.var(),
        "largest_entry": (e**2).max(),
        "sum_of_norms": np.sqrt((e**2).sum(axis=1)).sum(),
        "divided_by_target": (e**2).sum() / n / (target**2).sum(),
    }
    given = {"out": out, "target": target, "n": n}
    by_sample = {"each": "sum((out - target) ** 2, axis=1)", "loss": "sum(each) / n"}
    mistakes[FORMULAS] = [({"loss": "sum((out - target) ** 2) / n"}, given), (by_sample, given)]
    ask.equal(ask("squared_error", out, target), (e**2).sum() / n, mistakes, "the loss")


def check_squared_error_backward(ask):
    """dout = 2 (out - target) / n."""
    out, target = ask.rng.standard_normal((2, 7, 5))
    e, n = out - target, len(out)
    entries = {
        "plus_for_minus": 2 * (out + target) / n,
        "target_is_missing": 2 * out / n,
        "out_is_missing": -2 * target / n,
        "square_is_there": 2 * e**2 / n,
        "loss_itself": e**2 / n,
        "gradient_of_abs": np.sign(e) / n,
        "absolute_differences": 2 * np.abs(e) / n,
        "times_out": 2 * e * out / n,
        "difference_of_squares": (out**2 - target**2) / n,
    }
    got = ask("squared_error_backward", out, target)
    mistakes = gradients(entries, 2 * e / n)
    given = {"out": out, "target": target, "n": n}
    mistakes[FORMULAS] = [({"dout": "2 * (out - target) / n"}, given)]
    ask.equal(got, 2 * e / n, mistakes, "dout")


def bernoulli(logits, target):
    """Return -log p of each entry: softplus(logits) - target logits."""
    return softplus(logits) - target * logits


def check_bernoulli(ask):
    """Moderate logits, then those at which a sigmoid rounds to 0 or 1."""
    logits, target = 2 * ask.rng.standard_normal((7, 5)), ask.rng.uniform(0, 1, (7, 5))
    p, n, nll = sigmoid(logits), len(logits), bernoulli(logits, target)
    entries = {
        **of_sum(softplus=softplus(logits), product=-target * logits),
        "second_term_is_missing": -target * np.log(p),
        "first_term_is_missing": -(1 - target) * np.log(1 - p),
        "sign_of_first_term": target * np.log(p) - (1 - target) * np.log(1 - p),
        "sign_of_second_term": -target * np.log(p) + (1 - target) * np.log(1 - p),
        "target_inverted": bernoulli(-logits, target),
        "sigmoid_twice": bernoulli(p, target),
        "arguments_exchanged": bernoulli(target, logits),
        "log_is_missing": -target * p - (1 - target) * (1 - p),
        "rest_is_missing": np.maximum(logits, 0) - target * logits,
        "max_is_missing": softplus(-np.abs(logits)) - target * logits,
        "abs_for_max": np.abs(logits) + softplus(-np.abs(logits)) - target * logits,
        "logits_in_one_term": softplus(logits) - target,
        "target_times_softplus": target * softplus(logits),
        "squared_error": (p - target) ** 2,
        "absolute_error": np.abs(p - target),
        "squared_error_of_logits": (logits - target) ** 2,
        "entropy_of_p": -p * np.log(p) - (1 - p) * np.log(1 - p),
        "p_for_target": softplus(logits) - p * logits,
        "p_for_logits": softplus(logits) - target * p,
        "target_rounded": bernoulli(logits, np.round(target)),
    }
    mistakes = reduced(entries, nll)
    given = {"logits": logits, "target": target, "n": n}
    mistakes[FORMULAS] = [
        ({"loss": "sum(softplus(logits) - target * logits) / n"}, given),
        (
            {
                "each": "sum(softplus(logits) - target * logits, axis=1)",
                "loss": "sum(each) / n",
            },
            given,
        ),
        (
            {
                "p": "sigmoid(logits)",
                "loss": "sum(-target * log(p) - (1 - target) * log(1 - p)) / n",
            },
            given,
        ),
    ]
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
                    f"{got:.6g}, should be {right:.6g}", "log_of_rounded")  # fmt: skip
    ask.equal(got, right, name="the loss for logits of about -1000 to 1000")
    ask.equal(loss, nll.sum() / n, mistakes, "the loss")


def check_bernoulli_backward(ask):
    """d logits = (sigmoid(logits) - target) / n."""
    logits, target = 2 * ask.rng.standard_normal((7, 5)), ask.rng.uniform(0, 1, (7, 5))
    p, n = sigmoid(logits), len(logits)
    entries = {
        "gradient_for_p": (p - target) / (p * (1 - p)) / n,
        "slope_of_sigmoid_twice": (p - target) * p * (1 - p) / n,
        "slope_of_sigmoid_alone": p * (1 - p) / n,
        "sigmoid_is_missing": (logits - target) / n,
        "arguments_exchanged": (sigmoid(target) - logits) / n,
        "target_is_missing": p / n,
        "p_is_missing": -target / n,
        "target_inverted": (p - 1 + target) / n,
        "plus_for_minus": (p + target) / n,
        "first_term_for_p": -target / p / n,
        "second_term_for_p": (1 - target) / (1 - p) / n,
        "first_term_only": -target * (1 - p) / n,
        "second_term_only": (1 - target) * p / n,
        "sigmoid_twice": (sigmoid(p) - target) / n,
        "square_is_there": (p - target) ** 2 / n,
        "loss_itself": bernoulli(logits, target) / n,
        "absolute_differences": np.abs(p - target) / n,
        "tanh_for_sigmoid": (np.tanh(logits) - target) / n,
        "sign_of_logits": (1 - p - target) / n,
        "softplus_for_sigmoid": (softplus(logits) - target) / n,
        "times_target": p * target / n,
        "times_logits": (p - target) * logits / n,
        "target_rounded": (p - np.round(target)) / n,
    }
    mistakes = gradients(entries, (p - target) / n)
    given = {"logits": logits, "target": target, "n": n}
    steps = {"p": "sigmoid(logits)", "dlogits": "(p - target) / n"}
    mistakes[FORMULAS] = [(steps, given)]
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
        "mistakes": {
            **sentences_of_gradients(),
            **sentences_of_reduced(),
            "halved": "remove the factor 1/2: this loss has none",
            "gradient_minus": (
                "the sign is wrong: the derivative with respect to out has out - target"
            ),
            "gradient_doubled": "the factor 2 of the square is there twice",
            "gradient_halved": "the factor 2 of the square is missing",
            "absolute_differences": "it uses absolute differences: square the differences",
            "not_squared": "the differences are not squared",
            "difference_of_squares": "it has out^2 - target^2: first subtract, then square",
            "plus_for_minus": "it has out + target: take the difference",
            "cubed": "the differences are cubed: square them",
            "fourth_power": "the differences are squared twice",
            "target_is_missing": "target is missing: the loss is about out - target",
            "out_is_missing": "out is missing: the gradient has out - target",
            "product": "out and target are multiplied: square their difference",
            "root_of_each": "the square root is taken: the loss is the squared error itself",
            "square_root": "do not take the square root: the loss is the squared error itself",
            "root_of_mean": "do not take the square root, and sum over features",
            "norm": "this is the norm of all differences: no square root, and divide by n",
            "mean_of_norms": "this is a mean of norms: do not take the square root",
            "square_after_sum": "the sum is squared: square each difference, then sum",
            "square_after_all": "the sum is squared: square each difference, then sum",
            "square_after_mean": "the mean is squared: square each difference, then sum",
            "square_of_loss": "the loss is squared: square the differences only",
            "largest_entry": "this is the largest squared difference: take the sum, then the mean",
            "sum_of_norms": "this is a sum of norms: do not take the square root, and divide by n",
            "variance": "this is a variance: do not subtract the mean of the differences",
            "divided_by_target": "it is divided by the size of target: divide by n only",
            "square_is_there": "the square is still there: the slope of e^2 is 2 e",
            "loss_itself": "this is the loss of each entry, not its slope: that of e^2 is 2 e",
            "gradient_of_abs": "this is the gradient of |out - target|: take that of the square",
            "times_out": "it has a factor out: the slope of (out - target)^2 is 2 (out - target)",
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
        "mistakes": {
            **sentences_of_gradients(),
            **sentences_of_reduced(),
            "minus": "it is log p, not -log p: the sign is wrong",
            "gradient_minus": "the sign is wrong: it must be p - target",
            "gradient_doubled": "the factor 2 belongs to a squared error: here it is p - target",
            "log_of_rounded": "the loss is the log of a rounded or clipped probability",
            **sentences_of_sum(softplus="softplus(logits)", product="- target logits"),
            "second_term_is_missing": "the term (1 - target) log(1 - p) is missing",
            "first_term_is_missing": "the term target log p is missing",
            "sign_of_first_term": "the term target log p has the wrong sign",
            "sign_of_second_term": "the term (1 - target) log(1 - p) has the wrong sign",
            "target_inverted": "target and 1 - target are exchanged",
            "sigmoid_twice": "the sigmoid is applied twice: give it the logits",
            "arguments_exchanged": "logits and target are exchanged",
            "log_is_missing": "log is missing: it has p where log p must stand",
            "rest_is_missing": (
                "softplus is max(x, 0) + log1p(exp(-|x|)): the second term is missing"
            ),
            "max_is_missing": "softplus is max(x, 0) + log1p(exp(-|x|)): the first term is missing",
            "abs_for_max": "softplus has |x|: it must have max(x, 0)",
            "logits_in_one_term": "logits are missing in the product: softplus - target logits",
            "target_times_softplus": "softplus is multiplied by target: - target logits is missing",
            "squared_error": "this is a squared error: the loss is minus the log of a probability",
            "absolute_error": "this is |p - target|: the loss is minus the log of a probability",
            "squared_error_of_logits": (
                "this is a squared error of the logits, without a probability"
            ),
            "entropy_of_p": "it has p in place of target: this is the entropy of p",
            "p_for_target": "it has p in place of target: softplus - target logits",
            "p_for_logits": "it has p in place of the logits: softplus - target logits",
            "target_rounded": "target is rounded to 0 or 1: it may be any number between",
            "gradient_for_p": (
                "this is the gradient with respect to p: for the logits multiply by p (1 - p)"
            ),
            "slope_of_sigmoid_twice": (
                "remove p (1 - p): p - target contains the slope of the sigmoid already"
            ),
            "slope_of_sigmoid_alone": (
                "this is the slope of the sigmoid: the gradient has p - target"
            ),
            "sigmoid_is_missing": (
                "apply the sigmoid to the logits first: the gradient has p - target"
            ),
            "target_is_missing": "target is missing: the gradient has p - target",
            "p_is_missing": "p is missing: the gradient has p - target",
            "plus_for_minus": "it has p + target: the gradient has p - target",
            "first_term_for_p": (
                "this is the gradient of -target log p with respect to p: the other term and the "
                "slope p (1 - p) are missing"
            ),
            "second_term_for_p": (
                "this is the gradient of -(1 - target) log(1 - p) with respect to p: the other "
                "term and the slope p (1 - p) are missing"
            ),
            "first_term_only": "the gradient of (1 - target) log(1 - p) is missing",
            "second_term_only": "the gradient of target log p is missing",
            "square_is_there": "the difference is squared: the gradient has p - target",
            "loss_itself": "this is the loss of each entry, not its gradient",
            "absolute_differences": "it has |p - target|: the sign is lost",
            "tanh_for_sigmoid": "it has tanh(logits): a probability is sigmoid(logits)",
            "sign_of_logits": "the sigmoid is taken of -logits: p = sigmoid(logits)",
            "softplus_for_sigmoid": "it has softplus(logits): its slope is the sigmoid",
            "times_target": "p is multiplied by target: subtract target",
            "times_logits": "it has a factor logits: the gradient has p - target alone",
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
