"""The checks of `health` on what a model does: its units, codes, sigma, outputs and errors.

Each is a function that yields findings. `evidence` has the measurements that they judge, and
`data_symptoms` the checks that come before.
"""

import numpy as np

from miniae.layers import ReLU
from miniae.losses import BernoulliNLL, GaussianNLL, MultinomialNLL
from miniae.proof.data_symptoms import Finding

USUAL = {"dead": 0.0, "saturated": 0.1}  # share of a layer's units that is not reported
MANY = {"dead": 0.34, "saturated": 0.1}  # share above which there is a remedy
MARGIN = 1.05  # a model with up to this many times the error of PCA counts as equally good
NOTHING = 0.1  # nats of KL, or of information, below which a latent counts as unused
IGNORED = 1e-3  # share of the data's variance below which an output counts as constant


def _problem(evidence, topic, words, remedy, figures):
    """Return a finding that is a problem, or only a note if the model is not yet trained."""
    return Finding(topic, "problem" if evidence.trained else "note", words, remedy, figures)


def check_layers(evidence):
    """Yield the first layer whose values are not finite, and the dead or saturated units."""
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
            words += (
                "0 for every row"
                if state == "dead"
                else "at an end of their range for nearly all rows"
            )
            remedy = (
                "use a lower learning rate, data near unit scale, or an activation without flat "
            )
            remedy += "ends, such as Softplus"
            severity = "problem" if share >= 0.5 else "note"
            remedy = remedy if share > MANY[state] else ""
            yield Finding("units", severity, words, remedy, {name: share})
    if quiet and evidence.units:
        yield Finding("units", "ok", "none is dead, few or none are saturated")


def check_floor(evidence):
    """Yield the smallest Bernoulli loss that any model can have on these data, and the model's.

    For one entry, -x log p - (1 - x) log(1 - p) is smallest at p = x: it is the entropy of x.
    """
    if not isinstance(evidence.loss, BernoulliNLL):
        return
    grey = (evidence.x > 0) & (evidence.x < 1)  # false for NaN
    x = np.where(grey, evidence.x, 0.5)
    entropy = np.where(grey, -x * np.log(x) - (1 - x) * np.log1p(-x), 0)
    floor, loss = float(entropy.sum(axis=1).mean()), evidence.terms["reconstruction"]
    figures = {"entropy_floor": floor, "reconstruction": loss, "grey": float(grey.mean())}
    if not grey.any():
        words = f"X is binary: a perfect reconstruction loss is 0, the model's is {loss:.4g} nats"
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
        words += f"; not in use: {_numbers(~active)}"
        remedy = ""
        if evidence.is_vae:
            remedy = "no problem if the loss is low; to use more latents: kl_warmup, free_bits, or "
            remedy += "a smaller beta"
        yield Finding("codes", "note", words, remedy, figures)
    elif evidence.is_vae:
        words += ": posterior collapse, the decoder does not use the codes"
        remedy = "kl_warmup over 10 epochs or more, free_bits=0.1, or a beta smaller than "
        remedy += f"{evidence.model.beta:g}"
        if isinstance(evidence.loss, GaussianNLL):
            remedy += ", or a smaller sigma"
        yield _problem(evidence, "codes", words, remedy, figures)
    else:
        remedy = "see the units above; or use a lower learning rate, or a smaller penalty"
        yield _problem(evidence, "codes", words, remedy, figures)


def _numbers(mask):
    """Return the indices at which a mask is true, in words."""
    numbers = [str(i) for i in np.flatnonzero(mask)]
    return ", ".join(numbers if len(numbers) <= 10 else [*numbers[:10], "..."])


def _costly_latents(evidence, words, figures):
    """Yield a finding on latents that are not active and still have a KL: this is not collapse.

    For normal codes whose means have variance S and whose noise has variance N, a latent carries
    log(1 + S / N) / 2 nats of information on x. Codes far from N(0, 1) cause the rest of the KL.
    """
    costly = ~evidence.active & (evidence.kl > NOTHING)
    telling = costly & (evidence.information > NOTHING)
    figures["idle_kl"] = float(evidence.kl[costly].sum())
    names = _numbers(costly)
    words += f"; not active, but with {figures['idle_kl']:.3g} nats of KL: {names}"
    if telling.any():
        words += "; their means vary little, but so does the noise around them: they are in use"
        yield Finding("codes", "note", words, "", figures)
        return
    words += "; no collapse: their codes are the same for all rows, and far from the prior"
    remedy = "train longer, or build a new model and use a lower learning rate; see posterior(X)"
    if evidence.active.any():
        yield Finding("codes", "note", words, remedy, figures)
    else:
        yield _problem(evidence, "codes", words, remedy, figures)


def check_sigma(evidence):
    """Yield how a Gaussian likelihood's sigma compares with the residuals, and with the data.

    The likelihood is largest where sigma^2 is the mean squared residual. The loss divides the
    squared residual by 2 sigma^2 and multiplies the KL by beta. This is the balance of
    sigma_effective = sigma sqrt(beta) at beta = 1. A loss of the mean over D features of the
    squared error + w KL has sigma_effective^2 = D w / 2. A linear VAE uses a latent only for a
    direction of the data with a variance above sigma_effective^2. Lucas et al. (2019), section 4.
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
        remedy = "train longer: a learned sigma ends at the root mean square of the residuals"
    if evidence.is_vae:
        implied = sigma * model.beta**0.5
        directions = int((evidence.variances > implied**2).sum())
        weight = 2 * implied**2 / evidence.features
        figures.update(sigma_effective=implied, directions=directions, mean_mse_weight=weight)
        words += (
            f"; with beta {model.beta:g} this is the balance of sigma {implied:.3g} at beta 1, or "
            f"of mean squared error + {weight:.3g} KL; {directions} directions of the data vary "
            "more"
        )
        if not directions:
            words += " than this sigma: the best linear VAE would use no latent"
            yield _problem(evidence, "sigma", words, f"a smaller beta or sigma; {remedy}", figures)
            return
        if ratio < 0.1:
            words += ": the KL has hardly any weight, so samples from the prior will be poor"
            yield _problem(evidence, "sigma", words, remedy, figures)
            return
    if 0.5 <= ratio <= 2:
        yield Finding("sigma", "ok", words, figures=figures)
    else:
        yield Finding("sigma", "note", words, remedy, figures)


def check_output(evidence):
    """Yield whether the reconstructions differ from each other."""
    figures = {"share_of_variance": evidence.varies}
    words = f"reconstructions have {evidence.varies:.2g} times the variance of the data"
    if evidence.varies > IGNORED:
        yield Finding("output", "ok", words, figures=figures)
        return
    words += ": every input gives the same output"
    if not evidence.active.any():
        remedy = CODES_FIRST
    elif evidence.reacts > IGNORED:
        words += ", though other codes would not"
        remedy = "the codes of different inputs are too close to each other: train longer"
    else:
        words += ", and so would any code: the decoder ignores it"
        remedy = "train longer, at a lower learning rate; look for dead units in the decoder"
    yield _problem(evidence, "output", words, remedy, figures)


CODES_FIRST = "it follows from the codes, see above"


def check_baselines(evidence):
    """Yield the squared errors of the model, of the mean, and of PCA with a code as large."""
    model, errors, k = evidence.model, evidence.errors, evidence.components
    what = "shares" if isinstance(evidence.loss, MultinomialNLL) else "sample"
    words = (
        f"squared error per {what}: model {errors['model']:.4g}, the mean of the data "
        f"{errors['mean']:.4g}, PCA with {k} components {errors['pca']:.4g}"
    )
    if errors["model"] > 0.99 * errors["mean"]:
        words += ": the model does not beat the mean"
        remedy = CODES_FIRST
        if evidence.active.any():
            remedy = "train longer; if the loss does not fall, change the learning rate"
        yield _problem(evidence, "baselines", words, remedy, errors)
    elif errors["model"] <= MARGIN * errors["pca"]:
        yield Finding("baselines", "ok", words, figures=errors)
    elif k >= evidence.features:
        words += ", which is perfect because the code is as wide as the data"
        yield Finding("baselines", "note", words, "a smaller latent_dim", errors)
    else:
        words += ": the model does not beat PCA"
        others = ("penalty", "corruption", "dropout")  # which all cost some accuracy
        others = ["KL"] if evidence.is_vae else [c for c in others if getattr(model, c, None)]
        if others:
            words += f", which is normal with a {' and '.join(others)}"
            yield Finding("baselines", "note", words, "", errors)
        else:
            remedy = "train longer, or with a wider hidden layer, or use PCA"
            yield _problem(evidence, "baselines", words, remedy, errors)


CHECKS = (check_floor, check_codes, check_sigma, check_output, check_baselines)
