"""Checks in this process, where no other can be started, as in a browser: practice, not grading.

The verdicts are the same. What a process of its own gives is missing: the code can read the right
answers and change the grader, nothing limits its memory, and code that crashes or calls `os._exit`
ends this Python. There is a time limit, see `Clock`, and a limit on what is printed. WebAssembly
reports no overflow and no invalid operation, so in a browser NumPy does not raise them as errors.
"""

import contextlib
import io
import os
import sys
import time
import traceback
from collections import UserDict

import numpy as np

import miniae
from miniae.exercises.grader.errors import problem, too_long
from miniae.exercises.grader.processes import PRINTED
from miniae.exercises.grader.remote import StudentError
from miniae.exercises.grader.worker import examine, load

SECONDS = 60  # of an exercise, at most: Python is several times slower in a browser
# Code in these folders is not a student's, so it is not timed.
LIBRARIES = tuple(os.path.join(os.path.dirname(m.__file__), "") for m in (miniae, np, os))


class Stopped(KeyboardInterrupt):
    """The student's code has reached a limit; its own ``except Exception`` does not catch this.

    Parameters
    ----------
    end : str, "time" or "print"
    frames : list of (file name, line, function), the innermost first
    """

    def __init__(self, end, frames=()):
        super().__init__(end)
        self.end, self.frames = end, frames


class Clock:
    """Raises Stopped in code that runs for too long. A context manager.

    A trace function looks at the time before each instruction of Python code, except for libraries.
    So it does not stop a single call that never ends, or a loop with a bare ``except:``, which
    catches Stopped too.

    Parameters
    ----------
    seconds : float
    """

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.last, self.before = time.monotonic() + self.seconds, sys.gettrace()
        sys.settrace(self.enter)
        return self

    def __exit__(self, *error):
        sys.settrace(self.before)

    def enter(self, frame, event, argument):
        """Choose how Python traces a function that is called."""
        if frame.f_code.co_filename.startswith(LIBRARIES):
            return None
        frame.f_trace_opcodes = True  # a loop in a single line never comes to another line
        return self.look

    def look(self, frame, event, argument):
        """Look at the time."""
        if time.monotonic() > self.last:
            stack = [(f.f_code, line) for f, line in traceback.walk_stack(frame)]
            raise Stopped("time", [(code.co_filename, n, code.co_name) for code, n in stack])
        return self.look


class Printed(io.StringIO):
    """Keeps what is printed, up to a limit."""

    def write(self, text):
        """Write text."""
        if self.tell() > PRINTED:
            raise Stopped("print")
        return super().write(text)


class Names(UserDict):
    """The names that a student's file defines; the counterpart of `remote.Remote`."""

    notes = ()

    def load(self, path, source):
        """Run the student's file; raise StudentError if it stops."""
        try:
            load(path, source)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # it may also call sys.exit
            raise StudentError(problem(error, str(path))) from None
        finally:
            self.data = vars(sys.modules["answer"])  # with what was defined before an error


class Here:
    """Runs the code of one student for one check; the counterpart of `processes.Process`.

    Parameters
    ----------
    path : Path, not needed here
    seconds : its limit
    megabytes : not limited here
    """

    def __init__(self, path, seconds, megabytes):
        self.names, self.printed, self.clock = Names(), Printed(), Clock(seconds)
        self.frames = ()

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.stack.callback(setattr, sys, "stdin", sys.stdin)
        sys.stdin = io.StringIO()
        self.stack.enter_context(contextlib.redirect_stdout(self.printed))
        self.stack.enter_context(contextlib.redirect_stderr(self.printed))
        self.stack.enter_context(np.errstate())  # whatever the student's file sets
        self.stack.enter_context(self.clock)
        return self

    def __exit__(self, kind, error, trace):
        self.stack.close()

    def finish(self, stopped):
        """Return how the code ended, which has been stopped."""
        self.frames = stopped.frames
        return stopped.end

    def size(self):
        """Return how much the code has printed, in characters."""
        return self.printed.tell()

    def text(self):
        """Return what it has printed, and the line in which it was stopped as faulthandler does."""
        lines = [f'  File "{file}", line {n} in {name}\n' for file, n, name in self.frames]
        return self.printed.getvalue() + "".join(["Timeout (0:00:00)!\n", *lines] if lines else [])


def practise(exercise, names, student="", seconds=SECONDS):
    """Return the rows of `examine`, with a time limit for code that nothing else can stop."""
    rows = []
    with Clock(seconds):
        try:
            for row in examine(exercise, names, student):
                rows.append(row)
        except Stopped as stopped:
            part, (_, line, _) = list(exercise.parts)[len(rows)], stopped.frames[0]
            rows.append((part, "error", too_long(seconds, line), f"{exercise.id}.time"))
    return rows
