"""What the reproductions share: options, the images, a record of the run, the table at its end.

Run in full, they take MNIST, which the environment variable MINIAE_DATA says where to find; with
--quick they take a few built-in digits, to try the code. All that a run leaves is in one folder,
--out. Give the same command again, and it goes on from there: a `fit` by its checkpoint (a file in
that folder), a measurement by the record.
"""

import json
import os
import sys
import time
from datetime import date
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # so "import paper" before "from common"
import common
import numpy as np

SETTLED = ("quick", "seed")  # options that a run keeps to the end; others may change on the way


def start(description, argv=None, **more):
    """Return the options, as common.options does, and the record of the run in their folder.

    chosen.data is "mnist", or "digits" with --quick: what common.images reads.
    """
    chosen = common.options(description, argv, data=(), **more)
    chosen.data = "digits" if chosen.quick else "mnist"
    arguments = sys.argv[1:] if argv is None else argv
    return chosen, Record(chosen, Path(sys.argv[0]).stem, arguments)


class Record:
    """What a run has measured, when, by which command and in what time, in out/record.json.

    Times are seconds over all calls together, "wall" by the clock and "cpu" of the processor: the
    one counts the time that a run was stopped by a signal, the other does not. The file is read
    before each writing, so that one process may measure while another trains in the same folder.
    """

    def __init__(self, chosen, name, arguments):
        self.path = chosen.out / "record.json"
        chosen.out.mkdir(parents=True, exist_ok=True)
        settled = {key: getattr(chosen, key) for key in SETTLED}
        command = " ".join(["python", f"demos/reproduce/{name}.py", *without_out(arguments)])
        self.about = {"command": command, "settled": settled}
        self.results, self.seconds = {}, {}
        self.last = self.clocks()
        self.read()
        if self.settled != settled:
            raise ValueError(
                f"{self.path} is of another run: {self.settled} there, {settled} here; give "
                "another folder as --out, or delete that one if the run is of no use any more"
            )

    @staticmethod
    def clocks():
        return {"wall": time.perf_counter(), "cpu": time.process_time()}

    def read(self):
        """Take over what the file has, if there is one."""
        known = json.loads(self.path.read_text("utf-8")) if self.path.exists() else self.about
        self.settled = known["settled"]
        self.results = {**known.get("results", {}), **self.results}
        self.seconds = known.get("seconds", {})

    def save(self, *_):
        """Write the file, with the time until now; a `fit` takes this as its callback, too."""
        self.read()
        now = self.clocks()
        for name, seconds in now.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds - self.last[name]
        self.last = now
        about = {**self.about, "date": date.today().isoformat()}
        content = {**about, "seconds": self.seconds, "results": self.results}
        part = self.path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        part.replace(self.path)

    def measure(self, name, function):
        """Return results[name]; measured by function(), any JSON, if it is not there yet."""
        if name not in self.results:
            self.results[name] = function()
            self.save()
        return self.results[name]

    def table(self, title, rows, digits=2):
        """Print rows (what, the paper's figure, ours), and write them to out/table.md.

        Figures are numbers or text; "-" where there is none.
        """
        self.save()
        common.show((title, "paper", "ours"), rows, digits)
        minutes = {name: seconds / 60 for name, seconds in self.seconds.items()}
        done = f"{minutes['wall']:.1f} min ({minutes['cpu']:.1f} of processor)"
        print(f"{date.today()}, {self.about['command']}, {done}")
        if self.settled["quick"]:
            print("Built-in digits, and few of them: nothing to hold against the paper's figures.")
        cells = [[c if isinstance(c, str) else f"{c:.{digits}f}" for c in row] for row in rows]
        lines = [
            f"| {' | '.join(row)} |" for row in ((title, "paper", "ours"), ["---"] * 3, *cells)
        ]
        lines.append(f"\n{date.today()}, `{self.about['command']}`, {done}.")
        (self.path.parent / "table.md").write_text("\n".join(lines) + "\n", "utf-8")


def without_out(arguments):
    """Return the arguments without --out and its folder, which mean nothing elsewhere."""
    kept, skip = [], False
    for argument in arguments:
        if not (skip or argument.startswith("--out")):
            kept.append(argument)
        skip = argument == "--out"
    return kept


def binary(x, rng):
    """Return zeros and ones, each 1 with the probability that x in [0, 1] says."""
    return (rng.random(x.shape, dtype=np.float32) < x).astype(x.dtype)
