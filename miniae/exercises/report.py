"""Results as text: a table with a progress bar for people, JSON and CSV for programs."""

import csv
import io
import json
import textwrap

WIDTH = 24  # characters of the progress bar


def line(result):
    """Return a line for one exercise, with its message on the lines below."""
    exercise, state = result.exercise, result.state
    progress = f"{result.done} of {len(exercise.parts)}"
    if state == "begun":
        state = progress
    elif state in ("wrong", "error") and result.done:
        state = f"{state}, {progress}"
    lines = [f"{exercise.number:2}  {exercise.id:24} {state:15} {exercise.title}".rstrip()]
    if result.message:
        lines += textwrap.wrap(result.message, 92, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def bar(results):
    """Return a progress bar: how many exercises are done."""
    done = sum(result.state == "done" for result in results)
    filled = WIDTH * done // max(len(results), 1)
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done} of {len(results)} done"


def score(result):
    """Return the share of an exercise's parts that are done, from 0 to 1."""
    return result.done / len(result.exercise.parts)


def as_rows(results, student):
    """Return a dict for each exercise, for JSON and CSV."""
    return [
        {
            "student": student,
            "number": result.exercise.number,
            "exercise": result.exercise.id,
            "state": result.state,
            "score": round(score(result), 4),
            "diagnosis": result.diagnosis,
            "message": result.message,
        }
        for result in results
    ]


def as_csv(rows):
    """Return rows as CSV; a quote in front keeps a spreadsheet from running a cell as a formula."""
    out, formula = io.StringIO(), ("=", "+", "-", "@", "\t", "\r")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"'{v}" if str(v).startswith(formula) else v for k, v in row.items()})
    return out.getvalue()


def as_gradescope(results, points=1.0):
    """Return the results.json of Gradescope's autograder, with a test for each exercise."""
    tests = [
        {
            "name": f"{result.exercise.number}. {result.exercise.title}",
            "number": str(result.exercise.number),
            "score": round(points * score(result), 4),
            "max_score": points,
            "status": "passed" if result.state == "done" else "failed",
            "output": result.message or result.state,
            "tags": [result.exercise.id],
        }
        for result in results
    ]
    return json.dumps({"tests": tests}, indent=2) + "\n"
