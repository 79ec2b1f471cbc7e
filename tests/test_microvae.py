"""The VAE on one screen is `miniae.VAE`: the same loss, the same gradient, the same steps."""

import numpy as np
import pytest

from miniae import VAE, Adam, microvae


def generic(rng, n_x=6, n_hidden=5, n_z=2, n=7):
    theta = microvae.init(n_x, n_hidden, n_z, rng)
    theta = {k: v + 0.3 * rng.standard_normal(v.shape) for k, v in theta.items()}
    return theta, rng.random((n, n_x)), rng.standard_normal((n, n_z))


def flat(arrays):
    return np.concatenate([a.ravel() for a in arrays.values()])


@pytest.mark.parametrize("seed", range(3))
def test_its_loss_and_every_gradient_are_those_of_the_vae(seed):
    theta, x, eps = generic(np.random.default_rng(seed))
    vae = VAE(6, 2, (5,), dtype="float64")
    vae.theta = flat(theta)
    loss, gradient = microvae.loss_and_gradient(theta, x, eps)
    assert vae.loss(x, eps=eps) == pytest.approx(loss, rel=1e-12)
    vae.backward()
    scale = np.abs(vae.dtheta).max()
    np.testing.assert_allclose(flat(gradient), vae.dtheta, rtol=0, atol=1e-12 * scale)


def test_its_check_finds_the_gradient_right_and_a_wrong_one_wrong(monkeypatch):
    theta, x, eps = generic(np.random.default_rng(3))
    assert microvae.check(theta, x, eps) < 1e-12
    right = microvae.loss_and_gradient

    def slightly_off(theta, x, eps):
        loss, gradient = right(theta, x, eps)
        return loss, {**gradient, "b2": gradient["b2"] * (1 + 1e-9)}

    monkeypatch.setattr(microvae, "loss_and_gradient", slightly_off)
    assert microvae.check(theta, x, eps) > 1e-10


def test_its_check_holds_where_exponentials_would_overflow():
    theta, x, eps = generic(np.random.default_rng(4))
    theta["b4"] += np.array([900.0, -900.0, 0, 0, 0, 0])
    loss, gradient = microvae.loss_and_gradient(theta, x, eps)
    assert np.isfinite(loss) and np.isfinite(flat(gradient)).all()
    assert microvae.check(theta, x, eps) < 1e-12


def test_it_trains_as_the_vae_does_with_adam():
    x = np.random.default_rng(5).random((30, 6))
    x[:, 3] *= 1e-9  # a tiny gradient, of which eps in Adam's denominator takes a part
    theta = microvae.train(x, n_hidden=5, epochs=3, batch_size=10, seed=8)
    rng = np.random.default_rng(8)
    vae, adam = VAE(6, 2, (5,), dtype="float64"), Adam(1e-3)
    vae.theta = flat(microvae.init(6, 5, 2, rng, "float64"))
    for _ in range(3):
        order = rng.permutation(30)
        for start in range(0, 30, 10):
            eps = rng.standard_normal((10, 2))
            vae.loss(x[order[start : start + 10]], eps=eps, training=True)
            vae.backward()
            adam.step(vae.theta, vae.dtheta)
    # Of a gradient of 1e-9 the rounding error is 1e-16 / 1e-9, and so is that of its step, 1e-3.
    np.testing.assert_allclose(flat(theta), vae.theta, rtol=0, atol=1e-9)


def test_it_runs_and_draws(tmp_path, capsys):
    microvae.main(tmp_path / "new" / "picture.png", n=200, epochs=1)
    printed = capsys.readouterr().out
    assert "gradient: largest error" in printed and "epoch  1/1: loss" in printed
    assert (tmp_path / "new" / "picture.png").stat().st_size > 1000
