"""Processes that share memory: what `plumbing.workers` needs of the system."""

import os
import shutil
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from mmap import mmap
from multiprocessing.shared_memory import SharedMemory
from types import ModuleType

import numpy as np

ALIGN = 64  # bytes: where arrays start, so that no two share a line of the cache
FOLDER = "/dev/shm"  # where Linux keeps shared memory; in a container it is often small
THREADS = """
    OPENBLAS_NUM_THREADS MKL_NUM_THREADS BLIS_NUM_THREADS VECLIB_MAXIMUM_THREADS OMP_NUM_THREADS
""".split()
ONE_AT_A_TIME = threading.Lock()  # two calls of `fit` in two threads must not undo each other


class Shared:
    """Arrays in one piece of shared memory.

    Parameters
    ----------
    layout : dict of name to (shape, dtype)
    name : of a piece that exists, or None to make a new one
    """

    def __init__(self, layout, name=None):
        self.layout, self.arrays, places, size = layout, {}, {}, 0
        for key, (shape, dtype) in layout.items():
            places[key] = size
            size += -(-int(np.prod(shape)) * np.dtype(dtype).itemsize // ALIGN) * ALIGN
        self.memory = SharedMemory(name, create=name is None, size=max(size, 1))
        for key, (shape, dtype) in layout.items():
            self.arrays[key] = np.ndarray(shape, dtype, self.memory.buf, places[key])

    def close(self):
        """Give the memory back. Of the processes that share it, the one that made it does so."""
        self.arrays.clear()
        self.memory.unlink()
        with suppress(BufferError):  # the traceback of an error may still hold an array
            self.memory.close()


def fits(whole):
    """Return whether there is room for arrays of a layout; where that is not known, True."""
    size = sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in whole.values())
    return not os.path.isdir(FOLDER) or size < 0.9 * shutil.disk_usage(FOLDER).free


def layout(data):
    """Return the shape and the dtype of each array; refuse arrays of objects."""
    for name, values in data.items():
        if values.dtype.hasobject:
            raise ValueError(
                f"workers: {name} has dtype {values.dtype}, which cannot be shared: convert it, "
                f"such as {name}.astype(int), or use workers=1"
            )
    return {name: (values.shape, values.dtype) for name, values in data.items()}


def has_room(store, its_layout):
    """Return whether a store can take a batch of a layout, which may have fewer rows."""
    n = len(store.arrays["x"])
    return its_layout["x"][0][0] <= n and store.layout == {
        name: ((n, *shape[1:]), dtype) for name, (shape, dtype) in its_layout.items()
    }


def is_in_memory(data):
    """Return whether all values are arrays, and none is of a file (np.memmap)."""
    for values in data.values():
        if not isinstance(values, np.ndarray):
            return False
        while values is not None:
            if isinstance(values, mmap):
                return False
            values = getattr(values, "base", None)
    return True


@contextmanager
def for_children(of_main):
    """Let processes that are started here have one thread of BLAS each, and no Ctrl-C.

    They do not import the script, unless it defines what they need. So a script needs no
    ``if __name__ == "__main__":``.
    """
    with ONE_AT_A_TIME:
        before = {name: os.environ.get(name) for name in THREADS}
        main = sys.modules["__main__"]
        os.environ.update(dict.fromkeys(THREADS, "1"))  # a child reads it when it imports NumPy
        if not of_main:
            sys.modules["__main__"] = ModuleType("__main__")
        try:
            with interrupts_blocked():
                yield
        finally:
            sys.modules["__main__"] = main
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@contextmanager
def interrupts_blocked():
    """Let processes that are started here never see Ctrl-C; here it acts at the end."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows: `work` does it, a little later
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a child inherits it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interrupts_later():
    """Yield a function that does what Ctrl-C does, if it was pressed; a second one acts at once."""
    noted, usual = [], signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield lambda: None
        return

    def note(number, frame):
        if noted:
            noted.clear()
            usual(number, frame)
        else:
            noted.append(number)

    def act():
        if noted:
            usual(noted.pop(), None)

    signal.signal(signal.SIGINT, note)
    try:
        yield act
    finally:
        signal.signal(signal.SIGINT, usual)
        act()
