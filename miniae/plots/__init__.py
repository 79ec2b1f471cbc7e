"""Pictures of a model: training, reconstructions, samples, filters, and codes.

Each function returns one new figure. It does not show, save or close it, and it changes no setting
of matplotlib. Afterwards call ``plt.show()``, ``fig.savefig("a.png")`` or ``plt.close(fig)``.
Grey images are drawn as black ink on white paper: 0 is white, 1 is black. For grey photographs call
``fig.axes[0].images[0].set_cmap("gray")`` afterwards. Colour images keep their colours.
"""

from miniae.plots.images import denoising, filters, grid, loss_curves, reconstructions, samples
from miniae.plots.latents import (
    code_activity,
    interpolation,
    kl_per_dimension,
    latent_manifold,
    latent_scatter,
    traversal,
)
from miniae.plumbing.foreign import asked
from miniae.plumbing.glossary import PLOTS

__all__ = [
    "code_activity",
    "denoising",
    "filters",
    "grid",
    "interpolation",
    "kl_per_dimension",
    "latent_manifold",
    "latent_scatter",
    "loss_curves",
    "reconstructions",
    "samples",
    "traversal",
]
__getattr__ = asked("miniae.plots", PLOTS)
