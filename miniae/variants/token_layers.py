"""The parts of the sequence models: a reader and a writer of token sequences, and their loss.

Tokens are numbers: 0 is padding, 1 (`END`) ends a sequence, and words start at 2.
"""

import numpy as np

from miniae.layers import Dense, Layer
from miniae.losses import Loss
from miniae.numerics import as_float, log_softmax
from miniae.plumbing.checks import is_number
from miniae.recurrent import LSTM
from miniae.steps import Embedding
from miniae.variants.tokens import END, as_integers


class TokenNLL(Loss):
    """-log p(target) in nats of token sequences: the sum over real tokens, the mean over rows.

    out (n, t, n_tokens - 1) are logits; class j is token j + 1, since padding is never written.
    The target (n, length) holds tokens, with padding in all columns after t. Padding adds nothing.
    """

    config = ("n_tokens",)

    def __init__(self, n_tokens):
        self.n_tokens = n_tokens
        super().__init__()

    def keep_pair(self, out, target):
        """Store (out, target) for `backward`, and return them: numbers and integers."""
        out, target = as_float(out), as_integers(target)
        fits = out.ndim == 3 and target.ndim == 2 and len(out) == len(target)
        if not fits or out.shape[2] != self.n_tokens - 1 or target[:, out.shape[1] :].any():
            raise ValueError(
                f"{self}: out has shape {out.shape} and target {target.shape}; they must be "
                f"(n, t, {self.n_tokens - 1}) and (n, length), with padding after column t"
            )
        if target.size and target.max() >= self.n_tokens:
            raise ValueError(
                f"{self}: target has token {target.max()}, but tokens are numbered from 0 to "
                f"{self.n_tokens - 1}"
            )
        pair = self.cache = out, target[:, : out.shape[1]]
        return pair

    def shape_of_out(self, target):
        """Return the shape of the logits of a target (n, length)."""
        return (*target.shape, self.n_tokens - 1)

    def log_p(self, out):
        """Return log softmax over the tokens, of the shape of out."""
        return log_softmax(out.reshape(-1, out.shape[2])).reshape(out.shape)

    def entries(self, out, target):
        """Logits (n, t, n_tokens - 1) and tokens (n, t) -> (n, t), in nats; 0 where padded."""
        index = np.maximum(target - 1, 0)[:, :, None]
        nll = -np.take_along_axis(self.log_p(out), index, axis=2)[:, :, 0]
        return np.where(target > 0, nll, 0)

    def slopes(self, out, target, weight):
        """The slope of log sum_k e^l_k - l_j is softmax minus the one-hot of j; padding has none.

        weight broadcasts to the shape of out.
        """
        one_hot = (target - 1)[:, :, None] == np.arange(out.shape[2])
        slopes = np.exp(self.log_p(out)) - one_hot
        slopes[target == 0] = 0
        return slopes * weight


class SequenceReader(Layer):
    """Tokens (n, length) -> out (n, n_out): Embedding, LSTM, and Dense on the last real state."""

    config = ("n_tokens", "n_embedding", "n_hidden", "n_out")

    def __init__(self, n_tokens, n_embedding, n_hidden, n_out, *, rng=None, dtype="float32"):
        self.n_tokens, self.n_embedding = n_tokens, n_embedding
        self.n_hidden, self.n_out = n_hidden, n_out
        self.embedding = Embedding(n_tokens, n_embedding, rng=rng, dtype=dtype)
        self.lstm = LSTM(n_embedding, n_hidden, rng=rng, dtype=dtype)
        self.head = Dense(n_hidden, n_out, rng=rng, dtype=dtype)
        super().__init__()

    def forward(self, x, training=False):
        """x (n, length) -> out (n, n_out)."""
        tokens = as_integers(x)
        if tokens.ndim != 2:
            raise ValueError(f"{self} takes tokens (n, length), got {tokens.shape}")
        tokens = tokens[:, : longest(tokens)]
        states = self.lstm.forward(self.embedding.forward(tokens), training, mask=self.mask(tokens))
        return self.remember(np.shape(x), self.head.forward(states, training))

    def mask(self, tokens):
        """Return which steps are real, (n, t): the code is the state after the last of them."""
        return tokens > 0

    def backward(self, dout):
        """The chain rule, from the end. Tokens are no quantities: their gradient is 0."""
        shape = self.recall(dout)
        self.embedding.backward_params(self.lstm.backward(self.head.backward(dout)))
        return np.zeros(shape, dout.dtype)


class SequenceWriter(Layer):
    """z (n, n_in) -> a sequence, token by token: p(x|z) = prod_t p(x_t | x_1 ... x_t-1, z).

    z gives the LSTM its first state by a Dense layer, and is appended to the input of each step, as
    in Bowman et al. (2016), section 3.1. The other input is the token before, the first time a
    start token. Logits come from a Dense layer on each state.

    With `tokens` set the layer is forced: it reads the true tokens before each step (teacher
    forcing, Williams and Zipser 1989), and out are logits (n, t, n_tokens - 1), t the length of the
    longest row. With tokens = None it is free: it reads what it wrote itself, the most probable
    token each time, and out are tokens (n, length), padded after the end token.

    Parameters
    ----------
    word_dropout : float in [0, 1)
        In training, each true token that is read is replaced by an unknown one with this
        probability, so that z must tell what the words before do not. Bowman et al., section 3.1.
    rng : source of the weights and, until a model replaces it by its own, of the word dropout

    Attributes
    ----------
    tokens : (m, length) or None, set by the model
        If z has several times m rows, such as several draws for each sample, the tokens repeat.
    """

    config = ("n_tokens", "length", "n_in", "n_embedding", "n_hidden", "word_dropout")
    tokens = None

    def __init__(self, n_tokens, length, n_in, n_embedding, n_hidden, word_dropout=0.0, *,
                 rng=None, dtype="float32"):  # fmt: skip
        if not is_number(word_dropout) or not 0 <= word_dropout < 1:
            raise ValueError(f"word_dropout={word_dropout!r} must be a number in [0, 1)")
        self.n_tokens, self.length, self.n_in = n_tokens, length, n_in
        self.n_embedding, self.n_hidden = n_embedding, n_hidden
        self.word_dropout, self.rng = word_dropout, np.random.default_rng(0)
        # Row 0 is the start token, since padding is never read; the last row is the unknown token.
        self.embedding = Embedding(n_tokens + 1, n_embedding, rng=rng, dtype=dtype)
        self.start = Dense(n_in, 2 * n_hidden, rng=rng, dtype=dtype)
        self.lstm = LSTM(n_embedding + n_in, n_hidden, return_sequences=True, rng=rng, dtype=dtype)
        self.head = Dense(n_hidden, n_tokens - 1, rng=rng, dtype=dtype)
        super().__init__()

    def forward(self, z, training=False):
        """z (n, n_in) -> logits (n, t, n_tokens - 1) if forced, else tokens (n, length)."""
        if self.tokens is None:
            return self.remember((), self.write(z, lambda logits: logits.argmax(axis=1)))
        tokens = as_integers(self.tokens)
        tokens = np.tile(tokens[:, : longest(tokens)], (len(z) // len(tokens), 1))
        n, t = tokens.shape
        before = self.read(tokens)
        if training and self.word_dropout:
            is_lost = self.rng.random((n, t), dtype=np.float32) < self.word_dropout
            before[is_lost & (before > 0)] = self.n_tokens
        each_z = np.broadcast_to(z[:, None], (n, t, self.n_in))
        x = np.concatenate([self.embedding.forward(before), each_z], axis=2)
        states = self.lstm.forward(x, training, state=self.first_state(z))
        logits = self.head.forward(states.reshape(n * t, -1), training)
        return self.remember(states.shape, logits.reshape(n, t, -1))

    def read(self, tokens):
        """Return what each step reads, (n, t): the token before; before the first, the start."""
        return np.concatenate([np.zeros((len(tokens), 1), int), tokens[:, :-1]], axis=1)

    def backward(self, dout):
        """z acts on the first state and on each step's input: its gradients are added up.

        The tokens that are read are data: their embeddings have gradients, they have none.
        """
        shape = self.recall(dout)
        if not shape:
            raise ValueError(f"{self}: it wrote freely, which has no gradient: set tokens first")
        dstates = self.head.backward(dout.reshape(-1, dout.shape[2])).reshape(shape)
        dx = self.lstm.backward(dstates)
        self.embedding.backward_params(dx[:, :, : self.n_embedding])
        dz = self.start.backward(np.concatenate(self.lstm.dstate, axis=1))
        return dz + dx[:, :, self.n_embedding :].sum(axis=1)

    def first_state(self, z):
        """Return the LSTM's state (h, c) before the first token, each (n, n_hidden)."""
        return tuple(np.split(self.start.forward(z), 2, axis=1))

    def step(self, token, z, state):
        """Return the logits (n, n_tokens - 1) after one more token (n,), and the new state."""
        x = np.concatenate([self.embedding.forward(token[:, None]), z[:, None]], axis=2)
        logits = self.head.forward(self.lstm.forward(x, state=state)[:, 0])
        return logits, self.lstm.state

    def write(self, z, pick):
        """Return tokens (n, length), written one by one; pick(logits) -> (n,) chooses classes."""
        state, token, is_open = self.first_state(z), np.zeros(len(z), int), np.ones(len(z), bool)
        tokens = np.zeros((len(z), self.length), int)
        for t in range(self.length):
            logits, state = self.step(token, z, state)
            token = pick(logits) + 1
            tokens[is_open, t] = token[is_open]
            is_open &= token != END
        return tokens

    def beam_search(self, z, width):
        """Return the most probable tokens found (n, length), and their log p(x|z) (n,), in nats.

        At each step the `width` most probable beginnings of each row are kept. A beginning that has
        ended stays as it is.
        """
        n, rows = len(z), np.arange(len(z))[:, None]
        z = np.repeat(z, width, axis=0)
        state, token = self.first_state(z), np.zeros(n * width, int)
        tokens = np.zeros((n, width, self.length), int)
        total = np.tile(np.where(np.arange(width) == 0, 0.0, -np.inf), (n, 1))  # one beginning
        is_open = np.ones((n, width), bool)
        for t in range(self.length):
            logits, state = self.step(token, z, state)
            gain = np.full((n, width, self.n_tokens), -np.inf)
            gain[is_open, 1:] = log_softmax(logits).reshape(n, width, -1)[is_open]
            gain[~is_open, 0] = 0.0
            sums = (total[:, :, None] + gain).reshape(n, -1)
            best = np.argsort(-sums, axis=1, kind="stable")[:, :width]
            total = sums[rows, best]
            parent, number = np.divmod(best, self.n_tokens)
            tokens = tokens[rows, parent]
            tokens[:, :, t] = number
            is_open = is_open[rows, parent] & (number != END)
            state = tuple(s[(rows * width + parent).ravel()] for s in state)
            token = number.ravel()
        return tokens[:, 0], total[:, 0]


def longest(tokens):
    """Return the number of columns up to the last real token of any row, at least 1."""
    return max(1, int((tokens > 0).any(axis=0).sum()))
