"""The demos on what a gradient check can and cannot see."""

import pytest
from demo_runs import run


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "5"])
def test_bug_hunt_ends_at_the_specimen(tmp_path, seed):
    done = run(tmp_path, "bug_hunt", "--quick", "--seed", seed)
    assert "WRONG" in done.text and "Step 5. The diagnosis" in done.text
    assert "It was vae-" in done.text and done.pictures == {"loss"}


@pytest.mark.slow
def test_the_wrong_std_passes_the_gradient_check_and_fails_the_distribution_test(tmp_path):
    done = run(tmp_path, "gradcheck_is_not_enough", "--quick")
    verdicts = [line.split()[-2:] for line in done.text.splitlines() if line.startswith("verdict")]
    assert verdicts == [["right", "right"], ["right", "WRONG"]]
    assert done.pictures == {"sampled_z"}
