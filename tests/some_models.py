"""Models of every kind, for tests that hold for all of them."""

import numpy as np
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


def refuses_labels(model, X, labels, message):
    """Assert that a conditional model refuses labels in each way of use, and does not train."""
    before = model.theta.copy()
    for call in (
        lambda: model.fit(X, labels=labels, verbose=0),
        lambda: model.encode(X, labels=labels),
        lambda: model.loss(X, labels=labels),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert np.array_equal(model.theta, before)
