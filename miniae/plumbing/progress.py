"""What a person sees while a model trains."""

import sys
import time

from miniae.plumbing.text import as_text

BAR = 24  # characters


class Progress:
    """What a person sees while a model trains, on stderr: a bar on a terminal, else lines."""

    def __init__(self, verbose, last, source):
        self.stream = sys.stderr
        self.verbose = bool(verbose) and self.stream is not None
        self.bar = self.verbose and verbose == 1 and self.stream.isatty()
        self.last, self.source = last, source
        self.start = self.epoch_start = self.shown = time.perf_counter()
        self.width = 0  # of the line that the next one overwrites
        self.before = self.done = 0  # batches before this epoch, and in it

    def batch(self, epoch, done, means):
        """Redraw the bar, ten times a second at most."""
        now, self.done = time.perf_counter(), done
        if not self.bar or now - self.shown < 0.1:
            return
        self.shown = now
        rate, count = (self.before + done) / (now - self.start), self.source.count
        line = f"epoch {epoch + 1}/{self.last} "
        if count:
            filled = min(BAR * done // count, BAR)
            line += f"[{'=' * filled}{' ' * (BAR - filled)}] {done}/{count}  "
        else:  # not known in the first epoch of a stream
            line += f"batch {done}  "
        line += f"{rate:.0f} batches/s  "
        if count:
            left = ((self.last - epoch) * count - done) / rate
            line += f"ETA {left // 60:.0f}:{left % 60:02.0f}  "
        line += f"loss {means.values()['loss']:.5g}"
        self._write(line, end="")

    def epoch(self, epoch, logs):
        """Write the line that stays, at the end of an epoch."""
        now = time.perf_counter()
        if self.verbose:
            width = len(str(self.last))
            line = f"epoch {epoch + 1:{width}}/{self.last}  {now - self.epoch_start:.1f} s  "
            self._write(line + as_text(logs), end="\n")
        self.epoch_start, self.before = now, self.before + self.done

    def stopped(self, epoch, callback):
        """Say that a callback has ended the run."""
        if self.verbose:
            name = getattr(callback, "__name__", None) or repr(callback)
            self._write(f"stopped by the callback {name} after epoch {epoch + 1}", end="\n")

    def _write(self, line, end):
        if self.bar:
            line, self.width = "\r" + line.ljust(self.width), 0 if end else len(line)
        self.stream.write(line + end)
        self.stream.flush()
