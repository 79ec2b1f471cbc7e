import numpy as np

from miniae import VAE, Autoencoder, Dense, Sequential, Tanh
from miniae.plumbing.watch import first_not_finite, model_leaves, watch

X = np.random.default_rng(0).random((4, 6))


def test_the_layers_of_a_model_are_named_in_order():
    inner = Sequential(Dense(4, 2), Tanh())
    model = Autoencoder(
        6, 2, encoder=Sequential(Dense(6, 4), inner), decoder=Sequential(Dense(2, 6))
    )
    names = [name for name, _ in model_leaves(model)]
    assert names == ["encoder.0", "encoder.1.0", "encoder.1.1", "decoder.0"]


def test_the_first_layer_whose_output_is_not_finite_is_named():
    model = VAE(6, 2, (4,))
    assert first_not_finite(model, {"x": X}) == ""
    model.decoder.layers[0].params["b"] = np.full(4, np.inf)
    assert first_not_finite(model, {"x": X}).startswith("decoder.0, Dense(2, 4")


def test_what_passes_the_layers_is_seen_both_ways():
    model, forth, back = Autoencoder(6, 2, (4,)), [], []
    watch(model, lambda name, x, out: forth.append(name), lambda name, dout: back.append(name))
    model.loss(X)
    model.backward()
    assert forth == [name for name, _ in model_leaves(model)]
    assert list(dict.fromkeys(back)) == forth[::-1]
