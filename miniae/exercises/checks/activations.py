"""Checks of the elementwise functions and their slopes."""

import numpy as np

from miniae.exercises.checks.slips import (
    of_product,
    of_sum,
    sentences_of_product,
    sentences_of_sum,
)
from miniae.exercises.questions import FORMULAS
from miniae.numerics import sigmoid, softplus


@np.errstate(all="ignore")  # wrong formulas may overflow here without a warning
def wrong_sigmoids(x):
    """Return the answers of typical mistakes."""
    half = np.tanh(0.5 * x)
    return {
        **of_product(half=0.5, bracket=half + 1),
        "falls": sigmoid(-x),
        "is_tanh": np.tanh(x),
        "tanh_of_half_x": half,
        "tanh_of_x_not_half": (np.tanh(x) + 1) / 2,
        "one_outside": 0.5 * half + 1,
        "minus_one": 0.5 * (half - 1),
        "is_softmax": np.exp(x) / np.exp(x).sum(),
        "softmax_of_rows": np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
        "minus_in_denominator": 1 / (1 - np.exp(-x)),
        "one_is_missing": 1 / np.exp(-x),
        "one_over_is_missing": 1 + np.exp(-x),
        "slope_of_sigmoid": sigmoid(x) * sigmoid(-x),
        "one_branch_for_all": sigmoid(-np.abs(x)),
        "abs_of_x": sigmoid(np.abs(x)),
        "is_softplus": softplus(x),
    }


def check_sigmoid(ask):
    """Moderate x first, then x so large that exp(x) or exp(-x) overflows."""
    x = 3 * ask.rng.standard_normal((4, 5))
    mistakes = wrong_sigmoids(x)
    branches = {"z": "exp(-abs(x))", "out": "where(x > 0, 1 / (1 + z), z / (1 + z))"}
    mistakes[FORMULAS] = [
        ({"out": "1 / (1 + exp(-x))"}, {"x": x}),
        ({"out": "0.5 * (tanh(0.5 * x) + 1)"}, {"x": x}),
        (branches, {"x": x}),
    ]
    ask.equal(ask("sigmoid", x), sigmoid(x), mistakes)
    x = np.array([-1000.0, -400, -40, 0, 40, 400, 1000]) + ask.rng.uniform(0, 1, 7)
    ask.equal(ask("sigmoid", x), sigmoid(x), name=f"the result for x = {x[0]:.0f} to {x[-1]:.0f}")


@np.errstate(all="ignore")  # wrong formulas may overflow here without a warning
def wrong_softpluses(x):
    """Return the answers of typical mistakes."""
    positive, rest = np.maximum(x, 0), np.log1p(np.exp(-np.abs(x)))
    return {
        **of_sum(max=positive, rest=rest),
        "is_relu": positive,
        "max_is_missing": rest,
        "abs_for_max": np.abs(x) + rest,
        "min_for_max": np.minimum(x, 0) + rest,
        "x_for_max": x + rest,
        "sign_of_x": softplus(-x),
        "log_is_missing": positive + np.exp(-np.abs(x)),
        "one_is_missing": positive - np.abs(x),
        "exp_is_missing": positive + np.log1p(np.abs(x)),
        "log2_for_log": positive + rest / np.log(2),
        "log10_for_log": positive + rest / np.log(10),
        "all_in_log2": softplus(x) / np.log(2),
        "all_in_log10": softplus(x) / np.log(10),
        "abs_is_missing": positive + np.log1p(np.exp(-x)),
        "minus_is_missing": positive + np.log1p(np.exp(np.abs(x))),
        "x_in_the_rest": positive + np.log1p(np.exp(x)),
        "two_ones": positive + np.log1p(1 + np.exp(-np.abs(x))),
        "is_sigmoid": sigmoid(x),
        "log_sigmoid": -softplus(-x),
        "no_log": 1 + np.exp(x),
    }


def check_softplus(ask):
    """Moderate x, then x so large that exp overflows, then x where 1 + exp(x) rounds to 1."""
    x = 3 * ask.rng.standard_normal((4, 5))
    mistakes = wrong_softpluses(x)
    mistakes[FORMULAS] = [
        ({"out": text}, {"x": x})
        for text in ("log(1 + exp(x))", "maximum(x, 0) + log1p(exp(-abs(x)))")
    ]
    ask.equal(ask("softplus", x), softplus(x), mistakes)
    x = np.array([-1000.0, -400, 0, 40, 400, 1000]) + ask.rng.uniform(0, 1, 6)
    ask.equal(ask("softplus", x), softplus(x), name=f"the result for x = {x[0]:.0f} to {x[-1]:.0f}")
    x = ask.rng.uniform(-45, -38, 5)
    ask.equal(ask("softplus", x), softplus(x), {"exp_is_lost": 0 * x}, "the result for x near -40")


def check_relu(ask):
    """A gradient flows where x > 0."""
    dout, x = ask.rng.standard_normal((2, 4, 5))
    mistakes = {
        **of_product(dout=dout, slope=1.0 * (x > 0)),
        "forward_again": np.maximum(x, 0),
        "sign_of_x": dout * np.sign(x),
        "dout_and_x_exchanged": x * (dout > 0),
        "mask_of_dout": dout * (dout > 0),
        "times_relu": (dout * np.maximum(x, 0)),
        "times_x": dout * x,
        "x_below_0": np.where(x > 0, dout, x),
        "one_below_0": np.where(x > 0, dout, 1),
        "leaky_0_01": dout * np.where(x > 0, 1, 0.01),
        "leaky_0_1": dout * np.where(x > 0, 1, 0.1),
        "leaky_0_2": dout * np.where(x > 0, 1, 0.2),
        "mask_inverted": dout * (x < 0),
        "everything_passes": dout,
    }
    mistakes[FORMULAS] = [({"dx": "dout * (x > 0)"}, {"dout": dout, "x": x})]
    ask.equal(ask("relu_backward", dout, x), dout * (x > 0), mistakes, "dx")


def check_sigmoid_backward(ask):
    """dx = dout out (1 - out)."""
    dout, out = ask.rng.standard_normal((4, 5)), ask.rng.uniform(0.05, 0.95, (4, 5))
    again = sigmoid(out)
    mistakes = {
        **of_product(dout=dout, out=out, one_minus_out=1 - out),
        "one_plus_out": dout * out * (1 + out),
        "dout_in_one_term": dout * out - out**2,
        "sigmoid_for_slope": dout * again,
        "no_one_minus": dout * out**2,
        "no_out_in_square": dout * (1 - out) ** 2,
        "bracket_is_missing": dout * out - out,
        "sigmoid_twice": (dout * again * (1 - again)),
        "slope_of_tanh": dout * (1 - out**2),
    }
    mistakes[FORMULAS] = [
        ({"dx": text}, {"dout": dout, "out": out})
        for text in ("dout * (out * (1 - out))", "dout * (out - out * out)")
    ]
    ask.equal(ask("sigmoid_backward", dout, out), dout * out * (1 - out), mistakes, "dx")


def check_tanh_backward(ask):
    """dx = dout (1 - out^2)."""
    dout, out = ask.rng.standard_normal((4, 5)), ask.rng.uniform(-0.95, 0.95, (4, 5))
    mistakes = {
        **of_product(dout=dout, slope=1 - out**2),
        "square_outside": dout * (1 - out) ** 2,
        "two_out": dout * (1 - 2 * out),
        "one_minus_is_missing": dout * out**2,
        "bracket_is_missing": dout - out**2,
        "root_of_slope": dout * np.sqrt(1 - out**2),
        "times_out": dout * out * (1 - out**2),
        "tanh_for_slope": dout * np.tanh(out),
        "dout_squared": dout * (1 - dout**2),
        "slope_is_out": dout * out,
        "tanh_twice": (dout * (1 - np.tanh(out) ** 2)),
        "out_not_squared": dout * (1 - out),
        "slope_of_sigmoid": dout * out * (1 - out),
        "plus_for_minus": dout * (1 + out**2),
    }
    mistakes[FORMULAS] = [
        ({"dx": text}, {"dout": dout, "out": out})
        for text in ("dout * (1 - out**2)", "dout * (1 + out) * (1 - out)")
    ]
    ask.equal(ask("tanh_backward", dout, out), dout * (1 - out**2), mistakes, "dx")


EXERCISES = {
    "sigmoid_softplus": {
        "title": "A sigmoid and a softplus that cannot overflow",
        "minutes": 15,
        "parts": {"sigmoid": check_sigmoid, "softplus": check_softplus},
        "mistakes": {
            **sentences_of_product(half="1/2", bracket="tanh(x / 2) + 1"),
            **sentences_of_sum(max="max(x, 0)", rest="log1p(exp(-|x|))"),
            "tanh_of_half_x": "this is tanh(x / 2): add 1, then take the half",
            "one_outside": "the 1 is outside the bracket: (tanh(x / 2) + 1) / 2",
            "minus_one": "1 is subtracted: add 1, then take the half",
            "softmax_of_rows": (
                "this is a softmax: in a sigmoid each entry depends on its own x only"
            ),
            "minus_in_denominator": "the denominator is 1 - exp(-x): it must be 1 + exp(-x)",
            "one_is_missing": "the 1 is missing beside exp",
            "one_over_is_missing": "this is the denominator, 1 + exp(-x): divide 1 by it",
            "slope_of_sigmoid": "this is the slope of the sigmoid, not the sigmoid",
            "one_branch_for_all": "x > 0 has the formula of x < 0: it is right for negative x only",
            "abs_of_x": "x < 0 has the formula of x > 0: it is right for positive x only",
            "is_softplus": "this is softplus: sigmoid is 1 / (1 + exp(-x))",
            "min_for_max": "it has min(x, 0), but it must have max(x, 0)",
            "x_for_max": "it has x, but it must have max(x, 0)",
            "log_is_missing": "the log is missing: log1p(exp(-|x|)), not exp(-|x|)",
            "exp_is_missing": "exp is missing: log1p(exp(-|x|))",
            "log2_for_log": "the logarithm has base 2: take the natural one, np.log1p",
            "log10_for_log": "the logarithm has base 10: take the natural one, np.log1p",
            "all_in_log2": "the logarithm has base 2: take the natural one, np.log1p",
            "all_in_log10": "the logarithm has base 10: take the natural one, np.log1p",
            "abs_is_missing": "it has exp(-x) in the log, but it must have exp(-|x|)",
            "minus_is_missing": "it has exp(|x|) in the log, but it must have exp(-|x|)",
            "x_in_the_rest": "it has exp(x) in the log, but it must have exp(-|x|)",
            "two_ones": "1 is added twice: log1p(t) is log(1 + t) already",
            "is_sigmoid": "this is the sigmoid, the slope of softplus",
            "log_sigmoid": "this is log(sigmoid(x)): softplus(x) is -log(sigmoid(-x))",
            "no_log": "the log is missing: log(1 + exp(x))",
            "falls": "use exp(-x), not exp(x): your curve falls instead of rising",
            "is_tanh": "this is tanh, which goes from -1 to 1; a sigmoid goes from 0 to 1",
            "tanh_of_x_not_half": "tanh(x) must be tanh(x / 2): sigmoid(x) = (tanh(x / 2) + 1) / 2",
            "is_softmax": (
                "this is a softmax, exp(x) / sum: in a sigmoid each entry depends on its own x only"
            ),
            "is_relu": "this is ReLU, max(x, 0): the term log1p(exp(-|x|)) is missing",
            "max_is_missing": "the term max(x, 0) is missing",
            "abs_for_max": "it has |x|, but it must have max(x, 0)",
            "sign_of_x": "this is log(1 + exp(-x)): the sign of x is wrong",
            "exp_is_lost": "1 + exp(x) rounds to 1, so exp(x) is lost: np.log1p(t) keeps a small t",
        },
        "hints": (
            "np.exp(710) overflows. Write both functions so that exp only gets numbers below 0.",
            "sigmoid(x) = (tanh(x / 2) + 1) / 2, and np.tanh never overflows. For softplus with "
            "x > 0, take exp(x) out of the bracket: log(1 + exp(x)) = x + log(exp(-x) + 1).",
            "softplus(x) = max(x, 0) + log(1 + exp(-|x|)). np.log1p(t) computes log(1 + t) and "
            "does not lose a small t.",
        ),
    },
    "activations_backward": {
        "title": "The slopes of ReLU, sigmoid and tanh",
        "minutes": 15,
        "parts": {
            "relu_backward": check_relu,
            "sigmoid_backward": check_sigmoid_backward,
            "tanh_backward": check_tanh_backward,
        },
        "mistakes": {
            "x_below_0": "dx is x where x < 0: it must be 0 there",
            "one_below_0": "dx is 1 where x < 0: it must be 0 there",
            "one_plus_out": "it has 1 + out: the slope is out (1 - out)",
            "no_one_minus": "it has out^2: the slope is out (1 - out)",
            **sentences_of_product(
                dout="dout", slope="the slope", out="out", one_minus_out="(1 - out)"
            ),
            "forward_again": "this is ReLU(x), the forward pass: backward is dout where x > 0",
            "sign_of_x": "the slope is -1 where x < 0: it must be 0 there",
            "dout_and_x_exchanged": "dout and x are exchanged",
            "leaky_0_01": "the slope is 0.01 where x < 0, as in a leaky ReLU: here it is 0",
            "leaky_0_1": "the slope is 0.1 where x < 0, as in a leaky ReLU: here it is 0",
            "leaky_0_2": "the slope is 0.2 where x < 0, as in a leaky ReLU: here it is 0",
            "dout_in_one_term": "dout multiplies one term only: dout * (out - out^2)",
            "sigmoid_for_slope": "this is dout sigmoid(out): the slope is out (1 - out)",
            "one_minus_is_missing": "1 - is missing: the slope is not out^2",
            "no_out_in_square": "it has (1 - out)^2: the slope is out (1 - out)",
            "square_outside": "the square is outside the bracket: 1 - out^2, not (1 - out)^2",
            "two_out": "it has 2 out: out must be squared, 1 - out^2",
            "bracket_is_missing": "the bracket is missing: dout multiplies all of the slope",
            "root_of_slope": "remove the square root: the slope is 1 - out^2",
            "times_out": "remove the factor out: the slope is 1 - out^2",
            "tanh_for_slope": "this is dout tanh(out): the slope is 1 - out^2",
            "dout_squared": "it has dout^2: the slope is 1 - out^2",
            "slope_is_out": "the slope is out here: it must be 1 - out^2",
            "mask_of_dout": "the mask must come from x, not from dout: dout passes where x > 0",
            "times_relu": "dout is multiplied by x: the slope of ReLU is 1 wherever x > 0",
            "times_x": "x is not the slope: the slope of ReLU is 1 where x > 0, else 0",
            "mask_inverted": "the mask is the wrong way round: dout must pass where x > 0",
            "everything_passes": (
                "everything passes: is the mask max(x, 0) >= 0, which is always true?"
            ),
            "sigmoid_twice": "out is sigmoid(x) already: do not apply sigmoid again",
            "slope_of_tanh": (
                "1 - out^2 is the slope of tanh; the slope of a sigmoid is out (1 - out)"
            ),
            "tanh_twice": "out is tanh(x) already: do not apply tanh again",
            "out_not_squared": "out must be squared: the slope is 1 - out^2",
            "slope_of_sigmoid": "this is the slope of a sigmoid; the slope of tanh is 1 - out^2",
            "plus_for_minus": "the sign is wrong: 1 - out^2, not 1 + out^2",
        },
        "hints": (
            "Each entry of x changes one entry of out only. So each dx is dout times the slope at "
            "that entry.",
            "The slope of ReLU is 1 where x > 0, else 0. The slopes of sigmoid and tanh can be "
            "written with out alone, without x.",
            "d sigmoid(x) / dx = sigmoid(x) (1 - sigmoid(x)) and d tanh(x) / dx = 1 - tanh(x)^2.",
        ),
    },
}
