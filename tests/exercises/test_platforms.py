"""Gradescope, nbgrader, notebooks and `watch`: what is written works as it is."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from solutions import solved

from miniae.exercises import EXERCISES, Result, assert_solved, find, practice
from miniae.exercises.__main__ import main
from miniae.exercises.classroom.notebooks import as_assignment, as_notebook, code_of
from miniae.exercises.classroom.platforms import student_of
from miniae.exercises.grader import running
from miniae.exercises.grader.sandbox import Verdict

DENSE, FIRST = find("dense_backward"), find("sigmoid_softplus")
BASH = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("timeout")), reason="bash and timeout are missing"
)


@pytest.fixture(scope="module")
def autograder(tmp_path_factory):
    """An unpacked autograder, as Gradescope has it."""
    folder = tmp_path_factory.mktemp("autograder")
    words = ["dense_backward", "sigmoid_softplus", "--points", "2,dense_backward=5"]
    assert main(["gradescope", str(folder / "a.zip"), *words]) == 0
    with zipfile.ZipFile(folder / "a.zip") as archive:
        archive.extractall(folder / "source")
        modes = {one.filename: one.external_attr >> 16 for one in archive.infolist()}
    assert stat.S_IMODE(modes["run_autograder"]) == stat.S_IMODE(modes["setup.sh"]) == 0o755
    return folder


def graded(autograder, tmp_path, files, users=None, **environment):
    """Run the autograder on files, and return its results by the name of the test."""
    shutil.copytree(autograder / "source", tmp_path / "source")
    for name, text in files.items():
        path = tmp_path / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if users is not None:
        (tmp_path / "submission_metadata.json").write_text(json.dumps({"users": users}))
    environment = {"AUTOGRADER": str(tmp_path), "PYTHON": sys.executable, **environment}
    script = tmp_path / "source" / "run_autograder"
    done = subprocess.run(
        ["bash", str(script)], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert os.listdir(tmp_path / "results") == ["results.json"]
    return json.loads((tmp_path / "results" / "results.json").read_text())


@pytest.mark.slow
def test_the_archive_holds_the_package_and_the_scripts_and_is_the_same_each_time(tmp_path, capsys):
    for name in ("a.zip", "b.zip"):
        assert main(["gradescope", str(tmp_path / name), "adam"]) == 0
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert main(["gradescope", str(tmp_path / "folder")]) == 0
    assert os.listdir(tmp_path / "folder") == ["autograder.zip"]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = set(archive.namelist())
        run = archive.read("run_autograder").decode()
    assert {"setup.sh", "run_autograder", "miniae/__init__.py"} <= names
    assert {f"miniae/exercises/stubs/{e.file}" for e in EXERCISES.values()} <= names
    assert "--only adam" in run and "@" not in run.replace("${", "").replace("@x", "")
    assert main(["gradescope", str(tmp_path / "a.zip"), "adm"]) == 2


def test_limits_of_gradescope_hold_for_all_exercises_by_default(tmp_path):
    main(["gradescope", str(tmp_path / "a.zip")])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        words = archive.read("run_autograder").decode().split()
    number = {key: float(words[words.index(key) + 1]) for key in ("--seconds", "--megabytes")}
    assert 10 <= number["--seconds"] and len(EXERCISES) * (number["--seconds"] + 2) <= 540
    assert 256 <= number["--megabytes"] <= 512  # beside the grader, in 768


@pytest.mark.slow
@BASH
def test_the_autograder_grades_nested_folders_with_the_points(autograder, tmp_path):
    files = {"hw 1/my answers/04_dense_backward (1).py": solved(DENSE.id), "scan.pdf": ""}
    got = graded(autograder, tmp_path, files, [{"email": "ada@x.edu", "id": 7}])
    scores = {test["tags"][0]: (test["score"], test["max_score"]) for test in got["tests"]}
    assert scores == {"dense_backward": (5, 5), "sigmoid_softplus": (0, 2)}


@pytest.mark.slow
@BASH
@pytest.mark.parametrize("case", ["nothing", "no python", "no package", "no metadata"])
def test_there_is_a_results_json_in_any_case(autograder, tmp_path, case):
    files, environment = {DENSE.file: solved(DENSE.id)}, {}
    if case == "nothing":
        (tmp_path / "submission").mkdir()
        files = {}
    elif case == "no python":
        environment["PYTHON"] = str(tmp_path / "python")
    elif case == "no package":
        environment["PYTHON"] = "false"
    got = graded(autograder, tmp_path, files, None, **environment)
    assert "tests" in got if case in ("nothing", "no metadata") else got["score"] == 0


@pytest.mark.slow
@BASH
def test_what_is_checked_before_the_time_is_over_is_in_the_results(autograder, tmp_path):
    source = shutil.copytree(autograder / "source", tmp_path / "short" / "source")
    script = source / "run_autograder"
    text = script.read_text()
    assert text.count("--kill-after=5 570 ") == 1
    script.write_text(text.replace("--kill-after=5 570 ", "--kill-after=5 10 "))
    files = {FIRST.file: solved(FIRST.id), DENSE.file: "while True:\n    pass\n"}
    got = graded(tmp_path / "short", tmp_path, files)
    assert [(test["tags"][0], test["score"]) for test in got["tests"]] == [(FIRST.id, 2)]


def test_the_students_id_comes_from_the_metadata():
    def id(*users):
        return student_of(json.dumps({"users": users}))

    assert id({"email": "b@x", "id": 1}, {"email": "a@x"}) == "a@x+b@x"
    assert id({"id": 12}) == "12" and student_of("") == student_of("[]") == ""


@pytest.mark.parametrize("id", EXERCISES)
def test_a_notebook_has_the_task_the_stub_and_a_check(id):
    exercise = find(id)
    book = json.loads(as_notebook(exercise))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    kinds = [cell["cell_type"] for cell in book["cells"]]
    assert kinds == ["markdown", "code", "code"]
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == 3 and book["cells"][0]["source"][0].startswith("# ")
    names = {}
    exec(code_of(as_notebook(exercise).encode()), names)
    assert any(callable(value) for value in names.values())
    with pytest.raises(AssertionError, match="not started"):
        assert_solved(id, names)


def test_start_writes_notebooks_and_overwrites_nothing(tmp_path, capsys):
    assert main(["start", str(tmp_path), "--notebook"]) == 0
    names = sorted(os.listdir(tmp_path))
    assert names == [Path(e.file).stem + ".ipynb" for e in EXERCISES.values()]
    (tmp_path / names[0]).write_text("mine")
    assert main(["start", str(tmp_path), "--notebook"]) == 0
    assert (tmp_path / names[0]).read_text() == "mine" and "exists" in capsys.readouterr().out


def test_an_assignment_has_a_test_with_points_for_each_part():
    book = json.loads(as_assignment(FIRST, 3))
    about = [cell["metadata"].get("nbgrader") for cell in book["cells"]]
    assert [a["points"] for a in about if a and a["grade"]] == [1.5, 1.5]
    assert about[1] is None  # the student's cell: nbgrader leaves it as it is
    assert all(a["locked"] for a in about if a)
    names = {}
    exec(solved(FIRST.id).replace("return np.maximum", "return 2 * np.maximum"), names)
    assert_solved(FIRST.id, names, part="sigmoid")
    with pytest.raises(AssertionError, match="softplus"):
        assert_solved(FIRST.id, names, part="softplus")


@pytest.mark.slow
def test_nbgrader_makes_and_grades_the_assignment_with_partial_credit(tmp_path):
    pytest.importorskip("nbgrader")
    main(["nbgrader", str(tmp_path), FIRST.id, DENSE.id, "--points", "3", "--assignment", "ps1"])

    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])  # for alembic

    def run(*words):
        command = [sys.executable, "-m", "nbgrader", *words]
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    run("generate_assignment", "ps1", "--create")
    for student in ("ada", "bob"):
        shutil.copytree(tmp_path / "release" / "ps1", tmp_path / "submitted" / student / "ps1")
    path = tmp_path / "submitted" / "ada" / "ps1" / "01_sigmoid_softplus.ipynb"
    book = json.loads(path.read_text())
    text = solved(FIRST.id).replace("return np.maximum", "return 2 * np.maximum")
    book["cells"][1]["source"] = text[text.index("import numpy") :]
    path.write_text(json.dumps(book))
    run("autograde", "ps1", "--create")
    run("export")
    scores = [line.split(",")[3:10:4] for line in (tmp_path / "grades.csv").read_text().split()]
    assert "ada" in scores[1] and (tmp_path / "grades.csv").read_text().count("1.5,6.0") == 1
    assert (tmp_path / "grades.csv").read_text().count("0.0,6.0") == 1
    # The same folders are graded in processes of their own.
    assert main(["report", str(tmp_path / "submitted"), "--only", FIRST.id]) == 1


@pytest.fixture
def verdicts(monkeypatch):
    """Verdicts by the text of a file, so that no process is started; a list of what was checked."""
    calls = []

    def check_file(exercise, path, *_):
        calls.append(exercise.id)
        state = path.read_text("utf-8") if path.exists() else "missing"
        state = state if state in ("done", "wrong", "missing") else "not started"
        return Result(exercise, dict.fromkeys(exercise.parts, Verdict(state)))

    monkeypatch.setattr(running, "check_file", check_file)
    return calls


def test_watch_checks_what_was_saved_and_then_the_next(tmp_path, capsys, verdicts):
    class Chosen:
        student, seconds, megabytes = "", 20, 2048

    ids = list(EXERCISES)
    main(["start", str(tmp_path)])
    watch = practice.Watch(tmp_path, Chosen)
    assert watch.look() and verdicts == ids[:1] and not watch.look()
    (tmp_path / EXERCISES[ids[0]].file).write_text("done")
    verdicts.clear()
    assert watch.look() and verdicts == ids[:2]
    (tmp_path / EXERCISES[ids[3]].file).write_text("done")
    verdicts.clear()
    watch.look()
    assert verdicts == [ids[3], ids[1]]
    verdicts.clear()
    assert f"2 of {len(EXERCISES)} done\nNext: {EXERCISES[ids[1]].file}" in capsys.readouterr().out
    again = practice.Watch(tmp_path, Chosen)  # the progress is kept
    again.look()
    assert verdicts == [ids[1]] and set(again.done) == {ids[0], ids[3]}
    (tmp_path / EXERCISES[ids[0]].file).write_text("wrong")
    again.look()
    assert again.next().id == ids[0]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"x": 1}', "null", "\x00"])
def test_watch_survives_a_file_of_progress_that_cannot_be_read(tmp_path, text):
    (tmp_path / practice.PROGRESS).write_text(text)
    assert practice.Watch(tmp_path, None).done == {}


def test_watch_ends_when_all_is_done_and_needs_exercises(tmp_path, capsys, verdicts):
    assert main(["watch", str(tmp_path)]) == 2
    assert "there are no exercises" in capsys.readouterr().err
    for exercise in EXERCISES.values():
        (tmp_path / exercise.file).write_text("done")
    assert main(["watch", str(tmp_path)]) == 0


def test_the_printed_command_names_an_interpreter_that_works(monkeypatch, tmp_path):
    python = practice.command().removesuffix(" -m miniae.exercises")
    found = shutil.which(python) or python.strip("'")
    assert os.path.samefile(found, sys.executable)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "bin" / "python"))
    assert practice.command() == f"'{tmp_path}/my env/bin/python' -m miniae.exercises"
    monkeypatch.chdir(tmp_path)
    assert practice.command() == "'my env/bin/python' -m miniae.exercises"
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / "my env" / "bin" / "python"))
    assert practice.command() == "python -m miniae.exercises"
