import copy
import pickle

import numpy as np
import pytest

from miniae import (
    Attention,
    Autoencoder,
    Flatten,
    Frozen,
    MultiHeadAttention,
    Reshape,
    Sequential,
)
from miniae.layers import Dense

MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 1]], bool)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def multi_head(**options):
    layer = MultiHeadAttention(6, 3, rng=1, dtype="float64", **options)
    layer.theta = 0.5 * normal(layer.theta.size, seed=2)  # biases other than 0 too
    return layer


def slope(loss, array):
    """Return d loss / d array by the complex step."""
    out = np.empty(array.shape)
    for i in np.ndindex(array.shape):
        moved = array.astype(complex)
        moved[i] += 1e-30j
        out[i] = loss(moved).imag / 1e-30
    return out


def error(ours, exact):
    return np.abs(ours - exact).max() / np.abs(exact).max()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK])
def test_the_gradients_of_attention_are_exact_to_rounding(causal, mask):
    layer = Attention(causal)
    q, k, v, dout = normal(3, 4, 6), normal(3, 5, 6), normal(3, 5, 2), normal(3, 4, 2)
    layer.forward(q, keys=k, values=v, mask=mask)
    dq = layer.backward(dout)
    dk, dv = layer.dkeys, layer.dvalues

    def loss(q, k, v):
        return (Attention(causal).forward(q, keys=k, values=v, mask=mask) * dout).sum()

    assert error(dq, slope(lambda a: loss(a, k, v), q)) < 1e-12
    assert error(dk, slope(lambda a: loss(q, a, v), k)) < 1e-12
    assert error(dv, slope(lambda a: loss(q, k, a), v)) < 1e-12


@pytest.mark.parametrize("mask", [None, MASK, MASK[:, None] & MASK[:, :, None]])
@pytest.mark.parametrize("given", [(), ("keys",), ("values",)])
def test_of_an_array_that_is_more_than_one_of_three_the_gradients_add_up(mask, given):
    layer, dout = Attention(), normal(3, 5, 6, seed=9)
    x, more = normal(3, 5, 6), {name: normal(3, 5, 6, seed=7) for name in given}
    layer.forward(x, mask=mask, **more)
    dx, parts = layer.backward(dout), {"keys": layer.dkeys, "values": layer.dvalues}

    def loss(x, **changed):
        return (Attention().forward(x, mask=mask, **{**more, **changed}) * dout).sum()

    assert error(dx, slope(loss, x)) < 1e-12
    for name, part in parts.items():
        if name in given:
            assert error(part, slope(lambda a, n=name: loss(x, **{n: a}), more[name])) < 1e-12
        else:
            assert part is None


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("own", [False, True])
def test_the_gradients_of_several_heads_are_exact_to_rounding(causal, mask, own):
    layer = multi_head(causal=causal, n_memory=6 if own else 4)
    x, memory = normal(3, 5, 6), None if own else normal(3, 5, 4, seed=5)
    dout = normal(3, 5, 6, seed=6)
    layer.forward(x, memory=memory, mask=mask)
    dx, exact = layer.backward(dout), layer.astype(complex)

    def loss(x, memory=memory):
        return (exact.forward(x, memory=memory, mask=mask) * dout).sum()

    def loss_of_theta(theta):
        exact.theta = theta
        return loss(x)

    assert error(dx, slope(loss, x)) < 1e-12
    if own:
        assert layer.dmemory is None
    else:
        assert error(layer.dmemory, slope(lambda m: loss(x, m), memory)) < 1e-12
    assert error(layer.dtheta, slope(loss_of_theta, layer.theta)) < 1e-12


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_agrees_with_torch(causal, masked):
    torch = pytest.importorskip("torch")
    arrays = [normal(3, 5, 6, seed=i) for i in range(3)]
    mask = MASK.copy()
    mask[:, 0] = True  # in torch a query with no key to look at gives NaN
    seen = np.broadcast_to(mask[:, None] if masked else True, (3, 5, 5))
    seen = seen & np.tri(5, dtype=bool) if causal else seen
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *tensors, attn_mask=torch.tensor(seen.copy())
    )
    dout, layer = normal(3, 5, 6, seed=9), Attention(causal)
    ours = layer.forward(arrays[0], keys=arrays[1], values=arrays[2], mask=mask if masked else None)
    theirs.backward(torch.tensor(dout))
    np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-10)
    dq = layer.backward(dout)
    for mine, tensor in zip((dq, layer.dkeys, layer.dvalues), tensors, strict=True):
        np.testing.assert_allclose(mine, tensor.grad.numpy(), atol=1e-10)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_several_heads_agree_with_torch(causal, masked):
    torch = pytest.importorskip("torch")
    ours = multi_head(causal=causal)
    theirs = torch.nn.MultiheadAttention(6, 3, batch_first=True, dtype=torch.float64)
    inner = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight[:] = torch.tensor(np.vstack([d.params["W"].T for d in inner]))
        theirs.in_proj_bias[:] = torch.tensor(np.concatenate([d.params["b"] for d in inner]))
        theirs.out_proj.weight[:] = torch.tensor(ours.out.params["W"].T.copy())
        theirs.out_proj.bias[:] = torch.tensor(ours.out.params["b"].copy())
    mask = MASK.copy()
    mask[:, 0] = True
    a, b, dout = (normal(3, 5, 6, seed=i) for i in range(3))
    x, memory = (torch.tensor(array, requires_grad=True) for array in (a, b))
    out, weights = theirs(
        x, memory, memory, average_attn_weights=False,
        key_padding_mask=torch.tensor(~mask) if masked else None,
        attn_mask=torch.tensor(~np.tri(5, dtype=bool)) if causal else None,
    )  # fmt: skip
    out.backward(torch.tensor(dout))
    mine = ours.forward(a, memory=b, mask=mask if masked else None)
    dx = ours.backward(dout)
    for here, there in [(mine, out.detach()), (ours.weights, weights.detach()), (dx, x.grad),
                        (ours.dmemory, memory.grad),
                        (ours.query.grads["W"].T, theirs.in_proj_weight.grad[:6]),
                        (ours.out.grads["W"].T, theirs.out_proj.weight.grad)]:  # fmt: skip
        np.testing.assert_allclose(here, there.numpy(), atol=1e-10)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", [None, MASK])
def test_attention_is_what_the_formula_says_query_by_query(causal, mask):
    q, k, v = normal(3, 4, 6), normal(3, 5, 6, seed=1), normal(3, 5, 2, seed=2)
    layer, seen = Attention(causal), MASK if mask is not None else np.ones((3, 5), bool)
    out, weights = np.zeros((3, 4, 2)), np.zeros((3, 4, 5))
    for i, t in np.ndindex(3, 4):
        visible = [j for j in range(5) if seen[i, j] and not (causal and j > t)]
        if visible:
            e = np.exp([q[i, t] @ k[i, j] / 6**0.5 for j in visible])
            weights[i, t, visible] = e / e.sum()
            out[i, t] = sum(w * v[i, j] for w, j in zip(e / e.sum(), visible, strict=True))
    np.testing.assert_allclose(layer.forward(q, keys=k, values=v, mask=mask), out, atol=1e-13)
    np.testing.assert_allclose(layer.weights, weights, atol=1e-13)


def test_several_heads_are_attention_of_slices_between_projections():
    layer, x, memory = multi_head(), normal(3, 4, 6), normal(3, 5, 6, seed=5)
    q, k, v = (
        (array.reshape(-1, 6) @ part.params["W"] + part.params["b"]).reshape(array.shape)
        for part, array in ((layer.query, x), (layer.key, memory), (layer.value, memory))
    )
    heads = [
        Attention().forward(q[..., i : i + 2], keys=k[..., i : i + 2], values=v[..., i : i + 2])
        for i in (0, 2, 4)
    ]
    out = np.concatenate(heads, axis=-1) @ layer.out.params["W"] + layer.out.params["b"]
    np.testing.assert_allclose(layer.forward(x, memory=memory), out, atol=1e-13)


def test_of_one_key_out_is_its_value():
    v = normal(3, 1, 2)
    out = Attention().forward(normal(3, 4, 6), keys=normal(3, 1, 6), values=v)
    np.testing.assert_array_equal(out, np.repeat(v, 4, axis=1))


def test_of_equal_keys_out_is_the_mean_of_the_values():
    v, k = normal(3, 5, 2), np.repeat(normal(3, 1, 6), 5, axis=1)
    out = Attention().forward(normal(3, 4, 6), keys=k, values=v)
    np.testing.assert_allclose(out, np.repeat(v.mean(axis=1, keepdims=True), 4, axis=1), atol=1e-14)


def test_self_attention_does_not_know_the_order_of_the_steps():
    layer, x, order = multi_head(), normal(2, 5, 6), [3, 0, 4, 1, 2]
    np.testing.assert_allclose(layer(x[:, order]), layer(x)[:, order], atol=1e-13)


def test_causal_attention_does_not_see_the_future():
    layer, x = multi_head(causal=True), normal(2, 5, 6)
    changed = x.copy()
    changed[:, 3:] += 5
    before, after = layer(x), layer(changed)
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    assert np.abs(after[:, 3:] - before[:, 3:]).min() > 1e-6


@pytest.mark.parametrize("padding", [0, 1e6, np.nan])
def test_what_the_padding_contains_changes_no_bit(padding):
    layer, x, memory = multi_head(), normal(3, 4, 6), normal(3, 5, 6, seed=5)
    filled = np.where(MASK[..., None], memory, padding)
    expected = layer.forward(x, memory=memory, mask=MASK)
    np.testing.assert_array_equal(layer.forward(x, memory=filled, mask=MASK), expected)
    layer.backward(normal(3, 4, 6))
    assert not layer.dmemory[~MASK].any()


def test_the_length_of_the_padding_changes_results_by_rounding_only():
    layer, x, memory = multi_head(), normal(3, 4, 6), normal(3, 5, 6, seed=5)
    longer = np.concatenate([memory, np.zeros((3, 7, 6))], axis=1)
    out = layer.forward(x, memory=longer, mask=np.arange(12) < np.full((3, 1), 5))
    np.testing.assert_allclose(out, layer.forward(x, memory=memory), atol=1e-13)


def test_a_query_without_any_key_outputs_zeros_and_no_gradient():
    layer, x = Attention(), normal(2, 4, 6)
    out = layer.forward(x, mask=np.array([[True] * 4, [False] * 4]))
    assert not out[1].any() and not layer.weights[1].any() and out[0].all()
    assert not layer.backward(normal(2, 4, 6))[1].any()


def test_large_scores_do_not_overflow():
    out = Attention().forward(1e4 * normal(2, 4, 6).astype(np.float32))
    assert np.isfinite(out).all() and out.dtype == np.float32


@pytest.mark.parametrize("wrong", [MASK.astype(int), MASK[:, :4], MASK[0]])
def test_a_mask_of_another_shape_or_type_is_refused(wrong):
    with pytest.raises(ValueError, match="mask is"):
        multi_head().forward(normal(3, 5, 6), mask=wrong)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="n_heads=4 must divide n_features=6"):
        MultiHeadAttention(6, 4)
    with pytest.raises(ValueError, match="memory has shape"):
        multi_head().forward(normal(3, 5, 6), memory=normal(3, 5, 4))
    with pytest.raises(ValueError, match="takes x"):
        Attention().forward(normal(5, 6))


def test_with_a_seed_the_projections_differ_and_can_be_repeated():
    layer, again = MultiHeadAttention(6, 3, rng=1), MultiHeadAttention(6, 3, rng=1)
    parts = [part.params["W"] for part in (layer.query, layer.key, layer.value, layer.out)]
    for i, W in enumerate(parts):
        assert all(np.abs(W - other).max() > 0.1 for other in parts[i + 1 :])
    np.testing.assert_array_equal(layer.theta, again.theta)
    assert np.abs(layer.theta - MultiHeadAttention(6, 3, rng=2).theta).max() > 0.1


def test_copies_and_pickles_are_the_same_layer():
    layer, x = multi_head(), normal(2, 5, 6)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.astype(float)):
        np.testing.assert_array_equal(other(x), layer(x))
        other.theta = 0 * other.theta
    assert layer(x).any() and layer.astype("float32")(x.astype("float32")).dtype == np.float32


def test_an_autoencoder_with_self_attention_trains_and_is_saved(tmp_path):
    x = np.random.default_rng(0).random((32, 4, 6), dtype=np.float32)
    encoder = Sequential(MultiHeadAttention(6, 2), Flatten(), Dense(24, 3))
    decoder = Sequential(Dense(3, 24), Reshape(4, 6))
    model = Autoencoder((4, 6), 3, encoder=encoder, decoder=decoder, loss="mse")
    model.fit(x, epochs=8, batch_size=8, verbose=0)
    assert model.history["loss"][-1] < 0.9 * model.history["loss"][0]
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(
        Autoencoder.load(tmp_path / "model.npz").encode(x), model.encode(x)
    )


@pytest.mark.parametrize("make", [Attention, multi_head])
@pytest.mark.parametrize("padding", [1e6, np.nan, np.inf])
def test_in_self_attention_nothing_depends_on_what_the_padding_contains(make, padding):
    x, dout, found = normal(3, 5, 6), normal(3, 5, 6, seed=1), []
    for filled in (np.where(MASK[..., None], x, 0), np.where(MASK[..., None], x, padding)):
        layer = make()
        found.append((layer.forward(filled, mask=MASK), layer.backward(dout), layer.dtheta))
    for before, after in zip(*found, strict=True):
        np.testing.assert_array_equal(after, before)
        assert np.isfinite(before).all()
    assert not found[1][1][~MASK].any() and found[1][1][MASK].all()


def test_a_mask_by_query_leaves_the_queries_as_they_are():
    layer, x = multi_head(), normal(3, 5, 6)
    by_query = np.broadcast_to(MASK[:, None], (3, 5, 5))  # no step is known to be padding
    out = layer.forward(x, mask=by_query)
    assert np.abs(out - layer.forward(x, mask=MASK))[~MASK].min() > 1e-6
    np.testing.assert_allclose(out, layer.forward(x, memory=x, mask=MASK), atol=1e-13)


@pytest.mark.parametrize("make", [Attention, multi_head])
def test_arrays_in_the_places_that_torch_gives_keys_and_values_are_refused(make):
    q, k, v = normal(3, 2, 5, 6)
    for arrays in ((k,), (k, v)):
        with pytest.raises(ValueError, match=r"training is an array of shape \(2, 5, 6\).* write"):
            make().forward(q, *arrays)


@pytest.mark.parametrize("make", [Attention, lambda flag: MultiHeadAttention(6, 3, 6, flag)])
@pytest.mark.parametrize("causal", [64, 0.1, "no", None])
def test_causal_is_true_or_false(make, causal):
    with pytest.raises(ValueError, match=f"causal is {causal!r}, but must be True or False"):
        make(causal)


def test_whole_numbers_and_lists_are_taken_as_numbers():
    x = np.random.default_rng(0).integers(-3, 4, (2, 5, 6))
    expected = Attention().forward(x.astype(float))
    for given in (x, x.tolist(), x.astype("float16")):
        np.testing.assert_array_equal(Attention().forward(given), expected)


@pytest.mark.parametrize("shape", [(3, 0, 6), (0, 5, 6), (5, 6), (3, 5, 4), ()])
def test_x_without_steps_samples_or_features_is_refused(shape):
    with pytest.raises(ValueError, match=r"x has shape .* must be \((n|\d), steps, 6\)"):
        multi_head().forward(np.zeros(shape))


@pytest.mark.parametrize("keys", [(3, 0, 6), (3, 5, 0)])
def test_an_empty_memory_is_refused(keys):
    x, k = np.zeros((3, 5, keys[2])), np.zeros(keys)
    with pytest.raises(ValueError, match="with S and d of 1 or more"):
        Attention().forward(x, keys=k)


def test_a_pass_that_another_thread_interrupts_uses_its_own_weights():
    class Interrupted(Attention):
        waiting = None

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "weights" and self.waiting is not None:
                other, Interrupted.waiting = self.waiting, None
                self.forward(other)  # as a second thread would, at this moment

    layer, x = Interrupted(), normal(2, 5, 6)
    expected = layer.forward(x)
    Interrupted.waiting = normal(2, 5, 6, seed=1)
    np.testing.assert_array_equal(layer.forward(x), expected)
    assert Interrupted.waiting is None


def test_a_frozen_layer_takes_its_memory_and_mask_too():
    layer, x, memory = multi_head(), normal(3, 5, 6), normal(3, 5, 6, seed=5)
    frozen = Frozen(layer)
    expected = layer.forward(x, memory=memory, mask=MASK)
    np.testing.assert_array_equal(frozen(x, memory=memory, mask=MASK), expected)
    np.testing.assert_array_equal(frozen.backward(x), layer.backward(x))
    np.testing.assert_array_equal(frozen.layer.dmemory, layer.dmemory)


def test_calling_a_layer_passes_its_memory_and_mask_on():
    layer, x, memory = multi_head(), normal(3, 5, 6), normal(3, 5, 6, seed=5)
    expected = layer.forward(x, memory=memory, mask=MASK)
    np.testing.assert_array_equal(layer(x, memory=memory, mask=MASK), expected)
