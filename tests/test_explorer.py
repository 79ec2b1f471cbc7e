"""The explorer page: it decodes a code to the same image as the model."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from miniae import (
    ELU,
    VAE,
    Autoencoder,
    BatchNorm,
    BernoulliNLL,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Masked,
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
    "masked": VAE((4, 4), 2, (8,), likelihood=Masked(BernoulliNLL()), seed=5),
    "mixed": Autoencoder(
        (4, 4, 1), 2,
        encoder=Sequential(Flatten(), Dense(16, 2, rng=1)),
        decoder=Sequential(
            Sequential(Dense(2, 5, rng=2), Softplus()), Dropout(0.5), Dense(5, 16, rng=3), ReLU(),
            Reshape(4, 4, 1),
        ),
        loss="mse", dtype="float64",
    ),
    "gelu": VAE((4, 4), 2, (8, 8), activation="gelu", seed=6),
    "normalised": VAE(
        (3, 4), 2,
        decoder=Sequential(
            Dense(2, 6, bias=False), BatchNorm(6, eps=0.1), LeakyReLU(0.2), Dense(6, 12), ELU(1.7),
            Reshape(3, 4), LayerNorm(4, eps=0.1), BatchNorm(4),
        ),
    ),
}  # fmt: skip
for _model in MODELS.values():
    _model.theta = RNG.standard_normal(_model.theta.shape)
    for _, _value in _model.named_buffers():
        _value[...] = RNG.uniform(0.5, 2, _value.shape)


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
    assert data["shape"] == [5, 4] and data["span"] == [[-3, 3]] * 2 and data["points"] == []


def test_codes_of_images_are_points_with_a_colour_for_each_class(tmp_path):
    model, X = MODELS["vae"], RNG.random((40, 5, 4))
    labels = np.repeat(["</script>", "b"], 20)
    _, text, data = page(tmp_path, model, X=X, labels=labels, title="<b>")
    codes = np.array([point["code"] for point in data["points"]])
    np.testing.assert_allclose(codes, model.encode(X), atol=1e-4)
    colours = [point["colour"] for point in data["points"]]
    assert set(colours[:20]) == {data["classes"]["</script>"]} != set(colours[20:])
    assert text.count("</script>") == 2 and "<b>" not in text
    for (low, high), latent in zip(data["span"], codes.T, strict=True):  # a range for each
        assert low <= np.quantile(latent, 0.01) < np.quantile(latent, 0.99) <= high
        assert low == np.floor(low) > latent.min() - 1 and high == np.ceil(high) < latent.max() + 1


def test_a_span_is_for_all_latents_or_a_pair_for_each(tmp_path):
    for span, right in (((-1, 2), [[-1, 2]] * 3), ([[0, 1], [2, 3], [4, 5]],) * 2):
        assert page(tmp_path, MODELS["flat gaussian"], span=span)[2]["span"] == right


@pytest.mark.parametrize(
    ("name", "right"),
    [("vae", [0, 1]), ("flat gaussian", "of X"), ("mixed", "of X"), ("multinomial", None)],
)
def test_white_and_black_are_the_same_for_all_codes_where_a_range_is_known(tmp_path, name, right):
    model = MODELS[name]
    X = RNG.random((20, *model.input_shape)).astype(np.float32)
    _, _, data = page(tmp_path, model, X=X)
    assert data["range"] == ([X.min(), X.max()] if right == "of X" else right)
    assert page(tmp_path, model)[2]["range"] == ([0, 1] if name == "vae" else None)


@pytest.mark.parametrize("X", [None, RNG.random((5, 5, 4))])
def test_weights_that_are_not_finite_are_refused(tmp_path, X):
    model = VAE((5, 4), 2, (7,))
    model.decoder.theta[3] = np.nan
    with pytest.raises(FloatingPointError, match="the model's weights are not finite"):
        explorer.export_html(model, tmp_path / "page.html", X)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: (VAE((4, 4), 2, (8,)), {"labels": [1]}), "labels= needs X: pass"),
        (
            lambda: (VAE((4, 4), 2, (8,)), {"X": np.ones((3, 4, 4)), "labels": [1]}),
            "one label each",
        ),
        (
            lambda: (VAE((4, 4), 2, (8,)), {"X": RNG.random((12, 4, 4)), "labels": range(12)}),
            "12 cl",
        ),
        (lambda: (VAE((4, 4), 2, (8,)), {"span": (1, 1)}), "low < high"),
        (lambda: (VAE((4, 4), 2, (8,)), {"span": (0, np.inf)}), "low < high"),
        (lambda: (VAE((4, 4), 2, (8,)), {"span": (0, 1, 2)}), "a pair for each"),
        (lambda: (VAE(7, 2, (8,)), {}), "not a grey image"),
        (lambda: (VAE((4, 4, 3), 2, (8,)), {}), "not a grey image"),
    ],
)
def test_arguments_that_do_not_match_are_refused(tmp_path, build, words):
    model, options = build()
    with pytest.raises(ValueError, match=words):
        explorer.export_html(model, tmp_path / "page.html", **options)
    assert not list(tmp_path.iterdir())


def test_a_decoder_with_convolutions_is_refused_by_name(tmp_path):
    encoder, decoder = conv_networks((8, 8, 1), 2, (3,))
    model = Autoencoder((8, 8, 1), 2, encoder=encoder, decoder=decoder)
    with pytest.raises(ValueError, match="the decoder has Conv"):
        explorer.export_html(model, tmp_path / "page.html")


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
    const start = code.indexOf('"use strict"'), end = code.indexOf("// The round");
    eval(code.slice(start, end) + "globalThis.decode = decode;");
    console.log(JSON.stringify(Array.from(decode({z.tolist()}))));
    """
    done = subprocess.run([NODE, "-e", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), right, atol=1e-5)


def browse(tmp_path, path, script="null", link="", size="1000,700"):
    """Return the page after the browser has run it, and the value of a JavaScript expression."""
    more = f"""<data id="result"></data>
    <script>element("result").value = JSON.stringify({script})</script></body>"""
    tried = tmp_path / "tried.html"
    tried.write_text(path.read_text("utf-8").replace("</body>", more), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}"]
    command = [BROWSER, *flags, f"--window-size={size}", "--dump-dom", f"file://{tried}{link}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    value = re.search(r'<data id="result" value="([^"]*)"', done.stdout)
    assert value, done.stdout[-500:] + done.stderr[-2000:]
    return done.stdout, json.loads(html.unescape(value[1]))


in_browser = pytest.mark.skipif(not BROWSER, reason="needs a browser: chromium")
DRAG = """((...shares) => shares.map(([across, down]) => {  // from the plane's upper left corner
  const box = plane.getBoundingClientRect(), at = { pointerId: 1, buttons: 1 };
  at.clientX = box.left + across * box.width;
  at.clientY = box.top + down * box.height;
  plane.dispatchEvent(new PointerEvent("pointermove", at));
  return [...z];
}))"""
PRESS = """((target, key, more = {}) => {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  target.dispatchEvent(event);
  return [...z, event.defaultPrevented];
})"""


@pytest.mark.slow
@in_browser
@pytest.mark.parametrize("name", MODELS)
def test_a_browser_shows_what_the_model_decodes(tmp_path, name):
    model = MODELS[name]
    path, _, _ = page(tmp_path, model)
    z, right = decoded(model)
    text, _ = browse(tmp_path, path, link=f"#z={','.join(map(str, z))}")
    values = re.search(r'<data id="pixels"[^>]*value="([^"]*)"', text)
    np.testing.assert_allclose([float(v) for v in values[1].split()], right, atol=1e-4)


@pytest.mark.slow
@in_browser
def test_a_drag_moves_the_two_latents_of_the_plane_and_stays_within_their_ranges(tmp_path):
    path, _, _ = page(tmp_path, MODELS["flat gaussian"], span=[[-4, 4], [0, 2], [1, 5]])
    _, result = browse(tmp_path, path, f"{DRAG}([0.25, 0.25], [2, 3], [-1, -1])")
    np.testing.assert_allclose(result, [[-2, 1.5, 1], [4, 0, 1], [-4, 2, 1]], atol=0.05)


@pytest.mark.slow
@in_browser
def test_a_single_latent_goes_across_and_lies_at_mid_height(tmp_path):
    model = MODELS["autoencoder"]
    X = RNG.random((30, 4, 4))
    path, _, data = page(tmp_path, model, X=X, span=(-2, 2))
    script = f"""[{DRAG}([0.75, 0.1], [0.25, 0.9]), {PRESS}(plane, "ArrowUp"), place(z),
      model.points.map(p => place(p.code, 0.1)[1]), element("axes").textContent]"""
    _, (drag, up, cross, heights, axes) = browse(tmp_path, path, script)
    np.testing.assert_allclose(drag, [[1], [-1]], atol=0.02)
    assert up == [*drag[1], False] and len(data["points"]) == 30
    np.testing.assert_allclose(cross, [110, 220], atol=2)  # of 440 pixels
    np.testing.assert_allclose(heights, 220 - 44)
    assert axes == "across z[0] from -2 to 2."


@pytest.mark.slow
@in_browser
def test_arrow_keys_are_the_planes_alone_and_without_alt_or_ctrl(tmp_path):
    path, _, _ = page(tmp_path, MODELS["vae"], span=(-3, 3))
    script = f"""[document.activeElement.id, {PRESS}(plane, "ArrowLeft", {{ altKey: true }}),
      {PRESS}(plane, "ArrowUp", {{ ctrlKey: true }}),
      {PRESS}(plane, "ArrowUp", {{ metaKey: true }}),
      {PRESS}(document.body, "ArrowDown"), {PRESS}(plane, "PageDown"),
      {PRESS}(plane, "ArrowDown"), {PRESS}(plane, "ArrowRight")]"""
    _, (focus, *pressed) = browse(tmp_path, path, script)
    assert focus == "plane" and pressed[:5] == [[0, 0, False]] * 5
    np.testing.assert_allclose(pressed[5:], [[0, -0.1, True], [0.1, -0.1, True]])
    _, (there,) = browse(tmp_path, path, f'[{PRESS}(plane, "ArrowUp")]', "#z=0,3")
    assert there == [0, 3, True]


@pytest.mark.slow
@in_browser
def test_a_choice_of_the_other_axis_latent_swaps_the_two(tmp_path):
    path, _, _ = page(tmp_path, MODELS["flat gaussian"])
    script = """[[0, 1], [1, 2]].map(([axis, chosen]) => {
      const select = document.querySelectorAll("select")[axis];
      select.value = chosen;
      select.dispatchEvent(new Event("change"));
      return [...dims, ...[...document.querySelectorAll("select")].map(s => Number(s.value))];
    })"""
    assert browse(tmp_path, path, script)[1] == [[1, 0, 1, 0], [1, 2, 1, 2]]


@pytest.mark.slow
@in_browser
def test_a_grid_has_about_ten_lines_at_round_numbers(tmp_path):
    path, _, _ = page(tmp_path, MODELS["vae"])
    spans = [[-530, 323], [-3, 3], [0, 1], [0, 10], [0.001, 0.0031], [-1e9, 3e12], [1e6, 1e6 + 1]]
    _, grids = browse(tmp_path, path, f"{spans}.map(span => ticks(...span))")
    for (low, high), grid in zip(spans, grids, strict=True):
        assert 4 <= len(grid) <= 11 and low <= min(grid) and max(grid) <= high * (1 + 1e-9)
    assert grids[:2] == [list(range(-500, 301, 100)), list(range(-3, 4))]


@pytest.mark.slow
@in_browser
def test_a_link_without_a_number_means_zero(tmp_path):
    path, _, _ = page(tmp_path, MODELS["flat gaussian"])
    assert browse(tmp_path, path, "z", "#z=Infinity,x,1.5")[1] == [0, 0, 1.5]


@pytest.mark.slow
@in_browser
def test_the_page_says_what_white_and_black_are(tmp_path):
    model, X = MODELS["flat gaussian"], RNG.uniform(-1, 3, (20, 9))
    X[0, :2] = -1, 3
    for given, words in (
        (X, "-1.00 (white) to 3.00 (black), same for all"),
        (None, "the range of this image alone"),
    ):
        path, _, _ = page(tmp_path, model, X=given)
        assert words in browse(tmp_path, path, 'element("range").textContent')[1]


@pytest.mark.slow
@in_browser
def test_an_image_of_a_quarter_of_a_million_pixels_is_shown_in_seconds(tmp_path):
    model = VAE((512, 512), 1, (2,), likelihood=MultinomialNLL(), seed=1)
    path, _, _ = page(tmp_path, model)
    _, (total, words) = browse(
        tmp_path, path, '[decode(z).reduce((a, b) => a + b), element("range").textContent]'
    )
    assert abs(total - 1) < 1e-9 and "(black)" in words


@pytest.mark.slow
@in_browser
@pytest.mark.parametrize("size", ["500,800", "1000,700"])  # the browser allows no width below 500
def test_plane_and_image_are_both_on_the_screen(tmp_path, size):
    X, labels = RNG.random((40, 5, 4)), np.arange(40) % 10
    path, _, _ = page(tmp_path, MODELS["vae"], X=X, labels=labels)
    script = """[innerHeight, innerWidth, ...[plane, element("image")].map(canvas => {
      const box = canvas.getBoundingClientRect();
      return [box.left, box.top, box.right, box.bottom];
    })]"""
    _, (height, width, plane, image) = browse(tmp_path, path, script, size=size)
    for left, top, right, bottom in (plane, image):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert right - left > 100 and bottom - top > 100
    assert width > 700 or plane[3] - plane[1] <= 0.46 * height


@pytest.mark.parametrize(
    ("title", "shown"),
    [(None, ""), (3, "3"), ("a \udc80 b", "a ? b"), ("<b> & \u00e4", "&lt;b&gt; &amp; \u00e4")],
)
def test_any_title_makes_a_page(tmp_path, title, shown):
    path = tmp_path / "page.html"
    explorer.export_html(VAE(16, 2, (4,)), path, title=title)
    assert f"<title>{shown}</title>" in path.read_text("utf-8")


def test_a_label_that_is_not_a_character_makes_a_page(tmp_path):
    path, X = tmp_path / "page.html", np.random.default_rng(0).random((4, 16))
    explorer.export_html(VAE(16, 2, (4,)), path, X, ["a", "\udc80", "a", "b"])
    assert "</html>" in path.read_text("utf-8")


def test_a_page_that_cannot_be_made_leaves_the_old_one(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(ValueError, match="span"):
        explorer.export_html(VAE(16, 2, (4,)), path, span=(3, -3))
    assert path.read_text() == "old"
