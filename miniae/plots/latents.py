"""Plots of codes: where the codes of data are, what they decode to, and how active they are."""

from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from miniae.latent import is_active
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
    label_values,
    value_text,
)
from miniae.priors import Prior


def latent_scatter(model, X, labels=None, dims=(0, 1)):
    """Draw the codes of `X` as points in the plane of two latent dimensions.

    Parameters
    ----------
    model : anything with ``encode``
    X : (N, ...), what ``model.encode`` takes; a dict for a MultimodalVAE
    labels : (N,) or None
        Up to ten different labels are classes with a legend. More than ten different numbers are a
        quantity with a colour bar. Points are drawn in the order of `X`: shuffle sorted data.
    dims : two different ints, the latent dimensions on the x and y axis

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : X is empty or has NaN; labels do not match X, or are more than ten classes; the
        codes have one dimension; dims are out of range.
    """
    X = model.pack(X) if hasattr(model, "pack") else check_finite(X, "X")
    n = len(X)
    names, colours = [], PALETTE[0]
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (n,):
            fix = "pass one label per sample (labels.argmax(axis=1) if they are one-hot)"
            raise ValueError(f"labels has shape {labels.shape}, X has shape {X.shape}: {fix}")
        is_number = labels.dtype.kind in "biuf"
        if is_number:
            check_finite(labels, "labels")
        names, which = np.unique(labels, return_inverse=True)
        if len(names) > 10 and not is_number:
            fix = "select fewer classes, or pass numbers to get a colour bar"
            raise ValueError(f"labels has {len(names)} classes, but there are 10 colours: {fix}")
        colours = labels if len(names) > 10 else to_rgba_array(PALETTE)[which]
    codes = check_finite(model.encode(X), "model.encode(X)").reshape(n, -1)
    dims = _check_dims(dims, codes.shape[1])

    fig, ax = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
    size, alpha = 20, 0.8
    if n > 10000:
        size, alpha = 2, 0.4
    elif n > 1000:
        size, alpha = 8, 0.6
    # All points in one collection, so that no class covers the others; rasterized for small PDFs.
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
    ax.set(title=f"Codes of {counted(n, 'input')}", xlabel=f"z[{dims[0]}]", ylabel=f"z[{dims[1]}]")
    ax.set_aspect("equal", adjustable="datalim")
    return fig


def latent_manifold(model, n=20, dims=(0, 1), span=None, latent_dim=None, image_shape=None):
    """Draw the decoded images of an n by n grid of codes (Kingma and Welling 2014, fig. 4).

    Along each of the two dimensions, the prior N(0, 1) is cut into n parts of equal probability,
    and z is the median of each part, z_i = Phi^-1((i + 1/2) / n). So each image stands for an equal
    share of the prior. All other dimensions of z are zero. z grows from left to right and from
    bottom to top.

    Parameters
    ----------
    model : anything with ``decode``
    n : int, images per side
    dims : two different ints, the latent dimensions on the x and y axis
    span : (low, high) or None
        With span, z is equally spaced from low to high: for codes that do not follow N(0, 1).
    latent_dim : int or None, by default ``model.latent_dim``
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : n < 1; there is one latent dimension; dims are out of range; not low < high.
    """
    check_count(n)
    latent_dim = model.latent_dim if latent_dim is None else latent_dim
    dims = _check_dims(dims, latent_dim)
    prior = getattr(model, "prior", None)
    if span is None and isinstance(prior, Prior):
        raise ValueError(
            f"the quantiles are those of N(0, I), not of {prior}: give span=(low, high)"
        )
    if span is None:
        values = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])
    elif np.shape(span) == (2,) and np.isfinite(span).all() and span[0] < span[1]:
        values = np.linspace(*span, n) if n > 1 else np.array([sum(span) / 2])
    else:
        raise ValueError(f"span must be two finite numbers (low, high) with low < high, got {span}")
    z = np.zeros((n * n, latent_dim))
    z[:, dims[0]] = np.tile(values, n)
    z[:, dims[1]] = np.repeat(values[::-1], n)  # the first row of a picture is the top
    images = as_images(model.decode(z), "model.decode(z)", image_shape)

    title = f"Decoder output on {n} × {n} codes"
    if span is None:
        title += "\nz at quantiles of N(0, 1)"
    if latent_dim > 2:
        title += "\nall other z at 0"
    fig, ax = draw(images, n, n, title, gap=0)  # no gap, so that neighbours join
    label_values(ax.xaxis, centres(images.shape[2], n, gap=0), values)
    label_values(ax.yaxis, centres(images.shape[1], n, gap=0)[::-1], values)
    ax.set(xlabel=f"z[{dims[0]}]", ylabel=f"z[{dims[1]}]")
    return fig


def traversal(model, x=None, dims=None, span=(-3, 3), steps=11, image_shape=None):
    """Draw the decoded images when one latent of a code changes: a row per latent.

    If all images of a row are equal, the decoder does not use this latent.

    Parameters
    ----------
    model : anything with ``traverse``, such as a VAE
    x : one sample: start from its code; by default from z = 0, the mean of the prior
    dims : sequence of int, the latents to change; by default all
    span : (low, high), the range of their values; the prior has standard deviation 1
    steps : int, 2 or more, images per row
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : the model has no traverse; its outputs are not images; x, dims, span or steps do
        not match the model.
    """
    check_method(
        model, "traverse", "only a model with a prior, such as VAE, has a range for each latent"
    )
    rows = check_finite(model.traverse(x, dims, span, steps), "model.traverse()")
    dims = np.arange(len(rows)) if dims is None else np.asarray(dims)
    images = as_images(rows.reshape(-1, *rows.shape[2:]), "model.traverse()", image_shape)
    where = "0" if x is None else "the code of x"
    title = f"Decoder output along each latent\nall others at {where}"
    fig, ax = draw(images, len(rows), steps, title, highest=10.0, room=1.2)
    shown = _labelled_places(steps)
    values = [value_text(v) for v in np.linspace(*span, steps)[shown]]
    ax.set_xticks(centres(images.shape[2], steps)[shown], values)
    ax.set_yticks(centres(images.shape[1], len(rows)), [f"z[{d}]" for d in dims])
    ax.set_xlabel("value of the latent (standard deviations of the prior)")
    return fig


def interpolation(model, A, B, steps=10, image_shape=None):
    """Draw the decoded images of codes on the straight line from a to b, a row per pair.

    The images with a frame at the two ends are a and b. Next to them are their reconstructions.

    Parameters
    ----------
    model : anything with ``interpolate``
    A, B : (N, ...), as `X` in `reconstructions`, with the same shape; row i goes from A[i] to B[i]
    steps : int, 2 or more, decoded images per row
    image_shape : (h, w) or (h, w, channels), for flat images that are not square

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : A and B have different shapes, are not images, or are not in [0, 1]; steps < 2.
    """
    check_count(steps, "steps", least=2)
    if np.shape(A) != np.shape(B):
        raise ValueError(f"A has shape {np.shape(A)} and B {np.shape(B)}: the two must be equal")
    ends = [as_images(X, name, image_shape) for X, name in ((A, "A"), (B, "B"))]
    for images, name in zip(ends, "AB", strict=True):
        check_scale(images, name)
    n, *shape = ends[0].shape
    path = model.interpolate(np.asarray(A), np.asarray(B), steps)
    path = as_images(np.reshape(path, (n * steps, *shape)), "model.interpolate(A, B)")
    rows = np.concatenate(
        [ends[0][:, None], path.reshape(n, steps, *shape), ends[1][:, None]], axis=1
    )
    title = f"From a to b along straight lines between codes, {steps} steps"
    fig, ax = draw(rows.reshape(-1, *shape), n, steps + 2, title, highest=10.0, room=1.0)
    h, w = shape[:2]
    left, top = centres(w, steps + 2), centres(h, n)
    for column, colour in ((0, PALETTE[0]), (-1, PALETTE[2])):
        for row in top:
            corner = (left[column] - w / 2 - 0.5, row - h / 2 - 0.5)
            frame = {"fill": False, "edgecolor": colour, "linewidth": 1.5, "clip_on": False}
            ax.add_patch(Rectangle(corner, w + 1, h + 1, **frame))
    shown = _labelled_places(steps)
    values = [value_text(v) for v in np.linspace(0, 1, steps)[shown]]
    ax.set_xticks([left[0], *left[1:-1][shown], left[-1]], ["a", *values, "b"])
    ax.set_xlabel("share of b in the code")
    return fig


def kl_per_dimension(model, X, **side):
    """Draw the KL of each latent from the prior, mean over X, as bars in the order of the latents.

    The KL of a latent is an upper bound of its information about the data (their mutual
    information), in nats. A latent is active if the variance of its posterior mean over X is above
    0.01, Burda et al. (2016).

    Parameters
    ----------
    model : anything with ``kl_per_dimension`` and ``encode``, such as a VAE
    X : (N, ...), the argument of these methods; more rows make the bars more precise
    **side : other arguments of these methods, such as the labels of a conditional VAE

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : the model has no prior; X does not match the model.
    """
    check_method(model, "kl_per_dimension", "only a model with a prior, such as VAE, has a KL")
    kl = check_finite(model.kl_per_dimension(X, **side), "model.kl_per_dimension(X)")
    active = is_active(check_finite(model.encode(X, **side), "model.encode(X)"))
    d, n = len(kl), len(X)
    fig, ax = plt.subplots(figsize=(min(max(3.0 + 0.18 * d, 4.5), 12), 4), layout="constrained")
    groups = (active, PALETTE[0], "active"), (~active, PALETTE[6], "not in use")
    for which, colour, name in groups:
        if which.any():
            label = f"{name}: {which.sum()} of {d}"
            ax.bar(np.flatnonzero(which), kl[which], color=colour, label=label)
    # If no latent is active, all bars are nearly zero: a fixed scale shows them as nearly zero.
    ax.set(xlim=(-0.7, d - 0.3), ylim=(0, max(1.05 * kl.max(), 0.05)))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=20, integer=True, min_n_ticks=1))
    ax.set(xlabel="latent", ylabel="KL from the prior (nats)")
    ax.set_title(f"KL of each latent, {kl.sum():.3g} nats in all\nmean over {n} inputs")
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


def code_activity(model, X, bins=50, **side):
    """Draw how active the code of `X` is: a histogram of all entries, and the mean of each unit.

    In a sparse code most entries are near zero and few are far from it, so the axis of the counts
    is logarithmic. On the right the units are sorted by their means: units whose mean is zero may
    be dead.

    Parameters
    ----------
    model : anything with ``encode``
    X : (N, ...), what ``model.encode`` takes
    bins : int, the number of bins of the histogram
    **side : other arguments of ``model.encode``, such as the labels of a conditional VAE

    Returns
    -------
    Figure

    Raises
    ------
    ValueError : bins < 1; the codes are not finite; X does not match the model.
    """
    check_count(bins, "bins")
    codes = check_finite(model.encode(X, **side), "model.encode(X)")
    codes = codes.reshape(len(codes), -1).astype(np.float64)
    means, mean = codes.mean(axis=0), codes.mean()
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
    left.hist(codes.ravel(), bins=bins, color=PALETTE[0], log=True)
    line = {"color": PALETTE[2], "linestyle": "--", "label": f"mean {mean:.3g}"}
    left.axvline(mean, **line)
    zeros = np.mean(codes == 0)
    left.set_title(f"All entries, {zeros:.1%} exactly 0" if zeros else "All entries")
    left.set(xlabel="activation", ylabel="count (logarithmic)")
    left.legend(frameon=False)
    edges = np.arange(len(means) + 1) + 0.5  # one outline: many bars are slow to draw
    right.stairs(np.sort(means)[::-1], edges, fill=True, color=PALETTE[0])
    right.axhline(mean, **line)
    right.set(title="Each unit", xlabel="unit, in order of its mean", ylabel="mean activation")
    right.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    n, d = codes.shape
    fig.suptitle(f"Activity of {counted(d, 'code unit')} over {counted(n, 'input')}")
    return fig


def _labelled_places(n):
    """Return which of n positions get a label: all if n <= 8, else the ends and some others."""
    steps = [step for step in range(1, n) if (n - 1) % step == 0 and (n - 1) // step < 8]
    return np.arange(0, n, steps[0])


def _check_dims(dims, latent_dim):
    """Return `dims` as an index array (2,) into `latent_dim` dimensions."""
    if latent_dim < 2:
        fix = "train with latent_dim=2, or draw plt.hist(model.encode(X)[:, 0])"
        raise ValueError(f"the plot needs two latent dimensions, got {latent_dim}: {fix}")
    index = np.asarray(dims)
    if (
        index.shape != (2,)
        or index.dtype.kind not in "iu"
        or index[0] == index[1]
        or index.min() < 0
        or index.max() >= latent_dim
    ):
        raise ValueError(f"dims must be two different ints from 0 to {latent_dim - 1}, got {dims}")
    return index
