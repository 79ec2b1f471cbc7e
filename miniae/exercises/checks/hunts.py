"""Checks of the bug hunts: the student corrects code that has one fault, from real public code.

A message says what the check measured. It does not say where the fault is.
"""

import numpy as np

from miniae.exercises.checks.latent import check_kl
from miniae.exercises.checks.optimisers import adam, check_steps
from miniae.exercises.questions import Wrong, agree, numbers, unpack


def check_network(ask):
    """Dense, ReLU, Dense, as one class."""
    W1, W2 = ask.rng.standard_normal((4, 6)), ask.rng.standard_normal((6, 3))
    b1, b2 = ask.rng.standard_normal(6), ask.rng.standard_normal(3)
    x, dout = ask.rng.standard_normal((5, 4)), ask.rng.standard_normal((5, 3))
    hidden = np.maximum(x @ W1 + b1, 0)
    network = ask("Network", W1, b1, W2, b2)
    ask.equal(ask.call(network.forward, "forward", x), hidden @ W2 + b2, name="out")
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
    if wrong:
        raise Wrong(f"the fault is still there. forward is right. Right gradients: "
                    f"{', '.join(correct) or 'none'}; wrong: {', '.join(wrong)}")  # fmt: skip


def check_adam(ask):
    """Adam: the first step, and the steps after it."""
    uniform = ask.rng.uniform
    settings = uniform(0.01, 0.1), uniform(0.8, 0.9), uniform(0.95, 0.99), uniform(0.05, 0.1)
    try:
        check_steps(ask, "Adam", settings, adam(*settings), {})
    except Wrong as wrong:
        raise Wrong(f"the fault is still there: {wrong}") from None


def check_vae(ask):
    """Sampling, its gradient and the KL must use log_var with the same meaning."""
    mu, log_var, eps, dz = ask.rng.standard_normal((4, 5, 3))
    std = np.exp(log_var / 2)
    try:
        check_kl(ask)
    except Wrong as wrong:
        raise Wrong(f"the KL was right, do not change it: {wrong}") from None
    z = ask("sample", mu, log_var, eps)
    wide = {
        "the fault is still there. The KL assumes another spread of z than sample draws, although "
        "each function passes a gradient check": mu + np.exp(log_var) * eps
    }
    ask.equal(z, mu + std * eps, wide, "z")
    half = {
        "dlog_var": {
            "sample is right now, but sample_backward still belongs to the old sample": (
                dz * eps * np.exp(log_var)
            ),
            "sample is right now; in sample_backward a factor 1/2 is missing": (dz * eps * std),
        }
    }
    got = ask("sample_backward", dz, log_var, eps)
    ask.equal(got, {"dmu": dz, "dlog_var": dz * eps * std / 2}, half)


EXERCISES = {
    "hunt_dense": {
        "title": "Bug hunt: gradients that are almost right",
        "minutes": 20,
        "parts": {"Network": check_network},
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
        "hints": (
            "The first step is right, the second is not. What does the first step change in self?",
            "m and v must stay uncorrected from step to step. Correct only a copy of them.",
        ),
    },
    "hunt_vae": {
        "title": "Bug hunt: a VAE that every gradient check passes",
        "minutes": 30,
        "parts": {"VAE": check_vae},
        "hints": (
            "Every gradient is right. Does log_var mean the same in sample and in gaussian_kl? "
            "Draw many z for one mu and log_var, and measure their variance.",
            "In the KL, exp(log_var) is the variance. What is the standard deviation then?",
        ),
    },
}
