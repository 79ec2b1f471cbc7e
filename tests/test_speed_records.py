"""docs/make_speed.py: what the page on speed claims is what every record shows."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def make_speed():
    spec = importlib.util.spec_from_file_location("make_speed", ROOT / "docs" / "make_speed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(cpu="A chip", simd="native", **ratios):
    """Return a record in which miniae takes `ratios` of the time of PyTorch, by workload."""

    def peer(seconds, mebibytes):
        return {"seconds": [seconds] * 5, "median": seconds, "ratio": 1 / seconds,
                "peak_bytes": mebibytes * 2**20, "version": "1", "loss": 1.0}  # fmt: skip

    machine = {"date": "2030-01-02T00:00:00", "cpu": cpu, "cores": 2, "threads": 2, "numpy": "9",
               "python": "3", "commit": "abc", "data": "mnist", "simd": simd, "blas": "b K",
               "features": ["SSE", "AVX2"], "load_before": [0.1, 0, 0]}  # fmt: skip
    workloads = {
        name: {
            "what": "a net", "n": 100, "ms_per_step": {"forward": 1.0},
            "peers": {"miniae": peer(ratio, 100), "torch": peer(1.0, 400)},
        }
        for name, ratio in ratios.items()
    }  # fmt: skip
    return {"machine": machine, "workloads": workloads, "command": ["/home"]}


def test_a_claim_holds_on_every_machine_or_says_that_it_does_not(make_speed):
    one, other = record(W1=0.9, W2=0.5, E1=2.0), record("B", W1=1.1, W2=0.6, E1=1.5)
    assert make_speed.claims({"a": one, "b": other}).splitlines() == [
        "- Compared with eager PyTorch, miniae is faster on both machines in W2; slower on both "
        "machines in E1; faster on some machines and slower on others in W1.",
        "- One process of miniae takes 25% to 25% of the memory of eager PyTorch.",
    ]
    assert make_speed.claims({"a": one}).startswith(
        "- Compared with eager PyTorch, miniae is faster on the one machine measured in W1 and W2; "
        "slower on the one machine measured in E1."
    )


def test_workers_are_claimed_for_only_where_they_were_measured(make_speed):
    one, other = record(W1=0.9, W2=0.5), record("B", W1=1.1)
    one["workloads"]["W1"]["peers"]["miniae-2"] = one["workloads"]["W1"]["peers"]["miniae"]
    (said,) = [
        line for line in make_speed.claims({"a": one, "b": other}).splitlines() if "2 w" in line
    ]
    assert said == (
        "- Compared with eager PyTorch, miniae with 2 workers is faster on the one machine "
        "measured in W1."
    )


def test_the_records_of_a_folder_are_kept_by_processor_and_instructions(
    make_speed, tmp_path, monkeypatch
):
    kept, out = tmp_path / "records", tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(make_speed, "KEPT", kept)
    monkeypatch.setattr(make_speed, "IMAGES", tmp_path)
    for end, simd in (("", "native"), ("_avx2", "avx2")):
        found = record("Chip(R) 9", simd, W1=0.5)
        (out / f"benchmark{end}.json").write_text(json.dumps(found))
        for picture in ("benchmark", "scaling"):
            (out / f"{picture}{end}.png").write_bytes(picture.encode())
    make_speed.keep(out)
    make_speed.keep(out)  # again: in the place of the first
    found = make_speed.records()
    assert list(found) == ["speed-chip-9-avx2", "speed-chip-9-native"]
    assert all("command" not in each for each in found.values())
    assert (tmp_path / "speed-chip-9-avx2-scaling.png").read_bytes() == b"scaling"
    text = make_speed.section(found)
    assert "### Chip 9, without AVX-512" in text and "images/speed-chip-9-native.png" in text
    assert "Vector instructions of NumPy: SSE, AVX2; kernel of its BLAS: b K" in text
    assert "| W1 | 0.50 | 0.95 | - | 0.75 |" in text


def test_the_kept_records_name_no_paths_and_have_their_pictures(make_speed):
    for name, found in make_speed.records().items():
        assert "command" not in found and make_speed.slug(found["machine"]) == name
        assert (make_speed.IMAGES / f"{name}.png").exists()
        assert ("batches" in found) == (make_speed.IMAGES / f"{name}-scaling.png").exists()


def test_the_readme_says_what_every_record_shows(make_speed):
    """What README says of training holds in each record, of the other processors too."""
    records, readme = make_speed.records(), (ROOT / "README.md").read_text("utf-8")
    assert len(records) >= 2
    for record in records.values():
        found = record["workloads"]
        peers = {name: found[name]["peers"] for name in sorted(found) if name.startswith("W")}
        slower = {name for name, each in peers.items() if each["torch"]["ratio"] >= 1}
        assert slower <= {"W4"}, "ahead of eager PyTorch in five of six networks"
        assert peers["W4"]["torch"]["ratio"] < 1.2, "up to 16 % slower in the largest"
        assert {name for name, each in peers.items() if each["jax"]["ratio"] < 1} == {"W0", "W5"}
        for each in peers.values():
            two = make_speed.ratio_to(each, "torch", 2)
            assert two is None or two < 1, "ahead in all six"
            for peer in ("torch", "torch-fused", "jax"):
                assert each["miniae"]["peak_bytes"] < each[peer]["peak_bytes"] / 2
    for sentence in (
        "ahead of eager PyTorch in five of six networks",
        "With `fit(..., workers=2)` it is ahead in all six",
        "behind compiled JAX in the four dense VAEs and ahead of it in the other two",
        "less than half of their memory",
    ):
        assert sentence in " ".join(readme.split())
