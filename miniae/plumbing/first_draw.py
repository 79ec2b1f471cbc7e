"""The first weights of layers that were given no rng: who draws them, and when.

A layer alone draws from a fixed seed. When it becomes part of a network, it is drawn again, so that
two layers of one shape differ. A model draws all of them from its own seed. Only weights that are
still the first ones are drawn again. Weights that were trained, assigned, loaded or cast stay as
they are, and so do those of a layer that was given an rng.
"""

import zlib

import numpy as np


def draw_first(layer, rng, *sizes):
    """Draw a new layer's weights. rng is the Generator or int that it was given, or None.

    The sizes are part of an integer seed: layers of other sizes draw other numbers.
    """
    seed = 0 if rng is None else rng
    layer.draw(np.random.default_rng([seed, *sizes] if isinstance(seed, int) else seed))
    mark_first(layer, rng)


def mark_first(layer, rng):
    """Note the weights that a layer has now as its first, unless it was given an rng."""
    layer.first_draw = fingerprint(layer) if rng is None else None


def draw_part(owner, part):
    """Draw a part before `owner` takes it: its weights must differ from those of the other parts.

    The first part keeps its draw. The others get a seed by their place among all layers.
    """
    if not owner.parts:
        return
    rng = np.random.default_rng([0, len(list(owner.walk()))])
    for _, layer in part.walk():
        if is_first(layer):
            layer.draw(rng)
            mark_first(layer, None)


def draw_last(owner, rng):
    """Draw all such layers again, for the last time: from now on the weights belong to a model."""
    for _, layer in owner.walk():
        if layer.params and is_first(layer):  # Dropout has none: a model replaces its rng anyway
            layer.draw(rng)
    settle(owner)


def settle(owner):
    """Mark the weights of these layers as final: nothing draws them again."""
    for _, layer in owner.walk():
        if layer.first_draw is not None:
            layer.first_draw = None


def is_first(layer):
    """Return whether a layer has the weights that it drew itself, and was never trained."""
    if layer.first_draw is None or any(grad.any() for grad in layer.grads.values()):
        return False
    # The values are compared, since an optimiser writes to the weights without the layer's help.
    return layer.first_draw == fingerprint(layer)


def fingerprint(layer):
    """Return a checksum of a layer's own parameters, of any dtype, and of its generator."""
    state = repr(layer.rng.bit_generator.state) if hasattr(layer, "rng") else ""
    total = zlib.crc32(state.encode())
    for value in layer.params.values():
        total = zlib.crc32(value.real.astype("float64", order="C"), total)
    return total
