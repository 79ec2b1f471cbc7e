"""Check of the backward pass of one step of an LSTM."""

from types import SimpleNamespace

import numpy as np

from miniae.numerics import sigmoid
from miniae.proof.gradcheck import complex_step
from miniae.recurrent import LSTM

NAMES = "dx", "dh", "dc", "dW", "dU", "db"


def sigmoid_slope(s):
    """The slope of the sigmoid, from its value s."""
    return s * (1 - s)


FORMULAS = {  # in the order in which they are computed; v has what was given and computed before
    "tanh": lambda v: np.tanh(v.c_new),
    "do": lambda v: v.dh_new * v.tanh,
    "through": lambda v: v.dh_new * v.o * (1 - v.tanh**2),
    "cell": lambda v: v.dc_new + v.through,
    "di": lambda v: v.cell * v.g,
    "df": lambda v: v.cell * v.c,
    "dg": lambda v: v.cell * v.i,
    "dc": lambda v: v.cell * v.f,
    "ai": lambda v: v.di * sigmoid_slope(v.i),
    "af": lambda v: v.df * sigmoid_slope(v.f),
    "ao": lambda v: v.do * sigmoid_slope(v.o),
    "ag": lambda v: v.dg * (1 - v.g**2),
    "da": lambda v: np.hstack([v.ai, v.af, v.ao, v.ag]),
    "dx": lambda v: v.da @ v.W.T,
    "dh": lambda v: v.da @ v.U.T,
    "dW": lambda v: v.x.T @ v.da,
    "dU": lambda v: v.h.T @ v.da,
    "db": lambda v: v.da.sum(axis=0),
}
SLIPS = {  # words: wrong formulas instead of those above
    "dc_new is dropped: c_new acts on later steps too, add dc_new": {"cell": lambda v: v.through},
    "what comes back through h_new = o tanh(c_new) is missing in dc_new": {
        "cell": lambda v: v.dc_new
    },
    "the slope of tanh(c_new), 1 - tanh(c_new)^2, is missing": {
        "through": lambda v: v.dh_new * v.o
    },
    "the slope of tanh is taken as 1 - c_new^2: it is 1 - tanh(c_new)^2": {
        "through": lambda v: v.dh_new * v.o * (1 - v.c_new**2)
    },
    "the factor o is missing in what comes back through h_new": {
        "through": lambda v: v.dh_new * (1 - v.tanh**2)
    },
    "do has c_new instead of tanh(c_new)": {"do": lambda v: v.dh_new * v.c_new},
    "df has c_new instead of c: c_new = f c + i g": {"df": lambda v: v.cell * v.c_new},
    "dc is passed on without f: c_new = f c + i g": {"dc": lambda v: v.cell},
    "dc is dc_new f: what comes back through h_new is missing": {"dc": lambda v: v.dc_new * v.f},
    "di and dg are exchanged: di has the factor g, dg the factor i": {
        "di": lambda v: v.cell * v.i, "dg": lambda v: v.cell * v.g,
    },
    "di has i instead of g: c_new = f c + i g": {"di": lambda v: v.cell * v.i},
    "dg has g instead of i: c_new = f c + i g": {"dg": lambda v: v.cell * v.g},
    "the slopes s (1 - s) of the three sigmoids are missing": {
        "ai": lambda v: v.di, "af": lambda v: v.df, "ao": lambda v: v.do,
    },
    "the slope 1 - g^2 of the tanh is missing": {"ag": lambda v: v.dg},
    "no gate has its slope: multiply by s (1 - s), and by 1 - g^2 for g": {
        "ai": lambda v: v.di, "af": lambda v: v.df, "ao": lambda v: v.do, "ag": lambda v: v.dg,
    },
    "g has the slope of a sigmoid, g (1 - g): it is a tanh, 1 - g^2": {
        "ag": lambda v: v.dg * sigmoid_slope(v.g)
    },
    "all gates have the slope of tanh: i, f and o are sigmoids": {
        "ai": lambda v: v.di * (1 - v.i**2), "af": lambda v: v.df * (1 - v.f**2),
        "ao": lambda v: v.do * (1 - v.o**2),
    },
    "the slope of a sigmoid is taken twice": {
        "ai": lambda v: v.di * sigmoid_slope(sigmoid(v.i)),
        "af": lambda v: v.df * sigmoid_slope(sigmoid(v.f)),
        "ao": lambda v: v.do * sigmoid_slope(sigmoid(v.o)),
    },
    "the gates are in the order i, f, g, o: the order here is i, f, o, g": {
        "da": lambda v: np.hstack([v.ai, v.af, v.ag, v.ao])
    },
    "the gates are in the order f, i, o, g: the order here is i, f, o, g": {
        "da": lambda v: np.hstack([v.af, v.ai, v.ao, v.ag])
    },
    "the part of the forget gate is missing in da": {"af": lambda v: 0 * v.df},
    "dU has h_new instead of h: a = x W + h U + b": {
        "dU": lambda v: (v.o * v.tanh).T @ v.da
    },
    "dh contains dh_new: h acts only through a = x W + h U + b": {
        "dh": lambda v: v.da @ v.U.T + v.dh_new
    },
    "dW is divided by n: dh_new already contains the 1 / n of the loss": {
        "dW": lambda v: v.x.T @ v.da / len(v.x)
    },
    "dU is divided by n: dh_new already contains the 1 / n of the loss": {
        "dU": lambda v: v.h.T @ v.da / len(v.x)
    },
    "db is a mean: b acts on each sample, so db is the sum": {"db": lambda v: v.da.mean(axis=0)},
    "db is not summed over the samples": {"db": lambda v: v.da},
}  # fmt: skip
EQUAL_SIZES = {  # these have the right shape only if d = k
    "dx has U instead of W: a = x W + h U + b": {"dx": lambda v: v.da @ v.U.T},
    "dh has W instead of U: a = x W + h U + b": {"dh": lambda v: v.da @ v.W.T},
    "dU has x instead of h: a = x W + h U + b": {"dU": lambda v: v.x.T @ v.da},
    "dW has h instead of x: a = x W + h U + b": {"dW": lambda v: v.h.T @ v.da},
}


def backward(given, **wrong):
    """Return the gradients by name; wrong has formulas that replace the right ones."""
    v = SimpleNamespace(**given)
    for name, formula in {**FORMULAS, **wrong}.items():
        setattr(v, name, formula(v))
    return {name: getattr(v, name) for name in NAMES}


def exact(dh_new, dc_new, x, h, c, W, U, b):
    """Return the gradients by the complex step through the library's layer."""
    parts = [x, h, c, W, U, b]
    ends = np.cumsum([part.size for part in parts])

    def loss(vector):
        x, h, c, W, U, b = (
            piece.reshape(part.shape)
            for piece, part in zip(np.split(vector, ends[:-1]), parts, strict=True)
        )
        layer = LSTM(x.shape[1], h.shape[1], dtype=vector.dtype)
        layer.params.update(W=W, U=U, b=b)
        layer.forward(x[:, None], state=(h, c))
        h_new, c_new = layer.state
        return (dh_new * h_new).sum() + (dc_new * c_new).sum()

    slopes = complex_step(loss, np.concatenate([part.ravel() for part in parts]))
    pieces = np.split(slopes, ends[:-1])
    return {
        name: piece.reshape(part.shape)
        for name, piece, part in zip(NAMES, pieces, parts, strict=True)
    }


def check(ask):
    """First all sizes are equal, so that a wrong factor gives a number; then they differ."""
    for n, d, k in ([3, 3, 3], ask.rng.permutation([2, 4, 5]).tolist()):
        normal = ask.rng.standard_normal
        dh_new, dc_new, h, c = (normal((n, k)) for _ in range(4))
        x, W, U, b = normal((n, d)), normal((d, 4 * k)), normal((k, 4 * k)), normal(4 * k)
        a_i, a_f, a_o, a_g = np.split(x @ W + h @ U + b, 4, axis=1)
        i, f, o, g = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o), np.tanh(a_g)
        c_new = f * c + i * g
        given = {
            "dh_new": dh_new, "dc_new": dc_new, "x": x, "h": h, "c": c, "W": W, "U": U,
            "i": i, "f": f, "o": o, "g": g, "c_new": c_new,
        }  # fmt: skip
        got = ask("lstm_step_backward", *given.values())
        right, slips = exact(dh_new, dc_new, x, h, c, W, U, b), {name: {} for name in NAMES}
        for words, wrong in {**SLIPS, **(EQUAL_SIZES if d == k else {})}.items():
            for name, value in backward(given, **wrong).items():
                if value.shape != right[name].shape or not np.allclose(value, right[name]):
                    slips[name][words] = value
        ask.equal(got, right, slips)


EXERCISES = {
    "lstm_step_backward": {
        "title": "One LSTM step, backward",
        "minutes": 45,
        "parts": {"lstm_step_backward": check},
        "hints": (
            "Go through the forward pass from its last line to its first. h_new = o tanh(c_new) "
            "gives do, and adds to dc_new. c_new = f c + i g then gives df, di, dg and dc.",
            "Multiply each gate's gradient by its slope: s (1 - s) for a sigmoid with value s, "
            "1 - g^2 for the tanh. Put the four side by side, in the order i, f, o, g: this is da.",
            "a = x W + h U + b is a Dense layer with two inputs: dx = da W^T, dh = da U^T, "
            "dW = x^T da, dU = h^T da, and db is the sum of da over the samples.",
        ),
    },
}
