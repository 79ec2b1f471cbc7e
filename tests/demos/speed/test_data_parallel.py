"""Data-parallel training: ranks that are threads, and where there is an MPI, real ones."""

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from demo_runs import DEMOS, Run, load

from miniae import (
    SGD,
    VAE,
    Adam,
    Autoencoder,
    BatchNorm,
    Dense,
    ImportanceWeightedVAE,
    KLSparsity,
    L1Penalty,
    MaskingNoise,
    Sequential,
    conv_networks,
)

pytestmark = pytest.mark.demo


class Thread:
    """A rank that is a thread: what the demo uses of MPI's communicator."""

    def __init__(self, rank, slots, barrier):
        self.rank, self.size, self.slots, self.barrier = rank, len(slots), slots, barrier

    def allgather(self, value):
        self.slots[self.rank] = value
        self.barrier.wait()
        values = list(self.slots)
        self.barrier.wait()
        return values

    def bcast(self, value):
        return self.allgather(value)[0]

    def allreduce(self, value):
        return sum(self.allgather(value))

    def Bcast(self, array):
        array[...] = self.bcast(array.copy())

    def Allreduce(self, send, receive):
        receive[...] = sum(self.allgather(send))

    def Ibarrier(self):
        self.barrier.wait()
        return SimpleNamespace(Test=lambda: True)


def on_ranks(size, function):
    """Return what function(comm) returns on each of the ranks; raise what one of them raises."""
    slots, barrier = [None] * size, threading.Barrier(size, timeout=300)

    def run(rank):
        try:
            return function(Thread(rank, slots, barrier))
        except Exception:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, rank) for rank in range(size)]
    errors = [f.exception() for f in futures if f.exception()]
    for error in sorted(errors, key=lambda e: isinstance(e, threading.BrokenBarrierError)):
        raise error
    return [f.result() for f in futures]


@pytest.fixture(scope="module")
def demo():
    with load("data_parallel") as module:
        yield module


def conv_vae():
    encoder, decoder = conv_networks((6, 5), 2, (3,), variational=True, dtype="float64")
    return VAE((6, 5), 2, encoder=encoder, decoder=decoder, dtype="float64", seed=4)


options = {"dtype": "float64", "seed": 4}
MODELS = {
    "vae": lambda: VAE(30, 3, (5,), kl_warmup=3, beta=2.0, dropout=0.3, **options),
    "learned sigma": lambda: VAE(30, 2, (5,), likelihood="gaussian", **options),
    "denoising": lambda: Autoencoder(
        30, 3, (5,), corruption=MaskingNoise(0.3), penalty=L1Penalty(0.1), dropout=0.2, **options
    ),
    "convolutional": conv_vae,
}


def data(model, n=23):
    """Return n images; 23 leave an odd rest of every batch size."""
    return np.random.default_rng(7).random((n, *model.input_shape))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_shares_of_a_batch_are_every_row_once_and_their_weights_sum_to_1(demo, size):
    for n in range(1, 14):
        ranks = [SimpleNamespace(rank=rank, size=size) for rank in range(size)]
        shares = [demo.share(n, rank) for rank in ranks]
        rows = np.concatenate([np.arange(n)[rows] for rows, weight in shares if weight])
        np.testing.assert_array_equal(rows, np.arange(n))
        assert sum(weight for _, weight in shares) == pytest.approx(1, rel=1e-15 * size)
        for rows, weight in shares:
            count = len(np.arange(n)[rows])
            assert count >= 1 and weight in (0, count / n)
        counts = [round(weight * n) for _, weight in shares]
        assert max(counts) - min(counts) <= 1


def test_rows_get_the_noise_that_they_get_in_the_whole_batch(demo):
    whole, part = np.random.default_rng(3), np.random.default_rng(3)
    noise = demo.Noise(part, 7, slice(2, 5))
    for name, shape, dtype in (
        ("standard_normal", (7, 4), np.float32),
        ("random", (7, 2, 3), np.float64),
    ):
        expected = getattr(whole, name)(shape, dtype=dtype)[2:5]
        drawn = getattr(noise, name)((3, *shape[1:]), dtype=dtype)
        assert drawn.dtype == dtype
        np.testing.assert_array_equal(drawn, expected)
    assert part.bit_generator.state == whole.bit_generator.state


@pytest.mark.parametrize("name", MODELS)
def test_one_rank_trains_as_fit_does_to_the_last_bit(demo, name):
    fitted, model = MODELS[name](), MODELS[name]()
    X = data(model)
    fitted.fit(X, epochs=4, batch_size=8, optimizer=Adam(), verbose=0)
    on_ranks(1, lambda comm: demo.train(model, X, comm, epochs=4, batch_size=8, optimizer=Adam()))
    np.testing.assert_array_equal(model.theta, fitted.theta)
    assert model.history["loss"] == fitted.history["loss"]
    assert model.rng.bit_generator.state == fitted.rng.bit_generator.state


# Gradients here are below 20, so that their rounding is below 20 times some 100 operations of
# 1.1e-16 each, 2e-13. By SGD and by Adam with eps=0.01 a step moves by 0.1 times that at most; 12
# steps by 3e-13, and a factor of 3 is left for what a step makes of the errors before it.
LIMIT = 1e-12
OPTIMIZERS = [lambda: SGD(0.003, momentum=0.5), lambda: Adam(1e-3, eps=0.01)]


@pytest.mark.parametrize("size", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 5))])
@pytest.mark.parametrize("name", MODELS)
def test_several_ranks_train_as_fit_does_to_rounding(demo, name, size):
    batch = 10 if size == 3 else 7  # the last has 3 rows, or 2: fewer than 5 ranks
    for optimizer in OPTIMIZERS:
        fitted, X = MODELS[name](), data(MODELS[name]())
        start = fitted.theta.copy()
        fitted.fit(X, epochs=3, batch_size=batch, optimizer=optimizer(), verbose=0)

        def train(comm, optimizer=optimizer, X=X):
            model = MODELS[name]()
            if comm.rank:  # rank 0 has the say
                model.theta, model.rng = model.theta + 1, np.random.default_rng(99)
            demo.train(model, X, comm, epochs=3, batch_size=batch, optimizer=optimizer())
            return model

        for model in on_ranks(size, train):
            np.testing.assert_allclose(model.theta, fitted.theta, rtol=0, atol=LIMIT)
            np.testing.assert_allclose(model.history["loss"], fitted.history["loss"], rtol=LIMIT)
            assert model.rng.bit_generator.state == fitted.rng.bit_generator.state
        assert np.abs(fitted.theta - start).max() > 1e-3


def test_training_goes_on_where_fit_stopped_with_the_epochs_counted(demo):
    fitted, model = MODELS["vae"](), MODELS["vae"]()
    X = data(model)
    fitted.fit(X, epochs=4, batch_size=8, optimizer=Adam(), verbose=0)
    model.fit(X, epochs=1, batch_size=8, optimizer=Adam(), verbose=0)
    settings = {"epochs": 3, "batch_size": 8, "optimizer": model.optimizer}
    on_ranks(1, lambda comm: demo.train(model, X, comm, **settings))
    np.testing.assert_array_equal(model.theta, fitted.theta)
    assert {len(values) for values in model.history.values()} == {4}


@pytest.mark.parametrize(
    "model",
    [
        VAE(30, 3, (5,), free_bits=0.1),
        Autoencoder(30, 3, (5,), code_activation="sigmoid", penalty=KLSparsity()),
        ImportanceWeightedVAE(30, 3, (5,), k=2),
        Autoencoder(30, 3, encoder=Sequential(Dense(30, 3), BatchNorm(3))),
    ],
    ids=["free bits", "KLSparsity", "importance-weighted", "BatchNorm"],
)
def test_what_is_no_mean_over_samples_is_refused(demo, model):
    settings = {"epochs": 1, "batch_size": 8, "optimizer": Adam()}
    with pytest.raises(ValueError, match="no rank can compute its part"):
        on_ranks(1, lambda comm: demo.train(model, data(model), comm, **settings))


def test_ranks_that_are_given_other_data_are_an_error_at_once(demo):
    def train(comm):
        model = MODELS["vae"]()
        X = data(model, 20 + comm.rank)
        demo.train(model, X, comm, epochs=1, batch_size=8, optimizer=Adam())

    with pytest.raises(
        ValueError, match=r"must be equal on all ranks, got .*\(20, 30\).*\(21, 30\)"
    ):
        on_ranks(2, train)


@pytest.mark.parametrize("what", ["weights", "generator"])
def test_ranks_that_end_with_other_weights_or_generators_are_an_error(demo, what):
    def train(comm):
        def stray(model, epoch, logs):
            if comm.rank == 2 and what == "weights":
                model.theta[5] = np.nextafter(model.theta[5], 1)
            elif comm.rank == 2:
                model.rng.random()

        model, settings = MODELS["vae"](), {"epochs": 1, "batch_size": 8, "optimizer": Adam()}
        demo.train(model, data(model), comm, **settings, callback=stray)

    with pytest.raises(RuntimeError, match=r"ranks \[2\] are not those of rank 0"):
        on_ranks(3, train)


def test_only_rank_0_prints_and_a_rank_that_fails_ends_all(demo, capsys):
    ended = []
    for rank in range(2):
        with demo.together(SimpleNamespace(rank=rank, size=2, Abort=ended.append)):
            print("printed by", rank)
            assert rank == 0, "a mistake"
    printed = capsys.readouterr()
    assert printed.out == "printed by 0\n" and ended == [1]
    assert printed.err.startswith("rank 1 of 2 failed:\nTraceback") and "a mistake" in printed.err
    with pytest.raises(AssertionError), demo.together(SimpleNamespace(rank=0, size=1)):
        raise AssertionError


def test_without_mpi4py_it_says_what_to_install(demo, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(SystemExit, match="pip install mpi4py mpich"):
        demo.main(["--quick"])


@pytest.mark.demo
def test_data_parallel_quick_prints_its_table_and_saves_its_picture(tmp_path, capsys):
    out = tmp_path / "out"
    with load("data_parallel") as demo:
        demo.world = lambda: Thread(0, [None], threading.Barrier(1))
        demo.main(["--quick", "--data", "digits", "--out", str(out)])
    table, pictures = Run(capsys.readouterr().out, out)
    assert len(table) == 4 and pictures == {"data_parallel"}
    for dtype in ("float32", "float64"):
        fit, ranks = table[f"fit, one process, {dtype}"], table[f"all-reduce, 1 rank, {dtype}"]
        assert fit[:2] == ranks[:2]


@pytest.fixture(scope="module")
def mpiexec():
    """Run ``mpiexec -n size python ...``; skip where there is no MPI that works."""
    pytest.importorskip("mpi4py")
    beside = Path(sys.executable).with_name("mpiexec")
    program = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not program:
        pytest.skip("there is no mpiexec")
    environment = {
        **os.environ,  # Open MPI is asked for more ranks than cores, and in a container by root
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PYTHONPATH": str(DEMOS / "speed"),
    }
    environment.pop("MINIAE_DATA", None)

    def run(size, *arguments, cwd=None):
        command = [program, "-n", str(size), sys.executable, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=600
        )

    tried = run(2, "-c", "from mpi4py import MPI; print(MPI.COMM_WORLD.size)")
    if tried.stdout.split() != ["2", "2"]:
        pytest.skip(f"{program} and mpi4py do not work together: {tried.stdout}{tried.stderr}")
    return run


SCRIPT = """
import numpy as np
from data_parallel import together, train, world
from test_data_parallel import LIMIT, MODELS, OPTIMIZERS, data

comm = world()
with together(comm):
    for name in MODELS:
        for optimizer in OPTIMIZERS:
            fitted, model = MODELS[name](), MODELS[name]()
            X = data(model)
            if BROKEN and comm.rank == 1:
                X[17] = np.nan
            train(model, X, comm, epochs=3, batch_size=7, optimizer=optimizer())
            fitted.fit(X, epochs=3, batch_size=7, optimizer=optimizer(), verbose=0)
            np.testing.assert_allclose(model.theta, fitted.theta, rtol=0, atol=LIMIT)
            print(name, "the same on", comm.size)
"""


def script(tmp_path, broken):
    path = tmp_path / "script.py"
    folders = [str(folder) for folder in Path(__file__).parents[:2]]
    here = f"import sys; sys.path += {folders}"
    path.write_text(f"{here}\nBROKEN = {broken}\n{SCRIPT}", encoding="utf-8")
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_ranks_of_a_real_mpi_train_as_fit_does_to_rounding(mpiexec, tmp_path, size):
    done = mpiexec(size, script(tmp_path, broken=False))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"the same on {size}") == len(MODELS) * len(OPTIMIZERS)


@pytest.mark.slow
def test_an_error_on_one_rank_ends_the_others_too(mpiexec, tmp_path):
    done = mpiexec(3, script(tmp_path, broken=True))
    assert done.returncode != 0 and "rank 1 of 3 failed" in done.stderr
    assert "must be finite" in done.stderr


@pytest.mark.slow
def test_the_demo_under_mpiexec_prints_once_and_ends_where_fit_does(mpiexec, tmp_path):
    done = mpiexec(2, str(DEMOS / "speed" / "data_parallel.py"), "--quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table, pictures = Run(done.stdout, tmp_path / "out" / "data_parallel")
    assert len(table) == 4 and pictures == {"data_parallel"}
    assert done.stdout.count("Pictures in") == 1
    fit, ranks = table["fit, one process, float64"], table["all-reduce, 2 ranks, float64"]
    assert fit[:2] == ranks[:2]
