"""Pictures of a table of latents and factors, for several models side by side."""

import matplotlib.pyplot as plt
import numpy as np


def heatmaps(tables, names, label="absolute correlation", vmax=1):
    """Draw a table (latents, factors) for each model, and return the figure.

    Parameters
    ----------
    tables : dict of the model's name to an array (latents, factors)
    names : list of str, the factors
    label : str, what the numbers are
    vmax : float, the number that is drawn black
    """
    figure, axes = plt.subplots(
        1, len(tables), figsize=(10, 4), sharex=True, sharey=True, layout="constrained"
    )
    for ax, (model, table) in zip(axes, tables.items(), strict=True):
        order = np.argsort(table.argmax(axis=1))
        drawn = ax.imshow(table[order], cmap="Greys", vmin=0, vmax=vmax, aspect="auto")
        ax.set(title=model, yticks=[])
        ax.set_xticks(range(len(names)), names, rotation=90)
    axes[0].set_ylabel("latents, sorted by factor")
    figure.colorbar(drawn, ax=axes, label=label)
    return figure
