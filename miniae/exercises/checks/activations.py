"""Checks of the elementwise functions and their slopes."""

import numpy as np

from miniae.numerics import sigmoid, softplus


def check_sigmoid(ask):
    """Moderate x first, then x so large that exp(x) or exp(-x) overflows."""
    x = 3 * ask.rng.standard_normal((4, 5))
    mistakes = {
        "use exp(-x), not exp(x): your curve falls instead of rising": sigmoid(-x),
        "this is tanh, which goes from -1 to 1; a sigmoid goes from 0 to 1": np.tanh(x),
        "tanh(x) must be tanh(x / 2): sigmoid(x) = (tanh(x / 2) + 1) / 2": (np.tanh(x) + 1) / 2,
        "this is a softmax, exp(x) / sum: in a sigmoid each entry depends on its own x only": (
            np.exp(x) / np.exp(x).sum()
        ),
    }
    ask.equal(ask("sigmoid", x), sigmoid(x), mistakes)
    x = np.array([-1000.0, -400, -40, 0, 40, 400, 1000]) + ask.rng.uniform(0, 1, 7)
    ask.equal(ask("sigmoid", x), sigmoid(x), name=f"the result for x = {x[0]:.0f} to {x[-1]:.0f}")


def check_softplus(ask):
    """Moderate x, then x so large that exp overflows, then x where 1 + exp(x) rounds to 1."""
    x = 3 * ask.rng.standard_normal((4, 5))
    rest = np.log1p(np.exp(-np.abs(x)))
    mistakes = {
        "this is ReLU, max(x, 0): the term log1p(exp(-|x|)) is missing": np.maximum(x, 0),
        "the term max(x, 0) is missing": rest,
        "it has |x|, but it must have max(x, 0)": np.abs(x) + rest,
        "this is log(1 + exp(-x)): the sign of x is wrong": softplus(-x),
    }
    ask.equal(ask("softplus", x), softplus(x), mistakes)
    x = np.array([-1000.0, -400, 0, 40, 400, 1000]) + ask.rng.uniform(0, 1, 6)
    ask.equal(ask("softplus", x), softplus(x), name=f"the result for x = {x[0]:.0f} to {x[-1]:.0f}")
    x = ask.rng.uniform(-45, -38, 5)
    lost = {"1 + exp(x) rounds to 1, so exp(x) is lost: np.log1p(t) keeps a small t": 0 * x}
    ask.equal(ask("softplus", x), softplus(x), lost, "the result for x near -40")


def check_relu(ask):
    """A gradient flows where x > 0."""
    dout, x = ask.rng.standard_normal((2, 4, 5))
    mistakes = {
        "dout is missing: the chain rule multiplies the slope by dout": x > 0,
        "the mask must come from x, not from dout: dout passes where x > 0": dout * (dout > 0),
        "dout is multiplied by x: the slope of ReLU is 1 wherever x > 0": (dout * np.maximum(x, 0)),
        "x is not the slope: the slope of ReLU is 1 where x > 0, else 0": dout * x,
        "the mask is the wrong way round: dout must pass where x > 0": dout * (x < 0),
        "everything passes: is the mask max(x, 0) >= 0, which is always true?": dout,
    }
    ask.equal(ask("relu_backward", dout, x), dout * (x > 0), mistakes, "dx")


def check_sigmoid_backward(ask):
    """dx = dout out (1 - out)."""
    dout, out = ask.rng.standard_normal((4, 5)), ask.rng.uniform(0.05, 0.95, (4, 5))
    again = sigmoid(out)
    mistakes = {
        "dout is missing: the chain rule multiplies the slope by dout": out * (1 - out),
        "out is sigmoid(x) already: do not apply sigmoid again": (dout * again * (1 - again)),
        "the factor (1 - out) is missing": dout * out,
        "the factor out is missing": dout * (1 - out),
        "1 - out^2 is the slope of tanh; the slope of a sigmoid is out (1 - out)": dout
        * (1 - out**2),
    }
    ask.equal(ask("sigmoid_backward", dout, out), dout * out * (1 - out), mistakes, "dx")


def check_tanh_backward(ask):
    """dx = dout (1 - out^2)."""
    dout, out = ask.rng.standard_normal((4, 5)), ask.rng.uniform(-0.95, 0.95, (4, 5))
    mistakes = {
        "dout is missing: the chain rule multiplies the slope by dout": 1 - out**2,
        "out is tanh(x) already: do not apply tanh again": (dout * (1 - np.tanh(out) ** 2)),
        "out must be squared: the slope is 1 - out^2": dout * (1 - out),
        "this is the slope of a sigmoid; the slope of tanh is 1 - out^2": dout * out * (1 - out),
        "the sign is wrong: 1 - out^2, not 1 + out^2": dout * (1 + out**2),
    }
    ask.equal(ask("tanh_backward", dout, out), dout * (1 - out**2), mistakes, "dx")


EXERCISES = {
    "sigmoid_softplus": {
        "title": "A sigmoid and a softplus that cannot overflow",
        "minutes": 15,
        "parts": {"sigmoid": check_sigmoid, "softplus": check_softplus},
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
        "hints": (
            "Each entry of x changes one entry of out only. So each dx is dout times the slope at "
            "that entry.",
            "The slope of ReLU is 1 where x > 0, else 0. The slopes of sigmoid and tanh can be "
            "written with out alone, without x.",
            "d sigmoid(x) / dx = sigmoid(x) (1 - sigmoid(x)) and d tanh(x) / dx = 1 - tanh(x)^2.",
        ),
    },
}
