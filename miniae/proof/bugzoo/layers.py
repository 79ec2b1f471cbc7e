"""Wrong layers: each class says in one sentence what is wrong with it."""

import numpy as np

from miniae.layers import Dense, Dropout, Flatten, ReLU, Sequential, Sigmoid, Softplus, Tanh
from miniae.numerics import as_float, relu, sigmoid
from miniae.proof.bugzoo.instruments import (
    extreme_inputs,
    gradient_check,
    kept_expectation,
    refusal,
)
from miniae.proof.bugzoo.specimen import specimen

COURSES = "course notebooks that check with an all-ones upstream gradient"


@specimen("relu-ignores-dout", gradient_check, ReLU, "dout ignored", COURSES)
class ReLUIgnoresDout(ReLU):
    """backward returns its slope and never multiplies by dout."""

    def backward(self, dout):
        return (self.recall(dout) > 0).astype(dout.dtype)


@specimen("sigmoid-ignores-dout", gradient_check, Sigmoid, "dout ignored", COURSES)
class SigmoidIgnoresDout(Sigmoid):
    """backward returns its slope and never multiplies by dout."""

    def backward(self, dout):
        out = self.recall(dout)
        return out * (1 - out)


@specimen("tanh-ignores-dout", gradient_check, Tanh, "dout ignored", COURSES)
class TanhIgnoresDout(Tanh):
    """backward returns its slope and never multiplies by dout."""

    def backward(self, dout):
        return 1 - self.recall(dout) ** 2


@specimen("db-ignores-dout", gradient_check, Dense, "dout ignored", COURSES)
class BiasIgnoresDout(Dense):
    """db counts the samples and does not sum their dout."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["b"] = np.full(dout.shape[1], float(len(dout)))


@specimen("backward-returns-zeros", gradient_check, Sigmoid, "zero", COURSES)
class BackwardReturnsZeros(Sigmoid):
    """backward returns zeros, which is what a softmax gives back for dout = 1."""

    def backward(self, dout):
        return np.zeros_like(self.recall(dout))


@specimen("relu-mask-always-true", gradient_check, ReLU, "identity", "lincoln, activations.py")
class ReLUMaskAlwaysTrue(ReLU):
    """The mask is out >= 0, which a ReLU's output always is."""

    def backward(self, dout):
        return dout * (self.recall(dout) >= 0)


@specimen("relu-overwrites-dout", gradient_check, ReLU, "dout changed",
          "oreilly-japan/deep-learning-from-scratch, common/layers.py")  # fmt: skip
class ReLUOverwritesDout(ReLU):
    """backward writes zeros into dout, which belongs to the caller."""

    def backward(self, dout):
        dout[self.recall(dout) <= 0] = 0
        return dout


@specimen("relu-mask-of-dout", gradient_check, ReLU, "wrong variable")
class ReLUMaskOfDout(ReLU):
    """The mask uses the sign of dout, not of x."""

    def backward(self, dout):
        self.recall(dout)
        return relu(dout)


@specimen("sigmoid-slope-of-x", gradient_check, Sigmoid, "wrong variable")
class SigmoidSlopeOfX(Sigmoid):
    """The slope is computed as x (1 - x); the right one is out (1 - out)."""

    def forward(self, x, training=False):
        self.x = as_float(x)
        return super().forward(x)

    def backward(self, dout):
        return dout * self.x * (1 - self.x)


@specimen("tanh-slope-of-x", gradient_check, Tanh, "wrong variable")
class TanhSlopeOfX(Tanh):
    """The slope is computed as 1 - x^2; the right one is 1 - out^2."""

    def forward(self, x, training=False):
        self.x = as_float(x)
        return super().forward(x)

    def backward(self, dout):
        return dout * (1 - self.x**2)


@specimen("sigmoid-slope-at-out", gradient_check, Sigmoid, "wrong variable")
class SigmoidSlopeAtOut(Sigmoid):
    """The slope is computed at out instead of x: the sigmoid is applied twice."""

    def backward(self, dout):
        s = sigmoid(self.recall(dout))
        return dout * s * (1 - s)


@specimen("softplus-slope-at-out", gradient_check, Softplus, "wrong variable")
class SoftplusSlopeAtOut(Softplus):
    """The slope is computed as sigmoid(out); the right one is sigmoid(x)."""

    def forward(self, x, training=False):
        out = super().forward(x)
        return self.remember(out, out)


@specimen("tanh-with-sigmoid-slope", gradient_check, Tanh, "other activation")
class TanhWithSigmoidSlope(Tanh):
    """out (1 - out) is the sigmoid's slope."""

    def backward(self, dout):
        out = self.recall(dout)
        return dout * out * (1 - out)


@specimen("sigmoid-with-tanh-slope", gradient_check, Sigmoid, "other activation",
          "amaurydelille/variational-auto-encoder", inside=True)  # fmt: skip
class SigmoidWithTanhSlope(Sigmoid):
    """A sigmoid in the decoder is differentiated as if it were a tanh."""

    def backward(self, dout):
        return dout * (1 - self.recall(dout) ** 2)


@specimen("tanh-square-missing", gradient_check, Tanh, "square missing")
class TanhSquareMissing(Tanh):
    """The slope is 1 - out instead of 1 - out^2."""

    def backward(self, dout):
        return dout * (1 - self.recall(dout))


@specimen("dw-transposed", gradient_check, Dense, "transposed", square=True)
class WeightGradientTransposed(Dense):
    """dW is dout^T x instead of x^T dout; for a square layer the shapes still fit."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["W"] = dout.T @ self.recall(dout)


@specimen("dx-untransposed", gradient_check, Dense, "transposed", square=True)
class InputGradientUntransposed(Dense):
    """dx is dout W instead of dout W^T; for a square layer the shapes still fit."""

    def backward(self, dout):
        self.backward_params(dout)
        return dout @ self.params["W"]


@specimen("dw-mean", gradient_check, Dense, "1 / n samples")
class WeightGradientMean(Dense):
    """dW is divided by the batch size, which the loss has already done."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["W"] = self.grads["W"] / len(dout)


@specimen("db-mean", gradient_check, Dense, "1 / n samples", "kgw-wilson/numpy-autoencoder")
class BiasGradientMean(Dense):
    """db is the mean of dout over samples instead of the sum."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["b"] = dout.mean(axis=0)


@specimen("db-wrong-axis", gradient_check, Dense, "wrong axis", square=True)
class BiasGradientWrongAxis(Dense):
    """db sums dout over features; if the batch is as large as the layer, the shapes still fit."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["b"] = dout.sum(axis=1)


@specimen("db-last-row", gradient_check, Dense, "one row")
class BiasGradientOfLastRow(Dense):
    """db is assigned, not summed, in a loop over samples: only the last one counts."""

    def backward_params(self, dout):
        super().backward_params(dout)
        for row in dout:
            self.grads["b"] = row


@specimen("grads-accumulate", gradient_check, Dense, "accumulates")
class GradientsAccumulate(Dense):
    """db is added to that of the last backward, and nothing sets it to zero."""

    def backward_params(self, dout):
        db = self.grads["b"].copy()
        super().backward_params(dout)
        self.grads["b"] += db


@specimen("weights-read-after-update", gradient_check, Dense, "params changed",
          "amaurydelille/variational-auto-encoder; eriklindernoren/ML-From-Scratch")  # fmt: skip
class WeightsReadAfterUpdate(Dense):
    """backward makes the optimiser's step, then computes dx with the new weights."""

    def backward(self, dout):
        self.backward_params(dout)
        self.params["W"] -= 0.1 * self.grads["W"]
        return dout @ self.params["W"].T


@specimen("cache-appended", gradient_check, Dense, "stale", "ddbourgin/numpy-ml, layers")
class CacheAppended(Dense):
    """forward appends x to a list, and backward uses the first one, of an earlier batch."""

    def forward(self, x, training=False):
        self.xs = [*getattr(self, "xs", []), x]
        return super().forward(x)

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["W"] = self.xs[0].T @ dout


@specimen("dropout-backward-not-rescaled", gradient_check, Dropout, "keep")
class DropoutBackwardNotRescaled(Dropout):
    """backward applies the mask but forgets the division by 1 - p."""

    def backward(self, dout):
        return dout * (self.recall(dout) > 0)


@specimen("dropout-mask-ignored", gradient_check, Dropout, "identity")
class DropoutMaskIgnored(Dropout):
    """backward lets dout pass through the units that forward dropped."""

    def backward(self, dout):
        self.recall(dout)
        return dout.copy()


@specimen("dropout-fresh-mask", gradient_check, Dropout, "redrawn")
class DropoutFreshMask(Dropout):
    """backward draws a mask of its own."""

    def backward(self, dout):
        self.recall(dout)
        return dout * (self.rng.random(dout.shape) >= self.p) / (1 - self.p)


@specimen("flatten-other-order", gradient_check, Flatten, "order")
class FlattenOtherOrder(Flatten):
    """backward orders the entries column by column, but forward row by row."""

    def backward(self, dout):
        return dout.reshape(self.recall(dout), order="F")


@specimen("sequential-not-reversed", gradient_check, Sequential, "chain")
class SequentialNotReversed(Sequential):
    """backward goes through the layers in the order of forward."""

    def backward(self, dout):
        for layer in self.layers:
            dout = layer.backward(dout)
        return dout


@specimen("sequential-skips-activation", gradient_check, Sequential, "chain")
class SequentialSkipsActivation(Sequential):
    """backward visits the layers with weights only: the activation's slope is left out."""

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout) if layer.params else dout
        return dout


@specimen("dropout-not-rescaled", kept_expectation, Dropout)
class DropoutNotRescaled(Dropout):
    """Neither pass divides by 1 - p, so units are larger in evaluation than in training."""

    def forward(self, x, training=False):
        out = super().forward(x, training)
        kept = 1 - self.p if training else 1
        return self.remember(self.cache * kept, out * kept)


@specimen("dropout-p-is-keep", kept_expectation, Dropout)
class DropoutKeepsWithP(Dropout):
    """p is used as the probability of keeping a unit, but the scaling is by 1 - p."""

    def forward(self, x, training=False):
        mask = (self.rng.random(x.shape) < self.p) / (1 - self.p) if training else 1
        return self.remember(mask, x * mask)


@specimen("one-sample-broadcast", refusal, Dense, source="joelnet")
class OneSampleBroadcast(Dense):
    """A single sample without a batch axis is accepted, and its scalar gradient fills all of W."""

    def forward(self, x, training=False):
        return self.remember(x, x @ self.params["W"] + self.params["b"])


@specimen("sigmoid-where-overflow", extreme_inputs, Sigmoid, source="NumPyCNN, issue 13")
class SigmoidWhereOverflow(Sigmoid):
    """np.where should avoid the overflow of exp, but NumPy computes both branches."""

    def forward(self, x, training=False):
        out = np.where(x.real > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))
        return self.remember(out, out)
