# %% [markdown]
"""Compress a photograph: rounded codes as real bytes, compared with PCA at the same rate.

    python demos/uses/photo_compression.py

The photograph is cut into patches of 8 x 8 pixels. PCA and an autoencoder turn each patch into
numbers, which are rounded and go through the same arithmetic coder. The picture is decoded from the
bytes alone. Both are fitted to the left half and tested on the right half.
"""

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from miniae import Autoencoder, Dense, Layer, ReLU, Sequential, metrics
from miniae.proof.oracles import PCA

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support import arithmetic_coding
from support.common import options, save, show, train
from support.photographs import DETAIL, SIZE, blocks, patches, photograph

STEPS = (0.25, 0.4, 0.6)  # of the autoencoders' codes, for pixels in [0, 1]
PCA_STEPS = np.geomspace(0.6, 0.12, 20)
DEAD = 0.2  # dead zone for PCA; it does not help the autoencoders, which train with a penalty
CODE, HIDDEN, EPOCHS = 48, 256, 5


# %%
class RoundingNoise(Layer):
    """Add uniform noise on [-step / 2, step / 2] in training, as rounding would."""

    def __init__(self, step, rng=0):
        self.step, self.rng = step, np.random.default_rng(rng)  # a model replaces it by its own
        super().__init__()

    def forward(self, x, training=False):
        """x of any shape -> out of the same shape."""
        if training:
            x = x + self.step * (self.rng.random(x.shape, dtype=np.float32) - np.float32(0.5))
        return self.remember(True, x)

    def backward(self, dout):
        """The noise does not depend on x: dx = dout."""
        self.recall(dout)
        return dout


class RatePenalty:
    """(step^2 / 6) * sum over numbers of log(1 + (c / step)^2), mean over samples.

    Up to a constant, the log is -log p under a Cauchy distribution of scale step, which is about
    the number of nats that c takes. The factor is the squared error that a nat is worth: rounding
    leaves an error D = step^2 / 12 and takes R = constant - log(step) nats, so -dD/dR = step^2 / 6.
    """

    def __init__(self, step):
        self.step = step

    def forward(self, code):
        """Code (n, latent_dim) -> scalar."""
        self.ratio = code / self.step
        return self.step**2 / 6 * np.log1p(self.ratio**2).sum() / len(code)

    def backward(self):
        """d log(1 + r^2) / dc = 2 r / (1 + r^2) / step, with r = c / step."""
        return self.step / 3 * self.ratio / (1 + self.ratio**2) / len(self.ratio)


def network(A, B, rng):
    """Return Dense, ReLU, Dense that compute x A B at first: x = relu(x) - relu(-x).

    The other hidden units start with random weights as inputs and zeros as outputs.
    """
    k, n_out = B.shape
    first, last = Dense(len(A), HIDDEN, init="he", rng=rng), Dense(HIDDEN, n_out)
    first.params["W"][:, : 2 * k] = np.hstack([A, -A])
    last.params["W"] = np.vstack([B, -B, np.zeros((HIDDEN - 2 * k, n_out))])
    return first, ReLU(), last


def trained(X, V, step, epochs, seed):
    """Return an autoencoder of centred patches X, for a step. It starts as the PCA transform V."""
    rng = np.random.default_rng([seed, 1])
    encoder = Sequential(*network(V.T, np.eye(CODE), rng), RoundingNoise(step))
    decoder = Sequential(*network(np.eye(CODE), V, rng))
    model = Autoencoder(
        SIZE**2,
        CODE,
        encoder=encoder,
        decoder=decoder,
        loss="mse",
        penalty=RatePenalty(step),
        seed=seed,
    )
    return train(f"step {step}", model, X, lr=2e-3, epochs=epochs, batch_size=128)


def rounded(codes, step, dead=0.0):
    """Return codes in whole steps. A size of k - 1/2 + dead or more is rounded up to k.

    Image coders use such a dead zone: it saves more bits than it costs in error.
    """
    return (np.sign(codes) * np.floor(np.abs(codes) / step + 0.5 - dead)).astype(int)


def offset(codes, step, dead):
    """Return the mean of what rounding takes from the sizes that do not become 0, in steps.

    The decoder adds it back.
    """
    k = np.abs(rounded(codes, step, dead))
    return (np.abs(codes) / step - k)[k > 0].mean()


def transmit(codes, step, decode, mean, clean, dead=0.0, beyond=0.0):
    """Return bits per pixel, PSNR and the picture, which is decoded from the bytes alone."""
    data = arithmetic_coding.encode(rounded(codes, step, dead))
    k = arithmetic_coding.decode(data)
    rows = decode(step * (k + beyond * np.sign(k))) + mean
    tiles = rows.reshape(-1, clean.shape[1] // SIZE, SIZE, SIZE)
    picture = tiles.swapaxes(1, 2).reshape(clean.shape).clip(0, 1)
    return 8 * len(data) / clean.size, metrics.psnr(picture, clean), picture


def at_rate(rate, points):
    """Return the PSNR of a method at a rate, interpolated between its points, lowest rate first."""
    rates, qualities, _ = zip(*points, strict=True)
    if not rates[0] <= rate <= rates[-1]:
        raise ValueError(f"rate {rate:.3f} is outside {rates[0]:.3f} to {rates[-1]:.3f}: add steps")
    return np.interp(np.log(rate), np.log(rates), qualities)


def draw(curves, clean):
    """Draw PSNR by rate, and a detail at the autoencoders' lowest rate; return the figure."""
    figure, (ax, *panels) = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
    ax.set(title="Right half of the photograph", xlabel="bits per pixel", ylabel="PSNR (dB)")
    lowest, shown = curves["autoencoder"][-1][0], {"original, 8 bits": clean}
    for (name, points), style in zip(curves.items(), ("o-", ".-"), strict=True):
        ax.plot([p[0] for p in points], [p[1] for p in points], style, label=name)
        rate, _, picture = min(points, key=lambda p: abs(p[0] - lowest))
        shown[f"{name}, {rate:.2f} bits"] = picture
    ax.legend()
    for panel, (name, picture) in zip(panels, shown.items(), strict=True):
        panel.imshow(picture[DETAIL], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        panel.set(title=name, xticks=[], yticks=[])
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("photo_compression", __doc__, argv, data=())
    left, clean = np.split(photograph(), 2, axis=1)
    X, steps, pca_steps, epochs = patches(left), STEPS, PCA_STEPS, EPOCHS
    if chosen.quick:
        X, steps, pca_steps, epochs, clean = X[::40], STEPS[2:], PCA_STEPS[::9], 1, clean[:240]
    pca = PCA(SIZE**2).fit(X)
    V, mean = pca.components_.astype(X.dtype), pca.mean_.astype(X.dtype)
    X_test, scores_left = blocks(clean) - mean, (blocks(left) - mean) @ V.T
    print(f"{len(X):,} training patches, {len(X_test):,} patches of the right half to compress")

    rows, curves = [], {"autoencoder": [], "PCA": []}
    for step in pca_steps:
        rounding = {"dead": DEAD, "beyond": offset(scores_left, step, DEAD)}
        sent = transmit(X_test @ V.T, step, lambda scores: scores @ V, mean, clean, **rounding)
        curves["PCA"].append(sent)
    for step in steps:
        model = trained(X - mean, V[:CODE], step, epochs, chosen.seed)
        rate, quality, _ = sent = transmit(model.encode(X_test), step, model.decode, mean, clean)
        curves["autoencoder"].append(sent)
        other = at_rate(rate, curves["PCA"])
        rows.append((f"step {step}", rate, quality, other, f"{quality - other:+.2f}"))
    header = "bits per pixel", "autoencoder (dB)", "PCA, same rate (dB)", "difference"
    show(("PSNR of the right half", *header), rows)
    save(chosen.out, compressed=draw(curves, clean))


# %%
if __name__ == "__main__":
    main()
