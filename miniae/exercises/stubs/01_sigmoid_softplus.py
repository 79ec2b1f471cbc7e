"""sigmoid_softplus: a sigmoid and a softplus that cannot overflow.

sigmoid(x) = 1 / (1 + exp(-x)) turns a logit into a probability; softplus(x) = log(1 + exp(x)) is
what the Bernoulli loss is made of. Written as they stand here both overflow: exp(710) is more than
a float64 holds. Write them so that no x, however large or small, gives inf, nan or a warning.
Leave the arguments as they are, and return new arrays.

    python -m miniae.exercises check . sigmoid_softplus
    python -m miniae.exercises hint sigmoid_softplus
"""

import numpy as np


def sigmoid(x):
    """x, an array of any shape -> 1 / (1 + exp(-x)), elementwise, the same shape."""
    raise NotImplementedError("sigmoid_softplus: not started yet")


def softplus(x):
    """x, an array of any shape -> log(1 + exp(x)), elementwise, the same shape.

    It must also keep its small values: softplus(-40) is 4.2e-18, not 0.
    """
    raise NotImplementedError("sigmoid_softplus: not started yet")
