"""Batches: from memory, from a memory-mapped file, from a function."""

import tracemalloc

import numpy as np
import pytest

from miniae import VAE, Adam, Autoencoder, ConditionalVAE

RNG = np.random.default_rng(11)
X = RNG.random((23, 6), dtype=np.float32)


def vae(**options):
    return VAE(6, 2, (5,), seed=3, **options)


def in_order(X, *more, size=5):
    """Return a function that gives rows in their order, a few at a time."""

    def batches():
        for start in range(0, len(X), size):
            rows = slice(start, start + size)
            yield (X[rows], *(a[rows] for a in more)) if more else X[rows]

    return batches


def test_a_function_that_gives_the_rows_in_order_trains_as_an_array_does_byte_for_byte():
    options = {"epochs": 3, "verbose": 0}
    whole = vae().fit(X, batch_size=5, shuffle=False, **options)
    stream = vae().fit(in_order(X), **options)
    assert stream.theta.tobytes() == whole.theta.tobytes()
    assert stream.history == whole.history


def test_a_function_may_give_targets():
    noisy = X + RNG.normal(size=X.shape).astype(np.float32)
    options = {"epochs": 2, "verbose": 0}
    whole = Autoencoder(6, 2, (4,)).fit(noisy, X, batch_size=5, shuffle=False, **options)
    stream = Autoencoder(6, 2, (4,)).fit(in_order(noisy, X), **options)
    assert stream.theta.tobytes() == whole.theta.tobytes()


def test_a_function_may_give_labels_to_a_conditional_model():
    labels = RNG.integers(0, 3, len(X))
    models = [ConditionalVAE(6, 2, (4,), n_classes=3) for _ in range(2)]
    models[0].fit(X, labels=labels, batch_size=5, shuffle=False, epochs=2, verbose=0)

    def batches():
        for x, label in in_order(X, labels)():
            yield x, None, label

    models[1].fit(batches, epochs=2, verbose=0, validation_data=(X, None, labels))
    assert models[0].theta.tobytes() == models[1].theta.tobytes()
    with pytest.raises(ValueError, match=r"X\(\), batch 1 must be .*\(X, y, labels\), got 2"):
        models[1].fit(in_order(X, X), epochs=1, verbose=0)


def test_a_function_that_gives_one_iterator_again_is_told_so():
    once = in_order(X)()
    with pytest.raises(ValueError, match="must return a new iterator"):
        vae().fit(lambda: once, epochs=2, verbose=0)


def test_an_error_of_the_function_is_passed_on_as_it_is():
    def batches():
        raise FloatingPointError("of the reader's own")
        yield

    with pytest.raises(FloatingPointError, match="^of the reader's own$"):
        VAE(6, 2).fit(batches, epochs=1, verbose=0)


def test_an_iterator_in_place_of_the_function_is_refused():
    with pytest.raises(ValueError, match="give the function that makes it"):
        vae().fit(in_order(X)(), verbose=0)


def test_a_bad_batch_is_named():
    def batches():
        yield X[:4]
        yield X[:4, :5]

    with pytest.raises(ValueError, match=r"X\(\), batch 2: x must have shape \(n, 6\)"):
        vae().fit(batches, epochs=1, verbose=0)
    with pytest.raises(TypeError, match=r"X\(\), batch 1: x must hold real numbers"):
        vae().fit(lambda: [np.array([["a"] * 6])], epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"y": X}, "its batches must hold y and labels"),
        ({"validation_split": 0.1}, "give validation_data"),
        ({"early_stopping": 2}, "early_stopping needs validation_data"),
    ],
)
def test_what_needs_all_rows_at_once_is_refused_of_a_function(options, says):
    with pytest.raises(ValueError, match=says):
        vae().fit(in_order(X), **options, verbose=0)


def test_a_run_on_batches_of_a_function_goes_on_from_its_checkpoint(tmp_path):
    def drawn(model):
        """Return a function that draws binary images, others in each epoch."""

        def batches():
            rng = np.random.default_rng([7, len(model.history.get("loss", ()))])
            for x in in_order(X)():
                yield (rng.random(x.shape) < x).astype(np.float32)

        return batches

    def run(epochs, **options):
        model = vae(kl_warmup=3)
        return model.fit(drawn(model), epochs=epochs, optimizer=Adam(), verbose=0, **options)

    whole = run(5)
    run(2, checkpoint=tmp_path / "run.npz")
    resumed = run(5, checkpoint=tmp_path / "run.npz")
    assert resumed.theta.tobytes() == whole.theta.tobytes()
    assert resumed.history == whole.history


def test_the_bar_says_how_many_batches_are_left_once_it_knows(monkeypatch):
    import io
    import sys
    import time

    stream = io.StringIO()
    stream.isatty = lambda: True
    clock = iter(range(10**6))
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    vae().fit(in_order(X), epochs=2)
    first, second = (
        [line for line in stream.getvalue().split("\r") if line.startswith(f"epoch {epoch}/2")]
        for epoch in (1, 2)
    )
    assert first[2].startswith("epoch 1/2 batch 3  1 batches/s  loss")
    assert "] 3/5  1 batches/s  ETA 0:02  loss" in second[2]


@pytest.mark.slow
def test_a_memory_mapped_file_trains_as_an_array_does_and_is_not_read_into_memory(
    tmp_path, monkeypatch
):
    # its block is never touched, and is no memory, but tracemalloc counts it
    monkeypatch.setattr("miniae.plumbing.run.reuse_memory", lambda: None)
    n, features = 40_000, 256
    shape, size = (n, features), n * features * 4
    mapped = np.memmap(tmp_path / "data", np.float32, "w+", shape=shape)
    mapped[:100] = RNG.random((100, features))  # the rest of the file is a hole
    mapped.flush()
    mapped = np.memmap(tmp_path / "data", np.float32, "r", shape=shape)
    options = {"epochs": 1, "batch_size": 1000, "verbose": 0}

    def model():
        return Autoencoder(features, 2, (8,), loss="mse")

    tracemalloc.start()
    from_file = model().fit(mapped, checkpoint=tmp_path / "run.npz", **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A batch of 1,000 rows is a fortieth; the check looks at 4,096 at a time, and copies none.
    assert peak < size / 4
    assert from_file.theta.tobytes() == model().fit(np.array(mapped), **options).theta.tobytes()
