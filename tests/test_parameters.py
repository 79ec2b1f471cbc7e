import copy
import pickle

import numpy as np
import pytest

from miniae import (
    SGD,
    Autoencoder,
    Dense,
    GaussianNLL,
    Layer,
    Sequential,
    SquaredError,
    Tanh,
    gradient_check,
)


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
    for clone in (copy.deepcopy(net), net.astype("float64")):
        clone.theta[...] = 0
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
    clone = copy.copy(net)
    clone.theta[...] = 0
    net.theta[0] = 7
    assert net.layers[0].params["W"][0, 0] == 7 and not clone.layers[0].params["W"].any()


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
    with pytest.raises(KeyError, match="no array 'w' here; there are \\['W', 'b'\\]"):
        layer.params["w"] = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"theta has shape \(15,\), cannot take \(14,\)"):
        layer.theta = np.zeros(14)


class Outer(Layer):
    """A layer that holds another one in a plain attribute, set before or after the parts exist."""

    def __init__(self, early):
        if early:
            self.inner = Dense(4, 3, rng=1)
        super().__init__(a=np.ones(3))
        if not early:
            self.inner = Dense(4, 3, rng=1)

    def forward(self, x, training=False):
        out = self.inner.forward(x, training)
        return self.remember(out, out * self.params["a"])

    def backward(self, dout):
        self.grads["a"] = (dout * self.recall(dout)).sum(axis=0)
        return self.inner.backward(dout * self.params["a"])


@pytest.mark.parametrize("early", [True, False])
def test_a_layer_in_a_plain_attribute_is_a_part(early):
    layer = Outer(early)
    assert [name for name, _, _ in layer.named_params()] == ["a", "inner.W", "inner.b"]
    assert np.shares_memory(layer.theta, layer.inner.params["W"])
    x = np.random.default_rng(0).standard_normal((5, 4))
    gradient_check(layer, x, tolerance=1e-12).raise_if_wrong()
    network = copy.deepcopy(Sequential(layer, Tanh()))
    assert np.shares_memory(network.theta, network.layers[0].inner.params["W"])


def test_a_part_that_is_assigned_again_is_replaced_and_one_in_use_elsewhere_is_refused():
    layer, other = Outer(True), Dense(4, 3, rng=7)
    W = other.params["W"].copy()
    layer.inner = other
    assert layer.theta.size == 18 and np.array_equal(layer.parts["inner"].params["W"], W)
    layer.inner = other  # the same once more
    assert layer.theta.size == 18
    layer.inner = None
    assert layer.theta.size == 3 and not layer.parts
    layer.inner = other
    with pytest.raises(ValueError, match=r"again, Dense.*is part of another .*self.again = "):
        layer.again = network().layers[0]
    Sequential(layer)
    with pytest.raises(ValueError, match="already belongs to a network"):
        layer.inner = Dense(4, 3, rng=8)


def test_a_loss_within_a_loss_and_a_third_network_are_trained():
    class Outside(SquaredError):
        def __init__(self):
            self.inner = GaussianNLL(0.7, learn_sigma=True)
            super().__init__()

        def entries(self, out, target):
            return self.inner.entries(out, target)

        def slopes(self, out, target, weight):
            return self.inner.slopes(out, target, weight)

    class Third(Autoencoder):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.third = Dense(2, 1, rng=3)

    model = Third(6, 2, (4,), loss=Outside())
    names = [name for name, _, _ in model.named_params()]
    assert names[-3:] == ["loss.inner.log_sigma", "third.W", "third.b"]
    before = model.reconstruction_loss.inner.sigma
    model.fit(np.random.default_rng(0).random((20, 6)), epochs=2, verbose=0)
    assert model.reconstruction_loss.inner.sigma != before
    with pytest.raises(AttributeError):
        model.reconstruction_loss = SquaredError()


class RunningMean(Layer):
    """Take off the mean: of the batch in training, of all batches so far in evaluation."""

    def __init__(self, size):
        super().__init__(buffers={"mean": np.zeros(size), "batches": np.array(0)})

    def forward(self, x, training=False):
        mean = self.buffers["mean"]
        if training:
            mean = x.mean(axis=0)
            self.buffers["mean"] = 0.9 * self.buffers["mean"] + 0.1 * mean
            self.buffers["batches"] = self.buffers["batches"] + 1
        self.training = training
        return self.remember(x, x - mean)

    def backward(self, dout):
        self.recall(dout)
        return dout - dout.mean(axis=0) if self.training else dout


def test_buffers_are_named_copied_and_cast_but_not_trained():
    net = Sequential(Dense(4, 3, rng=1), RunningMean(3))
    size, names = net.theta.size, [name for name, _ in net.named_buffers()]
    assert size == 15 and names == ["1.mean", "1.batches"]
    net.forward(np.random.default_rng(0).random((5, 4)), training=True)
    mean = dict(net.named_buffers())["1.mean"]
    assert mean.any() and mean.dtype == np.float32
    for clone in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), net.astype("float64")):
        theirs = dict(clone.named_buffers())
        assert np.array_equal(theirs["1.mean"], mean) and theirs["1.batches"] == 1
        assert not np.shares_memory(theirs["1.mean"], mean)
    kinds = {n: v.dtype.kind for n, v in net.astype("complex128").named_buffers()}
    assert kinds == {"1.mean": "c", "1.batches": "i"}
    with pytest.raises(ValueError, match=r"mean has shape \(3,\), cannot take \(2,\)"):
        net.layers[1].buffers["mean"] = np.zeros(2)


@pytest.mark.parametrize("training", [True, False])
def test_a_layer_with_buffers_passes_the_gradient_check(training):
    net = Sequential(Dense(4, 3, rng=1), RunningMean(3))
    x = np.random.default_rng(0).standard_normal((5, 4))
    report = gradient_check(net, x, training=training, tolerance=1e-12)
    assert report.ok and report.method == "complex step", report
    assert not dict(net.named_buffers())["1.mean"].any()  # the object checked stays as it is


def model_with_buffers(seed=0):
    encoder = Sequential(Dense(6, 4, rng=1), RunningMean(4), Tanh(), Dense(4, 2, rng=2))
    return Autoencoder(6, 2, (4,), encoder=encoder, loss="mse", seed=seed)


def state(model):
    return {"theta": model.theta.tobytes(), **{k: v.tobytes() for k, v in model.named_buffers()}}


def test_buffers_are_saved_and_loaded_with_theta(tmp_path):
    X = np.random.default_rng(0).random((40, 6))
    model = model_with_buffers().fit(X, epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "model.npz")
    fresh = model_with_buffers()
    same = Autoencoder.load(tmp_path / "model.npz", encoder=fresh.encoder)
    assert state(same) == state(model) != state(fresh)
    assert dict(same.named_buffers())["encoder.1.batches"] == 10
    other = Sequential(Dense(6, 4, rng=1), Tanh(), Tanh(), Dense(4, 2, rng=2))
    with pytest.raises(ValueError, match=r"buffer.encoder.1.batches is of dtype .* missing"):
        Autoencoder.load(tmp_path / "model.npz", encoder=other)


def test_early_stopping_restores_the_buffers_of_the_best_epoch():
    X = np.random.default_rng(0).random((40, 6))
    seen = []
    model = model_with_buffers()
    options = {"batch_size": 8, "verbose": 0, "validation_split": 0.2, "early_stopping": 2}
    model.fit(
        X, epochs=30, optimizer=SGD(0.3), callback=lambda m, *_: seen.append(state(m)), **options
    )
    best = int(np.argmin(model.history["val_loss"]))
    assert 0 <= best < len(seen) - 1 and state(model) == seen[best] != seen[-1]


def test_a_run_that_is_broken_off_goes_on_with_its_buffers(tmp_path):
    X = np.random.default_rng(0).random((40, 6))
    options = {"batch_size": 8, "verbose": 0, "validation_split": 0.2, "early_stopping": 9}

    def stop(model, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    whole = model_with_buffers().fit(X, epochs=6, **options)
    path = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        model_with_buffers().fit(X, epochs=6, checkpoint=path, callback=stop, **options)
    rest = model_with_buffers().fit(X, epochs=6, checkpoint=path, **options)
    assert state(rest) == state(whole) and rest.history == whole.history
