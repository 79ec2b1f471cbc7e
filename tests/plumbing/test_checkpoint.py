"""A run that is broken off goes on as if it had not been, and its file is always whole."""

import itertools
import os
import signal
import time
import zipfile

import numpy as np
import pytest
from sampled import often
from stopping import Stop, stop_after

from miniae import SGD, VAE, Adam, Autoencoder, ConditionalVAE, GaussianNoise
from miniae.plumbing import archives

X = np.random.default_rng(0).random((70, 6))
LABELS = np.arange(70) % 3


def falling(step):
    return 1e-2 / (1 + step)


RUNS = {
    "vae": (lambda: VAE(6, 2, (5,), kl_warmup=6, free_bits=0.1, dropout=0.2), {}),
    "denoising": (
        lambda: Autoencoder(6, 2, (5,), corruption=GaussianNoise(0.3), dropout=0.3),
        {"optimizer": lambda: SGD(0.1, momentum=0.9)},
    ),
    "schedule": (lambda: VAE(6, 2, (5,), dtype="float64"), {"optimizer": lambda: Adam(falling)}),
    "early stopping": (
        lambda: Autoencoder(6, 2, (5,), dropout=0.4),
        {"validation_split": 0.3, "early_stopping": 6, "optimizer": lambda: Adam(0.03)},
    ),
    "labels": (lambda: ConditionalVAE(6, 2, (5,), n_classes=3), {"labels": LABELS}),
}


def fit(name, epochs=10, **more):
    """Return a new model, fitted as RUNS says."""
    make, options = RUNS[name]
    options = {**options, **more}
    if "optimizer" in options:
        options["optimizer"] = options["optimizer"]()
    return make().fit(X, epochs=epochs, batch_size=16, verbose=0, **options)


def same(a, b):
    """The weights, the history, the generator and the optimiser are the same bytes."""
    assert a.theta.tobytes() == b.theta.tobytes()
    assert (
        str(a.history) == str(b.history) and a.rng.bit_generator.state == b.rng.bit_generator.state
    )
    assert a.optimizer.t == b.optimizer.t
    for key, vector in a.optimizer.state.items():
        assert vector.tobytes() == b.optimizer.state[key].tobytes()
    return True


@pytest.mark.parametrize(("every", "name"), often(7, itertools.product((1, 3), RUNS)))
def test_a_broken_run_that_goes_on_ends_with_the_same_bytes(tmp_path, name, every):
    whole, path = fit(name), tmp_path / "run.npz"
    with pytest.raises(Stop):
        fit(name, checkpoint=path, checkpoint_every=every, callback=stop_after(4))
    assert same(fit(name, checkpoint=path, checkpoint_every=every), whole)
    assert same(fit(name, checkpoint=path, checkpoint_every=every), whole)  # nothing is left to do
    assert os.listdir(tmp_path) == ["run.npz"]


def test_a_run_may_be_made_longer_but_not_shorter(tmp_path):
    path = tmp_path / "run.npz"
    fit("vae", epochs=4, checkpoint=path)
    assert same(fit("vae", epochs=10, checkpoint=path), fit("vae"))
    with pytest.raises(ValueError, match=r"has reached epoch 10, beyond the 7"):
        fit("vae", epochs=7, checkpoint=path)


def test_the_file_is_a_models_file_too(tmp_path):
    path = tmp_path / "run.npz"
    model = fit("early stopping", checkpoint=path)
    clone = Autoencoder.load(path)
    assert clone.history == model.history and len(clone.theta) == len(model.theta)


OTHERS = {
    "batch_size is 16 there and 8 here": {"batch_size": 8},
    "shuffle is True there and False here": {"shuffle": False},
    "optimizer is .*'lr': 0.001.* there and .*'lr': 0.1": {"optimizer": Adam(0.1)},
    "validation is None there": {"validation_data": X[:9]},
}


@pytest.mark.parametrize("words", OTHERS)
def test_a_run_of_other_settings_is_refused_by_name_and_stays(tmp_path, words):
    path = tmp_path / "run.npz"
    fit("vae", epochs=2, checkpoint=path)
    before = path.read_bytes()
    options = {"batch_size": 16, **OTHERS[words]}
    with pytest.raises(ValueError, match=f"is of another run: {words}"):
        RUNS["vae"][0]().fit(X, epochs=3, checkpoint=path, verbose=0, **options)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        (VAE(6, 3, (5,)), X, "model's latent_dim is 2 there and 3 here"),
        (Autoencoder(6, 2, (5,)), X, "class is 'VAE' there and 'Autoencoder' here"),
        (RUNS["vae"][0](), X[:-1], r"data is .*\(70, 6\).* there and .*\(69, 6\)"),
        (RUNS["vae"][0](), X[::-1], "data is"),
        (
            RUNS["vae"][0]().fit(X, epochs=1, verbose=0),
            X,
            "began with a model of 0 epochs, but this model has been trained for 1",
        ),
    ],
)
def test_a_run_of_another_model_or_other_data_is_refused_by_name(tmp_path, model, data, words):
    path = tmp_path / "run.npz"
    fit("vae", epochs=2, checkpoint=path)
    before = model.theta.copy()
    with pytest.raises(ValueError, match=words):
        model.fit(data, epochs=3, batch_size=16, checkpoint=path, verbose=0)
    assert np.array_equal(model.theta, before)


def test_what_is_no_checkpoint_is_refused_and_not_overwritten(tmp_path):
    path = tmp_path / "run.npz"
    VAE(6, 2, (5,)).save(path)
    with pytest.raises(ValueError, match="holds a model, but no run"):
        fit("vae", checkpoint=path)
    path.write_text("my notes")
    with pytest.raises(ValueError, match="cannot be read"):
        fit("vae", checkpoint=path)
    assert path.read_text() == "my notes"
    with pytest.raises(ValueError, match="checkpoint_every=0"):
        fit("vae", checkpoint=tmp_path / "new.npz", checkpoint_every=0)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_child(work):
    """Run something in a forked process, and return its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


@pytest.mark.slow
@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_run_killed_at_50_random_moments_leaves_a_whole_file_and_ends_with_the_same_bytes(
    tmp_path,
):
    path, rng, epochs = tmp_path / "run.npz", np.random.default_rng(0), 400
    kills = 0
    while kills < 50:
        child = in_child(lambda: fit("vae", epochs, checkpoint=path))
        time.sleep(rng.uniform(0.002, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
        if path.exists():
            done = len(VAE.load(path).history["loss"])
            if done == epochs:  # all of it ran between two kills: begin again
                path.unlink()
    assert same(fit("vae", epochs, checkpoint=path), fit("vae", epochs))
    rest = set(os.listdir(tmp_path)) - {"run.npz"}
    assert all(name.startswith("run.npz.") and name.endswith(".part") for name in rest)


@pytest.mark.slow
@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_save_killed_at_50_random_moments_leaves_the_old_file_or_the_new_one(tmp_path):
    models = [VAE(200, 20, (400,), seed=seed) for seed in (0, 1)]
    path, rng = tmp_path / "model.npz", np.random.default_rng(0)
    models[0].save(path)

    def save_for_ever():
        while True:
            for model in models:
                model.save(path)

    for _ in range(50):
        child = in_child(save_for_ever)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        theta = VAE.load(path).theta
        assert any(np.array_equal(theta, model.theta) for model in models)


@pytest.mark.parametrize("moment", [3, 17, 29])
def test_an_interrupted_fit_leaves_a_model_that_goes_on_with_the_history_so_far(moment):
    model, steps = Autoencoder(6, 2, (5,)), 0

    class Interrupted(Adam):
        def step(self, theta, dtheta):
            nonlocal steps
            steps += 1
            if steps == moment:
                raise KeyboardInterrupt
            super().step(theta, dtheta)

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, epochs=10, batch_size=16, optimizer=Interrupted(), verbose=0)
    done = (moment - 1) // 5  # 70 rows are 5 batches
    assert len(model.history.get("loss", ())) == done
    assert np.isfinite(model.evaluate(X))
    model.fit(X, epochs=2, verbose=0)
    assert len(model.history["loss"]) == done + 2


def bad_file(path, **entries):
    """Write an archive whose entries are given as bytes."""
    with zipfile.ZipFile(path, "w") as file:
        for name, (data, kind) in entries.items():
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), data, kind)


def test_an_array_that_claims_to_be_huge_is_refused_before_it_is_allocated(tmp_path):
    path = tmp_path / "bomb.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    header += b" " * (118 - len(header)) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"12345678"
    bad_file(path, theta=(data, zipfile.ZIP_STORED))
    with pytest.raises(ValueError, match=r"shape \(1000000000000,\) has 8 bytes"):
        archives.read(path)
    bad_file(path, theta=(b"\0" * 10**7, zipfile.ZIP_DEFLATED))  # a zip bomb, in small
    with pytest.raises(ValueError, match="'theta' is compressed"):
        archives.read(path)


def test_what_a_callback_sets_goes_on_too(tmp_path):
    def decay(model, epoch, logs):
        model.optimizer.lr *= 0.8
        model.beta = 1 + 0.1 * epoch

    def broken(model, epoch, logs):
        decay(model, epoch, logs)
        if epoch == 4:
            raise Stop

    def run(callback, **more):
        model = VAE(6, 2, (5,))
        adam = Adam(0.01)
        return model.fit(
            X, epochs=8, batch_size=16, optimizer=adam, callback=callback, verbose=0, **more
        )

    path = tmp_path / "run.npz"
    with pytest.raises(Stop):
        run(broken, checkpoint=path, checkpoint_every=2)
    assert same(run(decay, checkpoint=path), run(decay))


def test_other_weights_at_the_start_and_any_other_row_are_another_run(tmp_path):
    path = tmp_path / "run.npz"
    fit("vae", epochs=2, checkpoint=path)
    model = RUNS["vae"][0]()
    model.theta = model.theta + 0.1
    with pytest.raises(ValueError, match="another run: weights at the start"):
        model.fit(X, epochs=3, batch_size=16, checkpoint=path, verbose=0)
    other = X.copy()
    other[33, 2] = 0.5
    with pytest.raises(ValueError, match="another run: data"):
        RUNS["vae"][0]().fit(other, epochs=3, batch_size=16, checkpoint=path, verbose=0)


def test_a_missing_folder_is_an_error_before_any_training(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        fit("vae", checkpoint=tmp_path / "nowhere" / "run.npz")


def test_a_refused_file_leaves_the_model_as_it_was(tmp_path):
    path = tmp_path / "run.npz"
    fit("vae", epochs=4, checkpoint=path)
    arrays = archives.read(path)
    del arrays["optimizer.v"]
    archives.write(path, arrays)
    model = RUNS["vae"][0]()
    before = model.theta.copy()
    with pytest.raises(ValueError, match="cannot be read"):
        model.fit(X, epochs=6, batch_size=16, checkpoint=path, verbose=0)
    assert np.array_equal(model.theta, before) and not model.history


@pytest.mark.parametrize(
    "kind",
    ["MT19937", *(pytest.param(k, marks=pytest.mark.slow) for k in ("PCG64", "Philox", "SFC64"))],
)
def test_any_of_numpys_generators_goes_on(tmp_path, kind):
    def run(epochs, **more):
        model = VAE(6, 2, (5,), dropout=0.2)
        model.rng = np.random.Generator(getattr(np.random, kind)(5))
        return model.fit(X, epochs=epochs, batch_size=16, verbose=0, **more)

    path = tmp_path / "run.npz"
    run(2, checkpoint=path)
    assert run(4, checkpoint=path).theta.tobytes() == run(4).theta.tobytes()
    with pytest.raises(ValueError, match=f"another run: random generator is '{kind}' there"):
        model = VAE(6, 2, (5,), dropout=0.2)
        model.rng = np.random.Generator(np.random.PCG64DXSM(5))
        model.fit(X, epochs=4, batch_size=16, checkpoint=path, verbose=0)


@pytest.mark.parametrize("finished", [False, True])
def test_two_runs_on_one_file_do_not_overwrite_each_other(tmp_path, finished):
    path, seen = tmp_path / "run.npz", []
    if finished:
        fit("vae", epochs=2, checkpoint=path)

    def another_starts(model, epoch, logs):
        if not seen:
            seen.append(fit("vae", epochs=epoch + 3, checkpoint=path))

    with pytest.raises(RuntimeError, match="written by another process"):
        fit("vae", epochs=9, checkpoint=path, callback=another_starts)
    assert VAE.load(path).theta.tobytes() == seen[0].theta.tobytes()


def test_a_checkpoint_that_was_deleted_meanwhile_is_written_again(tmp_path):
    path = tmp_path / "run.npz"

    def tidy(model, epoch, logs):
        path.unlink(missing_ok=True)

    model = fit("vae", epochs=3, checkpoint=path, callback=tidy)
    assert VAE.load(path).theta.tobytes() == model.theta.tobytes()
