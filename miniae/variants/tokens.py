"""Checks of token sequences. Errors name the row, and say what to do."""

import numpy as np

END = 1
HINT = "pad_sequences(sequences, length) appends the end token and pads"


def check_tokens(x, n_tokens, name, first_row):
    """Refuse rows that are not tokens, an end token, then padding; x is (n, length), real.

    A row without an end token is a sequence that was cut off: it fills all columns.
    """

    def refuse(bad, why):
        """Raise an error on the first bad entry, (n, length) bools."""
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"{name}[{first_row + row}, {column}] is {x[row, column]:g}, {why}")

    refuse(x != x.round(), "but tokens are integers")
    refuse(
        (x < 0) | (x >= n_tokens),
        f"but tokens are numbered from 0 to {n_tokens - 1} (n_tokens={n_tokens}); 0 is padding, "
        "1 the end token",
    )
    padded = (x == 0).cumsum(axis=1) > 0
    if padded[:, 0].any():
        row = first_row + int(padded[:, 0].argmax())
        raise ValueError(
            f"{name}[{row}] starts with padding (0): a row holds its tokens first, at least the "
            f"end token {END}, then padding; {HINT}"
        )
    refuse(padded & (x > 0), "but comes after padding (0): padding must be at the end of a row")
    ended = (x == END).cumsum(axis=1) > 0
    after = np.zeros(ended.shape, bool)
    after[:, 1:] = ended[:, :-1]
    refuse(after & (x > 0), f"but comes after the end token {END}")
    open_end = padded[:, -1] & ~ended[:, -1]
    if open_end.any():
        row = first_row + int(open_end.argmax())
        raise ValueError(
            f"{name}[{row}] is padded but has no end token {END} before the padding; {HINT}"
        )
