"""Files: written completely or not at all; files of arrays are read without trusting them.

The format of arrays is NumPy's .npz, a zip archive of .npy files, not compressed.
"""

import contextlib
import math
import os
import stat
import zipfile

import numpy as np

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
END, END_64, LOCATOR_64 = 22, 56, 20  # bytes of the three records that end a zip file
LONGEST_LIST = 2**20  # bytes of a zip file's list of entries, some 10,000 entries


@contextlib.contextmanager
def atomic(path, mode="wb", temporary=None, **options):
    """Open a file to write: at any moment, either the old file or the complete new one exists.

    A temporary file in the same folder is written to disk first; at the end of the block it
    replaces the old file. After an error in the block the old file is unchanged. A symbolic link
    stays, and the file that it names is replaced. The new file has the permissions of the old one,
    or those of any new file. What is not a regular file, such as a terminal, is written directly.

    Parameters
    ----------
    path : str or Path
    mode, **options : as in `open`
    temporary : str, by default the path with a random ending

    Raises
    ------
    OSError : the folder is read-only, the disk is full, ...; an existing file is unchanged
    """
    path = os.fsdecode(path)
    old = os.stat(path) if os.path.exists(path) else None
    if old is not None and not stat.S_ISREG(old.st_mode) and not stat.S_ISDIR(old.st_mode):
        with open(path, mode, **options) as file:
            yield file
        return
    target = os.path.realpath(path)
    temporary = temporary or f"{target}.{os.urandom(4).hex()}.tmp"
    try:
        if old is not None and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        with open(temporary, mode, **options) as file:
            if old is not None:
                with contextlib.suppress(OSError):  # some file systems have no permissions
                    os.chmod(temporary, stat.S_IMODE(old.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None:
            kept = (
                "the existing file is unchanged" if os.path.exists(path) else "no file was written"
            )
            raise OSError(error.errno, f"{error.strerror or error}; {kept}", path) from None
        raise
    with contextlib.suppress(OSError, AttributeError):  # where a folder can be synced, do
        folder = os.open(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def reading(what):
    """Turn any error in the block into a ValueError that begins with `what`, a text.

    A damaged file can make any step of reading fail, in any way. FileNotFoundError stays as it is.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        reason = f"no entry {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{what}: {reason}") from error


def write_text(path, text):
    """Write a text as UTF-8, as `atomic` writes a file.

    A lone surrogate is not a character, and UTF-8 cannot hold it: it becomes a question mark.
    """
    with atomic(path, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)


def write(path, arrays, temporary=None):
    """Write a dict of arrays, as `atomic` writes a file."""
    with atomic(path, temporary=temporary) as file:
        np.savez(file, **arrays)


@contextlib.contextmanager
def looked_at(path, known=None):
    """Yield a zip archive and its entries, a dict by name, after a check that reads no content.

    known : function of a name that returns whether such an array is expected, or None for any

    Raises
    ------
    ValueError : the path is not a regular file; an entry has a name that is not known, is there
        twice, is compressed, or overlaps others
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is not a regular file")
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if list_size(stream, size) > LONGEST_LIST:
            raise ValueError("its list of entries is too long")
        with zipfile.ZipFile(stream) as archive:
            entries = {}
            for entry in archive.infolist():
                name, dot, kind = entry.filename.rpartition(".")
                if not dot or kind != "npy":
                    raise ValueError(f"it has an entry {entry.filename!r}")
                if name in entries:
                    raise ValueError(f"it has two entries {name!r}")
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"its entry {name!r} is compressed")
                entries[name] = entry
            strange = [name for name in entries if known is not None and not known(name)]
            if strange:
                raise ValueError(f"it has entries that are not known: {strange[:5]}")
            claimed = sum(max(e.file_size, e.compress_size) for e in entries.values())
            if claimed > size:
                raise ValueError(f"its entries overlap: they take {claimed:,} of {size:,} bytes")
            yield archive, entries


def list_size(stream, size):
    """Return how many bytes the list of entries of a zip file takes, as its last records say.

    `zipfile` reads the whole list when it opens a file, and needs ten times its size in memory.
    """
    stream.seek(max(size - END - LOCATOR_64 - END_64, 0))
    tail = stream.read()
    stream.seek(0)
    end = tail[-END:]
    if end[:4] != b"PK\5\6":
        raise ValueError("it does not end as an .npz file does")
    if tail[-END - LOCATOR_64 :][:4] == b"PK\6\7":  # a file of 4 GB or more
        return int.from_bytes(tail[40:48], "little")
    return int.from_bytes(end[12:16], "little")


def checksums(path):
    """Return the checksum of each array in a file, as the file states it; no content is read."""
    with looked_at(path) as (_, entries):
        return {name: (entry.CRC, entry.file_size) for name, entry in entries.items()}


def read(path, known=None):
    """Return the arrays in a file, a dict by name; known as in `looked_at`.

    No more memory is allocated than the file holds, and nothing in the file is executed. The
    headers are read by NumPy's functions. NumPy's own reader would allocate what a header claims
    before it looks for the numbers.

    Raises
    ------
    ValueError, zipfile.BadZipFile, ... : it is damaged, or not such a file
    """
    arrays = {}
    with looked_at(path, known) as (archive, entries):
        for name, entry in entries.items():
            with archive.open(entry) as file:
                version = np.lib.format.read_magic(file)
                if version not in HEADERS:
                    raise ValueError(f"its entry {name!r} is of .npy version {version}")
                shape, fortran, dtype = HEADERS[version](file)
                if dtype.hasobject:
                    raise ValueError(f"its entry {name!r} holds Python objects")
                rest = file.read()  # to the end, where the checksum is compared
                size = math.prod(shape) * dtype.itemsize  # Python's integers do not overflow
                if min(shape, default=0) < 0 or len(rest) != size:
                    raise ValueError(f"its entry {name!r} of shape {shape} has {len(rest)} bytes")
            order = "F" if fortran else "C"
            arrays[name] = np.frombuffer(rest, dtype).reshape(shape, order=order).copy()
    return arrays
