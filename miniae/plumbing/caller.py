"""Warnings that point to the user's line, however deep in the package they arise."""

import os
import sys
import warnings

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def warn(message):
    """Issue a UserWarning that points to the line outside of miniae that called it."""
    frame, level = sys._getframe(1), 2  # level 2 is the line that called this function
    while frame.f_back is not None and inside(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def inside(path):
    """Return whether a file belongs to the package."""
    return os.path.abspath(path).startswith(PACKAGE + os.sep)
