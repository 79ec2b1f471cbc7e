"""Wrong normalisations and activations: each docstring says in one sentence what is wrong."""

import numpy as np

from miniae.activations import CUBIC, ELU, GELU, ROOT, LeakyReLU
from miniae.normalization import BatchNorm, LayerNorm
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.specimen import Finding, specimen


def textbook_out(cls, seed):
    """Compare out in training with gamma (x - mean) / sqrt(var + eps) + beta, for a large eps."""
    rng = np.random.default_rng(seed)
    layer, x = cls(4, eps=0.3, dtype="float64"), 2 + rng.standard_normal((6, 4))
    layer.theta = rng.standard_normal(layer.theta.size)
    axis = 0 if issubclass(cls, BatchNorm) else 1
    c = x - x.mean(axis, keepdims=True)
    xhat = c / np.sqrt((c**2).mean(axis, keepdims=True) + 0.3)
    right = layer.params["gamma"] * xhat + layer.params["beta"]
    off = np.abs(layer.forward(x, training=True) - right).max()
    return Finding(bool(off > 1e-9), f"off by {off:.1e} of the formula")


def running_statistics(cls, seed):
    """Compare the running statistics after three batches and an evaluation with the rule."""
    rng, share = np.random.default_rng(seed), 0.3
    layer = cls(4, momentum=share, dtype="float64")
    mean, var = np.zeros(4), np.ones(4)
    for n in (5, 8, 6):
        x = 1 + rng.standard_normal((n, 4))
        layer.forward(x, training=True)
        mean = (1 - share) * mean + share * x.mean(axis=0)
        var = (1 - share) * var + share * x.var(axis=0, ddof=1)
    layer.forward(3 * x)
    off = [np.abs(layer.buffers["running_mean"] - mean).max()]
    off += [np.abs(layer.buffers["running_var"] - var).max()]
    evidence = f"running mean off by {off[0]:.1e}, running variance by {off[1]:.1e}"
    return Finding(bool(max(off) > 1e-9), evidence)


def one_sample_alone(cls, seed):
    """Compare the out of samples alone, in evaluation, with their out in one batch."""
    x = np.random.default_rng(seed).standard_normal((6, 4))
    layer = cls(4, dtype="float64")
    layer.forward(2 * x + 1, training=True)
    together = layer.forward(x)
    off = np.abs(together - np.vstack([layer.forward(row[None]) for row in x])).max()
    return Finding(bool(off > 1e-9), f"alone off by {off:.1e}")


def large_mean(cls, seed):
    """Compare float32 with float64 for features whose mean is 3000 times their spread."""
    x = (3000 + np.random.default_rng(seed).standard_normal((50, 4))).astype(np.float32)
    exact = cls(4, dtype="float64").forward(x.astype(np.float64), training=True)
    with np.errstate(all="ignore"):
        off = np.abs(cls(4).forward(x, training=True) - exact).max()
    return Finding(not off < 1e-3, f"off by {off:.1e} in float32")


class Slip(BatchNorm):
    """A BatchNorm whose backward calls `dx` with dxhat, xhat and std. The right version."""

    def backward(self, dout):
        self.backward_params(dout)
        xhat, std, follows = self.cache
        dxhat = dout * self.params["gamma"]
        return self.dx(dxhat, xhat, std) if follows else dxhat / std

    def dx(self, dxhat, xhat, std):
        """Return dx in training."""
        return (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / std


@specimen("batchnorm-mean-forgotten", gradient_check, Slip, "mean constant")
class MeanConstant(Slip):
    """dx forgets the path through the mean."""

    def dx(self, dxhat, xhat, std):
        return (dxhat - xhat * (dxhat * xhat).mean(axis=0)) / std


@specimen("batchnorm-variance-forgotten", gradient_check, Slip, "variance constant")
class VarianceConstant(Slip):
    """dx forgets the path through the variance."""

    def dx(self, dxhat, xhat, std):
        return (dxhat - dxhat.mean(axis=0)) / std


@specimen("batchnorm-both-forgotten", gradient_check, Slip, "mean and variance constant")
class BothConstant(Slip):
    """dx in training is that of evaluation, where mean and variance are constants."""

    def dx(self, dxhat, xhat, std):
        return dxhat / std


@specimen("batchnorm-gamma-forgotten", gradient_check, BatchNorm, "gamma forgotten")
class GammaForgotten(BatchNorm):
    """dx uses dout where it must use dxhat = gamma dout."""

    def backward(self, dout):
        self.backward_params(dout)
        xhat, std, follows = self.cache
        if not follows:
            return dout * self.params["gamma"] / std
        return (dout - dout.mean(axis=0) - xhat * (dout * xhat).mean(axis=0)) / std


@specimen("batchnorm-dgamma-without-xhat", gradient_check, BatchNorm, "xhat missing")
class ScaleGradientWithoutXhat(BatchNorm):
    """dgamma sums dout, as dbeta does."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["gamma"] = self.grads["beta"]


@specimen("layernorm-dgamma-of-x", gradient_check, LayerNorm, "x for xhat")
class ScaleGradientOfX(LayerNorm):
    """dgamma sums dout x instead of dout xhat."""

    def forward(self, x, training=False):
        self.x = x
        return super().forward(x)

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["gamma"] = (dout * self.x).sum(axis=0)


@specimen("layernorm-dbeta-wrong-axis", gradient_check, LayerNorm, "wrong axis", square=True)
class ShiftGradientWrongAxis(LayerNorm):
    """dbeta sums over the axis of the normalisation; gamma and beta are shared by all rows."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["beta"] = dout.sum(axis=1)


@specimen("layernorm-variance-forgotten", gradient_check, LayerNorm, "variance constant")
class RowVarianceConstant(LayerNorm):
    """dx of a LayerNorm forgets the path through the variance."""

    def backward(self, dout):
        self.backward_params(dout)
        dx = dout * self.params["gamma"] / self.cache[1]
        return dx - dx.mean(axis=1, keepdims=True)


@specimen("batchnorm-evaluation-backward", gradient_check, BatchNorm, "mode")
class TrainingBackwardInEvaluation(BatchNorm):
    """backward after evaluation has the terms of training, but the statistics are constants."""

    def backward(self, dout):
        xhat, std, _ = self.recall(dout)
        self.cache = xhat, std, True
        return super().backward(dout)


@specimen("batchnorm-axis", textbook_out, BatchNorm)
class WrongAxis(BatchNorm):
    """The statistics are those of each sample over its features: that is a LayerNorm."""

    axis = 1


@specimen("layernorm-axis", textbook_out, LayerNorm)
class RowsOverBatch(LayerNorm):
    """The statistics are those of each feature over the batch: that is a BatchNorm."""

    axis = 0


@specimen("batchnorm-eps-outside", textbook_out, BatchNorm)
class EpsOutside(BatchNorm):
    """out divides by sqrt(var) + eps, not by sqrt(var + eps)."""

    def scale_and_shift(self, x, c, var, follows=True):
        return super().scale_and_shift(x, c, (np.sqrt(var) + self.eps) ** 2 - self.eps, follows)


@specimen("batchnorm-unbiased-out", textbook_out, BatchNorm)
class UnbiasedOut(BatchNorm):
    """out divides by the root of the unbiased variance, which only the running one should be."""

    def moments(self, rows):
        mean, c, var = super().moments(rows)
        return mean, c, var * len(rows) / (len(rows) - 1)


@specimen("batchnorm-running-in-training", textbook_out, BatchNorm)
class RunningInTraining(BatchNorm):
    """out is computed with the running statistics in training too."""

    def forward(self, x, training=False):
        super().forward(x, training)
        return super().forward(x)


@specimen("batchnorm-biased-running", running_statistics, BatchNorm)
class BiasedRunning(BatchNorm):
    """The running variance takes the variance of the batch that divides by N."""

    def forward(self, x, training=False):
        before = self.buffers["running_var"].copy()
        out = super().forward(x, training)
        if training:
            new = (1 - self.momentum) * before + self.momentum * x.var(axis=0)
            self.buffers["running_var"] = new
        return out


@specimen("batchnorm-momentum-reversed", running_statistics, BatchNorm)
class MomentumReversed(BatchNorm):
    """momentum is used as Keras does, as the weight of the old statistics."""

    def __init__(self, n_features, *, momentum=0.1, eps=1e-5, dtype="float32"):
        super().__init__(n_features, momentum=1 - momentum, eps=eps, dtype=dtype)


@specimen("batchnorm-updated-in-evaluation", running_statistics, BatchNorm)
class UpdatedInEvaluation(BatchNorm):
    """Evaluation moves the running statistics too."""

    def forward(self, x, training=False):
        if not training:
            super().forward(x, True)
        return super().forward(x, training)


@specimen("batchnorm-batch-in-evaluation", one_sample_alone, BatchNorm)
class BatchInEvaluation(BatchNorm):
    """Evaluation uses the statistics of its batch: the out of a sample depends on the others."""

    def forward(self, x, training=False):
        return super().forward(x, training or len(x) > 1)


@specimen("batchnorm-one-pass", large_mean, BatchNorm)
class OnePass(BatchNorm):
    """The variance is mean(x^2) - mean(x)^2, whose digits cancel if the mean is large."""

    def moments(self, rows):
        mean = rows.mean(axis=0, keepdims=True)
        return mean, rows - mean, (rows * rows).mean(axis=0, keepdims=True) - mean * mean


@specimen("leaky-relu-with-relu-slope", gradient_check, LeakyReLU, "other activation")
class LeakyWithReLUSlope(LeakyReLU):
    """The slope where x < 0 is 0, as for a ReLU."""

    def backward(self, dout):
        return dout * (self.recall(dout) > 0)


@specimen("elu-slope-without-alpha", gradient_check, ELU, "settings")
class SlopeWithoutAlpha(ELU):
    """The slope where x < 0 is e^x; at the default alpha = 1 this is right."""

    def backward(self, dout):
        return dout * np.exp(np.minimum(self.recall(dout), 0))


@specimen("elu-slope-at-out", gradient_check, ELU, "wrong variable")
class ELUSlopeAtOut(ELU):
    """The slope where x < 0 is computed as alpha e^out; the right one is alpha e^x."""

    def forward(self, x, training=False):
        out = super().forward(x)
        return self.remember(out, out)


@specimen("gelu-product-rule", gradient_check, GELU, "product rule")
class OneFactorOnly(GELU):
    """The slope is (1 + t) / 2: the product rule also differentiates t."""

    def backward(self, dout):
        return dout * 0.5 * (1 + self.recall(dout)[1])


@specimen("gelu-inner-slope-missing", gradient_check, GELU, "unknown")
class InnerSlopeMissing(GELU):
    """The slope of t leaves out du/dx, the slope of the argument of tanh."""

    def backward(self, dout):
        near, t = self.recall(dout)
        return dout * (0.5 * (1 + t) + 0.5 * near * (1 - t * t))


@specimen("gelu-cubic-slope", gradient_check, GELU, "unknown")
class CubicSlope(GELU):
    """du/dx has 0.044715 x^2 without the factor 3 of a cube's derivative."""

    def backward(self, dout):
        near, t = self.recall(dout)
        du = ROOT * (1 + CUBIC * near * near)
        return dout * (0.5 * (1 + t) + 0.5 * near * (1 - t * t) * du)
