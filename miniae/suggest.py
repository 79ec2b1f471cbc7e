"""Suggest settings that fit the data: explicit arguments, each with its reason."""

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from miniae.autoencoder import Autoencoder
from miniae.likelihoods import ColumnGaussianNLL
from miniae.losses import BernoulliNLL, GaussianNLL, MultinomialNLL, SquaredError
from miniae.missing import Masked, with_nan
from miniae.optim import Adam
from miniae.plumbing.inputs import as_array
from miniae.plumbing.names import choose
from miniae.plumbing.tables import check_columns, column_names
from miniae.regularizers import GaussianNoise
from miniae.vae import VAE

MODELS = {"Autoencoder": Autoencoder, "VAE": VAE}
PURPOSES = ("reconstruct", "anomaly", "impute", "generate")
ROWS, ENTRIES = 2000, 2**23  # at most so many rows, evenly spaced, and entries are looked at
LARGEST = 32  # latents
VARIANCE = 0.9  # the share that the latents are meant to keep
NOISE, SIGMA = 1.0, 0.5  # for anomalies, where columns have standard deviation 1
MANY = 20  # features, from which on mostly zeros mean counts
STEPS = 3000
LEAST_EPOCHS = 10


@dataclass
class Suggestion:
    """What `suggest` returns: arguments for a model and for its `fit`, and the reason of each.

    Attributes
    ----------
    purpose : str, as given
    model : "Autoencoder" or "VAE"
    model_arguments : dict, the arguments of its constructor
    epochs, batch_size, lr : of `fit`; see `fit_arguments`
    standardize : bool, whether to train on ``prepare(X)`` in place of X
    center, spread : numbers, or arrays of the shape of a row: `prepare` returns
        (X - center) / spread
    reasons : dict of str to str, by argument
    feature_names_in_ : (features,), if X was a table whose columns have names
    """

    purpose: str
    model: str
    model_arguments: dict
    epochs: int
    batch_size: int
    lr: float
    standardize: bool
    center: np.ndarray
    spread: np.ndarray
    reasons: dict

    @property
    def fit_arguments(self):
        """The arguments of `fit`, a new dict with a new optimiser each time."""
        return {"epochs": self.epochs, "batch_size": self.batch_size, "optimizer": Adam(self.lr)}

    def build(self, **changes):
        """Return the model, not trained; `changes` replace arguments, such as seed=1."""
        return MODELS[self.model](**{**self.model_arguments, **changes})

    def prepare(self, X):
        """Return X in the units of the model, (n, ...): standardised, or unchanged.

        A table must have the columns that `suggest` saw. Hidden entries of a masked array are NaN.
        """
        check_columns(self, X)
        X = with_nan(X)
        return (np.asarray(as_array(X, "X")) - self.center) / self.spread if self.standardize else X

    def restore(self, X):
        """Return X, an output of the model, in the units of the data: undoes `prepare`."""
        return np.asarray(X) * self.spread + self.center if self.standardize else X

    def __repr__(self):
        values = {
            "model": self.model,
            **self.model_arguments,
            **self.fit_arguments,
            "standardize": self.standardize,
        }
        texts = {name: f"{name}={value!r}" for name, value in values.items()}
        width = max(map(len, texts.values()))
        lines = [f"{text:{width}}  {self.reasons[name]}" for name, text in texts.items()]
        return "\n".join([f"Suggestion for {self.purpose!r}:", *(f"  {line}" for line in lines)])


def suggest(X, purpose="reconstruct", model=None):
    """Return explicit arguments for a model of these data, each with its reason.

    The rules are simple: use the result as a first guess. Nothing is trained, and X is not changed.
    Of a large X the rules see `ROWS` rows at most, fewer if they are wide.

    Parameters
    ----------
    X : (n, features) or images (n, h, w) or (n, h, w, channels), real numbers; NaN where missing
    purpose : "reconstruct", "anomaly", "impute" or "generate"
    model : "Autoencoder" or "VAE", or None to choose one by the purpose

    Returns
    -------
    Suggestion; print it to see all arguments and reasons

    Raises
    ------
    ValueError, TypeError : X is not such an array, or the purpose is unknown

    Examples
    --------
    >>> s = suggest(X)
    >>> print(s)
    >>> model = s.build().fit(s.prepare(X), **s.fit_arguments)
    """
    choose(dict.fromkeys(PURPOSES), purpose, "purpose")
    if model is not None:
        choose(MODELS, model, "model")
    if model == "Autoencoder" and purpose == "generate":
        raise ValueError("model='Autoencoder' has no prior to sample from: use a VAE to generate")
    n, sample = some_rows(X)
    kind, reasons = kind_of(sample, purpose), {}
    units = choose_units(sample, kind, reasons)
    rows = (np.nan_to_num(sample - units["center"]) / units["spread"]).reshape(len(sample), -1)
    model = choose_class(kind, purpose, model, reasons)
    arguments = choose_arguments(sample, rows, kind, purpose, model == "VAE", reasons)
    training = choose_training(n, kind, purpose, reasons)
    chosen = Suggestion(purpose, model, arguments, **training, **units, reasons=reasons)
    names = column_names(X)
    if names is not None:
        chosen.feature_names_in_ = names
    return chosen


def some_rows(X):
    """Return the number of rows of X, and at most ROWS of them, checked, in float64."""
    X = as_array(with_nan(X), "X")
    if X.ndim < 2 or 0 in X.shape:
        raise ValueError(
            f"X must be (n, features) or images (n, h, w), and not empty; got shape {X.shape}"
        )
    if X.dtype.kind not in "biuf":
        raise TypeError(f"X must hold real numbers, got dtype {X.dtype}")
    most = min(ROWS, max(ENTRIES // prod(X.shape[1:]), 100))
    sample = np.asarray(X[:: ceil(len(X) / most)], np.float64)
    if np.isinf(sample).any():
        raise ValueError("X has infinite entries: remove them, or mark them as missing, np.nan")
    return len(X), sample


def kind_of(sample, purpose):
    """Return what the entries are: "binary", "pixels", "bytes", "counts" or "numbers"."""
    seen, is_image = sample[~np.isnan(sample)], sample.ndim > 2
    low, high = (seen.min(), seen.max()) if seen.size else (0, 0)
    whole = bool((seen == np.round(seen)).all())
    if whole and low == 0 and high == 1:
        return "binary"
    if is_image and 0 <= low and high <= 1:
        return "pixels"
    if is_image and 0 <= low and high <= 255 and whole:
        return "bytes"
    many = sample[0].size >= MANY
    if whole and low == 0 and many and (seen == 0).mean() > 0.5 and purpose != "impute":
        return "counts"  # mostly zeros, as in the words of texts
    return "numbers"


def choose_units(sample, kind, reasons):
    """Return standardize, center and spread, a dict, and add the reason."""
    center, spread = np.zeros(()), np.ones(())
    if kind == "numbers":
        axis = 0 if sample.ndim == 2 else None
        center, spread = mean_and_spread(sample, axis)
        if np.allclose(center, 0, atol=1e-3) and np.allclose(spread, 1, atol=1e-2):
            center, spread = np.zeros(()), np.ones(())
    elif kind == "bytes":
        spread = np.array(255.0)
    changed = bool((center != 0).any() or (spread != 1).any())
    reasons["standardize"] = {
        "binary": "all entries are 0 or 1",
        "pixels": "all pixels are in [0, 1]",
        "bytes": "pixels from 0 to 255 are divided by 255",
        "counts": "a multinomial likelihood needs the counts as they are",
        "numbers": (
            "mean 0 and standard deviation 1 already"
            if not changed
            else "a loss that adds features needs columns of one scale"
            if sample.ndim == 2
            else "one mean and one standard deviation for all pixels"
        ),
    }[kind]
    return {"standardize": changed, "center": center, "spread": spread}


def mean_and_spread(X, axis=0):
    """Return the mean and the standard deviation of the observed entries along an axis.

    The spread of a constant column, or of one without any observed entry, is 1.
    """
    seen = ~np.isnan(X)
    X, count = np.where(seen, X, 0), np.maximum(seen.sum(axis=axis), 1)
    largest = np.abs(X).max(axis=axis)
    scale = np.where(largest > 0, largest, 1)  # so that no square overflows
    mean = (X / scale).sum(axis=axis) / count
    std = np.sqrt((np.where(seen, X / scale - mean, 0) ** 2).sum(axis=axis) / count)
    return mean * scale, np.where(std > 1e-7, std * scale, 1.0)  # rounding makes up to 1e-8


def choose_class(kind, purpose, wanted, reasons):
    """Return the name of the model's class, and add the reason."""
    name, reason = "Autoencoder", "the code is all that is needed"
    if purpose == "impute":
        name, reason = "VAE", "imputation needs p(missing | observed)"
    elif purpose == "generate":
        name, reason = "VAE", "only a VAE has a prior to sample from"
    elif purpose == "anomaly" and kind in ("pixels", "bytes"):
        reason = "the squared error of an image is a good score"
    elif purpose == "anomaly":
        name, reason = "VAE", "its KL makes a code far out count too, not only a bad reconstruction"
    reasons["model"] = reason if wanted in (None, name) else "as asked for"
    return wanted or name


def choose_arguments(sample, rows, kind, purpose, is_vae, reasons):
    """Return the arguments of the model, a dict, and add the reasons."""
    shape, d = sample.shape[1:], rows.shape[1]
    is_image = len(shape) > 1
    arguments = {"input_dim": shape if is_image else d}
    reasons["input_dim"] = "the shape of a row"
    arguments["latent_dim"] = choose_latents(rows, purpose, is_image, reasons)
    if purpose == "impute" and not is_image:
        arguments["hidden"] = (64 if len(sample) < 1000 else 128,)
        reasons["hidden"] = "64 units fit tables of up to 1,000 rows, 128 larger ones"
    else:
        widest = 128 if kind == "counts" else 256
        arguments["hidden"] = (min(max(16, 2 * d), widest),)
        reasons["hidden"] = f"twice the features, from 16 to {widest}"
    arguments["activation"] = "relu" if is_image else "tanh"
    reasons["activation"] = (
        "fast to train on images" if is_image else "smooth, and bounded for rows far out"
    )
    if kind == "counts":
        arguments["dropout"] = 0.3
        reasons["dropout"] = "few texts, many words: without it, the model overfits"
    name = "likelihood" if is_vae else "loss"
    arguments[name], reasons[name] = choose_loss(sample, kind, purpose, is_vae)
    if purpose == "anomaly" and not is_vae and kind == "numbers":
        arguments["corruption"] = GaussianNoise(NOISE)
        reasons["corruption"] = "training against noise keeps rows far out from being copied"
    return arguments


def choose_latents(rows, purpose, is_image, reasons):
    """Return latent_dim: below the number of features, unless there is only one."""
    d = rows.shape[1]
    most = max(1, min(d // 2, LARGEST))
    if purpose == "impute" or (purpose == "anomaly" and not is_image):
        needed = most
        reasons["latent_dim"] = f"half of the {d} features, at most {LARGEST}"
    else:
        needed = components(rows)
        reasons["latent_dim"] = (
            f"{needed} principal components keep {VARIANCE:.0%} of the variance; "
            f"at most half of the {d} features, and {LARGEST}"
        )
    if d == 1:
        reasons["latent_dim"] = "the smallest code there is: one column cannot be compressed"
    return min(needed, most)


def components(rows):
    """Return how many principal components keep the share VARIANCE of the variance, 1 or more."""
    rows = rows - rows.mean(axis=0)
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    variance = np.linalg.eigvalsh(gram)[::-1].clip(0)  # times n, largest first
    return 1 + int((np.cumsum(variance) < VARIANCE * variance.sum() * (1 - 1e-9)).sum())


def choose_loss(sample, kind, purpose, is_vae):
    """Return the loss, a name or an object, and the reason."""
    if kind in ("pixels", "bytes") and purpose == "anomaly" and not is_vae:
        loss, name = SquaredError(), "mse"
        reason = "a grey pixel has a large cross-entropy even if it is reproduced perfectly"
    elif kind in ("binary", "pixels", "bytes"):
        loss, name = BernoulliNLL(), "bernoulli" if is_vae else "bce"
        reason = "zeros and ones" if kind == "binary" else "grey pixels, as means of zeros and ones"
    elif kind == "counts":
        loss, name, reason = MultinomialNLL(), "multinomial", "counts, most of them 0"
    elif is_vae and purpose == "anomaly":
        loss = name = GaussianNLL(SIGMA)
        reason = "real numbers; a fixed sigma: smaller deviations are noise"
    elif is_vae and purpose == "impute" and sample.ndim == 2:
        loss = name = ColumnGaussianNLL(np.ones(sample.shape[1]), learn_sigma=True)
        reason = "real numbers; a sigma of each column is learned"
    elif is_vae:
        loss, name = GaussianNLL(learn_sigma=True), "gaussian"
        reason = "real numbers; sigma is learned"
    else:
        loss, name, reason = SquaredError(), "mse", "real numbers"
    if kind != "counts" and (purpose == "impute" or np.isnan(sample).any()):
        return Masked(loss), f"{reason}; Masked leaves out what is missing"
    return name, reason


def choose_training(n, kind, purpose, reasons):
    """Return epochs, batch_size and lr, a dict, and add the reasons."""
    batch_size = n if n < 16 else 16 if n < 256 else 64 if n < 4096 else 128
    lr = 2e-3 if n < 20_000 else 1e-3
    if purpose == "impute":
        batch_size, lr = min(n, 64), 3e-3
    per_epoch = ceil(n / batch_size)
    # A detector may train twice. A model of few rows, or of counts, soon overfits.
    steps = STEPS // 2 if purpose == "anomaly" or kind == "counts" else min(max(1000, 5 * n), STEPS)
    epochs = max(round(steps / per_epoch), LEAST_EPOCHS if n > ROWS else 1)
    if purpose == "impute":
        epochs = min(250, max(50, 2000 // per_epoch))
    reasons["epochs"] = f"{epochs * per_epoch:,} steps, {per_epoch:,} an epoch"
    reasons["batch_size"] = f"for {n:,} rows"
    reasons["optimizer"] = "a common rate" if n >= 20_000 else "few steps, so a higher rate"
    return {"epochs": epochs, "batch_size": batch_size, "lr": lr}
