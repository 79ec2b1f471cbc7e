import pytest

from miniae.proof.bugzoo import ZOO

SPECIMENS = {each.id: each for each in ZOO if each.id.startswith("attention-")}


@pytest.mark.parametrize("name", SPECIMENS)
def test_wrong_attention_is_caught_and_right_attention_is_not(name):
    for seed in range(3):
        assert SPECIMENS[name].examine(seed).caught
        assert not SPECIMENS[name].examine_correct(seed).caught
