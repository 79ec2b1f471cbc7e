"""Wrong code of kinds that users often write: normalisation, absolute values, loops."""

import numpy as np

from miniae.proof.bugzoo import counterparts as right
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.specimen import specimen


@specimen("batchnorm-variance-constant", gradient_check, right.BatchNorm, "variance constant")
class BatchNormVarianceConstant(right.BatchNorm):
    """dx treats the variance as a constant, and np.var hides this from the complex step."""

    def dx(self, dxhat):
        return (dxhat - self.average(dxhat)) / self.cache[1]


@specimen("batchnorm-mean-constant", gradient_check, right.BatchNorm, "mean constant")
class BatchNormMeanConstant(right.BatchNorm):
    """dx treats the mean as a constant."""

    def dx(self, dxhat):
        xhat, std = self.cache
        return (dxhat - xhat * self.average(dxhat * xhat)) / std


@specimen("batchnorm-both-constant", gradient_check, right.BatchNorm, "mean and variance constant")
class BatchNormBothConstant(right.BatchNorm):
    """dx treats mean and variance as constants, as in evaluation with running statistics."""

    def dx(self, dxhat):
        return dxhat / self.cache[1]


@specimen("batchnorm-variance-constant-projected", gradient_check, right.BatchNorm, "unknown",
          method="projection")  # fmt: skip
class BatchNormProjected(BatchNormVarianceConstant):
    """The same, checked by projection, which the lost imaginary part could also deceive."""


@specimen("layernorm-gamma-forgotten", gradient_check, right.LayerNorm, "gamma forgotten")
class LayerNormGammaForgotten(right.LayerNorm):
    """dx lacks gamma, which has an effect only if gamma is not 1."""

    def dx(self, dxhat):
        return super().dx(dxhat / self.params["gamma"])


@specimen("layernorm-variance-constant", gradient_check, right.LayerNorm, "variance constant")
class LayerNormVarianceConstant(right.LayerNorm):
    """dx treats the variance as a constant."""

    def dx(self, dxhat):
        return (dxhat - self.average(dxhat)) / self.cache[1]


@specimen("rows-norm-constant", gradient_check, right.NormalizedRows, "variance constant")
class RowsNormConstant(right.NormalizedRows):
    """dx treats the norm of a row as a constant."""

    def backward(self, dout):
        return dout / self.recall(dout)[1]


@specimen("batch-norm-constant", gradient_check, right.NormalizedBatch, "variance constant")
class BatchNormOfArrayConstant(right.NormalizedBatch):
    """dx treats the norm of the whole array as a constant."""

    def backward(self, dout):
        return dout / self.recall(dout)[1]


@specimen("loop-convolution-zeros", gradient_check, right.LoopConvolution, "zero")
class LoopConvolutionZeros(right.LoopConvolution):
    """backward fills its arrays but returns new zeros; forward's real array hides this."""

    def backward(self, dout):
        super().backward(dout)
        self.grads["w"] = np.zeros(3)
        return np.zeros_like(self.cache)


@specimen("bias-before-batchnorm-counted", gradient_check, right.BiasBeforeBatchNorm, "unknown")
class BiasBeforeBatchNormCounted(right.BiasBeforeBatchNorm):
    """The bias before a normalisation gets the sum of dout, though it has no effect."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["b"] = dout.sum(axis=0)
        return dx


@specimen("softmax-shift-counted", gradient_check, right.ShiftedSoftmax, "unknown")
class SoftmaxShiftCounted(right.ShiftedSoftmax):
    """The shift before a softmax gets the sum of dout, though it cancels."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["shift"] = [dout.sum()]
        return dx


@specimen("batchnorm-unbiased-forward-only", gradient_check, right.RefusesOneSample, "unknown")
class UnbiasedForwardOnly(right.RefusesOneSample):
    """forward divides the variance by n - 1, dx by n."""

    def forward(self, x, training=False):
        n, out = len(x), super().forward(x, training)
        xhat, std = self.cache
        spread = np.sqrt(np.var(x, axis=0, keepdims=True) * n / (n - 1) + self.eps)
        xhat = xhat * std / spread
        return self.remember((xhat, spread), self.params["gamma"] * xhat + 0 * out)


@specimen("absolute-error-slope-0", gradient_check, right.AbsoluteError, "zero")
class AbsoluteErrorSlopeZero(right.AbsoluteError):
    """The slope of |r| is 0, which is the complex step of np.abs."""

    def slopes(self, out, target, weight):
        return 0 * (out - target) * weight


@specimen("signed-error-doubled", gradient_check, right.SignedError, "2")
class SignedErrorDoubled(right.SignedError):
    """The slope is 2 sign(r), which is the complex step of sign(r) r in NumPy 2."""

    def slopes(self, out, target, weight):
        return 2 * super().slopes(out, target, weight)


@specimen("huber-tail-flat", gradient_check, right.Huber, "unknown")
class HuberTailFlat(right.Huber):
    """Beyond |r| = 1 the slope is 0 instead of sign(r)."""

    def slopes(self, out, target, weight):
        return np.where(np.abs(out - target) < 1, out - target, 0) * weight


@specimen("huber-tail-square", gradient_check, right.Huber, "unknown")
class HuberTailSquare(right.Huber):
    """The slope is r everywhere, as if the loss were also a square in its tails."""

    def slopes(self, out, target, weight):
        return (out - target) * weight


@specimen("spread-penalty-without-gradient", gradient_check, right.SpreadPenalty, "zero")
class SpreadPenaltyWithoutGradient(right.SpreadPenalty):
    """The penalty's gradient is zero, which is the complex step of np.std."""

    def backward(self):
        return np.zeros_like(self.cached())
