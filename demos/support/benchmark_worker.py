"""One process of speed/benchmark.py: a library trains a workload, an epoch at a time.

    python demos/support/benchmark_worker.py PEER WORKLOAD IMAGES.npy EPOCHS MODE

WORKLOAD is a training (W1), the same with another size of batch (W1/50), or an evaluation (E1).
MODE is one of
    turns     print a line of JSON when ready and after each epoch; wait for a line of input before
              each epoch. An evaluation is called once at each turn.
    through   the same without waiting
    profile   print how the time of an epoch is spent, for miniae only
    describe  print what the process computes with
    count     make one training step, then EPOCHS more, all on the first batch, and end:
              see benchmark_counts.py
"""

import dataclasses
import functools
import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from support.benchmark_evaluation import EVALUATIONS, USERS, with_holes
from support.benchmark_machine import describe_process
from support.benchmark_memory import peak_memory
from support.benchmark_peers import PEERS, build
from support.benchmark_workloads import WORKLOADS, initial


class Stopwatch:
    """Seconds spent in methods, by name."""

    def __init__(self):
        self.seconds = {}

    def watch(self, owner, method, name):
        """Replace a method of one object by one that adds its time to seconds[name]."""
        call = getattr(owner, method)

        @functools.wraps(call)
        def timed(*arguments, **options):
            start = time.perf_counter()
            result = call(*arguments, **options)
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            return result

        setattr(owner, method, timed)


def profile(peer, X, epochs):
    """Return the seconds that miniae spends in each part of an epoch, a dict.

    They add up to the time of the epoch with the median time. The first epoch is not counted.
    """
    watch, model, found = Stopwatch(), peer.model, []
    watch.watch(model, "loss", "model.loss")
    watch.watch(model.encoder, "forward", "forward")
    watch.watch(model.decoder, "forward", "forward")
    watch.watch(model.reconstruction_loss, "forward", "loss")
    watch.watch(model.reconstruction_loss, "backward", "its gradient")
    watch.watch(model, "backward", "model.backward")
    watch.watch(peer.adam, "step", "optimiser")
    start = time.perf_counter()

    def callback(epoch, loss):
        nonlocal start
        found.append((time.perf_counter() - start, dict(watch.seconds)))
        watch.seconds.clear()
        start = time.perf_counter()

    peer.fit(X, epochs + 1, callback)
    total, part = sorted(found[1:], key=lambda turn: turn[0])[epochs // 2]
    loss = part["loss"] + part["its gradient"]
    inside = part["model.loss"] + part["model.backward"] + part["optimiser"]
    return {
        "forward": part["forward"],
        "loss": loss,
        "backward": part["model.backward"] - part["its gradient"],
        "optimiser": part["optimiser"],
        "noise, KL, checks": part["model.loss"] - part["forward"] - part["loss"],
        "batches, history": total - inside,
    }


def say(**what):
    """Print what the benchmark reads, a line of JSON."""
    print(json.dumps(what), flush=True)


def say_ready(peer, module, before):
    """Print what holds for all turns: version, memory before the training, processor."""
    version = getattr(sys.modules[module.__name__.partition(".")[0]], "__version__", "")
    say(version=version, before=before, vectors=peer.vectors(), process=describe_process())


class Turns:
    """The times of a worker that waits for its turns; with wait=False it goes on at once."""

    def __init__(self, wait):
        self.wait = wait

    def begin(self):
        """Wait for the turn; keep the time, and the processor time used while waiting."""
        cpu = time.process_time()
        if self.wait and not sys.stdin.readline():
            sys.exit()
        self.start, self.idle = time.perf_counter(), time.process_time() - cpu

    def end(self, loss):
        """Print the seconds of the turn and a loss."""
        seconds = time.perf_counter() - self.start
        say(seconds=seconds, loss=loss, idle=self.idle, peak=peak_memory())


def evaluate(name, evaluation, X, turns, module):
    """Call a method of a VAE at each turn, and print the mean size of its result as the loss."""
    before = peak_memory()
    peer = USERS[name](WORKLOADS["W1"], initial(WORKLOADS["W1"]))
    X = with_holes(X) if evaluation.method == "impute" else X
    say_ready(peer, module, before)
    while True:
        turns.begin()
        out = getattr(peer, evaluation.method)(X)
        turns.end(float(np.abs(out).mean()))
        del out


def train(name, workload, X, epochs, turns, module):
    """Train an epoch at each turn."""
    before = peak_memory()
    peer = build(name, workload, initial(workload))

    def callback(epoch, loss):
        turns.end(loss)
        if epoch + 1 < epochs:
            turns.begin()

    say_ready(peer, module, before)
    turns.begin()
    peer.fit(X, epochs, callback)


def count(name, workload, X, steps):
    """Make one step, so that all memory is there, and so many more, on the first batch."""
    peer = build(name, workload, initial(workload))
    x = peer.array(X[: workload.batch])
    for _ in range(1 + steps):
        peer.step(len(x) if name == "floor" else x)
    say(vectors=peer.vectors(), process=describe_process())


def work(name, workload, file, epochs, mode):
    """Do what the top of the file says."""
    if mode == "describe":
        return say(**describe_process())
    module = importlib.import_module(PEERS[name.partition("-")[0]].module)
    X, turns = np.load(file), Turns(mode == "turns")
    if workload in EVALUATIONS:
        return evaluate(name, EVALUATIONS[workload], X, turns, module)
    workload, _, batch = workload.partition("/")
    workload = WORKLOADS[workload]
    if batch:
        workload = dataclasses.replace(workload, batch=int(batch))
    if mode == "profile":
        return say(**profile(build(name, workload, initial(workload)), X, epochs))
    if mode == "count":
        return count(name, workload, X, epochs)
    return train(name, workload, X, epochs, turns, module)


if __name__ == "__main__":
    if cores := os.environ.get("MINIAE_BENCHMARK_CORES"):  # libraries make as many threads
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
    peer, workload, file, epochs, mode = sys.argv[1:]
    work(peer, workload, file, int(epochs), mode)
