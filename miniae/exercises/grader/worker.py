"""Check a student's functions: `examine` asks for their answers, and says what is wrong.

The functions may be in this process, as in a notebook, or in another one: then `names` is a
`remote.Remote`, and the checks and the right answers stay here.
"""

import ast
import contextlib
import re
import sys
import types
import unicodedata
from collections import UserDict
from pathlib import Path

import numpy as np

from miniae.exercises.catalogue import STUBS
from miniae.exercises.grader.errors import problem, sentence
from miniae.exercises.grader.remote import StudentError
from miniae.exercises.grader.wire import Broken
from miniae.exercises.questions import Wrong

LONGEST = 2000  # characters of a message
ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?")  # of terminals


def examine(exercise, names, student="", source=None, answers=None):
    """Yield (part, state, message, diagnosis) for each part; see `verdict`.

    While it runs, `names` has the library's functions in place of other parts that are not
    started. So a part that calls another part can be checked before the other is written.

    Parameters
    ----------
    exercise : Exercise
    names : mapping, what the student has defined, by name
    student : str, the student's id
    source : bytes, the student's file, if `names` is in another process
    answers : dict, gets a list of the arrays that the student's functions returned for each part
    """
    text = Texts(exercise, names, source)
    library = {
        name: function for name, function in exercise.library.items() if text.is_stub(name, names)
    }
    for part in exercise.parts:
        lent = {name: function for name, function in library.items() if name != part}
        theirs = {name: names[name] for name in lent}
        try:
            if lent:
                names.update(lent)
            yield part, *verdict(exercise, part, names, student, text, answers)
        finally:
            if lent:
                names.update(theirs)


def verdict(exercise, part, names, student, text=None, answers=None):
    """Return the state of one part, the message, and the id of the diagnosis.

    The state is "done", "not started", "wrong" or "error".
    """
    text = text or Texts(exercise, names)
    ask = exercise.ask(names, part, student)
    try:
        with np.errstate(all="warn", under="ignore"):  # whatever the student's file has set
            exercise.parts[part](ask)
    except Wrong as wrong:
        return "wrong", clean(str(wrong)), wrong.diagnosis
    except (Broken, KeyboardInterrupt):
        raise
    except BaseException as error:  # the student's code may also call sys.exit
        called_with = getattr(error, "called_with", "")
        what = error.problem if isinstance(error, StudentError) else problem(error, text.path)
        if not is_open(what, exercise):
            kind = "memory" if "MemoryError" in what["bases"] else "error"
            return "error", clean(sentence(what, called_with)), f"{exercise.id}.{kind}"
        message = left_over(what, exercise, part, text)
        if not message:
            return "not started", "", ""
        return "wrong", clean(message), f"{exercise.id}.still_open"
    finally:
        if answers is not None:
            answers[part] = ask.answers
    return "done", "", ""


def is_open(what, exercise):
    """Return whether an error is the one that the stub raises."""
    return "NotImplementedError" in what["bases"] and what["said"].startswith(f"{exercise.id}:")


def left_over(what, exercise, part, text):
    """Return why a changed part still raises the stub's error; "" if the part is unchanged."""
    if what["function"] in exercise.parts and what["function"] != part:
        return f"it calls {what['function']}, which is not started"
    if text.known and text.of(part) != definition(text.stub, part):
        return f"line {what['last']} still raises NotImplementedError: delete this line"
    return ""


class Texts:
    """The text of a student's file and of the stub.

    Parameters
    ----------
    exercise : Exercise
    names : mapping, what the file defines
    source : bytes, the text; None to read the file that `names` names, if there is one
    """

    def __init__(self, exercise, names, source=None):
        self.stub = (STUBS / exercise.file).read_bytes()
        here = isinstance(names, dict | UserDict)
        self.path = names.get("__file__") if here else None
        if source is None and here:
            with contextlib.suppress(OSError, TypeError):
                source = Path(self.path).read_bytes()
        self.known = source is not None
        self.source = source

    def of(self, name):
        """Return the definition of a name in the student's file."""
        return definition(self.source, name)

    def is_stub(self, name, names):
        """Return whether the student has left a function as it is in the stub.

        Its definition is compared, and a docstring that says so does not count.
        """
        if self.known:
            return self.of(name) == definition(self.stub, name)
        code = getattr(names.get(name), "__code__", None)  # in a notebook
        own = next(
            c
            for c in compile(self.stub, "stub", "exec").co_consts
            if isinstance(c, types.CodeType) and c.co_name == name
        )
        return code is not None and all(
            getattr(code, key) == getattr(own, key) for key in ("co_code", "co_names", "co_consts")
        )


def definition(source, name):
    """Return what a file defines under a name, or all definitions if the name is not there.

    Comments, spaces and docstrings are ignored.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = [node for node in body if name in bound_by(node)]
    return [outline(node) for node in found or body if found or hasattr(node, "name")]


def bound_by(node):
    """Return the names that a statement defines: def, class, assignment, import."""
    if hasattr(node, "name"):
        return [node.name]
    names = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.append(inner.id)
        elif isinstance(inner, ast.alias):
            names.append(inner.asname or inner.name)
        elif isinstance(inner, ast.FunctionDef | ast.ClassDef):
            names.append(inner.name)
    return names


def outline(node):
    """Return a definition as text, without its docstrings."""
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant) and len(body) > 1:
                inner.body = body[1:]
    return ast.dump(node)


def load(path, source=None):
    """Run a file as a module in this process, and return the names that it defines.

    Parameters
    ----------
    path : str or Path
    source : bytes, its text; None to read the file
    """
    module = sys.modules["answer"] = types.ModuleType("answer")  # dataclasses need a real module
    module.__file__ = str(path)
    # Bytes, so that Python finds the encoding.
    source = Path(path).read_bytes() if source is None else source
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module.__dict__


def clean(text):
    """Return a message of one line and bounded length, without codes that a terminal obeys."""
    text = ESCAPES.sub("", text[: 4 * LONGEST])
    text = "".join(visible(character) for character in " ".join(text.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def visible(character):
    """Return a character, or its number if it controls the terminal or the order of the text."""
    if character.isprintable() or character in "\n\t":
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs"):
        return character.encode("unicode_escape").decode()
    return character
