"""Warnings before the first training: settings that give a useless model without an error."""

import copy

import numpy as np

from miniae.losses import GaussianNLL, SquaredError
from miniae.plumbing.caller import warn
from miniae.plumbing.watch import watch

SAMPLED = 2**17  # entries that the check of scales looks at
SHARE = 0.99  # of the loss, in so few columns that the others hardly count
FEW = 0.1  # of the columns
LIKE_SQUARES = (SquaredError, GaussianNLL)  # one scale for all columns; subclasses may differ


def advise(model, data):
    """Warn if the model can copy its input, or if a few columns decide the whole loss.

    data : dict of arrays, as `check_data` returns it
    """
    for advice in (advice_on_size(model, data), advice_on_scales(model, data)):
        if advice:
            warn(advice)


def advise_on_frozen(model, epochs):
    """Warn if there is nothing to train."""
    if epochs and not model.theta.size:
        warn(
            f"{type(model).__name__}.fit changes nothing: all parameters of the model are inside "
            "Frozen, or it has none. Freeze only a part, or call fit(X, epochs=0)"
        )


def advice_on_size(model, data):
    """Return what to do if the code has room for all features, and nothing else limits it."""
    features = int(np.prod(model.input_shape))
    limited = (
        not hasattr(model, "penalty")  # a VAE: its KL limits the code
        or model.penalty is not None
        or model.corruption is not None
        or bool(model.random_layers)  # dropout
        or "target" in data  # a denoiser, say
        or features == 1
    )
    if limited or model.latent_dim < features or narrowest(model) < features:
        return ""
    return (
        f"latent_dim={model.latent_dim} is not below the {features} features of the data, so the "
        "model can copy its input and its code need not learn anything. Give a smaller latent_dim "
        f"(such as {max(1, features // 2)}), or a corruption, a penalty or dropout"
    )


def narrowest(model):
    """Return the smallest size of what the layers of a model output for a sample."""
    copied, sizes = copy.deepcopy(model), []
    watch(copied, lambda name, x, out: sizes.append(out[0].size))
    code = copied.encoder.forward(np.zeros((1, *model.input_shape), model.theta.dtype))
    copied.decoder.forward(np.zeros((1, model.latent_dim), code.dtype))
    return min(sizes, default=model.latent_dim)


def advice_on_scales(model, data):
    """Return what to do if a few columns of a table decide nearly all of the loss."""
    loss = model.reconstruction_loss.base
    is_absolute = "is_absolute" in vars(type(loss))
    if len(model.input_shape) > 1 or not (is_absolute or type(loss) in LIKE_SQUARES):
        return ""
    target = data.get("target", data["x"])
    step = max(1, len(target) * target.shape[1] // SAMPLED)
    sample = np.asarray(target[::step]).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the end of float64
        known = np.ma.masked_invalid(sample)
        sizes, what = known.var(axis=0).filled(0), "variance of the data"
        if is_absolute:
            sizes, what = known.std(axis=0).filled(0), "sum of the standard deviations"
    order = sizes.argsort()[::-1]
    varying = int((sizes > 0).sum())
    share = sizes[order].cumsum() / max(sizes.sum(), np.finfo(np.float64).tiny)
    few = 1 + int((share < SHARE).sum())
    if varying < 2 or few > max(1, FEW * varying):
        return ""
    argument = model.loss_argument
    columns = getattr(model, "feature_names_in_", range(len(sizes)))
    named = ", ".join(repr(columns[i]) for i in order[: min(few, 3)])
    more = ", ..." if few > 3 else ""
    return (
        f"{few} of {varying} columns ({named}{more}) have {share[few - 1]:.1%} of the {what}. "
        f"{argument}={model.arguments[argument]!r} adds the errors of all columns, so "
        "the others hardly count. Scale the columns alike, for example with scikit-learn's "
        "StandardScaler"
    )
