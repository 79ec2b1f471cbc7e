"""Run a student's file and check it: ``examine`` in any process, ``main`` in one of its own.

`main` writes a line of JSON per part as soon as it knows it, so that what was found is not lost if
a later part never ends.
"""

import builtins
import contextlib
import faulthandler
import json
import sys
import traceback

from miniae.exercises.catalogue import find
from miniae.exercises.questions import NotStarted, Wrong


def examine(exercise, names, student=""):
    """Yield (part, state, message) for each part: "done", "not started", "wrong" or "error"."""
    for part, check in exercise.parts.items():
        try:
            check(exercise.ask(names, part, student))
            yield part, "done", ""
        except NotStarted:
            yield part, "not started", ""
        except Wrong as wrong:
            yield part, "wrong", str(wrong)
        except BaseException as error:  # also sys.exit: whatever the student's code does
            yield part, "error", stopped(error, names.get("__file__"))


def load(path):
    """Return the names that a file defines, run under a name that is not "__main__"."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    names = {"__name__": "answer", "__file__": str(path), "__builtins__": builtins}
    exec(compile(source, str(path), "exec"), names)  # the student's own code, in its own process
    return names


def stopped(error, path):
    """Return how the student's code stopped, in words: what, and in which line of it."""
    if isinstance(error, SyntaxError) and error.filename == path:
        line, text = error.lineno, (error.text or "").strip()
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        line, text = (frames[-1].lineno, frames[-1].line) if frames else (None, "")
    where = f"line {line}: " if line else ""
    where += f"`{text}`: " if text else ""
    if isinstance(error, SystemExit):
        return f"{where}it ends Python (sys.exit or quit): remove that, a check cannot go on"
    if isinstance(error, MemoryError):
        return f"{where}it asks for more memory than it may have: is an array far too large?"
    if isinstance(error, FloatingPointError):
        return f"{where}{error} (it must not happen for any input; np.where runs both branches)"
    called = getattr(error, "called_with", "")
    return f"{where}{type(error).__name__}: {error}" + (f"; {called}" if called else "")


def limit_memory(megabytes):
    """Let this process have so much memory more; where the system cannot, do nothing."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def main(argv):
    """Check one file: [file, id, student, file for the result, seconds, megabytes]."""
    path, id, student, result, seconds, megabytes = argv
    exercise, sys.dont_write_bytecode = find(id), True
    limit_memory(int(megabytes))
    with open(result, "w", encoding="utf-8") as out:

        def say(*row):
            out.write(json.dumps(row) + "\n")
            out.flush()

        faulthandler.dump_traceback_later(float(seconds), exit=True)  # tells where it hangs
        try:
            names = load(path)
        except BaseException as error:
            say("the file", "error", stopped(error, path))
            return
        for row in examine(exercise, names, student):
            say(*row)
        say("end", "", "")
