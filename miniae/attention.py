"""Attention: each query looks at all steps of a memory, and takes a weighted mean of their values.

`Attention` is scaled dot-product attention, without parameters. `MultiHeadAttention` projects its
input first, and does so in several heads side by side. Vaswani et al. (2017).
"""

import math

import numpy as np

from miniae.layers import Dense, Layer
from miniae.numerics import as_float
from miniae.plumbing.layer_checks import check_flag, check_mask, check_sizes


class Attention(Layer):
    """Scaled dot-product attention, out = softmax(q k^T / sqrt(d)) v. Vaswani et al. (2017), eq. 1.

    A query is compared with every key. The softmax turns the products into weights that sum to 1,
    and out is the mean of the values with these weights. Products of d random numbers have a
    standard deviation that grows as sqrt(d); the division keeps the softmax away from 0 and 1,
    where it has no slope.

    Parameters
    ----------
    causal : bool
        Whether query t looks only at keys 0 to t, so that no step sees what comes after it.

    Attributes
    ----------
    weights : (n, T, S), those of the last forward: row t says where query t looked
    dkeys, dvalues : after `backward`, the gradients with respect to keys and values, if given
    """

    config = ("causal",)

    def __init__(self, causal=False):
        self.causal = check_flag(self, "causal", causal)
        self.weights = self.dkeys = self.dvalues = None
        super().__init__()

    def forward(self, x, training=False, keys=None, values=None, mask=None):
        """x (..., T, d), keys (..., S, d), values (..., S, d_out) -> out (..., T, d_out).

        x holds the queries. By default keys are x, and values are keys: self-attention.
        mask : bool, (n, S) or (n, T, S), False where a key is padding
            No query looks there, and what the padding contains is ignored. In self-attention a
            mask (n, S) also makes queries that are padding 0. A query without any key to look at
            has the weights 0, and out is 0.
        """
        check_flag(self, "training", training, "; write forward(q, keys=k, values=v)")
        x = as_float(x)
        own = keys is None, values is None
        keys = x if keys is None else as_float(keys)
        values = keys if values is None else as_float(values)
        if not (
            x.ndim > 2
            and keys.shape == (*x.shape[:-2], *keys.shape[-2:-1], x.shape[-1])
            and values.shape[:-1] == keys.shape[:-1]
            and keys.shape[-2] * keys.shape[-1]
        ):
            raise ValueError(
                f"{self} takes x (n, T, d), keys (n, S, d) and values (n, S, d_out), with S and "
                f"d of 1 or more, got {x.shape}, {keys.shape} and {values.shape}"
            )
        allowed = real = None  # (..., T, S): which keys a query may see; (..., T, 1): no padding
        if mask is not None:
            allowed = read_mask(self, mask, x.shape, keys.shape[-2])
            seen = allowed.any(axis=-2)[..., None]  # (..., S, 1), by any query
            keys, values = np.where(seen, keys, 0), np.where(seen, values, 0)
            if own[0] and np.ndim(mask) == 2:
                x, real = keys, seen
        if self.causal:
            past = np.tri(x.shape[-2], keys.shape[-2], dtype=bool)
            allowed = past if allowed is None else allowed & past
        scores = x @ keys.swapaxes(-1, -2)
        scores /= math.sqrt(x.shape[-1])
        if allowed is not None:
            scores = np.where(allowed, scores, -np.inf)
        p = softmax(scores)
        out = self.remember((x, keys, values, p, own, real), p @ values)
        self.weights = p
        return out

    def backward(self, dout):
        """dout (..., T, d_out) -> dx; `dkeys` and `dvalues` hold the gradients of those given.

        Write q for x, p for the weights and s for the scores q k^T / sqrt(d).

        out = p v: dv = p^T dout, and dp = dout v^T, as in `Dense`.
        p_j = e^(s_j) / sum_k e^(s_k), in each row. Moving s_i changes p_i with slope p_i (1 - p_i),
        and every other p_j with slope -p_j p_i, because the row sums to 1. So

            ds_i = dp_i p_i - sum_j dp_j p_j p_i = p_i (dp_i - sum_j dp_j p_j):

        dp, measured from its own mean under p, times p. Where a key is masked, p and ds are 0.
        s = q k^T / sqrt(d): dq = ds k / sqrt(d), and dk = ds^T q / sqrt(d).
        If one array is more than one of q, k and v, its gradients add up. A query that is padding
        counts as 0, so its dx is 0.
        """
        x, keys, values, p, (keys_are_x, values_are_keys), real = self.recall(dout)
        dvalues = p.swapaxes(-1, -2) @ dout
        dp = dout @ values.swapaxes(-1, -2)
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
        ds /= math.sqrt(x.shape[-1])
        dkeys = ds.swapaxes(-1, -2) @ x
        dx = ds @ keys
        if values_are_keys:
            dkeys = dkeys + dvalues
        if keys_are_x:
            dx = dx + dkeys
        if real is not None:
            dx = np.where(real, dx, 0)
        self.dkeys = None if keys_are_x else dkeys
        self.dvalues = None if values_are_keys else dvalues
        return dx


class MultiHeadAttention(Layer):
    """Attention in several heads side by side, with learned projections.

    Vaswani et al. (2017), section 3.2.2.

    x is projected to queries, and the memory to keys and values. Each head gets its own slice of
    the features, and looks where it likes; a last projection mixes the heads.

    Parameters
    ----------
    n_features : int, of x, of out and of the projections
    n_heads : int, a divisor of n_features
    n_memory : int, features of the memory; by default n_features
    causal : bool, as in `Attention`
    rng, dtype : as in Dense

    Attributes
    ----------
    query, key, value, out : Dense, the projections
    weights : (n, n_heads, T, S), those of the last forward: where each query looked
    dmemory : after `backward`, the gradient with respect to the memory, if one was given
    """

    config = ("n_features", "n_heads", "n_memory", "causal")

    def __init__(
        self, n_features, n_heads=1, n_memory=None, causal=False, *, rng=None, dtype="float32"
    ):
        n_memory = n_features if n_memory is None else n_memory
        self.n_features, self.n_heads, self.n_memory = check_sizes(
            self, n_features=n_features, n_heads=n_heads, n_memory=n_memory
        )
        if n_features % n_heads:
            raise ValueError(
                f"{type(self).__name__}: n_heads={n_heads} must divide n_features={n_features}"
            )
        self.causal, self.dmemory = check_flag(self, "causal", causal), None
        options = {"rng": None if rng is None else np.random.default_rng(rng), "dtype": dtype}
        self.query = Dense(n_features, n_features, **options)
        self.key = Dense(n_memory, n_features, **options)
        self.value = Dense(n_memory, n_features, **options)
        self.attention = Attention(causal)
        self.out = Dense(n_features, n_features, **options)
        super().__init__()

    weights = property(lambda self: self.attention.weights)

    def forward(self, x, training=False, memory=None, mask=None):
        """x (n, T, n_features), memory (n, S, n_memory) -> out (n, T, n_features).

        By default the memory is x: self-attention.
        mask : bool, (n, S) or (n, T, S), False where a step of the memory is not to be seen
            In self-attention a mask (n, S) also makes queries that are padding 0.
        """
        check_flag(self, "training", training, "; write forward(x, memory=memory)")
        x = np.asarray(x)
        source = x if memory is None else np.asarray(memory)
        for name, array, size in (("x", x, self.n_features), ("memory", source, self.n_memory)):
            if array.ndim != 3 or array.shape[2] != size or len(array) != len(x) or not array.size:
                n = len(x) if x.ndim == 3 and len(x) else "n"
                raise ValueError(
                    f"{self}: {name} has shape {array.shape}, but must be ({n}, steps, {size}), "
                    "with 1 step or more; x[None] is a batch of one sequence"
                )
        real = None  # (n, T, 1): which steps of x are not padding, if the mask says so
        if mask is not None:  # padding may contain NaN, which 0 times weights would not remove
            seen = read_mask(self, mask, x.shape, source.shape[1]).any(axis=1)[..., None]
            source = np.where(seen, source, 0)
            if memory is None and np.ndim(mask) == 2:
                x, real = source, seen
        q, k, v = self.query(flat(x)), self.key(flat(source)), self.value(flat(source))
        q, k, v = (self.split(rows, len(x)) for rows in (q, k, v))
        mixed = self.join(self.attention.forward(q, keys=k, values=v, mask=mask))
        out = self.out(mixed).reshape(*x.shape[:2], self.n_features)
        return self.remember((x.shape, source.shape, memory is None, real), out)

    def backward(self, dout):
        """dout (n, T, n_features) -> dx, grads, and dmemory.

        Each projection is a `Dense` over all steps, each head an `Attention`: see there. The memory
        acts through keys and values, so its gradient is the sum of both; in self-attention x is the
        memory too, and gets that sum besides.
        """
        shape, memory_shape, is_self, real = self.recall(dout)
        dmixed = self.split(self.out.backward(flat(dout)), len(dout))
        dq = self.attention.backward(dmixed)
        dk, dv = self.attention.dkeys, self.attention.dvalues
        dx = self.query.backward(self.join(dq)).reshape(shape)
        dmemory = self.key.backward(self.join(dk)) + self.value.backward(self.join(dv))
        dmemory = dmemory.reshape(memory_shape)
        self.dmemory = None if is_self else dmemory
        if is_self:
            dx = dx + dmemory
        return dx if real is None else np.where(real, dx, 0)

    def split(self, rows, n):
        """Sort features by head: (n T, n_features) -> (n, n_heads, T, n_features / n_heads)."""
        return rows.reshape(n, -1, self.n_heads, self.n_features // self.n_heads).swapaxes(1, 2)

    def join(self, heads):
        """Undo `split`."""
        return heads.swapaxes(1, 2).reshape(-1, self.n_features)


def softmax(scores):
    """exp(s) / sum exp(s) over the last axis; 0 where all s are -inf.

    The largest s is subtracted, which changes nothing but the risk of overflow.
    """
    highest = scores.real.max(axis=-1, keepdims=True)
    out = np.exp(scores - np.where(highest == -np.inf, 0, highest))
    total = out.sum(axis=-1, keepdims=True)
    out /= np.where(total == 0, 1, total)
    return out


def flat(x):
    """(n, T, d) -> (n T, d)."""
    return x.reshape(-1, x.shape[-1])


def read_mask(layer, mask, shape, S):
    """Return a mask (n, S) or (n, T, S) with axes for heads and queries, or refuse it.

    shape : (n, ..., T, d), that of the queries
    """
    n, *heads, T, _ = shape
    mask = check_mask(layer, mask, (n, S), (n, T, S))
    return mask.reshape(n, *[1] * len(heads), -1, S)
