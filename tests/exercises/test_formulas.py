"""The formulas that the grader compares with, right and wrong."""

from itertools import combinations

import numpy as np
import pytest

from miniae.exercises.checks import experts, experts_backward, experts_inputs, recurrent
from miniae.exercises.checks.formulas import compute, wrong_answers
from miniae.exercises.questions import Ask, agree
from miniae.proof.gradcheck import complex_step

OUTPUTS = "mu", "log_var"


def inputs(draw, seed=0):
    """Return the inputs of the exercise on experts, by name, drawn by one of its functions."""
    return dict(zip(("mus", "log_vars", "present"), draw(Ask({}, seed)), strict=True))


def with_gradients(given, seed=1):
    """Return the inputs of backward, by name."""
    dmu, dlog_var = np.random.default_rng(seed).standard_normal((2, *given["mus"].shape[1:]))
    return {"dmu": dmu, "dlog_var": dlog_var, **given, **experts_inputs.product(**given)}


def test_the_product_of_experts_is_the_product_of_their_densities():
    given = inputs(experts_inputs.other_sizes)
    z = np.linspace(-12, 12, 4001)

    def log_density(mu, log_var):
        return -0.5 * (z - mu[..., None]) ** 2 * np.exp(-log_var[..., None])

    experts_say = log_density(given["mus"], given["log_vars"])
    density = np.exp(-0.5 * z**2 + (experts_say * given["present"][:, :, None, None]).sum(axis=0))
    density /= density.sum(axis=-1, keepdims=True)
    mean = (density * z).sum(axis=-1)
    var = (density * (z - mean[..., None]) ** 2).sum(axis=-1)
    # The sum over an equally spaced grid is exact to rounding for smooth densities that vanish at
    # the ends.
    found = experts_inputs.product(**given)
    np.testing.assert_allclose(found["mu"], mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["log_var"], np.log(var), rtol=0, atol=1e-12)
    for name, value in compute(experts.FORWARD, given, OUTPUTS).items():
        np.testing.assert_allclose(value, found[name], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "draw", [experts_inputs.equal_sizes, experts_inputs.other_sizes, experts_inputs.nobody]
)
def test_the_gradient_of_the_product_agrees_with_the_complex_step(draw):
    given = inputs(draw)
    both = with_gradients(given)
    shape = given["mus"].shape

    def loss(vector):
        mus, log_vars = vector.reshape(2, *shape)
        out = compute(experts.FORWARD, {**given, "mus": mus, "log_vars": log_vars}, OUTPUTS)
        return sum((both[f"d{name}"] * value).sum() for name, value in out.items())

    exact = complex_step(loss, np.concatenate([given["mus"].ravel(), given["log_vars"].ravel()]))
    found = compute(experts_backward.BACKWARD, both, experts_backward.NAMES).values()
    np.testing.assert_allclose(np.stack(list(found)), exact.reshape(2, *shape), rtol=0, atol=1e-14)


def lstm_inputs():
    """Return what the exercise on the LSTM step is given, by name."""
    rng = np.random.default_rng(0)
    given = {name: rng.standard_normal((3, 3)) for name in ("dh_new", "dc_new", "x", "h", "c")}
    given |= {name: rng.standard_normal((3, 12)) for name in ("W", "U")}
    given |= {name: rng.uniform(0.1, 0.9, (3, 3)) for name in "ifog"}
    return {**given, "c_new": given["f"] * given["c"] + given["i"] * given["g"]}


SETS = {  # formulas, inputs, outputs, slips
    "experts, forward": (
        experts.FORWARD,
        inputs(experts_inputs.equal_sizes),
        OUTPUTS,
        experts.FORWARD_SLIPS | experts_inputs.EQUAL_SIZES,
    ),
    "experts, backward": (
        experts_backward.BACKWARD,
        with_gradients(inputs(experts_inputs.equal_sizes)),
        experts_backward.NAMES,
        experts_backward.BACKWARD_SLIPS | experts_inputs.EQUAL_SIZES,
    ),
    "an LSTM step": (
        recurrent.FORMULAS,
        lstm_inputs(),
        recurrent.NAMES,
        recurrent.SLIPS | recurrent.EQUAL_SIZES,
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_every_slip_changes_an_answer_and_no_two_slips_have_the_same_answers(name):
    formulas, given, names, slips = SETS[name]
    found = wrong_answers(formulas, given, names, slips)
    answers = {
        words: np.concatenate([np.ravel(found[name].get(words, 0)) for name in names])
        for words in slips
    }
    assert not [words for words, answer in answers.items() if not answer.any()]
    finite = {words: answer for words, answer in answers.items() if np.isfinite(answer).all()}
    assert len(finite) > 0.8 * len(slips)
    assert not [pair for pair in combinations(finite, 2) if agree(*map(finite.get, pair))]


@pytest.mark.parametrize("gates", ["i", "f", "o", "g", "if", "io", "fg", "ifo", "ifog"])
def test_a_slope_that_is_missing_is_named_whichever_gates_it_is_missing_on(gates):
    words, _ = recurrent.SLIPS[f"no_slope_{gates}"]
    assert words.startswith(f"the slope is missing for {', '.join(gates)}:")


def test_every_wrong_order_of_the_gates_is_named():
    orders = [key for key in recurrent.SLIPS if key.startswith("order_") and "__" not in key]
    assert len(orders) == 23 and "order_ifog" not in orders
