"""Write the tables and pictures in docs/gallery.md, each from a run of its demo.

python docs/make_gallery.py               all of them, some twenty minutes
python docs/make_gallery.py sparse deep   only these; the others stay as they are

The page marks the place of each demo with `begin: python docs/make_gallery.py NAME`. Only what is
between the marks is written: the command, the tables that the demo printed, and its first picture.
The text around it is written by hand, and has no results that the table does not show.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image  # matplotlib requires it

from miniae.plumbing.archives import write_text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"
BEGIN = r"<!-- begin: python docs/make_gallery\.py (\w+) -->\n"
MARKED = re.compile(rf"({BEGIN}).*?(<!-- end -->)", re.DOTALL)
WHOLE_TEXT = {"bug_hunt", "gradient_check"}  # these print steps, not a table
WIDTH = 800  # pixels


def find(name):
    """Return the path of a demo, relative to the repository."""
    (path,) = (ROOT / "demos").rglob(f"{name}.py")
    return path.relative_to(ROOT).as_posix()


def run(path, out):
    """Run a demo; return what it printed, and its first picture."""
    command = [sys.executable, str(ROOT / path), "--out", str(out)]
    hidden = ("MINIAE_DATA", "MINIAE_QUICK")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{path}: {done.stderr}")
    first = re.search(r"^Pictures in \S+: ([^,\n]+)", done.stdout, re.MULTILINE)
    return done.stdout, out / f"{first[1].strip()}.png"


def tables(name, printed):
    """Return the tables in what a demo printed, or all of it for a demo that prints steps."""
    if name in WHOLE_TEXT:
        return printed[: printed.index("\nPictures in")].strip("\n")
    parts = printed.split("\n\n")[1:]  # there is an empty line above and below a table
    aligned = [part.strip("\n") for part in parts if re.search(r"\S {2,}\S", part)]
    return "\n\n".join(part for part in aligned if not part.startswith("layer "))


def section(name):
    """Return what stands between the marks of a demo; write its picture."""
    path = find(name)
    with tempfile.TemporaryDirectory() as folder:
        printed, picture = run(path, Path(folder))
        image = Image.open(picture).convert("RGB")
        if image.width > WIDTH:
            image = image.resize((WIDTH, round(image.height * WIDTH / image.width)))
        image.quantize(256).save(ROOT / "docs" / "images" / f"{name}.png", optimize=True)
    return f"""
```sh
python {path}
```

```text
{tables(name, printed)}
```

![A picture by {path}](images/{name}.png)

"""


def main(names):
    """Make the sections named, or all, and write the page."""
    marked = [name for _, name, _ in MARKED.findall(PAGE.read_text("utf-8"))]
    if unknown := sorted(set(names) - set(marked)):
        raise SystemExit(f"{unknown} have no marks in {PAGE.name}; these have: {marked}")
    for name in names or marked:
        start = time.perf_counter()
        new = section(name)

        def replace(match, name=name, new=new):
            return match[1] + new + match[3] if match[2] == name else match[0]

        write_text(PAGE, MARKED.sub(replace, PAGE.read_text("utf-8")))
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
