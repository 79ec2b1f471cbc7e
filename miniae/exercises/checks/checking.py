"""Checks of a gradient check: of its derivatives, and of its verdict on layers."""

import numpy as np

from miniae.exercises.checks.judged import FEATURES, SAMPLES, right_layers, wrong_layers
from miniae.exercises.questions import FORMULAS, Named, Wrong, agree, numbers

H = 0.1  # large, so that the central difference differs from the derivative


def function(rng):
    """Return a function of 5 numbers, real or complex, and its gradient."""
    a, b = rng.uniform(0.5, 1.5, (2, 5))
    a[1:3] *= -1  # the gradient has both signs

    def f(v):
        return (a * v**3).sum() + np.sin(b * v).sum() + v[0] * v[1]

    def gradient(v):
        return 3 * a * v**2 + b * np.cos(b * v) + np.array([v[1], v[0], 0, 0, 0])

    return f, gradient


def moved(v, k, by):
    """Return v with `by` added to entry k, or to all for k = None."""
    w = v.astype(np.result_type(v, by))
    w[slice(None) if k is None else k] += by
    return w


def central_difference(f, v, h):
    """Return (f(v + h e_k) - f(v - h e_k)) / 2h for every k."""
    return np.array([f(moved(v, k, h)) - f(moved(v, k, -h)) for k in range(v.size)]) / (2 * h)


def complex_step(f, v):
    """Return Im f(v + ih e_k) / h for every k."""
    return np.array([f(moved(v, k, 1e-30j)).imag / 1e-30 for k in range(v.size)])


def check_central(ask):
    """(f(v + h e_k) - f(v - h e_k)) / 2h for every k."""
    f, gradient = function(ask.rng)
    v = ask.rng.standard_normal(5)
    up = np.array([f(moved(v, k, H)) for k in range(5)])
    down = np.array([f(moved(v, k, -H)) for k in range(5)])
    stays = {}  # each entry stays at v + h or v - h when the next one moves
    for by in H, -H:
        behind = [moved(v, slice(k), by) for k in range(5)]
        moves = [f(moved(w, k, H)) - f(moved(w, k, -H)) for k, w in enumerate(behind)]
        stays[by] = np.array(moves) / (2 * H)
    mistakes = {
        "bracket": (up - down) / 2 * H,
        "plus_for_minus": (up + down) / (2 * H),
        "minus": (down - up) / (2 * H),
        "half_of_forward": (up - f(v)) / (2 * H),
        "half_of_backward": (f(v) - down) / (2 * H),
        "wide_on_one_side": np.array([f(moved(v, k, 2 * H)) - f(moved(v, k, -H)) for k in range(5)])
        / (2 * H),
        "wide_below": np.array([f(moved(v, k, H)) - f(moved(v, k, -2 * H)) for k in range(5)])
        / (2 * H),
        "half_h": np.array([f(moved(v, k, H / 2)) - f(moved(v, k, -H / 2)) for k in range(5)])
        / (2 * H),
        "twice_h": np.array([f(moved(v, k, 2 * H)) - f(moved(v, k, -2 * H)) for k in range(5)])
        / (2 * H),
        "divided_by_2": (up - down) / 2,
        "multiplied_by_2h": (up - down) * 2 * H,
        "divided_by_h_squared": (up - down) / H**2,
        "second_derivative": (up - 2 * f(v) + down) / H**2,
        "relative_step": np.array(
            [f(moved(v, k, H * v[k])) - f(moved(v, k, -H * v[k])) for k in range(5)]
        )
        / (2 * H),
        "relative_step_divided": np.array(
            [f(moved(v, k, H * v[k])) - f(moved(v, k, -H * v[k])) for k in range(5)]
        )
        / (2 * H * v),
        "entry_replaced": np.array(
            [f(moved(v, k, H - v[k])) - f(moved(v, k, -H - v[k])) for k in range(5)]
        )
        / (2 * H),
        "written_to_first": (np.arange(5) == 0) * (up - down)[-1] / (2 * H),
        "only_last_entry": (np.arange(5) == 4) * (up - down) / (2 * H),
        "only_first_entry": (np.arange(5) == 0) * (up - down) / (2 * H),
        "rounded_to_int": np.trunc((up - down) / (2 * H)),
        "sum_of_all": (up - down).sum() / (2 * H),
        "forward_difference": ((up - f(v)) / H),
        "backward_difference": (f(v) - down) / H,
        "divided_by_h": (up - down) / H,
        "not_divided": up - down,
        "all_at_once": (np.full(5, (f(moved(v, None, H)) - f(moved(v, None, -H))) / (2 * H))),
        "not_put_back": stays[H],
        "not_put_back_from_below": stays[-H],
    }
    given = {"up": up, "down": down, "value": f(v), "h": H, "v": v}
    mistakes[FORMULAS] = [({"gradient": "(up - down) / (2 * h)"}, given)]
    got, right = numbers(ask("central_difference", f, v, H), "the gradient"), (up - down) / (2 * H)
    if agree(got, gradient(v), 1e-6):
        raise Wrong(
            "h is not used: this is the derivative itself, or a difference with another h. With "
            f"h = {H} the central difference must differ from the derivative",
            "h_is_not_used",
        )
    ask.equal(got, right, mistakes, "the gradient")


def check_complex(ask):
    """Im f(v + ih e_k) / h, exact."""
    f, gradient = function(ask.rng)
    v = ask.rng.standard_normal(5)
    exact = gradient(v)
    mistakes = {
        "imaginary_part_lost": np.zeros(5),
        "all_at_once": np.full(5, exact.sum()),
        "divided_by_2h": exact / 2,
        "minus": -exact,
        "divided_by_h_squared": exact / 1e-30,
        "entry_replaced": np.array([gradient(moved(v, k, -v[k]))[k] for k in range(5)]),
        "written_to_first": (np.arange(5) == 0) * exact[-1],
        "only_last_entry": (np.arange(5) == 4) * exact,
        "only_first_entry": (np.arange(5) == 0) * exact,
        "sum_of_all": exact.sum(),
        "sums_up": np.cumsum(exact),
    }
    right = exact
    got = numbers(ask("complex_step", f, v), "the gradient")
    if np.iscomplexobj(got) and got.shape == right.shape:
        raise Named("the gradient is complex", ["not_imag"])
    if got.shape == right.shape and np.ptp(got) <= 1e-6 * np.abs(got).max() and got.any():
        size = got[0] / f(v)
        if agree(np.log10(abs(size)), np.round(np.log10(abs(size))), 1e-6):
            raise Named(f"Every entry is {got[0]:.6g}", ["real_part"])
    if got.shape == right.shape and 0 < np.abs(got).max() < 1e-4 * np.abs(right).max():
        if agree(got / np.abs(got).max(), right / np.abs(right).max(), 1e-6):
            raise Named(f"the largest entry is {np.abs(got).max():.6g}", ["not_divided_by_h"])
    if agree(got, right, 0.1) and not agree(got, right, 1e-13):
        error = np.abs(got - right).max() / np.abs(right).max()
        raise Wrong(
            f"the relative error is {error:.0e}: this is a difference, or h is too large. With "
            "h = 1e-30 the complex step is exact to rounding, because it subtracts nothing",
            "not_exact",
        )
    ask.equal(got, right, mistakes, "the gradient")


def check_verdict(ask):
    """True for right layers, False for wrong ones; in random order."""
    rng = ask.rng
    right, wrong = right_layers(), wrong_layers()
    all_layers = list({**right, **wrong}.items())
    verdicts = {}
    for place in rng.permutation(len(all_layers)):
        which, layer = all_layers[place]
        layer.theta = rng.standard_normal(layer.theta.shape)
        said = ask("layer_is_right", layer, rng.standard_normal((SAMPLES, FEATURES)))
        if not isinstance(said, bool | np.bool_):
            raise Wrong(
                f"layer_is_right must return True or False, got {type(said).__name__}", "not_a_bool"
            )
        verdicts[which] = bool(said)
    passed = [which for which in wrong if verdicts[which]]
    refused = [which for which in right if not verdicts[which]]
    if refused and len(passed) == len(wrong):
        raise Named(f"Refused: {', '.join(refused)}; all wrong layers pass", ["judged_by_class"])
    if refused:
        raise Named(
            f"{refused[0]} is right, but layer_is_right returns False. Is the tolerance too "
            "small? Do both sides use the same dout? Is theta put back?",
            ["right_layer_refused"],
        )
    if passed:
        gradient, words = passed[0]
        unchecked = "dx" if gradient == "dx" else "the parameters"
        raise Named(
            f"For example a wrong layer passes: {gradient} {words}. Check {unchecked} too, entry "
            f"by entry, with a random dout ({len(passed)} of {len(wrong)} wrong layers pass)",
            [blind_spot(set(passed), set(wrong))],
        )


def blind_spot(passed, wrong):
    """Return the key of what a gradient check does not see, from the wrong layers that pass."""
    if passed == wrong:
        return "always_true"
    of = {name: {which for which in wrong if which[0] == name} for name in ("dx", "dW", "db")}
    if ("dW", "has a wrong last entry") in passed and ("dW", "has the wrong sign") not in passed:
        if ("dW", "has a wrong first entry") not in passed:
            return "few_entries"
    for key, names in {
        "dx_unchecked": ("dx",),
        "parameters_unchecked": ("dW", "db"),
        "dw_unchecked": ("dW",),
        "db_unchecked": ("db",),
    }.items():
        if passed == set().union(*(of[name] for name in names)):
            return key

    def passes(*changes):
        """Return whether all layers with these changes pass."""
        return all(which in passed for which in wrong if which[1] in changes)

    sign = passes("has the wrong sign")
    order = passes("has its entries in reverse order", "has two entries exchanged")
    order_of_dw = ("dW", "has its entries in reverse order") in passed
    above = passes("is too large everywhere", "has one entry that is too large")
    below = passes("is too small everywhere", "has one entry that is too small")
    if above != below and not sign:
        return "abs_is_missing"
    halved = any("half" in words for _, words in passed)
    if sign and not halved and passes("has two entries rotated, with the right norm"):
        return "only_norms"
    if passes("has the right sum and wrong entries") and order and not halved:
        return "only_sums"
    slight = {words for name, words in passed if name == "dW"}
    if slight == {"has one entry that is 1 % off", "has one entry that is 1 % less"}:
        return "too_loose"
    if ("db", "is one number everywhere") in passed and not order_of_dw:
        return "dout_not_random"
    if order:
        return "order_is_lost"
    if sign:
        return "sign_is_lost"
    if all("half" in words or "twice" in words or "mean" in words for _, words in passed):
        return "only_directions"
    if passes("has a wrong first entry") or passes("has a wrong last entry"):
        return "few_entries"
    return "wrong_layer_passes"


EXERCISES = {
    "gradient_check": {
        "title": "Write the gradient check itself",
        "minutes": 45,
        "parts": {
            "central_difference": check_central,
            "complex_step": check_complex,
            "layer_is_right": check_verdict,
        },
        "library": {"central_difference": central_difference, "complex_step": complex_step},
        "mistakes": {
            "h_is_not_used": "h is not used",
            "not_exact": "the relative error is too large: this is a difference, or h is too large",
            "bracket": "the bracket is missing: / 2 * h multiplies by h, write / (2 * h)",
            "plus_for_minus": "the two values are added: subtract them",
            "minus": "the sign is wrong: f at v + h e_k comes first",
            "half_of_forward": "the second point is v, not v - h e_k, but it is divided by 2h",
            "half_of_backward": "the first point is v, not v + h e_k, but it is divided by 2h",
            "wide_on_one_side": "v is moved by 2h on one side: move it by h on both sides",
            "wide_below": (
                "v is moved by 2h below: move back by h, then by h once more, from a copy"
            ),
            "half_h": "v is moved by h / 2: move it by h on both sides",
            "twice_h": "v is moved by 2h: move it by h on both sides",
            "divided_by_2": "it is divided by 2: divide by 2h",
            "multiplied_by_2h": "it is multiplied by 2h: divide",
            "divided_by_h_squared": "it is divided by h twice",
            "second_derivative": "this is the second derivative: take (f(v + h) - f(v - h)) / 2h",
            "relative_step": "the step is h v_k: it is h for each entry",
            "relative_step_divided": "the step is h v_k: it is h for each entry",
            "entry_replaced": "the entry is replaced by h: add h to it",
            "written_to_first": "every slope is written to the first entry: write to entry k",
            "not_put_back_from_below": "put each entry back before you move the next one",
            "only_last_entry": "only the last entry is filled: is a line outside the loop?",
            "only_first_entry": "only the first entry is filled: is the return inside the loop?",
            "rounded_to_int": "the gradient is rounded to whole numbers: is it an array of int?",
            "sum_of_all": "this is one number: the gradient has an entry for each of v",
            "divided_by_2h": "it is divided by 2h: the complex step divides by h, it has one point",
            "sums_up": "the entries are not put back: each one stays at v + ih",
            "not_imag": "take the imaginary part, .imag",
            "real_part": "this is f(v) / h, from the real part: take .imag",
            "not_divided_by_h": "it is not divided by h",
            "not_a_bool": "layer_is_right must return True or False",
            "judged_by_class": "layers are judged by their class or name, not by their gradients",
            "always_true": "every layer passes",
            "right_layer_refused": "a right layer is refused",
            "dx_unchecked": "dx is not checked",
            "parameters_unchecked": "the parameters are not checked",
            "dw_unchecked": "dW is not checked",
            "db_unchecked": "db is not checked",
            "abs_is_missing": "the differences have no abs: a gradient that is too small passes",
            "only_norms": "only norms are compared: compare entry by entry",
            "only_sums": "only sums or means are compared: compare entry by entry",
            "order_is_lost": (
                "the order of the entries is lost: compare entry by entry, do not sort"
            ),
            "sign_is_lost": "the sign is lost: take abs of the difference, not of each side",
            "only_directions": "only directions are compared: a wrong factor passes",
            "too_loose": "the tolerance is too large",
            "dout_not_random": "dout is the same everywhere: draw a random one",
            "few_entries": "only some of the entries are compared",
            "wrong_layer_passes": "a wrong layer passes",
            "forward_difference": (
                "this is the forward difference, whose error is of order h: use f at v - h e_k too"
            ),
            "backward_difference": "this is the backward difference: use f at v + h e_k too",
            "divided_by_h": "the two points are 2h apart: divide by 2h",
            "not_divided": "it is not divided by 2h",
            "all_at_once": "all entries are moved at once: move one entry at a time",
            "not_put_back": "put each entry back before you move the next one",
            "imaginary_part_lost": "the imaginary part is lost: make v complex before you add ih",
        },
        "hints": (
            "Move one entry of a copy of v, call f, and move the entry back. The central "
            "difference uses f at two points that are 2h apart.",
            "f(v + ih) = f(v) + ih f'(v) + ...: the imaginary part divided by h is the slope. For "
            "this v must be complex: v.astype(complex).",
            "For a layer: draw dout with the shape of out. Differentiate the number "
            "(layer.forward(x) * dout).sum(). Its gradient with respect to x is "
            "layer.backward(dout), and with respect to theta it is layer.dtheta. Compare both.",
        ),
    },
}
