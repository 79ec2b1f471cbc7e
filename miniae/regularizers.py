"""Corruptions of the input and penalties on the code: both keep an autoencoder from copying.

``corruption(x, rng)`` returns a copy of x with noise. ``Autoencoder(...,
corruption=MaskingNoise(0.3))`` calls it for every training batch with the model's own generator.
The target has no noise, so the model learns to remove noise. Vincent et al. (2008).

A penalty has ``forward(code)``, a scalar that is added to the loss, and ``backward()``, its
gradient dcode. Like a loss, it is a mean over samples: repeating every sample does not change it.
It is added to a loss that is a sum over the features. Keras' loss is a mean over them, so a weight
from Keras must be multiplied by the number of features: ``activity_regularizer=l1(10e-5)`` for
images of 784 pixels is ``penalty=L1Penalty(784 * 10e-5)``.
"""

import numpy as np

from miniae.activations import ELU, GELU, LeakyReLU
from miniae.conv import Conv2D, ConvTranspose2D
from miniae.layers import Dense, ReLU, Softplus, Tanh
from miniae.normalization import BatchNorm, LayerNorm
from miniae.numerics import as_float
from miniae.parameters import Parameterized
from miniae.plumbing.checks import is_number
from miniae.plumbing.foreign import Foreign

NO_PROBABILITY = {  # layers whose output is not a probability, and why
    Dense: "is linear",
    Conv2D: "is linear",
    ConvTranspose2D: "is linear",
    ReLU: "reaches above 1",
    Softplus: "reaches above 1",
    Tanh: "reaches below 0",
    **dict.fromkeys((BatchNorm, LayerNorm, LeakyReLU, ELU, GELU), "reaches below 0"),
}


class Regularizer(Foreign):
    """Base class of corruptions and penalties. They have no parameters to train."""

    config = ()  # names of the constructor's arguments, which are also attributes
    __repr__, cached = Parameterized.__repr__, Parameterized.cached
    first_pass = Parameterized.first_pass


class Corruption(Regularizer):
    """Base class of corruptions. Subclasses write `damage(x, rng)`, which returns a new array."""

    def __call__(self, x, rng):
        """Return a copy of x (any shape, floating-point) with noise, with the same dtype.

        Raises
        ------
        TypeError : x has integers, such as pixels from 0 to 255; the noise is for pixels in [0, 1]
        """
        x = np.asarray(x)
        if x.dtype.kind not in "fc":
            raise TypeError(
                f"{self}: x must be floating-point, got {x.dtype}; for pixels use x / 255"
            )
        return self.damage(x, rng).astype(x.dtype, copy=False)


class GaussianNoise(Corruption):
    """Add normal noise to every entry. Vincent et al. (2010).

    The sum is not clipped, so the noise has mean 0 and a model can average it out.

    Parameters
    ----------
    std : float >= 0, the standard deviation, in units of x
    """

    config = ("std",)

    def __init__(self, std):
        if not is_number(std) or not 0 <= std < np.inf:
            raise ValueError(f"GaussianNoise: std={std!r} must be finite, 0 or more")
        self.std = float(std)

    def damage(self, x, rng):
        dtype = np.float32 if x.dtype == np.float32 else np.float64
        return x + self.std * rng.standard_normal(x.shape, dtype=dtype)


class MaskingNoise(Corruption):
    """Set each entry to 0 with probability p. Vincent et al. (2008).

    Unlike `Dropout` it does not scale the other entries: the model should see that some are lost.

    Parameters
    ----------
    p : float, 0 <= p <= 1
    """

    config = ("p",)

    def __init__(self, p):
        if not is_number(p) or not 0 <= p <= 1:
            raise ValueError(f"MaskingNoise: p={p!r} must be a probability, from 0 to 1")
        self.p = float(p)

    def damage(self, x, rng):
        return x * (rng.random(x.shape, dtype=np.float32) >= self.p)


class SaltAndPepper(Corruption):
    """Set each entry with probability p to low or high, equally likely. Vincent et al. (2010).

    Parameters
    ----------
    p : float, 0 <= p <= 1
    low, high : float, the values of pepper and of salt, in units of x
    """

    config = ("p", "low", "high")

    def __init__(self, p, low=0.0, high=1.0):
        if not is_number(p) or not 0 <= p <= 1:
            raise ValueError(f"SaltAndPepper: p={p!r} must be a probability, from 0 to 1")
        if not -np.inf < low < high < np.inf:
            raise ValueError(
                f"SaltAndPepper: low={low!r} and high={high!r} must be finite, low < high"
            )
        self.p, self.low, self.high = float(p), float(low), float(high)

    def damage(self, x, rng):
        u = rng.random(x.shape, dtype=np.float32)  # pepper below p / 2, salt from p / 2 to p
        return np.where(u < self.p / 2, self.low, np.where(u < self.p, self.high, x))


class Penalty(Regularizer):
    """Base class of penalties. Subclasses write `forward(code)` and `backward()`.

    Parameters
    ----------
    weight : float >= 0, the factor of the penalty in the loss, which is a sum over features
        A weight from Keras, where the loss is a mean, is multiplied by the number of features.
    """

    config, set_by_init = ("weight",), "weight"

    def __init__(self, weight=1.0):
        name = type(self).__name__
        if not is_number(weight) or not 0 <= weight < np.inf:
            raise ValueError(f"{name}: weight={weight!r} must be finite, 0 or more")
        self.weight, self.cache = float(weight), None

    def checked(self, code):
        """Return the code as floats; raise ValueError if it has no samples or no units."""
        code = as_float(code)
        if code.ndim < 2 or not code.size:
            raise ValueError(
                f"{self}: code has shape {code.shape}, must be (n, latent_dim), n >= 1"
            )
        return code


class L1Penalty(Penalty):
    """weight * sum over units of |code|, mean over samples: it moves small entries to 0.

    Parameters
    ----------
    weight : float >= 0; that of Keras' l1 times the number of features (see `Penalty`)
    """

    def forward(self, code):
        """Code (n, latent_dim) -> scalar."""
        code = self.checked(code)
        self.cache = sign = np.sign(code.real)
        return self.weight * (code * sign).sum() / len(code)  # np.abs would lose the imaginary part

    def backward(self):
        """The slope of |c| is sign(c); divided by n, because the penalty is a mean over samples.

        At c = 0 every slope from -1 to 1 is a subgradient. We take 0, so an entry at 0 stays there.
        """
        sign = self.cached()
        return sign * (self.weight / len(sign))


class KLSparsity(Penalty):
    """weight * sum over units of KL(Bernoulli(rho) || Bernoulli(a)), in nats; 0 where a = rho.

    a is the mean activation of a unit over the batch: the probability that the unit is on. The
    mean must be small, but for a few samples a unit may be fully on. Ng (2011), section 3; Hinton
    (2010), section 11.

    Parameters
    ----------
    rho : float, 0 < rho < 1, the wanted mean activation
    weight : float >= 0; one for a mean over features is multiplied by their number (see `Penalty`)

    Notes
    -----
    The code must be in (0, 1), as with ``code_activation="sigmoid"``. A sigmoid of a large number
    rounds to 0 or 1. If this happens to a unit in a whole batch, the KL is infinite, although the
    exact a is only very near to 0 or 1. So a is clipped: its distance from 0 and 1 is at least the
    distance between floats just below 1 (6e-8 in float32). Where a is clipped the gradient is 0,
    and the penalty does not move the unit. It could not move the unit in any case, because a
    sigmoid that rounds to 0 or 1 has the slope 0.
    """

    config = ("rho", "weight")
    needs_whole_batch = "the mean activation of a unit is that over the batch"

    def __init__(self, rho=0.05, weight=1.0):
        if not is_number(rho) or not 0 < rho < 1:
            raise ValueError(
                f"KLSparsity: rho={rho!r} must be a mean activation, above 0 and below 1"
            )
        super().__init__(weight)
        self.rho = float(rho)

    def check(self, layer):
        """Raise ValueError if the output of an encoder's last layer can be outside (0, 1)."""
        for kind, reason in NO_PROBABILITY.items():
            if isinstance(layer, kind):
                raise ValueError(
                    f"penalty={self} needs a code in (0, 1), but the encoder ends in {layer}, "
                    f"which {reason}: then a mean is not a probability and has no Bernoulli KL; "
                    'use code_activation="sigmoid", or end your encoder with Sigmoid()'
                )

    def divergence(self, a):
        """Return KL(Bernoulli(rho) || Bernoulli(a)) of each entry of a, all in (0, 1)."""
        rho = self.rho
        return rho * np.log(rho / a) + (1 - rho) * np.log((1 - rho) / (1 - a))

    def forward(self, code):
        """Code (n, latent_dim) in (0, 1) -> scalar; ValueError if the code is outside [0, 1]."""
        code = self.checked(code)
        low, high = code.real.min(), code.real.max()
        if low < 0 or high > 1:  # NaN passes: the model raises the error
            raise ValueError(
                f"{self}: the code is between {low:.4g} and {high:.4g}, but must be in (0, 1), so "
                'that its mean is a probability: use code_activation="sigmoid"'
            )
        mean, end = code.mean(axis=0), np.finfo(code.dtype).epsneg
        inside = (end < mean.real) & (mean.real < 1 - end)
        a = np.where(inside, mean, mean.real.clip(end, 1 - end))
        self.cache = a, inside, code.shape
        return self.weight * self.divergence(a).sum()

    def backward(self):
        """dKL/da = (1 - rho) / (1 - a) - rho / a, which is 0 where a = rho.

        a_j = sum_i code_ij / n, so its slope in each code_ij is 1 / n. dcode is dKL/da times
        weight / n, the same in every row.
        """
        a, inside, shape = self.cached()
        slope = np.where(inside, (1 - self.rho) / (1 - a) - self.rho / a, 0)
        return np.full(shape, slope * (self.weight / shape[0]), a.dtype)
