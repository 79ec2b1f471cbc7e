"""Pictures of a model: loss curves, reconstructions, samples, codes, the latent manifold.

Each function builds one new figure and returns it. None shows, saves or closes it, and no setting
of matplotlib is changed: call ``plt.show()``, ``fig.savefig("a.png")`` or ``plt.close(fig)`` next.
Images are black ink on white paper (0 is paper, 1 is ink); colour images are drawn as they are.
For grey photographs say ``fig.axes[0].images[0].set_cmap("gray")`` afterwards.
"""

import math
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

# The ten colours of Petroff 2021, arXiv:2107.02270, which stay apart under colour-vision deficiency
# (tab10 does not), in an order that gives digits written alike (3 5 8, 4 7 9) unlike colours.
PALETTE = "#3f90da #ffa90e #bd1f01 #832db6 #92dadd #a96b59 #94a4a2 #b9ac70 #e76300 #717581".split()
LOSS_TERMS = ("loss", "reconstruction", "kl")


def loss_curves(history, unit="nats per sample"):
    """Draw what `fit` recorded, one panel per quantity, training solid and validation dashed.

    Parameters
    ----------
    history : dict of lists, each of length epochs, such as ``model.history``
        The key "val_x" is drawn in the panel of "x". NaN leaves a gap, an empty list is left out.
    unit : str, the unit of "loss", "reconstruction" and "kl"
        Say "squared error per sample" where it is one. Any other key, such as "kl_weight", gets a
        panel without a unit.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : history is empty, or its lists differ in length.
    """
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
    marker = "." if n_epochs <= 30 else ""  # a single epoch makes no line, only a marker
    styles = (("", "-", PALETTE[0], "train"), ("val_", "--", PALETTE[2], "validation"))
    for ax, name in zip(axes.flat, names, strict=False):
        for prefix, line, colour, label in styles:
            if (y := curves.get(prefix + name)) is not None:
                x = np.arange(1, n_epochs + 1)
                ax.plot(x, y, linestyle=line, color=colour, label=label, marker=marker)
        ax.set(xlabel="epoch", ylabel=f"{name}\n({unit})" if name in LOSS_TERMS else name)
        ax.set_xlim(0.5, n_epochs + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes[0, 0].legend(frameon=False)
    for ax in axes.flat[len(names) :]:
        ax.remove()
    fig.suptitle(f"Training over {n_epochs} epoch{'s' * (n_epochs > 1)}")
    return fig


def reconstructions(model, X, n=10, image_shape=None):
    """Draw the first `n` images of `X` and, below each, what the model makes of it.

    Parameters
    ----------
    model : anything with ``reconstruct``
    X : (N, h, w), (N, h, w, 1), (N, h, w, 3) or (N, h * w), values in [0, 1]
        Noise that strays outside [0, 1] is clipped in the picture, not for the model.
    n : int, number of images; all of them if `X` has fewer
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : X is empty, has NaN, is no stack of images or is not scaled to [0, 1]; n < 1.
    """
    _check_count(n)
    inputs = _as_images(X, "X", image_shape)[:n]
    if inputs.max() > 10:  # no noise reaches this: such pixels would all come out plain black
        raise ValueError(f"X reaches {inputs.max()}, expected [0, 1]: divide by the largest value")
    outputs = model.reconstruct(np.asarray(X)[:n])
    outputs = _as_images(outputs, "model.reconstruct(X)", inputs.shape[1:])
    pairs = np.concatenate([inputs, outputs])
    fig, ax = _draw(pairs, 2, len(inputs), "Inputs and their reconstructions")
    ax.set_yticks(_centres(inputs.shape[1], 2), ["input", "output"])
    return fig


def samples(model, n=64, seed=0, image_shape=None):
    """Draw `n` samples of the model, in a grid as square as can be.

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
    ValueError : n < 1; the model cannot sample; its samples are no images.
    """
    _check_count(n)
    if not hasattr(model, "sample"):
        reason = "only a model with a prior over its codes, such as VAE, can draw new data"
        raise ValueError(f"model {type(model).__name__} has no sample method: {reason}")
    images = _as_images(model.sample(n, seed=seed), f"model.sample({n})", image_shape)
    cols = math.ceil(math.sqrt(n))
    title = f"{n} sample{'s' * (n > 1)} from the prior"
    return _draw(images, math.ceil(n / cols), cols, title)[0]


def latent_scatter(model, X, labels=None, dims=(0, 1)):
    """Draw the codes of `X` as points in the plane of two latent dimensions.

    Parameters
    ----------
    model : anything with ``encode``
    X : (N, ...), what ``model.encode`` takes
    labels : (N,) or None
        Up to ten distinct labels are classes, with a legend; more distinct numbers are a quantity,
        with a colour bar. Points are drawn in the order of `X`: shuffle data sorted by class.
    dims : two different ints, the latent dimensions on the x and y axis

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : X is empty or has NaN; labels do not fit X or name more than ten classes; the codes
        have one dimension; dims are out of range.
    """
    X = _check_finite(X, "X")
    n = len(X)
    names, colours = [], PALETTE[0]
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (n,):
            fix = "give one label per sample (labels.argmax(axis=1) if they are one-hot)"
            raise ValueError(f"labels has shape {labels.shape}, X has shape {X.shape}: {fix}")
        is_number = labels.dtype.kind in "biuf"
        if is_number:
            _check_finite(labels, "labels")
        names, which = np.unique(labels, return_inverse=True)
        if len(names) > 10 and not is_number:
            fix = "select fewer classes, or pass numbers to get a colour bar"
            raise ValueError(f"labels names {len(names)} classes, there are 10 colours: {fix}")
        colours = labels if len(names) > 10 else to_rgba_array(PALETTE)[which]
    codes = _check_finite(model.encode(X), "model.encode(X)").reshape(n, -1)
    dims = _check_dims(dims, codes.shape[1])

    fig, ax = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
    size, alpha = (20, 0.8) if n <= 1000 else (8, 0.6) if n <= 10000 else (2, 0.4)
    # One collection in the order of X, so that no class lies on top; rasterized, for small PDFs.
    style = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": True}
    if len(names) > 10:
        points = ax.scatter(*codes[:, dims].T, c=colours, cmap="viridis", **style)
        fig.colorbar(points, label="label").solids.set(alpha=1)
    else:
        ax.scatter(*codes[:, dims].T, c=colours, **style)
        keys = [
            Line2D([], [], linestyle="", marker="o", color=colour, label=str(name))
            for colour, name in zip(PALETTE, names, strict=False)
        ]
        if keys:
            fig.legend(handles=keys, loc="outside right upper", frameon=False, title="label")
    title = f"Codes of {n} input{'s' * (n > 1)}"
    ax.set(title=title, xlabel=f"z[{dims[0]}]", ylabel=f"z[{dims[1]}]")
    ax.set_aspect("equal", adjustable="datalim")
    return fig


def latent_manifold(model, n=20, dims=(0, 1), span=None, latent_dim=None, image_shape=None):
    """Draw what the decoder makes of an n by n grid of codes (Kingma and Welling 2014, fig. 4).

    Along each of the two dimensions the prior N(0, 1) is cut into n slices of equal probability and
    z is the median of each, z_i = Phi^-1((i + 1/2) / n): each image stands for an equal share of
    the prior. All other dimensions of z are zero. z grows left to right and bottom to top.

    Parameters
    ----------
    model : anything with ``decode``
    n : int, images per side
    dims : two different ints, the latent dimensions on the x and y axis
    span : (low, high) or None
        Equally spaced z from low to high instead, for codes that do not follow N(0, 1).
    latent_dim : int or None, by default ``model.latent_dim``
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : n < 1; one latent dimension; dims out of range; span is not low < high.
    """
    _check_count(n)
    latent_dim = model.latent_dim if latent_dim is None else latent_dim
    dims = _check_dims(dims, latent_dim)
    if span is None:
        values = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])
    elif np.shape(span) == (2,) and np.isfinite(span).all() and span[0] < span[1]:
        values = np.linspace(*span, n) if n > 1 else np.array([sum(span) / 2])
    else:
        raise ValueError(f"span must be two finite numbers (low, high) with low < high, got {span}")
    z = np.zeros((n * n, latent_dim))
    z[:, dims[0]] = np.tile(values, n)
    z[:, dims[1]] = np.repeat(values[::-1], n)  # the first row of a picture is its top
    images = _as_images(model.decode(z), "model.decode(z)", image_shape)

    title = [f"Decoder output on {n} × {n} codes"]
    title += ["z at quantiles of N(0, 1)"] * (span is None) + ["all other z at 0"] * (
        latent_dim > 2
    )
    fig, ax = _draw(
        images, n, n, "\n".join(title), gap=0
    )  # no gap: neighbours should flow together
    # Label each image, or about six of them: the same number on both sides of the middle.
    shown = np.linspace(0, n - 1, n if n <= 12 else 6 + n % 2).round().astype(int)
    names = [f"{v + 0.0:.2f}".replace("-", "\N{MINUS SIGN}") for v in values[shown].round(2)]
    ax.set_xticks(_centres(images.shape[2], n, gap=0)[shown], names)
    ax.set_yticks(_centres(images.shape[1], n, gap=0)[n - 1 - shown], names)
    ax.tick_params(length=3)
    ax.set(xlabel=f"z[{dims[0]}]", ylabel=f"z[{dims[1]}]")
    return fig


def _check_count(n):
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n must be a whole number, 1 or more, got {n!r}")


def _check_finite(array, name):
    """Return `array` as an array of numbers: not empty, no NaN, no infinity."""
    array = np.asarray(array)
    if array.size == 0 or array.dtype.kind not in "biuf":
        fix = "pass at least one sample, made of numbers"
        raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype}: {fix}")
    if bad := array.size - np.count_nonzero(np.isfinite(array)):
        fix = "fill or drop them if they are data; if a model made them, its training diverged"
        raise ValueError(f"{name} of shape {array.shape} has {bad} NaN or infinite values: {fix}")
    return array


def _check_dims(dims, latent_dim):
    """Return `dims` as an index array (2,) into `latent_dim` dimensions."""
    if latent_dim < 2:
        fix = "train with latent_dim=2, or draw plt.hist(model.encode(X)[:, 0])"
        raise ValueError(f"the picture needs two latent dimensions, got {latent_dim}: {fix}")
    index = np.asarray(dims)
    two_ints = index.shape == (2,) and index.dtype.kind in "iu"
    if not two_ints or index[0] == index[1] or index.min() < 0 or index.max() >= latent_dim:
        raise ValueError(f"dims must be two different ints from 0 to {latent_dim - 1}, got {dims}")
    return index


def _as_images(array, name, image_shape=None):
    """Reshape (N, ...) to (N, h, w) or (N, h, w, 3); a flat sample is taken as a square image."""
    array = _check_finite(array, name)
    shape = array.shape[1:] if image_shape is None else tuple(image_shape)
    if len(shape) == 1 and math.isqrt(shape[0]) ** 2 == shape[0]:
        shape = (math.isqrt(shape[0]),) * 2
    if shape[2:] == (1,):
        shape = shape[:2]
    if len(shape) < 2 or shape[2:] not in ((), (3,)) or math.prod(shape) != array[0].size:
        fix = "expected (N, h, w), (N, h, w, 1), (N, h, w, 3) or flat (N, h * w) with image_shape="
        raise ValueError(f"{name} has shape {array.shape}, no images of shape {shape}: {fix}(h, w)")
    return array.reshape(-1, *shape)


def _tile(images, rows, cols, gap=1):
    """Lay images (N, h, w[, 3]) row by row on one sheet of white paper, `gap` pixels apart."""
    h, w = images.shape[1:3]
    paper = 0.0 if images.ndim == 3 else 1.0
    shape = (rows * (h + gap) - gap, cols * (w + gap) - gap, *images.shape[3:])
    sheet = np.full(shape, paper)
    for i, image in enumerate(images):
        top, left = (i // cols) * (h + gap), (i % cols) * (w + gap)
        sheet[top : top + h, left : left + w] = image
    return sheet


def _centres(length, count, gap=1):
    """Pixel coordinates of the middles of `count` tiles of `length` pixels."""
    return np.arange(count) * (length + gap) + (length - 1) / 2


def _draw(images, rows, cols, title, gap=1):
    """Draw images (N, h, w[, 3]) with one imshow; return the figure and its axes."""
    sheet = _tile(images, rows, cols, gap)
    inch = min(1.2 * cols, 7.0, 7.0 * sheet.shape[1] / sheet.shape[0])  # width of the sheet
    size = (max(inch + 0.7, 3.6), inch * sheet.shape[0] / sheet.shape[1] + 0.6)
    fig, ax = plt.subplots(figsize=size, layout="constrained")
    ax.imshow(np.clip(sheet, 0, 1), cmap="gray_r", vmin=0, vmax=1, origin="upper")
    ax.set(title=title, xticks=[], yticks=[])
    ax.tick_params(length=0)
    ax.grid(False)  # a style sheet may have switched it on
    ax.spines[:].set_visible(False)
    return fig, ax
