"""Checks of the optimisers: several steps, theta compared after each."""

import numpy as np

from miniae.exercises.questions import Wrong, compare, parameters

STEPS = 4


def check_steps(ask, name, settings, rule, mistakes):
    """Let the student's class take some steps, and compare with a rule.

    Parameters
    ----------
    name : str, of the class
    settings : tuple, its arguments
    rule : function (gradients) that returns the changes of theta, one per step
    mistakes : dict of str to such rules
    """
    theta, *gradients = ask.rng.standard_normal((1 + STEPS, 6))
    changes = {words: other(gradients) for words, other in mistakes.items()}
    right, theta_right = rule(gradients), theta.copy()
    theirs, optimizer = ask.find(name), None
    if isinstance(theirs, type) or len(parameters(theirs)) == len(settings):
        optimizer = ask.call(theirs, name, *settings)
    if not hasattr(optimizer, "step"):
        raise Wrong(f"{name} must be a class with a method step, as in the stub")
    thetas = [theta.copy()]
    for gradient in gradients:
        ask.call(optimizer.step, f"{name}.step", theta, gradient, changes=(0,))
        thetas.append(theta.copy())
    if all(np.array_equal(theta, thetas[0]) for theta in thetas):
        raise Wrong(
            f"{name}.step left theta as it was: theta -= ... changes the array that was given, "
            "theta = theta - ... makes a new one that only step knows"
        )
    for k in range(STEPS):
        known = {words: theta_right + steps[k] for words, steps in changes.items()}
        known["it goes uphill: subtract the step"] = theta_right - right[k]
        theta_right = theta_right + right[k]
        compare(f"theta after step {k + 1}", thetas[k + 1], theta_right, known)


def check_sgd(ask):
    """v <- momentum v + dtheta, theta <- theta - lr v."""
    lr, momentum = ask.rng.uniform(0.05, 0.2), ask.rng.uniform(0.6, 0.9)

    def descend(update):
        def rule(gradients):
            velocity, steps = 0.0, []
            for gradient in gradients:
                velocity, step = update(velocity, gradient)
                steps.append(step)
            return steps

        return rule

    def right(v, g):
        v = momentum * v + g
        return v, -lr * v

    def averaged(v, g):
        v = momentum * v + (1 - momentum) * g
        return v, -lr * v

    def late(v, g):
        return momentum * v + g, -lr * v

    def nesterov(v, g):
        v = momentum * v + g
        return v, -lr * (g + momentum * v)

    mistakes = {
        "there is no momentum: the velocity of the step before must be kept": descend(
            lambda v, g: (v, -lr * g)
        ),
        "the velocity is an average, with (1 - momentum) before dtheta: here it is a sum": descend(
            averaged
        ),
        "theta is moved by the velocity of the step before: update the velocity first": descend(
            late
        ),
        "this is Nesterov's variant; plain momentum moves by lr times the velocity": descend(
            nesterov
        ),
        "momentum acts on the step before only: velocity = momentum * velocity + dtheta, kept": (
            lambda gradients: [
                -lr * (g + momentum * before)
                for before, g in zip([0 * gradients[0], *gradients], gradients, strict=False)
            ]
        ),
        "lr is missing": descend(lambda v, g: (momentum * v + g, -(momentum * v + g))),
        "lr and momentum stand in each other's place": descend(
            lambda v, g: (lr * v + g, -momentum * (lr * v + g))
        ),
    }
    check_steps(ask, "SGD", (lr, momentum), descend(right), mistakes)


def adam(lr, beta1, beta2, eps, **wrong):
    """Return Adam's rule, or with a mistake in it that `wrong` names."""

    def rule(gradients):
        m = v = 0.0
        steps = []
        for t, g in enumerate(gradients, 1):
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * (g if "not squared" in wrong else g**2)
            by = 1 if "uncorrected" in wrong else 1 - beta1**t
            by2 = 1 if "uncorrected" in wrong or "only m" in wrong else 1 - beta2**t
            if "first step" in wrong:
                by, by2 = 1 - beta1, 1 - beta2
            if "late" in wrong:
                by, by2 = 1 - beta1 ** (t + 1), 1 - beta2 ** (t + 1)
            if "only v" in wrong:
                by = 1
            top, bottom = (g if "no m" in wrong else m / by), v / by2
            with np.errstate(all="ignore"):
                if "no root" in wrong:
                    steps.append(-lr * top / (bottom + eps))
                elif "eps inside" in wrong:
                    steps.append(-lr * top / np.sqrt(bottom + eps))
                elif "no eps" in wrong:
                    steps.append(-lr * top / np.sqrt(bottom))
                elif "folded" in wrong:
                    steps.append(-lr * np.sqrt(by2) / by * m / (np.sqrt(v) + eps))
                else:
                    steps.append(-lr * top / (np.sqrt(bottom) + eps))
        return steps

    return rule


def check_adam(ask):
    """Kingma and Ba (2015), algorithm 1; eps is large enough to be seen."""
    uniform = ask.rng.uniform
    settings = uniform(0.01, 0.1), uniform(0.8, 0.9), uniform(0.95, 0.99), uniform(0.05, 0.1)
    lr, beta1, beta2, eps = settings
    names = {
        "the bias corrections are missing: m / (1 - beta1^t) and v / (1 - beta2^t)": "uncorrected",
        "v is not corrected: v / (1 - beta2^t)": "only m",
        "m is not corrected: m / (1 - beta1^t)": "only v",
        "t does not count on: it is 1 in the first step, then 2, 3, ...": "first step",
        "t is one too large: it is 1 in the first step": "late",
        "dtheta must be squared in v": "not squared",
        "the root is missing: divide by sqrt(v)": "no root",
        "eps belongs outside of the root: sqrt(v) + eps": "eps inside",
        "eps is missing": "no eps",
        "in this form, with both corrections in the learning rate, eps must be scaled too": (
            "folded"
        ),
        "it moves along dtheta: it should be m, its running mean": "no m",
    }
    mistakes = {words: adam(*settings, **{name: True}) for words, name in names.items()}
    mistakes["beta1 and beta2 stand in each other's place"] = adam(lr, beta2, beta1, eps)
    for fixed in (1e-8, 1e-7):
        mistakes[f"eps is not the one given, but {fixed:g}"] = adam(lr, beta1, beta2, fixed)
    check_steps(ask, "Adam", settings, adam(*settings), mistakes)


EXERCISES = {
    "sgd_momentum": {
        "title": "Gradient descent with momentum",
        "minutes": 15,
        "parts": {"SGD": check_sgd},
        "hints": (
            "The velocity must outlast a step: keep it in self, of zeros before the first one.",
            "velocity = momentum * velocity + dtheta; then theta moves by -lr * velocity.",
            "theta -= ... changes the array in place, which is what the caller needs.",
        ),
    },
    "adam": {
        "title": "Adam with its bias corrections",
        "minutes": 25,
        "parts": {"Adam": check_adam},
        "hints": (
            "m is a running mean of dtheta, v one of dtheta squared; both begin as zeros.",
            "Because they begin as zeros they are too small at first, by 1 - beta^t after t steps. "
            "Count the steps, and divide by that.",
            "theta -= lr * m_hat / (sqrt(v_hat) + eps), with m_hat and v_hat the corrected ones. m "
            "and v themselves go on uncorrected.",
        ),
    },
}
