"""Right code as users write it, which no instrument may accuse: counterparts of specimens.

Much of it is not complex-safe, on purpose: np.var, np.abs and np.linalg.norm drop the imaginary
part, and so does an array of real numbers that a loop fills.
"""

import numpy as np

from miniae.layers import Layer
from miniae.losses import Loss
from miniae.regularizers import Penalty


class BatchNorm(Layer):
    """out = gamma xhat + beta, xhat = (x - mean) / sqrt(var + eps), over the batch."""

    axis = 0

    def __init__(self, features):
        self.eps = 1e-5
        super().__init__(gamma=np.ones(features), beta=np.zeros(features))

    def forward(self, x, training=False):
        std = np.sqrt(np.var(x, axis=self.axis, keepdims=True) + self.eps)
        xhat = (x - x.mean(axis=self.axis, keepdims=True)) / std
        return self.remember((xhat, std), self.params["gamma"] * xhat + self.params["beta"])

    def backward(self, dout):
        xhat, _ = self.recall(dout)
        self.grads["gamma"], self.grads["beta"] = (dout * xhat).sum(axis=0), dout.sum(axis=0)
        return self.dx(dout * self.params["gamma"])

    def average(self, array):
        """Return the mean over the axis of the normalisation."""
        return array.mean(axis=self.axis, keepdims=True)

    def dx(self, dxhat):
        """Return dx; Ioffe and Szegedy (2015), section 3."""
        xhat, std = self.cache
        return (dxhat - self.average(dxhat) - xhat * self.average(dxhat * xhat)) / std


class LayerNorm(BatchNorm):
    """The same over the features of each sample, in code that keeps the imaginary part."""

    axis = 1

    def forward(self, x, training=False):
        c = x - self.average(x)
        std = np.sqrt(self.average(c * c) + self.eps)
        return self.remember((c / std, std), self.params["gamma"] * c / std + self.params["beta"])


class NormalizedRows(Layer):
    """out = x / |x|, row by row."""

    axis = 1

    def forward(self, x, training=False):
        norm = np.linalg.norm(x, axis=self.axis, keepdims=self.axis is not None)
        return self.remember((x / norm, norm), x / norm)

    def backward(self, dout):
        out, norm = self.recall(dout)
        along = (out * dout).sum(axis=self.axis, keepdims=True)
        return (dout - out * along) / norm


class NormalizedBatch(NormalizedRows):
    """out = x / |x|, the norm of the whole array."""

    axis = None


class LoopConvolution(Layer):
    """out_ij = sum_k x_i,j+k w_k, by loops that fill arrays of zeros."""

    def __init__(self, features):
        super().__init__(w=np.random.default_rng(features).standard_normal(3))

    def forward(self, x, training=False):
        out = np.zeros((len(x), x.shape[1] - 2))
        for i in range(len(out)):
            for j in range(out.shape[1]):
                out[i, j] = (x[i, j : j + 3] * self.params["w"]).sum()
        return self.remember(x, out)

    def backward(self, dout):
        x, dw = self.recall(dout), np.zeros(3)
        dx = np.zeros_like(x)
        for i in range(len(dout)):
            for j in range(dout.shape[1]):
                dw += dout[i, j] * x[i, j : j + 3]
                dx[i, j : j + 3] += dout[i, j] * self.params["w"]
        self.grads["w"] = dw
        return dx


class BiasBeforeBatchNorm(BatchNorm):
    """A bias that the normalisation subtracts again: its true gradient is zero."""

    def __init__(self, features):
        self.eps = 1e-5
        ones = np.ones(features)
        Layer.__init__(self, gamma=ones.copy(), beta=0 * ones, b=ones.copy())

    def forward(self, x, training=False):
        return super().forward(x + self.params["b"], training)

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["b"] = dx.sum(axis=0)
        return dx


class ShiftedSoftmax(Layer):
    """out = softmax(x + shift): the shift, one number, cancels, and its true gradient is zero."""

    def __init__(self):
        super().__init__(shift=np.array([0.3]))

    def forward(self, x, training=False):
        e = np.exp(x + self.params["shift"] - x.real.max(axis=1, keepdims=True))
        out = e / e.sum(axis=1, keepdims=True)
        return self.remember(out, out)

    def backward(self, dout):
        out = self.recall(dout)
        dx = out * (dout - (out * dout).sum(axis=1, keepdims=True))
        self.grads["shift"] = [dx.sum()]
        return dx


class RefusesOneSample(BatchNorm):
    """A normalisation that refuses a batch of one, which has no variance."""

    def forward(self, x, training=False):
        if len(x) < 2:
            raise ValueError(f"BatchNorm needs two samples or more, got x of shape {x.shape}")
        return super().forward(x, training)


class AbsoluteError(Loss):
    """sum |out - target|."""

    def entries(self, out, target):
        return np.abs(out - target)

    def slopes(self, out, target, weight):
        return np.sign(out - target) * weight


class SignedError(AbsoluteError):
    """The same, as sign(r) r: the complex step gives twice the slope in NumPy 2."""

    def entries(self, out, target):
        return np.sign(out - target) * (out - target)


class Huber(Loss):
    """r^2 / 2 where |r| < 1, |r| - 1/2 elsewhere. Huber (1964)."""

    def entries(self, out, target):
        r = np.abs(out - target)
        return np.where(r < 1, 0.5 * r**2, r - 0.5)

    def slopes(self, out, target, weight):
        return np.clip(out - target, -1, 1) * weight


class SpreadPenalty(Penalty):
    """weight * the standard deviation of all codes."""

    def forward(self, code):
        self.cache = code
        return self.weight * np.std(code)

    def backward(self):
        code = self.cached()
        return self.weight * (code - code.mean()) / (code.size * np.std(code))
