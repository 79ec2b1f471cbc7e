"""What all plots share: checks of their arguments, and a sheet of many images."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from miniae.plumbing.checks import is_whole

# The ten colours of Petroff 2021, arXiv:2107.02270, which people with colour-vision deficiency can
# distinguish (unlike tab10). In this order, digits with similar shapes (3 5 8, 4 7 9) get colours
# that differ a lot.
PALETTE = "#3f90da #ffa90e #bd1f01 #832db6 #92dadd #a96b59 #94a4a2 #b9ac70 #e76300 #717581".split()
INK = {"cmap": "gray_r", "vmin": 0, "vmax": 1}  # 0 is white, 1 is black


def check_count(n, name="n", least=1):
    """Raise ValueError unless n is a whole number, `least` or more."""
    if not is_whole(n, least):
        raise ValueError(f"{name} must be a whole number, {least} or more, got {n!r}")


def check_finite(array, name):
    """Return `array` as a NumPy array; raise ValueError if it is empty or not finite numbers."""
    if isinstance(array, Mapping):
        raise ValueError(
            f"{name} is a dict with the keys {[*array]}: a plot draws one of its arrays, for "
            "example plots.grid(X[key])"
        )
    array = np.asarray(array)
    if array.size == 0 or array.dtype.kind not in "biuf":
        fix = "pass at least one sample, and numbers only"
        raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype}: {fix}")
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        fix = "replace or drop them in data; if a model returned them, its training diverged"
        raise ValueError(f"{name} of shape {array.shape} has {bad} NaN or infinite values: {fix}")
    return array


def check_method(model, name, reason):
    """Raise ValueError if the model has no method that the plot needs."""
    if isinstance(model, np.ndarray):
        raise ValueError(f"model is an array of shape {model.shape}: plots.grid draws images")
    if not hasattr(model, name):
        raise ValueError(f"model {type(model).__name__} has no {name} method: {reason}")


def check_scale(images, name):
    """Raise ValueError if images are clearly not in [0, 1]: the picture would be all black."""
    if images.max() > 10:
        fix = "divide by the largest value"
        raise ValueError(f"{name} reaches {images.max()}, expected [0, 1]: {fix}")


def as_images(array, name, image_shape=None):
    """Reshape (N, ...) to (N, h, w) or (N, h, w, 3); a flat sample becomes a square image."""
    array = check_finite(array, name)
    shape = array.shape[1:] if image_shape is None else tuple(image_shape)
    if len(shape) == 1 and math.isqrt(shape[0]) ** 2 == shape[0]:
        shape = (math.isqrt(shape[0]),) * 2
    if shape[2:] == (1,):
        shape = shape[:2]
    if len(shape) < 2 or shape[2:] not in ((), (3,)) or math.prod(shape) != array[0].size:
        fix = "expected (N, h, w), (N, h, w, 1), (N, h, w, 3) or flat (N, h * w) with image_shape="
        raise ValueError(f"{name} has shape {array.shape}, not images {shape}: {fix}(h, w)")
    return array.reshape(-1, *shape)


def tile(images, rows, cols, gap=1, paper=None):
    """Return one array with the images (N, h, w[, 3]) row by row, `gap` pixels apart, on white."""
    h, w = images.shape[1:3]
    if paper is None:
        paper = 0.0 if images.ndim == 3 else 1.0
    shape = (rows * (h + gap) - gap, cols * (w + gap) - gap, *images.shape[3:])
    sheet = np.full(shape, paper)
    for i, image in enumerate(images):
        top, left = (i // cols) * (h + gap), (i % cols) * (w + gap)
        sheet[top : top + h, left : left + w] = image
    return sheet


def centres(length, count, gap=1):
    """Return the pixel coordinates of the centres of `count` tiles of `length` pixels."""
    return np.arange(count) * (length + gap) + (length - 1) / 2


def draw(images, rows, cols, title, gap=1, **layout):
    """Draw images (N, h, w[, 3]), grey or in colour; return the figure and its axes."""
    sheet = np.clip(tile(images, rows, cols, gap), 0, 1)
    return draw_sheet(sheet, cols, title, **layout, **INK)


def draw_sheet(sheet, cols, title, highest=7.0, room=0.6, **style):
    """Draw a sheet that is `cols` images wide with one imshow; return the figure and its axes.

    highest : inches, the maximum height of the sheet
    room : inches, the height of the text above and below the sheet
    """
    inch = min(1.2 * cols, 7.0, highest * sheet.shape[1] / sheet.shape[0])  # width of the sheet
    size = (max(inch + 0.7, 3.6), inch * sheet.shape[0] / sheet.shape[1] + room)
    fig, ax = plt.subplots(figsize=size, layout="constrained")
    ax.imshow(sheet, origin="upper", **style)
    ax.set(title=title, xticks=[], yticks=[])
    ax.tick_params(length=0)
    ax.grid(False)  # a style sheet may switch it on
    ax.spines[:].set_visible(False)
    return fig, ax


def label_values(axis, positions, values):
    """Label the positions of an axis with values: all positions, or about six of many."""
    n = len(values)
    shown = np.linspace(0, n - 1, n if n <= 12 else 6 + n % 2).round().astype(int)
    axis.set_ticks(positions[shown], [value_text(v) for v in np.asarray(values)[shown]])
    axis.set_tick_params(length=3)


def counted(n, noun):
    """Return "1 epoch", "2 epochs"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def value_text(value):
    """Return a value as text, such as "−0.50": two decimals, a real minus sign, no minus zero."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")
