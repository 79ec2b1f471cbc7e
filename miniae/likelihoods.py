"""More losses: a sigma per column, counts, categories, long tails, and columns of several kinds.

Each is written as those in `losses.py` are: `entries`, the loss of each entry, and `slopes`, its
derivative with respect to out times a weight. The last lines of the file give them names.
"""

import copy

import numpy as np

from miniae.losses import LOSSES, Loss
from miniae.numerics import LOG_2PI, as_float, log_softmax
from miniae.plumbing.checks import is_number, is_whole, whole
from miniae.plumbing.inputs import as_array
from miniae.plumbing.names import choose

LOG_2 = float(np.log(2))
LARGEST_RATE = 1e18  # NumPy counts in 64 bits, and refuses to draw larger numbers


class ColumnGaussianNLL(Loss):
    """-log N(target; out, diag(sigma^2)) in nats: `GaussianNLL` with a sigma for each column.

    A column that the latents explain well gets a small sigma, and a column of noise a large one.
    With one sigma for all, the noise decides how exactly the others are modelled.

    Parameters
    ----------
    sigma : (d,) numbers > 0, the standard deviation of each column, in units of the data
        For images, an array of the image's shape.
    learn_sigma : bool
        Whether they are trained too, as log_sigma in `params`. At the optimum, sigma_j^2 is the
        mean squared error of column j.

    Examples
    --------
    >>> vae = VAE(20, likelihood=ColumnGaussianNLL(np.ones(20), learn_sigma=True))
    """

    config = ("sigma", "learn_sigma")

    def __init__(self, sigma, learn_sigma=False):
        sigma = np.array(as_array(sigma, "sigma"), np.float64)
        if not sigma.ndim or not sigma.size or not ((sigma > 0) & (sigma < np.inf)).all():
            raise ValueError(
                f"ColumnGaussianNLL: sigma must be finite numbers above 0, one for each column, "
                f"such as np.ones(20), got {sigma.tolist()}; GaussianNLL takes one for all"
            )
        self.fixed, self.learn_sigma = sigma, learn_sigma
        super().__init__({"log_sigma": np.log(sigma)} if learn_sigma else {})

    @property
    def sigma(self):
        """The standard deviations as they are now, in units of the data, shape (d,)."""
        return np.exp(self.params["log_sigma"].real) if self.learn_sigma else self.fixed

    def log_sigma(self, out):
        """Return the logarithm of each sigma as it is now; ValueError if out has other columns."""
        if out.shape[1:] != self.fixed.shape:
            raise ValueError(
                f"ColumnGaussianNLL has sigmas of shape {self.fixed.shape}, but samples have shape "
                f"{out.shape[1:]}: it needs one sigma for each column"
            )
        return self.params["log_sigma"] if self.learn_sigma else np.log(self.fixed, dtype=out.dtype)

    def entries(self, out, target):
        """Means and targets (n, ...) -> (n, ...), in nats."""
        log_sigma = self.log_sigma(out)
        return (target - out) ** 2 * (0.5 * np.exp(-2 * log_sigma)) + (log_sigma + 0.5 * LOG_2PI)

    def slopes(self, out, target, weight):
        """Per entry the loss is r^2 e^(-2s) / 2 + s, with r = target - out and s = log sigma_j.

        d/d out = (out - target) / sigma_j^2.
        d/ds_j = 1 - r^2 / sigma_j^2, summed over rows: s_j moves every entry of column j, and no
        other entry.
        """
        precision = np.exp(-2 * self.log_sigma(out))
        residual = out - target
        if self.learn_sigma:
            self.grads["log_sigma"] = (weight * (1 - residual**2 * precision)).sum(axis=0)
        return residual * (precision * weight)

    def draw(self, out, rng):
        """Means -> means plus noise of standard deviation sigma_j in column j."""
        out = as_float(out)
        noise = rng.standard_normal(out.shape, dtype=out.dtype)
        return out + self.sigma.astype(out.dtype) * noise

    def __repr__(self):
        return f"ColumnGaussianNLL(sigma of shape {self.fixed.shape}, {self.learn_sigma})"


class PoissonNLL(Loss):
    """-log p(target) in nats for counts 0, 1, 2, ... with mean exp(out): out are log rates.

    For o = log rate: -log p(k) = e^o - k o + log k!. The exponential keeps the rate above 0. It is
    the natural link of the Poisson: the slope is the mean minus the count, as for the Bernoulli,
    and the loss is convex in o. With softplus as the link, neither holds. (exp overflows for very
    large counts: scale them, or let the decoder's last bias start near the log of the mean.)
    """

    bounds = (0.0, np.inf)

    def entries(self, out, target):
        """Log rates and counts (n, ...) -> (n, ...), in nats."""
        return np.exp(out) - target * out + log_factorial(target)

    def slopes(self, out, target, weight):
        """The slope of e^o - k o is e^o - k; log k! depends on no parameter."""
        return (np.exp(out) - target) * weight

    def expected(self, out):
        """Log rates -> rates, the expected counts."""
        return np.exp(as_float(out))

    def draw(self, out, rng):
        """Log rates -> counts."""
        rate = self.expected(out)
        return rng.poisson(np.fmin(rate, LARGEST_RATE)).astype(rate.dtype)


def log_factorial(k):
    """Return log k! = log Gamma(k + 1), elementwise, for numbers k >= 0; in k's dtype.

    Counts are looked up in a table, if all of them are in it; other numbers take the series.
    """
    dtype, k = as_float(k).dtype, as_float(np.real(k))
    with np.errstate(invalid="ignore"):  # NaN and inf are not equal to any whole number
        count = k.astype(np.intp)
    if ((count == k) & (count >= 0) & (count < len(LOG_FACTORIALS))).all():
        return LOG_FACTORIALS[count].astype(dtype)
    return log_gamma(k.astype(np.float64) + 1).astype(dtype)


def log_gamma(y):
    """Return log Gamma(y), elementwise, for an array y >= 1 in float64.

    Gamma(y) = Gamma(y + 10) / (y (y + 1) ... (y + 9)) leads to large arguments, where Stirling's
    series log Gamma(y) = (y - 1/2) log y - y + log(2 pi) / 2 + 1/(12 y) - 1/(360 y^3) + ... is
    exact to rounding. Abramowitz and Stegun (1964), 6.1.40.
    """
    pairs = y * (y + 9)  # (y + i) (y + 9 - i) = pairs + i (9 - i)
    product = pairs.copy()
    for i in range(1, 5):
        product *= pairs + i * (9 - i)
    y = y + 10
    square = 1 / y**2
    series = 0.0
    for term in (1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):  # of y^-9, y^-7, ...
        series = series * square + term
    stirling = (y - 0.5) * np.log(y) - y + 0.5 * LOG_2PI + series / y
    return stirling - np.log(product)


LOG_FACTORIALS = log_gamma(np.arange(1024) + 1.0)


class CategoricalNLL(Loss):
    """-log p(target) in nats for one-hot categories of probabilities softmax(out).

    Parameters
    ----------
    n_classes : int, 2 or more
        A feature takes n_classes columns: logits in out, a 1 among zeros in the target, or
        probabilities that sum to 1. Data may have several such features side by side.
    """

    bounds = (0.0, 1.0)
    config = ("n_classes",)

    def __init__(self, n_classes):
        self.n_classes = whole(n_classes, "CategoricalNLL: n_classes", 2)
        super().__init__()

    def by_feature(self, array):
        """Return columns as rows of n_classes, one a feature; ValueError if some are left over."""
        if array.shape[-1] % self.n_classes:
            raise ValueError(
                f"{self}: {array.shape[-1]} columns are not a multiple of {self.n_classes} classes"
            )
        return array.reshape(-1, self.n_classes)

    def entries(self, out, target):
        """Logits and one-hot targets (n, ...) -> (n, ...), in nats: -t log softmax."""
        return -target * log_softmax(self.by_feature(out)).reshape(out.shape)

    def slopes(self, out, target, weight):
        """With w_k = weight_k t_k, the loss of a feature is W log sum_k e^l_k - sum_k w_k l_k.

        W is the sum of the w_k. The derivative with respect to l_k is W softmax_k - w_k: for a
        one-hot target and weight 1, the probability minus the target.
        """
        w = self.by_feature(target * weight)
        p = np.exp(log_softmax(self.by_feature(out)))
        return (w.sum(axis=1, keepdims=True) * p - w).reshape(out.shape)

    def expected(self, out):
        """Logits -> probabilities."""
        out = as_float(out)
        return np.exp(log_softmax(self.by_feature(out))).reshape(out.shape)

    def draw(self, out, rng):
        """Logits -> one-hot: the first class whose cumulative probability exceeds a random u."""
        p = self.by_feature(self.expected(out))
        u = rng.random((len(p), 1), dtype=np.float32)
        index = np.minimum((p.cumsum(axis=1) <= u).sum(axis=1), self.n_classes - 1)
        return np.eye(self.n_classes, dtype=p.dtype)[index].reshape(np.shape(out))

    def wrong_target(self, target):
        """Return (row, first column, what is wrong, what to do) of the first wrong feature.

        None if all are right: one-hot, or probabilities that sum to 1. A NaN is missing, not wrong.
        """
        total = self.by_feature(target.real).sum(axis=1).reshape(len(target), -1)
        wrong = np.argwhere(abs(total - 1) > 1e-3)  # 1e-3: probabilities in a half precision
        if not len(wrong):
            return None
        row, feature = map(int, wrong[0])
        words = (
            f"add up to {total[row, feature]:.4g}, but the {self.n_classes} columns of a feature "
            "must be one-hot, or probabilities that add up to 1"
        )
        remedy = (
            f"np.eye({self.n_classes})[classes] makes one-hot rows of integers from 0; set all "
            "columns of a missing category to NaN and wrap the loss in Masked"
        )
        return row, feature * self.n_classes, words, remedy

    def check_observed(self, seen):
        """Refuse a feature of which some columns are missing and others are not."""
        count = self.by_feature(seen).sum(axis=1)
        if ((count > 0) & (count < self.n_classes)).any():
            raise ValueError(
                f"{self}: some columns of a one-hot feature are NaN and others are not; a category "
                f"is missing as a whole, so set all its {self.n_classes} columns to NaN"
            )


def absolute(x):
    """Return |x| with the sign taken from x.real: np.abs loses the imaginary part of a check."""
    return x * np.sign(x.real)


class LaplaceNLL(Loss):
    """-log p(target) in nats for p(t) = exp(-|t - out| / scale) / (2 scale): out are medians.

    The absolute error as a likelihood. Its tails are longer than a Gaussian's, so an outlier has
    less effect.

    Parameters
    ----------
    scale : float > 0, the mean absolute error, in units of the data
    learn_scale : bool
        Whether the scale is trained too, as log_scale in `params`. At the optimum, it is the mean
        absolute error.
    """

    is_absolute = True  # one scale for the absolute errors of all columns
    config = ("scale", "learn_scale")

    def __init__(self, scale=1.0, learn_scale=False):
        if not is_number(scale) or not 0 < scale < np.inf:
            raise ValueError(f"LaplaceNLL: scale={scale!r} must be above 0 and finite")
        self.fixed, self.learn_scale = float(scale), learn_scale
        super().__init__({"log_scale": np.log([self.fixed])} if learn_scale else {})

    @property
    def scale(self):
        """The scale as it is now, in units of the data."""
        return np.exp(self.params["log_scale"]).real.item() if self.learn_scale else self.fixed

    def log_scale(self, out):
        """Return the logarithm of the scale as it is now, shape (1,)."""
        if self.learn_scale:
            return self.params["log_scale"]
        return np.log([self.fixed], dtype=out.dtype)

    def entries(self, out, target):
        """Medians and targets (n, ...) -> (n, ...), in nats."""
        size, log_scale = absolute(out - target), self.log_scale(out)
        return size * np.exp(-log_scale) + (log_scale + LOG_2)

    def slopes(self, out, target, weight):
        """Per entry the loss is |r| e^-s + s + log 2, with r = out - target and s = log scale.

        d/d out = sign(r) / scale, set to 0 at r = 0, where |r| has a kink.
        d/ds = 1 - |r| / scale, summed over entries; it is zero where scale = mean of |r|.
        """
        residual, rate = out - target, np.exp(-self.log_scale(out))
        sign = np.sign(residual.real)
        if self.learn_scale:
            self.grads["log_scale"] = [(weight * (1 - residual * sign * rate)).sum()]
        return sign * (rate * weight)

    def draw(self, out, rng):
        """Medians -> medians plus Laplace noise."""
        out = as_float(out)
        return out + (self.scale * rng.laplace(size=out.shape)).astype(out.dtype)


class AbsoluteError(Loss):
    """Sum over features of |target - out|, mean over samples, in units of the data."""

    is_absolute = True  # one scale for the absolute errors of all columns
    is_likelihood = False

    def entries(self, out, target):
        """out, target (n, ...) -> (n, ...), in units of the data."""
        return absolute(out - target)

    def slopes(self, out, target, weight):
        """The slope of |r|, r = out - target, is the sign of r, and 0 at the kink r = 0."""
        return np.sign((out - target).real) * weight


class Huber(Loss):
    """A squared error near the target and an absolute error far from it. Huber (1964).

    With r = out - target, an entry is r^2 / 2 where |r| <= delta, and delta (|r| - delta / 2)
    beyond, as in PyTorch and Keras. Value and slope are continuous at |r| = delta.

    Parameters
    ----------
    delta : float > 0, where the square ends, in units of the data
    """

    is_absolute = True  # one scale for the absolute errors of all columns
    config = ("delta",)
    is_likelihood = False

    def __init__(self, delta=1.0):
        if not is_number(delta) or not 0 < delta < np.inf:
            raise ValueError(f"Huber: delta={delta!r} must be above 0 and finite")
        self.delta = float(delta)
        super().__init__()

    def entries(self, out, target):
        """out, target (n, ...) -> (n, ...), in squared units of the data."""
        residual = out - target
        cut = self.cut(residual)
        return cut * (residual - 0.5 * cut)

    def slopes(self, out, target, weight):
        """The slope of r^2 / 2 is r. Beyond delta it is delta sign(r): r, cut off at +-delta."""
        return self.cut(out - target) * weight

    def cut(self, residual):
        """Return residual, cut off at +-delta, by its real part."""
        if residual.dtype.kind != "c":
            return residual.clip(-self.delta, self.delta)
        near = np.abs(residual.real) <= self.delta
        return np.where(near, residual, self.delta * np.sign(residual.real))


class Mixed(Loss):
    """Columns of several kinds: a loss for each group of neighbouring columns, added up.

    The entries are independent given out, so the -log p of a row is the sum over its groups. Put
    `Masked` around it if entries are missing: ``Masked(Mixed(...))``.

    Parameters
    ----------
    groups : sequence of (loss, columns), from the first column to the last
        loss is a Loss (copied) or a name, columns how many columns it takes.

    Examples
    --------
    >>> likelihood = Mixed([("gaussian", 3), ("bernoulli", 2), (CategoricalNLL(4), 4)])
    >>> vae = VAE(9, likelihood=likelihood)
    """

    config = ("groups",)

    def __init__(self, groups):
        pairs = groups if isinstance(groups, (list, tuple)) else ()
        if not pairs or {len(p) if isinstance(p, (list, tuple)) else 0 for p in pairs} != {2}:
            raise ValueError(f"Mixed: groups={groups!r} must be pairs (loss, number of columns)")
        if any(is_whole(loss, 1) for loss, _ in pairs):
            raise ValueError(f"Mixed: the loss comes first: ({pairs[0][1]!r}, {pairs[0][0]!r})")
        losses, self.sizes = [as_loss(loss) for loss, _ in pairs], [size for _, size in pairs]
        if not all(is_whole(size, 1) for size in self.sizes):
            raise ValueError(f"Mixed: numbers of columns {self.sizes} must be integers above 0")
        if any(loss.takes_nan for loss in losses):
            raise ValueError("Mixed: put Masked around all of it, Masked(Mixed(...)), not inside")
        super().__init__(parts={str(i): loss for i, loss in enumerate(losses)})

    @property
    def groups(self):
        """The pairs (loss, columns), as they are now."""
        return tuple(zip(self.parts.values(), self.sizes, strict=True))

    @property
    def is_likelihood(self):
        """Whether every group is a likelihood."""
        return all(loss.is_likelihood for loss in self.parts.values())

    def split(self, *arrays):
        """Yield (loss, first column, the group's columns of each array); check their number."""
        columns, first = sum(self.sizes), 0
        for array in arrays:
            if array.ndim != 2 or array.shape[1] != columns:
                raise ValueError(
                    f"Mixed has {columns} columns in groups of {self.sizes}, got an array of shape "
                    f"{array.shape}"
                )
        for loss, size in self.groups:
            yield loss, first, [array[:, first : first + size] for array in arrays]
            first += size

    def entries(self, out, target):
        """out and target (n, columns) -> (n, columns); ValueError for a target out of bounds."""
        parts = []
        for loss, first, (o, t) in self.split(out, target):
            (low, high), slack = loss.bounds, 8 * np.finfo(t.real.dtype).eps  # as for all data
            if not (low - slack <= t.real.min() and t.real.max() <= high + slack):
                raise ValueError(
                    f"Mixed: columns {first} to {first + t.shape[1] - 1} are for {loss} and must "
                    f"be within {[low, high]}, but reach from {t.real.min():g} to {t.real.max():g}"
                )
            parts.append(loss.entries(o, t))
        return np.concatenate(parts, axis=1)

    def slopes(self, out, target, weight):
        """The groups add up, and each depends on its own columns of out only."""
        weight = np.broadcast_to(np.asarray(weight, out.dtype), out.shape)
        parts = [loss.slopes(o, t, w) for loss, _, (o, t, w) in self.split(out, target, weight)]
        return np.concatenate(parts, axis=1)

    def expected(self, out):
        """What each group expects, side by side."""
        out = np.asarray(out)
        return np.concatenate([loss.expected(o) for loss, _, (o,) in self.split(out)], axis=1)

    def draw(self, out, rng):
        """What each group draws, side by side."""
        out = np.asarray(out)
        return np.concatenate([loss.draw(o, rng) for loss, _, (o,) in self.split(out)], axis=1)

    def wrong_target(self, target):
        """Return what is wrong in the first group with a wrong target, such as a category."""
        for loss, first, (group,) in self.split(target):
            found = loss.wrong_target(group) if hasattr(loss, "wrong_target") else None
            if found:
                row, column, *words = found
                return row, first + column, *words
        return None

    def check_observed(self, seen):
        """Refuse what a group refuses, such as a category that is missing in part."""
        for loss, _, (group,) in self.split(seen):
            if hasattr(loss, "check_observed"):
                loss.check_observed(group)

    def __repr__(self):
        return f"Mixed({list(self.groups)})"


def as_loss(loss):
    """Return a copy of a Loss, or the loss of a name such as "gaussian"; refuse anything else."""
    if isinstance(loss, str):
        return choose(LOSSES, loss, "loss")()
    if not isinstance(loss, Loss):
        raise TypeError(f"loss={loss!r} must be a Loss such as BernoulliNLL(), or a name")
    return copy.deepcopy(loss)


LOSSES |= {
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "laplace": lambda: LaplaceNLL(learn_scale=True),
    "mae": AbsoluteError,
    "poisson": PoissonNLL,
}
