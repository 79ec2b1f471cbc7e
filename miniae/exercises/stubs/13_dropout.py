"""dropout: dropout, so that the mean stays.

In training each entry of x becomes 0 with probability p, independently of the others. The entries
that are kept are divided by 1 - p. Then the mean of out over many draws is x, and at test time
nothing needs to change.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . dropout
    python -m miniae.exercises hint dropout
"""

import numpy as np


def dropout(x, p, rng, training):
    """x of any shape, 0 <= p < 1, a NumPy Generator -> out, mask, with out = mask * x.

    With training=False, out is x and the mask is 1 everywhere.
    """
    raise NotImplementedError("dropout: not started yet")


def dropout_backward(dout, mask):
    """dout and mask, of the same shape -> dx."""
    raise NotImplementedError("dropout: not started yet")
