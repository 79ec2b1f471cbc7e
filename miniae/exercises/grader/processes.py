"""Start processes for students' code, watch their limits, and end them.

Where there is `fork`, a server that has loaded NumPy and miniae forks a child for each check; its
supervisor leaves no process behind. Elsewhere each check starts Python again.
"""

import atexit
import contextlib
import errno
import functools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import miniae
from miniae.exercises.grader.container import memory_of_container
from miniae.exercises.grader.remote import Remote
from miniae.exercises.grader.wire import Channel

PRINTED = 1 << 20  # bytes that a student's code may print at most
LEAST_MEMORY = 256  # megabytes, which Python and NumPy alone nearly need
GRACE = 2  # seconds beyond the limit, in which the child says in which line it is
SCRIPT = Path(__file__).with_name("student.py")
BROWSER = sys.platform in ("emscripten", "wasi")  # WebAssembly, which has no processes
FORKS = sys.platform == "linux"  # on macOS it is not safe after NumPy is loaded
STOP = threading.Event()  # when it is set, all running checks end at once
LOCK = threading.Lock()
SERVERS = {}  # by process id of the grader: a child of it must not use its server


def environment():
    """Return the environment of a child: what Python needs, and no secrets of the grader's."""
    kept = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
    kept += ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHOME", "COMSPEC")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PYTHONPATH": os.pathsep.join([str(Path(miniae.__file__).parents[1]), *sys.path[1:]]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        # Each thread needs address space, and this counts for the memory limit.
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "MPLBACKEND": "Agg",
    }


def python(*arguments, **options):
    """Start Python on the script of the student's process."""
    command = [sys.executable, "-u", str(SCRIPT), *arguments]
    return subprocess.Popen(command, env=environment(), start_new_session=True, **options)


class Server:
    """The process that forks the children."""

    def __init__(self):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            nothing = subprocess.DEVNULL
            try:
                self.process = python(
                    "server", str(theirs.fileno()), pass_fds=[theirs.fileno()], cwd="/",
                    stdin=nothing, stdout=nothing, stderr=nothing,
                )  # fmt: skip
            except BaseException:
                self.control.close()
                raise

    def fork(self, job, files):
        """Let it fork a child."""
        socket.send_fds(self.control, [json.dumps(job).encode()], files)

    def alive(self):
        """Return whether it runs."""
        return self.process.poll() is None

    def close(self):
        """End it; a fork of the grader leaves it alone."""
        if SERVERS.get(os.getpid()) is not self:
            return
        self.control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        kill(self.process)


def server():
    """Return a server that runs; its owner is this process."""
    with LOCK:
        found = SERVERS.get(os.getpid())
        if not (found and found.alive()):
            if found:
                found.close()
            found = SERVERS[os.getpid()] = Server()
            atexit.register(found.close)
        return found


@functools.cache
def try_python():
    """Start Python and wait for its end; raise OSError if this cannot be done."""
    subprocess.run([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)


def available():
    """Return whether this Python can start processes; one in a browser cannot."""
    if BROWSER:
        return False
    try:
        (server if FORKS else try_python)()
    except OSError as error:
        return error.errno not in (errno.ENOSYS, errno.ENOTSUP)
    return True


def require(command):
    """Raise ValueError if this Python cannot start processes, because `command` grades."""
    if not available():
        raise ValueError(
            f"{command} gives marks, so it runs each student's code in a process of its own, and "
            f"this Python cannot start processes (sys.platform is {sys.platform!r}): grade on a "
            "computer outside of the browser. For practice, `check` works here"
        )


def kill(process):
    """End a process and its process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):
        process.kill()
    process.wait()


class Process:
    """A child that runs the code of one student for one check.

    A context manager. `channel` leads to the child, and `finish` says how it ended.

    Parameters
    ----------
    path : Path, the student's file; its code sees nothing of the folders around it
    seconds, megabytes : its limits
    """

    def __init__(self, path, seconds, megabytes):
        self.path = os.path.realpath(path)
        # Half of a container's memory: beyond its limit the system ends any process in it.
        megabytes = int(min(megabytes, max(LEAST_MEMORY, memory_of_container() / 2)))
        self.seconds, self.limits = seconds, {"seconds": seconds, "megabytes": megabytes}
        self.ended, self.end = threading.Event(), None
        self.channel, self.process = Channel(None, None), None
        self.socket = self.status = None

    def __enter__(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="answer"))
        self.printed = tempfile.TemporaryFile()
        self.files = [self.printed]
        work = os.path.join(self.folder, "work")  # its code may delete it
        os.mkdir(work)
        job = {**self.limits, "folder": self.folder, "path": self.path}
        try:
            (self.fork if FORKS else self.start)(job, work)
        except BaseException:
            self.clean()
            raise
        self.watch = threading.Thread(target=self.watch_limits, daemon=True)
        self.watch.start()
        return self

    @property
    def names(self):
        """The names that the student's file defines."""
        return Remote(self.channel)

    def fork(self, job, _):
        """Get a child from the server."""
        self.socket, theirs = socket.socketpair()
        self.status, their_status = socket.socketpair()
        self.files += [self.socket, self.status]
        with theirs, their_status:
            files = [theirs.fileno(), self.printed.fileno(), their_status.fileno()]
            try:
                server().fork(job, files)
            except OSError:  # it has just ended
                server().fork(job, files)
        self.channel = Channel(self.socket.makefile("rb"), self.socket.makefile("wb"))

    def start(self, job, work):
        """Start a Python for this check alone."""
        if os.name != "posix":
            pipe = subprocess.PIPE
            self.process = python(
                "once", json.dumps(job), stdin=pipe, stdout=pipe, stderr=self.printed, cwd=work
            )
            self.channel = Channel(self.process.stdout, self.process.stdin)
            return
        # A socket, because a read of a pipe does not end while any descendant keeps it open.
        self.socket, theirs = socket.socketpair()
        self.files.append(self.socket)
        with theirs:
            self.process = python(
                "once", json.dumps(job), stdin=theirs, stdout=theirs, stderr=self.printed, cwd=work
            )
        self.channel = Channel(self.socket.makefile("rb"), self.socket.makefile("wb"))

    def watch_limits(self):
        """End the child when it reaches a limit; then a read of the channel ends too."""
        last = time.monotonic() + self.seconds + GRACE
        while not self.ended.wait(0.02):
            if self.size() > PRINTED:
                self.end = "print"
            elif time.monotonic() > last or STOP.is_set():
                self.end = "time"
            if self.end:
                self.stop()
                return

    def size(self):
        """Return how much the child has printed, in bytes."""
        return os.fstat(self.printed.fileno()).st_size

    def text(self):
        """Return what the child has printed, up to a limit."""
        self.printed.seek(0)
        return self.printed.read(PRINTED).decode("utf-8", errors="replace").replace("\r\n", "\n")

    def stop(self):
        """End the child and its descendants, and wake up who reads from it."""
        if self.process:
            kill(self.process)
        with contextlib.suppress(OSError, AttributeError):
            self.status.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError, AttributeError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def finish(self):
        """Wait for the end of a child that is gone, and return how it ended.

        Returns
        -------
        "time", "print", the exit code, or "lost" if its supervisor was ended too
        """
        if self.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
            kill(self.process)
            code = self.process.returncode
        else:
            self.status.settimeout(GRACE + 3)
            try:
                code = int(self.status.recv(32))
            except (OSError, ValueError):
                code = "lost"
        self.ended.set()
        self.watch.join()
        return self.end or ("print" if self.size() > PRINTED else code)

    def __exit__(self, *error):
        self.ended.set()
        self.stop()
        self.watch.join()
        if not self.process:
            with contextlib.suppress(OSError, ValueError):
                # Once its supervisor has closed this, no process of the check is left.
                while select.select([self.status], [], [], GRACE)[0] and self.status.recv(64):
                    pass
        self.clean()

    def clean(self):
        """Close files, and delete the folder of the child."""
        for file in [*self.channel.streams(), *self.files]:
            with contextlib.suppress(OSError):
                file.close()
        remove(self.folder)


def remove(folder):
    """Delete a folder of a student's process, whatever is in it."""
    with contextlib.suppress(Exception):  # such as a RecursionError for a very deep folder
        shutil.rmtree(folder)
    if os.path.lexists(folder) and os.name == "posix":
        for command in (["chmod", "-R", "u+rwx", folder], ["rm", "-rf", folder]):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60)
