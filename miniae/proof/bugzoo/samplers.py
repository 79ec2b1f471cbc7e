"""Wrong samplers of z from N(mu, exp(log_var)): each docstring says what is wrong."""

import numpy as np

from miniae.proof.bugzoo.specimen import specimen
from miniae.proof.bugzoo.vae_instruments import noise_test


def reparameterize(mu, log_var, rng):
    """Draw z from N(mu, exp(log_var)), correctly."""
    return mu + np.exp(log_var / 2) * rng.standard_normal(mu.shape)


@specimen("sampler-std-is-variance", noise_test, reparameterize, source="dezero, examples/vae.py")
def std_is_variance(mu, log_var, rng):
    """The noise is multiplied by exp(log_var), which is the variance."""
    return mu + np.exp(log_var) * rng.standard_normal(mu.shape)


@specimen("sampler-uniform-noise", noise_test, reparameterize,
          source="toshikwa/slac.pytorch, issue 5")  # fmt: skip
def uniform_noise(mu, log_var, rng):
    """The noise is uniform on [0, 1] instead of standard normal."""
    return mu + np.exp(log_var / 2) * rng.random(mu.shape)


@specimen("sampler-mu-scaled", noise_test, reparameterize,
          source="catniplab/latent_dynamics_workshop, issue 1")  # fmt: skip
def mu_scaled(mu, log_var, rng):
    """mu is added before the multiplication by std: its factor is std, not 1."""
    return (mu + rng.standard_normal(mu.shape)) * np.exp(log_var / 2)


# These have the right mean and standard deviation: only a test of the distribution shows the fault.


@specimen("sampler-plus-minus-one", noise_test, reparameterize)
def plus_minus_one(mu, log_var, rng):
    """The noise is +1 or -1: its mean and variance are right, its distribution is not."""
    return mu + np.exp(log_var / 2) * rng.choice([-1.0, 1.0], mu.shape)


@specimen("sampler-laplace", noise_test, reparameterize)
def laplace(mu, log_var, rng):
    """The noise is from a Laplace distribution of unit variance."""
    return mu + np.exp(log_var / 2) * rng.laplace(0, 0.5**0.5, mu.shape)


@specimen("sampler-uniform-of-unit-variance", noise_test, reparameterize)
def uniform_of_unit_variance(mu, log_var, rng):
    """The noise is uniform on +-sqrt(3), which has mean 0 and variance 1."""
    return mu + np.exp(log_var / 2) * rng.uniform(-(3**0.5), 3**0.5, mu.shape)


@specimen("sampler-student", noise_test, reparameterize)
def student(mu, log_var, rng):
    """The noise is from Student's t with 5 degrees of freedom, scaled to unit variance."""
    return mu + np.exp(log_var / 2) * rng.standard_t(5, mu.shape) * (3 / 5) ** 0.5


@specimen("sampler-clipped", noise_test, reparameterize)
def clipped(mu, log_var, rng):
    """The noise is clipped at 3 standard deviations: one draw in 370 is changed."""
    return mu + np.exp(log_var / 2) * np.clip(rng.standard_normal(mu.shape), -3, 3)


@specimen("sampler-float16", noise_test, reparameterize)
def float16(mu, log_var, rng):
    """The noise is rounded to float16: many draws come out equal."""
    return mu + np.exp(log_var / 2) * rng.standard_normal(mu.shape).astype(np.float16)


@specimen("sampler-scaled", noise_test, reparameterize)
def scaled(mu, log_var, rng):
    """The noise is multiplied by 0.97."""
    return mu + np.exp(log_var / 2) * 0.97 * rng.standard_normal(mu.shape)


@specimen("sampler-log-var-clamped", noise_test, reparameterize)
def log_var_clamped(mu, log_var, rng):
    """log_var is clamped to [-10, 2] for the noise."""
    return mu + np.exp(np.clip(log_var, -10, 2) / 2) * rng.standard_normal(mu.shape)


# In these, each number is from the right distribution, but the numbers depend on each other.


@specimen("sampler-eps-shared-by-latents", noise_test, reparameterize)
def eps_shared_by_latents(mu, log_var, rng):
    """One eps is drawn for a row, and all its latents share it."""
    return mu + np.exp(log_var / 2) * rng.standard_normal((len(mu), 1))


@specimen("sampler-eps-shared-by-rows", noise_test, reparameterize)
def eps_shared_by_rows(mu, log_var, rng):
    """One eps is drawn for a batch, and all its rows share it."""
    return mu + np.exp(log_var / 2) * rng.standard_normal(mu.shape[1])


@specimen("sampler-reseeded", noise_test, reparameterize)
def reseeded(mu, log_var, rng):
    """Each call seeds a new generator, which gives the same noise each time."""
    return reparameterize(mu, log_var, np.random.default_rng(0))


@specimen("sampler-antithetic", noise_test, reparameterize)
def antithetic(mu, log_var, rng):
    """The second half of a batch gets minus the noise of the first."""
    eps = rng.standard_normal(((len(mu) + 1) // 2, mu.shape[1]))
    return mu + np.exp(log_var / 2) * np.concatenate([eps, -eps])[: len(mu)]


@specimen("sampler-sizes-shared", noise_test, reparameterize)
def sizes_shared(mu, log_var, rng):
    """The latents of a row share |eps|, with random signs: uncorrelated, but dependent."""
    eps = np.abs(rng.standard_normal((len(mu), 1))) * rng.choice([-1.0, 1.0], mu.shape)
    return mu + np.exp(log_var / 2) * eps


@specimen("sampler-shuffled-copies", noise_test, reparameterize)
def shuffled_copies(mu, log_var, rng):
    """Half of the noise is drawn, and used twice in random order."""
    eps = rng.standard_normal((mu.size + 1) // 2)
    eps = rng.permutation(np.concatenate([eps, eps])[: mu.size])
    return mu + np.exp(log_var / 2) * eps.reshape(mu.shape)


# These do not use rng, or change their arguments.


@specimen("sampler-ignores-rng", noise_test, reparameterize)
def ignores_rng(mu, log_var, rng):
    """The noise comes from the operating system, not from rng: no run can be repeated."""
    return reparameterize(mu, log_var, np.random.default_rng())


@specimen("sampler-in-place", noise_test, reparameterize)
def in_place(mu, log_var, rng):
    """The noise is added to mu in place: later uses of mu, such as in the KL, get z."""
    mu += np.exp(log_var / 2) * rng.standard_normal(mu.shape)
    return mu
