"""Convolutions along time: layers that apply the same weights to every short window of a signal.

Signals are (n, T, c): samples, steps, channels. The code is that of `miniae.conv`, where images
have two axes that a window moves along. Signals have one.
"""

from miniae.conv import Conv2D, ConvTranspose2D


class Conv1D(Conv2D):
    """Each step of out is a weighted sum of a window: out_r = b + sum_i x_(rs+i) W_i.

    s is the stride, x_t and out_r are vectors of channels, and W_i is a matrix. out has
    (T + 2 padding - kernel) // stride + 1 steps, or ceil(T / stride) if padding is "same".
    `forward` takes x (n, T, c_in) and returns (n, steps, c_out).

    Parameters
    ----------
    c_in, c_out : int, channels in and out
    kernel, stride : int, steps of a window, and from one window to the next
    padding : int >= 0, zeros at both ends of the signal, or "same"
    bias, init, rng, dtype : as in Conv2D

    Attributes
    ----------
    params, grads : W of shape (kernel, c_in, c_out), b of shape (c_out,)
    """

    n_axes, shape_of_x = 1, "n, T"


class ConvTranspose1D(ConvTranspose2D):
    """Each step of x adds to a window of out: out_(rs+i) += x_r W_i; then b everywhere.

    It is the adjoint of Conv1D: it restores the length that a Conv1D with the same arguments made
    shorter. out has (T - 1) stride - 2 padding + kernel + output_padding steps, or T * stride if
    padding is "same".

    Parameters
    ----------
    c_in, c_out, kernel, stride, padding, bias, init, rng, dtype : as in Conv1D
        padding is cut off at both ends here.
    output_padding : int, 0 or more, below the stride
        A Conv1D maps up to `stride` lengths to the same length. This chooses one of them.

    Attributes
    ----------
    params, grads : W of shape (kernel, c_in, c_out), b of shape (c_out,)
    """

    n_axes, shape_of_x = 1, "n, T"
