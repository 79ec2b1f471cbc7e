"""What `fit` sends to its worker processes: the model and the optimiser, but not their vectors.

All that is sent passes `Parcel`, which refuses what a worker cannot import, and what must see the
whole batch.
"""

import io
import os
import sys
from multiprocessing import current_process
from multiprocessing.reduction import ForkingPickler
from types import FunctionType

import numpy as np

from miniae.optim import Optimizer
from miniae.parameters import Parameterized
from miniae.plumbing.views import view

TRUSTED = {*sys.stdlib_module_names, "miniae", "numpy"}
ONE = "use workers=1"


def reason(owner):
    """Return why an object needs the whole batch, as its class or a base of it says, or None."""
    for cls in type(owner).__mro__:
        said = vars(cls).get("needs_whole_batch")
        said = said.fget(owner) if isinstance(said, property) else said
        if said:
            return said
    return None


def check(model, optimizer):
    """Refuse a model whose batches cannot be divided, or an optimiser whose vectors cannot.

    Raises
    ------
    ValueError : says which part, and why
    """
    if current_process().daemon:
        raise ValueError(
            "workers: this process is itself a worker, of a Pool perhaps, and such a process "
            f"cannot start others; {ONE}"
        )
    parts = [model, *(part for _, part in model.walk()), *vars(model).values()]
    for part in parts:
        said = reason(part)
        if said:
            raise ValueError(
                f"workers: a worker sees only its share of a batch, but in {part} {said}; {ONE}"
            )
    cls = type(optimizer)
    own = ("step", "clip_scale", "sum_of_squares")
    if not isinstance(optimizer, Optimizer) or any(
        getattr(cls, name) is not getattr(Optimizer, name) for name in own
    ):
        raise ValueError(
            f"workers: each worker updates a slice of theta, but {optimizer!r} has a step of its "
            f"own: derive its class from Optimizer and write only `update`, or {ONE}"
        )
    strange = sorted(set(optimizer.state) - set(optimizer.moments))
    if strange:
        raise ValueError(f"workers: {optimizer!r} keeps {strange} besides its moments; {ONE}")


class Parcel(ForkingPickler):
    """Sends objects to a worker.

    Parameters
    ----------
    file : to write to
    vectors : arrays that are sent as zeros, since a worker has their values in shared memory

    Attributes
    ----------
    of_main : names of what is defined in the script, so that a worker must import it
    """

    def __init__(self, file, vectors):
        super().__init__(file)
        self.vectors, self.of_main = {id(array) for array in vectors}, []

    def reducer_override(self, thing):
        """Called for each object: return how to send it, or NotImplemented for the usual way."""
        if id(thing) in self.vectors:
            return np.zeros, (thing.shape, thing.dtype)
        is_code = isinstance(thing, (type, FunctionType))
        if is_code and str(thing.__module__).split(".")[0] not in TRUSTED:
            self.inspect(thing)
        return NotImplemented

    def inspect(self, thing):
        """Refuse a class or function that is not miniae's if it cannot be used by a worker."""
        name, own = f"{thing.__module__}.{thing.__qualname__}", vars(thing)
        if "<" in name:  # <lambda>, <locals>
            raise ValueError(
                f"workers: {name} is defined within a function or as a lambda, so that a worker "
                f"cannot import it: define it by class or def at the top of a file, or {ONE}"
            )
        is_rule = isinstance(thing, type) and issubclass(thing, Optimizer)
        if "needs_whole_batch" not in own and not is_rule:
            raise ValueError(
                f"workers: a worker sees only its share of a batch, and {name} does not say "
                "whether that is enough. If it treats each sample by itself (no mean or variance "
                "over the batch, no state that training changes but its parameters) and a loss is "
                f"a mean over samples, set {thing.__name__}.needs_whole_batch = None; else {ONE}"
            )
        if own.get("needs_whole_batch") and not isinstance(own["needs_whole_batch"], property):
            raise ValueError(f"workers: in {name} {own['needs_whole_batch']}; {ONE}")
        if thing.__module__ == "__main__":
            if not os.path.isfile(getattr(sys.modules["__main__"], "__file__", None) or ""):
                raise ValueError(
                    f"workers: {name} is defined in a notebook or at a prompt, where a worker "
                    f"cannot import it: write it to a file, such as my_layers.py, and import it "
                    f"with `from my_layers import {thing.__name__}`; or {ONE}"
                )
            self.of_main.append(name)


def pack(model, optimizer):
    """Return the bytes to send, and the names of what a worker must import from the script.

    The generator, the networks that the constructor was given, and the state of the optimiser stay
    here.

    Raises
    ------
    ValueError : something cannot be sent; says what to write
    """
    check(model, optimizer)
    parts = [part for _, part in model.walk()]
    vectors = [v for part in parts for v in (part.theta, part.dtheta)]
    vectors += [v for part in parts for group in (part.params, part.grads) for v in group.values()]
    model, optimizer = view(model), view(optimizer)
    kept = {k: v for k, v in model.arguments.items() if not isinstance(v, Parameterized)}
    vars(model).update(optimizer=None, rng=None, arguments=kept)
    vars(optimizer).update(lr=1.0, state={}, owner=None)
    file = io.BytesIO()
    parcel = Parcel(file, vectors)
    try:
        parcel.dump((model, optimizer))
    except ValueError:
        raise
    except Exception as error:  # whatever an object that cannot be sent raises
        raise ValueError(
            f"workers: the model cannot be sent to another process ({error}); {ONE}"
        ) from error
    return file.getvalue(), parcel.of_main
