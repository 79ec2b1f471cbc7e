"""Tables and paragraphs that fit the terminal: long cells are wrapped in their own column."""

import shutil
import textwrap
from itertools import zip_longest

from miniae.plumbing.text import aligned

WIDE = 100  # columns from which tables show additional information
LEAST = 10  # minimum width of a column in characters


def width():
    """Return the width of the terminal: COLUMNS if it is set, and 80 if there is no terminal."""
    return shutil.get_terminal_size().columns


def fill(text):
    """Return a paragraph wrapped to the width, with the indent of the first line."""
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.fill(text.lstrip(), width(), initial_indent=indent, subsequent_indent=indent)


def table(header, rows, flexible):
    """Return rows of strings as aligned lines under a header, none wider than the terminal.

    Parameters
    ----------
    header, rows : sequences of str, a cell for each column
    flexible : indices of the columns whose cells may be wrapped
        They share the space that the other columns leave.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    fixed = sum(w for i, w in enumerate(widths) if i not in flexible)
    room = width() - fixed - 2 * (len(widths) - 1)
    for count, i in enumerate(sorted(flexible, key=widths.__getitem__)):
        widths[i] = min(widths[i], max(room // (len(flexible) - count), LEAST))
        room -= widths[i]
    lines = []
    for row in (header, *rows):
        cells = [textwrap.wrap(cell, max(w, 1)) for cell, w in zip(row, widths, strict=True)]
        lines += zip_longest(*cells, fillvalue="") if any(cells) else [row]
    return "\n".join(aligned(lines))
