import copy
import inspect

import numpy as np
import pytest

from miniae import (
    Dense,
    Dropout,
    Flatten,
    Layer,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)

EPS = np.finfo(float).eps


def layers():
    return [
        Dense(6, 4, rng=3),
        Dense(6, 4, init="he", rng=4),
        ReLU(),
        Sigmoid(),
        Tanh(),
        Softplus(),
        Dropout(0.4),
        Flatten(),
        Reshape(2, 3),
        Sequential(Dense(6, 5), Tanh(), Dropout(0.2), Dense(5, 3)),
    ]


def named(things):
    return pytest.mark.parametrize("layer", things, ids=[repr(thing) for thing in things])


@named(layers())
def test_forward_and_backward_leave_x_dout_and_params_unchanged(layer):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 6))
    out = layer.forward(x, training=True)
    dout = rng.standard_normal(out.shape)
    before = x.copy(), dout.copy(), layer.theta.copy(), out.copy()
    layer.backward(dout)
    for old, new in zip(before, (x, dout, layer.theta, out), strict=True):
        assert np.array_equal(old, new)


@named(layers())
def test_backward_twice_gives_the_same_answer(layer):
    rng = np.random.default_rng(0)
    out = layer.forward(rng.standard_normal((5, 6)), training=True)
    dout = rng.standard_normal(out.shape)
    dx, dtheta = layer.backward(dout).copy(), layer.dtheta.copy()
    assert np.array_equal(layer.backward(dout), dx)
    assert np.array_equal(layer.dtheta, dtheta)


@named(layers())
def test_two_forwards_then_one_backward_belong_to_the_second(layer):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 5, 6))
    layer.forward(x)
    out = layer.forward(y)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout).copy()
    layer.forward(y)
    assert np.array_equal(layer.backward(dout), dx)


@named([Layer(), *layers()])
def test_no_layer_is_in_training_unless_asked(layer):
    for call in (layer, layer.forward):
        assert inspect.signature(call).parameters["training"].default is False


@named(layers())
def test_a_dout_of_the_wrong_shape_is_refused_not_broadcast(layer):
    out = layer.forward(np.random.default_rng(0).standard_normal((5, 6)))
    for wrong in (np.ones(out.shape[1:]), np.ones((1, *out.shape[1:])), 1.0):
        with pytest.raises(ValueError, match="dout has shape"):
            layer.backward(wrong)


@named(layers())
def test_backward_before_forward_is_refused(layer):
    fresh = layer.astype(layer.theta.dtype)
    for _, part in fresh.walk():
        part.cache = None
    with pytest.raises(RuntimeError, match="backward was called before forward"):
        fresh.backward(np.ones((5, 3)))


@named(layers())
def test_integers_and_strided_arrays_give_what_their_float_copies_give(layer):
    numbers = np.arange(-12, 48).reshape(10, 6)
    for view in (numbers, numbers[::2], np.asfortranarray(numbers), numbers[:, ::-1]):
        whole = np.ascontiguousarray(view, dtype=np.float64)
        assert np.allclose(layer.forward(view), layer.forward(whole), rtol=1e-13, atol=0)


def test_dense_matches_the_sums_written_out():
    rng = np.random.default_rng(1)
    layer = Dense(3, 2, dtype="float64")
    layer.theta = rng.standard_normal(8)
    x, dout = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    W, b = layer.params["W"], layer.params["b"]
    out = layer.forward(x)
    dx = layer.backward(dout)
    for i in range(4):
        for j in range(2):
            assert out[i, j] == pytest.approx(sum(x[i, k] * W[k, j] for k in range(3)) + b[j])
        for k in range(3):
            assert dx[i, k] == pytest.approx(sum(dout[i, j] * W[k, j] for j in range(2)))
    for j in range(2):
        assert layer.grads["b"][j] == pytest.approx(sum(dout[i, j] for i in range(4)))
        for k in range(3):
            expected = sum(x[i, k] * dout[i, j] for i in range(4))
            assert layer.grads["W"][k, j] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("init", "variance"), [("glorot", 2 / 700), ("he", 2 / 400), ("pytorch", 1 / 1200)]
)
def test_dense_weights_have_the_variance_of_their_initialisation(init, variance):
    W = Dense(400, 300, init=init, rng=5).params["W"]
    # A uniform sample's variance has relative standard error sqrt(0.8 / 120,000) = 0.0026.
    assert W.var() == pytest.approx(variance, rel=0.013)
    assert np.abs(W).max() <= np.sqrt(3 * variance)
    assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)


def test_dense_draws_the_same_weights_from_the_same_seed_in_either_dtype():
    a, b = Dense(5, 4, rng=7), Dense(5, 4, rng=7, dtype="float64")
    assert np.array_equal(a.params["W"], b.params["W"].astype("float32"))
    assert not np.array_equal(a.params["W"], Dense(5, 4, rng=8).params["W"])
    assert not a.params["b"].any()


def test_without_rng_weights_and_masks_are_those_of_rng_0():
    assert np.array_equal(Dense(5, 4).theta, Dense(5, 4, rng=0).theta)
    x = np.ones((30, 20))
    first, second = (layer.forward(x, training=True) for layer in (Dropout(), Dropout(0.5, rng=0)))
    assert np.array_equal(first, second)


def test_one_number_in_and_one_out_is_a_layer_too():
    out = Dense(1, 1, rng=2).forward(np.array([[2.0], [3.0]]))
    assert np.allclose(out[1], 1.5 * out[0], rtol=1e-15) and out[0, 0] != 0


@pytest.mark.parametrize("shape", [(6,), (1, 5, 6), (5, 7), ()])
def test_dense_refuses_other_shapes_and_prints_both(shape):
    with pytest.raises(ValueError, match=r"Dense\(6, 4, 'glorot'\) takes x of shape \(n, 6\), got"):
        Dense(6, 4).forward(np.ones(shape))


@named([ReLU(), Sigmoid(), Tanh(), Softplus()])
def test_an_activation_has_the_slope_of_its_complex_step(layer):
    x, dout = 2 * np.random.default_rng(6).standard_normal((2, 5, 6))
    slope = layer.forward(x + 1e-30j).imag / 1e-30
    layer.forward(x)
    # 1 - out and 1 - out^2 lose digits where out is near 1: absolute, and all slopes are below 1
    assert np.abs(layer.backward(dout) - dout * slope).max() <= 8 * EPS * np.abs(dout).max()


def test_relu_has_slope_zero_at_and_below_zero():
    relu = ReLU()
    x = np.array([[-2.0, -0.0, 0.0, 1e-300, 3.0]])
    assert np.array_equal(relu.forward(x), [[0, 0, 0, 1e-300, 3]])
    dout = np.array([[1.5, -2.5, 3.5, -4.5, 5.5]])
    assert np.array_equal(relu.backward(dout), [[0, 0, 0, -4.5, 5.5]])


@pytest.mark.parametrize("x", [-1e4, 1e4, -1e30, 1e30])
@pytest.mark.parametrize("layer", [ReLU(), Sigmoid(), Tanh(), Softplus()], ids=repr)
def test_activations_stay_finite_and_silent_far_out(layer, x):
    out = layer.forward(np.full((2, 2), x, dtype="float32"))
    dx = layer.backward(np.full((2, 2), 1.5, dtype="float32"))
    assert np.isfinite(out).all() and np.isfinite(dx).all() and out.dtype == dx.dtype == "float32"


def test_dropout_keeps_the_mean_in_training_and_everything_otherwise():
    layer, x = Dropout(0.3), np.full((400, 500), 2.0)
    assert np.array_equal(layer.forward(x), x)
    out = layer.forward(x, training=True)
    assert set(np.unique(out)) == {0.0, 2 / 0.7}
    # A mean of 200,000 values of standard deviation 2 sqrt(0.3 / 0.7): 5 standard errors.
    assert abs(out.mean() - 2) < 5 * 2 * np.sqrt(0.3 / 0.7 / x.size)
    assert not np.array_equal(layer.forward(x, training=True), out)
    assert layer.forward(x.astype("float32"), training=True).dtype == "float32"


def test_dropout_of_probability_zero_drops_nothing_even_where_the_random_number_is_zero():
    class Zeros:
        def random(self, shape, dtype):
            return np.zeros(shape, dtype)

    layer, x = Dropout(0), np.ones((3, 2))
    layer.set_rng(Zeros())
    assert np.array_equal(layer.forward(x, training=True), x)


def test_dropout_uses_one_mask_for_forward_and_backward():
    layer = Dropout(0.5)
    x = np.random.default_rng(0).standard_normal((30, 20))
    out = layer.forward(x, training=True)
    assert np.array_equal(layer.backward(x), out)


def test_set_rng_reaches_every_dropout_inside():
    a, b = (Sequential(Dense(6, 5), Sequential(Dropout(0.5))) for _ in range(2))
    x = np.ones((8, 6))
    a.set_rng(np.random.default_rng(5))
    b.set_rng(np.random.default_rng(5))
    assert np.array_equal(a.forward(x, training=True), b.forward(x, training=True))
    assert not np.array_equal(a.forward(x, training=True), b.forward(x))


def test_flatten_and_reshape_are_inverse():
    x = np.random.default_rng(0).standard_normal((5, 2, 3, 4))
    flat, back = Flatten(), Reshape(2, 3, 4)
    assert np.array_equal(back.forward(flat.forward(x)), x)
    assert Reshape((2, 12)).forward(flat.forward(x)).shape == (5, 2, 12)
    assert flat.backward(np.ones((5, 24))).shape == x.shape
    with pytest.raises(ValueError, match=r"samples of shape \(24,\) do not fit"):
        Reshape(5, 5).forward(flat.forward(x))


def test_sequential_takes_layers_or_one_list_and_composes_them():
    x = np.random.default_rng(0).standard_normal((5, 6))
    for net in (Sequential(Dense(6, 4), Tanh()), Sequential([Dense(6, 4), Tanh()])):
        assert np.array_equal(net.forward(x), np.tanh(Dense(6, 4).forward(x)))
        assert np.array_equal(net(x), net.forward(x))
    assert Sequential().forward(x) is x


def test_a_layer_or_network_that_lives_in_another_is_refused_until_copied():
    dense, relu = Dense(6, 4), ReLU()
    net = Sequential(dense, relu)
    for part in (dense, relu):
        with pytest.raises(ValueError, match="is part of another network: use copy.deepcopy"):
            Sequential(part)
    outer = Sequential(copy.deepcopy(net), Dense(4, 2))
    assert outer.theta.size == 28 + 10 and net.theta.size == 28


def test_layers_of_a_network_cannot_be_appended_behind_its_back():
    with pytest.raises(AttributeError):
        Sequential(Dense(2, 2)).layers.append(Dense(2, 2))


def test_sequential_refuses_what_is_no_layer_and_the_same_layer_twice():
    with pytest.raises(TypeError, match=r"got <class 'miniae.layers.ReLU'>; is a \(\) missing"):
        Sequential(Dense(2, 2), ReLU)
    relu = ReLU()
    with pytest.raises(ValueError, match="the same layer is in it twice"):
        Sequential(relu, Dense(2, 2), relu)


@pytest.mark.parametrize(
    "net",
    [
        Sequential(Flatten(), Dense(6, 5, rng=1), Tanh(), Dense(5, 3, rng=2)),
        Sequential(Flatten(), Dense(6, 6, rng=1), Dense(6, 6, rng=2), Dense(6, 3, rng=3)),
    ],
    ids=repr,
)
def test_backward_params_fills_the_same_grads_as_backward(net):
    rng = np.random.default_rng(0)
    net.forward(rng.standard_normal((4, 2, 3)))
    dout = rng.standard_normal((4, 3))
    net.backward(dout)
    dtheta = net.dtheta.copy()
    net.dtheta[...] = 0
    assert net.backward_params(dout) is None
    assert np.array_equal(net.dtheta, dtheta)


def test_a_layer_that_only_has_a_backward_can_be_the_first_of_a_network():
    class Scale(Layer):
        def __init__(self):
            super().__init__(factor=np.array([1.7]))

        def forward(self, x, training=False):
            return self.remember(x, x * self.params["factor"])

        def backward(self, dout):
            self.grads["factor"] = [(self.recall(dout) * dout).sum()]
            return dout * self.params["factor"]

    rng = np.random.default_rng(0)
    net, x, dout = Sequential(Scale(), Tanh()), *rng.standard_normal((2, 4, 3))
    out = net.forward(x)
    net.backward_params(dout)
    # out = tanh(1.7 x): d out / d factor = x (1 - out^2)
    assert net.dtheta[0] == pytest.approx((dout * (1 - out**2) * x).sum(), rel=1e-6)  # float32


def test_backward_params_refuses_a_wrong_dout_also_where_there_are_no_params():
    net = Sequential(Tanh())
    net.forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"dout has shape \(3,\)"):
        net.backward_params(np.ones(3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dense(0, 3), "n_in=0"),
        (lambda: Dense(3, -1), "n_out=-1"),
        (lambda: Dense(3, 3, init="xavier"), "init='xavier'"),
        (lambda: Dropout(1.0), "p=1.0"),
        (lambda: Dropout(-0.1), "p=-0.1"),
    ],
)
def test_impossible_arguments_are_refused_by_name_and_value(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_layer_without_passes_says_which_is_missing():
    class Half(Layer):
        pass

    with pytest.raises(NotImplementedError, match="Half has no forward pass yet"):
        Half().forward(np.ones((1, 1)))
    with pytest.raises(NotImplementedError, match="Half has no backward pass yet"):
        Half().backward(np.ones((1, 1)))
