"""Checks of a gradient check: of its derivatives, and of its verdict on layers."""

import numpy as np

from miniae.exercises.questions import Wrong, agree, numbers
from miniae.layers import Dense, ReLU, Sigmoid, Tanh

H = 0.1  # large, so that the central difference differs from the derivative


def function(rng):
    """Return a function of 5 numbers, real or complex, and its gradient."""
    a, b = rng.uniform(0.5, 1.5, (2, 5))

    def f(v):
        return (a * v**3).sum() + np.sin(b * v).sum() + v[0] * v[1]

    def gradient(v):
        return 3 * a * v**2 + b * np.cos(b * v) + np.array([v[1], v[0], 0, 0, 0])

    return f, gradient


def moved(v, k, by):
    """Return v with `by` added to entry k, or to all for k = None."""
    w = v.astype(np.result_type(v, by))
    w[slice(None) if k is None else k] += by
    return w


def central_difference(f, v, h):
    """Return (f(v + h e_k) - f(v - h e_k)) / 2h for every k."""
    return np.array([f(moved(v, k, h)) - f(moved(v, k, -h)) for k in range(v.size)]) / (2 * h)


def complex_step(f, v):
    """Return Im f(v + ih e_k) / h for every k."""
    return np.array([f(moved(v, k, 1e-30j)).imag / 1e-30 for k in range(v.size)])


def check_central(ask):
    """(f(v + h e_k) - f(v - h e_k)) / 2h for every k."""
    f, gradient = function(ask.rng)
    v = ask.rng.standard_normal(5)
    up = np.array([f(moved(v, k, H)) for k in range(5)])
    down = np.array([f(moved(v, k, -H)) for k in range(5)])
    never_back = []  # each entry stays at v + h when the next one moves
    for k in range(5):
        behind = moved(v, slice(k), H)
        never_back.append(f(moved(behind, k, H)) - f(moved(behind, k, -H)))
    mistakes = {
        "this is the forward difference, whose error is of order h: use f at v - h e_k too": (
            (up - f(v)) / H
        ),
        "this is the backward difference: use f at v + h e_k too": (f(v) - down) / H,
        "the two points are 2h apart: divide by 2h": (up - down) / H,
        "it is not divided by 2h": up - down,
        "all entries are moved at once: move one entry at a time": (
            np.full(5, (f(moved(v, None, H)) - f(moved(v, None, -H))) / (2 * H))
        ),
        "put each entry back before you move the next one": np.array(never_back) / (2 * H),
    }
    got, right = numbers(ask("central_difference", f, v, H), "the gradient"), (up - down) / (2 * H)
    if agree(got, gradient(v), 1e-6):
        raise Wrong(
            "h is not used: this is the derivative itself, or a difference with another h. With "
            f"h = {H} the central difference must differ from the derivative"
        )
    ask.equal(got, right, mistakes, "the gradient")


def check_complex(ask):
    """Im f(v + ih e_k) / h, exact."""
    f, gradient = function(ask.rng)
    v = ask.rng.standard_normal(5)
    mistakes = {
        "the imaginary part is lost: make v complex before you add ih": np.zeros(5),
        "all entries are moved at once: move one entry at a time": np.full(5, gradient(v).sum()),
    }
    right = gradient(v)
    got = numbers(ask("complex_step", f, v), "the gradient")
    if agree(got, right, 0.1) and not agree(got, right, 1e-13):
        error = np.abs(got - right).max() / np.abs(right).max()
        raise Wrong(
            f"the relative error is {error:.0e}: this is a difference, or h is too large. With "
            "h = 1e-30 the complex step is exact to rounding, because it subtracts nothing"
        )
    ask.equal(got, right, mistakes, "the gradient")


class NoSum(Dense):
    """A wrong layer: db is the mean over samples."""

    def backward_params(self, dout):
        """Fill grads."""
        super().backward_params(dout)
        self.grads["b"] = dout.mean(axis=0)


class SameEverywhere(Dense):
    """A wrong layer: every entry of db is the mean of db; for a dout of ones this is right."""

    def backward_params(self, dout):
        """Fill grads."""
        super().backward_params(dout)
        self.grads["b"] = np.full(dout.shape[1], self.grads["b"].mean())


class NotTransposed(Dense):
    """A wrong layer, for n_in = n_out: dx = dout W."""

    def backward(self, dout):
        """Return dx."""
        self.backward_params(dout)
        return dout @ self.params["W"]


class OneEntry(Dense):
    """A wrong layer: one entry of dW, the largest, is 1 % off."""

    def backward_params(self, dout):
        """Fill grads."""
        super().backward_params(dout)
        largest = np.abs(self.grads["W"]).argmax()
        self.grads["W"].flat[largest] *= 1.01


class Unscaled(Tanh):
    """A wrong layer: dx is dout where it should be dout times the slope."""

    def backward(self, dout):
        """Return dx."""
        return dout.copy()


class Half(Sigmoid):
    """A wrong layer: dx is half of what it should be."""

    def backward(self, dout):
        """Return dx."""
        return super().backward(dout) / 2


def check_verdict(ask):
    """True for right layers, False for wrong ones."""
    rng = ask.rng
    right = [Dense(4, 3, dtype="float64"), Dense(4, 4, dtype="float64"), Tanh(), ReLU(), Sigmoid()]
    wrong = {
        "db is the mean over samples": NoSum(4, 3, dtype="float64"),
        "db is one number for all units": SameEverywhere(4, 3, dtype="float64"),
        "dx uses W, not its transpose": NotTransposed(4, 4, dtype="float64"),
        "one entry of dW is 1 % off": OneEntry(4, 3, dtype="float64"),
        "dx is not multiplied by the slope": Unscaled(),
        "dx is half of what it should be": Half(),
    }
    for layer in right:
        layer.theta = rng.standard_normal(layer.theta.shape)
        said = ask("layer_is_right", layer, rng.standard_normal((5, 4)))
        if not isinstance(said, bool | np.bool_):
            raise Wrong(f"layer_is_right must return True or False, got {type(said).__name__}")
        if not said:
            raise Wrong(f"{layer} is right, but layer_is_right returns False. Is the tolerance too "
                        "small? Do both sides use the same dout? Is theta put back?")  # fmt: skip
    for words, layer in wrong.items():
        layer.theta = rng.standard_normal(layer.theta.shape)
        if ask("layer_is_right", layer, rng.standard_normal((5, 4))):
            unchecked = "dx" if "dx" in words else "the parameters"
            raise Wrong(f"a wrong layer passes: {words}. Check {unchecked} too, entry by entry, "
                        "with a random dout")  # fmt: skip


EXERCISES = {
    "gradient_check": {
        "title": "Write the gradient check itself",
        "minutes": 45,
        "parts": {
            "central_difference": check_central,
            "complex_step": check_complex,
            "layer_is_right": check_verdict,
        },
        "library": {"central_difference": central_difference, "complex_step": complex_step},
        "hints": (
            "Move one entry of a copy of v, call f, and move the entry back. The central "
            "difference uses f at two points that are 2h apart.",
            "f(v + ih) = f(v) + ih f'(v) + ...: the imaginary part divided by h is the slope. For "
            "this v must be complex: v.astype(complex).",
            "For a layer: draw dout with the shape of out. Differentiate the number "
            "(layer.forward(x) * dout).sum(). Its gradient with respect to x is "
            "layer.backward(dout), and with respect to theta it is layer.dtheta. Compare both.",
        ),
    },
}
