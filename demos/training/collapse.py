# %% [markdown]
"""Posterior collapse: why it happens, and what cures it, KL warm-up and free bits.

    python demos/training/collapse.py                  5,000 built-in digits, under a minute
    python demos/training/collapse.py --data mnist     10,000 images, two minutes

A latent has collapsed if its posterior equals the prior for every image: its KL is 0, and it says
nothing about the image. Here, in plain training with a large learning rate, all 20 latents collapse
within an epoch. The table compares plain training with warm-up, three sizes of free bits, and a
smaller learning rate.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Adam

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import independent_pixels
from support.common import images, mean_image_logits, options, save, show, timed

LATENT, HIDDEN, RATE = 20, (256, 256, 256), 5e-3
N_TRAIN, EPOCHS = {"digits": 5000, "mnist": 10_000}, {"digits": 15, "mnist": 12}
RUNS = {
    "plain": {},
    "warm-up over 8 epochs": {"kl_warmup": 8},
    "free bits, 0.1 nats": {"free_bits": 0.1},
    "free bits, 0.5 nats": {"free_bits": 0.5},
    "free bits, 1 nat": {"free_bits": 1.0},
    "plain, steps / 5": {"lr": RATE / 5},
}


# %%
def train(X, X_test, epochs, seed, lr=RATE, **cure):
    """Train a VAE that starts from the mean image, with a cure or without one."""
    vae = VAE(X.shape[1:], LATENT, HIDDEN, activation="relu", seed=seed, **cure)
    vae.decoder.layers[-2].params["b"] = mean_image_logits(X)
    return vae.fit(X, epochs=epochs, batch_size=100, optimizer=Adam(lr), verbose=0,
                   validation_data=X_test)  # fmt: skip


def measure(vae, X):
    """Return a row of the table: active latents, live units, bound, reconstruction, KL."""
    hidden = np.random.default_rng(0).standard_normal((2000, LATENT), dtype=np.float32)
    for layer in vae.decoder.layers[:-2]:  # all but the last Dense and Reshape
        hidden = layer.forward(hidden)
    live, parts = (hidden.max(axis=0) > 0).sum(), vae.evaluate(X, return_dict=True)
    counts = f"{vae.active_units(X)} of {LATENT}", f"{live} of {HIDDEN[0]}"
    return *counts, float(vae.elbo(X).mean()), parts["reconstruction"], parts["kl"]


def draw_active(models):
    """Draw the active latents by epoch, a line for each run, and return the figure."""
    figure, ax = plt.subplots(figsize=(8.5, 4), layout="constrained")
    for marker, (name, vae) in zip("os^vD*", models.items(), strict=True):
        active = vae.history["val_active_units"]
        ax.plot(range(1, len(active) + 1), active, marker + "-", label=name, alpha=0.8)
    ax.set(xlabel="epoch", ylabel=f"active latents, of {LATENT}", ylim=(-0.5, LATENT + 0.5))
    ax.set_title("Latents whose posterior mean varies by more than 0.01 over held-out images")
    figure.legend(loc="outside right center", frameon=False)
    return figure


def draw_kl(models, X):
    """Draw the KL of each latent, the largest first, a panel for each run; return the figure."""
    figure, axes = plt.subplots(
        2, 3, figsize=(9, 5), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (name, vae) in zip(axes.flat, models.items(), strict=True):
        kl = np.sort(vae.kl_per_dimension(X))[::-1]
        ax.bar(range(1, LATENT + 1), kl)
        ax.set_title(f"{name}: {kl.sum():.1f} nats", fontsize="medium")
    figure.supxlabel("latents, the largest KL first")
    figure.supylabel("KL from the prior (nats)")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("collapse", __doc__, argv, data=tuple(EPOCHS))
    n_train = N_TRAIN[chosen.data]
    X, X_test, _, _ = images(chosen, n_train)
    X, X_test = X[:n_train], X_test[:2000]
    epochs = 2 if chosen.quick else EPOCHS[chosen.data]

    models = {}
    for name, cure in RUNS.items():
        with timed(f"{name}: {epochs} epochs on {len(X):,} images"):
            models[name] = train(X, X_test, epochs, chosen.seed, **cure)
    rows = [(name, *measure(vae, X_test)) for name, vae in models.items()]
    header = ("active latents", "live units", "bound on log p", "reconstruction", "KL")
    floor = independent_pixels(X, X_test)
    rows.append(("independent pixels", "none", "none", floor, -floor, 0.0))
    show(("held-out images, nats per image", *header), rows, digits=1)
    save(chosen.out, kl=draw_kl(models, X_test), active_units=draw_active(models))


# %%
if __name__ == "__main__":
    main()
