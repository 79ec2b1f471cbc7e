"""Checks of a convolution."""

import copy

import numpy as np

from miniae.conv import Conv2D
from miniae.exercises.questions import FORMULAS


def conv_arguments(ask):
    """Return x (n, height, width, c_in), W (k, k, c_in, c_out), b, and a Conv2D that has them."""
    x, W = ask.rng.standard_normal((2, 8, 9, 4)), ask.rng.standard_normal((3, 3, 4, 5))
    layer = Conv2D(4, 5, kernel=3, dtype="float64")  # no two of the sizes are equal
    layer.params["W"], layer.params["b"] = W, ask.rng.standard_normal(5)
    return x, W, layer.params["b"].copy(), layer


def with_kernel(layer, W):
    """Return a copy of a convolution with another kernel."""
    other = copy.deepcopy(layer)
    other.params["W"] = W
    return other


def shares(x, W):
    """Return what each offset (a, d) of the kernel adds to out, in the order of two loops."""
    k = len(W)
    height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    return [x[:, a : a + height, d : d + width] @ W[a, d] for a in range(k) for d in range(k)]


def masks(k):
    """Return weights (k, k, 1, 1) of the kernel by key: a loop leaves out some offsets."""
    ends = {"first": 0, "last": k - 1}
    found = {}
    a, d = np.indices((k, k))
    for name, end in ends.items():
        found |= {
            f"{name}_row_missing": a != end,
            f"{name}_column_missing": d != end,
            f"{name}_row_and_column_missing": (a != end) & (d != end),
            f"only_{name}_row": a == end,
            f"only_{name}_column": d == end,
            f"only_{name}_offset": (a == end) & (d == end),
        }
    found["only_centre"] = (a == k // 2) & (d == k // 2)
    found["only_diagonal"] = a == d
    return {key: 1.0 * mask[:, :, None, None] for key, mask in found.items()}


PART_OF_KERNEL = {
    **{
        f"{name}_{part}_missing": f"the kernel lacks its {name} {part.replace('_', ' ')}: "
        f"does a loop {'begin too late' if name == 'first' else 'end too early'}?"
        for name in ("first", "last")
        for part in ("row", "column", "row_and_column")
    },
    **{
        f"only_{part}": f"only the {part.replace('_', ' ')} of the kernel is used: is a return "
        "inside a loop, or is it = where it must be +=?"
        for part in ("first_row", "last_row", "first_column", "last_column", "centre")
    },
}


WRONG_KERNELS = {
    "weight_has_a_twice": "the weight is W[a, a]: it must be W[a, d]",
    "weight_has_d_twice": "the weight is W[d, d]: it must be W[a, d]",
    "pixels_have_a_twice": "the pixels move by a along both axes: x[:, i + a, j + d]",
    "pixels_have_d_twice": "the pixels move by d along both axes: x[:, i + a, j + d]",
    "weight_squared": "the weight is squared",
    "weight_absolute": "the absolute value of the weight is taken",
}


def check_conv(ask):
    """Stride 1, no padding."""
    x, W, b, layer = conv_arguments(ask)
    k, right = len(W), layer.forward(x)
    centre = np.broadcast_to(W[k // 2, k // 2], W.shape)
    mistakes = {
        "b_at_each_offset": right + (k**2 - 1) * b,
        "b_at_each_offset_and_after": right + k**2 * b,
        "b_at_each_row": right + (k - 1) * b,
        "b_twice": right + b,
        "first_weight_for_all": lambda: with_kernel(
            layer, np.broadcast_to(W[0, 0], W.shape)
        ).forward(x),
        "last_weight_for_all": lambda: with_kernel(
            layer, np.broadcast_to(W[-1, -1], W.shape)
        ).forward(x),
        "pixels_do_not_move": x[:, : x.shape[1] - k + 1, : x.shape[2] - k + 1] @ W.sum((0, 1)) + b,
        "rows_do_not_move": with_kernel(layer, still(W, 0)).forward(x),
        "columns_do_not_move": with_kernel(layer, still(W, 1)).forward(x),
        "centre_for_all": with_kernel(layer, centre).forward(x),
        **{key: with_kernel(layer, W * mask).forward(x) for key, mask in masks(k).items()},
        **{key: with_kernel(layer, other).forward(x) for key, other in kernels(W).items()},
        "mean_over_kernel_and_channels": (right - b) / (k**2 * x.shape[3]) + b,
        "largest_over_kernel": np.max(shares(x, W), axis=0) + b,
        "largest_over_kernel_or_0": np.maximum(np.max(shares(x, W), axis=0), 0) + b,
        "b_is_subtracted": right - 2 * b,
        "b_averaged": right - b + b.mean(),
        "b_multiplied": (right - b) * b,
        "mean_over_kernel": (right - b) / k**2 + b,
        "relu_inside": np.maximum(right, 0),
        "size_too_small": right[:, :-1, :-1],
        "size_too_small_by_k": right[:, :-2, :-2],
        "stride_of_2": right[:, ::2, ::2],
        "channels_first": right.transpose(0, 3, 1, 2),
        "rows_flipped": lambda: with_kernel(layer, W[::-1]).forward(x),
        "columns_flipped": lambda: with_kernel(layer, W[:, ::-1]).forward(x),
        "summed_over_channels": right.sum(axis=3),
        "multiplied_by_c_in": (right - b) * x.shape[3] + b,
        "wraps_around": sum(
            np.roll(x, (-a, -d), axis=(1, 2)) @ W[a, d] for a in range(k) for d in range(k)
        )
        + b,
        "padded": padded(x, W, b),
        "b_is_missing": lambda: layer.forward(x) - b,
        "kernel_flipped": (lambda: with_kernel(layer, W[::-1, ::-1]).forward(x)),
        "kernel_transposed": (lambda: with_kernel(layer, W.transpose(1, 0, 2, 3)).forward(x)),
        "b_is_summed": (lambda: layer.forward(x) - b + b.sum()),
        "one_input_channel": (lambda: with_kernel(layer, W * np.eye(4)[0][:, None]).forward(x)),
    }
    ask.equal(ask("conv2d", x, W, b), right, mistakes, "out")


def still(W, axis):
    """Return the kernel of code in which the pixels do not move along an axis."""
    moved = np.zeros(W.shape)
    moved[(slice(None),) * axis + (0,)] = W.sum(axis=axis)
    return moved


def kernels(W):
    """Return the kernels of code that takes a wrong weight or pixel for an offset, by key."""
    k, (a, d) = len(W), np.indices(W.shape[:2])
    one, other = np.zeros((2, *W.shape))
    one[range(k), range(k)], other[range(k), range(k)] = W.sum(axis=1), W.sum(axis=0)
    return {
        "weight_has_a_twice": W[a, a],
        "weight_has_d_twice": W[d, d],
        "pixels_have_a_twice": one,
        "pixels_have_d_twice": other,
        "weight_squared": W**2,
        "weight_absolute": np.abs(W),
    }


def padded(x, W, b):
    """Return the convolution of x with a border of zeros, in the size of x."""
    return sum(shares(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), W)) + b


def dw_of(x, dout, k):
    """Return dW of some samples."""
    height, width = dout.shape[1:3]
    return np.array(
        [
            [
                np.tensordot(x[:, a : a + height, d : d + width], dout, ((0, 1, 2), (0, 1, 2)))
                for d in range(k)
            ]
            for a in range(k)
        ]
    )


def of_ones(x, dout, k):
    """Return dx with a kernel of ones."""
    return with_gradient(np.ones((k, k, x.shape[3], dout.shape[3])), x, dout)


def with_gradient(W, x, dout):
    """Return dx with another kernel."""
    found = np.zeros(x.shape)
    height, width = dout.shape[1:3]
    for a in range(len(W)):
        for d in range(len(W)):
            found[:, a : a + height, d : d + width] += dout @ W[a, d].T
    return found


def check_conv_backward(ask):
    """dx, dW and db of the same convolution."""
    x, W, _, layer = conv_arguments(ask)
    dout = ask.rng.standard_normal(layer.forward(x).shape)
    dx = layer.backward(dout)
    dW, db = layer.grads["W"].copy(), layer.grads["b"].copy()

    def flipped():
        other = with_kernel(layer, W[::-1, ::-1])
        other.forward(x)
        return other.backward(dout)

    k = len(W)
    height, width = dout.shape[1:3]
    overwritten, exchanged = np.zeros((2, *x.shape))
    for a in range(k):
        for d in range(k):
            part = dout @ W[a, d].T
            overwritten[:, a : a + height, d : d + width] = part
            exchanged[:, d : d + height, a : a + width] += part
    n, centre = len(x), np.broadcast_to(W[k // 2, k // 2], W.shape)
    parts = masks(k)
    first = parts.pop("only_first_offset")
    mistakes = {
        "dx": {
            "dx_of_first_offset": with_gradient(W * first, x, dout),
            "dx_overwritten": overwritten,
            "dx_offsets_exchanged": exchanged,
            "dx_kernel_transposed": (lambda: with_gradient(W.transpose(1, 0, 2, 3), x, dout)),
            "dx_first_weight_for_all": with_gradient(np.broadcast_to(W[0, 0], W.shape), x, dout),
            "dx_last_weight_for_all": with_gradient(np.broadcast_to(W[-1, -1], W.shape), x, dout),
            "dx_centre_for_all": with_gradient(centre, x, dout),
            "dx_does_not_move": with_gradient(still(still(W, 0), 1), x, dout),
            "dx_rows_do_not_move": with_gradient(still(W, 0), x, dout),
            "dx_columns_do_not_move": with_gradient(still(W, 1), x, dout),
            "dx_rows_flipped": with_gradient(W[::-1], x, dout),
            "dx_columns_flipped": with_gradient(W[:, ::-1], x, dout),
            **{f"dx_{key}": with_gradient(W * mask, x, dout) for key, mask in parts.items()},
            **{f"dx_{key}": with_gradient(V, x, dout) for key, V in kernels(W).items()},
            "dx_is_divided_by_n": dx / n,
            "dx_is_mean_over_pixels": dx / (height * width),
            "dx_is_mean_over_kernel": dx / k**2,
            "dx_times_x": dx * x,
            "dx_without_w": of_ones(x, dout, k),
            "dx_flipped": (flipped),
        },
        "dW": {
            "dw_of_first_offset": dW * first,
            "dw_rows_flipped": dW[::-1],
            "dw_columns_flipped": dW[:, ::-1],
            "dw_rows_do_not_move": np.broadcast_to(dW[:1], dW.shape),
            "dw_columns_do_not_move": np.broadcast_to(dW[:, :1], dW.shape),
            **{f"dw_{key}": dW * mask for key, mask in parts.items()},
            "dw_written_to_first": dW[-1, -1] * first,
            "dw_added_to_first": dW.sum(axis=(0, 1)) * first,
            "dw_adds_up": dW[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1],
            "dw_is_mean": dW / n,
            "dw_is_mean_over_pixels": dW / (height * width),
            "dw_is_mean_over_all": dW / (n * height * width),
            "dw_transposed": dW.transpose(1, 0, 2, 3),
            "dw_of_last_sample": dw_of(x[-1:], dout[-1:], k),
            "dw_of_first_sample": dw_of(x[:1], dout[:1], k),
            "dw_same_for_all_offsets": np.broadcast_to(dW[0, 0], dW.shape),
            "dw_of_last_for_all_offsets": np.broadcast_to(dW[-1, -1], dW.shape),
            "dw_without_dout": np.broadcast_to(
                dw_of(x, np.ones((*dout.shape[:3], 1)), k), dW.shape
            ),
            "dw_times_w": dW * W,
            "dw_flipped": dW[::-1, ::-1],
        },
        "db": {
            "db_over_samples_only": dout.sum(axis=0),
            "db_of_each_sample": dout.sum(axis=(1, 2)),
            "db_mean_over_samples": dout.sum(axis=(1, 2)).mean(axis=0),
            "db_mean_over_pixels": dout.mean(axis=(1, 2)).sum(axis=0),
            "db_of_first_sample": dout[0].sum(axis=(0, 1)),
            "db_of_each_pixel": dout,
            "db_times_kernel": dout.sum(axis=(0, 1, 2)) * k**2,
            "db_keepdims": dout.sum(axis=(0, 1, 2), keepdims=True),
            "db_is_mean": (dout.mean(axis=(0, 1, 2))),
            "db_is_one_number": dout.sum(),
            "db_over_channels": dout.sum(axis=(1, 2, 3)),
            FORMULAS: [({"db": "sum(dout, axis=0)"}, {"dout": dout.reshape(-1, dout.shape[3])})],
        },
    }
    got = ask("conv2d_backward", dout, x, W)
    ask.equal(got, {"dx": dx, "dW": dW, "db": db}, mistakes)


EXERCISES = {
    "convolution": {
        "title": "A convolution, forward and backward",
        "minutes": 45,
        "parts": {"conv2d": check_conv, "conv2d_backward": check_conv_backward},
        "mistakes": {
            **PART_OF_KERNEL,
            **{f"dx_{key}": f"in dx {words}" for key, words in PART_OF_KERNEL.items()},
            **{f"dw_{key}": f"in dW {words}" for key, words in PART_OF_KERNEL.items()},
            "dx_only_last_offset": "dx has the last offset only: it must be +=",
            "dx_only_diagonal": "dx has the offsets with a = d only: use two loops",
            "dw_only_last_offset": "dW has the last offset only: is a line outside the loop?",
            "dw_only_diagonal": "dW has the offsets with a = d only: use two loops",
            **WRONG_KERNELS,
            **{f"dx_{key}": f"in dx {words}" for key, words in WRONG_KERNELS.items()},
            "mean_over_kernel_and_channels": "it is a mean over offsets and channels: take the sum",
            "largest_over_kernel": "the largest of the offsets is taken: take their sum",
            "largest_over_kernel_or_0": "the largest of the offsets is taken: take their sum",
            "dw_written_to_first": "everything is written to dW[0, 0]: write to dW[a, d]",
            "dw_added_to_first": "everything is added to dW[0, 0]: write to dW[a, d]",
            "dw_adds_up": "dW[a, d] also has other offsets: is a slice of dW written?",
            "db_over_channels": "db is summed over the channels: they must stay",
            "rows_do_not_move": "the rows do not move with a: x[:, i + a, j + d]",
            "columns_do_not_move": "the columns do not move with d: x[:, i + a, j + d]",
            "centre_for_all": "all offsets have the weight of the centre: each has its own W[a, d]",
            "dx_centre_for_all": "all offsets have the weight of the centre in dx",
            "dx_does_not_move": "the pixels of dx do not move with a and d: dx[:, i + a, j + d]",
            "dx_rows_do_not_move": "the rows of dx do not move with a: dx[:, i + a, j + d]",
            "dx_columns_do_not_move": "the columns of dx do not move with d: dx[:, i + a, j + d]",
            "dx_rows_flipped": "the rows of the kernel are flipped in dx",
            "dx_columns_flipped": "the columns of the kernel are flipped in dx",
            "dw_rows_flipped": "the rows of dW are flipped",
            "dw_columns_flipped": "the columns of dW are flipped",
            "dw_rows_do_not_move": "the rows of x do not move with a in dW: x[:, i + a, j + d]",
            "dw_columns_do_not_move": (
                "the columns of x do not move with d in dW: x[:, i + a, j + d]"
            ),
            "first_weight_for_all": "all offsets have the weight W[0, 0]: each has its own W[a, d]",
            "last_weight_for_all": "all offsets have the last weight: each has its own W[a, d]",
            "pixels_do_not_move": "the pixels do not move with a and d: x[:, i + a, j + d]",
            "dx_first_weight_for_all": "all offsets have the weight W[0, 0] in dx",
            "dx_last_weight_for_all": "all offsets have the last weight in dx",
            "b_at_each_offset_and_after": (
                "b is added at each of the k^2 offsets, and once more: add it once, after the loops"
            ),
            "b_twice": "b is added twice",
            "b_at_each_offset": (
                "b is added at each of the k^2 offsets: add it once, after the loops"
            ),
            "b_at_each_row": "b is added k times: add it once, after the loops",
            "b_is_subtracted": "b is subtracted: add it",
            "b_averaged": "the mean of b is added: each output channel has its own b",
            "b_multiplied": "b is multiplied: add it",
            "only_last_offset": "only the last offset is there: out is overwritten, add to it",
            "only_first_offset": "only the first offset is there: is the return inside the loop?",
            "only_last_row": (
                "only the last row of the kernel is there: is out set to 0 in the loop?"
            ),
            "only_diagonal": "only the offsets with a = d are there: use two loops",
            "mean_over_kernel": "it is divided by k^2: take the sum over the offsets",
            "relu_inside": "a convolution is linear: ReLU is a separate layer",
            "size_too_small": "the last row and column are missing: the size is h - k + 1",
            "size_too_small_by_k": "two rows and columns are missing: the size is h - k + 1",
            "stride_of_2": "this is a convolution with stride 2: the stride is 1",
            "channels_first": "the channels come second: here they come last",
            "rows_flipped": "the rows of the kernel are flipped",
            "columns_flipped": "the columns of the kernel are flipped",
            "summed_over_channels": "it is summed over the output channels: keep them apart",
            "multiplied_by_c_in": "it is multiplied by the number of input channels",
            "wraps_around": "the image wraps around its border: out has h - k + 1 rows",
            "padded": "the image is padded with zeros: here there is no padding",
            "dx_overwritten": "dx is overwritten at each offset: it must be +=",
            "dx_of_first_offset": "dx has the first offset only: is the return inside the loop?",
            "dx_offsets_exchanged": (
                "rows and columns are exchanged in dx: a is for rows, d for columns"
            ),
            "dx_kernel_transposed": "rows and columns of the kernel are exchanged in dx",
            "dx_is_divided_by_n": "dx is divided by n: dout already contains the 1 / n of the loss",
            "dx_is_mean_over_pixels": "dx is divided by the number of pixels: take the sum",
            "dx_is_mean_over_kernel": "dx is divided by k^2: take the sum over the offsets",
            "dx_times_x": "dx has a factor x: the slope of x W in x is W",
            "dx_without_w": "W is missing in dx",
            "dw_is_mean_over_pixels": "dW is a mean over pixels: take the sum",
            "dw_is_mean_over_all": "dW is a mean over samples and pixels: take the sum",
            "dw_transposed": "rows and columns are exchanged in dW: a is for rows, d for columns",
            "dw_of_last_sample": "dW is that of the last sample only: is it = where it must be +=?",
            "dw_of_first_sample": "dW is that of the first sample only: sum over the samples",
            "dw_of_first_offset": "dW has the first offset only: is the return inside the loop?",
            "dw_same_for_all_offsets": "dW is the same at all offsets: move the pixels by a and d",
            "dw_of_last_for_all_offsets": "dW is the same at all offsets: write to dW[a, d]",
            "dw_without_dout": "dout is missing in dW",
            "dw_times_w": "dW has a factor W: the slope of x W in W is x",
            "db_of_each_sample": "db is not summed over the samples",
            "db_mean_over_samples": "db is a mean over samples: take the sum",
            "db_mean_over_pixels": "db is a mean over pixels: take the sum",
            "db_of_first_sample": "db is that of the first sample only: sum over the samples",
            "db_of_each_pixel": "db is not summed: sum db over samples, rows and columns",
            "db_times_kernel": "db is added at each of the k^2 offsets: add it once",
            "db_keepdims": "db has too many axes: without keepdims it has the shape of b",
            "b_is_missing": "b is missing",
            "kernel_flipped": (
                "the kernel is flipped: out[i, j] is the sum of x[i + a, j + d] W[a, d]"
            ),
            "kernel_transposed": "rows and columns of the kernel are exchanged",
            "b_is_summed": "b is summed: each output channel has its own b",
            "one_input_channel": (
                "only the first input channel is used: sum over all input channels"
            ),
            "dx_flipped": (
                "the kernel is flipped in dx: dout[i, j] times W[a, d] goes to dx[i + a, j + d]"
            ),
            "dw_is_mean": "dW is divided by n: dout already contains the 1 / n of the loss",
            "dw_flipped": "dW is flipped: x[i + a, j + d] dout[i, j] goes to dW[a, d]",
            "db_over_samples_only": "sum db over samples, rows and columns",
            "db_is_mean": "db is a mean: b is added to every pixel, so its gradient is the sum",
            "db_is_one_number": "db is one number: keep the axis of the channels",
        },
        "hints": (
            "out[:, i, j] = sum over a, d of x[:, i + a, j + d] @ W[a, d], plus the bias. Loop "
            "over the k times k offsets (a, d), not over pixels.",
            "For one offset, take the pixels x[:, a : a + out_h, d : d + out_w]. These pixels @ "
            "W[a, d] have the shape (n, out_h, out_w, c_out).",
            "Backward, for each offset: add dout @ W[a, d].T to dx at these pixels. dW[a, d] is "
            "the sum over samples, rows and columns of the pixels times dout.",
        ),
    },
}
