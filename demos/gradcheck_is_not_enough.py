"""A VAE that passes every gradient check and is wrong: only a test of its distribution tells.

    python demos/gradcheck_is_not_enough.py

Two public VAEs take exp(log_var) for the standard deviation of the noise, while their KL takes the
same number for the log variance. Forward and backward agree with one another, so a gradient check
has nothing to object to; what is wrong is the model.
"""

# %%
import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # the picture goes to a file: no display needed
import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE, gaussian_kl, gradient_check
from miniae.proof.bugzoo.models import OpenVAE
from miniae.proof.estimates import moment_z_scores, monte_carlo_kl, sampler_of


# %%
class WrongStdVAE(OpenVAE):
    """The std of the noise is exp(log_var); its derivative is right for that."""

    def std(self, log_var):
        """Should be exp(log_var / 2), and half of it."""
        return np.exp(log_var), np.exp(log_var)


def plot(mu, log_var, draws):
    """Draw the distribution that the encoder states and the z sampled; return the Figure."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    std = np.exp(0.5 * log_var)
    for j, ax in enumerate(axes):
        z = np.linspace(mu[j] - 6 * std[j], mu[j] + 6 * std[j], 300)
        density = np.exp(-0.5 * ((z - mu[j]) / std[j]) ** 2) / (std[j] * np.sqrt(2 * np.pi))
        for name, sample in draws.items():
            ax.hist(sample[:, j], bins=z[::5], density=True, alpha=0.45, label=f"z drawn by {name}")
        ax.plot(z, density, "k", linewidth=1.5, label="q(z|x) that the KL is computed for")
        ax.set(
            title=f"latent {j}: mu = {mu[j]:g}, log_var = {log_var[j]:g}",
            xlabel=f"z[{j}]",
            ylabel="density",
        )
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle("The gradients of both are exact; only one samples what it says")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out") / "gradcheck_is_not_enough")
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    options = parser.parse_args(argv)
    n = 20_000 if options.quick else 400_000
    x = np.random.default_rng(options.seed).random((8, 6))
    mu, log_var = np.array([[0.3, -1.0]]), np.array([[-1.5, 0.8]])
    kl = gaussian_kl(mu, log_var).sum()
    models = {"the VAE": VAE, "the wrong VAE": WrongStdVAE}

    print(f"{'':34}" + "".join(f"{name:>22}" for name in models))
    errors = [gradient_check(cls(6, 2, (5,)), x, training=True) for cls in models.values()]
    row = "".join(f"{report.max_error:>22.1e}" for report in errors)
    print(f"{'gradient check: largest error':34}{row}")
    print(f"{'its verdict':34}" + "".join(f"{'right':>22}" if r.ok else "wrong" for r in errors))
    print(f"{'KL in closed form, nats':34}" + f"{kl:>22.4f}" * len(models))
    estimates, scores = [], []
    for cls in models.values():
        sampler = sampler_of(cls)
        estimates.append(monte_carlo_kl(mu, log_var, n, options.seed, sampler))
        scores.append(moment_z_scores(mu, log_var, n, options.seed, sampler)[1])
    cells = [f"{value[0]:.4f} +- {error[0]:.4f}" for value, error in estimates]
    print(f"{'KL from draws of z, nats':34}" + "".join(f"{cell:>22}" for cell in cells))
    cells = [f"{np.abs(score).max():.1f}" for score in scores]
    print(f"{'std of z, standard errors off':34}" + "".join(f"{cell:>22}" for cell in cells))
    verdicts = ["right" if np.abs(score).max() < 5 else "WRONG" for score in scores]
    print(f"{'verdict of the distribution test':34}" + "".join(f"{v:>22}" for v in verdicts))

    draws = {}
    for name, cls in models.items():
        tiled = (np.tile(array, (20_000, 1)) for array in (mu, log_var))
        draws[name] = sampler_of(cls)(*tiled, np.random.default_rng(options.seed))
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "sampled_z.png"
    plot(mu[0], log_var[0], draws).savefig(path, dpi=120)
    print(f"\nThe picture is {path}")


# %%
if __name__ == "__main__":
    main()
