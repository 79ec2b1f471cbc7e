"""bernoulli_nll: the Bernoulli loss from logits, and its gradient.

A pixel is 1 with probability p = sigmoid(logit). The loss is minus the log probability of the
target, -target log p - (1 - target) log(1 - p): the sum over features, the mean over samples, in
nats. If p rounds to 0 or 1, log gives infinity. So compute the loss from the logits, never from p.
Targets may be any number in [0, 1].
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . bernoulli_nll
    python -m miniae.exercises hint bernoulli_nll
"""

import numpy as np


def bernoulli_nll(logits, target):
    """logits, target (n, features) -> the loss, a number, exact for logits from -1000 to 1000."""
    raise NotImplementedError("bernoulli_nll: not started yet")


def bernoulli_nll_backward(logits, target):
    """logits, target (n, features) -> dlogits (n, features), the gradient of the loss."""
    raise NotImplementedError("bernoulli_nll: not started yet")
