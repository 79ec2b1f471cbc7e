"""Compress a photograph: quantised codes, as real bytes, against PCA at the same rate.

    python demos/photo_compression.py

The photograph is the one that matplotlib ships, in grey, cut into patches of 8 x 8 pixels. PCA
turns a patch into 64 numbers, the autoencoder into 48. They are rounded to whole multiples of a
step, and the integers go through the same adaptive arithmetic coder; the picture is made from the
bytes alone. PCA, and one autoencoder for each step, are fitted to all patches of the left half;
what is compressed is the right half, of which they have seen nothing. Networks and components are
not counted, sender and receiver have them beforehand.

In training, uniform noise as wide as the step stands in for the rounding (Ballé et al. 2017), and
a penalty on the code for the bits that it will take. Every network starts as the PCA transform, so
that what it gains is what a linear transform cannot do. The table has for each autoencoder the
PSNR of PCA at the same rate, read off its curve, and what it gains over that. It is little, some
tenths of a decibel, and PCA's curve itself wavers by two of them, as its step happens to fit the
wide plain background or not: a linear transform with a good entropy coder is hard to beat.
"""

# %%
import arithmetic_coding
import common
import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from photo_denoising import DETAIL, SIZE, patches, photograph

from miniae import Autoencoder, Dense, Layer, ReLU, Sequential, metrics
from miniae.proof.oracles import PCA

STEPS = (0.25, 0.4, 0.6)  # of the autoencoders' codes; pixels are 0 to 1
PCA_STEPS = np.geomspace(0.9, 0.2, 16)
CODE, HIDDEN, EPOCHS, BATCH = 48, 256, 5, 128


# %%
class RoundingNoise(Layer):
    """Add uniform noise on [-step / 2, step / 2] in training, as rounding would."""

    def __init__(self, step, rng=0):
        self.step, self.rng = step, np.random.default_rng(rng)  # a model puts in its own
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


class Price:
    """(step^2 / 6) * sum over numbers of log(1 + (c / step)^2), mean over samples.

    The log is, up to a constant, -log p under a Cauchy distribution of scale step: about what c
    costs in nats. And what is a nat worth? Rounding leaves a squared error D = step^2 / 12, and a
    finer step takes R = constant - log(step) nats, so that the exchange rate -dD/dR is step^2 / 6.
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

    The other hidden units have random weights into them and zeros out of them.
    """
    k, n_out = B.shape
    first, last = Dense(len(A), HIDDEN, init="he", rng=rng), Dense(HIDDEN, n_out)
    first.params["W"][:, : 2 * k] = np.hstack([A, -A])
    last.params["W"] = np.vstack([B, -B, np.zeros((HIDDEN - 2 * k, n_out))])
    return first, ReLU(), last


def train(X, V, step, epochs, seed):
    """Return an autoencoder of centred patches X, for a step; it begins as the transform V."""
    rng = np.random.default_rng([seed, 1])
    encoder = Sequential(*network(V.T, np.eye(CODE), rng), RoundingNoise(step))
    decoder = Sequential(*network(np.eye(CODE), V, rng))
    model = Autoencoder(
        SIZE**2, CODE, encoder=encoder, decoder=decoder, loss="mse", penalty=Price(step), seed=seed
    )
    adam = common.falling(2e-3, epochs, len(X), BATCH)
    return model.fit(X, epochs=epochs, batch_size=BATCH, optimizer=adam, verbose=0)


def blocks(image):
    """Return the patches that tile an image as rows."""
    return sliding_window_view(image, (SIZE, SIZE))[::SIZE, ::SIZE].reshape(-1, SIZE**2)


def transmit(codes, step, decode, mean, clean):
    """Return bits per pixel, PSNR and the picture, which is made from the bytes alone."""
    table = np.round(codes / step).astype(int)
    data = arithmetic_coding.encode(table)
    received = arithmetic_coding.decode(data)
    assert np.array_equal(received, table), "the coder lost something"
    height, width = clean.shape
    tiles = (decode(received * step) + mean).reshape(height // SIZE, width // SIZE, SIZE, SIZE)
    picture = tiles.swapaxes(1, 2).reshape(clean.shape).clip(0, 1)
    return 8 * len(data) / clean.size, metrics.psnr(picture, clean), picture


def at_rate(rate, points):
    """Return the PSNR of a method at a rate between those of its points, the lowest first."""
    rates, qualities, _ = zip(*points, strict=True)
    return np.interp(np.log(rate), np.log(rates), qualities)


def draw(curves, clean):
    """Draw PSNR over rate, and a detail at the autoencoders' lowest rate; return the figure."""
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
    chosen = common.options(__doc__, argv, data=())
    left, clean = np.split(photograph(), 2, axis=1)
    X, steps, epochs = patches(left), STEPS, EPOCHS
    if chosen.quick:
        X, steps, epochs, clean = X[::20], STEPS[-1:], 1, clean[:240, :128]
    pca = PCA(SIZE**2).fit(X)
    V, mean = pca.components_.astype(X.dtype), pca.mean_.astype(X.dtype)
    X_test = blocks(clean) - mean
    print(f"{len(X):,} patches to train on, {len(X_test):,} of the right half to compress")

    with common.timed(f"training, {epochs} epochs for each step"):
        models = [train(X - mean, V[:CODE], step, epochs, chosen.seed) for step in steps]
    curves = {
        "autoencoder": [
            transmit(model.encode(X_test), step, model.decode, mean, clean)
            for model, step in zip(models, steps, strict=True)
        ],
        "PCA": [transmit(X_test @ V.T, step, lambda Z: Z @ V, mean, clean) for step in PCA_STEPS],
    }
    header = "bits per pixel", "autoencoder (dB)", "PCA, same rate (dB)", "gain"
    rows = []
    for step, (rate, quality, _) in zip(steps, curves["autoencoder"], strict=True):
        other = at_rate(rate, curves["PCA"])
        rows.append((f"step {step}", rate, quality, other, f"{quality - other:+.2f}"))
    common.show(("PSNR of the right half", *header), rows)
    common.save(chosen.out, compressed=draw(curves, clean))


# %%
if __name__ == "__main__":
    main()
