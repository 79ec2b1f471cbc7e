"""Check many answers at the same time, and hand on each result as soon as it is there."""

import contextlib
import dataclasses
import hashlib
import math
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from miniae.exercises.grader.container import processors_of_container
from miniae.exercises.grader.processes import available
from miniae.exercises.grader.sandbox import STOP, Result, Verdict, check_file
from miniae.exercises.grader.worker import clean
from miniae.plumbing.cores import cores as cores_of_process

EVERY = 5  # seconds between two lines of progress where the line cannot be written over
# Checks at the same time. One Python compares the answers of all, which can take half a second for
# one of them. With more checks, each would wait for the others until its time limit.
MOST = 8


def cores():
    """Return how many checks run at the same time; a container may use a part of the machine."""
    # More would share the time of the container, and honest answers would reach their limit.
    return math.ceil(min(cores_of_process(), processors_of_container(), MOST))


def check_answer(submission, exercise, chosen, student=None):
    """Check one answer of a submission, and return a `Result`, whatever happens.

    Parameters
    ----------
    submission : submissions.Submission
    exercise : Exercise
    chosen : namespace with `seconds` and `megabytes`
    student : str, another id than the one of the submission
    """
    student = submission.student if student is None else student
    notes = tuple(submission.notes.get(exercise.id, ()))
    if exercise.id not in submission.answers and submission.folder is None:  # in an archive
        verdict = Verdict("missing", f"{exercise.file} not found")
        return Result(exercise, dict.fromkeys(exercise.parts, verdict))
    try:
        with tempfile.TemporaryDirectory(prefix="handed_in") as scratch:
            path = submission.path(exercise, scratch)
            result = check_file(exercise, path, student, chosen.seconds, chosen.megabytes)
        return dataclasses.replace(result, notes=notes + result.notes)
    except Exception as error:
        verdict = Verdict("error", clean(f"the answer cannot be read: {error}"), "")
        return Result(exercise, dict.fromkeys(exercise.parts, verdict), notes=notes)


def version_of(submission, exercise):
    """Return some digits that change with the file that is graded; "" if there is none."""
    found = submission.answers.get(exercise.id)
    try:
        return hashlib.sha256(found.read()).hexdigest()[:12] if found else ""
    except OSError:
        return "?"


def in_order(function, jobs, workers):
    """Yield function(job) for each job in order; several run at the same time.

    If the caller stops, for example after Ctrl-C, all running checks end. Where there are no
    processes, there are no threads either, and one job runs after the other.
    """
    STOP.clear()
    if not available():
        yield from map(function, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(function, jobs)
        except BaseException:
            STOP.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class Progress:
    """Progress with the time that is left, on stderr.

    Parameters
    ----------
    total : int, the number of checks; 0 to show nothing
    """

    def __init__(self, total):
        self.total, self.done, self.lock = total, 0, threading.Lock()
        self.begin = self.last = time.monotonic()

    def step(self, result):
        """Count a check that has just ended in some thread, and return its result."""
        with self.lock:
            self.done += 1
            now, live = time.monotonic(), sys.stderr.isatty()
            soon = now - self.last < (0.2 if live else EVERY)
            if self.total and (not soon or self.done == self.total):
                self.last = now
                self.show(now - self.begin, live)
        return result

    def show(self, passed, live):
        """Write a line."""
        left = passed / self.done * (self.total - self.done)
        text = f"{self.done} of {self.total} checks ({100 * self.done // self.total} %), "
        text += f"{span(passed)}, ETA {span(left)}" if left else f"{span(passed)} in all"
        end = "\n" if self.done == self.total or not live else ""
        with contextlib.suppress(OSError):
            print(f"\r{text:60}" if live else text, end=end, file=sys.stderr, flush=True)


def span(seconds):
    """Return a duration as text."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def check_all(exercises, submission, chosen):
    """Yield the result of each exercise of one submission."""
    return in_order(
        lambda exercise: check_answer(submission, exercise, chosen),
        exercises,
        chosen.jobs or cores(),
    )
