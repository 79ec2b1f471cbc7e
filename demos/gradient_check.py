# %% [markdown]
"""Check every gradient of a VAE, break one line, and read what the checker says about it.

    python demos/gradient_check.py

The checks use the complex step. The last part shows why: it compares the error of three difference
formulas for one derivative, over a range of step sizes.
"""

# %%
import sys
from pathlib import Path

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

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save


# %%
class BrokenTanh(Tanh):
    """Tanh with one wrong line: its derivative is that of the sigmoid."""

    def backward(self, dout):
        """The right formula is dout * (1 - out * out)."""
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
    exact, theta, complex_vae = vae.dtheta[k], vae.theta.copy(), vae.astype("complex128")

    def loss(model, shift):
        model.theta = theta
        model.theta[k] += shift
        return model.loss(x, eps=eps)

    formulas = {
        "forward (f(v+h) - f(v)) / h": lambda h: (loss(vae, h) - loss(vae, 0)) / h,
        "central (f(v+h) - f(v-h)) / 2h": lambda h: (loss(vae, h) - loss(vae, -h)) / (2 * h),
        "complex Im f(v+ih) / h": lambda h: loss(complex_vae, 1j * h).imag / h,
    }
    return {
        name: np.array([abs(formula(h) / exact - 1) for h in steps])
        for name, formula in formulas.items()
    }


def draw(steps, errors):
    """Draw error against step, and return the figure."""
    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for (name, error), style in zip(errors.items(), ("--", "-.", "-"), strict=True):
        ax.loglog(steps, np.maximum(error, 1e-17), style, label=name, linewidth=2)
    ax.axhline(np.finfo(float).eps, color="grey", linewidth=0.8)
    ax.text(1, 1.5 * np.finfo(float).eps, "rounding of float64", color="grey", ha="left")
    ax.set(
        xlabel="step h",
        ylabel="relative error of the derivative (0 drawn as 1e-17)",
        title="Truncation and rounding errors: a small complex step has neither",
    )
    ax.invert_xaxis()
    ax.legend(frameon=False, loc=(0.53, 0.36))
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("gradient_check", __doc__, argv, data=())
    rng = np.random.default_rng(chosen.seed)
    x, target = rng.standard_normal((5, 6)), rng.random((5, 6))

    print("1. Every layer and loss, by the complex step\n")
    for layer in (Dense(6, 4), ReLU(), Sigmoid(), Tanh(), Softplus()):
        report = gradient_check(layer, x, seed=chosen.seed)
        print(f"   {layer!s:28} largest relative error {report.max_error:.1e}")
    for loss in (SquaredError(), BernoulliNLL(), GaussianNLL(0.7, learn_sigma=True)):
        report = gradient_check(loss, x, target)
        print(f"   {loss!s:28} largest relative error {report.max_error:.1e}")

    print("\n2. A whole VAE, with its noise held fixed\n")
    print(gradient_check(VAE(6, 2, (5,), seed=chosen.seed), target, training=True))

    print("\n3. The same VAE with one wrong line in the encoder's activation\n")
    encoder = Sequential(Dense(6, 5, rng=1), BrokenTanh(), Dense(5, 4, rng=2))
    print(gradient_check(VAE(6, 2, (5,), encoder=encoder), target, training=True))

    print("\n4. Why the complex step: the error of one derivative, by formula and step\n")
    steps = np.logspace(0, -16, 17 if chosen.quick else 97)
    errors = errors_by_step(steps, chosen.seed)
    for name, error in errors.items():
        best = int(np.argmin(error))
        print(f"   {name:32} smallest error {error[best]:.1e}, at h = {steps[best]:.0e}")
    print()
    save(chosen.out, error_by_step=draw(steps, errors))


# %%
if __name__ == "__main__":
    main()
