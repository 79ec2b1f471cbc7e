"""Checks of a training loop in mini-batches."""

import numpy as np

from miniae.exercises.questions import Named, Wrong, agree, numbers


def shuffled_batches(X, size, rng):
    """Return the rows of X in batches, in random order."""
    shuffled = rng.permutation(X)
    return [shuffled[i : i + size] for i in range(0, len(X), size)]


def rows_of(size, batches):
    """Return the batches as arrays; raise Wrong if they are not a list of arrays (m, features)."""
    if batches is None:
        raise Wrong("batches returns None: is the return missing at the end?", "none")
    if isinstance(batches, np.ndarray) and batches.ndim == 3:
        batches = list(batches)
    if not isinstance(batches, list | tuple):
        said = f"batches must return a list of arrays, got {type(batches).__name__}"
        raise Wrong(said, "not_a_list")
    arrays = [numbers(batch, "a batch") for batch in batches]
    if not arrays or any(array.ndim != 2 for array in arrays):
        raise Wrong("every batch must be an array (rows, features)", "batch_shape")
    return arrays


def check_batches(ask):
    """Each row once, in a new order each time, in batches of the right size."""
    size = int(ask.rng.integers(4, 7))
    n = 6 * size + 1  # seven batches of equal size would be smaller than `size`
    X = ask.rng.standard_normal((n, 3)).round(6)
    seed = int(ask.rng.integers(1000))

    def draw(rng):
        return rows_of(size, ask("batches", X, size, rng))

    rng = np.random.default_rng(seed)
    found, again = draw(rng), draw(rng)
    sizes = [len(batch) for batch in found]
    check_rows(X, np.concatenate(found), sizes, size)
    rows = np.concatenate(found)
    if np.array_equal(rows, X):
        raise Named("The rows are in the order of X", ["no_shuffle"])
    if np.array_equal(np.sort(rows[:, 0]), rows[:, 0]) or np.array_equal(rows, X[::-1]):
        raise Named("The rows are sorted", ["no_shuffle"])
    where = [int(np.flatnonzero((X == row).all(axis=1))[0]) for row in rows]
    starts = range(0, n, size)
    if all(sorted(where[i : i + size]) == [*range(i, min(i + size, n))] for i in starts):
        raise Named("Each batch has rows that are neighbours in X", ["shuffled_in_batches"])
    follows = sum(b == a + 1 for a, b in zip(where, where[1:], strict=False))
    if follows > n / 2:
        raise Named(f"{follows} of {n - 1} rows follow each other as in X", ["blocks_shuffled"])
    if np.array_equal(np.concatenate(again), rows):
        raise Named("Two calls with one rng return the same order", ["same_order_each_time"])
    if not np.array_equal(np.concatenate(draw(np.random.default_rng(seed))), rows):
        raise Named("Two generators with one seed lead to different orders", ["rng_not_used"])
    even = X[: 3 * size]
    found = rows_of(size, ask("batches", even, size, rng))
    check_rows(even, np.concatenate(found), [len(batch) for batch in found], size)


def check_rows(X, rows, sizes, size):
    """Raise Named unless the batches have all rows of X once, and the right sizes."""
    said = f"X has {len(X)} rows, the size is {size}, and the batches have {sizes} rows"
    if rows.shape[1] != X.shape[1]:
        raise Wrong(f"a batch has {rows.shape[1]} columns, X has {X.shape[1]}", "batch_shape")
    known = {tuple(row) for row in X}
    if not all(tuple(row) in known for row in rows):
        key = "values_changed"
        if all(set(rows[:, j]) <= set(X[:, j]) for j in range(X.shape[1])):
            key = "columns_shuffled"
        raise Named("A batch has a row that X does not have", [key])
    distinct = len({tuple(row) for row in rows})
    if distinct < len(rows):
        extra = len(rows) - distinct
        key = "with_replacement" if len(rows) == len(X) else "rows_overlap"
        raise Named(f"{extra} rows are there more than once", [key])
    if len(X) % size and sizes == [size] * (len(X) // size):
        raise Named(said, ["last_batch_dropped"])
    if 0 in sizes:
        raise Named(said, ["empty_batch"])
    if len(rows) < len(X):
        raise Named(said, ["rows_missing"])
    if len(sizes) == size and max(sizes) != size:
        raise Named(said, ["size_is_number_of_batches"])
    if len(sizes) == 1:
        raise Named(said, ["one_batch"])
    if max(sizes) == 1:
        raise Named(said, ["one_row_each"])
    expected = [min(size, len(X) - i) for i in range(0, len(X), size)]
    if sizes == expected:
        return
    key = "other_sizes"
    if sorted(sizes) == sorted(expected):
        key = "small_batch_not_last"
    elif max(sizes) - min(sizes) == 1:
        key = "sizes_equalised"
    raise Named(said, [key])


class Recorder:
    """A step that keeps its batches, and returns a loss that depends on the batch and the step."""

    def __init__(self, rng):
        self.rng, self.batches, self.losses = rng, [], []

    def __call__(self, batch):
        """Return the loss of a batch."""
        self.batches.append(np.array(batch, float))
        self.losses.append(float(self.rng.uniform(1, 2)))
        return self.losses[-1]


def check_fit(ask):
    """One step for each batch, all rows in each epoch, and the mean over samples as the loss."""
    n, size, epochs = 10, 4, 3  # equal batches would be 4, 3, 3
    X = ask.rng.standard_normal((n, 2)).round(6)
    step = Recorder(ask.rng)
    got = ask("fit", step, X, epochs, size, np.random.default_rng(int(ask.rng.integers(1000))))
    sizes = [len(batch) for batch in step.batches]
    said = f"With {n} rows, size {size}, {epochs} epochs, step was called with {sizes} rows"
    if not sizes:
        raise Named(said, ["step_not_called"])
    if any(batch.ndim != 2 or batch.shape[1] != 2 for batch in step.batches):
        raise Named("step got something else than an array (rows, features)", ["step_gets_a_row"])
    if sizes == [n] * epochs:
        raise Named(said, ["full_batch"])
    if sizes == [4, 4, 2]:
        raise Named(said, ["one_epoch"])
    if sizes == [4, 4] * epochs:
        raise Named(said, ["last_batch_dropped"])
    if sizes == [4] * epochs:
        raise Named(said, ["one_batch_each_epoch"])
    if sizes == [m for m in [4, 4, 2] * epochs for _ in range(2)]:
        raise Named(said, ["step_called_twice"])
    if sizes == [4, 4, 2] * (epochs + 1):
        raise Named(said, ["one_epoch_more"])
    if sizes == [4, 4, 2] * (epochs - 1):
        raise Named(said, ["one_epoch_less"])
    if sizes != [4, 4, 2] * epochs:
        raise Named(said, ["other_sizes"])
    orders = [np.concatenate(step.batches[i : i + 3]) for i in range(0, len(sizes), 3)]
    for order in orders:
        check_rows(X, order, [4, 4, 2], size)
    if np.array_equal(orders[0], X):
        raise Named("The rows of the first epoch are in the order of X", ["no_shuffle"])
    if np.array_equal(orders[0], orders[1]) and np.array_equal(orders[1], orders[2]):
        raise Named("The order is the same in every epoch", ["same_order_each_time"])
    members = [{tuple(row) for row in order[:size]} for order in orders]
    if members[0] == members[1] == members[2]:
        raise Named("The first batch has the same rows in every epoch", ["same_batches_each_time"])
    check_losses(ask, got, np.reshape(step.losses, (epochs, 3)), np.array([4.0, 4.0, 2.0]))


def check_losses(ask, got, losses, sizes):
    """Compare the returned losses, one for each epoch."""
    n = sizes.sum()
    right = losses @ sizes / n
    mistakes = {
        "mean_of_batches": losses.mean(axis=1),
        "sum_of_batches": losses.sum(axis=1),
        "sum_over_samples": losses @ sizes,
        "sum_divided_by_n": losses.sum(axis=1) / n,
        "divided_by_rows": losses @ (1 / sizes),
        "divided_by_rows_and_n": losses @ (1 / sizes) / n,
        "divided_by_size": losses @ sizes / 4,
        "divided_by_batches": losses @ sizes / 3,
        "full_size_for_all": losses.sum(axis=1) * 4 / n,
        "divided_by_full_batches": losses.sum(axis=1) / 2,
        "last_batch": losses[:, -1],
        "first_batch": losses[:, 0],
        "smallest_batch": losses.min(axis=1),
        "largest_batch": losses.max(axis=1),
        "not_reset": np.cumsum(losses @ sizes) / n,
        "mean_of_all_so_far": np.cumsum(losses @ sizes) / (n * np.arange(1, len(losses) + 1)),
        "not_reset__mean_of_batches": np.cumsum(losses.sum(axis=1)) / 3,
        "not_reset__sum_of_batches": np.cumsum(losses.sum(axis=1)),
    }
    array = numbers(got, "the list of losses")
    if array.shape == losses.shape or agree(array, losses.ravel()):
        raise Named(f"It returns {array.size} numbers", ["loss_of_each_step"])
    for key, value in {"last_epoch_only": right[-1], "mean_over_epochs": right.mean()}.items():
        if array.size == 1 and agree(array.ravel()[0], value):
            raise Named("It returns one number", [key])
    ask.equal(array, right, mistakes, "the losses")


EXERCISES = {
    "minibatch_loop": {
        "title": "A training loop in mini-batches",
        "minutes": 20,
        "parts": {"batches": check_batches, "fit": check_fit},
        "library": {"batches": shuffled_batches},
        "mistakes": {
            "not_a_list": "batches must return a list",
            "batch_shape": "a batch has a wrong shape",
            "no_shuffle": "the rows are not shuffled: rng.permutation(X) returns them in new order",
            "blocks_shuffled": (
                "only the order of the batches is random: shuffle the rows before you cut them"
            ),
            "shuffled_in_batches": (
                "the rows are shuffled in each batch, but the batches are the same each time: "
                "shuffle all rows, and then cut them"
            ),
            "same_batches_each_time": (
                "the batches have the same rows in every epoch: shuffle all rows, and then cut them"
            ),
            "same_order_each_time": "the order is the same each time: every epoch needs a new one",
            "rng_not_used": "the order does not come from rng: do not use np.random",
            "columns_shuffled": (
                "each column is shuffled on its own, so the samples are mixed: shuffle whole rows"
            ),
            "values_changed": "the values are changed: a batch has rows of X",
            "with_replacement": (
                "rows are drawn with replacement: each row must be there once in an epoch"
            ),
            "rows_overlap": (
                "some rows are in more than one batch: draw the order of all rows once, and then "
                "cut it, so that the next batch begins where the last one ends"
            ),
            "last_batch_dropped": "the last, smaller batch is missing: keep it",
            "rows_missing": "some rows are in no batch",
            "size_is_number_of_batches": (
                "size is used as the number of batches: it is the number of rows in a batch"
            ),
            "empty_batch": "there is a batch without rows",
            "small_batch_not_last": (
                "the smaller batch is not the last: shuffle the rows, and then cut them in order"
            ),
            "sizes_equalised": (
                "the batches are made nearly equal: all have size rows, only the last has fewer"
            ),
            "one_batch": "all rows are in one batch",
            "one_row_each": "every batch has one row",
            "other_sizes": "the batches have wrong sizes: all have size rows, only the last fewer",
            "step_not_called": "step is never called: call step(batch) for each batch",
            "step_gets_a_row": "step gets a single row: give it a batch",
            "full_batch": "step gets all of X at once: give it one batch after the other",
            "one_epoch": "it trains for one epoch only: is a return inside the loop?",
            "one_batch_each_epoch": "each epoch takes one step only: is a return or break in the "
            "loop over batches?",
            "step_called_twice": (
                "step is called twice for each batch: keep the number that it returns"
            ),
            "one_epoch_more": "it trains for one epoch too many",
            "one_epoch_less": "it trains for one epoch too few",
            "mean_of_batches": (
                "this is the mean over batches: the last batch is smaller, so weight each loss "
                "with the number of its rows"
            ),
            "sum_of_batches": "the losses of the batches are summed: take the mean over samples",
            "sum_over_samples": "this is the sum over samples: divide by their number",
            "sum_divided_by_n": (
                "the sum of the mean losses is divided by n: multiply each by its number of rows"
            ),
            "divided_by_rows": "each loss is divided by its number of rows: multiply by it",
            "divided_by_rows_and_n": "each loss is divided by its number of rows: multiply by it",
            "divided_by_size": "it is divided by size: divide by the number of samples",
            "divided_by_batches": "it is divided by the number of batches: divide by that of rows",
            "full_size_for_all": (
                "every batch is counted with size rows: the last has fewer, use len(batch)"
            ),
            "divided_by_full_batches": (
                "it is divided by n // size, which does not count the last batch"
            ),
            "last_batch": "this is the loss of the last batch: take the mean over the epoch",
            "first_batch": "this is the loss of the first batch: take the mean over the epoch",
            "smallest_batch": "this is the smallest loss: take the mean over the epoch",
            "largest_batch": "this is the largest loss: take the mean over the epoch",
            "not_reset": "the sum is not set to 0 at the start of each epoch",
            "mean_of_all_so_far": "this is the mean over all epochs so far: take it in each epoch",
            "loss_of_each_step": "the list has the loss of each step: it must have one per epoch",
            "last_epoch_only": "this is the loss of the last epoch only: return a list",
            "mean_over_epochs": "this is the mean over all epochs: return a list",
        },
        "hints": (
            "rng.permutation(X) returns the rows of X in a new random order. X stays as it is.",
            "X[i : i + size] has fewer rows at the end, without an error. Let i run over "
            "range(0, len(X), size).",
            "Call batches in each epoch. Add up len(batch) * step(batch), and divide by len(X).",
        ),
    },
}
