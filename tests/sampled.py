"""Long lists of cases: a few run in the fast suite, all of them with the slow tests."""

import pytest


def often(step, cases):
    """Return the cases for `parametrize`: every step-th runs always, the others if slow ones do.

    A case is the value of one argument, or a tuple of several. Choose a step that has no factor in
    common with the period of the cases, so that what runs always is not of one kind.
    """
    cases = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [
        pytest.param(*case, marks=() if i % step == 0 else pytest.mark.slow)
        for i, case in enumerate(cases)
    ]
