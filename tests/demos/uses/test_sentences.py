"""The demo on sentences: its grammar, its n-grams, and what the table says of collapse."""

import numpy as np
import pytest
from demo_runs import load, quick, run


@pytest.mark.demo
def test_sentences_quick_prints_perplexities_that_no_model_can_lower(tmp_path):
    done = quick(tmp_path, "sentences")
    assert done.pictures == {"sentences"}
    exact = done.table["the grammar, exact entropy"][-1]
    models = [row[-1] for name, row in done.table.items() if "model" in name or "bound" in name]
    assert len(models) >= 5 and min(models) > exact


@pytest.mark.full
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_word_dropout_puts_more_into_the_code_and_costs_perplexity(tmp_path, seed):
    shown = run(tmp_path, "sentences", "--seed", seed)
    table, kl = shown.table, shown.table_of("KL, nats")
    assert table["LSTM without a code"][-1] < table["4-gram model"][-1]
    bounds = [table[f"VAE, word dropout {p}: bound"][-1] for p in ("0", "0.5")]
    assert table["LSTM without a code"][-1] < bounds[0] < table["4-gram model"][-1] < bounds[1]
    assert kl["word dropout 0"][0] + 0.1 < kl["word dropout 0.5"][0]


@pytest.mark.slow
def test_the_grammars_entropy_is_that_of_the_sentences_it_draws():
    with load("grammar") as grammar:
        rules = grammar.sentence_grammar()
        rng = np.random.default_rng(0)
        drawn = [grammar.derive(rules, rng) for _ in range(2000)]
        nats = np.array([-log_p for _, log_p in drawn])
        tokens = np.array([len(words) + 1 for words, _ in drawn])
        exact = np.log(grammar.perplexity(rules))
        assert all(grammar.is_sentence(rules, words) for words, _ in drawn[:50])
        assert not grammar.is_sentence(rules, drawn[0][0][::-1])
    share = nats.sum() / tokens.sum()
    error = (nats - share * tokens).std() / np.sqrt(len(drawn)) / tokens.mean()
    assert abs(share - exact) < 4 * error


def test_n_grams_have_the_frequencies_of_the_text_and_sum_to_one():
    with load("language_models") as models:
        X = np.array([[2, 3, 1, 0], [2, 2, 1, 0], [3, 2, 3, 1]])
        for order in (1, 2, 3):
            model = models.NGram(order, 4).fit(X)
            assert model.p((2,) * (order - 1)).sum() == pytest.approx(1)
        p = models.NGram(1, 4).fit(X).p(())
        share = models.DISCOUNT * 3 / 10  # freed by three kinds of tokens, ten in all
    counts = np.array([3, 4, 3])  # of the tokens 1, 2, 3
    assert p[1:] == pytest.approx((counts - 0.75) / 10 + share / 3)
