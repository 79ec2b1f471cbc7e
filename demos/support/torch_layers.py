"""PyTorch's counterparts of miniae's layers, from the arguments in a saved file.

Images are (n, c, h, w) in PyTorch, here (n, h, w, c). Signals stay (n, T, c), as for nn.LSTM.
"""

import math

import torch.nn.functional as F
from torch import nn


class Reshape(nn.Module):
    """miniae's Reshape, which has channels last, between PyTorch images, which have them first."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        """x (n, ...) -> (n, *shape), images as (n, c, h, w)."""
        x = x.movedim(1, -1) if x.ndim == 4 else x
        x = x.reshape(len(x), *self.shape)
        return x.movedim(-1, 1) if x.ndim == 4 else x


def same_padding(size, kernel, stride):
    """Return how many zeros "same" adds on the left, right, top and bottom; the odd one last."""
    zeros = [max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in reversed(size)]
    return [part for extra in zeros for part in (extra // 2, extra - extra // 2)]


class SameConv2d(nn.Conv2d):
    """Conv2D with padding="same", which nn.Conv2d supports for stride 1 only."""

    def forward(self, x):
        """x (n, c_in, h, w) -> out (n, c_out, ceil(h / stride), ceil(w / stride))."""
        return super().forward(
            F.pad(x, same_padding(x.shape[2:], self.kernel_size[0], self.stride[0]))
        )


class SameConvTranspose2d(nn.ConvTranspose2d):
    """ConvTranspose2D with padding="same": it removes the zeros that Conv2D adds."""

    def forward(self, x):
        """x (n, c_in, h, w) -> out (n, c_out, h * stride, w * stride)."""
        size = [n * self.stride[0] for n in x.shape[2:]]
        left, _, top, _ = same_padding(size, self.kernel_size[0], self.stride[0])
        return super().forward(x)[:, :, top : top + size[0], left : left + size[1]]


def convolution(a):
    """Return the counterpart of a Conv2D with arguments a."""
    sizes = a["c_in"], a["c_out"], a["kernel"], a["stride"]
    bias = a.get("bias", True)
    if a["padding"] == "same":
        return SameConv2d(*sizes, bias=bias)
    return nn.Conv2d(*sizes, a["padding"], bias=bias)


def transposed_convolution(a):
    """Return the counterpart of a ConvTranspose2D with arguments a."""
    sizes, rest = (a["c_in"], a["c_out"], a["kernel"], a["stride"]), a["output_padding"]
    if a["padding"] == "same":
        beyond = max(a["stride"] - a["kernel"], 0)  # pixels that no window covers: bias only
        return SameConvTranspose2d(*sizes, output_padding=beyond, bias=a.get("bias", True))
    rest = tuple(rest) if isinstance(rest, list) else rest
    return nn.ConvTranspose2d(*sizes, a["padding"], rest, bias=a.get("bias", True))


class Signals:
    """A convolution of signals (n, T, c), which nn.Conv1d takes as (n, c, T)."""

    def forward(self, x):
        """x (n, T, c_in) -> out (n, steps, c_out)."""
        return super().forward(x.movedim(-1, 1)).movedim(1, -1)


class Conv1d(Signals, nn.Conv1d):
    """Conv1D with a number as padding."""


class ConvTranspose1d(Signals, nn.ConvTranspose1d):
    """ConvTranspose1D with a number as padding."""


class Rows:
    """A normalisation of rows of channels: of rows, signals (n, T, c) and images (n, c, h, w)."""

    def forward(self, x):
        """x -> out of the same shape."""
        last = x.movedim(1, -1) if x.ndim == 4 else x
        out = super().forward(last.reshape(-1, last.shape[-1])).reshape(last.shape)
        return out.movedim(-1, 1) if x.ndim == 4 else out


class BatchNorm(Rows, nn.BatchNorm1d):
    """BatchNorm; `momentum` and the unbiased running variance are PyTorch's in both."""


class LayerNorm(Rows, nn.LayerNorm):
    """LayerNorm over the channels."""


class SameMaxPool2d(nn.MaxPool2d):
    """MaxPool2D with padding="same"."""

    def forward(self, x):
        """x (n, c, h, w) -> out (n, c, ceil(h / size), ceil(w / size))."""
        zeros = same_padding(x.shape[2:], self.kernel_size, self.kernel_size)
        return super().forward(F.pad(x, zeros, value=-math.inf))


def signal_convolution(a):
    """Return the counterpart of a Conv1D or, if it has an output_padding, of its transpose."""
    if a["padding"] == "same":
        raise ValueError('padding="same" of signals has no counterpart here: see SameConv2d')
    sizes, bias = (
        (a["c_in"], a["c_out"], a["kernel"], a["stride"], a["padding"]),
        a.get("bias", True),
    )
    if "output_padding" in a:
        return ConvTranspose1d(*sizes, a["output_padding"], bias=bias)
    return Conv1d(*sizes, bias=bias)


def max_pooling(a):
    """Return the counterpart of a MaxPool2D with arguments a."""
    return (SameMaxPool2d if a["padding"] == "same" else nn.MaxPool2d)(a["size"])


# The counterpart of each layer class, as a function of the layer's arguments.
COUNTERPARTS = {
    "BatchNorm": lambda a: BatchNorm(a["n_features"], a["eps"], a["momentum"]),
    "Conv1D": signal_convolution,
    "Conv2D": convolution,
    "ConvTranspose1D": signal_convolution,
    "ConvTranspose2D": transposed_convolution,
    "Dense": lambda a: nn.Linear(a["n_in"], a["n_out"], bias=a.get("bias", True)),
    "Dropout": lambda a: nn.Dropout(a["p"]),
    "ELU": lambda a: nn.ELU(a["alpha"]),
    "Flatten": lambda a: Reshape(-1),
    "GELU": lambda a: nn.GELU(approximate="tanh"),
    "LayerNorm": lambda a: LayerNorm(a["n_features"], a["eps"]),
    "LeakyReLU": lambda a: nn.LeakyReLU(a["slope"]),
    "MaxPool2D": max_pooling,
    "ReLU": lambda a: nn.ReLU(),
    "Reshape": lambda a: Reshape(*a["shape"]),
    "Sequential": lambda a: nn.Sequential(*map(counterpart, a["layers"])),
    "Sigmoid": lambda a: nn.Sigmoid(),
    "Softplus": lambda a: nn.Softplus(threshold=40),  # out = x above it; 20 gives an error of 2e-9
    "Tanh": lambda a: nn.Tanh(),
    "UpSample2D": lambda a: nn.Upsample(scale_factor=a["size"]),
}
# The axes of miniae's W in the order of the weight of each PyTorch layer.
AXES = {
    nn.Linear: (1, 0),
    nn.Conv1d: (2, 1, 0),
    nn.Conv2d: (3, 2, 0, 1),
    nn.ConvTranspose1d: (1, 2, 0),
    nn.ConvTranspose2d: (2, 3, 0, 1),
    Rows: (0,),
}


def axes_of(module):
    """Return the axes of miniae's W, or gamma, in the order of the module's weight."""
    return next(axes for cls, axes in AXES.items() if isinstance(module, cls))


def counterpart(layer):
    """Return the counterpart of a layer, given as {"class": ..., "arguments": ...} in a file."""
    name, arguments = layer["class"], layer["arguments"]
    if name not in COUNTERPARTS or arguments is None:
        raise ValueError(
            f"layer {name} has no counterpart here: add a line to COUNTERPARTS, which has "
            f"{sorted(COUNTERPARTS)}"
        )
    return COUNTERPARTS[name](arguments)
