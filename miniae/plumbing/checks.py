"""Checks of a model's arguments and networks, and the error for numbers that overflow."""

import itertools
import math

import numpy as np

from miniae.layers import Dropout, Reshape, Sequential, Sigmoid
from miniae.losses import LOSSES, BernoulliNLL, Loss, MultinomialNLL, SquaredError
from miniae.plumbing.layer_checks import is_whole
from miniae.plumbing.names import choose

LARGEST_SAMPLE = 2**24  # numbers; a Dense layer of 128 units has 2**31 weights then


def whole(value, name, least=1):
    """Return an integer; raise ValueError if it is not one, or is below `least`."""
    if not is_whole(value, least):
        raise ValueError(f"{name}={value!r} must be an integer above {least - 1}")
    return value


def is_number(value):
    """Return whether a value is one real number: not text, complex, a boolean or an array."""
    array = np.asarray(value)
    return array.dtype.kind in "iuf" and not array.ndim


def not_negative(value, name):
    """Return a number; raise ValueError if it is not one, is infinite, or is below 0."""
    if not is_number(value) or not 0 <= value < np.inf:
        raise ValueError(f"{name}={value!r} must be a finite number, 0 or more")
    return value


def check_arguments(model, loss, code_size):
    """Refuse arguments of a model that do not fit, before anything is built.

    Raises
    ------
    ValueError, TypeError : names the argument and its value
    """
    check_sizes(model, code_size)
    dropout, activation = model.dropout, model.activation
    if not is_number(dropout) or not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout!r} must be a number in [0, 1)")
    if not isinstance(activation, str):
        raise ValueError(
            f'activation={activation!r} must be one name, such as "relu", for all hidden layers; '
            "for different ones build the encoder and the decoder, each a Sequential"
        )
    try:
        is_known = np.dtype(model.dtype) in (np.float32, np.float64) and model.dtype is not None
    except TypeError:  # not the name of a dtype
        is_known = False
    if not is_known:
        raise ValueError(f"dtype={model.dtype} must be float32 or float64")
    try:
        np.random.default_rng(model.seed)
    except (TypeError, ValueError):
        raise ValueError(f"seed={model.seed!r} must be an integer, 0 or more, or None") from None
    argument = model.loss_argument
    if isinstance(loss, type):
        raise ValueError(f"{argument}={loss.__name__} is a class: write {loss.__name__}()")
    if not isinstance(loss, Loss):
        choose(LOSSES, loss, argument)
    networks = model.arguments["encoder"], model.arguments["decoder"]
    for name, network in zip(("encoder", "decoder"), networks, strict=True):
        if not isinstance(network, (Sequential, type(None))):
            raise TypeError(f"{name} must be a Sequential, got {network!r}")
    if None not in networks:
        check_apart(*networks)
        if dropout:
            raise ValueError(
                f"dropout={dropout} has no effect with an encoder and a decoder of your own: put "
                "Dropout layers into them"
            )


def check_sizes(model, code_size):
    """Refuse sizes that are not integers above 0, and the shape of a whole data set."""
    hidden, shape = model.hidden, model.input_shape
    if is_whole(hidden, 1):
        raise ValueError(f"hidden={hidden} must be a tuple of sizes: hidden=({hidden},)")
    if isinstance(hidden, str) or np.ndim(hidden) != 1:
        raise ValueError(f"hidden={hidden!r} must be a tuple of sizes, such as (128,)")
    if np.ndim(model.input_dim) > 1:
        raise ValueError(
            f"input_dim is an array of shape {np.shape(model.input_dim)}, but must be a number of "
            "features or the shape of an image: for a data set X, X.shape[1] or X.shape[1:]"
        )
    whole(model.latent_dim, "latent_dim")
    whole(code_size, "code_size")
    for name, sizes in (("input_dim", shape), ("hidden", hidden)):
        if not all(is_whole(size, 1) for size in sizes):
            raise ValueError(f"{name}={getattr(model, name)!r}: all sizes must be integers above 0")
    if not shape:
        raise ValueError("input_dim=() has no sizes: it is a number of features, or an image shape")
    own = model.arguments["encoder"] is not None and model.arguments["decoder"] is not None
    if len(shape) > 1 and math.prod(shape) > LARGEST_SAMPLE and not own:
        raise ValueError(
            f"input_dim={shape} is one sample of {math.prod(shape):,} numbers: if it is the shape "
            "of a data set X, give that of a sample, X.shape[1:]"
        )


def check_apart(encoder, decoder):
    """Refuse an encoder and a decoder that share a layer."""
    for (_, one), (name, other) in itertools.product(encoder.walk(), list(decoder.walk())):
        if one is other:
            what = "are one object" if one is encoder else f"share a layer, decoder.{name} {one}"
            raise ValueError(
                f"encoder and decoder {what}: a layer has one set of weights, and remembers its "
                "last forward pass only; make two, or use copy.deepcopy"
            )


def check_vae(model):
    """Refuse settings of a VAE that do not fit, and a loss that is not a likelihood."""
    loss = model.reconstruction_loss.base
    if isinstance(loss, SquaredError):
        raise ValueError(
            "likelihood: a squared error is not a likelihood: added to the KL, it fixes a sigma "
            "that "
            'nobody chose; use "gaussian", or GaussianNLL(0.5**0.5) for the same gradients'
        )
    if not loss.is_likelihood:
        raise ValueError(
            f"likelihood: {loss} is not a likelihood, the -log of a density, so it has no scale to "
            'compare with the KL; for long tails use "laplace", which learns its scale'
        )
    for name in ("beta", "kl_warmup", "free_bits"):
        not_negative(getattr(model, name), name)
    check_prior(model)


def check_prior(model):
    """Refuse a prior that the model cannot use, or of another number of latents."""
    prior = model.prior
    methods = ["nll", "nll_grad", "draw", "kl", "kl_grad"]
    missing = [name for name in methods if not hasattr(prior, name)]
    if isinstance(prior, type) or missing:
        raise ValueError(
            f"prior={prior!r} must be an object such as GaussianPrior(mean, std) of miniae.priors; "
            f"it lacks {', '.join(missing) or 'its arguments: it is a class'}"
        )
    if hasattr(prior, "theta"):
        raise ValueError(
            f"prior={prior!r} has parameters, but a prior is not trained: a decoder that starts "
            "with Dense learns mean and scale of z by itself"
        )
    z = np.zeros((1, model.latent_dim), model.theta.dtype)
    try:
        shapes = {"nll": prior.nll(z).shape, "nll_grad": prior.nll_grad(z).shape}
        expected = {"nll": (1,), "nll_grad": z.shape}
        if "beta" in model.get_params():  # it weighs a KL
            shapes["kl"], expected["kl"] = prior.kl(z, z).shape, z.shape
    except ValueError as error:
        raise ValueError(f"prior={prior!r} with latent_dim={model.latent_dim}: {error}") from error
    if shapes != expected:
        raise ValueError(
            f"prior={prior!r} does not fit latent_dim={model.latent_dim}: for z of shape {z.shape} "
            f"it returns {shapes}, expected {expected}"
        )


def check_changeable(model):
    """Refuse what can be changed after a model was built, where it no longer fits.

    Raises
    ------
    ValueError, TypeError : names the setting and its value
    """
    if hasattr(model, "beta"):
        check_vae(model)
    corruption, penalty = (getattr(model, name, None) for name in ("corruption", "penalty"))
    if corruption is not None and not callable(corruption):
        raise ValueError(f"corruption={corruption!r} must be a function of (x, rng), or None")
    if penalty is not None and not (hasattr(penalty, "forward") and hasattr(penalty, "backward")):
        raise ValueError(f"penalty={penalty!r} must have the methods forward and backward")
    dropouts = [part for _, part in model.walk() if isinstance(part, Dropout)]
    for part in (corruption, penalty, *dropouts):
        if type(part).__module__.startswith("miniae.") and hasattr(part, "config"):
            type(part)(**{name: getattr(part, name) for name in part.config})  # its own checks


def steps(network):
    """Yield the layers of a network in order, those of a Frozen too, which are not its parts."""
    if isinstance(network, Sequential):
        for layer in network.layers:
            yield from steps(layer)
    else:
        yield from (part for _, part in network.walk())


def last_step(network):
    """Return the last layer of a network that computes something: no Reshape, no Dropout."""
    found = [layer for layer in steps(network) if not isinstance(layer, (Reshape, Dropout))]
    return found[-1] if found else network


def check_networks(model, code_size):
    """Refuse networks that do not fit the shapes or the loss; one row of zeros passes through."""
    for name, network, n_in, n_out in (
        ("encoder", model.encoder, model.input_shape, (code_size,)),
        ("decoder", model.decoder, (model.latent_dim,), model.input_shape),
    ):
        out = network.forward(np.zeros((1, *n_in), model.theta.dtype))
        if out.shape[1:] != n_out:
            raise ValueError(
                f"{name} maps samples of shape {n_in} to {out.shape[1:]}, but this "
                f"{type(model).__name__} needs {n_out} (latent_dim={model.latent_dim})"
                + output_hint(name, out.shape[1:], n_out)
            )
    last, loss = last_step(model.decoder), model.reconstruction_loss.base
    if isinstance(loss, (BernoulliNLL, MultinomialNLL)) and isinstance(last, Sigmoid):
        raise ValueError(
            f"decoder ends in Sigmoid, but {loss} takes logits and turns them into probabilities "
            "itself, which is exact where log(sigmoid) overflows: leave the Sigmoid out"
        )


def output_hint(name, given, wanted):
    """Return which layer turns a network's output into the shape wanted, or ""."""
    if name == "encoder" and len(given) > 1:
        n = math.prod(given)
        return f": end the encoder in Flatten(), Dense({n}, {wanted[0]}), since codes are vectors"
    if name == "decoder" and math.prod(given) == math.prod(wanted):
        return f": end the decoder in Reshape({', '.join(str(n) for n in wanted)})"
    return ""


def diverged(model, what):
    """Return the FloatingPointError to raise when a model's numbers are no longer finite."""
    lost = [name for name, value, _ in model.named_params() if not np.isfinite(value).all()]
    where = f"First parameter that is not finite: {lost[0]}. " if lost else ""
    return FloatingPointError(
        f"{what}. {where}Likely the learning rate is too high, or the data are far from unit scale"
    )
