"""Which optimiser `fit` uses: an object, or a specification from which it makes one."""

import copy
import inspect
from dataclasses import dataclass

import numpy as np

from miniae.optim import SGD, Adam, Optimizer

OPTIMIZERS = {"adam": Adam, "sgd": lambda: SGD(lr=0.01)}


@dataclass(eq=False)
class Owner:
    """Whose averages an optimiser holds: its attribute `owner`.

    Attributes
    ----------
    theta : the vector that it updates; not the model, since set_params replaces a model's weights
    source : the optimiser that it is a copy of, or None
    as_given : a copy from before its first step, if it is not an Optimizer
    """

    theta: np.ndarray
    source: object = None
    as_given: object = None


def choose_optimizer(model, optimizer):
    """Return the optimiser that `fit` uses for a model.

    An object that serves another model, or served this one before `set_params` replaced its
    weights, is a specification: the model gets a copy of it without averages. So one object can be
    given to `GridSearchCV`.

    Raises
    ------
    ValueError : it is not an optimiser; says what would be one
    """
    if optimizer is None:
        chosen = Adam() if model.optimizer is None else model.optimizer
    elif isinstance(optimizer, str) and optimizer in OPTIMIZERS:
        chosen = OPTIMIZERS[optimizer]()
    else:
        chosen = made_by(optimizer)
    check_step(chosen, optimizer)
    owner = getattr(chosen, "owner", None)
    if chosen is model.optimizer and owner is not None:
        return chosen
    if owner is not None and owner.theta is not model.theta:
        return copy_for(model, chosen)
    own(model, chosen)
    return chosen


def made_by(optimizer):
    """Return what a class or function makes, or raise ValueError; return an object as it is."""
    is_factory = callable(optimizer) and not hasattr(optimizer, "step")
    if not isinstance(optimizer, type) and not is_factory:
        return optimizer
    try:
        return optimizer()
    except TypeError as error:
        name = getattr(optimizer, "__name__", optimizer)
        raise ValueError(
            f"optimizer={name} cannot be called without arguments ({error}): give an object, such "
            f"as {name}(0.01), or a function without arguments that returns one"
        ) from error


def check_step(chosen, given):
    """Refuse what has no step(theta, dtheta)."""
    step = getattr(chosen, "step", None)
    fits = callable(step)
    if fits and not isinstance(chosen, Optimizer):
        try:
            inspect.signature(step).bind("theta", "dtheta")
        except TypeError:
            fits = False
        except ValueError:  # a function in C, which does not say what it takes
            fits = True
    if not fits:
        raise ValueError(
            f"optimizer={given!r} must be one of {sorted(OPTIMIZERS)}, an object like Adam() with "
            "step(theta, dtheta), or a class or a function that makes one"
        )


def own(model, optimizer, source=None):
    """Note whose averages an optimiser holds from now on; raise ValueError if it has __slots__."""
    as_given = None if isinstance(optimizer, Optimizer) else copy.deepcopy(optimizer)
    try:
        optimizer.owner = Owner(model.theta, source, as_given)
    except AttributeError:
        raise ValueError(
            f"optimizer={optimizer!r} must take the attribute `owner`: leave out __slots__, or "
            "give a class or a function that makes such objects"
        ) from None


def copy_for(model, optimizer):
    """Return a copy of an optimiser for a model; it goes on from the model's last such copy.

    Its settings are those that the optimiser has now.
    """
    last, owner = model.optimizer, getattr(optimizer, "owner", None)
    goes_on = getattr(last, "owner", None) is not None and last.owner.source is optimizer
    if not isinstance(optimizer, Optimizer):
        if goes_on:
            return last
        fresh = copy.deepcopy(optimizer if owner is None else owner.as_given)
    else:
        fresh = copy.copy(optimizer)
        fresh.owner, fresh.t, fresh.state = None, 0, {}
        fresh = copy.deepcopy(fresh)
        if goes_on:
            fresh.t, fresh.state = last.t, last.state
    own(model, fresh, source=optimizer)
    return fresh


@dataclass
class Player:
    """What `copy_for` needs to know of a network that has no optimiser of its own."""

    theta: np.ndarray
    optimizer: object


def optimizers_of(networks, optimizer, last):
    """Return a dict of an optimiser for each player: see `Adversarial.fit`.

    networks : dict by player of the networks
    last : dict by player of those that were used before, or {}; each goes on if it is given again,
        or if what it is a copy of is given again

    Raises
    ------
    ValueError : a name that is not a player; something that is not an optimiser
    """
    given = optimizer if isinstance(optimizer, dict) else dict.fromkeys(networks, optimizer)
    unknown = sorted(set(given) - set(networks), key=str)
    if unknown:
        raise ValueError(f"optimizer has the keys {unknown}; the players are {list(networks)}")
    chosen = {}
    for player, network in networks.items():
        each = given.get(player)
        if each is None:
            chosen[player] = last.get(player) or Adam(betas=(0.5, 0.999))
            continue
        is_name = isinstance(each, str) and each in OPTIMIZERS
        made = OPTIMIZERS[each]() if is_name else made_by(each)
        check_step(made, each)
        used = last.get(player)
        chosen[player] = used if made is used else copy_for(Player(network.theta, used), made)
    return chosen
