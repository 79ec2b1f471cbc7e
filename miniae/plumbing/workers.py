"""``fit(..., workers=2)``: data-parallel training by processes that share memory.

The parent process runs the epochs: callbacks, schedules, validation, checkpoints. It tells the
workers which rows make up each batch; what they do is in `plumbing.worker`. Between epochs the
model and the optimiser of the parent hold all that was learned, as in one process.
"""

import multiprocessing
import time
from collections import deque
from contextlib import suppress
from multiprocessing.connection import wait

import numpy as np

from miniae.plumbing.batches import Rows, RunningMean
from miniae.plumbing.inputs import select_rows
from miniae.plumbing.parcel import ONE, pack
from miniae.plumbing.processes import (
    Shared,
    fits,
    for_children,
    has_room,
    interrupts_later,
    is_in_memory,
    layout,
)
from miniae.plumbing.worker import shares, slices, work

AHEAD = 3  # messages that the workers have not answered, at most
MOST = 64  # steps in a message
SOON, LATE = 0.03, 0.1  # seconds between two answers, from which on messages get longer or shorter


def train(run):
    """Do what the loop of `miniae.training.fit` does, by worker processes; return the model."""
    workers = Workers(run)
    try:
        for epoch in run.epochs():
            run.model.start_epoch(epoch)
            means = RunningMean()
            workers.epoch(epoch, means)
            run.finish_epoch(epoch, means.values())
    finally:
        try:
            workers.close()
        finally:
            run.restore_best()
    return run.model


class Workers:
    """The worker processes of a run, which the first epoch starts."""

    def __init__(self, run):
        self.run, self.model, self.count = run, run.model, run.workers
        self.optimizer = self.model.optimizer
        self.processes, self.pipes, self.stores = [], [], {}
        self.vectors, self.semaphores, self.broken = None, {}, False
        self.waiting = deque()  # steps under way: (number, place, batch or None)
        self.unsent, self.sent = [], deque()  # steps, and of each message their number
        self.length, self.answered = 1, time.perf_counter()  # of a message; when the last was
        self.number = 0  # of the epoch

    def start(self, of_main):
        """Start the processes, and put into shared memory what they share."""
        theta, source = self.model.theta, self.run.source
        all_at_once = isinstance(source, Rows) and is_in_memory(source.data)
        data = layout(source.data) if all_at_once else {}
        vector, counts = (theta.shape, theta.dtype), ((self.count,), np.dtype("int64"))
        whole = {"theta": vector, "begun": counts, "done": counts}
        whole |= {"squares": ((self.count,), np.dtype("float64"))}
        whole |= {f"gradient.{i}": vector for i in range(self.count)}
        whole |= {f"moment.{name}": vector for name in self.optimizer.moments}
        if all_at_once and fits({**whole, **data}):
            whole["order"] = ((len(source.data["x"]),), np.dtype("int64"))
        self.check_room(whole, "the weights")
        self.vectors = Shared(whole)
        context = multiprocessing.get_context("spawn")
        pairs = [(i, j) for i in range(self.count) for j in range(self.count) if i != j]
        self.semaphores = {pair: context.Semaphore(0) for pair in pairs}
        with for_children(of_main):
            for k in range(self.count):
                mine = [self.semaphores[pair] for pair in pairs if pair[0] == k]
                theirs = [self.semaphores[pair] for pair in pairs if pair[1] == k]
                ours, its = context.Pipe()
                arguments = (its, k, self.count, whole, self.vectors.memory.name, mine, theirs)
                process = context.Process(target=work, args=arguments, daemon=True)
                process.start()
                its.close()
                self.processes.append(process)
                self.pipes.append(ours)
        if "order" in whole:
            self.share(0, data)
            for name, values in source.data.items():
                self.stores[0].arrays[name][...] = values

    def check_room(self, its_layout, what):
        """Refuse to share more than there is room for: to write there would end this process."""
        if not fits(its_layout):
            raise ValueError(
                f"workers={self.count}: /dev/shm has too little room for {what}: give it more, "
                f"such as docker run --shm-size=1g, or {ONE}"
            )

    def share(self, number, its_layout):
        """Make shared memory for data, in place of what the store of this number had."""
        if number in self.stores:
            self.stores.pop(number).close()
        self.check_room(its_layout, "a batch" if number else "the data")
        store = self.stores[number] = Shared(its_layout)
        self.tell("store", number, store.layout, store.memory.name)

    def epoch(self, epoch, means):
        """Train for an epoch, and add the terms of the loss to `means`.

        However it ends, the model then has the weights of the last whole step.
        """
        with interrupts_later() as interrupt:
            parcel, of_main = pack(self.model, self.optimizer)
            self.number, before = epoch, self.optimizer.t
            if not self.processes:
                try:
                    self.start(of_main)
                except OSError as error:
                    raise ValueError(
                        f"workers={self.count}: processes that share memory cannot be started "
                        f"here ({error}); {ONE}"
                    ) from error
            self.give()
            self.tell("epoch", parcel, int(self.model.rng.integers(2**63)))
            try:
                for number, (place, batch) in enumerate(self.steps(), 1):
                    interrupt()
                    self.unsent.append((*place, self.next_rate()))
                    self.waiting.append((number, place, batch))
                    if len(self.unsent) >= self.length or batch is not None:
                        self.send()
                    if len(self.sent) == AHEAD:
                        self.take(means)
            finally:
                try:
                    if self.unsent:
                        self.send()
                    while self.sent and not self.broken:
                        self.take(means)
                finally:
                    self.fetch(before)

    def next_rate(self):
        """Return the learning rate of the next step, and count the step."""
        optimizer = self.optimizer
        lr = optimizer.lr
        rate = optimizer.rate(lr(optimizer.t) if callable(lr) else lr)
        optimizer.t += 1
        return rate

    def steps(self):
        """Yield the place of each batch, (store, start, stop), and the batch or None."""
        source, rng = self.run.source, self.model.rng
        if "order" in self.vectors.arrays:
            self.vectors.arrays["order"][...] = source.order(rng)
            n = len(source.data["x"])
            for start in range(0, n, source.batch_size):
                yield (0, start, min(start + source.batch_size, n)), None
        else:
            for number, batch in enumerate(source.epoch(rng)):
                batch = {name: np.asarray(values) for name, values in batch.items()}
                yield self.put(batch, 1 + number % AHEAD), batch

    def put(self, batch, number):
        """Write a batch to a store, which no step uses any more, and return its place."""
        n, store = len(batch["x"]), self.stores.get(number)
        here = layout(batch)
        if store is None or not has_room(store, here):
            self.share(number, here)
        for name, values in batch.items():
            self.stores[number].arrays[name][:n] = values
        return number, 0, n

    def tell(self, *message):
        """Send a message to all workers."""
        for pipe in self.pipes:
            try:
                pipe.send(message)
            except OSError:  # it has ended
                self.fail()

    def send(self):
        """Send the next steps: few messages, since this process needs a core too."""
        steps, self.unsent = self.unsent, []
        if not self.broken:
            self.tell("steps", steps)
            self.sent.append(len(steps))

    def take(self, means):
        """Wait for the answers to the oldest message, and add its terms to `means`."""
        answers = []
        for pipe in self.pipes:
            while not pipe.poll(0.2):
                if any(each.exitcode is not None for each in self.processes):
                    self.fail()
            try:
                answers.append(pipe.recv())
            except (EOFError, OSError):
                self.fail()
            if isinstance(answers[-1], tuple):
                self.fail(answers[-1])
        self.sent.popleft()
        for terms in zip(*answers, strict=True):
            number, (_, start, stop), _ = self.waiting.popleft()
            parts = zip(shares(start, stop, self.count), terms, strict=True)
            means_of = [(each.stop - each.start, its) for each, its in parts if its]
            n = stop - start
            self.model.terms = {k: sum(m * t[k] for m, t in means_of) / n for k in terms[0]}
            means.add(self.model.terms, n)
        self.run.progress.batch(self.number, number, means)
        before, self.answered = self.answered, time.perf_counter()
        if self.answered - before < SOON:
            self.length = min(2 * self.length, MOST)
        elif self.answered - before > LATE:
            self.length = max(self.length // 2, 1)

    def fail(self, error=None):
        """End all workers, and raise the error of the one that has failed."""
        self.broken = True
        ended = wait([each.sentinel for each in self.processes], timeout=5)
        for process in self.processes:
            if process.sentinel in ended:
                process.join()  # the system knows its exit code a little later
        for process, pipe in zip(self.processes, self.pipes, strict=True):
            with suppress(EOFError, OSError):
                while error is None and process.exitcode is not None and pipe.poll():
                    answer = pipe.recv()
                    error = answer if isinstance(answer, tuple) else None
        codes = [each.exitcode for each in self.processes if each.exitcode is not None]
        self.kill()
        step = int(self.vectors.arrays["done"].min()) + 1
        if error is None:
            raise RuntimeError(
                f"workers={self.count}: a worker process has ended, with exit code {codes}; -9 "
                "means that it was killed, perhaps because memory ran out. The model has the "
                f"weights of the last whole step: call fit again to go on, or {ONE}"
            )
        kind, text, trace = error
        if kind == "FloatingPointError":
            self.fetch_weights()
            with self.run.errors_explained(self.number, step, self.batch(step)):
                raise FloatingPointError(text)
        raise RuntimeError(f"workers={self.count}: a worker process failed:\n{trace}")

    def batch(self, step):
        """Return the batch of a step that is under way."""
        _, (_, start, stop), batch = next(each for each in self.waiting if each[0] == step)
        if batch is not None:
            return batch
        return select_rows(self.run.source.data, self.vectors.arrays["order"][start:stop])

    def give(self):
        """Copy weights and moments to shared memory."""
        arrays = self.vectors.arrays
        arrays["theta"][...] = self.model.theta
        for name in self.optimizer.moments:
            arrays[f"moment.{name}"][...] = self.optimizer.state.get(name, 0)
        for name in ("begun", "done"):
            arrays[name][...] = 0

    def fetch(self, before):
        """Copy weights, gradient and moments back.

        If the workers were ended within a step, the moments stay those of the epoch before.

        before : int, the optimiser's step at the start of the epoch
        """
        if self.waiting:  # an error, or Ctrl-C pressed twice
            self.broken = True
            self.kill()
        self.fetch_weights()
        optimizer, theta = self.optimizer, self.model.theta
        if self.broken:
            optimizer.t = before
            return
        for name in optimizer.moments if optimizer.t else ():
            moment = optimizer.state.setdefault(name, np.zeros(theta.size, theta.dtype))
            moment[...] = self.vectors.arrays[f"moment.{name}"]

    def fetch_weights(self):
        """Copy weights and gradient back; undo an update that not all workers have finished."""
        arrays, model = self.vectors.arrays, self.model
        done, theta = int(arrays["done"].min()), arrays["theta"]
        for i, here in enumerate(slices(theta.size, self.count)):
            if arrays["begun"][i] > done:
                theta[here] = arrays[f"gradient.{(i + 1) % self.count}"][here]
            model.dtheta[here] = arrays[f"gradient.{i}"][here]
        model.theta[...] = theta

    def kill(self):
        """End all processes."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()

    def close(self):
        """End all processes, and give all shared memory back."""
        with interrupts_later():
            self.kill()
            for each in [*self.stores.values(), self.vectors]:
                if each is not None:
                    each.close()
            for pipe in self.pipes:
                pipe.close()
            self.processes, self.pipes, self.semaphores = [], [], {}
