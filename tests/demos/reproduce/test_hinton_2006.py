"""The deep autoencoder of Hinton and Salakhutdinov (2006)."""

import numpy as np
import pytest
from reproduction import EPS, paper_table

from miniae import gradient_check

pytestmark = pytest.mark.demo


def test_the_squared_error_behind_a_sigmoid_has_the_right_value_and_gradient(script):
    loss = script("hinton_2006").SquaredErrorOfSigmoid()
    rng = np.random.default_rng(0)
    out, target = 2 * rng.standard_normal((5, 4)), rng.random((5, 4))
    p = 1 / (1 + np.exp(-out))
    assert loss.forward(out, target) == pytest.approx(((p - target) ** 2).sum() / 5, rel=1e-14)
    assert np.abs(loss.mean(out) - p).max() < 4 * EPS
    assert gradient_check(loss, out, target).max_error < 1e-12


@pytest.mark.demo
def test_hinton_quick_prints_the_papers_figures_beside_ours_and_ends_as_before_when_run_again(
    run_quick,
):
    done = run_quick("hinton_2006")
    table = paper_table(done.text)
    papers = {paper for paper, _ in table.values()}
    assert {"3.00", "8.01", "13.87"} < papers
    assert done.pictures == {"errors", "reconstructions"}
    assert paper_table(run_quick("hinton_2006").text) == table  # by checkpoints, nothing trained
