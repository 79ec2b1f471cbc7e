"""``workers="auto"``: how many worker processes `fit` uses."""

import copy
import os
import time

import numpy as np

from miniae.plumbing.batches import Rows
from miniae.plumbing.inputs import select_rows

START = 1.5  # seconds that it takes until worker processes train
WAITS = 2e-4  # seconds a step that workers wait for each other, and for what to do next
GAIN = 0.85  # of the time of one process: workers that save less are not used
REPEATS = 7  # of which the shortest counts: other programs only make a step longer


def cores():
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_workers(model, optimizer, source, epochs):
    """Return a number of workers, from a step of each size that is measured on a copy.

    1 if there is one core, if the rows are not known beforehand, if the model or the optimiser
    needs one process, or if the workers would save less time than they take to start. A loss that
    is NaN gives 1 too: the training then says where it arose.
    """
    numbers = [2**i for i in range(1, 11) if 2**i <= cores()]
    if not numbers or not isinstance(source, Rows) or not can_be_divided(model, optimizer):
        return 1
    steps, needed = epochs * source.count, {}
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            measured = seconds(model, optimizer, source, [1, *numbers])
    except FloatingPointError:
        return 1
    for count, each in measured.items():
        needed[count] = START + steps * (WAITS + each)
        if count == 1:
            needed[1] = GAIN * steps * each
    return min(needed, key=needed.get)


def can_be_divided(model, optimizer):
    """Return whether worker processes can train a model."""
    from miniae.plumbing.parcel import pack  # slow to import, and not needed by one process

    try:
        pack(model, optimizer)
    except ValueError:
        return False
    return True


def seconds(model, optimizer, source, counts):
    """Return a dict of each number of workers to the seconds of a step of one of them."""
    model, rows = copy.deepcopy(model), min(source.batch_size, len(source.data["x"]))
    trials, least = {}, dict.fromkeys(counts, np.inf)
    for count in counts:
        rule, size = copy.copy(optimizer), model.theta.size // count
        rule.state = {}
        batch = select_rows(source.data, np.arange(-(-rows // count)))
        trials[count] = batch, rule, model.theta[:size].copy(), model.dtheta[:size]
    for _ in range(REPEATS):
        for count, (batch, rule, theta, dtheta) in trials.items():
            start = time.perf_counter()
            model.loss(**batch, training=True)
            model.backward()
            rule.step(theta, dtheta)
            least[count] = min(least[count], time.perf_counter() - start)
    return least
