"""Warnings before the first training: settings that give a useless model without an error."""

import numpy as np

from miniae.losses import GaussianNLL, SquaredError
from miniae.plumbing.caller import warn

SAMPLED = 2**17  # entries that the check of scales looks at
SHARE = 0.99  # of the variance, in so few columns that the others hardly count
FEW = 0.1  # of the columns
LIKE_SQUARES = (SquaredError, GaussianNLL)  # one scale for all columns; subclasses may differ


def advise(model, data):
    """Warn if the model can copy its input, or if a few columns decide the whole loss.

    data : dict of arrays, as `check_data` returns it
    """
    for advice in (advice_on_size(model, data), advice_on_scales(model, data)):
        if advice:
            warn(advice)


def advice_on_size(model, data):
    """Return what to do if the code has room for all features, and nothing else limits it."""
    features = int(np.prod(model.input_shape))
    limited = (
        getattr(model, "penalty", "another limit, such as the KL of a VAE") is not None
        or model.corruption is not None
        or bool(model.random_layers)  # dropout
        or "target" in data  # a denoiser, say
        or features == 1
    )
    sizes = [model.latent_dim]
    if model.arguments["encoder"] is None or model.arguments["decoder"] is None:
        sizes += model.hidden
    if limited or min(sizes) < features:
        return ""
    return (
        f"latent_dim={model.latent_dim} is not below the {features} features of the data, so the "
        "model can copy its input and its code need not learn anything. Give a smaller latent_dim "
        f"(such as {max(1, features // 2)}), or a corruption, a penalty or dropout"
    )


def advice_on_scales(model, data):
    """Return what to do if a few columns of a table have nearly all of the variance."""
    loss = model.reconstruction_loss.base
    if len(model.input_shape) > 1 or type(loss) not in LIKE_SQUARES:
        return ""
    target = data.get("target", data["x"])
    step = max(1, len(target) * target.shape[1] // SAMPLED)
    sample = np.asarray(target[::step]).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the end of float64
        variances = np.ma.masked_invalid(sample).var(axis=0).filled(0)
    order = variances.argsort()[::-1]
    varying = int((variances > 0).sum())
    share = variances[order].cumsum() / max(variances.sum(), np.finfo(np.float64).tiny)
    few = 1 + int((share < SHARE).sum())
    if varying < 2 or few > max(1, FEW * varying):
        return ""
    argument = model.loss_argument
    columns = getattr(model, "feature_names_in_", range(len(variances)))
    named = ", ".join(repr(columns[i]) for i in order[: min(few, 3)])
    more = ", ..." if few > 3 else ""
    return (
        f"{few} of {varying} columns ({named}{more}) have {share[few - 1]:.1%} of the variance of "
        f"the data. {argument}={model.arguments[argument]!r} adds the errors of all columns, so "
        "the others hardly count. Scale the columns alike, for example with scikit-learn's "
        "StandardScaler"
    )
