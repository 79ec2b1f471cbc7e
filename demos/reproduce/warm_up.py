# %% [markdown]
"""Warm-up of the KL and active units: Sonderby et al. (2016), after Bowman et al. (2016).

    MINIAE_DATA=<folder> python demos/reproduce/warm_up.py     60,000 images, some 45 minutes

In warm-up the KL's weight rises from 0 to 1, so that latents are in use before they cost anything.
The run trains a VAE with five layers of latents, 64-32-16-8-4, and one with a single layer of 50
(Burda et al. 2016), with and without warm-up, from several seeds. It counts the active units, and
measures the bound, a tighter bound of log p, and the KL of each layer.
"""

# %%
import sys
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, Adam, Dense, Sequential, Tanh
from miniae.latent import ACTIVE

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import independent_pixels
from support.common import images, mean_image_logits, save, show, timed
from support.paper import binary, start

MODELS = {"five layers": ((64, 32, 16, 8, 4), (256, 128, 64, 32, 16)), "one layer": ((50,), (200,))}
# The paper has 2,000 epochs with 200 of warm-up, larger networks, and batch normalisation. The
# sentences of Bowman et al. need a recurrent decoder, which can do without z, as the lower layers
# can here without the upper ones.
EPOCHS, WARM_UP, SEEDS, BATCH, RATE = 30, 10, 3, 256, 1e-3
DRAWS = {"mnist": (100, 1000), "digits": (4, 40)}  # few, many


# %%
def perceptron(n_in, hidden, n_out, rng):
    """Return a network with two hidden tanh layers of `hidden` units."""
    sizes = n_in, hidden, hidden
    layers = [part for a, b in zip(sizes[:-1], sizes[1:], strict=True)
              for part in (Dense(a, b, rng=rng), Tanh())]  # fmt: skip
    return Sequential(*layers, Dense(hidden, n_out, rng=rng))


class LayeredVAE(VAE):
    """A VAE with latents in layers, z_1 next to the data. Sonderby et al. (2016), section 2.1.

    The model goes down, p(z_L) = N(0, I), p(z_l | z_l+1), p(x | z_1); the posterior goes up,
    q(z_1 | x), q(z_2 | z_1) and so on. All but p(x | z_1) are diagonal Gaussians whose mean and log
    variance a network outputs. With one draw of all z from q, training minimises

        -log p(x | z_1) + w sum_l T_l,  T_l = log q(z_l | z_l-1) - log p(z_l | z_l+1),

    whose expectation at w = 1 is minus the ELBO. In training, the pixels of every batch are made
    binary again. Use `fit`, `evaluate` and `weigh` below; other inherited methods use z_1 only.

    Parameters
    ----------
    features : int, pixels, each a probability to be 1
    latents : tuple of int, the units of z_1, ..., z_L
    widths : tuple of int, the width of the hidden layers of the L networks, up and down
    kl_warmup, seed : as in VAE
    """

    def __init__(self, features, latents, widths, *, kl_warmup=0, seed=0):
        if len(latents) != len(widths):
            raise ValueError(
                f"latents={latents!r} and widths={widths!r} must have an entry for each layer"
            )
        rng, sizes = np.random.default_rng(seed), (features, *latents)
        up = [perceptron(a, h, 2 * b, rng) for a, h, b in zip(sizes, widths, latents, strict=False)]
        down = [
            perceptron(b, h, a if layer == 0 else 2 * a, rng)
            for layer, (a, h, b) in enumerate(zip(sizes, widths, latents, strict=False))
        ]
        super().__init__(features, latents[0], encoder=up[0], decoder=down[0], seed=seed,
                         kl_warmup=kl_warmup)  # fmt: skip
        self.up, self.down = [self.encoder, *up[1:]], [self.decoder, *down[1:]]
        for layer in range(1, len(latents)):
            self.parts[f"up {layer + 1}"] = self.up[layer]
            self.parts[f"down {layer + 1}"] = self.down[layer]
        self.lay_out(self.theta.dtype)
        self.features, self.latents, self.widths = features, latents, widths

    def draw(self, x, rng, training=False):
        """Draw all z from q(z | x); return the decoder output for z_1, and a dict per layer."""
        layers, z = [], x
        for network in self.up:
            mu, log_var = np.split(network.forward(z, training), 2, axis=1)
            eps, std = rng.standard_normal(mu.shape, dtype=mu.real.dtype), np.exp(0.5 * log_var)
            z = mu + eps * std
            layers.append({"mu": mu, "eps": eps, "std": std, "z": z, "log q": -log_var - eps**2})
        priors = [self.down[i].forward(layers[i]["z"], training) for i in range(1, len(layers))]
        priors.append(np.zeros((len(z), 2 * z.shape[1]), z.dtype))
        for layer, prior in zip(layers, priors, strict=True):
            m, s = np.split(prior, 2, axis=1)
            layer["off"], layer["precision"] = layer["z"] - m, np.exp(-s)
            log_p = -s - layer["off"] ** 2 * layer["precision"]
            layer["T"] = 0.5 * (layer["log q"] - log_p)  # log 2 pi is in both
        return self.decoder.forward(layers[0]["z"], training), layers

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """Return minus the ELBO of a batch, with weighted KL, from one draw. eps is ignored."""
        x, target, rng = self.prepare(x, target, rng, training)
        if training:
            x = target = binary(x, rng)
        out, layers = self.draw(x, rng, training)
        reconstruction = self.reconstruction_loss.forward(out, target)
        weight = self.kl_weight if training else self.beta
        self.cache = layers, weight / len(x)
        kl = {f"kl {i}": layer["T"].sum(axis=1).mean() for i, layer in enumerate(layers, 1)}
        total = sum(kl.values())
        return self.record(reconstruction + weight * total, reconstruction=reconstruction,
                            kl=total, **kl)  # fmt: skip

    def backward(self):
        """Fill dtheta with the gradient of the last loss, the noise eps held fixed.

        T = ((z - m)^2 e^-s + s - eps^2 - log_var) / 2 for a unit with the prior N(m, e^s), and a
        = (z - m) e^-s: dT/dz = a, dT/dm = -a, dT/ds = (1 - a (z - m)) / 2, dT/dlog_var = -1/2.
        So z_l+1 receives a gradient from the network to (m, s) of z_l, and z_1 from the decoder.
        Then, from the top down, mu and log_var receive theirs from z as in VAE, and z_l-1 from
        the network to mu and log_var.
        """
        layers, weight = self.cached()
        dz = [weight * layer["off"] * layer["precision"] for layer in layers]
        for i, layer in enumerate(layers[:-1]):
            slope = layer["off"] * layer["precision"]
            dm, ds = -weight * slope, 0.5 * weight * (1 - slope * layer["off"])
            dz[i + 1] += self.down[i + 1].backward(np.concatenate([dm, ds], axis=1))
        dz[0] += self.decoder.backward(self.reconstruction_loss.backward())
        for i in range(len(layers) - 1, -1, -1):
            dlog_var = dz[i] * (0.5 * layers[i]["eps"] * layers[i]["std"]) - 0.5 * weight
            both = np.concatenate([dz[i], dlog_var], axis=1)
            if i:
                dz[i - 1] += self.up[i].backward(both)
            else:
                self.encoder.backward_params(both)


# %%
def weigh(model, X, draws, seed, rows=1000):
    """Draw z from q(z | x) `draws` times for each row of X.

    Returns
    -------
    log_weights : (draws, n), log p(x, z) - log q(z | x) in nats; their mean is the bound
    kl : for each layer (units,), the KL of each unit, a mean over draws and rows
    halves : for each layer (2, n, units), posterior means over the even and the odd draws
    """
    rng, log_weights = np.random.default_rng(seed), np.empty((draws, len(X)))
    halves = [np.zeros((2, len(X), n)) for n in model.latents]
    kl = [np.zeros(half.shape[2]) for half in halves]
    for first in range(0, len(X), rows):
        here = slice(first, first + rows)
        for j in range(draws):
            out, layers = model.draw(X[here], rng)
            log_weights[j, here] = -model.reconstruction_loss.per_sample(out, X[here])
            for half, kl_of_layer, layer in zip(halves, kl, layers, strict=True):
                log_weights[j, here] -= layer["T"].sum(axis=1)
                kl_of_layer += layer["T"].sum(axis=0, dtype=np.float64) / (draws * len(X))
                half[j % 2, here] += layer["mu"] / (draws // 2)
    return log_weights, kl, halves


def active_units(halves):
    """Return how many units of a layer have a posterior mean that varies over the data.

    The posterior mean of a unit of an upper layer is a mean over draws of the layers below, so it
    has noise. The noise of the two halves of the draws is independent, so their covariance over the
    data is the variance without noise.
    """
    a, b = (half - half.mean(axis=0) for half in halves)
    return int(((a * b).mean(axis=0) > ACTIVE).sum())


def log_p(log_weights):
    """Return a bound of log p, a mean over images, from log weights (draws, n).

    The more draws, the tighter it is.
    """
    return float((np.logaddexp.reduce(log_weights, axis=0) - np.log(len(log_weights))).mean())


def measure(model, X, draws, seed):
    """Return both bounds, and the KL and the active units of each layer, on images X.

    A unit is active if its posterior mean has a variance above 0.01 (Burda et al. 2016, section
    5.2), or by KL if its KL is above 0.01 nats (Sonderby et al.). In a lower layer they differ: a
    unit that only repeats what the layer above says about it varies, but has no KL.
    """
    log_weights, kl, halves = weigh(model, X, draws, seed)
    return {
        "bound": float(log_weights.mean()),
        "log p": log_p(log_weights),
        "KL": [float(of_units.sum()) for of_units in kl],
        "active": [active_units(half) for half in halves],
        "active by KL": [int((of_units > ACTIVE).sum()) for of_units in kl],
    }


def train(name, warm_up, seed, X, epochs, chosen, record):
    """Return one model, trained from one seed. A checkpoint is continued if there is one."""
    latents, widths = MODELS[name]
    model = LayeredVAE(X.shape[1], latents, widths, kl_warmup=warm_up, seed=seed)
    model.decoder.layers[-1].params["b"] = mean_image_logits(X)
    file = chosen.out / f"{name.replace(' ', '_')}_{warm_up}_{seed}.npz"
    with timed(f"{name}, warm-up {warm_up}, seed {seed}: {epochs} epochs"):
        model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=Adam(RATE), checkpoint=file,
                  callback=record.save, verbose=0)  # fmt: skip
    return model


def run(X_test, chosen, *which):
    """Return the results of one model on the test images, and its KL by epoch."""
    model = train(*which)
    history = [model.history[f"kl {i}"] for i in range(1, len(model.latents) + 1)]
    return {
        **measure(model, X_test, DRAWS[chosen.data][0], chosen.seed),
        "KL by epoch": history,
    }


def by_draws(X_test, chosen, *which):
    """Return the bounds of log p by few and by many draws, of a few test images."""
    few, many = DRAWS[chosen.data]
    log_weights, _, _ = weigh(train(*which), X_test[:many], many, chosen.seed)
    return [log_p(log_weights[:few]), log_p(log_weights)]


def draw_kl(results):
    """Draw the KL of each layer by epoch, a panel for each model and schedule."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True, layout="constrained")
    for ax, (name, runs) in zip(axes.T.flat, results.items(), strict=True):
        for result in runs:
            for i, kl in enumerate(result["KL by epoch"]):
                label = f"z_{i + 1}" if result is runs[0] else None
                ax.semilogy(range(1, len(kl) + 1), np.maximum(kl, 1e-3), f"C{i}", lw=1, label=label)
        ax.set(title=name, ylim=(1e-3, 300))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.supxlabel("epoch")
    figure.supylabel("KL of a layer (nats per image), a line for each seed")
    return figure


# %%
def main(argv=None):
    """Run the reproduction; see the top of the file."""
    chosen, record = start("warm_up", __doc__, argv)
    X, X_test = (x.reshape(len(x), -1) for x in images(chosen, quick=(300, 200))[:2])
    X_test = binary(X_test, np.random.default_rng([chosen.seed, 1]))
    epochs, warm_up, seeds = (2, 1, 1) if chosen.quick else (EPOCHS, WARM_UP, SEEDS)

    results, tighter = {}, {}
    for name in MODELS:
        for length in (0, warm_up):
            title = f"{name}, " + (f"warm-up over {length} epochs" if length else "no warm-up")
            results[title], tighter[title] = [], []
            for seed in range(chosen.seed, chosen.seed + seeds):
                which = X_test, chosen, name, length, seed, X, epochs, chosen, record
                what = f"{title}, seed {seed}"
                results[title].append(record.measure(what, partial(run, *which)))
                again = record.measure(f"{what}, log p by draws", partial(by_draws, *which))
                tighter[title].append(again)

    def by_layer(values, digits=0):
        return " + ".join(f"{value:.{digits}f}" for value in values)

    header = ("bound", "log p, at least", "KL", "KL by layer", "active by KL", "active by variance")
    rows = [("independent pixels", independent_pixels(X, X_test), "-", "-", "-", "-", "-")]
    for title, runs in results.items():
        for seed, of in enumerate(runs, chosen.seed):
            counts = by_layer(of["active by KL"]), by_layer(of["active"])
            numbers = of["bound"], of["log p"], sum(of["KL"]), by_layer(of["KL"], 1)
            rows.append((f"{title}, seed {seed}", *numbers, *counts))
    show((f"nats per test image, {epochs} epochs", *header), rows)

    table = []
    for title, runs in results.items():
        for seed, of in enumerate(runs, chosen.seed):
            name = f"{title}, seed {seed}: active units by KL"
            table.append((name, "-", by_layer(of["active by KL"])))
        for what, key in (("bound", "bound"), ("log p, at least", "log p")):
            values = [of[key] for of in runs]
            text = f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
            table.append((f"   {what} (nats)", "-", text))
        few, many = DRAWS[chosen.data]
        text = "{:.2f}, {:.2f}".format(*np.mean(tighter[title], axis=0))
        table.append((f"   of {many:,} images by {few} and by {many:,} samples", "-", text))
    record.table(f"{len(runs)} seeds, {epochs} epochs", table)
    save(chosen.out, kl=draw_kl(results))


# %%
if __name__ == "__main__":
    main()
