"""MovieLens' files of ratings, read into a table of users and items."""

from pathlib import Path

import numpy as np

MOST = 100_000_000  # entries of the table: it is held in full, in float32
LARGEST = 1000  # of ratings: a timestamp is larger


def read_lines(path):
    """Return the lines of a file of plain text but for blank ones at its end; refuse any other."""
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder: give a file of ratings, such as u1.base")
    text = Path(path).read_text(encoding="latin-1")
    if text.startswith(("\x1f\x8b", "PK\x03\x04")):
        raise ValueError(f"{path} is compressed: unpack it first")
    if "\0" in text:
        raise ValueError(f"{path} is UTF-16 or no text at all: save it as UTF-8")
    text = text.removeprefix("\xef\xbb\xbf").rstrip()  # without UTF-8's byte-order mark
    if not text:
        raise ValueError(f"{path}: there is no rating in it; give a file such as u1.base")
    return text.split("\n")


def read_ratings(path):
    """Return a dict of (user, item), as the file names them, to the rating.

    Each line has user, item, rating and timestamp, separated by tabs (u.data, u1.base) or by ::
    (ratings.dat). Spaces around them do not count.

    Raises
    ------
    ValueError : says in which file and line, and what is wrong with it
    """
    ratings = {}
    for number, line in enumerate(read_lines(path), 1):
        where = f"{path}, line {number}"
        fields = [field.strip() for field in line.split("::" if "::" in line else "\t")]
        if len(fields) != 4 or not all(fields):
            raise ValueError(
                f"{where}: must be user, item, rating, timestamp, separated by tabs or ::, "
                f"but has {sum(map(bool, fields))} of these: {line[:60]!r}"
            )
        user, item, rating, _ = fields
        try:
            value = float(rating)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise ValueError(f"{where}: the rating (column 3) is {rating!r}, not a number")
        if abs(value) > LARGEST:
            raise ValueError(
                f"{where}: the rating (column 3) is {rating!r}, over {LARGEST}: "
                "column 3 looks like a timestamp, which belongs in column 4"
            )
        if (user, item) in ratings:
            raise ValueError(
                f"{where}: user {user} has rated item {item} before: leave one of the lines"
            )
        ratings[user, item] = value
    return ratings


def as_tables(train, test):
    """Return two tables (users, items), NaN where there is no rating, with all names of either."""
    if both := train.keys() & test.keys():
        user, item = min(both)
        raise ValueError(
            f"user {user} rates item {item} in the training file and in the test file: "
            "leave it out of either"
        )
    names = [sorted(set(column)) for column in zip(*train, *test, strict=True)]
    places = [{name: i for i, name in enumerate(column)} for column in names]
    shape = tuple(len(column) for column in names)
    if shape[0] * shape[1] > MOST:
        raise ValueError(
            f"a table of {shape[0]:,} users and {shape[1]:,} items has over {MOST:,} entries: "
            "take the ratings of fewer users"
        )
    tables = np.full((2, *shape), np.nan, np.float32)
    for table, ratings in zip(tables, (train, test), strict=True):
        for (user, item), rating in ratings.items():
            table[places[0][user], places[1][item]] = rating
    return tables
