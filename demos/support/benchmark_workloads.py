"""The networks that speed/benchmark.py times, and their initial weights."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A network, whose decoder mirrors its encoder, and how it is trained."""

    sizes: tuple  # features, hidden layers, code
    activation: str
    batch: int
    n: int  # images
    vae: bool = True
    channels: tuple = ()  # of two convolutions, 3x3 with stride 2, of 28x28 pixels

    def __str__(self):
        if self.vae:
            kind = "VAE"
        else:
            kind = "convolutional autoencoder" if self.channels else "autoencoder"
        sizes = "-".join(map(str, (self.sizes[0], *self.channels, *self.sizes[1:])))
        return f"{kind} {sizes} {self.activation}, batch {self.batch}"


WORKLOADS = {
    "W0": Workload((64, 32, 2), "relu", 32, 1800, vae=False),
    "W1": Workload((784, 500, 20), "tanh", 100, 60_000),
    "W2": Workload((784, 64, 32, 16), "relu", 256, 60_000),
    "W3": Workload((784, 200, 200, 50), "tanh", 20, 20_000),
    "W4": Workload((784, 1000, 500, 250, 30), "relu", 256, 20_000),
    "W5": Workload((784, 32), "relu", 128, 10_000, vae=False, channels=(32, 64)),
}

WHOLE = "W0"  # the one that is timed from the start of Python to the trained model


def shapes(workload):
    """Return the shapes of all W of the encoder, then of the decoder: two lists.

    (n_in, n_out) of a dense layer; (3, 3, c_in, c_out) of a convolution, transposed in the decoder.
    """
    features, *hidden, code = workload.sizes
    if workload.channels:
        a, b = workload.channels
        encoder = [(3, 3, 1, a), (3, 3, a, b), (7 * 7 * b, code)]
        return encoder, [(code, 7 * 7 * b), (3, 3, b, a), (3, 3, a, 1)]
    encoder = list(pairwise([features, *hidden, 2 * code if workload.vae else code]))
    return encoder, list(pairwise([code, *reversed(hidden), features]))


def initial(workload, dtype="float32", seed=0):
    """Return the initial weights, a list W, b, W, b, ...: He before a ReLU, else Glorot; b = 0."""
    rng, arrays = np.random.default_rng(seed), []
    for network in shapes(workload):
        for shape in network:
            n_in, n_out = math.prod(shape[:-1]), math.prod(shape[:-2]) * shape[-1]
            he = workload.activation == "relu" and shape is not network[-1]
            limit = math.sqrt(6 / n_in if he else 6 / (n_in + n_out))
            arrays += [rng.uniform(-limit, limit, shape), np.zeros(shape[-1])]
    return [array.astype(dtype) for array in arrays]


def products(workload):
    """Return (rows per sample, k, n) of each layer's forward product (rows, k) @ (k, n), a list.

    The rows of a convolution are its windows; those of a transposed one are its input pixels.
    """
    found, pixels = [], iter((14 * 14, 7 * 7, 7 * 7, 14 * 14))
    for network, transposed in zip(shapes(workload), (False, True), strict=True):
        for shape in network:
            if len(shape) == 2:
                found.append((1, *shape))
            elif transposed:
                found.append((next(pixels), shape[2], 9 * shape[3]))
            else:
                found.append((next(pixels), 9 * shape[2], shape[3]))
    return found
