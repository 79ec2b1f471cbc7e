"""Finding answers: whatever students hand in is found, or listed with the reason."""

import io
import json
import os
import sys
import zipfile

import pytest
from solutions import solved, stub

from miniae.exercises import EXERCISES, find
from miniae.exercises.classroom.files import SOURCE, Found, matches
from miniae.exercises.classroom.notebooks import as_notebook, code_of
from miniae.exercises.classroom.submissions import answers_in, choose, submissions_in

DENSE, FIRST = find("dense_backward"), find("sigmoid_softplus")
POSIX = pytest.mark.skipif(os.name != "posix", reason="names and files of POSIX")


def write(path, text=None):
    """Write an answer, by default the solution of dense_backward, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(solved(DENSE.id) if text is None else text, "utf-8")
    return path


def packed(files):
    """Return a zip archive as bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def found(folder):
    """Return the students of a class and the ids of what each has answered, and the skipped."""
    submissions, skipped = submissions_in(folder)
    return {one.student: set(one.answers) for one in submissions}, dict(skipped)


@pytest.mark.parametrize(
    "place",
    [
        "04_dense_backward.py",
        "my answers/04_dense_backward.py",
        "ada/04_dense_backward.py",
        "a/b/c/04_dense_backward.py",
        ".hidden/04_dense_backward.py",
        "04_dense_backward (1).py",
        "04_dense_backward-2.py",
        "04_dense_backward - Copy.py",
        "Copy of 04_dense_backward.py",
        "04_Dense_Backward.PY",
        "dense_backward.py",
        "7_dense_backward_final.py",
        "lovelaceada_123_456_04_dense_backward-1.py",
    ],
)
@pytest.mark.parametrize("student", ["ada", "__ada", ".ada", "ada lovelace", "\u00e4\u4e2d"])
def test_an_answer_is_found_under_names_that_platforms_and_people_make(tmp_path, student, place):
    write(tmp_path / student / place)
    write(tmp_path / "bob" / DENSE.file)
    students, _ = found(tmp_path)
    assert students == {student: {DENSE.id}, "bob": {DENSE.id}}


def test_a_name_belongs_to_the_longest_id_in_it():
    assert matches("19_hunt_adam.py") == "hunt_adam" and matches("my_adam.py") == "adam"
    assert matches("adamant.py") is None and matches("test_adam.py") is None
    assert all(matches(exercise.file) == id for id, exercise in EXERCISES.items())


@POSIX
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has UTF-8 names only")
def test_a_folder_name_that_is_not_utf_8_is_a_student(tmp_path):
    folder = os.fsencode(tmp_path) + b"/M\xfcller"
    os.makedirs(folder)
    with open(folder + b"/04_dense_backward.py", "w") as file:
        file.write(solved(DENSE.id))
    assert found(tmp_path)[0] == {r"M\xfcller": {DENSE.id}}


@pytest.mark.parametrize("text", ["stub", "docstring", "solved"])
def test_a_stray_file_in_the_class_folder_does_not_hide_the_students(tmp_path, text):
    for name in ("ada", "bob"):
        write(tmp_path / name / DENSE.file)
    text = {"stub": stub(DENSE.id), "solved": solved(DENSE.id)}.get(
        text, stub(DENSE.id).replace("a dense layer", "x")
    )
    write(tmp_path / DENSE.file, text)
    students, skipped = found(tmp_path)
    assert set(students) == {"ada", "bob"} and "beside the folders" in skipped[DENSE.file]


def test_one_students_folder_with_an_older_copy_inside_is_one_student(tmp_path):
    write(tmp_path / "ada" / DENSE.file)
    old = write(tmp_path / "ada" / "old" / DENSE.file, solved(DENSE.id) + "# old\n")
    os.utime(old, (1, 1))
    submissions, skipped = submissions_in(tmp_path / "ada")
    assert [one.student for one in submissions] == ["ada"]
    assert submissions[0].answers[DENSE.id].place == (DENSE.file,)
    assert skipped == [(f"old/{DENSE.file}", f"{DENSE.file} is graded instead")]


def test_of_several_versions_the_newest_that_is_changed_is_graded_and_named(tmp_path):
    times = {"a.py": 3000, " (2).py": 9000, " (1).py": 6000, "_new.py": 12000}
    for end, time in times.items():
        path = write(tmp_path / "ada" / f"04_dense_backward{end.removeprefix('a')}")
        if end == "_new.py":
            path.write_text(stub(DENSE.id), "utf-8")
        os.utime(path, (time, time))
    one = answers_in(tmp_path / "ada")
    assert one.answers[DENSE.id].place == ("04_dense_backward (2).py",)
    (note,) = one.notes[DENSE.id]
    assert note.startswith("graded 04_dense_backward (2).py of ") and "newest of 4" in note
    assert len(one.skipped) == 3


@pytest.mark.parametrize("time", [1e15, -1e15])
def test_a_time_that_the_system_does_not_have_is_not_in_the_note(time):
    files = [Found((name, DENSE.file), time, data=b"x = 1") for name in "ab"]
    (note,) = choose("ada", files, []).notes[DENSE.id]
    assert note == f"graded a/{DENSE.file}, the newest of 2 versions"


def test_versions_of_the_same_time_are_ordered_by_their_number(tmp_path):
    for end in ("", " (1)", " (10)", " (9)"):
        os.utime(write(tmp_path / f"04_dense_backward{end}.py"), (1000, 1000))
    assert answers_in(tmp_path).answers[DENSE.id].place == ("04_dense_backward (10).py",)


def test_a_class_in_a_folder_of_its_own_or_in_an_archive_is_found(tmp_path):
    for name in ("ada", "bob"):
        write(tmp_path / "class" / "submissions" / name / DENSE.file)
    assert set(found(tmp_path / "class")[0]) == {"ada", "bob"}
    text = solved(DENSE.id)
    (tmp_path / "class.zip").write_bytes(
        packed({f"{name}/hw/{DENSE.file}": text for name in ("ada", "bob")})
    )
    assert found(tmp_path / "class.zip")[0] == {"ada": {DENSE.id}, "bob": {DENSE.id}}


def test_archives_are_students_or_parts_of_what_a_student_handed_in(tmp_path):
    text, first = solved(DENSE.id), solved(FIRST.id)
    inner = packed({FIRST.file: first})
    (tmp_path / "x.zip").write_bytes(packed({f"x/hw/{DENSE.file}": text, "more.zip": inner}))
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "hw.zip").write_bytes(packed({DENSE.file: text}))
    assert found(tmp_path)[0] == {"x": {DENSE.id, FIRST.id}, "bob": {DENSE.id}}


def test_an_archive_writes_nothing_outside_and_is_read_within_limits(tmp_path):
    (tmp_path / "class").mkdir()
    bomb = packed(
        {"04_dense_backward.py": "#" * (1 << 21), **dict.fromkeys(map(str, range(9)), "")}
    )
    files = {f"../../../{DENSE.file}": solved(DENSE.id), "/etc/01_sigmoid_softplus.py": "x = 1"}
    (tmp_path / "class" / "eve.zip").write_bytes(packed(files))
    (tmp_path / "class" / "mallory.zip").write_bytes(bomb)
    (tmp_path / "class" / "bad.zip").write_bytes(b"PK\x03\x04 and more")
    students, skipped = found(tmp_path / "class")
    assert students["eve"] == {DENSE.id, FIRST.id} and students["mallory"] == set()
    assert "too large" in skipped["mallory/04_dense_backward.py"]
    assert "cannot be read" in skipped["bad.zip"]
    assert sorted(os.listdir(tmp_path)) == ["class"] and len(os.listdir(tmp_path / "class")) == 3


@POSIX
def test_links_pipes_and_what_cannot_be_opened_are_listed(tmp_path):
    write(tmp_path / "ada" / DENSE.file)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "eve").symlink_to("ada")
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / DENSE.file).symlink_to(tmp_path / "ada" / DENSE.file)
    os.mkfifo(tmp_path / "bob" / FIRST.file)
    students, skipped = found(tmp_path)
    assert students == {"ada": {DENSE.id}, "bob": set()}
    assert set(skipped) == {"loop", "eve", f"bob/{DENSE.file}", f"bob/{FIRST.file}"}


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_listed(tmp_path):
    write(tmp_path / "ada" / DENSE.file)
    (tmp_path / "bob").mkdir(0o000)
    students, skipped = found(tmp_path)
    assert students == {"ada": {DENSE.id}, "bob": set()} and "cannot be read" in skipped["bob"]


def test_what_is_not_an_answer_is_listed_where_it_may_be_one(tmp_path):
    write(tmp_path / "ada" / DENSE.file)
    write(tmp_path / "ada" / "notes.txt", "")
    for name in ("answers.tar.gz", "homework.py", "scan.pdf"):
        write(tmp_path / "bob" / name, "")
    _, skipped = found(tmp_path)
    assert set(skipped) == {"bob/answers.tar.gz", "bob/homework.py", "bob/scan.pdf"}


def test_folders_of_tools_are_not_students(tmp_path):
    for name in ("__MACOSX", ".git", "ada/.ipynb_checkpoints", "ada/__pycache__"):
        write(tmp_path / name / DENSE.file)
    write(tmp_path / "ada" / f"._{DENSE.file}")
    assert found(tmp_path) == ({"ada": set()}, {})


def test_a_notebook_is_an_answer_without_its_magics_and_checks(tmp_path):
    book = json.loads(as_notebook(DENSE))
    code = solved(DENSE.id).split('"""', 2)[2]
    book["cells"][1]["source"] = [
        "%matplotlib inline\n",
        "!pip install x\n",
        *code.splitlines(True),
    ]
    data = json.dumps(book)
    assert "assert_solved(" in data
    names = {}
    exec(code_of(data.encode()), names)
    assert callable(names["dense_backward"]) and "assert_solved" not in names
    write(tmp_path / "ada" / "04_dense_backward.ipynb", data)
    assert found(tmp_path)[0] == {"ada": {DENSE.id}}
    path = answers_in(tmp_path / "ada").path(DENSE, tmp_path)
    assert path == tmp_path / DENSE.file and b"def dense_backward" in path.read_bytes()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"cells": [1]}', b"[" * 10**5])
def test_a_notebook_that_cannot_be_read_is_a_value_error(data):
    with pytest.raises(ValueError, match="the notebook cannot be read"):
        code_of(data)


def test_a_notebook_may_be_longer_than_a_file_because_of_its_pictures(tmp_path):
    book = json.loads(as_notebook(DENSE))
    book["cells"][1]["outputs"] = [{"data": {"image/png": "A" * (2 * SOURCE)}}]
    write(tmp_path / "ada" / "04_dense_backward.ipynb", json.dumps(book))
    (tmp_path / "bob.zip").write_bytes(packed({"04_dense_backward.ipynb": json.dumps(book)}))
    for one in submissions_in(tmp_path)[0]:
        assert b"def dense_backward" in one.source(DENSE.id)


@pytest.mark.slow
def test_an_archive_with_a_class_has_the_limits_of_many_students(tmp_path):
    files = {f"student{k}/{DENSE.file}": "x = 1" for k in range(6000)}
    (tmp_path / "class.zip").write_bytes(packed(files))
    students, skipped = found(tmp_path / "class.zip")
    assert len(students) == 6000 and not skipped
    (tmp_path / "class.zip").rename(tmp_path / "eve.zip")
    (tmp_path / "class").mkdir()
    (tmp_path / "eve.zip").rename(tmp_path / "class" / "eve.zip")
    _, skipped = found(tmp_path / "class")
    assert any("more than 5000 files" in why for why in skipped.values())


def test_an_archive_in_a_folder_belongs_to_the_student_of_the_folder(tmp_path):
    (tmp_path / "ada.zip").mkdir()
    (tmp_path / "ada.zip" / "hw.zip").write_bytes(packed({DENSE.file: solved(DENSE.id)}))
    write(tmp_path / "bob" / FIRST.file, solved(FIRST.id))
    assert found(tmp_path)[0] == {"ada.zip": {DENSE.id}, "bob": {FIRST.id}}
