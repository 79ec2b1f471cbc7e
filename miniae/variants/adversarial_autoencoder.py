"""AdversarialAutoencoder: a discriminator of codes takes the place of the KL."""

import copy
import math

import numpy as np

from miniae.losses import LOSSES, Loss, StandardNormal
from miniae.networks import mlp
from miniae.plumbing.checks import whole
from miniae.plumbing.names import choose
from miniae.variants.adversarial import (
    Adversarial,
    discriminator_grad,
    discriminator_loss,
    generator_grad,
    generator_loss,
)


class AdversarialAutoencoder(Adversarial):
    """An autoencoder whose codes look like draws from a prior. Makhzani et al. (2016).

    The encoder is the generator of a game in the latent space: the discriminator tells draws from
    the prior, "real", from codes, "fake". The losses are, with p(x|z) of the decoder,

        encoder:        -log p(x|z) - gamma log D(z)
        decoder:        -log p(x|z)
        discriminator:  -log D(z_prior) - log(1 - D(z))

    A VAE pulls the posterior of each x towards the prior. Here only the codes of all x together
    must look like the prior, and the prior needs no density: draws are enough. The paper takes the
    two terms of the encoder in turn, each with an optimiser; here it makes one step on their sum.

    Parameters
    ----------
    input_dim, latent_dim, hidden, activation, loss, encoder, decoder, dtype, seed : as in
        Autoencoder; `hidden` of the discriminator too. A loss with parameters is refused.
    gamma : float >= 0, the weight of the game in the encoder's loss
    saturating : bool, whether the encoder minimises log(1 - D) in place of -log D
    prior : object with draw(shape, rng), such as MixturePrior; by default N(0, I)
    discriminator : Sequential of codes (n, latent_dim) -> logits (n, 1)
    """

    def __init__(
        self, input_dim, latent_dim=2, hidden=(128,), *, activation="relu", loss="bce", gamma=1.0,
        saturating=False, prior=None, encoder=None, decoder=None, discriminator=None,
        dtype="float32", seed=0,
    ):  # fmt: skip
        own = copy.deepcopy(loss) if isinstance(loss, Loss) else choose(LOSSES, loss, "loss")()
        if own.theta.size:
            raise ValueError(
                f"loss={loss!r} has parameters of its own, which none of the three players trains: "
                'use one without, such as GaussianNLL(0.3) or "mse"'
            )
        if prior is not None and (isinstance(prior, type) or not hasattr(prior, "draw")):
            raise ValueError(f"prior={prior!r} must be an object with draw(shape, rng)")
        self.prior = StandardNormal() if prior is None else prior
        super().__init__(
            input_dim, latent_dim, hidden, loss=own, code_size=whole(latent_dim, "latent_dim"),
            activation=activation, gamma=gamma, saturating=saturating, encoder=encoder,
            decoder=decoder, discriminator=discriminator, dtype=dtype, seed=seed,
        )  # fmt: skip
        self.arguments |= {"loss": loss, "prior": prior}
        self.check_prior()

    def check_prior(self):
        """Refuse a prior that does not draw codes of this many latents."""
        shape = 3, self.latent_dim
        try:
            drawn = np.shape(self.prior.draw(shape, np.random.default_rng(0)))
        except ValueError as error:
            drawn = error
        if drawn != shape:
            raise ValueError(
                f"prior={self.prior!r} does not fit latent_dim={self.latent_dim}: draw({shape}, "
                f"rng) must return codes of that shape, got {drawn}"
            )

    any_range = 'loss="mse"'  # what takes data outside [0, 1]
    judged_shape = property(lambda self: (self.latent_dim,))

    def build(self, *options):
        """Return the layers of each player."""
        sizes = math.prod(self.input_shape), *self.hidden
        encoder, decoder = self.shaped(
            mlp([*sizes, self.latent_dim], *options), mlp([self.latent_dim, *sizes[::-1]], *options)
        )
        discriminator = mlp([self.latent_dim, *self.hidden, 1], *options)
        return {"encoder": encoder, "decoder": decoder, "discriminator": discriminator}

    def losses(self, x, *, z_prior=None, rng=None, training=False):
        """Return the losses of the players for a batch, a dict.

        Parameters
        ----------
        x : (n, *input_shape)
        z_prior : (n, latent_dim), draws from the prior, by default with rng
        rng, training : as in `Autoencoder.loss`
        """
        x, rng = self.prepare(x, rng, training)
        z = self.infer(x, training)
        out = self.decoder.forward(z, training)
        z_prior = self.noise(z_prior, "z_prior", lambda s: self.prior.draw(s, rng), z)
        logits = self.discriminator.forward(np.concatenate([z_prior, z]), training)

        n = len(x)
        reconstruction = self.reconstruction_loss.forward(out, x)
        game = generator_loss(logits[n:], self.saturating)
        self.cache = logits
        losses = {
            "encoder": reconstruction + self.gamma * game,
            "decoder": reconstruction,
            "discriminator": discriminator_loss(logits[:n], logits[n:]),
        }
        return self.record(losses, logits, n, reconstruction=reconstruction)

    def backward(self):
        """Fill the dtheta of each player with the gradient of its own loss, the others held fixed.

        z acts on the encoder's loss through the decoder and through the discriminator, so the two
        gradients add up. The pass of the game also fills the discriminator's dtheta; its own loss
        comes last, and assigns.
        """
        logits = self.cached()
        n = len(logits) // 2
        dz = self.decoder.backward(self.reconstruction_loss.backward())
        dlogits = np.zeros_like(logits)
        dlogits[n:] = self.gamma * generator_grad(logits[n:], self.saturating)
        self.encoder.backward_params(dz + self.discriminator.backward(dlogits)[n:])

        own = discriminator_grad(logits[:n], logits[n:])
        self.discriminator.backward_params(np.concatenate(own))
