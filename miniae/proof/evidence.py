"""Evidence: the measurements on a model that `symptoms` judges."""

import copy
import inspect
from dataclasses import dataclass, field

import numpy as np

from miniae.inspection import model_leaves, watch
from miniae.latent import is_active
from miniae.layers import ReLU, Sigmoid, Tanh
from miniae.losses import MultinomialNLL, StandardNormal
from miniae.proof.oracles import PCA
from miniae.vae import VAE

SATURATED = 1e-3  # of its range: a sigmoid or tanh so close to an end is saturated
MOST = 0.9  # a unit is called saturated if it is so for this share of the rows
CONSTANT = 1e-6  # of the largest variance: a code unit below it is constant
BLOCK = 4096  # rows read at once


def scan(X, nan_is_missing):
    """Read X block by block for its range, and for entries that a loss does not accept.

    Returns
    -------
    figures : dict with "lowest", "highest", and the counts "missing" (allowed NaN) and "bad"
    where : list of int, the index of the first bad entry, or None
    """
    low, high, missing, bad, where = np.inf, -np.inf, 0, 0, None
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        finite = np.isfinite(block)
        if not finite.all():
            allowed = np.isnan(block) if nan_is_missing else np.zeros_like(finite)
            wrong = ~(finite | allowed)
            missing, bad = missing + int(allowed.sum()), bad + int(wrong.sum())
            if where is None and wrong.any():
                row, *rest = (int(i) for i in np.argwhere(wrong)[0])
                where = [start + row, *rest]
        seen = block if finite.all() else block[finite]
        if seen.size:
            low, high = min(low, float(seen.min())), max(high, float(seen.max()))
    return {"lowest": low, "highest": high, "missing": missing, "bad": bad}, where


def call(method, X, side, **more):
    """Call a model's method with X and those arrays of `side` that it accepts."""
    known = inspect.signature(method).parameters
    everything = any(p.kind is p.VAR_KEYWORD for p in known.values())
    return method(X, **{k: v for k, v in side.items() if everything or k in known}, **more)


@dataclass
class Activity:
    """How often the units of one activation layer are off; a channel of an image is one unit."""

    layer: object
    rows: int = 0
    off: np.ndarray = field(default=0)  # (units,), the number of rows at zero, or at an end

    def add(self, out):
        """Count a batch."""
        out = out.reshape(-1, out.shape[-1]) if out.ndim == 4 else out.reshape(len(out), -1)
        if isinstance(self.layer, ReLU):
            off = out == 0
        else:
            low = 0.0 if isinstance(self.layer, Sigmoid) else -1.0
            margin = SATURATED * (1 - low)
            off = (out < low + margin) | (out > 1 - margin)
        self.rows += len(out)
        self.off = self.off + off.sum(axis=0)

    @property
    def idle(self):
        """Which units are dead (of a ReLU: zero for all rows), or saturated for most rows."""
        return self.off >= self.rows * (1.0 if isinstance(self.layer, ReLU) else MOST)


class Evidence:
    """Measurements on a model, made with some rows of data.

    Attributes
    ----------
    failure : str, where values are not finite; if it is not empty, the rest is not measured
    units : dict of str to Activity, the layers of ReLU, Sigmoid and Tanh
    terms : dict of str to float, from `evaluate`
    x, out : (n, features) float64, data and reconstructions; NaN in x is ignored
    active : (latent_dim,) bools, the latents or code units that vary with x
    kl, information : (latent_dim,), nats, for a VAE: the KL, and what normal codes carry on x
    residual : float, root mean square of x - decode(z), with z drawn if the model is a VAE
    varies, reacts : float
        The variances of the reconstructions, and of decoded random codes, over that of x.
    errors : dict of "model", "mean" and "pca" to the squared error per sample
    components, variances : int, (features,), components of PCA, and the variances of all
    """

    def __init__(self, model, X, side, trained):
        self.model, self.loss = model, model.reconstruction_loss.base
        self.is_vae, self.trained = isinstance(model, VAE), trained
        self._pass_through(X, side)
        if not self.failure:
            self._use_codes(X, side)
            self._compare()

    def _pass_through(self, X, side):
        """Evaluate the loss of a copy of the model, and watch its layers."""
        clone, lost = copy.deepcopy(self.model), []
        layers = dict(model_leaves(clone))
        kinds = (ReLU, Sigmoid, Tanh)
        self.units = {name: Activity(f) for name, f in layers.items() if isinstance(f, kinds)}

        def see(name, x, out):
            if not np.isfinite(out).all():
                lost.append(name)
            elif name in self.units:
                self.units[name].add(out)

        watch(clone, see)
        self.failure = ""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                self.terms = clone.evaluate(X, return_dict=True, **side)
        except FloatingPointError as error:
            self.failure = str(error)
        if lost:
            self.failure = f"{lost[0]}, {layers[lost[0]]}, is the first layer to give NaN or inf"

    def _use_codes(self, X, side):
        """Encode and decode the rows, and decode draws: of the posterior, and of the prior."""
        model = self.model
        self.x, self.out = flat(X), flat(call(model.reconstruct, X, side))
        if isinstance(self.loss, MultinomialNLL):  # its mean is a share, not a count
            with np.errstate(invalid="ignore"):  # a row without counts becomes NaN
                self.x = self.x / self.x.sum(axis=1, keepdims=True)
        drawn = self.out
        if self.is_vae:
            mu, log_var = call(model.posterior, X, side)
            self.kl = model.prior.kl(mu, log_var).mean(axis=0)
            self.active = is_active(mu)
            noise = np.exp(log_var.astype(np.float64)).mean(axis=0)
            self.information = 0.5 * np.log1p(mu.var(axis=0, dtype=np.float64) / noise)
            drawn = flat(call(model.decode, call(model.posterior_sample, X, side, seed=0)[0], side))
        else:
            variance = call(model.encode, X, side).var(axis=0, dtype=np.float64)
            self.active = variance > CONSTANT * variance.max()
        self.residual = float(np.sqrt(np.nanmean((self.x - drawn) ** 2)))
        m = min(len(X), 100)
        prior = model.prior if self.is_vae else StandardNormal()
        z = prior.draw((m, model.latent_dim), np.random.default_rng(0))
        self.by_chance = flat(
            call(model.decode, z, {name: value[:m] for name, value in side.items()})
        )

    def _compare(self):
        """Measure the errors of the model, of the best constant and of PCA, on every second row.

        The best constant is the mean of the same rows, so no constant output has a smaller error.
        PCA is fitted to the other rows, because the model may not have seen these rows either. If
        there are more features than rows, the rows are first rotated into the space that they
        span: a covariance of all features may not fit into memory.
        """
        seen = ~np.isnan(self.x)
        fit, test, seen_fit, seen_test = self.x[::2], self.x[1::2], seen[::2], seen[1::2]
        mean = np.where(seen_fit, fit, 0).sum(axis=0) / np.maximum(seen_fit.sum(axis=0), 1)
        fit, test = np.where(seen_fit, fit - mean, 0), np.where(seen_test, test - mean, 0)
        n, features = fit.shape
        span = np.linalg.qr(fit.T)[0] if features > n else None
        fit, inside = (fit, test) if span is None else (fit @ span, test @ span)
        self.components = min(self.model.latent_dim, features, n - 1)
        pca = PCA(self.components).fit(fit)
        pca_out = pca.inverse_transform(pca.transform(inside))
        pca_out = pca_out if span is None else pca_out @ span.T
        best = test.sum(axis=0) / np.maximum(seen_test.sum(axis=0), 1)
        residuals = {"model": self.out[1::2] - mean - test, "mean": best - test}
        residuals["pca"] = pca_out - test
        self.errors = {
            name: float((residual**2 * seen_test).sum(axis=1).mean())
            for name, residual in residuals.items()
        }
        self.features, self.variances = features, pca.variances_
        data, *others = (
            float(rows.var(axis=0).sum())
            for rows in (np.where(seen, self.x, mean), self.out, self.by_chance)
        )
        self.varies, self.reacts = (other / max(data, 1e-300) for other in others)


def flat(X):
    """Return samples as rows of float64."""
    return np.asarray(X).reshape(len(X), -1).astype(np.float64)
