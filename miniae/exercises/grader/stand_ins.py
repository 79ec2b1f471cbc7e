"""Layers on their way between the grader and the process that runs a student's code.

A network of the library is built again there, from its class, its arguments and its state. A layer
alone, such as one that a gradient check must judge, is replaced by a `StandIn`. The forward and
backward passes of a StandIn run in the grader, so that neither its class nor its code gives away
what it computes.
Both processes use this module.
"""

import time

import numpy as np

from miniae.layers import Layer, Sequential
from miniae.plumbing.storage import as_json, rebuild

PASSES, RECORDED = 2000, 1 << 15  # passes and their numbers that a recorded network keeps
MOST = 1 << 22  # numbers that the other process may say that it has recorded


class StandIn:
    """A layer whose passes run elsewhere; it has what an exercise needs of a layer.

    Parameters
    ----------
    answer : function of ("forward" or "backward", theta, x, dout), see `answering`
    theta, dtheta : arrays
    shapes : list of (name, shape) of the parameters, in the order of theta
    """

    def __init__(self, answer, theta, dtheta, shapes):
        self.answer, self._theta, self.dtheta = answer, theta, dtheta
        self._shapes, self._x = shapes, None

    def forward(self, x, training=False):
        """Return out, and keep x for `backward`."""
        self._x = np.array(x)
        return self.answer("forward", self._theta, self._x, None)

    __call__ = forward

    def backward(self, dout):
        """Fill dtheta, and return dx."""
        if self._x is None:
            raise RuntimeError("backward was called before forward")
        dx, self.dtheta[...] = self.answer("backward", self._theta, self._x, np.asarray(dout))
        return dx

    backward_params = backward

    def astype(self, dtype):
        """Return a copy with parameters of another dtype."""
        theta, dtheta = self._theta.astype(dtype), self.dtheta.astype(dtype)
        return type(self)(self.answer, theta, dtheta, self._shapes)

    @property
    def theta(self):
        """The parameters, one vector; assigning copies into it."""
        return self._theta

    @theta.setter
    def theta(self, value):
        if np.shape(value) != self._theta.shape:
            raise ValueError(f"theta has shape {self._theta.shape}, got {np.shape(value)}")
        self._theta[...] = value

    @property
    def params(self):
        """Views into theta, by name."""
        return self._views(self._theta)

    @property
    def grads(self):
        """Views into dtheta, by name."""
        return self._views(self.dtheta)

    def vectors(self):
        """Return what `StandIn` takes after `answer`, by name."""
        return {"theta": self._theta, "dtheta": self.dtheta, "shapes": self._shapes}

    def _views(self, vector):
        views, start = {}, 0
        for name, shape in self._shapes:
            size = int(np.prod(shape))
            views[name] = vector[start : start + size].reshape(shape)
            start += size
        return views

    def __repr__(self):
        return "Layer()"


def is_alone(value):
    """Return whether a value is a single layer, for which a StandIn is sent."""
    return isinstance(value, Layer) and not isinstance(value, Sequential)


def answering(layer):
    """Return the function that a StandIn of this layer calls. It keeps nothing between calls."""

    def answer(what, theta, x, dout):
        copied = layer.astype(theta.dtype)
        copied.theta = theta
        out = copied.forward(x)
        if what == "forward":
            return out
        return copied.backward(dout), copied.dtheta.copy()

    return answer


def stand_in_of(layer):
    """Return a StandIn of a layer, with copies of its vectors."""
    shapes = [[name, list(value.shape)] for name, value, _ in layer.named_params()]
    cls = named(type(layer).__name__, type(layer).__module__)
    return cls(answering(layer), layer.theta.copy(), layer.dtheta.copy(), shapes)


def named(name, module):
    """Return StandIn with the name of another class.

    Wrong layers of an exercise have the names of right ones, so a name gives nothing away, and code
    that judges by it is found.
    """
    return type(name, (StandIn,), {"__module__": module})


class Recorded:
    """A pass of a network that also writes into the network's `passes`: (time in ns, array).

    Parameters
    ----------
    network : Layer
    name : str, "forward" or "backward"
    kept : str, the array to keep: "argument", "result", or "" for an empty one
    """

    def __init__(self, network, name, kept):
        self.network, self.name, self.kept = network, name, kept

    def __call__(self, x, *rest, **named):
        out = getattr(type(self.network), self.name)(self.network, x, *rest, **named)
        passes, array = self.network.passes[self.name], {"argument": x, "result": out}
        if len(passes) < PASSES and sum(a.size for _, a in passes) < RECORDED:
            passes.append((time.perf_counter_ns(), np.array(array.get(self.kept, ()))))
        return out


def record(network, kept):
    """Let a network record its first passes, here and in the student's process.

    kept : "argument" or "result" of forward; of backward only the time is kept.
    """
    # In vars, not as a subclass: the class says how to build it again in the other process.
    both = {"forward": Recorded(network, "forward", kept)}
    both["backward"] = Recorded(network, "backward", "")
    passes = {"kept": kept, "forward": [], "backward": [], "shared": {"forward": 0, "backward": 0}}
    vars(network).update(passes=passes, **both)


def describe(layer):
    """Return how to build a layer of the library again; None if it cannot be built again."""
    description = as_json(layer)
    try:
        same = rebuild(description, "layer").theta.shape == layer.theta.shape
    except (ValueError, TypeError):
        return None  # a class of somebody else
    return description if same else None


def build(description, state):
    """Return the layer that `describe` described, with this state."""
    layer = rebuild(description, "layer").astype(state["theta"].dtype)
    if state["passes"] is not None:
        record(layer, state["passes"]["kept"])
    set_state(layer, state)
    return layer


def get_state(layer, whole=False):
    """Return the vectors of a layer, what its parts keep for backward, and its passes.

    Of the passes only those are sent that the other process does not have yet, or all if `whole`.
    """
    caches = [[p.cache if is_plain(p.cache) else None, p.out_shape] for _, p in layer.walk()]
    passes, new = vars(layer).get("passes"), None
    if passes is not None:
        new = {"kept": passes["kept"]}
        for name, start in passes["shared"].items():
            start = 0 if whole else start
            new[name] = [start, passes[name][start:]]
            passes["shared"][name] = len(passes[name])
    return {"theta": layer.theta, "dtheta": layer.dtheta, "caches": caches, "passes": new}


def set_state(layer, state):
    """Give a layer the state of another."""
    layer.theta = state["theta"]
    layer.dtheta[...] = state["dtheta"]
    for (_, part), (cache, shape) in zip(layer.walk(), state["caches"], strict=True):
        vars(part).update(cache=cache, out_shape=shape)
    if "passes" in vars(layer):
        for name in layer.passes["shared"]:
            start, new = state["passes"][name]
            passes = layer.passes[name][: int(start)]
            passes += [(int(at), np.asarray(array, float)) for at, array in new]
            if len(passes) > PASSES or sum(array.size for _, array in passes) > MOST:
                raise ValueError("too many passes")
            layer.passes[name], layer.passes["shared"][name] = passes, len(passes)


def is_plain(value):
    """Return whether a value has arrays, numbers and None only."""
    if isinstance(value, tuple | list):
        return all(is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | np.ndarray | np.generic)


def absorb(before, after):
    """Change an argument to what a function on the other side made of it."""
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        if before.shape != after.shape:
            before.resize(after.shape, refcheck=False)
        before[...] = after
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            before[:] = after
        for i, (b, a) in enumerate(zip(before, after, strict=True)):
            if isinstance(b, np.ndarray | list):
                absorb(b, a)
            else:
                before[i] = a
    elif isinstance(before, np.random.Generator) and isinstance(after, np.random.Generator):
        before.bit_generator.state = after.bit_generator.state


def generator(state):
    """Return a Generator with this state."""
    rng = np.random.Generator(np.random.PCG64())
    rng.bit_generator.state = state
    return rng
