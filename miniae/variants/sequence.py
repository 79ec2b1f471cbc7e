"""SequenceVAE and SequenceAutoencoder: sequences of tokens, such as sentences, and their codes."""

import numpy as np

from miniae.autoencoder import Autoencoder
from miniae.plumbing.checks import not_negative, whole
from miniae.plumbing.inputs import as_array
from miniae.plumbing.views import with_parts
from miniae.recurrent import LSTM
from miniae.vae import VAE
from miniae.variants.token_layers import SequenceReader, SequenceWriter, TokenNLL
from miniae.variants.tokens import MANY, check_tokens


class SequenceModel:
    """What the two models share: networks that read and write, and what forces the writer."""

    reader_class, writer_class, loss_class = SequenceReader, SequenceWriter, TokenNLL
    rows_read = None  # the sequences that the writer of a view is forced to

    word_dropout = property(lambda self: self.writer.word_dropout)
    writer = property(lambda self: self.decoder.layers[0], doc="The decoder's one layer.")

    def keep_arguments(self, n_tokens, length, hidden, embedding_dim, word_dropout):
        """Check the arguments of sequences, which `build` needs, and return them, a dict."""
        if np.ndim(hidden) != 1 or len(hidden) != 1:
            raise ValueError(
                f"hidden={hidden!r} must be a tuple of one size, such as (128,): the units of the "
                "encoder's LSTM and of the decoder's"
            )
        self.n_tokens, self.length = whole(n_tokens, "n_tokens", 3), whole(length, "length")
        if n_tokens > MANY:
            raise ValueError(
                f"n_tokens={n_tokens} must be at most {MANY}: float32 has no larger whole numbers"
            )
        self.embedding_dim = whole(embedding_dim, "embedding_dim")
        names = {"n_tokens": n_tokens, "length": length, "embedding_dim": embedding_dim}
        self.given_dropout = word_dropout
        return {**names, "word_dropout": word_dropout}

    def build(self, code_size, activation, dropout, rng, dtype, relu_init):
        """Return the layers of the encoder and of the decoder, one each."""
        sizes, options = (self.embedding_dim, *self.hidden), {"rng": rng, "dtype": dtype}
        reader = self.reader_class(self.n_tokens, *sizes, code_size, **options)
        writer = self.writer_class(self.n_tokens, self.length, self.latent_dim, *sizes,
                                   self.given_dropout, **options)  # fmt: skip
        return [reader], [writer]

    def check_rows(self, x, name, first_row):
        """Refuse data that are not token sequences. `check_batch` calls this."""
        check_tokens(x, self.n_tokens, name, first_row)

    def own_view(self, X=None):
        """Return a view for one call, with a writer of its own, forced to X if X is given."""
        self.cache = None  # the shared layers lose what loss() left for backward()
        other = with_parts(self, LSTM)
        other.rows_read = None if X is None else as_array(X, "X")
        return other

    def use_rows(self, rows):
        """Force the writer of a view to these rows."""
        if self.rows_read is not None:
            self.writer.tokens = np.asarray(self.rows_read[rows])

    def prepare(self, x, target, rng, training):
        """As Model.prepare; force the writer to the target."""
        x, target, rng = super().prepare(x, target, rng, training)
        self.writer.tokens = target
        return x, target, rng

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """As in the base class; the draws of the word dropout come from rng, after those of eps."""
        try:
            return super().loss(x, target, eps=eps, rng=rng, training=training)
        finally:
            self.writer.tokens = None

    def mean_terms(self, data):
        """As Model.mean_terms, with a writer of this call's own."""
        other = self.own_view()
        means = super(SequenceModel, other).mean_terms(data)
        self.terms = other.terms
        return means

    def decode(self, Z):
        """Return the sequences that greedy decoding writes: the most probable token each time.

        Z (n, latent_dim) -> tokens (n, length), integers; Z may have more axes before the last.
        """
        return super(SequenceModel, self.own_view()).decode(Z)

    def write(self, Z, *, temperature=1.0, beam=None, seed=None):
        """Return tokens (n, length) for codes Z (n, latent_dim): drawn, or found by beam search.

        Parameters
        ----------
        temperature : float, 0 or more, only without a beam
            Tokens are drawn from softmax(logits / temperature). At 1 this is the model's own
            p(x|z); at 0 it is greedy decoding, as `decode`.
        beam : int or None
            Instead, search for the most probable sequence, and keep this many beginnings. It
            returns the most probable one if the beam is as wide as there are sequences.
        seed : int or None, of the draws; with None each call draws others
        """
        Z = np.asarray(as_array(Z, "Z"), self.theta.dtype)
        if Z.ndim != 2 or Z.shape[1] != self.latent_dim or not np.isfinite(Z).all() or not len(Z):
            raise ValueError(
                f"Z must be finite numbers (n, {self.latent_dim}) with n >= 1, got shape {Z.shape}"
            )
        writer, rng = self.own_view().writer, np.random.default_rng(seed)
        if beam is not None:
            if temperature != 1:
                raise ValueError(
                    f"temperature={temperature!r} and beam={beam!r}: a beam search draws nothing, "
                    "so pass one of the two"
                )
            return writer.beam_search(Z, whole(beam, "beam"))[0]
        not_negative(temperature, "temperature")

        def pick(logits):
            """Return classes (n,): this argmax is a draw from the softmax. Gumbel (1954)."""
            return (logits + temperature * rng.gumbel(size=logits.shape)).argmax(axis=1)

        return writer.write(Z, pick)

    def anomaly_score(self, X):
        """Return the nats of each sequence from its code, plus the KL of a VAE: (n,)."""
        return super(SequenceModel, self.own_view(X)).anomaly_score(X)

    def perplexity(self, X):
        """Return exp(nats per token) over all tokens of X, the end tokens too; padding not.

        A uniform choice among k tokens has a perplexity of k. For a SequenceVAE the nats are minus
        the ELBO: **the true perplexity is lower**, or equal. For a SequenceAutoencoder they are
        those of reading a sequence and writing it again from its code, which says nothing about
        sequences that the model has not read.
        """
        nats = self.nats(X).sum(dtype=np.float64)
        return float(np.exp(nats / (np.asarray(as_array(X, "X")) > 0).sum()))

    def impute(self, X, **options):
        """Refuse: tokens are not quantities, so there is no way downhill to a missing one."""
        raise TypeError(
            f"{type(self).__name__} has no impute: it cannot fill in tokens. reconstruct(X) writes "
            "a whole sequence, write(Z) draws others from the same code"
        )


class SequenceVAE(SequenceModel, VAE):
    """A VAE of token sequences of unequal length. Bowman et al. (2016).

    An LSTM reads the tokens and outputs mu and log_var; another writes them token by token given z
    and the tokens before. All methods of VAE work; decode, reconstruct, interpolate and traverse
    return tokens written greedily, `sample` draws them, `write` does both and beam search.

    A strong writer predicts each token from those before and ignores z: the KL goes to 0 (posterior
    collapse). Word dropout, kl_warmup and free_bits work against it.

    Parameters
    ----------
    n_tokens : int, how many token numbers there are: 0 is padding, 1 ends a sequence, words are 2
        to n_tokens - 1. `pad_sequences` makes such data.
    length : int, the columns of the data; longer sequences must be cut off
    latent_dim : int, dimensions of z
    hidden : tuple of one int, the units of each LSTM
    embedding_dim : int, the numbers that stand for a token
    word_dropout : float in [0, 1), the share of the tokens that the writer cannot read in training
    beta, kl_warmup, free_bits, prior, dtype, seed : as in VAE

    Examples
    --------
    >>> X = pad_sequences([[2, 3, 4], [4, 2]], length=6)
    >>> model = SequenceVAE(5, 6, word_dropout=0.3, kl_warmup=10).fit(X)
    >>> model.sample(4, seed=0), model.perplexity(X)
    """

    def __init__(
        self, n_tokens, length, latent_dim=16, hidden=(128,), *, embedding_dim=32,
        word_dropout=0.0, beta=1.0, kl_warmup=0, free_bits=0.0, prior=None, dtype="float32", seed=0,
    ):  # fmt: skip
        own = self.keep_arguments(n_tokens, length, hidden, embedding_dim, word_dropout)
        super().__init__(
            length, latent_dim, hidden, likelihood=self.loss_class(n_tokens), beta=beta,
            kl_warmup=kl_warmup, free_bits=free_bits, prior=prior, dtype=dtype, seed=seed,
        )  # fmt: skip
        self.arguments |= own

    def sample(self, n, seed=None, temperature=1.0):
        """Draw n codes from the prior and a sequence from each: tokens (n, length); see `write`."""
        rng = np.random.default_rng(seed)
        z = self.prior.draw((whole(n, "n"), self.latent_dim), rng)
        return self.write(z, temperature=temperature, seed=rng)

    def elbo(self, X, split=False):
        """As VAE.elbo: the ELBO of each sequence, summed over its tokens, (n,), in nats."""
        return super(SequenceModel, self.own_view(X)).elbo(X, split)

    def log_likelihood(self, X, k=1000):
        """As VAE.log_likelihood: log p(x) of each sequence by importance sampling, (n,)."""
        return super(SequenceModel, self.own_view(X)).log_likelihood(X, k)

    def nats(self, X):
        """Return a bound of -log p(x), which is at most this on average: minus the ELBO, (n,)."""
        return -self.elbo(X)


class SequenceAutoencoder(SequenceModel, Autoencoder):
    """A sequence model with a code instead of a distribution. Srivastava et al. (2015).

    The same reader and writer as in `SequenceVAE`, without the prior: an LSTM squeezes a sequence
    into a vector, and another writes it again from that vector. Here the writer is conditional: it
    also reads the tokens before. word_dropout near 1 makes it rely on the code alone.

    Parameters
    ----------
    as in SequenceVAE
    """

    def __init__(
        self, n_tokens, length, latent_dim=32, hidden=(128,), *, embedding_dim=32,
        word_dropout=0.0, dtype="float32", seed=0,
    ):  # fmt: skip
        own = self.keep_arguments(n_tokens, length, hidden, embedding_dim, word_dropout)
        super().__init__(
            length, latent_dim, hidden, loss=self.loss_class(n_tokens), dtype=dtype, seed=seed
        )
        self.arguments |= own

    def nats(self, X):
        """Return -log p(x | code of x) of each sequence, (n,)."""
        return self.anomaly_score(X)
