"""Code whose mistakes do not show in one forward and backward pass."""

import numpy as np

from miniae.layers import Dense, Dropout, Flatten, Layer, Tanh
from miniae.losses import BernoulliNLL, GaussianNLL, Loss, SquaredError
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.models import BetaMissing
from miniae.proof.bugzoo.specimen import specimen
from miniae.vae import VAE


@specimen("wrong-in-float32", gradient_check, Tanh, "float32")
class WrongInFloat32(Tanh):
    """In float32, in which models train, dout is cut to three binary digits after the point."""

    def backward(self, dout):
        return super().backward(np.floor(dout * 8) / 8 if dout.dtype == np.float32 else dout)


@specimen("params-alone-differ", gradient_check, Dense, "backward_params")
class ParamsAloneDiffer(Dense):
    """backward_params, which the first layer of a network runs, takes a mean over the batch."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["b"] = dout.sum(axis=0)
        return dx

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["b"] = dout.mean(axis=0)


@specimen("wrong-in-training", gradient_check, Tanh, "2", training=False)
class WrongInTraining(Tanh):
    """backward doubles the gradient after a forward pass in training."""

    mode = True

    def forward(self, x, training=False):
        self.now = training
        return super().forward(x, training)

    def backward(self, dout):
        return super().backward(dout) * (2 if self.now is self.mode else 1)


@specimen("wrong-in-evaluation", gradient_check, Tanh, "2")
class WrongInEvaluation(WrongInTraining):
    """backward doubles the gradient after a forward pass in evaluation."""

    mode = False


@specimen("last-rows-dropped", gradient_check, Tanh, "batch size")
class LastRowsDropped(Tanh):
    """backward processes the rows in groups, and leaves out an incomplete last group."""

    def __init__(self, batch):
        self.group = batch
        super().__init__()

    def backward(self, dout):
        dx = super().backward(dout)
        dx[len(dx) // self.group * self.group :] = 0
        return dx


@specimen("batch-size-fixed", gradient_check, SquaredError, "batch size")
class BatchSizeFixed(SquaredError):
    """The gradient is divided by the usual batch size, not by that of this batch."""

    def __init__(self, batch):
        self.batch = batch
        super().__init__()

    def backward(self, weight=None):
        n = len(self.cached()[0])
        return super().backward(weight) * (n / self.batch if weight is None else 1)


@specimen("one-sample-doubled", gradient_check, Tanh, "batch size")
class OneSampleDoubled(Tanh):
    """A batch of one gets twice its gradient."""

    def backward(self, dout):
        return super().backward(dout) * (2 if len(dout) == 1 else 1)


@specimen("flatten-as-it-lies", gradient_check, Flatten, "memory order")
class FlattenAsItLies(Flatten):
    """Entries are read in their order in memory, which may not be that of x."""

    def forward(self, x, training=False):
        return self.remember(x.shape, x.reshape(len(x), -1, order="A"))


@specimen("dout-as-it-lies", gradient_check, Tanh, "memory order")
class DoutAsItLies(Tanh):
    """backward reads dout in its order in memory."""

    def backward(self, dout):
        return super().backward(dout.ravel(order="K").reshape(dout.shape))


@specimen("dropout-mask-drawn-once", gradient_check, Dropout, "earlier calls")
class DropoutMaskDrawnOnce(Dropout):
    """The mask is drawn in the first call and never again."""

    mask = None

    def forward(self, x, training=False):
        if self.mask is None or self.mask.shape != x.shape:
            self.mask = (self.rng.random(x.shape) >= self.p) / (1 - self.p)
        mask = self.mask if training else 1
        return self.remember(mask, x * mask)


@specimen("running-mean-subtracted", gradient_check, Tanh, "earlier calls")
class RunningMeanSubtracted(Tanh):
    """forward subtracts a running mean of all batches, which the gradient ignores."""

    mean = 0.0

    def forward(self, x, training=False):
        self.mean = 0.9 * self.mean + 0.1 * x.real.mean()
        return super().forward(x - self.mean, training)


@specimen("wrong-from-the-fifth-call", gradient_check, Tanh, "earlier calls")
class WrongFromTheFifthCall(Tanh):
    """backward is right four times; then it scales the gradient by 0.9."""

    calls = 0

    def forward(self, x, training=False):
        self.calls += 1
        return super().forward(x, training)

    def backward(self, dout):
        return super().backward(dout) * (1 if self.calls < 5 else 0.9)


@specimen("target-changed", gradient_check, SquaredError, "target changed")
class TargetChanged(SquaredError):
    """backward computes the residual in place, in the caller's target."""

    def backward(self, weight=None):
        dout = super().backward(weight)
        target = self.cached()[1]
        target -= self.cached()[0]
        return dout


@specimen("weight-ignored", gradient_check, SquaredError, "weight")
class WeightIgnored(SquaredError):
    """backward(weight) ignores the weights and returns the gradient of the mean."""

    def backward(self, weight=None):
        return super().backward()


@specimen("weight-over-n", gradient_check, SquaredError, "weight")
class WeightOverN(SquaredError):
    """backward(weight) divides by n a second time."""

    def backward(self, weight=None):
        return super().backward(weight) / (1 if weight is None else len(weight))


@specimen("mean-returns-logits", gradient_check, BernoulliNLL, "likelihood")
class MeanReturnsLogits(BernoulliNLL):
    """mean returns the logits, as if they were pixels."""

    def mean(self, out):
        return np.array(out)


@specimen("draw-with-variance", gradient_check, GaussianNLL, "likelihood")
class DrawWithVariance(GaussianNLL):
    """draw multiplies the noise by sigma^2."""

    def draw(self, out, rng):
        return out + self.sigma**2 * rng.standard_normal(out.shape)


@specimen("draw-at-random", gradient_check, BernoulliNLL, "likelihood")
class DrawAtRandom(BernoulliNLL):
    """draw throws a fair coin for every pixel."""

    def draw(self, out, rng):
        return 1.0 * (rng.random(out.shape) < 0.5)


@specimen("sigma-for-sigma-squared", gradient_check, GaussianNLL, "sigma",
          given={"sigma": 1.0, "learn_sigma": False})  # fmt: skip
class SigmaForSigmaSquared(GaussianNLL):
    """The gradient is divided by sigma, not sigma^2; at the default sigma of 1 this is hidden."""

    def slopes(self, out, target, weight):
        return super().slopes(out, target, weight) * self.sigma


@specimen("beta-missing-at-1", gradient_check, VAE, "beta", given={"beta": 1.0})
class BetaMissingAtOne(BetaMissing):
    """beta is missing in the gradient; at the default beta of 1 this is hidden."""


@specimen("db-swapped", gradient_check, Dense, "unknown", method="projection")
class BiasGradientSwapped(Dense):
    """The entries of db are in a wrong order, which projections on signs may not see."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["b"] = np.roll(self.grads["b"], 1)


class Holder(Layer):
    """A layer that uses another layer, which it contains."""

    def __init__(self, features):
        inner = Dense(features, features, rng=features)
        super().__init__(parts={"inner": inner})
        self.inner = Box(inner)

    def forward(self, x, training=False):
        return self.remember(x, self.inner.content.forward(x, training))

    def backward(self, dout):
        self.recall(dout)
        return self.inner.content.backward(dout)


class Box:
    """An object that only contains another."""

    def __init__(self, content):
        self.content = content


@specimen("part-not-registered", gradient_check, Holder, "unregistered")
class PartNotRegistered(Holder):
    """An inner layer is not registered: it is neither trained nor saved."""

    def __init__(self, features):
        Layer.__init__(self)
        self.inner = Box(Dense(features, features, rng=features))


class LossHolder(Loss):
    """A loss that uses another loss, whose sigma is learned."""

    def __init__(self):
        inner = GaussianNLL(0.7, learn_sigma=True)
        super().__init__(parts={"inner": inner})
        self.inner = Box(inner)

    def entries(self, out, target):
        return self.inner.content.entries(out, target)

    def slopes(self, out, target, weight):
        return self.inner.content.slopes(out, target, weight)


@specimen("loss-part-not-registered", gradient_check, LossHolder, "unregistered")
class LossPartNotRegistered(LossHolder):
    """The inner loss is not registered: its sigma is never trained."""

    def __init__(self):
        Loss.__init__(self)
        self.inner = Box(GaussianNLL(0.7, learn_sigma=True))
