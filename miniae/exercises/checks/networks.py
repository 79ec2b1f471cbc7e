"""Checks of whole networks, of dropout and of a convolution."""

import copy

import numpy as np

from miniae.conv import Conv2D
from miniae.exercises.questions import Wrong, agree, compare, differs, numbers, unpack
from miniae.layers import Dense, Tanh


def stack(rng, width=4):
    """Return layers of equal width: in a wrong order they run too, and give wrong numbers."""
    first, second, third = (Dense(width, width, dtype="float64") for _ in range(3))
    layers = [first, Tanh(), second, Tanh(), third]
    for layer in layers:
        layer.theta = rng.standard_normal(layer.theta.shape)
    return layers


def run(layers, x):
    """Return the output of the last layer."""
    for layer in layers:
        x = layer.forward(x)
    return x


def grads(layers):
    """Return the gradients of all layers as one vector."""
    return np.concatenate([layer.dtheta for layer in layers])


def backprop(layers, dout):
    """Return dx, and fill the gradients of the layers."""
    for layer in reversed(layers):
        dout = layer.backward(dout)
    return dout


def check_chain_forward(ask):
    """Each layer takes the output of the layer before it."""
    layers, x = stack(ask.rng), ask.rng.standard_normal((3, 4))
    mistakes = {
        "every layer gets x: give each layer the output of the layer before it": layers[-1].forward(
            x
        ),
        "the layers run in reverse order": run(layers[::-1], x),
        "the last layer is left out": run(layers[:-1], x),
    }
    got = ask("forward", copy.deepcopy(layers), x)
    ask.equal(got, run(layers, x), mistakes, "out")


def check_chain_backward(ask):
    """Layers in reverse order; each gets the dx of the layer after it."""
    layers, x = stack(ask.rng), ask.rng.standard_normal((3, 4))
    dout = ask.rng.standard_normal(run(layers, x).shape)
    theirs, wrong = copy.deepcopy(layers), copy.deepcopy(layers)
    run(wrong, x)
    dx = backprop(layers, dout)
    backprop(wrong[::-1], dout)
    first_to_last = grads(wrong)
    for layer in wrong:
        layer.backward(dout)
    same_dout = grads(wrong)
    known = {
        "the layers run from the first to the last: in backward start with the last": (
            first_to_last
        ),
        "every layer gets the dout of the loss: give each layer the dx of the layer after it": (
            same_dout
        ),
    }
    run(theirs, x)
    got = ask("backward", theirs, dout)
    for words, vector in known.items():
        if agree(grads(theirs), vector) and not agree(vector, grads(layers)):
            raise Wrong(f"{words}. The gradients of the weights are wrong")
    mistakes = {
        "this is the dout of the first layer: return the dx of the first layer": (
            backprop(layers[1:], dout)
        ),
        "this is dout itself: return the dx of the first layer": dout,
    }
    ask.equal(got, dx, mistakes, "dx")
    compare("the gradient of all weights", grads(theirs), grads(layers), {})


def check_train_step(ask):
    """One step of gradient descent on the squared error."""
    layers, x = stack(ask.rng), ask.rng.standard_normal((3, 4))
    lr, theirs = ask.rng.uniform(0.01, 0.02), copy.deepcopy(layers)
    before = np.concatenate([layer.theta for layer in layers])
    error = run(layers, x) - x
    backprop(layers, 2 * error / len(x))
    gradient = grads(layers)
    got = ask("train_step", theirs, x, lr)
    loss, after = (error**2).sum() / len(x), np.concatenate([layer.theta for layer in theirs])
    if np.array_equal(after, before):
        raise Wrong("the weights have not changed: layer.theta -= lr * layer.dtheta for each layer")
    mistakes = {
        "lr times the gradient is added, so the loss grows: subtract it": before + lr * gradient,
        "lr is missing": before - gradient,
        "the 1/n of the loss is missing in the gradient": before - lr * len(x) * gradient,
        "the factor 2 of the square is missing in the gradient": before - 0.5 * lr * gradient,
        "the gradient is divided by the number of all entries: divide by n only": (
            before - lr * gradient / x.shape[1]
        ),
    }
    compare("the weights after the step", after, before - lr * gradient, mistakes)
    mistakes = {
        "it is the loss after the step: return the loss before the step": (
            ((run(theirs, x) - x) ** 2).sum() / len(x)
        ),
        "it is also a mean over features: take the sum over features, the mean over samples": (
            (error**2).mean()
        ),
        "it is a sum over samples: take the mean over samples": (error**2).sum(),
    }
    compare("the loss", got, loss, mistakes)


def check_dropout(ask):
    """The student draws which entries are dropped; we check what must hold for any draw."""
    p, seed = ask.rng.uniform(0.2, 0.4), int(ask.rng.integers(1000))
    x, keep = ask.rng.uniform(1, 2, (200, 30)), 1 - p

    def draw(seed=seed, training=True):
        answer = ask("dropout", x, p, np.random.default_rng(seed), training)
        out, mask = unpack(answer, {"out": x, "mask": x})
        return numbers(out, "out"), numbers(mask, "mask")

    out, mask = draw()
    if out.shape != x.shape:
        raise Wrong(differs("out", out, x))
    if not np.isfinite(out).all():
        raise Wrong("out has NaN or infinity in it")
    dropped = out == 0
    zeros = dropped.mean()
    bound = 6 * np.sqrt(p * keep / x.size)  # six standard deviations of a share
    if zeros in (0, 1):
        entry = "every entry" if zeros else "no entry"
        raise Wrong(f"{entry} of out is 0 in training, but a share of p = {p:.2f} should be 0")
    by_row, by_column = ((dropped.all(axis) == dropped.any(axis)).all() for axis in (1, 0))
    if by_row or by_column:
        what = "a whole row" if by_row else "a whole column"
        raise Wrong(
            f"{what} is dropped or kept together: draw a number for every entry, with "
            "rng.random(x.shape)"
        )
    if abs(zeros - keep) < bound:
        raise Wrong(
            f"p is the chance to drop, not to keep: with p = {p:.2f}, a share of {zeros:.2f} is 0"
        )
    if abs(zeros - p) > bound:
        raise Wrong(f"a share of {zeros:.3f} is 0, should be p = {p:.3f} up to chance")
    kept = out != 0
    mistakes = {
        "in training divide what is kept by 1 - p: then the mean of x stays the same": x[kept],
        "what is kept is multiplied by 1 - p: divide by 1 - p": x[kept] * keep,
        "what is kept is divided by p: divide by 1 - p": x[kept] / p,
        "this is the mask: return out first, then mask": np.full(kept.sum(), 1 / keep),
    }
    compare("the part of out that is kept", out[kept], x[kept] / keep, mistakes)
    if mask.shape != x.shape:
        raise Wrong(differs("mask", mask, x))
    if not agree(mask * x, out):
        raise Wrong("mask must hold the factors of x, 1 / (1 - p) or 0, so that mask * x is out")
    if not np.array_equal(draw()[0], out):
        raise Wrong("two calls with equal generators differ: use rng, not np.random")
    if np.array_equal(draw(seed + 1)[0], out):
        raise Wrong("two different generators give the same draw: use rng, not your own generator")
    out, mask = draw(training=False)
    mistakes = {"with training=False return x as it is: the scaling is done in training": x * keep}
    compare("out with training=False", out, x, mistakes)
    if not (mask == 1).all():
        raise Wrong("with training=False the mask must be 1: dropout_backward multiplies by it")


def check_dropout_backward(ask):
    """dx = dout mask."""
    dout, p = ask.rng.standard_normal((4, 5)), 0.3
    mask = (ask.rng.random((4, 5)) > p) / (1 - p)
    mistakes = {
        "the factor 1 / (1 - p) is missing: it is in the mask, so multiply dout by mask": (
            dout * (mask > 0)
        ),
        "dropped entries get no gradient: multiply dout by mask": dout,
        "1 / (1 - p) is in the mask already: do not divide again": dout * mask / (1 - p),
        "dout is missing: dx = dout * mask": mask,
    }
    ask.equal(ask("dropout_backward", dout, mask), dout * mask, mistakes, "dx")


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


def check_conv(ask):
    """Stride 1, no padding."""
    x, W, b, layer = conv_arguments(ask)
    mistakes = {
        "b is missing": lambda: layer.forward(x) - b,
        "the kernel is flipped: out[i, j] is the sum of x[i + a, j + d] W[a, d]": (
            lambda: with_kernel(layer, W[::-1, ::-1]).forward(x)
        ),
        "rows and columns of the kernel are exchanged": (
            lambda: with_kernel(layer, W.transpose(1, 0, 2, 3)).forward(x)
        ),
        "b is summed: each output channel has its own b": (lambda: layer.forward(x) - b + b.sum()),
        "only the first input channel is used: sum over all input channels": (
            lambda: with_kernel(layer, W * np.eye(4)[0][:, None]).forward(x)
        ),
    }
    ask.equal(ask("conv2d", x, W, b), layer.forward(x), mistakes, "out")


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

    mistakes = {
        "dx": {
            "the kernel is flipped in dx: dout[i, j] times W[a, d] goes to dx[i + a, j + d]": (
                flipped
            ),
        },
        "dW": {
            "dW is divided by n: dout already contains the 1 / n of the loss": dW / len(x),
            "dW is flipped: x[i + a, j + d] dout[i, j] goes to dW[a, d]": dW[::-1, ::-1],
        },
        "db": {
            "sum db over samples, rows and columns": dout.sum(axis=0),
            "db is a mean: b is added to every pixel, so its gradient is the sum": (
                dout.mean(axis=(0, 1, 2))
            ),
            "db is one number: keep the axis of the channels": dout.sum(),
        },
    }
    got = ask("conv2d_backward", dout, x, W)
    ask.equal(got, {"dx": dx, "dW": dW, "db": db}, mistakes)


EXERCISES = {
    "autoencoder_backward": {
        "title": "An autoencoder's backward pass, layer by layer",
        "minutes": 25,
        "parts": {
            "forward": check_chain_forward,
            "backward": check_chain_backward,
            "train_step": check_train_step,
        },
        "library": {"forward": run, "backward": backprop},
        "hints": (
            "An autoencoder is a list of layers. forward gives each layer the output of the layer "
            "before it. backward starts with the last layer and ends with the first.",
            "layer.backward(dout) fills layer.dtheta and returns dx, which is the dout of the "
            "layer before it.",
            "A training step: out = forward(layers, x). The loss is 1/n sum (out - x)^2, and its "
            "gradient is 2 (out - x) / n. Call backward with it, then layer.theta -= lr * "
            "layer.dtheta for each layer.",
        ),
    },
    "dropout": {
        "title": "Dropout, so that the mean stays",
        "minutes": 15,
        "parts": {"dropout": check_dropout, "dropout_backward": check_dropout_backward},
        "hints": (
            "rng.random(x.shape) < p is true with probability p, independently for each entry.",
            "A share of 1 - p is kept. Divide it by 1 - p: then the mean of out is the mean of x, "
            "and there is nothing to do at test time.",
            "Put the division into the mask: mask = (rng.random(x.shape) >= p) / (1 - p). Forward "
            "is x * mask, and backward is dout * mask.",
        ),
    },
    "convolution": {
        "title": "A convolution, forward and backward",
        "minutes": 45,
        "parts": {"conv2d": check_conv, "conv2d_backward": check_conv_backward},
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
