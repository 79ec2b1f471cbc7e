import copy
import pickle

import numpy as np
import pytest

from miniae import (
    SGD,
    VAE,
    Autoencoder,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Reshape,
    Sequential,
    Tanh,
    conv_networks,
)
from miniae.plumbing.first_draw import draw_first

X = np.random.default_rng(0).random((24, 6)).astype("float32")


class Residual(Layer):
    """A reader's layer that holds two others in attributes, and one in a list."""

    def __init__(self, n):
        self.first = Dense(n, n)
        self.more = [Dense(n, n)]
        super().__init__(parts={"0": self.more[0]})
        self.second = Dense(n, n)

    def forward(self, x, training=False):
        h = np.tanh(self.first(x))
        return self.remember(h, x + self.second(h))

    def backward(self, dout):
        h = self.recall(dout)
        return dout + self.first.backward(self.second.backward(dout) * (1 - h * h))


def weights(network):
    """Return every matrix of weights in a network."""
    return [part.params["W"] for _, part in network.walk() if "W" in part.params]


def all_differ(arrays):
    return all(
        not np.isclose(a, b).any() for i, a in enumerate(arrays) for b in arrays[:i]
        if a.shape == b.shape
    )  # fmt: skip


NETWORKS = {
    "dense": lambda: Sequential(*(Dense(6, 6) for _ in range(4))),
    "nested": lambda: Sequential(
        Sequential(Dense(6, 6), Dense(6, 6)), Dense(6, 6), Sequential(Dense(6, 6), Dense(6, 6))
    ),
    "deep": lambda: Sequential(Sequential(Sequential(Dense(6, 6)), Dense(6, 6)), Dense(6, 6)),
    "attributes": lambda: Sequential(Residual(6), Residual(6), Dense(6, 6)),
    "alone": lambda: Residual(6),
    "images": lambda: Sequential(*(Conv2D(2, 2, 3) for _ in range(3))),
    "transposed": lambda: Sequential(*(ConvTranspose2D(2, 2, 3, 2, "same") for _ in range(3))),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_layers_of_one_shape_differ_and_the_network_is_the_same_each_time(make):
    net = make()
    assert len(weights(net)) >= 3 and all_differ(weights(net))
    assert np.array_equal(net.theta, make().theta)


def encoder_and_decoder():
    """Return networks in which only layers without an rng have weights."""
    encoder = Sequential(Dense(6, 6), Tanh(), Sequential(Residual(6), Dense(6, 4)), Dense(4, 4))
    return {"encoder": encoder, "decoder": Sequential(Dense(2, 6), Dense(6, 6))}


def test_the_seed_of_a_model_decides_about_every_weight_of_its_own_networks():
    one, same, other = (VAE(6, 2, **encoder_and_decoder(), seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.theta, same.theta)
    pairs = list(zip(weights(one), weights(other), strict=True))
    assert len(pairs) == 8 and not any(np.isclose(a, b).any() for a, b in pairs)
    assert all_differ(weights(one))
    assert not np.array_equal(one.fit(X, epochs=1, verbose=0).theta, other.theta)


def test_the_networks_that_were_given_stay_as_they_were():
    networks = encoder_and_decoder()
    before = [network.theta.copy() for network in networks.values()]
    VAE(6, 2, **networks, seed=1)
    for network, theta in zip(networks.values(), before, strict=True):
        assert np.array_equal(network.theta, theta)


def test_convolutional_networks_of_a_readers_own_follow_the_seed_too():
    def model(seed):
        encoder = Sequential(Reshape(6, 6, 1), Conv2D(1, 2, 3, 2, "same"), Flatten(), Dense(18, 2))
        decoder = [Dense(2, 18), Reshape(3, 3, 2), ConvTranspose2D(2, 1, 3, 2, "same")]
        return Autoencoder(
            (6, 6), 2, encoder=encoder, decoder=Sequential(*decoder, Reshape(6, 6)), seed=seed
        )

    pairs = zip(weights(model(0)), weights(model(1)), strict=True)
    assert not any(np.isclose(a, b).any() for a, b in pairs)
    assert np.array_equal(model(1).theta, model(1).theta)


def test_a_layer_that_was_given_an_rng_keeps_its_weights():
    for seed in (0, 1):
        given = Sequential(Dense(6, 6, rng=0), Dense(6, 2, rng=np.random.default_rng(5)))
        model = Autoencoder(6, 2, encoder=given, seed=seed)
        assert np.array_equal(model.encoder.theta, given.theta)
    assert np.array_equal(weights(model)[0], Dense(6, 6, rng=0).params["W"])
    encoder, decoder = conv_networks((8, 8), 2, rng=0)
    model = Autoencoder((8, 8), 2, encoder=encoder, decoder=decoder, seed=7)
    assert np.array_equal(model.encoder.theta, encoder.theta)


def test_ready_made_convolutional_networks_follow_the_seed_of_the_model():
    def model(seed):
        encoder, decoder = conv_networks((8, 8), 2, dropout=0.2)
        return Autoencoder((8, 8), 2, encoder=encoder, decoder=decoder, seed=seed)

    pairs = zip(weights(model(0)), weights(model(1)), strict=True)
    assert not any(np.isclose(a, b).any() for a, b in pairs)
    assert np.array_equal(model(1).theta, model(1).theta)
    for one, other in zip(conv_networks((8, 8), 2), conv_networks((8, 8), 2), strict=True):
        assert np.array_equal(one.theta, other.theta) and all_differ(weights(one))


def trained(net):
    """Train a network as a reader would, with a loop of their own."""
    optimizer = SGD(0.1)
    for _ in range(2):
        net.backward(net.forward(X) - 1)
        optimizer.step(net.theta, net.dtheta)
    return net


def load_theta(net):
    net.theta = net.theta.copy()  # as from a file: the same values, chosen by somebody
    return net


def bias_only(net):
    for layer in net.layers[::2]:
        layer.params["b"] += 1
    return net


def one_at_a_time(net):
    for layer in net.layers[::2]:
        layer.params["W"] = 2 * layer.params["W"]
    return net


CHANGES = {
    "trained": trained,
    "theta assigned": load_theta,
    "biases assigned": bias_only,
    "weights assigned": one_at_a_time,
    "cast": lambda net: net.astype("float64"),
    "trained, copied": lambda net: copy.deepcopy(trained(net)),
    "trained, pickled": lambda net: pickle.loads(pickle.dumps(trained(net))),
    "from a model": lambda net: Autoencoder(6, 2, encoder=net, seed=9).encoder,
    "from a file": None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_weights_that_somebody_chose_are_never_drawn_again(change, tmp_path):
    net = Sequential(Dense(6, 5), Tanh(), Dense(5, 2))
    if change == "from a file":
        Autoencoder(6, 2, encoder=net, seed=9).save(tmp_path / "m.npz")
        net = Autoencoder.load(tmp_path / "m.npz").encoder
    else:
        net = CHANGES[change](net)
    expected = net.theta.copy()
    dtype = expected.dtype.name
    model = Autoencoder(6, 2, encoder=net, seed=3, dtype=dtype)
    assert np.array_equal(model.encoder.theta, expected)
    outer = Sequential(Dense(6, 6), copy.deepcopy(net))
    assert np.array_equal(outer.layers[1].theta, expected)


def test_a_layer_whose_gradient_was_used_keeps_its_weights_though_it_was_held_fixed():
    net = Sequential(Dense(6, 5), Tanh(), Dense(5, 2))
    held, rest = net.layers[0].theta.copy(), net.layers[2]
    net.backward(net.forward(X))
    rest.theta -= 0.1 * rest.dtheta
    model = Autoencoder(6, 2, encoder=net, seed=3)
    assert np.array_equal(model.encoder.layers[0].theta, held)
    assert np.array_equal(model.encoder.theta, net.theta)


def test_a_new_head_on_trained_layers_is_drawn_from_the_seed():
    body = trained(Sequential(Dense(6, 5), Tanh(), Dense(5, 6)))
    models = [
        Autoencoder(6, 2, encoder=Sequential(copy.deepcopy(body), Dense(6, 2)), seed=seed)
        for seed in (0, 1)
    ]
    for model in models:
        assert np.array_equal(model.encoder.layers[0].theta, body.theta)
    heads = [model.encoder.layers[1].params["W"] for model in models]
    assert not np.isclose(*heads).any()


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_copy_of_an_untrained_network_follows_the_seed_as_well(remake):
    networks = remake(encoder_and_decoder())
    one, other = (VAE(6, 2, **networks, seed=seed) for seed in (0, 1))
    assert not any(
        np.isclose(a, b).any() for a, b in zip(weights(one), weights(other), strict=True)
    )


def test_set_params_and_clone_draw_from_the_new_seed():
    model = VAE(6, 2, **encoder_and_decoder(), seed=1).fit(X, epochs=1, verbose=0)
    expected = VAE(6, 2, **encoder_and_decoder(), seed=2).theta
    assert np.array_equal(copy.deepcopy(model).set_params(seed=2).theta, expected)
    base = pytest.importorskip("sklearn.base")
    clone = base.clone(model)
    assert np.array_equal(clone.theta, VAE(6, 2, **encoder_and_decoder(), seed=1).theta)
    assert np.array_equal(clone.set_params(seed=2).theta, expected)


def test_a_double_model_of_single_layers_follows_its_seed():
    models = [VAE(6, 2, **encoder_and_decoder(), seed=seed, dtype="float64") for seed in (0, 1)]
    pairs = zip(weights(models[0]), weights(models[1]), strict=True)
    assert not any(np.isclose(a, b).any() for a, b in pairs)
    mixed = [
        Autoencoder(6, 2, seed=s, encoder=Sequential(Dense(6, 5), Dense(5, 2, dtype="float64")))
        for s in (0, 1)
    ]
    pairs = zip(weights(mixed[0]), weights(mixed[1]), strict=True)
    assert not any(np.isclose(a, b).any() for a, b in pairs)


def test_a_model_of_a_readers_own_draws_the_networks_that_it_adds():
    class Supervised(Autoencoder):
        def __init__(self, seed):
            super().__init__(6, 2, seed=seed)
            self.head = Dense(2, 3)

    heads = [Supervised(seed).head.params["W"] for seed in (0, 0, 1)]
    assert np.array_equal(heads[0], heads[1]) and not np.isclose(heads[0], heads[2]).any()


def test_the_built_networks_and_their_noise_are_those_of_the_seed_alone():
    """Layers with an rng take nothing from the model's generator."""
    built = VAE(6, 2, (5,), dropout=0.2, seed=3)
    given = VAE(6, 2, encoder=built.encoder, decoder=built.decoder, seed=3)
    assert np.array_equal(built.theta, given.theta)
    fresh = np.random.default_rng(3)
    assert given.rng.bit_generator.state == fresh.bit_generator.state


def test_a_checkpoint_of_networks_drawn_by_the_model_continues(tmp_path):
    def start():
        return VAE(6, 2, **encoder_and_decoder(), seed=5)

    whole = start().fit(X, epochs=3, verbose=0)
    for epochs in (1, 3):
        resumed = start().fit(X, epochs=epochs, checkpoint=tmp_path / "run.npz", verbose=0)
    assert np.array_equal(resumed.theta, whole.theta)
    other = VAE(6, 2, **encoder_and_decoder(), seed=6)
    with pytest.raises(ValueError, match="is of another run"):
        other.fit(X, epochs=3, checkpoint=tmp_path / "run.npz", verbose=0)


def test_two_dropouts_of_one_network_drop_different_entries():
    net = Sequential(Dropout(0.5), Dropout(0.5), Sequential(Dropout(0.5)))
    ones = np.ones((40, 50))
    masks = [part.forward(ones, training=True) for part in (*net.layers[:2], net.layers[2])]
    pairs = zip(masks, [*masks[1:], masks[0]], strict=True)
    assert not any(np.array_equal(a, b) for a, b in pairs)
    given = Sequential(Dropout(0.5), Dropout(0.5, rng=0))
    keep = np.random.default_rng(0).random(ones.shape, dtype=np.float32) >= 0.5
    alone = Dropout(0.5, rng=np.random.default_rng(0)).forward(ones, training=True)
    assert np.array_equal(alone, 2.0 * keep)
    assert np.array_equal(given.layers[1].forward(ones, training=True), alone)
    shared = np.random.default_rng(1)
    inner = Sequential(Dropout(0.5), Dropout(0.5))
    inner.set_rng(shared)
    assert all(layer.rng is shared for layer in Sequential(ReLUs(), inner).layers[1].layers)


class ReLUs(Layer):
    """A part without weights."""


def test_a_layer_of_a_readers_own_can_be_drawn_by_the_model():
    class Scale(Layer):
        def __init__(self, n, rng=None):
            super().__init__(a=np.zeros(n))
            draw_first(self, rng, n)

        def draw(self, rng):
            self.params["a"] = rng.uniform(0.5, 1.5, self.params["a"].shape)

        def forward(self, x, training=False):
            return self.remember(x, x * self.params["a"])

    drawn = [
        Autoencoder(6, 6, encoder=Sequential(Scale(6), Scale(6, rng=1)), seed=seed).encoder
        for seed in (0, 1)
    ]
    first, given = zip(*(net.layers for net in drawn), strict=True)
    assert not np.isclose(first[0].theta, first[1].theta).any()
    assert np.array_equal(given[0].theta, given[1].theta)
