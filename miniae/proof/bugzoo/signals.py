"""Wrong convolutions of signals, pooling and upsampling: each docstring says what is wrong."""

import numpy as np

from miniae.conv import adjoint, correlate, crop, pad, scatter
from miniae.conv1d import Conv1D, ConvTranspose1D
from miniae.pooling import MaxPool2D, UpSample2D
from miniae.proof.bugzoo.instruments import gradient_check
from miniae.proof.bugzoo.specimen import specimen


class SlipConv1D(Conv1D):
    """Base of the wrong Conv1D: dx is `dx_padded` without the frame."""

    def backward(self, dout):
        self.backward_params(dout)
        margins = self.margins(self.cache.shape[1:-1])
        size = self.cache.shape[1] + sum(margins[0])
        return crop(self.dx_padded(dout, adjoint(self.params["W"]), size), margins)


@specimen("conv1d-kernel-flipped", gradient_check, Conv1D, "flipped")
class KernelFlipped(SlipConv1D):
    """dx turns the kernel round, which `scatter` has already done."""

    def dx_padded(self, dout, W, size):
        return scatter(dout, W[::-1], self.stride, [size])


@specimen("conv1d-stride-ignored", gradient_check, Conv1D, "stride")
class StrideIgnored(SlipConv1D):
    """dx places the windows side by side, but forward took them a stride apart."""

    def dx_padded(self, dout, W, size):
        return scatter(dout, W, 1, [size])


@specimen("conv1d-overlap-overwritten", gradient_check, Conv1D, "overwritten")
class OverlapOverwritten(SlipConv1D):
    """dx is assigned window by window, so only the last of overlapping windows counts."""

    def dx_padded(self, dout, W, size):
        dx = np.zeros((len(dout), size, W.shape[2]))
        for r in range(dout.shape[1]):
            start = r * self.stride
            dx[:, start : start + self.kernel] = np.tensordot(dout[:, r], W, (1, 1))
        return dx


@specimen("conv1d-frame-not-cut", gradient_check, Conv1D, "padding")
class FrameNotCut(SlipConv1D):
    """dx starts at the frame's first zero instead of the signal's first step."""

    def dx_padded(self, dout, W, size):
        (before, _), length = self.margins([size])[0], self.cache.shape[1]
        dx = scatter(dout, W, self.stride, [size])
        dx[:, before : before + length] = dx[:, :length].copy()
        return dx


@specimen("conv1d-bias-over-samples-only", gradient_check, Conv1D, "factor")
class BiasOverSamples(Conv1D):
    """db sums over samples and takes the mean over steps."""

    def backward_params(self, dout):
        super().backward_params(dout)
        self.grads["b"] = dout.sum(axis=0).mean(axis=0)


@specimen("convtranspose1d-W-not-swapped", gradient_check, ConvTranspose1D, "transposed",
          square=True)  # fmt: skip
class NotSwapped(ConvTranspose1D):
    """dx multiplies by W instead of its transpose; the sizes fit if c_in = c_out."""

    def backward(self, dout):
        self.backward_params(dout)
        return correlate(pad(dout, self.margins(dout.shape[1:-1])), self.params["W"], self.stride)


class SlipMaxPool(MaxPool2D):
    """Base of the wrong pooling: `spread` shares dout (..., 1) among the pixels of a block."""

    def backward(self, dout):
        _, _, largest = self.recall(dout)
        chosen = largest == np.arange(self.size**2)
        return self.to_image(self.spread(dout[..., None], chosen))


@specimen("maxpool-gradient-to-all", gradient_check, MaxPool2D, "all pixels")
class ToAll(SlipMaxPool):
    """Every pixel of a block gets dout, not only the largest one."""

    def spread(self, dout, chosen):
        return dout + 0.0 * chosen


@specimen("maxpool-mean", gradient_check, MaxPool2D, "mean pooling")
class AsMean(SlipMaxPool):
    """dout is shared evenly, as for mean pooling."""

    def spread(self, dout, chosen):
        return dout / chosen.shape[-1] + 0.0 * chosen


@specimen("maxpool-divided", gradient_check, MaxPool2D, "factor")
class Divided(SlipMaxPool):
    """The largest pixel gets dout / (size * size)."""

    def spread(self, dout, chosen):
        return dout * chosen / chosen.shape[-1]


@specimen("maxpool-first-pixel", gradient_check, MaxPool2D, "first pixel")
class FirstPixel(SlipMaxPool):
    """The first pixel of each block gets dout, wherever the largest is."""

    def spread(self, dout, chosen):
        return dout * (np.arange(chosen.shape[-1]) == 0)


@specimen("upsample-mean", gradient_check, UpSample2D, "factor")
class UpSampleMean(UpSample2D):
    """dx is the mean over the block; forward copied a pixel, so it is the sum."""

    def backward(self, dout):
        return super().backward(dout) / self.size**2


@specimen("upsample-first-pixel", gradient_check, UpSample2D, "one copy")
class UpSampleFirst(UpSample2D):
    """dx takes only one pixel of each block."""

    def backward(self, dout):
        self.recall(dout)
        return dout[:, :: self.size, :: self.size].copy()
