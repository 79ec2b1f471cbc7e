"""The demo on pictures and words: its data, its judge, and what its table says."""

import numpy as np
import pytest
from demo_runs import load, quick, run


@pytest.mark.demo
def test_multimodal_quick_prints_both_directions_beside_the_baselines(tmp_path):
    table, pictures = quick(tmp_path, "multimodal")
    assert pictures == {"multimodal"} and len(table) == 9
    for name, row in table.items():
        if "terms" in name or "from pictures" in name:
            assert len(row) == 5 and row[0] + row[1] <= 100 and 0 <= row[2] <= 100


@pytest.mark.full
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_a_classifier_reads_better_and_words_from_pictures_help_with_few_pairs(tmp_path, seed):
    table = run(tmp_path, "multimodal", "--seed", seed).table
    seen = {name.partition(", ")[2]: row for name, row in table.items()}
    for pairs in ("4,000 pairs", "400 pairs"):
        paper, crossed = (
            seen[f"{pairs}: {terms}"] for terms in ("the paper's terms", "and words from pictures")
        )
        assert paper[0] + 5 < crossed[0] < seen[f"{pairs}: classifier"][0]
        assert 0.05 < crossed[3] < 0.75 * seen["real pictures"][1]  # pictures vary, but less
        if pairs == "400 pairs":
            assert paper[0] < 50 < 70 < crossed[0] and paper[2] < 50 < 70 < crossed[2]
            assert paper[4] < crossed[4]  # nats
    assert seen["real pictures"][0] > 97  # the judge


def test_words_are_spelled_and_read_back():
    with load("multimodal") as demo:
        labels = np.arange(10)
        letters = demo.spelled(labels)
        assert letters.shape == (10, demo.LENGTH * len(demo.ALPHABET))
        np.testing.assert_array_equal(letters.sum(axis=1), demo.LENGTH)
        assert tuple(demo.read(letters)) == demo.WORDS


def test_each_row_without_a_partner_keeps_one_of_its_two_sides():
    with load("multimodal") as demo:
        x, words = np.ones((41, 14, 14)), demo.spelled(np.zeros(41, int))
        X, pairs = demo.with_gaps(x, words, 0.2, np.random.default_rng(0))
        there = {name: ~np.isnan(each.reshape(41, -1)).any(axis=1) for name, each in X.items()}
        both = there["picture"] & there["word"]
        np.testing.assert_array_equal(np.flatnonzero(both), np.sort(pairs))
        assert len(pairs) == 8 and (there["picture"] | there["word"]).all()
        assert abs(there["picture"].sum() - there["word"].sum()) <= 1
        alone, target = demo.and_words_from_pictures(X, pairs)
        assert len(alone["word"]) == 49 and np.isnan(alone["word"][41:]).all()
        np.testing.assert_array_equal(target["word"][41:], words[pairs])
        np.testing.assert_array_equal(alone["picture"], target["picture"])
