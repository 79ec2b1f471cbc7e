"""Pictures of a model: training, reconstructions, samples, filters, and what its codes mean.

Each function builds one new figure and returns it. None shows, saves or closes it, and no setting
of matplotlib is changed: call ``plt.show()``, ``fig.savefig("a.png")`` or ``plt.close(fig)`` next.
Images are black ink on white paper (0 is paper, 1 is ink); colour images are drawn as they are.
For grey photographs say ``fig.axes[0].images[0].set_cmap("gray")`` afterwards.
"""

from miniae.plots.images import denoising, filters, loss_curves, reconstructions, samples
from miniae.plots.latents import (
    code_activity,
    interpolation,
    kl_per_dimension,
    latent_manifold,
    latent_scatter,
    traversal,
)

__all__ = [
    "code_activity",
    "denoising",
    "filters",
    "interpolation",
    "kl_per_dimension",
    "latent_manifold",
    "latent_scatter",
    "loss_curves",
    "reconstructions",
    "samples",
    "traversal",
]
