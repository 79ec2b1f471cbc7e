"""Checks of the ELBO: its two terms, its gradient, and a training."""

import numpy as np

from miniae.exercises.checks.elbo_backward import (
    DECODED,
    SENTENCES,
    check_backward,
    gradients,
)
from miniae.exercises.checks.elbo_parts import networks, terms_of_loss, two_terms
from miniae.exercises.checks.elbo_train import TRAIN_SENTENCES, check_train
from miniae.exercises.checks.kl import KL_SENTENCES, wrong_kls
from miniae.exercises.edits import run
from miniae.exercises.questions import FORMULAS, Named, agree, compare, unpack
from miniae.losses import BernoulliNLL
from miniae.numerics import sigmoid


def check_loss(ask):
    """-ELBO and its two terms."""
    encoder, decoder = networks(ask.rng)
    x, eps = ask.rng.uniform(0, 1, (5, 6)), ask.rng.standard_normal((5, 3))
    reconstruction, kl, (mu, log_var, std, _) = two_terms(encoder, decoder, x, eps)
    p = sigmoid(decoder.forward(mu + std * eps))

    def decoded(z):
        return BernoulliNLL().forward(decoder.forward(z), x)

    mistakes = {
        "loss": {
            "minus_kl": reconstruction - kl,
            "elbo_not_minus_elbo": -reconstruction - kl,
            "kl_minus_reconstruction": kl - reconstruction,
            "kl_is_missing_in_loss": reconstruction,
            "reconstruction_is_missing_in_loss": kl,
            "half_of_loss": (reconstruction + kl) / 2,
            "loss_divided_by_n": (reconstruction + kl) / len(x),
            "loss_times_n": (reconstruction + kl) * len(x),
            "kl_divided_in_loss": reconstruction + kl / len(x),
            "kl_times_n_in_loss": reconstruction + kl * len(x),
            "terms_are_multiplied": reconstruction * kl,
            **{f"loss_has_beta_{key}": reconstruction + beta * kl for key, beta in BETAS.items()},
        },
        "reconstruction": {
            "mu_is_decoded": decoded(mu),
            "variance_for_std": decoded(mu + std**2 * eps),
            "log_var_for_std": decoded(mu + log_var * eps),
            "noise_without_eps": decoded(mu + std),
            "noise_without_std": decoded(mu + eps),
            "one_over_std": decoded(mu + eps / std),
            "noise_is_subtracted": decoded(mu - std * eps),
            "mu_is_not_decoded": decoded(std * eps),
            "halves_exchanged": decoded(log_var + np.exp(mu / 2) * eps),
            "probabilities_for_logits": BernoulliNLL().forward(p, x),
            "squared_error": ((p - x) ** 2).sum() / len(x),
            "terms_exchanged": kl,
            "mean_over_pixels": reconstruction / x.shape[1],
            "reconstruction_sum_over_samples": reconstruction * len(x),
            "reconstruction_divided_again": reconstruction / len(x),
            "reconstruction_is_minus": -reconstruction,
            "reconstruction_is_loss": reconstruction + kl,
        },
        "kl": wrong_kls(mu, log_var),
    }
    given = {"reconstruction": reconstruction, "kl": kl, "n": len(x)}
    given |= {"pixels": x.shape[1], "latents": eps.shape[1]}
    mistakes["loss"][FORMULAS] = [({"loss": "reconstruction + kl"}, given)]
    steps = {"std": "exp(log_var / 2)", "z": "mu + std * eps"}
    start = {"mu": mu, "log_var": log_var, "eps": eps, "n": len(x)}
    mistakes["reconstruction"][FORMULAS] = [
        (steps, start, lambda edit: np.asarray(decoded(run(steps, start, edit)["z"] + 0 * mu)))
    ]
    mistakes["reconstruction"]["target_and_logits_exchanged"] = BernoulliNLL().forward(x, p)
    right = {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    first, second = (unpack(ask("elbo_loss", encoder, decoder, x, eps), right) for _ in range(2))
    got = dict(zip(right, first, strict=True))
    if not agree(got["reconstruction"], reconstruction) and not agree(first[1], second[1]):
        raise Named("two calls give two results", ["own_noise"])
    for name in ("reconstruction", "kl", "loss"):  # the two terms first: the loss is their sum
        compare(name, got[name], right[name], mistakes[name])


BETAS = {"2": 2, "4": 4, "5": 5, "10": 10, "half": 0.5, "tenth": 0.1, "hundredth": 0.01}
LOSS_SENTENCES = {
    **DECODED,
    "minus_kl": "it is reconstruction - kl, but the loss is -ELBO = reconstruction + kl",
    "elbo_not_minus_elbo": "it is the ELBO: the loss is minus the ELBO",
    "kl_minus_reconstruction": "it is kl - reconstruction: the loss is reconstruction + kl",
    "kl_is_missing_in_loss": "the loss is the reconstruction alone: add kl",
    "reconstruction_is_missing_in_loss": "the loss is the kl alone: add the reconstruction",
    "half_of_loss": "the loss is half of reconstruction + kl",
    "loss_divided_by_n": "the loss is divided by n: both terms contain the 1/n already",
    "loss_times_n": "the loss is a sum over samples: take the mean over samples",
    "kl_divided_in_loss": "kl is divided by n in the loss: it contains the 1/n already",
    "kl_times_n_in_loss": "kl is a sum over samples in the loss: take the mean",
    "terms_are_multiplied": "the two terms are multiplied: add them",
    **{
        f"loss_has_beta_{key}": f"kl has the factor {beta} in the loss: beta is 1 here"
        for key, beta in BETAS.items()
    },
    "mu_is_not_decoded": "mu is missing in the decoded z: z = mu + std eps",
    "squared_error": "the reconstruction is a squared error: use BernoulliNLL",
    "terms_exchanged": "reconstruction and kl are exchanged",
    "target_and_logits_exchanged": "BernoulliNLL got x as the logits: forward(logits, x)",
    "mean_over_pixels": (
        "it is a mean over pixels: take the sum over pixels, the mean over samples"
    ),
    "reconstruction_sum_over_samples": "it is a sum over samples: take the mean over samples",
    "reconstruction_divided_again": "it is divided by n: BernoulliNLL takes the mean already",
    "reconstruction_is_minus": "the reconstruction has the wrong sign: it is -log p",
    "reconstruction_is_loss": "this is the loss, with kl in it: return reconstruction alone",
}
EXERCISES = {
    "elbo": {
        "title": "The ELBO, assembled and trained",
        "minutes": 60,
        "parts": {"elbo_loss": check_loss, "elbo_backward": check_backward, "train": check_train},
        "library": {"elbo_loss": terms_of_loss, "elbo_backward": gradients},
        "mistakes": {**KL_SENTENCES, **SENTENCES, **LOSS_SENTENCES, **TRAIN_SENTENCES},
        "hints": (
            "Forward: h = encoder.forward(x); mu and log_var are its halves; z = mu + std eps; "
            "logits = decoder.forward(z). The loss is reconstruction + kl.",
            "Backward: dz = decoder.backward(dlogits). mu and log_var each change the loss in two "
            "ways, through z and through the KL: add the two gradients.",
            "dmu = dz + mu / n; dlog_var = dz eps std / 2 + (exp(log_var) - 1) / (2 n); then "
            "encoder.backward(np.concatenate([dmu, dlog_var], axis=1)).",
            "train: use Adam(1e-2), one optimiser for each network, batches of 50, and 60 epochs.",
        ),
    },
}
