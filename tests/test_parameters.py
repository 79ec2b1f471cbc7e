import copy
import pickle

import numpy as np
import pytest

from miniae import Dense, Layer, Sequential, Tanh


def network():
    return Sequential(Dense(4, 3, rng=1), Tanh(), Sequential(Dense(3, 2, rng=2)))


class Scale(Layer):
    """A layer as a reader would write it: no helper methods, plain assignment to grads."""

    def __init__(self, n):
        super().__init__(a=np.linspace(0.5, 1.5, n))

    def forward(self, x, training=False):
        self.cache = x
        return x * self.params["a"]

    def backward(self, dout):
        self.grads["a"] = (dout * self.cache).sum(axis=0)
        return dout * self.params["a"]


def test_theta_is_one_contiguous_vector_in_the_order_of_named_params():
    net = network()
    values = [value.ravel() for _, value, _ in net.named_params()]
    assert [name for name, _, _ in net.named_params()] == ["0.W", "0.b", "2.0.W", "2.0.b"]
    assert np.array_equal(net.theta, np.concatenate(values))
    assert net.theta.flags.c_contiguous and net.theta.ndim == 1


@pytest.mark.parametrize(
    "remake", [lambda o: o, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
)
def test_writing_to_theta_is_seen_in_params_and_the_reverse(remake):
    net = remake(network())
    net.theta[0] = 7
    assert net.layers[0].params["W"][0, 0] == 7
    net.layers[2].layers[0].params["b"] = np.array([8, 9])
    assert list(net.theta[-2:]) == [8, 9]
    net.theta = np.arange(net.theta.size)
    assert net.layers[0].params["W"][1, 0] == 3
    assert net.layers[2].theta.size == 8 and net.layers[2].theta[0] == 15


def test_a_copy_shares_nothing_with_its_original():
    net = network()
    for twin in (copy.deepcopy(net), net.astype("float64")):
        twin.theta[...] = 0
        assert net.theta.any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_astype_gives_all_params_and_grads_that_dtype(dtype):
    net = network().astype(dtype)
    assert {a.dtype for _, p, g in net.named_params() for a in (p, g)} == {np.dtype(dtype)}
    assert np.array_equal(net.theta.real.astype("float32"), network().theta)


def test_assigning_grads_by_name_writes_into_dtheta():
    layer = Scale(3)
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 5, 3))
    layer.forward(x)
    layer.backward(dout)
    assert np.array_equal(layer.dtheta, (x * dout).sum(axis=0))
    net = Sequential(Dense(4, 3), Scale(3))
    net.forward(rng.standard_normal((5, 4)))
    net.backward(dout)
    assert np.array_equal(net.dtheta[-3:], net.layers[1].grads["a"]) and net.dtheta[-3:].any()


def test_update_writes_into_theta_too():
    layer = Dense(2, 1)
    layer.params.update(W=np.array([[5.0], [6.0]]))
    layer.params |= {"b": np.array([7.0])}
    assert list(layer.theta) == [5, 6, 7]
    with pytest.raises(ValueError, match="cannot take"):
        layer.params.update({"W": np.zeros(2)})


def test_a_shallow_copy_owns_its_parameters_too():
    net = network()
    twin = copy.copy(net)
    twin.theta[...] = 0
    net.theta[0] = 7
    assert net.layers[0].params["W"][0, 0] == 7 and not twin.layers[0].params["W"].any()


def test_integer_parameters_become_floats():
    class Counted(Layer):
        def __init__(self):
            super().__init__(a=np.arange(1, 4))

    assert Counted().theta.dtype.kind == "f"


def test_assigning_a_wrong_shape_or_name_is_an_error_that_says_so():
    layer = Dense(4, 3)
    with pytest.raises(ValueError, match=r"W has shape \(4, 3\), cannot take \(3, 4\)"):
        layer.params["W"] = np.zeros((3, 4))
    with pytest.raises(ValueError, match=r"b has shape \(3,\), cannot take \(\)"):
        layer.grads["b"] = 1.0
    with pytest.raises(KeyError, match="no parameter 'w' here; there are \\['W', 'b'\\]"):
        layer.params["w"] = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"theta has shape \(15,\), cannot take \(14,\)"):
        layer.theta = np.zeros(14)
