"""Models of every kind, for tests that hold for all of them."""

import pytest

from miniae import VAE, Autoencoder

MODELS = {
    "autoencoder": Autoencoder(6, 2),
    "mse": Autoencoder(6, 2, loss="mse"),
    "vae": VAE(6, 2),
    "gaussian": VAE(6, 2, likelihood="gaussian"),
    "image": VAE((3, 2), 2),
    "double": VAE(6, 2, dtype="float64"),
    "multinomial": VAE(6, 2, likelihood="multinomial"),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
