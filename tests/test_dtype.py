"""A float64 of NumPy among the settings does not turn the float32 arrays of a step into float64."""

import numpy as np
import pytest

from miniae import (
    ELU,
    SGD,
    VAE,
    Adam,
    Autoencoder,
    Dense,
    GaussianNLL,
    GaussianNoise,
    GaussianPrior,
    Huber,
    KLSparsity,
    L1Penalty,
    LaplaceNLL,
    LeakyReLU,
    MaskingNoise,
    Mixed,
    SaltAndPepper,
    Sequential,
)

D = np.float64  # what np.linspace, np.logspace and a grid search give
X = np.random.default_rng(0).random((8, 6), dtype=np.float32)
MODELS = {
    "dropout": lambda: VAE(6, 2, (5,), dropout=D(0.2)),
    "dropout of an autoencoder": lambda: Autoencoder(6, 2, (5,), dropout=D(0.2)),
    "beta": lambda: VAE(6, 2, (5,), beta=D(2), free_bits=D(0.1)),
    "a prior": lambda: VAE(6, 2, (5,), prior=GaussianPrior(D(0), D(2))),
    "slopes": lambda: Autoencoder(
        6,
        2,
        encoder=Sequential(Dense(6, 5), LeakyReLU(D(0.1)), Dense(5, 2)),
        decoder=Sequential(Dense(2, 5), ELU(D(1.3)), Dense(5, 6)),
    ),
    "sigma": lambda: VAE(6, 2, (5,), likelihood=GaussianNLL(D(0.7))),
    "sigma, learned": lambda: VAE(6, 2, (5,), likelihood=GaussianNLL(D(0.7), learn_sigma=True)),
    "scale": lambda: VAE(6, 2, (5,), likelihood=LaplaceNLL(D(0.7))),
    "delta": lambda: Autoencoder(6, 2, (5,), loss=Huber(D(0.7))),
    "groups": lambda: VAE(6, 2, (5,), likelihood=Mixed([("gaussian", 3), ("bernoulli", 3)])),
    "a penalty": lambda: Autoencoder(6, 2, (5,), penalty=L1Penalty(D(0.3))),
    "sparsity": lambda: Autoencoder(
        6, 2, (5,), code_activation="sigmoid", penalty=KLSparsity(D(0.1), D(0.3))
    ),
    "noise": lambda: Autoencoder(6, 2, (5,), corruption=GaussianNoise(D(0.3))),
    "masking noise": lambda: Autoencoder(6, 2, (5,), corruption=MaskingNoise(D(0.3))),
    "salt and pepper": lambda: Autoencoder(
        6, 2, (5,), corruption=SaltAndPepper(D(0.3), D(0), D(1))
    ),
}


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_a_step_in_float32_stays_in_float32(build, monkeypatch):
    model, dtypes = build(), []
    for network in (model.encoder, model.decoder):
        for name in ("forward", "backward", "backward_params"):
            method = getattr(network, name)

            def noting(array, *more, method=method):
                out = method(array, *more)
                dtypes.extend(a.dtype for a in (array, out) if a is not None)
                return out

            monkeypatch.setattr(network, name, noting)
    model.loss(X, training=True)
    model.backward()
    assert len(dtypes) == 7 and set(dtypes) == {np.dtype("float32")}


@pytest.mark.parametrize("make", [SGD, Adam])
def test_an_update_in_float32_is_the_same_for_a_rate_of_either_kind(make):
    thetas = []
    for lr in (0.1, D(0.1), lambda t: 0.1, lambda t: D(0.1)):
        theta = np.ones(3, "float32")
        make(lr).step(theta, np.float32([0.3, -0.1, 7]))
        thetas.append(theta.tolist())
    assert thetas[1:] == thetas[:-1]


@pytest.mark.parametrize("lr", [D(0.1), lambda t: D(0.1)])
def test_the_rate_that_an_update_gets_is_a_float(lr):
    class Noting(SGD):
        def update(self, theta, dtheta, lr, velocity=None):
            assert type(lr) is float

    Noting(lr).step(np.ones(3, "float32"), np.ones(3, "float32"))
