"""Checks of a training loop in mini-batches."""

import numpy as np

from miniae.exercises.checks.loops_cuts import CUTS, cut, cut_like
from miniae.exercises.questions import FORMULAS, Named, Wrong, agree, numbers


def shuffled_batches(X, size, rng):
    """Return the rows of X in batches, in random order."""
    shuffled = rng.permutation(X)
    return [shuffled[i : i + size] for i in range(0, len(X), size)]


def rows_of(X, size, batches):
    """Return the batches as arrays; raise Wrong if they are not a list of arrays (m, features)."""
    if batches is None:
        raise Wrong("batches returns None: is the return missing at the end?", "none")
    if isinstance(batches, np.ndarray) and batches.ndim == 3:
        batches = list(batches)
    if not isinstance(batches, list | tuple):
        said = f"batches must return a list of arrays, got {type(batches).__name__}"
        raise Wrong(said, "not_a_list")
    arrays = [numbers(batch, "a batch") for batch in batches]
    if arrays and all(array.ndim == 1 for array in arrays):
        if all(array.shape == X.shape[1:] for array in arrays):
            raise Named(f"A batch has shape {arrays[0].shape}", ["one_row_each"])
        if np.isin(np.concatenate(arrays), np.arange(len(X))).all():
            raise Named("The batches have numbers from 0 to n - 1", ["numbers_of_rows"])
    if not arrays or any(array.ndim != 2 for array in arrays):
        raise Wrong("every batch must be an array (rows, features)", "batch_shape")
    others = [array.shape for array in arrays if array.shape[1] != X.shape[1]]
    if others:
        raise Wrong(f"a batch has shape {others[0]}, X has {X.shape[1]} columns", "batch_shape")
    return arrays


def check_batches(ask):
    """Each row once, in a new order each time, in batches of the right size."""
    size = int(ask.rng.integers(6, 9))
    n = 4 * size + 2  # equal parts, and parts of n // size rows, have other sizes
    X = ask.rng.standard_normal((n, 3)).round(6)
    seed = int(ask.rng.integers(1000))

    def draw(rng):
        return rows_of(X, size, ask("batches", X, size, rng))

    rng = np.random.default_rng(seed)
    found, again = draw(rng), draw(rng)
    check_rows(X, found, size)
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
    check_rows(even, rows_of(X, size, ask("batches", even, size, rng)), size)


def check_rows(X, batches, size):
    """Raise Named unless the batches have all rows of X once, and the right sizes."""
    rows, sizes = np.concatenate(batches), [len(batch) for batch in batches]
    said = f"X has {len(X)} rows, the size is {size}, and the batches have {sizes} rows"
    known = {tuple(row) for row in X}
    if not all(tuple(row) in known for row in rows):
        key = "values_changed"
        if all(set(rows[:, j]) <= set(X[:, j]) for j in range(X.shape[1])):
            key = "columns_shuffled"
        elif {tuple(sorted(row)) for row in rows} <= {tuple(sorted(row)) for row in X}:
            key = "features_shuffled"
        raise Named("A batch has a row that X does not have", [key])
    distinct = len({tuple(row) for row in rows})
    expected = [len(batch) for batch in cut(X, size)]
    if sizes == expected and distinct == len(X):
        return
    key = cut_like(batches, len(X), size)
    if key:
        raise Named(said, [key])
    if distinct < len(rows):
        extra = len(rows) - distinct
        key = "rows_overlap"
        if len(rows) == len(X) or any(len(set(map(tuple, b))) < len(b) for b in batches):
            key = "with_replacement"
        raise Named(f"{said}; {extra} rows are there more than once", [key])
    key = "rows_missing" if len(rows) < len(X) else "other_sizes"
    if sorted(sizes) == sorted(expected):
        key = "small_batch_not_last"
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


CALLS = {  # key: sentence, and lists of the numbers of rows with which step is called
    "full_batch": (
        "step gets all of X at once: give it one batch after the other",
        lambda e, b, n: [[n] * e, [n] * (e * len(b))],
    ),
    "one_epoch": (
        "it trains for one epoch only: is a return inside the loop?",
        lambda e, b, n: [b],
    ),
    "one_batch_each_epoch": (
        "each epoch takes one step only: is a return or break in the loop over batches?",
        lambda e, b, n: [b[:1] * e, b[-1:] * e],
    ),
    "one_step": (
        "step is called once only: is the return inside both loops?",
        lambda e, b, n: [b[:1]],
    ),
    "step_called_twice": (
        "step is called twice for each batch: keep the number that it returns",
        lambda e, b, n: [[m for m in b * e for _ in range(2)], b * 2 * e],
    ),
    "first_batch_twice": (
        "the first batch of an epoch is used twice: call step only inside the loop",
        lambda e, b, n: [[b[0], *b] * e, [b[0], *(b * e)]],
    ),
    "step_on_all_rows": (
        "step is also called with all of X, which changes the weights once more: the loss of an "
        "epoch comes from the losses of its batches",
        lambda e, b, n: [[*b, n] * e, [n, *b] * e, [*(b * e), n], [n, *(b * e)]],
    ),
    "one_epoch_more": (
        "it trains for one epoch too many",
        lambda e, b, n: [b * (e + 1)],
    ),
    "one_epoch_less": (
        "it trains for one epoch too few",
        lambda e, b, n: [b * (e - 1)],
    ),
    "epochs_and_size_exchanged": (
        "epochs and size are exchanged",
        lambda e, b, n: [[len(x) for x in cut(range(n), e)] * b[0]],
    ),
    "size_is_epochs": (
        "the batches have as many rows as there are epochs: give size to batches",
        lambda e, b, n: [[len(x) for x in cut(range(n), e)] * e],
    ),
}


def check_fit(ask):
    """One step for each batch, all rows in each epoch, and the mean over samples as the loss."""
    # 5 batches, the last with 2 rows: all these numbers differ, and so do the wrong batches.
    n, size, epochs = 26, 6, 7
    X = ask.rng.standard_normal((n, 3)).round(6)
    step = Recorder(ask.rng)
    got = ask("fit", step, X, epochs, size, np.random.default_rng(int(ask.rng.integers(1000))))
    sizes = [len(batch) for batch in step.batches]
    said = f"With {n} rows, size {size}, {epochs} epochs, step was called with {sizes} rows"
    if not sizes:
        raise Named(said, ["step_not_called"])
    shapes = [batch.shape for batch in step.batches if batch.shape[1:] != X.shape[1:]]
    if shapes and shapes[0] == X.shape[1:]:
        raise Named("step got something else than an array (rows, features)", ["step_gets_a_row"])
    if shapes:
        raise Wrong(f"step got an array {shapes[0]}, not (rows, {X.shape[1]})", "batch_shape")
    expected = [len(batch) for batch in cut(X, size)]
    k = len(expected)
    if sizes != expected * epochs:
        for key, (_, calls) in CALLS.items():
            if sizes in calls(epochs, expected, n):
                raise Named(said, [key])
        each = len(sizes) // epochs  # as many batches in each epoch?
        if sizes == sizes[:each] * epochs:
            check_rows(X, step.batches[:each], size)
        raise Named(said, ["other_sizes"])
    orders = [step.batches[i : i + k] for i in range(0, len(sizes), k)]
    for order in orders:
        check_rows(X, order, size)
    orders = [np.concatenate(order) for order in orders]
    if all(np.array_equal(order, X) for order in orders):
        raise Named("The rows are in the order of X", ["no_shuffle"])
    if np.array_equal(orders[0], X):
        raise Named("The rows of the first epoch are in the order of X", ["no_shuffle"])
    if all(np.array_equal(order, orders[0]) for order in orders):
        raise Named("The order is the same in every epoch", ["same_order_each_time"])
    members = [{tuple(row) for row in order[:size]} for order in orders]
    if all(member == members[0] for member in members):
        raise Named("The first batch has the same rows in every epoch", ["same_batches_each_time"])
    losses = np.reshape(step.losses, (epochs, k))
    check_losses(ask, got, losses, np.array(expected, float), size, X)


def check_losses(ask, got, losses, rows, size, X):
    """Compare the returned losses, one for each epoch."""
    (epochs, k), n = losses.shape, rows.sum()
    total, plain, so_far = losses @ rows, losses.sum(axis=1), np.arange(1, len(losses) + 1)
    right = total / n
    mistakes = {
        "mean_of_batches": plain / k,
        "sum_of_batches": plain,
        "sum_over_samples": total,
        "sum_divided_by_n": plain / n,
        "divided_by_rows": losses @ (1 / rows),
        "divided_by_rows_and_n": losses @ (1 / rows) / n,
        "divided_by_size": total / size,
        "divided_by_batches": total / k,
        "divided_by_last_rows": total / rows[-1],
        "divided_by_epochs": total / epochs,
        "divided_by_columns": total / X.shape[1],
        "divided_by_all_entries": total / X.size,
        "full_size_for_all": plain * size / n,
        "divided_by_full_batches": plain / (k - 1),
        "divided_by_rows_counted_full": total / (k * size),
        "last_batch": losses[:, -1],
        "first_batch": losses[:, 0],
        "reset_for_each_batch": losses[:, -1] * rows[-1] / n,
        "smallest_batch": losses.min(axis=1),
        "largest_batch": losses.max(axis=1),
        "median_batch": np.median(losses, axis=1),
        "last_rows_for_all": plain * rows[-1] / n,
        "best_so_far": np.minimum.accumulate(right),
        "one_epoch_late": np.array([0, *right[:-1]]),
        "same_loss_each_epoch": np.full(epochs, right[-1]),
        "not_reset": np.cumsum(total) / n,
        "mean_of_all_so_far": np.cumsum(total) / (n * so_far),
        "mean_of_all_so_far__mean_of_batches": np.cumsum(plain) / (k * so_far),
        "not_reset__mean_of_batches": np.cumsum(plain) / k,
        "not_reset__sum_of_batches": np.cumsum(plain),
        "not_reset__sum_over_samples": np.cumsum(total),
        "not_reset__full_size_for_all": np.cumsum(plain) * size / n,
        "divided_by_all_epochs": total / (n * epochs),
        "count_not_reset": total / (n * so_far),
        "divided_in_loop": divided_in_loop(losses, rows, np.full(k, n)),
        "divided_in_loop_by_rows": divided_in_loop(losses, rows, np.cumsum(rows)),
    }
    array = numbers(got, "the list of losses")
    if array.size in (losses.size, k):
        raise Named(f"It returns {array.size} numbers", ["loss_of_each_step"])
    for key, value in {"last_epoch_only": right[-1], "mean_over_epochs": right.mean()}.items():
        if array.size == 1 and agree(array.ravel()[0], value):
            raise Named("It returns one number", [key])
    if array.size == 1:
        raise Named("It returns one number", ["one_number_for_all_epochs"])
    if array.shape == right.shape and (array != 0).sum() == 1:
        raise Named(f"All but one of the {epochs} losses are 0", ["written_to_one_entry"])
    if array.shape == (epochs + 1,):
        raise Named(f"It returns {epochs + 1} numbers for {epochs} epochs", ["one_loss_more"])
    given = {"losses": losses, "rows": rows, "n": n, "size": size, "batches": k, "epochs": epochs}
    steps = {"total": "sum(losses * rows, axis=1)", "loss": "total / n"}
    mistakes[FORMULAS] = [(steps, given)]
    ask.equal(array, right, mistakes, "the losses")


def divided_in_loop(losses, rows, by):
    """Return the losses of code that divides its sum after each batch."""
    total = np.zeros(len(losses))
    for loss, m, size in zip(losses.T, rows, by, strict=True):
        total = (total + m * loss) / size
    return total


EXERCISES = {
    "minibatch_loop": {
        "title": "A training loop in mini-batches",
        "minutes": 20,
        "parts": {"batches": check_batches, "fit": check_fit},
        "library": {"batches": shuffled_batches},
        "mistakes": {
            **{key: words for key, (words, _) in {**CALLS, **CUTS}.items()},
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
            "features_shuffled": (
                "the columns of X are in another order: shuffle the rows, axis 0"
            ),
            "numbers_of_rows": "a batch has the numbers of its rows: return X[numbers], the rows",
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
            "rows_missing": "some rows are in no batch",
            "other_sizes": "the batches have wrong sizes: all have size rows, only the last fewer",
            "step_not_called": "step is never called: call step(batch) for each batch",
            "step_gets_a_row": "step gets a single row: give it a batch",
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
            "divided_by_last_rows": (
                "it is divided by the rows of the last batch: divide by len(X)"
            ),
            "divided_by_columns": "it is divided by the number of features: divide by len(X)",
            "divided_by_all_entries": "it is divided by X.size: divide by the rows, len(X)",
            "divided_by_epochs": "it is divided by the number of epochs: divide by len(X)",
            "divided_by_all_epochs": "it is divided by epochs too: divide by len(X) only",
            "divided_by_rows_counted_full": (
                "it is divided by size times the number of batches: the last batch has fewer rows"
            ),
            "reset_for_each_batch": (
                "the sum is set to 0 for each batch: set it to 0 once, before the loop over batches"
            ),
            "median_batch": "this is the median over batches: take the mean over samples",
            "last_rows_for_all": (
                "every batch is counted with the rows of the last one: use len(batch) in the loop"
            ),
            "best_so_far": "this is the smallest loss so far: return the loss of each epoch",
            "one_epoch_late": (
                "each loss is that of the epoch before: add the loss to the list after the loop "
                "over batches"
            ),
            "same_loss_each_epoch": "all entries are the loss of the last epoch",
            "one_number_for_all_epochs": "it is one number: return a list with one for each epoch",
            "count_not_reset": "the count of rows is not set to 0 at the start of each epoch",
            "divided_in_loop": "the sum is divided after each batch: divide once, after the loop",
            "divided_in_loop_by_rows": (
                "the sum is divided after each batch: divide once, after the loop"
            ),
            "written_to_one_entry": "all epochs are written to one entry: each has its own",
            "one_loss_more": "the list has an entry too many: one for each epoch",
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
