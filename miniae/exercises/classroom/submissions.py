"""Find the answers of a class: whose file is an answer to which exercise.

What is not graded is listed with the reason.
"""

import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from miniae.exercises.catalogue import EXERCISES, STUBS
from miniae.exercises.classroom.files import JUNK, Found, Walk, is_notebook, matches, readable
from miniae.exercises.grader.worker import definition

ARCHIVES = (".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
CLASS = 20  # times the limits of one student, for an archive with a class
SAME_TIME = 2  # seconds: an archive stores times no better


@dataclass
class Submission:
    """What one student has handed in.

    student : str, the student's id
    answers : dict, from the id of an exercise to a `Found`
    notes : dict, from the id of an exercise to a list of str, about the file that was chosen
    skipped : list of (path, reason)
    folder : Path of the student's folder, or None if it is an archive
    """

    student: str
    answers: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    skipped: list = field(default_factory=list)
    folder: Path | None = None

    def path(self, exercise, scratch):
        """Return the path to check; a file of an archive or notebook is written into `scratch`."""
        found = self.answers.get(exercise.id)
        if found is None:
            return (self.folder or Path(scratch)) / exercise.file
        if found.path is not None and not is_notebook(found.place[-1]):
            return found.path
        path = Path(scratch) / exercise.file
        path.write_bytes(found.code())
        return path

    def source(self, exercise):
        """Return the code that answers an exercise (an id) as bytes; b"" if there is none."""
        try:
            return self.answers[exercise].code() if exercise in self.answers else b""
        except (OSError, ValueError):
            return b""


def is_stub(exercise, data):
    """Return whether a file is the stub of an exercise, without changes."""
    stub = (STUBS / exercise.file).read_bytes()
    if len(data) > 4 * len(stub):  # to parse a long file takes time
        return False
    return data == stub or all(
        definition(data, part) == definition(stub, part) for part in exercise.parts
    )


def choose(student, found, skipped):
    """Return the `Submission` of the files that were found: for each exercise one file."""
    submission = Submission(student, skipped=list(skipped))
    versions, others = {}, []
    for file in found:
        id = matches(file.place[-1])
        if id:
            versions.setdefault(id, []).append(file)
        else:
            others.append(file)
    for id, files in versions.items():
        best = files[0]
        if len(files) > 1:
            best = max(files, key=lambda file: rank(EXERCISES[id], file))
        submission.answers[id] = best
        place = "/".join(map(readable, best.place))
        if len(files) > 1:
            note = f"graded {place}{of_time(best.time)}, the newest of {len(files)} versions"
            submission.notes[id] = [note]
            lost = [file.place for file in files if file is not best]
            submission.skipped += [
                ("/".join(map(readable, other)), f"{place} is graded instead") for other in lost
            ]
        elif best.place != (EXERCISES[id].file,):
            submission.notes[id] = [f"graded {place}"]
    for file in others:
        name = file.place[-1].lower()
        if name.endswith(ARCHIVES):
            why = "an archive of this kind is not read: unpack it, or hand in a zip"
        elif name.endswith((".py", ".ipynb")):
            why = "its name has no exercise's id"
        elif not versions:
            why = "it is not an answer to an exercise"
        else:
            continue
        submission.skipped.append(("/".join(map(readable, file.place)), why))
    return submission


def of_time(seconds):
    """Return when a file was written, as text; "" for a time that the system does not have."""
    try:
        return f" of {datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return ""


def rank(exercise, file):
    """Return what is larger for the better version: changed, newer, a higher number, less deep."""
    try:
        changed = not is_stub(exercise, file.code())
    except (OSError, ValueError):
        changed = False
    number = re.search(r"(\d+)\D*\.\w+$", file.place[-1].partition(exercise.id)[2])
    return changed, file.time // SAME_TIME, int(number[1][:9]) if number else 0, -len(file.place)


def answers_in(folder, student=""):
    """Return the `Submission` of one student's folder or zip archive."""
    folder, walk = Path(folder), Walk()
    if folder.is_dir():
        walk.folder(folder)
    else:
        walk.archive(folder, (folder.name,))
        for file in walk.found:
            file.place = file.place[1:]
    one = choose(student or name_of(folder), walk.found, walk.skipped)
    one.folder = folder if folder.is_dir() else None
    return one


def name_of(folder):
    """Return the student's id that the name of a folder or archive gives."""
    return readable(folder.resolve().name.removesuffix(".zip"))


def submissions_in(folder, student=""):
    """Return the submissions in a folder or zip archive, and what was skipped.

    Each folder or archive inside is a student. If there is none, or `student` is given, the folder
    is that of one student.

    Parameters
    ----------
    folder : Path
    student : str, the id if the folder is that of one student

    Returns
    -------
    list of Submission, list of (path, reason)
    """
    if student:
        one = answers_in(folder, student)
        return [one], one.skipped
    if folder.is_dir():
        return of_class(folder)
    walk = Walk(CLASS)
    walk.archive(folder, (folder.name,))
    files = [Found(file.place[1:], file.time, data=file.data) for file in walk.found]
    skipped = [(place.partition("/")[2] or place, why) for place, why in walk.skipped]
    return sorted_out(folder, files, skipped, {f.place[0] for f in files if len(f.place) > 1})


def of_class(folder):
    """Return the submissions in a folder, and what was skipped."""
    found, skipped, students = [], [], set()
    for name in sorted(os.listdir(folder)):
        if name in JUNK or name.startswith("._"):
            continue
        walk = Walk()  # each student has limits of their own
        walk.entry(folder / name, (name,))
        found += walk.found
        skipped += walk.skipped
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            students.add(name)
        students |= {file.place[0] for file in walk.found if len(file.place) > 1}
    return sorted_out(folder, found, skipped, students)


def sorted_out(folder, found, skipped, students):
    """Return the submissions, one for each student, and what was skipped.

    found : list of Found
    skipped : list of (path, reason)
    students : set of str, the names of folders that may be those of students
    """
    loose = [file for file in found if len(file.place) == 1]
    inside = [file for file in found if len(file.place) > 1]
    own = [file for file in loose if matches(file.place[-1])]
    with_answers = {file.place[0] for file in inside if matches(file.place[-1])}
    nested = inner(own, inside, students, with_answers)
    if nested:
        files = [Found(f.place[1:], f.time, f.path, f.data) for f in inside if f.place[0] == nested]
        rest = [(place.removeprefix(f"{readable(nested)}/"), why) for place, why in skipped]
        return sorted_out(
            folder / nested, files, rest, {f.place[0] for f in files if len(f.place) > 1}
        )
    changed = any(not is_stub(EXERCISES[matches(f.place[-1])], f.read()) for f in own)
    if own and (not with_answers or (changed and len(with_answers) < 2)):
        one = choose(name_of(folder), found, skipped)
        one.folder = folder if folder.is_dir() else None
        return [one], one.skipped
    for file in loose:
        why = "it lies beside the folders of the students; for one student's folder add --student"
        skipped.append((readable(file.place[0]), why))
    result, by_student = [], {}
    for f in inside:
        own = Found(f.place[1:], f.time, f.path, f.data)
        by_student.setdefault(f.place[0], []).append(own)
    for name in sorted(students):
        files = by_student.get(name, [])
        if not files and name.startswith((".", "__")):
            skipped.append((readable(name), "it is empty"))
            continue
        one = choose(readable(name), files, [])
        one.folder = folder / name if (folder / name).is_dir() else None
        skipped += [(f"{one.student}/{place}", why) for place, why in one.skipped]
        if not one.answers and name.startswith((".", "__")):
            skipped.append((readable(name), "it has no answers"))
            continue
        result.append(one)
    return result, skipped


def inner(own, inside, students, with_answers):
    """Return the only folder, if the folders of the students are in it; otherwise None."""
    if own or len(students) != 1 or not with_answers:
        return None
    (name,) = with_answers
    answers = [(file.place[1], matches(file.place[-1])) for file in inside if len(file.place) > 2]
    direct = any(len(file.place) == 2 and matches(file.place[-1]) for file in inside)
    ids = [id for _, id in set(answers) if id]
    folders = {folder for folder, id in answers if id}
    return name if not direct and len(folders) > 1 and len(ids) > len(set(ids)) else None
