"""Limits for the process that runs a student's code, as far as the system has them.

Linux has all of them. Elsewhere the missing ones are left out. Nothing here imports miniae.
"""

import contextlib
import ctypes
import os
import signal

FILE_BYTES = 1 << 26  # the largest file that the student's code may write
PROCESSES = 64  # where the student's code runs as a user of its own
MORE_PROCESSES = 512  # beyond those that the grader's user has now, where it runs as this user
FIRST_USER = 2_000_000_000  # user ids from here on belong to nobody
NEW_USERS, NEW_PIDS = 0x10000000, 0x20000000  # flags of unshare(2)
PARENT_DIES, NOT_DUMPABLE, SUBREAPER, NO_NEW_PRIVILEGES = 1, 4, 36, 38  # options of prctl(2)


def prctl(option, value):
    """Set a property of this process; return whether the system could do it."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0
    return False


def hide():
    """Keep processes of the same user from reading the memory of this one."""
    prctl(NOT_DUMPABLE, 0)


def adopt():
    """Become the parent of all descendants whose parent ends, so that they are found."""
    return prctl(SUBREAPER, 1)


def separate():
    """Give the next child a process namespace of its own; return whether that worked.

    In it the child sees no other process by its id, and when it ends, all its descendants end.
    """
    root, user, group = os.geteuid() == 0, os.geteuid(), os.getegid()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        flags = NEW_PIDS if root else NEW_PIDS | NEW_USERS
        if ctypes.CDLL(None).unshare(flags) != 0:
            return False
        if not root:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
        return True
    return False


def become(user):
    """Become another user, if this one is root; return whether it worked."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    try:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    except OSError:  # in some containers only a few users exist
        return False
    return True


def may_read(paths):
    """Return whether another user could read these files, a test in a child process."""
    child = os.fork()
    if child == 0:
        able = become(FIRST_USER) and all(os.access(path, os.R_OK) for path in paths)
        os._exit(0 if able else 1)
    return os.waitpid(child, 0)[1] == 0


def limit(megabytes, processes=None):
    """Limit memory, file sizes and processes of this process.

    Windows has no such limits, and macOS ignores that on memory.
    """
    with contextlib.suppress(ImportError):
        import resource  # not on Windows

        wanted = {
            "RLIMIT_AS": megabytes << 20,
            "RLIMIT_FSIZE": FILE_BYTES,
            "RLIMIT_CORE": 0,
            "RLIMIT_NPROC": processes,
        }
        for name, value in wanted.items():
            with contextlib.suppress(AttributeError, OSError, ValueError):
                if value is not None:
                    resource.setrlimit(getattr(resource, name), (value, value))


def parents():
    """Return the parent of each process, by id; empty without /proc."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError):
                    with open(f"/proc/{name}/stat", "rb") as file:
                        found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    return found


def threads_of(user):
    """Return how many threads a user has now."""
    count = 0
    for pid in parents():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == user:
                count += len(os.listdir(f"/proc/{pid}/task"))
    return count


def end(pid):
    """End a process and its process group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)


def end_children(keep=()):
    """End all children of this process, and their children, which become its own."""
    for _ in range(1000):  # a process that forks all the time may need several rounds
        mine = [p for p, parent in parents().items() if parent == os.getpid() and p not in keep]
        if not mine:
            return
        for pid in mine:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in mine:
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)
