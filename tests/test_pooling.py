"""Max pooling and upsampling, against plain loops and PyTorch."""

import copy
import itertools

import numpy as np
import pytest
from sampled import often

from miniae import (
    Autoencoder,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    ReLU,
    Reshape,
    Sequential,
    UpSample2D,
)
from miniae.proof import gradient_check

SHAPES = [(2, 6, 4, 3), (2, 7, 5, 1), (1, 5, 8, 2)]


def images(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("padding", [0, "same"])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_pooling_keeps_the_largest_pixel_of_each_block(shape, size, padding):
    x = images(shape)
    out = MaxPool2D(size, padding).forward(x)
    starts = [0, 0]
    if padding == "same":
        starts = [-((-length % size) // 2) for length in shape[1:3]]
    for r, c in np.ndindex(out.shape[1:3]):
        top, left = starts[0] + r * size, starts[1] + c * size
        block = x[:, max(top, 0) : top + size, max(left, 0) : left + size]
        assert np.array_equal(out[:, r, c], block.max(axis=(1, 2)))
    sizes = [-(-n // size) if padding == "same" else n // size for n in shape[1:3]]
    assert list(out.shape[1:3]) == sizes


@pytest.mark.slow
@pytest.mark.parametrize(("size", "shape"), often(4, itertools.product([2, 3, 1], SHAPES)))
def test_the_gradients_are_exact(shape, size):
    for layer in (MaxPool2D(size), MaxPool2D(size, "same"), UpSample2D(size)):
        gradient_check(layer, images(shape), tolerance=1e-12).raise_if_wrong()


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_layers_equal_those_of_pytorch(shape, size):
    torch = pytest.importorskip("torch")
    x = images(shape)
    given = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    for ours, theirs in (
        (MaxPool2D(size), torch.nn.MaxPool2d(size)),
        (UpSample2D(size), torch.nn.Upsample(scale_factor=size)),
    ):
        given.grad = None
        out, other = ours.forward(x), theirs(given)
        dout = images(out.shape, 1)
        other.backward(torch.tensor(dout.transpose(0, 3, 1, 2)))
        assert np.array_equal(out, other.detach().numpy().transpose(0, 2, 3, 1))
        dx = given.grad.numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(ours.backward(dout), dx, rtol=0, atol=1e-10)


def test_of_equal_pixels_the_first_gets_the_gradient():
    layer = MaxPool2D(2)
    layer.forward(np.array([[1.0, 3.0], [3.0, 2.0]]).reshape(1, 2, 2, 1))
    dx = layer.backward(np.full((1, 1, 1, 1), 0.7))
    assert np.array_equal(dx[0, :, :, 0], [[0, 0.7], [0, 0]])


def test_pooling_undoes_upsampling():
    x = images((3, 4, 5, 2))
    assert np.array_equal(MaxPool2D(3).forward(UpSample2D(3).forward(x)), x)


def test_a_nan_is_not_hidden_by_larger_pixels():
    x = images((1, 2, 2, 1))
    x[0, 1, 0, 0] = np.nan
    assert np.isnan(MaxPool2D(2).forward(x)).all()


def test_whole_numbers_are_pooled():
    x = np.arange(16).reshape(1, 4, 4, 1)
    assert MaxPool2D(2).forward(x).ravel().tolist() == [5, 7, 13, 15]


def blog_networks():
    """Return the convolutional networks of the Keras blog: 28 -> 14 -> 7 -> 4, and back."""
    encoder = Sequential(
        Conv2D(1, 4, 3, 1, "same"), ReLU(), MaxPool2D(2, "same"),
        Conv2D(4, 2, 3, 1, "same"), ReLU(), MaxPool2D(2, "same"),
        Conv2D(2, 2, 3, 1, "same"), ReLU(), MaxPool2D(2, "same"), Flatten(), Dense(32, 8),
    )  # fmt: skip
    decoder = Sequential(
        Dense(8, 32), Reshape(4, 4, 2), Conv2D(2, 2, 3, 1, "same"), ReLU(), UpSample2D(2),
        Conv2D(2, 2, 3, 1, "same"), ReLU(), UpSample2D(2),
        Conv2D(2, 4, 3), ReLU(), UpSample2D(2), Conv2D(4, 1, 3, 1, "same"),
    )  # fmt: skip
    return encoder, decoder


@pytest.mark.slow
def test_the_networks_of_the_keras_blog_train_and_survive_copies_and_files(tmp_path):
    encoder, decoder = blog_networks()
    model = Autoencoder((28, 28, 1), 8, encoder=encoder, decoder=decoder)
    X = np.random.default_rng(0).random((64, 28, 28, 1)) ** 4
    before = model.evaluate(X)
    model.fit(X, epochs=2, batch_size=16, optimizer="adam", verbose=0)
    assert model.evaluate(X) < before
    model.save(tmp_path / "model.npz")
    for other in (Autoencoder.load(tmp_path / "model.npz"), copy.deepcopy(model)):
        assert np.array_equal(other.encode(X), model.encode(X))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (MaxPool2D(4), (2, 3, 8, 1), "smaller than one block of 4 by 4"),
        (MaxPool2D(2), (2, 3, 8), r"\(n, h, w, c\), got \(2, 3, 8\); x\[..., None\]"),
        (UpSample2D(2), (2, 3), r"\(n, h, w, c\), got \(2, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.zeros(shape))


@pytest.mark.parametrize("padding", [1, -1, True, "SAME", "valid", None, np.zeros(2)])
def test_an_unknown_padding_is_refused(padding):
    with pytest.raises(ValueError, match='must be 0, which Keras calls "valid", or "same"'):
        MaxPool2D(2, padding)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_of_minus_infinity_gives_its_gradient_to_a_pixel_of_its_own(shape, size):
    layer, x = MaxPool2D(size, "same"), images(shape)
    x[0] = -np.inf
    out = layer.forward(x)
    assert (out[0] == -np.inf).all() and np.isfinite(out[1:]).all()
    dout = images(out.shape, 1)
    dx = layer.backward(dout)
    assert dx.sum() == pytest.approx(dout.sum(), rel=1e-12)
    # A pixel that is the largest of its block by a little is the one that -inf blocks choose.
    first = np.zeros(shape)
    first.reshape(len(x), -1, shape[3])[:] = -np.arange(shape[1] * shape[2])[:, None]
    layer.forward(first)
    np.testing.assert_array_equal(layer.backward(dout)[0], dx[0])
