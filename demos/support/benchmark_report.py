"""What speed/benchmark.py reports: the goals, the tables, the picture."""

import matplotlib.pyplot as plt
import numpy as np

from support.benchmark_workloads import WHOLE
from support.common import show

NAMES = {"miniae": "miniae", "torch": "PyTorch", "torch-fused": "PyTorch, fused Adam",
         "jax": "JAX, jit", "sklearn": "scikit-learn*", "floor": "the products alone"}  # fmt: skip
# The goals: the time of miniae, divided by that of the peer, is at most this.
ALL = dict.fromkeys(("torch", "torch-fused", "jax", "sklearn"), 0.5)
FRAMEWORKS = {"torch": 0.85, "torch-fused": 1.0, "jax": 1.2}
GOALS = {
    "W0": ALL,
    "W1": {**FRAMEWORKS, "floor": 1.8},
    "W2": FRAMEWORKS,
    "W3": FRAMEWORKS,
    "W4": {"torch": 1.0, "torch-fused": 1.2, "jax": 1.2, "floor": 1.4},
    "W5": {"torch": 2.0},
}
MAX_IMPORT, MAX_CHANGE, MAX_GROWTH = 1.5, 0.1, 0.05  # see `verdicts`


def ratio(ours, theirs):
    """Return the median over rounds of ours / theirs, two lists of seconds."""
    return float(np.median(np.divide(ours, theirs)))


def describe(name, result):
    """Print the table of a workload."""
    rows, idle = [], 0.0
    total = sum(sum(row["seconds"]) for row in result["peers"].values())
    for peer, row in result["peers"].items():
        peak, before = row["peak_bytes"], row["bytes_before"]
        waited = total - sum(row["seconds"])
        idle = max(idle, row["idle_cpu_seconds"] / waited if waited else 0.0)
        rows.append((
            NAMES[peer], row["median"], "{:.3f} to {:.3f}".format(*row["quartiles"]),
            "-" if peer == "miniae" else f"{row['ratio']:.2f}",
            str(GOALS[name].get(peer, "-")),
            "-" if row["loss"] is None else f"{row['loss']:.2f}",
            f"{peak / 2**20:.0f}" if peak else "-",
            f"{(peak - before) / 2**20:.0f}" if peak else "-",
        ))  # fmt: skip
    what = "run" if name == WHOLE else "epoch"
    header = (f"s per {what}", "quartiles", "miniae / it", "goal", "loss", "peak MiB",
              "of it training")  # fmt: skip
    print(f"{name}: {result['what']}, {result['n']:,} images", end="")
    show(("", *header), rows, digits=3)
    print(f"A process that waits for its turn uses at most {idle:.1%} of a core\n")


def verdicts(workloads, import_seconds, scaling):
    """Return the table of goals: what, goal, measured, met or not."""
    rows = []

    def add(what, most, measured, form="{:.2f}"):
        met = "met" if abs(measured) <= most else "not met"
        rows.append((what, "at most " + form.format(most), form.format(measured), met))

    for name, result in workloads.items():
        peers = result["peers"]
        for peer, most in GOALS[name].items():
            if peer in peers:
                add(f"{name}: miniae / {NAMES[peer]}", most, peers[peer]["ratio"])
        if "torch" in peers and peers["torch"]["peak_bytes"]:
            mebibytes = {peer: peers[peer]["peak_bytes"] / 2**20 for peer in ("torch", "miniae")}
            add(
                f"{name}: peak memory (MiB), goal: that of PyTorch",
                *mebibytes.values(),
                form="{:.0f}",
            )
    times = import_seconds["miniae"] / import_seconds["numpy"]
    add("import miniae / import numpy", MAX_IMPORT, times)
    (least, few), *_, (most, many) = scaling.items()
    change = many["seconds"] / most / (few["seconds"] / least) - 1
    what = f"seconds per image: change from {least:,} to {most:,} images"
    add(what, MAX_CHANGE, change, form="{:.0%}")
    growth = (many["bytes"] - few["bytes"]) / ((most - least) * 784 * 4)
    what = "memory in addition to the images: growth, as a share of their growth"
    add(what, MAX_GROWTH, growth, form="{:.1%}")
    return rows


def draw(workloads):
    """Draw the ratios with their goals, and how the time is spent; return the figure."""
    figure, (ax, below) = plt.subplots(2, figsize=(9, 8), layout="constrained")
    found = {peer for result in workloads.values() for peer in result["peers"]}
    peers = [peer for peer in NAMES if peer in found - {"miniae"}]
    width = 0.8 / max(len(peers), 1)
    for i, peer in enumerate(peers):
        ratios = {
            j + (i - (len(peers) - 1) / 2) * width: (name, result["peers"][peer]["ratio"])
            for j, (name, result) in enumerate(workloads.items())
            if peer in result["peers"]
        }
        bars = ax.bar(list(ratios), [value for _, value in ratios.values()], width,
                      label=NAMES[peer], color=f"C{list(NAMES).index(peer)}")  # fmt: skip
        ax.bar_label(bars, fmt="%.2f", fontsize=7)
        for x, (name, _) in ratios.items():
            if peer in GOALS[name]:
                ax.hlines(GOALS[name][peer], x - width / 2, x + width / 2, "k", lw=2)
    ax.axhline(1, color="0.5", lw=0.8)
    ax.plot([], [], "k", lw=2, label="goal: at most")
    ax.set(title="miniae's time, divided by the time of ...", ylabel="ratio")
    ax.set(xlim=(-0.5, len(workloads) - 0.5))
    ax.set(xticks=range(len(workloads)), xticklabels=list(workloads))
    ax.legend(frameon=False, ncols=6, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    left = np.zeros(len(workloads))
    for part in next(iter(workloads.values()))["ms_per_step"]:
        times = [result["ms_per_step"] for result in workloads.values()]
        shares = np.array([100 * ms[part] / sum(ms.values()) for ms in times])
        below.barh(list(workloads), shares, left=left, label=part)
        left += shares
    below.invert_yaxis()
    below.set(title="How miniae spends its time", xlabel="% of an epoch", xlim=(0, 100))
    below.legend(frameon=False, ncols=6, fontsize=8, loc="upper center",
                 bbox_to_anchor=(0.5, -0.12))  # fmt: skip
    return figure
