"""Walks on the sphere: equal angles, norms in equal steps, and the ends where there is no arc."""

import numpy as np
import pytest

import miniae
from miniae import VAE, Autoencoder, slerp


def angles(codes):
    """Return the angles between neighbours on a path (steps, d)."""
    u = codes / np.linalg.norm(codes, axis=-1, keepdims=True)
    return np.arccos(np.clip((u[1:] * u[:-1]).sum(axis=-1), -1, 1))


@pytest.mark.parametrize("d", [2, 3, 20])
def test_between_codes_of_equal_norm_the_norm_is_constant_and_the_angles_are_equal(d):
    z0, z1 = np.random.default_rng(d).standard_normal((2, d))
    z1 *= np.linalg.norm(z0) / np.linalg.norm(z1)
    codes = slerp(z0, z1, steps=7)
    assert codes.shape == (7, d)
    assert np.array_equal(codes[0], z0) and np.array_equal(codes[-1], z1)
    assert np.allclose(np.linalg.norm(codes, axis=1), np.linalg.norm(z0), rtol=1e-13)
    whole = np.arccos(z0 @ z1 / (z0 @ z0))
    assert np.allclose(angles(codes), whole / 6, rtol=1e-7)  # arccos near 1 loses half the digits
    t = np.linspace(0, 1, 7)[:, None]
    textbook = (np.sin((1 - t) * whole) * z0 + np.sin(t * whole) * z1) / np.sin(whole)
    assert np.allclose(codes, textbook, rtol=1e-12, atol=1e-13)


def test_between_codes_of_other_norms_the_norm_changes_by_equal_steps():
    z0, z1 = np.array([2.0, 0, 0]), np.array([0, 5.0, 0])
    codes = slerp(z0, z1, steps=4)
    assert np.allclose(np.linalg.norm(codes, axis=1), [2, 3, 4, 5], rtol=1e-14)
    assert np.allclose(angles(codes), np.pi / 6, rtol=1e-12)


def test_parallel_codes_and_zeros_give_a_straight_line():
    z = np.array([0.6, -0.8, 0])
    for z0, z1 in ((z, 3 * z), (0 * z, z), (z, 0 * z), (0 * z, 0 * z), (z, z)):
        expected = np.linspace(0, 1, 5)[:, None] * (z1 - z0) + z0
        with np.errstate(all="raise"):
            assert np.allclose(slerp(z0, z1, steps=5), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-10, 1e-7])
def test_nearly_parallel_codes_lose_no_accuracy(scale):
    z0 = np.array([1.0, 0, 0])
    codes = slerp(z0, np.array([1, scale, 0]), steps=3)
    assert np.allclose(codes[1], [1, scale / 2, 0], rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_opposite_codes_are_refused_and_nearly_opposite_ones_are_not(dtype):
    z = np.random.default_rng(0).standard_normal(4).astype(dtype)
    for other in (-z, -z * dtype_of(z)(1.7)):
        with pytest.raises(ValueError, match='opposite directions.*path="line"'):
            slerp(z, other)
    with pytest.raises(ValueError, match="in one dimension there is none"):
        slerp([1.0], [-1.0])
    codes = slerp(z, -z + dtype_of(z)(1e-3) * np.arange(4, dtype=dtype), steps=9)
    assert codes.dtype == z.dtype and np.allclose(angles(codes), angles(codes)[0], rtol=1e-3)


def dtype_of(z):
    return z.dtype.type


def test_batches_are_walked_pair_by_pair():
    z0, z1 = np.random.default_rng(1).standard_normal((2, 5, 3))
    codes = slerp(z0, z1, steps=4)
    assert codes.shape == (5, 4, 3)
    assert np.allclose(codes, [slerp(a, b, 4) for a, b in zip(z0, z1, strict=True)], rtol=1e-14)
    assert slerp([1, 0], [0, 1], 3).dtype == np.float64  # whole numbers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones(3), np.ones(2)), r"z0 of shape \(3,\) and z1 of shape \(2,\)"),
        ((1.0, 2.0), r"both \(d,\) or both \(n, d\)"),
        ((np.ones((2, 2, 2)),) * 2, "both"),
        ((np.ones(3, complex),) * 2, "real numbers"),
        (([1.0, np.nan], [0.0, 1.0]), "finite"),
        ((np.ones(3), np.ones(3), 1), "steps=1"),
        ((np.ones(3), np.ones(3), 2.5), "steps=2.5"),
    ],
)
def test_slerp_refuses_what_does_not_fit(arguments, words):
    with pytest.raises(ValueError, match=words):
        slerp(*arguments)


@pytest.mark.parametrize("shape", [(8,), (2, 4)])
@pytest.mark.parametrize("make", [VAE, Autoencoder])
def test_interpolate_walks_on_the_sphere_between_samples_and_batches(make, shape):
    X = np.random.default_rng(2).random((6, *shape))
    model = make(shape if len(shape) > 1 else 8, 3, (5,), dtype="float64")
    z = model.encode(X)
    path = model.interpolate(X[0], X[1], steps=5, path="sphere")
    assert np.allclose(path, model.decode(slerp(z[0], z[1], 5)), rtol=1e-12)
    assert np.allclose(path[[0, -1]], model.reconstruct(X[:2]), rtol=1e-12)
    assert not np.allclose(path[2], model.interpolate(X[0], X[1], 5)[2], rtol=1e-6)
    paths = model.interpolate(X[:3], X[3:], 4, "sphere")
    assert paths.shape == (3, 4, *shape)
    assert np.allclose(paths[2], model.interpolate(X[2], X[5], 4, "sphere"), rtol=1e-12)
    with pytest.raises(ValueError, match='path=\'arc\' must be "line" or "sphere"'):
        model.interpolate(X[0], X[1], path="arc")


def test_a_walk_on_the_sphere_keeps_the_norm_that_a_line_loses():
    z0, z1 = np.random.default_rng(3).standard_normal((2, 1000, 50))
    middle = slerp(z0, z1, 3)[:, 1]
    norm = np.linalg.norm(z0, axis=1).mean()
    assert abs(np.linalg.norm(middle, axis=1).mean() / norm - 1) < 0.01
    assert abs(np.linalg.norm((z0 + z1) / 2, axis=1).mean() / norm - 0.5**0.5) < 0.02
    assert miniae.slerp is slerp
