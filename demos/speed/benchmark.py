# %% [markdown]
"""Speed and memory: miniae, PyTorch, JAX and scikit-learn on the same networks, images and batches.

    MINIAE_DATA=<folder> python demos/speed/benchmark.py      MNIST, all libraries installed here
    python demos/speed/benchmark.py --workloads W1,W3 --peers torch,floor --rounds 5 --threads 1

Each library has its own process. They take turns, an epoch each, in a random order, so that other
work on the machine slows all of them alike. A ratio is the median over the rounds. The "floor" is
the matrix products of the same network and nothing else.
"""

# %%
import contextlib
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np

import miniae
from miniae import datasets
from miniae.plumbing.archives import write_text

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support import benchmark_peers
from support.benchmark_peers import PEERS
from support.benchmark_report import NAMES, describe, draw, ratio, verdicts
from support.benchmark_workloads import WHOLE, WORKLOADS
from support.common import options, save, show

# If the losses after the first epoch differ by more than this share, the peers do different work.
# Those of W3 differ by 0.07, because each peer has its own noise. With the same noise they are
# equal up to rounding: see tests/demos/speed/test_benchmark.py.
UNEQUAL = 0.1
WHOLE_EPOCHS, SCALING = 50, "W2"
WORKER = Path(benchmark_peers.__file__).with_name("benchmark_worker.py")


# %%
class Process:
    """A peer's process, which trains one epoch at each turn."""

    def __init__(self, stack, command, environment):
        self.process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=environment)
        )  # fmt: skip
        self.ready = None  # what it prints before its first turn

    def read(self):
        """Return what the process prints next, a dict."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args)} ended: see its error above")
        return json.loads(line)

    def turn(self):
        """Return the seconds, loss, peak memory and idle time of an epoch, a dict."""
        self.ready = self.ready or self.read()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()


class WholeRun:
    """A peer that at each turn runs from the start of Python to the trained model."""

    def __init__(self, stack, command, environment):
        self.command, self.environment, self.ready = command, environment, None

    def turn(self):
        """See Process.turn."""
        start = time.perf_counter()
        done = subprocess.run(self.command, stdout=subprocess.PIPE, text=True, check=True,
                              env=self.environment)  # fmt: skip
        seconds = time.perf_counter() - start
        self.ready, *_, last = map(json.loads, done.stdout.splitlines())
        return {**last, "seconds": seconds}


def command(peer, workload, file, epochs, mode):
    """Return the command that starts a worker."""
    return [sys.executable, str(WORKER), peer, workload, str(file), str(epochs), mode]


def pictures(chosen, workload, n):
    """Return n images in the shape that the workload needs; the 10,000 built-in ones repeat."""
    if chosen.data == "mnist":
        X = datasets.mnist("train")[0]
    else:
        X = datasets.synthetic_digits(min(n, 10_000), seed=chosen.seed)[0]
    X = X[np.arange(n) % len(X)]
    if workload == WHOLE:  # 8 x 8 means over 3 x 3 pixels, without the margin
        X = X[:, 2:26, 2:26].reshape(n, 8, 3, 8, 3).mean(axis=(2, 4))
    return X if WORKLOADS[workload].channels else X.reshape(n, -1)


def samples(chosen, workload):
    """Return how many images a workload uses: with --quick two and a half batches."""
    workload = WORKLOADS[workload]
    return 5 * workload.batch // 2 if chosen.quick else workload.n


def take_turns(workers, rounds, rng):
    """Return what each worker printed at each turn, lists by name. The first turn is a warm-up."""
    said = {name: [] for name in workers}
    for _ in range(rounds + 1):
        names = list(workers)
        for i in rng.permutation(len(names)):
            said[names[i]].append(workers[names[i]].turn())
    return said


def check_equal(losses):
    """Raise an error if the peers' losses after the first epoch, a dict, are not alike."""
    for name, loss in losses.items():
        if loss is not None and not abs(loss / losses["miniae"] - 1) <= UNEQUAL:
            raise RuntimeError(
                f"unequal work: the first epoch's loss is {loss:.5g} with {name}, and "
                f"{losses['miniae']:.5g} with miniae; find out why before comparing times"
            )


def measure(chosen, name, peers, folder):
    """Measure one workload, print its table, and return the results, a dict."""
    workload, n, file = WORKLOADS[name], samples(chosen, name), folder / f"{name}.npy"
    np.save(file, pictures(chosen, name, n))
    peers = [peer for peer in peers if peer != "sklearn" or not workload.channels]
    epochs = (2 if chosen.quick else WHOLE_EPOCHS) if name == WHOLE else chosen.rounds + 1
    start, mode = (WholeRun, "through") if name == WHOLE else (Process, "turns")
    with contextlib.ExitStack() as stack:
        workers = {
            peer: start(stack, command(peer, name, file, epochs, mode), chosen.environment)
            for peer in peers
        }
        said = take_turns(workers, chosen.rounds, np.random.default_rng(chosen.seed))
    check_equal({peer: turns[0]["loss"] for peer, turns in said.items() if peer != "sklearn"})
    run = subprocess.run(
        command("miniae", name, file, 2 if chosen.quick else 5, "profile"),
        stdout=subprocess.PIPE, text=True, check=True, env=chosen.environment,
    )  # fmt: skip
    steps = math.ceil(n / workload.batch)
    found = {
        peer: {
            "seconds": [turn["seconds"] for turn in turns[1:]],
            "loss": turns[0]["loss"],
            "peak_bytes": turns[-1]["peak"],
            "bytes_before": workers[peer].ready["before"],
            "idle_cpu_seconds": sum(turn["idle"] for turn in turns[1:]),
            "version": workers[peer].ready["version"],
        }
        for peer, turns in said.items()
    }
    ours = found["miniae"]["seconds"]
    for row in found.values():
        low, row["median"], high = np.quantile(row["seconds"], (0.25, 0.5, 0.75)).tolist()
        row["quartiles"] = low, high
        row["ratio"] = ratio(ours, row["seconds"])
    parts = {part: 1000 * s / steps for part, s in json.loads(run.stdout).items()}
    result = {"what": str(workload), "n": n, "steps": steps, "peers": found, "ms_per_step": parts}
    describe(name, result)
    return result


def scaling(chosen, folder):
    """Return seconds per epoch, and memory in addition to the images, for n, 2n and 4n images."""
    most, found = samples(chosen, SCALING), {}
    with contextlib.ExitStack() as stack:
        workers = {}
        for n in (most // 4, most // 2, most):
            np.save(file := folder / f"{n}.npy", pictures(chosen, SCALING, n))
            arguments = command("miniae", SCALING, file, chosen.rounds + 1, "turns")
            workers[n] = Process(stack, arguments, chosen.environment)
        said = take_turns(workers, chosen.rounds, np.random.default_rng(chosen.seed))
    for n, turns in sorted(said.items()):
        seconds = float(np.median([turn["seconds"] for turn in turns[1:]]))
        found[n] = {"seconds": seconds, "bytes": turns[-1]["peak"] - workers[n].ready["before"]}
    rows = [
        (f"{n:,}", row["seconds"], 1e6 * row["seconds"] / n, f"{row['bytes'] / 2**20:.1f}")
        for n, row in found.items()
    ]
    show((f"{SCALING}, images", "s per epoch", "µs per image", "MiB beyond them"), rows, digits=3)
    return found


def imports(chosen):
    """Return the median seconds of ``import numpy`` and ``import miniae`` in new processes."""
    seconds = {"numpy": [], "miniae": []}
    for _ in range(1 if chosen.quick else 25):
        for module, found in seconds.items():
            code = f"from time import perf_counter as t; s = t(); import {module}; print(t() - s)"
            run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True,
                                 env=chosen.environment)  # fmt: skip
            found.append(float(run.stdout))
    return {module: float(np.median(found)) for module, found in seconds.items()}


def commit():
    """Return the measured commit, with "+" if files have changed since; "" if there is no git."""
    git = ["git", "-C", str(WORKER.parent)]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        name, changed = (
            subprocess.run([*git, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           text=True, check=True).stdout.strip()
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "-uno"))
        )  # fmt: skip
        return f"{name}+" if changed else name
    return ""


def machine(chosen):
    """Return what the times depend on: machine, versions, data; a dict."""
    cpu = platform.processor()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next(line for line in lines if line.startswith("model name")).split(": ")[1]
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "cpu": cpu, "cores": os.cpu_count(), "threads": chosen.threads,
        "system": platform.platform(), "python": platform.python_version(),
        "numpy": np.__version__, "miniae": miniae.__version__, "commit": commit(),
        "data": chosen.data,
    }  # fmt: skip


def listed(text, known, option):
    """Return the names in a list such as "W1,W2"; an unknown one is an error."""
    names = [name for name in text.replace(",", " ").split() if name != "all"]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"--{option} {text}: {unknown[0]!r} is not one of {','.join(known)}")
    return names or list(known)


@contextlib.contextmanager
def cores(n):
    """Restrict this process, and those it starts, to n cores, where the system supports it."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        if n < len(before):
            os.sched_setaffinity(0, sorted(before)[:n])
        yield
    finally:
        if n < len(before):
            os.sched_setaffinity(0, before)


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "benchmark",
        __doc__,
        argv,
        data=("digits", "mnist"),
        workloads=("all", f"some of {','.join(WORKLOADS)}"),
        peers=("all", f"some of {','.join(PEERS)}"),
        rounds=(9, "turns of each peer, after the first"),
        threads=(os.cpu_count(), "threads of each peer"),
        json=("", "file for all results, in place of benchmark.json in --out"),
    )
    if min(chosen.rounds, chosen.threads) < 1:
        raise SystemExit(
            f"--rounds {chosen.rounds} and --threads {chosen.threads} must be at least 1"
        )
    names = listed(chosen.workloads, WORKLOADS, "workloads")
    wanted = listed(chosen.peers, PEERS, "peers")
    peers = [peer for peer in PEERS if peer == "miniae" or peer in wanted]
    missing = [p for p in peers if not importlib.util.find_spec(PEERS[p].module.split(".")[0])]
    if missing:
        print(f"Not installed, so left out: {', '.join(NAMES[peer] for peer in missing)}")
    if chosen.quick:
        chosen.rounds = 2
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    chosen.environment = {
        **os.environ, **dict.fromkeys(threads, str(chosen.threads)), "JAX_PLATFORMS": "cpu"
    }  # fmt: skip
    chosen.environment.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # imports are timed with compiled modules
    about = machine(chosen)
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    with tempfile.TemporaryDirectory() as folder, cores(chosen.threads):
        peers = [peer for peer in peers if peer not in missing]
        workloads = {name: measure(chosen, name, peers, Path(folder)) for name in names}
        scaled = scaling(chosen, Path(folder))
        import_seconds = imports(chosen)
    parts = {name: result["ms_per_step"] for name, result in workloads.items()}
    header = ("miniae, ms per step", *parts[names[0]], "sum")
    show(header, [(name, *ms.values(), sum(ms.values())) for name, ms in parts.items()], digits=3)
    goals = verdicts(workloads, import_seconds, scaled)
    title = "few images: these verdicts mean nothing" if chosen.quick else ""
    show((title, "goal", "measured", ""), goals)

    path = Path(chosen.json) if chosen.json else chosen.out / "benchmark.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    everything = {"machine": about, "command": sys.argv, "workloads": workloads,
                  "import_seconds": import_seconds, "scaling": scaled, "goals": goals}  # fmt: skip
    write_text(path, json.dumps(everything, indent=1))
    print(f"All results are in {path}")
    save(chosen.out, benchmark=draw(workloads))


# %%
if __name__ == "__main__":
    main()
