"""Look into a model: one line per layer, from its shapes to its gradients."""

import copy
from dataclasses import dataclass, field

import numpy as np

from miniae.plumbing.text import aligned
from miniae.plumbing.watch import leaves, model_leaves, watch


def shape_text(shape):
    """Return the shape of a batch as "(n, 28, 28)"."""
    return f"({', '.join(str(size) for size in ('n', *shape[1:]))})"


def summary(model, print_fn=print):
    """Print a line per layer: its output shape and number of parameters."""
    model.cache = None  # the passes below overwrite what loss() left for backward()
    rows = [("layer", "", "output shape", "parameters")]
    for name, network, shape in (
        ("encoder", model.encoder, model.input_shape),
        ("decoder", model.decoder, (model.latent_dim,)),
    ):
        x = np.zeros((1, *shape), model.theta.dtype)
        for key, layer in leaves(network, name):
            x = layer.forward(x)
            rows.append((key, str(layer), shape_text(x.shape), f"{layer.theta.size:,}"))
    loss = model.reconstruction_loss
    rows.append(("loss", str(loss), "", f"{loss.theta.size:,}"))
    print_fn(str(model))
    for line in aligned(rows, right=(3,)):
        print_fn(line)
    size = f"{model.theta.nbytes / 1024:,.0f} KiB of {model.theta.dtype}"
    print_fn(f"{model.theta.size:,} parameters, {size}")


@dataclass
class LayerTrace:
    """What one layer did with a batch; None and () if the pass did not reach it.

    Attributes
    ----------
    name, layer : str, such as "encoder.0" and "Flatten()"
    shape_in, shape_out : tuple
    parameters : int, how many numbers the layer learns
    cached : int, bytes
        What it keeps for backward. Memory that two layers share, such as the out of one and the x
        of the next, counts for the first of them only, so that the column can be added up.
    activation : float, mean |out|
    gradient : float, mean |dL/dout|, of the mean loss L of the batch
        Also None for layers before the first one with parameters, where backward stops.
    parameter_gradient : float, mean |dL/dtheta| over the layer's parameters
    """

    name: str
    layer: str
    parameters: int
    shape_in: tuple = ()
    shape_out: tuple = ()
    cached: int = 0
    activation: float | None = None
    gradient: float | None = None
    parameter_gradient: float | None = None


@dataclass
class Trace:
    """What `trace` returns: a LayerTrace per layer, `terms` of the loss, and `note` if it failed.

    ``print(trace)`` shows them as a table.
    """

    title: str
    rows: list
    terms: dict = field(default_factory=dict)
    note: str = ""

    def __str__(self):
        def number(value):
            return "-" if value is None else f"{value:.3g}"

        header = ("layer", "", "x", "out", "parameters", "cached")
        table = [(*header, "mean |out|", "mean |dL/dout|", "mean |dL/dtheta|")]
        for row in self.rows:
            shapes = [str(shape or "-") for shape in (row.shape_in, row.shape_out)]
            kept = f"{row.cached / 1024:,.1f} KiB"
            figures = (row.activation, row.gradient, row.parameter_gradient)
            cells = (row.name, row.layer, *shapes, f"{row.parameters:,}", kept)
            table.append((*cells, *map(number, figures)))
        total = sum(row.cached for row in self.rows) / 1024
        lines = [self.title, *aligned(table, right=range(4, 9))]
        lines += ["  ".join(f"{name} {value:.5g}" for name, value in self.terms.items())]
        lines.append(f"cached in all: {total:,.1f} KiB")
        if self.note:
            lines.append(f"stopped: {self.note}")
        return "\n".join(line for line in lines if line)


def trace(model, x, target=None, *, backward=True, **options):
    """Send a batch through a copy of the model, and return what each layer did with it.

    The model is not changed. The time is that of a training step and a copy.

    Parameters
    ----------
    x, target : (n, *input_shape), one batch
    backward : bool, whether to compute gradients too; without, it takes a third of the time
    **options : other arguments of the model's `loss`
        training=True for dropout, corruption and warm-up as in training; eps; a conditional VAE's
        labels.

    Returns
    -------
    Trace
        If the loss is not finite, the trace stops there and has a note: look for the first line
        with nan or inf.
    """
    copied = copy.deepcopy(model)
    layers = dict(model_leaves(copied))
    rows = {name: LayerTrace(name, str(part), part.theta.size) for name, part in layers.items()}

    def see(name, x, out):
        row = rows[name]
        row.shape_in, row.shape_out = np.shape(x), out.shape
        row.activation = float(np.abs(out).mean(dtype=np.float64))

    def see_gradient(name, dout):
        rows[name].gradient = float(np.abs(dout).mean(dtype=np.float64))

    watch(copied, see, see_gradient)
    result = Trace(f"{model}, a batch of {len(np.atleast_1d(x))}", list(rows.values()))
    with np.errstate(over="ignore", invalid="ignore"):  # the figures show it
        try:
            copied.loss(x, target, **options)
            result.terms = copied.terms
        except FloatingPointError as error:
            result.note = str(error)
        seen = {_span(copied.theta)}
        for name, layer in layers.items():
            rows[name].cached = _new_bytes(layer.cache, seen)
        if backward and not result.note:
            copied.backward()
            for name, layer in layers.items():
                if layer.theta.size:
                    mean = np.abs(layer.dtheta).mean(dtype=np.float64)
                    rows[name].parameter_gradient = float(mean)
    return result


def _new_bytes(cache, seen):
    """Return the bytes of the arrays in a cache that are not in `seen`, and add them to it."""
    if isinstance(cache, dict):
        cache = tuple(cache.values())
    if isinstance(cache, (list, tuple)):
        return sum(_new_bytes(part, seen) for part in cache)
    if not isinstance(cache, np.ndarray) or _span(cache) in seen:
        return 0
    seen.add(_span(cache))
    start, end = _span(cache)
    return end - start


def _span(array):
    """Return the first address of an array's memory, and the one after its last.

    The strides tell how far a view reaches: a view with gaps reaches beyond its own size, a view of
    overlapping windows less far than its size suggests.
    """
    steps = [
        stride * (size - 1) for stride, size in zip(array.strides, array.shape, strict=True) if size
    ]
    start = array.__array_interface__["data"][0] + sum(step for step in steps if step < 0)
    return start, start + sum(abs(step) for step in steps) + array.itemsize
