"""Tables and paragraphs that fit the terminal: long cells go on below, in their own column."""

import shutil
import textwrap
from itertools import zip_longest

from miniae.plumbing.text import aligned

WIDE = 100  # from here on there is room for what is good to know but not needed
LEAST = 10  # characters of a column, however narrow the terminal


def width():
    """Return the columns of the terminal: COLUMNS where it is set, and 80 where there is none."""
    return shutil.get_terminal_size().columns


def fill(text):
    """Return a paragraph as lines within the width; they keep the indent of the first."""
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.fill(text.lstrip(), width(), initial_indent=indent, subsequent_indent=indent)


def table(header, rows, flexible):
    """Return rows of strings as aligned lines under a header, none wider than the terminal.

    Parameters
    ----------
    header, rows : sequences of str, a cell for each column
    flexible : indices of the columns whose cells may be wrapped
        They share the room that the others leave; what a narrow one does not need goes to the
        wider ones.
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
