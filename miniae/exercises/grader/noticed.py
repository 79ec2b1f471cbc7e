"""What a student's code does that an answer has no need of, noticed in the student's process."""

import importlib.util
import os
import sys

import numpy as np

import miniae

NOTES = 8  # of one check, at most


class Watched:
    """Notes of what the student's code does that an answer has no need of.

    An honest mistake is seen, and a copied answer too. Code that attacks this process can hide it.
    """

    def __init__(self, folder):
        self.on, self.notes, self.folder, self.path = False, [], folder, ""
        places = {sys.prefix, sys.base_prefix, folder, "/usr", "/lib", os.devnull, "/dev/urandom"}
        places |= {os.path.dirname(os.path.dirname(np.__file__)), os.path.dirname(miniae.__file__)}
        self.allowed = tuple(os.path.join(os.path.realpath(p), "") for p in places if p)
        self.searched = {os.path.realpath(place) for place in sys.path}  # by imports
        self.exercises = os.path.join(os.path.dirname(miniae.__file__), "exercises", "")

    def __call__(self, event, arguments):
        if self.on and len(self.notes) < NOTES:
            note = self.note(event, arguments)
            if note and note not in self.notes and (event == "import" or not self.imports()):
                self.notes.append(note)

    def own(self, path):
        """Take no note of the student's own file."""
        self.path = path
        self.searched.add(os.path.realpath(path))

    def imports(self):
        """Return whether the student's code imports a library now, which may do what it needs."""
        frame, inside = sys._getframe(2), False
        while frame and frame.f_code.co_filename != self.path:
            name = frame.f_code.co_filename
            if name.startswith(self.folder):
                return False
            inside |= name.startswith("<frozen importlib")
            frame = frame.f_back
        return inside

    def note(self, event, arguments):
        """Return a note on an event, or None."""
        if event == "import" and arguments[0].split(".")[0] == "miniae":
            return f"imports {arguments[0]}"
        if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            inside = os.path.join(path, "").startswith(self.allowed)
            outside = path.startswith(self.exercises) or not inside
            if outside and path not in self.searched:
                return f"opens {path}"
        if event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"):
            return "starts another process"
        if event in ("os.kill", "os.killpg"):
            return "sends a signal to a process"
        if event == "socket.connect":
            return "connects to a network"
        if event == "ctypes.dlopen" and arguments[0] is not None:
            return "loads a library of C code"
        return None


class Again:
    """Finds the modules of miniae that were loaded before, so that their import is noticed."""

    def __init__(self):
        self.loaded = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "miniae"}
        for name in self.loaded:
            del sys.modules[name]

    def find_spec(self, name, path=None, target=None):
        """Return how to load a module."""
        if name in self.loaded:
            return importlib.util.spec_from_loader(name, self)
        return None

    def create_module(self, spec):
        """Return the module."""
        return self.loaded[spec.name]

    def exec_module(self, module):
        """Do nothing: the module has been run."""
