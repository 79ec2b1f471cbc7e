"""Language models to compare a sequence VAE with: n-grams, and its own writer without a code."""

from collections import Counter, defaultdict

import numpy as np

from miniae.optim import Adam
from miniae.variants.token_layers import SequenceWriter, TokenNLL
from miniae.variants.tokens import END

DISCOUNT = 0.75


class NGram:
    """p(token | the order - 1 tokens before), by interpolated absolute discounting.

    Ney, Essen and Kneser (1994). Each count is lowered by the discount. The probability that this
    frees is shared out in proportion to the model with one token less of context. Without context,
    that model is uniform.
    """

    def __init__(self, order, n_tokens):
        self.order, self.n_tokens = order, n_tokens
        self.counts = defaultdict(Counter)
        self.known = {}

    def fit(self, X):
        """Count in rows of tokens (n, length), padded with 0."""
        for context, token in self.places(X):
            for k in range(self.order):
                self.counts[context[k:]][token] += 1
        return self

    def places(self, X):
        """Yield (context, token) for each real token; before the first there are zeros."""
        for row in np.asarray(X, int):
            tokens = [0] * (self.order - 1) + row[row > 0].tolist()
            for t in range(self.order - 1, len(tokens)):
                yield tuple(tokens[t - self.order + 1 : t]), tokens[t]

    def p(self, context):
        """Return the probabilities of all tokens after a context, (n_tokens,); padding has 0."""
        if context not in self.known:
            if context:
                p = self.p(context[1:])
            else:
                p = (np.arange(self.n_tokens) > 0) / (self.n_tokens - 1)
            found = self.counts.get(context)
            if found:
                p = p * (DISCOUNT * len(found) / found.total())
                p[list(found)] += (np.array(list(found.values())) - DISCOUNT) / found.total()
            self.known[context] = p
        return self.known[context]

    def perplexity(self, X):
        """Return exp(nats per token)."""
        return float(np.exp(-np.mean([np.log(self.p(c)[token]) for c, token in self.places(X)])))

    def sample(self, n, length, rng):
        """Draw n rows of tokens (n, length)."""
        X = np.zeros((n, length), int)
        for row in X:
            tokens = [0] * (self.order - 1)
            for t in range(length):
                p = self.p(tuple(tokens[len(tokens) - self.order + 1 :]))
                row[t] = rng.choice(self.n_tokens, p=p / p.sum())
                tokens.append(row[t])
                if row[t] == END:
                    break
        return X


class WriterAlone:
    """The writer of a SequenceVAE with z = 0 always: an LSTM language model of the same size."""

    def __init__(self, n_tokens, length, embedding_dim, hidden, seed=0):
        self.rng = np.random.default_rng(seed)
        self.writer = SequenceWriter(n_tokens, length, 1, embedding_dim, hidden, rng=self.rng)
        self.loss = TokenNLL(n_tokens)

    def nats(self, x):
        """Return the mean over rows of -log p(x)."""
        self.writer.tokens = x
        return self.loss.forward(self.writer.forward(np.zeros((len(x), 1), np.float32)), x)

    def fit(self, X, *, epochs, batch_size, lr):
        """Train with a rate that falls to 0."""
        steps = epochs * -(-len(X) // batch_size)
        adam = Adam(lambda step: lr * max(1 - step / steps, 0.0))
        for _ in range(epochs):
            order = self.rng.permutation(len(X))
            for start in range(0, len(X), batch_size):
                self.nats(X[order[start : start + batch_size]])
                self.writer.backward(self.loss.backward())
                adam.step(self.writer.theta, self.writer.dtheta)
        return self

    def perplexity(self, X):
        """Return exp(nats per token)."""
        parts = [X[start : start + 500] for start in range(0, len(X), 500)]
        total = sum(self.nats(part) * len(part) for part in parts)
        return float(np.exp(total / (X > 0).sum()))

    def sample(self, n, rng):
        """Draw n rows of tokens (n, length)."""
        self.writer.tokens = None

        def pick(logits):
            """Draw classes (n,) from softmax(logits)."""
            return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)

        return self.writer.write(np.zeros((n, 1), np.float32), pick)
