"""A VAE made of a student's own functions: it trains on the digits, samples, and draws a picture.

    python -m miniae.exercises payoff DIR

Functions that are not solved yet come from the library. It takes less than a minute: training ends
after 40 seconds, however many epochs that are.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from miniae import losses
from miniae.digits import synthetic_digits
from miniae.exercises.catalogue import find
from miniae.exercises.checks.loops import shuffled_batches
from miniae.exercises.grader.processes import BROWSER
from miniae.exercises.grader.worker import load, verdict
from miniae.numerics import sigmoid
from miniae.optim import Adam

LATENT, HIDDEN, BATCH = 8, 100, 100
SECONDS = 40  # of training, at most
PARTS = {  # of the model: the functions to take from each exercise
    "sigmoid_softplus": ("sigmoid",),
    "activations_backward": ("tanh_backward",),
    "dense_forward": ("dense_forward",),
    "dense_backward": ("dense_backward",),
    "bernoulli_nll": ("bernoulli_nll", "bernoulli_nll_backward"),
    "adam": ("Adam",),
    "reparameterise_forward": ("reparameterise",),
    "reparameterise_backward": ("reparameterise_backward",),
    "kl_value": ("gaussian_kl",),
    "kl_gradient": ("gaussian_kl_backward",),
    "elbo": ("elbo_loss", "elbo_backward"),
    "minibatch_loop": ("batches", "fit"),
}


class Library:
    """The library's answers, with the names and arguments of the exercises."""

    sigmoid = staticmethod(sigmoid)

    @staticmethod
    def tanh_backward(dout, out):
        """Return dx."""
        return dout * (1 - out**2)

    @staticmethod
    def dense_forward(x, W, b):
        """Return out."""
        return x @ W + b

    @staticmethod
    def dense_backward(dout, x, W):
        """Return dx, dW, db."""
        return dout @ W.T, x.T @ dout, dout.sum(axis=0)

    @staticmethod
    def bernoulli_nll(logits, target):
        """Return the loss, a sum over features and a mean over samples."""
        return losses.BernoulliNLL().forward(logits, target)

    @staticmethod
    def bernoulli_nll_backward(logits, target):
        """Return dlogits."""
        loss = losses.BernoulliNLL()
        loss.forward(logits, target)
        return loss.backward()

    @staticmethod
    def Adam(lr, beta1, beta2, eps):
        """Return the optimiser."""
        return Adam(lr, betas=(beta1, beta2), eps=eps)

    @staticmethod
    def reparameterise(h, eps):
        """Return z."""
        mu, log_var = np.split(h, 2, axis=1)
        return mu + np.exp(log_var / 2) * eps

    @staticmethod
    def reparameterise_backward(dz, log_var, eps):
        """Return dmu, dlog_var."""
        return dz, dz * eps * np.exp(log_var / 2) / 2

    @staticmethod
    def gaussian_kl(mu, log_var):
        """Return the KL, a sum over latents and a mean over samples."""
        return losses.gaussian_kl(mu, log_var).sum() / len(mu)

    @staticmethod
    def gaussian_kl_backward(mu, log_var):
        """Return dmu, dlog_var."""
        return [gradient / len(mu) for gradient in losses.gaussian_kl_grad(mu, log_var)]

    batches = staticmethod(shuffled_batches)


def collect(folder, student=""):
    """Return the functions of the model by name, and why each is the student's or not.

    Returns
    -------
    functions : dict, from the name to the student's function, or to the library's
    states : dict, from (id of the exercise, name) to "done", "not started", "wrong", "error" or
        "missing"; "done" is the student's own
    """
    functions, states = {}, {}
    for id, names in PARTS.items():
        exercise, path, found = find(id), Path(folder) / find(id).file, {}
        try:
            found = load(path)
            failed = "missing"
        except FileNotFoundError:
            failed = "missing"
        except (Exception, SystemExit):  # of the student's code, or the line of a stub
            failed = "error"
        for name in names:
            state = verdict(exercise, name, found, student)[0] if name in found else failed
            states[id, name] = state
            theirs = getattr(Library, name, None)
            functions[name] = found[name] if state == "done" else theirs
    return functions, states


class Network:
    """Dense, tanh, Dense on one vector theta, computed by the functions of `collect`.

    Parameters
    ----------
    n_in, n_out : int, features
    functions : dict
    rng : Generator, draws the weights
    """

    def __init__(self, n_in, n_out, functions, rng):
        self.functions = functions
        shapes = (n_in, HIDDEN), (HIDDEN,), (HIDDEN, n_out), (n_out,)
        cuts = np.cumsum([np.prod(shape) for shape in shapes])
        self.theta, self.dtheta = np.zeros(cuts[-1]), np.zeros(cuts[-1])
        self.params, self.grads = (
            [
                part.reshape(shape)  # views
                for part, shape in zip(np.split(vector, cuts[:-1]), shapes, strict=True)
            ]
            for vector in (self.theta, self.dtheta)
        )
        for W in self.params[::2]:
            W[:] = rng.standard_normal(W.shape) / np.sqrt(len(W))
        self.params[2] *= 0.1  # so at first the output hardly depends on the input

    def forward(self, x, training=False):
        """x (n, n_in) -> out (n, n_out)."""
        W1, b1, W2, b2 = self.params
        self.x = x
        self.hidden = np.tanh(self.functions["dense_forward"](x, W1, b1))
        return self.functions["dense_forward"](self.hidden, W2, b2)

    def backward(self, dout):
        """Dout (n, n_out) -> dx; fills dtheta."""
        W1, _, W2, _ = self.params
        dense_backward = self.functions["dense_backward"]
        dhidden, *second = dense_backward(dout, self.hidden, W2)
        da = self.functions["tanh_backward"](dhidden, self.hidden)
        dx, *first = dense_backward(da, self.x, W1)
        for grad, value in zip(self.grads, [*first, *second], strict=True):
            grad[:] = value
        return dx


class Model:
    """A VAE whose every formula is one of the functions of `collect`."""

    def __init__(self, functions, rng, pixels=784):
        self.functions, self.rng = functions, rng
        self.encoder = Network(pixels, 2 * LATENT, functions, rng)
        self.decoder = Network(LATENT, pixels, functions, rng)
        self.optimisers = [functions["Adam"](3e-3, 0.9, 0.999, 1e-8) for _ in range(2)]

    def loss(self, x, eps):
        """Return minus the ELBO; x (n, pixels), eps (n, LATENT)."""
        if self.functions["elbo_loss"]:
            return self.functions["elbo_loss"](self.encoder, self.decoder, x, eps)[0]
        h = self.encoder.forward(x)
        logits = self.decoder.forward(self.functions["reparameterise"](h, eps))
        kl = self.functions["gaussian_kl"](*np.split(h, 2, axis=1))
        return self.functions["bernoulli_nll"](logits, x) + kl

    def gradient(self, x, eps):
        """Fill dtheta of both networks, and return minus the ELBO."""
        f = self.functions
        h = self.encoder.forward(x)
        mu, log_var = np.split(h, 2, axis=1)
        logits = self.decoder.forward(f["reparameterise"](h, eps))
        dz = self.decoder.backward(f["bernoulli_nll_backward"](logits, x))
        paths = f["reparameterise_backward"](dz, log_var, eps)
        kl_paths = f["gaussian_kl_backward"](mu, log_var)
        dmu, dlog_var = (a + b for a, b in zip(paths, kl_paths, strict=True))
        self.encoder.backward(np.concatenate([dmu, dlog_var], axis=1))
        return f["bernoulli_nll"](logits, x) + f["gaussian_kl"](mu, log_var)

    def step(self, x):
        """Change the weights once, and return the loss of the batch before the change."""
        loss = self.gradient(x, self.rng.standard_normal((len(x), LATENT)))
        for optimiser, network in zip(self.optimisers, self.networks, strict=True):
            optimiser.step(network.theta, network.dtheta)
        return loss

    @property
    def networks(self):
        """The encoder and the decoder."""
        return self.encoder, self.decoder

    def epoch(self, X):
        """Train for one epoch."""
        if self.functions["fit"]:
            self.functions["fit"](self.step, X, 1, BATCH, self.rng)
        else:
            for batch in self.functions["batches"](X, BATCH, self.rng):
                self.step(batch)

    def decode(self, z):
        """Return the means of the pixels; z (n, LATENT)."""
        return self.functions["sigmoid"](self.decoder.forward(z))

    def reconstruct(self, x):
        """Return the means of the pixels at the posterior mean."""
        return self.decode(self.encoder.forward(x)[:, :LATENT])


def gradients_agree(model, x):
    """Return the largest difference between elbo_backward and the sum of the small functions.

    It is relative to the largest gradient.
    """
    eps = np.random.default_rng(0).standard_normal((len(x), LATENT))
    model.gradient(x, eps)
    parts = np.concatenate([network.dtheta for network in model.networks])
    model.functions["elbo_backward"](*model.networks, x, eps)
    whole = np.concatenate([network.dtheta for network in model.networks])
    return np.abs(whole - parts).max() / np.abs(parts).max()


def train(model, X, test, epochs, seconds=SECONDS, say=print):
    """Train, and return the losses of `test` before training and after each epoch."""
    eps = np.random.default_rng(1).standard_normal((len(test), LATENT))
    curve, start = [float(model.loss(test, eps))], time.perf_counter()
    say(f"loss before training: {curve[0]:6.1f} nats per image")
    for epoch in range(1, epochs + 1):
        model.epoch(X)
        curve.append(float(model.loss(test, eps)))
        late = time.perf_counter() - start > seconds
        if late or epoch % 5 == 0 or epoch == epochs:
            say(f"loss after {epoch:2} epochs: {curve[-1]:6.1f}")
        if late:
            break
    return curve


def draw(model, test, curve, before, rng):
    """Return a figure: reconstructions, samples before and after training, and the loss."""
    from matplotlib.figure import Figure  # no window

    n = 12
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    grid = figure.add_gridspec(3, 1, height_ratios=[2, 3, 2.6])
    samples = model.decode(rng.standard_normal((3 * n, LATENT)))
    rows = (
        ("Digits that it has not seen, and below them its reconstructions",
         [test[:n], model.reconstruct(test[:n])]),
        ("Samples: before training (first row), after training (the others)",
         [before[:n], samples[:n], samples[n : 2 * n]]),
    )  # fmt: skip
    for place, (title, images) in enumerate(rows):
        axes = figure.add_subplot(grid[place])
        tiles = np.concatenate(
            [np.concatenate(list(row.reshape(-1, 28, 28)), axis=1) for row in images]
        )
        axes.imshow(tiles, cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(title, fontsize=10)
        axes.axis("off")
    axes = figure.add_subplot(grid[2])
    axes.plot(curve, marker="o", markersize=3)
    axes.set(xlabel="epoch", ylabel="nats per image", title="The loss (minus the ELBO)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def explain(states):
    """Return text: which functions are the student's, and which are the library's and why."""
    done = [name for (_, name), state in states.items() if state == "done"]
    others = {name: (id, state) for (id, name), state in states.items() if state != "done"}
    lines = [f"Yours ({len(done)} of {len(states)}): {', '.join(done) or 'none'}."]
    if others:
        lines.append("From the library, until you solve it:")
        lines += [f"  {name} ({id}: {state})" for name, (id, state) in others.items()]
    return "\n".join(lines)


def payoff(folder, student="", out=None, n=3000, epochs=40, seconds=SECONDS, say=print):
    """Train a VAE made of the functions in a folder, and save a picture; return the exit status.

    The student's code runs in this process, without limits.

    Parameters
    ----------
    folder : path, with the student's files
    student : str, the student's id
    out : path of the picture; default: payoff.png in the folder
    n : int, images to train on
    epochs : int
    seconds : float; training ends after the epoch in which this time is over
    say : function that prints a line
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"folder {str(folder)!r} not found")
    functions, states = collect(folder, student)
    say(explain(states))
    if "done" not in states.values():
        say("No function of this model is solved yet: solve one, then come back.")
        return 1
    images = synthetic_digits(n + 500, seed=0)[0].reshape(-1, 784).astype(np.float64)
    X, test = images[:n], images[n:]
    rng = np.random.default_rng(0)
    model = Model(functions, rng)
    if functions["elbo_backward"]:
        difference = gradients_agree(model, X[:BATCH])
        say(f"elbo_backward and the sum of the small functions differ by {difference:.0e}.")
    before = model.decode(np.random.default_rng(2).standard_normal((12, LATENT)))
    curve = train(model, X, test, epochs, seconds, say)
    out = Path(out or folder / "payoff.png")
    draw(model, test, curve, before, np.random.default_rng(2)).savefig(out, dpi=110)
    say(f"Your VAE has drawn digits that nobody wrote: {out}")
    return 0


def run(folder, student=""):
    """Run `payoff` in a process with one BLAS thread, and return its exit status.

    With more threads it can take ten times as long on a computer that others use too. A browser has
    one thread and no processes, so there it runs in this process.
    """
    if BROWSER:
        return payoff(folder, student)
    if not Path(folder).is_dir():
        raise ValueError(f"folder {str(folder)!r} not found")
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    command = [sys.executable, "-m", "miniae.exercises.payoff", str(folder), student]
    return subprocess.run(command, env={**os.environ, **dict.fromkeys(threads, "1")}).returncode


if __name__ == "__main__":
    sys.exit(payoff(*sys.argv[1:]))
