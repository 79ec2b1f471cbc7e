"""Groups: wrong answers without a diagnosis, by what they compute; a teacher names a group."""

import csv
import io
import json

import numpy as np
import pytest
from solutions import solved

from miniae.exercises import Result, find
from miniae.exercises.__main__ import main
from miniae.exercises.classroom.groups import (
    code_of_part,
    collect,
    fingerprint,
    groups_of,
    name_row,
    read_names,
    rounded,
)
from miniae.exercises.classroom.report import as_row
from miniae.exercises.grader.sandbox import Verdict

pytest.importorskip("resource")  # Windows has none
from measure_groups import examined, mutants

DENSE = find("dense_backward")
RNG = np.random.default_rng(0)


def result(state="wrong", diagnosis="", answers=(), part="dense_backward"):
    """Return a result of dense_backward."""
    parts = {part: Verdict(state, "dx is 1, should be 2", diagnosis)}
    return Result(DENSE, parts, answers={part: list(answers)})


def test_rounding_changes_no_group_and_a_real_difference_does():
    x = RNG.standard_normal((50, 40))
    for scale in (1e-9, 1.0, 1e9):
        same = scale * x * (1 + 1e-14 * RNG.standard_normal(x.shape))
        np.testing.assert_array_equal(rounded(scale * x), rounded(same))
    for other in (2 * x, -x, x.T, x * 1.001, np.abs(x), x + 0.01, x + 1j, x[:-1]):
        assert fingerprint("e", "p", [x]) != fingerprint("e", "p", [other])


@pytest.mark.parametrize("power", range(-20, 20))
def test_round_numbers_are_not_at_the_border_of_two_steps(power):
    x = np.array([1, 0.5, 0.25, 1 / 32, 1 / 3, 0.1, 0.15, 0.00005, 0, -0.5]) * 2.0**power
    np.testing.assert_array_equal(rounded(x), rounded(x * (1 + 4e-16)))
    np.testing.assert_array_equal(rounded(x), rounded(x * (1 - 4e-16)))


def test_a_group_is_of_one_exercise_and_one_part_and_knows_what_is_not_finite():
    x = np.ones(3)
    keys = {fingerprint(e, p, [x]) for e in "ab" for p in "cd"}
    assert len(keys) == 4
    arrays = [np.array([v, 1.0]) for v in (np.nan, np.inf, -np.inf, 0.0)]
    assert len({fingerprint("e", "p", [array]) for array in arrays}) == 4
    assert fingerprint("e", "p", [np.zeros(2)]) != fingerprint("e", "p", [np.zeros(3)])


def test_without_arrays_the_message_without_its_numbers_is_compared():
    one, two, other = ("x is 1.5, should be 2", "x is -3e-7, should be 4", "x is text")
    assert fingerprint("e", "p", [], one) == fingerprint("e", "p", [], two)
    assert fingerprint("e", "p", [], one) != fingerprint("e", "p", [], other)


@pytest.mark.parametrize("key", ["", "dense_backward.unknown", "dense_backward.shape"])
def test_only_wrong_answers_without_a_reason_are_grouped(key):
    assert groups_of(result(diagnosis=key), lambda: result(diagnosis=key))
    for other in (result("done"), result("error"), result(diagnosis="dense_backward.db_is_mean")):
        assert groups_of(other, lambda: pytest.fail("checked for nothing")) == {}


def test_what_is_right_with_the_shared_inputs_is_in_no_group():
    assert groups_of(result(), lambda: result("done")) == {}
    assert groups_of(result(), lambda: result("error")) == {}


def test_a_named_group_is_a_diagnosis(tmp_path):
    groups = groups_of(result(), lambda: result(answers=[np.ones(3)]))
    row = as_row(result(diagnosis="dense_backward.unknown"), "ada", groups=groups)
    (key,) = groups.values()
    file = tmp_path / "names.txt"
    file.write_text(f"# my names\n\n{key} dense_backward.db_is_one db is 1 everywhere.\n")
    named = name_row(row, read_names(file))
    assert named["diagnosis"] == named["diagnoses"] == "dense_backward.db_is_one"
    assert named["message"].startswith("dense_backward: db is 1 everywhere. dx is 1")
    assert collect([row, row])[0].students == ["ada", "ada"] and collect([named]) == []
    assert name_row(named, read_names(file)) == named
    file.write_text(f"{key} adam.db_is_one of another exercise\n")
    assert name_row(row, read_names(file))["diagnosis"] == "dense_backward.unknown"


@pytest.mark.parametrize(
    "line", ["x", "0123456789 no_exercise.a b", "0123456789 dense_backward.a", "01 adam.x y"]
)
def test_a_line_that_is_not_a_name_is_refused_with_its_number(tmp_path, line):
    file = tmp_path / "names.txt"
    file.write_text(f"# one\n{line}\n")
    with pytest.raises(ValueError, match="line 2: .* must be a group, a diagnosis and a sentence"):
        read_names(file)


def test_the_example_is_the_code_of_the_part_without_its_docstring():
    source = b'def f(x):\n    """Text."""\n    # why\n    return x\n\n\ndef g():\n    pass\n'
    assert code_of_part(source, "f") == ["    return x"]
    assert code_of_part(b"def f(:", "f") == code_of_part(b"x = 1", "f") == []
    assert code_of_part(source, "VAE") == source.decode().splitlines()  # a bug hunt
    assert len(code_of_part(b"def f():\n" + b"    x = 1\n" * 99, "f")) == 15


WRONG = "return dout @ W.T, x.T @ dout, dout.sum(axis=0)"


@pytest.mark.slow
def test_a_class_is_grouped_and_a_name_given_once_names_the_next_class(tmp_path, capsys):
    answers = {
        "ada": "return dout @ W.T, x.T @ dout, 0.3 + np.sin(dout.sum(axis=0) + 0.7)",
        "bob": "db = np.full(W.shape[1], 0.7)\n    for row in dout:\n        db += row\n"
        "    return dout @ W.T, x.T @ dout, np.sin(db) + 0.3",
        "cy": "return dout @ W.T, x.T @ dout - 0.7 * np.cos(W), dout.sum(axis=0)",
        "dora": WRONG,
    }
    for student, body in answers.items():
        (tmp_path / "class" / student).mkdir(parents=True)
        text = solved(DENSE.id).replace(WRONG, body)
        (tmp_path / "class" / student / DENSE.file).write_text(text)
    words = ["report", str(tmp_path / "class"), "--only", DENSE.id]
    main([*words, "--groups", "--json", "--resume", str(tmp_path / "kept.csv")])
    first, second = json.loads(capsys.readouterr().out)
    assert first["students"] == ["ada", "bob"] and second["students"] == ["cy"]
    assert "0.3 + np.sin" in first["code"]
    main([*words, "--groups"])
    out = capsys.readouterr().out
    assert out.count("\n    | ") == 2 and "2 students: ada, bob (66 %" in out
    names = tmp_path / "names.txt"
    names.write_text(f"{first['group']} dense_backward.db_has_more Something is added to db.\n")
    for more in ([], ["--resume", str(tmp_path / "kept.csv")]):
        main([*words, "--csv", "--names", str(names), *more])
        rows = {r["student"]: r for r in csv.DictReader(io.StringIO(capsys.readouterr().out))}
        assert rows["ada"]["diagnosis"] == rows["bob"]["diagnosis"] == "dense_backward.db_has_more"
        assert "Something is added to db." in rows["bob"]["message"]
        assert rows["cy"]["diagnosis"] != "dense_backward.db_has_more"
        assert rows["dora"]["state"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("id", ["dense_backward", "sgd_momentum", "kl_gradient"])
def test_no_mutant_that_is_right_is_in_a_group_of_one_that_is_wrong(tmp_path, id):
    exercise, right = find(id), 0
    texts = sorted({text for _, _, text in mutants(solved(id))})
    for number, text in enumerate([solved(id), *texts[:25]]):
        checked, found = examined(exercise, text, number, tmp_path)
        right += checked.state == "done"
        assert not (found and checked.state == "done")
    assert 1 <= right < len(texts[:25])
