"""VAEGAN: a VAE that measures reconstruction in the features of a discriminator."""

import math

import numpy as np

from miniae.layers import Flatten, Sequential, Sigmoid
from miniae.losses import SquaredError, StandardNormal
from miniae.networks import mlp
from miniae.plumbing.checks import last_step, not_negative, whole
from miniae.plumbing.names import choose
from miniae.vae import VAE
from miniae.variants.adversarial import (
    Adversarial,
    discriminator_grad,
    discriminator_loss,
    generator_grad,
    generator_loss,
)

OUTPUTS = {"sigmoid": [Sigmoid], "linear": []}


class VAEGAN(Adversarial):
    """A VAE and a GAN that share the decoder. Larsen et al. (2016).

    A squared error per pixel punishes a sharp edge in a slightly wrong place, so a VAE's images are
    blurred. Here f, the first layers of a discriminator, say how far two images are apart. With
    x~ = decoder(z) for z from q(z|x), and x_p = decoder(z_p) for z_p from the prior, the losses are

        encoder:        |f(x~) - f(x)|^2 / 2 + beta KL(q(z|x) || p(z))
        decoder:        gamma |f(x~) - f(x)|^2 / 2 - log D(x~, x_p)
        discriminator:  -log D(x) - log(1 - D(x~, x_p))

    Each network is trained on its own loss only: algorithm 1 of the paper. The discriminator is not
    trained on the reconstruction, which constant features would make perfect. log D(x~, x_p) is the
    mean over both kinds of images, where the paper adds two; so D is 1/2, not 1/3, at the end.

    Parameters
    ----------
    input_dim, latent_dim, hidden, dtype, seed : as in VAE; `hidden` of the discriminator too
    activation : "leaky_relu" (Radford et al. 2016), or another as in VAE
    output : "sigmoid" for data in [0, 1], or "linear"; of the decoder, which outputs data
    beta : float >= 0, the weight of the KL
    gamma : float >= 0, the weight of the reconstruction in the decoder's loss
        At 0 the decoder is that of a GAN, and modes may collapse.
    saturating : bool, whether the decoder minimises log(1 - D) in place of -log D
    encoder, decoder : as in VAE; the decoder outputs data
    discriminator : Sequential(features, head), each a Sequential: f, and what makes one logit of it
        It sees data and fakes in one batch; a BatchNorm takes its statistics over both.
    """

    def __init__(
        self, input_dim, latent_dim=2, hidden=(128,), *, activation="leaky_relu", output="sigmoid",
        beta=1.0, gamma=1.0, saturating=False, encoder=None, decoder=None, discriminator=None,
        dtype="float32", seed=0,
    ):  # fmt: skip
        self.output, self.beta = output, not_negative(beta, "beta")
        self.prior = StandardNormal()
        choose(OUTPUTS, output, "output")
        layers = getattr(discriminator, "layers", [Sequential()] * 2)
        if len(layers) != 2 or not all(isinstance(layer, Sequential) for layer in layers):
            raise ValueError(
                f"discriminator={discriminator!r} must be Sequential(features, head), two "
                "Sequentials: the reconstruction is measured between them"
            )
        super().__init__(
            input_dim, latent_dim, hidden, loss=SquaredError(),
            code_size=2 * whole(latent_dim, "latent_dim"), activation=activation, gamma=gamma,
            saturating=saturating, encoder=encoder, decoder=decoder, discriminator=discriminator,
            dtype=dtype, seed=seed,
        )  # fmt: skip
        if isinstance(last_step(self.decoder), Sigmoid):
            self.reconstruction_loss.bounds = 0.0, 1.0

    any_range = 'output="linear"'  # what takes data outside [0, 1]
    judged_shape = property(lambda self: self.input_shape)
    features = property(lambda self: self.discriminator.layers[0], doc="f, in the discriminator.")

    def build(self, *options):
        """Return the layers of each player."""
        sizes = math.prod(self.input_shape), *self.hidden
        encoder, decoder = self.shaped(
            mlp([*sizes, 2 * self.latent_dim], *options),
            [*mlp([self.latent_dim, *sizes[::-1]], *options), *(c() for c in OUTPUTS[self.output])],
        )
        *features, head = mlp([*sizes, 1], *options)
        discriminator = [Sequential(Flatten(), *features), Sequential(head)]
        return {"encoder": encoder, "decoder": decoder, "discriminator": discriminator}

    infer, encode, posterior = VAE.infer, VAE.encode, VAE.posterior  # mu and log_var, as there

    def losses(self, x, *, eps=None, z_prior=None, rng=None, training=False):
        """Return the losses of the players for a batch, a dict.

        Parameters
        ----------
        x : (n, *input_shape)
        eps, z_prior : (n, latent_dim), the noise of z = mu + eps std, and codes from the prior
            Drawn from rng by default. With both given, each loss is an ordinary function of the
            three parameter vectors.
        rng, training : as in `VAE.loss`
        """
        x, rng = self.prepare(x, rng, training)
        n = len(x)
        mu, log_var = self.infer(x, training)
        std = np.exp(0.5 * log_var)
        eps = self.noise(eps, "eps", rng.standard_normal, mu)
        z_prior = self.noise(z_prior, "z_prior", lambda s: self.prior.draw(s, rng), mu)

        # reconstructions x~, then samples x_p
        fake = self.decoder.forward(np.concatenate([mu + eps * std, z_prior]), training)

        # features and logits of x, x~ and x_p
        f = self.features.forward(np.concatenate([x, fake]), training)
        logits = self.discriminator.layers[1].forward(f, training)

        reconstruction = 0.5 * self.reconstruction_loss.forward(f[n : 2 * n], f[:n])
        kl = self.prior.kl(mu, log_var).sum(axis=1).mean()
        self.cache = mu, log_var, std, eps, f, logits
        losses = {
            "encoder": reconstruction + self.beta * kl,
            "decoder": self.gamma * reconstruction + generator_loss(logits[n:], self.saturating),
            "discriminator": discriminator_loss(logits[:n], logits[n:]),
        }
        return self.record(losses, logits, n, reconstruction=reconstruction, kl=kl)

    def backward(self):
        """Fill the dtheta of each player with the gradient of its own loss, the others held fixed.

        Two gradients go through the discriminator to the images: that of the reconstruction starts
        at f(x~), with f(x~) - f(x), and at f(x), with minus that: x~ acts on f(x) too if f has a
        BatchNorm. That of the game starts at the logits of x~ and x_p. The encoder gets the first
        one, by way of z, as in VAE. The decoder gets gamma times the first plus the
        second. On its way each pass also fills dtheta of the networks that it goes through. So the
        pass of a network's own loss is the last one through it: `backward` assigns.
        """
        mu, log_var, std, eps, f, logits = self.cached()
        n = len(mu)
        df, dlogits = np.zeros_like(f), np.zeros_like(logits)
        df[n : 2 * n] = self.reconstruction_loss.backward(0.5 / n)
        df[:n] = -df[n : 2 * n]
        dlogits[n:] = generator_grad(logits[n:], self.saturating)
        of_reconstruction = self.features.backward(df)[n:]
        of_game = self.discriminator.backward(dlogits)[n:]

        dz = self.decoder.backward(of_reconstruction)[:n]
        kl_dmu, kl_dlog_var = self.prior.kl_grad(mu, log_var)
        dmu = dz + self.beta / n * kl_dmu
        dlog_var = dz * (0.5 * eps * std) + self.beta / n * kl_dlog_var
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))

        self.decoder.backward_params(self.gamma * of_reconstruction + of_game)

        own = discriminator_grad(logits[:n], logits[n:])
        self.discriminator.backward_params(np.concatenate(own))
