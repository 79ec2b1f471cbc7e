"""Collaborative filtering: an autoencoder predicts the ratings that users have not given.

Each item is a row of ratings, one per user, most of them missing. AutoRec (Sedhain et al. 2015) is
an autoencoder of such rows with one hidden layer. Its loss, Masked(SquaredError()), counts the
ratings that were given; what it puts out in between are its predictions. Ratings are centred first,
so that a missing one, which enters as 0, stands for an average one: by the mean of all ratings in
one row of the table, and in another by the biases of user and item, so that the autoencoder learns
what these leave over. In training half of the inputs are dropped at random, and the weights decay.
When it predicts none is dropped, so that twice as much comes in; scaling up what is kept in
training, as dropout does, makes no clear difference here.

The built-in ratings are a mean, a bias of the user, a bias of the item, three tastes that users and
items share more or less, and noise. They are not rounded, so that the noise is a floor: but for
chance, no prediction has an RMSE below its standard deviation. The baselines are the mean of all
ratings, and that plus a bias per user and item, shrunk by a ridge penalty. A tenth of the ratings
is held out to judge by. A twentieth of the others chooses the penalty and the epoch at which
training stops. AutoRec beats both baselines, and does not reach the floor: it meets too few ratings
of each user to learn the tastes exactly. It does a little better on what the biases leave.

MovieLens' files are read with --ratings: u1.base with --test u1.test, or ratings.dat, of which a
tenth is held out. Predictions are clipped to the lowest and highest rating of the training set. For
a user or an item without training ratings, AutoRec's part is 0 and the mean or the biases remain.

    python demos/collaborative_filtering.py
    python demos/collaborative_filtering.py --ratings u1.base --test u1.test
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import options, save, show, timed
from movielens import as_tables, read_ratings

from miniae import Adam, Autoencoder, Masked, MaskingNoise, SquaredError, metrics

NOISE, TASTES = 0.7, 3


# %%
def make_ratings(n_users, n_items, rng):
    """Return ratings (n_users, n_items), NaN where none is given, and what they are but for noise.

    12 % are given, of some items many more than of others.
    """
    biases = 0.4 * rng.standard_normal((n_users, 1)) + 0.4 * rng.standard_normal(n_items)
    tastes = rng.standard_normal((n_users, TASTES)) @ rng.standard_normal((TASTES, n_items))
    truth = 3.5 + biases + 0.7 / TASTES**0.5 * tastes
    given = rng.random(truth.shape) < rng.uniform(0.02, 0.22, n_items)
    R = np.where(given, truth + NOISE * rng.standard_normal(truth.shape), np.nan)
    return R.astype(np.float32), truth


def hold_out(R, share, rng):
    """Return the table without a share of its ratings, and with these alone."""
    out = rng.random(R.shape) < share
    kept, held = np.where(out, np.nan, R), np.where(out, R, np.nan)
    if not (np.isfinite(kept).any() and np.isfinite(held).any()):
        raise ValueError(
            f"{np.isfinite(R).sum()} ratings are too few to hold out {share:.0%}: give more"
        )
    return kept, held


def add_biases(R, ridge, rounds=20):
    """Return mean + u + i for every user and item, from the ratings that are given.

    u and i minimise sum (R - mean - u - i)^2 + ridge (|u|^2 + |i|^2): for either in turn, the other
    held fixed, that is a mean of what is left over, shrunk.
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
    """Return predictions for the whole table, and the RMSE on the validation ratings by epoch."""
    rows, held = (R - centre).T, (validation - centre).T  # a row per item
    model = Autoencoder(
        rows.shape[1], 200, (), code_activation="sigmoid", loss=Masked(SquaredError()),
        corruption=MaskingNoise(0.5), seed=seed,
    )  # fmt: skip
    model.fit(rows, epochs=epochs, batch_size=32, optimizer=Adam(1e-3, weight_decay=1),
              validation_data=(rows, held), early_stopping=10, verbose=0)  # fmt: skip
    given = ~np.isnan(R)
    known = given.any(axis=1, keepdims=True) & given.any(axis=0)
    per_rating = len(held) / np.isfinite(held).sum()
    curve = np.sqrt(np.array(model.history["val_loss"]) * per_rating)
    return centre + np.where(known, model.reconstruct(rows).T, 0), curve


def draw(predictions, curves, R, test, validation):
    """Draw the RMSE by epoch, and by how many ratings an item has; return the figure."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    count = np.isfinite(R).sum(axis=0)
    groups = [g for g in np.array_split(np.argsort(count), 6) if np.isfinite(test[:, g]).any()]
    for i, (name, P) in enumerate(predictions.items()):
        style = {"color": f"C{i}", "label": name}
        if name in curves:
            left.plot(np.arange(1, len(curves[name]) + 1), curves[name], **style)
        else:
            left.axhline(metrics.rmse(P, validation), ls="--", **style)
        by_group = [metrics.rmse(P[:, g], test[:, g]) for g in groups]
        right.plot([count[g].mean() for g in groups], by_group, "o-", **style)
    left.set(title="In training: ratings to choose by", xlabel="epoch")
    left.set(ylabel="RMSE (rating points)")
    right.set(title="Ratings held out", xlabel="training ratings of the item")
    handles = left.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=(), ratings="", test="")
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
    print(f"{R.shape[0]:,} users, {R.shape[1]:,} items; {counts[0]} ratings to train on, "
          f"{counts[1]} to choose by, {counts[2]} held out")  # fmt: skip

    biases = min((add_biases(R, ridge) for ridge in (1, 3, 10, 30)),
                 key=lambda P: metrics.rmse(P, validation))  # fmt: skip
    mean = np.full_like(R, np.nanmean(R, dtype=np.float64))
    predictions, curves = {"mean of all ratings": mean, "biases of user and item": biases}, {}
    for name, centre in (("AutoRec", mean), ("AutoRec on what biases leave", biases)):
        with timed(name):
            filled = autorec(R, validation, centre, chosen.seed, 5 if chosen.quick else 200)
        predictions[name], curves[name] = filled
    if truth is not None:
        predictions["the truth without noise"] = truth
    low, high = np.nanmin(R), np.nanmax(R)
    predictions = {name: P.clip(low, high) for name, P in predictions.items()}
    rows = [(name, metrics.rmse(P, R), metrics.rmse(P, test)) for name, P in predictions.items()]
    show(("RMSE, rating points", "training ratings", "held-out ratings"), rows, digits=3)
    save(chosen.out, rmse=draw(predictions, curves, R, test, validation))


# %%
if __name__ == "__main__":
    main()
