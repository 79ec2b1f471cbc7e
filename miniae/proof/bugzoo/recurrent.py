"""Wrong recurrent layers: each docstring says in one sentence what is wrong."""

import numpy as np

from miniae.proof.bugzoo.specimen import Finding, specimen
from miniae.proof.gradcheck import gradient_check
from miniae.recurrent import GRU, LSTM
from miniae.steps import Embedding


def sequence_check(cls, seed):
    """Check the gradient of a layer on sequences of unequal length, with its mask."""
    rng = np.random.default_rng(seed)
    n, T = 3, 3
    if issubclass(cls, Embedding):
        layer, x, given = cls(5, 3, rng=rng), rng.integers(0, 3, (n, T)), {}
    else:
        layer, x = cls(2, 2, return_sequences=True, rng=rng), rng.standard_normal((n, T, 2))
        given = {"mask": np.arange(T) < np.array([[T], [1], [2]])}
    report = gradient_check(layer, x, seed=seed, **given)
    return Finding(not report.ok, f"error {report.max_error:.1e}")


@specimen("lstm-backward-forgets-mask", sequence_check, LSTM)
class MaskForgottenBackward(LSTM):
    """backward treats padded steps as real ones."""

    def recall(self, dout):
        return *super().recall(dout)[:-1], None


@specimen("gru-backward-forgets-mask", sequence_check, GRU)
class GRUMaskForgottenBackward(GRU):
    """backward treats padded steps as real ones."""

    def recall(self, dout):
        return *super().recall(dout)[:-1], None


@specimen("lstm-no-tanh-slope-of-cell", sequence_check, LSTM)
class CellSlopeMissing(LSTM):
    """The gradient of the cell misses tanh's slope: dc += dh o, without 1 - tanh(c)^2."""

    def recall(self, dout):
        steps, gates, hs, cs, tanh_cs, mask = super().recall(dout)
        hs = np.concatenate([hs[:1], 0 * hs[1:]])
        return steps, gates, hs, cs, tanh_cs, mask

    def learn(self, steps, hs, dgates, dproducts):
        return super().learn(steps, self.cache[2], dgates, dproducts)


@specimen("lstm-cell-of-after", sequence_check, LSTM)
class CellOfAfter(LSTM):
    """The gradient of the forget gate uses the cell after the step, not before it."""

    def recall(self, dout):
        steps, gates, hs, cs, tanh_cs, mask = super().recall(dout)
        return steps, gates, hs, cs[1:], tanh_cs, mask


@specimen("lstm-gates-exchanged", sequence_check, LSTM)
class GatesExchanged(LSTM):
    """backward takes the input gate for the forget gate, and the reverse."""

    def recall(self, dout):
        steps, gates, *rest = super().recall(dout)
        return steps, gates[[1, 0, 2, 3]], *rest


@specimen("recurrent-du-of-after", sequence_check, LSTM)
class UOfAfter(LSTM):
    """dU uses the state after the step, not before it."""

    def learn(self, steps, hs, dgates, dproducts):
        return super().learn(steps, np.roll(hs, -1, axis=0), dgates, dproducts)


@specimen("recurrent-bias-of-one-step", sequence_check, LSTM)
class BiasOfOneStep(LSTM):
    """db is summed over the samples of the first step, not over all steps."""

    def learn(self, steps, hs, dgates, dproducts):
        dx = super().learn(steps, hs, dgates, dproducts)
        self.grads["b"] = dgates[:, 0].sum(axis=1).ravel()
        return dx


@specimen("recurrent-state-not-carried", sequence_check, LSTM)
class StateNotCarried(LSTM):
    """The gradient is not carried from a step to the one before through U."""

    def backward(self, dout):
        U = self.params["U"].copy()
        self.params["U"] = 0 * U
        dx = super().backward(dout)
        self.params["U"] = U
        return dx


@specimen("gru-du-without-reset", sequence_check, GRU)
class ResetMissing(GRU):
    """dU of the candidate misses the reset gate, which acts after the product."""

    def learn(self, steps, hs, dgates, dproducts):
        return super().learn(steps, hs, dgates, dgates)


@specimen("gru-bias-without-reset", sequence_check, GRU)
class HiddenBiasWithoutReset(GRU):
    """db_h is taken to be db of the candidate, so the reset gate is missing."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["b_h"] = self.grads["b"][2 * self.n_out :]
        return dx


@specimen("embedding-overwrites", sequence_check, Embedding)
class EmbeddingOverwrites(Embedding):
    """dW is assigned, not added, so only the last of repeated tokens counts."""

    def backward(self, dout):
        dx = super().backward(dout)
        tokens, _ = self.recall(dout)
        dW = np.zeros_like(self.grads["W"])
        dW[tokens] = dout
        self.grads["W"] = dW
        return dx
