"""The benchmark: its peers do the same work, and what it says of their times is computed right."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo_runs import DEMOS, load, quick

from miniae import VAE, Autoencoder, conv_networks

STEPS, ROWS = 6, 5
NAMES = ["W0", "W1", "W2", "W3", "W4", "W5"]

with load("benchmark_workloads") as workloads:
    pass


@pytest.fixture
def peers():
    with load("benchmark_peers") as module:
        yield module


@pytest.fixture
def goals():
    with load("benchmark_goals") as module:
        yield module


@pytest.fixture
def benchmark():
    with load("benchmark") as module:
        yield module


def losses(peers, name, workload):
    """Return the losses of a few steps of training, from weights, batches and noise at random."""
    chosen, rng = workloads.WORKLOADS[workload], np.random.default_rng(3)
    weights = [
        w + 0.05 * rng.standard_normal(w.shape) for w in workloads.initial(chosen, "float64")
    ]
    shape = (28, 28) if chosen.channels else chosen.sizes[:1]
    peer, found = peers.PEERS[name](chosen, weights), []
    for _ in range(STEPS):
        x, eps = rng.random((ROWS, *shape)), rng.standard_normal((ROWS, chosen.sizes[-1]))
        found.append(float(peer.step(peer.array(x), peer.array(eps) if chosen.vae else None)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("workload", NAMES)
@pytest.mark.parametrize("name", ["torch", "torch-fused", "jax"])
def test_a_peers_losses_are_miniaes_over_several_steps_of_training(peers, name, workload):
    pytest.importorskip(peers.PEERS[name].module)
    # No sum in a pass has more than 7 * 7 * 64 = 3136 terms, and each adds at most a rounding of
    # 1.1e-16 of the sum of their sizes: 3.5e-13. Where Adam divides one rounding by another, the
    # gradient is rounding too, and so is what the step does to the loss.
    ours, theirs = losses(peers, "miniae", workload), losses(peers, name, workload)
    assert np.allclose(theirs, ours, rtol=1e-12, atol=0)
    assert abs(ours[-1] / ours[0] - 1) > 1e-3  # they do train


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "torch-fused", "jax"])
def test_the_epochs_of_a_peer_are_of_the_same_batches_as_those_of_fit(peers, name):
    pytest.importorskip(peers.PEERS[name].module)
    chosen, found = workloads.WORKLOADS["W0"], {}  # no noise, which is each library's own
    X = np.random.default_rng(4).random((2 * chosen.batch + 7, chosen.sizes[0]))
    for each in ("miniae", name):
        found[each] = []
        peer = peers.PEERS[each](chosen, workloads.initial(chosen, "float64"))
        peer.fit(X, 2, lambda epoch, loss, each=each: found[each].append((epoch, loss)))
    assert [epoch for epoch, _ in found[name]] == [0, 1]
    assert np.allclose(found[name], found["miniae"], rtol=1e-12, atol=0)


@pytest.mark.slow
def test_scikit_learns_network_has_as_many_weights_as_the_plain_autoencoder(peers):
    pytest.importorskip("sklearn")
    for name in ("W0", "W2"):
        chosen, epochs = workloads.WORKLOADS[name], []
        peer = peers.ScikitLearn(chosen, None)
        X = np.random.default_rng(5).random((3 * chosen.batch, chosen.sizes[0]), np.float32)
        peer.fit(X, 2, lambda epoch, loss, epochs=epochs: epochs.append(epoch))
        arrays = peer.model.coefs_ + peer.model.intercepts_
        features, *hidden, code = chosen.sizes
        model = Autoencoder(features, code, hidden)
        assert sum(array.size for array in arrays) == model.theta.size
        assert epochs == [0, 1] and peer.model.t_ == 2 * len(X)
        assert all(array.dtype == np.float32 for array in arrays)


def test_the_weights_have_the_shapes_and_the_scale_of_miniaes(peers):
    for name in ("W0", "W2", "W5"):
        chosen = workloads.WORKLOADS[name]
        arrays, model = (
            workloads.initial(chosen),
            peers.Miniae(chosen, workloads.initial(chosen)).model,
        )
        found = [value for _, value, _ in model.named_params()]
        assert all(np.array_equal(a, b) for a, b in zip(arrays, found, strict=True))
        features, *hidden, code = chosen.sizes
        if chosen.channels:
            networks = conv_networks((28, 28), code, chosen.channels)
            plain = Autoencoder((28, 28), code, encoder=networks[0], decoder=networks[1])
        else:
            plain = (VAE if chosen.vae else Autoencoder)(features, code, hidden, activation="relu")
        for a, (_, b, _) in zip(arrays, plain.named_params(), strict=True):
            if a.size > 1000 and a.ndim == 2:  # uniform: n draws tell the variance to 0.9 / sqrt(n)
                assert abs(a.var() / b.var() - 1) < 5 * math.sqrt(2) * 0.9 / math.sqrt(a.size)


def test_the_floors_products_are_those_of_the_network(peers):
    assert workloads.products(workloads.WORKLOADS["W1"]) == [
        (1, 784, 500), (1, 500, 40), (1, 20, 500), (1, 500, 784)
    ]  # fmt: skip
    # Of a convolution: a window of 9 pixels, c_in each, at every pixel of the smaller image.
    assert workloads.products(workloads.WORKLOADS["W5"]) == [
        (196, 9, 32), (49, 288, 64), (1, 3136, 32), (1, 32, 3136), (49, 64, 288), (196, 32, 9)
    ]  # fmt: skip
    floor = peers.Floor(workloads.WORKLOADS["W2"], workloads.initial(workloads.WORKLOADS["W2"]))
    floor.step(11)  # fewer than a batch
    for i, (_, x, W, dout, dW, dx) in enumerate(floor.layers):
        assert np.allclose(dout[:11], x[:11] @ W, rtol=1e-3, atol=1e-3)
        assert np.allclose(dW, x[:11].T @ dout[:11], rtol=1e-3, atol=0.1)
        assert (dx is None) == (i == 0)
        assert dx is None or np.allclose(dx[:11], dout[:11] @ W.T, rtol=1e-3, atol=0.1)


def test_a_ratio_is_the_median_of_those_within_rounds(benchmark):
    # The machine is ten times slower in the second round: medians of times would say 2.5.
    assert benchmark.ratio([1.0, 30.0, 2.5], [2.0, 10.0, 1.0]) == 2.5
    assert benchmark.ratio([1.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == 2.0


def test_losses_that_differ_stop_the_benchmark_and_say_whose(benchmark):
    benchmark.check_equal({"miniae": 500.0, "torch": 505.0, "floor": None})
    for wrong in (400.0, 1000.0, math.nan):
        with pytest.raises(RuntimeError, match="first epoch's loss is .* with torch, and 500"):
            benchmark.check_equal({"miniae": 500.0, "torch": wrong})


def test_every_worker_has_a_turn_in_each_round_and_the_order_changes(benchmark):
    said = []

    class Worker:
        def __init__(self, name):
            self.name = name

        def turn(self):
            said.append(self.name)
            return len(said)

    turns = benchmark.take_turns({n: Worker(n) for n in "abc"}, 7, np.random.default_rng(0))
    rounds = ["".join(said[i : i + 3]) for i in range(0, len(said), 3)]
    assert len(rounds) == 8 and {"".join(sorted(order)) for order in rounds} == {"abc"}
    assert len(set(rounds)) > 1 and all(len(turns[n]) == 8 for n in "abc")


def results(**seconds):
    """Return results of one workload: a round each, in seconds, and 200 MiB."""
    return {
        "peers": {
            name.replace("_", "-"): {"seconds": [each], "peak_bytes": 200 * 2**20}
            for name, each in seconds.items()
        }
    }


def test_the_verdict_compares_ratio_memory_import_and_growth_with_the_goals(goals):
    workload = results(miniae=1.0, torch=1.0, torch_fused=1.0, miniae_2=0.75, floor=0.5)
    workload["peers"]["miniae-2"]["peak_bytes"] = 300 * 2**20
    scaling = {"100": {"seconds": 1.0, "bytes": 5000}, "400": {"seconds": 3.8, "bytes": 5000}}
    rows = goals.verdicts({"W1": workload}, {"numpy": 0.1, "miniae": 0.12}, scaling)
    assert [row[0] for row in rows[:3]] == [
        "W1: miniae / PyTorch",
        "W1: miniae / PyTorch, 2 workers",
        "W1: miniae / PyTorch, fused Adam, 2 workers",
    ]
    assert [row[1:] for row in rows] == [
        ("at most 0.95", "1.00", "not met"),
        ("at most 0.75", "0.75", "met"),
        ("at most 1.00", "0.75", "met"),
        ("at most 200", "300", "not met"),  # of the most processes
        ("at most 1.50", "1.20", "met"),
        ("at most 10%", "-5%", "met"),
        ("at most 5.0%", "0.0%", "met"),
    ]


def test_the_table_of_goals_has_each_ratio_beside_its_goal_and_a_dash_where_nothing_is(goals):
    table = goals.goal_table(
        {"W2": results(miniae=1.0, miniae_2=0.6, torch=2.0, jax=0.5), "E1": results(miniae=3.0)}
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert rows[0][1::2] == ["eager, 1", "eager, 2", "fused, 2", "JAX, 2"]
    assert rows[2] == ["W2", "0.50", "0.75", "0.30", "0.60", "-", "0.75", "1.20", "1.00"]
    assert rows[3] == ["E1", "-", "1.00", *["-"] * 6]


def test_every_workload_has_goals_in_the_columns_of_the_table(goals):
    assert list(goals.GOALS) == [*NAMES, "E1", "E2", "E3", "E4"]
    assert all(list(goals.GOALS[name]) == list(goals.COLUMNS) for name in NAMES[1:])


def test_a_list_of_names_is_checked(benchmark):
    assert benchmark.listed("W1,W3", NAMES, "workloads") == ["W1", "W3"]
    assert benchmark.listed("all", NAMES, "workloads") == NAMES
    with pytest.raises(SystemExit, match="--workloads W1,W9: 'W9' is not one of W0,W1"):
        benchmark.listed("W1,W9", NAMES, "workloads")


def test_the_parts_of_an_epoch_add_up_to_it(peers):
    with load("benchmark_worker") as worker:
        chosen = workloads.WORKLOADS["W0"]
        peer = peers.Miniae(chosen, workloads.initial(chosen))
        X = np.random.default_rng(6).random((100, 64), dtype=np.float32)
        start = worker.time.perf_counter()
        parts = worker.profile(peer, X, 3)
        elapsed = worker.time.perf_counter() - start
    assert list(parts)[:4] == ["forward", "loss", "backward", "optimiser"]
    assert all(seconds > 0 for seconds in parts.values())
    assert 2 * sum(parts.values()) < elapsed  # the median epoch, and one that took longer


def test_the_peak_of_memory_is_that_of_the_process():
    resource = pytest.importorskip("resource")
    held = np.ones(2**25, dtype=np.uint8)
    with load("benchmark_memory") as memory:
        peak = memory.peak_memory()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of this process or its parent's
    assert len(held) < peak <= 1.01 * most * (1 if sys.platform == "darwin" else 1024)


HOLD = "import time; held = bytearray(b'1') * {}; print(1, flush=True); time.sleep(60)"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_the_memory_of_a_process_includes_that_of_its_children_while_they_live():
    held = 5 * 10**7
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD.format(held)!r}])"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        with load("benchmark_memory") as memory:
            parent.stdout.readline()  # the child holds its memory
            with memory.FamilyWatch(parent.pid) as watch:
                pass
            members = memory.family(parent.pid)
    finally:
        for pid in [*members[1:], parent.pid]:
            os.kill(pid, signal.SIGKILL)
        parent.communicate()
    assert members[0] == parent.pid and watch.processes == len(members) == 2
    assert held < watch.most < held + 5 * 10**7  # the rest is Python, twice


def test_the_memory_of_a_process_that_has_ended_is_0():
    with load("benchmark_memory") as memory:
        assert memory.kilobytes("/proc/0/status") == {}
        assert memory.family_memory(2**30) == 0


@pytest.mark.slow
def test_without_avx_512_numpy_has_no_such_loops_and_each_library_is_told():
    with load("benchmark_machine") as machine:
        native, narrow = (machine.environment(simd, 3) for simd in machine.SIMD)
        assert native["OMP_NUM_THREADS"] == narrow["OPENBLAS_NUM_THREADS"] == "3"
        code = "from support.benchmark_machine import *; print(*numpy_features())"
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True,
                              text=True, env=narrow, cwd=DEMOS, check=True)  # fmt: skip
        before = machine.numpy_features()
    said = done.stdout.split()
    assert not [name for name in said if "AVX512" in name or name == "X86_V4"]
    assert set(said) <= set(before) and narrow["ATEN_CPU_CAPABILITY"] == "avx2"
    assert "--xla_cpu_max_isa=AVX2" in narrow["XLA_FLAGS"]
    assert "ATEN_CPU_CAPABILITY" not in native or "ATEN_CPU_CAPABILITY" in os.environ


def test_a_figure_is_headed_by_processor_vectors_and_kernel():
    with load("benchmark_machine") as machine:
        words = machine.where({"cpu": "A chip", "features": ["SSE", "AVX2"], "blas": "b Haswell"})
        assert words == "A chip; NumPy uses SSE AVX2; BLAS b Haswell"
        assert machine.where({"cpu": "A chip"}) == "A chip; NumPy uses unknown; BLAS unknown"


def test_instructions_are_read_from_valgrind_and_without_it_none_are_counted(monkeypatch):
    with load("benchmark_counts") as counts:
        assert counts.collected("==12== Events : Ir\n==12== Collected : 1234567\n") == 1234567
        with pytest.raises(RuntimeError, match="valgrind printed no count"):
            counts.collected("==12== nothing")
        monkeypatch.setattr(counts.shutil, "which", lambda name: None)
        assert counts.count(["miniae"], "W0", "no file", {}) is None


@pytest.mark.full
@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind")
def test_the_count_of_a_step_is_that_of_its_products_at_least(tmp_path):
    file, n = tmp_path / "x.npy", workloads.WORKLOADS["W2"].batch
    np.save(file, np.random.default_rng(0).random((n, 784), dtype=np.float32))
    with load("benchmark_counts") as counts, load("benchmark_machine") as machine:
        environment = machine.environment("native", 1)
        found = counts.count(["floor", "jax"], "W2", file, environment, 3)
    # Forward, dW, and dx after the first layer; at most 8 float32 products in an instruction.
    sizes = [k * m for _, k, m in workloads.products(workloads.WORKLOADS["W2"])]
    products = n * (3 * sum(sizes) - sizes[0])
    assert list(found) == ["floor"] and products / 8 < found["floor"]["per_step"] < products


def test_several_values_of_an_option_are_a_list_and_a_switch_is_off_without_it(benchmark, tmp_path):
    chosen = benchmark.chosen_options(["--threads", "4", "--workers", "4", "2", "--simd", "avx2"])
    assert chosen.workers == [1, 2, 4] and chosen.simd == ["avx2"] and not chosen.instructions
    few = benchmark.chosen_options(["--threads", "2", "--workers", "2", "8", "--instructions"])
    assert few.workers == [1, 2] and few.instructions  # more workers than threads prove nothing
    for wrong in (["--simd", "avx"], ["--workers", "0"], ["--rounds", "0"]):
        with pytest.raises(SystemExit, match=wrong[0]):
            benchmark.chosen_options(wrong)


def test_the_names_of_miniae_tell_its_workers(peers):
    with load("benchmark_report") as report:
        names = [peers.our_name(w) for w in (1, 2, 8)]
        assert names == ["miniae", "miniae-2", "miniae-8"]
        assert [report.workers_of(name) for name in [*names, "torch"]] == [1, 2, 8, None]
        assert report.spoken("miniae-2") == "miniae, 2 workers"
    chosen = workloads.WORKLOADS["W0"]
    built = peers.build("miniae-2", chosen, workloads.initial(chosen))
    assert built.more == {"workers": 2}
    assert peers.build("miniae", chosen, workloads.initial(chosen)).more == {}


@pytest.mark.demo
def test_benchmark_quick_prints_its_tables_and_writes_what_it_measured(tmp_path):
    done = quick(tmp_path, "benchmark", "--workloads", "W2,E1", "--peers", "floor", "--threads",
                 "1", "--json", str(tmp_path / "all.json"))  # fmt: skip
    found = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert set(found["machine"]) >= {
        "cpu", "cores", "threads", "date", "numpy", "features", "blas", "simd", "load_before"
    }  # fmt: skip
    peers = found["workloads"]["W2"]["peers"]
    assert list(peers) == ["miniae", "floor"] and peers["floor"]["loss"] is None
    assert all(len(row["seconds"]) == 2 and min(row["seconds"]) > 0 for row in peers.values())
    assert list(found["workloads"]["E1"]["peers"]) == ["miniae"]
    assert set(found["scaling"]["miniae"]) == {"160", "320", "640"}
    assert set(found["batches"]["seconds"]["miniae"]) == {"25", "50"}
    assert "import miniae / import numpy" in done.text
    assert done.pictures == {"benchmark", "scaling"}
    assert "| W2 | - | 0.75 |" in done.text and "the products alone" in done.text
    assert done.text.count("NumPy uses") >= 3
