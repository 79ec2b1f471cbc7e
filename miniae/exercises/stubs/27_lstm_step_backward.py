"""lstm_step_backward: the backward pass of one step of an LSTM.

The four gates are columns of a = x W + h U + b, side by side in the order i, f, o, g:

    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o),    g = tanh(a_g)
    c_new = f c + i g,    h_new = o tanh(c_new)

You get dh_new and dc_new, the gradients of the loss with respect to h_new and c_new. Both come
from the steps after this one: dc_new does not contain what comes back through h_new. Return the
gradients with respect to x, h, c, W, U and b. `np.hstack` puts arrays side by side.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . lstm_step_backward
    python -m miniae.exercises hint lstm_step_backward
"""

import numpy as np


def lstm_step_backward(dh_new, dc_new, x, h, c, W, U, i, f, o, g, c_new):
    """Return dx, dh, dc, dW, dU, db, in the shapes of x, h, c, W, U and b (4 k,).

    x (n, d), W (d, 4 k), U (k, 4 k); all others (n, k).
    """
    raise NotImplementedError("lstm_step_backward: not started yet")
