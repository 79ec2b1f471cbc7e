"""The checks of `health` that need no results of the model: of its history, weights and data."""

from dataclasses import dataclass, field

import numpy as np

from miniae.layers import Sigmoid, Tanh
from miniae.losses import BernoulliNLL, MultinomialNLL
from miniae.plumbing.checks import last_step
from miniae.proof.evidence import scan

REACH = {Sigmoid: (0.0, 1.0), Tanh: (-1.0, 1.0)}  # range of the outputs of a last layer


@dataclass
class Finding:
    """One result of a check.

    Attributes
    ----------
    topic : str, one of "training", "numbers", "data", "units", "floor", "codes",
        "sigma", "output", "baselines"
    severity : "ok", "note" (worth knowing, often no mistake) or "problem"
    cause : str, what was found, in words, with its figures
    remedy : str, what to do; empty if there is nothing to do
    figures : dict of str to float, the same figures as numbers
    """

    topic: str
    severity: str
    cause: str
    remedy: str = ""
    figures: dict = field(default_factory=dict)


def is_trained(model):
    """Return whether the model has a history, or at least a gradient."""
    return bool(model.history.get("loss")) or bool(model.dtheta.any())


def check_history(model):
    """Yield a note if training has not started or not ended, and a problem if the loss rose."""
    losses = [loss for loss in model.history.get("loss", ()) if np.isfinite(loss)]
    warmup = getattr(model, "kl_warmup", 0)
    if not is_trained(model):
        words = "no training on record: the rest of the report is about random weights"
        yield Finding("training", "note", words, "call fit first, unless the weights were copied")
    elif not losses:
        yield Finding("training", "note", "trained in a loop of its own, without a history")
    elif len(losses) <= warmup:
        words = f"{len(losses)} epochs, and the KL's weight rises until epoch {warmup + 1}"
        yield Finding(
            "training", "note", words, "train longer: the KL does not yet have its full weight"
        )
    else:
        first, last = losses[0], losses[-1]
        figures = {"first_loss": first, "last_loss": last}
        words = f"epochs: {len(losses)}, loss {first:.5g} to {last:.5g}"
        if last > first + 0.01 * abs(first) and not warmup:
            remedy = "a lower learning rate, such as Adam(1e-4), or a clip_norm"
            yield Finding("training", "problem", f"{words}: it rose", remedy, figures)
        else:
            yield Finding("training", "ok", words, figures=figures)


def check_parameters(model):
    """Yield a problem for the first parameter that is not finite."""
    for name, value, _ in model.named_params():
        if bad := int(value.size - np.isfinite(value).sum()):
            words = f"{name}: {bad} of {value.size} entries are NaN or infinite, training diverged"
            remedy = "build a new model; use a lower learning rate, and data near unit scale"
            yield Finding("numbers", "problem", words, remedy, {"not_finite": bad})
            return
    yield Finding("numbers", "ok", "all parameters are finite")


def check_data(model, X, sample):
    """Yield whether the range of X fits the likelihood, the decoder and the dtype."""
    loss = model.reconstruction_loss
    figures, where = scan(X, loss.takes_nan)
    low, high = figures["lowest"], figures["highest"]
    if figures["bad"]:
        words = f"{figures['bad']:,} entries are NaN or infinite, the first at X{where}"
        remedy = "drop or fill them; to train with missing entries as NaN, wrap the loss in Masked"
        yield Finding("data", "problem", words, remedy, figures)
        return
    span = f"X lies in [{low:.4g}, {high:.4g}]"
    if low > high or (sample == sample[0]).all():
        words = "no entry of X is observed" if low > high else f"{span}, and all rows are the same"
        yield Finding("data", "problem", words, "check how X was loaded", figures)
        return
    last, largest = last_step(model.decoder), float(np.finfo(model.theta.dtype).max)
    for who, reach in (
        (loss, loss.bounds),
        (f"a decoder that ends in {last}", REACH.get(type(last), loss.bounds)),
        (f"a model of {model.theta.dtype}", (-largest, largest)),
    ):
        if low < reach[0] or high > reach[1]:
            words = f"{span}, but {who} is for [{reach[0]:.4g}, {reach[1]:.4g}]"
            yield Finding("data", "problem", words, _scaling(low, high, sample, reach), figures)
            return
    found = loss.base.wrong_target(X) if hasattr(loss.base, "wrong_target") else None
    if found:
        row, column, words, remedy = found
        words = f"X[{row}]: the entries from column {column} {words}"
        yield Finding("data", "problem", words, remedy, figures)
        return
    if loss.takes_nan:
        share = figures["missing"] / X.size
        yield Finding("data", "note", f"{share:.1%} of the entries are missing", figures=figures)
    yield from _scale(loss.base, low, high, sample, span, figures)


def _scaling(low, high, sample, reach):
    """Return what to do about data outside the range `reach`."""
    spread = np.nanstd(sample.astype(np.float64))
    if reach[1] == 1 and 0 <= low and 10 < high <= 255:
        return "these look like bytes: X / 255"
    if reach[0] == 0 and reach[1] == np.inf:
        return "counts cannot be negative; for real numbers use GaussianNLL or SquaredError"
    if low < 0 and 0.5 < spread < 2:
        return (
            "these look standardised, with mean 0 and standard deviation 1: scale to the range "
            'with (X - min) / (max - min), or use loss="mse" or likelihood="gaussian"'
        )
    return 'scale X with (X - min) / (max - min), or use loss="mse" or likelihood="gaussian"'


def _scale(loss, low, high, sample, span, figures):
    """Yield whether data within the range have a usual scale."""
    if isinstance(loss, MultinomialNLL):
        whole = np.array_equal(sample, np.round(sample))
        empty = int((sample.reshape(len(sample), -1).sum(axis=1) == 0).sum())
        words = f"{span}, counts" if whole else f"{span}, not whole: weights rather than counts"
        words += f"; {empty} of {len(sample)} rows are empty" if empty else ""
        yield Finding("data", "note" if empty or not whole else "ok", words, figures=figures)
        return
    spread = float(np.nanstd(sample.astype(np.float64)))
    figures = {**figures, "spread": spread}
    if isinstance(loss, BernoulliNLL):
        if high < 0.02:
            words = f"{span}, hardly above 0"
            yield Finding("data", "note", words, "perhaps X was divided by 255 twice", figures)
        else:
            yield Finding("data", "ok", f"{span}, as {loss} requires", figures=figures)
    elif not 0.01 < spread < 20:
        words = f"{span}, standard deviation {spread:.3g}: far from unit scale"
        bytes_like = low >= 0 and 20 < high <= 255
        remedy = "X / 255" if bytes_like else "divide X by its standard deviation"
        words += "; Adam's steps have the same length for any scale"
        yield Finding("data", "note", words, remedy, figures)
    else:
        yield Finding("data", "ok", f"{span}, standard deviation {spread:.3g}", figures=figures)
