"""Batches that are cut in a wrong way, and the sentences for them."""

import numpy as np


def cut(rows, size, start=0, step=None, longer=0):
    """Return slices of `size + longer` rows that begin `step` rows apart."""
    step = step or size
    return [rows[i : i + size + longer] for i in range(start, len(rows), step)]


def equal_parts(rows, count):
    """Return `count` batches whose sizes differ by at most one."""
    return [list(part) for part in np.array_split(rows, count)]


CUTS = {  # key: sentence, and functions of the shuffled rows and the size that return the batches
    "last_batch_dropped": (
        "the last, smaller batch is missing: keep it",
        [lambda r, s: cut(r, s)[:-1], lambda r, s: [r[i : i + s] for i in range(0, len(r) - s, s)]],
    ),
    "first_batch_dropped": (
        "the first batch is missing: the first one begins at row 0",
        [lambda r, s: cut(r, s, s)],
    ),
    "batch_is_one_short": (
        "each batch has one row too few: X[i : i + size] has size rows",
        [lambda r, s: cut(r, s, longer=-1)],
    ),
    "batch_is_one_longer": (
        "each batch has one row too many: X[i : i + size] has size rows",
        [lambda r, s: cut(r, s, longer=1)],
    ),
    "starts_one_row_apart": (
        "the batches begin one row apart: they must begin size rows apart",
        [
            lambda r, s: cut(r, s, step=1),
            lambda r, s: cut(r, s, step=1)[: len(r) // s],
            lambda r, s: cut(r, s, step=1)[: -(-len(r) // s)],
            lambda r, s: cut(r, s, step=1)[: len(r) - s],
            lambda r, s: cut(r, s, step=1)[: len(r) - s + 1],
        ],
    ),
    "rows_between_batches_lost": (
        "a row between two batches is lost: the next batch begins where the last one ends",
        [lambda r, s: cut(r, s, step=s + 1), lambda r, s: cut(r, s, 1, longer=-1)],
    ),
    "batches_share_a_row": (
        "two batches share a row: the next batch begins where the last one ends",
        [lambda r, s: cut(r, s, step=s - 1)],
    ),
    "every_second_batch": (
        "every second batch is missing: does the start move by size twice?",
        [lambda r, s: cut(r, s)[::2], lambda r, s: cut(r, s)[1::2]],
    ),
    "batches_grow": (
        "each batch also has the rows of the batches before it: begin each one with new rows",
        [
            lambda r, s: [r[: i + s] for i in range(0, len(r), s)],
            lambda r, s: [r[:i] for i in range(s, len(r) + 1, s)],
            lambda r, s: [r[:i] for i in range(0, len(r), s)],
        ],
    ),
    "batches_reach_to_the_end": (
        "each batch has all the rows to the end: stop after size rows, X[i : i + size]",
        [lambda r, s: [r[i:] for i in range(0, len(r), s)]],
    ),
    "same_batch_again": (
        "all batches have the same rows: does the start of the slice move?",
        [lambda r, s: [r[:s]] * -(-len(r) // s), lambda r, s: [r[:s]] * (len(r) // s)],
    ),
    "last_batch_filled": (
        "the last batch is filled up with rows that are there already: it may have fewer rows",
        [
            lambda r, s: cut([*r, *r[: -len(r) % s]], s),
            lambda r, s: [*cut(r, s)[:-1], r[-s:]],
        ],
    ),
    "only_one_batch": (
        "there is only one batch: is the return inside the loop, or does no second batch begin?",
        [lambda r, s: cut(r, s)[:1], lambda r, s: cut(r, s)[-1:]],
    ),
    "size_is_number_of_batches": (
        "size is used as the number of batches: it is the number of rows in a batch",
        [
            lambda r, s: equal_parts(r, s),
            lambda r, s: cut(r, len(r) // s),
            lambda r, s: cut(r, len(r) // s)[:s],
        ],
    ),
    "sizes_equalised": (
        "the batches are made nearly equal: all have size rows, only the last has fewer",
        [lambda r, s: equal_parts(r, -(-len(r) // s)), lambda r, s: equal_parts(r, len(r) // s)],
    ),
    "rest_in_last_batch": (
        "the last rows are added to the batch before: they are a batch of their own",
        [lambda r, s: [*cut(r, s)[:-2], r[len(r) // s * s - s :]]],
    ),
    "rest_in_single_rows": (
        "each of the last rows is a batch of its own: together they are the last batch",
        [lambda r, s: [*cut(r, s)[:-1], *cut(cut(r, s)[-1], 1)]],
    ),
    "small_batch_not_last": (
        "the smaller batch is not the last: shuffle the rows, and then cut them in order",
        [lambda r, s: [r[: len(r) % s], *cut(r[len(r) % s :], s)]],
    ),
    "empty_batch": (
        "there is a batch without rows",
        [lambda r, s: [*cut(r, s), []], lambda r, s: [[], *cut(r, s)]],
    ),
    "one_row_missing": (
        "one row is in no batch: does the loop or the slice end one row too early?",
        [lambda r, s: cut(r[:-1], s)],
    ),
    "each_batch_twice": (
        "each batch is there twice: is it added to the list twice?",
        [lambda r, s: cut(r, s) * 2, lambda r, s: [b for b in cut(r, s) for _ in range(2)]],
    ),
    "one_batch": ("all rows are in one batch", [lambda r, s: [r]]),
    "one_row_each": ("every batch has one row", [lambda r, s: cut(r, 1)]),
}


def pattern(batches):
    """Return batches of hashable rows with a number for each row, in order of appearance."""
    known = {}
    return [[known.setdefault(row, len(known)) for row in batch] for batch in batches]


def cut_like(batches, n, size):
    """Return the key of the mistake by which the batches are cut, or None."""
    found = pattern([map(tuple, batch) for batch in batches])
    for key, (_, rules) in CUTS.items():
        if any(found == pattern(rule(list(range(n)), size)) for rule in rules):
            return key
    return None
