import os
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
    words = r"epoch 1, batch 1: the loss is nan.*decoder\.1, Broken\(\), is the first layer"
    with pytest.raises(FloatingPointError, match=words):
        Autoencoder(6, 2, decoder=decoder).fit(data(), epochs=1, verbose=0)


X = data()


def test_weights_that_the_last_step_broke_are_an_error():
    class Breaks(SGD):
        def update(self, theta, dtheta, lr):
            theta[0] = np.nan

    with pytest.raises(FloatingPointError, match="epoch 1: after its last step"):
        VAE(6, 2).fit(data(), epochs=1, batch_size=100, optimizer=Breaks(0.1), verbose=0)


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
