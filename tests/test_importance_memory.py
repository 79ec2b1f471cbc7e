"""log_likelihood takes few rows at a time, whatever k and the width of a row."""

import numpy as np
import pytest

from miniae import VAE
from miniae.plumbing import inputs


@pytest.fixture
def sizes(monkeypatch):
    """Return the numbers of rows that the decoder gets at a time."""
    found, log_weight = [], VAE.log_weight

    def watched(self, target, mu, log_var, eps, training=False):
        found.append(eps.shape[0] * eps.shape[1])
        return log_weight(self, target, mu, log_var, eps, training)

    monkeypatch.setattr(VAE, "log_weight", watched)
    return found


def test_the_draws_at_once_are_fewer_for_wide_rows_and_the_value_is_the_same(sizes, monkeypatch):
    vae, X = VAE(6, 2, (4,), dtype="float64"), np.random.default_rng(0).random((3, 6))
    narrow = vae.log_likelihood(X, 50)
    assert sizes == [150]
    monkeypatch.setattr(inputs, "ENTRIES", 6 * 12)  # 12 rows of 6 numbers
    sizes.clear()
    wide = vae.log_likelihood(X, 50)
    assert max(sizes) == 12 and sum(sizes) == 150
    assert np.allclose(wide, narrow, rtol=1e-13)  # the same noise, added up in other groups
