"""Which term of a model's loss is wrong, and in which pass?

The gradient of an autoencoder or VAE with respect to its encoder is a sum of known terms: the
gradient that comes back from the decoder, and that of the KL or the penalty. This module computes
each term alone, from the values that the forward pass used. Then it writes two gradients as sums of
these terms: the numeric one, which belongs to forward, and the one that backward returns. It names
a cause only if it understands both. So it can distinguish a term that counts twice from a missing
one, and noise that is drawn twice from a KL that counts twice.
"""

import numpy as np

from miniae.losses import StandardNormal

CLOSE = 1e-6  # the largest relative difference between a gradient and a sum of terms


class Terms:
    """The values that a model's forward pass used, and the gradient of each term of its loss.

    Attributes
    ----------
    dz : (n, latent_dim), gradient of the reconstruction loss with respect to z
    code, z : arrays, the encoder's output and the decoder's input
    decoder : gradient of the reconstruction loss with respect to the decoder's parameters
    """

    def __init__(self, subject):
        model = self.model = subject.exact
        seen = {}
        for name in ("encoder", "decoder"):
            network = getattr(model, name)
            network.forward = recorder(network.forward, name, seen)
        try:
            subject.run(model, subject.x)
        finally:
            for name in ("encoder", "decoder"):
                del vars(getattr(model, name))["forward"]
        self.code, self.z = np.array(seen["encoder"][1]), np.array(seen["decoder"][0])
        self.dz = np.array(model.decoder.backward(model.reconstruction_loss.backward()))
        self.decoder = model.decoder.dtheta.copy()

    def encoder(self, dcode):
        """Turn a gradient with respect to the encoder's output into one of its parameters."""
        self.model.encoder.dtheta[...] = 0
        self.model.encoder.backward_params(dcode)
        return self.model.encoder.dtheta.copy()


def recorder(forward, name, seen):
    """Return a function like forward that also stores its input and output in `seen`."""

    def recording(x, training=False):
        out = forward(x, training)
        seen[name] = x, out
        return out

    return recording


def fit(basis, gradient):
    """Return the factors with which the basis vectors add up to the gradient, or None."""
    B = np.array(basis).T
    sizes = np.linalg.norm(B, axis=0)
    if len(B) < B.shape[1] or not sizes.all():
        return None
    factors = np.linalg.lstsq(B / sizes, gradient, rcond=None)[0]
    rest = np.abs(B / sizes @ factors - gradient).max()
    if rest > CLOSE * np.abs(gradient).max(initial=1e-300):
        return None
    return factors / sizes


def near(a, b):
    """Return whether two numbers or arrays are equal, within the accuracy of `fit`."""
    return bool(np.all(np.abs(np.asarray(a) - b) <= 10 * CLOSE * np.maximum(1, np.abs(b))))


def diagnose_terms(subject, gradient, numeric):
    """Return (cause, words) for a wrong gradient of a model, or None.

    Parameters
    ----------
    gradient, numeric : like subject.point, from the model's backward and by complex step
    """
    try:
        terms = Terms(subject)
    except Exception:  # another kind of model
        return None
    sides = [[part(subject, v, name) for name in ("decoder.", "encoder.")]
             for v in (gradient, numeric)]  # fmt: skip
    if sides[1][1].any() and not sides[0][1].any():
        return "zero", "nothing reaches the encoder"
    return (of_vae if hasattr(terms.model, "posterior") else of_autoencoder)(subject, terms, *sides)


def part(subject, v, network):
    """Return the entries of v that belong to the parameters of a network."""
    here = [v[s] for name, (s, _) in subject.blocks.items() if name.startswith(network)]
    return np.concatenate(here) if here else np.zeros(0)


def wrong(analytic, numeric):
    """Return whether two gradients differ by more than the accuracy of `fit`."""
    return np.abs(analytic - numeric).max(initial=0) > CLOSE * np.abs(numeric).max(initial=0)


def counts(terms, side, basis):
    """Return the factor of the reconstruction in the decoder, and of each term in the encoder.

    None if a gradient is not a combination of the terms.
    """
    decoder, encoder = side
    factors = fit(basis, encoder), fit([terms.decoder], decoder) if decoder.size else [1.0]
    return None if any(each is None for each in factors) else np.concatenate(factors[::-1])


def compare_counts(backward, forward, groups, names, usual, sizes):
    """Return (cause, words) from the factor of each term in backward and in forward.

    Parameters
    ----------
    backward, forward : arrays, by `counts`, or None
    groups, names : names of each term, as part of the loss and as part of the gradient
    usual : array, the right factor of each term
    sizes : dict of str to (float, str), factors that a mistake may add, and what they mean
    """
    if backward is None:
        return None
    scale = np.where(usual == 0, 1, usual)
    if forward is not None and near(forward, usual):  # so backward is wrong
        ratio = np.where((usual == 0) & (np.abs(backward) > CLOSE), np.nan, backward / scale)
        return name_factor(np.where((usual == 0) & np.isfinite(ratio), 1, ratio), names, sizes)
    if not near(backward, usual):
        return None
    if forward is None:
        return EXTRA
    ratio = (forward - usual) / scale + 1
    if near(ratio, sizes["n samples"][0]):
        return "n samples", "forward sums the loss over the batch, backward is that of the mean"
    off = [i for i, c in enumerate(ratio) if not near(c, 1)]
    whole = {groups[i] for i in off}
    if names[off[0]] == PATH and len(off) == 1:
        words = f"forward draws with the std exp({ratio[off[0]]:.4g} log_var / 2)"
        return "std", f"{words}, backward is for exp(log_var / 2)"
    if common(ratio) is None or sum(group in whole for group in groups) > len(off):
        return EXTRA
    c, which = common(ratio), named(groups, ratio)
    words = f"forward multiplies {which} by {c:.6g}; backward has the usual factor"
    return ("sign" if near(c, -1) else "term weight"), words


EXTRA = (
    "extra term",
    "backward is right for the usual loss, but forward returns another one: it has an additional "
    "term whose gradient is missing, or a term in another form",
)
DECODER = "the decoder's gradient"
PATH = "the path dz eps std / 2 in dlog_var"


def common(ratio):
    """Return the factor by which all wrong terms are off, or None if there are several."""
    odd = [c for c in ratio if not near(c, 1)]
    return odd[0] if odd and near(odd, odd[0]) else None


def named(names, ratio):
    """Return the names of the wrong terms, each once."""
    odd = [name for name, c in zip(names, ratio, strict=True) if not near(c, 1)]
    some = {name for name in odd if odd.count(name) < list(names).count(name)}
    return ", ".join(f"{n}, of some latents" if n in some else n for n in dict.fromkeys(odd))


def name_factor(ratio, names, sizes):
    """Return (cause, words) for terms whose factor in backward is `ratio` times the right one."""
    c, which = common(ratio), named(names, ratio)
    if c is None:
        return None
    if near(c, 0):
        return "missing term", f"missing in the gradient: {which}"
    if near(c, -1):
        return "sign", f"the sign is wrong: {which}"
    found = joined({cause: words for cause, (size, words) in sizes.items() if near(c, size)})
    cause, words = found or ("factor", f"{c:.6g} times the right one")
    return cause, f"{which}: {words}"


def sizes_of_slips(n, **more):
    """Return the factors that a mistake may add, with their words."""
    return {
        "n samples": (n, "it is summed over the batch, but the loss takes the mean"),
        "1 / n samples": (1 / n, "it is divided by the batch size twice"),
        "1/2": (2.0, "a factor 1/2 is missing"),
        **more,
    }


def of_autoencoder(subject, terms, analytic, numeric):
    """Compare the factors of the reconstruction and the penalty in backward and in forward."""
    penalty = getattr(terms.model, "penalty", None)
    basis = [terms.encoder(terms.dz)]
    groups, names = ["the reconstruction"] * 2, [DECODER, "the gradient from the decoder"]
    if penalty is not None:
        basis.append(terms.encoder(penalty.backward()))
        groups, names = [*groups, "the penalty"], [*names, "the penalty's gradient"]
    both = (counts(terms, side, basis) for side in (analytic, numeric))
    return compare_counts(*both, groups, names, np.ones(len(names)), sizes_of_slips(len(subject.x)))


def of_vae(subject, terms, analytic, numeric):
    """Compare the factor of each term of the ELBO in backward and in forward.

    The basis: the reconstruction through mu, and through log_var, with dz/dlog_var = (z - mu) / 2;
    the KL of each latent, through mu and through log_var.
    """
    model, dz, n, d = terms.model, terms.dz, len(subject.x), terms.model.latent_dim
    if terms.z.shape != (n, d) or terms.code.shape != (n, 2 * d):
        return None  # several draws per sample, or another kind of code
    mu, log_var = terms.code[:, :d], terms.code[:, d:]
    zero, path = np.zeros_like(mu), dz * (terms.z - mu) / 2
    kmu, klv = (kl / n for kl in model.prior.kl_grad(mu, log_var))

    def through(dmu, dlog_var):
        return terms.encoder(np.concatenate([dmu, dlog_var], axis=1))

    basis = [through(dz, zero), through(zero, path)]
    basis += [through(kmu * latent, zero) for latent in np.eye(d)]
    basis += [through(zero, klv * latent) for latent in np.eye(d)]
    groups = ["the reconstruction"] * 3 + ["the KL"] * 2 * d
    names = [DECODER, "dz in dmu", PATH]
    names += ["the KL's part in dmu"] * d + ["the KL's part in dlog_var"] * d
    weight = float(model.kl_weight if subject.training else model.beta)
    usual = np.array([1.0, 1.0, 1.0] + [weight] * 2 * d)
    backward, forward = (counts(terms, side, basis) for side in (analytic, numeric))
    if subject.training and getattr(model, "free_bits", 0):
        counted = model.prior.kl(mu, log_var).mean(axis=0) > model.free_bits
        floored = usual * np.concatenate([[1, 1, 1], counted, counted])
        known = forward is not None and near(forward, floored) and not counted.all()
        if known and backward is not None and near(backward, usual):
            return "free bits", "a latent whose KL is below free_bits has no gradient of the KL"
        usual = floored
    sizes = sizes_of_slips(n, latents=(1 / d, "it is a mean over latents, not their sum"))
    if weight:
        sizes["beta"] = 1 / weight, "beta is missing"
        sizes["beta twice"] = weight, "beta is there twice"
    found = compare_counts(backward, forward, groups, names, usual, sizes)
    if found is not None or forward is None or not near(forward, usual):
        return found
    k = usual[3 : 3 + d]
    upstreams = slips(terms, mu, log_var, k / n, dz + k * kmu, path, k * klv)
    return joined(
        {
            cause: words
            for cause, words, dmu, dlog_var in upstreams
            if not wrong(through(dmu, dlog_var), analytic[1])
        }
    )


def joined(found):
    """Return a dict of cause to words as one (causes, words), or None if it is empty."""
    return (" or ".join(found), ", or ".join(found.values())) if found else None


def slips(terms, mu, log_var, k, dmu, path, klv):
    """Yield (cause, words, dmu, dlog_var) for each known mistake in the usual formulas.

    The right dlog_var is path + klv; k is the weight of each latent's KL over n.
    """
    std, dz = np.exp(0.5 * log_var), terms.dz
    eps = (terms.z - mu) / std
    words = "the - 1 of (exp(log_var) - 1) / 2 is missing"
    yield "missing term", words, dmu, path + klv + k / 2
    if not isinstance(terms.model.prior, StandardNormal):  # else it is the right gradient
        words = f"the KL's gradient is that from the prior N(0, I), not from {terms.model.prior}"
        yield "prior", words, dz + k * mu, path + k * np.expm1(log_var) / 2
    words = "eps is missing in the path dz * eps * std / 2"
    yield "missing term", words, dmu, dz * std / 2 + klv
    words = "std is exp(log_var / 2): forward and backward use different ones"
    yield "std", words, dmu, dz * eps * std**2 + klv
    words = "std is exp(log_var / 2): the path uses exp(log_var)"
    yield "std", words, dmu, dz * eps * std**2 / 2 + klv
    yield "swapped", "dmu and dlog_var are swapped", path + klv, dmu
    known = [mu, log_var, std, terms.z, eps]
    cache = terms.model.cache if isinstance(terms.model.cache, tuple) else ()
    for kept in (*cache, *vars(terms.model).values()):
        other = isinstance(kept, np.ndarray) and kept.shape == eps.shape
        if other and not any(np.allclose(kept, each) for each in known):
            words = "backward does not use the noise of forward: draw eps once, and keep it"
            yield "redrawn", words, dmu, dz * kept * std / 2 + klv
