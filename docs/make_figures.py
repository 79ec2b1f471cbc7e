"""Draw the figures of the pages into docs/images/.

python docs/make_figures.py               all of them
python docs/make_figures.py optimisers    this one only
"""

import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image  # matplotlib requires it

from miniae import SGD, VAE, GaussianNLL
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


FIGURES = {
    "collapse_threshold": collapse_threshold,
    "difference_steps": difference_steps,
    "optimisers": optimisers,
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
