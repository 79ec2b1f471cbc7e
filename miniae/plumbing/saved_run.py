"""Checks of what the file of a run holds, before any of it gets into a model.

A file may be damaged, or written by somebody else: nothing in it is trusted.
"""

import copy
import json
import math
from types import SimpleNamespace

import numpy as np

from miniae.plumbing import storage
from miniae.plumbing.checks import is_whole

KEYS = {
    "facts", "rng", "t", "moments", "best_loss", "best_epoch", "stopped", "adjusted",
}  # fmt: skip
MOST_STEPS = 2**53


def require(condition, what):
    """Raise ValueError(what) unless the condition holds."""
    if not condition:
        raise ValueError(what)


def understood(arrays, first):
    """Return what a file holds, of the right kinds, in a namespace; None if it holds no run.

    Parameters
    ----------
    arrays : dict, as `archives.read` returns it
    first : int, epochs of training before the run

    Raises
    ------
    ValueError, KeyError, ... : something is missing, or of the wrong kind
    """
    header = json.loads(str(arrays["header"]))
    if "run" not in arrays:
        return None
    state = json.loads(str(arrays["run"]))
    require(isinstance(state, dict) and set(state) == KEYS, f"its run must hold {sorted(KEYS)}")
    history, facts = storage.check_history(header["history"]), state["facts"]
    require(isinstance(facts, dict) and "epochs before" in facts, "its facts are not a dict")
    done, names = len(history.get("loss", ())), state["moments"]
    require(is_whole(state["t"], 0) and state["t"] < MOST_STEPS, f"its t is {state['t']!r}")
    require(isinstance(names, list) and len(set(map(str, names))) == len(names), "its moments")
    moments = {name: arrays[f"optimizer.{name}"] for name in names}
    kept = {name for name in arrays if name.startswith("optimizer.")}
    require(kept == {f"optimizer.{name}" for name in names}, "it has other vectors than moments")
    require(type(state["stopped"]) is bool, f"its stopped is {state['stopped']!r}")
    best, loss = storage.learned_in(arrays, "best_"), state["best_loss"]
    require(type(loss) in (int, float) and not math.isnan(loss), f"its best_loss is {loss!r}")
    require(done >= first, f"it has {done} epochs, but began with {first}")
    require(not best or facts.get("early_stopping"), "it has best weights, but no early stopping")
    fits = math.isfinite(loss) if best else loss == math.inf
    require(fits, f"its best_loss is {loss}, but it has {'' if best else 'no '}best weights")
    last = done if best else done + 1
    require(
        is_whole(state["best_epoch"], 0) and state["best_epoch"] < last,
        f"its best_epoch is {state['best_epoch']!r}, but the run has {done} epochs",
    )
    pairs = state["adjusted"]
    require(
        isinstance(pairs, list) and [type(p) for p in pairs] == [dict, dict],
        "its adjusted is not a pair of dicts",
    )
    for name, value in {**pairs[0], **pairs[1]}.items():
        require(type(value) in (bool, int, float), f"its adjusted {name} is {value!r}")
    return SimpleNamespace(
        **{**state, "moments": moments}, history=history, done=done, best=best,
        now=storage.learned_in(arrays),
    )  # fmt: skip


def check_fit(kept, model, optimizer, live):
    """Raise ValueError if what `understood` returned does not fit this model and optimiser.

    live : pair of sets, the attributes of optimizer and of model that may be set
    """
    for arrays in (kept.now, kept.best):
        if arrays:
            storage.check_learned(model, arrays)
    require(kept.now, "it has no theta")
    check_moments(kept, model.theta, optimizer)
    for owner, names, values in zip((optimizer, model), live, kept.adjusted, strict=True):
        strange = sorted(set(values) - names)
        require(not strange, f"{type(owner).__name__} has no numbers {strange} to set")
    changed = {k: v for k, v in kept.adjusted[1].items() if v != getattr(model, k)}
    if changed:
        type(model)(**{**model.get_params(), **changed})  # refuses what does not fit
    same_form(model.rng.bit_generator.state, kept.rng, "state of the random generator")
    generator = copy.deepcopy(model.rng.bit_generator)
    generator.state = kept.rng  # refuses an impossible state


def check_moments(kept, theta, optimizer):
    """Check the vectors of an optimiser against theta."""
    if kept.t:
        missing = sorted(set(optimizer.moments) - set(kept.moments))
        require(not missing, f"it lacks the optimiser's {missing}")
    for name, vector in kept.moments.items():
        if name in optimizer.moments:
            require(
                (vector.shape, vector.dtype) == (theta.shape, theta.dtype),
                f"its optimizer.{name} is of dtype {vector.dtype} and shape {vector.shape}, theta "
                f"is of dtype {theta.dtype} and shape {theta.shape}",
            )
        require(
            vector.dtype.kind in "biuf" and np.isfinite(vector).all(),
            f"its optimizer.{name} does not hold finite real numbers",
        )
        if name in optimizer.never_negative:
            require((vector >= 0).all(), f"its optimizer.{name} has a negative entry")


def same_form(mine, its, what):
    """Raise ValueError unless two states of a generator have the same keys and kinds of values."""
    if isinstance(mine, dict):
        require(isinstance(its, dict) and set(its) == set(mine), f"its {what} has other keys")
        for name, value in mine.items():
            same_form(value, its[name], f"{what}: {name}")
        if "pos" in mine:  # NumPy does not check this place in the list of numbers
            require(its["pos"] <= len(its["key"]), f"its {what}: pos is {its['pos']}")
    elif isinstance(mine, (list, tuple, np.ndarray)):
        require(isinstance(its, list) and len(its) == len(mine), f"its {what} has another length")
        require(all(is_whole(n, 0) for n in its), f"its {what} does not hold integers")
    elif isinstance(mine, str):
        require(its == mine, f"its {what} is {its!r}")
    else:
        require(is_whole(its, 0), f"its {what} is {its!r}")
