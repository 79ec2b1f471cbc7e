# %% [markdown]
"""Speed and memory: miniae, PyTorch and JAX on the same networks, images and batches.

    MINIAE_DATA=<folder> python demos/speed/benchmark.py --workers 1 2 --simd native avx2
    python demos/speed/benchmark.py --workloads W1,E2 --peers torch,floor --instructions

Each library has its own process. They take turns, an epoch each, in a random order, so that other
work on the machine slows all of them alike. A ratio is the median over the rounds. The "floor" is
the matrix products of the same network and nothing else. W0 to W5 train; E1 to E4 use a model.
With `--simd avx2` no library uses AVX-512: see support/benchmark_machine.py. The results are saved
as a record, from which docs/make_speed.py writes the tables of docs/10_speed.md.
"""

# %%
import contextlib
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from miniae import datasets
from miniae.plumbing.archives import write_text

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.benchmark_counts import COUNTED, STEPS, count
from support.benchmark_evaluation import EVALUATIONS, USERS
from support.benchmark_goals import NAMES, goal_table, ratio, verdicts
from support.benchmark_machine import SIMD, cores, environment, load_average, machine, where
from support.benchmark_peers import PEERS, our_name
from support.benchmark_processes import (
    Process,
    WholeRun,
    answer,
    command,
    peak_bytes,
    take_turns,
)
from support.benchmark_report import describe, describe_scaling, draw, draw_scaling, spoken
from support.benchmark_workloads import WHOLE, WORKLOADS
from support.common import options, save, show

# If the losses after the first epoch differ by more than this share, the peers do different work.
# Those of W3 differ by 0.07, because each peer has its own noise. With the same noise they are
# equal up to rounding: see tests/demos/speed/test_benchmark.py.
UNEQUAL = 0.1
WHOLE_EPOCHS, SCALING = 50, "W2"
BATCHES, BATCH_SIZES, BATCH_IMAGES = "W1", (25, 50, 100, 200, 400), 6000
ALL = {**WORKLOADS, **EVALUATIONS}
USUAL = [peer for peer in PEERS if peer != "sklearn"]  # it is slow, and does other work


# %%
def pictures(chosen, workload, n):
    """Return n images in the shape that the workload needs; the 10,000 built-in ones repeat."""
    if chosen.data == "mnist":
        X = datasets.mnist("train")[0]
    else:
        X = datasets.synthetic_digits(min(n, 10_000), seed=chosen.seed)[0]
    X = X[np.arange(n) % len(X)]
    if workload == WHOLE:  # 8 x 8 means over 3 x 3 pixels, without the margin
        X = X[:, 2:26, 2:26].reshape(n, 8, 3, 8, 3).mean(axis=(2, 4))
    is_flat = workload in EVALUATIONS or not WORKLOADS[workload].channels
    return X.reshape(n, -1) if is_flat else X


def samples(chosen, name):
    """Return how many images a workload uses: with --quick two and a half batches, or 2 rows."""
    if name in EVALUATIONS:
        return 2 if chosen.quick else EVALUATIONS[name].n
    return 5 * WORKLOADS[name].batch // 2 if chosen.quick else WORKLOADS[name].n


def check_equal(losses):
    """Raise an error if the peers' losses after the first epoch, a dict, are not alike."""
    for name, loss in losses.items():
        if loss is not None and not abs(loss / losses["miniae"] - 1) <= UNEQUAL:
            raise RuntimeError(
                f"unequal work: the first epoch's loss is {loss:.5g} with {name}, and "
                f"{losses['miniae']:.5g} with miniae; find out why before comparing times"
            )


def able(peers, name):
    """Return those of the peers that can do a workload."""
    if name in EVALUATIONS:
        return [peer for peer in peers if peer in USERS]
    return [peer for peer in peers if peer != "sklearn" or not WORKLOADS[name].channels]


def measure(chosen, name, peers, folder):
    """Measure one workload, and return the results, a dict."""
    n, file = samples(chosen, name), folder / f"{name}.npy"
    np.save(file, pictures(chosen, name, n))
    epochs = (2 if chosen.quick else WHOLE_EPOCHS) if name == WHOLE else chosen.rounds + 1
    start, mode = (WholeRun, "through") if name == WHOLE else (Process, "turns")
    with contextlib.ExitStack() as stack:
        workers = {
            peer: start(stack, command(peer, name, file, epochs, mode), chosen.environment)
            for peer in able(peers, name)
        }
        said = take_turns(workers, chosen.rounds, np.random.default_rng(chosen.seed))
        for worker in workers.values():
            worker.close()
    check_equal({peer: turns[0]["loss"] for peer, turns in said.items() if peer != "sklearn"})
    found = {
        peer: {
            "seconds": [turn["seconds"] for turn in turns[1:]],
            "loss": turns[0]["loss"],
            "peak_bytes": peak_bytes(workers[peer], turns),
            "processes": workers[peer].family.processes,
            "bytes_before": workers[peer].ready["before"],
            "idle_cpu_seconds": sum(turn["idle"] for turn in turns[1:]),
            "version": workers[peer].ready["version"],
            "vectors": workers[peer].ready["vectors"],
        }
        for peer, turns in said.items()
    }
    ours = found["miniae"]["seconds"]
    for row in found.values():
        low, row["median"], high = np.quantile(row["seconds"], (0.25, 0.5, 0.75)).tolist()
        row["quartiles"] = low, high
        row["ratio"] = ratio(ours, row["seconds"])
    result = {"what": str(ALL[name]), "n": n, "peers": found}
    if name in WORKLOADS:
        words = command("miniae", name, file, 2 if chosen.quick else 5, "profile")
        spent = answer(words, chosen.environment)
        result["steps"] = math.ceil(n / WORKLOADS[name].batch)
        result["ms_per_step"] = {part: 1000 * s / result["steps"] for part, s in spent.items()}
    return result


def medians(chosen, cases):
    """Return the median seconds of each case, and its worker, dicts by case.

    cases : dict of case to the arguments of `command`
    """
    with contextlib.ExitStack() as stack:
        workers = {
            case: Process(stack, command(*arguments, chosen.rounds + 1, "turns"),
                          chosen.environment)
            for case, arguments in cases.items()
        }  # fmt: skip
        said = take_turns(workers, chosen.rounds, np.random.default_rng(chosen.seed))
        for worker in workers.values():
            worker.close()
    return {
        case: {
            "seconds": float(np.median([turn["seconds"] for turn in turns[1:]])),
            "bytes": peak_bytes(workers[case], turns) - workers[case].ready["before"],
        }
        for case, turns in said.items()
    }


def scaling(chosen, folder):
    """Return seconds per epoch, and memory in addition to the images, for n, 2n and 4n images.

    A dict by the name of miniae with so many workers, then by the number of images.
    """
    most, ours, cases = samples(chosen, SCALING), list(map(our_name, chosen.workers)), {}
    for n in (most // 4, most // 2, most):
        np.save(file := folder / f"{n}.npy", pictures(chosen, SCALING, n))
        cases |= {(name, n): (name, SCALING, file) for name in ours}
    found = medians(chosen, cases)
    return {name: {str(n): row for (each, n), row in found.items() if each == name}
            for name in ours}  # fmt: skip


def batch_sizes(chosen, folder):
    """Return seconds per epoch for batches of several sizes, a dict."""
    sizes, n = ((25, 50), 100) if chosen.quick else (BATCH_SIZES, BATCH_IMAGES)
    np.save(file := folder / "batches.npy", pictures(chosen, BATCHES, n))
    ours = list(map(our_name, chosen.workers))
    cases = {(name, size): (name, f"{BATCHES}/{size}", file) for name in ours for size in sizes}
    found = medians(chosen, cases)
    seconds = {name: {str(size): found[name, size]["seconds"] for size in sizes} for name in ours}
    return {"workload": BATCHES, "n": n, "seconds": seconds}


def instructions(chosen, names, peers, folder):
    """Count instructions per training step, print them, and return them; None without valgrind."""
    one_thread, found = environment(chosen.level, 1), {}
    for name in (name for name in names if name in WORKLOADS):
        np.save(file := folder / f"{name}.npy", pictures(chosen, name, WORKLOADS[name].batch))
        found[name] = count(able(peers, name), name, file, one_thread, 2 if chosen.quick else STEPS)
    if None in found.values():
        print("--instructions: valgrind is not installed here, so no instructions are counted\n")
        return None
    rows = [
        (name, *(row[peer]["per_step"] / 1e6 if peer in row else "-" for peer in COUNTED))
        for name, row in found.items()
    ]
    show(("10^6 instructions per step, AVX2", *map(NAMES.get, COUNTED)), rows, digits=1)
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


def listed(text, known, option):
    """Return the names in a list such as "W1,W2"; an unknown one is an error."""
    names = [name for name in text.replace(",", " ").split() if name != "all"]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"--{option} {text}: {unknown[0]!r} is not one of {','.join(known)}")
    return names or list(known)


def record(chosen, names, peers, folder):
    """Measure everything at one level of vector instructions; print it, and return it, a dict."""
    chosen.environment, workloads = environment(chosen.level, chosen.threads), {}
    process = answer(command("miniae", WHOLE, "", 0, "describe"), chosen.environment)
    about = machine(chosen, {**process, "simd": chosen.level})
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    for name in names:
        workloads[name] = measure(chosen, name, peers, folder)
        describe(name, workloads[name], about)
    found = {"machine": about, "command": sys.argv, "workloads": workloads}
    found["scaling"], found["batches"] = scaling(chosen, folder), batch_sizes(chosen, folder)
    found["import_seconds"] = imports(chosen)
    describe_scaling(SCALING, found["scaling"], found["batches"])
    if chosen.instructions:
        found["instructions"] = instructions(chosen, names, peers, folder)
    about["load_after"] = load_average()
    parts = {name: r["ms_per_step"] for name, r in workloads.items() if "ms_per_step" in r}
    if parts:
        header = ("miniae, ms per step", *next(iter(parts.values())), "sum")
        show(header, [(name, *ms.values(), sum(ms.values())) for name, ms in parts.items()], 3)
    found["goals"] = verdicts(workloads, found["import_seconds"], found["scaling"]["miniae"])
    title = "few images: these verdicts mean nothing" if chosen.quick else ""
    show((title, "goal", "measured", ""), found["goals"])
    print(f"{where(about)}\n\n{goal_table(workloads)}\n")
    return found


def chosen_options(argv):
    """Return the options, checked."""
    chosen = options(
        "benchmark",
        __doc__,
        argv,
        data=("digits", "mnist"),
        workloads=("all", f"some of {','.join(ALL)}"),
        peers=(",".join(USUAL), f"all, or some of {','.join(PEERS)}"),
        rounds=(5, "turns of each peer, after the first"),
        threads=(os.cpu_count(), "threads of each peer"),
        workers=([1], "worker processes of miniae, such as 1 2"),
        simd=(["native"], "native, avx2 (without AVX-512), or both"),
        instructions=(False, "count instructions per step too, with valgrind; takes long"),
        json=("", "file for all results, in place of benchmark.json in --out"),
    )
    if min(chosen.rounds, chosen.threads, *chosen.workers) < 1:
        raise SystemExit(
            f"--rounds {chosen.rounds}, --threads {chosen.threads} and --workers {chosen.workers} "
            "must be at least 1"
        )
    if unknown := [level for level in chosen.simd if level not in SIMD]:
        raise SystemExit(f"--simd {unknown[0]!r} is not one of {' '.join(SIMD)}")
    if chosen.quick:
        chosen.rounds = 2
    too_many = [w for w in chosen.workers if w > chosen.threads]
    if too_many:
        print(f"More workers than threads, so left out: --workers {too_many}")
    chosen.workers = sorted({1, *chosen.workers} - {*too_many})
    return chosen


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = chosen_options(argv)
    names = listed(chosen.workloads, ALL, "workloads")
    wanted = listed(chosen.peers, PEERS, "peers")
    others = [peer for peer in PEERS if peer != "miniae" and peer in wanted]
    missing = [p for p in others if not importlib.util.find_spec(PEERS[p].module.split(".")[0])]
    if missing:
        print(f"Not installed, so left out: {', '.join(NAMES[peer] for peer in missing)}")
    peers = [*map(our_name, chosen.workers), *(peer for peer in others if peer not in missing)]
    print(f"Peers: {', '.join(map(spoken, peers))}")
    path = Path(chosen.json) if chosen.json else chosen.out / "benchmark.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    for level in chosen.simd:
        chosen.level = level
        with tempfile.TemporaryDirectory() as folder, cores(chosen.threads):
            found = record(chosen, names, peers, Path(folder))
        end = "" if level == "native" else f"_{level}"
        written = path.with_name(path.stem + end + path.suffix)
        write_text(written, json.dumps(found, indent=1))
        print(f"All results are in {written}")
        workloads, about = found["workloads"], found["machine"]
        curves = draw_scaling(workloads, SCALING, found["scaling"], found["batches"], about)
        save(chosen.out, **{f"benchmark{end}": draw(workloads, about), f"scaling{end}": curves})


# %%
if __name__ == "__main__":
    main()
