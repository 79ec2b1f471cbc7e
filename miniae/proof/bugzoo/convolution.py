"""Wrong convolutions: each docstring says in one sentence what is wrong."""

import numpy as np

from miniae.conv import Conv2D, ConvTranspose2D, adjoint, crop, kernel_gradient, pad, scatter
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.specimen import Finding, specimen


def shifted_image(cls, seed):
    """Move an image by one stride: the output of a Conv2D must move by one pixel."""
    rng = np.random.default_rng(seed)
    layer = cls(2, 3, 3, stride=2, padding=1, rng=rng)
    x = np.zeros((2, 16, 14, 2))
    x[:, 4:9, 4:8] = rng.standard_normal((2, 5, 4, 2))
    out = layer.forward(x).copy()
    moved = layer.forward(np.roll(x, (2, 2), axis=(1, 2)))
    off = np.abs(moved - np.roll(out, (1, 1), axis=(1, 2))).max()
    return Finding(bool(off > 1e-9), f"off by {off:.1e} after a move of one stride")


def adjoint_pair(cls, seed):
    """Compare <Conv2D(x), y> with <x, ConvTranspose2D(y)>, which must be equal."""
    rng = np.random.default_rng(seed)
    down, up = Conv2D(2, 3, 3, 2, 1, rng=rng), cls(3, 2, 3, 2, 1, output_padding=1)
    up.params["W"] = adjoint(down.params["W"])
    x, y = rng.standard_normal((2, 6, 8, 2)), rng.standard_normal((2, 3, 4, 3))
    here, there = np.vdot(down.forward(x), y), np.vdot(x, up.forward(y))
    wrong = abs(here - there) > 1e-9 * np.linalg.norm(x) * np.linalg.norm(y)
    return Finding(bool(wrong), f"{here:.4f} by Conv2D, {there:.4f} by its transpose")


def padded_gradient(layer, dout, W, stride):
    """Return the dx of a Conv2D with its padding, and the margins ((top, bottom), (left, right)).

    W is (k, k, c_out, c_in): the layer's own W, or a wrong version of it.
    """
    x = layer.recall(dout)
    margins = layer.margins(x.shape[1:3])
    return scatter(dout, W, stride, pad(x, margins).shape[1:3]), margins


@specimen("conv-kernel-flipped", gradient_check, Conv2D, "flipped")
class KernelFlipped(Conv2D):
    """dx turns the kernel by 180 degrees, which `scatter` has already done."""

    def backward(self, dout):
        self.backward_params(dout)
        return crop(
            *padded_gradient(self, dout, adjoint(self.params["W"])[::-1, ::-1], self.stride)
        )


@specimen("conv-overlap-overwritten", gradient_check, Conv2D, "overwritten")
class OverlapOverwritten(Conv2D):
    """dx is assigned window by window, so only the last of overlapping windows counts."""

    def backward(self, dout):
        self.backward_params(dout)
        dx, margins = padded_gradient(self, 0 * dout, adjoint(self.params["W"]), self.stride)
        for r, c in np.ndindex(dout.shape[1:3]):
            rows, columns = (slice(i * self.stride, i * self.stride + self.kernel) for i in (r, c))
            dx[:, rows, columns] = np.tensordot(dout[:, r, c], self.params["W"], (1, 3))
        return crop(dx, margins)


@specimen("conv-stride-ignored", gradient_check, Conv2D, "stride",
          "Kulbear/deep-learning-coursera, pull request 34")  # fmt: skip
class StrideIgnored(Conv2D):
    """dx places the windows side by side, but forward took them a stride apart."""

    def backward(self, dout):
        self.backward_params(dout)
        return crop(*padded_gradient(self, dout, adjoint(self.params["W"]), 1))


@specimen("conv-empty-crop", gradient_check, Conv2D, "shape", "ElefHead/numpy-cnn, issue 3")
class EmptyCrop(Conv2D):
    """The padding is removed as dx[p:-p], which is empty for p = 0."""

    def __init__(self, c_in, c_out, kernel, stride=1, padding=0, **options):
        super().__init__(c_in, c_out, kernel, stride, **options)

    def backward(self, dout):
        self.backward_params(dout)
        dx, _ = padded_gradient(self, dout, adjoint(self.params["W"]), self.stride)
        return dx[:, self.padding : -self.padding, self.padding : -self.padding]


@specimen("conv-last-rows-forgotten", gradient_check, Conv2D, "shape",
          "PKUFlyingPig/CMU10-714, issue 6")  # fmt: skip
class LastRowsForgotten(Conv2D):
    """dx ends where the last window ends, though x has rows that no window reached."""

    def backward(self, dout):
        self.backward_params(dout)
        size = [(n - 1) * self.stride + self.kernel for n in dout.shape[1:3]]
        dx = scatter(dout, adjoint(self.params["W"]), self.stride, size)
        return crop(dx, self.margins(size))


@specimen("conv-dx-shifted", gradient_check, Conv2D, "padding")
class PaddingNotStripped(Conv2D):
    """dx is cut to the size of x from its corner, so it still contains the padding before x."""

    def backward(self, dout):
        self.backward_params(dout)
        dx, _ = padded_gradient(self, dout, adjoint(self.params["W"]), self.stride)
        return dx[:, : self.cache.shape[1], : self.cache.shape[2]]


@specimen("conv-channels-transposed", gradient_check, Conv2D, "transposed", square=True)
class ChannelsTransposed(Conv2D):
    """dx uses W_ij instead of W_ij^T; with as many channels out as in, the shapes still fit."""

    def backward(self, dout):
        self.backward_params(dout)
        return crop(*padded_gradient(self, dout, self.params["W"], self.stride))


@specimen("conv-dw-unpadded", gradient_check, Conv2D, "padding")
class KernelGradientUnpadded(Conv2D):
    """dW takes its windows from x without the padding before it: all are too far down and right."""

    def backward_params(self, dout):
        super().backward_params(dout)
        ends = [(0, sum(zeros)) for zeros in self.margins(self.cache.shape[1:3])]
        self.grads["W"] = kernel_gradient(pad(self.cache, ends), dout, self.kernel, self.stride)


@specimen("conv-dw-order", gradient_check, Conv2D, "order", "nntrainer/nntrainer, issue 705")
class KernelGradientOrder(Conv2D):
    """dW is summed channel by channel, then reshaped as if it were pixel by pixel."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["W"] = self.grads["W"].transpose(2, 0, 1, 3).reshape(self.params["W"].shape)


@specimen("conv-db-all-channels", gradient_check, Conv2D, "wrong axis")
class BiasGradientAllChannels(Conv2D):
    """db sums dout over all axes, so all channels get the same value."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["b"][...] = dout.sum()


@specimen("conv-rows-misplaced", shifted_image, Conv2D,
          source="mengxinZHANG/numpy-realizes-CNN, issue 2")  # fmt: skip
class RowsMisplaced(Conv2D):
    """Rows of out are counted in pixels of x: with a stride they are too low, or missing."""

    def forward(self, x, training=False):
        out = super().forward(x)
        placed = np.zeros_like(out)
        placed[:, :: self.stride] = out[:, : -(-out.shape[1] // self.stride)]
        return self.remember(self.cache, placed)

    def backward(self, dout):
        self.backward_params(dout)
        return crop(
            *padded_gradient(self, self.found(dout), adjoint(self.params["W"]), self.stride)
        )

    def backward_params(self, dout):
        super().backward_params(self.found(dout))

    def found(self, dout):
        """Return dout with its rows where they were before they were misplaced."""
        rows, back = dout[:, :: self.stride], np.zeros_like(dout)
        back[:, : rows.shape[1]] = rows
        return back


@specimen("conv-transpose-zero-rows", adjoint_pair, ConvTranspose2D,
          source="mila-iqia/myia, pull request 338, of apache/tvm")  # fmt: skip
class ZeroRows(ConvTranspose2D):
    """output_padding appends a row and a column of zeros, instead of computed values."""

    def forward(self, x, training=False):
        return self.remember(x, self.without_last(super().forward(x)))

    def backward(self, dout):
        return super().backward(self.without_last(dout))

    def backward_params(self, dout):
        super().backward_params(self.without_last(dout))

    def without_last(self, image):
        """Return a copy with zeros in the last row and the last column."""
        return pad(image[:, :-1, :-1], ((0, 1), (0, 1)))
