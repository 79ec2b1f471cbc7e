"""Gradient check by the complex step: is `backward` the derivative of `forward`?

For an analytic function, L(theta + ih) = L(theta) + ih L'(theta) - h^2 L''(theta) / 2 - ..., so
that Im L(theta + ih) / h is L'(theta) up to h^2. Nothing is subtracted, hence nothing cancels, and
with h = 1e-30 the answer is exact to rounding. Squire and Trapp (1998).

>>> report = gradient_check(vae, x)
>>> print(report)
>>> report.raise_if_wrong()
"""

from dataclasses import asdict, dataclass, field

import numpy as np

from miniae.layers import Layer
from miniae.losses import Loss

STEP = 1e-30


@dataclass
class Block:
    """How one parameter's gradient (or the input's) compares; `error` relative to its largest."""

    name: str
    shape: tuple
    error: float
    index: tuple  # of the worst entry, with its two values
    analytic: float
    numeric: float
    ok: bool


@dataclass
class GradientReport:
    """What `gradient_check` found: a block per parameter, and side effects in words."""

    title: str
    tolerance: float
    blocks: list = field(default_factory=list)
    side_effects: list = field(default_factory=list)

    @property
    def max_error(self):
        """The largest relative error of all blocks; 0 if there is none."""
        return max((block.error for block in self.blocks), default=0.0)

    @property
    def ok(self):
        """Whether all blocks are within tolerance, and `backward` changed nothing it must not."""
        return all(block.ok for block in self.blocks) and not self.side_effects

    def compare(self, name, analytic, numeric):
        """Add a block; two gradients that are both zero agree."""
        scale = max(np.abs(analytic).max(initial=0), np.abs(numeric).max(initial=0))
        errors = np.abs(analytic - numeric) / (scale or 1.0)
        worst = np.unravel_index(np.argmax(errors), errors.shape)
        index, error = tuple(int(i) for i in worst), float(errors[worst])
        values = float(analytic[worst]), float(numeric[worst])
        ok = error <= self.tolerance  # false for NaN
        self.blocks.append(Block(name, analytic.shape, error, index, *values, ok))

    def to_dict(self):
        """Return everything as plain numbers, strings, lists and dicts."""
        return {**asdict(self), "ok": self.ok, "max_error": self.max_error}

    def raise_if_wrong(self):
        """Raise AssertionError with the report unless all is well."""
        if not self.ok:
            raise AssertionError(f"wrong gradient\n{self}")

    def __str__(self):
        head = ("block", "shape", "rel. error", "worst entry", "analytic", "numeric", "")
        rows = [head] + [
            (
                block.name,
                str(block.shape),
                f"{block.error:.1e}",
                str(block.index),
                f"{block.analytic:+.9e}",
                f"{block.numeric:+.9e}",
                "ok" if block.ok else "WRONG",
            )
            for block in self.blocks
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        verdict = "all ok" if self.ok else "WRONG"
        lines += [f"side effect: {effect}" for effect in self.side_effects]
        lines += [f"{verdict}: largest error {self.max_error:.1e}, tolerance {self.tolerance:.0e}"]
        return "\n".join([self.title, *(line.rstrip() for line in lines)])


def gradient_check(obj, x, target=None, *, eps=None, training=False, seed=0, tolerance=1e-9):
    """Compare the gradient that `backward` gives with the complex-step derivative of `forward`.

    Works on float64 and complex128 copies; `obj` stays as it is. Parameters that are all zero,
    such as new biases, are moved off zero first, where mistakes could hide.

    Parameters
    ----------
    obj : Layer, Loss or Model
    x : input of the layer or model, or the loss's `out`; (n, ...)
    target : like x; needed for a loss
    eps : noise of a VAE, (n, latent_dim); by default drawn from the seed
    training : bool, passed to forward; every evaluation then draws the same masks
    seed : int, of the upstream gradient and of all noise
    tolerance : float, largest error allowed, relative to the largest entry of the block

    Returns
    -------
    GradientReport
        A block for each parameter, and one named "x" for the input of a layer or loss.
    """
    rng = np.random.default_rng(seed)
    x = np.array(x, dtype=np.float64)
    exact = obj.astype(np.float64)
    for _, value, _ in exact.named_params():
        if not value.any():
            value[...] = 0.1 * rng.standard_normal(value.shape)
    dout = None

    def evaluate(obj, x):
        """Return the scalar that is differentiated; a layer's output is weighted by dout."""
        noise = np.random.default_rng(seed)
        if isinstance(obj, Loss):
            return obj.forward(x, target)
        if isinstance(obj, Layer):
            obj.set_rng(noise)
            return np.sum(obj.forward(x, training) * dout)
        return obj.loss(x, target, eps=eps, rng=noise, training=training)

    if isinstance(obj, Layer):
        dout = rng.standard_normal(exact.forward(x, training).shape)
    before = x.copy(), exact.theta.copy(), None if dout is None else dout.copy()
    evaluate(exact, x)
    dx = exact.backward() if dout is None else exact.backward(dout)
    dx = None if dx is None else np.array(dx)
    dtheta = exact.dtheta.copy()
    exact.backward() if dout is None else exact.backward(dout)

    report = GradientReport(f"gradient check of {obj}, complex step", tolerance)
    for name, old, new in zip(("x", "params", "dout"), before, (x, exact.theta, dout), strict=True):
        if not np.array_equal(old, new):
            report.side_effects.append(f"forward or backward changed {name}")
    if not np.array_equal(dtheta, exact.dtheta):
        report.side_effects.append("a second backward gave another gradient: assign, do not add")

    twin = exact.astype(np.complex128)
    twin.theta = before[1]
    numeric = exact.astype(np.float64)  # its dtheta will hold the complex-step derivative
    for k in range(twin.theta.size):
        twin.theta[k] += 1j * STEP
        numeric.dtheta[k] = evaluate(twin, before[0]).imag / STEP
        twin.theta[k] = before[1][k]
    exact.dtheta[...] = dtheta
    pairs = zip(exact.named_params(), numeric.named_params(), strict=True)
    for (name, _, analytic), (_, _, derivative) in pairs:
        report.compare(name, analytic, derivative)
    if dx is not None:
        z, derivative = before[0].astype(np.complex128), np.empty(x.shape)
        for index in np.ndindex(*x.shape):
            z[index] += 1j * STEP
            derivative[index] = evaluate(twin, z).imag / STEP
            z[index] = before[0][index]
        if dx.shape == x.shape:
            report.compare("x", dx, derivative)
        else:
            report.side_effects.append(f"backward returned shape {dx.shape} for x of {x.shape}")
    return report
