"""The noise of a training is seen from another process too."""

import pytest
from test_identity import diagnosis

EPS = "rng.standard_normal((len(batch), 2))"
OF_LOSS = "rng.standard_normal((len(X), 2))"
BEGIN = "networks, losses = (encoder, decoder), []"
OWN = (BEGIN, f"{BEGIN}\n    own = np.random.default_rng(1)")
FIXED = (BEGIN, f"{BEGIN}\n    kept = rng.standard_normal((50, 2))")
REFUSED = {
    "reused": ([FIXED, (EPS, "kept[: len(batch)]")], "eps_reused"),
    "the same seed": ([(EPS, EPS.replace("rng.", "np.random.default_rng(0).", 1))], "eps_reused"),
    "zero": ([(EPS, "np.zeros((len(batch), 2))")], "eps_is_0"),
    "zero everywhere": (
        [(EPS, "np.zeros((len(batch), 2))"), (OF_LOSS, "np.zeros((len(X), 2))")],
        "eps_is_0",
    ),
    "own": ([OWN, (EPS, EPS.replace("rng.", "own."))], "rng_not_used"),
    "own everywhere": (
        [OWN, (EPS, EPS.replace("rng.", "own.")), (OF_LOSS, OF_LOSS.replace("rng.", "own."))],
        "rng_not_used",
    ),
    "global": ([(EPS, EPS.replace("rng.", "np.random."))], "rng_not_used"),
    "uniform": ([(EPS, EPS.replace("standard_normal(", "random("))], "eps_not_normal"),
}
ACCEPTED = {
    "as in the solution": [],
    "the loss without noise": [(OF_LOSS, "np.zeros((len(X), 2))")],
    "the loss with noise of another generator": [OWN, (OF_LOSS, OF_LOSS.replace("rng.", "own."))],
    "the loss with the same noise": [
        (BEGIN, f"{BEGIN}\n    kept = {OF_LOSS}"),
        (f"elbo_loss(encoder, decoder, X, {OF_LOSS})", "elbo_loss(encoder, decoder, X, kept)"),
    ],
    "float32": [(EPS, "rng.standard_normal((len(batch), 2), dtype=np.float32)")],
    "all of it at the beginning": [
        (BEGIN, f"{BEGIN}\n    kept = list(rng.standard_normal((481, 50, 2)))"),
        (EPS, "kept.pop()[: len(batch)]"),
    ],
    "another method": [
        (
            EPS,
            "np.sqrt(-2 * np.log1p(-rng.random((len(batch), 2)))) "
            "* np.cos(2 * np.pi * rng.random((len(batch), 2)))",
        )
    ],
    "copies are kept": [
        (BEGIN, f"import copy\n    {BEGIN}\n    best = copy.deepcopy(encoder), None"),
        ("return losses", "encoder.theta = best[0].theta * 0 + encoder.theta\n    return losses"),
    ],
}


@pytest.mark.slow
@pytest.mark.elbo
@pytest.mark.parametrize("name", REFUSED)
def test_noise_that_is_not_new_or_not_from_rng_is_refused(tmp_path, name):
    edits, key = REFUSED[name]
    assert diagnosis(tmp_path, "elbo", edits) == ("wrong", f"elbo.{key}")


@pytest.mark.slow
@pytest.mark.elbo
@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_right_noise_is_accepted(tmp_path, name):
    assert diagnosis(tmp_path, "elbo", ACCEPTED[name]) == ("done", "")
