"""Checkpoints: a run of `fit` in a file, so that the same call in a new process continues it.

The file is like one of `save` (`load` reads it), and also holds the rest of the run: the vectors of
the optimiser, the state of the random generator, the best epoch so far.
"""

import json
import os
import zlib

import numpy as np

from miniae.plumbing import archives, storage
from miniae.plumbing.checks import is_whole
from miniae.plumbing.estimator import argument_names

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


def adjusted(model, optimizer):
    """Return the numbers that a callback may have set: of the optimiser, and of the model."""
    own = {name: value for name, value in vars(optimizer).items() if name not in CHANGES}
    live = [name for name in argument_names(type(model)) if name not in model.arguments]
    now = {name: getattr(model, name, None) for name in live}
    return [{k: v for k, v in each.items() if isinstance(v, (int, float))} for each in (own, now)]


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
        if not is_whole(every, 1):
            raise ValueError(f"checkpoint_every={every!r} must be an integer above 0")
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
        self.last = None  # stamp of the file as this run left it

    def stamp(self):
        """Return what identifies this version of the file; None if there is no file."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

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
        try:
            arrays = archives.read(self.path)
            header = json.loads(str(arrays["header"]))
            state = json.loads(str(arrays["run"])) if "run" in arrays else None
            names = state["moments"] if state else ()
            moments = {name: arrays[f"optimizer.{name}"] for name in names}
            history = header["history"]
            done = len(history.get("loss", ()))
        except Exception as error:  # a damaged file can fail in any way
            raise ValueError(f"{refused} cannot be read: {error}") from error
        if not state:
            raise ValueError(f"{refused} holds a model, but no run: use load, or another file")
        before = state["facts"]["epochs before"]
        if before != self.run.first:
            raise ValueError(
                f"{refused} began with a model of {before} epochs, but this model has been "
                f"trained for {self.run.first}: to continue the run, build the model again and "
                "call fit as before"
            )
        for name in {**state["facts"], **self.facts}:
            there, here = state["facts"].get(name), self.facts.get(name)
            if there != here:
                raise ValueError(
                    f"{refused} is of another run: {name} is {there!r} there and {here!r} here; "
                    "give another file, or delete this one if you no longer need that run"
                )
        if done > end:
            raise ValueError(f"{refused} has reached epoch {done}, beyond the {end} of this call")
        model, optimizer, run = self.model, self.optimizer, self.run
        now, best = (storage.learned_in(arrays, prefix) for prefix in ("", "best_"))
        try:
            for state_then in (now, best) if best else (now,):
                storage.check_learned(model, state_then)
        except ValueError as error:
            raise ValueError(f"{refused} cannot be read: {error}") from None
        storage.restore(model, now)
        model.history = history
        model.rng.bit_generator.state = state["rng"]
        for owner, values in zip((optimizer, model), state["adjusted"], strict=True):
            for name, value in values.items():
                setattr(owner, name, value)
        optimizer.t, optimizer.state = state["t"], moments
        run.best_loss, run.best_epoch = state["best_loss"], state["best_epoch"]
        run.best, run.stopped = best or None, state["stopped"]

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
            "adjusted": adjusted(model, optimizer),
        }
        arrays = {f"optimizer.{name}": vector for name, vector in optimizer.state.items()}
        arrays |= {f"best_{name}": array for name, array in (run.best or {}).items()}
        arrays["run"] = np.array(json.dumps(state))
        archives.write(
            self.path, {**storage.model_arrays(model), **arrays}, f"{self.path}.{os.getpid()}.part"
        )
        self.last = self.stamp()
