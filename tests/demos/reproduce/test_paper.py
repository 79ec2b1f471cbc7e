"""What the reproductions share: options, the record of a run, its table."""

import json

import pytest
from demo_runs import load
from reproduction import choose

pytestmark = pytest.mark.demo


def test_a_record_measures_once_and_adds_up_the_time_of_all_calls(tmp_path, paper):
    first = paper.Record(choose(tmp_path), "name", [])
    assert first.measure("nll", lambda: 1.5) == 1.5
    before = json.loads((tmp_path / "record.json").read_text())
    again = paper.Record(choose(tmp_path), "name", ["--stages", "3"])
    assert again.measure("nll", lambda: pytest.fail("measured twice")) == 1.5
    again.save()
    after = json.loads((tmp_path / "record.json").read_text())
    assert after["results"] == {"nll": 1.5}
    assert after["command"] == "python demos/reproduce/name.py --stages 3"
    assert after["seconds"]["wall"] > before["seconds"]["wall"] > 0


def test_two_processes_may_write_to_one_record(tmp_path, paper):
    trains, measures = (paper.Record(choose(tmp_path), "name", []) for _ in range(2))
    measures.measure("nll", lambda: 1.5)
    trains.measure("loss", lambda: 2.5)
    measures.save()
    found = json.loads((tmp_path / "record.json").read_text())["results"]
    assert found == {"nll": 1.5, "loss": 2.5}


def test_a_folder_of_another_seed_is_refused(tmp_path, paper):
    paper.Record(choose(tmp_path), "name", []).save()
    with pytest.raises(
        ValueError, match=r"record\.json belongs to another run: .*give another folder"
    ):
        paper.Record(choose(tmp_path, seed=1), "name", [])


def test_the_folder_is_no_part_of_the_command_that_is_recorded(tmp_path, paper):
    arguments = ["--seed", "1", "--out", "there", "--quick", "--out=here"]
    assert paper.without_out(arguments) == ["--seed", "1", "--quick"]


def test_the_table_is_printed_and_written_with_date_command_and_time(tmp_path, paper, capsys):
    record = paper.Record(choose(tmp_path), "name", [])
    record.table("nats", [("NLL", 86.76, 87.123), ("active", "-", "19")])
    printed, written = capsys.readouterr().out, (tmp_path / "table.md").read_text()
    assert "NLL     86.76  87.12" in printed and "do not compare" in printed
    assert written.startswith(
        "| nats | paper | ours |\n| --- | --- | --- |\n| NLL | 86.76 | 87.12 |"
    )
    assert "`python demos/reproduce/name.py`, 0.0 min" in written


def test_in_full_the_data_are_mnist_and_quickly_the_built_in_digits(tmp_path, paper):
    for arguments, data in ((["--quick"], "digits"), ([], "mnist")):
        out = tmp_path / data
        chosen, record = paper.start(
            "a_paper", "A paper.", [*arguments, "--out", str(out)], stages=(3, "stages")
        )
        assert (chosen.data, chosen.stages, record.path.parent) == (data, 3, out)


@pytest.mark.parametrize("name", ["burda_2016", "kingma_2014"])
def test_without_mnist_the_error_says_where_to_put_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with load(name) as module:
        with pytest.raises(FileNotFoundError, match="MINIAE_DATA"):
            module.main(["--out", str(tmp_path / "out")])
