# %% [markdown]
"""Burda, Grosse and Salakhutdinov (2016): the likelihood of MNIST under a VAE, table 1, k = 1.

    python demos/reproduce/burda_2016.py                 6 of 8 stages, 364 epochs
    python demos/reproduce/burda_2016.py --stages 8      the paper's run, 3,280 epochs
    python demos/reproduce/burda_2016.py --only nll      measures the stages trained so far
    python demos/reproduce/burda_2016.py --quick         digits, 4 epochs: a try of the code

The paper trains a VAE with one stochastic layer on binary MNIST. Its test NLL, by importance
sampling with 5,000 samples per image, is 86.76 nats. Details that the paper does not give are as in
the authors' code (github.com/yburda/iwae). The baseline is the NLL of independent pixels.
"""

# %%
import math
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import Dense, ImportanceWeightedVAE, Sequential, Tanh, plots
from miniae.layers import Layer
from miniae.optim import Optimizer

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support import paper
from support.baselines import independent_pixels
from support.common import images, save, show

HIDDEN, LATENT, BATCH, N_TRAIN = 200, 50, 20, 59_600
ENDS = [(3 ** (i + 1) - 1) // 2 for i in range(8)]  # epochs until the end of each stage
PAPER = 86.76  # nats, table 1: one stochastic layer, VAE, k = 1
ROWS = 1000  # test images that are measured at a time


# %%
class LogVar(Layer):
    """mu, log std -> mu, log var = 2 log std: the paper's networks output the log std."""

    config = ("latent_dim",)

    def __init__(self, latent_dim):
        super().__init__()
        self.latent_dim = latent_dim
        self.factor = np.repeat(np.float32([1, 2]), latent_dim)

    def forward(self, x, training=False):
        """x (n, 2 * latent_dim) -> out of the same shape."""
        return self.remember(self.factor, x * self.factor)

    def backward(self, dout):
        """The derivative is 1 for mu and 2 for log std."""
        return dout * self.recall(dout)


class SummedAdam(Optimizer):
    """Adam with the authors' settings, on G, the sum (not the mean) of the samples' gradients.

    m = beta1 m + (1 - beta1) G from m = 0, v = beta2 v + (1 - beta2) G^2 from v = 1, and
    theta -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps).

    The authors' code has beta1 = 0.99, where the paper says 0.9. The second moment starts at 1.
    While the sum of squares is small against that 1, this is gradient descent with momentum, and
    the step depends on the scale of the gradient. In the authors' code a step uses the moments of
    the step before, because of the way in which Theano updates; that is not done here.
    """

    moments = ("m", "v")
    beta1, beta2, eps = 0.99, 0.999, 1e-4

    def __init__(self, lr, batch_size):
        super().__init__(lr)
        self.batch_size = batch_size

    def step(self, theta, dtheta):
        """See Optimizer. dtheta is the mean over the batch."""
        if "v" not in self.state:
            start = 1 / ((1 - self.beta2) * self.batch_size**2)
            self.state["v"] = np.full_like(theta, start)
        super().step(theta, dtheta)

    def update(self, theta, dtheta, lr, m, v):
        """See the class. As in miniae's Adam, factors are moved into scalars, to save time.

        With n samples, G = n dtheta. The state holds the sums m / (n (1 - beta1)) and
        v / (n^2 (1 - beta2)), whose updates need no factor on dtheta.
        """
        scale = (1 - self.beta2) ** 0.5
        rate = lr * (1 - self.beta2**self.t) ** 0.5 / (1 - self.beta1**self.t)
        m *= self.beta1
        m += dtheta
        v *= self.beta2
        v += dtheta * dtheta
        move = np.sqrt(v)
        move += self.eps / (scale * self.batch_size)
        np.divide(m, move, out=move)
        move *= rate * (1 - self.beta1) / scale
        theta -= move


def schedule(batches):
    """Return the learning rate as a function of the step, for so many batches per epoch.

    Stage i = 0, ..., 7 has 3^i epochs at the rate 1e-3 * 10^(-i/7), with the factor rounded to two
    digits, as in the authors' code.
    """

    def rate(step):
        stage = int(np.searchsorted(ENDS, step // batches, side="right"))
        return 1e-4 * round(10 ** (1 - stage / 7), 1)

    return rate


def build(X, seed):
    """Return the paper's model of flat images, untrained.

    784-200-200 tanh to mu and log std of 50 latents, and the mirror image; Glorot; biases 0, except
    those of the pixels, which are the logits of the mean image. Layers of the same shape start with
    different weights here. In the authors' code they start with the same ones. The loss uses one
    sample of log p(x, z) - log q(z|x): at k = 1 it is minus the ELBO with a sampled KL.
    """
    rng = np.random.default_rng(seed)
    h, k, pixels = HIDDEN, LATENT, X.shape[1]
    code = Dense(h, 2 * k, rng=rng)
    code.params["W"] *= np.sqrt((h + 2 * k) / (h + k))  # Glorot's limit for two layers of k outputs
    encoder = Sequential(
        Dense(pixels, h, rng=rng), Tanh(), Dense(h, h, rng=rng), Tanh(), code, LogVar(k)
    )
    out = Dense(h, pixels, rng=rng)
    mean = X.mean(axis=0, dtype=np.float64).clip(0.001, 0.999)
    out.params["b"] = np.log(mean / (1 - mean))
    decoder = Sequential(Dense(k, h, rng=rng), Tanh(), Dense(h, h, rng=rng), Tanh(), out)
    return ImportanceWeightedVAE(pixels, k, k=1, encoder=encoder, decoder=decoder, seed=seed)


def train(model, X, chosen, record):
    """Train the stages that are asked for, and save the model at the end of each stage.

    Images come in the order of the file. A pixel is 1 with a probability equal to its grey value,
    and is drawn again whenever the image is used. Test images are drawn once.
    """

    def batches():
        # The seed depends on the epoch, so a run that continues is the same as an unbroken run.
        rng = np.random.default_rng([chosen.seed, len(model.history.get("loss", ()))])
        return (paper.binary(X[i : i + BATCH], rng) for i in range(0, len(X), BATCH))

    def keep(model, epoch, logs):
        record.save()
        if epoch + 1 in ENDS:
            model.save(stage_file(chosen, ENDS.index(epoch + 1)))

    adam = SummedAdam(schedule(math.ceil(len(X) / BATCH)), BATCH)
    model.fit(batches, epochs=ENDS[chosen.stages - 1], optimizer=adam, callback=keep,
              checkpoint=chosen.out / "run.npz", verbose=2)  # fmt: skip


def stage_file(chosen, stage):
    """Return the file of a stage's model."""
    return chosen.out / f"stage_{stage}.npz"


def measure(model, stage, X_test, samples, record):
    """Return the test NLL of a stage's model, in nats. Parts in the record are not repeated."""
    total = 0.0
    for first in range(0, len(X_test), ROWS):
        x = X_test[first : first + ROWS]
        name = f"stage {stage}, NLL by {samples} samples of {len(x)} test images from {first}"
        begun = time.perf_counter()
        nll = record.measure(name, lambda x=x: -float(model.log_likelihood(x, k=samples).mean()))
        print(f"{name}: {nll:.3f} ({time.perf_counter() - begun:.0f} s)", flush=True)
        total += nll * len(x)
    return total / len(X_test)


def draw(epochs, bounds, nlls, data):
    """Draw the bound and the NLL of each stage by epochs, and the paper's; return the figure."""
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    ax.semilogx(epochs, bounds, "C1o-", label="minus the ELBO")
    ax.semilogx(epochs, nlls, "C0s-", label="NLL by importance sampling")
    ax.axhline(PAPER, color="k", ls="--", lw=1, label="NLL in the paper, 3,280 epochs")
    ax.set(xlabel="epochs, at the ends of the stages", ylabel="nats per test image")
    ax.set(title=f"VAE with {LATENT} latents, binary {data}")
    ax.set_xticks(epochs, [f"{e:,}" for e in epochs])
    ax.minorticks_off()
    ax.legend(frameon=False)
    return figure


# %%
def main(argv=None):
    """Run the reproduction; see the top of the file."""
    chosen, record = paper.start(
        "burda_2016",
        __doc__,
        argv,
        stages=(6, "stages to train, of 8"),
        samples=(5000, "importance samples per image"),
        only=("both", "train, nll or both"),
    )
    if not 1 <= chosen.stages <= len(ENDS):
        raise ValueError(f"--stages={chosen.stages} must be from 1 to {len(ENDS)}")
    if chosen.samples < 1:
        raise ValueError(f"--samples={chosen.samples} must be above 0")
    if chosen.only not in ("train", "nll", "both"):
        raise ValueError(f"--only={chosen.only} must be train, nll or both")
    if chosen.quick:
        chosen.stages, chosen.samples = min(chosen.stages, 2), min(chosen.samples, 50)
    X, X_test, _, _ = images(chosen)
    X, X_test = X.reshape(len(X), -1)[:N_TRAIN], X_test.reshape(len(X_test), -1)
    X_test = paper.binary(X_test, np.random.default_rng([chosen.seed, len(ENDS), 0]))
    model = build(X, chosen.seed)
    if chosen.only != "nll" and not stage_file(chosen, chosen.stages - 1).exists():
        train(model, X, chosen, record)
    if chosen.only == "train":
        return

    done = [i for i in range(chosen.stages) if stage_file(chosen, i).exists()]
    if not done:
        raise FileNotFoundError(f"{chosen.out} has no stage_0.npz yet: train first")
    rows = []
    for stage in done:
        kept = ImportanceWeightedVAE.load(stage_file(chosen, stage), encoder=model.encoder)
        trained = kept.history["loss"]
        bound, active = -float(kept.elbo(X_test).mean()), kept.active_units(X_test)
        nll = measure(kept, stage, X_test, chosen.samples, record)
        rows.append((f"{stage}", len(trained), trained[-1], bound, nll, active))
    header = ("epochs", "training, minus ELBO", "test, minus ELBO", "test NLL", "active units")
    pixels = -independent_pixels(X, X_test)
    show(("stage", *header), [("-, independent pixels", "-", "-", pixels, pixels, "0"), *rows])
    epochs, _, bounds, nlls, active = list(zip(*rows, strict=True))[1:]
    last = f"epochs: {epochs[-1]:,} of {ENDS[-1]:,}"
    record.table(
        f"VAE, one stochastic layer, k = 1, binary {chosen.data}",
        [
            *((f"test NLL, epochs: {epochs[i]:,}", "-", nlls[i]) for i in range(len(done) - 1)),
            (f"test NLL, {last}", PAPER, nlls[-1]),
            (f"active units of 50, {last}", "-", f"{active[-1]}"),
        ],
    )
    save(
        chosen.out,
        nll=draw(epochs, bounds, nlls, chosen.data),
        samples=plots.samples(kept, seed=chosen.seed),
    )


# %%
if __name__ == "__main__":
    main()
