"""One process of speed/benchmark.py: a library trains a workload, an epoch at a time.

    python demos/support/benchmark_worker.py PEER WORKLOAD IMAGES.npy EPOCHS MODE

MODE is one of
    turns     print a line of JSON when ready and after each epoch; wait for a line of input before
              each epoch
    through   the same without waiting
    profile   print how the time of an epoch is spent, for miniae only
"""

import functools
import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
from support.benchmark_peers import PEERS
from support.benchmark_workloads import WORKLOADS, initial


def peak_memory():
    """Return the peak memory of this process so far, in bytes, or 0 where it is not known.

    On Linux it is read from /proc, since ru_maxrss may include the parent process.
    """
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


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


def work(name, workload, file, epochs, mode):
    """Train, and print the progress: see the top of the file."""

    def say(**what):
        print(json.dumps(what), flush=True)

    module = importlib.import_module(PEERS[name].module)
    X, workload = np.load(file), WORKLOADS[workload]
    before = peak_memory()
    peer = PEERS[name](workload, initial(workload))
    if mode == "profile":
        return say(**profile(peer, X, epochs))

    def wait():
        """Wait for this peer's turn; return the time, and the processor time used while waiting."""
        cpu = time.process_time()
        if mode == "turns" and not sys.stdin.readline():
            sys.exit()
        return time.perf_counter(), time.process_time() - cpu

    def callback(epoch, loss):
        nonlocal start, idle
        say(seconds=time.perf_counter() - start, loss=loss, idle=idle, peak=peak_memory())
        if epoch + 1 < epochs:
            start, idle = wait()

    version = getattr(sys.modules[module.__name__.partition(".")[0]], "__version__", "")
    say(version=version, before=before)
    start, idle = wait()
    return peer.fit(X, epochs, callback)


if __name__ == "__main__":
    if cores := os.environ.get("MINIAE_BENCHMARK_CORES"):  # libraries make as many threads
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
    peer, workload, file, epochs, mode = sys.argv[1:]
    work(peer, workload, file, int(epochs), mode)
