"""Kingma and Welling (2014): the bound against the samples seen, figure 2, and the 2-D manifold.

    python demos/reproduce/kingma_2014.py                    3 million samples for each model
    python demos/reproduce/kingma_2014.py --samples 100      100 million, as far as the paper goes
    python demos/reproduce/kingma_2014.py --quick            digits: a try of the code

The paper trains VAEs of 784-500-Nz tanh, and the mirror image, with Nz = 3, 5, 10, 20 and 200
latents on MNIST, and draws the bound on log p of training and of test images against the number of
training samples seen, from 10^5 to 10^8. It gives curves and no table. What it says in words can be
held against numbers: latent variables more than needed do not lead to overfitting, because those
that tell nothing cost nothing. So the table gives the bound on held-out images by Nz, and what the
bound on training images is above it. Figure 4 is a map of images, drawn by a decoder of 2 latents.

As in the paper's section 5: batches of 100, one sample of z for each image, Adagrad, its step size
the best of 0.01, 0.02 and 0.1 on training images after few iterations (here 200), all weights and
biases drawn from N(0, 0.01), of which 0.01 is the variance, and a prior N(0, I) on them, whose part
in the gradient of the mean loss is theta / n. A pixel's grey value, between 0 and 1, is the target
of a Bernoulli likelihood as it is: the paper does not say that images were made binary. The bound
is then the mean over all binary images that the grey ones stand for, seen by the encoder in grey.

The number of samples is what differs: at 3 million the curves are still rising, and the paper's go
on for 30 times as long. Training images are 10,000 of the 60,000, the KL is exact as in eq. 10.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
import paper
from common import images, independent_pixels, save, show

from miniae import VAE, plots
from miniae.optim import Optimizer

SIZES, HIDDEN, BATCH = (3, 5, 10, 20, 200), 500, 100
STEP_SIZES, TRIAL = (0.01, 0.02, 0.1), 200  # iterations by which one is chosen
N_MEASURED = 10_000  # training images whose bound is taken


# %%
class Adagrad(Optimizer):
    """theta -= lr * dtheta / sqrt(sum of all dtheta^2 so far). Duchi et al. (2011).

    weight_decay adds weight_decay * theta to the gradient: a normal prior on theta.
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
    """Return the paper's model, untrained."""
    vae = VAE(shape, latent_dim, (HIDDEN,), activation="tanh", seed=seed)
    rng = np.random.default_rng([seed, latent_dim])
    vae.theta = rng.normal(0, 0.01**0.5, vae.theta.shape)
    return vae


def choose_step_size(X, latent_dim, seed):
    """Return the step size whose bound after few iterations is the best."""
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
    """Return epochs, about six for each factor of 10, up to the last."""
    steps = np.unique(np.round(10 ** np.arange(0, np.log10(last), 1 / 6)).astype(int))
    return [*(int(e) for e in steps if e < last), last]


def train(X, X_test, latent_dim, epochs, chosen, record):
    """Return a trained model and its curve: rows of samples seen, bounds of training and test."""
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
    chosen, record = paper.start(__doc__, argv, samples=3.0)
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
