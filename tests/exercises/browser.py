"""Checks and the library in a Python that has no processes; `test_browser.py` runs this.

    python browser.py CASES RESULTS

CASES is JSON: a list of [id of the exercise, text of the answer, seconds]. Outside of a browser,
everything is first removed or made to fail that Python lacks there, as it is in Pyodide.
"""

import contextlib
import functools
import importlib.abc
import io
import json
import os
import sys
import sysconfig
import tempfile
from pathlib import Path

ABSENT = """
    _curses _dbm _lzma _scproxy _sqlite3 _ssl _tkinter _winapi fcntl grp lzma msvcrt pwd readline
    resource sqlite3 ssl syslog termios tkinter winreg
""".split()
ABSENT_NAMES = {
    "os": ("sched_getaffinity", "forkpty", "posix_spawn", "setns", "unshare"),
    "signal": ("setitimer", "alarm", "pthread_kill", "sigwait"),
}
FAILING = (  # as in Pyodide: module, name, the error
    ("os", "fork", OSError(52, "Function not implemented")),
    ("socket", "socketpair", OSError(28, "Invalid argument")),
    ("_thread", "start_new_thread", RuntimeError("can't start new thread")),
    ("threading", "_start_new_thread", RuntimeError("can't start new thread")),
    ("threading", "_start_joinable_thread", RuntimeError("can't start new thread")),
    ("multiprocessing.process", "BaseProcess.start", OSError(52, "Function not implemented")),
    ("faulthandler", "dump_traceback_later", RuntimeError("unable to start watchdog thread")),
)  # fmt: skip


class Absent(importlib.abc.MetaPathFinder):
    """Modules that cannot be found."""

    def find_spec(self, name, path=None, target=None):
        if name in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def failing(error):
    """Return a function that raises an error."""

    def fail(*_, **__):
        raise error

    return fail


def pretend():
    """Remove or break what a browser does not have; before anything else is imported."""
    sysconfig.get_config_vars()  # read once, from a file whose name has the platform
    sys.platform = "emscripten"  # then subprocess has no processes
    sys.meta_path.insert(0, Absent())
    for name in ABSENT:
        sys.modules.pop(name, None)
    for module, names in ABSENT_NAMES.items():
        for name in names:
            if hasattr(__import__(module), name):
                delattr(__import__(module), name)
    for module, name, error in FAILING:
        owner, (*inner, name) = importlib.import_module(module), name.split(".")
        for one in inner:
            owner = getattr(owner, one)
        if hasattr(owner, name):
            setattr(owner, name, failing(error))


def verdicts(cases, folder):
    """Return for each case its parts, [state, message, diagnosis], and whether it was practice."""
    from miniae.exercises import check_file, find

    rows = []
    for id, text, seconds in cases:
        path = Path(folder) / find(id).file
        path.write_text(text, "utf-8")
        result = check_file(find(id), path, seconds=seconds)
        rows.append([{part: list(v) for part, v in result.parts.items()}, result.practice])
    return rows


def use_library(folder):
    """Train, draw and save a model; return what was computed."""
    import numpy as np

    import miniae
    from miniae import plots

    images, labels, _ = miniae.datasets.synthetic_digits(100, seed=0)
    vae = miniae.VAE((28, 28), latent_dim=2, hidden=(16,))
    vae.fit(images, epochs=1, verbose=0)
    drawn = [plots.samples(vae), plots.latent_scatter(vae, images, labels)]
    path = os.path.join(folder, "vae.npz")
    vae.save(path)
    same = np.array_equal(miniae.VAE.load(path).theta, vae.theta)
    small = miniae.VAE(4, latent_dim=2, hidden=(3,))
    right = miniae.gradient_check(small, np.random.default_rng(0).random((5, 4))).ok
    return {"figures": len(drawn), "saved": bool(same), "gradient": bool(right)}


def run(argv):
    """Return the exit status of a command, and what it printed."""
    from miniae.exercises.__main__ import main

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = main(argv)
    return status, printed.getvalue()


def use_commands(folder):
    """Return what students' and teachers' commands do here, by name."""
    answers, student = os.path.join(folder, "answers"), os.path.join(folder, "class", "ada")
    commands = {
        "start": ["start", answers],
        "notebooks": ["start", student, "--notebook"],
        "check": ["check", answers, "1", "2", "--jobs", "4"],
        "check a notebook": ["check", student, "dense_forward"],
        "watch": ["watch", answers],
        "report": ["report", os.path.join(folder, "class"), "--csv"],
        "gradescope": ["report", student, "--gradescope"],
        "payoff": ["payoff", answers],
    }
    return {name: run(argv) for name, argv in commands.items()}


def use_notebook():
    """Return what `assert_solved` says of a wrong function, and of one that never ends."""
    from miniae import exercises

    limited = functools.partial(exercises.practise, seconds=0.2)
    exercises.practise = limited
    said = []
    for body in ("return x @ W", "while True: pass"):
        names = {}
        exec(compile(f"def dense_forward(x, W, b):\n    {body}\n", "<cell 1>", "exec"), names)
        try:
            exercises.assert_solved("dense_forward", names)
        except AssertionError as error:
            said.append(str(error))
    return said


def main(cases, results):
    """Read the cases, and write all results."""
    platform = sys.platform
    if platform != "emscripten":
        pretend()
    cases = json.loads(Path(cases).read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "platform": platform,
            "library": use_library(folder),
            "commands": use_commands(folder),
            "notebook": use_notebook(),
            "verdicts": verdicts(cases, folder),
        }
    Path(results).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
