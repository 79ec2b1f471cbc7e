"""A translator of texts: an encoder and a decoder LSTM, with attention or without."""

import numpy as np

from miniae import Dense, MultinomialNLL
from miniae.attention import MultiHeadAttention
from miniae.parameters import Parameterized
from miniae.plumbing.first_draw import draw_last
from miniae.recurrent import LSTM, Bidirectional
from miniae.steps import Embedding


class Translator(Parameterized):
    """Reads a row of tokens and writes another, token by token. Luong et al. (2015), section 3.1.

        m_1, ..., m_S = encoder(x_1, ..., x_S)          states of both directions, the memory
        s_0 = W [last state forwards, last state backwards] + b          the summary
        s_t = decoder(s_(t-1), y_(t-1))                 y_(t-1) is the token before, 0 at first
        c_t = sum_j a_tj m_j,  a_t = softmax over j of (W_q s_t) . (W_k m_j) / sqrt(units)
        log p(y_t | x, y_1, ..., y_(t-1)) = log softmax(W [s_t, c_t] + b)

    Without attention, c_t is the summary of the whole input at every t: Cho et al. (2014). All else
    is the same.

    Parameters
    ----------
    n_source, n_target : int, tokens of both alphabets, with the padding 0
    units : int, even; of the decoder, and of both directions of the encoder together
    attention : bool
    seed : int, of the weights
    dtype : float32 or float64
    """

    first_pass = "loss"

    def __init__(self, n_source, n_target, units=64, *, attention=True, seed=0, dtype="float32"):
        self.n_target, self.units, half = n_target, units, units // 2
        self.embed_source = Embedding(n_source, half, dtype=dtype)
        self.encoder = Bidirectional(LSTM(half, half, return_sequences=True, dtype=dtype))
        self.bridge = Dense(units, 2 * units, dtype=dtype)
        self.embed_target = Embedding(n_target, half, dtype=dtype)
        self.decoder = LSTM(half, units, return_sequences=True, dtype=dtype)
        self.attention = MultiHeadAttention(units, 1, dtype=dtype) if attention else None
        self.head = Dense(2 * units, n_target, dtype=dtype)
        self.nll = MultinomialNLL()
        super().__init__()
        draw_last(self, np.random.default_rng(seed))
        for embedding in (self.embed_source, self.embed_target):
            embedding.params["W"] *= 20  # up to 1: at 0.05 all tokens look alike, for some epochs

    def read(self, source):
        """source (n, S) -> memory (n, S, units), its mask (n, S), and the summary, a state (h, c).

        The encoder's last state forwards is in the last column: padding keeps it. Backwards, the
        last state is in the first column.
        """
        mask, half = source > 0, self.units // 2
        memory = self.encoder.forward(self.embed_source.forward(source), mask=mask)
        ends = np.concatenate([memory[:, -1, :half], memory[:, 0, half:]], axis=1)
        h, c = np.split(self.bridge.forward(ends), 2, axis=1)
        return memory, mask, (h, c)

    def write(self, before, memory, mask, summary, state):
        """Tokens before (n, T), and what `read` returned -> logits (n, T, n_target).

        The decoder starts from `state`.
        """
        s = self.decoder.forward(self.embed_target.forward(before), state=state)
        if self.attention is None:
            c = np.broadcast_to(summary[0][:, None], s.shape)
        else:
            c = self.attention.forward(s, memory=memory, mask=mask)
        both = np.concatenate([s, c], axis=2).reshape(-1, 2 * self.units)
        return self.head.forward(both).reshape(*before.shape, self.n_target)

    def loss(self, source, target):
        """Return -log p(target | source) in nats, the mean over the n pairs.

        source (n, S), target (n, T): token numbers, 0 after the end. The decoder reads the target's
        true token before each place, not the one that it would write (teacher forcing). So all T
        places are computed at once.
        """
        memory, mask, summary = self.read(source)
        before = np.pad(target[:, :-1], ((0, 0), (1, 0)))  # one place to the right
        logits = self.write(before, memory, mask, summary, summary)
        is_real = (target > 0).reshape(-1).astype(logits.real.dtype)  # padding does not count
        weight = self.cache = is_real / len(target)
        one_hot = np.eye(self.n_target, dtype=weight.dtype)[target.reshape(-1)]
        return self.nll.per_sample(logits.reshape(-1, self.n_target), one_hot) @ weight

    def backward(self):
        """Fill dtheta with the gradient of the last loss.

        The chain rule in reverse order. Where one value is used twice, its two gradients add up:

        s_t   goes into the logits and is the query of the attention: ds = ds (head) + dx.
        m_j   is in the memory, and the two ends are in the summary: dmemory + dends.
        h_0   is the decoder's first state and, without attention, c_t at every t: dh + sum_t dc_t.

        The summary's c_0 is the decoder's first state only.
        """
        dlogits = self.nll.backward(self.cached())
        n, T, _ = self.decoder.out_shape
        ds, dc = np.split(self.head.backward(dlogits).reshape(n, T, -1), 2, axis=2)
        if self.attention is not None:
            ds = ds + self.attention.backward(dc)
        self.embed_target.backward(self.decoder.backward(ds))
        dh0, dc0 = self.decoder.dstate
        if self.attention is None:
            dh0 = dh0 + dc.sum(axis=1)
        dends = self.bridge.backward(np.concatenate([dh0, dc0], axis=1))
        half = self.units // 2
        dmemory = np.zeros(self.encoder.out_shape, dends.dtype)
        if self.attention is not None:
            dmemory += self.attention.dmemory
        dmemory[:, -1, :half] += dends[:, :half]
        dmemory[:, 0, half:] += dends[:, half:]
        self.embed_source.backward_params(self.encoder.backward(dmemory))

    def translate(self, source, longest, end):
        """Write the likeliest token at each place, until all rows have the token `end`.

        Returns
        -------
        tokens : (n, T), T <= longest; what follows `end` has no meaning
        weights : (n, T, S), the attention a_tj, or None
        """
        memory, mask, summary = self.read(source)
        state, token = summary, np.zeros((len(source), 1), int)
        tokens, weights = [], []
        for _ in range(longest):
            token = self.write(token, memory, mask, summary, state).argmax(axis=2)
            state = self.decoder.state
            tokens.append(token)
            if self.attention is not None:
                weights.append(self.attention.weights)
            if (np.concatenate(tokens, axis=1) == end).any(axis=1).all():
                break
        if self.attention is None:
            return np.concatenate(tokens, axis=1), None
        return np.concatenate(tokens, axis=1), np.concatenate(weights, axis=2)[:, 0]
