"""Wrong data and arguments of a kind that beginners meet: the error says what to write."""

import numpy as np
import pytest

from miniae import (
    VAE,
    Autoencoder,
    Conv2D,
    Dense,
    Flatten,
    GaussianNoise,
    ReLU,
    Reshape,
    Sequential,
)

X = np.random.default_rng(0).random((12, 6))
IMAGES = X.reshape(-1, 2, 3)
QUIET = {"epochs": 1, "verbose": 0}


def model(*args, **options):
    return Autoencoder(*args, **{"latent_dim": 2, "hidden": (4,), **options})


def hidden_entries(values):
    return np.ma.masked_array(values, np.arange(np.size(values)).reshape(np.shape(values)) == 1)


class Weighted(Autoencoder):
    def loss(self, x, target=None, *, labels=None, eps=None, rng=None, training=False):
        return super().loss(x, target, eps=eps, rng=rng, training=training)


SCALED = (X - 0.5) / 0.3
CALLS = {
    # shapes
    "images without channels": (lambda: model((2, 3, 1)).encode(IMAGES), r"X\[\.\.\., None\]"),
    "images with a channel": (lambda: model((2, 3)).encode(IMAGES[..., None]), r"X\[\.\.\., 0\]"),
    "channels first": (
        lambda: model((2, 3, 4)).encode(np.zeros((5, 4, 2, 3))),
        r"channels come last here: np.moveaxis\(X, 1, -1\)",
    ),
    "images for a flat model": (lambda: model(6).fit(IMAGES, **QUIET), r"X.reshape\(-1, 6\)"),
    "rows for images": (lambda: model((2, 3)).score(X), r"X.reshape\(-1, 2, 3\)"),
    "columns as samples": (lambda: model(6).encode(np.zeros((6, 40))), r"X\.T"),
    "the shape of the data": (lambda: model(X.shape).fit(X, **QUIET), r"X\.shape\[1:\]"),
    "the shape of much data": (lambda: Autoencoder((60_000, 784)), r"X\.shape\[1:\]"),
    "one sample": (lambda: model(6).encode(X[0]), r"a single sample is x\[None\]"),
    "a column as a vector": (lambda: model(1).encode(np.zeros(5)), r"\(5,\)"),
    # targets and labels
    "labels to validate": (
        lambda: model(6).fit(X, validation_data=(X, np.arange(12)), **QUIET),
        r"validation_data is X alone, or \(X, what to reconstruct\): leave labels out",
    ),
    "labels as a target": (lambda: model(6).fit(X, np.arange(12), **QUIET), "leave it out"),
    "hidden labels": (
        lambda: Weighted(6, 2).fit(X, labels=hidden_entries(np.arange(12)), **QUIET),
        "labels is a masked array with hidden entries",
    ),
    "hidden codes": (
        lambda: model(6).decode(hidden_entries(np.zeros((4, 2)))),
        "Z is a masked array with hidden entries",
    ),
    # values
    "too large": (
        lambda: model(6, loss="mse").fit(X * 1e300, **QUIET),
        r'X\[0, 0\] is .*e\+299, too large for the model\'s dtype float32: .*dtype="float64"',
    ),
    "too large to encode": (lambda: model(6).encode(np.full((1, 6), -1e39)), "too large for"),
    "standardised": (lambda: model(6).fit(SCALED, **QUIET), 'loss="mse" or loss="gaussian"'),
    "standardised, VAE": (lambda: VAE(6).fit(SCALED, **QUIET), 'likelihood="gaussian"$'),
    "new data": (lambda: model(6).score(X + 0.1), "MinMaxScaler .*clip=True"),
    "bytes": (lambda: model(6).fit(X * 255, **QUIET), "X / 255"),
    "objects": (lambda: model(6).encode(X.astype(object)), r"dtype object; X.astype\(float\)"),
    "text": (lambda: model(6).encode(X.astype(str)), r"X.astype\(float\)"),
    "dates": (lambda: model(6).encode(np.zeros((3, 6), "M8[D]")), r"dtype datetime64\[D\]"),
    # arguments
    "hidden": (lambda: Autoencoder(6, hidden=400), r"hidden=400 .*hidden=\(400,\)"),
    "hidden of NumPy": (lambda: VAE(6, hidden=np.int64(4)), r"hidden=\(4,\)"),
    "hidden as text": (lambda: VAE(6, hidden="128"), "hidden='128'"),
    "no hidden": (lambda: VAE(6, hidden=None), "hidden=None"),
    "activations": (lambda: VAE(6, activation=("tanh", "relu")), "must be one name"),
    "an activation's class": (lambda: VAE(6, activation=ReLU), "must be one name"),
    "dropout": (lambda: VAE(6, dropout="a"), "dropout='a' must be"),
    "no dropout": (lambda: VAE(6, dropout=None), "dropout=None must be"),
    "dtype": (lambda: VAE(6, dtype="flaot32"), "dtype=flaot32 must be"),
    "seed": (lambda: VAE(6, seed=-1), "seed=-1 must be"),
    "seed as text": (lambda: VAE(6, seed="0"), "seed='0' must be"),
    "a broken seed": (lambda: VAE(6, seed=1.5), "seed=1.5 must be"),
    "beta": (lambda: VAE(6, beta="x"), "beta='x' must be"),
    "no beta": (lambda: VAE(6, beta=None), "beta=None must be"),
    "warm-up": (lambda: VAE(6, kl_warmup="5"), "kl_warmup='5'"),
    "free bits": (lambda: VAE(6, free_bits=[0.1]), r"free_bits=\[0.1\]"),
    "half a latent": (lambda: VAE(6, 2.5), "^latent_dim=2.5 must be an integer"),
    "no latents": (lambda: VAE(6, None), "^latent_dim=None must be an integer"),
    "latents as text": (lambda: Autoencoder(6, "2"), "^latent_dim='2' must be an integer"),
    "a bool of latents": (lambda: Autoencoder(6, True), "^latent_dim=True must be an integer"),
    "data as a size": (lambda: Autoencoder(X), r"input_dim is an array of shape \(12, 6\)"),
    "input": (lambda: Autoencoder("6"), "^input_dim='6': all sizes must be integers"),
    # networks
    "feature maps": (
        lambda: Autoencoder((8, 8, 1), 8, encoder=Sequential(Conv2D(1, 2, 3, padding="same"))),
        r"end the encoder in Flatten\(\), Dense\(128, 8\)",
    ),
    "a flat decoder": (
        lambda: Autoencoder((2, 3), 2, decoder=Sequential(Dense(2, 6))),
        r"end the decoder in Reshape\(2, 3\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CALLS)
def test_the_error_says_what_to_write(kind):
    call, words = CALLS[kind]
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_encoder_and_decoder_must_not_share_layers():
    both = Sequential(Dense(4, 4))
    with pytest.raises(ValueError, match="encoder and decoder are one object"):
        Autoencoder(4, 4, encoder=both, decoder=both)
    with pytest.raises(ValueError, match=r"share a layer, decoder\. Sequential"):
        Autoencoder(4, 4, encoder=Sequential(both, ReLU()), decoder=both)
    with pytest.raises(ValueError, match="part of another network"):
        Autoencoder(4, 4, encoder=both, decoder=Sequential(*both.layers))
    noise = GaussianNoise(0.1)  # functions without weights and memory may be shared
    assert Autoencoder(4, 2, corruption=noise).corruption is noise


@pytest.mark.parametrize("seed", [None, np.int64(3), np.random.default_rng(3), [1, 2]])
def test_any_seed_of_numpy_is_a_seed(seed):
    assert VAE(6, 2, seed=seed).theta.size


def test_a_large_sample_may_have_networks_of_its_own():
    shape = (5000, 4000)

    class Mean(Flatten):
        def forward(self, x, training=False):
            return x.mean(axis=(1, 2), keepdims=False)[:, None]

    class Constant(Reshape):
        def forward(self, x, training=False):
            return np.broadcast_to(x[:, :, None], (len(x), *shape))

    assert Autoencoder(shape, 1, encoder=Sequential(Mean()), decoder=Sequential(Constant(1)))
