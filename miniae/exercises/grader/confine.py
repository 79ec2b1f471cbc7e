"""Limits for the process that runs a student's code, as far as the system has them.

Linux has all of them. Elsewhere the missing ones are left out. Nothing here imports miniae.
"""

import contextlib
import ctypes
import errno
import os
import signal
import time

FILE_BYTES = 1 << 26  # the largest file that the student's code may write
FOLDER = FILE_BYTES  # bytes in its folder
PROCESSES = 64  # where the student's code runs as a user of its own
MORE_PROCESSES = 512  # beyond those that the grader's user has now, where it runs as this user
USERS = 2_000_000_000  # user ids from here on belong to nobody
NOBODY = 65534  # for containers that have only a few users
NEW_USERS, NEW_PIDS, NEW_MOUNTS = 0x10000000, 0x20000000, 0x20000  # flags of unshare(2)
BIND, RECURSIVE, PRIVATE, SAFE, DETACH = 4096, 16384, 1 << 18, 6, 2  # of mount(2), umount2(2)
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # what one check leaves there must not reach the next
SYSTEM = ("usr", "lib", "lib64", "bin", "sbin", "etc", "proc", "sys", "dev")
PARENT_DIES, DUMPABLE, SUBREAPER, NO_NEW_PRIVILEGES = 1, 4, 36, 38  # options of prctl(2)


def prctl(option, value):
    """Set a property of this process; return whether the system could do it."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0
    return False


def hide(hidden=True):
    """Keep processes of the same user from reading the memory of this one, or let them again."""
    prctl(DUMPABLE, 0 if hidden else 1)


def adopt():
    """Become the parent of all descendants whose parent ends, so that they are found."""
    return prctl(SUBREAPER, 1)


def separate(covered, needed, folder=None):
    """Give the next child a process namespace and a view of the file tree of its own.

    In it the child sees no other process by its id, and when it ends, all its descendants end.
    The folders `covered` are empty for it, except for the folders `needed` in them. Its own folder
    is in memory and small, so that it cannot fill the disk.

    Returns
    -------
    bool, whether the system has all of it
    """
    user, group = os.geteuid(), os.getegid()
    hide(False)  # or the files below cannot be written
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        flags = NEW_PIDS | NEW_MOUNTS | (NEW_USERS if user else 0)
        failed = libc.unshare(flags)
        for _ in range(10):  # namespaces of earlier checks may still be counted
            if failed and ctypes.get_errno() in (errno.ENOSPC, errno.EAGAIN, errno.ENOMEM):
                time.sleep(0.1)
                failed = libc.unshare(flags)
        if failed:
            return user == 0 and libc.unshare(NEW_PIDS) == 0 and not covered
    except (AttributeError, OSError, TypeError):
        return False
    if user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    hide()
    whole = True
    try:
        mount(libc, "none", "/", None, PRIVATE | RECURSIVE)
        for top in covered:
            try:
                cover(libc, top, [path for path in needed if path.startswith(f"{top}/")])
            except OSError:  # cover the others all the same
                whole = False
        if folder:
            os.makedirs(folder, 0o755, exist_ok=True)
            mount(libc, "tmpfs", folder, "tmpfs", SAFE, f"mode=755,size={FOLDER},nr_inodes=10000")
    except OSError:
        return False
    return whole


def mount(libc, source, target, kind, flags, data=None):
    """Mount a file system, or raise OSError."""
    texts = [os.fsencode(t) if t is not None else None for t in (source, target, kind, data)]
    if libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]) != 0:
        raise OSError(ctypes.get_errno(), "mount", target)


def cover(libc, top, needed):
    """Make a folder look empty, except for some folders in it."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    files = {path: os.open(path, flags) for path in needed}
    mode = 1777 if top in SCRATCH else 755
    mount(libc, "tmpfs", top, "tmpfs", SAFE, f"mode={mode},size=16m,nr_inodes=1000")
    try:
        for path, file in files.items():
            os.makedirs(path, 0o755, exist_ok=True)
            mount(libc, f"/proc/self/fd/{file}", path, None, BIND | RECURSIVE)
            os.close(file)
    except OSError:  # better everything than nothing of what is needed
        libc.umount2(os.fsencode(top), DETACH)
        raise


def to_cover(path, needed, tests=None):
    """Return what the code of the file at `path` must not see, as `separate` takes it.

    These are the top folder in which the submissions are, folders for temporary files, and folders
    of the grader's user that no other user may enter, but in which Python is. `tests` is the folder
    with the solutions, where miniae is not installed but runs from its repository.
    """
    tops = {folder for folder in SCRATCH if os.path.realpath(folder) == folder}
    tops = {folder for folder in [*tops, tests] if folder and os.path.isdir(folder)}
    parts = path.split("/")
    if len(parts) > 2:
        deep = -2 if len(parts) > 4 else -1
        tops.add("/".join(parts[:deep]) if parts[1] in SYSTEM else f"/{parts[1]}")
    for folder in needed:
        parts = folder.split("/")
        parents = ["/".join(parts[:i]) for i in range(2, len(parts))]
        tops.update([p for p in parents if not os.stat(p).st_mode & 0o001][:1])
    return [t for t in sorted(tops) if not any(t.startswith(f"{other}/") for other in tops)]


def give_up_privileges():
    """Give up all privileges, such as that to uncover a folder, and those to come."""
    prctl(NO_NEW_PRIVILEGES, 1)
    with contextlib.suppress(AttributeError, OSError, TypeError):
        version = (ctypes.c_uint32 * 2)(0x20080522, 0)
        ctypes.CDLL(None).capset(version, (ctypes.c_uint32 * 6)())


def become(user):
    """Become another user, if this one is root; return whether it worked."""
    if os.geteuid() != 0:
        return False
    try:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    except OSError:  # in some containers only a few users exist
        return False
    return True


def may_read(user, paths, needed):
    """Return whether root can become a user who can read these files, a test in children."""
    child = os.fork()
    if child == 0:
        separate(to_cover("/", needed), needed)
        if os.fork() == 0:
            os._exit(0 if become(user) and all(map(os.path.exists, paths)) else 1)
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
    return os.waitpid(child, 0)[1] == 0


def can_separate(needed, tests):
    """Return whether `separate` works here, a test in a child."""
    child = os.fork()
    if child == 0:
        os._exit(not separate(to_cover("/", needed, tests), needed))
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
