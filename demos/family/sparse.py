# %% [markdown]
"""Sparse codes: each unit is active for a few images only, and the error hardly grows.

    python demos/family/sparse.py                  10,000 built-in digits, under a minute
    python demos/family/sparse.py --data mnist     60,000 images, a few minutes

Three autoencoders with a code of 256 sigmoid units have the same initial weights and epochs.
They differ in the penalty on the code: none (the baseline), KL sparsity, and L1.
"""

# %%
import sys
from pathlib import Path

import numpy as np

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

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import decaying_adam, images, mean_image_logits, options, save, show, timed

PENALTIES = {"plain": None, "KL": KLSparsity(0.1, weight=2.0), "L1": L1Penalty(0.25)}
CODE, HIDDEN, BATCH, LR, DECAY = 256, 256, 50, 2e-3, 0.1
EPOCHS = {"digits": 12, "mnist": 8}


# %%
def train(X, penalty, epochs, seed):
    """Train an autoencoder of rows X in [0, 1], with a penalty on its code."""
    pixels, rng = X.shape[1], np.random.default_rng(seed)
    encoder = Sequential(Dense(pixels, CODE, rng=rng), Sigmoid())
    last = Dense(HIDDEN, pixels, rng=rng)
    # Start from the mean image. Otherwise some units of the code, all of which are positive, are
    # pulled to 1 to serve as a bias, and stay there. The plain autoencoder suffers most from that.
    last.params["b"] = mean_image_logits(X)
    decoder = Sequential(Dense(CODE, HIDDEN, init="he", rng=rng), ReLU(), last)
    model = Autoencoder(pixels, CODE, encoder=encoder, decoder=decoder, penalty=penalty, seed=seed)
    # Weight decay removes the initial noise from weights that no image uses.
    adam = decaying_adam(LR, epochs, len(X), BATCH, weight_decay=DECAY)
    return model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=adam, verbose=0)


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("sparse", __doc__, argv, data=tuple(EPOCHS))
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
