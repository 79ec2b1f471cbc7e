"""Missing entries: a loss over the observed entries, and how to fill in the others."""

import copy

import numpy as np

from miniae.layers import Dense
from miniae.likelihoods import as_loss
from miniae.losses import Loss, MultinomialNLL, StandardNormal
from miniae.numerics import as_float
from miniae.optim import Adam
from miniae.plumbing.batches import in_slices, slices
from miniae.plumbing.checks import whole
from miniae.plumbing.inputs import as_array, check_rows, check_target
from miniae.plumbing.tables import check_columns
from miniae.vae import LOG_VAR_LIMIT


class Masked(Loss):
    """Another loss, over the observed entries only: NaN in the target means "not observed".

    A missing entry adds nothing to the loss or the gradient. For a likelihood this is the marginal
    likelihood of the observed entries, since the entries are independent given z. In the input of a
    model, a missing entry is 0. Nazabal et al. (2020), section 3. Training on it is right if they
    are missing at random (MAR): whether an entry is missing may depend on observed values, but not
    on its own value. Rubin (1976).

    Parameters
    ----------
    loss : Loss whose entries are independent, such as BernoulliNLL() (copied), or its name

    Examples
    --------
    A table X (n, d) with NaN where an entry is missing. The likelihood that `suggest` chooses is
    Masked. The default settings have too few latents and epochs for a table.

    >>> chosen = suggest(X, "impute")
    >>> rows = chosen.prepare(X)  # standardised
    >>> vae = chosen.build().fit(rows, **chosen.fit_arguments)
    >>> filled = chosen.restore(vae.impute(rows))
    """

    config = ("loss",)
    takes_nan = True
    bounds = property(lambda self: self.loss.bounds)
    base = property(lambda self: self.loss)

    def __init__(self, loss):
        loss = as_loss(loss)
        if loss.takes_nan or has_shares(loss):
            raise ValueError(
                f"Masked: the entries of {loss} are not independent, so none can be left out"
            )
        self.loss = loss
        super().__init__(parts={"loss": self.loss})

    def entries(self, out, target):
        """out and target (n, ...), with NaN -> (n, ...), 0 where the target is missing."""
        seen, target = observed(target)
        if hasattr(self.loss, "check_observed"):
            self.loss.check_observed(seen)
        return np.where(seen, self.loss.entries(out, target), 0)

    def slopes(self, out, target, weight):
        """The loss is a sum of entries times 1 (observed) or 0 (missing): so is its gradient."""
        seen, target = observed(target)
        return self.loss.slopes(out, target, weight * seen.astype(out.real.dtype))

    def expected(self, out):
        """As the loss that is masked."""
        return self.loss.expected(out)

    def draw(self, out, rng):
        """As the loss that is masked: every entry is drawn."""
        return self.loss.draw(out, rng)


def observed(target):
    """Return which entries are observed, and the target with 0 in place of the others."""
    seen = ~np.isnan(target)
    if target.dtype.kind == "c":
        return seen, np.where(seen, target, 0)
    # fmax and fmin ignore NaN; np.where takes several times as long if entries here and there miss
    return seen, np.fmax(target, 0) + np.fmin(target, 0)


def with_nan(x):
    """Return a masked array with NaN for its hidden entries; anything else as it is."""
    if not isinstance(x, np.ma.MaskedArray):
        return x
    return x.astype(np.result_type(x.dtype, np.float32)).filled(np.nan)


def without_nan(model, x):
    """Return x with 0 for NaN, as the encoder sees it; experts (`variants.experts`) see the NaN."""
    return x if hasattr(model, "pack") else np.where(np.isnan(x), 0, x)


def has_shares(loss):
    """Return whether a loss has a multinomial in it, whose entries share one normaliser."""
    parts = (part for _, part in loss.walk())
    return any(isinstance(part, MultinomialNLL) for part in parts)


def impute(model, X, *, steps=300, n_draws=None, start=0.0, seed=0):
    """Return X with a number in place of each NaN; observed entries are unchanged.

    **The best guess** (n_draws=None). For each row, `steps` steps of Adam search for the code z
    with the least energy -log p(x_observed|z) - log p(z). The guess is the decoding of that code.
    For a VAE this z is the mode of p(z|x_observed). An autoencoder has no prior, so its energy is
    the loss of the observed entries alone. The encoder only gives the start, so the guess does not
    depend on how well it copes with incomplete rows. (Replacing missing entries by reconstructions
    again and again looks simpler, but diverges for many well-trained models.)

    **Draws** (n_draws=k, of a VAE) are the ends of k Markov chains of `steps` steps. Each starts at
    the code of the best guess. With more steps, their distribution tends to the model's
    p(x_missing|x_observed), however wrong the encoder is: see `draw_rows`.

    Like the loss `Masked`, the method assumes that entries are missing at random: observed values
    may say which entries are missing, but their own values may not. Rubin (1976). The model may
    have been trained on complete rows or, with a Masked loss, on incomplete ones.

    Parameters
    ----------
    X : (n, *input_shape), NaN where missing; a masked array counts as missing where it is masked
        For a row without observed entries, the guess of a VAE is the decoding of the prior's mode
        (z = 0), and a draw is a draw from the model.
    steps : int, 2 or more
    n_draws : int or None
        With a VAE: the number of imputations. Their spread shows the uncertainty.
    start : number or array that broadcasts to X
        What the encoder sees in missing entries when it gives the start of the search. It is not
        used if the loss is Masked: that encoder sees 0.
    seed : int, of the draws

    Returns
    -------
    (n, *input_shape), or (n_draws, n, *input_shape); of X's dtype if that is floating-point
    """
    whole(steps, "steps", 2)
    if has_shares(model.reconstruction_loss):
        raise ValueError(
            f"impute: {model.reconstruction_loss} models the shares of counts, not their sum: it "
            "cannot fill them in"
        )
    if n_draws is not None and not hasattr(model, "posterior"):
        raise ValueError(f"n_draws={n_draws!r}: {type(model).__name__} does not draw")
    if n_draws is not None:
        whole(n_draws, "n_draws")
    X, is_missing, current = _with_holes(model, X, start)
    model = copy.deepcopy(model)  # the passes below overwrite its gradients
    fix(model.decoder)
    # A conditional model without a label is refused here.
    model.encode(without_nan(model, np.full_like(X[:1], np.nan)))
    filled = np.repeat(X[None], n_draws or 1, axis=0)
    rows = is_missing.reshape(len(X), -1).any(axis=1)  # the others are complete
    if rows.any():
        x = X[rows].astype(model.theta.dtype)
        Z = [find_codes(model, *both, steps) for both in slices(x, current[rows])]
        out = _decode(model, x, np.concatenate(Z), steps, n_draws, seed)
        filled[:, rows] = np.where(is_missing[rows], out.reshape(-1, *x.shape), X[rows])
    return filled[0] if n_draws is None else filled


def _decode(model, x, Z, steps, n_draws, seed):
    """Return what the codes Z of the rows x expect, or n_draws draws, one after the other."""
    if n_draws is None:
        expected = model.reconstruction_loss.expected
        return in_slices(lambda z: expected(model.decoder.forward(z)), Z)
    rng, index = np.random.default_rng(seed), np.tile(np.arange(len(x)), n_draws)
    return in_slices(lambda i: draw_rows(model, x[i], Z[i], steps, rng), index)


def _with_holes(model, X, start):
    """Return X as floats, which entries are missing, and X with `start` there, all checked."""
    check_columns(model, X)
    X = np.asarray(as_array(with_nan(X), "X"))
    if X.dtype.kind not in "biuf":
        raise TypeError(f"X must hold real numbers, NaN where missing, got dtype {X.dtype}")
    X = X if X.dtype.kind == "f" else X.astype(np.float64)
    is_missing, start = np.isnan(X), as_float(as_array(start, "start"))
    try:
        fits = np.isfinite(start).all() and np.broadcast_shapes(start.shape, X.shape) == X.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"start of shape {start.shape} must be finite numbers that broadcast to X, {X.shape}"
        )
    current = np.where(is_missing, start, X)
    check_rows(model, current, "X", model.reconstruction_loss.bounds)
    check_target(model, X, "X")  # with NaN where missing: what fills the holes need not be one-hot
    return X, is_missing, current.astype(model.theta.dtype)


class Observed:
    """A loss of fixed rows, over their observed entries: what is missing is looked up only once.

    Its value and its gradient are those of `Masked`, whose rows are new in each call.

    Parameters
    ----------
    loss : Loss, of the model
    x : (n, *input_shape), NaN where missing
    """

    def __init__(self, loss, x):
        self.loss = loss.base
        self.seen, self.target = observed(x)
        self.weight = self.seen.astype(x.dtype)
        if hasattr(self.loss, "check_observed"):
            self.loss.check_observed(self.seen)

    def per_sample(self, out):
        """Return the loss of each row, (n,)."""
        entries = self.loss.entries(out, self.target)
        found = (entries * self.weight).reshape(len(entries), -1).sum(axis=1)
        if np.isnan(found).any():  # of a row far out: inf times 0. np.where takes 10 times as long
            found = np.where(self.seen, entries, 0).reshape(len(entries), -1).sum(axis=1)
        return found

    def slopes(self, out):
        """Return the gradient of the sum over rows with respect to out, of its shape."""
        return self.loss.slopes(out, self.target, self.weight)


class FixedDense(Dense):
    """A Dense layer in a search for codes: `backward` returns dx, and leaves the grads as they are.

    The weights do not change there, and their gradient would take half of the time of `backward`.
    """

    def backward(self, dout):
        """dout (n, n_out) -> dx (n, n_in): see `Dense.backward`."""
        self.recall(dout)
        return dout @ self.params["W"].T


def fix(network):
    """Make the Dense layers of a network FixedDense."""
    for _, layer in network.walk():
        if type(layer) is Dense:
            layer.__class__ = FixedDense


def code_energy(model, z, rows):
    """Return U(z) = -log p(x_observed|z) - log p(z) of each row, (n,), and dU/dz, (n, latent).

    Up to a constant, U = -log p(z|x_observed). For an autoencoder, the loss takes the place of
    -log p, and there is no prior. A row far out may have an infinite U.

    rows : Observed, the loss of the rows x
    """
    with np.errstate(all="ignore"):
        out = model.decoder.forward(z)
        energy, dz = rows.per_sample(out), model.decoder.backward(rows.slopes(out))
        if hasattr(model, "posterior"):
            energy, dz = energy + model.prior.nll(z), dz + model.prior.nll_grad(z)
    return energy, dz


def find_codes(model, x, current, steps):
    """Return the code of least energy that Adam finds for each row, (n, latent).

    x : (n, *input_shape), NaN where missing
    current : x with other numbers there, for the encoder

    The search starts at the encoder's code, or at the prior's mean (of an autoencoder, at 0) where
    that has less energy: the encoder may give an unusual row a code far out, or one not finite.
    Adam treats each number by itself, so rows do not affect each other. The first step is a tenth
    of the prior's spread in each latent, or, for an autoencoder, of the length of a typical code.
    The step falls to 0, and the best code on the way is kept.
    """
    rows = Observed(model.reconstruction_loss, x)
    z, _ = encoded(model, x, current)
    center = 0 * z + (model.prior.mean if hasattr(model, "posterior") else 0)
    at_z, at_center = (code_energy(model, code, rows)[0] for code in (z, center))
    z = np.where((at_z < at_center)[:, None], z, center).astype(z.dtype)
    if hasattr(model, "posterior"):
        scale = prior_spread(model).astype(z.dtype)
    else:
        scale = max(float(np.median(np.abs(z).mean(axis=1))), 1e-3)
    optimizer = Adam(lambda step: 0.1 * (1 - step / steps))
    u, best, least = z / scale, z.copy(), np.full(len(z), np.inf)
    for _ in range(steps):
        energy, dz = code_energy(model, z, rows)
        better = energy < least
        best[better], least[better] = z[better], energy[better]
        with np.errstate(all="ignore"):
            optimizer.step(u.reshape(-1), (dz * scale).reshape(-1))
            z = u * scale
    return best


def prior_spread(model):
    """Return the prior's standard deviation of each latent, (latent_dim,), from draws."""
    if isinstance(model.prior, StandardNormal):
        return np.ones(model.latent_dim)
    z = model.prior.draw((1000, model.latent_dim), np.random.default_rng(0))
    return np.maximum(np.sqrt(np.mean((z - model.prior.mean) ** 2, axis=0)), 1e-6)


def encoded(model, x, current):
    """Return mu and log_var of q(z|x) (of an autoencoder, the code and None); 0 if not finite."""
    seen = without_nan(model, x) if model.reconstruction_loss.takes_nan else current
    with np.errstate(all="ignore"):
        code = np.array(model.encoder.forward(seen))
    code[~np.isfinite(code)] = 0
    mu, log_var = code[:, : model.latent_dim], code[:, model.latent_dim :]
    return np.ascontiguousarray(mu), log_var.clip(-LOG_VAR_LIMIT, LOG_VAR_LIMIT)


def draw_rows(model, x, z, steps, rng):
    """Return draws of whole rows, (n, *input_shape), from p(x|x_observed), one for each row.

    x : (n, *input_shape), NaN where missing
    z : (n, latent), where the chains start

    Each chain of codes starts at z. Its invariant distribution is

        p(z|x_observed) = p(x_observed|z) p(z) / p(x_observed),

    and at its end a row is drawn from p(x|z). Entries are independent given z, so the pair is a
    draw from p(z, x_missing|x_observed). A step makes two moves, each with a Metropolis-Hastings
    correction: z becomes z' with probability min(1, r), else it stays.

    1. From the encoder. Mattei and Frellsen (2018), algorithm 1: Metropolis-within-Gibbs. First
       x_missing is drawn from p(x_missing|z), a Gibbs step. Then z' is drawn from q(z|x), and the
       distribution to keep is p(z|x), which is proportional to p(x|z) p(z). This proposal does not
       depend on z, so

           r = p(x|z') p(z') q(z|x) / (p(x|z) p(z) q(z'|x)).

       Pseudo-Gibbs sampling (Rezende et al. 2014, appendix F) accepts every z'. It would be a Gibbs
       sampler if q(z|x) were p(z|x). It is not, so that chain has another invariant distribution,
       and it may diverge. The encoder of a model with a Masked loss sees x_observed only. Then r
       has x_observed in place of x, and x_missing is not needed.
    2. Along the gradient, which works where the encoder does not. Neal (2011), section 5.2, with
       one leapfrog step. With momentum p ~ N(0, I) and step size e s, where s is the standard
       deviation of q:

           h = p - e s U'(z) / 2;  z' = z + e s h;  p' = h - e s U'(z') / 2

       The map from (z, p) to (z', -p') preserves volume and is its own inverse. So the distribution
       with density exp(-U(z) - |p|^2 / 2) is kept with

           r = exp(U(z) + |p|^2 / 2 - U(z') - |p'|^2 / 2).

       In the first half of the chain, e is adjusted until 65 % of these moves are accepted. Then it
       stays: a step size that depends on earlier moves would change the distribution.
    """
    loss = model.reconstruction_loss
    gone, full, rows = np.isnan(x), loss if loss.takes_nan else Masked(loss), Observed(loss, x)

    def noise():
        return rng.standard_normal(z.shape, dtype=z.dtype)

    def accepted(log_r):
        return np.log(rng.random(len(log_r))) < log_r  # False for NaN, where z' is far out

    def weight(out, z, eps, log_var, x):  # log of p(x|z) p(z) / q(z|x), up to a constant
        log_q = -0.5 * (eps**2 + log_var).sum(axis=1)
        return -full.per_sample(out, x) - model.prior.nll(z) - log_q

    mean = loss.expected(model.decoder.forward(z))
    _, log_var = encoded(model, x, np.where(gone, mean, x))
    widest = prior_spread(model).astype(z.dtype)  # p(z|x) is narrower
    scale = np.exp(0.5 * log_var).clip(0.03 * widest, widest)
    log_e = np.zeros((len(z), 1), z.dtype)
    for i in range(steps):
        # 1. from the encoder
        with np.errstate(all="ignore"):
            out = model.decoder.forward(z)
            current = np.where(gone, loss.draw(out, rng), x)
            seen = x if loss.takes_nan else current
            mu, log_var = encoded(model, x, current)
            std, eps = np.exp(0.5 * log_var), noise()
            new = mu + eps * std
            before = weight(out, z, (z - mu) / std, log_var, seen)
            after = weight(model.decoder.forward(new), new, eps, log_var, seen)
            z = np.where(accepted(after - before)[:, None], new, z)

            # 2. along the gradient
            energy, dz = code_energy(model, z, rows)
            p, e = noise(), np.exp(log_e) * scale
            half = p - 0.5 * e * dz
            new = z + e * half
            new_energy, new_dz = code_energy(model, new, rows)
            new_p = half - 0.5 * e * new_dz
            log_r = energy - new_energy + 0.5 * (p**2 - new_p**2).sum(axis=1)
            z = np.where(accepted(log_r)[:, None], new, z)
            if i < steps // 2:
                rate = np.exp(np.fmin(log_r, 0))
                log_e += (np.nan_to_num(rate) - 0.65)[:, None] * (2 / np.sqrt(i + 1))
    return np.where(gone, loss.draw(model.decoder.forward(z), rng), x)
