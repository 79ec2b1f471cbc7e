"""Files that may be answers, in folders and in zip archives.

Nothing is followed out of a folder: links are skipped, and archives are read in memory, with
limits. What is not read is listed with the reason.
"""

import io
import os
import re
import stat
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from miniae.exercises.catalogue import EXERCISES
from miniae.exercises.classroom.notebooks import code_of
from miniae.exercises.grader.sandbox import SOURCE
from miniae.exercises.grader.worker import clean

JUNK = {"__MACOSX", "__pycache__", ".git", ".ipynb_checkpoints", ".venv", "venv", "node_modules"}
JUNK |= {"site-packages", ".vscode", ".idea", ".Trashes", ".DS_Store", ".pytest_cache"}
DEPTH = 10  # folders and archives within each other
ENTRIES = 5000  # files and folders of one student
UNPACKED = 1 << 26  # bytes that are read from the archives of one student
ARCHIVE = 1 << 26  # bytes of an archive
NOTEBOOK = 1 << 24  # bytes of a notebook, which may have pictures


@dataclass
class Found:
    """A file that may be an answer.

    place : tuple of str, its path within the student's folder
    time : float, when it was written, in seconds
    path : Path of the file, or None if it is in an archive
    data : bytes from an archive, or None
    """

    place: tuple
    time: float
    path: Path | None = None
    data: bytes | None = None

    def read(self):
        """Return its bytes, up to its limit and one byte more."""
        if self.data is not None:
            return self.data
        with open(self.path, "rb") as file:
            return file.read(largest(self.place[-1]) + 1)

    def code(self):
        """Return its code as bytes; raise ValueError if it is a notebook that cannot be read."""
        return code_of(self.read()) if is_notebook(self.place[-1]) else self.read()


def largest(name):
    """Return how many bytes a file of this name may have."""
    return NOTEBOOK if is_notebook(name) else SOURCE


class Walk:
    """The files below one folder or in one archive, with limits.

    Parameters
    ----------
    times : int, how many times the limits of one student

    Attributes
    ----------
    found : list of Found
    skipped : list of (path, reason)
    """

    def __init__(self, times=1):
        self.found, self.skipped, self.entries = [], [], 0
        self.most, self.left = times * ENTRIES, times * UNPACKED

    def skip(self, place, why):
        """Note that something is not read."""
        self.skipped.append(("/".join(map(readable, place)), why))

    def enough(self, place):
        """Return whether a limit is reached; it is noted once."""
        self.entries += 1
        if self.entries == self.most + 1:
            self.skip(place, f"there are more than {self.most} files: the rest is not read")
        return self.entries > self.most

    def folder(self, path, place=()):
        """Read a folder."""
        if len(place) > DEPTH:
            return self.skip(place, f"there are more than {DEPTH} folders in each other")
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            return self.skip(place or (path.name,), f"cannot be read: {error.strerror}")
        for name in names:
            if name in JUNK or name.startswith("._") or self.enough((*place, name)):
                continue
            self.entry(path / name, (*place, name))

    def entry(self, path, place):
        """Read what has this path, whatever it is."""
        try:
            about = path.lstat()
        except OSError as error:
            return self.skip(place, f"cannot be read: {error.strerror}")
        if stat.S_ISDIR(about.st_mode):
            self.folder(path, place)
        elif stat.S_ISLNK(about.st_mode):
            self.skip(place, "it is a link: hand in the file itself")
        elif not stat.S_ISREG(about.st_mode):
            self.skip(place, "it is not a regular file")
        elif place[-1].lower().endswith(".zip"):
            if about.st_size > ARCHIVE:
                return self.skip(place, f"the archive has more than {ARCHIVE >> 20} MB")
            self.archive(path, place)
        else:
            self.found.append(Found(place, about.st_mtime, path))

    def archive(self, file, place):
        """Read a zip archive, a path or an open file; no file is unpacked onto the disk."""
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    self.member(archive, member, place)
        except Exception as error:  # a damaged archive can raise nearly anything
            self.skip(place, f"the archive cannot be read: {type(error).__name__}")

    def member(self, archive, member, place):
        """Read one file of an archive."""
        names = [n for n in re.split(r"[/\\]", member.filename) if n not in ("", ".", "..")]
        own = place[0].removesuffix(".zip") if len(place) == 1 else place[0]  # a student's id
        inside = (own, *place[1:], *names)
        if member.is_dir() or not names or JUNK & set(names) or names[-1].startswith("._"):
            return
        if self.enough(inside):
            return
        zipped = names[-1].lower().endswith(".zip")
        if not (zipped or matches(names[-1])):
            self.found.append(Found(inside, 0, data=b""))
            return
        limit = self.left if zipped else min(self.left, largest(names[-1]))
        if len(inside) > DEPTH or member.file_size > limit:
            return self.skip(inside, "it is too large, or too deep, for an answer in an archive")
        try:
            with archive.open(member) as file:
                data = file.read(limit + 1)  # the size that the archive states may be wrong
        except RuntimeError:
            return self.skip(inside, "it is encrypted")
        self.left -= len(data)
        if len(data) > limit:
            return self.skip(inside, "it is larger than the archive says")
        if zipped:
            return self.archive(io.BytesIO(data), inside)
        try:
            time = datetime(*member.date_time).timestamp()
        except (ValueError, OverflowError, OSError):
            time = 0.0
        self.found.append(Found(inside, time, data=data))


NAMES = {
    id: re.compile(rf"(.*[^a-z0-9])?{id}([^a-z0-9].*)?\.(py|ipynb)", re.DOTALL)
    for id in sorted(EXERCISES, key=len, reverse=True)
}


def matches(name):
    """Return the id of the exercise that a file is an answer to, or None.

    The number in front and what a browser or a platform has added are ignored, as in
    ``04_dense_backward (1).py``.
    """
    name = name.lower()
    if name.startswith("test_"):
        return None
    return next((id for id, pattern in NAMES.items() if pattern.fullmatch(name)), None)


def is_notebook(name):
    """Return whether a file name is that of a notebook."""
    return name.lower().endswith(".ipynb")


def readable(name):
    """Return a file name as text, also if it is not valid UTF-8, in one line."""
    return clean(os.fsencode(name).decode("utf-8", "backslashreplace"))
