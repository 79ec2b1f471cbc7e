"""Normalisation: layers that give their input mean 0 and variance 1, then scale and shift it.

Both layers treat x as rows of `n_features` numbers: x (n, d) has n rows. Images (n, h, w, c) have
n h w rows of c numbers, and sequences (n, T, c) have n T rows. With the mean m and the variance v,

    xhat = (x - m) / sqrt(v + eps),    out = gamma xhat + beta.

`BatchNorm` takes m and v of each feature over all rows. `LayerNorm` takes them of each row over
its features.
"""

import numpy as np

from miniae.layers import Layer
from miniae.numerics import as_float
from miniae.plumbing.layer_checks import check_range, check_sizes


class Normalization(Layer):
    """The common part of both layers. A subclass sets `axis`, which m and v are taken over."""

    axis = None

    def __init__(self, n_features, eps, dtype, buffers=None):
        (self.n_features,) = check_sizes(self, n_features=n_features)
        self.eps = check_range(self, "eps", eps, above=0)
        gamma, beta = np.ones(self.n_features, dtype), np.zeros(self.n_features, dtype)
        super().__init__(gamma=gamma, beta=beta, buffers=buffers)

    def rows(self, x):
        """Return x as rows of n_features numbers."""
        x = as_float(x)
        if x.ndim < 2 or x.shape[-1] != self.n_features:
            raise ValueError(
                f"{self} takes x of shape (n, ..., {self.n_features}), got {x.shape}; the last "
                "axis holds the features or channels, and x[None] is a batch of one sample"
            )
        return x.reshape(-1, self.n_features)

    def moments(self, rows):
        """Return the mean, the centred rows c, and the variance, the mean of c^2.

        The variance is not mean(x^2) - mean^2, which loses all digits if the mean is large. In
        float32 a large mean has a rounding error of its own. So the mean of c is not quite 0, and
        is subtracted too. The square is c c: np.var of complex numbers takes |c|^2, which has no
        complex derivative.
        """
        mean = rows.mean(axis=self.axis, keepdims=True)
        c = rows - mean
        rest = c.mean(axis=self.axis, keepdims=True)
        c -= rest
        return mean + rest, c, (c * c).mean(axis=self.axis, keepdims=True)

    def scale_and_shift(self, x, c, var, follows=True):
        """Return out for centred rows c. follows : whether m and v were computed from x."""
        std = np.sqrt(var + self.eps)
        xhat = c / std
        out = self.params["gamma"] * xhat + self.params["beta"]
        return self.remember((xhat, std, follows), out.reshape(np.shape(x)))

    def backward(self, dout):
        """dout, of the shape of x -> dx, of the same shape, and grads.

        Let xhat_i and dout_i be those of one feature in row i of N rows (for LayerNorm: those of
        feature i of N in one row), and s = sqrt(v + eps). out_i = gamma xhat_i + beta, so

        dgamma = sum_i dout_i xhat_i,  dbeta = sum_i dout_i,  dxhat_i = gamma dout_i.

        x_i acts on xhat = c / s, c = x - m, in three ways:

        1. directly: dxhat_i / s.
        2. through the mean, dm/dx_i = 1 / N. It lowers every xhat_j by 1 / (N s):
           - mean_j(dxhat_j) / s.
        3. through the variance v = mean_j(c_j^2). dv/dx_i = 2 c_i / N, because the path through m
           adds -2 mean(c) / N = 0. ds/dv = 1 / (2 s), so ds/dx_i = xhat_i / N. It changes every
           xhat_j by -xhat_j / s times that: - xhat_i mean_j(dxhat_j xhat_j) / s.

        dx_i = (dxhat_i - mean_j(dxhat_j) - xhat_i mean_j(dxhat_j xhat_j)) / s. Ioffe and Szegedy
        (2015), section 3, where it is three sums that are not yet simplified.

        In evaluation BatchNorm's m and v are constants: only the first term remains.
        """
        self.backward_params(dout)
        xhat, std, follows = self.cache
        dx = np.reshape(dout, xhat.shape) * self.params["gamma"]  # dxhat
        if follows:
            through_mean = dx.mean(axis=self.axis, keepdims=True)
            through_variance = xhat * (dx * xhat).mean(axis=self.axis, keepdims=True)
            dx -= through_mean
            dx -= through_variance
        dx /= std
        return dx.reshape(np.shape(dout))

    def backward_params(self, dout):
        """dout -> grads, as `backward`. Both layers sum over all rows: they share gamma, beta."""
        xhat, _, _ = self.recall(dout)
        dout = np.reshape(dout, xhat.shape)
        self.grads["gamma"] = (dout * xhat).sum(axis=0)
        self.grads["beta"] = dout.sum(axis=0)


class BatchNorm(Normalization):
    """Normalise each feature over the batch. Ioffe and Szegedy (2015), algorithms 1 and 2.

    In training, m and v are those of the batch. In evaluation they are the running mean and
    variance of earlier batches, so that the out of a sample does not depend on the other samples.
    Only training changes the running statistics: each batch moves them by

        running <- (1 - momentum) running + momentum batch.

    Conventions are those of PyTorch: v of the batch divides by N, but the running variance takes
    v N / (N - 1), which is unbiased. Keras' momentum is 1 - momentum.

    Parameters
    ----------
    n_features : int, the size of the last axis: features, or channels
    momentum : float in (0, 1], the weight of a new batch in the running statistics
    eps : float > 0, added to v, so that a constant feature gives 0 / sqrt(eps) and not 0 / 0
    dtype : float32 or float64

    Attributes
    ----------
    params, grads : gamma and beta, each of shape (n_features,), which start at 1 and 0
    buffers : running_mean and running_var, each (n_features,), which start at 0 and 1
    """

    config = ("n_features", "momentum", "eps")
    axis = 0
    needs_whole_batch = "mean and variance are those of the whole batch"

    def __init__(self, n_features, *, momentum=0.1, eps=1e-5, dtype="float32"):
        self.momentum = check_range(self, "momentum", momentum, above=0, highest=1)
        (size,) = check_sizes(self, n_features=n_features)
        buffers = {"running_mean": np.zeros(size, dtype), "running_var": np.ones(size, dtype)}
        super().__init__(n_features, eps, dtype, buffers)

    def forward(self, x, training=False):
        """x (n, ..., n_features) -> out of the same shape.

        Raises
        ------
        ValueError : the shape does not fit; or a batch has one row in training
        """
        rows = self.rows(x)
        if not training:
            c = rows - self.buffers["running_mean"]
            return self.scale_and_shift(x, c, self.buffers["running_var"], follows=False)
        n = len(rows)
        if n < 2:
            raise ValueError(
                f"{self}: in training a batch must have 2 rows or more, got {n} (shape "
                f"{np.shape(x)}): one row has no variance, and minus its own mean it is 0. Choose "
                "a batch_size that does not leave one sample for the last batch, or use LayerNorm"
            )
        mean, c, var = self.moments(rows)
        for name, new in (("running_mean", mean), ("running_var", var * (n / (n - 1)))):
            old = self.buffers[name]
            self.buffers[name] = (1 - self.momentum) * old + self.momentum * new[0].real
        return self.scale_and_shift(x, c, var)


class LayerNorm(Normalization):
    """Normalise each row over its features. Ba et al. (2016), eq. 3 and 4.

    A sample does not depend on the other samples of its batch, so training and evaluation are the
    same, and a batch of one is fine. For images, each pixel is normalised over its channels.

    Parameters
    ----------
    n_features : int, 2 or more, the size of the last axis
    eps : float > 0, added to v
    dtype : float32 or float64

    Attributes
    ----------
    params, grads : gamma and beta, each of shape (n_features,), which start at 1 and 0
    """

    config = ("n_features", "eps")
    axis = 1

    def __init__(self, n_features, *, eps=1e-5, dtype="float32"):
        super().__init__(n_features, eps, dtype)
        if self.n_features == 1:
            raise ValueError(
                "LayerNorm: n_features=1: one number minus its own mean is always 0; use BatchNorm"
            )

    def forward(self, x, training=False):
        """x (n, ..., n_features) -> out of the same shape."""
        _, c, var = self.moments(self.rows(x))
        return self.scale_and_shift(x, c, var)
