"""A decoder whose true posterior is bent, and what is known about it without an encoder."""

import matplotlib.pyplot as plt
import numpy as np

from miniae import Adam, Layer
from miniae.numerics import LOG_2PI

NODES = 6  # of Gauss and Hermite, per latent; exact for polynomials up to degree 11
EDGE = 3.3  # of the pictures


class Bend(Layer):
    """A decoder without parameters: z (n, 2) -> z2 + z1^2, (n, 1).

    With noise of a small sigma, p(z|x) is a ridge along the parabola z2 = x - z1^2.
    """

    def forward(self, x, training=False):
        """See the class."""
        return self.remember(x, x[:, 1:] + x[:, :1] ** 2)

    def backward(self, dout):
        """The slope is 2 z1 with respect to z1, and 1 with respect to z2."""
        z = self.recall(dout)
        return np.concatenate([2 * z[:, :1] * dout, dout], axis=1)


def log_likelihood(X, sigma):
    """Return log p(x) (n,) of x = z2 + z1^2 + sigma noise, exact to rounding, in nats.

    z2 and the noise are Gaussian, so p(x|z1) = N(z1^2, 1 + sigma^2). The integral over z1 is a sum
    over a grid of step 1/100, a fraction of the width of each peak: the trapezoidal rule.
    """
    z1 = np.linspace(-10, 10, 2001)
    variance = 1 + sigma**2
    log_p = -0.5 * ((X - z1**2) ** 2 / variance + np.log(variance) + z1**2) - LOG_2PI
    return np.logaddexp.reduce(log_p, axis=1) + np.log(z1[1] - z1[0])


def best_gaussian_elbo(vae, X, steps=500, lr=0.05, h=1e-30):
    """Return the ELBO (n,) of each row of X under the best Gaussian q for this row.

    q is N(m, L L^T), with L lower triangular: any Gaussian of two latents. So no encoder with a
    Gaussian posterior can have a higher ELBO. Adam starts from the q of the VAE's encoder, and
    climbs by the complex step. It finds the nearest maximum; there is no proof that it is the
    highest one. The mean over q is a sum over the nodes of Gauss and Hermite.

    vae : VAE, latent_dim 2, trained; X : (n, *input_shape)
    """
    vae = vae.astype(np.complex128)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    e1, e2 = (each.ravel() for each in np.meshgrid(nodes, nodes))
    weights = np.outer(weights, weights).ravel() / weights.sum() ** 2
    rows = np.repeat(X, NODES**2, axis=0)

    def elbo(q):
        """q : (n, 5), m1, m2, log L11, L21, log L22."""
        z1 = q[:, :1] + np.exp(q[:, 2:3]) * e1
        z2 = q[:, 1:2] + q[:, 3:4] * e1 + np.exp(q[:, 4:]) * e2
        z = np.stack([z1, z2], axis=-1).reshape(-1, 2)
        nll = vae.reconstruction_loss.per_sample(vae.decoder.forward(z), rows) + vae.prior.nll(z)
        entropy = 1 + LOG_2PI + q[:, 2] + q[:, 4]
        return entropy - nll.reshape(len(X), -1) @ weights

    mu, log_var = (part.real for part in vae.posterior(X))
    q = np.column_stack([mu, 0.5 * log_var[:, 0], np.zeros(len(X)), 0.5 * log_var[:, 1]])
    adam, directions = Adam(lambda step: lr * (1 - step / steps)), 1j * h * np.eye(5)
    for _ in range(steps):
        # Rows do not act on each other, so one evaluation has the slopes of all rows.
        slopes = np.stack([elbo(q + d).imag / h for d in directions], axis=1)
        adam.step(q.reshape(-1), -slopes.ravel())
    return elbo(q).real


def draw_posteriors(models, xs, seed, n=800):
    """Draw codes from q(z|x) of two models over lines of equal p(z|x), and return the figure.

    models : dict of str to model, the first one a VAE; xs : the x of the rows
    """
    vae, line = next(iter(models.values())), np.linspace(-EDGE, EDGE, 161)
    z = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    figure, axes = plt.subplots(
        len(xs), len(models), figsize=(6, 8.6), sharex=True, sharey=True, layout="constrained"
    )
    for panels, x in zip(axes, xs, strict=True):
        nll = vae.reconstruction_loss.per_sample(vae.decoder.forward(z), np.full((len(z), 1), x))
        p = np.exp(-nll - vae.prior.nll(z)).reshape(len(line), -1)
        for ax, (name, model) in zip(panels, models.items(), strict=True):
            draws = model.posterior_sample(np.full((n, 1), x), seed=seed)[0]
            ax.plot(*draws.T, ".", markersize=2, alpha=0.4)
            ax.contour(line, line, p / p.max(), levels=[0.05, 0.5], colors="k", linewidths=0.8)
            ax.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal")
            ax.set_title(f"x = {x:g}: {name}", fontsize="medium")
    figure.supxlabel("z1")
    figure.supylabel("z2")
    figure.suptitle("Draws from q(z|x); lines: 5 % and 50 % of the largest p(z|x)")
    return figure
