"""The command `report`: check what a class has handed in, and write rows, a summary or groups."""

import contextlib
import csv
import os
import sys
from pathlib import Path

from miniae.exercises.catalogue import EXERCISES, recognise
from miniae.exercises.classroom import groups, summary, summary_page
from miniae.exercises.classroom.files import readable
from miniae.exercises.classroom.report import (
    COLUMNS,
    CsvRows,
    JsonRows,
    TextRows,
    as_gradescope,
    as_row,
    cell,
    csv_line,
)
from miniae.exercises.classroom.submissions import Submission, answers_in, submissions_in
from miniae.exercises.grader.processes import require
from miniae.exercises.grader.running import Progress, check_answer, cores, in_order, version_of
from miniae.exercises.grader.sandbox import require_limits
from miniae.plumbing.names import choose

NUMBERS = ("score", "points", "max_points")


def add_arguments(parser):
    """Add the arguments of `report`."""
    parser.add_argument("folder", type=Path, nargs="?", help="a folder or zip archive")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--csv", action="store_true", help="a row for each student and exercise")
    kind.add_argument("--json", action="store_true", help="the same rows as JSON")
    kind.add_argument("--gradescope", action="store_true", help="results.json of one student")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--summary", action="store_true", help="what the class has done and misunderstood"
    )
    what.add_argument(
        "--groups", action="store_true", help="wrong answers without a diagnosis, grouped"
    )
    parser.add_argument(
        "--html", nargs="?", const="-", metavar="FILE", help="the summary as a page"
    )
    parser.add_argument("--names", type=Path, metavar="FILE", help="names of groups, see --groups")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="only these exercises")
    parser.add_argument(
        "--points",
        default="1",
        help="points of an exercise, such as 5, or 2,elbo=10; each part counts the same",
    )
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="keep the rows there; go on after a break"
    )
    parser.add_argument("--jobs", type=int, default=0, help="checks at the same time")


def settle(chosen):
    """Mend arguments that took the folder, since `--only IDS FOLDER` is natural too."""
    if chosen.folder is None and chosen.only and not recognise(chosen.only[-1]):
        chosen.folder = Path(chosen.only.pop())
    if chosen.folder is None and chosen.html not in (None, "-"):
        chosen.folder, chosen.html = Path(chosen.html), "-"
    if chosen.folder is None:
        raise ValueError("report needs the folder with what the students have handed in")
    if not chosen.folder.exists():
        raise ValueError(f"folder {readable(str(chosen.folder))!r} not found")
    return chosen


def exercises_of(words):
    """Return the exercises that these words name, in order; all of them if there is no word."""
    words = [word for text in words for word in text.split(",") if word]
    wanted = {(recognise(word) or choose(EXERCISES, word, "exercise")).id for word in words}
    return [e for e in EXERCISES.values() if e.id in wanted or not wanted]


def points_of(text):
    """Return a dict from the id of each exercise to its points.

    text : str, such as "5", "elbo=10", "2,elbo=10,adam=3"
    """
    usual, special = 1.0, {}
    for item in filter(None, text.split(",")):
        word, equals, number = item.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e6:
            raise ValueError(f"--points has {item!r}; it must be like 5 or 2,elbo=10")
        if equals:
            special[exercises_of([word])[0].id] = value
        else:
            usual = value
    return {id: special.get(id, usual) for id in EXERCISES}


class Kept:
    """Rows in a file, which is written as they come, and read after a break.

    Parameters
    ----------
    path : Path or None, to keep nothing
    """

    def __init__(self, path):
        self.rows, self.file = {}, None
        if path is None:
            return
        if path.exists():
            self.read(path)
        self.file = open(path, "a", encoding="utf-8", newline="")
        if not self.rows and not path.stat().st_size:
            self.write(csv_line(COLUMNS))

    def read(self, path):
        """Read the rows that are whole, and cut off what is not."""
        if is_stdout(path):
            raise ValueError(f"--resume {path}: print the report to another file")
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        lines = whole.decode("utf-8").splitlines()
        if lines and lines[0] != csv_line(COLUMNS).strip():
            raise ValueError(f"{path} is not a report that --csv or --resume has written")
        for row in csv.DictReader(lines):
            try:
                row |= {key: float(row[key]) for key in NUMBERS} | {"number": int(row["number"])}
            except (TypeError, ValueError):
                continue
            self.rows[row["student"], row["exercise"]] = row
        if len(whole) < len(text):
            with open(path, "r+b") as file:
                file.truncate(len(whole))

    def find(self, student, exercise, version, with_groups):
        """Return the row of an answer if the file has not changed since, or None."""
        row = self.rows.get((cell(student), exercise.id))
        if row is None or row["version"] != version:
            return None
        if row["state"] == "error" and not row["diagnosis"]:  # it may be the grader's
            return None
        no_group = row["state"] == "wrong" and not row["groups"]
        if with_groups and no_group and groups.gives_no_reason(row["diagnosis"]):
            return None
        return {**row, "student": student}

    def write(self, text):
        """Write text so that it is not lost if the program ends."""
        if self.file:
            self.file.write(text)
            self.file.flush()

    def close(self):
        """Close the file."""
        if self.file:
            self.file.close()


def is_stdout(path):
    """Return whether the output of this program goes to a file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):  # no output, or not to a file
        return False


def find_submissions(chosen):
    """Return the submissions to grade, and what was skipped."""
    if chosen.gradescope:
        found, skipped = submissions_in(chosen.folder, chosen.student)
        found = [one for one in found if one.answers]
        if len(found) > 1:
            raise ValueError(f"--gradescope is for one student, {chosen.folder} has {len(found)}")
        return found or [answers_in(chosen.folder, chosen.student)], skipped
    if chosen.student:
        found, _ = submissions_in(chosen.folder)
        if len(found) > 1:
            raise ValueError(f"--student is for one student, {chosen.folder} has {len(found)}")
    found, skipped = submissions_in(chosen.folder, chosen.student)
    return found, skipped


def checked(job, chosen, points, kept):
    """Return the row of one answer, and whether it is new."""
    submission, exercise = job
    with_groups = bool(chosen.groups or chosen.names)
    version = version_of(submission, exercise)
    row = kept.find(submission.student, exercise, version, with_groups)
    worth = points[exercise.id]
    if row:
        return {**row, "max_points": worth, "points": round(worth * row["score"], 4)}, False
    result = check_answer(submission, exercise, chosen)

    def again():
        return check_answer(submission, exercise, chosen, "")

    found = groups.groups_of(result, again) if with_groups else {}
    return as_row(result, submission.student, worth, version, found), True


def report(chosen):
    """Check what was handed in, and print rows, a summary or groups."""
    require("report")
    chosen = settle(chosen)
    require_limits(chosen.seconds, chosen.megabytes)
    exercises, points = exercises_of(chosen.only), points_of(chosen.points)
    names = groups.read_names(chosen.names) if chosen.names else {}
    submissions, skipped = find_submissions(chosen)
    for place, why in skipped:
        print(f"skipped {place}: {why}", file=sys.stderr)
    if not submissions:
        raise ValueError(f"{chosen.folder} has neither answers nor folders of students")
    jobs = [(one, exercise) for one in submissions for exercise in exercises]
    kept, rows = Kept(chosen.resume), []
    progress = Progress(len(jobs) if len(submissions) > 1 else 0)
    page_only = chosen.html == "-"
    aside = chosen.gradescope or chosen.summary or chosen.groups or page_only
    out = None if aside else writer(chosen, len(exercises))
    try:
        workers = chosen.jobs or cores()
        results = in_order(
            lambda job: progress.step(checked(job, chosen, points, kept)), jobs, workers
        )
        with contextlib.closing(results):
            for row, new in results:
                if new:
                    kept.write(csv_line(row[column] for column in COLUMNS))
                row = groups.name_row(row, names)
                rows.append(row)
                if out:
                    out.row(row)
    finally:  # after Ctrl-C too, with the rows that are there
        kept.close()
        if out:
            out.skipped(skipped)
            out.close()
        finish(chosen, rows, skipped, submissions)
    return int(any(row["state"] != "done" for row in rows))


def writer(chosen, count):
    """Return what writes the rows."""
    if chosen.csv:
        return CsvRows(sys.stdout)
    return JsonRows(sys.stdout) if chosen.json else TextRows(sys.stdout, count)


def finish(chosen, rows, skipped, submissions):
    """Print the summary, the page or the groups."""
    if chosen.gradescope:
        titles = {id: exercise.title for id, exercise in EXERCISES.items()}
        print(as_gradescope(rows, titles), end="", flush=True)  # it may be killed soon
    found = groups.collect(rows) if chosen.groups else []
    source_of = sources(submissions)
    if chosen.groups and chosen.json:
        print(groups.as_json(found, source_of), end="")
    elif chosen.groups and chosen.html != "-":
        print(groups.as_text(found, source_of), end="")
    if not chosen.summary and not chosen.html:
        return
    whole = summary.summarise(rows, skipped)
    if chosen.summary and chosen.html != "-":
        kind = summary.as_csv if chosen.csv else summary.as_json
        print((kind if chosen.csv or chosen.json else summary.as_text)(whole), end="")
    if chosen.html:
        shown = [(groups.heading(one), groups.example(one, source_of)) for one in found]
        page = summary_page.page(whole, readable(chosen.folder.resolve().name), shown)
        if chosen.html == "-":
            print(page, end="")
        else:
            Path(chosen.html).write_text(page, "utf-8")


def sources(submissions):
    """Return a function of (student, exercise) that returns the bytes of a student's file."""
    by_student = {one.student: one for one in submissions}

    def source_of(student, exercise):
        return by_student.get(student, Submission(student)).source(exercise)

    return source_of
