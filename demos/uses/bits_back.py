# %% [markdown]
"""Bits back: a VAE compresses images without loss, at the rate that its ELBO promises.

    python demos/uses/bits_back.py
    python demos/uses/bits_back.py --data mnist

Binarised digits that the VAE has not seen are packed and unpacked again. The table compares the
bits per image with -ELBO / ln 2, with zlib and LZMA, and with an ideal coder of independent pixels.
"""

# %%
import lzma
import sys
import zlib
from bisect import bisect_right
from pathlib import Path
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np

from miniae import VAE

sys.path.insert(1, str(Path(globals().get("__file__", "notebook")).resolve().parents[1]))
from support.baselines import independent_pixels
from support.common import images, options, save, show, timed, train

EPOCHS = {"digits": 20, "mnist": 10}
PRECISION = 24  # bits: probabilities are whole multiples of 2^-24, none of them 0
BINS = 10  # bits: a latent is one of 2^10 bins, all equally likely under the prior
N = NormalDist()
EDGES = [-np.inf, *(N.inv_cdf(i / 2**BINS) for i in range(1, 2**BINS)), np.inf]
CENTRES = np.array([N.inv_cdf((i + 0.5) / 2**BINS) for i in range(2**BINS)])


# %%
class Stack:
    """A whole number used as a stack of symbols: an asymmetric numeral system (Duda 2009).

    Each symbol owns the range from start(symbol) to start(symbol + 1), out of 2^PRECISION; the
    share of the range is its probability. A symbol is on top of the stack if the last PRECISION
    bits of `value` are in its range. The k-th number of that kind, in order, means that the rest
    of the stack is k. A push makes `value` about -log2(probability) bits longer.
    """

    def __init__(self, value):
        self.value = value

    def push(self, symbol, start):
        """Put a symbol on top."""
        low, high = start(symbol), start(symbol + 1)
        rest, place = divmod(self.value, high - low)
        self.value = (rest << PRECISION) + low + place

    def pop(self, n_symbols, start):
        """Remove the symbol on top, 0 to n_symbols - 1, and return it: the inverse of push."""
        place = self.value % 2**PRECISION
        symbol = bisect_right(range(n_symbols), place, key=start) - 1
        low, high = start(symbol), start(symbol + 1)
        self.value = (self.value >> PRECISION) * (high - low) + place - low
        return symbol


def prior(symbol):
    """Return the start of a bin's range under the prior: all ranges have the same size."""
    return symbol << PRECISION - BINS


def normal(mean, std):
    """Return the function `start` of a latent N(mean, std^2); each range has at least size 1."""
    posterior = NormalDist(mean, std)
    room = 2**PRECISION - 2**BINS
    return lambda symbol: int(posterior.cdf(EDGES[symbol]) * room) + symbol


def pixel(p):
    """Return the function `start` of a pixel that is 1 with probability p."""
    ones = min(max(round(float(p) * 2**PRECISION), 1), 2**PRECISION - 1)
    return lambda symbol: (0, 2**PRECISION - ones, 2**PRECISION)[symbol]


def posteriors(vae, x):
    """Return the function `start` of each latent, for one image."""
    mu, log_var = vae.posterior(x[None])
    std = np.exp(0.5 * log_var[0])
    return [normal(m, s) for m, s in zip(mu[0].tolist(), std.tolist(), strict=True)]


def pixels(vae, z):
    """Return the function `start` of each pixel, for the bins of one image's latents."""
    return [pixel(p) for p in vae.decode(CENTRES[z][None]).ravel()]


def pack(vae, stack, x):
    """Push an image of 0 and 1.

    The choice of z among all bins carries information: z is popped, so it is chosen by bits that
    are on the stack already. The receiver gets these bits back.
    """
    z = [stack.pop(2**BINS, start) for start in posteriors(vae, x)]
    for bit, start in zip(x.ravel().astype(int).tolist(), pixels(vae, z), strict=True):
        stack.push(bit, start)
    for symbol in z:
        stack.push(symbol, prior)


def unpack(vae, stack):
    """Pop an image: undo every step of `pack` in reverse order."""
    z = [stack.pop(2**BINS, prior) for _ in range(vae.latent_dim)][::-1]
    bits = [stack.pop(2, start) for start in pixels(vae, z)[::-1]][::-1]
    x = np.array(bits, vae.theta.dtype).reshape(vae.input_shape)
    for symbol, start in reversed(list(zip(z, posteriors(vae, x), strict=True))):
        stack.push(symbol, start)
    return x


def draw(sizes, promised, baselines):
    """Draw the bits per image packed so far, and what the ELBO promises; return the figure."""
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    n = np.arange(1, len(sizes) + 1)
    ax.plot(n, np.cumsum(sizes) / n, label="VAE with bits back, measured")
    ax.plot(n, np.cumsum(promised) / n, "k--", linewidth=1, label="-ELBO / ln 2")
    for i, (name, bits) in enumerate(baselines.items(), 1):
        ax.axhline(bits, linestyle="-.", color=f"C{i}", label=name)
    ax.set(xlabel="images packed", ylabel="bits per image, mean so far", ylim=(0, None))
    ax.set_title("Lossless compression of binarised digits")
    ax.legend(fontsize=8, loc="lower right")
    return figure


# %%
def main(argv=None):
    """Run the demo; see the top of the file."""
    chosen = options("bits_back", __doc__, argv, data=tuple(EPOCHS))
    X, X_test = (np.round(x) for x in images(chosen, quick=(500, 10))[:2])
    X_test = X_test[:500]
    epochs = 2 if chosen.quick else EPOCHS[chosen.data]
    vae = VAE(X.shape[1:], 10, (256, 128), seed=chosen.seed)
    train("VAE", vae, X, lr=2e-3, epochs=epochs)

    stack = Stack(int.from_bytes(np.random.default_rng([chosen.seed, 1]).bytes(500), "big"))
    start, lengths = stack.value, [stack.value.bit_length()]
    with timed(f"{len(X_test)} images packed and unpacked"):
        for x in X_test:
            pack(vae, stack, x)
            lengths.append(stack.value.bit_length())
        unpacked = [unpack(vae, stack) for _ in X_test][::-1]
    same = np.array_equal(unpacked, X_test) and stack.value == start
    print("every pixel and every initial bit came back" if same else "NOT the same images")

    n = len(X_test)
    data = np.packbits(X_test.astype(bool)).tobytes()
    promised = -vae.elbo(X_test) / np.log(2)
    baselines = {
        "zlib": 8 * len(zlib.compress(data, 9)) / n,
        "LZMA": 8 * len(lzma.compress(data, preset=9)) / n,
        "independent pixels, ideal": -independent_pixels(X, X_test) / np.log(2),
    }
    rows = [
        *baselines.items(),
        ("VAE with bits back, measured", (lengths[-1] - lengths[0]) / n),
        ("-ELBO / ln 2 of the VAE", float(promised.mean())),
    ]
    header = f"{n:,} new images of {X[0].size} pixels", "bits per image", "bits per pixel"
    show(header, [(*row, f"{row[1] / X[0].size:.4f}") for row in rows], digits=1)
    save(chosen.out, bits_back=draw(np.diff(lengths), promised, baselines))


# %%
if __name__ == "__main__":
    main()
