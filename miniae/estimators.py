"""Estimators: an autoencoder and a VAE with the conventions of scikit-learn.

A model of miniae is a network: its input size is fixed when it is built, and `fit` trains it
further. An estimator of scikit-learn takes the sizes from the data and starts again at each `fit`.
The classes here do that: they build a model, train it, and keep it as `model_`.
"""

import math

import numpy as np

from miniae.autoencoder import Autoencoder
from miniae.optim import Adam
from miniae.plumbing.checks import whole
from miniae.plumbing.estimator import Estimator, check_changes, check_fitted
from miniae.plumbing.names import choose
from miniae.plumbing.samples import as_samples, keep_samples, known_samples
from miniae.plumbing.signatures import described
from miniae.plumbing.tables import as_container, column_names
from miniae.suggest import suggest
from miniae.vae import VAE

OF_FIT = ("epochs", "batch_size", "validation_split", "early_stopping", "verbose")


class ModelTransformer(Estimator):
    """Base of `AutoencoderTransformer` and `VAETransformer`, which say what the arguments are.

    A subclass has a `model_class`, and an `__init__` that only stores its arguments.

    Attributes
    ----------
    model_ : the model inside, with all its methods, such as `save`, `reconstruct`, `anomaly_score`
    n_features_in_ : int, numbers in a sample
    feature_names_in_ : (n_features_in_,), if `fit` had a table whose columns have names
    """

    model_class = None

    def fit(self, X, y=None):
        """Build a new model for X and train it; y is ignored, so that a Pipeline may pass labels.

        Parameters
        ----------
        X : (n, features) or images (n, ...); an array, a table, or a SciPy sparse matrix

        Raises
        ------
        ValueError, TypeError : X or an argument does not fit; says what would fit
        """
        names, samples = column_names(X), as_samples(X)
        settings = self.get_params() | chosen_from(samples, self)
        fit_arguments = {name: settings.pop(name) for name in OF_FIT}
        optimizer = Adam(settings.pop("lr"))
        shape = samples.shape[1:]
        model = self.model_class(shape if len(shape) > 1 else shape[0], **settings)
        data = samples if names is None else X  # the model keeps the names too
        self.model_ = model.fit(data, optimizer=optimizer, **fit_arguments)
        keep_samples(self, shape, names)
        return self

    def transform(self, X):
        """Return the codes of X, (n, latent_dim): an array, or what `set_output` says."""
        samples = known_samples(self, X)
        codes = self.model_.encode(samples)
        kind = getattr(self, "_sklearn_output_config", {}).get("transform")
        return as_container(codes, self.get_feature_names_out(), X, kind)

    def set_output(self, *, transform=None):
        """Choose what `transform` returns: "default" (an array), "pandas" or "polars".

        None changes nothing. Without a choice it is what ``sklearn.set_config(transform_output=)``
        says.
        """
        if transform is not None:
            choose(dict.fromkeys(["default", "pandas", "polars"]), transform, "transform")
            self._sklearn_output_config = {"transform": transform}  # `clone` copies it
        return self

    def inverse_transform(self, Z):
        """Return the data that belong to codes Z (n, latent_dim), in the units of X."""
        check_fitted(self)
        return self.model_.decode(Z)

    def fit_transform(self, X, y=None):
        """Fit to X and return its codes; y is ignored."""
        return self.fit(X).transform(X)

    def score(self, X, y=None):
        """Return minus the model's mean loss over X: higher is better. y is ignored."""
        X = known_samples(self, X)
        return self.model_.score(X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the code's columns: the class in lower case, and a number."""
        check_fitted(self)
        start, size = type(self).__name__.lower(), self.model_.latent_dim
        return np.array([f"{start}{i}" for i in range(size)], dtype=object)

    def set_params(self, **changes):
        """Set arguments for the next `fit`; the trained model stays, as in scikit-learn."""
        check_changes(self, changes, self.get_params())
        vars(self).update(changes)
        return self

    def __sklearn_tags__(self):
        """As in Estimator; sparse data are taken, and float32 stays float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")

    def __repr__(self):
        return described(self, self.get_params(), first=0)


class AutoencoderTransformer(ModelTransformer):
    """An `Autoencoder` that takes its size from the data and starts again at each `fit`.

    It standardises nothing: put it behind a StandardScaler, ``make_pipeline(StandardScaler(),
    AutoencoderTransformer())``. The Pipeline then undoes the scaling in `inverse_transform`.

    Parameters
    ----------
    latent_dim : int or None
        None: what `miniae.suggest` says, at most half of the features.
    hidden, activation, code_activation, loss, corruption, penalty, dropout, seed
        As in `Autoencoder`; the default loss is "mse", for real numbers.
    epochs : int or None
        None: as many as make the number of steps that `miniae.suggest` says.
    batch_size, validation_split, early_stopping, verbose : as in `Autoencoder.fit`
    lr : float, or a function of the step; the learning rate of Adam
    dtype : "float32", "float64", or None for float32 if X is, and else float64

    Attributes
    ----------
    model_, n_features_in_, feature_names_in_ : see `ModelTransformer`

    Examples
    --------
    >>> pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(2))
    >>> grid = {"autoencodertransformer__lr": [1e-3, 1e-2]}
    >>> search = GridSearchCV(pipeline, grid).fit(X)
    """

    model_class = Autoencoder

    def __init__(self, latent_dim=None, hidden=(128,), *, activation="relu",
                 code_activation="linear", loss="mse", corruption=None, penalty=None, dropout=0.0,
                 epochs=None, batch_size=128, lr=1e-3, validation_split=0.0, early_stopping=None,
                 verbose=0, dtype=None, seed=0):  # fmt: skip
        self.latent_dim, self.hidden, self.activation = latent_dim, hidden, activation
        self.code_activation, self.loss, self.corruption = code_activation, loss, corruption
        self.penalty, self.dropout, self.epochs = penalty, dropout, epochs
        self.batch_size, self.lr, self.verbose = batch_size, lr, verbose
        self.validation_split, self.early_stopping = validation_split, early_stopping
        self.dtype, self.seed = dtype, seed


class VAETransformer(ModelTransformer):
    """A `VAE` that takes its size from the data and starts again at each `fit`.

    `transform` returns the means of q(z|x). ``model_.sample(n)`` draws new data.

    Parameters
    ----------
    latent_dim, epochs, batch_size, lr, validation_split, early_stopping, verbose, dtype
        As in `AutoencoderTransformer`, with the same advice to scale the data.
    hidden, activation, likelihood, beta, kl_warmup, free_bits, dropout, seed
        As in `VAE`; the default likelihood is "gaussian", for real numbers.

    Attributes
    ----------
    model_, n_features_in_, feature_names_in_ : see `ModelTransformer`
    """

    model_class = VAE

    def __init__(self, latent_dim=None, hidden=(128,), *, activation="tanh",
                 likelihood="gaussian", beta=1.0, kl_warmup=0, free_bits=0.0, dropout=0.0,
                 epochs=None, batch_size=128, lr=1e-3, validation_split=0.0, early_stopping=None,
                 verbose=0, dtype=None, seed=0):  # fmt: skip
        self.latent_dim, self.hidden, self.activation = latent_dim, hidden, activation
        self.likelihood, self.beta, self.kl_warmup = likelihood, beta, kl_warmup
        self.free_bits, self.dropout, self.epochs = free_bits, dropout, epochs
        self.batch_size, self.lr, self.verbose = batch_size, lr, verbose
        self.validation_split, self.early_stopping = validation_split, early_stopping
        self.dtype, self.seed = dtype, seed


def chosen_from(X, estimator):
    """Return values for the arguments that are None, a dict: those of `miniae.suggest`.

    The epochs are those that make as many steps with the estimator's own batch_size.
    """
    automatic = {"dtype": "float32" if X.dtype == np.float32 else "float64"}
    if estimator.latent_dim is None or estimator.epochs is None:  # else it would be idle work
        chosen = suggest(X, model=estimator.model_class.__name__)
        steps = chosen.epochs * math.ceil(len(X) / chosen.batch_size)
        batches = math.ceil(len(X) / whole(estimator.batch_size, "batch_size"))
        automatic["latent_dim"] = chosen.model_arguments["latent_dim"]
        automatic["epochs"] = max(1, round(steps / batches))
    return {name: value for name, value in automatic.items() if getattr(estimator, name) is None}
