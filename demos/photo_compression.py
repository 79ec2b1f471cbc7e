"""Compress a photograph: quantised codes, as real bytes, against PCA at the same rate.

    python demos/photo_compression.py

The photograph is the one that matplotlib ships, in grey, cut into patches of 8 x 8 pixels. PCA
turns a patch into 64 numbers, the autoencoder into 48. They are rounded to whole multiples of a
step, and the integers go through the same adaptive arithmetic coder; the picture is made from the
bytes alone. PCA, and one autoencoder for each step, are fitted to all patches of the left half;
what is compressed is the right half, of which they have seen nothing. Networks and components are
not counted, sender and receiver have them beforehand.

In training, uniform noise as wide as the step stands in for the rounding (Ballé et al. 2017), and
a penalty on the code for the bits that it will take. Every network starts as the PCA transform.
PCA learns nothing about bits, but its scores are rounded as image coders do it: up only from 0.7 of
a step on, which saves more bits than it costs in error (a dead zone), and what has come through as
k steps is taken for the mean size of what was rounded so, as it was on the left half.

The table has for each autoencoder the PSNR of PCA at the same rate, read off its curve. The
autoencoder loses, by some tenths of a decibel: a linear transform with a good quantiser and a good
entropy coder is hard to beat.
"""

# %%
import arithmetic_coding
import matplotlib.pyplot as plt
import numpy as np
from common import options, save, show, train
from numpy.lib.stride_tricks import sliding_window_view
from photo_denoising import DETAIL, SIZE, patches, photograph

from miniae import Autoencoder, Dense, Layer, ReLU, Sequential, metrics
from miniae.proof.oracles import PCA

STEPS = (0.25, 0.4, 0.6)  # of the autoencoders' codes; pixels are 0 to 1
PCA_STEPS = np.geomspace(0.6, 0.12, 20)
DEAD = 0.2  # for PCA; the autoencoders, trained under a price, gain nothing by it
CODE, HIDDEN, EPOCHS = 48, 256, 5


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


def trained(X, V, step, epochs, seed):
    """Return an autoencoder of centred patches X, for a step; it begins as the transform V."""
    rng = np.random.default_rng([seed, 1])
    encoder = Sequential(*network(V.T, np.eye(CODE), rng), RoundingNoise(step))
    decoder = Sequential(*network(np.eye(CODE), V, rng))
    model = Autoencoder(
        SIZE**2, CODE, encoder=encoder, decoder=decoder, loss="mse", penalty=Price(step), seed=seed
    )
    return train(f"step {step}", model, X, lr=2e-3, epochs=epochs, batch_size=128)


def blocks(image):
    """Return the patches that tile an image as rows."""
    return sliding_window_view(image, (SIZE, SIZE))[::SIZE, ::SIZE].reshape(-1, SIZE**2)


def rounded(codes, step, dead=0.0):
    """Return codes in whole steps: k is what is k + 1/2 + dead in size, or less."""
    return (np.sign(codes) * np.floor(np.abs(codes) / step + 0.5 - dead)).astype(int)


def transmit(table, decode, mean, clean):
    """Return bits per pixel, PSNR and the picture, which is made from the bytes alone."""
    data = arithmetic_coding.encode(table)
    received = arithmetic_coding.decode(data)
    assert np.array_equal(received, table), "the coder lost something"
    height, width = clean.shape
    tiles = (decode(received) + mean).reshape(height // SIZE, width // SIZE, SIZE, SIZE)
    picture = tiles.swapaxes(1, 2).reshape(clean.shape).clip(0, 1)
    return 8 * len(data) / clean.size, metrics.psnr(picture, clean), picture


def transmit_scores(scores, step, scores_left, V, mean, clean):
    """Return the same for PCA; how sizes differ from whole steps is learnt on the left half."""
    table, left = (rounded(s, step, DEAD) for s in (scores, scores_left))
    offset = (np.abs(scores_left) / step - np.abs(left))[left != 0].mean()
    return transmit(table, lambda k: step * (k + offset * np.sign(k)) @ V, mean, clean)


def at_rate(rate, points):
    """Return the PSNR of a method at a rate between those of its points, the lowest first."""
    rates, qualities, _ = zip(*points, strict=True)
    if not rates[0] <= rate <= rates[-1]:
        raise ValueError(f"rate {rate:.3f} is outside {rates[0]:.3f} to {rates[-1]:.3f}: add steps")
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
    chosen = options(__doc__, argv, data=())
    left, clean = np.split(photograph(), 2, axis=1)
    X, steps, epochs = patches(left), STEPS, EPOCHS
    if chosen.quick:
        X, steps, epochs, clean = X[::20], STEPS[-1:], 1, clean[:240, :128]
    pca = PCA(SIZE**2).fit(X)
    V, mean = pca.components_.astype(X.dtype), pca.mean_.astype(X.dtype)
    X_test, scores_left = blocks(clean) - mean, (blocks(left) - mean) @ V.T
    print(f"{len(X):,} patches to train on, {len(X_test):,} of the right half to compress")

    curves = {"autoencoder": [], "PCA": []}
    for step in steps:
        model = trained(X - mean, V[:CODE], step, epochs, chosen.seed)
        table = rounded(model.encode(X_test), step)
        sent = transmit(table, lambda k, m=model, s=step: m.decode(s * k), mean, clean)
        curves["autoencoder"].append(sent)
    for step in PCA_STEPS:
        sent = transmit_scores(X_test @ V.T, step, scores_left, V, mean, clean)
        curves["PCA"].append(sent)
    header = "bits per pixel", "autoencoder (dB)", "PCA, same rate (dB)", "difference"
    rows = []
    for step, (rate, quality, _) in zip(steps, curves["autoencoder"], strict=True):
        other = at_rate(rate, curves["PCA"])
        rows.append((f"step {step}", rate, quality, other, f"{quality - other:+.2f}"))
    show(("PSNR of the right half", *header), rows)
    save(chosen.out, compressed=draw(curves, clean))


# %%
if __name__ == "__main__":
    main()
