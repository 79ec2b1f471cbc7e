"""Write the tables of docs/10_speed.md from the records of demos/speed/benchmark.py.

    MINIAE_DATA=<folder> python demos/speed/benchmark.py --workers 1 2 --simd native avx2
    python docs/make_speed.py out/benchmark      keep these records, and write the page
    python docs/make_speed.py                    write the page from the records that are kept
    python docs/make_speed.py --claims           print what may be said, for the README

The records are kept as docs/records/speed-*.json, one for each processor, with and without AVX-512,
and their pictures in docs/images. A new one takes the place of the one of the same processor. The
sentences that compare are computed here from all records: they say what holds on every machine.
"""

import json
import re
import sys
from pathlib import Path

from miniae.plumbing.archives import atomic, write_text

ROOT = Path(__file__).parents[1]
sys.path.insert(1, str(ROOT / "demos"))
from support.benchmark_goals import COLUMNS, GOALS, NAMES, goal_table, markdown, ratio_to  # noqa: E402
from support.benchmark_peers import our_name  # noqa: E402

PAGE, KEPT, IMAGES = ROOT / "docs" / "10_speed.md", ROOT / "docs" / "records", ROOT / "docs/images"
BEGIN, END = "<!-- begin: python docs/make_speed.py -->", "<!-- end -->"
CLAIMED = ("torch", 1), ("torch-fused", 1), ("jax", 1), *COLUMNS[1:]
DATA = {"mnist": "MNIST", "digits": "the built-in digits"}
LEVELS = {"native": "all its vector instructions", "avx2": "without AVX-512"}
MEMORY = {
    "miniae": "- One process of miniae takes {} of the memory of eager PyTorch.",
    "miniae-2": "- Two workers, and the process that leads them, together take {}.",
}
PEERS = {"torch": "eager PyTorch", "torch-fused": "PyTorch with its fused Adam", "jax": "JAX"}


def slug(machine):
    """Return a file's name for a machine: processor, and which instructions were used."""
    cpu = re.sub(r"\((R|TM)\)", "", machine["cpu"]).lower()
    words = re.findall("[a-z0-9]+", f"{cpu} {machine.get('simd', 'native')}")
    return f"speed-{'-'.join(words)}"


def records():
    """Return the records that are kept, in the order of their names, a dict."""
    return {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(KEPT.glob("speed-*.json"))
    }


def keep(folder):
    """Keep the records and pictures of a folder."""
    for path in sorted(Path(folder).glob("benchmark*.json")):
        found = json.loads(path.read_text("utf-8"))
        found.pop("command", None)  # its paths are of one machine
        name = slug(found["machine"])
        KEPT.mkdir(exist_ok=True)
        write_text(KEPT / f"{name}.json", json.dumps(found, indent=1) + "\n")
        scaling = path.stem.replace("benchmark", "scaling")
        for source, target in ((path.stem, name), (scaling, f"{name}-scaling")):
            with atomic(IMAGES / f"{target}.png") as picture:
                picture.write(path.with_name(f"{source}.png").read_bytes())


def listing(names):
    """Return names as a list in words: "W1, W2 and W3"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def claims(found):
    """Return what holds of the records, in sentences: one item for each comparison."""
    lines = []
    for peer, workers in CLAIMED:
        kinds = {"faster": [], "slower": [], "faster on some machines and slower on others": []}
        machines = set()
        for name in GOALS:
            ratios = {}
            for record, result in found.items():
                peers = result["workloads"].get(name, {"peers": {}})["peers"]
                ratios[record] = ratio_to(peers, peer, workers)
            ratios = {record: each for record, each in ratios.items() if each is not None}
            machines |= ratios.keys()
            if ratios:
                faster = [each < 1 for each in ratios.values()]
                kind = 0 if all(faster) else 2 if any(faster) else 1
                [*kinds.values()][kind].append(name)
        if machines:
            count = len(machines)
            words = {1: "on the one machine measured", 2: "on both machines"}.get(
                count, f"on all {count} machines"
            )
            said = [
                f"{kind} {'' if 'some' in kind else words + ' '}in {listing(names)}"
                for kind, names in kinds.items() if names
            ]  # fmt: skip
            who = "miniae" if workers == 1 else f"miniae with {workers} workers"
            lines.append(f"- Compared with {PEERS[peer]}, {who} is {'; '.join(said)}.")
    results = [w["peers"] for record in found.values() for w in record["workloads"].values()]
    for name, sentence in MEMORY.items():
        if shares := list(filter(None, (memory_share(peers, name) for peers in results))):
            lines.append(sentence.format(f"{min(shares):.0%} to {max(shares):.0%}"))
    return "\n".join(lines)


def memory_share(peers, name):
    """Return the peak memory of miniae as a share of PyTorch's, a number; None if not known."""
    ours, theirs = (peers.get(each, {}).get("peak_bytes") for each in (name, "torch"))
    return ours / theirs if theirs and ours else None


def heading(machine):
    """Return the heading of a record."""
    cpu = re.sub(r"\((R|TM)\)", "", machine["cpu"])
    return f"### {cpu}, {LEVELS[machine.get('simd', 'native')]}"


def circumstances(record):
    """Return when, where and with what a record was measured."""
    machine, workloads = record["machine"], record["workloads"]
    rounds = max(len(p["seconds"]) for w in workloads.values() for p in w["peers"].values())
    versions = {
        NAMES[p].partition(",")[0].rstrip("*"): row["version"]
        for w in workloads.values()
        for p, row in w["peers"].items()
        if p in ("torch", "jax", "sklearn")
    }
    loads = [machine[name][0] for name in ("load_before", "load_after") if machine.get(name)]
    load = f" Load average {' and '.join(map(str, loads))} before and after." if loads else ""
    features = ", ".join(machine.get("features", [])) or "not recorded"
    return (
        f"Measured on {machine['date'][:10]} with {DATA[machine['data']]}: {machine['cores']} "
        f"cores, {machine['threads']} threads, Python {machine['python']}, NumPy "
        f"{machine['numpy']}, {', '.join(f'{name} {v}' for name, v in versions.items())}. "
        f"Vector instructions of NumPy: {features}; kernel of its BLAS: "
        f"{machine.get('blas', 'not recorded')}. Commit {machine['commit']}. Medians of {rounds} "
        f"rounds; the libraries take turns.{load}"
    )


def tables(name, record):
    """Return the part of the page about one record."""
    workloads = record["workloads"]
    present = {peer for result in workloads.values() for peer in result["peers"]}
    ours = [our_name(w) for w in range(1, 129) if our_name(w) in present]
    others = [peer for peer in NAMES if peer in present and peer != "miniae"]
    header = ["miniae", *(f"{each.partition('-')[2]} workers" for each in ours[1:])]
    header += [NAMES[peer] for peer in others]

    def row(workload, form):
        peers = workloads[workload]["peers"]
        cells = [form(peers[p]) if p in peers else "-" for p in (*ours, *others)]
        return [workload, *cells]

    seconds = [row(each, lambda r: f"{r['median']:.2f}") for each in workloads]
    memory = [row(each, lambda r: f"{r['peak_bytes'] / 2**20:.0f}") for each in workloads]
    ratios = [
        [each, *(f"{ratio:.2f}" if ratio is not None else "-" for ratio in found)]
        for each, result in workloads.items()
        for found in [[ratio_to(result["peers"], peer, 1) for peer in others]]
    ]
    spent = {each: r["ms_per_step"] for each, r in workloads.items() if "ms_per_step" in r}
    parts = [
        [each, *(f"{value:.2f}" for value in ms.values()), f"{sum(ms.values()):.2f}"]
        for each, ms in spent.items()
    ]
    text = [
        heading(record["machine"]),
        circumstances(record),
        "miniae's time divided by the peer's, beside the goals; a column is headed by the peer and "
        "by miniae's number of workers; below 1, miniae is faster:",
        goal_table(workloads),
        "The same for all peers, one worker:",
        markdown(["", *(NAMES[peer] for peer in others)], ratios),
        "Seconds per epoch (W0: for a whole process, from its start to the trained model; E1 to "
        "E4: for a call):",
        markdown(["", *header], seconds),
        "Peak memory of all processes together, in MiB:",
        markdown(["", *header], memory),
        "Where miniae's time goes, in milliseconds per step, with one worker:",
        markdown(["", *next(iter(spent.values())), "sum"], parts),
    ]
    if record.get("instructions"):
        counted = record["instructions"]
        columns = [peer for peer in NAMES if any(peer in each for each in counted.values())]
        text.append("Millions of instructions per step, on one thread and without AVX-512:")
        rows = [
            [each, *(f"{r[p]['per_step'] / 1e6:.1f}" if p in r else "-" for p in columns)]
            for each, r in counted.items()
        ]
        text.append(markdown(["", *(NAMES[p] for p in columns)], rows))
    text.append(f"![Ratios with goals, and where the time goes](images/{name}.png)")
    if "batches" in record:
        words = "Time against images, the size of a batch, and workers"
        text.append(f"![{words}](images/{name}-scaling.png)")
    return "\n\n".join(text)


def section(found):
    """Return what the page says of the records: claims first, then each record."""
    what = {}
    for record in found.values():
        for name, result in record["workloads"].items():
            what[name] = f"- **{name}**: {result['what']}, {result['n']:,} rows"
    text = ["\n".join(what[name] for name in sorted(what, key=list(GOALS).index)), claims(found)]
    if any("sklearn" in w["peers"] for r in found.values() for w in r["workloads"].values()):
        text.append(
            "\\* scikit-learn's MLPRegressor is not a VAE: it is a plain autoencoder of the same "
            "widths, trained on the squared error, with its own initial weights and its own order "
            "of samples."
        )
    return "\n\n".join([*text, *(tables(name, record) for name, record in found.items())])


def page(text, found):
    """Return the page with the section in it."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{section(found)}\n\n{END}{rest.split(END, 1)[1]}"


def main(*arguments):
    """Keep the records of these folders, and write the page; or print the claims."""
    if arguments == ("--claims",):
        return print(claims(records()))
    for folder in arguments:
        keep(folder)
    return write_text(PAGE, page(PAGE.read_text("utf-8"), records()))


if __name__ == "__main__":
    main(*sys.argv[1:])
