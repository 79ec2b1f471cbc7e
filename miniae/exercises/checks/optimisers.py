"""Checks of the optimisers: several steps, theta compared after each."""

import itertools

import numpy as np

from miniae.exercises.edits import explain, run
from miniae.exercises.naming import factor_between
from miniae.exercises.questions import Wrong, agree, compare, parameters

STEPS = 4


OTHER_GRADIENTS = {  # key: sentence, and what the steps get in place of the gradients
    "dtheta_clipped": (
        "dtheta is clipped to -1 and 1: take it as it is",
        lambda g: [x.clip(-1, 1) for x in g],
    ),
    "dtheta_normalised": (
        "dtheta is divided by its norm: take it as it is",
        lambda g: [x / np.linalg.norm(x) for x in g],
    ),
    "dtheta_of_first_step": (
        "each step has the dtheta of the first: is an old array kept?",
        lambda g: [g[0] for _ in g],
    ),
    "dtheta_of_step_before": (
        "each step has the dtheta of the step before",
        lambda g: [0 * g[0], *g[:-1]],
    ),
    "dtheta_sum": ("each step has the sum of all dtheta so far", lambda g: np.cumsum(g, axis=0)),
}


def check_steps(ask, name, settings, rule, mistakes, formulas):
    """Let the student's class take some steps, and compare theta with the right one.

    Parameters
    ----------
    name : str, the name of the class
    settings : tuple, the arguments of its constructor
    rule : function that takes the gradients and returns the change of theta in each step
    mistakes : dict, from the key of a mistake to a rule with that mistake
    formulas : the state before the first step, and formulas of a step, of which the last is
        the change of theta; a dict each
    """
    theta, *gradients = ask.rng.standard_normal((1 + STEPS, 6))
    changes = {key: other(gradients) for key, other in mistakes.items()}
    right = rule(gradients)
    optimizer = construct(ask, name, settings)
    thetas = [theta.copy()]
    for gradient in gradients:
        ask.call(optimizer.step, f"{name}.step", theta, gradient, changes=(0,))
        thetas.append(theta.copy())
    if all(np.array_equal(theta, thetas[0]) for theta in thetas):
        raise Wrong(
            f"{name}.step did not change theta: theta -= ... changes the given array, but "
            "theta = theta - ... makes a new array that only step can see",
            "theta_unchanged",
        )
    start, taken = thetas[0], np.stack(thetas[1:])
    moved = np.cumsum(right, axis=0)
    known = {
        "step_is_added": start - moved,
        "theta_is_lost": np.stack(right),
        "theta_is_lost_and_added": -np.stack(right),
        "theta_times_step": start * np.cumprod(1 + np.stack(right), axis=0),
        "divided_by_size": start + moved / start.size,
        "step_twice": start + 2 * moved,
        "theta_of_the_start": start + np.stack(right),
        "stops_after_first_step": np.tile(start + right[0], (STEPS, 1)),
        **{key: start + np.cumsum(steps, axis=0) for key, steps in changes.items()},
    }
    known |= {
        key: start + np.cumsum(rule([*change(gradients)]), axis=0)
        for key, (_, change) in OTHER_GRADIENTS.items()
    }
    # A mistake must explain all steps: many are alike in the first.
    known = {key: value for key, value in known.items() if agree(taken, value)}
    factor = factor_between(np.diff([start, *taken], axis=0), np.stack(right))
    if factor and not known and not agree(taken, start + moved):
        known["step_scaled"] = start + factor * moved
    state, steps = formulas

    def compute(edit):
        """Return theta after each step."""
        v, found = {**state, "t": 0}, []
        for t, gradient in enumerate(gradients, 1):
            theta = start + sum(found)
            v = run(steps, {**v, "dtheta": gradient, "t": t, "theta": theta}, edit)
            found.append(v["change"])
        return start + np.cumsum(np.broadcast_arrays(*found), axis=0)

    if not known and not agree(taken, start + moved):
        names = {**state, "dtheta": gradients[0], "t": 1, "theta": start}
        edit = explain(taken, steps, names, compute)
        if edit:
            raise Wrong(f"{edit[1]}. {name}.step moves theta wrongly", edit[0])
    for k in range(STEPS):
        mistakes = {key: value[k] for key, value in known.items()}
        compare(f"theta after step {k + 1}", taken[k], (start + moved)[k], mistakes)
    check_memory(ask, name, settings, rule)


def construct(ask, name, settings):
    """Return an optimiser of the student's class."""
    theirs, optimizer = ask.find(name), None
    if isinstance(theirs, type) or len(parameters(theirs)) == len(settings):
        optimizer = ask.call(theirs, name, *settings)
    if not hasattr(optimizer, "step"):
        raise Wrong(f"{name} must be a class with a method step, as in the stub", "no_class")
    return optimizer


def check_memory(ask, name, settings, rule):
    """What is kept from step to step must be a copy, and belong to one optimiser alone.

    The caller writes each new gradient into the same array, as a model does with its dtheta. And
    two optimisers take steps in turn, as those of an encoder and a decoder do.
    """
    for key, count in ("shared_state", 2), ("keeps_dtheta", 1):
        draws = ask.rng.standard_normal((count, 1 + STEPS, 6))
        optimizers = [construct(ask, name, settings) for _ in range(count)]
        thetas, dthetas = [row[0].copy() for row in draws], [row[1].copy() for row in draws]
        for k, i in itertools.product(range(STEPS), range(count)):
            if key == "keeps_dtheta":
                dthetas[i][:] = draws[i, 1 + k]
            else:
                dthetas[i] = draws[i, 1 + k].copy()
            ask.call(optimizers[i].step, f"{name}.step", thetas[i], dthetas[i], changes=(0, 1))
            if not agree(dthetas[i], draws[i, 1 + k]):
                raise Wrong(
                    f"{name}.step changed dtheta: work on a copy, because the caller still needs "
                    "it",
                    "argument_changed",
                )
        for theta, row in zip(thetas, draws, strict=True):
            right = row[0] + sum(rule(list(row[1:])))
            compare("theta", theta, right, {key: theta})


def check_sgd(ask):
    """v <- momentum v + dtheta, theta <- theta - lr v."""
    lr, momentum = ask.rng.uniform(0.05, 0.2), ask.rng.uniform(0.6, 0.9)

    def descend(update):
        def rule(gradients):
            velocity, steps = 0 * gradients[0], []
            for gradient in gradients:
                velocity, step = update(velocity, gradient)
                steps.append(step)
            return steps

        return rule

    def right(v, g):
        v = momentum * v + g
        return v, -lr * v

    def simple(update):
        """Return a rule that moves theta by -lr times the velocity, after `update`."""

        def both(v, g):
            v = update(v, g)
            return v, -lr * v

        return descend(both)

    mistakes = {
        "no_momentum": descend(lambda v, g: (v, -lr * g)),
        "averaged": simple(lambda v, g: momentum * v + (1 - momentum) * g),
        "average_the_other_way": simple(lambda v, g: (1 - momentum) * v + momentum * g),
        "momentum_to_the_t": lambda gradients: [
            -lr * sum(momentum ** ((t - i) * (t + i + 3) / 2) * g for i, g in enumerate(some))
            for t, some in enumerate(itertools.accumulate([g] for g in gradients))
        ],
        "starts_at_1_with_lr": lambda gradients: [
            change + momentum ** (t + 1) for t, change in enumerate(descend(right)(gradients))
        ],
        "starts_at_1": lambda gradients: descend(right)([gradients[0] + momentum, *gradients[1:]]),
        "starts_at_dtheta": lambda gradients: descend(right)(
            [gradients[0] * (1 + momentum), *gradients[1:]]
        ),
        "late_velocity": descend(lambda v, g: (momentum * v + g, -lr * v)),
        "nesterov": descend(
            lambda v, g: (momentum * v + g, -lr * (g + momentum * (momentum * v + g)))
        ),
        "only_last_gradient": lambda gradients: [
            -lr * (g + momentum * before)
            for before, g in zip([0 * gradients[0], *gradients], gradients, strict=False)
        ],
        "lr_is_missing": descend(lambda v, g: (momentum * v + g, -(momentum * v + g))),
        "lr_and_momentum_exchanged": descend(lambda v, g: (lr * v + g, -momentum * (lr * v + g))),
        "bracket": simple(lambda v, g: momentum * (v + g)),
        "momentum_on_dtheta": simple(lambda v, g: v + momentum * g),
        "all_gradients_alike": simple(lambda v, g: v + g),
        "minus_dtheta": simple(lambda v, g: momentum * v - g),
        "minus_velocity": simple(lambda v, g: g - momentum * v),
        "one_plus_momentum": simple(lambda v, g: (1 + momentum) * v + g),
        "one_minus_momentum": simple(lambda v, g: (1 - momentum) * v + g),
        "momentum_is_added": simple(lambda v, g: v + momentum + g),
        "momentum_is_squared": simple(lambda v, g: momentum**2 * v + g),
        "lr_on_velocity": simple(lambda v, g: lr * v + g),
        "lr_twice": simple(lambda v, g: momentum * v + lr * g),
        "lr_twice_all": simple(lambda v, g: lr * (momentum * v + g)),
        "divided_by_lr": descend(lambda v, g: (momentum * v + g, -(momentum * v + g) / lr)),
        "momentum_in_step": descend(
            lambda v, g: (momentum * v + g, -lr * momentum * (momentum * v + g))
        ),
        "velocity_is_not_kept": descend(lambda v, g: (0 * g, -lr * g)),
        "dtheta_twice": descend(lambda v, g: (momentum * v + g, -lr * (momentum * v + 2 * g))),
        "dtheta_squared": simple(lambda v, g: momentum * v + g**2),
        "sign_of_dtheta": simple(lambda v, g: momentum * v + np.sign(g)),
        "absolute_dtheta": simple(lambda v, g: momentum * v + np.abs(g)),
        "added_velocity": descend(lambda v, g: (momentum * v - lr * g, -(momentum * v - lr * g))),
        "one_number": simple(lambda v, g: momentum * v + np.full(g.shape, g.mean())),
    }
    state = {"lr": lr, "momentum": momentum, "velocity": np.zeros(6)}
    steps = {"velocity": "momentum * velocity + dtheta", "change": "-lr * velocity"}
    check_steps(ask, "SGD", (lr, momentum), descend(right), mistakes, (state, steps))


STEPS_SENTENCES = {
    **{key: words for key, (words, _) in OTHER_GRADIENTS.items()},
    "step_scaled": "every step has the same factor too many: check lr, and the factors of dtheta",
    "no_class": "it must be a class with a method step",
    "theta_unchanged": "step does not change theta",
    "step_is_added": "it adds the step, so the loss grows: subtract it",
    "theta_is_lost": "theta becomes the step: subtract the step from theta",
    "theta_is_lost_and_added": "theta becomes the step: subtract the step from theta",
    "theta_times_step": "theta is multiplied: subtract the step from it",
    "divided_by_size": "the step is divided by the size of theta",
    "step_twice": "the step is made twice, or has a factor 2 too many",
    "theta_of_the_start": "the step starts from the first theta: change the given array",
    "stops_after_first_step": "only the first step changes theta",
    "keeps_dtheta": (
        "the array dtheta itself is kept, and the caller writes the next gradient into it: keep a "
        "copy, dtheta.copy()"
    ),
    "shared_state": (
        "two optimisers share what they keep from step to step: keep it in self, not in the class "
        "or in a global variable"
    ),
}
EXERCISES = {
    "sgd_momentum": {
        "title": "Gradient descent with momentum",
        "minutes": 15,
        "parts": {"SGD": check_sgd},
        "mistakes": {
            **STEPS_SENTENCES,
            "no_momentum": "there is no momentum: keep the velocity of the last step",
            "averaged": (
                "dtheta has the factor (1 - momentum), which makes an average: take the sum"
            ),
            "average_the_other_way": (
                "this is an average with momentum and 1 - momentum exchanged: velocity = momentum "
                "velocity + dtheta"
            ),
            "momentum_to_the_t": "momentum has a power: it must be the same in each step",
            "starts_at_1_with_lr": "the velocity starts at 1: it must start at 0",
            "starts_at_1": "the velocity starts at 1: it must start at 0",
            "starts_at_dtheta": "the velocity starts at dtheta: it must start at 0",
            "late_velocity": (
                "theta moves by the velocity of the last step: update the velocity first"
            ),
            "nesterov": (
                "this is Nesterov's variant; plain momentum moves theta by lr times the velocity"
            ),
            "only_last_gradient": (
                "only the last gradient is kept: velocity = momentum * velocity + dtheta, in self"
            ),
            "lr_is_missing": "lr is missing",
            "lr_and_momentum_exchanged": "lr and momentum are exchanged",
            "bracket": (
                "momentum multiplies dtheta too: momentum velocity + dtheta, without a bracket"
            ),
            "momentum_on_dtheta": "momentum multiplies dtheta: it must multiply the velocity",
            "all_gradients_alike": "momentum is missing: the velocity must be multiplied by it",
            "minus_dtheta": "dtheta is subtracted in the velocity: add it",
            "minus_velocity": "the velocity is subtracted: momentum velocity + dtheta",
            "one_plus_momentum": "it has 1 + momentum: the velocity is multiplied by momentum",
            "one_minus_momentum": "it has 1 - momentum: the velocity is multiplied by momentum",
            "momentum_is_added": "momentum is added: multiply the velocity by it",
            "momentum_is_squared": "momentum is there twice",
            "lr_on_velocity": "the velocity is multiplied by lr: multiply it by momentum",
            "lr_twice": "lr is there twice: in the velocity and in the step",
            "lr_twice_all": "lr is there twice: in the velocity and in the step",
            "divided_by_lr": "the step is divided by lr: multiply by it",
            "momentum_in_step": "the step has a factor momentum: it is lr times the velocity",
            "velocity_is_not_kept": "the velocity starts at 0 in every step: keep it in self",
            "dtheta_twice": "dtheta is there twice: the velocity contains it already",
            "dtheta_squared": "dtheta is squared: this is not Adam",
            "sign_of_dtheta": "it has the sign of dtheta only",
            "absolute_dtheta": "it has |dtheta|: the sign is lost",
            "added_velocity": "the velocity contains -lr dtheta already: add it to theta",
            "one_number": "it has the mean of dtheta: each entry has its own gradient",
        },
        "hints": (
            "Keep the velocity in self from step to step. Before the first step it is zero.",
            "velocity = momentum * velocity + dtheta; then theta moves by -lr * velocity.",
            "Write theta -= ...: this changes the caller's array in place.",
        ),
    },
}
