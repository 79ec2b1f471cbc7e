"""Check a student's file in a separate process, with limits on time, memory and output.

The limits help against accidents (an endless loop, an array that is far too large), not against
attacks. Run the code of strangers in a container, as Gradescope does.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import miniae

PRINTED = 1 << 20  # bytes that a student's code may print at most
TIMEOUT = re.compile(r"Timeout \(\d+:[\d:.]+\)!\n")  # the first line of faulthandler
STOP = threading.Event()  # when it is set, all running checks end at once


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
    """

    exercise: object
    parts: dict
    printed: str = ""

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

    Parameters
    ----------
    exercise : Exercise
    path : str or Path
    student : str, the student's id; each id gets other random inputs
    seconds, megabytes : limits of the process
    """
    path, parts = Path(path).resolve(), dict.fromkeys(exercise.parts, Verdict("not started"))
    if not path.is_file():
        message = f"{path.name} not found in {path.parent}; `start` copies the stubs there"
        return Result(exercise, dict.fromkeys(parts, Verdict("missing", message)))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        result, printed = Path(folder, "result"), Path(folder, "printed")
        start = "import sys; from miniae.exercises.worker import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", start, str(path), exercise.id, student, str(result)]
        command += [str(seconds), str(megabytes)]
        end = watch(command, folder, printed, seconds)
        rows = read_rows(result)
        text = printed.read_text("utf-8", errors="replace")
    for name, *verdict in rows:
        if name in parts:
            parts[name] = Verdict(*verdict)
        elif name == "the file":
            parts = dict.fromkeys(parts, Verdict(*verdict))
    if end == "print" or not rows or rows[-1][0] not in ("end", "the file"):
        reached = [name for name in parts if name not in {row[0] for row in rows}] or list(parts)
        parts[reached[0]] = Verdict("error", how_it_ended(end, text, path, seconds))
    return Result(exercise, parts, TIMEOUT.split(text)[0][-2000:])


def watch(command, folder, printed, seconds):
    """Run a command until it ends or reaches a limit; return "time", "print" or the exit code."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(miniae.__file__).parents[1]), *sys.path[1:]]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        # Each thread needs address space, and this counts for the memory limit.
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "MPLBACKEND": "Agg",
    }
    with open(printed, "wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=folder,
            env=environment, start_new_session=True,
        )  # fmt: skip
        last = time.monotonic() + seconds + 10  # the worker ends itself earlier, with the line
        try:
            while process.poll() is None:
                if printed.stat().st_size > PRINTED:
                    return "print"
                if time.monotonic() > last or STOP.is_set():
                    return "time"
                time.sleep(0.01)
            return "print" if printed.stat().st_size > PRINTED else process.returncode
        finally:
            kill(process)


def kill(process):
    """End a process and all processes that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def read_rows(path):
    """Return the complete lines of JSON that the worker has written."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def how_it_ended(end, text, path, seconds):
    """Return a sentence: why the worker gave no answer."""
    if end == "print":
        return f"it printed more than {PRINTED >> 20} MB: is there a print in an endless loop?"
    if end == "time" or TIMEOUT.search(text):
        # Only the file's name: faulthandler writes non-ASCII names of folders in another way.
        lines = re.findall(rf'File ".*{re.escape(path.name)}", line (\d+)', text)
        where = f" (it stopped in line {lines[0]})" if lines else ""
        return f"it did not end within {seconds:g} s{where}: is there an endless loop?"
    if end < 0 or end >= 0xC0000000:  # a signal, or on Windows an exception
        return f"Python crashed ({signal.Signals(-end).name if end < 0 else hex(end)})"
    return f"Python ended before the check (exit status {end}): does the code call os._exit?"
