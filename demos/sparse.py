"""Sparse codes: units that are on for few images each, at little loss.

    python demos/sparse.py                  10,000 embedded digits, under a minute
    python demos/sparse.py --data mnist     60,000 images, a few minutes

Three autoencoders share initial weights, layers and epochs: a single layer and a sigmoid make the
code of 256 units, so that each unit's weights are an image of what it looks for, and two layers
decode it. What differs is the price on the code. The plain one, the baseline, pays none, and its
units are half on. KL sparsity (Ng 2011) draws the mean activation of every unit, over a batch, to
rho = 0.1. An L1 penalty pulls all activations down alike and has no reason to keep a unit in use
at all: its weight is chosen for a similar mean, to which units that are never on contribute much.

The table gives, for held-out images, the mean activation, the shares of activations above 0.1 and
above 0.5, the units not used (mean below 0.01), the squared error per image, summed over pixels,
and how many times the plain one's that is.
"""

# %%
import numpy as np
from common import falling, images, options, save, show, timed

from miniae import (
    Autoencoder,
    Dense,
    KLSparsity,
    L1Penalty,
    ReLU,
    Sequential,
    Sigmoid,
    plots,
)

PENALTIES = {"plain": None, "KL": KLSparsity(0.1, weight=2.0), "L1": L1Penalty(0.25)}
CODE, HIDDEN, BATCH, LR, DECAY = 256, 256, 50, 2e-3, 0.1
EPOCHS = {"digits": 12, "mnist": 8}


# %%
def train(X, penalty, epochs, seed):
    """Train an autoencoder of rows X in [0, 1], with a penalty on its code."""
    pixels, rng = X.shape[1], np.random.default_rng(seed)
    encoder = Sequential(Dense(pixels, CODE, rng=rng), Sigmoid())
    last = Dense(HIDDEN, pixels, rng=rng)
    # Start from the mean image. Else units of the code, all of them positive, are drawn to 1 to
    # serve as a bias, and stay there: the plain one is much the worse for it.
    p = X.mean(axis=0).clip(1e-3, 1 - 1e-3)
    last.params["b"] = np.log(p / (1 - p))
    decoder = Sequential(Dense(CODE, HIDDEN, init="he", rng=rng), ReLU(), last)
    model = Autoencoder(pixels, CODE, encoder=encoder, decoder=decoder, penalty=penalty, seed=seed)
    # The decay takes the initial noise out of weights that no image has a use for.
    adam = falling(LR, epochs, len(X), BATCH, weight_decay=DECAY)
    return model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=adam, verbose=0)


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
    X, X_test = (x.reshape(len(x), -1) for x in images(chosen)[:2])
    epochs = 3 if chosen.quick else EPOCHS[chosen.data]
    rows, figures, plain = [], {}, None
    for name, penalty in PENALTIES.items():
        with timed(name):
            model = train(X, penalty, epochs, chosen.seed)
        code = model.encode(X_test)
        shares = [f"{(code > level).mean():.1%}" for level in (0.1, 0.5)]
        unused = int((code.mean(axis=0) < 0.01).sum())
        error = float(((model.reconstruct(X_test) - X_test) ** 2).sum(axis=1).mean())
        plain = plain or error
        label = name if penalty is None else str(penalty)
        rows.append((label, float(code.mean()), *shares, unused, error, error / plain))
        figures[f"activity_{name}"] = plots.code_activity(model, X_test)
        figures[f"filters_{name}"] = plots.filters(model)
    header = "mean", "above 0.1", "above 0.5", "unused", "squared error", "times plain"
    show((f"{CODE} units, {len(X_test):,} images", *header), rows, digits=3)
    save(chosen.out, **figures)


# %%
if __name__ == "__main__":
    main()
