"""Results as text: a table with a progress bar for people, JSON and CSV for programs."""

import csv
import io
import json
import textwrap

from miniae.exercises.grader.worker import clean

WIDTH = 24  # characters of the progress bar
CELL = 1000  # characters of a cell
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and their wide forms


def line(result):
    """Return a line for one exercise, with its message on the lines below."""
    exercise, state = result.exercise, result.state
    progress = f"{result.done} of {len(exercise.parts)}"
    if state == "begun":
        state = progress
    elif state in ("wrong", "error") and result.done:
        state = f"{state}, {progress}"
    lines = [f"{exercise.number:2}  {exercise.id:24} {state:15} {exercise.title}".rstrip()]
    for text in [result.message, *result.notes]:
        lines += textwrap.wrap(text, 92, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def bar(results):
    """Return a progress bar: how many exercises are done."""
    done = sum(result.state == "done" for result in results)
    return f"{drawn(done, len(results))} {done} of {len(results)} done"


def drawn(part, whole):
    """Return a bar of characters for a share."""
    filled = int(WIDTH * part // max(whole, 1e-300))
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}]"


def of_points(got, most):
    """Return how many points of how many there are, for people."""
    return f"{round(got, 2):g} of {round(most, 2):g} points"


def score(result):
    """Return the share of an exercise's parts that are done, from 0 to 1."""
    return result.done / len(result.exercise.parts)


def as_row(result, student, points=1.0, version="", groups=None):
    """Return a dict for the result of one exercise, for JSON and CSV.

    Parameters
    ----------
    result : Result
    student : str
    points : float, for the whole exercise; each part counts the same
    version : str, digits that change with the file
    groups : dict, from the name of a part to the group of its answer; see groups.py
    """
    return {
        "student": student,
        "number": result.exercise.number,
        "exercise": result.exercise.id,
        "state": result.state,
        "score": round(score(result), 4),
        "points": round(points * score(result), 4),
        "max_points": points,
        "diagnosis": result.diagnosis,
        "message": bounded(result.message),
        "diagnoses": " ".join(filter(None, (verdict.diagnosis for verdict in result.bad.values()))),
        "notes": bounded("; ".join(result.notes)),
        "version": version,
        "groups": " ".join(f"{part}:{group}" for part, group in (groups or {}).items()),
    }


COLUMNS = """
    student number exercise state score points max_points diagnosis message diagnoses notes version
    groups
""".split()


def skipped_row(place, why):
    """Return a row for a file that was not graded."""
    row = dict.fromkeys(COLUMNS, "")
    return {**row, "student": place, "state": "skipped", "message": bounded(why)}


def bounded(text):
    """Return text of one line and of bounded length, without control characters."""
    text = clean(text)
    return text if len(text) <= CELL else f"{text[: CELL - 4]} ..."


def cell(value):
    """Return a cell that neither a spreadsheet nor a terminal takes for a command.

    A quote in front keeps a spreadsheet from running a cell as a formula.
    """
    if not isinstance(value, str):
        return value
    text = bounded(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_line(values):
    """Return a line of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([cell(value) for value in values])
    return out.getvalue()


def as_csv(rows):
    """Return rows as CSV, with the names of the columns in the first line."""
    return "".join([csv_line(rows[0]), *(csv_line(row.values()) for row in rows)])


class CsvRows:
    """Write rows as CSV, each as soon as it is there.

    Parameters
    ----------
    out : text file
    """

    def __init__(self, out):
        self.out = out
        self.write(csv_line(COLUMNS))

    def write(self, text):
        """Write text so that it is not lost if the program ends."""
        self.out.write(text)
        self.out.flush()

    def row(self, row):
        """Write one row."""
        self.write(csv_line(row[column] for column in COLUMNS))

    def skipped(self, found):
        """CSV has only the rows of students: what was skipped is on stderr."""

    def close(self):
        """End the text."""


class JsonRows(CsvRows):
    """Write rows as a list of JSON, each as soon as it is there; the list is closed in any case."""

    def __init__(self, out):
        self.out, self.first = out, True

    def row(self, row):
        """Write one row."""
        text = textwrap.indent(json.dumps(row, indent=2), "  ")
        self.write(("[\n" if self.first else ",\n") + text)
        self.first = False

    def skipped(self, found):
        """Write a row for each file that was not graded."""
        for place, why in found:
            self.row(skipped_row(place, why))

    def close(self):
        """End the list."""
        self.write("[]\n" if self.first else "\n]\n")


class TextRows(CsvRows):
    """Write one line per student: a bar, the exercises that are done, and the points."""

    def __init__(self, out, count):
        self.out, self.count, self.rows = out, count, []

    def row(self, row):
        """Keep a row, and write the line of a student whose exercises are all there."""
        self.rows.append(row)
        if len(self.rows) == self.count:
            self.close()

    def close(self):
        """Write the line of the present student."""
        if self.rows:
            done = sum(row["state"] == "done" for row in self.rows)
            got, most = (sum(row[key] for row in self.rows) for key in ("points", "max_points"))
            text = f"{drawn(done, len(self.rows))} {done} of {len(self.rows)} done"
            student = bounded(self.rows[0]["student"])
            self.write(f"{student:24} {text}, {of_points(got, most)}\n")
            self.rows = []


def as_gradescope(rows, titles):
    """Return the results.json of Gradescope's autograder, with a test for each exercise.

    rows : list of dict, those of one student
    titles : dict, from the id of an exercise to its title
    """
    tests = [
        {
            "name": f"{row['number']}. {titles[row['exercise']]}",
            "number": str(row["number"]),
            "score": row["points"],
            "max_score": row["max_points"],
            "status": "passed" if row["state"] == "done" else "failed",
            "output": "\n".join(filter(None, (row["message"] or row["state"], row["notes"]))),
            "tags": [row["exercise"]],
        }
        for row in rows
    ]
    return json.dumps({"tests": tests}, indent=2) + "\n"
