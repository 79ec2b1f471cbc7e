"""Exercises on the command line.

For students:
    python -m miniae.exercises list
    python -m miniae.exercises start DIR [--notebook]    copy the stubs into DIR
    python -m miniae.exercises check [DIR] [ID ...]      check all, or these (ID, number or file)
    python -m miniae.exercises watch DIR                 check on each save
    python -m miniae.exercises hint ID [N]               print the first N hints
    python -m miniae.exercises payoff DIR                train a VAE with the answers, and draw

For teachers:
    python -m miniae.exercises report DIR --csv|--json   results for a gradebook
    python -m miniae.exercises report DIR --html FILE    what the class has misunderstood
    python -m miniae.exercises gradescope OUT [ID ...]   an autograder for Gradescope
    python -m miniae.exercises nbgrader OUT [ID ...]     an assignment for nbgrader

A student's files are never changed. Exit status: 0 if all checked exercises are solved, 1 if not,
2 if the command is not valid, 130 if it was interrupted.
"""

import argparse
import os
import sys
from pathlib import Path

from miniae.exercises import payoff, practice
from miniae.exercises.classroom import grading, platforms
from miniae.exercises.grader.here import SECONDS
from miniae.exercises.grader.processes import BROWSER
from miniae.exercises.practice import asked_for

__all__ = ["asked_for", "main"]


def pay_off(chosen):
    """Train a VAE with the answers in a folder."""
    return payoff.run(chosen.folder)


def parse(argv):
    """Return the arguments of the command line; `run` is the function of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m miniae.exercises",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name, run, help):
        command = commands.add_parser(name, help=help)
        command.set_defaults(run=run)
        return command

    add("list", practice.list_all, "the exercises in teaching order")
    start = add("start", practice.start, "copy the stubs into a folder; overwrites nothing")
    start.add_argument("folder", type=Path)
    start.add_argument("--notebook", action="store_true", help="as notebooks")
    hint = add("hint", practice.hint, "print one or more hints")
    hint.add_argument("id")
    hint.add_argument("n", type=int, nargs="?", default=1, help="the number of hints; default: 1")
    check = add("check", practice.check, "check answers and say what is wrong")
    check.add_argument(
        "what", nargs="*", help="the folder (default: this one) and ids of exercises"
    )
    check.add_argument("--jobs", type=int, default=0, help="checks at the same time")
    watch = add("watch", practice.watch, "check the next unfinished exercise on each save")
    watch.add_argument("folder", type=Path, nargs="?", default=Path())
    last = add("payoff", pay_off, "train a VAE with the answers in a folder, and draw")
    last.add_argument("folder", type=Path, nargs="?", default=Path())
    report = add(
        "report", grading.report, "results of a class, a folder for each student, or of one student"
    )
    grading.add_arguments(report)
    for command in (check, watch, report):
        command.add_argument(
            "--student", default="", help="the student's id; each id gets other random inputs"
        )
        seconds = SECONDS if BROWSER else 20
        command.add_argument(
            "--seconds", type=float, default=seconds, help="limit for each exercise"
        )
        command.add_argument("--megabytes", type=int, default=2048, help="limit for each exercise")
    gradescope = add("gradescope", platforms.gradescope, "write an autograder for Gradescope")
    nbgrader = add("nbgrader", platforms.nbgrader, "write an assignment for nbgrader")
    nbgrader.add_argument("--assignment", default="miniae", help="its name; default: miniae")
    for command in (gradescope, nbgrader):
        command.add_argument("out", type=Path)
        command.add_argument("ids", nargs="*", help="ids of exercises; default: all")
        command.add_argument("--points", default="1", help="such as 5, or 2,elbo=10")
    return parser.parse_args(argv)


def main(argv=None):
    """Run a command and return its exit status."""
    chosen = parse(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A console may have no Unicode; a file is UTF-8 on every system, unless you say so.
            known = stream.isatty() or os.environ.get("PYTHONIOENCODING")
            encoding = stream.encoding if known else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
    try:
        return chosen.run(chosen)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    status = main()
    if not BROWSER:  # a notebook shows an exit status as an error
        sys.exit(status)
