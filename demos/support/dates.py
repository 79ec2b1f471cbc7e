"""Dates as people write them, and in ISO 8601; texts as rows of token numbers."""

import calendar
import datetime
import itertools

import numpy as np

MONTHS = (
    "january february march april may june july august september october november december"
).split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
ONES = "first second third fourth fifth sixth seventh eighth ninth".split()
TEENS = (
    "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth "
    "nineteenth twentieth"
).split()
ORDINALS = [*ONES, *TEENS, *(f"twenty-{one}" for one in ONES), "thirtieth", "thirty-first"]
FIRST_YEAR, YEARS = 1950, 100  # so the last two digits of a year are enough


def suffix(day):
    """Return "st", "nd", "rd" or "th", which follows the number of a day."""
    return "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


# One line for each notation: text, given the date and the name of its month.
NOTATIONS = (
    lambda d, month: f"{d.day} {month} {d.year}",
    lambda d, month: f"{month} {d.day}, {d.year}",
    lambda d, month: f"{month[:3]} {d.day}, {d.year % 100:02}",
    lambda d, month: f"{d.day}{suffix(d.day)} {month[:3]} {d.year}",
    lambda d, month: f"{d.day}.{d.month}.{d.year}",  # with dots the day comes first
    lambda d, month: f"{d.month}/{d.day}/{d.year % 100:02}",  # with slashes the month does
    lambda d, month: f"the {ORDINALS[d.day - 1]} of {month} {d.year}",
    lambda d, month: f"{DAYS[d.weekday()]}, {month} {d.day}{suffix(d.day)}, {d.year}",
    lambda d, month: f"{month} {d.year}",  # a month only: the answer is shorter too
)
MONTH_ONLY = len(NOTATIONS) - 1


def write(date, notation):
    """Return a date in a notation, given by its number, and in ISO 8601."""
    text, iso = NOTATIONS[notation](date, MONTHS[date.month - 1]), date.isoformat()
    return text, iso[:7] if notation == MONTH_ONLY else iso


def draw_dates(n_train, n_test, rng):
    """Return two lists of (text, iso, notation); no month of a year is in both lists.

    One month in five is held out, so no answer to a test can be remembered from training.
    """
    months = rng.permutation(12 * YEARS)
    pools, lists = np.split(months, [len(months) * 4 // 5]), []
    for n, pool in zip((n_train, n_test), pools, strict=True):
        days = rng.integers(28 * 29 * 30 * 31, size=n).tolist()
        chosen, kinds = rng.choice(pool, n).tolist(), rng.integers(len(NOTATIONS), size=n).tolist()
        pairs = []
        for month, day, kind in zip(chosen, days, kinds, strict=True):
            year, month = FIRST_YEAR + month // 12, month % 12 + 1
            date = datetime.date(year, month, 1 + day % calendar.monthrange(year, month)[1])
            pairs.append((*write(date, kind), kind))
        lists.append(pairs)
    return lists


class Alphabet:
    """The characters of some texts as token numbers 1, 2, ...; 0 is padding.

    Parameters
    ----------
    texts : list of str
    end : str, a character that marks the end of every text, or ""
    """

    def __init__(self, texts, end=""):
        self.end, self.letters = end, sorted(set("".join(texts)) | set(end))
        self.number = {letter: i for i, letter in enumerate(self.letters, start=1)}
        self.size = len(self.letters) + 1

    def encode(self, texts):
        """Return the token numbers (n, longest), each row with 0 after its end.

        Raises
        ------
        ValueError : a character is not in this alphabet
        """
        unknown = sorted(set("".join(texts)) - set(self.letters))
        if unknown:
            raise ValueError(f"{unknown} are not in the alphabet {''.join(self.letters)!r}")
        rows = [[self.number[letter] for letter in text + self.end] for text in texts]
        tokens = np.zeros((len(rows), max(map(len, rows), default=0)), int)
        for row, numbers in zip(tokens, rows, strict=True):
            row[: len(numbers)] = numbers
        return tokens

    def decode(self, tokens):
        """Return the texts of token numbers (n, T), each up to its end or its padding."""
        texts = []
        for row in tokens:
            text = "".join(self.letters[i - 1] for i in itertools.takewhile(bool, row.tolist()))
            texts.append(text.split(self.end)[0] if self.end else text)
        return texts
