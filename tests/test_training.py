import io
import os
import platform
import signal
import subprocess
import sys

import numpy as np
import pytest

from miniae import SGD, VAE, Adam, Autoencoder, Dense, Sequential, Tanh


def data(n=50, features=6, seed=0):
    return np.random.default_rng(seed).random((n, features)).astype("float32")


def test_fit_runs_the_five_line_loop():
    X = data(50)
    fitted = VAE(6, 2).fit(X, epochs=2, batch_size=20, optimizer=Adam(1e-3), verbose=0)
    by_hand, optimizer = VAE(6, 2), Adam(1e-3)
    for _ in range(2):
        order = by_hand.rng.permutation(len(X))
        for start in range(0, len(X), 20):
            by_hand.loss(X[order[start : start + 20]], training=True)
            by_hand.backward()
            optimizer.step(by_hand.theta, by_hand.dtheta)
    assert np.array_equal(fitted.theta, by_hand.theta)


@pytest.mark.parametrize(
    "make", [lambda: VAE(6, 2, dropout=0.3, seed=5), lambda: Autoencoder(6, 2, dropout=0.3, seed=5)]
)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(make):
    a, b = (make().fit(data(), epochs=3, verbose=0) for _ in range(2))
    assert a.theta.tobytes() == b.theta.tobytes() and a.history == b.history
    other = make().set_params(seed=6).fit(data(), epochs=3, verbose=0)
    assert not np.array_equal(a.theta, other.theta)


def test_global_random_state_is_neither_read_nor_changed():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    a = VAE(6, 2, dropout=0.2).fit(data(), epochs=2, verbose=0)
    a.sample(3)
    assert np.array_equal(np.random.get_state()[1], before)
    np.random.seed(1)
    assert np.array_equal(a.theta, VAE(6, 2, dropout=0.2).fit(data(), epochs=2, verbose=0).theta)


def test_the_data_stay_as_they_are():
    X, y = data(), data(seed=1)
    before = X.copy(), y.copy()
    VAE(6, 2).fit(X, y, epochs=2, validation_split=0.2, verbose=0).evaluate(X, y)
    assert np.array_equal(X, before[0]) and np.array_equal(y, before[1])


@pytest.mark.parametrize(
    "view",
    [
        lambda X: X.tolist(),
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X[::-1][::-1],
    ],
)
def test_lists_and_strided_arrays_train_like_plain_ones(view):
    X = data().astype("float64")
    expected = VAE(6, 2).fit(X, epochs=2, verbose=0)
    assert np.array_equal(VAE(6, 2).fit(view(X), epochs=2, verbose=0).theta, expected.theta)


def test_read_only_data_and_integers_and_booleans_train():
    X = (data() > 0.5).astype("float32")
    expected = VAE(6, 2).fit(X, epochs=2, verbose=0).theta
    frozen = X.copy()
    frozen.setflags(write=False)
    for same in (frozen, X.astype(int), X.astype(bool), X.astype("uint8"), X.astype("float64")):
        assert np.array_equal(VAE(6, 2).fit(same, epochs=2, verbose=0).theta, expected)


def test_a_constant_feature_a_single_sample_and_a_batch_larger_than_the_data_train():
    X = data(5)
    X[:, 2] = 0
    X[:, 3] = 1
    for rows, batch_size in ((X, 128), (X[:1], 128), (X, 1)):
        model = VAE(6, 2).fit(rows, epochs=3, batch_size=batch_size, verbose=0)
        assert np.isfinite(model.theta).all() and len(model.history["loss"]) == 3


def test_an_epoch_sees_every_row_once_the_last_batch_being_the_rest():
    X, seen = data(50), []

    class Spy(Autoencoder):
        def loss(self, x, *args, **options):
            if options.get("training"):
                seen.append(np.array(x))
            return super().loss(x, *args, **options)

    Spy(6, 2).fit(X, epochs=1, batch_size=20, verbose=0)
    assert [len(x) for x in seen] == [20, 20, 10]
    rows = np.concatenate(seen)
    assert not np.array_equal(rows, X)
    assert np.array_equal(rows[np.lexsort(rows.T)], X[np.lexsort(X.T)])
    seen.clear()
    Spy(6, 2).fit(X, epochs=1, batch_size=20, shuffle=False, verbose=0)
    assert np.array_equal(np.concatenate(seen), X)


def test_history_holds_the_mean_over_samples_not_over_batches():
    X, parts = data(50), []

    class Spy(Autoencoder):
        def loss(self, x, *args, **options):
            value = super().loss(x, *args, **options)
            parts.append((value, len(x)))
            return value

    model = Spy(6, 2).fit(X, epochs=1, batch_size=40, verbose=0)
    expected = sum(value * n for value, n in parts) / 50
    assert model.history["loss"][0] == pytest.approx(expected, rel=1e-12)


def test_history_of_a_vae_has_its_parts_and_their_validation_twins():
    model = VAE(6, 2, beta=2.0).fit(data(), epochs=3, validation_split=0.2, verbose=0)
    assert list(model.history) == [
        "loss",
        "reconstruction",
        "kl",
        "active_units",
        "kl_weight",
        "val_loss",
        "val_reconstruction",
        "val_kl",
        "val_active_units",
    ]
    assert {len(values) for values in model.history.values()} == {3}
    for prefix in ("", "val_"):
        loss, rec, kl = (model.history[prefix + n][-1] for n in ("loss", "reconstruction", "kl"))
        assert loss == pytest.approx(rec + 2 * kl, rel=1e-5)


def test_validation_split_holds_out_the_last_rows():
    X = data()
    split = VAE(6, 2).fit(X, epochs=2, validation_split=0.2, verbose=0)
    given = VAE(6, 2).fit(X[:40], epochs=2, validation_data=X[40:], verbose=0)
    pair = VAE(6, 2).fit(X[:40], epochs=2, validation_data=(X[40:], X[40:]), verbose=0)
    assert split.history == given.history == pair.history
    assert split.history["val_loss"][-1] == split.evaluate(X[40:])


def test_targets_stay_with_their_rows_in_training_and_in_every_validation():
    X, y, seen = data(50), 1 - data(50), []

    class Spy(Autoencoder):
        def loss(self, x, target=None, **options):
            seen.append((np.array(x), np.array(target)))
            return super().loss(x, target, **options)

    model = Spy(6, 2).fit(X, y, epochs=2, batch_size=20, validation_split=0.2, verbose=0)
    assert all(np.array_equal(target, 1 - x) for x, target in seen) and len(seen) == 2 * (2 + 1)
    assert model.history["val_loss"][-1] == model.evaluate(X[40:], y[40:])
    pair = Spy(6, 2).fit(X[:40], y[:40], epochs=2, batch_size=20, validation_data=(X[40:], y[40:]))
    assert pair.history == model.history
    seen.clear()
    big, other = data(2500), 1 - data(2500)
    model.evaluate(big, other)
    assert all(np.array_equal(target, 1 - x) for x, target in seen) and len(seen) == 3


def test_history_is_padded_where_validation_came_or_went():
    model = VAE(6, 2).fit(data(), epochs=2, verbose=0)
    model.fit(data(), epochs=1, validation_split=0.2, verbose=0).fit(data(), epochs=1, verbose=0)
    assert {len(values) for values in model.history.values()} == {4}
    assert np.isnan(model.history["val_loss"]).tolist() == [True, True, False, True]


def test_early_stopping_of_a_second_fit_starts_afresh():
    X, thetas = data(30), []
    model = Autoencoder(6, 5, (64,)).fit(X, epochs=200, validation_split=0.3, verbose=0)
    model.history["val_loss"] = [-1.0] * 200
    model.fit(
        X,
        epochs=3,
        validation_split=0.3,
        early_stopping=1,
        verbose=0,
        callback=lambda model, epoch, logs: thetas.append(model.theta.copy()),
    )
    best = int(np.argmin(model.history["val_loss"][200:]))
    assert np.array_equal(model.theta, thetas[best])


def test_an_interrupted_fit_with_early_stopping_keeps_the_best_weights():
    def stop(model, epoch, logs):
        if epoch == 1:
            kept.append(model.theta.copy())
        if epoch == 2:
            raise KeyboardInterrupt

    kept = []
    rise = iter([1e-2] * 4 + [0.2] * 99)
    model = Autoencoder(6, 5, (64,))
    with pytest.raises(KeyboardInterrupt):
        model.fit(data(20), epochs=9, batch_size=5, optimizer=SGD(lambda step: next(rise)),
                  validation_data=data(20), early_stopping=5, callback=stop, verbose=0)  # fmt: skip
    assert len(model.history["loss"]) == 3
    assert model.evaluate(data(20)) == min(model.history["val_loss"])


def test_an_optimiser_of_another_model_is_refused_but_may_be_copied_with_its_model():
    import copy

    optimizer = Adam()
    model = VAE(6, 2).fit(data(), epochs=1, optimizer=optimizer, verbose=0)
    with pytest.raises(ValueError, match="holds the averages of another model"):
        VAE(6, 2).fit(data(), epochs=1, optimizer=optimizer, verbose=0)
    copy.deepcopy(model).fit(data(), epochs=1, verbose=0)
    model.fit(data(), epochs=1, optimizer=optimizer, verbose=0)


def test_the_first_layer_of_a_model_computes_no_dx():
    class Spy(Dense):
        def backward(self, dout):
            raise AssertionError("nobody reads this dx")

    encoder = Sequential(Spy(6, 4), Tanh(), Dense(4, 4))
    model = VAE(6, 2, encoder=encoder).fit(data(), epochs=1, verbose=0)
    assert model.encoder.layers[0].grads["W"].any()


def test_fit_continues_where_it_stopped_optimiser_and_all():
    X = data()
    whole = VAE(6, 2, kl_warmup=3).fit(X, epochs=4, verbose=0)
    parts = VAE(6, 2, kl_warmup=3).fit(X, epochs=1, verbose=0).fit(X, epochs=3, verbose=0)
    assert np.array_equal(whole.theta, parts.theta) and whole.history == parts.history
    assert parts.optimizer.t == whole.optimizer.t == 4


def test_early_stopping_waits_for_its_patience_and_restores_the_best_weights():
    X, thetas = data(30), []
    model = Autoencoder(6, 5, (64,)).fit(
        X,
        epochs=200,
        optimizer=SGD(0.5, momentum=0.9),
        validation_data=data(30, seed=9),
        early_stopping=4,
        callback=lambda model, epoch, logs: thetas.append(model.theta.copy()),
        verbose=0,
    )
    losses = model.history["val_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4 < 200
    assert np.array_equal(model.theta, thetas[best])
    assert model.evaluate(data(30, seed=9)) == min(losses)


def test_early_stopping_restores_the_best_weights_also_when_the_epochs_run_out():
    rise = iter(np.linspace(0.01, 3, 500))
    model = Autoencoder(6, 5, (64,)).fit(
        data(30),
        epochs=12,
        batch_size=5,
        optimizer=SGD(lambda step: next(rise)),
        validation_split=0.3,
        early_stopping=100,
        verbose=0,
    )
    losses = model.history["val_loss"]
    assert len(losses) == 12 and losses[-1] > min(losses)
    assert model.evaluate(data(30)[21:]) == min(losses)


def test_callback_sees_the_model_the_epoch_and_the_logs():
    seen = []
    model = VAE(6, 2)
    for _ in range(2):
        model.fit(data(), epochs=2, verbose=0, callback=lambda *args: seen.append(args))
    assert [epoch for _, epoch, _ in seen] == [0, 1, 2, 3]
    assert all(m is model for m, _, _ in seen)
    assert [logs["loss"] for _, _, logs in seen] == model.history["loss"]


def test_optimisers_go_by_name_too():
    assert isinstance(VAE(6, 2).fit(data(), epochs=1, optimizer="adam", verbose=0).optimizer, Adam)
    assert isinstance(VAE(6, 2).fit(data(), epochs=1, optimizer="sgd", verbose=0).optimizer, SGD)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "verbose"), [(io.StringIO, 1), (io.StringIO, 2), (Terminal, 2)])
def test_progress_is_a_line_per_epoch_where_no_bar_can_be(monkeypatch, stream, verbose):
    monkeypatch.setattr(sys, "stderr", stream())
    VAE(6, 2).fit(data(), epochs=3, validation_split=0.2, verbose=verbose)
    lines = sys.stderr.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("loss" in line and "val_kl" in line for line in lines)
    assert "\r" not in sys.stderr.getvalue()


def test_progress_is_a_bar_with_rate_and_time_left_on_a_terminal(monkeypatch):
    now = iter(np.arange(0, 1000, 0.25))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("miniae.plumbing.progress.time.perf_counter", lambda: float(next(now)))
    VAE(6, 2).fit(data(), epochs=2, batch_size=10, verbose=1)
    drawn = sys.stderr.getvalue().split("\r")
    third = drawn[3]
    assert third.startswith("epoch 1/2 [" + "=" * 14 + " " * 10 + "] 3/5  4 batches/s  ETA 0:02")
    assert len(third) < 80 and " loss " in third
    # each redraw covers what stood there, and the epoch's line stays
    assert (
        drawn[6]
        .rstrip()
        .endswith(
            f"kl {VAE(6, 2).fit(data(), epochs=1, batch_size=10, verbose=0).history['kl'][0]:.5g}"
            "  active_units 0  kl_weight 1"
        )
    )
    assert drawn[6].startswith("epoch 1/2") and drawn[6].endswith("\n")
    assert len(drawn[6].rstrip("\n")) >= len(drawn[5].rstrip())


def test_verbose_zero_is_silent(capsys):
    model = VAE(6, 2).fit(data(), epochs=2, validation_split=0.2, verbose=0)
    model.evaluate(data())
    assert capsys.readouterr() == ("", "")
    model.evaluate(data(), verbose=1)
    assert capsys.readouterr().out.startswith("loss ")


def test_a_loss_that_is_not_a_number_stops_with_epoch_batch_and_cause():
    model = Autoencoder(6, 2, loss="mse")
    with pytest.raises(
        FloatingPointError, match=r"epoch \d+, batch \d+: the loss is .*learning rate.*new model"
    ):
        model.fit(data(), epochs=500, optimizer=SGD(1e6), verbose=0)


def test_a_parameter_that_is_not_a_number_is_named():
    model = Autoencoder(6, 2)
    model.decoder.layers[0].params["b"][3] = np.nan
    with pytest.raises(FloatingPointError, match=r"not finite: decoder\.0\.b"):
        model.fit(data(), epochs=1, verbose=0)


def test_the_first_layer_that_gives_no_numbers_is_named():
    class Broken(Tanh):
        def forward(self, x, training=False):
            return self.remember(None, np.full_like(x, np.nan))

        def backward(self, dout):
            return dout

    decoder = Sequential(Dense(2, 4), Broken(), Dense(4, 6))
    words = r"epoch 1, batch 1: the loss is nan.*decoder\.1, Broken\(\), is the first layer to give"
    with pytest.raises(FloatingPointError, match=words):
        Autoencoder(6, 2, decoder=decoder).fit(data(), epochs=1, verbose=0)


X = data()
BAD = np.where(np.arange(6) == 4, np.nan, X)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"X": X[0]}, ValueError, r"X must have shape \(n, 6\) with n >= 1 samples, got \(6,\)"),
        ({"X": X[:, :5]}, ValueError, r"got \(50, 5\)"),
        ({"X": X[:0]}, ValueError, r"got \(0, 6\)"),
        ({"X": X.reshape(50, 2, 3)}, ValueError, r"got \(50, 2, 3\)"),
        ({"X": 3.0}, ValueError, r"got \(\)"),
        ({"X": BAD}, ValueError, r"X\[0, 4\] is nan, but X must be finite and within \[0.0, 1.0\]"),
        ({"X": X + 0.5}, ValueError, r"X\[\d+, \d+\] is 1\.\d+, but X must be .*scale the data"),
        ({"X": X * 255}, ValueError, "scale the data"),
        ({"X": X.astype(str)}, TypeError, "X must hold real numbers, got dtype <U"),
        ({"X": X.astype(complex)}, TypeError, "complex"),
        ({"X": X, "y": X[:10]}, ValueError, r"y is what to reconstruct .*\(50, 6\), got \(10, 6\)"),
        ({"X": X, "y": np.arange(50)}, ValueError, "keyword labels="),
        ({"X": X, "y": X * 3}, ValueError, r"y\[\d+, \d+\] is"),
        ({"X": X, "epochs": -1}, ValueError, "epochs=-1"),
        ({"X": X, "epochs": 1.5}, ValueError, "epochs=1.5"),
        ({"X": X, "batch_size": 0}, ValueError, "batch_size=0"),
        ({"X": X, "optimizer": "adm"}, ValueError, "optimizer='adm'"),
        ({"X": X, "validation_split": 1}, ValueError, "validation_split=1"),
        ({"X": X, "validation_split": -0.1}, ValueError, "validation_split=-0.1"),
        ({"X": X, "validation_split": 0.001}, ValueError, "50 samples is none"),
        ({"X": X, "validation_data": X, "validation_split": 0.1}, ValueError, "not both"),
        ({"X": X, "validation_data": (X, X, X)}, ValueError, r"X or a tuple \(X, y\)"),
        ({"X": X, "validation_data": X * 2}, ValueError, "validation_data"),
        ({"X": X, "early_stopping": 3}, ValueError, "early_stopping needs validation"),
        (
            {"X": X, "validation_split": 0.2, "early_stopping": 0},
            ValueError,
            "early_stopping=0",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name_before_any_training(arguments, error, words):
    model = VAE(6, 2)
    before = model.theta.copy()
    with pytest.raises(error, match=words):
        model.fit(**arguments, verbose=0)
    assert np.array_equal(model.theta, before) and not model.history


def test_an_error_far_into_the_data_names_the_row_of_the_data_set():
    X = np.zeros((9000, 6))
    X[8123, 2] = 7
    with pytest.raises(ValueError, match=r"X\[8123, 2\] is 7"):
        VAE(6, 2).fit(X, epochs=1, verbose=0)


def test_weights_that_the_last_step_broke_are_an_error():
    class Breaks(SGD):
        def update(self, theta, dtheta, lr):
            theta[0] = np.nan

    with pytest.raises(FloatingPointError, match="epoch 1: its last step left"):
        VAE(6, 2).fit(data(), epochs=1, batch_size=100, optimizer=Breaks(0.1), verbose=0)


def test_what_belongs_to_loss_itself_is_no_data():
    with pytest.raises(TypeError, match="takes no argument 'eps'"):
        VAE(6, 2).fit(data(), eps=np.zeros((50, 2)), verbose=0)


def test_an_optimiser_does_not_outlive_a_rebuilt_model():
    model, optimizer = VAE(6, 2), SGD(0.01)
    model.fit(data(), epochs=1, optimizer=optimizer, verbose=0)
    model.set_params(beta=2.0)
    with pytest.raises(ValueError, match="averages of another model"):
        model.fit(data(), epochs=1, optimizer=optimizer, verbose=0)


FAULTS = """
import resource
import numpy as np
from miniae import VAE
X = np.random.default_rng(0).random((5120, 784), np.float32)
model = VAE(784, 16, (64, 32)).fit(X, epochs=1, batch_size=256, verbose=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
model.fit(X, epochs=1, batch_size=256, verbose=0)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="speaks of glibc's malloc")
def test_steps_do_not_ask_the_system_for_memory_again_and_again():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    # One array of the batch's 256 x 784 pixels is 196 pages, and a step makes some twenty of them.
    assert float(run.stdout) < 196


INTERRUPTED = """
import signal
import numpy as np
from miniae import VAE
signal.signal(signal.SIGINT, signal.default_int_handler)  # where a shell has it ignored
X = np.random.default_rng(0).random((500, 6))
model = VAE(6, 2)
try:
    model.fit(X, epochs=10**6, callback=lambda *_: print(flush=True), verbose=0)
except KeyboardInterrupt:
    print(len(model.history["loss"]), np.isfinite(model.elbo(X)).all())
    model.fit(X, epochs=1, verbose=0)
    print(len(model.history["loss"]), "after one more")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_leaves_a_model_that_can_be_used_and_trained_on():
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    )
    for _ in range(20):
        process.stdout.readline()  # a line an epoch
    process.send_signal(signal.SIGINT)
    *_, first, second = process.communicate(timeout=60)[0].split("\n")[:-1]
    epochs, finite = first.split()
    assert int(epochs) >= 20 and finite == "True"
    assert second == f"{int(epochs) + 1} after one more"
