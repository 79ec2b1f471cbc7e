"""Files of arrays: written completely or not at all, and read without trusting their content.

The format is NumPy's .npz, a zip archive of .npy files, not compressed.
"""

import contextlib
import os
import zipfile

import numpy as np

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def write(path, arrays, temporary=None):
    """Write a dict of arrays so that, at any moment, either the old or the new file exists.

    A temporary file in the same folder is written to disk first; then it replaces the old file.

    Raises
    ------
    OSError : the folder is read-only, the disk is full, ...; an existing file is unchanged
    """
    path = os.fspath(path)
    temporary = temporary or f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            kept = (
                "the existing file is unchanged" if os.path.exists(path) else "no file was written"
            )
            reason = f"{error.strerror or error}; {kept}"
            raise type(error)(error.errno, reason, path) from None
        raise
    with contextlib.suppress(OSError, AttributeError):  # where a folder can be synced, do
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path):
    """Return the arrays in a file, a dict by name.

    No more memory is allocated than the file holds, and nothing in the file is executed.

    Raises
    ------
    ValueError, zipfile.BadZipFile, ... : it is damaged, or not such a file
    """
    arrays = {}
    with open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            name, dot, kind = entry.filename.rpartition(".")
            if not dot or kind != "npy":
                raise ValueError(f"it has an entry {entry.filename!r}")
            if name in arrays:
                raise ValueError(f"it has two entries {name!r}")
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"its entry {name!r} is compressed")
            with archive.open(entry) as file:
                version = np.lib.format.read_magic(file)
                if version not in HEADERS:
                    raise ValueError(f"its entry {name!r} is of .npy version {version}")
                shape, fortran, dtype = HEADERS[version](file)
                if dtype.hasobject:
                    raise ValueError(f"its entry {name!r} holds Python objects")
                count = 1
                for length in shape:  # in Python's integers, which do not overflow
                    count *= length
                rest = file.read()  # to the end, where the checksum is compared
                if min(shape, default=0) < 0 or len(rest) != count * dtype.itemsize:
                    raise ValueError(f"its entry {name!r} of shape {shape} has {len(rest)} bytes")
            order = "F" if fortran else "C"
            arrays[name] = np.frombuffer(rest, dtype).reshape(shape, order=order).copy()
    return arrays
