"""Hypotheses on a wrong gradient: the gradient that each known mistake gives.

Each is (cause, words for a student, gradient). `diagnosis` compares them with the wrong gradient.
"""

import numpy as np

from miniae.conv import (
    Conv2D,
    ConvTranspose2D,
    adjoint,
    correlate,
    crop,
    inner,
    kernel_gradient,
    pad,
    scatter,
)
from miniae.numerics import sigmoid
from miniae.pooling import MaxPool2D, UpSample2D


def of_layer(subject, name, right):
    """Return the known mistakes in one block of a layer's backward.

    right : function of (name, x, dout) that returns the right gradient with respect to a block
    """
    x, dout = subject.x, subject.dout
    last, first = np.zeros_like(dout), np.zeros_like(dout)
    last[-1:], first[:1] = dout[-1:], dout[:1]
    hypotheses = [
        ("dout ignored", "it does not depend on dout: the chain rule multiplies by dout",
         right(name, x, np.ones_like(dout))),
        ("stale", "it belongs to an earlier forward: store a new cache in every forward",
         right(name, subject.decoy, dout)),
    ]  # fmt: skip
    if isinstance(subject.exact, Conv2D):
        hypotheses += of_convolution(subject.exact, name, x, dout)
    if name == "x":
        hypotheses += of_resampling(subject.exact, x, dout)
    if name == "x":
        return hypotheses + of_dx(subject)
    for words, alone in (("last", last), ("first", first)):
        words = f"it uses only the {words} row of the batch: sum over all rows"
        hypotheses.append(("one row", words, right(name, x, alone)))
    if dout.shape == x.shape and dout.size:  # the scale of a normalisation
        rows = dout.reshape(-1, dout.shape[-1])
        words = "it sums dout alone: out = gamma xhat + beta, so dgamma sums dout xhat"
        if name.rpartition(".")[2] not in ("b", "beta", "bias"):  # there it may be right
            hypotheses.append(("xhat missing", words, rows.sum(axis=0)))
        words = "it has x instead of xhat: out = gamma xhat + beta, so dgamma sums dout xhat"
        hypotheses.append(("x for xhat", words, (rows * x.reshape(rows.shape)).sum(axis=0)))
    if dout.ndim == 2:
        words = "it is summed over features: db is the sum of dout over samples, axis 0"
        hypotheses.append(("wrong axis", words, dout.sum(axis=1)))
    return hypotheses


def of_dx(subject):
    """Return the known mistakes in a layer's dx: W for W^T, another slope, mask or order."""
    layer, x, dout = subject.exact, subject.x, subject.dout
    W, hypotheses = dict(layer.params).get("W"), []
    if W is not None and W.ndim == 2 and W.shape[0] == W.shape[1] == dout.shape[-1]:
        words = "W is not transposed: out = x W, so dx = dout W^T"
        hypotheses.append(("transposed", words, dout @ W))
    if dout.shape != x.shape:
        if dout.size == x.size:
            words = "its entries are in column order: reshape in the same order in both passes"
            hypotheses.append(("order", words, dout.reshape(x.shape, order="F")))
        return hypotheses
    layer.set_rng(np.random.default_rng(subject.seed))
    s, t, out = sigmoid(x), np.tanh(x), layer.forward(x, subject.training)
    once_more = sigmoid(out)
    for cause, words, slope in (
        ("identity", "dout passes unchanged, as if the slope (or mask) were 1", 1.0),
        ("other activation", "the slope is ReLU's", x > 0),
        ("other activation", "the slope is the sigmoid's", s * (1 - s)),
        ("other activation", "the slope is tanh's", 1 - t * t),
        ("other activation", "the slope is softplus's", s),
        ("other activation", "out (1 - out) is the sigmoid's slope", out * (1 - out)),
        ("other activation", "1 - out^2 is tanh's slope", 1 - out * out),
        ("square missing", "the slope is 1 - out^2, not 1 - out", 1 - out),
        ("wrong variable", "it is x (1 - x), but must be out (1 - out)", x * (1 - x)),
        ("wrong variable", "it is 1 - x^2, but must be 1 - out^2", 1 - x * x),
        ("wrong variable", "the slope is taken at out, not at x", once_more),
        ("wrong variable", "the slope is taken at out, not at x", once_more * (1 - once_more)),
        ("wrong variable", "the slope is taken at out, not at x", 1 - np.tanh(out) ** 2),
        ("wrong variable", "the mask is dout > 0, but must be x > 0", dout > 0),
        ("wrong variable", "dout is multiplied by out, not by a slope", out),
        ("wrong variable", "dout is multiplied by x, not by a slope", x),
        (
            "product rule",
            "a term is missing: it is out / x, as if out / x were constant",
            out / np.where(x == 0, 1, x),
        ),
    ):
        hypotheses.append((cause, words, dout * slope))
    if (out < 0).any():  # an ELU; for a ReLU this would be dout itself
        words = "the slope is taken at out, not at x"
        hypotheses.append(("wrong variable", words, dout * np.exp(np.minimum(out, 0))))
    return hypotheses


def of_convolution(layer, name, x, dout):
    """Return the known mistakes in one block of the backward of Conv2D or Conv1D."""
    W, kernel, stride = dict(layer.params)["W"], layer.kernel, layer.stride
    margins = layer.margins(x.shape[1:-1])
    padded = pad(x, margins)
    if name == "b":
        words = "it is also summed over channels: db sums dout over samples and pixels"
        return [("wrong axis", words, np.full(W.shape[-1], dout.sum()))]
    if name == "W":
        at_the_end = pad(x, [(0, sum(zeros)) for zeros in margins])
        by_channel = np.moveaxis(kernel_gradient(padded, dout, kernel, stride), -2, 0)
        return [
            ("padding", "its windows start at the first pixel of x, not of the padding",
             kernel_gradient(at_the_end, dout, kernel, stride)),
            ("order", "its entries have c_in first, reshaped: transpose them instead",
             by_channel.reshape(W.shape)),
        ]  # fmt: skip
    back, size = adjoint(W), padded.shape[1:-1]
    uncut, once = scatter(dout, back, stride, size), [np.zeros_like(padded) for _ in range(2)]
    taps = list(np.ndindex(W.shape[:-2]))
    for dx, order in zip(once, (taps, taps[::-1]), strict=True):  # another window comes last
        for tap in order:
            starts = zip(tap, dout.shape[1:-1], strict=True)
            here = inner(slice(i, i + stride * count, stride) for i, count in starts)
            dx[here] = dout @ back[tap]
    candidates = [
        ("flipped", "the kernel is flipped, but must not be: pixel rs + i gets dout_r W_i^T",
         scatter(dout, np.flip(back, range(layer.n_axes)), stride, size)),
        ("stride", "the stride is ignored: pixel r of dout belongs to the window at rs",
         scatter(dout, back, 1, size)),
        *(("overwritten", "where windows overlap, only one of them counts: add, do not assign", dx)
          for dx in once),
    ]  # fmt: skip
    if W.shape[-2] == W.shape[-1]:
        words = "W is not transposed: out sums x W_i over the window, so dx sums dout W_i^T"
        candidates.append(("transposed", words, scatter(dout, W, stride, size)))
    words = "it still contains the padding before x: remove the zeros at both ends"
    corner = uncut[inner(slice(length) for length in x.shape[1:-1])]
    cut = [(cause, text, crop(dx, margins)) for cause, text, dx in candidates]
    return [*cut, ("padding", words, corner)]


def of_resampling(layer, x, dout):
    """Return the known mistakes in dx of the layers that make images smaller or larger."""
    if isinstance(layer, UpSample2D):
        k, words = layer.size, "it takes one pixel of a block: x acts on all, so dx is their sum"
        return [("one copy", words, dout[:, i::k, j::k]) for i, j in np.ndindex(k, k)]
    if isinstance(layer, MaxPool2D):
        layer.forward(x)
        everywhere = np.repeat(dout[..., None], layer.size**2, axis=-1)
        first = everywhere * (np.arange(layer.size**2) == 0)
        candidates = [
            ("all pixels", "every pixel of a block gets dout: only the largest acts on out",
             everywhere),
            ("mean pooling", "dout is shared evenly, as for a mean: only the largest acts on out",
             everywhere / layer.size**2),
            ("first pixel", "the first pixel of each block gets dout, not the largest one", first),
        ]  # fmt: skip
        return [(cause, words, layer.to_image(blocks)) for cause, words, blocks in candidates]
    W = dict(layer.params).get("W")
    if isinstance(layer, ConvTranspose2D) and W.shape[-2] == W.shape[-1]:
        words = "W is not transposed: out adds x W_i to a window, so dx sums dout W_i^T over it"
        padded = pad(dout, layer.margins(dout.shape[1:-1]))
        return [("transposed", words, correlate(padded, W, layer.stride))]
    return []


def of_loss(subject, name, right):
    """Return the known mistakes in a loss's gradient with respect to out, or to log sigma."""
    out, target, n = subject.x, np.asarray(subject.target, float), len(subject.x)
    if name == "log_sigma":
        words = "the number of features D is missing: it is the derivative of D log sigma"
        return [("missing term", words, right - out[0].size)]
    p = sigmoid(out)
    slope = p * (1 - p)
    if name != "x" or not np.allclose(right, (p - target) / n):
        return []  # the rest is for logits
    return [
        ("missing term", "the target is missing: it is sigmoid(out) - target", p / n),
        ("probability", "it is divided by p (1 - p), as for probabilities: with respect to logits "
         "the slope of the sigmoid cancels this, and it is p - target", right / slope),
        ("probability", "it is multiplied by p (1 - p), the slope of the sigmoid, which it already "
         "contains: with respect to logits it is p - target", right * slope),
        ("missing sigmoid", "logits are used as probabilities: it is sigmoid(out) - target",
         (out - target) / n),
    ]  # fmt: skip
