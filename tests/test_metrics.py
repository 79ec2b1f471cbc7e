import numpy as np
import pytest

from miniae import metrics


def test_errors_are_means_over_entries_and_leave_nan_out():
    X, Y = np.array([[1.0, np.nan], [3.0, 0.5]]), np.array([[0.0, 9.0], [1.0, 0.5]])
    assert metrics.mse(X, Y) == pytest.approx(5 / 3, rel=1e-15)
    assert metrics.rmse(X, Y) == pytest.approx(np.sqrt(5 / 3), rel=1e-15)
    with pytest.raises(ValueError, match="no entry to compare"):
        metrics.mse([np.nan], [1.0])


def test_psnr_of_an_error_of_a_tenth_is_twenty_decibels():
    X = np.random.default_rng(0).random((4, 5))
    assert metrics.psnr(X, X + 0.1) == pytest.approx(20, rel=1e-12)
    assert metrics.psnr(255 * X, 255 * X + 25.5, peak=255) == pytest.approx(20, rel=1e-12)
    assert metrics.psnr(X, X) == np.inf


def by_pairs(scores, labels):
    pairs = [(p > q) + 0.5 * (p == q) for p in scores[labels == 1] for q in scores[labels == 0]]
    return np.mean(pairs)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_the_share_of_pairs_ranked_rightly_ties_half(seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, 12, 40).astype(float), rng.integers(0, 2, 40)
    assert metrics.auroc(scores, labels) == pytest.approx(by_pairs(scores, labels), rel=1e-13)
    assert metrics.auroc(-scores, labels) == pytest.approx(1 - by_pairs(scores, labels), rel=1e-13)


def test_average_precision_by_hand():
    # ranks of the anomalies: 1, 3 and 4; precisions there: 1, 2/3 and 3/4
    scores, labels = [0.9, 0.8, 0.7, 0.6, 0.1], [1, 0, 1, 1, 0]
    assert metrics.average_precision(scores, labels) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert metrics.average_precision(np.ones(5), labels) == pytest.approx(3 / 5)


def test_rankings_agree_with_scikit_learn():
    theirs = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(5):
        scores, labels = rng.integers(0, 30, 80).astype(float), rng.integers(0, 2, 80)
        a, b = rng.integers(0, 4, 80), rng.integers(0, 3, 80)
        assert metrics.auroc(scores, labels) == pytest.approx(theirs.roc_auc_score(labels, scores))
        expected = theirs.average_precision_score(labels, scores)
        assert metrics.average_precision(scores, labels) == pytest.approx(expected)
        expected = theirs.adjusted_rand_score(a, b)
        assert metrics.adjusted_rand_index(a, b) == pytest.approx(expected, abs=1e-12)


def test_the_rand_index_is_one_for_renamed_clusters_and_about_zero_for_random_ones():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 2000)
    assert metrics.adjusted_rand_index(a, np.array(list("wxyz"))[a]) == 1
    assert abs(metrics.adjusted_rand_index(a, rng.integers(0, 4, 2000))) < 0.01
    assert metrics.adjusted_rand_index(np.zeros(5), np.zeros(5)) == 1
    # Hubert and Arabie's formula by hand: (2 - 3 * 3 / 10) / ((3 + 3) / 2 - 0.9), n = 5
    assert metrics.adjusted_rand_index([0, 0, 0, 1, 2], [0, 0, 0, 1, 1]) == pytest.approx(
        (3 - 3 * 4 / 10) / (3.5 - 1.2)
    )


def test_accuracy():
    assert metrics.accuracy([1, 2, 3, 3], [1, 2, 0, 3]) == 0.75


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: metrics.mse([1.0, 2.0], [[1.0, 2.0]]), r"X has shape \(2,\) and Y \(1, 2\)"),
        (lambda: metrics.accuracy([], []), "not empty"),
        (lambda: metrics.auroc([1.0, 2.0], [1, 1]), "all labels are equal"),
        (lambda: metrics.auroc([1.0, 2.0], [1, 2]), "0 .normal. and 1"),
        (lambda: metrics.auroc([1.0, np.nan], [1, 0]), "NaN"),
        (lambda: metrics.average_precision([1.0, np.nan], [1, 0]), "NaN"),
        (lambda: metrics.auroc([[1.0], [2.0]], [[1], [0]]), r"must be \(n,\)"),
        (lambda: metrics.average_precision([1.0, 2.0], [0, 0]), "all labels are equal"),
    ],
)
def test_a_metric_without_an_answer_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_small_integers_and_halves_do_not_overflow():
    black, white = np.zeros(4, np.uint8), np.full(4, 255, np.uint8)
    assert metrics.mse(black, white) == metrics.mse(white, black) == 255**2
    assert metrics.psnr(black, white, peak=255) == 0
    assert metrics.mse(np.float16([300.0]), np.float16([0.0])) == 90_000
    assert metrics.mse([True, False], [True, True]) == 0.5
    scores, labels = np.arange(4, dtype=np.uint8), [0, 0, 1, 1]
    assert metrics.average_precision(scores, labels) == metrics.auroc(scores, labels) == 1


def test_infinite_scores_are_ranked_and_tie_with_each_other():
    scores, labels = [np.inf, np.inf, 3.0, -np.inf, 1.0], [1, 0, 1, 0, 0]
    large = [9.0, 9.0, 3.0, -9.0, 1.0]  # the same order
    assert metrics.auroc(scores, labels) == metrics.auroc(large, labels) == 4.5 / 6
    same = metrics.average_precision(large, labels)
    assert metrics.average_precision(scores, labels) == same == (0.5 + 2 / 3) / 2
