"""For all tests of figures: no display, no figure stays open, and images to draw."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def _no_show_and_no_figure_left(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a plotting function called show()")

    monkeypatch.setattr(plt, "show", refuse)
    monkeypatch.setattr(Figure, "show", refuse)
    yield
    plt.close("all")


@pytest.fixture
def images():
    return np.random.default_rng(0).random((5, 4, 4))


@pytest.fixture
def wide():
    return np.random.default_rng(0).random((4, 2, 3))


@pytest.fixture
def points():
    return np.random.default_rng(1).standard_normal((12, 3))
