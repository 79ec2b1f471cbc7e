"""The page to walk in latent space: what it decodes is what the model decodes."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from miniae import (
    VAE,
    Autoencoder,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    MultinomialNLL,
    ReLU,
    Reshape,
    Sequential,
    Softplus,
    conv_networks,
    explorer,
)

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
NODE = shutil.which("node")
RNG = np.random.default_rng(0)
MODELS = {
    "vae": VAE((5, 4), 2, (7, 6), seed=1),
    "flat gaussian": VAE(9, 3, (8,), activation="relu", likelihood="gaussian", seed=2),
    "autoencoder": Autoencoder((4, 4), 1, (6,), activation="sigmoid", seed=3),
    "multinomial": VAE(9, 2, (8,), likelihood=MultinomialNLL(), seed=4),
    "mixed": Autoencoder(
        (4, 4, 1), 2,
        encoder=Sequential(Flatten(), Dense(16, 2, rng=1)),
        decoder=Sequential(
            Sequential(Dense(2, 5, rng=2), Softplus()), Dropout(0.5), Dense(5, 16, rng=3), ReLU(),
            Reshape(4, 4, 1),
        ),
        loss="mse", dtype="float64",
    ),
}  # fmt: skip
for _model in MODELS.values():
    _model.theta = RNG.standard_normal(_model.theta.shape)


def page(tmp_path, model, **options):
    """Return the path, the text and the data of a model's page."""
    path = tmp_path / "page.html"
    explorer.export_html(model, path, **options)
    text = path.read_text("utf-8")
    data = re.search(r'<script type="application/json" id="model">(.*)</script>', text)
    return path, text, json.loads(data[1])


def test_a_page_is_one_file_that_asks_for_nothing_outside(tmp_path):
    _, text, data = page(tmp_path, MODELS["vae"])
    assert not re.search(r"https?:|<link|src=|import |fetch\(", text)
    assert data["shape"] == [5, 4] and data["span"] == [-3, 3] and data["points"] == []


def test_codes_of_images_are_points_with_a_colour_for_each_class(tmp_path):
    model, X = MODELS["vae"], RNG.random((40, 5, 4))
    labels = np.repeat(["</script>", "b"], 20)
    _, text, data = page(tmp_path, model, X=X, labels=labels, title="<b>")
    codes = np.array([point["code"] for point in data["points"]])
    np.testing.assert_allclose(codes, model.encode(X), atol=1e-4)
    colours = [point["colour"] for point in data["points"]]
    assert set(colours[:20]) == {data["classes"]["</script>"]} != set(colours[20:])
    assert text.count("</script>") == 2 and "<b>" not in text
    low, high = data["span"]
    assert low <= np.quantile(codes, 0.01) and np.quantile(codes, 0.99) <= high


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: (VAE((4, 4), 2, (8,)), {"labels": [1]}), "labels= needs X"),
        (lambda: (VAE((4, 4), 2, (8,)), {"X": np.ones((3, 4, 4)), "labels": [1]}), "one each"),
        (
            lambda: (VAE((4, 4), 2, (8,)), {"X": RNG.random((12, 4, 4)), "labels": range(12)}),
            "12 cl",
        ),
        (lambda: (VAE((4, 4), 2, (8,)), {"span": (1, 1)}), "low < high"),
        (lambda: (VAE(7, 2, (8,)), {}), "no grey image"),
        (lambda: (VAE((4, 4, 3), 2, (8,)), {}), "no grey image"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, build, words):
    model, options = build()
    with pytest.raises(ValueError, match=words):
        explorer.export_html(model, tmp_path / "page.html", **options)
    assert not list(tmp_path.iterdir())


def test_a_decoder_with_convolutions_is_refused_by_name(tmp_path):
    encoder, decoder = conv_networks((8, 8, 1), 2, (3,))
    model = Autoencoder((8, 8, 1), 2, encoder=encoder, decoder=decoder)
    with pytest.raises(ValueError, match="the decoder has Conv"):
        explorer.export_html(model, tmp_path / "page.html")
    assert Conv2D and ConvTranspose2D


def decoded(model):
    """Return a code and what the model decodes it to."""
    z = np.round(np.random.default_rng(5).uniform(-2, 2, model.latent_dim), 3)
    return z, model.decode(z[None]).ravel()


@pytest.mark.slow
@pytest.mark.skipif(not NODE, reason="needs node")
@pytest.mark.parametrize("name", MODELS)
def test_the_script_decodes_as_the_model_does_in_node(tmp_path, name):
    model = MODELS[name]
    path, _, _ = page(tmp_path, model)
    z, right = decoded(model)
    script = f"""
    const text = require("fs").readFileSync({json.dumps(str(path))}, "utf-8");
    const [, data, code] = [...text.matchAll(/<script[^>]*>([^]*?)<\\/script>/g)].map(m => m[1])
      .reduce((all, part) => [...all, part], [null]);
    global.document = {{ getElementById: () => ({{ textContent: data }}) }};
    const start = code.indexOf('"use strict"'), end = code.indexOf("const z =");
    eval(code.slice(start, end) + "globalThis.decode = decode;");
    console.log(JSON.stringify(Array.from(decode({z.tolist()}))));
    """
    done = subprocess.run([NODE, "-e", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), right, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="needs a browser: chromium")
@pytest.mark.parametrize("name", MODELS)
def test_a_browser_shows_what_the_model_decodes(tmp_path, name):
    model = MODELS[name]
    path, _, _ = page(tmp_path, model)
    z, right = decoded(model)
    url = f"file://{path}#z={','.join(map(str, z))}"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}"]
    done = subprocess.run(
        [BROWSER, *flags, "--dump-dom", url], capture_output=True, text=True, timeout=120
    )
    values = re.search(r'<data id="pixels"[^>]*value="([^"]*)"', done.stdout)
    assert values, done.stderr[-2000:]
    np.testing.assert_allclose([float(v) for v in values[1].split()], right, atol=1e-4)
