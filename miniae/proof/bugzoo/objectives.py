"""Wrong VAEs in which the loss and the gradient disagree on one term."""

import numpy as np

from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.models import OpenVAE
from miniae.proof.bugzoo.specimen import specimen
from miniae.vae import VAE


@specimen("vae-extra-term", gradient_check, VAE, "extra term")
class ExtraTerm(OpenVAE):
    """The loss contains a penalty on mu, but the gradient does not."""

    def loss(self, x, target=None, **options):
        loss = super().loss(x, target, **options)
        return loss + 0.3 * (self.cache[0] ** 2).sum() / len(x)


@specimen("vae-weights-penalised", gradient_check, VAE, "extra term")
class WeightsPenalised(OpenVAE):
    """The loss contains weight decay, but the gradient does not."""

    def loss(self, x, target=None, **options):
        loss = super().loss(x, target, **options)
        return loss + 0.05 * sum((value**2).sum() for _, value, _ in self.named_params())


@specimen("vae-kl-twice", gradient_check, VAE, "term weight")
class KLTwice(OpenVAE):
    """The loss counts the KL twice, the gradient once."""

    def kl(self, mu, log_var):
        kl, dmu, dlog_var = super().kl(mu, log_var)
        return 2 * kl, dmu, dlog_var


@specimen("vae-reconstruction-halved", gradient_check, VAE, "term weight")
class ReconstructionHalved(OpenVAE):
    """The loss counts half of the reconstruction, the gradient all of it."""

    def likelihood(self, out, target):
        return 0.5 * super().likelihood(out, target)


@specimen("vae-loss-summed", gradient_check, VAE, "n samples")
class LossSummed(OpenVAE):
    """The loss is summed over the batch, the gradient is that of the mean."""

    def likelihood(self, out, target):
        return len(out) * super().likelihood(out, target)

    def kl(self, mu, log_var):
        kl, dmu, dlog_var = super().kl(mu, log_var)
        return len(mu) * kl, dmu, dlog_var


@specimen("vae-kl-below-capacity", gradient_check, VAE, "sign",
          source="the capacity of Burgess et al. (2018), as often written")  # fmt: skip
class KLBelowCapacity(OpenVAE):
    """The loss contains |KL - C|; below C the gradient of this term has the wrong sign."""

    def kl(self, mu, log_var):
        kl, dmu, dlog_var = super().kl(mu, log_var)
        return np.abs(kl - 25.0), dmu, dlog_var


@specimen("vae-free-bits-in-forward-only", gradient_check, VAE, "free bits",
          given={"free_bits": 5.0})  # fmt: skip
class FreeBitsInForwardOnly(VAE):
    """A latent below its free bits costs a constant, but its KL still has a gradient."""

    def backward(self):
        *kept, weight = self.cached()
        self.cache = *kept, np.full_like(weight, self.beta)
        super().backward()


@specimen("vae-decoder-scaled", gradient_check, VAE, "factor")
class DecoderScaled(OpenVAE):
    """The decoder's gradient is multiplied by 1.1."""

    def backward(self):
        super().backward()
        self.decoder.dtheta[...] *= 1.1


@specimen("vae-dz-scaled", gradient_check, VAE, "factor")
class DzScaled(OpenVAE):
    """What comes back from the decoder is multiplied by 1.1 before it reaches the encoder."""

    def upstream(self, dz, path, kl_dmu, kl_dlog_var):
        return super().upstream(1.1 * dz, path, kl_dmu, kl_dlog_var)


@specimen("vae-std-doubled-exponent", gradient_check, VAE, "std")
class StdDoubledExponent(OpenVAE):
    """forward draws with std = exp(log_var), backward uses the path of exp(log_var / 2)."""

    def std(self, log_var):
        std = np.exp(log_var)
        return std, 0.5 * std
