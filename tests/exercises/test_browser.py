"""Exercises where no process can be started, as in a browser: the same verdicts, for practice.

The tests pretend that this Python is in a browser; see `browser.py`. With the environment variable
MINIAE_PYODIDE, the path of a folder with Pyodide and its packages, they run in Pyodide too.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_answers import FRESH
from second_answers import SECOND
from solutions import replace, solved, stub
from test_exercises import RIGHT
from wrong_answers import WRONG

from miniae.exercises import EXERCISES, check_file, find
from miniae.exercises.__main__ import main
from miniae.exercises.grader import here, processes

HERE = Path(__file__).parent
PYODIDE = os.environ.get("MINIAE_PYODIDE")
ENDINGS = (  # code of a function, and what is said of it in a process and here
    "while True: pass",
    "for _ in iter(int, 1): x = x + 1",
    "while True: print('x' * 1000)",
    "return input()",
    "raise SystemExit(1)",
    "return dense_forward(x, W, b)",
    "return np.exq(x)",
    "return x.foo +",
)


def all_cases():
    """Return every typical answer: [id, text, seconds]."""
    edits = [(id, *row[:2]) for rows in (WRONG, FRESH, SECOND) for id in rows for row in rows[id]]
    edits += [row[:3] for row in RIGHT]
    # In another process the grader's function has no attributes that the code could read.
    edits = [(id, old, new) for id, old, new in edits if "step.__dict__" not in new]
    cases = [[id, replace(solved(id), old, new), 20] for id, old, new in edits]
    cases += [[id, text(id), 20] for id in EXERCISES for text in (stub, solved)]
    open_call = solved("sigmoid_softplus").partition("    return np.maximum")[0]
    open_call += (
        '    raise NotImplementedError("sigmoid_softplus: not started yet")\n\nsoftplus(1.0)\n'
    )
    cases += [["sigmoid_softplus", open_call, 20]]
    cases += [["dense_forward", solved("dense_forward") + "\nwhile True: pass\n", 2]]
    start = solved("dense_forward").index("    return ")
    return cases + [
        ["dense_forward", solved("dense_forward")[:start] + f"    {code}\n", 2] for code in ENDINGS
    ]


def in_browser(folder, cases, pyodide=None):
    """Return what `browser.py` finds."""
    files = folder / "cases.json", folder / "results.json"
    files[0].write_text(json.dumps(cases), "utf-8")
    command = [sys.executable, str(HERE / "browser.py"), *map(str, files)]
    if pyodide:
        command = ["node", str(HERE / "pyodide.mjs"), pyodide, str(HERE.parents[1])]
        command += map(str, files)
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(files[1].read_text("utf-8"))


def in_processes(folder, cases):
    """Return the verdicts of the grader with a process for each answer."""
    rows = []
    for id, text, seconds in cases:
        path = folder / find(id).file
        path.write_text(text, "utf-8")
        result = check_file(find(id), path, seconds=seconds)
        assert not result.practice
        rows.append({part: list(verdict) for part, verdict in result.parts.items()})
    return rows


def compare(cases, found, expected, words=True):
    """Assert that the states and diagnoses agree, and the messages if `words`."""
    different = []
    no_flags = found["platform"] == "emscripten"  # WebAssembly reports no overflow
    for (id, text, _), (parts, practice), others in zip(
        cases, found["verdicts"], expected, strict=True
    ):
        assert practice
        if no_flags and "must not happen for any input" in str(others):
            continue
        same = words and "RecursionError" not in str(parts)  # the depth decides on the line
        rows = [{p: v if same else [v[0], v[2]] for p, v in one.items()} for one in (parts, others)]
        if rows[0] != rows[1]:
            different.append((id, *rows, text[-600:]))
    assert not different, (len(different), different[:3])


def check_the_rest(found):
    """Assert what the library, the commands and the notebook do in a browser."""
    assert found["library"] == {"figures": 2, "saved": True, "gradient": True}
    said = found["commands"]
    assert [status for status, _ in said.values()] == [0, 0, 1, 1, 2, 2, 2, 1]
    assert "%run -m miniae.exercises check" in said["start"][1]
    assert "0 of 2 done\nThis was practice" in said["check"][1]
    assert "not started" in said["check a notebook"][1]
    assert "would block the notebook" in said["watch"][1]
    for name in ("report", "gradescope"):
        assert "cannot start processes (sys.platform is 'emscripten')" in said[name][1]
    assert "No function of this model is solved yet" in said["payoff"][1]
    missing, endless = found["notebook"]
    assert missing.startswith("dense_forward: the term b is missing")
    assert endless.startswith("dense_forward: it did not end within 0.2 s (it stopped in line 2)")


@pytest.mark.slow
def test_in_a_browser_the_library_and_the_commands_work_and_verdicts_are_the_same(tmp_path):
    ids = ("dense_forward", "dense_backward", "kl_gradient")
    cases = [[id, replace(solved(id), *WRONG[id][i][:2]), 20] for id in ids for i in (0, 1)]
    found = in_browser(tmp_path, cases)
    check_the_rest(found)
    compare(cases, found, in_processes(tmp_path, cases))


@pytest.mark.parametrize(
    "step",
    [pytest.param(6, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.full)],
)
def test_typical_answers_get_the_same_verdict_in_a_browser(tmp_path, step):
    cases = all_cases()
    assert len(cases) > 1100
    cases = cases[::step]
    compare(cases, in_browser(tmp_path, cases), in_processes(tmp_path, cases))


@pytest.mark.slow
@pytest.mark.skipif(not (PYODIDE and shutil.which("node")), reason="needs MINIAE_PYODIDE and node")
def test_all_typical_answers_get_the_same_verdict_in_pyodide(tmp_path):
    cases = [[id, text, 120 if seconds == 20 else seconds] for id, text, seconds in all_cases()]
    found = in_browser(tmp_path, cases, PYODIDE)
    assert found["platform"] == "emscripten"
    check_the_rest(found)
    compare(cases, found, in_processes(tmp_path, cases), words=False)


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOSYS])
@pytest.mark.parametrize("forks", [True, False])
def test_where_a_process_cannot_be_started_a_file_is_checked_here_and_not_graded(
    tmp_path, monkeypatch, capsys, number, forks
):
    if forks and sys.platform != "linux":
        pytest.skip("no server forks here")

    def fail(*_, **__):
        raise OSError(number, "emscripten does not support processes.")

    monkeypatch.setattr(processes, "FORKS", forks)
    monkeypatch.setattr(processes, "try_python", processes.try_python.__wrapped__)
    monkeypatch.setattr(processes, "SERVERS", {})
    monkeypatch.setattr(processes.subprocess, "Popen", fail)
    path = tmp_path / "ada" / find("dense_forward").file
    path.parent.mkdir()
    path.write_text(solved("dense_forward") + "\nprint('hello')\n", "utf-8")
    result = check_file(find("dense_forward"), path)
    assert result.state == "done" and result.practice and result.printed == "hello\n"
    assert main(["report", str(tmp_path)]) == 2
    assert "cannot start processes" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EPERM])
def test_an_error_of_another_kind_does_not_change_the_way_of_a_check(tmp_path, monkeypatch, number):
    def fail(*_, **__):
        raise OSError(number, "no process is free")

    monkeypatch.setattr(processes, "FORKS", True)
    monkeypatch.setattr(processes, "server", fail)
    path = tmp_path / find("dense_forward").file
    path.write_text(solved("dense_forward"), "utf-8")
    result = check_file(find("dense_forward"), path)
    assert result.state == "error" and not result.practice


def test_the_clock_stops_a_loop_of_one_line_and_gives_back_the_trace_function(tmp_path):
    def trace(*_):
        return None

    names, before = {}, sys.gettrace()
    code = "def wait(n):\n    while n: pass\n"
    exec(compile(code, str(tmp_path / "answer.py"), "exec"), names)
    sys.settrace(trace)
    try:
        with pytest.raises(here.Stopped) as stopped, here.Clock(0.05):
            names["wait"](1)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)
    assert stopped.value.frames[0][1:] == (2, "wait")


def test_a_file_that_is_checked_here_leaves_no_settings_behind(tmp_path, monkeypatch):
    import numpy as np

    from miniae.exercises.grader import sandbox

    monkeypatch.setattr(sandbox, "available", lambda: False)
    path = tmp_path / find("dense_forward").file
    path.write_text(solved("dense_forward") + "\nnp.seterr(all='raise')\n", "utf-8")
    streams, before = (sys.stdin, sys.stdout, sys.stderr), np.geterr()
    assert check_file(find("dense_forward"), path).state == "done"
    assert np.geterr() == before and (sys.stdin, sys.stdout, sys.stderr) == streams
