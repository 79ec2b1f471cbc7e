"""Look at what passes the layers of a model, one after the other."""

import contextlib
import copy

import numpy as np

from miniae.layers import Sequential


def leaves(network, name):
    """Yield (name, layer) for the layers of a Sequential, and of those within it, in order.

    A Frozen network is one layer.
    """
    if not isinstance(network, Sequential) or not network.parts:
        yield name, network
        return
    for key, layer in network.parts.items():
        yield from leaves(layer, f"{name}.{key}")


def model_leaves(model):
    """Yield (name, layer) for the layers of the encoder, then of the decoder."""
    yield from leaves(model.encoder, "encoder")
    yield from leaves(model.decoder, "decoder")


def watch(model, forward=None, backward=None):
    """Call forward(name, x, out) and backward(name, dout) whenever data pass a layer of a model.

    The layers stay watched: do it to a copy of a model.
    """
    for name, layer in model_leaves(model):
        if forward is not None:
            layer.forward = _watched_forward(name, layer.forward, forward)
        if backward is not None:
            layer.backward = _watched_backward(name, layer.backward, backward)
            layer.backward_params = _watched_backward(name, layer.backward_params, backward)


def first_not_finite(model, batch):
    """Return in words which layer is the first to output NaN or inf for a batch, or ""."""
    copied, lost = copy.deepcopy(model), []
    layers = dict(model_leaves(copied))

    def see(name, x, out):
        if not np.isfinite(out).all():
            lost.append(name)

    watch(copied, see)
    with contextlib.suppress(FloatingPointError), np.errstate(all="ignore"):
        copied.loss(**batch)
    return (
        f"{lost[0]}, {layers[lost[0]]}, is the first layer that outputs NaN or inf" if lost else ""
    )


def _watched_forward(name, step, see):
    def forward(x, training=False):
        out = step(x, training)
        see(name, x, out)
        return out

    return forward


def _watched_backward(name, step, see):
    def backward(dout):
        see(name, dout)
        return step(dout)

    return backward
