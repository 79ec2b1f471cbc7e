"""The zoo of adversarial models: its open versions are the right ones, each specimen is caught."""

import numpy as np
import pytest

from miniae import VAEGAN, AdversarialAutoencoder
from miniae.proof import __main__ as certificate
from miniae.proof.bugzoo import ZOO, adversarial, survey
from miniae.proof.players import check_player

MINE = [each for each in ZOO if each.wrong.__module__ == adversarial.__name__]


@pytest.mark.parametrize(
    ("right", "opened"),
    [
        (VAEGAN, adversarial.OpenVAEGAN),
        (AdversarialAutoencoder, adversarial.OpenAdversarialAutoencoder),
    ],
)
def test_the_open_models_of_the_zoo_are_the_right_ones(right, opened):
    gradients = []
    for cls in (right, opened):
        model, x, noise = adversarial.small(cls, 3)
        model.losses(x, **noise)
        model.backward()
        gradients.append(model.dtheta)
    np.testing.assert_allclose(*gradients, rtol=1e-12, atol=1e-16)


@pytest.mark.slow
def test_every_wrong_adversarial_model_is_caught_and_no_right_one():
    assert len(MINE) >= 15
    for row in survey(0, MINE):
        assert row.ok, (row.specimen.id, row.finding, row.correct)


@pytest.mark.slow
def test_a_wrong_player_is_named_and_the_others_are_not_accused():
    model, x, _ = adversarial.small(adversarial.GameTrainsEncoder, 1)
    verdicts = {p: check_player(model, p, x).ok for p in ("encoder", "decoder", "discriminator")}
    assert verdicts == {"encoder": False, "decoder": True, "discriminator": True}


def test_the_certificate_has_a_line_for_each_player():
    lines = list(certificate.check_players(1))
    assert len(lines) == 6 and all(line.ok and line.error < 1e-12 for line in lines)
