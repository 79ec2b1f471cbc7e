"""What the reproductions share: options, data, a record of the run, and the table at its end.

A full run uses MNIST, in the folder that the environment variable MINIAE_DATA names. With --quick a
run uses a few built-in digits, to try the code. Everything that a run writes is in one folder,
--out. Give the same command again and the run continues: `fit` continues from its checkpoint, a
file in that folder, and results that are in the record are not measured again.
"""

import json
import sys
import time
from datetime import date

import numpy as np

from miniae.plumbing.archives import write_text
from support.common import NOTEBOOK, options, show

FIXED = ("quick", "seed")  # options that must stay the same when a run continues


def start(name, description, argv=None, **more):
    """Return the options (see common.options) and the record of the run in their folder.

    chosen.data is "mnist", or "digits" with --quick.
    """
    chosen = options(name, description, argv, data=(), **more)
    chosen.data = "digits" if chosen.quick else "mnist"
    if argv is None:
        argv = [] if NOTEBOOK else sys.argv[1:]
    return chosen, Record(chosen, name, argv)


class Record:
    """The results of a run, with date, command and time, in out/record.json.

    Times are seconds over all calls together: "wall" by the clock, "cpu" of the processor. Only the
    first one includes the time while a run is suspended. The file is read again before it is
    written, so one process can measure while another one trains in the same folder.
    """

    def __init__(self, chosen, name, arguments):
        self.path = chosen.out / "record.json"
        chosen.out.mkdir(parents=True, exist_ok=True)
        fixed = {key: getattr(chosen, key) for key in FIXED}
        command = " ".join(["python", f"demos/reproduce/{name}.py", *without_out(arguments)])
        self.about = {"command": command, "settled": fixed}
        self.results, self.seconds = {}, {}
        self.last = self.clocks()
        self.read()
        if self.fixed != fixed:
            raise ValueError(
                f"{self.path} belongs to another run: it has {self.fixed}, this run has {fixed}; "
                "give another folder as --out, or delete that folder if you do not need it"
            )

    @staticmethod
    def clocks():
        return {"wall": time.perf_counter(), "cpu": time.process_time()}

    def read(self):
        """Read what is in the file, if there is one."""
        known = json.loads(self.path.read_text("utf-8")) if self.path.exists() else self.about
        self.fixed = known["settled"]
        self.results = {**known.get("results", {}), **self.results}
        self.seconds = known.get("seconds", {})

    def save(self, *_):
        """Write the file, with the time until now. It can also be a callback of `fit`."""
        self.read()
        now = self.clocks()
        for name, seconds in now.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds - self.last[name]
        self.last = now
        about = {**self.about, "date": date.today().isoformat()}
        content = {**about, "seconds": self.seconds, "results": self.results}
        write_text(self.path, json.dumps(content, indent=1) + "\n")

    def measure(self, name, function):
        """Return results[name]. If it is not there yet, it is function(), any JSON value."""
        if name not in self.results:
            self.results[name] = function()
            self.save()
        return self.results[name]

    def table(self, title, rows, digits=2):
        """Print rows (what, result of the paper, our result), and write them to out/table.md.

        A result is a number or text, "-" if there is none.
        """
        self.save()
        show((title, "paper", "ours"), rows, digits)
        minutes = {name: seconds / 60 for name, seconds in self.seconds.items()}
        done = f"{minutes['wall']:.1f} min ({minutes['cpu']:.1f} of processor)"
        print(f"{date.today()}, {self.about['command']}, {done}")
        if self.fixed["quick"]:
            print("A few built-in digits: do not compare these results with the paper.")
        cells = [[c if isinstance(c, str) else f"{c:.{digits}f}" for c in row] for row in rows]
        lines = [
            f"| {' | '.join(row)} |" for row in ((title, "paper", "ours"), ["---"] * 3, *cells)
        ]
        lines.append(f"\n{date.today()}, `{self.about['command']}`, {done}.")
        write_text(self.path.parent / "table.md", "\n".join(lines) + "\n")


def without_out(arguments):
    """Return the arguments without --out and its folder, which mean nothing on other machines."""
    kept, skip = [], False
    for argument in arguments:
        if not (skip or argument.startswith("--out")):
            kept.append(argument)
        skip = argument == "--out"
    return kept


def binary(x, rng):
    """Return zeros and ones, where x in [0, 1] is the probability of a 1."""
    return (rng.random(x.shape, dtype=np.float32) < x).astype(x.dtype)
