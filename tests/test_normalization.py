"""BatchNorm and LayerNorm: against PyTorch, against float64, through models, files and copies."""

import copy
import pickle

import numpy as np
import pytest

from miniae import (
    SGD,
    VAE,
    Adam,
    Autoencoder,
    BatchNorm,
    Dense,
    Dropout,
    Frozen,
    LayerNorm,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    gradient_check,
)

SHAPES = [(7, 5), (4, 3, 2, 5), (3, 6, 5)]
each_shape = pytest.mark.parametrize(
    "shape", [*SHAPES[:2], pytest.param(SHAPES[2], marks=pytest.mark.slow)], ids=str
)
each_layer = pytest.mark.parametrize("make", [BatchNorm, LayerNorm])
X = np.random.default_rng(0).normal(0.5, 0.3, (40, 6))


def moved(layer, seed=1):
    """Return the layer in float64 with random gamma, beta and running statistics."""
    layer, rng = layer.astype("float64"), np.random.default_rng(seed)
    layer.theta = rng.standard_normal(layer.theta.size)
    for value in layer.buffers.values():
        value[...] = rng.uniform(0.5, 2, value.shape)
    return layer


@each_shape
@each_layer
@pytest.mark.parametrize("training", [True, False])
def test_forward_and_backward_are_those_of_pytorch(make, shape, training):
    torch = pytest.importorskip("torch")
    rng, d = np.random.default_rng(2), shape[-1]
    layer, x, dout = moved(make(d)), 3 + rng.standard_normal(shape), rng.standard_normal(shape)
    kind = torch.nn.LayerNorm if make is LayerNorm else torch.nn.BatchNorm1d
    theirs = kind(d).double().train(training)
    state = {"weight": layer.params["gamma"], "bias": layer.params["beta"], **layer.buffers}
    named = {k: torch.from_numpy(v.copy()) for k, v in state.items()}
    theirs.load_state_dict(named, strict=False)
    t = torch.from_numpy(x).requires_grad_()
    rows = t.reshape(-1, d)  # BatchNorm1d of rows is BatchNorm2d of images with channels first
    out = theirs(rows).reshape(shape)
    out.backward(torch.from_numpy(dout))
    assert np.allclose(layer.forward(x, training), out.detach().numpy(), rtol=1e-10, atol=1e-10)
    assert np.allclose(layer.backward(dout), t.grad.numpy(), rtol=1e-10, atol=1e-10)
    assert np.allclose(layer.grads["gamma"], theirs.weight.grad.numpy(), rtol=1e-10, atol=1e-10)
    assert np.allclose(layer.grads["beta"], theirs.bias.grad.numpy(), rtol=1e-10, atol=1e-10)
    after = {k: v.numpy() for k, v in theirs.state_dict().items()}
    for name, value in layer.buffers.items():
        assert np.allclose(value, after[name], rtol=1e-12)
        assert np.array_equal(value, named[name].numpy()) == (not training)


def test_the_channels_of_images_are_those_of_batch_norm_2d_in_pytorch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(3).standard_normal((4, 3, 2, 5))
    theirs = torch.nn.BatchNorm2d(5).double()(torch.from_numpy(x.transpose(0, 3, 1, 2)))
    out = BatchNorm(5).astype("float64").forward(x, training=True)
    assert np.allclose(out, theirs.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-12, atol=1e-12)


@each_shape
@each_layer
@pytest.mark.parametrize("training", [True, False])
def test_the_complex_step_agrees_for_every_shape_in_both_modes(make, shape, training):
    layer, x = moved(make(shape[-1])), np.random.default_rng(4).standard_normal(shape)
    report = gradient_check(layer, x, training=training, tolerance=1e-12)
    assert report.ok and report.method == "complex step", report


@each_layer
@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_float32_data_with_a_large_mean_lose_no_digits(make, mean):
    rng = np.random.default_rng(5)
    x = (mean + rng.standard_normal((3000, 4) if make is BatchNorm else (5, 3000))).astype("f4")
    fine, rough = make(x.shape[1]).astype("float64"), make(x.shape[1])
    exact, out = fine.forward(x.astype("f8"), training=True), rough.forward(x, training=True)
    assert out.dtype == np.float32
    # c = x - m is exact but for a rounding, so out has a few eps of its own size, 4 or so.
    assert np.abs(out - exact).max() < 50 * np.finfo("f4").eps
    dout = rng.standard_normal(x.shape).astype("f4")
    assert rough.backward(dout).dtype == np.float32
    assert np.abs(rough.backward(dout) - fine.backward(dout)).max() < 100 * np.finfo("f4").eps
    for name, value in rough.buffers.items():
        assert value.dtype == np.float32
        # A plain sum of 3000 numbers in float32 would be wrong by some ten roundings.
        assert np.allclose(value, fine.buffers[name], rtol=3 * np.finfo("f4").eps)


def test_running_statistics_move_by_momentum_towards_the_unbiased_ones_of_the_batch():
    layer = BatchNorm(6, momentum=0.25, dtype="float64")
    layer.forward(X, training=True)
    layer.forward(X[:20], training=True)
    mean = 0.75 * 0.25 * X.mean(axis=0) + 0.25 * X[:20].mean(axis=0)
    assert np.allclose(layer.buffers["running_mean"], mean, rtol=1e-13)
    var = 0.75 * (0.75 + 0.25 * X.var(axis=0, ddof=1)) + 0.25 * X[:20].var(axis=0, ddof=1)
    assert np.allclose(layer.buffers["running_var"], var, rtol=1e-13)
    before = copy.deepcopy(dict(layer.buffers))
    layer.backward(layer.forward(X))
    assert all(np.array_equal(layer.buffers[name], before[name]) for name in before)


def test_in_evaluation_the_out_of_a_sample_does_not_depend_on_the_others():
    layer = moved(BatchNorm(6))
    together, alone = layer.forward(X), np.vstack([layer.forward(x[None]) for x in X])
    assert np.allclose(together, alone, rtol=1e-14)
    assert not np.allclose(layer.forward(X, training=True)[:20], layer.forward(X[:20], True))


def test_layer_norm_takes_one_sample_and_is_the_same_in_training():
    layer = moved(LayerNorm(6))
    assert np.array_equal(layer.forward(X[:1], training=True), layer.forward(X)[:1])
    xhat = LayerNorm(6, eps=1e-12).astype("float64").forward(X)
    assert np.allclose(xhat.mean(axis=1), 0, atol=1e-12) and np.allclose(xhat.var(axis=1), 1)


def test_a_constant_feature_gives_beta_and_no_warning():
    layer, x = moved(BatchNorm(6)), X.copy()
    x[:, 2] = 0.1
    with np.errstate(all="raise"):
        out, dx = layer.forward(x, training=True), layer.backward(X)
    assert np.allclose(out[:, 2], layer.params["beta"][2]) and np.isfinite(dx).all()


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (
            lambda: BatchNorm(6).forward(X[:1], training=True),
            r"2 rows or more, got 1 \(shape \(1, 6\)\)",
        ),
        (lambda: BatchNorm(6).forward(X[:1, None], training=True), "use LayerNorm"),
        (lambda: BatchNorm(6).forward(X[:0], training=True), "got 0"),
        (lambda: BatchNorm(5).forward(X), r"x of shape \(n, \.\.\., 5\), got \(40, 6\)"),
        (lambda: LayerNorm(6).forward(X[0]), r"x\[None\] is a batch of one"),
        (lambda: LayerNorm(1), "n_features=1: one number minus its own mean"),
        (lambda: BatchNorm(0), "n_features=0"),
        (lambda: BatchNorm((3, 4)), "n_features"),
        (lambda: BatchNorm(6, momentum=0), "momentum=0 must be a finite number, above 0"),
        (lambda: BatchNorm(6, momentum=1.5), "momentum=1.5"),
        (lambda: BatchNorm(6, momentum=None), "momentum=None"),
        (lambda: LayerNorm(6, eps=0), "eps=0 must"),
        (lambda: LayerNorm(6, eps=-1e-5), "eps=-1e-05 must"),
        (lambda: LayerNorm(6, eps=np.nan), "eps=nan must"),
        (lambda: LayerNorm(6, eps="1e-5"), "eps='1e-5' must"),
        (lambda: BatchNorm(6).backward(X), "before forward"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(do, words):
    with pytest.raises((ValueError, RuntimeError), match=words):
        do()


def test_a_batch_of_one_image_has_enough_pixels():
    x = np.random.default_rng(6).standard_normal((1, 4, 3, 2))
    assert np.allclose(BatchNorm(2).forward(x, training=True).mean(axis=(0, 1, 2)), 0, atol=1e-6)


def test_the_caller_s_arrays_stay_as_they_are_and_results_share_no_memory_with_them():
    for layer in (moved(BatchNorm(6)), moved(LayerNorm(6))):
        for training in (True, False):
            x, dout = X.copy(), X[::-1].copy()
            theta, out = layer.theta.copy(), layer.forward(x, training)
            dx = layer.backward(dout)
            assert np.array_equal(x, X) and np.array_equal(dout, X[::-1])
            assert np.array_equal(layer.theta, theta)
            assert not np.shares_memory(dx, dout) and not np.shares_memory(out, x)
            assert np.array_equal(layer.backward(dout), dx)


def networks(momentum=0.1):
    """Return an encoder and a decoder with both normalisations."""
    hidden = Dense(6, 5, bias=False, init="he"), BatchNorm(5, momentum=momentum), ReLU()
    encoder = Sequential(*hidden, Dropout(0.1), Dense(5, 4))
    return encoder, Sequential(Dense(2, 5), LayerNorm(5), Tanh(), Dense(5, 6))


def model(seed=0, **options):
    encoder, decoder = networks(**options)
    return VAE(6, 2, encoder=encoder, decoder=decoder, likelihood="gaussian", seed=seed)


def state(model):
    buffers = {name: value.tobytes() for name, value in model.named_buffers()}
    return {"theta": model.theta.tobytes(), **buffers}


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_a_model_passes_the_gradient_check_which_leaves_its_statistics_alone(training):
    vae = model().fit(X, epochs=1, batch_size=10, verbose=0)
    before = state(vae)
    report = gradient_check(vae, X[:7], training=training, tolerance=1e-12)
    assert report.ok and report.method == "complex step", report
    vae.summary(print_fn=lambda line: None)
    vae.trace(X, training=True)
    vae.evaluate(X)
    vae.elbo(X)
    assert state(vae) == before


def test_training_fills_the_statistics_and_evaluation_uses_them():
    vae = model(momentum=1.0).fit(X, epochs=3, batch_size=40, verbose=0)
    norm = vae.encoder.layers[1]
    for name, start in (("running_mean", 0), ("running_var", 1)):
        assert (norm.buffers[name] != start).all()
    assert np.array_equal(vae.encode(X)[:1], vae.encode(X[:1]))


def test_statistics_are_saved_and_loaded(tmp_path):
    vae = model().fit(X, epochs=2, batch_size=10, verbose=0)
    vae.save(tmp_path / "m.npz")
    same = VAE.load(tmp_path / "m.npz")
    assert state(same) == state(vae) != state(model())
    assert str(same.encoder) == str(vae.encoder) and "BatchNorm(5, 0.1, 1e-05)" in str(same.encoder)
    assert np.array_equal(same.encode(X), vae.encode(X))


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_have_the_statistics_as_their_own(remake):
    vae = model().fit(X, epochs=2, batch_size=10, verbose=0)
    before, clone = state(vae), remake(vae)
    assert state(clone) == before
    clone.fit(X, epochs=1, batch_size=10, verbose=0)
    assert state(vae) == before != state(clone)


def test_astype_casts_the_statistics_and_complex_batches_leave_real_ones():
    layer = BatchNorm(6)
    layer.forward(X, training=True)
    for dtype in ("float64", "complex128"):
        other = layer.astype(dtype)
        assert {v.dtype for v in other.buffers.values()} == {np.dtype(dtype)}
        assert np.array_equal(other.buffers["running_var"], layer.buffers["running_var"])
        other.forward(X + (1e-3j if dtype == "complex128" else 0), training=True)
        assert not any(np.imag(v).any() for v in other.buffers.values())


def test_early_stopping_brings_weights_and_statistics_of_the_best_epoch_back():
    seen, vae = [], model()
    options = {"batch_size": 10, "verbose": 0, "validation_split": 0.25, "early_stopping": 2}
    vae.fit(X, epochs=60, optimizer=SGD(0.05),
            callback=lambda m, *_: seen.append(state(m)), **options)  # fmt: skip
    best = int(np.argmin(vae.history["val_loss"]))
    assert 0 <= best < len(seen) - 1 and state(vae) == seen[best]
    assert seen[best]["encoder.1.running_mean"] != seen[-1]["encoder.1.running_mean"]


def test_a_run_that_was_broken_off_and_one_in_two_calls_end_as_one_run_does(tmp_path):
    options = {"batch_size": 10, "verbose": 0, "validation_split": 0.25}

    def stop(model, epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    whole, path = model().fit(X, epochs=4, **options), tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        model().fit(X, epochs=4, checkpoint=path, callback=stop, **options)
    rest = model().fit(X, epochs=4, checkpoint=path, **options)
    assert state(rest) == state(whole) and rest.history == whole.history
    twice = model().fit(X, epochs=2, **options).fit(X, epochs=2, **options)
    assert state(twice) == state(whole)


def test_a_last_batch_of_one_sample_stops_the_training_with_what_to_do():
    with pytest.raises(ValueError, match="Choose a batch_size that does not leave one"):
        model().fit(X, batch_size=13, verbose=0)  # 40 = 3 * 13 + 1


def test_frozen_keeps_the_statistics_and_uses_them_in_training_too(tmp_path):
    trained = model().fit(X, epochs=2, batch_size=10, verbose=0)
    tuned = VAE(6, 2, encoder=Frozen(trained.encoder), likelihood="gaussian", seed=1)
    before = {name: value.copy() for name, value in tuned.encoder.named_buffers()}
    assert {"1.running_mean", "1.running_var", "1.gamma", "1.beta"} <= set(before)
    tuned.fit(X, epochs=2, batch_size=13, verbose=0)  # one sample alone is fine in evaluation mode
    after = dict(tuned.encoder.named_buffers())
    assert all(np.array_equal(after[name], value) for name, value in before.items())
    assert np.array_equal(tuned.encode(X), trained.encode(X))
    layer = Frozen(moved(BatchNorm(6)))
    x, dout = X[:5], X[5:10]
    assert np.array_equal(layer.forward(x, training=True), layer.layer.forward(x))
    std = np.sqrt(layer.layer.buffers["running_var"] + 1e-5)
    assert np.allclose(layer.backward(dout), dout * layer.layer.params["gamma"] / std, rtol=1e-12)
    tuned.save(tmp_path / "m.npz")
    assert np.array_equal(VAE.load(tmp_path / "m.npz").encode(X), trained.encode(X))


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])
def test_a_deep_network_of_sigmoids_trains_faster_with_batch_norm(seed):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 6))

    def deep(*between):
        layers = [Dense(6, 8)]
        for _ in range(6):
            layers += [*(make(8) for make in between), Sigmoid(), Dense(8, 8)]
        encoder, decoder = Sequential(*layers[:-1], Dense(8, 2)), Sequential(Dense(2, 6))
        return Autoencoder(6, 2, encoder=encoder, decoder=decoder, loss="mse", seed=seed)

    options = {"epochs": 30, "batch_size": 50, "verbose": 0}
    plain, normal = (
        deep(*between).fit(data, optimizer=Adam(1e-2), **options).evaluate(data)
        for between in ((), (BatchNorm,))
    )
    assert normal < 0.6 * plain
