"""Peak memory for speed/benchmark.py: of a process, and of a process with all its children."""

import os
import sys
import threading
from pathlib import Path

EVERY = 0.02  # seconds between two looks at a family of processes


def peak_memory():
    """Return the peak memory of this process so far, in bytes, or 0 where it is not known.

    On Linux it is read from /proc, since ru_maxrss may include the parent process.
    """
    if found := kilobytes("/proc/self/status").get("VmHWM"):
        return found * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def kilobytes(path):
    """Return the numbers in kB that a file of /proc has, by name; {} if it is gone."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # the process has ended, or there is no /proc
        return {}
    pairs = (line.partition(":") for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) for name, _, value in pairs}


def family(pid):
    """Return the process ids of a process and of all that descend from it, a list."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        parent = int(text.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [pid]
    for each in found:  # grows meanwhile
        found += children.get(each, [])
    return found


def family_memory(pid):
    """Return the present memory of a process and its descendants, in bytes; 0 if not known.

    What processes share is counted once: of a page that k processes have in common, each is charged
    1 / k (Linux calls the sum Pss). The files of programs and libraries are an exception. Each
    process is charged all of them, as in the figures of a single process.
    """
    total = 0
    for each in family(pid):
        shared = kilobytes(f"/proc/{each}/smaps_rollup")
        files = kilobytes(f"/proc/{each}/status").get("RssFile", 0)
        total += shared.get("Pss_Anon", 0) + shared.get("Pss_Shmem", 0) + files
    return total * 1024


class FamilyWatch:
    """The highest `family_memory` of a process while a block runs.

    Looking takes time, so it is done in a turn whose time does not count. A peak between two looks
    is missed.
    """

    def __init__(self, pid):
        self.pid, self.most, self.processes, self.over = pid, 0, 1, threading.Event()

    def look(self):
        """Look again and again until the block is over."""
        while True:
            self.processes = max(self.processes, len(family(self.pid)))
            self.most = max(self.most, family_memory(self.pid))
            if self.over.wait(EVERY):
                return

    def __enter__(self):
        if os.path.exists("/proc/self/smaps_rollup"):
            self.thread = threading.Thread(target=self.look, daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        if hasattr(self, "thread"):
            self.thread.join()
