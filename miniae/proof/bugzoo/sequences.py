"""Wrong sequence models: each docstring says in one sentence what is wrong."""

import itertools

import numpy as np

from miniae.proof import gradcheck
from miniae.proof.bugzoo.specimen import Finding, specimen
from miniae.proof.subject import Subject
from miniae.variants.sequence import SequenceVAE
from miniae.variants.token_layers import SequenceReader, SequenceWriter, TokenNLL
from miniae.variants.tokens import END, pad_sequences

WORDS = [[2, 3, 3, 2], [3], [], [2, 2, 3, 3, 2, 2], [3, 2]]  # of unequal length, the longest cut


def small(cls, seed, units=4, **options):
    """Return a model with random weights, three tokens to write, and rows of unequal length."""
    rng = np.random.default_rng(seed)
    model = cls(4, 5, 2, (units,), embedding_dim=3, dtype="float64", seed=seed, **options)
    model.theta = 0.7 * rng.standard_normal(model.theta.size)
    return model, pad_sequences(WORDS, 5)


def compare(name, got, expected):
    """Return the finding on two arrays that must be equal, up to rounding."""
    off = np.abs(np.asarray(got) - expected).max()
    return Finding(bool(off > 1e-9), f"{name}: differs by {off:.2g}")


def all_sequences(cls, seed):
    """Add up the probabilities, given one code, of all sequences up to a length: they sum to 1."""
    model, _ = small(cls, seed)
    rows = [r for k in range(6) for r in itertools.product((2, 3), repeat=k)]
    X = pad_sequences(rows, 5)
    model.decoder.layers[0].tokens = X
    z = np.tile(np.random.default_rng(seed).standard_normal(2), (len(X), 1))
    total = np.exp(-model.reconstruction_loss.per_sample(model.decoder.forward(z), X)).sum()
    return Finding(bool(abs(total - 1) > 1e-9), f"the probabilities add up to {total:.6g}")


def change_of_the_future(cls, seed):
    """Change the last token of sequences: the logits up to it must not change."""
    model, _ = small(cls, seed)
    X, z = np.tile([2, 3, 3, 2, 2], (2, 1)), np.ones((2, 2))
    X[1, 4] = 3
    model.decoder.layers[0].tokens = X
    out = model.decoder.forward(z)
    return compare("logits with another future", out[0], out[1])


def longer_neighbours(cls, seed):
    """Evaluate each row alone and beside longer rows: its bound must not change."""
    model, X = small(cls, seed)
    noise = np.random.default_rng(seed).standard_normal((len(X), 2))
    alone = [model.loss(X[i : i + 1], eps=noise[i : i + 1]) for i in range(len(X))]
    return compare("mean loss of rows beside longer ones", model.loss(X, eps=noise), np.mean(alone))


def evaluated_twice(cls, seed):
    """Evaluate a model with word dropout, and the same weights without: the loss is the same."""
    with_it, X = small(cls, seed, word_dropout=0.6)
    without, _ = small(cls, seed)
    return compare("loss in evaluation", with_it.loss(X), without.loss(X))


def whole_gradient(cls, seed):
    """Check the gradient of the whole model, with word dropout, on rows of unequal length."""
    model, X = small(cls, seed, units=2, word_dropout=0.3)
    report = gradcheck.check(Subject(model, X[:3], None, True, seed, {}))
    return Finding(not report.ok, f"largest error {report.max_error:.1e}")


class PaddingNLL(TokenNLL):
    """A loss without the mask."""

    def entries(self, out, target):
        index = np.maximum(target - 1, 0)[:, :, None]
        return -np.take_along_axis(self.log_p(out), index, axis=2)[:, :, 0]


@specimen("sequence-loss-counts-padding", longer_neighbours, SequenceVAE)
class CountsPadding(SequenceVAE):
    """Padded steps are in the loss, as if an end token were expected there again and again."""

    loss_class = PaddingNLL


class MeanNLL(TokenNLL):
    """A loss per token."""

    def per_sample(self, out, target):
        return super().per_sample(out, target) / (np.asarray(target).real > 0).sum(axis=1)


@specimen("sequence-loss-mean-over-tokens", all_sequences, SequenceVAE)
class MeanOverTokens(SequenceVAE):
    """The loss is a mean over tokens, not their sum, so that the KL weighs as many times more."""

    loss_class = MeanNLL


class EndlessNLL(TokenNLL):
    """A loss that masks the end token."""

    def entries(self, out, target):
        return np.where(target > END, super().entries(out, target), 0)


@specimen("sequence-end-token-is-free", all_sequences, SequenceVAE)
class EndIsFree(SequenceVAE):
    """The end token is masked like padding: the model never learns to stop."""

    loss_class = EndlessNLL


class Peeking(SequenceWriter):
    """A writer whose input is not shifted."""

    def read(self, tokens):
        return tokens


@specimen("sequence-reads-the-token-to-write", change_of_the_future, SequenceVAE)
class ReadsTheTarget(SequenceVAE):
    """The input is not shifted: each step reads the very token that it must predict."""

    writer_class = Peeking


class AlwaysDropping(SequenceWriter):
    """A writer that is always in training."""

    def forward(self, z, training=False):
        return super().forward(z, True)


@specimen("sequence-word-dropout-in-evaluation", evaluated_twice, SequenceVAE)
class DropsInEvaluation(SequenceVAE):
    """Word dropout stays on in evaluation."""

    writer_class = AlwaysDropping


class UnmaskedReader(SequenceReader):
    """A reader without the mask."""

    def mask(self, tokens):
        return np.ones(tokens.shape, bool)


@specimen("sequence-code-of-the-padding", longer_neighbours, SequenceVAE)
class CodeOfPadding(SequenceVAE):
    """The encoder has no mask: the code is the state after the padding, not after the end token."""

    reader_class = UnmaskedReader


class HalfGradient(SequenceWriter):
    """A writer that forgets one of two paths."""

    def backward(self, dout):
        dz = super().backward(dout)
        return self.start.backward(np.concatenate(self.lstm.dstate, axis=1)) + 0 * dz


@specimen("sequence-z-gradient-of-the-start-only", whole_gradient, SequenceVAE)
class GradientOfTheStart(SequenceVAE):
    """z is an input of each step, but its gradient has only the path through the first state."""

    writer_class = HalfGradient
