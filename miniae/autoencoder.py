"""Autoencoder: squeeze the data through a narrow code, and learn to undo the squeeze."""

import copy

from miniae.model import Model
from miniae.networks import ACTIVATIONS
from miniae.plumbing.checks import last_step
from miniae.plumbing.names import choose


class Autoencoder(Model):
    """A deterministic autoencoder: code = encoder(x), out = decoder(code), loss(out, x).

    Parameters
    ----------
    input_dim : int, or the shape of an image
        Images of that shape go in and come out as they are.
    latent_dim : int, size of the code
    hidden : tuple of int
        Widths of the encoder's hidden layers; the decoder mirrors them. () makes it linear.
    activation : "relu", "tanh", "sigmoid", "softplus", "leaky_relu", "elu" or "gelu"
        Of the hidden layers.
    code_activation : the same, or "linear", of the code
    loss : "bce", "mse" or "gaussian", or a Loss
        "bce" for data in [0, 1]: decoder(z) returns logits, and decode(z) and decoder.predict(z)
        return their sigmoid, the pixels.
    corruption : GaussianNoise, MaskingNoise, SaltAndPepper, or a function of (x, rng) that
        returns a damaged copy of x
        Applied to the input in training only; the target stays clean. Vincent et al. (2008).
    penalty : L1Penalty, KLSparsity, or an object with forward(code) -> scalar and
        backward() -> dcode (copied). Added to the loss.
    dropout : float in [0, 1), after each hidden activation
    encoder, decoder : Sequential, in place of the networks that `hidden` describes (copied)
    dtype : "float32" or "float64"
    seed : int, of the initial weights, the shuffling and the noise

    Examples
    --------
    >>> model = Autoencoder(784, 32).fit(X, epochs=10)
    >>> codes, X_again = model.encode(X), model.reconstruct(X)
    """

    def __init__(
        self,
        input_dim,
        latent_dim=32,
        hidden=(128,),
        *,
        activation="relu",
        code_activation="linear",
        loss="bce",
        corruption=None,
        penalty=None,
        dropout=0.0,
        encoder=None,
        decoder=None,
        dtype="float32",
        seed=0,
    ):
        if corruption is not None and (not callable(corruption) or isinstance(corruption, type)):
            raise ValueError(
                f"corruption={corruption!r} must be an object such as GaussianNoise(0.5)"
            )
        if penalty is not None and (not hasattr(penalty, "forward") or isinstance(penalty, type)):
            raise ValueError(f"penalty={penalty!r} must be an object such as L1Penalty(0.1)")
        if encoder is not None and code_activation != "linear":
            raise ValueError(
                f"code_activation={code_activation!r} has no effect with an encoder of your own: "
                "end it in that activation"
            )
        self.code_activation, self.corruption = code_activation, corruption
        self._penalty = copy.deepcopy(penalty)
        super().__init__(
            input_dim, latent_dim, hidden, loss=loss, code_size=latent_dim, activation=activation,
            dropout=dropout, encoder=encoder, decoder=decoder, dtype=dtype, seed=seed,
        )  # fmt: skip
        self.arguments |= {"code_activation": code_activation, "penalty": penalty}
        if hasattr(penalty, "check"):
            penalty.check(last_step(self.encoder))

    @property
    def penalty(self):
        """The penalty, or None; a copy of the one given, since a penalty stores data of a batch."""
        return self._penalty

    @penalty.setter
    def penalty(self, value):
        self.arguments["penalty"] = self._penalty = value

    def build(self, code_size, *options):
        """As Model.build, and the code's activation."""
        encoder, decoder = super().build(code_size, *options)
        if self.code_activation != "linear":
            encoder.append(
                choose(ACTIVATIONS, self.code_activation, "code_activation", ["linear"])()
            )
        return encoder, decoder

    def loss(self, x, target=None, *, eps=None, rng=None, training=False):
        """Return the reconstruction loss of a batch (plus the penalty, if any), a scalar.

        Parameters
        ----------
        x, target : (n, *input_shape); the target is x by default
        eps : ignored, since there is no latent noise
        rng : Generator for corruption and dropout; the model's own by default
        training : bool, whether to corrupt and to drop out
        """
        x, target, rng = self.prepare(x, target, rng, training)
        if training and self.corruption is not None:
            x = self.corruption(x.copy(), rng).astype(x.dtype, copy=False)

        # encode, decode
        code = self.infer(x, training)
        out = self.decoder.forward(code, training)

        # the loss
        reconstruction = self.reconstruction_loss.forward(out, target)
        loss = reconstruction
        terms = {"reconstruction": reconstruction}
        if self.penalty is not None:
            terms["penalty"] = self.penalty.forward(code)
            loss = reconstruction + terms["penalty"]
        self.cache = code
        return self.record(loss, **terms)

    def backward(self):
        """Fill dtheta. The code changes the loss through the decoder and through the penalty."""
        self.cached()  # refuses a backward without a loss
        dcode = self.decoder.backward(self.reconstruction_loss.backward())
        if self.penalty is not None:
            dcode = dcode + self.penalty.backward()
        self.encoder.backward_params(dcode)
