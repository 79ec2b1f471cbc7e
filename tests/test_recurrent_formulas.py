"""LSTM and GRU against their formulas, step by step and sample by sample; and the state's part."""

import numpy as np
import pytest

from miniae import GRU, LSTM, Bidirectional

N, T, D, K = 3, 5, 2, 4
MASKS = {
    "none": None,
    "at the end": np.arange(T) < np.array([[5], [3], [0]]),
    "anywhere": np.array([[1, 0, 1, 1, 0], [0, 1, 1, 0, 1], [1, 1, 1, 1, 1]], bool),
}
each_cell = pytest.mark.parametrize("cell", [LSTM, GRU])
each_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


def build(cell, seed=0, **options):
    layer = cell(D, K, dtype="float64", **options)
    layer.theta = np.random.default_rng(seed).standard_normal(layer.theta.size)
    return layer


def inputs(cell):
    """Return x (N, T, D) and a state to start from."""
    rng = np.random.default_rng(1)
    h, c = rng.standard_normal((2, N, K))
    return rng.standard_normal((N, T, D)), (h, c) if cell is LSTM else h


def sigma(a):
    return 1 / (1 + np.exp(-a))


def lstm_step(p, x, state):
    h, c = state
    i, f, o, g = np.split(x @ p["W"] + h @ p["U"] + p["b"], 4)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def gru_step(p, x, h):
    (z, r, g), (uz, ur, ug) = np.split(x @ p["W"] + p["b"], 3), np.split(h @ p["U"], 3)
    z, r = sigma(z + uz), sigma(r + ur)
    return z * h + (1 - z) * np.tanh(g + r * (ug + p["b_h"]))


def by_hand(layer, x, state, mask):
    """Return all states h (N, T, K), one sample and one step at a time."""
    out, step = np.zeros((len(x), T, K)), lstm_step if isinstance(layer, LSTM) else gru_step
    for n in range(len(x)):
        s = (state[0][n], state[1][n]) if isinstance(layer, LSTM) else state[n]
        for t in range(T):
            if mask is None or mask[n, t]:
                s = step(layer.params, x[n, t], s)
            out[n, t] = s[0] if isinstance(layer, LSTM) else s
    return out


@each_cell
@each_mask
def test_out_is_what_the_formulas_say_step_by_step(cell, mask):
    layer, last = build(cell, return_sequences=True), build(cell)
    x, state = inputs(cell)
    out = by_hand(layer, x, state, mask)
    np.testing.assert_allclose(layer.forward(x, mask=mask, state=state), out, atol=1e-13)
    np.testing.assert_allclose(last.forward(x, mask=mask, state=state), out[:, -1], atol=1e-13)
    zeros = tuple(0 * part for part in state) if cell is LSTM else 0 * state
    started = layer.forward(x, mask=mask)
    np.testing.assert_allclose(started, by_hand(layer, x, zeros, mask), atol=1e-13)


@each_cell
@each_mask
def test_both_directions_are_the_layer_forwards_and_its_copy_backwards(cell, mask):
    both = Bidirectional(build(cell, return_sequences=True))
    both.reverse.theta = np.random.default_rng(2).standard_normal(both.reverse.theta.size)
    x, state = inputs(cell)
    zeros = tuple(0 * part for part in state) if cell is LSTM else 0 * state
    ahead = by_hand(both.layer, x, zeros, mask)
    turned = None if mask is None else mask[:, ::-1]
    back = by_hand(both.reverse, x[:, ::-1], zeros, turned)[:, ::-1]
    out = np.concatenate([ahead, back], axis=2)
    np.testing.assert_allclose(both.forward(x, mask=mask), out, atol=1e-13)


@each_cell
@pytest.mark.parametrize("cut", [1, 3])
def test_the_gradient_of_a_sequence_in_two_parts_passes_through_dstate(cell, cut):
    layer, (x, _) = build(cell, return_sequences=True), inputs(cell)
    dout = np.random.default_rng(3).standard_normal((N, T, K))
    layer.forward(x)
    dx, dtheta = layer.backward(dout), layer.dtheta.copy()

    layer.forward(x[:, :cut])
    state = layer.state
    layer.forward(x[:, cut:], state=state)
    parts, total = [layer.backward(dout[:, cut:])], layer.dtheta.copy()
    dstate = layer.dstate
    # The first part has the state as its last out: dstate is added to the dout there. An LSTM's
    # state has a cell too, which is not in out: there the loss along dstate is made by hand.
    layer.forward(x[:, :cut])
    first = dout[:, :cut].copy()
    if cell is GRU:
        first[:, -1] += dstate
        parts.insert(0, layer.backward(first))
        np.testing.assert_allclose(np.concatenate(parts, axis=1), dx, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(total + layer.dtheta, dtheta, rtol=1e-10, atol=1e-12)
    exact, step = layer.astype(complex), np.random.default_rng(4).standard_normal(x[:, :cut].shape)
    out = exact.forward(x[:, :cut] + 1e-30j * step)
    ends = exact.state if cell is LSTM else (exact.state,)
    slopes = dstate if cell is LSTM else (dstate,)
    along = (out * dout[:, :cut]).sum() + sum(
        (a * b).sum() for a, b in zip(ends, slopes, strict=True)
    )
    assert along.imag / 1e-30 == pytest.approx((dx[:, :cut] * step).sum(), rel=1e-10)
