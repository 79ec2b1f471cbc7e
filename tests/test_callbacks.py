import csv

import numpy as np
import pytest

from miniae import SGD, VAE, Adam, Autoencoder, Dense
from miniae.callbacks import CSVLog, EarlyStopping, ReduceOnPlateau

X = np.random.default_rng(0).random((40, 6))


def fit(**options):
    return Autoencoder(6, 2, (5,)).fit(X, batch_size=20, verbose=0, **{"epochs": 6, **options})


def test_several_callbacks_are_called_in_order_each_epoch():
    seen = []
    fit(epochs=2, callback=[lambda *a: seen.append("first"), lambda *a: seen.append("second")])
    assert seen == ["first", "second"] * 2
    fit(epochs=2, callback=(lambda *a: seen.append("third"),))
    assert seen[4:] == ["third"] * 2
    assert len(fit(epochs=2, callback=[]).history["loss"]) == 2


def raises(model, epoch, logs):
    if epoch == 2:
        raise StopIteration


@pytest.mark.parametrize(
    "stopping",
    [
        lambda model, epoch, logs: epoch == 2,
        lambda model, epoch, logs: np.bool_(epoch == 2),
        raises,
    ],
)
def test_true_and_stop_iteration_end_the_training_after_the_epoch_and_the_other_callbacks(stopping):
    after = []
    model = fit(callback=[stopping, lambda model, epoch, logs: after.append(epoch)])
    assert len(model.history["loss"]) == 3 and after == [0, 1, 2]


@pytest.mark.parametrize("value", [1, 0.5, "stop", np.ones(3), object(), [True], False, None])
def test_other_values_that_a_callback_returns_are_ignored(value):
    assert len(fit(callback=lambda *a: value).history["loss"]) == 6


def test_who_stopped_the_training_is_printed(capsys):
    def early(model, epoch, logs):
        return True

    Autoencoder(6, 2).fit(X, epochs=3, callback=early, verbose=2)
    assert "stopped by the callback early after epoch 1" in capsys.readouterr().err


def test_a_stopped_run_restores_the_best_weights_and_stays_stopped_in_its_checkpoint(tmp_path):
    path, options = tmp_path / "run.npz", {"validation_split": 0.2, "early_stopping": 50}
    first = fit(callback=lambda m, epoch, logs: epoch == 2, checkpoint=path, **options)
    assert first.evaluate(X[32:]) == min(first.history["val_loss"])
    again = fit(checkpoint=path, **options)
    assert len(again.history["loss"]) == 3 and again.theta.tobytes() == first.theta.tobytes()


class Keras:
    def on_epoch_end(self, epoch, logs=None):
        pass


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (3, "callback=3 must be a function of"),
        ("csv", "callback='csv' must be"),
        ([print, 3], "callback=3 must be"),
        (Keras(), r"on_epoch_end.*lambda model, epoch, logs: that_object.on_epoch_end"),
        ([Keras()], "on_epoch_end"),
        (CSVLog, "callback=CSVLog is a class"),
        (EarlyStopping(3), "pass it as early_stopping="),
    ],
)
def test_what_is_not_a_callback_is_refused_before_any_training(callback, words):
    model = Autoencoder(6, 2)
    with pytest.raises(TypeError, match=words):
        model.fit(X, callback=callback, verbose=0)
    assert not model.history


def losses_of(values):
    """A model whose validation losses are these, whatever it learns."""

    class Given(Autoencoder):
        def mean_terms(self, data):
            return {"loss": values[len(self.history.get("loss", ()))]}

    return Given(6, 2)


def test_a_small_improvement_does_not_end_the_wait_but_its_weights_are_the_best():
    losses, thetas = [1.0, 0.9995, 0.9990, 0.9985, 0.5, 0.4], []
    model = losses_of(losses).fit(
        X, epochs=6, validation_split=0.2, early_stopping=EarlyStopping(3, min_delta=0.01),
        callback=lambda model, *_: thetas.append(model.theta.copy()), verbose=0,
    )  # fmt: skip
    assert len(model.history["loss"]) == 4
    assert np.array_equal(model.theta, thetas[3])
    slow = [1.0, 0.994, 0.988, 0.982, 0.976, 0.970]  # 0.012 each two epochs
    model = losses_of(slow).fit(
        X, epochs=6, validation_split=0.2, early_stopping=EarlyStopping(2, min_delta=0.01),
        verbose=0,
    )  # fmt: skip
    assert len(model.history["loss"]) == 6


def test_min_delta_of_zero_is_early_stopping_as_a_number_and_goes_on_from_a_checkpoint(tmp_path):
    plain = fit(validation_split=0.2, early_stopping=2, epochs=30, optimizer=SGD(0.5))
    same = fit(validation_split=0.2, early_stopping=EarlyStopping(2), epochs=30, optimizer=SGD(0.5))
    assert plain.history == same.history and np.array_equal(plain.theta, same.theta)
    path, options = (
        tmp_path / "r",
        {"early_stopping": EarlyStopping(3, 0.2), "validation_split": 0.2},
    )
    whole = fit(epochs=9, **options)
    fit(epochs=2, checkpoint=path, **options)
    again = fit(epochs=9, checkpoint=path, **options)
    assert again.history == whole.history and np.array_equal(again.theta, whole.theta)
    with pytest.raises(ValueError, match=r"min_delta is 0.2 there and None here"):
        fit(epochs=9, checkpoint=path, **{**options, "early_stopping": 3})


def test_min_delta_as_an_argument_of_fit_is_told_where_it_belongs():
    with pytest.raises(TypeError, match=r"early_stopping=callbacks\.EarlyStopping\(5"):
        fit(validation_split=0.2, early_stopping=5, min_delta=1e-3)


def test_the_csv_file_has_the_history_whole_and_exact(tmp_path):
    path = tmp_path / "log.csv"
    model = fit(epochs=2, callback=CSVLog(path))
    model.fit(X, epochs=2, validation_split=0.2, callback=CSVLog(path), verbose=0)
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["epoch", *model.history]
    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    assert [float(row[1]) for row in rows] == model.history["loss"]
    assert [row[head.index("val_loss")] for row in rows][:2] == ["", ""]


def test_a_csv_file_of_a_continued_run_has_each_epoch_once(tmp_path):
    log, path = tmp_path / "log.csv", tmp_path / "run.npz"
    fit(epochs=3, checkpoint=path, checkpoint_every=2, callback=CSVLog(log))
    fit(epochs=5, checkpoint=path, callback=[CSVLog(log)])
    assert [line.split(",")[0] for line in log.read_text().splitlines()[1:]] == list("01234")


def test_the_rate_is_reduced_after_the_wait_and_then_counts_again():
    losses = [1.0, 0.5, 0.6, 0.6, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5]
    model, rates = losses_of(losses), []

    def note(model, epoch, logs):
        rates.append(model.optimizer.lr)

    model.fit(X, epochs=10, validation_split=0.2, optimizer=Adam(0.08), verbose=0,
              callback=[ReduceOnPlateau(2, 0.5, lowest=0.015), note])  # fmt: skip
    assert rates == [0.08, 0.08, 0.08, 0.04, 0.04, 0.04, 0.02, 0.02, 0.015, 0.015]


def test_a_run_with_a_plateau_goes_on_from_its_checkpoint_with_the_same_bytes(tmp_path):
    def run(epochs, **more):
        return fit(epochs=epochs, optimizer=SGD(1.0), validation_split=0.2, **more,
                   callback=ReduceOnPlateau(1, 0.5, min_delta=0.05))  # fmt: skip

    whole, path = run(9), tmp_path / "run.npz"
    run(4, checkpoint=path)
    again = run(9, checkpoint=path)
    assert again.theta.tobytes() == whole.theta.tobytes() and whole.optimizer.lr < 0.2
    assert again.optimizer.lr == whole.optimizer.lr


def test_a_plateau_needs_a_measured_loss_and_a_rate_that_is_a_number():
    with pytest.raises(ValueError, match="monitor='val_loss' was not measured"):
        fit(callback=ReduceOnPlateau())
    with pytest.raises(ValueError, match="whose lr is a number"):
        fit(callback=ReduceOnPlateau(monitor="loss"), optimizer=Adam(lambda step: 1e-3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EarlyStopping(True), "patience=True"),
        (lambda: EarlyStopping(3, -1), "min_delta=-1"),
        (lambda: EarlyStopping(3, "0.1"), "min_delta='0.1'"),
        (lambda: ReduceOnPlateau(0), "patience=0"),
        (lambda: ReduceOnPlateau(factor=1), "factor=1"),
        (lambda: ReduceOnPlateau(factor=2.0), "factor=2.0"),
        (lambda: ReduceOnPlateau(lowest=-1), "lowest=-1"),
    ],
)
def test_impossible_settings_are_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


OPTIONS = {
    "early_stopping": [True, False, "5", 2.5, -1, 0, np.nan],
    "epochs": [True, 2.5, "3", None],
    "batch_size": [True, 16.0, "16"],
    "checkpoint_every": [True, 0, 1.0],
    "verbose": ["x", 3, None, 1.5],
    "shuffle": ["no", 1, None],
    "validation_split": [True, "0.1", 1j, None, np.nan],
    "checkpoint": [True, 3],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in OPTIONS.items() for value in values]
)
def test_an_option_of_another_kind_is_refused_by_name_and_value(name, value):
    model = VAE(6, 2)
    more = {} if name == "validation_split" else {"validation_split": 0.2}
    with pytest.raises(ValueError, match=rf"{name}={value!r}"):
        model.fit(X, **{"epochs": 1, "verbose": 0, name: value}, **more)
    assert not model.history


def test_early_stopping_of_true_says_what_to_write():
    with pytest.raises(ValueError, match="such as early_stopping=5"):
        fit(validation_split=0.2, early_stopping=True)


def test_integers_of_numpy_are_integers():
    model = Autoencoder(6, 2).fit(
        X, epochs=np.int64(2), batch_size=np.int32(20), validation_split=np.float32(0.2),
        early_stopping=np.int64(3), shuffle=np.bool_(True), verbose=False,
    )  # fmt: skip
    assert len(model.history["loss"]) == 2
    for refused in (lambda: VAE(6, True), lambda: model.interpolate(X[0], X[1], steps=True)):
        with pytest.raises(ValueError, match="True"):
            refused()
    with pytest.raises(ValueError, match="k=True"):
        VAE(6, 2).log_likelihood(X, k=True)


def set_later(change, model=None, optimizer=None):
    """Fit with a callback that changes a setting after the first epoch."""
    model = model or VAE(6, 2, (5,))

    def later(model, epoch, logs):
        change(model)

    return model.fit(X, epochs=3, callback=later, optimizer=optimizer or Adam(), verbose=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("lr", -1e-3), ("lr", 0), ("lr", np.nan), ("lr", "0.1"), ("lr", 1j), ("weight_decay", -1),
     ("clip_norm", 0), ("betas", (0.9, 1.5)), ("eps", -1), ("lr", True)],
)  # fmt: skip
def test_a_setting_of_the_optimiser_that_is_changed_later_is_checked(name, value):
    with pytest.raises(ValueError, match=name):
        set_later(lambda model: setattr(model.optimizer, name, value))


@pytest.mark.parametrize("lr", [-1e-3, np.inf, np.nan, 1j, np.complex128(1), "0.1", None, [0.1]])
def test_a_schedule_that_returns_no_rate_is_an_error_that_names_the_step(lr):
    for make in (SGD, Adam):
        optimizer, theta = make(lambda step: 0.1 if step < 2 else lr), np.ones(3)
        optimizer.step(theta, np.ones(3))
        optimizer.step(theta, np.ones(3))
        before = theta.copy()
        with pytest.raises(ValueError, match="lr"):
            optimizer.step(theta, np.ones(3))
        assert np.array_equal(theta, before)


def test_a_rate_that_is_set_to_something_impossible_is_refused_in_a_loop_of_ones_own():
    for bad in (-1.0, 0, np.inf, "1", 1j):
        optimizer = SGD(0.1)
        optimizer.lr = bad
        with pytest.raises(ValueError, match="lr"):
            optimizer.step(np.ones(2), np.ones(2))


def test_a_schedule_may_begin_and_end_with_zero():
    theta = np.ones(2)
    Adam(lambda step: 0.0).step(theta, np.ones(2))
    assert (theta == 1).all()


@pytest.mark.parametrize("name", ["beta", "kl_warmup", "free_bits"])
@pytest.mark.parametrize("value", [-1, np.nan, "1", 1j])
def test_a_setting_of_a_vae_that_is_changed_later_is_checked(name, value):
    model = VAE(6, 2, (5,))
    with pytest.raises(ValueError, match=name):
        set_later(lambda model: setattr(model, name, value), model)
    assert len(model.history["loss"]) == 1
    with pytest.raises(ValueError, match=name):  # also in a loop of one's own
        model.start_epoch(1)


def test_other_parts_that_are_changed_later_are_checked():
    from miniae import Dropout, GaussianNoise, L1Penalty, Sequential

    def model():
        encoder = Sequential(Dense(6, 4), Dropout(0.1), Dense(4, 2))
        return Autoencoder(
            6, 2, corruption=GaussianNoise(0.1), penalty=L1Penalty(0.1), encoder=encoder
        )

    changes = {
        "weight=-1": lambda m: setattr(m.penalty, "weight", -1),
        "std=-1": lambda m: setattr(m.corruption, "std", -1),
        "p=1.5": lambda m: setattr(m.encoder.layers[1], "p", 1.5),
        "corruption=3": lambda m: setattr(m, "corruption", 3),
        "penalty='l1'": lambda m: setattr(m, "penalty", "l1"),
    }
    for words, change in changes.items():
        with pytest.raises(ValueError, match=words):
            set_later(change, model())
