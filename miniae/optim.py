"""Optimisers: update rules on two vectors, ``step(theta, dtheta)``, as a textbook writes them.

The vectors are long and the arithmetic is light, so most of the time goes into moving memory. Each
rule therefore works on blocks of the vectors, small enough that a block's arrays stay in cache.
"""

from operator import itemgetter

import numpy as np

from miniae.plumbing.foreign import Foreign
from miniae.plumbing.signatures import described

BLOCK = 131072  # elements: larger blocks leave the cache, smaller ones need more calls


class Optimizer(Foreign):
    """Base of the optimisers: learning rate, gradient clipping, the loop over blocks.

    Parameters
    ----------
    lr : float, or a function of the step (0, 1, 2, ...) that returns one
    weight_decay : float >= 0, pulls all of theta towards zero, as the subclass describes
    clip_norm : float > 0 or None
        If the norm of the gradient, over all parameters, exceeds it, the gradient is scaled down
        to that norm.

    Attributes
    ----------
    t : int, number of steps made
    state : dict of str to ndarray, vectors like theta that are kept from step to step
    """

    moments = ()  # names of the vectors in state

    def __init__(self, lr, weight_decay=0.0, clip_norm=None):
        if not callable(lr) and not lr > 0:
            raise ValueError(f"lr={lr!r} must be above 0, or a function of the step")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay={weight_decay!r} must be 0 or more")
        if clip_norm is not None and not clip_norm > 0:
            raise ValueError(f"clip_norm={clip_norm!r} must be above 0")
        self.lr, self.weight_decay, self.clip_norm = lr, weight_decay, clip_norm
        self.t, self.state = 0, {}

    def step(self, theta, dtheta):
        """Change theta in place, given the gradient dtheta (which stays as it is).

        Raises
        ------
        ValueError : the vectors do not fit each other, or those of the steps before
        """
        for name, vector in {"dtheta": dtheta, **self.state}.items():
            if vector.shape != theta.shape or theta.ndim != 1:
                raise ValueError(
                    f"theta has shape {theta.shape} but {name} {vector.shape}; both are flat "
                    "vectors, and an optimiser serves one model: make a new one for another"
                )
        vectors = []
        for name in self.moments:
            if name not in self.state:
                self.state[name] = np.zeros_like(theta)
            vectors.append(self.state[name])
        lr = float(self.lr(self.t)) if callable(self.lr) else self.lr
        scale = 1.0 if self.clip_norm is None else self.clip_scale(dtheta)
        self.t += 1
        for start in range(0, len(theta), BLOCK):
            here = slice(start, start + BLOCK)
            gradient = dtheta[here] if scale == 1.0 else dtheta[here] * scale
            self.update(theta[here], gradient, lr, *map(itemgetter(here), vectors))  # v[here]

    def clip_scale(self, dtheta):
        """Return the factor that brings the norm of the gradient down to clip_norm."""
        squares = 0.0
        for start in range(0, len(dtheta), BLOCK):
            block = dtheta[start : start + BLOCK]
            # float64, because squares of large float32 gradients overflow
            squares += np.square(block, dtype=np.float64).sum()
        return min(1.0, self.clip_norm / max(np.sqrt(squares), np.finfo(float).tiny))

    def update(self, theta, dtheta, lr, *state):
        """Apply the rule to one block, in place on theta and state; in the first step `t` is 1."""
        raise NotImplementedError(f"{type(self).__name__} has no update rule yet")

    def __repr__(self):
        return described(self, vars(self), first=1)


class SGD(Optimizer):
    """Stochastic gradient descent, with classical or Nesterov momentum.

    velocity = momentum * velocity + dtheta;  theta -= lr * velocity
    With nesterov, theta moves by lr * (momentum * velocity + dtheta), so theta is the look-ahead
    point, one momentum step further. Both are PyTorch's rules. With a constant lr they are those of
    Sutskever et al. (2013), who keep lr in the velocity. Under a schedule their rule moves old
    gradients by the lr of their own step, and this one by the present lr. weight_decay adds
    weight_decay * theta to the gradient.
    """

    def __init__(self, lr, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=None):
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum!r} must be in [0, 1)")
        if not momentum and nesterov:
            raise ValueError("nesterov=True needs a momentum above 0")
        super().__init__(lr, weight_decay, clip_norm)
        self.momentum, self.nesterov = momentum, nesterov
        self.moments = ("velocity",) if momentum else ()

    def update(self, theta, dtheta, lr, velocity=None):
        """See the class."""
        if self.weight_decay:
            dtheta = dtheta + self.weight_decay * theta
        move = dtheta
        if self.momentum:
            velocity *= self.momentum
            velocity += dtheta
            move = dtheta + self.momentum * velocity if self.nesterov else velocity
        theta -= lr * move


class Adam(Optimizer):
    """Adam: a step per parameter, scaled by running averages m of dtheta and v of dtheta^2.

    theta -= lr * m_hat / (sqrt(v_hat) + eps), with m_hat = m / (1 - beta1^t) and
    v_hat = v / (1 - beta2^t): both averages start at zero, and the divisions correct for that.
    Kingma and Ba (2015), algorithm 1. weight_decay also subtracts lr * weight_decay * theta from
    theta, apart from the gradient, as PyTorch's AdamW does. Loshchilov and Hutter (2019),
    algorithm 2.
    """

    moments = ("m", "v")

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, clip_norm=None):
        if len(betas) != 2 or not 0 <= min(betas) <= max(betas) < 1:
            raise ValueError(f"betas={betas!r} must be two numbers in [0, 1)")
        if not eps > 0:
            raise ValueError(f"eps={eps!r} must be above 0")
        super().__init__(lr, weight_decay, clip_norm)
        self.betas, self.eps = tuple(betas), eps

    def update(self, theta, dtheta, lr, m, v):
        """Adam in fewer passes over the vectors; the result is the same.

        The paper's algorithm, a pass over memory for each operation:

            m = beta1 m + (1 - beta1) dtheta
            v = beta2 v + (1 - beta2) dtheta^2
            m_hat = m / (1 - beta1^t);  v_hat = v / (1 - beta2^t)
            theta -= lr m_hat / (sqrt(v_hat) + eps)

        Here the vector m holds the paper's m / (1 - beta1), and v its v / (1 - beta2), so that
        dtheta needs no factor. Then sqrt(v_hat) = sqrt(v) / root with
        root = sqrt((1 - beta2^t) / (1 - beta2)), and the last line is

            theta -= lr root (1 - beta1) / (1 - beta1^t) m / (sqrt(v) + root eps)
        """
        beta1, beta2 = self.betas
        root = ((1 - beta2**self.t) / (1 - beta2)) ** 0.5
        m *= beta1
        m += dtheta
        move = np.square(dtheta, dtype=v.dtype)
        v *= beta2
        v += move
        np.sqrt(v, out=move)
        move += root * self.eps
        np.divide(m, move, out=move)
        move *= lr * root * (1 - beta1) / (1 - beta1**self.t)
        if self.weight_decay:
            theta *= 1 - lr * self.weight_decay
        theta -= move
