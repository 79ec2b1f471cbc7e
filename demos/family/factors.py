# %% [markdown]
"""What the latents stand for: slant and thickness in the codes, and arithmetic with codes.

    python demos/family/factors.py

The built-in digits come with the factors that made them. A conditional VAE is given the digit, so
that its 10 latents describe the handwriting. The first table shows how well single latents, and all
of them together, predict each factor, for beta = 1, 4 and 10. The second table shows what happens
to thin digits when "thick minus thin" is added to their codes. The baseline is PCA.
"""

# %%
import sys
from pathlib import Path

import numpy as np

from miniae import ConditionalVAE, datasets
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.common import draw_rows, options, save, show, train
from support.heatmaps import heatmaps

LATENT, BETAS, DIGIT = 10, (1.0, 4.0, 10.0), 4


# %%
class ConditionalPCA:
    """PCA of images minus the mean image of their class, with the methods of ConditionalVAE."""

    def fit(self, X, labels):
        self.means = np.stack([X[labels == c].mean(axis=0) for c in range(10)])
        self.pca = PCA(LATENT).fit((X - self.means[labels]).reshape(len(X), -1))
        return self

    def encode(self, X, labels):
        return self.pca.transform((X - self.means[labels]).reshape(len(X), -1))

    def posterior_sample(self, X, labels, seed):
        return [self.encode(X, labels)]  # PCA adds no noise to its codes

    def decode(self, Z, labels):
        images = self.pca.inverse_transform(Z).reshape(len(Z), *self.means.shape[1:])
        return images + self.means[labels]


def correlations(A, B):
    """Return the absolute correlation of each column of A with each column of B."""
    A, B = ((x - x.mean(axis=0)) / x.std(axis=0).clip(1e-12) for x in (A, B))
    return np.abs(A.T @ B) / len(A)


def linear_prediction(Z, factors, Z_test):
    """Predict factors from codes by least squares."""
    ones = [np.column_stack([z, np.ones(len(z))]) for z in (Z, Z_test)]
    return ones[1] @ np.linalg.lstsq(ones[0], factors, rcond=None)[0]


def thickness(images):
    """Return the thickness of the stroke in each image, in pixels: 2 * ink / length of the edge.

    A stroke of length l and thickness t has ink l t and an edge of length 2 l. The sum of an
    image's gradient over all pixels is the length of its edges, whether they are sharp or soft.
    """
    corners = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    a, b, c, d = (corners[:, i : i + 29, j : j + 29] for i in (0, 1) for j in (0, 1))
    return 4 * images.sum(axis=(1, 2)) / np.hypot(b + d - a - c, c + d - a - b).sum(axis=(1, 2))


def draw_lines(models, codes, moves, best, images, slant, pen):
    """Draw what straight lines through each model's codes of one digit decode to.

    Parameters
    ----------
    moves : dict, what to add to a code to make strokes thicker
    best : dict, the latent to traverse
    slant, pen : (n,) slant and thickness of the images

    Returns
    -------
    figures : dict of name to figure
    """
    left, *_, right = np.argsort(slant)
    by_pen = np.argsort(pen)
    t = np.linspace(0, 1, 9)[:, None]
    fade = (1 - t[..., None]) * images[left] + t[..., None] * images[right]
    growing = images[by_pen[np.linspace(0, len(pen) - 1, len(t)).astype(int)]]
    rows = {"traversal": {}, "interpolation": {"pixels": fade}, "arithmetic": {"real": growing}}
    for k, Z in codes.items():
        sign = np.sign(np.corrcoef(Z[:, best[k]], slant)[0, 1])
        along = sign * 2 * Z[:, best[k]].std() * np.eye(LATENT)[best[k]]
        thinnest = Z[by_pen[0]]
        ends = (-along, along), Z[[left, right]], (thinnest, thinnest + moves[k])
        for row, (start, end) in zip(rows.values(), ends, strict=True):
            row[k] = models[k].decode((1 - t) * start + t * end, np.full(len(t), DIGIT))
    titles = {
        "traversal": "The latent most correlated with slant, from -2 to 2 standard deviations",
        "interpolation": "From a digit that leans left to one that leans right",
        "arithmetic": "The thinnest digit + 0 to 1 times (mean code of thick - mean code of thin)",
    }
    return {name: draw_rows(row, titles[name]) for name, row in rows.items()}


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("factors", __doc__, argv, data=())
    n, n_test, epochs = (300, 200, 1) if chosen.quick else (10_000, 2000, 15)
    images, labels, factors = datasets.synthetic_digits(n + n_test, seed=chosen.seed)
    names, F = list(factors), np.column_stack(list(factors.values()))

    models = {"PCA": ConditionalPCA().fit(images[:n], labels[:n])}
    for beta in BETAS[::2] if chosen.quick else BETAS:
        size = {"hidden": (256,), "n_classes": 10, "activation": "relu"}
        vae = ConditionalVAE((28, 28), LATENT, beta=beta, seed=chosen.seed, **size)
        name = f"beta = {beta:g}"
        models[name] = train(name, vae, images[:n], labels=labels[:n], lr=2e-3, epochs=epochs)

    codes = {k: model.encode(images, labels=labels) for k, model in models.items()}
    draws = {k: models[k].posterior_sample(images, labels=labels, seed=0)[0] for k in codes}
    largest = f"beta = {max(BETAS):g}"
    draws[f"{largest}, means"] = codes[largest]
    tables = {k: correlations(Z[n:], F[n:]) for k, Z in draws.items()}
    best = [(f"{k}, best latent", *table.max(axis=0)) for k, table in tables.items()]
    together = []
    for k, Z in draws.items():
        predicted = linear_prediction(Z[:n], F[:n], Z[n:])
        together.append((f"{k}, all {LATENT}", *correlations(predicted, F[n:]).diagonal()))
    show(("correlation, held out", *names), best + together)

    pen, held = factors["thickness"], np.arange(n + n_test) >= n
    low, high = np.quantile(pen, [1 / 3, 2 / 3])
    thin, thick = pen < low, pen > high
    rows = [("real", *(thickness(images[held & g]).mean() for g in (thin, thick)))]
    moves = {}
    for k, Z in codes.items():
        moves[k] = Z[thick & ~held].mean(axis=0) - Z[thin & ~held].mean(axis=0)
        Z_thin, digits = Z[thin & held], labels[thin & held]
        decoded = (models[k].decode(Z_thin + move, digits) for move in (0, moves[k]))
        rows.append((k, *(thickness(x).mean() for x in decoded)))
    show(("stroke, mean (pixels)", "thin digits", "thick, or made thick"), rows)

    one = held & (labels == DIGIT)
    slants = {k: table[:, names.index("slant")].argmax() for k, table in tables.items()}
    codes = {k: Z[one] for k, Z in codes.items()}
    lines = draw_lines(models, codes, moves, slants, images[one], factors["slant"][one], pen[one])
    save(chosen.out, correlations=heatmaps(tables, names), **lines)


# %%
if __name__ == "__main__":
    main()
