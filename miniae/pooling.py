"""Pooling and its opposite: images (n, h, w, c) become smaller or larger, without any weights."""

import numpy as np

from miniae.layers import Layer
from miniae.numerics import as_float
from miniae.plumbing.layer_checks import check_sizes, is_whole


class MaxPool2D(Layer):
    """The largest pixel of each block of size x size pixels, in each channel.

    Blocks do not overlap. If several pixels are equally large, the first one counts, row by row.

    Parameters
    ----------
    size : int, rows and columns of a block
    padding : 0 or "same"
        If h or w is not a multiple of size, 0 leaves out the rows and columns that do not fill a
        block. "same" keeps them in smaller blocks, so 7 pixels become 4 with size=2. As in Keras,
        half of the missing pixels are before the image, half after it, an odd one after it.
    """

    config = ("size", "padding")

    def __init__(self, size=2, padding=0):
        (self.size,) = check_sizes(self, size=size)
        if str(padding) != "same" and not (is_whole(padding, 0) and padding == 0):
            raise ValueError(
                f'MaxPool2D: padding={padding!r} must be 0, which Keras calls "valid", or "same"'
            )
        self.padding = padding
        super().__init__()

    def forward(self, x, training=False):
        """x (n, h, w, c) -> out (n, rows, columns, c)."""
        x = check_images(self, x)
        n, *lengths, c = x.shape
        k = self.size
        if self.padding == "same":
            blocks = [-(-length // k) for length in lengths]
        else:
            blocks = [length // k for length in lengths]
        if min(blocks) < 1:
            raise ValueError(f"{self}: x has shape {x.shape}, smaller than one block of {k} by {k}")
        # Where x lies in the frame of whole blocks; the rest of the frame is never the largest.
        starts = [max(b * k - length, 0) // 2 for b, length in zip(blocks, lengths, strict=True)]
        rows, columns = (
            slice(start, min(start + length, b * k))
            for start, length, b in zip(starts, lengths, blocks, strict=True)
        )
        frame = np.full((n, blocks[0] * k, blocks[1] * k, c), -np.inf, x.dtype)
        used = frame[:, rows, columns].shape[1:3]
        frame[:, rows, columns] = x[:, : used[0], : used[1]]
        values = in_blocks(frame, k)
        largest = values.real.argmax(axis=-1)[..., None]
        if self.padding == "same":  # if all of a block is -inf, the frame must not be chosen
            is_pixel = np.zeros((1, *frame.shape[1:3], 1), bool)
            is_pixel[:, rows, columns] = True
            is_lowest = np.take_along_axis(values.real, largest, axis=-1) == -np.inf
            first = in_blocks(is_pixel, k).argmax(axis=-1)[..., None]
            largest = np.where(is_lowest, first, largest)
        out = np.take_along_axis(values, largest, axis=-1)[..., 0]
        return self.remember((x.shape, (rows, columns), largest), out)

    def backward(self, dout):
        """dout (n, rows, columns, c) -> dx (n, h, w, c).

        out is one pixel of its block, so this pixel gets dout, with slope 1, and the others get 0.
        Which one it is does not change for a small change of x, unless two are equal: there the
        maximum has no derivative, and the first one gets all of dout, as in PyTorch.
        """
        _, _, largest = self.recall(dout)
        dvalues = np.zeros((*dout.shape, self.size**2), dout.dtype)
        np.put_along_axis(dvalues, largest, dout[..., None], axis=-1)
        return self.to_image(dvalues)

    def to_image(self, dvalues):
        """Put values (n, rows, columns, c, size * size) where forward took its blocks from x."""
        shape, (rows, columns), _ = self.cache
        used = from_blocks(dvalues, self.size)[:, rows, columns]
        dx = np.zeros(shape, dvalues.dtype)
        dx[:, : used.shape[1], : used.shape[2]] = used
        return dx


class UpSample2D(Layer):
    """Each pixel becomes a block of size x size equal pixels (nearest neighbour).

    Parameters
    ----------
    size : int, rows and columns of a block
    """

    config = ("size",)

    def __init__(self, size=2):
        (self.size,) = check_sizes(self, size=size)
        super().__init__()

    def forward(self, x, training=False):
        """x (n, h, w, c) -> out (n, size h, size w, c)."""
        x = check_images(self, x)
        out = x.repeat(self.size, axis=1).repeat(self.size, axis=2)
        return self.remember(x.shape, out)

    def backward(self, dout):
        """dout (n, size h, size w, c) -> dx: a pixel acts on its whole block, so dx is the sum."""
        n, h, w, c = self.recall(dout)
        return dout.reshape(n, h, self.size, w, self.size, c).sum(axis=(2, 4))


def in_blocks(images, k):
    """Images (n, h, w, c) -> (n, h / k, w / k, c, k * k): the pixels of each block, by rows."""
    n, h, w, c = images.shape
    blocks = images.reshape(n, h // k, k, w // k, k, c).transpose(0, 1, 3, 5, 2, 4)
    return blocks.reshape(n, h // k, w // k, c, k * k)


def from_blocks(blocks, k):
    """Undo `in_blocks`."""
    n, rows, columns, c, _ = blocks.shape
    images = blocks.reshape(n, rows, columns, c, k, k).transpose(0, 1, 4, 2, 5, 3)
    return images.reshape(n, rows * k, columns * k, c)


def check_images(layer, x):
    """Return x as floats; raise ValueError unless it has the shape of images."""
    x = as_float(x)
    if x.ndim != 4 or not x.size:
        hint = "; x[..., None] adds a channel to grey images" if x.ndim == 3 else ""
        raise ValueError(f"{layer}: x must have shape (n, h, w, c), got {x.shape}{hint}")
    return x
