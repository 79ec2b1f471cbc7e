"""Write the tables of docs/10_speed.md from what demos/speed/benchmark.py measured.

    MINIAE_DATA=<folder> python demos/speed/benchmark.py --out out/benchmark
    python docs/make_speed.py out/benchmark

The measurements stay beside the page as docs/benchmark.json, and its picture in docs/images.
"""

import json
import sys
from pathlib import Path

from miniae.plumbing.archives import atomic, write_text

ROOT = Path(__file__).parents[1]
PAGE, KEPT = ROOT / "docs" / "10_speed.md", ROOT / "docs" / "benchmark.json"
BEGIN, END = "<!-- begin: python docs/make_speed.py -->", "<!-- end -->"
PEERS = {
    "torch": "PyTorch",
    "torch-fused": "PyTorch, fused Adam",
    "jax": "JAX",
    "sklearn": "scikit-learn*",
    "floor": "the products alone",
}

DATA = {"mnist": "MNIST", "digits": "the built-in digits"}


def table(header, rows):
    """Return a table in Markdown."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def section(found):
    """Return the tables, and the sentences that name the machine and the day."""
    machine, workloads = found["machine"], found["workloads"]
    header = ["", "miniae", *PEERS.values()]
    seconds, ratios, memory, parts, what = [], [], [], [], []
    for name, result in workloads.items():
        peers = result["peers"]

        def row(form, key, name=name, peers=peers):
            cells = [form(peers[p]) if p in peers and peers[p][key] else "-" for p in PEERS]
            return [name, form(peers["miniae"]), *cells]

        what.append(f"- **{name}**: {result['what']}, {result['n']:,} images")
        seconds.append(row(lambda r: f"{r['median']:.2f}", "median"))
        ratios.append([name, *row(lambda r: f"{r['ratio']:.2f}", "ratio")[2:]])
        memory.append(row(lambda r: f"{r['peak_bytes'] / 2**20:.0f}", "peak_bytes"))
        ms = result["ms_per_step"]
        parts.append([name, *(f"{value:.2f}" for value in ms.values()), f"{sum(ms.values()):.2f}"])
    goals = [
        [what, most.removeprefix("at most "), measured, met]
        for what, most, measured, met in found["goals"]
    ]
    rounds = max(len(p["seconds"]) for w in workloads.values() for p in w["peers"].values())
    versions = {
        PEERS[p].rstrip("*"): row["version"]
        for w in workloads.values()
        for p, row in w["peers"].items()
        if p in ("torch", "jax", "sklearn")
    }
    return "\n\n".join((
        f"Measured on {machine['date'][:10]} with {DATA[machine['data']]}: {machine['cores']} "
        f"cores of an {machine['cpu']}, {machine['threads']} threads, Python {machine['python']}, "
        f"NumPy {machine['numpy']}, {', '.join(f'{name} {v}' for name, v in versions.items())}. "
        f"Commit {machine['commit']}. Medians of {rounds} rounds; the libraries take turns.",
        "\n".join(what),
        "Seconds per epoch (W0: for a whole process, from its start to the trained model):",
        table(header, seconds),
        "miniae's time divided by the peer's, median over the rounds; below 1 miniae is faster:",
        table(["", *header[2:]], ratios),
        "\\* scikit-learn's MLPRegressor is not a VAE: it is a plain autoencoder of the same "
        "widths, trained on the squared error, with its own initial weights and its own "
        "order of samples.",
        "Peak memory of the process, in MiB:",
        table(header, memory),
        "Where miniae's time goes, in milliseconds per step:",
        table(["", *next(iter(workloads.values()))["ms_per_step"], "sum"], parts),
        "![Ratios with goals, and where the time goes](images/benchmark.png)",
        "Goals and results:",
        table(["", "at most", "measured", ""], goals),
    ))  # fmt: skip


def page(text, found):
    """Return the page with the section in it."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{section(found)}\n\n{END}{rest.split(END, 1)[1]}"


def main(folder):
    """Write the results in a folder into the page, and keep them beside it."""
    found = json.loads(Path(folder, "benchmark.json").read_text("utf-8"))
    del found["command"]  # its paths are of one machine
    write_text(KEPT, json.dumps(found, indent=1) + "\n")
    with atomic(ROOT / "docs" / "images" / "benchmark.png") as picture:
        picture.write(Path(folder, "benchmark.png").read_bytes())
    write_text(PAGE, page(PAGE.read_text("utf-8"), found))


if __name__ == "__main__":
    main(*sys.argv[1:])
