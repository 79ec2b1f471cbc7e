"""Run a demo, and read what it printed and drew."""

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
DEMOS = ROOT / "demos"
SCRIPTS = sorted(path for path in DEMOS.rglob("*.py") if path.parent.name != "support")
MNIST = os.environ.get("MINIAE_DATA")
on_mnist = pytest.mark.skipif(not MNIST, reason="needs MNIST under MINIAE_DATA")


def find(name):
    """Return the file of a demo, or of a module in support/, whatever its folder."""
    (path,) = DEMOS.rglob(f"{name}.py")
    return path


@dataclass
class Run:
    """What a demo printed, and the folder of its pictures: ``table, pictures = run(...)``."""

    text: str
    out: Path

    def __iter__(self):
        return iter((self.table, self.pictures))

    @property
    def table(self):
        """The first table: a dict of the rows' names to their numbers; "7 of 20" counts as two."""
        return self.numbers(self.text.split("\n\n")[1])

    def table_of(self, heading):
        """Return the table that has this heading, as `table` does."""
        blocks = self.text.strip().split("\n\n")
        return self.numbers(next(b for b in blocks if heading in b.strip().splitlines()[0]))

    def numbers(self, block):
        """Return the rows of a table below its headings."""
        rows = [re.split(r" {2,}", line) for line in block.strip("\n").splitlines()[1:]]
        return {
            first: [float(x) for x in re.findall(r"-?\d+\.?\d*", " ".join(rest).replace(",", ""))]
            for first, *rest in rows
        }

    @property
    def pictures(self):
        """The names of the pictures, none of which may be empty."""
        files = list(self.out.glob("*.png"))
        assert all(file.stat().st_size > 4000 for file in files)
        return {file.stem for file in files}


def run(tmp_path, name, *arguments, data=None):
    """Run a demo as a user would, in another folder and process."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MINIAE_DATA", "MINIAE_QUICK")}
    if data:
        environment["MINIAE_DATA"] = str(Path(data).resolve())
    command = [sys.executable, "-W", "error::RuntimeWarning", str(find(name)), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    return Run(done.stdout, tmp_path / "out" / name)


@contextlib.contextmanager
def load(name):
    """Import a demo as Python does a script, its folder on the path, without MINIAE_DATA."""
    path, saved = list(sys.path), os.environ.pop("MINIAE_DATA", None)
    file = find(name)
    sys.path[:0] = [str(file.parent), str(DEMOS)]
    try:
        spec = importlib.util.spec_from_file_location(f"demo_{name}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        plt.close("all")
        sys.path[:] = path
        if saved is not None:
            os.environ["MINIAE_DATA"] = saved


def quick(tmp_path, name, *arguments):
    """Run a demo with --quick in this process, which saves the second that Python takes to start.

    Its options and its folder are given, so that nothing depends on where the tests run.
    """
    text, out = io.StringIO(), tmp_path / "out" / name
    with load(name) as module, contextlib.redirect_stdout(text):
        module.main(["--quick", "--out", str(out), *arguments])
    return Run(text.getvalue(), out)
