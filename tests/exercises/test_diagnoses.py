"""Diagnoses: their ids, the sentences for them, and how many wrong answers they name."""

import re
import sys

import kept_back
import numpy as np
import pytest
from fresh_answers import FRESH
from kept_back import whole
from second_answers import SECOND
from solutions import replace, solved
from third_answers import THIRD
from wrong_answers import WRONG

from miniae.exercises import EXERCISES, find, questions
from miniae.exercises.catalogue import diagnoses, sentence_of
from miniae.exercises.edits import edited, explain, parsed
from miniae.exercises.grader.worker import examine, load
from miniae.exercises.naming import GENERIC, Named, Wrong, generic, with_ids
from miniae.exercises.questions import compare, compare_all

VAGUE = {"unknown", "shape"}  # the message has the numbers or shapes only


def first_fault(tmp_path, id, text):
    """Return the state and the id of the first part of an answer that is not done."""
    path = tmp_path / find(id).file
    path.write_text(text, "utf-8")
    rows = examine(find(id), load(path))
    return next(((row[1], row[3]) for row in rows if row[1] != "done"), ("done", ""))


def diagnosed(tmp_path, id, old, new):
    """Return the first fault of a solution in which `old` is replaced."""
    return first_fault(tmp_path, id, replace(solved(id), old, new))


def keys_of(mistakes):
    """Return the keys of mistakes, each of two mistakes apart."""
    return {one for key in mistakes if key != questions.FORMULAS for one in key.split("__")}


@pytest.mark.parametrize(
    "id",
    [pytest.param(id, marks=[pytest.mark.slow] if i % 4 else []) for i, id in enumerate(EXERCISES)],
)
def test_every_mistake_that_a_check_compares_with_has_a_sentence(tmp_path, monkeypatch, id):
    seen = set()

    def recorded(name, got, right, mistakes, others=None):
        seen.update(keys_of(mistakes))
        return compare(name, got, right, mistakes, others)

    modules = [m for name, m in sys.modules.items() if name.startswith("miniae.exercises.")]
    for module in modules:
        if getattr(module, "compare", None) is compare:
            monkeypatch.setattr(module, "compare", recorded)
    path = tmp_path / find(id).file
    path.write_text(solved(id), "utf-8")
    assert {row[1] for row in examine(find(id), load(path))} == {"done"}
    assert seen <= find(id).mistakes.keys(), seen - find(id).mistakes.keys()
    assert seen or id in ("gradient_check", "concepts")


def test_ids_are_lower_case_and_belong_to_an_exercise():
    assert len(diagnoses()) > 1000
    for id, sentence in diagnoses().items():
        exercise, _, key = id.partition(".")
        assert exercise in EXERCISES and re.fullmatch("[a-z0-9_]+", key), id
        assert len(sentence) > 3 and "__" not in key, id
        assert "the factor the" not in sentence, id


def test_an_id_stays_when_its_sentence_changes():
    def check(ask):
        raise Named("db[0] is 1, should be 2", ["db_is_mean", "db_over_units"])

    for sentence in ("db is divided by n", "take the sum"):
        table = {"db_is_mean": sentence, "db_over_units": "wrong axis"}
        with pytest.raises(Wrong, match=f"^{sentence}; or: wrong axis. db") as wrong:
            with_ids("dense_backward", check, table)(None)
        assert wrong.value.diagnosis == "dense_backward.db_is_mean"


def test_of_two_mistakes_at_once_both_are_said_and_the_first_is_the_id():
    def check(ask):
        raise Named("here", ["minus__halved"])

    with pytest.raises(Wrong, match="^A; and: B. here$") as wrong:
        with_ids("kl_value", check, {"minus": "A", "halved": "B"})(None)
    assert wrong.value.diagnosis == "kl_value.minus"


def test_an_id_of_an_edit_has_a_sentence_too():
    assert sentence_of("dense_forward.edit_out_no_b").endswith("out no b")
    assert sentence_of("dense_backward.db_is_mean").startswith("db is divided by n")
    assert "no name" in sentence_of("dense_backward.of_an_older_version")


RIGHT = np.array([[1.5, -2, 3], [0.5, 4, -1]])


@pytest.mark.parametrize(
    ("got", "key"),
    [
        (-RIGHT, "sign"),
        (2 * RIGHT, "scaled"),
        (RIGHT / 3, "scaled"),
        (RIGHT + 1, "shifted"),
        (RIGHT**2, "squared"),
        (np.abs(RIGHT), "absolute"),
        (1 / RIGHT, "inverted"),
        (0 * RIGHT, "zero"),
        (np.full((2, 3), RIGHT.mean()), "one_number"),
        (RIGHT[::-1], "reversed"),
        (RIGHT.T, "transposed"),
        (RIGHT.sum(axis=0), "summed"),
        (RIGHT.mean(axis=1), "averaged"),
        (RIGHT.sum(), "summed"),
        (RIGHT[0], "one_sample"),
        (RIGHT.ravel(), "reshaped"),
        (RIGHT * (1 + 1e-7), "float32"),
        (np.stack([RIGHT, 0 * RIGHT]), "not_summed"),
    ],
)
def test_a_mistake_that_any_exercise_can_have_has_a_generic_id(got, key):
    assert generic(np.asarray(got), RIGHT)[0] == key and key in GENERIC


def test_values_in_another_order_are_told_to_be_right():
    right = {"dx": np.ones(2), "dW": np.arange(3.0), "db": np.arange(4.0)}
    with pytest.raises(Wrong, match="in the order dW, db, dx: return dx, dW, db") as wrong:
        compare_all([right["dW"], right["db"], right["dx"]], right, {})
    assert wrong.value.diagnosis == "order"
    with pytest.raises(Wrong, match="dx and db are exchanged"):
        compare_all([right["db"], right["dW"], right["dx"]], right, {})
    with pytest.raises(Wrong, match="dx is the right answer for db"):
        compare_all([right["db"], right["dW"], right["db"]], right, {})


def test_a_known_mistake_with_a_factor_is_named_with_the_factor():
    with pytest.raises(Named) as named:
        compare("dx", 3 * RIGHT**3, RIGHT, {"cubed": RIGHT**3, "log": np.log(np.abs(RIGHT))})
    said = named.value.explain({"cubed": "it is cubed"})
    assert said.startswith("it is cubed; and it has a factor of 3")


GIVEN = {"mu": RIGHT, "log_var": RIGHT[::-1] / 2, "eps": RIGHT[:, ::-1] / 3, "n": 2}
STEPS = {"std": "exp(log_var / 2)", "z": "mu + std * eps"}
STD = np.exp(GIVEN["log_var"] / 2)


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (RIGHT + STD, "`eps` is missing in `std * eps` in z"),
        (RIGHT - STD * GIVEN["eps"], "`-` stands in place of `+` in `mu + std * eps` in z"),
        (RIGHT + STD + GIVEN["eps"], "`+` stands in place of `*` in `std * eps` in z"),
        ((RIGHT + STD) * GIVEN["eps"], "a bracket is in the wrong place"),
        (RIGHT + STD**2 * GIVEN["eps"], "`2` is missing in `log_var / 2` in std"),
        (RIGHT + GIVEN["log_var"] / 2 * GIVEN["eps"], "`exp` is missing"),
        (RIGHT + STD * RIGHT, "`mu` stands in place of `eps`"),
        (RIGHT + STD * np.abs(GIVEN["eps"]), "`abs` is taken of"),
    ],
)
def test_an_edit_of_the_formula_explains_an_answer_that_nobody_foresaw(got, words):
    key, said = explain(got, STEPS, GIVEN)
    assert words in said and key.startswith("edit_")


def test_an_answer_that_no_edit_explains_has_no_edit():
    assert explain(RIGHT**5 + 7, STEPS, GIVEN) is None
    assert explain(RIGHT + STD * GIVEN["eps"], STEPS, GIVEN) is None  # the right one


def test_the_keys_of_edits_are_the_same_each_time():
    tree = parsed("(exp(log_var) - 1) / (2 * n)")
    first, second = ([edit[:2] for edit in edited(tree, ["n", "mu"])] for _ in range(2))
    assert first == second and len(first) > 40


def of(answers):
    """Return the rows of a set of answers: id, old, new."""
    return [(id, *row[:2]) for id, rows in answers.items() for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("answers", [WRONG, FRESH, SECOND], ids=["known", "fresh", "second"])
def test_nine_wrong_answers_in_ten_are_named_none_is_accepted(tmp_path, answers):
    rows = [(*row, *diagnosed(tmp_path, *row)) for row in of(answers)]
    assert not [row for row in rows if row[3] == "done"]
    known = diagnoses()
    assert not [row for row in rows if row[4] not in known and ".edit_" not in row[4]]
    vague = [row for row in rows if row[4].split(".")[1] in VAGUE]
    assert len(vague) <= 0.1 * len(rows), vague
    assert len(rows) >= 100 and set(answers) <= set(EXERCISES)


@pytest.mark.slow
@pytest.mark.parametrize(("id", "old", "new", "key"), [
    (id, *row[:2], row[3]) for id, rows in FRESH.items() for row in rows
])  # fmt: skip
def test_a_fresh_wrong_answer_gets_the_id_that_was_read_and_found_right(
    tmp_path, id, old, new, key
):
    assert diagnosed(tmp_path, id, old, new)[1] == f"{id}.{key}"


def changed(base, pairs):
    """Return right code with changes of its text."""
    for old, new in pairs:
        base = replace(base, old, new)
    return base


def first_diagnosis(tmp_path, id, code):
    """Return the first fault of a solution with other definitions after it."""
    return first_fault(tmp_path, id, f"{solved(id)}\n\n{code}")


BASES = [(id, base) for id, bases in THIRD.items() for base, _ in bases]
CHANGES = [
    pytest.param(id, changed(base, pairs), key, marks=[] if i % 90 == 0 else [pytest.mark.slow])
    for id, bases in THIRD.items()
    for base, rows in bases
    for i, (key, *pairs) in enumerate(rows)
]


@pytest.mark.slow
@pytest.mark.parametrize(("id", "base"), BASES)
def test_code_in_another_style_is_right(tmp_path, id, base):
    assert first_diagnosis(tmp_path, id, base)[0] == "done"


@pytest.mark.parametrize(("id", "code", "key"), CHANGES)
def test_a_change_of_code_in_another_style_is_named(tmp_path, id, code, key):
    assert first_diagnosis(tmp_path, id, code) == ("wrong", f"{id}.{key}")


@pytest.mark.slow
def test_of_a_set_that_is_kept_back_nine_in_ten_are_named_and_none_is_accepted(tmp_path):
    found = [
        (id, meaning, *first_fault(tmp_path, id, whole(id, code)))
        for id, _, meaning, code in kept_back.WRONG
    ]
    assert len(found) > 150
    assert not [row for row in found if row[2] == "done"]
    vague = [row for row in found if row[3].rpartition(".")[2] in VAGUE]
    assert len(vague) <= 0.1 * len(found), vague


@pytest.mark.slow
def test_unusual_right_answers_of_a_set_that_is_kept_back_pass(tmp_path):
    found = [
        (id, meaning, *first_fault(tmp_path, id, whole(id, code)))
        for id, _, meaning, code in kept_back.RIGHT
    ]
    assert len(found) > 40
    assert not [row for row in found if row[2] != "done"]
