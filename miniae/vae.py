"""VAE: an autoencoder whose code is a distribution, trained on a bound of the likelihood."""

from operator import attrgetter

import numpy as np

from miniae.losses import StandardNormal
from miniae.model import EVALUATION_SEED, Model
from miniae.numerics import LOG_2PI
from miniae.plumbing.checks import check_vae, diverged, whole

LOG_VAR_LIMIT = 40.0  # std = 5e8 where the prior's is 1; the squares in Adam overflow near 44
ACTIVE = 0.01  # a latent is in use if its mean has a larger variance. Burda et al. (2016), 5.2


class VAE(Model):
    """A variational autoencoder. Kingma and Welling (2014); Rezende et al. (2014).

    The encoder maps x to mu and log_var, the posterior q(z|x) = N(mu, exp(log_var)); the decoder
    maps z to p(x|z); the prior p(z) is N(0, I). Training minimises, in nats per sample,

        loss = E_q[-log p(x|z)] + beta KL(q(z|x) || p(z)),

    which at beta = 1 is minus the ELBO, a lower bound of log p(x).

    Parameters
    ----------
    input_dim : int, or the shape of an image
    latent_dim : int, dimensions of z
    hidden : tuple of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    activation : "tanh", "relu", "sigmoid", "softplus", "leaky_relu", "elu" or "gelu"
        Of the hidden layers.
    likelihood : "bernoulli", "gaussian" (with a learned sigma), "multinomial" (counts), or a Loss
        such as GaussianNLL(0.1), or Masked(BernoulliNLL()) for data with missing entries
    beta : float >= 0, the weight of the KL. Higgins et al. (2017)
    kl_warmup : int
        Epochs over which the weight rises from 0 to beta, in equal steps. Sonderby et al. (2016).
        `fit` counts the epochs; a training loop of your own calls start_epoch(epoch).
    free_bits : float >= 0, nats
        In training, a latent whose KL (mean over the batch) is below this value counts with this
        value, and its KL has no gradient, so training does not switch it off. Kingma et al. (2016),
        appendix C.8
    prior : Prior, such as GaussianPrior(mean, std); by default N(0, I). See `miniae.priors`
    dropout, encoder, decoder, dtype, seed : as in Autoencoder
        The encoder ends in 2 * latent_dim outputs: mu, then log_var.

    Attributes
    ----------
    history : as in Model, with "kl", "kl_weight" and "active_units": the number of latents whose
        mean varies over a batch (variance above 0.01). The method `active_units` counts over all of
        a data set.
    """

    prior = property(attrgetter("_prior"))
    loss_argument, relu_init = "likelihood", "pytorch"

    @property
    def needs_whole_batch(self):
        """Why `fit` cannot divide a batch among workers, or None."""
        return "free_bits are counted on means over the batch" if self.free_bits else None

    def __init__(
        self,
        input_dim,
        latent_dim=2,
        hidden=(128,),
        *,
        activation="tanh",
        likelihood="bernoulli",
        beta=1.0,
        kl_warmup=0,
        free_bits=0.0,
        prior=None,
        dropout=0.0,
        encoder=None,
        decoder=None,
        dtype="float32",
        seed=0,
    ):
        super().__init__(
            input_dim, latent_dim, hidden, loss=likelihood, activation=activation,
            code_size=2 * whole(latent_dim, "latent_dim"), dropout=dropout, encoder=encoder,
            decoder=decoder, dtype=dtype, seed=seed,
        )  # fmt: skip
        self.beta, self.kl_warmup, self.free_bits = beta, kl_warmup, free_bits
        self.arguments["prior"], self._prior = prior, StandardNormal() if prior is None else prior
        self.start_epoch(0)

    def start_epoch(self, epoch):
        """Set kl_weight, the KL's weight in training, for this epoch (counted from 0)."""
        check_vae(self)
        share = min(1.0, epoch / self.kl_warmup) if self.kl_warmup else 1.0
        self.kl_weight = self.beta * share

    def infer(self, x, training=False):
        """Return mu and log_var of q(z|x) for a checked batch."""
        if self.reconstruction_loss.takes_nan:
            x = np.where(np.isnan(x), 0, x)
        code = self.encoder.forward(x, training)
        mu, log_var = code[:, : self.latent_dim], code[:, self.latent_dim :]
        highest = log_var.real.max()
        if not highest < LOG_VAR_LIMIT:  # too high, or NaN
            raise diverged(
                self, f"encoder: log_var reaches {highest:.4g}, but must stay below {LOG_VAR_LIMIT}"
            )
        return mu, log_var

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """Return minus the ELBO of a batch with its KL weighted, a scalar in nats.

        Parameters
        ----------
        x, target : (n, *input_shape); the target is x by default
        eps : (n, latent_dim), the standard normal noise of z = mu + eps * std
            Drawn from rng by default. With eps given (and rng, if there is dropout) the loss is
            an ordinary function of theta, whose gradient can be checked.
        rng : Generator for eps and dropout
            By default the model's own in training, else a new one with a fixed seed, so that two
            evaluations agree.
        training : bool
            Whether dropout, the KL weight of warm-up and free bits apply. If not, the KL's weight
            is beta.
        """
        x, target, rng = self.prepare(x, target, rng, training)

        # encode
        mu, log_var = self.infer(x, training)
        std = np.exp(0.5 * log_var)

        # draw z
        if eps is None:
            eps = rng.standard_normal(mu.shape, dtype=mu.real.dtype)
        if np.shape(eps) != mu.shape:
            raise ValueError(f"eps has shape {np.shape(eps)}, mu and z {mu.shape}")
        z = mu + eps * std

        # decode
        out = self.decoder.forward(z, training)

        # the loss
        reconstruction = self.reconstruction_loss.forward(out, target)
        kl = self.prior.kl(mu, log_var).mean(axis=0)
        beta, floor = (self.kl_weight, self.free_bits) if training else (self.beta, 0.0)
        counted = kl.real > floor
        loss = reconstruction + beta * np.where(counted, kl, floor).sum()

        self.cache = mu, log_var, std, eps, beta * counted
        terms = {"reconstruction": reconstruction, "kl": kl.sum()}
        terms["active_units"] = (mu.real.var(axis=0) > ACTIVE).sum()
        if training:
            terms["kl_weight"] = beta
        return self.record(loss, **terms)

    def backward(self):
        """Fill dtheta with the gradient of the last loss, the noise eps held fixed.

        z = mu + eps std with std = exp(log_var / 2): dz/dmu = 1 and dz/dlog_var = eps std / 2.
        So dz, which comes back from the decoder, is passed to mu unchanged and to log_var with that
        factor. The KL adds its own gradient, divided by n since the loss is a mean over samples.
        """
        mu, log_var, std, eps, weight = self.cached()
        dz = self.decoder.backward(self.reconstruction_loss.backward())
        kl_dmu, kl_dlog_var = self.prior.kl_grad(mu, log_var)
        weight = (weight / len(mu)).astype(mu.dtype)
        dmu = dz + weight * kl_dmu
        dlog_var = dz * (0.5 * eps * std) + weight * kl_dlog_var
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))

    def posterior(self, X):
        """Return a pair, mu and log_var of q(z|x), each of shape (n, latent_dim)."""
        both = self.map_rows(lambda x: np.concatenate(self.infer(x), axis=1), X)
        return both[:, : self.latent_dim], both[:, self.latent_dim :]

    def encode(self, X):
        """Return one array, the means of q(z|x), (n, latent_dim); `posterior` has log_var too."""
        return self.map_rows(lambda x: self.infer(x)[0], X)

    def sample(self, n, seed=None, **side):
        """Draw n codes from the prior and return their decoded means, (n, *input_shape).

        With seed=None each call draws others; the model's own rng is not touched.
        """
        z = self.prior.draw((whole(n, "n"), self.latent_dim), np.random.default_rng(seed))
        return self.decode(z, **side)

    def elbo(self, X, split=False):
        """Return the ELBO of each sample at beta = 1, shape (n,), in nats.

        With split=True its two terms: E_q[log p(x|z)] and KL(q(z|x) || p(z)), each (n,).

        The KL is exact. The reconstruction term takes one draw of z, from a generator whose seed
        is fixed: two calls agree. The mean over samples is precise, the value of one is noisy.
        """
        rng = np.random.default_rng(EVALUATION_SEED)

        def bound(x):
            mu, log_var = self.infer(x)
            eps = rng.standard_normal(mu.shape, dtype=mu.dtype)
            out = self.decoder.forward(mu + eps * np.exp(0.5 * log_var))
            kl = self.prior.kl(mu, log_var).sum(axis=1)
            return np.stack([-self.reconstruction_loss.per_sample(out, x), kl], axis=1)

        log_p, kl = self.map_rows(bound, X, bounds=self.reconstruction_loss.bounds).T
        return (log_p, kl) if split else log_p - kl

    def log_weight(self, target, mu, log_var, eps, training=False):
        """Return z, -log p(target|z) and log of p(target|z) p(z) / q(z|x) for noise (m, n, latent).

        z is (m, n, latent), the others (m, n): m draws per sample.
        """
        z = mu + eps * np.exp(0.5 * log_var)
        out = self.decoder.forward(z.reshape(-1, self.latent_dim), training)
        targets = np.broadcast_to(target, (len(eps), *target.shape)).reshape(-1, *target.shape[1:])
        nll = self.reconstruction_loss.per_sample(out, targets).reshape(eps.shape[:2])
        log_q = -0.5 * (eps**2 + log_var + LOG_2PI).sum(axis=2)  # as a density of z
        return z, nll, -self.prior.nll(z) - log_q - nll

    # Features: see miniae/latent.py.

    def log_likelihood(self, X, k=1000):
        """Estimate log p(x) of each sample, (n,), in nats: see `miniae.latent.log_likelihood`."""
        from miniae.latent import log_likelihood

        return log_likelihood(self, X, k)

    def posterior_sample(self, X, n_draws=1, seed=None, **side):
        """Draw codes from q(z|x): see `miniae.latent.posterior_sample`."""
        from miniae.latent import posterior_sample

        return posterior_sample(self, X, n_draws, seed, **side)

    def traverse(self, x=None, dims=None, span=(-3.0, 3.0), steps=11):
        """Return what each latent changes in the data: see `miniae.latent.traverse`."""
        from miniae.latent import traverse

        return traverse(self, x, dims, span, steps)

    def kl_per_dimension(self, X, **side):
        """Return the KL of each latent, mean over X: see `miniae.latent.kl_per_dimension`."""
        from miniae.latent import kl_per_dimension

        return kl_per_dimension(self, X, **side)

    def active_units(self, X, **side):
        """Return how many latents X moves: see `miniae.latent.active_units`."""
        from miniae.latent import active_units

        return active_units(self, X, **side)
