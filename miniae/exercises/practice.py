"""The commands of a student: `list`, `start`, `hint`, `check` and `watch`."""

import difflib
import json
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from miniae.exercises.catalogue import EXERCISES, STUBS, find, recognise
from miniae.exercises.classroom.files import matches
from miniae.exercises.classroom.notebooks import as_notebook
from miniae.exercises.classroom.report import bar, drawn, line
from miniae.exercises.classroom.submissions import answers_in
from miniae.exercises.grader.processes import BROWSER
from miniae.exercises.grader.running import check_all, check_answer, version_of
from miniae.exercises.grader.sandbox import require_limits

PROGRESS = ".progress.json"  # what `watch` has seen to be done, in the student's folder
POLL = 0.5  # seconds between two looks at the folder


def command():
    """Return the words that run this module with this Python, in a form that a shell takes.

    In a browser there is no shell, and the words are for a notebook.
    """
    if BROWSER:
        return "%run -m miniae.exercises"
    python = sys.executable or "python"
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and os.path.normcase(os.path.abspath(found)) == os.path.normcase(python):
            return f"{name} -m miniae.exercises"
    near = os.path.relpath(python) if python.startswith(os.getcwd() + os.sep) else python
    return f"{quoted(near)} -m miniae.exercises"


def quoted(path):
    """Return a path in a form that a shell takes."""
    path = str(path)
    return subprocess.list2cmdline([path]) if os.name == "nt" else shlex.quote(path)


def list_all(_):
    """Print the exercises in teaching order."""
    for e in EXERCISES.values():
        print(f"{e.number:2}  {e.id:24} {e.minutes:3} min  {e.title}")
    return 0


def hint(chosen):
    """Print the first hints of an exercise."""
    hints = (recognise(chosen.id) or find(chosen.id)).hints
    for i, text in enumerate(hints[: max(chosen.n, 1)], 1):
        print(textwrap.fill(f"{i} of {len(hints)}: {text}", 96))
    return 0


def start(chosen):
    """Copy the stubs into a folder, as files or notebooks; keep the files that are there."""
    folder, new = chosen.folder, 0
    folder.mkdir(parents=True, exist_ok=True)
    for exercise in EXERCISES.values():
        path, text = folder / exercise.file, (STUBS / exercise.file).read_text("utf-8")
        if chosen.notebook:
            path, text = path.with_suffix(".ipynb"), as_notebook(exercise)
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
            new += 1
        except FileExistsError:
            print(f"{path.name} exists already and is not changed")
    first = next(iter(EXERCISES.values()))
    name = Path(first.file).with_suffix(".ipynb" if chosen.notebook else ".py")
    print(f"{new} exercises copied to {folder}. Open {name}, write your code, then run:")
    print(f"  {command()} check {quoted(folder)} {first.id}")
    return 0


def asked_for(words):
    """Return the folder and the exercises that the arguments of `check` name."""
    folders, ids = set(), {}
    for word in words:
        path, exercise = Path(word), recognise(word)
        if path.is_dir() and word not in EXERCISES:
            folders.add(path)
        elif exercise:
            ids[exercise.id] = exercise
        elif path.suffix and (recognise(path.name) or (path.is_file() and matches(path.name))):
            exercise = recognise(path.name) or EXERCISES[matches(path.name)]
            folders.add(path.parent)
            ids[exercise.id] = exercise
        else:
            near = difflib.get_close_matches(word, EXERCISES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{word} is neither a folder nor an exercise{hint}")
    if len(folders) > 1:
        raise ValueError(f"check takes one folder; got {', '.join(sorted(map(str, folders)))}")
    return folders.pop() if folders else Path(), list(ids.values()) or list(EXERCISES.values())


def check(chosen):
    """Check the answers in one folder, and print the results."""
    folder, asked = asked_for(chosen.what)
    require_limits(chosen.seconds, chosen.megabytes)
    submission = handed_in(folder, chosen.student)
    if len(asked) > 1 and not submission.answers:
        at = quoted(folder)
        raise ValueError(f"there are no exercises in {at}; `{command()} start {at}` copies them")
    results = []
    for result in check_all(asked, submission, chosen):
        results.append(result)
        print(line(result), flush=True)
    if len(results) == 1 and results[0].printed and results[0].state != "done":
        print(textwrap.indent("It printed:\n" + results[0].printed.rstrip(), "    "))
    if len(results) > 1:
        print(bar(results))
    if any(result.state == "missing" for result in results):
        print(f"To copy what is missing: {command()} start {quoted(folder)}")
    if any(result.practice for result in results):
        print("This was practice: the code ran in this Python, with a limit on time only.")
    unsolved = [result.exercise for result in results if result.state != "done"]
    if unsolved:
        print(f"Next: {file_of(submission, unsolved[0])}; for a hint: ", end="")
        print(f"{command()} hint {unsolved[0].id}")
        return 1
    return 0


def handed_in(folder, student):
    """Return the submission in a student's own folder; only `student` decides on the inputs."""
    submission = answers_in(folder)
    submission.student = student
    return submission


def file_of(submission, exercise):
    """Return the name of the file in which an exercise is answered."""
    found = submission.answers.get(exercise.id)
    return "/".join(found.place) if found else exercise.file


class Watch:
    """Check the next unfinished exercise whenever a file is saved.

    Parameters
    ----------
    folder : Path
    chosen : namespace with `student`, `seconds`, `megabytes`
    """

    def __init__(self, folder, chosen):
        self.folder, self.chosen = folder, chosen
        self.path, self.seen = folder / PROGRESS, None
        try:
            done = json.loads(self.path.read_text("utf-8"))
            self.done = {id: str(done[id]) for id in done if id in EXERCISES}
        except (OSError, ValueError, TypeError, AttributeError):
            self.done = {}

    def look(self):
        """Check what has changed, and then the next exercise; return whether anything has."""
        submission = handed_in(self.folder, self.chosen.student)
        versions = {e.id: version_of(submission, e) for e in EXERCISES.values()}
        if versions == self.seen:
            return False
        before, self.seen = self.seen or {}, versions
        changed = [id for id in EXERCISES if before and versions[id] != before.get(id)]
        lost = [id for id in self.done if self.done[id] != versions[id]]
        for id in [*dict.fromkeys(changed + lost)]:
            self.check(submission, EXERCISES[id])
        upcoming = self.next()
        while upcoming and upcoming.id not in changed:
            if not self.check(submission, upcoming):
                break
            upcoming = self.next()
        print(f"{drawn(len(self.done), len(EXERCISES))} {len(self.done)} of {len(EXERCISES)} done")
        if upcoming:
            where = file_of(submission, upcoming)
            print(f"Next: {where}; for a hint: {command()} hint {upcoming.id}", flush=True)
        return True

    def next(self):
        """Return the first exercise that is not done, or None."""
        return next((e for e in EXERCISES.values() if e.id not in self.done), None)

    def check(self, submission, exercise):
        """Check one exercise, show the result, and keep it; return whether it is done."""
        result = check_answer(submission, exercise, self.chosen)
        print(line(result), flush=True)
        self.done.pop(exercise.id, None)
        if result.state == "done":
            self.done[exercise.id] = self.seen[exercise.id]
        self.path.write_text(json.dumps(self.done, indent=1) + "\n", "utf-8")
        return result.state == "done"


def watch(chosen):
    """Check on each save, until Ctrl-C or until all exercises are done."""
    require_limits(chosen.seconds, chosen.megabytes)
    if BROWSER:
        raise ValueError(f"watch would block the notebook; `{command()} check` checks once")
    if not (chosen.folder.is_dir() and answers_in(chosen.folder).answers):
        at = quoted(chosen.folder)
        raise ValueError(f"there are no exercises in {at}; `{command()} start {at}` copies them")
    watching = Watch(chosen.folder, chosen)
    while True:
        watching.look()
        if watching.next() is None:
            return 0
        time.sleep(POLL)
