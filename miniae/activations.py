"""More activations: LeakyReLU, ELU and GELU, also by name in `activation=` of the models.

ReLU, Sigmoid, Tanh and Softplus are in `miniae.layers`. The three here let a gradient pass where
x < 0, so that a unit that is off for all samples can still learn. x is split into max(x, 0) and
min(x, 0): np.where takes several times as long where the signs of x are mixed.
"""

import numpy as np

from miniae.layers import Layer
from miniae.networks import ACTIVATIONS, HE
from miniae.numerics import as_float, relu
from miniae.plumbing.layer_checks import check_range

ROOT = float(np.sqrt(2 / np.pi))
CUBIC = 0.044715  # Hendrycks and Gimpel (2016), section 2
FAR = 10.0  # tanh of the GELU's argument is 1 from here on, in float64 too


def _negative(x):
    """min(x, 0), elementwise; of a complex x, by its real part."""
    return x - relu(x) if x.dtype.kind == "c" else np.minimum(x, 0)


class LeakyReLU(Layer):
    """out = x where x > 0, else slope x. Maas et al. (2013).

    Parameters
    ----------
    slope : float >= 0, of the negative side; PyTorch's default is 0.01, that of Keras 0.3
    """

    config = ("slope",)

    def __init__(self, slope=0.01):
        self.slope = check_range(self, "slope", slope)
        super().__init__()

    def forward(self, x, training=False):
        """x of any shape -> out of the same shape."""
        x = as_float(x)
        out = relu(x) + self.slope * _negative(x)
        return self.remember(out, out)

    def backward(self, dout):
        """The slope is 1 where x > 0, which is where out > 0, else `slope`.

        dout is split as x is: its entries where x > 0, and the others.
        """
        out = self.recall(dout)
        positive = dout * (out.real > 0)
        return positive + self.slope * (dout - positive)


class ELU(Layer):
    """out = x where x > 0, else alpha (e^x - 1). Clevert et al. (2016), eq. 15.

    Parameters
    ----------
    alpha : float > 0; out tends to -alpha where x is far below 0
    """

    config = ("alpha",)

    def __init__(self, alpha=1.0):
        self.alpha = check_range(self, "alpha", alpha, above=0)
        super().__init__()

    def forward(self, x, training=False):
        """x of any shape -> out > -alpha, of the same shape."""
        x = as_float(x)
        return self.remember(x, relu(x) + self.alpha * np.expm1(_negative(x)))  # one term is 0

    def backward(self, dout):
        """The slope of alpha (e^x - 1) is alpha e^x; where x > 0 it is 1.

        dout is split as x is: its entries where x > 0, and the others.
        """
        x = self.recall(dout)
        positive = dout * (x.real > 0)
        return positive + (dout - positive) * (self.alpha * np.exp(_negative(x)))


class GELU(Layer):
    """out = x/2 (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3): x Phi(x), nearly.

    Hendrycks and Gimpel (2016), section 2, the form with tanh, which accepts complex numbers. Phi
    is the normal distribution function; the form differs from x Phi(x) by less than 5e-4.
    """

    def forward(self, x, training=False):
        """x of any shape -> out of the same shape."""
        x = as_float(x)
        near = np.where(np.abs(x.real) > FAR, FAR * np.sign(x.real), x)  # x^3 would overflow
        t = np.tanh(ROOT * (near + CUBIC * (near * near * near)))  # near**3 takes 100 times as long
        return self.remember((near, t), 0.5 * x * (1 + t))

    def backward(self, dout):
        """The product rule, on x/2 and 1 + t with t = tanh u.

        The slope of tanh is 1 - t^2, and du/dx = sqrt(2/pi) (1 + 3 0.044715 x^2). So the slope is
        (1 + t) / 2 + x/2 (1 - t^2) sqrt(2/pi) (1 + 3 0.044715 x^2). Where |x| is large, 1 - t^2 is
        0 to rounding.
        """
        near, t = self.recall(dout)
        du = ROOT * (1 + 3 * CUBIC * near * near)
        return dout * (0.5 * (1 + t) + 0.5 * near * (1 - t * t) * du)


NAMED = {"leaky_relu": LeakyReLU, "elu": ELU, "gelu": GELU}
ACTIVATIONS.update(NAMED)
HE.update(NAMED)  # each of them is x for large x and small below 0, as ReLU is
