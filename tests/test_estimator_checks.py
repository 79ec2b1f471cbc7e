"""scikit-learn's own checks of an estimator, `check_estimator`."""

import warnings

import pytest

from miniae import AutoencoderTransformer, VAETransformer

sklearn_checks = pytest.importorskip("sklearn.utils.estimator_checks")

FAILURES = {}  # name of a check: why it fails. None does.
SKIPPED = {"check_array_api_input"}  # runs only if SCIPY_ARRAY_API is set; passes then


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator", [AutoencoderTransformer(epochs=2), VAETransformer(epochs=2)], ids=repr
)
def test_the_checks_of_scikit_learn_pass(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # data of very different scales, say: not the point here
        results = sklearn_checks.check_estimator(estimator, on_fail=None, on_skip=None)
    by_status = {"passed": set(), "failed": set(), "skipped": set()}
    for result in results:
        by_status[result["status"]].add(result["check_name"])
    assert by_status["failed"] == set(FAILURES), results
    assert by_status["skipped"] <= SKIPPED
    assert len(by_status["passed"]) >= 30  # checks have names in common
