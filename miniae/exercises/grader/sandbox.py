"""Check a student's file in a separate process, with limits on time, memory and output.

The student's code runs in the other process, and only its answers come here: arrays and numbers.
The checks, the seeds and the right answers stay in this process. docs/14_teachers_guide.md says
under Safety what the limits are and what remains possible.
"""

import ast
import errno
import math
import os
import re
import signal
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from miniae.exercises.grader.errors import sentence, too_long
from miniae.exercises.grader.here import Here, Stopped
from miniae.exercises.grader.processes import LEAST_MEMORY, PRINTED, STOP, Process, available
from miniae.exercises.grader.remote import StudentError
from miniae.exercises.grader.wire import Broken, Refused
from miniae.exercises.grader.worker import ESCAPES, Texts, clean, examine, is_open, visible

__all__ = ["STOP", "Result", "Verdict", "check_file"]
SOURCE = 1 << 20  # bytes of a student's file at most
TIMEOUT = re.compile(r"Timeout \(\d+:[\d:.]+\)!\n")  # the first line of faulthandler
LEAST = {"seconds": 1, "megabytes": LEAST_MEMORY}


class Verdict(NamedTuple):
    """The verdict on one part.

    state : str, one of done, not started, wrong, error, missing
    message : str, for the student; empty if nothing is wrong
    diagnosis : str, the stable id of the mistake, empty if it is not known
    """

    state: str
    message: str = ""
    diagnosis: str = ""


@dataclass(frozen=True)
class Result:
    """The result of one exercise.

    Attributes
    ----------
    exercise : Exercise
    parts : dict, from the name of a part to its `Verdict`
    printed : str, the end of what the student's code printed
    answers : dict, from the name of a part to a list of the arrays that the code returned
    notes : tuple of str, what a teacher may want to look at, such as an import of the library
    practice : bool, whether the code ran in this process, without the limits of another; see `here`
    """

    exercise: object
    parts: dict
    printed: str = ""
    answers: dict = field(default_factory=dict)
    notes: tuple = ()
    practice: bool = False

    @property
    def state(self):
        """One of done, begun, not started, wrong, error, missing; begun: some parts are done."""
        states = {verdict.state for verdict in self.parts.values()}
        for bad in ("missing", "error", "wrong"):
            if bad in states:
                return bad
        return states.pop() if len(states) == 1 else "begun"

    @property
    def done(self):
        """The number of parts that are done."""
        return sum(verdict.state == "done" for verdict in self.parts.values())

    @property
    def message(self):
        """What is wrong, in one line; empty if nothing is wrong."""
        for part, verdict in self.bad.items():
            return f"{part}: {verdict.message}"
        return next((v.message for v in self.parts.values() if v.state == "missing"), "")

    @property
    def bad(self):
        """The parts that are wrong or stopped by an error, a dict as `parts`."""
        return {p: v for p, v in self.parts.items() if v.state in ("wrong", "error")}

    @property
    def diagnosis(self):
        """The id of the mistake in the first part that is wrong; empty if it is not known."""
        return next((verdict.diagnosis for verdict in self.bad.values()), "")


def check_file(exercise, path, student="", seconds=20, megabytes=2048):
    """Run and check the file at `path`, and return a `Result`. The file is only read.

    Whatever the file does, there is a result. Where no process can be started, as in a browser, the
    file runs in this process; then `Result.practice` is True, and less is limited. See `here`.

    Parameters
    ----------
    exercise : Exercise
    path : str or Path
    student : str, the student's id; each id gets other random inputs
    seconds, megabytes : limits of the process

    Raises
    ------
    ValueError : a limit is too small for Python itself
    """
    require_limits(seconds, megabytes)
    path = Path(os.path.abspath(path))

    def all_parts(*verdict):
        return Result(exercise, dict.fromkeys(exercise.parts, Verdict(*verdict)))

    try:
        source = read(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return all_parts("missing", clean(f"{path.name} not found"))
    except OSError as error:
        return all_parts("error", clean(f"{path.name} cannot be read: {error.strerror}"))
    try:
        result = None
        for last in (False, True):
            result = result or run(exercise, path, source, student, seconds, megabytes, last)
        return result
    except Exception as error:
        message = f"the check did not end: {type(error).__name__}: {error}"
        return all_parts("error", clean(message), f"{exercise.id}.crash")


def require_limits(seconds, megabytes):
    """Raise ValueError if a limit is too small for Python itself."""
    for name, value in (("seconds", seconds), ("megabytes", megabytes)):
        if not LEAST[name] <= value < math.inf:
            raise ValueError(f"{name} must be {LEAST[name]} or more, got {value:g}")


def read(path):
    """Return the bytes of a student's file; it must be a file, and not a link to another folder."""
    if path.is_dir():
        raise IsADirectoryError(path)
    if os.path.realpath(path.parent) != os.path.dirname(os.path.realpath(path)):
        if not os.path.lexists(path):
            raise FileNotFoundError(path)
        raise OSError(errno.ELOOP, "it is a link to a file elsewhere; hand in the file itself")
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if about.st_size > SOURCE:
            raise OSError(errno.EFBIG, f"it has more than {SOURCE >> 20} MB")
        return file.read(SOURCE)


def run(exercise, path, source, student, seconds, megabytes, last):
    """Check the text of a file in a process of its own, or here if there can be no other.

    Return None if the process was lost, perhaps not by a fault of its own, and this is not the last
    attempt.
    """
    parts, answers, end = dict.fromkeys(exercise.parts, Verdict("not started")), {}, None
    known, place = set(), Process if available() else Here
    with place(path, seconds, megabytes) as process:
        names = process.names
        try:
            whole = loaded(exercise, names, path, source)
            if whole:
                parts = dict.fromkeys(parts, whole)
            else:
                for part, *verdict in examine(exercise, names, student, source, answers):
                    parts[part] = Verdict(*verdict)
                    known.add(part)
            if process.size() > PRINTED:
                end, known = "print", known - {next(iter(parts))}
        except Refused:
            end = "channel"
        except Broken as broken:
            end = "channel" if broken.unreadable else process.finish()
        except Stopped as stopped:
            end = process.finish(stopped)
        text = process.text()
    if end == "lost" and not last:
        return None
    if end is not None:
        reached = [name for name in parts if name not in known] or list(parts)
        message, key = how_it_ended(end, text, path, seconds), "time" if end == "time" else "crash"
        if TIMEOUT.search(text):
            key = "time"
        parts[reached[0]] = Verdict("error", clean(message), f"{exercise.id}.{key}")
    printed = ESCAPES.sub("", TIMEOUT.split(text)[0][-2000:])
    printed = "".join(map(visible, printed))
    notes = notes_on(exercise, source, names.notes)
    return Result(exercise, parts, printed, answers, notes, practice=place is Here)


def loaded(exercise, names, path, source):
    """Run the student's file; return a Verdict on all parts if it stops, or None."""
    try:
        names.load(path, source)
    except StudentError as error:
        stub = ast.parse(Texts(exercise, names, source).stub)
        asked = {node.name for node in stub.body if hasattr(node, "name")}
        # The file may call a function that is not started: check the others all the same.
        if not (is_open(error.problem, exercise) and all(name in names for name in asked)):
            key = "memory" if "MemoryError" in error.problem["bases"] else "error"
            return Verdict("error", clean(sentence(error.problem)), f"{exercise.id}.{key}")
    return None


def notes_on(exercise, source, noticed):
    """Return notes for the teacher: imports that the stub does not have, and what was noticed."""
    theirs, ours = (from_miniae(text) for text in (source, Texts(exercise, None, source).stub))
    notes = [f"imports {name}" for name in theirs if name not in ours]
    if ours:  # then miniae is loaded for the stub's own imports
        noticed = [note for note in noticed if not note.startswith("imports miniae")]
    return tuple(dict.fromkeys(clean(note)[:300] for note in [*notes, *noticed]))


def from_miniae(source):
    """Return what a file imports from miniae."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "miniae":
            found += [f"{alias.name} from {node.module}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] == "miniae"]
    return found[:8]


def how_it_ended(end, text, path, seconds):
    """Return a sentence: why the student's process gave no answer."""
    if end == "print":
        return f"it printed more than {PRINTED >> 20} MB: is there a print in an endless loop?"
    if end == "channel":
        return "its answer cannot be read: does the code write to a file that it did not open?"
    if end == "lost":
        return "its process was ended from outside: does the code send signals?"
    if end == "time" or TIMEOUT.search(text):
        # Only the file's name: faulthandler writes non-ASCII names of folders in another way.
        lines = re.findall(rf'File ".*{re.escape(path.name)}", line (\d+)', text)
        return too_long(seconds, lines[0] if lines else None)
    if end < 0 or end >= 0xC0000000:  # a signal, or on Windows an exception
        return f"Python crashed ({signal_name(-end) if end < 0 else hex(end)})"
    return f"Python ended before the check (exit status {end}): does the code call os._exit?"


def signal_name(number):
    """Return the name of a signal, or its number if it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
