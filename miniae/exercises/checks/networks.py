"""Checks of a network as a list of layers."""

import copy

import numpy as np

from miniae.exercises import edits
from miniae.exercises.questions import FORMULAS, Named, agree, compare
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


def outputs(layers, x):
    """Return the outputs of all layers."""
    found = []
    for layer in layers:
        x = layer.forward(x)
        found.append(x)
    return found


def after_each(function, layers, x):
    """Return the output of layers with a function after each of them."""
    for layer in layers:
        x = function(layer.forward(x))
    return x


def skips(layers, x):
    """Return the output of layers to each of which its input is added."""
    for layer in layers:
        x = x + layer.forward(x)
    return x


def check_chain_forward(ask):
    """Each layer takes the output of the layer before it."""
    layers, x = stack(ask.rng), ask.rng.standard_normal((3, 4))
    mistakes = {
        "every_layer_gets_x": layers[-1].forward(x),
        "reverse_order": run(layers[::-1], x),
        "last_layer_is_left_out": run(layers[:-1], x),
        "first_layer_is_left_out": run(layers[1:], x),
        "only_first_layer": layers[0].forward(x),
        "input_returned": x,
        "relu_after_each_layer": after_each(lambda out: np.maximum(out, 0), layers, x),
        "tanh_after_each_layer": after_each(np.tanh, layers, x),
        "outputs_are_added": sum(outputs(layers, x)),
        "input_is_added": skips(layers, x),
        "layers_run_twice": run(layers, run(layers, x)),
        "all_outputs": np.array(outputs(layers, x)),
    }
    got = ask("forward", copy.deepcopy(layers), x)
    ask.equal(got, run(layers, x), mistakes, "out")


def check_chain_backward(ask):
    """Layers in reverse order; each gets the dx of the layer after it."""
    layers, x = stack(ask.rng), ask.rng.standard_normal((3, 4))
    dout = ask.rng.standard_normal(run(layers, x).shape)
    theirs, copies = copy.deepcopy(layers), copy.deepcopy(layers)
    dx = backprop(layers, dout)
    known = {
        key: wrong_way(copies, x, dout, step, some)
        for key, (step, some) in {
            "first_to_last": (lambda layer, d: layer.backward(d), slice(None)),
            "same_dout": (lambda layer, d: (layer.backward(d), d)[1], slice(None, None, -1)),
            "last_layer_skipped": (lambda layer, d: layer.backward(d), slice(-2, None, -1)),
            "first_layer_skipped": (lambda layer, d: layer.backward(d), slice(None, 0, -1)),
            "dx_is_added": (lambda layer, d: d + layer.backward(d), slice(None, None, -1)),
            "dx_is_multiplied": (lambda layer, d: d * layer.backward(d), slice(None, None, -1)),
            "forward_for_backward": (lambda layer, d: layer.forward(d), slice(None, None, -1)),
        }.items()
    }
    known["last_dx_for_same_dout"] = known["same_dout"][0], layers[0].backward(dout)
    run(theirs, x)
    got = ask("backward", theirs, dout)
    for key, (vector, _) in known.items():
        if agree(grads(theirs), vector) and not agree(vector, grads_of(layers, x, dout)):
            raise Named("The gradients of the weights are wrong", [key])
    mistakes = {
        "dout_of_first_layer": backprop(layers[1:], dout),
        "dout_itself": dout,
        "all_dx": all_dx(copies, x, dout),
        **{key: value for key, (_, value) in known.items()},
    }
    ask.equal(got, dx, mistakes, "dx")
    compare("the gradient of all weights", grads(theirs), grads_of(layers, x, dout), {})


def all_dx(layers, x, dout):
    """Return what backward returns for each layer, the last layer first."""
    run(layers, x)
    found = []
    for layer in reversed(layers):
        dout = layer.backward(dout)
        found.append(dout)
    return np.array(found)


def stepped(layers, x, dout, lr):
    """Return the weights if each layer makes its step before it passes its gradient back."""
    layers = copy.deepcopy(layers)
    run(layers, x)
    for layer in reversed(layers):
        layer.backward(dout)
        layer.theta = layer.theta - lr * layer.dtheta
        dout = layer.backward(dout)
    return np.concatenate([layer.theta for layer in layers])


def normalised(layers, gradient, ends):
    """Return the gradient with that of each layer divided by its norm."""
    parts = np.split(gradient, ends[:-1])
    return np.concatenate([part / (np.linalg.norm(part) or 1) for part in parts])


def grads_of(layers, x, dout):
    """Return the right gradients of the weights as one vector."""
    run(layers, x)
    backprop(layers, dout)
    return grads(layers)


def wrong_way(layers, x, dout, step, some):
    """Return the gradients of the weights and dx if `step` is made for some of the layers."""
    run(layers, x)
    for layer in layers:
        layer.dtheta[:] = 0
    for layer in layers[some]:
        dout = step(layer, dout)
    return grads(layers), dout


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
        raise Named("layer.theta is the same in all layers", ["weights_unchanged"])
    out, parts = error + x, np.cumsum([layer.theta.size for layer in layers])

    def along(dout):
        """Return the weights after a step with the gradient from another dout."""
        return before - lr * grads_of(copies, x, dout)

    copies = copy.deepcopy(layers)
    last = np.arange(len(before)) >= parts[-2]
    first = np.arange(len(before)) < parts[0]
    mistakes = {
        "step_is_added": before + lr * gradient,
        "lr_is_missing": before - gradient,
        "n_is_missing": before - lr * len(x) * gradient,
        "two_is_missing": before - 0.5 * lr * gradient,
        "divided_by_all": (before - lr * gradient / x.shape[1]),
        "two_and_n_are_missing": before - 0.5 * lr * len(x) * gradient,
        "step_added_and_two_missing": before + 0.5 * lr * gradient,
        "step_twice": before - 2 * lr * gradient,
        "divided_by_lr": before - gradient / lr,
        "theta_for_dtheta": before - lr * before,
        "theta_decays": before * (1 - lr) - lr * gradient,
        "step_before_passing_back": stepped(layers, x, 2 * error / len(x), lr),
        "theta_is_lost": -lr * gradient,
        "only_last_layer": before - lr * gradient * last,
        "only_first_layer_steps": before - lr * gradient * first,
        "last_layer_does_not_step": before - lr * gradient * ~last,
        "first_layer_does_not_step": before - lr * gradient * ~first,
        "gradient_normalised": before - lr * normalised(layers, gradient, parts),
        "sign_of_gradient": before - lr * np.sign(gradient),
        "out_for_gradient": along(out),
        "out_over_n_for_gradient": along(out / len(x)),
        "loss_for_gradient": along(error**2 / len(x)),
        "squares_for_gradient": along(error**2),
        "gradient_of_abs": along(np.sign(error) / len(x)),
        "x_for_gradient": along(x),
        "one_for_gradient": along(np.ones(x.shape)),
        "plus_for_minus": along(2 * (out + x) / len(x)),
    }
    steps = {"dout": "2 * (out - x) / n", "theta": "before - lr * dtheta"}
    given = {"out": out, "x": x, "n": len(x), "before": before, "lr": lr}

    def compute(edit):
        """Return the weights after the step, with an edited formula or None."""
        dout = edits.run({"dout": steps["dout"]}, given, edit)["dout"]
        dtheta = grads_of(copies, x, dout + 0 * x)
        return edits.run({"theta": steps["theta"]}, {**given, "dtheta": dtheta}, edit)["theta"]

    mistakes[FORMULAS] = [(steps, {**given, "dtheta": gradient}, compute)]
    compare("the weights after the step", after, before - lr * gradient, mistakes)
    mistakes = {
        "loss_after_step": (((run(theirs, x) - x) ** 2).sum() / len(x)),
        "mean_over_features": ((error**2).mean()),
        "sum_over_samples": (error**2).sum(),
        "half_of_loss": (error**2).sum() / len(x) / 2,
        "sum_of_errors": error.sum() / len(x),
        "absolute_errors": np.abs(error).sum() / len(x),
        "one_number_per_sample": (error**2).sum(axis=1),
        "norm_of_error": np.sqrt((error**2).sum()),
        "sum_and_mean_exchanged": (error**2).sum() / x.shape[1],
        "gradient_returned": 2 * error / len(x),
        "out_returned": out,
    }
    steps = {"each": "(out - x) ** 2", "loss": "sum(each) / n"}
    mistakes[FORMULAS] = [(steps, {"out": out, "x": x, "n": len(x), "lr": lr})]
    compare("the loss", got, loss, mistakes)


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
        "mistakes": {
            "relu_after_each_layer": "there is a ReLU after each layer: the list has all layers",
            "tanh_after_each_layer": "there is a tanh after each layer: the list has all layers",
            "first_layer_is_left_out": "the first layer is left out",
            "only_first_layer": (
                "this is the output of the first layer: is the return inside the loop?"
            ),
            "input_returned": "this is x itself: return the output of the last layer",
            "outputs_are_added": "the outputs of all layers are added: return the last one",
            "input_is_added": "the input of each layer is added to its output",
            "layers_run_twice": "the layers run twice",
            "all_outputs": "these are the outputs of all layers: return the last one",
            "last_layer_skipped": "the last layer is skipped in backward",
            "first_layer_skipped": "the first layer is skipped in backward",
            "dx_is_added": "dx is added to dout: dx takes the place of dout",
            "dx_is_multiplied": "dx is multiplied by dout: layer.backward does this already",
            "forward_for_backward": "forward is called in place of backward",
            "last_dx_for_same_dout": (
                "every layer gets the dout of the loss: give each layer the dx of the layer after "
                "it"
            ),
            "weights_unchanged": (
                "the weights have not changed: layer.theta -= lr * layer.dtheta for each layer, "
                "after backward"
            ),
            "two_and_n_are_missing": (
                "the factors 2 and 1/n of the loss are missing in the gradient"
            ),
            "step_added_and_two_missing": (
                "the step is added, and the factor 2 of the square is missing"
            ),
            "step_twice": "the step is made twice, or has a factor 2 too many",
            "divided_by_lr": "the gradient is divided by lr: multiply by it",
            "theta_for_dtheta": "it has layer.theta where layer.dtheta must stand",
            "all_dx": "this is the dx of every layer: return that of the first layer",
            "theta_decays": "theta is also multiplied by 1 - lr: subtract lr * dtheta only",
            "step_before_passing_back": (
                "a layer makes its step before the gradient goes through it: first backward for "
                "all layers, then the steps"
            ),
            "theta_is_lost": "theta becomes the step: subtract the step from theta",
            "only_last_layer": "only the last layer changes: is the step outside the loop?",
            "only_first_layer_steps": (
                "only the first layer changes: is the return inside the loop?"
            ),
            "last_layer_does_not_step": "the last layer does not change: all layers make a step",
            "first_layer_does_not_step": "the first layer does not change: all layers make a step",
            "gradient_normalised": "the gradient is divided by its norm: take it as it is",
            "sign_of_gradient": "it has the sign of the gradient only",
            "out_for_gradient": "backward gets out: give it the gradient, 2 (out - x) / n",
            "out_over_n_for_gradient": "backward gets out / n: give it 2 (out - x) / n",
            "loss_for_gradient": "backward gets the loss of each entry: give it 2 (out - x) / n",
            "squares_for_gradient": "backward gets (out - x)^2: give it the slope, 2 (out - x) / n",
            "gradient_of_abs": "backward gets the sign of out - x: give it 2 (out - x) / n",
            "x_for_gradient": "backward gets x: give it the gradient, 2 (out - x) / n",
            "one_for_gradient": "backward gets ones: give it the gradient, 2 (out - x) / n",
            "plus_for_minus": "backward gets 2 (out + x) / n: the gradient has out - x",
            "half_of_loss": "there is a factor 1/2 too many in the loss",
            "sum_of_errors": "the errors are not squared",
            "absolute_errors": "it uses absolute errors: square them",
            "one_number_per_sample": "it is one number per sample: take the mean over samples",
            "norm_of_error": "this is the norm of the error: no square root, and divide by n",
            "sum_and_mean_exchanged": (
                "it is the mean over features and the sum over samples: exchange sum and mean"
            ),
            "gradient_returned": "this is the gradient of the loss: return the loss",
            "out_returned": "this is out: return the loss",
            "every_layer_gets_x": (
                "every layer gets x: give each layer the output of the layer before it"
            ),
            "reverse_order": "the layers run in reverse order",
            "last_layer_is_left_out": "the last layer is left out",
            "first_to_last": (
                "the layers run from the first to the last: in backward start with the last"
            ),
            "same_dout": (
                "every layer gets the dout of the loss: give each layer the dx of the layer after "
                "it"
            ),
            "dout_of_first_layer": (
                "this is the dout of the first layer: return the dx of the first layer"
            ),
            "dout_itself": "this is dout itself: return the dx of the first layer",
            "step_is_added": "lr times the gradient is added, so the loss grows: subtract it",
            "lr_is_missing": "lr is missing",
            "n_is_missing": "the 1/n of the loss is missing in the gradient",
            "two_is_missing": "the factor 2 of the square is missing in the gradient",
            "divided_by_all": (
                "the gradient is divided by the number of all entries: divide by n only"
            ),
            "loss_after_step": "it is the loss after the step: return the loss before the step",
            "mean_over_features": (
                "it is also a mean over features: take the sum over features, the mean over samples"
            ),
            "sum_over_samples": "it is a sum over samples: take the mean over samples",
        },
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
}
