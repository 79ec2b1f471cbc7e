"""Draw the figures of the pages into docs/images/.

python docs/make_figures.py               all of them
python docs/make_figures.py optimisers    this one only
"""

import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch
from PIL import Image  # matplotlib requires it

from miniae import SGD, VAE, Adam, Autoencoder, GaussianNLL
from miniae.digits import synthetic_digits
from miniae.plumbing.archives import atomic
from miniae.proof.oracle_certificate import train_to_optimum
from miniae.proof.oracles import PCA

IMAGES = Path(__file__).parent / "images"


def optimisers():
    """Distance from the bottom of a valley, and the length of Adam's steps, step by step."""
    figure, (valley, adam) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for name, optimizer, where in (
        ("plain descent", SGD(2 / 101), (66, 0.75)),
        ("Nesterov", SGD(0.01, momentum=9 / 11, nesterov=True), (70, 1.2e-2)),
        ("momentum", SGD((2 / 11) ** 2, momentum=(9 / 11) ** 2), (44, 2e-5)),
    ):
        theta, steepness, distance = np.ones(2), np.array([1.0, 100.0]), []
        for _ in range(101):
            distance.append(np.linalg.norm(theta))
            optimizer.step(theta, steepness * theta)
        (line,) = valley.semilogy(distance)
        valley.annotate(name, where, color=line.get_color(), ha="left")
    valley.set(xlabel="step", title="Distance from the bottom of a valley")

    t, beta1, beta2 = np.arange(1, 20001), 0.9, 0.999
    without = (1 - beta1**t) / np.sqrt(1 - beta2**t)  # g = 1 at every step
    for name, length, where in (
        ("as it is", np.ones(len(t)), (1.2, 0.72)),
        ("without the corrections", without, (8, 7.2)),
        ("with 1 - beta", without * np.sqrt(1 - beta2) / (1 - beta1), (60, 0.27)),
    ):
        (line,) = adam.loglog(t, length)
        adam.annotate(name, where, color=line.get_color(), ha="left")
    adam.set(xlabel="step", title="Length of Adam's steps, in units of lr", ylim=(0.2, 12))
    adam.set_yticks([0.3, 1, 3, 10], labels=["0.3", "1", "3", "10"])
    adam.minorticks_off()
    for axes in (valley, adam):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def difference_steps():
    """Error of three formulas for one derivative, by step size."""

    def f(v):
        return np.exp(v) * np.sin(v)

    v, steps = 1.2, 10.0 ** np.arange(-16, 0.01, 0.25)
    exact = np.exp(v) * (np.sin(v) + np.cos(v))
    figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
    for name, derivative, where in (
        ("central difference", lambda h: (f(v + h) - f(v - h)) / (2 * h), (1e-11, 1e-4)),
        (
            "the fourth-order one",
            lambda h: (8 * (f(v + h) - f(v - h)) - (f(v + 2 * h) - f(v - 2 * h))) / (12 * h),
            (2e-5, 5e-16),
        ),
        ("complex step", lambda h: f(v + 1j * h).imag / h, (2e-15, 1e-15)),
    ):
        error = [max(abs(derivative(h) / exact - 1), 1e-17) for h in steps]
        style = "--" if name == "complex step" else "-"  # where two errors are one, show both
        (line,) = axes.loglog(steps, error, style)
        axes.annotate(name, where, color=line.get_color(), ha="left")
    axes.set(xlabel="step h", ylabel="relative error", ylim=(5e-18, 5), xlim=(1e-16, 1))
    axes.set_title("The derivative of exp(v) sin(v)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def collapse_threshold():
    """KL of each latent of linear VAEs at their optimum, by the noise that sigma and beta imply."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5)) * [4.0, 2.0, 1.0, 0.4, 0.3]
    variances = PCA(3).fit(X).variances_[:3]
    implied = np.geomspace(0.5, 6, 200)
    figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
    for variance in variances:
        theory = 0.5 * np.log(np.maximum(variance / implied**2, 1))
        axes.plot(implied, theory, label=f"a direction of deviation {variance**0.5:.1f}")
    for label, marker, settings in (
        ("beta = 1, sigma as it says", "o", [(s, 1.0) for s in (0.6, 0.85, 1.3, 2.5, 4.5)]),
        ("sigma = 0.5, any beta", "x", [(0.5, (s / 0.5) ** 2) for s in (0.7, 1.0, 1.7, 3.3)]),
    ):
        points = []
        for sigma, beta in settings:
            likelihood = GaussianNLL(sigma)
            vae = VAE(5, 3, (), likelihood=likelihood, beta=beta, dtype="float64")
            train_to_optimum(vae, X)
            points += [(sigma * beta**0.5, kl) for kl in vae.kl_per_dimension(X)]
        axes.plot(*np.transpose(points), "k" + marker, fillstyle="none", label=label)
    axes.set(xscale="log", xlabel="sigma sqrt(beta)", ylabel="KL of a latent, nats")
    axes.set_xticks([0.5, 1, 2, 4], labels=["0.5", "1", "2", "4"])
    axes.minorticks_off()
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


INK, SOFT, BACK = "#1f77b4", "#dbe9f6", "#d62728"  # forward, boxes, backward


def canvas(width, height, title=""):
    """Return a figure, and its axes, where 1 is an inch."""
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal", title=title)
    axes.axis("off")
    return figure, axes


def box(axes, x, y, text, width=1.1, height=0.6, color=SOFT):
    """Draw a box with text around a point."""
    corner = (x - width / 2, y - height / 2)
    shape = FancyBboxPatch(
        corner, width, height, boxstyle="round,pad=0,rounding_size=0.08", fc=color, ec="0.3"
    )
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=10)


def arrow(axes, start, end, text="", color="0.2", above=0.12, **style):
    """Draw an arrow from point to point, with text above its middle."""
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "shrinkA": 0, **style}
    )
    if text:
        x, y = np.mean([start, end], axis=0)
        axes.text(x, y + above, text, ha="center", va="center", fontsize=9, color=color)


def funnel(axes, x, y, text, left, right, width=1.2):
    """Draw a trapezium: a network that makes its input smaller or larger."""
    corners = [(0, left), (width, right), (width, -right), (0, -left)]
    points = [(x - width / 2 + a, y + b / 2) for a, b in corners]
    axes.add_patch(plt.Polygon(points, fc=SOFT, ec="0.3"))
    axes.text(x, y, text, ha="center", va="center", fontsize=10)


def architecture():
    """An autoencoder, and a variational autoencoder."""
    figure, axes = canvas(9, 4.6)
    y = 3.7
    axes.text(0.1, y + 0.75, "Autoencoder: the code is a point", fontsize=11, weight="bold")
    box(axes, 0.7, y, "x\n(n, 784)", 0.9)
    arrow(axes, (1.15, y), (1.7, y))
    funnel(axes, 2.3, y, "encoder", 1.2, 0.5)
    arrow(axes, (2.9, y), (3.5, y))
    box(axes, 3.95, y, "z\n(n, 2)", 0.9, color="#fff2cc")
    arrow(axes, (4.4, y), (5.0, y))
    funnel(axes, 5.6, y, "decoder", 0.5, 1.2)
    arrow(axes, (6.2, y), (6.75, y))
    box(axes, 7.3, y, "out\n(n, 784)")
    axes.text(8.0, y, "loss:\nout against x", va="center", fontsize=9, color=BACK)

    y = 1.35
    axes.text(0.1, y + 1.05, "VAE: the code is a distribution", fontsize=11, weight="bold")
    box(axes, 0.7, y, "x\n(n, 784)", 0.9)
    arrow(axes, (1.15, y), (1.5, y))
    funnel(axes, 2.1, y, "encoder", 1.2, 0.6)
    arrow(axes, (2.7, y + 0.1), (3.1, y + 0.42))
    arrow(axes, (2.7, y - 0.1), (3.1, y - 0.42))
    box(axes, 3.6, y + 0.45, "mu\n(n, 2)", 1.0)
    box(axes, 3.6, y - 0.45, "log_var\n(n, 2)", 1.0)
    arrow(axes, (4.1, y + 0.42), (4.5, y + 0.1))
    arrow(axes, (4.1, y - 0.42), (4.5, y - 0.1))
    box(axes, 4.95, y, "z\n(n, 2)", 0.9, color="#fff2cc")
    arrow(axes, (4.95, y - 1.0), (4.95, y - 0.3))
    axes.text(4.95, y - 1.12, "eps ~ N(0, I)", ha="center", va="center", fontsize=9)
    arrow(axes, (5.4, y), (5.7, y))
    funnel(axes, 6.3, y, "decoder", 0.5, 1.2)
    arrow(axes, (6.9, y), (7.2, y))
    box(axes, 7.75, y, "logits\n(n, 784)")
    axes.text(7.75, y - 0.62, "reconstruction loss", ha="center", fontsize=9, color=BACK)
    axes.text(3.6, y - 1.0, "KL", ha="center", fontsize=9, color=BACK)
    return figure


def gradient_flow():
    """The forward pass of a VAE from left to right, and its gradients from right to left."""
    figure, axes = canvas(9, 3.6, "Forward, and backward: each arrow back is one line of code")
    y, names = 2.0, {"x": 0.6, "h = [mu, log_var]": 2.7, "z": 4.9, "logits": 6.7, "loss": 8.4}
    widths = {"h = [mu, log_var]": 1.6, "x": 0.7, "z": 0.7, "logits": 0.9, "loss": 0.7}
    for name, x in names.items():
        box(axes, x, y, name, widths[name])
    places, forward = list(names.items()), ("encoder", "mu + std eps", "decoder", "NLL")
    backward = ("encoder.backward(dh)", "dmu = dz\ndlog_var = dz eps std / 2",
                "dz =\ndecoder.backward", "dlogits")  # fmt: skip
    for (a, x), (b, end), word, back in zip(places, places[1:], forward, backward, strict=False):
        left, right = x + widths[a] / 2, end - widths[b] / 2
        arrow(axes, (left, y + 0.15), (right, y + 0.15), word, INK, 0.3)
        arrow(axes, (right, y - 0.15), (left, y - 0.15), back, BACK, -0.45)
    top, bottom = 3.1, 0.75
    axes.plot([2.7, 2.7, 8.4], [y + 0.3, top, top], color=INK)
    arrow(axes, (8.4, top), (8.4, y + 0.3), color=INK)
    axes.text(5.5, top + 0.12, "KL(mu, log_var)", ha="center", color=INK, fontsize=9)
    axes.plot([8.4, 8.4, 2.7], [y - 0.3, bottom, bottom], color=BACK)
    arrow(axes, (2.7, bottom), (2.7, y - 0.3), color=BACK)
    axes.text(5.5, bottom - 0.3, "dmu += mu / n,   dlog_var += (exp(log_var) - 1) / (2 n)",
              ha="center", color=BACK, fontsize=9)  # fmt: skip
    axes.text(0.1, 0.1, "forward", color=INK, fontsize=9)
    axes.text(0.9, 0.1, "gradient of the loss", color=BACK, fontsize=9)
    return figure


def reparameterisation():
    """A draw of z stops the gradient; the same draw, written with eps, does not."""
    figure, axes = canvas(9, 3.3)
    for left, title in (0.1, "z is drawn: no way back"), (4.7, "z = mu + std eps: a way back"):
        axes.text(left, 3.05, title, fontsize=11, weight="bold")
        box(axes, left + 0.6, 2.3, "mu", 0.8)
        box(axes, left + 0.6, 1.1, "std", 0.8)
        box(axes, left + 3.7, 1.7, "loss", 0.8)
        for y in 2.3, 1.1:
            arrow(axes, (left + 1.0, y), (left + 1.75, 1.7 + 0.2 * np.sign(y - 1.7)), color=INK)
        arrow(axes, (left + 2.65, 1.78), (left + 3.3, 1.78), color=INK)
        arrow(axes, (left + 3.3, 1.6), (left + 2.65, 1.6), "dz", BACK, -0.15)
    box(axes, 2.3, 1.7, "draw\nz", 0.9, color="#f8cecc")
    axes.text(2.3, 0.75, "the slope of a draw\nis not defined", ha="center", fontsize=9, color=BACK)
    box(axes, 6.9, 1.7, "mu +\nstd eps", 0.9, color="#fff2cc")
    arrow(axes, (6.9, 0.55), (6.9, 1.38))
    axes.text(6.9, 0.4, "eps ~ N(0, 1), drawn outside", ha="center", va="center", fontsize=9)
    arrow(axes, (6.4, 2.05), (5.75, 2.45), color=BACK)
    arrow(axes, (6.4, 1.35), (5.75, 0.95), color=BACK)
    axes.text(6.35, 2.45, "dmu = dz", fontsize=9, color=BACK)
    axes.text(4.75, 0.35, "dstd = dz eps", fontsize=9, color=BACK)
    return figure


def plain_samples():
    """Codes and samples of a plain autoencoder, and of a VAE."""
    images, labels, _ = synthetic_digits(3000, seed=0)
    X = images.reshape(-1, 784)
    figure = plt.figure(figsize=(9, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[3, 2])
    draws = np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32)
    for column, (name, model) in enumerate(
        (
            ("plain autoencoder", Autoencoder(784, 8, (128,), seed=0)),
            ("VAE", VAE(784, 8, (128,), seed=0)),
        )
    ):
        model.fit(X, epochs=30, batch_size=50, optimizer=Adam(2e-3), verbose=0)
        codes = model.encode(X[:1500])
        axes = figure.add_subplot(grid[0, column])
        axes.scatter(*codes[:, :2].T, c=labels[:1500], cmap="tab10", s=3)
        axes.scatter(*draws[:, :2].T, color="black", marker="x", s=30)
        axes.set(title=f"{name}: 2 of 8 latents, 16 draws", aspect="equal")
        axes.set_adjustable("datalim")
        decoded = np.asarray(model.decode(draws)).reshape(2, 8, 28, 28)
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(np.concatenate(np.concatenate(decoded, axis=1), axis=1), cmap="gray_r")
        axes.set_title("the 16 draws, decoded")
        axes.axis("off")
    return figure


FIGURES = {
    "architecture": architecture,
    "collapse_threshold": collapse_threshold,
    "difference_steps": difference_steps,
    "gradient_flow": gradient_flow,
    "optimisers": optimisers,
    "plain_samples": plain_samples,
    "reparameterisation": reparameterisation,
}


def main(names):
    """Draw the named figures, or all of them, as PNG files with few colours."""
    for name in names or FIGURES:
        figure, path = FIGURES[name](), IMAGES / f"{name}.png"
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=100, format="png")
        plt.close(figure)
        with atomic(path) as file:
            Image.open(drawn).convert("RGB").quantize(64).save(file, "PNG", optimize=True)
        print(f"{path.name}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
