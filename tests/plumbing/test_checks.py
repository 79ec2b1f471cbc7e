import numpy as np
import pytest

from miniae import VAE, Dense, Dropout, Flatten, Sequential, Sigmoid
from miniae.plumbing.checks import diverged, is_whole, last_step


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, True), (np.int32(3), True), (2, False), (3.0, False), ("3", False), (None, False)],
)
def test_a_whole_number_is_an_integer_and_large_enough(value, expected):
    assert is_whole(value, 3) == expected


def test_the_last_step_of_a_network_computes_something():
    inner = Sequential(Dense(3, 3), Sigmoid(), Dropout(0.2))
    assert isinstance(last_step(Sequential(Dense(2, 3), inner, Flatten())), Sigmoid)


def test_the_error_of_a_diverged_model_names_the_first_bad_parameter():
    model = VAE(6, 2, (4,))
    assert "First parameter" not in str(diverged(model, "the loss is inf"))
    model.decoder.layers[0].params["b"] = np.full(4, np.nan)
    assert "the loss is inf. First parameter that is not finite: decoder.0.b." in str(
        diverged(model, "the loss is inf")
    )
