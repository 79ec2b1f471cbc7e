"""fit(workers=): the same training in several processes."""

import inspect
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import types
from multiprocessing.synchronize import SemLock
from pathlib import Path

import numpy as np
import pytest
from stopping import Stop, stop_after

import miniae
from miniae import (
    SGD,
    VAE,
    VAEGAN,
    Adam,
    Autoencoder,
    BatchNorm,
    BernoulliNLL,
    ColumnGaussianNLL,
    ConditionalVAE,
    Dense,
    Dropout,
    Frozen,
    GaussianNoise,
    ImportanceWeightedVAE,
    KLSparsity,
    L1Penalty,
    Layer,
    LayerNorm,
    Masked,
    MixturePrior,
    MultimodalVAE,
    SequenceAutoencoder,
    SequenceVAE,
    Sequential,
    Tanh,
    conv_networks,
    pad_sequences,
)
from miniae.optim import Optimizer
from miniae.plumbing import cores, parcel, processes, workers
from miniae.plumbing.parcel import pack, reason
from miniae.plumbing.worker import shares, slices

HERE = Path(__file__).parent
X = np.random.default_rng(0).random((103, 12))
LABELS = np.arange(103) % 3
TOKENS = pad_sequences([[2, 3, 4], [4, 2], [3], [2, 4, 2, 3]] * 10, length=6)
OFF = {"verbose": 0, "shuffle": False}


def shared_by(pid):
    """Return the shared memory that a process has mapped; Linux only."""
    maps = Path(f"/proc/{pid}/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return {line.split()[5] for line in lines if "/dev/shm/psm_" in line}


def exist(names):
    return [name for name in names if Path(name).exists()]


@pytest.fixture(autouse=True)
def nothing_is_left_over(monkeypatch):
    """No process, no shared memory, no semaphore; by name, since other programs have some too."""
    names, make_memory, make_name = [], processes.SharedMemory, SemLock._make_name

    def noted_memory(*args, **options):
        memory = make_memory(*args, **options)
        names.append("/dev/shm/" + memory.name.lstrip("/"))
        return memory

    def noted_name():
        names.append("/dev/shm/sem." + make_name().lstrip("/"))
        return names[-1].replace("/dev/shm/sem.", "/")

    monkeypatch.setattr(processes, "SharedMemory", noted_memory)
    monkeypatch.setattr(SemLock, "_make_name", staticmethod(noted_name))
    yield
    assert not children() and not exist(names)


def children():
    """Return the processes that `fit` started; other libraries may have left some of theirs."""
    return [p for p in multiprocessing.active_children() if type(p).__name__ == "SpawnProcess"]


class Doubled(Layer):
    """A layer of one's own that treats each sample by itself, and says so."""

    needs_whole_batch = None

    def forward(self, x, training=False):
        return self.remember(x, 2 * x)

    def backward(self, dout):
        self.recall(dout)
        return 2 * dout


class Kept(Dense):
    """A layer of one's own that keeps its weights: it leaves its grads alone."""

    needs_whole_batch = None

    def backward_params(self, dout):
        self.recall(dout)


class Silent(Doubled):
    """A layer of one's own that does not say so: its base does, but this one may differ."""


class Rising(Autoencoder):
    """A model of one's own whose loss depends on its history."""

    needs_whole_batch = None

    def loss(self, x, target=None, **options):
        self.penalty.weight = 0.1 * len(self.history.get("loss", ()))
        return super().loss(x, target, **options)


class Centred(Layer):
    """A layer of one's own that says that it needs the whole batch."""

    needs_whole_batch = "the mean is taken over the batch"

    def forward(self, x, training=False):
        return self.remember(x, x - x.mean(axis=0))

    def backward(self, dout):
        self.recall(dout)
        return dout - dout.mean(axis=0)


class Signs(Optimizer):
    """An optimiser of one's own, with an update."""

    moments = ("last",)

    def update(self, theta, dtheta, lr, last):
        theta -= lr * np.sign(dtheta + last)
        last[...] = dtheta


class Normed(Optimizer):
    """An update that needs the norm of the whole vector."""

    def update(self, theta, dtheta, lr):
        theta -= lr * dtheta / np.linalg.norm(dtheta)


class Counting(Optimizer):
    """An update that changes an attribute of its own."""

    product = 1.0

    def update(self, theta, dtheta, lr):
        self.product *= 0.9
        theta -= lr * self.product * dtheta


class Langevin(Optimizer):
    """An update that adds noise: the generators of two workers would give the same."""

    def __init__(self, lr):
        super().__init__(lr)
        self.rng = np.random.default_rng(0)

    def update(self, theta, dtheta, lr):
        theta -= lr * dtheta + 0.01 * self.rng.standard_normal(theta.shape)


class Hidden(Optimizer):
    """An update that keeps a vector which `moments` does not name."""

    def update(self, theta, dtheta, lr):
        self.state.setdefault("hidden", np.zeros_like(theta))
        theta -= lr * dtheta


class OwnRate(Optimizer):
    """An update that reads lr, which may be a function, in place of its argument."""

    def update(self, theta, dtheta, lr):
        theta -= self.lr * dtheta


class Whole(SGD):
    """An optimiser of one's own whose step needs the whole vector."""

    def step(self, theta, dtheta):
        super().step(theta, dtheta / np.abs(dtheta).max())


def stretched(x, rng):
    return 1.5 * x


stretched.needs_whole_batch = None


def mixed(x, rng):
    return x[rng.permutation(len(x))]


def dense(*layers, n=12):
    """Return an autoencoder of float64 with these layers in its encoder."""
    encoder = Sequential(Dense(n, 5, rng=1), *layers)
    return Autoencoder(n, 5, encoder=encoder, dtype="float64", loss="mse")


def own_networks(*layers):
    encoder, decoder = Sequential(*layers), Sequential(Dense(5, 12, rng=2))
    return Autoencoder(12, 5, encoder=encoder, decoder=decoder, dtype="float64", loss="mse")


# Without processes: which rows, and which models.


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_each_row_and_each_parameter_has_one_worker(count):
    for size in [*range(1, 20), 63, 64, 129, 5000]:
        rows = [row for each in shares(7, 7 + size, count) for row in range(each.start, each.stop)]
        assert rows == list(range(7, 7 + size))
        sizes = [each.stop - each.start for each in shares(7, 7 + size, count)]
        assert max(sizes) - min(sizes) <= 1 and sizes[0] > 0
        parts = slices(size, count)
        assert np.concatenate([np.arange(size)[part] for part in parts]).tolist() == [*range(size)]
        assert len(parts) == count


REFUSED = {
    "batch norm": (lambda: dense(BatchNorm(5)), "BatchNorm.* mean and variance"),
    "free bits": (lambda: VAE(12, 2, free_bits=0.1), "free_bits"),
    "free bits of a subclass": (lambda: ConditionalVAE(12, 2, n_classes=3, free_bits=1), "free_b"),
    "sparsity": (
        lambda: Autoencoder(12, 4, code_activation="sigmoid", penalty=KLSparsity()),
        "KLSparsity.* mean activation",
    ),
    "modalities": (lambda: MultimodalVAE({"a": 6, "b": 6}, 2), "MultimodalVAE.* number"),
    "a layer that does not say": (lambda: dense(Silent()), r"Silent.*needs_whole_batch = None"),
    "a layer that says": (lambda: dense(Centred()), "the mean is taken over the batch"),
    "a function that does not say": (
        lambda: Autoencoder(12, 2, corruption=mixed),
        r"set mixed\.needs_whole_batch = None",
    ),
    "a lambda": (
        lambda: Autoencoder(12, 2, corruption=lambda x, rng: x),
        "lambda.*define it with class or def at the top level of a file",
    ),
    "a lock": (lambda: with_attribute(threading.Lock()), "cannot be sent"),
}


def with_attribute(value):
    model = dense()
    model.log = value
    return model


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_need_the_whole_batch_is_refused_with_the_reason(name):
    make, message = REFUSED[name]
    model = make()
    before = model.theta.copy()
    x = {"a": X[:, :6], "b": X[:, 6:]} if name == "modalities" else X
    labels = {"labels": LABELS} if "subclass" in name else {}
    with pytest.raises(ValueError, match=f"workers.*{message}.*use workers=1"):
        model.fit(x, **labels, workers=2, verbose=0)
    assert np.array_equal(model.theta, before)


def test_a_process_that_may_not_start_others_says_so(monkeypatch):
    class Child:
        daemon = True

    monkeypatch.setattr(parcel, "current_process", Child)
    with pytest.raises(ValueError, match="itself a worker.*use workers=1"):
        dense().fit(X, workers=2, verbose=0)


def test_a_layer_inside_other_layers_is_seen():
    class Local(Doubled):
        pass

    for layer, found in ((Sequential(Sequential(Silent())), "Silent"), (Frozen(Silent()), "Silent"),
                         (Local(), "Local"), (Sequential(Centred()), "Centred")):  # fmt: skip
        with pytest.raises(ValueError, match=found):
            pack(dense(layer), Adam())


def test_an_optimiser_whose_step_is_its_own_is_refused():
    class Foreigner:
        def step(self, theta, dtheta):
            theta -= dtheta

    class OwnNorm(SGD):
        def clip_scale(self, dtheta):
            return 0.5

    kept = SGD(0.1)
    kept.state["counts"] = np.zeros(3)
    for optimizer in (Whole(0.1), Foreigner(), OwnNorm(0.1)):
        with pytest.raises(ValueError, match="step of its own: derive.*`update`"):
            dense().fit(X, workers=2, optimizer=optimizer, verbose=0)
    with pytest.raises(ValueError, match="counts"):
        pack(dense(), kept)


OWN_RULES = {
    Normed: "Normed.* another result for slices than for the whole",
    Counting: r"Counting.* changes \['product'\]",
    Langevin: r"Langevin.* changes \['rng'\]",
    Hidden: r"Hidden.* changes \['hidden'\].*`moments`",
    OwnRate: "OwnRate.* failed on a slice of theta",
}


@pytest.mark.parametrize("rule", OWN_RULES)
def test_an_update_that_does_not_fit_slices_is_refused(rule):
    optimizer = rule(0.1)
    with pytest.raises(ValueError, match=f"{OWN_RULES[rule]}.*use workers=1"):
        pack(dense(), optimizer)
    assert optimizer.t == 0 and not optimizer.state
    pack(dense(), Signs(0.1))


def doubled(self, dout):
    return 2 * dout


def test_a_method_that_was_replaced_is_refused_since_a_worker_has_the_original(monkeypatch):
    model = dense(Tanh())
    pack(model, Adam())
    layer = model.encoder.layers[1]
    layer.backward = types.MethodType(doubled, layer)
    with pytest.raises(ValueError, match="doubled.*one object.*subclass of Tanh.*workers=1"):
        pack(model, Adam())
    del layer.backward
    pack(model, Adam())
    monkeypatch.setattr(Tanh, "backward", doubled)
    with pytest.raises(ValueError, match=r"Tanh\.backward was replaced.*original.*workers=1"):
        pack(model, Adam())


@pytest.mark.parametrize("workers", [0, -1, 2.0, True, None, "all", [2]])
def test_a_number_of_workers_that_is_none_is_refused(workers):
    with pytest.raises(ValueError, match='workers=.*integer, 1 or more, or "auto"'):
        dense().fit(X, workers=workers)


def test_a_browser_says_that_it_has_no_workers(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    for number in (2, "auto"):
        with pytest.raises(ValueError, match="a browser starts no processes; use workers=1"):
            dense().fit(X, workers=number)


def test_a_system_without_shared_memory_says_so(monkeypatch):
    def missing(*args, **options):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(processes, "SharedMemory", missing)
    with pytest.raises(ValueError, match="cannot be started here.*not implemented.*workers=1"):
        dense().fit(X, workers=2, verbose=0)


def test_auto_and_a_checkpoint_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="give the number"):
        dense().fit(X, workers="auto", checkpoint=tmp_path / "run.npz")


def test_a_change_between_epochs_is_checked_too():
    model = VAE(12, 2)
    pack(model, Adam())
    model.free_bits = 0.5
    with pytest.raises(ValueError, match="free_bits"):
        pack(model, Adam())


def test_weights_are_not_sent_but_shared():
    small, large = (len(pack(VAE(12, 2, (n,)), Adam())[0]) for n in (10, 5000))
    assert abs(large - small) < 200
    assert len(pack(VAE(12, 2, encoder=Sequential(Dense(12, 4))), Adam())[0]) < 2 * small


# Which of miniae's own classes say that they need the whole batch? Here they are held to it.

SEPARABLE = {
    "vae": lambda: VAE(12, 3, (7,), likelihood="gaussian", dtype="float64"),
    "prior": lambda: ImportanceWeightedVAE(
        12, 2, (7,), k=4, prior=MixturePrior([[0, 0], [1, 1]]), dtype="float64"
    ),
    "weighted": lambda: ImportanceWeightedVAE(12, 2, (7,), k=4, dtype="float64"),
    "columns": lambda: VAE(12, 2, likelihood=ColumnGaussianNLL(np.ones(12), True), dtype="float64"),
    "labels": lambda: ConditionalVAE(12, 2, (7,), n_classes=3, dtype="float64"),
    "images": lambda: VAE((4, 3, 1), 2, **networks((4, 3, 1), 4, 2), dtype="float64"),
    "tokens": lambda: SequenceVAE(5, 6, 2, (4,), embedding_dim=3, dtype="float64"),
    "sequences": lambda: SequenceAutoencoder(5, 6, 2, (4,), embedding_dim=3, dtype="float64"),
    "masked": lambda: Autoencoder(12, 2, loss=Masked(BernoulliNLL()), dtype="float64"),
    "penalty": lambda: Autoencoder(12, 2, penalty=L1Penalty(0.3), dtype="float64"),
    "counts": lambda: VAE(12, 2, likelihood="multinomial", dtype="float64"),
    "layer norm": lambda: dense(LayerNorm(5), Tanh()),
}


def networks(shape, code, latent):
    encoder, _ = conv_networks(shape, code, (3,))
    return {"encoder": encoder, "decoder": conv_networks(shape, latent, (3,))[1]}


@pytest.mark.parametrize("name", SEPARABLE)
def test_the_gradient_of_a_batch_is_the_weighted_mean_of_those_of_its_shares(name):
    model = SEPARABLE[name]()
    pack(model, Adam())  # it is not refused
    x = TOKENS if name in ("tokens", "sequences") else X.reshape(-1, *model.input_shape)
    x = np.where(x > 0.8, np.nan, x) if name == "masked" else x
    rng = np.random.default_rng(5)
    eps = rng.standard_normal((model.n_draws, len(x), model.latent_dim))
    total = 0.0

    def gradient(rows):
        noise = eps[:, rows] if model.n_draws > 1 else eps[0, rows]
        more = {"labels": LABELS[rows]} if name == "labels" else {}
        model.loss(x[rows], eps=noise, **more, training=True)
        model.backward()
        return model.dtheta.copy()

    for rows in shares(0, len(x), 3):
        total = total + gradient(rows) * ((rows.stop - rows.start) / len(x))
    whole = gradient(slice(0, len(x)))
    assert np.abs(total - whole).max() < 1e-12 * max(1, np.abs(whole).max())


def test_every_class_that_is_refused_would_give_another_gradient():
    """The converse: none is refused without need."""
    probe = VAE(12, 3, (7,), dtype="float64")
    kl = float(probe.kl_per_dimension(X[:52])[0] + probe.kl_per_dimension(X)[0]) / 2
    models = {
        "free bits": VAE(12, 3, (7,), free_bits=kl, dtype="float64"),
        "batch norm": dense(BatchNorm(5)),
        "sparsity": Autoencoder(
            12, 4, code_activation="sigmoid", penalty=KLSparsity(), dtype="float64"
        ),
    }
    for name, model in models.items():
        assert any(reason(part) for part in [model, *vars(model).values(), *model.encoder.layers])
        total, eps = 0.0, np.random.default_rng(1).standard_normal((103, model.latent_dim))
        for rows in (slice(0, 52), slice(52, 103), slice(0, 103)):
            model.loss(X[rows], eps=eps[rows], training=True)
            model.backward()
            weight = -1 if rows == slice(0, 103) else (rows.stop - rows.start) / 103
            total = total + weight * model.dtheta
        assert np.abs(total).max() > 1e-6, name


# With processes.


def test_two_workers_compute_what_one_process_does_to_rounding():
    """The batches have 30, 30, 30 and 13 rows, the norm is clipped, the rate is a lambda."""

    def train(**more):
        optimizer = Adam(lambda t: 0.01 / (1 + t), weight_decay=0.01, clip_norm=0.5)
        model = dense(Tanh(), Doubled(), Dense(5, 5, rng=3))
        return model.fit(X, epochs=2, batch_size=30, optimizer=optimizer, **OFF, **more)

    one, other = train(), train(workers=2)
    assert_same(one, other)
    assert_same(one.fit(X, epochs=1, verbose=0), other.fit(X, epochs=1, verbose=0), 1e-6)


def assert_same(one, other, tolerance=1e-12):
    """Assert that two models and their optimisers are the same, to rounding."""
    assert np.abs(one.theta - other.theta).max() < tolerance
    assert np.abs(one.dtheta - other.dtheta).max() < tolerance * max(1, np.abs(one.dtheta).max())
    assert one.history.keys() == other.history.keys()
    for name, values in one.history.items():
        assert np.allclose(values, other.history[name], rtol=1e-12, atol=0), name
    assert one.terms.keys() == other.terms.keys()
    a, b = one.optimizer, other.optimizer
    assert (a.t, a.state.keys()) == (b.t, b.state.keys())
    for name, values in a.state.items():
        assert np.allclose(values, b.state[name], rtol=1e-10, atol=1e-14)


RULES = {
    "momentum": lambda: SGD(1e-3, momentum=0.9, nesterov=True, weight_decay=0.1),
    "plain": lambda: SGD(1e-3),
    "own": lambda: Signs(1e-3),
    "clipped": lambda: Adam(1e-3, clip_norm=0.01),
}


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("rule", RULES)
def test_any_optimiser_and_number_of_workers_gives_the_same_to_rounding(rule, count):
    def train(workers):
        return dense(Tanh()).fit(
            X, epochs=2, batch_size=25, optimizer=RULES[rule](), workers=workers, **OFF
        )

    assert_same(train(1), train(count))


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 3, 51, 103, 1000])
def test_batches_that_do_not_divide_have_the_right_weights(batch_size):
    """Batches of 1 and 2 rows are smaller than the number of workers."""

    def train(workers):
        model, optimizer = dense(Tanh()), Adam(0.01)
        return model.fit(
            X[:7] if batch_size < 4 else X, epochs=2, batch_size=batch_size,
            optimizer=optimizer, workers=workers, **OFF,
        )  # fmt: skip

    assert_same(train(1), train(3))


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 30])
def test_a_gradient_that_a_layer_does_not_fill_is_zero_as_in_one_process(batch_size):
    def train(workers):
        layers = [Dense(12, 5, rng=1), Kept(5, 5, rng=2), Frozen(Dense(5, 5, rng=3)), Tanh()]
        return own_networks(*layers).fit(X, epochs=2, batch_size=batch_size, workers=workers, **OFF)

    one, other = train(1), train(3)
    assert_same(one, other)
    assert not one.encoder.layers[1].grads["W"].any() and one.encoder.layers[0].grads["W"].any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["masked", "penalty", "sequences", "layer norm"])
def test_models_without_noise_give_the_same_to_rounding(name):
    def train(workers):
        model = SEPARABLE[name]()
        x = TOKENS if name == "sequences" else X
        x = np.where(x > 0.8, np.nan, x) if name == "masked" else x
        return model.fit(x, epochs=2, batch_size=16, workers=workers, verbose=0, shuffle=False)

    assert_same(train(1), train(2))


def noisy(**more):
    model = Autoencoder(12, 3, corruption=GaussianNoise(0.3), dropout=0.2)
    more = {"epochs": 4, "batch_size": 20, "verbose": 0, "workers": 2, **more}
    return model.fit(X, optimizer=Adam(0.01), **more)


def same(a, b):
    """The weights, the history, the generator and the optimiser are the same bytes."""
    states = [each.rng.bit_generator.state for each in (a, b)]
    moments = [[v.tobytes() for v in each.optimizer.state.values()] for each in (a, b)]
    return (
        a.theta.tobytes() == b.theta.tobytes()
        and str(a.history) == str(b.history)
        and states[0] == states[1]
        and moments[0] == moments[1]
    )


@pytest.mark.slow
def test_two_runs_with_noise_are_the_same_bytes_and_workers_draw_different_noise():
    assert same(noisy(), noisy())
    assert not np.array_equal(noisy().theta, noisy(workers=3).theta)
    # Two workers with equal rows: with equal noise, the share of one would be the whole gradient.
    rows = np.repeat(X[:10], 2, axis=0)
    rows = np.concatenate([rows[::2], rows[1::2]])
    halves = {}
    for count in (1, 2):
        model = Autoencoder(12, 3, corruption=GaussianNoise(0.3), dtype="float64")
        model.fit(rows, epochs=1, batch_size=20, workers=count, **OFF)
        halves[count] = model.dtheta
    model = Autoencoder(12, 3, corruption=GaussianNoise(0.3), dtype="float64")
    seed = int(model.rng.integers(2**63))
    for number in (0, 1):
        model = Autoencoder(12, 3, corruption=GaussianNoise(0.3), dtype="float64")
        model.loss(rows[:10], rng=np.random.default_rng([seed, number]), training=True)
        model.backward()
        halves[2] = halves[2] - model.dtheta / 2
    assert np.abs(halves[2]).max() < 1e-12


@pytest.mark.slow
def test_a_run_that_is_broken_off_goes_on_with_the_same_bytes(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(Stop):
        noisy(checkpoint=path, callback=stop_after(2))
    with pytest.raises(ValueError, match="workers is 2 there and None here"):
        noisy(checkpoint=path, workers=1)
    assert same(noisy(checkpoint=path), noisy())
    assert same(noisy(checkpoint=path), noisy())  # nothing is left to do


@pytest.mark.slow
def test_what_callbacks_change_reaches_the_workers():
    """A callback runs in this process: it is a lambda, and it changes weights and settings."""
    seen = []

    def change(model, epoch, logs):
        seen.append((epoch, os.getpid(), np.abs(model.dtheta).max() > 0))
        model.theta[:5] += 0.1
        model.penalty.weight *= 3
        model.optimizer.lr, model.optimizer.betas = 2e-3, (0.5, 0.9)

    def train(workers):
        model = Autoencoder(12, 3, penalty=L1Penalty(0.1), dtype="float64")
        return model.fit(X, epochs=3, batch_size=40, callback=[change], workers=workers, **OFF)

    assert_same(train(1), train(2))
    assert seen == 2 * [(epoch, os.getpid(), True) for epoch in range(3)]


@pytest.mark.slow
def test_a_model_of_ones_own_sees_its_history():
    def train(workers):
        model = Rising(12, 3, penalty=L1Penalty(1.0), dtype="float64")
        return model.fit(X, epochs=3, batch_size=40, workers=workers, **OFF)

    assert_same(train(1), train(2))


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_what_is_printed_is_what_one_process_prints_but_for_the_time(capsys, verbose):
    def printed(workers):
        dense().fit(X, epochs=2, batch_size=40, workers=workers, verbose=verbose, shuffle=False)
        return re.sub(r"[\d.]+ s ", "", capsys.readouterr().err)

    assert printed(1) == printed(2)
    assert printed(2).count("\n") == 2 * (verbose > 0)


@pytest.mark.slow
def test_warm_up_early_stopping_and_sample_weights_work():
    def train(**more):
        model = VAE(12, 2, kl_warmup=3, likelihood="gaussian")
        weights = np.linspace(0, 1, 103)
        return model.fit(
            X, epochs=30, batch_size=20, validation_split=0.2, early_stopping=2, workers=2,
            optimizer=Adam(0.05), sample_weight=weights, verbose=0, **more,
        )  # fmt: skip

    model = train()
    assert model.history["kl_weight"][:4] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    best = np.argmin(model.history["val_loss"])
    assert len(model.history["loss"]) == best + 3
    kept = model.evaluate(X[1:][-20:])
    assert kept == pytest.approx(model.history["val_loss"][best], rel=1e-5)


@pytest.mark.slow
def test_files_streams_sparse_rows_and_labels_arrive_as_in_one_process(tmp_path):
    np.save(tmp_path / "x.npy", X)
    from_file = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert not processes.is_in_memory({"x": np.asarray(from_file)[3:]})
    assert processes.is_in_memory({"x": X[3:], "labels": LABELS})

    def fit(data, count=2, **more):
        model = dense(Tanh())
        return model.fit(data, epochs=2, batch_size=30, workers=count, **OFF, **more)

    expected = fit(X, 1)
    assert_same(expected, fit(from_file))
    sizes = [30, 30, 30, 13]
    ends = np.cumsum([0, *sizes])
    batches = [X[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]
    assert_same(expected, fit(lambda: iter(batches)))
    grow = [X[:10], X[10:60], X[60:]]  # the second batch needs more room than the first
    assert_same(fit(lambda: iter(grow), 1), fit(lambda: iter(grow)))
    target = X[:, ::-1].copy()
    assert_same(fit(X, 1, y=target), fit(X, y=target))
    assert_same(fit(lambda: iter([(X, target)]), 1), fit(lambda: iter([(X, target)])))
    sparse = pytest.importorskip("scipy.sparse")
    assert_same(expected, fit(sparse.csr_matrix(X)))


@pytest.mark.slow
def test_labels_are_divided_as_rows_are():
    """With labels that say all, and a narrow code, the loss is low only if they fit their rows."""
    rows = np.eye(3)[LABELS] * 0.9 + 0.05

    def train(count):
        model = ConditionalVAE(3, 1, (20,), n_classes=3, likelihood="gaussian")
        return model.fit(rows, labels=LABELS, epochs=60, batch_size=20, workers=count, verbose=0,
                         optimizer=Adam(0.01))  # fmt: skip

    assert train(2).history["loss"][-1] < train(1).history["loss"][-1] + 0.3


@pytest.mark.slow
def test_data_that_do_not_fit_into_shared_memory_are_sent_batch_by_batch(monkeypatch):
    def train(count):
        return dense(Tanh()).fit(X, epochs=2, batch_size=30, workers=count, **OFF)

    class Usage:
        free = 5 * dense().theta.nbytes / 0.9 + 3000  # the weights fit, the 10 kB of data do not

    monkeypatch.setattr(processes.shutil, "disk_usage", lambda path: Usage)
    assert_same(train(1), train(2))
    Usage.free = 100
    with pytest.raises(ValueError, match="/dev/shm has too little room for the weights"):
        train(2)
    Usage.free = 5 * dense().theta.nbytes / 0.9 + 3000
    large = np.repeat(X, 30, axis=0)  # 300 kB
    with pytest.raises(ValueError, match="/dev/shm has too little room for a batch"):
        dense(Tanh()).fit(lambda: iter([large]), epochs=2, workers=2, **OFF)


@pytest.mark.slow
def test_a_loss_that_is_nan_is_explained_as_in_one_process():
    def message(count):
        model = dense(Tanh())
        rate = lambda t: 1e-3 if t < 6 else 1e300  # noqa: E731
        with pytest.raises(FloatingPointError) as caught:
            model.fit(X, epochs=5, batch_size=25, optimizer=SGD(rate), workers=count, **OFF)
        return str(caught.value).split(":")[0], str(caught.value).split(". ")[-2:]

    assert message(1) == message(2)
    assert message(1)[0] == "epoch 2, batch 3"


class Fails(Doubled):
    needs_whole_batch = None

    def forward(self, x, training=False):
        if training and len(x) < 15:
            raise LookupError("a batch of my own is too small")
        return super().forward(x, training)


@pytest.mark.slow
def test_an_error_in_a_layer_is_shown_with_its_place_and_the_steps_before_count():
    one, other = dense(Fails()), dense(Doubled())
    with pytest.raises(RuntimeError, match=r"(?s)in forward.*LookupError: a batch of my own"):
        one.fit(X[:80], epochs=1, batch_size=30, workers=2, **OFF)
    other.fit(X[:60], epochs=1, batch_size=30, **OFF)
    assert np.abs(one.theta - other.theta).max() < 1e-12


@pytest.mark.slow
def test_an_error_of_a_stream_leaves_the_weights_of_the_steps_before():
    def stream():
        yield X[:30]
        yield X[30:60]
        yield X[60:, :3]

    one, other = dense(Tanh()), dense(Tanh())
    with pytest.raises(ValueError, match="batch 3: x must have shape"):
        one.fit(stream, epochs=1, workers=2, **OFF)
    other.fit(X[:60], epochs=1, batch_size=30, **OFF)
    assert np.abs(one.theta - other.theta).max() < 1e-12 and one.optimizer.t == 2


def steps_before(model, optimizer, theta, most):
    """Return after how many steps of one process a model has the weights theta, or None."""
    for step in range(most):
        if np.abs(model.theta - theta).max() < 1e-10:
            return step
        start = step % 3 * 30
        model.loss(X[start : start + 30], training=True)
        model.backward()
        optimizer.step(model.theta, model.dtheta)
    return None


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("delay", [0.0, 0.003, 0.01])
def test_a_worker_that_is_killed_is_an_error_and_the_last_whole_step_stays(delay):
    model = dense(Tanh())

    def kill_soon(model, epoch, logs):
        if epoch == 1:
            victim = children()[-1].pid
            threading.Timer(delay, os.kill, (victim, signal.SIGKILL)).start()

    with pytest.raises(RuntimeError, match=r"worker process has ended, with exit code \[-9\]"):
        model.fit(
            X[:90], epochs=5000, batch_size=30, optimizer=SGD(1e-4), workers=2,
            callback=kill_soon, **OFF,
        )  # fmt: skip
    assert steps_before(dense(Tanh()), SGD(1e-4), model.theta, 2000) >= 6
    done = len(model.history["loss"])
    model.fit(X[:90], epochs=1, batch_size=30, workers=2, **OFF)
    assert len(model.history["loss"]) == done + 1


def test_what_a_dead_worker_left_unfinished_is_undone():
    """Each state that a worker can die in, by hand: not begun, in the middle, done."""
    model = dense(Tanh())
    size, old, new = model.theta.size, model.theta.copy(), model.theta + 1
    for states in ([(4, 3), (3, 3)], [(4, 4), (4, 3)], [(4, 4), (3, 3)], [(4, 4), (4, 4)]):
        pool = workers.Workers.__new__(workers.Workers)
        gradients = {f"gradient.{i}": np.zeros(size) for i in range(2)}
        pool.vectors = processes.Shared.__new__(processes.Shared)
        pool.vectors.arrays = {
            "theta": old.copy(), **gradients,
            "begun": np.array([b for b, _ in states]), "done": np.array([d for _, d in states]),
        }  # fmt: skip
        for i, (here, (begun, done)) in enumerate(zip(slices(size, 2), states, strict=True)):
            if begun == 4:
                gradients[f"gradient.{1 - i}"][here] = old[here]
                half = slice(here.start, here.stop if done == 4 else (here.start + here.stop) // 2)
                pool.vectors.arrays["theta"][half] = new[half]
        pool.model, pool.optimizer, pool.waiting, pool.processes = model, Adam(), [1], []
        pool.count = 2
        pool.fetch(before=9)
        whole = all(done == 4 for _, done in states)
        assert np.array_equal(model.theta, new if whole else old)
        assert pool.broken and pool.optimizer.t == 9
        model.theta[...] = old


def run_script(folder, text, *, on_start=None, **options):
    """Run a script, call on_start when it prints "ready"; return (exit code, stdout, stderr)."""
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    environment |= dict.fromkeys(processes.THREADS, "2")
    process = subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, cwd=folder, **options,
    )  # fmt: skip
    if on_start is not None:
        seen = process.stdout.readline()
        assert seen.strip().startswith("ready"), (seen, process.communicate())
        try:
            on_start(process, seen.split()[1:])
        except BaseException:
            process.kill()
            raise
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


SCRIPT = """
import multiprocessing, os, signal
import numpy as np
from miniae import Autoencoder, Adam, SGD

signal.signal(signal.SIGINT, signal.default_int_handler)  # where a shell has it ignored
def ready(model, epoch, logs):
    if epoch == 2:
        print("ready", *(p.pid for p in multiprocessing.active_children()), flush=True)

X = np.random.default_rng(0).random((90, 12))
model = Autoencoder(12, 3, dtype="float64")
try:
    model.fit(X, epochs=EPOCHS, batch_size=30, workers=2, callback=ready, shuffle=False,
              verbose=0, optimizer=SGD(lambda t: 1e-5))
except KeyboardInterrupt:
    print("stopped", getattr(model.optimizer, "t", 0))
print(len(model.history.get("loss", ())), multiprocessing.active_children())
np.save("theta.npy", model.theta)
"""


def alive(pid):
    """Return whether a process runs; one that has ended and is not yet buried does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except OSError:
        return False


def threads_of(pid):
    """Return how many threads a process has; 0 where that is not known."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("Threads:"))


def wait_until(condition, seconds=20):
    end = time.time() + seconds
    while not condition() and time.time() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.slow
def test_a_script_without_a_guard_works(tmp_path):
    code, out, err = run_script(tmp_path, SCRIPT.replace("EPOCHS", "3"))
    assert (code, err) == (0, "")
    assert out.count("ready") == 1 and out.splitlines()[-1] == "3 []"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize("to_all", [False, True])
def test_ctrl_c_ends_between_two_steps_and_leaves_nothing(tmp_path, to_all):
    """A terminal sends the signal to the workers too."""
    pids, shared = [], set()

    def interrupt(process, numbers):
        pids.extend(map(int, numbers))
        shared.update(shared_by(process.pid))
        assert max(map(threads_of, pids)) <= 2  # one of BLAS, and one that watches the parent
        for pid in [*pids, process.pid] if to_all else [process.pid]:
            os.kill(pid, signal.SIGINT)

    code, out, err = run_script(tmp_path, SCRIPT.replace("EPOCHS", "10**6"), on_start=interrupt)
    assert (code, err) == (0, "")
    stopped, rest = out.splitlines()
    assert rest.endswith("[]") and len(pids) == 2
    assert not exist(shared)
    assert wait_until(lambda: not any(map(alive, pids)))
    steps = int(stopped.split()[1])
    theta = np.load(tmp_path / "theta.npy")
    model = Autoencoder(12, 3, dtype="float64")
    rows = np.random.default_rng(0).random((90, 12))
    optimizer = SGD(1e-5)
    for step in range(steps):
        start = step % 3 * 30
        model.loss(rows[start : start + 30], training=True)
        model.backward()
        optimizer.step(model.theta, model.dtheta)
    assert steps >= 9 and np.abs(model.theta - theta).max() < 1e-12


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="looks at what Linux has")
def test_a_parent_that_is_killed_leaves_no_process_and_no_memory(tmp_path):
    pids, shared = [], set()

    def kill(process, numbers):
        pids.extend(map(int, numbers))
        shared.update(shared_by(process.pid))
        assert all(map(alive, pids)) and len(shared) == 2  # vectors and data
        process.kill()

    _, _, err = run_script(tmp_path, SCRIPT.replace("EPOCHS", "10**6"), on_start=kill)
    assert wait_until(lambda: not any(map(alive, pids)))
    assert wait_until(lambda: not exist(shared))
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_ctrl_c_while_the_workers_start_leaves_nothing_and_they_print_nothing(tmp_path, delay):
    text = SCRIPT.replace("EPOCHS", "10**6")
    text = text.replace("try:", 'try:\n    print("ready", flush=True)').replace("epoch == 2", "0")

    def interrupt(process, _):
        time.sleep(delay)
        shared.update(shared_by(process.pid))
        os.killpg(process.pid, signal.SIGINT)

    shared = set()
    code, out, err = run_script(tmp_path, text, on_start=interrupt, start_new_session=True)
    assert (code, err) == (0, "") and out.startswith("stopped")
    assert not exist(shared)


OWN_LAYER = """
import numpy as np
from miniae import Autoencoder, Dense, Layer, Sequential

class Mine(Layer):
    needs_whole_batch = None
    def forward(self, x, training=False):
        return self.remember(x, 3 * x)
    def backward(self, dout):
        return 3 * dout

{guard}
    X = np.random.default_rng(0).random((90, 12))
    model = Autoencoder(12, 3, encoder=Sequential(Dense(12, 3), Mine()))
    model.fit(X, epochs=2, workers=2, verbose=0)
    print("trained", len(model.history["loss"]))
"""


@pytest.mark.slow
def test_a_layer_that_a_script_defines_needs_a_guard_and_an_error_says_so(tmp_path):
    guarded = OWN_LAYER.format(guard='if __name__ == "__main__":')
    assert run_script(tmp_path, guarded) == (0, "trained 2\n", "")
    code, out, err = run_script(tmp_path, OWN_LAYER.format(guard="if True:"))
    assert code != 0 and "trained" not in out
    assert "if __name__ == '__main__':" in err.splitlines()[-1] or "__main__" in err


@pytest.mark.slow
def test_a_layer_of_a_notebook_is_refused_with_what_to_write(tmp_path):
    text = OWN_LAYER.format(guard="if True:")
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert run.returncode != 0 and "trained" not in run.stdout
    assert "from my_layers import Mine" in run.stderr.splitlines()[-1]


def test_what_workers_are_started_with_does_not_stay():
    before, main = dict(os.environ), sys.modules["__main__"]
    with pytest.raises(Stop), processes.for_children([]):
        assert {os.environ[name] for name in processes.THREADS} == {"1"}
        assert not hasattr(sys.modules["__main__"], "__file__")
        raise Stop
    assert dict(os.environ) == before and sys.modules["__main__"] is main


def test_auto_weighs_what_workers_save_against_what_they_cost(monkeypatch):
    source = workers.Rows({"x": X}, 10, True)
    model = dense()
    monkeypatch.setattr(cores, "cores", lambda: 4)

    def chosen(one, two, four, epochs=100):
        monkeypatch.setattr(cores, "seconds", lambda *_: {1: one, 2: two, 4: four})
        return cores.choose_workers(model, Adam(), source, epochs)

    assert chosen(0.1, 0.05, 0.03) == 4
    assert chosen(0.1, 0.05, 0.06) == 2
    assert chosen(0.1, 0.05, 0.03, epochs=1) == 1  # over before the workers are there
    assert chosen(0.1, 0.09, 0.1) == 1
    assert chosen(3e-4, 1.5e-4, 1e-4, epochs=10**5) == 1  # they would wait most of the time
    assert cores.choose_workers(dense(BatchNorm(5)), Adam(), source, 100) == 1
    monkeypatch.setattr(cores, "cores", lambda: 1)
    assert cores.choose_workers(model, Adam(), source, 100) == 1


def test_auto_measures_without_changing_the_model():
    model = dense(Dropout(0.5))
    before, state = model.theta.copy(), str(model.rng.bit_generator.state)
    optimizer = Adam()
    taken = cores.seconds(model, optimizer, workers.Rows({"x": X}, 10, True), [1, 2, 16])
    assert list(taken) == [1, 2, 16] and all(0 < each < 10 for each in taken.values())
    assert np.array_equal(model.theta, before) and str(model.rng.bit_generator.state) == state
    assert optimizer.t == 0 and not optimizer.state and not model.terms
    model.fit(X, epochs=1, workers="auto", verbose=0)


def test_auto_leaves_it_to_the_training_to_explain_a_loss_that_is_nan(monkeypatch):
    monkeypatch.setattr(cores, "cores", lambda: 4)
    model = dense(Tanh())
    model.theta[...] = np.inf
    with pytest.raises(FloatingPointError, match="epoch 1, batch 1"):
        model.fit(X, workers="auto", verbose=0)


def test_miniae_itself_is_trusted_and_only_what_computes_with_batches_says_a_reason():
    """A new class with a reason must be in one of the tests above."""
    reasons = {
        cls.__name__
        for name in miniae.__all__
        for cls in [getattr(miniae, name)]
        if inspect.isclass(cls) and "needs_whole_batch" in vars(cls)
    }
    assert reasons == {"BatchNorm", "KLSparsity", "MultimodalVAE", "VAE"}
    assert "workers" not in inspect.signature(VAEGAN.fit).parameters
    assert "__main__" not in parcel.TRUSTED and "miniae" in parcel.TRUSTED
