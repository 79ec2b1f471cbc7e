"""Checks of the optimisers: several steps, theta compared after each."""

import numpy as np

from miniae.exercises.questions import Wrong, compare, parameters

STEPS = 4


def check_steps(ask, name, settings, rule, mistakes):
    """Let the student's class take some steps, and compare theta with the right one.

    Parameters
    ----------
    name : str, the name of the class
    settings : tuple, the arguments of its constructor
    rule : function that takes the gradients and returns the change of theta in each step
    mistakes : dict, from a sentence for the student to a rule with that mistake
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
            f"{name}.step did not change theta: theta -= ... changes the given array, but "
            "theta = theta - ... makes a new array that only step can see"
        )
    for k in range(STEPS):
        known = {words: theta_right + steps[k] for words, steps in changes.items()}
        known["it adds the step, so the loss grows: subtract it"] = theta_right - right[k]
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
        "there is no momentum: keep the velocity of the last step": descend(
            lambda v, g: (v, -lr * g)
        ),
        "dtheta has the factor (1 - momentum), which makes an average: take the sum": descend(
            averaged
        ),
        "theta moves by the velocity of the last step: update the velocity first": descend(late),
        "this is Nesterov's variant; plain momentum moves theta by lr times the velocity": descend(
            nesterov
        ),
        "only the last gradient is kept: velocity = momentum * velocity + dtheta, in self": (
            lambda gradients: [
                -lr * (g + momentum * before)
                for before, g in zip([0 * gradients[0], *gradients], gradients, strict=False)
            ]
        ),
        "lr is missing": descend(lambda v, g: (momentum * v + g, -(momentum * v + g))),
        "lr and momentum are exchanged": descend(
            lambda v, g: (lr * v + g, -momentum * (lr * v + g))
        ),
    }
    check_steps(ask, "SGD", (lr, momentum), descend(right), mistakes)


def adam(lr, beta1, beta2, eps, **wrong):
    """Return Adam's rule, with the mistake that `wrong` names, if any."""

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
        "t does not count the steps: it must be 1 in the first step, then 2, 3, ...": "first step",
        "t is too large by 1: it must be 1 in the first step": "late",
        "dtheta must be squared in v": "not squared",
        "the square root is missing: divide by sqrt(v)": "no root",
        "eps must be outside the square root: sqrt(v) + eps": "eps inside",
        "eps is missing": "no eps",
        "both corrections are in the learning rate: then eps must be scaled too": ("folded"),
        "theta moves along dtheta: it must move along m, the running mean": "no m",
    }
    mistakes = {words: adam(*settings, **{name: True}) for words, name in names.items()}
    mistakes["beta1 and beta2 are exchanged"] = adam(lr, beta2, beta1, eps)
    for fixed in (1e-8, 1e-7):
        mistakes[f"eps is {fixed:g}, not the given eps"] = adam(lr, beta1, beta2, fixed)
    check_steps(ask, "Adam", settings, adam(*settings), mistakes)


EXERCISES = {
    "sgd_momentum": {
        "title": "Gradient descent with momentum",
        "minutes": 15,
        "parts": {"SGD": check_sgd},
        "hints": (
            "Keep the velocity in self from step to step. Before the first step it is zero.",
            "velocity = momentum * velocity + dtheta; then theta moves by -lr * velocity.",
            "Write theta -= ...: this changes the caller's array in place.",
        ),
    },
    "adam": {
        "title": "Adam with its bias corrections",
        "minutes": 25,
        "parts": {"Adam": check_adam},
        "hints": (
            "m is a running mean of dtheta, v is a running mean of dtheta squared. Both start at "
            "zero.",
            "Because they start at zero, they are too small at first: by the factor 1 - beta^t "
            "after t steps. Count the steps, and divide by this factor.",
            "theta -= lr * m_hat / (sqrt(v_hat) + eps), where m_hat and v_hat are corrected. Keep "
            "m and v themselves uncorrected.",
        ),
    },
}
