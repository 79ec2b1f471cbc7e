"""Nothing in the file of a run is trusted: all of it is checked before any goes into the model."""

import json
import os

import numpy as np
import pytest

from miniae import SGD, VAE, Adam, Autoencoder, ImportanceWeightedVAE
from miniae.optim import Optimizer
from miniae.plumbing import archives
from miniae.plumbing.optimizers import own

X = np.random.default_rng(0).random((30, 6))


def make():
    return VAE(6, 2, (5,), kl_warmup=3)


def fit(model, epochs, path, **more):
    return model.fit(
        X, epochs=epochs, batch_size=10, verbose=0, checkpoint=path, validation_split=0.2,
        **{"early_stopping": 50, "optimizer": Adam(), **more},
    )  # fmt: skip


def changed(path, change, kind="run"):
    """Write the file again after a change of its arrays and of its state."""
    arrays = archives.read(path)
    state = json.loads(str(arrays["run"]))
    header = json.loads(str(arrays["header"]))
    change(arrays if kind == "arrays" else state if kind == "run" else header)
    if "run" in arrays and kind == "run":
        arrays["run"] = np.array(json.dumps(state))
    if kind == "header":
        arrays["header"] = np.array(json.dumps(header))
    archives.write(path, arrays)


def everything(model, optimizer):
    """All that a resumed run could change, as text."""
    public = {k: v for k, v in vars(optimizer).items() if k not in ("owner", "state")}
    return str(
        [model.theta.tobytes(), model.history, model.rng.bit_generator.state, model.get_params(),
         public, {k: v.tobytes() for k, v in optimizer.state.items()}]
    )  # fmt: skip


def put(*path, value=None):
    """Return a change that sets an entry of nested dicts and lists; "gone" removes it."""

    def change(state):
        *above, last = path
        for key in above:
            state = state[key]
        if value == "gone":
            del state[last]
        else:
            state[last] = value

    return change


RUN = {
    "no t": put("t", value="gone"),
    "no rng": put("rng", value="gone"),
    "no facts": put("facts", value="gone"),
    "no adjusted": put("adjusted", value="gone"),
    "facts is a list": put("facts", value=[]),
    "facts without epochs": put("facts", value={}),
    "unknown key": put("more", value=1),
    "negative t": put("t", value=-1),
    "t is a fraction": put("t", value=1.5),
    "t is text": put("t", value="3"),
    "t is True": put("t", value=True),
    "huge t": put("t", value=10**400),
    "moments is text": put("moments", value="mv"),
    "moments lacks one": put("moments", value=["m"]),
    "moments has one twice": put("moments", value=["m", "v", "v"]),
    "moments has another": put("moments", value=["m", "v", "w"]),
    "best_loss is text": put("best_loss", value="low"),
    "best_loss is NaN": put("best_loss", value=float("nan")),
    "best_epoch beyond": put("best_epoch", value=4),
    "best_epoch negative": put("best_epoch", value=-1),
    "best_epoch is None": put("best_epoch", value=None),
    "stopped is text": put("stopped", value="no"),
    "the loss is replaced": put("adjusted", 1, "loss", value=0),
    "a method is replaced": put("adjusted", 0, "step", value=1),
    "theta is replaced": put("adjusted", 1, "theta", value=1),
    "dunder": put("adjusted", 1, "__class__", value=1),
    "negative rate": put("adjusted", 0, "lr", value=-1),
    "rate of NaN": put("adjusted", 0, "lr", value=float("nan")),
    "rate is True": put("adjusted", 0, "lr", value=True),
    "rate is text": put("adjusted", 0, "lr", value="0.1"),
    "negative decay": put("adjusted", 0, "weight_decay", value=-1),
    "betas is a number": put("adjusted", 0, "betas", value=0.5),
    "negative beta": put("adjusted", 1, "beta", value=-1),
    "beta is a list": put("adjusted", 1, "beta", value=[1]),
    "adjusted is one": put("adjusted", value=[{}]),
    "adjusted is a dict": put("adjusted", value={}),
    "rng is text": put("rng", value="random"),
    "rng of another kind": put("rng", "bit_generator", value="MT19937"),
    "rng lacks its state": put("rng", "state", value="gone"),
    "rng state is negative": put("rng", "state", "state", value=-5),
    "rng state is too large": put("rng", "state", "state", value=2**200),
    "rng state is text": put("rng", "state", "inc", value="1"),
}
ARRAYS = {
    "m is complex": lambda a: a.update({"optimizer.m": a["optimizer.m"].astype(complex)}),
    "m is text": lambda a: a.update({"optimizer.m": a["optimizer.m"].astype(str)}),
    "m is float64": lambda a: a.update({"optimizer.m": a["optimizer.m"].astype(float)}),
    "m is short": lambda a: a.update({"optimizer.m": a["optimizer.m"][:-1]}),
    "m has NaN": lambda a: a["optimizer.m"].__setitem__(3, np.nan),
    "v is negative": lambda a: a["optimizer.v"].__setitem__(3, -1e-9),
    "v is inf": lambda a: a["optimizer.v"].__setitem__(0, np.inf),
    "v is missing": lambda a: a.pop("optimizer.v"),
    "another vector": lambda a: a.update({"optimizer.w": a["optimizer.v"]}),
    "theta is complex": lambda a: a.update(theta=a["theta"].astype(complex)),
    "theta is text": lambda a: a.update(theta=a["theta"].astype(str)),
    "theta has NaN": lambda a: a["theta"].__setitem__(5, np.nan),
    "theta is missing": lambda a: a.pop("theta"),
    "best has inf": lambda a: a["best_theta"].__setitem__(5, np.inf),
    "best is short": lambda a: a.update(best_theta=a["best_theta"][1:]),
    "run is text": lambda a: a.update(run=np.array("hello")),
    "run is a list": lambda a: a.update(run=np.array("[]")),
    "run is a number": lambda a: a.update(run=np.array(3.0)),
    "header is text": lambda a: a.update(header=np.array("hello")),
    "unknown array": lambda a: a.update(strange=np.ones(3)),
}
HEADER = {
    "no history": put("history", value="gone"),
    "history is a list": put("history", value=[]),
    "history has text": put("history", "loss", 0, value="low"),
    "history has True": put("history", "loss", 0, value=True),
    "history is nested": put("history", "loss", value=[[1.0], [2.0], [3.0]]),
    "history is longer": put("history", "loss", value=[0.0] * 99),
}
KINDS = {"run": RUN, "arrays": ARRAYS, "header": HEADER}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.npz"
    fit(make(), 3, path)
    return path.read_bytes()


CASES = [(kind, name) for kind in KINDS for name in KINDS[kind]]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(*case, marks=[pytest.mark.slow] if i % 7 else [])
        for i, case in enumerate(CASES)
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(tmp_path, written, kind, name):
    path = tmp_path / "run.npz"
    path.write_bytes(written)
    changed(path, KINDS[kind][name], kind)
    before_file = path.read_bytes()
    model, optimizer = make(), Adam()
    own(model, optimizer)
    before = everything(model, optimizer)
    with pytest.raises(ValueError, match="cannot be read|of another run|beyond the 5|no run"):
        fit(model, 5, path, optimizer=optimizer)
    assert everything(model, optimizer) == before and model.optimizer is None
    assert model.loss(X) > 0 and optimizer.step.__name__ == "step"
    assert path.read_bytes() == before_file


def test_the_file_without_a_change_goes_on(tmp_path, written):
    path = tmp_path / "run.npz"
    path.write_bytes(written)
    changed(path, lambda state: None)
    assert len(fit(make(), 5, path).history["loss"]) == 5


def test_a_place_beyond_the_end_of_the_generators_list_is_refused(tmp_path):
    def model():
        model = make()
        model.rng = np.random.Generator(np.random.MT19937(5))
        return model

    path = tmp_path / "run.npz"
    fit(model(), 2, path)
    for key, value in (("pos", 10**6), ("pos", -1), ("key", [1] * 623), ("key", ["a"] * 624)):
        kept = path.read_bytes()
        changed(path, put("rng", "state", key, value=value))
        with pytest.raises(ValueError, match="cannot be read"):
            fit(model(), 3, path)
        path.write_bytes(kept)
    assert len(fit(model(), 3, path).history["loss"]) == 3


def test_a_setting_that_only_the_constructor_checks_is_checked(tmp_path):
    path = tmp_path / "run.npz"
    fit(ImportanceWeightedVAE(6, 2, k=3), 2, path)
    changed(path, put("adjusted", 1, "k", value=-4))
    with pytest.raises(ValueError, match="k=-4"):
        fit(ImportanceWeightedVAE(6, 2, k=3), 3, path)


def test_best_weights_without_early_stopping_are_refused(tmp_path):
    path = tmp_path / "run.npz"
    fit(Autoencoder(6, 2), 2, path, early_stopping=None)
    changed(path, lambda arrays: arrays.update(best_theta=arrays["theta"] * 0), "arrays")
    with pytest.raises(ValueError, match="best weights, but no early stopping"):
        fit(Autoencoder(6, 2), 3, path, early_stopping=None)


def test_the_time_of_the_file_and_a_copy_of_it_do_not_end_a_run(tmp_path):
    path = tmp_path / "run.npz"

    def touch(model, epoch, logs):
        if path.exists():
            os.utime(path, (epoch, epoch))
            (tmp_path / "copy").write_bytes(path.read_bytes())
            (tmp_path / "copy").replace(path)

    assert len(fit(make(), 4, path, callback=touch).history["loss"]) == 4


def test_a_file_of_other_content_and_the_same_size_and_time_ends_a_run(tmp_path):
    path, times = tmp_path / "run.npz", []

    def swap(model, epoch, logs):
        if epoch == 1:
            times.append(os.stat(path))
            arrays = archives.read(path)
            arrays["theta"][0] += 1
            with open(path, "wb") as file:
                np.savez(file, **arrays)
            os.utime(path, ns=(times[0].st_atime_ns, times[0].st_mtime_ns))

    with pytest.raises(RuntimeError, match="was written by another process"):
        fit(make(), 4, path, callback=swap)


class Duck:
    """An optimiser that is not an Optimizer."""

    def __init__(self):
        self.velocity = 0.0

    def step(self, theta, dtheta):
        theta -= 0.1 * dtheta


def test_an_optimiser_of_unknown_state_is_refused_before_any_training(tmp_path):
    with pytest.raises(ValueError, match="derive its class from Optimizer, or leave out"):
        fit(make(), 2, tmp_path / "run.npz", optimizer=Duck())
    assert not os.listdir(tmp_path)
    model = make().fit(X, epochs=2, optimizer=Duck(), verbose=0)
    assert len(model.history["loss"]) == 2


class Counting(Optimizer):
    """A rule of a reader's own, with a vector and a number of its own."""

    moments = ("sums",)

    def __init__(self, lr, pace=1.0):
        self.pace = pace
        super().__init__(lr)

    def update(self, theta, dtheta, lr, sums):
        self.pace *= 0.9
        sums += dtheta
        theta -= lr * self.pace * sums


def test_a_rate_of_another_type_that_a_callback_sets_goes_on(tmp_path):
    def decay(model, epoch, logs):
        model.optimizer.lr = np.float32(0.01 / (1 + epoch))

    path = tmp_path / "run.npz"
    whole = fit(make(), 5, tmp_path / "whole", callback=decay)
    fit(make(), 2, path, callback=decay)
    again = fit(make(), 5, path, callback=decay)
    assert again.theta.tobytes() == whole.theta.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: Counting(1e-3),
        lambda: SGD(0.1, momentum=0.5),
        lambda: Adam(np.float32(0.01), clip_norm=np.inf),
    ],
)
def test_the_state_of_any_optimizer_goes_on(tmp_path, optimizer):
    path = tmp_path / "run.npz"
    whole = fit(make(), 5, tmp_path / "whole", optimizer=optimizer())
    fit(make(), 2, path, optimizer=optimizer())
    again = fit(make(), 5, path, optimizer=optimizer())
    assert again.theta.tobytes() == whole.theta.tobytes()
