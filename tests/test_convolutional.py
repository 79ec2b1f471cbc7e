"""Convolutional networks: they work for images of any size, train, and have exact gradients."""

import numpy as np
import pytest

from miniae import VAE, Autoencoder, Conv2D, ConvTranspose2D, Reshape, conv_networks
from miniae.proof.gradcheck import gradient_check


@pytest.mark.parametrize("shape", [(28, 28), (9, 6), (7, 7, 1), (5, 8, 3), (13, 4, 3)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 3), (4, 1), (2, 2)])
def test_conv_networks_give_back_images_of_any_size(shape, kernel, stride):
    encoder, decoder = conv_networks(shape, 3, (4, 5), kernel, stride=stride)
    x = np.random.default_rng(0).random((2, *shape), dtype="float32")
    codes = encoder.forward(x)
    out = decoder.forward(codes)
    assert codes.shape == (2, 3) and out.shape == x.shape
    assert codes.dtype == out.dtype == np.float32
    convolutions = [layer for layer in encoder.layers if isinstance(layer, Conv2D)]
    mirrored = [layer for layer in decoder.layers if isinstance(layer, ConvTranspose2D)]
    for down, up in zip(convolutions, reversed(mirrored), strict=True):
        assert (down.c_in, down.c_out) == (up.c_out, up.c_in)


def test_conv_networks_with_odd_kernels_take_one_pixel_and_with_even_ones_say_where_it_ends():
    encoder, decoder = conv_networks((1, 1), 3, (4, 5))
    assert decoder.forward(encoder.forward(np.ones((2, 1, 1)))).shape == (2, 1, 1)
    with pytest.raises(
        ValueError, match=r"input_dim=\(9, 3\): only \[4, 1\] .* convolution 2 of 3"
    ):
        conv_networks((9, 3), 3, (4, 5, 6), 2)


def test_conv_networks_draw_all_weights_from_one_generator():
    a, b = (conv_networks((8, 8), 4, (3, 3, 3), rng=5) for _ in range(2))
    c = conv_networks((8, 8), 4, (3, 3, 3), rng=np.random.default_rng(5))
    other = conv_networks((8, 8), 4, (3, 3, 3), rng=6)
    for half in (0, 1):
        assert np.array_equal(a[half].theta, b[half].theta)
        assert np.array_equal(a[half].theta, c[half].theta)
        assert not np.array_equal(a[half].theta, other[half].theta)
    two = [layer.params["W"] for layer in a[0].layers if repr(layer).startswith("Conv2D(3, 3")]
    assert len(two) == 2 and not np.array_equal(*two)


def test_conv_networks_initialise_for_the_activation_that_follows():
    for activation, init in (("relu", "he"), ("tanh", "glorot")):
        encoder, decoder = conv_networks((9, 9), 2, (3, 4), activation=activation)
        inits = [
            [layer.init for layer in half.layers if layer.theta.size] for half in (encoder, decoder)
        ]
        assert inits == [[init, init, "glorot"], [init, init, "glorot"]]


def test_conv_networks_add_a_channel_axis_only_where_there_is_none():
    for shape, ends in (((9, 9), True), ((9, 9, 1), False)):
        encoder, decoder = conv_networks(shape, 2)
        assert isinstance(encoder.layers[0], Reshape) == ends
        assert isinstance(decoder.layers[-1], Reshape) == ends
    assert conv_networks((9, 9), 2, dtype="float64")[1].theta.dtype == np.float64


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: conv_networks(784, 2), r"input_dim=784 must be an image shape, \(h, w\)"),
        (lambda: conv_networks((784,), 2), r"input_dim=\(784,\)"),
        (lambda: conv_networks((28, 0), 2), r"input_dim=\(28, 0\)"),
        (lambda: conv_networks((28, 28), 0), "latent_dim=0"),
        (lambda: conv_networks((28, 28), 2, ()), r"channels=\(\) must be"),
        (lambda: conv_networks((28, 28), 2, 32), "channels=32 must be"),
        (lambda: conv_networks((28, 28), 2, (32, 0)), "c_out=0"),
        (lambda: conv_networks((28, 28), 2, activation="mish"), "activation='mish' is unknown"),
        (lambda: conv_networks((28, 28), 2, kernel=2, stride=3), "stride=3 is above kernel=2"),
        (lambda: conv_networks((28, 28), 2, kernel=(3, 3)), r"kernel=\(3, 3\)"),
    ],
)
def test_conv_networks_refuse_what_cannot_work(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def models(shape, **options):
    """Return a convolutional autoencoder and a VAE with two latents."""
    build = {"channels": (2, 2), "activation": "tanh", **options}
    made = []
    for cls in (Autoencoder, VAE):
        encoder, decoder = conv_networks(shape, 2, variational=cls is VAE, rng=1, **build)
        made.append(cls(shape, 2, encoder=encoder, decoder=decoder))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 3)])
def test_whole_convolutional_models_have_exact_gradients(shape):
    x = np.random.default_rng(0).random((2, *shape))
    for model in models(shape):
        gradient_check(model, x, training=True, tolerance=1e-12).raise_if_wrong()


def test_convolutional_models_train_and_survive_a_file(tmp_path):
    x = np.random.default_rng(0).random((40, 7, 5), dtype="float32")
    for model in models((7, 5), channels=(8, 8), activation="relu"):
        model.fit(x, epochs=8, batch_size=10, verbose=0)
        assert model.history["loss"][-1] < model.history["loss"][0]
        assert model.reconstruct(x).shape == x.shape
        model.save(tmp_path / "model.npz")
        again = type(model).load(tmp_path / "model.npz")
        assert repr(again.encoder) == repr(model.encoder)
        assert repr(again.decoder) == repr(model.decoder)
        assert np.array_equal(again.reconstruct(x), model.reconstruct(x))


def test_a_model_of_conv_networks_says_which_half_does_not_fit():
    encoder, decoder = conv_networks((8, 8), 4)
    with pytest.raises(ValueError, match=r"encoder maps samples of shape \(8, 8\) to \(4,\)"):
        VAE((8, 8), 4, encoder=encoder, decoder=decoder)
    with pytest.raises(ValueError, match=r"decoder"):
        Autoencoder((8, 8, 1), 4, encoder=encoder, decoder=conv_networks((9, 8, 1), 4)[1])


@pytest.mark.slow
def test_dropout_follows_every_activation_of_both_networks_and_acts_in_training_only():
    networks = conv_networks((9, 7), 3, channels=(4, 5), dropout=0.3)
    model = Autoencoder((9, 7), 3, encoder=networks[0], decoder=networks[1], dtype="float64")
    kinds = [type(part).__name__ for network in networks for part in network.layers]
    assert kinds.count("Dropout") == kinds.count("ReLU") == 4
    X = np.random.default_rng(0).random((5, 9, 7))
    assert model.loss(X, training=True) != model.loss(X) == model.loss(X)
    report = gradient_check(model, X[:2], training=True, method="projection", tolerance=1e-12)
    assert report.ok, report
