"""Plots of training and of images: loss curves, reconstructions, samples, filters."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from miniae.inspection import leaves
from miniae.plots.sheets import (
    PALETTE,
    as_images,
    centres,
    check_count,
    check_finite,
    check_method,
    check_scale,
    counted,
    draw,
    draw_sheet,
    tile,
)
from miniae.variants import Condition

LOSS_TERMS = ("loss", "reconstruction", "kl")


def loss_curves(history, unit="nats per sample"):
    """Draw the history of `fit`: a panel per quantity, training solid and validation dashed.

    Parameters
    ----------
    history : a trained model, its ``model.history``, or a list of losses, one per epoch
        Of a dict of lists, "val_x" is drawn in the panel of "x". NaN leaves a gap, and an empty
        list is ignored.
    unit : str, the unit of "loss", "reconstruction" and "kl"
        For a squared error write "squared error per sample". Other keys, such as "kl_weight", get
        a panel without a unit.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : history is empty, or its lists have different lengths.
    """
    history = getattr(history, "history", history)  # that of a model
    if not isinstance(history, Mapping):
        if isinstance(history, str) or np.ndim(history) != 1:
            raise ValueError(
                f"history must be a model, its history, or a list of losses, got {history!r}"
            )
        history = {"loss": history}
    curves = {key: np.asarray(values, float) for key, values in history.items() if np.size(values)}
    if not curves:
        raise ValueError(f"history has no epochs, its keys are {list(history)}: call fit first")
    shapes = {key: values.shape for key, values in curves.items()}
    n_epochs = curves[next(iter(curves))].size
    if set(shapes.values()) != {(n_epochs,)}:
        raise ValueError(f"history must hold one number per epoch under each key, got {shapes}")

    recorded = dict.fromkeys(key.removeprefix("val_") for key in curves)
    names = [name for name in LOSS_TERMS if name in recorded]
    names += [name for name in recorded if name not in LOSS_TERMS]
    rows, cols = math.ceil(len(names) / 3), min(len(names), 3)
    size = (3.4 * cols + 0.8, 2.8 * rows + 0.4)
    fig, axes = plt.subplots(rows, cols, figsize=size, squeeze=False, layout="constrained")
    marker = "." if n_epochs <= 30 else ""  # a single epoch has no line
    styles = (("", "-", PALETTE[0], "train"), ("val_", "--", PALETTE[2], "validation"))
    for ax, name in zip(axes.flat, names, strict=False):
        for prefix, line, colour, label in styles:
            if prefix + name in curves:
                epochs = np.arange(1, n_epochs + 1)
                style = {"linestyle": line, "color": colour, "label": label, "marker": marker}
                ax.plot(epochs, curves[prefix + name], **style)
        ax.set(xlabel="epoch", ylabel=f"{name}\n({unit})" if name in LOSS_TERMS else name)
        ax.set_xlim(0.5, n_epochs + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes[0, 0].legend(frameon=False)
    for ax in axes.flat[len(names) :]:
        ax.remove()
    fig.suptitle(f"Training over {counted(n_epochs, 'epoch')}")
    return fig


def grid(X, n=64, image_shape=None, title=None):
    """Draw the first `n` images of an array, in a grid that is nearly square.

    Parameters
    ----------
    X : (N, h, w), (N, h, w, 1), (N, h, w, 3) or (N, h * w), values in [0, 1]
        Images of any source, such as ``model.decode(Z)`` or a data set.
    n : int, number of images; all of them if `X` has fewer
    image_shape : (h, w) or (h, w, channels), for flat images that are not square
    title : str, by default the number of images

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : X is empty, has NaN, has not the shape of images, or is not in [0, 1]; n < 1.
    """
    check_count(n)
    images = as_images(X, "X", image_shape)[:n]
    check_scale(images, "X")
    return _square(images, counted(len(images), "image") if title is None else title)


def _square(images, title):
    cols = math.ceil(math.sqrt(len(images)))
    return draw(images, math.ceil(len(images) / cols), cols, title)[0]


def reconstructions(model, X, n=10, image_shape=None):
    """Draw the first `n` images of `X` and, below each image, its reconstruction.

    Parameters
    ----------
    model : anything with ``reconstruct``
    X : (N, h, w), (N, h, w, 1), (N, h, w, 3) or (N, h * w), values in [0, 1]
        Noise outside [0, 1] is clipped in the picture; the model gets it unclipped.
    n : int, number of images; all of them if `X` has fewer
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : X is empty, has NaN, has not the shape of images, or is not in [0, 1]; n < 1.
    """
    check_count(n)
    check_method(model, "reconstruct", "it draws reconstructions of X")
    inputs = as_images(X, "X", image_shape)[:n]
    check_scale(inputs, "X")
    outputs = model.reconstruct(np.asarray(X)[:n])
    outputs = as_images(outputs, "model.reconstruct(X)", inputs.shape[1:])
    pairs = np.concatenate([inputs, outputs])
    fig, ax = draw(pairs, 2, len(inputs), "Inputs and their reconstructions")
    ax.set_yticks(centres(inputs.shape[1], 2), ["input", "output"])
    return fig


def samples(model, n=64, seed=0, image_shape=None):
    """Draw `n` samples of the model, in a grid that is nearly square.

    Parameters
    ----------
    model : anything with ``sample``, such as a VAE
    n : int, number of samples
    seed : int or None, for ``model.sample(n, seed=seed)``
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : n < 1; the model cannot sample; its samples are not images.
    """
    check_count(n)
    check_method(model, "sample", "only a model with a prior, such as VAE, can sample")
    images = as_images(model.sample(n, seed=seed), f"model.sample({n})", image_shape)
    return _square(images, f"{counted(n, 'sample')} from the prior")


def denoising(model, noisy, clean, n=10, image_shape=None):
    """Draw the first `n` noisy images; below each image, its reconstruction and the clean image.

    The title has the mean squared error per pixel of these images, before and after denoising. If
    the error after is not smaller, the model does not denoise.

    Parameters
    ----------
    model : anything with ``reconstruct``
    noisy, clean : as `X` in `reconstructions`, with the same shape
        Noise outside [0, 1] is clipped in the picture, but not for the model or the error.
    n : int, number of images; all of them if there are fewer
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : the shapes differ, or an argument is not valid in `reconstructions`.
    """
    check_count(n)
    if np.shape(noisy) != np.shape(clean):
        fix = "pass the same images with and without noise"
        raise ValueError(f"noisy has shape {np.shape(noisy)} and clean {np.shape(clean)}: {fix}")
    before = as_images(noisy, "noisy", image_shape)[:n]
    target = as_images(clean, "clean", image_shape)[:n]
    check_scale(before, "noisy")
    check_scale(target, "clean")
    after = model.reconstruct(np.asarray(noisy)[:n])
    after = as_images(after, "model.reconstruct(noisy)", before.shape[1:])
    errors = [float(np.mean((images - target) ** 2)) for images in (before, after)]
    rows = np.concatenate([before, after, target])
    title = "Denoising: mean squared error per pixel\n{:.2g} before, {:.2g} after".format(*errors)
    fig, ax = draw(rows, 3, len(before), title)
    ax.set_yticks(centres(before.shape[1], 3), ["noisy", "denoised", "clean"])
    return fig


def filters(layer_or_model, n=64, image_shape=None):
    """Draw the weights of the first `n` units of a layer, each as an image.

    A unit adds up pixel times weight: a bright pixel increases the sum where the weight is red, and
    decreases it where the weight is blue. All filters have one scale with zero in the middle. The
    filters of colour images are drawn in colour instead, with grey for zero.

    Parameters
    ----------
    layer_or_model : a Dense or Conv2D layer, or a model: then the first such layer of its encoder
        The kernels of a convolution are drawn in rows: a row per filter, with an image per input
        channel. Three channels are drawn as colours.
    n : int, number of filters; all of them if the layer has fewer
    image_shape : (h, w) or (h, w, channels), the input shape of a Dense layer
        By default the model's input_shape, or a square.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : n < 1; there is no such layer; the weights are not images or not finite.
    """
    check_count(n)
    layer, image_shape, labels = _first_weights(layer_or_model, image_shape)
    W = check_finite(layer.params["W"], f"W of {layer}")
    count = W.shape[-1]
    n = min(n, count)
    channels = 1
    if W.ndim == 2:
        weights = W[: len(W) - labels].T[:n]
        images = as_images(weights, f"W.T of {layer}", image_shape)
    elif W.shape[2] == 3:
        images = W.transpose(3, 0, 1, 2)[:n]
    else:
        channels = W.shape[2]
        images = W.transpose(3, 2, 0, 1)[:n].reshape(-1, *W.shape[:2])
    if channels > 1:
        rows, cols = n, channels
    else:
        cols = math.ceil(math.sqrt(n))
        rows = math.ceil(n / cols)
    title = f"{n} of {count} filters of\n{layer}"
    if n < count:
        title = f"First {title}"
    limit = float(np.abs(images).max()) or 1.0
    if images.ndim == 4:
        title += f"\ngrey is 0, full colour \N{PLUS-MINUS SIGN}{limit:.2g}"
        return draw(0.5 + images / (2 * limit), rows, cols, title)[0]
    h, w = images.shape[1:]
    gap = 2 if min(h, w) > 8 else 1
    sheet = tile(images, rows, cols, gap, paper=np.nan)
    style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    fig, ax = draw_sheet(sheet, cols, title, room=0.8, **style)
    ax.set_facecolor("0.35")  # between the filters the sheet is NaN
    left_out = rows * cols - len(images)
    if left_out:  # places without a filter are white
        corner = ((cols - left_out) * (w + gap) - 0.5, (rows - 1) * (h + gap) - 0.5)
        ax.add_patch(Rectangle(corner, left_out * (w + gap), h + gap, color="white", zorder=2))
    if channels > 1:
        ax.set(xlabel="channel of the input", ylabel="filter")
    fig.colorbar(ax.images[0], label="weight")
    return fig


def _first_weights(layer_or_model, image_shape):
    """Return the layer to draw, the shape of its input images, and how many inputs are labels."""
    labels, layers = 0, [layer_or_model]
    if hasattr(layer_or_model, "encoder"):
        layers = [layer for _, layer in leaves(layer_or_model.encoder, "encoder")]
        image_shape = layer_or_model.input_shape if image_shape is None else image_shape
    for layer in layers:
        if isinstance(layer, Condition):
            labels += layer.n_classes
        W = dict(getattr(layer, "params", {})).get("W")
        if W is not None and np.ndim(W) in (2, 4):
            if np.ndim(image_shape) and len(image_shape) == 1:
                image_shape = None  # flat data: as_images tries a square
            return layer, image_shape, labels
    found = f"found {[str(layer) for layer in layers]}"
    raise ValueError(f"filters needs a Dense or Conv2D layer, or a model that has one; {found}")
