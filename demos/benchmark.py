"""Speed: miniae beside PyTorch, JAX and scikit-learn, and beside its products of matrices alone.

    MINIAE_DATA=<folder> python demos/benchmark.py      MNIST, and all of them that are installed
    python demos/benchmark.py --workloads W1,W3 --peers torch,floor --rounds 5 --threads 1

Each library has a process of its own, with the same images, initial weights and batches (see
benchmark_peers.py); they take turns, an epoch each, in an order drawn anew in every round. So what
else the machine does falls on all of them, and a ratio is taken within a round: the median over the
rounds. The first round, in which JAX compiles, does not count. W0 is timed from outside, a process
from its start to the trained model.

The floor is no library. It is the products of matrices of the same network in NumPy's BLAS: what is
above it is what miniae, or the language, adds. scikit-learn has no VAE and trains the plain network
of the same size on another loss (*). After the first round the losses of all others must agree,
since a benchmark of unequal work says nothing; tests/test_benchmark.py shows more of it.

Peak memory is that of the process, and beside it what came on top of library and images. Where the
time goes is measured in a run of its own, because looking at it takes time too. The last table has
the goals, met or not. A time is one of this machine, on this day, and both are in the JSON file.
"""

# %%
import contextlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from benchmark_peers import PEERS, WORKLOADS
from common import options, save, show

import miniae
from miniae import datasets

NAMES = {"miniae": "miniae", "torch": "PyTorch", "torch-fused": "PyTorch, fused Adam",
         "jax": "JAX, jit", "sklearn": "scikit-learn*", "floor": "the products alone"}  # fmt: skip
# At most this many times the peer's seconds.
ALL = dict.fromkeys(("torch", "torch-fused", "jax", "sklearn"), 0.5)
FRAMEWORKS = {"torch": 0.85, "torch-fused": 1.0, "jax": 1.2}
GOALS = {
    "W0": ALL,
    "W1": {**FRAMEWORKS, "floor": 1.8},
    "W2": FRAMEWORKS,
    "W3": FRAMEWORKS,
    "W4": {"torch": 1.0, "torch-fused": 1.2, "jax": 1.2, "floor": 1.4},
    "W5": {"torch": 2.0},
}
IMPORT, LINEAR, GROWTH = 1.5, 0.1, 0.05  # see `verdicts`
# Losses that differ by more are not of the same work; W3's, of different noise, do by 0.07. That
# the work is equal to rounding, with the noise given, is a matter of tests/test_benchmark.py.
UNEQUAL = 0.1
WHOLE, WHOLE_EPOCHS, SCALING = "W0", 50, "W2"
WORKER = Path(sys.modules["benchmark_peers"].__file__).with_name("benchmark_worker.py")


# %%
class Process:
    """A peer's process, which trains an epoch at each turn."""

    def __init__(self, stack, command, environment):
        self.process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=environment)
        )  # fmt: skip
        self.ready = None  # what it says before its first turn

    def read(self):
        """Return what the process says next, a dict."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args)} ended: its error stands above")
        return json.loads(line)

    def turn(self):
        """Return the seconds, loss, peak memory and idle time of an epoch, a dict."""
        self.ready = self.ready or self.read()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()


class Whole:
    """A peer that at each turn runs from the start of Python to the trained model."""

    def __init__(self, stack, command, environment):
        self.command, self.environment, self.ready = command, environment, None

    def turn(self):
        """As Process.turn."""
        start = time.perf_counter()
        done = subprocess.run(self.command, stdout=subprocess.PIPE, text=True, check=True,
                              env=self.environment)  # fmt: skip
        seconds = time.perf_counter() - start
        self.ready, *_, last = map(json.loads, done.stdout.splitlines())
        return {**last, "seconds": seconds}


def command(peer, workload, file, epochs, mode):
    """Return the command of a worker."""
    return [sys.executable, str(WORKER), peer, workload, str(file), str(epochs), mode]


def pictures(chosen, workload, n):
    """Return n images as the workload takes them; the built-in ones are 10,000, used again."""
    if chosen.data == "mnist":
        X = datasets.mnist("train")[0]
    else:
        X = datasets.synthetic_digits(min(n, 10_000), seed=chosen.seed)[0]
    X = X[np.arange(n) % len(X)]
    if workload == WHOLE:  # 8x8, of means over 3x3 pixels, without the margin
        X = X[:, 2:26, 2:26].reshape(n, 8, 3, 8, 3).mean(axis=(2, 4))
    return X if WORKLOADS[workload].channels else X.reshape(n, -1)


def samples(chosen, workload):
    """Return how many images a workload takes: with --quick two batches and a half."""
    workload = WORKLOADS[workload]
    return 5 * workload.batch // 2 if chosen.quick else workload.n


def take_turns(workers, rounds, rng):
    """Return what each worker said at each of its turns, lists by name; the first is a warm-up."""
    said = {name: [] for name in workers}
    for _ in range(rounds + 1):
        names = list(workers)
        for i in rng.permutation(len(names)):
            said[names[i]].append(workers[names[i]].turn())
    return said


def check_equal(losses):
    """Refuse to compare peers whose losses (a dict) after the first epoch are not alike."""
    for name, loss in losses.items():
        if loss is not None and not abs(loss / losses["miniae"] - 1) <= UNEQUAL:
            raise RuntimeError(
                f"unequal work: the first epoch's loss is {loss:.5g} with {name}, and "
                f"{losses['miniae']:.5g} with miniae; find out why before comparing times"
            )


def ratio(ours, theirs):
    """Return the median over rounds of ours / theirs, two lists of seconds."""
    return float(np.median(np.divide(ours, theirs)))


def measure(chosen, name, peers, folder):
    """Return what was measured of one workload, a dict, and print its table."""
    workload, n, file = WORKLOADS[name], samples(chosen, name), folder / f"{name}.npy"
    np.save(file, pictures(chosen, name, n))
    peers = [peer for peer in peers if peer != "sklearn" or not workload.channels]
    epochs = (2 if chosen.quick else WHOLE_EPOCHS) if name == WHOLE else chosen.rounds + 1
    start, mode = (Whole, "through") if name == WHOLE else (Process, "turns")
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
    steps = -(-n // workload.batch)
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


def describe(name, result):
    """Print the table of a workload."""
    rows, idle = [], 0.0
    total = sum(sum(row["seconds"]) for row in result["peers"].values())
    for peer, row in result["peers"].items():
        peak, before = row["peak_bytes"], row["bytes_before"]
        waited = total - sum(row["seconds"])
        idle = max(idle, row["idle_cpu_seconds"] / waited if waited else 0.0)
        rows.append((
            NAMES[peer], row["median"], "{:.3f} to {:.3f}".format(*row["quartiles"]),
            "-" if peer == "miniae" else f"{row['ratio']:.2f}",
            str(GOALS[name].get(peer, "-")),
            "-" if row["loss"] is None else f"{row['loss']:.2f}",
            f"{peak / 2**20:.0f}" if peak else "-",
            f"{(peak - before) / 2**20:.0f}" if peak else "-",
        ))  # fmt: skip
    what = "run" if name == WHOLE else "epoch"
    header = (f"s per {what}", "quartiles", "miniae / it", "goal", "loss", "peak MiB",
              "of it training")  # fmt: skip
    print(f"{name}: {result['what']}, {result['n']:,} images", end="")
    show(("", *header), rows, digits=3)
    print(f"Of a core, a process that waits uses at most {idle:.1%}\n")


def scaling(chosen, folder):
    """Return seconds per epoch, and memory on top of the images, for n, 2n and 4n images."""
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


def verdicts(workloads, import_seconds, scaling):
    """Return the table of goals: what, goal, measured, met or not."""
    rows = []

    def judge(what, most, measured, form="{:.2f}"):
        met = "met" if abs(measured) <= most else "not met"
        rows.append((what, "at most " + form.format(most), form.format(measured), met))

    for name, result in workloads.items():
        peers = result["peers"]
        for peer, most in GOALS[name].items():
            if peer in peers:
                judge(f"{name}: miniae / {NAMES[peer]}", most, peers[peer]["ratio"])
        if "torch" in peers and peers["torch"]["peak_bytes"]:
            mebibytes = {peer: peers[peer]["peak_bytes"] / 2**20 for peer in ("torch", "miniae")}
            judge(f"{name}: peak memory, MiB, PyTorch's", *mebibytes.values(), form="{:.0f}")
    times = import_seconds["miniae"] / import_seconds["numpy"]
    judge("import miniae / import numpy", IMPORT, times)
    (least, few), *_, (most, many) = scaling.items()
    change = many["seconds"] / most / (few["seconds"] / least) - 1
    judge(f"seconds per image, {least:,} to {most:,}: change", LINEAR, change, form="{:.0%}")
    growth = (many["bytes"] - few["bytes"]) / ((most - least) * 784 * 4)
    judge("memory beyond the images: growth, of theirs", GROWTH, growth, form="{:.1%}")
    return rows


def commit():
    """Return the commit that is measured, "+" after it if files have changed since, or ""."""
    git = ["git", "-C", str(Path(__file__).parent)]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        name, changed = (
            subprocess.run([*git, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           text=True, check=True).stdout.strip()
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "-uno"))
        )  # fmt: skip
        return name + "+" * bool(changed)
    return ""


def machine(chosen):
    """Return what the times depend on, a dict."""
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


def draw(workloads):
    """Draw the ratios with their goals, and where the time goes; return the figure."""
    figure, (ax, below) = plt.subplots(2, figsize=(9, 8), layout="constrained")
    found = {peer for result in workloads.values() for peer in result["peers"]}
    peers = [peer for peer in NAMES if peer in found - {"miniae"}]
    width = 0.8 / max(len(peers), 1)
    for i, peer in enumerate(peers):
        ratios = {
            j + (i - (len(peers) - 1) / 2) * width: (name, result["peers"][peer]["ratio"])
            for j, (name, result) in enumerate(workloads.items())
            if peer in result["peers"]
        }
        bars = ax.bar(list(ratios), [value for _, value in ratios.values()], width,
                      label=NAMES[peer], color=f"C{list(NAMES).index(peer)}")  # fmt: skip
        ax.bar_label(bars, fmt="%.2f", fontsize=7)
        for x, (name, _) in ratios.items():
            if peer in GOALS[name]:
                ax.hlines(GOALS[name][peer], x - width / 2, x + width / 2, "k", lw=2)
    ax.axhline(1, color="0.5", lw=0.8)
    ax.plot([], [], "k", lw=2, label="goal: no more")
    ax.set(title="miniae's time, divided by the time of ...", ylabel="ratio")
    ax.set(xlim=(-0.5, len(workloads) - 0.5))
    ax.set(xticks=range(len(workloads)), xticklabels=list(workloads))
    ax.legend(frameon=False, ncols=6, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    left = np.zeros(len(workloads))
    for part in next(iter(workloads.values()))["ms_per_step"]:
        times = [result["ms_per_step"] for result in workloads.values()]
        shares = np.array([100 * ms[part] / sum(ms.values()) for ms in times])
        below.barh(list(workloads), shares, left=left, label=part)
        left += shares
    below.invert_yaxis()
    below.set(title="Where the time of miniae goes", xlabel="% of an epoch", xlim=(0, 100))
    below.legend(frameon=False, ncols=6, fontsize=8, loc="upper center",
                 bbox_to_anchor=(0.5, -0.12))  # fmt: skip
    return figure


def listed(text, known, option):
    """Return the names of a list such as "W1,W2", refuse those not known."""
    names = [name for name in text.replace(",", " ").split() if name != "all"]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"--{option} {text}: {unknown[0]!r} is none of {','.join(known)}")
    return names or list(known)


@contextlib.contextmanager
def cores(n):
    """Keep this process, and those it starts, to n cores, where the system can."""
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
    chosen = options(__doc__, argv, data=("digits", "mnist"), workloads="all", peers="all",
                     rounds=9, threads=os.cpu_count(), json="")  # fmt: skip
    if min(chosen.rounds, chosen.threads) < 1:
        raise SystemExit(f"--rounds {chosen.rounds} --threads {chosen.threads}: 1 or more, each")
    names = listed(chosen.workloads, WORKLOADS, "workloads")
    wanted = listed(chosen.peers, PEERS, "peers")
    peers = [peer for peer in PEERS if peer == "miniae" or peer in wanted]
    missing = [p for p in peers if not importlib.util.find_spec(PEERS[p].module.split(".")[0])]
    if missing:
        print(f"Not installed, and left out: {', '.join(NAMES[peer] for peer in missing)}")
    if chosen.quick:
        chosen.rounds = 2
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    chosen.environment = {
        **os.environ, **dict.fromkeys(threads, str(chosen.threads)), "JAX_PLATFORMS": "cpu"
    }  # fmt: skip
    chosen.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an import is one of compiled modules
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
    show(("of few images: no verdict" * chosen.quick, "goal", "measured", ""), goals)

    path = Path(chosen.json) if chosen.json else chosen.out / "benchmark.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    everything = {"machine": about, "command": sys.argv, "workloads": workloads,
                  "import_seconds": import_seconds, "scaling": scaled, "goals": goals}  # fmt: skip
    path.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    print(f"All of it in {path}")
    save(chosen.out, benchmark=draw(workloads))


# %%
if __name__ == "__main__":
    main()
