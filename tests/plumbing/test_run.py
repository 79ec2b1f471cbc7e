import numpy as np
import pytest

from miniae import SGD, VAE, Adam, Autoencoder


def data(n=50, features=6, seed=0):
    return np.random.default_rng(seed).random((n, features)).astype("float32")


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
    model = Autoencoder(6, 5, (64,)).fit(X, epochs=60, validation_split=0.3, verbose=0)
    model.history["val_loss"] = [-1.0] * 60
    model.fit(
        X,
        epochs=3,
        validation_split=0.3,
        early_stopping=1,
        verbose=0,
        callback=lambda model, epoch, logs: thetas.append(model.theta.copy()),
    )
    best = int(np.argmin(model.history["val_loss"][60:]))
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
        ({"X": X, "validation_split": 0.001}, ValueError, "leaves none of 50 samples"),
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


def test_what_belongs_to_loss_itself_is_no_data():
    with pytest.raises(TypeError, match="takes no argument 'eps'"):
        VAE(6, 2).fit(data(), eps=np.zeros((50, 2)), verbose=0)
