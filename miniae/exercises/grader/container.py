"""What a container may use of its machine: control groups of Linux, in both versions."""

import contextlib
import math
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")


def memory_of_container():
    """Return the memory that this container has, in megabytes; infinite if there is no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return int((GROUPS / name).read_text()) >> 20
    return math.inf


def processors_of_container():
    """Return how many processors this container may use, such as 0.5; infinite without a limit."""
    for names in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):
        with contextlib.suppress(OSError, ValueError):
            words = [word for name in names for word in (GROUPS / name).read_text().split()]
            quota, period = map(int, words)  # "max" or -1 if there is no limit
            if quota > 0 and period > 0:
                return quota / period
    return math.inf
