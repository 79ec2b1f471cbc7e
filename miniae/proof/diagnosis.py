"""Diagnosis: what a wrong gradient most likely suffers from.

Each hypothesis (see `hypotheses`) is a gradient as one certain mistake would make it. It is
accepted only if it explains the difference to better than one part in a thousand; where several
do, all are named, and where none does, the answer is "no known pattern": a wrong guess costs a
student more than none.
"""

import numpy as np

from miniae.layers import Dropout, Sequential
from miniae.losses import GaussianNLL
from miniae.numerics import sigmoid
from miniae.proof import hypotheses
from miniae.proof.differences import central_difference
from miniae.proof.normalizations import of_normalization
from miniae.proof.terms import diagnose_terms

MATCH = 1e-6  # relative to the largest entry
NONE = ("unknown", "no known pattern; compare intermediate values, one line of code at a time")


def explains(candidate, a, b):
    """Tell whether a, where b is right, is the candidate, much more closely than it is b."""
    if np.shape(candidate) != np.shape(a) or np.shape(a) != np.shape(b):
        return False
    if not (np.isfinite(a).all() and np.isfinite(candidate).all()):
        return False
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    wrong = np.abs(a - b).max(initial=0)
    return np.abs(a - candidate).max(initial=0) < min(MATCH * scale, 1e-3 * wrong)


def verdict(candidates, a, b):
    """Return (causes, words) of all (cause, words, gradient) that explain a, or None.

    Different causes can give the same numbers, for instance where n samples = features.
    """
    fits = {}
    for cause, words, candidate in candidates:
        if explains(candidate, a, b):
            fits.setdefault(cause, words)
    return (" or ".join(fits), ", or ".join(fits.values())) if fits else None


def diagnose_gradient(subject, report, gradient, numeric, check, derivative):
    """Return (cause, words) for a report that is not ok.

    Parameters
    ----------
    subject : the object checked with its inputs, see `Subject`
    gradient : (size of v,), by the object's own backward
    numeric : the same by complex step or central difference, or None (projection)
    check : function of (subject, method, tolerance) that returns a report, which called this one
    derivative : function of (f, v) that returns the gradient of f at v, by the method in use
    """
    if report.side_effects:
        return diagnose_side_effect(subject, report)
    if numeric is None:
        return "unknown", "a projection shows that it is wrong, not how: check by complex step"
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
        """Return the right gradient of a block for another x and dout."""
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


SLOPES = {"other activation", "wrong variable", "square missing"}  # of a layer that has a slope


def elementwise(subject, right, dx):
    """Tell whether one entry of dout moves one entry of the right dx only."""
    dout = subject.dout.copy()
    if dout.shape != dx.shape:
        return False
    dout.flat[0] += 1.0
    moved = np.abs(right("x", subject.x, dout) - dx) > MATCH * np.abs(dx).max(initial=0)
    return not moved.flat[1:].any()


def diagnose_side_effect(subject, report):
    """Name what backward changes; a second backward that differs adds up, or draws anew."""
    effect = report.side_effects[0]
    advice = {
        "params": "leave the step to the optimiser, after backward: else dx is computed with "
        "weights that forward did not use",
        "dout": "it belongs to the caller, who may need it still: return a new array",
    }
    _, changed, name = effect.partition(" changed ")
    if changed:
        words = advice.get(name, "work on a copy: the caller still needs it")
        return f"{name} changed", f"{effect}; {words}"
    if "second" not in effect:
        return "shape", effect

    def again():
        subject.exact.set_rng(np.random.default_rng(subject.seed))
        return np.concatenate([np.ravel(g) for g in subject.backward() if g is not None])

    first, second, third = again(), again(), again()
    if explains(2 * second - first, third, second):
        return "accumulates", "it adds to what the last backward left: assign to grads, do not add"
    if np.array_equal(first, second):  # with the same random numbers
        return "redrawn", "backward draws at random: use the mask or noise that forward drew, kept"
    return "unknown", "a second backward gives another gradient: it changes what forward kept"


def diagnose_parts(subject, report, check):
    """Check every layer and loss inside by itself, at the inputs it sees; name the wrong one."""
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
            except ValueError:  # it takes more than x or a code, such as labels
                return None
            if found.verdict == "WRONG":
                where = f"{prefix}{i}, {layer}"
                return found.cause, f"{where} is wrong by itself: {found.diagnosis}"
            x = np.array(layer.forward(x))
    if networks and not subject.is_layer:
        loss = exact.reconstruction_loss
        found = inner(loss, subject.x, subject.x if subject.target is None else subject.target)
        if found.verdict == "WRONG":
            return found.cause, f"{loss} is wrong by itself: {found.diagnosis}"
        return diagnose_penalty(getattr(exact, "penalty", None), codes, report)
    return None


def diagnose_penalty(penalty, code, report):
    """Check a penalty at a random code; return (cause, words) if it is wrong."""
    if penalty is None:
        return None
    code = sigmoid(code)  # some take codes in (0, 1) only
    numeric, errors = central_difference(
        lambda v: penalty.forward(v.reshape(code.shape)), code.ravel()
    )
    penalty.forward(code)
    dcode, right = np.array(penalty.backward()), numeric.reshape(code.shape)
    off, allowed = np.abs(dcode - right).max(), 10 * errors.max() + 1e-9 * np.abs(right).max()
    if off <= allowed:
        return None
    cause, words = diagnose_block(dcode, right, {"n samples": len(code)}) or NONE
    return cause, f"the penalty {type(penalty).__name__} is wrong by itself: {words}"


def diagnose_chain(subject, gradient, numeric):
    """Go through right layers in a wrong order, or leave one out, and compare."""
    layers, candidates = subject.exact.layers, []
    orders = {"in the order of forward: go from the last to the first": list(layers)}
    for i, layer in enumerate(layers):
        rest = [other for other in reversed(layers) if other is not layer]
        orders[f"without layer {i}, {layer}: its slope is a factor too"] = rest
    for words, order in orders.items():
        subject.run(subject.exact, subject.x)
        dx = subject.dout
        try:
            for layer in order:
                dx = layer.backward(dx)
        except ValueError:  # shapes that do not fit: not what happened
            continue
        candidate = np.concatenate([subject.exact.dtheta, dx.ravel()])
        candidates.append(("chain", f"backward goes through the layers {words}", candidate))
    return verdict(candidates, gradient, numeric)


def sizes_of(subject):
    """Return the numbers that a forgotten factor may be, by name."""
    n, features = len(subject.x), subject.x[0].size
    sizes = {"n samples": n, "features": features, "n samples * features": n * features}
    for _, part in subject.exact.walk():
        if isinstance(part, Dropout):
            sizes["keep"] = 1 - part.p
        if isinstance(part, GaussianNLL):
            sizes["sigma"], sizes["sigma^2"] = part.sigma, part.sigma**2
    return {**sizes, "beta": getattr(subject.exact, "beta", 1.0)}


def diagnose_block(analytic, numeric, sizes):
    """Return (cause, words) from one block's two gradients alone, or None.

    sizes : dict of str to float, numbers that a forgotten factor may be, with their names
    """
    if not np.isfinite(numeric).all():
        return "not finite", "forward gives NaN or inf here: choose another point, or guard it"
    if not np.isfinite(analytic).all():
        return "not finite", "it holds NaN or inf: look for a division by zero or an overflow"
    if not analytic.any():
        return "zero", "it is all zeros: this gradient was never computed, or never assigned"
    candidates = []
    for name, size in sizes.items():
        if size not in (0, 1):
            for cause, c in ((name, size), (f"1 / {name}", 1 / size)):
                words = f"it is {c:.4g} = {cause} times the right one: {ADVICE.get(cause, MORE)}"
                candidates.append((cause, words, c * numeric))
    candidates += [
        ("sign", "the sign is flipped: check out - target, and that theta moves by -lr dtheta",
         -numeric),
        ("2", "it is 2 times the right one: check for a 1/2 in the loss", 2 * numeric),
        ("1/2", "it is half the right one: check the 2 of a square's derivative", numeric / 2),
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
    if found is None and numeric.size > 1 and c:  # one number is always a multiple of another
        words = f"it is {c:.9g} times the right one: a factor is missing, or one too many"
        found = verdict([("factor", words, c * numeric)], analytic, numeric)
    return found


MORE = "look where it is used once too often, or not at all"
ADVICE = {
    "n samples": "it sums over the batch where forward takes the mean",
    "1 / n samples": "it takes the mean over the batch where forward sums, or takes it twice",
    "features": "it sums over features where forward takes their mean",
    "1 / features": "it takes the mean over features where forward sums over them",
    "keep": "dropout divides what it keeps by 1 - p, and backward must do so too",
    "1 / keep": "dropout divides what it keeps by 1 - p: once, not twice",
}
