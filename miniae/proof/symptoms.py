"""Symptoms: the checks that `health` makes, each a function that yields what it found."""

from dataclasses import dataclass, field

import numpy as np

from miniae.layers import ReLU, Sigmoid, Tanh
from miniae.losses import BernoulliNLL, GaussianNLL, MultinomialNLL
from miniae.plumbing.checks import last_step
from miniae.proof.evidence import scan

USUAL = {"dead": 0.0, "saturated": 0.1}  # share of a layer's units that needs no words
MANY = {"dead": 0.34, "saturated": 0.1}  # and above which there is something to be done
MARGIN = 1.05  # by how much a model may miss PCA, fitted to other rows, and be called its equal
NOTHING = 0.1  # nats of KL, or of information, below which a latent counts as the prior's
IGNORED = 1e-3  # share of the data's variance below which an output counts as constant
REACH = {Sigmoid: (0.0, 1.0), Tanh: (-1.0, 1.0)}  # what such a last layer can put out


@dataclass
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    topic : str, one of "training", "numbers", "data", "units", "floor", "codes",
        "sigma", "output", "baselines"
    severity : "ok", "note" (worth knowing, often as it should be) or "problem"
    cause : str, what was found, in words, with its figures
    remedy : str, what to do; empty where nothing need be done
    figures : dict of str to float, the same figures to compute with
    """

    topic: str
    severity: str
    cause: str
    remedy: str = ""
    figures: dict = field(default_factory=dict)


def is_trained(model):
    """Return whether the model has a history, or has at least seen a gradient."""
    return bool(model.history.get("loss")) or bool(model.dtheta.any())


def check_history(model):
    """Yield a note if the model is not trained, or not to the end; a problem if it got worse."""
    losses = [loss for loss in model.history.get("loss", ()) if np.isfinite(loss)]
    warmup = getattr(model, "kl_warmup", 0)
    if not is_trained(model):
        words = "no training on record: what follows is about the weights as drawn"
        yield Finding("training", "note", words, "call fit first, unless the weights are from afar")
    elif not losses:
        yield Finding("training", "note", "trained in a loop of its own, without a history")
    elif len(losses) <= warmup:
        words = f"{len(losses)} epochs, and the KL's weight rises until epoch {warmup + 1}"
        yield Finding("training", "note", words, "train on: the balance is not yet the final one")
    else:
        first, last = losses[0], losses[-1]
        figures = {"first_loss": first, "last_loss": last}
        words = f"{len(losses)} epoch{'s' * (len(losses) > 1)}, loss {first:.5g} to {last:.5g}"
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
            remedy = "build the model anew; a lower learning rate, data near unit scale"
            yield Finding("numbers", "problem", words, remedy, {"not_finite": bad})
            return
    yield Finding("numbers", "ok", "all parameters are finite")


def check_data(model, X, sample):
    """Yield how the range of X fits the likelihood, and what a perfect model could reach."""
    loss = model.reconstruction_loss
    figures, where = scan(X, loss.takes_nan)
    low, high = figures["lowest"], figures["highest"]
    if figures["bad"]:
        words = f"{figures['bad']:,} entries are NaN or infinite, the first at X{where}"
        remedy = "drop or fill them; to train with NaN for what is missing, wrap the loss in Masked"
        yield Finding("data", "problem", words, remedy, figures)
        return
    span = f"X lies in [{low:.4g}, {high:.4g}]"
    if low > high or (sample == sample[0]).all():
        words = "no entry of X is observed" if low > high else f"{span}, and all rows are the same"
        yield Finding("data", "problem", words, "look at how X was loaded", figures)
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
    if loss.takes_nan:
        share = figures["missing"] / X.size
        yield Finding("data", "note", f"{share:.1%} of the entries are missing", figures=figures)
    yield from _scale(loss.base, low, high, sample, span, figures)


def _scaling(low, high, sample, reach):
    """Return what to do about data out of reach."""
    spread = np.nanstd(sample.astype(np.float64))
    if reach[1] == 1 and 0 <= low and 10 < high <= 255:
        return "these look like bytes: X / 255"
    if reach[0] == 0 and reach[1] == np.inf:
        return "counts cannot be negative; for real numbers take GaussianNLL or SquaredError"
    if low < 0 and 0.5 < spread < 2:
        return (
            "these look standardised, with mean 0 and deviation 1: scale to the range with "
            '(X - min) / (max - min), or take loss="mse" or likelihood="gaussian"'
        )
    return 'scale X with (X - min) / (max - min), or take loss="mse" or likelihood="gaussian"'


def _scale(loss, low, high, sample, span, figures):
    """Yield whether the scale of data that are within range is a sane one."""
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
            yield Finding("data", "note", words, "perhaps X / 255 was done twice", figures)
        else:
            yield Finding("data", "ok", f"{span}, as {loss} wants it", figures=figures)
    elif not 0.01 < spread < 20:
        words = f"{span}, standard deviation {spread:.3g}: far from unit scale"
        bytes_like = low >= 0 and 20 < high <= 255
        remedy = "X / 255" if bytes_like else "divide X by its standard deviation"
        words += "; Adam's steps are of one length, whatever the data's"
        yield Finding("data", "note", words, remedy, figures)
    else:
        yield Finding("data", "ok", f"{span}, standard deviation {spread:.3g}", figures=figures)


def _judge(evidence, topic, words, remedy, figures):
    """Return a finding that is a problem, or only a note if the model is not trained yet."""
    return Finding(topic, "problem" if evidence.trained else "note", words, remedy, figures)


def check_layers(evidence):
    """Yield where values stop being finite, and the units that are dead or saturated, by layer."""
    if evidence.failure:
        remedy = "weights or data are too large: scale the data, and lower the learning rate"
        yield Finding("numbers", "problem", evidence.failure, remedy)
        return
    quiet = True
    for name, activity in evidence.units.items():
        state = "dead" if isinstance(activity.layer, ReLU) else "saturated"
        idle = activity.idle
        share = float(idle.mean())
        if share > USUAL[state]:
            quiet = False
            words = f"{name}, {activity.layer}: {idle.sum()} of {idle.size} units are {state}, "
            words += "0 for every row" if state == "dead" else "at an end for nearly every row"
            remedy = "a lower learning rate, data near unit scale, or an activation without flat "
            remedy += "ends, such as Softplus"
            severity = "problem" if share >= 0.5 else "note"
            remedy = remedy if share > MANY[state] else ""
            yield Finding("units", severity, words, remedy, {name: share})
    if quiet and evidence.units:
        yield Finding("units", "ok", "none is dead, few or none are saturated")


def check_floor(evidence):
    """Yield the least Bernoulli loss that any model can have on these data, beside the model's.

    Per entry -x log p - (1 - x) log(1 - p) is least where p = x: then it is the entropy of x.
    """
    if not isinstance(evidence.loss, BernoulliNLL):
        return
    grey = (evidence.x > 0) & (evidence.x < 1)  # false for NaN
    x = np.where(grey, evidence.x, 0.5)
    entropy = np.where(grey, -x * np.log(x) - (1 - x) * np.log1p(-x), 0)
    floor, loss = float(entropy.sum(axis=1).mean()), evidence.terms["reconstruction"]
    figures = {"entropy_floor": floor, "reconstruction": loss, "grey": float(grey.mean())}
    if not grey.any():
        words = f"X is binary: a perfect reconstruction loss is 0, the model's {loss:.4g} nats"
        yield Finding("floor", "ok", words, figures=figures)
        return
    words = (
        f"{grey.mean():.0%} of X is grey, between 0 and 1: no reconstruction loss is below its "
        f"entropy, {floor:.4g} nats; the model's is {loss:.4g}, {loss - floor:.4g} above"
    )
    yield Finding("floor", "note", words, "compare losses above the floor", figures)


def check_codes(evidence):
    """Yield which latents of a VAE have collapsed, or which code units are constant."""
    active, d = evidence.active, len(evidence.active)
    n = int(active.sum())
    figures = {"active": n}
    words = f"{n} of {d} code units vary with the input"
    if evidence.is_vae:
        figures["kl"] = float(evidence.kl.sum())
        words = f"{n} of {d} latents are active, {figures['kl']:.3g} nats of KL"
        if (~active & (evidence.kl > NOTHING)).any():
            yield from _costly_latents(evidence, words, figures)
            return
    if n == d:
        yield Finding("codes", "ok", words, figures=figures)
    elif n:
        off = np.flatnonzero(~active)
        words += f"; not in use: {', '.join(map(str, off[:10]))}{', ...' * (len(off) > 10)}"
        remedy = ""
        if evidence.is_vae:
            remedy = "fine if the loss is; to use more: kl_warmup, free_bits, or a smaller beta"
        yield Finding("codes", "note", words, remedy, figures)
    elif evidence.is_vae:
        words += ": posterior collapse, the decoder is on its own"
        remedy = "kl_warmup over 10 epochs or more, free_bits=0.1, or a beta smaller than "
        remedy += f"{evidence.model.beta:g}"
        remedy += ", or a smaller sigma" * isinstance(evidence.loss, GaussianNLL)
        yield _judge(evidence, "codes", words, remedy, figures)
    else:
        remedy = "see the units above; else a lower learning rate, or a smaller penalty"
        yield _judge(evidence, "codes", words, remedy, figures)


def _costly_latents(evidence, words, figures):
    """Yield what latents that are not active and yet have a KL are: no collapse, in any case.

    For normal codes whose means have the variance S and whose noise has N, what a latent tells of x
    is log(1 + S / N) / 2 nats. The KL is that, and what the codes cost by being far from N(0, 1).
    """
    costly = ~evidence.active & (evidence.kl > NOTHING)
    telling = costly & (evidence.told > NOTHING)
    figures["idle_kl"] = float(evidence.kl[costly].sum())
    names = ", ".join(map(str, np.flatnonzero(costly)[:10])) + ", ..." * int(costly.sum() > 10)
    words += f"; not active, and yet {figures['idle_kl']:.3g} nats: {names}"
    if telling.any():
        words += "; their means vary little, and so does the noise about them: they are in use"
        yield Finding("codes", "note", words, "", figures)
        return
    words += "; no collapse: their codes are the same for all rows, and far from the prior"
    remedy = "train on, or build the model again with a lower learning rate; look at posterior(X)"
    if evidence.active.any():
        yield Finding("codes", "note", words, remedy, figures)
    else:
        yield _judge(evidence, "codes", words, remedy, figures)


def check_sigma(evidence):
    """Yield how a Gaussian likelihood's sigma compares with the residuals, and with the data.

    The likelihood is largest where sigma^2 is the mean squared residual. The residual stands over
    2 sigma^2, and the KL is weighed by beta: the balance is that of sigma_effective = sigma
    sqrt(beta) at beta = 1. The mean over D features of the squared error + w KL is a Gaussian with
    sigma_effective^2 = D w / 2. A linear VAE uses a latent only for a direction of the data whose
    variance is above sigma_effective^2. Lucas et al. (2019), section 4.
    """
    loss, model = evidence.loss, evidence.model
    if not isinstance(loss, GaussianNLL):
        return
    sigma, residual = loss.sigma, evidence.residual
    ratio = sigma / residual if residual else np.inf
    figures = {"sigma": sigma, "residual": residual}
    words = f"sigma is {sigma:.3g}, the root mean square of the residuals {residual:.3g}"
    remedy = "GaussianNLL(learn_sigma=True) finds the balance by itself"
    if loss.learn_sigma:
        remedy = "train on: a learned sigma ends at the root mean square of the residuals"
    if evidence.is_vae:
        implied = sigma * model.beta**0.5
        directions = int((evidence.variances > implied**2).sum())
        weight = 2 * implied**2 / evidence.features
        figures.update(sigma_effective=implied, directions=directions, mean_mse_weight=weight)
        words += (
            f"; with beta {model.beta:g} the KL weighs as at sigma {implied:.3g}, or as in mean "
            f"squared error + {weight:.3g} KL; {directions} directions of the data vary more"
        )
        if not directions:
            words += " than that: the best that a linear VAE can do is to use no latent"
            yield _judge(evidence, "sigma", words, f"a smaller beta or sigma; {remedy}", figures)
            return
        if ratio < 0.1:
            words += ": the KL hardly counts, so that samples from the prior will be poor"
            yield _judge(evidence, "sigma", words, remedy, figures)
            return
    severity, remedy = ("ok", "") if 0.5 <= ratio <= 2 else ("note", remedy)
    yield Finding("sigma", severity, words, remedy, figures)


def check_output(evidence):
    """Yield whether the reconstructions differ from one another at all."""
    figures = {"share_of_variance": evidence.varies}
    words = f"reconstructions have {evidence.varies:.2g} times the variance of the data"
    if evidence.varies > IGNORED:
        yield Finding("output", "ok", words, figures=figures)
        return
    words += ": every input gives the same"
    if not evidence.active.any():
        remedy = "it follows from the codes, see above"
    elif evidence.reacts > IGNORED:
        words += ", though other codes would not"
        remedy = "the codes of different inputs are too near to one another: train on"
    else:
        words += ", and so would any code: the decoder ignores it"
        remedy = "train on, at a lower learning rate; look for dead units in the decoder"
    yield _judge(evidence, "output", words, remedy, figures)


def check_baselines(evidence):
    """Yield the model's squared error beside those of the mean, and of PCA with as large a code."""
    model, errors, k = evidence.model, evidence.errors, evidence.components
    shares = " of the shares" * isinstance(evidence.loss, MultinomialNLL)
    words = (
        f"squared error per sample{shares}: model {errors['model']:.4g}, the mean of the data "
        f"{errors['mean']:.4g}, PCA with {k} components {errors['pca']:.4g}"
    )
    if errors["model"] > 0.99 * errors["mean"]:
        words += ": the model does not beat the mean"
        remedy = "train longer; if the loss stands still, another learning rate"
        remedy = remedy if evidence.active.any() else "it follows from the codes, see above"
        yield _judge(evidence, "baselines", words, remedy, errors)
    elif errors["model"] <= MARGIN * errors["pca"]:
        yield Finding("baselines", "ok", words, figures=errors)
    elif k >= evidence.features:
        words += ", which a code as wide as the data makes perfect"
        yield Finding("baselines", "note", words, "a smaller latent_dim", errors)
    else:
        words += ": the model does not beat PCA"
        held = [name for name in ("penalty", "corruption") if getattr(model, name, None)]
        held += ["dropout"] * bool(getattr(model, "dropout", 0))
        if evidence.is_vae or held:
            reason = "the KL" if evidence.is_vae else " and ".join(held)
            words += f", which does not pay for {reason}"
            yield Finding("baselines", "note", words, "", errors)
        else:
            remedy = "train longer, or with a wider hidden layer, or take PCA"
            yield _judge(evidence, "baselines", words, remedy, errors)
