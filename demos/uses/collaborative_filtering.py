# %% [markdown]
"""Collaborative filtering: an autoencoder predicts the ratings that users have not given.

    python demos/uses/collaborative_filtering.py
    python demos/uses/collaborative_filtering.py --ratings u1.base --test u1.test

AutoRec (Sedhain et al. 2015) is an autoencoder of the items' rows of ratings, most of which are
missing. Its loss counts the given ratings only. The validation ratings choose when to stop; then
several models are trained on all ratings and averaged, with a row per item and with a row per user.
The baselines are the mean of all ratings, and the biases of user and item. The options read
MovieLens' files.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import Adam, Autoencoder, Masked, MaskingNoise, SquaredError, metrics

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save, show, timed

NOISE, TASTES = 0.7, 3
MODELS = 4  # to average
ITEMS = "AutoRec of ratings minus biases"
USERS = "the same, with a row per user"
REFITTED = f"a row per item: all ratings, mean of {MODELS}"
BOTH = "mean of this and a row per user"


MAX_ENTRIES = 100_000_000  # of the table, which is held in memory, in float32
MAX_RATING = 1000  # a timestamp is larger


def read_lines(path):
    """Return the lines of a plain text file, without blank lines at its end."""
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder: give a file of ratings, such as u1.base")
    text = Path(path).read_text(encoding="latin-1")
    if text.startswith(("\x1f\x8b", "PK\x03\x04")):
        raise ValueError(f"{path} is compressed: unpack it first")
    if "\0" in text:
        raise ValueError(f"{path} is not plain text, or it is UTF-16: save it as UTF-8")
    text = text.removeprefix("\xef\xbb\xbf").rstrip()  # without UTF-8's byte-order mark
    if not text:
        raise ValueError(f"{path} has no ratings in it: give a file such as u1.base")
    return text.split("\n")


def read_ratings(path):
    """Return a dict of (user, item), as the file names them, to the rating.

    Each line has user, item, rating and timestamp, separated by tabs (u.data, u1.base) or by ::
    (ratings.dat). Spaces around them are ignored.

    Raises
    ------
    ValueError : a line is wrong; the message has the file, the line and the fault
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
        if abs(value) > MAX_RATING:
            raise ValueError(
                f"{where}: the rating (column 3) is {rating!r}, over {MAX_RATING}: "
                "column 3 looks like a timestamp, which belongs in column 4"
            )
        if (user, item) in ratings:
            raise ValueError(
                f"{where}: user {user} has already rated item {item}: remove one of the lines"
            )
        ratings[user, item] = value
    return ratings


def as_tables(train, test):
    """Return two tables (users, items) of all users and items, NaN where there is no rating."""
    if both := train.keys() & test.keys():
        user, item = min(both)
        raise ValueError(
            f"user {user} rates item {item} in the training file and in the test file: "
            "remove it from one of them"
        )
    names = [sorted(set(column)) for column in zip(*train, *test, strict=True)]
    places = [{name: i for i, name in enumerate(column)} for column in names]
    shape = tuple(len(column) for column in names)
    if shape[0] * shape[1] > MAX_ENTRIES:
        raise ValueError(
            f"a table of {shape[0]:,} users and {shape[1]:,} items has more than {MAX_ENTRIES:,} "
            "entries: use the ratings of fewer users"
        )
    tables = np.full((2, *shape), np.nan, np.float32)
    for table, ratings in zip(tables, (train, test), strict=True):
        for (user, item), rating in ratings.items():
            table[places[0][user], places[1][item]] = rating
    return tables


# %%
def make_ratings(n_users, n_items, rng):
    """Return ratings (n_users, n_items), NaN where none is given, and the ratings without noise.

    A rating is a mean, a bias of the user, a bias of the item, what three tastes of user and item
    have in common, and noise. 12 % of the ratings are given, many more for some items than for
    others.
    """
    biases = 0.4 * rng.standard_normal((n_users, 1)) + 0.4 * rng.standard_normal(n_items)
    tastes = rng.standard_normal((n_users, TASTES)) @ rng.standard_normal((TASTES, n_items))
    truth = 3.5 + biases + 0.7 / TASTES**0.5 * tastes
    given = rng.random(truth.shape) < rng.uniform(0.02, 0.22, n_items)
    R = np.where(given, truth + NOISE * rng.standard_normal(truth.shape), np.nan)
    return R.astype(np.float32), truth


def hold_out(R, share, rng):
    """Split off a share of the ratings: return a table without them, and a table of them alone."""
    out = rng.random(R.shape) < share
    kept, held = np.where(out, np.nan, R), np.where(out, R, np.nan)
    if not (np.isfinite(kept).any() and np.isfinite(held).any()):
        raise ValueError(
            f"{np.isfinite(R).sum()} ratings are too few to hold out {share:.0%}: give more ratings"
        )
    return kept, held


def add_biases(R, ridge, rounds=20):
    """Return mean + u + i for every user and item, fitted to the given ratings.

    u and i minimise sum (R - mean - u - i)^2 + ridge (|u|^2 + |i|^2). With i fixed, the best u is a
    mean of R - mean - i that is shrunk towards 0, and the other way round: they take turns.
    """
    given = ~np.isnan(R)
    mean = R[given].mean(dtype=np.float64)
    rest, i = np.where(given, R - mean, 0), np.zeros(R.shape[1])
    for _ in range(rounds):
        u = (rest - given * i).sum(axis=1, keepdims=True)
        u /= given.sum(axis=1, keepdims=True) + ridge
        i = (rest - given * u).sum(axis=0) / (given.sum(axis=0) + ridge)
    return (mean + u + i).astype(R.dtype)


def autorec(R, validation, centre, seed, epochs):
    """Return predictions for the whole table, and the RMSE on the validation ratings by epoch.

    Ratings are centred, so that the 0 of a missing rating stands for an average one. A user or an
    item without any rating gets the value by which ratings are centred. Training stops when the
    RMSE on the validation ratings no longer falls; with validation=None it takes all epochs.
    """
    rows, choice = (R - centre).T, {}  # a row per item
    if validation is not None:
        held = (validation - centre).T
        choice = {"validation_data": (rows, held), "early_stopping": 10}
    model = Autoencoder(
        rows.shape[1], 200, (), code_activation="sigmoid", loss=Masked(SquaredError()),
        corruption=MaskingNoise(0.5), seed=seed,
    )  # fmt: skip
    model.fit(rows, epochs=epochs, batch_size=32, optimizer=Adam(1e-3, weight_decay=1), verbose=0,
              **choice)  # fmt: skip
    given = ~np.isnan(R)
    known = given.any(axis=1, keepdims=True) & given.any(axis=0)
    predictions = centre + np.where(known, model.reconstruct(rows).T, 0)
    if validation is None:
        return predictions, None
    per_rating = len(held) / np.isfinite(held).sum()
    return predictions, np.sqrt(np.array(model.history["val_loss"]) * per_rating)


def refit(R, centre, seed, curve):
    """Return the mean prediction of MODELS models of other seeds, trained on all ratings.

    curve : the RMSE on the validation ratings by epoch, whose best epoch is the last one here
    """
    epochs = int(np.argmin(curve)) + 1
    return np.mean([autorec(R, None, centre, seed + i, epochs)[0] for i in range(MODELS)], axis=0)


def draw(predictions, curves, R, test, validation):
    """Draw the RMSE by epoch, and by the number of ratings of an item; return the figure."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    count = np.isfinite(R).sum(axis=0)
    groups = [g for g in np.array_split(np.argsort(count), 6) if np.isfinite(test[:, g]).any()]
    for i, (name, P) in enumerate(predictions.items()):
        style = {"color": f"C{i}", "label": name}
        if name in curves:
            left.plot(np.arange(1, len(curves[name]) + 1), curves[name], **style)
        elif name not in (REFITTED, BOTH):  # these two have seen the validation ratings
            left.axhline(metrics.rmse(P, validation), ls="--", **style)
        by_group = [metrics.rmse(P[:, g], test[:, g]) for g in groups]
        right.plot([count[g].mean() for g in groups], by_group, "o-", **style)
    left.set(title="Validation ratings, during training", xlabel="epoch")
    left.set(ylabel="RMSE (rating points)")
    right.set(title="Held-out ratings", xlabel="training ratings of the item")
    handles = right.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(
        "collaborative_filtering",
        __doc__,
        argv,
        data=(),
        ratings=("", "file of training ratings, in place of the built-in ones"),
        test=("", "file of test ratings; without it a tenth of the ratings is held out"),
    )
    rng, truth = np.random.default_rng(chosen.seed), None
    if chosen.test and not chosen.ratings:
        raise ValueError(f"--test {chosen.test} needs --ratings, the file to train on")
    if chosen.ratings:
        train = read_ratings(chosen.ratings)
        R, test = as_tables(train, read_ratings(chosen.test) if chosen.test else {})
    else:
        R, truth = make_ratings(*(200, 150) if chosen.quick else (800, 500), rng)
    if not chosen.test:
        R, test = hold_out(R, 0.1, rng)
    R, validation = hold_out(R, 0.05, rng)
    counts = [f"{np.isfinite(table).sum():,}" for table in (R, validation, test)]
    print(f"{R.shape[0]:,} users, {R.shape[1]:,} items; {counts[0]} training ratings, "
          f"{counts[1]} for validation, {counts[2]} held out")  # fmt: skip

    ridge = min((1, 3, 10, 30), key=lambda r: metrics.rmse(add_biases(R, r), validation))
    biases, epochs = add_biases(R, ridge), 5 if chosen.quick else 200
    mean = np.full_like(R, np.nanmean(R, dtype=np.float64))
    predictions, curves = {"mean of all ratings": mean, "biases of user and item": biases}, {}
    for name, centre in (("AutoRec", mean), (ITEMS, biases)):
        with timed(name):
            filled = autorec(R, validation, centre, chosen.seed, epochs)
        predictions[name], curves[name] = filled
    with timed(USERS):  # the same, with a row per user
        filled, curves[USERS] = autorec(R.T, validation.T, biases.T, chosen.seed, epochs)
        predictions[USERS] = filled.T
    # The validation ratings have chosen the ridge penalty and the epochs. Now train on them too.
    every = np.where(np.isnan(R), validation, R)
    centre = add_biases(every, ridge)
    with timed(REFITTED):
        by_item = refit(every, centre, chosen.seed, curves[ITEMS])
        by_user = refit(every.T, centre.T, chosen.seed, curves[USERS]).T
    predictions[REFITTED], predictions[BOTH] = by_item, (by_item + by_user) / 2
    if truth is not None:
        predictions["the ratings without noise"] = truth
    low, high = np.nanmin(R), np.nanmax(R)
    predictions = {name: P.clip(low, high) for name, P in predictions.items()}
    rows = [(name, metrics.rmse(P, R), metrics.rmse(P, test)) for name, P in predictions.items()]
    show(("RMSE, rating points", "training ratings", "held-out ratings"), rows, digits=3)
    save(chosen.out, rmse=draw(predictions, curves, R, test, validation))


# %%
if __name__ == "__main__":
    main()
