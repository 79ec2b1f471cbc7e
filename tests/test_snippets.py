"""What people of the field type first, as it stands."""

import numpy as np
import pytest

from miniae import Autoencoder, Dense, ReLU, Sequential, datasets


@pytest.fixture(scope="module")
def x():
    return datasets.synthetic_digits(200, seed=0)[0].reshape(200, 784)


def test_the_shortest_call(x, capsys):
    model = Autoencoder(784, 128).fit(x, epochs=10)
    assert model.history["loss"][-1] < model.history["loss"][0]
    assert len(capsys.readouterr().err.splitlines()) == 10


def test_keras_calls(x):
    ae = Autoencoder(784, 32)
    ae.fit(x, x, epochs=10, batch_size=256, shuffle=True, validation_data=(x, x), verbose=0)
    assert ae.evaluate(x, x, verbose=0) == ae.history["val_loss"][-1]
    assert ae.predict(x).shape == x.shape


def test_a_deep_relu_autoencoder_with_sigmoid_output_and_bce(x):
    ae = Autoencoder(784, 16, hidden=(64, 32), activation="relu", code_activation="relu")
    ae.fit(x, epochs=2, verbose=0)
    out = ae.reconstruct(x)
    assert 0 <= out.min() and out.max() <= 1 and ae.encode(x).shape == (200, 16)
    assert [v.shape[1] for n, v, _ in ae.named_params() if n.endswith("W")] == [
        64, 32, 16, 32, 64, 784,
    ]  # fmt: skip


def test_the_same_from_layers_with_mse_and_the_halves_used_separately(x):
    encoder = Sequential(Dense(784, 64), ReLU(), Dense(64, 128), ReLU())
    decoder = Sequential(Dense(128, 64), ReLU(), Dense(64, 784))
    ae = Autoencoder(784, 128, loss="mse", encoder=encoder, decoder=decoder)
    ae.fit(x, x, epochs=2, verbose=0)
    codes = ae.encoder(x)
    assert np.array_equal(codes, ae.encode(x)) and codes.shape == (200, 128)
    assert np.array_equal(ae.decoder(codes), ae.decode(codes))
    assert np.array_equal(ae.decode(codes), ae.reconstruct(x))
