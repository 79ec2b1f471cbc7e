"""bernoulli_nll: the Bernoulli loss from logits, and its gradient.

A pixel is 1 with probability p = sigmoid(logit), and the loss is minus the log probability of the
target: -target log p - (1 - target) log(1 - p), summed over features, the mean over samples, in
nats. A p that rounds to 0 or 1 would make it infinite: so compute it from the logits, never by p.
Targets may be grey, anywhere in [0, 1].
Leave the arguments as they are, and return new arrays.

    python -m miniae.exercises check . bernoulli_nll
    python -m miniae.exercises hint bernoulli_nll
"""

import numpy as np


def bernoulli_nll(logits, target):
    """logits, target (n, features) -> the loss, a number, right for logits of -1000 to 1000."""
    raise NotImplementedError("bernoulli_nll: not started yet")


def bernoulli_nll_backward(logits, target):
    """logits, target (n, features) -> dlogits (n, features), the gradient for the logits."""
    raise NotImplementedError("bernoulli_nll: not started yet")
