"""A worker process of ``fit(..., workers=)``: its part of each step. See `plumbing.workers`.

Each worker has a copy of the model whose theta is in shared memory, and a gradient vector of its
own. A step has two halves, and all workers wait for each other after each half:

1. Each computes the gradient of its share of the batch.
2. Each adds up all gradients over its slice of theta, and the optimiser updates that slice.
"""

import os
import signal
import threading
import traceback
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.reduction import ForkingPickler

import numpy as np

from miniae.optim import Optimizer
from miniae.plumbing.memory import reuse_memory
from miniae.plumbing.processes import ALIGN, Shared

BLOCK = 32768  # elements that are added up at a time, few enough to stay in cache
TRIES = 1000  # a short spin, some 100 microseconds, before a worker sleeps


def slices(size, count):
    """Return a slice of theta for each worker."""
    ends = [ALIGN * (size * i // (count * ALIGN)) for i in range(count)] + [size]
    return [slice(*ends[i : i + 2]) for i in range(count)]


def shares(start, stop, count):
    """Return the rows start to stop, a slice for each worker; the first is never empty."""
    ends = [start - (start - stop) * i // count for i in range(count + 1)]
    return [slice(*ends[i : i + 2]) for i in range(count)]


class Worker:
    """One worker.

    Parameters
    ----------
    number, count : int, which worker this is, and how many there are
    layout, name : of the `Shared` vectors
    mine, theirs : semaphores that the others release for this worker, and it for the others
    """

    def __init__(self, number, count, layout, name, mine, theirs):
        self.number, self.count, self.mine, self.theirs = number, count, mine, theirs
        self.shared = Shared(layout, name)
        self.vectors, self.stores, self.kept = self.shared.arrays, {}, []
        self.gradients = [self.vectors[f"gradient.{i}"] for i in range(count)]
        self.here = slices(self.vectors["theta"].size, count)[number]
        self.model = self.optimizer = self.rate = self.left_out = None

    def wait(self):
        """Wait until all workers are here.

        Semaphores order the memory on every processor: what another worker wrote before is seen
        after.
        """
        for each in self.theirs:
            each.release()
        for each in self.mine:
            if not any(each.acquire(False) for _ in range(TRIES)):
                each.acquire()

    def store(self, number, layout, name):
        """Open data, or the place for a batch of them."""
        self.kept.append(Shared(layout, name))  # for ever, since the model may have views of it
        self.stores[number] = self.kept[-1].arrays

    def epoch(self, parcel, seed):
        """Take the model and the optimiser as they are before an epoch."""
        model, optimizer = ForkingPickler.loads(parcel)
        model.rng = np.random.default_rng([seed, self.number])
        model.theta = self.vectors["theta"]  # the values: `bind` writes them to where they are
        model.bind(self.vectors["theta"], self.gradients[self.number])
        optimizer.state = {k: self.vectors[f"moment.{k}"][self.here] for k in optimizer.moments}
        optimizer.lr = lambda t: self.rate
        optimizer.sum_of_squares = self.sum_of_squares
        self.model, self.optimizer, self.left_out = model, optimizer, None

    def sum_of_squares(self, dtheta):
        """Return the sum of squares of the whole gradient, from those of all slices."""
        self.vectors["squares"][self.number] = Optimizer.sum_of_squares(self.optimizer, dtheta)
        self.wait()
        return self.vectors["squares"].sum()

    def steps(self, places):
        """Make steps, each as `step` takes it; return the terms of each."""
        return [self.step(*each) for each in places]

    def step(self, store, start, stop, rate):
        """Make a step on the rows start to stop of a store; return the terms of this share."""
        self.rate, terms = rate, {}
        rows = shares(start, stop, self.count)
        own = rows[self.number]
        if own.start < own.stop:
            which = self.vectors["order"][own] if store == 0 else own
            batch = {name: values[which] for name, values in self.stores[store].items()}
            with np.errstate(over="ignore", invalid="ignore"):  # the model looks at the result
                self.model.loss(**batch, training=True)
            self.backward()
            terms = self.model.terms
        else:
            self.gradients[self.number][...] = 0
        self.wait()
        self.add_up([(each.stop - each.start) / (stop - start) for each in rows])
        self.update()
        self.wait()
        return terms

    def backward(self):
        """Fill this worker's gradient; it is 0 where the model's `backward` does not fill it.

        In one process it is 0 there from the start, as in a layer that keeps its weights by leaving
        its grads alone. Here `update` writes to the vector. So the first step of an epoch marks all
        entries, by a number that no gradient has, and looks for those that stay.
        """
        own = self.gradients[self.number]
        mark = np.finfo(own.dtype).max
        if self.left_out is None:
            own[...] = mark
        self.model.backward()
        if self.left_out is None:
            (self.left_out,) = np.where(own == mark)
        own[self.left_out] = 0

    def add_up(self, weights):
        """Write the gradient of the whole batch to this worker's slice of its own vector.

        The loss is a mean over samples, so a share counts with its part of the samples.
        """
        own, equal = self.gradients[self.number], len(set(weights)) == 1
        for start in range(self.here.start, self.here.stop, BLOCK):
            block = slice(start, min(start + BLOCK, self.here.stop))
            total = own[block]
            if not equal:
                total *= weights[self.number]
            for i, each in enumerate(self.gradients):
                if i != self.number:
                    total += each[block] if equal else each[block] * weights[i]
            if equal:  # the usual case: one multiplication for all
                total *= weights[0]

    def update(self):
        """Let the optimiser update this worker's slice of theta.

        First the slice is copied to the next worker's gradient, which is not needed any more: if a
        worker dies before all are done, the weights of the last step can be restored.
        """
        theta, begun, done = (self.vectors[name] for name in ("theta", "begun", "done"))
        self.gradients[(self.number + 1) % self.count][self.here] = theta[self.here]
        begun[self.number] += 1
        self.optimizer.step(theta[self.here], self.gradients[self.number][self.here])
        done[self.number] += 1


def work(pipe, *arguments):
    """Do what the messages in the pipe say, until this process is ended from outside.

    A message is the name of a method of `Worker` and its arguments. An error is sent back as a
    tuple of texts.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent process
    threading.Thread(target=end_with_parent, daemon=True).start()
    reuse_memory()
    try:
        worker = Worker(*arguments)
        while True:
            name, *rest = pipe.recv()
            answer = getattr(worker, name)(*rest)
            if answer is not None:
                pipe.send(answer)
    except BaseException as error:
        with suppress(OSError):  # the parent has ended
            pipe.send((type(error).__name__, str(error), traceback.format_exc()))
    os._exit(1)  # at once: the arrays still use the shared memory


def end_with_parent():
    """End this process when its parent has ended, in whatever way."""
    connection.wait([parent_process().sentinel])
    os._exit(1)
