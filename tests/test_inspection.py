import numpy as np
import pytest

from miniae import (
    VAE,
    Adam,
    Autoencoder,
    ConditionalVAE,
    Dense,
    Dropout,
    ImportanceWeightedVAE,
    Layer,
    ReLU,
    Sequential,
    Tanh,
)
from miniae.inspection import summary, trace
from miniae.plumbing.text import aligned

N = 7


@pytest.fixture
def images():
    return np.random.default_rng(0).random((N, 4, 5))


def by_name(result):
    return {row.name: row for row in result.rows}


def state(model):
    """All that a trace might change, as one comparable thing."""
    caches = [(name, id(part.cache)) for name, part in model.walk()]
    return (
        model.theta.tobytes(),
        model.dtheta.tobytes(),
        repr(model.rng.bit_generator.state),
        caches,
        dict(model.terms),
        {name: list(values) for name, values in model.history.items()},
        [vars(layer).keys() for _, layer in model.encoder.walk()],
    )


def test_a_line_per_layer_has_its_shapes_and_its_number_of_parameters(images):
    rows = trace(VAE((4, 5), 2, (6,), dropout=0.1), images).rows
    assert [(row.name, row.shape_in, row.shape_out, row.parameters) for row in rows] == [
        ("encoder.0", (N, 4, 5), (N, 20), 0),
        ("encoder.1", (N, 20), (N, 6), 126),
        ("encoder.2", (N, 6), (N, 6), 0),
        ("encoder.3", (N, 6), (N, 6), 0),
        ("encoder.4", (N, 6), (N, 4), 28),
        ("decoder.0", (N, 2), (N, 6), 18),
        ("decoder.1", (N, 6), (N, 6), 0),
        ("decoder.2", (N, 6), (N, 6), 0),
        ("decoder.3", (N, 6), (N, 20), 140),
        ("decoder.4", (N, 20), (N, 4, 5), 0),
    ]
    assert rows[1].layer == "Dense(20, 6, 'glorot')"


def nested():
    inner = Sequential(Dense(6, 5, rng=1), Sequential(ReLU(), Dense(5, 4, rng=2)))
    encoder = Sequential(inner, Tanh(), Dense(4, 2, rng=3))
    return Autoencoder(6, 2, (5,), encoder=encoder, loss="mse")


def test_layers_within_a_sequential_within_a_sequential_have_lines_of_their_own(capsys):
    model = nested()
    names = ["encoder.0.0", "encoder.0.1.0", "encoder.0.1.1", "encoder.1", "encoder.2"]
    rows = trace(model, np.random.default_rng(0).standard_normal((N, 6))).rows
    assert [row.name for row in rows][:5] == names
    assert all(row.gradient > 0 for row in rows)
    model.summary()
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[2:7]] == names
    assert f"{model.theta.size} parameters" in printed[-1]
    parameters = sum(int(line.split()[-1]) for line in printed[2:-1])
    assert parameters == model.theta.size == sum(row.parameters for row in rows)


def test_activations_and_gradients_are_those_of_the_very_layers():
    X = np.random.default_rng(0).standard_normal((N, 6))
    model = Autoencoder(6, 2, (5,), loss="mse", dtype="float64", seed=3)
    rows = by_name(trace(model, X))
    model.loss(X)
    model.backward()
    hidden = X @ model.encoder.layers[0].params["W"]
    np.testing.assert_allclose(rows["encoder.0"].activation, np.abs(hidden).mean(), rtol=1e-12)
    out = model.decoder.layers[-1].forward(model.decoder.layers[-2].cache)
    dout = 2 * (out - X) / N
    np.testing.assert_allclose(rows["decoder.2"].gradient, np.abs(dout).mean(), rtol=1e-12)
    dhidden = dout @ model.decoder.layers[2].params["W"].T
    np.testing.assert_allclose(rows["decoder.1"].gradient, np.abs(dhidden).mean(), rtol=1e-12)
    for name, layer in zip(("encoder.2", "decoder.0"), (model.encoder.layers[2],
                           model.decoder.layers[0]), strict=True):  # fmt: skip
        mean = np.abs(np.concatenate([g.ravel() for g in layer.grads.values()])).mean()
        np.testing.assert_allclose(rows[name].parameter_gradient, mean, rtol=1e-12)
    assert rows["decoder.1"].parameter_gradient is None


@pytest.mark.parametrize("options", [{}, {"backward": False}, {"training": True}])
def test_the_model_stays_as_it_is(images, options):
    model = VAE((4, 5), 2, (6,), dropout=0.3, seed=5).fit(images, epochs=2, verbose=0)
    model.loss(images, training=True)
    before = state(model)
    trace(model, images[:3], **options)
    assert state(model) == before


def test_a_trace_between_loss_and_backward_changes_no_gradient(images):
    gradients = []
    for look in (False, True):
        model = VAE((4, 5), 2, (6,), dropout=0.3, seed=5)
        model.loss(images, training=True)
        if look:
            trace(model, images[:2], training=True)
        model.backward()
        Adam().step(model.theta, model.dtheta)
        model.loss(images, training=True)
        gradients.append((model.dtheta.copy(), model.theta.copy(), model.terms))
    assert np.array_equal(gradients[0][0], gradients[1][0])
    assert np.array_equal(gradients[0][1], gradients[1][1]) and gradients[0][2] == gradients[1][2]


def test_the_terms_are_those_of_the_loss_and_two_traces_agree(images):
    model = VAE((4, 5), 2, (6,))
    first, second = trace(model, images), trace(model, images)
    assert first == second
    model.loss(images)
    assert first.terms == model.terms
    assert trace(model, images, training=True).terms["kl_weight"] == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_that_layers_share_is_counted_once_so_that_the_column_adds_up(dtype):
    X = np.random.default_rng(0).standard_normal((N, 6)).astype(dtype)
    model = Autoencoder(6, 2, (5,), loss="mse", dtype=dtype)
    rows = by_name(trace(model, X))
    # Each Dense keeps its x; the ReLU keeps its out, which is the x of the Dense after it.
    expected = {"encoder.0": 6, "encoder.1": 5, "encoder.2": 0,
                "decoder.0": 2, "decoder.1": 5, "decoder.2": 0}  # fmt: skip
    size = np.dtype(dtype).itemsize
    assert {name: row.cached for name, row in rows.items()} == {
        name: N * features * size for name, features in expected.items()
    }


class Windows(Layer):
    """Keeps overlapping windows of x, whose sizes add up to three times the memory, and more."""

    def forward(self, x, training=False):
        padded = np.zeros((len(x), x.shape[1] + 2), x.dtype)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)
        return self.remember({"windows": windows, "more": [np.flip(padded), 3, None]}, x.copy())

    def backward(self, dout):
        self.recall(dout)
        return dout.copy()


def test_a_view_counts_as_the_memory_it_reaches_and_not_as_its_size():
    X = np.zeros((N, 6), np.float32)
    model = Autoencoder(6, 2, encoder=Sequential(Windows(), Dense(6, 2)), loss="mse")
    assert by_name(trace(model, X))["encoder.0"].cached == N * 8 * 4


def test_a_readers_own_layer_without_a_known_cache_is_no_trouble():
    class Twice(Layer):
        def forward(self, x, training=False):
            self.cache = "x"
            return 2 * x

        def backward(self, dout):
            return 2 * dout

    model = Autoencoder(6, 2, encoder=Sequential(Dense(6, 4), Twice(), Dense(4, 2)))
    row = by_name(trace(model, np.random.default_rng(0).random((N, 6))))["encoder.1"]
    assert (row.layer, row.cached, row.shape_in) == ("Twice()", 0, (N, 4)) and row.gradient > 0


def test_without_backward_there_are_no_gradients_and_before_the_first_parameter_none_either(images):
    model = VAE((4, 5), 2, (6,))
    for row in trace(model, images, backward=False).rows:
        assert row.gradient is None and row.parameter_gradient is None and row.activation > 0
    rows = by_name(trace(model, images))
    assert rows["encoder.0"].gradient is None  # backward stops where nothing is left to learn
    assert all(row.gradient > 0 for name, row in rows.items() if name != "encoder.0")


def test_dropout_keeps_a_mask_in_training_only(images):
    model = VAE((4, 5), 2, (6,), dropout=0.5)
    kept = [by_name(trace(model, images, training=on))["encoder.3"].cached for on in (False, True)]
    assert kept == [0, N * 6 * 4]


def test_a_trace_of_a_model_that_diverged_shows_where_and_says_why(images):
    model = VAE((4, 5), 2, (6,))
    model.encoder.layers[3].params["W"][1, 3] = np.nan  # of log_var
    result = trace(model, images)
    rows = by_name(result)
    assert np.isfinite(rows["encoder.2"].activation) and np.isnan(rows["encoder.3"].activation)
    assert rows["decoder.0"].shape_out == () and rows["decoder.0"].activation is None
    assert "First parameter that is not finite: encoder.3.W" in result.note
    assert "stopped: encoder: log_var reaches nan" in str(result)
    assert not result.terms and trace(VAE((4, 5), 2), images).note == ""


def test_a_decoder_that_overflows_is_seen_too(images):
    model = Autoencoder((4, 5), 2, (6,), loss="mse")
    model.decoder.layers[2].params["W"][...] = 3e38
    result = trace(model, images)
    assert not np.isfinite(by_name(result)["decoder.2"].activation)
    assert "the loss is" in result.note


def test_variants_are_traced_with_what_their_loss_takes():
    rng = np.random.default_rng(0)
    X, labels = rng.random((N, 6)), rng.integers(0, 3, N)
    conditional = ConditionalVAE(6, 2, (5,), n_classes=3)
    rows = by_name(trace(conditional, X, labels=labels))
    assert rows["encoder.1"].shape_out == (N, 9)
    with pytest.raises(ValueError, match="pass labels="):
        trace(conditional, X)
    rows = by_name(trace(ImportanceWeightedVAE(6, 2, (5,), k=4), X))
    assert rows["decoder.0"].shape_in == (4 * N, 2)


def test_a_denoiser_is_traced_with_its_target():
    rng = np.random.default_rng(0)
    X, noise = rng.random((N, 6)), rng.standard_normal((N, 6))
    model = Autoencoder(6, 2, (5,))
    model.loss(X + noise, X)
    assert trace(model, X + noise, X).terms == model.terms


def test_a_batch_of_a_wrong_shape_is_refused_as_by_the_loss(images):
    with pytest.raises(ValueError, match=r"x must have shape \(n, 4, 5\)"):
        trace(VAE((4, 5), 2), images[0])
    with pytest.raises(TypeError, match="real numbers"):
        trace(VAE((4, 5), 2), images.astype(str))


def test_a_printed_trace_is_a_table_with_dashes_for_what_was_not_measured(images):
    lines = str(trace(VAE((4, 5), 2, (6,)), images)).splitlines()
    assert lines[0] == f"VAE(input_dim=(4, 5), latent_dim=2, hidden=(6,)), a batch of {N}"
    header, first = lines[1], lines[2]
    for name in ("parameters", "cached", "mean |out|", "mean |dL/dout|", "mean |dL/dtheta|"):
        end = header.index(name) + len(name)
        assert first[end - 1] != " " and first[end : end + 1] in ("", " ")  # flush right
    assert first.split()[-2:] == ["-", "-"]
    assert lines[-2].startswith("loss ") and "  kl " in lines[-2]
    assert lines[-1].startswith("cached in all: ")


def test_dropout_is_named_by_what_it_is(images):
    rows = trace(Autoencoder((4, 5), 2, (6,), dropout=0.25), images).rows
    assert repr(Dropout(0.25)) in [row.layer for row in rows]


def test_columns_stand_flush_left_or_right():
    rows = [("name", "n"), ("a", "1,000"), ("bcd", "2")]
    assert aligned(rows) == ["name  n", "a     1,000", "bcd   2"]
    assert aligned(rows, right=(1,)) == ["name      n", "a     1,000", "bcd       2"]


def test_summary_prints_its_numbers_flush_right_and_changes_no_parameter(capsys):
    model = VAE((4, 5), 2, (6,))
    before = model.theta.copy()
    summary(model)
    lines = capsys.readouterr().out.splitlines()[1:-1]
    assert len({len(line) for line in lines}) == 1
    assert np.array_equal(model.theta, before)
