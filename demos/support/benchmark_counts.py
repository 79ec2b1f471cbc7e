"""Instructions per training step for speed/benchmark.py: a measure that neighbours do not disturb.

Valgrind runs a worker on a simulated processor and counts. It has no AVX-512 and says so to the
libraries, so the counts are those of their AVX2 code. miniae and the products have one thread. The
count of a worker that makes `STEPS` steps more than another one is that of the steps. It is not a
time: an instruction that waits for memory counts as much as one that does not.
"""

import json
import os
import re
import shutil
import subprocess

from support.benchmark_processes import answer, command

STEPS = 10
COUNTED = ("miniae", "floor")  # PyTorch takes several minutes there before its first step


def collected(text):
    """Return the instructions that callgrind reports."""
    found = re.search(r"Collected *: *(\d+)", text)
    if not found:
        raise RuntimeError(f"valgrind printed no count: {text[-500:]}")
    return int(found[1])


def run_counted(words, environment):
    """Return the instructions of a command, and what it printed, a dict."""
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}"]
    done = subprocess.run([*tool, *words], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed under valgrind: {done.stderr[-500:]}")
    return collected(done.stderr), json.loads(done.stdout)


def count(peers, workload, file, environment, steps=STEPS):
    """Return instructions per step by peer, and where, a dict; None if valgrind is missing."""
    if not shutil.which("valgrind"):
        return None
    found = {}
    environment = {**environment, "PYTHONHASHSEED": "0"}  # the same order of sets in both runs
    for peer in (peer for peer in peers if peer in COUNTED):
        answer(command(peer, workload, file, 0, "count"), environment)  # compiles the modules
        (least, _), (most, said) = (
            run_counted(command(peer, workload, file, n, "count"), environment) for n in (0, steps)
        )
        found[peer] = {"per_step": (most - least) / steps, **said}
    return found
