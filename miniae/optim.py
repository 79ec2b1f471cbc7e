"""Optimisers: update rules on two vectors, ``step(theta, dtheta)``, as a textbook writes them.

The vectors are long and the arithmetic is light, so most of the time goes into moving memory. Each
rule therefore works on blocks of the vectors, small enough that a block's arrays stay in cache.
"""

from operator import itemgetter

import numpy as np

from miniae.plumbing.checks import is_number
from miniae.plumbing.foreign import Foreign, refused
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
    never_negative = ()  # those of them that are means of squares, or the like
    set_by_init = "lr"
    learning_rate = refused("learning_rate", also_of_subclass=False)  # nobody would read it

    def __init__(self, lr, weight_decay=0.0, clip_norm=None):
        self.lr, self.weight_decay, self.clip_norm = lr, weight_decay, clip_norm
        self.t, self.state = 0, {}
        self.check()

    def check(self):
        """Refuse settings that do not fit, with a ValueError; `fit` does so before each epoch.

        So a setting that was changed after the optimiser was built is checked too. A subclass with
        settings of its own sets them before ``super().__init__``, and checks them here.
        """
        if not callable(self.lr) and (not is_number(self.lr) or not 0 < self.lr < np.inf):
            raise ValueError(
                f"lr={self.lr!r} must be above 0 and finite, or a function of the step"
            )
        if not is_number(self.weight_decay) or not 0 <= self.weight_decay < np.inf:
            raise ValueError(f"weight_decay={self.weight_decay!r} must be finite, 0 or more")
        clip_norm = self.clip_norm
        if clip_norm is not None and (not is_number(clip_norm) or not clip_norm > 0):
            raise ValueError(f"clip_norm={self.clip_norm!r} must be above 0")

    def rate(self, lr):
        """Return the rate of a step as a float.

        A function of the step may return 0, as many do in their first or last step.

        Raises
        ------
        ValueError : it is negative, not finite, or not a number
        """
        fits = is_number(lr) and 0 <= lr < np.inf and (lr > 0 or callable(self.lr))
        if not fits:
            source = f"the function lr={self.lr!r} returned" if callable(self.lr) else "lr is"
            raise ValueError(
                f"{source} {lr!r} for step {self.t}; a learning rate must be above 0 and finite"
            )
        return float(lr)

    @np.errstate(under="ignore")
    def step(self, theta, dtheta):
        """Change theta in place, given the gradient dtheta (which stays as it is).

        The second moments of small gradients underflow to 0. This is not an error, whatever
        np.seterr says.

        Raises
        ------
        ValueError : the vectors do not fit each other, or those of the steps before; or the rate
            is negative or not a finite number
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
        lr = self.lr(self.t) if callable(self.lr) else self.lr
        if type(lr) is not float or not 0 < lr < np.inf:
            lr = self.rate(lr)  # a float64 of NumPy too: it would turn float32 into float64
        scale = 1.0 if self.clip_norm is None else self.clip_scale(dtheta)
        self.t += 1
        for start in range(0, len(theta), BLOCK):
            here = slice(start, start + BLOCK)
            gradient = dtheta[here] if scale == 1.0 else dtheta[here] * scale
            self.update(theta[here], gradient, lr, *map(itemgetter(here), vectors))  # v[here]

    def clip_scale(self, dtheta):
        """Return the factor that brings the norm of the gradient down to clip_norm, at most 1."""
        norm = np.sqrt(self.sum_of_squares(dtheta))
        # A float: a float64 of NumPy would turn the float32 gradient into float64.
        return float(self.clip_norm / norm) if norm > self.clip_norm else 1.0

    def sum_of_squares(self, dtheta):
        """Return the sum of the squares of dtheta."""
        total = 0.0
        for start in range(0, len(dtheta), BLOCK):
            block = dtheta[start : start + BLOCK]
            # float64, because squares of large float32 gradients overflow
            total += np.square(block, dtype=np.float64).sum()
        return total

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
        self.momentum, self.nesterov = momentum, nesterov
        super().__init__(lr, weight_decay, clip_norm)
        self.moments = ("velocity",) if momentum else ()

    def check(self):
        """As Optimizer.check."""
        super().check()
        if not is_number(self.momentum) or not 0 <= self.momentum < 1:
            raise ValueError(f"momentum={self.momentum!r} must be in [0, 1)")
        if not self.momentum and self.nesterov:
            raise ValueError("nesterov=True needs a momentum above 0")

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
    never_negative = ("v",)

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, clip_norm=None):
        self.betas, self.eps = betas, eps
        super().__init__(lr, weight_decay, clip_norm)
        self.betas = tuple(betas)

    def check(self):
        """As Optimizer.check."""
        super().check()
        betas = self.betas if np.ndim(self.betas) else (self.betas,)
        if len(betas) != 2 or not all(is_number(b) and 0 <= b < 1 for b in betas):
            raise ValueError(f"betas={self.betas!r} must be two numbers in [0, 1)")
        if not is_number(self.eps) or not self.eps > 0:
            raise ValueError(f"eps={self.eps!r} must be above 0")

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
