"""Missing entries: a loss over the observed entries, and how to fill in the others."""

import copy

import numpy as np

from miniae.losses import Loss, MultinomialNLL
from miniae.numerics import as_float
from miniae.optim import Adam
from miniae.plumbing.checks import is_whole
from miniae.plumbing.inputs import as_array
from miniae.plumbing.tables import check_columns


class Masked(Loss):
    """Another loss, over the observed entries only: NaN in the target means "not observed".

    A missing entry adds nothing to the loss or the gradient. For a likelihood this is the marginal
    likelihood of the observed entries, since the entries are independent given z. In the input of a
    model, a missing entry is 0. Nazabal et al. (2020), section 3. Training on it is right if they
    are missing at random (MAR): whether an entry is missing may depend on observed values, but not
    on its own value. Rubin (1976).

    Parameters
    ----------
    loss : Loss whose entries are independent, such as BernoulliNLL() or GaussianNLL() (copied)

    Examples
    --------
    >>> vae = VAE(20, likelihood=Masked(GaussianNLL(learn_sigma=True))).fit(X_with_nan)
    """

    config = ("loss",)
    takes_nan = True
    bounds = property(lambda self: self.loss.bounds)
    base = property(lambda self: self.loss)

    def __init__(self, loss):
        if not isinstance(loss, Loss):
            raise TypeError(f"Masked takes a Loss such as BernoulliNLL(), got {loss!r}")
        if isinstance(loss, (Masked, MultinomialNLL)):
            raise ValueError(
                f"Masked: the entries of {loss} are not independent, so none can be left out"
            )
        self.loss = copy.deepcopy(loss)
        super().__init__(parts={"loss": self.loss})

    def entries(self, out, target):
        """out and target (n, ...), with NaN -> (n, ...), 0 where the target is missing."""
        seen, target = observed(target)
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
    return seen, np.where(seen, target, 0)


def impute(model, X, *, steps=100, n_draws=None, start=0.0, seed=0):
    """Return X with a number in place of each NaN; observed entries are unchanged.

    An autoencoder searches for the code whose decoding is closest to the observed entries, by
    `steps` steps of Adam from the code of X with `start` in the missing entries. (Replacing missing
    entries by reconstructions again and again looks simpler, but diverges for many well-trained
    models.) A VAE draws z from q(z|x), then the missing entries from p(x|z), and so on in turn.
    Rezende et al. (2014), appendix F. This is pseudo-Gibbs sampling: a Gibbs sampler would draw z
    from p(z|x), and the distribution of the chain tends to p(missing|observed) only if q(z|x)
    equals p(z|x). Mattei and Frellsen (2018).

    Like the loss `Masked`, the method assumes that entries are missing at random: observed values
    may say which entries are missing, but their own values may not. Rubin (1976).

    A model with a Masked loss was trained on rows with missing entries. Then an autoencoder needs
    one pass only, and the draws of a VAE are independent.

    Parameters
    ----------
    X : (n, *input_shape), NaN where missing; a masked array counts as missing where it is masked
        A row without observed entries becomes the reconstruction of `start` (an autoencoder) or a
        draw from the model (a VAE).
    steps : int, 2 or more
    n_draws : int or None
        With a VAE: the number of imputations, each the end of its own chain; their spread shows the
        uncertainty. By default one imputation, the best guess: the decoder's mean, averaged over
        the second half of the chain.
    start : number or array that broadcasts to X, the first value of missing entries
    seed : int, of the draws

    Returns
    -------
    (n, *input_shape), or (n_draws, n, *input_shape); of X's dtype if that is floating-point
    """
    if not is_whole(steps, 2):
        raise ValueError(f"steps={steps!r} must be 2 or more")
    loss, is_vae = model.reconstruction_loss, hasattr(model, "posterior")
    if isinstance(loss.base, MultinomialNLL):
        raise ValueError(
            f"impute: {loss} models the shares of counts, not their sum: it cannot fill them in"
        )
    if n_draws is not None and not is_vae:
        raise ValueError(f"n_draws={n_draws!r}: {type(model).__name__} does not draw")
    if n_draws is not None and (not is_whole(n_draws, 1) or n_draws is True):
        raise ValueError(f"n_draws={n_draws!r} must be None or an integer above 0")
    X, is_missing, current = _with_holes(model, X, start)
    if is_vae:
        filled = _run_chains(model, X, is_missing, current, steps, n_draws, seed)
    else:
        filled = model.reconstruct(X) if loss.takes_nan else _fit_codes(model, X, current, steps)
    return np.where(is_missing, filled, X).astype(X.dtype, copy=False)


def _with_holes(model, X, start):
    """Return X as floats, which entries are missing, and X with `start` there, all checked."""
    check_columns(model, X)
    if isinstance(X, np.ma.MaskedArray):
        X = X.astype(np.result_type(X.dtype, np.float32)).filled(np.nan)
    X = np.asarray(as_array(X, "X"))
    if X.dtype.kind not in "biuf":
        raise TypeError(f"X must hold real numbers, NaN where missing, got dtype {X.dtype}")
    X = X if X.dtype.kind == "f" else X.astype(np.float64)
    is_missing, start = np.isnan(X), as_float(start)
    if not np.isfinite(start).all() or not _fits(start.shape, X.shape):
        raise ValueError(
            f"start of shape {start.shape} must be finite numbers that broadcast to X, {X.shape}"
        )
    current = np.where(is_missing, start, X)
    model.map_rows(lambda x: x, current, bounds=model.reconstruction_loss.bounds)  # checks it
    return X, is_missing, current


def _run_chains(model, X, is_missing, current, steps, n_draws, seed):
    """Return the mean of a chain's second half, or the ends of n_draws chains."""
    loss, rng, chains = model.reconstruction_loss, np.random.default_rng(seed), n_draws or 1
    if loss.takes_nan and n_draws is not None:
        steps = 1  # the model knows what is missing: each draw is independent

    def repeated(a):
        return np.broadcast_to(a, (chains, *X.shape)).reshape(-1, *model.input_shape)

    current, is_gone, known = repeated(current), repeated(is_missing), repeated(X)
    total = np.zeros(current.shape)

    def step(x):
        mu, log_var = model.infer(x)
        z = mu + np.exp(0.5 * log_var) * rng.standard_normal(mu.shape, dtype=mu.dtype)
        out = model.decoder.forward(z)
        return np.stack([loss.expected(out), loss.draw(out, rng)], axis=1)

    for i in range(steps):
        both = model.map_rows(step, known if loss.takes_nan else current)
        current = np.where(is_gone, both[:, 1], known)
        if i >= steps // 2:
            total += both[:, 0]
    if n_draws is not None:
        return current.reshape(n_draws, *X.shape)
    return total / (steps - steps // 2)


def _fits(shape, whole):
    """Return whether an array of one shape broadcasts to another shape."""
    pairs = zip(shape[::-1], whole[::-1], strict=False)
    return len(shape) <= len(whole) and all(a in (1, b) for a, b in pairs)


def _fit_codes(model, X, current, steps):
    """Return the decodings of the codes that fit the observed entries of each row best."""
    model, loss = copy.deepcopy(model), Masked(model.reconstruction_loss)
    Z = model.encode(current)
    out = np.empty(X.shape, Z.dtype)
    for start in range(0, len(X), 1024):
        rows = slice(start, start + 1024)
        z, x = Z[rows].copy(), X[rows].astype(Z.dtype)
        scale = 0.1 * max(float(Z.std(dtype=np.float64)), 1e-3)
        optimizer = Adam(lambda step, scale=scale: scale * (1 - step / steps))
        best, least, one = z.copy(), np.full(len(z), np.inf), np.ones(len(z), Z.dtype)
        for _ in range(steps):
            with np.errstate(over="ignore", invalid="ignore"):  # data far out may overflow
                error = loss.per_sample(model.decoder.forward(z), x)
                dz = model.decoder.backward(loss.backward(one))
                better = error < least
                best[better], least[better] = z[better], error[better]
                optimizer.step(z.reshape(-1), dz.reshape(-1))
        out[rows] = loss.expected(model.decoder.forward(best))
    return out
