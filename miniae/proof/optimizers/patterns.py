"""Known mistakes: the rules with one thing wrong, to compare with a wrong optimiser.

A pattern is named as a cause only if it gives every step of every run of a failing line, within
rounding error, and differs from the right rule by more. Each generator yields (words, function),
and the function returns theta after each step of the problem.
"""

import numpy as np

from miniae.proof.optimizers.rounding import Rounded, running
from miniae.proof.optimizers.rules import OFF
from miniae.proof.optimizers.runs import compare

FEW = 12  # steps, which exclude most patterns


def explain(trials, base, known=()):
    """Return the patterns that explain all trials, in words; () if more than two do, or none.

    base : dict, the settings before any of them was varied; an optimiser that ignores a setting
        may use these
    known : the words found for other lines; they are preferred
    """
    kept = None
    for trial in trials:
        few, after = trial.problem.first(FEW), trial.after[:FEW]
        quick = dict(patterns(few, after, base))
        quick = {words for words in quick if fits(quick[words](), few, after)}
        quick = quick if kept is None else quick & set(kept)
        quick = quick & set(known) or quick
        everything = dict(patterns(trial.problem, trial.after, base)) if quick else {}
        kept = []
        for words in [words for words in everything if words in quick]:
            theta = everything[words]()
            if fits(theta, trial.problem, trial.after) and differs(theta, trial.expected):
                kept.append(words)
    return tuple(kept) if len(kept) <= 2 else ()


def fits(theta, problem, after):
    """Return whether a pattern gives the steps of the optimiser."""
    bounded = np.isfinite(theta.error) | np.isnan(theta.value)  # an infinite bound fits anything
    return bounded.all() and compare(theta, problem.theta, after).ratio <= 1


def differs(theta, right):
    """Return whether a pattern differs from the right rule by more than rounding."""
    apart = np.abs(theta.value - right.value)
    return bool((~(apart <= theta.error + right.error)).any())


def patterns(p, after, base):
    """Yield all patterns for a problem."""
    yield (
        "theta stays as it was: theta -= ... changes it, theta = theta - ... does not",
        lambda: p.before,
    )
    yield from ignored_settings(p, base)
    yield from factors(p, after, base)
    yield from sgd_patterns(p) if p.rule == "sgd" else adam_patterns(p)
    if p.settings["weight_decay"]:
        flipped = p.but(weight_decay=-p.settings["weight_decay"])
        yield "weight decay has the wrong sign: theta must shrink", flipped.solve
    if p.settings["clip_norm"] is not None:
        yield from clip_patterns(p)
    if callable(p.settings["lr"]):
        yield "the schedule is counted from 1: its first step is 0", p.but(late=1).solve
        only = float(p.settings["lr"](0))
        yield "lr is read once: every step has that of the first", p.but(lr=only).solve


def ignored_settings(p, base):
    """Yield a pattern for each setting that may be ignored."""
    for name, value in p.settings.items():
        own = base[name]
        if name in OFF and value != OFF[name]:
            yield f"{name} is ignored", p.but(**{name: OFF[name]}).solve
        once = callable(value) and value(0) == own  # which has a pattern of its own
        if own not in (value, OFF.get(name, value)) and not callable(own) and not once:
            yield f"{name} is ignored: it acts as {own}", p.but(**{name: own}).solve
    if p.settings.get("betas") != base.get("betas"):
        for k, name in enumerate(("beta1", "beta2")):
            betas = list(p.settings["betas"])
            betas[k] = base["betas"][k]
            yield f"{name} is ignored: it acts as {betas[k]}", p.but(betas=betas).solve
    if p.settings.get("nesterov") is False and p.settings["momentum"]:
        yield "it is Nesterov's variant, but must be plain momentum", p.but(nesterov=True).solve


def factors(p, after, base):
    """Yield patterns with a wrong factor of the step, or of eps; one entry gives the factor."""
    right, moved = p.solve(), p.but(weight_decay=0.0).solve() if p.rule == "adamw" else None
    for name, other in {"step": right, "step apart from weight decay": moved}.items():
        if other is None or (other is moved and not p.settings["weight_decay"]):
            continue
        move = other - p.before
        k = clearest(np.abs(move.value) / other.error)
        factor = short((after - right.value)[k] / move.value[k] + 1)
        if factor not in (None, 1.0, 0.0):
            words = f"every {name} is {factor:g} times the right one"
            words = "it goes uphill: subtract the step" if factor == -1 else words
            yield words, lambda move=move, factor=factor: right + (factor - 1) * move
    if p.rule != "sgd" and p.settings["eps"]:
        _, _, m_hat, v_hat, theta = adam_parts(p)
        root, eps = np.sqrt(v_hat.value), p.settings["eps"]
        move = np.abs(right.value - theta.value)
        k = clearest(move * eps / (root + eps) / right.error)
        acts = ((p.lr.value * m_hat.value) / (theta.value - after) - root)[k]
        for value in (short(acts), (short(acts / eps) or 0) * eps):
            if value and value > 0 and value not in (eps, base["eps"]):
                words = f"eps acts as {value:.4g}, {value / eps:.4g} times what it is"
                yield words, p.but(eps=value).solve


def clearest(figures):
    """Return the index of the largest figure."""
    return np.unravel_index(np.argmax(np.nan_to_num(figures)), figures.shape)


def short(number):
    """Return a number rounded to four digits; None if it is not finite."""
    return float(f"{number:.4g}") if np.isfinite(number) else None


def sgd_patterns(p):
    """Yield the known mistakes in SGD."""
    mu, decay, nesterov = p.momentum, p.weight_decay * p.before, p.settings["nesterov"]
    g = p.gradient + decay
    u = running(mu, g)

    def ahead(g, u):
        return g + mu * u if nesterov else u

    def to(move):
        return p.before - p.lr * move

    def lr_kept():
        h = p.lr * g
        return p.before - ahead(h, running(mu, h))

    def decay_apart():
        return to(ahead(p.gradient, running(mu, p.gradient)))

    if p.settings["momentum"]:
        yield ("dtheta is added to the velocity times 1 - momentum: a mean, but it must be a sum",
               lambda: to(ahead(g, running(mu, (1 - mu) * g))))  # fmt: skip
        yield ("lr is kept in the velocity, as in velocity = momentum * velocity + lr * dtheta: "
               "another rule when lr changes", lr_kept)  # fmt: skip
        yield ("momentum has the wrong sign",
               lambda: to(ahead(g, running(-1 * mu, g))))  # fmt: skip
        yield ("momentum uses the last gradient only: the velocity must be kept",
               lambda: to(ahead(g, g + mu * shifted(g))))  # fmt: skip
        yield ("momentum multiplies dtheta too, as in momentum * (velocity + dtheta)",
               lambda: to(ahead(g, running(mu, mu * g))))  # fmt: skip
        yield ("dtheta is added to the velocity times 1 - momentum from the second step on",
               lambda: to(ahead(g, running(mu, damped(g, 1 - mu)))))  # fmt: skip
    if p.settings["momentum"] and not nesterov:
        yield "theta moves by the velocity of the step before", lambda: to(shifted(u))
    if nesterov:
        yield "the velocity is not kept from step to step", lambda: to(g + mu * g)
        yield "Nesterov adds the velocity without momentum", lambda: to(g + u)
    if p.settings["weight_decay"]:
        yield ("weight decay is subtracted from theta, but must be part of the momentum",
               lambda: decay_apart() - p.lr * decay)  # fmt: skip
        yield "weight decay is not scaled by lr", lambda: decay_apart() - decay


def adam_parts(p):
    """Return g, m, m_hat, v_hat, and theta before the move."""
    (beta1, beta2), decay = p.betas, p.weight_decay * p.before
    g = p.gradient + decay if p.rule == "adam" else p.gradient
    m, v = running(beta1, (1 - beta1) * g), running(beta2, (1 - beta2) * (g * g))
    theta = p.before - p.lr * decay if p.rule == "adamw" else p.before
    return g, m, m / (1 - beta1**p.t), v / (1 - beta2**p.t), theta


def adam_patterns(p):
    """Yield the known mistakes in Adam."""
    (beta1, beta2), eps = p.betas, p.eps
    g, m, m_hat, v_hat, theta = adam_parts(p)
    v = running(beta2, (1 - beta2) * (g * g))

    def to(m, v):
        return theta - p.lr * (m / (v.sqrt() + eps))

    yield ("the bias corrections are missing: m / (1 - beta1^t) and v / (1 - beta2^t)",
           lambda: to(m, v))  # fmt: skip
    yield "m is not corrected: m / (1 - beta1^t)", lambda: to(m, v_hat)
    yield "v is not corrected: v / (1 - beta2^t)", lambda: to(m_hat, v)
    yield ("the bias corrections stay those of the first step: t must count on",
           lambda: to(m / (1 - beta1), v / (1 - beta2)))  # fmt: skip
    yield ("t is one too large in the bias corrections: it is 1 in the first step",
           lambda: to(m / (1 - beta1 ** (p.t + 1)), v / (1 - beta2 ** (p.t + 1))))  # fmt: skip
    yield ("v is its own maximum so far, as in AMSGrad",
           lambda: to(m_hat, running_max(v) / (1 - beta2**p.t)))  # fmt: skip
    yield ("v_hat is its own maximum so far, as in AMSGrad", lambda: to(m_hat, running_max(v_hat)))
    yield ("v averages m^2, but must average dtheta^2",
           lambda: to(m_hat, running(beta2, (1 - beta2) * (m * m)) / (1 - beta2**p.t)))  # fmt: skip
    yield "the step is along dtheta, but must be along m_hat", lambda: to(g, v_hat)
    yield ("eps is inside the root: it is sqrt(v_hat) + eps",
           lambda: theta - p.lr * (m_hat / (v_hat + eps).sqrt()))  # fmt: skip
    yield ("eps^2 is inside the root: it is sqrt(v_hat) + eps",
           lambda: theta - p.lr * (m_hat / (v_hat + eps * eps).sqrt()))  # fmt: skip
    yield "eps is missing", lambda: theta - p.lr * (m_hat / v_hat.sqrt())
    yield ("the root is missing: it is sqrt(v_hat)",
           lambda: theta - p.lr * (m_hat / (v_hat + eps)))  # fmt: skip
    early = eps / (1 - beta2**p.t).sqrt()
    yield ("eps is added before the bias correction of v: Keras' epsilon, not the paper's",
           lambda: theta - p.lr * (m_hat / (v_hat.sqrt() + early)))  # fmt: skip
    swapped = p.settings["betas"][::-1]
    yield "beta1 and beta2 are swapped", p.but(betas=swapped).solve
    if p.settings["weight_decay"]:
        yield from adam_decays(p)


def adam_decays(p):
    """Yield the known mistakes in Adam's weight decay."""
    if p.rule == "adam":
        apart = p.but(rule="adamw")
        yield "weight decay is separate (rule 'adamw'), but must be added to dtheta", apart.solve
        return
    inside, without = p.but(rule="adam"), p.but(weight_decay=0.0)

    def late():
        moved = without.solve()
        return moved - p.lr * (p.weight_decay * moved)

    def next_lr():
        return p.solve() - (p.but(late=1).lr - p.lr) * (p.weight_decay * p.before)

    yield "weight decay is added to dtheta (rule 'adam'), but must be separate", inside.solve
    if callable(p.settings["lr"]):
        yield "weight decay has the lr of the next step", next_lr
    yield ("weight decay is not scaled by lr",
           lambda: without.solve() - p.weight_decay * p.before)  # fmt: skip
    yield "weight decay acts on theta after the step, but must act before it", late


def scaled(p, norm, short_too=False):
    """Return the gradients scaled to clip_norm by another norm, (T, 1)."""
    scale = p.arithmetic.once(p.settings["clip_norm"]) / norm
    return p.arithmetic.exact(p.gradients) * (scale if short_too else scale.at_most(1))


def clip_patterns(p):
    """Yield the known mistakes in clipping."""
    limit, exact = p.settings["clip_norm"], p.arithmetic.exact

    def by(clip):
        return p.but(clip=lambda _: clip()).solve

    def largest():
        norm = np.abs(p.gradients).max(axis=1, keepdims=True)
        return p.arithmetic.once(np.where(norm == 0, limit, norm))

    def norm_of(vectors):
        value, error = (np.sqrt((a**2).sum(axis=1, keepdims=True))
                        for a in (vectors.value, vectors.error))  # fmt: skip
        norm = p.arithmetic.once(np.where(value == 0, limit, value), vectors.value.shape[1])
        norm.error = norm.error + error
        return norm

    def update():
        change = p.but(clip_norm=None).solve() - p.before
        return p.before + change * (p.arithmetic.once(limit) / norm_of(change)).at_most(1)

    def with_decay():
        g = exact(p.gradients) + p.weight_decay * p.before
        g = g * (p.arithmetic.once(limit) / norm_of(g)).at_most(1)
        return p.but(weight_decay=0.0, clip=lambda _: g).solve()

    yield ("entries are clipped one by one, but the whole gradient must be scaled",
           by(lambda: exact(np.clip(p.gradients, -limit, limit))))  # fmt: skip
    yield ("clip_norm limits the largest entry, but must limit the norm",
           by(lambda: scaled(p, largest())))  # fmt: skip
    yield ("short gradients are scaled up to clip_norm, but only long ones must be scaled",
           by(lambda: scaled(p, p.norm, short_too=True)))  # fmt: skip
    yield ("the root of the norm is missing", by(lambda: scaled(p, p.norm * p.norm)))
    yield "the update is clipped, but the gradient must be", update
    if p.settings["weight_decay"] and p.rule != "adamw":
        yield "weight decay is clipped with the gradient, but must be added after it", with_decay


def damped(x, factor):
    """Return all rows but the first times a factor."""
    rest = x * factor
    value, error = (np.vstack([a[:1], b[1:]]) for a, b in
                    ((x.value, rest.value), (x.error, rest.error)))  # fmt: skip
    return Rounded(value, error, x.arithmetic)


def shifted(x):
    """Return the rows of the step before; zeros for the first step."""
    value, error = (np.vstack([np.zeros_like(a[:1]), a[:-1]]) for a in (x.value, x.error))
    return Rounded(value, error, x.arithmetic)


def running_max(x):
    """Return the largest value so far."""
    value, error = (np.maximum.accumulate(a) for a in (x.value, x.error))
    return Rounded(value, error, x.arithmetic)
