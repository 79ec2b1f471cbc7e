"""Recurrent layers: complex step, PyTorch, padding, state, and the sequence autoencoder."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from sampled import often

from miniae import (
    GRU,
    LSTM,
    Adam,
    Autoencoder,
    Bidirectional,
    Dense,
    Embedding,
    Repeat,
    Sequential,
    TimeDistributed,
    gradient_check,
)
from miniae.proof.gradcheck import complex_step

N, T, D, K = 4, 6, 3, 5
CELLS = [LSTM, GRU]
# Sums of a few dozen products of order 1 over a few steps, in another order: below 1e-13.
EXACT = {"rtol": 1e-12, "atol": 1e-13}


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def build(cell, rng, **options):
    """Return a layer in float64 with all parameters at random."""
    layer = cell(D, K, dtype="float64", rng=1, **options)
    for name, value in list(layer.params.items()):
        layer.params[name] = value + 0.3 * rng.standard_normal(value.shape)
    return layer


def start(layer, rng, n=N):
    """Return a random state for a layer."""
    h, c = rng.standard_normal((2, n, K))
    return (h, c) if isinstance(layer, LSTM) else h


def lengths(rng, T=T):
    """Return a mask with padding at the ends; one sequence is full and one is a single step."""
    return np.arange(T) < np.array([T, 1, 3, 2])[:, None]


@pytest.mark.parametrize(
    ("cell", "sequences", "masked", "given"),
    often(
        7,
        itertools.product(
            CELLS,
            [False, True],
            ["no mask", "ends", "anywhere", "an empty sequence"],
            [False, True],
        ),
    ),
)
def test_every_gradient_agrees_with_the_complex_step(cell, sequences, masked, given, rng):
    layer = build(cell, rng, return_sequences=sequences)
    x = rng.standard_normal((N, T, D))
    mask = {"no mask": None, "ends": lengths(rng), "anywhere": rng.random((N, T)) < 0.6}.get(masked)
    if masked == "an empty sequence":
        mask = lengths(rng)
        mask[1] = False
    state = start(layer, rng) if given else None
    dout = rng.standard_normal(layer.forward(x, mask=mask, state=state).shape)
    dx = layer.backward(dout)
    shape = np.shape(state)

    def f(v):
        copied = layer.astype(v.dtype)
        copied.theta = v[: layer.theta.size]
        rest = v[layer.theta.size :]
        at = rest[: x.size].reshape(x.shape)
        begun = rest[x.size :].reshape(shape) if given else None
        begun = tuple(begun) if isinstance(layer, LSTM) and given else begun
        return np.sum(copied.forward(at, mask=mask, state=begun) * dout)

    parts = [layer.theta, x.ravel()] + ([np.ravel(state)] if given else [])
    claimed = [layer.dtheta, dx.ravel()] + ([np.ravel(layer.dstate)] if given else [])
    for numeric, ours in zip(
        np.split(complex_step(f, np.concatenate(parts)), np.cumsum([len(p) for p in parts])[:-1]),
        claimed,
        strict=True,
    ):
        assert np.abs(numeric - ours).max() < 1e-12 * np.abs(numeric).max()


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_gradient_check_passes_a_mask_on(cell, rng):
    layer, mask = build(cell, rng), lengths(rng)
    x = rng.standard_normal((N, T, D))
    assert gradient_check(layer, x, mask=mask, tolerance=1e-12).ok

    class Forgets(cell):
        def backward(self, dout):
            self.cache = *self.cache[:-1], None
            return super().backward(dout)

    layer.__class__ = Forgets
    assert not gradient_check(layer, x, mask=mask, tolerance=1e-12).ok
    assert gradient_check(layer, x, tolerance=1e-12).ok


def torch_gates(array, cell):
    """Return columns i, f, o, g (or z, r, g) as rows i, f, g, o (or r, z, g), as PyTorch has."""
    parts = np.split(np.asarray(array), 4 if cell is LSTM else 3, axis=-1)
    order = (0, 1, 3, 2) if cell is LSTM else (1, 0, 2)
    return np.concatenate([parts[i].T for i in order])


def weights(layer, torch, cell):
    """Return weight_ih, weight_hh, bias_ih and bias_hh of PyTorch for our layer."""
    p = layer.params
    hidden = np.zeros_like(p["b"])
    if cell is GRU:
        hidden[2 * K :] = p["b_h"]
    arrays = (p["W"], p["U"], p["b"], hidden)
    return [torch.nn.Parameter(torch.tensor(torch_gates(a, cell))) for a in arrays]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("both", [False, True])
def test_torch_computes_the_same(cell, both, rng):
    torch = pytest.importorskip("torch")
    layer = build(cell, rng, return_sequences=True)
    directions = [layer]
    ours = layer
    if both:
        ours = Bidirectional(layer)
        ours.reverse.theta = ours.reverse.theta + 0.1 * rng.standard_normal(layer.theta.size)
        directions = [ours.layer, ours.reverse]
    kind = torch.nn.LSTM if cell is LSTM else torch.nn.GRU
    theirs = kind(D, K, batch_first=True, bidirectional=both, dtype=torch.float64)
    for layer, suffix in zip(directions, ("", "_reverse"), strict=False):
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        for name, value in zip(names, weights(layer, torch, cell), strict=True):
            setattr(theirs, name + suffix, value)
    x = rng.standard_normal((N, T, D))
    t = torch.tensor(x, requires_grad=True)
    out, dout = theirs(t)[0], rng.standard_normal((N, T, K * len(directions)))
    (out * torch.tensor(dout)).sum().backward()
    assert np.abs(ours.forward(x) - out.detach().numpy()).max() < 1e-10
    assert np.abs(ours.backward(dout) - t.grad.numpy()).max() < 1e-10
    for layer, suffix in zip(directions, ("", "_reverse"), strict=False):
        for name, key in (("W", "weight_ih_l0"), ("U", "weight_hh_l0"), ("b", "bias_ih_l0")):
            grad = getattr(theirs, key + suffix).grad.numpy()
            assert np.abs(torch_gates(layer.grads[name], cell) - grad).max() < 1e-10
        if cell is GRU:
            grad = getattr(theirs, "bias_hh_l0" + suffix).grad.numpy()
            assert np.abs(layer.grads["b_h"] - grad[2 * K :]).max() < 1e-10


def test_torch_computes_the_same_embedding(rng):
    torch = pytest.importorskip("torch")
    layer = Embedding(7, 3, dtype="float64", rng=0)
    tokens = rng.integers(0, 7, (4, 9))  # each token several times
    W = torch.tensor(np.array(layer.params["W"]), requires_grad=True)
    out, dout = torch.nn.functional.embedding(torch.tensor(tokens), W), rng.random((4, 9, 3))
    (out * torch.tensor(dout)).sum().backward()
    assert (layer.forward(tokens.astype(float)) == out.detach().numpy()).all()
    assert not layer.backward(dout).any()
    assert np.abs(layer.grads["W"] - W.grad.numpy()).max() < 1e-10


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("wrap", [lambda layer: layer, Bidirectional])
def test_padding_changes_no_output_and_no_gradient_beyond_rounding(cell, wrap, rng):
    mask = lengths(rng)
    x = rng.standard_normal((N, T, D))
    layer = wrap(build(cell, rng))
    out = layer.forward(x, mask=mask)
    dout = rng.standard_normal(out.shape)
    dx, dtheta = layer.backward(dout), layer.dtheta.copy()
    longer = np.full((N, T + 3, D), np.nan)  # junk in the padded entries
    longer[:, :T] = np.where(mask[..., None], x, 1e30)
    wider = np.concatenate([mask, np.zeros((N, 3), bool)], axis=1)
    np.testing.assert_allclose(layer.forward(longer, mask=wider), out, **EXACT)
    longer_dx = layer.backward(dout)
    np.testing.assert_allclose(longer_dx[:, :T], dx, **EXACT)
    np.testing.assert_allclose(layer.dtheta, dtheta, **EXACT)
    assert not longer_dx[~wider].any()
    total = 0 * dtheta
    for i, length in enumerate(mask.sum(axis=1)):
        alone = layer.forward(x[i : i + 1, :length])
        np.testing.assert_allclose(alone[0], out[i], **EXACT)
        np.testing.assert_allclose(layer.backward(dout[i : i + 1])[0], dx[i, :length], **EXACT)
        total += layer.dtheta
    np.testing.assert_allclose(total, dtheta, **EXACT)


@pytest.mark.parametrize("cell", CELLS)
def test_junk_in_padded_entries_changes_no_bit(cell, rng):
    mask, layer = lengths(rng), build(cell, rng, return_sequences=True)
    x, results = rng.standard_normal((N, T, D)), []
    for junk in (0.0, 1e300, np.nan):
        out = layer.forward(np.where(mask[..., None], x, junk), mask=mask)
        results.append([out, layer.backward(np.ones_like(out)), layer.dtheta.copy()])
    for other in results[1:]:
        assert all((a == b).all() for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_step_by_step_with_the_state_is_the_whole_pass(cell, rng):
    layer = build(cell, rng, return_sequences=True)
    x, state = rng.standard_normal((N, T, D)), None
    whole = layer.forward(x)
    for t in range(T):
        out = layer.forward(x[:, t : t + 1], state=state)
        state = layer.state
        np.testing.assert_allclose(out[:, 0], whole[:, t], **EXACT)


@pytest.mark.parametrize("cell", CELLS)
def test_two_halves_with_state_and_dstate_have_the_gradient_of_the_whole(cell, rng):
    layer = build(cell, rng)
    x = rng.standard_normal((N, T, D))
    dout = rng.standard_normal(layer.forward(x).shape)
    dx, dtheta = layer.backward(dout), layer.dtheta.copy()
    layer.forward(x[:, :2])
    begun = layer.state
    layer.forward(x[:, 2:], state=begun)
    np.testing.assert_allclose(layer.backward(dout), dx[:, 2:], **EXACT)
    assert np.abs(layer.dtheta - dtheta).max() > 1e-3  # the first steps are not in it


@pytest.mark.parametrize("cell", CELLS)
def test_forward_and_backward_leave_x_dout_and_params_and_repeat(cell, rng):
    layer, x = build(cell, rng, return_sequences=True), rng.standard_normal((N, T, D))
    theta, kept = layer.theta.copy(), x.copy()
    out = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    given, first = dout.copy(), layer.backward(dout).copy()
    dtheta = layer.dtheta.copy()
    assert (layer.backward(dout) == first).all() and (layer.dtheta == dtheta).all()
    assert (layer.theta == theta).all() and (x == kept).all() and (dout == given).all()
    assert not np.shares_memory(out, layer.cache[1])


def sequence_autoencoder():
    encoder = Sequential(LSTM(D, 8), Dense(8, 4))
    decoder = Sequential(
        Dense(4, 8), Repeat(T), LSTM(8, 8, return_sequences=True), TimeDistributed(Dense(8, D))
    )
    return Autoencoder((T, D), 4, encoder=encoder, decoder=decoder, loss="mse", seed=3)


def test_the_sequence_autoencoder_of_the_keras_blog_trains_saves_and_loads(rng, tmp_path):
    phase = rng.random((60, 1, D)) * 6
    X = np.sin(phase + np.arange(T)[:, None] / 2).astype(np.float32)
    model = sequence_autoencoder()
    before = model.evaluate(X)
    model.fit(X, epochs=15, batch_size=10, optimizer=Adam(0.01), verbose=0)
    assert model.evaluate(X) < 0.7 * before
    model.save(tmp_path / "m.npz")
    assert (Autoencoder.load(tmp_path / "m.npz").predict(X) == model.predict(X)).all()
    other = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    assert all((m.predict(X) == model.predict(X)).all() for m in other)
    double = model.astype("float64").predict(X)
    assert np.abs(double - model.predict(X)).max() < 1e-4


def test_every_layer_survives_deepcopy_pickle_and_astype(rng):
    x = rng.standard_normal((N, T, D))
    for layer in (
        LSTM(D, K), GRU(D, K, return_sequences=True), Bidirectional(GRU(D, K)),
        TimeDistributed(Dense(D, K)), Repeat(2), Embedding(5, 2),
    ):  # fmt: skip
        given = rng.integers(0, 5, (N, T)) if isinstance(layer, Embedding) else x
        out = layer.forward(given)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert (other.forward(given) == out).all()
        np.testing.assert_allclose(layer.astype("float64").forward(given), out, atol=1e-5)


def test_a_network_draws_different_weights_for_both_directions_and_orthogonal_u():
    net = Sequential(Bidirectional(LSTM(D, K)), Dense(2 * K, 2))
    ahead, back = (getattr(net.layers[0], name).params for name in ("layer", "reverse"))
    assert np.abs(ahead["W"] - back["W"]).max() > 0.01
    for U in np.split(np.asarray(ahead["U"]), 4, axis=1):
        np.testing.assert_allclose(U.T @ U, np.eye(K), atol=1e-5)
    assert (ahead["b"][K : 2 * K] == 1).all() and ahead["b"].sum() == K


def test_both_directions_differ_also_if_the_layer_was_given_an_rng():
    one, other = Bidirectional(LSTM(3, K, rng=0)), Bidirectional(LSTM(3, K, rng=0))
    assert np.abs(one.layer.params["W"] - one.reverse.params["W"]).max() > 0.01
    assert np.array_equal(one.theta, other.theta)


def test_wrong_arguments_are_named(rng):
    with pytest.raises(ValueError, match=r"takes x of shape \(n, T, 3\), .* got \(4, 3\)"):
        LSTM(3, 2).forward(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="mask is float64"):
        GRU(3, 2).forward(np.zeros((4, 5, 3)), mask=np.ones((4, 5)))
    with pytest.raises(ValueError, match="state has shape"):
        GRU(3, 2).forward(np.zeros((4, 5, 3)), state=np.zeros((1, 2)))
    x, state = np.zeros((4, 5, 3)), np.zeros((4, 2))
    for cell, given in ((LSTM, (state, state)), (GRU, state)):
        with pytest.raises(ValueError, match=r"training is .*; write forward\(x, state=...\)"):
            cell(3, 2).forward(x, given)
        with pytest.raises(ValueError, match="return_sequences is 'no', but must be True or False"):
            cell(3, 2, return_sequences="no")
        with pytest.raises(ValueError, match="n and T 1 or more, got"):
            cell(3, 2).forward(x[:0])
    for wrong in (np.zeros((4, 2)), (state,), 0.0):
        with pytest.raises(ValueError, match=r"state must be a pair \(h, c\)"):
            LSTM(3, 2).forward(x, state=wrong)
    for wrong in (Dense(3, 2), 5, LSTM):
        with pytest.raises(TypeError, match="Bidirectional takes a layer, LSTM or GRU"):
            Bidirectional(wrong)
    with pytest.raises(TypeError, match="TimeDistributed takes a layer"):
        TimeDistributed(Dense)
    with pytest.raises(ValueError, match="mask is int64 of shape"):
        Bidirectional(LSTM(3, 2)).forward(x, mask=1)
    for tokens in ([["a", "b"]], [[True]]):
        with pytest.raises(ValueError, match="but tokens are whole numbers"):
            Embedding(4, 2).forward(tokens)
    with pytest.raises(ValueError, match=r"x\[0, 0\] is nan"):
        Embedding(4, 2).forward([[np.nan]])
    with pytest.raises(ValueError, match=r"x\[0, 1\] is 2.5, but tokens are whole numbers"):
        Embedding(4, 2).forward([[1, 2.5]])
    with pytest.raises(ValueError, match="from 0 to 3"):
        Embedding(4, 2).forward([[4]])
