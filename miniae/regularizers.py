"""What keeps an autoencoder from merely copying: damage to its input, or a price on its code.

A corruption is called as ``corruption(x, rng)`` and returns a damaged copy of x. ``Autoencoder(...,
corruption=MaskingNoise(0.3))`` calls it for every batch of training, with the model's own
generator; the target stays clean, so that the model learns to repair. Vincent et al. (2008).

A penalty has ``forward(code)``, a scalar that is added to the loss, and ``backward()``, its
gradient dcode. As a loss it is per sample: the same if every sample comes twice.
"""

import numpy as np

from miniae.conv import Conv2D, ConvTranspose2D
from miniae.layers import Dense, ReLU, Softplus, Tanh
from miniae.numerics import as_float
from miniae.parameters import Parameterized

NO_PROBABILITY = {  # layers whose output is no probability
    Dense: "is linear",
    Conv2D: "is linear",
    ConvTranspose2D: "is linear",
    ReLU: "reaches above 1",
    Softplus: "reaches above 1",
    Tanh: "reaches below 0",
}


class Regularizer:
    """Base of corruptions and penalties, which have no parameters to train."""

    config = ()  # names of the attributes that rebuild it as constructor arguments
    __repr__, cached = Parameterized.__repr__, Parameterized.cached


class Corruption(Regularizer):
    """Base of the corruptions. Subclasses write `damage(x, rng)`, which returns a new array."""

    def __call__(self, x, rng):
        """Return a damaged copy of x (any shape, floating-point), of x's shape and dtype.

        Raises
        ------
        TypeError : x holds integers, such as pixels up to 255, which need damage of another size
        """
        x = np.asarray(x)
        if x.dtype.kind not in "fc":
            raise TypeError(f"{self}: x must be floating-point, got {x.dtype}; pixels are x / 255")
        return self.damage(x, rng).astype(x.dtype, copy=False)


class GaussianNoise(Corruption):
    """Add normal noise to every entry. Vincent et al. (2010).

    The sum is not clipped: that the noise has mean 0 is what lets a model average it out.

    Parameters
    ----------
    std : float >= 0, standard deviation, in units of x
    """

    config = ("std",)

    def __init__(self, std):
        if not 0 <= std < np.inf:
            raise ValueError(f"GaussianNoise: std={std!r} must be finite, 0 or more")
        self.std = float(std)

    def damage(self, x, rng):
        dtype = np.float32 if x.dtype == np.float32 else np.float64
        return x + self.std * rng.standard_normal(x.shape, dtype=dtype)


class MaskingNoise(Corruption):
    """Set each entry to 0 with probability p. Vincent et al. (2008).

    Unlike `Dropout` it does not scale the others up: the model is to see that something is lost.

    Parameters
    ----------
    p : float, 0 <= p <= 1
    """

    config = ("p",)

    def __init__(self, p):
        if not 0 <= p <= 1:
            raise ValueError(f"MaskingNoise: p={p!r} is a probability, from 0 to 1")
        self.p = float(p)

    def damage(self, x, rng):
        return np.where(rng.random(x.shape, dtype=np.float32) < self.p, 0, x)


class SaltAndPepper(Corruption):
    """With probability p an entry becomes low or high, equally likely. Vincent et al. (2010).

    Parameters
    ----------
    p : float, 0 <= p <= 1
    low, high : float, the values of pepper and of salt, in units of x
    """

    config = ("p", "low", "high")

    def __init__(self, p, low=0.0, high=1.0):
        if not 0 <= p <= 1:
            raise ValueError(f"SaltAndPepper: p={p!r} is a probability, from 0 to 1")
        if not -np.inf < low < high < np.inf:
            raise ValueError(
                f"SaltAndPepper: low={low!r} and high={high!r} must be finite, low < high"
            )
        self.p, self.low, self.high = float(p), float(low), float(high)

    def damage(self, x, rng):
        u = rng.random(x.shape, dtype=np.float32)  # below p / 2 pepper, from there to p salt
        return np.where(u < self.p / 2, self.low, np.where(u < self.p, self.high, x))


class Penalty(Regularizer):
    """Base of the penalties. Subclasses write `forward(code)` and `backward()`.

    Parameters
    ----------
    weight : float >= 0, the factor before the penalty; what it yields is in units of the loss
    """

    config = ("weight",)

    def __init__(self, weight=1.0):
        name = type(self).__name__
        if not 0 <= weight < np.inf:
            raise ValueError(f"{name}: weight={weight!r} must be finite, 0 or more")
        self.weight, self.cache = float(weight), None

    def checked(self, code):
        """Return the code as floating-point numbers; refuse one without samples or units."""
        code = as_float(code)
        if code.ndim < 2 or not code.size:
            raise ValueError(
                f"{self}: code has shape {code.shape}, must be (n, latent_dim), n >= 1"
            )
        return code


class L1Penalty(Penalty):
    """weight * sum over units of |code|, mean over samples: it draws small entries to 0.

    Parameters
    ----------
    weight : float >= 0
    """

    def forward(self, code):
        """Code (n, latent_dim) -> scalar."""
        code = self.checked(code)
        self.cache = sign = np.sign(code.real)
        return self.weight * (code * sign).sum() / len(code)  # np.abs would drop imaginary parts

    def backward(self):
        """|c| has the slope sign(c), over n because the penalty is a mean over samples.

        At c = 0, where any slope from -1 to 1 would do, it is 0: what has become 0 may stay so.
        """
        sign = self.cached()
        return sign * (self.weight / len(sign))


class KLSparsity(Penalty):
    """weight * sum over units of KL(Bernoulli(rho) || Bernoulli(a)), in nats; 0 where a = rho.

    a is a unit's mean activation over the batch, read as the probability that the unit is on: the
    mean is to be small, and a unit may well be fully on for its few samples. Ng (2011), section 3;
    Hinton (2010), section 11.

    Parameters
    ----------
    rho : float, 0 < rho < 1, the mean activation to reach
    weight : float >= 0

    Notes
    -----
    The code must lie in (0, 1), as with ``code_activation="sigmoid"``. A sigmoid far out rounds to
    0 or 1, and where a unit does so in a whole batch the KL would be infinite, though its true a
    is merely too near the end to tell. So a counts as no nearer to 0 or 1 than floats just below 1
    are to each other (6e-8 in float32). Beyond, the gradient is 0, and the penalty does not bring
    the unit back; nor could it where a sigmoid has been rounded to 0 or 1, and has no slope.
    """

    config = ("rho", "weight")

    def __init__(self, rho=0.05, weight=1.0):
        if not 0 < rho < 1:
            raise ValueError(f"KLSparsity: rho={rho!r} is a mean activation, above 0 and below 1")
        super().__init__(weight)
        self.rho = float(rho)

    def check(self, layer):
        """Refuse an encoder's last layer if its output is known to leave (0, 1)."""
        for kind, reason in NO_PROBABILITY.items():
            if isinstance(layer, kind):
                raise ValueError(
                    f"penalty={self} needs a code in (0, 1), but the encoder ends in {layer}, "
                    f"which {reason}: a mean below 0 or above 1 is no probability and has no "
                    "Bernoulli KL; "
                    'use code_activation="sigmoid", or end your encoder in Sigmoid()'
                )

    def divergence(self, a):
        """Return KL(Bernoulli(rho) || Bernoulli(a)) of each entry of a, which is in (0, 1)."""
        rho = self.rho
        return rho * np.log(rho / a) + (1 - rho) * np.log((1 - rho) / (1 - a))

    def forward(self, code):
        """Code (n, latent_dim) in (0, 1) -> scalar; ValueError if the code is outside [0, 1]."""
        code = self.checked(code)
        low, high = code.real.min(), code.real.max()
        if low < 0 or high > 1:  # NaN passes, the penalty is NaN, and the model says what it means
            raise ValueError(
                f"{self}: the code lies between {low:.4g} and {high:.4g}, but must be in (0, 1) "
                'for its mean to be a probability: use code_activation="sigmoid"'
            )
        mean, end = code.mean(axis=0), np.finfo(code.dtype).epsneg
        inside = (end < mean.real) & (mean.real < 1 - end)
        a = np.where(inside, mean, mean.real.clip(end, 1 - end))
        self.cache = a, inside, code.shape
        return self.weight * self.divergence(a).sum()

    def backward(self):
        """dKL/da = (1 - rho) / (1 - a) - rho / a, which is 0 where a = rho.

        a_j = sum_i code_ij / n, so that each of the n samples moves it by a share of 1 / n: dcode
        is this slope times weight / n, the same in every row.
        """
        a, inside, shape = self.cached()
        slope = np.where(inside, (1 - self.rho) / (1 - a) - self.rho / a, 0)
        return np.full(shape, slope * (self.weight / shape[0]), a.dtype)
