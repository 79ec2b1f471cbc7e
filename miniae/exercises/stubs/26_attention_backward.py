"""attention_backward: the backward pass of softmax attention.

Each of T queries looks at S keys. For each sample

    s = q k^T / sqrt(d),    p = softmax(s) over the keys,    out = p v.

A mask says which keys each query may see: where it is False, s is -inf, so p is 0.
You get dout, the gradient of the loss with respect to out. Return the gradients with respect to q,
k and v. One s_i acts on every p_j of its row, because each row of p sums to 1.
In an array (n, T, d), k.T reverses all three axes. k.swapaxes(1, 2) transposes each sample.
Leave the arguments unchanged, and return new arrays.

    python -m miniae.exercises check . attention_backward
    python -m miniae.exercises hint attention_backward
"""

import numpy as np

from miniae.attention import softmax  # over the last axis; exp(-inf) is 0


def attention_backward(dout, q, k, v, mask=None):
    """dout (n, T, e), q (n, T, d), k (n, S, d), v (n, S, e) -> dq, dk, dv, as q, k, v.

    mask : bool (n, T, S), True where a query may see a key, or None: every query sees every key
    Each query sees at least one key. Compute p again.
    """
    raise NotImplementedError("attention_backward: not started yet")
