"""Model: what an autoencoder and a variational autoencoder have in common.

A model is an encoder, a decoder and a loss over one parameter vector. Subclasses add `loss` and
`backward`, the two methods in which they differ.
"""

import copy
from operator import attrgetter

import numpy as np

from miniae.layers import Flatten, Reshape, Sequential
from miniae.losses import LOSSES, Loss
from miniae.networks import mlp
from miniae.parameters import Parameterized
from miniae.plumbing import batches
from miniae.plumbing.checks import check_arguments, check_networks, diverged
from miniae.plumbing.estimator import Estimator
from miniae.plumbing.first_draw import draw_last
from miniae.plumbing.foreign import LossValue
from miniae.plumbing.inputs import as_array, check_batch, check_data, rows_at_once, select_rows
from miniae.plumbing.text import as_text
from miniae.plumbing.views import view

EVALUATION_SEED = 20131220  # of the noise in each evaluation; the date of the first VAE paper


class Model(Estimator, Parameterized):
    """Base of `Autoencoder` and `VAE`; see there for the arguments.

    Attributes
    ----------
    encoder, decoder : Sequential, the live networks; to exchange one, build a new model
        ``decoder(z)`` returns logits where the loss is Bernoulli, not pixels. ``decode(z)`` and
        ``decoder.predict(z)`` return data.
    reconstruction_loss : Loss
    history : dict of str to list, a number per epoch trained so far
    terms : dict of str to float, the last `loss` and its terms
    rng : Generator that shuffles, corrupts and draws in training
    optimizer : the one that `fit` used last
    arguments : dict, the arguments that only the constructor uses, as they were given
    """

    encoder = property(attrgetter("_encoder"), doc="x -> code; for a VAE, mu beside log_var.")
    decoder = property(attrgetter("_decoder"), doc="z -> out, maybe logits; predict(z) is data.")
    reconstruction_loss = property(attrgetter("_loss"))
    n_draws = 1  # codes that `loss` draws for each sample
    first_pass = "loss"
    loss_argument, relu_init = "loss", "he"  # an argument's name; see `mlp`

    def __init__(
        self,
        input_dim,
        latent_dim,
        hidden,
        *,
        loss,
        code_size,
        activation="relu",
        dropout=0.0,
        encoder=None,
        decoder=None,
        dtype="float32",
        seed=0,
    ):
        self.input_dim, self.latent_dim, self.hidden = input_dim, latent_dim, hidden
        self.activation, self.dropout, self.dtype, self.seed = activation, dropout, dtype, seed
        self.arguments = {
            "input_dim": input_dim, "latent_dim": latent_dim, "hidden": hidden,
            "activation": activation, "dropout": dropout, "encoder": encoder, "decoder": decoder,
            "dtype": dtype, "seed": seed, self.loss_argument: loss,
        }  # fmt: skip
        self.input_shape = tuple(input_dim) if np.ndim(input_dim) else (input_dim,)
        check_arguments(self, loss, code_size)
        self.rng = np.random.default_rng(seed)
        self.history, self.terms, self.optimizer = {}, {}, None

        encoder, decoder = copy.deepcopy([encoder, decoder])
        if encoder is None or decoder is None:
            built = self.build(code_size, activation, dropout, self.rng, dtype, self.relu_init)
            encoder, decoder = encoder or Sequential(built[0]), decoder or Sequential(built[1])
        loss = copy.deepcopy(loss) if isinstance(loss, Loss) else LOSSES[loss]()
        super().__init__(parts={"encoder": encoder, "decoder": decoder, "loss": loss})
        self.lay_out(np.dtype(dtype))
        check_networks(self, code_size)

    def lay_out(self, dtype=None):
        """Move all parameters into two new vectors, and look up the networks and the loss."""
        encoder, decoder, loss = (self.parts[name] for name in ("encoder", "decoder", "loss"))
        self._encoder, self._decoder, self._loss = encoder, decoder, loss
        decoder.to_data = loss.expected
        layers = [*encoder.walk(), *decoder.walk()]
        self.random_layers = [layer for _, layer in layers if hasattr(layer, "rng")]
        draw_last(self, self.rng)
        super().lay_out(dtype)

    def build(self, code_size, *options):
        """Return the layers of the encoder and of the decoder that `hidden` describes, two lists.

        options are activation, dropout, rng, dtype and relu_init, as `mlp` takes them.
        """
        features = int(np.prod(self.input_shape))
        encoder = mlp([features, *self.hidden, code_size], *options)
        decoder = mlp([self.latent_dim, *reversed(self.hidden), features], *options)
        if len(self.input_shape) > 1:  # images
            encoder, decoder = [Flatten(), *encoder], [*decoder, Reshape(*self.input_shape)]
        return encoder, decoder

    # Subclasses write these two.

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """Return the loss of a batch, a scalar: see the subclass."""
        raise NotImplementedError(f"{type(self).__name__} has no loss yet")

    def backward(self):
        """Fill dtheta with the gradient of the last `loss`."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass yet")

    # What they use for it.

    def prepare(self, x, target, rng, training):
        """Check a batch and its target, make rng the source of all noise, and return the three."""
        bounds = self.reconstruction_loss.bounds
        if target is None:
            x = target = check_batch(self, x, "x", bounds=bounds)
        else:
            x = check_batch(self, x, "x")
            target = check_batch(self, target, "target", bounds=bounds)
        if len(x) != len(target):
            raise ValueError(f"x has {len(x)} samples but target {len(target)}")
        if rng is None:
            rng = self.rng if training else np.random.default_rng(EVALUATION_SEED)
        for layer in self.random_layers:
            layer.rng = rng
        return x, target, rng

    def infer(self, x, training=False):
        """Return the codes of a checked batch."""
        if self.reconstruction_loss.takes_nan:
            x = np.where(np.isnan(x), 0, x)
        return self.encoder.forward(x, training)

    def record(self, loss, **terms):
        """Keep a loss and its terms for the history; refuse a loss that is not a number."""
        self.terms = {}
        for name, value in {"loss": loss, **terms}.items():
            self.terms[name] = np.asarray(value).item()
        if not np.isfinite(np.real(loss)):
            raise diverged(self, f"the loss is {loss} (terms: {self.terms})")
        return self.terms["loss"] if np.iscomplexobj(loss) else LossValue(loss)

    map_rows = batches.map_rows

    def use_rows(self, rows):
        """`map_rows` calls this before each slice of rows; `ConditionalVAE` sets its labels."""

    # Using a model.

    def fit(
        self,
        X,
        y=None,
        *,
        epochs=10,
        batch_size=128,
        optimizer=None,
        validation_data=None,
        validation_split=0.0,
        early_stopping=None,
        shuffle=True,
        callback=None,
        checkpoint=None,
        checkpoint_every=1,
        workers=1,
        verbose=1,
        **side,
    ):
        """Train for `epochs` further epochs, from the present weights. The loop: `miniae.training`.

        Parameters
        ----------
        X : (n, *input_shape) real numbers, a function that returns batches, or a loader
            An np.memmap is read, and a SciPy sparse matrix made dense, batch by batch. The names of
            the columns of a table (pandas, polars) are kept. A function is called once an epoch,
            without arguments, and returns an iterator of batches, each x or a tuple (x, y) or
            (x, y, labels), as in validation_data; then batch_size and shuffle are ignored. A loader
            is an object that gives batches each time it is iterated over, such as PyTorch's
            DataLoader; for a conditional model they may be (x, labels).
        y : like X, or None for X itself
            What to reconstruct: ``fit(noisy, clean)`` trains a denoiser.
        epochs, batch_size : int
            The last batch of an epoch is smaller if the rows do not divide evenly.
        optimizer : Optimizer or another object with step(theta, dtheta), "adam" or "sgd", or a
            class or a function that makes one
            By default the one of the last `fit`, with its state, or else Adam(1e-3). One that
            serves another model is copied, without its state.
        validation_data : X, or a tuple (X, y)
            For a conditional model (X, None, labels) or (X, y, labels).
        validation_split : float in [0, 1)
            Hold out this fraction of the rows, the last ones, before shuffling (as in Keras).
        early_stopping : int, `miniae.callbacks.EarlyStopping` or None
            Stop when the validation loss has not improved for so many epochs. At the end, the
            weights and buffers of the best epoch of this call are restored.
        shuffle : bool, whether each epoch has a new order of the rows
        callback : function of (model, epoch, logs), or a list of such functions
            They are called after each epoch, counted from 0. The training ends after the epoch if
            one returns True or raises StopIteration. Ready ones are in `miniae.callbacks`.
        checkpoint : path or None
            Keep the run in this file. If the file was written by the same call, the run
            continues from it and ends with the same bytes as without the break; a file of another
            call is refused. `epochs` may be raised. Functions (a schedule, a corruption, a
            callback) and the state of your own layers are not in the file, and a callback may see
            an epoch twice. `load` reads the file too: it returns the weights of the last epoch
            written, where early stopping returns the best.
        checkpoint_every : int, epochs between two writings of the file
        workers : int, or "auto"
            How many processes compute each step, each on its share of the batch. They are started
            for this call. The result is the same for the same number of workers, and without noise
            equal to that of one process up to rounding. A model that needs the whole batch at once
            (free_bits, KLSparsity, BatchNorm) is refused, and so are layers of your own that do
            not say they do not. "active_units" in the history is counted in each share. "auto"
            measures a step, and chooses. See docs/10_speed.md.
        verbose : 0 is silent, 1 a progress bar (a line per epoch where stderr is no terminal), 2 a
            line per epoch
        **side : arrays of n rows that the model's loss takes besides: a conditional VAE's labels
            ``sample_weight=`` is one number for each row, 0 or more: in each epoch a row is drawn
            as often as its share of all weights says, on average. A weight of 2 is like the row
            twice, and a row of weight 0 is not used at all. The loss in the history is that of the
            drawn rows. The validation loss is not weighted.

        Returns
        -------
        self; `history` has the mean over each epoch of "loss" and its terms, and of "val_..."

        Raises
        ------
        ValueError, TypeError : an argument does not fit; says which one, and what would fit
        FloatingPointError : the loss is no longer a number; says in which epoch and batch
        """
        from miniae.training import fit

        return fit(
            self, X, y, epochs=epochs, batch_size=batch_size, optimizer=optimizer,
            validation_data=validation_data, validation_split=validation_split,
            early_stopping=early_stopping, shuffle=shuffle, callback=callback,
            checkpoint=checkpoint, checkpoint_every=checkpoint_every, workers=workers,
            verbose=verbose, side=side,
        )  # fmt: skip

    def fit_transform(self, X, y=None, **options):
        """Fit to X and return its codes; y is ignored, so that a Pipeline may pass labels."""
        return self.fit(X, **options).encode(X)

    def start_epoch(self, epoch):
        """Do what an epoch, counted from 0, needs. `fit` calls it; so does a loop of your own."""

    def encode(self, X):
        """Return the codes of X, shape (n, latent_dim)."""
        return self.map_rows(self.infer, X)

    def decode(self, Z):
        """Return the data, in data space, that belong to codes Z.

        ``decoder(Z)`` is what the loss takes: logits, for a Bernoulli loss. This is their sigmoid.

        Z (n, latent_dim) -> (n, *input_shape); Z may have more axes before the last, such as
        several draws for each sample, and then the data have them too.
        """
        Z = as_array(Z, "Z")
        rows = Z.reshape(-1, Z.shape[-1]) if Z.ndim > 2 else Z

        def means(z):
            return self.reconstruction_loss.expected(self.decoder.forward(z))

        X = self.map_rows(means, rows, "Z", shape=(self.latent_dim,))
        return X.reshape(*Z.shape[:-1], *X.shape[1:])

    def reconstruct(self, X):
        """Return decode(encode(X)), of the shape of X."""
        return self.decode(self.encode(X))

    # The same under the names of scikit-learn and Keras.

    def transform(self, X, **side):
        """Return encode(X), as scikit-learn calls it. Before `fit`, the weights are random."""
        return self.encode(X, **side)

    def inverse_transform(self, Z, **side):
        """Return decode(Z), as scikit-learn calls it."""
        return self.decode(Z, **side)

    def predict(self, X, **side):
        """Return reconstruct(X), as Keras calls it."""
        return self.reconstruct(X, **side)

    def __call__(self, X, **side):
        return self.reconstruct(X, **side)

    def evaluate(self, X, y=None, *, verbose=0, return_dict=False, **side):
        """Return the mean loss over X, or with return_dict all its terms, in evaluation mode."""
        means = self.mean_terms(check_data(self, X, y, side))
        if verbose:
            print(as_text(means))
        return means if return_dict else means["loss"]

    def mean_terms(self, data):
        """Return the loss and its terms in evaluation mode, means over checked data, a dict."""
        rng, means = np.random.default_rng(EVALUATION_SEED), batches.RunningMean()
        step = max(1, rows_at_once(data["x"], batches.ROWS) // self.n_draws)
        own = view(self)  # `terms` of this call only
        for start in range(0, len(data["x"]), step):
            rows = slice(start, start + step)
            own.loss(**select_rows(data, rows), rng=rng)
            means.add(own.terms, len(data["x"][rows]))
        self.cache, self.terms = None, own.terms
        return means.values()

    def score(self, X, y=None, **side):
        """Return minus the mean loss over X: higher is better, as in scikit-learn. y is ignored.

        The loss is the model's own, with its beta or penalty: it ranks models that share those.
        """
        return -self.evaluate(X, **side)

    # Features, each in the file that it names.

    def anomaly_score(self, X):
        """Return how strange each sample is, (n,): see `miniae.anomaly.anomaly_score`."""
        from miniae.anomaly import anomaly_score

        return anomaly_score(self, X)

    def impute(self, X, *, steps=300, n_draws=None, start=0.0, seed=0):
        """Return X with a number for each NaN: see `miniae.missing.impute`."""
        from miniae.missing import impute

        return impute(self, X, steps=steps, n_draws=n_draws, start=start, seed=seed)

    def interpolate(self, a, b, steps=10, path="line"):
        """Return what lies between two samples: see `miniae.latent.interpolate`."""
        from miniae.latent import interpolate

        return interpolate(self, a, b, steps, path)

    def summary(self, print_fn=print):
        """Print a line per layer, with shape and parameters: see `miniae.inspection.summary`."""
        from miniae.inspection import summary

        return summary(self, print_fn)

    def trace(self, x, target=None, *, backward=True, **options):
        """Return what each layer does to a batch: see `miniae.inspection.trace`."""
        from miniae.inspection import trace

        return trace(self, x, target, backward=backward, **options)

    def save(self, path):
        """Write the model to a file, whole or not at all: see `miniae.plumbing.storage.save`."""
        from miniae.plumbing.storage import save

        return save(self, path)

    @classmethod
    def load(cls, path, **given):
        """Return the model in a file: see `miniae.plumbing.storage.load`."""
        from miniae.plumbing.storage import load

        return load(cls, path, **given)
