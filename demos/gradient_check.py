"""Check every gradient of a VAE, break one line, and read what the checker makes of it.

python demos/gradient_check.py
"""

# %%
import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # the picture goes to a file: no display needed
import matplotlib.pyplot as plt
import numpy as np

from miniae import (
    VAE,
    BernoulliNLL,
    Dense,
    GaussianNLL,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    SquaredError,
    Tanh,
    gradient_check,
)


# %%
class BrokenTanh(Tanh):
    """Tanh with one line wrong: its slope is that of the sigmoid."""

    def backward(self, dout):
        """Should be dout * (1 - out * out)."""
        out = self.recall(dout)
        return dout * out * (1 - out)


def errors_by_step(steps, seed):
    """Return the relative error of three difference formulas for one derivative of a VAE's loss."""
    rng = np.random.default_rng(seed)
    vae = VAE(20, 2, (10,), dtype="float64", seed=seed)
    x, eps = rng.random((8, 20)), rng.standard_normal((8, 2))
    vae.loss(x, eps=eps)
    vae.backward()
    k = int(np.argmax(np.abs(vae.dtheta)))
    exact, theta, twin = vae.dtheta[k], vae.theta.copy(), vae.astype("complex128")

    def loss(model, shift):
        model.theta = theta
        model.theta[k] += shift
        return model.loss(x, eps=eps)

    formulas = {
        "forward (f(v+h) - f(v)) / h": lambda h: (loss(vae, h) - loss(vae, 0)) / h,
        "central (f(v+h) - f(v-h)) / 2h": lambda h: (loss(vae, h) - loss(vae, -h)) / (2 * h),
        "complex Im f(v+ih) / h": lambda h: loss(twin, 1j * h).imag / h,
    }
    return {
        name: np.array([abs(formula(h) / exact - 1) for h in steps])
        for name, formula in formulas.items()
    }


def plot(steps, errors):
    """Draw error against step, and return the Figure."""
    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for (name, error), style in zip(errors.items(), ("--", "-.", "-"), strict=True):
        ax.loglog(steps, np.maximum(error, 1e-17), style, label=name, linewidth=2)
    ax.axhline(np.finfo(float).eps, color="grey", linewidth=0.8)
    ax.text(1, 1.5 * np.finfo(float).eps, "rounding of float64", color="grey", ha="left")
    ax.set(
        xlabel="step h",
        ylabel="relative error of the derivative (0 drawn as 1e-17)",
        title="Truncation against rounding: the complex step pays neither",
    )
    ax.invert_xaxis()
    ax.legend(frameon=False, loc=(0.53, 0.36))
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out") / "gradient_check")
    parser.add_argument("--quick", action="store_true", help="fewer steps in the picture")
    options = parser.parse_args(argv)
    rng = np.random.default_rng(options.seed)
    x, target = rng.standard_normal((5, 6)), rng.random((5, 6))

    print("1. Every layer and loss, by the complex step\n")
    for layer in (Dense(6, 4), ReLU(), Sigmoid(), Tanh(), Softplus()):
        report = gradient_check(layer, x, seed=options.seed)
        print(f"   {layer!s:28} largest relative error {report.max_error:.1e}")
    for loss in (SquaredError(), BernoulliNLL(), GaussianNLL(0.7, learn_sigma=True)):
        report = gradient_check(loss, x, target)
        print(f"   {loss!s:28} largest relative error {report.max_error:.1e}")

    print("\n2. A whole VAE, its noise held fixed\n")
    print(gradient_check(VAE(6, 2, (5,), seed=options.seed), target, training=True))

    print("\n3. The same with one line wrong, in the encoder's activation\n")
    encoder = Sequential(Dense(6, 5, rng=1), BrokenTanh(), Dense(5, 4, rng=2))
    print(gradient_check(VAE(6, 2, (5,), encoder=encoder), target, training=True))

    print("\n4. Why the complex step: the error of one derivative, by formula and step\n")
    steps = np.logspace(0, -16, 17 if options.quick else 97)
    errors = errors_by_step(steps, options.seed)
    for name, error in errors.items():
        best = int(np.argmin(error))
        print(f"   {name:32} smallest error {error[best]:.1e}, at h = {steps[best]:.0e}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "error_by_step.png"
    plot(steps, errors).savefig(path, dpi=120)
    print(f"\nThe picture is {path}")


# %%
if __name__ == "__main__":
    main()
