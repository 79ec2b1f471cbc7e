"""Check of the gradient of the ELBO."""

import copy
from types import SimpleNamespace

import numpy as np

from miniae.exercises.checks.elbo_parts import networks, two_terms
from miniae.exercises.edits import run
from miniae.exercises.questions import FORMULAS, Named, Wrong, agree, compare
from miniae.numerics import sigmoid

LATENT = 3
PATHS = {"z_mu": 1.0, "z_log_var": 1.0, "kl_mu": 1.0, "kl_log_var": 1.0}


def gradients(encoder, decoder, x, eps, *, swapped=False, change=None, **weights):
    """Return the gradient of both networks, with the paths to mu and log_var weighted.

    Parameters
    ----------
    swapped : bool, dmu and dlog_var are exchanged
    change : function of a namespace with dmu, dlog_var, dz, mu, log_var, eps, std and n, or None
        It returns wrong dmu and dlog_var.
    **weights : weights of some of `PATHS`, 1 is right
    """
    _, _, (mu, log_var, std, loss) = two_terms(encoder, decoder, x, eps)
    dz, n = decoder.backward(loss.backward()), len(x)
    w = {**PATHS, **weights}
    dmu = w["z_mu"] * dz + w["kl_mu"] * mu / n
    spread = (np.exp(log_var) - 1) / (2 * n)
    dlog_var = w["z_log_var"] * dz * eps * std / 2 + w["kl_log_var"] * spread
    if change:
        given = SimpleNamespace(
            dmu=dmu, dlog_var=dlog_var, dz=dz, mu=mu, log_var=log_var, eps=eps, std=std, n=n
        )
        dmu, dlog_var = change(given)
    if swapped:
        dmu, dlog_var = dlog_var, dmu
    encoder.backward(np.concatenate([dmu, dlog_var], axis=1))
    return np.concatenate([encoder.dtheta, decoder.dtheta])


def path(value):
    """Return the change with another gradient of log_var through z, a function of what is given."""
    return lambda v: (v.dmu, value(v) + (v.std**2 - 1) / (2 * v.n))


def kl_of_log_var(value):
    """Return the change with another gradient of log_var in the KL, a function of what is given."""
    return lambda v: (v.dmu, v.dz * v.eps * v.std / 2 + value(v) / v.n)


def kl_of_mu(value):
    """Return the change with another gradient of mu in the KL, a function of what is given."""
    return lambda v: (v.dz + value(v) / v.n, v.dlog_var)


BACKWARD = {  # key: sentence and arguments of `gradients`
    "kl_gradient_is_missing": (
        "the gradient of the KL is missing: add mu / n and (exp(log_var) - 1) / (2 n)",
        {"kl_mu": 0, "kl_log_var": 0},
    ),
    "kl_of_mu_is_missing": ("the gradient of the KL is missing for mu: add mu / n", {"kl_mu": 0}),
    "kl_of_log_var_is_missing": (
        "the gradient of the KL is missing for log_var: add (exp(log_var) - 1) / (2 n)",
        {"kl_log_var": 0},
    ),
    "path_of_mu_is_missing": ("the gradient of mu through z is missing: add dz", {"z_mu": 0}),
    "path_of_log_var_is_missing": (
        "the gradient of log_var through z is missing: add dz eps std / 2",
        {"z_log_var": 0},
    ),
    "both_paths_are_missing": (
        "both gradients through z are missing: this is the gradient of the KL alone",
        {"z_mu": 0, "z_log_var": 0},
    ),
    "half_of_std_is_missing": (
        "the 1/2 of std = exp(log_var / 2) is missing in the path through z",
        {"z_log_var": 2},
    ),
    "half_of_std_twice": (
        "the 1/2 of std is there twice in the path through z",
        {"z_log_var": 0.5},
    ),
    "path_of_mu_is_subtracted": ("dz is subtracted for mu: add it", {"z_mu": -1}),
    "path_of_log_var_is_subtracted": (
        "dz eps std / 2 is subtracted for log_var: add it",
        {"z_log_var": -1},
    ),
    "kl_gradient_is_subtracted": (
        "the gradient of the KL is subtracted: add it",
        {"kl_mu": -1, "kl_log_var": -1},
    ),
    "kl_of_mu_is_subtracted": (
        "the gradient of the KL is subtracted for mu: add mu / n",
        {"kl_mu": -1},
    ),
    "kl_of_log_var_is_subtracted": (
        "the gradient of the KL has the wrong sign for log_var: add (exp(log_var) - 1) / (2 n)",
        {"kl_log_var": -1},
    ),
    "kl_of_mu_doubled": (
        "the gradient of the KL for mu has a factor 2: it is mu / n",
        {"kl_mu": 2},
    ),
    "kl_of_mu_halved": (
        "the gradient of the KL for mu has a factor 1/2: it is mu / n",
        {"kl_mu": 0.5},
    ),
    "kl_of_log_var_doubled": (
        "the 1/2 is missing in the gradient of the KL for log_var",
        {"kl_log_var": 2},
    ),
    "kl_of_log_var_halved": (
        "the 1/2 is there twice in the gradient of the KL for log_var",
        {"kl_log_var": 0.5},
    ),
    "halves_exchanged": (
        "dmu and dlog_var are exchanged: mu is the first half of h",
        {"swapped": True},
    ),
    "eps_is_missing": (
        "eps is missing in the path through z: dz eps std / 2",
        {"change": path(lambda v: v.dz * v.std / 2)},
    ),
    "std_is_missing": (
        "std is missing in the path through z: dz eps std / 2",
        {"change": path(lambda v: v.dz * v.eps / 2)},
    ),
    "std_and_half_missing": (
        "std / 2 is missing in the path through z: dz eps is the gradient with respect to std",
        {"change": path(lambda v: v.dz * v.eps)},
    ),
    "dz_is_missing": (
        "dz is missing in the path through z: dz eps std / 2",
        {"change": path(lambda v: v.eps * v.std / 2)},
    ),
    "eps_and_half_missing": (
        "eps and the 1/2 are missing in the path through z: dz eps std / 2",
        {"change": path(lambda v: v.dz * v.std)},
    ),
    "variance_in_path": (
        "the path through z has the variance: it must have std, dz eps std / 2",
        {"change": path(lambda v: v.dz * v.eps * v.std**2 / 2)},
    ),
    "slope_of_variance_in_path": (
        "the path through z has the slope of exp(log_var): std is exp(log_var / 2)",
        {"change": path(lambda v: v.dz * v.eps * v.std**2)},
    ),
    "log_var_in_path": (
        "the path through z has log_var: it must have std, dz eps std / 2",
        {"change": path(lambda v: v.dz * v.eps * v.log_var / 2)},
    ),
    "dz_alone_in_path": (
        "the path of log_var through z is dz: the slope eps std / 2 is missing",
        {"change": path(lambda v: v.dz)},
    ),
    "one_is_missing": (
        "the -1 is missing in the gradient of the KL for log_var",
        {"change": kl_of_log_var(lambda v: v.std**2 / 2)},
    ),
    "one_is_added": (
        "it has exp(log_var) + 1 in the gradient of the KL: the slope of -log_var is -1",
        {"change": kl_of_log_var(lambda v: (v.std**2 + 1) / 2)},
    ),
    "std_in_kl": (
        "the gradient of the KL has exp(log_var / 2): it must have exp(log_var)",
        {"change": kl_of_log_var(lambda v: (v.std - 1) / 2)},
    ),
    "exp_is_missing_in_kl": (
        "exp is missing in the gradient of the KL: (exp(log_var) - 1) / (2 n)",
        {"change": kl_of_log_var(lambda v: (v.log_var - 1) / 2)},
    ),
    "one_outside_in_kl": (
        "the -1 is outside the bracket in the gradient of the KL: (exp(log_var) - 1) / (2 n)",
        {"change": kl_of_log_var(lambda v: v.std**2 / 2 - 1)},
    ),
    "one_over_variance_in_kl": (
        "the gradient of the KL is that with respect to the variance, not to log_var",
        {"change": kl_of_log_var(lambda v: (1 - 1 / v.std**2) / 2)},
    ),
    "mu_squared_in_kl": (
        "the gradient of the KL for mu has mu^2: the slope of 1/2 mu^2 is mu",
        {"change": kl_of_mu(lambda v: v.mu**2)},
    ),
    "kl_itself": (
        "the KL is added to the gradient, not its slope: mu / n for mu",
        {"change": kl_of_mu(lambda v: v.mu**2 / 2)},
    ),
    "dz_times_eps_for_mu": (
        "dz is multiplied by eps for mu: z = mu + ... has slope 1 in mu",
        {"change": lambda v: (v.dz * v.eps + v.mu / v.n, v.dlog_var)},
    ),
    "dz_times_std_for_mu": (
        "dz is multiplied by std for mu: z = mu + ... has slope 1 in mu",
        {"change": lambda v: (v.dz * v.std + v.mu / v.n, v.dlog_var)},
    ),
    "dz_divided_again": (
        "dz is divided by n: loss.backward() contains the 1/n already",
        {
            "change": lambda v: (
                v.dz / v.n + v.mu / v.n,
                v.dz * v.eps * v.std / 2 / v.n + (v.std**2 - 1) / (2 * v.n),
            )
        },
    ),
    "both_divided_again": (
        "the gradients are divided by n twice",
        {"change": lambda v: (v.dmu / v.n, v.dlog_var / v.n)},
    ),
    "dlog_var_is_0": ("dlog_var is 0", {"change": lambda v: (v.dmu, 0 * v.dlog_var)}),
    "dmu_is_0": ("dmu is 0", {"change": lambda v: (0 * v.dmu, v.dlog_var)}),
    "minus_all": (
        "the sign of the encoder's gradient is wrong: loss = -ELBO",
        {"change": lambda v: (-v.dmu, -v.dlog_var)},
    ),
}
SCALES = {  # of the gradient of the KL, for the size n of the batch
    "has_no_n": ("has no 1/n", lambda n: n),
    "has_n_twice": ("is divided by n twice", lambda n: 1 / n),
    "over_latents": (
        "is divided by the number of latents: the KL is a sum",
        lambda n: 1 / LATENT,
    ),
    "has_beta_of_2": ("has a factor 2 too many: beta is 1 here", lambda n: 2),
    "has_beta_of_half": ("has a factor 1/2 too many: beta is 1 here", lambda n: 0.5),
    "has_beta_of_4": ("has a factor 4 too many: beta is 1 here", lambda n: 4),
    "has_beta_of_tenth": ("has a factor 0.1 too many: beta is 1 here", lambda n: 0.1),
}
PARTS = {"kl": ("kl_mu", "kl_log_var"), "kl_mu": ("kl_mu",), "kl_log_var": ("kl_log_var",)}
PART_WORDS = {
    "kl": "the gradient of the KL",
    "kl_mu": "the gradient of the KL for mu",
    "kl_log_var": "the gradient of the KL for log_var",
}


def slips_of_backward(n):
    """Return the wrong arguments of `gradients` by key, with a sentence each."""
    scaled = {
        f"{part}_{key}": (f"{PART_WORDS[part]} {words}", dict.fromkeys(paths, scale(n)))
        for part, paths in PARTS.items()
        for key, (words, scale) in SCALES.items()
        if part == "kl" or key not in ("has_beta_of_2", "has_beta_of_half")  # in BACKWARD
    }
    return {**BACKWARD, **scaled}


STEPS = {
    "dmu": "dz + mu / n",
    "dlog_var": "dz * eps * std / 2 + (exp(log_var) - 1) / (2 * n)",
}


def check_backward(ask):
    """The gradient of both networks."""
    encoder, decoder = networks(ask.rng)
    x, eps = ask.rng.uniform(0, 1, (5, 6)), ask.rng.standard_normal((5, LATENT))
    copies = copy.deepcopy((encoder, decoder))
    right = gradients(*copies, x, eps)
    cut = len(encoder.theta)
    found = []
    for _ in range(2):
        ask("elbo_backward", encoder, decoder, x, eps)
        found.append(np.concatenate([encoder.dtheta, decoder.dtheta]))
    if not agree(*found) and found[0].shape == found[1].shape:
        if agree(found[1], 2 * found[0]):
            raise Named("two calls give two results", ["gradients_add_up"])
        raise Named("two calls give two results", ["own_noise"])
    vectors = {
        key: gradients(*copies, x, eps, **kind)
        for key, (_, kind) in slips_of_backward(len(x)).items()
    }
    zs = wrong_noise(copies, x, eps)
    got = found[1]
    compare(
        "decoder.dtheta",
        got[cut:],
        right[cut:],
        {
            "decoder_backward_not_called": 0 * right[cut:],
            "decoder_divided_by_n": right[cut:] / len(x),
            "decoder_times_n": right[cut:] * len(x),
            "decoder_minus": -right[cut:],
            "probabilities_for_logits": lambda: of_probabilities(copies, x, eps),
            **{key: vector[cut:] for key, vector in zs.items()},
            FORMULAS: formulas_of_decoder(copies, x, eps),
        },
    )

    def compute(edit):
        """Return the encoder's gradient with an edited formula, or None."""

        def change(v):
            found = run(STEPS, vars(v), edit)
            return found["dmu"] + 0 * v.mu, found["dlog_var"] + 0 * v.mu

        return gradients(*copies, x, eps, change=change)[:cut]

    known = {key: vector[:cut] for key, vector in {**vectors, **zs}.items()}
    known[FORMULAS] = [
        (STEPS, {name: None for name in ("dz", "mu", "log_var", "eps", "std", "n")}, compute)
    ]
    known["encoder_backward_not_called"] = 0 * right[:cut]
    compare("encoder.dtheta", got[:cut], right[:cut], known)
    if not agree(got, right):
        raise Wrong("the gradient is wrong", "unknown")


def formulas_of_decoder(networks, x, eps):
    """Return the formulas of the decoder's gradient, for `edits.explain`."""
    encoder, decoder = networks
    mu, log_var = np.split(encoder.forward(x), 2, axis=1)
    z = mu + np.exp(log_var / 2) * eps
    of_z = {"std": "exp(log_var / 2)", "z": "mu + std * eps"}
    of_logits = {"dlogits": "(p - x) / n"}
    given = {"mu": mu, "log_var": log_var, "eps": eps, "n": len(x)}

    def through(edit, z):
        logits = decoder.forward(z)
        start = {"p": sigmoid(logits), "x": x, "n": len(x), "logits": logits}
        decoder.backward(run(of_logits, start, edit)["dlogits"] + 0 * x)
        return decoder.dtheta.copy()

    return [
        (of_z, given, lambda edit: through(None, run(of_z, given, edit)["z"] + 0 * eps)),
        (of_logits, {"p": z, "x": x, "n": len(x), "logits": z}, lambda edit: through(edit, z)),
    ]


def of_probabilities(networks, x, eps):
    """Return the decoder's gradient if BernoulliNLL gets probabilities."""
    encoder, decoder = networks
    _, _, (mu, _, std, loss) = two_terms(encoder, decoder, x, eps)
    loss.forward(sigmoid(decoder.forward(mu + std * eps)), x)
    decoder.backward(loss.backward())
    return decoder.dtheta.copy()


def wrong_noise(networks, x, eps):
    """Return the gradients of code that decodes another z."""
    h = networks[0].forward(x)
    mu, log_var = np.split(h, 2, axis=1)
    std = np.exp(log_var / 2)
    return {
        key: gradients(*networks, x, noise / std)
        for key, noise in {
            "mu_is_decoded": 0 * eps,
            "variance_for_std": std**2 * eps,
            "log_var_for_std": log_var * eps,
            "noise_without_eps": std,
            "noise_without_std": eps,
            "one_over_std": eps / std,
            "noise_is_subtracted": -std * eps,
            "split_exchanged": log_var + np.exp(mu / 2) * eps - mu,
            "halves_interleaved": h[:, ::2] + np.exp(h[:, 1::2] / 2) * eps - mu,
            "mu_is_missing_in_z": std * eps - mu,
            "noise_is_half": std * eps / 2,
            "exp_is_missing_in_z": log_var / 2 * eps,
            "half_outside_in_z": std**2 / 2 * eps,
        }.items()
    }


DECODED = {
    "mu_is_decoded": "mu is decoded: decode z = mu + std eps",
    "variance_for_std": "the decoded z has the variance: it must have std, exp(log_var / 2)",
    "log_var_for_std": "the decoded z has log_var: it must have std, exp(log_var / 2)",
    "split_exchanged": "mu and log_var are exchanged: mu is the first half of h",
    "halves_interleaved": "h is split into even and odd columns: the first half of h is mu",
    "mu_is_missing_in_z": "mu is missing in the decoded z: z = mu + std eps",
    "noise_is_half": "the noise is halved in the decoded z: z = mu + std eps",
    "exp_is_missing_in_z": "exp is missing in the decoded z: std = exp(log_var / 2)",
    "half_outside_in_z": "the 1/2 is outside exp in the decoded z: std = exp(log_var / 2)",
    "noise_without_eps": "eps is missing in the decoded z: z = mu + std eps",
    "noise_without_std": "std is missing in the decoded z: z = mu + std eps",
    "one_over_std": "the decoded z has 1 / std: the sign of log_var is wrong",
    "noise_is_subtracted": "the noise is subtracted in the decoded z: z = mu + std eps",
    "probabilities_for_logits": (
        "BernoulliNLL got probabilities: give it the logits, without a sigmoid"
    ),
}
SENTENCES = {
    **{key: words for key, (words, _) in slips_of_backward(2).items()},
    **DECODED,
    "own_noise": "two calls with the same eps differ: use the given eps, do not draw your own",
    "gradients_add_up": "the second call adds to the gradient of the first: it must replace it",
    "decoder_backward_not_called": (
        "it is 0: call decoder.backward with the gradient of the logits"
    ),
    "decoder_divided_by_n": (
        "the gradient of the logits is divided by n: loss.backward() contains the 1/n already"
    ),
    "decoder_times_n": "the gradient of the logits has no 1/n: it is loss.backward() as it is",
    "decoder_minus": "the sign of the gradient of the logits is wrong: loss = -ELBO",
    "encoder_backward_not_called": "it is 0: call encoder.backward with [dmu, dlog_var]",
}
