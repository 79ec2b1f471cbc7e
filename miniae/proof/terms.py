"""Which term of a model's loss a wrong gradient gets wrong, and in which pass.

The gradient of an autoencoder or VAE for its encoder is a sum of known terms: what comes back from
the decoder, and the KL or the penalty. Each is computed here by itself, from the values that the
forward pass really used. Then two sums are taken apart: the numeric gradient, which is what
forward says, and the gradient that backward gives. A cause is named only where both are
understood: a term that counts once in one and twice in the other can be told from its absence, and
noise drawn twice from a KL counted twice.
"""

import numpy as np

from miniae.losses import gaussian_kl, gaussian_kl_grad

CLOSE = 1e-6  # relative: how closely a sum of terms must fit a gradient


class Terms:
    """What a model's forward pass used, and the gradient of each term of its loss.

    Attributes
    ----------
    dz : (n, latent_dim), what the decoder returns for the reconstruction loss alone
    code, z : arrays, what the encoder returned and what the decoder was given
    decoder : gradient of the reconstruction loss for the decoder's parameters
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
        """Return the gradient for the encoder's parameters of a gradient for its output."""
        self.model.encoder.dtheta[...] = 0
        self.model.encoder.backward_params(dcode)
        return self.model.encoder.dtheta.copy()


def recorder(forward, name, seen):
    """Return forward, which keeps its first input and output of the call in `seen`."""

    def recording(x, training=False):
        out = forward(x, training)
        seen[name] = x, out
        return out

    return recording


def fit(basis, gradient):
    """Return the factors whose combination of basis vectors is the gradient, or None."""
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
    """Tell whether two numbers, or all of two arrays, are equal to what `fit` can tell."""
    return bool(np.all(np.abs(np.asarray(a) - b) <= 10 * CLOSE * np.maximum(1, np.abs(b))))


def diagnose_terms(subject, gradient, numeric):
    """Return (cause, words) for a wrong gradient of a model, or None.

    Parameters
    ----------
    gradient, numeric : like subject.point, by the model's backward and by complex step
    """
    try:
        terms = Terms(subject)
    except Exception:  # a model of another kind
        return None
    sides = [[part(subject, v, name) for name in ("decoder.", "encoder.")]
             for v in (gradient, numeric)]  # fmt: skip
    if sides[1][1].any() and not sides[0][1].any():
        return "zero", "nothing reaches the encoder"
    return (of_vae if hasattr(terms.model, "posterior") else of_autoencoder)(subject, terms, *sides)


def part(subject, v, network):
    """Return the entries of v that belong to a network's parameters."""
    here = [v[s] for name, (s, _) in subject.blocks.items() if name.startswith(network)]
    return np.concatenate(here) if here else np.zeros(0)


def wrong(analytic, numeric):
    """Tell whether two gradients differ by more than `fit` can tell."""
    return np.abs(analytic - numeric).max(initial=0) > CLOSE * np.abs(numeric).max(initial=0)


def counts(terms, side, basis):
    """Return how often the reconstruction counts for the decoder, and each term for the encoder.

    None where a gradient is no combination of the terms.
    """
    decoder, encoder = side
    factors = fit(basis, encoder), fit([terms.decoder], decoder) if decoder.size else [1.0]
    return None if any(each is None for each in factors) else np.concatenate(factors[::-1])


def compare_counts(backward, forward, groups, names, usual, sizes):
    """Return (cause, words) from how often each term counts in backward and in forward.

    Parameters
    ----------
    backward, forward : arrays, by `counts`, or None
    groups, names : for each term what it is called as part of the loss, and of the gradient
    usual : array, how often each term counts by definition
    sizes : dict of str to (float, str), factors that a slip may put in, and what they mean
    """
    if backward is None:
        return None
    scale = np.where(usual == 0, 1, usual)
    if forward is not None and near(forward, usual):  # so it is backward that is wrong
        ratio = np.where((usual == 0) & (np.abs(backward) > CLOSE), np.nan, backward / scale)
        return name_factor(np.where((usual == 0) & np.isfinite(ratio), 1, ratio), names, sizes)
    if not near(backward, usual):
        return None
    if forward is None:
        return EXTRA
    ratio = (forward - usual) / scale + 1
    if near(ratio, sizes["n samples"][0]):
        return "n samples", "forward sums the loss over the batch, backward is that of its mean"
    off = [i for i, c in enumerate(ratio) if not near(c, 1)]
    whole = {groups[i] for i in off}
    if names[off[0]] == PATH and len(off) == 1:
        words = f"forward draws with the std exp({ratio[off[0]]:.4g} log_var / 2)"
        return "std", f"{words}, backward is for exp(log_var / 2)"
    if common(ratio) is None or sum(group in whole for group in groups) > len(off):
        return EXTRA
    c, which = common(ratio), named(groups, ratio)
    words = f"forward counts {which} {c:.6g} times as often as backward does, which is as usual"
    return ("sign" if near(c, -1) else "term weight"), words


EXTRA = (
    "extra term",
    "backward is right for the usual loss, but forward returns another one: with a term more, "
    "whose gradient is missing, or a term in another form",
)
DECODER = "the decoder's gradient"
PATH = "the path dz eps std / 2 in dlog_var"


def common(ratio):
    """Return the one factor by which all wrong terms are off, or None."""
    odd = [c for c in ratio if not near(c, 1)]
    return odd[0] if odd and near(odd, odd[0]) else None


def named(names, ratio):
    """Return the names of the terms that are off, each once."""
    odd = [name for name, c in zip(names, ratio, strict=True) if not near(c, 1)]
    some = {name for name in odd if odd.count(name) < list(names).count(name)}
    return ", ".join(f"{n}, of some latents" if n in some else n for n in dict.fromkeys(odd))


def name_factor(ratio, names, sizes):
    """Return (cause, words) for terms that backward counts `ratio` times the right number."""
    c, which = common(ratio), named(names, ratio)
    if c is None:
        return None
    if near(c, 0):
        return "missing term", f"missing in the gradient: {which}"
    if near(c, -1):
        return "sign", f"the sign is flipped: {which}"
    fits = {cause: words for cause, (size, words) in sizes.items() if near(c, size)}
    words = ", or ".join(fits.values()) or f"{c:.6g} times the right one"
    return " or ".join(fits) or "factor", f"{which}: {words}"


def sizes_of_slips(n, **more):
    """Return the factors that a slip may put in, with their words."""
    return {
        "n samples": (n, "it is summed over the batch, where the loss takes the mean"),
        "1 / n samples": (1 / n, "it is divided by the batch size twice"),
        "1/2": (2.0, "a factor 1/2 is missing"),
        **more,
    }


def of_autoencoder(subject, terms, analytic, numeric):
    """Compare how often the reconstruction and the penalty count, in backward and in forward."""
    penalty = getattr(terms.model, "penalty", None)
    basis = [terms.encoder(terms.dz)]
    groups, names = ["the reconstruction"] * 2, [DECODER, "what the decoder sends back"]
    if penalty is not None:
        basis.append(terms.encoder(penalty.backward()))
        groups, names = [*groups, "the penalty"], [*names, "the penalty's gradient"]
    both = (counts(terms, side, basis) for side in (analytic, numeric))
    return compare_counts(*both, groups, names, np.ones(len(names)), sizes_of_slips(len(subject.x)))


def of_vae(subject, terms, analytic, numeric):
    """Compare how often each term of the ELBO counts, in backward and in forward.

    The basis: the reconstruction through mu, and through log_var, of which dz/dlog_var is
    (z - mu) / 2; the KL's part of each latent, through mu and through log_var.
    """
    model, dz, n, d = terms.model, terms.dz, len(subject.x), terms.model.latent_dim
    if terms.z.shape != (n, d) or terms.code.shape != (n, 2 * d):
        return None  # several draws a sample, or other codes
    mu, log_var = terms.code[:, :d], terms.code[:, d:]
    zero, path = np.zeros_like(mu), dz * (terms.z - mu) / 2
    kmu, klv = (kl / n for kl in gaussian_kl_grad(mu, log_var))

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
        counted = gaussian_kl(mu, log_var).mean(axis=0) > model.free_bits
        floored = usual * np.concatenate([[1, 1, 1], counted, counted])
        known = forward is not None and near(forward, floored) and not counted.all()
        if known and backward is not None and near(backward, usual):
            return "free bits", "a latent whose KL is below the floor has no gradient of the KL"
        usual = floored
    sizes = sizes_of_slips(n, latents=(1 / d, "it is a mean over latents, not their sum"))
    if weight:
        sizes["beta"] = 1 / weight, "beta is missing: it counts with weight 1"
        sizes["beta twice"] = weight, "beta counts twice"
        sizes["beta twice"] = weight, "beta counts twice"
    found = compare_counts(backward, forward, groups, names, usual, sizes)
    if found is not None or forward is None or not near(forward, usual):
        return found
    k = usual[3 : 3 + d]
    upstreams = slips(terms, mu, log_var, k / n, dz + k * kmu, path, k * klv)
    fits = {
        cause: words
        for cause, words, dmu, dlog_var in upstreams
        if not wrong(through(dmu, dlog_var), analytic[1])
    }
    return (" or ".join(fits), ", or ".join(fits.values())) if fits else None


def slips(terms, mu, log_var, k, dmu, path, klv):
    """Yield (cause, words, dmu, dlog_var) of a slip in a formula, where forward is the usual ELBO.

    The right dlog_var is path + klv; k is the KL's weight over n, of each latent.
    """
    std, dz = np.exp(0.5 * log_var), terms.dz
    eps = (terms.z - mu) / std
    words = "the - 1 of (exp(log_var) - 1) / 2 is missing"
    yield "missing term", words, dmu, path + klv + k / 2
    words = "eps is missing in the path dz * eps * std / 2"
    yield "missing term", words, dmu, dz * std / 2 + klv
    words = "std is exp(log_var / 2): forward and backward use different ones"
    yield "std", words, dmu, dz * eps * std**2 + klv
    words = "std is exp(log_var / 2): the path uses exp(log_var)"
    yield "std", words, dmu, dz * eps * std**2 / 2 + klv
    yield "swapped", "dmu and dlog_var have changed places", path + klv, dmu
    known = [mu, log_var, std, terms.z, eps]
    cache = terms.model.cache if isinstance(terms.model.cache, tuple) else ()
    for kept in (*cache, *vars(terms.model).values()):
        other = isinstance(kept, np.ndarray) and kept.shape == eps.shape
        if other and not any(np.allclose(kept, each) for each in known):
            words = "backward uses other noise than forward drew: draw eps once, and keep it"
            yield "redrawn", words, dmu, dz * kept * std / 2 + klv
