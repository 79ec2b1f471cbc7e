"""Run a student's file and check it: `examine` in any process, `main` in a separate one.

`main` writes a line of JSON as soon as a part is checked. So the results are not lost if a later
part never ends.
"""

import ast
import contextlib
import faulthandler
import json
import sys
import traceback
import types
from pathlib import Path

from miniae.exercises.catalogue import STUBS, find
from miniae.exercises.questions import Wrong


def examine(exercise, names, student=""):
    """Yield (part, state, message, diagnosis) for each part; see `verdict`.

    While it runs, `names` has the library's functions in place of those that are not started. So
    a part that calls another part can be checked before the other is written.
    """
    theirs, text = dict(names), f"{exercise.id}: not started yet"
    filled = {
        name: function
        for name, function in exercise.library.items()
        if text in getattr(getattr(theirs.get(name), "__code__", None), "co_consts", ())
    }
    names.update(filled)
    try:
        for part in exercise.parts:
            yield part, *verdict(exercise, part, theirs, student)
    finally:
        names.update({name: theirs[name] for name in filled})


def verdict(exercise, part, names, student):
    """Return the state of one part, the message, and the id of the diagnosis.

    The state is "done", "not started", "wrong" or "error".
    """
    try:
        exercise.parts[part](exercise.ask(names, part, student))
    except Wrong as wrong:
        return "wrong", str(wrong), wrong.diagnosis
    except BaseException as error:  # the student's code may also call sys.exit
        path = names.get("__file__")
        if not is_open(error, exercise):
            return "error", stopped(error, path), f"{exercise.id}.error"
        message = left_over(error, exercise, part, path)
        return (
            ("wrong", message, f"{exercise.id}.still_open") if message else ("not started", "", "")
        )
    return "done", "", ""


def is_open(error, exercise):
    """Return whether an error is the one that the stub raises."""
    return isinstance(error, NotImplementedError) and str(error).startswith(f"{exercise.id}:")


def left_over(error, exercise, part, path):
    """Return why a changed part still raises the stub's error; "" if the part is unchanged."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if frame.name in exercise.parts and frame.name != part:
        return f"it calls {frame.name}, which is not started"
    if path and definition(path, part) != definition(STUBS / exercise.file, part):
        return f"line {frame.lineno} still raises NotImplementedError: delete this line"
    return ""


def definition(path, name):
    """Return the definition of a name in a file, or all definitions if the name is not there.

    Comments and spaces are ignored.
    """
    nodes = [node for node in ast.parse(Path(path).read_bytes()).body if hasattr(node, "name")]
    return [ast.dump(n) for n in nodes if n.name == name] or [ast.dump(n) for n in nodes]


def load(path):
    """Run a file as a module, and return the names that it defines."""
    module = sys.modules["answer"] = types.ModuleType("answer")  # dataclasses need a real module
    module.__file__ = str(path)
    # Bytes, so that Python finds the encoding. It is the student's own code, in its own process.
    exec(compile(Path(path).read_bytes(), str(path), "exec"), module.__dict__)
    return module.__dict__


def stopped(error, path):
    """Return a sentence: which error stopped the student's code, and in which line."""
    if isinstance(error, SyntaxError) and error.filename == path:
        line, text = error.lineno, (error.text or "").strip()
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
        line, text = (frames[-1].lineno, frames[-1].line) if frames else (None, "")
    where = ""
    if line:
        where = f"line {line}: "
    if text:
        where += f"`{text}`: "
    if isinstance(error, SystemExit):
        return f"{where}it ends Python (sys.exit or quit): remove this, so that the check can go on"
    if isinstance(error, MemoryError):
        return f"{where}it needs more memory than is allowed: is an array far too large?"
    if isinstance(error, FloatingPointError):
        if text and "where(" in text:
            return (
                f"{where}{error} (this must not happen for any input; np.where runs both branches)"
            )
        return f"{where}{error} (this must not happen for any input)"
    said = f"{where}{type(error).__name__}: {error}"
    if hasattr(error, "called_with"):
        said += f"; {error.called_with}"
    return said


def limit_memory(megabytes):
    """Limit the memory of this process, where the system can do it.

    Windows has no such limit, and macOS ignores it.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def main(argv):
    """Check one file: [file, id, student, file for the result, seconds, megabytes]."""
    path, id, student, result, seconds, megabytes = argv
    exercise = find(id)
    sys.dont_write_bytecode = True
    limit_memory(int(megabytes))
    with open(result, "w", encoding="utf-8") as out:

        def say(*row):
            out.write(json.dumps(row) + "\n")
            out.flush()

        faulthandler.dump_traceback_later(float(seconds), exit=True)  # prints the line
        try:
            names = load(path)
        except BaseException as error:
            names = vars(sys.modules["answer"])
            tree = ast.parse((STUBS / exercise.file).read_bytes())
            asked = {node.name for node in tree.body if hasattr(node, "name")}
            # The file may call a function that is not started: check the others all the same.
            if not (is_open(error, exercise) and asked <= names.keys()):
                say("the file", "error", stopped(error, path), "")
                return
        for row in examine(exercise, names, student):
            say(*row)
        say("end", "", "", "")
