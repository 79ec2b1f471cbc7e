"""From a saved model to PyTorch, and the page that maps one to the other."""

import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from demo_runs import load, quick

import miniae
from miniae import (
    ELU,
    VAE,
    Autoencoder,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Reshape,
    Sequential,
    Softplus,
    Tanh,
    UpSample2D,
    conv_networks,
)

PAGE = Path(__file__).parents[3] / "docs" / "18_pytorch.md"


@pytest.fixture(scope="module")
def demo():
    pytest.importorskip("torch")
    with load("graduate_to_pytorch") as module:
        yield module


def same_padding():
    """Images (7, 6, 3): strides above and below the kernel, odd zeros, a network in a network."""
    encoder = Sequential(
        Sequential(Conv2D(3, 4, 3, 2, "same"), ReLU()), Conv2D(4, 5, 2, 1, "same"),
        Conv2D(5, 2, 1, 3, "same"), Flatten(), Dense(2 * 1 * 2, 4),
    )  # fmt: skip
    decoder = Sequential(
        Dense(2, 8), Reshape(2, -1, 2), ConvTranspose2D(2, 4, 2, 3, "same"), Softplus(),
        Conv2D(4, 5, 3, 3), ConvTranspose2D(5, 3, 4, 3, 1, (2, 1)),
    )  # fmt: skip
    return {"encoder": encoder, "decoder": decoder}


def convolutions(shape, **options):
    networks = conv_networks(shape, 2, (3, 4), variational=True, **options)
    return dict(zip(("encoder", "decoder"), networks, strict=True))


def without_bias(n_in, n_out):
    return Sequential(Dense(n_in, 5, bias=False), LeakyReLU(0.2), Dense(5, 5), ELU(1.7),
                      Dense(5, n_out, bias=False))  # fmt: skip


def signals():
    encoder = Sequential(Conv1D(3, 4, 3, 2, 1, bias=False), BatchNorm(4, eps=0.01), Tanh(),
                         Flatten(), Dense(4 * 4, 4))  # fmt: skip
    decoder = Sequential(
        Dense(2, 12), Reshape(4, 3), LayerNorm(3, eps=0.1), ConvTranspose1D(3, 3, 3, 2, 1)
    )
    return {"encoder": encoder, "decoder": decoder}


def pooled():
    encoder = Sequential(Conv2D(1, 3, 3, 1, 1), BatchNorm(3), MaxPool2D(3, "same"), LayerNorm(3),
                         MaxPool2D(2), Flatten(), Dense(3, 4))  # fmt: skip
    decoder = Sequential(Dense(2, 36), Reshape(4, 3, 3), UpSample2D(2), Conv2D(3, 1, 3, 1, 1))
    return {"encoder": encoder, "decoder": decoder}


MODELS = {
    "dense": lambda: VAE(7, 2, (5, 4), beta=0.5),
    "linear": lambda: VAE(7, 2, ()),
    "gelu": lambda: VAE(7, 2, (5, 4), activation="gelu"),
    "no bias": lambda: VAE(7, 2, encoder=without_bias(7, 4), decoder=without_bias(2, 7)),
    "grey images": lambda: VAE((4, 5), 2, (6,), activation="softplus", dropout=0.3),
    "colour images": lambda: VAE((4, 5, 3), 2, (6,), activation="sigmoid"),
    "convolutions": lambda: VAE((7, 6), 2, **convolutions((7, 6), dropout=0.2)),
    "convolutions of colours": lambda: VAE((7, 6, 3), 2, **convolutions((7, 6, 3), kernel=4)),
    "same padding": lambda: VAE((7, 6, 3), 2, **same_padding()),
    "signals": lambda: VAE((7, 3), 2, **signals()),
    "pooling and normalisation": lambda: VAE((8, 6, 1), 2, **pooled()),
}


def saved(tmp_path, vae, seed=0):
    """Save a model with random weights, biases and running statistics; return it and its file."""
    rng = np.random.default_rng(seed)
    vae.theta = 0.5 * rng.standard_normal(vae.theta.shape)
    for _, value in vae.named_buffers():
        value[...] = rng.uniform(0.5, 2, value.shape)
    vae.save(tmp_path / "vae.npz")
    return vae, tmp_path / "vae.npz"


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_counterpart_computes_the_same_outputs_loss_and_gradients(demo, tmp_path, name):
    vae, path = saved(tmp_path, MODELS[name]())
    torch, vae, model = demo.torch, vae.astype(np.float64), demo.TorchVAE(path).double().eval()
    rng = np.random.default_rng(1)
    x, eps = rng.random((6, *vae.input_shape)), rng.standard_normal((6, 2))
    loss = vae.loss(x, eps=eps)
    vae.backward()
    theirs = model.loss(demo.tensor(x), torch.from_numpy(eps))
    theirs.backward()
    # Sums of at most some hundred numbers near 1, each rounded to 1.1e-16 of the largest.
    assert theirs.item() == pytest.approx(loss, rel=1e-13)
    assert demo.difference(model.theta(gradient=True), vae.dtheta) < 1e-12
    out = vae.decoder.forward(vae.encode(x))
    with torch.no_grad():
        logits = model(demo.tensor(x), torch.zeros(6, 2))[0]
    logits = logits.movedim(1, -1) if x.ndim == 4 else logits
    assert demo.difference(logits.numpy(), out) < 1e-13


@pytest.mark.slow
def test_softplus_has_all_its_digits_beyond_the_threshold_of_pytorch(demo):
    x = np.linspace(-60, 60, 241)
    theirs = demo.COUNTERPARTS["Softplus"]({})(demo.torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(theirs, Softplus().forward(x), rtol=1e-15)


@pytest.mark.slow
def test_a_file_is_read_without_miniae_and_its_weights_come_home_to_the_last_bit(demo, tmp_path):
    vae, path = saved(tmp_path, MODELS["same padding"]())
    header, params, _ = demo.read(path)
    assert header["class"] == "VAE" and list(params) == [name for name, _, _ in vae.named_params()]
    for name, value, _ in vae.named_params():
        np.testing.assert_array_equal(params[name], value)
    np.testing.assert_array_equal(demo.TorchVAE(path).theta(), vae.theta)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "grey images", "convolutions of colours"])
def test_ten_steps_of_adam_end_at_the_same_weights(demo, tmp_path, name):
    vae, path = saved(tmp_path, MODELS[name]())
    X = np.random.default_rng(2).random((50, *vae.input_shape), dtype=np.float32)
    found = demo.compare(path, X, seed=3, batch_size=20)
    assert all(a < limit for a, limit in zip(found, demo.LIMITS.values(), strict=True)), found


@pytest.mark.slow
def test_training_goes_on_there_and_lowers_the_loss(demo, tmp_path):
    _, path = saved(tmp_path, MODELS["dense"]())
    X = np.random.default_rng(2).random((200, 7), dtype=np.float32)
    model = demo.TorchVAE(path)
    demo.train(model, demo.tensor(X), epochs=20, seed=0, batch_size=10)
    home = VAE.load(path)
    before = home.evaluate(X)
    home.theta = model.theta()
    assert home.evaluate(X) < before - 0.5


class Odd(Layer):
    """A layer that is none of miniae's."""

    def forward(self, x, training=False):
        return self.remember(x, x)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model, message",
    [
        (lambda: Autoencoder(7, 2), "class='Autoencoder' has no counterpart here"),
        (lambda: VAE(7, 2, likelihood="gaussian"), "likelihood='gaussian' has no counterpart"),
        (lambda: VAE(7, 2, free_bits=0.5), "free_bits=0.5 has no counterpart"),
        (lambda: VAE(7, 2, kl_warmup=10), "kl_warmup=10 has no counterpart"),
        (lambda: VAE(7, 2, prior=miniae.GaussianPrior(1.0)), "prior=.* has no counterpart"),
        (
            lambda: VAE(7, 2, encoder=Sequential(Odd(), Dense(7, 4)), decoder=None),
            "layer Odd has no counterpart here: add a line to COUNTERPARTS",
        ),
        (
            lambda: VAE(
                (8, 1), 2, encoder=Sequential(Conv1D(1, 1, 3, 1, "same"), Flatten(), Dense(8, 4))
            ),
            'padding="same" of signals has no counterpart here',
        ),
    ],
    ids=["class", "likelihood", "free bits", "warm-up", "prior", "layer", "same"],
)
def test_what_has_no_counterpart_is_refused_by_name(demo, tmp_path, model, message):
    _, path = saved(tmp_path, model())
    with pytest.raises(ValueError, match=message):
        demo.TorchVAE(path)


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit, match="pip install torch"), load("graduate_to_pytorch"):
        pass


@pytest.mark.demo
def test_graduate_quick_prints_differences_within_their_limits(tmp_path):
    pytest.importorskip("torch")
    done = quick(tmp_path, "graduate_to_pytorch", "--data", "digits")
    lines = done.text.split("\n\n")[1].splitlines()[1:]
    assert len(lines) == 7
    for line in lines:
        dense, convolutional, limit = map(float, line.split()[-3:])
        assert max(dense, convolutional) < limit, line


def test_the_page_maps_every_public_class_and_every_argument_of_it():
    sections = re.split(r"^#+ ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    missing = []
    for name in miniae.__all__:
        public = getattr(miniae, name)
        if inspect.ismodule(public):
            continue
        own = [text for text in sections if f"`{name}" in text]
        if not own:
            missing.append(name)
        for argument in inspect.signature(public).parameters.values():
            if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL):
                continue
            word = re.compile(rf"`[^`]*\b{argument.name}\b[^`]*`")
            if not any(word.search(text) for text in own):
                missing.append(f"{name}({argument.name})")
    assert not missing


@pytest.mark.slow
def test_the_pytorch_code_of_the_page_runs(demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    found = re.findall(r"^```python[^\n]*\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert found
    for text in found:
        exec(compile(text, PAGE.name, "exec"), names)
