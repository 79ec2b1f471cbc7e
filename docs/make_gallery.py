"""Write docs/gallery.md: every demo's text, command, table and picture, from a run of the demo.

python docs/make_gallery.py               all of them, some twenty minutes
python docs/make_gallery.py sparse deep   these only; the others stay as they are

Nothing in the gallery is written by hand: the text is the demo's docstring, the table what it
printed, the picture its first figure.
"""

import ast
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image  # matplotlib requires it

ROOT = Path(__file__).parents[1]
CHAPTERS = {
    "The family": "deep convolutional denoise_digits sparse overfitting generate",
    "The VAE, closely": "train_vae beta collapse",
    "Codes": "dimensionality features semi_supervised factors",
    "What does not belong, what is missing": "anomaly_detection time_series imputation "
    "collaborative_filtering",
    "Pictures": "photo_denoising photo_compression bits_back augmentation watch_training",
    "Text": "text_topics spam",
}
WIDTH = 800  # pixels
HEAD = """# Gallery

Every demo, as `python docs/make_gallery.py` found it: what it says of itself, the command, the
tables it printed at seed 0 on the data that are built in, and its first picture. Each takes less
than a minute. With `MINIAE_DATA=<folder>` in the environment those on digits take MNIST instead,
and minutes.
"""


def run(name, out):
    """Run a demo; return what it printed, and its first picture."""
    command = [sys.executable, str(ROOT / "demos" / f"{name}.py"), "--out", str(out)]
    without = {key: value for key, value in os.environ.items() if key != "MINIAE_DATA"}
    done = subprocess.run(command, capture_output=True, text=True, env=without, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    first = re.search(r"^Pictures.* in \S+: ([^,\n]+)", done.stdout, re.MULTILINE)
    return done.stdout, out / f"{first[1].strip()}.png"


def section(name):
    """Return a demo's part of the page; write its picture."""
    text = ast.get_docstring(ast.parse((ROOT / "demos" / f"{name}.py").read_text("utf-8")))
    title, *paragraphs = text.split("\n\n")
    words = [p for p in paragraphs if "python demos/" not in p]
    if "python demos/" in title:
        title = title.split("\n")[0]
    with tempfile.TemporaryDirectory() as folder:
        printed, picture = run(name, Path(folder))
        image = Image.open(picture).convert("RGB")
        if image.width > WIDTH:
            image = image.resize((WIDTH, round(image.height * WIDTH / image.width)))
        kept = ROOT / "docs" / "images" / f"{name}.png"
        image.quantize(256).save(kept, optimize=True)
    parts = printed.split("\n\n")[1:]  # show() leaves an empty line above and below a table
    tables = "\n\n".join(part.strip("\n") for part in parts if re.search(r"\S {2,}\S", part))
    title = title.split(":")[0].strip().rstrip(".").replace("\n", " ")
    return "\n\n".join(
        [
            f"### {title}",
            *words,
            f"```sh\npython demos/{name}.py\n```",
            f"```text\n{tables}\n```",
            f"![What demos/{name}.py draws](images/{name}.png)",
        ]
    )


def assemble(parts):
    """Return the page, of the sections that there are."""
    lines = [HEAD]
    for chapter, text in CHAPTERS.items():
        lines.append(f"## {chapter}\n")
        for name in text.split():
            if name in parts:
                lines.append(f"<!-- {name} -->\n{parts[name]}\n<!-- end -->\n")
    return "\n".join(lines)


def main(names):
    """Make the sections named, or all, and write the page."""
    page = ROOT / "docs" / "gallery.md"
    old = page.read_text("utf-8") if page.exists() else ""
    parts = dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", old, re.DOTALL))
    every = [name for text in CHAPTERS.values() for name in text.split()]
    for name in names or every:
        start = time.perf_counter()
        parts[name] = section(name)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        page.write_text(assemble(parts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
