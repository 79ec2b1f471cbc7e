"""Grey levels and colours of a picture, and its tiles, coloured as a chessboard."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from support.photographs import GREY, SIZE

TILE = 32  # pixels, of the side of a tile; a multiple of SIZE


def split(image):
    """Return the grey levels (...) and the colours (..., 2) of an image (..., 3).

    The colours are red minus grey and blue minus grey.
    """
    grey = image @ GREY
    return grey, image[..., [0, 2]] - grey[..., None]


def join(grey, colours):
    """Return the image (..., 3) in [0, 1] of grey levels and colours: the inverse of `split`."""
    red, blue = np.moveaxis(grey[..., None] + colours, -1, 0)
    green = (grey - GREY[0] * red - GREY[2] * blue) / GREY[1]
    return np.stack([red, green, blue], axis=-1).clip(0, 1)


class Chessboard:
    """The tiles of a picture (height, width, 3); what is left over at the edges is cut off.

    Attributes
    ----------
    tiles : (rows, columns, TILE, TILE, 3)
    black : (rows, columns) bool
    """

    def __init__(self, image):
        rows, columns = image.shape[0] // TILE, image.shape[1] // TILE
        image = image[: rows * TILE, : columns * TILE]
        self.tiles = image.reshape(rows, TILE, columns, TILE, 3).swapaxes(1, 2)
        self.black = np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 1

    def patches(self, black, step):
        """Return patches (n, SIZE, SIZE, 3), one every `step` pixels, of the tiles of one colour.

        A patch is within its tile. So patches of two tiles have no pixel in common.
        """
        tiles = self.tiles[self.black == black]
        windows = sliding_window_view(tiles, (SIZE, SIZE), axis=(1, 2))[:, ::step, ::step]
        return np.moveaxis(windows, 3, -1).reshape(-1, SIZE, SIZE, 3)

    def picture(self, white, black):
        """Return the picture that has these patches, cut with step SIZE, on its tiles."""
        side, tiles = TILE // SIZE, np.empty_like(self.tiles)
        for rows, patches in ((~self.black, white), (self.black, black)):
            blocks = patches.reshape(-1, side, side, SIZE, SIZE, 3).swapaxes(2, 3)
            tiles[rows] = blocks.reshape(-1, TILE, TILE, 3)
        height, width = (TILE * n for n in self.black.shape)
        return tiles.swapaxes(1, 2).reshape(height, width, 3)
