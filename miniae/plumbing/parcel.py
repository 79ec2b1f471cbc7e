"""What `fit` sends to its worker processes: the model and the optimiser, but not their vectors.

All that is sent passes `Parcel`, which refuses what a worker cannot import, and what must see the
whole batch.
"""

import io
import os
import sys
from multiprocessing import current_process
from multiprocessing.reduction import ForkingPickler
from types import FunctionType, MethodType

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


def reasons(model):
    """Return (part, reason) of each part of a model that needs the whole batch, a list."""
    parts = {id(part): part for part in [*(p for _, p in model.walk()), *vars(model).values()]}
    return [(part, said) for part in parts.values() if (said := reason(part))]


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
    if found := reasons(model):
        part, said = found[0]
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


def is_trusted(thing):
    """Return whether a class or a function is of miniae, NumPy or Python itself."""
    return str(thing.__module__).split(".")[0] in TRUSTED


def check_method(method):
    """Refuse a method that an object has in place of its class's: a worker would use the latter."""
    owner, function = method.__self__, method.__func__
    if isinstance(owner, type):  # a class method
        return
    if getattr(type(owner), function.__name__, None) is not function:
        raise ValueError(
            f"workers: {function.__qualname__} was given to one object as its method, which a "
            f"worker cannot import: write a subclass of {type(owner).__name__} with it, or {ONE}"
        )


def check_bases(cls):
    """Refuse miniae's classes with methods that were changed: a worker would use the original."""
    bases = [base for base in getattr(cls, "__mro__", ()) if is_trusted(base)]
    for base in bases:
        for name, value in vars(base).items():
            is_method = isinstance(value, FunctionType) and not name.startswith("__")
            if is_method and not is_trusted(value):
                raise ValueError(
                    f"workers: {base.__name__}.{name} was replaced in this program, but a worker "
                    f"would use the original: write a subclass of {base.__name__} with it, or {ONE}"
                )


def check_rule(optimizer, sent):
    """Refuse a rule of one's own that needs the whole theta: it is tried on 16 numbers.

    sent : bytes, the optimiser as a worker gets it
    """
    if is_trusted(type(optimizer)):
        return
    try:
        whole, changed = tried(sent, [slice(16)])
        divided, _ = tried(sent, [slice(5), slice(5, 16)])
    except Exception as error:
        raise ValueError(
            f"workers: the update of {optimizer!r} failed on a slice of theta "
            f"({type(error).__name__}: {error}); {ONE}"
        ) from error
    if changed:
        raise ValueError(
            f"workers: the update of {optimizer!r} changes {changed}, which the workers do not "
            f"share: compute it from t, or keep it in vectors that `moments` names; or {ONE}"
        )
    if not (abs(whole - divided) < 1e-12).all():  # the numbers are about 1
        raise ValueError(
            f"workers: each worker updates a slice of theta, but the update of {optimizer!r} gives "
            f"another result for slices than for the whole vector; {ONE}"
        )


def tried(sent, slices):
    """Return 16 numbers after three steps on each slice, and which attributes the steps changed."""
    theta, dtheta = np.random.default_rng(0).standard_normal((2, 16))
    for here in slices:
        rule = ForkingPickler.loads(sent)
        vars(rule).update(t=0, state={}, lr=lambda t: 1e-3, clip_norm=None)
        before = attributes(rule)
        for _ in range(3):
            rule.step(theta[here], dtheta[here])
    after = attributes(rule)
    changed = {name for name in after if after[name] != before.get(name)}
    return theta, sorted(changed | set(rule.state) - set(rule.moments))


def attributes(rule):
    """Return the attributes of an optimiser that all workers must have in common, as bytes."""
    own = {name: value for name, value in vars(rule).items() if name not in ("t", "state", "lr")}
    return {name: bytes(ForkingPickler.dumps(value)) for name, value in own.items()}


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
        if isinstance(thing, MethodType):
            check_method(thing)
        elif isinstance(thing, (type, FunctionType)):
            if not is_trusted(thing):
                self.inspect(thing)
            check_bases(thing)
        return NotImplemented

    def inspect(self, thing):
        """Refuse a class or function that is not miniae's if it cannot be used by a worker."""
        name, own = f"{thing.__module__}.{thing.__qualname__}", vars(thing)
        if "<" in name:  # <lambda>, <locals>
            raise ValueError(
                f"workers: {name} is a lambda or is defined inside a function, so a worker cannot "
                f"import it: define it with class or def at the top level of a file, or {ONE}"
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
    check_rule(optimizer, ForkingPickler.dumps(optimizer))
    return file.getvalue(), parcel.of_main
