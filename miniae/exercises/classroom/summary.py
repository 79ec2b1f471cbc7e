"""What a class has done and misunderstood, from the rows of a report: as text, CSV, JSON."""

import json
import re
from collections import Counter

from miniae.exercises.catalogue import EXERCISES, diagnoses, sentence_of
from miniae.exercises.classroom.report import bounded, csv_line, drawn, of_points

STATES = ("done", "begun", "wrong", "error", "not started", "missing")
COMMONEST = 5  # misconceptions that are shown for each exercise
UNNAMED = "not named"
# The end of a message, which has the numbers of one student.
NUMBERS = re.compile(
    r"^(.*[.?]) [^.?]*?( is [^ ]+, should be | has shape \(.*?\), should be ).*$", re.DOTALL
)
LINE = re.compile(r"^line \d+: (`.*?`: )?| \(it stopped in line \d+\)")
SEVERAL = ("error", UNNAMED)  # each stands for several mistakes, which their sentences tell apart


def summarise(rows, skipped=()):
    """Return what the rows say about the class: a dict with exercises, students, skipped.

    Parameters
    ----------
    rows : list of dict, see `report.as_row`
    skipped : list of (path, reason)
    """
    ids = [id for id in EXERCISES if any(row["exercise"] == id for row in rows)]
    return {
        "exercises": [of_exercise(id, [r for r in rows if r["exercise"] == id]) for id in ids],
        "students": of_students(rows),
        "skipped": [{"file": place, "reason": why} for place, why in skipped],
    }


def of_exercise(id, rows):
    """Return what the rows of one exercise say."""
    states = Counter(row["state"] for row in rows)
    return {
        "exercise": id,
        "number": EXERCISES[id].number,
        "title": EXERCISES[id].title,
        "students": len(rows),
        **{state: states[state] for state in STATES},
        "done_by": [row["student"] for row in rows if row["state"] == "done"],
        "mean_score": round(sum(row["score"] for row in rows) / len(rows), 4),
        "misconceptions": misconceptions(rows),
    }


def misconceptions(rows):
    """Return the diagnoses in rows, the commonest first, with a sentence and the students."""
    found = {}
    for row in rows:
        if row["state"] not in ("wrong", "error"):
            continue
        first = row["diagnosis"] or UNNAMED  # the message is about this one
        for id in dict.fromkeys([first, *row["diagnoses"].split()]):
            said = sentence(row) if id == first else ""
            key = id, said if id.rpartition(".")[2] in SEVERAL else ""
            sentences, students = found.setdefault(key, (Counter(), []))
            students.append(row["student"])
            sentences.update([said] if said else [])
    ordered = sorted(found.items(), key=lambda item: -len(item[1][1]))
    return [
        {
            "diagnosis": id,
            "count": len(students),
            "sentence": sentence_for(id, said),
            "students": students,
        }
        for (id, _), (said, students) in ordered
    ]


def sentence_for(diagnosis, said):
    """Return the exercise's sentence for a diagnosis, or else the commonest of those in `said`."""
    exercise, _, key = diagnosis.partition(".")
    if exercise in EXERCISES and key in EXERCISES[exercise].mistakes:
        return EXERCISES[exercise].mistakes[key]
    if said:
        return said.most_common(1)[0][0]
    return sentence_of(diagnosis) if diagnosis in diagnoses() or key.startswith("edit_") else ""


def sentence(row):
    """Return the message of a row without what belongs to one student: part, line, numbers."""
    part, _, said = row["message"].partition(": ")
    said = LINE.sub("", said if part.isidentifier() else row["message"])
    return bounded(NUMBERS.sub(r"\1", said))


def of_students(rows):
    """Return the totals of each student."""
    totals = {}
    for row in rows:
        total = totals.setdefault(
            row["student"],
            {
                "student": row["student"],
                "done": 0,
                "exercises": 0,
                "points": 0.0,
                "max_points": 0.0,
            },
        )
        total["done"] += row["state"] == "done"
        total["exercises"] += 1
        total["points"] = round(total["points"] + row["points"], 4)
        total["max_points"] = round(total["max_points"] + row["max_points"], 4)
    return list(totals.values())


def as_text(summary):
    """Return the summary for people."""
    lines = []
    for one in summary["exercises"]:
        lines.append(
            f"{one['number']:2}  {one['exercise']:24} {drawn(one['done'], one['students'])} "
            f"{one['done']} of {one['students']} done"
        )
        for wrong in one["misconceptions"][:COMMONEST]:
            lines.append(f"    {wrong['count']:4} x {wrong['diagnosis']}: {wrong['sentence']}")
    lines.append("")
    for total in summary["students"]:
        lines.append(
            f"{bounded(total['student']):24} {drawn(total['points'], total['max_points'])} "
            f"{total['done']} of {total['exercises']} done, "
            f"{of_points(total['points'], total['max_points'])}"
        )
    return "\n".join(lines) + "\n"


def as_json(summary):
    """Return the summary as JSON."""
    return json.dumps(summary, indent=2) + "\n"


def as_csv(summary):
    """Return the summary as CSV: a row for each exercise and misconception, then the totals."""
    text = csv_line(["kind", "exercise", "student", "diagnosis", "count", "of", "points", "text"])
    for one in summary["exercises"]:
        id, of = one["exercise"], one["students"]
        for state in STATES:
            text += csv_line(["state", id, "", "", one[state], of, "", state])
        for wrong in one["misconceptions"]:
            values = [wrong["diagnosis"], wrong["count"], of, "", wrong["sentence"]]
            text += csv_line(["misconception", id, "", *values])
    for total in summary["students"]:
        values = ["", total["done"], total["exercises"], total["points"]]
        text += csv_line(["student", "", total["student"], *values, f"of {total['max_points']:g}"])
    return text
