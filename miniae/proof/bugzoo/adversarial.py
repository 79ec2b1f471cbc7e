"""Wrong adversarial models: each docstring says in one sentence what is wrong."""

import copy

import numpy as np

from miniae.layers import Dense, Sequential
from miniae.losses import GaussianNLL, SquaredError
from miniae.numerics import LOG_2PI
from miniae.proof.bugzoo.specimen import Finding, specimen
from miniae.vae import VAE
from miniae.variants.adversarial import (
    PLAYERS,
    discriminator_grad,
    discriminator_loss,
    generator_grad,
    generator_loss,
)
from miniae.variants.adversarial_autoencoder import AdversarialAutoencoder
from miniae.variants.vae_gan import VAEGAN


def small(cls, seed, **options):
    """Return a model of 5 features with random weights, a batch of 6, and codes of the prior."""
    rng = np.random.default_rng(seed)
    model = cls(5, 2, (4,), gamma=0.6, dtype="float64", **options)
    model.theta = 0.7 * rng.standard_normal(model.theta.size)
    return model, rng.random((6, 5)), {"z_prior": rng.standard_normal((6, 2))}


def each_player(cls, seed):
    """Compare each player's gradient with a complex step of its own loss, the others held fixed."""
    model, x, noise = small(cls, seed)
    rng, worst = np.random.default_rng([seed, 1]), ("", 0.0)
    model.losses(x, rng=np.random.default_rng(seed), **noise)
    model.backward()
    for player in PLAYERS:
        gradient = getattr(model, player).dtheta.copy()
        step, moved = rng.standard_normal(gradient.size), model.astype(complex)
        getattr(moved, player).theta += 1e-30j * step
        losses = moved.losses(x, rng=np.random.default_rng(seed), **noise)
        exact = np.imag(losses[player]) / 1e-30
        error = abs(gradient @ step - exact) / np.linalg.norm(gradient * step)
        worst = max(worst, (player, error), key=lambda pair: pair[1])
    return Finding(bool(worst[1] > 1e-10), f"the {worst[0]}'s gradient is off by {worst[1]:.1e}")


def differ(pairs):
    """Return the finding on named pairs of numbers that must be equal, up to rounding."""
    off = {name: abs(got - expected) for name, (got, expected) in pairs.items()}
    worst = max(off, key=off.get)
    got, expected = pairs[worst]
    return Finding(bool(off[worst] > 1e-9), f"{worst}: {got:.4g}, expected {expected:.4g}")


def as_vae(cls, seed):
    """Compare the encoder's loss with that of a VAE: linear features are a layer more there."""
    rng = np.random.default_rng(seed)
    parts = Sequential(Dense(5, 5, bias=False)), Sequential(Dense(5, 1))
    model, x, noise = small(cls, seed, discriminator=Sequential(*parts), beta=0.7)
    eps, features = rng.standard_normal((6, 2)), model.discriminator.layers[0]
    decoder = Sequential(*copy.deepcopy([*model.decoder.layers, features]))
    vae = VAE(5, 2, likelihood=GaussianNLL(1.0), beta=0.7, dtype="float64",
              encoder=model.encoder, decoder=decoder)  # fmt: skip
    expected = vae.loss(x, features.forward(x), eps=eps) - 2.5 * LOG_2PI
    return differ({"encoder's loss": (model.losses(x, eps=eps, **noise)["encoder"], expected)})


def optimal_discriminator(cls, seed):
    """At D = p / (p + q) the discriminator's loss is 2 log 2 - 2 JSD, and its gradient is 0.

    The densities are on three points, as counts of rows, so that sums are exact expectations. All
    networks but the discriminator are identities.
    """
    rng = np.random.default_rng(seed)
    counts = rng.permutation([1, 2, 5]), rng.permutation([1, 3, 4])
    one, two = (np.repeat(np.eye(3), count, axis=0) for count in counts)
    p, q = (count / 8 for count in counts)
    networks = {"encoder": Sequential(Dense(3, 3)), "decoder": Sequential(Dense(3, 3))}
    discriminator = Sequential(Dense(3, 1, bias=False))
    if issubclass(cls, VAEGAN):  # fakes: half of them reconstructions, which are the data
        q = (p + q) / 2
        networks["encoder"] = Sequential(Dense(3, 6))
        discriminator = Sequential(Sequential(), discriminator)
    model = cls(3, 3, **networks, discriminator=discriminator, dtype="float64")
    for network in (model.encoder, model.decoder):
        dense = network.layers[0]
        dense.params.update(W=np.eye(*dense.params["W"].shape), b=0 * dense.params["b"])
    model.discriminator.theta = np.log(p / q)
    if issubclass(cls, VAEGAN):
        losses = model.losses(one, eps=np.zeros((8, 3)), z_prior=two)
    else:
        losses = model.losses(two, z_prior=one)
    model.backward()
    jsd = 0.5 * sum((each * np.log(2 * each / (p + q))).sum() for each in (p, q))
    gradient = np.abs(model.discriminator.dtheta).max()
    return differ({
        "discriminator's loss": (losses["discriminator"], 2 * np.log(2) - 2 * jsd),
        "discriminator's largest slope": (gradient, 0.0),
    })  # fmt: skip


def game_by_hand(cls, seed):
    """Compare the losses of the game with -log D, where D is computed in the open."""
    model, x, noise = small(cls, seed)
    eps, z_prior = np.random.default_rng(seed).standard_normal((6, 2)), noise["z_prior"]
    if issubclass(cls, VAEGAN):
        losses = model.losses(x, eps=eps, **noise)
        mu, log_var = np.split(model.encoder.forward(x), 2, axis=1)
        codes = np.concatenate([mu + eps * np.exp(log_var / 2), z_prior])
        real, fake, generator, weight = x, model.decoder.forward(codes), "decoder", 1.0
        rest = model.gamma * model.terms["reconstruction"]
    else:
        losses = model.losses(x, **noise)
        real, fake, generator, weight = z_prior, model.encoder.forward(x), "encoder", model.gamma
        rest = model.terms["reconstruction"]
    real, fake = (1 / (1 + np.exp(-model.discriminator.forward(each))) for each in (real, fake))
    expected = -np.log(real).mean() - np.log(1 - fake).mean()
    return differ({
        "discriminator's loss": (losses["discriminator"], expected),
        f"{generator}'s loss": (losses[generator], rest - weight * np.log(fake).mean()),
    })  # fmt: skip


class OpenVAEGAN(VAEGAN):
    """The backward pass in steps, for specimens that get one of them wrong."""

    def to_encoder(self, of_reconstruction, of_game):
        return of_reconstruction

    def to_decoder(self, of_reconstruction, of_game):
        return self.gamma * of_reconstruction + of_game

    def of_game(self, logits, n):
        dlogits = np.zeros_like(logits)
        dlogits[n:] = generator_grad(logits[n:])
        return self.discriminator.backward(dlogits)[n:]

    def backward(self):
        mu, log_var, std, eps, f, logits = self.cached()
        n = len(mu)
        df = np.zeros_like(f)
        df[n : 2 * n] = self.reconstruction_loss.backward(0.5 / n)
        df[:n] = -df[n : 2 * n]
        both = self.features.backward(df)[n:], self.of_game(logits, n)
        dz = self.decoder.backward(self.to_encoder(*both))[:n]
        kl_dmu, kl_dlog_var = self.prior.kl_grad(mu, log_var)
        dmu = dz + self.beta / n * kl_dmu
        dlog_var = dz * (0.5 * eps * std) + self.beta / n * kl_dlog_var
        self.encoder.backward_params(np.concatenate([dmu, dlog_var], axis=1))
        self.decoder.backward_params(self.to_decoder(*both))
        self.train_discriminator(df, logits, n)

    def train_discriminator(self, df, logits, n):
        own = discriminator_grad(logits[:n], logits[n:])
        self.discriminator.backward_params(np.concatenate(own))


@specimen("vae-gan-reconstruction-trains-discriminator", each_player, VAEGAN)
class ReconstructionTrainsDiscriminator(OpenVAEGAN):
    """The features are trained on the reconstruction too: constant features would make it 0."""

    def train_discriminator(self, df, logits, n):
        self.features.backward(df)
        leaked = self.features.dtheta.copy()
        super().train_discriminator(df, logits, n)
        self.features.dtheta[...] += leaked


@specimen("vae-gan-discriminator-gradient-of-the-generator", each_player, VAEGAN)
class GeneratorTrainsDiscriminator(OpenVAEGAN):
    """The generator's pass comes last, so that its gradient is left in the discriminator."""

    def train_discriminator(self, df, logits, n):
        super().train_discriminator(df, logits, n)
        self.of_game(logits, n)


@specimen("vae-gan-gradients-add-up", each_player, VAEGAN)
class GradientsAddUp(OpenVAEGAN):
    """The discriminator's gradient is added to what the generator's pass left there."""

    def train_discriminator(self, df, logits, n):
        left = self.discriminator.dtheta.copy()
        super().train_discriminator(df, logits, n)
        self.discriminator.dtheta[...] += left


@specimen("vae-gan-game-trains-encoder", each_player, VAEGAN)
class GameTrainsEncoder(OpenVAEGAN):
    """The encoder gets the gradient of the game, which is not in its loss."""

    def to_encoder(self, of_reconstruction, of_game):
        return of_reconstruction + of_game


@specimen("vae-gan-gamma-in-the-encoder", each_player, VAEGAN)
class GammaInEncoder(OpenVAEGAN):
    """gamma weighs the reconstruction of the encoder too, where beta weighs the KL already."""

    def to_encoder(self, of_reconstruction, of_game):
        return self.gamma * of_reconstruction


@specimen("vae-gan-gamma-on-the-game", each_player, VAEGAN)
class GammaOnGame(OpenVAEGAN):
    """gamma weighs the game in place of the reconstruction."""

    def to_decoder(self, of_reconstruction, of_game):
        return of_reconstruction + self.gamma * of_game


@specimen("vae-gan-generator-sign", each_player, VAEGAN)
class GeneratorSign(OpenVAEGAN):
    """The decoder gets the discriminator's gradient, and helps it to find the fakes."""

    def of_game(self, logits, n):
        dlogits = np.zeros_like(logits)
        dlogits[n:] = discriminator_grad(logits[:n], logits[n:])[1]
        return self.discriminator.backward(dlogits)[n:]


@specimen("vae-gan-samples-without-gradient", each_player, VAEGAN)
class SamplesWithoutGradient(OpenVAEGAN):
    """The game's gradient comes from reconstructions only; the samples from the prior have none."""

    def of_game(self, logits, n):
        of_game = super().of_game(logits, n)
        of_game[n:] = 0
        return of_game


class MeanError(SquaredError):
    """A mean over features."""

    def entries(self, out, target):
        return super().entries(out, target) / out.shape[1]

    def slopes(self, out, target, weight):
        return super().slopes(out, target, weight) / out.shape[1]


@specimen("vae-gan-mean-over-features", as_vae, VAEGAN)
class MeanOverFeatures(VAEGAN):
    """The reconstruction is a mean over features, not a sum, so that the KL weighs more."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.parts["loss"] = MeanError()


@specimen("vae-gan-pixel-error", as_vae, VAEGAN)
class PixelError(VAEGAN):
    """The reconstruction is measured in pixels, not in features: a VAE beside a GAN."""

    def losses(self, x, **options):
        losses = super().losses(x, **options)
        mu, _, std, eps, *_ = self.cached()
        pixels = ((self.decoder.forward(mu + eps * std) - x) ** 2).sum(axis=1).mean() / 2
        losses["encoder"] += pixels - self.terms["reconstruction"]
        return losses


@specimen("vae-gan-features-of-the-wrong-layer", as_vae, VAEGAN)
class WrongLayer(VAEGAN):
    """The reconstruction is measured in the logits, the last layer, not in the features."""

    def losses(self, x, **options):
        losses = super().losses(x, **options)
        logits, n = self.cached()[-1], len(x)
        error = ((logits[n : 2 * n] - logits[:n]) ** 2).sum(axis=1).mean() / 2
        losses["encoder"] += error - self.terms["reconstruction"]
        return losses


@specimen("vae-gan-samples-not-shown", optimal_discriminator, VAEGAN)
class SamplesNotShown(OpenVAEGAN):
    """The discriminator never sees samples from the prior, only reconstructions."""

    def losses(self, x, **options):
        losses = super().losses(x, **options)
        logits, n = self.cached()[-1], len(x)
        return losses | {"discriminator": discriminator_loss(logits[:n], logits[n : 2 * n])}

    def train_discriminator(self, df, logits, n):
        own = discriminator_grad(logits[:n], logits[n : 2 * n])
        self.discriminator.backward_params(np.concatenate([*own, 0 * own[1]]))


@specimen("vae-gan-saturating", game_by_hand, VAEGAN)
class Saturating(VAEGAN):
    """The decoder minimises log(1 - D), whose gradient vanishes where the discriminator is sure."""

    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.saturating = True


class OpenAdversarialAutoencoder(AdversarialAutoencoder):
    """The backward pass in steps, for specimens that get one of them wrong."""

    def of_decoder(self):
        return self.decoder.backward(self.reconstruction_loss.backward())

    def of_game(self, logits, n):
        dlogits = np.zeros_like(logits)
        dlogits[n:] = self.gamma * generator_grad(logits[n:])
        return self.discriminator.backward(dlogits)[n:]

    def backward(self):
        logits = self.cached()
        n = len(logits) // 2
        self.encoder.backward_params(self.of_decoder() + self.of_game(logits, n))
        own = discriminator_grad(logits[:n], logits[n:])
        self.discriminator.backward_params(np.concatenate(own))


@specimen("adversarial-autoencoder-codes-are-real", optimal_discriminator, AdversarialAutoencoder)
class CodesAreReal(AdversarialAutoencoder):
    """The labels are swapped: the codes are the real ones, the draws from the prior the fakes."""

    def losses(self, x, **options):
        losses = super().losses(x, **options)
        real, fake = np.split(self.cached(), 2)
        return losses | {"discriminator": discriminator_loss(fake, real)}


@specimen("adversarial-autoencoder-generator-by-its-own-loss", game_by_hand, AdversarialAutoencoder)
class GeneratorOfOnes(AdversarialAutoencoder):
    """The encoder's game is -log(1 - D): it makes codes that the discriminator calls fake."""

    def losses(self, x, **options):
        losses = super().losses(x, **options)
        fake = self.cached()[len(x) :]
        wrong = self.gamma * (generator_loss(-fake) - generator_loss(fake))
        return losses | {"encoder": losses["encoder"] + wrong}


@specimen("adversarial-autoencoder-game-without-gradient", each_player, AdversarialAutoencoder)
class GameWithoutGradient(OpenAdversarialAutoencoder):
    """The encoder gets the gradient of the reconstruction only: its codes are detached."""

    def of_game(self, logits, n):
        return 0 * super().of_game(logits, n)


@specimen("adversarial-autoencoder-gamma-forgotten", each_player, AdversarialAutoencoder)
class GammaForgotten(OpenAdversarialAutoencoder):
    """gamma is in the loss, but not in the gradient."""

    def of_game(self, logits, n):
        return super().of_game(logits, n) / self.gamma


@specimen("adversarial-autoencoder-row-of-another", each_player, AdversarialAutoencoder)
class RowsOfThePrior(OpenAdversarialAutoencoder):
    """The gradient of the first half goes to the encoder, but the codes are in the second half."""

    def of_game(self, logits, n):
        dlogits = np.zeros_like(logits)
        dlogits[:n] = self.gamma * generator_grad(logits[:n])
        return self.discriminator.backward(dlogits)[:n]
