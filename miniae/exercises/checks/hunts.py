"""Checks of the bug hunts: a piece of code with one fault, from real public code, to be mended.

What is said of a wrong answer is what an instrument sees, not where the fault is.
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
        raise Wrong(f"the fault is still there: forward is right. Right gradients: "
                    f"{', '.join(correct) or 'none'}; wrong: {', '.join(wrong)}")  # fmt: skip


def check_adam(ask):
    """Adam: what the first step is like, and those after it."""
    uniform = ask.rng.uniform
    settings = uniform(0.01, 0.1), uniform(0.8, 0.9), uniform(0.95, 0.99), uniform(0.05, 0.1)
    try:
        check_steps(ask, "Adam", settings, adam(*settings), {})
    except Wrong as wrong:
        raise Wrong(f"the fault is still there: {wrong}") from None


def check_vae(ask):
    """Sampling, its gradient, and the KL must mean the same by log_var."""
    mu, log_var, eps, dz = ask.rng.standard_normal((4, 5, 3))
    std = np.exp(log_var / 2)
    try:
        check_kl(ask)
    except Wrong as wrong:
        raise Wrong(f"the KL is as in the paper, leave it: {wrong}") from None
    z = ask("sample", mu, log_var, eps)
    wide = {
        "the fault is still there. z has another spread than the KL takes it to have; each passes "
        "a gradient check by itself": mu + np.exp(log_var) * eps
    }
    ask.equal(z, mu + std * eps, wide, "z")
    half = {
        "dlog_var": {
            "sample is mended, and sample_backward belongs to the old one": (
                dz * eps * np.exp(log_var)
            ),
            "sample is mended; now differentiate what it computes: a factor 1/2 is missing": (
                dz * eps * std
            ),
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
            "Run miniae's gradient check, or your own, on each gradient. Which are wrong, and what "
            "do these have in common?",
            "Everything behind the ReLU is right, everything in front of it wrong. What passes the "
            "mask where hidden is exactly 0?",
        ),
    },
    "hunt_adam": {
        "title": "Bug hunt: an optimiser that starts well",
        "minutes": 20,
        "parts": {"Adam": check_adam},
        "hints": (
            "The first step is right, the second is not. What does the first step leave behind?",
            "m and v go on uncorrected from step to step; only a copy is corrected.",
        ),
    },
    "hunt_vae": {
        "title": "Bug hunt: a VAE that every gradient check passes",
        "minutes": 30,
        "parts": {"VAE": check_vae},
        "hints": (
            "Nothing is wrong with any gradient. Is log_var the same thing in sample and in "
            "gaussian_kl? Draw many z for one mu and log_var, and measure their variance.",
            "The KL takes exp(log_var) for the variance. What is the standard deviation then?",
        ),
    },
}
