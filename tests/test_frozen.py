import copy
import pickle

import numpy as np
import pytest

from miniae import (
    SGD,
    VAE,
    Adam,
    Autoencoder,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Frozen,
    Layer,
    Reshape,
    Sequential,
    Sigmoid,
    Tanh,
    gradient_check,
)

X = np.random.default_rng(0).random((30, 6)).astype("float32")


def pretrained():
    return Autoencoder(6, 3, (5,), seed=4).fit(X, epochs=2, verbose=0)


class RunningMean(Layer):
    """A layer with a buffer that changes in training."""

    def __init__(self):
        super().__init__(buffers={"mean": np.full(6, 0.5)})

    def forward(self, x, training=False):
        if training:
            self.buffers["mean"] = 0.9 * self.buffers["mean"] + 0.1 * x.mean(axis=0)
        return self.remember(x, x - self.buffers["mean"])

    def backward(self, dout):
        self.recall(dout)
        return dout


@pytest.mark.parametrize(
    "optimizer",
    [SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.3), Adam(0.1, weight_decay=0.3)],
    ids=repr,
)
@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_frozen_half_stays_as_it_was_while_the_other_learns(half, optimizer):
    first = pretrained()
    model = Autoencoder(6, 3, (5,), seed=9, **{half: Frozen(getattr(first, half))})
    other = {"encoder": "decoder", "decoder": "encoder"}[half]
    assert model.theta.size == getattr(model, other).theta.size == getattr(first, other).theta.size
    before = model.theta.copy()
    model.fit(X, epochs=3, batch_size=10, optimizer=copy.deepcopy(optimizer), verbose=0)
    frozen, its = getattr(model, half).layer, getattr(first, half)
    assert np.array_equal(frozen.theta, its.theta)
    assert (model.theta != before).mean() > 0.8


def test_one_frozen_layer_among_others_passes_the_gradient_on():
    plain = Sequential(Dense(6, 5), Dense(5, 4), Tanh(), Dense(4, 3)).astype("float64")
    layers = copy.deepcopy(plain.layers)
    mixed = Sequential(layers[0], Frozen(layers[1]), *layers[2:]).astype("float64")
    dout = np.random.default_rng(1).standard_normal((30, 3))
    for net in (plain, mixed):
        net.forward(X.astype("float64"))
        net.dx = net.backward(dout)
    assert np.array_equal(plain.dx, mixed.dx)
    assert np.array_equal(plain.layers[0].dtheta, mixed.layers[0].dtheta)
    assert mixed.theta.size == plain.theta.size - plain.layers[1].theta.size


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_have_the_frozen_weights_as_their_own(remake):
    model = Autoencoder(6, 3, encoder=Frozen(pretrained().encoder))
    clone = remake(model)
    assert np.array_equal(clone.encode(X), model.encode(X))
    clone.encoder.layer.theta[...] = 0
    assert not clone.encode(X).any() and model.encode(X).any()
    assert not any(b.any() for _, b in clone.encoder.named_buffers())


def test_a_frozen_part_is_in_the_file_and_comes_back(tmp_path):
    wide = Sequential(Dense(6, 300), Tanh(), Dense(300, 3))  # far more numbers than in theta
    wide.theta += 0.25
    model = Autoencoder(6, 3, (), encoder=Frozen(wide), decoder=Sequential(Dense(3, 6)))
    model.fit(X, epochs=1, verbose=0).save(tmp_path / "m.npz")
    loaded = Autoencoder.load(tmp_path / "m.npz")
    assert np.array_equal(loaded.encoder.layer.theta, wide.theta)
    assert np.array_equal(loaded.reconstruct(X), model.reconstruct(X))
    loaded.fit(X, epochs=1, verbose=0)
    assert np.array_equal(loaded.encoder.layer.theta, wide.theta)


def test_a_checkpoint_continues_a_run_with_a_frozen_part(tmp_path):
    def start():
        return VAE(6, 2, encoder=Frozen(VAE(6, 2, seed=5).encoder))

    whole = start().fit(X, epochs=3, verbose=0)
    for epochs in (1, 3):
        resumed = start().fit(X, epochs=epochs, checkpoint=tmp_path / "run.npz", verbose=0)
    assert np.array_equal(resumed.theta, whole.theta)
    assert np.array_equal(resumed.encode(X), whole.encode(X))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_frozen_weights_take_the_dtype_of_theta_and_alone_keep_their_own(dtype):
    assert Frozen(Dense(6, 2).astype(dtype)).layer.theta.dtype == dtype
    net = Sequential(Frozen(Dense(6, 2)), Dense(2, 3)).astype(dtype)
    assert {a.dtype for a in (net.theta, *dict(net.named_buffers()).values())} == {np.dtype(dtype)}
    assert net.forward(X.astype(dtype)).dtype == dtype


@pytest.mark.parametrize("training", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_model_with_a_frozen_part_passes_the_gradient_check(training):
    encoder = Sequential(Dense(6, 5), Frozen(Sequential(Dense(5, 5), Tanh())), Dense(5, 4))
    model = VAE(6, 2, encoder=encoder, decoder=Sequential(Frozen(Dense(2, 4)), Dense(4, 6)))
    report = gradient_check(model, X[:7].astype("float64"), training=training, tolerance=1e-12)
    assert report.ok
    names = {"encoder.0.W", "encoder.0.b", "encoder.2.W", "encoder.2.b", "decoder.1.W"}
    assert names <= {block.name for block in report.blocks} and len(report.blocks) == 6


def test_a_frozen_part_is_in_evaluation_mode_in_training_too():
    inner = Sequential(RunningMean(), Dropout(0.5), Dense(6, 2))
    frozen = Frozen(inner)
    assert np.array_equal(frozen.forward(X, training=True), inner.forward(X))
    model = Autoencoder(6, 2, encoder=Sequential(frozen)).fit(X, epochs=2, verbose=0)
    buffers = dict(model.encoder.named_buffers())
    assert np.array_equal(buffers["0.0.mean"], np.full(6, 0.5, "float32"))


def test_a_frozen_layer_is_a_copy_as_it_is_now_and_is_not_drawn_by_a_model():
    for layer in (Dense(6, 3), Sequential(Dense(6, 6), Dense(6, 6), Dense(6, 3)), Conv2D(1, 2, 3)):
        frozen, theta = Frozen(layer), layer.theta.copy()
        layer.theta[...] = 0
        net = Sequential(Dense(2, 2), Frozen(frozen))
        assert np.array_equal(net.layers[1].layer.layer.theta, theta)
    models = [Autoencoder(6, 3, encoder=Frozen(Dense(6, 3)), seed=seed) for seed in (0, 1)]
    assert np.array_equal(models[0].encode(X), models[1].encode(X))


def test_what_was_frozen_can_be_trained_again():
    fresh = Autoencoder(6, 3, (5,), encoder=Frozen(pretrained().encoder)).fit(
        X, epochs=1, verbose=0
    )
    tuned = Autoencoder(6, 3, encoder=fresh.encoder.layer, decoder=fresh.decoder)
    assert np.array_equal(tuned.reconstruct(X), fresh.reconstruct(X))
    tuned.fit(X, epochs=1, verbose=0)
    assert not np.array_equal(tuned.encode(X), fresh.encode(X))


def test_the_end_of_a_frozen_decoder_is_checked_and_its_layers_are_in_the_summary(capsys):
    ends = Sequential(Dense(2, 6), Sigmoid())
    shape = Frozen(Reshape(6))
    for decoder in (
        Frozen(ends),
        Sequential(Frozen(Frozen(ends))),
        Sequential(Dense(2, 6), Sigmoid(), shape),
        Sequential(Frozen(ends), Sequential(copy.deepcopy(shape)), Dropout(0.1)),
    ):
        with pytest.raises(ValueError, match="decoder ends in Sigmoid"):
            Autoencoder(6, 2, decoder=decoder)
        assert Autoencoder(6, 2, decoder=decoder, loss="mse").decode(X[:, :2]).shape == (30, 6)
    Autoencoder(6, 2, decoder=Frozen(Dense(2, 6))).summary()
    assert "Frozen(Dense(2, 6" in capsys.readouterr().out


def test_only_a_layer_can_be_frozen():
    for wrong in (pretrained(), Dense, "encoder", [Dense(2, 2)]):
        with pytest.raises(TypeError, match=r"Frozen takes a layer or a network, got .* freeze"):
            Frozen(wrong)


@pytest.mark.parametrize("name", ["trainable", "requires_grad"])
def test_attributes_that_would_freeze_elsewhere_are_refused_with_what_to_write(name):
    model = pretrained()
    for part in (model, model.encoder, model.encoder.layers[0], model.reconstruction_loss):
        with pytest.raises(AttributeError, match=rf"{name} has no effect: .*Frozen\(layer\)"):
            setattr(part, name, False)
        with pytest.raises(AttributeError, match=rf"has no '{name}': .*Frozen\(layer\)"):
            getattr(part, name)
    assert Flatten().__dict__.get(name) is None
