"""Token sequences as rows of numbers: padding them, checking them. Errors name the row."""

import numpy as np

from miniae.plumbing.checks import whole

END = 1
MANY = 2**24  # tokens are below; models carry them in float32, which skips larger whole numbers
HINT = "pad_sequences(sequences, length) appends the end token and pads"


def pad_sequences(sequences, length):
    """Return sequences of word numbers, 2 or more, as rows of tokens (n, length) for the models.

    Each gets the end token 1 and then padding, 0. One of `length` words or more is cut off, and
    then has no end token.
    """
    sequences = list(sequences)
    X = np.zeros((len(sequences), whole(length, "length")), int)
    for i, given in enumerate(sequences):
        words = np.asarray(given)
        if words.ndim != 1 or (words.size and words.dtype.kind not in "iuf"):
            raise ValueError(
                f"sequences[{i}]={given!r} must be a list of word numbers, such as [2, 3, 4]"
            )
        wrong = words[~((words >= 2) & (words < MANY) & (words == words.round()))]
        if wrong.size:
            raise ValueError(
                f"sequences[{i}] has {wrong[0]}, but words are whole numbers from 2: 0 is padding, "
                f"{END} the end token"
            )
        row = np.append(words, END)[:length]
        X[i, : len(row)] = row
    return X


def as_integers(tokens):
    """Return tokens as integers; models carry their data as floating-point or complex numbers.

    Raises
    ------
    ValueError : one of them is not a whole number, or is below 0
    """
    given = np.asarray(tokens).real
    wrong = given[~((given >= 0) & (given < MANY) & (given == given.round()))]
    if wrong.size:
        raise ValueError(f"tokens must be whole numbers, 0 or more; one of them is {wrong[0]:g}")
    return given.astype(int)


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
