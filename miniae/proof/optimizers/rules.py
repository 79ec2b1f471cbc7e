"""The rules as their papers write them, for all steps at once: what a right optimiser does.

The gradients are prescribed, and each step starts at the theta that the optimiser reached: the
rules compute *one* step from there. So errors in theta do not add up, the moments depend on
prescribed numbers only, and each step is judged alone, the first as well as the thousandth.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from miniae.proof.optimizers.rounding import REAL, Arithmetic, running

OFF = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "clip_norm": None}


def clipped(problem):
    """Return the gradients; those with a norm above clip_norm are scaled down to it."""
    g, limit = problem.arithmetic.exact(problem.gradients), problem.settings["clip_norm"]
    if limit is None:
        return g
    return g * (problem.arithmetic.once(limit) / problem.norm).at_most(1)


def clipped_as_in_torch(problem):
    """Return the same, with the 1e-6 that torch.nn.utils.clip_grad_norm_ adds to the norm."""
    scale = problem.arithmetic.once(problem.settings["clip_norm"]) / (problem.norm + 1e-6)
    return problem.arithmetic.exact(problem.gradients) * scale.at_most(1)


@dataclass(frozen=True)
class Problem:
    """The input of a rule: T steps of n parameters.

    Attributes
    ----------
    rule : str, "sgd", "adam" or "adamw"
    gradients, theta : (T, n), the gradient of each step, and theta before it
    settings : dict, by the names lr, momentum, nesterov, betas, eps, weight_decay, clip_norm
    norms, length : (T,) and int, the norms of the gradients and their length, if these are parts
        of longer vectors; None otherwise
    clip : function of the problem that returns the gradients after clipping
    late : int, added to the step at which a schedule is read
    """

    rule: str
    gradients: np.ndarray
    theta: np.ndarray
    settings: dict
    norms: np.ndarray | None = None
    length: int | None = None
    clip: object = clipped
    late: int = 0

    def but(self, **changes):
        """Return the same problem with other settings or attributes."""
        own = {name: changes.pop(name) for name in ("rule", "clip", "late") if name in changes}
        return replace(self, settings={**self.settings, **changes}, **own)

    def solve(self):
        """Return theta after each step."""
        return RULES[self.rule](self)

    def first(self, steps):
        """Return the problem of the first steps."""
        norms = None if self.norms is None else self.norms[:steps]
        parts = {"gradients": self.gradients[:steps], "theta": self.theta[:steps]}
        return replace(self, norms=norms, **parts)

    @cached_property
    def arithmetic(self):
        """The arithmetic of theta's dtype."""
        return Arithmetic(self.theta.dtype)

    @cached_property
    def norm(self):
        """The gradients' norms (T, 1).

        A sum of n squares is rounded n + 1 times, and the root halves this; a square may underflow.
        """
        norms, length = self.norms, self.length or self.gradients.shape[1]
        if norms is None:
            norms = lengths(self.gradients)
        limit = self.settings["clip_norm"]
        norms = np.where(norms == 0, limit, norms)  # a gradient of zeros is not scaled
        norm = self.arithmetic.once(norms[:, None], length / 2 + 2)
        norm.error = norm.error + np.sqrt(length * self.arithmetic.tiny)
        return norm

    @cached_property
    def gradient(self):
        """The gradients after clipping."""
        return self.clip(self)

    @cached_property
    def before(self):
        """Theta before each step."""
        return self.arithmetic.exact(self.theta)

    @cached_property
    def lr(self):
        """The learning rate of each step, (T, 1)."""
        return self.arithmetic.once(rates(self.settings["lr"], len(self.theta), self.late)[:, None])

    @cached_property
    def t(self):
        """The number of each step, (T, 1), from 1."""
        return np.arange(1, len(self.theta) + 1)[:, None]

    @cached_property
    def betas(self):
        """Adam's beta1 and beta2."""
        return [self.arithmetic.once(beta) for beta in self.settings["betas"]]

    @property
    def momentum(self):
        """The share of the velocity that is kept."""
        return self.arithmetic.once(self.settings["momentum"])

    @property
    def eps(self):
        """Adam's eps."""
        return self.arithmetic.once(self.settings["eps"])

    @property
    def weight_decay(self):
        """How strongly theta is pulled towards 0."""
        return self.arithmetic.once(self.settings["weight_decay"])


def lengths(gradients):
    """Return the norm of each row."""
    return np.sqrt(np.square(gradients, dtype=REAL).sum(axis=1))


def rates(lr, steps, late=0):
    """Return lr at each step, counted from 0."""
    return np.array([float(lr(t + late) if callable(lr) else lr) for t in range(steps)])


def sgd(p):
    """Momentum as in PyTorch: lr multiplies the velocity, and is not part of it.

    Nesterov: Sutskever et al. (2013), at the points where the gradients are computed (docs/04).
    """
    g = p.gradient + p.weight_decay * p.before
    velocity = running(p.momentum, g)
    move = g + p.momentum * velocity if p.settings["nesterov"] else velocity
    return p.before - p.lr * move


def adam(p):
    """Kingma and Ba (2015), algorithm 1; weight decay is part of the gradient."""
    return p.before - p.lr * adam_move(p.gradient + p.weight_decay * p.before, p)


def adamw(p):
    """The same with separate decay, scaled by lr. Loshchilov and Hutter (2019), algorithm 2."""
    return p.before - p.lr * (p.weight_decay * p.before) - p.lr * adam_move(p.gradient, p)


def adam_move(g, p):
    """Return what Adam multiplies by lr."""
    beta1, beta2 = p.betas
    m = running(beta1, (1 - beta1) * g)
    v = running(beta2, (1 - beta2) * (g * g))
    m_hat = m / (1 - beta1**p.t)
    v_hat = v / (1 - beta2**p.t)
    return m_hat / (v_hat.sqrt() + p.eps)


RULES = {"sgd": sgd, "adam": adam, "adamw": adamw}
NAMES = {  # the settings of each rule
    "sgd": ("lr", "momentum", "nesterov", "weight_decay", "clip_norm"),
    "adam": ("lr", "betas", "eps", "weight_decay", "clip_norm"),
    "adamw": ("lr", "betas", "eps", "weight_decay", "clip_norm"),
}
