"""What speed/benchmark.py reports: the tables and the pictures."""

import matplotlib.pyplot as plt
import numpy as np

from support.benchmark_goals import GOALS, NAMES, ratio_to, title
from support.benchmark_machine import where
from support.benchmark_peers import our_name
from support.benchmark_workloads import WHOLE
from support.common import show


def workers_of(name):
    """Return the number of workers of a peer's name; None if it is not miniae."""
    if not name.startswith("miniae"):
        return None
    return int(name.removeprefix("miniae").removeprefix("-") or 1)


def spoken(name):
    """Return a peer's name as tables have it."""
    workers = workers_of(name)
    return NAMES[name] if workers in (None, 1) else f"miniae, {workers} workers"


def describe(name, result, machine):
    """Print the table of a workload."""
    rows, idle = [], 0.0
    total = sum(sum(row["seconds"]) for row in result["peers"].values())
    for peer, row in result["peers"].items():
        peak, before = row["peak_bytes"], row["bytes_before"]
        waited = total - sum(row["seconds"])
        idle = max(idle, row["idle_cpu_seconds"] / waited if waited else 0.0)
        most = GOALS[name].get((peer, 1))
        rows.append((
            spoken(peer), row["median"], "{:.3f} to {:.3f}".format(*row["quartiles"]),
            "-" if peer == "miniae" else f"{row['ratio']:.2f}",
            "-" if most is None else f"{most:.2f}",
            "-" if row["loss"] is None else f"{row['loss']:.2f}",
            f"{peak / 2**20:.0f}" if peak else "-",
            f"{(peak - before) / 2**20:.0f}" if peak else "-",
        ))  # fmt: skip
    what = {WHOLE: "run"}.get(name, "call" if name.startswith("E") else "epoch")
    header = (f"s per {what}", "quartiles", "miniae / it", "goal", "loss", "peak MiB",
              "of it for work")  # fmt: skip
    print(f"{name}: {result['what']}, {result['n']:,} images\n{where(machine)}", end="")
    show(("", *header), rows, digits=3)
    print(f"A process that waits for its turn uses at most {idle:.1%} of a core\n")


def describe_scaling(workload, scaling, batches):
    """Print the tables of time against images and against the size of a batch."""
    rows = [
        (f"{spoken(name)}: {int(n):,} images", row["seconds"], 1e6 * row["seconds"] / int(n),
         f"{row['bytes'] / 2**20:.1f}")
        for name, found in scaling.items() for n, row in found.items()
    ]  # fmt: skip
    show((workload, "s per epoch", "µs per image", "MiB beyond them"), rows, digits=3)
    name, n = batches["workload"], batches["n"]
    rows = [
        (f"{spoken(peer)}: batch {batch}", seconds, 1e6 * seconds / n)
        for peer, found in batches["seconds"].items() for batch, seconds in found.items()
    ]  # fmt: skip
    show((f"{name}, {n:,} images", "s per epoch", "µs per image"), rows, digits=3)


def draw(workloads, machine):
    """Draw the ratios with their goals, and how the time is spent; return the figure."""
    figure, (ax, below) = plt.subplots(2, figsize=(12, 9), layout="constrained")
    found = {peer for result in workloads.values() for peer in result["peers"]}
    workers = sorted(filter(None, map(workers_of, found)))
    bars = [(peer, w) for peer in NAMES if peer in found - {"miniae"} for w in workers]
    bars = [(peer, w) for peer, w in bars if w == 1 or peer != "floor"]
    width = 0.85 / max(len(bars), 1)
    for i, (peer, w) in enumerate(bars):
        places, ratios = [], []
        for j, (name, result) in enumerate(workloads.items()):
            value = ratio_to(result["peers"], peer, w)
            if value is None:
                continue
            places.append(j + (i - (len(bars) - 1) / 2) * width)
            ratios.append(value)
            most = GOALS[name].get((peer, w))
            if most is not None:
                half = width / 2
                ax.hlines(most, places[-1] - half, places[-1] + half, "k", lw=2, zorder=3)
        drawn = ax.bar(places, ratios, width, label=title(peer, w),
                       color=f"C{list(NAMES).index(peer)}", alpha=0.45 if w > 1 else 1)  # fmt: skip
        if len(bars) <= 5:  # of more, the numbers would cover each other: the tables have them
            ax.bar_label(drawn, fmt="%.2f", fontsize=7, padding=2)
    ax.axhline(1, color="0.5", lw=0.8)
    ax.plot([], [], "k", lw=2, label="goal: at most")
    ax.set_title(f"miniae's time, divided by the time of ...\n{where(machine)}", fontsize=9)
    ax.set(ylabel="ratio of times; below 1, miniae is faster")
    ax.set(xlim=(-0.5, len(workloads) - 0.5), xlabel="workload")
    ax.set(xticks=range(len(workloads)), xticklabels=list(workloads))
    ax.margins(y=0.12)
    ax.legend(frameon=False, ncols=5, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    parts = {name: r["ms_per_step"] for name, r in workloads.items() if r.get("ms_per_step")}
    left = np.zeros(len(parts))
    for part in next(iter(parts.values()), {}):
        shares = np.array([100 * ms[part] / sum(ms.values()) for ms in parts.values()])
        below.barh(list(parts), shares, left=left, label=part)
        left += shares
    below.invert_yaxis()
    below.set(title="How miniae spends its time in training, one worker", xlim=(0, 100))
    below.set(xlabel="% of an epoch", ylabel="workload")
    if parts:
        below.legend(frameon=False, ncols=6, fontsize=8, loc="upper center",
                     bbox_to_anchor=(0.5, -0.16))  # fmt: skip
    return figure


def draw_scaling(workloads, workload, scaling, batches, machine):
    """Draw time against images, the size of a batch, and the number of workers."""
    several = len(scaling) > 1
    figure, axes = plt.subplots(1, 2 + several, figsize=(5 * (2 + several), 4.4),
                                layout="constrained")  # fmt: skip
    for name, found in scaling.items():
        n = [int(each) / 1000 for each in found]
        seconds = [row["seconds"] for row in found.values()]
        axes[0].plot(n, seconds, "o-", label=spoken(name))
    axes[0].set(title=f"{workload}: time against the number of images", xlim=0, ylim=0)
    axes[0].set(xlabel="images in an epoch, thousands", ylabel="seconds per epoch")
    for name, found in batches["seconds"].items():
        sizes = [int(each) for each in found]
        axes[1].plot(sizes, [1e6 * s / batches["n"] for s in found.values()], "o-",
                     label=spoken(name))  # fmt: skip
    axes[1].set_xscale("log", base=2)
    axes[1].set_xticks(sizes, sizes)
    axes[1].minorticks_off()
    axes[1].set(title=f"{batches['workload']}: time against the size of a batch", ylim=0)
    axes[1].set(xlabel="images in a batch", ylabel="µs per image")
    if several:
        counts = sorted(map(workers_of, scaling))
        for name, result in workloads.items():
            peers = result["peers"]
            here = [w for w in counts if our_name(w) in peers]
            if len(here) > 1:
                one = peers["miniae"]["median"]
                shares = [peers[our_name(w)]["median"] / one for w in here]
                axes[2].plot(here, shares, "o-", label=name)
        axes[2].plot(counts, [1 / w for w in counts], "k:", label="1 / workers")
        axes[2].set(title="Time against the number of workers", xticks=counts, ylim=0)
        axes[2].set(xlabel="worker processes", ylabel="time, divided by that of one worker")
    for ax in axes:
        ax.legend(frameon=False, fontsize=8)
    figure.suptitle(where(machine), fontsize=9)
    return figure
