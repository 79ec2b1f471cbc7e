"""A student's file in another process, as the grader sees it: names, functions and objects.

The grader keeps the checks and the right answers. The other process gets the arguments of a call,
and sends back what the student's function returned, and its arguments as they are after the call.
"""

import inspect
import itertools
import weakref

import numpy as np

from miniae.exercises.grader import stand_ins
from miniae.exercises.grader.wire import Broken, Refused
from miniae.layers import Layer


class StudentError(Exception):
    """The student's code raised an error; `problem` describes it, see `errors.problem`."""

    def __init__(self, problem):
        super().__init__(problem["said"])
        self.problem = problem


class Handle:
    """Something that stays in the student's process: a function, a class or an object.

    It can be called, and has the attributes that it has there.
    """

    def __init__(self, remote, id, parameters, is_class):
        self._remote, self._id, self._parameters = remote, id, parameters
        self._is_class = is_class

    @property
    def __class__(self):  # for isinstance(theirs, type)
        return type if self._is_class else type(self)

    @property
    def __signature__(self):
        named = [name for name in self._parameters or () if str(name).isidentifier()]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in dict.fromkeys(named)])

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._remote.request("attribute", thing=self, name=name)["value"]
        except StudentError as error:
            if "AttributeError" in error.problem["bases"]:
                raise AttributeError(name) from None
            raise

    def __call__(self, *arguments):
        """Call it there; arrays, lists, layers and generators are changed as the call did."""
        arguments = list(arguments)
        numbers = [self._remote.objects.number(value) for value in arguments]
        answer = self._remote.request("call", function=self, arguments=arguments, numbers=numbers)
        after = answer["arguments"]
        if not isinstance(after, list) or len(after) != len(arguments):
            raise Broken("the arguments did not come back")
        for before, now in zip(arguments, after, strict=True):
            try:
                stand_ins.absorb(before, now)
            except (ValueError, TypeError, KeyError):
                raise Broken("an argument came back as something else") from None
        return answer["value"]


class Objects:
    """How values that are not plain reach the student's process, and come from it."""

    def __init__(self, remote):
        self.remote, self.functions, self.layers = remote, [], {}
        self.arrays, self.count = weakref.WeakValueDictionary(), 0  # by number: those sent

    def number(self, value):
        """Return the number of an array, the same in each call; for a list a list of numbers.

        By it the student's process knows an array again that its code has kept.
        """
        if isinstance(value, list | tuple):
            return [self.number(item) for item in value]
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
            return None  # what is sent as something else
        for number, array in self.arrays.items():
            if array is value:
                return number
        self.count += 1
        self.arrays[self.count] = value
        return self.count

    def keep(self, function):
        """Return the number of a function that the student's process may call."""
        self.functions.append(function)
        return len(self.functions) - 1

    def pack(self, value):
        """Return a dict for a value."""
        if isinstance(value, Handle):
            return {"is": "handle", "id": value._id}
        if isinstance(value, np.random.Generator):
            return {"is": "generator", "state": value.bit_generator.state}
        if isinstance(value, stand_ins.StandIn):
            names = [type(value).__name__, type(value).__module__]
            id = self.keep(value.answer)
            return {"is": "stand-in", "id": id, "names": names, **value.vectors()}
        if isinstance(value, Layer):
            return self.pack_layer(value)
        if callable(value):
            return {"is": "function", "id": self.keep(value)}
        raise Refused(f"a {type(value).__name__} cannot be sent")

    def pack_layer(self, layer):
        """Return a dict for a layer: how to build it again, or its state if it is there already."""
        known = next((id for id, one in self.layers.items() if one is layer), None)
        if known is not None:
            return {"is": "layer", "id": known, "state": stand_ins.get_state(layer)}
        description = stand_ins.describe(layer)
        if description is None:  # a class that the library does not have
            return self.pack(stand_ins.stand_in_of(layer))
        self.layers[len(self.layers)] = layer
        return {
            "is": "layer",
            "id": len(self.layers) - 1,
            "description": description,
            "state": stand_ins.get_state(layer, whole=True),
        }

    def unpack(self, value):
        """Return an object that the student's process described."""
        kind = value["is"]
        if kind == "array":
            return value["value"]
        if kind == "generator":
            return stand_ins.generator(value["state"])
        if kind == "function":
            return self.functions[value["id"]]
        if kind == "layer":
            layer = self.layers[value["id"]]
            stand_ins.set_state(layer, value["state"])
            return layer
        if kind == "handle":
            name = value["type"] if str(value["type"]).isidentifier() else "object"
            cls = type(name[:40], (Handle,), {})
            return cls(self.remote, int(value["id"]), value["parameters"], value["class"] is True)
        raise ValueError(kind)


class Remote:
    """A mapping for `examine`: the names that a student's file defines, in another process.

    Parameters
    ----------
    channel : wire.Channel
    """

    def __init__(self, channel):
        self.channel, self.objects = channel, Objects(self)
        self.notes, self.filled = [], range(0)

    def load(self, path, source):
        """Run the student's file; raise StudentError if it stops."""
        self.request("load", path=str(path), source=np.frombuffer(source, np.uint8))

    def __contains__(self, name):
        return name in self.request("names")["value"]

    def __getitem__(self, name):
        return self.request("get", name=name)["value"]

    def get(self, name, default=None):
        """Return what the file defines under a name."""
        return self[name] if name in self else default

    def update(self, values):
        """Define names in the student's file; functions of an earlier `update` stop working."""
        for id in self.filled:  # the student's code may have kept one
            self.objects.functions[id] = taken_back
        begin = len(self.objects.functions)
        self.request("set", values=values)
        self.filled = range(begin, len(self.objects.functions))

    def request(self, do, **message):
        """Ask for something, and return the answer."""
        outer, self.objects.layers = self.objects.layers, {}  # each call gets new layers
        try:
            self.channel.send({"do": do, **message}, self.objects)
            return self.answer()
        finally:
            self.objects.layers = outer

    def answer(self):
        """Return the answer to a request; meanwhile compute what the student's code calls."""
        while True:
            answer = self.channel.receive(self.objects)
            try:
                self.take_notes(answer["notes"])
                kind = answer["is"]
                if kind == "callback":
                    function = self.objects.functions[answer["id"]]
                    arguments = list(answer["arguments"])
                elif kind == "error":
                    raise StudentError({**UNKNOWN, **answer["problem"]})
                elif kind == "value":
                    return {"value": answer["value"], "arguments": answer["arguments"]}
                else:
                    raise Broken("an answer of an unknown kind")
            except (KeyError, TypeError, ValueError, IndexError):
                raise Broken("an answer cannot be read") from None
            self.serve(function, arguments)

    def serve(self, function, arguments):
        """Compute a function for the student's process."""
        try:
            with np.errstate(all="raise", under="ignore"):
                answer = {"value": function(*arguments), "arguments": arguments}
            self.channel.send(answer, self.objects)
        except Broken:
            raise
        except Exception as error:
            theirs = isinstance(error, StudentError)
            name = error.problem["kind"] if theirs else type(error).__name__
            said = {"error": name, "said": str(error)[:2000]}
            self.channel.send(said, self.objects)

    def take_notes(self, notes):
        """Keep what the other process noticed."""
        for note in itertools.islice(notes, 16):
            if isinstance(note, str) and note[:300] not in self.notes and len(self.notes) < 16:
                self.notes.append(note[:300])


def taken_back(*_):
    """Replace a function of the library after the part that it was lent for."""
    raise RuntimeError("this part is checked now: the library does not stand in for it")


UNKNOWN = {"kind": "Error", "bases": [], "said": "", "text": "", "function": ""}
UNKNOWN |= {"line": None, "last": None}
