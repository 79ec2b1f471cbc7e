"""dropout: dropout, so that the mean stays.

In training each entry of x becomes 0 with probability p, by itself, and the others are divided by
1 - p: then the mean of out over the draws is x, and at test time x passes as it is.
Leave the arguments as they are, and return new arrays.

    python -m miniae.exercises check . dropout
    python -m miniae.exercises hint dropout
"""

import numpy as np


def dropout(x, p, rng, training):
    """x of any shape, 0 <= p < 1, a numpy Generator -> out, mask, with out = mask * x.

    Out of training, out is x and the mask is 1 everywhere.
    """
    raise NotImplementedError("dropout: not started yet")


def dropout_backward(dout, mask):
    """dout and mask of one shape -> dx."""
    raise NotImplementedError("dropout: not started yet")
