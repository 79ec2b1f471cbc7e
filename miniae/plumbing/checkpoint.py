"""Checkpoints: a run of `fit` in a file, so that the same call in a new process continues it.

The file is like one of `save` (`load` reads it), and also holds the rest of the run: the vectors of
the optimiser, the state of the random generator, the best epoch so far.
"""

import json
import os
import zlib

import numpy as np

from miniae.optim import Optimizer
from miniae.plumbing import archives, storage
from miniae.plumbing.checks import check_changeable
from miniae.plumbing.estimator import argument_names
from miniae.plumbing.saved_run import check_fit, understood

ROWS = 4096  # of the data at a time, when their checksum is taken
CHANGES = {"t", "state", "owner"}  # attributes of an optimiser that are no settings


def describe_data(data):
    """Return shape, dtype and a checksum of each array, as text; None for no data."""
    if data is None:
        return None
    return {name: f"{a.shape} {a.dtype} #{checksum(a):08x}" for name, a in data.items()}


def checksum(values):
    """Return the CRC-32 of all entries, taken ROWS rows at a time."""
    total = 0
    values = values if np.ndim(values) else np.atleast_1d(values)
    for start in range(0, len(values), ROWS):
        total = zlib.crc32(values[start : start + ROWS].tobytes(), total)
    return total


def changeable(model, optimizer):
    """Return the names of what a callback may set: of the optimiser, and of the model."""
    live = {name for name in argument_names(type(model)) if name not in model.arguments}
    return set(vars(optimizer)) - CHANGES, live


def adjusted(model, optimizer, live):
    """Return those of the named attributes that are numbers now: of the optimiser, of the model."""
    now = [
        {name: getattr(owner, name, None) for name in sorted(names)}
        for owner, names in zip((optimizer, model), live, strict=True)
    ]
    return [{k: v for k, v in plain(each).items() if isinstance(v, (int, float))} for each in now]


def adjust(model, optimizer, values):
    """Set what `adjusted` returned; refuse it, and change nothing, if it does not fit."""
    owners = (optimizer, model)
    before = [dict(vars(owner)) for owner in owners]
    try:
        for owner, each in zip(owners, values, strict=True):
            vars(owner).update(each)
        optimizer.check()
        check_changeable(model)
    except BaseException:
        for owner, each in zip(owners, before, strict=True):
            vars(owner).update(each)
        raise


def describe_optimizer(optimizer):
    """Return an optimiser's class and settings; a schedule is only named as such."""
    settings = {
        name: "a schedule" if callable(value) else value
        for name, value in sorted(vars(optimizer).items())
        if name not in CHANGES
    }
    return {"class": type(optimizer).__name__, **settings}


def plain(state):
    """Return the state of a random generator in a form for JSON: arrays become lists."""
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state


class Checkpoint:
    """The file of a run.

    Parameters
    ----------
    path : str or Path
    every : int, epochs between two writings
    model, optimizer : what is trained, and by what
    run : Run
    **settings : what else the run depends on, as JSON can hold it
    """

    def __init__(self, path, every, model, optimizer, run, **settings):
        if not isinstance(optimizer, Optimizer):
            raise ValueError(
                f"checkpoint={path!r} keeps the state of an optimiser, but what {optimizer!r} "
                "keeps is not known: derive its class from Optimizer, or leave out checkpoint"
            )
        self.path, self.every = os.path.realpath(path), every
        self.model, self.optimizer, self.run = model, optimizer, run
        header = storage.header(model)
        facts = {
            "class": header["class"],
            **{f"model's {name}": value for name, value in header["arguments"].items()},
            "parameters": header["shapes"],
            "random generator": type(model.rng.bit_generator).__name__,
            "epochs before": run.first,
            "optimizer": describe_optimizer(optimizer),
            **settings,
            "weights at the start": f"#{checksum(model.theta):08x}",
            "buffers at the start": describe_data(dict(model.named_buffers()) or None),
        }
        self.facts = json.loads(json.dumps(facts, default=repr))
        self.live = changeable(model, optimizer)
        self.last = None  # stamp of the file as this run left it

    def stamp(self):
        """Return what identifies the content of the file; None if there is no file."""
        try:
            return archives.checksums(self.path)
        except FileNotFoundError:
            return None
        except Exception:  # a damaged file can fail in any way
            return "cannot be read"

    def resume(self, end):
        """Put model, optimiser and run into the state in the file, if there is one.

        end : int, the epoch at which the call is to stop

        Raises
        ------
        ValueError : the file is damaged, is not a checkpoint, is of another run, or is beyond
            `end`; neither the file nor the model is changed
        """
        folder, refused = os.path.dirname(self.path) or ".", f"checkpoint={self.path!r}"
        if not os.path.isdir(folder):
            raise ValueError(f"{refused}: there is no folder {folder!r}")
        if not os.access(folder, os.W_OK):
            raise ValueError(f"{refused}: the folder {folder!r} is read-only")
        self.last = self.stamp()
        if self.last is None:
            return
        model, optimizer, run = self.model, self.optimizer, self.run
        with archives.reading(f"{refused} cannot be read"):
            kept = understood(archives.read(self.path, storage.is_known), run.first)
        if kept is None:
            raise ValueError(f"{refused} holds a model, but no run: use load, or another file")
        before = kept.facts["epochs before"]
        if before != run.first:
            raise ValueError(
                f"{refused} began with a model of {before} epochs, but this model has been "
                f"trained for {run.first}: to continue the run, build the model again and "
                "call fit as before"
            )
        for name in {**kept.facts, **self.facts}:
            there, here = kept.facts.get(name), self.facts.get(name)
            if there != here:
                raise ValueError(
                    f"{refused} is of another run: {name} is {there!r} there and {here!r} here; "
                    "give another file, or delete this one if you no longer need that run"
                )
        if kept.done > end:
            raise ValueError(
                f"{refused} has reached epoch {kept.done}, beyond the {end} of this call"
            )
        with archives.reading(f"{refused} cannot be read"):
            check_fit(kept, model, optimizer, self.live)
            adjust(model, optimizer, kept.adjusted)
        # From here on nothing can fail.
        storage.restore(model, kept.now)
        model.history = kept.history
        model.rng.bit_generator.state = kept.rng
        optimizer.t, optimizer.state = kept.t, kept.moments
        run.best_loss, run.best_epoch = kept.best_loss, kept.best_epoch
        run.best, run.stopped = kept.best or None, kept.stopped

    def write(self):
        """Write the file again.

        Raises
        ------
        RuntimeError : another process has written it; the model keeps its weights
        """
        model, optimizer, run = self.model, self.optimizer, self.run
        if self.stamp() not in (None, self.last):
            raise RuntimeError(
                f"checkpoint={self.path!r} was written by another process since this run began: "
                "is the same command running twice? Each run needs a file of its own"
            )
        state = {
            "facts": self.facts,
            "rng": plain(model.rng.bit_generator.state),
            "t": optimizer.t,
            "moments": list(optimizer.state),
            "best_loss": run.best_loss,
            "best_epoch": run.best_epoch,
            "stopped": run.stopped,
            "adjusted": adjusted(model, optimizer, self.live),
        }
        arrays = {f"optimizer.{name}": vector for name, vector in optimizer.state.items()}
        arrays |= {f"best_{name}": array for name, array in (run.best or {}).items()}
        arrays["run"] = np.array(json.dumps(state))
        archives.write(
            self.path, {**storage.model_arrays(model), **arrays}, f"{self.path}.{os.getpid()}.part"
        )
        self.last = self.stamp()
