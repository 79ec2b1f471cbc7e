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
    if not isinstance(state, dict) or set(state) != KEYS:
        raise ValueError(f"its run must hold {sorted(KEYS)}")
    history, facts = storage.check_history(header["history"]), state["facts"]
    if not isinstance(facts, dict) or "epochs before" not in facts:
        raise ValueError("its facts are not a dict")
    done, names = len(history.get("loss", ())), state["moments"]
    if not is_whole(state["t"], 0) or state["t"] >= MOST_STEPS:
        raise ValueError(f"its t is {state['t']!r}")
    if not isinstance(names, list) or len(set(map(str, names))) != len(names):
        raise ValueError(f"its moments are {names!r:.60}, but must be a list of distinct names")
    moments = {name: arrays[f"optimizer.{name}"] for name in names}
    kept = {name for name in arrays if name.startswith("optimizer.")}
    if kept != {f"optimizer.{name}" for name in names}:
        raise ValueError("it has other vectors than moments")
    if type(state["stopped"]) is not bool:
        raise ValueError(f"its stopped is {state['stopped']!r}")
    best, loss = storage.learned_in(arrays, "best_"), state["best_loss"]
    if type(loss) not in (int, float) or math.isnan(loss):
        raise ValueError(f"its best_loss is {loss!r}")
    if done < first:
        raise ValueError(f"it has {done} epochs, but began with {first}")
    if best and not facts.get("early_stopping"):
        raise ValueError("it has best weights, but no early stopping")
    if not (math.isfinite(loss) if best else loss == math.inf):
        raise ValueError(f"its best_loss is {loss}, but it has {'' if best else 'no '}best weights")
    last = done if best else done + 1
    if not is_whole(state["best_epoch"], 0) or state["best_epoch"] >= last:
        raise ValueError(
            f"its best_epoch is {state['best_epoch']!r}, but the run has {done} epochs"
        )
    pairs = state["adjusted"]
    if not isinstance(pairs, list) or [type(p) for p in pairs] != [dict, dict]:
        raise ValueError("its adjusted is not a pair of dicts")
    for name, value in {**pairs[0], **pairs[1]}.items():
        if type(value) not in (bool, int, float):
            raise ValueError(f"its adjusted {name} is {value!r}")
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
    if not kept.now:
        raise ValueError("it has no theta")
    check_moments(kept, model.theta, optimizer)
    for owner, names, values in zip((optimizer, model), live, kept.adjusted, strict=True):
        strange = sorted(set(values) - names)
        if strange:
            raise ValueError(f"{type(owner).__name__} has no numbers {strange} to set")
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
        if missing:
            raise ValueError(f"it lacks the optimiser's {missing}")
    for name, vector in kept.moments.items():
        is_own = name in optimizer.moments
        if is_own and (vector.shape, vector.dtype) != (theta.shape, theta.dtype):
            raise ValueError(
                f"its optimizer.{name} is of dtype {vector.dtype} and shape {vector.shape}, theta "
                f"is of dtype {theta.dtype} and shape {theta.shape}"
            )
        if vector.dtype.kind not in "biuf" or not np.isfinite(vector).all():
            raise ValueError(f"its optimizer.{name} does not hold finite real numbers")
        if name in optimizer.never_negative and (vector < 0).any():
            raise ValueError(f"its optimizer.{name} has a negative entry")


def same_form(mine, its, what):
    """Raise ValueError unless two states of a generator have the same keys and kinds of values."""
    if isinstance(mine, dict):
        if not isinstance(its, dict) or set(its) != set(mine):
            raise ValueError(f"its {what} has other keys")
        for name, value in mine.items():
            same_form(value, its[name], f"{what}: {name}")
        # NumPy does not check this place in the list of numbers
        if "pos" in mine and its["pos"] > len(its["key"]):
            raise ValueError(f"its {what}: pos is {its['pos']}")
    elif isinstance(mine, (list, tuple, np.ndarray)):
        if not isinstance(its, list) or len(its) != len(mine):
            raise ValueError(f"its {what} has another length")
        if not all(is_whole(n, 0) for n in its):
            raise ValueError(f"its {what} does not hold integers")
    elif isinstance(mine, str):
        if its != mine:
            raise ValueError(f"its {what} is {its!r}")
    elif not is_whole(its, 0):
        raise ValueError(f"its {what} is {its!r}")
