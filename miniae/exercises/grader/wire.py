"""Values as bytes, between the grader and the process that runs a student's code.

A frame is a header, which is JSON, and after it the bytes of the arrays. Nothing is pickled, so to
read a frame runs no code. Sizes and depths are bounded on both sides.

The grader and the student's process both use this module, so it imports nothing of miniae.
"""

import json
import math
import re
import struct

import numpy as np

FRAME = 1 << 26  # bytes: the largest frame
HEADER = 1 << 22  # bytes: the largest header
DEPTH = 12  # of lists within lists
DTYPE = re.compile(r"[<>|=][biufc]\d{1,2}")
SIZES = struct.Struct("!QQ")  # the bytes of the header, and of the arrays


class Broken(Exception):
    """The other side is gone, or what it sent is not a frame; `unreadable` says which."""

    def __init__(self, message, unreadable=True):
        super().__init__(message)
        self.unreadable = unreadable


class Refused(ValueError):
    """A value cannot be sent."""


class Channel:
    """Frames over a pair of streams.

    Parameters
    ----------
    reader, writer : binary files, both buffered
    """

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def streams(self):
        """Return the files that are open."""
        return [file for file in (self.reader, self.writer) if file]

    def send(self, message, objects):
        """Send a message, a dict from str to values; `objects.pack` writes what is not plain."""
        arrays = []
        packed = {key: pack(value, arrays, objects, DEPTH) for key, value in message.items()}
        described = [[a.dtype.str, list(a.shape)] for a in arrays]
        header = json.dumps([packed, described]).encode("utf-8", "surrogatepass")
        total = sum(a.nbytes for a in arrays)
        if len(header) > HEADER or total > FRAME:
            size = (len(header) + total) >> 20
            raise Refused(f"{size} MB are too much: at most {FRAME >> 20} MB can be sent")
        try:
            self.writer.write(SIZES.pack(len(header), total) + header)
            for array in arrays:
                self.writer.write(array.tobytes())
            self.writer.flush()
        except (OSError, ValueError) as error:
            raise Broken(f"the channel is closed ({error})", unreadable=False) from None

    def receive(self, objects):
        """Return the next message; `objects.unpack` reads what is not plain."""
        header, total = SIZES.unpack(self.read(SIZES.size))
        if header > HEADER or total > FRAME:
            raise Broken("a frame is too large")
        text, left = self.read(header), total
        try:
            packed, described = json.loads(text.decode("utf-8", "surrogatepass"))
            arrays = []
            for dtype, shape in described:
                dtype, count = checked(dtype, shape)
                if count > left:
                    raise Broken("an array is larger than its frame")
                left -= count
                data = np.frombuffer(self.read(count), dtype)
                arrays.append(data.reshape(shape).copy())
            if left:
                raise Broken("a frame is longer than its arrays")
            return {key: unpack(value, arrays, objects) for key, value in packed.items()}
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise Broken(f"a frame cannot be read ({type(error).__name__})") from None

    def read(self, count):
        """Return exactly so many bytes."""
        try:
            data = self.reader.read(count)
        except (OSError, ValueError) as error:
            raise Broken(f"the channel is closed ({error})", unreadable=False) from None
        if data is None or len(data) != count:
            raise Broken("the channel is closed", unreadable=False)
        return data


def checked(dtype, shape):
    """Return the dtype of an array that was sent, and its number of bytes."""
    if not DTYPE.fullmatch(dtype) or len(shape) > 32:
        raise Broken("an array has an unknown type")
    if not all(type(n) is int and 0 <= n <= FRAME for n in shape):
        raise Broken("an array has an impossible shape")
    return np.dtype(dtype), math.prod(shape) * np.dtype(dtype).itemsize


def pack(value, arrays, objects, depth):
    """Return the JSON form of a value; arrays are appended to `arrays`."""
    if value is None or type(value) in (bool, str, float):
        return value
    if type(value) is int and value.bit_length() < 4096:  # so long numbers are slow to write
        return value
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biufc":
        array = np.ascontiguousarray(value).reshape(value.shape)
        arrays.append(array)
        return {"array": len(arrays) - 1, "scalar": isinstance(value, np.generic)}
    if type(value) is complex:
        return {"complex": [value.real, value.imag]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS" and value.size <= HEADER >> 4:
        value = value.tolist()
        if not isinstance(value, list):
            return pack(value, arrays, objects, depth - 1)
    if type(value) is range and len(value) <= HEADER >> 4:
        value = list(value)
    if isinstance(value, list | tuple) and depth > 0 and len(value) <= HEADER >> 4:
        items = [pack(item, arrays, objects, depth - 1) for item in value]
        return items if isinstance(value, list) else {"tuple": items}
    if type(value) is dict and depth > 0 and len(value) <= HEADER >> 4:
        pairs = [[*value.keys()], [*value.values()]]
        return {"dict": pack(pairs, arrays, objects, depth)}
    return {"object": pack(objects.pack(value), arrays, objects, DEPTH)}


def unpack(value, arrays, objects):
    """Return the value that `pack` wrote."""
    if isinstance(value, list):
        return [unpack(item, arrays, objects) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, inside),) = [(k, v) for k, v in value.items() if k != "scalar"]
    if kind == "array":
        return arrays[inside][()] if value["scalar"] else arrays[inside]
    if kind == "complex":
        return complex(*inside)
    inside = unpack(inside, arrays, objects)
    if kind == "tuple":
        return tuple(inside)
    if kind == "dict":
        keys, values = inside
        return dict(zip(keys, values, strict=True))
    if kind == "object":
        return objects.unpack(inside)
    raise Broken(f"a value of an unknown kind {kind!r:.20}")
