"""scikit-learn's own checks of an estimator, on the detector."""

import os
import sys
import warnings

import pytest

from miniae import AnomalyDetector

FAILING = {
    # The constructor refuses a wrong argument at once, before any training.
    "check_do_not_raise_errors_in_init_or_set_params",
}


@pytest.mark.slow
def test_the_detector_passes_all_checks_of_scikit_learn_but_those_with_a_reason(monkeypatch):
    monkeypatch.setattr(sys.modules["miniae.suggest"], "STEPS", 200)  # hundreds of trainings
    checks = pytest.importorskip("sklearn.utils.estimator_checks", minversion=None)
    version = pytest.importorskip("sklearn").__version__
    if tuple(map(int, version.split(".")[:2])) < (1, 6):
        pytest.skip("check_estimator(on_fail=None) is of scikit-learn 1.6")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = checks.check_estimator(AnomalyDetector(), on_fail=None)
    failed = {each["check_name"] for each in results if each["status"] == "failed"}
    passed = [each for each in results if each["status"] == "passed"]
    assert failed == FAILING
    assert len(passed) >= 38 or os.environ.get("SCIPY_ARRAY_API") or len(results) < 41
