"""The set of answers that is kept back: nine of ten are named, and none is misjudged."""

import pytest
from kept_back import RIGHT, WRONG, whole

from miniae.exercises import find
from miniae.exercises.grader.worker import examine, load

VAGUE = {"unknown", "shape"}  # the message has the numbers or shapes only


def faults(tmp_path, id, code):
    """Return the state and the key of the diagnosis of each part that is not done."""
    path = tmp_path / find(id).file
    path.write_text(whole(id, code), "utf-8")
    rows = examine(find(id), load(path), "kim")
    return [(row[1], row[3].partition(".")[2]) for row in rows if row[1] != "done"]


@pytest.mark.slow
def test_at_least_nine_of_ten_wrong_answers_are_named_and_none_passes(tmp_path):
    found = [faults(tmp_path, id, code) for id, _, _, code in WRONG]
    assert all(found)
    named = sum(rows[0][1] not in VAGUE for rows in found)
    assert named >= 0.9 * len(WRONG), (named, len(WRONG))


@pytest.mark.slow
@pytest.mark.parametrize(("id", "meaning", "code"), [(id, *rest) for id, _, *rest in RIGHT])
def test_a_right_answer_of_an_unusual_kind_passes(tmp_path, id, meaning, code):
    assert faults(tmp_path, id, code) == [], meaning
