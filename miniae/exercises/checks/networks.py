"""Checks of whole networks, of dropout and of a convolution."""

import copy

import numpy as np

from miniae.conv import Conv2D
from miniae.exercises.questions import Wrong, agree, compare, differs, numbers, unpack
from miniae.layers import Dense, Tanh


def stack(rng, width=4):
    """Return layers of one width throughout, so that a wrong order shows in numbers."""
    first, second, third = (Dense(width, width, dtype="float64") for _ in range(3))
    layers = [first, Tanh(), second, Tanh(), third]
    for layer in layers:
        layer.theta = rng.standard_normal(layer.theta.shape)
    return layers


def run(layers, x):
    """Return what the layers make of x."""
    for layer in layers:
        x = layer.forward(x)
    return x


def grads(layers):
    """Return the gradients of all layers as one vector."""
    return np.concatenate([layer.dtheta for layer in layers])


def backprop(layers, dout):
    """Return dx, with the layers' gradients filled."""
    for layer in reversed(layers):
        dout = layer.backward(dout)
    return dout


def check_chain_forward(ask):
    """Each layer takes what the one before put out."""
    layers, x = stack(ask.rng), ask.rng.standard_normal((3, 4))
    mistakes = {
        "every layer gets x itself: each takes what the one before put out": layers[-1].forward(x),
        "the layers run in reverse order": run(layers[::-1], x),
        "the last layer is left out": run(layers[:-1], x),
    }
    got = ask("forward", copy.deepcopy(layers), x)
    ask.equal(got, run(layers, x), mistakes, "out")


def check_chain_backward(ask):
    """Layers in reverse order, each given what the one behind it returned."""
    layers, x = stack(ask.rng), ask.rng.standard_normal((3, 4))
    dout = ask.rng.standard_normal(run(layers, x).shape)
    theirs, wrong = copy.deepcopy(layers), copy.deepcopy(layers)
    run(wrong, x)
    dx = backprop(layers, dout)
    backprop(wrong[::-1], dout)
    first_to_last = grads(wrong)
    for layer in wrong:
        layer.backward(dout)
    known = {
        "the layers run from the first to the last: backward goes from the last to the first": (
            first_to_last
        ),
        "every layer gets dout of the loss: each takes the dx of the layer behind it": grads(wrong),
    }
    run(theirs, x)
    got = ask("backward", theirs, dout)
    for words, vector in known.items():
        if agree(grads(theirs), vector) and not agree(vector, grads(layers)):
            raise Wrong(f"{words}. The gradients of the weights are wrong")
    mistakes = {
        "this is the dout of the first layer: return the dx that its backward gives": (
            backprop(layers[1:], dout)
        ),
        "this is dout itself: return the dx of the first layer": dout,
    }
    ask.equal(got, dx, mistakes, "dx")
    compare("the gradient of the weights, all layers in a row,", grads(theirs), grads(layers), {})


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
        raise Wrong("the weights have not moved: layer.theta -= lr * layer.dtheta for each layer")
    mistakes = {
        "they move uphill: subtract lr times the gradient": before + lr * gradient,
        "lr is missing": before - gradient,
        "1/n of the loss is missing in its gradient": before - lr * len(x) * gradient,
        "the 2 of the square is missing in the gradient": before - 0.5 * lr * gradient,
        "the loss is a sum over features: its gradient is divided by n, not by all entries": (
            before - lr * gradient / x.shape[1]
        ),
    }
    compare("the weights after the step", after, before - lr * gradient, mistakes)
    mistakes = {
        "it is the loss after the step: return that of before, which gave the gradient": (
            ((run(theirs, x) - x) ** 2).sum() / len(x)
        ),
        "it is the mean over features too: sum over features, mean over samples": (
            (error**2).mean()
        ),
        "it is the sum over samples too: mean over samples": (error**2).sum(),
    }
    compare("the loss", got, loss, mistakes)


def check_dropout(ask):
    """Which units are dropped is the student's draw; what must hold of any draw is checked."""
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
        raise Wrong(f"{'every' if zeros else 'no'} entry of out is 0 in training: of p = {p:.2f}, "
                    "that share should be, up to chance")  # fmt: skip
    by_row, by_column = ((dropped.all(axis) == dropped.any(axis)).all() for axis in (1, 0))
    if by_row or by_column:
        what = "a whole row" if by_row else "a whole column"
        raise Wrong(f"{what} is dropped or kept as one: draw a number for every entry, x.shape")
    if abs(zeros - keep) < bound:
        raise Wrong(f"p is the chance to be dropped, not kept: of p = {p:.2f}, {zeros:.2f} are 0")
    if abs(zeros - p) > bound:
        raise Wrong(f"of p = {p:.3f}, a share of {zeros:.3f} is 0 (up to chance, it should be p)")
    kept = out != 0
    mistakes = {
        "what is kept must be divided by 1 - p in training, so that the mean stays": x[kept],
        "what is kept is multiplied by 1 - p: divide by it, so that the mean stays": x[kept] * keep,
        "what is kept is divided by p: divide by 1 - p": x[kept] / p,
        "this is the mask: return out, then mask": np.full(kept.sum(), 1 / keep),
    }
    compare("out, where it is kept,", out[kept], x[kept] / keep, mistakes)
    if mask.shape != x.shape:
        raise Wrong(differs("mask", mask, x))
    if not agree(mask * x, out):
        raise Wrong("mask must be what x is multiplied with, 1 / (1 - p) or 0: mask * x is out")
    if not np.array_equal(draw()[0], out):
        raise Wrong("two calls with equal generators differ: draw from rng, not from np.random")
    if np.array_equal(draw(seed + 1)[0], out):
        raise Wrong("two generators give the same draw: draw from rng, not from one of your own")
    out, mask = draw(training=False)
    mistakes = {"at test time x passes as it is; the scaling was done in training": x * keep}
    compare("out of training", out, x, mistakes)
    if not (mask == 1).all():
        raise Wrong("the mask out of training must be 1: dropout_backward multiplies with it")


def check_dropout_backward(ask):
    """dx = dout mask."""
    dout, p = ask.rng.standard_normal((4, 5)), 0.3
    mask = (ask.rng.random((4, 5)) > p) / (1 - p)
    mistakes = {
        "what was kept was divided by 1 - p, and so its gradient is: the mask has that": (
            dout * (mask > 0)
        ),
        "dropped units get no gradient: times mask": dout,
        "1 / (1 - p) is in the mask already: it is divided twice": dout * mask / (1 - p),
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
        "the kernel is flipped; networks use the cross-correlation, x[i + a, j + d] W[a, d]": (
            lambda: with_kernel(layer, W[::-1, ::-1]).forward(x)
        ),
        "rows and columns of the kernel stand in each other's place": (
            lambda: with_kernel(layer, W.transpose(1, 0, 2, 3)).forward(x)
        ),
        "b is summed: each output channel has one of its own": (
            lambda: layer.forward(x) - b + b.sum()
        ),
        "only the first input channel counts: sum over all of them": (
            lambda: with_kernel(layer, W * np.eye(4)[0][:, None]).forward(x)
        ),
    }
    ask.equal(ask("conv2d", x, W, b), layer.forward(x), mistakes, "out")


def check_conv_backward(ask):
    """dx, dW, db of the same."""
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
            "for dx each dout goes back along the way it came, W[a, d] from [i, j] to "
            "[i + a, j + d]: the kernel is flipped once too often or too seldom": flipped,
        },
        "dW": {
            "dW is divided by n: the loss has put 1 / n into dout already": dW / len(x),
            "dW is flipped: x[i + a, j + d] dout[i, j] goes to W[a, d]": dW[::-1, ::-1],
        },
        "db": {
            "db must be summed over samples, rows and columns": dout.sum(axis=0),
            "db is a mean: b acts on every pixel, so its gradient is the sum": (
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
            "An autoencoder is a list of layers. forward hands each one what the one before put "
            "out; backward hands dout from the last layer to the first.",
            "layer.backward(dout) fills layer.dtheta and returns dx, which is the dout of the "
            "layer before.",
            "A training step: out = forward(layers, x); the loss is 1/n sum (out - x)^2 and its "
            "gradient 2 (out - x) / n; backward; then layer.theta -= lr * layer.dtheta.",
        ),
    },
    "dropout": {
        "title": "Dropout, so that the mean stays",
        "minutes": 15,
        "parts": {"dropout": check_dropout, "dropout_backward": check_dropout_backward},
        "hints": (
            "rng.random(x.shape) < p is true with probability p, for each entry by itself.",
            "Only a share 1 - p is left: divide by it, so that the mean of out is that of x. Then "
            "nothing needs to be done at test time.",
            "Put the division into the mask: mask = (rng.random(x.shape) >= p) / (1 - p). Forward "
            "is x * mask, and so is backward with dout.",
        ),
    },
    "convolution": {
        "title": "A convolution, forward and backward",
        "minutes": 45,
        "parts": {"conv2d": check_conv, "conv2d_backward": check_conv_backward},
        "hints": (
            "out[:, i, j] = sum over a, d of x[:, i + a, j + d] @ W[a, d], plus the bias: loop "
            "over the k times k offsets (a, d), not over pixels.",
            "For one offset the pixels in question are x[:, a : a + out_h, d : d + out_w], and "
            "that @ W[a, d] is (n, out_h, out_w, c_out).",
            "Backward, for each offset: dx at those pixels += dout @ W[a, d].T, and dW[a, d] is "
            "the sum over samples, rows and columns of the pixels times dout.",
        ),
    },
}
