"""The goals of speed/benchmark.py: which ratio may be how large, and which are met."""

import numpy as np

from support.benchmark_peers import our_name

NAMES = {"miniae": "miniae", "torch": "PyTorch", "torch-fused": "PyTorch, fused Adam",
         "jax": "JAX, jit", "sklearn": "scikit-learn*", "floor": "the products alone"}  # fmt: skip
# The time of miniae, with so many workers, divided by that of the peer, is at most this.
COLUMNS = (("torch", 1), ("torch", 2), ("torch-fused", 2), ("jax", 2))
GOALS = {
    "W0": {("torch", 1): 0.5, ("torch-fused", 1): 0.5, ("jax", 1): 0.5, ("sklearn", 1): 0.5},
    "W1": dict(zip(COLUMNS, (0.95, 0.75, 1.0, 1.15), strict=True)),
    "W2": dict(zip(COLUMNS, (0.75, 0.60, 0.75, 1.0), strict=True)),
    "W3": dict(zip(COLUMNS, (0.75, 0.65, 0.85, 1.25), strict=True)),
    "W4": dict(zip(COLUMNS, (1.0, 0.85, 1.0, 1.05), strict=True)),
    "W5": dict(zip(COLUMNS, (0.95, 0.65, 0.80, 0.35), strict=True)),
    **{name: {("torch", 1): 1.0} for name in ("E1", "E2", "E3", "E4")},
}
MAX_IMPORT, MAX_CHANGE, MAX_GROWTH = 1.5, 0.1, 0.05  # see `verdicts`


def ratio(ours, theirs):
    """Return the median over rounds of ours / theirs, two lists of seconds."""
    return float(np.median(np.divide(ours, theirs)))


def ratio_to(peers, peer, workers):
    """Return the time of miniae with so many workers, divided by a peer's; None if not measured.

    peers : dict of a workload's results, each with "seconds", a list
    """
    ours = our_name(workers)
    if ours not in peers or peer not in peers:
        return None
    return ratio(peers[ours]["seconds"], peers[peer]["seconds"])


def title(peer, workers):
    """Return the heading of a ratio: the peer, and the number of workers if it is not 1."""
    return NAMES[peer] if workers == 1 else f"{NAMES[peer]}, {workers} workers"


def goal_table(workloads):
    """Return the table of ratios beside their goals, in Markdown: a row for each workload.

    Its columns are headed by the peer and by miniae's number of workers.
    """
    names = {"torch": "eager", "torch-fused": "fused", "jax": "JAX"}
    header = ["miniae / peer, workers"]
    for peer, workers in COLUMNS:
        header += [f"{names[peer]}, {workers}", "goal"]
    rows = []
    for name, result in workloads.items():
        row = [name]
        for column in COLUMNS:
            found = ratio_to(result["peers"], *column)
            most = GOALS.get(name, {}).get(column)
            row += [
                "-" if found is None else f"{found:.2f}",
                "-" if most is None else f"{most:.2f}",
            ]
        rows.append(row)
    return markdown(header, rows)


def markdown(header, rows):
    """Return a table in Markdown, the first column to the left and the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def verdicts(workloads, import_seconds, scaling):
    """Return the table of goals: what, goal, measured, met or not."""
    rows = []

    def add(what, most, measured, form="{:.2f}"):
        met = "met" if abs(measured) <= most else "not met"
        rows.append((what, "at most " + form.format(most), form.format(measured), met))

    for name, result in workloads.items():
        peers = result["peers"]
        for (peer, workers), most in GOALS[name].items():
            found = ratio_to(peers, peer, workers)
            if found is not None:
                add(f"{name}: miniae / {title(peer, workers)}", most, found)
        if "torch" in peers and peers["torch"]["peak_bytes"]:
            ours = [each for each in peers if each.startswith("miniae")]
            most = max(peers[each]["peak_bytes"] for each in ours) / 2**20
            what = f"{name}: peak memory (MiB) of all processes, goal: that of PyTorch"
            add(what, peers["torch"]["peak_bytes"] / 2**20, most, form="{:.0f}")
    if import_seconds:
        times = import_seconds["miniae"] / import_seconds["numpy"]
        add("import miniae / import numpy", MAX_IMPORT, times)
    if scaling:
        (least, few), *_, (most, many) = scaling.items()
        change = many["seconds"] / int(most) / (few["seconds"] / int(least)) - 1
        what = f"seconds per image: change from {int(least):,} to {int(most):,} images"
        add(what, MAX_CHANGE, change, form="{:.0%}")
        growth = (many["bytes"] - few["bytes"]) / ((int(most) - int(least)) * 784 * 4)
        what = "memory in addition to the images: growth, as a share of their growth"
        add(what, MAX_GROWTH, growth, form="{:.1%}")
    return rows
