"""minibatch_loop: training in mini-batches.

An epoch shows every sample once, in a new random order, a batch at a time. The last batch is
smaller if the batch size does not divide the number of samples.

The loss of an epoch is the mean over all its samples. `step` returns the mean over a batch, so a
smaller batch counts less.
Leave X unchanged.

    python -m miniae.exercises check . minibatch_loop
    python -m miniae.exercises hint minibatch_loop
"""

import numpy as np


def batches(X, size, rng):
    """X (n, features) -> list of arrays (size, features), the last may have fewer rows.

    Every row is in exactly one batch. rng, a numpy Generator, draws the order of the rows.
    """
    raise NotImplementedError("minibatch_loop: not started yet")


def fit(step, X, epochs, size, rng):
    """Train for some epochs -> list with the loss of each epoch, a number.

    step(batch) changes the weights once, and returns the mean loss of the batch.
    """
    raise NotImplementedError("minibatch_loop: not started yet")
