"""The grader: how it reports files that crash or never end, and what it prints."""

import csv
import io
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from solutions import solved, stub

from miniae.exercises import EXERCISES, Result, assert_solved, check_file, find, practice
from miniae.exercises.__main__ import asked_for, main
from miniae.exercises.classroom.report import as_csv
from miniae.exercises.grader import container, running
from miniae.exercises.grader.sandbox import Verdict, how_it_ended

FIRST, DENSE = find("sigmoid_softplus"), find("dense_backward")


def write(folder, exercise, text):
    """Write a student's file, and return its path."""
    path = folder / exercise.file
    path.write_text(text, "utf-8")
    return path


def check(tmp_path, body, exercise=FIRST, **limits):
    """Return the result of a file in which a student's `sigmoid` has this body."""
    text = "import numpy as np\n\ndef sigmoid(x):\n    " + body.replace("\n", "\n    ")
    return check_file(exercise, write(tmp_path, exercise, text + "\n"), **limits)


@pytest.mark.slow
def test_a_file_is_checked_in_a_process_of_its_own_and_stays_as_it_is(tmp_path):
    path = write(tmp_path, FIRST, solved(FIRST.id) + "\nprint('hello')\n")
    path.chmod(0o444)
    before = path.read_bytes(), path.stat().st_mtime_ns
    result = check_file(FIRST, path)
    assert result.state == "done" and result.done == 2 and result.printed == "hello\n"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert os.listdir(tmp_path) == [FIRST.file]


@pytest.mark.slow
def test_what_is_done_counts_where_the_rest_is_not_started(tmp_path):
    text = solved(FIRST.id)
    cut = text.index("    return np.maximum")
    text = text[:cut] + '    raise NotImplementedError("sigmoid_softplus: not started yet")\n'
    result = check_file(FIRST, write(tmp_path, FIRST, text))
    assert result.state == "begun" and result.done == 1 and result.message == ""


def test_a_missing_file_is_missing(tmp_path):
    result = check_file(FIRST, tmp_path / FIRST.file)
    assert result.state == "missing" and "not found" in result.message


ENDINGS = {
    "an endless loop": ("while True:\n    pass", "did not end within 2 s (it stopped in line "),
    "a print flood": ("while True:\n    print('x' * 1000)", "printed more than 1 MB"),
    "sys.exit": ("import sys\nsys.exit(0)", "line 5: `sys.exit(0)`: it ends Python"),
    "os._exit": ("import os\nos._exit(0)", "Python ended before the check"),
    "a crash": ("import ctypes\nctypes.string_at(0)", "Python crashed (SIGSEGV)"),
    "much memory": ("return np.ones(10**10)", "more memory than is allowed"),
    "a wrong name": ("return np.exq(x)", "line 4: `return np.exq(x)`: AttributeError"),
    "a question": ("return input()", "EOFError"),
    "an endless recursion": ("return sigmoid(x)", "RecursionError"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDINGS)
def test_an_answer_that_ends_badly_is_reported_as_what_it_is(tmp_path, name):
    body, words = ENDINGS[name]
    if "SIGSEGV" in words and os.name == "nt":
        pytest.skip("Windows has no signals")
    if name == "much memory" and sys.platform in ("win32", "darwin"):
        pytest.skip("no limit on memory here")
    result = check(tmp_path, body, seconds=2)
    assert result.state == "error" and words in result.message
    assert "Thread 0x" not in result.printed


def test_a_crash_on_windows_is_a_crash(tmp_path):
    assert how_it_ended(0xC0000005, "", tmp_path, 2) == "Python crashed (0xc0000005)"


@pytest.mark.slow
def test_an_endless_loop_in_a_folder_with_umlauts_names_its_line(tmp_path):
    folder = tmp_path / "L\xf6sungen \u4e2d"
    folder.mkdir()
    result = check(folder, "print('Timeout (')\nwhile True:\n    pass", seconds=2)
    assert "(it stopped in line " in result.message and result.printed == "Timeout (\n"


@pytest.mark.slow
def test_too_much_output_is_an_error_even_if_the_program_ends(tmp_path):
    text = solved(FIRST.id) + "\nprint('x' * (1 << 21))\n"
    result = check_file(FIRST, write(tmp_path, FIRST, text))
    assert result.state == "error" and "printed more than 1 MB" in result.message


@pytest.mark.slow
def test_what_is_not_ascii_can_be_printed_and_libraries_get_one_thread(tmp_path):
    text = "import os\nprint('\xe4\u4e2d\udc80', os.environ['OMP_NUM_THREADS'])\n"
    path = write(tmp_path, FIRST, "")
    path.write_bytes(text.encode("utf-8", "backslashreplace") + solved(FIRST.id).encode())
    result = check_file(FIRST, path)
    assert result.state == "done" and result.printed == "\xe4\u4e2d\\udc80 1\n"


@pytest.mark.slow
def test_a_call_of_what_is_open_at_the_end_of_the_file_hides_nothing(tmp_path):
    text = solved(FIRST.id)
    text = text[: text.index("    return np.maximum")]
    text += f'    raise NotImplementedError("{FIRST.id}: not started yet")\n'
    result = check_file(FIRST, write(tmp_path, FIRST, text + "\nprint(softplus(1.0))\n"))
    assert result.state == "begun" and result.parts["sigmoid"].state == "done"
    hunt = find("hunt_vae")
    result = check_file(hunt, write(tmp_path, hunt, stub(hunt.id) + "\nsample(1, 2, 3)\n"))
    assert result.state == "not started"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_ends_a_check_at_once(tmp_path):
    first, *others = EXERCISES.values()
    write(tmp_path, first, solved(first.id))
    for exercise in others:
        write(tmp_path, exercise, "while True:\n    pass\n")
    command = [sys.executable, "-m", "miniae.exercises", "check", str(tmp_path)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Programs that a shell starts in the background ignore the signal by default.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert "done" in process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)  # each loop alone would take 20 s
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def sigmoid(x:\n", "line 1: `def sigmoid(x:`: SyntaxError"),
        ("import no_such_thing\n", "No module named 'no_such_thing'"),
        ("import sys\nsys.exit()\n", "it ends Python"),
        ("def softplus(x):\n    return x\n", "the file has no sigmoid"),
        ("", "the file has no sigmoid"),
        ("sigmoid = 3\n", "'int' object is not callable"),
        ("def sigmoid():\n    pass\n", "takes 0 positional arguments but 1 was given"),
    ],
)
def test_a_file_that_cannot_be_run_is_reported(tmp_path, text, words):
    result = check_file(FIRST, write(tmp_path, FIRST, text))
    assert result.state in ("error", "wrong") and words in result.message


@pytest.mark.slow
def test_what_was_found_before_an_endless_loop_is_kept(tmp_path):
    text = solved(FIRST.id).replace("return np.maximum", "while True: pass\n    return np.maximum")
    result = check_file(FIRST, write(tmp_path, FIRST, text), seconds=2)
    assert result.parts["sigmoid"].state == "done" and result.parts["softplus"].state == "error"


@pytest.mark.slow
def test_a_file_beside_it_that_is_called_like_a_library_does_no_harm(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ImportError('the wrong numpy')\n")
    assert check_file(FIRST, write(tmp_path, FIRST, solved(FIRST.id))).state == "done"


def test_inputs_depend_on_the_student_and_the_exercise_only():
    def draw(student, exercise=FIRST, part="sigmoid"):
        return exercise.ask({}, part, student).rng.standard_normal(3).tolist()

    assert draw("ada") == draw("ada") != draw("bob") != draw("")
    assert draw("ada") != draw("ada", DENSE) and draw("ada") != draw("ada", part="softplus")


def test_a_notebook_cell_can_assert_that_a_function_is_right():
    def dense_backward(dout, x, W):
        return dout @ W.T, x.T @ dout / len(x), dout.sum(axis=0)

    with pytest.raises(AssertionError, match="dW is divided by n"):
        assert_solved("dense_backward", locals())
    with pytest.raises(AssertionError, match="the file has no dense_backward"):
        assert_solved("dense_backward", {})
    with pytest.raises(ValueError, match="did you mean 'dense_backward'"):
        assert_solved("dense_backwards", {})


def test_list_prints_all_exercises_and_hint_the_first_hints(capsys):
    assert main(["list"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == list(EXERCISES)
    assert main(["hint", "adam"]) == 0 and capsys.readouterr().out.startswith("1 of 3: ")
    assert main(["hint", "adam", "9"]) == 0 and "3 of 3: " in capsys.readouterr().out
    assert main(["hint", "adm"]) == 2 and "did you mean 'adam'" in capsys.readouterr().err


def test_start_copies_the_stubs_into_a_folder_and_overwrites_nothing(tmp_path, capsys):
    folder = tmp_path / "new" / "answers"
    assert main(["start", str(folder)]) == 0
    assert sorted(os.listdir(folder)) == [e.file for e in EXERCISES.values()]
    mine = write(folder, DENSE, "my work")
    capsys.readouterr()
    assert main(["start", str(folder)]) == 0 and mine.read_text() == "my work"
    assert f"{DENSE.file} exists already" in capsys.readouterr().out


def test_start_prints_a_command_that_a_shell_understands(tmp_path, capsys):
    main(["start", str(tmp_path / "my answers")])
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert command[-3:] == ["check", str(tmp_path / "my answers"), FIRST.id]


@pytest.mark.slow
def test_check_prints_a_line_per_exercise_a_bar_and_the_next_exercise(tmp_path, capsys):
    main(["start", str(tmp_path)])
    assert main(["check", str(tmp_path)]) == 1
    bar, all_ = "[........................]", len(EXERCISES)
    assert f"{bar} 0 of {all_} done\nNext: 01_sigmoid" in capsys.readouterr().out
    for id in EXERCISES:
        write(tmp_path, find(id), solved(id))
    assert main(["check", str(tmp_path), "--student", "ada"]) == 0
    assert f"[########################] {all_} of {all_} done" in capsys.readouterr().out


@pytest.mark.slow
def test_check_takes_a_folder_and_ids_and_names_what_it_does_not_know(
    tmp_path, capsys, monkeypatch
):
    write(tmp_path, FIRST, solved(FIRST.id))
    assert asked_for([str(tmp_path), FIRST.id]) == (tmp_path, [FIRST])
    monkeypatch.chdir(tmp_path)
    assert main(["check", FIRST.id]) == 0
    capsys.readouterr()
    assert main(["check", "sigmoid"]) == 2
    assert "did you mean 'sigmoid_softplus'" in capsys.readouterr().err


def test_an_exercise_is_known_by_its_id_its_number_its_file_and_is_checked_once(
    tmp_path, monkeypatch
):
    path = write(tmp_path, DENSE, "")
    for words in (["4"], [DENSE.id, "4", DENSE.id], [DENSE.file]):
        assert [e.id for e in asked_for([str(tmp_path), *words])[1]] == [DENSE.id]
    folder, asked = asked_for([str(path)])
    assert folder == tmp_path and [e.id for e in asked] == [DENSE.id]
    monkeypatch.chdir(tmp_path)
    assert asked_for(["3", "4"])[0] == practice.Path() and len(asked_for([])[1]) == len(EXERCISES)


def test_a_command_that_cannot_be_understood_says_why(tmp_path, capsys):
    def said(*words):
        assert main(["check", *map(str, words)]) == 2
        return capsys.readouterr().err

    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    assert "check takes one folder; got " in said(tmp_path / "a", tmp_path / "b")
    assert said("my_answres") == "my_answres is neither a folder nor an exercise\n"
    empty = said(tmp_path)
    assert empty.startswith("there are no exercises in ") and empty.count("\n") == 1


@pytest.fixture
def unread(monkeypatch):
    """Make every file count as missing, so that no process is started."""

    def found(exercise, path, *_):
        return Result(exercise, dict.fromkeys(exercise.parts, Verdict("missing", "\u4e2d")))

    monkeypatch.setattr(running, "check_file", found)


def test_what_a_console_cannot_show_is_written_in_ascii(tmp_path, monkeypatch, unread):
    class Console(io.TextIOWrapper):
        def isatty(self):
            return True

    out = Console(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["check", str(tmp_path), FIRST.id]) == 1
    out.flush()
    assert rb"\u4e2d" in out.buffer.getvalue()


@pytest.mark.parametrize(
    "files, memory, processors",
    [
        ({}, math.inf, math.inf),
        ({"cpu.max": "max 100000", "memory.max": "max"}, math.inf, math.inf),
        ({"cpu.max": "50000 100000\n", "memory.max": "805306368\n"}, 768, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf, math.inf),
        ({"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, math.inf, 2.5),
        ({"cpu.max": "x", "memory/memory.limit_in_bytes": "1048576"}, 1, math.inf),
    ],
)
def test_the_limits_of_a_container_are_those_of_its_control_group(
    tmp_path, monkeypatch, files, memory, processors
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(container, "GROUPS", tmp_path)
    assert container.memory_of_container() == memory
    assert container.processors_of_container() == processors
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    assert running.cores() == {0.5: 1, 2.5: 3}.get(processors, 8)


def test_check_says_how_to_copy_what_is_missing(tmp_path, capsys, unread):
    folder = tmp_path / "my answers"
    folder.mkdir()
    main(["check", str(folder), FIRST.id])
    (text,) = (t for t in capsys.readouterr().out.split("\n") if t.startswith("To copy what is"))
    at = practice.quoted(folder)
    assert text.endswith(f"-m miniae.exercises start {at}") and at[0] == at[-1] != "m"


def test_progress_counts_each_check_when_it_ends(capsys):
    progress = running.Progress(3)
    progress.last -= running.EVERY
    assert [progress.step(result) for result in "abc"] == list("abc")
    first, last = capsys.readouterr().err.strip().split("\n")
    assert first.startswith("1 of 3 checks (33 %)") and last.startswith("3 of 3 checks (100 %)")
    assert running.Progress(0).step("x") == "x" and not capsys.readouterr().err


def test_a_report_has_only_the_folders_of_students(tmp_path, capsys, unread):
    for name in ("ada", "__MACOSX", ".git"):
        (tmp_path / name).mkdir()

    def students(*words):
        main(["report", *map(str, words), "--csv"])
        return {row["student"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}

    assert students(tmp_path) == {"ada"}
    write(tmp_path / "ada", FIRST, "")
    assert students(tmp_path / "ada") == {"ada"}
    assert students(tmp_path / "ada", "--student", "bob") == {"bob"}


def test_gradescope_gets_its_json_though_nothing_was_handed_in(tmp_path, capsys, unread):
    (tmp_path / "data").mkdir(), (tmp_path / "more").mkdir()
    assert main(["report", str(tmp_path), "--gradescope"]) == 1
    assert len(json.loads(capsys.readouterr().out)["tests"]) == len(EXERCISES)


@pytest.mark.slow
def test_a_folder_of_students_gives_one_table_for_the_gradebook(tmp_path, capsys):
    for student, id in (("ada", FIRST.id), ("bob", DENSE.id)):
        (tmp_path / student).mkdir()
        write(tmp_path / student, find(id), solved(id))
    assert main(["report", str(tmp_path), "--csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 2 * len(EXERCISES)
    done = {(row["student"], row["exercise"]) for row in rows if float(row["score"]) == 1}
    assert done == {("ada", FIRST.id), ("bob", DENSE.id)}
    assert main(["report", str(tmp_path), "--gradescope"]) == 2
    assert "is for one student" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "ada"), "--gradescope"]) == 1
    tests = json.loads(capsys.readouterr().out)["tests"]
    assert [test["score"] for test in tests] == [1.0] + (len(EXERCISES) - 1) * [0.0]
    assert main(["report", str(tmp_path / "ada"), "--json", "--student", "ada"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["student"] == "ada"
    assert main(["report", str(tmp_path / "nobody")]) == 2


def test_a_cell_that_a_spreadsheet_would_run_is_quoted():
    text = as_csv([{"student": "=SUM(A1)", "score": 1}])
    assert text == "student,score\n'=SUM(A1),1\n"
    assert as_csv([{"a": "", "b": "\t=1", "c": 0.5}]) == "a,b,c\n,'=1,0.5\n"


@pytest.mark.slow
def test_the_module_runs_from_the_command_line(tmp_path):
    command = [sys.executable, "-m", "miniae.exercises", "check", str(tmp_path), FIRST.id]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "missing" in done.stdout and not done.stderr
