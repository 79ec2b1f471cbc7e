# %% [markdown]
"""Kingma and Welling (2014): the bound by training samples seen, figure 2, and the 2-D manifold.

    python demos/reproduce/kingma_2014.py                    3 million samples for each model
    python demos/reproduce/kingma_2014.py --samples 100      100 million, as in the paper
    python demos/reproduce/kingma_2014.py --quick            digits: a try of the code

The paper draws the bound for 3, 5, 10, 20 and 200 latents and gives no table. It says that too many
latents do not lead to overfitting, so the table compares the bounds of training and test images.
The second picture, figure 4 in the paper, is a map of images drawn by a decoder of 2 latents.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, plots
from miniae.optim import Optimizer

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support import paper
from support.baselines import independent_pixels
from support.common import images, save, show

SIZES, HIDDEN, BATCH = (3, 5, 10, 20, 200), 500, 100
STEP_SIZES, TRIAL = (0.01, 0.02, 0.1), 200  # iterations after which the best is chosen
N_MEASURED = 10_000  # training images whose bound is measured


# %%
class Adagrad(Optimizer):
    """theta -= lr * dtheta / sqrt(sum of all dtheta^2 so far). Duchi et al. (2011).

    weight_decay adds weight_decay * theta to the gradient. With 1 / n for n samples it is the prior
    N(0, I) that the paper puts on all weights.
    """

    moments = ("squares",)

    def update(self, theta, dtheta, lr, squares):
        """See the class."""
        gradient = self.weight_decay * theta
        gradient += dtheta
        squares += gradient * gradient
        move = np.sqrt(squares)
        move += 1e-10
        np.divide(gradient, move, out=move)
        move *= lr
        theta -= move


def build(shape, latent_dim, seed):
    """Return the paper's model, untrained: all weights and biases have variance 0.01.

    The grey value of a pixel is the target of the Bernoulli likelihood: the paper does not say that
    images were made binary. The bound is then a mean over the binary images that the grey one
    stands for, with the encoder seeing the grey one. The KL is exact, as in the paper's eq. 10.
    """
    vae = VAE(shape, latent_dim, (HIDDEN,), activation="tanh", seed=seed)
    rng = np.random.default_rng([seed, latent_dim])
    vae.theta = rng.normal(0, 0.01**0.5, vae.theta.shape)
    return vae


def choose_step_size(X, latent_dim, seed):
    """Return the step size with the best bound after a few iterations, as in the paper."""
    bounds = {}
    for lr in STEP_SIZES:
        vae, few = build(X.shape[1:], latent_dim, seed), X[: TRIAL * BATCH]
        try:
            vae.fit(few, epochs=1, batch_size=BATCH, optimizer=Adagrad(lr, 1 / len(X)), verbose=0)
            bounds[lr] = float(vae.elbo(few[:N_MEASURED]).mean())
        except FloatingPointError:
            bounds[lr] = -np.inf
    print(f"Nz = {latent_dim}, bound by step size:", {k: round(v, 1) for k, v in bounds.items()})
    return max(bounds, key=bounds.get)


def epochs_to_measure(last):
    """Return the epochs to measure: about six for each factor of 10, and the last."""
    steps = np.unique(np.round(10 ** np.arange(0, np.log10(last), 1 / 6)).astype(int))
    return [*(int(e) for e in steps if e < last), last]


def train(X, X_test, latent_dim, epochs, chosen, record):
    """Return a trained model and its curve: rows of samples seen, training bound, test bound."""
    name = f"Nz {latent_dim}"
    lr = record.measure(f"{name}, step size", lambda: choose_step_size(X, latent_dim, chosen.seed))
    vae, measured = build(X.shape[1:], latent_dim, chosen.seed), epochs_to_measure(epochs)

    def bounds():
        return [float(vae.elbo(images).mean()) for images in (X[:N_MEASURED], X_test)]

    def measure(vae, epoch, logs):
        record.save()
        if epoch + 1 in measured:
            both = record.measure(f"{name}, bounds after {epoch + 1} epochs", bounds)
            print(f"{name}, {(epoch + 1) * len(X):,} samples: training {both[0]:.2f}, "
                  f"test {both[1]:.2f}", flush=True)  # fmt: skip

    vae.fit(X, epochs=epochs, batch_size=BATCH, optimizer=Adagrad(lr, 1 / len(X)), verbose=0,
            callback=measure, checkpoint=chosen.out / f"{name.replace(' ', '_')}.npz")  # fmt: skip
    kept = record.results
    curve = [(e * len(X), *kept[f"{name}, bounds after {e} epochs"]) for e in measured]
    return vae, np.array(curve)


def draw(curves):
    """Draw the curves (by Nz) as in figure 2 of the paper, on its axes; return the figure."""
    figure, axes = plt.subplots(1, len(curves), figsize=(10, 2.8), sharey=True,
                                layout="constrained")  # fmt: skip
    for ax, (latent_dim, (samples, train, test)) in zip(axes, curves.items(), strict=True):
        ax.semilogx(samples, test, "C3-", label="test")
        ax.semilogx(samples, train, "C3--", label="training")
        ax.set(title=f"Nz = {latent_dim}", xlim=(min(1e5, samples[0]), 1e8))
    lowest = min(curve[1:].min() for curve in curves.values())
    axes[0].set(ylabel="bound, nats per image", ylim=(-150, -100) if lowest > -200 else None)
    axes[0].legend(frameon=False)
    figure.supxlabel("training samples seen", fontsize="medium")
    return figure


# %%
def main(argv=None):
    """Run the reproduction; see the top of the file."""
    chosen, record = paper.start(
        "kingma_2014", __doc__, argv, samples=(3.0, "millions of training samples")
    )
    if not chosen.samples > 0:
        raise ValueError(f"--samples={chosen.samples} million must be above 0")
    X, X_test, _, _ = images(chosen, quick=(500, 200))
    epochs = 3 if chosen.quick else max(1, round(chosen.samples * 1e6 / len(X)))
    sizes = (3, 20) if chosen.quick else SIZES
    curves = {}
    for latent_dim in (2, *sizes):
        vae, curve = train(X, X_test, latent_dim, epochs, chosen, record)
        if latent_dim == 2:
            manifold = plots.latent_manifold(vae)
        else:
            curves[latent_dim] = curve.T
    ends = {k: curve[1:, -1] for k, curve in curves.items()}
    rows = [(f"Nz = {k}", train, test, train - test) for k, (train, test) in ends.items()]
    seen = f"{epochs * len(X):,} samples"
    pixels = [independent_pixels(X, x) for x in (X[:N_MEASURED], X_test)]
    header = (f"bound after {seen}", "training", "test", "difference")
    rows.insert(0, ("independent pixels", *pixels, pixels[0] - pixels[1]))
    show(header, rows)
    record.table(
        f"bound on log p after {seen}, nats",
        [
            *((f"test, {name}", "a curve", test) for name, _, test, _ in rows[1:]),
            *((f"training above test, {name}", "-", gap) for name, *_, gap in rows),
        ],
    )
    save(chosen.out, bound=draw(curves), manifold=manifold)


# %%
if __name__ == "__main__":
    main()
