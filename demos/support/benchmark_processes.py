"""The processes of speed/benchmark.py, one for each library, which take turns."""

import json
import subprocess
import sys
import time
from pathlib import Path

from support.benchmark_memory import FamilyWatch

WORKER = Path(__file__).with_name("benchmark_worker.py")


class Process:
    """A peer's process, which works at each turn: it trains an epoch, or calls a method."""

    def __init__(self, stack, command, environment):
        self.process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=environment)
        )  # fmt: skip
        self.ready, self.family = None, None  # what it prints before its first turn; a FamilyWatch

    def read(self):
        """Return what the process prints next, a dict."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args)} ended: see its error above")
        return json.loads(line)

    def turn(self):
        """Return the seconds, loss, peak memory and idle time of a turn, a dict."""
        if self.ready is None:  # the first turn is a warm-up: its time does not count
            self.ready = self.read()
            with FamilyWatch(self.process.pid) as self.family:
                return self.work()
        return self.work()

    def close(self):
        """Let an evaluation end, which has no last epoch: there is nothing more to read."""
        self.process.stdin.close()

    def work(self):
        """Let it work, and return what it says then."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()


class WholeRun:
    """A peer that at each turn runs from the start of Python to the trained model."""

    def __init__(self, stack, command, environment):
        self.command, self.environment, self.ready, self.family = command, environment, None, None

    def turn(self):
        """See Process.turn."""
        start = time.perf_counter()
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True,
                                   env=self.environment)  # fmt: skip
        if self.ready is None:
            with FamilyWatch(process.pid) as self.family:
                said, _ = process.communicate()
        else:
            said, _ = process.communicate()
        seconds = time.perf_counter() - start
        if process.returncode:
            raise RuntimeError(f"{' '.join(self.command)} failed: see its error above")
        self.ready, *_, last = map(json.loads, said.splitlines())
        return {**last, "seconds": seconds}

    def close(self):
        """Nothing runs between the turns."""


def command(peer, workload, file, epochs, mode):
    """Return the command that starts a worker."""
    return [sys.executable, str(WORKER), peer, workload, str(file), str(epochs), mode]


def answer(words, environment):
    """Return what a worker prints that needs no turns, a dict."""
    run = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(run.stdout)


def take_turns(workers, rounds, rng):
    """Return what each worker printed at each turn, lists by name. The first turn is a warm-up."""
    said = {name: [] for name in workers}
    for _ in range(rounds + 1):
        names = list(workers)
        for i in rng.permutation(len(names)):
            said[names[i]].append(workers[names[i]].turn())
    return said


def peak_bytes(worker, turns):
    """Return the peak memory of a worker's processes together, in bytes; 0 if it is not known."""
    peak = turns[-1]["peak"]  # the system's own record, which misses nothing
    return peak if worker.family.processes == 1 else max(peak, worker.family.most)
