"""Diagnosis: the most likely mistake in a wrong gradient.

Each hypothesis (see `hypotheses`) is the gradient that one known mistake gives. It is accepted
only if it explains the difference to better than one part in a thousand. If several do, all are
named. If none does, the answer is "no known pattern": a wrong guess costs a student more than none.
"""

import numpy as np

from miniae.layers import Dropout, Sequential
from miniae.losses import GaussianNLL
from miniae.numerics import sigmoid
from miniae.proof import hypotheses
from miniae.proof.differences import central_difference
from miniae.proof.normalizations import of_normalization
from miniae.proof.terms import diagnose_terms, joined

MATCH = 1e-6  # relative to the largest entry
NONE = ("unknown", "no known pattern; compare intermediate values, one line of code at a time")


def explains(candidate, a, b):
    """Return whether the gradient a is the candidate, and much closer to it than to the right b."""
    if np.shape(candidate) != np.shape(a) or np.shape(a) != np.shape(b):
        return False
    if not (np.isfinite(a).all() and np.isfinite(candidate).all()):
        return False
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    wrong = np.abs(a - b).max(initial=0)
    return np.abs(a - candidate).max(initial=0) < min(MATCH * scale, 1e-3 * wrong)


def verdict(candidates, a, b):
    """Return (causes, words) of all (cause, words, gradient) that explain a, or None.

    Different causes can give the same numbers, for instance if n samples = features.
    """
    found = {}
    for cause, words, candidate in candidates:
        if explains(candidate, a, b):
            found.setdefault(cause, words)
    return joined(found)


def diagnose_gradient(subject, report, gradient, numeric, check, derivative):
    """Return (cause, words) for a report whose verdict is "WRONG".

    Parameters
    ----------
    subject : the object that is checked, with its inputs; see `Subject`
    gradient : (size of v,), from the object's own backward
    numeric : the same by complex step or central difference; None for a projection
    check : function of (subject, method, tolerance) that returns a report; it calls this function
    derivative : function of (f, v) that returns the gradient of f at v by the method in use
    """
    if report.side_effects:
        return diagnose_side_effect(subject, report)
    if numeric is None:
        return "unknown", "a projection does not show the cause: check by complex step"
    inner = diagnose_parts(subject, report, check)
    if inner is not None:
        return inner
    if isinstance(subject.exact, Sequential):
        return diagnose_chain(subject, gradient, numeric) or NONE
    if not (subject.is_layer or subject.is_loss):
        found = diagnose_terms(subject, gradient, numeric)
        if found is not None:
            return found

    def right(name, x, dout):
        """Return the right gradient with respect to a block, at another x and dout."""
        here, shape = subject.blocks[name]
        v = np.concatenate([subject.point[: subject.exact.theta.size], x.ravel()])

        def f(part):
            w = v.astype(part.dtype)
            w[here] = part
            return subject(w)

        kept, subject.dout = subject.dout, dout
        answer = derivative(f, v[here]).reshape(shape)
        subject.dout = kept
        return answer

    for block in report.blocks:
        if not block.ok:
            here, shape = subject.blocks[block.name]
            a, b = (v[here].reshape(shape) for v in (gradient, numeric))
            if subject.is_layer:
                found = verdict(hypotheses.of_layer(subject, block.name, right), a, b)
                if found is not None and SLOPES & set(found[0].split(" or ")):
                    found = found if elementwise(subject, right, b) else None
                if found is None and block.name == "x":
                    found = verdict(of_normalization(subject, b), a, b)
            elif subject.is_loss:
                found = verdict(hypotheses.of_loss(subject, block.name, b), a, b)
            else:
                found = None
            found = found or diagnose_block(a, b, sizes_of(subject))
            if found is not None:
                return found[0], f"{block.name}: {found[1]}"
    return NONE


SLOPES = {  # causes for elementwise layers
    "other activation", "wrong variable", "square missing", "product rule",
}  # fmt: skip


def elementwise(subject, right, dx):
    """Return whether each entry of the right dx depends on one entry of dout only."""
    dout = subject.dout.copy()
    if dout.shape != dx.shape:
        return False
    dout.flat[0] += 1.0
    moved = np.abs(right("x", subject.x, dout) - dx) > MATCH * np.abs(dx).max(initial=0)
    return not moved.flat[1:].any()


def diagnose_side_effect(subject, report):
    """Name what backward changes; if a second backward differs, find out why."""
    effect = report.side_effects[0]
    advice = {
        "params": "the optimiser makes the step, after backward: otherwise dx is computed with "
        "weights that forward did not use",
        "dout": "it belongs to the caller, who may still need it: return a new array",
    }
    _, changed, name = effect.partition(" changed ")
    if changed:
        words = advice.get(name, "work on a copy, because the caller still needs it")
        return f"{name} changed", f"{effect}; {words}"
    if "second" not in effect:
        return "shape", effect

    def again():
        subject.exact.set_rng(np.random.default_rng(subject.seed))
        return np.concatenate([np.ravel(g) for g in subject.backward() if g is not None])

    first, second, third = again(), again(), again()
    if explains(2 * second - first, third, second):
        return "accumulates", "it adds to the grads of the last backward: assign, do not add"
    if np.array_equal(first, second):  # with the same random numbers
        return "redrawn", "backward draws new random numbers: keep the mask or noise of forward"
    return "unknown", "a second backward gives another gradient: it changes what forward kept"


def diagnose_parts(subject, report, check):
    """Check every inner layer and loss alone, at the inputs it receives; name the wrong one."""
    exact, n = subject.exact, len(subject.x)
    networks = []
    if isinstance(exact, Sequential):
        networks = [("", exact, subject.x)]
    elif not (subject.is_layer or subject.is_loss):
        codes = np.random.default_rng(subject.seed).standard_normal((n, exact.latent_dim))
        networks = [("encoder.", exact.encoder, subject.x), ("decoder.", exact.decoder, codes)]

    def inner(obj, x, target=None):
        part = subject.like(obj=obj, x=x, target=target, given={}, dout=None)
        return check(part, report.method, report.tolerance)

    for prefix, network, x in networks:
        for i, layer in enumerate(network.layers):
            try:
                found = inner(layer, x)
            except ValueError:  # it needs more than x or a code, such as labels
                return None
            if found.verdict == "WRONG":
                where = f"{prefix}{i}, {layer}"
                return found.cause, f"{where} is wrong when checked alone: {found.diagnosis}"
            x = np.array(layer.forward(x))
    if networks and not subject.is_layer:
        loss = exact.reconstruction_loss
        found = inner(loss, subject.x, subject.x if subject.target is None else subject.target)
        if found.verdict == "WRONG":
            return found.cause, f"{loss} is wrong when checked alone: {found.diagnosis}"
        return diagnose_penalty(getattr(exact, "penalty", None), codes, report)
    return None


def diagnose_penalty(penalty, code, report):
    """Check a penalty at a random code; return (cause, words) if it is wrong."""
    if penalty is None:
        return None
    code = sigmoid(code)  # some penalties accept codes in (0, 1) only
    numeric, errors = central_difference(
        lambda v: penalty.forward(v.reshape(code.shape)), code.ravel()
    )
    penalty.forward(code)
    dcode, right = np.array(penalty.backward()), numeric.reshape(code.shape)
    off, allowed = np.abs(dcode - right).max(), 10 * errors.max() + 1e-9 * np.abs(right).max()
    if off <= allowed:
        return None
    cause, words = diagnose_block(dcode, right, {"n samples": len(code)}) or NONE
    return cause, f"the penalty {type(penalty).__name__} is wrong when checked alone: {words}"


def diagnose_chain(subject, gradient, numeric):
    """Compare with gradients that visit the layers in a wrong order, or leave one out."""
    layers, candidates = subject.exact.layers, []
    orders = {"in the order of forward: go from the last to the first": list(layers)}
    for i, layer in enumerate(layers):
        rest = [other for other in reversed(layers) if other is not layer]
        orders[f"without layer {i}, {layer}: its slope is also a factor"] = rest
    for words, order in orders.items():
        subject.run(subject.exact, subject.x)
        dx = subject.dout
        try:
            for layer in order:
                dx = layer.backward(dx)
        except ValueError:  # the shapes do not fit, so this is not the mistake
            continue
        candidate = np.concatenate([subject.exact.dtheta, dx.ravel()])
        candidates.append(("chain", f"backward goes through the layers {words}", candidate))
    return verdict(candidates, gradient, numeric)


def sizes_of(subject):
    """Return the values that a forgotten factor may have, by name."""
    n, features = len(subject.x), subject.x[0].size
    sizes = {"n samples": n, "features": features, "n samples * features": n * features}
    for _, part in subject.exact.walk():
        if isinstance(part, Dropout):
            sizes["keep"] = 1 - part.p
        if isinstance(part, GaussianNLL):
            sizes["sigma"], sizes["sigma^2"] = part.sigma, part.sigma**2
    return {**sizes, "beta": getattr(subject.exact, "beta", 1.0)}


def diagnose_block(analytic, numeric, sizes):
    """Return (cause, words) from the two gradients of one block alone, or None.

    sizes : dict of str to float, the values that a forgotten factor may have, by name
    """
    if not np.isfinite(numeric).all():
        return "not finite", "forward gives NaN or inf here: choose another point, or guard it"
    if not np.isfinite(analytic).all():
        return "not finite", "it contains NaN or inf: look for a division by zero or an overflow"
    if not analytic.any():
        return "zero", "it is all zeros: this gradient was never computed, or never assigned"
    candidates = []
    for name, size in sizes.items():
        if size not in (0, 1):
            for cause, c in ((name, size), (f"1 / {name}", 1 / size)):
                words = f"it is {c:.4g} = {cause} times the right one: {ADVICE.get(cause, MORE)}"
                candidates.append((cause, words, c * numeric))
    candidates += [
        ("sign", "the sign is wrong: check out - target, and that theta moves by -lr dtheta",
         -numeric),
        ("2", "it is 2 times the right one: look for a 1/2 in the loss", 2 * numeric),
        ("1/2", "it is half the right one: look for the 2 of a square's derivative", numeric / 2),
    ]  # fmt: skip
    if numeric.ndim == 2 and numeric.shape[0] == numeric.shape[1] > 1:
        words = "it is the transpose of the right one: dW = x^T dout, not dout^T x"
        candidates.append(("transposed", words, numeric.T))
    for axes in ((0,), (1,), (0, 1)):
        if numeric.ndim > max(axes):
            words = f"its entries are in reverse order along axes {axes}"
            candidates.append(("flipped", words, np.flip(numeric, axes)))
    square = np.sum(numeric * numeric)
    c = np.sum(analytic * numeric) / square if square > 0 else 0.0
    found = verdict(candidates, analytic, numeric)
    if found is None and numeric.size > 1 and c:  # any number is a multiple of another number
        words = f"it is {c:.9g} times the right one: there is one factor too few, or one too many"
        found = verdict([("factor", words, c * numeric)], analytic, numeric)
    return found


MORE = "look for a place where it is used twice, or not at all"
ADVICE = {
    "n samples": "it sums over the batch, but forward takes the mean",
    "1 / n samples": "it takes the mean over the batch, but forward sums; or it divides twice",
    "features": "it sums over features, but forward takes their mean",
    "1 / features": "it takes the mean over features, but forward sums over them",
    "keep": "dropout divides the units that it keeps by 1 - p, and backward must do the same",
    "1 / keep": "dropout divides the units that it keeps by 1 - p: once, not twice",
}
