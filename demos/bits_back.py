"""Bits back: a VAE compresses images, losslessly, at the rate that its ELBO promises.

    python demos/bits_back.py
    MINIAE_DATA=<folder> python demos/bits_back.py --data mnist

To send an image x through a VAE one sends a latent z, at -log p(z), and then x given z, at
-log p(x|z). But which z is up to the sender, and the choice itself carries information: draw it
from q(z|x) by means of bits that wait to be sent anyway, and the receiver, who gets to know x and
so q(z|x), has these bits back. What remains is -log p(x|z) - log p(z) + log q(z|x), whose mean is
minus the ELBO (Townsend, Bird and Barber 2019). That needs a coder which takes bits off its own
message, a stack: asymmetric numeral systems (Duda 2009). Here the stack is one whole number, which
Python lets grow as long as it may.

The images are binarised digits that the VAE has not been trained on; they are packed on top of some
random bits, which do not count, and unpacked again, to the last pixel. The baselines see the same
images, packed 8 pixels to the byte: zlib and LZMA, which know nothing of digits, and an ideal coder
that knows for each pixel how often it is on in the training images. The VAE's weights are not
counted: both sides have them beforehand, and must compute the same floating-point numbers from
them, which holds on one machine and is not a matter of course between two.
"""

# %%
import lzma
import zlib
from bisect import bisect_right
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
from common import images, independent_pixels, options, save, show, timed, train

from miniae import VAE

EPOCHS = {"digits": 20, "mnist": 10}
PRECISION = 24  # bits: probabilities are whole multiples of 2^-24, none of them 0
BINS = 10  # bits: a latent is one of 2^10 bins, all equally likely under the prior
N = NormalDist()
EDGES = [-np.inf, *(N.inv_cdf(i / 2**BINS) for i in range(1, 2**BINS)), np.inf]
CENTRES = np.array([N.inv_cdf((i + 0.5) / 2**BINS) for i in range(2**BINS)])


# %%
class Stack:
    """A whole number as a stack of symbols; `value` grows by -log2(probability) bits for each.

    A symbol owns the numbers from start(symbol) to start(symbol + 1), out of 2^PRECISION: that is
    its probability. Of all numbers, those whose last PRECISION bits are in there mean that it is on
    top; the k-th of these in order means that below it is k.
    """

    def __init__(self, value):
        self.value = value

    def push(self, symbol, start):
        """Put a symbol on top."""
        low, high = start(symbol), start(symbol + 1)
        rest, place = divmod(self.value, high - low)
        self.value = (rest << PRECISION) + low + place

    def pop(self, n_symbols, start):
        """Take the symbol on top, 0 to n_symbols - 1, off: the inverse of push."""
        place = self.value % 2**PRECISION
        symbol = bisect_right(range(n_symbols), place, key=start) - 1
        low, high = start(symbol), start(symbol + 1)
        self.value = (self.value >> PRECISION) * (high - low) + place - low
        return symbol


def prior(symbol):
    """Where the share of a bin begins: they are all alike."""
    return symbol << PRECISION - BINS


def normal(mean, std):
    """Return the function `start` of a latent that is N(mean, std^2); each bin has 1 at least."""
    posterior = NormalDist(mean, std)
    room = 2**PRECISION - 2**BINS
    return lambda symbol: int(posterior.cdf(EDGES[symbol]) * room) + symbol


def pixel(p):
    """Return the function `start` of a pixel that is 1 with probability p."""
    ones = min(max(round(float(p) * 2**PRECISION), 1), 2**PRECISION - 1)
    return lambda symbol: (0, 2**PRECISION - ones, 2**PRECISION)[symbol]


def posteriors(vae, x):
    """Return, for one image, the function `start` of each latent."""
    mu, log_var = vae.posterior(x[None])
    std = np.exp(0.5 * log_var[0])
    return [normal(m, s) for m, s in zip(mu[0].tolist(), std.tolist(), strict=True)]


def pixels(vae, z):
    """Return, for the bins of one image's latents, the function `start` of each pixel."""
    return [pixel(p) for p in vae.decode(CENTRES[z][None]).ravel()]


def pack(vae, stack, x):
    """Put an image of 0 and 1 on the stack."""
    z = [stack.pop(2**BINS, start) for start in posteriors(vae, x)]
    for bit, start in zip(x.ravel().astype(int).tolist(), pixels(vae, z), strict=True):
        stack.push(bit, start)
    for symbol in z:
        stack.push(symbol, prior)


def unpack(vae, stack):
    """Take the image on top off: every step of `pack` undone, the last one first."""
    z = [stack.pop(2**BINS, prior) for _ in range(vae.latent_dim)][::-1]
    bits = [stack.pop(2, start) for start in pixels(vae, z)[::-1]][::-1]
    x = np.array(bits, vae.theta.dtype).reshape(vae.input_shape)
    for symbol, start in reversed(list(zip(z, posteriors(vae, x), strict=True))):
        stack.push(symbol, start)
    return x


def draw(sizes, promised, baselines):
    """Draw bits per image as packed so far, beside what the ELBO promises; return the figure."""
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
    chosen = options(__doc__, argv, data=tuple(EPOCHS))
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
    print("every pixel and every bit of the start came back" if same else "NOT the same images")

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
