"""What README and pages say in words and numbers, where no other test holds it."""

import re
from pathlib import Path

import numpy as np
import pytest

from miniae import Autoencoder, gradient_check
from miniae.layers import Layer
from miniae.proof.bugzoo import ZOO

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_counts_the_bug_zoo_rightly():
    wrong, public = map(
        int, re.search(r"at least (\d+)\s+deliberately\s+wrong.*?over (\d+)", README, re.S).groups()
    )
    assert wrong <= len(ZOO) <= wrong + 20
    assert public < sum(each.source != "constructed" for each in ZOO)


class RightBelow3(Layer):
    """out = x^2, with the wrong slope where x > 3."""

    def forward(self, x, training=False):
        return self.remember(x, x**2)

    def backward(self, dout):
        x = self.recall(dout)
        return dout * np.where(x > 3, x, 2 * x)


def test_a_gradient_check_sees_only_the_branches_that_its_point_enters():
    x = np.random.default_rng(0).uniform(1, 2, (5, 3))
    assert gradient_check(RightBelow3(), x).ok
    assert not gradient_check(RightBelow3(), 2 * x).ok


@pytest.mark.parametrize(
    ("variances", "component", "saddle"),
    [((4.0, 2.0, 1.0), 0, False), ((4.0, 2.0, 1.0), 1, True), ((4.0, 4.0, 1.0), 1, False)],
)
def test_a_linear_autoencoder_on_another_component_is_at_a_saddle_if_variances_differ(
    variances, component, saddle
):
    axes = np.diag(np.sqrt(3 * np.array(variances)))
    X = np.concatenate([axes, -axes])  # mean 0, and a covariance of diag(variances)
    model = Autoencoder(3, 1, (), loss="mse", dtype="float64")
    model.theta[:] = 0
    model.encoder.layers[0].params["W"] = np.eye(3)[:, [component]]
    model.decoder.layers[0].params["W"] = np.eye(3)[[component]]

    def gradient(theta):
        model.theta = theta
        model.loss(X)
        model.backward()
        return model.dtheta.copy()

    theta, h = model.theta.copy(), 1e-4
    assert np.abs(gradient(theta)).max() < 1e-12  # stationary
    moves = h * np.eye(len(theta))
    hessian = np.array([(gradient(theta + d) - gradient(theta - d)) / (2 * h) for d in moves])
    # The gradient is a cubic: its central difference is off by h^2, and rounding by eps / h.
    assert (np.linalg.eigvalsh((hessian + hessian.T) / 2)[0] < -1e-5) == saddle
