"""The report of a class: rows as they come, points, resume, summary, cells, Ctrl-C."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
from make_class import make_class
from solutions import solved, stub

from miniae.exercises import EXERCISES, Result, find
from miniae.exercises.__main__ import main
from miniae.exercises.catalogue import recognise
from miniae.exercises.classroom.grading import exercises_of, points_of
from miniae.exercises.classroom.report import COLUMNS, as_csv, as_row, bounded, skipped_row
from miniae.exercises.classroom.summary import misconceptions, sentence, summarise
from miniae.exercises.grader import running
from miniae.exercises.grader.sandbox import Verdict

DENSE, FIRST = find("dense_backward"), find("sigmoid_softplus")
TRAP = "=2+3\x1b]0;title\x07\r\nx" + "y" * 5000 + "<script>alert(1)</script>"


def hand_in(folder, exercise, text):
    """Write a student's file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / exercise.file).write_text(text, "utf-8")


@pytest.fixture
def verdicts(monkeypatch):
    """A function that gives verdicts by the text of a file, so that no process is started."""
    calls = []

    def check_file(exercise, path, student, *_):
        calls.append((student, exercise.id))
        text = path.read_text("utf-8") if path.exists() else "missing"
        if text == "broken grader":
            raise RuntimeError("broken")
        state, _, rest = text.partition(" ")
        message, _, diagnosis = rest.partition(" @")
        known = dict.fromkeys(exercise.parts, Verdict("done"))
        known[next(iter(known))] = Verdict(state, message, diagnosis)
        return Result(exercise, known)

    monkeypatch.setattr(running, "check_file", check_file)
    return calls


def rows_of(capsys, *words):
    """Run a report and return its rows."""
    main(["report", *map(str, words), "--csv"])
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_only_some_exercises_count_and_have_their_points(tmp_path, capsys, verdicts):
    hand_in(tmp_path / "ada", DENSE, "done")
    hand_in(tmp_path / "bob", FIRST, "wrong it is @sigmoid_softplus.tanh")
    for ids in (["dense_backward", "1"], ["dense_backward,sigmoid_softplus"], ["4", "1"]):
        rows = rows_of(capsys, tmp_path, "--points", "3,dense_backward=5", "--only", *ids)
        got = {(r["student"], r["exercise"]): (float(r["points"]), r["max_points"]) for r in rows}
        assert got["ada", DENSE.id] == (5, "5.0") and got["bob", FIRST.id] == (1.5, "3.0")
        assert len(rows) == 4
    assert main(["report", "--only", DENSE.id, str(tmp_path / "ada")]) == 0
    assert "1 of 1 done, 1 of 1 points" in capsys.readouterr().out
    assert main(["report", str(tmp_path), "--only", "dense_bckward"]) == 2
    assert "did you mean 'dense_backward'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["x", "adam=", "-1", "nan", "inf", "adm=3", "2;3"])
def test_points_that_are_not_points_are_refused(text):
    with pytest.raises(ValueError, match=re.escape(text.split("=")[0])):
        points_of(text)


def test_points_are_for_all_or_for_one():
    assert set(points_of("2").values()) == {2.0}
    assert points_of("adam=3,2")["adam"] == 3 and points_of("elbo=0.5")["adam"] == 1
    assert len(exercises_of([])) == len(EXERCISES)


def test_an_error_of_the_grader_itself_costs_one_row_only(tmp_path, capsys, verdicts):
    for name, text in (("ada", "broken grader"), ("bob", "done")):
        hand_in(tmp_path / name, DENSE, text)
    ada, bob = rows_of(capsys, tmp_path, "--only", DENSE.id)
    assert ada["state"] == "error" and "broken" in ada["message"] and bob["state"] == "done"


def test_what_is_wrong_with_a_notebook_is_in_its_row(tmp_path, capsys, verdicts):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "04_dense_backward.ipynb").write_text("{}")
    (row,) = rows_of(capsys, tmp_path, "--only", DENSE.id)
    assert row["state"] == "error" and "notebook cannot be read" in row["message"]


def test_cells_are_safe_for_spreadsheets_and_terminals(tmp_path, capsys, verdicts, monkeypatch):
    hand_in(tmp_path / "=cmd()", DENSE, "wrong " + TRAP.replace(" ", ""))
    for words in (["--csv"], ["--json"], [], ["--summary"], ["--summary", "--csv"], ["--html"]):
        main(["report", str(tmp_path), "--only", DENSE.id, *words])
        out = capsys.readouterr().out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
        assert max(map(len, out.splitlines())) < 4000
        if "--csv" in words:
            cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    (row,) = rows_of(capsys, tmp_path, "--only", DENSE.id)
    assert row["student"] == "'=cmd()"
    assert len(bounded("x" * 10**6)) == 1000
    assert as_csv([{"a": "\uff1d1", "b": -1.5}]) == "a,b\n'\uff1d1,-1.5\n"


def test_what_was_skipped_is_on_stderr_in_json_and_on_the_page(tmp_path, capsys, verdicts):
    hand_in(tmp_path / "ada", DENSE, "done")
    (tmp_path / "ada" / "answers.rar").write_bytes(b"")
    main(["report", str(tmp_path), "--json", "--html", str(tmp_path / "page.html")])
    got = capsys.readouterr()
    assert "skipped ada/answers.rar: an archive of this kind" in got.err
    last = json.loads(got.out)[-1]
    assert (last["student"], last["state"]) == ("ada/answers.rar", "skipped")
    assert "ada/answers.rar" in (tmp_path / "page.html").read_text("utf-8")


def test_a_stray_stub_is_nobodys_answer(tmp_path, capsys, verdicts):
    hand_in(tmp_path / "ada", FIRST, "done")
    (tmp_path / "bob").mkdir()
    hand_in(tmp_path, DENSE, stub(DENSE.id))
    states = {(r["student"], r["state"]) for r in rows_of(capsys, tmp_path, "--only", DENSE.id)}
    assert states == {("ada", "missing"), ("bob", "missing")}


def test_the_id_of_one_student_is_not_given_to_a_class(tmp_path, capsys, verdicts):
    for name in ("ada", "bob"):
        hand_in(tmp_path / name, DENSE, "done")
    assert main(["report", str(tmp_path), "--student", "exam"]) == 2
    assert "--student is for one student" in capsys.readouterr().err


def test_resume_checks_what_is_missing_or_has_changed_only(tmp_path, capsys, verdicts):
    folder, kept = tmp_path / "class", tmp_path / "kept.csv"
    for name in ("ada", "bob", "=eve"):
        hand_in(folder / name, DENSE, f"done {name}")
    words = (folder, "--only", DENSE.id, "--resume", kept)
    first = rows_of(capsys, *words)
    assert len(verdicts) == 3 and rows_of(capsys, *words) == first and len(verdicts) == 3
    text = kept.read_bytes()
    kept.write_bytes(text[: text.rindex(b",done") + 3])  # a row that is written by half
    hand_in(folder / "ada", DENSE, "wrong x")
    verdicts.clear()
    rows = rows_of(capsys, *words)
    assert len(verdicts) == 2 and {r["student"]: r["state"] for r in rows}["ada"] == "wrong"
    verdicts.clear()
    assert rows_of(capsys, *words) == rows and not verdicts
    assert rows_of(capsys, *words, "--points", "7")[0]["max_points"] == "7.0"


def test_resume_refuses_a_file_that_is_not_a_report(tmp_path, capsys, verdicts):
    hand_in(tmp_path / "ada", DENSE, "done")
    other = tmp_path / "thesis.csv"
    other.write_text("a,b\n1,2\n")
    assert main(["report", str(tmp_path), "--resume", str(other)]) == 2
    assert "not a report" in capsys.readouterr().err and other.read_text() == "a,b\n1,2\n"


def test_rows_come_one_by_one_and_an_interruption_keeps_them(tmp_path, capsys, monkeypatch):
    for name in ("ada", "bob", "cy"):
        hand_in(tmp_path / name, DENSE, "")

    def check_file(exercise, path, student, *_):
        if student == "cy":
            raise KeyboardInterrupt
        return Result(exercise, dict.fromkeys(exercise.parts, Verdict("done")))

    monkeypatch.setattr(running, "check_file", check_file)
    words = ["report", str(tmp_path), "--only", DENSE.id, "--jobs", "1"]
    for kind in ("--csv", "--json"):
        assert main([*words, kind]) == 130
        out = capsys.readouterr().out
        rows = json.loads(out) if kind == "--json" else list(csv.DictReader(io.StringIO(out)))
        assert [row["student"] for row in rows] == ["ada", "bob"]
    assert main([*words, "--summary", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["exercises"][0]["done_by"] == ["ada", "bob"]


def a_class(capsys, tmp_path, verdicts):
    """Return the summary of a class of four."""
    for name, text in {
        "ada": "done",
        "bob": "wrong dW is a mean. dW[0, 1] is 1, should be 4 (shape (3, 4)) @dense_backward.m",
        "cy": "wrong dW is a mean. dW[2, 0] is 7, should be 8 (shape (3, 4)) @dense_backward.m",
        "dora": "error line 3: `x <b>`: NameError: name 'y' @dense_backward.error",
    }.items():
        hand_in(tmp_path / name, DENSE, text)
    main(["report", str(tmp_path), "--only", DENSE.id, "--summary", "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_summary_counts_who_is_done_and_the_misconceptions(tmp_path, capsys, verdicts):
    whole = a_class(capsys, tmp_path, verdicts)
    (one,) = whole["exercises"]
    assert (one["done"], one["wrong"], one["error"], one["done_by"]) == (1, 2, 1, ["ada"])
    common, error = one["misconceptions"]
    assert (common["diagnosis"], common["count"]) == ("dense_backward.m", 2)
    assert common["sentence"] == "dW is a mean." and common["students"] == ["bob", "cy"]
    assert error["sentence"] == "NameError: name 'y'"
    totals = {one["student"]: one["points"] for one in whole["students"]}
    assert totals == {"ada": 1, "bob": 0, "cy": 0, "dora": 0}


def test_a_diagnosis_has_the_sentence_of_its_exercise_also_if_it_is_not_the_first():
    def row(student, diagnoses, message):
        parts = dict.fromkeys(("state", "notes", "version", "groups"), "")
        first = diagnoses.partition(" ")[0]
        about = {"diagnosis": first, "diagnoses": diagnoses, "message": message}
        points = {"number": 1, "score": 0, "points": 0, "max_points": 1}
        return {**parts, "student": student, "exercise": DENSE.id, **points, **about}

    id, unknown = f"{DENSE.id}.db_is_mean", f"{DENSE.id}.named_by_a_teacher"
    rows = [
        row(
            "ada", f"{DENSE.id}.scaled {id} {unknown}", "f: a factor of 3. dx[0] is 1, should be 3"
        ),
        row("bob", id, "f: something else. db.T[0] is 1, should be 2 (shape (5,))"),
        row("cy", f"{DENSE.id}.error", "line 3: `x`: NameError: name 'x'"),
        row("dora", f"{DENSE.id}.error", "line 1: `def`: SyntaxError: invalid syntax"),
        row("eve", f"{DENSE.id}.time", "f: not within 20 s (it stopped in line 7): is it endless?"),
    ]
    rows = [{**one, "state": "wrong"} for one in rows]
    found = [(m["diagnosis"], m["count"], m["sentence"]) for m in misconceptions(rows)]
    assert found == [
        (id, 2, DENSE.mistakes["db_is_mean"]),
        (f"{DENSE.id}.scaled", 1, "a factor of 3."),
        (unknown, 1, ""),
        (f"{DENSE.id}.error", 1, "NameError: name 'x'"),
        (f"{DENSE.id}.error", 1, "SyntaxError: invalid syntax"),
        (f"{DENSE.id}.time", 1, "not within 20 s: is it endless?"),
    ]


def test_a_summary_is_text_and_csv_too(tmp_path, capsys, verdicts):
    a_class(capsys, tmp_path, verdicts)
    words = ["report", str(tmp_path), "--only", DENSE.id, "--summary"]
    main(words)
    out = capsys.readouterr().out
    assert "1 of 4 done" in out and "2 x dense_backward.m: dW is a mean." in out
    assert "ada" in out and "1 of 1 points" in out
    main([*words, "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    (row,) = [r for r in rows if r["diagnosis"] == "dense_backward.m"]
    assert (row["kind"], row["count"], row["of"]) == ("misconception", "2", "4")


class Tags(HTMLParser):
    """The tags of a page, and whether they are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_one_file_with_bars_that_asks_for_nothing_outside(tmp_path, capsys, verdicts):
    a_class(capsys, tmp_path, verdicts)
    hand_in(tmp_path / "<script>", DENSE, "wrong <script>alert('x')</script>&")
    main(["report", str(tmp_path), "--only", DENSE.id, "--html"])
    text = capsys.readouterr().out
    page = Tags(text)
    assert not page.open and not {"script", "link", "img", "iframe"} & {t for t, _ in page.seen}
    assert not re.search(r"https?:|src=|url\(|@import", text)
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in text and "dW is a mean." in text
    widths = [a["style"] for t, a in page.seen if t == "i" and "width" in a.get("style", "")]
    assert any(w.startswith("width:20.00%") for w in widths)  # ada of five
    for needed in ("prefers-color-scheme: dark", "max-width: 40em", "forced-color-adjust: none"):
        assert needed in text


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["--csv", "--html"])
def test_a_report_in_a_file_is_utf_8_whatever_the_system_writes(tmp_path, kind):
    (tmp_path / "Jörg").mkdir()
    old = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": ""}
    command = [sys.executable, "-m", "miniae.exercises", "report", ".", kind, "--only", DENSE.id]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **old}, capture_output=True)
    assert "Jörg" in done.stdout.decode("utf-8") and done.returncode == 1


def test_a_class_to_measure_has_right_and_wrong_answers_of_which_none_is_missing(tmp_path):
    chosen = make_class(tmp_path, students=5, exercises=20)
    texts = {path: path.read_text("utf-8") for path in tmp_path.glob("*/*.py")}
    assert len(texts) == 100 and len(chosen) == 20
    right = sum(text == solved(recognise(path.name).id) for path, text in texts.items())
    assert 40 <= right <= 80


def test_a_sentence_is_the_message_without_the_numbers_of_one_student():
    said = {
        "kl: the sign is wrong. kl is -1.5, should be 1.5": "the sign is wrong.",
        "f: is x lost? entry [0, 1] of the mean is 1, should be 2 (shape (2, 3))": "is x lost?",
        "f: one. two: three. W has shape (3, 4), should be (4, 3)": "one. two: three.",
        "f: dx[0] is 1, should be 2": "dx[0] is 1, should be 2",
        "not found": "not found",
    }
    for message, right in said.items():
        assert sentence({"message": message}) == right


def test_a_summary_of_nothing_is_a_summary():
    assert summarise([]) == {"exercises": [], "students": [], "skipped": []}


def test_a_row_has_the_columns_that_are_written():
    row = running.Result(DENSE, dict.fromkeys(DENSE.parts, Verdict("done")))
    assert list(as_row(row, "ada")) == COLUMNS == list(skipped_row("x", "why"))


def listen_to_ctrl_c():
    """Undo what the shell does for a program in the background: it ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_keeps_the_rows_and_the_next_run_goes_on(tmp_path):
    folder, kept = tmp_path / "class", tmp_path / "kept.csv"
    for name in "abcde":
        hand_in(folder / name, DENSE, solved(DENSE.id))
    hand_in(folder / "d", DENSE, "while True:\n    pass\n")
    command = [sys.executable, "-m", "miniae.exercises", "report", str(folder), "--csv"]
    command += ["--only", DENSE.id, "--resume", str(kept), "--jobs", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=listen_to_ctrl_c
    ) as running_report:
        lines = [running_report.stdout.readline() for _ in range(4)]  # they come at once
        time.sleep(0.5)
        running_report.send_signal(signal.SIGINT)
        rest = running_report.communicate(timeout=20)[0]
    assert running_report.returncode == 130 and not rest
    assert [line.split(",")[0] for line in lines] == ["student", "a", "b", "c"]
    done = subprocess.run([*command, "--seconds", "2"], capture_output=True, text=True, timeout=60)
    states = [row["state"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert states == ["done", "done", "done", "error", "done"]
    assert "5 of 5 checks (100 %)" in done.stderr
