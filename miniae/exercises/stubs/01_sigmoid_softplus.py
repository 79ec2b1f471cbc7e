"""sigmoid_softplus: a sigmoid and a softplus that cannot overflow.

sigmoid(x) = 1 / (1 + exp(-x)) turns a logit into a probability. softplus(x) = log(1 + exp(x)) is
part of the Bernoulli loss. If you write these formulas directly, both functions overflow: exp(710)
is larger than any float64. Write them so that no x gives inf, nan or a warning.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . sigmoid_softplus
    python -m miniae.exercises hint sigmoid_softplus
"""

import numpy as np


def sigmoid(x):
    """x, an array of any shape -> 1 / (1 + exp(-x)) of each entry, the same shape."""
    raise NotImplementedError("sigmoid_softplus: not started yet")


def softplus(x):
    """x, an array of any shape -> log(1 + exp(x)) of each entry, the same shape.

    Small values must not become 0: softplus(-40) is 4.2e-18.
    """
    raise NotImplementedError("sigmoid_softplus: not started yet")
