"""Check of the backward pass of one step of an LSTM."""

from itertools import chain, combinations, permutations

import numpy as np

from miniae.exercises import questions
from miniae.exercises.checks.formulas import pairs, sentences, wrong_answers
from miniae.numerics import sigmoid
from miniae.proof.gradcheck import complex_step
from miniae.recurrent import LSTM

NAMES = "dx", "dh", "dc", "dW", "dU", "db"


def sigmoid_slope(s):
    """The slope of the sigmoid, from its value s."""
    return s * (1 - s)


FORMULAS = {  # in the order in which they are computed; v has what was given and computed before
    "tanh": lambda v: np.tanh(v.c_new),
    "through": lambda v: v.dh_new * v.o * (1 - v.tanh**2),
    "cell": lambda v: v.dc_new + v.through,
    "do": lambda v: v.dh_new * v.tanh,
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
STEPS = {  # the same as text, for edits of it
    "tanh_c": "tanh(c_new)",
    "cell": "dc_new + dh_new * o * (1 - tanh_c**2)",
    "do": "dh_new * tanh_c",
    "di": "cell * g",
    "df": "cell * c",
    "dg": "cell * i",
    "da": "hstack(di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2))",
}
OUTPUTS = {
    "dx": "da @ W.T",
    "dh": "da @ U.T",
    "dc": "cell * f",
    "dW": "x.T @ da",
    "dU": "h.T @ da",
    "db": "sum(da, axis=0)",
}
COMMON = {  # key: sentence and wrong formulas; two of them are often seen together
    "dc_new_is_dropped": (
        "dc_new is dropped: c_new acts on later steps too, add dc_new",
        {"cell": lambda v: v.through},
    ),
    "through_h_new_is_missing": (
        "what comes back through h_new = o tanh(c_new) is missing in dc_new",
        {"through": lambda v: 0},
    ),
    "slope_of_tanh_is_missing": (
        "the slope of tanh(c_new), 1 - tanh(c_new)^2, is missing",
        {"through": lambda v: v.dh_new * v.o},
    ),
    "do_has_c_new": (
        "do has c_new instead of tanh(c_new)",
        {"do": lambda v: v.dh_new * v.c_new},
    ),
}
SLIPS = {
    **COMMON,
    "slope_tanh_has_c_new": (
        "the slope of tanh is taken as 1 - c_new^2: it is 1 - tanh(c_new)^2",
        {"through": lambda v: v.dh_new * v.o * (1 - v.c_new**2)},
    ),
    "factor_o_is_missing": (
        "the factor o is missing in what comes back through h_new",
        {"through": lambda v: v.dh_new * (1 - v.tanh**2)},
    ),
    "factor_o_and_slope_missing": (
        "the factor o (1 - tanh(c_new)^2) is missing in what comes back through h_new",
        {"through": lambda v: v.dh_new},
    ),
    "slope_tanh_not_squared": (
        "the slope of tanh is taken as 1 - tanh(c_new): it is 1 - tanh(c_new)^2",
        {"through": lambda v: v.dh_new * v.o * (1 - v.tanh)},
    ),
    "slope_tanh_square_outside": (
        "the square is outside the bracket: 1 - tanh(c_new)^2, not (1 - tanh(c_new))^2",
        {"through": lambda v: v.dh_new * v.o * (1 - v.tanh) ** 2},
    ),
    "slope_tanh_is_tanh_squared": (
        "the slope of tanh is taken as tanh(c_new)^2: it is 1 - tanh(c_new)^2",
        {"through": lambda v: v.dh_new * v.o * v.tanh**2},
    ),
    "slope_tanh_of_sigmoid": (
        "the slope of tanh is taken as that of a sigmoid: it is 1 - tanh(c_new)^2",
        {"through": lambda v: v.dh_new * v.o * v.tanh * (1 - v.tanh)},
    ),
    "slope_of_o_in_through": (
        "what comes back through h_new has the slope of o: it has o itself",
        {"through": lambda v: v.dh_new * v.o * (1 - v.o) * (1 - v.tanh**2)},
    ),
    "slope_tanh_has_c": (
        "the slope of tanh has c: it is 1 - tanh(c_new)^2",
        {"through": lambda v: v.dh_new * v.o * (1 - np.tanh(v.c) ** 2)},
    ),
    "slope_tanh_has_wrong_sign": (
        "the slope of tanh has the wrong sign: it is 1 - tanh(c_new)^2",
        {"through": lambda v: v.dh_new * v.o * (1 + v.tanh**2)},
    ),
    "do_has_h_new": (
        "do has h_new instead of tanh(c_new)",
        {"do": lambda v: v.dh_new * v.o * v.tanh},
    ),
    "do_has_gradient_c_new": (
        "do has the gradient of c_new, but h_new = o tanh(c_new): do = dh_new tanh(c_new)",
        {"do": lambda v: v.cell * v.tanh},
    ),
    "do_has_slope_of_tanh": (
        "do has a factor 1 - tanh(c_new)^2: that is the slope of h_new in c_new",
        {"do": lambda v: v.dh_new * (1 - v.tanh**2)},
    ),
    "df_has_c_new_instead_c": (
        "df has c_new instead of c: c_new = f c + i g",
        {"df": lambda v: v.cell * v.c_new},
    ),
    "df_has_h_instead_c": (
        "df has h instead of c: c_new = f c + i g",
        {"df": lambda v: v.cell * v.h},
    ),
    "dc_is_passed_on_without_f": (
        "dc is passed on without f: c_new = f c + i g",
        {"dc": lambda v: v.cell},
    ),
    "dc_new_is_dropped_in_dc": (
        "dc_new is dropped in dc: c_new acts on later steps too",
        {"dc": lambda v: v.through * v.f},
    ),
    "dc_is_dc_new_f": (
        "dc is dc_new f: what comes back through h_new is missing",
        {"dc": lambda v: v.dc_new * v.f},
    ),
    "dc_new_twice_in_dc": (
        "dc_new is added to dc a second time: dc is f times the gradient of c_new",
        {"dc": lambda v: v.cell * v.f + v.dc_new},
    ),
    "di_and_dg_are_exchanged": (
        "di and dg are exchanged: di has the factor g, dg the factor i",
        {
            "di": lambda v: v.cell * v.i,
            "dg": lambda v: v.cell * v.g,
        },
    ),
    "di_has_i_instead_g": (
        "di has i instead of g: c_new = f c + i g",
        {"di": lambda v: v.cell * v.i},
    ),
    "dg_has_g_instead_i": (
        "dg has g instead of i: c_new = f c + i g",
        {"dg": lambda v: v.cell * v.g},
    ),
    "dg_has_f_instead_i": (
        "dg has f instead of i: c_new = f c + i g",
        {"dg": lambda v: v.cell * v.f},
    ),
    "df_has_f_instead_c": (
        "df has f instead of c: c_new = f c + i g",
        {"df": lambda v: v.cell * v.f},
    ),
    "dc_has_c_instead_f": (
        "dc has c instead of f: c_new = f c + i g",
        {"dc": lambda v: v.cell * v.c},
    ),
    "di_and_df_are_exchanged": (
        "di and df are exchanged",
        {"di": lambda v: v.cell * v.c, "df": lambda v: v.cell * v.g},
    ),
    "du_has_h_new_instead_h": (
        "dU has h_new instead of h: a = x W + h U + b",
        {"dU": lambda v: (v.o * v.tanh).T @ v.da},
    ),
    "du_has_c_instead_h": (
        "dU has c instead of h: a = x W + h U + b",
        {"dU": lambda v: v.c.T @ v.da},
    ),
    "dh_contains_dh_new": (
        "dh contains dh_new: h acts only through a = x W + h U + b",
        {"dh": lambda v: v.da @ v.U.T + v.dh_new},
    ),
    "dw_is_mean": (
        "dW is divided by n: dh_new already contains the 1 / n of the loss",
        {"dW": lambda v: v.x.T @ v.da / len(v.x)},
    ),
    "du_is_mean": (
        "dU is divided by n: dh_new already contains the 1 / n of the loss",
        {"dU": lambda v: v.h.T @ v.da / len(v.x)},
    ),
    "db_is_mean": (
        "db is a mean: b acts on each sample, so db is the sum",
        {"db": lambda v: v.da.mean(axis=0)},
    ),
    "db_is_not_summed_over_samples": ("db is not summed over the samples", {"db": lambda v: v.da}),
    "db_is_summed_over_gates": (
        "db is summed over the gates (axis 1): sum over the samples",
        {"db": lambda v: v.da.sum(axis=1)},
    ),
    "db_is_one_number": (
        "db is one number: sum over the samples only (axis 0)",
        {"db": lambda v: v.da.sum()},
    ),
}
OF_SIGMOIDS = {  # key: sentence and wrong slope of i, f or o with value s
    "is_s": ("is s alone: the factor 1 - s is missing", lambda s: s),
    "is_one_minus_s": ("is 1 - s alone: the factor s is missing", lambda s: 1 - s),
    "is_that_of_tanh": ("is that of tanh: i, f and o are sigmoids", lambda s: 1 - s**2),
    "has_wrong_sign": ("has the wrong sign: it is s (1 - s)", lambda s: s * (1 + s)),
    "is_of_sigmoid_twice": (
        "is that of a sigmoid taken twice: s is the value already",
        lambda s: sigmoid_slope(sigmoid(s)),
    ),
}
OF_TANH = {  # key: sentence and wrong slope of g
    "is_that_of_sigmoid": (
        "is that of a sigmoid, g (1 - g): g is a tanh, 1 - g^2",
        sigmoid_slope,
    ),
    "is_one_minus_g": ("is 1 - g: g must be squared", lambda g: 1 - g),
    "has_wrong_sign": ("has the wrong sign: it is 1 - g^2", lambda g: 1 + g**2),
    "is_of_tanh_twice": (
        "is that of a tanh taken twice: g is the value already",
        lambda g: 1 - np.tanh(g) ** 2,
    ),
}


def with_slope(gates, slope):
    """Return the slip in which these gates have a wrong slope, a function of the gate's value."""
    return {
        f"a{gate}": lambda v, gate=gate: getattr(v, f"d{gate}") * slope(getattr(v, gate))
        for gate in gates
    }


def gate_slips():
    """Return the slips that each gate can have, alone or with others, and all orders of gates."""
    found = {}
    for gates in chain.from_iterable(combinations("ifog", size) for size in (1, 2, 3, 4)):
        words = (
            f"the slope is missing for {', '.join(gates)}: it is s (1 - s) for a sigmoid with "
            "value s, 1 - g^2 for g"
        )
        found[f"no_slope_{''.join(gates)}"] = words, with_slope(gates, lambda s: 1)
    for gates in "i", "f", "o", "ifo":
        for key, (words, slope) in OF_SIGMOIDS.items():
            words = f"the slope of {', '.join(gates)} {words}"
            found[f"slope_{gates}_{key}"] = words, with_slope(gates, slope)
    for key, (words, slope) in OF_TANH.items():
        found[f"slope_g_{key}"] = f"the slope of g {words}", with_slope("g", slope)
    for gate, other in permutations("ifo", 2):
        found[f"d{gate}_has_slope_of_{other}"] = (
            f"d{gate} is multiplied by the slope of {other}: take that of {gate}",
            {
                f"a{gate}": lambda v, gate=gate, other=other: (
                    getattr(v, f"d{gate}") * sigmoid_slope(getattr(v, other))
                )
            },
        )
    for name, factor in {"di": "g", "df": "c", "dg": "i"}.items():
        for key, words, part in (
            ("no_h_new", "what comes back through h_new is missing", "dc_new"),
            ("no_dc_new", "dc_new is dropped", "through"),
        ):
            found[f"{name}_{key}"] = (
                f"{words} in {name}: c_new = f c + i g gets the sum of both",
                {name: lambda v, part=part, factor=factor: getattr(v, part) * getattr(v, factor)},
            )
    for gate in "ifog":
        words = f"the part of {gate} is missing in da"
        found[f"no_part_of_{gate}"] = words, with_slope(gate, lambda s: 0)
    for order in list(permutations("ifog"))[1:]:  # the first is the right one
        found[f"order_{''.join(order)}"] = (
            f"the gates are in the order {', '.join(order)}: the order here is i, f, o, g",
            {"da": lambda v, order=order: np.hstack([getattr(v, f"a{gate}") for gate in order])},
        )
    return found


GATE_SLIPS = gate_slips()
SLIPS |= GATE_SLIPS
FREQUENT = "no_slope_ifog", "order_ifgo"
SLIPS |= pairs(COMMON | {key: GATE_SLIPS[key] for key in FREQUENT})
EQUAL_SIZES = {  # these have the right shape only if d = k
    "dx_has_u_instead_w": (
        "dx has U instead of W: a = x W + h U + b",
        {"dx": lambda v: v.da @ v.U.T},
    ),
    "dh_has_w_instead_u": (
        "dh has W instead of U: a = x W + h U + b",
        {"dh": lambda v: v.da @ v.W.T},
    ),
    "du_has_x_instead_h": (
        "dU has x instead of h: a = x W + h U + b",
        {"dU": lambda v: v.x.T @ v.da},
    ),
    "dw_has_h_instead_x": (
        "dW has h instead of x: a = x W + h U + b",
        {"dW": lambda v: v.h.T @ v.da},
    ),
}


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
        right = exact(dh_new, dc_new, x, h, c, W, U, b)
        slips = SLIPS | EQUAL_SIZES if d == k else SLIPS
        mistakes = wrong_answers(FORMULAS, given, NAMES, slips)
        for name in NAMES:
            steps = {**STEPS, name: OUTPUTS[name]}
            others = {other: value for other, value in right.items() if other != name}
            mistakes[name][questions.FORMULAS] = [(steps, given | others)]
        ask.equal(got, right, mistakes)


EXERCISES = {
    "lstm_step_backward": {
        "title": "One LSTM step, backward",
        "minutes": 45,
        "parts": {"lstm_step_backward": check},
        "mistakes": sentences(SLIPS | EQUAL_SIZES),
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
