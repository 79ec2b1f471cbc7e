"""Wrong uses of a prior: each docstring says in one sentence what is wrong."""

from miniae.losses import StandardNormal
from miniae.priors import GaussianPrior
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.specimen import specimen
from miniae.vae import VAE

GIVEN = {"prior": GaussianPrior(mean=1.5, std=0.6)}


@specimen("vae-prior-gradient-of-the-standard-one", gradient_check, VAE, "prior", given=GIVEN)
class GradientOfTheStandardPrior(VAE):
    """The loss has the KL from the given prior, the gradient that from N(0, I)."""

    def backward(self):
        given, self._prior = self._prior, StandardNormal()
        super().backward()
        self._prior = given
