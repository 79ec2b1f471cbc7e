"""Exercises on the command line.

    python -m miniae.exercises list
    python -m miniae.exercises start DIR                 copy the stubs into DIR
    python -m miniae.exercises check [DIR] [ID ...]      check all, or these (ID, number or file)
    python -m miniae.exercises hint ID [N]               print the first N hints
    python -m miniae.exercises report DIR --csv|--json   results for a gradebook

A student's files are never changed. Exit status: 0 if all checked exercises are solved, 1 if not,
2 if the command is not valid, 130 if it was interrupted.
"""

import argparse
import difflib
import json
import os
import shlex
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from miniae.exercises import EXERCISES, check_file, find
from miniae.exercises.catalogue import STUBS, recognise
from miniae.exercises.report import as_csv, as_gradescope, as_rows, bar, line
from miniae.exercises.sandbox import STOP

RUN = "python -m miniae.exercises"


def parse(argv):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog=RUN, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the exercises in teaching order")
    start = commands.add_parser("start", help="copy the stubs into a folder; overwrites nothing")
    start.add_argument("folder", type=Path)
    hint = commands.add_parser("hint", help="print one or more hints")
    hint.add_argument("id")
    hint.add_argument("n", type=int, nargs="?", default=1, help="the number of hints; default: 1")
    check = commands.add_parser("check", help="check answers and say what is wrong")
    check.add_argument(
        "what", nargs="*", help="the folder (default: this one) and ids of exercises"
    )
    report = commands.add_parser(
        "report", help="results of one student's folder, or of a folder with a folder per student"
    )
    report.add_argument("folder", type=Path)
    kind = report.add_mutually_exclusive_group()
    kind.add_argument("--csv", action="store_true", help="a row for each student and exercise")
    kind.add_argument("--json", action="store_true", help="the same rows as JSON")
    kind.add_argument("--gradescope", action="store_true", help="results.json of one student")
    for command in (check, report):
        command.add_argument(
            "--student", default="", help="the student's id; each id gets other random inputs"
        )
        command.add_argument("--seconds", type=float, default=20, help="limit for each exercise")
        command.add_argument("--megabytes", type=int, default=2048, help="limit for each exercise")
    return parser.parse_args(argv)


def start(folder):
    """Copy the stubs into a folder; keep the files that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    new = 0
    for exercise in EXERCISES.values():
        try:
            with open(folder / exercise.file, "x", encoding="utf-8") as file:
                file.write((STUBS / exercise.file).read_text("utf-8"))
            new += 1
        except FileExistsError:
            print(f"{exercise.file} exists already and is not changed")
    first = next(iter(EXERCISES.values()))
    print(f"{new} exercises copied to {folder}. Open {first.file}, write your code, then run:")
    print(f"  {RUN} check {shlex.quote(str(folder))} {first.id}")
    return 0


def examine(exercises, folder, chosen, student, show=None):
    """Check exercises in a folder, several at the same time, and return the results in order."""

    def one(exercise):
        path = folder / exercise.file
        return check_file(exercise, path, student, chosen.seconds, chosen.megabytes)

    cores = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):  # a container may use fewer than the machine has
        cores = len(os.sched_getaffinity(0))
    results = []
    STOP.clear()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for result in pool.map(one, exercises):
                results.append(result)
                if show:
                    show(line(result))
        except BaseException:  # usually Ctrl-C: end all running checks and start no more
            STOP.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def asked_for(words):
    """Return the folder and the exercises that the arguments of `check` name."""
    folders, ids = set(), {}
    for word in words:
        path, exercise = Path(word), recognise(word)
        if path.is_dir() and word not in EXERCISES:
            folders.add(path)
        elif exercise:
            ids[exercise.id] = exercise
        elif recognise(path.name) and path.suffix:
            folders.add(path.parent)
            ids[recognise(path.name).id] = recognise(path.name)
        else:
            near = difflib.get_close_matches(word, EXERCISES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{word} is neither a folder nor an exercise{hint}")
    if len(folders) > 1:
        raise ValueError(f"check takes one folder; got {', '.join(sorted(map(str, folders)))}")
    return folders.pop() if folders else Path(), list(ids.values()) or list(EXERCISES.values())


def has_answers(folder):
    """Return whether a folder has the file of at least one exercise."""
    return any((folder / exercise.file).is_file() for exercise in EXERCISES.values())


def check(chosen):
    """Check the answers in one folder, and print the results."""
    folder, asked = asked_for(chosen.what)
    if len(asked) > 1 and not has_answers(folder):
        at = shlex.quote(str(folder))
        raise ValueError(f"there are no exercises in {at}; `{RUN} start {at}` copies them there")
    results = examine(asked, folder, chosen, chosen.student, lambda text: print(text, flush=True))
    if len(results) == 1 and results[0].printed and results[0].state != "done":
        print(textwrap.indent("It printed:\n" + results[0].printed.rstrip(), "    "))
    if len(results) > 1:
        print(bar(results))
    unsolved = [result.exercise for result in results if result.state != "done"]
    if unsolved:
        print(f"Next: {unsolved[0].file}; for a hint: {RUN} hint {unsolved[0].id}")
        return 1
    return 0


def report(chosen):
    """Print the results of one student's folder, or of a folder with a folder per student."""
    exercises = list(EXERCISES.values())
    if not chosen.folder.is_dir():
        raise ValueError(f"folder {str(chosen.folder)!r} not found")
    inside = [f for f in sorted(chosen.folder.iterdir()) if f.is_dir()]
    students = {f.name: f for f in inside if not f.name.startswith((".", "__"))}
    if chosen.gradescope:  # students may hand in other folders too
        students = {name: folder for name, folder in students.items() if has_answers(folder)}
    if has_answers(chosen.folder) or (chosen.gradescope and not students):
        students = {chosen.student or chosen.folder.resolve().name: chosen.folder}
    if not students:
        raise ValueError(f"{chosen.folder} has neither answers nor folders of students")
    if chosen.gradescope and len(students) > 1:
        raise ValueError(f"--gradescope is for one student, {chosen.folder} has {len(students)}")
    rows, solved = [], True
    for student, folder in students.items():
        results = examine(exercises, folder, chosen, student)
        solved &= all(result.state == "done" for result in results)
        rows += as_rows(results, student)
        if not (chosen.csv or chosen.json or chosen.gradescope):
            print(f"{student:24} {bar(results)}", flush=True)
    if chosen.csv:
        print(as_csv(rows), end="")
    elif chosen.json:
        print(json.dumps(rows, indent=2))
    elif chosen.gradescope:
        print(as_gradescope(results), end="")
    return int(not solved)


def main(argv=None):
    """Run a command and return its exit status."""
    chosen = parse(argv)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # for consoles without Unicode
    try:
        if chosen.command == "list":
            for e in EXERCISES.values():
                print(f"{e.number:2}  {e.id:24} {e.minutes:3} min  {e.title}")
            return 0
        if chosen.command == "start":
            return start(chosen.folder)
        if chosen.command == "hint":
            hints = (recognise(chosen.id) or find(chosen.id)).hints
            for i, hint in enumerate(hints[: max(chosen.n, 1)], 1):
                print(textwrap.fill(f"{i} of {len(hints)}: {hint}", 96))
            return 0
        return check(chosen) if chosen.command == "check" else report(chosen)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
