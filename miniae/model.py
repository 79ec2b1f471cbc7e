"""Model: what an autoencoder and a variational autoencoder have in common.

A model is an encoder, a decoder and a loss over one parameter vector. Subclasses add `loss` and
`backward`, the two methods in which they differ.
"""

import copy

import numpy as np

from miniae import anomaly, inputs, inspection, latent, missing, storage, training
from miniae.estimator import Estimator
from miniae.layers import Flatten, Reshape, Sequential
from miniae.losses import BernoulliNLL, GaussianNLL, Loss, MultinomialNLL, SquaredError
from miniae.networks import check_networks, mlp
from miniae.parameters import Parameterized, choose, require

ROWS = 1024  # rows in flight when data pass through without training: bounds the memory
LOSSES = {
    "bce": BernoulliNLL,
    "bernoulli": BernoulliNLL,
    "binary_crossentropy": BernoulliNLL,
    "gaussian": lambda: GaussianNLL(learn_sigma=True),
    "mean_squared_error": SquaredError,
    "mse": SquaredError,
    "multinomial": MultinomialNLL,
}
EVALUATION_SEED = 20131220  # of the noise in evaluation, drawn anew at each call


class Model(Estimator, Parameterized):
    """Base of `Autoencoder` and `VAE`; see there for the arguments.

    Attributes
    ----------
    encoder, decoder : Sequential, the live networks
    reconstruction_loss : Loss
    history : dict of str to list, a number per epoch trained so far
    terms : dict of str to float, the parts of the last `loss`
    rng : Generator that shuffles, corrupts and draws in training
    optimizer : the one that `fit` used last
    """

    encoder = property(lambda self: self.parts["encoder"])  # to put another in, build a model
    decoder = property(lambda self: self.parts["decoder"])
    reconstruction_loss = property(lambda self: self.parts["loss"])
    draws = 1  # codes that `loss` draws for each sample

    def __init__(self, arguments, loss, code_size):
        self.arguments = {k: v for k, v in arguments.items() if k not in ("self", "__class__")}
        get = self.arguments.get
        shape, hidden, dtype = get("input_dim"), get("hidden"), np.dtype(get("dtype"))
        self.input_shape = tuple(shape) if np.ndim(shape) else (shape,)
        self.latent_dim = get("latent_dim")
        require(np.ndim(hidden) == 1, f"hidden={hidden!r} must be a tuple of sizes, such as (128,)")
        require(0 <= get("dropout") < 1, f"dropout={get('dropout')!r} must be in [0, 1)")
        sizes = (*self.input_shape, *hidden, code_size)
        require(
            self.input_shape and all(isinstance(n, (int, np.integer)) and n > 0 for n in sizes),
            f"input_dim={shape!r}, hidden={hidden!r}, latent_dim={self.latent_dim!r}: "
            "all sizes must be integers above 0",
        )
        require(dtype in (np.float32, np.float64), f"dtype={dtype} must be float32 or float64")
        self.rng = np.random.default_rng(get("seed"))
        self.history, self.terms, self.optimizer = {}, {}, None
        argument = "loss" if "loss" in self.arguments else "likelihood"
        named = getattr(loss, "__name__", loss)
        require(not isinstance(loss, type), f"{argument}={named} is a class: write {named}()")
        given = loss if isinstance(loss, Loss) else choose(LOSSES, loss, argument)()
        networks = copy.deepcopy([get("encoder"), get("decoder")])
        for name, network in zip(("encoder", "decoder"), networks, strict=True):
            if not isinstance(network, (Sequential, type(None))):
                raise TypeError(f"{name} must be a Sequential, got {network!r}")
        require(
            None in networks or not get("dropout"),
            f"dropout={get('dropout')} has no effect with an encoder and a decoder of your own: "
            "put Dropout layers into them",
        )
        if None in networks:
            built = self.build(code_size, get("activation"), get("dropout"), self.rng, dtype)
            networks = [a or Sequential(b) for a, b in zip(networks, built, strict=True)]
        encoder, decoder = networks
        parts = {"encoder": encoder, "decoder": decoder, "loss": copy.deepcopy(given)}
        super().__init__(parts=parts)
        self._own(dtype)
        check_networks(self, code_size)

    def build(self, code_size, *options):
        """Return the layers of the encoder and of the decoder that `hidden` describes, two lists.

        options are activation, dropout, rng and dtype, as `mlp` takes them.
        """
        hidden, features = self.arguments["hidden"], int(np.prod(self.input_shape))
        is_image = len(self.input_shape) > 1
        encoder = [Flatten()] * is_image + mlp([features, *hidden, code_size], *options)
        decoder = mlp([self.latent_dim, *reversed(hidden), features], *options)
        return encoder, decoder + [Reshape(*self.input_shape)] * is_image

    # Subclasses write these two.

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """Return the loss of a batch, a scalar: see the subclass."""
        raise NotImplementedError(f"{type(self).__name__} has no loss yet")

    def backward(self):
        """Fill dtheta with the gradient of the last `loss`."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass yet")

    # What they use for it.

    _batch = inputs.check_batch

    def _inputs(self, x, target, rng, training):
        """Check a batch and its target, and hand the noise's source to the networks."""
        bounds = self.reconstruction_loss.bounds
        if target is None:
            x = target = self._batch(x, "x", bounds=bounds)
        else:
            x, target = self._batch(x, "x"), self._batch(target, "target", bounds=bounds)
            require(len(x) == len(target), f"x has {len(x)} samples but target {len(target)}")
        if rng is None:
            rng = self.rng if training else np.random.default_rng(EVALUATION_SEED)
        self.encoder.set_rng(rng)
        self.decoder.set_rng(rng)
        return x, target, rng

    def _code(self, x, training=False):
        """Return what the encoder makes of a batch."""
        return self.encoder.forward(self._filled(x), training)

    def _filled(self, x):
        """Return x with 0 where it has NaN, if the loss takes NaN for an entry not observed."""
        return np.where(np.isnan(x), 0, x) if self.reconstruction_loss.missing else x

    def _record(self, loss, **terms):
        """Keep the parts of a loss for the history, and refuse one that is not a number."""
        self.terms = {k: np.asarray(v).item() for k, v in {"loss": loss, **terms}.items()}
        self._refuse(not np.isfinite(loss.real), f"the loss is {loss} (parts: {self.terms})")
        return self.terms["loss"]

    def _refuse(self, bad, what):
        """Raise FloatingPointError if bad, with the likely cause."""
        if bad:
            lost = [n for n, value, _ in self.named_params() if not np.isfinite(value).all()]
            raise FloatingPointError(
                f"{what}. "
                + (f"First parameter that is not finite: {lost[0]}. " if lost else "")
                + "Likely the learning rate is too high, or the data are far from unit scale"
            )

    def _map(self, function, X, name, **checks):
        """Apply a function to X, ROWS rows at a time, into one fresh array."""
        X, out = inputs.as_array(X, name), None
        self.cache = None  # the passes below overwrite what loss() left for backward()
        for start in range(0, max(len(X) if X.ndim else 0, 1), ROWS):
            batch = self._batch(X[start : start + ROWS] if X.ndim else X, name, **checks)
            self._select(slice(start, start + ROWS))
            part = function(batch)
            if out is None:
                out = np.empty((len(X), *part.shape[1:]), part.dtype)
            out[start : start + len(part)] = part
        return out

    def _select(self, rows):
        """Hear which rows `_map` comes to: a conditional model has a label for each."""

    # Using a model.

    def encode(self, X):
        """Return the codes of X, shape (n, latent_dim)."""
        return self._map(lambda x: self._code(x)[:, : self.latent_dim], X, "X")

    def decode(self, Z):
        """Return the data, in data space, that codes Z stand for.

        Z (n, latent_dim) -> (n, *input_shape); Z may have more axes before the last, such as
        several draws for each sample, and then the data have them too.
        """
        mean, Z = self.reconstruction_loss.mean, np.asarray(Z)
        rows = Z.reshape(-1, Z.shape[-1]) if Z.ndim > 2 else Z
        X = self._map(lambda z: mean(self.decoder.forward(z)), rows, "Z", shape=(self.latent_dim,))
        return X.reshape(*Z.shape[:-1], *X.shape[1:])

    def reconstruct(self, X):
        """Return decode(encode(X)), of the shape of X."""
        return self.decode(self.encode(X))

    transform, inverse_transform = encode, decode
    predict = __call__ = reconstruct

    fit = training.fit

    def fit_transform(self, X, y=None, **options):
        """Fit to X and return its codes; y is ignored, so that a Pipeline may pass labels."""
        return self.fit(X, **options).encode(X)

    def start_epoch(self, epoch):
        """Prepare for an epoch, counted from 0. `fit` calls it; so does your own loop."""

    def evaluate(self, X, y=None, *, verbose=0, return_dict=False, **side):
        """Return the mean loss over X, or with return_dict all its parts, in evaluation mode."""
        means = self.mean_terms(inputs.check_data(self, X, y, side))
        if verbose:
            print(training.describe(means))
        return means if return_dict else means["loss"]

    def mean_terms(self, data):
        """Return the loss and its parts in evaluation mode, means over checked data, a dict."""
        rng, means = np.random.default_rng(EVALUATION_SEED), training.Means()
        step = max(1, ROWS // self.draws)
        for start in range(0, len(data["x"]), step):
            rows = slice(start, start + step)
            self.loss(**inputs.take(data, rows), rng=rng)
            means.add(self.terms, len(data["x"][rows]))
        self.cache = None
        return means.values()

    def score(self, X, y=None, **side):
        """Return minus the mean loss over X: higher is better, as in scikit-learn. y is ignored.

        The loss is the model's own, with its beta or penalty: it ranks models that share those.
        """
        return -self.evaluate(X, **side)

    # Looking at a model, keeping it.

    anomaly_score = anomaly.anomaly_score
    impute = missing.impute
    interpolate = latent.interpolate
    summary = inspection.summary
    trace = inspection.trace
    save = storage.save
    load = classmethod(storage.load)

    def __repr__(self):
        shape = self.input_shape if len(self.input_shape) > 1 else self.input_shape[0]
        return f"{type(self).__name__}(input_dim={shape}, latent_dim={self.latent_dim})"
