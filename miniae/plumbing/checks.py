"""Checks of a model's arguments and networks, and the error for numbers that overflow."""

import numpy as np

from miniae.layers import Dropout, Reshape, Sequential, Sigmoid
from miniae.losses import LOSSES, BernoulliNLL, Loss, MultinomialNLL, SquaredError
from miniae.plumbing.names import choose


def is_whole(value, least):
    """Return whether a value is an integer and at least `least`."""
    return isinstance(value, (int, np.integer)) and value >= least


def check_arguments(model, loss, code_size):
    """Refuse arguments of a model that do not fit, before anything is built.

    Raises
    ------
    ValueError, TypeError : names the argument and its value
    """
    hidden, dropout = model.hidden, model.dropout
    if np.ndim(hidden) != 1:
        raise ValueError(f"hidden={hidden!r} must be a tuple of sizes, such as (128,)")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout!r} must be in [0, 1)")
    sizes = (*model.input_shape, *hidden, code_size)
    if not model.input_shape or not all(is_whole(size, 1) for size in sizes):
        raise ValueError(
            f"input_dim={model.input_dim!r}, hidden={hidden!r}, latent_dim={model.latent_dim!r}: "
            "all sizes must be integers above 0"
        )
    if model.dtype is None or np.dtype(model.dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype={model.dtype} must be float32 or float64")
    argument = model.loss_argument
    if isinstance(loss, type):
        raise ValueError(f"{argument}={loss.__name__} is a class: write {loss.__name__}()")
    if not isinstance(loss, Loss):
        choose(LOSSES, loss, argument)
    networks = model.arguments["encoder"], model.arguments["decoder"]
    for name, network in zip(("encoder", "decoder"), networks, strict=True):
        if not isinstance(network, (Sequential, type(None))):
            raise TypeError(f"{name} must be a Sequential, got {network!r}")
    if None not in networks and dropout:
        raise ValueError(
            f"dropout={dropout} has no effect with an encoder and a decoder of your own: put "
            "Dropout layers into them"
        )


def check_vae(model):
    """Refuse settings of a VAE that do not fit, and a loss that is not a likelihood."""
    if isinstance(model.reconstruction_loss.base, SquaredError):
        raise ValueError(
            "likelihood: a squared error is not a likelihood: added to the KL, it fixes a sigma "
            "that "
            'nobody chose; use "gaussian", or GaussianNLL(0.5**0.5) for the same gradients'
        )
    if not 0 <= model.beta < np.inf:
        raise ValueError(f"beta={model.beta!r} must be a finite number, 0 or more")
    if not model.kl_warmup >= 0:
        raise ValueError(f"kl_warmup={model.kl_warmup!r} epochs must be 0 or more")
    if not 0 <= model.free_bits < np.inf:
        raise ValueError(f"free_bits={model.free_bits!r} nats must be 0 or more")


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
            )
    last, loss = last_step(model.decoder), model.reconstruction_loss.base
    if isinstance(loss, (BernoulliNLL, MultinomialNLL)) and isinstance(last, Sigmoid):
        raise ValueError(
            f"decoder ends in Sigmoid, but {loss} takes logits and turns them into probabilities "
            "itself, which is exact where log(sigmoid) overflows: leave the Sigmoid out"
        )


def diverged(model, what):
    """Return the FloatingPointError to raise when a model's numbers are no longer finite."""
    lost = [name for name, value, _ in model.named_params() if not np.isfinite(value).all()]
    where = f"First parameter that is not finite: {lost[0]}. " if lost else ""
    return FloatingPointError(
        f"{what}. {where}Likely the learning rate is too high, or the data are far from unit scale"
    )
