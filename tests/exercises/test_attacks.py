"""Files that try to get full marks without the work, or to harm the grader or other students."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from solutions import replace, solved, stub

from miniae.exercises import assert_solved, check_file, find
from miniae.exercises.grader import processes
from miniae.exercises.grader.worker import clean, examine


def has_namespaces():
    """Return whether a process can get a view of the file tree of its own here."""
    if sys.platform != "linux":
        return False
    command = "import confine, sys; sys.exit(not confine.separate([], []))"
    return subprocess.run([sys.executable, "-c", command], cwd=processes.SCRIPT.parent,
                          env={**os.environ, "PYTHONPATH": "."}).returncode == 0  # fmt: skip


DENSE = find("dense_backward")
RIGHT = "return dout @ W.T, x.T @ dout, dout.sum(axis=0)"
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
namespaces = pytest.mark.skipif(not has_namespaces(), reason="needs namespaces of Linux")


def write(folder, exercise, text):
    """Write a student's file, and return its path."""
    path = folder / exercise.file
    path.write_text(text, "utf-8")
    return path


def check(folder, text, exercise=DENSE, **limits):
    """Return the result of a file with this text."""
    return check_file(exercise, write(folder, exercise, text), **limits)


def body(code, head=""):
    """Return a file whose dense_backward has this body."""
    lines = "\n    ".join(code.strip("\n").split("\n"))
    return f"import os, sys, signal\nimport numpy as np\n{head}\n\n" + (
        f"def dense_backward(dout, x, W):\n    {lines}\n"
    )


def still_works(folder):
    """Return whether the next check is as it should be."""
    return check(folder, solved(DENSE.id)).state == "done"


FORGED = {
    "the checks are replaced": body(
        "return 1, 2, 3",
        "from miniae.exercises import find, questions\nfrom miniae.exercises.grader import worker\n"
        "for part in find('dense_backward').parts:\n"
        "    find('dense_backward').parts[part] = lambda ask: None\n"
        "questions.compare = questions.Ask.equal = lambda *a, **k: None\n"
        "worker.verdict = lambda *a, **k: ('done', '', '')\n",
    ),
    "numpy is replaced": body(
        "return 1, 2, 3",
        "np.allclose = np.array_equal = np.isfinite = lambda *a, **k: True\n"
        "np.abs = np.asarray = lambda *a, **k: 0\n",
    ),
    "rows on every descriptor": body(
        "for fd in range(3, 200):\n"
        "    try:\n"
        '        os.write(fd, b\'["dense_backward", "done", "", ""]\\n["end", "", "", ""]\\n\')\n'
        "    except OSError:\n"
        "        pass\n"
        "os._exit(0)"
    ),
    "rows at the end of the program": body(
        "sys.exit(0)",
        'import atexit\natexit.register(print, \'["dense_backward", "done", "", ""]\')',
    ),
    "rows in the folder": body(
        'open(\'result\', \'w\').write(\'["dense_backward", "done", "", ""]\\n\')\nos._exit(0)'
    ),
    "a message of another kind": body(
        "import gc\n"
        "child = next(o for o in gc.get_objects() if type(o).__name__ == 'Child')\n"
        "child.channel.send({'is': 'done', 'part': 'dense_backward', 'notes': []}, child.objects)\n"
        "child.channel.send({'is': 'value', 'value': 'done', 'arguments': None, 'notes': []}, "
        "child.objects)\nreturn 1, 2, 3"
    ),
    "the answer from the frames of the caller": body(
        "frame, found = sys._getframe(), []\n"
        "while frame:\n"
        "    found += [v for v in frame.f_locals.values() if isinstance(v, dict)]\n"
        "    frame = frame.f_back\n"
        "right = [f for f in found if {'dx', 'dW', 'db'} <= f.keys()]\n"
        "return tuple(right[0].values()) if right else (1, 2, 3)"
    ),
    "the answer from all objects": body(
        "import gc\n"
        "right = [f for f in gc.get_objects() if isinstance(f, dict) and 'dW' in f]\n"
        "return tuple(right[0].values()) if right else (1, 2, 3)"
    ),
    "an answer that says that it is equal": body(
        "class Same(np.ndarray):\n"
        "    __eq__ = __le__ = lambda *_: np.True_\n"
        "    __array_ufunc__ = lambda *a, **k: 0.0\n"
        "return dout[:, :0].view(Same), x.view(Same), W.view(Same)"
    ),
    "an object that becomes the right answer": body(
        "class Chameleon:\n"
        "    shape, dtype = (), np.dtype(float)\n"
        "    def __array__(self, *a, **k):\n"
        "        return sys._getframe(1).f_locals.get('right', np.zeros(3))\n"
        "return Chameleon(), Chameleon(), Chameleon()"
    ),
}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.slow if i % 4 else []) for i, name in enumerate(FORGED)
])  # fmt: skip
def test_a_forged_answer_is_not_accepted(tmp_path, name):
    result = check(tmp_path, FORGED[name])
    assert result.state in ("wrong", "error") and result.done == 0


def test_the_students_process_has_neither_checks_nor_seeds(tmp_path):
    text = body("return 1, 2, 3", "print(sorted(n for n in sys.modules if 'exercises' in n))\n"
                "print(sys.argv, [k for k in os.environ if 'SECRET' in k])")  # fmt: skip
    os.environ["A_SECRET"] = "1"
    try:
        result = check(tmp_path, text)
    finally:
        del os.environ["A_SECRET"]
    first, second = result.printed.splitlines()
    assert first == "[]" and second.endswith(" []")


ENDED = {  # what the code does, the state, words of the message
    "its working directory is deleted": ("import shutil\nshutil.rmtree(os.getcwd())", "done", ""),
    "unreadable and endless folders": (
        "os.mkdir('a')\nos.symlink('a', 'a/a')\nos.symlink('loop', 'loop')\nos.chmod('a', 0)\n"
        "for _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')", "done", ""),
    "its output is cut at 50 GB": ("os.ftruncate(1, 50 << 30)", "error", ""),
    "all descriptors are closed": ("os.closerange(0, 100)", "error", "Python ended"),
    "a signal without a name": ("os.kill(os.getpid(), 37)\nos._exit(3)", "error", "Python "),
    "its modules are deleted": ("sys.modules.clear()", "error", ""),
    "its own errors are deleted": (
        "class Odd(Exception):\n    def __str__(self):\n        raise KeyError(1)\nraise Odd",
        "error", "Odd"),
    "a long message": ("raise ValueError('\\x1b[31m\\n\\u202e' + 'x' * 3_000_000)", "error", "xxx"),
    "a large answer": ("return np.zeros(20_000_000), x, W", "error", "MB are too much"),
    "a list that has itself": ("a = []\na.append(a)\nreturn a, a, a", "wrong", "must be numbers"),
    "an endless generator": (
        "import itertools\nreturn itertools.count(), x, W", "wrong", "must be numbers, got count"),
    "a number of a million digits": ("return 1 << 3_000_000, x, W", "wrong", "must be numbers"),
    "an object that raises whatever is asked": (
        "class Hostile:\n    def __getattr__(self, name):\n        raise KeyError(name)\n"
        "return Hostile()", "error", "KeyError"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
    "GeneratorExit": ("raise GeneratorExit", "error", "GeneratorExit"),
}  # fmt: skip


@linux
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.slow if i % 5 else []) for i, name in enumerate(ENDED)
])  # fmt: skip
def test_whatever_the_code_does_there_is_a_result(tmp_path, name):
    code, state, words = ENDED[name]
    result = check(tmp_path, body(f"{code}\n{RIGHT}"))
    assert result.state == state and words in result.message
    assert len(result.message) < 2100 and result.message.isprintable()


HANGS = {
    "the limit is turned off": "import faulthandler\nfaulthandler.cancel_dump_traceback_later()\n"
    "while True:\n    pass",
    "it stops itself": "os.kill(os.getpid(), signal.SIGSTOP)\nwhile True:\n    pass",
    "it catches everything": "while True:\n    try:\n        while True:\n            pass\n"
    "    except BaseException:\n        pass",
    "half a message": "os.write(3, bytes(7))\nwhile True:\n    pass",
    "a message without an end": "while True:\n    os.write(3, bytes([0, 0, 0, 0, 0, 0, 255, 255]))",
    "it forks without end": "while True:\n    try:\n        os.fork()\n    except OSError:\n"
    "        pass",
    "a child keeps the channel": "if os.fork():\n    os._exit(0)\nos.setsid()\n"
    "while True:\n    pass",
}  # fmt: skip


@linux
@pytest.mark.slow
@pytest.mark.parametrize("name", HANGS)
def test_nothing_runs_beyond_the_limit(tmp_path, name):
    begin = time.monotonic()
    result = check(tmp_path, body(HANGS[name]), seconds=1)
    assert result.state == "error" and time.monotonic() - begin < 12
    assert still_works(tmp_path)


@linux
def test_no_process_outlives_its_check(tmp_path):
    text = body(RIGHT, "import subprocess\nsubprocess.Popen(['sleep', '98765.4'])\n"
                "if os.fork() == 0:\n    os.setsid()\n    if os.fork():\n        os._exit(0)\n"
                "    os.execvp('sleep', ['sleep', '98765.4'])")  # fmt: skip
    result = check(tmp_path, text)
    assert result.state == "done" and "starts another process" in result.notes
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in running if b"98765.4" in command]


KILLS = {
    "its parent": "os.kill(os.getppid(), signal.SIGKILL)",
    "its parents": "for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):\n"
    "    try:\n        if b'student.py' in open(f'/proc/{pid}/cmdline', 'rb').read():\n"
    "            os.kill(pid, signal.SIGKILL)\n    except OSError:\n        pass",
}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("name", KILLS)
def test_killing_the_parent_harms_nobody_else(tmp_path, name):
    assert check(tmp_path, body(f"{KILLS[name]}\nreturn 1, 2, 3")).state in ("wrong", "error")
    assert still_works(tmp_path)


@linux
@pytest.mark.slow
def test_a_check_that_lost_its_process_is_made_again(tmp_path, monkeypatch):
    begin, count = processes.Process.__enter__, []

    def lost_at_first(self):
        begin(self)
        count.append(self)
        if len(count) == 1:
            self.stop()
            monkeypatch.setattr(self, "finish", lambda: "lost")
        return self

    monkeypatch.setattr(processes.Process, "__enter__", lost_at_first)
    assert still_works(tmp_path) and len(count) == 2


@namespaces
def test_a_file_of_another_student_cannot_be_read_and_the_attempt_is_noted(tmp_path):
    other = write(tmp_path, DENSE, solved(DENSE.id))
    other.chmod(0o600)
    folder = tmp_path / "ada"
    folder.mkdir()
    result = check(folder, f"exec(open({str(other)!r}).read())\n")
    assert result.state == "error" and "No such file or directory" in result.message
    assert result.notes == (f"opens {other}",)


@namespaces
@pytest.mark.slow
def test_the_solutions_of_the_repository_cannot_be_read(tmp_path):
    solutions = Path(__file__).with_name("solutions.py")
    result = check(tmp_path, f"exec(open({str(solutions)!r}).read())\n")
    assert "No such file or directory" in result.message
    assert result.notes == (f"opens {solutions}",)


@namespaces
@pytest.mark.slow
def test_the_solutions_are_hidden_where_python_searches_their_folder(tmp_path, monkeypatch):
    """As pytest does when it has collected the tests of another folder too."""
    monkeypatch.setattr(sys, "path", [sys.path[0], str(Path(__file__).parent), *sys.path[1:]])
    monkeypatch.setattr(processes, "SERVERS", {})
    try:
        test_the_solutions_of_the_repository_cannot_be_read(tmp_path)
    finally:
        processes.server().close()


@namespaces
@pytest.mark.slow
def test_a_check_that_could_not_hide_other_folders_is_noted(tmp_path, monkeypatch):
    fails = tmp_path / "fails"
    for name in ("confine", "errors", "noticed", "stand_ins", "student", "wire"):
        text = processes.SCRIPT.with_name(f"{name}.py").read_text("utf-8")
        text = text.replace("whole = True\n", f"whole = not os.path.exists({str(fails)!r})\n")
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.setattr(processes, "SCRIPT", tmp_path / "student.py")
    monkeypatch.setattr(processes, "SERVERS", {})
    try:
        assert check(tmp_path, solved(DENSE.id)).notes == ()
        fails.touch()
        result = check(tmp_path, solved(DENSE.id))
        assert result.state == "done" and "were not hidden" in result.notes[0]
    finally:
        processes.server().close()


@namespaces
@pytest.mark.slow
def test_a_students_code_cannot_write_where_the_grader_can(tmp_path):
    there = tmp_path / "grades.csv"
    result = check(tmp_path, body(f"open({str(there)!r}, 'w')"))
    assert "No such file or directory" in result.message and not there.exists()
    result = check(tmp_path, body("open(f'/proc/{os.getppid()}/fd/1', 'w').write('{}')"))
    assert result.state == "error"


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
def test_only_a_regular_file_of_this_folder_is_read(tmp_path):
    path, other = tmp_path / DENSE.file, tmp_path / "bob" / DENSE.file
    other.parent.mkdir()
    other.write_text(solved(DENSE.id))
    made = {
        "cannot be read: it is a link": lambda: path.symlink_to(other),
        "cannot be read: it is not": lambda: os.mkfifo(path),
        "more than 1 MB": lambda: (path.touch(), os.truncate(path, 50 << 30)),
        "cannot be read": lambda: path.symlink_to(path),
        "it is a link to": lambda: path.symlink_to("/dev/zero"),
        "not found": lambda: path.symlink_to(tmp_path / "nowhere"),
    }
    for words, make in made.items():
        make()
        result = check_file(DENSE, path)
        assert result.state in ("error", "missing") and words in result.message, words
        path.unlink()
    path.symlink_to("dense.py")
    (tmp_path / "dense.py").write_text(solved(DENSE.id))
    assert check_file(DENSE, path).state == "done"


@linux
def test_a_folder_and_a_student_whose_names_are_not_unicode(tmp_path):
    folder = tmp_path / os.fsdecode(b"m\xfcller \xff")
    folder.mkdir()
    result = check_file(DENSE, write(folder, DENSE, solved(DENSE.id)), student=folder.name)
    assert result.state == "done"
    missing = check_file(DENSE, folder / "nothing.py").message
    assert "not found" in missing and missing.isprintable()


@pytest.mark.parametrize("id", ["sigmoid_softplus", "kl_value"])
def test_seterr_in_the_students_file_changes_no_verdict(tmp_path, id):
    text = solved(id) + "\nnp.seterr(all='raise')\n"
    assert check(tmp_path, text, find(id)).state == "done"
    with np.errstate(all="raise"):
        path = write(tmp_path, find(id), solved(id))
        names = {}
        exec(path.read_text("utf-8"), names)
        assert_solved(id, names)


@pytest.mark.parametrize(("limits", "words"), [
    ({"seconds": 0}, "seconds must be 1 or more, got 0"),
    ({"seconds": float("nan")}, "seconds must be"),
    ({"megabytes": 64}, "megabytes must be 256 or more, got 64"),
])  # fmt: skip
def test_limits_that_are_too_small_are_the_teachers_mistake(tmp_path, limits, words):
    with pytest.raises(ValueError, match=words):
        check(tmp_path, solved(DENSE.id), **limits)


@pytest.mark.slow
@pytest.mark.parametrize("id", ["dense_backward", "elbo", "gradient_check", "lstm_step_backward"])
def test_the_smallest_memory_is_enough_for_right_answers(tmp_path, id):
    assert check(tmp_path, solved(id), find(id), megabytes=256).state == "done"


@pytest.mark.slow
def test_what_was_asked_for_and_is_imported_is_noted(tmp_path):
    text = body(
        "layer = Dense(*W.shape, dtype='float64')\nlayer.params['W'] = W\nlayer.forward(x)\n"
        "return layer.backward(dout), layer.grads['W'], layer.grads['b']",
        "from miniae import Dense",
    )
    result = check(tmp_path, text)
    assert result.state == "done" and "imports Dense from miniae" in result.notes
    hidden = text.replace("from miniae import Dense",
                          "Dense = __import__('mini' + 'ae.layers').layers.Dense")  # fmt: skip
    assert "imports miniae.layers" in check(tmp_path, hidden).notes
    assert check(tmp_path, solved(DENSE.id)).notes == ()
    for id in ("elbo", "attention_backward", "gradient_check"):
        assert check(tmp_path, stub(id), find(id)).notes == ()


CHAIN = find("autoencoder_backward")
SAYS_NOT_STARTED = '''
def forward(layers, x):
    """autoencoder_backward: not started yet"""
    "autoencoder_backward: not started yet"
    return forward(layers, x)
'''
KEEPS_WHAT_IS_LENT = (
    "import numpy as np\nkept = {}\n\n\n"
    "def forward(layers, x):\n    kept.setdefault('backward', globals()['backward'])\n"
    "    for layer in layers:\n        x = layer.forward(x)\n    return x\n\n\n"
    "def backward(layers, dout):\n"
    '    raise NotImplementedError("autoencoder_backward: not started yet")\n\n\n'
    "stubbed = backward\n\n\n"
    "def call(layers, dout):\n    return kept['backward'](layers, dout)\n\n\n"
    "globals()['backward'] = call\n"
)


def test_the_library_stands_in_only_for_a_part_that_is_left_as_it_is(tmp_path):
    result = check(tmp_path, f"import numpy as np\n{SAYS_NOT_STARTED}", CHAIN)
    assert result.parts["forward"].state == "error"
    names = {}
    exec(SAYS_NOT_STARTED, names)
    assert next(examine(CHAIN, names))[1] == "error"


@pytest.mark.slow
def test_what_the_library_lends_cannot_be_kept_for_the_part_itself(tmp_path):
    result = check(tmp_path, KEEPS_WHAT_IS_LENT, CHAIN)
    assert result.parts["forward"].state == "done"
    assert result.parts["backward"].state == "error"


CHECK = find("gradient_check")
BY_CLASS = """
def layer_is_right(layer, x):
    names = type(layer).__mro__[0].__name__, repr(layer), type(layer).__qualname__
    return bool(set(names) & {"Dense", "Tanh", "ReLU", "Sigmoid", "Dense(4, 3, 'glorot')"})
"""
BY_CODE = """
import inspect
def layer_is_right(layer, x):
    return "miniae.layers" in (type(layer).__module__, type(layer).backward.__module__,
                               getattr(type(layer), "backward_params", layer.forward).__module__)
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", [BY_CLASS, BY_CODE])
def test_a_layer_does_not_show_whether_it_is_right(tmp_path, text):
    result = check(tmp_path, text, CHECK)
    assert result.parts["layer_is_right"].state == "wrong"
    names = {}
    exec(text, names)
    assert list(examine(CHECK, names))[-1][1] == "wrong"


@linux
@pytest.mark.slow
def test_checks_do_not_meet(tmp_path):
    """A file of an earlier check, or in a shared folder, gives the next one nothing."""
    (tmp_path / "bob").mkdir()
    check(tmp_path, body("return 1, 2, 3", "open('note', 'w').write('x')\nsys.secret = 1"))
    text = body(RIGHT, "print(os.listdir('.'), hasattr(sys, 'secret'))")
    assert check(tmp_path / "bob", text).printed == "[] False\n"


@namespaces
@pytest.mark.slow
def test_the_folder_of_a_check_is_small_and_is_seen_by_no_other(tmp_path):
    full = body("for i in range(100):\n    open(str(i), 'wb').write(bytes(1 << 25))")
    assert "No space left on device" in check(tmp_path, full).message
    assert "File too large" in check(tmp_path, body("os.truncate(1, 1 << 40)")).message
    places = [place for place in ("/tmp", "/var/tmp", "/dev/shm") if os.path.isdir(place)]
    leaves = f"for place in {places}:\n    open(place + '/left', 'w')\nos.mkdir('/tmp/x')"
    assert check(tmp_path, body(f"{leaves}\n{RIGHT}")).state == "done"
    assert not [place for place in places if os.path.exists(f"{place}/left")]


@linux
@pytest.mark.slow
def test_a_library_may_read_what_it_needs_and_the_students_code_is_noted(tmp_path):
    text = body(RIGHT, "import matplotlib.pyplot\nimport sqlite3, zoneinfo, multiprocessing")
    result = check(tmp_path, text)
    assert (result.state, result.notes) == ("done", ())
    hidden = body(RIGHT, "open('x.py', 'w').write('open(\"/etc/passwd\")')\n"
                  "sys.path.append('.')\nimport x")  # fmt: skip
    assert check(tmp_path, hidden).notes == ("opens /etc/passwd",)


def test_half_of_the_memory_of_a_container_is_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "memory_of_container", lambda: 768)
    assert processes.Process(tmp_path, 20, 2048).limits["megabytes"] == 384
    assert processes.Process(tmp_path, 20, 300).limits["megabytes"] == 300
    monkeypatch.setattr(processes, "memory_of_container", lambda: 100)
    assert processes.Process(tmp_path, 20, 2048).limits["megabytes"] == 256


def test_messages_have_one_line_without_codes():
    assert clean("a\n b\t\x1b[31mred\x1b[0m \x1b]0;title\x07x") == "a b red x"
    assert clean("\u202egnp") == "\\u202egnp" and clean("\xe4 \u4e2d") == "\xe4 \u4e2d"
    assert clean("\udcff\x00\x9b") == "\\udcff\\x00\\x9b"
    assert len(clean("x" * 10**7)) == 2000


@pytest.mark.slow
@linux
def test_a_check_leaves_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for code, _, _ in ENDED.values():
        check(tmp_path, body(f"{code}\n{RIGHT}"))
    assert os.listdir(tmp_path / "tmp") == []
    assert (tmp_path / "tmp").stat().st_mode & 0o777 == 0o755  # and that folder is as it was


@pytest.mark.slow
def test_without_fork_the_verdicts_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("miniae.exercises.grader.processes.FORKS", False)
    assert still_works(tmp_path)
    for name in list(FORGED)[2:6]:
        assert check(tmp_path, FORGED[name]).done == 0
    for id in ("elbo", "gradient_check"):
        assert check(tmp_path, solved(id), find(id)).state == "done"
    result = check(tmp_path, body("while True: pass"), seconds=1)
    assert "did not end within 1 s (it stopped in line 6)" in result.message
    result = check(tmp_path, body("while True:\n    print('x' * 1000)"), seconds=5)
    assert "printed more than 1 MB" in result.message
    begin = time.monotonic()
    code = "if os.fork():\n    os._exit(0)\nos.setsid()\nimport time\ntime.sleep(20)"
    keeps = check(tmp_path, body(code), seconds=1)  # this process is not found, and sleeps on
    assert keeps.state == "error" and time.monotonic() - begin < 19


@linux
@pytest.mark.slow
def test_where_there_are_no_namespaces_the_rest_holds(tmp_path, monkeypatch):
    """As in a container without privileges."""
    for name in ("confine", "errors", "noticed", "stand_ins", "student", "wire"):
        text = processes.SCRIPT.with_name(f"{name}.py").read_text("utf-8")
        (tmp_path / f"{name}.py").write_text(text.replace("libc.unshare(", "min(1, "), "utf-8")
    monkeypatch.setattr(processes, "SCRIPT", tmp_path / "student.py")
    monkeypatch.setattr(processes, "SERVERS", {})
    try:
        assert still_works(tmp_path)
        for name in ("rows on every descriptor", "a message of another kind"):
            assert check(tmp_path, FORGED[name]).done == 0
        for code in KILLS.values():
            assert check(tmp_path, body(f"{code}\nreturn 1, 2, 3")).state in ("wrong", "error")
            assert still_works(tmp_path)
        test_no_process_outlives_its_check(tmp_path)
        for name in HANGS:
            test_nothing_runs_beyond_the_limit(tmp_path, name)
    finally:
        processes.server().close()


@pytest.mark.slow
def test_the_command_line_names_a_limit_that_is_too_small(tmp_path):
    write(tmp_path, DENSE, solved(DENSE.id))
    command = [sys.executable, "-m", "miniae.exercises", "check", str(tmp_path), DENSE.id]
    done = subprocess.run([*command, "--seconds", "0"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "seconds must be 1 or more, got 0\n"


@pytest.mark.slow
def test_answers_are_kept_for_comparison(tmp_path):
    wrong = replace(solved(DENSE.id), RIGHT, "return dout @ W.T, 2 * x.T @ dout, dout.sum(axis=0)")
    dx, dW, db = check(tmp_path, wrong).answers["dense_backward"]
    assert dx.dtype == float and dW.ndim == 2 and db.shape == dW.shape[1:]
    for id, part in (("sgd_momentum", "SGD"), ("autoencoder_backward", "train_step")):
        found = check(tmp_path, solved(id), find(id)).answers[part]
        assert len(found) >= 4 and all(np.isfinite(array).all() for array in found)


@pytest.mark.slow
@pytest.mark.parametrize("id", ["gradient_check", "autoencoder_backward", "elbo"])
def test_the_library_stands_in_across_processes(tmp_path, id):
    last = list(find(id).parts)[-1]
    text = stub(id)[: stub(id).index(f"def {last}")] + solved(id)[solved(id).index(f"def {last}") :]
    *open_, state = [verdict.state for verdict in check(tmp_path, text, find(id)).parts.values()]
    assert state == "done" and set(open_) == {"not started"}


@pytest.mark.slow
def test_a_class_may_take_more_than_the_stub_says(tmp_path):
    text = replace(solved("sgd_momentum"), "lr, momentum):", "lr, momentum, nesterov=False):")
    assert check(tmp_path, text, find("sgd_momentum")).state == "done"
