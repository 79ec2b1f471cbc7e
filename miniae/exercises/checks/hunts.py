"""Checks of the bug hunts: the student corrects code that has one fault, from real public code.

A message says what the check measured. It does not say where the fault is.
"""

import numpy as np

from miniae.exercises.checks.adam import ADAM_SLIPS, adam, formulas
from miniae.exercises.checks.formulas import sentences
from miniae.exercises.checks.kl import KL_SENTENCES, check_kl
from miniae.exercises.checks.optimisers import STEPS_SENTENCES, check_steps
from miniae.exercises.questions import FORMULAS, Named, Wrong, agree, compare, numbers, unpack


def check_network(ask):
    """Dense, ReLU, Dense, as one class."""
    W1, W2 = ask.rng.standard_normal((4, 6)), ask.rng.standard_normal((6, 3))
    b1, b2 = ask.rng.standard_normal(6), ask.rng.standard_normal(3)
    x, dout = ask.rng.standard_normal((5, 4)), ask.rng.standard_normal((5, 3))
    hidden = np.maximum(x @ W1 + b1, 0)
    network = ask("Network", W1, b1, W2, b2)
    out = ask.call(network.forward, "forward", x)
    changed = {"forward_has_no_relu": (x @ W1 + b1) @ W2 + b2, "forward_without_b2": hidden @ W2}
    before = x @ W1 + b1
    for i in (1, 2, 3):
        changed[f"forward_leaky_{i}"] = np.maximum(before, 0.1**i * before) @ W2 + b2
    given = {"x": x, "W1": W1, "b1": b1, "W2": W2, "b2": b2}
    steps = {"hidden": "maximum(x @ W1 + b1, 0)", "out": "hidden @ W2 + b2"}
    changed[FORMULAS] = [(steps, given)]
    ask.equal(out, hidden @ W2 + b2, changed, name="out")
    dhidden = (dout @ W2.T) * (hidden > 0)
    right = {
        "dx": dhidden @ W1.T,
        "dW1": x.T @ dhidden,
        "db1": dhidden.sum(axis=0),
        "dW2": hidden.T @ dout,
        "db2": dout.sum(axis=0),
    }
    got = unpack(ask.call(network.backward, "backward", dout), right)
    got = [numbers(value, name) for value, name in zip(got, right, strict=True)]
    correct = [name for name, value in zip(right, got, strict=True) if agree(value, right[name])]
    wrong = [name for name in right if name not in correct]
    if not wrong:
        return
    masks = {
        "mask_inverted": hidden <= 0,
        "hidden_for_mask": hidden,
        "mask_of_gradient": dout @ W2.T > 0,
        "mask_of_input": 1.0 * (hidden > 1),
        "everything_is_0": 0 * hidden,
        "minus_gradient": -1.0 * (hidden > 0),
        "slope_of_tanh": 1 - hidden**2,
        "slope_of_sigmoid": hidden * (1 - hidden),
        **{f"leaky_{i}": np.where(hidden > 0, 1, 0.1**i) for i in (1, 2, 3)},
    }
    where = f"Right gradients: {', '.join(correct) or 'none'}; wrong: {', '.join(wrong)}"
    for key, mask in masks.items():
        slip = (dout @ W2.T) * mask
        if agree(got[0], slip @ W1.T) and agree(got[1], x.T @ slip):
            raise Named(where, [key])
    fault = (dout @ W2.T) * (hidden >= 0)
    if agree(got[0], fault @ W1.T) and agree(got[1], x.T @ fault) and correct[:1] != ["dx"]:
        raise Wrong(f"the fault is still there. forward is right. {where}", "still_there")
    given |= {"hidden": hidden, "dout": dout, "n": len(x), "before_relu": x @ W1 + b1}
    of_hidden = {"dhidden": "dout @ W2.T * (hidden > 0)"}
    steps = {
        "dx": {**of_hidden, "dx": "dhidden @ W1.T"},
        "dW1": {**of_hidden, "dW1": "x.T @ dhidden"},
        "db1": {**of_hidden, "db1": "sum(dhidden, axis=0)"},
        "dW2": {"dW2": "hidden.T @ dout"},
        "db2": {"db2": "sum(dout, axis=0)"},
    }
    for value, name in zip(got, right, strict=True):
        try:
            compare(name, value, right[name], {FORMULAS: [(steps[name], given)]})
        except Wrong as wrong:
            raise Wrong(f"{wrong}. {where}", wrong.diagnosis) from None


def check_adam(ask):
    """Adam: the first step, and the steps after it."""
    uniform = ask.rng.uniform
    settings = uniform(0.01, 0.1), uniform(0.8, 0.9), uniform(0.95, 0.99), uniform(0.05, 0.1)
    faults = {key: adam(*settings, **wrong) for key, (_, wrong) in ADAM_SLIPS.items()}
    try:
        check_steps(ask, "Adam", settings, adam(*settings), faults, formulas(settings))
    except Named as named:
        if named.keys[0].startswith("corrected_"):  # the fault in the file, or half of it
            raise Wrong(f"the fault is still there: {named}", "still_there") from None
        raise Named(f"The fault in the file, or a new one: {named}", named.keys) from None
    except Wrong as wrong:
        raise Wrong(f"The fault in the file, or a new one: {wrong}", wrong.diagnosis) from None


def check_vae(ask):
    """Sampling, its gradient and the KL must use log_var with the same meaning."""
    mu, log_var, eps, dz = ask.rng.standard_normal((4, 5, 3))
    std = np.exp(log_var / 2)
    try:
        check_kl(ask)
    except Named as named:
        raise Named(str(named), [f"kl_changed__{named.keys[0].split('__')[0]}"]) from None
    except Wrong as wrong:
        raise Wrong(f"the KL was right, do not change it: {wrong}", "kl_changed") from None
    z, again = (numbers(ask("sample", mu, log_var, eps), "z") for _ in range(2))
    wide = {
        "variance_for_std": mu + np.exp(log_var) * eps,
        "exp_of_double": mu + np.exp(2 * log_var) * eps,
        "exp_was_removed": mu + log_var / 2 * eps,
        "log_var_for_std": mu + log_var * eps,
        "half_outside": mu + np.exp(log_var) / 2 * eps,
        "one_over_std": mu + eps / std,
        "mu_is_missing": std * eps,
    }
    given = {"mu": mu, "log_var": log_var, "eps": eps, "dz": dz, "n": len(mu)}
    std_of = {"std": "exp(log_var / 2)"}
    wide[FORMULAS] = [({**std_of, "z": "mu + std * eps"}, given)]
    if not agree(z, mu + std * eps) and not agree(z, again):
        raise Named("Two calls with the same eps give two results", ["own_noise"])
    ask.equal(z, mu + std * eps, wide, "z")
    half = {
        "dlog_var": {
            "backward_of_old_sample": (dz * eps * np.exp(log_var)),
            "half_is_missing": (dz * eps * std),
            "std_is_missing": dz * eps / 2,
            "eps_is_missing": dz * std / 2,
            "variance_and_half": dz * eps * np.exp(log_var) / 2,
            "minus_path": -dz * eps * std / 2,
        }
    }
    half["dmu"] = {FORMULAS: [({"dmu": "dz"}, {**given, "std": std})]}
    half["dlog_var"][FORMULAS] = [({**std_of, "dlog_var": "dz * eps * std / 2"}, given)]
    got = ask("sample_backward", dz, log_var, eps)
    ask.equal(got, {"dmu": dz, "dlog_var": dz * eps * std / 2}, half)


EXERCISES = {
    "hunt_dense": {
        "title": "Bug hunt: gradients that are almost right",
        "minutes": 20,
        "parts": {"Network": check_network},
        "mistakes": {
            "still_there": "the fault is still there",
            "forward_has_no_relu": "the ReLU of forward is gone: forward was right",
            **{
                f"forward_leaky_{i}": "forward has a leaky ReLU now: forward was right"
                for i in (1, 2, 3)
            },
            "forward_without_b2": "b2 is missing in forward: forward was right",
            "mask_inverted": "the mask is inverted: the gradient passes where hidden is above 0",
            "hidden_for_mask": (
                "the gradient is multiplied by hidden: multiply it by the slope, 1 or 0"
            ),
            "mask_of_gradient": "the mask is that of the gradient: it must be that of hidden",
            "mask_of_input": "the mask has another threshold: the slope of ReLU changes at 0",
            "slope_of_tanh": "the slope is that of tanh: that of ReLU is 1 or 0",
            "slope_of_sigmoid": "the slope is that of a sigmoid: that of ReLU is 1 or 0",
            **{
                f"leaky_{i}": "the slope is that of a leaky ReLU: it is 0 where hidden is 0"
                for i in (1, 2, 3)
            },
            "everything_is_0": "the gradient before the ReLU is 0 everywhere",
            "minus_gradient": "the gradient before the ReLU has the wrong sign",
        },
        "hints": (
            "Run miniae's gradient check, or your own, on each gradient. Which gradients are "
            "wrong? What do they have in common?",
            "All gradients of the layer after the ReLU are right. All gradients before the ReLU "
            "are wrong. What does the mask do where hidden is exactly 0?",
        ),
    },
    "hunt_adam": {
        "title": "Bug hunt: an optimiser that starts well",
        "minutes": 20,
        "parts": {"Adam": check_adam},
        "mistakes": {
            **STEPS_SENTENCES,
            **sentences(ADAM_SLIPS),
            "still_there": "the fault is still there",
        },
        "hints": (
            "The first step is right, the second is not. What does the first step change in self?",
            "m and v must stay uncorrected from step to step. Correct only a copy of them.",
        ),
    },
    "hunt_vae": {
        "title": "Bug hunt: a VAE that every gradient check passes",
        "minutes": 30,
        "parts": {"VAE": check_vae},
        "mistakes": {
            **KL_SENTENCES,
            "kl_changed": "the KL was right, do not change it",
            "exp_of_double": "std is exp(2 log_var) now: that is even wider",
            "exp_was_removed": "exp is missing now: a standard deviation is never below 0",
            "log_var_for_std": "std is log_var now: a standard deviation is never below 0",
            "half_outside": (
                "the 1/2 is outside exp now: exp(log_var) / 2 is not a standard deviation"
            ),
            "one_over_std": "std is 1 / std now: the sign of log_var is wrong",
            "mu_is_missing": "mu is missing now",
            "own_noise": "sample draws its own noise: use the given eps",
            "std_is_missing": "sample is right now; in sample_backward std is missing",
            "eps_is_missing": "sample is right now; in sample_backward eps is missing",
            "variance_and_half": "sample is right now; sample_backward still has the variance",
            "minus_path": "sample is right now; sample_backward has the wrong sign",
            "variance_for_std": (
                "the fault is still there. The KL assumes another spread of z than sample draws, "
                "although each function passes a gradient check"
            ),
            "backward_of_old_sample": (
                "sample is right now, but sample_backward still belongs to the old sample"
            ),
            "half_is_missing": "sample is right now; in sample_backward a factor 1/2 is missing",
        },
        "hints": (
            "Every gradient is right. Does log_var mean the same in sample and in gaussian_kl? "
            "Draw many z for one mu and log_var, and measure their variance.",
            "In the KL, exp(log_var) is the variance. What is the standard deviation then?",
        ),
    },
}
