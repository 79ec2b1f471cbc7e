"""Fixtures for the tests of the reproductions."""

import pytest
from demo_runs import load, quick


@pytest.fixture
def paper():
    """What the scripts share."""
    with load("paper") as module:
        return module


@pytest.fixture
def script():
    """A function that loads a script by its name."""

    def open_script(name):
        with load(name) as module:
            return module

    return open_script


@pytest.fixture
def run_quick(tmp_path):
    """A function that runs a script with --quick, by its name."""
    return lambda name: quick(tmp_path, name)
