"""Wrong attention: each docstring says in one sentence what is wrong."""

import math

import numpy as np

from miniae.attention import Attention, MultiHeadAttention
from miniae.proof.bugzoo.specimen import Finding, specimen


def slopes(cls, seed):
    """Compare dq, dk and dv with complex steps in a random direction, with a mask."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal((2, 5, 5)) for _ in range(3)]  # square: no error of shapes
    dout, mask = rng.standard_normal((2, 5, 5)), np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], bool)

    def forward(layer, q, k, v):
        return layer.forward(q, keys=k, values=v, mask=mask)

    layer, worst = cls(), ("", 0.0)
    forward(layer, *arrays)
    gradients = layer.backward(dout), layer.dkeys, layer.dvalues
    for i, (name, gradient) in enumerate(zip(("dq", "dk", "dv"), gradients, strict=True)):
        step = rng.standard_normal((2, 5, 5))
        moved = [a + 1e-30j * step if i == j else a for j, a in enumerate(arrays)]
        exact = (forward(cls(), *moved) * dout).sum().imag / 1e-30
        error = abs((gradient * step).sum() - exact) / np.linalg.norm(gradient * step)
        worst = max(worst, (name, error), key=lambda pair: pair[1])
    return Finding(bool(worst[1] > 1e-10), f"{worst[0]} off by {worst[1]:.1e}")


def textbook(cls, seed):
    """Compare out with the formula, query by query, with a mask, causal and not."""
    rng = np.random.default_rng(seed)
    q, k, v = rng.standard_normal((3, 2, 5, 4))
    mask, out = np.arange(5) < np.array([[5], [3]]), np.zeros((2, 2, 5, 4))
    for causal, i, t in np.ndindex(2, 2, 5):
        seen = mask[i] & (np.arange(5) <= (t if causal else 5))
        e = np.exp(k[i, seen] @ q[i, t] / math.sqrt(4))
        out[causal, i, t] = e @ v[i, seen] / e.sum()
    found = [cls(c).forward(q, keys=k, values=v, mask=mask) for c in (False, True)]
    off = np.abs(found - out).max()
    return Finding(bool(off > 1e-10), f"off by {off:.1e} of the formula")


def self_slope(cls, seed):
    """Compare dx of self-attention with a complex step in a random direction."""
    x, dout, step = np.random.default_rng(seed).standard_normal((3, 2, 5, 4))
    layer = cls()
    layer.forward(x)
    exact = (cls().forward(x + 1e-30j * step) * dout).sum().imag / 1e-30
    along = layer.backward(dout) * step
    error = abs(along.sum() - exact) / np.linalg.norm(along)
    return Finding(bool(error > 1e-10), f"dx off by {error:.1e}")


def padding(cls, seed):
    """Change what the padding contains: no out may change."""
    rng = np.random.default_rng(seed)
    x, keys = rng.standard_normal((2, 2, 4, 6))
    mask = np.array([[True] * 4, [True, True, False, False]])
    changed = np.where(mask[..., None], keys, 3.0)
    before, after = (cls().forward(x, keys=k, mask=mask) for k in (keys, changed))
    off = np.abs(before - after).max()
    return Finding(bool(off > 1e-10), f"out changes by {off:.1e} with the padding")


def memory_slope(cls, seed):
    """Compare dmemory of several heads with a complex step in a random direction."""
    rng = np.random.default_rng(seed)
    layer = cls(6, 3, rng=seed, dtype="float64")
    x, memory, dout, step = rng.standard_normal((4, 2, 5, 6))
    layer.forward(x, memory=memory)
    layer.backward(dout)
    moved = layer.astype(complex).forward(x, memory=memory + 1e-30j * step)
    exact = (moved * dout).sum().imag / 1e-30
    error = abs((layer.dmemory * step).sum() - exact) / np.linalg.norm(layer.dmemory * step)
    return Finding(bool(error > 1e-10), f"dmemory off by {error:.1e}")


def order(cls, seed):
    """Change the order of the steps: out must change its order and nothing else."""
    rng = np.random.default_rng(seed)
    layer, x = cls(6, 3, rng=seed, dtype="float64"), rng.standard_normal((2, 5, 6))
    off = np.abs(layer(x[:, ::-1]) - layer(x)[:, ::-1]).max()
    return Finding(bool(off > 1e-10), f"off by {off:.1e} after a change of order")


class OpenAttention(Attention):
    """The backward pass in three steps, for specimens that get one of them wrong."""

    def of_softmax(self, p, dp):
        return p * (dp - (dp * p).sum(axis=-1, keepdims=True))

    def of_values(self, p, dout):
        return p.swapaxes(-1, -2) @ dout

    def of_scores(self, ds, q, k):
        root = math.sqrt(q.shape[-1])
        return ds @ k / root, ds.swapaxes(-1, -2) @ q / root

    def backward(self, dout):
        q, k, v, p, *_ = self.recall(dout)
        self.dvalues = self.of_values(p, dout)
        ds = self.of_softmax(p, dout @ v.swapaxes(-1, -2))
        dx, self.dkeys = self.of_scores(ds, q, k)
        return dx


@specimen("attention-elementwise", slopes, Attention)
class Elementwise(OpenAttention):
    """The softmax is differentiated elementwise, as p (1 - p), without its other entries."""

    def of_softmax(self, p, dp):
        return dp * p * (1 - p)


@specimen("attention-mean-unweighted", slopes, Attention)
class MeanUnweighted(OpenAttention):
    """The softmax backward subtracts the sum of dp, not the sum of p dp."""

    def of_softmax(self, p, dp):
        return p * (dp - dp.sum(axis=-1, keepdims=True))


@specimen("attention-backward-axis", slopes, Attention)
class BackwardAxis(OpenAttention):
    """The softmax backward sums over queries, not over keys."""

    def of_softmax(self, p, dp):
        return p * (dp - (dp * p).sum(axis=-2, keepdims=True))


@specimen("attention-scale-forgotten", slopes, Attention)
class ScaleForgotten(OpenAttention):
    """The backward pass does not divide by sqrt(d)."""

    def of_scores(self, ds, q, k):
        return ds @ k, ds.swapaxes(-1, -2) @ q


@specimen("attention-queries-keys-swapped", slopes, Attention)
class Swapped(OpenAttention):
    """The gradients of queries and keys are exchanged."""

    def of_scores(self, ds, q, k):
        return super().of_scores(ds, q, k)[::-1]


@specimen("attention-values-not-transposed", slopes, Attention)
class NotTransposed(OpenAttention):
    """The gradient of the values uses the weights without transposing them."""

    def of_values(self, p, dout):
        return p @ dout


@specimen("attention-mask-ignored", padding, Attention)
class MaskIgnored(Attention):
    """The mask is accepted and not used."""

    def forward(self, x, training=False, keys=None, values=None, mask=None):
        return super().forward(x, training, keys, values)


@specimen("attention-scaled-by-d", textbook, Attention)
class ScaledByD(Attention):
    """Scores are divided by d, not by sqrt(d), in both passes."""

    def forward(self, x, training=False, keys=None, values=None, mask=None):
        return super().forward(x / math.sqrt(x.shape[-1]), training, keys, values, mask)

    def backward(self, dout):
        return super().backward(dout) / math.sqrt(dout.shape[-1])


@specimen("attention-mask-after-softmax", textbook, Attention)
class MaskAfterSoftmax(Attention):
    """The mask sets weights to 0 after the softmax, so they no longer sum to 1."""

    def forward(self, x, training=False, keys=None, values=None, mask=None):
        out = super().forward(x, training, keys, values)
        if mask is not None:
            self.weights = self.weights * mask[:, None]
            out = self.weights @ values
        return out


@specimen("attention-softmax-over-queries", textbook, Attention)
class SoftmaxOverQueries(Attention):
    """The softmax runs over queries: the weights of each key sum to 1."""

    def forward(self, x, training=False, keys=None, values=None, mask=None):
        super().forward(x, training, keys, values, mask)
        e = np.exp(x @ keys.swapaxes(-1, -2) / math.sqrt(x.shape[-1])) * (self.weights > 0)
        total = e.sum(axis=-2, keepdims=True)
        return e / np.where(total == 0, 1, total) @ values


@specimen("attention-sees-the-next-step", textbook, Attention)
class SeesTheNextStep(Attention):
    """Causal attention is off by one: query t sees key t + 1 too."""

    def forward(self, x, training=False, keys=None, values=None, mask=None):
        if self.causal:
            mask = mask[:, None] & np.tri(x.shape[-2], keys.shape[-2], 1, dtype=bool)
        return Attention.forward(Attention(), x, training, keys, values, mask)


@specimen("attention-self-queries-only", self_slope, Attention)
class QueriesOnly(Attention):
    """In self-attention dx is that of the queries; x is also the keys and the values."""

    def forward(self, x, training=False, keys=None, values=None, mask=None):
        return super().forward(x, training, x, x, mask)


@specimen("attention-memory-keys-only", memory_slope, MultiHeadAttention)
class KeysOnly(MultiHeadAttention):
    """The gradient of the memory leaves out its way through the values."""

    def backward(self, dout):
        dx = super().backward(dout)
        dkeys = self.join(self.attention.dkeys)
        self.dmemory = self.key.backward(dkeys).reshape(self.dmemory.shape)
        return dx


@specimen("attention-heads-reshaped", order, MultiHeadAttention)
class HeadsReshaped(MultiHeadAttention):
    """Heads are split by a reshape without swapping axes, which mixes steps and features."""

    def split(self, rows, n):
        return rows.reshape(n, self.n_heads, -1, self.n_features // self.n_heads)

    def join(self, heads):
        return heads.reshape(-1, self.n_features)
