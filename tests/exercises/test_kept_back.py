"""How many wrong answers are named of a set that was not looked at when the names were written."""

import pytest
from kept_back import RIGHT, WRONG, whole

from miniae.exercises import find
from miniae.exercises.grader.worker import examine, load

VAGUE = {"unknown", "shape"}  # the message has the numbers or shapes only


def verdict(tmp_path, id, code):
    """Return the state and the key of the diagnosis of the first part that is not done."""
    path = tmp_path / find(id).file
    path.write_text(whole(id, code), "utf-8")
    rows = [row for row in examine(find(id), load(path)) if row[1] != "done"]
    return (rows[0][1], rows[0][3].rpartition(".")[2]) if rows else ("done", "")


@pytest.mark.slow
def test_no_wrong_answer_is_accepted_and_nine_in_ten_are_named(tmp_path):
    found = [(id, meaning, *verdict(tmp_path, id, code)) for id, _, meaning, code in WRONG]
    assert len(found) > 150
    assert not [row for row in found if row[2] == "done"]
    vague = [row for row in found if row[3] in VAGUE]
    assert len(vague) <= 0.1 * len(found), vague


@pytest.mark.slow
def test_unusual_right_answers_pass(tmp_path):
    found = [(id, meaning, verdict(tmp_path, id, code)) for id, _, meaning, code in RIGHT]
    assert len(found) > 40
    assert not [row for row in found if row[2][0] != "done"]
