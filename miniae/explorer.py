"""A page for a browser: drag a point through the latent plane, and see what it decodes to.

The file contains the decoder's weights and some JavaScript. It needs no network and no Python, and
opens in the browser of a laptop or a phone.
"""

import base64
import html
import json
from pathlib import Path
from string import Template

import numpy as np

from miniae.activations import ELU, GELU, LeakyReLU
from miniae.layers import (
    Dense,
    Dropout,
    Flatten,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)
from miniae.losses import BernoulliNLL, MultinomialNLL
from miniae.normalization import BatchNorm, LayerNorm
from miniae.plumbing.archives import write_text
from miniae.plumbing.checks import diverged

__all__ = ["export_html"]

TEMPLATE = Path(__file__).with_name("explorer.html")
KINDS = (ReLU, Sigmoid, Tanh, Softplus, LeakyReLU, ELU, GELU)
SILENT = (Dropout, Flatten, Reshape)  # after training they do not change a list of numbers
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
    "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip
POINTS = 3000  # the maximum number of codes that are drawn


def export_html(model, path, X=None, labels=None, *, span=None, title="A walk in latent space"):
    """Write a page in which you move a point through the codes and see what it decodes to.

    You drag the point, or move it with the arrow keys. With more than two latents there is a
    slider for each. PATH#z=0.5,-1 opens the page at this code.

    Parameters
    ----------
    model : VAE or Autoencoder of images
        Its decoder has only Dense layers, activations and normalisations.
    path : str or Path, where to write the page
    X : (n, ...) or None
        Images whose codes are drawn as points; at most the first 3,000. White and black are the
        lowest and highest value of X. If the decoder ends in a sigmoid, white and black are 0 and
        1. If it ends in a softmax, or if there is no X, they are the lowest and highest value of
        each image.
    labels : (n,) or None, the classes of X, at most ten, which colour the points
    span : (low, high), or a pair for each latent, or None
        The range of each latent; by default the range of the codes of X, or -3 to 3 without X.
    title : str, the heading of the page; None for no heading

    Raises
    ------
    ValueError : the decoder has another kind of layer; the model's data are not grey images;
        labels do not match X
    FloatingPointError : the model's weights are not finite
    OSError : the file cannot be written; an existing file is unchanged
    """
    if not np.isfinite(model.theta).all():
        raise diverged(model, "the model's weights are not finite")
    shape = image_shape(model.input_shape)
    layers = list(as_json(model.decoder))
    if isinstance(model.reconstruction_loss.base, BernoulliNLL):
        layers.append({"kind": "Sigmoid"})
    elif isinstance(model.reconstruction_loss.base, MultinomialNLL):
        layers.append({"kind": "Softmax"})
    if labels is not None and X is None:
        raise ValueError("labels= needs X: pass the images of these labels")
    points, classes, codes = [], {}, None
    shades = [0, 1] if layers[-1]["kind"] == "Sigmoid" else None
    if X is not None:
        shown = X[:POINTS]
        codes = model.encode(shown)
        points, classes = colour(codes, X, labels)
        if layers[-1]["kind"] not in ("Sigmoid", "Softmax"):
            shades = [float(np.nanmin(shown)), float(np.nanmax(shown))]
    page = Template(TEMPLATE.read_text("utf-8")).substitute(
        title=html.escape("" if title is None else str(title)),
        model=json.dumps(
            {
                "latent_dim": model.latent_dim,
                "shape": shape,
                "range": shades,
                "span": limits(model.latent_dim, codes, span),
                "layers": layers,
                "points": points,
                "classes": classes,
            }
        ).replace("<", "\\u003c"),  # a label "</script>" must not end the script
    )
    write_text(path, page)


def image_shape(shape):
    """Return (height, width) of images with this shape; a flat vector must be a square image."""
    shape = tuple(shape)
    if len(shape) == 3 and shape[2] == 1:
        shape = shape[:2]
    side = round(shape[0] ** 0.5)
    if len(shape) == 1 and side * side == shape[0]:
        shape = side, side
    if len(shape) != 2:
        raise ValueError(
            f"input_shape={shape} is not a grey image: it must be (height, width), (height, width, "
            "1), or the size of a square image"
        )
    return shape


def as_json(network):
    """Yield the data of each layer that the page needs."""
    for layer in network.layers:
        if isinstance(layer, Sequential):
            yield from as_json(layer)
        elif type(layer) is Dense:
            b = layer.params.get("b", np.zeros(layer.n_out))  # a layer may have no bias
            yield {"kind": "Dense", "W": numbers(layer.params["W"]), "b": numbers(b)}
        elif type(layer) is BatchNorm:  # in evaluation each feature is multiplied and shifted
            scale = layer.params["gamma"] / np.sqrt(layer.buffers["running_var"] + layer.eps)
            shift = layer.params["beta"] - layer.buffers["running_mean"] * scale
            yield {"kind": "BatchNorm", "scale": numbers(scale), "shift": numbers(shift)}
        elif type(layer) is LayerNorm:
            arrays = {name: numbers(value) for name, value in layer.params.items()}
            yield {"kind": "LayerNorm", "eps": layer.eps, **arrays}
        elif type(layer) in KINDS:
            settings = {name: getattr(layer, name) for name in layer.config}
            yield {"kind": type(layer).__name__, **settings}
        elif type(layer) not in SILENT:
            raise ValueError(
                f"the decoder has {layer}, but the page can only compute Dense, BatchNorm, "
                f"LayerNorm, {', '.join(kind.__name__ for kind in KINDS)}: use a dense decoder"
            )


def numbers(array):
    """Return an array as text: its numbers in float32, base64."""
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def colour(codes, X, labels):
    """Return the codes of X as points with colours, and the colour of each class."""
    if labels is None:
        return [point(code, COLOURS[0]) for code in codes], {}
    labels = np.asarray(labels)
    if labels.shape != (len(X),):
        raise ValueError(f"labels has shape {labels.shape}, X {np.shape(X)}: pass one label each")
    names = np.unique(labels)
    if len(names) > len(COLOURS):
        raise ValueError(f"labels has {len(names)} classes, but the page has 10 colours")
    classes = {str(name): COLOURS[i] for i, name in enumerate(names)}
    points = [
        point(code, classes[str(label)]) for code, label in zip(codes, labels[:POINTS], strict=True)
    ]
    return points, classes


def point(code, colour):
    """Return the data of one point that the page needs."""
    return {"code": [round(float(v), 4) for v in code], "colour": colour}


def limits(latent_dim, codes, span):
    """Return [low, high] of each latent: span, or integers around 99 % of the codes."""
    if span is None and codes is None:
        span = -3, 3
    elif span is None:
        low, high = np.quantile(codes.astype(float), (0.005, 0.995), axis=0)
        span = np.stack([np.floor(low), np.maximum(np.ceil(high), np.floor(low) + 1)], axis=1)
    span = np.asarray(span, float)
    if (
        span.shape not in ((2,), (latent_dim, 2))
        or not np.isfinite(span).all()
        or not (span[..., 0] < span[..., 1]).all()
    ):
        raise ValueError(
            f"span={span.tolist()} must be (low, high) with low < high, or a pair for each latent"
        )
    return np.broadcast_to(span, (latent_dim, 2)).tolist()
