"""The demo on dates: its generator, its translator, and what attention gains."""

import datetime

import numpy as np
import pytest
from demo_runs import load, quick, run

from miniae.proof.gradcheck import complex_step, relative_error

ATTENTION, WITHOUT, COPY = NAMES = [
    "with attention",
    "without attention",
    "copy from the most similar text",
]
SOURCE = np.array([[1, 2, 3, 4, 2], [3, 1, 2, 0, 0], [2, 4, 0, 0, 0]])
TARGET = np.array([[1, 2, 3, 1], [2, 1, 3, 0], [3, 0, 0, 0]])


def translator(attention, units=4):
    """Return a small translator of float64 with random parameters, biases too."""
    with load("translator") as support:
        model = support.Translator(5, 4, units, attention=attention, seed=1, dtype="float64")
    model.theta = model.theta + 0.3 * np.random.default_rng(2).standard_normal(model.theta.size)
    return model


@pytest.mark.demo
def test_translation_quick_prints_its_baselines_and_draws_the_attention(tmp_path):
    done = quick(tmp_path, "translation")
    assert list(done.table) == NAMES
    for name, row in done.table.items():
        assert len(row) == (2 if name == COPY else 3) and all(0 <= x <= 100 for x in row[-2:])
    assert done.table[WITHOUT][0] > done.table[ATTENTION][0]  # parameters
    assert done.pictures == {"attention"}


@pytest.mark.full
def test_attention_translates_nearly_all_new_dates_and_the_others_do_not(tmp_path):
    done = run(tmp_path, "translation", "--seeds", "3")
    assert min(done.table[ATTENTION][1:4]) > 95
    # The standard error of a share of 1,000 tests is at most 1.6 %.
    assert max(done.table[WITHOUT][1:4]) < 80 and max(done.table[COPY][:3]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("attention", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_translators_gradient_is_that_of_the_complex_step(attention):
    model = translator(attention)
    model.loss(SOURCE, TARGET)
    model.backward()
    gradient, point = model.dtheta.copy(), model.theta.copy()
    other = model.astype(complex)

    def loss(theta):
        other.theta = theta
        return other.loss(SOURCE, TARGET)

    assert relative_error(gradient, complex_step(loss, point)).max() < 1e-12
    assert np.array_equal(point, model.theta) and all(g.any() for _, _, g in model.named_params())


@pytest.mark.parametrize("attention", [True, False])
def test_a_translator_in_float32_computes_its_gradient_in_float32(attention):
    model = translator(attention).astype("float32")
    model.loss(SOURCE, TARGET)
    model.backward()
    assert {part.dtype for part in model.decoder.dstate} == {np.dtype("float32")}


@pytest.mark.parametrize("attention", [True, False])
def test_padding_changes_no_loss(attention):
    model = translator(attention)
    padded = np.pad(SOURCE, ((0, 0), (0, 3))), np.pad(TARGET, ((0, 0), (0, 2)))
    loss = model.loss(SOURCE, TARGET)
    assert np.isclose(model.loss(*padded), loss, rtol=1e-13, atol=0)
    alone = [model.loss(SOURCE[[i], :n], TARGET[[i]]) for i, n in enumerate((5, 3, 2))]
    assert np.isclose(np.mean(alone), loss, rtol=1e-13, atol=0)


@pytest.mark.parametrize("attention", [True, False])
def test_writing_step_by_step_is_what_one_pass_with_the_same_tokens_says(attention):
    model = translator(attention, units=8)
    tokens, weights = model.translate(SOURCE, longest=7, end=-1)
    assert tokens.shape == (3, 7)
    memory, mask, summary = model.read(SOURCE)
    before = np.pad(tokens[:, :-1], ((0, 0), (1, 0)))
    logits = model.write(before, memory, mask, summary, summary)
    assert np.array_equal(logits.argmax(axis=2), tokens)
    if attention:
        assert weights.shape == (3, 7, 5) and np.allclose(weights.sum(axis=2), 1)
        assert np.allclose(model.attention.weights[:, 0], weights, rtol=1e-12)
        assert not weights[np.broadcast_to(~mask[:, None], weights.shape)].any()
    else:
        assert weights is None


def test_writing_stops_when_every_row_has_its_end():
    model = translator(True)
    model.head.params["b"] = [0, 0, 50, 0]
    assert model.translate(SOURCE, longest=7, end=2)[0].tolist() == [[2]] * 3


def test_dates_are_written_as_people_do():
    with load("dates") as dates:
        day = datetime.date(1998, 3, 3)
        written = [dates.write(day, k) for k in range(len(dates.NOTATIONS))]
        third = dates.write(datetime.date(2012, 11, 23), dates.NOTATIONS.index(dates.NOTATIONS[6]))
        ends = [f"{d}{dates.suffix(d)}" for d in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31)]
    assert ("mar 3, 98", "1998-03-03") in written and ("march 1998", "1998-03") in written
    assert ("tuesday, march 3rd, 1998", "1998-03-03") in written and len(set(written)) == 9
    assert third == ("the twenty-third of november 2012", "2012-11-23")
    assert " ".join(ends) == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 30th 31st"


def test_no_month_of_a_year_is_in_both_lists_of_dates_and_the_seed_draws_them():
    with load("dates") as dates:
        train, test = dates.draw_dates(3000, 500, np.random.default_rng(3))
        assert dates.draw_dates(3000, 500, np.random.default_rng(3)) == [train, test]
    assert len(train) == 3000 and len(test) == 500
    assert not {iso[:7] for _, iso, _ in train} & {iso[:7] for _, iso, _ in test}
    assert {kind for *_, kind in train} == {kind for *_, kind in test} == set(range(9))
    days = [datetime.date.fromisoformat(iso) for _, iso, _ in train + test if len(iso) == 10]
    assert {d.day for d in days} == set(range(1, 32)) and {d.month for d in days} == set(
        range(1, 13)
    )


def test_an_alphabet_gives_texts_back_and_refuses_letters_that_it_does_not_have():
    with load("dates") as dates:
        alphabet = dates.Alphabet(["abc", "cd"], end="\n")
        tokens = alphabet.encode(["abcd", "", "da"])
        assert alphabet.size == 6 and tokens.max() == 5
        assert (tokens == 0).sum(axis=1).tolist() == [0, 4, 2]
        assert alphabet.decode(tokens) == ["abcd", "", "da"]
        assert alphabet.decode([*tokens[:, ::-1]])[1] == ""  # nothing after the end counts
        assert alphabet.decode(np.array([[2, 0, 3, 1]])) == ["a"]  # nor after padding
        with pytest.raises(ValueError, match=r"\['!', 'z'\] are not in the alphabet"):
            alphabet.encode(["az!"])


def test_the_most_similar_text_is_the_one_with_the_same_pairs_of_letters():
    with load("translation") as demo:
        texts, answers = ["3 march 1998", "4.5.2001", "may 4, 01"], ["a", "b", "c"]
        assert demo.similar(texts, answers, ["4.6.2001", "3 march 1997", "may 5, 01"]) == [*"bac"]
        assert demo.right_letters("1998-03", "1999-03-01") == 6
