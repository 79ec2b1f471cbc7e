import numpy as np
import pytest

from miniae.proof.differences import central_difference, rounding_noise, slope
from miniae.proof.gradcheck import complex_step
from miniae.proof.report import SAFETY

FUNCTIONS = {
    "polynomial": lambda v: np.sum(v**3 - 2 * v),
    "exponential": lambda v: np.sum(np.exp(3 * v)),
    "waves": lambda v: np.sum(np.sin(20 * v)),
    "saturated": lambda v: np.sum(np.tanh(10 * v)),
    "cancelling": lambda v: np.sum(v**2) + 1e4 - 1e4 * np.cos(0 * v.sum()),
    "small": lambda v: 1e-9 * np.sum(v**2 + np.exp(v)),
    "steep": lambda v: 1e6 / (2 + np.sum(v**2)),
    "logarithms": lambda v: np.log(np.sum(np.exp(v * 4))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_error_of_a_difference_is_larger_than_the_true_one(name):
    f, rng = FUNCTIONS[name], np.random.default_rng(3)
    for _ in range(20):
        v, u = rng.standard_normal((2, 4))
        found, error = slope(f, v, u, rounding_noise(f, v, u))
        exact = complex_step(f, v) @ u
        assert abs(found - exact) <= SAFETY * error  # Ridders' error is an estimate, not a bound
        assert error <= 1e-6 * np.abs(complex_step(f, v)) @ np.abs(u)


@pytest.mark.parametrize("distance", [0.0, 1e-9, 1e-7, 1e-6, 2e-6])
@pytest.mark.parametrize("side", [1, -1])
def test_at_a_kink_a_difference_has_no_say(distance, side):
    f = lambda v: np.sum(np.abs(v) + np.sin(v))  # noqa: E731
    v = np.array([side * distance, 0.7])
    assert np.isinf(slope(f, v, np.array([1.0, 0.3]), 1e-16)[1])


@pytest.mark.parametrize("distance", [1e-5, 1e-4, 1e-3, 1e-2, 0.3])
def test_near_a_kink_the_error_covers_it_or_the_steps_stay_on_one_side(distance):
    f = lambda v: np.sum(np.maximum(v, 0.1 * v) + np.sin(v))  # noqa: E731
    v = np.array([distance])
    found, error = slope(f, v, np.ones(1), 1e-16)
    assert abs(found - 1 - np.cos(distance)) <= SAFETY * error


def test_code_that_rounds_to_float32_gets_errors_of_float32():
    f = lambda v: float(np.sum(np.asarray(v, np.float32) ** 2))  # noqa: E731
    v = np.random.default_rng(0).standard_normal(5)
    gradient, errors = central_difference(f, v)
    assert (np.abs(gradient - 2 * v) <= SAFETY * errors).all()
    assert (1e-9 < errors).all() and (errors < 1e-3).all()


def test_a_jump_is_no_slope():
    f = lambda v: float(np.floor(3e3 * v[0]))  # noqa: E731
    found, error = slope(f, np.array([0.123]), np.ones(1), 1e-16)
    assert error > 0.01 * abs(found) or found == 0
