# %% [markdown]
"""A VAE that passes every gradient check and is still wrong: only a test of its samples shows it.

    python demos/proof/gradcheck_is_not_enough.py

The wrong VAE takes exp(log_var) as the standard deviation of the noise, while its KL takes the same
number as the log variance. Two public VAEs do this. Forward and backward agree with each other, so
a gradient check finds nothing. The mistake is in the model itself.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, gaussian_kl, gradient_check
from miniae.proof.bugzoo.models import OpenVAE
from miniae.proof.estimates import moment_z_scores, monte_carlo_kl, sampler_of

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import options, save, show


# %%
class WrongStdVAE(OpenVAE):
    """The std of the noise is exp(log_var). Its derivative is right for that std."""

    def std(self, log_var):
        """The right values are exp(log_var / 2), and half of that for the derivative."""
        return np.exp(log_var), np.exp(log_var)


def draw(mu, log_var, samples):
    """Draw the distribution that the encoder states and the sampled z; return the figure."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    std = np.exp(0.5 * log_var)
    for j, ax in enumerate(axes):
        z = np.linspace(mu[j] - 6 * std[j], mu[j] + 6 * std[j], 300)
        density = np.exp(-0.5 * ((z - mu[j]) / std[j]) ** 2) / (std[j] * np.sqrt(2 * np.pi))
        for name, sample in samples.items():
            ax.hist(sample[:, j], bins=z[::5], density=True, alpha=0.45, label=f"z from {name}")
        ax.plot(z, density, "k", linewidth=1.5, label="q(z|x) for which the KL is computed")
        ax.set(
            title=f"latent {j}: mu = {mu[j]:g}, log_var = {log_var[j]:g}",
            xlabel=f"z[{j}]",
            ylabel="density",
        )
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle("Both have exact gradients, but only one samples from q(z|x)")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("gradcheck_is_not_enough", __doc__, argv, data=())
    n = 20_000 if chosen.quick else 400_000
    x = np.random.default_rng(chosen.seed).random((8, 6))
    mu, log_var = np.array([[0.3, -1.0]]), np.array([[-1.5, 0.8]])
    kl = gaussian_kl(mu, log_var).sum()
    models = {"the VAE": VAE, "the wrong VAE": WrongStdVAE}

    columns, samples = [], {}
    for name, cls in models.items():
        report, sampler = gradient_check(cls(6, 2, (5,)), x, training=True), sampler_of(cls)
        value, error = monte_carlo_kl(mu, log_var, n, chosen.seed, sampler)
        off = np.abs(moment_z_scores(mu, log_var, n, chosen.seed, sampler)[1]).max()
        columns.append(
            {
                "gradient check: largest error": f"{report.max_error:.1e}",
                "verdict of the gradient check": "right" if report.ok else "WRONG",
                "KL in closed form (nats)": f"{kl:.4f}",
                "KL from sampled z (nats)": f"{value[0]:.4f} ± {error[0]:.4f}",
                "std of z, standard errors off": f"{off:.1f}",
                "verdict of the distribution test": "right" if off < 5 else "WRONG",
            }
        )
        tiled = (np.tile(array, (20_000, 1)) for array in (mu, log_var))
        samples[name] = sampler(*tiled, np.random.default_rng(chosen.seed))
    show(("", *models), [(row, *(column[row] for column in columns)) for row in columns[0]])
    save(chosen.out, sampled_z=draw(mu[0], log_var[0], samples))


# %%
if __name__ == "__main__":
    main()
