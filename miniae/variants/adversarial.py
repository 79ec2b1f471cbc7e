"""Adversarial models: three networks, each with a loss of its own, and the loop that trains them.

The losses of the game are functions of the discriminator's logits l, with D = sigmoid(l):
-log D = softplus(-l) and -log(1 - D) = softplus(l), so no logarithm can overflow.
"""

import copy

import numpy as np

from miniae.layers import Flatten, Reshape, Sequential, Sigmoid
from miniae.model import EVALUATION_SEED, Model
from miniae.numerics import sigmoid, softplus
from miniae.parameters import Parameterized
from miniae.plumbing.batches import Rows, RunningMean
from miniae.plumbing.checks import (
    check_arguments,
    check_networks,
    diverged,
    last_step,
    not_negative,
)
from miniae.plumbing.estimator import Estimator
from miniae.plumbing.first_draw import draw_last
from miniae.plumbing.inputs import check_batch, check_data
from miniae.plumbing.optimizers import optimizers_of
from miniae.plumbing.options import as_callbacks, asks_to_stop, check_options
from miniae.plumbing.progress import Progress
from miniae.plumbing.tables import keep_columns
from miniae.vae import VAE

PLAYERS = ("encoder", "decoder", "discriminator")


def discriminator_loss(real, fake):
    """Return -log D(real) - log(1 - D(fake)), each a mean over rows. Goodfellow et al. (2014).

    Parameters
    ----------
    real, fake : (n, 1) and (m, 1), logits

    Notes
    -----
    If real rows have the density p and fake ones q, the best logit is log(p / q), that is
    D = p / (p + q). The loss is then 2 log 2 - 2 JSD(p, q), in nats.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def discriminator_grad(real, fake):
    """Return the gradient with respect to both: the slope of softplus is sigmoid."""
    return -sigmoid(-real) / len(real), sigmoid(fake) / len(fake)


def generator_loss(fake, saturating=False):
    """Return what the generator minimises: -log D(fake), or log(1 - D(fake)) if saturating.

    fake : (m, 1), logits; the loss is the mean over rows

    Notes
    -----
    Saturating, it is the discriminator's loss with the other sign, as in a game for two. But its
    gradient, -D, vanishes where the discriminator is sure of a fake. That of the other is -(1 - D),
    which is largest there. Goodfellow et al. (2014), section 3.
    """
    return -softplus(fake).mean() if saturating else softplus(-fake).mean()


def generator_grad(fake, saturating=False):
    """Return the gradient of `generator_loss` with respect to the logits, (m, 1)."""
    return -sigmoid(fake if saturating else -fake) / len(fake)


class Adversarial(Estimator, Parameterized):
    """Base of `VAEGAN` and `AdversarialAutoencoder`. It is not a `Model`, which has one loss.

    The three networks, the players, have a parameter vector each, such as
    ``model.decoder.theta``; `theta` holds the three one after the other.

    Attributes
    ----------
    encoder, decoder, discriminator : Sequential
    history : dict of str to list, the mean of each of `terms` over each epoch
    terms : dict of str to float, of the last `losses`: "loss" (the encoder's), "decoder_loss",
        "discriminator_loss", "reconstruction", and "d_real" and "d_fake", the mean of D. If
        d_real is 1 and d_fake 0, the discriminator has won.
    optimizers : dict by player of the optimisers that `fit` used last
    """

    encoder = property(lambda self: self.parts["encoder"], doc="x -> code.")
    decoder = property(lambda self: self.parts["decoder"], doc="z -> out.")
    discriminator = property(lambda self: self.parts["discriminator"], doc="-> logit of real.")
    reconstruction_loss = property(lambda self: self.parts["loss"])
    first_pass, loss_argument, dropout = "losses", "loss", 0.0

    def __init__(self, input_dim, latent_dim, hidden, *, loss, code_size, activation, gamma,
                 saturating, encoder, decoder, discriminator, dtype, seed):  # fmt: skip
        self.input_dim, self.latent_dim, self.hidden = input_dim, latent_dim, hidden
        self.activation, self.dtype, self.seed = activation, dtype, seed
        self.gamma, self.saturating = not_negative(gamma, "gamma"), saturating
        given = {"encoder": encoder, "decoder": decoder, "discriminator": discriminator}
        self.arguments = {
            "input_dim": input_dim, "latent_dim": latent_dim, "hidden": hidden,
            "activation": activation, "dtype": dtype, "seed": seed, **given,
        }  # fmt: skip
        self.input_shape = tuple(input_dim) if np.ndim(input_dim) else (input_dim,)
        check_arguments(self, loss, code_size)
        if not isinstance(saturating, bool):
            raise ValueError(f"saturating={saturating!r} must be True or False")
        if not isinstance(discriminator, (Sequential, type(None))):
            raise TypeError(f"discriminator must be a Sequential, got {discriminator!r}")
        self.rng = np.random.default_rng(seed)
        self.history, self.terms, self.optimizers = {}, {}, {}
        players = copy.deepcopy(given)
        if None in players.values():
            built = self.build(activation, 0.0, self.rng, dtype)
            players = {name: players[name] or Sequential(built[name]) for name in PLAYERS}
        super().__init__(parts={**players, "loss": loss})
        self.lay_out(np.dtype(dtype))
        draw_last(self, self.rng)
        self.decoder.to_data = loss.expected
        check_networks(self, code_size)
        self.check_discriminator()

    def check_discriminator(self):
        """Refuse a discriminator that does not map what it judges to one logit."""
        seen = self.judged_shape
        out = self.discriminator.forward(np.zeros((1, *seen), self.theta.dtype))
        if out.shape != (1, 1):
            raise ValueError(
                f"discriminator maps samples of shape {seen} to {out.shape[1:]}, but must map them "
                "to (1,), the logit of being real"
            )
        if isinstance(last_step(self.discriminator), Sigmoid):
            raise ValueError(
                "discriminator ends in Sigmoid, but the losses take logits: leave the Sigmoid out"
            )

    def shaped(self, encoder, decoder):
        """Return two lists of layers for rows with what images need at the two ends."""
        if len(self.input_shape) == 1:
            return encoder, decoder
        return [Flatten(), *encoder], [*decoder, Reshape(*self.input_shape)]

    # Subclasses write these three, and judged_shape, the shape of a sample that is judged.

    def build(self, *options):
        """Return the layers of each player, a dict of lists; options are those of `mlp`."""
        raise NotImplementedError(f"{type(self).__name__} has no networks yet")

    def losses(self, x, *, rng=None, training=False):
        """Return the loss of each player for a batch, a dict."""
        raise NotImplementedError(f"{type(self).__name__} has no losses yet")

    def backward(self):
        """Fill the dtheta of each player with the gradient of its own loss."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass yet")

    # What they use for it.

    def prepare(self, x, rng, training):
        """Check a batch, make rng the source of all noise, and return both."""
        x = check_batch(self, x, "x", bounds=self.reconstruction_loss.bounds)
        if rng is None:
            rng = self.rng if training else np.random.default_rng(EVALUATION_SEED)
        for player in PLAYERS:
            self.parts[player].set_rng(rng)
        return x, rng

    def noise(self, given, name, draw, like):
        """Return noise like codes (n, latent_dim): `given`, or by draw(shape)."""
        noise = draw(like.shape) if given is None else np.asarray(given)
        if noise.shape != like.shape:
            raise ValueError(f"{name} has shape {noise.shape}, the codes {like.shape}")
        return noise.astype(like.dtype, copy=False)

    def record(self, losses, logits, n_real, **terms):
        """Keep the losses and terms of a batch for the history; refuse NaN; return the losses."""
        d = sigmoid(logits.real)
        terms = {
            "loss": losses["encoder"], "decoder_loss": losses["decoder"],
            "discriminator_loss": losses["discriminator"], **terms,
            "d_real": d[:n_real].mean(), "d_fake": d[n_real:].mean(),
        }  # fmt: skip
        self.terms = {name: np.asarray(value).item() for name, value in terms.items()}
        if not np.isfinite([np.real(value) for value in losses.values()]).all():
            named = ", ".join(f"{name} {np.real(value):.4g}" for name, value in losses.items())
            raise diverged(self, f"the losses are: {named}")
        return losses

    # Using a model.

    def fit(self, X, y=None, *, epochs=10, batch_size=128, optimizer=None, shuffle=True,
            callback=None, verbose=1):  # fmt: skip
        """Train all players for `epochs` further epochs: a step of each, for each batch.

        Parameters
        ----------
        X, epochs, batch_size, shuffle, callback, verbose : as in `Model.fit`; X is one array or
            table
        y : None, for a Pipeline of scikit-learn: X is its own target
        optimizer : Optimizer, "adam" or "sgd", a class or function that makes one; or a dict by
            player of these, such as {"discriminator": Adam(1e-4)}
            Each player gets a copy of its own, which keeps its state if the same object is given to
            the next `fit`. By default it is the one of the last `fit`, with its state, or else
            Adam(1e-3, betas=(0.5, 0.999)): momentum makes the game swing. Radford et al. (2016).

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError : an argument does not fit; says which one, and what would fit
        FloatingPointError : a loss is no longer a number
        """
        check_options(epochs, batch_size, shuffle, verbose, None, 1)
        callbacks = as_callbacks(callback)
        if y is not None:
            raise ValueError("y must be None: an adversarial model has no target but X, no labels")
        keep_columns(self, X)
        rows = Rows(check_data(self, X), batch_size, shuffle)
        networks = {player: self.parts[player] for player in PLAYERS}
        self.optimizers = optimizers_of(networks, optimizer, self.optimizers)
        first = len(self.history.get("loss", ()))
        progress = Progress(verbose, first + epochs, rows)
        for epoch in range(first, first + epochs):
            means = RunningMean()
            for count, batch in enumerate(rows.epoch(self.rng), 1):
                with np.errstate(over="ignore", invalid="ignore"):  # `record` looks at the result
                    self.losses(**batch, training=True)  # three losses, by one pass
                self.backward()  # three gradients, each of one player's own loss
                for player, network in networks.items():
                    self.optimizers[player].step(network.theta, network.dtheta)

                means.add(self.terms, len(batch["x"]))
                progress.batch(epoch, count, means)
            if not np.isfinite(self.theta).all():
                raise diverged(self, f"epoch {epoch + 1}: after its last step, weights are NaN")
            logs = means.values()
            for name, value in logs.items():
                self.history.setdefault(name, []).append(value)
            progress.epoch(epoch, logs)
            if any([asks_to_stop(call(self, epoch, logs)) for call in callbacks]):
                break
        return self

    def start_epoch(self, epoch):
        """Do nothing: no weight depends on the epoch. `load` calls it."""

    # These work as in every model.
    map_rows, use_rows = Model.map_rows, Model.use_rows
    infer, encode, decode, reconstruct = Model.infer, Model.encode, Model.decode, Model.reconstruct
    transform, inverse_transform = Model.transform, Model.inverse_transform
    fit_transform, predict, __call__ = Model.fit_transform, Model.predict, Model.__call__
    save, sample = Model.save, VAE.sample

    @classmethod
    def load(cls, path, **given):
        """Return the model in a file: see `miniae.plumbing.storage.load`."""
        from miniae.plumbing.storage import load

        return load(cls, path, **given)
