"""A photograph, cut into patches that overlap or into blocks that do not."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cbook
from numpy.lib.stride_tricks import sliding_window_view

SIZE = 8  # pixels, of the side of a patch
GREY = np.array([0.299, 0.587, 0.114])  # of red, green and blue, in a grey level
DETAIL = np.s_[150:230, 20:104]  # rows and columns of the right half, for a close view


def in_colour():
    """Return the sample photograph of matplotlib, (600, 512, 3) in [0, 1]: red, green, blue."""
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return plt.imread(file) / 255


def photograph():
    """Return the photograph in grey, (600, 512) float32 in [0, 1]."""
    return (in_colour() @ GREY).astype(np.float32)


def patches(image):
    """Return every SIZE x SIZE patch of an image as a row: (positions, SIZE^2)."""
    return sliding_window_view(image, (SIZE, SIZE)).reshape(-1, SIZE**2)


def blocks(image):
    """Return the patches that tile an image, without overlap, as rows."""
    return sliding_window_view(image, (SIZE, SIZE))[::SIZE, ::SIZE].reshape(-1, SIZE**2)
