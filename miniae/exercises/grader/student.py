"""The process that runs a student's code. It knows no checks, no seeds and no right answers.

This file is run as a script, so that `miniae.exercises` is not imported. As `server` it loads NumPy
and miniae once, and forks a child for each check. As `once` it makes a single check, where there is
no fork. A child loads the student's file, and then calls what the grader asks for.
"""

import builtins
import contextlib
import faulthandler
import importlib.util
import inspect
import json
import linecache
import os
import select
import signal
import socket
import sys
import types
import weakref

HERE = sys.path.pop(0)  # the folder of this script, which must not hide other modules
import numpy as np  # noqa: E402

import miniae.layers  # noqa: E402

sys.path.insert(0, HERE)
import confine  # noqa: E402
import errors  # noqa: E402
import noticed  # noqa: E402
import stand_ins  # noqa: E402
import wire  # noqa: E402

sys.path.remove(HERE)

OPEN = "other folders were not hidden from this code, although they are in other checks"


class Objects:
    """How values that are not plain reach the grader, and come from it."""

    def __init__(self, answers):
        self.answers = answers  # answers a callback: function of its id and arguments
        self.kept = []  # what the grader has a handle of
        self.layers = {}  # by id: those of the callback that is running
        self.arrays = weakref.WeakValueDictionary()  # by number: those that are still kept

    def pack(self, value):
        """Return a dict for a value: what the grader sent, or a handle of it."""
        sent = getattr(value, "sent_as", None)
        if isinstance(value, miniae.layers.Layer) and sent is not None:
            return {"is": "layer", "id": sent, "state": stand_ins.get_state(value)}
        if isinstance(value, types.FunctionType) and sent is not None:
            return {"is": "function", "id": sent}
        if isinstance(value, np.random.Generator):
            return {"is": "generator", "state": value.bit_generator.state}
        if hasattr(value, "__array__") and not isinstance(value, type | np.ndarray):
            with contextlib.suppress(Exception):  # a tensor or a column of a table
                return {"is": "array", "value": np.asarray(np.asarray(value), np.float64)}
        self.kept.append(value)
        return {
            "is": "handle",
            "id": len(self.kept) - 1,
            "type": type(value).__name__,
            "class": isinstance(value, type),
            "parameters": parameters(value),
        }

    def unpack(self, value):
        """Return the object that the grader described."""
        kind = value["is"]
        if kind == "handle":
            return self.kept[value["id"]]
        if kind == "generator":
            return stand_ins.generator(value["state"])
        if kind == "function":
            return self.function(value["id"])
        if kind == "stand-in":
            answer = self.function(value["id"])
            cls = stand_ins.named(*value["names"])
            return cls(answer, value["theta"], value["dtheta"], value["shapes"])
        if "description" not in value:
            stand_ins.set_state(self.layers[value["id"]], value["state"])
            return self.layers[value["id"]]
        layer = stand_ins.build(value["description"], value["state"])
        vars(layer)["sent_as"] = value["id"]
        return layer

    def same(self, value, number):
        """Return a value of a call, with the arrays that the student's code has kept of it.

        They get their new contents in place, as if the caller were in this process.
        """
        if isinstance(number, list):
            items = [self.same(v, n) for v, n in zip(value, number, strict=True)]
            return items if isinstance(value, list) else tuple(items)
        if number is None:
            return value
        known = self.arrays.get(number)
        if known is None or (known.shape, known.dtype) != (value.shape, value.dtype):
            self.arrays[number] = value
            return value
        known.setflags(write=True)
        known[...] = value
        return known

    def function(self, id):
        """Return a function that the grader computes."""

        def computed_elsewhere(*arguments):
            return self.answers(id, arguments)

        computed_elsewhere.sent_as = id
        return computed_elsewhere


def parameters(value):
    """Return the names of a function's parameters; None if it has none that can be found."""
    try:
        return list(inspect.signature(value).parameters) if callable(value) else None
    except (TypeError, ValueError):
        return None


class Child:
    """Loads the student's file, and does what the grader asks for."""

    def __init__(self, channel, watched):
        self.channel, self.watched = channel, watched
        self.objects = Objects(self.call_back)
        self.path, self.names = "", {}

    def work(self):
        """Answer requests until the grader closes the channel."""
        while True:
            self.handle(self.channel.receive(self.objects))

    def handle(self, request):
        """Do what one request asks for."""
        self.watched.on = bool(self.names)
        try:
            answer = {"value": getattr(self, f"do_{request.pop('do')}")(**request)}
            answer["arguments"] = request.get("arguments")
            self.reply("value", answer)
        except wire.Broken:
            raise
        except BaseException as error:  # the student's code may also call sys.exit
            self.watched.on = False
            self.reply("error", {"problem": errors.problem(error, self.path)})

    def reply(self, kind, message):
        """Send an answer, and what was noticed until now."""
        self.watched.on = False
        message = {"is": kind, **message, "notes": self.watched.notes}
        self.channel.send(message, self.objects)

    def do_load(self, path, source):
        """Run the student's file as a module."""
        # Bytes, so that Python finds the encoding.
        source = source.tobytes()
        text = importlib.util.decode_source(source)
        linecache.cache[path] = len(text), None, text.splitlines(keepends=True), path
        module = sys.modules["answer"] = types.ModuleType("answer")  # for dataclasses
        module.__file__ = self.path = path
        self.names = module.__dict__
        self.watched.own(path)
        self.watched.on = True
        exec(compile(source, path, "exec"), self.names)

    def do_names(self):
        """Return the names that the file defines."""
        return [name for name in self.names if type(name) is str]

    def do_get(self, name):
        """Return what the file defines under a name."""
        return self.names[name]

    def do_set(self, values):
        """Define names in the file."""
        self.names.update(values)

    def do_attribute(self, thing, name):
        """Return an attribute of something of the student's."""
        return getattr(thing, name)

    def do_call(self, function, arguments, numbers):
        """Call a function of the student's; `numbers` says which arrays came before."""
        arguments[:] = self.objects.same(arguments, numbers)
        with np.errstate(all="raise", under="ignore"):
            return function(*arguments)

    def call_back(self, id, arguments):
        """Let the grader compute a function, and change the arguments as it did."""
        arguments = list(arguments)
        flat = [a for b in arguments for a in (b if isinstance(b, list) else [b])]
        layers = {vars(a).get("sent_as"): a for a in flat if isinstance(a, miniae.layers.Layer)}
        self.reply("callback", {"id": id, "arguments": arguments})
        self.objects.layers = layers
        answer = self.channel.receive(self.objects)
        while "do" in answer:  # the grader's function calls a function that it got
            self.handle(answer)
            self.objects.layers = layers
            answer = self.channel.receive(self.objects)
        if "error" in answer:
            self.watched.on = True
            raise known_error(answer["error"], answer["said"])
        for before, after in zip(arguments, answer["arguments"], strict=True):
            stand_ins.absorb(before, after)
        self.watched.on = True
        return answer["value"]


def known_error(name, said):
    """Return an error of one of Python's own classes."""
    found = getattr(builtins, name, RuntimeError)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        found = RuntimeError
    try:
        return found(said)
    except TypeError:
        return RuntimeError(said)


def run(channel, folder, seconds, notes=()):
    """Be the child of one check; `notes` says what the grader did not reach."""
    sys.dont_write_bytecode = True
    watched = noticed.Watched(folder)
    watched.notes.extend(notes)
    sys.addaudithook(watched)
    sys.meta_path.insert(0, noticed.Again())
    np.random.seed()  # noqa: NPY002, or all children of a server draw the same numbers
    faulthandler.dump_traceback_later(seconds, exit=True)  # prints the line
    with contextlib.suppress(wire.Broken):
        Child(channel, watched).work()


def once(job):
    """Check where there is no fork: standard input and output are the channel."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what is printed goes where errors go, to the file of the grader
    confine.limit(job["megabytes"])
    os.environ["HOME"] = os.environ["USERPROFILE"] = os.getcwd()  # for Matplotlib, on Windows too
    run(wire.Channel(reader, writer), job["folder"], job["seconds"])


def server(descriptor):
    """Fork a supervisor for each job that comes over a socket, until the socket is closed."""
    confine.hide()
    confine.adopt()
    needed = {sys.prefix, sys.base_prefix, os.path.dirname(np.__file__) + "/..", *sys.path[1:]}
    needed |= {os.path.dirname(miniae.__file__)}
    needed -= {os.path.dirname(os.path.dirname(miniae.__file__)), ""}
    needed = sorted({os.path.realpath(path) for path in needed if os.path.isdir(path)})
    tests = os.path.realpath(os.path.join(os.path.dirname(miniae.__file__), "..", "tests"))
    # pytest adds the folders of tests to sys.path, but students' code does not need them.
    needed = [path for path in needed if not f"{path}/".startswith(f"{tests}/")]
    job = {"processes": confine.PROCESSES, "needed": needed, "tests": tests}
    job["separates"] = confine.can_separate(needed, tests)
    users = [
        user
        for user in (confine.USERS, confine.NOBODY)
        if confine.may_read(user, [os.__file__, np.__file__, miniae.__file__], needed)
    ]
    if not users:
        job["processes"] = confine.threads_of(os.getuid()) + confine.MORE_PROCESSES
    control, supervisors = socket.socket(fileno=descriptor), set()
    count = os.getpid() * 1000  # so that two graders do not take the same users
    while True:
        ready, _, _ = select.select([control], [], [], 0.2)
        if ready:
            text, files, _, _ = socket.recv_fds(control, 1 << 16, 3)
            if not text:
                confine.end_children()
                return
            job["user"] = users[0] if users else None
            if job["user"] == confine.USERS:
                count = (count + 1) % 100_000_000
                job["user"] += count
            with contextlib.suppress(OSError):  # no process is free
                pid = os.fork()
                if pid == 0:
                    control.close()
                    supervise({**job, **json.loads(text)}, *files)
                supervisors.add(pid)
            for file in files:
                os.close(file)
        reap(supervisors)


def reap(supervisors):
    """Forget the supervisors that have ended; end what a killed one has left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            supervisors.discard(pid)
            if status:
                confine.end_children(supervisors)


def supervise(job, channel, printed, status):
    """Fork the child of one check, say how it ended, and leave no process of it behind."""
    status = socket.socket(fileno=status)
    confine.adopt()
    covered = confine.to_cover(job["path"], [*job["needed"], job["folder"]], job["tests"])
    whole = confine.separate(covered, job["needed"], job["folder"])
    job["notes"] = [] if whole or not job["separates"] else [OPEN]
    child = os.fork()
    if child == 0:
        status.close()
        begin(job, channel, printed)
        os._exit(0)
    os.close(channel), os.close(printed)
    end = None
    while end is None:
        ready, _, _ = select.select([status], [], [], 0.02)
        if ready:  # the grader has had enough
            confine.end(child)
        pid, code = os.waitpid(child, 0 if ready else os.WNOHANG)
        if pid:
            end = os.waitstatus_to_exitcode(code)
    confine.end(child)
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                confine.end_children()
    with contextlib.suppress(OSError):
        status.sendall(str(end).encode())
    os._exit(0)


def begin(job, channel, printed):
    """Become the child of one check, and run it."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)
    kept = os.dup2(channel, 3)
    os.closerange(4, 4096)
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["HOME"] = os.environ["TMPDIR"] = work = os.path.join(job["folder"], "work")
    try:
        os.makedirs(work, exist_ok=True)
        if job["user"]:
            for folder in (job["folder"], work):
                os.chown(folder, job["user"], job["user"])
            confine.become(job["user"])
        os.chdir(work)
        confine.limit(job["megabytes"], job["processes"])
        confine.give_up_privileges()
        confine.prctl(confine.PARENT_DIES, signal.SIGKILL)
        files = (os.fdopen(kept, mode, closefd=False) for mode in ("rb", "wb"))
        run(wire.Channel(*files), job["folder"], job["seconds"], job["notes"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        server(int(sys.argv[2]))
    else:
        once(json.loads(sys.argv[2]))
